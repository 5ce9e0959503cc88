"""Keras layers that know padding: a frame that is zero in every column is no frame of the clip.

They are registered, so that Keras finds them again in a saved model without running foreign code (`safe_mode`); this
module is imported before a model is loaded. What a layer hands on as Keras's mask says which frames are real; Keras's
own LSTM, Dropout and BatchNormalization respect it.
"""

import keras
import numpy as np
from keras import ops

from serlib.features import normalisation

registered = keras.saving.register_keras_serializable(package="serlib")


class MaskAware(keras.layers.Layer):
    """A layer that takes Keras's mask in, and hands none on unless it says so."""

    def __init__(self, **options):
        super().__init__(**options)
        self.supports_masking = True

    def compute_mask(self, x, previous_mask=None):
        """None."""


@registered
class ZScore(MaskAware):
    """Z-score of each column with the statistics of the training set; padding stays zero and is masked.

    The statistics are weights, saved with the model. `adapt` sets them.
    """

    def build(self, input_shape):
        """Room for the mean and the scale of each column."""
        self.mean = self.add_weight(name="mean", shape=(input_shape[-1],), initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=(input_shape[-1],), initializer="ones", trainable=False)

    def adapt(self, examples):
        """Take mean and standard deviation from the real frames of examples [shape=(clips, ..., d)], or of a tuple."""
        if not self.built:
            self.build(examples[0].shape)
            self.built = True
        mean, scale = normalisation.statistics(examples)
        self.mean.assign(mean)
        self.scale.assign(scale)

    def call(self, x):
        """[shape=(clips, ..., d)] in and out."""
        return zero((x - self.mean) / self.scale, self.compute_mask(x))

    def compute_mask(self, x, previous_mask=None):
        """Which frames are real; None for features without frames."""
        return real_frames(x)


@registered
class MaskedConv1D(keras.layers.Conv1D):
    """Conv1D over time that sees zeros where there is padding, as at the end of a clip, and hands the mask on.

    As many frames come out as go in.
    """

    def __init__(self, filters, kernel_size, *, padding="same", **options):
        super().__init__(filters, kernel_size, padding=padding, **options)
        self.supports_masking = True

    def call(self, x, mask=None):
        """[shape=(clips, frames, d)] in, [shape=(clips, frames, filters)] out."""
        return super().call(zero(x, mask))


@registered
class MaskedMaxPooling1D(MaskAware):
    """Max pooling over the real frames; a pooled frame is real where one of its frames is.

    Windows are counted from the first frame, so that it does not matter how long the padding is (Keras's
    `padding="same"` shifts them). `pool_size`: frames that become one.
    """

    def __init__(self, pool_size=2, **options):
        super().__init__(**options)
        self.pool_size = pool_size

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "pool_size": self.pool_size}

    def call(self, x, mask=None):
        """[shape=(clips, frames, d)] in, [shape=(clips, frames / pool_size, d)] out, rounded up."""
        lowest = float(np.finfo(np.float32).min)
        if mask is not None:
            x = ops.where(mask[..., None], x, ops.full_like(x, lowest))
        return zero(self._pooled(x, lowest), self.compute_mask(x, mask))

    def compute_mask(self, x, previous_mask=None):
        """Which pooled frames are real."""
        if previous_mask is None:
            return None
        return self._pooled(ops.cast(previous_mask, "float32")[..., None], 0.0)[..., 0] > 0

    def _pooled(self, x, lowest):
        x = ops.pad(x, ((0, 0), (0, self.pool_size - 1), (0, 0)), constant_values=lowest)
        return ops.max_pool(x, self.pool_size, self.pool_size, padding="valid")


@registered
class DropMask(MaskAware):
    """The frames with padding set to zero and without a mask, for layers that know none (Conv1D, Flatten)."""

    def call(self, x, mask=None):
        """[shape=(clips, frames, d)] in and out."""
        return zero(x, mask)


@registered
class StatisticsPooling(MaskAware):
    """Mean and standard deviation of each column over the real frames, as in x-vectors (Snyder et al. 2018, ICASSP)."""

    def call(self, x, mask=None):
        """[shape=(clips, frames, d)] in, [shape=(clips, 2 d)] out."""
        return ops.concatenate(_moments(x, mask), axis=-1)


@registered
class AttentionPooling(MaskAware):
    """Weighted mean over the real frames; the model learns which frames to listen to.

    The weights are a softmax over time of a learned projection, one a head (Mirsamadi, Barsoum & Zhang 2017, ICASSP;
    `heads` weighted means side by side as in Lin et al. 2017, ICLR).
    """

    def __init__(self, heads=1, **options):
        super().__init__(**options)
        self.heads = heads

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "heads": self.heads}

    def build(self, input_shape):
        """A projection a head."""
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.heads), initializer="glorot_uniform")

    def call(self, x, mask=None):
        """[shape=(clips, frames, d)] in, [shape=(clips, heads * d)] out."""
        weights = self.weights_of(x, mask)
        pooled = ops.matmul(ops.transpose(weights, (0, 2, 1)), x)
        return ops.reshape(pooled, (-1, self.heads * x.shape[-1]))

    def weights_of(self, x, mask=None):
        """How much each frame counts [shape=(clips, frames, heads)]; the real frames of a clip add up to 1."""
        scores = ops.matmul(x, self.kernel)
        if mask is not None:
            scores = ops.where(mask[..., None], scores, ops.full_like(scores, -1e9))
        return ops.softmax(scores, axis=1)


@registered
class Committee(keras.layers.Layer):
    """What several models make of a clip together: the softmax of the mean of their log-probabilities by `shares`.

    The logarithmic opinion pool of G. Hinton (2002), "Training products of experts by minimizing contrastive
    divergence", Neural Computation 14(8).
    """

    def __init__(self, shares, **options):
        super().__init__(**options)
        self.shares = [float(share) for share in shares]

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "shares": self.shares}

    def call(self, answers):
        """A list of [shape=(clips, labels)] in, [shape=(clips, labels)] out."""
        logs = [
            share * ops.log(ops.maximum(answer, keras.config.epsilon()))
            for share, answer in zip(self.shares, answers, strict=True)
        ]
        return ops.softmax(sum(logs), axis=-1)

    def compute_output_shape(self, input_shape):
        """That of one answer."""
        return input_shape[0]


def real_frames(x):
    """Which frames are not padding [shape=(clips, frames)]; None for features without frames."""
    return ops.any(ops.not_equal(x, 0), axis=-1) if len(x.shape) == 3 else None


def zero(x, mask):
    """Padding set to zero [shape=(clips, frames, d)]; nothing changes without a mask."""
    return x if mask is None else ops.where(mask[..., None], x, ops.zeros_like(x))


def _moments(x, mask):
    """Mean and standard deviation over the real frames [shape=(clips, d)]; a constant column has the deviation of
    `normalisation.SMALLEST`, so that it can be divided by, and has a slope."""
    if mask is None:
        mask = ops.ones(ops.shape(x)[:2], dtype="bool")
    share = ops.cast(mask, x.dtype)[..., None]
    count = ops.maximum(ops.sum(share, axis=1), 1.0)
    mean = ops.sum(zero(x, mask), axis=1) / count
    variance = ops.sum(share * ops.square(x - mean[:, None]), axis=1) / count
    return mean, ops.sqrt(ops.maximum(variance, normalisation.SMALLEST**2))
