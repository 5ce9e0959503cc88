"""Own recordings: one folder a label, or a table `speech,label[,speaker,text]`."""

import csv
import io
import os
from collections import Counter
from pathlib import Path

from serlib.corpora.corpus import Clip, Corpus, normal_label, printable, rejection, walk
from serlib.utils import FORMULA, LABELS, UNKNOWN, SerlibError

#: Tables that are looked for in the folder, in this order.
TABLES = ("index.csv", "metadata.csv")

#: Other headings for the columns of a table.
COLUMNS = {"path": "speech", "file": "speech", "filename": "speech", "wav": "speech", "emotion": "label"}

# Folders that part a collection by something else than who speaks.
_NO_SPEAKERS = ("train", "training", "test", "testing", "val", "valid", "validation", "dev", "wav", "audio", "data")


def scan(root, rejected):
    """List own recordings with their labels.

    A table (`index.csv` or `metadata.csv` in the folder, or any CSV given as `root`) comes first; its relative paths
    start at its own folder and must stay inside; absolute paths are taken as they are. Without a table the folders
    say it: `label/clip.wav`, `label/speaker/clip.wav` or `speaker/label/clip.wav`, where the level that holds most of
    the words in `LABELS` (or their synonyms) is the label. Other labels are kept, in lower case.

    A split by speaker needs speakers: a column `speaker`, or a folder for each.

    Parameters
    ----------
    root : Path
        A folder or a CSV file.
    rejected : list
        Gets {"file", "reason"} for what cannot be used.

    Returns
    -------
    list of (Path, Clip)

    Raises
    ------
    SerlibError
        There is no such folder, or the table lacks a column.

    Taught in notebooks/01_download.
    """
    root = Path(os.path.abspath(root))
    if os.path.isfile(root) and root.suffix.lower() in (".csv", ".tsv", ".txt"):
        return _from_table(root, rejected)
    if not os.path.isdir(root):
        what = "is no folder and no CSV file" if os.path.exists(root) else "does not exist"
        raise SerlibError(f"{printable(root)} {what}; expected recordings, one folder a label, or a CSV speech,label")
    for name in TABLES:
        if os.path.isfile(root / name):
            return _from_table(root / name, rejected)
    return _from_folders(root, rejected)


def parse(path):
    """Label of one recording: the name of its folder (`scan` knows better, since it sees them all)."""
    label = normal_label(path.parent.name)
    return Clip(label, UNKNOWN, UNKNOWN, path.stem) if label else None


def _from_folders(root, rejected):
    files = [(path, path.relative_to(root).parts[:-1]) for path in walk(root, rejected)]
    known = Counter(i for _, parts in files for i, part in enumerate(parts) if normal_label(part) in LABELS)
    level = max(known, key=lambda i: (known[i], -i), default=0)
    found = []
    for path, parts in files:
        label = normal_label(parts[level]) if level < len(parts) else ""
        if not label:
            rejected.append(rejection(path, "lies in no folder that names its label; move it into one"))
            continue
        beside = parts[level + 1 : level + 2] or parts[:level][-1:]
        speaker = next((part for part in beside if part.lower() not in _NO_SPEAKERS), UNKNOWN)
        found.append((path, Clip(label, speaker, UNKNOWN, path.relative_to(root).as_posix())))
    return found


def _from_table(table, rejected):
    found = []
    for line, row in _rows(table):
        speech, label = row.get("speech") or "", normal_label(row.get("label") or "")
        if "\\" in speech and not os.path.lexists(table.parent / speech):
            speech = speech.replace("\\", "/")  # a table written on Windows
        path = Path(os.path.normpath(table.parent / speech))
        if not speech.strip():
            rejected.append(rejection(table, f"names no file in line {line}; fill it in"))
        elif not label:
            rejected.append(rejection(path, f"has no label in line {line} of {table.name}; fill it in"))
        elif not os.path.isabs(speech) and not path.is_relative_to(table.parent):
            rejected.append(rejection(path, f"lies outside the folder of {table.name}; write its absolute path there"))
        else:
            speaker, text = ((row.get(column) or "").strip() or UNKNOWN for column in ("speaker", "text"))
            found.append((path, Clip(label, speaker, text, path.as_posix())))
    return found


def _rows(table):
    """(line, dict of plain text) for each row of a CSV: no cell is taken for a number, a formula or a missing value."""
    try:
        data = table.read_bytes()
    except OSError as error:
        raise SerlibError(f"{printable(table)} cannot be read ({error.strerror}); mend its permissions") from None
    content = _decoded(data)
    separator = max(",;\t", key=content.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        heading = next(reader, [])
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise SerlibError(f"{printable(table)} is no CSV in line {reader.line_num} ({error}); save it again") from None
    columns = [COLUMNS.get(cell.strip().lower(), cell.strip().lower()) for cell in heading]
    if not {"speech", "label"} <= set(columns):
        has = ", ".join(heading) or "none"
        raise SerlibError(f"{printable(table)} has the columns {has}; expected speech,label[,speaker,text]")
    if not lines:
        raise SerlibError(f"{printable(table)} lists no recording; add a row speech,label for each")
    return [(line, dict(zip(columns, map(_unquoted, cells), strict=False))) for line, cells in lines]


def heading(data):
    """The columns that the first line of a comma-separated table names.

    Parameters
    ----------
    data : bytes
        Of its file.

    Returns
    -------
    list of str
    """
    return [cell.strip().lower() for cell in _decoded(data).split("\n", 1)[0].split(",")]


def _unquoted(cell):
    """Without the ' that keeps a spreadsheet from running a text (`serlib.utils.for_spreadsheets`)."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def _decoded(data):
    """Text of a file that says nothing of its encoding: UTF-8, UTF-16 where it begins so, else Latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


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
