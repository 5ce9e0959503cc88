"""serlib.features.pitch: known pitch, voice or none, level and length; caching; librosa.pyin on real speech."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from serlib import audio
from serlib.features import pitch
from serlib.features.pitch import MEASURES, contour, measure
from serlib.utils import SerlibError


def semitones(found_hz, true_hz):
    return 12 * np.log2(np.asarray(found_hz) / true_hz)


def glide(from_hz, to_hz, *, rate_hz, duration_s=1.0):
    """A buzz whose pitch rises or falls evenly in octaves, and its true pitch as a function of time."""
    t = np.arange(int(duration_s * rate_hz)) / rate_hz
    slope = np.log(to_hz / from_hz) / duration_s
    phase = 2 * np.pi * from_hz * (np.exp(slope * t) - 1) / slope
    highest = int(0.45 * rate_hz / max(from_hz, to_hz))
    y = sum(np.sin(k * phase) / k for k in range(1, min(highest, 30) + 1))
    return (0.1 * y).astype(np.float32), lambda time_s: from_hz * np.exp(slope * np.asarray(time_s))


# ---------------------------------------------------------------- pitch


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24414])
@pytest.mark.parametrize("f0_hz", [75, 110, 210, 420, 580, 850])
def test_pitch_of_a_voice(voice, f0_hz, rate_hz):
    table = contour(voice(f0_hz, rate_hz=rate_hz), rate_hz)
    inside = table[table.time_s.between(0.25, 1.15)]
    assert inside.f0_hz.notna().all()
    assert abs(semitones(inside.f0_hz, f0_hz)).max() < 0.1
    # silence before and after; a frame reaches 25 ms to each side
    assert table[(table.time_s < 0.17) | (table.time_s > 1.23)].f0_hz.isna().all()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(90, 180), (180, 450), (420, 200), (400, 850)])
@pytest.mark.parametrize("rate_hz", [16000, 22050])
def test_pitch_follows_a_glide(from_hz, to_hz, rate_hz):
    y, truth = glide(from_hz, to_hz, rate_hz=rate_hz)
    table = contour(y, rate_hz).query("0.05 < time_s < 0.95")
    assert table.f0_hz.notna().all()
    assert abs(semitones(table.f0_hz, truth(table.time_s))).max() < 0.3


def test_a_missing_fundamental_is_heard():
    """A telephone cuts a man's fundamental off; the pitch is the spacing of what is left."""
    t = np.arange(16000) / 16000
    y = sum(np.sin(2 * np.pi * k * 120 * t + k) for k in range(3, 20))
    result = contour(0.02 * y, 16000).f0_hz[5:-5]
    assert abs(semitones(result, 120)).max() < 0.1


def test_pitch_in_noise(voice, rng):
    y = voice(200)
    noisy = y + rng.standard_normal(len(y)) * np.sqrt(np.mean(y**2)) * 10 ** (-10 / 20)
    table = contour(noisy, 16000).query("0.3 < time_s < 1.1")
    assert table.f0_hz.notna().mean() > 0.95
    assert abs(semitones(table.f0_hz.dropna(), 200)).max() < 0.5


def test_pitch_above_rumble_and_an_offset(voice):
    """Neither traffic at 30 Hz, as loud as the voice, nor a constant offset is taken for a voice."""
    y = voice(200)
    t = np.arange(len(y)) / 16000
    table = contour(y + 0.2 * np.sin(2 * np.pi * 30 * t) + 0.1, 16000)
    assert abs(semitones(table.query("0.25 < time_s < 1.15").f0_hz, 200)).max() < 0.1
    assert table.query("time_s < 0.15").f0_hz.isna().all()


def test_rumble_is_no_part_of_the_speech(voice):
    y = voice(200, silence_s=1.0)
    rumble = 0.2 * np.sin(2 * np.pi * 20 * np.arange(len(y)) / 16000) + 0.1
    assert measure(y + rumble, 16000) == pytest.approx(measure(y, 16000), rel=0.02)
    assert pitch.without_rumble(y + rumble, 16000).dtype == np.float32
    np.testing.assert_allclose(pitch.without_rumble(y + rumble, 16000)[800:-800], y[800:-800], atol=2e-3)


@pytest.mark.parametrize("rate_hz", [16000, 24414])
def test_noise_and_silence_have_no_voice(rng, rate_hz):
    noise = 0.1 * rng.standard_normal(2 * rate_hz)
    assert contour(noise, rate_hz).f0_hz.notna().mean() < 0.02
    assert contour(np.zeros(rate_hz), rate_hz).f0_hz.isna().all()


def test_a_loud_hiss_beside_a_voice_is_not_voiced(voice, rng):
    """An s is as loud as a vowel, but all of it lies above 3 kHz."""
    import scipy.signal

    y = voice(200, silence_s=0.5)
    high = scipy.signal.butter(6, 3000, "highpass", fs=16000, output="sos")
    hiss = scipy.signal.sosfilt(high, rng.standard_normal(len(y)))
    y[:6000] += (0.1 * hiss[:6000]).astype(np.float32)
    table = contour(y, 16000)
    assert table.query("time_s < 0.35").f0_hz.isna().all()
    assert table.query("0.6 < time_s < 1.4").f0_hz.notna().all()


def test_level_of_the_sound_does_not_change_its_pitch(voice):
    y = voice(150)
    pd.testing.assert_series_equal(contour(y, 16000).f0_hz, contour(0.003 * y, 16000).f0_hz, rtol=1e-3)


def test_a_long_recording_is_the_same_in_every_part(voice):
    y = voice(180, duration_s=0.6)
    result = contour(np.tile(y, 5), 16000).f0_hz.to_numpy()
    assert abs(np.nanmax(result) / np.nanmin(result) - 1) < 0.02
    assert np.isfinite(result).sum() == pytest.approx(5 * np.isfinite(contour(y, 16000).f0_hz).sum(), abs=10)


# ---------------------------------------------------------------- the table


def test_frames_stand_on_multiples_of_the_hop(sine):
    table = contour(sine(duration_s=0.5), 16000)
    assert list(table) == ["time_s", "f0_hz", "loudness_db"]
    np.testing.assert_allclose(table.time_s, np.arange(51) * 0.01)
    assert abs(semitones(table.f0_hz[5:-5], 220)).max() < 0.1


def test_loudness_is_the_level_below_full_scale(sine):
    y = np.concatenate([sine(200, peak=1.0), sine(200, peak=0.1), np.zeros(16000)])
    level = contour(y, 16000).set_index("time_s").loudness_db
    assert level[0.5] == pytest.approx(10 * np.log10(0.5), abs=0.01)  # a sine's mean square is half its peak's
    assert level[1.5] == pytest.approx(10 * np.log10(0.5) - 20, abs=0.01)
    assert level[2.5] == -100


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    n=st.integers(1, 4000), rate_hz=st.integers(2000, 48000), scale=st.sampled_from([0, 1e-6, 1.0]), seed=st.integers(0)
)
def test_any_sound_gives_a_table(n, rate_hz, scale, seed):
    y = scale * np.random.default_rng(seed % 2**32).uniform(-1, 1, n)
    table = contour(y, rate_hz)
    assert len(table) == int(n / rate_hz / 0.01 + 1e-9) + 1
    assert table.f0_hz.dropna().between(59, 1040).all()
    assert np.isfinite(table[["time_s", "loudness_db"]]).all(axis=None)
    assert set(measure(y, rate_hz)) == set(MEASURES)


@pytest.mark.parametrize("y", [np.zeros(0), np.array([0.1, np.nan])])
def test_no_sound_is_refused(y):
    with pytest.raises(SerlibError, match="samples"):
        contour(y, 16000)


# ---------------------------------------------------------------- a clip, an index


def test_the_numbers_of_a_clip():
    y, _ = glide(150, 300, rate_hz=16000)
    y *= 0.1 / np.sqrt(np.mean(np.square(y)))
    silent = 1e-5 * np.ones(8000, dtype=np.float32)
    result = measure(np.concatenate([silent, y, silent]), 16000)
    assert abs(semitones(result["f0_hz"], 150 * 2**0.5)) < 0.2
    assert result["f0_range_st"] == pytest.approx(9.6, abs=0.4)  # 80 % of an octave
    assert result["loudness_db"] == pytest.approx(-20, abs=0.5)  # of the speech, whatever the silence
    assert result["speech_s"] == pytest.approx(1.0, abs=0.1)
    assert result["voiced_share"] > 0.9


def test_a_whisper_has_no_pitch(rng):
    result = measure(0.1 * rng.standard_normal(16000), 16000)
    assert np.isnan(result["f0_hz"]) or result["voiced_share"] < 0.05
    silent = measure(np.zeros(16000), 16000)
    assert np.isnan(silent["f0_hz"]) and silent["loudness_db"] == -100 and silent["voiced_share"] == 0


def test_index_to_table(tone_index, tmp_path):
    some = tone_index.iloc[::5]
    table = pitch.prosody(some, out_dir=tmp_path, show=False)
    assert list(table) == ["label", "speaker", "text", "corpus", *MEASURES]
    assert table.index.equals(some.index) and table.label.equals(some.label)
    y, rate_hz = audio.load(some.speech.iloc[3])
    assert table[list(MEASURES)].iloc[3].to_dict() == pytest.approx(measure(y, rate_hz), rel=1e-6)
    # the tones of tests/conftest.py: 120 + 60 Hz an emotion, 1.35 times that for the second speaker
    labels = sorted(some.label.unique())
    true_hz = (120 + 60 * table.label.map(labels.index)) * table.speaker.map({"OAF": 1, "YAF": 1.35})
    assert abs(semitones(table.f0_hz, true_hz)).max() < 1.5


def test_the_second_time_it_is_read_from_the_cache(tone_index, tmp_path, monkeypatch):
    first = pitch.prosody(tone_index, out_dir=tmp_path, show=False)
    monkeypatch.setattr(pitch, "measure", None)
    pd.testing.assert_frame_equal(pitch.prosody(tone_index, out_dir=tmp_path, show=False), first)
    # another order of the rows is another table
    monkeypatch.undo()
    other = pitch.prosody(tone_index[::-1], out_dir=tmp_path, jobs=1, show=False)
    pd.testing.assert_frame_equal(other[::-1], first)
    own = pitch.prosody(tone_index[["speech"]].rename(columns={"speech": "path"}), out_dir=tmp_path, show=False)
    pd.testing.assert_frame_equal(own[list(MEASURES)], first[list(MEASURES)])


def test_what_has_changed_or_is_gone_is_named(tone_index, tmp_path, voice):
    index = tone_index.iloc[:2].copy()
    changed = tmp_path / "changed.wav"
    soundfile.write(changed, voice(), 16000)
    index.iloc[0, index.columns.get_loc("speech")] = str(changed)
    with pytest.raises(SerlibError, match=r"changed\.wav has changed"):
        pitch.prosody(index, out_dir=tmp_path, show=False)
    changed.unlink()
    with pytest.raises(SerlibError, match=r"changed\.wav does not exist"):
        pitch.prosody(index, out_dir=tmp_path, show=False)
    with pytest.raises(SerlibError, match="no clips"):
        pitch.prosody(index.iloc[:0], out_dir=tmp_path, show=False)


# ---------------------------------------------------------------- real speech


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["tess", "ravdess"])
def test_agrees_with_pyin_on_real_speech(real, corpus):
    """Men and women: where both hear a voice they hear the same pitch, and they mostly agree where there is one."""
    import librosa

    files = sorted((real / corpus).rglob("*.wav"))
    medians, gross, same_voicing = [], [], []
    for file in files[:: len(files) // 6][:6]:
        y, _ = audio.load(file, rate_hz=16000)
        y = pitch.without_rumble(y, 16000)  # pyin takes rumble for a voice at the lowest pitch
        reference, _, _ = librosa.pyin(y, fmin=60, fmax=1000, sr=16000, frame_length=1024, hop_length=160)
        table = contour(y, 16000)
        values, loud = table.f0_hz.to_numpy(), (table.loudness_db > table.loudness_db.max() - 35).to_numpy()
        both = np.isfinite(values) & np.isfinite(reference)
        apart = abs(semitones(values[both], reference[both]))
        medians.append(np.median(apart))
        gross.append(np.mean(apart > 2))
        same_voicing.append(np.mean((np.isfinite(values) == np.isfinite(reference))[loud]))
    assert max(medians) < 0.5  # pyin knows steps of a tenth of a semitone only
    assert np.mean(gross) < 0.05
    assert np.mean(same_voicing) > 0.8


@pytest.mark.real
def test_real_prosody_is_what_is_known_of_it(real_index, tmp_path):
    """RAVDESS has odd actors male, even ones female; women speak about an octave higher; anger is loud, calm soft."""
    index = real_index("ravdess")
    table = pitch.prosody(index[index.speaker.isin(["01", "02", "05", "08"])], out_dir=tmp_path, show=False)
    neutral = table[table.label == "neutral"].groupby("speaker").f0_hz.median()
    assert neutral[["01", "05"]].between(85, 155).all() and neutral[["02", "08"]].between(165, 255).all()
    loud = table.groupby("label").loudness_db.median()
    assert loud["angry"] - loud["calm"] > 8
    assert table[list(MEASURES)].notna().all(axis=None)
