"""Functionals: what is kept of a clip's frames when each column becomes a few numbers over time.

Openly chosen after openSMILE's ComParE set (Schuller et al. 2013, Interspeech), which takes the same kinds over its own
low-level descriptors: levels, trends, changes, the shape of the distribution, rhythm, and how the voiced frames differ
from the others. Every functional takes `rows` [shape=(frames, d)], float64, and gives [shape=(d,)].
"""

import numpy as np

#: Lags of `repeat_*`, in frames: what comes again after so long. At 16 ms a frame 64 to 384 ms, about a syllable.
LAGS = (4, 8, 12, 16, 24)
#: Fewer frames than this are not worth statistics of their own: then all frames stand for the voiced ones.
FEW = 4
#: A heavier tail than this comes from columns that hardly vary.
KURTOSIS_LIMIT = 20.0
#: Keeps columns that do not vary from being divided by zero.
TINY = 1e-6


def _percentiles(rows, shares):
    return np.percentile(np.sort(rows, axis=0), shares, axis=0)  # sorted, it takes a third of the time


def _moments(rows, voiced):
    return {"mean": rows.mean(axis=0), "std": rows.std(axis=0), "min": rows.min(axis=0), "max": rows.max(axis=0)}


def _levels(rows, voiced):
    names = ("p5", "p25", "median", "p75", "p95")
    return dict(zip(names, _percentiles(rows, (5, 25, 50, 75, 95)), strict=True))


def _trends(rows, voiced):
    """A straight line and a bow through the clip, in units a clip length; its first and last third against its mean."""
    n = len(rows)
    mean = rows.mean(axis=0)
    time = (np.arange(n) - (n - 1) / 2) / n
    around = rows - mean
    bow = time**2 - (time**2).mean()
    third = max(n // 3, 1)
    return {
        "slope": time @ around / max((time**2).sum(), TINY),
        "curvature": bow @ around / n,
        "start": rows[:third].mean(axis=0) - mean,
        "end": rows[-third:].mean(axis=0) - mean,
    }


def _delta(rows):
    """From frame to frame (central differences)."""
    return np.gradient(rows, axis=0) if len(rows) > 1 else np.zeros_like(rows)


def _deltas(rows, voiced):
    delta = _delta(rows)
    low, high = _percentiles(delta, (10, 90))
    return {
        "delta_std": delta.std(axis=0),
        "delta_p10": low,
        "delta_p90": high,
        "delta_abs": np.abs(delta).mean(axis=0),
        "delta2_std": _delta(delta).std(axis=0),
    }


def _shape(rows, voiced):
    """Of the distribution; `crossings` is how often the mean is crossed, a frame."""
    around = rows - rows.mean(axis=0)
    z_scores = around / (rows.std(axis=0) + TINY)
    squares = np.square(z_scores)  # numpy takes ten times as long for a power of 3 or 4
    steps = max(len(rows) - 1, 1)
    return {
        "range": np.ptp(rows, axis=0),
        "skew": (squares * z_scores).mean(axis=0),
        "kurtosis": np.minimum(np.square(squares).mean(axis=0), KURTOSIS_LIMIT),
        "crossings": np.count_nonzero(np.diff(np.sign(around), axis=0), axis=0) / steps,
    }


def _rhythm(rows, voiced):
    """Autocorrelation: how much of the clip comes again after some frames."""
    z_scores = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + TINY)
    nothing = np.zeros(rows.shape[1])
    return {
        f"repeat_{lag}": (z_scores[lag:] * z_scores[:-lag]).mean(axis=0) if len(rows) > lag else nothing for lag in LAGS
    }


def _voice(rows, voiced):
    inside = rows[voiced] if np.count_nonzero(voiced) >= FEW else rows
    outside = rows[~voiced] if np.count_nonzero(~voiced) >= FEW else rows
    return {
        "voiced_mean": inside.mean(axis=0),
        "voiced_std": inside.std(axis=0),
        "unvoiced_mean": outside.mean(axis=0),
        "voiced_contrast": inside.mean(axis=0) - outside.mean(axis=0),
    }


#: Names -> what computes them together.
_GROUPS = {
    ("mean", "std", "min", "max"): _moments,
    ("p5", "p25", "median", "p75", "p95"): _levels,
    ("slope", "curvature", "start", "end"): _trends,
    ("delta_std", "delta_p10", "delta_p90", "delta_abs", "delta2_std"): _deltas,
    ("range", "skew", "kurtosis", "crossings"): _shape,
    tuple(f"repeat_{lag}" for lag in LAGS): _rhythm,
    ("voiced_mean", "voiced_std", "unvoiced_mean", "voiced_contrast"): _voice,
}

#: Those that ask which frames are voiced.
OF_THE_VOICE = ("voiced_mean", "voiced_std", "unvoiced_mean", "voiced_contrast")
#: Every functional, by name.
FUNCTIONALS = tuple(name for names in _GROUPS for name in names)


def summarise(rows, statistics, *, voiced=None):
    """Each column of a clip's frames as a few numbers.

    Parameters
    ----------
    rows : np.ndarray [shape=(frames, d)]
    statistics : sequence of str
        Of `FUNCTIONALS`.
    voiced : np.ndarray [shape=(frames,)], bool, optional
        Which frames are voiced; needed for those `OF_THE_VOICE`.

    Returns
    -------
    np.ndarray [shape=(len(statistics) * d,)], float32: all columns of the first functional, then those of the second.

    Examples
    --------
    >>> rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> summarise(rows, ("mean", "range", "slope")).tolist()
    [1.5, 3.0, 4.0]
    """
    exact = np.asarray(rows, dtype=np.float64)
    columns = {}
    for names, compute in _GROUPS.items():
        if set(names) & set(statistics):
            columns |= compute(exact, voiced)
    return np.concatenate([columns[name] for name in statistics], dtype=np.float32)
