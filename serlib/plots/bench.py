"""The figure of the MFCC bench: one clip as spectrogram, mel bands and MFCC, with settings of one's own."""

import numpy as np

from serlib.plots.style import described, drawn, heading, panels


@drawn
def mfcc_bench(levels_db, bands_db, mfcc, spec, *, title="One clip, three times"):
    """Spectrogram, mel bands and MFCC of a clip, one below the other on one time axis.

    Parameters
    ----------
    levels_db : np.ndarray [shape=(frames, 1 + frame / 2)]
        Power spectrogram in dB.
    bands_db : np.ndarray [shape=(frames, n_mels)]
        Mel levels in dB.
    mfcc : np.ndarray [shape=(frames, n_mfcc)]
        Drawn from number 1 on: number 0 is the level and outshines the others.
    spec : serlib.features.FeatureSpec
        That they were made with.
    title : str

    Returns
    -------
    Figure

    Taught in notebooks/03_mfcc.
    """
    figure, grid = panels(3, size=(10, 7), sharex=True)
    seconds = len(mfcc) * spec.hop / spec.rate_hz
    first = min(1, mfcc.shape[1] - 1)
    bound = max(float(np.percentile(abs(mfcc[:, first:]), 98)), 1e-6)
    level = ("magma", -80, 0)
    value = ("PuOr_r", -bound, bound)
    for ax, values, span, (cmap, low, high), name in (
        (grid[0, 0], levels_db - levels_db.max(), (0, spec.rate_hz / 2000), level, "Spectrogram\n(kHz)"),
        (grid[1, 0], bands_db - bands_db.max(), (-0.5, spec.n_mels - 0.5), level, "Mel bands\n(number)"),
        (grid[2, 0], mfcc[:, first:], (first - 0.5, mfcc.shape[1] - 0.5), value, "MFCC\n(number)"),
    ):
        image = ax.imshow(values.T, extent=(0, seconds, *span), cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        bar = figure.colorbar(image, ax=ax, pad=0.02, label="Value" if ax is grid[2, 0] else "dB below peak")
        bar.ax.locator_params(nbins=4)
        ax.set_ylabel(name)
        ax.locator_params(axis="y", nbins=4, integer=True)
    grid[2, 0].set_xlabel("Time (s)")
    heading(figure, title)
    return described(
        figure,
        f"{title}: spectrogram, {spec.n_mels} mel bands and {mfcc.shape[1]} MFCC of {len(mfcc)} frames of "
        f"{1000 * spec.frame / spec.rate_hz:.0f} ms, one every {1000 * spec.hop / spec.rate_hz:.0f} ms.",
    )
