"""serlib/pretrained: the model that comes with the package."""

import json
import socket

import numpy as np
import pytest

from serlib.evaluation.report import evaluate
from serlib.recognizer import Recognizer
from serlib.training.run import RELEASED, Run


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer()


def test_it_is_small_and_has_a_card():
    assert sum(path.stat().st_size for path in RELEASED.iterdir()) <= 10e6
    card = (RELEASED / "README.md").read_text(encoding="utf-8")
    for said in ("CC BY-NC-SA 4.0", "MIT", "RAVDESS", "nEMO", "TESS", "not "):
        assert said in card


def test_it_has_heard_33_people_and_no_tess(recognizer):
    split = recognizer.run.split
    assert split.groupby("corpus").speaker.nunique().to_dict() == {"nemo": 9, "ravdess": 24}
    assert recognizer.labels == ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]
    assert recognizer.run.is_calibrated and recognizer.run.domain


def test_it_answers_without_a_network(recognizer, monkeypatch, rng):
    def refuse(*_, **__):
        raise AssertionError("no network")

    monkeypatch.setattr(socket, "socket", refuse)
    answer = recognizer.predict(0.1 * rng.standard_normal(32000), rate_hz=16000)
    assert answer.label == "unsure" and "does not sound like the speech" in answer.reason
    assert abs(sum(answer.probabilities.values()) - 1) < 1e-4


def test_clips_of_any_length_get_an_answer(recognizer, rng):
    t = np.arange(16000 * 20) / 16000
    voice = np.sin(2 * np.pi * 150 * t + 8 * np.sin(2 * np.pi * 3 * t)) * (0.5 + 0.4 * np.sin(2 * np.pi * 4 * t))
    for seconds in (0.2, 1, 20):
        answer = recognizer.predict(0.2 * voice[: int(16000 * seconds)], rate_hz=16000)
        assert np.isfinite(list(answer.probabilities.values())).all()


@pytest.mark.real
def test_it_recognises_speakers_of_a_corpus_that_it_never_heard(real_index):
    table = real_index("tess")
    some = table.groupby(["speaker", "label"]).sample(15, random_state=0).reset_index(drop=True)
    report = evaluate(Run.load(RELEASED), some)
    assert report.uar > 0.55  # openSMILE and a linear SVM, trained on RAVDESS: 0.33


def test_how_loud_a_clip_was_recorded_does_not_matter(recognizer, voice):
    y, rate_hz = voice(150, duration_s=2), 16000
    loud, soft = (recognizer.predict(gain * y, rate_hz=rate_hz).probabilities for gain in (1.0, 0.2))
    np.testing.assert_allclose(list(loud.values()), list(soft.values()), atol=0.03)


def test_the_card_holds_the_figures_of_the_model():
    card = (RELEASED / "README.md").read_text(encoding="utf-8")
    figures = json.loads((RELEASED / "run.json").read_text(encoding="utf-8"))["new_speakers"]
    for name, told in figures.items():
        row = next(line for line in card.splitlines() if line.startswith(f"| {name}"))
        assert f"| {told['clips']} | {told['uar']:.1f} |" in row
    assert "| all of Toronto" in card
