"""The commands as a user calls them: output, JSON keys, exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from typer.testing import CliRunner

from serlib import __main__
from serlib.models import RECIPES, dense, layer, stack
from serlib.utils import LABELS


@pytest.fixture
def call(home, monkeypatch, capsys):
    """Run a command in this process: exit code, standard output, standard error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["serlib", *map(str, words)])
        try:
            __main__.main()
            code = 0
        except SystemExit as error:
            code = error.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_help_lists_the_commands():
    shown = CliRunner().invoke(__main__.app, ["--help"]).stdout
    names = ("corpora", "sample", "download", "index", "features", "train", "evaluate", "predict", "compare", "search")
    for name in names:
        assert f" {name} " in shown


def test_help_imports_nothing_that_takes_its_time():
    code = (
        "import sys; sys.argv = ['serlib', '--help']\nfrom serlib.__main__ import main\n"
        "try: main()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    slow = {"tensorflow", "keras", "librosa", "matplotlib", "sklearn", "scipy", "pandas", "numpy"}
    assert "typer" in done.stderr.split() and not slow & set(done.stderr.split())


def test_python_m_serlib_knows_usage_errors(home):
    done = subprocess.run(
        [sys.executable, "-m", "serlib", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SERLIB_HOME": str(home)},
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr


def outside(*words, blocked=()):
    """A command in a process of its own, whose user has set nothing: exit code, standard output, standard error."""
    environment = {**os.environ, "SERLIB_PROGRESS": "0"}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    start = f"import sys; sys.modules.update(dict.fromkeys({blocked})); from serlib.__main__ import main; main()"
    command = [sys.executable, "-c", start, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


def test_a_missing_run_is_named_without_tensorflow(home):
    code, _, err = outside("predict", home / "nothing", "a.wav", blocked=("tensorflow", "keras"))
    assert code == 1 and "nothing is not a finished run" in err and err.count("\n") == 1


@pytest.mark.slow
def test_tensorflow_says_nothing_on_the_screen(home, tiny_run):
    code, out, err = outside("predict", tiny_run.folder, tiny_run.split.speech[0])
    assert code == 0 and out
    assert err == ""


def test_corpora(call):
    code, out, _ = call("corpora", "--json")
    told = json.loads(out)["corpora"]
    assert code == 0 and set(told) >= {"tess", "ravdess", "emodb", "cremad", "savee", "folder", "sample"}
    assert told["ravdess"]["sources"] == ["zenodo", "kaggle"] and not told["tess"]["present"]
    assert "CC BY-NC" in call("corpora")[1]


def test_index(call, tone_corpus, tmp_path):
    folder = tone_corpus(tmp_path / "tones", words=3)
    (folder / "broken_angry.wav").write_text("no sound")
    code, out, _ = call("index", "tess", folder, "--json")
    told = json.loads(out)
    assert code == 0 and set(told) >= {
        "clips",
        "speakers",
        "labels",
        "rejected",
        "repaired",
        "duplicates",
        "missing",
    }
    assert told["clips"] == 42 and set(told["labels"].values()) == {6} and len(told["speakers"]) == 2
    assert len(told["rejected"]) == 1 and "broken_angry" in told["rejected"][0]["file"]
    assert "42 clips, 2 speakers, 3 texts" in call("index", "tess", folder, "--out", tmp_path / "new" / "table.csv")[1]
    assert len((tmp_path / "new" / "table.csv").read_text().splitlines()) == 43


def test_the_same_number_in_two_corpora_is_two_speakers(call, tmp_path):
    for folder, name in (("emodb", "08a01Fa.wav"), ("javased", "08-02-03_04.wav")):
        (tmp_path / folder).mkdir()
        sf.write(tmp_path / folder / name, np.sin(np.arange(len(name) * 200)), 8000)
    words = ("index", "emodb", tmp_path / "emodb", "javased", tmp_path / "javased")
    assert "2 clips, 2 speakers, 2 texts" in call(*words)[1]
    assert json.loads(call(*words, "--json")[1])["speakers"] == {"emodb/08": 1, "javased/08": 1}


def test_the_road_from_a_folder_to_an_answer(call, tone_corpus, home, tmp_path):
    folder, run = tone_corpus(tmp_path / "tones", words=6), tmp_path / "run"
    features = ("features", "tess", folder, "--features", "mfcc40-mean", "--out-dir", tmp_path / "features")
    code, out, _ = call(*features, "--json")
    assert code == 0 and json.loads(out)["shape"] == [84, 40]

    train = ("train", "lstm-123", "tess", folder, "--out", run, "--split", "random", "--epochs", "2")
    code, out, err = call(*train, "--json")
    told = json.loads(out)
    assert code == 0, err
    keys = {"accuracy", "uar", "n_test", "split", "protocol", "labels", "confusion", "ci95"}
    assert keys <= set(told) and told["split"] == "random" and told["n_test"] == 17
    assert np.sum(told["confusion"]) == 17

    code, out, _ = call("evaluate", run, "--json")
    again = json.loads(out)
    assert code == 0 and {key: again[key] for key in keys} == {key: told[key] for key in keys}
    assert (home / "reports" / "run" / "report.html").is_file()

    clip = sorted(folder.rglob("*.wav"))[0]
    code, out, _ = call("predict", run, clip, "--json")
    answer = json.loads(out)
    assert code == 0 and {"file", "label", "confidence", "probabilities", "seconds"} <= set(answer)
    assert answer["file"] == str(clip) and sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)

    hiss = tmp_path / "hiss.wav"
    sf.write(hiss, np.random.default_rng(0).normal(0, 0.1, 8000), 16000)
    code, out, _ = call("predict", run, hiss)  # at the run's own threshold
    assert code == 0 and out.startswith("unsure") and "does not sound like the speech" in out
    code, out, _ = call("predict", run, hiss, "--threshold", "0", "--json")
    answer = json.loads(out)
    assert answer["label"] in answer["probabilities"] and answer["reason"] == ""

    sf.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    code, out, _ = call("predict", clip, "--json")  # the model that comes with the package
    assert code == 0 and set(json.loads(out)["probabilities"]) == set(LABELS) - {"calm", "boredom"}
    (folder / "split.csv").write_text("clip,part\n")  # no run for that
    code, out, _ = call("predict", folder, "--json")
    assert code == 0 and len(json.loads(out)["predictions"]) == 84

    code, out, err = call("predict", run, clip, tmp_path / "silent.wav", clip, "--timeline", "--json")
    told = json.loads(out)
    assert code == 1 and "silent.wav" in err and "Traceback" not in err
    assert len(told["predictions"]) == 2 and len(told["failed"]) == 1
    assert told["predictions"][0]["timeline"][0]["start_s"] == 0

    code, out, err = call(*train)
    assert code == 1 and "exists already" in err and err.count("\n") == 1
    assert call(*train, "--resume")[0] == 0


@pytest.mark.slow
def test_killed_training_resumes(call, tone_corpus, home, tmp_path):
    """SIGKILL, as the machine does when memory runs out: what stands is used, nothing half-written is."""
    folder, run = tone_corpus(tmp_path / "tones", words=6), tmp_path / "run"
    train = ("train", "lstm-123", "tess", folder, "--out", run, "--split", "random", "--epochs", "20", "--json")
    command = [sys.executable, "-m", "serlib", *map(str, train)]
    environment = {**os.environ, "SERLIB_HOME": str(home), "SERLIB_PROGRESS": "0"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    history = run.with_name("run.partial") / "history.csv"
    deadline = time.monotonic() + 180
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert history.exists() and not run.exists()
    killed = pd.read_csv(history)
    assert 1 <= len(killed) < 20
    code, out, err = call(*train, "--resume")
    assert code == 0, err
    assert json.loads(out)["n_test"] > 0
    resumed = pd.read_csv(run / "history.csv")
    assert len(resumed) == 20
    pd.testing.assert_frame_equal(resumed[: len(killed)], killed)


@pytest.mark.slow
def test_train_with_other_features_and_the_shares_of_the_authors(call, tone_corpus, tmp_path, monkeypatch):
    small = stack(layer("StatisticsPooling"), dense(8))
    monkeypatch.setitem(RECIPES, "stacked-lstm", replace(RECIPES["stacked-lstm"], build=small))
    folder, run = tone_corpus(tmp_path / "tones", words=12), tmp_path / "run"
    words = ("train", "stacked-lstm", "tess", folder, "--out", run, "--split", "random", "--epochs", "1")
    code, out, err = call(*words, "--features", "logmel-128x87", "--json")
    assert code == 0, err
    assert json.loads(out)["n_test"] == 26  # 15 % of 168
    info = json.loads((run / "run.json").read_text())
    assert info["features"]["frames"] == 87 and info["counts"] == {"train": 116, "validation": 26, "test": 26}
    monkeypatch.chdir(run)
    code, out, err = call(
        *(("." if word == run else word) for word in words), "--features", "logmel-128x87", "--resume"
    )
    assert code == 0 and "report reports/run/report.html" in out, err


def test_a_run_that_normalises_by_speaker(call, voices_run, tmp_path):
    code, out, err = call("evaluate", voices_run.folder)
    assert code == 0, err
    assert "per-speaker normalisation: uses the test speaker's unlabelled clips\n" in out
    clips = voices_run.split[voices_run.split.speaker == "OAF"].speech.tolist()
    code, out, err = call("predict", voices_run.folder, clips[0])
    assert code == 1 and "--speaker FILE_OR_FOLDER" in err and err.count("\n") == 1
    speaker = [word for clip in clips for word in ("--speaker", clip)]
    code, out, err = call("predict", voices_run.folder, clips[0], *speaker, "--json")
    assert code == 0 and json.loads(out)["label"] in voices_run.labels


@pytest.mark.slow
def test_compare(call, tone_corpus, home, tmp_path):
    """At first in a process of its own with two workers, whose TensorFlow shall say nothing on the screen."""
    folder = tone_corpus(tmp_path / "tones", words=6)
    chosen = ("--recipes", "lstm-123", "lstm-256", "--split", "random", "text")
    words = ("compare", "tess", folder, *chosen, "--jobs", "2", "--epochs", "1")
    code, out, err = outside(*words)
    ours = "waiting for another process"  # two workers may want the same features
    assert code == 0 and "71,747" in out and [line for line in err.splitlines() if not line.startswith(ours)] == [], err
    code, out, err = call(*words, "--json")  # nothing is trained again
    assert code == 0, err
    told = json.loads(out)
    assert sorted((row["split"], row["recipe"]) for row in told["rows"]) == [
        (split, recipe) for split in ("random", "text") for recipe in ("lstm-123", "lstm-256")
    ]
    assert {row["parameters"] for row in told["rows"]} == {71747, 305799} and len(told["neighbours"]) == 2
    assert told["report"] == "reports/compare-tess/comparison.html"
    code, _, err = call(
        *("compare", "tess", folder, "--recipes", "lstm-123", "--split", "random", "--jobs", "1", "--epochs", "1"),
        *("--out", tmp_path / "elsewhere"),
    )
    assert code == 0 and [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["tess-lstm-123-random-seed0"]
    assert (home / told["report"]).is_file() and (home / "checkpoints/compare/tess-lstm-123-text-seed0").is_dir()
    code, out, err = call(*words[:-2], "--epochs", "2")
    assert code == 1 and "has other epochs (1, not 2)" in err and out == ""
    code, out, _ = call("compare", "tess", folder, "--recipes", "lstm-123", "--split", "random", "--epochs", "1")
    assert code == 0 and "71,747" in out and "comparison.html" in out and "Empty" not in out


def test_search(call, tone_corpus, home, tmp_path):
    folder = tone_corpus(tmp_path / "tones", words=6)
    words = ("search", "lstm-123", "tess", folder, "--trials", "2", "--split", "random", "--epochs", "1", "--json")
    code, out, err = call(*words)
    assert code == 0, err
    told = json.loads(out)
    assert len(told["trials"]) == 2 and set(told["params"]) == {"learning_rate", "batch_size"}
    assert told["value"] == max(trial["value"] for trial in told["trials"])
    assert (home / told["out"] / "trial-001" / "run.json").is_file()
    assert call(*words)[1] == out  # nothing is trained again


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["index", "tess", "nowhere"], "nowhere"),
        (["index", "nonsense"], "There is no corpus 'nonsense'"),
        (["index", "FOLDER"], "for own recordings say: folder "),
        (["index", "folder", "FOLDER", "--label-level", "0"], "--label-level is 0; the first level"),
        (["features", "tess", "FOLDER", "--features", "nonsense"], "mfcc40-mean"),
        (["train", "nonsense", "tess", "FOLDER", "--out", "OUT"], "no recipe 'nonsense'"),
        (["train", "lstm-123", "tess", "FOLDER", "--out", "OUT", "--split", "nonsense"], "no kind of split"),
        (["compare", "tess", "FOLDER", "--recipes", "nonsense"], "no recipe 'nonsense'"),
        (["compare", "tess", "FOLDER", "--split", "nonsense"], "no kind of split"),
        (["search", "nonsense", "tess", "FOLDER"], "no recipe 'nonsense'"),
        (["search", "lstm-123", "tess", "FOLDER", "--split", "published"], "validation is the test set"),
        (["evaluate", "OUT"], "is not a finished run"),
        (["predict", "OUT", "a.wav"], "is not a finished run"),
        (["predict", "checkpoints/run-0.5", "a.wav"], "is not a finished run"),
    ],
)
def test_what_cannot_be_done_gets_one_sentence(call, tone_corpus, tmp_path, words, said):
    fill = {"FOLDER": tone_corpus(tmp_path / "tones", words=3), "OUT": tmp_path / "out"}
    code, out, err = call(*[fill.get(word, word) for word in words])
    assert code == 1 and said in err and "Traceback" not in err and out == ""
    assert err.count("\n") == 1
    code, out, _ = call(*[fill.get(word, word) for word in words], "--json")
    assert code == 1 and said in json.loads(out)["error"]


def test_predict_writes_a_table_for_a_folder(call, tiny_run, tmp_path):
    folder = os.path.dirname(tiny_run.split.speech[0])
    out = tmp_path / "answers.csv"
    code, said, _ = call("predict", tiny_run.folder, folder, "--out", out, "--json")
    files = [name for name in os.listdir(folder) if name.endswith(".wav")]
    assert code == 0 and json.loads(said)["answered"] == len(files)
    assert len(out.read_text().splitlines()) == len(files) + 1
    code, said, _ = call("predict", tiny_run.folder, folder, "--out", out)
    assert code == 0 and said.startswith(f"0 answers, 0 files with an error, {len(files)} rows were there")
    assert call("predict", tiny_run.folder, folder, "--channels", "split")[0] == 2
    assert call("predict", tiny_run.folder, folder, "--hop-s", "1")[0] == 2  # without --timeline it said nothing
    assert call("predict", tiny_run.folder, folder, "--scheduler", "tcp://127.0.0.1:9")[0] == 2  # needs --out


@pytest.fixture
def recordings(tmp_path, sine):
    """Own recordings, three people and two labels: folder/anna_happy_0.wav ..."""
    for s, speaker in enumerate(("anna", "bob", "cy")):
        for k, label in enumerate(("happy", "sad", "odd")):
            for i in range(4):
                y = sine(150 + 40 * s + 90 * k + 3 * i, duration_s=0.4)
                sf.write(tmp_path / f"{speaker}_{label}_{i}.wav", y, 16000)
    return tmp_path


def test_own_recordings_are_read_as_the_options_say_and_the_test_is_named(call, home, recordings, tmp_path):
    code, _, err = call("index", "folder", recordings)
    assert code == 1 and '--pattern "*_{label}_*"' in err and err.count("\n") == 1
    options = ("folder", recordings, "--pattern", "{speaker}_{label}_*", "--labels", "joy=happy", "--drop", "odd")
    code, out, _ = call("index", *options)
    assert code == 0 and "speaker from the pattern: anna, bob, cy" in out and "dropped: 12 clips labelled odd" in out
    code, out, err = call("train", "functionals", *options, "--out", tmp_path / "run", "--test", "bob", "--epochs", "1")
    assert code == 0, err
    assert (
        "tested on 8 clips of the speaker bob; trained on" in out and "speaker from the pattern: anna, bob, cy" in out
    )
    code, out, _ = call("evaluate", tmp_path / "run")
    assert code == 0 and "tested on 8 clips of the speaker bob; trained on" in out
    code, out, _ = call("evaluate", tmp_path / "run", *options[:4], "--labels", "joy=happy", "--allow-seen", "--json")
    told = json.loads(out)
    assert code == 0 and told["left_out"] == {"odd": 12} and told["split"] is None
    assert "left out: 12 clips labelled odd, which it does not know" in told["held_out"]
    assert "2 of the 3 test speakers are in the training, too" in told["held_out"] and told["seen"] == 16
    page = (home / "reports" / "run-on-folder" / "report.html").read_text(encoding="utf-8")
    assert "The model was trained or validated on 16 of these 24 clips" in page
    assert call("train", "functionals", *options, "--out", tmp_path / "x", "--split", "given")[0] == 1
    assert call("index", *options[:2], "--labels", "happy")[0] == 1


def test_an_option_that_is_repeated_adds_to_itself(call, recordings):
    options = ("index", "folder", recordings, "--pattern", "{speaker}_{label}_*", "--json")
    code, out, _ = call(*options, "--labels", "joy=happy", "--labels", "joy=odd")
    assert code == 0 and json.loads(out)["labels"] == {"joy": 24, "sad": 12}


def test_an_index_in_other_forms(call, recordings, tmp_path):
    options = ("index", "folder", recordings, "--pattern", "{speaker}_{label}_*")
    assert call(*options, "--to", "hf", "--out", tmp_path / "hf")[0] == 0 and (tmp_path / "hf/metadata.csv").is_file()
    code, _, err = call(*options, "--to", "hf")
    assert code == 1 and "--to needs --out" in err


def test_nothing_that_can_be_used_is_exit_code_1(call, tmp_path):
    for i in range(5):
        (tmp_path / f"100{i + 1}_DFA_ANG_XX.wav").write_text("version https://git-lfs.github.com/spec/v1\n")
    code, out, err = call("index", "cremad", tmp_path)
    assert code == 1 and out == "" and "5 files are rejected" in err and "git lfs pull" in err


def test_export_says_what_it_compared(call, tiny_run, tmp_path):
    out = tmp_path / "model.tflite"
    code, said, _ = call("export", tiny_run.folder, "--to", "litert", "--out", out, "--check", tiny_run.split.speech[0])
    assert code == 0 and out.is_file()
    assert re.search(r"model\.tflite takes the waveform: differs from the run by \S+ at most, on 1 clips", said)


# ------------------------------------------------------------------------------ names that shells and disks dislike

ODD_NAMES = (
    "a" * 251,
    "ü" * 125,
    "line\nbreak",
    "quo'te\"",
    "-dash",
    "--json",
    "=1+1",
    "$(id)",
    os.fsdecode(b"bad\xff"),
)


@pytest.fixture
def odd_folder(tmp_path, sine):
    """A folder `sad` with a recording under each of the names."""
    folder = tmp_path / "odd" / "sad"
    folder.mkdir(parents=True)
    for number, name in enumerate(ODD_NAMES):
        sf.write(folder / "tone.wav", sine(200 + 20 * number), 16000)
        (folder / "tone.wav").rename(folder / f"{name}.wav")
    return folder


def test_odd_names_are_listed_and_answered(call, odd_folder, tmp_path, monkeypatch):
    code, out, _ = call("index", "folder", odd_folder.parent, "--json")
    assert code == 0 and json.loads(out)["clips"] == len(ODD_NAMES) - 1
    assert "is not UTF-8; rename it" in json.loads(out)["rejected"][0]["reason"]
    assert call("index", "folder", odd_folder.parent, "--pattern", "{label}/[*")[0] == 1
    for kept in (0, len(ODD_NAMES)):
        code, out, _ = call("predict", odd_folder, "--out", tmp_path / f"{'y' * 251}.csv", "--json")
        assert code == 0 and json.loads(out)["kept"] == kept
    names = pd.read_csv(tmp_path / f"{'y' * 251}.csv").file
    assert len(set(names)) == len(ODD_NAMES) and str(odd_folder / "line\nbreak.wav") in set(names)
    monkeypatch.chdir(odd_folder)
    assert call("predict", "--", "-dash.wav", "--json.wav")[0] == 0


@pytest.mark.parametrize("name", ["x" * 300, "/" + "/".join(["x" * 200] * 25)], ids=["name", "path"])
def test_what_is_too_long_for_the_disk_gets_one_sentence(call, odd_folder, name):
    clip = odd_folder / "-dash.wav"
    for words in (
        ("index", "tess", name),
        ("index", "folder", name),
        ("index", "folder", odd_folder.parent, "--out", name),
        ("index", "folder", odd_folder.parent, "--to", "hf", "--out", name),
        ("predict", clip, "--out", name),
        ("predict", name, clip),
        ("train", "functionals", "folder", odd_folder.parent, "--out", name),
    ):
        code, _, err = call(*words)
        assert code == 1 and err.startswith("serlib: ") and err.count("\n") == 1
    code, out, err = call("predict", clip, f"{name}.wav", "--json")  # the rest goes on
    assert code == 1 and len(json.loads(out)["predictions"]) == 1
    assert "has a longer path than this system allows; shorten it" in err
