"""Rows of numbers, one row a clip, computed in parallel and written straight into a file: cached by clip and resumable.

Knows nothing of audio: `fill` is given a function and what to call it with. A store is a folder of rows of one kind:

    <kind>/<clips>/values.npy  lengths.npy  keys.txt             finished: renamed here in one step
    <kind>/.<clips>.partial/values.npy  journal                  on its way: the journal names each finished row

The kind says what is computed, the clips say of what and in which order. A clip that another finished store of the
same kind holds is copied from there: one clip more, one fewer or another order computes at most what is new.

Workers compute and this process writes, so the workers may be threads, processes or other machines. One process at a
time works on a store. A killed one leaves rows that the next call takes over where their checksums agree.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
import zlib
from concurrent import futures
from pathlib import Path

import numpy as np

from serlib.utils import SerlibError, alone, disk_fault, progress, shown

#: Rows that a worker computes at once. Small enough that a kill costs less than a second.
CHUNK = 32
#: The same of a thread, which costs less to ask: at the end no thread waits long for another.
THREAD_CHUNK = 8
#: One finished row in the journal. The checksum is of its bytes: a power cut may leave the journal without the row.
RECORD = np.dtype([("row", "<i8"), ("length", "<i4"), ("checksum", "<u4")])


class Store:
    """The rows of one kind for some clips, finished or on their way.

    Parameters
    ----------
    root : Path
        Folder that holds the stores of all kinds.
    kind : dict
        Plain values that say what the rows are.
    keys : sequence of str
        The content of each clip. Rows of the same key and kind are the same.
    shape : callable
        Returns the shape of a row. A row may be shorter along its first axis: the rest is zeros. One frame more is cut
        off, since lengths are rounded; a row that is longer still is refused.
    """

    def __init__(self, root, kind, keys, shape):
        self.keys = list(keys)
        self.folder = Path(root) / _digest(json.dumps(kind, sort_keys=True)) / _digest("\n".join(self.keys))
        self.partial = self.folder.with_name(f".{self.folder.name}.partial")
        self.row_shape = shape

    def load(self):
        """The finished rows and their lengths, as `fill` gives them; None where there are none, or they are damaged."""
        return _load(self.folder, len(self.keys))

    @contextlib.contextmanager
    def at_work(self):
        """Nobody else on this machine writes rows of this kind meanwhile; on leaving, a whole store gets its name."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with alone(self.folder.parent / "lock"):  # on a disk that knows no locks several write, which costs time only
            if self.load():  # another process has finished it meanwhile
                self.missing = np.zeros(len(self.keys), bool)
                yield
                return
            self._prepare()
            with (
                open(self.partial / "values.npy", "rb+") as self.values,
                open(self.partial / "journal", "ab") as self.journal,
            ):
                self._copy_known()
                yield
                self.flush()
                os.fsync(self.values.fileno())
            if not self.missing.any():
                np.save(self.partial / "lengths.npy", self.lengths)
                (self.partial / "keys.txt").write_text("\n".join(self.keys), encoding="ascii")
                os.rename(self.partial, self.folder)
                (self.folder / "journal").unlink(missing_ok=True)

    def _prepare(self):
        """The files of a store on its way, with the rows of a killed process whose checksums agree."""
        _remove(self.folder)  # damaged
        self.shape = tuple(self.row_shape())
        self.lengths = np.zeros(len(self.keys), np.int32)
        self.missing = np.ones(len(self.keys), bool)
        shape = (len(self.keys), *self.shape)
        path = self.partial / "values.npy"
        journal = self.partial / "journal"
        values = _mapped(path)
        if values is None or values.shape != shape:
            values = None  # Windows removes no file that is mapped
            _remove(self.partial)
            self.partial.mkdir()
            values = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        self.head_bytes = values.offset
        journal.touch()
        os.truncate(journal, journal.stat().st_size // RECORD.itemsize * RECORD.itemsize)
        for row, length, checksum in np.fromfile(journal, RECORD).tolist():
            if 0 <= row < len(values) and zlib.crc32(values[row].tobytes()) == checksum:
                self.lengths[row] = length
                self.missing[row] = False

    def _copy_known(self):
        """Copy the rows of clips that finished stores of the same kind hold."""
        for folder in sorted(self.folder.parent.glob("[!.]*")):
            if not self.missing.any():
                return
            with contextlib.suppress(OSError, ValueError):  # damaged: what is no ASCII is a ValueError
                keys = (folder / "keys.txt").read_text(encoding="ascii").split("\n")
                tables = _load(folder, len(keys))
                if tables is None or tables[0].shape[2:] != self.shape[1:]:  # copies are as long as the longest clip
                    continue
                values, lengths = tables
                place = {key: n for n, key in enumerate(keys)}
                for n in np.flatnonzero(self.missing):
                    m = place.get(self.keys[n])
                    if m is not None and not self.cuts(values[m], int(lengths[m])):
                        self.write(n, values[m], int(lengths[m]))

    def cuts(self, values, length):
        """Whether a row has more along its first axis than there is room for; one more may come of rounding."""
        return values.shape != self.shape and min(length, len(values)) > self.shape[0] + 1

    def write(self, row, values, length):
        """Write one row, as `shape` says or shorter or longer along the first axis; `length` is how much of it counts.

        Nobody believes it before its record is in the journal.
        """
        whole = np.zeros(self.shape, np.float32)
        part = values[: self.shape[0]]
        whole[: len(part)] = part
        if values.shape != self.shape:
            length = min(length, self.shape[0])
        self.values.seek(self.head_bytes + row * whole.nbytes)
        self.values.write(whole.tobytes())
        self.journal.write(np.array([(row, length, zlib.crc32(whole))], RECORD).tobytes())
        self.lengths[row] = length
        self.missing[row] = False

    def flush(self):
        """Hand what is written to the system: a kill can no longer take it back."""
        self.values.flush()
        self.journal.flush()


def fill(function, tasks, stores, *, jobs=None, show=None, desc="rows"):
    """Compute the rows of every task that a store lacks, or load what was computed before.

    Parameters
    ----------
    function : callable
        `function(*task, wanted)` returns, for each number of a store in `wanted`, a row, float32, and its length. May
        raise SerlibError: the other tasks are finished nevertheless. Must be picklable for backends other than threads.
    tasks : sequence of tuple
        One task a row. It begins with the file, for messages.
    stores : sequence of Store
        What one call of the function gives; the same rows in each.
    jobs, show : optional
        As for `serlib.extract`; `desc` is the title of the progress bar.

    Returns
    -------
    list of (values, lengths)
        np.memmap [shape=(rows, *shape)], float32, read-only, and np.ndarray [shape=(rows,)], int32

    Raises
    ------
    SerlibError
        Some rows could not be computed. What is done is kept, and the next call goes on from there.
    """
    tables = [store.load() for store in stores]
    if all(tables):
        return tables
    try:
        with contextlib.ExitStack() as stack:
            for store in sorted(stores, key=lambda store: store.folder):  # in one order: no two wait for each other
                stack.enter_context(store.at_work())
            faults = _compute(function, tasks, stores, jobs=jobs, show=show, desc=desc)
    except OSError as error:
        raise disk_fault(OSError(error.errno, error.strerror or str(error)), stores[0].folder) from error
    if faults:
        more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
        raise SerlibError(faults[0] + more)
    return [store.load() for store in stores]


def _compute(function, tasks, stores, *, jobs, show, desc):
    """Compute and write the missing rows; returns what went wrong, a sentence a row."""
    missing = [(k, store) for k, store in enumerate(stores) if store.missing.any()]
    todo = []
    for n, task in enumerate(tasks):
        lacking = tuple(k for k, store in missing if store.missing[n])
        if lacking:
            todo.append((n, task, lacking))
    if not todo:
        return []
    faults = {}
    with progress(total=len(tasks), desc=desc, show=show) as bar:
        bar.update(len(tasks) - len(todo))
        for answers in _answers(functools.partial(_chunk, function), todo, jobs):
            for n, lacking, answer in answers:
                if isinstance(answer, str):
                    faults[n] = answer
                    continue
                for k, (values, length) in zip(lacking, answer, strict=True):
                    if stores[k].cuts(values, length):
                        what = "is longer than the table says; correct its columns duration_s and rate_hz"
                        faults[n] = f"{shown(str(tasks[n][0]))} {what}, or leave them out"
                    else:
                        stores[k].write(n, values, length)
            for _, store in missing:
                store.flush()
            bar.update(len(answers))
    return [faults[n] for n in sorted(faults)]


def _answers(work, todo, jobs):
    """What workers make of chunks of the tasks, as they are finished.

    Threads, unless the user chose another backend: decoding, resampling and transforms release the interpreter lock,
    and processes would first have to import numpy and scipy.
    """
    import joblib

    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    if isinstance(backend, joblib.parallel.ThreadingBackend):
        return _of_threads(work, todo, jobs or joblib.cpu_count())
    run = joblib.Parallel(jobs or -1, return_as="generator_unordered")
    return run(joblib.delayed(work)(chunk) for chunk in _chunks(todo, CHUNK))


def _of_threads(work, todo, jobs):
    """joblib's threads take 50 ms to start and to stop, and are asked every 10 ms whether they are finished."""
    chunks = _chunks(todo, THREAD_CHUNK)
    if jobs == 1:
        yield from map(work, chunks)
        return
    pool = futures.ThreadPoolExecutor(jobs)
    try:
        waiting = {pool.submit(work, chunk) for chunk in itertools.islice(chunks, 2 * jobs)}
        while waiting:  # a few chunks ahead of what is written, so that memory does not grow
            finished, waiting = futures.wait(waiting, return_when=futures.FIRST_COMPLETED)
            waiting |= {pool.submit(work, chunk) for chunk in itertools.islice(chunks, len(finished))}
            for future in finished:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _chunks(tasks, size):
    return (tasks[first : first + size] for first in range(0, len(tasks), size))


def _chunk(function, chunk):
    """What a worker does: the rows of a chunk, or the sentence that says what is wrong with one."""
    answers = []
    for n, task, which in chunk:
        try:
            answers.append((n, which, function(*task, which)))
        except SerlibError as error:
            answers.append((n, which, str(error)))
    return answers


def _load(folder, clips):
    """Rows and lengths in a finished folder of so many clips; None where there are none, or they are damaged."""
    values = _mapped(folder / "values.npy")
    lengths = _mapped(folder / "lengths.npy", np.int32)
    if values is None or lengths is None or not len(values) == len(lengths) == clips:
        return None
    return values, np.array(lengths)


def _mapped(path, dtype=np.float32):
    """An array in a file, read-only; None where there is none, or another one than serlib wrote."""
    try:
        values = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):  # missing, or shorter than it says
        return None
    return values if values.dtype == dtype and values.ndim else None


def _digest(text):
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _remove(folder):
    """Remove a folder in one step, so that nobody sees half of it."""
    away = folder.with_name(f".{folder.name}.away")
    shutil.rmtree(away, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder, away)
        shutil.rmtree(away, ignore_errors=True)
