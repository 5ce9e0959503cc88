"""serlib.explore.scope in a real browser: it plays, seeks, loops, and obeys keys and kernel."""

import pytest

CELLS = [
    """import numpy as np
from serlib import explore
rng, rate_hz = np.random.default_rng(0), 22050
t = np.arange(4 * rate_hz) / rate_hz
tone = (.3 * np.sin(2 * np.pi * (200 + 100 * t) * t) * np.hanning(len(t))).astype(np.float32)
noise = (.1 * rng.standard_normal(rate_hz)).astype(np.float32)""",
    "scope = explore.scope(tone, rate_hz, title='A tone', label='happy', contours=True)\nscope",
]


@pytest.fixture
def tone(lab):
    """A notebook with a scope of four seconds."""
    notebook = lab.open(cells=CELLS)
    notebook.run()
    notebook.page.get_by_role("slider").wait_for()
    return notebook


def position(notebook):
    return float(notebook.page.get_by_role("slider").get_attribute("aria-valuenow"))


def test_playing_moves_the_playhead(tone):
    tone.picture("scope-light", tone.page.locator(".serlib-scope"))
    left = tone.page.locator(".playhead").bounding_box()["x"]
    tone.page.get_by_role("button", name="Play").click()
    tone.page.wait_for_function("document.querySelector('.stage').getAttribute('aria-valuenow') > 0.5")
    assert tone.page.locator(".playhead").bounding_box()["x"] > left + 50
    tone.until("scope.playing and scope.position_s > 0.5")
    tone.page.get_by_role("button", name="Pause").click()
    tone.until("scope.playing", "False")
