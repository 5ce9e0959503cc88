"""Figures of a corpus: what is in it, how it sounds on average, who works for what.

Taught in notebooks/02_eda, but for what names another.
"""

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from serlib.plots import style
from serlib.utils import ROLES, ordered_labels

#: Up to so many speakers are told apart in a figure; more are drawn together.
FEW = 4

#: Hatches and shares of colour that tell few speakers apart.
HATCHES = ("", "//", "..", "xx")
SHARES = (1.0, 0.55, 0.8, 0.35)


@style.with_style
def counts(index, *, title="Clips per emotion and speaker", ax=None):
    """Clips of an index per emotion, stacked by speaker."""
    ax, out = style.canvas(ax, size=(10, 4.8))
    table = pd.crosstab(index["label"].astype(str), index["speaker"].astype(str)).loc[ordered_labels(index["label"])]
    speakers = list(table.columns)
    few = table.shape[1] <= FEW
    bottom = np.zeros(len(table))
    for i, speaker in enumerate(speakers):
        share, hatch = (SHARES[i], HATCHES[i]) if few else (1.0, "")
        faces = [style.tint(style.colour(label), share) for label in table.index]
        bars = ax.bar(
            table.index, table[speaker], bottom=bottom, color=faces, edgecolor=style.INK, linewidth=0.7, hatch=hatch
        )
        if few:
            box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
            ax.bar_label(bars, [n or "" for n in table[speaker]], label_type="center", fontsize=11, bbox=box)
        bottom += table[speaker].to_numpy()
    if few and len(speakers) > 1:
        _speaker_key(ax, speakers)
    for x, n in enumerate(bottom):
        ax.annotate(f"{n:.0f}", (x, n), (0, 4), textcoords="offset points", ha="center", fontweight="bold")
    ax.set(title=style.honest(title, index), xlabel="Emotion", ylabel="Clips" if few else "Clips (a stripe a speaker)")
    ax.margins(y=0.12)
    return style.described(
        out,
        f"Bar chart: {len(index)} clips of {len(speakers)} speaker{'s' * (len(speakers) != 1)} by emotion: "
        f"{style.listed(zip(table.index, bottom.astype(int), strict=True))}.",
    )


def _speaker_key(ax, speakers):
    """A legend beside the axes that tells few speakers apart by tint and hatch."""
    looks = zip(SHARES, HATCHES, speakers, strict=False)
    handles = [
        Patch(facecolor=style.tint(style.FAINT, share), hatch=hatch, edgecolor=style.INK) for share, hatch, _ in looks
    ]
    ax.legend(handles, speakers, title="Speaker", loc="upper left", bbox_to_anchor=(1, 1))


def _boxes(ax, table, value):
    """A box a group of `table` for each emotion, few speakers side by side; returns the emotions."""
    labels = ordered_labels(table["label"])
    speakers = sorted(table["speaker"].astype(str).unique())
    apart = 1 < len(speakers) <= FEW
    parts = speakers if apart else [None]
    width = 0.75 / len(parts)
    look = {"whis": (5, 95), "showfliers": False, "patch_artist": True, "manage_ticks": False}
    look["medianprops"] = {"color": style.INK, "linewidth": 2.5}
    for i, label in enumerate(labels):
        for j, speaker in enumerate(parts):
            of = (table["label"] == label) & (True if speaker is None else table["speaker"].astype(str) == speaker)
            values = table.loc[of, value].dropna()
            if values.empty:
                continue
            place = i + (j - (len(parts) - 1) / 2) * width
            box = ax.boxplot(values, positions=[place], widths=0.85 * width, **look)
            for patch in box["boxes"]:
                patch.set(facecolor=style.tint(style.colour(label), SHARES[j]), edgecolor=style.INK, hatch=HATCHES[j])
    ax.set_xticks(range(len(labels)), labels)
    ax.grid(axis="y")
    if apart:
        _speaker_key(ax, speakers)
    return labels


def _medians(table, value, labels, unit):
    middle = table.groupby("label")[value].median()
    return style.listed((label, f"{middle[label]:.{2 if unit == 's' else 0}f} {unit}") for label in labels)


@style.with_style
def durations(index, *, title="Duration per emotion", ax=None):
    """Duration of the clips of an index per emotion: box from quartile to quartile, whiskers from 5 to 95 %."""
    ax, out = style.canvas(ax, size=(10, 4.5))
    labels = _boxes(ax, index, "duration_s")
    ax.set(title=style.honest(title, index), xlabel="Emotion", ylabel="Duration (s)")
    return style.described(out, f"Box plot of clip durations; medians: {_medians(index, 'duration_s', labels, 's')}.")


@style.with_style
def pitch_and_loudness(table, *, title="Pitch and loudness per emotion"):
    """How high and how loud each emotion is spoken: box from quartile to quartile, whiskers from 5 to 95 %.

    Parameters
    ----------
    table : pd.DataFrame
        A row a clip: `label`, `speaker`, `f0_hz` (NaN where no voice was found), `loudness_db` (0 dB is full scale).
    """
    figure, ((top,), (bottom,)) = style.panels(2, size=(10, 8), sharex=True)
    labels = _boxes(top, table, "f0_hz")
    top.set_yscale("log", base=2)  # equal steps sound equal
    low, high = top.get_ylim()
    ticks = [hz for hz in (50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 800) if low <= hz <= high]
    top.set_yticks(ticks, [str(hz) for hz in ticks])
    top.set(title=style.honest(title, table), ylabel="Pitch f0 (Hz)")
    _boxes(bottom, table, "loudness_db")
    if bottom.get_legend():
        bottom.get_legend().remove()
    bottom.set(xlabel="Emotion", ylabel="Loudness (dB)")
    return style.described(
        figure,
        f"Box plots of pitch and loudness by emotion; median pitch: {_medians(table, 'f0_hz', labels, 'Hz')}; "
        f"median loudness: {_medians(table, 'loudness_db', labels, 'dB')}.",
    )


@style.with_style
def roles(table, *, title=None, ax=None):
    """Which clip works for what: a picture of a split.

    A point is a clip, a column a text, a row an emotion of a speaker. A random split is confetti, a text split has
    stripes, a speaker split blocks.

    `table` is what `serlib.split` returns.

    Taught in notebooks/04_lstm_train.
    """
    table = table.reset_index(drop=True)
    keys = [table[name].astype(str) for name in ("speaker", "label", "text")]
    speakers = sorted(keys[0].unique())
    labels = ordered_labels(keys[1])
    texts = sorted(keys[2].unique())
    take = table.groupby(keys).cumcount().to_numpy()
    places = [pd.Index(names).get_indexer(key) for names, key in zip((speakers, labels, texts), keys, strict=True)]
    grid = np.full((len(speakers) * len(labels), len(texts) * (take.max() + 1)), np.nan)
    row = places[0] * len(labels) + places[1]
    column = places[2] * (take.max() + 1) + take
    grid[row, column] = pd.Index(ROLES).get_indexer(table["role"])

    ax, out = style.canvas(ax, size=(10, 4.6))
    colours = ListedColormap([style.ROLE_COLOURS[role] for role in ROLES])
    ax.imshow(grid, cmap=colours, vmin=0, vmax=len(ROLES) - 1, origin="upper", interpolation="nearest")
    for edge in range(1, len(speakers)):
        ax.axhline(edge * len(labels) - 0.5, color="white", linewidth=3 if len(speakers) <= FEW else 1)
    step = -(-len(speakers) // 24)
    ax.set_yticks([(i + 0.5) * len(labels) - 0.5 for i in range(0, len(speakers), step)], speakers[::step])
    wide = take.max() + 1
    ax.set_xticks([(i + 0.5) * wide - 0.5 for i in range(len(texts))] if len(texts) <= 12 else [])
    if len(texts) <= 12:
        ax.set_xticklabels(texts, rotation=20 if max(map(len, texts)) > 8 else 0)
    n = table["role"].value_counts().reindex(ROLES, fill_value=0)
    kind = (table.attrs.get("split") or {}).get("kind")
    title = title or (f"Split: {kind}" if kind else "Who works for what")
    ax.set(
        title=style.honest(title, table),
        xlabel=f"{len(texts)} texts, " + ("one a column" if wide == 1 else f"up to {wide} takes of each"),
        ylabel=f"Speakers, {len(labels)} emotions each",
    )
    ax.spines[:].set_visible(True)  # the outline of what is pale
    handles = [Patch(facecolor=style.ROLE_COLOURS[role], edgecolor=style.INK) for role in ROLES if n[role]]
    ax.legend(handles, [f"{role} ({n[role]})" for role in ROLES if n[role]], loc="upper left", bbox_to_anchor=(1, 1))
    overlap = {
        name: len(set(table.loc[table["role"] == "test", name]) & set(table.loc[table["role"] == "train", name]))
        for name in ("speaker", "text")
    }
    return style.described(
        out,
        f"Map of a split: {style.listed(n[n > 0].items())} clips; train and test share {overlap['speaker']} of "
        f"{len(speakers)} speakers and {overlap['text']} of {len(texts)} texts.",
    )


@style.with_style
def embedding(points, labels, *, speakers=None, title="Clips in two dimensions", axes=("Axis 1", "Axis 2"), ax=None):
    """Clips as points of a plane, coloured by emotion, few speakers told apart by their marker.

    Parameters
    ----------
    points : np.ndarray [shape=(n, 2)]
        From PCA, t-SNE or the like.
    labels, speakers : sequence of str [shape=(n,)]
    axes : pair of str
        Names of the two dimensions.

    Taught in notebooks/03_mfcc.
    """
    points = np.asarray(points)
    labels = np.asarray(labels).astype(str)
    speakers = np.full(len(labels), "") if speakers is None else np.asarray(speakers).astype(str)
    names = sorted(set(speakers))
    few = 1 < len(names) <= len(style.MARKERS)
    ax, out = style.canvas(ax, size=(9, 6.5))
    look = {"s": 42, "edgecolor": style.INK, "linewidth": 0.6}
    for label in ordered_labels(labels):
        for i, name in enumerate(names if few else [None]):
            of = (labels == label) & ((speakers == name) | (name is None))
            ax.scatter(*points[of].T, color=to_rgba(style.colour(label), 0.8), marker=style.MARKERS[i], **look)
    entries = [("o", style.colour(label), label) for label in ordered_labels(labels)]
    if few:
        entries += [(marker, style.INK, name) for marker, name in zip(style.MARKERS, names, strict=False)]
    look = {"linestyle": "", "markersize": 9, "markeredgecolor": style.INK}
    handles = [Line2D([], [], marker=marker, color=shade, label=name, **look) for marker, shade, name in entries]
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set(title=title, xlabel=axes[0], ylabel=axes[1])
    return style.described(
        out,
        f"Scatter plot of {len(points)} clips by {axes[0]} and {axes[1]}, coloured by {len(set(labels))} emotions"
        f"{f', marked by {len(names)} speakers' if few else ''}.",
    )
