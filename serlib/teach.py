"""Exercises that check themselves: `check`, `hint`, `progress`.

An answer is a function that the student has written, or a value. It is checked by what it must do with input that is
drawn anew at every call; no answer is stored. The checks of notebook 03 are in `exercises/checks/03.py`.

    from serlib.teach import check, hint, progress

    check("3.1", hann)        # 3.1 The Hann window: right.
    hint("3.1")               # one hint, then the next
    progress()                # what is solved, notebook by notebook
"""

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from serlib.utils import SerlibError, atomic_path, home

#: Where the checks are: a clone of the repository holds them beside the exercises.
CHECKS = Path(__file__).resolve().parent.parent / "exercises" / "checks"

#: How many hints of each exercise were shown in this session.
_shown: dict[str, int] = {}


class NotYet(Exception):
    """An answer is not right yet. The text is the hint that fits the mistake."""


@dataclass(frozen=True)
class Exercise:
    """One exercise, as `exercises/checks/NN.py` defines it."""

    number: str  # of the notebook and in it: "3.1"
    title: str
    goal: int  # which goal of the notebook it is about, counted from 1
    hints: tuple[str, ...]  # from a push in the right direction to the last one, which all but says it
    verify: Callable  # verify(answer, rng) raises NotYet where the answer is not right


@dataclass(frozen=True)
class Verdict:
    """What `judge` says of an answer: its exercise, whether it is right, and the hint where it is not."""

    exercise: Exercise
    right: bool
    hint: str = ""

    def __str__(self):
        words = "right." if self.right else f"not yet: {self.hint}"
        return f"{self.exercise.number} {self.exercise.title}: {words}"


def exercise(number, title, *, goal, hints):
    """Decorate `verify(answer, rng)` to make an `Exercise` of it."""

    def decorate(verify):
        return Exercise(number, title, goal, tuple(hints), verify)

    return decorate


def expect(condition, hint):
    """Go on where `condition` holds, otherwise raise `NotYet` with `hint`."""
    if not condition:
        raise NotYet(hint)


def numbers(value, shape, hint):
    """The student's value as an array of floats; NotYet unless it has the wanted shape and finite numbers.

    The hint says what it should have been: "one number for each frame".
    """
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise NotYet(f"{hint}; you return {type(value).__name__}") from None
    expect(array.shape == shape, f"{hint}: the shape {shape}; yours is {array.shape}")
    expect(np.isfinite(array).all(), f"{hint}; yours holds NaN or infinity")
    return array


def load(notebook):
    """The exercises of one notebook, in order: a dict of str to Exercise."""
    path = CHECKS / f"{notebook:02}.py"
    if not path.is_file():
        raise SerlibError(
            f"there are no exercises for notebook {notebook:02}: {path.parent.parent.name}/ is in a clone"
        )
    spec = importlib.util.spec_from_file_location(f"serlib_checks_{notebook:02}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    exercises = [value for value in vars(module).values() if isinstance(value, Exercise)]
    return {item.number: item for item in exercises}


def find(number):
    """The exercise of this number."""
    number = str(number)
    match = re.fullmatch(r"(\d\d?)\.\d", number)
    if not match:
        raise SerlibError(
            f'"{number}" is no exercise; write the notebook and the number in it, as in check("3.1", ...)'
        )
    exercises = load(int(match[1]))
    if number not in exercises:
        raise SerlibError(f"there is no exercise {number}; notebook {match[1]} has {', '.join(exercises)}")
    return exercises[number]


def judge(number, answer, *, seed=None):
    """The `Verdict` on an answer, a function or a value; None or `...` is an exercise that has not been done.

    `seed` is of the input that is drawn; None: other input at every call.
    """
    item = find(number)
    if answer is None or answer is ...:
        return Verdict(item, right=False, hint="there is no answer yet")
    answer = _watched(answer) if callable(answer) else answer
    try:
        with np.errstate(all="ignore"):
            item.verify(answer, np.random.default_rng(seed))
    except NotYet as fault:
        return Verdict(item, right=False, hint=str(fault))
    except (TypeError, ValueError, AttributeError, LookupError) as error:  # such as a value where a function is wanted
        kind = type(answer).__name__
        return Verdict(item, right=False, hint=f"this kind of answer ({kind}) cannot be checked: {error}")
    return Verdict(item, right=True)


def check(number, answer):
    """Check an answer and print what is wrong with it, or that it is right.

    Parameters
    ----------
    number : str
        Of the exercise: "3.1".
    answer : Any
        The function or the value that the exercise asks for.

    Examples
    --------
    >>> check("3.1", None)
    3.1 The Hann window: not yet: there is no answer yet
    """
    verdict = judge(number, answer)
    if verdict.right:
        _keep(verdict.exercise)
    print(verdict)


def hint(number):
    """Print a hint for an exercise ("3.1"); the next call prints the next one."""
    item = find(number)
    count = _shown.get(item.number, 0)
    _shown[item.number] = count + 1
    position = min(count, len(item.hints) - 1)
    print(f"{item.number}, hint {position + 1} of {len(item.hints)}: {item.hints[position]}")


def progress():
    """Print which exercises are solved, notebook by notebook."""
    solved = _solved()
    for path in sorted(CHECKS.glob("[0-9][0-9].py")):
        exercises = load(int(path.stem))
        marks = [f"{number} {'done' if number in solved else '-'}" for number in exercises]
        print(f"{path.stem}  {sum(number in solved for number in exercises)} of {len(exercises)}   {'   '.join(marks)}")


def _watched(function):
    """The student's function; where it fails or returns nothing, `NotYet` says so."""

    def call(*arguments):
        try:
            value = function(*arguments)
        except Exception as error:  # whatever the student's own code raises
            raise NotYet(f"your code stops with {type(error).__name__}: {error}") from error
        expect(value is not None and value is not ..., "your function returns nothing yet")
        return value

    return call


def _solved():
    try:
        return json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _keep(item):
    solved = _solved()
    if item.number not in solved:
        solved[item.number] = date.today().isoformat()
        _file().parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(_file()) as path:
            path.write_text(json.dumps(solved, indent=1), encoding="utf-8")


def _file():
    return home() / "data" / "exercises.json"
