"""serlib.widgets.oscilloscope in a real browser: it plays, seeks, loops, and obeys keys and kernel."""

import io

import pytest
import soundfile

CELLS = [
    """import numpy as np
from serlib import widgets
rng, rate_hz = np.random.default_rng(0), 22050
t = np.arange(4 * rate_hz) / rate_hz
tone = (.3 * np.sin(2 * np.pi * (200 + 100 * t) * t) * np.hanning(len(t))).astype(np.float32)
noise = (.1 * rng.standard_normal(rate_hz)).astype(np.float32)
drove = np.sin(np.linspace(0, 7, 40))[:, np.newaxis] * np.hanning(20)""",
    "scope = widgets.scope(tone, rate_hz, title='A tone', label='happy', contours=True)\nscope",
]


@pytest.fixture(scope="module")
def opened(module_lab):
    """A notebook with a scope."""
    notebook = module_lab.open(cells=CELLS)
    notebook.run()
    notebook.page.get_by_role("slider").wait_for()
    return notebook


@pytest.fixture
def tone(opened, request):
    """The notebook, its scope showing four seconds of a rising tone from the start."""
    load(opened, "tone", request.node.name)
    opened.page.get_by_role("slider").focus()
    return opened


def load(notebook, name, title, options=""):
    notebook.evaluate(f"scope.load({name}, rate_hz, title={title!r}{options})")
    notebook.page.get_by_role("group", name=title).wait_for()


def position(notebook):
    return float(notebook.page.get_by_role("slider").get_attribute("aria-valuenow"))


def passed(notebook, time_s):
    notebook.page.wait_for_function(f"document.querySelector('.stage').getAttribute('aria-valuenow') > {time_s}")


def click(notebook, time_s, to_s=None, span_s=4.0):
    """Click on the scope at a time, or drag from it to another."""
    box = notebook.page.get_by_role("slider").bounding_box()
    x, y = (lambda t: box["x"] + t / span_s * box["width"]), box["y"] + box["height"] / 3
    notebook.page.mouse.move(x(time_s), y)
    notebook.page.mouse.down()
    if to_s is not None:
        notebook.page.mouse.move(x(to_s), y, steps=5)
    notebook.page.mouse.up()


def loaded(notebook):
    """What the audio element holds: samples and rate."""
    data = notebook.page.evaluate(
        "async () => [...new Uint8Array(await (await fetch(document.querySelector('audio').src)).arrayBuffer())]"
    )
    return soundfile.read(io.BytesIO(bytes(data)))


def test_playing_moves_the_playhead(tone):
    left = tone.page.locator(".playhead").bounding_box()["x"]
    tone.page.keyboard.press("l")  # so that it does not end while a slow machine looks
    tone.page.get_by_role("button", name="Play").click()
    passed(tone, 0.5)
    assert tone.page.locator(".playhead").bounding_box()["x"] > left + 50
    tone.until("scope.playing and scope.position_s > 0.5")
    tone.page.get_by_role("button", name="Pause").click()
    tone.until("scope.playing", "False")
    tone.until(f"abs(scope.position_s - {position(tone)}) < 0.01")


def test_it_stops_at_the_end(tone):
    click(tone, 3.8)
    tone.page.keyboard.press("Space")
    tone.until("not scope.playing and round(scope.position_s, 1) == 4")


def test_a_click_seeks(tone):
    click(tone, 3.0)
    assert position(tone) == pytest.approx(3, abs=0.02)
    tone.until("round(scope.position_s, 1)", "3.0")
    assert tone.page.evaluate("document.querySelector('audio').currentTime") == pytest.approx(3, abs=0.02)
    assert tone.evaluate("scope.region") == "[]"


def test_dragging_marks_a_region_that_loops(tone):
    click(tone, 2.0, 1.5)
    tone.until("[round(t, 1) for t in scope.region]", "[1.5, 2.0]")
    tone.until("scope.loop and round(scope.position_s, 1) == 1.5")
    tone.page.keyboard.press("Space")
    tone.page.evaluate("""() => {
        window.heard = [];
        const audio = document.querySelector("audio");
        audio.addEventListener("seeking", () => window.heard.push(audio.currentTime));
    }""")
    tone.page.wait_for_function("window.heard.length >= 2")  # it went back twice, each time to the start
    assert tone.page.evaluate("window.heard") == pytest.approx([1.5, 1.5], abs=0.05)
    assert 1.5 <= position(tone) < 2.1
    tone.page.keyboard.press("Escape")
    tone.until("scope.region == [] and not scope.loop and scope.playing")
    passed(tone, 2.2)
    tone.page.keyboard.press("Space")


def test_keys(tone):
    press = tone.page.keyboard.press
    for _ in range(3):
        press("ArrowRight")
    press("ArrowLeft")
    assert position(tone) == pytest.approx(0.2, abs=0.01)
    press("End")
    assert position(tone) == pytest.approx(4, abs=0.01)
    press("Home")
    assert position(tone) == 0
    press("Shift+ArrowRight")
    press("Shift+ArrowRight")
    tone.until("[round(t, 1) for t in scope.region]", "[0.0, 0.2]")
    press("l")
    tone.until("scope.loop", "False")
    press("l")
    tone.until("scope.loop")
    # the notebook did not take the keys for its own: no line numbers, the cell still selected
    assert not tone.page.locator(".cm-lineNumbers").count()
    assert tone.evaluate("len(scope.region)") == "2"


def test_focus_is_seen_and_help_appears(tone):
    stage = tone.page.get_by_role("slider")
    tone.page.get_by_role("button", name="Loop").focus()
    tone.page.keyboard.press("Tab")
    assert stage.evaluate("node => node === document.activeElement")
    assert stage.evaluate("node => getComputedStyle(node).outlineWidth") == "3px"
    assert float(tone.page.locator(".serlib-scope .keys").evaluate("node => getComputedStyle(node).opacity")) > 0.5


def test_the_kernel_seeks_and_plays(tone):
    tone.evaluate("setattr(scope, 'position_s', 2.5)")
    passed(tone, 2.4)
    tone.evaluate("setattr(scope, 'playing', True)")
    passed(tone, 2.7)
    tone.evaluate("setattr(scope, 'playing', False)")
    tone.page.get_by_role("button", name="Play").wait_for()
    tone.evaluate("setattr(scope, 'region', [1.0, 3.0])")
    tone.page.wait_for_function("!document.querySelector('.region').hidden")
    box, region = (tone.page.locator(name).bounding_box() for name in (".stage", ".region"))
    assert region["width"] / box["width"] == pytest.approx(0.5, abs=0.01)


def test_another_clip_changes_picture_sound_and_axes(tone):
    before = tone.page.locator("img.image").get_attribute("src")
    y, rate_hz = loaded(tone)
    assert len(y) / rate_hz == pytest.approx(4, abs=0.1)
    load(tone, "noise", "Some noise")
    assert tone.page.locator("img.image").get_attribute("src") != before
    tone.page.wait_for_function("document.querySelector('img.image').naturalHeight == 128")
    y, rate_hz = loaded(tone)
    assert len(y) / rate_hz == pytest.approx(1, abs=0.1)
    assert position(tone) == 0
    assert tone.page.locator(".seconds .tick").last.inner_text() == "1"
    assert "0 to 8000 Hz" in tone.page.locator("img.image").get_attribute("alt")


#: The kernel loads another clip, and only then a busy page tells of a click on the one it still shows.
LATE_CLICK = """code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    kernel.requestExecute({ code, silent: true });
    const end = performance.now() + 1500;
    while (performance.now() < end);
    const stage = document.querySelector(".stage");
    stage.setPointerCapture = () => {};
    const { left, width } = stage.getBoundingClientRect();
    for (const type of ["pointerdown", "pointerup"])
        stage.dispatchEvent(new PointerEvent(type, { clientX: left + width / 2 }));
    return stage.getAttribute("aria-valuenow");
}"""


def test_what_the_page_says_of_the_clip_before_does_not_move_the_next(tone):
    click(tone, 1.0)
    tone.until("round(scope.position_s, 1)", "1.0")
    assert tone.page.evaluate(LATE_CLICK, "scope.load(tone, rate_hz, title='The next')") == "2.00"
    tone.page.get_by_role("group", name="The next").wait_for()
    tone.evaluate("0")  # by now the kernel has heard of the click
    tone.page.wait_for_timeout(500)  # and the page what the kernel made of it
    assert position(tone) == 0
    assert tone.evaluate("scope.position_s") == "0.0"


def test_a_common_time_axis(tone):
    load(tone, "noise", "On a long axis", ", span_s=4")
    stage, image = (tone.page.locator(name).bounding_box() for name in (".stage", "img.image"))
    assert image["width"] / stage["width"] == pytest.approx(0.25, abs=0.01)
    click(tone, 0.5)
    assert position(tone) == pytest.approx(0.5, abs=0.02)
    click(tone, 3.5)  # beyond the end
    assert position(tone) == 1


def test_what_drove_the_answer_lies_under_the_playhead(tone):
    assert not tone.page.get_by_role("button", name="What drove").is_visible()
    load(tone, "tone", "With an overlay", ", overlay=drove")
    tone.page.wait_for_function("document.querySelector('img.overlay').naturalWidth == 40")
    image, overlay = (tone.page.locator(name).bounding_box() for name in ("img.image", "img.overlay"))
    assert image == overlay
    tone.picture("scope-overlay", tone.page.locator(".serlib-scope"))
    button = tone.page.get_by_role("button", name="What drove")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not tone.page.locator("img.overlay").is_visible()
    button.click()
    assert tone.page.locator("img.overlay").is_visible()


def test_both_themes(tone):
    load(tone, "tone", "A tone", ", label='happy', contours=True")
    assert tone.page.locator(".lines path").count() == 4  # pitch and energy, each with a casing
    click(tone, 1.0, 2.5)
    try:
        inks = []
        for theme in ("light", "dark"):
            tone.theme(theme)
            tone.picture(f"scope-{theme}", tone.page.locator(".serlib-scope"))
            inks.append(tone.page.locator(".serlib-scope").evaluate("node => getComputedStyle(node).color"))
        assert inks[0] != inks[1]
    finally:
        tone.theme("light")


def test_narrow(tone):
    tone.page.set_viewport_size({"width": 560, "height": 800})
    try:
        tone.picture("scope-narrow", tone.page.locator(".serlib-scope"))
        width = tone.page.locator(".serlib-scope").evaluate("node => node.scrollWidth - node.clientWidth")
        assert width <= 0, "it does not fit"
    finally:
        tone.page.set_viewport_size({"width": 1280, "height": 1000})


def test_only_one_plays_at_a_time(module_lab):
    notebook = module_lab.open(cells=[*CELLS, "other = widgets.scope(tone, rate_hz, title='Other')\nother"])
    notebook.run()
    first, second = (notebook.page.get_by_role("group", name=name) for name in ("A tone", "Other"))
    first.get_by_role("button", name="Play").click()
    notebook.until("scope.playing")
    second.get_by_role("button", name="Play").click()
    notebook.until("other.playing and not scope.playing")
