"""Every figure of the notebooks and the report.

Each function takes arrays, tables or Reports (`serlib.evaluation.Report`) and returns the figure or, where it is given
an `ax` to draw on, that Axes. A figure describes itself: `alt(figure)` is one sentence with what the data say, and it
reaches the page with the picture when a notebook cell ends with the figure or calls `show(figure)`.
"""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "corpus": ["counts", "durations", "embedding", "pitch_and_loudness", "roles"],
        "results": [
            *("abstaining", "confusion", "occlusion", "per_speaker"),
            *("recall_bars", "reliability", "speaker_recall", "splits_compared"),
            *("curves", "recipes_compared", "similarity"),
        ],
        "sound": ["contours", "mfcc", "one_word", "portrait", "spectrogram", "waveplot"],
        "steps": [
            *("augmented", "bands", "coefficients", "cosines", "features"),
            *("filters", "framing", "gates", "mfcc_steps", "spectrum", "windowing"),
        ],
        "style": ["COLOURS", "ROLE_COLOURS", "Picture", "alt", "colour", "honest", "png", "show"],
    },
)
