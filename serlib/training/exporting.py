"""A run as one file that answers without serlib: ONNX or LiteRT, with its labels and features written into it.

Keras converts the model; what is added here is the temperature of the run, the metadata, and the check that the file
answers as the run does.
"""

import json
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from serlib import audio
from serlib.training.run import example, probe_signals
from serlib.utils import SerlibError, atomic_path, import_tensorflow, shown

#: What a run can be written as, and the suffix of the file.
TARGETS = {"onnx": ".onnx", "litert": ".tflite"}
#: Largest difference of a probability between the run and the file.
TOLERANCE = 1e-4
#: How many clips of the run are asked for in the check.
CLIPS = 8
#: Name of the metadata in an ONNX file; in a LiteRT file, of the member of the ZIP archive at its end.
METADATA = {"onnx": "serlib", "litert": "serlib.json"}


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    Attributes
    ----------
    path : Path
    to : str
    input_shape : tuple of int
        Of the features of one clip.
    clips : int
        How many real clips of the run were compared; 0 where their files are gone (the probes of the run were, then).
    difference : float
        Largest difference of a probability that was found.
    """

    path: Path
    to: str
    input_shape: tuple
    clips: int
    difference: float


def export(run, out=None, *, to="onnx"):
    """Write a run as one file that maps the features of a clip to the probabilities of its labels.

    Parameters
    ----------
    run : serlib.training.run.Run
    out : str or Path, optional
        Default: `model.onnx` or `model.tflite` in the folder of the run.
    to : str
        `onnx` (any number of clips at once) or `litert` (one clip at once).

    Returns
    -------
    Exported

    Raises
    ------
    SerlibError
        The packages for it are missing, the run needs to know the speaker, or the file answers otherwise than the run.

    Notes
    -----
    The metadata is JSON: `labels` in the order of the probabilities; `features`, the specification of what goes in;
    `input_shape`, `recipe`, `serlib`. ONNX keeps it in `session.get_modelmeta().custom_metadata_map["serlib"]`; a
    LiteRT file is a ZIP archive at its end, whose member `serlib.json` holds it.

    Taught in docs/export.md.
    """
    if to not in TARGETS:
        raise SerlibError(f"A run cannot be exported to '{to}'; choose one of {', '.join(TARGETS)}")
    if run.normalise == "speaker":
        raise SerlibError(
            f"{shown(run.folder)} was trained with per-speaker normalisation, which no file can know; export another"
        )
    import_tensorflow()
    out = Path(out) if out else run.folder / f"model{TARGETS[to]}"
    if out.suffix != TARGETS[to]:
        raise SerlibError(f"{shown(out)} is no name for {to}; let it end with {TARGETS[to]}")
    names, inputs = _examples(run)
    with atomic_path(out) as partial:
        _convert(_calibrated(run), partial, to, inputs.shape[1:])
        _add_metadata(partial, to, metadata(run, inputs.shape[1:]))
        answers = np.concatenate([_ask(partial, to, x[np.newaxis]) for x in inputs])
        difference = float(abs(answers - run.probabilities(inputs)).max())
        if not difference <= TOLERANCE:
            raise SerlibError(
                f"{shown(out)} would answer otherwise than the run (by {difference:.1g}); it was not written"
            )
    clips = sum(name not in probe_signals() for name in names)
    return Exported(path=out, to=to, input_shape=inputs.shape[1:], clips=clips, difference=difference)


def metadata(run, input_shape):
    """What the file tells of itself: labels, features, shape, recipe, version."""
    return {
        "labels": list(run.labels),
        "features": run.spec.to_dict(),
        "input_shape": list(input_shape),
        "recipe": run.info["recipe"]["name"],
        "serlib": version("serlib"),
    }


def _examples(run):
    """Names and features [shape=(clips, ...)] of clips of the run, some of each label; of its probes without them."""
    split = run.split
    rows = split.groupby("label", sort=False).head(max(1, CLIPS // len(run.labels))).head(CLIPS)
    paths = [path for path in rows["speech"] if Path(path).is_file()]
    sounds = {path: audio.load(path, notes=[]) for path in paths}
    if not sounds:
        sounds = {name: (y, 16000) for name, y in probe_signals().items()}
    inputs = [example(y, rate_hz, run.spec) for y, rate_hz in sounds.values()]
    return list(sounds), np.concatenate(inputs).astype(np.float32)


def _calibrated(run):
    """The model with the run's temperature behind its softmax."""
    import keras

    if run.temperature == 1:
        return run.model
    probabilities = run.model.output
    logits = keras.ops.log(keras.ops.maximum(probabilities, np.finfo(np.float32).tiny))
    return keras.Model(run.model.input, keras.ops.softmax(logits / run.temperature, axis=-1))


def _convert(model, path, to, shape):
    import keras

    batch = None if to == "onnx" else 1
    signature = [keras.InputSpec(shape=(batch, *shape), dtype="float32")]
    try:
        model.export(str(path), format=to, verbose=False, input_signature=signature)
    except ImportError as error:
        raise SerlibError(
            f"Exporting to {to} needs other packages ({error}); run `pip install serlib[export]`"
        ) from None


def _add_metadata(path, to, content):
    text = json.dumps(content)
    if to == "onnx":
        import onnx

        model = onnx.load(path)
        onnx.helper.set_model_props(model, {METADATA[to]: text})
        onnx.save(model, path)
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(METADATA[to], text)


def _ask(path, to, x):
    """What the file answers, asked as somebody does who has no serlib."""
    if to == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        return session.run(None, {session.get_inputs()[0].name: x})[0]
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
