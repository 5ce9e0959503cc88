"""serlib.evaluation.matching: known shares, speaker by speaker, and nothing where too little is known."""

import numpy as np
import pandas as pd
import pytest

from serlib.evaluation import matching
from serlib.utils import SerlibError


def test_each_speaker_s_answers_get_the_shares(rng):
    p = rng.dirichlet([1, 2, 3], size=60)
    p[20:, 0] *= 0.001  # the second voice hardly ever sounds like the first label
    p /= p.sum(axis=1, keepdims=True)
    who = np.repeat(["a", "b"], [20, 40])
    shares = matching.label_shares(["x"] * 5 + ["y"] * 3 + ["z"] * 2, ["x", "y", "z"])
    assert shares.tolist() == [0.5, 0.3, 0.2]
    result = matching.match(p, who, shares)
    np.testing.assert_allclose(result.sum(axis=1), 1)
    for name in "ab":
        np.testing.assert_allclose(result[who == name].mean(axis=0), shares, atol=1e-3)
        moved = np.log(result[who == name]) - np.log(p[who == name])
        np.testing.assert_allclose(np.ptp(moved - moved[:, :1], axis=0), 0, atol=1e-9)  # one offset a label
    assert (p.argmax(axis=1)[20:] != 0).all() and (result.argmax(axis=1)[20:] == 0).any()
    np.testing.assert_allclose(matching.match(p[::-1], who[::-1], shares)[::-1], result)


def test_answers_that_have_the_shares_stay_as_they_are():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    np.testing.assert_allclose(matching.match(p, ["a"] * 3, p.mean(axis=0)), p, atol=1e-6)


def test_a_label_that_is_not_learned_from_is_not_answered():
    shares = matching.label_shares(["x", "y"], ["x", "y", "z"])
    assert shares[2] < 1e-6
    result = matching.match([[0.3, 0.3, 0.4], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]], ["a"] * 3, shares)
    assert (result[:, 2] < 1e-4).all()


def test_too_few_clips_say_nothing_of_a_speaker():
    p = np.array([[0.05, 0.9, 0.05], [0.8, 0.1, 0.1]])
    np.testing.assert_array_equal(matching.match(p, ["a", "a"], [0.4, 0.3, 0.3]), p)
    with pytest.raises(SerlibError, match="not known who speaks"):
        matching.match(p, ["folder/unknown"] * 2, [0.4, 0.3, 0.3])


def test_shares_are_those_of_the_speaker_s_own_corpus_or_equal_ones_of_its_labels(rng):
    labels = ["x", "y", "z"]
    train = pd.DataFrame({"corpus": "known", "label": ["x"] * 6 + ["y"] * 2 + ["z"] * 2})
    train = pd.concat([train, pd.DataFrame({"corpus": "second", "label": ["z"] * 90})])
    clips = pd.DataFrame({"corpus": np.repeat(["known", "new"], 30), "speaker": np.repeat(["a", "a", "b"], 20)})
    clips["label"] = ["x", "y", "z"] * 10 + ["x", "y"] * 14 + ["calm"] * 2  # a new corpus without z
    result = matching.match_corpora(rng.dirichlet([1, 2, 3], size=60), clips, labels, train)
    expected = {("known", "a"): [0.6, 0.2, 0.2], ("new", "a"): [0.5, 0.5, 0], ("new", "b"): [0.5, 0.5, 0]}
    for (corpus, speaker), shares in expected.items():
        rows = ((clips.corpus == corpus) & (clips.speaker == speaker)).to_numpy()
        if rows.any():
            np.testing.assert_allclose(result[rows].mean(axis=0), shares, atol=1e-3)
    assert matching.label_shares(["calm"], labels) is None
    strange = clips.assign(corpus="strange", label="calm")
    answers = rng.dirichlet([1, 2, 3], size=60)
    np.testing.assert_array_equal(matching.match_corpora(answers, strange, labels, train), answers)
