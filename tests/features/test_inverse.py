"""serlib.features.inverse: the sound has the MFCC that it was made from, fewer of them lose more, as with librosa."""

import dataclasses

import librosa
import numpy as np
import pytest

from serlib import audio
from serlib.features import FeatureSpec, extract_clip, inverse, spectral
from serlib.features.inverse import distance_db, from_mfcc, mel_levels, pitch_kept, power_of

RATE_HZ = 16000
SPEC = FeatureSpec(rate_hz=RATE_HZ, frame=1024, hop=256, n_mels=64, n_mfcc=64)


@pytest.fixture
def y(voice, rng):
    """A voice in a room: noise some 50 dB below it, as in any recording."""
    clean = voice(200, duration_s=1, rate_hz=RATE_HZ)
    return clean + (1e-3 * rng.standard_normal(len(clean))).astype(np.float32)


def copy(y, spec, n_mfcc, **options):
    spec = dataclasses.replace(spec, n_mfcc=n_mfcc)
    return from_mfcc(extract_clip(y, RATE_HZ, spec), spec, samples=len(y), **options)


@pytest.mark.parametrize("n", [1, 13, 40, 64])
def test_mel_levels_are_librosas(y, n):
    mfcc = extract_clip(y, RATE_HZ, SPEC)[:, :n]
    reference = librosa.feature.inverse.mfcc_to_mel(mfcc.T, n_mels=64, ref=1.0)
    assert np.allclose(10 ** (mel_levels(mfcc, 64).T / 10), reference, rtol=1e-4)


def test_all_coefficients_give_the_mel_levels_back(y):
    levels = extract_clip(y, RATE_HZ, dataclasses.replace(SPEC, kinds=("logmel",)))
    assert np.allclose(mel_levels(extract_clip(y, RATE_HZ, SPEC), 64), levels, atol=1e-3)


def test_the_power_has_the_bands_that_were_asked_for_more_closely_than_librosas(y):
    y = y[4000:9000]  # librosa takes its time
    mel = librosa.feature.melspectrogram(y=y, sr=RATE_HZ, n_fft=1024, hop_length=256, n_mels=64).T
    power = power_of(mel, SPEC)
    assert power.shape == (len(mel), 513) and (power >= 0).all() and np.isfinite(power).all()
    filters = librosa.filters.mel(sr=RATE_HZ, n_fft=1024, n_mels=64)
    reference = librosa.feature.inverse.mel_to_stft(mel.T, sr=RATE_HZ, n_fft=1024) ** 2

    def off_db(found):
        levels, wanted = (10 * np.log10(np.maximum(bands, 1e-6 * mel.max())) for bands in (found, mel))
        return np.sqrt(np.mean((levels - wanted) ** 2))

    assert off_db(power @ filters.T) < 0.85 * off_db(reference.T @ filters.T)


def test_the_way_back_is_librosas_but_for_the_bands(y, monkeypatch):
    mfcc = extract_clip(y, RATE_HZ, SPEC)
    monkeypatch.setattr(inverse, "power_of", lambda mel, spec: librosa_power(mel.T).T)
    monkeypatch.setattr(librosa.feature.inverse, "mel_to_stft", lambda mel, **_: np.sqrt(librosa_power(mel)))

    def librosa_power(mel):  # the same crude way from bands to frequencies for both
        filters = librosa.filters.mel(sr=RATE_HZ, n_fft=1024, n_mels=64)
        return filters.T @ mel

    reference = librosa.feature.inverse.mel_to_audio(
        librosa.feature.inverse.mfcc_to_mel(mfcc.T, n_mels=64, ref=1.0),
        sr=RATE_HZ,
        n_fft=1024,
        hop_length=256,
        n_iter=inverse.ITERATIONS,
        length=len(y),
    )
    values = from_mfcc(mfcc, SPEC, samples=len(y))
    # the phases start at random, so the two are not the same sound, but as far from the clip as each other
    assert distance_db(y, values, SPEC) == pytest.approx(distance_db(y, reference, SPEC), abs=0.3)


@pytest.mark.parametrize("settings", [(512, 128, 40), (1024, 256, 64), (2048, 512, 128)])
def test_fewer_coefficients_lose_more(y, settings):
    frame, hop, n_mels = settings
    spec = dataclasses.replace(SPEC, frame=frame, hop=hop, n_mels=n_mels, n_mfcc=n_mels)
    lost = [distance_db(y, copy(y, spec, n), spec) for n in (n_mels, 20, 13, 5, 1)]
    assert lost == sorted(lost)
    assert lost[0] < 6.5 and lost[-1] > 2 * lost[0]  # a hard case: a comb as regular as no voice is


@pytest.mark.real
@pytest.mark.parametrize("settings", [(512, 128, 40), (1024, 256, 64), (2048, 512, 128)])
def test_real_voices(real, settings):
    frame, hop, n_mels = settings
    spec = dataclasses.replace(SPEC, frame=frame, hop=hop, n_mels=n_mels, n_mfcc=n_mels)
    files = [sorted((real / "tess").rglob(f"{speaker}*_sad.wav"))[0] for speaker in ("OAF", "YAF")]
    for y in [audio.load(file, rate_hz=RATE_HZ)[0] for file in files]:
        lost = [distance_db(y, copy(y, spec, n), spec) for n in (n_mels, 20, 13, 5, 1)]
        assert lost == sorted(lost) and lost[0] < 3.5


def test_few_coefficients_lose_the_pitch(y):
    assert pitch_kept(y, y, SPEC) == 1
    assert pitch_kept(y, copy(y, SPEC, 64), SPEC) > 0.7
    assert pitch_kept(y, copy(y, SPEC, 5), SPEC) < 0.3
    assert np.isnan(pitch_kept(np.zeros_like(y), y, SPEC))


def test_no_phase_of_the_clip_is_used(y):
    # two sounds that differ in their phases only have the same MFCC, so they must have the same copy
    assert np.array_equal(copy(y, SPEC, 40), copy(-y, SPEC, 40))
    assert np.array_equal(copy(y, SPEC, 40), copy(y, SPEC, 40))
    assert not np.array_equal(copy(y, SPEC, 40), copy(y, SPEC, 40, seed=1))


def test_distance(y):
    assert distance_db(y, y, SPEC) == 0
    softer = distance_db(y, np.float32(10**-0.1) * y, SPEC)
    assert 1 < softer <= 2.001  # what was not heard anyway counts as equal
    assert distance_db(y, np.float32(1e-6) * y, SPEC) < inverse.HEARD_DB


@pytest.mark.filterwarnings("ignore:Empty filters")
def test_bands_that_hold_no_frequency_do_no_harm(y):
    spec = dataclasses.replace(SPEC, frame=256, hop=64, n_mels=128, n_mfcc=128)
    assert (spectral.mel_filters(RATE_HZ, 256, 128, 0.0, None).sum(axis=1) == 0).any()
    assert np.isfinite(copy(y, spec, 128)).all()
