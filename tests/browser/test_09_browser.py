"""Notebook 09 in a real browser: spoken to through a microphone that is fed from a file."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serlib import audio

from .conftest import serious


@pytest.fixture(scope="module")
def opened(module_lab, tmp_path_factory):
    """Notebook 09, run from top to bottom, and the file that its microphone will play once."""
    fed = tmp_path_factory.mktemp("microphone") / "fed.wav"
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    notebook = module_lab.open("09_live", flags=(*flags, f"--use-file-for-fake-audio-capture={fed}%noloop"))
    notebook.run()
    notebook.page.get_by_role("button", name="Record").wait_for()
    return notebook, fed


def test_it_answers_as_predict_does(opened, server):
    notebook, fed = opened
    surest = "max(test_clips.speech, key=lambda path: recognizer.predict(path).confidence)"
    path = Path(notebook.evaluate(f"str({surest})").strip("'"))
    y, rate_hz = audio.load(server.folder / path)
    room = 1e-4 * np.random.default_rng(0).standard_normal(5 * rate_hz)
    soundfile.write(fed, np.concatenate([room[:rate_hz], y, room]), rate_hz, subtype="PCM_16")
    live = notebook.page.locator(".serlib-live")
    live.get_by_role("button", name="Record").click()
    notebook.page.wait_for_function("document.querySelector('.serlib-live .meter').getAttribute('aria-valuenow') > -40")
    live.locator(".heard strong").wait_for()  # it answers while it listens
    notebook.picture("09-speaking", live)
    said = "document.querySelector('.serlib-live .decibels').textContent"
    notebook.page.wait_for_function(f"parseFloat({said}.split(',')[1]) > {len(y) / rate_hz + 2}")  # it was all played
    live.get_by_role("button", name="Stop").click()
    live.get_by_text("of the whole recording").wait_for()
    run, threshold = notebook.evaluate("str(run.folder)").strip("'"), notebook.evaluate("THRESHOLD")
    command = [
        sys.executable,
        "-m",
        "serlib",
        "predict",
        run,
        str(server.folder / path),
        "--threshold",
        threshold,
        "--json",
    ]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert live.locator(".heard strong").inner_text() == said["label"] != "unsure"
    print("\n", live.get_by_role("status").inner_text())


def test_the_long_recording_has_its_timeline(opened):
    notebook, _ = opened
    scope = notebook.page.get_by_role("group", name="A long recording")
    tracks = scope.locator(".track")
    assert scope.locator(".names span").all_inner_texts() == ["meant", "heard"] and tracks.count() == 2
    meant = notebook.evaluate("' '.join(meant.label)").strip("'").split()
    assert tracks.nth(0).locator("span").all_inner_texts() == meant
    assert tracks.nth(1).locator("span").count() > 1
    notebook.picture("09-long", scope)


def test_axe_finds_nothing_serious(opened):
    assert not serious(opened[0].page, ".jp-Notebook :is(.jp-OutputArea, .jp-MarkdownOutput)")
