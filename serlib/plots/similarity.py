"""The figure of two voices: which emotions they show in the same way."""

import numpy as np
from matplotlib.patches import Rectangle

from serlib.plots.style import canvas, described, drawn, honest, ink, listed


@drawn
def likeness(cosines, *, one, other, corpora=(), title="How alike are two voices?", ax=None):
    """Cosines between the emotions of two voices: red is alike, blue is opposite; a frame marks each row's largest.

    Parameters
    ----------
    cosines : pd.DataFrame
        From `serlib.evaluation.similarity.likeness`.
    one, other : str
        What rows and columns are called.
    corpora : sequence of str
        That the clips come from.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/07_generalize.
    """
    values = cosines.to_numpy()
    rows, columns = cosines.shape
    ax, out = canvas(ax, size=(3.6 + 0.88 * columns, 2.0 + 0.62 * rows))
    image = ax.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, origin="upper", aspect="auto")
    nearest = values.argmax(axis=1)
    for i, j in np.ndindex(rows, columns):
        text = f"{values[i, j].round(2) + 0:.2f}".replace("-", "\N{MINUS SIGN}")  # + 0: no -0.00
        shade = ink(image.cmap(image.norm(values[i, j])))
        ax.text(j, i, text, ha="center", va="center", color=shade, fontweight="bold" if j == nearest[i] else None)
    for i, j in enumerate(nearest):
        ax.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, fill=False, edgecolor="black", linewidth=2))
    ax.set_xticks(range(columns), cosines.columns)
    ax.set_yticks(range(rows), cosines.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, label="Cosine", pad=0.02)
    ax.set(title=honest(title, corpora), xlabel=f"Emotion of {other}", ylabel=f"Emotion of {one}")
    nearest_pairs = listed(
        (f"{label} to {cosines.columns[j]}", f"{values[i, j]:.2f}")
        for i, (label, j) in enumerate(zip(cosines.index, nearest, strict=True))
    )
    return described(out, f"Cosines between the emotions of {one} (rows) and of {other}; nearest are {nearest_pairs}.")
