"""The figure of what augmentation does to features."""

import numpy as np

from serlib.plots.style import described, drawn, heading, panels


@drawn
def augmented(rows, *, hop_s, title="What feature augmentation makes of a clip"):
    """A log-mel spectrogram as it is and as each feature augmentation leaves it, all to one scale.

    Parameters
    ----------
    rows : dict of str -> np.ndarray [shape=(frames, n_mels)]
        What was done -> log-mel in dB, as `serlib.augment.feature_examples` gives them.
    hop_s : float
        Seconds from frame to frame.

    Returns
    -------
    Figure. Two panels side by side; the colours go from the lowest to the highest value of the first panel (1 % at
    each end left out).

    Taught in notebooks/07_generalize.
    """
    low, high = np.percentile(next(iter(rows.values())), [1, 99])
    lines = -(-len(rows) // 2)
    figure, grid = panels(lines, 2, size=(11, 2.6 * lines + 1), sharex=True, sharey=True)
    for ax in grid.flat[len(rows) :]:
        ax.set_visible(False)
    for ax, (name, values) in zip(grid.flat, rows.items(), strict=False):
        extent = (0, len(values) * hop_s, -0.5, values.shape[1] - 0.5)
        image = ax.imshow(values.T, cmap="magma", vmin=low, vmax=high, interpolation="nearest", extent=extent)
        ax.set_title(name, fontsize=13)
    longest_s = max(len(values) for values in rows.values()) * hop_s
    grid[0, 0].set_xlim(0, longest_s)
    for ax in list(grid.flat[: len(rows)])[-2:]:
        ax.set_xlabel("Time (s)")
        ax.tick_params(labelbottom=True)
    for ax in grid[:, 0]:
        ax.set_ylabel("Mel band")
    figure.colorbar(image, ax=grid, label="Level (dB)", aspect=40, pad=0.02)
    heading(figure, title)
    ways = "; ".join(f"{name}, {len(values) * hop_s:.1f} s" for name, values in rows.items())
    return described(figure, f"{len(rows)} log-mel spectrograms of one clip, to one scale: {ways}.")
