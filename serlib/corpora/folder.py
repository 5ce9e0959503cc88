"""Own recordings: folders of labels and speakers, a pattern, or a table."""

import functools
import os
import tarfile
import unicodedata
import zipfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

from serlib.corpora import levels, tables
from serlib.corpora.corpus import Clip, Corpus, or_unknown, printable, rejection, walk
from serlib.corpora.words import is_emotion, normal_label
from serlib.utils import UNKNOWN, SerlibError, one_line, one_name, same_person


def scan(root, rejected, notes, reading):
    """List own recordings with their labels.

    A table comes first (`tables.find`, or any table given as `root`); one that names no labels, beside folders that do,
    is passed over. Without a table the folders say it (`levels.plan`), or the pattern of the reading.

    Returns a list of (Path, Clip). The lists get {"file", "reason"} for what cannot be used, and a sentence for how
    folder or table were understood. Where that can be done in more than one way, SerlibError says how to settle it.
    """
    root = Path(os.path.abspath(root))
    read = _of_folder if os.path.isdir(root) else _of_table
    clips = read(root, rejected, notes, reading)
    spelling = one_name(clip.speaker for _, clip in clips)  # Anna and anna, 1 and 01 are one person
    notes += same_person(spelling)
    return [(path, replace(clip, speaker=spelling.get(clip.speaker, clip.speaker))) for path, clip in clips]


def _of_table(root, rejected, notes, reading):
    if os.path.isfile(root):
        if what := tables.foreign(root):
            raise SerlibError(f"{printable(root)} {what}")
        if tables.is_table(root):
            clips = tables.read([root], rejected, notes, columns=reading.columns)
            if clips is None:
                raise SerlibError(tables.refusal(root))
            return clips
        if zipfile.is_zipfile(root) or tarfile.is_tarfile(root):
            raise SerlibError(f"{printable(root)} is an archive; unpack it first, and name the folder")
    what = "is no folder and no table" if os.path.exists(root) else "does not exist"
    raise SerlibError(f"{printable(root)} {what}; expected recordings, one folder a label, or a CSV speech,label")


def _of_folder(root, rejected, notes, reading):
    lists = [] if reading.pattern or reading.label_level else tables.find(root)
    if lists:
        clips = tables.read(lists, rejected, notes, columns=reading.columns)
        if clips is not None:
            others = _unlisted(root, clips, rejected)
            if others:
                names = ", ".join(dict.fromkeys(path.name for path in lists))
                notes.append(f"not in {one_line(names)}, so not used: {levels.shortened(others)}")
            return clips
    elif reading.columns:
        notes.append(f"no table of {printable(root)} is read, so --columns says nothing there")
    archives = []
    paths = list(walk(root, rejected, archives=archives))
    if lists and not paths:
        raise SerlibError(tables.refusal(lists[0]))
    if not paths and (hint := _table_hint(root)):
        raise SerlibError(f"{printable(root)} holds no sound file; {hint.removeprefix('or ')}")
    try:
        if reading.pattern:
            clips = _by_pattern(root, paths, rejected, notes, reading.pattern)
        else:
            clips = _by_level(root, paths, rejected, notes, reading.label_level)
    except SerlibError as error:
        if lists:
            raise SerlibError(tables.refusal(lists[0])) from error
        hint = "" if reading.pattern else _table_hint(root)
        raise SerlibError(f"{error}; {hint}" if hint else str(error)) from error
    if archives:
        files = [path.relative_to(root).as_posix() for path in archives]
        notes.append(f"not unpacked, so not used: {levels.shortened(files)}")
    if lists:
        notes.append(f"{lists[0].name} names no labels; the folders do")
    known = {*tables.TABLES, *(path.name for path in lists)}
    others = [name for name in _tables_beside(root) if name not in known]
    if others:
        notes.append(f"not read: {levels.shortened(others)} (a table is read where it is named)")
    return clips


def _unlisted(root, clips, rejected):
    """The recordings below a folder that its tables do not name, as paths from there."""
    real = functools.cache(os.path.realpath)  # by whatever links a table has its folders
    listed = {(real(path.parent), path.name) for path, _ in clips}
    faulty = {entry["file"] for entry in rejected}
    names = {Path(file).name for file in faulty}
    others = [path for path in walk(root, []) if (real(path.parent), path.name) not in listed]
    others = [path for path in others if path.name not in names or printable(path) not in faulty]
    return [path.relative_to(root).as_posix() for path in others]


def _tables_beside(root):
    return sorted(path.name for path in root.glob("*") if path.suffix.lower() in (".csv", ".tsv", *tables.SPREADSHEETS))


def _table_hint(root):
    """Which tables lie in a folder and may name the labels, or what else does that cannot be read."""
    lists = [name for name in _tables_beside(root) if not name.lower().endswith(tables.SPREADSHEETS)]
    manifests = sorted(path.name for path in root.glob("*.json*"))
    if not lists and len(manifests) < 4:  # more of them lie beside a recording each
        lists = manifests
    if lists:
        others = f" (or {', '.join(map(one_line, lists[1:4]))})" if len(lists) > 1 else ""
        return f"or name its table: {printable(root / lists[0])}{others}"
    for path in islice(sorted(root.glob("*")), 100):
        if os.path.isfile(path) and (what := tables.foreign(path)):
            return f"{one_line(path.name)} {what}"
    return ""


def parse(path):
    """Label of one recording: the name of its folder (`scan` knows better, since it sees them all)."""
    label = normal_label(path.parent.name)
    return Clip(label, UNKNOWN, UNKNOWN, path.stem) if label else None


def _by_level(root, paths, rejected, notes, label_level):
    if not paths:
        return []
    whole = [path.relative_to(root).parts for path in paths]
    parts = levels.without_copies(whole) if label_level is None else whole
    inner = dict.fromkeys(path[0] for path, short in zip(whole, parts, strict=True) if path != short)
    if inner:
        notes.append(f"{', '.join(map(one_line, inner))}: read like the folders beside it, which have the same names")
    plan = levels.plan(parts, root=printable(root), label_level=label_level)
    words = {path[plan.part - 1] for path in parts if len(path) > plan.part > 0}
    emotions = any(is_emotion(_folder(names, plan.label)) for names in parts)
    clips = []
    for path, names in zip(paths, parts, strict=True):
        folder = _folder(names, plan.label)
        label = normal_label(folder)
        if emotions and levels.is_part(folder):
            rejected.append(rejection(path, f"lies in {one_line(folder)}, which names no label as the others do"))
            continue
        if not label:
            rejected.append(rejection(path, f"lies in no folder that names its label ({levels.ordinal(plan.label)})"))
            continue
        speaker = _folder(names, plan.speaker)
        part = levels.role(_folder(names, plan.part), words)
        extra = {"part": part} if part else {}
        clips.append((path, Clip(label, or_unknown(speaker), UNKNOWN, path.relative_to(root).as_posix(), extra=extra)))
    notes += _understood(plan, clips)
    return clips


def _folder(names, level):
    return names[level - 1] if 0 < level < len(names) else ""


def _understood(plan, clips):
    labels = list(dict.fromkeys(clip.label for _, clip in clips))
    notes = [f"labels from the {levels.ordinal(plan.label)} folder: {levels.shortened(labels, 12)}"]
    if labels and not any(map(is_emotion, labels)):
        notes[0] += " (no emotion word that is known)"
    speakers = list(dict.fromkeys(clip.speaker for _, clip in clips if clip.speaker != UNKNOWN))
    if speakers:
        notes.append(f"speakers from the {levels.ordinal(plan.speaker)} folder: {levels.shortened(speakers, 12)}")
    else:
        notes.append(f"speakers unknown: no folder names them{f' ({plan.doubt})' if plan.doubt else ''}")
    parts = list(dict.fromkeys(clip.extra["part"] for _, clip in clips if "part" in clip.extra))
    if parts:
        notes.append(f"a given split from the {levels.ordinal(plan.part)} folder: {', '.join(parts)} (--split given)")
    return notes


def _by_pattern(root, paths, rejected, notes, pattern):
    regex = levels.compiled(pattern)
    matches = []
    for path in paths:
        match = regex.fullmatch(unicodedata.normalize("NFC", path.relative_to(root).as_posix()))
        if match:
            matches.append((path, match.groupdict()))
        else:
            rejected.append(rejection(path, f'does not fit the pattern "{pattern}"'))
    if paths and not matches:
        example = one_line(paths[0].relative_to(root).as_posix())
        raise SerlibError(f'No file of {printable(root)} fits the pattern "{pattern}", for example {example}')
    parts = {names.get("part") for _, names in matches}
    clips = []
    for path, names in matches:
        extra = {name: value for name, value in names.items() if name not in levels.FIELDS}
        if "part" in extra:
            extra["part"] = levels.role(extra["part"], parts) or extra["part"]
        speaker, text = (or_unknown(names.get(name, "")) for name in ("speaker", "text"))
        name = path.relative_to(root).as_posix()
        clips.append((path, Clip(normal_label(names["label"]), speaker, text, name, extra=extra)))
    for name in regex.groupindex:
        values = dict.fromkeys(getattr(clip, name) if name in levels.FIELDS else clip.extra[name] for _, clip in clips)
        notes.append(f"{name} from the pattern: {levels.shortened(list(values), 12)}")
    return clips


CORPUS = Corpus(
    name="folder",
    title="Folder of own recordings",
    homepage="",
    licence="your own",
    citation="",
    example="happy/anything.wav",
    parse=parse,
    scan=scan,
)
