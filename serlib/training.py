"""Train a recipe on a split; leave a run folder.

The loop over the epochs stands here in the open; what changes from one to the next is in `serlib.epochs`.
"""

import hashlib
import json
import logging
import platform
import shutil
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import augment, calibration, domain, normalisation, recipes, runs
from serlib.base import SerlibError, atomic_path, ordered_labels, progress, remove, shown
from serlib.epochs import best_epoch, draw, learning_rate, should_stop
from serlib.features import names as column_names
from serlib.splits import rows


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
        Of the first weights, the order of the clips in each epoch, augmentation and dropout. It is set for the whole
        process (`keras.utils.set_random_seed`).
    epochs : int, optional
        Instead of the recipe's.
    resume : bool
        Go on from the last finished epoch of an interrupted training; a finished run with the same settings is
        loaded and returned.
    overwrite : bool
        Throw away what stands at `out`.
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
        If `out` is taken, or holds a training with other settings, or the loss is no longer finite.

    Notes
    -----
    On one machine the same seed gives the same history; between machines the last digits differ.

    Taught in notebooks/04_lstm_train.
    """
    recipe = recipes.get(recipe)
    out = Path(out)
    partial = out.with_name(out.name + ".partial")
    epochs = recipe.epochs if epochs is None else epochs
    if epochs < 1:
        raise SerlibError(f"A training needs at least one epoch, not {epochs}.")
    labels = ordered_labels(table.label)
    plan = _plan(recipe, table, labels, seed=seed, epochs=epochs)
    if overwrite:
        for folder in (out, partial):
            shutil.rmtree(folder, ignore_errors=True)
    if out.exists():
        return _finished(out, plan, resume)
    if partial.exists():
        _check_same_plan(partial, plan, resume)

    x, y, copies, val_x, val_y = _examples(recipe, table, labels, jobs=jobs, show=show)
    names = column_names(recipe.features)

    import keras

    # Many models in one process look to TensorFlow like one that is traced too often, and it warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    _write_plan(partial, plan, table)
    keras.utils.set_random_seed(seed)
    history, model = _last_state(partial)
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
        _save_state(partial, model, history)
        if after_epoch:
            after_epoch(history)
        bar.set_postfix_str(f"accuracy {row['accuracy']:.2f}, validation {row['val_accuracy']:.2f}")
        bar.update()
    bar.close()
    learned = domain.learn(table, jobs=jobs, show=show)
    return _finish(partial, out, recipe, table, labels, history, plan, val_x, val_y, learned)


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
    _compare(runs.read_info(out), _plan(recipe, table, ordered_labels(table.label), seed=seed, epochs=epochs), out)
    return True


def content(table):
    """A digest of a table from `serlib.split`: the same clips, labels and roles give the same one.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    str
    """
    roles = "\n".join(sorted(table.digest + " " + table.role + " " + table.label))
    return hashlib.blake2b(roles.encode(), digest_size=16).hexdigest()


def _pass(model, step, batch_size, x, y, weights=None):
    """Take all clips through the model, batch by batch: loss and accuracy as `model.fit` gives them.

    `model.fit` would build a data pipeline for each epoch, which takes as long as a small model takes to learn.
    """
    model.reset_metrics()
    for first in range(0, len(x), batch_size):
        part = slice(first, first + batch_size)
        step(iter([(x[part], y[part]) if weights is None else (x[part], y[part], weights[part])]))
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


def _plan(recipe, table, labels, *, seed, epochs):
    """What makes two trainings the same training."""
    return {
        "recipe": recipe.to_dict(),
        "epochs": epochs,
        "seed": seed,
        "labels": labels,
        "clips": content(table),
    }


def _finished(out, plan, resume):
    if not resume:
        raise SerlibError(
            f"{shown(out)} exists already; choose another folder, resume it (--resume) or replace it (--overwrite)."
        )
    found = runs.read_info(out)
    _compare(found, plan, out)
    _tidy(out)  # killed after it had its name
    return runs.Run.load(out)


def _check_same_plan(partial, plan, resume):
    if not resume:
        raise SerlibError(
            f"{shown(partial)} holds an interrupted training; go on with it (--resume) or replace it (--overwrite)."
        )
    try:
        found = json.loads((partial / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        shutil.rmtree(partial)  # killed before it had begun
        return
    _compare(found, plan, partial)


def _compare(found, plan, folder):
    found, same = _settings(found), _settings(json.loads(json.dumps(plan)))
    for key in same:
        if found.get(key) != same[key]:
            told = f" ({found.get(key)}, not {same[key]})" if key in ("epochs", "seed", "labels") else ""
            what = {"clips": "clips or roles"}.get(key, key)
            raise SerlibError(
                f"{shown(folder)} has other {what}{told}; choose another folder or replace it (--overwrite)."
            )


def _settings(plan):
    """A plan without what is only told about a recipe."""
    told = ("title", "source", "reported", "split", "test_share", "validation_share")
    return {**plan, "recipe": {key: value for key, value in plan["recipe"].items() if key not in told}}


def _write_plan(partial, plan, table):
    for left in partial.glob(".partial-*"):  # of a killed training: nobody else writes here
        remove(left)
    with atomic_path(partial / "split.csv") as path:
        table.to_csv(path, index=False)
    with atomic_path(partial / "plan.json") as path:
        path.write_text(json.dumps(plan, indent=1), encoding="utf-8")


def _state_path(partial, epoch):
    return partial / f"epoch-{epoch:04d}.keras"


def _save_state(partial, model, history):
    """Keep the model with its optimiser after the last and the best epoch. The history is written last: an epoch
    counts once it stands there."""
    with atomic_path(_state_path(partial, len(history))) as path:
        model.save(path)
    with atomic_path(partial / "history.csv") as path:
        pd.DataFrame(history).to_csv(path, index=False)
    keep = {_state_path(partial, epoch) for epoch in (len(history), best_epoch(history) + 1)}
    for path in set(partial.glob("epoch-*.keras")) - keep:
        path.unlink()


def _last_state(partial):
    """History and model of the last epoch that counts; an empty history and None before the first."""
    if not (partial / "history.csv").is_file():
        return [], None
    history = pd.read_csv(partial / "history.csv", float_precision="round_trip").to_dict("records")
    return history, runs.load_model(_state_path(partial, len(history)), compiled=True)


def _finish(partial, out, recipe, table, labels, history, plan, val_x, val_y, learned):
    kept = len(history) if recipe.keep == "last" else best_epoch(history) + 1
    model = runs.load_model(_state_path(partial, kept))
    with atomic_path(partial / "model.keras") as path:
        model.save(path)
    row = history[kept - 1]
    chosen = dict(calibration.UNCHANGED)
    if table.attrs["split"]["protocol"] != "published":  # there the validation role is the test role
        starts = range(0, len(val_x), recipe.batch_size)
        answers = [model(val_x[i : i + recipe.batch_size], training=False) for i in starts]
        chosen = calibration.fit(val_y.argmax(axis=1), np.concatenate(answers))
    info = {
        "format": runs.FORMAT,
        **plan,
        "features": recipe.features.to_dict(),
        "corpora": list(dict.fromkeys(table.corpus)),
        "split": table.attrs["split"],
        "counts": {role: len(rows(table, role)) for role in ("train", "validation", "test")},
        "parameters": model.count_params(),
        "kept_epoch": kept,
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "metrics": {key: round(float(row[key]), 6) for key in ("loss", "accuracy", "val_loss", "val_accuracy")},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("serlib", "tensorflow", "keras", "librosa", "numpy")},
        },
        "calibration": chosen,
        "probes": runs.probe(model, recipe.features, labels),
        "domain": learned,
    }
    with atomic_path(partial / "run.json") as path:
        path.write_text(json.dumps(info, indent=1), encoding="utf-8")
    partial.rename(out)  # from here on it is a finished run; what follows only tidies up
    _tidy(out)
    return runs.Run.load(out)


def _tidy(out):
    """Remove from a finished run what only its training needed, and what killed processes left in it."""
    for path in [*out.glob("epoch-*.keras"), *out.glob(".partial-*"), out / "plan.json"]:
        remove(path)
