"""serlib.corpora.words: emotion words of many languages."""

import pytest

from serlib.corpora.words import SYNONYMS, WORDS, is_emotion, normal_label, spelling
from serlib.utils import LABELS


def test_no_word_means_two_labels():
    meanings = {}
    for label, words in WORDS.items():
        for word in (label, *words.split()):
            assert meanings.setdefault(spelling(word), label) == label, word
    assert set(SYNONYMS.values()) == set(LABELS) == set(WORDS)


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("ang", "angry"),
        ("HAP", "happy"),
        ("Neu", "neutral"),
        ("sur", "ps"),
        ("Überraschung", "ps"),
        ("colere", "angry"),
        ("Kızgın", "angry"),
        ("KIZGIN", "angry"),
        ("złość", "angry"),
        ("生气", "angry"),
        ("悲しみ", "sad"),
        ("sedih", "sad"),
        ("en-colère", "angry"),
        ("excited", "excited"),
        ("Stress", "stress"),
    ],
)
def test_words_of_many_languages(word, label):
    assert normal_label(word) == label
    assert is_emotion(word) == (label in LABELS)
