"""Own recordings: folders of labels and speakers, a pattern, or a table."""

import os
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

from serlib.corpora import levels, tables
from serlib.corpora.corpus import Clip, Corpus, missing, printable, rejection, walk
from serlib.corpora.words import is_emotion, normal_label
from serlib.utils import UNKNOWN, SerlibError, one_line


def scan(root, rejected, notes, reading):
    """List own recordings with their labels.

    A table comes first (`tables.TABLES` in the folder, an audformat database, parquet, or any table given as `root`);
    its relative paths start at its own folder and must stay inside. A table that names no labels, beside folders that
    do, is passed over. Without a table the folders say it (`levels.plan`), or the pattern of the reading.

    Parameters
    ----------
    root : Path
        A folder or a table.
    rejected : list
        Gets {"file", "reason"} for what cannot be used.
    notes : list
        Gets how folder or table were understood, a sentence each.
    reading : Reading

    Returns
    -------
    list of (Path, Clip)

    Raises
    ------
    SerlibError
        There is no such folder, or it can be understood in more than one way; the sentence says how to settle it.

    Taught in docs/own_recordings.md.
    """
    root = Path(os.path.abspath(root))
    if os.path.isfile(root) and tables.is_table(root):
        clips = tables.read([root], rejected, notes, columns=reading.columns)
        if clips is None:
            raise SerlibError(tables.refusal(root))
        return one_spelling(clips, notes)
    if not os.path.isdir(root):
        what = "is no folder and no table" if os.path.exists(root) else "does not exist"
        raise SerlibError(f"{printable(root)} {what}; expected recordings, one folder a label, or a CSV speech,label")
    lists = [] if reading.pattern or reading.label_level else tables.find(root)
    if lists:
        clips = tables.read(lists, rejected, notes, columns=reading.columns)
        if clips is not None:
            return one_spelling(clips, notes)
    paths = list(walk(root, rejected))
    if lists and not paths:
        raise SerlibError(tables.refusal(lists[0]))
    try:
        clips = _by_pattern(root, paths, rejected, notes, reading.pattern) if reading.pattern else None
        clips = _by_level(root, paths, rejected, notes, reading.label_level) if clips is None else clips
    except SerlibError as error:
        if lists:
            raise SerlibError(tables.refusal(lists[0])) from error
        others = sorted(path for path in root.glob("*") if path.suffix.lower() in (".csv", ".tsv"))
        if others and not reading.pattern:
            raise SerlibError(f"{error}; or name its table: {printable(others[0])}") from error
        raise
    if lists:
        notes.append(f"{lists[0].name} names no labels; the folders do")
    return one_spelling(clips, notes)


def parse(path):
    """Label of one recording: the name of its folder (`scan` knows better, since it sees them all)."""
    label = normal_label(path.parent.name)
    return Clip(label, UNKNOWN, UNKNOWN, path.stem) if label else None


def _by_level(root, paths, rejected, notes, label_level):
    parts = [path.relative_to(root).parts for path in paths]
    if not paths:
        return []
    plan = levels.plan(parts, root=printable(root), label_level=label_level)
    given = {path[plan.part - 1] for path in parts if len(path) > plan.part > 0}
    clips = []
    for path, names in zip(paths, parts, strict=True):
        label = normal_label(_folder(names, plan.label))
        if not label:
            rejected.append(rejection(path, f"lies in no folder that names its label ({levels.ordinal(plan.label)})"))
            continue
        speaker = _folder(names, plan.speaker)
        part = levels.role(_folder(names, plan.part), given)
        extra = {"part": part} if part else {}
        clips.append((path, Clip(label, _known(speaker), UNKNOWN, "/".join(names), extra=extra)))
    notes += _understood(plan, clips)
    return clips


def _folder(names, level):
    return names[level - 1] if 0 < level < len(names) else ""


def _known(value):
    return UNKNOWN if missing(value) else value


def _understood(plan, clips):
    labels = list(dict.fromkeys(clip.label for _, clip in clips))
    notes = [f"labels from the {levels.ordinal(plan.label)} folder: {levels.shortened(labels, 12)}"]
    if labels and not any(map(is_emotion, labels)):
        notes[0] += " (no emotion word that is known)"
    speakers = list(dict.fromkeys(clip.speaker for _, clip in clips if clip.speaker != UNKNOWN))
    if speakers:
        notes.append(f"speakers from the {levels.ordinal(plan.speaker)} folder: {levels.shortened(speakers, 12)}")
    else:
        notes.append("speakers unknown: no folder names them")
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
        speaker, text = (_known(names.get(name, "")) for name in ("speaker", "text"))
        name = path.relative_to(root).as_posix()
        clips.append((path, Clip(normal_label(names["label"]), speaker, text, name, extra=extra)))
    for name in regex.groupindex:
        values = dict.fromkeys(getattr(clip, name) if name in levels.FIELDS else clip.extra[name] for _, clip in clips)
        notes.append(f"{name} from the pattern: {levels.shortened(list(values), 12)}")
    return clips


def one_spelling(clips, notes):
    """One name for each speaker: Anna and anna, 1, 01 and 1.0, composed and decomposed letters are one person.

    Parameters
    ----------
    clips : list of (Path, Clip)
    notes : list
        Gets a sentence for each person who had more than one name.

    Returns
    -------
    list of (Path, Clip); the commonest spelling stays.
    """
    spellings = {}
    for name, count in Counter(clip.speaker for _, clip in clips).items():
        spellings.setdefault(speaker_key(name), Counter())[name] += count
    chosen = {key: names.most_common(1)[0][0] for key, names in spellings.items()}
    for key, names in spellings.items():
        if len(names) > 1:
            notes.append(f"{' and '.join(map(one_line, names))} are one speaker, called {one_line(chosen[key])}")
    new = {name: chosen[key] for key, names in spellings.items() for name in names if name != chosen[key]}
    return [(path, replace(clip, speaker=new[clip.speaker]) if clip.speaker in new else clip) for path, clip in clips]


def speaker_key(name):
    """What two spellings of one person's name have in common.

    Examples
    --------
    >>> speaker_key("Anna_M") == speaker_key("anna m"), speaker_key("s01") == speaker_key("S1"), speaker_key("1.0")
    (True, True, '1')
    """
    name = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()
    name = re.sub(r"^(\d+)\.0+$", r"\1", name)
    return re.sub(r"\d+", lambda digits: str(int(digits[0])), name)


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
