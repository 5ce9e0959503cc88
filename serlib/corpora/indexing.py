"""From a folder of sound files to the table that everything else starts from."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from serlib.corpora.corpus import natural, printable, rejection, walk
from serlib.corpora.reading import read_all
from serlib.corpora.registry import entry, find, misfit
from serlib.utils import SerlibError

#: Columns of the index and their types.
COLUMNS = {
    "speech": str,
    "label": str,
    "speaker": str,
    "text": str,
    "corpus": str,
    "duration_s": float,
    "rate_hz": int,
    "digest": str,
}

#: At most so many missing clips are named one by one.
MISSING_NAMED = 100


def index(corpus, folder=None, *, duplicates="drop", show=None):
    """Make the table of a corpus's clips.

    Every file is read once: a digest of its bytes, its length, its rate, and whether it can be used. A file that
    cannot is listed with the reason; the rest goes on.

    Parameters
    ----------
    corpus : str or list of str
        Names in `CORPORA`.
    folder : str, Path or list of them, optional
        Where the corpus is, one folder for each name; default: `find(corpus)`.
    duplicates : str
        `drop`: of several files with the same bytes, the first in the order of the table stays. A copy that claims
        another label, speaker or text, and a second, different recording under the name of a clip that is there
        already, are rejected. Two clips that the corpus lists by name stay though their bytes are the same (RAVDESS
        has such a pair), and are reported in `repaired`. `keep`: all copies stay.
    show : bool, optional
        Progress bar.

    Returns
    -------
    pd.DataFrame
        One row a clip with the columns `speech` (absolute path), `label`, `speaker`, `text`, `corpus`, `duration_s`,
        `rate_hz` and `digest` (BLAKE2b of the file's bytes, 32 hex digits), sorted naturally by the path that each
        clip should have in its corpus: the same order however folders are called. `attrs` holds, ready for JSON,
        `rejected` (list of {"file", "reason"}), `repaired` (list of {"file", "what"}), `duplicates` (how many copies
        were found) and `missing` (names of clips that the corpus should have, or one line if they are many).

    Raises
    ------
    SerlibError
        There is no such corpus or folder, or the folder holds none of its clips; the message says what it holds.

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
    places = [find(name) if place is None else Path(place) for name, place in zip(names, folders, strict=True)]
    rows, attrs = [], {"rejected": [], "repaired": [], "duplicates": 0, "missing": []}
    seen = {"bytes": {}, "names": {}}
    for name, place in zip(names, places, strict=True):
        rows += _one(entry(name), place, attrs, seen, keep=duplicates == "keep", show=show)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    table.attrs = attrs
    return table


def expected(table):
    """What an index holds beside what its corpora should hold.

    Parameters
    ----------
    table : pd.DataFrame
        From `index`.

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


def _one(corpus, place, attrs, seen, *, keep, show):
    """Rows of one corpus; what was odd goes into attrs."""
    rejected = attrs["rejected"]
    clips = corpus.scan(place, rejected) if corpus.scan else _scan(corpus, place, rejected)
    if not clips and corpus.scan:
        raise SerlibError(misfit(corpus, place) if not rejected else _all_rejected(place, rejected))
    clips = sorted(clips, key=_order)
    listed = set(corpus.names()) if corpus.names else set()
    paths = [path for path, _ in clips]
    rows = []
    for (path, clip), facts in zip(clips, read_all(paths, desc=f"index {corpus.name}", show=show), strict=True):
        digest, duration_s, rate_hz, fault, notes = facts
        if fault:
            rejected.append(rejection(path, fault))
            continue
        verdict, remark = _compare(corpus, path, clip, digest, seen, listed)
        attrs["duplicates"] += verdict == "copy"
        if verdict == "wrong" and not keep:
            rejected.append(rejection(path, remark))
        if verdict != "new" and not keep:
            continue
        if remark:
            notes = [remark, *notes]
        attrs["repaired"] += [{"file": printable(path), "what": note} for note in notes]
        rows.append((str(path), clip.label, clip.speaker, clip.text, corpus.name, duration_s, rate_hz, digest))
    attrs["missing"] += _missing(corpus, {clip.name for _, clip in clips})
    return rows


def _compare(corpus, path, clip, digest, seen, listed):
    """What a clip is beside those before it: new, copy or wrong, and a remark on it."""
    first, other = seen["bytes"].setdefault(digest, (path, clip))
    if first is not path:
        if (clip.label, clip.speaker, clip.text) != (other.label, other.speaker, other.text):
            says = f"{other.speaker} {other.label} {other.text}"
            return "wrong", f"is the same recording as {printable(first)} ({says}); delete one of them"
        if (corpus.name, clip.name) in seen["names"] or not {clip.name, other.name} <= listed:
            return "copy", ""
    second = seen["names"].setdefault((corpus.name, clip.name), path)
    if second is not path and not corpus.scan:  # own recordings in two folders may well have the same names
        return "wrong", f"is another recording of {printable(second)}; delete one of them"
    if first is not path:
        return "new", f"has the same bytes as {other.name}; stays, since {corpus.name} lists both"
    return "new", clip.repaired


def _scan(corpus, place, rejected):
    """Sound files of a folder with what their names say; the others are rejected."""
    files = list(walk(place, rejected)) if place.is_dir() else []
    clips = [(path, clip) for path in files if (clip := corpus.parse(path))]
    if not clips:
        raise SerlibError(misfit(corpus, place, files))
    known = {path for path, _ in clips}
    if corpus.sentences:
        texts = corpus.sentences(place)
        clips = [(path, replace(clip, text=texts.get(clip.name, clip.text))) for path, clip in clips]
    unlike = f"is not named like a clip of {corpus.name} ({corpus.example}); rename it or move it elsewhere"
    rejected += [rejection(path, corpus.refuse(path) or unlike) for path in files if path not in known]
    return clips


def _order(pair):
    path, clip = pair
    return natural(f"{clip.folder}/{clip.name}"), natural(str(path)), str(path)


def _all_rejected(place, rejected):
    first = rejected[0]
    return f"No recording in {printable(place)} can be used: {first['file']} {first['reason']}"


def _missing(corpus, found):
    """Names of the clips that a corpus should have and that are not there; one line where they are many."""
    if corpus.names:
        missing = [name for name in corpus.names() if name not in found]
        if len(missing) < MISSING_NAMED:
            return missing
        return [f"{len(missing)} of {corpus.clips} clips of {corpus.name}"]
    if corpus.clips and len(found) < corpus.clips:
        return [f"{corpus.clips - len(found)} of {corpus.clips} clips of {corpus.name}"]
    return []
