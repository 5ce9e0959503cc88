"""The exercises: solutions are right, stubs run and say "not yet", wrong answers get a hint of their own."""

import json
import re
import time

import nbformat
import numpy as np
import pytest
from wrong_answers import WRONG

from notebooks import build, exercises
from serlib import SerlibError, teach

SOURCES = build.sources(folder=exercises.SOURCES)
NUMBERS = [number for source in SOURCES for number in teach.load(int(source.stem[:2]))]
#: Its exercise trains a network; all other solutions of a notebook take less than 20 s together.
TRAINS = {"04", "08"}


def ids(path):
    return path.stem[:2]


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def run(text, number, capsys):
    """What the code cells print, in one namespace as in a kernel."""
    namespace = {"__name__": "exercise"}
    for source in code(exercises.notebook(text, number)):
        exec(compile(source, number, "exec"), namespace)
    return capsys.readouterr().out


def verdicts(printed):
    """Number -> what was said of it."""
    return dict(re.findall(r"^(\d+\.\d) [^:\n]+: (right\.|not yet: .+)$", printed, re.MULTILINE))


# --- solutions and stubs -------------------------------------------------------------------------------------------


def test_there_are_exercises_for_every_notebook():
    assert [ids(source) for source in SOURCES] == [f"{n:02}" for n in range(1, 11)]
    for source in SOURCES:
        assert 3 <= len(teach.load(int(ids(source)))) <= 5


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_every_solution_is_right(source, capsys, home):
    number = ids(source)
    teach.load(int(number))
    started = time.process_time()
    said = verdicts(run(exercises.solved(source.read_text()), number, capsys))
    taken = time.process_time() - started
    assert said == dict.fromkeys(teach.load(int(number)), "right.")
    assert number in TRAINS or taken < 20


@pytest.mark.parametrize(
    "source", [pytest.param(path, id=ids(path), marks=[pytest.mark.slow] * (ids(path) in TRAINS)) for path in SOURCES]
)
def test_solutions_hold_for_other_input(source):
    number = ids(source)
    namespace = {"__name__": "exercise"}
    for cell in code(exercises.notebook(exercises.solved(source.read_text()), number)):
        if not re.match(r"progress\(", cell):
            exec(compile(re.sub(r"^check\(.*", "", cell, flags=re.MULTILINE), number, "exec"), namespace)
    calls = re.findall(r'^check\("([\d.]+)", (\w+)\)$', source.read_text(), re.MULTILINE)
    assert [name for name, _ in calls] == list(teach.load(int(number)))
    for name, function in calls:
        for seed in range(1 if number in TRAINS else 5):
            verdict = teach.judge(name, namespace[function], seed=seed)
            assert verdict.right, f"seed {seed}: {verdict}"


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_a_stub_runs_to_the_end_and_nothing_is_solved(source, capsys, home):
    number = ids(source)
    said = verdicts(run(exercises.stub(source.read_text()), number, capsys))
    assert list(said) == list(teach.load(int(number)))
    assert all(text.startswith("not yet") for text in said.values())


@pytest.mark.parametrize("number", NUMBERS)
def test_wrong_answers_get_a_hint_of_their_own(number):
    hints = []
    for answer in WRONG[number]:
        verdict = teach.judge(number, answer, seed=1)
        assert not verdict.right
        assert "your code stops" not in verdict.hint
        hints.append(verdict.hint)
    words = {re.sub(r"[\d.]+", "", hint) for hint in hints}  # other figures in the same sentence are no other hint
    assert len(words) == len(hints) == 3, hints


# --- the built notebooks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_built_from_the_source(source):
    text = source.read_text()
    for made, folder in ((exercises.stub(text), exercises.EXERCISES), (exercises.solved(text), exercises.SOLUTIONS)):
        committed = nbformat.read(folder / f"{ids(source)}.ipynb", as_version=4)
        nbformat.validate(committed)
        assert code(committed) == code(exercises.notebook(made, ids(source))), "run `make exercises`"


@pytest.mark.parametrize("source", SOURCES, ids=ids)
def test_the_committed_solutions_were_executed(source):
    notebook = nbformat.read(exercises.SOLUTIONS / f"{ids(source)}.ipynb", as_version=4)
    printed = "\n".join(out.get("text", "") for cell in notebook.cells for out in cell.get("outputs", []))
    assert verdicts(printed) == dict.fromkeys(teach.load(int(ids(source))), "right.")
    assert notebook.metadata.serlib.outputs == build.fingerprint(notebook), "saved by hand: run `make exercises`"


def test_no_solution_stands_where_students_look():
    lines = {
        line.strip()
        for source in SOURCES
        for solution in exercises.solutions(source.read_text())
        for line in solution.splitlines()
        if len(line.strip()) > 24
    }
    assert len(lines) > 80
    places = [*exercises.EXERCISES.rglob("*.ipynb"), *exercises.EXERCISES.rglob("*.py"), teach.__file__]
    for place in map(exercises.Path, places):
        text = place.read_text(encoding="utf-8")
        if place.suffix == ".ipynb":
            text = "\n".join(
                cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
                for cell in json.loads(text)["cells"]
            )
        assert not [line for line in lines if line in text], place.name
        assert "BEGIN SOLUTION" not in text


# --- how a source is cut -------------------------------------------------------------------------------------------


def test_regions():
    text = "def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n\n\nx = 1\n"
    assert exercises.solutions(text) == ["    return 1\n"]
    assert exercises.stub(text) == "def f():\n    ...  # your lines\n\n\nx = 1\n"
    assert exercises.solved(text) == "def f():\n    return 1\n\n\nx = 1\n"
    own = "### BEGIN SOLUTION\nx = [1]\n# STUB x = []\n### END SOLUTION\n"
    assert exercises.stub(own) == "x = []\n"
    assert exercises.solved(own) == "x = [1]\n"


# --- serlib.teach --------------------------------------------------------------------------------------------------


def test_what_a_student_sees(capsys, home):
    teach.check("3.1", lambda n: np.hanning(n))
    teach.check("3.1", lambda n: 1 / 0)
    teach.check("3.1", ...)
    teach.check("3.1", lambda n: 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n))
    said = capsys.readouterr().out.splitlines()
    assert "divide by n, not by n - 1" in said[0]
    assert said[1:] == [
        "3.1 The Hann window: not yet: your code stops with ZeroDivisionError: division by zero",
        "3.1 The Hann window: not yet: there is no answer yet",
        "3.1 The Hann window: right.",
    ]


def test_a_value_in_the_place_of_a_function_is_told(capsys):
    teach.check("3.1", np.hanning(512))
    teach.check(3.1, 5.0)  # the number need not be a text
    first, second = capsys.readouterr().out.splitlines()
    assert "not yet: this kind of answer (ndarray) cannot be checked" in first
    assert second.startswith("3.1 The Hann window: not yet: this kind of answer (float) cannot be checked: 'float' ")


def test_progress_is_kept(capsys, home):
    teach.progress()
    assert "03  0 of 5" in capsys.readouterr().out
    teach.check("3.5", lambda frames: frames[::-1])
    teach.progress()
    printed = capsys.readouterr().out
    assert "03  1 of 5" in printed and "3.5 done" in printed
    (home / "data" / "exercises.json").write_text("{ half", encoding="utf-8")
    teach.progress()
    assert "03  0 of 5" in capsys.readouterr().out


def test_hints_go_on(capsys):
    teach._shown.clear()
    for _ in range(3):
        teach.hint("3.2")
    first, second, third = capsys.readouterr().out.splitlines()
    assert first.startswith("3.2, hint 1 of 2") and second == third and second.startswith("3.2, hint 2 of 2")


@pytest.mark.parametrize(("number", "said"), [("3.9", "3.1, 3.2"), ("x", "is no exercise"), ("11.1", "notebook 11")])
def test_a_number_that_is_none(number, said):
    with pytest.raises(SerlibError, match=said):
        teach.judge(number, None)
