"""What the widgets share: a picture of themselves for pages without a kernel, sliders that rest and have names."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import anywidget

from serlib.plots.style import shown_as

#: What the widgets write in HTML.
TEMPLATES = Path(__file__).with_name("templates")

#: Dots per inch of the pictures: small, since a notebook may hold many.
DPI = 58


@dataclass(frozen=True)
class Static:
    """What a widget leaves on a page without a kernel."""

    name: str  # for a page that shows text only
    figures: list  # what it shows, from top to bottom
    players: list  # HTML of its sounds
    page: str | None = None  # HTML that holds pictures and players already, in the place of both


class Pictured:
    """Mixed into a class of widgets whose method `static` gives a `Static` of what they show now."""

    def _repr_mimebundle_(self, **kwargs):
        """The widget, its picture as PNG, and as HTML together with its players."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        static = self.static()
        picture, described = shown_as(*static.figures, dpi=DPI)
        page = static.page or "<br>".join([picture["text/html"], *static.players])
        data = {**data, **picture, "text/html": page, "text/plain": f"[{static.name}]"}
        return data, {**metadata, **described}


def drawn(figure, *, dpi):
    """A figure as HTML that is never wider than its place."""
    page, _ = shown_as(figure, dpi=dpi)
    return page["text/html"].replace("<img ", '<img style="max-width: 100%" ', 1)


class SliderNames(anywidget.AnyWidget):
    """Gives every slider of a page its words as a name for screen readers; it shows nothing itself."""

    _esm = Path(__file__).with_name("sliders.js")


def debounced(work, *, wait_s=0.1):
    """A callback for `observe` that does `work()` once nobody has asked for it for `wait_s` seconds.

    Sliders move quicker than the computer. Where no event loop runs (a plain Python program) it is done at once.
    """
    waiting = None

    def ask(*_):
        nonlocal waiting
        if waiting:
            waiting.cancel()
        try:
            waiting = asyncio.get_running_loop().call_later(wait_s, work)
        except RuntimeError:
            work()

    return ask
