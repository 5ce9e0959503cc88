"""serlib.widgets.explorers, the listening test: the label is nowhere before Reveal, and guesses are counted once."""

import json
import re

import pytest

from serlib import SerlibError, widgets
from serlib.widgets.explorers import scored


def state(widget):
    """All that the page is told of a widget and its children, but for the names on the buttons and the sound."""
    told = []
    for child in [widget.scope, widget.says, widget.score, widget.reveal, widget.another]:
        told.append({name: value for name, value in child.get_state().items() if not isinstance(value, bytes)})
    for button in widget.guesses.values():
        told.append({name: value for name, value in button.get_state().items() if name != "description"})
    return json.dumps(told, default=str)


@pytest.fixture
def quiz(tone_index):
    return widgets.explorer(tone_index, hide="label", seed=0)


def test_nothing_tells_the_label_before_reveal(quiz, tone_index):
    for _ in range(5):
        label = quiz.clip.label
        words = set(re.findall(r"[a-z]+", re.sub(r'"[^" ]{80,}"', "", state(quiz))))  # without picture and sound
        assert "speaker" not in words and not words & set(tone_index.label)
        quiz.guess(label)
        quiz.show()
        assert f"Meant: {label}" in quiz.says.value
        assert label in quiz.scope.clip["title"]
        quiz.load()


def test_the_colours_are_the_same_for_all_until_reveal(quiz):
    colours = set()
    for _ in range(20):
        colours.add(json.dumps([quiz.scope.clip.get(name) for name in ("colour", "color", "ink")]))
        quiz.load()
    assert len(colours) == 1
    before = quiz.scope.clip.get("colour")
    quiz.guess(quiz.clip.label)
    quiz.show()
    assert quiz.scope.clip.get("colour") != before


def test_guesses_are_scored_once(quiz):
    assert quiz.score.value == "no guess yet; chance is 14 %"
    quiz.show()
    assert "no guess yet" in quiz.score.value
    quiz.guess("sad" if quiz.clip.label != "sad" else "fear")
    quiz.guess(quiz.clip.label)  # the last one counts
    quiz.reveal.click()
    quiz.reveal.click()
    assert quiz.score.value.startswith("1 of 1 right")
    quiz.another.click()
    quiz.guess("sad" if quiz.clip.label != "sad" else "fear")
    quiz.show()
    assert quiz.score.value.startswith("1 of 2 right, 95 % interval")


def test_clips_come_in_an_order_of_the_seed(tone_index):
    def first(seed):
        return widgets.explorer(tone_index, hide="label", seed=seed).clip.speech

    assert first(3) == first(3)
    assert len({first(seed) for seed in range(6)}) > 1


def test_only_the_label_can_be_hidden(tone_index):
    with pytest.raises(SerlibError, match='only "label"'):
        widgets.explorer(tone_index, hide="speaker")


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (12, 20), (1, 300)])
def test_the_interval_is_wilsons(right, n):
    z = 1.96
    middle = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * (right * (n - right) / n + z**2 / 4) ** 0.5
    low, high = (f"{100 * share:.0f} %" for share in (max(0, middle - half), min(1, middle + half)))
    assert scored(right, n, 7) == f"{right} of {n} right, 95 % interval {low} to {high}; chance is 14 %"
