"""serlib.widgets.oscilloscope: what is drawn and played, before any browser sees it (tests/browser does that)."""

import io
import re

import librosa
import numpy as np
import pytest
import soundfile
from PIL import Image

from serlib import plots, widgets
from serlib.utils import SerlibError
from serlib.widgets import oscilloscope, view
from serlib.widgets import scope as make_scope
from serlib.widgets.oscilloscope import still


def picture(data):
    return Image.open(io.BytesIO(data))


def test_the_image_is_librosas_mel_spectrogram(voice):
    y = voice(200, duration_s=1.5, rate_hz=22050)
    image = picture(view(y, 22050)["image"])
    power = librosa.feature.melspectrogram(y=y, sr=22050, n_fft=1024, hop_length=256, fmax=8000)
    expected = (librosa.power_to_db(power, ref=np.max, top_db=80) + 80) / 80
    assert image.size == expected.shape[::-1]
    assert np.asarray(image)[::-1] == pytest.approx(255 * expected, abs=1)
    top = image.getpalette()[3 * int(np.asarray(image).max()) :][:3]
    assert "#{:02x}{:02x}{:02x}".format(*top) == view(y, 22050)["palette"][-1] == "#fcfdbf"  # the end of magma


def test_heights_are_those_of_the_image(sine):
    seen = view(sine(1000, rate_hz=22050), 22050)
    image = np.asarray(picture(seen["image"]))[::-1]
    row = image.mean(axis=1).argmax()
    (at,) = [height for height, text in seen["hz_ticks"] if text == "1000"]
    assert (row + 0.5) / len(image) == pytest.approx(at, abs=0.01)
    assert seen["hz_ticks"][0] == (0, "0") and seen["hz_ticks"][-1] == (1, "8000")
    assert seen["db_ticks"][0] == (0, "−80") and seen["db_ticks"][-1] == (1, "0")


def test_a_low_rate_ends_the_axis(sine):
    seen = view(sine(440, rate_hz=8000), 8000)
    assert [text for _, text in seen["hz_ticks"]] == ["0", "500", "1000", "2000", "4000"]
    assert "0 to 4000 Hz" in seen["alt"]


def test_the_wave_keeps_its_extremes(rng):
    y = rng.standard_normal(100_000).astype(np.float32)
    wave = np.array(widgets.scope(y, 16000).clip["wave"])
    assert wave.shape == (800, 2)
    assert (wave[:, 0] <= wave[:, 1]).all()
    assert wave.min() == pytest.approx(y.min(), abs=1e-4) and wave.max() == pytest.approx(y.max(), abs=1e-4)
    assert wave[0].tolist() == pytest.approx([y[:125].min(), y[:125].max()], abs=1e-4)
    assert len(view(y[:50], 16000)["wave"]) == 50


def test_the_sound_is_the_clip(sine):
    seen = view(sine(440, peak=0.1), 16000, gain=2)
    y, rate_hz = soundfile.read(io.BytesIO(seen["sound"]))
    assert seen["mime"] == "audio/mpeg" and rate_hz == widgets.PLAYER_HZ
    assert abs(y[5000:15000]).max() == pytest.approx(0.2, rel=0.1)
    assert seen["peak"] == pytest.approx(0.1, rel=1e-3)  # drawn as it was recorded


def test_axes_that_are_shared(sine):
    seen = view(sine(), 16000, span_s=2.5, peak=0.9)
    assert (seen["duration_s"], seen["span_s"], seen["peak"]) == (1, 2.5, 0.9)
    assert [text for _, text in seen["time_ticks"]] == ["0", "0.5", "1", "1.5", "2", "2.5"]
    assert [share for share, _ in seen["time_ticks"]] == pytest.approx(np.arange(6) / 5)
    assert view(sine(), 16000, span_s=0.5)["span_s"] == 1  # never shorter than the clip


def test_contours_lie_where_pitch_and_energy_are(sine):
    y = np.concatenate([np.zeros(16000, np.float32), sine(400, duration_s=2)])
    energy, pitch = view(y, 16000, contours=True)["lines"]
    (piece,) = pitch["pieces"]  # silence has no pitch
    x, height = np.array(piece).T
    assert x[0] == pytest.approx(1 / 3, abs=0.02) and x[-1] == pytest.approx(1, abs=0.02)
    assert np.median(height) == pytest.approx(librosa.hz_to_mel(400) / librosa.hz_to_mel(8000), abs=2e-3)
    (piece,) = energy["pieces"]
    heights = np.array(piece)[:, 1]
    assert heights.min() >= 0 and heights.max() == 1 and heights[20] < 0.1 < 0.99 < heights[200]
    assert "pitch 400 to 400 Hz" in view(y, 16000, contours=True)["alt"]
    assert "no voice" in view(np.full(8000, 1e-3, np.float32), 16000, contours=True)["alt"]
    assert view(y, 16000)["lines"] == []


def test_a_long_recording_is_not_larger_than_a_screen(rng):
    seen = view(0.1 * rng.standard_normal(16000 * 120).astype(np.float32), 16000)
    assert picture(seen["image"]).width <= 2000 and len(seen["wave"]) == 800
    assert np.asarray(picture(seen["image"])).mean() > 200  # averaged, not thinned out


def test_a_clip_that_cannot_be_shown():
    with pytest.raises(SerlibError, match="holds no samples"):
        view(np.zeros(0), 16000)
    with pytest.raises(SerlibError, match="NaN"):
        view(np.full(1600, np.nan), 16000)
    assert np.isfinite(view(np.zeros(1600), 16000)["peak"])  # silence is drawn


def test_overlay():
    values = np.zeros((3, 2))  # columns, rows
    values[2, 1], values[0, 0] = 2.0, -1.0
    pixels = np.asarray(picture(widgets.overlay_image(values)))
    assert pixels.shape == (2, 3, 4)
    assert pixels[0, 2].tolist() == [255, 150, 30, 255]  # the last column's highest row speaks for it
    assert pixels[1, 0].tolist() == [90, 160, 255, 128]
    assert pixels[..., 3].sum() == 255 + 128
    assert not np.asarray(picture(widgets.overlay_image(np.zeros((2, 2)))))[..., 3].any()


def test_scope_of_a_file(tmp_path, sine):
    soundfile.write(tmp_path / "a tone.wav", sine(), 16000)
    shown = make_scope(tmp_path / "a tone.wav", label="sad")
    assert shown.clip["title"] == "a tone.wav" and shown.clip["colour"] == plots.colour("sad")
    assert make_scope(str(tmp_path / "a tone.wav"), title="Mine").clip["title"] == "Mine"


def test_loading_another_clip_starts_anew(sine):
    shown = make_scope(sine(), 16000, overlay=np.ones((2, 2)))
    assert shown.overlay
    shown.position_s, shown.region, shown.loop = 0.5, [0.2, 0.4], True
    shown.load(sine(duration_s=2), 16000, title="Longer")
    assert (shown.position_s, shown.region, shown.loop, shown.overlay) == (0, [], False, b"")
    assert shown.clip["duration_s"] == 2


def test_a_position_belongs_to_a_clip(sine):
    shown = make_scope(sine(), 16000)
    shown.set_state({"at": [1, 0.25]})  # the page tells
    assert shown.position_s == 0.25
    shown.load(sine(), 16000)
    assert shown.at == [2, 0.0]  # the page is told
    shown.set_state({"at": [1, 0.5]})  # too late: it had not yet heard of the second clip
    assert shown.position_s == 0
    shown.set_state({"at": [2, 0.75]})
    assert shown.position_s == 0.75
    shown.position_s = 0.1
    assert shown.at == [2, 0.1]


@pytest.mark.parametrize("options", [{}, {"contours": True}, {"overlay": np.ones((4, 4)), "label": "ps"}])
def test_a_page_without_a_kernel_has_a_picture_and_a_player(voice, options):
    data, _ = make_scope(voice(), 16000, title="<b>", **options)._repr_mimebundle_()
    assert data["text/plain"] == "[Scope: <b>]"  # no random id: nbval compares it
    assert "application/vnd.jupyter.widget-view+json" in data
    assert re.search(r'<img alt="[^"]{20,}" src="data:image/png;base64,', data["text/html"])
    assert re.search(r'<source src="data:audio/mpeg;base64,', data["text/html"])
    assert len(data["text/html"]) < 250_000


def test_the_still_picture_has_the_same_axes(voice):
    figure = still(voice(), 16000, span_s=3, peak=0.7, overlay=-np.ones((2, 2)))
    assert figure.axes[0].get_xlim() == (0, 3) and figure.axes[0].get_ylim()[1] == pytest.approx(0.735)
    spectrogram, overlay = figure.axes[1].images
    assert spectrogram.get_cmap().name == "gray"
    assert overlay.get_extent() == spectrogram.get_extent()
    assert "blue against" in plots.alt(figure)
    plots.png(figure)  # lays it out
    upper, lower = (ax.get_position() for ax in figure.axes[:2])
    assert (lower.x0, lower.x1) == pytest.approx((upper.x0, upper.x1))  # one time axis


def test_an_overlay_reaches_higher_than_the_spectrogram_with_contours(voice):
    """It goes up to 8000 Hz, the picture of the contours to 4000 Hz: what is drawn at 1000 Hz must lie there."""
    figure = still(voice(), 16000, contours=True, overlay=np.ones((2, 6)))
    spectrogram, overlay = figure.axes[0].images
    assert spectrogram.get_extent()[3] == pytest.approx(librosa.hz_to_mel(4000))
    assert overlay.get_extent()[3] == pytest.approx(librosa.hz_to_mel(8000))
    assert figure.axes[0].get_ylim() == pytest.approx((0, librosa.hz_to_mel(4000)))


def test_the_last_column_of_a_long_recording_is_as_bright_as_the_others():
    """A tone of one level: where frames do not come out even the last column has fewer of them."""
    frames = 2 * oscilloscope.COLUMNS + 3  # three a column, and one is left
    levels_db = oscilloscope.mel_levels(np.sin(np.arange((frames - 1) * oscilloscope.HOP, dtype=np.float32)), 22050)
    assert len(levels_db) == -(-frames // 3)
    assert levels_db[-2].max() == pytest.approx(levels_db[10].max(), abs=0.5)
    assert levels_db[-1].max() == pytest.approx(levels_db[10].max(), abs=5)  # half of it is silence
