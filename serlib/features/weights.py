"""Weights of encoders: where they are found, how they are read, and how they are kept small.

An encoder is named (`whisper-tiny`), a folder or a file. The first blocks of `whisper-tiny` come with this package; of
the others a `model.safetensors` of openai/whisper-* may lie in `data/encoders/NAME.safetensors`, or else the preset of
KerasHub is downloaded once, without an account.
"""

import functools
import os
from pathlib import Path

import numpy as np

from serlib import audio
from serlib.utils import SerlibError, data_dir, shown

#: Name -> preset of KerasHub, its width, its blocks. All are multilingual but those that end in `.en`.
ENCODERS = {
    f"whisper-{size}{suffix}": (f"keras/whisper/keras/whisper_{size}_{'en' if suffix else 'multi'}", width, blocks)
    for size, width, blocks in (("tiny", 384, 4), ("base", 512, 6), ("small", 768, 12), ("medium", 1024, 24))
    for suffix in ("", ".en")
}

#: The blocks of whisper-tiny that come with this package.
SHIPPED = Path(__file__).parents[1] / "pretrained" / "whisper-tiny.safetensors"
SHIPPED_BLOCKS = 3
#: Ends the name of what a packed weight is multiplied by.
SCALE = ".scale"


def shapes(layers, *, width, blocks):
    """Name -> shape of every weight that the states of some layers of `WhisperEncoder` need.

    Kernels of convolutions are (frames, columns in, columns out), others (columns in, columns out).
    """
    d = width
    highest = max(layers)
    needed = {"conv1.weight": (3, 80, d), "conv1.bias": (d,), "conv2.weight": (3, d, d), "conv2.bias": (d,)}
    for n in range(min(highest, blocks)):
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            needed[f"layers.{n}.self_attn.{part}.weight"] = (d, d)
        for part in ("q_proj", "v_proj", "out_proj"):  # a bias of the keys would not change the attention
            needed[f"layers.{n}.self_attn.{part}.bias"] = (d,)
        needed |= {f"layers.{n}.fc1.weight": (d, 4 * d), f"layers.{n}.fc1.bias": (4 * d,)}
        needed |= {f"layers.{n}.fc2.weight": (4 * d, d), f"layers.{n}.fc2.bias": (d,)}
        for norm in ("self_attn_layer_norm", "final_layer_norm"):
            needed |= {f"layers.{n}.{norm}.weight": (d,), f"layers.{n}.{norm}.bias": (d,)}
    if highest > blocks:
        needed |= {"layer_norm.weight": (d,), "layer_norm.bias": (d,)}
    return needed


def pack(values, source=None):
    """Matrices as one byte a weight with a factor for each output column (NAME.scale), the rest in half precision.

    Of an encoder that was tuned from a `source` the bytes count steps away from it, most of them few, which a ZIP
    archive shortens.
    """
    packed = {}
    for name, value in values.items():
        start = np.zeros_like(value) if source is None else source[name]
        if value.ndim == 1:
            packed[name] = (value - start).astype(np.float16)
            continue
        largest = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0)
        scale = np.maximum(largest / 127, np.finfo(np.float32).tiny).astype(np.float32)
        packed[name] = np.clip(np.round((value - start) / scale), -127, 127).astype(np.int8)
        packed[name + SCALE] = scale
    return packed


def unpack(packed, source=None):
    """What `pack` was given, to half a step [dict of str -> np.ndarray, float32]."""
    values = {}
    for name, array in packed.items():
        if name.endswith(SCALE):
            continue
        value = array.astype(np.float32) * packed.get(name + SCALE, np.float32(1))
        values[name] = value if source is None else value + source[name]
    return values


def find(name, layers):
    """The weights of an encoder that the states of some layers need, by name, with its width and its number of blocks.

    Named as in `ENCODERS`, or by the path of a `.safetensors` file, or of a folder with one or with a preset of
    KerasHub.
    """
    if name == "whisper-tiny" and max(layers) <= SHIPPED_BLOCKS:
        values, (_, width, blocks) = unpack(_tensors(SHIPPED)), ENCODERS[name]
    else:
        values = read(_place(name))
        width = len(values["conv1.bias"])
        numbers = [key.split(".")[1] for key in values if key.startswith("layers.")]
        blocks = 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)
    needed = shapes(layers, width=width, blocks=blocks)
    for key, shape in needed.items():
        if key not in values or values[key].shape != shape:
            what = f"has the shape {values[key].shape}" if key in values else "is missing"
            raise SerlibError(f"The encoder {name} cannot give layer {max(layers)}: {key} {what}, expected {shape}.")
    return {key: values[key] for key in needed}, width, blocks


def width(name):
    """Columns of the states of an encoder."""
    return ENCODERS[name][1] if name in ENCODERS else _width(name, content(name))


@functools.lru_cache(maxsize=16)
def _width(name, content):
    return len(read(_place(name))["conv1.bias"])


def content(name):
    """What stands for the weights of an encoder, named as for `find`, in the key of a cache [str].

    A name of `ENCODERS` stands for itself; of a file or folder it is the digest of the weights, so that other weights
    at the same path are another encoder, and the same weights at another path are the same one.
    """
    if name in ENCODERS:
        return name
    file = _file(_place(name))
    try:
        return _digest(file, os.stat(file).st_size, os.stat(file).st_mtime_ns)
    except OSError:
        raise SerlibError(f"{shown(file)} is missing or cannot be read; download the encoder again.") from None


@functools.lru_cache(maxsize=16)
def _digest(file, size, modified_ns):
    return audio.path_digest(file)


def _file(place):
    """The file of a place that holds the weights: of openai's form, or of KerasHub's."""
    if not place.is_dir():
        return place
    file = place / "model.safetensors"
    return file if file.is_file() else place / "model.weights.h5"


def _place(name):
    """File or folder of an encoder; downloaded where it must be."""
    if name not in ENCODERS:
        if Path(name).exists():
            return Path(name)
        raise SerlibError(
            f"There is no encoder '{name}'; choose one of {', '.join(ENCODERS)}, or give a model.safetensors."
        )
    here = data_dir() / "encoders" / f"{name}.safetensors"
    if here.is_file():
        return here
    import kagglehub

    preset = ENCODERS[name][0]
    try:
        return Path(kagglehub.model_download(preset))
    except Exception as error:  # the client raises many types: no network, refused, no room
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise SerlibError(
            f"The encoder {name} could not be downloaded ({preset}: {reason}); check the network, or put the "
            f"model.safetensors of openai/{name} at {shown(here)}."
        ) from error


def read(path):
    """Weights of a whole encoder, in Keras's shapes and by the names of `shapes` [dict of str -> np.ndarray, float32].

    From a `.safetensors` file of openai/whisper-*, a folder with one, or a folder with a preset of KerasHub.
    """
    file = _file(Path(path))
    if file.suffix == ".h5":
        return _from_keras_hub(file)
    values = {}
    for key, array in _tensors(file).items():
        name = key.removeprefix("model.").removeprefix("encoder.")
        if key.startswith("model.decoder.") or name.startswith("embed_positions"):
            continue
        # Torch has the axes in the reverse order; and that of a transposed array would be lost in a file.
        values[name] = np.ascontiguousarray(array.astype(np.float32).T)
    if "conv1.bias" not in values:
        raise SerlibError(f"{shown(file)} holds no encoder of Whisper; expected model.safetensors of openai/whisper-*.")
    return values


#: What KerasHub calls the parts of a block -> what openai does.
_KERAS_HUB = {
    "_self_attention_layer/query_dense": "self_attn.q_proj",
    "_self_attention_layer/key_dense": "self_attn.k_proj",
    "_self_attention_layer/value_dense": "self_attn.v_proj",
    "_self_attention_layer/output_dense": "self_attn.out_proj",
    "_self_attention_layer_norm": "self_attn_layer_norm",
    "_feedforward_intermediate_dense": "fc1",
    "_feedforward_output_dense": "fc2",
    "_feedforward_layer_norm": "final_layer_norm",
}


def _from_keras_hub(file):
    """Weights of a preset of KerasHub; its decoder is left aside."""
    import h5py

    parts = {"conv1d": "conv1", "conv1d_1": "conv2", "layer_normalization": "layer_norm"}
    values = {}
    try:
        with h5py.File(file) as store:
            layers = store["layers"]
            width = len(layers["conv1d/vars/1"])
            blocks = sum(name.startswith("whisper_encoder") for name in layers)
            for n in range(blocks):
                block = "whisper_encoder" if n == 0 else f"whisper_encoder_{n}"
                parts |= {f"{block}/{hub_name}": f"layers.{n}.{name}" for hub_name, name in _KERAS_HUB.items()}
            for hub_name, name in parts.items():
                arrays = layers[f"{hub_name}/vars"]
                for number, end in enumerate(("weight", "bias")[: len(arrays)]):
                    array = np.asarray(arrays[str(number)], np.float32)
                    if "self_attn." in name:  # the heads lie on an axis of their own
                        array = array.reshape((width, width) if end == "weight" else width)
                    values[f"{name}.{end}"] = array
    except (OSError, KeyError) as error:
        raise SerlibError(f"{shown(file)} holds no Whisper of KerasHub ({error}); download it again.") from error
    return values


def _tensors(file):
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError, TypeError) as error:  # bfloat16 is a TypeError
        raise SerlibError(f"{shown(file)} cannot be read as weights ({error}); download them as float32") from error
