"""serlib.widgets.maps in a real browser: thousands of points, and a click plays the clip of its point."""

import ast
import io

import numpy as np
import pytest
import soundfile

from .conftest import click_point

#: As many clips as TESS has, in three files: pitch tells them apart.
CELLS = [
    """import tempfile, numpy as np, pandas as pd, soundfile
from pathlib import Path
from serlib import widgets
folder, t = Path(tempfile.mkdtemp()), np.arange(16000) / 16000
for hz in (300, 500, 700):
    soundfile.write(folder / f"{hz}.wav", .2 * np.sin(2 * np.pi * hz * t), 16000)
rng = np.random.default_rng(0)
rows = [(300 + 200 * (i % 3), ("angry", "happy", "sad")[i % 3], "AB"[i % 2], f"word{i}") for i in range(2798)]
index = pd.DataFrame([(str(folder / f"{hz}.wav"), label, who, text, "tess") for hz, label, who, text in rows],
    columns=["speech", "label", "speaker", "text", "corpus"])
points = rng.normal(size=(2798, 2)) + 3 * np.eye(3, 2)[np.arange(2798) % 3]""",
    "clips = widgets.clip_map(index, points, axes=('one', 'two'), title='Many clips')\nclips",
]


@pytest.fixture(scope="module")
def opened(module_lab):
    """A notebook with a map of 2798 clips."""
    notebook = module_lab.open(cells=CELLS)
    notebook.run()
    notebook.page.wait_for_function("document.querySelector('.serlib-map')?._fullLayout?.xaxis")
    notebook.page.locator(".serlib-map").scroll_into_view_if_needed()
    return notebook


@pytest.mark.parametrize("label, hz", [("sad", 700), ("angry", 300), ("happy", 500)])
def test_a_click_plays_the_clip_of_its_point(opened, label, hz):
    row = click_point(opened, label)
    opened.until("clips.points.chosen", str(row))
    opened.until("clips.scope.position_s > 0.1 or clips.scope.playing")
    opened.page.get_by_role("group", name=f"word{row}, {label}").wait_for()
    said = opened.page.locator(".serlib-map .hoverlayer").text_content()
    assert f"word{row}, {label}" in said and f"{hz}.wav" in said
    data = opened.page.evaluate(
        "async () => [...new Uint8Array(await (await fetch(document.querySelector('audio').src)).arrayBuffer())]"
    )
    y, rate_hz = soundfile.read(io.BytesIO(bytes(data)))
    assert abs(np.fft.rfft(y)).argmax() * rate_hz / len(y) == pytest.approx(hz, abs=5)
    opened.until("clips.scope.playing", "False")  # it comes to its end


def test_the_ring_is_around_the_chosen_point(opened):
    opened.evaluate("setattr(clips.points, 'chosen', 1234)")
    x, y = ast.literal_eval(opened.evaluate("points[1234].tolist()"))
    ring = "document.querySelector('.serlib-map').data.at(-1)"
    opened.page.wait_for_function(f"{ring}.x[0] === {x} && {ring}.y[0] === {y}")
    opened.page.get_by_role("group", name="word1234").wait_for()


def test_the_keyboard_chooses_and_plays(opened):
    opened.evaluate("setattr(clips.points, 'chosen', 7)")
    box = opened.page.locator(".serlib-map")
    box.focus()
    before = ast.literal_eval(opened.evaluate("points[7].tolist()"))
    opened.page.keyboard.press("ArrowRight")
    opened.until("clips.points.chosen != 7")
    after = ast.literal_eval(opened.evaluate("points[clips.points.chosen].tolist()"))
    assert after[0] > before[0] and abs(after[1] - before[1]) < 1
    opened.page.keyboard.press("Enter")
    opened.until("clips.scope.position_s > 0.1 or clips.scope.playing")
    opened.until("clips.scope.playing", "False")


def test_it_is_drawn_by_the_graphics_card_and_named(opened):
    types = opened.page.evaluate("document.querySelector('.serlib-map')._fullData.map(t => t.type)")
    assert set(types) == {"scattergl"}
    shown = opened.page.locator(".serlib-map").inner_text()
    assert all(name in shown for name in ("Many clips", "one", "two", "angry", "happy", "sad", "A", "B"))
    for theme in ("light", "dark"):
        opened.theme(theme)
        opened.picture(f"map-{theme}", opened.cell(1))
    opened.theme("light")
