"""serlib.features.cache: interrupted, damaged, shared and outdated caches."""

import contextlib
import errno
import functools
import json
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


def row(n, *, calls=None, wrong=()):
    """Row n: n % 5 frames of n, n + 1."""
    if calls is not None:
        calls.append(n)
    if n in wrong:
        raise SerlibError(f"row {n} is bad; mend it")
    return np.tile(np.array([n, n + 1], dtype=np.float32), (n % 5, 1)), n % 5


EXPECTED = np.zeros((ROWS, *SHAPE), dtype=np.float32)
for _n in range(ROWS):
    EXPECTED[_n, : _n % 5] = [_n, _n + 1]


def fill(folder, *, header=None, jobs=2, **row_options):
    """All rows; every one is checked."""
    tasks = [(n,) for n in range(ROWS)]
    function = functools.partial(row, **row_options)
    values, lengths = cache.fill(
        function, tasks, lambda: SHAPE, folder, header or {"of": "tests"}, jobs=jobs, show=False
    )
    assert values.dtype == np.float32 and lengths.dtype == np.int32
    np.testing.assert_array_equal(values, EXPECTED)
    np.testing.assert_array_equal(lengths, np.arange(ROWS) % 5)
    return values


def test_rows_are_computed_once_and_then_loaded(tmp_path):
    calls = []
    fill(tmp_path / "cache", calls=calls)
    assert sorted(calls) == list(range(ROWS))
    assert isinstance(fill(tmp_path / "cache", calls=calls), np.memmap)
    assert len(calls) == ROWS
    assert sorted(os.listdir(tmp_path)) == ["cache"]
    assert sorted(os.listdir(tmp_path / "cache")) == ["header.json", "lengths.npy", "values.npy"]


def test_rows_longer_than_the_shape_are_cut(tmp_path):
    tasks = [(n,) for n in range(5)]
    values, lengths = cache.fill(row, tasks, lambda: (2, 2), tmp_path / "cache", {}, show=False)
    assert values.shape == (5, 2, 2)
    assert lengths.tolist() == [0, 1, 2, 2, 2]


def test_what_goes_wrong_is_told_after_the_rest_is_done(tmp_path):
    bad = (2 * cache.CHUNK + 7, 2 * cache.CHUNK + 9)
    with pytest.raises(SerlibError, match=rf"^row {bad[0]} is bad; mend it \(and 1 more like it\)$"):
        fill(tmp_path / "cache", wrong=bad)
    assert not (tmp_path / "cache").exists()
    calls = []
    fill(tmp_path / "cache", calls=calls)
    assert sorted(calls) == list(range(2 * cache.CHUNK, 3 * cache.CHUNK))


# Says which rows it computes, then stops in the middle of a chunk until it is killed.
SLOW = """
import sys, time
import numpy as np
sys.path.insert(0, {tests!r})
import test_cache as t
from serlib.features import cache

def slow(n):
    if n == 3 * cache.CHUNK + 5:
        print("there", flush=True)
        time.sleep(60)
    return t.row(n)

cache.fill(slow, [(n,) for n in range(t.ROWS)], lambda: t.SHAPE, {folder!r}, {{"of": "tests"}}, jobs=1, show=False)
"""


@pytest.fixture
def killed(tmp_path):
    """Folder of a cache whose extraction was killed in its fourth chunk."""
    folder = tmp_path / "cache"
    code = SLOW.format(tests=os.path.dirname(__file__), folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return folder


def test_a_killed_extraction_goes_on_where_it_stopped(killed):
    assert not killed.exists()
    calls = []
    fill(killed, calls=calls)
    assert sorted(calls) == list(range(3 * cache.CHUNK, ROWS))
    assert sorted(os.listdir(killed.parent)) == ["cache"]


def test_a_mark_without_its_rows_is_not_believed(killed):
    partial = killed.with_name(".cache.partial")
    values = np.load(partial / "values.npy", mmap_mode="r+")
    values[cache.CHUNK + 1] = 0  # as after a power cut
    values.flush()
    calls = []
    fill(killed, calls=calls)
    second = list(range(cache.CHUNK, 2 * cache.CHUNK))
    assert sorted(calls) == second + list(range(3 * cache.CHUNK, ROWS))


def test_a_killed_extraction_of_another_version_is_thrown_away(killed):
    calls = []
    fill(killed, calls=calls, header={"of": "tests", "version": 2})
    assert sorted(calls) == list(range(ROWS))
    assert json.loads((killed / "header.json").read_text())["version"] == 2


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def outdate(path):
    header = json.loads(path.read_text())
    path.write_text(json.dumps({**header, "of": "older code"}))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("values.npy", cut),
        ("lengths.npy", cut),
        ("header.json", cut),
        ("header.json", outdate),
        ("values.npy", os.remove),
        ("lengths.npy", os.remove),
        ("header.json", os.remove),
        ("values.npy", lambda path: np.save(path, EXPECTED.astype(np.float64))),
        ("values.npy", lambda path: np.save(path, EXPECTED[:-1])),
        ("values.npy", lambda path: np.save(path, np.array([{"a": 1}]), allow_pickle=True)),
    ],
)
def test_a_damaged_or_outdated_cache_is_rebuilt(tmp_path, name, damage):
    fill(tmp_path / "cache")
    damage(tmp_path / "cache" / name)
    calls = []
    fill(tmp_path / "cache", calls=calls)
    assert sorted(calls) == list(range(ROWS))
    assert sorted(os.listdir(tmp_path)) == ["cache"]


def test_two_at_once_do_not_harm_each_other(tmp_path):
    """Both get whole rows, whoever finishes first, and nothing is left behind."""
    for round in range(10):
        folder, results, start = tmp_path / str(round), [], threading.Barrier(3)

        def work(folder=folder, results=results, start=start):
            start.wait()
            results.append(fill(folder, jobs=1))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 3
    assert sorted(os.listdir(tmp_path)) == sorted(str(round) for round in range(10))


def test_one_that_comes_late_finds_what_the_other_has_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_alone", contextlib.nullcontext)  # as on a disk without locks

    def slow(n):
        if n == ROWS - 1:
            fill(tmp_path / "cache")  # another one overtakes
        return row(n)

    tasks = [(n,) for n in range(ROWS)]
    values, _ = cache.fill(slow, tasks, lambda: SHAPE, tmp_path / "cache", {"of": "tests"}, jobs=1, show=False)
    np.testing.assert_array_equal(values, EXPECTED)
    assert sorted(os.listdir(tmp_path)) == ["cache"]


def test_a_process_that_is_stopped_holds_nobody_up(tmp_path, monkeypatch):
    """Its lock is waited for, but not for ever."""
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
    monkeypatch.setattr(cache, "PATIENCE_S", 0.1)
    with pytest.raises(SerlibError):
        fill(tmp_path / "cache", wrong=(0,))  # all but the first chunk is done
    with open(tmp_path / ".cache.partial" / "done" / "0.lock", "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        calls = []
        fill(tmp_path / "cache", calls=calls)
    assert sorted(calls) == list(range(cache.CHUNK))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SerlibError, match="file/cache cannot be written"):
        fill(tmp_path / "file" / "cache")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve disk space")
def test_a_full_disk_is_named_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(SerlibError, match="is full; make room"):
            fill(tmp_path / "cache")
    assert os.listdir(tmp_path) == []
    fill(tmp_path / "cache")


def test_a_finished_cache_is_loaded_in_milliseconds(tmp_path):
    fill(tmp_path / "cache")
    fill(tmp_path / "cache")
    start = time.perf_counter()
    cache.fill(row, [(n,) for n in range(ROWS)], lambda: SHAPE, tmp_path / "cache", {"of": "tests"})
    assert time.perf_counter() - start < 0.1
