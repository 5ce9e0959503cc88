"""serlib.audio: what libsndfile reads, block by block, and the sentences about the rest."""

import os
import shlex
import subprocess

import numpy as np
import pytest
import soundfile

from serlib import audio
from serlib import audio as containers
from serlib.utils import SerlibError
from tests.trust.damaged import CONTAINERS, encoded


@pytest.fixture
def written(tmp_path, rng):
    """written(format, subtype, channels=1) -> path of 1.5 s of noise at 48 kHz."""

    def make(format="WAV", subtype="PCM_16", *, channels=1):
        path = tmp_path / f"noise.{format}"
        path.write_bytes(encoded(rng.uniform(-0.5, 0.5, (72000, channels)), 48000, format, subtype))
        return path

    return make


@pytest.mark.parametrize("format, subtype", [entry[:2] for entry in CONTAINERS])
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_the_whole(written, monkeypatch, format, subtype, channels):
    path = written(format, subtype, channels=channels)
    expected = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
    monkeypatch.setattr(containers, "_BLOCK", 9000)
    with open(path, "rb", buffering=0) as file:
        blocks = list(containers.blocks(file, path))
        assert {rate_hz for _, rate_hz in blocks} == {48000} and len(blocks) > 7
        np.testing.assert_array_equal(np.concatenate([block for block, _ in blocks]), expected)
        file.seek(0)
        y, _ = containers.samples_of(file, path, offset_s=0.25, duration_s=0.5)
    assert y.flags.writeable and y.dtype == np.float32
    np.testing.assert_allclose(y, expected[12000:36000], atol=1e-6)  # MP3 rounds otherwise after a jump


def test_flac_that_does_not_know_its_length_is_whole(written):
    """As written to a pipe; libsndfile says that it has 2^63 - 1 samples."""
    path = written("FLAC")
    expected, _ = audio.load(path)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert soundfile.info(path).frames > 2**62
    np.testing.assert_array_equal(audio.load(path)[0], expected)
    np.testing.assert_array_equal(audio.load(path, offset_s=1.0, duration_s=9)[0], expected[48000:])
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(SerlibError, match="noise"):
        audio.load(path)


@pytest.mark.parametrize("format", ["W64", "RF64", "CAF", "WAVEX"])
def test_a_file_cut_in_half_is_refused(written, format):
    path = written(format)
    path.write_bytes(path.read_bytes()[:72000])
    with pytest.raises(SerlibError, match=r"noise\.\w+ is (cut short|no sound file)"):
        audio.load(path)


def test_what_is_no_file_does_not_keep_us_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(SerlibError, match="is no ordinary file; expected a sound file"):
            audio.load(path)
    with pytest.raises(SerlibError, match="cannot be read"):
        audio.load("a\0b.wav")


def test_the_mend_can_be_pasted_into_a_shell(tmp_path):
    path = tmp_path / "it's $(touch canary); `touch canary`.wav"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(SerlibError) as error:
        audio.load(path)
    command = str(error.value).partition("`")[2]
    command = command[command.index("ffmpeg -i ") : command.rindex("`")]
    assert shlex.split(command)[:3] == ["ffmpeg", "-i", str(path)]
    subprocess.run(f"set -- {command}", shell=True, check=True, cwd=tmp_path)
    assert not (tmp_path / "canary").exists()


def test_samples_beyond_measure_are_a_fault(sine):
    assert audio.fault(sine() * np.float32(1e30), 16000) == "holds samples of 5e+29 times full scale"
    assert audio.fault(sine() * np.float32(32768), 16000) is None
