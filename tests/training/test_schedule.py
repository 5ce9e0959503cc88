"""What changes from epoch to epoch: the rules of Keras's callbacks and schedules, and what an epoch draws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serlib.augment import Copies, Mixup, Noise
from serlib.features import normalisation
from serlib.models.recipes import RECIPES
from serlib.training.schedule import (
    PLATEAU_MIN_DELTA,
    Examples,
    balanced,
    best_epoch,
    draw,
    learning_rate,
    should_stop,
)

LOSSES = st.lists(st.floats(0.125, 3, allow_nan=False, width=32), min_size=1, max_size=25)  # Keras compares float32


def history_of(losses):
    return [{"val_loss": loss} for loss in losses]


@settings(max_examples=30, deadline=None)
@given(losses=LOSSES, patience=st.integers(1, 4))
def test_learning_rate_is_that_of_keras_reduce_lr_on_plateau(losses, patience):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=patience, min_delta=PLATEAU_MIN_DELTA)
    callback.set_model(model)
    callback.on_train_begin()
    recipe = replace(RECIPES["lstm-256"], learning_rate=0.01, plateau=(0.5, patience))
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        values = learning_rate(history_of(losses[: epoch + 1]), recipe)
        assert values == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)


@settings(max_examples=30, deadline=None)
@given(losses=LOSSES, patience=st.integers(1, 4))
def test_early_stopping_is_that_of_keras(losses, patience):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False  # as model.fit does
    callback = keras.callbacks.EarlyStopping(patience=patience, restore_best_weights=True)
    callback.set_model(model)
    callback.on_train_begin()
    recipe = replace(RECIPES["lstm-256"], patience=patience)
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        seen = history_of(losses[: epoch + 1])
        assert should_stop(seen, recipe) == bool(model.stop_training)
        assert best_epoch(seen) == callback.best_epoch
        if model.stop_training:
            break


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 80), rate=st.floats(1e-5, 0.1))
def test_cosine_is_that_of_keras_a_step_an_epoch(n, rate):
    import keras

    schedule = keras.optimizers.schedules.CosineDecay(rate, decay_steps=n)
    recipe = replace(RECIPES["lstm-256"], learning_rate=rate, schedule="cosine", epochs=n)
    for epoch in {0, n // 2, n - 1}:
        history = history_of([1.0] * epoch)
        values = learning_rate(history, recipe)
        assert values == pytest.approx(float(schedule(epoch)), rel=1e-4, abs=1e-8)
        assert values == learning_rate(history, replace(recipe, epochs=999), n) > 0


def one_hot(labels, k):
    return np.eye(k, dtype=np.float32)[labels]


@settings(max_examples=50, deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_balanced_draws_every_label_and_every_clip_equally_often(labels, seed):
    labels = np.array(labels)
    order = balanced(labels, np.random.default_rng(seed))
    assert len(order) == len(labels)
    drawn = np.bincount(labels[order], minlength=4)[np.unique(labels)]
    assert drawn.max() - drawn.min() <= 1
    for label in np.unique(labels):
        times = np.bincount(order, minlength=len(labels))[labels == label]
        assert times.max() - times.min() <= 1


def test_a_balanced_epoch_hears_every_corpus_and_label_equally_often_and_may_be_shorter():
    x, y = np.arange(90, dtype=np.float32)[:, None], one_hot([0] * 45 + [1] * 45, 2)
    groups = np.array([0] * 5 + [1] * 40 + [2] * 45)  # two corpora have the first label
    recipe = replace(RECIPES["lstm-256"], balanced=True)
    whole, _ = next(draw(recipe, Examples(x, y, groups=groups), np.random.default_rng(0)))
    assert np.bincount(groups[whole[:, 0].astype(int)]).tolist() == [30, 30, 30]
    short = list(draw(replace(recipe, epoch_clips=12), Examples(x, y, groups=groups), np.random.default_rng(0)))
    np.testing.assert_array_equal(np.concatenate([part for part, _ in short]), whole[:12])


def test_an_epoch_is_every_clip_once_in_an_order_of_its_own(rng):
    x, y = np.arange(20, dtype=np.float32)[:, None], one_hot([0] * 15 + [1] * 5, 2)
    first, again, other = (
        next(draw(RECIPES["lstm-256"], Examples(x, y), np.random.default_rng([0, epoch]))) for epoch in (1, 1, 2)
    )
    for one in (first, other):
        assert sorted(one[0][:, 0]) == list(range(20))
        np.testing.assert_array_equal(one[1], y[one[0][:, 0].astype(int)])
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_an_epoch_is_changed_as_the_recipe_says(rng):
    x, y = rng.normal(size=(20, 4)).astype(np.float32), one_hot([0] * 15 + [1] * 5, 2)
    recipe = replace(RECIPES["lstm-256"], augment=(Copies(1, (Noise(),)), Mixup(0.4)))
    [(mixed, labels)] = draw(recipe, Examples(x, y, columns=list("abcd")), np.random.default_rng([0, 1]))
    order = np.random.default_rng([0, 1])
    place = order.permutation(20)
    expected, soft = Mixup(0.4)(x[place], y[place], order, list("abcd"))
    np.testing.assert_array_equal(mixed, expected)
    np.testing.assert_array_equal(labels, soft)
    [(_, drawn)] = draw(replace(recipe, augment=(), balanced=True), Examples(x, y), rng)
    np.testing.assert_array_equal(drawn.sum(axis=0), [10, 10])


def test_an_epoch_hears_each_clip_once_as_it_is_or_as_one_of_its_copies():
    x, y = np.arange(90, dtype=np.float32)[:, None], one_hot([0] * 45 + [1] * 45, 2)
    copies = [x + 100, x + 200]
    [(heard, labels)] = draw(RECIPES["lstm-256"], Examples(x, y, tuple(copies)), np.random.default_rng([0, 1]))
    clip, version = heard[:, 0] % 100, heard[:, 0] // 100
    assert sorted(clip) == list(range(90))
    assert np.bincount(version.astype(int)).min() > 15  # about a third each
    np.testing.assert_array_equal(labels, y[clip.astype(int)])


def test_an_epoch_in_pieces_hears_each_clip_once(monkeypatch):
    x, y = np.arange(100, dtype=np.float32)[:, None], one_hot([0] * 80 + [1] * 20, 2)
    monkeypatch.setattr(normalisation, "BLOCK_BYTES", 4 * 35)
    recipe = replace(RECIPES["lstm-256"], batch_size=16)
    pieces = list(draw(recipe, Examples(normalisation.LazyFeatures(x), y), np.random.default_rng([0, 1])))
    assert [len(piece) for piece, _ in pieces] == [32, 32, 32, 4]  # whole batches, but for the last
    heard = np.concatenate([piece for piece, _ in pieces])[:, 0].astype(int)
    assert sorted(heard) == list(range(100))
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in pieces]), y[heard])
