"""A map of clips: a point is a clip, a click plays it (`clip_map`)."""

from html import escape
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from serlib import audio, plots
from serlib.plots.style import INK
from serlib.utils import SerlibError, ordered_labels
from serlib.widgets.explorers import named
from serlib.widgets.oscilloscope import Scope
from serlib.widgets.shared import Pictured, Static

#: Up to so many speakers have a symbol of their own, the same as in `plots.embedding`.
SYMBOLS = ("circle", "triangle-up", "square", "diamond", "triangle-down", "cross")


#: A point; its outline is there since some emotions' colours have little contrast on white.
POINT = {"size": 10, "line": {"width": 1, "color": INK}}


def symbols_of(index):
    """Speaker -> symbol; empty where there are too many to be told apart, or only one."""
    speakers = sorted(set(index.speaker.astype(str)))
    return dict(zip(speakers, SYMBOLS, strict=False)) if 1 < len(speakers) <= len(SYMBOLS) else {}


class Points(anywidget.AnyWidget):
    """The points of a `ClipMap`. (A FigureWidget of plotly 7.1 stays empty under anywidget 0.11.)"""

    _esm = Path(__file__).with_name("map.js")

    library = traitlets.Unicode().tag(sync=True)  # plotly.js, as plotly's Python package ships it
    figure = traitlets.Dict().tag(sync=True)  # as plotly.js takes it (`drawing_of`)
    chosen = traitlets.Int(0).tag(sync=True)  # row of the clip that was clicked last
    clicks = traitlets.Int(0).tag(sync=True)  # how many there were


class ClipMap(Pictured, ipywidgets.VBox):
    """The widget that `clip_map` makes: `points`, and a `scope` that plays the clip that was clicked."""

    def __init__(self, index, points, axes, title):
        from plotly.offline import get_plotlyjs  # slow to load

        self._index = index
        self._places = np.asarray(points)
        self._look = {"axes": axes, "title": title}
        self.scope = Scope()
        self.points = Points(library=get_plotlyjs(), figure=drawing_of(index, points, axes, title))
        self._load()
        self.points.observe(self._load, "chosen")
        self.points.observe(self._play, "clicks")
        super().__init__([self.points, self.scope])

    def static(self):
        """What it leaves on a page without a kernel."""
        clip = self.scope.static()
        speakers = self._index.speaker if symbols_of(self._index) else None
        figure = plots.embedding(self._places, self._index.label, speakers=speakers, **self._look)
        return Static(f"Map: {self._look['title']}", [figure], clip.players)

    def _load(self, _=None):
        clip = self._index.iloc[self.points.chosen]
        self.scope.load(*audio.load(clip.speech), title=named(clip), label=clip.label)

    def _play(self, _):
        self.scope.position_s, self.scope.playing = 0.0, True


def clip_map(index, points, *, axes=("Axis 1", "Axis 2"), title="Clips in two dimensions"):
    """Clips as points of a plane: hover to read, click to hear, drag to come closer, double-click to go back.

    With the keyboard: Tab reaches the map, the arrows go to the next clip in their direction, Enter plays it.

    Parameters
    ----------
    index : pd.DataFrame
    points : np.ndarray [shape=(clips, 2)]
        Of `serlib.features.projection.map_points`, in the order of `index`.
    axes : pair of str
        Their names, `serlib.features.projection.AXES`.
    title : str

    Taught in notebooks/02_eda and 05_evaluate.
    """
    return ClipMap(index, points, axes, plots.honest(title, index).replace("\n", " "))


def drawing_of(index, points, axes, title):
    """`clip_map` as plotly.js takes it: a dict of `data` and `layout`, as JSON can hold them.

    The data are a trace an emotion (with the rows of its clips as `customdata`, by speaker with symbols where they are
    few), the entries of the legend, and the ring around the chosen clip. Sizes and colours of the layout are in map.js.
    """
    points = np.asarray(points, dtype=float)
    if points.shape != (len(index), 2):
        raise SerlibError(f"points have the shape {points.shape}, expected {(len(index), 2)}: one point a clip")
    labels = ordered_labels(index.label)
    symbols = symbols_of(index)
    dots = []
    for label in labels:
        rows = np.flatnonzero(index.label.astype(str) == label)
        clips = [index.iloc[row] for row in rows]
        words = [(f"{clip.speaker}: {clip.text}, {label}", Path(clip.speech).name) for clip in clips]
        shapes = [symbols.get(str(clip.speaker), SYMBOLS[0]) for clip in clips]
        dots.append(
            {
                "type": "scattergl",
                "mode": "markers",
                "name": escape(label),  # plotly takes texts for HTML
                "x": points[rows, 0].tolist(),
                "y": points[rows, 1].tolist(),
                "customdata": rows.tolist(),
                "text": [f"{escape(clip)}<br>{escape(file)}" for clip, file in words],
                "hoverinfo": "text",
                "legendgroup": label,
                "showlegend": False,
                "marker": {**POINT, "color": plots.colour(label), "symbol": shapes},
            }
        )
    nowhere = {"type": "scattergl", "mode": "markers", "x": [None], "y": [None], "hoverinfo": "skip"}
    entries = [(label, SYMBOLS[0], plots.colour(label)) for label in labels]
    entries += [(speaker, symbol, INK) for speaker, symbol in symbols.items()]
    legend = []  # entries of their own, since a group's would show the symbol of its first clip
    for name, symbol, shade in entries:
        marker = {**POINT, "symbol": symbol, "color": shade}
        legend.append({**nowhere, "name": escape(name), "legendgroup": name, "marker": marker})
    ring = {"symbol": "circle-open", "size": 22, "color": INK, "line": {"width": 4}}
    layout = {"title": {"text": f"<b>{escape(title)}</b>"}}
    layout |= {name: {"title": {"text": escape(axis)}} for name, axis in zip(("xaxis", "yaxis"), axes, strict=True)}
    return {"data": [*dots, *legend, {**nowhere, "showlegend": False, "marker": ring}], "layout": layout}
