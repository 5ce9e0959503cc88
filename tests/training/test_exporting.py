"""serlib.training.exporting: the file answers as the run does, to somebody who has no serlib."""

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from serlib import audio, training
from serlib.corpora import sample
from serlib.features.spec import FeatureSpec
from serlib.recognizer import Recognizer
from serlib.training import exporting
from serlib.training.run import RELEASED, Run
from serlib.utils import SerlibError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def warm_run(tiny_run):
    """The tiny run, with a temperature that changes its answers."""
    return replace(
        tiny_run, info={**tiny_run.info, "calibration": {**tiny_run.info["calibration"], "temperature": 2.5}}
    )


def about(path):
    """What a file tells of itself, read without serlib."""
    if path.suffix == ".tflite":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("serlib.json"))
    import onnxruntime

    return json.loads(onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map["serlib"])


@pytest.mark.parametrize("to", ["onnx", "litert"])
@pytest.mark.parametrize("takes", ["waveform", "features"])
def test_the_file_answers_as_the_run_does(warm_run, tmp_path, to, takes):
    assert warm_run.temperature == 2.5
    out = tmp_path / f"model{exporting.TARGETS[to]}"
    written = exporting.export(warm_run, out, to=to, takes=takes)
    assert written.clips >= len(warm_run.labels) and written.difference < 1e-4
    said = about(out)
    assert said["takes"] == takes and said["labels"] == list(warm_run.labels)
    assert said["features"] == json.loads(json.dumps(warm_run.spec.to_dict()))
    assert said["input_shape"] == list(written.input_shape) and said["threshold"] == warm_run.threshold
    assert (
        written.input_shape
        == {
            ("waveform", "onnx"): (1, None),
            ("waveform", "litert"): (1, None),
            ("features", "onnx"): (None, 40),
            ("features", "litert"): (1, 40),
        }[takes, to]
    )
    rate_hz = warm_run.spec.rate_hz
    for path in warm_run.split.speech[-3:]:
        y, _ = audio.load(path, rate_hz=rate_hz)
        features = exporting.example(y, rate_hz, warm_run.spec)
        x = y[np.newaxis] if takes == "waveform" else features
        np.testing.assert_allclose(exporting._ask(out, to, [x]), warm_run.probabilities(features), atol=1e-4)


def test_a_file_that_answers_otherwise_is_not_written(tiny_run, tmp_path, monkeypatch):
    even = 1 / len(tiny_run.labels)
    monkeypatch.setattr(exporting, "_ask", lambda path, to, inputs: np.full((len(inputs), len(tiny_run.labels)), even))
    with pytest.raises(SerlibError, match="would answer otherwise than the run"):
        exporting.export(tiny_run, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_said(tiny_run, voices_run, tmp_path):
    with pytest.raises(SerlibError, match="choose one of onnx, litert"):
        exporting.export(tiny_run, tmp_path / "a.pt", to="torch")
    with pytest.raises(SerlibError, match=r"let it end with \.tflite"):
        exporting.export(tiny_run, tmp_path / "a.onnx", to="litert")
    with pytest.raises(SerlibError, match="choose one of waveform, features"):
        exporting.export(tiny_run, tmp_path / "a.onnx", takes="mel")
    with pytest.raises(SerlibError, match="per-speaker normalisation"):
        exporting.export(voices_run, tmp_path / "a.onnx")


@pytest.mark.slow
def test_a_pitch_tracker_stays_outside(tiny_recipe, tone_table, tmp_path):
    """Its run is exported from the features on, and says so where the waveform is asked for."""
    features = FeatureSpec(rate_hz=16000, frame=512, hop=256, kinds=("mfcc", "pitch"), summary=("mean", "slope"))
    recipe = replace(tiny_recipe, name="pitch", features=features)
    run = training.fit(recipe, tone_table, out=tmp_path / "run", epochs=1, show=False)
    with pytest.raises(SerlibError, match=r"cannot be computed in a file \(pitch, slope: .*--takes features"):
        exporting.export(run, takes="waveform")
    assert exporting.export(run).takes == "features"


@pytest.mark.slow
def test_frames_of_any_length(tone_table, tmp_path):
    """A recipe on frames, whose clips have not the same number of them."""
    run = training.fit("stacked-lstm", tone_table, out=tmp_path / "run", epochs=1, show=False)
    assert exporting.export(run).input_shape == (1, None)
    assert exporting.export(run, takes="features").input_shape == (None, None, 120)


def without_serlib(code, folder):
    """What lines print that are run in a process which has no serlib: the probabilities."""
    code = f"import sys\nsys.modules['serlib'] = None\n{code}"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [float(figure) for figure in re.findall(r"np\.float32\(([-\d.e]+)\)", done.stdout)]


def blocks(page):
    """The blocks of Python on a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.slow
def test_the_lines_of_the_docs_give_the_answer_of_the_run(tone_table, tmp_path):
    """Run as they stand in docs/export.md; those for the features after an export of the features."""
    run = training.fit("lstm-256", tone_table, out=tmp_path / "run", epochs=1, show=False)
    y, rate_hz = sf.read(run.split.speech[0])
    y = np.tile(y, 8).astype(np.float32)  # longer than the half second that is left out at its beginning
    sf.write(tmp_path / "me.wav", y, rate_hz)
    expected = run.probabilities(exporting.example(y, rate_hz, run.spec))[0]
    for to, name in (("onnx", "model.onnx"), ("litert", "model.tflite")):
        exporting.export(run, tmp_path / name, to=to)
    exporting.export(run, tmp_path / "features.onnx", takes="features")
    onnx, litert, features = blocks("docs/export.md")
    lines = onnx.replace("model.onnx", "features.onnx")
    lines = lines.replace("(probabilities,) =", f"{features}\n(probabilities,) =")
    lines = lines.replace('{"waveform": y[None]}', '{"features": x}')
    answers = without_serlib(f"{onnx}\n{litert}\n{lines}", tmp_path)
    np.testing.assert_allclose(answers, [*expected, *expected, *expected], atol=1e-3)


def test_the_readme_has_the_lines_of_the_docs():
    assert blocks("docs/export.md")[0] in blocks("README.md")


@pytest.mark.slow
def test_the_released_model_without_serlib(tmp_path):
    """From the waveform, on speech that it has not heard; `serlib predict` says the same."""
    recordings = sorted(sample.make(tmp_path / "sample", words=1).rglob("*.wav"))[:3]
    run = Run.load(RELEASED)
    for to, suffix in exporting.TARGETS.items():
        written = exporting.export(run, tmp_path / f"model{suffix}", to=to, clips=recordings)
        assert written.takes == "waveform" and written.clips == 3 and written.difference < 1e-4
    y, _ = audio.load(recordings[0], rate_hz=16000)
    sf.write(tmp_path / "me.wav", y, 16000, subtype="FLOAT")
    expected = list(Recognizer(run).predict(tmp_path / "me.wav").probabilities.values())
    onnx, litert, _ = blocks("docs/export.md")
    np.testing.assert_allclose(without_serlib(f"{onnx}\n{litert}", tmp_path), [*expected, *expected], atol=1e-4)


def test_the_folder_of_a_run_and_one_clip_will_do(tiny_run, tmp_path):
    """As they do for evaluate and Recognizer; of a single path it said "/ is a folder"."""
    written = exporting.export(str(tiny_run.folder), tmp_path / "m.onnx", clips=tiny_run.split.speech[0])
    assert written.clips == 1 and written.difference < 1e-4


def test_a_gelu_is_one_step_for_onnx_runtime(tmp_path, capfd):
    import keras
    import onnx
    import onnxruntime

    from serlib.features.encoder import gelu

    signature = keras.InputSpec(shape=(1, 8), dtype="float32", name="features")
    inputs = keras.Input((8,), name="features")
    model = keras.Model(inputs, gelu(keras.layers.Dense(16)(inputs)))
    exporting.convert(model, tmp_path / "m.onnx", "onnx", signature)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), options)
    assert "initializer" not in capfd.readouterr().err
    steps = [node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node]
    assert "Gelu" in steps and "Erf" not in steps
    x = np.linspace(-3, 3, 8, dtype=np.float32)[np.newaxis]
    np.testing.assert_allclose(session.run(None, {"features": x})[0], model(x), atol=1e-6)
