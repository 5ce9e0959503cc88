"""Models are lists of Keras layers, made only when they are needed."""

import subprocess
import sys

import pytest

from serlib.models import convolutions, dense, layer, recurrent, stack


def test_layers_are_keras_own_or_ours():
    import keras

    from serlib.models import layers

    made = layer("LSTM", 8, return_sequences=True).make()
    assert isinstance(made, keras.layers.LSTM) and made.units == 8 and made.return_sequences
    assert isinstance(layer("AttentionPooling", heads=2).make(), layers.AttentionPooling)
    both = layer("Bidirectional", layer("GRU", 4)).make()
    assert isinstance(both.forward_layer, keras.layers.GRU)
    with pytest.raises(AttributeError, match="Nonsense"):
        layer("Nonsense").make()


def test_a_stack_is_what_it_says(rng):
    import keras

    build = stack(
        convolutions(6, kernel=3, dropout=0.1, batch_norm=True),
        recurrent(5, 4, bidirectional=True, dropout=0.2),
        layer("Dropout", 0.4),
        dense(3),
    )
    assert build.to_list() == [
        "MaskedConv1D(6, 3, padding=same, activation=relu)",
        "BatchNormalization()",
        "MaskedMaxPooling1D(2)",
        "Dropout(0.1)",
        "Bidirectional(LSTM(5, return_sequences=True))",
        "Dropout(0.2)",
        "Bidirectional(LSTM(4))",
        "Dropout(0.2)",
        "Dropout(0.4)",
        "Dense(3, activation=relu)",
    ]
    x = keras.Input((20, 7))
    model = keras.Model(x, build(x, 2))
    assert len(model.layers) == len(build.to_list()) + 2  # input and softmax
    assert model.layers[5].forward_layer.units == 5 and model.layers[5].forward_layer.return_sequences


def test_recipes_load_neither_keras_nor_tensorflow():
    code = "import sys, serlib.models.recipes; print(*{'keras', 'tensorflow'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""
