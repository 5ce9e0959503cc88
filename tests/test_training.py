"""Training: the rules of Keras's callbacks, seeds, roles, resuming after a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serlib import training
from serlib.base import SerlibError
from serlib.recipes import RECIPES
from serlib.splits import split

LOSSES = st.lists(st.floats(0.1, 3, allow_nan=False), min_size=1, max_size=25)


def history_of(losses):
    return [{"val_loss": loss} for loss in losses]


@settings(max_examples=30, deadline=None)
@given(losses=LOSSES, patience=st.integers(1, 4))
def test_learning_rate_is_that_of_keras_reduce_lr_on_plateau(losses, patience):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    callback = keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=patience, min_delta=training.PLATEAU_MIN_DELTA)
    callback.set_model(model)
    callback.on_train_begin()
    recipe = replace(RECIPES["lstm-256"], learning_rate=0.01, plateau=(0.5, patience))
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        ours = training.learning_rate(history_of(losses[: epoch + 1]), recipe)
        assert ours == pytest.approx(float(model.optimizer.learning_rate), rel=1e-5)


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
        assert training.should_stop(seen, recipe) == bool(model.stop_training)
        assert training.best_epoch(seen) == callback.best_epoch
        if model.stop_training:
            break


def test_same_seed_same_history_other_seed_another(tiny_recipe, tone_table, tmp_path):
    runs = [
        training.fit(tiny_recipe, tone_table, out=tmp_path / str(i), seed=seed, epochs=2)
        for i, seed in enumerate((1, 1, 2))
    ]
    first, again, other = (run.history.drop(columns="seconds") for run in runs)
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first.loss, other.loss)


def test_test_role_is_not_looked_at(tiny_recipe, tone_table, tmp_path):
    """Other labels on the test clips change nothing in training; other labels on validation clips do."""
    histories = {}
    for role in (None, "test", "validation"):
        table = tone_table.copy()
        table.attrs = tone_table.attrs
        if role:
            mask = table.role == role
            table.loc[mask, "label"] = table.loc[mask, "label"].to_numpy()[::-1]
        run = training.fit(tiny_recipe, table, out=tmp_path / str(role), epochs=2)
        histories[role] = run.history.drop(columns="seconds")
    pd.testing.assert_frame_equal(histories[None], histories["test"])
    assert not histories[None].val_loss.equals(histories["validation"].val_loss)


def test_published_protocol_validates_on_the_test_role(tiny_recipe, tone_index, tmp_path):
    table = split(tone_index, "published", seed=0)
    run = training.fit(tiny_recipe, table, out=tmp_path / "run", epochs=1)
    assert run.protocol == "published"
    assert run.info["counts"]["validation"] == run.info["counts"]["test"] == (table.role == "test").sum()


def test_interrupted_training_goes_on_as_if_nothing_had_happened(tiny_recipe, tone_table, tmp_path):
    recipe = replace(tiny_recipe, patience=9, plateau=(0.5, 1), keep="best")
    whole = training.fit(recipe, tone_table, out=tmp_path / "whole", epochs=5)

    def pull_the_plug(history):
        if len(history) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5, after_epoch=pull_the_plug)
    assert not (tmp_path / "cut").exists()
    with pytest.raises(SerlibError, match="holds an interrupted training; go on with it"):
        training.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5)
    with pytest.raises(SerlibError, match=r"other seed \(0, not 4\)"):
        training.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5, seed=4, resume=True)
    resumed = training.fit(recipe, tone_table, out=tmp_path / "cut", epochs=5, resume=True)
    pd.testing.assert_frame_equal(whole.history.drop(columns="seconds"), resumed.history.drop(columns="seconds"))
    for ours, theirs in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted(training.runs.FILES)


def test_killed_training_resumes(tone_corpus, home, tmp_path):
    """SIGKILL, as the machine does when memory runs out: what stands is used, nothing half-written is."""
    folder = tone_corpus(tmp_path / "tones", words=6)
    command = [
        sys.executable, "-m", "serlib", "train", "lstm-123", "tess", str(folder),
        "--out", str(tmp_path / "run"), "--split", "random", "--epochs", "40", "--json",
    ]  # fmt: skip
    environment = {**os.environ, "SERLIB_HOME": str(home), "SERLIB_PROGRESS": "0"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    history = tmp_path / "run.partial" / "history.csv"
    deadline = time.monotonic() + 90
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "run").exists()
    seen = pd.read_csv(history)
    assert 1 <= len(seen) < 40
    done = subprocess.run([*command, "--resume"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_test"] > 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "run" / "history.csv")[: len(seen)], seen)


def test_finished_run_is_not_overwritten_by_accident(tiny_recipe, tone_table, tmp_path):
    out = tmp_path / "run"
    run = training.fit(tiny_recipe, tone_table, out=out, epochs=1)
    with pytest.raises(SerlibError, match="exists already"):
        training.fit(tiny_recipe, tone_table, out=out, epochs=1)
    again = training.fit(tiny_recipe, tone_table, out=out, epochs=1, resume=True)
    assert again.info == run.info
    with pytest.raises(SerlibError, match="other epochs"):
        training.fit(tiny_recipe, tone_table, out=out, epochs=2, resume=True)
    assert len(training.fit(tiny_recipe, tone_table, out=out, epochs=2, overwrite=True).history) == 2


def test_best_weights_are_kept_where_the_recipe_asks(tiny_recipe, tone_table, tmp_path):
    recipe = replace(tiny_recipe, keep="best", learning_rate=0.3, patience=3)  # so high that the loss goes up again
    run = training.fit(recipe, tone_table, out=tmp_path / "run", epochs=8)
    assert run.info["kept_epoch"] == int(run.history.val_loss.argmin()) + 1
    assert run.info["metrics"]["val_loss"] == pytest.approx(run.history.val_loss.min(), abs=1e-5)


def test_a_loss_that_is_not_finite_is_said(tiny_recipe, tone_table, tmp_path):
    with pytest.raises(SerlibError, match="not finite in epoch"):
        training.fit(replace(tiny_recipe, learning_rate=1e38), tone_table, out=tmp_path / "run", epochs=5)
    with pytest.raises(SerlibError, match="at least one epoch"):
        training.fit(tiny_recipe, tone_table, out=tmp_path / "run", epochs=0)


@pytest.mark.real
def test_system_a_reaches_95_percent_on_tess_under_the_published_protocol(real, home, tmp_path):
    from serlib import corpora
    from serlib.evaluation import evaluate

    table = split(corpora.index("tess", real / "tess"), "published", seed=0)
    report = evaluate(training.fit("lstm-256", table, out=tmp_path / "run", epochs=15))
    assert report.accuracy >= 0.95
    assert report.n_test == 560
