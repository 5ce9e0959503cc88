"""A probe is scikit-learn's logistic regression, layer by layer, as a Keras model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from serlib import Recognizer, SerlibError, evaluate, training
from serlib.augment import Copies, Noise, copies
from serlib.experiments.searching import usual_space
from serlib.features import FeatureSpec, extract, names
from serlib.models import frontend
from serlib.models.probe import LinearProbe, clip_weights
from serlib.models.recipes import get

SUMS = FeatureSpec(rate_hz=16000, frame=512, hop=256, kinds=("logmel",), n_mels=64, summary=("mean", "std"))


@pytest.fixture(scope="module")
def probe():
    return LinearProbe(name="probe", title="probe", source="tests", features=SUMS, c=1, split="random")


@pytest.fixture(scope="module")
def run(probe, tone_table, session_home):
    return training.fit(probe, tone_table, out=session_home / "checkpoints" / "probe", show=False)


@pytest.mark.parametrize(
    ("name", "parts", "n_labels"),
    [
        ("whisper-linear", ["1", "2", "3"], 2),
        ("whisper-linear", ["1", "2", "3"], 4),
        ("whisper-functionals", ["1", "2", "3", "beside"], 3),
    ],
)
def test_each_layer_is_a_logistic_regression_and_their_logarithms_are_averaged(name, parts, n_labels, rng):
    recipe = get(name)
    columns = recipe.layers()
    assert list(columns) == parts
    assert sorted(np.concatenate(list(columns.values()))) == list(range(len(names(recipe.features))))
    assert {names(recipe.features)[n].split("_")[1] for n in columns["2"]} == {"2"}
    x = rng.normal(3, 2, size=(60, len(names(recipe.features)))).astype(np.float32)
    truth = np.arange(60) % n_labels
    x[:, 5] += truth
    x[:, 800] -= 2 * truth
    weights = rng.uniform(0.5, 2, size=60)
    model = recipe.solve(x, np.eye(n_labels, dtype=np.float32)[truth], weights)
    logs = 0
    for layer in columns.values():
        reference = make_pipeline(StandardScaler(), LogisticRegression(C=recipe.c, max_iter=2000))
        reference.fit(x[:, layer], truth, logisticregression__sample_weight=weights)
        logs = logs + reference.predict_log_proba(x[:, layer]) / len(parts)
    expected = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(x)), expected, atol=2e-3)
    assert (expected.argmax(axis=1) == truth).mean() > 0.9


def test_every_corpus_and_within_it_every_label_counts_the_same():
    clips = [("one", "sad")] * 6 + [("one", "happy")] * 2 + [("two", "sad")] * 1 + [("two", "fear")] * 3
    table = pd.DataFrame(clips, columns=["corpus", "label"])
    table["weight"] = clip_weights(table)
    assert table.weight.mean() == pytest.approx(1)
    np.testing.assert_allclose(table.groupby("corpus").weight.sum(), 6)
    np.testing.assert_allclose(table.groupby(["corpus", "label"]).weight.sum(), 3)


def test_it_trains_like_any_recipe_and_its_seed_changes_nothing(run, probe, tone_table, session_home):
    assert run.history.epoch.tolist() == [1] and run.info["recipe"]["c"] == 1
    assert evaluate(run).uar > 0.5
    assert Recognizer(run, threshold=0).predict(tone_table.speech[0]).label in run.labels
    again = training.fit(probe, tone_table, out=session_home / "checkpoints" / "again", seed=5, show=False)
    values = extract(tone_table, SUMS, show=False).values
    np.testing.assert_array_equal(run.probabilities(values), again.probabilities(values))


def test_features_side_by_side_are_learned_from_and_answered_with(probe, tone_table, session_home):
    zcr = FeatureSpec(kinds=("zcr",), summary=("mean", "max"), duration_s=2)
    recipe = replace(probe, name="pair", features=replace(SUMS, beside=zcr))
    assert {part: len(columns) for part, columns in recipe.layers().items()} == {"all": 128, "beside": 2}
    run = training.fit(recipe, tone_table, out=session_home / "checkpoints" / "pair", show=False)
    assert run.spec == recipe.features
    answer = Recognizer(run, threshold=0).predict(tone_table.speech[0])
    values = extract(tone_table, run.spec, show=False).values
    np.testing.assert_allclose(list(answer.probabilities.values()), run.probabilities(values[:1])[0], atol=1e-5)
    assert frontend.beyond(run.spec) == ["zcr", "features side by side"]
    with pytest.raises(SerlibError, match="cannot be made of changed copies"):
        copies(tone_table, run.spec, Copies(1, (Noise(),)))


def test_what_a_probe_cannot_do_is_said(probe):
    with pytest.raises(TypeError, match="augment"):  # it learns from the clips as they are
        replace(probe, augment=(Copies(1, (Noise(),)),))
    with pytest.raises(SerlibError, match="whisper-linear is computed in float32"):
        get("whisper-linear", precision="mixed_bfloat16")
    assert get("whisper-linear", precision="float32") == get("whisper-linear")
    with pytest.raises(SerlibError, match="neither learning rate nor batches"):
        usual_space(probe)
