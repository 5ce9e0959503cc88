"""serlib.augment: what is drawn from, what is changed and by how much, what stays; copies of recordings."""

import dataclasses
import inspect
import json
import warnings

import hypothesis
import librosa
import numpy as np
import pytest
import scipy.signal
import scipy.stats
import soundfile
from hypothesis import strategies as st

from serlib import augment, widgets
from serlib.augment import (
    Copies,
    FrequencyWarp,
    Gain,
    Level,
    Mixup,
    Noise,
    PitchShift,
    Shift,
    SpecAugment,
    Stretch,
    TimeWarp,
    Transpose,
    copies,
)
from serlib.augment.frames import lengths
from serlib.augment.waveform import speech_power
from serlib.features import FeatureSpec, extract
from serlib.features import spec as features
from serlib.utils import SerlibError

RATE_HZ = 16000
WAVEFORM = (Noise(), Shift(), PitchShift(), Stretch(), Gain())
FRAMES = (SpecAugment(), Mixup(), FrequencyWarp(), TimeWarp())
SPEC = FeatureSpec(rate_hz=RATE_HZ, frame=512, hop=256, kinds=("logmel", "rms"), n_mfcc=13, n_mels=32, frames=60)
NAMES = features.names(SPEC)
EXAMPLES = hypothesis.settings(max_examples=40, deadline=None, derandomize=True)


def drawn(seed=0):
    return np.random.default_rng(seed)


def clips(n=6, *, longest=20, d=33, seed=1):
    """Features of `n` clips of different lengths, the first one the longest, and their labels."""
    rng = drawn(seed)
    x = rng.normal(-40, 10, size=(n, longest, d)).astype(np.float32)
    for i, clip in enumerate(x):
        clip[longest - i * longest // (2 * n) :] = 0
    return x, np.eye(7, dtype=np.float32)[np.arange(n) % 7]


def strongest_hz(y):
    """Frequency of the highest peak, to a hundredth of a Hz."""
    size = 2**21
    return abs(np.fft.rfft(y * np.hanning(len(y)), size)).argmax() * RATE_HZ / size


# ---------------------------------------------------------------- waveforms


@pytest.mark.parametrize("change", WAVEFORM, ids=repr)
@EXAMPLES
@hypothesis.given(
    n=st.integers(1, 3000), rate_hz=st.sampled_from([8000, 16000, 48000]), seed=st.integers(0, 99), silent=st.booleans()
)
def test_any_clip_gives_finite_float32_and_is_left_as_it_was(change, n, rate_hz, seed, silent):
    y = np.zeros(n, np.float32) if silent else drawn(seed).uniform(-1, 1, n).astype(np.float32)
    before = y.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a clip shorter than a frame of the vocoder makes librosa complain
        result = change(y, rate_hz, drawn(seed))
        again = change(y, rate_hz, drawn(seed))
    assert result.dtype == np.float32 and result.ndim == 1 and np.isfinite(result).all()
    np.testing.assert_array_equal(y, before)
    np.testing.assert_array_equal(result, again)
    if isinstance(change, Stretch):
        assert max(1, np.floor(0.9 * n)) <= len(result) <= np.ceil(1.1 * n)
    else:
        assert len(result) == n
    assert not (silent and result.any())


@pytest.mark.parametrize("change", WAVEFORM, ids=repr)
def test_another_seed_gives_another_clip_and_the_global_state_is_not_used(change, voice):
    y = voice()
    np.random.seed(0)  # noqa: NPY002 - it is the global state that is looked at
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (change(y, RATE_HZ, drawn(seed)) for seed in (0, 1))
    assert first.shape != second.shape or not np.array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("snr_db", [-5, 0, 10, 30])
def test_noise_has_the_ratio_that_was_asked_for(sine, snr_db):
    for y in (sine(200), 0.1 * drawn(2).standard_normal(RATE_HZ).astype(np.float32)):
        noise = Noise((snr_db, snr_db))(y, RATE_HZ, drawn()) - y
        result = 10 * np.log10(np.mean(np.square(y, dtype=float)) / np.mean(np.square(noise, dtype=float)))
        assert result == pytest.approx(snr_db, abs=0.5)


def test_noise_is_measured_against_the_speech_and_not_against_the_silence_around_it(sine):
    word = sine(200, duration_s=0.5)
    padded = np.pad(word, RATE_HZ)
    level_db = 10 * np.log10([speech_power(word, RATE_HZ), speech_power(padded, RATE_HZ)])
    assert level_db[1] == pytest.approx(level_db[0], abs=0.5)  # over the whole clip it would be 7 dB less
    noise = Noise((20, 20))(padded, RATE_HZ, drawn()) - padded
    assert 10 * np.log10(np.mean(word**2) / np.mean(noise**2)) == pytest.approx(20, abs=0.5)


def test_noise_has_equal_power_in_every_octave():
    noise = Noise((0, 0))(np.ones(20 * RATE_HZ, np.float32), RATE_HZ, drawn()) - 1
    power, hz = abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(len(noise), 1 / RATE_HZ)
    octaves_db = [10 * np.log10(power[(hz >= low) & (hz < 2 * low)].sum()) for low in 62.5 * 2 ** np.arange(7)]
    assert np.ptp(octaves_db) < 0.6


def test_noise_is_drawn_from_its_range():
    y = 0.1 * drawn(2).standard_normal(RATE_HZ).astype(np.float32)
    rng = drawn()
    result = [-20 * np.log10(np.std(Noise((5, 15))(y, RATE_HZ, rng) - y) / 0.1) for _ in range(60)]
    assert 4.5 < min(result) < 6.5 and 13.5 < max(result) < 15.5


def test_shift_moves_zeros_in_and_never_further_than_asked():
    y = np.arange(1, 101, dtype=np.float32)
    rng, ways = drawn(), set()
    for _ in range(300):
        result = Shift(0.1)(y, RATE_HZ, rng)
        by = int(np.argmax(result == 50)) - 49
        expected = np.pad(y, 10)[10 - by : 110 - by]
        np.testing.assert_array_equal(result, expected)
        ways.add(by)
    assert ways == set(range(-10, 11))


@pytest.mark.parametrize("semitones", [-7, -1.5, 0.5, 2, 12])
def test_pitch_moves_by_the_semitones_and_the_tempo_stays(sine, semitones):
    y = sine(330)
    result = PitchShift((semitones, semitones))(y, RATE_HZ, drawn())
    moved = 12 * np.log2(strongest_hz(result) / 330)
    assert moved == pytest.approx(semitones, abs=0.1)
    assert len(result) == len(y)
    middle = slice(2000, -2000)
    assert np.std(result[middle]) == pytest.approx(np.std(y[middle]), rel=0.15)


@pytest.mark.parametrize("factor", [0.5, 0.93, 1.07, 1.5])
def test_stretch_changes_the_length_and_not_the_pitch(sine, factor):
    y = sine(330)[:-7]
    result = Stretch((factor, factor))(y, RATE_HZ, drawn())
    assert len(result) == round(factor * len(y))
    assert strongest_hz(result) == pytest.approx(330, rel=0.003)


def test_pitch_and_tempo_are_librosas(voice):
    y = voice()
    for steps in (2, -1):
        expected = librosa.effects.pitch_shift(y, sr=RATE_HZ, n_steps=steps, n_fft=1024)
        np.testing.assert_array_equal(PitchShift((steps, steps))(y, RATE_HZ, drawn()), expected)
    expected = librosa.effects.time_stretch(y, rate=1 / 1.1, n_fft=1024)
    np.testing.assert_array_equal(Stretch((1.1, 1.1))(y, RATE_HZ, drawn()), expected)


def test_gain_is_a_factor(voice):
    y = voice()
    np.testing.assert_allclose(Gain((-6, -6))(y, RATE_HZ, drawn()), y * 10 ** (-6 / 20), rtol=1e-6)
    factors = [Gain((-6, 6))(y, RATE_HZ, drawn(seed)).max() / y.max() for seed in range(100)]
    assert 0.5 < min(factors) < 0.56 and 1.8 < max(factors) < 2.0


def test_examples_are_everything_that_can_be_heard_and_can_be_played(voice):
    y = voice()
    result = augment.examples(y, RATE_HZ, seed=0)
    assert next(iter(result)) == "as recorded" and np.array_equal(result["as recorded"][0], y)
    for name, (wave, rate_hz) in result.items():
        assert rate_hz == RATE_HZ and wave.dtype == np.float32 and np.isfinite(wave).all()
        assert name == "as recorded" or not np.array_equal(wave, y)
    source = inspect.getsource(augment.examples)
    assert all(f"{type(change).__name__}((" in source or type(change) is Shift for change in WAVEFORM)
    assert widgets.players(result).data.count("<audio") == len(result)
    again = augment.examples(y, RATE_HZ, seed=0)
    assert all(np.array_equal(again[name][0], wave) for name, (wave, _) in result.items())


# ---------------------------------------------------------------- features


@pytest.mark.parametrize("change", FRAMES, ids=repr)
@EXAMPLES
@hypothesis.given(
    n=st.integers(1, 9), longest=st.integers(1, 12), bands=st.integers(1, 5), seed=st.integers(0, 99), data=st.data()
)
def test_any_features_keep_shape_padding_and_labels(change, n, longest, bands, seed, data):
    names = ["mfcc_0", *(f"logmel_{i}" for i in range(bands)), "rms"]
    real = np.array(data.draw(st.lists(st.integers(1, longest), min_size=n, max_size=n)))
    x = drawn(seed).normal(-30, 10, size=(n, longest, len(names))).astype(np.float32)
    x[np.arange(longest) >= real[:, np.newaxis]] = 0
    y = np.eye(3, dtype=np.float32)[drawn(seed).integers(3, size=n)]
    before = x.copy(), y.copy()
    x.setflags(write=False)  # features that are mapped from a file cannot be written to
    result, labels = change(x, y, drawn(seed), names)
    again, labels_again = change(x, y, drawn(seed), names)
    assert result.shape == x.shape and result.dtype == np.float32 and np.isfinite(result).all()
    assert labels.shape == y.shape and labels.dtype == np.float32
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    np.testing.assert_array_equal(result, again)
    np.testing.assert_array_equal(labels, labels_again)
    new = lengths(result)
    assert (result.any(axis=2) == (np.arange(longest) < new[:, np.newaxis])).all()  # no padding inside a clip
    if isinstance(change, TimeWarp):
        assert (new <= np.maximum(1, np.ceil(1.1 * real))).all() and (new >= np.floor(0.9 * real)).all()
    elif isinstance(change, Mixup):
        assert (new >= real).all()
    else:
        np.testing.assert_array_equal(new, real)


@pytest.mark.parametrize("change", [SpecAugment(), Mixup(), FrequencyWarp(), TimeWarp()], ids=repr)
def test_another_seed_gives_other_features(change):
    x, y = clips()
    first, second = (change(x, y, drawn(seed), NAMES)[0] for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_masks_have_at_most_the_stated_size_and_hold_the_mean():
    x, y = clips(40, longest=50)
    change = SpecAugment(frequency_masks=1, frequency_share=0.25, time_masks=1, time_share=0.2)
    result, labels = change(x, y, drawn(), NAMES)
    np.testing.assert_array_equal(labels, y)
    heights, widths = [], []
    for before, after, n in zip(x, result, lengths(x), strict=True):
        mean = before[:n].mean(axis=0)
        changed = before != after
        assert not changed[n:].any()
        assert np.isclose(after, mean, atol=1e-4)[changed].all()
        frames, bands = changed[:n, -1], changed[:n, :32].all(axis=0)  # the last column is no band
        assert (changed[:n] == (frames[:, np.newaxis] | np.r_[bands, False])).all()
        for masked, sizes in ((frames, widths), (bands, heights)):
            assert abs(np.diff(masked.astype(int))).sum() <= 2  # one piece
            sizes.append(masked.sum() / len(masked))
    assert 0.15 < max(widths) <= 0.2 and 0.2 < max(heights) <= 0.25
    assert min(widths) == min(heights) == 0


def test_masks_cover_every_part_of_a_clip():
    x = np.broadcast_to(np.arange(1, 21, dtype=np.float32)[:, np.newaxis], (400, 20, 10))
    result, _ = SpecAugment(time_masks=1, time_share=0.2, frequency_masks=0)(x, None, drawn(), [])
    hidden = (result != x).mean(axis=(0, 2))
    assert hidden.min() > 0.02  # the ends are hidden least often, but they are
    assert 0.07 < hidden[4:-4].mean() < 0.15


@pytest.mark.parametrize("kinds", [("mfcc",), ("mfcc", "chroma", "contrast", "f0")])
def test_without_log_mel_there_are_masks_in_time_only(kinds):
    names = features.names(FeatureSpec(kinds=kinds))
    x, y = clips(d=len(names))
    result, _ = SpecAugment(time_masks=0, frequency_share=1)(x, y, drawn(), names)
    np.testing.assert_array_equal(result, x)
    result, _ = SpecAugment(time_share=0.5)(x, y, drawn(), names)
    assert (result != x).any()


def test_a_masked_frame_is_no_padding_even_where_the_mean_is_zero():
    x = np.array([[[1.0], [-1.0], [1.0], [-1.0]]], np.float32)
    result, _ = SpecAugment(time_share=1, time_masks=4)(x, None, drawn(), ["rms"])
    assert (abs(result) < 1e-3).any() and result.all()


@pytest.mark.parametrize("seed", range(8))
def test_mixup_is_the_stated_combination_of_a_clip_and_another(seed):
    x, y = clips(7)  # each has its own label
    result, labels = Mixup(alpha=1)(x, y, drawn(seed), NAMES)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    real, partners = lengths(x), []
    for i in range(7):
        share = labels[i, i]
        others = np.flatnonzero(labels[i] * (np.arange(7) != i))
        assert len(others) == 1 and labels[i, others[0]] == pytest.approx(1 - share, abs=1e-6)
        j = others[0]
        both, longer = min(real[i], real[j]), i if real[i] >= real[j] else j
        np.testing.assert_allclose(result[i, :both], share * x[i, :both] + (1 - share) * x[j, :both], rtol=1e-5)
        np.testing.assert_array_equal(result[i, both:], x[longer, both:])  # alone, and then the padding
        partners.append(j)
    assert sorted(partners) == list(range(7))


@pytest.mark.parametrize("alpha", [0.2, 1, 4])
def test_mixup_draws_its_shares_from_the_beta_distribution(alpha):
    n = 1500
    _, labels = Mixup(alpha)(np.ones((n, 1, 1), np.float32), np.eye(n, dtype=np.float32), drawn(), ["rms"])
    assert scipy.stats.kstest(np.diag(labels), scipy.stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_mixup_of_a_summary_and_of_one_clip():
    x, y = drawn().normal(size=(5, 40)).astype(np.float32), np.eye(5, dtype=np.float32)
    result, labels = Mixup(alpha=1)(x, y, drawn(), [])
    np.testing.assert_allclose(result, labels @ x, rtol=1e-4, atol=1e-6)
    alone, label = Mixup()(x[:1], y[:1], drawn(), [])
    np.testing.assert_allclose(alone, x[:1], rtol=1e-6)
    np.testing.assert_allclose(label, y[:1], rtol=1e-6)


@pytest.mark.parametrize("factor", [0.85, 0.95, 1.1, 1.2])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050])
def test_frequency_warp_moves_a_formant_by_its_factor(factor, rate_hz):
    spec = FeatureSpec(rate_hz=rate_hz, kinds=("rms", "logmel"), n_mels=96)
    centres = librosa.mel_frequencies(98, fmin=0, fmax=rate_hz / 2)[1:-1]
    for formant_hz in (500, 1200, 1700):
        level = -((np.log(centres / formant_hz) / 0.15) ** 2) - 20
        x = np.tile(np.r_[0.5, level].astype(np.float32), (1, 3, 1))
        change = FrequencyWarp((factor, factor), fmax_hz=rate_hz / 2)
        result, _ = change(x, None, drawn(), features.names(spec))
        np.testing.assert_array_equal(result[..., 0], x[..., 0])
        weight = np.maximum(result[0, 0, 1:] + 24, 0)  # the top of the bump
        moved_hz = np.exp(np.average(np.log(centres), weights=weight * np.gradient(np.log(centres))))
        assert moved_hz / formant_hz == pytest.approx(factor, rel=0.025)
        np.testing.assert_array_equal(result[0, 0], result[0, 2])


def test_frequency_warp_agrees_with_a_recording_played_faster():
    """Played faster all frequencies are multiplied; so they are by the warp, up to where it leads back."""
    spec = FeatureSpec(rate_hz=RATE_HZ, kinds=("logmel",))
    hiss = 0.01 * drawn().standard_normal(4 * RATE_HZ)
    formants = (scipy.signal.iirpeak(hz, 5, fs=RATE_HZ) for hz in (600, 1200, 2500, 3600))
    y = sum((scipy.signal.lfilter(*formant, hiss) for formant in formants), 0.01 * hiss)
    faster = librosa.resample(y, orig_sr=1.15 * RATE_HZ, target_sr=RATE_HZ)
    slow, fast = (features.extract_clip(wave, RATE_HZ, spec).mean(axis=0) for wave in (y, faster))
    change = FrequencyWarp((1.15, 1.15), fmax_hz=RATE_HZ / 2)
    result = change(slow[np.newaxis, np.newaxis], None, drawn(), features.names(spec))[0][0, 0]
    centres_hz = librosa.mel_frequencies(130, fmin=0, fmax=8000)[1:-1]
    heard = (centres_hz > 200) & (centres_hz < 4700)
    assert np.std((result - fast)[heard]) < 0.15 * np.std((slow - fast)[heard])


def test_factor_one_changes_nothing():
    x, y = clips()
    for change in (FrequencyWarp((1, 1), fmax_hz=8000), TimeWarp((1, 1)), SpecAugment(time_share=0, frequency_share=0)):
        np.testing.assert_allclose(change(x, y, drawn(), NAMES)[0], x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25])
def test_time_warp_is_linear_between_frames(factor):
    x = np.zeros((2, 50, 3), np.float32)
    x[0, :40] = np.linspace(1, 2, 40)[:, np.newaxis] * [1, -1, 10]
    x[1, :1] = 7
    result, _ = TimeWarp((factor, factor))(x, None, drawn(), [])
    n = round(40 * factor)
    np.testing.assert_allclose(result[0, :n], np.linspace(1, 2, n)[:, np.newaxis] * [1, -1, 10], rtol=1e-6)
    assert not result[0, n:].any()
    assert (result[1, 0] == 7).all() and not result[1, 1:].any() | (factor > 1.4)


def test_level_is_what_a_louder_recording_has(voice):
    y = voice(rate_hz=16000)
    for spec in (features.SPECS["whisper-frames"], FeatureSpec(rate_hz=16000, kinds=("logmel", "mfcc"))):
        x, louder = (features.extract_clip(gain * y, 16000, spec) for gain in (1, 10 ** (6 / 20)))
        result, _ = Level((6, 6))(x[np.newaxis], None, drawn(), features.names(spec))
        np.testing.assert_allclose(result[0], louder, atol=2e-3)
    mfcc = features.names(FeatureSpec())
    with pytest.raises(SerlibError, match="Level moves mel bands, but the features hold none; add the kind logmel"):
        Level()(np.ones((1, 5, len(mfcc))), None, drawn(), mfcc)


def test_time_warp_is_cut_at_the_end_of_the_array():
    x = np.arange(1, 21, dtype=np.float32).reshape(1, 20, 1)
    result, _ = TimeWarp((2, 2))(x, None, drawn(), [])
    np.testing.assert_allclose(result[0, :, 0], 1 + np.arange(20) * 19 / 39, rtol=1e-6)


def test_feature_examples_show_what_changes_a_spectrogram(voice):
    spec = dataclasses.replace(SPEC, frames=None)
    x = [features.extract_clip(voice(hz, duration_s=s), RATE_HZ, spec) for hz, s in ((150, 0.8), (210, 1.0))]
    both = np.stack([features.pad(clip, 90) for clip in x])
    result = augment.feature_examples(both, spec, seed=0)
    assert [name.split(":")[0] for name in result][2:] == [*(type(change).__name__ for change in FRAMES), "Level"]
    np.testing.assert_array_equal(result["as extracted"], x[0][:, :32])
    np.testing.assert_array_equal(result["the clip to mix with"], x[1][:, :32])
    mixed = result["Mixup: half and half"]
    assert len(mixed) == len(x[1])
    np.testing.assert_allclose(mixed[: len(x[0])], (x[0] + x[1][: len(x[0])])[:, :32] / 2, atol=3)
    assert not any(np.array_equal(result["as extracted"], rows) for rows in list(result.values())[1:])


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize("change", [*WAVEFORM, *FRAMES, Copies(2, WAVEFORM)], ids=lambda change: type(change).__name__)
def test_an_augmentation_is_plain_data(change):
    plain = change.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["name"] == type(change).__name__
    assert set(plain) == {"name", *(field.name for field in dataclasses.fields(change))}
    assert hash(change) == hash(dataclasses.replace(change))
    with pytest.raises(dataclasses.FrozenInstanceError):
        change.other = 1


def test_equal_settings_are_equal_however_they_are_written():
    assert Noise([10, 30]) == Noise((10.0, 30.0)) and Noise([10, 30]).to_dict() == Noise((10, 30.0)).to_dict()
    assert Copies(1, [Noise()]) == Copies(np.int64(1), (Noise(),))
    assert Copies(1, (Noise(),)).to_dict()["waveform"] == [Noise().to_dict()]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(20),
        lambda: Noise((30, 10)),
        lambda: Noise((10, float("nan"))),
        lambda: Noise((10, 20, 30)),
        lambda: Noise(("loud", 3)),
        lambda: Noise((0, float("inf"))),
        lambda: Shift(-0.1),
        lambda: Shift(0.9),
        lambda: Shift("a lot"),
        lambda: PitchShift((-99, 2)),
        lambda: Stretch((0, 1)),
        lambda: Gain((1, -1)),
        lambda: SpecAugment(time_masks=-1),
        lambda: SpecAugment(time_masks=1.5),
        lambda: SpecAugment(frequency_share=2),
        lambda: Mixup(0),
        lambda: Mixup(float("nan")),
        lambda: FrequencyWarp((-1, 1)),
        lambda: FrequencyWarp(fmax_hz=0),
        lambda: FrequencyWarp(fmin_hz=9000, fmax_hz=8000),
        lambda: TimeWarp((0, 1)),
        lambda: Copies(0, (Noise(),)),
        lambda: Copies(1, ()),
        lambda: Copies(1, Noise()),
        lambda: Copies(1, (SpecAugment(),)),
    ],
)
def test_settings_that_make_no_sense_are_refused_in_a_sentence(make):
    with pytest.raises(SerlibError, match=r"^\w+: \w+ must be .*, not .*\.$"):
        make()


def test_features_that_do_not_fit_are_refused_in_a_sentence():
    x, y = clips(d=40)
    mfcc = features.names(FeatureSpec())
    with pytest.raises(SerlibError, match="add the kind logmel"):
        FrequencyWarp()(x, y, drawn(), mfcc)
    for change in (SpecAugment(), FrequencyWarp(), TimeWarp()):
        with pytest.raises(SerlibError, match=r"summary"):
            change(x[:, 0], y, drawn(), mfcc)


# ---------------------------------------------------------------- copies


CHANGES = Copies(2, (Stretch(), Shift(), Noise()))


@pytest.fixture
def table(home, tone_corpus):
    from serlib import corpora

    return corpora.index("tess", tone_corpus(home / "tones", words=1))


def test_copies_are_the_changed_clips_in_order(table):
    result = copies(table, SPEC, CHANGES, seed=3, jobs=2)
    assert result.shape == (2, len(table), 60, len(NAMES)) and result.dtype == np.float32
    for number, row in ((0, 0), (0, 5), (1, 5)):
        clip = table.iloc[row]
        y, rate_hz = soundfile.read(clip.speech, dtype="float32")
        rng = np.random.default_rng([3, 1 + number, int(clip.digest, 16)])
        for change in CHANGES.waveform:
            y = change(y, rate_hz, rng)
        expected = features.extract_clip(y, rate_hz, SPEC)
        np.testing.assert_array_equal(result[number, row], features.pad(expected, 60))


@pytest.mark.parametrize("factor", [3, 4])
def test_a_much_slower_copy_is_summarised_as_a_whole(table, factor):
    spec = FeatureSpec(kinds=("logmel",), n_mels=30, n_mfcc=12, summary=("mean",))
    clips = table[["speech"]]
    slower = copies(clips, spec, Copies(1, frames=(TimeWarp((factor, factor)),)))[0]
    np.testing.assert_allclose(slower, features.extract(clips, spec).values, atol=1.5)


def test_frames_are_changed_before_they_are_summarised(table):
    spec = FeatureSpec(kinds=("logmel", "mfcc", "pitch", "voiced"), n_mels=30, n_mfcc=12, summary=("mean", "range"))
    changes = (FrequencyWarp((0.8, 0.9)), Transpose((3, 4)), Level((-2, 2)), TimeWarp((1.4, 1.5)))
    result = copies(table, spec, Copies(2, frames=changes), seed=3)
    assert result.shape == (2, len(table), len(features.names(spec)))
    clip, frames = table.iloc[3], features.frames_of(spec)
    names = features.names(frames)
    rng = np.random.default_rng([3, 2, int(clip.digest, 16)])
    plain = features.extract_clip(*soundfile.read(clip.speech, dtype="float32"), frames)
    rows = plain
    for change in changes:
        rows = change(np.pad(rows, ((0, len(plain)), (0, 0)))[np.newaxis], None, rng, names)[0][0]
        rows = rows[: augment.frames.lengths(rows[np.newaxis])[0]]
    assert len(rows) > 1.3 * len(plain)
    np.testing.assert_array_equal(result[1, 3], features.summarise(rows, spec))
    higher = rows[:, names.index("pitch")].mean() - plain[:, names.index("pitch")].mean()
    assert 3 / 12 < higher < 4.2 / 12


def test_mfcc_follow_the_warped_bands():
    spec = FeatureSpec(kinds=("logmel", "mfcc"), n_mels=30, n_mfcc=12)
    rows = features.extract_clip(np.random.default_rng(0).standard_normal(22050).astype(np.float32), 22050, spec)
    for change in (FrequencyWarp((0.85, 0.85)), Level((5, 5))):
        changed = change(rows[np.newaxis], np.eye(1), drawn(), features.names(spec))[0][0]
        expected = librosa.feature.mfcc(S=changed[:, :30].T, n_mfcc=12).T
        assert np.abs(changed[:, 30:] - rows[:, 30:]).max() > 1
        np.testing.assert_allclose(changed[:, 30:], expected, atol=1e-3)


def test_a_copy_depends_on_its_clip_alone(table):
    result = copies(table, SPEC, CHANGES, jobs=2)
    backwards = copies(table[::-1], SPEC, CHANGES, jobs=1)
    np.testing.assert_array_equal(result, backwards[:, ::-1])
    np.testing.assert_array_equal(result[:1, :3], copies(table[:3], SPEC, Copies(1, CHANGES.waveform)))
    others = copies(table, SPEC, CHANGES, seed=1)
    assert not np.any(np.all(result == others, axis=(2, 3)))
    assert not np.any(np.all(result[0] == result[1], axis=(1, 2)))


def test_copies_are_cached(table, monkeypatch):
    first = copies(table, SPEC, CHANGES)
    monkeypatch.setattr(features, "extract_clip", lambda *_: pytest.fail("computed again"))
    again = copies(table, SPEC, CHANGES)
    assert again.filename == first.filename
    np.testing.assert_array_equal(again, first)


def test_another_key_for_whatever_changes_a_value(table):
    files = {
        copies(table[:2], spec, change, seed=seed).filename
        for spec, change, seed in (
            (SPEC, CHANGES, 0),
            (SPEC, CHANGES, 1),
            (SPEC, Copies(3, CHANGES.waveform), 0),
            (SPEC, Copies(2, CHANGES.waveform[:1]), 0),
            (SPEC, Copies(2, CHANGES.waveform, (TimeWarp(),)), 0),
            (dataclasses.replace(SPEC, n_mels=20), CHANGES, 0),
        )
    }
    assert len(files | {copies(table[1:3], SPEC, CHANGES).filename, extract(table[:2], SPEC).values.filename}) == 8


def test_copies_without_frames_are_as_wide_as_the_features_of_the_table(table):
    for spec in (dataclasses.replace(SPEC, frames=None), FeatureSpec(summary=("mean",))):
        plain, changed = extract(table, spec), copies(table, spec, Copies(1, (Stretch((1.2, 1.2)),)), seed=0)
        assert changed.shape == (1, *plain.values.shape)
        assert not np.array_equal(changed[0], plain.values)


def test_copies_of_a_file_that_has_changed_are_refused(table):
    soundfile.write(table.speech[2], np.zeros(8000), RATE_HZ)
    with pytest.raises(SerlibError, match="has changed since it was indexed"):
        copies(table, SPEC, CHANGES, seed=0)
    with pytest.raises(SerlibError, match="no clips to copy"):
        copies(table[:0], SPEC, CHANGES, seed=0)


@pytest.mark.real
def test_real_words_survive_every_change(real_index, home):
    """The pitch of a real voice moves as it should, and its loud parts stay where they are."""
    from serlib import audio

    table = real_index("tess")
    y, rate_hz = audio.load(table.speech[0])
    before = np.nanmedian(librosa.pyin(y, fmin=80, fmax=500, sr=rate_hz)[0])
    for semitones in (-2, 2):
        changed = PitchShift((semitones, semitones))(y, rate_hz, drawn())
        after = np.nanmedian(librosa.pyin(changed, fmin=80, fmax=500, sr=rate_hz)[0])
        assert 12 * np.log2(after / before) == pytest.approx(semitones, abs=0.4)
    result = copies(table[::400], SPEC, Copies(1, WAVEFORM), seed=0)
    assert np.isfinite(result).all() and result.any(axis=(2, 3)).all()
