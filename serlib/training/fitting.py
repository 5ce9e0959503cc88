"""Train a recipe on a split; leave a run folder.

The loop over the epochs stands here in the open; what changes from one to the next is in `serlib.training.schedule`.
"""

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import augment
from serlib.augment.frames import lengths
from serlib.features import normalisation
from serlib.features.spec import extract_together
from serlib.features.spec import names as column_names
from serlib.models import recipes
from serlib.models.committee import Committee
from serlib.models.probe import LinearProbe, clip_weights
from serlib.models.tuning import Tuned
from serlib.splits import clips_of_role
from serlib.training import novelty, state
from serlib.training.run import read_info
from serlib.training.schedule import Examples, draw, learning_rate, should_stop
from serlib.utils import SerlibError, check_seed, clip_table, import_tensorflow, progress

#: How many frames are padded with as many, to see whether that changes an answer, and what is only rounding.
SOME_FRAMES = 16
PADDING_TOLERANCE = 1e-4


class NotFinite(SerlibError):
    """The loss of a training became infinite or no number."""


def fit(
    recipe, table, *, out, seed=0, epochs=None, resume=False, overwrite=False, after_epoch=None, jobs=None, show=None
):
    """Train a recipe on the training set of a table and write a run folder.

    Parameters
    ----------
    recipe : str or BaseRecipe
        By name in `serlib.RECIPES`, or itself.
    table : pd.DataFrame
        From `serlib.split`. Only the roles train and validation are looked at.
    out : str or Path
        Folder of the run. While training it is called `out` + `.partial`; it gets its name when it is whole.
    seed : int
        Of weights, order, augmentation and dropout (`serlib.augment.Copies` are made once for all seeds). It is set for
        the whole process (`keras.utils.set_random_seed`).
    epochs : int, optional
        Instead of the recipe's. Members of a committee share them.
    resume : bool
        Go on from the last finished epoch of an interrupted training; a finished run with the same settings is
        loaded and returned.
    overwrite : bool
        Throw away the run that stands at `out`, once the training begins.
    after_epoch : callable, optional
        Called with the history (a list with a dict an epoch) whenever an epoch is saved, to draw or to stop.
    jobs, show
        As for `serlib.extract`.

    Returns
    -------
    Run, loaded from its folder

    Raises
    ------
    SerlibError
        `out` is taken, or holds something else; the model's answers depend on padding; the loss is not finite.

    Notes
    -----
    On one machine the same seed gives the same history; between machines the last digits differ.

    Examples
    --------
    >>> import tempfile
    >>> from serlib import evaluate, index, split
    >>> from serlib.corpora import sample
    >>> folder = Path(tempfile.mkdtemp())
    >>> clips = index("sample", sample.make(folder / "sample", words=2))
    >>> run = fit("functionals", split(clips, "random"), out=folder / "run", epochs=2)
    >>> run.kind, len(run.history), evaluate(run).n_test
    ('random', 2, 7)

    Taught in notebooks/04_lstm_train.
    """
    check_seed(seed)
    training = _training(recipe, clip_table(table, needs=("speech", "label", "role")), out, seed, epochs)
    training = replace(training, table=state.with_files(training.table))
    if training.out.exists() and not overwrite:
        return state.load_finished(training, resume=resume)
    with state.at_work(training.folder):
        if overwrite:
            state.refuse_foreign(training.out)
            state.throw_away(training.folder)
        elif training.out.exists():  # another process has finished it meanwhile
            return state.load_finished(training, resume=resume)
        else:
            state.check_begun(training, resume=resume)
        # One pass over the sound: what the model learns from, and what tells later whether a sound is like it.
        members = getattr(training.recipe, "members", ())
        specs = {training.recipe.features, *(member.features for member in members), novelty.SPEC}
        extract_together(training.table, specs, jobs=jobs, show=show)
        examples = _examples(training, jobs=jobs, show=show)
        if isinstance(training.recipe, Committee):
            result = _fit_members(training, examples, after_epoch=after_epoch, jobs=jobs, show=show)
        elif isinstance(training.recipe, LinearProbe):
            result = _solve(training, examples, after_epoch=after_epoch)
        else:
            result = _fit(training, examples, after_epoch=after_epoch, show=show)
        domain = novelty.learn(training.table, jobs=jobs, show=show)
        return state.finish(training, result, examples, domain)


def _training(recipe, table, out, seed, epochs):
    recipe = recipes.get(recipe)
    table = table.reset_index(drop=True)  # rows of the features are found by number
    return state.Training(recipe, table, seed, recipe.epochs if epochs is None else epochs, Path(out))


def _fit(training, examples, *, after_epoch, show):
    """Train one model, epoch by epoch, from where the folder stands."""
    recipe = training.recipe
    seed = training.seed
    epochs = training.epochs
    import_tensorflow()
    import keras

    # Many models in one process look to TensorFlow like one that is traced too often, and it warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.utils.set_random_seed(seed)
    history, model = state.last_state(training.folder)
    if model is None:
        model = _untrained(training, examples)
        _check_padding(training.recipe, model, examples.x)
    state.write_plan(training)
    model.make_train_function()
    model.make_test_function()
    bar = progress(total=epochs, desc=f"{recipe.name}, seed {seed}", unit="epoch", show=show)
    bar.update(len(history))
    while len(history) < epochs and not should_stop(history, recipe):
        start_s = time.perf_counter()
        epoch = len(history) + 1
        model.optimizer.learning_rate = learning_rate(history, recipe, epochs)
        rng = np.random.default_rng([seed, epoch])
        _reseed(model, rng)
        row = {"epoch": epoch, **_pass(model, model.train_function, recipe.batch_size, draw(recipe, examples, rng))}
        row |= _validate(model, recipe.batch_size, examples)
        if not np.isfinite([row["loss"], row["val_loss"]]).all():
            raise NotFinite(f"The loss of {recipe.name} is not finite in epoch {epoch}; lower the learning rate.")
        row["learning_rate"] = float(model.optimizer.learning_rate)
        row["seconds"] = round(time.perf_counter() - start_s, 3)
        history.append(row)
        state.save_state(training.folder, model, history)
        if epoch == 1:
            state.check_state(training)
        if after_epoch:
            after_epoch(history)
        bar.set_postfix_str(f"accuracy {row['accuracy']:.2f}, validation {row['val_accuracy']:.2f}")
        bar.update()
    bar.close()
    kept = state.outcome(training, history)
    if isinstance(recipe, Tuned):
        model = recipe.settle(kept.model, examples.x, examples.y, clip_weights(clips_of_role(training.table, "train")))
        kept = replace(kept, model=model, metrics=_metrics(model, recipe.batch_size, examples))
    return kept


def _untrained(training, examples):
    """The recipe's model with its first weights; it takes any number of frames where the features have no length."""
    if isinstance(training.recipe, Tuned):
        return training.recipe.start(examples.x, examples.y, clip_weights(clips_of_role(training.table, "train")))
    x = examples.x
    shape = x.shape[1:]
    if x.ndim == 3 and training.recipe.features.frames is None:
        shape = (None, x.shape[2])
    return training.recipe.model(len(training.labels), shape=shape, examples=(x, *examples.copies))


def _check_padding(recipe, model, x):
    """Raise a SerlibError where answers depend on the padding behind a clip: `evaluate`, which pads clips to the
    longest one, would then judge other answers than `Recognizer` gives."""
    if x.ndim == 2 or model.input_shape[1] is not None or recipe.precision != "float32":
        return
    clip = x[:1][:, :SOME_FRAMES]
    clip = clip[:, : lengths(clip)[0]]
    padded = np.pad(clip, ((0, 0), (0, SOME_FRAMES), (0, 0)))
    alone, behind = (np.asarray(model(values, training=False)) for values in (clip, padded))
    if abs(alone - behind).max() > PADDING_TOLERANCE:
        raise SerlibError(
            f"The answers of {recipe.name} depend on the padding behind a clip. Build it of layers that know padding, "
            "as those of serlib.models.blocks and serlib.models.layers do, or give its features a number of frames."
        )


def _fit_members(training, examples, *, after_epoch, jobs, show):
    """Train the members of a committee, each to a run folder of its own within this one, and join their models."""
    epochs_of_members = training.recipe.epochs_of_members(training.epochs)
    state.write_plan(training)
    members = []
    for member, epochs in zip(training.recipe.members, epochs_of_members, strict=True):
        run = fit(
            member,
            training.table,
            out=training.folder / "members" / member.name,
            seed=training.seed,
            epochs=epochs,
            resume=True,
            after_epoch=after_epoch,
            jobs=jobs,
            show=show,
        )
        members.append(run)
    history = pd.concat([run.history.assign(member=run.info["recipe"]["name"]) for run in members], ignore_index=True)
    history["epoch"] = range(1, len(history) + 1)
    state.write_history(training.folder, history)
    model = training.recipe.join([run.model for run in members])
    metrics = _metrics(model, training.recipe.batch_size, examples)
    return state.Outcome(model, len(history), metrics, history.seconds.sum())


def _solve(training, examples, *, after_epoch):
    """Train a probe, which has one answer: no epochs, and the seed decides the split alone."""
    recipe = training.recipe
    state.write_plan(training)
    import_tensorflow()
    start_s = time.perf_counter()
    model = recipe.solve(examples.x[:], examples.y, clip_weights(clips_of_role(training.table, "train")))
    seconds = round(time.perf_counter() - start_s, 3)
    metrics = _metrics(model, recipe.batch_size, examples)
    history = [{"epoch": 1, **metrics, "seconds": seconds}]
    state.write_history(training.folder, history)
    if after_epoch:
        after_epoch(history)
    return state.Outcome(model, 1, metrics, seconds)


def finished(recipe, table, *, out, seed=0, epochs=None):
    """Whether the run that `fit` would make stands at `out` already; parameters as for `fit`. The model is not loaded.

    Raises
    ------
    SerlibError
        `out` is a run with other settings, or none.
    """
    training = _training(recipe, table, out, seed, epochs)
    if not training.out.exists():
        return False
    training = replace(training, table=state.with_files(training.table))
    state.refuse_other(training, read_info(training.out), training.out)
    return True


def _pass(model, step, batch_size, pieces):
    """Take pieces (x, y) through the model, batch by batch: loss and accuracy as `model.fit` gives them.

    `model.fit` would build a data pipeline for each epoch, which takes as long as a small model takes to learn. `step`
    is the model's train_function or test_function. Where the model takes any number of frames, a batch is as long as
    its longest clip: padding costs time and says nothing.
    """
    model.reset_metrics()
    for x, y in pieces:
        ends = lengths(x) if x.ndim == 3 and model.input_shape[1] is None else None
        for first in range(0, len(x), batch_size):
            part = slice(first, first + batch_size)
            batch = x[part] if ends is None else x[part, : ends[part].max()]
            step(iter([(batch, y[part])]))
    result = model.get_metrics_result()
    return {name: float(result[name]) for name in ("loss", "accuracy")}


def _metrics(model, batch_size, examples):
    """Loss and accuracy of a finished model on both sets."""
    model.make_test_function()
    train = _judged(model, batch_size, examples.x, examples.y)
    return {**train, **_validate(model, batch_size, examples)}


def _validate(model, batch_size, examples):
    """Loss and accuracy on the validation set, as `val_loss` and `val_accuracy`."""
    result = _judged(model, batch_size, examples.val_x, examples.val_y)
    return {f"val_{name}": value for name, value in result.items()}


def _judged(model, batch_size, x, y):
    pieces = ((x[part], y[part]) for part in normalisation.parts(x, multiple=batch_size))
    return _pass(model, model.test_function, batch_size, pieces)


def _reseed(model, rng):
    """Set the random state of the dropout layers, which Keras does not save: what an epoch draws then depends on its
    number alone, and a resumed training draws what an unbroken one does."""
    for variable in model.variables:
        if variable.path.endswith("seed_generator_state"):
            variable.assign(rng.integers(2**31, size=variable.shape).astype(variable.dtype))


def _examples(training, *, jobs, show):
    """The `Examples` of a training."""
    recipe = training.recipe
    table = training.table
    values, voices = normalisation.inputs(table, recipe.features, recipe.normalise, jobs=jobs, show=show)
    train = clips_of_role(table, "train").index.to_numpy()
    validation = clips_of_role(table, "validation").index.to_numpy()
    x = values.select(train)
    copies = []
    for change in recipe.augment:
        if not isinstance(change, augment.Copies):
            continue
        # Of all clips, so that every split of a corpus finds them in the cache; only those of the training set
        # are looked at.
        for copy in augment.copies(table, recipe.features, change, jobs=jobs, show=show):
            copies.append(normalisation.LazyFeatures(copy, train, who=values.who, voices=voices))
    if copies and x.ndim == 3:  # stretched copies may be longer
        longest = max(part.shape[1] for part in (x, *copies))
        x, *copies = [part.select(slice(None), frames=longest) for part in (x, *copies)]
    return Examples(
        x=x.in_memory(),
        y=_one_hot(table.label[train], training.labels),
        copies=tuple(copy.in_memory() for copy in copies),
        val_x=values.select(validation).in_memory(),
        val_y=_one_hot(table.label[validation], training.labels),
        columns=column_names(recipe.features),
        groups=table.loc[train, ["corpus", "label"]].groupby(["corpus", "label"]).ngroup().to_numpy(),
    )


def _one_hot(label, labels):
    """[shape=(clips, labels)], float32."""
    return (label.to_numpy()[:, np.newaxis] == np.array(labels)).astype(np.float32)
