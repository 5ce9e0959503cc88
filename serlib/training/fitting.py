"""Train a recipe on a split; leave a run folder.

The loop over the epochs stands here in the open; what changes from one to the next is in `serlib.training.schedule`.
"""

import logging
import time
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import augment
from serlib.augment.frames import lengths
from serlib.features import normalisation
from serlib.features.spec import extract_together
from serlib.features.spec import names as column_names
from serlib.models import recipes
from serlib.models.recipe import Committee
from serlib.splits import rows
from serlib.training import novelty
from serlib.training import run as keeping
from serlib.training.run import read_info
from serlib.training.schedule import draw, learning_rate, should_stop
from serlib.utils import SerlibError, atomic_path, ordered_labels, progress


class NotFinite(SerlibError):
    """The loss of a training became infinite or no number."""


def fit(
    recipe, table, *, out, seed=0, epochs=None, resume=False, overwrite=False, after_epoch=None, jobs=None, show=None
):
    """Train a recipe on the training role of a table and write a run folder.

    Parameters
    ----------
    recipe : str or Recipe
    table : pd.DataFrame
        From `serlib.split`. Only the roles train and validation are looked at (under the published protocol the
        validation role is the test role).
    out : str or Path
        Folder of the run. While training it is called `out` + `.partial`; it gets its name when it is whole.
    seed : int
        Of the first weights, the order of the clips in each epoch, augmentation and dropout, but not of
        `serlib.augment.Copies`, which are made once for all seeds. It is set for the whole process
        (`keras.utils.set_random_seed`).
    epochs : int, optional
        Instead of the recipe's.
    resume : bool
        Go on from the last finished epoch of an interrupted training; a finished run with the same settings is
        loaded and returned.
    overwrite : bool
        Throw away the run that stands at `out`.
    after_epoch : callable, optional
        Called with the history (a list with a dict an epoch) whenever an epoch is saved, to draw or to stop.
    jobs : int, optional
        Workers that extract features.

    Returns
    -------
    Run

    Raises
    ------
    SerlibError
        If `out` is taken, or holds a training with other settings, or no training but something else; or the loss is
        no longer finite.

    Notes
    -----
    On one machine the same seed gives the same history; between machines the last digits differ.

    Taught in notebooks/04_lstm_train.
    """
    recipe, table = recipes.get(recipe), table.reset_index(drop=True)  # rows of the features are found by number
    out = Path(out)
    partial = out.with_name(out.name + ".partial")
    each, epochs = epochs, recipe.epochs if epochs is None else epochs
    if epochs < 1:
        raise SerlibError(f"A training needs at least one epoch, not {epochs}.")
    labels = ordered_labels(table.label)
    plan = keeping.plan(recipe, table, labels, seed=seed, epochs=epochs)
    if overwrite:
        for folder in (out, partial):
            keeping.throw_away(folder)
    if out.exists():
        return keeping.finished(out, plan, resume)
    begun = partial.exists()
    with keeping.at_work(partial):
        if out.exists():  # another process has finished it meanwhile
            return keeping.finished(out, plan, resume)
        if begun:
            keeping.check_same_plan(partial, plan, resume)
        given = {"seed": seed, "after_epoch": after_epoch, "jobs": jobs, "show": show}
        if isinstance(recipe, Committee):
            return _fit_members(recipe, table, labels, plan, partial, out, epochs=each, **given)
        return _fit(recipe, table, labels, plan, partial, out, epochs=epochs, **given)


def _fit(recipe, table, labels, plan, partial, out, *, seed, epochs, after_epoch, jobs, show):
    """Train one model, epoch by epoch, from where the folder stands."""
    # One pass over the sound: what the model learns from, and what tells later whether a sound is like it.
    extract_together(table, {recipe.features, novelty.SPEC}, jobs=jobs, show=show)
    x, y, copies, val_x, val_y = _examples(recipe, table, labels, jobs=jobs, show=show)
    names = column_names(recipe.features)

    import keras

    # Many models in one process look to TensorFlow like one that is traced too often, and it warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keeping.write_plan(partial, plan, table)
    keras.utils.set_random_seed(seed)
    history, model = keeping.last_state(partial)
    if model is None:
        variable = x.ndim == 3 and recipe.features.frames is None
        shape = (None, x.shape[2]) if variable else x.shape[1:]
        model = recipe.model(len(labels), shape=shape, examples=np.concatenate([x, *copies]))
    model.make_train_function()
    model.make_test_function()
    bar = progress(total=epochs, desc=f"{recipe.name}, seed {seed}", unit="epoch", show=show)
    bar.update(len(history))
    while len(history) < epochs and not should_stop(history, recipe):
        began = time.perf_counter()
        epoch = len(history) + 1
        model.optimizer.learning_rate = learning_rate(history, recipe, epochs)
        rng = np.random.default_rng([seed, epoch])
        _reseed(model, rng)
        seen = _pass(model, model.train_function, recipe.batch_size, *draw(recipe, x, y, rng, names, copies))
        held_out = _pass(model, model.test_function, recipe.batch_size, val_x, val_y)
        row = {"epoch": epoch, **seen, **{f"val_{name}": value for name, value in held_out.items()}}
        if not np.isfinite(row["loss"]):
            raise NotFinite(f"The loss of {recipe.name} is not finite in epoch {epoch}; lower the learning rate.")
        row["learning_rate"] = float(model.optimizer.learning_rate)
        row["seconds"] = round(time.perf_counter() - began, 3)
        history.append(row)
        keeping.save_state(partial, model, history)
        if after_epoch:
            after_epoch(history)
        bar.set_postfix_str(f"accuracy {row['accuracy']:.2f}, validation {row['val_accuracy']:.2f}")
        bar.update()
    bar.close()
    model, epoch = keeping.kept(partial, recipe, history)
    return keeping.finish(
        partial, out, recipe, table, labels, history, plan, model=model, epoch=epoch, metrics=history[epoch - 1],
        held_out=(val_x, val_y), learned=novelty.learn(table, jobs=jobs, show=show),
    )  # fmt: skip


def _fit_members(recipe, table, labels, plan, partial, out, *, seed, epochs, after_epoch, jobs, show):
    """Train the members of a committee, each to a run folder of its own within this one, and join their models."""
    keeping.write_plan(partial, plan, table)
    specs = {recipe.features, novelty.SPEC, *(member.features for member in recipe.members)}
    extract_together(table, specs, jobs=jobs, show=show)
    members = [
        fit(
            member, table, out=partial / "members" / member.name, seed=seed, epochs=epochs, resume=True,
            after_epoch=after_epoch, jobs=jobs, show=show,
        )
        for member in recipe.members
    ]  # fmt: skip
    model = recipe.join([run.model for run in members])
    history = pd.concat([run.history.assign(member=run.info["recipe"]["name"]) for run in members], ignore_index=True)
    history["epoch"] = range(1, len(history) + 1)
    with atomic_path(partial / "history.csv") as path:
        history.to_csv(path, index=False)
    x, y, _, val_x, val_y = _examples(recipe, table, labels, jobs=jobs, show=show)
    model.make_test_function()
    metrics = _pass(model, model.test_function, recipe.batch_size, x, y)
    held_out = _pass(model, model.test_function, recipe.batch_size, val_x, val_y)
    metrics |= {f"val_{name}": value for name, value in held_out.items()}
    return keeping.finish(
        partial, out, recipe, table, labels, history.to_dict("records"), plan, model=model, epoch=len(history),
        metrics=metrics, held_out=(val_x, val_y), learned=novelty.learn(table, jobs=jobs, show=show),
    )  # fmt: skip


def finished(recipe, table, *, out, seed=0, epochs=None):
    """Whether the run that `fit` would make stands at `out` already; the model is not loaded.

    Parameters
    ----------
    recipe, table, out, seed, epochs
        As for `fit`.

    Returns
    -------
    bool

    Raises
    ------
    SerlibError
        `out` is a run with other settings, or none.
    """
    recipe, out = recipes.get(recipe), Path(out)
    if not out.exists():
        return False
    epochs = recipe.epochs if epochs is None else epochs
    keeping.compare(
        read_info(out), keeping.plan(recipe, table, ordered_labels(table.label), seed=seed, epochs=epochs), out
    )
    return True


def _pass(model, step, batch_size, x, y, weights=None):
    """Take all clips through the model, batch by batch: loss and accuracy as `model.fit` gives them.

    `model.fit` would build a data pipeline for each epoch, which takes as long as a small model takes to learn.
    Where the model takes any number of frames, a batch is as long as its longest clip: padding costs time and says
    nothing.
    """
    model.reset_metrics()
    ends = lengths(x) if x.ndim == 3 and model.input_shape[1] is None else None
    for first in range(0, len(x), batch_size):
        part = slice(first, first + batch_size)
        batch = x[part] if ends is None else x[part, : ends[part].max()]
        step(iter([(batch, y[part]) if weights is None else (batch, y[part], weights[part])]))
    seen = model.get_metrics_result()
    return {name: float(seen[name]) for name in ("loss", "accuracy")}


def _reseed(model, rng):
    """Set the random state of the dropout layers, which Keras does not save: what an epoch draws then depends on its
    number alone, and a resumed training draws what an unbroken one does."""
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(rng.integers(2**31, size=variable.shape).astype(variable.dtype))


def _examples(recipe, table, labels, *, jobs, show):
    """Features and one-hot labels of the training role, features of its changed copies, and those of the validation
    role."""
    values, voices = normalisation.inputs(table, recipe.features, recipe.normalise, jobs=jobs, show=show)
    train, validation = rows(table, "train"), rows(table, "validation")
    position, one_hot = {label: i for i, label in enumerate(labels)}, np.eye(len(labels), dtype=np.float32)
    y, val_y = (one_hot[part.label.map(position).to_numpy()] for part in (train, validation))
    x, val_x = (np.asarray(values[part.index.to_numpy()]) for part in (train, validation))
    copies = []
    for change in recipe.augment:
        if isinstance(change, augment.Copies):
            # Of all clips, so that every split of a corpus finds them in the cache; only those of the training role
            # are looked at.
            for copy in augment.copies(table, recipe.features, change, jobs=jobs, show=show):
                copy = copy[train.index.to_numpy()]
                copies.append(normalisation.by_speaker(copy, train, voices) if voices else copy)
    if copies and x.ndim == 3:  # stretched copies may be longer
        longest = max(part.shape[1] for part in (x, *copies))
        x, *copies = (np.pad(part, ((0, 0), (0, longest - part.shape[1]), (0, 0))) for part in (x, *copies))
    return x, y, copies, val_x, val_y
