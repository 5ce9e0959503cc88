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
from urllib.parse import unquote

import pytest
from axe_playwright_python.sync_playwright import Axe

from notebooks import build
from serlib.plots import style

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

#: (page, colours) that axe-core looks at: with `make trust` one of each kind, otherwise those that take a moment.
AXE = [("index.html", "light"), ("quiz/04.html", "light"), ("quiz/04.html", "dark")]
if os.environ.get("SERLIB_TRUST") == "1":
    AXE = [(name, "light") for name in PAGES] + [(name, "dark") for name in PAGES[:2] + PAGES[4:6]]

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


def test_every_local_link_leads_somewhere(built):
    dead = set()
    for path in HTML.rglob("*.html"):
        if "_static" in path.parts:  # templates of the theme
            continue
        for target in re.findall(r'\b(?:href|src)="([^"#?]+)', path.read_text(encoding="utf-8")):
            place = path.parent / unquote(target)
            if not re.match(r"[a-z]+:|//", target) and not (place.is_file() or (place / "index.html").is_file()):
                dead.add((path.name, target))
    assert not dead


def test_the_download_button_hands_out_the_committed_notebook(built):
    for folder in ("notebooks", "solutions"):
        for committed in sorted((ROOT / folder).glob("*.ipynb")):
            text = (HTML / folder / f"{committed.stem}.html").read_text(encoding="utf-8")
            (target,) = set(re.findall(r'href="([^"]+)"[^>]*btn-download-source-button', text))
            assert (HTML / folder / target).read_bytes() == committed.read_bytes()
            assert "theme-switch-button" in text


def test_every_player_of_the_site_plays(page, address):
    with_sound = [path for path in sorted(HTML.rglob("*.html")) if "<audio" in path.read_text(encoding="utf-8")]
    assert {"02_eda", "03_mfcc", "05_evaluate", "07_generalize", "09_live"} <= {path.stem for path in with_sound}
    together = """async () => {
        const advances = async (audio) => {
            audio.muted = true;
            await audio.play();
            const end = performance.now() + 20000;
            while (audio.currentTime < 0.05 && performance.now() < end) await new Promise((go) => setTimeout(go, 20));
            audio.pause();
            return audio.currentTime >= 0.05;
        };
        return Promise.all([...document.querySelectorAll("audio")].map(advances));
    }"""
    for path in with_sound:
        page.goto(f"{address}/{path.relative_to(HTML).as_posix()}")
        played = page.evaluate(together)
        assert len(played) == path.read_text(encoding="utf-8").count("<audio") and all(played), (path.name, played)


@pytest.mark.parametrize("words", ["UAR", "leakage"])
def test_search(page, address, words):
    page.goto(f"{address}/search.html?q={words}")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results li").count() >= 2


def test_no_sideways_scroll_on_a_phone(page, address):
    page.set_viewport_size({"width": 390, "height": 800})
    wide = []
    for path in sorted(HTML.rglob("*.html")):
        page.goto(f"{address}/{path.relative_to(HTML).as_posix()}")
        if page.evaluate("document.scrollingElement.scrollWidth") > 390:
            wide.append(path.name)
    assert not wide


@pytest.mark.parametrize(("name", "scheme"), AXE)
def test_axe_finds_nothing_serious(page, address, name, scheme):
    page.emulate_media(color_scheme=scheme)
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


def rgb(page, selector, name):
    """A colour that Chromium has computed for an element, each part from 0 to 1."""
    value = page.locator(selector).first.evaluate("(element, name) => getComputedStyle(element)[name]", name)
    parts = [float(part) for part in re.findall(r"[\d.]+", value)]
    assert len(parts) == 3 or parts[3] == 1, f"{name} of {selector} is {value}, not opaque"
    return tuple(part / 255 for part in parts[:3])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_drawn_stands_out_in_both_schemes(page, address, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/quiz/04.html")
    ground = rgb(page, "body", "backgroundColor")
    assert (max(ground) < 0.3) == (scheme == "dark")
    for kind in ("right", "wrong"):
        page.locator(f"details.answer.{kind} summary").first.click()
        for side in ("borderLeftColor", "borderTopColor"):
            assert style.contrast(rgb(page, f"details.answer.{kind}", side), ground) >= style.CONTRAST
    page.goto(f"{address}/notebooks/02_eda.html")
    if scheme == "dark":  # the figures are made for white
        assert rgb(page, "div.cell_output img", "backgroundColor") == (1, 1, 1)


def test_the_reference_holds_every_public_function():
    import serlib

    text = (HTML / "api.html").read_text(encoding="utf-8")
    for name in ("index", "split", "fit", "evaluate", "extract", "compare", "Recognizer"):
        assert name in serlib.__all__
        assert f"serlib.{name}" in text
