"""serlib.widgets.explorers: the menus choose the clip, and clips that are compared share their axes."""

import numpy as np
import pytest

from serlib import audio, widgets


def choose(menus, **values):
    for name, value in values.items():
        menus[name].value = value


def test_it_begins_with_a_clip(tone_index):
    shown = widgets.explorer(tone_index)
    clip = widgets.find_clip(tone_index, speaker="OAF", label="angry", text="back")
    y, rate_hz = audio.load(clip.speech)
    (scope,) = shown.scopes
    assert scope.clip["title"] == "OAF: back, angry"
    assert scope.clip["duration_s"] == len(y) / rate_hz
    assert scope.clip["wave"] == widgets.view(y, rate_hz)["wave"]
    assert [line["name"] for line in scope.clip["lines"]] == ["energy (dB)", "pitch f0 (Hz)"]


def test_menus_hold_what_there_is_and_choose_it(tone_index):
    shown = widgets.explorer(tone_index)
    (menus,), (scope,) = shown.menus, shown.scopes
    assert menus["speaker"].options == ("OAF", "YAF")
    assert menus["label"].options == ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    assert set(menus["text"].options) == set(tone_index.text)
    before = scope.clip
    choose(menus, speaker="YAF", label="sad", text="bean")
    assert scope.clip["title"] == "YAF: bean, sad"
    assert scope.clip["image"] != before["image"] and scope.clip["sound"] != before["sound"]


def test_two_clips_share_axes_and_gain(tone_index, tmp_path, sine):
    import soundfile

    soundfile.write(tmp_path / "long.wav", sine(peak=0.8, duration_s=2), 16000)
    index = tone_index.copy()
    index.loc[index.index[-1], "speech"] = str(tmp_path / "long.wav")
    last = index.iloc[-1]
    shown = widgets.explorer(index, clips=2)
    first, second = shown.scopes
    assert [first.clip["title"], second.clip["title"]] == ["OAF: back, angry", "OAF: back, disgust"]
    choose(shown.menus[1], speaker=last.speaker, label=last.label, text=last.text)
    assert first.clip["span_s"] == second.clip["span_s"] == 2
    assert first.clip["peak"] == second.clip["peak"] == pytest.approx(0.8, rel=0.02)
    assert first.clip["duration_s"] == 0.5


def test_a_clip_that_is_missing_is_said(tone_index):
    index = tone_index[(tone_index.label != "sad") | (tone_index.text != "bar")]
    shown = widgets.explorer(index)
    choose(shown.menus[0], text="bar", label="sad")
    assert "There is no clip in which OAF says &#x27;bar&#x27; as sad" in shown.says[0].value
    assert shown.scopes[0].layout.display == "none"
    choose(shown.menus[0], label="happy")
    assert shown.says[0].value == "" and shown.scopes[0].layout.display is None


def test_scopes_side_by_side(sine):
    clips = {"sad": (sine(peak=0.1), 16000), "happy": (sine(peak=0.4, duration_s=2, rate_hz=8000), 8000)}
    sad, happy = widgets.scopes(clips, title="both", fmax_hz=4000)
    assert (sad.clip["title"], happy.clip["title"]) == ("sad, both", "happy, both")
    assert sad.clip["span_s"] == happy.clip["span_s"] == 2
    assert sad.clip["peak"] == happy.clip["peak"] == pytest.approx(0.4, rel=0.02)
    assert sad.clip["hz_ticks"] == happy.clip["hz_ticks"]
    assert widgets.common([(np.zeros(8000), 8000)]) == {"gain": 1, "peak": 1, "span_s": 1}
