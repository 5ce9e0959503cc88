"""serlib.widgets.grids: one text in every emotion, said by everybody."""

import io
import re

import numpy as np
import pytest
import soundfile
from PIL import Image

from serlib import audio, plots, widgets
from serlib.utils import SerlibError
from serlib.widgets.oscilloscope import thumbnail


def test_every_cell_is_its_clip(tone_index):
    shown = widgets.grid_view(tone_index, "bar")
    assert shown["speakers"] == ["OAF", "YAF"]
    assert shown["labels"] == ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]
    assert shown["colours"] == [plots.style.line_colour(label) for label in shown["labels"]]
    for label, row in zip(shown["labels"], shown["cells"], strict=True):
        for speaker, cell in zip(shown["speakers"], row, strict=True):
            clip = widgets.find_clip(tone_index, speaker=speaker, label=label, text="bar")
            assert clip.speech.endswith(cell["speech"])
            y, rate_hz = audio.load(clip.speech)
            heard, heard_hz = soundfile.read(io.BytesIO(cell["sound"]))
            hz = [
                np.fft.rfftfreq(len(s), 1 / r)[abs(np.fft.rfft(s)).argmax()]
                for s, r in ((y, rate_hz), (heard, heard_hz))
            ]
            assert hz[0] == pytest.approx(hz[1], abs=3)
            assert f"{speaker}, {label}" in cell["alt"]


def test_who_and_what_is_chosen(tone_index):
    assert widgets.grid_view(tone_index, "bar", speakers=["YAF"])["speakers"] == ["YAF"]
    with pytest.raises(SerlibError, match=r"None of OAF, YAF says 'bear'; choose one of back, bar"):
        widgets.grid_view(tone_index, "bear")


def test_a_clip_that_is_missing_leaves_its_cell_empty(tone_index):
    index = tone_index[~((tone_index.label == "sad") & (tone_index.speaker == "YAF") & (tone_index.text == "bar"))]
    shown = widgets.grid_view(index, "bar")
    assert shown["cells"][-1][0] and shown["cells"][-1][1] is None
    page = widgets.grid(index, "bar")._repr_mimebundle_()[0]["text/html"]
    assert page.count("<audio") == 13 and page.count("no clip") == 1


def test_a_page_without_a_kernel_has_pictures_and_players(tone_index):
    data, _ = widgets.grid(tone_index, "bar")._repr_mimebundle_()
    assert data["text/plain"] == "[Grid: bar]"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert re.findall(r'<th scope="row">(\w+)', data["text/html"])[0] == "angry"
    assert len(re.findall(r'<img alt="\w+, \w+: mel spectrogram of 0.50 s" width="300"', data["text/html"])) == 14
    player = r'<audio aria-label="\w+, \w+" controls [^>]*src="data:audio/mpeg;base64,'
    assert len(re.findall(player, data["text/html"])) == 14


def test_thumbnail_is_half_as_fine(sine):
    image = Image.open(io.BytesIO(thumbnail(sine(1000, rate_hz=22050), 22050)))
    assert image.size == (43, 64)
    rows = np.asarray(image)[::-1].mean(axis=1)
    full = np.asarray(Image.open(io.BytesIO(widgets.view(sine(1000, rate_hz=22050), 22050)["image"])))[::-1]
    assert rows.argmax() == full.mean(axis=1).argmax() // 2
    assert Image.open(io.BytesIO(thumbnail(sine(duration_s=0.01), 16000))).height == 64
