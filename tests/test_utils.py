"""What everything stands on: whole files or none, errors as one sentence, paths that tell nothing of the machine."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from serlib import utils
from serlib.utils import SerlibError


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "table.csv"
    with utils.atomic_path(target) as path:
        assert path.suffix == ".csv" and not target.exists()
        path.write_text("first")
    with pytest.raises(ValueError, match="half way"), utils.atomic_path(target) as path:
        path.write_text("second")
        raise ValueError("half way")
    assert target.read_text() == "first"
    assert [item.name for item in target.parent.iterdir()] == ["table.csv"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "run"
    for content in ("one", "two"):
        with utils.atomic_path(target) as path:
            path.mkdir()
            (path / content).touch()
    assert [item.name for item in target.iterdir()] == ["two"]
    with pytest.raises(ValueError, match="half way"), utils.atomic_path(target) as path:
        path.mkdir()
        raise ValueError("half way")
    assert [item.name for item in tmp_path.iterdir()] == ["run"]


def test_a_file_takes_no_folder_s_place(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/1.wav").write_text("sound")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("mine", "link"):
        with pytest.raises(SerlibError, match="is a folder, which stays"), utils.atomic_path(tmp_path / name) as path:
            path.write_text("table")
    with pytest.raises(SerlibError, match=r"'\.' is a folder"), utils.atomic_path(""):
        pass
    assert (tmp_path / "link/1.wav").read_text() == "sound" and len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    target = tmp_path / "run"
    target.mkdir()
    (target / "one").touch()

    def fail(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="broken"), utils.atomic_path(target) as path:
        path.mkdir()
    assert [item.name for item in tmp_path.iterdir()] == ["run"]
    assert [item.name for item in target.iterdir()] == ["one"]


def test_what_a_killed_process_left_goes_after_an_hour(tmp_path):
    old, young = (tmp_path / f".partial-{letter * 8}-table.csv" for letter in "ab")
    for path in (old, young):
        path.touch()
    long_ago = time.time() - utils.ABANDONED_S - 1
    os.utime(old, (long_ago, long_ago))
    with utils.atomic_path(tmp_path / "table.csv") as path:
        path.touch()
    assert sorted(item.name for item in tmp_path.iterdir()) == [young.name, "table.csv"]


def test_what_cannot_be_written_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    said = r"file/table.csv cannot be written \(.*\); mend that or name another folder"
    with pytest.raises(SerlibError, match=said), utils.atomic_path(tmp_path / "file" / "table.csv"):
        pass
    with pytest.raises(SerlibError, match=r"^The disk of .* is full; make room"), utils.atomic_path(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FileNotFoundError), utils.atomic_path(tmp_path / "x"):
        (tmp_path / "nothing").read_bytes()  # not about what is written
    no_drive = FileNotFoundError(errno.ENOENT, "The system cannot find the path specified")
    monkeypatch.setattr(Path, "mkdir", mock.Mock(side_effect=no_drive))
    with pytest.raises(SerlibError, match=r"z/x cannot be written \("), utils.atomic_path(tmp_path / "z" / "x"):
        pass


def test_home_and_data(monkeypatch, tmp_path):
    monkeypatch.setenv("SERLIB_HOME", str(tmp_path))
    monkeypatch.delenv("SERLIB_DATA", raising=False)
    assert utils.home() == tmp_path and utils.data_dir() == tmp_path / "data"
    assert utils.shown(tmp_path / "data" / "tess") == "data/tess"
    monkeypatch.setenv("SERLIB_DATA", str(tmp_path / "elsewhere"))
    assert utils.data_dir() == tmp_path / "elsewhere"
    monkeypatch.delenv("SERLIB_HOME")
    assert (utils.home() / "pyproject.toml").is_file()


def test_a_sound_without_a_file_is_not_called_by_the_folder(home, monkeypatch):
    (home / "notebooks").mkdir()
    monkeypatch.chdir(home / "notebooks")
    assert utils.shown("a.wav") == "notebooks/a.wav"
    assert [utils.shown(name) for name in utils.NAMELESS] == ["The clip", "The recording"]


def test_a_lock_keeps_others_out_and_goes_with_its_process(tmp_path):
    lock = tmp_path / "lock"
    hold = (
        "import sys, time, filelock\nwith filelock.FileLock(sys.argv[1]):\n print('held', flush=True)\n time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", hold, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SerlibError, match="wait for it"), utils.alone(lock, "wait for it"):
            pytest.fail("two at once")
    finally:
        other.kill()
        other.wait()
    for _ in range(2):
        with utils.alone(lock, "wait for it"):
            pass


def test_a_disk_without_locks_stops_nobody(tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr("fcntl.flock", unknown)
    with utils.alone(tmp_path / "lock", "wait for it"):
        pass


def test_progress_is_silent_where_asked(monkeypatch, capfd):
    monkeypatch.setenv("SERLIB_PROGRESS", "0")
    assert list(utils.progress(range(3))) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_what_an_error_quotes_cannot_break_its_sentence():
    assert (
        str(SerlibError("two\nlines\x1b[31m.wav is silent; delete it"))
        == r"two\nlines\x1b[31m.wav is silent; delete it"
    )


def test_in_a_notebook_an_error_is_one_sentence(tmp_path):
    code = "from serlib.utils import SerlibError\ndef f():\n    raise SerlibError('a.wav is silent; delete it')\nf()\n"
    (tmp_path / "cell.ipy").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=nocolor", str(tmp_path / "cell.ipy")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "IPYTHONDIR": str(tmp_path)},
    )
    shown = done.stdout + done.stderr
    assert "SerlibError: a.wav is silent; delete it" in shown
    assert "Traceback" not in shown and "def f" not in shown


#: What TensorFlow 2.21 says when it is imported, and two lines that are not TensorFlow's greetings.
GREETING = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795700762.178828   17770 port.cc:153] oneDNN custom operations are on.
E0000 00:00:1795700820.138262   21006 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error
2026-11-26 13:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
"""
#: What it says when it looks for a GPU.
SEARCH = "E0000 00:00:1.2 3 a.cc:4] x\n"
OTHERS = """F0000 00:00:1795700762.178828   17770 port.cc:1] it dies of this
the disk is full
"""


@pytest.mark.parametrize(
    ("level", "ends", "shown"),
    [
        (None, "", OTHERS),
        ("3", "", OTHERS),
        ("0", "", GREETING + OTHERS + SEARCH),
        (None, "raise ImportError('no AVX')", OTHERS),
    ],
)
def test_tensorflow_is_imported_without_its_greetings(tmp_path, level, ends, shown):
    fake = f"import os\nos.write(2, {(GREETING + OTHERS).encode()})\n{ends}\n"
    fake += f"class config:\n    def list_physical_devices():\n        os.write(2, {SEARCH.encode()})\n"
    (tmp_path / "tensorflow.py").write_text(fake, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    environment |= {"TF_CPP_MIN_LOG_LEVEL": level} if level else {}
    code = "import os; from serlib.utils import import_tensorflow; import_tensorflow(); os.write(2, b'after')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.startswith(shown)
    rest = done.stderr.removeprefix(shown)
    assert rest == "after" if not ends else rest.rstrip().endswith("ImportError: no AVX")


# ---------------------------------------------------------------- tables of clips


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"speech": ["a.wav", "b.wav"], "label": ["happy", "sad"]}),
        pd.DataFrame({"path": ["a.wav", "b.wav"], "emotion": ["happy", "sad"]}),
        pd.DataFrame({"File_Path": ["a.wav", "b.wav"], " Emotions ": ["happy", "sad"]}),
    ],
)
def test_the_tables_that_people_have_are_tables_of_clips(table):
    clips = utils.clip_table(table)
    assert clips[["speech", "label"]].values.tolist() == [["a.wav", "happy"], ["b.wav", "sad"]]
    assert set(clips.speaker) == set(clips.text) == {utils.UNKNOWN} and set(clips.corpus) == {"own"}


def test_numbers_become_labels_of_text():
    for labels in ([0, 1], [0.0, 1.0], np.array([0, 1])):
        assert list(utils.clip_table(pd.DataFrame({"speech": ["a", "b"], "label": labels})).label) == ["0", "1"]


def test_a_number_of_any_length_may_be_a_name():
    assert utils.one_name(["0" + "1" * 5000, "1" * 5000, "00", "0"]) == {"1" * 5000: "0" + "1" * 5000, "0": "00"}


def test_cells_are_text_and_nothing_is_unknown():
    table = pd.DataFrame({"speech": ["a", "b"], "label": ["x", "y"], "text": ["N/A", 7], "corpus": [1, 2]})
    clips = utils.clip_table(table.assign(speaker=[3.0, "?"], digest=["", "00ff"]))
    assert clips[["speaker", "text", "corpus"]].values.tolist() == [["3", "unknown", "1"], ["unknown", "7", "2"]]
    assert clips.digest.isna().tolist() == [True, False]
    assert utils.clip_table(clips) is clips


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("data/tess", "Expected a table of clips .* not str"),
        (pd.DataFrame({"name": ["a"], "label": ["x"]}), "has the columns name, label; expected speech, label"),
        (pd.DataFrame({"speech": ["a", "b"], "label": ["x", None]}), "Row 1 of the table has no label"),
        (pd.DataFrame([["a", "x", "y"]], columns=["speech", "label", "label"]), "two columns 'label'"),
    ],
)
def test_what_is_no_table_of_clips_is_said_in_a_sentence(table, sentence):
    with pytest.raises(SerlibError, match=sentence):
        utils.clip_table(table)


def test_what_one_of_two_joined_tables_does_not_say_is_unknown():
    said = pd.DataFrame({"speech": ["a"], "label": ["x"], "speaker": ["Anna"], "text": ["yes"], "corpus": ["tess"]})
    clips = utils.clip_table(pd.concat([said, pd.DataFrame({"speech": ["b"], "label": ["y"]})]))
    assert clips[["speaker", "text", "corpus"]].values.tolist()[1] == [utils.UNKNOWN, utils.UNKNOWN, "own"]
