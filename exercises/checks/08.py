"""What the answers to the exercises of notebook 08 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "8.1",
    "From states to a clip",
    goal=3,
    hints=[
        "For each clip only the first `length` frames are speech; the rest is padding.",
        "Mean and standard deviation over those frames, one after the other: np.concatenate([mean, std]).",
    ],
)
def pool(answer, rng):
    clips, frames, d = 5, int(rng.integers(20, 40)), int(rng.integers(3, 9))
    lengths = rng.integers(5, frames - 5, clips)
    states = rng.normal(2, 1, (clips, frames, d))
    for clip, length in enumerate(lengths):
        states[clip, length:] = 0
    given = np.asarray(answer(states, lengths), dtype=float)
    expect(given.shape != (clips, d), "half of it is missing: mean and standard deviation, so twice as many columns")
    expect(given.shape == (clips, 2 * d), f"one row a clip and {2 * d} columns; yours has the shape {given.shape}")
    padded = np.concatenate([states.mean(axis=1), states.std(axis=1)], axis=1)
    expect(not np.allclose(given, padded), "the padding counts in your mean: stop at the length of each clip")
    real = [states[clip, :length] for clip, length in enumerate(lengths)]
    mean, std = np.array([part.mean(axis=0) for part in real]), np.array([part.std(axis=0) for part in real])
    expect(not np.allclose(given, np.concatenate([std, mean], axis=1)), "first the means, then the standard deviations")
    expect(np.allclose(given[:, :d], mean), "the first half is not the mean over the frames of the clip")
    expect(
        np.allclose(given[:, d:], std, rtol=0.15),
        "the second half is not the standard deviation over the frames of the clip",
    )


def layers_of(rng):
    """States of three layers: one that knows the speakers by heart, one that generalises, one of noise."""
    speakers = np.repeat(np.arange(6), 20)
    labels = np.tile(np.repeat(np.arange(4), 5), 6)
    emotion = 1.5 * rng.normal(0, 1, (4, 8))[labels]
    own = rng.normal(0, 1, (6, 4, 40))[speakers, labels]
    names = list(rng.permutation(["a", "b", "c", "d"]))
    layers = {
        names[0]: emotion + rng.normal(0, 1.2, emotion.shape),  # the emotion, whoever speaks
        names[1]: 3 * own + rng.normal(0, 0.3, own.shape),  # each speaker's own way of showing it
        names[2]: rng.normal(size=(120, 300)),  # noise, wide enough to be learned by heart
    }
    keys = list(layers)
    rng.shuffle(keys)
    return {key: layers[key] for key in keys}, labels, speakers, names


@exercise(
    "8.2",
    "Which layer?",
    goal=2,
    hints=[
        "For each layer, train a linear classifier on some speakers and score it on the others.",
        "scikit-learn: cross_val_score(classifier, x, labels, groups=speakers, cv=GroupKFold(3)).mean(), then the "
        "best layer.",
    ],
)
def best_layer(answer, rng):
    for _ in range(4):
        layers, labels, speakers, names = layers_of(rng)
        name = answer(dict(layers), labels, speakers)
        expect(name in layers, f"return the name of a layer, one of {', '.join(map(str, layers))}")
        expect(
            name != names[2],
            "this layer holds noise that a wide classifier learns by heart: score on clips that it was not trained on",
        )
        expect(
            name != names[1],
            "this layer is best for voices that were in training, each of which shows emotions in its own "
            "way: hold whole speakers out",
        )
        expect(name == names[0], "another layer does better on held-out speakers")


@exercise(
    "8.3",
    "Freeze the encoder",
    goal=4,
    hints=[
        "`model.get_layer('encoder').trainable = False` keeps its weights as they are.",
        "Only the layer `head` should learn. Keras takes note of it when the model is compiled, which the check does.",
    ],
)
def freeze(answer, rng):
    import keras

    d, k = int(rng.integers(8, 20)), int(rng.integers(3, 6))
    encoder = keras.Sequential(
        [keras.Input((d,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(8)], name="encoder"
    )
    inputs = keras.Input((d,))
    model = keras.Model(inputs, keras.layers.Dense(k, activation="softmax", name="head")(encoder(inputs)))
    before = [layer.get_weights() for layer in (encoder, model.get_layer("head"))]
    out = answer(model)
    expect(isinstance(out, keras.Model), "return the model")
    x, y = rng.normal(size=(40, d)).astype("float32"), rng.integers(0, k, 40)
    same = all(np.array_equal(a, b) for a, b in zip(before[0], out.get_layer("encoder").get_weights(), strict=True))
    expect(same, "the encoder's weights are not those it came with: it has to stay what it learned elsewhere")
    expect(bool(out.trainable_weights), "nothing can learn now: the head must")
    out.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    out.fit(x, y, epochs=1, verbose=0)
    after = [layer.get_weights() for layer in (out.get_layer("encoder"), out.get_layer("head"))]
    moved = [
        not all(np.array_equal(a, b) for a, b in zip(*pair, strict=True)) for pair in zip(before, after, strict=True)
    ]
    expect(not moved[0], "the encoder was still trained: it must not be trainable")
    expect(moved[1], "the head did not learn")
    wanted = 8 * k + k
    count = sum(int(np.prod(weight.shape)) for weight in out.trainable_weights)
    expect(count == wanted, f"{wanted} parameters are to be trained, the head's; yours has {count}")
    numbers(out.predict(x, verbose=0), (40, k), "probabilities")
