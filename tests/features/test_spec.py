"""serlib.features and serlib.features.spectral: each kind against librosa, specifications, statistics, `extract`."""

import dataclasses
import json
import shutil

import hypothesis
import joblib
import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import strategies as st

from serlib import audio
from serlib.features import LIBROSA_KINDS, SPECS, FeatureSpec, extract, extract_clip, spectral
from serlib.features import spec as features
from serlib.utils import SerlibError

#: Largest difference allowed: 1e-3 where values are in dB or made from them, less elsewhere.
TOLERANCE = {**dict.fromkeys(("mfcc", "delta", "delta2", "logmel", "contrast"), 1e-3), "f0": 1e-3}
SHORT = pytest.mark.filterwarnings("ignore:n_fft=", "ignore:Empty filters", "ignore:With fmin=")


def by_librosa(y, spec):
    """Each kind by librosa's own function, called one by one."""
    sr, step = spec.rate_hz, {"n_fft": spec.frame, "hop_length": spec.hop}
    times = {"frame_length": spec.frame, "hop_length": spec.hop}
    mel = {"n_mels": spec.n_mels, "fmin": spec.fmin_hz, "fmax": spec.fmax_hz}
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=spec.n_mfcc, **mel, **step)
    chroma = librosa.feature.chroma_stft(y=y, sr=sr, tuning=0.0, **step)
    n_bands = len(features.names(dataclasses.replace(spec, kinds=("contrast",)))) - 1
    f0_frame = next(spec.frame * 2**k for k in range(9) if spec.frame * 2**k >= 2 * sr / 60 + 2)
    result = {
        "mfcc": mfcc,
        "chroma": chroma,
        "logmel": librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr, **mel, **step)),
        "contrast": librosa.feature.spectral_contrast(y=y, sr=sr, n_bands=n_bands, **step),
        "tonnetz": librosa.feature.tonnetz(chroma=chroma, sr=sr),
        "rms": librosa.feature.rms(y=y, **times),
        "zcr": librosa.feature.zero_crossing_rate(y, **times),
        "f0": librosa.yin(y, fmin=60, fmax=600, sr=sr, frame_length=f0_frame, hop_length=spec.hop)[np.newaxis],
    }
    if mfcc.shape[1] >= 9:  # librosa refuses shorter ones
        result |= {"delta": librosa.feature.delta(mfcc), "delta2": librosa.feature.delta(mfcc, order=2)}
    return {kind: value.T for kind, value in result.items()}


def assert_equals_librosa(y, spec):
    y = np.ascontiguousarray(y, dtype=np.float32)
    for kind, expected in by_librosa(y, spec).items():
        result = extract_clip(y, spec.rate_hz, dataclasses.replace(spec, kinds=(kind,)))
        assert result.dtype == np.float32 and result.shape == expected.shape, kind
        np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE.get(kind, 1e-5), err_msg=kind)


def signals(n=20000):
    rng = np.random.default_rng(0)
    t = np.arange(n) / 22050
    noise = rng.standard_normal(n)
    return {
        "noise": 0.1 * noise,
        "quiet noise": 1e-4 * noise,
        "sine": 0.5 * np.sin(2 * np.pi * 220 * t),
        "chirp": 0.3 * np.sin(2 * np.pi * (100 + 2000 * t) * t),
        "silence, then noise": np.r_[np.zeros(n // 2), 0.1 * noise[n // 2 :]],
        "impulse": np.eye(1, n, n // 3)[0],
        "16-bit steps": np.round(0.01 * noise * 32768) / 32768,
    }


# ---------------------------------------------------------------- parity with librosa


@pytest.mark.parametrize("name", signals())
def test_each_kind_equals_librosa(name):
    assert_equals_librosa(signals()[name], FeatureSpec())


@SHORT
@pytest.mark.parametrize(
    ("rate_hz", "frame", "hop", "n_mels", "fmin_hz", "fmax_hz"),
    [
        (16000, 512, 160, 40, 0, None),
        (16000, 400, 160, 64, 60, 7600),
        (8000, 256, 128, 20, 0, 3800),
        (44100, 4096, 1024, 128, 0, None),
        (24414, 2048, 500, 96, 20.5, 8000),
    ],
)
def test_other_rates_frames_and_mels_equal_librosa(rng, rate_hz, frame, hop, n_mels, fmin_hz, fmax_hz):
    spec = FeatureSpec(
        rate_hz=rate_hz, frame=frame, hop=hop, n_mels=n_mels, n_mfcc=13, fmin_hz=fmin_hz, fmax_hz=fmax_hz
    )
    assert_equals_librosa(0.1 * rng.standard_normal(rate_hz // 2), spec)


@SHORT
@hypothesis.settings(deadline=None, max_examples=25)
@hypothesis.given(n=st.one_of(st.integers(1, 60), st.integers(1, 9000)))
def test_any_length_equals_librosa(n):
    y = 0.1 * np.random.default_rng(n).standard_normal(n)
    assert_equals_librosa(y, FeatureSpec(rate_hz=16000, frame=512, hop=128, n_mels=40, n_mfcc=20))


@SHORT
@pytest.mark.parametrize(
    "mel", [(22050, 2048, 128, 0.0, None), (8000, 256, 32, 0.0, None), (44100, 1024, 40, 50.0, 8e3)]
)
def test_mel_filters_are_librosas_to_the_last_bit(mel):
    rate_hz, frame, n_mels, fmin_hz, fmax_hz = mel
    expected = librosa.filters.mel(sr=rate_hz, n_fft=frame, n_mels=n_mels, fmin=fmin_hz, fmax=fmax_hz)
    np.testing.assert_array_equal(spectral.mel_filters(*mel).toarray(), expected)


def test_frames_too_short_for_contrast_serve_for_what_does_not_need_it(rng):
    y, short = rng.standard_normal(4000), {"rate_hz": 22050, "frame": 32, "hop": 16, "n_mels": 4, "n_mfcc": 3}
    assert extract_clip(y, 22050, FeatureSpec(kinds=("rms", "zcr"), **short)).shape[1] == 2
    assert features.names(FeatureSpec(kinds=("rms", "zcr"), **short)) == ["rms", "zcr"]
    with pytest.raises(SerlibError, match="too short for contrast; make them longer"):
        extract_clip(y, 22050, FeatureSpec(kinds=("contrast",), **short))


def test_a_summary_is_of_all_frames_whatever_their_number(rng):
    y = rng.standard_normal(16000)
    spec = FeatureSpec(rate_hz=16000, kinds=("rms",), summary=("mean",), frames=10)
    rows = extract_clip(y, 16000, features.frames_of(spec))
    np.testing.assert_allclose(features.summarise(rows, spec), extract_clip(y, 16000, spec), rtol=1e-6)


def test_a_long_recording_is_transformed_in_blocks_like_a_short_one(rng, monkeypatch):
    y = (0.1 * rng.standard_normal(40000)).astype(np.float32)
    spec = FeatureSpec(kinds=LIBROSA_KINDS[:-1])
    whole = extract_clip(y, 22050, spec)
    monkeypatch.setattr(spectral, "BLOCK", 16)
    np.testing.assert_array_equal(extract_clip(y, 22050, spec), whole)
    assert len(whole) == 1 + 40000 // 512


def test_one_call_for_all_kinds_gives_what_single_calls_give(voice):
    y = voice(rate_hz=22050)
    together = extract_clip(y, 22050, FeatureSpec(kinds=LIBROSA_KINDS))
    alone = [extract_clip(y, 22050, FeatureSpec(kinds=(kind,))) for kind in LIBROSA_KINDS]
    np.testing.assert_array_equal(together, np.concatenate(alone, axis=1))
    assert together.shape[1] == len(features.names(FeatureSpec(kinds=LIBROSA_KINDS))) == 276


def test_deltas_of_a_very_short_clip_repeat_its_ends(rng):
    rows = rng.standard_normal((3, 5)).astype(np.float32)
    for order in (1, 2):
        expected = librosa.feature.delta(rows.T, order=order, width=9, mode="nearest").T
        np.testing.assert_allclose(spectral.delta(rows, order), expected, atol=1e-6)


def test_f0_finds_the_pitch_of_a_tone(sine):
    result = extract_clip(
        sine(220, rate_hz=16000), 16000, FeatureSpec(rate_hz=16000, frame=512, hop=160, kinds=("f0",))
    )
    assert np.median(result) == pytest.approx(220, abs=1)


# ---------------------------------------------------------------- the part that is used, statistics


def test_the_usual_code_is_mfcc40_mean(voice, tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, voice(rate_hz=24414, duration_s=3.5), 24414)
    y, rate_hz = librosa.load(path, duration=3, offset=0.5)
    expected = librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).mean(axis=1)
    result = extract_clip(*audio.load(path), SPECS["mfcc40-mean"])
    assert result.shape == (40,) and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-3)


def test_a_clip_that_ends_before_the_offset_is_used_from_its_start(sine):
    y = sine(duration_s=0.4, rate_hz=22050)
    spec = FeatureSpec(offset_s=0.5, summary=("mean",))
    np.testing.assert_array_equal(
        extract_clip(y, 22050, spec), extract_clip(y, 22050, dataclasses.replace(spec, offset_s=0))
    )


def test_trimming_comes_before_the_features(voice):
    y = voice(rate_hz=22050, silence_s=0.5)
    trimmed = extract_clip(y, 22050, FeatureSpec(trim_db=30))
    np.testing.assert_array_equal(trimmed, extract_clip(audio.trim(y, rate_hz=22050), 22050, FeatureSpec()))
    assert len(trimmed) < len(extract_clip(y, 22050, FeatureSpec())) - 20


def test_statistics_are_over_the_true_frames(voice):
    y = voice(rate_hz=22050)
    rows = extract_clip(y, 22050, FeatureSpec(kinds=("mfcc", "rms"), n_mfcc=3))
    summary = ("mean", "std", "min", "max", "median")
    result = extract_clip(y, 22050, FeatureSpec(kinds=("mfcc", "rms"), n_mfcc=3, summary=summary, frames=500))
    expected = [rows.mean(0), rows.std(0), rows.min(0), rows.max(0), np.median(rows, axis=0)]
    np.testing.assert_allclose(result, np.concatenate(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("y", [np.zeros(0), np.array([0.1, np.nan] * 5000)])
def test_a_clip_without_usable_samples_is_refused(y):
    with pytest.raises(SerlibError, match=r"holds (no samples|NaN)"):
        extract_clip(y, 16000, SPECS["mfcc40-mean"])


# ---------------------------------------------------------------- specifications


def test_names_say_what_the_columns_are():
    assert features.names(FeatureSpec(kinds=("rms", "mfcc"), n_mfcc=2)) == ["rms", "mfcc_0", "mfcc_1"]
    assert features.names(FeatureSpec(kinds=("zcr", "f0"), summary=("mean", "std"))) == [
        *("zcr_mean", "f0_mean"),
        *("zcr_std", "f0_std"),
    ]
    every = features.names(FeatureSpec(kinds=LIBROSA_KINDS))
    assert len(set(every)) == len(every)
    assert "chroma_F#" in every


@pytest.mark.parametrize("name", SPECS)
def test_a_specification_survives_json(name):
    spec = SPECS[name]
    again = FeatureSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec and again.hash == spec.hash
    assert len({other.hash for other in SPECS.values()}) == len(SPECS)


def test_the_hash_is_the_same_on_every_machine():
    assert FeatureSpec(kinds=["mfcc"], offset_s=1, duration_s=3).hash == FeatureSpec(offset_s=1.0, duration_s=3.0).hash
    assert SPECS["mfcc40-mean"].hash == "ed1bdd5717d02d4c"
    assert FeatureSpec(rate_hz=22050.0, n_mfcc=np.int64(40), frames=np.float64(9)).hash == FeatureSpec(frames=9).hash


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": ()},
        {"kinds": ("mfcc", "loudness")},
        {"kinds": ("mfcc", "mfcc")},
        {"summary": ("mode",)},
        {"frame": 511},
        {"hop": 0},
        {"n_mfcc": 129},
        {"fmin_hz": 12000},
        {"fmax_hz": 12000},
        {"fmax_hz": 0},
        {"rate_hz": 22050.5},
        {"duration_s": 0},
        {"offset_s": -1},
        {"frames": 0},
        {"trim_db": -30},
        {"rate_hz": 100},
        {"beside": SPECS["mfcc40-mean"]},
        {"summary": ("mean",), "beside": FeatureSpec()},
        {"summary": ("mean",), "beside": dataclasses.replace(SPECS["mfcc40-mean"], beside=SPECS["mfcc40-mean"])},
    ],
)
def test_a_specification_that_cannot_be_used_is_refused(wrong):
    with pytest.raises(SerlibError, match="cannot be used"):
        FeatureSpec(**wrong)


def test_a_specification_of_a_later_version_is_refused():
    with pytest.raises(SerlibError, match="does not know \\(whispers\\)"):
        FeatureSpec.from_dict({**SPECS["mfcc40-mean"].to_dict(), "whispers": True})


# ---------------------------------------------------------------- a whole index


@pytest.fixture
def table(tmp_path, voice):
    """Five clips of different lengths and rates as an index."""
    rows = []
    for n, (seconds, rate_hz) in enumerate([(0.3, 16000), (0.9, 24414), (0.02, 22050), (0.6, 8000), (0.45, 44100)]):
        path = tmp_path / "corpus" / f"{n}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, voice(duration_s=seconds, rate_hz=rate_hz, silence_s=0.05, seed=n), rate_hz)
        y, _ = audio.load(path)
        digest = audio.path_digest(path)
        rows.append({"speech": str(path), "digest": digest, "duration_s": len(y) / rate_hz, "rate_hz": rate_hz})
    return pd.DataFrame(rows)


SEQUENCES = FeatureSpec(rate_hz=16000, frame=512, hop=160, n_mels=40, n_mfcc=13, kinds=("mfcc", "delta", "zcr"))


PAIR = dataclasses.replace(SPECS["mfcc40-mean"], beside=dataclasses.replace(SEQUENCES, summary=("mean", "std")))


@pytest.mark.parametrize("spec", [SEQUENCES, dataclasses.replace(SEQUENCES, frames=30), SPECS["mfcc40-mean"], PAIR])
def test_rows_are_what_extract_clip_gives(table, tmp_path, spec):
    result = extract(table, spec, out_dir=tmp_path / "cache")
    assert result.values.dtype == np.float32 and result.lengths.dtype == np.int32
    assert result.spec == spec and len(result.names) == result.values.shape[-1]
    for n, file in enumerate(table["speech"]):
        clip = extract_clip(*audio.load(file), spec)
        if spec.summary:
            np.testing.assert_array_equal(result.values[n], clip)
        else:
            assert result.lengths[n] == len(clip)
            np.testing.assert_array_equal(result.values[n], features.pad(clip, result.values.shape[1]))
    if not spec.summary:
        assert result.values.shape[1] == (spec.frames or result.lengths.max())


def test_features_side_by_side_are_those_of_both_and_share_their_caches(table, tmp_path, monkeypatch):
    first, second = features.parts(PAIR)
    assert features.names(PAIR) == features.names(first) + features.names(second)
    both = [extract(table, part, out_dir=tmp_path / "cache").values for part in (first, second)]
    monkeypatch.setattr(audio, "checked", None)  # no audio is read
    np.testing.assert_array_equal(extract(table, PAIR, out_dir=tmp_path / "cache").values, np.hstack(both))
    again = FeatureSpec.from_dict(json.loads(json.dumps(PAIR.to_dict())))
    assert again == PAIR and again.hash == PAIR.hash != first.hash
    assert features.parts(first) == [first] and "beside" not in first.to_dict()


def test_the_longest_clip_is_known_from_the_index_or_from_the_files(table, tmp_path):
    spec = dataclasses.replace(SEQUENCES, offset_s=0.2, duration_s=0.55)
    known = extract(table, spec, out_dir=tmp_path / "a")
    read = extract(table[["speech"]], spec, out_dir=tmp_path / "b")
    np.testing.assert_array_equal(known.values, read.values)
    assert known.values.shape[1] == known.lengths.max()
    assert known.folder.name == read.folder.name


def test_values_do_not_depend_on_workers_or_back_end(table, tmp_path):
    table = pd.concat([table] * 20, ignore_index=True)
    one = extract(table, SEQUENCES, out_dir=tmp_path / "1", jobs=1)
    for jobs in (2, 3):
        np.testing.assert_array_equal(
            extract(table, SEQUENCES, out_dir=tmp_path / str(jobs), jobs=jobs).values, one.values
        )
    with joblib.parallel_config(backend="loky"):
        other = extract(table, SEQUENCES, out_dir=tmp_path / "processes", jobs=2)
    np.testing.assert_array_equal(other.values, one.values)
    np.testing.assert_array_equal(other.lengths, one.lengths)


def test_what_is_cached_is_loaded_without_reading_audio(table, tmp_path):
    cold = extract(table, "mfcc40-mean", out_dir=tmp_path / "cache")
    shutil.rmtree(tmp_path / "corpus")
    warm = extract(table, "mfcc40-mean", out_dir=tmp_path / "cache")
    assert isinstance(warm.values, np.memmap) and not warm.values.flags.writeable
    assert warm.values.tobytes() == cold.values.tobytes()
    assert warm.lengths.tobytes() == cold.lengths.tobytes()


def test_another_order_specification_or_version_is_another_cache(table, tmp_path, monkeypatch):
    folders = [
        extract(table, "mfcc40-mean", out_dir=tmp_path).folder,
        extract(table[::-1], "mfcc40-mean", out_dir=tmp_path).folder,
        extract(table, SEQUENCES, out_dir=tmp_path).folder,
    ]
    monkeypatch.setattr(features, "FEATURES_VERSION", features.FEATURES_VERSION + 1)
    folders.append(extract(table, "mfcc40-mean", out_dir=tmp_path).folder)
    assert len(set(folders)) == 4


def test_changed_and_missing_files_are_named_after_the_others_are_done(table, tmp_path):
    whole = extract(table, "mfcc40-mean", out_dir=tmp_path / "whole").values
    first, second = (tmp_path / "corpus" / name for name in ("1.wav", "3.wav"))
    kept = first.read_bytes()
    first.write_bytes(kept[:-2] + b"xx")
    with pytest.raises(SerlibError, match=r"1\.wav has changed since it was indexed; index the corpus again$"):
        extract(table, "mfcc40-mean", out_dir=tmp_path / "cache")
    first.unlink()
    second.rename(tmp_path / "elsewhere.wav")
    with pytest.raises(SerlibError, match=r"1\.wav does not exist; .* index the corpus again$"):
        extract(table, "mfcc40-mean", out_dir=tmp_path / "cache")  # the second file was done before it went
    with pytest.raises(SerlibError, match=r"1\.wav does not exist; .* index the corpus again \(and 1 more like it\)$"):
        extract(table, "mfcc40-mean", out_dir=tmp_path / "other")
    first.write_bytes(kept)
    (tmp_path / "elsewhere.wav").rename(second)
    np.testing.assert_array_equal(extract(table, "mfcc40-mean", out_dir=tmp_path / "cache").values, whole)


def test_a_file_that_holds_nan_is_named(tmp_path):
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.full(16000, np.nan), 16000, subtype="FLOAT")
    with pytest.raises(SerlibError, match=r"nan\.wav holds NaN or infinite samples"):
        extract(pd.DataFrame({"speech": [path]}), "mfcc40-mean", out_dir=tmp_path / "cache")


def test_an_empty_index_and_an_unknown_name_are_refused(table, tmp_path):
    with pytest.raises(SerlibError, match="holds no clips"):
        extract(table[:0], "mfcc40-mean", out_dir=tmp_path)
    with pytest.raises(SerlibError, match="no features 'mfcc'"):
        extract(table, "mfcc", out_dir=tmp_path)


def test_the_default_cache_is_in_the_data_folder(table, home):
    assert home / "data" / "features" in extract(table, "mfcc40-mean").folder.parents


def test_several_specifications_in_one_pass_over_the_sound(table, tmp_path, monkeypatch):
    specs = ("mfcc40-mean", SEQUENCES, FeatureSpec(rate_hz=8000, trim_db=30, summary=("std",)))
    alone = [extract(table, spec, out_dir=tmp_path / "alone") for spec in specs]
    readings = []
    checked = audio.checked
    monkeypatch.setattr(audio, "checked", lambda file, *args, **kw: readings.append(file) or checked(file, *args, **kw))
    together = features.extract_together(table, specs, out_dir=tmp_path / "together")
    assert sorted(readings) == sorted(table.speech)
    for one, other in zip(alone, together, strict=True):
        assert other.spec == one.spec
        np.testing.assert_array_equal(other.values, one.values)
        np.testing.assert_array_equal(other.lengths, one.lengths)


# ---------------------------------------------------------------- real speech


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["tess", "ravdess"])
def test_real_speech_equals_the_usual_code_and_librosa(real, corpus, tmp_path):
    files = sorted((real / corpus).rglob("*.wav"))
    table = pd.DataFrame({"speech": [str(file) for file in files[:: len(files) // 30][:30]]})
    cold = np.array(extract(table, "mfcc40-mean", out_dir=tmp_path).values)
    warm = extract(table, "mfcc40-mean", out_dir=tmp_path).values
    np.testing.assert_array_equal(cold, warm)
    for file, row in zip(table["speech"], cold, strict=True):
        y, rate_hz = librosa.load(file, duration=3, offset=0.5)
        np.testing.assert_allclose(row, librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).mean(axis=1), atol=1e-3)
    for file in table["speech"][::6]:
        assert_equals_librosa(audio.load(file, rate_hz=22050)[0], FeatureSpec())


def test_what_a_table_does_not_say_of_a_clip_is_read_from_its_file(table, tmp_path):
    joined = table.assign(digest=["", None, *table.digest[2:]])
    joined["duration_s"] = table.duration_s.where(table.index > 0)
    whole = extract(table, SEQUENCES, out_dir=tmp_path / "whole")
    result = extract(joined, SEQUENCES, out_dir=tmp_path / "joined")
    np.testing.assert_array_equal(result.values, whole.values)


def test_a_table_that_says_less_than_a_file_holds_cuts_nothing(table, tmp_path):
    rounded = table.assign(duration_s=table.duration_s.round(2))
    lengths = extract(rounded, SEQUENCES, out_dir=tmp_path / "rounded").lengths
    np.testing.assert_allclose(lengths, extract(table, SEQUENCES, out_dir=tmp_path / "whole").lengths, atol=1)
    for place in ("short", "whole"):
        with pytest.raises(SerlibError, match=r"0\.wav is longer than the table says; correct .* \(and . more like it"):
            extract(table[:4].assign(duration_s=0.1), SEQUENCES, out_dir=tmp_path / place)
    extract(table[:4], SEQUENCES, out_dir=tmp_path / "short")


def test_a_clip_of_two_channels_is_refused_in_a_sentence():
    with pytest.raises(SerlibError, match=r"shape \(2, 16000\) is not mono; make it so with serlib\.audio\.mono"):
        extract_clip(np.zeros((2, 16000)), 16000, FeatureSpec())
