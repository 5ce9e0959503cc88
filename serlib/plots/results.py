"""Figures of a training, of a Report, of what drove one answer, and of many runs side by side.

Taught in notebooks/05_evaluate, but for what names another.
"""

import itertools

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch, Rectangle

from serlib import evaluation
from serlib.experiments.comparison import MARK, MARKED, starred
from serlib.plots.sound import FEWER_TICKS_HZ, draw_spectrogram
from serlib.plots.style import (
    FAINT,
    INK,
    MAIN,
    SECOND,
    canvas,
    colour,
    described,
    heading,
    honest,
    ink,
    listed,
    name_cells,
    panels,
    ramp,
    with_style,
)
from serlib.utils import SerlibError

#: A share of fewer clips than this says little.
FEW = 10


@with_style
def confusion(report, *, title="Confusion matrix", ax=None):
    """What was said against what was meant: per cent of each row, the number of clips below."""
    counts = np.asarray(report.confusion)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(100 * counts, total, out=np.zeros(counts.shape), where=total > 0)
    k = len(report.labels)
    ax, out = canvas(ax, size=(3.2 + 0.88 * k, 2.0 + 0.72 * k))
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=100, origin="upper")
    for i, j in np.ndindex(k, k):
        text = f"{share[i, j]:.0f} %\n{counts[i, j]}" if counts[i, j] else "·"
        shade = ink(image.cmap(image.norm(share[i, j])))
        ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=11, fontweight="bold" if i == j else None)
    rotation = 30 if max(map(len, report.labels)) > 8 else 0
    name_cells(ax, image, report.labels, report.labels, label="Share of the row (%)", rotation=rotation)
    ax.set(title=honest(title, report.corpora), xlabel="Answered", ylabel="True")
    wrong = np.where(np.eye(k, dtype=bool), -1, share)
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    recall = listed((label, f"{share[n, n]:.0f} %") for n, label in enumerate(report.labels) if total[n, 0])
    worst = f"; most often mistaken: {report.labels[i]} for {report.labels[j]}, {share[i, j]:.0f} %"
    worst = worst if wrong.max() > 0 else ""
    return described(out, f"Confusion matrix of {report.n_test} clips; right: {recall}{worst}.")


@with_style
def recall_bars(report, *, title="Recall per emotion", ax=None):
    """Recall of each emotion with its 95 % interval."""
    table = 100 * report.per_class.dropna(subset=["recall"])
    ax, out = canvas(ax, size=(10, 4.6))
    colours = [colour(label) for label in table.index]
    _bars(ax, table.index, table[["recall", "recall_low", "recall_high"]].to_numpy().T, colours, edgecolor=INK)
    _chance(ax, report)
    ax.set(title=honest(title, report.corpora), xlabel="Emotion", ylabel="Recall (%)")
    ax.set(ylim=(0, 112), yticks=range(0, 101, 20))
    return described(
        out,
        f"Bar chart of recall per emotion with 95 % intervals resampled by {report.resampled_by}: "
        f"{listed((label, f'{value:.0f} %') for label, value in table['recall'].items())}.",
    )


def _bars(ax, names, values, colours, *, digits=0, capsize=6, linewidth=2, fontsize=None, **look):
    """Bars in per cent with their intervals; `values` are theirs and the ends of their intervals."""
    value, low, high = values
    interval = {"yerr": [(value - low).clip(0), (high - value).clip(0)], "capsize": capsize}
    ax.bar(names, value, color=colours, error_kw={"ecolor": INK, "linewidth": linewidth}, **interval, **look)
    text = {"textcoords": "offset points", "ha": "center", "fontweight": "bold", "fontsize": fontsize}
    for x, (share, top) in enumerate(zip(value, np.fmax(value, high), strict=True)):
        ax.annotate(f"{share:.{digits}f} %", (x, top), (0, 5), **text)


def _chance(ax, report):
    chance = 100 / max(1, int((report.per_class["support"] > 0).sum()))
    ax.axhline(chance, color=INK, linestyle=":", linewidth=1.5)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center", "fontsize": 11}
    ax.annotate("guessing", (1, chance), (4, 0), **place)


@with_style
def per_speaker(report, *, title="Accuracy and UAR per speaker", ax=None):
    """Accuracy (bar) and UAR (diamond) of each speaker, best on top."""
    table = _speakers(report, report.per_speaker).sort_values("accuracy", kind="stable")
    ax, out = canvas(ax, size=(10, 1.8 + 0.36 * len(table)))
    ax.barh(table.index, 100 * table["accuracy"], color=MAIN, height=0.7, label="accuracy")
    ax.plot(100 * table["uar"], table.index, "D", color="#f2c14e", markeredgecolor=INK, markersize=8, label="UAR")
    for y, n in enumerate(table["n"]):
        ax.annotate(f"n = {n:.0f}", (100, y), (6, 0), textcoords="offset points", va="center", fontsize=11)
    ax.set(title=honest(title, report.corpora), xlabel="Accuracy, UAR (%)", ylabel="Speaker", xlim=(0, 100))
    ax.margins(y=0.02)
    ax.legend(loc="upper left", bbox_to_anchor=(1.1, 1))
    worst = table.index[0]
    top = table.index[-1]
    return described(
        out,
        f"Bar chart of {len(table)} speaker{'s' * (len(table) != 1)}: accuracy from "
        f"{100 * table['accuracy'].iloc[0]:.0f} % ({worst}) to {100 * table['accuracy'].iloc[-1]:.0f} % ({top}).",
    )


def _speakers(report, table):
    if table.empty:
        raise SerlibError("the report names no speaker; score it with speakers to compare them")
    return table


@with_style
def speaker_recall(report, *, title="Recall per speaker and emotion", ax=None):
    """Who is understood in which emotion: a heat map."""
    table = 100 * _speakers(report, report.speaker_recall)
    ax, out = canvas(ax, size=(2.8 + 1.0 * table.shape[1], 2.2 + 0.36 * len(table)))
    cmap = matplotlib.colormaps["viridis"].with_extremes(bad="white")
    image = ax.imshow(table, cmap=cmap, vmin=0, vmax=100, origin="upper")
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            ax.text(j, i, f"{value:.0f}", ha="center", va="center", color=ink(cmap(value / 100)), fontsize=11)
    name_cells(ax, image, table.index, table.columns, label="Recall (%)")
    ax.set(title=honest(title, report.corpora), xlabel="Emotion", ylabel="Speaker")
    lowest = table.stack().idxmin()
    return described(
        out,
        f"Heat map of recall for {len(table)} speakers and {table.shape[1]} emotions; lowest "
        f"{table.stack().min():.0f} % for speaker {lowest[0]}, {lowest[1]}.",
    )


@with_style
def reliability(report, *, title="Is the model as sure as it should be?"):
    """Accuracy against confidence in bins, and below how many clips each bin holds.

    On the diagonal a model that is 80 % sure is right in 80 % of the cases; bars below it mean overconfidence.
    """
    table = report.reliability[report.reliability["n"] > 0]
    middle = 50 * (table["low"] + table["high"])
    width = 100 * (table["high"] - table["low"])
    figure, ((top,), (bottom,)) = panels(2, size=(10, 6.4), sharex=True, height_ratios=(3, 1))
    few = table["n"] < FEW
    shades = [to_rgba(MAIN, 0.3 if pale else 1) for pale in few]
    top.bar(middle, 100 * table["accuracy"], width, color=shades, edgecolor=MAIN)
    top.bar(0, 0, color=MAIN, label=f"accuracy{f' (pale: under {FEW} clips)' if few.any() else ''}")
    gap = 100 * (table["confidence"] - table["accuracy"])
    look = {"color": "none", "edgecolor": SECOND, "hatch": "//", "label": "distance to the confidence"}
    top.bar(middle, gap, width, bottom=100 * table["accuracy"], **look)
    top.plot([0, 100], [0, 100], "--", color=INK, linewidth=1.5, label="perfectly calibrated")
    top.set(title=honest(title, report.corpora), ylabel="Accuracy (%)", xlim=(0, 100), ylim=(0, 102))
    top.legend(loc="upper left", bbox_to_anchor=(1.01, 1), title=f"ECE = {100 * report.ece:.1f} %", alignment="left")
    bottom.bar(middle, table["n"], width, color=FAINT, edgecolor="white")
    bottom.set(xlabel="Confidence (%)", ylabel="Clips")
    mean = 100 * report.predictions["confidence"].mean()
    way = "too sure" if mean > 100 * report.accuracy else "not too sure"
    return described(
        figure,
        f"Reliability diagram: mean confidence {mean:.0f} %, accuracy {100 * report.accuracy:.0f} %: the model "
        f"is {way}; expected calibration error {100 * report.ece:.1f} %.",
    )


@with_style
def abstaining(report, *, marks=(0.5, 0.7, 0.9), title="Accuracy when the model may abstain", ax=None):
    """Accuracy of the answers against the share of clips that are answered; `marks` are thresholds of confidence."""
    table = evaluation.abstaining(report).dropna()
    points = evaluation.abstaining(report, thresholds=marks).dropna()
    ax, out = canvas(ax, size=(8.5, 4.8))
    ax.plot(100 * table["coverage"], 100 * table["accuracy"], color=MAIN)
    for row, mark in zip(points.itertuples(), itertools.cycle("os^Dv")):  # in a legend: the marks may lie close
        says = f"≥ {100 * row.threshold:.0f} % sure: {100 * row.coverage:.0f} % answered"
        ax.plot(100 * row.coverage, 100 * row.accuracy, mark, color=SECOND, markersize=9, label=says)
    floor = 100 * table["accuracy"].min()
    ax.set(title=honest(title, report.corpora), xlabel="Clips answered (%)", ylabel="Accuracy of the answers (%)")
    ax.set(xlim=(0, 102), ylim=(max(0, floor - 8), 103))
    ax.set_yticks([tick for tick in ax.get_yticks() if max(0, floor - 8) <= tick <= 100])
    ax.grid()
    if len(points):
        ax.legend(loc="lower left")
    text = listed(
        (f"at {r.threshold:.0%} confidence", f"{r.coverage:.0%} answered and {r.accuracy:.0%} right")
        for r in points.itertuples()
    )
    return described(out, f"Accuracy against coverage: all answered, {100 * report.accuracy:.0f} % right; {text}.")


@with_style
def splits_compared(reports, *, metric="accuracy", title="The same recipe under different splits", by="Split", ax=None):
    """One bar a split, with its 95 % interval: what an accuracy is worth depends on who is in the test.

    Parameters
    ----------
    reports : dict of str -> Report
    metric : {"accuracy", "uar"}
    by : str
        What the bars differ in.
    """
    names = [f"{name} *" if report.note else name for name, report in reports.items()]
    value = np.array([100 * getattr(report, metric) for report in reports.values()])
    low, high = np.array([[100 * end for end in report.ci95[metric]] for report in reports.values()]).T
    corpora = {corpus for report in reports.values() for corpus in report.corpora}
    notes = ["* " + note.replace(": ", ":\n") for note in sorted({report.note for report in reports.values()} - {""})]
    ax, out = canvas(ax, size=(max(7.5, 2.2 + 1.5 * len(names)), 5))
    look = {"digits": 1, "capsize": 9, "linewidth": 2.2, "fontsize": 14, "width": 0.65}
    _bars(ax, names, (value, low, high), ramp(len(names)), **look)
    _chance(ax, next(iter(reports.values())))
    what = "UAR" if metric == "uar" else "Accuracy"
    ax.set(title=honest(title, corpora), ylabel=f"{what} (%)", ylim=(0, 114), yticks=range(0, 101, 20))
    ax.set_xlabel("\n".join([by, *notes]))
    bars = zip(names, value, low, high, strict=True)
    text = "; ".join(f"{name} {v:.1f} % [{a:.1f}, {b:.1f}]" for name, v, a, b in bars)
    text = ". ".join([text, *(note.replace("\n", " ") for note in notes)])
    return described(out, f"Bar chart of {what} with 95 % intervals by {by.lower()}: {text}.")


#: What spoke for the answer and what against it, over a spectrogram in grey that shows through.
FOR = "#ff961e"
AGAINST = "#5aa0ff"
OPACITY = 0.75


@with_style
def occlusion(y, rate_hz, result, *, answer="the answer", title="What drove the answer"):
    """What an answer loses when a piece of the clip is occluded, over the clip's spectrogram.

    Above: one window at all frequencies; on the right: one band all along. The colours of the map reach full strength
    at its largest value, which stands in the title of the map.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    result : serlib.evaluation.attribution.Occlusion
        Of that clip.
    answer : str
        Label of the answer that was asked about.
    """
    import librosa

    options = {"height_ratios": (1, 2.4), "width_ratios": (4, 1), "sharex": "col", "sharey": "row"}
    figure, ((over_time, corner), (map_, over_hz)) = panels(2, 2, size=(11, 5.8), **options)
    corner.set_visible(False)
    image, _ = draw_spectrogram(map_, y, rate_hz, fmax_hz=result.edges_hz[-1], ticks_hz=FEWER_TICKS_HZ)
    image.set(cmap="gray", clim=(-80, 20))
    largest = max(float(abs(result.pieces).max()), np.finfo(float).tiny)
    share = (result.pieces / largest).T
    colours = np.where(share[..., np.newaxis] > 0, to_rgba(FOR), to_rgba(AGAINST))
    colours[..., 3] = OPACITY * abs(share)
    map_.imshow(colours, extent=image.get_extent(), interpolation="nearest")
    map_.set_title(f"one piece, at most {_points(largest)}", fontsize=12, fontweight="normal")
    map_.set(xlabel="Time (s)", ylabel="Frequency (Hz, mel scale)", xlim=(0, len(y) / rate_hz))

    widths = np.diff(result.edges_s)
    heights = np.diff(librosa.hz_to_mel(result.edges_hz))
    look = {"align": "edge", "edgecolor": INK, "linewidth": 0.8}
    shades = [FOR if value > 0 else AGAINST for value in result.windows]
    over_time.bar(result.edges_s[:-1], 100 * result.windows, widths, color=shades, **look)
    shades = [FOR if value > 0 else AGAINST for value in result.bands]
    over_hz.barh(librosa.hz_to_mel(result.edges_hz[:-1]), 100 * result.bands, heights, color=shades, **look)
    over_time.axhline(0, color=INK, linewidth=1)
    over_hz.axvline(0, color=INK, linewidth=1)
    over_time.set_ylabel("Loss\n(points)")
    over_time.set_title("one window, all frequencies", fontsize=12, fontweight="normal")
    over_hz.set_xlabel("Loss (points)")
    over_hz.set_title("one band, all along", fontsize=12, fontweight="normal")
    words = {FOR: "spoke for it", AGAINST: "spoke against it"}
    handles = [Patch(facecolor=shade, edgecolor=INK, label=text) for shade, text in words.items()]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.99, 0.93))
    heading(figure, title)
    when, where = (int(values.argmax()) for values in (result.windows, result.bands))
    return described(
        figure,
        f"{title}: {answer} has {result.probability:.0%}. It loses most without the window from "
        f"{result.edges_s[when]:.2f} to {result.edges_s[when + 1]:.2f} s ({_points(result.windows[when])}) and without "
        f"the band from {result.edges_hz[where]:.0f} to {result.edges_hz[where + 1]:.0f} Hz "
        f"({_points(result.bands[where])}); one piece changes it by {_points(largest)} at most.",
    )


def _points(value):
    return f"{100 * value:.{0 if abs(value) >= 0.01 else 2}f} points"


#: One shape a split, so that the figure can be read without its colours.
SHAPES = "osD^vPX<>"

#: What authors reported: a stroke that a point does not hide.
REPORTED = {"color": INK, "markersize": 19, "markeredgewidth": 3, "zorder": 1}


@with_style
def recipes_compared(table, *, title="The same recipes, other questions", ax=None):
    """Every recipe under every split with its 95 % interval, and what its authors reported.

    The recipe that is best under the last split stands on top.

    Parameters
    ----------
    table : pd.DataFrame
        Of a `serlib.experiments.comparison.Comparison`: the rows of one corpus (or of several that train together),
        each recipe and split once.

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


@with_style
def curves(history, *, validation="validation", title="Training curves"):
    """Loss and accuracy by epoch, on the training and the validation set; the lowest validation loss is marked.

    Parameters
    ----------
    history : pd.DataFrame or dict of lists
        A row an epoch: loss, accuracy and, where there is a validation set, val_loss, val_accuracy; `epoch` (from 1)
        where it does not start at 1.
    validation : str
        What the validation curve is called; under the published protocol it is the test set and should say so.

    Taught in notebooks/04_lstm_train.
    """
    table = pd.DataFrame(dict(history)).reset_index(drop=True)
    epoch = table["epoch"].to_numpy() if "epoch" in table else np.arange(1, len(table) + 1)
    figure, ((left, right),) = panels(1, 2, size=(12, 4.6))
    best_row = int(table["val_loss"].idxmin()) if "val_loss" in table and table["val_loss"].notna().any() else None
    for ax, name, scale in ((left, "loss", 1), (right, "accuracy", 100)):
        for column, label, shade, style in ((name, "train", MAIN, "-"), (f"val_{name}", validation, SECOND, "--")):
            if column in table:
                ax.plot(epoch, scale * table[column], style, color=shade, label=label, marker="o", markersize=4)
        if best_row is not None:
            ax.axvline(epoch[best_row], color=FAINT, linestyle=":", label=f"best epoch ({epoch[best_row]})")
        ax.set(xlabel="Epoch", ylabel="Loss (cross-entropy)" if name == "loss" else "Accuracy (%)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid()
    left.set_title(title)
    right.legend(loc="lower right")
    last = table.iloc[-1]
    ends = listed((c, f"{last[c]:.3f}") for c in ("loss", "accuracy", "val_loss", "val_accuracy") if c in table)
    at = f"; best val_loss in epoch {epoch[best_row]}" if best_row is not None else ""
    return described(figure, f"Training curves over {len(table)} epochs; in the last: {ends}{at}.")
