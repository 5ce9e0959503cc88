"""Augmentation: the training set's clips, changed so that the label still holds. Never validation, never test.

Waveform augmentations change the sound: `augmentation(y, rate_hz, rng) -> y`. They are too slow for every epoch, so
`copies` makes a fixed number of changed copies of each file and keeps their features. Feature augmentations change
the arrays, with new draws in every epoch: `augmentation(x, y, rng, names) -> x, y`. What they draw comes from the
generator that is passed in and from nothing else. Taught in notebooks/07_generalize.
"""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "common": ["Augmentation"],
        "copying": ["Copies", "copies"],
        "frames": ["FrequencyWarp", "Level", "Mixup", "SpecAugment", "TimeWarp", "Transpose", "feature_examples"],
        "waveform": ["Gain", "Noise", "PitchShift", "Shift", "Stretch", "WaveformAugmentation", "examples"],
    },
)
