"""A Dask cluster of two worker processes: the same bytes as on one machine, also when a worker dies."""

import os
import signal
import threading

import numpy as np
import pandas as pd
import pytest
import soundfile

from serlib import audio, utils
from serlib.features import cache, extract
from serlib.utils import SerlibError

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scheduler():
    """Address of the scheduler of two workers."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with distributed.LocalCluster(**options) as workers:
        yield workers.scheduler_address


@pytest.fixture
def clips(tmp_path, voice):
    """Many clips of different lengths as an index."""
    rows = []
    for n in range(4 * cache.CHUNK):
        y = voice(duration_s=0.3 + n / 200, rate_hz=16000, silence_s=0.05, seed=n)
        path = tmp_path / "corpus" / f"{n}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, y, 16000)
        digest = audio.path_digest(path)
        rows.append({"speech": str(path), "digest": digest, "duration_s": len(y) / 16000, "rate_hz": 16000})
    return pd.DataFrame(rows)


def test_the_same_bytes_as_on_one_machine(scheduler, clips, tmp_path):
    alone = extract(clips, "mfcc-frames", out_dir=tmp_path / "alone", show=False)
    with utils.cluster(scheduler):
        spread = extract(clips, "mfcc-frames", out_dir=tmp_path / "spread", show=False)
    assert spread.values.tobytes() == alone.values.tobytes()
    np.testing.assert_array_equal(spread.lengths, alone.lengths)


def test_a_worker_that_dies_costs_its_chunk(scheduler, clips, tmp_path):
    alone = extract(clips, "functionals", out_dir=tmp_path / "alone", show=False)
    with distributed.Client(scheduler) as client:
        pid = next(iter(client.run(os.getpid).values()))
    killer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with utils.cluster(scheduler):
        spread = extract(clips, "functionals", out_dir=tmp_path / "spread", show=False)
    killer.join()
    assert spread.values.tobytes() == alone.values.tobytes()


def test_a_file_that_no_worker_sees_is_one_sentence(scheduler, clips, tmp_path):
    os.remove(clips.speech[3])
    with utils.cluster(scheduler), pytest.raises(SerlibError, match=r"3\.wav does not exist; check the path"):
        extract(clips, "mfcc40-mean", out_dir=tmp_path / "cache", show=False)


def test_a_folder_gets_the_answers_of_one_machine(scheduler, clips, tiny_run, tmp_path, monkeypatch):
    from serlib.recognizer import Recognizer, write_answers

    folder = tmp_path / "corpus"
    (folder / "bad.wav").write_bytes(b"no sound at all")
    monkeypatch.chdir(tmp_path)  # the workers stand elsewhere
    recognizer = Recognizer(tiny_run, threshold=0.3)
    counts = write_answers(recognizer, "corpus", tmp_path / "alone.csv", show=False)
    with utils.cluster(scheduler):
        assert write_answers(recognizer, "corpus", tmp_path / "spread.csv", show=False) == counts
    assert counts == {"answered": len(clips), "failed": 1, "kept": 0}
    assert (tmp_path / "spread.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()


def test_no_scheduler_is_one_sentence(monkeypatch):
    monkeypatch.setattr(utils, "CLUSTER_S", 0.5)
    with pytest.raises(SerlibError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9;"):
        utils.cluster("tcp://127.0.0.1:9").__enter__()
