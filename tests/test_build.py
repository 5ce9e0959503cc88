"""How notebooks are run: notebooks/build.py."""

import nbformat

from notebooks import build


def test_nothing_is_sent_to_a_kernel_that_runs_a_cell():
    """nbclient tells an Output widget's kernel what it holds, and may then wait for ever for the end of the cell."""
    cells = ["from ipywidgets import Output", "out = Output()\nwith out:\n    print('inside')", "print(out.outputs)"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    _, inside, last = build.execute(notebook, timeout_s=120).cells
    assert last.outputs[0].text == "()\n"  # with nbclient's own: what it was sent
    assert not inside.outputs  # it went into the widget
