"""Figures of a Report, and of what drove one answer."""

import itertools

import matplotlib
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch

from serlib import evaluation
from serlib.plots import style
from serlib.plots.sound import MEL_TICKS_HZ
from serlib.utils import SerlibError

#: A share of fewer clips than this says little.
FEW = 10


@style.with_style
def confusion(report, *, title="Confusion matrix", ax=None):
    """What was said against what was meant: per cent of each row, the number of clips below.

    Parameters
    ----------
    report : serlib.evaluation.Report

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/05_evaluate.
    """
    counts = np.asarray(report.confusion)
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(100 * counts, total, out=np.zeros(counts.shape), where=total > 0)
    k = len(report.labels)
    ax, out = style.canvas(ax, size=(3.2 + 0.88 * k, 2.0 + 0.72 * k))
    image = ax.imshow(share, cmap="Blues", vmin=0, vmax=100, origin="upper")
    for i, j in np.ndindex(k, k):
        text = f"{share[i, j]:.0f} %\n{counts[i, j]}" if counts[i, j] else "·"
        shade = style.ink(image.cmap(image.norm(share[i, j])))
        ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=11, fontweight="bold" if i == j else None)
    rotation = 30 if max(map(len, report.labels)) > 8 else 0
    style.name_cells(ax, image, report.labels, report.labels, label="Share of the row (%)", rotation=rotation)
    ax.set(title=style.honest(title, report.corpora), xlabel="Answered", ylabel="True")
    wrong = np.where(np.eye(k, dtype=bool), -1, share)
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    recall = style.listed((label, f"{share[n, n]:.0f} %") for n, label in enumerate(report.labels) if total[n, 0])
    worst = f"; most often mistaken: {report.labels[i]} for {report.labels[j]}, {share[i, j]:.0f} %"
    worst = worst if wrong.max() > 0 else ""
    return style.described(out, f"Confusion matrix of {report.n_test} clips; right: {recall}{worst}.")


@style.with_style
def recall_bars(report, *, title="Recall per emotion", ax=None):
    """Recall of each emotion with its 95 % interval.

    Parameters
    ----------
    report : serlib.evaluation.Report

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/05_evaluate.
    """
    table = 100 * report.per_class.dropna(subset=["recall"])
    ax, out = style.canvas(ax, size=(10, 4.6))
    colours = [style.colour(label) for label in table.index]
    _bars(ax, table.index, table[["recall", "recall_low", "recall_high"]].to_numpy().T, colours, edgecolor=style.INK)
    _chance(ax, report)
    ax.set(title=style.honest(title, report.corpora), xlabel="Emotion", ylabel="Recall (%)")
    ax.set(ylim=(0, 112), yticks=range(0, 101, 20))
    return style.described(
        out,
        f"Bar chart of recall per emotion with 95 % intervals resampled by {report.resampled_by}: "
        f"{style.listed((label, f'{value:.0f} %') for label, value in table['recall'].items())}.",
    )


def _bars(ax, names, values, colours, *, digits=0, capsize=6, linewidth=2, fontsize=None, **look):
    """Bars in per cent with their intervals; `values` are theirs and the ends of their intervals."""
    value, low, high = values
    interval = {"yerr": [(value - low).clip(0), (high - value).clip(0)], "capsize": capsize}
    ax.bar(names, value, color=colours, error_kw={"ecolor": style.INK, "linewidth": linewidth}, **interval, **look)
    text = {"textcoords": "offset points", "ha": "center", "fontweight": "bold", "fontsize": fontsize}
    for x, (share, top) in enumerate(zip(value, np.fmax(value, high), strict=True)):
        ax.annotate(f"{share:.{digits}f} %", (x, top), (0, 5), **text)


def _chance(ax, report):
    """A line at the accuracy of guessing among the classes that occur."""
    chance = 100 / max(1, int((report.per_class["support"] > 0).sum()))
    ax.axhline(chance, color=style.INK, linestyle=":", linewidth=1.5)
    place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center", "fontsize": 11}
    ax.annotate("guessing", (1, chance), (4, 0), **place)


@style.with_style
def per_speaker(report, *, title="Accuracy and UAR per speaker", ax=None):
    """Accuracy (bar) and UAR (diamond) of each speaker, best on top.

    Parameters
    ----------
    report : serlib.evaluation.Report

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Raises
    ------
    SerlibError
        The report names no speaker.

    Taught in notebooks/05_evaluate.
    """
    table = _speakers(report, report.per_speaker).sort_values("accuracy", kind="stable")
    ax, out = style.canvas(ax, size=(10, 1.8 + 0.36 * len(table)))
    ax.barh(table.index, 100 * table["accuracy"], color=style.MAIN, height=0.7, label="accuracy")
    ax.plot(100 * table["uar"], table.index, "D", color="#f2c14e", markeredgecolor=style.INK, markersize=8, label="UAR")
    for y, n in enumerate(table["n"]):
        ax.annotate(f"n = {n:.0f}", (100, y), (6, 0), textcoords="offset points", va="center", fontsize=11)
    ax.set(title=style.honest(title, report.corpora), xlabel="Accuracy, UAR (%)", ylabel="Speaker", xlim=(0, 100))
    ax.margins(y=0.02)
    ax.legend(loc="upper left", bbox_to_anchor=(1.1, 1))
    worst = table.index[0]
    top = table.index[-1]
    return style.described(
        out,
        f"Bar chart of {len(table)} speaker{'s' * (len(table) != 1)}: accuracy from "
        f"{100 * table['accuracy'].iloc[0]:.0f} % ({worst}) to {100 * table['accuracy'].iloc[-1]:.0f} % ({top}).",
    )


def _speakers(report, table):
    if table.empty:
        raise SerlibError("the report names no speaker; score it with speakers to compare them")
    return table


@style.with_style
def speaker_recall(report, *, title="Recall per speaker and emotion", ax=None):
    """Who is understood in which emotion: a heat map.

    Parameters
    ----------
    report : serlib.evaluation.Report

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Raises
    ------
    SerlibError
        The report names no speaker.

    Taught in notebooks/05_evaluate.
    """
    table = 100 * _speakers(report, report.speaker_recall)
    ax, out = style.canvas(ax, size=(2.8 + 1.0 * table.shape[1], 2.2 + 0.36 * len(table)))
    cmap = matplotlib.colormaps["viridis"].with_extremes(bad="white")
    image = ax.imshow(table, cmap=cmap, vmin=0, vmax=100, origin="upper")
    for (i, j), value in np.ndenumerate(table.to_numpy()):
        if np.isfinite(value):
            ax.text(j, i, f"{value:.0f}", ha="center", va="center", color=style.ink(cmap(value / 100)), fontsize=11)
    style.name_cells(ax, image, table.index, table.columns, label="Recall (%)")
    ax.set(title=style.honest(title, report.corpora), xlabel="Emotion", ylabel="Speaker")
    lowest = table.stack().idxmin()
    return style.described(
        out,
        f"Heat map of recall for {len(table)} speakers and {table.shape[1]} emotions; lowest "
        f"{table.stack().min():.0f} % for speaker {lowest[0]}, {lowest[1]}.",
    )


@style.with_style
def reliability(report, *, title="Is the model as sure as it should be?"):
    """Accuracy against confidence in bins, and below how many clips each bin holds.

    Parameters
    ----------
    report : serlib.evaluation.Report

    Returns
    -------
    Figure

    Notes
    -----
    On the diagonal a model that is 80 % sure is right in 80 % of the cases; bars below it mean overconfidence.

    Taught in notebooks/05_evaluate.
    """
    table = report.reliability[report.reliability["n"] > 0]
    middle = 50 * (table["low"] + table["high"])
    width = 100 * (table["high"] - table["low"])
    figure, ((top,), (bottom,)) = style.panels(2, size=(10, 6.4), sharex=True, height_ratios=(3, 1))
    few = table["n"] < FEW
    shades = [to_rgba(style.MAIN, 0.3 if pale else 1) for pale in few]
    top.bar(middle, 100 * table["accuracy"], width, color=shades, edgecolor=style.MAIN)
    top.bar(0, 0, color=style.MAIN, label=f"accuracy{f' (pale: under {FEW} clips)' if few.any() else ''}")
    gap = 100 * (table["confidence"] - table["accuracy"])
    look = {"color": "none", "edgecolor": style.SECOND, "hatch": "//", "label": "distance to the confidence"}
    top.bar(middle, gap, width, bottom=100 * table["accuracy"], **look)
    top.plot([0, 100], [0, 100], "--", color=style.INK, linewidth=1.5, label="perfectly calibrated")
    top.set(title=style.honest(title, report.corpora), ylabel="Accuracy (%)", xlim=(0, 100), ylim=(0, 102))
    top.legend(loc="upper left", bbox_to_anchor=(1.01, 1), title=f"ECE = {100 * report.ece:.1f} %", alignment="left")
    bottom.bar(middle, table["n"], width, color=style.FAINT, edgecolor="white")
    bottom.set(xlabel="Confidence (%)", ylabel="Clips")
    mean = 100 * report.predictions["confidence"].mean()
    way = "too sure" if mean > 100 * report.accuracy else "not too sure"
    return style.described(
        figure,
        f"Reliability diagram: mean confidence {mean:.0f} %, accuracy {100 * report.accuracy:.0f} %: the model "
        f"is {way}; expected calibration error {100 * report.ece:.1f} %.",
    )


@style.with_style
def abstaining(report, *, marks=(0.5, 0.7, 0.9), title="Accuracy when the model may abstain", ax=None):
    """Accuracy of the answers against the share of clips that are answered.

    Parameters
    ----------
    report : serlib.evaluation.Report
    marks : sequence of float
        Thresholds of confidence to mark.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/05_evaluate.
    """
    table = evaluation.abstaining(report).dropna()
    points = evaluation.abstaining(report, thresholds=marks).dropna()
    ax, out = style.canvas(ax, size=(8.5, 4.8))
    ax.plot(100 * table["coverage"], 100 * table["accuracy"], color=style.MAIN)
    for row, mark in zip(points.itertuples(), itertools.cycle("os^Dv")):  # in a legend: the marks may lie close
        at = 100 * row.coverage, 100 * row.accuracy
        ax.plot(
            *at,
            mark,
            color=style.SECOND,
            markersize=9,
            label=f"≥ {100 * row.threshold:.0f} % sure: {at[0]:.0f} % answered",
        )
    floor = 100 * table["accuracy"].min()
    ax.set(title=style.honest(title, report.corpora), xlabel="Clips answered (%)", ylabel="Accuracy of the answers (%)")
    ax.set(xlim=(0, 102), ylim=(max(0, floor - 8), 103))
    ax.set_yticks([tick for tick in ax.get_yticks() if max(0, floor - 8) <= tick <= 100])
    ax.grid()
    if len(points):
        ax.legend(loc="lower left")
    text = style.listed(
        (f"at {r.threshold:.0%} confidence", f"{r.coverage:.0%} answered and {r.accuracy:.0%} right")
        for r in points.itertuples()
    )
    return style.described(
        out, f"Accuracy against coverage: all answered, {100 * report.accuracy:.0f} % right; {text}."
    )


@style.with_style
def splits_compared(reports, *, metric="accuracy", title="The same recipe under different splits", by="Split", ax=None):
    """One bar a split, with its 95 % interval: what an accuracy is worth depends on who is in the test.

    Parameters
    ----------
    reports : dict of str -> Report
    metric : str
        `accuracy` or `uar`.
    by : str
        What the bars differ in.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/05_evaluate.
    """
    names = [f"{name} *" if report.note else name for name, report in reports.items()]
    value = np.array([100 * getattr(report, metric) for report in reports.values()])
    low, high = np.array([[100 * end for end in report.ci95[metric]] for report in reports.values()]).T
    corpora = {corpus for report in reports.values() for corpus in report.corpora}
    notes = ["* " + note.replace(": ", ":\n") for note in sorted({report.note for report in reports.values()} - {""})]
    ax, out = style.canvas(ax, size=(max(7.5, 2.2 + 1.5 * len(names)), 5))
    look = {"digits": 1, "capsize": 9, "linewidth": 2.2, "fontsize": 14, "width": 0.65}
    _bars(ax, names, (value, low, high), style.ramp(len(names)), **look)
    _chance(ax, next(iter(reports.values())))
    what = "UAR" if metric == "uar" else "Accuracy"
    ax.set(title=style.honest(title, corpora), ylabel=f"{what} (%)", ylim=(0, 114), yticks=range(0, 101, 20))
    ax.set_xlabel("\n".join([by, *notes]))
    bars = zip(names, value, low, high, strict=True)
    text = "; ".join(f"{name} {v:.1f} % [{a:.1f}, {b:.1f}]" for name, v, a, b in bars)
    text = ". ".join([text, *(note.replace("\n", " ") for note in notes)])
    return style.described(out, f"Bar chart of {what} with 95 % intervals by {by.lower()}: {text}.")


#: What spoke for the answer and what against it, over a spectrogram in grey that shows through.
FOR = "#ff961e"
AGAINST = "#5aa0ff"
OPACITY = 0.75


@style.with_style
def occlusion(y, rate_hz, result, *, answer="the answer", title="What drove the answer"):
    """What an answer loses when a piece of the clip is occluded, over the clip's spectrogram.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        The clip.
    rate_hz : int
    result : serlib.evaluation.attribution.Occlusion
        Of that clip.
    answer : str
        Label of the answer that was asked about.

    Returns
    -------
    Figure
        Above: one window at all frequencies; on the right: one band all along. The colours of the map reach full
        strength at its largest value, which stands in the title of the map.

    Taught in notebooks/05_evaluate.
    """
    import librosa

    options = {"height_ratios": (1, 2.4), "width_ratios": (4, 1), "sharex": "col", "sharey": "row"}
    figure, ((over_time, corner), (map_, over_hz)) = style.panels(2, 2, size=(11, 5.8), **options)
    corner.set_visible(False)
    top = librosa.hz_to_mel(result.edges_hz[-1])
    place = {"extent": (0, len(y) / rate_hz, 0, top), "interpolation": "nearest"}
    mels = librosa.feature.melspectrogram(
        y=np.asarray(y, dtype=np.float32), sr=rate_hz, n_fft=1024, hop_length=256, fmax=result.edges_hz[-1]
    )
    map_.imshow(librosa.power_to_db(mels, ref=np.max), cmap="gray", vmin=-80, vmax=20, **place)
    largest = max(float(abs(result.pieces).max()), np.finfo(float).tiny)
    share = (result.pieces / largest).T
    colours = np.where(share[..., np.newaxis] > 0, to_rgba(FOR), to_rgba(AGAINST))
    colours[..., 3] = OPACITY * abs(share)
    map_.imshow(colours, **place)
    map_.set_title(f"one piece, at most {_points(largest)}", fontsize=12, fontweight="normal")
    ticks = [hz for hz in MEL_TICKS_HZ if hz < result.edges_hz[-1] + 1 and hz != 250]
    map_.set_yticks([librosa.hz_to_mel(hz) for hz in ticks], [str(hz) for hz in ticks])
    map_.set(xlabel="Time (s)", ylabel="Frequency (Hz, mel scale)", xlim=(0, len(y) / rate_hz))

    widths = np.diff(result.edges_s)
    heights = np.diff(librosa.hz_to_mel(result.edges_hz))
    look = {"align": "edge", "edgecolor": style.INK, "linewidth": 0.8}
    shades = [FOR if value > 0 else AGAINST for value in result.windows]
    over_time.bar(result.edges_s[:-1], 100 * result.windows, widths, color=shades, **look)
    shades = [FOR if value > 0 else AGAINST for value in result.bands]
    over_hz.barh(librosa.hz_to_mel(result.edges_hz[:-1]), 100 * result.bands, heights, color=shades, **look)
    over_time.axhline(0, color=style.INK, linewidth=1)
    over_hz.axvline(0, color=style.INK, linewidth=1)
    over_time.set_ylabel("Loss\n(points)")
    over_time.set_title("one window, all frequencies", fontsize=12, fontweight="normal")
    over_hz.set_xlabel("Loss (points)")
    over_hz.set_title("one band, all along", fontsize=12, fontweight="normal")
    words = {FOR: "spoke for it", AGAINST: "spoke against it"}
    handles = [Patch(facecolor=shade, edgecolor=style.INK, label=text) for shade, text in words.items()]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.99, 0.93))
    style.heading(figure, title)
    when, where = (int(values.argmax()) for values in (result.windows, result.bands))
    return style.described(
        figure,
        f"{title}: {answer} has {result.probability:.0%}. It loses most without the window from "
        f"{result.edges_s[when]:.2f} to {result.edges_s[when + 1]:.2f} s ({_points(result.windows[when])}) and without "
        f"the band from {result.edges_hz[where]:.0f} to {result.edges_hz[where + 1]:.0f} Hz "
        f"({_points(result.bands[where])}); one piece changes it by {_points(largest)} at most.",
    )


def _points(value):
    """A difference of probabilities in words."""
    return f"{100 * value:.{0 if abs(value) >= 0.01 else 2}f} points"
