"""serlib.evaluation.attribution: occlusion finds what an answer depends on, and nothing else."""

import librosa
import numpy as np
import pytest

from serlib import audio
from serlib.evaluation import attribution
from serlib.evaluation.attribution import answers, occlusion
from serlib.recognizer import Recognizer
from serlib.utils import SerlibError

RATE_HZ = 16000
#: What the synthetic model listens to.
FROM_S, TO_S, LOW_HZ, HIGH_HZ = 0.62, 0.73, 1100, 1900


@pytest.fixture
def noise(rng):
    """1.2 s of noise: equally loud everywhere, so that only the model can prefer a place."""
    return (0.1 * rng.standard_normal(int(1.2 * RATE_HZ))).astype(np.float32)


@pytest.fixture
def listener(noise):
    """Answers by the power in one stretch of time and frequency only: [share of the noise's there, the rest]."""

    def power(y):
        here = y[int(FROM_S * RATE_HZ) : int(TO_S * RATE_HZ)]
        spectrum, hz = abs(np.fft.rfft(here * np.hanning(len(here)))) ** 2, np.fft.rfftfreq(len(here), 1 / RATE_HZ)
        return spectrum[(hz >= LOW_HZ) & (hz <= HIGH_HZ)].sum()

    whole = power(noise)

    def ask(clips, rate_hz):
        assert rate_hz == RATE_HZ
        share = np.array([0.9 * min(1, power(y) / whole) for y in clips])
        return np.column_stack([share, 1 - share])

    return ask


def test_occlusion_finds_the_region(noise, listener):
    result = occlusion(listener, noise, RATE_HZ)
    assert result.answer == 0 and result.probability == pytest.approx(0.9)
    i, j = np.unravel_index(result.pieces.argmax(), result.pieces.shape)
    assert result.edges_s[i] < (FROM_S + TO_S) / 2 < result.edges_s[i + 1]
    assert result.edges_hz[j] < (LOW_HZ + HIGH_HZ) / 2 < result.edges_hz[j + 1]
    assert result.windows.argmax() == i and result.bands.argmax() == j
    assert result.windows[i] > 0.7 and result.bands[j] > 0.4
    # nothing that the model cannot hear
    apart_s = (result.edges_s[1:] < FROM_S - 0.05) | (result.edges_s[:-1] > TO_S + 0.05)
    apart_hz = (result.edges_hz[1:] < LOW_HZ - 100) | (result.edges_hz[:-1] > HIGH_HZ + 100)
    assert apart_s.sum() >= 4 and apart_hz.sum() >= 2
    assert abs(result.windows[apart_s]).max() < 1e-3 and abs(result.pieces[apart_s]).max() < 1e-3
    assert abs(result.bands[apart_hz]).max() < 0.02 and abs(result.pieces[:, apart_hz]).max() < 0.02


def test_what_speaks_for_one_answer_speaks_against_the_other(noise, listener):
    one, other = (occlusion(listener, noise, RATE_HZ, answer=k) for k in (0, 1))
    assert other.probability == pytest.approx(0.1)
    assert np.allclose(one.pieces, -other.pieces) and np.allclose(one.windows, -other.windows)


def test_the_pieces_tile_the_clip(noise, listener):
    result = occlusion(listener, noise, RATE_HZ, window_s=0.2, bands=4)
    assert result.pieces.shape == (6, 4) and result.windows.shape == (6,) and result.bands.shape == (4,)
    assert np.allclose(result.edges_s, np.linspace(0, 1.2, 7))
    assert np.allclose(librosa.hz_to_mel(result.edges_hz), np.linspace(0, librosa.hz_to_mel(8000), 5))
    assert len(occlusion(listener, noise, RATE_HZ, window_s=9).windows) == 4


def test_a_few_pieces_are_asked_about_at_once(noise, listener, monkeypatch):
    """All pieces of a recording of a minute would take 16 GB."""
    expected = occlusion(listener, noise, RATE_HZ)
    monkeypatch.setattr(attribution, "AT_ONCE", 7)
    sizes = []

    def ask(clips, rate_hz):
        sizes.append(len(clips))
        return listener(clips, rate_hz)

    result = occlusion(ask, noise, RATE_HZ)
    assert max(sizes) == 7 and sum(sizes) == 1 + 8 * 6 + 8 + 6
    np.testing.assert_array_equal(result.pieces, expected.pieces)
    np.testing.assert_array_equal(result.windows, expected.windows)
    np.testing.assert_array_equal(result.bands, expected.bands)


def test_only_the_piece_is_changed_and_only_made_quieter(noise):
    heard = []

    def ask(clips, rate_hz):
        heard.extend(clips)
        return np.full((len(clips), 2), 0.5)

    result = occlusion(ask, noise, RATE_HZ, window_s=0.3, bands=4)
    assert not result.pieces.any() and not result.windows.any() and not result.bands.any()
    whole, *pieces = heard
    assert np.array_equal(whole, noise) and {len(y) for y in pieces} == {len(noise)}
    third = pieces[16 + 2]  # after the 4 x 4 pieces come the windows
    inside = slice(int(0.65 * RATE_HZ), int(0.85 * RATE_HZ))
    before, after = slice(0, int(0.55 * RATE_HZ)), slice(int(0.95 * RATE_HZ), None)
    assert np.allclose(third[before], noise[before], atol=1e-6) and np.allclose(third[after], noise[after], atol=1e-6)
    assert np.mean(third[inside] ** 2) < 0.2 * np.mean(noise[inside] ** 2)
    lowest = pieces[16 + 4]
    power = [abs(np.fft.rfft(y)) ** 2 for y in (lowest, noise)]
    hz = np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    low, high = hz < result.edges_hz[1] - 50, hz > result.edges_hz[1] + 50
    assert power[0][low].sum() < 0.2 * power[1][low].sum()
    assert power[0][high].sum() == pytest.approx(power[1][high].sum(), rel=0.01)


def test_a_run_answers_as_its_recognizer(tiny_run, tone_table, voice):
    ask = answers(tiny_run)
    clips = [audio.load(path) for path in tone_table.speech[:3]]
    result = ask([y for y, _ in clips], clips[0][1])
    recognizer = Recognizer(tiny_run)
    reference = [list(recognizer.predict(y, rate_hz=rate_hz).probabilities.values()) for y, rate_hz in clips]
    assert np.allclose(result, reference, atol=1e-5)


def test_what_a_run_does_not_hear_does_not_matter(tiny_run, voice):
    # the mean MFCC of the published systems skip the first half second
    y = voice(220, duration_s=1.2)
    result = occlusion(answers(tiny_run), y, RATE_HZ, window_s=0.1)
    skipped = result.edges_s[1:] < 0.5 - 0.02
    assert skipped.sum() == 4 and abs(result.windows[skipped]).max() < 1e-6
    assert abs(result.windows[~skipped]).max() > 1e-3


def test_clips_that_trimming_leaves_of_different_lengths(tiny_run, voice):
    import dataclasses

    import keras

    from serlib.features import FeatureSpec

    spec = FeatureSpec(rate_hz=RATE_HZ, trim_db=20)
    inputs = keras.Input((None, 40))
    pooled = keras.layers.GlobalAveragePooling1D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(pooled))
    run = dataclasses.replace(tiny_run, model=model, info={**tiny_run.info, "features": spec.to_dict()})
    y = voice(220)
    ask, clips = answers(run), [y, y[:9000], voice(150, duration_s=0.5)]
    assert np.allclose(ask(clips, RATE_HZ), np.concatenate([ask([clip], RATE_HZ) for clip in clips]), atol=1e-6)


def test_silence_is_refused():
    with pytest.raises(SerlibError, match="silent"):
        occlusion(lambda clips, rate_hz: None, np.zeros(RATE_HZ), RATE_HZ)
