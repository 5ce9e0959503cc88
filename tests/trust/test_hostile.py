"""Input that was made to do harm: caches, models, runs, tables, file names; archives: tests/corpora/test_archives.py.

`SERLIB_TRUST=1` (make trust) takes larger archives and many more examples.
"""

import ast
import base64
import contextlib
import csv
import functools
import json
import os
import pickle
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import serlib
from serlib import corpora
from serlib.corpora import CORPORA
from serlib.training import run as runs
from serlib.training.run import Run
from serlib.utils import LABELS, SerlibError, for_spreadsheets
from tests.trust.damaged import encoded

FULL = os.environ.get("SERLIB_TRUST") == "1"
ROOT = Path(__file__).resolve().parents[2]
FAST = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


def is_one_line(text):
    """No line breaks, no control characters, no halves of characters; asked of Unicode, not of serlib."""
    return not {unicodedata.category(character) for character in text} & {"Cc", "Cs", "Zl", "Zp"}


def refused(function, *arguments):
    """The sentence of the SerlibError that a call must end with."""
    with pytest.raises(SerlibError) as error:
        function(*arguments)
    said = str(error.value)
    assert is_one_line(said) and "Traceback" not in said and len(said) < 1000
    return said


# ---------------------------------------------------------------- nothing is unpickled


def test_nothing_in_the_package_unpickles_or_runs_text():
    """No pickle, no marshal, no eval; np.load and pd.read_* without their ways to unpickle."""
    modules = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "joblib.load"}
    calls = {"eval", "exec", "compile", "read_pickle", "to_pickle", "enable_unsafe_deserialization", "system", "popen"}
    found = []
    for path in (ROOT / "serlib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                found += [where for name in node.names if name.name.split(".")[0] in modules]
            elif isinstance(node, ast.ImportFrom):
                found += [where] if (node.module or "").split(".")[0] in modules else []
                found += [where for name in node.names if node.module == "joblib" and name.name in ("load", "dump")]
            elif isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                owner = getattr(getattr(node.func, "value", None), "id", "")
                ours = owner == "re" or (called == "compile" and isinstance(node.func, ast.Attribute))  # a model's own
                found += [where] if called in calls and not ours else []
                found += [where] if owner == "joblib" and called in ("load", "dump") else []
                for option in node.keywords:
                    true = not (isinstance(option.value, ast.Constant) and option.value.value is False)
                    found += [where] if option.arg == "allow_pickle" and true else []
                    safe = getattr(option.value, "value", None) is True
                    found += [where] if option.arg == "safe_mode" and not safe else []
                    found += [where] if option.arg == "shell" and true else []
    assert not found


def test_a_cache_of_pickles_is_not_opened(tone_index, tmp_path):
    """The folder of features may lie where others write."""
    found = serlib.extract(tone_index, "mfcc40-mean", out_dir=tmp_path, show=False)
    expected, canary = np.array(found.values), tmp_path / "canary"
    np.save(found.folder / "values.npy", np.array([Bomb(canary)] * len(tone_index), dtype=object), allow_pickle=True)
    again = serlib.extract(tone_index, "mfcc40-mean", out_dir=tmp_path, show=False)
    np.testing.assert_array_equal(again.values, expected)
    assert not canary.exists()


class Bomb:
    """Whoever unpickles it touches the file."""

    def __init__(self, canary):
        self.canary = str(canary)

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


# ---------------------------------------------------------------- models with code in them


@pytest.fixture
def copy(tiny_run, tmp_path):
    """A run of the test's own."""
    return shutil.copytree(tiny_run.folder, tmp_path / "run")


def repacked(run, change=None, **parts):
    """Change config.json of a run's model, or put other parts into the file."""
    path = run / "model.keras"
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    if change:
        config = json.loads(held["config.json"])
        change(config["config"]["layers"])
        held["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**held, **parts}.items():
            archive.writestr(name, data)


def named(module, name, config=None, registered=None):
    """An object as Keras writes it into a configuration."""
    return {"module": module, "class_name": name, "config": config or {}, "registered_name": registered}


def lambda_layer(function, **config):
    """A Lambda layer of that function."""
    return named("keras.layers", "Lambda", {"name": "x", "trainable": True, "function": function, **config})


def malicious(canary):
    """What stands in the place of a layer's activation or of a layer, and touches the canary if it is ever run."""
    import marshal

    touch = f"touch {canary}"
    code = base64.b64encode(marshal.dumps(compile(f"import os; os.system({touch!r})", "x", "exec"))).decode()
    body = {"class_name": "__lambda__", "config": {"value": [code, None, None]}}
    return {
        "marshalled code": lambda_layer(body),
        "a function of the system": lambda_layer(named("os", "function", "system"), arguments={"command": touch}),
        "a class of the system": named("subprocess", "Popen", {"args": ["touch", str(canary)]}),
        "exec": named("builtins", "function", "exec", "exec"),
        "eval as a class": named("builtins", "eval", {"source": f"__import__('os').system({touch!r})"}),
        "safe mode switched off": named("keras.config", "function", "enable_unsafe_deserialization"),
        "a download": lambda_layer(named("keras.utils", "function", "get_file"), arguments={"origin": "file:///x"}),
        "another model": named("keras.saving", "function", "load_model"),
        "a module's own names": named("keras.src.utils.io_utils", "function", "os"),
        "torch": named("keras.layers", "TorchModuleWrapper", {"module": base64.b64encode(b"x").decode()}),
        "a saved model": named("keras.layers", "TFSMLayer", {"filepath": str(canary.parent)}),
        "a file read in": named("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
        "an unregistered class": named("serlib.utils", "SerlibError", {}, "SerlibError"),
        "a list for a name": named(["os"], ["system"]),
    }


@pytest.mark.parametrize("what", malicious(Path("canary")))
@pytest.mark.parametrize("where", ["layer", "activation"])
def test_code_in_a_model_is_not_run(copy, tmp_path, what, where):
    canary = tmp_path / "canary"
    bad = malicious(canary)[what]

    def change(layers):
        if where == "layer":
            layers.insert(1, {**bad, "name": "x", "inbound_nodes": []})
        else:
            layers[-1]["config"]["activation"] = bad

    repacked(copy, change)
    said = refused(Run.load, copy)
    assert "model.keras cannot be loaded" in said
    assert not canary.exists()


def test_other_parts_in_a_model_are_refused(copy, tmp_path):
    pickled = pickle.dumps(Bomb(tmp_path / "canary"))
    original = (copy / "model.keras").read_bytes()
    for parts in ({"model.weights.npz": pickled}, {"assets/x.pkl": pickled}, {"../../canary": b"x"}):
        (copy / "model.keras").write_bytes(original)
        repacked(copy, **parts)
        assert "it holds other files than a model" in refused(Run.load, copy)
    for content in (pickled, b"\x89HDF\r\n\x1a\n" + bytes(2000), b"PK\x05\x06" + bytes(18), b"", b"[" * 10**6):
        (copy / "model.keras").write_bytes(content)
        assert "model.keras cannot be loaded" in refused(Run.load, copy)
    for config in (b"[" * 10**6, b"null", b"[]", b"{", '{"class_name": "Functional"}'.encode("utf-16"), b"1" * 10**5):
        (copy / "model.keras").write_bytes(original)
        repacked(copy, **{"config.json": config})
        assert "model.keras cannot be loaded" in refused(Run.load, copy)
    (copy / "model.keras").write_bytes(original)
    repacked(copy, **{"model.weights.h5": pickled})
    assert "model.keras cannot be loaded" in refused(Run.load, copy)
    assert not (tmp_path / "canary").exists() and not (copy.parent.parent / "canary").exists()


def test_our_own_models_are_safe(tmp_path):
    """Every recipe's model loads in safe mode, with its optimiser."""
    import keras

    from serlib.features import names
    from serlib.models.recipes import RECIPES

    rng = np.random.default_rng(0)
    for recipe in RECIPES.values() if FULL else [RECIPES["attention"], RECIPES["cnn-lstm"]]:
        frames = () if recipe.features.summary else (recipe.features.frames or 100,)
        x = rng.normal(size=(4, *frames, len(names(recipe.features)))).astype(np.float32)
        model = recipe.model(7, shape=x.shape[1:], examples=x)
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, 100)
        model.compile(keras.optimizers.Adam(schedule), "categorical_crossentropy", metrics=["accuracy"])
        model.save(tmp_path / "model.keras")
        assert runs.load_model(tmp_path / "model.keras", compiled=True).count_params() == model.count_params()


# ---------------------------------------------------------------- run.json that lies


def lies(info):
    """Changes to run.json, each of which must be refused."""
    labels, probes = info["labels"], info["probes"]
    voice = probes["voice"]
    other = dict(zip(voice, [*list(voice.values())[:1], *[float("nan")] * 6], strict=True))
    return {
        "labels in another order": {"labels": labels[::-1]},
        "labels in another order, probes that are no numbers": {
            "labels": [labels[0], *labels[:0:-1]],
            "probes": dict.fromkeys(probes, other),
        },
        "fewer labels": {"labels": labels[:-1]},
        "more labels": {"labels": [*labels, "calm"]},
        "a label twice": {"labels": [*labels[:-1], labels[0]]},
        "labels as a text": {"labels": "abcdefg"},
        "labels as numbers": {"labels": list(range(7))},
        "labels as lists": {"labels": [[]] * 7},
        "no labels": {"labels": None},
        "no probes": {"probes": {}},
        "probes as a list": {"probes": []},
        "probes as texts": {"probes": dict.fromkeys(probes, "x")},
        "probes of texts": {"probes": {name: dict.fromkeys(voice, "x") for name in probes}},
        "other features": {"features": {**info["features"], "n_mfcc": 20}},
        "features for terabytes": {"features": {**info["features"], "n_mels": 10**9, "n_mfcc": 10**9}},
        "a frame for terabytes": {"features": {**info["features"], "frame": 2**40, "hop": 1}},
        "padding for terabytes": {"features": {**info["features"], "summary": [], "frames": 10**12}},
        "features as texts": {"features": {**info["features"], "rate_hz": "22050"}},
        "features that are no numbers": {"features": {**info["features"], "duration_s": float("nan")}},
        "unknown features": {"features": {**info["features"], "code": "import os"}},
        "features as a list": {"features": []},
        "no recipe": {"recipe": None},
        "another normalisation": {"recipe": {**info["recipe"], "normalise": "exec"}},
        "no split": {"split": None},
        "split as a text": {"split": "random"},
        "another format": {"format": 10**30},
        "no format": {"format": None},
    }


@pytest.mark.parametrize(
    "what",
    lies({"labels": list("abcdefg"), "probes": {"voice": dict.fromkeys("abcdefg", 0)}, "features": {}, "recipe": {}}),
)
def test_a_run_that_lies_about_its_model_is_refused(copy, tiny_run, what):
    path = copy / "run.json"
    path.write_text(json.dumps({**tiny_run.info, **lies(tiny_run.info)[what]}))
    assert copy.name in refused(Run.load, copy)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b"\x00" * 100,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
        b'{"format": 1' + b"0" * 5000 + b"}",
        "{}".encode("utf-16"),
        b'\xef\xbb\xbf{"format": 1}',
    ],
)
def test_a_run_json_that_is_none(copy, content):
    (copy / "run.json").write_bytes(content)
    assert "run.json" in refused(Run.load, copy)


@pytest.mark.parametrize("name", ["split.csv", "history.csv"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,b\n"', b"a\n1,2,3\n", b"\x00" * 50, b"speech\nx\n"])
def test_tables_of_a_run_that_are_none(copy, name, content):
    (copy / name).write_bytes(content)
    assert name in refused(Run.load, copy)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([10**30, -1, ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=3000 if FULL else 60, **FAST)
@given(data=st.data())
def test_no_run_json_raises_anything_else(copy, tiny_run, monkeypatch, data):
    """One value anywhere in it replaced or taken away: the run is refused in a sentence, or is the run that it was."""
    info = json.loads((tiny_run.folder / "run.json").read_text())
    here, steps = info, data.draw(st.integers(1, 4))
    for step in range(steps):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys))
        if step + 1 < steps and isinstance(here[key], dict | list) and here[key]:
            here = here[key]
            continue
        if data.draw(st.booleans()):
            here[key] = data.draw(JSON)
        else:
            del here[key]
        break
    (copy / "run.json").write_text(json.dumps(info))
    monkeypatch.setattr(runs, "load_model", lambda path: tiny_run.model)
    try:
        found = Run.load(copy)
    except SerlibError as error:
        assert is_one_line(str(error))
    else:
        assert found.labels == tiny_run.labels and found.spec.hash == tiny_run.spec.hash
        assert isinstance(found.kind, str) and isinstance(found.normalise, str)


# ---------------------------------------------------------------- tables of recordings


@pytest.fixture
def own(tmp_path, sine):
    """Three recordings in a folder, one outside of it."""
    for n, name in enumerate(("own/a.wav", "own/b.wav", "own/c.wav", "secret.wav"), 1):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(sine(100 * n), 16000))
    return tmp_path / "own"


def test_a_relative_path_stays_in_the_folder_and_an_absolute_one_is_meant(own):
    secret = own.parent / "secret.wav"
    rows = [
        "a.wav,happy",
        "../secret.wav,sad",
        "x/../../secret.wav,sad",
        "..\\secret.wav,sad",
        "file:///etc/passwd,sad",
    ]
    (own / "index.csv").write_text("\n".join(["speech,label", *rows]))
    table = serlib.index("folder", own, show=False)
    assert [Path(path).name for path in table["speech"]] == ["a.wav"] and len(table.attrs["rejected"]) == 4
    assert [entry["reason"][:28] for entry in table.attrs["rejected"]].count("lies outside the folder of i") == 3
    (own / "index.csv").write_text(f"speech,label\n{secret},happy\n/etc/passwd,sad\n/dev/zero,sad\n")
    table = serlib.index("folder", own, show=False)
    assert table["speech"].tolist() == [str(secret)] and len(table.attrs["rejected"]) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_any_maker(own, encoding, separator):
    rows = [["a.wav", "=1+1", "ja, ö"], ["b.wav", "@SUM(A1)", "é\n2"], ["a.wav", "=1+1", "ja, ö"]]
    with (own / "index.csv").open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=separator).writerows([["speech", "label", "text"], *rows])
    table = serlib.index("folder", own, show=False)
    assert table["label"].tolist() == ["=1+1", "@sum(a1)"] and table.attrs["duplicates"] == 1
    assert table["text"].tolist() == ["ja, ö", "é\n2"]


def test_formulas_are_texts_for_a_spreadsheet_and_come_back_as_they_were(own, tmp_path):
    texts = ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "'=x", "'", "plain", "\tx"]
    for n in range(len(texts)):
        (own / f"{n}.wav").write_bytes(encoded(np.sin(np.arange(8000) * (0.1 + n / 50)) * 0.5, 16000))
    with (own / "index.csv").open("w", newline="") as file:
        rows = [[f"{n}.wav", "sad", text] for n, text in enumerate(texts)]
        csv.writer(file).writerows([["speech", "label", "speaker"], *rows])
    table = serlib.index("folder", own, show=False)
    for_spreadsheets(table).to_csv(tmp_path / "told.csv", index=False)
    with (tmp_path / "told.csv").open(newline="") as file:
        for row in csv.reader(file):
            assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    again = serlib.index("folder", tmp_path / "told.csv", show=False)
    pd.testing.assert_frame_equal(again, table)


CELLS = st.one_of(
    st.sampled_from(["a.wav", "b.wav", "../secret.wav", "/dev/zero", "", "sad", "=1", "\x00", '"', "\r", "é" * 300]),
    st.text(max_size=12),
)


@settings(max_examples=3000 if FULL else 80, **FAST)
@given(
    rows=st.lists(st.lists(CELLS, max_size=5), max_size=5),
    heading=st.sampled_from([["speech", "label"], ["file", "emotion", "speaker", "text"], ["label", "label", "wav"]]),
    encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-16-be", "utf-32"]),
    separator=st.sampled_from([",", ";", "\t", "|"]),
)
def test_no_table_raises_anything_else(own, rows, heading, encoding, separator):
    lines = [separator.join(cells) for cells in (heading, *rows)]
    (own / "index.csv").write_bytes("\n".join(lines).encode(encoding, "replace"))
    try:
        table = serlib.index("folder", own, show=False)
    except SerlibError as error:
        assert "index.csv" in str(error) or "own" in str(error)
    else:
        assert all(Path(path).parent == own for path in table["speech"])
        assert all(entry["reason"] and is_one_line(entry["file"]) for entry in table.attrs["rejected"])


# ---------------------------------------------------------------- file names


@functools.cache  # to build it takes longer than to draw from it
def twisted(corpus):
    """A true name of a corpus with a few letters changed, or any other text, in a folder of any name."""
    names = CORPORA[corpus].names() if CORPORA[corpus].names else [Path(CORPORA[corpus].example).stem]
    text = st.text(st.characters(exclude_characters="/\0"), max_size=10)
    stems = st.builds(
        lambda stem, at, junk, end: stem[: at % (len(stem) + 1)] + junk + stem[end % (len(stem) + 1) :],
        st.sampled_from(names),
        st.integers(0, 40),
        text,
        st.integers(0, 40),
    )
    folder = st.one_of(st.sampled_from(["OAF_angry", "Actor_01", "DC", "happy", "wav", ".."]), text)
    return st.builds(lambda folder, stem: Path(f"{folder}/{stem}.wav"), folder, st.one_of(stems, text))


@pytest.mark.parametrize("corpus", [name for name in CORPORA if name != "sample"])
@settings(max_examples=20_000 if FULL else 200, **FAST)
@given(data=st.data())
def test_no_file_name_raises(corpus, data):
    entry = CORPORA[corpus]
    path = data.draw(twisted(corpus))
    clip, why = entry.parse(path), entry.refuse(path)
    assert why is None or isinstance(why, str)
    if clip is not None:
        assert clip.speaker and clip.text and clip.name
        if corpus != "folder":
            assert why is None
            assert clip.label in (*LABELS, *entry.own_labels) or (not clip.label and entry.details)
            assert not entry.labels or clip.label in entry.labels or not clip.label
            assert not entry.speakers or clip.speaker in entry.speakers


@settings(max_examples=500 if FULL else 15, **FAST)
@given(data=st.data())
def test_no_tree_of_names_raises(own, data):
    parts = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
    top = own.parent / "tree"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    for names in data.draw(st.lists(st.lists(parts, min_size=1, max_size=3), max_size=5)):
        with contextlib.suppress(OSError):  # too long, or a folder where a file is
            path = top.joinpath(*names[:-1])
            path.mkdir(parents=True, exist_ok=True)
            (path / f"{names[-1]}.wav").write_bytes((own / "a.wav").read_bytes())
    for corpus in ("folder", "tess", "savee"):
        try:
            table = corpora.index(corpus, top, show=False)
            told = table.attrs["rejected"]
        except SerlibError as error:
            told = [{"file": str(error), "reason": "x"}]
        assert all(entry["reason"] and is_one_line(entry["file"]) for entry in told)
