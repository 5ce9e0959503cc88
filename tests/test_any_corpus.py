"""The notebooks on other corpora than the sample: own recordings with labels alone, the shapes of CREMA-D and EmoDB.

The clips are eSpeak's, named as those corpora name theirs, and few; epochs are few, too, and networks small. It is not
what is learned that is tested, but that no notebook counts on an emotion, a speaker or a text that a corpus does not
have.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from IPython.core.interactiveshell import InteractiveShell

import serlib
from notebooks import build
from serlib.corpora import sample
from serlib.models.blocks import convolutions, dense, layer, stack

pytestmark = pytest.mark.slow

SETTINGS = "SETTINGS = dict(epochs=6)"
#: What is put behind the settings of a notebook, so that it takes seconds.
SHORT = {
    "04": f"{SETTINGS}; PLAIN_EPOCHS = 2",
    "05": f"{SETTINGS}; LISTEN = 1",
    "06": "SHARE, TRIALS, JOBS = 0.02, 1, 1; LEFT_OUT = {*serlib.RECIPES} - {'lstm-256', 'functionals'}",
    "07": "EPOCHS, JOBS = 2, 1",
    "09": SETTINGS,
}
#: The other two shapes have speakers and texts, so that more splits can be made: one of each kind does.
SHORTER = {
    "06": SHORT["06"] + "; WORDS, SPLITS = 3, ('published', 'speaker:{speaker}')",
    "08": "WORDS = 3",
}


LABELS = {
    "folder": {"angry": "rude", "sad": "tired", "happy": "cheerful"},
    "cremad": {"angry": "ANG", "disgust": "DIS", "fear": "FEA", "happy": "HAP", "neutral": "NEU", "sad": "SAD"},
    "emodb": {"angry": "W", "ps": "L", "disgust": "E", "fear": "A", "happy": "F", "sad": "T", "neutral": "N"},
}
SPEAKERS = {"folder": ("", ""), "cremad": ("1001", "1002"), "emodb": ("03", "08")}
TEXTS = {
    "folder": range(6),
    "cremad": ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI"),
    "emodb": ("a01", "a02", "a04", "a05", "a07", "b01"),
}
#: Own recordings: a folder a label, and names that say nothing. EmoDB: `ps` plays the bored.
NAMES = {
    "folder": "{label}/recording {n}.wav",
    "cremad": "AudioWAV/{speaker}_{text}_{label}_XX.wav",
    "emodb": "wav/{speaker}{text}{label}a.wav",
}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Six words in two voices and seven emotions."""
    return serlib.index("sample", sample.make(tmp_path_factory.mktemp("spoken") / "sample", words=6, jobs=1))


@pytest.fixture(scope="module", params=NAMES)
def corpus(request, spoken, tmp_path_factory):
    """Name of a corpus that lies in the data folder of a home of its own, which the environment names."""
    name = request.param
    home = tmp_path_factory.mktemp(name)
    speakers = dict(zip(dict.fromkeys(spoken.speaker), SPEAKERS[name], strict=True))
    texts = dict(zip(dict.fromkeys(spoken.text), TEXTS[name], strict=True))
    for n, clip in enumerate(spoken[spoken.label.isin(LABELS[name])].itertuples()):
        parts = {"label": LABELS[name][clip.label], "speaker": speakers[clip.speaker], "text": texts[clip.text], "n": n}
        path = home / "data" / name / NAMES[name].format(**parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip.speech, path)
    with build.environment({**build.clean_environment(home), "SERLIB_CORPUS": name, "MPLBACKEND": "agg"}):
        yield name


@pytest.fixture
def small_networks(monkeypatch):
    """The recipes that the notebooks train, with layers that are compiled in a moment."""
    recipes = serlib.RECIPES
    functionals, conv_gru = recipes["committee"].members
    conv_gru = replace(conv_gru, build=stack(convolutions(8), layer("AttentionPooling", heads=1)))
    monkeypatch.setitem(recipes, "lstm-256", replace(recipes["lstm-256"], build=stack(dense(16))))
    monkeypatch.setitem(recipes, "committee", replace(recipes["committee"], members=(functionals, conv_gru)))


def cells(source, corpus):
    """The code of a notebook, shortened."""
    code = build.code(source)
    number = source.stem[:2]
    settings = next(n for n, text in enumerate(code) if text.startswith("CORPUS ="))
    short = SHORT.get(number, "")
    if corpus != "folder":
        short = SHORTER.get(number, short).replace("{speaker}", SPEAKERS[corpus][0])
    code.insert(settings + 1, short)
    return code


FULL = os.environ.get("SERLIB_TRUST") == "1"
#: What the other two shapes run: each notebook once, those that share a training on the same shape; all of them on both
#: with `make trust`. Own recordings run everything, for they lack most; 10 says nothing of a corpus but where its model
#: comes from.
OTHERS = {"cremad": ("01", "02", "03", "08"), "emodb": ("01", "04", "05", "09")}
ALL_OTHERS = ("01", "02", "03", "04", "05", "06", "07", "08", "09")


@pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)
def test_a_notebook_runs_on_any_corpus(corpus, small_networks, source, monkeypatch):
    """Cell by cell in one process, which loads TensorFlow once; the kernel is no matter here."""
    if corpus != "folder" and not source.stem.startswith(ALL_OTHERS if FULL else OTHERS[corpus]):
        pytest.skip("on another corpus, and with make trust on this one")
    monkeypatch.chdir(Path(build.__file__).parent)
    keras.backend.clear_session()
    shell = InteractiveShell(user_ns={})
    for code in cells(source, corpus):
        shell.run_cell(code).raise_error()
    assert shell.user_ns["CORPUS"] == corpus
