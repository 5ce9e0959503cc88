"""serlib.widgets.shared: every widget leaves a picture and its sounds on a page; many requests are answered once."""

import asyncio
import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from serlib import evaluation, widgets
from serlib.widgets.shared import debounced

WIDGETS = {
    "scope": lambda index, report, run: widgets.scope(index.speech.iloc[0]),
    "grid": lambda index, report, run: widgets.grid(index, index.text.iloc[0]),
    "explorer": lambda index, report, run: widgets.explorer(index),
    "two clips": lambda index, report, run: widgets.explorer(index, clips=2),
    "listening test": lambda index, report, run: widgets.explorer(index, hide="label", seed=0),
    "map": lambda index, report, run: widgets.clip_map(index, np.eye(len(index), 2)),
    "gallery": lambda index, report, run: widgets.gallery(report, run, index=index),
    "mfcc": lambda index, report, run: widgets.mfcc_explorer(np.sin(np.arange(8000) / 9), 16000),
}


@pytest.fixture(scope="module")
def report(tiny_run, tone_table):
    return evaluation.evaluate(tiny_run, tone_table, allow_seen=True, resamples=20)


@pytest.mark.parametrize("name", WIDGETS)
def test_it_leaves_a_picture_and_its_sounds(name, tone_table, report, tiny_run):
    data, metadata = WIDGETS[name](tone_table, report, tiny_run)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.width >= 400 and len(picture.convert("RGB").getcolors(1 << 16)) > 8
    assert len(metadata["image/png"]["alt"].split()) >= 4
    assert re.search(r'<img alt="[^"]{20,}" [^>]*src="data:image/png;base64,', data["text/html"])
    assert data["text/html"].count("<audio") >= (2 if name in ("grid", "two clips", "mfcc") else 1)
    assert re.fullmatch(r"\[[\w ,.:()']+\]", data["text/plain"])  # no random id: nbval compares it


def test_the_picture_of_the_listening_test_keeps_the_label(tone_table):
    shown = widgets.explorer(tone_table, hide="label", seed=0)
    data, metadata = shown._repr_mimebundle_()
    page = re.sub(r'base64,[^"]*', "", f"{data['text/html']} {data['text/plain']} {metadata}")
    counts = {label: len(re.findall(rf"\b{label}\b", page)) for label in shown.labels}
    assert set(counts.values()) == {1}, counts


# --- sliders ---------------------------------------------------------------------------------------------------------


def test_work_is_done_once_when_the_slider_rests():
    done = []
    ask = debounced(lambda: done.append("work"), wait_s=0.05)

    async def drag():
        for _ in range(10):
            ask({"new": 1})
            await asyncio.sleep(0.01)
        assert not done
        await asyncio.sleep(0.2)
        assert done == ["work"]
        ask()
        await asyncio.sleep(0.2)
        assert done == ["work", "work"]

    asyncio.run(drag())


def test_without_an_event_loop_it_is_done_at_once():
    done = []
    debounced(lambda: done.append("work"))()
    assert done == ["work"]
