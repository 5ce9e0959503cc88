"""The published systems are what was published; a recipe is data that JSON can hold."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from serlib.base import SerlibError
from serlib.features import SPECS
from serlib.recipes import RECIPES, Recipe, get


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


def test_published_settings():
    assert (RECIPES["lstm-256"].epochs, RECIPES["lstm-256"].batch_size) == (30, 64)
    assert RECIPES["lstm-256-long"].epochs == 100
    assert (RECIPES["lstm-256-long"].reported, RECIPES["lstm-123"].reported) == (0.85, 0.9772)
    for recipe in RECIPES.values():
        assert (recipe.optimizer, recipe.loss, recipe.split) == ("adam", "categorical_crossentropy", "published")
        assert recipe.features == SPECS["mfcc40-mean"]


@pytest.mark.parametrize("name", RECIPES)
def test_models_answer_with_probabilities(name, rng):
    model = get(name).model(5, shape=(40,))
    answers = np.asarray(model(rng.normal(size=(3, 40)).astype(np.float32)))
    assert answers.shape == (3, 5)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_z_score_is_a_layer_adapted_on_the_examples_given(rng):
    import keras

    recipe = Recipe(
        name="plain",
        title="",
        source="",
        features=SPECS["mfcc40-mean"],
        build=lambda x, n: keras.layers.Dense(n, activation="softmax")(x),
        normalise=True,
    )
    examples = rng.normal(5, 3, size=(50, 40)).astype(np.float32)
    layer = recipe.model(2, shape=(40,), examples=examples).get_layer("z_score")
    np.testing.assert_allclose(layer(examples), StandardScaler().fit_transform(examples), atol=1e-4)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_goes_through_json(recipe):
    told = json.loads(json.dumps(recipe.to_dict()))
    assert told["name"] == recipe.name and told["features"]["n_mfcc"] == 40


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(SerlibError, match=r"no recipe 'nonsense'; choose one of lstm-256, "):
        get("nonsense")
