"""The slides: built from tagged cells, shown by Chromium without a request to elsewhere, each of them on one screen.

`make slides` makes the environment that builds the site, and installs reveal.js with npm.
"""

import re
import shutil
import subprocess

import pytest

from notebooks import build

ROOT = build.CHECKOUT
PYTHON = ROOT / ".venv" / "site" / "bin" / "python"
SLIDES = ROOT / "build" / "slides"
REVEAL = ROOT / ".venv" / "slides" / "node_modules" / "reveal.js" / "package.json"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOTEBOOKS = [source.stem for source in build.sources()]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PYTHON.exists() or not REVEAL.exists(), reason="make slides makes its environment"),
    pytest.mark.skipif(not CHROMIUM, reason="no chromium here"),
]


@pytest.fixture(scope="module")
def built():
    """The folder of the slides, freshly built."""
    done = subprocess.run([PYTHON, ROOT / "site" / "slides.py"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return SLIDES


@pytest.fixture
def page(built):
    """A page of Chromium that may ask nobody."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        elsewhere = []
        page.on("request", lambda request: elsewhere.append(request.url))
        yield page
        browser.close()
        assert not [url for url in elsewhere if not url.startswith(("file:", "data:"))]


def test_the_tagged_cells_are_slides(built):
    for source in build.sources():
        tagged = [cell for cell in build.convert(source).cells if "slide" in cell.metadata.get("tags", [])]
        path = built / f"{source.stem}.html"
        assert len(tagged) >= 8, f"{source.stem} has hardly any slides"
        assert path.read_text(encoding="utf-8").count("<section>") == len(tagged)
        assert all(cell.cell_type == "markdown" for cell in tagged)


def test_no_code_and_nothing_folded_is_shown(built):
    text = (built / "04_lstm_train.html").read_text(encoding="utf-8")
    assert "The plain Keras way" in text and "data:image/png;base64," in text
    assert "keras.Sequential" not in text and "The formulas" not in text


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_slide_fits_its_screen(page, built, name):
    page.goto((built / f"{name}.html").as_uri())
    page.wait_for_function("window.Reveal?.isReady()")
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate("(number) => Reveal.slide(number)", number)
        slide = page.locator("section.present")
        assert re.search(r"\w", slide.inner_text())
        page.wait_for_function("[...document.querySelectorAll('section.present img')].every((img) => img.complete)")
        assert slide.bounding_box()["height"] <= 801, f"slide {number + 1}"
        wide = "(part) => part.scrollWidth > part.clientWidth + 1"
        cut = f"(slide) => [...slide.querySelectorAll('pre, td')].some({wide})"
        assert not slide.evaluate(cut), f"a line of slide {number + 1} is cut off"
        assert slide.evaluate("(slide) => [...slide.querySelectorAll('img')].every((img) => img.naturalWidth > 0)")
