"""serlib.features.cache: interrupted, damaged, shared and outdated stores, and clips that another store has."""

import errno
import functools
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from serlib.features import cache
from serlib.utils import SerlibError

ROWS = 5 * cache.CHUNK + 3
SHAPE = (4, 2)


def row(n, wanted, *, calls=None, wrong=()):
    """Row n: n % 5 frames of n, n + 1; once for each store that wants it."""
    if calls is not None:
        calls.append(n)
    if n in wrong:
        raise SerlibError(f"row {n} is bad; mend it")
    return [(np.tile(np.array([n, n + 1], dtype=np.float32), (n % 5, 1)), n % 5) for _ in wanted]


EXPECTED = np.zeros((ROWS + 1, *SHAPE), dtype=np.float32)
for _n in range(ROWS + 1):
    EXPECTED[_n, : _n % 5] = [_n, _n + 1]


def store(root, rows=range(ROWS), *, kind=None, shape=SHAPE):
    return cache.Store(root, kind or {"of": "tests"}, [f"clip {n}" for n in rows], lambda: shape)


def fill(root, rows=range(ROWS), *, kind=None, jobs=2, **row_options):
    """The values of these rows; every one is checked."""
    function = functools.partial(row, **row_options)
    target = store(root, rows, kind=kind)
    ((values, lengths),) = cache.fill(function, [(n,) for n in rows], [target], jobs=jobs, show=False)
    assert values.dtype == np.float32 and lengths.dtype == np.int32
    np.testing.assert_array_equal(values, EXPECTED[list(rows)])
    np.testing.assert_array_equal(lengths, np.array(rows) % 5)
    return values


def names(root):
    """Everything below a folder but the locks, which stay."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.name != "lock")


def whole(root, *stores):
    """The names that finished stores have, and nothing else."""
    folders = [target.folder for target in stores]
    paths = {folder.parent for folder in folders} | set(folders)
    paths |= {folder / name for folder in folders for name in ("keys.txt", "lengths.npy", "values.npy")}
    return sorted(path.relative_to(root).as_posix() for path in paths)


def test_rows_are_computed_once_and_then_loaded(tmp_path):
    calls = []
    fill(tmp_path, calls=calls)
    assert sorted(calls) == list(range(ROWS))
    assert isinstance(fill(tmp_path, calls=calls), np.memmap)
    assert len(calls) == ROWS
    assert names(tmp_path) == whole(tmp_path, store(tmp_path))


@pytest.mark.parametrize(
    ("rows", "new"),
    [
        (range(ROWS + 1), [ROWS]),
        (range(1, ROWS), []),
        (range(ROWS - 1, -1, -1), []),
        ([3, 3, 2 * ROWS, 5], [2 * ROWS]),
    ],
    ids=["one more", "one fewer", "another order", "one twice"],
)
def test_only_new_clips_are_computed(tmp_path, rows, new):
    calls = []
    fill(tmp_path)
    target = store(tmp_path, rows)
    function = functools.partial(row, calls=calls)
    ((values, lengths),) = cache.fill(function, [(n,) for n in rows], [target], show=False)
    assert calls == new
    for n, clip in enumerate(rows):
        assert lengths[n] == clip % 5
        np.testing.assert_array_equal(values[n], np.pad(row(clip, (0,))[0][0], ((0, 4 - clip % 5), (0, 0))))


def test_a_sequence_is_found_in_a_store_of_longer_rows(tmp_path):
    rows = range(5)
    cache.fill(row, [(n,) for n in rows], [store(tmp_path, rows, shape=(9, 2))], show=False)
    calls = []
    function = functools.partial(row, calls=calls)
    ((values, lengths),) = cache.fill(function, [(n,) for n in rows[:4]], [store(tmp_path, rows[:4])], show=False)
    assert calls == []
    np.testing.assert_array_equal(values, EXPECTED[:4])
    assert lengths.tolist() == [0, 1, 2, 3]


def test_several_stores_are_filled_in_one_pass(tmp_path):
    fill(tmp_path, range(10))
    calls = []
    stores = [store(tmp_path), store(tmp_path, kind={"of": "others"})]
    tables = cache.fill(functools.partial(row, calls=calls), [(n,) for n in range(ROWS)], stores, show=False)
    assert sorted(calls) == list(range(ROWS))
    for values, _ in tables:
        np.testing.assert_array_equal(values, EXPECTED[:ROWS])


def test_one_frame_more_than_the_shape_is_cut_and_more_are_refused(tmp_path):
    tasks = [(n,) for n in range(5)]
    ((values, lengths),) = cache.fill(row, tasks[:4], [store(tmp_path, range(4), shape=(2, 2))], show=False)
    assert values.shape == (4, 2, 2)
    assert lengths.tolist() == [0, 1, 2, 2]
    with pytest.raises(SerlibError, match=r"^4 is longer than the table says; correct its columns"):
        cache.fill(row, tasks, [store(tmp_path, range(5), shape=(2, 2))], show=False)
    fill(tmp_path / "whole", range(5))
    with pytest.raises(SerlibError, match=r"^4 is longer than the table says"):
        cache.fill(row, tasks[:0:-1], [store(tmp_path / "whole", range(4, 0, -1), shape=(2, 2))], show=False)


def test_what_goes_wrong_is_told_after_the_rest_is_done(tmp_path):
    bad = (2 * cache.CHUNK + 7, 2 * cache.CHUNK + 9)
    with pytest.raises(SerlibError, match=rf"^row {bad[0]} is bad; mend it \(and 1 more like it\)$"):
        fill(tmp_path, wrong=bad)
    assert not store(tmp_path).load()
    calls = []
    fill(tmp_path, calls=calls)
    assert sorted(calls) == list(bad)


# Says which rows it computes, then stops in the middle of a chunk until it is killed.
SLOW = """
import sys, time
import numpy as np
sys.path.insert(0, {tests!r})
import test_cache as t
from serlib.features import cache

def slow(n, wanted):
    if n == 3 * cache.CHUNK + 5:
        print("there", flush=True)
        time.sleep(60)
    return t.row(n, wanted)

cache.fill(slow, [(n,) for n in range(t.ROWS)], [t.store({root!r})], jobs=1, show=False)
"""


@pytest.fixture
def killed(tmp_path):
    """Root of a store whose extraction was killed in its fourth chunk."""
    code = SLOW.format(tests=os.path.dirname(__file__), root=str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return tmp_path


def test_a_killed_extraction_goes_on_where_it_stopped(killed):
    assert not store(killed).load()
    calls = []
    fill(killed, calls=calls)
    assert sorted(calls) == list(range(3 * cache.CHUNK, ROWS))
    assert names(killed) == whole(killed, store(killed))


@pytest.mark.parametrize("journal", [b"", b"half a reco"], ids=["whole", "half a record more"])
def test_a_record_without_its_row_is_not_believed(killed, journal):
    partial = store(killed).partial
    values = np.load(partial / "values.npy", mmap_mode="r+")
    values[cache.CHUNK + 1] = 7  # as after a power cut
    values.flush()
    with open(partial / "journal", "ab") as file:
        file.write(journal)
    calls = []
    fill(killed, calls=calls)
    assert sorted(calls) == [cache.CHUNK + 1, *range(3 * cache.CHUNK, ROWS)]


def test_a_record_of_a_row_that_there_is_not_is_passed_over(killed):
    with open(store(killed).partial / "journal", "ab") as file:
        file.write(np.array([(10**6, 1, 5), (-1, 1, 5)], cache.RECORD).tobytes())
    calls = []
    fill(killed, calls=calls)
    assert sorted(calls) == list(range(3 * cache.CHUNK, ROWS))


def test_keys_that_cannot_be_read_are_not_copied_from(tmp_path):
    fill(tmp_path, range(ROWS - 1))
    (store(tmp_path, range(ROWS - 1)).folder / "keys.txt").write_bytes(b"clip 1\n\xff")
    calls = []
    fill(tmp_path, calls=calls)
    assert len(calls) == ROWS


def test_a_killed_extraction_of_another_kind_is_not_used(killed):
    calls = []
    fill(killed, calls=calls, kind={"of": "tests", "version": 2})
    assert sorted(calls) == list(range(ROWS))


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("values.npy", cut),
        ("lengths.npy", cut),
        ("values.npy", os.remove),
        ("lengths.npy", os.remove),
        ("values.npy", lambda path: np.save(path, EXPECTED[:ROWS].astype(np.float64))),
        ("values.npy", lambda path: np.save(path, EXPECTED[: ROWS - 1])),
        ("values.npy", lambda path: np.save(path, np.array([{"a": 1}]), allow_pickle=True)),
    ],
)
def test_a_damaged_store_is_rebuilt_and_not_copied_from(tmp_path, name, damage):
    fill(tmp_path)
    damage(store(tmp_path).folder / name)
    calls = []
    fill(tmp_path, range(ROWS - 1), calls=calls)
    assert sorted(calls) == list(range(ROWS - 1))
    fill(tmp_path, calls=calls)
    assert len(calls) == ROWS
    assert names(tmp_path) == whole(tmp_path, store(tmp_path), store(tmp_path, range(ROWS - 1)))


def test_several_at_once_wait_for_each_other(tmp_path):
    """All get whole rows, each row is computed once, and nothing is left behind."""
    for round in range(10):
        root, results, calls, start = tmp_path / str(round), [], [], threading.Barrier(3)

        def work(root=root, results=results, calls=calls, start=start):
            start.wait()
            results.append(fill(root, jobs=1, calls=calls))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 3
        assert sorted(calls) == list(range(ROWS))
        assert names(root) == whole(root, store(root))


def test_one_that_waits_says_so(tmp_path, capfd):
    from filelock import FileLock

    target = store(tmp_path)
    target.folder.parent.mkdir()
    holds = threading.Event()

    def hold():
        with FileLock(target.folder.parent / "lock"):
            holds.set()
            time.sleep(1.5)

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait()
    fill(tmp_path)
    holder.join()
    assert "waiting for another process" in capfd.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENOLCK])
def test_a_disk_without_locks(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    fill(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SerlibError, match=r"file/.* cannot be written"):
        fill(tmp_path / "file")


def test_a_full_disk_is_named_and_costs_nothing_that_was_done(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(SerlibError, match="is full; make room"):
            fill(tmp_path)
    calls = []
    fill(tmp_path, calls=calls)
    assert calls == []


def test_a_finished_store_is_loaded_in_milliseconds(tmp_path):
    fill(tmp_path)
    fill(tmp_path)
    start = time.process_time()
    cache.fill(row, [(n,) for n in range(ROWS)], [store(tmp_path)])
    assert time.process_time() - start < 0.1
