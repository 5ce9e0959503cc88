"""serlib.features.weights: where the weights of encoders come from."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from serlib.features import weights
from serlib.utils import SerlibError

SHAPES = weights.shapes((1,), width=128, blocks=1)


@pytest.fixture
def values(rng):
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def as_published(values):
    """As in the model.safetensors of openai/whisper-*: torch's order of axes, with a decoder beside it."""
    file = {f"model.encoder.{name}": np.ascontiguousarray(value.T) for name, value in values.items()}
    file["model.encoder.embed_positions.weight"] = np.zeros((1500, 128), np.float32)
    file["model.decoder.layers.0.fc1.weight"] = np.zeros((4, 4), np.float32)
    return file


def test_packing_keeps_a_hundredth(values):
    again = weights.unpack(weights.pack(values))
    assert set(again) == set(values)
    for name, value in values.items():
        assert np.abs(again[name] - value).max() <= np.abs(value).max() / 200


def test_what_was_tuned_is_few_steps_away(values, rng):
    tuned = {name: value + 0.003 * rng.normal(size=value.shape).astype(np.float32) for name, value in values.items()}
    packed = weights.pack(tuned, values)
    assert np.abs(packed["layers.0.fc1.weight"]).max() <= 2
    again = weights.unpack(packed, values)
    assert all(np.abs(again[name] - tuned[name]).max() < 0.03 for name in values)


def test_a_file_as_openai_publishes_it(values, tmp_path):
    save_file(as_published(values), tmp_path / "model.safetensors")
    for place in (tmp_path, tmp_path / "model.safetensors"):
        found, width, blocks = weights.find(str(place), (1,))
        assert (width, blocks) == (128, 1)
        assert all(np.array_equal(found[name], values[name]) for name in SHAPES)
    with pytest.raises(SerlibError, match=r"cannot give layer 2: layer_norm\.weight is missing"):
        weights.find(str(tmp_path), (2,))


def test_a_preset_as_keras_hub_saves_it(values, tmp_path):
    import h5py

    parts = {"conv1": "conv1d", "conv2": "conv1d_1"}
    parts |= {f"layers.0.{ours}": f"whisper_encoder/{theirs}" for theirs, ours in weights._KERAS_HUB.items()}
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        for name, value in values.items():
            part, end = name.rsplit(".", 1)
            if "self_attn." in name and end == "bias" and "out_proj" not in name:
                value = value.reshape(2, 64)
            elif "self_attn." in name and end == "weight":
                value = value.reshape((2, 64, 128) if "out_proj" in name else (128, 2, 64))
            file[f"layers/{parts[part]}/vars/{['weight', 'bias'].index(end)}"] = value
        for number in "01":
            file[f"layers/layer_normalization/vars/{number}"] = np.ones(128, np.float32)
    found, width, blocks = weights.find(str(tmp_path), (1,))
    assert (width, blocks) == (128, 1)
    assert all(np.array_equal(found[name], values[name]) for name in SHAPES)
    (tmp_path / "model.weights.h5").write_bytes(b"no weights")
    with pytest.raises(SerlibError, match="holds no Whisper of KerasHub"):
        weights.read(tmp_path)


def test_files_that_are_no_encoder(tmp_path):
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(SerlibError, match=r"other\.safetensors holds no encoder of Whisper"):
        weights.find(str(tmp_path / "other.safetensors"), (1,))
    (tmp_path / "cut.safetensors").write_bytes(b"no weights")
    with pytest.raises(SerlibError, match=r"cut\.safetensors cannot be read as weights"):
        weights.find(str(tmp_path / "cut.safetensors"), (1,))


def test_a_file_of_another_model_is_told(tmp_path):
    other = {"conv1.bias": np.zeros(4, np.float32), "layers.norm.weight": np.zeros(4, np.float32)}
    save_file(other, tmp_path / "model.safetensors")
    with pytest.raises(SerlibError, match=r"cannot give layer 1: conv1\.weight is missing"):
        weights.find(str(tmp_path), [1])


def test_one_that_lies_in_the_data_folder_is_taken(values, home):
    place = home / "data" / "encoders"
    place.mkdir(parents=True)
    save_file(as_published(values), place / "whisper-base.safetensors")
    assert weights.find("whisper-base", (1,))[1] == 128


def test_without_a_network_it_says_where_to_put_a_file(home, monkeypatch):
    import kagglehub

    def refuse(handle):
        raise ConnectionError(f"no way to {handle}")

    monkeypatch.setattr(kagglehub, "model_download", refuse)
    with pytest.raises(SerlibError, match=r"whisper_base_multi: no way to .*openai/whisper-base at data"):
        weights.find("whisper-base", (1,))


def test_the_shipped_blocks():
    assert weights.SHIPPED.stat().st_size < 6_000_000
    values, width, blocks = weights.find("whisper-tiny", (1, 3))
    assert (width, blocks) == (384, 4)
    assert {name: value.shape for name, value in values.items()} == weights.shapes((3,), width=384, blocks=4)


def test_weights_are_known_by_their_content(values, tmp_path):
    file = tmp_path / "mine.safetensors"
    save_file(as_published(values), file)
    first = weights.content(str(file))
    assert weights.width(str(file)) == 128
    (tmp_path / "there").mkdir()
    save_file(as_published(values), tmp_path / "there" / "model.safetensors")
    assert weights.content(str(tmp_path / "there")) == first
    save_file({"model.encoder.conv1.bias": np.zeros(64, np.float32)}, file)
    assert weights.content(str(file)) != first
    assert weights.width(str(file)) == 64
    assert weights.content("whisper-base") == "whisper-base"
    (tmp_path / "there" / "model.safetensors").unlink()
    with pytest.raises(SerlibError, match=r"there/model\.weights\.h5 is missing or cannot be read"):
        weights.content(str(tmp_path / "there"))


def test_weights_in_a_type_that_numpy_lacks_are_refused(tmp_path, monkeypatch):
    def load_file(file):
        raise TypeError("data type 'bfloat16' not understood")

    monkeypatch.setattr("safetensors.numpy.load_file", load_file)
    with pytest.raises(SerlibError, match=r"mine\.safetensors cannot be read as weights .*; download them as float32"):
        weights.read(tmp_path / "mine.safetensors")
