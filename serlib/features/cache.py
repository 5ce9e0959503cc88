"""Rows of numbers computed in parallel straight into a memory-mapped file: cached, resumable, safe to run twice.

Knows nothing of audio: `fill` is given a function and what to call it with. A cache is a folder

    <key>/values.npy  lengths.npy  header.json            finished: renamed here in one step
    .<key>.partial/values.npy  lengths.npy  done/<chunk>  on its way: done/ holds a checksum of each finished chunk

Several processes may work on one cache at once: who comes to a chunk that another one computes waits for it, and goes
on with the next. The lock goes with its process, so a killed one leaves none behind, and nothing depends on it: a row
has the same bytes whoever computes it, a mark is only believed where the checksum of the rows agrees, and who is first
renames the folder.
"""

import contextlib
import glob
import hashlib
import json
import os
import shutil
import threading
import time
import uuid
from pathlib import Path

import numpy as np

from serlib.utils import NO_SPACE, SerlibError, disk_fault, progress, shown

#: Rows that a worker computes between two marks. Small enough that a kill costs less than a second.
CHUNK = 32
NAMES = ("values.npy", "lengths.npy")
#: Seconds to wait for a chunk that another process computes. It may be stopped, and then holds its lock for ever.
PATIENCE_S = 300
# numpy parses the head of a file with Python's own parser, which Python 3.11 must not run in two threads at once
# (https://github.com/python/cpython/issues/106905).
_PARSER = threading.Lock()


def fill(function, tasks, shape, folder, header, *, jobs=None, show=None, desc="rows"):
    """Compute `function(*task)` for every task, or load what was computed before.

    Parameters
    ----------
    function : callable
        Returns a row, float32, and its length; the row may be shorter than `shape` along its first axis and is then
        padded with zeros. May raise SerlibError: the others are finished nevertheless. Must be picklable for
        backends other than threads.
    tasks : sequence of tuple
        Sliceable; one task a row.
    shape : callable
        Returns the shape of a row, padded. Asked only when there is something to compute.
    folder : Path
        Where the finished cache stands or shall stand.
    header : dict
        Plain values that say what the rows are; a cache with another header is rebuilt.
    jobs : int, optional
        Workers; default: all cores, or all workers of the backend that `joblib.parallel_config` chose.

    Returns
    -------
    values : np.memmap [shape=(rows, *shape)], float32, read-only
    lengths : np.ndarray [shape=(rows,)], int32

    Raises
    ------
    SerlibError
        Some rows could not be computed. What is done is kept, and the next call goes on from there.
    """
    folder, header = Path(folder), {**header, "rows": len(tasks)}
    lost = None
    for _ in range(3):
        finished = _finished(folder, header)
        if finished:
            return finished
        # Another process may finish first and rename the folder that this one writes to: then look again.
        try:
            partial = _partial(folder, header, shape)
            faults = _work(function, tasks, partial, jobs, show, desc)
            if faults:
                more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
                raise SerlibError(faults[0] + more)
            _publish(partial, folder)
        except FileNotFoundError as error:
            lost = error
        except OSError as error:
            raise disk_fault(OSError(error.errno, error.strerror or str(error)), folder) from error
    finished = _finished(folder, header)
    if not finished:
        raise SerlibError(f"{shown(folder)} is changed while it is written; choose another folder") from lost
    return finished


def _finished(folder, header):
    """Values and lengths of a whole cache that holds what is asked for, else None."""
    if _header(folder) != header:
        return None
    try:
        values, lengths = _load(folder)
    except (OSError, ValueError, EOFError):  # missing, or shorter than it says
        return None
    if not len(values) == len(lengths) == header["rows"] or values.dtype != np.float32:
        return None
    if (folder / "done").exists():  # killed before it had tidied up
        shutil.rmtree(folder / "done", ignore_errors=True)
    return values, np.array(lengths)


def _load(folder):
    """Map the two arrays of a cache for reading."""
    with _PARSER:
        return tuple(np.load(folder / name, mmap_mode="r") for name in NAMES)


def _header(folder):
    try:
        return json.loads((folder / "header.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _partial(folder, header, shape):
    """The folder of an extraction on its way: the one that was interrupted, else a new one."""
    partial = folder.with_name(f".{folder.name}.partial")
    if folder.exists() and not _finished(folder, header):
        _discard(folder, folder)  # another version, or damaged
    if _header(partial) == header:
        return partial
    _discard(partial, folder)
    fresh = _beside(folder)
    try:
        (fresh / "done").mkdir(parents=True)
        for name, dtype, row_shape in zip(NAMES, (np.float32, np.int32), (shape(), ()), strict=True):
            np.lib.format.open_memmap(fresh / name, mode="w+", dtype=dtype, shape=(header["rows"], *row_shape))
            _reserve(fresh / name)
        (fresh / "header.json").write_text(json.dumps(header), encoding="utf-8")
        with contextlib.suppress(OSError):  # another process was quicker: use its folder
            os.rename(fresh, partial)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return partial


def _reserve(path):
    """Claim the disk space of a file: a mapped file that finds the disk full kills the process."""
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno in NO_SPACE:  # anything else: a file system that cannot reserve
                raise


def _beside(folder):
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")


def _discard(path, folder):
    """Remove what is no cache `folder` in one step for whoever looks at it."""
    away = _beside(folder)
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, away)
        shutil.rmtree(away, ignore_errors=True)


def _work(function, tasks, partial, jobs, show, desc):
    """Compute the chunks that are not done yet; returns what went wrong, a sentence a row."""
    import joblib

    chunks = [(n, n + CHUNK) for n in range(0, len(tasks), CHUNK)]
    layout = [(array.dtype, array.shape, array.offset) for array in _load(partial)]
    todo = [(first, end) for first, end in chunks if not _done(partial, layout, first, end)]
    if not todo:
        return []
    # Threads, unless the user chose another backend: decoding, resampling and transforms release the interpreter
    # lock, and processes would first have to import numpy and scipy.
    streams = joblib.parallel.get_active_backend(prefer="threads")[0].supports_return_generator
    run = joblib.Parallel(n_jobs=jobs or -1, prefer="threads", return_as="generator_unordered" if streams else "list")
    work = run(joblib.delayed(_chunk)(function, tasks[first:end], partial, layout, first) for first, end in todo)
    faults = []
    with progress(total=len(tasks), desc=desc, show=show) as bar:
        bar.update(len(tasks) - sum(min(end, len(tasks)) - first for first, end in todo))
        for first, wrong in work:
            faults += [(first, sentence) for sentence in wrong]
            bar.update(min(CHUNK, len(tasks) - first))
    return [sentence for _, sentence in sorted(faults, key=lambda fault: fault[0])]


def _chunk(function, tasks, partial, layout, first):
    """Compute some rows, write them, and then the mark that says so; unless another process has done it meanwhile."""
    end, wrong = first + len(tasks), []
    with _alone(partial / "done" / f"{first}.lock"):
        if _done(partial, layout, first, end):
            return first, wrong
        rows, lengths = _map(partial, layout, "r+")
        for n, task in enumerate(tasks, first):
            try:
                row, lengths[n] = function(*task)
            except SerlibError as error:
                wrong.append(str(error))
                continue
            if row.shape == rows.shape[1:]:
                rows[n] = row
            else:
                rows[n, : len(row)] = row[: rows.shape[1]]
                rows[n, len(row) :] = 0
                lengths[n] = min(lengths[n], rows.shape[1])
        if not wrong:
            mark = partial / "done" / f"{first}.{uuid.uuid4().hex[:8]}"
            mark.write_text(_checksum(rows, lengths, first, end))
            os.replace(mark, partial / "done" / str(first))
    return first, wrong


@contextlib.contextmanager
def _alone(lock):
    """One at a time on this machine; on Windows, on disks that know no locks, and while a process is stopped, several,
    which costs time only."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError, OSError):
            import fcntl

            file, end = stack.enter_context(open(lock, "ab")), time.monotonic() + PATIENCE_S
            while time.monotonic() < end:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.01)
        yield


def _map(partial, layout, mode):
    """Map the two arrays anew for each chunk: what was touched before is not held in memory."""
    return [
        np.memmap(partial / name, mode=mode, dtype=dtype, shape=shape, offset=offset)
        for name, (dtype, shape, offset) in zip(NAMES, layout, strict=True)
    ]


def _done(partial, layout, first, end):
    try:
        mark = (partial / "done" / str(first)).read_text()
    except OSError:
        return False
    return mark == _checksum(*_map(partial, layout, "r"), first, end)


def _checksum(values, lengths, first, end):
    """What a mark says: after a power cut the mark may be on disk without its rows."""
    return hashlib.blake2b(values[first:end].tobytes() + lengths[first:end].tobytes(), digest_size=16).hexdigest()


def _publish(partial, folder):
    """Give a finished cache its name. What killed processes left goes first; a living one looks again, and finds it."""
    for left in folder.parent.glob(f".{glob.escape(folder.name)}.????????"):
        _discard(left, folder)
    for name in NAMES:
        with open(partial / name, "rb+") as file:
            os.fsync(file.fileno())
    try:
        os.rename(partial, folder)
    except FileNotFoundError:
        raise
    except OSError:  # another process has published the same
        _discard(partial, folder)
        return
    shutil.rmtree(folder / "done", ignore_errors=True)
