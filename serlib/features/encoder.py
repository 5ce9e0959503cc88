"""Whisper's encoder, in the open: it has heard 680,000 hours of speech, and its states know much of voices.

`serlib.features.whisper.log_mel` computes what it hears, `WhisperEncoder` is the network, `load` gives it its weights.
It turns every 20 ms of sound into a vector. Speech recognition needs the last states; emotions are in the middle ones,
so that the blocks above need not be computed (A. Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
Supervision", arXiv:2212.04356).

Taught in notebooks/08_transfer.
"""

import functools
import threading

import keras
import numpy as np
from keras import ops

from serlib.features import weights
from serlib.features.whisper import MELS, POSITIONS, RATE_HZ, log_mel, positions  # noqa: F401  what notebook 08 asks for

#: Columns of an attention head, in every Whisper.
HEAD = 64
#: One encoder is made once, also where several threads ask for it.
_LOCK = threading.Lock()


def gelu(x):
    """x times the share of a standard normal that lies below x: `ops.gelu`, in operations that ONNX has as well."""
    return 0.5 * x * (1.0 + ops.erf(x / 2**0.5))


@keras.saving.register_keras_serializable(package="serlib")
class WhisperEncoder(keras.layers.Layer):
    """The encoder of Whisper: two convolutions, the place in time, then blocks of attention and a small network.

    Its weights have the names of openai/whisper's `model.safetensors`, and Keras's shapes.

    Parameters
    ----------
    layers : sequence of int
        The states that are handed on side by side: 0 is what enters the first block, n what leaves block n, and one
        more than there are blocks what leaves the last normalisation. Blocks above the highest are not computed.
    width, blocks : int
        384 and 4 for tiny, 512 and 6 for base, 768 and 12 for small.
    source : str, optional
        The encoder of `serlib.features.weights` that this one was tuned from. A saved model then holds one byte a
        weight, how many steps it is away from its source; without a source the weights as they are.
    """

    def __init__(self, layers, *, width=384, blocks=4, source=None, **options):
        super().__init__(**options)
        self.supports_masking = True
        self.layers = sorted(layers)
        self.width = width
        self.blocks = blocks
        self.source = source

    def get_config(self):
        """What `__init__` takes."""
        own = {"layers": self.layers, "width": self.width, "blocks": self.blocks, "source": self.source}
        return {**super().get_config(), **own}

    def build(self, input_shape):
        """A variable for every name of `weights.shapes`."""
        shapes = weights.shapes(self.layers, width=self.width, blocks=self.blocks)
        self.w = {name: self.add_weight(name=name.replace(".", "_"), shape=shape) for name, shape in shapes.items()}

    def call(self, x):
        """[shape=(clips, frames, 80)] in, [shape=(clips, frames / 2, layers * width)] out; zero frames are padding."""
        real = ops.any(ops.not_equal(x, 0), axis=-1)
        x = gelu(self.convolution(x, "conv1", step=1))
        x = ops.where(real[..., None], x, 0.0)
        x = gelu(self.convolution(x, "conv2", step=2))
        x = x + ops.convert_to_tensor(positions(POSITIONS, self.width))[: ops.shape(x)[1]]
        states = [x]
        for n in range(min(self.layers[-1], self.blocks)):
            x = x + self.attention(self.norm(x, f"layers.{n}.self_attn_layer_norm"), real[:, ::2], n)
            hidden = self.dense(self.norm(x, f"layers.{n}.final_layer_norm"), f"layers.{n}.fc1")
            x = x + self.dense(gelu(hidden), f"layers.{n}.fc2")
            states.append(x)
        if self.layers[-1] > self.blocks:
            states.append(self.norm(x, "layer_norm"))
        return ops.concatenate([states[n] for n in self.layers], axis=-1)

    def convolution(self, x, name, *, step):
        """Three neighbouring frames become one; from one to the next it goes `step` frames."""
        x = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
        return ops.conv(x, self.w[f"{name}.weight"], strides=step, padding="valid") + self.w[f"{name}.bias"]

    def attention(self, x, real, n):
        """Each state takes over something of the real states of its clip, most of those that match its question."""
        q, k, v = (self.heads(self.dense(x, f"layers.{n}.self_attn.{part}_proj")) for part in "qkv")
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / HEAD**0.5
        scores = ops.where(real[:, None, None, :], scores, -1e9)
        mixed = ops.transpose(ops.matmul(ops.softmax(scores, axis=-1), v), (0, 2, 1, 3))
        mixed = ops.reshape(mixed, (-1, ops.shape(x)[1], self.width))
        return self.dense(mixed, f"layers.{n}.self_attn.out_proj")

    def heads(self, x):
        """[shape=(clips, states, width)] to [shape=(clips, heads, states, 64)]."""
        x = ops.reshape(x, (-1, ops.shape(x)[1], self.width // HEAD, HEAD))
        return ops.transpose(x, (0, 2, 1, 3))

    def dense(self, x, name):
        """A weighted sum of the columns."""
        x = ops.matmul(x, self.w[f"{name}.weight"])
        return x + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else x

    def norm(self, x, name):
        """Each state to mean 0 and variance 1 over its columns, then scaled and moved."""
        mean, variance = ops.moments(x, axes=-1, keepdims=True)
        return (x - mean) * ops.rsqrt(variance + 1e-5) * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def compute_mask(self, x, previous_mask=None):
        """Which states are real: one for two frames."""
        return ops.any(ops.not_equal(x, 0), axis=-1)[:, ::2]

    def compute_output_shape(self, input_shape):
        """(clips, half as many states as frames, columns of all layers)."""
        frames = input_shape[1]
        return (input_shape[0], None if frames is None else (frames + 1) // 2, len(self.layers) * self.width)

    def set(self, values):
        """Give every variable its values, by name."""
        for name, variable in self.w.items():
            variable.assign(values[name])

    def values(self):
        """The weights by name [dict of str -> np.ndarray]."""
        return {name: ops.convert_to_numpy(variable) for name, variable in self.w.items()}

    def save_own_variables(self, store):
        """The weights by name, or the steps away from the source (`weights.pack`)."""
        values = self.values()
        if self.source:
            values = weights.pack(values, weights.find(self.source, self.layers)[0])
        for name, array in values.items():
            store[name] = array

    def load_own_variables(self, store):
        """The weights as numbers again."""
        names = store.keys()  # a store is no dict
        values = {name: np.asarray(store[name]) for name in names}
        if self.source:
            values = weights.unpack(values, weights.find(self.source, self.layers)[0])
        self.set(values)


def load(name, layers, /, **options):
    """The encoder, built, with the weights of a name of `weights.ENCODERS` or of a file; other options as
    `WhisperEncoder`.
    """
    values, width, blocks = weights.find(name, layers)
    encoder = WhisperEncoder(layers, width=width, blocks=blocks, **options)
    encoder.build((None, None, MELS))
    encoder.built = True
    encoder.set(values)
    return encoder


@functools.lru_cache(maxsize=4)
def _frozen(name, layers, content):
    """The encoder as a graph of TensorFlow's; of a file with other content another one."""
    encoder = load(name, layers)
    if keras.backend.backend() != "tensorflow":
        return encoder
    import tensorflow as tf

    return tf.function(encoder, input_signature=[tf.TensorSpec((1, None, MELS), tf.float32)])


def states(y, name, layers, *, peak=None):
    """The states of the frozen encoder for one clip [shape=(n // 320, layers * width)], float32.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform at 16 kHz, full scale 1.0; at most 30 s of it are heard.
    name, layers, peak
        As for `load` and `log_mel`.
    """
    with _LOCK:
        encoder = _frozen(name, tuple(layers), weights.content(name))
    frames = log_mel(y, peak=peak)[: 2 * POSITIONS]
    return ops.convert_to_numpy(encoder(ops.convert_to_tensor(frames[np.newaxis])))[0]
