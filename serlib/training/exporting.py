"""A run as one file that answers without serlib: ONNX or LiteRT, with its labels and features written into it.

Keras converts the model; what is added here is the way from the waveform to the features (`serlib.models.frontend`),
the temperature of the run, the metadata, and the check that the file answers as the run does.
"""

import json
import warnings
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from serlib import audio
from serlib.training.run import RELEASED, Run, example, probe_signals
from serlib.utils import SerlibError, atomic_path, import_tensorflow, quiet_tensorflow, shown

#: What a run can be written as, and the suffix of the file.
TARGETS = {"onnx": ".onnx", "litert": ".tflite"}
#: What goes into the file.
TAKES = ("waveform", "features")
#: Largest difference of a probability between the run and the file.
TOLERANCE = 1e-4
#: How many clips of the run are asked for in the check.
CLIPS = 8
#: Name of the metadata in an ONNX file; in a LiteRT file, of the member of the ZIP archive at its end.
METADATA = {"onnx": "serlib", "litert": "serlib.json"}


@dataclass(frozen=True)
class Exported:
    """What `export` wrote.

    `input_shape` has None where any length will do. `difference` is the largest of a probability between file and run,
    on so many real `clips`; 0 where their files are gone (the probes of the run were compared, then).
    """

    path: Path
    takes: str
    input_shape: tuple
    clips: int
    difference: float


def export(run, out=None, *, to="onnx", takes=None, clips=None):
    """Write a run as one file that maps a clip to the probabilities of its labels.

    Parameters
    ----------
    run : Run, str or Path
        Or the folder of one.
    out : str or Path, optional
        Default: `model.onnx` or `model.tflite` in the folder of the run; of the released model, in the current folder.
    to : str
        `onnx` or `litert`.
    takes : str, optional
        `waveform`: mono samples of one clip at the rate of the features, full scale 1.0 [shape=(1, n)]. `features`:
        what `serlib.extract_clip` gives [shape=(clips, ...)], in LiteRT one clip at once. Default: the waveform, where
        the features can be computed in the file.
    clips : str, Path or sequence of them, optional
        Sound files about which file and run are asked. Default: clips of the run.

    Returns
    -------
    Exported

    Raises
    ------
    SerlibError
        The packages for it are missing, the features cannot be computed in the file, or it answers otherwise.

    Notes
    -----
    docs/export.md shows how the file is used, and where its metadata is.
    """
    if to not in TARGETS:
        raise SerlibError(f"A run cannot be exported to '{to}'; choose one of {', '.join(TARGETS)}")
    run = Run.load(run) if isinstance(run, str | Path) else run
    if run.normalise == "speaker":
        raise SerlibError(
            f"{shown(run.folder)} was trained with per-speaker normalisation, which no file can know; export another"
        )
    import_tensorflow()
    import keras

    takes = _takes(run, takes)
    folder = Path() if run.folder == RELEASED else run.folder
    out = Path(out) if out else folder / f"model{TARGETS[to]}"
    if out.suffix != TARGETS[to]:
        raise SerlibError(f"{shown(out)} is no name for {to}; let it end with {TARGETS[to]}")
    sounds = _sounds(run, clips)
    features = [example(y, run.spec.rate_hz, run.spec) for y in sounds.values()]
    inputs = features if takes == "features" else [y[np.newaxis] for y in sounds.values()]
    model = _calibrated(run) if takes == "features" else _from_waveform(_calibrated(run), run.spec)
    batch = None if to == "onnx" and takes == "features" else 1
    input_shape = (batch, *model.input_shape[1:])
    about = {
        "takes": takes,
        "labels": list(run.labels),
        "features": run.spec.to_dict(),
        "input_shape": list(input_shape),
        "threshold": run.threshold,
        "recipe": run.info["recipe"]["name"],
        "serlib": version("serlib"),
    }
    with atomic_path(out) as partial:
        signature = keras.InputSpec(shape=input_shape, dtype="float32", name=takes)
        convert(model, partial, to, signature, about=about)
        expected = np.concatenate([run.probabilities(x) for x in features])
        difference = float(abs(_ask(partial, to, inputs) - expected).max())
        if not difference <= TOLERANCE:
            raise SerlibError(
                f"{shown(out)} would answer otherwise than the run (by {difference:.1g}); it was not written"
            )
    real = len(set(sounds) - set(probe_signals()))
    return Exported(out, takes, input_shape, real, difference)


def _takes(run, takes):
    """What goes in: what is asked for, or the waveform where that can be."""
    from serlib.models import frontend

    beyond = frontend.beyond(run.spec)
    if takes is None:
        return "features" if beyond else "waveform"
    if takes not in TAKES:
        raise SerlibError(f"A file cannot take '{takes}'; choose one of {', '.join(TAKES)}")
    if takes == "waveform" and beyond:
        raise SerlibError(
            f"The features of {shown(run.folder)} cannot be computed in a file ({', '.join(beyond)}: serlib alone has "
            "them); export it with --takes features"
        )
    return takes


def _sounds(run, clips):
    """Name -> samples at the rate of the features: of clips, of some of each label of the run, or of its probes."""
    if clips is None:
        rows = run.split.groupby("label", sort=False).head(max(1, CLIPS // len(run.labels))).head(CLIPS)
        clips = [path for path in rows["speech"] if Path(path).is_file()]
    clips = [clips] if isinstance(clips, str | Path) else clips
    rate_hz = run.spec.rate_hz
    sounds = {str(path): audio.load(path, rate_hz=rate_hz, notes=[])[0] for path in clips}
    if sounds:
        return sounds
    return {name: audio.resample(y, from_hz=16000, to_hz=rate_hz) for name, y in probe_signals().items()}


def _from_waveform(model, spec):
    """The model with its features before it."""
    import keras

    from serlib.models.frontend import Frontend

    waveform = keras.Input(batch_shape=(1, None), name="waveform")
    return keras.Model(waveform, model(Frontend(spec)(waveform)))


def _calibrated(run):
    """The model with the run's temperature behind its softmax."""
    import keras

    if run.temperature == 1:
        return run.model
    probabilities = run.model.output
    logits = keras.ops.log(keras.ops.maximum(probabilities, np.finfo(np.float32).tiny))
    return keras.Model(run.model.input, keras.ops.softmax(logits / run.temperature, axis=-1))


def convert(model, path, to, signature, *, about=None):
    """Write a Keras model as it is; `signature` (keras.InputSpec) says what goes in, `about` is the metadata."""
    try:
        with quiet_tensorflow(), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of Keras about numpy
            model.export(str(path), format=to, verbose=False, input_signature=[signature])
    except ImportError as error:
        raise SerlibError(
            f"Exporting to {to} needs other packages ({error}): "
            "python -m pip install tf2onnx onnx onnxruntime ai-edge-litert"
        ) from None
    if to == "litert":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(METADATA[to], json.dumps(about))
        return
    import onnx

    file = onnx.load(path)
    _divide_before_erf(file.graph)
    if about:
        onnx.helper.set_model_props(file, {METADATA[to]: json.dumps(about)})
    onnx.save(file, path)


def _divide_before_erf(graph):
    """Write a factor before an erf as a division again, of which TensorFlow has made a product.

    By the division ONNX Runtime knows a GELU, and computes it in one step instead of five.
    """
    import onnx

    factors = {tensor.name: tensor for tensor in graph.initializer if np.prod(tensor.dims) == 1}
    before_erf = {node.input[0] for node in graph.node if node.op_type == "Erf"}
    for node in graph.node:
        factor = node.input[-1]
        if node.op_type == "Mul" and node.output[0] in before_erf and factor in factors:
            divisor = onnx.numpy_helper.from_array(1 / onnx.numpy_helper.to_array(factors[factor]), f"{node.name}_by")
            graph.initializer.append(divisor)
            node.op_type = "Div"
            node.input[-1] = divisor.name
    used = {name for node in graph.node for name in node.input}
    for name in factors.keys() - used:  # ONNX Runtime would warn of them
        graph.initializer.remove(factors[name])


def _ask(path, to, inputs):
    """What the file answers to each input [shape=(inputs, labels)], asked as somebody does who has no serlib."""
    if to == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path))
        name = session.get_inputs()[0].name
        return np.concatenate([session.run(None, {name: x})[0] for x in inputs])
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    answers = []
    for x in inputs:
        interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
        interpreter.invoke()
        answers.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(answers)
