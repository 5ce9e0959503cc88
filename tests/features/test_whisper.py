"""serlib.features.whisper: Whisper's front end, against Hugging Face's own and librosa's spectrum."""

import librosa
import numpy as np
import pytest

from serlib.features import whisper
from tests.features import reference_whisper as reference


def test_the_log_mel_is_whispers():
    expected = np.load(reference.FILE)["log_mel"]
    ours = whisper.log_mel(reference.sound())
    assert ours.dtype == np.float32 and ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:n_fft=400 is too large:UserWarning")
@pytest.mark.parametrize("n", [1, 50, 399, 400, 16000, 33333])
def test_its_spectrum_is_librosas_to_the_last_bits(rng, n):
    y = (0.1 * rng.standard_normal(n)).astype(np.float32)
    spectrum = np.abs(librosa.stft(y, n_fft=400, hop_length=160, pad_mode="reflect"))
    levels = np.log10(np.maximum(librosa.filters.mel(sr=16000, n_fft=400, n_mels=80) @ spectrum**2, 1e-10))
    levels = levels[:, : max(n // 160, 1)]  # Whisper leaves the last frame out
    expected = (np.maximum(levels, levels.max() - 8) + 4) / 4
    np.testing.assert_allclose(whisper.log_mel(y), expected.T, rtol=0, atol=1e-6)
