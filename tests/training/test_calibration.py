"""serlib.training.calibration: the temperature is the likeliest, the threshold keeps its word, nobody peeks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import softmax

from serlib import evaluation, splits, training
from serlib.training import calibration
from serlib.training.calibration import tempered


def drawn(rng, *, n=4000, sharper=1.0):
    """Truths drawn from softmax(logits), and what a model says that is too sure by a factor."""
    logits = 2 * rng.standard_normal((n, 5))
    true = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return true, softmax(sharper * logits, axis=1).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_tempered_is_a_softmax_of_divided_logits(rng, temperature):
    logits = 3 * rng.standard_normal((50, 7))
    result = tempered(softmax(logits, axis=1), temperature)
    np.testing.assert_allclose(result, softmax(logits / temperature, axis=1), rtol=1e-9)
    assert result.dtype == np.float64


@given(
    arrays.arrays(np.float32, (6, 4), elements=st.floats(-100, 100, width=32)),
    st.floats(calibration.COLDEST, calibration.HOTTEST),
)
def test_no_answer_changes(logits, temperature):
    own = softmax(logits, axis=1)
    result = tempered(own, temperature)
    np.testing.assert_array_equal(result.argmax(axis=1), own.argmax(axis=1))
    np.testing.assert_allclose(result.sum(axis=1), 1)


def test_one_changes_nothing():
    own = np.array([[1, 0, 0], [0.2, 0.3, 0.5]], np.float32)
    np.testing.assert_array_equal(tempered(own, 1.0), own)
    assert tempered(own[:0], 2.0).shape == (0, 3)


@pytest.mark.parametrize("sharper", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_that_the_model_is_wrong_by(rng, sharper):
    true, own = drawn(rng, sharper=sharper)
    result = calibration.fit_temperature(true, own)
    assert result == pytest.approx(sharper, rel=0.06)
    here, colder, hotter = (
        np.log(tempered(own, result * factor)[np.arange(len(true)), true]).mean() for factor in (1, 1 / 1.3, 1.3)
    )
    assert here > max(colder, hotter)


def test_few_clips_that_are_all_right_make_nobody_certain():
    own = np.tile([0.9, 0.06, 0.04], (18, 1))
    result = calibration.fit_temperature(np.zeros(18, int), own)
    assert tempered(own, result)[0, 0] == pytest.approx(19 / 20, abs=1e-3)  # Platt's (n + 1) / (n + 2)
    hard = np.tile([1.0, 0.0, 0.0], (18, 1))
    assert tempered(hard, calibration.fit_temperature(np.zeros(18, int), hard)).max() < 0.98


def test_what_is_kept_is_what_was_measured(rng):
    true, own = drawn(rng, sharper=3.0)
    kept = calibration.fit(true, own)
    assert kept["ece_after"] < 0.03 < 0.1 < kept["ece_before"] and kept["clips"] == len(true)
    confidence, correct = tempered(own, kept["temperature"]).max(axis=1), own.argmax(axis=1) == true
    assert kept["ece_after"] == pytest.approx(calibration.reliability(confidence, correct)[0], abs=1e-4)
    above = confidence >= kept["threshold"]
    assert kept["answered"] == pytest.approx(above.mean(), abs=1e-4)
    assert kept["right"] == pytest.approx(correct[above].mean(), abs=1e-4)
    assert correct[~above].mean() < 0.5 < kept["right"]  # which is what the threshold is for
    assert all(type(value) in (float, int) for value in kept.values())  # JSON takes no numpy
    assert calibration.fit(true[:9] * 0, np.full((9, 5), 0.2))["right"] is None


# --- in a training --------------------------------------------------------------------------------------------------


def test_a_run_is_calibrated_on_its_validation_role_and_reported_before_and_after(tiny_run):
    chosen, table = tiny_run.info["calibration"], tiny_run.split
    values = evaluation_values(tiny_run)
    validation = splits.clips_of_role(table, "validation")
    own = tiny_run.probabilities(values[validation.index], calibrated=False)
    again = calibration.fit(np.array([tiny_run.labels.index(label) for label in validation.label]), own)
    assert chosen == pytest.approx(again, abs=2e-3)
    assert (tiny_run.temperature, tiny_run.threshold) == (chosen["temperature"], chosen["threshold"])

    report = evaluation.evaluate(tiny_run, show=False)
    test = splits.clips_of_role(table, "test")
    own = tiny_run.probabilities(values[test.index], calibrated=False)
    right = np.array(tiny_run.labels)[own.argmax(axis=1)] == test.label
    assert report.accuracy == right.mean()  # not one answer has changed
    assert report.ece_before == pytest.approx(calibration.reliability(own.max(axis=1), right)[0])
    after = tempered(own, tiny_run.temperature)
    assert report.ece == pytest.approx(calibration.reliability(after.max(axis=1), right)[0])
    np.testing.assert_allclose(report.predictions[tiny_run.labels], after)


def evaluation_values(run):
    from serlib.features import extract

    return np.asarray(extract(run.split, run.spec, show=False).values)


def test_nothing_is_chosen_where_validation_is_the_test(tiny_recipe, tone_index, tmp_path):
    table = splits.split(tone_index, "published")
    run = training.fit(replace(tiny_recipe, epochs=1), table, out=tmp_path / "run", show=False)
    assert run.info["calibration"] == calibration.UNCHANGED == {"temperature": 1.0, "threshold": 0.0}
    assert not run.is_calibrated
    report = evaluation.evaluate(run, show=False)
    assert report.ece_before is None
    own = run.probabilities(evaluation_values(run)[splits.clips_of_role(table, "test").index], calibrated=False)
    np.testing.assert_array_equal(report.predictions[run.labels], own)
