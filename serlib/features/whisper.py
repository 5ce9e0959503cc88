"""What Whisper hears: its log-mel, and its sense of time. The network that listens is `serlib.features.encoder`.

Numpy alone, so that an answer need not wait for Keras.
"""

import functools

import numpy as np

from serlib.features import spectral

#: Whisper's front end: samples a second, samples a frame, samples between frames, mel bands.
RATE_HZ = 16000
FRAME = 400
HOP = 160
MELS = 80
#: It was trained on 30 s, so it knows this many places in time.
POSITIONS = 1500


@functools.lru_cache(maxsize=1)
def mel_bands():
    """Whisper's mel filters [shape=(80, bins)], float32."""
    return spectral.mel_filters(RATE_HZ, FRAME, MELS, 0.0, None).toarray()


def log_mel(y, *, peak=None):
    """What Whisper hears of a clip [shape=(n,)] at 16 kHz, without its padding to 30 s [shape=(n // 160, 80)], float32.

    Powers of ten of the power in each mel band, at most 8 below the loudest, brought to about -1 to 1. With a `peak`
    the clip is made louder or softer until its loudest value is this one; Whisper leaves the level as it is.

    Taught in notebooks/08_transfer.
    """
    padded = np.pad(np.asarray(y, np.float32), FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    frames = frames[: max(len(frames) - 1, 1)]
    spectrum = np.fft.rfft(frames * spectral.hann(FRAME), axis=-1).astype(np.complex64)
    power = np.abs(spectrum.T) ** 2
    levels = np.log10(np.maximum(mel_bands() @ power, 1e-10))
    levels = np.maximum(levels, levels.max() - 8.0)
    frames = ((levels + 4.0) / 4.0).T.astype(np.float32)
    return frames if peak is None else frames + np.float32(peak - frames.max())


def positions(n, width):
    """Sines and cosines that tell n places in time apart, from fast to slow ones [shape=(n, width)], float32."""
    rates = np.exp(-np.log(10000.0) / (width // 2 - 1) * np.arange(width // 2))
    angles = np.arange(n)[:, np.newaxis] * rates
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1, dtype=np.float32)
