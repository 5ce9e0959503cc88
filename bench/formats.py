"""Every container and codec that could be made here, and what `serlib.load` makes of it: the table of docs/formats.md.

    python bench/formats.py            print it
    python bench/formats.py --write    write it to docs/formats.md

PyAV makes the files, so that the table can be repeated wherever serlib is installed; what it cannot make (Speex) is
tried where an `ffmpeg` command is there.
"""

import argparse
import contextlib
import io
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import librosa
import numpy as np
import soundfile

from serlib import audio
from serlib.audio import containers
from serlib.utils import SerlibError

DOCS = Path(__file__).resolve().parents[1] / "docs" / "formats.md"
MARK = "<!-- bench/formats.py -->"
DURATION_S = 2.0
#: Bits per second, where it is not 64000.
BIT_RATES = {"libopencore_amrnb": 12200, "g726": 32000}


@dataclass(frozen=True)
class Format:
    """One kind of file: what people call it, its suffix, and FFmpeg's names for container and codec."""

    title: str
    suffix: str
    container: str
    codec: str
    rate_hz: int = 16000


FORMATS = (
    Format("WAV, 16 bit", ".wav", "wav", "pcm_s16le"),
    Format("WAV, 24 bit", ".wav", "wav", "pcm_s24le"),
    Format("WAV, 32 bit", ".wav", "wav", "pcm_s32le"),
    Format("WAV, 8 bit", ".wav", "wav", "pcm_u8"),
    Format("WAV, float", ".wav", "wav", "pcm_f32le"),
    Format("WAV, double", ".wav", "wav", "pcm_f64le"),
    Format("WAV, mu-law (telephone)", ".wav", "wav", "pcm_mulaw", 8000),
    Format("WAV, A-law (telephone)", ".wav", "wav", "pcm_alaw", 8000),
    Format("WAV, Microsoft ADPCM", ".wav", "wav", "adpcm_ms"),
    Format("WAV, IMA ADPCM", ".wav", "wav", "adpcm_ima_wav"),
    Format("WAV, G.722", ".wav", "wav", "g722"),
    Format("WAV, G.726", ".wav", "wav", "g726", 8000),
    Format("WAV, MP3", ".wav", "wav", "libmp3lame"),
    Format("WAV, AC-3", ".wav", "wav", "ac3", 48000),
    Format("WAV, WMA", ".wav", "wav", "wmav2"),
    Format("W64", ".w64", "w64", "pcm_s16le"),
    Format("AIFF", ".aiff", "aiff", "pcm_s16be"),
    Format("AU", ".au", "au", "pcm_s16be"),
    Format("CAF, 16 bit", ".caf", "caf", "pcm_s16be"),
    Format("CAF, ALAC (Apple)", ".caf", "caf", "alac"),
    Format("CAF, Opus (iMessage)", ".caf", "caf", "libopus", 48000),
    Format("FLAC", ".flac", "flac", "flac"),
    Format("Ogg Vorbis", ".ogg", "ogg", "libvorbis"),
    Format("Ogg Opus (WhatsApp, Telegram)", ".opus", "ogg", "libopus", 48000),
    Format("Ogg FLAC", ".oga", "ogg", "flac"),
    Format("Ogg Speex", ".spx", "ogg", "libspeex"),
    Format("WavPack", ".wv", "wv", "wavpack"),
    Format("TTA", ".tta", "tta", "tta"),
    Format("MP3", ".mp3", "mp3", "libmp3lame"),
    Format("MP2", ".mp2", "mp2", "mp2", 44100),
    Format("M4A, AAC (iPhone, Windows)", ".m4a", "ipod", "aac"),
    Format("M4A, ALAC (Apple)", ".m4a", "ipod", "alac"),
    Format("MP4, AAC", ".mp4", "mp4", "aac"),
    Format("MP4, Opus", ".mp4", "mp4", "libopus", 48000),
    Format("AAC (ADTS)", ".aac", "adts", "aac"),
    Format("AAC (LATM)", ".latm", "latm", "aac"),
    Format("MOV, AAC (QuickTime)", ".mov", "mov", "aac"),
    Format("MOV, 16 bit (QuickTime)", ".mov", "mov", "pcm_s16le"),
    Format("3GP, AMR (telephone)", ".3gp", "3gp", "libopencore_amrnb", 8000),
    Format("3GP, AAC", ".3gp", "3gp", "aac"),
    Format("AMR (telephone)", ".amr", "amr", "libopencore_amrnb", 8000),
    Format("WebM, Opus (browsers)", ".webm", "webm", "libopus", 48000),
    Format("WebM, Vorbis", ".webm", "webm", "libvorbis"),
    Format("Matroska, FLAC", ".mka", "matroska", "flac"),
    Format("Matroska, AAC", ".mkv", "matroska", "aac"),
    Format("WMA", ".wma", "asf", "wmav2"),
    Format("AVI, MP3", ".avi", "avi", "libmp3lame"),
    Format("AVI, 16 bit", ".avi", "avi", "pcm_s16le"),
    Format("FLV, AAC", ".flv", "flv", "aac"),
    Format("FLV, MP3", ".flv", "flv", "libmp3lame", 44100),
    Format("MPEG, MP2", ".mpeg", "mpeg", "mp2", 44100),
    Format("MPEG transport stream, AAC", ".mts", "mpegts", "aac"),
    Format("AC-3", ".ac3", "ac3", "ac3", 48000),
    Format("E-AC-3", ".eac3", "eac3", "eac3", 48000),
    Format("G.722", ".g722", "g722", "g722"),
    Format("G.726", ".g726", "g726", "g726", 8000),
    Format("VOC", ".voc", "voc", "pcm_s16le"),
    Format("SoX", ".sox", "sox", "pcm_s32le"),
)


def voice(*, rate_hz, duration_s=DURATION_S):
    """A buzz whose pitch and loudness wander, as speech does.

    Returns
    -------
    np.ndarray [shape=(n,)], float32
    """
    t = np.arange(round(duration_s * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(180 + 30 * np.sin(2 * np.pi * 1.3 * t)) / rate_hz
    buzz = sum(np.sin(k * phase) / k for k in range(1, 8))
    return (0.2 * buzz * (1.2 + np.sin(2 * np.pi * 2.1 * t))).astype(np.float32)


def encode(y, kind):
    """The bytes of a file of that kind.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    kind : Format

    Raises
    ------
    LookupError
        Neither PyAV nor an `ffmpeg` command here has an encoder for it.
    """
    try:
        return _by_pyav(y, kind)
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, ValueError):  # no encoder or no muxer in its FFmpeg
        return _by_command(y, kind)


def _by_pyav(y, kind):
    file = io.BytesIO()
    with av.open(file, "w", format=kind.container) as out:
        stream = out.add_stream(kind.codec, rate=kind.rate_hz, layout="mono")
        stream.bit_rate = BIT_RATES.get(kind.codec, 64000)
        frame = av.AudioFrame.from_ndarray(y[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = kind.rate_hz
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return file.getvalue()


def _by_command(y, kind):
    if not shutil.which("ffmpeg"):
        raise LookupError(f"no encoder for {kind.codec}")
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "source.wav", Path(folder) / f"made{kind.suffix}"
        soundfile.write(source, y, kind.rate_hz)
        command = ["ffmpeg", "-loglevel", "error", "-i", source, "-c:a", kind.codec, "-f", kind.container, made]
        if subprocess.run(command, capture_output=True).returncode:
            raise LookupError(f"no encoder for {kind.codec}")
        return made.read_bytes()


def similarity(y, reference):
    """How well the spectrograms of two sounds agree at the best delay up to 0.1 s: correlation, 1.0 for the same.

    Magnitudes alone: the codecs of telephones keep no phase.

    Parameters
    ----------
    y, reference : np.ndarray
        At 8000 Hz.
    """
    decoded, expected = (abs(librosa.stft(part, n_fft=512, hop_length=80)) for part in (y, reference))
    best = 0.0
    for delay in range(-10, 11):
        late, early = decoded[:, max(0, delay) :], expected[:, max(0, -delay) :]
        frames = min(late.shape[1], early.shape[1])
        best = max(best, np.corrcoef(late[:, :frames].ravel(), early[:, :frames].ravel())[0, 1])
    return float(best)


def rows(formats=FORMATS):
    """What came of each: title, suffix, who decodes it, and the answer."""
    for kind in formats:
        y = voice(rate_hz=kind.rate_hz)
        try:
            data = encode(y, kind)
        except LookupError as error:
            yield kind.title, kind.suffix, "", f"not tried: {error}"
            continue
        notes = []
        name = f"clip{kind.suffix}"
        try:
            decoded, _ = audio.decode(data, name=name, rate_hz=8000, notes=notes)
        except SerlibError as error:
            yield kind.title, kind.suffix, "", str(error)
            continue
        agreement = similarity(decoded, audio.resample(y, from_hz=kind.rate_hz, to_hz=8000))
        answer = f"read, {len(decoded) / 8000:.2f} s, correlation {agreement:.3f}"
        yield kind.title, kind.suffix, decoder(data, name), "; ".join([answer, *notes])


def decoder(data, name):
    """Which library decodes it."""
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(data)
        file.seek(0)
        sound = containers._libsndfile(file, name)
        with contextlib.closing(sound) if sound else contextlib.nullcontext():
            return "libsndfile" if sound else "FFmpeg (PyAV)"


def table():
    """The table as Markdown."""
    lines = [
        "| file | suffix | decoded by | answer to 2.00 s of sound |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows()])


def main():
    """Print the table, or write it where docs/formats.md has its mark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write it to docs/formats.md")
    args = parser.parse_args()
    made = table()
    if args.write:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition(MARK)
        _, _, after = rest.partition(MARK)
        DOCS.write_text(f"{before}{MARK}\n\n{made}\n\n{MARK}{after}", encoding="utf-8")
    else:
        print(made)


if __name__ == "__main__":
    main()
