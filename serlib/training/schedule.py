"""What changes from epoch to epoch, as plain functions of what was: nothing is remembered in between.

Keras hides this in callbacks. Here the learning rate, the best epoch and the stop follow from the history, and what an
epoch draws from its own random generator, so that a training that was killed goes on exactly as if nothing had
happened.
"""

from dataclasses import dataclass

import numpy as np

from serlib.features import normalisation

#: A lower validation loss must be lower by this much for `plateau` (the default of Keras's ReduceLROnPlateau).
PLATEAU_MIN_DELTA = 1e-4


def best_epoch(history):
    """Position of the epoch with the lowest `val_loss` in a history, the first of equals."""
    return int(np.argmin([row["val_loss"] for row in history]))


def should_stop(history, recipe):
    """Early stopping: true when `recipe.patience` epochs in a row brought no lower `val_loss`."""
    if not history or not recipe.patience:
        return False
    return len(history) - 1 - best_epoch(history) >= recipe.patience


def learning_rate(history, recipe, epochs=None):
    """Learning rate of the next epoch, a float.

    Parameters
    ----------
    history : list of dict with `val_loss`
        The epochs so far; each plateau of the validation loss has reduced the rate once.
    recipe : Recipe
    epochs : int, optional
        Of the whole training; default: the recipe's.

    Notes
    -----
    The rules are those of `keras.optimizers.schedules.CosineDecay`, a step an epoch (Loshchilov & Hutter 2017, ICLR),
    and of `keras.callbacks.ReduceLROnPlateau`.

    Examples
    --------
    >>> from serlib.models.recipes import get
    >>> learning_rate([{"val_loss": 2.0}] * 30, get("conv-gru"), 40) / get("conv-gru").learning_rate  # 30 of 40 epochs
    0.1464...
    """
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate *= 0.5 * (1 + np.cos(np.pi * len(history) / (epochs or recipe.epochs)))
    if recipe.plateau is None:
        return float(rate)
    factor, patience = recipe.plateau
    best = np.inf
    waited = 0
    for row in history:
        if row["val_loss"] < best - PLATEAU_MIN_DELTA:
            best = row["val_loss"]
            waited = 0
            continue
        waited += 1
        if waited >= patience:
            rate = rate * factor
            waited = 0
    return float(rate)


@dataclass(frozen=True)
class Examples:
    """What a model learns from and what it is chosen by.

    Attributes
    ----------
    x, val_x : np.ndarray or LazyFeatures [shape=(clips, ...)], float32
        Features of the training set and of the validation set.
    y, val_y : np.ndarray [shape=(clips, labels)], float32
        Their labels, one-hot.
    copies : tuple of what `x` is
        Features of changed copies of the same clips.
    columns : list of str
        Names of the features' columns.
    groups : np.ndarray of int [shape=(clips,)], optional
        Clips of one label and one corpus have the same number. Default: those of one label.
    """

    x: np.ndarray
    y: np.ndarray
    copies: tuple = ()
    val_x: np.ndarray = None
    val_y: np.ndarray = None
    columns: list = ()
    groups: np.ndarray = None


def draw(recipe, examples, rng):
    """What the model learns from in one epoch: the training set in a new order, changed as the recipe says.

    Each clip is heard once, as it is or as one of its copies; of a balanced recipe, each group equally often. `rng` is
    the np.random.Generator of this epoch.

    Yields
    ------
    x, y : np.ndarray
        A piece of the epoch that fits into memory (`normalisation.parts`); mixed clips have mixed labels.
    """
    groups = examples.y.argmax(axis=1) if examples.groups is None else examples.groups
    order = balanced(groups, rng) if recipe.balanced else rng.permutation(len(examples.x))
    order = order[: recipe.epoch_clips]
    for part in normalisation.parts(examples.x, multiple=recipe.batch_size):
        if part.start < len(order):
            yield _changed(recipe, examples, order[part], rng)


def _changed(recipe, examples, clips, rng):
    """Features and labels of some clips of the training set, changed as the recipe says."""
    x = examples.x[clips]
    y = examples.y[clips]
    if len(examples.copies):
        version = rng.integers(len(examples.copies) + 1, size=len(clips))
        for number, copy in enumerate(examples.copies, 1):
            x[version == number] = copy[clips[version == number]]
    for change in recipe.augment:
        if callable(change):  # the others are the changed copies
            x, y = change(x, y, rng, examples.columns)
    return x, y


def balanced(group, rng):
    """Draw every group equally often, and within a group every clip equally often, give or take one.

    `group` says which one a clip belongs to [shape=(clips,)], such as its label; positions in random order come back,
    as many as there are clips.
    """
    groups = [np.flatnonzero(group == one) for one in rng.permutation(np.unique(group))]
    positions = []
    for share, clips in zip(np.array_split(np.arange(len(group)), len(groups)), groups, strict=True):
        rounds = -(-len(share) // len(clips))
        positions.append(np.concatenate([rng.permutation(clips) for _ in range(rounds)])[: len(share)])
    return rng.permutation(np.concatenate(positions))
