"""Write an index for other tools: a CSV, an audformat database, a folder for Hugging Face."""

import json
import os
import shutil
from pathlib import Path

from serlib.corpora import tables
from serlib.utils import UNKNOWN, SerlibError, atomic_path, for_spreadsheets, ordered_labels, shown

#: What `write` can write.
FORMS = ("csv", "audformat", "hf")


def write(table, out, *, to="csv"):
    """Write an index for other tools.

    Parameters
    ----------
    table : pd.DataFrame
        From `serlib.index`.
    out : str or Path
        The CSV file (an index that is there is replaced, another file is not), or the folder of a database. Into a
        folder the recordings go, too: as hard links where the disk allows it, as copies otherwise.
    to : str
        - `csv`: the table, with the paths of the recordings.
        - `audformat`: `db.yaml` and `db.files.csv`, as `audformat.Database.load` reads them.
        - `hf`: `metadata.csv` beside the recordings, as `datasets.load_dataset("audiofolder", data_dir=...)` reads it.

    Returns
    -------
    Path, what was written
    """
    out = Path(out)
    if to not in FORMS:
        raise SerlibError(f"--to is '{to}'; choose one of {', '.join(FORMS)}")
    if to == "csv":
        if out.is_file() and not {"speech", "label", "digest"} <= set(tables.heading(out.read_bytes())):
            raise SerlibError(f"{shown(out)} exists already and is no index; name a new file")
        with atomic_path(out) as path:
            for_spreadsheets(table).to_csv(path, index=False)
        return out
    if os.path.exists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise SerlibError(f"{shown(out)} exists already; name a new folder")
    with atomic_path(out) as partial:
        files = _recordings(table, partial)
        (_audformat if to == "audformat" else _hugging_face)(table, files, partial)
    return out


def _recordings(table, folder):
    """Put the recordings below `audio`; their paths there, relative to the folder."""
    files = []
    for number, (speech, label) in enumerate(zip(table.speech, table.label, strict=True), 1):
        source = Path(speech)
        target = folder / "audio" / f"{number:06d}_{_plain(label)}_{_plain(source.stem)}{source.suffix.lower()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:
            shutil.copyfile(source, target)
        files.append(target.relative_to(folder).as_posix())
    return files


def _plain(text):
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in text)[:60]


def _columns(table, files, name):
    """The sheet of a database: file and label, and the other columns that bear none of the names for these."""
    taken = ("speech", "label", "digest", "role", "emotion", "file", "file_name")
    extras = [column for column in table.columns if column not in taken]
    sheet = table[extras].assign(**{name: files, "emotion": table.label})
    return sheet[[name, "emotion", *extras]].replace(UNKNOWN, "")


def _hugging_face(table, files, folder):
    sheet = _columns(table, files, "file_name").rename(columns={"emotion": "label"})
    sheet.to_csv(folder / "metadata.csv", index=False)


def _audformat(table, files, folder):
    sheet = _columns(table, files, "file")
    sheet.to_csv(folder / "db.files.csv", index=False)
    labels = ordered_labels(table.label)
    kinds = {"duration_s": "float", "rate_hz": "int"}
    schemes = {name: {"dtype": kinds.get(name, "str")} for name in sheet.columns if name not in ("file", "emotion")}
    schemes["emotion"] = {"dtype": "str", "labels": labels}
    columns = {name: {"scheme_id": name} for name in sheet.columns if name != "file"}
    database = {
        "name": "-".join(dict.fromkeys(table.corpus)),
        "source": "serlib index",
        "usage": "unrestricted" if set(table.corpus) == {"folder"} else "research",
        "languages": [],
        "schemes": schemes,
        "tables": {"files": {"type": "filewise", "columns": columns}},
    }
    # Every JSON text is YAML, too.
    (folder / "db.yaml").write_text(json.dumps(database, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
