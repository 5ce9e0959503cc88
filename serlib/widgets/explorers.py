"""Look at and listen to any clip of a corpus, hold one against another, or guess its emotion (`explorer`)."""

from html import escape

import ipywidgets
import numpy as np
from scipy.stats import binomtest

from serlib import audio, plots
from serlib.utils import SerlibError, ordered_labels
from serlib.widgets.oscilloscope import Scope, common
from serlib.widgets.playing import find_clip
from serlib.widgets.shared import Pictured, Static


def named(clip):
    """The title of a clip (a row of an index): who says what, and how."""
    return plots.honest(f"{clip.speaker}: {clip.text}, {clip.label}", clip.corpus).replace("\n", " ")


class Explorer(Pictured, ipywidgets.VBox):
    """The widget that `explorer` makes: for each clip menus, a scope, and what it says where there is no such clip."""

    def __init__(self, index, clips):
        self._index = index
        self.menus = []
        self.scopes = []
        self.says = []
        parts = []
        labels = ordered_labels(index.label.unique())
        for number in range(clips):
            menus = {
                "speaker": ipywidgets.Dropdown(options=list(index.speaker.unique()), description="Speaker:"),
                "label": ipywidgets.Dropdown(options=labels, description="Emotion:"),
                "text": ipywidgets.Dropdown(options=list(index.text.unique()), description="Text:"),
            }
            menus["label"].index = number % len(labels)  # the second clip begins with another emotion
            self.menus.append(menus)
            self.says.append(ipywidgets.HTML())
            self.scopes.append(Scope())
            parts += [ipywidgets.HBox(list(menus.values())), self.says[-1], self.scopes[-1]]
        self._load()
        for menus in self.menus:
            for menu in menus.values():
                menu.observe(self._load, "value")
        super().__init__(parts)

    def static(self):
        """What it leaves on a page without a kernel."""
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

    Taught in notebooks/02_eda.
    """
    if hide is None:
        return Explorer(index, clips)
    if hide != "label":
        raise SerlibError(f'hide is {hide!r}; only "label" can be hidden')
    return Guessing(index, seed)


# --- the listening test --------------------------------------------------------------------------------------------


def scored(right, guesses, labels):
    """The score of a listener who had so many guesses right, of so many, as a sentence; `labels` is how many there are.

    Examples
    --------
    >>> scored(6, 10, 7)
    '6 of 10 right, 95 % interval 31 % to 83 %; chance is 14 %'
    """
    if not guesses:
        return f"no guess yet; chance is {1 / labels:.0%}".replace("%", " %")
    low, high = binomtest(right, guesses).proportion_ci(method="wilson")
    text = f"{right} of {guesses} right, 95% interval {low:.0%} to {high:.0%}; chance is {1 / labels:.0%}"
    return text.replace("%", " %")


class Guessing(Pictured, ipywidgets.VBox):
    """The widget that `explorer(hide="label")` makes; the label is not in title, colours or sound before *Reveal*."""

    def __init__(self, index, seed):
        self._index = index
        self._order = np.random.default_rng(seed).permutation(len(index))
        self._next = 0
        self._guess = None
        self._right = 0
        self._count = 0
        self.labels = ordered_labels(index.label.unique())
        self.scope = Scope()
        self.guesses = {label: ipywidgets.Button(description=label) for label in self.labels}
        self.reveal = ipywidgets.Button(description="Reveal", button_style="primary")
        self.another = ipywidgets.Button(description="Next clip")
        self.says = ipywidgets.HTML()
        self.score = ipywidgets.HTML(scored(0, 0, len(self.labels)))
        for label, button in self.guesses.items():
            button.on_click(lambda _, label=label: self.guess(label))
        self.reveal.on_click(lambda _: self.show())
        self.another.on_click(lambda _: self.load())
        buttons = ipywidgets.HBox(list(self.guesses.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([self.scope, buttons, ipywidgets.HBox([self.reveal, self.another]), self.says, self.score])
        self.load()

    def static(self):
        """What it leaves on a page without a kernel."""
        clip = self.scope.static()
        question = f"<p>Which emotion is it? {', '.join(map(escape, self.labels))}</p>"
        return Static("A listening test, to be taken in a running notebook", clip.figures, [*clip.players, question])

    @property
    def clip(self):
        """The row of the clip that is heard; pd.Series."""
        return self._index.iloc[self._order[(self._next - 1) % len(self._order)]]

    def load(self):
        """Go to the next clip, with its label hidden."""
        self._next += 1
        self._guess = None
        self.says.value = "Listen, and choose an emotion."
        self.reveal.disabled = True
        for button in self.guesses.values():
            button.disabled = False
            button.button_style = ""
        self._draw(f"{self.clip.speaker}: {self.clip.text}", label=None)

    def guess(self, label):
        """Take the guess of a listener; the last one before *Reveal* counts."""
        self._guess = label
        self.reveal.disabled = False
        self.says.value = f"Your guess: {escape(label)}."
        for name, button in self.guesses.items():
            button.button_style = "info" if name == label else ""

    def show(self):
        """Say what was meant, and count the guess."""
        if self._guess is None or self.reveal.disabled:
            return
        clip = self.clip
        right = self._guess == clip.label
        self._count += 1
        self._right += right
        verdict = "right" if right else f"you said {escape(self._guess)}"
        self.says.value = f"<strong>Meant: {escape(clip.label)}</strong> ({verdict})"
        self.score.value = scored(self._right, self._count, len(self.labels))
        self.reveal.disabled = True
        for button in self.guesses.values():
            button.disabled = True
        self._draw(f"{clip.speaker}: {clip.text}, {clip.label}", label=clip.label)

    def _draw(self, title, *, label):
        y, rate_hz = audio.load(self.clip.speech)
        title = plots.honest(title, self.clip.corpus).replace("\n", " ")
        self.scope.load(y, rate_hz, title=title, label=label, contours=True, **common([(y, rate_hz)]))
