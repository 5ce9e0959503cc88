"""Functionals as a layer: what `serlib.features.functionals` computes of a clip in numpy, of many clips in a model.

A model that was trained on summaries then takes frames in, and stands beside models of sequences
(`serlib.models.committee.Committee`).
"""

import keras
from keras import ops

from serlib.features import functionals
from serlib.models.layers import real_frames, registered, zero


@registered
class Functionals(keras.layers.Layer):
    """The functionals of `serlib.features.functionals.summarise`, of many clips at once and as part of a model.

    `wanted` are names in `serlib.features.functionals.FUNCTIONALS`; `voiced` is the column that says which frames are
    voiced (above one half), or None.
    """

    def __init__(self, wanted, voiced, **options):
        super().__init__(**options)
        self.wanted = list(wanted)
        self.voiced = voiced

    def get_config(self):
        """What `__init__` takes."""
        return {**super().get_config(), "wanted": self.wanted, "voiced": self.voiced}

    def call(self, x):
        """[shape=(clips, frames, d)] in, [shape=(clips, len(wanted) * d)] out; zero frames at the end are padding."""
        real = real_frames(x)
        voiced = real if self.voiced is None else x[:, :, self.voiced] > 0.5
        columns = _Frames(x, real).functionals(voiced)
        return ops.concatenate([columns[name] for name in self.wanted], axis=-1)

    def compute_mask(self, x, previous_mask=None):
        """None: there are no frames any more."""

    def compute_output_shape(self, input_shape):
        """(clips, len(wanted) * d)."""
        return (input_shape[0], len(self.wanted) * input_shape[-1])


class _Frames:
    """Sequences of frames with their lengths, and what `serlib.features.functionals` computes of them, step by step."""

    def __init__(self, x, real):
        self.x = x
        self.real = real
        self.index = ops.arange(ops.shape(x)[1])[None, :]  # [1, frames]
        self.n = ops.sum(ops.cast(real, "int32"), axis=1)  # [clips]
        self.count = ops.cast(ops.maximum(self.n, 1), x.dtype)[:, None]  # [clips, 1]

    def functionals(self, voiced):
        x = self.x
        n = self.count
        mean = self.mean(x)
        around = zero(x - mean[:, None], self.real)
        std = ops.sqrt(self.mean(ops.square(around)))
        z_scores = around / (std + functionals.TINY)[:, None]
        lowest = ops.min(self.filled(x, 1e30), axis=1)
        highest = ops.max(self.filled(x, -1e30), axis=1)
        columns = {"mean": mean, "std": std, "min": lowest, "max": highest, "range": highest - lowest}
        levels = self.percentiles(x, (0.05, 0.25, 0.5, 0.75, 0.95))
        columns |= dict(zip(("p5", "p25", "median", "p75", "p95"), levels, strict=True))
        # trends
        t = ops.cast(self.index, x.dtype)
        time = zero(((t - (n - 1) / 2) / n)[..., None], self.real)
        bow = zero(ops.square(time) - self.mean(ops.square(time))[:, None], self.real)
        columns["slope"] = ops.sum(time * around, axis=1) / ops.maximum(
            ops.sum(ops.square(time), axis=1), functionals.TINY
        )
        columns["curvature"] = ops.sum(bow * around, axis=1) / n
        third = ops.maximum(self.n // 3, 1)[:, None]
        columns["start"] = self.mean(x, self.index < third) - mean
        columns["end"] = self.mean(x, (self.index >= self.n[:, None] - third) & self.real) - mean
        # changes
        delta = self.gradient(x)
        delta2 = self.gradient(delta)
        columns["delta_std"] = self.std(delta)
        columns["delta2_std"] = self.std(delta2)
        columns["delta_p10"], columns["delta_p90"] = self.percentiles(delta, (0.1, 0.9))
        columns["delta_abs"] = self.mean(ops.abs(delta))
        # shape
        columns["skew"] = self.mean(z_scores**3)
        columns["kurtosis"] = ops.minimum(self.mean(z_scores**4), functionals.KURTOSIS_LIMIT)
        sign = ops.sign(around)
        crossed = ops.cast(ops.not_equal(self.ahead(sign, 1), sign), x.dtype)
        inner = (self.index < self.n[:, None] - 1)[..., None]
        columns["crossings"] = ops.sum(ops.where(inner, crossed, 0.0), axis=1) / ops.maximum(n - 1, 1.0)
        # rhythm
        for lag in functionals.LAGS:
            pairs = ops.sum(self.ahead(z_scores, lag) * z_scores, axis=1)  # beyond the end z_scores is zero
            columns[f"repeat_{lag}"] = ops.where(n > lag, pairs / ops.maximum(n - lag, 1.0), 0.0)
        # voice
        inside, outside = (self.enough(which & self.real) for which in (voiced, ~voiced))
        columns["voiced_mean"] = self.mean(x, inside)
        columns["voiced_std"] = self.std(x, inside)
        columns["unvoiced_mean"] = self.mean(x, outside)
        columns["voiced_contrast"] = columns["voiced_mean"] - columns["unvoiced_mean"]
        return columns

    def filled(self, x, value):
        """Padding set to a value."""
        return ops.where(self.real[..., None], x, value)

    def mean(self, x, which=None):
        share = ops.cast(self.real if which is None else which, x.dtype)[..., None]
        return ops.sum(share * x, axis=1) / ops.maximum(ops.sum(share, axis=1), 1.0)

    def std(self, x, which=None):
        return ops.sqrt(self.mean(ops.square(x - self.mean(x, which)[:, None]), which))

    def ahead(self, x, lag):
        """Each frame becomes the one `lag` frames later; zeros at the end."""
        return ops.pad(x, ((0, 0), (0, lag), (0, 0)))[:, lag:]

    def gradient(self, x):
        """As np.gradient: half the step from the frame before to the one after, at the ends the whole step."""
        last = (self.index >= self.n[:, None] - 1)[..., None]
        first = (self.index == 0)[..., None]
        after = ops.where(last, x, self.ahead(x, 1))
        before = ops.where(first, x, ops.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1])
        steps = 2.0 - ops.cast(last, x.dtype) - ops.cast(first, x.dtype)
        return zero((after - before) / ops.maximum(steps, 1.0), self.real)

    def percentiles(self, x, shares):
        """As np.percentile: between the two nearest frames linearly."""
        ordered = ops.sort(self.filled(x, 1e30), axis=1)
        for share in shares:
            position = share * (self.count - 1)  # [clips, 1]
            below = ops.cast(ops.floor(position), "int32")
            above = ops.minimum(below + 1, ops.maximum(self.n[:, None] - 1, 0))
            part = (position - ops.floor(position))[..., None]
            low, high = (ops.take_along_axis(ordered, at[..., None], axis=1) for at in (below, above))
            yield ops.squeeze((1 - part) * low + part * high, axis=1)

    def enough(self, which):
        """These frames, or all where they are too few."""
        few = ops.sum(ops.cast(which, "int32"), axis=1) < functionals.FEW
        return ops.where(few[:, None], self.real, which)
