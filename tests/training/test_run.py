"""A run folder is whole, safe and answers as it did; anything else is refused with the reason."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from serlib.training import run as runs
from serlib.training.run import Run
from serlib.utils import SerlibError


@pytest.fixture
def copy(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


def change(folder, **values):
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return folder


def test_a_run_comes_back_as_it_was(tiny_run):
    again = Run.load(tiny_run.folder)
    assert again.info == tiny_run.info
    assert again.labels == ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]
    assert again.split.attrs["split"] == tiny_run.split.attrs["split"]
    assert set(again.split.columns) >= {"speech", "label", "speaker", "text", "corpus", "digest", "role"}
    x = np.random.default_rng(0).normal(size=(9, 40)).astype(np.float32)
    np.testing.assert_array_equal(again.probabilities(x), tiny_run.probabilities(x))
    assert again.probabilities(x[:0]).shape == (0, 7)


def test_the_folder_holds_four_files_and_no_pickle(tiny_run):
    import zipfile

    names = {path.name for path in tiny_run.folder.iterdir()} - {"graph.zip"}  # the first recognizer makes it
    assert names == set(runs.FILES)
    with zipfile.ZipFile(tiny_run.folder / "model.keras") as archive:
        assert {name.rsplit(".", 1)[-1] for name in archive.namelist()} <= {"json", "h5"}


def test_run_json_says_how_it_was_made(tiny_run):
    info = tiny_run.info
    assert info["recipe"]["name"] == "tiny" and info["seed"] == 0
    assert info["split"]["kind"] == "random" and info["split"]["protocol"] == "held-out"
    assert info["corpora"] == ["tess"] and info["counts"]["test"] == (tiny_run.split.role == "test").sum()
    assert {"python", "keras", "tensorflow", "librosa", "serlib"} <= set(info["versions"])
    assert list(info["probes"]) == list(runs.probe_signals())
    assert info["machine"] == runs.machine()


def test_the_machine_is_told(monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    told = runs.machine()
    assert told["set"]["ONEDNN_MAX_CPU_ISA"] == "SSE41" and "OMP_NUM_THREADS" not in told["set"]
    assert told["processor"] and told["instructions"] and told["threads"] >= 1 and told["gpus"] == []


def test_swapped_labels_are_no_longer_the_run(copy, tiny_run):
    """Labels and outputs belong together: the order is compared with what the model answered by name."""
    labels = tiny_run.labels
    change(copy, labels=labels[::-1])
    with pytest.raises(SerlibError, match="answers its probe"):
        Run.load(copy)


def test_another_model_is_refused(copy):
    import keras

    model = keras.saving.load_model(copy / "model.keras", compile=False)
    model.set_weights([-w for w in model.get_weights()])
    model.save(copy / "model.keras")
    with pytest.raises(SerlibError, match="answers its probe 'voice' otherwise"):
        Run.load(copy)


def test_other_features_are_refused(copy, tiny_run):
    other = {**tiny_run.info["features"], "fmax_hz": 4000.0}
    change(copy, features=other)
    with pytest.raises(SerlibError, match="its recipe has other features"):
        Run.load(copy)
    change(copy, features=other, recipe={**tiny_run.info["recipe"], "features": other})
    with pytest.raises(SerlibError, match="answers its probe"):
        Run.load(copy)


def test_fewer_labels_than_answers_are_refused(copy, tiny_run):
    change(copy, labels=tiny_run.labels[:5])
    with pytest.raises(SerlibError, match="5 labels but a model with 7 answers"):
        Run.load(copy)


@pytest.mark.parametrize("name", runs.FILES)
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(SerlibError, match=f"it has no {name}"):
        Run.load(copy)


def test_damage_is_named(copy, tmp_path):
    with pytest.raises(SerlibError, match="it does not exist"):
        Run.load(tmp_path / "nowhere")
    (copy / "model.keras").write_bytes(b"PK nonsense")
    with pytest.raises(SerlibError, match=r"model\.keras cannot be loaded"):
        Run.load(copy)
    (copy / "run.json").write_text('{"format": 1,')
    with pytest.raises(SerlibError, match=r"run\.json is damaged"):
        Run.load(copy)


def test_another_format_is_refused(copy):
    change(copy, format=99)
    with pytest.raises(SerlibError, match="run format 99, this serlib reads format 1"):
        Run.load(copy)


def test_a_small_file_does_not_fill_the_memory(copy):
    with zipfile.ZipFile(copy / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(copy / "model.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part + bytes(10**7 * (name == "model.weights.h5")))  # what follows does not count
    with pytest.raises(SerlibError, match="it would fill the memory"):
        Run.load(copy)


def test_code_in_a_model_is_not_run(copy, tmp_path):
    import keras

    evil = keras.Sequential([keras.Input((40,)), keras.layers.Lambda(lambda x: x)])
    evil.save(copy / "model.keras")
    with pytest.raises(SerlibError, match="cannot be loaded"):
        Run.load(copy)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"labels": ["angry", "angry"]}, "each label may occur once"),
        ({"labels": []}, "labels must be words"),
        ({"labels": [1, 2, 3, 4, 5, 6, 7]}, "labels must be words"),
        ({"labels": "angry"}, r"answers its probe|labels but a model|may occur once"),
        ({"split": {"kind": "random", "protocol": "trust me"}}, "protocol is not known"),
        ({"split": None}, "damaged"),
        ({"recipe": {"name": "tiny", "normalise": "magic"}}, "normalisation is not known"),
        ({"recipe": "tiny"}, "damaged"),
        ({"features": {"kinds": ["telepathy"]}}, "kinds must be some of"),
        ({"features": {"rate_hz": 10**12}}, "its features"),
        ({"features": {"n_mels": 10**9, "n_mfcc": 40}}, "its features"),
        ({"features": {"frame": "long"}}, "damaged"),
        ({"probes": {}}, "its probes are others"),
        ({"calibration": {"temperature": 0, "threshold": 0}}, "its temperature"),
        ({"calibration": {"temperature": float("nan"), "threshold": 0}}, "its temperature"),
        ({"calibration": {"temperature": 1, "threshold": 7}}, "its threshold"),
        ({"calibration": {"temperature": 1}}, "damaged"),
        ({"domain": {"mean": [0], "precision": [[1]], "limit": 1, "shortest_s": 0, "longest_s": 9}}, "its domain"),
        ({"domain": {"mean": "here"}}, "damaged"),
    ],
)
def test_a_run_json_that_lies_is_refused(copy, values, told):
    change(copy, **values)
    with pytest.raises(SerlibError, match=told):
        Run.load(copy)


def test_probes_that_are_no_numbers_are_no_answer(copy, tiny_run):
    """json knows NaN, and NaN is never larger than a tolerance."""
    probes = {name: {**row, "sad": float("nan")} for name, row in tiny_run.info["probes"].items()}
    change(copy, probes=probes)
    with pytest.raises(SerlibError, match="answers its probe"):
        Run.load(copy)


def test_a_model_that_takes_other_features_is_refused(copy):
    import keras

    other = keras.Sequential([keras.Input((13,)), keras.layers.Dense(7, activation="softmax")])
    other.save(copy / "model.keras")
    with pytest.raises(SerlibError, match=r"cannot take in the features of its run\.json"):
        Run.load(copy)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("split.csv", "", r"split\.csv is damaged"),
        ("split.csv", "speech,label\na.wav,sad\n", r"split\.csv has no column speaker"),
        ("split.csv", "speech,label,speaker,text,role\na.wav,sad,A,b,exam\n", r"split\.csv says 'exam'"),
        ("split.csv", "speech,label,speaker,text,role\na.wav,envy,A,b,test\n", r"split\.csv says 'envy'"),
        ("history.csv", "\x00\x01", r"history\.csv"),
        ("history.csv", "epoch,loss\n1,2\n", r"history\.csv has no column val_loss"),
    ],
)
def test_tables_that_are_damaged_are_named(copy, name, text, told):
    (copy / name).write_text(text)
    with pytest.raises(SerlibError, match=told):
        Run.load(copy)


def test_names_that_look_like_numbers_stay_names(tmp_path):
    lines = ["speech,digest,label,speaker,text,role,corpus", "a.wav,0012,sad,01,007,train,001"]
    (tmp_path / "split.csv").write_text("\n".join(lines))
    (row,) = runs._read_table(tmp_path / "split.csv", runs.SPLIT_COLUMNS).to_dict("records")
    assert list(row.values()) == lines[1].split(",")


def test_other_versions_are_named_where_the_answers_differ(copy, tiny_run):
    Run.load(change(copy, versions={**tiny_run.info["versions"], "keras": "2.0.0"}))  # the answers are the same: fine
    change(copy, labels=tiny_run.labels[::-1])
    with pytest.raises(SerlibError, match=r"have changed \(keras 2\.0\.0, now 3\.[^;]*\); train the run again"):
        Run.load(copy)


def test_a_run_from_before_calibration_answers_as_its_model_does(copy, tiny_run):
    info = {key: value for key, value in tiny_run.info.items() if key not in ("calibration", "domain")}
    (copy / "run.json").write_text(json.dumps(info))
    old = Run.load(copy)
    assert (old.temperature, old.threshold, old.domain, old.is_calibrated) == (1.0, 0.0, None, False)
    x = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    np.testing.assert_array_equal(old.probabilities(x), old.probabilities(x, calibrated=False))
