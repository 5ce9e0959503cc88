"""A run: the folder that a training leaves, and the check that it still answers as it did.

    model.keras    the model, in Keras's own safe format
    run.json       recipe, features, labels in order, corpora, split, seed, versions, machine, figures, probes; how
                   sure the model may be (`training.calibration`), what its training clips are like (`training.novelty`)
    split.csv      each clip with its role
    history.csv    one row an epoch

and, once it has answered, graph.zip (`training.graph`), which may be deleted at any time.

Nothing is pickled. The probes are three synthetic sounds with the probabilities that the model gave them on the day
it was trained: features, weights and the order of the labels are checked together when the run is loaded.
"""

import json
import os
import platform
import re
import zipfile
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from serlib import audio
from serlib.features.spec import FeatureSpec, extract_clip, pad, parts
from serlib.models.recipe import NORMALISATIONS
from serlib.training import calibration, novelty
from serlib.utils import ROLES, SerlibError, import_tensorflow, shown

FILES = ("model.keras", "run.json", "split.csv", "history.csv")

#: The run that comes with this package: a model that has heard people.
RELEASED = Path(__file__).parents[1] / "pretrained"

#: A `.keras` file is a ZIP archive of these.
MODEL_PARTS = {"metadata.json", "config.json", "model.weights.h5"}

#: No part of a model file unpacks to more than this many times its bytes; one of zeros, to a thousand times, would fill
#: the memory. (Keras does not pack; the released model is packed to a sixth.)
MOST_PACKED = 100

#: Layout of the folder; another number is refused.
FORMAT = 1

#: Largest difference of a probability between the day of training and now that still counts as the same answer:
#: well above what another processor or TensorFlow release changes, well below what decides.
PROBE_TOLERANCE = 0.01

#: Environment variables by which a user decides how the numbers of a training are computed.
ARITHMETIC = (
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "NPY_DISABLE_CPU_FEATURES",
    "CUDA_VISIBLE_DEVICES",
)

#: What may have been chosen on the test set: nothing, or all.
PROTOCOLS = ("held-out", "published")

#: No frame, no number of mel bands and no padding is larger than this.
LARGEST = 2**20

#: What split.csv and history.csv hold at least.
SPLIT_COLUMNS = ("speech", "label", "speaker", "text", "role")
HISTORY_COLUMNS = ("epoch", "loss", "val_loss")


def machine():
    """What decides the last digits of a training: the processor in words, the newest `instructions` that numpy finds on
    it, `threads` that TensorFlow uses for one operation, names of `gpus`, and what of ARITHMETIC the user has `set`."""
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
    """What `machine` gives, in words.

    Examples
    --------
    >>> named({"processor": "Xeon", "instructions": "AVX2", "threads": 2, "gpus": [], "set": {"OMP_NUM_THREADS": "1"}})
    'Xeon, AVX2, threads: 2, OMP_NUM_THREADS=1'
    """
    settings = [f"{name}={value}" for name, value in machine["set"].items()]
    threads = f"threads: {machine['threads']}"
    return ", ".join([machine["processor"], machine["instructions"], threads, *machine["gpus"], *settings])


def processor():
    """The name of the processor, as precisely as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
        name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
        if name:
            return name[1].strip()
    return platform.processor() or platform.machine()


@dataclass(frozen=True)
class Run:
    """A trained model with all that is needed to use and to judge it: what its folder holds.

    `info` is run.json, `split` the index with the column `role`, `history` has a row an epoch: loss, accuracy,
    val_loss, val_accuracy, learning_rate. `model` is a keras.Model; None where the run was only read.
    """

    folder: Path
    info: dict
    split: pd.DataFrame
    history: pd.DataFrame
    model: object = None

    @classmethod
    def read(cls, folder):
        """Read a run without its model; a SerlibError if the folder is no finished run."""
        folder = Path(folder)
        info = read_info(folder)
        split = _read_table(folder / "split.csv", SPLIT_COLUMNS)
        split.attrs = {"split": info["split"]}
        return cls(folder, info, split, _read_table(folder / "history.csv", HISTORY_COLUMNS))

    @classmethod
    def load(cls, folder):
        """Load a run from its folder; a SerlibError if it is no finished run, or answers otherwise than on its day."""
        run = cls.read(folder)
        run = replace(run, model=load_model(run.folder / "model.keras"))
        check_probes(run)
        check_split(run)
        return run

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
        """`held-out`, or `published` where the validation set was the test set."""
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
        """The model's answers [shape=(clips, labels)], float64, to features of this run's spec [shape=(clips, ...)].

        At the run's temperature, or as the model gives them; they do not depend on `batch_size`.
        """
        if not len(values):
            return np.zeros((0, len(self.labels)))
        starts = range(0, len(values), batch_size)
        # Called directly: model.predict traces another graph for each run that is loaded, and warns of it.
        parts = [self.model(np.asarray(values[i : i + batch_size]), training=False) for i in starts]
        return calibration.tempered(np.concatenate(parts), self.temperature if calibrated else 1.0)


def read_info(folder):
    """run.json of a finished run, checked for what every reader of it relies on."""
    folder = Path(folder)
    missing = [name for name in FILES if not os.path.isfile(folder / name)]
    if missing:
        fault = "does not exist" if not os.path.isdir(folder) else f"has no {missing[0]}"
        raise SerlibError(f"{shown(folder)} is not a finished run: it {fault}; train one with python -m serlib train.")
    try:
        info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if info["format"] == FORMAT:
            _check_info(info)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SerlibError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SerlibError(f"{shown(folder)}/run.json is damaged ({reason}); train the run again.") from error
    if info["format"] != FORMAT:
        raise SerlibError(
            f"{shown(folder)} has run format {info['format']}, this serlib reads format {FORMAT}; train the run again."
        )
    return info


def _check_info(info):
    """Raise a ValueError that says what in run.json its readers could not use."""
    labels = info["labels"]
    spec = FeatureSpec.from_dict(info["features"])
    settings = info.get("calibration", calibration.UNCHANGED)
    domain = info.get("domain")
    largest = max(max(part.frame, part.n_mels, part.frames or 1) for part in parts(spec))
    answers = [probability for answer in info["probes"].values() for probability in answer.values()]
    faults = {
        "labels must be words": not labels or not all(isinstance(label, str) and label for label in labels),
        "each label may occur once": len(set(labels)) < len(labels),
        "the recipe has no name": not isinstance(info["recipe"]["name"], str),
        "its normalisation is not known": info["recipe"]["normalise"] not in NORMALISATIONS,
        "the split has no kind": not isinstance(info["split"]["kind"], str),
        "its protocol is not known": info["split"]["protocol"] not in PROTOCOLS,
        "its features": max(part.rate_hz for part in parts(spec)) > audio.HIGHEST_HZ or largest > LARGEST,
        "its recipe has other features": info["recipe"].get("features", info["features"]) != info["features"],
        "its probes are others": set(info["probes"]) != set(probe_signals()),
        "its probes": not all(isinstance(probability, float) for probability in answers),
        "its versions": not isinstance(info.get("versions", {}), dict),
        "its machine": not isinstance(info.get("machine", {}), dict),
        "its temperature": not calibration.COLDEST <= settings["temperature"] <= calibration.HOTTEST,
        "its threshold": not 0 <= settings["threshold"] <= 1,
        "its domain": domain is not None and not novelty.is_valid(domain),
    }
    for what, is_wrong in faults.items():
        if is_wrong:
            raise ValueError(what)


def load_model(path, *, compiled=False):
    """Load a Keras model without running code that it may hold: Keras's safe mode, which holds since Keras 3.15.1.

    `compiled`: with its loss and optimiser, to go on training. A file that is damaged or not safe is a SerlibError.
    """
    import_tensorflow()
    import keras

    from serlib.features import encoder  # noqa: F401  Keras finds our layers once they are registered
    from serlib.models import layers, pooling  # noqa: F401

    try:
        with zipfile.ZipFile(path) as archive:
            if set(archive.namelist()) != MODEL_PARTS:  # Keras would unpack what else is there
                raise ValueError("it holds other files than a model")
            if any(part.file_size > MOST_PACKED * part.compress_size for part in archive.infolist()):
                raise ValueError("it would fill the memory")
        return keras.saving.load_model(path, compile=compiled, safe_mode=True)
    except Exception as error:  # Keras raises many types for a damaged or unsafe file
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise SerlibError(f"{shown(path)} cannot be loaded ({reason}); train the run again.") from error


def _read_table(path, columns):
    text = dict.fromkeys(("speech", "digest", "speaker", "text", "label", "role", "corpus"), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=path.name != "split.csv")
    except (OSError, ValueError) as error:  # pandas's own are ValueErrors
        raise SerlibError(f"{shown(path)} is damaged; train the run again.") from error
    if missing := [name for name in columns if name not in table]:
        raise SerlibError(f"{shown(path)} has no column {missing[0]}; train the run again.")
    return table


def example(y, rate_hz, spec):
    """What a model takes in for one clip y [shape=(n,)]: its features, padded as in training [shape=(1, ...)]."""
    values = extract_clip(y, rate_hz, spec)
    return (values if spec.summary or not spec.frames else pad(values, spec.frames))[np.newaxis]


def probe_signals():
    """Three sounds of two seconds at 16 kHz that exercise features and model alike: name -> y [shape=(32000,)]."""
    rate_hz = 16000
    n = 32000
    t = np.arange(n) / rate_hz
    noise = np.random.default_rng(0).standard_normal(n)
    pitch = 180 + 60 * np.sin(2 * np.pi * 1.5 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    voice = sum(np.sin(k * phase) / k for k in range(1, 20)) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    chirp = np.sin(2 * np.pi * (100 * t + 1500 * t**2))
    signals = {"voice": 0.2 * voice, "chirp": 0.3 * chirp, "noise": 0.05 * noise}
    return {name: y.astype(np.float32) for name, y in signals.items()}


def probe_answers(model, spec, labels):
    """Answers of a model, or of its graph, to the probe signals: dict of name -> dict of label -> probability."""
    answers = {name: model(example(y, 16000, spec)) for name, y in probe_signals().items()}
    return {name: dict(zip(labels, np.asarray(row)[0].tolist(), strict=True)) for name, row in answers.items()}


def check_split(run):
    """Refuse a record whose split.csv has roles or labels that its run.json does not know."""
    unknown = [*(set(run.split.role) - set(ROLES)), *(set(run.split.label) - set(run.labels))]
    if unknown:
        raise SerlibError(
            f"{shown(run.folder)}/split.csv says '{unknown[0]}', which run.json does not; train the run again."
        )


def check_probes(run):
    """Refuse a run whose model answers its probes otherwise than when it was trained."""
    if run.model.output_shape[-1] != len(run.labels):
        raise SerlibError(
            f"{shown(run.folder)} has {len(run.labels)} labels but a model with {run.model.output_shape[-1]} answers; "
            "the files do not belong together, train the run again."
        )
    try:
        answers = probe_answers(run.model, run.spec, run.labels)
    except Exception as error:  # Keras raises many types where features do not fit
        raise SerlibError(
            f"{shown(run.folder)} has a model that cannot take in the features of its run.json; "
            "the files do not belong together, train the run again."
        ) from error
    check_answers(run, answers)


def check_answers(run, answers):
    """Refuse answers to the probes, from `probe_answers`, that are not those of the day of training."""
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
    changes = []
    for name, then in info.get("versions", {}).items():
        try:
            now = platform.python_version() if name == "python" else version(name)
        except (PackageNotFoundError, ValueError):
            now = "not here"
        if now != then:
            changes.append(f"{name} {then}, now {now}")
    return f" ({'; '.join(changes)})" if changes else ""
