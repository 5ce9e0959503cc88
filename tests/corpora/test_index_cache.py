"""serlib.corpora.index_cache: an unchanged file is not opened again, a changed one is; damage costs time only."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from pyarrow import parquet

from serlib import corpora
from serlib.corpora import index_cache
from serlib.utils import data_dir


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that were read, in order of their names; emptied by whoever looks."""
    names = []
    read = index_cache._read

    def noted(path, known):
        names.append(path.name)
        return read(path, known)

    monkeypatch.setattr(index_cache, "_read", noted)
    monkeypatch.setattr(index_cache, "TICK_NS", -(10**12))  # what was written this moment counts as old
    return names


@pytest.fixture
def clips(home, rng):
    """A folder of six recordings, and one that holds no sound."""
    folder = home / "mine"
    for label in ("happy", "sad"):
        for n in range(3):
            (folder / label).mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / label / f"{label}{n}.wav", 0.1 * rng.standard_normal(4000), 16000)
    (folder / "sad" / "empty.wav").write_bytes(b"")
    return folder


def kept():
    (file,) = (data_dir() / "index").iterdir()
    return file


def test_what_is_unchanged_is_not_opened_again(clips, opened):
    first = corpora.index("folder", clips)
    assert len(opened) == 7 and len(first) == 6
    opened.clear()
    again = corpora.index("folder", clips)
    assert opened == ["empty.wav"]  # what is at fault may have been mended outside
    pd.testing.assert_frame_equal(again, first)
    assert again.attrs == first.attrs and len(again.attrs["rejected"]) == 1


def test_what_has_changed_is_opened_again(clips, opened, rng):
    first = corpora.index("folder", clips)
    changed = clips / "happy" / "happy1.wav"
    times = changed.stat()
    samples = soundfile.read(changed)[0]
    soundfile.write(changed, -samples, 16000)  # as long as before
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.utime(clips / "sad" / "sad0.wav")  # touched, and the same
    (clips / "sad" / "sad2.wav").unlink()
    soundfile.write(clips / "sad" / "new.wav", 0.1 * rng.standard_normal(4000), 16000)
    opened.clear()
    again = corpora.index("folder", clips)
    assert sorted(opened) == ["empty.wav", "happy1.wav", "new.wav", "sad0.wav"]
    digest = dict(zip(again.speech, again.digest, strict=True))
    before = dict(zip(first.speech, first.digest, strict=True))
    assert digest[str(changed)] != before[str(changed)]
    assert str(clips / "sad" / "sad2.wav") not in digest and len(again) == 6
    assert {path for path in digest if digest[path] == before.get(path)} == set(before) - {
        str(changed),
        str(clips / "sad" / "sad2.wav"),
    }
    assert len(parquet.read_table(kept())) == 6  # the file that is gone is forgotten


def test_what_was_written_just_now_is_not_kept(clips, opened, monkeypatch):
    monkeypatch.setattr(index_cache, "TICK_NS", 10**12)
    corpora.index("folder", clips)
    assert not (data_dir() / "index").exists()  # there was nothing to keep


def damaged(file):
    file.write_bytes(file.read_bytes()[:-20])


def empty(file):
    file.write_bytes(b"")


def older(file):
    table = parquet.read_table(file)
    parquet.write_table(table.replace_schema_metadata({"version": "serlib index 0"}), file)


def other_columns(file):
    table = parquet.read_table(file)
    swapped = table.set_column(4, "digest", pa.array(np.arange(len(table))))
    parquet.write_table(swapped, file)


@pytest.mark.parametrize("spoil", [damaged, empty, older, other_columns])
def test_a_kept_file_that_cannot_be_used_is_made_again(clips, opened, spoil):
    first = corpora.index("folder", clips)
    spoil(kept())
    opened.clear()
    pd.testing.assert_frame_equal(corpora.index("folder", clips), first)
    assert len(opened) == 7
    opened.clear()
    corpora.index("folder", clips)
    assert opened == ["empty.wav"]


def test_where_nothing_can_be_kept_the_index_is_the_same(clips, opened):
    (data_dir()).mkdir(exist_ok=True)
    (data_dir() / "index").write_text("a file in the way of the folder")
    first = corpora.index("folder", clips)
    pd.testing.assert_frame_equal(corpora.index("folder", clips), first)
    assert len(opened) == 14


def test_what_was_odd_about_a_file_is_said_again(home, opened):
    folder = home / "mine" / "happy"
    folder.mkdir(parents=True)
    for n in range(3):
        y = np.sin(np.arange(8000) / (9 + n)) * 20000
        soundfile.write(folder / f"{n}.wav", np.round(y).astype(np.float32), 16000, subtype="FLOAT")
    first = corpora.index("folder", home / "mine")
    assert len(first.attrs["repaired"]) == 3 and "divided by 32768" in first.attrs["repaired"][0]["what"]
    opened.clear()
    assert corpora.index("folder", home / "mine").attrs == first.attrs
    assert not opened
