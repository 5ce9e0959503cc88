"""What a recipe is: features, model and training settings that belong together, under one name."""

import contextlib
import json
import numbers
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from serlib.augment import Copies
from serlib.augment.frames import FeatureAugmentation, FrequencyWarp, Level, Transpose
from serlib.features.spec import FeatureSpec
from serlib.features.spec import names as column_names
from serlib.models.blocks import Stack
from serlib.utils import SerlibError, import_tensorflow

#: How features are brought to one scale: not at all; by the statistics of the training set; each speaker by all of that
#: speaker's clips.
NORMALISATIONS = ("none", "training", "speaker")

#: Name -> class in keras.optimizers.
OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW"}

#: How the learning rate goes over the epochs.
SCHEDULES = ("constant", "cosine")

#: What a training computes with. `mixed_bfloat16`: products in bfloat16, quicker where the processor or the GPU knows
#: it, weights and sums of the optimiser in float32. What is kept computes in float32 either way.
PRECISIONS = ("float32", "mixed_bfloat16")

#: Augmentations of frames that change decibels, octaves or bands, not z-scores.
UNSCALED = (FrequencyWarp, Level, Transpose)


@contextlib.contextmanager
def precision_of_layers(precision):
    """Layers that are built inside compute with this precision; Keras has no other way to say it for many of them."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_single_precision(model):
    """A Keras model, not compiled, that computes in float32 with the weights of one trained in mixed precision."""
    import keras

    text = json.dumps(model.get_config())
    for precision in PRECISIONS[1:]:
        text = text.replace(f'"{precision}"', '"float32"')
    single = keras.Model.from_config(json.loads(text))
    single.set_weights(model.get_weights())
    return single


def configuration(build, features):
    """What a builder builds, as JSON can hold it: the same layers with the same settings give the same.

    Parameters
    ----------
    build : Stack or callable
        `build(x, n_labels)`, from symbolic features to symbolic probabilities.
    features : FeatureSpec
        What the model takes in.

    Returns
    -------
    list of str, or dict: the layers of a stack; of any other builder the Keras configuration of its model for two
    labels, without the numbers that Keras puts behind names.

    Examples
    --------
    >>> from serlib.features.spec import SPECS
    >>> from serlib.models.blocks import dense, stack
    >>> configuration(stack(dense(8)), SPECS["mfcc40-mean"])
    ['Dense(8, activation=relu)']
    """
    if isinstance(build, Stack):
        return build.to_list()
    import_tensorflow()
    import keras

    columns = len(column_names(features))
    inputs = keras.Input((columns,) if features.summary else (features.frames, columns), name="features")
    model = keras.Model(inputs, build(inputs, 2), name="model")
    text = json.dumps(model.get_config(), sort_keys=True, default=str)
    return json.loads(re.sub(r'_\d+"', '"', text))


@dataclass(frozen=True, kw_only=True)
class BaseRecipe:
    """What every kind of recipe has; described at `Recipe`.

    What a kind decides for all of its recipes, how features are normalised, say, is a constant of its class.
    """

    normalise: ClassVar[str] = "none"
    augment: ClassVar[tuple] = ()

    name: str
    title: str
    source: str
    features: FeatureSpec
    batch_size: int = 64
    split: str = "published"
    test_share: float = 0.2
    validation_share: float = 0.1
    reported: float | None = None

    def __post_init__(self):
        self._check_whole("batch_size")

    def _check(self, what, is_right, expected):
        """Raise a SerlibError unless a setting is right."""
        if not is_right:
            raise SerlibError(f"The recipe {self.name} has {what} {getattr(self, what)}; choose {expected}.")

    def _check_whole(self, what):
        """Raise a SerlibError unless a setting is a whole number from 1."""
        value = getattr(self, what)
        self._check(what, isinstance(value, numbers.Integral) and value >= 1, "a whole number from 1")

    def _check_choice(self, what, choices):
        """Raise a SerlibError unless a setting is one of these."""
        value = getattr(self, what)
        if value not in choices:
            raise SerlibError(f"The recipe {self.name} has {what} '{value}'; choose one of {', '.join(choices)}.")

    def to_dict(self):
        """Everything as JSON can hold it."""
        own = {"normalise": self.normalise, "epochs": self.epochs, "features": self.features.to_dict()}
        return {**vars(self), **own}


@dataclass(frozen=True, kw_only=True)
class GradientRecipe(BaseRecipe):
    """What every recipe has that is trained by gradient descent, epoch by epoch; described at `Recipe`."""

    precision: ClassVar[str] = "float32"

    augment: tuple = ()
    label_smoothing: float = 0.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float | None = None
    schedule: str = "constant"
    plateau: tuple | None = None
    epochs: int = 50
    epoch_clips: int | None = None
    keep: str = "last"
    patience: int | None = None
    balanced: bool = False

    def __post_init__(self):
        super().__post_init__()
        self._check_choice("optimizer", OPTIMIZERS)
        self._check_choice("schedule", SCHEDULES)
        self._check_choice("keep", ("last", "best"))
        self._check_whole("epochs")
        for what in ("patience", "epoch_clips"):
            if getattr(self, what) is not None:
                self._check_whole(what)
        self._check("learning_rate", self.learning_rate >= 0, "one from 0")
        self._check("label_smoothing", 0 <= self.label_smoothing <= 1, "one from 0 to 1")
        if self.plateau is not None:
            is_pair = isinstance(self.plateau, tuple) and len(self.plateau) == 2
            self._check("plateau", is_pair and 0 < self.plateau[0] < 1 <= self.plateau[1], "(factor below 1, epochs)")
        if not all(isinstance(change, Copies | FeatureAugmentation) for change in self.augment):
            raise SerlibError(
                f"The recipe {self.name} augments with {self.augment}; it takes augmentations of features, and of "
                "waveforms inside of Copies(n, (...))."
            )
        self._check_warps()
        if self.weight_decay is not None and self.optimizer != "adamw":
            raise SerlibError(f"The recipe {self.name} has weight_decay without adamw; choose that optimizer.")

    def _check_warps(self):
        """Raise a SerlibError where frequencies are warped that are not those of the features' mel bands."""
        fmin_hz = self.features.fmin_hz
        fmax_hz = self.features.fmax_hz or self.features.rate_hz / 2
        changes = list(self.augment)
        for copies in self.augment:
            if isinstance(copies, Copies):
                changes += copies.frames
        for change in changes:
            if isinstance(change, FrequencyWarp) and (change.fmin_hz, change.fmax_hz) != (fmin_hz, fmax_hz):
                raise SerlibError(
                    f"The recipe {self.name} warps mel bands from {change.fmin_hz:g} to {change.fmax_hz:g} Hz, and its "
                    f"features have them from {fmin_hz:g} to {fmax_hz:g}: FrequencyWarp(fmin_hz={fmin_hz:g}, "
                    f"fmax_hz={fmax_hz:g})."
                )

    def to_dict(self):
        """Everything as JSON can hold it; the augmentations in words."""
        settings = super().to_dict()
        settings["plateau"] = list(self.plateau) if self.plateau else None
        settings["augment"] = [change.to_dict() for change in self.augment]
        return settings

    def compiled(self, model):
        """The model, ready to be trained with cross-entropy and the recipe's optimiser."""
        import keras

        options = {"learning_rate": self.learning_rate}
        if self.weight_decay is not None:
            options["weight_decay"] = self.weight_decay
        model.compile(
            optimizer=getattr(keras.optimizers, OPTIMIZERS[self.optimizer])(**options),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing),
            metrics=["accuracy"],
        )
        return model


@dataclass(frozen=True, kw_only=True)
class Recipe(GradientRecipe):
    """What is needed to train a network, and what its authors reported.

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
        Of `NORMALISATIONS`. `training` is a layer, saved with the model, so that no statistics travel beside it.
        `speaker` is done before the model and needs more clips of the test speaker; every table marks it.
    augment : tuple
        Of `serlib.augment`: what changes the training set.
    optimizer : str
        Of `OPTIMIZERS`.
    label_smoothing : float
        Share of the probability of the true label that is spread over all of them, from 0 to 1.
    learning_rate : float
    weight_decay : float, optional
        Of AdamW; None is Keras's default.
    schedule : str
        Of `SCHEDULES`. `cosine` falls from `learning_rate` towards zero along half a cosine.
    plateau : tuple (factor, patience), optional
        Multiply the learning rate by `factor` after `patience` epochs without a lower validation loss.
    epochs, batch_size : int
    epoch_clips : int, optional
        So many clips are drawn in an epoch, at most; default: as many as there are.
    keep : str
        `last`: the weights of the last epoch; `best`: those of the epoch with the lowest validation loss.
    patience : int, optional
        Stop after this many epochs without a lower validation loss.
    balanced : bool
        Draw every label of every corpus equally often in each epoch, instead of every clip once.
    precision : str
        Of `PRECISIONS`.
    split : str
        The kind of split that its authors used.
    test_share, validation_share : float
        The shares of that split (`serlib.split`): of all clips, and of the rest.
    reported : float, optional
        The accuracy that its authors reported, from 0 to 1.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from serlib.models.recipes import RECIPES
    >>> recipe = replace(RECIPES["lstm-256"], name="mine", label_smoothing=0.1, epochs=20)
    >>> recipe.epochs, recipe.to_dict()["build"][1]
    (20, 'LSTM(256)')
    """

    build: Callable = field(hash=False)  # its layers hold dicts
    normalise: str = "none"
    precision: str = "float32"

    def __post_init__(self):
        super().__post_init__()
        self._check_choice("normalise", NORMALISATIONS)
        self._check_choice("precision", PRECISIONS)
        if self.normalise == "speaker" and any(isinstance(change, UNSCALED) for change in self.augment):
            raise SerlibError(
                f"The recipe {self.name} is normalised by speaker before its frames are augmented, and "
                f"{', '.join(change.__name__ for change in UNSCALED)} need them unscaled; put these inside of Copies."
            )

    def to_dict(self):
        """Everything as JSON can hold it; the model and the augmentations in words."""
        return {**super().to_dict(), "build": configuration(self.build, self.features)}

    def model(self, n_labels, *, shape, examples=None):
        """Build the compiled Keras model.

        Parameters
        ----------
        n_labels : int
        shape : tuple
            Of the features of one clip; the number of frames may be None.
        examples : np.ndarray [shape=(clips, ...)] or tuple of them, optional
            Features of the training set, which the z-score layer adapts to (needed only with `normalise="training"`).

        Returns
        -------
        keras.Model: features in, probabilities out, compiled with cross-entropy and the recipe's optimiser.

        Taught in notebooks/04_lstm_train.
        """
        import keras

        from serlib.models import layers

        inputs = keras.Input(shape=shape, name="features")
        x = inputs
        if self.normalise == "training":
            z_score = layers.ZScore(name="z_score")
            z_score.adapt(examples)
            x = z_score(x)
        elif len(shape) == 2:
            x = keras.layers.Masking(name="padding")(x)
        if self.precision == "float32":
            x = self.build(x, n_labels)
        else:
            with precision_of_layers(self.precision):
                x = self.build(x, n_labels)
            if x.dtype != "float32":
                x = keras.layers.Activation("linear", dtype="float32", name="single_precision")(x)
        return self.compiled(keras.Model(inputs, x, name=self.name.replace("-", "_")))
