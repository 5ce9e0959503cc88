"""The error gallery: from a cell of the confusion matrix to its clips, and to what in them drove the answer."""

from html import escape
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from serlib import audio, plots
from serlib.evaluation.attribution import answers, occlusion
from serlib.evaluation.report import abstaining
from serlib.features import normalisation
from serlib.plots.style import template
from serlib.widgets.oscilloscope import Scope, overlay_image
from serlib.widgets.shared import TEMPLATES, Pictured, SliderNames, Static, debounced, drawn

#: A piece of a clip that changes a probability by less than this says nothing, and is not drawn.
LEAST = 0.01
#: Seconds that a clip rests in the list before it is asked what drove its answer (which takes a second).
REST_S = 0.3
#: Dots per inch of the curve: matrix and curve are as wide as the page of a notebook together.
CURVE_DPI = 50


def confused(report, label, predicted, *, threshold=0.0, surest_first=True):
    """The clips of one cell of the confusion matrix, in the order of their confidence: rows of `report.predictions`.

    Those with less than `threshold` are left out, for the model abstains.
    """
    table = report.predictions
    is_of_cell = (table["label"] == label) & (table["predicted"] == predicted) & (table["confidence"] >= threshold)
    return table[is_of_cell].sort_values("confidence", ascending=not surest_first, kind="stable")


def answered(report, threshold=0.0):
    """`report.confusion` of the clips that the model answers: those with at least this confidence."""
    return [[len(confused(report, i, j, threshold=threshold)) for j in report.labels] for i in report.labels]


def abstained(report, threshold):
    """What a threshold of confidence costs and what it gains, in a sentence."""
    row = abstaining(report, thresholds=[threshold]).iloc[0]
    if not threshold:
        return f"It always answers: {row.accuracy:.0%} of {len(report.predictions)} answers are right."
    if not row.n:
        return f"No answer is at least {threshold:.0%} sure."
    return (
        f"Answers where it is at least {threshold:.0%} sure: {row.coverage:.0%} of {len(report.predictions)} clips, "
        f"{row.accuracy:.0%} of these answers are right."
    )


def drove(result):
    """What drove an answer, in a sentence, from an `attribution.Occlusion`."""
    parts = []
    for values, edges, unit in ((result.windows, result.edges_s, "s"), (result.bands, result.edges_hz, "Hz")):
        k = int(values.argmax())
        if values[k] >= LEAST:
            places = 2 if unit == "s" else 0
            span = f"{edges[k]:.{places}f} to {edges[k + 1]:.{places}f} {unit}"
            parts.append(f"{100 * values[k]:.0f} points without {span}")
    if not parts:
        return "No single stretch of time or frequency carries this answer: without any one of them it stays."
    return f"Of its {100 * result.probability:.0f} points the answer loses {' and '.join(parts)}."


class Confusion(anywidget.AnyWidget):
    """A confusion matrix whose cells can be chosen."""

    _esm = Path(__file__).with_name("gallery.js")
    _css = Path(__file__).with_name("gallery.css")

    title = traitlets.Unicode().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List().tag(sync=True)  # a row is what was meant, a column what was answered
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  # [row, column], or []


class Gallery(Pictured, ipywidgets.VBox):
    """The widget that `gallery` makes; the values of its list of clips are rows of `report.predictions`."""

    def __init__(self, report, run, index):
        self._report, self._run, self._index = report, run, index
        self._voices, self._found, self._shown = None, {}, None
        narrow = {"style": {"description_width": "100px"}, "layout": ipywidgets.Layout(width="370px")}
        title = plots.honest("Click a cell to hear its clips", report.corpora).replace("\n", " ")
        self.matrix = Confusion(title=title, labels=report.labels, counts=answered(report))
        self.threshold = ipywidgets.FloatSlider(
            0, min=0, max=1, step=0.01, readout_format=".0%", description="Abstain below", **narrow
        )
        orders = [("surest first", True), ("least sure first", False)]
        self.order = ipywidgets.Dropdown(options=orders, description="Clips", **narrow)
        self.clips = ipywidgets.Select(rows=6, description="Clip", **narrow)
        self.curve, self.abstains, self.answer, self.says = (ipywidgets.HTML() for _ in range(4))
        self.abstains.layout.width = "370px"
        self.scope = Scope()
        self.scope.add_class("serlib-low")  # matrix, clips and player fit one view of 1280 x 800
        self._ask = debounced(self._explain, wait_s=REST_S)
        self._abstain()
        self.matrix.chosen = list(_worst(report))
        self._list()
        self.threshold.observe(debounced(self._abstain), "value")
        self.matrix.observe(self._list, "chosen")
        self.order.observe(self._list, "value")
        self.clips.observe(self._show, "value")
        wrap = ipywidgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="4px 24px")
        super().__init__(
            [
                ipywidgets.HBox([self.matrix, ipywidgets.VBox([self.order, self.clips, self.answer])], layout=wrap),
                self.scope,
                self.says,
                ipywidgets.HBox([ipywidgets.VBox([self.threshold, self.abstains]), self.curve], layout=wrap),
                SliderNames(),
            ]
        )

    def static(self):
        """What it leaves on a page without a kernel."""
        clip = self.scope.static()
        return Static("Gallery of the answers", [plots.confusion(self._report), *clip.figures], clip.players)

    def _abstain(self):
        self.matrix.counts = answered(self._report, self.threshold.value)
        self.abstains.value = escape(abstained(self._report, self.threshold.value))
        self.curve.value = drawn(plots.abstaining(self._report, marks=[self.threshold.value]), dpi=CURVE_DPI)
        if self.matrix.chosen:
            self._list()

    def _list(self, _=None):
        """List the clips of the chosen cell and show the first, or the one that was shown if it is still there."""
        label, answer = (self._report.labels[k] for k in self.matrix.chosen)
        clips = confused(self._report, label, answer, threshold=self.threshold.value, surest_first=self.order.value)
        options = [(f"{row.confidence:.0%}  {row.speaker}: {row.text}", i) for i, row in clips.iterrows()]
        if list(self.clips.options) != options:
            self.clips.options = options
        if self.clips.value is None and options:
            self.clips.index = 0
        self._show()

    def _show(self, _=None):
        row = self.clips.value
        if row is None or row == self._shown:  # None: the threshold has emptied the cell, what was shown stays
            return
        self._shown = row
        clip = self._report.predictions.loc[row]
        self.answer.value = bars(clip, self._report.labels)
        self.says.value = "asking what drove the answer ..."
        title = f"{clip.speaker}: {clip.text}, meant {clip.label}, heard as {clip.predicted}"
        self.scope.load(*audio.load(clip.speech), title=title, label=clip.label)
        self._ask()

    def _explain(self):
        """Occlude the clip that is shown, once, and lay the map over its spectrogram."""
        row = self._shown
        clip = self._report.predictions.loc[row]
        if row not in self._found:
            y, rate_hz = audio.load(clip.speech)
            answer = self._report.labels.index(clip.predicted)
            self._found[row] = occlusion(answers(self._run, voice=self._voice(clip)), y, rate_hz, answer=answer)
        result = self._found[row]
        self.says.value = escape(drove(result))
        if abs(result.pieces).max() >= LEAST:
            self.scope.overlay = overlay_image(result.pieces)

    def _voice(self, clip):
        """Mean and scale of the speaker's features, where the run normalises by speaker."""
        if self._run.normalise != "speaker":
            return None
        if self._voices is None:
            _, self._voices = normalisation.inputs(self._index, self._run.spec, "speaker")
        here = self._index[self._index.speech == clip.speech].iloc[0]
        return self._voices[f"{here.corpus}/{here.speaker}"]


def gallery(report, run, *, index=None):
    """A confusion matrix to click: its clips, what the model made of them, and what in them drove the answer.

    `confused`, `serlib.plots.confusion`, `abstaining` and `occlusion` show the same without a widget.

    Parameters
    ----------
    report : serlib.evaluation.Report
    run : serlib.Run
        That was judged.
    index : pd.DataFrame, optional
        The clips that it was judged on, where they are not the run's own.

    Taught in notebooks/05_evaluate.
    """
    return Gallery(report, run, run.split if index is None else index)


def _worst(report):
    """Row and column of the commonest error; of the first clip where there is none."""
    counts = np.array(report.confusion)
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    best = (wrong if wrong.any() else counts).argmax()
    return [int(k) for k in np.unravel_index(best, counts.shape)]


def bars(clip, labels):
    """The probabilities of one clip, a row of `report.predictions`, as an HTML table: a bar an emotion."""
    return template(TEMPLATES / "bars.html.jinja").render(clip=clip, labels=labels, colour=plots.colour)
