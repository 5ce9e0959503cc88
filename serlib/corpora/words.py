"""Emotion words: what people write for the labels of `serlib.utils.LABELS`, in the languages that corpora come in.

The words are in `words.toml`; to add a language, add its words there.
"""

import functools
import re
import tomllib
import unicodedata
from pathlib import Path

#: Label -> other words for it, with spaces between.
WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


@functools.lru_cache(4096)
def spelling(word):
    """The letters of a word without what spellings differ in: case, accents, hyphens and underscores for spaces."""
    letters = unicodedata.normalize("NFKD", word.casefold().replace("ı", "i").replace("ł", "l"))
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[\s_-]+", " ", letters).strip()


#: Spelling -> label.
SYNONYMS = {spelling(word): label for label, words in WORDS.items() for word in (label, *words.split())}


@functools.lru_cache(4096)
def normal_label(word):
    """A label as a person writes it, in the one vocabulary; a word of one's own stays, in lower case.

    Examples
    --------
    >>> normal_label(" Pleasant_Surprise"), normal_label("Wütend"), normal_label("02 - happy"), normal_label("Excited")
    ('ps', 'angry', 'happy', 'excited')
    """
    text = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", word)).strip().lower()
    return SYNONYMS.get(spelling(text)) or SYNONYMS.get(_without_number(text), text)


def is_emotion(word):
    """Whether a word names one of `LABELS` in some language."""
    return spelling(word) in SYNONYMS or _without_number(word) in SYNONYMS


def _without_number(word):
    """The spelling of a word without a number before or behind it, and without signs, as folders often have them."""
    match = re.fullmatch(r"(?:\d{1,2}[ .)]+)?(\D+?)(?: ?\d{1,2}| ?\(\d+\))?", spelling(word))
    return re.sub(r"^\W+|\W+$", "", match[1]) if match else ""
