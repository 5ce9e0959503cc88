"""How alike two voices are: against scikit-learn, blind to what a voice brings with it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler

from serlib import plots
from serlib.evaluation.similarity import emotion_similarity
from serlib.utils import SerlibError

LABELS = ["angry", "happy", "sad"]


@pytest.fixture
def two(rng):
    """Two voices, three emotions, ten clips of each: values, table."""
    table = pd.DataFrame(
        [("tess", who, label) for who in "AB" for label in LABELS for _ in range(10)],
        columns=["corpus", "speaker", "label"],
    ).sample(frac=1, random_state=0)
    return rng.normal(size=(60, 5)), table


def test_the_cosines_are_those_of_scikit_learn(two):
    values, table = two
    result = emotion_similarity(values, table, "tess/A", "tess/B")
    assert list(result.index) == list(result.columns) == LABELS
    means = []
    for speaker in "AB":
        of = (table.speaker == speaker).to_numpy()
        scored, labels = StandardScaler().fit_transform(values[of]), table.label[of].to_numpy()
        means.append([scored[labels == label].mean(axis=0) for label in LABELS])
    np.testing.assert_allclose(result, cosine_similarity(*means), atol=1e-5)
    np.testing.assert_allclose(emotion_similarity(values, table, "tess/B", "tess/A"), result.T, atol=1e-6)


def test_a_voice_is_like_itself_whatever_its_level(two):
    values, table = two
    first, second = (table.speaker == who for who in "AB")
    values[second] = 3 * values[first] + 100
    table.loc[second, "label"] = table.loc[first, "label"].to_numpy()
    result = emotion_similarity(values, table, "tess/A", "tess/B")
    np.testing.assert_allclose(np.diag(result), 1, atol=1e-5)


def test_emotions_that_two_voices_exchange_are_seen(two):
    values, table = two
    for who, places in {"A": (0, 1, 2), "B": (1, 0, 2)}.items():
        for label, place in zip(LABELS, places, strict=True):
            values[(table.speaker == who) & (table.label == label), place] += 9
    result = emotion_similarity(values, table, "tess/A", "tess/B")
    assert list(result.idxmax(axis=1)) == ["happy", "angry", "sad"]
    figure = plots.similarity(result, one="A", other="B", corpora=["tess"])
    assert "angry to happy" in plots.alt(figure)
    assert len(figure.axes[0].texts) == 9


def test_of_several_speakers_the_mean(two):
    values, table = two
    result = emotion_similarity(values, table, "tess/A", ["tess/A", "tess/B"])
    assert result.shape == (3, 3)
    assert (np.diag(result) > np.diag(emotion_similarity(values, table, "tess/A", "tess/B"))).all()


def test_bad_input(two):
    values, table = two
    with pytest.raises(SerlibError, match=r"no clips of .*tess/C.*tess/A, tess/B there are"):
        emotion_similarity(values, table, "tess/A", "tess/C")
    with pytest.raises(SerlibError, match="no clips"):
        emotion_similarity(values, table, [], "tess/A")
    with pytest.raises(SerlibError, match="one row of numbers a clip"):
        emotion_similarity(values[:, None], table, "tess/A", "tess/B")
