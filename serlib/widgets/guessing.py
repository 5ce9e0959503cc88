"""A listening test: the emotion stays hidden until *Reveal*, and guesses are scored (`explorer(hide="label")`)."""

from html import escape

import ipywidgets
import numpy as np
from scipy.stats import binomtest

from serlib import audio, plots
from serlib.utils import ordered_labels
from serlib.widgets.oscilloscope import Scope, common
from serlib.widgets.pictures import Pictured, Static


def scored(right, guesses, labels):
    """The score of a listener as a sentence.

    Parameters
    ----------
    right, guesses : int
        How many guesses were right, of how many.
    labels : int
        How many emotions there are to choose from.

    Returns
    -------
    str

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
    """The widget that `explorer(hide="label")` makes.

    Attributes
    ----------
    scope : Scope
        The clip, without its label in title, colours or sound file.
    guesses : dict of str -> ipywidgets.Button
        A button an emotion.
    reveal, another : ipywidgets.Button
    says, score : ipywidgets.HTML
    """

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
        """What it leaves on a page without a kernel: see `Pictured.static`."""
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
