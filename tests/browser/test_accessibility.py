"""The widgets without a mouse and without eyes: axe-core on each, and clips that are played by keyboard alone."""

import ast
import re

import pytest

from .conftest import serious

CELLS = [
    """import tempfile
from dataclasses import replace
import serlib
from serlib import audio, widgets
from serlib.corpora import sample
folder = tempfile.mkdtemp()
index = serlib.index("sample", sample.make(f"{folder}/sample", words=3, show=False), show=False)
recipe = replace(serlib.RECIPES["functionals"], augment=(), epochs=1)
run = serlib.fit(recipe, serlib.split(index, "random", seed=0), out=f"{folder}/run", show=False)
report = serlib.evaluate(run, show=False)""",
    "grid = widgets.grid(index, index.text[0])\ngrid",
    "scope = widgets.scope(index.speech[0])\nscope",
    "guessing = widgets.explorer(index, hide='label', seed=0)\nguessing",
    "gallery = widgets.gallery(report, run)\ngallery",
    "clips = widgets.clip_map(index, [[i % 7, i] for i in range(len(index))])\nclips",
    "explorer = widgets.mfcc_explorer(*audio.load(index.speech[0]))\nexplorer",
]


@pytest.fixture(scope="module")
def opened(module_lab):
    """A notebook with one of each widget, on 42 clips of the sample corpus."""
    notebook = module_lab.open(cells=CELLS)
    notebook.run()
    notebook.page.wait_for_function("document.querySelector('.serlib-map')?._fullLayout?.xaxis")
    return notebook


@pytest.mark.parametrize(
    "number", range(1, len(CELLS)), ids=["grid", "scope", "guessing", "gallery", "map", "explorer"]
)
def test_axe_finds_nothing_serious(opened, number):
    opened.page.evaluate("(n) => document.querySelectorAll('.jp-CodeCell')[n].id = `cell${n}`", number)
    assert not serious(opened.page, f"#cell{number} .jp-OutputArea")


def test_every_slider_has_its_words_as_a_name(opened):
    for name in ("Abstain below", "Frame", "Hop", "Mel bands", "Coefficients"):
        opened.page.get_by_role("slider", name=name, exact=True).wait_for()


def tab_to(page, wanted):
    """Press Tab until an element of this selector has the focus."""
    for _ in range(100):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {wanted}")


def playing(cell):
    """Wait until a sound of a cell advances, and stop it. The page is asked: the kernel may be busy meanwhile."""
    heard = """(cell) => {
        const sound = [...cell.querySelectorAll("audio")].find((a) => !a.paused && a.currentTime > 0.02);
        sound?.pause();
        return Boolean(sound);
    }"""
    cell.page.wait_for_function(heard, arg=cell.element_handle())


def test_the_keyboard_plays_a_clip_of_the_grid(opened):
    opened.cell(1).get_by_role("button").first.focus()
    opened.page.keyboard.press("Enter")
    playing(opened.cell(1))


def test_the_keyboard_plays_the_scope(opened):
    opened.cell(2).locator(".play").focus()
    tab_to(opened.page, ".stage")
    opened.page.keyboard.press(" ")
    playing(opened.cell(2))


def test_the_keyboard_takes_a_listening_test(opened):
    for name, done in (("sad", "not guessing.reveal.disabled"), ("Reveal", "'of 1 right' in guessing.score.value")):
        opened.cell(3).get_by_role("button", name=name, exact=True).focus()
        opened.page.keyboard.press("Enter")
        opened.until(done)
    shown = opened.cell(3).inner_text()
    assert "Meant: " in shown and "95 % interval" in shown


#: All colours in which a scope draws.
COLOURS = """(scope) => [...new Set([scope, ...scope.querySelectorAll("*")].flatMap((part) => {
    const style = getComputedStyle(part);
    return [style.fill, style.stroke, style.getPropertyValue("--colour")];
}))].sort()"""


def drawn_colours(notebook, cell):
    """The colours of the scope in a cell, once the page shows what the kernel has loaded."""
    title = ast.literal_eval(notebook.evaluate("guessing.scope.clip['title']"))
    cell.get_by_role("group", name=title).wait_for()
    notebook.page.wait_for_timeout(300)
    return cell.locator(".serlib-scope").evaluate(COLOURS)


def test_the_page_does_not_know_the_label_before_reveal(opened):
    cell = opened.cell(3)
    labels = ast.literal_eval(opened.evaluate("list(guessing.labels)"))
    hidden = []
    for _ in range(3):
        opened.evaluate("guessing.load()")
        hidden.append(drawn_colours(opened, cell))
        source = re.sub(r'"(data|blob):[^"]*"', '""', cell.locator(".jp-OutputArea").evaluate("(el) => el.outerHTML"))
        words = re.findall(r"[^\W_]+", source.lower())
        counts = {label: words.count(label) for label in labels}
        assert opened.evaluate("guessing.clip.label").strip("'") in labels
        assert len(set(counts.values())) == 1 <= counts[labels[0]], counts  # as often as any other: on the buttons
        assert not set(labels) & set(re.findall(r"[^\W_]+", opened.page.title().lower()))
    assert hidden[0] == hidden[1] == hidden[2]
    opened.evaluate("guessing.guess('sad') or guessing.show()")
    assert drawn_colours(opened, cell) != hidden[0]


def test_the_keyboard_plays_a_clip_of_the_gallery(opened):
    gallery = opened.cell(4)
    before = gallery.locator(".serlib-scope").get_attribute("aria-label")
    gallery.locator(".serlib-confusion button[aria-pressed=false]:not([disabled])").last.focus()
    opened.page.keyboard.press("Enter")
    scope = gallery.locator(f'.serlib-scope:not([aria-label="{before}"])')
    scope.wait_for()  # the clip of the cell has arrived
    tab_to(opened.page, "select[size]")  # the list of clips
    tab_to(opened.page, ".stage")
    opened.page.keyboard.press(" ")
    playing(gallery)


def test_the_gallery_shows_matrix_clips_and_player_in_one_view(opened):
    opened.page.set_viewport_size({"width": 1280, "height": 800})
    gallery = opened.cell(4)
    gallery.locator(".jp-OutputArea").evaluate("(output) => output.scrollIntoView({ block: 'start' })")
    opened.page.wait_for_timeout(500)  # the page takes its new size
    opened.picture("gallery-1280-800")
    seen = """(part) => {
        const box = part.getBoundingClientRect();
        const corners = [[box.left + 3, box.top + 3], [box.right - 3, box.bottom - 3]];
        return corners.every(([x, y]) => part.contains(document.elementFromPoint(x, y)));
    }"""
    for part in (".serlib-confusion", "select[size]", ".serlib-scope .stage", ".serlib-scope .play"):
        assert gallery.locator(part).evaluate(seen), f"{part} is cut off, or something lies over it"


def test_the_keyboard_plays_a_clip_of_the_map(opened):
    opened.page.locator(".serlib-map").focus()
    for key in ("ArrowUp", "Enter"):
        opened.page.keyboard.press(key)
    playing(opened.cell(5))
    opened.until("clips.points.chosen != 0")


def test_the_keys_a_and_b_change_between_the_clip_and_its_copy(opened):
    explorer = opened.cell(6)
    original, copy = (explorer.get_by_role("group", name=name) for name in ("A: ", "B: from 40 MFCC"))
    boxes = [scope.bounding_box() for scope in (original, copy)]
    assert boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]  # side by side
    original.get_by_role("button", name="Play").focus()
    heard = """([playing, silent]) => {
        const [one, other] = [playing, silent].map((scope) => scope.querySelector("audio"));
        return !one.paused && one.currentTime > 0.3 && other.paused;
    }"""
    for key, pair in (("b", [copy, original]), ("a", [original, copy])):
        opened.page.keyboard.press(key)
        opened.page.wait_for_function(heard, arg=[scope.element_handle() for scope in pair])
        if key == "b":
            stopped_s = copy.locator("audio").evaluate("(audio) => audio.currentTime")
    assert original.locator("audio").evaluate("(audio) => audio.currentTime") >= stopped_s  # it went on, not back
    opened.page.evaluate("document.querySelectorAll('audio').forEach((audio) => audio.pause())")
    opened.picture("explorer", explorer)
