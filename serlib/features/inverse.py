"""From MFCC back to sound: one hears what they keep and what they lose.

What is lost can only be guessed: the coefficients that were cut off (the fine structure of the spectrum, and with it
most of the pitch), where in a mel band the power lay, and the phases of all waves.
"""

import dataclasses

import numpy as np

from serlib.features import spectral
from serlib.features.spec import extract_clip

#: Steps from mel bands to frequencies. On clips of TESS and RAVDESS the copy from all coefficients is then within 1 to
#: 3 dB of the clip (`distance_db`); a hundred steps gain half a dB more.
STEPS = 10
#: Iterations of Griffin and Lim: twice as many sound the same and take twice as long.
ITERATIONS = 16
#: What lies this far below a clip's loudest band is not compared, in dB: the ear does not hear it beside the rest.
HEARD_DB = 60.0
#: Frames with less than this share of the largest amplitude are not asked for their pitch.
LOUD = 0.3


def mel_levels(mfcc, n_mels):
    """The mel spectrum [shape=(frames, n_mels)], in dB, of MFCC: `librosa.feature.inverse.mfcc_to_mel`.

    Coefficients that are missing count as zero, which makes the spectrum smooth.
    """
    import scipy.fft

    return scipy.fft.idct(np.asarray(mfcc), type=2, n=n_mels, norm="ortho", axis=-1)


def power_of(mel_power, spec):
    """A power spectrogram [shape=(frames, 1 + frame / 2)] whose mel bands [shape=(frames, n_mels)] are those given.

    Each frequency starts from the mean of the bands that it belongs to, then `STEPS` multiplicative updates (Lee &
    Seung 2001, Algorithms for non-negative matrix factorization, divergence) bring the bands closer. They go by ratios,
    so that the quiet bands come out right too: librosa's `mel_to_stft` (least squares) cares for the loud ones only,
    misses the bands by more decibels, and takes seconds for a clip where this takes hundredths.
    """
    filters = spectral.mel_filters(spec.rate_hz, spec.frame, spec.n_mels, spec.fmin_hz, spec.fmax_hz)
    tiny = np.finfo(np.float32).tiny
    width = filters.sum(axis=1)[:, np.newaxis]
    shares = filters.sum(axis=0)[:, np.newaxis]
    bands = np.asarray(mel_power, dtype=np.float64).T
    back = filters.T.tocsr()
    power = back @ (bands / np.maximum(width, tiny)) / np.maximum(shares, tiny)
    for _ in range(STEPS):
        power *= back @ (bands / np.maximum(filters @ power, tiny)) / np.maximum(shares, tiny)
    return power.T


def from_mfcc(mfcc, spec, *, samples=None, seed=0):
    """A sound [shape=(samples,)] with these MFCC [shape=(frames, n)], quick enough for a slider.

    The way of `librosa.feature.inverse.mfcc_to_audio`; `spec` says the rate, frame, hop and mel bands that they were
    made with. The phases are guessed, from a start that `seed` draws: Griffin & Lim 1984, IEEE Trans. ASSP 32(2), with
    the momentum of Perraudin et al. 2013, as `librosa.griffinlim` does it. None of the clip's own phases are used,
    since they would smuggle its pitch in.

    Taught in notebooks/03_mfcc.
    """
    import librosa

    power = power_of(10 ** (mel_levels(mfcc, spec.n_mels) / 10), spec)
    y = librosa.griffinlim(
        np.sqrt(power.T).astype(np.float32),
        n_iter=ITERATIONS,
        n_fft=spec.frame,
        hop_length=spec.hop,
        length=samples,
        random_state=seed,
    )
    return y.astype(np.float32)


def distance_db(y, x, spec):
    """How far the mel spectrum of a copy `x` is from that of a clip `y` [shape=(n,)], both at the rate of `spec`.

    The root of the mean square over frames and bands, in dB; what lies more than `HEARD_DB` below the clip's loudest
    band counts as just that far below it.
    """
    bands = dataclasses.replace(spec, kinds=("logmel",), summary=(), frames=None)
    levels, copy_levels = (extract_clip(sound, spec.rate_hz, bands) for sound in (y, x))
    floor = levels.max() - HEARD_DB
    return float(np.sqrt(np.mean((np.maximum(levels, floor) - np.maximum(copy_levels, floor)) ** 2)))


def pitch_kept(y, x, spec):
    """In how many of the loud frames of a clip `y` a copy `x` has its pitch within a semitone, from 0 to 1; NaN for
    silence.
    """
    f0 = dataclasses.replace(spec, kinds=("f0", "rms"), summary=(), frames=None)
    (first_f0, loudness), (other_f0, _) = (extract_clip(sound, spec.rate_hz, f0).T for sound in (y, x))
    loud = loudness > LOUD * loudness.max()
    return float(np.mean(abs(np.log2(other_f0[loud] / first_f0[loud])) < 1 / 12)) if loud.any() else float("nan")
