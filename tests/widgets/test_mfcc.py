"""serlib.widgets.mfcc: the sliders change picture, words and sound; what is shown is what was computed."""

import dataclasses
import io
import re

import librosa
import numpy as np
import pytest
import soundfile

from serlib.features import FeatureSpec
from serlib.utils import SerlibError
from serlib.widgets import mfcc_explorer, workings
from serlib.widgets.mfcc import in_words

RATE_HZ = 16000
SPEC = FeatureSpec(rate_hz=RATE_HZ, frame=1024, hop=256, n_mels=64, n_mfcc=20)


@pytest.fixture
def y(voice):
    return voice(180, duration_s=0.6, rate_hz=RATE_HZ)


def test_workings_are_librosas(y):
    found = workings(y, SPEC)
    step = {"n_fft": 1024, "hop_length": 256}
    power = abs(librosa.stft(y, **step)) ** 2
    assert np.allclose(found["levels_db"].T, librosa.power_to_db(power), atol=1e-2)
    mel = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE_HZ, n_mels=64, **step))
    assert np.allclose(found["bands_db"].T, mel, atol=1e-2)
    mfcc = librosa.feature.mfcc(y=y, sr=RATE_HZ, n_mfcc=20, n_mels=64, **step)
    assert np.allclose(found["mfcc"].T, mfcc, atol=1e-2)
    assert found["copy"].shape == y.shape and found["empty"] == 0
    assert 0 < found["distance_db"] < 20 and 0 <= found["pitch_kept"] <= 1


def test_it_says_what_is_lost(y):
    text = in_words(workings(y, SPEC), SPEC)
    assert "64 ms, one every 16 ms" in text and re.search(r"is \d+\.\d dB from the clip's; its pitch is right in", text)
    narrow = dataclasses.replace(SPEC, frame=256, hop=64, n_mels=128)
    assert re.search(r"\d+ of the 128 bands are so narrow", in_words(workings(y, narrow), narrow))
    silent = {**workings(y, SPEC), "pitch_kept": float("nan")}
    assert "pitch" not in in_words(silent, SPEC)


def test_a_slider_changes_picture_words_and_sound(y):
    explorer = mfcc_explorer(y, RATE_HZ, spec=SPEC, title="A voice")
    assert explorer.spec == SPEC
    assert "64 mel bands and 20 MFCC of" in explorer.picture.value  # what it says of itself
    for name, value in (("n_mfcc", 5), ("n_mels", 40), ("frame", 512), ("part", 2)):
        before = {explorer.picture.value, explorer.says.value, explorer.scope.clip["sound"]}
        explorer.sliders[name].value = value
        assert not before & {explorer.picture.value, explorer.says.value, explorer.scope.clip["sound"]}
    assert explorer.spec == dataclasses.replace(SPEC, n_mfcc=5, n_mels=40, frame=512, hop=256)
    assert [scope.clip["title"] for scope in (explorer.original, explorer.scope)] == ["A: A voice", "B: from 5 MFCC"]


def test_the_clip_and_its_copy_are_heard_against_each_other(y):
    explorer = mfcc_explorer(y, RATE_HZ, spec=SPEC)
    assert explorer.original.pair == explorer.scope.pair != mfcc_explorer(y, RATE_HZ, spec=SPEC).scope.pair
    assert (explorer.original.letter, explorer.scope.letter) == ("A", "B")
    assert explorer.original.clip["peak"] == explorer.scope.clip["peak"]
    assert explorer.original.clip["sound"] != explorer.scope.clip["sound"]
    heard, rate_hz = soundfile.read(io.BytesIO(explorer.scope.clip["sound"]))
    assert len(heard) / rate_hz == pytest.approx(len(y) / RATE_HZ, abs=0.1)


def test_there_are_no_more_coefficients_than_bands(y):
    explorer = mfcc_explorer(y, RATE_HZ, spec=SPEC)
    explorer.sliders["n_mels"].value = 10
    assert explorer.sliders["n_mfcc"].value == explorer.sliders["n_mfcc"].max == 10
    assert explorer.spec.n_mfcc == 10
    explorer.sliders["n_mels"].value = 128
    assert explorer.sliders["n_mfcc"].max == 128


def test_it_begins_where_it_is_told_or_as_usual(y):
    assert mfcc_explorer(y, RATE_HZ).spec == FeatureSpec(rate_hz=RATE_HZ)
    with pytest.raises(SerlibError, match="silent"):
        mfcc_explorer(np.zeros(RATE_HZ), RATE_HZ)
