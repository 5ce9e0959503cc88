"""Sliders: work is done once they rest, since they move quicker than the computer; and they have names."""

import asyncio
from pathlib import Path

import anywidget


class SliderNames(anywidget.AnyWidget):
    """Gives every slider of a page its words as a name for screen readers; it shows nothing itself."""

    _esm = Path(__file__).with_name("sliders.js")


def debounced(work, *, wait_s=0.1):
    """Have something done once nobody has asked for it for a while.

    Parameters
    ----------
    work : callable
        Without arguments.
    wait_s : float
        How long that is, in seconds.

    Returns
    -------
    callable
        For `observe` of a widget; what it is given is ignored. Where no event loop runs (a plain Python program) the
        work is done at once.
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
