"""serlib.evaluation.metrics: bootstrap intervals and calibration against theory, scipy and sums done by hand."""

import time

import numpy as np
import pytest
from scipy import stats

from serlib.evaluation import metrics
from serlib.training import calibration


def test_unit_takes_the_coarsest_that_there_are_five_of():
    few, many = np.array(["a", "b"] * 10, dtype=object), np.array(list("abcde") * 4, dtype=object)
    assert metrics.unit(many, many)[0] == "speaker"
    assert metrics.unit(few, many)[0] == "text"
    assert metrics.unit(few, few) == ("clip", None)
    np.testing.assert_array_equal(metrics.unit(many, few)[1], np.tile(np.arange(5), 4))


def test_unit_does_not_count_who_is_unknown():
    speakers = np.array(["a", "b", "c", "d", "unknown"] * 4, dtype=object)
    texts = np.array([""] * 20, dtype=object)
    assert metrics.unit(speakers, texts) == ("clip", None)
    assert metrics.unit("tess/" + speakers, texts) == ("clip", None)
    five = np.array([*"abcde", "unknown"] * 4, dtype=object)
    np.testing.assert_array_equal(metrics.unit(five, texts)[1], np.tile(np.arange(6), 4))


def test_clip_interval_equals_scipy(rng):
    right = rng.random(300) < 0.7
    true, guess = np.zeros(300, int), np.where(right, 0, 1)
    low, high = metrics.intervals(true, guess, None, 2, resamples=20000, seed=0)[:, 0]
    reference = stats.bootstrap((right.astype(float),), np.mean, n_resamples=20000, method="percentile", rng=rng)
    assert low == pytest.approx(reference.confidence_interval.low, abs=0.005)
    assert high == pytest.approx(reference.confidence_interval.high, abs=0.005)


def test_group_interval_equals_drawing_groups_one_by_one(rng):
    groups, true = np.repeat(np.arange(8), [5, 9, 13, 4, 7, 20, 3, 11]), rng.integers(0, 3, 72)
    guess = np.where(rng.random(72) < np.linspace(0.2, 0.9, 8)[groups], true, rng.integers(0, 3, 72))
    drawn = []
    for _ in range(4000):
        rows = np.concatenate([np.flatnonzero(groups == g) for g in rng.integers(0, 8, 8)])
        t, right = true[rows], true[rows] == guess[rows]
        drawn.append([right.mean(), np.mean([right[t == c].mean() for c in np.unique(t)])])
    values = metrics.intervals(true, guess, groups, 3, resamples=20000, seed=0)
    np.testing.assert_allclose(values[:, :2], np.percentile(drawn, [2.5, 97.5], axis=0), atol=0.015)


def test_a_resample_without_a_class_has_the_uar_of_the_others():
    # nine right of one class, one wrong of another: without the other class, as in a third of the resamples, UAR is 1
    true, guess = np.array([0] * 9 + [1]), np.zeros(10, int)
    low, high = metrics.intervals(true, guess, None, 2, resamples=2000, seed=0)[:, 1]
    assert (low, high) == (0.5, 1.0)


def speakers_of_unequal_ease(rng, *, speakers, clips=20, spread=0.15, mean=0.6):
    """Clips right with a chance that belongs to the speaker, uniform around the mean."""
    chance = rng.uniform(mean - spread * 3**0.5, mean + spread * 3**0.5, speakers)
    groups = np.repeat(np.arange(speakers), clips)
    return groups, (rng.random(len(groups)) < chance[groups]).astype(int)


def test_speaker_interval_covers_the_truth_and_clip_interval_does_not():
    rng, hits = np.random.default_rng(1), {"speaker": 0, "clip": 0}
    for seed in range(200):
        groups, right = speakers_of_unequal_ease(rng, speakers=24)
        for unit, drawn in (("speaker", groups), ("clip", None)):
            interval = metrics.intervals(np.zeros_like(right), 1 - right, drawn, 2, resamples=400, seed=seed)
            hits[unit] += interval[0, 0] <= 0.6 <= interval[1, 0]
    assert 0.88 <= hits["speaker"] / 200 <= 0.99  # 95 % but for the percentile method's known shortfall
    assert hits["clip"] / 200 < 0.85


def test_speaker_interval_is_wider_where_speakers_differ(rng):
    groups, right = speakers_of_unequal_ease(rng, speakers=24, spread=0.2)
    true = np.zeros_like(right)
    width = [np.diff(metrics.intervals(true, 1 - right, g, 2, resamples=2000, seed=0)[:, 0])[0] for g in (groups, None)]
    assert width[0] > 1.5 * width[1]


def test_interval_is_the_same_for_the_same_seed(rng):
    true, guess = rng.integers(0, 4, 90), rng.integers(0, 4, 90)
    a, b, c = (metrics.intervals(true, guess, None, 4, resamples=50, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_thousand_resamples_of_three_thousand_clips_are_quick(rng):
    true, guess, groups = rng.integers(0, 7, 3000), rng.integers(0, 7, 3000), rng.integers(0, 200, 3000)
    best = min(_seconds(true, guess, drawn) for drawn in (groups, None) for _ in range(3))
    assert best < 0.2  # 0.02 s on an idle machine


def _seconds(true, guess, groups):
    start = time.process_time()
    metrics.intervals(true, guess, groups, 7, resamples=1000, seed=0)
    return time.process_time() - start


def test_class_that_does_not_occur_has_no_interval():
    out = metrics.intervals(np.array([0, 0, 1]), np.array([0, 2, 1]), None, 3, resamples=100, seed=0)
    assert np.isnan(out[:, 4]).all()
    assert np.isfinite(out[:, :4]).all()


def test_ece_by_hand():
    # bins of width 0.2: (0.4, 0.6] holds 0.5 and 0.6, one right; (0.8, 1] holds 0.9 three times, one right
    confidence, correct = [0.5, 0.6, 0.9, 0.9, 0.9], [True, False, True, False, False]
    ece, table = calibration.reliability(confidence, correct, bins=5)
    assert ece == pytest.approx((2 * abs(0.55 - 0.5) + 3 * abs(0.9 - 1 / 3)) / 5)
    assert table["n"].tolist() == [0, 0, 2, 0, 3]
    assert table["confidence"].tolist()[2::2] == pytest.approx([0.55, 0.9])
    assert table["accuracy"].tolist()[2::2] == pytest.approx([0.5, 1 / 3])
    assert np.isnan(table["accuracy"][0])


def test_ece_is_nought_for_a_calibrated_model_and_counts_the_edges():
    assert calibration.reliability([1.0] * 4, [True] * 4)[0] == 0
    assert calibration.reliability([0.0, 1.0], [False, True])[1]["n"].sum() == 2
    assert calibration.reliability([0.5, 0.500001], [True, True], bins=4)[1]["n"].tolist() == [0, 1, 1, 0]
    rng = np.random.default_rng(0)
    confidence = rng.random(200_000)
    assert calibration.reliability(confidence, rng.random(200_000) < confidence)[0] < 0.01


def test_speakers_come_in_natural_order():
    names = np.array(["actor 10", "actor 2", "actor 2"], dtype=object)
    table, recall = metrics.by_speaker(np.array([0, 1, 1]), np.array([0, 1, 0]), names, ["a", "b"])
    assert table.index.tolist() == ["actor 2", "actor 10"]
    assert table["accuracy"].tolist() == [0.5, 1.0]
    assert table["n"].tolist() == [2, 1]
    assert recall.loc["actor 2"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", ["", "unknown", "own/unknown"])
def test_nobody_is_no_speaker(name):
    names = np.array([name] * 3, dtype=object)
    table, recall = metrics.by_speaker(np.array([0, 1, 1]), np.array([0, 1, 0]), names, ["a", "b"])
    assert table.empty and recall.shape == (0, 2)
