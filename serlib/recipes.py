"""Recipes: features, model and training settings that belong together, under one name.

A recipe is data and one short builder. To add one, write the builder and an entry of `RECIPES`; the commands, the
comparison and the notebooks find it there.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from serlib.base import SerlibError
from serlib.features import SPECS, FeatureSpec


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is needed to train a model, and what its authors reported.

    Attributes
    ----------
    name, title : str
    source : str
        Where the system was published, as precisely as is known.
    features : FeatureSpec
    build : callable
        `build(x, n_labels)`: from the symbolic features [shape=(clips, ...)] to the symbolic probabilities
        [shape=(clips, n_labels)].
    normalise : bool
        Put a z-score layer before the model, adapted on the training role only. Being a layer it is saved with the
        model, so that no statistics travel beside it.
    loss, optimizer : str
        As Keras names them.
    learning_rate : float
    epochs, batch_size : int
    keep : str
        `last`: the weights of the last epoch; `best`: those of the epoch with the lowest validation loss.
    patience : int, optional
        Stop after this many epochs without a lower validation loss.
    plateau : tuple (factor, patience), optional
        Multiply the learning rate by `factor` after `patience` epochs without a lower validation loss.
    split : str
        The kind of split that its authors used.
    reported : float, optional
        The accuracy that its authors reported, from 0 to 1.
    """

    name: str
    title: str
    source: str
    features: FeatureSpec
    build: Callable = field(compare=False)
    normalise: bool = False
    loss: str = "categorical_crossentropy"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    epochs: int = 50
    batch_size: int = 64
    keep: str = "last"
    patience: int | None = None
    plateau: tuple | None = None
    split: str = "published"
    reported: float | None = None

    def to_dict(self):
        """Everything but the builder, as JSON can hold it."""
        told = {key: value for key, value in asdict(self).items() if key not in ("build", "features")}
        return {**told, "plateau": list(self.plateau) if self.plateau else None, "features": self.features.to_dict()}

    def model(self, n_labels, *, shape, examples=None):
        """Build the compiled Keras model.

        Parameters
        ----------
        n_labels : int
        shape : tuple
            Of the features of one clip.
        examples : np.ndarray [shape=(clips, *shape)], optional
            Features of the training role, which the z-score layer adapts to (needed only with `normalise`).

        Returns
        -------
        keras.Model: features in, probabilities out, compiled with the recipe's loss and optimiser.

        Taught in notebooks/04_lstm_train.
        """
        import keras

        inputs = keras.Input(shape=shape, name="features")
        x = inputs
        if self.normalise:
            z_score = keras.layers.Normalization(name="z_score")
            z_score.adapt(examples)
            x = z_score(x)
        model = keras.Model(inputs, self.build(x, n_labels), name=self.name.replace("-", "_"))
        optimizer = keras.optimizers.get(
            {"class_name": self.optimizer, "config": {"learning_rate": self.learning_rate}}
        )
        model.compile(optimizer=optimizer, loss=self.loss, metrics=["accuracy"])
        return model


def lstm(*, units, dense, dropout):
    """Builder of the published LSTM classifiers: the 40 mean MFCC are read as a sequence of 40 steps with one value.

    Parameters
    ----------
    units : int
        Of the LSTM.
    dense : tuple of int
        Units of the ReLU layers after it.
    dropout : tuple of float
        Dropout rates: after the LSTM and after each dense layer; 0 leaves the layer out.

    Returns
    -------
    callable, see `Recipe.build`.
    """

    def build(x, n_labels):
        from keras import layers

        x = layers.Reshape((-1, 1), name="steps")(x)
        x = layers.LSTM(units, name="lstm")(x)
        if dropout[0]:
            x = layers.Dropout(dropout[0], name="dropout_lstm")(x)
        for i, (size, rate) in enumerate(zip(dense, dropout[1:], strict=True), start=1):
            x = layers.Dense(size, activation="relu", name=f"dense_{i}")(x)
            if rate:
                x = layers.Dropout(rate, name=f"dropout_{i}")(x)
        return layers.Dense(n_labels, activation="softmax", name="probabilities")(x)

    return build


def get(recipe):
    """A recipe by its name (or the recipe itself).

    Raises
    ------
    SerlibError
        If there is none of that name; the message lists those that there are.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise SerlibError(f"There is no recipe '{recipe}'; choose one of {', '.join(RECIPES)}.")
    return RECIPES[recipe]


#: Name -> Recipe. The layer sizes that system A does not print are system B's.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="lstm-256",
            title="A: LSTM 256 on mean MFCC",
            source="published system A: 40 mean MFCC, LSTM 256, random 80/20, no figure given ('reasonably high')",
            features=SPECS["mfcc40-mean"],
            build=lstm(units=256, dense=(128, 64), dropout=(0.3, 0.3, 0.3)),
            epochs=30,
            batch_size=64,
        ),
        Recipe(
            name="lstm-256-long",
            title="B: A, trained for longer",
            source="published system B: the same layers for 100 epochs, on RAVDESS or TESS, validation accuracy",
            features=SPECS["mfcc40-mean"],
            build=lstm(units=256, dense=(128, 64), dropout=(0.3, 0.3, 0.3)),
            epochs=100,
            batch_size=64,
            reported=0.85,
        ),
        Recipe(
            name="lstm-123",
            title="C: LSTM 123 on mean MFCC",
            source="published system C: 40 mean MFCC, LSTM 123, random train and test; epochs not given, 50 taken here",
            features=SPECS["mfcc40-mean"],
            build=lstm(units=123, dense=(64, 32), dropout=(0, 0.22, 0.12)),
            epochs=50,
            batch_size=64,
            reported=0.9772,
        ),
    )
}
