"""The first cell of notebook 01 on Google Colab: it installs what Colab lacks, and replaces nothing that Colab has."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement

from notebooks import build

ROOT = Path(build.__file__).resolve().parents[1]
COLAB = ROOT / "tests" / "colab.txt"
#: Front ends: on Colab, Colab itself is one.
FRONT_ENDS = {"jupyterlab", "voila"}


def names(lines):
    """The packages that lines of a requirements file name."""
    return {Requirement(line).name for line in lines if re.match(r"\w", line)}


def installed_by_the_cell():
    """The packages that the cell installs on Colab."""
    source = (build.HERE / "src" / "01_download.py").read_text(encoding="utf-8")
    (packages,) = re.findall(r"^ +# %pip install -q (.*)$", source, re.MULTILINE)
    return packages.split()


def test_the_cell_installs_what_colab_lacks():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    needed = names(text.split("# What building and testing")[0].splitlines())
    there = names(COLAB.read_text(encoding="utf-8").splitlines())
    assert set(installed_by_the_cell()) == needed - there - FRONT_ENDS


def uv(python, *words):
    """What `uv pip ...` prints about the environment of a Python."""
    command = [sys.executable, "-m", "uv", "pip", words[0], "--quiet", f"--python={python}", *words[1:]]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_notebook_01_runs_with_the_versions_of_colab(tmp_path, monkeypatch):
    python = tmp_path / "colab" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "colab"], check=True)
    uv(python, "install", "-r", COLAB)
    before = uv(python, "freeze").splitlines()
    uv(python, "install", *installed_by_the_cell())
    after = uv(python, "freeze").splitlines()
    assert len(before) > 80 and set(before) <= set(after), "the cell replaced what Colab has"

    kernel = tmp_path / "kernels" / "colab" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": command, "display_name": "Colab", "language": "python"}), encoding="utf-8")
    for name, value in build.clean_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = build.convert(build.HERE / "src" / "01_download.py")
    client = NotebookClient(notebook, timeout=300, kernel_name="colab", resources={"metadata": {"path": build.HERE}})
    client.execute()  # raises CellExecutionError
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
