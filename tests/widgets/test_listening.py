"""serlib.widgets.listening: sound in pieces gives the answers of the whole, takes become clips of a corpus."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from serlib import Recognizer, audio, corpora, widgets
from serlib.utils import SerlibError
from serlib.widgets import oscilloscope
from serlib.widgets.listening import Microphone
from serlib.widgets.oscilloscope import still


@pytest.fixture(scope="module")
def recognizer(live_run):
    return Recognizer(live_run)


@pytest.fixture
def take(tone_index):
    """A clip between two stretches of a quiet room, and its rate."""
    y, rate_hz = audio.load(tone_index.speech.iloc[0])
    room = 1e-3 * np.random.default_rng(0).standard_normal(rate_hz).astype(np.float32)
    return np.concatenate([room, y, room]), rate_hz


def pieces(y, n):
    return [y[start : start + n] for start in range(0, len(y), n)]


def test_speech_is_cut_out(take):
    y, rate_hz = take
    cut = widgets.speech(y, rate_hz)
    assert 0.4 < len(cut) / rate_hz < 0.9
    assert abs(cut).max() == abs(y).max()
    assert len(widgets.speech(y[:rate_hz], rate_hz)) == 0  # only the room
    assert len(widgets.speech(y[:0], rate_hz)) == 0


def test_pieces_give_the_answer_of_the_whole(recognizer, take):
    y, rate_hz = take
    listener = widgets.Listener(recognizer)
    running = [listener.hear(piece, rate_hz) for piece in pieces(y, rate_hz // 10)]
    answers = [answer for answer in running if answer]
    assert len(answers) >= 4  # at least two a second from when the clip begins
    assert running[:9] == [None] * 9  # nothing was said yet
    heard, final = listener.finish()
    assert heard.tolist() == widgets.speech(y, rate_hz).tolist()
    assert final == recognizer.predict(widgets.speech(y, rate_hz), rate_hz=rate_hz)
    assert final.label == "angry"


def test_the_next_take_starts_anew(recognizer, take):
    y, rate_hz = take
    listener = widgets.Listener(recognizer)
    listener.hear(y, rate_hz)
    listener.start()
    heard, answer = listener.finish()
    assert len(heard) == 0 and answer is None


def test_sound_is_kept_where_no_answer_is_wanted(recognizer, take):
    y, rate_hz = take
    listener = widgets.Listener(recognizer)
    assert not any(listener.hear(piece, rate_hz, answer=False) for piece in pieces(y, 1600))
    assert len(listener.samples()) == len(y)
    np.testing.assert_array_equal(listener.samples(0.5), listener.samples()[-(rate_hz // 2) :])
    assert len(listener.samples(1e6)) == len(y)


def test_what_the_page_sends(recognizer, take):
    y, rate_hz = take
    got = []
    microphone = Microphone(widgets.Listener(recognizer), lambda *found: got.append(found))

    def send(*buffers, **said):
        microphone._receive(microphone, said, buffers)

    send(kind="start")
    for n, piece in enumerate(pieces(y, rate_hz // 10)):
        send((32767 * piece).astype(np.int16).tobytes(), kind="sound", rate_hz=rate_hz, stamp=100.0 * n)
    running = microphone.answer
    assert not running["final"] and running["stamp"] > 1000
    assert {label for label, _, _ in running["bars"]} == set(recognizer.labels)
    send(kind="stop", stamp=2500)
    assert microphone.answer["final"] and microphone.answer["label"] == "angry"
    assert json.dumps(microphone.answer)  # it can travel
    ((name, heard, heard_hz, answer),) = got
    assert (name, heard_hz, answer.label) == ("Take", rate_hz, "angry")
    assert heard == pytest.approx(widgets.speech(y, rate_hz), abs=1e-4)


def test_a_file_in_slices(recognizer, tone_index):
    data = Path(tone_index.speech.iloc[-1]).read_bytes()
    got = []
    microphone = Microphone(widgets.Listener(recognizer), lambda *found: got.append(found))
    for start in range(0, len(data), 5000):
        said = {"kind": "file", "name": "a.wav", "last": start + 5000 >= len(data)}
        microphone._receive(microphone, said, [data[start : start + 5000]])
    ((name, _, _, answer),) = got
    assert name == "a.wav" and answer.label == recognizer.predict(tone_index.speech.iloc[-1]).label == "sad"
    microphone._receive(microphone, {"kind": "file", "name": "b.wav", "last": True}, [b"no sound at all"])
    assert len(got[1][1]) == 0 and got[1][3].startswith("b.wav is")


def test_live_keeps_takes_and_saves_them(recognizer, take, tmp_path):
    y, rate_hz = widgets.speech(*take), take[1]
    shown = widgets.live(recognizer, folder=tmp_path / "mine")
    assert shown._replay.layout.display == "none"
    for sound in (y, y[::-1]):
        shown._take("Take", sound, rate_hz, recognizer.predict(sound, rate_hz=rate_hz))
    assert shown.takes.index == 1 and len(shown.takes.options) == 2
    assert shown.scope.clip["title"].startswith("2 Take: ")
    shown.takes.index = 0
    assert shown.scope.clip["title"].startswith("1 Take: angry")
    shown.save.click()
    assert "The label is &#x27;&#x27;" in shown.says.value
    shown.label.value, shown.text.value = "happy", "say it"
    shown.save.click()
    assert "me_happy_001.wav" in shown.says.value
    shown._take("Take", y[:0], None, None)
    assert "Nothing was heard" in shown.says.value and len(shown.takes.options) == 2


def test_a_long_recording_has_a_timeline(recognizer, take):
    y, rate_hz = take
    shown = widgets.live(recognizer)
    shown._take("long", np.tile(y, 4), rate_hz, None)
    assert shown.scope.clip["stretches"]
    shown._take("short", y[:rate_hz], rate_hz, None)
    assert shown.scope.clip["stretches"] == []


def test_a_new_take_does_not_compute_the_first_one_again(recognizer, take, monkeypatch):
    y, rate_hz = take
    shown = widgets.live(recognizer)
    asked = []
    monkeypatch.setattr(recognizer, "timeline", lambda y, rate_hz: asked.append(len(y)))
    for times in (4, 5, 6):
        shown._take("long", np.tile(y, times), rate_hz, None)
    assert asked == [times * len(y) for times in (4, 5, 6)]
    shown.takes.index = 0
    assert asked[3:] == [4 * len(y)]


def test_saved_takes_are_a_corpus(tmp_path, sine):
    folder = tmp_path / "mine"
    said = {"label": "Anger", "speaker": "Ada", "text": "good, morning", "folder": folder}
    first = widgets.save_take(sine(300), 16000, **said)
    second = widgets.save_take(sine(400), 16000, **said)
    widgets.save_take(sine(500), 16000, **{**said, "label": "excited", "text": ""})
    assert (first.name, second.name) == ("Ada_angry_001.wav", "Ada_angry_002.wav")
    index = corpora.index("folder", folder)
    assert index[["label", "speaker", "text"]].to_numpy().tolist() == [
        ["angry", "Ada", "good, morning"],
        ["angry", "Ada", "good, morning"],
        ["excited", "Ada", "unknown"],
    ]
    assert index.attrs["rejected"] == []
    assert soundfile.read(first)[0] == pytest.approx(sine(300), abs=1e-4)


def test_the_first_take_hides_nothing_that_lies_there(tmp_path, sine):
    for name in ("Ada", "Bo"):
        (tmp_path / "sad" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "sad" / name / "old.wav", sine(400 + len(name)), 16000)
    before = corpora.index("folder", tmp_path)
    widgets.save_take(sine(300), 16000, label="happy", speaker="Ada", folder=tmp_path)
    index = corpora.index("folder", tmp_path)
    assert sorted(index.digest[index.label == "sad"]) == sorted(before.digest) and len(index) == 3
    assert sorted(index.speaker) == ["Ada", "Ada", "Bo"] and index.attrs["rejected"] == []


def test_a_take_is_added_to_a_table_that_an_editor_has_left(tmp_path, sine):
    said = {"label": "happy", "speaker": "Ada", "folder": tmp_path}
    widgets.save_take(sine(300), 16000, **said)
    table = tmp_path / "index.csv"
    table.write_text(table.read_text(encoding="utf-8").rstrip(), encoding="utf-8")
    widgets.save_take(sine(400), 16000, **said)
    assert corpora.index("folder", tmp_path).label.tolist() == ["happy", "happy"]


@pytest.mark.parametrize("heading", ["label,speech", "speech;label;speaker;text", "speech,label"])
def test_a_table_of_other_columns_is_left_alone(tmp_path, sine, heading):
    table = tmp_path / "index.csv"
    table.write_text(f"{heading}\n", encoding="utf-8")
    with pytest.raises(SerlibError, match=r"index\.csv has other columns than speech,label,speaker,text; save takes"):
        widgets.save_take(sine(), 16000, label="sad", speaker="me", folder=tmp_path)
    assert table.read_text(encoding="utf-8") == f"{heading}\n" and not list(tmp_path.rglob("*.wav"))


def test_a_take_that_cannot_be_written_is_one_sentence(tmp_path, sine):
    (tmp_path / "file").touch()
    with pytest.raises(SerlibError, match="cannot be written"):
        widgets.save_take(sine(), 16000, label="sad", speaker="me", folder=tmp_path / "file")


@pytest.mark.parametrize("wrong", [{"label": " "}, {"label": "a/b"}, {"speaker": ""}, {"speaker": "../me"}])
def test_names_that_are_no_names(tmp_path, sine, wrong):
    with pytest.raises(SerlibError, match="write a plain word"):
        widgets.save_take(sine(), 16000, **{"label": "sad", "speaker": "me", "folder": tmp_path, **wrong})
    assert not list(tmp_path.iterdir())


def test_stretches_of_a_timeline(sine):
    table = pd.DataFrame(
        {"start_s": [0, 1, 2, 2.5], "end_s": [2, 3, 4, 4.5], "label": ["sad", "sad", "unsure", "happy"]}
    )
    found = oscilloscope.stretches(table, 4.5)
    assert [(part["start_s"], part["end_s"], part["label"]) for part in found] == [
        (0, 2.5, "sad"),
        (2.5, 3.25, "unsure"),
        (3.25, 4.5, "happy"),
    ]
    assert found[1]["colour"] == "#8a8a8a"
    seen = widgets.view(sine(duration_s=4.5), 16000, timeline=table)
    assert seen["stretches"] == found and "sad from 0.0 s, unsure from 2.5 s" in seen["alt"]
    meant = pd.DataFrame({"start_s": [0.5, 3.0], "end_s": [2.0, 4.0], "label": ["sad", "happy"]})
    both = widgets.view(sine(duration_s=4.5), 16000, timeline=table, meant=meant)
    assert [(part["start_s"], part["end_s"], part["label"]) for part in both["meant"]] == [
        (0.5, 2.0, "sad"),
        (3.0, 4.0, "happy"),
    ]
    assert both["stretches"] == found and "what was meant: sad from 0.5 s, happy from 3.0 s. Under" in both["alt"]
    drawn = still(sine(duration_s=4.5), 16000, timeline=table, meant=meant)
    assert "what was meant: sad from 0.5 s, happy from 3.0 s. Under" in drawn.alt
    assert "what was heard: sad from 0.0 s, unsure from 2.5 s" in drawn.alt
    words = [text.get_text() for text in drawn.axes[0].texts]
    assert words[:2] == ["heard", "sad"] and words[-3:] == ["meant", "sad", "happy"]
    figure = still(sine(duration_s=4.5), 16000, timeline=table)
    assert [text.get_text() for text in figure.axes[0].texts] == ["sad", "unsure", "happy"]
