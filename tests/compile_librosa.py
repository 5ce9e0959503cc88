"""Let librosa compile what it compiles at its first use, in one process and before others start.

numba keeps the result beside librosa. Two processes that compile at the same time may leave files that do not belong
together, which from then on crash every process that reads them (github.com/numba/numba/issues/10128).
"""

import librosa
import numpy as np

for kind in (np.float32, np.float64):
    y = np.sin(np.arange(22050) / 20).astype(kind)
    librosa.yin(y, fmin=65, fmax=2000, sr=22050)
    librosa.pyin(y, fmin=65, fmax=2000, sr=22050)
    librosa.feature.zero_crossing_rate(y)
    librosa.onset.onset_detect(y=y, sr=22050)
    librosa.effects.time_stretch(y, rate=1.1)
    librosa.effects.pitch_shift(y, sr=22050, n_steps=1)
