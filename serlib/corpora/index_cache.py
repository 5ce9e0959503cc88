"""What was read of each sound file, kept in a Parquet file, so that an index of the same files need not open them.

One file a folder, in `index` below `data_dir()`; it may be deleted at any time. A file is the one that was read if its
path, its size and its times are the same. Only files that can be used are kept: a fault may be mended outside.
"""

import contextlib
import hashlib
import os
import time

from serlib.corpora.reading import read_all
from serlib.utils import SerlibError, atomic_path, data_dir

#: Goes up whenever something else is read of a file, so that nothing that older code has read is used.
VERSION = "serlib index 1"

#: A file that was written less than this before it was read may be written again within the same tick of a clock.
TICK_NS = 2 * 10**9

COLUMNS = ("path", "size", "modified_ns", "changed_ns", "digest", "duration_s", "rate_hz", "notes")


def facts(paths, place, *, desc="", show=None):
    """The same as `reading.read_all`, but opens only what is not kept of the folder or table that lists the paths."""
    name = hashlib.blake2b(os.path.abspath(place).encode(errors="replace"), digest_size=16).hexdigest()
    file = data_dir() / "index" / f"{name}.parquet"
    now_ns = time.time_ns()
    stored = _load(file)
    stamps = [_stamp(path) for path in paths]
    unchanged = [stored.get(str(path), (None,))[:3] == stamp for path, stamp in zip(paths, stamps, strict=True)]
    others = [path for path, is_unchanged in zip(paths, unchanged, strict=True) if not is_unchanged]
    answers = read_all(others, desc=desc, show=show)
    keep = {}
    for path, stamp, is_unchanged in zip(paths, stamps, unchanged, strict=True):
        name = str(path)
        if is_unchanged:
            keep[name] = stored[name]
            *_, digest, duration_s, rate_hz, notes = stored[name]
            yield digest, duration_s, rate_hz, None, notes.splitlines()
            continue
        digest, duration_s, rate_hz, fault, notes = next(answers)
        if stamp and not fault and max(stamp[1:]) < now_ns - TICK_NS:
            keep[name] = (*stamp, digest, duration_s, rate_hz, "\n".join(notes))
        yield digest, duration_s, rate_hz, fault, notes
    if keep != stored:
        with contextlib.suppress(OSError, SerlibError):  # nothing can be written there: the next index reads again
            _save(file, keep)


def _stamp(path):
    """Size and times of a file; None where it cannot be asked, or has a name that Parquet cannot hold."""
    try:
        str(path).encode()
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _schema():
    import pyarrow as pa

    types = (pa.string(), *[pa.int64()] * 3, pa.string(), pa.float64(), pa.int64(), pa.string())
    return pa.schema(list(zip(COLUMNS, types, strict=True)), metadata={"version": VERSION})


def _load(file):
    """path -> the other columns; nothing where the file is missing, damaged, or of another version."""
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as source:  # read_table would first import what reads whole data sets
            table = source.read()
    except Exception:  # Arrow has many types for a damaged file
        return {}
    if not table.schema.equals(_schema(), check_metadata=True):
        return {}
    path, *others = (column.to_pylist() for column in table.columns)
    return dict(zip(path, zip(*others, strict=True), strict=True))


def _save(file, keep):
    import pyarrow as pa
    from pyarrow import parquet

    rows = [dict(zip(COLUMNS, (path, *values), strict=True)) for path, values in keep.items()]
    with atomic_path(file) as partial:
        parquet.write_table(pa.Table.from_pylist(rows, schema=_schema()), partial)
