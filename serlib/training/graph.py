"""A run as a graph for ONNX Runtime: an answer a little quicker, and without the seconds that TensorFlow takes to load.

    graph.zip      beside model.keras: graph.onnx, the steps of the model without its large weights, and graph.json,
                   which model it was made from and where the weights are

The weights stay where they are, in model.keras and in the file of the encoder, and are handed to ONNX Runtime when the
graph is loaded. A recipe on the states of an encoder has the encoder in its graph. The first `Recognizer` of a run
makes the file; where it is missing, damaged, of another model or answers otherwise, the Keras model answers.
"""

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from serlib.features import weights, whisper
from serlib.features.spec import WHISPER
from serlib.training import exporting
from serlib.training.run import check_answers, check_split, probe_answers
from serlib.utils import SerlibError, atomic_path, shown

NAME = "graph.zip"
#: Layout of the file; another number is ignored.
FORMAT = 1
#: No member of the file and no model is larger than this, in bytes: one that says so would fill the memory.
MOST_BYTES = 2**30
#: A constant of the graph that has at least this many numbers is left out where it is a weight of the run.
LARGE = 256


class Graph:
    """The model of a run in ONNX Runtime, from the bytes of its graph.zip; `spec` is what goes in.

    On one core: threads that wait for each other cost more than they bring.
    """

    def __init__(self, content, run):
        import onnxruntime

        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.file_size > MOST_BYTES for member in archive.infolist()):
                raise ValueError("it would fill the memory")
            plan = json.loads(archive.read("graph.json"))
            steps = archive.read("graph.onnx")
        if (plan["format"], plan["model"]) != (FORMAT, _digest(run)):
            raise ValueError("it was made from another model")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        values = stored_weights(run)
        arrays = [
            np.ascontiguousarray(values[link["weight"]].transpose(link["axes"])).reshape(link["shape"])
            for link in plan["weights"]
        ]
        if arrays:
            names = [link["name"] for link in plan["weights"]]
            options.add_external_initializers(names, [onnxruntime.OrtValue.ortvalue_from_numpy(x) for x in arrays])
        self._session = onnxruntime.InferenceSession(steps, options)
        self._input = self._session.get_inputs()[0].name
        self.spec = taken(run.spec)

    def __call__(self, x):
        """[shape=(1, ...)] of `spec` in, probabilities [shape=(1, labels)] out, without the run's temperature."""
        return self._session.run(None, {self._input: x})[0]


def taken(spec):
    """What the graph of a run takes in: its features; of an encoder's states what the encoder hears."""
    if not spec.encoder:
        return spec
    return dataclasses.replace(
        spec, encoder=None, layers=(), kinds=("whisper",), summary=(), frames=None, hop=WHISPER["hop"]
    )


def load(run):
    """The graph in the folder of a run, without TensorFlow; None where there is none that answers the run's probes."""
    try:
        graph = Graph((run.folder / NAME).read_bytes(), run)
        check_answers(run, probe_answers(graph, graph.spec, run.labels))
        check_split(run)
    except Exception:  # ONNX Runtime raises many types for a damaged file; then Keras answers
        return None
    return graph


def make(run):
    """Make the graph of a run, and keep it in its folder if that can be.

    None where the run must answer by Keras: a package is missing, or its model has no such form.
    """
    try:
        content = build(run)
    except Exception:  # tf2onnx and ONNX Runtime raise many types where a step of the model has no form in ONNX
        return None
    with contextlib.suppress(SerlibError, OSError):  # a folder that nobody may write into
        _keep(content, run)
    return Graph(content, run)


def write(run):
    """Make the graph of a run and keep it in its folder.

    Raises
    ------
    SerlibError
        A package for it is missing, the model has no such form, or the graph answers otherwise than the model.
    """
    return _keep(build(run), run)


def build(run):
    """What `write` writes [bytes]."""
    import keras

    from serlib.models import frontend

    if run.spec.encoder and (run.normalise == "speaker" or frontend.beyond(run.spec)):
        raise SerlibError(f"The features of {shown(run.folder)} have no form in ONNX")
    model = _with_encoder(run.model, run.spec) if run.spec.encoder else run.model
    signature = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="features")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.onnx"
        exporting.convert(model, path, "onnx", signature)
        steps, links = _without_weights(path, stored_weights(run))
    plan = {"format": FORMAT, "model": _digest(run), "weights": links}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("graph.json", json.dumps(plan))
        archive.writestr("graph.onnx", steps)
    graph = Graph(content.getvalue(), run)
    answers = pd.DataFrame(probe_answers(graph, graph.spec, run.labels))
    expected = pd.DataFrame(probe_answers(run.model, run.spec, run.labels))
    difference = np.abs(answers - expected).to_numpy().max()
    if not difference <= exporting.TOLERANCE:
        raise SerlibError(f"The graph of {shown(run.folder)} answers otherwise than its model, by {difference:.1g}")
    return content.getvalue()


def stored_weights(run):
    """All weights of a run by their place in the files, read without Keras: of its model, of its encoder, and
    Whisper's places in time."""
    import h5py

    with zipfile.ZipFile(run.folder / "model.keras") as archive:
        _check_size(run, sum(member.file_size for member in archive.infolist()))
        encoders = list(_encoders(json.loads(archive.read("config.json"))))
        file = io.BytesIO(archive.read("model.weights.h5"))
    groups = {}
    sizes = []
    with h5py.File(file) as store:

        def read(place, item):
            if isinstance(item, h5py.Dataset):
                sizes.append(item.nbytes)
                _check_size(run, sum(sizes))
                group, _, name = place.rpartition("/")
                groups.setdefault(group, {})[name] = item[()]

        store.visititems(read)
    values = {}
    for group, arrays in groups.items():
        if any(name.endswith(weights.SCALE) for name in arrays):
            arrays = weights.unpack(arrays, _source(encoders))
        values |= {f"{group}/{name}": array for name, array in arrays.items()}
    width = None
    if run.spec.encoder:
        frozen, width, _ = weights.find(run.spec.encoder, run.spec.layers)
        values |= {f"encoder/{name}": array for name, array in frozen.items()}
    for size in {width, *(encoder["width"] for encoder in encoders)} - {None}:
        values[f"positions/{size}"] = whisper.positions(whisper.POSITIONS, size)
    return values


def _check_size(run, size):
    if size > MOST_BYTES:
        raise SerlibError(f"{shown(run.folder)}/model.keras holds {size} bytes or more")


def _encoders(config):
    """The settings of every `WhisperEncoder` in the configuration of a model."""
    if isinstance(config, list):
        for part in config:
            yield from _encoders(part)
    elif isinstance(config, dict):
        if config.get("class_name") == "WhisperEncoder":
            yield config["config"]
        else:
            yield from _encoders(list(config.values()))


def _source(encoders):
    """The weights that those of the encoders of a model were tuned from; None where they stand for themselves."""
    sources = {encoder["source"] for encoder in encoders}
    if len(sources) > 1:
        raise SerlibError("The encoders of the model were tuned from several")
    (source,) = sources
    return weights.find(source, [max(max(encoder["layers"]) for encoder in encoders)])[0] if source else None


def _with_encoder(model, spec):
    """The model with its encoder before it: from what the encoder hears to the probabilities."""
    import keras

    from serlib.features import encoder
    from serlib.models import frontend

    frames = keras.Input(batch_shape=(1, None, whisper.MELS), name="frames")
    rows = encoder.load(spec.encoder, spec.layers)(frames[:, : 2 * whisper.POSITIONS])
    return keras.Model(frames, model(frontend.summarised(rows, spec)))


def _without_weights(path, values):
    """The graph of an ONNX file without the weights that are elsewhere [bytes], and where they are.

    The latter is a list of dict: name (in the graph), weight (key of `values`), axes and shape (how the array is turned
    to be the constant).
    """
    import onnx

    proto = onnx.load(path)
    links = []
    for tensor in proto.graph.initializer:
        if np.prod(tensor.dims) < LARGE:
            continue
        link = _link(onnx.numpy_helper.to_array(tensor), values)
        if link:
            links.append({"name": tensor.name, **link})
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="model.keras")
    return proto.SerializeToString(), links


def _link(constant, values):
    """Which weight a constant of the graph is, and how it is turned; None where it is none."""
    for name, value in values.items():
        if value.size != constant.size or value.dtype != constant.dtype:
            continue
        for axes in itertools.permutations(range(value.ndim)):
            if np.array_equal(value.transpose(axes).reshape(constant.shape), constant):
                return {"weight": name, "axes": axes, "shape": constant.shape}
    return None


def _digest(run):
    return hashlib.blake2b((run.folder / "model.keras").read_bytes(), digest_size=16).hexdigest()


def _keep(content, run):
    with atomic_path(run.folder / NAME) as partial:
        partial.write_bytes(content)
    return run.folder / NAME
