"""To listen: players that are small enough for a page, and the clip that somebody asks for.

Taught in notebooks/02_eda.
"""

import io
from html import escape

import numpy as np
import soundfile
from IPython.display import HTML, Audio

from serlib import audio
from serlib.utils import SerlibError

#: Rate of the players, in Hz: MP3 knows few, and 11 kHz of bandwidth is what a class room's loudspeaker gives.
PLAYER_HZ = 22050
#: MP3 of this quality (0 best, 1 smallest) is a tenth of the size of a WAV file.
MP3_LEVEL = 0.4


def encoded(y, rate_hz, *, gain=1.0):
    """A sound as the bytes of a small file that a browser plays, and its MIME type. Features are never made from it.

    MP3, or a WAV file ten times as large where libsndfile cannot write MP3. The arguments are those of `player`.
    """
    y = np.clip(gain * np.asarray(y, dtype=np.float32), -1, 1)
    data = io.BytesIO()
    if "MP3" not in soundfile.available_formats():
        soundfile.write(data, y, rate_hz, format="WAV", subtype="PCM_16")
        return data.getvalue(), "audio/wav"
    y = np.clip(audio.resample(y, from_hz=rate_hz, to_hz=PLAYER_HZ), -1, 1)
    soundfile.write(data, y, PLAYER_HZ, format="MP3", compression_level=MP3_LEVEL)
    return data.getvalue(), "audio/mpeg"


def player(y, rate_hz, *, gain=1.0, name="clip"):
    """A player for a notebook, with the sound inside the page.

    Unlike `IPython.display.Audio` on its own it does not make every clip equally loud: how loud an emotion is spoken
    is half of what there is to hear. The sound is compressed for listening.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, full scale 1.0.
    rate_hz : int
    gain : float
        Factor, the same for all clips that are to be compared (`common_gain`). What would go beyond full scale is cut
        off.
    name : str
        What a screen reader calls it.

    Returns
    -------
    IPython.display.Audio
    """

    class Player(Audio):
        def _repr_html_(self):
            return super()._repr_html_().replace("<audio ", f'<audio aria-label="{escape(name)}" ', 1)

    data, mime = encoded(y, rate_hz, gain=gain)
    sound = Player(data=data)
    sound.mimetype = mime  # Audio takes all bytes for a WAV file
    return sound


def common_gain(clips):
    """The factor that brings the loudest of some waveforms to full scale, for all alike; 1 where all are silent."""
    peak = max((float(abs(np.asarray(y)).max(initial=0)) for y in clips), default=0.0)
    return 0.99 / peak if peak else 1.0


def players(clips):
    """A list of named players, as loud against each other as the clips are.

    Parameters
    ----------
    clips : dict of str -> (np.ndarray [shape=(n,)], int)
        Name -> waveform and rate in Hz, for example one word in each emotion.

    Returns
    -------
    IPython.display.HTML
    """
    gain = common_gain(y for y, _ in clips.values())
    rows = [
        f'<tr><th scope="row" style="text-align: right">{escape(str(name))}</th>'
        f'<td style="text-align: left">{player(y, rate_hz, gain=gain, name=str(name))._repr_html_()}</td></tr>'
        for name, (y, rate_hz) in clips.items()
    ]
    return HTML(f"<table>{''.join(rows)}</table>")


def find_clip(index, *, speaker, label, text):
    """The first row of an index in which a speaker says a text in an emotion.

    Raises
    ------
    SerlibError
        There is none; the message says what there is instead.
    """
    of_text = index[(index.speaker == speaker) & (index.text == text)]
    matches = of_text[of_text.label == label]
    if len(matches):
        return matches.iloc[0]
    instead = ", ".join(of_text.label.unique())
    raise SerlibError(
        f"There is no clip in which {speaker} says '{text}' as {label}; "
        + (f"there is {instead}" if instead else f"choose one of {', '.join(sorted(index.speaker.unique()))}")
    )
