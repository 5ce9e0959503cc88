"""A run: the folder that a training leaves, its state on the way there, and the check that it answers as it did.

    model.keras    the model, in Keras's own safe format
    run.json       recipe, features, labels in order, corpora, split, seed, versions, machine, figures, probes; how
                   sure the model may be (`training.calibration`), what its training clips are like (`training.novelty`)
    split.csv      each clip with its role
    history.csv    one row an epoch

Nothing is pickled. The probes are three synthetic sounds with the probabilities that the model gave them on the day
it was trained: features, weights and the order of the labels are checked together when the run is loaded.

While a training goes on its folder is called `.partial`. A training that was killed finds there the last epoch that
counts; whatever is half written does not count.
"""

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from serlib import audio
from serlib.features.spec import FeatureSpec, extract_clip, pad
from serlib.models.recipe import NORMALISATIONS
from serlib.splits import rows
from serlib.training import calibration, modelfile, novelty
from serlib.training.schedule import best_epoch
from serlib.utils import ROLES, SerlibError, alone, atomic_path, disk_fault, remove, shown

FILES = ("model.keras", "run.json", "split.csv", "history.csv")

#: Layout of the folder; another number is refused.
FORMAT = 1

#: Largest difference of a probability between the day of training and now that still counts as the same answer:
#: well above what another processor or TensorFlow release changes, well below what decides.
PROBE_TOLERANCE = 0.01

#: Environment variables by which a user decides how the numbers of a training are computed.
ARITHMETIC = (
    *("ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    *(
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "OPENBLAS_CORETYPE",
        "NPY_DISABLE_CPU_FEATURES",
        "CUDA_VISIBLE_DEVICES",
    ),
)

#: What may have been chosen on the test role: nothing, or all.
PROTOCOLS = ("held-out", "published")

#: No frame, no number of mel bands and no padding is larger than this.
LARGEST = 2**20

#: What split.csv and history.csv hold at least.
SPLIT_COLUMNS, HISTORY_COLUMNS = ("speech", "label", "speaker", "text", "role"), ("epoch", "loss", "val_loss")


def machine():
    """What decides the last digits of a training: processor, instruction set, threads, and what the user has set.

    Returns
    -------
    dict
        `processor` in words; `instructions`, the newest set that numpy finds on it (oneDNN takes the newest as well,
        up to ONEDNN_MAX_CPU_ISA); `threads` that TensorFlow may use for one operation; `gpus`, a list of names; and
        `set`, those of ARITHMETIC that stand in the environment.
    """
    import tensorflow as tf

    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    gpus = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return {
        "processor": processor(),
        "instructions": [*extensions.get("baseline", []), *extensions.get("found", [])][-1],
        "threads": tf.config.threading.get_intra_op_parallelism_threads() or joblib.cpu_count(),
        "gpus": [gpu.get("device_name", "GPU") for gpu in gpus],
        "set": {name: os.environ[name] for name in ARITHMETIC if os.environ.get(name)},
    }


def named(machine):
    """A machine in words.

    Parameters
    ----------
    machine : dict
        From `machine`.

    Returns
    -------
    str

    Examples
    --------
    >>> named({"processor": "Xeon", "instructions": "AVX2", "threads": 2, "gpus": [], "set": {"OMP_NUM_THREADS": "1"}})
    'Xeon, AVX2, threads: 2, OMP_NUM_THREADS=1'
    """
    chosen = [f"{name}={value}" for name, value in machine["set"].items()]
    threads = f"threads: {machine['threads']}"
    return ", ".join([machine["processor"], machine["instructions"], threads, *machine["gpus"], *chosen])


def processor():
    """The name of the processor, as precisely as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        name = re.search(
            r"^model name\s*:\s*(.+)$", cpuinfo.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
        )
        if name:
            return name[1].strip()
    return platform.processor() or platform.machine()


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
    labels, spec = info["labels"], FeatureSpec.from_dict(info["features"])
    chosen, learned = info.get("calibration", calibration.UNCHANGED), info.get("domain")
    for wrong, told in (
        (not labels or not all(isinstance(label, str) and label for label in labels), "labels must be words"),
        (len(set(labels)) < len(labels), "each label may occur once"),
        (not isinstance(info["recipe"]["name"], str), "the recipe has no name"),
        (info["recipe"]["normalise"] not in NORMALISATIONS, "its normalisation is not known"),
        (not isinstance(info["split"]["kind"], str), "the split has no kind"),
        (info["split"]["protocol"] not in PROTOCOLS, "its protocol is not known"),
        (spec.rate_hz > audio.HIGHEST_HZ or max(spec.frame, spec.n_mels, spec.frames or 1) > LARGEST, "its features"),
        (info["recipe"].get("features", info["features"]) != info["features"], "its recipe has other features"),
        (set(info["probes"]) != set(probe_signals()), "its probes are others"),
        (not all(isinstance(p, float) for each in info["probes"].values() for p in each.values()), "its probes"),
        (not isinstance(info.get("versions", {}), dict), "its versions"),
        (not isinstance(info.get("machine", {}), dict), "its machine"),
        (not calibration.COLDEST <= chosen["temperature"] <= calibration.HOTTEST, "its temperature"),
        (not 0 <= chosen["threshold"] <= 1, "its threshold"),
        (learned is not None and not novelty.is_sound(learned), "its domain"),
    ):
        if wrong:
            return told


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
    found = read_info(out)
    compare(found, plan, out)
    _tidy(out)  # killed after it had its name
    return Run.load(out)


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
    return history, load_model(_state_path(partial, len(history)), compiled=True)


def kept(partial, recipe, history):
    """The model that the recipe keeps, and its epoch."""
    epoch = len(history) if recipe.keep == "last" else best_epoch(history) + 1
    return load_model(_state_path(partial, epoch)), epoch


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
        From `serlib.training.novelty.learn`.

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
        "format": FORMAT,
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
        "machine": machine(),
        "calibration": chosen,
        "probes": probe(model, recipe.features, labels),
        "domain": learned,
    }
    with atomic_path(partial / "run.json") as path:
        path.write_text(json.dumps(info, indent=1), encoding="utf-8")
    partial.rename(out)  # from here on it is a finished run; what follows only tidies up
    _tidy(out)
    return Run.load(out)


def _tidy(out):
    """Remove from a finished run what only its training needed, and what killed processes left in it."""
    for path in [*out.glob("epoch-*.keras"), *out.glob(".partial-*"), out / "plan.json", out / LOCK]:
        remove(path)
