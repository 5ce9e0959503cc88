"""The figure of everything that can be computed from one clip, on one time axis."""

import numpy as np

from serlib.features import spectral
from serlib.features.spec import names
from serlib.plots.style import MAIN, described, drawn, heading, panels

#: Kind -> (what its axis says, colour map); kinds of one number a frame are lines.
LOOKS = {
    "mfcc": ("MFCC", "PuOr_r"),
    "delta": ("Delta", "PuOr_r"),
    "delta2": ("Delta of\ndelta", "PuOr_r"),
    "chroma": ("Chroma", "viridis"),
    "logmel": ("Log-mel\n(band)", "magma"),
    "contrast": ("Spectral\ncontrast\n(band)", "viridis"),
    "tonnetz": ("Tonnetz", "PuOr_r"),
    "rms": ("RMS\n(amplitude)", None),
    "zcr": ("Zero\ncrossings\n(share)", None),
    "f0": ("Pitch f0\n(Hz)", None),
    "pitch": ("Pitch\n(octaves)", None),
    "voiced": ("Voiced\n(share)", None),
}


@drawn
def features(rows, spec, *, title="Features over time"):
    """Every kind of feature of one clip, a row each, on one time axis.

    Parameters
    ----------
    rows : np.ndarray [shape=(frames, d)]
        As `serlib.extract_clip` gives them, without a summary.
    spec : serlib.FeatureSpec
        What they were computed with.

    Returns
    -------
    Figure. Colours of a heat map go from the lowest to the highest of its values (2 % at each end left out); where
    both signs mean something white is zero. Pitch is dots, since frames without a voice hold a guess.

    Taught in notebooks/03_mfcc.
    """
    rows = np.asarray(rows)
    hop_s = spec.hop / spec.rate_hz
    kinds = np.array([name.split("_")[0] for name in names(spec)])
    flat = [LOOKS[kind][1] is None for kind in spec.kinds]
    heights = [1.1 if line else 1.5 for line in flat]
    figure, grid = panels(len(flat), 1, size=(10, sum(heights) + 1), sharex=True, height_ratios=heights)
    figure.get_layout_engine().set(h_pad=0.04)
    time_s = np.arange(len(rows)) * hop_s
    for ax, kind, line in zip(grid[:, 0], spec.kinds, flat, strict=True):
        values = rows[:, kinds == kind]
        name, colours = LOOKS[kind]
        if line:
            ax.plot(time_s, values, "." if kind == "f0" else "-", color=MAIN)
            ax.set_ylim(0 if kind not in ("f0", "pitch") else None, None)
            ax.grid(axis="y")
        else:
            _heat(ax, values, hop_s, kind, colours)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.tick_params(labelsize=10)
    grid[-1, 0].set(xlabel="Time (s)", xlim=(-hop_s / 2, (len(rows) - 0.5) * hop_s))
    heading(figure, title)
    sizes = ", ".join(f"{kind} {np.sum(kinds == kind)}" for kind in spec.kinds)
    return described(
        figure, f"{len(spec.kinds)} kinds of features over {len(rows)} frames, one below the other; numbers: {sizes}."
    )


def _heat(ax, values, hop_s, kind, colours):
    """A heat map; the level of the 0th MFCC would outshine the others."""
    shape = values[:, 1:] if kind == "mfcc" and values.shape[1] > 1 else values
    low, high = np.percentile(shape, [2, 98])
    if colours == "PuOr_r":
        high = max(abs(low), abs(high), 1e-6)
        low = -high
    extent = (-hop_s / 2, (len(values) - 0.5) * hop_s, -0.5, values.shape[1] - 0.5)
    ax.imshow(values.T, cmap=colours, vmin=low, vmax=high, interpolation="nearest", extent=extent)
    if kind == "chroma":
        ax.set_yticks(range(0, 12, 3), spectral.CHROMA[::3])
    elif kind == "tonnetz":
        ax.set_yticks([0.5, 2.5, 4.5], ["fifth", "minor", "major"])
