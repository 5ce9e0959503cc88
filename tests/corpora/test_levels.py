"""serlib.corpora.levels: which folders name labels, speakers and parts, and what is asked for."""

import pytest

from serlib.corpora import levels
from serlib.utils import SerlibError


def plan(*paths, **options):
    """(label, speaker, part) of a tree."""
    found = levels.plan([tuple(path.split("/")) for path in paths], root="DIR", **options)
    return found.label, found.speaker, found.part


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["happy/1.wav", "sad/2.wav"], (1, 0, 0)),
        (["Wut/anna/1.wav", "Trauer/bob/2.wav"], (1, 2, 0)),
        (["anna/ang/1.wav", "bob/hap/2.wav"], (2, 1, 0)),
        (["0011/Angry/train/1.wav", "0012/Sad/evaluation/2.wav", "0012/Sad/test/3.wav"], (2, 1, 3)),
        (["train/anna/happy/1.wav", "test/bob/sad/2.wav"], (3, 2, 1)),
        (["train/stress/1.wav", "test/no stress/2.wav"], (2, 0, 1)),
        (["fold1/happy/1.wav", "fold2/sad/2.wav"], (2, 0, 0)),
        (["session1/rude/1.wav", "session2/calm/2.wav"], (2, 0, 0)),
        (["rude/1.wav", "polite/2.wav"], (1, 0, 0)),
        (["p1/rude/1.wav", "p2/polite/2.wav"], (2, 1, 0)),
        (["male/happy/1.wav", "female/sad/2.wav"], (2, 0, 0)),
        (["happy/kitchen/1.wav", "sad/office/2.wav"], (1, 0, 0)),
        (["happy/2024-01-05/1.wav", "sad/2024-01-06/2.wav"], (1, 0, 0)),
        (["Colère/Fort/1.wav", "Tristesse/Faible/2.wav"], (1, 0, 0)),
        (["english/0011/happy/1.wav", "mandarin/0001/sad/2.wav"], (3, 2, 0)),
        (["Actor_01/take1/happy/1.wav", "Actor_02/take2/sad/2.wav"], (3, 1, 0)),
        (["Actor_01/happy/a/1.wav", "Actor_02/sad/b/2.wav"], (2, 1, 0)),
        (["joy/rude/1.wav", "anna/calm/2.wav"], (2, 1, 0)),
        (["mine/happy/ann/1.wav", "mine/sad/ann/2.wav"], (2, 3, 0)),
        (["angry/excited/1.wav", "angry/tired/2.wav"], (1, 2, 0)),
    ],
)
def test_trees_that_leave_no_doubt(paths, expected):
    assert plan(*paths) == expected


def test_a_folder_for_each_clip_names_no_speaker():
    assert plan(*(f"{'happy' if i % 2 else 'sad'}/utterance_{i}/audio.wav" for i in range(8))) == (1, 0, 0)


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (
            ["anna/rude/1.wav", "bob/polite/2.wav"],
            ["1st folder: anna, bob", "2nd folder: polite, rude", "--label-level 1 or 2"],
        ),
        (["happy/sad/1.wav", "sad/happy/2.wav"], ["may name the labels", '--pattern "{speaker}/{label}/*"']),
        (["happy/anna/x/1.wav", "sad/bob/y/2.wav"], ["may name the speakers", '--pattern "{label}/{speaker}/*/*"']),
        (["train/1.wav", "test/2.wav"], ["No folder of DIR names a label", "1st folder: test, train"]),
        (["p1/1.wav", "p2/2.wav"], ["No folder of DIR names a label"]),
        (["Actor_01/1.wav", "Actor_02/2.wav"], ["No folder of DIR names a label"]),
        (["low/1.wav", "high/2.wav"], ["No folder of DIR names a label"]),
        (["1.wav", "2.wav"], ["put each label into a folder of its own"]),
        (["anna_happy_1.wav", "bob_sad_2.wav"], ["anna_happy_1.wav", '--pattern "{speaker}_{label}_*"']),
        (["anna/happy-1.wav", "bob/sad-2.wav"], ["happy-1.wav", '--pattern "{label}-*"']),
        (["anna_happy/1.wav", "bob_sad/2.wav"], ['--pattern "{speaker}_{label}/*"']),
    ],
)
def test_what_is_ambiguous_is_asked_for_in_one_sentence(paths, says):
    with pytest.raises(SerlibError) as error:
        plan(*paths)
    assert "\n" not in str(error.value)
    for words in says:
        assert words in str(error.value)


def test_a_level_that_is_named_is_taken():
    paths = ["anna/rude/1.wav", "bob/polite/2.wav"]
    assert plan(*paths, label_level=2) == (2, 1, 0) and plan(*paths, label_level=1) == (1, 2, 0)
    with pytest.raises(SerlibError, match="has 2 levels of folders"):
        plan(*paths, label_level=3)


@pytest.mark.parametrize(
    ("pattern", "path", "names"),
    [
        ("{speaker}/{label}/*", "a/b/c.wav", {"speaker": "a", "label": "b"}),
        ("{speaker}/{label}/*", "a/b/d/c.wav", None),
        ("{speaker}/{label}/**", "a/b/d/c.wav", {"speaker": "a", "label": "b"}),
        ("{speaker}_{label}_*.wav", "day/anna_hap_01.wav", {"speaker": "anna", "label": "hap"}),
        ("{speaker}_{label}_*.wav", "day/anna_hap_01.mp3", None),
        ("**/{label}/{speaker}_*", "q/r/hap/anna_01.mp3", {"speaker": "anna", "label": "hap"}),
        ("{label}", "x/happy.wav", {"label": "happy"}),
        ("{site}/{label}-{text}", "lab/happy-dogs.flac", {"site": "lab", "label": "happy", "text": "dogs"}),
        ("{label}.{speaker}.*", "sad.bob.(1).wav", {"label": "sad", "speaker": "bob"}),
    ],
)
def test_patterns(pattern, path, names):
    match = levels.compiled(pattern).fullmatch(path)
    assert (match and match.groupdict()) == names


@pytest.mark.parametrize("pattern", ["{speaker}/*", "{label}/{label}", "{1}/{label}", "*"])
def test_patterns_that_cannot_be_used(pattern):
    with pytest.raises(SerlibError, match="pattern"):
        levels.compiled(pattern)


def test_roles_of_given_splits():
    assert levels.role("Training", []) == "train" and levels.role("dev", []) == "validation"
    assert levels.role("eval", ["train", "eval"]) == "test"
    assert levels.role("evaluation", ["train", "evaluation", "test"]) == "validation"
    assert levels.role("fold1", []) == ""
