"""The site: built with the network cut, looked at in Chromium, by a reader and by axe-core.

`make site` makes the environment in .venv/site that builds it; `make test-all` does so before these tests.
"""

import functools
import http.server
import os
import re
import shutil
import subprocess
import threading
import time

import pytest
from axe_playwright_python.sync_playwright import Axe

from notebooks import build

ROOT = build.CHECKOUT
PYTHON = ROOT / ".venv" / "site" / "bin" / "python"
HTML = ROOT / "build" / "site" / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = [
    "index.html",
    "notebooks/02_eda.html",
    "notebooks/05_evaluate.html",
    "solutions/03.html",
    "quiz/04.html",
    "teaching/glossary.html",
    "teaching/plan.html",
    "api.html",
    "bibliography.html",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PYTHON.exists(), reason="make site makes its environment"),
    pytest.mark.skipif(not CHROMIUM, reason="no chromium here"),
]


@pytest.fixture(scope="module")
def built():
    """(exit code, what it said, seconds of processor time) of a build whose network is cut where that can be done."""
    command = [PYTHON, ROOT / "site" / "build.py"]
    if shutil.which("unshare") and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0:
        command = ["unshare", "-rn", *command]
    before = os.times()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return done.returncode, done.stdout + done.stderr, spent


@pytest.fixture(scope="module")
def address(built):
    """The site on a server of its own."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(HTML))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    """A page that may ask nobody else."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    elsewhere = []
    page.on("request", lambda request: elsewhere.append(request.url))
    yield page
    page.close()
    assert not [url for url in elsewhere if not url.startswith((address, "data:", "blob:"))]


def test_built_without_a_network_and_without_a_warning(built):
    code, said, seconds = built
    assert code == 0, said[-3000:]
    assert not re.findall(r".*WARNING.*", said)
    assert seconds < 60
    assert sum(path.stat().st_size for path in HTML.rglob("*") if path.is_file()) < 30_000_000


@pytest.mark.parametrize("name", ["notebooks/02_eda", "notebooks/03_mfcc", "notebooks/05_evaluate"])
def test_every_player_plays(page, address, name):
    page.goto(f"{address}/{name}.html")
    players = page.locator("audio")
    assert players.count() >= 3
    for number in range(players.count()):
        player = players.nth(number)
        player.evaluate("(audio) => { audio.muted = true; return audio.play(); }")
        player.page.wait_for_function("(audio) => audio.currentTime > 0.05", arg=player.element_handle())
        player.evaluate("(audio) => audio.pause()")


@pytest.mark.parametrize("words", ["UAR", "leakage"])
def test_search(page, address, words):
    page.goto(f"{address}/search.html?q={words}")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results li").count() >= 2


@pytest.mark.parametrize("name", PAGES)
def test_no_sideways_scroll_on_a_phone(page, address, name):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{address}/{name}")
    time.sleep(0.2)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(page, address, name):
    page.goto(f"{address}/{name}")
    found = Axe().run(page).response["violations"]
    serious = [
        (rule["id"], node["target"], node["html"][:200])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert not serious


def test_a_quiz_explains_and_a_solution_folds(page, address):
    page.goto(f"{address}/quiz/04.html")
    answer = page.locator("details.answer").first
    assert not answer.locator("p").is_visible()
    answer.locator("summary").focus()
    page.keyboard.press("Enter")
    assert answer.locator("p").is_visible()
    page.goto(f"{address}/solutions/03.html")
    assert not page.get_by_text("def hann(n)").first.is_visible()
    page.locator("summary", has_text="Show code").first.click()
    assert page.get_by_text("def hann(n)").first.is_visible()


def test_dark_mode(page, address):
    page.emulate_media(color_scheme="dark")
    page.goto(f"{address}/index.html")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(value) for value in re.findall(r"\d+", colour)[:3]) < 80


def test_the_reference_holds_every_public_function():
    import serlib

    text = (HTML / "api.html").read_text(encoding="utf-8")
    for name in ("index", "split", "fit", "evaluate", "extract", "compare", "Recognizer"):
        assert name in serlib.__all__
        assert f"serlib.{name}" in text
