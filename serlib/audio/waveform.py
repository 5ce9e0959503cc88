"""What is done to a waveform before its features: resample, trim, find the voice, cut windows."""

import numpy as np

from serlib.utils import SerlibError


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


#: Librosa's frames and hops of 2048 and 512 samples at 22050 Hz, in seconds: in them, loudness is measured.
FRAME_S = 2048 / 22050
HOP_S = 512 / 22050


def trim(y, *, rate_hz, top_db=30.0):
    """Cut leading and trailing silence, as `librosa.effects.trim` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, float32, full scale 1.0.
    rate_hz : int
        Samples per second.
    top_db : float
        What lies this far below the loudest frame counts as silence, in dB.

    Returns
    -------
    np.ndarray [shape=(m,)], m <= n. A clip that is all silence comes back whole.

    Taught in notebooks/02_eda.
    """
    is_loud, hop = _loud_frames(y, rate_hz, top_db, FRAME_S, HOP_S)
    frames = np.flatnonzero(is_loud)
    return y[frames[0] * hop : (frames[-1] + 1) * hop] if len(frames) else y


def voice_activity(y, *, rate_hz, top_db=30.0, bridge_s=0.2, frame_s=FRAME_S, hop_s=HOP_S):
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
        Length of the frames whose loudness is measured and the step between them, in seconds.

    Returns
    -------
    np.ndarray [shape=(intervals, 2)], int64. First sample of each interval and the one after its last.

    Taught in notebooks/02_eda.
    """
    is_loud, hop = _loud_frames(y, rate_hz, top_db, frame_s, hop_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_loud, [0]])))
    intervals = np.minimum(edges.reshape(-1, 2) * hop, len(y)).astype(np.int64)
    intervals = intervals[intervals[:, 0] < intervals[:, 1]]  # the last frame may be centred on the very end
    if not len(intervals):
        return intervals
    apart = intervals[1:, 0] - intervals[:-1, 1] > bridge_s * rate_hz
    return np.column_stack([intervals[np.r_[True, apart], 0], intervals[np.r_[apart, True], 1]])


def _loud_frames(y, rate_hz, top_db, frame_s, hop_s):
    """Which frames are louder than the loudest one less top_db, and the hop in samples."""
    frame = max(2, round(frame_s * rate_hz))
    hop = max(1, round(hop_s * rate_hz))
    power = mean_power(y, frame=frame, hop=hop)
    loudest = max(power.max(initial=0.0), 1e-10)  # librosa's floor: amplitude 1e-5
    return np.maximum(power, 1e-10) > loudest * 10 ** (-top_db / 10), hop


def mean_power(y, *, frame, hop):
    """Mean square of each frame [shape=(frames,)], centred on multiples of the hop (in samples), zeros outside."""
    half = frame // 2  # running sums: the cost does not depend on the frame's length
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
    pieces : list of np.ndarray
        Views into `y`. Where the steps do not come out even, one more window ends at the end; a recording shorter than
        one window is one piece.

    Taught in notebooks/09_live.
    """
    if not 1 <= window_s * rate_hz < np.inf or not 1 <= hop_s * rate_hz < np.inf:
        raise SerlibError(f"windows of {window_s} s every {hop_s} s cannot be cut; both must be longer than a sample")
    window = round(window_s * rate_hz)
    hop = round(hop_s * rate_hz)
    if hop > window:
        raise SerlibError(f"windows of {window_s} s every {hop_s} s leave gaps; the step must not exceed the window")
    last = max(0, len(y) - window)
    starts = np.union1d(np.arange(0, last + 1, hop), last)
    return starts / rate_hz, [y[start : start + window] for start in starts]
