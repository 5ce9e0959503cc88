"""Splits keep their promises for every kind, seed and fold."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serlib.splits import SPLIT_KINDS, audit, clips_of_role, folds, held_out, possible, split
from serlib.utils import SerlibError

LABELS = ["angry", "happy", "sad"]


def table_of(speakers=2, texts=20, labels=LABELS, takes=1, corpus="tess"):
    """An index without sound: each speaker says each text with each label."""
    clips = [
        {"speech": f"{s}_{t}_{label}_{k}.wav", "label": label, "speaker": f"s{s}", "text": f"word{t}", "corpus": corpus}
        for s, label, t, k in itertools.product(range(speakers), labels, range(texts), range(takes))
    ]
    table = pd.DataFrame(clips).assign(duration_s=1.0, rate_hz=16000)
    return table.assign(digest=[f"{corpus}{i:030d}" for i in range(len(table))])


def parts(table):
    return {role: clips_of_role(table, role) for role in ("train", "validation", "test")}


@pytest.mark.parametrize("kind", ["published", "random", "text", "speaker", "speaker+text"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), speakers=st.integers(2, 8), texts=st.integers(6, 30))
def test_roles_are_disjoint_and_hold_every_label(kind, seed, speakers, texts):
    index = table_of(speakers, texts)
    table = split(index, kind, seed=seed)
    train, validation, test = parts(table).values()
    assert set(train.label) == set(test.label) == set(LABELS)
    assert not set(train.digest) & (set(test.digest) | set(validation.digest))
    if kind == "published":
        assert validation.equals(test)
    else:
        assert not set(validation.digest) & set(test.digest)
    if kind in ("text", "speaker+text"):
        assert not (set(train.text) | set(validation.text) if kind == "text" else set(train.text)) & set(test.text)
    if kind.startswith("speaker"):
        assert not (set(train.speaker) | set(validation.speaker)) & set(test.speaker)
    if kind != "speaker+text":
        assert len(table) == len(index)


def test_same_seed_same_split_other_seed_other_split():
    index = table_of(2, 30)
    assert split(index, "random", seed=1).equals(split(index, "random", seed=1))
    assert not split(index, "random", seed=1).role.equals(split(index, "random", seed=2).role)


def test_published_is_eighty_twenty_in_proportion_to_the_labels():
    table = split(table_of(2, 100), "published", seed=0)
    assert table.role.value_counts().to_dict() == {"train": 480, "test": 120}
    assert table[table.role == "test"].label.value_counts().to_dict() == dict.fromkeys(LABELS, 40)
    assert table.attrs["split"]["protocol"] == "published"
    assert split(table_of(2, 100), "random").attrs["split"]["protocol"] == "held-out"


@pytest.mark.parametrize("kind", ["random", "text", "speaker"])
def test_folds_test_every_clip_once(kind):
    index = table_of(7, 10)
    tested = pd.concat([clips_of_role(table, "test") for table in folds(index, kind, seed=3)])
    assert sorted(tested.digest) == sorted(index.digest)


@pytest.mark.parametrize("kind", ["random", "published", "text", "speaker", "column:speaker"])
def test_of_folds_without_a_number_the_first_is_tested(kind):
    """But by speaker they were ignored: a fifth was tested, and the run said of how many folds."""
    index = table_of(7, 10)
    first = split(index, kind, fold=0, folds=3)
    assert split(index, kind, folds=3).equals(first)
    assert split(index, kind, folds=3).attrs["split"] == first.attrs["split"]


def test_speaker_folds_are_blocks_of_neighbours_in_natural_order():
    index = table_of(24, 6).assign(speaker=lambda t: t.speaker.str[1:])
    tested = [sorted(set(clips_of_role(table, "test").speaker), key=int) for table in folds(index, "speaker")]
    assert tested == [[str(4 * i + k) for k in range(4)] for i in range(6)]


def test_two_speakers_leave_one_out_each():
    tested = [table.attrs["split"]["test"] for table in folds(table_of(2, 10), "speaker")]
    assert tested == [["s0"], ["s1"]]


def test_named_speaker_is_held_out():
    table = split(table_of(3, 10), "speaker", test=["s1"])
    assert set(clips_of_role(table, "test").speaker) == {"s1"}
    assert set(clips_of_role(table, "train").speaker) | set(clips_of_role(table, "validation").speaker) == {"s0", "s2"}


@pytest.mark.parametrize("names", [7, np.array(["7"]), pd.Series([7]), {"7"}, "7"])
def test_who_is_tested_may_be_named_in_any_form(names):
    table = table_of(3, 10)
    table = split(table.assign(speaker=table.speaker.map({"s0": 7, "s1": 8, "s2": 9})), "speaker", test=names)
    assert set(clips_of_role(table, "test").speaker) == {"7"}


def test_validation_is_drawn_as_the_test_role_is():
    many = parts(split(table_of(10, 10), "speaker"))
    assert not set(many["validation"].speaker) & set(many["train"].speaker)
    two = parts(split(table_of(2, 20), "speaker"))
    assert not set(two["validation"].text) & set(two["train"].text)


def test_the_same_number_in_two_corpora_is_two_speakers():
    index = pd.concat([table_of(1, 10, corpus="tess"), table_of(1, 10, corpus="emodb")], ignore_index=True)
    table = split(index, "speaker", test=["emodb/s0"])
    assert set(clips_of_role(table, "test").corpus) == {"emodb"}


def test_across_corpora_only_shared_labels_stay():
    index = pd.concat(
        [table_of(2, 10, corpus="tess"), table_of(2, 10, labels=["angry", "sad", "boredom"], corpus="emodb")],
        ignore_index=True,
    )
    table = split(index, "corpus", test="emodb")
    assert set(table.label) == {"angry", "sad"}
    assert set(clips_of_role(table, "test").corpus) == {"emodb"}
    assert set(clips_of_role(table, "train").corpus) == {"tess"}


def test_a_named_speaker_of_several_corpora_decides_the_labels():
    calm = [*LABELS, "calm"]
    index = pd.concat([table_of(2, 20, corpus="tess"), table_of(6, 20, labels=calm, corpus="ravdess")])
    table = split(index.reset_index(drop=True), "speaker", test=["tess/s0"])
    assert set(table.label) == set(LABELS)
    tested = clips_of_role(table, "test")
    assert set(zip(tested.corpus, tested.speaker, strict=True)) == {("tess", "s0")}
    trained = clips_of_role(table, "train")
    assert set(trained.corpus) == {"tess", "ravdess"} and "s1" in set(trained[trained.corpus == "tess"].speaker)
    # each corpus gives its share of the validation: TESS's one speaker words, the six of RAVDESS a speaker
    spared = clips_of_role(table, "validation")
    assert set(spared.corpus) == {"tess", "ravdess"}
    for corpus, by in (("tess", "text"), ("ravdess", "speaker")):
        assert not set(spared[spared.corpus == corpus][by]) & set(trained[trained.corpus == corpus][by])
    other = split(index.reset_index(drop=True), "speaker", test=["ravdess/s0"])
    assert set(other.label) == set(calm)
    assert other.attrs["split"]["test"] == ["ravdess/s0"]  # as it is asked for


@pytest.mark.parametrize(
    ("index", "options", "said"),
    [
        (table_of(1, 10), {"kind": "speaker"}, "All 30 clips have the speaker 's0'"),
        (table_of(1, 10).assign(speaker="unknown"), {"kind": "speaker"}, "put the clips of each in a folder"),
        (
            pd.concat([table_of(1, 10), table_of(1, 10, corpus="own")]).assign(speaker="unknown"),
            {"kind": "speaker"},
            "All 60 clips have the speaker 'unknown'",
        ),
        (table_of(2, 1, takes=9), {"kind": "text"}, "the text 'word0'"),
        (table_of(2, 10, labels=["angry"]), {"kind": "random"}, "only the label 'angry'"),
        (table_of(2, 10)[lambda t: (t.label != "sad") | (t.text == "word1")], {"kind": "random"}, "'sad' has 2 of"),
        (table_of(2, 10)[lambda t: (t.label != "sad") | (t.speaker == "s1")], {"kind": "speaker", "test": "s1"}, "sad"),
        (table_of(2, 10), {"kind": "speaker", "test": ["nobody"]}, "no speaker 'nobody'"),
        (table_of(2, 10), {"kind": "speaker", "test": ["s0", "s1"]}, "none is left for training"),
        (table_of(2, 10), {"kind": "speaker", "fold": 2}, "no fold 2 among 2"),
        (table_of(2, 10), {"kind": "nonsense"}, ", ".join(SPLIT_KINDS)),
        (table_of(2, 10), {"kind": "corpus", "test": "emodb"}, "needs two corpora"),
        (table_of(2, 10)[:0], {"kind": "random"}, "no clips"),
        (table_of(2, 10), {"kind": "random", "test": ["s0"]}, "Nobody can be named"),
        (table_of(2, 10), {"kind": "speaker", "test": ["s0"], "fold": 0}, "where fold 0 is"),
        (
            table_of(2, 10),
            {"kind": "random", "fold": 0, "folds": 1},
            "cannot be parted into 1 folds; choose from 2 to 20",
        ),
        (table_of(2, 10), {"kind": "random", "fold": 0, "folds": 30}, "choose from 2 to 20"),
        (table_of(2, 10, labels=["sad", "role"]), {"kind": "random"}, "called 'role', as a column of the tables is"),
        (table_of(2, 10, labels=["Sad", "sad"]), {"kind": "random"}, "would be two labels; write them alike"),
        (table_of(2, 10), {"kind": "random", "seed": -1}, "The seed is -1"),
        (table_of(2, 10), {"kind": "random", "seed": 2**32}, "The seed is 4294967296"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_reason(index, options, said):
    with pytest.raises(SerlibError, match=re.escape(said)):
        split(index.reset_index(drop=True), **options)


def test_copies_of_one_recording_stay_in_one_role():
    index = table_of(2, 20)
    index["digest"] = index.digest.where(index.index % 2 == 0, index.digest.shift(fill_value=""))  # pairs of copies
    honest = split(index, "random")
    assert (honest.groupby("digest").role.nunique() == 1).all()
    assert (split(index, "published").groupby("digest").role.nunique() > 1).any()


@pytest.mark.parametrize("takes", [4, 5, 6, 10])
def test_a_few_clips_of_each_label_are_enough(takes):
    labels = ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]
    index = table_of(1, 1, labels=labels, takes=takes)
    for kind in ("random", "published"):
        table = split(index, kind)
        assert (table[table.role == "test"].label.value_counts() >= 1).all()
        assert set(table[table.role == "train"].label) == set(labels)
        assert (table.role == "validation").sum() == (7 if kind == "random" else 0)


@pytest.mark.parametrize(("kind", "column"), [("speaker", "speaker"), ("text", "text"), ("speaker+text", "speaker")])
def test_a_recording_that_goes_by_two_names_breaks_no_promise(kind, column):
    index = table_of(6, 12)
    index.loc[index.index % 7 == 0, "digest"] = "the same"
    for seed in range(4):
        table = split(index, kind, seed=seed)
        groups = table.groupby("role")[column].agg(set)
        assert not groups["test"] & groups["train"]
        assert table[table.digest == "the same"].role.nunique() <= 1


def test_a_table_without_digests_can_be_split():
    table = split(table_of(2, 20).drop(columns="digest"), "random")
    assert set(table.role) == {"train", "validation", "test"}


def test_splits_that_cannot_be_made_are_left_out_with_one_line(capsys):
    clips = pd.DataFrame({"speech": [f"{n}.wav" for n in range(40)], "label": ["a", "b"] * 20, "speaker": "unknown"})
    tables = possible(clips.assign(text="unknown", corpus="own"), ["random", "text", "speaker"])
    assert list(tables) == ["random"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == ["left out: text", "left out: speaker"]


# ---------------------------------------------------------------- whose voices, in DataFrames of one's own


@pytest.mark.parametrize("heading", ["speaker", "speaker_id", "Actor"])
@pytest.mark.parametrize(
    ("speakers", "persons"),
    [
        ([1, 1, 2, 2], {"1", "2"}),
        ([1.0, 2.0, 2.0, 3.0], {"1", "2", "3"}),
        ([1.0, np.nan, 2.0, 2.0], {"1", "2"}),
        (["x", None, "y", "z"], {"x", "y", "z"}),
        (["x", "NA", "y", " ? "], {"x", "y"}),
    ],
)
def test_speakers_that_are_numbers_or_missing(heading, speakers, persons):
    """Who is missing is nobody: such clips stand in no role of a held-out claim."""
    clips = [f"{n}.wav" for n in range(48)]
    table = pd.DataFrame({"path": clips, "emotion": ["a", "b"] * 24, heading: np.repeat(speakers, 12)})
    roles = split(table, "speaker")
    assert set(roles.speaker) == persons
    assert len(roles) == 12 * sum(str(speaker).strip() not in ("nan", "None", "NA", "?") for speaker in speakers)


def test_voices_are_held_out_unless_another_split_is_asked_for():
    clips = pd.DataFrame({"path": [f"{n}.wav" for n in range(36)], "emotion": ["a", "b"] * 18})
    clips["Speaker"] = np.repeat(["anna", "bob", "cy"], 12)
    roles = split(clips)
    assert roles.attrs["split"]["kind"] == "speaker"
    assert not set(roles.speaker[roles.role == "test"]) & set(roles.speaker[roles.role != "test"])


def test_columns_of_categories_are_columns_of_names():
    index = pd.concat([table_of(2, 10), table_of(2, 10).assign(corpus="other")], ignore_index=True)
    table = index.astype({"label": "category", "speaker": "category", "corpus": "category"})
    table = table[table.label != "sad"]  # still one of the categories
    expected = split(index[index.label != "sad"], "speaker")
    assert split(table, "speaker").role.tolist() == expected.role.tolist()


def test_folds_take_the_tables_that_split_takes():
    clips = pd.DataFrame({"path": [f"{n}.wav" for n in range(36)], "emotion": ["a", "b"] * 18})
    clips["Speaker"] = np.repeat([1, 2, 3], 12)
    assert len(folds(clips)) == 3
    with pytest.raises(SerlibError, match="no 0 folds"):
        folds(clips, n=0)
    with pytest.raises(SerlibError, match="no 0 folds"):
        split(clips, fold=0, folds=0)


def test_two_spellings_are_one_person_in_a_dataframe(recwarn):
    clips = [f"{n}.wav" for n in range(36)]
    names = np.repeat(["Anna", "anna", "bob"], 12)
    roles = split(pd.DataFrame({"path": clips, "label": ["a", "b"] * 18, "speaker": names}), "speaker")
    assert set(roles.speaker) == {"Anna", "bob"}
    assert "Anna and anna are one speaker, called Anna" in [str(warning.message) for warning in recwarn]


def test_two_tables_one_under_the_other():
    """Their rows have the same numbers."""
    clips = pd.DataFrame({"speech": [f"{n}.wav" for n in range(20)], "label": ["a", "b"] * 10})
    both = pd.concat([clips, clips.assign(speech="other " + clips.speech)])
    roles = split(both, "random")
    assert roles.speech.is_unique and len(roles) == 40 and set(roles.role) == {"train", "validation", "test"}


# -------------------------------------------------- own recordings: nobody's clips, given roles, any column


def own_clips(**columns):
    n = 24
    speech = [f"{i}.wav" for i in range(n)]
    table = {
        "speech": speech,
        "label": ["happy", "sad"] * (n // 2),
        "speaker": "unknown",
        "text": "unknown",
        "corpus": "folder",
    }
    return pd.DataFrame({**table, **columns}, index=range(n))


def test_clips_of_nobody_never_stand_on_either_side():
    table = split(own_clips(speaker=["ann"] * 8 + ["bob"] * 8 + ["unknown"] * 8), "speaker", test=["ann"])
    assert len(table) == 16 and "unknown" not in set(table.speaker)
    assert table.attrs["split"]["left_out"] == {"speaker": 8}
    assert "left out: 8 clips whose speaker is unknown" in held_out(table)
    assert len(folds(own_clips(speaker=["ann"] * 8 + ["bob"] * 8 + ["unknown"] * 8))) == 2
    with pytest.raises(SerlibError, match="speaker 'unknown'"):
        split(own_clips(), "speaker")
    table = split(own_clips(text=["a", "b", "c", "d"] * 4 + ["unknown"] * 8), "text")
    assert len(table) == 16 and table.attrs["split"]["left_out"] == {"text": 8}


def test_a_person_of_a_folder_and_of_a_dataframe_is_one():
    of_folder = own_clips(speaker=["ann"] * 12 + ["bob"] * 12)
    own = of_folder.drop(columns=["corpus", "text"]).assign(speech="more.wav")
    table = split(pd.concat([of_folder, own]), "speaker", test=["ann"])
    assert len(table) == 48 and set(table.speaker[table.role == "test"]) == {"ann"}
    assert "ann" not in set(table.speaker[table.role != "test"])


def test_a_given_split_is_kept():
    parts = ["train"] * 12 + ["validation"] * 6 + ["test"] * 6
    table = split(own_clips(part=parts), "given")
    assert table.role.tolist() == parts
    assert "who speaks is unknown" in held_out(table)[1]
    table = split(own_clips(part=["train"] * 18 + ["test"] * 6, speaker=["a", "a", "b", "b", "c", "d"] * 4), "given")
    assert (table.role[18:] == "test").all() and set(table.role[:18]) == {"train", "validation"}
    assert "4 of the 4 test speakers are in the training, too" in held_out(table)
    table = split(own_clips(part=["train"] * 18 + ["validation"] * 6), "given")
    assert (table.role == "test").sum() == 6
    table = split(own_clips(part=["train"] * 12 + ["test"] * 6 + [""] * 6), "given")
    assert len(table) == 18 and table.attrs["split"]["left_out"] == {"part": 6}
    with pytest.raises(SerlibError, match="no given split"):
        split(own_clips(), "given")
    with pytest.raises(SerlibError, match="expected train and test"):
        split(own_clips(part="train"), "given")


def test_any_column_can_be_held_out():
    table = split(own_clips(site=["lab"] * 8 + ["home"] * 8 + ["car"] * 8), "column:site", test=["car"])
    assert set(table.site[table.role == "test"]) == {"car"} and "car" not in set(table.site[table.role != "test"])
    assert "tested on 8 clips of the site car; trained on" in held_out(table)[0]
    tables = folds(own_clips(site=list("abcd") * 6), "column:site", n=4)
    assert sorted(set(table.site[table.role == "test"]).pop() for table in tables) == list("abcd")
    table = split(own_clips(rate_hz=[8000, 16000, 44100] * 8), "column:rate_hz", test=["16000"])
    assert set(table.rate_hz[table.role == "test"]) == {16000}
    with pytest.raises(SerlibError, match="All 24 clips have the rate_hz '16000'"):
        split(own_clips(rate_hz=16000), "column:rate_hz")
    with pytest.raises(SerlibError, match="no rate_hz '7'; choose from 8000, 16000"):
        split(own_clips(rate_hz=[8000, 16000] * 12), "column:rate_hz", test=["7"])
    with pytest.raises(SerlibError, match="no column 'room'; choose one of"):
        split(own_clips(), "column:room")
    with pytest.raises(SerlibError, match="no kind of split"):
        split(own_clips(), "column")


@pytest.mark.parametrize("kind", ["random", "published", "speaker", "text"])
def test_a_table_with_digests_above_one_without_loses_no_clip(kind):
    own = table_of(4, 10).drop(columns=["digest", "corpus", "duration_s", "rate_hz"])
    joined = pd.concat([table_of(4, 10), own])
    assert len(split(joined.assign(digest=joined.digest.fillna("")), kind)) == len(joined)
    table = split(joined, kind)
    assert len(table) == len(joined)
    assert table.role.notna().all()
    assert set(table.corpus) == {"tess", "own"}
    by_corpus = split(joined, "corpus", test=["tess"])
    assert by_corpus.groupby("corpus").role.agg(set).to_dict() == {"own": {"train", "validation"}, "tess": {"test"}}


def test_clips_whose_text_or_speaker_nobody_knows_are_not_validation_as_a_whole():
    few_speakers = table_of(3, 40)
    few_speakers["text"] = few_speakers.text.where(few_speakers.text < "word14", "unknown")
    others = table_of(6, 10, corpus="ravdess")
    others["speaker"] = others.speaker.where(others.speaker < "s5", "unknown")
    for seed in range(8):
        assert "unknown" not in set(split(few_speakers, "speaker", seed=seed).query("role == 'validation'").text)
        both = split(pd.concat([table_of(), others]), "corpus", test=["tess"], seed=seed)
        assert "unknown" not in set(both[both.role == "validation"].speaker)


def test_a_corpus_that_is_not_there_is_named():
    both = pd.concat([table_of(), table_of(corpus="ravdess")])
    with pytest.raises(SerlibError, match=r"There is no corpus 'crema'; choose from tess, ravdess\."):
        split(both, "corpus", test=["crema"])


@pytest.mark.parametrize("share", [{"test_share": 1}, {"test_share": -0.2}, {"validation_share": 0}])
def test_a_share_that_is_none_is_said(share):
    with pytest.raises(SerlibError, match=r"A share of .* was asked for; choose one between 0 and 1\."):
        split(table_of(), **share)


def test_a_sentence_that_is_spelled_in_two_ways_is_in_one_role():
    index = table_of(2, 20)
    spellings = index.text.where(index.index % 2 == 0, " " + index.text.str.upper() + "!")
    for kind in ("text", "speaker+text", "speaker"):
        table = split(index.assign(text=spellings), kind, seed=3)
        words = table.text.str.strip(" !").str.lower().groupby(table.role).agg(set)
        assert not words["train"] & words["validation"]
        assert kind == "speaker" or not words["train"] & words["test"]
    named = split(index.assign(text=spellings), "text", test=["Word3."])
    assert set(named[named.role == "test"].text.str.strip(" !").str.lower()) == {"word3"}
    shared = audit(split(index.assign(text=spellings), "random")).set_index(["roles", "what"])
    assert shared.loc[("train and test", "texts"), "of"] <= 20
