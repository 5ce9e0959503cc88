"""Layers that know padding: against numpy and Keras's own layers on the real frames alone."""

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from serlib.models import layers

LENGTHS = [12, 7, 1, 10]


@pytest.fixture
def x(rng):
    """Four clips of 12, 7, 1 and 10 frames, padded with zeros."""
    x = rng.normal(4, 3, size=(4, 12, 5)).astype(np.float32)
    for clip, n in zip(x, LENGTHS, strict=True):
        clip[n:] = 0
    return x


def mask_of(x):
    return x.any(axis=-1)


def real(values, lengths=LENGTHS):
    return [clip[:n] for clip, n in zip(np.asarray(values), lengths, strict=True)]


def test_z_score_over_the_real_frames(x):
    layer = layers.ZScore()
    layer.adapt(x)
    theirs = StandardScaler().fit(np.concatenate(real(x)))
    out = layer(x)
    for ours, clip in zip(real(out), real(x), strict=True):
        np.testing.assert_allclose(ours, theirs.transform(clip), atol=1e-4)
    assert not np.asarray(out)[~mask_of(x)].any()
    np.testing.assert_array_equal(layer.compute_mask(x), mask_of(x))
    assert layer.compute_mask(x[:, 0]) is None
    assert not layer.trainable_weights and len(layer.weights) == 2


def test_masks_reach_the_layers_behind(x):
    """An LSTM behind the z-score answers as it does for each clip alone, whatever follows in the array."""
    inputs = keras.Input((None, 5))
    y = layers.MaskedConv1D(6, 3, activation="relu")(layers.ZScore()(inputs))
    y = keras.layers.BatchNormalization()(y)
    y = layers.MaskedMaxPooling1D(2)(keras.layers.Dropout(0.5)(y))
    model = keras.Model(inputs, keras.layers.LSTM(4)(y))
    for alone, together in zip([clip[None] for clip in real(x)], np.asarray(model(x)), strict=True):
        np.testing.assert_allclose(np.asarray(model(alone))[0], together, atol=1e-5)


def test_masked_convolution_is_keras_own_on_the_clip_alone(x):
    ours, theirs = layers.MaskedConv1D(4, 5), keras.layers.Conv1D(4, 5, padding="same")
    theirs.build(x.shape)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    dirty = np.where(mask_of(x)[..., None], x, 99).astype(np.float32)  # padding need not be zero any more
    for out, clip in zip(real(ours(dirty, mask=mask_of(x))), real(x), strict=True):
        np.testing.assert_allclose(out, theirs(clip[None])[0], atol=1e-4)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)  # without a mask: Keras's


@pytest.mark.parametrize("pool", [2, 3])
def test_masked_pooling_is_the_maximum_of_the_real_frames_of_each_window(x, pool):
    layer = layers.MaskedMaxPooling1D(pool)
    x = x - np.float32(20) * mask_of(x)[..., None]  # all negative: a zero of the padding must not win
    mask = mask_of(x)
    out, pooled = np.asarray(layer(x, mask=mask)), np.asarray(layer.compute_mask(x, mask))
    assert out.shape[1] == pooled.shape[1] == -(-12 // pool)
    for i, clip in enumerate(real(x)):
        expected = [clip[first : first + pool].max(axis=0) for first in range(0, len(clip), pool)]
        np.testing.assert_array_equal(out[i][pooled[i]], expected)
    assert not out[~pooled].any()
    np.testing.assert_allclose(layer(x[:1]), keras.layers.MaxPooling1D(pool)(x[:1]))  # 12 is a multiple of both
    assert layer.compute_mask(x, None) is None


def test_statistics_pooling(x):
    out = np.asarray(layers.StatisticsPooling()(x, mask=mask_of(x)))
    for ours, clip in zip(out, real(x), strict=True):
        np.testing.assert_allclose(ours, np.concatenate([clip.mean(axis=0), clip.std(axis=0)]), atol=2e-4)


def test_attention_is_a_weighted_mean_over_the_real_frames(x):
    layer = layers.AttentionPooling(heads=3)
    out = np.asarray(layer(x, mask=mask_of(x)))
    kernel = np.asarray(layer.kernel)
    assert out.shape == (4, 15)
    for ours, clip in zip(out, real(x), strict=True):
        scores = np.exp(clip @ kernel - (clip @ kernel).max(axis=0))
        expected = (scores / scores.sum(axis=0)).T @ clip
        np.testing.assert_allclose(ours, expected.ravel(), atol=1e-4)
    weights = np.asarray(layer.weights_of(x, mask_of(x)))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert not weights[~mask_of(x)].any()
    assert layer.get_config()["heads"] == 3


def test_drop_mask_leaves_zeros_and_no_mask(x, recwarn):
    inputs = keras.Input((12, 5))
    y = keras.layers.Flatten()(layers.DropMask()(keras.layers.Masking()(inputs)))
    assert keras.Model(inputs, y)(x).shape == (4, 60)
    assert not [w for w in recwarn if "mask" in str(w.message)]
    np.testing.assert_array_equal(layers.DropMask()(x + 1, mask=mask_of(x)), (x + 1) * mask_of(x)[..., None])
