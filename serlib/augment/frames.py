"""Augmentations of the features: masks, mixed clips, warped frequency and time.

Each is called with the features of many clips [shape=(clips, frames, d)], float32, padded with zero rows, their labels
one-hot [shape=(clips, labels)], a numpy Generator and the names of the columns; it returns both, changed, and leaves
its arguments as they are. From a range (low, high) each clip's value is drawn evenly. Work goes clip by clip: a clip
fits into the processor's cache, an epoch does not.
"""

import dataclasses

import numpy as np

from serlib.augment.common import Augmentation
from serlib.features import spectral
from serlib.features.spec import names as column_names
from serlib.utils import SerlibError

#: Jaitly & Hinton's: formants lie below this frequency, in Hz; above it the warp leads back to the upper end.
FORMANTS_HZ = 4800.0
#: Whisper's log-mel counts in powers of ten, a quarter each: so many dB are 1.
WHISPER_DB = 40.0
#: Takes the place of a mean that is exactly zero: a masked frame must not look like padding.
ALMOST_ZERO = np.float32(1e-6)


class FeatureAugmentation(Augmentation):
    """Changes features: `augmentation(x, y, rng, names)`."""


@dataclasses.dataclass(frozen=True)
class SpecAugment(FeatureAugmentation):
    """Hide bands and stretches of time (Park et al. 2019, arXiv:1904.08779).

    What is hidden holds the clip's mean of that column over its frames, so that it is not taken for padding. Frequency
    masks hide neighbouring bands of `logmel`; time masks hide all columns. There are so many `..._masks` a clip, which
    may overlap; a width is drawn evenly from 0 to `..._share` of the bands or of the clip's frames. The widest are
    those of the paper's milder policy (15 of 80 bands; its limit on time masks is halved here since a word is short).
    """

    frequency_masks: int = 2
    frequency_share: float = 0.2
    time_masks: int = 2
    time_share: float = 0.1
    LIMITS = {"frequency_masks": (0, 20), "frequency_share": (0, 1), "time_masks": (0, 20), "time_share": (0, 1)}

    def __call__(self, x, y, rng, names):
        out = _sequences(self, x).copy()
        bands = logmel_columns(names)
        for clip, n in zip(out, lengths(x), strict=True):
            mean = clip[:n].mean(axis=0)
            mean[mean == 0] = ALMOST_ZERO
            for first, end in _spans(rng, self.time_masks, self.time_share, n):
                clip[first:end] = mean
            for first, end in _spans(rng, self.frequency_masks, self.frequency_share, bands.stop - bands.start):
                hidden = slice(bands.start + first, bands.start + end)
                clip[:n, hidden] = mean[hidden]
        return out, y


@dataclasses.dataclass(frozen=True)
class Mixup(FeatureAugmentation):
    """Mix each clip with another one, and their labels alike (Zhang et al. 2018, arXiv:1710.09412).

    A clip `i` and its partner `j` become `share * x[i] + (1 - share) * x[j]`, and so do their labels. Shares are drawn
    from Beta(alpha, alpha): with 0.2 most clips stay almost as they are, with 1 any share is as likely as any other.
    Partners are neighbours in a random order, so that no clip meets itself. Where the shorter one has ended the longer
    one stands alone: the zeros of the padding are no quiet frames. Works on summaries too.
    """

    alpha: float = 0.2
    LIMITS = {"alpha": (0.01, 1000)}

    def __call__(self, x, y, rng, names):
        order = rng.permutation(len(x))
        partner = np.empty_like(order)
        partner[order] = np.roll(order, 1)
        share = rng.beta(self.alpha, self.alpha, size=len(x)).astype(np.float32)
        rows = np.asarray(x).reshape(len(x), -1, np.shape(x)[-1])
        mixed = np.zeros_like(rows)
        length = lengths(rows)
        for i, j in enumerate(partner):
            both = min(length[i], length[j])
            longer = i if length[i] > length[j] else j
            mixed[i, :both] = share[i] * rows[i, :both] + (1 - share[i]) * rows[j, :both]
            mixed[i, both : length[longer]] = rows[longer, both : length[longer]]
        share = share[:, np.newaxis]
        return mixed.reshape(np.shape(x)), share * y + (1 - share) * y[partner]


@dataclasses.dataclass(frozen=True)
class FrequencyWarp(FeatureAugmentation):
    """Give the speaker a longer or shorter vocal tract (Jaitly & Hinton 2013, "Vocal tract length perturbation").

    Frequencies are multiplied by `factor` (1.1 moves formants a tenth up), and those above the formants led back so
    that the upper end stays where it is; each log-mel band takes the value from where its frequency came from. MFCC are
    computed again from the moved bands; columns of other kinds stay as they are. `fmin_hz` and `fmax_hz` are the range
    of the mel bands, as in the FeatureSpec (whose `fmax_hz` None is half its rate).
    """

    factor: tuple = (0.9, 1.1)
    fmin_hz: float = 0.0
    fmax_hz: float = 11025.0
    LIMITS = {"factor": (0.5, 2), "fmax_hz": (100, 400_000)}

    def __post_init__(self):
        super().__post_init__()
        self._check("fmin_hz", float, 0, self.fmax_hz - 1)

    def __call__(self, x, y, rng, names):
        import librosa

        out = _sequences(self, x).copy()
        bands = _needed_bands(self, names)
        n_bands = bands.stop - bands.start
        centres_hz = librosa.mel_frequencies(n_bands + 2, fmin=self.fmin_hz, fmax=self.fmax_hz)[1:-1]
        knee_hz = min(FORMANTS_HZ, 0.6 * self.fmax_hz)
        for clip, n, factor in zip(out, lengths(x), rng.uniform(*self.factor, size=len(x)), strict=True):
            moved_hz = knee_hz * min(factor, 1)
            source_hz = np.interp(centres_hz, [0, moved_hz, self.fmax_hz], [0, moved_hz / factor, self.fmax_hz])
            source = np.interp(source_hz, centres_hz, np.arange(n_bands))
            clip[:n, bands] = _between(clip[:n, bands].T, source).T
            _renew_mfcc(clip[:n], names)
        return out, y


@dataclasses.dataclass(frozen=True)
class Level(FeatureAugmentation):
    """Move the microphone: the log-mel bands of a clip, and MFCC with them, become louder or softer by `db`."""

    db: tuple = (-3.0, 3.0)
    LIMITS = {"db": (-40, 40)}

    def __call__(self, x, y, rng, names):
        out = _sequences(self, x).copy()
        bands = _needed_bands(self, names)
        unit = 1 / WHISPER_DB if names[bands.start].startswith("whisper_") else 1
        for clip, n, db in zip(out, lengths(x), rng.uniform(*self.db, size=len(x)), strict=True):
            clip[:n, bands] += np.float32(db * unit)
            _renew_mfcc(clip[:n], names)
        return out, y


@dataclasses.dataclass(frozen=True)
class Transpose(FeatureAugmentation):
    """Give the speaker another voice: the column `pitch` moves as a whole by `semitones`, its melody stays."""

    semitones: tuple = (-4.0, 4.0)
    LIMITS = {"semitones": (-24, 24)}

    def __call__(self, x, y, rng, names):
        if "pitch" not in names:
            raise SerlibError("Transpose moves the pitch, but the features hold none; add the kind pitch.")
        out = _sequences(self, x).copy()
        column = list(names).index("pitch")
        for clip, n, semitones in zip(out, lengths(x), rng.uniform(*self.semitones, size=len(x)), strict=True):
            clip[:n, column] += np.float32(semitones / 12)
        return out, y


@dataclasses.dataclass(frozen=True)
class TimeWarp(FeatureAugmentation):
    """Speak slower or faster: the frames of a clip are interpolated to a new number of frames, `factor` times the old.

    Unlike `Stretch` it costs next to nothing, so every epoch hears another tempo; slopes (`delta`) keep their values.
    What goes beyond the frames of the array is cut off.
    """

    factor: tuple = (0.9, 1.1)
    LIMITS = {"factor": (0.25, 4)}

    def __call__(self, x, y, rng, names):
        out = np.zeros_like(_sequences(self, x))
        factors = rng.uniform(*self.factor, size=len(x))
        for clip, warped, n, factor in zip(x, out, lengths(x), factors, strict=True):
            source = np.linspace(0, n - 1, max(1, round(factor * n)))[: len(warped)]
            warped[: len(source)] = _between(clip[:n], source)
        return out, y


def lengths(x):
    """Frames of each clip up to the last that is not all zero, at least 1 [shape=(clips,)]."""
    real = np.asarray(x).any(axis=2)
    return np.where(real.any(axis=1), real.shape[1] - real[:, ::-1].argmax(axis=1), 1)


def logmel_columns(names):
    """The columns of log-mel bands, serlib's or Whisper's, as a slice; an empty one where there are none."""
    columns = [i for i, name in enumerate(names) if name.startswith(("logmel_", "whisper_"))]
    return slice(columns[0], columns[-1] + 1) if columns else slice(0, 0)


def _needed_bands(augmentation, names):
    bands = logmel_columns(names)
    if bands.start == bands.stop:
        name = type(augmentation).__name__
        raise SerlibError(f"{name} moves mel bands, but the features hold none; add the kind logmel.")
    return bands


def _renew_mfcc(clip, names):
    """MFCC as they follow from the log-mel bands of a clip, where it has both [shape=(frames, d)]."""
    mfcc = [i for i, name in enumerate(names) if name.startswith("mfcc_")]
    if mfcc:
        clip[:, mfcc] = spectral.mfcc(clip[:, logmel_columns(names)], len(mfcc))


def feature_examples(x, spec, *, seed):
    """The log-mel spectrogram of a clip under each feature augmentation that changes it, strongly enough to see.

    `x` [shape=(2, frames, d)] are the features of two clips (the second is mixed into the first) and `spec` what they
    were computed with. A dict by what was done, in dB [shape=(frames, n_mels)]; the two clips themselves come first.
    """
    names = column_names(spec)
    x = np.asarray(x)
    mel = {"fmin_hz": spec.fmin_hz, "fmax_hz": spec.fmax_hz or spec.rate_hz / 2}
    changes = {
        "SpecAugment": SpecAugment(),
        "Mixup: half and half": Mixup(alpha=1000),
        "FrequencyWarp: formants 15 % up": FrequencyWarp((1.15, 1.15), **mel),
        "TimeWarp: a fifth shorter": TimeWarp((0.8, 0.8)),
        "Level: 20 dB softer": Level((-20, -20)),
    }
    changed = {name: change(x, np.eye(2), np.random.default_rng(seed), names)[0] for name, change in changes.items()}
    clips = {"as extracted": x, "the clip to mix with": x[::-1]} | changed
    bands = logmel_columns(names)
    return {name: pair[0, : lengths(pair)[0], bands] for name, pair in clips.items()}


def _sequences(augmentation, x):
    """The features, provided that they are frames."""
    if np.ndim(x) != 3:
        raise SerlibError(
            f"{type(augmentation).__name__} changes frames, but a summary holds one row a clip; leave it out, or "
            "choose features without a summary."
        )
    return np.asarray(x)


def _spans(rng, masks, share, size):
    """First and end of some masks along an axis."""
    for _ in range(masks):
        width = rng.integers(int(share * size) + 1)
        first = rng.integers(size - width + 1)
        yield first, first + width


def _between(rows, source):
    """Rows at positions between rows, linearly [shape=(len(source), d)], float32."""
    below = source.astype(int)
    above = np.minimum(below + 1, len(rows) - 1)
    part = (source - below).astype(np.float32)[:, np.newaxis]
    return (1 - part) * rows[below] + part * rows[above]
