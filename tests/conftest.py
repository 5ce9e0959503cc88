"""Fixtures that more than one test file uses. The environment they run in is set in ../conftest.py."""

import functools
import os
from pathlib import Path

import numpy as np
import pytest

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")


@pytest.fixture(autouse=True)
def _no_credentials():
    """No test sees the credentials of whoever runs it, whatever a test before it did to the environment."""
    leaked = [name for name in os.environ if name.startswith("KAGGLE_")]
    assert not leaked, f"a test left {leaked} in the environment: use monkeypatch"
    assert not (Path.home() / ".kaggle").exists(), "HOME is not the empty folder that conftest.py made"


@pytest.fixture
def rng():
    """A seeded numpy Generator."""
    return np.random.default_rng(0)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty SERLIB_HOME of the test's own; SERLIB_DATA and SERLIB_CORPUS are not set."""
    monkeypatch.setenv("SERLIB_HOME", str(tmp_path))
    monkeypatch.delenv("SERLIB_DATA", raising=False)
    monkeypatch.delenv("SERLIB_CORPUS", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def real():
    """Folder that holds the real corpora: tess/, ravdess/, tess-kaggle/."""
    folder = os.environ.get("SERLIB_REAL_DATA")
    if not folder:
        pytest.skip("needs the real corpora: set SERLIB_REAL_DATA to the folder that holds tess/ and ravdess/")
    return Path(folder)


@pytest.fixture(scope="session")
def real_index(real, tmp_path_factory):
    """real_index("tess", "ravdess") -> the index of real corpora, each file read once for all tests and workers."""
    from serlib import corpora

    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    @functools.cache
    def index(*names):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SERLIB_HOME", str(folder / "real-home"))
            return corpora.index(list(names), [real / name for name in names], show=False)

    return lambda *names: index(*names).copy()


@pytest.fixture
def sine():
    """sine(hz=220, duration_s=1, rate_hz=16000, peak=.5) -> float32 [shape=(n,)]."""

    def make(hz=220.0, *, duration_s=1.0, rate_hz=16000, peak=0.5):
        t = np.arange(int(duration_s * rate_hz)) / rate_hz
        return (peak * np.sin(2 * np.pi * hz * t)).astype(np.float32)

    return make


def _voice(f0_hz=150.0, *, duration_s=1.0, rate_hz=16000, silence_s=0.2, seed=0):
    """A pulse train through three vowel-like resonances between two silences, with a faint noise floor."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(duration_s * rate_hz)) / rate_hz
    y = np.zeros_like(t)
    for k in range(1, int(min(4000, rate_hz / 2) / f0_hz)):
        gain = sum(1 / (1 + ((k * f0_hz - formant) / 120) ** 2) for formant in (600, 1200, 2500))
        y += gain / k**0.5 * np.sin(2 * np.pi * k * f0_hz * t + k)
    y *= np.hanning(len(t)) ** 0.3 * 0.4 / np.abs(y).max()
    silence = np.zeros(int(silence_s * rate_hz))
    y = np.concatenate([silence, y, silence])
    return (y + 1e-4 * rng.standard_normal(len(y))).astype(np.float32)


@pytest.fixture
def voice():
    """voice(f0_hz=150, duration_s=1, rate_hz=16000, silence_s=.2, seed=0) -> float32: harmonic, with formants."""
    return _voice


@pytest.fixture(scope="session")
def tone_corpus():
    """Makes a tiny tree in the shape of TESS whose emotions differ in pitch, so that they can be learned.

    tone_corpus(folder, words=3, rate_hz=16000) -> folder, holding OAF_angry/OAF_back_angry.wav ...: two speakers,
    `words` words, seven emotions, half a second each; 42 files in a few hundredths of a second.
    """
    import soundfile

    names = ("back", "bar", "base", "bath", "bean", "beg", "bite", "boat", "bone", "book", "bought", "burn")

    def make(folder, *, words=3, rate_hz=16000):
        folder = Path(folder)
        rng = np.random.default_rng(0)
        t = np.arange(rate_hz // 2) / rate_hz
        for speaker, factor in (("OAF", 1.0), ("YAF", 1.35)):
            for row, emotion in enumerate(EMOTIONS):
                here = folder / f"{speaker}_{emotion}"
                here.mkdir(parents=True)
                for word in names[:words]:
                    hz = factor * (120 + 60 * row) * (1 + 0.02 * rng.standard_normal())
                    y = sum(np.sin(2 * np.pi * k * hz * t) / k for k in range(1, 6))
                    y = 0.2 * y * np.hanning(len(t)) + 1e-3 * rng.standard_normal(len(t))
                    soundfile.write(here / f"{speaker}_{word}_{emotion}.wav", y, rate_hz, subtype="PCM_16")
        return folder

    return make


@pytest.fixture(scope="session")
def session_home(tmp_path_factory):
    """SERLIB_HOME of what is trained once for many tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("SERLIB_HOME", str(folder))
        patch.delenv("SERLIB_DATA", raising=False)
        yield folder


@pytest.fixture(scope="session")
def tone_index(session_home, tone_corpus):
    """Index of 84 tones: six words, two speakers, seven emotions."""
    from serlib import corpora

    return corpora.index("tess", tone_corpus(session_home / "tones", words=6))


@pytest.fixture(scope="session")
def tone_table(tone_index):
    """The tones with roles, at random."""
    from serlib import splits

    return splits.split(tone_index, "random", seed=0)


@pytest.fixture(scope="session")
def tiny_recipe():
    """A recipe that trains in a moment."""
    from tests import tiny

    return tiny.recipe(epochs=8)


@pytest.fixture(scope="session")
def tiny_run(tiny_recipe, tone_table, session_home):
    """A finished run of the tiny recipe on the tones."""
    from serlib import training

    return training.fit(tiny_recipe, tone_table, out=session_home / "checkpoints" / "tiny", show=False)


@pytest.fixture(scope="session")
def live_run(tiny_recipe, tone_table, session_home):
    """A run that hears clips from their first moment, as short as they are."""
    from dataclasses import replace

    from serlib import training

    recipe = replace(tiny_recipe, name="tiny-whole", features=replace(tiny_recipe.features, offset_s=0.0), epochs=30)
    return training.fit(recipe, tone_table, out=session_home / "checkpoints" / "tiny-whole", show=False)


@pytest.fixture(scope="session")
def voices_run(tiny_recipe, tone_table, session_home):
    """A finished run on the tones that normalises by speaker."""
    from dataclasses import replace

    from serlib import training

    recipe = replace(tiny_recipe, name="voices", normalise="speaker")
    return training.fit(recipe, tone_table, out=session_home / "checkpoints" / "voices", show=False)
