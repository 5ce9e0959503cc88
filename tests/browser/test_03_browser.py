"""Notebook 03 in a real browser: it runs, and a slider of the explorer changes what is seen and heard."""

import re

import pytest

SOUND = """async (group) => {
    const data = await (await fetch(group.querySelector("audio").src)).arrayBuffer();
    return [...new Uint8Array(await crypto.subtle.digest("SHA-256", data))].join();
}"""


@pytest.fixture(scope="module")
def mfcc(module_lab):
    """Notebook 03, executed."""
    notebook = module_lab.open("03_mfcc", figures=False)
    notebook.run()
    notebook.page.locator(".serlib-mfcc").scroll_into_view_if_needed()
    return notebook


def slider(notebook, name):
    box = notebook.page.locator(".widget-slider", has=notebook.page.get_by_text(name, exact=True))
    return box.get_by_role("slider")


def move(notebook, name, steps=1):
    """Move a slider to the left by the keyboard; a key that JupyterLab took for itself is pressed again."""
    handle = slider(notebook, name)
    wanted = int(float(handle.get_attribute("aria-valuenow"))) - steps
    while float(handle.get_attribute("aria-valuenow")) > wanted:
        handle.press("ArrowLeft")
    return wanted


def words(notebook):
    return notebook.page.get_by_text(re.compile(r"numbers for \d+ samples"))


def state(notebook):
    """What is seen and heard: the picture, the words below, the sound."""
    picture = notebook.page.locator(".serlib-mfcc img").get_attribute("src")
    sound = notebook.page.get_by_role("group", name="MFCC").evaluate(SOUND)
    return [picture, words(notebook).inner_text(), sound]


def test_a_slider_changes_picture_and_sound(mfcc):
    before = state(mfcc)
    coefficients = move(mfcc, "Coefficients", 5)
    mfcc.page.get_by_role("group", name=f"from {coefficients} MFCC").wait_for()
    assert all(a != b for a, b in zip(before, state(mfcc), strict=True))


def test_every_slider_does_something(mfcc):
    for name in ("Mel bands", "Frame", "Hop"):
        before, audio = state(mfcc), mfcc.page.get_by_role("group", name="MFCC").locator("audio")
        heard = audio.get_attribute("src")
        move(mfcc, name)
        anew = "([audio, heard]) => audio.src !== heard"  # the sound comes last
        mfcc.page.wait_for_function(anew, arg=[audio.element_handle(), heard])
        after = state(mfcc)
        assert before[0] != after[0] and before[2] != after[2], name


def test_the_copy_plays(mfcc):
    scope = mfcc.page.get_by_role("group", name="MFCC").last
    scope.get_by_role("button", name="Play").click()
    stage = scope.get_by_role("slider").element_handle()
    mfcc.page.wait_for_function("stage => stage.getAttribute('aria-valuenow') > 0.3", arg=stage)


def test_both_themes_and_a_narrow_window(mfcc):
    explorer = mfcc.page.locator(".jp-OutputArea-output", has=mfcc.page.locator(".serlib-mfcc")).last
    for theme in ("dark", "light"):
        mfcc.theme(theme)
        mfcc.picture(f"03-explorer-{theme}", explorer)
    mfcc.page.set_viewport_size({"width": 700, "height": 900})
    mfcc.picture("03-explorer-narrow", explorer)
    mfcc.page.set_viewport_size({"width": 1280, "height": 1000})
