"""serlib.training.novelty: what is like the training clips, what is not, and the sentence that says so."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import ledoit_wolf

from bench.trust import LENGTHS_S, RATE_HZ, unspoken
from serlib import audio, features, splits
from serlib.training import novelty


@pytest.fixture(scope="module")
def tones(tone_table):
    """What the training set of the tones is like."""
    return novelty.learn(tone_table, show=False)


def test_it_is_the_mahalanobis_distance_of_scikit_learns_covariance(tones, tone_table):
    values = np.asarray(features.extract(tone_table, novelty.SPEC, show=False).values, np.float64)
    points = np.log(np.maximum(values, novelty.STEADY_DB))
    train = points[tone_table.role == "train"]
    mean, scale = train.mean(axis=0), train.std(axis=0)
    precision = np.linalg.inv(ledoit_wolf((train - mean) / scale, assume_centered=True)[0])

    def far(point):
        return mahalanobis((point - mean) / scale, np.zeros(26), precision)

    limit = novelty.MARGIN * np.quantile([far(point) for point in train], 0.99)
    assert tones["limit"] == pytest.approx(limit, rel=1e-3)
    for row in (0, 17):
        result, sound_s = novelty.distance(*audio.load(tone_table.speech[row]), tones)
        assert result == pytest.approx(far(points[row]) / limit, rel=1e-2)
        assert 0.2 < sound_s <= 0.6


def test_only_the_training_role_is_learned_from(tones, tone_table):
    alone = splits.clips_of_role(tone_table, "train").reset_index(drop=True)
    assert novelty.learn(alone, show=False) == tones
    other = tone_table.assign(role=tone_table.role.replace({"train": "test", "test": "train"}))
    assert novelty.learn(other, show=False) != tones


def test_two_clips_are_learned_from(tones, tone_table):
    """Their covariance has no inverse: rounding decided the limit, down to 0, which no run may have."""
    for first in range(0, 40, 8):
        few = tone_table.iloc[[first, first + 5]].assign(role="train").reset_index(drop=True)
        domain = novelty.learn(few, show=False)
        assert novelty.is_valid(domain)
        assert domain["limit"] == pytest.approx(novelty.MARGIN * np.sqrt(26), rel=0.01)


def test_it_survives_json_and_damage_is_found(tones):
    again = json.loads(json.dumps(tones))
    assert again == tones and novelty.is_valid(again)
    assert not novelty.is_valid({**tones, "limit": 0})
    assert not novelty.is_valid({**tones, "mean": [float("nan"), *tones["mean"][1:]]})
    assert not novelty.is_valid({**tones, "mean": tones["mean"][1:], "precision": np.eye(25).tolist()})


def test_clips_like_those_of_the_training_are_known_at_any_level(tones, tone_table):
    test = splits.clips_of_role(tone_table, "test")
    for path in test.speech:
        y, rate_hz = audio.load(path)
        assert novelty.stranger(y, rate_hz, tones) == ""
        as_it_is = novelty.distance(y, rate_hz, tones)[0]
        for gain in (0.25, 0.5, 2.0):
            assert novelty.distance(y * np.float32(gain), rate_hz, tones)[0] == pytest.approx(as_it_is, abs=0.02)


def test_too_short_and_too_long_are_said_so(tones, tone_table):
    y, rate_hz = audio.load(tone_table.speech[0])
    middle = len(y) // 2
    short = y[middle - rate_hz // 16 : middle + rate_hz // 16]
    assert novelty.stranger(short, rate_hz, tones).startswith("it holds 0.1")
    assert "it lasts 1.5 s, more than 2 times the longest clip" in novelty.stranger(np.tile(y, 3), rate_hz, tones)
    assert "ask for a timeline" in novelty.stranger(np.tile(y, 100), rate_hz, tones)


def test_noise_is_not_like_the_training(tones, tone_table):
    """Of what these tones are not made of; tests/trust asks speech."""
    rng, anything_long = np.random.default_rng(0), tones | {"longest_s": 10.0}
    made = unspoken(rng, [audio.load(tone_table.speech[0], rate_hz=RATE_HZ)[0]], LENGTHS_S[0])
    for name in ("white noise", "pink noise", "brown noise", "wind", "pulsing noise", "hum", "clicks", "drums"):
        assert "does not sound like the speech" in novelty.stranger(made[name], RATE_HZ, anything_long), name
