"""What a training keeps: its plan, its state after each epoch, and in the end the run folder.

While a training goes on its folder is called `.partial`. A training that was killed finds there the last epoch that
counts; whatever is half written does not count.
"""

import contextlib
import hashlib
import json
import platform
import shutil
from importlib.metadata import version

import numpy as np
import pandas as pd

from serlib import calibration, runs
from serlib.base import SerlibError, alone, atomic_path, disk_fault, remove, shown
from serlib.epochs import best_epoch
from serlib.splits import rows

#: In the folder of a training while it goes on.
LOCK = ".lock"


@contextlib.contextmanager
def at_work(partial):
    """One training at a time in a folder; nothing is left of one that failed before it had begun."""
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, partial) from None
    with alone(partial / LOCK, f"Another process is training in {shown(partial)}; wait for it."):
        try:
            yield
        finally:
            remove(partial / LOCK)
            with contextlib.suppress(OSError):
                partial.rmdir()  # an empty one


def content(table):
    """A digest of a table from `serlib.split`: the same clips, roles, labels, speakers and texts give the same one.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    str
    """
    columns = (table[name].astype(str) for name in ("digest", "role", "label", "corpus", "speaker", "text"))
    lines = sorted("\t".join(row) for row in zip(*columns, strict=True))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def plan(recipe, table, labels, *, seed, epochs):
    """What makes two trainings the same training."""
    if not {"kind", "protocol"} <= set(table.attrs.get("split", {})):
        raise SerlibError(
            "The table does not say how it was split (pandas forgets it when tables are merged); make it with "
            "serlib.split last of all."
        )
    return {
        "recipe": recipe.to_dict(),
        "epochs": epochs,
        "seed": seed,
        "labels": labels,
        "clips": content(table),
    }


def finished(out, plan, resume):
    """The run that stands at `out`, provided that it is of this plan and may be used again."""
    if not resume:
        raise SerlibError(
            f"{shown(out)} exists already; choose another folder, resume it (--resume) or replace it (--overwrite)."
        )
    found = runs.read_info(out)
    compare(found, plan, out)
    _tidy(out)  # killed after it had its name
    return runs.Run.load(out)


def throw_away(folder):
    """Remove a run, whole or begun, but nothing that is none."""
    if not folder.exists():
        return
    names = {path.name for path in folder.iterdir() if path.name[0] != "."} if folder.is_dir() else {folder.name}
    begun = names <= {"split.csv"}  # killed before it had a plan
    if not begun and not names & {"run.json", "plan.json"}:
        raise SerlibError(f"{shown(folder)} is no run, so it is not replaced; choose another folder.")
    shutil.rmtree(folder, ignore_errors=True)


def check_same_plan(partial, plan, resume):
    """Refuse an interrupted training of another plan; throw away what was killed before it had begun."""
    if not resume:
        raise SerlibError(
            f"{shown(partial)} holds an interrupted training; go on with it (--resume) or replace it (--overwrite)."
        )
    try:
        found = json.loads((partial / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        for left in partial.iterdir():  # killed before it had begun
            if left.name != LOCK:
                remove(left)
        return
    compare(found, plan, partial)


def compare(found, plan, folder):
    """Refuse a training that is not of this plan, in words."""
    found, same = _settings(found), _settings(json.loads(json.dumps(plan)))
    for key in same:
        if found.get(key) != same[key]:
            told = f" ({found.get(key)}, not {same[key]})" if key in ("epochs", "seed", "labels") else ""
            what = {"clips": "clips or roles"}.get(key, key)
            raise SerlibError(
                f"{shown(folder)} has other {what}{told}; choose another folder (--out), or replace it (train "
                "--overwrite; fit(..., overwrite=True))."
            )


def _settings(plan):
    """A plan without what is only told about a recipe."""
    told = ("title", "source", "reported", "split", "test_share", "validation_share")
    return {**plan, "recipe": {key: value for key, value in plan["recipe"].items() if key not in told}}


def write_plan(partial, plan, table):
    """Begin: what is trained on what stands in the folder before the first epoch."""
    for left in partial.glob(".partial-*"):  # of a killed training: nobody else writes here
        remove(left)
    with atomic_path(partial / "split.csv") as path:
        table.to_csv(path, index=False)
    with atomic_path(partial / "plan.json") as path:
        path.write_text(json.dumps(plan, indent=1), encoding="utf-8")


def _state_path(partial, epoch):
    return partial / f"epoch-{epoch:04d}.keras"


def save_state(partial, model, history):
    """Keep the model with its optimiser after the last and the best epoch. The history is written last: an epoch
    counts once it stands there."""
    with atomic_path(_state_path(partial, len(history))) as path:
        model.save(path)
    with atomic_path(partial / "history.csv") as path:
        pd.DataFrame(history).to_csv(path, index=False)
    keep = {_state_path(partial, epoch) for epoch in (len(history), best_epoch(history) + 1)}
    for path in set(partial.glob("epoch-*.keras")) - keep:
        path.unlink()


def last_state(partial):
    """History and model of the last epoch that counts; an empty history and None before the first."""
    if not (partial / "history.csv").is_file():
        return [], None
    history = pd.read_csv(partial / "history.csv", float_precision="round_trip").to_dict("records")
    return history, runs.load_model(_state_path(partial, len(history)), compiled=True)


def kept(partial, recipe, history):
    """The model that the recipe keeps, and its epoch."""
    epoch = len(history) if recipe.keep == "last" else best_epoch(history) + 1
    return runs.load_model(_state_path(partial, epoch)), epoch


def finish(partial, out, recipe, table, labels, history, plan, *, model, epoch, metrics, held_out, learned):
    """Make the run folder whole and give it its name.

    Parameters
    ----------
    partial, out : Path
    recipe, table, labels, history, plan
        As everywhere here.
    model : keras.Model
        What is kept, of which `epoch`.
    epoch : int
    metrics : dict
        loss, accuracy, val_loss, val_accuracy of this model.
    held_out : tuple of np.ndarray
        Features and one-hot labels of the validation role.
    learned : dict
        From `serlib.domain.learn`.

    Returns
    -------
    Run
    """
    with atomic_path(partial / "model.keras") as path:
        model.save(path)
    chosen = dict(calibration.UNCHANGED)
    if table.attrs["split"]["protocol"] != "published":  # there the validation role is the test role
        x, y = held_out
        starts = range(0, len(x), recipe.batch_size)
        answers = [model(x[i : i + recipe.batch_size], training=False) for i in starts]
        chosen = calibration.fit(y.argmax(axis=1), np.concatenate(answers))
    info = {
        "format": runs.FORMAT,
        **plan,
        "features": recipe.features.to_dict(),
        "corpora": list(dict.fromkeys(table.corpus)),
        "split": table.attrs["split"],
        "counts": {role: len(rows(table, role)) for role in ("train", "validation", "test")},
        "parameters": model.count_params(),
        "kept_epoch": epoch,
        "seconds": round(sum(row["seconds"] for row in history), 1),
        "metrics": {key: round(float(metrics[key]), 6) for key in ("loss", "accuracy", "val_loss", "val_accuracy")},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("serlib", "tensorflow", "keras", "librosa", "numpy")},
        },
        "machine": runs.machine(),
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
    for path in [*out.glob("epoch-*.keras"), *out.glob(".partial-*"), out / "plan.json", out / LOCK]:
        remove(path)
