"""serlib.features.projection: the map is scikit-learn's, the same each time, and keeps like beside like."""

import keras
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from serlib.features.projection import AXES, last_layer, map_points
from serlib.utils import SerlibError


@pytest.fixture
def groups(rng):
    """Three groups of forty clips in twelve dimensions, and which group each belongs to."""
    of = np.repeat(np.arange(3), 40)
    return rng.normal(size=(120, 12)) + 6 * rng.normal(size=(3, 12))[of], of


def test_pca_is_scikit_learns_on_scaled_columns(groups):
    values, _ = groups
    reference = PCA(2, svd_solver="full").fit_transform((values - values.mean(axis=0)) / values.std(axis=0))
    assert np.allclose(map_points(values), reference)
    assert np.allclose(map_points(values * np.logspace(-3, 3, 12)), reference)  # units do not matter


@pytest.mark.parametrize("method", list(AXES))
def test_like_lies_beside_like(groups, method):
    values, of = groups
    points = map_points(values, method=method)
    assert points.shape == (120, 2)
    _, near = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)
    assert (of[near[:, 1]] == of).mean() > 0.95


def test_tsne_keeps_neighbours_that_pca_cannot_show(rng):
    # 16 groups at the corners of a cube of four dimensions: two axes must lay some on top of each other
    of = np.repeat(np.arange(16), 20)
    values = np.array([[i >> k & 1 for k in range(4)] for i in range(16)])[of] + 0.05 * rng.normal(size=(320, 4))

    def kept(points):
        _, near = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)
        return (of[near[:, 1]] == of).mean()

    assert kept(map_points(values, method="tsne")) > 0.99 > kept(map_points(values))


def test_the_same_map_each_time(groups):
    values, _ = groups
    assert np.array_equal(map_points(values, method="tsne"), map_points(values, method="tsne"))
    assert np.array_equal(map_points(values), map_points(values, seed=1))


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("method", list(AXES))
def test_few_columns(rng, columns, method):
    assert map_points(rng.normal(size=(30, columns)), method=method).shape == (30, 2)


@pytest.mark.parametrize("method", list(AXES))
def test_clips_that_are_all_alike_lie_on_one_point(method):
    """scikit-learn's t-SNE ends the process there (a segmentation fault)."""
    np.testing.assert_array_equal(map_points(np.ones((12, 5)), method=method), np.zeros((12, 2)))


def test_what_cannot_be_mapped_is_refused():
    with pytest.raises(SerlibError, match="pca, tsne"):
        map_points(np.eye(4), method="umap")
    with pytest.raises(SerlibError, match="three clips"):
        map_points(np.eye(2))
    with pytest.raises(SerlibError, match="NaN"):
        map_points(np.full((4, 2), np.nan))


@pytest.mark.filterwarnings("error::UserWarning")  # Keras's, of inputs in another structure
def test_last_layer_is_what_the_answer_is_made_from(rng):
    inputs = keras.Input((5,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(4, activation="relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="out")(x))
    values = rng.normal(size=(7, 5)).astype(np.float32)
    inside = last_layer(model, values, batch_size=3)
    assert inside.shape == (7, 4) and inside.dtype == np.float32
    weights, bias = model.get_layer("out").get_weights()
    scores = np.exp(inside @ weights + bias)
    assert np.allclose(scores / scores.sum(axis=1, keepdims=True), model(values), atol=1e-5)


def test_last_layer_of_a_run(tiny_run, tone_table):
    from serlib.features import extract

    inside = last_layer(tiny_run.model, extract(tone_table, tiny_run.spec).values)
    assert inside.shape == (len(tone_table), 16)
    assert map_points(inside).shape == (len(tone_table), 2)
