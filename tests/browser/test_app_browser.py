"""The live page of `make app` in a real browser: no notebook, no code; a microphone that is fed from a file."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from notebooks import build
from serlib import Recognizer
from serlib.recognizer import UNSURE
from serlib.widgets.apps import THRESHOLD

from .conftest import PATIENCE_S, SIZE, complaints, free_port, serious


@pytest.fixture(scope="module")
def address(chromium, live_run, tmp_path_factory):
    """Where `make app` serves a known run, of a checkout that has no other."""
    folder, port = tmp_path_factory.mktemp("app"), free_port()
    home = folder / "home"
    home.mkdir()
    environment = {**build.clean_environment(home), "SERLIB_RUN": str(live_run.folder)}
    command = [sys.executable, Path(build.CHECKOUT, "app", "serve.py"), "--no-browser", f"--port={port}"]
    log = folder / "voila.log"
    with log.open("wb") as file:
        server = subprocess.Popen(command, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    address, end = f"http://localhost:{port}", time.monotonic() + PATIENCE_S
    while not answers(address):
        assert server.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.2)
    yield address
    server.terminate()  # it takes its kernels along
    server.wait(20)


def answers(address):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"{address}/voila/static/voila.js", timeout=5).status == 200


@pytest.fixture(scope="module")
def page(address, chromium, spoken):
    """The page; in the end it may not have complained, nor asked for anything that its server does not have."""
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    browser = chromium(*flags, f"--use-file-for-fake-audio-capture={spoken[1]}%noloop")
    context = browser.new_context(viewport=SIZE, color_scheme="light")
    context.set_default_timeout(1000 * PATIENCE_S)
    page = context.new_page()
    errors = complaints(page, address)
    page.goto(address)
    page.get_by_role("button", name="Record").wait_for()
    yield page
    context.close()
    assert not errors


def test_it_shows_no_code_and_says_what_it_is_worth(page, live_run):
    assert page.title() == page.get_by_role("heading").inner_text() == "Speak to the model"
    text = page.locator("body").inner_text()
    assert "explore" not in text and "import" not in text
    assert "What that is worth" in text and live_run.folder.name in text
    assert not page.locator(".jp-InputArea-editor:visible").count()


def test_it_says_of_the_microphone_what_predict_says(page, live_run, spoken, pictures):
    page.get_by_role("button", name="Record").click()
    page.wait_for_function("document.querySelector('.serlib-live .meter').getAttribute('aria-valuenow') > -30")
    page.locator(".serlib-live .heard strong").wait_for()  # it answers while it listens
    page.screenshot(path=pictures / "app-speaking.png", full_page=True)
    said = "document.querySelector('.serlib-live .decibels').textContent"
    page.wait_for_function(f"parseFloat({said}.split(',')[1]) > 2.5")  # it was all played
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("of the whole recording").wait_for()
    expected = Recognizer(live_run, threshold=THRESHOLD).predict(spoken[0]).label
    assert expected != UNSURE
    assert page.locator(".serlib-live .heard strong").inner_text() == expected


def test_light_and_dark_follow_the_system(page, pictures):
    page.locator(".serlib-scope").wait_for()
    papers = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(scheme == 'light').lower()}'")
        papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.screenshot(path=pictures / f"app-{scheme}.png", full_page=True)
    dark, light = (sum(map(int, paper[4:-1].split(","))) for paper in papers)
    assert dark < 150 and light > 600


def test_what_the_model_is_unsure_of(page, spoken):
    page.locator(".widget-slider").get_by_role("slider").focus()
    page.keyboard.press("End")
    page.locator(".widget-readout").filter(has_text="100%").wait_for()
    page.locator(".serlib-live input[type=file]").set_input_files(spoken[0])
    page.get_by_role("group", name=os.path.basename(spoken[0])).wait_for()
    assert page.locator(".serlib-live .heard strong").inner_text() == "unsure"


def test_axe_finds_nothing_serious(page):
    assert not serious(page)
