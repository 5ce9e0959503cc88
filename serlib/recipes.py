"""Recipes: features, model and training settings that belong together, under one name.

A recipe is data. To add one, write an entry of `RECIPES`: the commands, the comparison and the notebooks find it there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from serlib.augment import Copies, FrequencyWarp, Level, Mixup, TimeWarp, Transpose
from serlib.augment.frames import FeatureAugmentation
from serlib.base import SerlibError
from serlib.features import SPECS, FeatureSpec
from serlib.models import convolutions, dense, layer, recurrent, stack

#: How features are brought to one scale: not at all; by the statistics of the training role; each clip by its own; each
#: speaker by all of that speaker's clips.
NORMALISATIONS = ("none", "training", "utterance", "speaker")

#: Name -> class in keras.losses.
LOSSES = {
    "categorical_crossentropy": "CategoricalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
}

#: Name -> class in keras.optimizers.
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}

#: How the learning rate goes over the epochs.
SCHEDULES = ("constant", "cosine")


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
        [shape=(clips, n_labels)]; see `serlib.models.stack`.
    normalise : str
        Of `NORMALISATIONS`. `training` and `utterance` are layers, saved with the model, so that no statistics travel
        beside it. `speaker` is done before the model and needs more clips of whoever is tested; every table marks it.
    augment : tuple
        Of `serlib.augment`: what changes the training role.
    loss, optimizer : str
        Of `LOSSES` and `OPTIMIZERS`.
    label_smoothing : float
        Share of the probability of the true label that is spread over all of them, from 0 to 1.
    learning_rate : float
    weight_decay : float, optional
        Of AdamW; None is Keras's default.
    clipnorm : float, optional
        The gradient of each weight is shortened to this norm.
    schedule : str
        Of `SCHEDULES`. `cosine` falls from `learning_rate` towards zero along half a cosine.
    plateau : tuple (factor, patience), optional
        Multiply the learning rate by `factor` after `patience` epochs without a lower validation loss.
    epochs, batch_size : int
    keep : str
        `last`: the weights of the last epoch; `best`: those of the epoch with the lowest validation loss.
    patience : int, optional
        Stop after this many epochs without a lower validation loss.
    class_weight : bool
        Weigh each clip by the inverse frequency of its label.
    balanced : bool
        Draw every label equally often in each epoch, instead of every clip once.
    split : str
        The kind of split that its authors used.
    test_share, validation_share : float
        The shares of that split (`serlib.split`): of all clips, and of the rest.
    reported : float, optional
        The accuracy that its authors reported, from 0 to 1.
    """

    name: str
    title: str
    source: str
    features: FeatureSpec
    build: Callable = field(compare=False)
    normalise: str = "none"
    augment: tuple = ()
    loss: str = "categorical_crossentropy"
    label_smoothing: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float | None = None
    clipnorm: float | None = None
    schedule: str = "constant"
    plateau: tuple | None = None
    epochs: int = 50
    batch_size: int = 64
    keep: str = "last"
    patience: int | None = None
    class_weight: bool = False
    balanced: bool = False
    split: str = "published"
    test_share: float = 0.2
    validation_share: float = 0.1
    reported: float | None = None

    def __post_init__(self):
        for what, known in (
            ("normalise", NORMALISATIONS),
            ("loss", LOSSES),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("keep", ("last", "best")),
        ):
            if getattr(self, what) not in known:
                raise SerlibError(
                    f"The recipe {self.name} has {what} '{getattr(self, what)}'; choose one of {', '.join(known)}."
                )
        if self.normalise == "utterance" and self.features.summary:
            raise SerlibError(
                f"The recipe {self.name} cannot normalise each clip by its own frames: its features have none; "
                "choose another normalisation, or features without a summary."
            )
        if not all(isinstance(one, Copies | FeatureAugmentation) for one in self.augment):
            raise SerlibError(
                f"The recipe {self.name} augments with {self.augment}; it takes augmentations of features, and of "
                "waveforms inside of Copies(n, (...))."
            )
        if self.weight_decay is not None and self.optimizer != "adamw":
            raise SerlibError(f"The recipe {self.name} has weight_decay without adamw; choose that optimizer.")

    def to_dict(self):
        """Everything as JSON can hold it; the model and the augmentations in words."""
        told = {key: value for key, value in vars(self).items() if key not in ("build", "augment", "features")}
        build = self.build.told() if hasattr(self.build, "told") else [self.build.__qualname__]
        return {
            **told,
            "plateau": list(self.plateau) if self.plateau else None,
            "augment": [one.to_dict() for one in self.augment],
            "build": build,
            "features": self.features.to_dict(),
        }

    def model(self, n_labels, *, shape, examples=None):
        """Build the compiled Keras model.

        Parameters
        ----------
        n_labels : int
        shape : tuple
            Of the features of one clip; the number of frames may be None.
        examples : np.ndarray [shape=(clips, ...)], optional
            Features of the training role, which the z-score layer adapts to (needed only with `normalise="training"`).

        Returns
        -------
        keras.Model: features in, probabilities out, compiled with the recipe's loss and optimiser.

        Taught in notebooks/04_lstm_train.
        """
        import keras

        from serlib import layers

        inputs = keras.Input(shape=shape, name="features")
        x = inputs
        if self.normalise == "training":
            z_score = layers.ZScore(name="z_score")
            z_score.adapt(examples)
            x = z_score(x)
        elif self.normalise == "utterance":
            x = layers.UtteranceZScore(name="z_score")(x)
        elif len(shape) == 2:
            x = keras.layers.Masking(name="padding")(x)
        model = keras.Model(inputs, self.build(x, n_labels), name=self.name.replace("-", "_"))
        options = {"learning_rate": self.learning_rate, "clipnorm": self.clipnorm}
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        model.compile(
            optimizer=getattr(keras.optimizers, OPTIMIZERS[self.optimizer])(**options),
            loss=getattr(keras.losses, LOSSES[self.loss])(label_smoothing=self.label_smoothing),
            metrics=["accuracy"],
        )
        return model


def get(recipe, *, features=None):
    """A recipe by its name (or the recipe itself).

    Parameters
    ----------
    recipe : str or Recipe
    features : str, optional
        Name in `serlib.SPECS` of features to take instead of the recipe's own.

    Returns
    -------
    Recipe

    Raises
    ------
    SerlibError
        If there is none of that name (the message lists those that there are), or its model cannot take the features.
    """
    if not isinstance(recipe, Recipe):
        if recipe not in RECIPES:
            raise SerlibError(f"There is no recipe '{recipe}'; choose one of {', '.join(RECIPES)}.")
        recipe = RECIPES[recipe]
    if features is None:
        return recipe
    own, fitting = recipe.features, []
    for name, spec in SPECS.items():
        if bool(spec.summary) == bool(own.summary) and (spec.frames is not None or own.frames is None):
            fitting.append(name)
    if features not in fitting:
        known = "does not fit" if features in SPECS else "is not known"
        raise SerlibError(f"The features '{features}' of {recipe.name}: {known}; choose one of {', '.join(fitting)}.")
    return replace(recipe, features=SPECS[features])


#: The 40 mean MFCC are read as a sequence of 40 steps with one value each.
_steps = layer("Reshape", (-1, 1))

#: The project's own recipe. Its settings were chosen on speakers 5 to 24 of RAVDESS, in five folds of four; TESS and
#: the first four speakers had no say.
_FUNCTIONALS = Recipe(
    name="functionals",
    title="Ours: functionals of clips and of warped copies, one wide layer",
    source="this project; functionals after openSMILE's ComParE set, copies after Jaitly & Hinton 2013",
    features=SPECS["functionals"],
    normalise="training",
    augment=(
        Copies(8, frames=(FrequencyWarp((0.88, 1.12), fmax_hz=8000), Transpose(), Level(), TimeWarp((0.85, 1.15)))),
        Mixup(0.3),
    ),
    build=stack(layer("Dropout", 0.5), dense(256, dropout=0.5)),
    label_smoothing=0.1,
    optimizer="adamw",
    weight_decay=0.01,
    schedule="cosine",
    epochs=60,
    batch_size=32,
    split="speaker",
)

#: Name -> Recipe: the published systems, then hybrids of them.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="lstm-256",
            title="A: LSTM 256 on mean MFCC",
            source="published system A: 40 mean MFCC, LSTM 256, random 80/20, no figure given ('reasonably high'); "
            "layer sizes are system B's",
            features=SPECS["mfcc40-mean"],
            build=stack(_steps, recurrent(256, dropout=0.3), dense(128, 64, dropout=0.3)),
            epochs=30,
        ),
        Recipe(
            name="lstm-256-long",
            title="B: A, trained for longer",
            source="published system B: the same layers for 100 epochs, on RAVDESS or TESS, validation accuracy",
            features=SPECS["mfcc40-mean"],
            build=stack(_steps, recurrent(256, dropout=0.3), dense(128, 64, dropout=0.3)),
            epochs=100,
            reported=0.85,
        ),
        Recipe(
            name="lstm-123",
            title="C: LSTM 123 on mean MFCC",
            source="published system C: 40 mean MFCC, LSTM 123, random train and test; epochs not given, 50 taken here",
            features=SPECS["mfcc40-mean"],
            build=stack(_steps, recurrent(123), dense(64, dropout=0.22), dense(32, dropout=0.12)),
            epochs=50,
            reported=0.9772,
        ),
        Recipe(
            name="stacked-lstm",
            title="D: two LSTM on frames",
            source="published system D: MFCC with deltas of trimmed speech, masked and z-scored, LSTM 128 and 64, "
            "70/15/15, no figure given; of the ranges given: 60 epochs, batches of 64",
            features=SPECS["mfcc-frames"],
            normalise="training",
            build=stack(recurrent(128, 64, dropout=0.3), dense(64, batch_norm=True)),
            plateau=(0.5, 5),
            epochs=60,
            keep="best",
            patience=12,
            split="random",
            test_share=0.15,
            validation_share=0.15 / 0.85,
        ),
        Recipe(
            name="conv1d",
            title="E: four Conv1D on log-mel",
            source="published system E: log-mel 128 x 87, z-scored and padded, four Conv1D and two dense layers (sizes "
            "not given), early stopping, no figure given",
            features=SPECS["logmel-128x87"],
            normalise="training",
            build=stack(
                layer("DropMask"),
                convolutions(64, 128, 128, 128, dropout=0.2, masked=False),
                layer("Flatten"),
                dense(128, 64, dropout=0.3),
            ),
            epochs=100,
            batch_size=32,
            keep="best",
            patience=10,
        ),
        Recipe(
            name="cnn-lstm",
            title="Conv1D before an LSTM",
            source="future work of the published systems: D's features, E's convolutions, then an LSTM",
            features=SPECS["mfcc-frames"],
            normalise="training",
            build=stack(
                convolutions(64, 96, dropout=0.2, batch_norm=True), recurrent(96, dropout=0.3), dense(64, dropout=0.3)
            ),
            schedule="cosine",
            epochs=40,
            batch_size=32,
            keep="best",
            patience=12,
        ),
        Recipe(
            name="attention",
            title="Conv1D and LSTM with attention",
            source="future work of the published systems: a bidirectional LSTM whose states are weighed by attention",
            features=SPECS["mfcc-frames"],
            normalise="training",
            build=stack(
                convolutions(64, dropout=0.2, batch_norm=True),
                recurrent(64, bidirectional=True, sequences=True, dropout=0.3),
                layer("AttentionPooling", heads=4),
                dense(64, dropout=0.3),
            ),
            schedule="cosine",
            epochs=40,
            batch_size=32,
            keep="best",
            patience=12,
        ),
        _FUNCTIONALS,
        replace(_FUNCTIONALS, name="functionals-speaker", title="Ours, z-scored by speaker", normalise="speaker"),
    )
}
