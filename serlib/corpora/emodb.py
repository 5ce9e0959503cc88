"""EmoDB: ten actors say ten German sentences in seven emotions."""

import re

from serlib.corpora.corpus import Clip, Corpus

#: The letter stands for the German word: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
EMOTIONS = {
    "W": "angry",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
TEXTS = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")

# speaker, sentence, emotion, take (a, b, c ...)
_FILE = re.compile(rf"({'|'.join(SPEAKERS)})({'|'.join(TEXTS)})([WLEAFTN])([a-z]?)", re.ASCII | re.IGNORECASE)


def parse(path):
    """Read a file name such as `03a01Fa.wav`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Clip or None

    Examples
    --------
    >>> from pathlib import Path
    >>> clip = parse(Path("wav/03a01Fa.wav"))
    >>> clip.label, clip.speaker, clip.text
    ('happy', '03', 'a01')

    Taught in notebooks/01_download.
    """
    match = _FILE.fullmatch(path.stem)
    if not match:
        return None
    speaker = match[1]
    text = match[2].lower()
    letter = match[3].upper()
    take = match[4].lower()
    return Clip(EMOTIONS[letter], speaker, text, f"{speaker}{text}{letter}{take}")


CORPUS = Corpus(
    name="emodb",
    title="Berlin Database of Emotional Speech (EmoDB)",
    homepage="http://emodb.bilderbar.info/",
    licence="free for research, no licence named",
    citation="F. Burkhardt, A. Paeschke, M. Rolfes, W. F. Sendlmeier, B. Weiss (2005). A database of German emotional "
    "speech. Interspeech, 1517-1520. https://doi.org/10.21437/Interspeech.2005-446",
    example="03a01Fa.wav",
    parse=parse,
    kaggle="piyushagni5/berlin-database-of-emotional-speech-emodb",
    speakers=SPEAKERS,
    texts=len(TEXTS),
    # Takes that listeners did not recognise or found unnatural were left out, so no emotion is complete.
    labels={"angry": 127, "boredom": 81, "disgust": 46, "fear": 69, "happy": 71, "neutral": 79, "sad": 62},
)
