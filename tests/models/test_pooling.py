"""Functionals as a layer, against the numpy functions that they repeat."""

import keras
import numpy as np
import pytest

from serlib.features import functionals
from serlib.models import pooling
from serlib.training import run as runs

LENGTHS = (1, 2, 3, 5, 17, 40, 90)


@pytest.fixture(scope="module")
def clips():
    """Walks [shape=(clips, 95, 6)] of all lengths, padded; the last column says what is voiced."""
    rng, x = np.random.default_rng(0), np.zeros((len(LENGTHS), 95, 6), np.float32)
    for clip, n in zip(x, LENGTHS, strict=True):
        clip[:n] = 3 * rng.normal(size=(n, 6)).cumsum(axis=0) + 5
        clip[:n, -1] = rng.random(n) > 0.4
    return x


@pytest.mark.parametrize("name", functionals.FUNCTIONALS)
def test_each_functional_is_that_of_numpy(clips, name):
    found = np.asarray(pooling.Functionals([name], voiced=5)(clips))
    for row, clip, n in zip(found, clips, LENGTHS, strict=True):
        expected = functionals.summarise(clip[:n], [name], voiced=clip[:n, 5] > 0.5)
        np.testing.assert_allclose(row, expected, rtol=2e-4, atol=2e-4, err_msg=f"{n} frames")


def test_order_and_padding(clips):
    layer = pooling.Functionals(["max", "mean"], voiced=5)
    found = np.asarray(layer(clips))
    np.testing.assert_allclose(found[-1, :6], clips[-1, :90].max(axis=0))
    np.testing.assert_allclose(found[-1, 6:], clips[-1, :90].mean(axis=0), rtol=1e-5)
    more = np.asarray(layer(np.pad(clips, ((0, 0), (0, 30), (0, 0)))))
    np.testing.assert_allclose(more, found, rtol=1e-6)
    assert layer.compute_output_shape((None, None, 6)) == (None, 12)


def test_is_found_in_a_saved_model(clips, tmp_path):
    inputs = keras.Input((None, 6))
    model = keras.Model(inputs, pooling.Functionals(["p95", "repeat_4"], voiced=5)(inputs))
    model.save(tmp_path / "model.keras")
    again = runs.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(again(clips)), np.asarray(model(clips)))
