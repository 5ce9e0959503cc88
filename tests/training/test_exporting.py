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

from serlib import training
from serlib.training import exporting
from serlib.utils import SerlibError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def warm_run(tiny_run):
    """The tiny run, with a temperature that changes its answers."""
    return replace(
        tiny_run, info={**tiny_run.info, "calibration": {**tiny_run.info["calibration"], "temperature": 2.5}}
    )


@pytest.mark.parametrize("to", ["onnx", "litert"])
def test_the_file_answers_as_the_run_does(warm_run, tmp_path, to):
    assert warm_run.temperature == 2.5
    written = exporting.export(warm_run, tmp_path / f"model{exporting.TARGETS[to]}", to=to)
    assert written.clips >= len(warm_run.labels) and written.difference < 1e-4
    names, x = exporting._examples(warm_run)
    assert names[0] == warm_run.split.speech[0]
    for row, expected in zip(x, warm_run.probabilities(x), strict=True):
        np.testing.assert_allclose(exporting._ask(written.path, to, row[np.newaxis])[0], expected, atol=1e-4)


def test_labels_and_features_stand_in_the_file(tiny_run, tmp_path):
    import onnxruntime

    exporting.export(tiny_run, tmp_path / "a.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "a.onnx"))
    about = json.loads(session.get_modelmeta().custom_metadata_map["serlib"])
    exporting.export(tiny_run, tmp_path / "a.tflite", to="litert")
    with zipfile.ZipFile(tmp_path / "a.tflite") as archive:
        assert json.loads(archive.read("serlib.json")) == about
    assert about["labels"] == list(tiny_run.labels)
    assert about["features"] == json.loads(json.dumps(tiny_run.spec.to_dict()))


def test_a_file_that_answers_otherwise_is_not_written(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "_ask", lambda *_: np.full((1, len(tiny_run.labels)), 1 / len(tiny_run.labels)))
    with pytest.raises(SerlibError, match="would answer otherwise than the run"):
        exporting.export(tiny_run, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_said(tiny_run, voices_run, tmp_path):
    with pytest.raises(SerlibError, match="choose one of onnx, litert"):
        exporting.export(tiny_run, tmp_path / "a.pt", to="torch")
    with pytest.raises(SerlibError, match=r"let it end with \.tflite"):
        exporting.export(tiny_run, tmp_path / "a.onnx", to="litert")
    with pytest.raises(SerlibError, match="per-speaker normalisation"):
        exporting.export(voices_run, tmp_path / "a.onnx")


def test_the_ten_lines_of_the_docs_give_the_answer_of_the_run(tone_table, tmp_path):
    """Run as they stand in docs/export.md, in a process that has no serlib."""
    run = training.fit("lstm-256", tone_table, out=tmp_path / "run", epochs=1, show=False)
    for to, name in (("onnx", "model.onnx"), ("litert", "model.tflite")):
        exporting.export(run, tmp_path / name, to=to)
    y, rate_hz = sf.read(run.split.speech[0])
    y = np.tile(y, 8)  # longer than the half second that is left out at its beginning
    sf.write(tmp_path / "me.wav", y, rate_hz)
    expected = run.probabilities(exporting.example(y.astype(np.float32), rate_hz, run.spec))[0]
    lines = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(), re.DOTALL))
    code = f"import sys\nsys.modules['serlib'] = None\n{lines}"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = re.findall(r"np\.float32\(([-\d.e]+)\)", done.stdout)
    assert len(answers) == 2 * len(run.labels)
    np.testing.assert_allclose(np.array(answers, float), [*expected, *expected], atol=1e-3)
