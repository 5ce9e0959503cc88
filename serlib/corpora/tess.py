"""TESS: two women, 200 words in the carrier phrase "Say the word back", seven emotions."""

import re
from pathlib import Path

from serlib.corpora.corpus import Clip
from serlib.corpora.words import normal_label

#: The target words (Northwestern University Auditory Test No. 6), one of them in each clip.
WORDS = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="ascii").split())

SPEAKERS = ("OAF", "YAF")
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")

# Copies of the corpus spell some emotions in their own way.
_SPELLINGS = ("anger", "disgusted", "fearful", "happiness", "pleasant_surprise", "pleasant_surprised", "surprise")
_SAID = "|".join(sorted((*EMOTIONS, *_SPELLINGS, "surprised", "sadness"), key=len, reverse=True))
# OA_bite_neutral lacks the F of its speaker in every copy of the corpus.
_FILE = re.compile(rf"(OA|YA)(F?)_([a-z]+)_({_SAID})", re.ASCII | re.IGNORECASE)
# OAF_Fear, YAF_pleasant_surprised: the Kaggle archive spells its folders in its own way.
_FOLDER = re.compile(rf"(OAF|YAF)_({_SAID})", re.ASCII | re.IGNORECASE)


def parse(path):
    """The Clip of a file name such as `OAF_back_angry.wav`; None for another one.

    Where the folder says something else, that is reported as repaired.

    Examples
    --------
    >>> from pathlib import Path
    >>> parse(Path("OAF_neutral/OA_bite_neutral.wav")).speaker
    'OAF'

    Taught in notebooks/01_download.
    """
    match = _FILE.fullmatch(path.stem)
    if not match or normal_label(match[4]) not in EMOTIONS:
        return None
    speaker = f"{match[1]}F".upper()
    text = match[3].lower()
    label = normal_label(match[4])
    odd = [] if match[2] else [f"its speaker is written {match[1]}, read as {speaker}"]
    folder = _FOLDER.fullmatch(path.parent.name)
    if folder and (folder[1].upper(), normal_label(folder[2])) != (speaker, label):
        odd.append(f"lies in the folder {path.parent.name}, read as {speaker} {label} by its own name")
    return Clip(label, speaker, text, f"{speaker}_{text}_{label}", f"{speaker}_{label}", "; ".join(odd))


def names():
    """The names of all 2800 clips."""
    return [f"{speaker}_{word}_{label}" for speaker in SPEAKERS for label in EMOTIONS for word in WORDS]
