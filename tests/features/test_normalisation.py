"""Per-speaker normalisation: against scikit-learn, blind to labels and roles, padding left alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from serlib.features import normalisation


def table_of(speakers, corpora=None):
    corpora = corpora or ["tess"] * len(speakers)
    return pd.DataFrame({"speaker": speakers, "corpus": corpora, "label": "sad", "role": "train"})


def padded(rng, lengths, d=3, frames=9):
    x = rng.normal(5, 3, size=(len(lengths), frames, d)).astype(np.float32)
    for clip, n in zip(x, lengths, strict=True):
        clip[n:] = 0
    return x


def test_statistics_are_those_of_scikit_learn_over_real_frames(rng):
    lengths = [9, 4, 1, 7]
    x = padded(rng, lengths)
    rows = np.concatenate([clip[:n] for clip, n in zip(x, lengths, strict=True)])
    mean, scale = normalisation.statistics(x)
    theirs = StandardScaler().fit(rows)
    np.testing.assert_allclose(mean, theirs.mean_, rtol=1e-5)
    np.testing.assert_allclose(scale, theirs.scale_, rtol=1e-5)
    assert mean.dtype == scale.dtype == np.float32
    scored = normalisation.z_score(x, mean, scale)
    for clip, ours, n in zip(x, scored, lengths, strict=True):
        np.testing.assert_allclose(ours[:n], theirs.transform(clip[:n]), atol=1e-4)
        assert not ours[n:].any()


@pytest.mark.parametrize("frames", [True, False])
def test_statistics_of_pieces_are_those_of_the_whole(rng, monkeypatch, frames):
    x = padded(rng, [9, 4, 1, 7, 3, 9, 5]) if frames else rng.normal(40, 3, size=(7, 3)).astype(np.float32)
    whole = normalisation.statistics(x)
    monkeypatch.setattr(normalisation, "STATISTICS_BYTES", 2 * x[0].nbytes)
    np.testing.assert_allclose(normalisation.statistics(x), whole, rtol=1e-6)
    np.testing.assert_allclose(
        normalisation.statistics((x[:3], normalisation.LazyFeatures(x, [3, 4, 5, 6]))), whole, rtol=1e-6
    )


def test_rows_are_read_as_they_are_asked_for(rng, tmp_path):
    x = padded(rng, [9, 4, 6, 7, 8, 2])
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = normalisation.LazyFeatures(mapped).select(np.array([4, 0, 2]))
    assert rows.shape == (3, 9, 3) and len(rows) == 3
    np.testing.assert_array_equal(rows, x[[4, 0, 2]])
    np.testing.assert_array_equal(rows[1:], x[[0, 2]])
    np.testing.assert_array_equal(rows[np.array([True, False, True])], x[[4, 2]])
    longer = rows.select([2, 1], frames=11)
    assert longer.shape == (2, 11, 3) and not longer[:][:, 9:].any()
    np.testing.assert_array_equal(longer[:][:, :9], x[[2, 0]])
    np.testing.assert_array_equal(rows.select([0], frames=5)[:], x[[4], :5])
    table = table_of(["a", "b"] * 3)
    voices = normalisation.voices(mapped, table)
    scored = normalisation.LazyFeatures(mapped, who=normalisation.who_speaks(table), voices=voices)
    np.testing.assert_array_equal(scored.select([5, 2])[:], normalisation.by_speaker(x, table, voices)[[5, 2]])


def test_what_is_computed_and_fits_into_memory_is_held_there(rng, monkeypatch):
    values = rng.normal(size=(4, 3)).astype(np.float32)
    mapped = normalisation.LazyFeatures(values)
    assert mapped.in_memory() is mapped  # it is shared
    table = table_of(["a", "b"] * 2)
    rows = normalisation.LazyFeatures(
        values, who=normalisation.who_speaks(table), voices=normalisation.voices(values, table)
    )
    assert isinstance(rows.in_memory(), np.ndarray)
    monkeypatch.setattr(normalisation, "BLOCK_BYTES", 47)
    assert rows.in_memory() is rows
    assert normalisation.parts(rows, multiple=2) == [slice(0, 2), slice(2, 4)]


def test_a_constant_column_and_nothing_at_all():
    x = np.tile(np.float32([1000.1, 0, 7]), (2, 5, 1))
    mean, scale = normalisation.statistics(x)
    np.testing.assert_array_equal(scale, 1)
    np.testing.assert_allclose(normalisation.z_score(x, mean, scale), 0, atol=1e-3)
    mean, scale = normalisation.statistics(np.zeros((2, 5, 3), np.float32))
    assert not mean.any() and (scale == 1).all()


@pytest.mark.parametrize("frames", [True, False])
def test_each_speaker_by_all_of_their_own_clips(rng, frames):
    x = padded(rng, [9, 4, 6, 7, 8, 2]) if frames else rng.normal(size=(6, 3)).astype(np.float32)
    x[1::2] = np.where(x[1::2] != 0, 4 * x[1::2] + 100, 0)  # the second speaker is louder
    table = table_of(["a", "b"] * 3)
    found = normalisation.voices(x, table)
    assert list(found) == ["tess/a", "tess/b"]
    scored = normalisation.by_speaker(x, table, found)
    for speaker in "ab":
        of = (table.speaker == speaker).to_numpy()
        rows, ours = x[of].reshape(-1, 3), scored[of].reshape(-1, 3)
        real = rows.any(axis=1)
        np.testing.assert_allclose(ours[real], StandardScaler().fit_transform(rows[real]), atol=1e-4)
        assert not ours[~real].any()
    assert scored.dtype == np.float32


def test_labels_and_roles_do_not_count_and_speakers_of_two_corpora_are_two(rng):
    x = rng.normal(size=(8, 3)).astype(np.float32)
    table = table_of(["1"] * 8, ["tess"] * 4 + ["ravdess"] * 4)
    found = normalisation.voices(x, table)
    other = normalisation.voices(x, table.assign(label=list("abcdefgh"), role=["train", "test"] * 4))
    assert list(found) == ["tess/1", "ravdess/1"] == list(other)
    for name in found:
        np.testing.assert_array_equal(found[name], other[name])
    assert not np.allclose(found["tess/1"][0], found["ravdess/1"][0])


def test_inputs_are_the_features_as_long_as_they_really_are(tone_index):
    from serlib.features import SPECS, extract

    spec = SPECS["mfcc-frames"]
    features = extract(tone_index, spec, show=False)
    values, found = normalisation.inputs(tone_index, spec, "training", show=False)
    assert found is None
    np.testing.assert_array_equal(values, features.values[:, : features.lengths.max()])
    assert features.lengths.max() < features.values.shape[1]  # trimming took something away
    scored, found = normalisation.inputs(tone_index, spec, "speaker", show=False)
    assert list(found) == ["tess/OAF", "tess/YAF"]
    np.testing.assert_array_equal(scored, normalisation.by_speaker(values, tone_index, found))
    summary, _ = normalisation.inputs(tone_index, SPECS["mfcc40-mean"], "speaker", show=False)
    for speaker in ("OAF", "YAF"):
        rows = summary[(tone_index.speaker == speaker).to_numpy()]
        np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(rows.std(axis=0), 1, atol=1e-3)
