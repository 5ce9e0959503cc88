"""A recipe that trains in a moment; of the fixtures and of the processes that tests/trust kills."""


def recipe(**options):
    """Mean MFCC, z-score, one dense layer, and a layer that draws random numbers.

    Parameters
    ----------
    **options
        More of what `Recipe` takes.
    """
    import keras

    from serlib.features import SPECS
    from serlib.models.recipes import Recipe

    def build(x, n_labels):
        x = keras.layers.Dropout(0.1)(keras.layers.Dense(16, activation="relu")(x))
        return keras.layers.Dense(n_labels, activation="softmax")(x)

    return Recipe(
        name="tiny",
        title="one dense layer",
        source="tests",
        features=SPECS["mfcc40-mean"],
        build=build,
        normalise="training",
        learning_rate=0.01,
        batch_size=16,
        **options,
    )
