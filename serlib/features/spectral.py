"""From frames to features: what librosa's functions compute, for all kinds at once from one spectrum.

Every function takes and gives one row a frame. Filters are built once for each setting. Products with filters are
sparse, never BLAS: the result is the same to the last bit whatever runs beside it.
"""

import functools
import threading

import numpy as np

from serlib import audio
from serlib.utils import SerlibError

#: Frames that go through the filters at once: a long recording needs no more memory than a short one.
BLOCK = 512
#: Frames that are transformed at once: few enough that they stay in the processor's cache and that the C library
#: does not give their memory back to the system each time (a quarter of the running time).
BATCH = 16
#: librosa's: power below -100 dB is -100 dB; what lies 80 dB below a clip's loudest is cut off there.
FLOOR = 1e-10
RANGE_DB = 80.0
#: Frames of the Savitzky-Golay filter of the deltas, as in librosa.
DELTA_WIDTH = 9
#: Pitch of human voices, from a low man to a surprised woman, in Hz.
F0_MIN_HZ = 60.0
F0_MAX_HZ = 600.0
#: Above 1 kHz a mel is this much of a natural logarithm.
MEL_STEP = np.log(6.4) / 27.0
CHROMA = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


# librosa loads its parts on first use with Python's parser, which Python 3.11 must not run in two threads at once
# (https://github.com/python/cpython/issues/106905).
LOADING = threading.Lock()


def kinds(y, spec):
    """Every kind of feature that a specification asks for, and those that they are made from, from one spectrum.

    Of a clip [shape=(n,)], float32, at the rate of `spec`; each [shape=(frames, d)].
    """
    needs = set(spec.kinds)
    step = {"frame": spec.frame, "hop": spec.hop}
    from_mel = {"mfcc", "delta", "delta2", "logmel"}
    from_chroma = {"chroma", "tonnetz"}
    parts = {"mel": [], "chroma": [], "ends": []}
    columns = {}
    bands = contrast_bands(spec.rate_hz, spec.frame) if "contrast" in needs else ()
    for power in power_blocks(y, **step) if needs & (from_mel | from_chroma | {"contrast"}) else ():
        if needs & from_mel:
            filters = mel_filters(spec.rate_hz, spec.frame, spec.n_mels, spec.fmin_hz, spec.fmax_hz)
            parts["mel"].append((filters @ power.T).T)
        if needs & from_chroma:
            parts["chroma"].append((chroma_filters(spec.rate_hz, spec.frame) @ power.T).T)
        if "contrast" in needs:
            parts["ends"].append(contrast_extremes(np.ascontiguousarray(power), bands))
    if parts["mel"]:
        columns["logmel"] = decibels(np.concatenate(parts["mel"]))
        columns["mfcc"] = mfcc(columns["logmel"], spec.n_mfcc)
        columns |= {
            kind: delta(columns["mfcc"], order) for order, kind in ((1, "delta"), (2, "delta2")) if kind in needs
        }
    if parts["chroma"]:
        columns["chroma"] = chroma(np.concatenate(parts["chroma"]))
        columns["tonnetz"] = tonnetz(columns["chroma"])
    if parts["ends"]:
        columns["contrast"] = contrast(np.concatenate(parts["ends"]))
    if "rms" in needs:
        columns["rms"] = np.sqrt(np.maximum(audio.mean_power(y, **step), 0))[:, np.newaxis]
    if "zcr" in needs:
        columns["zcr"] = zero_crossings(y, **step)[:, np.newaxis]
    if "f0" in needs:
        columns["f0"] = f0(y, rate_hz=spec.rate_hz, **step)[:, np.newaxis]
    return columns


def power_blocks(y, *, frame, hop):
    """Power spectrogram, a block of frames at a time: |librosa.stft(y, n_fft=frame, hop_length=hop)|**2.

    Frames of an even length are centred on multiples of the hop; a Hann window; zeros outside the clip. The blocks
    [shape=(frames, 1 + frame / 2)], float32, lie in memory bin by bin, as the filters want it.
    """
    import scipy.fft

    window = hann(frame)
    half = frame // 2
    padded = np.zeros(len(y) + frame, dtype=np.float32)
    padded[half : half + len(y)] = y
    # What sliding_window_view gives, in a twentieth of the time.
    frames = np.ndarray((1 + len(y) // hop, frame), np.float32, padded, strides=(4 * hop, 4))
    # Used again for every batch: fresh memory takes longer than the arithmetic.
    windowed = np.empty((BATCH, frame))
    sums = np.empty((BATCH, half + 1))
    for start in range(0, len(frames), BLOCK):
        block = frames[start : start + BLOCK]
        bins = np.empty((half + 1, len(block)), dtype=np.float32)
        for first in range(0, len(block), BATCH):
            batch = block[first : first + BATCH]
            n = len(batch)
            # In double precision, as librosa: single would be 0.2 ms a clip quicker, but its rounding noise fills
            # the spectral valleys, and the contrast of real speech is off by up to 8 dB.
            squares = scipy.fft.rfft(np.multiply(batch, window, out=windowed[:n]), axis=-1).view(np.float64)
            np.square(squares, out=squares)
            bins[:, first : first + n] = np.add(squares[:, ::2], squares[:, 1::2], out=sums[:n]).T
        yield bins.T


@functools.lru_cache(maxsize=8)
def hann(frame):
    """A Hann window [shape=(frame,)]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)


def _librosa():
    """librosa with what is used of it loaded."""
    with LOADING:
        import librosa

        _ = librosa.filters.chroma, librosa.yin
    return librosa


@functools.lru_cache(maxsize=8)
def mel_filters(rate_hz, frame, n_mels, fmin_hz, fmax_hz):
    """librosa.filters.mel to the last bit, sparse [shape=(n_mels, bins)]: a band touches few of the bins.

    librosa itself takes two seconds to load, and an answer needs nothing else of it.
    """
    import scipy.sparse

    edges_hz = mel_to_hz(np.linspace(*hz_to_mel(np.array([fmin_hz, fmax_hz or rate_hz / 2])), n_mels + 2))
    steps_hz = np.diff(edges_hz)
    away_hz = edges_hz[:, np.newaxis] - np.fft.rfftfreq(frame, 1 / rate_hz)
    rising = -away_hz[:-2] / steps_hz[:-1, np.newaxis]
    falling = away_hz[2:] / steps_hz[1:, np.newaxis]
    triangles = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    triangles *= (2 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis]  # the same area in every band
    return scipy.sparse.csr_array(triangles)


def hz_to_mel(hz):
    """Slaney's mel scale: linear up to 1 kHz, 15 mel, then 27 mel for a factor of 6.4.

    M. Slaney (1998). Auditory Toolbox, version 2. Interval Research Corporation, technical report 1998-010.
    """
    high = np.maximum(hz, 1000.0)
    return np.where(hz < 1000, hz / (200 / 3), 15.0 + np.log(high / 1000) / MEL_STEP)


def mel_to_hz(mel):
    """The inverse of `hz_to_mel`."""
    return np.where(mel < 15, 200 / 3 * mel, 1000 * np.exp(MEL_STEP * (mel - 15.0)))


@functools.lru_cache(maxsize=8)
def chroma_filters(rate_hz, frame):
    """librosa's chroma filters for concert pitch, in the layout of `mel_filters` [shape=(12, bins)]."""
    import scipy.sparse

    return scipy.sparse.csr_array(_librosa().filters.chroma(sr=rate_hz, n_fft=frame, tuning=0.0))


def decibels(power):
    """librosa.power_to_db: 10 log10, not below -100 dB, not more than 80 dB below the clip's loudest."""
    level_db = 10 * np.log10(np.maximum(power, np.float32(FLOOR)))
    return np.maximum(level_db, level_db.max() - np.float32(RANGE_DB))


def mfcc(level_db, n_mfcc):
    """librosa.feature.mfcc from mel levels in dB: the first coefficients of their cosine transform."""
    import scipy.fft

    return scipy.fft.dct(level_db, type=2, norm="ortho", axis=-1)[:, :n_mfcc]


def chroma(energy):
    """librosa.feature.chroma_stft(tuning=0.0) from chroma energies: each frame divided by its strongest class.

    The tuning of an instrument says nothing about speech, and librosa's estimate of it costs more than all the rest.
    """
    return _divide(energy, energy.max(axis=-1, keepdims=True))


def tonnetz(chroma):
    """librosa.feature.tonnetz(chroma=...): fifths, minor and major thirds as points on three circles.

    Harte, Sandler and Gasser, Detecting harmonic change in musical audio, 2006.
    """
    steps = np.outer([7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], np.arange(12))
    steps[::2] -= 0.5
    points = np.array([1, 1, 1, 1, 0.5, 0.5])[:, np.newaxis] * np.cos(np.pi * steps)
    share = _divide(chroma, chroma.sum(axis=-1, keepdims=True))
    return np.einsum("tc,kc->tk", share, points.astype(np.float32))


def _divide(rows, by):
    """librosa.util.normalize: rows that are as good as zero stay as they are."""
    return rows / np.where(by < np.finfo(np.float32).tiny, np.float32(1), by)


@functools.lru_cache(maxsize=8)
def contrast_bands(rate_hz, frame):
    """Bands of the spectral contrast: below 200 Hz, then octaves, the last one open; six as in librosa where they fit.

    A list of (first bin, bin after the last, bins at each end of the sorted band that are averaged).
    """
    hz = np.fft.rfftfreq(frame, 1 / rate_hz)
    octaves = sum(200 * 2.0**k < rate_hz / 2 for k in range(6))
    edges = [0.0, *(200 * 2.0 ** np.arange(octaves + 1))]
    bands = []
    for k in range(octaves + 1):
        inside = np.flatnonzero((hz >= edges[k]) & (hz <= edges[k + 1]))
        if not len(inside):
            raise SerlibError(f"Frames of {frame} samples at {rate_hz} Hz are too short for contrast; make them longer")
        first = inside[0] - (k > 0)
        end = inside[-1] + 1
        if k == octaves:
            end = len(hz)
        quantile = max(1, round(0.02 * float(end - first)))
        # librosa counts a band's last bin but gives it to the next band.
        bands.append((int(first), int(end) - (k < octaves), quantile))
    return bands


def contrast_extremes(power, bands):
    """Valley and peak of each band, as magnitudes [shape=(frames, 2, bands)]."""
    ends = np.empty((len(power), 2, len(bands)), dtype=np.float32)
    for k, (first, end, n) in enumerate(bands):
        ordered = np.sort(power[:, first:end], axis=-1)
        ends[:, 0, k] = np.sqrt(ordered[:, :n]).mean(axis=-1)
        ends[:, 1, k] = np.sqrt(ordered[:, -n:]).mean(axis=-1)
    return ends


def contrast(extremes):
    """librosa.feature.spectral_contrast from valleys and peaks, in dB."""
    return decibels(extremes[:, 1]) - decibels(extremes[:, 0])


def delta(rows, order):
    """librosa.feature.delta of rows [shape=(frames, d)], float32: slope (order 1) or curvature (order 2) over nine
    frames.

    Where a clip has fewer than nine frames, which librosa refuses, its first and last frames are repeated.
    """
    fit = savitzky_golay(order)
    half = DELTA_WIDTH // 2
    n = len(rows)
    short = n < DELTA_WIDTH
    padded = np.pad(rows, ((half, half), (0, 0)), mode="edge") if short else rows
    middle = sum(fit[half, k] * padded[k : len(padded) - DELTA_WIDTH + 1 + k] for k in range(DELTA_WIDTH))
    if short:
        return middle
    head = np.einsum("kt,td->kd", fit[:half], rows[:DELTA_WIDTH])
    tail = np.einsum("kt,td->kd", fit[half + 1 :], rows[-DELTA_WIDTH:])
    return np.concatenate([head, middle, tail])


@functools.lru_cache(maxsize=2)
def savitzky_golay(order):
    """The filter as a matrix on nine frames: its middle row slides over the clip, the others are for the ends."""
    from scipy.signal import savgol_filter

    return savgol_filter(np.eye(DELTA_WIDTH), DELTA_WIDTH, polyorder=order, deriv=order, axis=0).astype(np.float32)


def zero_crossings(y, *, frame, hop):
    """librosa.feature.zero_crossing_rate [shape=(frames,)]: share of samples whose sign is not the one before's."""
    half = frame // 2
    negative = np.pad((y < -1e-10), half, mode="edge")
    crossed = np.concatenate([[0], np.cumsum(negative[1:] != negative[:-1])])
    starts = np.arange(0, len(negative) - frame + 1, hop)
    return (crossed[starts + frame - 1] - crossed[starts]) / frame


def f0(y, *, rate_hz, frame, hop):
    """Pitch in Hz by librosa.yin [shape=(frames,)], between `F0_MIN_HZ` and `F0_MAX_HZ`; unvoiced frames hold a guess.

    Frames too short for two periods of the lowest voice are doubled until they are long enough.
    """
    while frame < 2 * rate_hz / F0_MIN_HZ + 2:
        frame *= 2
    return _librosa().yin(y, fmin=F0_MIN_HZ, fmax=F0_MAX_HZ, sr=rate_hz, frame_length=frame, hop_length=hop)
