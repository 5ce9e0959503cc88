"""Tables that list recordings: CSV of many makers, Hugging Face metadata and parquet, audformat, nkululeko."""

import csv
import hashlib
import io
import json
import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from natsort import natsorted

from serlib.corpora.corpus import AUDIO_SUFFIXES, Clip, is_dir, printable, rejection
from serlib.corpora.levels import of_one_person, role
from serlib.corpora.words import is_emotion, normal_label, spelling
from serlib.utils import FORMULA, HEADINGS, UNKNOWN, SerlibError, atomic_path, data_dir, missing, one_line

#: Tables that are looked for in a folder (and in its folders, one a part of the data set), in this order.
TABLES = ("index.csv", "metadata.csv", "metadata.jsonl")

#: What is no table for us, though people keep tables in it.
SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")

# Headings for where a part of a file begins and ends; `offset` is a beginning beside `duration` alone.
_START = ("start", "start_s", "start_sec", "start_time", "begin", "begin_time", "onset", "xmin", "tmin")
_END = ("end", "end_s", "end_sec", "end_time", "stop", "stop_time", "offset", "xmax", "tmax")
# Four letters beyond ASCII in a row are no Western language: Windows's Cyrillic, Greek, Chinese ... taken for Latin-1.
_NOT_LATIN = re.compile("[\x80-\xff]{4}")
# What people keep labels in that are times in a long recording, and what Kaldi keeps.
TRACKS = (".textgrid", ".eaf", ".lab", ".srt", ".vtt", ".rttm", ".ctm", ".antx", ".trs")
KALDI = ("wav.scp", "segments")
# Label Studio puts eight digits before the name of an upload, and a query before that of a file on its disk.
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
_FILE_URL = re.compile(r"^file:(//[^/]*)?", re.IGNORECASE)  # and the computer that it is on
_SEPARATORS = re.compile(r"[/\\]+|\?d=")
_TRACK = re.compile(r"\d+[.,]?\d*\t\d+[.,]?\d*\t")
_RATING = re.compile(r"-?\d+[.,]\d*[1-9]\d*")
_ZERO = re.compile(r"(0 days ?)?[0:.]*|nat|nan|none", re.IGNORECASE)


@dataclass
class Rows:
    """What one table holds.

    Attributes
    ----------
    table : Path
    heading : list of str
    lines : list of (int, dict)
        Line number and heading -> plain text; no cell is taken for a number, a formula or a missing value.
    part : str
        The role that its name or folder gives it (train/metadata.csv), "" where it gives none.
    """

    table: Path
    heading: list
    lines: list = field(default_factory=list)
    part: str = ""


def find(root):
    """The tables of a folder: its own, or one in each of its folders; [] where there is none.

    Parameters
    ----------
    root : Path

    Returns
    -------
    list of Path
    """
    if os.path.isfile(root / "db.yaml"):  # False for a folder that may not be read, which pathlib raises on
        return natsorted(path for path in root.glob("db.*") if path.suffix in (".csv", ".parquet"))
    for name in TABLES:
        places = [root / name] if os.path.isfile(root / name) else natsorted(root.glob(f"*/{name}"))
        if places:
            return places
    parquet = natsorted([*root.glob("*.parquet"), *root.glob("data/*.parquet")])
    return parquet or natsorted([*root.glob("data-*.arrow"), *root.glob("*/data-*.arrow")])


def is_table(path):
    """Whether a file is a table that `read` understands, by its suffix."""
    return path.suffix.lower() in (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".arrow")


def foreign(path):
    """What a file is that lists labels and cannot be read, and the mend: a sentence that lacks the name before it.

    "" where it is nothing of the kind.
    """
    name = path.name.lower()
    if name.endswith(SPREADSHEETS):
        return "is a spreadsheet; save it as CSV, and name that"
    if name.endswith(TRACKS) or (name.endswith(".txt") and _TRACK.match(_beginning(path))):
        return "is a label track of a long recording; cut that into a file for each label, one folder a label"
    if name in KALDI or re.fullmatch(r"(utt|spk)2\w+", name):
        return "is a list of Kaldi; write its lists as one CSV speech,label,speaker, and name that"
    return ""


def _beginning(path):
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(200))
    except OSError:
        return ""


def read(tables, rejected, notes, *, columns):
    """The clips that tables list.

    Parameters
    ----------
    tables : list of Path
    rejected, notes : list
        Get what cannot be used, and how the table was understood.
    columns : dict
        Column of the index -> heading, where the table has more than one for it.

    Returns
    -------
    list of (Path, Clip); None where no table has a column for the labels.

    Raises
    ------
    SerlibError
        A table cannot be read, lists nothing, or has two columns for one thing.
    """
    beside = len({path.parent for path in tables}) == 1
    parts = [re.split(r"[^a-z]+", (path.name if beside else path.parent.name).lower()) for path in tables]
    every = [word for words in parts for word in words]
    sheets = []
    for path, words in zip(tables, parts, strict=True):
        named = [role(word, every) for word in words]
        sheets.append(_sheet(path, part=next(filter(None, named), "")))
    audformat = (tables[0].parent / "db.yaml").is_file()
    sheets = _joined(sheets) if audformat else sheets
    clips = []
    labelled = False
    for sheet in sheets:
        headings = _columns(sheet, columns)
        if not {"speech", "label"} <= set(headings):
            continue
        labelled = True
        clips += _clips(sheet, headings, rejected, notes)
    return clips if labelled else None


def heading(data):
    """The columns that the first line of a comma-separated table names, from the bytes of its file."""
    return [cell.strip().lower() for cell in _decoded(data).split("\n", 1)[0].split(",")]


def refusal(table):
    """The sentence for a table without the columns that are needed."""
    sheet = _sheet(table)
    has = ", ".join(sheet.heading) or "none"
    chosen = _columns(sheet, {})
    others = [one_line(name) for name in sheet.heading if name not in chosen.values()]
    hint = ""
    blank = sum(not cell for cell in sheet.heading) > len(sheet.heading) / 2
    if blank or any(cell.lower().endswith(AUDIO_SUFFIXES) or re.fullmatch(r"[\d:.,]+", cell) for cell in sheet.heading):
        hint = "; its first line must name the columns"
    elif others:
        lacking = [column for column in ("speech", "label") if column not in chosen]
        hint = "; say which they are, such as " + " ".join(
            f"--columns {column}={name}" for column, name in zip(lacking, [others[0], "..."], strict=False)
        )
    return f"{printable(table)} has the columns {one_line(has)}; expected speech,label[,speaker,text]{hint}"


def _columns(sheet, columns):
    """Column of the index -> heading of the table."""
    twice = next((name for name, count in Counter(sheet.heading).items() if name and count > 1), None)
    if twice:
        raise SerlibError(f"{printable(sheet.table)} has two columns '{one_line(twice)}'; give one another name")
    names = {spelling(name).replace(" ", "_"): name for name in reversed(sheet.heading)}
    headings = {}
    for column, aliases in HEADINGS.items():
        if column in columns:
            if columns[column] not in sheet.heading:
                choices = ", ".join(sheet.heading)
                raise SerlibError(f"{printable(sheet.table)} has no column '{columns[column]}'; choose from {choices}")
            headings[column] = columns[column]
            continue
        present = [names[name] for name in aliases.split() if name in names]
        if len(present) > 1 and column in ("label", "speaker"):
            present = _not_the_same(sheet, column, present)
        if present:
            headings[column] = present[0]
    return headings


def _not_the_same(sheet, column, present):
    """Of several headings for one thing the readable one, where they say the same; else the user decides."""
    pairs = {tuple(row.get(name, "") for name in present) for _, row in sheet.lines}
    sizes = [len({pair[i] for pair in pairs}) for i in range(len(present))]
    if any(size != len(pairs) for size in sizes):
        both = " and ".join(one_line(name) for name in present)
        raise SerlibError(
            f"{printable(sheet.table)} has the columns {both}, which may both be the {column}; "
            f"say which: --columns {column}={one_line(present[0])}"
        )
    codes = [all(re.fullmatch(r"[\d.]*", pair[i]) for pair in pairs) for i in range(len(present))]
    return [name for name, code in zip(present, codes, strict=True) if not code] or present


def _clips(sheet, headings, rejected, notes):
    table = sheet.table
    extras = [name for name in sheet.heading if name not in headings.values() and name]
    parts = {row.get(headings.get("part"), "") for _, row in sheet.lines}
    clips = []
    cut = {row.get(headings["speech"], "") for _, row in sheet.lines if _is_segment(row)}
    moved = {}
    if not sheet.lines:
        raise SerlibError(f"{printable(table)} lists no recording; add a row speech,label for each")
    _check_text(sheet, headings["label"])
    folders = _folders_beside(table)
    for line, row in sheet.lines:
        speech = row.get(headings["speech"], "")
        label = row.get(headings["label"], "")
        if not speech:
            rejected.append(rejection(table, f"names no file in line {line}; fill it in"))
            continue
        if None in row:
            rejected.append(rejection(table, f"has {row[None]} in line {line}; put texts with commas into quotes"))
            continue
        path, fault = _locate(speech, table, folders)
        if not fault and missing(label):
            fault = f"has no label in line {line} of {table.name}; fill it in"
        felt = [word.strip() for word in re.split(r"[,;|/&+]", label) if is_emotion(word)]
        if not fault and len(felt) > 1:
            fault = f"has {len(felt)} labels in line {line} of {table.name} ({one_line(label)}); choose one"
        if not fault and speech in cut:
            fault = f"is cut by start and end in line {line} of {table.name}; cut it into files of its own"
        if fault:
            rejected.append(rejection(path, fault))
            continue
        if path != _direct(speech, table):
            moved.setdefault(path, []).append(speech)
        extra = {spelling(name).replace(" ", "_"): row.get(name, "") for name in extras}
        part = row.get(headings.get("part"), "")
        extra["part"] = (role(part, parts) or part) if part else sheet.part
        speaker, text = (row.get(headings.get(column), "") for column in ("speaker", "text"))
        clips.append(
            (
                path,
                Clip(
                    normal_label(label),
                    UNKNOWN if missing(speaker) else speaker,
                    UNKNOWN if missing(text) else text,
                    path.as_posix(),
                    origin=f"line {line} of {table.name}",
                    extra={name: value for name, value in extra.items() if value},
                ),
            )
        )
    sources = ", ".join(f"{column} from {one_line(name)}" for column, name in headings.items())
    notes.append(f"{table.name}: {sources}")
    alike = of_one_person(dict.fromkeys(clip.speaker for _, clip in clips))
    if alike:
        both = f"{one_line(alike[0])} and {one_line(alike[1])}"
        notes.append(f"{both} may be one speaker; if so, give them one name in {table.name}")
    if moved:
        count = sum(map(len, moved.values()))
        where = printable(table.parent)
        notes.append(f"{count} paths of {table.name} lead nowhere; the files were found below {where}")
    for path, paths in moved.items():
        if len(set(paths)) > 1:
            both = " and ".join(map(one_line, dict.fromkeys(paths)))
            rejected.append(rejection(path, f"may be any of {both} of {table.name}; write its path there"))
    return [(path, clip) for path, clip in clips if len(set(moved.get(path, ()))) < 2]


def _check_text(sheet, heading):
    """Raise a SerlibError where labels are ratings, or letters of an encoding that is not known."""
    labels = [row.get(heading, "") for _, row in sheet.lines]
    rating = next(filter(_RATING.fullmatch, labels), "")
    if rating:
        raise SerlibError(
            f"{printable(sheet.table)} holds ratings such as {rating} in the column {one_line(heading)}, where labels "
            "are expected; add a column with a label for each recording, such as low and high"
        )
    if any(map(_NOT_LATIN.search, labels)):
        raise SerlibError(
            f"{printable(sheet.table)} is not in UTF-8, so that its labels cannot be read; save it as UTF-8 (Excel: "
            "CSV UTF-8)"
        )


def _folders_beside(table):
    """The folders beside a table, in which its recordings may lie; none where they are many."""
    try:
        with os.scandir(table.parent) as entries:
            folders = [entry.path for entry in entries if entry.name[0] != "." and is_dir(entry)]
    except OSError:  # it may be entered, but not listed
        return []
    return [Path(folder) for folder in natsorted(folders)] if len(folders) <= 20 else []


def _is_segment(row):
    cells = {spelling(name).replace(" ", "_"): value for name, value in row.items() if name}
    start = next((cells[name] for name in _START if name in cells), None)
    if start is None and "duration" in cells:
        return not _ZERO.fullmatch(cells.get("offset", ""))
    return any(name in cells for name in (*_END, "duration")) and not _ZERO.fullmatch(start or "")


def _direct(speech, table):
    """The path that a row names."""
    if speech.lower().startswith("file://"):
        speech = unquote(_FILE_URL.sub("", speech))
    path = os.path.normpath(table.parent / os.path.expanduser(speech))
    if "\\" in speech and not os.path.lexists(path):  # written on Windows
        path = os.path.normpath(table.parent / speech.replace("\\", "/"))
    return Path(path)


def _locate(speech, table, folders):
    """Where the file of a row is, here or in one of the folders beside the table, and why it cannot be used ("")."""
    folder = table.parent
    outside = f"lies outside the folder of {table.name}; write its absolute path there"
    if re.match(r"(?!file:)[a-z][a-z0-9+]+://", speech, re.IGNORECASE):
        return folder / speech, f"is an address; download it and write its path into {table.name}"
    direct = _direct(speech, table)
    inside = re.match(r"/|~|file:|[a-z]:", speech, re.IGNORECASE) or direct.is_relative_to(folder)
    if os.path.lexists(direct):
        return direct, "" if inside else outside
    # A table of another computer or working folder: the longest end of the path that is there.
    pieces = [piece for piece in _SEPARATORS.split(unquote(_FILE_URL.sub("", speech))) if piece not in ("", ".", "..")]
    for i in range(len(pieces)):
        path = _as_spelled(folder, pieces[i:])
        if path:
            return path, ""
    paths = list(filter(None, (_as_spelled(place, pieces) for place in folders if pieces)))
    if len(paths) > 1:
        first, second = (one_line(path.parent.relative_to(folder).as_posix()) for path in paths[:2])
        return direct, f"lies in {first} and in {second}; write its folder into {table.name}"
    if paths:
        return paths[0], ""
    return direct, "" if inside else outside


def _as_spelled(folder, pieces):
    """A path below a folder as the disk spells it, with a suffix that a table leaves out; None where none is there."""
    path = folder.joinpath(*pieces)
    names = [path, *(path.with_name(path.name + suffix) for suffix in AUDIO_SUFFIXES if not path.suffix)]
    names += [path.with_name(_UPLOAD.sub("", path.name))] if _UPLOAD.match(path.name) else []
    if path.suffix:
        names += [path.with_suffix(path.suffix.lower()), path.with_suffix(path.suffix.upper())]
    for form in ("NFC", "NFD"):  # macOS writes a letter and its accent
        names.append(folder.joinpath(*(unicodedata.normalize(form, piece) for piece in pieces)))
    return next(filter(os.path.lexists, dict.fromkeys(names)), None)


def _sheet(path, *, part=""):
    if path.suffix.lower() in (".parquet", ".arrow"):
        return _from_parquet(path, part)
    try:
        content = _decoded(path.read_bytes())
    except OSError as error:
        raise SerlibError(f"{printable(path)} cannot be read ({error.strerror}); mend its permissions") from None
    sheet = _from_json(path, content) if path.suffix.lower() in (".json", ".jsonl") else _from_csv(path, content)
    sheet.part = part
    return sheet


def _from_csv(path, content):
    first = next((line for line in content.split("\n") if line.strip() and not line.startswith("#")), "")
    declared = re.fullmatch(r"sep=(.)", first.strip(), re.IGNORECASE)  # what Excel writes
    second = content.partition("sep=")[2].partition("\n")[2] if declared else ""
    separator = declared[1] if declared else max(",;\t|", key=first.count)
    reader = csv.reader(
        io.StringIO(second if declared else content, newline=""), delimiter=separator, skipinitialspace=True
    )
    rows = []
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            is_comment = cells and cells[0].startswith("#") and not cells[0].lower().endswith(AUDIO_SUFFIXES)
            if any(_swallows_lines(cell, separator) for cell in cells):
                line = rows[-1][0] + 1 if rows else 1
                raise SerlibError(
                    f"{printable(path)} has a quotation mark that is not closed from line {line} on; close it"
                )
            if any(cells) and not is_comment:
                rows.append((reader.line_num + bool(declared), cells))
    except csv.Error as error:
        raise SerlibError(f"{printable(path)} is no CSV in line {reader.line_num} ({error}); save it again") from None
    sheet = Rows(path, rows[0][1] if rows else [])
    for line, cells in rows[1:]:
        row = dict(zip(sheet.heading, map(_unquoted, cells), strict=False))
        if any(cells[len(sheet.heading) :]):
            row[None] = f"{len(cells)} cells where the first line has {len(sheet.heading)}"
        sheet.lines.append((line, row))
    return sheet


def _swallows_lines(cell, separator):
    """Whether further rows, known by the names of their files, lie within a cell whose quotation mark is not closed."""
    pieces = [piece for line in cell.splitlines()[1:] for piece in line.split(separator)]
    return any(piece.strip().lower().endswith(AUDIO_SUFFIXES) for piece in pieces)


def _from_json(path, content):
    sheet = Rows(path, [])
    rows = [(line, text) for line, text in enumerate(content.splitlines(), 1) if text.strip()]
    try:
        whole = json.loads(content)
    except (ValueError, RecursionError):
        whole = None
    objects = _objects(whole)
    if objects:
        rows = [(number, json.dumps(row)) for number, row in enumerate(objects, 1)]
    for line, text in rows:
        try:
            row = {str(name): _plain(value) for name, value in json.loads(text).items()}
        except (ValueError, AttributeError, RecursionError):
            raise SerlibError(f"{printable(path)} holds no JSON object in line {line}; save it again") from None
        sheet.heading += [name for name in row if name not in sheet.heading]
        sheet.lines.append((line, row))
    return sheet


def _objects(whole):
    """The objects of a JSON file that has not one a line: a list, a list under a name, an object for each recording."""
    if isinstance(whole, list):
        return whole
    if not isinstance(whole, dict) or not whole:
        return []
    values = list(whole.values())
    lists = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(lists) == 1:  # {"info": {...}, "clips": [{...}, {...}]}
        return lists[0]
    if all(isinstance(value, dict) for value in values):  # {"1.wav": {"label": "happy"}, ...}
        return [{"file": name, **value} for name, value in whole.items()]
    if all(name.lower().endswith(AUDIO_SUFFIXES) for name in whole):  # {"1.wav": "happy", ...}
        return [{"file": name, "label": value} for name, value in whole.items()]
    return []


def _plain(value):
    """A value of JSON as text; of a sound, which data sets write as an object, its path."""
    if isinstance(value, dict):
        value = value.get("path") or value
    return "" if value is None else str(value)


def _from_parquet(path, part):
    """Rows of a file of Parquet, or of Arrow as `datasets` saves it; sounds inside are written into `data/parquet`."""
    from pyarrow import ipc, parquet

    try:
        if path.suffix.lower() == ".arrow":
            table = ipc.open_stream(path.read_bytes()).read_all()
            batches = table.to_batches(max_chunksize=256)
            schema = table.schema
        else:
            table = parquet.ParquetFile(path)
            batches = table.iter_batches(batch_size=256)
            schema = table.schema_arrow
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise SerlibError(f"{printable(path)} is no {path.suffix[1:]} file ({error}); download it again") from None
    features = features.get("info", {}).get("features", {})
    place = data_dir() / "parquet" / f"{path.stem}-{hashlib.blake2b(str(path).encode(), digest_size=4).hexdigest()}"
    sheet = Rows(path, [field.name for field in schema], part=part)
    for batch in batches:
        for row in batch.to_pylist():
            number = len(sheet.lines) + 1
            cells = {}
            for name, value in row.items():
                names = features.get(name, {}).get("names") if isinstance(features.get(name), dict) else None
                if isinstance(value, dict) and "bytes" in value:
                    value = _sound_file(place, number, value)
                elif names and isinstance(value, int):  # -1 is no label
                    value = names[value] if 0 <= value < len(names) else None
                cells[name] = "" if value is None else str(value).strip()
            sheet.lines.append((number, cells))
    return sheet


def _sound_file(place, number, sound):
    name = Path(sound.get("path") or "clip.wav").name[-50:]  # with a number before it, it must fit into 255 bytes
    path = place / f"{number:06d}-{name}"
    data = sound["bytes"]
    if data is None:
        return sound.get("path") or ""
    if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
        with atomic_path(path) as partial:
            partial.write_bytes(data)
    return str(path)


def _joined(sheets):
    """The tables of an audformat database as one: what they say of each file, side by side."""
    rows = {}
    heading = []
    for sheet in sheets:
        if "file" not in sheet.heading:
            continue
        heading += [name for name in sheet.heading if name not in heading]
        for _, row in sheet.lines:
            cells = rows.setdefault(row.get("file", ""), {"part": ""})
            cells.update({name: value for name, value in row.items() if value})
            cells["part"] = cells["part"] or sheet.part
    joined = Rows(sheets[0].table.with_name("db.yaml"), [*heading, *(["part"] if "part" not in heading else [])])
    joined.lines = list(enumerate(rows.values(), 1))
    return [joined]


def _unquoted(cell):
    """Without a pair of ' around it, or the one that keeps a spreadsheet from running a text (`for_spreadsheets`)."""
    if len(cell) > 1 and cell[0] == cell[-1] == "'":
        return cell[1:-1]
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def _decoded(data):
    """Text of a file that says nothing of its encoding: UTF-8, UTF-16 where it begins so, else Latin-1."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[1:2] == b"\0":
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
