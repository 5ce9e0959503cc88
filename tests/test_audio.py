"""serlib.audio: containers, faults, resampling, trimming, voice activity, windows."""

import io
import os

import hypothesis
import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from serlib import audio
from serlib.utils import SerlibError


def encoded(y, rate_hz=22050, **how):
    """The bytes of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, y, rate_hz, **{"format": "WAV", "subtype": "PCM_16", **how})
    return file.getvalue()


# ---------------------------------------------------------------- containers


@pytest.mark.parametrize(
    ("subtype", "step"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23), ("PCM_32", 2**-24), ("FLOAT", 0)]
)
def test_every_depth_of_wav_is_read(sine, subtype, step):
    y = sine()
    found, rate_hz = audio.decode(encoded(y, 16000, subtype=subtype))
    assert rate_hz == 16000
    assert found.dtype == np.float32 and found.shape == y.shape
    assert np.abs(found - y).max() <= step


@pytest.mark.parametrize(("format", "tolerance"), [("FLAC", 2**-15), ("AIFF", 2**-15), ("OGG", 0.05), ("MP3", 0.05)])
def test_content_decides_not_the_suffix(sine, tmp_path, format, tolerance):
    y = sine(rate_hz=22050)
    path = tmp_path / "clip.wav"
    subtype = None if format in ("OGG", "MP3") else "PCM_16"
    path.write_bytes(encoded(y, 22050, format=format, subtype=subtype))
    found, rate_hz = audio.load(path)
    assert rate_hz == 22050 and len(found) == len(y)
    assert np.abs(found - y)[2000:-2000].max() < tolerance


def test_channels_are_averaged(rng):
    left, right = rng.uniform(-0.5, 0.5, (2, 1000)).astype(np.float32)
    found, _ = audio.decode(encoded(np.column_stack([left, right]), subtype="FLOAT"))
    np.testing.assert_allclose(found, (left + right) / 2, atol=1e-7)


def test_load_equals_librosa_load(rng, tmp_path):
    path = tmp_path / "noise.wav"
    path.write_bytes(encoded(rng.uniform(-0.5, 0.5, 24414 * 2), 24414))
    expected, _ = librosa.load(path, sr=22050, offset=0.5, duration=1.2)
    found, rate_hz = audio.load(path, rate_hz=22050, offset_s=0.5, duration_s=1.2)
    assert rate_hz == 22050
    np.testing.assert_array_equal(found, expected)


def test_a_part_behind_the_end_is_empty_and_one_across_it_is_short(sine):
    data = encoded(sine(duration_s=1), 16000)
    assert len(audio.decode(data, offset_s=1.5)[0]) == 0
    assert len(audio.decode(data, offset_s=0.75, duration_s=3)[0]) == 4000


# ---------------------------------------------------------------- what is no sound


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty (0 bytes)"),
        (b"<!DOCTYPE html><html>404</html>", "is text"),
        ("Schöne Grüße".encode(), "is text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "is a PNG picture"),
        (b"\xff\xd8\xff\xe0" + bytes(500), "is a JPEG picture"),
        (b"PK\x03\x04" + bytes(500), "is a ZIP archive; unpack it first"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(500), "is a damaged recording in MP4 (M4A), or a part of it is missing"),
        (b"\x1aE\xdf\xa3" + bytes(500), "is a damaged recording in WebM (Matroska)"),
        (bytes(range(256)) * 10, "is no sound file that libsndfile or FFmpeg knows, or a damaged one"),
    ],
)
def test_what_is_no_sound_is_named_with_the_mend(tmp_path, content, says):
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    with pytest.raises(SerlibError) as error:
        audio.load(path)
    assert "clip.wav" in str(error.value) and says in str(error.value) and "delete" not in str(error.value)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(SerlibError, match=r"gone\.wav does not exist"):
        audio.load(tmp_path / "gone.wav")
    with pytest.raises(SerlibError, match="is a folder"):
        audio.load(tmp_path)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "MP3"])
def test_a_file_cut_in_half_is_refused(rng, format):
    data = encoded(rng.uniform(-0.5, 0.5, 40000), format=format, subtype=None if format == "MP3" else "PCM_16")
    with pytest.raises(SerlibError, match=r"half\.wav is cut short: only \d\d% of the sound is there"):
        audio.decode(data[: len(data) // 2], name="half.wav")


@pytest.mark.parametrize("format", ["FLAC", "OGG"])
def test_compressed_files_cut_in_half_are_refused(rng, format):
    data = encoded(rng.uniform(-0.5, 0.5, 40000), format=format, subtype=None)
    with pytest.raises(SerlibError, match=r"half\.wav is"):
        audio.decode(data[: len(data) // 2], name="half.wav")


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_streamed_wav_whose_header_does_not_know_the_length_is_whole(sine, length):
    data = bytearray(encoded(sine(), 16000))
    assert data[36:40] == b"data"
    data[40:44] = length.to_bytes(4, "little")
    assert len(audio.decode(bytes(data))[0]) == 16000


def test_a_header_with_an_absurd_rate_is_refused(sine):
    with pytest.raises(SerlibError, match="says it has 3 samples per second"):
        audio.decode(encoded(sine(), 3))


@hypothesis.settings(deadline=None, max_examples=150)
@hypothesis.given(
    format=st.sampled_from(["WAV", "AIFF", "FLAC", "OGG", "AU", "W64"]),
    at=st.integers(0, 600),
    junk=st.binary(max_size=40),
    keep=st.floats(0, 1),
)
def test_damaged_files_are_read_or_refused_in_one_sentence(format, at, junk, keep):
    whole = encoded(np.sin(np.arange(3000) * 0.05) * 0.3, format=format, subtype=None)
    data = whole[:at] + junk + whole[at + len(junk) :]
    data = data[: round(keep * len(data))]
    try:
        y, rate_hz = audio.decode(data, name="clip.wav", rate_hz=16000)
    except SerlibError as error:
        assert str(error).startswith("clip.wav ")
    else:
        assert y.ndim == 1 and y.dtype == np.float32 and rate_hz == 16000


@pytest.mark.parametrize("format", ["WAV", "AIFF", "FLAC", "OGG", "MP3", "AU", "W64"])
def test_a_file_is_read_as_its_bytes_are(tmp_path, rng, format):
    data = encoded(rng.uniform(-0.5, 0.5, (30000, 2)), format=format, subtype=None)
    (tmp_path / "clip").write_bytes(data)
    part = {"rate_hz": 16000, "offset_s": 0.3, "duration_s": 0.5}
    expected, _ = audio.decode(data, **part)
    assert len(expected) == 8000
    for y, rate_hz in (
        audio.load(tmp_path / "clip", **part),
        audio.checked(tmp_path / "clip", audio.path_digest(tmp_path / "clip"), **part),
    ):
        assert rate_hz == 16000
        np.testing.assert_array_equal(y, expected)


def test_a_file_that_is_not_the_one_that_was_indexed_is_refused(tmp_path, monkeypatch, sine):
    path, data = tmp_path / "clip.wav", encoded(sine())
    path.write_bytes(data)
    indexed = audio.path_digest(path)
    with pytest.raises(SerlibError, match=r"clip\.wav has changed since it was indexed; index the corpus again"):
        audio.checked(path, indexed[::-1])
    decode = audio.reading._decode

    def overwritten(*args, **options):
        path.write_bytes(data[:-2] + b"xx")
        os.utime(path, ns=(1, 1))
        return decode(*args, **options)

    monkeypatch.setattr(audio.reading, "_decode", overwritten)
    with pytest.raises(SerlibError, match=r"clip\.wav has changed"):
        audio.checked(path, indexed)


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.zeros(0), "holds no samples"),
        (np.r_[np.ones(8000), np.nan], "holds NaN or infinite samples"),
        (np.r_[np.ones(8000), -np.inf], "holds NaN or infinite samples"),
        (np.linspace(-1, 1, 1599), "is shorter than 0.1 s"),
        (np.zeros(16000), "is silent"),
        (np.full(16000, 0.25), "is silent"),
        (np.tile([1e-5, -1e-5], 8000), "is silent"),
        (np.linspace(-1, 1, 1600), None),
        (np.tile([1e-3, -1e-3], 8000), None),
    ],
)
def test_fault(y, expected):
    assert audio.fault(y.astype(np.float32), 16000) == expected


# ---------------------------------------------------------------- resampling, trimming, voice activity, windows


@hypothesis.settings(deadline=None)
@hypothesis.given(
    n=st.integers(1, 5000),
    from_hz=st.sampled_from([8000, 16000, 24414, 44100, 96000]),
    to_hz=st.sampled_from([8000, 16000, 22050]),
)
def test_resample_equals_librosa(n, from_hz, to_hz):
    y = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    found = audio.resample(y, from_hz=from_hz, to_hz=to_hz)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, librosa.resample(y, orig_sr=from_hz, target_sr=to_hz))


@pytest.mark.parametrize("top_db", [10, 20, 30, 60])
@pytest.mark.parametrize("silence_s", [0, 0.3])
def test_trim_equals_librosa(voice, top_db, silence_s):
    y = voice(rate_hz=22050, silence_s=silence_s)
    expected, _ = librosa.effects.trim(y, top_db=top_db)
    found = audio.trim(y, rate_hz=22050, top_db=top_db)
    np.testing.assert_array_equal(found, expected)
    if silence_s and top_db == 30:
        assert 0.9 * 22050 < len(found) < 1.2 * 22050


def test_trim_of_silence_is_the_whole_clip():
    y = np.zeros(5000, dtype=np.float32)
    assert len(audio.trim(y, rate_hz=16000)) == 5000
    assert len(audio.trim(y[:0], rate_hz=16000)) == 0


def words(sine, gap_s):
    """Three tones of 0.4 s with pauses between them, at 22050 Hz."""
    pause = np.zeros(int(gap_s * 22050), dtype=np.float32)
    tone = sine(duration_s=0.4, rate_hz=22050)
    return np.concatenate([pause, tone, pause, tone, pause, tone, pause])


@pytest.mark.parametrize("gap_s", [0.1, 0.15, 0.3, 0.5])
def test_voice_activity_equals_librosa_split(sine, gap_s):
    y = words(sine, gap_s)
    found = audio.voice_activity(y, rate_hz=22050, top_db=30, bridge_s=0)
    np.testing.assert_array_equal(found, librosa.effects.split(y, top_db=30))
    assert found.dtype == np.int64


def test_short_pauses_belong_to_the_speech_around_them(sine):
    y = words(sine, 0.5)
    assert len(audio.voice_activity(y, rate_hz=22050, bridge_s=0.2)) == 3
    joined = audio.voice_activity(y, rate_hz=22050, bridge_s=0.6)
    separate = audio.voice_activity(y, rate_hz=22050, bridge_s=0)
    np.testing.assert_array_equal(joined, [[separate[0, 0], separate[-1, 1]]])


@hypothesis.settings(deadline=None)
@hypothesis.given(n=st.integers(0, 5000), rate_hz=st.sampled_from([8000, 22050, 48000]), seed=st.integers(0, 99))
def test_voice_activity_lies_inside_and_in_order(n, rate_hz, seed):
    rng = np.random.default_rng(seed)
    y = (rng.standard_normal(n) * np.repeat(rng.uniform(0, 1, n // 500 + 1) ** 8, 500)[:n]).astype(np.float32)
    flat = audio.voice_activity(y, rate_hz=rate_hz, bridge_s=0.01).ravel()
    assert (np.diff(flat) > 0).all()
    assert len(flat) == 0 or (flat[0] >= 0 and flat[-1] <= n)


@hypothesis.settings(deadline=None)
@hypothesis.given(n=st.integers(0, 3000), window=st.integers(1, 900), hop=st.integers(1, 900))
def test_windows_cover_every_sample_with_pieces_of_one_length(n, window, hop):
    hop = min(hop, window)
    y = np.arange(n, dtype=np.float32)
    starts_s, pieces = audio.windows(y, rate_hz=1000, window_s=window / 1000, hop_s=hop / 1000)
    assert len(starts_s) == len(pieces) >= 1
    assert {len(piece) for piece in pieces} == {min(n, window)}
    assert set(np.concatenate(pieces).tolist()) == set(range(n))
    assert all(
        len(piece) == 0 or piece[0] == round(start * 1000) for start, piece in zip(starts_s, pieces, strict=True)
    )
    assert (np.diff(starts_s) > 0).all()


@pytest.mark.parametrize(("window_s", "hop_s"), [(0, 1), (1, 0), (1, 2), (-1, 1), (np.nan, 1), (1, np.inf)])
def test_windows_that_cannot_be_cut_are_refused(window_s, hop_s):
    with pytest.raises(SerlibError, match="windows of"):
        audio.windows(np.zeros(100), rate_hz=100, window_s=window_s, hop_s=hop_s)


@pytest.mark.real
def test_the_odd_files_of_tess_are_read(real):
    for pattern, native_hz in (("YAF_germ_angry", 24414), ("YAF_neat_fear", 24414), ("OAF_food_fear", 96000)):
        (path,) = (real / "tess").rglob(f"{pattern}.wav")
        y, rate_hz = audio.load(path)
        assert rate_hz == native_hz
        assert audio.fault(y, rate_hz) is None
        assert 1 < len(y) / rate_hz < 4


# ---------------------------------------------------------------- arrays, and whatever else holds sound


def test_arrays_of_any_type_are_the_sound_of_the_file(sine):
    y = (sine() * 32767).astype(np.int16)
    expected = y / np.float32(32768)
    same = [y, y.astype(np.int32) * 65536, y.astype(np.float64) / 32768, y[:, np.newaxis], y[np.newaxis], y[None, None]]
    for array in same:
        notes = []
        np.testing.assert_allclose(audio.mono(array, notes=notes), expected, atol=1e-7)
        assert notes == []
    for array in (y.astype(np.float32), y.astype(np.int64), y.astype(np.int32), np.stack([y, y]).astype(np.float64)):
        notes = []
        np.testing.assert_allclose(audio.mono(array, notes=notes), expected, atol=1e-7)
        assert notes == ["holds integers that were never scaled; divided by 32768"]


@pytest.mark.parametrize(("full", "pause"), [(2.0**31, 2.0**17), (2.0**15, 1.0)])
def test_a_pause_of_a_file_that_was_never_scaled_is_as_loud_as_in_the_whole(tmp_path, rng, full, pause):
    y = np.concatenate([rng.integers(-pause, pause + 1, 8000), rng.integers(-full // 2, full // 2, 8000)])
    soundfile.write(tmp_path / "x.wav", y.astype(np.float32), 8000, subtype="FLOAT")
    whole, _ = audio.load(tmp_path / "x.wav", notes=[])
    part, _ = audio.load(tmp_path / "x.wav", offset_s=0.1, duration_s=0.5, notes=[])
    np.testing.assert_array_equal(part, whole[800:4800])
    assert abs(whole).max() < 1


def test_channels_come_first_or_last(rng):
    y = rng.uniform(-0.5, 0.5, (3, 500)).astype(np.float32)
    for array in (y, y.T):
        np.testing.assert_allclose(audio.mono(array), y.mean(axis=0), atol=1e-7)
        np.testing.assert_array_equal(audio.mono(array, channel=2), y[2])
        with pytest.raises(SerlibError, match="has 3 channels; there is no channel 3"):
            audio.mono(array, channel=3)


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.zeros(5, complex), np.zeros((2, 3, 4)), np.zeros(9, bool)])
def test_arrays_that_are_no_recording_are_refused(array):
    with pytest.raises(SerlibError, match=r"holds no samples; expected floats|is no recording; expected"):
        audio.mono(array)


class Tensor:
    """As much of a tensor of PyTorch as is needed: numpy cannot read one that belongs to a graph."""

    def __init__(self, y):
        self.y = y
        self.ndim = y.ndim
        self.attached = True

    def detach(self):
        tensor = Tensor(self.y)
        tensor.attached = False
        return tensor

    def cpu(self):
        return self

    def float(self):
        return self

    def is_floating_point(self):
        return True

    def __array__(self, dtype=None, copy=None):
        assert not self.attached
        return self.y


def test_whatever_holds_sound_is_opened(sine, tmp_path):
    y = sine()
    data = encoded(y, 16000, subtype="FLOAT")
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    written = io.BytesIO()
    written.write(data)  # stands at its end
    sources = [str(path), path, data, bytearray(data), memoryview(data), io.BytesIO(data), written]
    sources += [(16000, y), (y, 16000), (np.int64(16000), np.stack([y, y])), (Tensor(y[np.newaxis]), 16000)]
    sources += [{"array": y, "sampling_rate": 16000, "path": "x"}]
    for source in sources:
        _, found, rate_hz = audio.any_sound(source)
        assert rate_hz == 16000
        np.testing.assert_allclose(found, y, atol=1e-7)
    with open(path, "rb") as file:
        name, found, _ = audio.any_sound(file)
    assert name == str(path) == audio.any_sound(path)[0] and len(found) == len(y)
    for source, sentence in (
        (y, "An array needs its sampling rate"),
        ((y, 0), "The sampling rate is 0"),
        (io.StringIO("text"), "was opened as text; open it with open"),
        (b"", "The recording is empty"),
    ):
        with pytest.raises(SerlibError, match=sentence):
            audio.any_sound(source)


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"offset_s": -1}, "A part of None s from -1 s on was asked for; choose numbers from 0"),
        ({"duration_s": -0.5}, "A part of -0.5 s from 0.0 s on was asked for"),
        ({"offset_s": float("nan")}, "A part of None s from nan s on was asked for"),
        ({"duration_s": float("inf")}, "A part of inf s from 0.0 s on was asked for"),
        ({"rate_hz": 0}, "A sampling rate of 0 was asked for; choose one from 1"),
    ],
)
def test_a_request_that_makes_no_sense_is_not_laid_to_the_file(tmp_path, part, sentence):
    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    with pytest.raises(SerlibError, match=sentence):
        audio.load(tmp_path / "a.wav", **part)
