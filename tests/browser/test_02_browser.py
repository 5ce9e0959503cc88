"""Notebook 02 in a real browser, on the sample corpus: what is chosen is shown, what is clicked is heard."""

import hashlib
import io

import pytest
import soundfile

from .conftest import serious


@pytest.fixture(scope="module")
def eda(module_lab):
    """Notebook 02, run from top to bottom."""
    notebook = module_lab.open("02_eda")
    notebook.run()
    notebook.page.get_by_label("Emotion:").nth(2).wait_for()
    return notebook


def explorers(eda):
    """The two widgets with menus: for one clip, for two."""
    return eda.page.locator(".widget-vbox", has=eda.page.get_by_label("Emotion:"))


def held(scope):
    """What a scope's audio element holds, in seconds and as a digest, and its picture's address."""
    data = scope.evaluate(
        "async (node) => [...new Uint8Array(await (await fetch(node.querySelector('audio').src)).arrayBuffer())]"
    )
    y, rate_hz = soundfile.read(io.BytesIO(bytes(data)))
    image = scope.locator("img.image").get_attribute("src")
    return len(y) / rate_hz, hashlib.sha256(bytes(data)).hexdigest(), image


def choose(eda, scope, menu, option, *, number=0):
    eda.page.get_by_label(menu).nth(number).select_option(option)
    eda.page.wait_for_function(
        "([node, option]) => node.getAttribute('aria-label').includes(option)", arg=[scope.element_handle(), option]
    )


def test_it_runs_and_shows_its_figures(eda):
    assert eda.page.locator(".jp-OutputArea-output img").count() > 20
    eda.picture("02-top")


def test_choosing_a_clip_changes_picture_and_sound(eda):
    scope = explorers(eda).first.locator(".serlib-scope")
    before = held(scope)
    choose(eda, scope, "Emotion:", "sad")
    assert "angry" not in scope.get_attribute("aria-label")
    after = held(scope)
    assert before[1] != after[1] and before[2] != after[2]
    title = scope.get_attribute("aria-label")
    speaker, text = title.split(":")[0], title.split(": ")[1].split(",")[0]
    clip = f"widgets.find_clip(index, speaker={speaker!r}, label='sad', text={text!r}).duration_s"
    assert after[0] == pytest.approx(float(eda.evaluate(f"float({clip})")), abs=0.1)
    choose(eda, scope, "Speaker:", eda.evaluate("second").strip("'"))
    assert held(scope)[1] != after[1]
    eda.picture("02-explorer-light", explorers(eda).first)


def test_what_was_chosen_plays(eda):
    scope = explorers(eda).first.locator(".serlib-scope")
    scope.get_by_role("button", name="Play").click()
    stage = scope.get_by_role("slider").element_handle()
    eda.page.wait_for_function("stage => stage.getAttribute('aria-valuenow') > 0.3", arg=stage)


def test_two_clips_have_one_time_axis(eda):
    upper, lower = explorers(eda).nth(1).locator(".serlib-scope").all()
    choose(eda, lower, "Emotion:", "disgust", number=2)
    axes = [scope.locator(".seconds .tick").all_inner_texts() for scope in (upper, lower)]
    assert axes[0] == axes[1]
    lengths = [held(scope)[0] for scope in (upper, lower)]
    widths = [scope.locator("img.image").bounding_box()["width"] for scope in (upper, lower)]
    assert widths[0] / widths[1] == pytest.approx(lengths[0] / lengths[1], rel=0.1)
    eda.picture("02-compared", explorers(eda).nth(1))


def test_a_click_in_the_grid_plays(eda):
    grid = eda.page.locator(".serlib-grid")
    buttons = grid.get_by_role("button")
    assert buttons.count() == 14
    speaker = eda.evaluate("second").strip("'")
    button = grid.get_by_role("button", name=f"Play {speaker}, sad")
    button.scroll_into_view_if_needed()
    button.click()
    eda.page.wait_for_function("button => button.classList.contains('playing')", arg=button.element_handle())
    eda.page.wait_for_function(
        "button => Number(button.style.getPropertyValue('--at')) > 0.1", arg=button.element_handle()
    )
    eda.picture("02-grid-light", grid)
    eda.page.keyboard.press("ArrowUp")
    eda.page.keyboard.press("Enter")  # the one above, and the first is quiet
    grid.locator(f".playing[aria-label^='Play {speaker}, ps']").wait_for()
    assert grid.locator(".playing").count() <= 1
    eda.page.keyboard.press("Enter")
    eda.page.wait_for_function("!document.querySelector('.serlib-grid .playing')")


def test_dark(eda):
    eda.theme("dark")
    try:
        eda.picture("02-grid-dark", eda.page.locator(".serlib-grid"))
        eda.picture("02-explorer-dark", explorers(eda).first)
        eda.picture("02-scope-dark", eda.page.locator(".serlib-scope").first)
    finally:
        eda.theme("light")


def test_in_a_narrow_window(eda):
    eda.page.set_viewport_size({"width": 700, "height": 900})
    eda.picture("02-grid-narrow", eda.page.locator(".serlib-grid"))
    eda.picture("02-explorer-narrow", explorers(eda).first)


def test_axe_finds_nothing_serious(eda):
    assert not serious(eda.page, ".jp-Notebook :is(.jp-OutputArea, .jp-MarkdownOutput)")
