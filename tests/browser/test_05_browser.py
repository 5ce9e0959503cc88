"""Notebook 05 in a real browser: a click on the confusion matrix lists its clips, a click on the map plays."""

import ast

import pytest

from .conftest import click_point, serious

#: The bytes that a scope plays, as a digest.
DIGEST = """async (scope) => {
    const data = await (await fetch(scope.querySelector("audio").src)).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
    return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}"""


@pytest.fixture(scope="module")
def judged(module_lab):
    """Notebook 05, run from top to bottom; 09 finds its runs."""
    notebook = module_lab.open("05_evaluate", figures=False)
    notebook.run()
    notebook.page.wait_for_function("document.querySelector('.serlib-map')?._fullLayout?.xaxis")
    return notebook


@pytest.fixture
def gallery(judged):
    """The gallery, as a locator."""
    found = judged.page.locator(".widget-vbox", has=judged.page.locator(".serlib-confusion")).first
    found.scroll_into_view_if_needed()
    return found


def kernel(notebook, expression):
    return ast.literal_eval(notebook.evaluate(expression))


def sounds_like(notebook, scope, speech):
    """Whether a scope plays the clip that an expression in the kernel names."""
    digest = f"__import__('hashlib').sha256(widgets.encoded(*audio.load({speech}))[0]).hexdigest()"
    return scope.evaluate(DIGEST) == kernel(notebook, digest)


def cells(notebook, wrong):
    """(row, column) of the cells that hold something, the fullest first."""
    counts = kernel(notebook, "gallery.matrix.counts")
    found = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if n and (i != j) == wrong]
    return [(i, j) for _, i, j in sorted(found, reverse=True)]


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
def test_a_cell_lists_its_clips(judged, gallery, wrong):
    row, column = cells(judged, wrong)[0]
    meant, heard = (kernel(judged, "run.labels")[k] for k in (row, column))
    gallery.locator(f".serlib-confusion button[data-row='{row}'][data-column='{column}']").click()
    judged.until("gallery.matrix.chosen", repr([row, column]))
    table = f'report.predictions.query(\'label == "{meant}" and predicted == "{heard}"\')'
    table += ".sort_values('confidence', ascending=False, kind='stable')"
    wanted = kernel(judged, f"[(clip.speaker, clip.text) for clip in {table}.itertuples()]")
    title = f"{wanted[0][0]}: {wanted[0][1]}, meant {meant}, heard as {heard}"
    scope = gallery.get_by_role("group", name=title)
    scope.wait_for()
    listed = gallery.locator("select[size] option").all_inner_texts()
    listed = [" ".join(line.split()[1:]) for line in listed]  # ipywidgets writes spaces that do not break
    assert listed == [f"{who}: {text}" for who, text in wanted]
    assert sounds_like(judged, scope, f"{table}.speech.iloc[0]")
    shares = gallery.locator("table:not(.serlib-confusion) tr").filter(has_text="heard")
    assert heard in shares.inner_text()


def test_what_drove_an_answer_lies_under_the_playhead(judged, gallery):
    judged.until("gallery.says.value.startswith(('Of its', 'No single'))")
    for row, column in cells(judged, True) + cells(judged, False):
        gallery.locator(f".serlib-confusion button[data-row='{row}'][data-column='{column}']").click()
        judged.until(f"gallery.matrix.chosen == [{row}, {column}] and 'asking' not in gallery.says.value")
        if kernel(judged, "len(gallery.scope.overlay)"):
            break
    scope = gallery.locator(".serlib-scope")
    scope.get_by_role("button", name="What drove").wait_for()
    scope.get_by_role("button", name="Play").click()
    stage = scope.get_by_role("slider").element_handle()
    judged.page.wait_for_function("stage => stage.getAttribute('aria-valuenow') > 0.3", arg=stage)
    for theme in ("dark", "light"):
        judged.theme(theme)
        judged.picture(f"05-gallery-{theme}", gallery)


def test_the_matrix_obeys_the_arrows(judged, gallery):
    row, column = kernel(judged, "gallery.matrix.chosen")
    gallery.locator(f".serlib-confusion button[data-row='{row}'][data-column='{column}']").focus()
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        judged.page.keyboard.press(key)
    judged.page.keyboard.press("Enter")
    focus = judged.page.evaluate("[document.activeElement.dataset.row, document.activeElement.dataset.column]")
    judged.until("gallery.matrix.chosen", repr([int(n) for n in focus]))


def test_a_threshold_trades_answers_for_accuracy(judged, gallery):
    before = sum(map(sum, kernel(judged, "gallery.matrix.counts")))
    gallery.get_by_text("It always answers").wait_for()
    gallery.locator(".widget-slider", has=judged.page.get_by_text("Abstain below")).get_by_role("slider").focus()
    for _ in range(60):
        judged.page.keyboard.press("PageUp")
        if kernel(judged, "gallery.threshold.value") >= 0.6:
            break
    answered = kernel(judged, "int((report.predictions.confidence >= gallery.threshold.value).sum())")
    assert 0 < answered < before
    judged.until("sum(map(sum, gallery.matrix.counts))", str(answered))  # once the slider rests
    gallery.get_by_text(f"{answered / before:.0%} of {before} clips").wait_for()
    shown = gallery.locator(".serlib-confusion button").all_inner_texts()
    assert sum(int(n) for n in shown if n != "·") == answered


def test_a_click_on_the_map_plays_its_clip(judged):
    judged.page.locator(".serlib-map").scroll_into_view_if_needed()
    row = click_point(judged, "sad")
    judged.until("clip_map.points.chosen", str(row))
    judged.until("clip_map.scope.position_s > 0.1 or clip_map.scope.playing")
    clip = f"clips.iloc[{row}]"
    speaker, text = kernel(judged, f"tuple({clip}[['speaker', 'text']])")
    scope = judged.page.get_by_role("group", name=f"{speaker}: {text}, sad").last
    scope.wait_for()
    assert sounds_like(judged, scope, f"{clip}.speech")
    judged.picture("05-map")


def test_axe_finds_nothing_serious(judged):
    assert not serious(judged.page, ".jp-Notebook :is(.jp-OutputArea, .jp-MarkdownOutput)")
