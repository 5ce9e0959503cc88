"""Figures that compare: recipes under every split, and the emotions of two voices."""

import numpy as np
from matplotlib.patches import Rectangle

from serlib.experiments.comparison import MARK, MARKED, starred
from serlib.plots.style import FAINT, INK, canvas, described, honest, ink, listed, name_cells, ramp, with_style
from serlib.utils import SerlibError

#: One shape a split, so that the figure can be read without its colours.
SHAPES = "osD^vPX<>"

#: What authors reported: a stroke that a point does not hide.
REPORTED = {"color": INK, "markersize": 19, "markeredgewidth": 3, "zorder": 1}


@with_style
def recipes_compared(table, *, title="The same recipes, other questions", ax=None):
    """Every recipe under every split with its 95 % interval, and what its authors reported.

    Parameters
    ----------
    table : pd.DataFrame
        Of a `serlib.experiments.comparison.Comparison`: the rows of one corpus (or of several that train together).

    Returns
    -------
    Figure, or Axes where `ax` is given. The recipe that is best under the last split stands on top.

    Raises
    ------
    SerlibError
        The table holds no row, or two for the same recipe and split.

    Taught in notebooks/06_compare.
    """
    if table.empty or table.duplicated(["recipe", "split"]).any():
        raise SerlibError(f"{len(table)} rows of a comparison: one or more are needed, each recipe and split once")
    splits = list(dict.fromkeys(table["split"]))
    order = list(table[table["split"] == splits[-1]].sort_values("accuracy", kind="stable")["recipe"])
    order = [name for name in dict.fromkeys(table["recipe"]) if name not in order] + order
    rows = table.set_index(["recipe", "split"])
    is_marked = starred(table.drop_duplicates("recipe").set_index("recipe"))
    ax, out = canvas(ax, size=(11, 2.3 + (0.24 + 0.14 * len(splits)) * len(order)))
    step = 0.72 / len(splits)
    for n, (split, shade) in enumerate(zip(splits, ramp(len(splits)), strict=True)):
        entries = [(y, rows.loc[(name, split)]) for y, name in enumerate(order) if (name, split) in rows.index]
        y = np.array([y for y, _ in entries]) + 0.36 - step * (n + 0.5)
        value, low, high = (
            np.array([100 * row[name] for _, row in entries]) for name in ("accuracy", "accuracy_low", "accuracy_high")
        )
        interval = [(value - low).clip(0), (high - value).clip(0)]
        look = {"color": shade, "markersize": 8, "capsize": 4, "linewidth": 2, "label": split}
        ax.errorbar(value, y, xerr=interval, fmt=SHAPES[n % len(SHAPES)], **look)
        reported = np.array([100 * row["reported"] for _, row in entries], dtype=float)
        is_reported = ~np.isnan(reported)
        ax.plot(reported[is_reported], y[is_reported], "|", **REPORTED)
    if table["reported"].notna().any():
        ax.plot([], [], "|", label="reported", **REPORTED)
    for y in range(len(order) - 1):
        ax.axhline(y + 0.5, color="#dddddd", linewidth=1)
    chance = 100 / table["classes"].max()
    ax.axvline(chance, color=FAINT, linestyle=":", linewidth=1.8, label="guessing")
    ax.set_yticks(range(len(order)), [name + MARK * bool(is_marked[name]) for name in order])
    ax.tick_params(axis="y", length=0)
    ax.set(ylim=(-0.5, len(order) - 0.5), xlim=(0, 102), xticks=range(0, 101, 20))
    corpora = sorted({name for names in table["corpora"] for name in names.split("+")})
    ax.set(title=honest(title, corpora), xlabel="Accuracy (%), 95 % interval", ylabel="Recipe")
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    if is_marked.any():
        ax.set_xlabel(f"{ax.get_xlabel()}\n{MARKED}")
    sentences = []
    for split in splits:
        entries = [name for name in reversed(order) if (name, split) in rows.index]
        sentences.append(
            f"{split}: " + listed((name, f"{100 * rows.loc[(name, split)]['accuracy']:.0f} %") for name in entries)
        )
    text = f"Accuracy of {len(order)} recipes with 95 % intervals by split; {'; '.join(sentences)}."
    return described(out, text)


@with_style
def similarity(cosines, *, one, other, corpora=(), title="How alike are two voices?", ax=None):
    """Cosines between the emotions of two voices: red is alike, blue is opposite; a frame marks each row's largest.

    Parameters
    ----------
    cosines : pd.DataFrame
        From `serlib.evaluation.similarity.emotion_similarity`.
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
    name_cells(ax, image, cosines.index, cosines.columns, label="Cosine")
    ax.set(title=honest(title, corpora), xlabel=f"Emotion of {other}", ylabel=f"Emotion of {one}")
    nearest_pairs = listed(
        (f"{label} to {cosines.columns[j]}", f"{values[i, j]:.2f}")
        for i, (label, j) in enumerate(zip(cosines.index, nearest, strict=True))
    )
    return described(out, f"Cosines between the emotions of {one} (rows) and of {other}; nearest are {nearest_pairs}.")
