"""Fine-tuning starts at the probe, ends half of the way, and goes on after an interruption where it stopped."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from serlib import Recognizer, evaluate, training
from serlib.features import extract, weights
from serlib.models.probe import clip_weights
from serlib.models.recipes import get
from serlib.splits import clips_of_role
from tests.features.test_weights import as_published

LAYERS = (1, 2)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """whisper-tuned with a small encoder of random weights."""
    rng = np.random.default_rng(0)
    shapes = weights.shapes(LAYERS, width=128, blocks=2)
    values = {name: rng.normal(scale=0.05, size=shape).astype(np.float32) for name, shape in shapes.items()}
    file = tmp_path_factory.mktemp("encoder") / "model.safetensors"
    save_file(as_published(values), file)
    probe = get("whisper-linear")
    probe = replace(probe, features=replace(probe.features, encoder=str(file), layers=LAYERS))
    return replace(get("whisper-tuned"), probe=probe, epochs=2, batch_size=16, epoch_clips=32, learning_rate=1e-3)


@pytest.fixture(scope="module")
def run(recipe, tone_table, session_home):
    return training.fit(recipe, tone_table, out=session_home / "checkpoints" / "tuned", show=False)


def clips(recipe, table):
    """Frames, one-hot labels and weights of the training set, and all states."""
    train = clips_of_role(table, "train")
    labels = sorted(set(table.label))
    y = (train.label.to_numpy()[:, None] == np.array(labels)).astype(np.float32)
    x = np.asarray(extract(train.reset_index(drop=True), recipe.features, show=False).values)
    states = np.asarray(extract(train.reset_index(drop=True), recipe.probe.features, show=False).values)
    return x, y, clip_weights(train), states


def test_it_starts_as_the_probe_of_the_frozen_states(recipe, tone_table, session_home):
    x, y, counts, states = clips(recipe, tone_table)
    model = recipe.start(x, y, counts)
    frozen = recipe.probe.solve(states, y, counts)
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(frozen(states)), atol=5e-3)
    assert float(model.optimizer.learning_rate) == pytest.approx(recipe.learning_rate)


@pytest.mark.parametrize("kept", [0, 0.5, 1])
def test_a_share_of_what_changed_is_kept(recipe, kept, tone_table, session_home):
    x, y, counts, _ = clips(recipe, tone_table)
    model = recipe.start(x, y, counts)
    encoder = model.get_layer("encoder")
    before = encoder.values()
    encoder.set({name: value + 0.01 for name, value in before.items()})
    after = replace(recipe, kept=kept).settle(model, x, y, counts).get_layer("encoder").values()
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value + 0.01 * kept, atol=1e-6)


def test_a_tuned_run_is_a_run_like_any_other(recipe, run, tone_table):
    frozen, _, _ = weights.find(recipe.probe.features.encoder, LAYERS)
    change = run.model.get_layer("encoder").values()["layers.0.fc1.weight"] - frozen["layers.0.fc1.weight"]
    assert np.abs(change).max() > 1e-4  # it did learn
    assert len(run.history) == 2 and np.isfinite(run.history.loss).all()
    report = evaluate(run, show=False)
    assert report.uar > 0.6  # tones; chance is a seventh
    answer = Recognizer(run, threshold=0).predict(tone_table.speech[0])
    expected = run.probabilities(extract(tone_table[:1], run.spec, show=False).values)[0]
    np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-4)


@pytest.mark.slow
def test_an_interrupted_tuning_goes_on_as_if_nothing_had_happened(recipe, run, tone_table, session_home):
    def stop(history):
        raise KeyboardInterrupt

    out = session_home / "checkpoints" / "interrupted"
    with pytest.raises(KeyboardInterrupt):
        training.fit(recipe, tone_table, out=out, show=False, after_epoch=stop)
    again = training.fit(recipe, tone_table, out=out, show=False, resume=True)
    np.testing.assert_allclose(again.history.loss, run.history.loss, rtol=1e-4)
    for name, value in run.model.get_layer("encoder").values().items():
        np.testing.assert_allclose(again.model.get_layer("encoder").values()[name], value, atol=1e-4)
