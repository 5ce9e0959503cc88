"""TESS: two women, 200 words in the carrier phrase "Say the word back", seven emotions."""

import re

from serlib.corpora.corpus import Clip
from serlib.corpora.words import normal_label

#: The target words (Northwestern University Auditory Test No. 6), one of them in each clip.
WORDS = tuple(
    """
    back bar base bath bean beg bite boat bone book bought burn cab calm came cause chain chair chalk chat check
    cheek chief choice cool dab date dead death deep dime dip ditch dodge dog doll door fail fall far fat fit five
    food gap gas gaze germ get gin goal good goose gun half hall hash hate have haze hire hit hole home hurl hush
    jail jar join judge jug juice keen keep keg kick kill king kite knock late laud lean learn lease lid life limb
    live loaf long lore lose lot love luck make match merge mess met mill mob mode mood moon mop mouse nag name near
    neat nice note numb pad page pain pass pearl peg perch phone pick pike pole pool puff rag raid rain raise rat
    reach read red ring ripe road room rose rot rough rush said sail search seize sell shack shall shawl sheep shirt
    should shout size soap soup sour south sub such sure take talk tape team tell thin third thought thumb time tip
    tire ton tool tough turn vine voice void vote wag walk wash week wheat when which whip white wife wire witch
    yearn yes young youth
    """.split()  # noqa: SIM905
)

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
    """Read speaker, word and emotion out of a file name such as `OAF_back_angry.wav`.

    The file name decides; where the folder says something else, that is reported as repaired.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Clip or None

    Examples
    --------
    >>> from pathlib import Path
    >>> parse(Path("OAF_neutral/OA_bite_neutral.wav")).speaker
    'OAF'
    >>> parse(Path("holiday.wav")) is None
    True

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
