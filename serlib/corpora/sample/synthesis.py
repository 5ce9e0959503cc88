"""The voice of the sample corpus: eSpeak NG speaks, a few lines of signal processing add voice quality and a room.

eSpeak NG is a formant synthesiser [1]_. It is driven here through its C library, which the package `espeakng-loader`
ships, in synchronous mode: the samples come back by callback, no audio device is opened.

References
----------
.. [1] D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. JASA 67(3).
       https://github.com/espeak-ng/espeak-ng
"""

import ctypes
import shutil
from pathlib import Path

import numpy as np

from serlib.utils import SerlibError

#: eSpeak NG speaks at this rate; the clips keep it.
RATE_HZ = 22050

# Of speak_lib.h: output mode, initialisation option, text flag and parameter numbers.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_UTF8 = 1
_RATE = 1
_PITCH = 3
_RANGE = 4
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

# `flutter` and `roughness` are off: both run on counters inside eSpeak that nothing resets, and the same clip would
# come out different after another one. Jitter and tremor are added by `tremble`.
_VOICE_FILE = Path(__file__).with_name("voice.txt").read_text(encoding="ascii")


def library():
    """eSpeak NG's shared library and its data folder; SerlibError where `espeakng-loader` has none here."""
    try:
        import espeakng_loader

        lib = ctypes.CDLL(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path())
    except (ImportError, OSError, RuntimeError) as error:
        raise SerlibError(
            f"eSpeak NG, which speaks the sample corpus, cannot be loaded ({error}); run "
            "`pip install --force-reinstall espeakng-loader` (Linux, macOS, Windows; x86-64, arm64), "
            "or use a recorded corpus: `python -m serlib download tess`"
        ) from error
    lib.espeak_Info.restype = ctypes.c_char_p
    lib.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
    return lib, data


def version():
    """eSpeak NG's version, such as "1.52.0"."""
    return library()[0].espeak_Info(None).decode().split()[0]


def english(folder):
    """Copy what eSpeak NG needs for English (0.8 MB) to a folder where voice files can be added.

    The folder's path must be short: eSpeak NG cuts paths of more than 160 characters.
    """
    _, data = library()
    (Path(folder) / "voices").mkdir(parents=True)
    for name in ("phontab", "phonindex", "phondata", "intonations", "en_dict"):
        shutil.copyfile(data / name, Path(folder) / name)


class Engine:
    """eSpeak NG with the data of `english(folder)`, where it writes a voice file of its own name.

    Its state is global: one engine a process, no threads.
    """

    def __init__(self, folder, *, name="sample"):
        self.lib, _ = library()
        self.voice = Path(folder) / "voices" / name
        self.name = name
        self.chunks = []
        # The callback must live as long as the engine: C keeps only its address.
        self.callback = _CALLBACK(self._receive)
        if self.lib.espeak_Initialize(_SYNCHRONOUS, 0, str(folder).encode(), _DONT_EXIT) != RATE_HZ:
            raise SerlibError(f"eSpeak NG did not start with the data in {folder}; set TMPDIR to a shorter path")
        self.lib.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples, count, events):
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def say(self, words, *, pitch_hz, formants, pitch_st, range_, rate_wpm, breath, ending):
        """Speak a sentence [shape=(n,)], full scale 1.0, from the first to the last sound.

        Parameters
        ----------
        words : sequence of str
        pitch_hz : (int, int)
            Lowest and highest pitch of the voice in a plain statement.
        formants : sequence of float
            Factors on the formant frequencies F1 to F5 and up, 1.0 being eSpeak's own man.
        pitch_st : sequence of float
            Shift of each word, in semitones.
        range_ : float
            Factor on the pitch movements inside the sentence.
        rate_wpm : float
            Words a minute, 80 to 450.
        breath : float
            Aspiration noise, in eSpeak's percent: 4 is a clear voice, 12 a breathy one.
        ending : str
            `.`, `!`, `?` or `,`: the final fall or rise.
        """
        text = _VOICE_FILE.format(low_hz=pitch_hz[0], high_hz=pitch_hz[1], breath=round(breath))
        lines = [f"formant {i} {100 * f:.0f} 100 100" for i, f in enumerate((formants[0], *formants))]
        self.voice.write_text(text + "\n".join(lines) + "\n", encoding="ascii")
        self.chunks.clear()
        self.lib.espeak_SetVoiceByName(self.name.encode())
        self.lib.espeak_SetParameter(_RATE, round(rate_wpm), 0)
        self.lib.espeak_SetParameter(_PITCH, 50, 0)
        self.lib.espeak_SetParameter(_RANGE, round(float(np.clip(50 * range_, 0, 99))), 0)
        # Aspiration comes from eSpeak's own generator. Its seed is the same for all clips: noise is noise.
        self.lib.espeak_ng_SetRandSeed(1)
        # Ctrl-A nnP sets the pitch from there on: 50 is the voice's own, 100 an octave above.
        pitches = np.clip(np.round(50 + np.asarray(pitch_st) * 50 / 12), 0, 99).astype(int)
        phrase = " ".join(f"\x01{p}P{w}" for p, w in zip(pitches, words, strict=True)) + ending
        data = phrase.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
        y = np.concatenate(self.chunks or [np.zeros(1, np.int16)]) / 32768
        sound = np.flatnonzero(np.abs(y) > 0.002)
        if not len(sound):
            raise SerlibError(f"eSpeak NG stayed silent for {' '.join(words)!r}; reinstall espeakng-loader")
        return y[sound[0] : sound[-1] + 1]


def smooth_noise(rng, n, *, step):
    """Gaussian noise that wanders slowly: a new value every `step` samples, straight lines between [shape=(n,)]."""
    knots = rng.standard_normal(n // step + 3)
    return np.interp(np.arange(n) / step + rng.random(), np.arange(len(knots)), knots)


def tremble(y, rng, *, tremor, jitter):
    """Let pitch and loudness waver by these shares of the pitch: tremor at 5 to 8 Hz, jitter from period to period.

    The time axis is stretched and squeezed by a few percent, which moves the formants by as little.
    """
    n = len(y)
    slow = smooth_noise(rng, n, step=RATE_HZ // 13)
    fast = smooth_noise(rng, n, step=RATE_HZ // 150)
    at = np.cumsum(1 + np.clip(tremor * slow + jitter * fast, -0.2, 0.2))
    at = (at - at[0]) * (n - 1) / (at[-1] - at[0])
    return np.interp(at, np.arange(n), y) * (1 + np.clip(4 * tremor * slow, -0.5, 0.5))


def colour(y, rng, *, timbre_db, reverberation_db, decay_s):
    """Shape the long-term spectrum, by which tense and lax voices differ, and put the voice into a room.

    Parameters
    ----------
    timbre_db : sequence of float [shape=(3,)]
        Gain below 350 Hz, at 2 to 3 kHz and above 6 kHz, straight lines over octaves between them and 0 dB at 700 Hz.
    reverberation_db, decay_s : float
        Level of the room's answer against the direct sound, and the time in which it falls by 60 dB.
    """
    tail = int(decay_s * RATE_HZ)
    room = rng.standard_normal(tail) * 10 ** (-3 * np.arange(tail) / tail)
    room *= 10 ** (reverberation_db / 20) / np.sqrt(np.sum(room**2))
    room[0] += 1
    n = len(y) + tail
    size = 1 << (n - 1).bit_length()
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE_HZ), 1))
    low, middle, high = timbre_db
    # What lies below 60 Hz is no voice; a microphone's preamplifier cuts it too.
    points_hz = (30, 60, 350, 700, 2000, 3000, 6000)
    points_db = (-40, low, low, 0, middle, middle, high)
    gain_db = np.interp(octaves, np.log2(points_hz), points_db)
    spectrum = np.fft.rfft(y, size) * np.fft.rfft(room, size) * 10 ** (gain_db / 20)
    return np.fft.irfft(spectrum, size)[:n]


def level(y, *, level_db):
    """Scale so that the spoken part has this RMS, in dB below full scale; never above 0.97 of full scale."""
    frames = y[: len(y) // 256 * 256].reshape(-1, 256)
    power = np.mean(frames**2, axis=1)
    y = y * (10 ** (level_db / 20) / np.sqrt(np.mean(power[power > 1e-3 * power.max()])))
    return y * min(1.0, 0.97 / np.abs(y).max())


def record(y, rng, *, before_s, after_s, floor_db):
    """Add what a recording has around the voice: pauses with the noise of the room (dB below full scale), soft ends."""
    ramp = np.minimum(1, np.arange(len(y)) / (0.003 * RATE_HZ))
    y = np.pad(y * ramp * ramp[::-1], (int(before_s * RATE_HZ), int(after_s * RATE_HZ)))
    noise = rng.standard_normal(len(y) + 1)
    noise = noise[1:] + 0.9 * noise[:-1]  # rooms hum more than they hiss
    return y + noise * 10 ** (floor_db / 20) / noise.std()
