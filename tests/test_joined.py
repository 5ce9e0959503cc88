"""serlib.audio.joined: files that somebody put one behind the other."""

import functools
import io
import struct

import av
import numpy as np
import pytest
import soundfile

from bench import formats
from serlib import audio, corpora
from serlib.audio import joined
from serlib.utils import SerlibError
from tests.test_containers import BY_PYAV, wav

#: What FFmpeg and libsndfile read to the end though there is a header in the middle.
THROUGH = {"W64", "MP2", "AAC (ADTS)", "AAC (LATM)", "AC-3", "E-AC-3", "G.722", "G.726", "SoX", "MPEG, MP2"}
THROUGH |= {kind.title for kind in BY_PYAV if kind.title.startswith(("WebM", "Matroska", "AVI", "MPEG transport"))}


@functools.cache
def encoded(kind, duration_s):
    y = formats.voice(rate_hz=kind.rate_hz, duration_s=duration_s)
    return formats.encode(y, kind), y


@pytest.mark.parametrize("kind", BY_PYAV, ids=lambda kind: kind.title)
def test_of_joined_files_all_is_used_or_nothing(kind):
    """`cat one two > both`: never the first alone without a word."""
    (one, y_one), (two, y_two) = encoded(kind, 1.0), encoded(kind, 1.5)
    name = f"both{kind.suffix}"
    notes = []
    try:
        y, rate_hz = audio.decode(one + two, name=name, notes=notes)
    except SerlibError as error:
        assert f"{name} is several recordings in " in str(error) and kind.title not in THROUGH
        return
    assert abs(len(y) / rate_hz - 2.5) < 0.3
    y = audio.resample(y, from_hz=rate_hz, to_hz=8000)
    assert formats.similarity(y[:8000], audio.resample(y_one, from_hz=kind.rate_hz, to_hz=8000)) > 0.9
    assert formats.similarity(y[-12000:], audio.resample(y_two, from_hz=kind.rate_hz, to_hz=8000)) > 0.9
    assert notes == ([] if kind.title in THROUGH else ["is several recordings, joined as files; all are used"])


@pytest.mark.parametrize("kind", BY_PYAV, ids=lambda kind: kind.title)
def test_one_recording_is_one(kind):
    data, _ = encoded(kind, 1.5)
    assert joined.second(data) is None and not joined.behind(data)


@pytest.mark.parametrize("format", ["FLAC", "OGG", "MP3", "WAV", "AIFF", "CAF", "AU", "W64", "RF64", "WAVEX"])
def test_one_recording_of_libsndfile_is_one(format, rng):
    file = io.BytesIO()
    soundfile.write(file, rng.uniform(-0.5, 0.5, (90001, 2)), 44100, format=format)
    assert joined.second(file.getvalue()) is None and not joined.behind(file.getvalue())


def mp3(duration_s, **options):
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options=options) as out:
        stream = out.add_stream("libmp3lame", rate=16000, layout="mono")
        y = formats.voice(rate_hz=16000, duration_s=duration_s)
        frame = av.AudioFrame.from_ndarray(y[np.newaxis], "fltp", "mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return file.getvalue()


PLAIN = {"write_xing": "0", "id3v2_version": "0"}


@pytest.mark.parametrize("first", [{}, PLAIN, {"id3v2_version": "0"}, {"write_id3v1": "1"}], ids=str)
@pytest.mark.parametrize("second", [{}, PLAIN, {"id3v2_version": "0"}], ids=str)
def test_mp3_with_and_without_tags_and_lengths(first, second):
    data = mp3(2, **first) + mp3(3, **second)
    y, rate_hz = audio.decode(data)
    assert abs(len(y) / rate_hz - 5) < 0.35
    part, _ = audio.decode(data, offset_s=2.5, duration_s=2)
    assert len(part) == 2 * rate_hz


@pytest.mark.parametrize("tags", [b"", b"TAG" + bytes(125), bytes(20000), b"APETAGEX" + bytes(range(256)) * 40])
def test_tags_and_zeros_behind_an_mp3_are_no_second_recording(tags):
    data = mp3(2)
    assert joined.second(data + tags) is None
    assert len(audio.decode(data + tags)[0]) == 32000


def test_a_wav_that_goes_on_says_so(sine):
    """A recorder that crashed, its header being an hour old."""
    pcm = (sine() * 32767).astype("<i2").tobytes()
    notes = []
    assert len(audio.decode(wav(pcm, 8000), notes=notes)[0]) == 4000
    assert notes == ["goes on behind the end that its header names; about 0.7 s more are not used"]
    for rest in (bytes(50000), b"LIST" + struct.pack("<I", 40000) + b"x" * 40000, b"junk"):
        notes = []
        audio.decode(wav(pcm, len(pcm)) + rest, notes=notes)
        assert notes == []


def test_the_index_says_which(tmp_path, sine):
    for label in ("angry", "sad"):
        (tmp_path / label).mkdir()
        soundfile.write(tmp_path / label / "one.wav", sine(200 + 50 * len(label)), 16000)
    (tmp_path / "sad" / "both.mp3").write_bytes(mp3(2) + mp3(3))
    (tmp_path / "sad" / "both.wav").write_bytes(2 * (tmp_path / "sad" / "one.wav").read_bytes())
    table = corpora.index("folder", tmp_path)
    assert len(table) == 3 and abs(table.duration_s.max() - 5) < 0.2
    (repaired,) = table.attrs["repaired"]
    assert repaired["file"].endswith("both.mp3") and "is several recordings" in str(repaired)
    (rejected,) = table.attrs["rejected"]
    assert "both.wav" in rejected["file"] and "several recordings in WAV" in rejected["reason"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\xff\xfb", b"ID3", b"R", b"RIFF", b"RIFF\0\0\0\0WAVE", b"OggS", b"f"]
)
def test_the_beginning_of_a_header_is_no_second_recording(content):
    for data in (content, b"ID3\x04\x00\x00\x00\x00\x00\x00" + content):
        assert joined.second(data) is None
        assert joined.behind(data) == 0
