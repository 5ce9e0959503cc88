"""SAVEE: four men say 15 sentences in each of six emotions, and 30 in a neutral voice."""

import re

from serlib.corpora.corpus import Clip

EMOTIONS = {"a": "angry", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "sa": "sad", "su": "ps"}
SPEAKERS = ("DC", "JE", "JK", "KL")

# DC_a01.wav (Kaggle, one folder) or DC/a01.wav (the original, where all four folders have an a01.wav).
_FILE = re.compile(r"(?:(DC|JE|JK|KL)_)?(sa|su|a|d|f|h|n)(\d\d)", re.ASCII | re.IGNORECASE)


def parse(path):
    """The Clip of a file name such as `DC_sa01.wav`, or `sa01.wav` in the folder `DC`; None for another one.

    Its text is emotion and number: the corpus numbers its sentences within each emotion.

    Examples
    --------
    >>> from pathlib import Path
    >>> parse(Path("ALL/DC_su03.wav")).label, parse(Path("JK/sa03.wav")).speaker
    ('ps', 'JK')

    Taught in notebooks/01_download.
    """
    match = _FILE.fullmatch(path.stem)
    if not match:
        return None
    speaker = (match[1] or path.parent.name).upper()
    letters = match[2].lower()
    number = int(match[3])
    if speaker not in SPEAKERS or not 1 <= number <= _sentences(letters):
        return None
    odd = ""
    folder = path.parent.name.upper()
    if folder in SPEAKERS and folder != speaker:
        odd = f"lies in the folder {path.parent.name}, read as {speaker} by its own name"
    text = f"{letters}{number:02d}"
    return Clip(EMOTIONS[letters], speaker, text, f"{speaker}_{text}", repaired=odd)


def _sentences(letters):
    return 30 if letters == "n" else 15


def names():
    """The names of all 480 clips."""
    texts = [f"{letters}{n:02d}" for letters in EMOTIONS for n in range(1, _sentences(letters) + 1)]
    return [f"{speaker}_{text}" for speaker in SPEAKERS for text in texts]
