"""RAVDESS: 24 actors say two sentences in eight emotions (its videos are left aside, its songs unless asked for)."""

import itertools
import re

from serlib.corpora.corpus import Clip

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgust",
    "08": "ps",
}
#: "Kids are talking by the door", "Dogs are sitting by the door".
STATEMENTS = {"01": "kids", "02": "dogs"}
SPEAKERS = tuple(f"{actor:02d}" for actor in range(1, 25))

# modality-channel-emotion-intensity-statement-repetition-actor
_FILE = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)", re.ASCII)
_AUDIO = "03"
_SPEECH = "01"
_SONG = "02"
_NEUTRAL = "01"
_STRONG = "02"


def _fields(path):
    match = _FILE.fullmatch(path.stem)
    return match.groups() if match and match[7] in SPEAKERS else None


def parse(path):
    """The Clip of a file name such as `03-01-06-01-02-01-12.wav`; None also for songs and videos.

    Examples
    --------
    >>> from pathlib import Path
    >>> clip = parse(Path("03-01-06-01-02-01-12.wav"))
    >>> clip.label, clip.speaker, clip.text
    ('fear', '12', 'dogs')

    Taught in notebooks/01_download.
    """
    fields = _fields(path)
    return None if not fields or refuse(path) else _clip(path, fields)


def _clip(path, fields):
    _, channel, emotion, _, statement, _, actor = fields
    extra = {"channel": "song"} if channel == _SONG else {}
    return Clip(EMOTIONS[emotion], actor, STATEMENTS[statement], path.stem, f"Actor_{actor}", extra=extra)


def refuse(path):
    """Why a file of RAVDESS is no clip of speech; None for speech and for files of other corpora."""
    if not (fields := _fields(path)):
        return None
    modality, channel, emotion, intensity, *_ = fields
    if modality != _AUDIO:
        return "is video; expected audio only (03-...)"
    if channel != _SPEECH:
        return "is song; expected speech (03-01-...), or say --songs"
    if emotion == _NEUTRAL and intensity == _STRONG:
        return "is named neutral with strong intensity, which RAVDESS does not have; check its name"
    return None


def song(path):
    """Read the file name of a song, such as `03-02-06-01-02-01-12.wav`; None where it is none."""
    fields = _fields(path)
    return _clip(path, fields) if fields and fields[:2] == (_AUDIO, _SONG) else None


def names():
    """The names of all 1440 clips: neutral has no strong intensity."""
    parts = itertools.product(EMOTIONS, ("01", "02"), STATEMENTS, ("01", "02"), SPEAKERS)
    return ["-".join(("03", "01", *part)) for part in parts if part[:2] != (_NEUTRAL, _STRONG)]
