"""From whatever holds sound (a file, its bytes, an upload, an array) to mono float32 with full scale 1.0."""

import numbers
import os
import tempfile
import warnings

import numpy as np

from serlib.audio import containers
from serlib.audio.containers import HIGHEST_HZ, LOWEST_HZ, opened
from serlib.audio.waveform import resample
from serlib.utils import SerlibError, shown

#: A clip whose loudest swing stays below this is silent: -80 dB of full scale, three steps of a 16-bit recorder.
SILENT_DB = -80.0
#: Shorter than a syllable: nothing can be heard in it, and a frame of 2048 samples would be mostly padding.
SHORTEST_S = 0.1
#: A loud mix may swing past full scale, but not by 20 dB: beyond that, samples were never divided by their full scale.
LOUDEST = 10.0
#: The note where samples are brought to full scale 1.0.
NOT_SCALED = "holds integers that were never scaled; divided by {:.0f}"


def load(path, *, rate_hz=None, offset_s=0.0, duration_s=None, channel=None, notes=None):
    """Read a sound file of any format that libsndfile or FFmpeg knows (docs/formats.md): its content decides.

    Parameters
    ----------
    path : str or Path
    rate_hz : int, optional
        Resample to this rate. Default: the file's own.
    offset_s, duration_s : float, optional
        Read only this part, as `librosa.load` does; a part that lies behind the end is empty.
    channel : int, optional
        Only this channel, from 0. Default: all are averaged.
    notes : list, optional
        Gets a sentence, without the file's name, for what is odd about the file and was mended. Default: they are
        Python warnings.

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

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import soundfile
    >>> file = Path(tempfile.mkdtemp()) / "tone.wav"
    >>> soundfile.write(file, np.sin(np.arange(16000)), 16000)
    >>> y, rate_hz = load(file, rate_hz=8000)
    >>> y.shape, y.dtype.name, rate_hz
    ((8000,), 'float32', 8000)

    Taught in notebooks/02_eda.
    """
    odd = [] if notes is None else notes
    with opened(path) as file:
        sound = _decode(file, path, rate_hz, offset_s=offset_s, duration_s=duration_s, channel=channel, notes=odd)
    if notes is None:
        for note in odd:
            warnings.warn(f"{shown(path)} {note}", stacklevel=2)
    return sound


def decode(data, *, name="the recording", rate_hz=None, **part):
    """The same as `load`, from the bytes of a whole file (an upload, a microphone), which messages call by `name`."""
    with tempfile.TemporaryFile(buffering=0) as file:  # libsndfile seeks where Python's own buffers would complain
        file.write(data)
        file.seek(0)
        return _decode(file, name, rate_hz, **part)


def checked(path, content, *, rate_hz=None, offset_s=0.0, duration_s=None):
    """The same as `load`, for a file of an index: SerlibError where `path_digest` no longer gives this `content`."""
    with opened(path) as file:
        written_ns = os.fstat(file.fileno()).st_mtime_ns
        if containers.file_digest(file) == content:
            decoded = _decode(file, path, rate_hz, offset_s=offset_s, duration_s=duration_s)
            if os.fstat(file.fileno()).st_mtime_ns == written_ns:  # nobody wrote between the two readings
                return decoded
    raise SerlibError(f"{shown(path)} has changed since it was indexed; index the corpus again")


def _decode(file, name, rate_hz, *, notes=None, **part):
    """Decode an open file, and bring it to full scale 1.0 and to the rate that is asked for."""
    notes = [] if notes is None else notes
    if rate_hz is not None and not 0 < rate_hz <= HIGHEST_HZ:
        raise SerlibError(f"A sampling rate of {rate_hz} was asked for; choose one from 1 to {HIGHEST_HZ}")
    y, native_hz = containers.samples_of(file, name, notes=notes, **part)
    scale = full_scale(y)
    is_part = part.get("offset_s") or part.get("duration_s") is not None
    if is_part and max(y.max(initial=0), -y.min(initial=0)) >= 1 and _whole_numbers(y):  # it may be a pause
        scale = full_scale(containers.samples_of(file, name, channel=part.get("channel"))[0])
    if scale > 1:
        notes.append(NOT_SCALED.format(scale))
        y = y / np.float32(scale)
    if rate_hz is None or rate_hz == native_hz:
        return y, native_hz
    return resample(y, from_hz=native_hz, to_hz=rate_hz), int(rate_hz)


def survey(file, name):
    """Look at the whole of an open file, which messages call by `name`, without keeping its samples.

    Returns
    -------
    duration_s : float
    rate_hz : int
    fault : str or None
        As from `fault`.
    notes : list of str
        As in `load`.
    """
    notes = []
    extremes = []
    samples = 0
    whole = True
    for block, rate_hz in containers.blocks(file, name, notes=notes):  # noqa: B007  the rate is the last block's
        samples += len(block)
        extremes += [block.min(), block.max()] if len(block) else []
        whole = whole and _whole_numbers(block)
    loudest = np.array(extremes, np.float32)  # tells silence, NaN and what was never scaled, as all samples would
    scale = full_scale(loudest) if whole else 1.0
    if scale > 1:
        notes.append(NOT_SCALED.format(scale))
    if 0 < samples < SHORTEST_S * rate_hz:
        return samples / rate_hz, rate_hz, f"is shorter than {SHORTEST_S} s", notes
    why = fault(loudest / scale, 1)
    if why == "is silent" and any(np.ptp(block) > 0.01 for block, _ in containers.blocks(file, name, channel=0)):
        why = "is silent since its channels cancel each other out when they are averaged; save one of them"
    return samples / rate_hz, rate_hz, why, notes


def any_sound(sound, *, rate_hz=None, channel=None, notes=None):
    """Samples of whatever holds sound: what people hand to a recognizer.

    Parameters
    ----------
    sound : str, Path, bytes, binary file, tuple, dict, or array
        A path; the bytes of a file; an open file, read from its beginning; `(rate_hz, y)` or `(y, rate_hz)`;
        `{"array": y, "sampling_rate": rate_hz}`; samples as in `mono`.
    rate_hz : int, optional
        Samples per second of an array that does not bring its own.
    channel, notes
        As in `load`.

    Returns
    -------
    name : str
        The path, or the name of the open file; "" for an array and for bytes.
    y : np.ndarray [shape=(n,)]
        float32, full scale 1.0.
    rate_hz : int

    Examples
    --------
    >>> any_sound((16000, np.zeros((8000, 2), np.int16)))[2]
    16000
    """
    notes = [] if notes is None else notes
    if isinstance(sound, str | os.PathLike):
        return str(sound), *load(sound, channel=channel, notes=notes)
    if hasattr(sound, "read"):
        name = str(getattr(sound, "name", None) or "")
        if hasattr(sound, "seek"):  # what was just written stands at its end
            sound.seek(0)
        sound = sound.read()
        if isinstance(sound, str):
            raise SerlibError(f"{name or 'The file'} was opened as text; open it with open(path, 'rb')")
        return name, *decode(sound, name=name or "The recording", channel=channel, notes=notes)
    if isinstance(sound, bytes | bytearray | memoryview):
        return "", *decode(sound, name="The recording", channel=channel, notes=notes)
    if isinstance(sound, dict) and {"array", "sampling_rate"} <= set(sound):
        sound, rate_hz = sound["array"], sound["sampling_rate"]
    elif isinstance(sound, tuple) and len(sound) == 2 and np.ndim(sound[0]) == 0:
        rate_hz, sound = sound
    elif isinstance(sound, tuple) and len(sound) == 2 and np.ndim(sound[1]) == 0:
        sound, rate_hz = sound
    if rate_hz is None:
        raise SerlibError("An array needs its sampling rate: predict(y, rate_hz=16000), or predict((16000, y))")
    if not isinstance(rate_hz, numbers.Real) or not LOWEST_HZ <= rate_hz <= HIGHEST_HZ:
        raise SerlibError(f"The sampling rate is {rate_hz!r}; expected {LOWEST_HZ} to {HIGHEST_HZ} samples per second")
    return "", mono(sound, channel=channel, notes=notes), int(rate_hz)


def mono(y, *, channel=None, notes=None):
    """Samples of any type, with full scale 1.0 and one channel, as `load` gives them.

    Parameters
    ----------
    y : array [shape=(n,), (n, channels) or (channels, n)]
        Floats with full scale 1.0, or integers: with a sign around 0, without one (8-bit WAV) around half their range.
        The shorter axis is the channels. A tensor of PyTorch will do.
    channel, notes
        As in `load`.

    Returns
    -------
    np.ndarray [shape=(n,)], float32

    Examples
    --------
    >>> mono(np.array([[16384, 0], [-32768, -32768], [0, 0]], dtype=np.int16)).tolist()
    [0.25, -1.0, 0.0]
    >>> mono(np.array([128, 192], dtype=np.uint8)).tolist()
    [0.0, 0.5]
    """
    if hasattr(y, "detach"):  # PyTorch: it may belong to a graph, and lie on a GPU
        y = y.detach().cpu()
        y = y.float() if y.is_floating_point() else y
    y = np.asarray(y)
    if y.dtype.kind not in "iuf":
        raise SerlibError(f"An array of {y.dtype} holds no samples; expected floats or integers")
    if y.ndim > 2:
        y = y.squeeze()
    if y.ndim not in (1, 2):
        raise SerlibError(f"An array of shape {y.shape} is no recording; expected (n,) or (n, channels)")
    if y.ndim == 2 and y.shape[0] < y.shape[1]:
        y = y.T
    scale = full_scale(y)
    if scale > 1 and notes is not None:
        notes.append(NOT_SCALED.format(scale))
    if y.dtype.kind != "f" and scale == 1:
        scale = 2.0 ** (8 * y.dtype.itemsize - 1)
        y = y - scale * (y.dtype.kind == "u")
    if y.ndim == 1:
        y = y[:, np.newaxis]
    if channel is not None and not 0 <= channel < y.shape[1]:
        raise SerlibError(f"The array has {y.shape[1]} channels; there is no channel {channel} (from 0)")
    y = y.mean(axis=1) if channel is None else y[:, channel]
    return np.asarray(y / scale, np.float32)


def full_scale(y):
    """What samples must be divided by, where that is certain: whole numbers in a type that should not hold them.

    Floats beyond 1.0 that are all whole numbers, on both sides of 0, are integers of 16 or 32 bits that somebody
    converted and did not scale; so are integers of 32 or 64 bits that all fit into 16. 1.0 where samples are scaled as
    their type says, or where it is not certain (`fault` then refuses them).
    """
    if not y.size or y.dtype.kind == "u" or (y.dtype.kind == "i" and y.dtype.itemsize <= 2):
        return 1.0
    low = float(y.min())
    high = float(y.max())
    peak = max(-low, high)
    if not 1 < peak <= 2.0**31 or low >= 0 or high <= 0 or not _whole_numbers(y):
        return 1.0
    if y.dtype.kind == "i":
        return 2.0**15 if peak <= 2.0**15 else 1.0 if y.dtype.itemsize == 4 else 2.0**31
    if peak <= 2.0**15:
        return 2.0**15
    return 2.0**31 if peak > 2.0**23 else 1.0  # between them: 24 bits, or 32 bits and quiet


def _whole_numbers(y):
    """Whether all samples are whole numbers, or halves of them: the mean of two channels."""
    twice = 2 * y
    return bool((twice == np.round(twice)).all())


def fault(y, rate_hz):
    """Why a clip [shape=(n,)] cannot be used: the end of a sentence such as "is silent"; None for one that is fine."""
    if len(y) == 0:
        return "holds no samples"
    if not np.isfinite(y).all():
        return "holds NaN or infinite samples"
    if abs(y).max() > LOUDEST:
        return (
            f"holds samples of {abs(y).max():.4g} times full scale, which were never scaled: divide them by the full "
            "scale that they had (32768 for 16 bits) and save it again"
        )
    if len(y) < SHORTEST_S * rate_hz:
        return f"is shorter than {SHORTEST_S} s"
    # Peak to peak, so that a constant offset counts as silence too.
    if np.ptp(y) <= 2 * 10 ** (SILENT_DB / 20):
        return "is silent"
    return None
