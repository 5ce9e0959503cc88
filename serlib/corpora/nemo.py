"""nEMO: nine Polish actors say 90 sentences in six emotions."""

import csv
import re

from serlib.corpora.corpus import Clip, Corpus, tables

EMOTIONS = {
    "anger": "angry",
    "fear": "fear",
    "happiness": "happy",
    "neutral": "neutral",
    "sadness": "sad",
    "surprised": "ps",
}
SPEAKERS = ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0")

_FILE = re.compile(rf"({'|'.join(SPEAKERS)})_({'|'.join(EMOTIONS)})_([1-9]\d?)", re.ASCII | re.IGNORECASE)


def parse(path):
    """Read a file name such as `KS0_happiness_12.wav`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Clip or None
        The text is the number of the sentence; `details` knows its words.

    Examples
    --------
    >>> from pathlib import Path
    >>> clip = parse(Path("samples/KS0_surprised_12.wav"))
    >>> clip.label, clip.speaker, clip.text
    ('ps', 'KS0', '12')

    Taught in notebooks/01_download.
    """
    match = _FILE.fullmatch(path.stem)
    if not match or int(match[3]) > 90:
        return None
    speaker = match[1].upper()
    emotion = match[2].lower()
    number = match[3]
    return Clip(EMOTIONS[emotion], speaker, number, f"{speaker}_{emotion}_{number}", "samples")


def details(root):
    """What each clip says, from `data.tsv` beside the folder `samples`.

    Parameters
    ----------
    root : Path
        Folder of the corpus.

    Returns
    -------
    dict of str -> dict
        Name of a clip, without suffix -> {"text": sentence as it is written}; {} where there is no `data.tsv`.
    """
    texts = {}
    for table in tables(root, "data.tsv"):
        with open(table, encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                name = (row.get("file_id") or "").strip().removesuffix(".wav")
                text = (row.get("raw_text") or "").strip()
                if name and text:
                    texts[name] = {"text": text}
    return texts


CORPUS = Corpus(
    name="nemo",
    title="nEMO, emotional speech in Polish",
    homepage="https://github.com/amu-cai/nEMO",
    licence="CC BY-NC-SA 4.0",
    citation="I. Christop (2024). nEMO: Dataset of emotional speech in Polish. LREC-COLING 2024, 12111-12116. "
    "https://aclanthology.org/2024.lrec-main.1059",
    example="KS0_happiness_12.wav",
    parse=parse,
    details=details,
    speakers=SPEAKERS,
    texts=90,
    # Recordings that listeners did not recognise were left out.
    labels={"angry": 749, "fear": 736, "happy": 749, "neutral": 809, "sad": 769, "ps": 669},
)
