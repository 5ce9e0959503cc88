"""The quizzes: every option is explained, one is right, and what can be computed is computed again."""

import ast
import re

import nbformat
import numpy as np
import pytest
import yaml

import serlib
from notebooks import build

ROOT = build.CHECKOUT
QUIZZES = sorted((ROOT / "teaching" / "quiz").glob("*.yml"))


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def printed(name):
    """All that the committed notebook shows as text; None where the notebook is not there yet."""
    path = ROOT / "notebooks" / f"{name}.ipynb"
    if not path.is_file():
        return None
    cells = nbformat.read(path, as_version=4).cells
    outputs = [out for cell in cells if cell.cell_type == "code" for out in cell.outputs]
    return "\n".join(out.get("text", "") or out.get("data", {}).get("text/plain", "") for out in outputs)


def setting(name, knob):
    """The value of an assignment in the source of a notebook: setting("09_live", "THRESHOLD")."""
    (source,) = build.sources([name])
    for cell in build.convert(source).cells:
        if cell.cell_type == "code":
            for line in ast.parse(cell.source).body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == knob:
                    return ast.literal_eval(line.value)
    raise KeyError(f"{name} has no setting {knob}")


def first_number(text):
    match = re.search(r"\d[\d,]*(?:\.\d+)?", str(text))
    return float(match[0].replace(",", "")) if match else None


def test_there_is_one_for_every_notebook():
    assert [path.stem for path in QUIZZES] == [f"{n:02}" for n in range(1, 11)]


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_schema(path):
    quiz = load(path)
    assert set(quiz) == {"title", "notebook", "questions"}
    assert quiz["notebook"].startswith(path.stem)
    assert 6 <= len(quiz["questions"]) <= 8
    for question in quiz["questions"]:
        assert set(question) - {"check", "shown"} == {"question", "goal", "options"}
        options = question["options"]
        assert 3 <= len(options) <= 4
        assert [option.get("right", False) for option in options].count(True) == 1, question["question"]
        assert len({str(option["text"]) for option in options}) == len(options)
        for option in options:
            assert set(option) - {"right"} == {"text", "why"}
            assert len(option["why"].split()) >= 3, option


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_numbers_are_computed_again(path):
    computed = [question for question in load(path)["questions"] if "check" in question]
    assert computed, "one question of a quiz asks for a number"
    for question in computed:
        value = eval(str(question["check"]), {"np": np, "serlib": serlib, "setting": setting})
        right = next(option for option in question["options"] if option.get("right"))
        numbers = [float(text.replace(",", "")) for text in re.findall(r"\d[\d,]*(?:\.\d+)?", str(right["text"]))]
        assert any(abs(number - value) < 1e-9 for number in numbers), (question["question"], value)
        wrong = [first_number(option["text"]) for option in question["options"] if not option.get("right")]
        assert value not in wrong or len(numbers) > 1


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_every_answer_that_is_a_number_is_computed_again(path):
    typed = []
    for question in load(path)["questions"]:
        right = next(option for option in question["options"] if option.get("right"))
        if re.fullmatch(r"-?[\d.,]+ *(%|s|ms|Hz|dB)?", str(right["text"])) and "check" not in question:
            typed.append(question["question"])
    assert not typed, "give these questions a `check`"


@pytest.mark.parametrize("path", QUIZZES, ids=lambda path: path.stem)
def test_a_number_that_the_notebook_shows_is_there(path):
    quiz = load(path)
    text = printed(quiz["notebook"])
    if text is None:
        pytest.skip(f"{quiz['notebook']} is not built yet")
    shown = [question for question in quiz["questions"] if question.get("shown")]
    assert shown, "one question of a quiz asks for a figure that its notebook computes"
    for question in shown:
        right = next(option for option in question["options"] if option.get("right"))
        figure = re.search(r"\d[\d,]*", str(right["text"]))[0]
        forms = "|".join({figure, figure.replace(",", "")})
        assert re.search(rf"(?<![\d,.])({forms})(?![\d,])", text), f"{figure} is not printed in {quiz['notebook']}"
