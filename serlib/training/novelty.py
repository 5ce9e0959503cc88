"""Does a sound resemble what a model learned from? A softmax does not know: it is as sure of noise as of a voice.

Speech moves: its spectrum changes from syllable to syllable, neither as little as a hum's nor as fast as a hiss's [1]_.
So 26 numbers are taken of each clip, the standard deviation of 13 MFCC over time and their mean step from frame to
frame. The means are left out: they hold the voice, the level and the microphone [2]_, and a new speaker is no stranger.
The training clips are a cloud of such points; a clip that lies far outside of it, by the Mahalanobis distance [3]_,
is none that the model can judge. No test or validation clip has a say.

References
----------
.. [1] E. Scheirer and M. Slaney (1997). Construction and evaluation of a robust multifeature speech/music
       discriminator. ICASSP. Its strongest features are modulation and flux, too.
.. [2] B. Atal (1974). Effectiveness of linear prediction characteristics of the speech wave for automatic speaker
       identification and verification. J. Acoust. Soc. Am. 55(6): a fixed filter only moves the mean of a cepstrum.
.. [3] K. Lee, K. Lee, H. Lee and J. Shin (2018). A simple unified framework for detecting out-of-distribution samples
       and adversarial attacks. NeurIPS.
.. [4] O. Ledoit and M. Wolf (2004). A well-conditioned estimator for large-dimensional covariance matrices. J.
       Multivariate Anal. 88(2).
"""

import numpy as np

from serlib.features import normalisation
from serlib.features.spec import FeatureSpec, extract, extract_clip, frames_of, summarise

#: What is measured. 8 kHz is what a telephone has, and takes a millisecond a clip; frames of 32 ms.
SPEC = FeatureSpec(rate_hz=8000, frame=256, hop=128, n_mfcc=13, n_mels=32, trim_db=30, summary=("std", "delta_abs"))

#: A clip may lie this many times as far out as 99 % of the training clips do. Chosen on TESS, RAVDESS and made noises:
#: learned from one speaker of TESS or from twenty of RAVDESS, 99 % of the clips of unseen speakers are known, and 97 %
#: of the other corpus's; of the sounds of bench/trust.py all are strange but drums and a loose babble, for RAVDESS.
MARGIN = 2.0

#: A clip may hold this share of the sound of the shortest training clip, and last this many times the longest.
SHORTER = 0.5
LONGER = 2.0

#: Steps below this, in dB, are rounding: a pure tone has no spectrum that moves.
STEADY_DB = 0.01


def learn(table, *, jobs=None, show=None):
    """What the clips of the training set are like; parameters as for `serlib.fit`.

    Returns
    -------
    dict, plain values for run.json
        mean and precision : of the clips' points, the latter the inverse of their covariance [4]_; limit : the largest
        Mahalanobis distance that counts as known; shortest_s : the least sound, without silence around it;
        longest_s : the longest clip.
    """
    from sklearn.covariance import LedoitWolf

    # Of all clips, so that every split of a corpus finds them in the cache; only the training set is looked at.
    extracted = extract(table, SPEC, jobs=jobs, show=show)
    train = (table.role == "train").to_numpy()
    points = _points(np.asarray(extracted.values[train], np.float64))
    mean, scale = normalisation.statistics(points)
    precision = np.eye(len(mean))  # of two clips, which lie on a line: that has no covariance to turn around
    if len(points) > 2:
        precision = LedoitWolf(assume_centered=True).fit((points - mean) / scale).precision_
    precision = precision / np.outer(scale, scale)
    domain = {"mean": _short(mean), "precision": [_short(row) for row in precision]}
    sound_s = extracted.lengths[train] * SPEC.hop / SPEC.rate_hz
    return {
        "limit": round(MARGIN * float(np.quantile(_distances(points, domain), 0.99)), 4),
        "shortest_s": round(SHORTER * float(np.quantile(sound_s, 0.01)), 3),
        "longest_s": round(LONGER * float(table.duration_s[train].max()), 3),
        **domain,
    }


def is_valid(domain):
    """Whether what run.json says of a domain can be used."""
    columns = len(SPEC.summary) * SPEC.n_mfcc
    numbers = np.array([domain["mean"], *domain["precision"]], dtype=float)
    limits = np.array([domain[name] for name in ("limit", "shortest_s", "longest_s")], dtype=float)
    finite = np.isfinite(numbers).all() and np.isfinite(limits).all()
    return bool(finite) and numbers.shape == (columns + 1, columns) and limits[0] > 0


def distance(y, rate_hz, domain):
    """How far a clip lies from the training clips, 1 being the limit; parameters as for `stranger`.

    Returns
    -------
    distance : float
    sound_s : float
        Length of the clip without the silence around it.
    """
    frames = extract_clip(y, rate_hz, frames_of(SPEC))
    point = _points(summarise(frames, SPEC)[np.newaxis])
    return float(_distances(point, domain)[0] / domain["limit"]), len(frames) * SPEC.hop / SPEC.rate_hz


def stranger(y, rate_hz, domain):
    """Why a model that has learned from these clips cannot judge a sound.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, full scale 1.0.
    rate_hz : int
    domain : dict
        From `learn`.

    Returns
    -------
    str, a sentence; empty where the sound resembles the training clips

    Taught in notebooks/05_evaluate.
    """
    lasts_s = len(y) / rate_hz
    if lasts_s > domain["longest_s"]:
        return (
            f"it lasts {lasts_s:.1f} s, more than {LONGER:g} times the longest clip that the model learned from; "
            "ask for a timeline, or cut it"
        )
    far, sound_s = distance(y, rate_hz, domain)
    if sound_s < domain["shortest_s"]:
        return (
            f"it holds {sound_s:.2f} s of sound, less than {SHORTER:g} times the shortest clips that the model learned "
            "from; record a whole sentence"
        )
    if far > 1:
        return (
            f"it does not sound like the speech that the model learned from ({far:.1f} times the limit): noise, music, "
            "or speech with too much of them"
        )
    return ""


def _points(summaries):
    """Logarithms, which make the cloud round [shape=(clips, 26)]."""
    return np.log(np.maximum(summaries, STEADY_DB))


def _distances(points, domain):
    away = points - np.asarray(domain["mean"])
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", away, np.asarray(domain["precision"]), away), 0))


def _short(values):
    """Six digits are enough for run.json."""
    return [float(f"{value:.6g}") for value in values]
