"""Look at and listen to any clip of a corpus, or hold one against another (`explorer`)."""

from html import escape

import ipywidgets

from serlib import audio, plots
from serlib.utils import SerlibError, ordered_labels
from serlib.widgets.guessing import Guessing
from serlib.widgets.oscilloscope import Scope, common
from serlib.widgets.pictures import Pictured, Static
from serlib.widgets.playing import find_clip


def named(clip):
    """The title of a clip: who says what, and how.

    Parameters
    ----------
    clip : pd.Series
        A row of `serlib.corpora.index`.

    Returns
    -------
    str
    """
    return plots.honest(f"{clip.speaker}: {clip.text}, {clip.label}", clip.corpus).replace("\n", " ")


class Explorer(Pictured, ipywidgets.VBox):
    """The widget that `explorer` makes.

    Attributes
    ----------
    menus : list of dict of str -> ipywidgets.Dropdown
        For each clip its menus `speaker`, `label` and `text`.
    scopes : list of Scope
    says : list of ipywidgets.HTML
        What is missing, where a choice names no clip.
    """

    def __init__(self, index, clips):
        self._index = index
        labels = ordered_labels(index.label.unique())
        choices = {
            "speaker": ("Speaker", list(index.speaker.unique())),
            "label": ("Emotion", labels),
            "text": ("Text", list(index.text.unique())),
        }
        self.menus = [
            {name: ipywidgets.Dropdown(options=of, description=f"{says}:") for name, (says, of) in choices.items()}
            for _ in range(clips)
        ]
        for number, menus in enumerate(self.menus):  # the second clip begins with another emotion
            menus["label"].index = number % len(labels)
        self.scopes = [Scope() for _ in range(clips)]
        self.says = [ipywidgets.HTML() for _ in range(clips)]
        self._load()
        for menu in (menu for menus in self.menus for menu in menus.values()):
            menu.observe(self._load, "value")
        rows = zip(self.menus, self.says, self.scopes, strict=True)
        super().__init__([part for menus, *rest in rows for part in (ipywidgets.HBox(list(menus.values())), *rest)])

    def static(self):
        """What it leaves on a page without a kernel: see `Pictured.static`."""
        scopes = [scope.static() for scope in self.scopes]
        figures = [figure for scope in scopes for figure in scope.figures]
        return Static("Explorer of clips", figures, [sound for scope in scopes for sound in scope.players])

    def _load(self, _=None):
        """Show what the menus name; all of it, since the axes are common."""
        loaded = {}
        for number, menus in enumerate(self.menus):
            fault = ""
            try:
                clip = find_clip(self._index, **{name: menu.value for name, menu in menus.items()})
                loaded[number] = clip, *audio.load(clip.speech)
            except SerlibError as missing:  # TESS lacks two
                fault = escape(str(missing))
            self.says[number].value = fault
            self.scopes[number].layout.display = "none" if fault else None
        shared = common([(y, rate_hz) for _, y, rate_hz in loaded.values()]) if loaded else {}
        for number, (clip, y, rate_hz) in loaded.items():
            options = {"title": named(clip), "label": clip.label, "contours": True}
            self.scopes[number].load(y, rate_hz, **options, **shared)


def explorer(index, *, clips=1, hide=None, seed=None):
    """Menus for speaker, emotion and text, and a scope with pitch and energy of the clip that they name.

    Parameters
    ----------
    index : pd.DataFrame
        Of `serlib.corpora.index`.
    clips : int
        How many are shown one above the other, on common axes and equally amplified.
    hide : "label", optional
        Make a listening test of it: clips come in random order and their emotion stays hidden until *Reveal*; the
        guesses are scored against chance, with an interval.
    seed : int, optional
        Of that order; None: another order every time.

    Returns
    -------
    Explorer or, with `hide`, Guessing
        A widget. `scope` and `find_clip` do the same without one.

    Raises
    ------
    SerlibError
        `hide` is something else than the label.

    Taught in notebooks/02_eda.
    """
    if hide is None:
        return Explorer(index, clips)
    if hide != "label":
        raise SerlibError(f'hide is {hide!r}; only "label" can be hidden')
    return Guessing(index, seed)
