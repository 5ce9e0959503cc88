"""Tables that list recordings: CSV of many makers, Hugging Face metadata and parquet, audformat, nkululeko."""

import csv
import functools
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

from serlib.corpora.corpus import AUDIO_SUFFIXES, Clip, or_unknown, printable, rejection, walk
from serlib.corpora.levels import of_one_person, role
from serlib.corpora.words import is_emotion, normal_label, spelling
from serlib.utils import FORMULA, HEADINGS, SerlibError, atomic_path, data_dir, missing, one_line

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
# Where recordings are looked for that a table names by other paths, no more entries than these are looked at.
_LOOK = 1_000_000
_TRACK = re.compile(r"\d+[.,]?\d*\t\d+[.,]?\d*\t")
_RATING = re.compile(r"-?\d+[.,]\d*[1-9]\d*")
_ZERO = re.compile(r"(0 days ?)?[0:.]*|nat|nan|none", re.IGNORECASE)


@dataclass
class Rows:
    """What one table holds."""

    table: Path
    heading: list
    lines: list = field(default_factory=list)  # (line number, heading -> text); no cell is taken for a number or NaN
    part: str = ""  # the role that its name or folder gives it (train/metadata.csv)


def find(root):
    """The tables of a folder: its own, or one in each of its folders; [] where there is none."""
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
    """The end of a sentence: what a file is that lists labels and cannot be read, and the mend; "" for other files."""
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
    """The (Path, Clip) that tables list; None where no table has a column for the labels.

    The lists get what cannot be used, and how the tables were understood; `columns` as in `Reading`.
    """
    beside = len({path.parent for path in tables}) == 1
    places = [re.split(r"[^a-z]+", (path.name if beside else path.parent.name).lower()) for path in tables]
    every = [word for words in places for word in words]
    sheets = []
    for path, words in zip(tables, places, strict=True):
        sheet = _sheet(path)
        sheet.part = next(filter(None, (role(word, every) for word in words)), "")
        sheets.append(sheet)
    if (tables[0].parent / "db.yaml").is_file():
        sheets = [_joined(sheets)]
    clips = None
    for sheet in sheets:
        headings = _columns(sheet, columns)
        if {"speech", "label"} <= set(headings):
            clips = (clips or []) + _clips(sheet, headings, rejected, notes)
    return clips


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
    if not sheet.lines:
        raise SerlibError(f"{printable(table)} lists no recording; add a row speech,label for each")
    _check_text(sheet, headings["label"])
    extras = [name for name in sheet.heading if name not in headings.values() and name]
    parts = {row.get(headings.get("part"), "") for _, row in sheet.lines}
    cut = {row.get(headings["speech"], "") for _, row in sheet.lines if _is_segment(row)}
    recordings = functools.cache(lambda: _recordings(table.parent))
    clips = []
    moved = {}
    for line, row in sheet.lines:
        speech = row.get(headings["speech"], "")
        label = row.get(headings["label"], "")
        if not speech:
            rejected.append(rejection(table, f"names no file in line {line}; fill it in"))
            continue
        if None in row:
            rejected.append(rejection(table, f"has {row[None]} in line {line}; put texts with commas into quotes"))
            continue
        origin = f"line {line} of {table.name}"
        path, fault = _locate(speech, table, recordings)
        emotions = [word for word in re.split(r"[,;|/&+]", label) if is_emotion(word)]
        if not fault and missing(label):
            fault = f"has no label in {origin}; fill it in"
        elif not fault and len(emotions) > 1:
            fault = f"has {len(emotions)} labels in {origin} ({one_line(label)}); choose one"
        elif not fault and speech in cut:
            fault = f"is cut by start and end in {origin}; cut it into files of its own"
        if fault:
            rejected.append(rejection(path, fault))
            continue
        if path != _direct(speech, table):
            moved.setdefault(path, Counter())[speech] += 1
        extra = {spelling(name).replace(" ", "_"): row.get(name, "") for name in extras}
        part = row.get(headings.get("part"), "")
        extra["part"] = (role(part, parts) or part) if part else sheet.part
        extra = {name: value for name, value in extra.items() if value}
        speaker, text = (or_unknown(row.get(headings.get(column), "")) for column in ("speaker", "text"))
        clips.append((path, Clip(normal_label(label), speaker, text, path.as_posix(), origin=origin, extra=extra)))
    sources = ", ".join(f"{column} from {one_line(name)}" for column, name in headings.items())
    notes.append(f"{table.name}: {sources}")
    alike = of_one_person(dict.fromkeys(clip.speaker for _, clip in clips))
    if alike:
        both = f"{one_line(alike[0])} and {one_line(alike[1])}"
        notes.append(f"{both} may be one speaker; if so, give them one name in {table.name}")
    if moved:
        count = sum(map(Counter.total, moved.values()))
        where = printable(table.parent)
        notes.append(f"{count} paths of {table.name} lead nowhere; the files were found below {where}")
    ambiguous = {path: paths for path, paths in moved.items() if len(paths) > 1}
    for path, paths in ambiguous.items():
        any_of = " and ".join(map(one_line, paths))
        rejected.append(rejection(path, f"may be any of {any_of} of {table.name}; write its path there"))
    return [(path, clip) for path, clip in clips if path not in ambiguous]


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


def _locate(speech, table, recordings):
    """Where the file of a row is, and why it cannot be used ("").

    Where its path leads nowhere, as in a table of another computer, that recording below the table's folder is taken
    whose path is the end of the row's, or ends with all of it.
    """
    folder = table.parent
    if re.match(r"(?!file:)[a-z][a-z0-9+]+://", speech, re.IGNORECASE):
        return folder / speech, f"is an address; download it and write its path into {table.name}"
    direct = _direct(speech, table)
    inside = re.match(r"/|~|file:|[a-z]:", speech, re.IGNORECASE) or direct.is_relative_to(folder)
    outside = "" if inside else f"lies outside the folder of {table.name}; write its absolute path there"
    if os.path.lexists(direct):
        return direct, outside
    *above, name = _pieces(unquote(_FILE_URL.sub("", speech))) or [""]
    files = [file for spelled in dict.fromkeys((name, _UPLOAD.sub("", name))) for file in recordings().get(spelled, ())]
    ends = [file for file in files if _ends_with(above, file[1])]
    if ends:
        return max(ends, key=lambda file: len(file[1]))[0], ""
    paths = [path for path, folders in files if _ends_with(folders, above)]
    if len(paths) > 1:
        first, second = (one_line(path.parent.relative_to(folder).as_posix()) for path in paths[:2])
        return direct, f"lies in {first} and in {second}; write its folder into {table.name}"
    return (paths[0], "") if paths else (direct, outside)


def _recordings(folder):
    """Name of each recording below a folder, with and without its suffix -> (path, pieces of its folder) of each."""
    recordings = {}
    for path in walk(folder, [], limit=_LOOK):
        *folders, name = _pieces(path.relative_to(folder).as_posix())
        for spelled in {name, os.path.splitext(name)[0]}:
            recordings.setdefault(spelled, []).append((path, folders))
    return recordings


def _pieces(path):
    """Folders and name of a path, in one spelling of their letters."""
    pieces = _SEPARATORS.split(unicodedata.normalize("NFC", path).casefold())
    return [piece for piece in pieces if piece not in ("", ".", "..")]


def _ends_with(pieces, end):
    return pieces[len(pieces) - len(end) :] == end


def _sheet(path):
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".arrow"):
        return _from_parquet(path)
    try:
        content = _decoded(path.read_bytes())
    except OSError as error:
        raise SerlibError(f"{printable(path)} cannot be read ({error.strerror}); mend its permissions") from None
    return _from_json(path, content) if suffix in (".json", ".jsonl") else _from_csv(path, content)


def _from_csv(path, content):
    declared = re.match(r"\s*sep=(.)\s*\n", content, re.IGNORECASE)  # what Excel writes
    skipped = declared[0].count("\n") if declared else 0
    content = content[declared.end() :] if declared else content
    first = next((line for line in content.split("\n") if line.strip() and not line.startswith("#")), "")
    separator = declared[1] if declared else max(",;\t|", key=first.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, skipinitialspace=True)
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
                rows.append((reader.line_num + skipped, cells))
    except csv.Error as error:
        line = reader.line_num + skipped
        raise SerlibError(f"{printable(path)} is no CSV in line {line} ({error}); save it again") from None
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
    try:
        objects = _objects(json.loads(content))
    except (ValueError, RecursionError):
        objects = []
    sheet = Rows(path, [])
    for number, row in enumerate(objects or content.splitlines(), 1):
        if not objects and not row.strip():
            continue
        try:
            row = row if objects else json.loads(row)
            row = {str(name): _plain(value) for name, value in row.items()}
        except (ValueError, AttributeError, RecursionError):
            raise SerlibError(f"{printable(path)} holds no JSON object in line {number}; save it again") from None
        sheet.heading += [name for name in row if name not in sheet.heading]
        sheet.lines.append((number, row))
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


def _from_parquet(path):
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
    sheet = Rows(path, [field.name for field in schema])
    names = {name: kind.get("names") for name, kind in features.items() if isinstance(kind, dict)}
    for number, row in enumerate((row for batch in batches for row in batch.to_pylist()), 1):
        cells = {}
        for name, value in row.items():
            if isinstance(value, dict) and "bytes" in value:
                value = _sound_file(place, number, value)
            elif names.get(name) and isinstance(value, int):  # -1 is no label
                value = names[name][value] if 0 <= value < len(names[name]) else None
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
    """The tables of an audformat database as one."""
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
    return joined


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
