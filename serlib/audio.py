"""Sound in: decode any container to mono float32, resample, trim, find the voice, cut windows."""

import io
import os
import re

import numpy as np

from serlib.base import SerlibError, shown

#: A clip whose loudest swing stays below this is silent: -80 dB of full scale, three steps of a 16-bit recorder.
SILENT_DB = -80.0
#: Shorter than a syllable: nothing can be heard in it, and a frame of 2048 samples would be mostly padding.
SHORTEST_S = 0.1
#: Outside of these rates a header is wrong; telephones have 8000 Hz, studios up to 192000 Hz.
LOWEST_HZ, HIGHEST_HZ = 2_000, 768_000

# What people give a .wav name. Keys are (offset in the file, first bytes).
_CONVERT = "convert it with `ffmpeg -i {name} {stem}.wav`"
_AGAIN = "expected a sound file; delete it or download it again"
_LOOKALIKES = {
    (4, b"ftyp"): ("an MP4 or M4A recording, which libsndfile cannot read", _CONVERT),
    (0, b"\x1aE\xdf\xa3"): ("a WebM or Matroska recording, which libsndfile cannot read", _CONVERT),
    (0, b"0&\xb2u"): ("a WMA recording, which libsndfile cannot read", _CONVERT),
    (0, b"#!AMR"): ("an AMR recording, which libsndfile cannot read", _CONVERT),
    (0, b"\xff\xf1"): ("an AAC recording, which libsndfile cannot read", _CONVERT),
    (0, b"\xff\xf9"): ("an AAC recording, which libsndfile cannot read", _CONVERT),
    (0, b"\x89PNG"): ("a PNG picture", _AGAIN),
    (0, b"\xff\xd8\xff"): ("a JPEG picture", _AGAIN),
    (0, b"GIF8"): ("a GIF picture", _AGAIN),
    (0, b"%PDF"): ("a PDF document", _AGAIN),
    (0, b"PK\x03\x04"): ("a ZIP archive", "unpack it first"),
    (0, b"\x1f\x8b"): ("a gzip archive", "unpack it first"),
}

# libsndfile's log, where a chunk promises more bytes than the file has: "data : 60000 (should be 956)".
_CUT_SHORT = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
# Recorders that stream to a pipe write 0 or the largest number for the length; such files are whole.
_STREAMED = 0x7FFFFFFF


def load(path, *, rate_hz=None, offset_s=0.0, duration_s=None):
    """Read a sound file.

    The content decides what it is, not the name: WAV (8, 16, 24, 32 bit, float), AIFF, FLAC, OGG, MP3 and whatever
    else libsndfile knows. Channels are averaged.

    Parameters
    ----------
    path : str or Path
    rate_hz : int, optional
        Resample to this rate. Default: the file's own.
    offset_s, duration_s : float, optional
        Read only this part, as `librosa.load` does; the rest of a long recording is not decoded. A part that lies
        behind the end is empty.

    Returns
    -------
    y : np.ndarray [shape=(n,)]
        Mono waveform, float32, full scale 1.0.
    rate_hz : int
        Samples per second of `y`.

    Raises
    ------
    SerlibError
        The file is missing, is no sound, or is cut short; the message names it and the mend.

    Taught in notebooks/02_eda.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            return _decode(file, path, rate_hz, offset_s, duration_s)
    except FileNotFoundError:
        raise SerlibError(f"{shown(path)} does not exist; check the path, or index the corpus again") from None
    except IsADirectoryError:
        raise SerlibError(f"{shown(path)} is a folder; expected a sound file") from None
    except OSError as error:
        raise SerlibError(f"{shown(path)} cannot be read ({error.strerror or error}); check its permissions") from None


def decode(data, *, name="the recording", rate_hz=None, offset_s=0.0, duration_s=None):
    """The same as `load`, from bytes that were read already (a download, an upload, a microphone).

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str or Path
        What messages call it.
    rate_hz, offset_s, duration_s
        As in `load`.

    Returns
    -------
    y : np.ndarray [shape=(n,)], float32, full scale 1.0
    rate_hz : int
    """
    return _decode(io.BytesIO(data), name, rate_hz, offset_s, duration_s)


def _decode(file, name, rate_hz, offset_s, duration_s):
    """Decode an open binary file."""
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            native_hz, whole = sound.samplerate, sound.frames
            if not LOWEST_HZ <= native_hz <= HIGHEST_HZ:
                raise SerlibError(
                    f"{shown(name)} says it has {native_hz} samples per second; expected {LOWEST_HZ} to {HIGHEST_HZ}; "
                    "its header is damaged: download it or record it again"
                )
            for promised, held in _CUT_SHORT.findall(sound.extra_info):
                if int(promised) < _STREAMED and int(held) < 0.99 * int(promised):
                    raise SerlibError(_cut_short(name, int(held) / int(promised)))
            # Rounding as in librosa.load, so that the same samples are read.
            start = min(int(offset_s * native_hz), whole)
            wanted = whole - start if duration_s is None else min(int(duration_s * native_hz), whole - start)
            if start:
                sound.seek(start)
            y = sound.read(wanted, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError, ValueError, RuntimeError):
        raise SerlibError(_not_sound(file, name)) from None
    # MP3 and OGG promise a length too, give or take their padding.
    if len(y) < 0.99 * wanted - 2304:
        raise SerlibError(_cut_short(name, len(y) / wanted))
    y = y[:, 0].copy() if y.shape[1] == 1 else y.mean(axis=1)
    if rate_hz is None or rate_hz == native_hz:
        return y, native_hz
    return resample(y, from_hz=native_hz, to_hz=rate_hz), int(rate_hz)


def _cut_short(name, share):
    return f"{shown(name)} is cut short: only {share:.0%} of the sound is there; download or copy it again"


def _not_sound(file, name):
    """What a file that libsndfile refuses is instead, and the mend."""
    file.seek(0)
    head = file.read(512)
    name = shown(name)
    if not head:
        return f"{name} is empty (0 bytes); delete it or download it again"
    for (at, magic), (what, mend) in _LOOKALIKES.items():
        if head[at:].startswith(magic):
            return f"{name} is {what}; {mend.format(name=name, stem=os.path.splitext(name)[0])}"
    if not any(byte < 9 or 13 < byte < 32 for byte in head):
        return f"{name} is text; {_AGAIN}"
    return f"{name} is no sound file, or a damaged one; {_AGAIN}"


def fault(y, rate_hz):
    """Why a clip cannot be used.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int

    Returns
    -------
    str or None
        The end of a sentence that begins with the file's name, e.g. "is silent"; None for a clip that is fine.
    """
    if len(y) == 0:
        return "holds no samples"
    if not np.isfinite(y).all():
        return "holds NaN or infinite samples"
    if len(y) < SHORTEST_S * rate_hz:
        return f"is shorter than {SHORTEST_S} s"
    # Peak to peak, so that a constant offset counts as silence too.
    if np.ptp(y) <= 2 * 10 ** (SILENT_DB / 20):
        return "is silent"
    return None


def resample(y, *, from_hz, to_hz):
    """Change the sampling rate with soxr's high quality filter, as `librosa.resample` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    from_hz, to_hz : int

    Returns
    -------
    np.ndarray [shape=(ceil(n * to_hz / from_hz),)], float32
    """
    import soxr

    y = np.asarray(y, dtype=np.float32)
    if from_hz == to_hz or len(y) == 0:
        return y
    length = int(np.ceil(len(y) * (float(to_hz) / from_hz)))
    out = soxr.resample(y, from_hz, to_hz, quality="HQ")[:length]
    return out if len(out) == length else np.pad(out, (0, length - len(out)))
