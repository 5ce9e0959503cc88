"""The live page for people who do not read code (`make app`): a model that is ready, and what its answers are worth."""

import os

import ipywidgets

from serlib import corpora
from serlib.features.normalisation import who_speaks
from serlib.plots.style import template
from serlib.recognizer import Recognizer
from serlib.training.run import RELEASED
from serlib.utils import UNKNOWN, shown
from serlib.widgets.listening import Live
from serlib.widgets.shared import TEMPLATES, SliderNames

#: Where the slider for "unsure" begins.
THRESHOLD = 0.5


def ready(run=None):
    """The `serlib.Recognizer` of a run's folder; default: of `SERLIB_RUN`, or of the released model.

    Of the runs in `checkpoints` none is taken unasked: most have heard fewer people, some nobody but a synthesiser.
    """
    return Recognizer(run or os.environ.get("SERLIB_RUN") or RELEASED)


def learned(run):
    """What a run has learned from, and so what its answers to other people are worth, in plain sentences."""
    training_clips = run.split[run.split.role == "train"]
    names = list(dict.fromkeys(training_clips.corpus))  # others may have been held out for the test
    voices = len(set(who_speaks(training_clips)))
    titles = [corpora.CORPORA[name].title if name in corpora.CORPORA else name for name in names]
    synthetic = all(name in corpora.CORPORA and corpora.CORPORA[name].synthetic for name in names)
    who = f"{voices} {'synthetic ' * synthetic}voice{'s' * (voices > 1)}"
    who = "voices that are not named" if UNKNOWN in set(training_clips.speaker) else who
    return (
        f"It has learned from {len(training_clips)} recordings of {who}: {', '.join(titles)}. "
        + ("It has never heard a human being. " if synthetic else "")
        + "What it says of a voice that was not among them is a guess, and emotions acted in a studio are not those of "
        "life: do not judge anybody by its answers."
    )


class App(ipywidgets.VBox):
    """The page that `app` makes: a `Live` widget, and a slider below which the model says "unsure"."""

    def __init__(self, recognizer):
        self._recognizer = recognizer
        self.live = Live(recognizer, None)
        self.threshold = ipywidgets.FloatSlider(
            recognizer.threshold or THRESHOLD,
            min=0,
            max=1,
            step=0.05,
            readout_format=".0%",
            description="Let it say “unsure” below",
            style={"description_width": "initial"},
            layout=ipywidgets.Layout(width="460px"),
        )
        self.threshold.observe(self._abstain, "value")
        self._abstain()
        labels = ", ".join(f"{label} (pleasant surprise)" if label == "ps" else label for label in recognizer.labels)
        head = template(TEMPLATES / "app_head.html").render()
        foot = template(TEMPLATES / "app_foot.html.jinja").render(
            labels=labels, learned=learned(recognizer.run), folder=shown(recognizer.run.folder)
        )
        super().__init__([ipywidgets.HTML(head), self.live, self.threshold, SliderNames(), ipywidgets.HTML(foot)])
        self.add_class("serlib-app")

    def _abstain(self, _=None):
        self._recognizer.threshold = self.threshold.value


def app(run=None):
    """The live page of a run (as for `ready`): speak, see what a model hears, keep what was said."""
    return App(ready(run))
