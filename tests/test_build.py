"""How notebooks are run and compared: notebooks/build.py, conftest.py."""

import ast
import base64
import re
import subprocess
import sys

import nbformat
import pytest

from notebooks import build


def test_nothing_is_sent_to_a_kernel_that_runs_a_cell():
    """nbclient tells an Output widget's kernel what it holds, and may then wait for ever for the end of the cell."""
    cells = ["from ipywidgets import Output", "out = Output()\nwith out:\n    print('inside')", "print(out.outputs)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    _, inside, last = build.execute(notebook, timeout_s=120).cells
    assert last.outputs[0].text == "()\n"  # with nbclient's own: what it was sent
    assert not inside.outputs  # it went into the widget


# --- what nbval compares -------------------------------------------------------------------------------------------


def test_words_are_what_weights_leave_alone():
    here = "meant angry, heard as fear (92%): S1, 'hush'\nmeant ps, heard as sad (1.5 %): S2, 'hall'\n\nhappy  ####\n"
    there = "neutral  #\nmeant sad, heard as unsure (7%): S2, 'the end'\n"
    assert build.words(here) == build.words(there)
    assert build.words("accuracy 71 %") == build.words("accuracy 8%") == "accuracy"
    assert build.words("accuracy 71 %") != build.words("recall 71 %")
    assert build.words("it is unsureness, not sadly") == "it is unsureness, not sadly"


#: Tag and committed output of cells that print "accuracy 72%" -> whether nbval may pass them.
COMPARED = {
    ("", "accuracy 72%\n"): True,
    ("", "accuracy 71%\n"): False,
    ("trained", "accuracy 71%\n"): True,
    ("trained", "recall 72%\n"): False,
    ("trained", "accuracy 72%\nand more\n"): False,
}


@pytest.mark.slow
def test_figures_are_blanked_in_trained_cells_only(tmp_path):
    notebook = nbformat.v4.new_notebook(metadata=build.METADATA)
    for number, (tag, committed) in enumerate(COMPARED, 1):
        output = nbformat.v4.new_output("stream", name="stdout", text=committed)
        cell = nbformat.v4.new_code_cell("print('accuracy 72%')", execution_count=number, outputs=[output])
        cell.metadata["tags"] = [tag] if tag else []
        notebook.cells.append(cell)
    nbformat.write(notebook, tmp_path / "cells.ipynb")
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "--nbval", "--nbval-current-env", "-rA"]
    replayed = subprocess.run(
        [*command, str(tmp_path / "cells.ipynb")], cwd=build.CHECKOUT, capture_output=True, text=True, check=False
    )
    verdicts = re.findall(r"^(PASSED|FAILED) \S*cells\.ipynb::Cell (\d)", replayed.stdout, re.MULTILINE)
    passed = {int(number): verdict == "PASSED" for verdict, number in verdicts}
    assert passed == dict(enumerate(COMPARED.values())), replayed.stdout


def test_the_users_arithmetic_reaches_the_kernels(tmp_path, monkeypatch):
    chosen = {"ONEDNN_MAX_CPU_ISA": "SSE41", "TF_ENABLE_ONEDNN_OPTS": "0", "OMP_NUM_THREADS": "1"}
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    cell = nbformat.v4.new_code_cell(f"import os\n{{name: os.environ.get(name) for name in {list(chosen)}}}")
    with build.environment(build.clean_environment(tmp_path)):
        (answer,) = build.execute(nbformat.v4.new_notebook(cells=[cell]), timeout_s=120).cells[0].outputs
    assert ast.literal_eval(answer.data["text/plain"]) == chosen
    for name in chosen:
        monkeypatch.delenv(name)
    assert not set(chosen) & set(build.clean_environment(tmp_path)), "the build sets what is the user's to set"


def test_a_widget_of_interact_leaves_what_it_shows():
    picture = {"output_type": "display_data", "data": {"image/png": "AAAA", "text/html": "<img>"}, "metadata": {}}
    state = {
        "box": {"state": {"children": ["IPY_MODEL_slider", "IPY_MODEL_output"]}},
        "slider": {"state": {"value": 3}},
        "output": {"state": {"outputs": [nbformat.from_dict(picture)]}},
    }
    view = {build.WIDGET: {"model_id": "box"}, "text/plain": "interactive()"}
    cell = nbformat.v4.new_code_cell("interact()", outputs=[nbformat.v4.new_output("display_data", view)])
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {build.WIDGET_STATE: {"state": state}}})
    (output,) = build.normalise(notebook).cells[0].outputs
    assert output.data == {"text/plain": build.WIDGET_TEXT, "image/png": "AAAA", "text/html": "<img>"}
    assert "widgets" not in notebook.metadata


def test_a_widget_without_a_picture_leaves_the_photograph_that_its_cell_names(tmp_path):
    source = tmp_path / "09_live.py"
    source.write_text('# %% tags=["nbval-ignore-output"] picture="microphone.png"\nwidgets.live(recognizer)\n')
    notebook = build.convert(source)
    view = {build.WIDGET: {"model_id": "live"}, "text/plain": "Live()"}
    notebook.cells[0].outputs = [nbformat.v4.new_output("execute_result", view)]
    (output,) = build.normalise(notebook).cells[0].outputs
    assert base64.b64decode(output.data["image/png"]) == (build.PHOTOGRAPHS / "microphone.png").read_bytes()
    assert output.data["text/html"].startswith('<img alt="The microphone widget after a take')
    assert output.metadata["image/png"]["alt"].startswith("The microphone widget")
