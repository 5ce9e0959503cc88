"""serlib.features.encoder: Whisper's encoder, against Hugging Face's own."""

import keras
import numpy as np
import pandas as pd
import pytest

from serlib.features import encoder, extract, extract_clip, names, weights
from serlib.features.spec import SPECS, FeatureSpec
from serlib.utils import SerlibError
from tests.features import reference_whisper as reference


@pytest.fixture(scope="module")
def expected():
    return np.load(reference.FILE)


@pytest.fixture(scope="module")
def values(expected):
    """The seeded weights of the reference, in Keras's order of axes."""
    shapes = {str(name): eval(str(shape)) for name, shape in zip(expected["names"], expected["shapes"], strict=True)}
    drawn = reference.weights(shapes)
    return {name: np.ascontiguousarray(value.T) if value.ndim > 1 else value for name, value in drawn.items()}


@pytest.fixture(scope="module")
def small(values):
    layers = range(reference.BLOCKS + 2)
    made = encoder.WhisperEncoder(layers, width=reference.WIDTH, blocks=reference.BLOCKS)
    made.build((None, None, encoder.MELS))
    made.built = True
    made.set(values)
    return made


def test_the_states_are_hugging_faces(small, expected):
    states = keras.ops.convert_to_numpy(small(reference.frames()[np.newaxis]))[0]
    before, middle, _, last = np.split(states, 4, axis=1)
    np.testing.assert_allclose(before, expected["before"], atol=1e-4)
    np.testing.assert_allclose(middle, expected["middle"], atol=1e-4)
    np.testing.assert_allclose(last, expected["last"], atol=1e-4)


def test_padding_changes_no_state(small):
    long, short = reference.frames(), reference.frames()[:37]
    batch = np.zeros((2, *long.shape), np.float32)
    batch[0], batch[1, :37] = long, short
    together = keras.ops.convert_to_numpy(small(batch))
    alone = keras.ops.convert_to_numpy(small(short[np.newaxis]))[0]
    assert alone.shape == (19, 4 * reference.WIDTH)
    np.testing.assert_allclose(together[1, :19], alone, atol=1e-4)
    assert keras.ops.convert_to_numpy(small.compute_mask(batch)).sum(axis=1).tolist() == [30, 19]


def test_a_layer_does_not_need_those_above(values, small):
    low = encoder.WhisperEncoder([1], width=reference.WIDTH, blocks=reference.BLOCKS)
    low.build((None, None, encoder.MELS))
    low.built = True
    low.set(values)
    assert not any(name.startswith("layers.1") for name in low.w)
    x = reference.frames()[np.newaxis]
    middle = keras.ops.convert_to_numpy(small(x))[0, :, reference.WIDTH : 2 * reference.WIDTH]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(low(x))[0], middle, atol=1e-4)


def saved(layer, path):
    """What an encoder answers as part of a model, before it is saved and after it is loaded."""
    inputs = keras.Input((None, encoder.MELS))
    model = keras.Model(inputs, layer(inputs))
    model.save(path)
    x = reference.frames()[np.newaxis]
    return [keras.ops.convert_to_numpy(one(x)) for one in (model, keras.saving.load_model(path))]


def test_a_saved_model_answers_as_before(small, tmp_path):
    before, after = saved(small, tmp_path / "model.keras")
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_tuned_encoder_is_saved_as_steps_from_its_source(tmp_path, rng):
    tuned = encoder.load("whisper-tiny", [1], source="whisper-tiny")
    tuned.set({name: value + rng.normal(0, 1e-3, value.shape) for name, value in tuned.values().items()})
    before, after = saved(tuned, tmp_path / "model.keras")
    assert np.abs(after - before).mean() < 0.02 * np.abs(before).mean()  # one byte a weight
    four_bytes = 4 * sum(int(np.prod(variable.shape)) for variable in tuned.w.values())
    assert (tmp_path / "model.keras").stat().st_size < four_bytes / 2


def test_the_shipped_blocks_know_speech_from_noise(rng):
    voice = np.sin(2 * np.pi * 150 * np.arange(16000) / 16000 + 3 * np.sin(2 * np.pi * 4 * np.arange(16000) / 16000))
    noise = 0.1 * rng.standard_normal(16000)
    a, b = (encoder.states(y.astype(np.float32), "whisper-tiny", (2,)) for y in (voice, noise))
    assert a.shape == b.shape == (50, 384)
    assert np.isfinite(a).all() and np.abs(a - b).mean() > 0.1


def test_states_are_features_like_any_other(rng):
    y = 0.1 * rng.standard_normal(12345).astype(np.float32)
    spec = FeatureSpec(encoder="whisper-tiny", layers=(2, 1), summary=("mean", "std"))
    values = extract_clip(y, 16000, spec)
    states = encoder.states(y, "whisper-tiny", (1, 2))
    assert names(spec)[0] == "states_1_0_mean" and names(spec)[-1] == "states_2_383_std"
    np.testing.assert_allclose(values[: 2 * 384], states.mean(axis=0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(values[2 * 384 :], states.std(axis=0), rtol=1e-3, atol=1e-4)
    assert extract_clip(y, 16000, SPECS["whisper-frames"]).shape == (77, 80)


def test_at_one_level_it_does_not_matter_how_loud_a_clip_was_recorded(rng):
    y = (0.1 * rng.standard_normal(8000) * np.linspace(0.2, 1, 8000)).astype(np.float32)
    loud, soft = (encoder.log_mel(gain * y, peak=1) for gain in (2.0, 0.05))
    assert loud.max() == pytest.approx(1)
    np.testing.assert_allclose(loud, soft, atol=1e-4)
    np.testing.assert_allclose(loud - loud.max(), encoder.log_mel(y) - encoder.log_mel(y).max(), atol=1e-4)
    assert SPECS["whisper-states"].peak == 1 and "peak" not in SPECS["whisper-frames"].to_dict()
    a, b = (extract_clip(gain * y, 16000, SPECS["whisper-states"]) for gain in (2.0, 0.05))
    np.testing.assert_allclose(a, b, atol=2e-2)
    as_recorded = FeatureSpec(encoder="whisper-tiny", layers=(1, 2, 3), summary=("mean", "std"))
    a, b = (extract_clip(gain * y, 16000, as_recorded) for gain in (2.0, 0.05))
    assert np.abs(a - b).max() > 0.5


def test_what_cannot_be_asked_for():
    for options, reason in (
        ({"kinds": ("states",)}, "its states need an encoder"),
        ({"encoder": "whisper-tiny"}, "encoder and layers go together"),
        ({"kinds": ("whisper",)}, "the kind whisper needs"),
        ({"kinds": ("mfcc",), "peak": 1}, "peak is for whisper and states"),
    ):
        with pytest.raises(SerlibError, match=reason):
            FeatureSpec(**options)
    with pytest.raises(SerlibError, match="There is no encoder 'whisper-minute'"):
        extract_clip(np.ones(16000, np.float32), 16000, FeatureSpec(encoder="whisper-minute", layers=(1,)))
    assert set(weights.ENCODERS) >= {"whisper-tiny", "whisper-base", "whisper-small.en"}


def test_another_file_at_the_same_path_is_another_encoder(tmp_path, rng):
    import soundfile
    from safetensors.numpy import save_file

    sound = tmp_path / "noise.wav"
    soundfile.write(sound, 0.1 * rng.standard_normal(4000), 16000)
    clips = pd.DataFrame({"speech": [sound]})
    file = tmp_path / "mine.safetensors"
    spec = FeatureSpec(encoder=file, layers=np.array([1]), summary=("mean",))
    values = []
    for _ in range(2):
        shapes = weights.shapes((1,), width=64, blocks=1)
        made = {name: rng.normal(scale=0.1, size=shape).astype(np.float32) for name, shape in shapes.items()}
        save_file({name: np.ascontiguousarray(value.T) for name, value in made.items()}, file)
        values.append(np.array(extract(clips, spec, out_dir=tmp_path / "cache").values))
    assert np.abs(values[0] - values[1]).max() > 0.01
    elsewhere = file.rename(tmp_path / "moved.safetensors")
    spec = FeatureSpec(encoder=str(elsewhere), layers=(1,), summary=("mean",))
    assert len(list((tmp_path / "cache").iterdir())) == 2
    np.testing.assert_array_equal(extract(clips, spec, out_dir=tmp_path / "cache").values, values[1])
    assert len(list((tmp_path / "cache").iterdir())) == 2
