"""Augmentations of the sound: noise, shift, pitch, tempo, gain.

Each is called with a clip, its rate and a numpy Generator, and gives float32. Nothing is cut off at full scale:
features do not need it, and players turn down what is too loud.
"""

import dataclasses

import numpy as np

from serlib import audio
from serlib.augment.common import Augmentation
from serlib.features import spectral

#: Frame of the phase vocoder, in seconds, to the nearest power of two samples: some five periods of a man's voice,
#: short enough to keep consonants crisp.
VOCODER_S = 0.046
#: Noise has the same power at every frequency below this: no voice is there, and a rumble would take all the power.
RUMBLE_HZ = 50.0


class WaveformAugmentation(Augmentation):
    """Changes a sound: `augmentation(y, rate_hz, rng)`."""


@dataclasses.dataclass(frozen=True)
class Noise(WaveformAugmentation):
    """Add pink noise: equal power in every octave, as rooms and traffic have it, roughly.

    Parameters
    ----------
    snr_db : tuple of float (low, high)
        Signal to noise ratio, drawn evenly for each clip. The signal is the level of the speech without its pauses
        (as in ITU-T P.56; here what is less than 30 dB below the loudest frame, `audio.voice_activity`), so that a
        long silence around a word does not make the noise weaker. A silent clip stays silent.

    Notes
    -----
    White noise, shaped in the frequency domain (Timmer & König 1995, Astronomy and Astrophysics 300, 707).

    Taught in notebooks/07_generalize.
    """

    snr_db: tuple = (10, 30)

    def __post_init__(self):
        self._check_range("snr_db", -60, 100)

    def __call__(self, y, rate_hz, rng):
        """The clip with noise [shape=(n,)], float32."""
        y = np.asarray(y, dtype=np.float32)
        snr_db = rng.uniform(*self.snr_db)
        noise = _pink(len(y), rate_hz, rng)
        gain = np.sqrt(speech_power(y, rate_hz) / np.mean(noise**2) / 10 ** (snr_db / 10))
        return y + (gain * noise).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Shift(WaveformAugmentation):
    """Move a clip in time. Zeros enter at one end; what leaves at the other is lost.

    Parameters
    ----------
    share : float
        Longest way in either direction, as a share of the clip.

    Notes
    -----
    Features with `trim_db` cut the zeros off again.

    Taught in notebooks/07_generalize.
    """

    share: float = 0.1

    def __post_init__(self):
        self._check_number("share", 0, 0.5)

    def __call__(self, y, rate_hz, rng):
        """The clip, moved [shape=(n,)], float32."""
        most = int(self.share * len(y))
        by = int(rng.integers(-most, most + 1))
        out = np.roll(np.asarray(y, dtype=np.float32), by)
        out[slice(by) if by >= 0 else slice(by, None)] = 0
        return out


@dataclasses.dataclass(frozen=True)
class PitchShift(WaveformAugmentation):
    """Raise or lower the voice at the same tempo: `librosa.effects.pitch_shift`.

    Parameters
    ----------
    semitones : tuple of float (low, high)
        Drawn evenly for each clip.

    Notes
    -----
    The clip is stretched by a phase vocoder and resampled to its length, so that the resonances of the mouth move
    with the pitch: upwards it sounds like a smaller speaker, not like the same one on a higher note.

    Taught in notebooks/07_generalize.
    """

    semitones: tuple = (-2, 2)

    def __post_init__(self):
        self._check_range("semitones", -24, 24)

    def __call__(self, y, rate_hz, rng):
        """The clip, higher or lower [shape=(n,)], float32."""
        y = np.asarray(y, dtype=np.float32)
        longer, frame = _vocoder(y, rate_hz)
        steps = rng.uniform(*self.semitones)
        return _effects().pitch_shift(longer, sr=rate_hz, n_steps=steps, n_fft=frame)[: len(y)]


@dataclasses.dataclass(frozen=True)
class Stretch(WaveformAugmentation):
    """Speak slower or faster at the same pitch: `librosa.effects.time_stretch`, a phase vocoder.

    Parameters
    ----------
    factor : tuple of float (low, high)
        Length of the result over that of the clip, drawn evenly for each clip: 1.1 is a tenth slower.

    Taught in notebooks/07_generalize.
    """

    factor: tuple = (0.9, 1.1)

    def __post_init__(self):
        self._check_range("factor", 0.25, 4)

    def __call__(self, y, rate_hz, rng):
        """The clip, longer or shorter [shape=(round(factor * n),)], at least one sample, float32."""
        y = np.asarray(y, dtype=np.float32)
        longer, frame = _vocoder(y, rate_hz)
        factor = rng.uniform(*self.factor)
        return _effects().time_stretch(longer, rate=1 / factor, n_fft=frame)[: max(1, round(factor * len(y)))]


@dataclasses.dataclass(frozen=True)
class Gain(WaveformAugmentation):
    """Make a clip louder or quieter.

    Parameters
    ----------
    db : tuple of float (low, high)
        Drawn evenly for each clip.

    Taught in notebooks/07_generalize.
    """

    db: tuple = (-6, 6)

    def __post_init__(self):
        self._check_range("db", -60, 60)

    def __call__(self, y, rate_hz, rng):
        """The clip, louder or quieter [shape=(n,)], float32."""
        return np.asarray(y, dtype=np.float32) * np.float32(10 ** (rng.uniform(*self.db) / 20))


def speech_power(y, rate_hz):
    """Mean square of the speech in a clip, its pauses left out; 0 for silence.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int

    Returns
    -------
    float
    """
    speech = audio.voice_activity(y, rate_hz=rate_hz, frame_s=0.025, hop_s=0.01)  # short frames: tight edges
    heard = [y[first:end] for first, end in speech]
    return float(np.mean(np.square(np.concatenate(heard or [y]), dtype=np.float64)))


def examples(y, rate_hz, *, seed):
    """One clip as every waveform augmentation leaves it, strong enough to be heard.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, full scale 1.0.
    rate_hz : int
    seed : int
        Of the noise and of the way that the clip is moved.

    Returns
    -------
    dict of str -> (np.ndarray [shape=(m,)], int)
        What was done -> waveform and rate in Hz, as `explore.players` takes them; the clip itself comes first.

    Taught in notebooks/07_generalize.
    """
    changes = {
        "noise, 10 dB below the speech": Noise((10, 10)),
        "shifted": Shift(0.3),
        "2 semitones higher": PitchShift((2, 2)),
        "2 semitones lower": PitchShift((-2, -2)),
        "a fifth longer": Stretch((1.2, 1.2)),
        "a fifth shorter": Stretch((0.8, 0.8)),
        "6 dB quieter": Gain((-6, -6)),
    }
    made = {name: change(y, rate_hz, np.random.default_rng(seed)) for name, change in changes.items()}
    return {name: (wave, rate_hz) for name, wave in ({"as recorded": np.asarray(y, dtype=np.float32)} | made).items()}


def _pink(n, rate_hz, rng):
    """Pink noise [shape=(n,)], of any power."""
    import scipy.fft

    size = scipy.fft.next_fast_len(n, real=True)
    white = scipy.fft.rfft(rng.standard_normal(size))
    hz = np.maximum(scipy.fft.rfftfreq(size, 1 / rate_hz), RUMBLE_HZ)
    return scipy.fft.irfft(white / np.sqrt(hz), size)[:n]


def _vocoder(y, rate_hz):
    """The clip, not shorter than a frame of the phase vocoder, and that frame in samples."""
    frame = 2 ** round(np.log2(VOCODER_S * rate_hz))
    return np.pad(y, (0, max(0, frame - len(y)))), frame


def _effects():
    """librosa.effects, loaded by one thread at a time."""
    with spectral.LOADING:
        import librosa

        return librosa.effects
