"""A training on its way: its plan, its state after each epoch, and in the end the run folder.

While a training goes on its folder is called `.partial`. A training that was killed finds there the last epoch that
counts; whatever is half written does not count.
"""

import contextlib
import functools
import hashlib
import json
import numbers
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import audio
from serlib.models.committee import Committee
from serlib.models.recipe import BaseRecipe, in_single_precision
from serlib.splits import clips_of_role
from serlib.training import calibration
from serlib.training.run import FORMAT, Run, load_model, machine, probe_answers, read_info
from serlib.training.schedule import best_epoch
from serlib.utils import ROLES, SerlibError, alone, atomic_path, disk_fault, ordered_labels, remove, shown

#: What ends the name of the folder of a training until the run is whole.
PARTIAL = ".partial"

#: What is only told about a recipe, and does not make another training of it.
DESCRIPTIONS = ("title", "source", "reported", "split", "test_share", "validation_share")


@dataclass(frozen=True)
class Training:
    """One training: a recipe, a table from `serlib.split` with rows numbered from 0, and the folder of the run."""

    recipe: BaseRecipe
    table: pd.DataFrame
    seed: int
    epochs: int
    out: Path

    def __post_init__(self):
        if not isinstance(self.epochs, numbers.Integral) or self.epochs < 1:
            raise SerlibError(f"A training needs at least one epoch, not {self.epochs}; choose a whole number.")
        for name in ("epochs", "seed"):
            object.__setattr__(self, name, int(getattr(self, name)))  # NumPy's numbers are none for JSON and Keras
        if isinstance(self.recipe, Committee):
            self.recipe.epochs_of_members(self.epochs)  # raises where they are too few
        if not {"kind", "protocol"} <= set(self.table.attrs.get("split", {})):
            raise SerlibError(
                "The table does not say how it was split (pandas forgets it when tables are merged); make it with "
                "serlib.split last of all."
            )
        strange = sorted(set(self.table.role) - set(ROLES))
        if strange:
            raise SerlibError(
                f"The table has the role '{strange[0]}'; expected {', '.join(ROLES)}: take out clips that have none."
            )
        untaught = [label for label in self.labels if label not in set(clips_of_role(self.table, "train").label)]
        if untaught:
            raise SerlibError(f"No clip labelled {', '.join(untaught)} has the role train; add some or take these out.")
        if clips_of_role(self.table, "validation").empty:
            raise SerlibError("No clip has the role validation, by which a training is judged; give some of train's.")

    @functools.cached_property
    def labels(self):
        """Labels in the order of the model's outputs."""
        return ordered_labels(self.table.label)

    @property
    def folder(self):
        """What the folder is called until the run is whole."""
        out = self.out.absolute()  # "." has no name
        return out.with_name(out.name + PARTIAL)

    @functools.cached_property
    def plan(self):
        """What makes two trainings the same training, as JSON can hold it."""
        return {
            "recipe": self.recipe.to_dict(),
            "epochs": self.epochs,
            "seed": self.seed,
            "labels": self.labels,
            "clips": content(self.table),
        }


@dataclass(frozen=True)
class Outcome:
    """What a training ends with: the model that is kept, its epoch and metrics, and the seconds of all epochs."""

    model: object
    epoch: int
    metrics: dict
    seconds: float


def with_files(table):
    """A table with the columns `digest`, `duration_s` and `rate_hz`; where they say nothing, the file is read."""
    lacks_facts = pd.Series(not {"digest", "duration_s"} <= set(table.columns), index=table.index)
    for name in {"digest", "duration_s"} & set(table.columns):
        lacks_facts |= table[name].isna()
    if not lacks_facts.any():
        return table
    facts = []
    for path in table.speech[lacks_facts]:
        with audio.opened(path) as file:
            duration_s, rate_hz, _, _ = audio.survey(file, path)
        facts.append((audio.path_digest(path), duration_s, rate_hz))
    read = pd.DataFrame(facts, columns=["digest", "duration_s", "rate_hz"], index=table.index[lacks_facts])
    return table.assign(**{name: table[name].fillna(read[name]) if name in table else read[name] for name in read})


def content(table):
    """A digest of a table from `serlib.split`: the same clips, roles, labels, speakers and texts give the same one."""
    columns = [table[name].astype(str) for name in ("digest", "role", "label", "corpus", "speaker", "text")]
    lines = sorted("\t".join(row) for row in zip(*columns, strict=True))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def refuse_other(training, plan, folder):
    """Raise a SerlibError that says what differs where a plan (of a plan.json or run.json) is not the training's."""
    for key, value in json.loads(json.dumps(training.plan)).items():
        if _identity(plan.get(key)) == _identity(value):
            continue
        difference = "clips or roles" if key == "clips" else key
        if key in ("epochs", "seed", "labels"):
            difference += f" ({plan.get(key)}, not {value})"
        raise SerlibError(
            f"{shown(folder)} has other {difference}; choose another folder (--out), or replace it (train --overwrite; "
            "fit(..., overwrite=True))."
        )


def _identity(value):
    """A part of a plan without what only describes the recipe, its members or its probe."""
    if isinstance(value, dict):
        return {name: _identity(item) for name, item in value.items() if name not in DESCRIPTIONS}
    return [_identity(item) for item in value] if isinstance(value, list) else value


def load_finished(training, *, resume):
    """The run that stands in the folder of a training, provided that it is this training's and may be used again."""
    if not resume:
        raise SerlibError(
            f"{shown(training.out)} exists already; choose another folder, resume it (--resume) or replace it "
            "(--overwrite)."
        )
    refuse_other(training, read_info(training.out), training.out)
    _tidy(training)  # killed after it had its name
    return Run.load(training.out)


def refuse_foreign(folder):
    """Raise a SerlibError where a folder is no run, neither whole nor begun, so that it may not be replaced."""
    if not folder.exists():
        return
    names = {folder.name}
    if folder.is_dir():
        names = {path.name for path in folder.iterdir() if not path.name.startswith(".partial-")}
    before_the_plan = {"split.csv"} if folder.name.endswith(PARTIAL) else set()
    if not names <= before_the_plan and not names & {"run.json", "plan.json"}:
        raise SerlibError(f"{shown(folder)} is no run, so it is not replaced; choose another folder.")


def throw_away(folder):
    """Remove a run, whole or begun; a SerlibError where a folder is neither."""
    refuse_foreign(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _lock(folder):
    """The file that keeps others out, beside the folder: Windows renames none while a file in it is open."""
    return folder.with_name(f".{folder.name}.lock")


@contextlib.contextmanager
def at_work(folder):
    """One training at a time in a folder; nothing is left of one that failed before it had begun."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, folder) from None
    lock = _lock(folder)
    with alone(lock, f"Another process is training in {shown(folder)}; wait for it."):
        try:
            yield
        finally:
            remove(lock)
            with contextlib.suppress(OSError):
                folder.rmdir()  # an empty one


def check_begun(training, *, resume):
    """Refuse an interrupted training of another plan; throw away what was killed before it had begun."""
    if not any(training.folder.iterdir()):
        return
    if not resume:
        raise SerlibError(
            f"{shown(training.folder)} holds an interrupted training; go on with it (--resume) or replace it "
            "(--overwrite)."
        )
    try:
        plan = json.loads((training.folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # killed before it had begun
        throw_away(training.folder)
        return
    refuse_other(training, plan, training.folder)


def write_plan(training):
    """Begin: what is trained on what stands in the folder before the first epoch, and what is overwritten goes."""
    throw_away(training.out)
    for path in training.folder.glob(".partial-*"):  # of a killed training: nobody else writes here
        remove(path)
    with atomic_path(training.folder / "split.csv") as path:
        training.table.to_csv(path, index=False)
    with atomic_path(training.folder / "plan.json") as path:
        path.write_text(json.dumps(training.plan, indent=1), encoding="utf-8")


def write_history(folder, history):
    """Write history.csv: a row an epoch, in a list of dicts or a table."""
    with atomic_path(folder / "history.csv") as path:
        pd.DataFrame(history).to_csv(path, index=False)


def _state_path(folder, epoch):
    return folder / f"epoch-{epoch:04d}.keras"


def save_state(folder, model, history):
    """Keep the model with its optimiser after the last and the best epoch. The history is written last: an epoch
    counts once it stands there."""
    with atomic_path(_state_path(folder, len(history))) as path:
        model.save(path)
    write_history(folder, history)
    files = {_state_path(folder, epoch) for epoch in (len(history), best_epoch(history) + 1)}
    for path in set(folder.glob("epoch-*.keras")) - files:
        path.unlink()


def last_state(folder):
    """History and model of the last epoch that counts; an empty history and None before the first."""
    if not (folder / "history.csv").is_file():
        return [], None
    history = pd.read_csv(folder / "history.csv", float_precision="round_trip").to_dict("records")
    return history, load_model(_state_path(folder, len(history)), compiled=True)


def check_state(training):
    """Raise a SerlibError where the saved model cannot be loaded again, which all epochs would be lost by."""
    try:
        last_state(training.folder)
    except SerlibError as error:
        reason = str(error.__cause__).splitlines()[0][:200]
        raise SerlibError(
            f"A model of {training.recipe.name} cannot be loaded again once it is saved ({reason}); build it without "
            "Lambda, and register layers of your own (keras.saving.register_keras_serializable)."
        ) from error


def outcome(training, history):
    """The epoch that the recipe keeps, the last or the best one."""
    epoch = len(history) if training.recipe.keep == "last" else best_epoch(history) + 1
    model = load_model(_state_path(training.folder, epoch))
    if training.recipe.precision != "float32":
        model = in_single_precision(model)
    return Outcome(model, epoch, history[epoch - 1], sum(row["seconds"] for row in history))


def finish(training, outcome, examples, domain):
    """Make the run folder whole and give it its name; returns the Run.

    `examples` has the validation set, which decides temperature and threshold; `domain` is from `novelty.learn`.
    """
    folder = training.folder
    recipe = training.recipe
    table = training.table
    with atomic_path(folder / "model.keras") as path:
        outcome.model.save(path)
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    packages = {name: version(name) for name in ("serlib", "tensorflow", "keras", "librosa", "numpy")}
    info = {
        "format": FORMAT,
        **training.plan,
        "features": recipe.features.to_dict(),
        "corpora": list(dict.fromkeys(table.corpus)),
        "split": table.attrs["split"],
        "counts": {role: len(clips_of_role(table, role)) for role in ROLES},
        "parameters": outcome.model.count_params(),
        "kept_epoch": outcome.epoch,
        "seconds": round(outcome.seconds, 1),
        "metrics": {name: round(float(outcome.metrics[name]), 6) for name in names},
        "versions": {"python": platform.python_version(), **packages},
        "machine": machine(),
        "calibration": _calibrated(training, outcome.model, examples),
        "probes": probe_answers(outcome.model, recipe.features, training.labels),
        "domain": domain,
    }
    with atomic_path(folder / "run.json") as path:
        path.write_text(json.dumps(info, indent=1), encoding="utf-8")
    folder.rename(training.out)  # from here on it is a finished run; what follows only tidies up
    _tidy(training)
    return Run.load(training.out)


def _calibrated(training, model, examples):
    """Temperature and threshold from the validation set; none under the published protocol, whose test set it is."""
    if training.table.attrs["split"]["protocol"] == "published":
        return dict(calibration.UNCHANGED)
    x = examples.val_x
    size = training.recipe.batch_size
    answers = [model(x[first : first + size], training=False) for first in range(0, len(x), size)]
    return calibration.fit(examples.val_y.argmax(axis=1), np.concatenate(answers))


def _tidy(training):
    """Remove from a finished run what only its training needed, and what killed processes left in it."""
    out = training.out
    for path in [*out.glob("epoch-*.keras"), *out.glob(".partial-*"), out / "plan.json", _lock(training.folder)]:
        remove(path)
