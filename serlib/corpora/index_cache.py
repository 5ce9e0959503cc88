"""One look at each sound file: what it holds, whether it can be used; kept, so that the next index need not open it.

It is kept in one Parquet file a folder, in `index` below `data_dir()`, which may be deleted at any time. A file is the
one that was read if its path, its size and its times are the same. Only files that can be used are kept: a fault may be
mended outside.
"""

import contextlib
import hashlib
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

from serlib import audio
from serlib.utils import SerlibError, atomic_path, data_dir, progress, shown

#: Goes up whenever something else is read of a file, so that nothing that older code has read is used.
VERSION = "serlib index 1"

#: A file that was written less than this before it was read may be written again within the same tick of a clock.
TICK_NS = 2 * 10**9

COLUMNS = ("path", "size", "modified_ns", "changed_ns", "digest", "duration_s", "rate_hz", "notes")


def facts(paths, place, *, desc="", show=None):
    """Look at many files, those that are kept of the folder or table that lists them without opening them.

    Yields
    ------
    (digest, duration_s, rate_hz, fault, notes) for each path, in order; fault is None, or why it cannot be used, and
    notes say what is odd and was mended; each is the end of a sentence that begins with the file's name.
    """
    name = hashlib.blake2b(os.path.abspath(place).encode(errors="replace"), digest_size=16).hexdigest()
    file = data_dir() / "index" / f"{name}.parquet"
    now_ns = time.time_ns()
    stored = _load(file)
    stamps = [_stamp(path) for path in paths]
    unchanged = [stored.get(str(path), (None,))[:3] == stamp for path, stamp in zip(paths, stamps, strict=True)]
    others = [path for path, is_unchanged in zip(paths, unchanged, strict=True) if not is_unchanged]
    answers = _read_all(others, desc=desc, show=show)
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


def _read_all(paths, *, desc, show):
    facts_of = {}
    # Threads share the work, since hashing and decoding leave Python's lock.
    pool = ThreadPoolExecutor(max_workers=max(2, min(8, os.cpu_count() or 2)))
    try:
        answers = pool.map(lambda path: _read(path, facts_of), paths)
        yield from progress(answers, total=len(paths), desc=desc, unit="file", show=show)
    finally:
        pool.shutdown(cancel_futures=True)


def _read(path, facts_of):
    try:
        str(path).encode()
        if path.is_dir():
            why = "is a folder; name the recordings in it"
        elif not stat.S_ISREG(path.stat().st_mode):
            why = "is no ordinary file; move it away"
        else:
            with open(path, "rb", buffering=0) as file:
                digest = audio.file_digest(file)
                if digest not in facts_of:  # a copy of a file needs no second look
                    facts_of[digest] = _judge(file, path)
                return digest, *facts_of[digest]
    except FileNotFoundError:
        why = "does not exist; check its path"
        if path.is_symlink():
            why = "is a link that leads nowhere; bring back what it points to"
            if ".git/annex" in os.readlink(path):
                why = "is a git-annex link whose content is elsewhere; run `git annex get`"
    except UnicodeEncodeError:
        why = "has a name that is not UTF-8; rename it"
    except (OSError, ValueError) as error:  # ValueError: a table names a path with a zero byte
        why = f"cannot be read ({getattr(error, 'strerror', None) or error}); mend that"
    except Exception as error:  # whatever a decoder may come up with: one file does not stop the index
        why = f"cannot be decoded ({error}); download or copy it again"
    return "", 0.0, 0, why, []


def _judge(file, path):
    """(duration_s, rate_hz, fault, notes) of an open file."""
    try:
        return audio.survey(file, path)
    except SerlibError as error:
        return 0.0, 0, str(error).removeprefix(shown(path)).lstrip(", "), []
