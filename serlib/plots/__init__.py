"""Every figure of the notebooks and the report.

Each function takes arrays, tables or Reports and returns the figure (or, where it is given an `ax`, that Axes). A
figure describes itself: `alt(figure)` is one sentence with what the data say, and it reaches the page with the picture
when a notebook cell ends with the figure or calls `show(figure)`.
"""

from serlib.plots.comparison import recipes_compared, similarity
from serlib.plots.corpus import counts, durations, embedding, pitch_and_loudness, roles
from serlib.plots.results import (
    abstaining,
    confusion,
    occlusion,
    per_speaker,
    recall_bars,
    reliability,
    speaker_recall,
    splits_compared,
)
from serlib.plots.sound import contours, mfcc, one_word, portrait, spectrogram, waveplot
from serlib.plots.steps import (
    augmented,
    bands,
    coefficients,
    cosines,
    features,
    filters,
    framing,
    mfcc_steps,
    spectrum,
    windowing,
)
from serlib.plots.style import COLOURS, ROLE_COLOURS, Picture, alt, colour, honest, png, show
from serlib.plots.training import curves, gates

__all__ = [
    "COLOURS",
    "ROLE_COLOURS",
    "Picture",
    "abstaining",
    "alt",
    "augmented",
    "bands",
    "coefficients",
    "colour",
    "confusion",
    "contours",
    "cosines",
    "counts",
    "curves",
    "durations",
    "embedding",
    "features",
    "filters",
    "framing",
    "gates",
    "honest",
    "mfcc",
    "mfcc_steps",
    "occlusion",
    "one_word",
    "per_speaker",
    "pitch_and_loudness",
    "png",
    "portrait",
    "recall_bars",
    "recipes_compared",
    "reliability",
    "roles",
    "show",
    "similarity",
    "speaker_recall",
    "spectrogram",
    "spectrum",
    "splits_compared",
    "waveplot",
    "windowing",
]
