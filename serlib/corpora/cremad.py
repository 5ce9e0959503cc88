"""CREMA-D: 91 actors say twelve sentences in six emotions."""

import re

from serlib.corpora.corpus import Clip, Corpus

EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
SPEAKERS = tuple(str(actor) for actor in range(1001, 1092))

# Intensity low, medium, high or unspecified; 1040_ITH_SAD_X lacks an X in every copy of the corpus.
_FILE = re.compile(
    rf"(1\d\d\d)_({'|'.join(SENTENCES)})_({'|'.join(EMOTIONS)})_(LO|MD|HI|XX|X)", re.ASCII | re.IGNORECASE
)


def parse(path):
    """Read a file name such as `1001_DFA_ANG_XX.wav`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Clip or None
        The text is the code of the sentence (`SENTENCES`).

    Examples
    --------
    >>> from pathlib import Path
    >>> clip = parse(Path("AudioWAV/1001_DFA_ANG_XX.wav"))
    >>> clip.label, clip.speaker, clip.text
    ('angry', '1001', 'DFA')

    Taught in notebooks/01_download.
    """
    match = _FILE.fullmatch(path.stem)
    if not match or match[1] not in SPEAKERS:
        return None
    speaker, text, emotion, intensity = (part.upper() for part in match.groups())
    odd = "its intensity is written X, read as XX" if intensity == "X" else ""
    name = f"{speaker}_{text}_{emotion}_{intensity.ljust(2, 'X')}"
    return Clip(EMOTIONS[emotion], speaker, text, name, repaired=odd)


CORPUS = Corpus(
    name="cremad",
    title="Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D)",
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="Open Database License (ODbL) 1.0",
    citation="H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma (2014). CREMA-D: Crowd-sourced "
    "emotional multimodal actors dataset. IEEE Trans. Affective Computing 5(4), 377-390. "
    "https://doi.org/10.1109/TAFFC.2014.2336244",
    example="1001_DFA_ANG_XX.wav",
    parse=parse,
    kaggle="ejlok1/cremad",
    speakers=SPEAKERS,
    texts=len(SENTENCES),
    labels={label: 1087 if label == "neutral" else 1271 for label in EMOTIONS.values()},
)
