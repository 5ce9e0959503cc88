"""serlib.widgets: what a player plays, how loud, how large; which clip is found."""

import base64
import html
import io
import re

import numpy as np
import pandas as pd
import pytest
import soundfile

from serlib import widgets
from serlib.utils import SerlibError
from serlib.widgets import common_gain, find_clip, player, players


def heard(page):
    """The sounds inside a piece of HTML, decoded, and their types."""
    found = re.findall(r'src="data:([a-z/]+);base64,([^"]+)"', page)
    return [(kind, *soundfile.read(io.BytesIO(base64.b64decode(data)))) for kind, data in found]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 24414, 48000])
def test_player_plays_the_sound(sine, rate_hz):
    ((kind, y, found_hz),) = heard(player(sine(440, peak=0.25, rate_hz=rate_hz), rate_hz)._repr_html_())
    assert kind == "audio/mpeg" and found_hz == widgets.PLAYER_HZ
    assert len(y) / found_hz == pytest.approx(1, abs=0.1)
    middle = y[found_hz // 4 : 3 * found_hz // 4]
    assert abs(np.fft.rfft(middle)).argmax() * 2 == 440
    assert abs(middle).max() == pytest.approx(0.25, rel=0.1)  # as quiet as it was


def test_player_is_small(voice):
    y = voice(200, duration_s=2, rate_hz=22050)
    assert len(player(y, 22050)._repr_html_()) < 0.2 * 4 / 3 * 2 * len(y)


def test_gain_makes_louder_and_cuts_off(sine):
    ((_, y, _),) = heard(player(sine(440, peak=0.1), 16000, gain=4)._repr_html_())
    assert abs(y[5000:15000]).max() == pytest.approx(0.4, rel=0.1)
    ((_, y, _),) = heard(player(sine(440, peak=0.5), 16000, gain=100)._repr_html_())
    assert np.isfinite(y).all() and abs(y).max() < 1.6


def test_player_without_mp3(sine, monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "WAV"})
    ((kind, y, rate_hz),) = heard(player(sine(440, peak=0.25), 16000)._repr_html_())
    assert kind == "audio/wav" and rate_hz == 16000
    assert abs(y).max() == pytest.approx(0.25, abs=1e-3)


def test_playing_keep_their_distance_in_loudness(sine):
    clips = {"loud": (sine(peak=0.2), 16000), "soft": (sine(peak=0.02, rate_hz=24414), 24414)}
    table = players(clips)
    loud, soft = (abs(y[5000:15000]).max() for _, y, _ in heard(table.data))
    assert loud == pytest.approx(0.99, rel=0.1) and loud / soft == pytest.approx(10, rel=0.1)


def test_playing_say_their_names_and_escape_them(sine):
    page = players({"<b>sad</b> & low": (sine(), 16000)}).data
    assert "<b>" not in page and "<b>sad</b> & low" in html.unescape(page)


def test_common_gain():
    assert common_gain([np.array([0.1, -0.5]), np.array([0.2])]) == pytest.approx(0.99 / 0.5)
    assert common_gain([np.zeros(3)]) == common_gain([]) == 1


def test_find_clip():
    index = pd.DataFrame(
        {
            "speech": ["a", "b", "c", "d"],
            "speaker": ["01", "01", "02", "01"],
            "label": ["sad", "angry", "sad", "sad"],
            "text": ["kids", "kids", "kids", "kids"],
        }
    )
    assert find_clip(index, speaker="01", label="sad", text="kids").speech == "a"
    assert find_clip(index, speaker="02", label="sad", text="kids").speech == "c"
    with pytest.raises(SerlibError, match=r"02 says 'kids' as angry; there is sad"):
        find_clip(index, speaker="02", label="angry", text="kids")
    with pytest.raises(SerlibError, match="choose one of 01, 02"):
        find_clip(index, speaker="03", label="sad", text="kids")
