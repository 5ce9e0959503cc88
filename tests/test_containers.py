"""serlib.audio.containers: what libsndfile and FFmpeg read, block by block, and the sentences about the rest."""

import io
import os
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import av
import hypothesis
import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from bench import formats
from serlib import audio
from serlib.audio import containers
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
    with pytest.raises(SerlibError, match=r"noise\.\w+ is (cut short|a damaged recording)"):
        audio.load(path)


def test_what_is_no_file_does_not_keep_us_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    for path in (tmp_path / "pipe.wav", "/dev/zero"):
        with pytest.raises(SerlibError, match="is no ordinary file; expected a sound file"):
            audio.load(path)
    with pytest.raises(SerlibError, match="cannot be read"):
        audio.load("a\0b.wav")


def test_samples_beyond_measure_are_a_fault(sine):
    assert audio.fault(sine() * np.float32(1e30), 16000).startswith("holds samples of 5e+29 times full scale")
    assert audio.fault(sine() * np.float32(32768), 16000).endswith("(32768 for 16 bits) and save it again")
    assert audio.fault(sine() * np.float32(4), 16000) is None


# ---------------------------------------------------------------- what FFmpeg reads

IMESSAGE = "CAF, Opus (iMessage)"
#: The kinds that PyAV itself can write.
BY_PYAV = [
    kind for kind in formats.FORMATS if kind.codec not in ("libspeex", "libvorbis") and "iMessage" not in kind.title
]


@pytest.fixture(scope="module")
def recordings():
    """Title of a kind of file -> (its bytes, the samples that went in)."""
    sounds = {kind.title: formats.voice(rate_hz=kind.rate_hz) for kind in BY_PYAV}
    return {kind.title: (formats.encode(sounds[kind.title], kind), sounds[kind.title]) for kind in BY_PYAV}


@pytest.mark.parametrize("kind", BY_PYAV, ids=lambda kind: kind.title)
def test_every_container_and_codec_gives_the_sound_that_went_in(recordings, kind):
    data, y = recordings[kind.title]
    found, rate_hz = audio.decode(data, name=f"clip{kind.suffix}", rate_hz=8000)
    assert rate_hz == 8000 and abs(len(found) / 8000 - 2) < 0.15
    assert formats.similarity(found, audio.resample(y, from_hz=kind.rate_hz, to_hz=8000)) > 0.97
    assert kind.suffix in containers.AUDIO_SUFFIXES


@pytest.mark.parametrize("title", ["WAV, G.722", "M4A, ALAC (Apple)", "MOV, 16 bit (QuickTime)", "Matroska, FLAC"])
def test_what_loses_nothing_is_decoded_as_ffmpeg_does(recordings, title):
    """Sample by sample, against the frames of PyAV put together by hand."""
    data, y = recordings[title]
    with av.open(io.BytesIO(data)) as file:
        frames = [frame.to_ndarray().ravel() for frame in file.decode(audio=0)]
    expected = np.concatenate(frames).astype(np.float64)
    expected /= 2.0 ** (8 * frames[0].dtype.itemsize - 1)
    found, _ = audio.decode(data)
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert len(found) == len(y)


def test_speex_is_read_where_ffmpeg_can_make_it(tmp_path):
    kind = next(kind for kind in formats.FORMATS if kind.codec == "libspeex")
    try:
        data = formats.encode(formats.voice(rate_hz=16000), kind)
    except LookupError as error:
        pytest.skip(str(error))
    found, rate_hz = audio.decode(data)
    assert rate_hz == 16000 and len(found) == 32000


@pytest.mark.parametrize("title", ["M4A, AAC (iPhone, Windows)", "WebM, Opus (browsers)", "AVI, 16 bit"])
def test_a_part_of_a_file_is_the_part_of_the_whole(recordings, title):
    data, _ = recordings[title]
    whole, rate_hz = audio.decode(data)
    part, _ = audio.decode(data, offset_s=0.5, duration_s=0.75)
    np.testing.assert_array_equal(part, whole[rate_hz // 2 : rate_hz // 2 + 3 * rate_hz // 4])
    assert len(audio.decode(data, offset_s=5)[0]) == 0


@pytest.mark.parametrize(
    "title", ["M4A, ALAC (Apple)", "WebM, Opus (browsers)", "Matroska, FLAC", "WAV, G.722", "FLV, AAC", "Ogg FLAC"]
)
@pytest.mark.parametrize("keep", [0.3, 0.6])
def test_what_ffmpeg_reads_is_refused_where_half_of_it_is_missing(recordings, title, keep):
    data, _ = recordings[title]
    with pytest.raises(SerlibError, match=r"half\.x is (cut short|a damaged recording|damaged)") as error:
        audio.decode(data[: round(keep * len(data))], name="half.x")
    assert "delete" not in str(error.value)


def stereo(left, right, container, codec):
    """Two channels in a file."""
    kind = formats.Format("", "", container, codec)
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as out:
        stream = out.add_stream(kind.codec, rate=16000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.stack([left, right]).astype(np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize("container, codec", [("wav", "pcm_s16le"), ("mov", "pcm_s16le"), ("ipod", "alac")])
def test_channels_are_averaged_or_taken_one_by_one(sine, container, codec):
    data = stereo(sine(440), sine(660), container, codec)
    for channel, expected in ((None, (sine(440) + sine(660)) / 2), (0, sine(440)), (1, sine(660))):
        found, _ = audio.decode(data, channel=channel)
        np.testing.assert_allclose(found, expected, atol=2**-14)
    with pytest.raises(SerlibError, match="has 2 channels; there is no channel 2"):
        audio.decode(data, channel=2)


def test_files_that_ffmpeg_reads_are_read_by_many_threads_at_once(recordings):
    data, _ = recordings["M4A, AAC (iPhone, Windows)"]
    expected, _ = audio.decode(data)
    with ThreadPoolExecutor(8) as pool:
        for found, _ in pool.map(lambda _: audio.decode(data), range(40)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("layout", "channels"), [("7.1", 8), ("hexadecagonal", 16)])
@pytest.mark.parametrize(("container", "codec"), [("matroska", "wavpack"), ("mov", "pcm_s16le"), ("adts", "aac")])
def test_many_channels(layout, channels, container, codec):
    """More than seven planes: PyAV's own `to_ndarray` reads beyond them, and the process may die."""
    t = np.arange(24000) / 48000
    y = np.stack([0.1 * np.sin(2 * np.pi * (200 + 40 * k) * t) for k in range(channels)], axis=1).astype(np.float32)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as out:
            stream = out.add_stream(codec, rate=48000, layout=layout)
            for start in range(0, len(y), 1000):
                part = np.ascontiguousarray(y[start : start + 1000]).reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(part, "flt", layout)
                frame.sample_rate = 48000
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    except av.error.FFmpegError:
        assert (codec, channels) in [("aac", 16), ("wavpack", 16)], "this FFmpeg cannot make it"
        return
    for k in (0, 1, channels - 1):
        found = audio.decode(file.getvalue(), name=f"x.{container}", channel=k)[0][4800:14400]
        assert np.abs(np.fft.rfft(found)).argmax() * 5 == 200 + 40 * k


@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(
    title=st.sampled_from(
        [kind.title for kind in BY_PYAV if kind.suffix in (".aac", ".m4a", ".webm", ".flv", ".wma", ".mts", ".wv")]
    ),
    at=st.integers(0, 3000),
    junk=st.binary(max_size=8),
    keep=st.floats(0, 1),
)
def test_damaged_files_are_read_or_refused_in_one_sentence(recordings, title, at, junk, keep):
    whole, _ = recordings[title]
    data = whole[:at] + junk + whole[at + len(junk) :]
    try:
        y, _ = audio.decode(data[: round(keep * len(data))], name="clip.x")
    except SerlibError as error:
        assert str(error).startswith("clip.x ") and "delete" not in str(error)
    else:
        assert y.ndim == 1 and y.dtype == np.float32


@pytest.mark.parametrize(
    "text",
    ["#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", "ffconcat version 1.0\nfile /etc/hostname\n", "v=0\no=- 0 0 IN IP4 x\n"],
)
def test_a_playlist_makes_us_open_nothing(text):
    with pytest.raises(SerlibError, match=r"list\.wav is text, no sound"):
        audio.decode(text.encode() * 20, name="list.wav")


def test_a_video_without_sound_says_so():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    with pytest.raises(SerlibError, match=r"film\.mp4 has no track of sound; record it again with sound"):
        audio.decode(file.getvalue(), name="film.mp4")


def test_pyav_is_not_imported_until_it_is_needed():
    code = "import sys, serlib.audio, serlib.recognizer; print('av' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# ---------------------------------------------------------------- headers that do not tell the truth


def wav(pcm, promised, *, format=1, bits=16):
    """A WAV file of 16 kHz whose header promises so many bytes."""
    width = bits // 8
    fmt = struct.pack("<IHHIIHH", 16, format, 1, 16000, 16000 * width, width, bits)
    return (
        b"RIFF"
        + struct.pack("<I", (promised + 36) % 2**32)
        + b"WAVEfmt "
        + fmt
        + b"data"
        + struct.pack("<I", promised)
        + pcm
    )


@pytest.mark.parametrize("promised", [0, 0x7FFF0000, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF - 36, 0xFFFFFFFF])
def test_a_streamed_wav_is_whole_whatever_its_header_promises(sine, promised):
    y = (sine() * 32767).astype("<i2")
    notes = []
    found, rate_hz = audio.decode(wav(y.tobytes(), promised), notes=notes)
    assert rate_hz == 16000 and notes == []
    np.testing.assert_array_equal(found, y / np.float32(32768))


@pytest.mark.parametrize("codec", ["g722", "ac3"])
@pytest.mark.parametrize("promised", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_so_it_is_where_ffmpeg_decodes_it(recordings, codec, promised):
    data, _ = recordings["WAV, G.722" if codec == "g722" else "WAV, AC-3"]
    at = data.index(b"data") + 4
    expected, _ = audio.decode(data)
    found, _ = audio.decode(data[:at] + struct.pack("<I", promised) + data[at + 4 :])
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("missing, note", [(44, "ends 1.37 ms before"), (3000, "ends 93.8 ms before")])
def test_a_header_that_promises_a_little_more_is_used_with_a_note(sine, missing, note):
    pcm = (sine() * 32767).astype("<i2").tobytes()
    notes = []
    assert len(audio.decode(wav(pcm, len(pcm) + missing), notes=notes)[0]) == 16000
    assert notes == [f"{note} its header says; used as it is"]


def test_a_header_that_promises_much_more_is_refused(sine):
    pcm = (sine() * 32767).astype("<i2").tobytes()
    with pytest.raises(SerlibError, match="is cut short: only 88% of the sound is there"):
        audio.decode(wav(pcm, len(pcm) + 4400))


def test_the_same_length_is_the_most_at_any_rate():
    """But for what would fill the memory."""
    assert containers.longest_s(8000) == containers.longest_s(44100) == 3 * 3600
    assert containers.longest_s(192000) * 192000 == containers.MOST_SAMPLES == 2**29


def test_four_hours_without_a_header_are_refused_undecoded(monkeypatch):
    """Its packets are counted as far as needed."""
    kind = next(kind for kind in formats.FORMATS if kind.title == "G.726")
    minute = formats.encode(formats.voice(rate_hz=kind.rate_hz, duration_s=60), kind)
    monkeypatch.setattr(containers._Ffmpeg, "read", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SerlibError, match=r"day\.g726 lasts longer than 3.0 h, the most that is read at once; cut it"):
        audio.decode(minute * 240, name="day.g726")


def test_four_hours_are_refused_at_once(tmp_path, monkeypatch):
    """From the header, before anything is decoded."""
    path = tmp_path / "day.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as sound:
        for _ in range(40):
            sound.write(np.zeros(8000 * 60, np.int16))
    monkeypatch.setattr(containers, "MOST_SAMPLES", 8000 * 60 * 30)
    began = time.process_time()
    with pytest.raises(SerlibError, match=r"day.flac lasts longer than 0.5 h"):
        audio.load(path)
    assert time.process_time() - began < 0.05
    assert len(audio.load(path, duration_s=3)[0]) == 24000


@pytest.mark.parametrize(
    "title",
    [
        *("AAC (ADTS)", "AAC (LATM)", "AC-3", "AMR (telephone)", "G.722", "G.726", "WebM, Opus (browsers)"),
        *("MPEG transport stream, AAC", "AVI, MP3"),
    ],
)
def test_a_long_recording_without_a_length_is_refused_undecoded(title, monkeypatch):
    """Its packets are counted; a part of it can be had."""
    kind = next(kind for kind in formats.FORMATS if kind.title == title)
    minute = formats.encode(formats.voice(rate_hz=kind.rate_hz, duration_s=60), kind)
    monkeypatch.setattr(containers, "MOST_SAMPLES", 40 * kind.rate_hz)
    monkeypatch.setattr(containers._Ffmpeg, "declared_s", lambda self: None)
    name = f"day{kind.suffix}"
    assert len(audio.decode(minute, name=name, duration_s=3)[0]) == 3 * kind.rate_hz
    monkeypatch.setattr(containers._Ffmpeg, "read", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SerlibError, match=f"{name} lasts longer than 0.0 h"):
        audio.decode(minute, name=name)


def test_an_mp3_without_a_length_is_refused_at_once(monkeypatch):
    """Frames alone, of changing bit rates, as a stream of the radio has them: libsndfile counts them."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=16000, layout="mono", options={"q": "5"})
        frame = av.AudioFrame.from_ndarray(formats.voice(rate_hz=16000, duration_s=60)[np.newaxis], "fltp", "mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    assert abs(len(audio.decode(file.getvalue())[0]) / 16000 - 60) < 0.3
    monkeypatch.setattr(containers, "MOST_SAMPLES", 40 * 16000)
    monkeypatch.setattr(containers._Sndfile, "read", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(SerlibError, match="lasts longer than"):
        audio.decode(file.getvalue())


# ---------------------------------------------------------------- samples that were never scaled


@pytest.mark.parametrize("format, bits", [(3, 32), (3, 64)])
def test_sixteen_bits_as_floats_are_scaled_with_a_note(sine, format, bits, tmp_path):
    y = np.round(sine() * 32767)
    data = wav(y.astype(f"<f{bits // 8}").tobytes(), len(y) * bits // 8, format=format, bits=bits)
    notes = []
    found, _ = audio.decode(data, notes=notes)
    np.testing.assert_allclose(found, y / 32768, atol=1e-7)
    assert notes == ["holds integers that were never scaled; divided by 32768"]
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.warns(UserWarning, match="x.wav holds integers that were never scaled"):
        audio.load(tmp_path / "x.wav")
    with open(tmp_path / "x.wav", "rb", buffering=0) as file:
        duration_s, rate_hz, fault, said = audio.survey(file, "x.wav")
    assert (duration_s, rate_hz, fault, said) == (1.0, 16000, None, notes)


def test_two_channels_that_were_never_scaled_are_scaled_too(sine, tmp_path):
    y = np.round(np.column_stack([sine(440), sine(660)]) * 32767)
    soundfile.write(tmp_path / "x.wav", y, 16000, subtype="FLOAT")
    notes = []
    found, _ = audio.load(tmp_path / "x.wav", notes=notes)
    assert notes and np.abs(found - y.mean(axis=1) / 32768).max() < 1e-6


def test_what_may_be_anything_is_refused(sine):
    """Resampled after it was not scaled: no whole numbers, so nothing is certain."""
    y = audio.resample(np.round(sine() * 32767), from_hz=16000, to_hz=22050)
    assert audio.full_scale(y) == 1.0
    assert "which were never scaled" in audio.fault(y, 22050)


def test_a_loud_mix_and_a_square_wave_are_as_they_are(sine):
    for y in (sine() * 3, np.sign(sine()), np.round(2 * sine())):
        assert audio.full_scale(y) == 1.0 and audio.fault(y.astype(np.float32), 16000) is None


def test_channels_that_cancel_each_other_out(sine, tmp_path):
    """A balanced line that was recorded as stereo."""
    soundfile.write(tmp_path / "x.wav", np.column_stack([sine(440), -sine(440)]), 16000)
    with open(tmp_path / "x.wav", "rb", buffering=0) as file:
        assert audio.survey(file, "x.wav")[2].startswith("is silent since its channels cancel each other out")
