"""A run: the folder that a training leaves, its state on the way there, and the check that it answers as it did.

    model.keras    the model, in Keras's own safe format
    run.json       recipe, features, labels in order, corpora, split, seed, versions, figures, probes; how sure the
                   model may be (`training.calibration`), what its training clips are like (`training.novelty`)
    split.csv      each clip with its role
    history.csv    one row an epoch

Nothing is pickled. The probes are three synthetic sounds with the probabilities that the model gave them on the day
it was trained: features, weights and the order of the labels are checked together when the run is loaded.

While a training goes on its folder is called `.partial`. A training that was killed finds there the last epoch that
counts; whatever is half written does not count.
"""

import contextlib
import functools
import hashlib
import json
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import audio
from serlib.features.spec import FeatureSpec, extract_clip, pad
from serlib.models.recipe import NORMALISATIONS, Recipe
from serlib.splits import rows
from serlib.training import calibration, modelfile, novelty
from serlib.training.schedule import best_epoch
from serlib.utils import ROLES, SerlibError, alone, atomic_path, disk_fault, ordered_labels, remove, shown

FILES = ("model.keras", "run.json", "split.csv", "history.csv")

#: Layout of the folder; another number is refused.
FORMAT = 1

#: Largest difference of a probability between the day of training and now that still counts as the same answer:
#: well above what another processor or TensorFlow release changes, well below what decides.
PROBE_TOLERANCE = 0.01

#: What may have been chosen on the test role: nothing, or all.
PROTOCOLS = ("held-out", "published")

#: No frame, no number of mel bands and no padding is larger than this.
LARGEST = 2**20

#: What an epoch is judged by.
METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")

#: What split.csv and history.csv hold at least.
SPLIT_COLUMNS = ("speech", "label", "speaker", "text", "role")
HISTORY_COLUMNS = ("epoch", "loss", "val_loss")


@dataclass(frozen=True)
class Run:
    """A trained model with all that is needed to use and to judge it.

    Attributes
    ----------
    folder : Path
    model : keras.Model
    info : dict
        run.json.
    split : pd.DataFrame
        The index with the column `role`.
    history : pd.DataFrame
        One row an epoch: loss, accuracy, val_loss, val_accuracy, learning_rate.
    """

    folder: Path
    model: object
    info: dict
    split: pd.DataFrame
    history: pd.DataFrame

    @property
    def labels(self):
        """Labels in the order of the model's outputs."""
        return self.info["labels"]

    @property
    def spec(self):
        """The FeatureSpec of the model's input."""
        return FeatureSpec.from_dict(self.info["features"])

    @property
    def kind(self):
        """Kind of the split."""
        return self.info["split"]["kind"]

    @property
    def protocol(self):
        """`held-out`, or `published` where the validation role was the test role."""
        return self.info["split"]["protocol"]

    @property
    def normalise(self):
        """How features are normalised, of `serlib.models.recipe.NORMALISATIONS`."""
        return self.info["recipe"]["normalise"]

    @property
    def temperature(self):
        """Of `serlib.training.calibration`; 1 where none was chosen."""
        return self.info.get("calibration", calibration.UNCHANGED)["temperature"]

    @property
    def is_calibrated(self):
        """Whether a temperature was fitted; under the published protocol and in older runs none was."""
        return "ece_before" in self.info.get("calibration", {})

    @property
    def threshold(self):
        """The confidence below which the model had better abstain; 0 where none was chosen."""
        return self.info.get("calibration", calibration.UNCHANGED)["threshold"]

    @property
    def domain(self):
        """What the training clips are like, of `serlib.training.novelty`; None in runs from before it was kept."""
        return self.info.get("domain")

    def probabilities(self, values, *, batch_size=256, calibrated=True):
        """The model's answers.

        Parameters
        ----------
        values : np.ndarray [shape=(clips, ...)]
            Features of this run's spec.
        batch_size : int
            Clips that are answered at once; the answers do not depend on it.
        calibrated : bool
            At the run's temperature; False: as the model gives them.

        Returns
        -------
        np.ndarray [shape=(clips, labels)], float64, rows add up to 1.
        """
        if not len(values):
            return np.zeros((0, len(self.labels)))
        starts = range(0, len(values), batch_size)
        # Called directly: model.predict traces a graph anew for each run that is loaded, and warns of it.
        parts = [self.model(np.asarray(values[i : i + batch_size]), training=False) for i in starts]
        return calibration.tempered(np.concatenate(parts), self.temperature if calibrated else 1.0)

    @classmethod
    def load(cls, folder):
        """Load a run and check that it answers as it did when it was trained.

        Raises
        ------
        SerlibError
            If the folder is no finished run, is of another format, or the answers differ.
        """
        folder = Path(folder)
        info = read_info(folder)
        split = _read_table(folder / "split.csv", SPLIT_COLUMNS)
        split.attrs = {"split": info["split"]}
        history = _read_table(folder / "history.csv", HISTORY_COLUMNS)
        run = cls(folder, load_model(folder / "model.keras"), info, split, history)
        check_probes(run)
        for name in [*(set(split.role) - set(ROLES)), *(set(split.label) - set(run.labels))]:
            raise SerlibError(f"{shown(folder)}/split.csv says '{name}', which run.json does not; train the run again.")
        return run


def read_info(folder):
    """run.json of a finished run, checked for what every reader of it relies on."""
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        what = "does not exist" if not folder.is_dir() else f"has no {missing[0]}"
        raise SerlibError(f"{shown(folder)} is not a finished run: it {what}; train one with python -m serlib train.")
    try:
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if info["format"] == FORMAT and (flaw := _flaw(info)):
            raise ValueError(flaw)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SerlibError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SerlibError(f"{shown(folder)}/run.json is damaged ({reason}); train the run again.") from error
    if info["format"] != FORMAT:
        raise SerlibError(
            f"{shown(folder)} has run format {info['format']}, this serlib reads format {FORMAT}; train the run again."
        )
    return info


def _flaw(info):
    """What in run.json its readers could not use; None where all is well."""
    labels = info["labels"]
    spec = FeatureSpec.from_dict(info["features"])
    chosen = info.get("calibration", calibration.UNCHANGED)
    learned = info.get("domain")
    largest = max(spec.frame, spec.n_mels, spec.frames or 1)
    answers = [probability for answer in info["probes"].values() for probability in answer.values()]
    faults = {
        "labels must be words": not labels or not all(isinstance(label, str) and label for label in labels),
        "each label may occur once": len(set(labels)) < len(labels),
        "the recipe has no name": not isinstance(info["recipe"]["name"], str),
        "its normalisation is not known": info["recipe"]["normalise"] not in NORMALISATIONS,
        "the split has no kind": not isinstance(info["split"]["kind"], str),
        "its protocol is not known": info["split"]["protocol"] not in PROTOCOLS,
        "its features": spec.rate_hz > audio.HIGHEST_HZ or largest > LARGEST,
        "its recipe has other features": info["recipe"].get("features", info["features"]) != info["features"],
        "its probes are others": set(info["probes"]) != set(probe_signals()),
        "its probes": not all(isinstance(probability, float) for probability in answers),
        "its versions": not isinstance(info.get("versions", {}), dict),
        "its temperature": not calibration.COLDEST <= chosen["temperature"] <= calibration.HOTTEST,
        "its threshold": not 0 <= chosen["threshold"] <= 1,
        "its domain": learned is not None and not novelty.is_sound(learned),
    }
    return next((what for what, is_wrong in faults.items() if is_wrong), None)


def load_model(path, *, compiled=False):
    """Load a Keras model without running code that it may hold.

    Parameters
    ----------
    path : Path
    compiled : bool
        With its loss and optimiser, to go on training.

    Returns
    -------
    keras.Model

    Raises
    ------
    SerlibError
        If the file is damaged, or no model that is safe to load.
    """
    import keras

    from serlib.models import layers, pooling  # noqa: F401  Keras finds our layers once they are registered

    try:
        modelfile.check(path)
        return keras.saving.load_model(path, compile=compiled, safe_mode=True)
    except Exception as error:  # Keras raises many types for a damaged or unsafe file
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SerlibError(f"{shown(path)} cannot be loaded ({reason}); train the run again.") from error


def _read_table(path, columns):
    text = dict.fromkeys(("speech", "speaker", "text", "label", "role"), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=path.name != "split.csv")
    except (OSError, ValueError) as error:  # pandas's own are ValueErrors
        raise SerlibError(f"{shown(path)} is damaged; train the run again.") from error
    if missing := [name for name in columns if name not in table]:
        raise SerlibError(f"{shown(path)} has no column {missing[0]}; train the run again.")
    return table


def example(y, rate_hz, spec):
    """What a model takes in for one clip: its features, padded as in training, as a batch of one.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    spec : FeatureSpec

    Returns
    -------
    np.ndarray [shape=(1, ...)], float32
    """
    values = extract_clip(y, rate_hz, spec)
    return (values if spec.summary or not spec.frames else pad(values, spec.frames))[np.newaxis]


def probe_signals():
    """Three sounds of two seconds at 16 kHz that exercise features and model alike, the same everywhere.

    Returns
    -------
    dict of name -> np.ndarray [shape=(32000,)], float32
    """
    rate_hz, n = 16000, 32000
    t = np.arange(n) / rate_hz
    noise = np.random.default_rng(0).standard_normal(n)
    pitch = 180 + 60 * np.sin(2 * np.pi * 1.5 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    voice = sum(np.sin(k * phase) / k for k in range(1, 20)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    chirp = np.sin(2 * np.pi * (100 * t + 1500 * t**2))
    signals = {"voice": 0.2 * voice, "chirp": 0.3 * chirp, "noise": 0.05 * noise}
    return {name: y.astype(np.float32) for name, y in signals.items()}


def probe(model, spec, labels):
    """Answers of a model to the probe signals.

    Returns
    -------
    dict of name -> dict of label -> probability
    """
    answers = {name: model(example(y, 16000, spec), training=False) for name, y in probe_signals().items()}
    return {name: dict(zip(labels, np.asarray(row)[0].tolist(), strict=True)) for name, row in answers.items()}


def check_probes(run):
    """Refuse a run whose model answers its probes otherwise than when it was trained."""
    if run.model.output_shape[-1] != len(run.labels):
        raise SerlibError(
            f"{shown(run.folder)} has {len(run.labels)} labels but a model with {run.model.output_shape[-1]} answers; "
            "the files do not belong together, train the run again."
        )
    try:
        answers = probe(run.model, run.spec, run.labels)
    except Exception as error:  # Keras raises many types where features do not fit
        raise SerlibError(
            f"{shown(run.folder)} has a model that cannot take in the features of its run.json; "
            "the files do not belong together, train the run again."
        ) from error
    for name, now in answers.items():
        then = run.info["probes"][name]
        gap = np.max([abs(p - then.get(label, np.inf)) for label, p in now.items()])  # of NaN it is NaN
        if not gap <= PROBE_TOLERANCE:
            raise SerlibError(
                f"{shown(run.folder)} answers its probe '{name}' otherwise than when it was trained (a probability "
                f"differs by {gap:.2f}); model, labels or feature code have changed{_versions(run.info)}; "
                "train the run again."
            )


def _versions(info):
    """Which packages are others now, in words."""
    others = []
    for name, then in info.get("versions", {}).items():
        try:
            now = platform.python_version() if name == "python" else version(name)
        except (PackageNotFoundError, ValueError):
            now = "not here"
        if now != then:
            others.append(f"{name} {then}, now {now}")
    return f" ({'; '.join(others)})" if others else ""


#: In the folder of a training while it goes on.
LOCK = ".lock"

#: What is only told about a recipe, and does not make another training of it.
DESCRIPTIONS = ("title", "source", "reported", "split", "test_share", "validation_share")


@dataclass(frozen=True)
class Training:
    """One training: what is trained, on what, and where it is kept.

    Attributes
    ----------
    recipe : Recipe
    table : pd.DataFrame
        From `serlib.split`, its rows numbered from 0.
    seed, epochs : int
    out : Path
        Folder of the run.
    """

    recipe: Recipe
    table: pd.DataFrame
    seed: int
    epochs: int
    out: Path

    @functools.cached_property
    def labels(self):
        """Labels in the order of the model's outputs."""
        return ordered_labels(self.table.label)

    @property
    def folder(self):
        """What the folder is called until the run is whole."""
        return self.out.with_name(self.out.name + ".partial")

    @functools.cached_property
    def plan(self):
        """What makes two trainings the same training, as JSON can hold it."""
        if not {"kind", "protocol"} <= set(self.table.attrs.get("split", {})):
            raise SerlibError(
                "The table does not say how it was split (pandas forgets it when tables are merged); make it with "
                "serlib.split last of all."
            )
        return {
            "recipe": self.recipe.to_dict(),
            "epochs": self.epochs,
            "seed": self.seed,
            "labels": self.labels,
            "clips": content(self.table),
        }


@dataclass(frozen=True)
class Outcome:
    """What a training ends with.

    Attributes
    ----------
    model : keras.Model
        The one that is kept, of which `epoch`.
    epoch : int
    metrics : dict
        loss, accuracy, val_loss, val_accuracy of this model.
    seconds : float
        That the epochs took.
    """

    model: object
    epoch: int
    metrics: dict
    seconds: float


def content(table):
    """A digest of a table from `serlib.split`: the same clips, roles, labels, speakers and texts give the same one.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    str
    """
    columns = [table[name].astype(str) for name in ("digest", "role", "label", "corpus", "speaker", "text")]
    lines = sorted("\t".join(row) for row in zip(*columns, strict=True))
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def refuse_other(training, plan, folder):
    """Raise a SerlibError that says what differs where a plan is not that of the training.

    Parameters
    ----------
    training : Training
    plan : dict
        Of plan.json or run.json.
    folder : Path
        Where it was found.
    """
    expected = _settings(json.loads(json.dumps(training.plan)))
    actual = _settings(plan)
    for key, value in expected.items():
        if actual.get(key) == value:
            continue
        what = "clips or roles" if key == "clips" else key
        if key in ("epochs", "seed", "labels"):
            what += f" ({actual.get(key)}, not {value})"
        raise SerlibError(
            f"{shown(folder)} has other {what}; choose another folder (--out), or replace it (train --overwrite; "
            "fit(..., overwrite=True))."
        )


def _settings(plan):
    """A plan without the descriptions of its recipe."""
    return {**plan, "recipe": {key: value for key, value in plan["recipe"].items() if key not in DESCRIPTIONS}}


def load_finished(training, *, resume):
    """The run that stands in the folder of a training, provided that it is this training's and may be used again."""
    if not resume:
        raise SerlibError(
            f"{shown(training.out)} exists already; choose another folder, resume it (--resume) or replace it "
            "(--overwrite)."
        )
    refuse_other(training, read_info(training.out), training.out)
    _tidy(training.out)  # killed after it had its name
    return Run.load(training.out)


def throw_away(folder):
    """Remove a run, whole or begun; a SerlibError where a folder is neither."""
    if not folder.exists():
        return
    names = {folder.name}
    if folder.is_dir():
        names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    begun = names <= {"split.csv"}  # killed before it had a plan
    if not begun and not names & {"run.json", "plan.json"}:
        raise SerlibError(f"{shown(folder)} is no run, so it is not replaced; choose another folder.")
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def at_work(folder):
    """One training at a time in a folder; nothing is left of one that failed before it had begun."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, folder) from None
    with alone(folder / LOCK, f"Another process is training in {shown(folder)}; wait for it."):
        try:
            yield
        finally:
            remove(folder / LOCK)
            with contextlib.suppress(OSError):
                folder.rmdir()  # an empty one


def check_begun(training, *, resume):
    """Refuse an interrupted training of another plan; throw away what was killed before it had begun."""
    if not resume:
        raise SerlibError(
            f"{shown(training.folder)} holds an interrupted training; go on with it (--resume) or replace it "
            "(--overwrite)."
        )
    try:
        plan = json.loads((training.folder / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # killed before it had begun
        for path in training.folder.iterdir():
            if path.name != LOCK:
                remove(path)
        return
    refuse_other(training, plan, training.folder)


def write_plan(training):
    """Begin: what is trained on what stands in the folder before the first epoch."""
    for path in training.folder.glob(".partial-*"):  # of a killed training: nobody else writes here
        remove(path)
    with atomic_path(training.folder / "split.csv") as path:
        training.table.to_csv(path, index=False)
    with atomic_path(training.folder / "plan.json") as path:
        path.write_text(json.dumps(training.plan, indent=1), encoding="utf-8")


def _state_path(folder, epoch):
    return folder / f"epoch-{epoch:04d}.keras"


def save_state(folder, model, history):
    """Keep the model with its optimiser after the last and the best epoch. The history is written last: an epoch
    counts once it stands there."""
    with atomic_path(_state_path(folder, len(history))) as path:
        model.save(path)
    with atomic_path(folder / "history.csv") as path:
        pd.DataFrame(history).to_csv(path, index=False)
    kept = {_state_path(folder, epoch) for epoch in (len(history), best_epoch(history) + 1)}
    for path in set(folder.glob("epoch-*.keras")) - kept:
        path.unlink()


def last_state(folder):
    """History and model of the last epoch that counts; an empty history and None before the first."""
    if not (folder / "history.csv").is_file():
        return [], None
    history = pd.read_csv(folder / "history.csv", float_precision="round_trip").to_dict("records")
    return history, load_model(_state_path(folder, len(history)), compiled=True)


def outcome(training, history):
    """The epoch that the recipe keeps, the last or the best one."""
    epoch = len(history) if training.recipe.keep == "last" else best_epoch(history) + 1
    model = load_model(_state_path(training.folder, epoch))
    return Outcome(model, epoch, history[epoch - 1], sum(row["seconds"] for row in history))


def finish(training, outcome, validation, learned):
    """Make the run folder whole and give it its name.

    Parameters
    ----------
    training : Training
    outcome : Outcome
    validation : tuple of np.ndarray
        Features and one-hot labels of the validation role.
    learned : dict
        From `serlib.training.novelty.learn`.

    Returns
    -------
    Run
    """
    folder, recipe, table = training.folder, training.recipe, training.table
    with atomic_path(folder / "model.keras") as path:
        outcome.model.save(path)
    info = {
        "format": FORMAT,
        **training.plan,
        "features": recipe.features.to_dict(),
        "corpora": list(dict.fromkeys(table.corpus)),
        "split": table.attrs["split"],
        "counts": {role: len(rows(table, role)) for role in ROLES},
        "parameters": outcome.model.count_params(),
        "kept_epoch": outcome.epoch,
        "seconds": round(outcome.seconds, 1),
        "metrics": {name: round(float(outcome.metrics[name]), 6) for name in METRICS},
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("serlib", "tensorflow", "keras", "librosa", "numpy")},
        },
        "calibration": _calibrated(training, outcome.model, validation),
        "probes": probe(outcome.model, recipe.features, training.labels),
        "domain": learned,
    }
    with atomic_path(folder / "run.json") as path:
        path.write_text(json.dumps(info, indent=1), encoding="utf-8")
    folder.rename(training.out)  # from here on it is a finished run; what follows only tidies up
    _tidy(training.out)
    return Run.load(training.out)


def _calibrated(training, model, validation):
    """Temperature and threshold from the validation role; none under the published protocol, where it is the test
    role."""
    if training.table.attrs["split"]["protocol"] == "published":
        return dict(calibration.UNCHANGED)
    x, y = validation
    size = training.recipe.batch_size
    answers = [model(x[first : first + size], training=False) for first in range(0, len(x), size)]
    return calibration.fit(y.argmax(axis=1), np.concatenate(answers))


def _tidy(out):
    """Remove from a finished run what only its training needed, and what killed processes left in it."""
    for path in [*out.glob("epoch-*.keras"), *out.glob(".partial-*"), out / "plan.json", out / LOCK]:
        remove(path)
