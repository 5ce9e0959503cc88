"""From a waveform to features as a layer: what `serlib.features` computes of a clip in numpy, as part of a model.

A file that is exported (`serlib.training.exporting`) then takes the waveform itself. The Fourier transform is a
convolution with sines and cosines, which every runtime has.
"""

import keras
import numpy as np
from keras import ops

from serlib.features import encoder, spectral, whisper
from serlib.features.spec import names, parts

#: What the layer computes of each frame. A pitch tracker, which compares candidates over the whole clip, it is not.
KINDS = ("mfcc", "delta", "delta2", "logmel", "whisper", "states")
#: What it computes over the frames of a clip.
SUMMARIES = {"mean": ops.mean, "std": ops.std, "min": ops.min, "max": ops.max}


def beyond(spec):
    """The kinds and summaries of a FeatureSpec that the layer does not compute [list of str]."""
    wanted = [name for part in parts(spec) for name in (*part.kinds, *part.summary)]
    unknown = [name for name in wanted if name not in (*KINDS, *SUMMARIES)]
    return [*unknown, "features side by side"] if spec.beside else unknown


class Frontend(keras.layers.Layer):
    """The features of one clip, as `serlib.features.spec.extract_clip` gives them; of `KINDS` and `SUMMARIES`."""

    def __init__(self, spec, **options):
        super().__init__(**options)
        self.spec = spec
        self.encoder = encoder.load(spec.encoder, spec.layers) if spec.encoder else None

    def call(self, y):
        """[shape=(1, n)] at the rate of the specification in, [shape=(1, frames, d)] or [shape=(1, d)] out."""
        y = part(y, self.spec)
        if self.spec.trim_db is not None:
            y = trim(y, rate_hz=self.spec.rate_hz, top_db=self.spec.trim_db)
        if self.encoder:
            rows = self.encoder(whisper_log_mel(y, peak=self.spec.peak)[:, : 2 * whisper.POSITIONS])
        elif self.spec.kinds == ("whisper",):
            rows = whisper_log_mel(y, peak=self.spec.peak)
        else:
            rows = mel_kinds(y, self.spec)
        if self.spec.summary:
            return summarised(rows, self.spec)
        if self.spec.frames:
            rows = ops.pad(rows, ((0, 0), (0, self.spec.frames), (0, 0)))[:, : self.spec.frames]
        return rows

    def compute_output_shape(self, input_shape):
        """(clips, frames, d), with a summary (clips, d)."""
        columns = len(names(self.spec))
        return (input_shape[0], columns) if self.spec.summary else (input_shape[0], self.spec.frames, columns)


def summarised(rows, spec):
    """The summary of a specification, from the frames of clips [shape=(1, frames, d)]; without one they stay."""
    if not spec.summary:
        return rows
    return ops.concatenate([SUMMARIES[name](rows, axis=1) for name in spec.summary], axis=-1)


def part(y, spec):
    """What lies between offset and end [shape=(1, n)]; a clip that ends before the offset is used from its start."""
    start = int(spec.offset_s * spec.rate_hz)
    if start:
        y = y[:, ops.where(start < ops.shape(y)[1], start, 0) :]
    return y if spec.duration_s is None else y[:, : int(spec.duration_s * spec.rate_hz)]


def trim(y, *, rate_hz, top_db):
    """`serlib.audio.trim` [shape=(1, n)]."""
    frame = round(2048 / 22050 * rate_hz)
    hop = round(512 / 22050 * rate_hz)
    half = frame // 2
    squares = ops.pad(ops.square(y), ((0, 0), (half, half)))
    mean = np.full((frame, 1, 1), 1 / frame, np.float32)
    power = ops.maximum(ops.conv(squares[..., None], mean, strides=hop, padding="valid")[0, :, 0], 1e-10)
    is_loud = ops.cast(power > ops.max(power) * 10 ** (-top_db / 10), "int32")
    first = ops.argmax(is_loud)
    end = ops.shape(is_loud)[0] - ops.argmax(ops.flip(is_loud))
    return y[:, first * hop : end * hop]


def power_spectrogram(y, *, frame, hop, pad_mode="constant"):
    """|librosa.stft(y)|**2 [shape=(1, frames, 1 + frame / 2)], a Hann window; from [shape=(1, n)]."""
    half = frame // 2
    angles = 2 * np.pi / frame * (np.outer(np.arange(frame), np.arange(half + 1)) % frame)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    waves = hann[:, np.newaxis] * np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    padded = ops.pad(y, ((0, 0), (half, half)), mode=pad_mode)
    parts = ops.conv(padded[..., None], waves[:, np.newaxis].astype(np.float32), strides=hop, padding="valid")
    return ops.square(parts[..., : half + 1]) + ops.square(parts[..., half + 1 :])


def mel_kinds(y, spec):
    """The kinds of a specification that are made from mel bands, side by side [shape=(1, frames, d)]."""
    filters = spectral.mel_filters(spec.rate_hz, spec.frame, spec.n_mels, spec.fmin_hz, spec.fmax_hz).toarray()
    power = ops.matmul(power_spectrogram(y, frame=spec.frame, hop=spec.hop), filters.T)
    level_db = 10 * ops.log10(ops.maximum(power, spectral.FLOOR))
    level_db = ops.maximum(level_db, ops.max(level_db) - spectral.RANGE_DB)
    mfcc = ops.matmul(level_db, spectral.mfcc(np.eye(spec.n_mels, dtype=np.float32), spec.n_mfcc))
    columns = {"logmel": level_db, "mfcc": mfcc}
    for order, kind in ((1, "delta"), (2, "delta2")):
        if kind in spec.kinds:
            columns[kind] = delta(mfcc, order)
    return ops.concatenate([columns[kind] for kind in spec.kinds], axis=-1)


def delta(rows, order):
    """`serlib.features.spectral.delta` [shape=(1, frames, d)]: a sliding fit, at both ends the fit of the end."""
    fit = spectral.savitzky_golay(order)
    half = spectral.DELTA_WIDTH // 2
    frames = ops.shape(rows)[1]
    first = ops.repeat(rows[:, :1], half, axis=1)
    last = ops.repeat(rows[:, -1:], half, axis=1)
    padded = ops.concatenate([first, rows, last], axis=1)
    middle = sum(fit[half, k] * padded[:, k : k + frames] for k in range(spectral.DELTA_WIDTH))
    # The ends of a clip of fewer frames than the fit are those of the sliding one, which reads nothing of this.
    room = ops.pad(rows, ((0, 0), (spectral.DELTA_WIDTH, spectral.DELTA_WIDTH), (0, 0)))
    head = ops.matmul(fit[:half], room[:, spectral.DELTA_WIDTH : 2 * spectral.DELTA_WIDTH])
    tail = ops.matmul(fit[half + 1 :], room[:, frames : frames + spectral.DELTA_WIDTH])
    whole = ops.concatenate([head, middle[:, half:-half], tail], axis=1)
    return ops.where(frames < spectral.DELTA_WIDTH, middle, whole[:, :frames])


def whisper_log_mel(y, *, peak=None):
    """`serlib.features.whisper.log_mel` [shape=(1, frames, 80)], from [shape=(1, n)], n > 200."""
    power = power_spectrogram(y, frame=whisper.FRAME, hop=whisper.HOP, pad_mode="reflect")
    power = power[:, : ops.maximum(ops.shape(power)[1] - 1, 1)]
    levels = ops.log10(ops.maximum(ops.matmul(power, whisper.mel_bands().T), 1e-10))
    frames = (ops.maximum(levels, ops.max(levels) - 8.0) + 4.0) / 4.0
    return frames if peak is None else frames + (peak - ops.max(frames))
