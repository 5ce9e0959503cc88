"""Augmentations of the sound: noise, shift, pitch, tempo, gain.

From a range (low, high) each clip's value is drawn evenly. Nothing is cut off at full scale: features do not need it,
and players turn down what is too loud. Not from audiomentations, which draws from the global random state and cannot be
installed beside soxr 1.
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
    """Changes a sound: `augmentation(y, rate_hz, rng)` gives float32.

    `y` is a mono waveform [shape=(n,)], full scale 1.0, `rate_hz` an int, `rng` a numpy Generator; `y` stays as it is.
    """


@dataclasses.dataclass(frozen=True)
class Noise(WaveformAugmentation):
    """Add pink noise (equal power in every octave, as in rooms and traffic, roughly), `snr_db` below the speech.

    The pauses do not count as speech (as in ITU-T P.56; here `audio.voice_activity`): a long silence around a word does
    not make the noise weaker. A silent clip stays silent.
    """

    snr_db: tuple = (10, 30)
    LIMITS = {"snr_db": (-60, 100)}

    def __call__(self, y, rate_hz, rng):
        y = np.asarray(y, dtype=np.float32)
        power = speech_power(y, rate_hz) / 10 ** (rng.uniform(*self.snr_db) / 10)
        noise = _pink(len(y), rate_hz, rng)
        return y + (np.sqrt(power / np.mean(noise**2)) * noise).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Shift(WaveformAugmentation):
    """Move a clip by at most a `share` of its length in either direction; the end that leaves it is lost.

    Zeros enter at the other end (features with `trim_db` cut them off).
    """

    share: float = 0.1
    LIMITS = {"share": (0, 0.5)}

    def __call__(self, y, rate_hz, rng):
        longest = int(self.share * len(y))
        first = longest - int(rng.integers(-longest, longest + 1))
        return np.pad(np.asarray(y, dtype=np.float32), longest)[first : first + len(y)]


@dataclasses.dataclass(frozen=True)
class PitchShift(WaveformAugmentation):
    """Raise or lower the voice by `semitones` at the same tempo: `librosa.effects.pitch_shift`.

    The resonances of the mouth move with the pitch: upwards it sounds like a smaller speaker.
    """

    semitones: tuple = (-2, 2)
    LIMITS = {"semitones": (-24, 24)}

    def __call__(self, y, rate_hz, rng):
        steps = rng.uniform(*self.semitones)
        return _vocoder("pitch_shift", y, rate_hz, sr=rate_hz, n_steps=steps)[: len(y)]


@dataclasses.dataclass(frozen=True)
class Stretch(WaveformAugmentation):
    """Speak slower or faster at the same pitch: `librosa.effects.time_stretch`, a phase vocoder.

    The new length over the old is `factor`: 1.1 is a tenth slower.
    """

    factor: tuple = (0.9, 1.1)
    LIMITS = {"factor": (0.25, 4)}

    def __call__(self, y, rate_hz, rng):
        factor = rng.uniform(*self.factor)
        return _vocoder("time_stretch", y, rate_hz, rate=1 / factor)[: max(1, round(factor * len(y)))]


@dataclasses.dataclass(frozen=True)
class Gain(WaveformAugmentation):
    """Make a clip louder or quieter by so many `db`."""

    db: tuple = (-6, 6)
    LIMITS = {"db": (-60, 60)}

    def __call__(self, y, rate_hz, rng):
        return np.asarray(y, dtype=np.float32) * np.float32(10 ** (rng.uniform(*self.db) / 20))


def speech_power(y, rate_hz):
    """Mean square of the speech in a clip [shape=(n,)], its pauses left out; 0 for silence."""
    speech = audio.voice_activity(y, rate_hz=rate_hz, frame_s=0.025, hop_s=0.01)  # short frames: tight edges
    pieces = [y[first:end] for first, end in speech]
    return float(np.mean(np.square(np.concatenate(pieces or [y]), dtype=np.float64)))


def examples(y, rate_hz, *, seed):
    """One clip [shape=(n,)] as every waveform augmentation leaves it, strong enough to be heard.

    Returns
    -------
    dict of str -> (waveform [shape=(m,)], rate in Hz)
        By what was done, as `widgets.players` takes them; the clip itself comes first.
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
    clips = {"as recorded": (np.asarray(y, dtype=np.float32), rate_hz)}
    for name, change in changes.items():
        clips[name] = (change(y, rate_hz, np.random.default_rng(seed)), rate_hz)
    return clips


def _pink(n, rate_hz, rng):
    """Pink noise [shape=(n,)] of any power: white noise, shaped in the frequency domain (Timmer & König 1995)."""
    import scipy.fft

    size = scipy.fft.next_fast_len(n, real=True)
    white = scipy.fft.rfft(rng.standard_normal(size))
    hz = np.maximum(scipy.fft.rfftfreq(size, 1 / rate_hz), RUMBLE_HZ)
    return scipy.fft.irfft(white / np.sqrt(hz), size)[:n]


def _vocoder(effect, y, rate_hz, **options):
    """An effect of librosa on a clip that is made at least as long as a frame of the phase vocoder."""
    with spectral.LOADING:  # by one thread at a time
        import librosa

        change = getattr(librosa.effects, effect)
    frame = 2 ** round(np.log2(VOCODER_S * rate_hz))
    y = np.asarray(y, dtype=np.float32)
    return change(np.pad(y, (0, max(0, frame - len(y)))), n_fft=frame, **options)
