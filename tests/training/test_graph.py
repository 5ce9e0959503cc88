"""serlib.training.graph: ONNX Runtime answers what Keras answers; a file that does not belong to a run is ignored."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from serlib.audio import load
from serlib.corpora.sample import making
from serlib.features import SPECS, FeatureSpec, encoder, pad, weights
from serlib.models.probe import LinearProbe
from serlib.models.recipes import RECIPES
from serlib.recognizer import Recognizer, Traced
from serlib.training import exporting, graph
from serlib.training.run import RELEASED, Run, example, load_model, probe_answers
from serlib.utils import SerlibError


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """The tiny run in a folder of its own, with its graph."""
    own = Run.load(shutil.copytree(tiny_run.folder, tmp_path_factory.mktemp("graph") / "run"))
    graph.write(own)
    return own


@pytest.fixture
def copy(run, tmp_path):
    return shutil.copytree(run.folder, tmp_path / "run")


@keras.saving.register_keras_serializable(package="tests")
class NoFormInOnnx(keras.layers.Layer):
    def call(self, x):
        return keras.ops.erfinv(keras.ops.tanh(x))


def answers(graph_or_traced, clips):
    """The probabilities of clips [shape=(clips, labels)]."""
    return np.concatenate([graph_or_traced(example(y, rate_hz, graph_or_traced.spec)) for y, rate_hz in clips])


def content(folder):
    """The two members of a graph's file."""
    with zipfile.ZipFile(folder / graph.NAME) as archive:
        return json.loads(archive.read("graph.json")), archive.read("graph.onnx")


def kept(model, spec, labels, folder):
    """A run of a model, in a folder, loaded."""
    folder.mkdir()
    model.save(folder / "model.keras")
    model = load_model(folder / "model.keras")
    info = {"labels": labels, "features": spec.to_dict(), "recipe": {"name": "own", "normalise": "none"}}
    info["probes"] = probe_answers(model, spec, labels)
    return Run(folder, info, pd.DataFrame({"role": [], "label": []}), pd.DataFrame(), model)


def test_it_answers_as_the_model_does(run, copy):
    clips = [load(path) for path in run.split.speech[::9]]
    expected = run.probabilities(np.concatenate([example(*clip, run.spec) for clip in clips]), calibrated=False)
    np.testing.assert_allclose(answers(graph.load(run), clips), expected, atol=1e-5)
    assert graph.load(Run.read(copy)) is not None


def test_the_recognizer_uses_it_and_makes_it_where_it_is_missing(copy, run):
    path = run.split.speech[0]
    expected = Recognizer(copy).predict(path)
    (copy / graph.NAME).unlink()
    for recognizer in (Recognizer(copy), Recognizer(copy), Recognizer(Run.load(copy))):
        assert isinstance(recognizer._model, graph.Graph)
        assert recognizer.predict(path) == expected
    assert content(copy)[0]["model"] == content(run.folder)[0]["model"]


def test_a_step_without_a_form_in_onnx_leaves_the_answer_to_keras(tmp_path):
    """tf2onnx lets it pass, and ONNX Runtime raises a type of its own."""
    inputs = keras.Input((40,))
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(NoFormInOnnx()(inputs)))
    assert graph.make(kept(model, SPECS["mfcc40-mean"], ["happy", "sad"], tmp_path / "run")) is None


@pytest.mark.parametrize("step", ["build", "_keep"])
def test_what_cannot_be_made_or_kept_does_not_stop_an_answer(copy, run, monkeypatch, step):
    (copy / graph.NAME).unlink()

    def refuse(*_):
        raise SerlibError("no package, or a folder that nobody may write into")

    monkeypatch.setattr(graph, step, refuse)
    recognizer = Recognizer(copy)
    assert isinstance(recognizer._model, Traced if step == "build" else graph.Graph)
    assert not (copy / graph.NAME).exists()
    expected = Recognizer(run).predict(run.split.speech[0]).probabilities
    found = recognizer.predict(run.split.speech[0]).probabilities
    np.testing.assert_allclose(list(found.values()), list(expected.values()), atol=1e-5)


def test_a_graph_that_answers_otherwise_is_not_written(run, monkeypatch):
    monkeypatch.setattr(graph.Graph, "__call__", lambda self, x: np.full((1, len(run.labels)), 1 / len(run.labels)))
    with pytest.raises(SerlibError, match="answers otherwise than its model"):
        graph.write(run)


def damaged(plan, steps):
    """Files that are none of this run's: (name, content)."""

    def archive(**members):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            for name, data in members.items():
                out.writestr(name.replace("_", "."), data)
        return file.getvalue()

    whole = archive(graph_json=json.dumps(plan), graph_onnx=steps)
    yield "empty", b""
    yield "half", whole[: len(whole) // 2]
    yield "one byte", whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    yield "no steps", archive(graph_json=json.dumps(plan))
    yield "other steps", archive(graph_json=json.dumps(plan), graph_onnx=b"steps")
    yield "another model", archive(graph_json=json.dumps({**plan, "model": "0" * 32}), graph_onnx=steps)
    yield "another format", archive(graph_json=json.dumps({**plan, "format": 0}), graph_onnx=steps)
    other = {"name": "x", "weight": "nowhere", "axes": [0], "shape": [1]}
    yield "other weights", archive(graph_json=json.dumps({**plan, "weights": [other]}), graph_onnx=steps)


def test_what_is_damaged_or_of_another_model_is_ignored_and_made_again(copy):
    plan, steps = content(copy)
    for name, data in damaged(plan, steps):
        (copy / graph.NAME).write_bytes(data)
        assert graph.load(Run.read(copy)) is None, name
    assert isinstance(Recognizer(copy)._model, graph.Graph)
    assert content(copy)[0] == plan


def test_a_graph_that_would_fill_the_memory_is_not_unpacked(run, monkeypatch):
    monkeypatch.setattr(graph, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="fill the memory"):
        graph.Graph((run.folder / graph.NAME).read_bytes(), run)
    assert graph.load(run) is None


@pytest.mark.parametrize("inside", [False, True], ids=["the archive", "the arrays"])
def test_weights_that_would_fill_the_memory_are_not_read(copy, run, monkeypatch, inside):
    monkeypatch.setattr(graph, "MOST_BYTES", 2**20)
    store = io.BytesIO()
    with h5py.File(store, "w") as file:
        for name in "ab":  # together too large, neither alone; a thousandth of that in the file
            file.create_dataset(name, data=np.zeros(2**20 - 2**10 if inside else 10, np.uint8), compression="gzip")
    with zipfile.ZipFile(run.folder / "model.keras") as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(copy / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", store.getvalue() + bytes(0 if inside else 2**20))
    read = []
    whole = zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda archive, name: read.append(name) or whole(archive, name))
    with pytest.raises(SerlibError, match=r"holds [0-9]+ bytes or more"):
        graph.stored_weights(Run.read(copy))
    assert ("model.weights.h5" in read) == inside


def test_a_graph_that_lies_about_its_model_is_found_out_by_the_probes(copy, run, tmp_path):
    model = keras.Model(run.model.input, run.model.output[:, ::-1])
    other = kept(model, run.spec, run.labels, tmp_path / "other")
    graph.write(other)
    plan, steps = content(other.folder)
    with zipfile.ZipFile(copy / graph.NAME, "w") as archive:
        archive.writestr("graph.json", json.dumps({**plan, "model": content(run.folder)[0]["model"]}))
        archive.writestr("graph.onnx", steps)
    assert graph.load(Run.read(copy)) is None


def test_a_run_that_was_changed_is_refused_as_without_a_graph(copy, run):
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**info, "labels": info["labels"][::-1]}))
    with pytest.raises(SerlibError, match="answers its probe"):
        Recognizer(copy)


@pytest.mark.slow
def test_an_encoder_is_in_the_graph_and_its_weights_are_not(tmp_path, voice, rng):
    """A probe on frozen states: what Whisper hears goes in, and 10 MB of weights stay where they are."""
    spec = FeatureSpec(encoder="whisper-tiny", layers=(0, 1), summary=("mean", "std"), duration_s=2, peak=1)
    recipe = LinearProbe(name="states", title="states", source="tests", features=spec, c=0.1)
    columns = 4 * 384
    model = recipe.model(3, shape=(columns,), examples=rng.standard_normal((20, columns)).astype(np.float32))
    model.set_weights([w if w.ndim == 1 else 0.1 * rng.standard_normal(w.shape) for w in model.get_weights()])
    made = kept(model, spec, ["angry", "happy", "sad"], tmp_path / "run")
    assert graph.write(made).stat().st_size < 200_000
    quick = graph.load(made)
    assert quick.spec.kinds == ("whisper",)
    clips = [(voice(150, duration_s=seconds), 16000) for seconds in (0.02, 0.5, 1.3, 4)]
    np.testing.assert_allclose(answers(quick, clips), answers(Traced(made), clips), atol=1e-4)
    (plan, _) = content(made.folder)
    assert {link["weight"].partition("/")[0] for link in plan["weights"]} >= {"encoder", "positions"}


@pytest.mark.slow
def test_a_tuned_encoder_is_read_from_the_steps_in_its_model(tmp_path, voice, rng):
    """Two encoders in one model, one as it was and one a step away, as a mean of both would have them."""
    inputs = keras.Input((None, 80))
    states = []
    for step in (0.0, 1e-3):
        layer = encoder.load("whisper-tiny", [1], source="whisper-tiny")
        layer.set({name: v.numpy() + step * rng.standard_normal(v.shape).astype("f") for name, v in layer.w.items()})
        states.append(layer(inputs))
    both = keras.ops.mean(keras.ops.concatenate(states, axis=-1), axis=1)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(both))
    spec = FeatureSpec(kinds=("whisper",), rate_hz=16000, frame=400, hop=160, n_mels=80)
    run = kept(model, spec, ["angry", "happy", "sad"], tmp_path / "run")
    assert graph.write(run).stat().st_size < 200_000
    clips = [(voice(f0, duration_s=1.1), 16000) for f0 in (110, 220)]
    np.testing.assert_allclose(answers(graph.load(run), clips), answers(Traced(run), clips), atol=1e-4)
    stored = graph.stored_weights(run)
    tuned = [name for name in stored if name.endswith("layers.0.fc1.weight")]
    assert len(tuned) == 2 and not np.array_equal(*(stored[name] for name in tuned))
    for name in tuned:
        np.testing.assert_allclose(stored[name], weights.find("whisper-tiny", [1])[0]["layers.0.fc1.weight"], atol=0.01)


def test_features_that_a_speaker_normalises_stay_outside(tone_table, tmp_path, run):
    spec = FeatureSpec(encoder="whisper-tiny", layers=(1,), summary=("slope",))
    unusual = replace(run, info={**run.info, "features": spec.to_dict()})
    with pytest.raises(SerlibError, match="no form in ONNX"):
        graph.build(unusual)


@pytest.fixture(scope="module")
def spoken_clips(tmp_path_factory):
    """Every emotion in two voices, from the sample corpus; z-scores of clips too much alike would magnify rounding."""
    folder = making.make(tmp_path_factory.mktemp("spoken") / "sample", words=2, jobs=1, show=False)
    return [load(path) for path in sorted(folder.rglob("*.wav"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stacked-lstm", "conv1d", "committee"])
def test_every_kind_of_recipe_has_a_graph(name, spoken_clips, tmp_path):
    """Layers over frames, fixed and free, recurrent, two models in one; with z-scores but untrained."""
    recipe = RECIPES[name]
    values = [example(*clip, recipe.features)[0] for clip in spoken_clips]
    lengths = None if recipe.features.frames is None and not recipe.features.summary else len(values[0])
    values = np.stack([pad(rows, max(map(len, values))) if rows.ndim == 2 else rows for rows in values])
    shape = (lengths, *values.shape[2:])
    model = recipe.model(7, shape=shape, examples=values)
    made = kept(model, recipe.features, list("abcdefg"), tmp_path / "run")
    expected = answers(Traced(made), spoken_clips[::4])
    np.testing.assert_allclose(answers(graph.make(made), spoken_clips[::4]), expected, atol=1e-4)


def test_the_released_model_answers_without_tensorflow_and_librosa(tmp_path, voice):
    """As a command, which shall take less than three seconds from its start; the shipped graph fits its model."""
    sf.write(tmp_path / "voice.wav", voice(180, duration_s=2), 16000, subtype="FLOAT")
    code = "import sys; from serlib.__main__ import app; app(sys.argv[1:], standalone_mode=False); "
    code += "print(sorted(sys.modules.keys() & {'tensorflow', 'keras', 'librosa', 'numba', 'sklearn', 'onnxruntime'}))"
    command = [sys.executable, "-c", code, "predict", str(tmp_path / "voice.wav"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer, modules = done.stdout.strip().rsplit("\n", 1)
    assert modules == "['onnxruntime']"
    run = Run.load(RELEASED)
    (expected,) = run.probabilities(example(voice(180, duration_s=2), 16000, run.spec))
    np.testing.assert_allclose(list(json.loads(answer)["probabilities"].values()), expected, atol=1e-4)
    assert exporting.TOLERANCE == 1e-4


@pytest.mark.real
def test_the_released_model_answers_people_as_keras_does(real):
    run = Run.load(RELEASED)
    quick = graph.load(run)
    files = sorted((real / "tess").rglob("*.wav"))[::100] + sorted((real / "ravdess").rglob("*.wav"))[::60]
    clips = [load(path) for path in files]
    assert len(clips) > 40
    np.testing.assert_allclose(answers(quick, clips), answers(Traced(run), clips), atol=1e-4)
