"""From a folder of sound files to the table that everything else starts from."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
from natsort import natsorted

from serlib.corpora import index_cache
from serlib.corpora.corpus import Reading, natural, printable, rejection, walk, without_copy_mark
from serlib.corpora.registry import entry, find, misfit, refuse_known
from serlib.corpora.words import normal_label
from serlib.utils import HEADINGS, SerlibError, one_line, one_name, ordered_labels, same_person

#: Columns of the index and their types.
COLUMNS = {
    **dict.fromkeys(("speech", "label", "speaker", "text", "corpus"), str),
    **{"duration_s": float, "rate_hz": int, "digest": str},
}

#: Formats without loss, which are used where the same recording lies beside them in another one.
UNCOMPRESSED = (".wav", ".flac", ".aiff", ".aif", ".w64", ".caf", ".au")
#: Codecs lengthen a recording by less than this.
SAME_S = 0.2
#: At most so many missing clips are named one by one.
MISSING_NAMED = 100


def index(corpus, folder=None, *, duplicates="drop", show=None, **reading):
    """Make the table of a corpus's clips.

    Every file is read once; a later index opens only files that are new or were written to since
    (`serlib.corpora.index_cache`). A file that cannot be used is listed with the reason; the rest goes on.

    Parameters
    ----------
    corpus : str or list of str
        Names in `CORPORA`.
    folder : str, Path or list of them, optional
        Where the corpus is, one folder for each name; default: `find(corpus)`.
    duplicates : str
        `drop`: of several files with the same bytes, the first in the order of the table stays. A copy that claims
        another label, speaker or text, and a second recording under the name of a clip, are rejected. Two clips that
        the corpus lists by name stay, and are reported in `repaired` (RAVDESS has such a pair). `keep`: all stay.
    show : bool, optional
        Progress bar.
    reading
        How own recordings shall be read, and other labels than their own: what `serlib.corpora.Reading` takes
        (pattern, label_level, columns, labels, drop, songs).

    Returns
    -------
    pd.DataFrame
        One row a clip with the columns `speech` (absolute path), `label`, `speaker`, `text`, `corpus`, `duration_s`,
        `rate_hz` and `digest` (BLAKE2b of the file's bytes, 32 hex digits), in natural order of the path that each
        clip should have in its corpus. More columns follow where a table or a pattern has more; `part` is the role of
        a given split. `attrs` holds, ready for JSON, `rejected` (list of {"file", "reason"}), `repaired` (list of
        {"file", "what"}), `duplicates` (how many copies were found), `missing` (names of clips that the corpus should
        have, or one line if they are many), `notes` (how the folders of own recordings were understood, a sentence
        each) and `dropped` (label -> clips left out on request).

    Raises
    ------
    SerlibError
        There is no such corpus or folder, the folder holds none of its clips, or own recordings can be understood in
        more than one way; the message says what to do.

    Examples
    --------
    >>> table = index("tess", "data/tess")  # doctest: +SKIP
    >>> table.attrs["missing"]  # doctest: +SKIP
    ['OAF_back_angry', 'YAF_beg_sad']

    Taught in notebooks/01_download.
    """
    if duplicates not in ("drop", "keep"):
        raise SerlibError(f"duplicates is '{duplicates}'; choose drop or keep")
    names = [corpus] if isinstance(corpus, str) else list(corpus)
    folders = [folder] if folder is None or isinstance(folder, str | os.PathLike) else list(folder)
    if folder is None:
        folders *= len(names)
    if not names or len(names) != len(folders):
        raise SerlibError(f"{len(names)} corpora and {len(folders)} folders were given; give a folder for each")
    try:
        reading = Reading(**reading)
    except TypeError as error:
        raise SerlibError(f"index: {error}; choose from {', '.join(Reading.__dataclass_fields__)}") from None
    for column in reading.columns:
        if column not in HEADINGS:
            raise SerlibError(f"--columns {column}=...: an index has no such column; choose from {', '.join(HEADINGS)}")
    places = [find(name) if place is None else Path(place) for name, place in zip(names, folders, strict=True)]
    rows = []
    attrs = {"rejected": [], "repaired": [], "duplicates": 0, "missing": [], "notes": [], "dropped": {}}
    earlier = {"bytes": {}, "names": {}}
    listings = [_clips(entry(name), place, attrs, reading) for name, place in zip(names, places, strict=True)]
    for name, place, clips in zip(names, places, _relabelled(listings, reading, attrs), strict=True):
        facts = list(index_cache.facts([path for path, _ in clips], place, desc=f"index {name}", show=show))
        rows += _rows(entry(name), clips, facts, attrs, earlier, keep=duplicates == "keep")
    if names.count("folder") > 1:  # Anna of one folder and anna of another are one person, as within a folder
        own = [row for row in rows if row["corpus"] == "folder"]
        spelling = one_name(row["speaker"] for row in own)
        attrs["notes"] += same_person(spelling)
        for row in own:
            row["speaker"] = spelling.get(row["speaker"], row["speaker"])
    attrs["notes"] += [f"dropped: {count} clips labelled {label}" for label, count in attrs["dropped"].items()]
    extras = {name: str for row in rows for name in row if name not in COLUMNS}
    table = pd.DataFrame(rows, columns=[*COLUMNS, *extras]).fillna(dict.fromkeys(extras, ""))
    table = table.astype({**COLUMNS, **extras})
    table.attrs = attrs
    return table


def _relabelled(listings, reading, attrs):
    """Listings of (path, clip) under the labels of a Reading; those that it drops are counted in attrs."""
    new = {normal_label(old): label for label, olds in reading.labels.items() for old in _listed(olds)}
    drop = {normal_label(label) for label in _listed(reading.drop)}
    original = {clip.label for clips in listings for _, clip in clips}
    labels = original | {new[label] for label in original if label in new}
    for label in labels & set(new.values()):
        normal = normal_label(label)
        if label != normal and normal in labels - set(new) - drop:
            raise SerlibError(f"'{label}' and '{normal}' would be two labels; write {normal}")
    unknown = natsorted((set(new) | drop) - labels)
    if unknown:
        there = ", ".join(ordered_labels(original)) or "none"
        raise SerlibError(f"No clip has the label '{unknown[0]}'; the labels are {there}")
    relabelled = []
    for clips in listings:
        stay = []
        for path, clip in clips:
            label = new.get(clip.label, clip.label)
            if {clip.label, label} & drop:
                attrs["dropped"][label] = attrs["dropped"].get(label, 0) + 1
            else:
                stay.append((path, replace(clip, label=label)))
        relabelled.append(stay)
    return relabelled


def _listed(names):
    return names.split(",") if isinstance(names, str) else names


def expected(table):
    """What an index holds beside what its corpora should hold.

    Returns
    -------
    pd.DataFrame
        Columns `corpus`, `what` (clips, speakers, texts, then each label), `found`, `expected` (<NA> where any number
        is right).

    Taught in notebooks/01_download.
    """
    rows = []
    for name, part in table.groupby("corpus", sort=False):
        corpus = entry(name)
        rows += [
            (name, "clips", len(part), corpus.clips),
            (name, "speakers", part.speaker.nunique(), len(corpus.speakers) or None),
            (name, "texts", part.text.nunique(), corpus.texts),
        ]
        counts = part.label.value_counts()
        labels = [*corpus.labels, *(label for label in counts.index if label not in corpus.labels)]
        rows += [(name, label, int(counts.get(label, 0)), corpus.labels.get(label)) for label in labels]
    table = pd.DataFrame(rows, columns=["corpus", "what", "found", "expected"])
    return table.astype({"found": "Int64", "expected": "Int64"})


def _clips(corpus, place, attrs, reading):
    """The clips that a folder lists, not yet opened, in the order of the table."""
    rejected = attrs["rejected"]
    own = [name for name in ("pattern", "label_level", "columns") if getattr(reading, name)]
    if corpus.scan:
        if not own:
            refuse_known(place)
        before = len(rejected)
        clips = corpus.scan(place, rejected, attrs["notes"], reading)
        if not clips:
            bad = rejected[before:]
            raise SerlibError(_none_usable(place, bad) if bad else misfit(corpus, place))
    elif own:
        option = own[0].replace("_", "-")
        raise SerlibError(f"--{option} is for own recordings (folder); {corpus.name} has names of its own")
    else:
        clips = _scan(corpus, place, rejected, songs=reading.songs)
    attrs["missing"] += _missing(corpus, {clip.name for _, clip in clips})
    return sorted(clips, key=lambda pair: _order(*pair))


def _rows(corpus, clips, facts, attrs, earlier, *, keep):
    """Rows of one corpus; what was odd goes into attrs."""
    rejected = attrs["rejected"]
    listed = set(corpus.names()) if corpus.names else set()
    other_formats = _other_formats(clips, facts) if corpus.scan and not keep else {}
    rows = []
    for (path, clip), (digest, duration_s, rate_hz, fault, notes) in zip(clips, facts, strict=True):
        if path in other_formats:
            used = one_line(other_formats[path].name)
            rejected.append(rejection(path, f"is {used} in another format, which is used"))
            continue
        if fault:
            rejected.append(rejection(path, fault))
            continue
        verdict, remark = _compare(corpus, path, clip, digest, earlier, listed)
        attrs["duplicates"] += verdict == "copy"
        if verdict == "wrong" and not keep:
            rejected.append(rejection(path, remark))
            if earlier["bytes"][digest][1] is clip:  # what is not in the table has no copies
                del earlier["bytes"][digest]
        if verdict != "new" and not keep:
            continue
        if remark:
            notes = [remark, *notes]
        attrs["repaired"] += [{"file": printable(path), "what": note} for note in notes]
        extra = {name: value for name, value in clip.extra.items() if name not in COLUMNS}
        values = (str(path), clip.label, clip.speaker, clip.text, corpus.name, duration_s, rate_hz, digest)
        rows.append({**dict(zip(COLUMNS, values, strict=True)), **extra})
    return rows


def _other_formats(clips, facts):
    """Own recordings beside the same one in another format: path -> the one that is used, uncompressed first."""
    takes = {}
    for (path, clip), (_, duration_s, _, fault, _) in zip(clips, facts, strict=True):
        if not fault:
            take = (path.parent, path.stem.casefold(), clip.label, clip.speaker, clip.text)
            takes.setdefault(take, []).append((path, duration_s))
    doubles = {}
    for files in takes.values():
        best, length_s = min(files, key=lambda file: file[0].suffix.lower() not in UNCOMPRESSED)
        for path, duration_s in files:
            if path.suffix.lower() != best.suffix.lower() and abs(duration_s - length_s) < SAME_S:
                doubles[path] = best
    return doubles


def _compare(corpus, path, clip, digest, earlier, listed):
    """What a clip is beside those before it: new, copy or wrong, and a remark on it."""
    first, other = earlier["bytes"].setdefault(digest, (path, clip))
    if other is not clip:
        if (clip.label, clip.speaker, clip.text) != (other.label, other.speaker, other.text):
            says = f"{other.speaker} {other.label} {other.text}"
            if first == path and clip.origin:
                here = f"{other.origin} says {says}, {clip.origin} {clip.speaker} {clip.label} {clip.text}"
                return "wrong", f"is the same recording under two names: {here}; keep one of them"
            return "wrong", (
                f"({clip.speaker} {clip.label} {clip.text}) is the same recording as {printable(first)} ({says}); "
                "delete one of them"
            )
        if (corpus.name, clip.name) in earlier["names"] or not {clip.name, other.name} <= listed:
            return "copy", ""
    second, namesake = earlier["names"].setdefault((corpus.name, clip.name), (path, clip))
    if namesake is not clip and not corpus.scan:  # own recordings in two folders may well have the same names
        return "wrong", f"is another recording of {printable(second)}; delete one of them"
    if other is not clip:
        return "new", f"has the same bytes as {other.name}; stays, since {corpus.name} lists both"
    return "new", clip.repaired


def _scan(corpus, place, rejected, *, songs):
    """Sound files of a folder with what their names say; the others are rejected."""
    if songs and not corpus.song:
        raise SerlibError(f"{corpus.name} has no songs; leave out --songs")
    files = list(walk(place, rejected)) if os.path.isdir(place) else []
    clips = []
    others = []
    for path in files:
        clip = corpus.parse(path)
        if clip is None:
            name = without_copy_mark(path)
            clip = corpus.parse(name) or (corpus.song(name) if songs else None)
        if clip:
            clips.append((path, clip))
        else:
            others.append(path)
    if not clips:
        raise SerlibError(misfit(corpus, place, files))
    unlike = f"is not named like a clip of {corpus.name} ({corpus.example}); rename it or move it elsewhere"
    rejected += [rejection(path, corpus.refuse(path) or unlike) for path in others]
    if corpus.details:
        details = corpus.details(place)
        clips = [(path, replace(clip, **details.get(clip.name, {}))) for path, clip in clips]
        fault = f"has no label in the tables of {corpus.name}"
        rejected += [rejection(path, fault) for path, clip in clips if not clip.label]
        clips = [(path, clip) for path, clip in clips if clip.label]
    return clips


def _order(path, clip):
    """Place of a clip in the table: by its name; of several with one name, the one without a copy's mark first."""
    name = f"{clip.folder}/{clip.name}"
    return natural(name), name, without_copy_mark(path) != path, str(path)


def _none_usable(place, rejected):
    """The sentence for a folder or table of which nothing can be used, from what was rejected of it."""
    first = rejected[0]
    one = "1 file is" if len(rejected) == 1 else f"{len(rejected)} files are"
    return f"No recording in {printable(place)} can be used ({one} rejected): {first['file']} {first['reason']}"


def _missing(corpus, present):
    """Names of the clips that a corpus should have and that are not there; one line where they are many."""
    if corpus.names:
        missing = [name for name in corpus.names() if name not in present]
        if len(missing) < MISSING_NAMED:
            return missing
        return [f"{len(missing)} of {corpus.clips} clips of {corpus.name}"]
    if corpus.clips and len(present) < corpus.clips:
        return [f"{corpus.clips - len(present)} of {corpus.clips} clips of {corpus.name}"]
    return []
