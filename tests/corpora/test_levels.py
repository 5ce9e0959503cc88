"""serlib.corpora.levels: which folders name labels, speakers and parts, and what is asked for."""

import pytest

from serlib.corpora import levels
from serlib.utils import SerlibError

LABELS = ("happy", "sad")


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
        (["Train Set/happy/1.wav", "Test Set/sad/2.wav"], (2, 0, 1)),
        (["audio_train/anna/happy/1.wav", "audio_test/bob/sad/2.wav"], (3, 2, 1)),
        (["F_01/happy/1.wav", "F_02/sad/2.wav", "M_03/sad/2.wav"], (2, 1, 0)),
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
        (["Angry/angry/1.wav", "Sad/sad/2.wav"], (2, 0, 0)),
        (["positive/happy/1.wav", "negative/sad/2.wav"], (2, 0, 0)),
        (["positive/1.wav", "negative/2.wav"], (1, 0, 0)),
        (["scene1/happy/1.wav", "scene2/sad/2.wav"], (2, 0, 0)),
        (["happy/question 3/1.wav", "sad/question 12/2.wav"], (1, 0, 0)),
        (["customer1/happy/1.wav", "customer2/sad/2.wav"], (2, 1, 0)),
        (["-5dB/happy/1.wav", "5dB/sad/2.wav"], (2, 0, 0)),
        (["18-25/happy/1.wav", "60+/sad/2.wav"], (2, 0, 0)),
        (
            [f"{group}_0{n}/{felt}/1.wav" for group in ("patient", "control") for n in "12" for felt in LABELS],
            (2, 1, 0),
        ),
        (["John Smith/happy/1.wav", "John Doe/sad/2.wav", "Mary Miller/sad/3.wav"], (2, 1, 0)),
    ],
)
def test_trees_that_leave_no_doubt(paths, expected):
    assert plan(*paths) == expected


@pytest.mark.parametrize(
    "names",
    [
        "before after",
        "ch1 ch2",
        "zoom teams",
        "mp3 wav",
        "customer agent",
        "16000 44100",
        "seg_1 seg_2",
        "loud quiet",
        "accepted rejected",
        "podcast phone",
        "male female nonbinary",
        "male_voices female_voices",
        "Part_A Part_B",
        "clean_data noisy_data",
    ],
)
def test_what_is_no_name_is_no_speaker(names):
    """Else a split by speaker would test the voices that it was trained on."""
    assert plan(*(f"{felt}/{name}/{i}.wav" for felt in LABELS for name in names.split() for i in "1234")) == (1, 0, 0)


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
        (
            ["anna_happy_1.wav", "bob_sad_2.wav"],
            ["anna_happy_1.wav", '--pattern "*_{label}_*", with {'],
        ),
        (["anna/happy-1.wav", "bob/sad-2.wav"], ["happy-1.wav", '--pattern "*/{label}-*"']),
        (["anna_happy/1.wav", "bob_sad/2.wav"], ['--pattern "*_{label}/*"']),
    ],
)
def test_what_is_ambiguous_is_asked_for_in_one_sentence(paths, says):
    with pytest.raises(SerlibError) as error:
        plan(*paths)
    assert "\n" not in str(error.value)
    for words in says:
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("folders", "examples", "pattern"),
    [
        (["anna_session1", "anna_session2", "bob_session1"], "anna_session1 and anna_session2", "{speaker}_*"),
        (["P01-take1", "P01-take2"], "P01-take1 and P01-take2", "{speaker}-*"),
        (["anna_1", "anna_2", "bob_1", "bob_2"], "anna_1 and anna_2", "{speaker}_*"),
        (["S01_am", "S01_pm", "S02_am", "S02_pm"], "S01_am and S01_pm", "{speaker}_*"),
        (["anna_2024-01-02", "anna_2024-01-03", "bob_2024-02-01"], "anna_2024-01-02 and", "{speaker}_*"),
        (["Actor_01_s1", "Actor_01_s2", "Actor_02_s1", "Actor_02_s2"], "Actor_01_s1 and", "*_{speaker}_*"),
        (["anna", "anna_old", "bob"], "anna and anna_old", None),
        (["anna1", "anna2", "bob1", "bob2"], "anna1 and anna2", None),
    ],
)
def test_folders_that_may_be_of_one_speaker_are_asked_for(folders, examples, pattern):
    """Held out as two people, they would make a figure on voices that were trained on."""
    paths = [f"{folder}/{label}/1.wav" for folder in folders for label in ("happy", "sad")]
    with pytest.raises(SerlibError, match=f"such as {examples}.* may be of one speaker") as error:
        plan(*paths)
    if pattern is None:
        assert "put what is of one speaker into one folder" in str(error.value)
    else:
        assert f'if so, say --pattern "{pattern}/{{label}}/*"' in str(error.value)
        regex = levels.compiled(f"{pattern}/{{label}}/*")
        speakers = {match["speaker"] for match in map(regex.fullmatch, paths) if match}
        assert len(speakers) == len({folder.replace("Actor_", "").partition("_")[0][:3] for folder in folders})


def test_doubt_about_speakers_is_told():
    paths = [tuple(path.split("/")) for path in ("scene1/happy/1.wav", "scene2/sad/2.wav")]
    assert levels.plan(paths, root="D").doubt == 'if scene1, scene2 are people, say --pattern "{speaker}/{label}/*"'


@pytest.mark.parametrize(
    ("names", "labels", "speakers"),
    [
        (["spk1-s1-happy-01.wav", "spk2-s2-sad-01.wav"], "happy sad", "spk1 spk2"),
        (["anna-2-happy-01-b.wav", "bob-2-sad-01-c.wav"], "happy sad", "anna bob"),
        (["happy_anna_01.wav", "sad_bob_01.wav"], "happy sad", "anna bob"),
        (["2024-05-03_happy_1.wav", "2024-05-04_sad_1.wav"], "happy sad", None),
        (["Emotion_Happy/1.wav", "Emotion_Sad/2.wav"], "Happy Sad", None),
        (["day1/anna_happy/1.wav", "day1/bob_sad/2.wav"], "happy sad", None),
        (["happy01.wav", "sad02.wav"], "happy01 sad02", None),
        (["anna/happy01.wav", "anna/sad01.wav", "bob/sad02.wav"], "happy01 sad01 sad02", "anna anna bob"),
        (["day1/anna/happy_1.wav", "day2/bob/sad_1.wav"], "happy sad", None),
        (["Anna - Happy (1).wav", "Bob - Sad (2).wav"], "Happy Sad", "Anna Bob"),
        (["1001_IEO_ANG_HI.wav", "1002_IEO_SAD_LO.wav"], "ANG SAD", "1001 1002"),
    ],
)
def test_the_pattern_that_is_proposed_reads_the_names(names, labels, speakers):
    with pytest.raises(SerlibError, match="if so, say --pattern") as error:
        plan(*names)
    pattern = str(error.value).partition('--pattern "')[2].partition('"')[0]
    assert [levels.compiled(pattern).fullmatch(name)["label"] for name in names] == labels.split()
    if speakers:  # the first * names who speaks
        regex = levels.compiled(pattern.replace("*", "{speaker}", 1))
        assert [regex.fullmatch(name)["speaker"] for name in names] == speakers.split()


def test_folders_of_one_speaker_each_are_no_labels():
    """VoxCeleb: a folder a person, in it one a video."""
    paths = [f"wav/id1000{person}/x{video}{person}q/1.wav" for person in (1, 2) for video in "ab"]
    with pytest.raises(SerlibError, match="No folder of DIR names a label"):
        plan(*paths)


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


@pytest.mark.parametrize("pattern", ["{speaker}_{label}*", "{speaker}{label}_*", "**{label}/*", "*{label}"])
def test_parts_of_a_pattern_that_nothing_parts(pattern):
    """`{label}*` would read the first letter of each label."""
    with pytest.raises(SerlibError, match=r"does not say where .* ends and .* begins"):
        levels.compiled(pattern)


@pytest.mark.parametrize("pattern", ["{speaker}/*", "{label}/{label}", "{1}/{label}", "*"])
def test_patterns_that_cannot_be_used(pattern):
    with pytest.raises(SerlibError, match="pattern"):
        levels.compiled(pattern)


def test_roles_of_given_splits():
    assert levels.role("Training", []) == "train" and levels.role("dev", []) == "validation"
    assert levels.role("eval", ["train", "eval"]) == "test"
    assert levels.role("evaluation", ["train", "evaluation", "test"]) == "validation"
    assert levels.role("fold1", []) == ""
