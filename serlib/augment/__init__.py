"""Augmentation: the training set's clips, changed so that the label still holds. Never validation, never test.

Waveform augmentations change the sound: `augmentation(y, rate_hz, rng) -> y`. They are too slow for every epoch, so
`copies` makes a fixed number of changed copies of each file and keeps their features. Feature augmentations change
the arrays, with new draws in every epoch: `augmentation(x, y, rng, names) -> x, y`. What they draw comes from the
generator that is passed in and from nothing else.
"""

from serlib.augment.common import Augmentation
from serlib.augment.copying import Copies, copies
from serlib.augment.frames import FrequencyWarp, Level, Mixup, SpecAugment, TimeWarp, Transpose, feature_examples
from serlib.augment.waveform import Gain, Noise, PitchShift, Shift, Stretch, WaveformAugmentation, examples

__all__ = [
    "Augmentation",
    "Copies",
    "FrequencyWarp",
    "Gain",
    "Level",
    "Mixup",
    "Noise",
    "PitchShift",
    "Shift",
    "SpecAugment",
    "Stretch",
    "TimeWarp",
    "Transpose",
    "WaveformAugmentation",
    "copies",
    "examples",
    "feature_examples",
]
