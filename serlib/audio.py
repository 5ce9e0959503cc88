"""Sound in: decode any container to mono float32, resample, trim, find the voice, cut windows."""

import hashlib
import os
import tempfile

import numpy as np

from serlib import containers
from serlib.base import SerlibError, shown
from serlib.containers import HIGHEST_HZ, LOWEST_HZ, opened  # noqa: F401  the rates are names of this module too

#: A clip whose loudest swing stays below this is silent: -80 dB of full scale, three steps of a 16-bit recorder.
SILENT_DB = -80.0
#: Shorter than a syllable: nothing can be heard in it, and a frame of 2048 samples would be mostly padding.
SHORTEST_S = 0.1
#: Samples beyond this are no sound: 32-bit integers that nobody scaled. The power of much larger ones is infinite.
LOUDEST = 2.0**31


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
    with opened(path) as file:
        return _decode(file, path, rate_hz, offset_s, duration_s)


def decode(data, *, name="the recording", rate_hz=None, offset_s=0.0, duration_s=None):
    """The same as `load`, from bytes that were read already (a download, an upload, a microphone).

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str or Path
        What messages call it.
    rate_hz, offset_s, duration_s
        As in `load`, and so is what comes back.
    """
    with tempfile.TemporaryFile(buffering=0) as file:  # libsndfile seeks where Python's own buffers would complain
        file.write(data)
        file.seek(0)
        return _decode(file, name, rate_hz, offset_s, duration_s)


def checked(path, content, *, rate_hz=None, offset_s=0.0, duration_s=None):
    """The same as `load`, for a file of an index that must still be the one that was indexed.

    Parameters
    ----------
    path : str or Path
    content : str
        What `digest` gave for the file then; another content now is a SerlibError.
    rate_hz, offset_s, duration_s
        As in `load`, and so is what comes back.
    """
    with opened(path) as file:
        written_ns = os.fstat(file.fileno()).st_mtime_ns
        if containers.file_digest(file) == content:
            decoded = _decode(file, path, rate_hz, offset_s, duration_s)
            if os.fstat(file.fileno()).st_mtime_ns == written_ns:  # nobody wrote between the two readings
                return decoded
    raise SerlibError(f"{shown(path)} has changed since it was indexed; index the corpus again")


def _decode(file, name, rate_hz, offset_s, duration_s):
    """Decode an open file, and bring it to the rate that is asked for."""
    y, native_hz = containers.mono(file, name, offset_s=offset_s, duration_s=duration_s)
    if rate_hz is None or rate_hz == native_hz:
        return y, native_hz
    return resample(y, from_hz=native_hz, to_hz=rate_hz), int(rate_hz)


def digest(data):
    """Name of a file's content: blake2b of its bytes, 32 hex digits. Finds duplicates; is the features' cache key."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def mono(y):
    """Samples of any type, with full scale 1.0 and one channel, as `load` gives them for the same samples in a file.

    Parameters
    ----------
    y : np.ndarray [shape=(n,) or (n, channels)]
        Floats with full scale 1.0, or integers: with a sign around 0, without one (8-bit WAV) around half their range.

    Returns
    -------
    np.ndarray [shape=(n,)], float32

    Examples
    --------
    >>> mono(np.array([[16384, 0], [-32768, -32768]], dtype=np.int16)).tolist()
    [0.25, -1.0]
    >>> mono(np.array([128, 192], dtype=np.uint8)).tolist()
    [0.0, 0.5]
    """
    y = np.asarray(y)
    if np.issubdtype(y.dtype, np.integer):
        half = 2.0 ** (8 * y.dtype.itemsize - 1)
        y = y / half - np.issubdtype(y.dtype, np.unsignedinteger)
    return np.asarray(y.mean(axis=1) if y.ndim == 2 else y, np.float32)


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
    if abs(y).max() > LOUDEST:
        return f"holds samples of {abs(y).max():.0e} times full scale"
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
    return out if len(out) == length else np.concatenate([out, np.zeros(length - len(out), dtype=np.float32)])


def trim(y, *, rate_hz, top_db=30.0, frame_s=2048 / 22050, hop_s=512 / 22050):
    """Cut leading and trailing silence, as `librosa.effects.trim` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, float32, full scale 1.0.
    rate_hz : int
        Samples per second.
    top_db : float
        What lies this far below the loudest frame counts as silence, in dB.
    frame_s, hop_s : float
        Length of the frames whose loudness is measured and the step between them, in seconds; the defaults are
        librosa's 2048 and 512 samples at 22050 Hz.

    Returns
    -------
    np.ndarray [shape=(m,)], m <= n. A clip that is all silence comes back whole.

    Taught in notebooks/02_eda.
    """
    heard, hop = _heard(y, rate_hz, top_db, frame_s, hop_s)
    frames = np.flatnonzero(heard)
    return y[frames[0] * hop : (frames[-1] + 1) * hop] if len(frames) else y


def voice_activity(y, *, rate_hz, top_db=30.0, bridge_s=0.2, frame_s=2048 / 22050, hop_s=512 / 22050):
    """Find where somebody speaks, by loudness, as `librosa.effects.split` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    top_db : float
        What lies this far below the loudest frame counts as a pause, in dB.
    bridge_s : float
        Pauses up to this length belong to the speech around them (the closure of a plosive takes 0.1 s); 0 keeps
        every pause, as librosa does.
    frame_s, hop_s : float
        As in `trim`.

    Returns
    -------
    np.ndarray [shape=(intervals, 2)], int64. First sample of each interval and the one after its last.

    Taught in notebooks/02_eda.
    """
    heard, hop = _heard(y, rate_hz, top_db, frame_s, hop_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard, [0]])))
    intervals = np.minimum(edges.reshape(-1, 2) * hop, len(y)).astype(np.int64)
    intervals = intervals[intervals[:, 0] < intervals[:, 1]]  # the last frame may be centred on the very end
    if not len(intervals):
        return intervals
    apart = intervals[1:, 0] - intervals[:-1, 1] > bridge_s * rate_hz
    return np.column_stack([intervals[np.r_[True, apart], 0], intervals[np.r_[apart, True], 1]])


def _heard(y, rate_hz, top_db, frame_s, hop_s):
    """Which frames are louder than the loudest one less top_db, and the hop in samples."""
    frame, hop = max(2, round(frame_s * rate_hz)), max(1, round(hop_s * rate_hz))
    power = mean_power(y, frame=frame, hop=hop)
    loudest = max(power.max(initial=0.0), 1e-10)  # librosa's floor: amplitude 1e-5
    return np.maximum(power, 1e-10) > loudest * 10 ** (-top_db / 10), hop


def mean_power(y, *, frame, hop):
    """Mean square of each frame, centred on multiples of the hop, zeros outside the clip.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    frame, hop : int
        In samples.

    Returns
    -------
    np.ndarray [shape=(frames,)], float64. Running sums: the cost does not depend on the frame's length.
    """
    half = frame // 2
    sums = np.zeros(len(y) + 2 * half + 1)
    np.cumsum(np.square(y, dtype=np.float64), out=sums[half + 1 : half + 1 + len(y)])
    sums[half + 1 + len(y) :] = sums[half + len(y)]
    starts = np.arange(0, len(y) + 2 * half - frame + 1, hop)
    return (sums[starts + frame] - sums[starts]) / frame


def windows(y, *, rate_hz, window_s, hop_s):
    """Cut a long recording into overlapping windows of one length.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    window_s, hop_s : float
        Length of a window and the step between windows, in seconds.

    Returns
    -------
    starts_s : np.ndarray [shape=(windows,)], float64
        Where each window starts, in seconds.
    pieces : list of np.ndarray
        Views into `y`. No sample is left out: where the steps do not come out even, one more window ends at the
        end. A recording shorter than one window is one piece, as short as it is.

    Taught in notebooks/09_live.
    """
    window, hop = round(window_s * rate_hz), round(hop_s * rate_hz)
    if window < 1 or hop < 1:
        raise SerlibError(f"windows of {window_s} s every {hop_s} s cannot be cut; both must be longer than a sample")
    if hop > window:
        raise SerlibError(f"windows of {window_s} s every {hop_s} s leave gaps; the step must not exceed the window")
    last = max(0, len(y) - window)
    starts = np.union1d(np.arange(0, last + 1, hop), last)
    return starts / rate_hz, [y[start : start + window] for start in starts]
