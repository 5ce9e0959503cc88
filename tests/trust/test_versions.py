"""The same results twice, with every Python that is here, and with the lowest versions that requirements.txt allows.

What makes environments takes minutes and a network, so it runs where SERLIB_TRUST is set (`make trust`); CI runs the
tests themselves with the newest versions and, by `make test-lowest`, with the lowest. `pytest -s` shows the figures.
"""

import configparser
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pytest

from notebooks import build

ROOT = Path(build.__file__).resolve().parents[1]

#: Largest difference between two versions, as a share of the largest value of the array. Text and what is decoded are
#: the same to the bit; what is computed differs in its last digits; a training enlarges that from step to step.
TOLERANCE = {"decoded": 0, "sample": 1e-4, "resampled": 1e-4, "changed": 1e-4, "features": 1e-4}
TOLERANCE |= {"history": 0.02, "probabilities": 0.02}

PYTHONS = ("3.11", "3.12", "3.13")

full = pytest.mark.skipif(not os.environ.get("SERLIB_TRUST"), reason="takes half an hour: make trust")


def requirements():
    """The lines of requirements.txt that name a package."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if re.match(r"\w", line)]


def python(version):
    """The Python of a version that is on this machine, or None; pyenv's are found although it hides them."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    found = [folder / f"python{version}" for folder in folders]
    for folder in folders:
        if folder.name == "shims":
            found += sorted((folder.parent / "versions").glob(f"{version}.*/bin/python"))
    for path in found:
        if path.is_file():
            told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if told.stdout.startswith(f"Python {version}."):
                return path
    return None


def make(folder, path, *options):
    """An environment of requirements.txt, without serlib itself; `options` go to uv. Returns its Python."""
    subprocess.run([path, "-m", "venv", folder], check=True)
    fresh = folder / "bin" / "python"
    command = [sys.executable, "-m", "uv", "pip", "install", "-q", f"--python={fresh}", *options, *requirements()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return fresh


def call(path, *arguments, home):
    """Run a Python of the checkout; its standard output."""
    environment = {**build.clean_environment(home), "PYTHONPATH": str(ROOT)}
    del environment["SERLIB_CORPUS"]
    done = subprocess.run(
        [path, *map(str, arguments)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def agree(path, tones, out):
    """What a Python makes of the clips: its versions, its arrays."""
    out.mkdir()
    told = json.loads(call(path, "-m", "tests.trust.agree", tones, out, home=out).splitlines()[-1])
    with np.load(out / "arrays.npz") as found:
        return told, dict(found)


def differences(found, expected):
    """Name -> largest difference, as a share of the largest value; text and shapes that differ count as infinite."""
    assert found.keys() == expected.keys()
    gaps = {}
    for name, here in expected.items():
        there = found[name]
        if here.shape != there.shape or here.dtype.kind == "U":
            gaps[name] = 0.0 if np.array_equal(here, there) else np.inf
        else:
            gaps[name] = float(np.abs(here - there).max() / np.abs(here).max())
    return gaps


@pytest.fixture(scope="module")
def here(tone_corpus, tmp_path_factory):
    """The clips, and what this Python makes of them."""
    top = tmp_path_factory.mktemp("agree")
    tones = tone_corpus(top / "tones", words=6)
    told, found = agree(sys.executable, tones, top / "here")
    print(f"\nhere: {told}")
    return tones, found


def compared(here, path, out, name):
    """Print how a Python differs from this one; which differences are too large."""
    tones, expected = here
    told, found = agree(path, tones, out)
    gaps = differences(found, expected)
    kinds = {}
    for each, gap in gaps.items():
        kinds[each.split()[0]] = max(gap, kinds.get(each.split()[0], 0))
    print(f"\n{name}: {told}\n    " + ", ".join(f"{kind} {gap:.1g}" for kind, gap in kinds.items()))
    return {kind: gap for kind, gap in kinds.items() if not gap <= TOLERANCE.get(kind, 0)}


@full
def test_the_same_python_gives_the_same_bits(here, tmp_path):
    tones, expected = here
    _, found = agree(sys.executable, tones, tmp_path / "again")
    assert [name for name, gap in differences(found, expected).items() if gap] == []


@full
@pytest.mark.parametrize("version", [v for v in PYTHONS if v != ".".join(map(str, sys.version_info[:2]))])
def test_another_python_agrees(here, version, tmp_path):
    if not (path := python(version)):
        pytest.skip(f"there is no Python {version} here")
    with tempfile.TemporaryDirectory(prefix="serlib-venv-") as folder:
        fresh = make(Path(folder) / "venv", path)
        assert compared(here, fresh, tmp_path / "there", version) == {}
        run = str(tmp_path / "there" / "run")  # what was trained there answers here as it did there
        call(sys.executable, "-c", f"import serlib; serlib.Run.load({run!r})", home=tmp_path)


@full
def test_the_lowest_versions_agree(here, tmp_path):
    with tempfile.TemporaryDirectory(prefix="serlib-venv-") as folder:
        fresh = make(Path(folder) / "venv", sys.executable, "--resolution=lowest-direct")
        assert compared(here, fresh, tmp_path / "there", "lowest versions") == {}


@full
@pytest.mark.parametrize("number", ["01", "02", "03", "04", "05"])
def test_a_notebook_gives_the_same_outputs_twice(number, tmp_path):
    """In fresh processes and empty homes; and they are those that are committed."""
    made = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        code = f"import sys; from notebooks import build; sys.exit(build.write(['{number}'], to={str(folder)!r}))"
        call(sys.executable, "-c", code, home=tmp_path)
        made += folder.glob("*.ipynb")
    first, second, committed = (
        nbformat.read(path, as_version=4) for path in (*made, ROOT / "notebooks" / made[0].name)
    )
    for n, (one, two, kept) in enumerate(zip(first.cells, second.cells, committed.cells, strict=True)):
        assert outputs(one) == outputs(two), f"cell {n} differs from run to run:\n{one.source}"
        assert outputs(one) == outputs(kept), f"cell {n} is not what is committed:\n{one.source}"


def outputs(cell):
    """What a cell shows, without what nbval takes out as well before it compares: how long something took."""
    rules = configparser.ConfigParser()
    rules.read(ROOT / "tests" / "nbval.cfg")
    text = json.dumps(cell.get("outputs"), sort_keys=True)
    for rule in rules.sections():
        text = re.sub(rules[rule]["regex"], rules[rule]["replace"], text)
    return text


def test_every_requirement_has_a_floor():
    without = [line for line in requirements() if not re.match(r"[\w.-]+(?:\[[\w,]+\])?(?:~=|>=)\d", line)]
    assert not without, f"uv would take the first release ever made of {without}"


def test_what_is_installed_fits_together():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_difference_is_seen():
    here = {"decoded": np.ones(3), "index": np.array(["a"])}
    there = {"decoded": np.array([1, 1, 1.001]), "index": np.array(["b"])}
    assert differences(there, here) == {"decoded": pytest.approx(1e-3), "index": np.inf}
