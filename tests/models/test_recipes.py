"""The published systems are what was published; a recipe is data that JSON can hold."""

import json
import pickle
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from serlib.augment import Copies, FrequencyWarp, Level, Mixup, Noise
from serlib.features import SPECS, names
from serlib.models import dense, stack
from serlib.models.recipe import GradientRecipe
from serlib.models.recipes import RECIPES, Recipe, get
from serlib.utils import SerlibError

#: What the published systems, the hybrids and nobody else take in.
SUMMARY = [name for name, recipe in RECIPES.items() if recipe.features.summary]
FRAMES = [name for name, recipe in RECIPES.items() if not recipe.features.summary]
VARIABLE = [name for name in FRAMES if RECIPES[name].features.frames is None]


def examples_for(recipe, rng, n=6, frames=40):
    """Features in the shape of the recipe's; clips of different lengths are padded."""
    d = len(names(recipe.features))
    if recipe.features.summary:
        return rng.normal(size=(n, d)).astype(np.float32)
    x = rng.normal(3, 5, size=(n, recipe.features.frames or frames, d)).astype(np.float32)
    for i, clip in enumerate(x):
        clip[x.shape[1] - 3 * i :] = 0
    return x


def model_of(recipe, x, n_labels=7):
    shape = (None, x.shape[2]) if x.ndim == 3 and recipe.features.frames is None else x.shape[1:]
    return recipe.model(n_labels, shape=shape, examples=x)


def layers_of(name):
    model = get(name).model(7, shape=(40,))
    return model, [
        (type(layer).__name__, getattr(layer, "units", getattr(layer, "rate", None))) for layer in model.layers[1:]
    ]


def test_system_c_has_the_published_number_of_parameters():
    model, _ = layers_of("lstm-123")
    assert model.count_params() == 71_747


def test_system_a_and_b_have_the_printed_layers():
    printed = [
        ("Reshape", None),
        ("LSTM", 256),
        ("Dropout", 0.3),
        ("Dense", 128),
        ("Dropout", 0.3),
        ("Dense", 64),
        ("Dropout", 0.3),
        ("Dense", 7),
    ]
    for name in ("lstm-256", "lstm-256-long"):
        model, found = layers_of(name)
        assert found == printed
        # 4 gates of (1 input + 256 states) x 256 weights and 256 biases; then the dense layers
        assert model.count_params() == 4 * (257 * 256 + 256) + (256 * 128 + 128) + (128 * 64 + 64) + (64 * 7 + 7)


def test_system_d_has_the_printed_layers(rng):
    recipe = RECIPES["stacked-lstm"]
    model = model_of(recipe, examples_for(recipe, rng))
    found = [(type(x).__name__, getattr(x, "units", getattr(x, "rate", None))) for x in model.layers[1:]]
    assert found == [
        ("ZScore", None),
        ("LSTM", 128),
        ("Dropout", 0.3),
        ("LSTM", 64),
        ("Dropout", 0.3),
        ("Dense", 64),
        ("BatchNormalization", None),
        ("Dense", 7),
    ]
    lstm = 4 * ((120 + 128) * 128 + 128) + 4 * ((128 + 64) * 64 + 64)
    assert model.count_params() == 2 * 120 + lstm + (64 * 64 + 64) + 4 * 64 + (64 * 7 + 7)
    assert recipe.features.kinds == ("mfcc", "delta", "delta2") and recipe.features.trim_db
    train = (1 - recipe.test_share) * (1 - recipe.validation_share)
    assert (recipe.split, recipe.test_share, round(train, 9)) == ("random", 0.15, 0.7)


def test_system_e_has_the_printed_layers(rng):
    recipe = RECIPES["conv1d"]
    model = model_of(recipe, examples_for(recipe, rng))
    kinds = [type(x).__name__ for x in model.layers[1:]]
    block, head = ["Conv1D", "MaxPooling1D", "Dropout"], ["Dense", "Dropout"]
    assert kinds == ["ZScore", "DropMask", *4 * block, "Flatten", *2 * head, "Dense"]
    assert all(x.activation.__name__ == "relu" for x in model.layers if type(x).__name__ == "Conv1D")
    assert model.input_shape == (None, 87, 128)
    assert (recipe.epochs, recipe.batch_size, recipe.patience, recipe.keep) == (100, 32, 10, "best")


def test_published_settings():
    assert (RECIPES["lstm-256"].epochs, RECIPES["lstm-256"].batch_size) == (30, 64)
    assert RECIPES["lstm-256-long"].epochs == 100
    assert (RECIPES["lstm-256-long"].reported, RECIPES["lstm-123"].reported) == (0.85, 0.9772)
    for name in ("lstm-256", "lstm-256-long", "lstm-123"):
        recipe = RECIPES[name]
        assert (recipe.optimizer, recipe.split) == ("adam", "published")
        assert recipe.features == SPECS["mfcc40-mean"]


@pytest.mark.parametrize("name", RECIPES)
def test_models_answer_with_probabilities(name, rng):
    recipe = get(name)
    x = examples_for(recipe, rng)
    answers = np.asarray(model_of(recipe, x, 5)(x))
    assert answers.shape == (6, 5)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "normalise"),
    [*((name, RECIPES[name].normalise) for name in VARIABLE), ("cnn-lstm", "none")],
)
def test_padding_never_changes_an_answer(name, normalise, rng):
    import tensorflow as tf

    recipe = RECIPES[name]
    if recipe.normalise != normalise:
        recipe = replace(recipe, normalise=normalise)
    x = examples_for(recipe, rng)
    model = model_of(recipe, x)
    for weights in model.weights:  # as after a training: also what begins at zero or one
        if not weights.path.endswith(("scale", "variance", "seed_generator_state")):
            weights.assign(weights + rng.normal(0, 0.1, size=weights.shape))
    answer = tf.function(
        lambda x: model(x, training=False), input_signature=[tf.TensorSpec((None, None, x.shape[2]), tf.float32)]
    )
    for n in (37, 38, 1):  # odd and even: pooling must not mix the last frame with padding
        clip = x[:1, :n]
        alone = answer(clip).numpy()
        for padding in (1, 2, 3, 24, 80):
            np.testing.assert_allclose(answer(np.pad(clip, ((0, 0), (0, padding), (0, 0)))), alone, atol=1e-5)
    assert np.ptp(answer(x).numpy(), axis=0).max() > 1e-3  # it does listen


@pytest.mark.slow
def test_saved_models_answer_alike_in_a_fresh_process(rng, tmp_path):
    models = {}
    for name in FRAMES:
        x = examples_for(RECIPES[name], rng)
        models[name] = model_of(RECIPES[name], x), x
        models[name][0].save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", x)
    code = (
        "import sys, numpy as np; from pathlib import Path; from serlib.training.run import load_model\n"
        "for path in Path(sys.argv[1]).glob('*.keras'):\n"
        "    answers = load_model(path)(np.load(path.with_suffix('.npy')))\n"
        "    np.save(path.with_suffix('.answers.npy'), answers)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True)
    for name, (model, x) in models.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.answers.npy"), model(x), atol=1e-6)


def test_z_score_is_a_layer_adapted_on_the_examples_given(rng):
    recipe = Recipe(
        name="plain", title="", source="", features=SPECS["mfcc40-mean"], build=stack(dense(4)), normalise="training"
    )
    examples = rng.normal(5, 3, size=(50, 40)).astype(np.float32)
    layer = recipe.model(2, shape=(40,), examples=examples).get_layer("z_score")
    np.testing.assert_allclose(layer(examples), StandardScaler().fit_transform(examples), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("CategoricalCrossentropy", {}, "Adam", {})),
        ({"label_smoothing": 0.1}, ("CategoricalCrossentropy", {"label_smoothing": 0.1}, "Adam", {})),
        (
            {"optimizer": "adamw", "weight_decay": 0.05},
            ("CategoricalCrossentropy", {}, "AdamW", {"weight_decay": 0.05}),
        ),
    ],
)
def test_loss_and_step_are_those_of_keras(options, expected, rng):
    """One step on one batch: the loss that is told and the weights that come out are Keras's own."""
    import keras

    loss, loss_options, optimizer, optimizer_options = expected
    x, y = rng.normal(size=(8, 40)).astype(np.float32), np.eye(3, dtype=np.float32)[rng.integers(3, size=8)]
    recipe = Recipe(name="plain", title="", source="", features=SPECS["mfcc40-mean"], build=stack(dense(4)), **options)
    ours = recipe.model(3, shape=(40,))
    theirs = keras.models.clone_model(ours)
    theirs.set_weights(ours.get_weights())
    theirs.compile(
        getattr(keras.optimizers, optimizer)(learning_rate=1e-3, **optimizer_options),
        getattr(keras.losses, loss)(**loss_options),
    )
    assert ours.train_on_batch(x, y)[0] == pytest.approx(theirs.train_on_batch(x, y)[0], rel=1e-6)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)
    expected_loss = getattr(keras.losses, loss)(**loss_options)(y, ours(x))
    assert ours.evaluate(x, y, verbose=0)[0] == pytest.approx(float(expected_loss), rel=1e-5)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_goes_through_json_and_to_another_process(recipe):
    if isinstance(recipe, GradientRecipe):  # the others take none
        recipe = replace(recipe, augment=(Copies(2, (Noise(),)), Mixup(0.2)))
    told = json.loads(json.dumps(recipe.to_dict()))
    assert told["name"] == recipe.name and told["features"] == recipe.features.to_dict()
    assert [one["name"] for one in told.get("augment", [])] == [type(change).__name__ for change in recipe.augment]
    assert (told["normalise"], told["epochs"]) == (recipe.normalise, recipe.epochs)
    if isinstance(recipe, Recipe):
        assert told["build"] == recipe.build.to_list() and all(part.endswith(")") for part in told["build"])
    assert pickle.loads(pickle.dumps(recipe)).to_dict() == recipe.to_dict()


def builder(units, activation="relu"):
    """One name for many models."""

    def build(x, n_labels):
        x = keras.layers.Dense(units, activation=activation)(x)
        return keras.layers.Dense(n_labels, activation="softmax")(x)

    return build


def test_builders_of_one_name_that_build_otherwise_are_told_apart():
    def told(build):
        return json.dumps(replace(RECIPES["lstm-256"], build=build).to_dict()["build"])

    assert told(builder(8)) == told(builder(8))
    others = [builder(8), builder(512), builder(8, "tanh"), RECIPES["lstm-256"].build]
    assert len({told(build) for build in others}) == len(others)
    assert RECIPES["lstm-256"] != replace(RECIPES["lstm-256"], build=others[0])
    assert RECIPES["lstm-256"] == replace(RECIPES["lstm-256"]) and len(set(RECIPES.values())) == len(RECIPES)


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(SerlibError, match=r"no recipe 'nonsense'; choose one of lstm-256, "):
        get("nonsense")


def test_other_features_for_a_recipe(rng):
    rich = get("stacked-lstm", features="all-frames")  # chroma, mel, contrast and tonnetz as well
    assert {"chroma", "logmel", "contrast", "tonnetz"} <= set(rich.features.kinds)
    x = examples_for(rich, rng)
    assert model_of(rich, x)(x).shape == (6, 7)
    assert get("stacked-lstm", features="logmel-128x87").features.frames == 87
    with pytest.raises(SerlibError, match=r"'mfcc40-mean' of stacked-lstm: does not fit; choose one of mfcc-frames"):
        get("stacked-lstm", features="mfcc40-mean")
    with pytest.raises(SerlibError, match="does not fit; choose one of mfcc40-mean"):
        get("lstm-256", features="mfcc-frames")
    with pytest.raises(SerlibError, match=r"'mfcc-frames' of conv1d: does not fit"):
        get("conv1d", features="mfcc-frames")
    with pytest.raises(SerlibError, match="whisper-tuned takes the features of its encoder, no others"):
        get("whisper-tuned", features="mfcc-frames")
    with pytest.raises(SerlibError, match="'nonsense' of conv1d: is not known"):
        get("conv1d", features="nonsense")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"normalise": True}, "normalise 'True'; choose one of none, training, speaker"),
        ({"optimizer": "sgd"}, "optimizer 'sgd'; choose one of adam, adamw"),
        ({"schedule": "linear"}, "schedule 'linear'"),
        ({"keep": "both"}, "keep 'both'; choose one of last, best"),
        ({"weight_decay": 0.1}, "weight_decay without adamw"),
        ({"patience": 0}, "patience 0; choose a whole number from 1"),
        ({"batch_size": 0}, "batch_size 0; choose a whole number from 1"),
        ({"epochs": 2.5}, "epochs 2.5; choose a whole number from 1"),
        ({"learning_rate": -0.1}, "learning_rate -0.1; choose one from 0"),
        ({"label_smoothing": 1.5}, "label_smoothing 1.5; choose one from 0"),
        ({"epoch_clips": 0}, "epoch_clips 0; choose a whole number from 1"),
        ({"plateau": (0.5,)}, r"plateau \(0.5,\); choose \(factor below 1, epochs\)"),
        ({"plateau": 0.5}, r"plateau 0.5; choose \(factor below 1, epochs\)"),
        ({"augment": (FrequencyWarp(fmax_hz=8000),)}, r"FrequencyWarp\(fmin_hz=0, fmax_hz=11025\)"),
        ({"augment": (Copies(2, frames=(FrequencyWarp(fmin_hz=20),)),)}, "warps mel bands from 20 to 11025 Hz"),
        (
            {"normalise": "speaker", "augment": (Level((-3, 3)),)},
            "normalised by speaker before its frames are augmented",
        ),
        ({"augment": (Noise(),)}, r"waveforms inside of Copies\(n"),
    ],
)
def test_what_makes_no_recipe_is_said(options, says):
    with pytest.raises(SerlibError, match=says):
        replace(RECIPES["lstm-256"], **options)


def test_so_of_a_probe_and_of_a_tuned_encoder():
    with pytest.raises(SerlibError, match="whisper-linear has c -1; choose one above 0"):
        replace(RECIPES["whisper-linear"], c=-1)
    with pytest.raises(SerlibError, match="whisper-tuned has kept 5; choose one from 0 to 1"):
        replace(RECIPES["whisper-tuned"], kept=5)
