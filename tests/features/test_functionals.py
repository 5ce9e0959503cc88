"""Functionals against scipy, numpy and signals whose answer is known."""

import numpy as np
import pytest
import scipy.stats

from serlib import SerlibError
from serlib.features import FeatureSpec, extract_clip, names
from serlib.features.functionals import FUNCTIONALS, LAGS, OF_THE_VOICE, summarise


@pytest.mark.parametrize("n", [1, 2, 3, 20, 21, 126])
def test_percentiles_are_numpys_to_the_last_bit(rng, n):
    rows = rng.standard_normal((n, 30)).astype(np.float32).astype(np.float64)
    for name, share in {"p5": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95}.items():
        np.testing.assert_array_equal(alone(rows, name), np.percentile(rows, share, axis=0).astype(np.float32))
    for name, share in {"delta_p10": 10, "delta_p90": 90}.items():
        np.testing.assert_array_equal(alone(rows, name), np.percentile(delta(rows), share, axis=0).astype(np.float32))


def delta(rows):
    return np.gradient(rows, axis=0) if len(rows) > 1 else np.zeros_like(rows)


def alone(rows, name, **options):
    return summarise(rows, (name,), **options)


@pytest.fixture
def rows(rng):
    return rng.gamma(2.0, size=(200, 5)).cumsum(axis=0) % 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", lambda r: r.mean(0)),
        ("std", lambda r: r.std(0)),
        ("min", lambda r: r.min(0)),
        ("max", lambda r: r.max(0)),
        ("median", lambda r: np.median(r, axis=0)),
        ("p5", lambda r: np.percentile(r, 5, axis=0)),
        ("p75", lambda r: np.percentile(r, 75, axis=0)),
        ("range", lambda r: np.ptp(r, axis=0)),
        ("skew", lambda r: scipy.stats.skew(r)),
        ("kurtosis", lambda r: scipy.stats.kurtosis(r, fisher=False)),
        ("slope", lambda r: np.polyfit(np.linspace(0, 1, len(r)), r, 1)[0] * len(r) / (len(r) - 1)),
        ("repeat_8", lambda r: ((r[8:] - r.mean(0)) * (r[:-8] - r.mean(0))).mean(0) / r.var(0)),
        ("delta_std", lambda r: np.gradient(r, axis=0).std(0)),
    ],
)
def test_agrees_with_the_usual_formula(rows, name, expected):
    np.testing.assert_allclose(alone(rows, name), expected(rows), rtol=1e-4, atol=1e-5)


def test_order_is_that_of_the_request(rows):
    result = summarise(rows, ("max", "mean"))
    np.testing.assert_array_equal(result, np.concatenate([alone(rows, "max"), alone(rows, "mean")]))
    assert result.dtype == np.float32


def test_a_bow_has_curvature_and_no_slope():
    rows = (np.linspace(-1, 1, 101) ** 2)[:, np.newaxis]
    assert alone(rows, "curvature") > 0.01 and abs(alone(rows, "slope")) < 1e-6
    assert alone(-rows, "curvature") == -alone(rows, "curvature")
    assert alone(rows, "start") > 0.1 and alone(rows, "start") == pytest.approx(alone(rows, "end"))


def test_what_comes_again_is_found_at_its_lag():
    rows = np.sin(2 * np.pi * np.arange(480) / 16)[:, np.newaxis]
    result = {lag: alone(rows, f"repeat_{lag}")[0] for lag in LAGS}
    assert result[16] > 0.95 and result[8] < -0.95 and abs(result[4]) < 0.05 and result[24] < -0.95
    assert alone(rows, "crossings") == pytest.approx(2 / 16, abs=0.07)


def test_the_voice_is_told_from_the_rest():
    rows, voiced = np.array([[1.0]] * 6 + [[5.0]] * 10), np.arange(16) < 6
    assert [alone(rows, name, voiced=voiced)[0] for name in OF_THE_VOICE] == [1, 0, 5, -4]
    nobody = [alone(rows, name, voiced=np.zeros(16, bool))[0] for name in OF_THE_VOICE]
    assert nobody == [rows.mean(), rows.std().astype(np.float32), rows.mean(), 0]


@pytest.mark.parametrize("n", [1, 2, 3, 30])
def test_short_and_constant_clips_give_numbers(n):
    result = summarise(np.full((n, 4), 3.0), FUNCTIONALS, voiced=np.ones(n, bool))
    assert result.shape == (4 * len(FUNCTIONALS),) and np.isfinite(result).all()


def test_columns_are_named_in_the_order_of_the_values(voice):
    spec = FeatureSpec(kinds=("mfcc", "pitch", "voiced"), n_mfcc=3, summary=("voiced_mean", "range"))
    y = voice(180.0, rate_hz=22050)
    result = dict(zip(names(spec), extract_clip(y, 22050, spec), strict=True))
    assert 2 ** result["pitch_voiced_mean"] == pytest.approx(180, rel=0.02)
    assert result["voiced_voiced_mean"] == 1 and result["voiced_range"] == 1
    with pytest.raises(SerlibError, match="needs the kind voiced"):
        FeatureSpec(kinds=("mfcc",), summary=("voiced_mean",))
