"""How something is said: pitch, loudness and tempo, over time (`contour`) and of every clip of an index (`prosody`).

Pitch follows Boersma's autocorrelation method, which Praat made the phoneticians' standard. It decides frame by frame
whether there is a voice at all, which librosa.yin does not, and takes a hundredth of the time of librosa.pyin.

References
----------
.. [1] P. Boersma (1993). Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of
       a sampled sound. Proc. Institute of Phonetic Sciences 17, University of Amsterdam.
"""

import functools
import os
from pathlib import Path

import numpy as np

from serlib import audio
from serlib.features import cache, spectral
from serlib.utils import SerlibError, clip_table, data_dir, shown

#: Goes up whenever a value changes, so that no cache of older code is taken for one of this; where `frames` changes,
#: `serlib.features.FEATURES_VERSION` does, too.
PROSODY_VERSION = 1
#: Seconds from frame to frame, as Praat has it for a floor of 75 Hz.
HOP_S = 0.01
#: Pitch of speaking voices: low men creak at 60 Hz, a surprised woman of TESS glides up to 850 Hz. (The feature f0 of
#: `serlib.features.spectral` stops at 600 Hz, and gives such a glide an octave too low.)
F0_MIN_HZ = 60.0
F0_MAX_HZ = 1000.0
#: Clips are brought to this rate before pitch is looked for. Not lower: hissing sounds periodic in a narrow band.
PITCH_RATE_HZ = 16000
#: The autocorrelation is interpolated to this multiple of it, since the peaks of high voices are narrow.
FINER = 2
#: A frame is so many periods of the lowest voice.
PERIODS = 3
#: Frames that are transformed at once: few enough that they stay in the processor's cache.
BATCH = 64
#: Peaks of the autocorrelation that are kept in each frame.
PEAKS = 6
#: After [1]_, as in Praat: what is softer than this share of the clip's loudest frame is silence; preference for short
#: periods; the prices of a jump by an octave and of starting or ending the voice, every 10 ms.
SILENCE = 0.03
OCTAVE_COST = 0.01
JUMP_COST = 0.35
SWITCH_COST = 0.14
#: How strong a peak must be to count as voice, 1 being perfectly periodic. Praat has 0.45; on 80 clips of TESS and
#: RAVDESS this agrees better with librosa.pyin, and a third fewer frames of hissing and rumbling are taken for voice.
VOICING = 0.55
#: The softness of a frame is judged below this frequency, where every voice is strong and an s is not.
VOICE_BELOW_HZ = 1000
#: Stands for the pitch of a clip without any voice, in Hz.
NO_PITCH_HZ = 150.0
#: What `prosody` measures of each clip.
MEASURES = ("f0_hz", "f0_range_st", "loudness_db", "voiced_share", "speech_s")


def contour(y, rate_hz):
    """Pitch and loudness over time, of a mono waveform [shape=(n,)] of full scale 1.0.

    Returns
    -------
    pd.DataFrame, one row a frame of three periods of the lowest voice
        `time_s`, the middle of the frame, a multiple of `HOP_S`; `f0_hz`, NaN where there is no voice (silence,
        whisper, s, f, t); `loudness_db`, the RMS level of the frame without rumble, 0 dB being a full-scale square
        wave, not below -100 dB. A clip without samples or with NaN is a SerlibError.

    Notes
    -----
    Pitch after [1]_ (see the module), with three changes: rumble below the lowest voice is filtered out first; silence
    is judged below 1 kHz, so that a loud s does not count; autocorrelations are interpolated by zeros behind their
    spectrum. On TESS and RAVDESS nineteen frames of twenty agree with Praat's own on whether there is a voice, and
    where both find one they differ by a hundredth of a semitone (median).

    Taught in notebooks/02_eda.
    """
    y = np.asarray(y, dtype=np.float32)
    if not len(y) or not np.isfinite(y).all():
        raise SerlibError(f"The clip {audio.fault(y, rate_hz)}; delete it or record it again")
    import pandas as pd

    y = without_rumble(y, rate_hz)
    times, f0_hz = _follow(y, rate_hz)
    level_db = _decibels(_power(y, times, rate_hz))
    return pd.DataFrame({"time_s": times, "f0_hz": f0_hz, "loudness_db": level_db})


def frames(y, rate_hz, *, hop):
    """Pitch and voicing as features of a mono waveform [shape=(n,)]: a row every `hop` samples, no gaps.

    Returns
    -------
    dict of np.ndarray [shape=(frames, 1)]
        `pitch` in octaves, log2 of Hz, straight from one voiced frame to the next; `voiced`, 1 where there is a voice.
    """
    f0_hz = _follow(without_rumble(y, rate_hz), rate_hz, hop / rate_hz)[1][: 1 + len(y) // hop]
    frame = np.arange(1 + len(y) // hop)
    voiced = np.isfinite(f0_hz)
    pitch = np.full(len(frame), np.log2(NO_PITCH_HZ))
    if voiced.any():
        pitch = np.interp(frame, frame[voiced], np.log2(f0_hz[voiced]))
    return {"pitch": pitch[:, np.newaxis], "voiced": voiced[:, np.newaxis].astype(float)}


def _follow(y, rate_hz, hop_s=HOP_S):
    """Middle of each frame in seconds, and its pitch, of a clip that is without rumble."""
    low = audio.resample(y, from_hz=rate_hz, to_hz=PITCH_RATE_HZ)
    times = np.arange(int(len(y) / rate_hz / hop_s + 1e-9) + 1) * hop_s
    return times, _path(*_candidates(low, times), hop_s=hop_s)


def without_rumble(y, rate_hz):
    """A clip [shape=(n,)] without what lies below every voice: traffic, a bumped table, a constant offset.

    In RAVDESS rumble is sometimes as loud as the speech after it, though nobody hears it. A Butterworth filter of
    fourth order is run forwards and backwards.
    """
    import scipy.signal

    padding = min(len(y) - 1, rate_hz // 10)
    y = scipy.signal.sosfiltfilt(_high_pass(rate_hz), y - np.mean(y), padtype="constant", padlen=padding)
    return y.astype(np.float32)


def prosody(index, *, out_dir=None, jobs=None, show=None):
    """Pitch, loudness and tempo of every clip of an index, computed or loaded from the cache.

    Parameters
    ----------
    index : pd.DataFrame
        Of `serlib.corpora.index`; any table of sound files will do.
    out_dir, jobs, show : optional
        As for `serlib.extract`, whose errors it raises.

    Returns
    -------
    pd.DataFrame, the rows of `index`
        Its columns `label`, `speaker`, `text` and `corpus`, and:

        f0_hz : median pitch of the voiced frames; NaN where there are none
        f0_range_st : from the 10th to the 90th percentile of the pitch, in semitones
        loudness_db : RMS level of the speech, without the silence around it; 0 dB is a full-scale square wave, so that
        it
            compares clips of one microphone and one setting only
        voiced_share : share of the speech that has a voice
        speech_s : length of the speech, without silence. The same words in less time were said faster.

    Taught in notebooks/02_eda.
    """
    index = clip_table(index, needs=("speech",))
    if not len(index):
        raise SerlibError("The index holds no clips, so there is no prosody; index a folder that holds sound files")
    from serlib.features.spec import contents

    tasks = [(os.fspath(file), digest) for file, digest in zip(index["speech"], contents(index), strict=True)]
    kind = {"version": PROSODY_VERSION, "names": list(MEASURES)}
    root = Path(out_dir or data_dir() / "features")
    store = cache.Store(root, kind, [digest for _, digest in tasks], lambda: (len(MEASURES),))
    values, _ = cache.fill(_row, tasks, [store], jobs=jobs, show=show, desc="prosody")[0]
    table = index[[name for name in ("label", "speaker", "text", "corpus") if name in index]].copy()
    table[list(MEASURES)] = np.asarray(values, dtype=float)
    return table


def measure(y, rate_hz):
    """The numbers of one clip, by the names of `MEASURES`, as `prosody` gives them."""
    y = without_rumble(y, rate_hz)
    times, f0_hz = _follow(y, rate_hz)
    speech = audio.voice_activity(y, rate_hz=rate_hz)
    inside = np.zeros(len(y) + 1, dtype=bool)
    for start, end in speech:
        inside[start:end] = True
    speech_f0_hz = f0_hz[inside[np.minimum(np.round(times * rate_hz).astype(int), len(y))]]
    f0_hz = speech_f0_hz[np.isfinite(speech_f0_hz)]
    low, middle, high = np.percentile(f0_hz, [10, 50, 90]) if len(f0_hz) else [np.nan] * 3
    loud = np.square(y[inside[:-1]], dtype=np.float64).mean() if inside.any() else 0.0
    values = (
        middle,
        12 * np.log2(high / low),
        _decibels(loud),
        len(f0_hz) / max(1, len(speech_f0_hz)),
        inside.sum() / rate_hz,
    )
    return dict(zip(MEASURES, map(float, values), strict=True))


def _row(file, digest, _stores):
    """The numbers of a file."""
    y, rate_hz = audio.checked(file, digest)
    if why := audio.fault(y, rate_hz):
        raise SerlibError(f"{shown(file)} {why}; delete it or record it again")
    return [(np.array(list(measure(y, rate_hz).values()), dtype=np.float32), 1)]


def _decibels(power):
    return 10 * np.log10(np.maximum(power, spectral.FLOOR))


def _power(y, times, rate_hz):
    """Mean square of the frames around `times`, of what of them lies inside the clip."""
    frame_s = PERIODS / F0_MIN_HZ
    sums = np.concatenate([[0], np.cumsum(np.square(y, dtype=np.float64))])
    start = np.clip(np.round((times - frame_s / 2) * rate_hz).astype(int), 0, len(y) - 1)
    end = np.clip(np.round((times + frame_s / 2) * rate_hz).astype(int), start + 1, len(y))
    return (sums[end] - sums[start]) / (end - start)


@functools.lru_cache(maxsize=8)
def _high_pass(rate_hz):
    import scipy.signal

    return scipy.signal.butter(4, F0_MIN_HZ, "highpass", fs=rate_hz, output="sos")


@functools.lru_cache(maxsize=1)
def _window(frame, lags):
    """Hann window, and its own autocorrelation at the finer lags, which frames are divided by ([1]_, equation 9)."""
    import scipy.fft

    hann = np.hanning(frame + 2)[1:-1]
    size = scipy.fft.next_fast_len(frame + lags // FINER + 2, real=True)
    autocorrelation = scipy.fft.irfft(np.abs(scipy.fft.rfft(hann, size)) ** 2, FINER * size)[:lags]
    return hann.astype(np.float32), (autocorrelation / autocorrelation[0]).astype(np.float32), size


def _candidates(y, times):
    """What may be the pitch of each frame, and how strongly: the highest peaks of its autocorrelation.

    Both [shape=(frames, 1 + PEAKS)]; column 0 is "no voice", 0 Hz. A strength of -inf is no candidate.
    """
    import scipy.fft

    frame = round(PERIODS * PITCH_RATE_HZ / F0_MIN_HZ)
    finer_hz = FINER * PITCH_RATE_HZ
    first = int(finer_hz / F0_MAX_HZ)
    last = int(np.ceil(finer_hz / F0_MIN_HZ))
    hann, autocorrelation, size = _window(frame, last + 2)
    deep = int(VOICE_BELOW_HZ / PITCH_RATE_HZ * size) + 1
    level = np.empty(len(times))
    padded = np.pad(y, frame)
    starts = np.round(times * PITCH_RATE_HZ).astype(int) + frame - frame // 2
    f0_hz, strength = (np.full((len(times), 1 + PEAKS), fill) for fill in (0.0, -np.inf))
    for block in (slice(n, n + BATCH) for n in range(0, len(times), BATCH)):
        frames = padded[starts[block, np.newaxis] + np.arange(frame)]
        frames -= frames.mean(axis=1, keepdims=True)
        power = np.square(np.abs(scipy.fft.rfft(frames * hann, size)))
        level[block] = np.sqrt(power[:, :deep].sum(axis=1))
        r = scipy.fft.irfft(power, FINER * size)[:, : last + 2]
        r /= np.maximum(r[:, :1], np.finfo(np.float32).tiny) * autocorrelation
        f0_hz[block, 1:], strength[block, 1:] = _peaks(r, first, last, finer_hz)
    share = level / max(level.max(), np.finfo(np.float32).tiny)
    strength[:, 0] = VOICING + np.maximum(0, 2 - share / SILENCE * (1 + VOICING))
    return f0_hz, strength


def _peaks(r, first, last, finer_hz):
    """The strongest local maxima of each row between two lags, interpolated by parabolas."""
    before, at, after = (r[:, first + k : last + 1 + k] for k in (-1, 0, 1))
    top = (at > before) & (at >= after) & (at >= VOICING / 2)
    lag = np.nonzero(top)[1]
    before, at, after = before[top], at[top], after[top]
    rise = before - after
    bend = np.minimum(before - 2 * at + after, -1e-12)
    shift = np.clip(rise / (2 * bend), -0.5, 0.5)
    f0_hz, strength = (np.full(top.shape, fill) for fill in (0.0, -np.inf))
    f0_hz[top] = finer_hz / (first + lag + shift)
    strength[top] = np.minimum(at - rise * shift / 4, 1) + OCTAVE_COST * np.log2(f0_hz[top] / F0_MIN_HZ)
    best = np.argpartition(-strength, PEAKS, axis=1)[:, :PEAKS]
    return tuple(np.take_along_axis(values, best, axis=1) for values in (f0_hz, strength))


def _path(f0_hz, strength, *, hop_s):
    """The cheapest way through the candidates (Viterbi) [shape=(frames,)], NaN where it goes through "no voice"."""
    voiced = f0_hz > 0
    octave = np.log2(f0_hz, out=np.zeros_like(f0_hz), where=voiced)
    before = voiced[:-1, :, np.newaxis]
    after = voiced[1:, np.newaxis]
    stays = before & after
    switches = before ^ after
    cost = JUMP_COST * stays * abs(octave[:-1, :, np.newaxis] - octave[1:, np.newaxis]) + SWITCH_COST * switches
    cost *= 0.01 / hop_s
    best = strength[0]
    back = np.empty(f0_hz.shape, dtype=int)
    for n in range(1, len(f0_hz)):
        sums = best[:, np.newaxis] - cost[n - 1]
        back[n] = sums.argmax(axis=0)
        best = sums.max(axis=0) + strength[n]
    states = np.empty(len(f0_hz), dtype=int)
    states[-1] = best.argmax()
    for n in range(len(f0_hz) - 1, 0, -1):
        states[n - 1] = back[n, states[n]]
    path_hz = f0_hz[np.arange(len(f0_hz)), states]
    return np.where(path_hz > 0, path_hz, np.nan)
