"""The audit counts what is shared, and finds copies by their bytes and by their sound; what is said beside a figure."""

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from test_roles import table_of

from serlib import audio
from serlib.splits import against, audit, held_out, seen, split
from serlib.utils import SerlibError


def test_audit_counts_what_roles_share():
    index = table_of(2, 10)
    result = audit(split(index, "speaker", test="s1")).set_index(["roles", "what"])
    assert result.loc[("train and test", "speakers"), ["shared", "clips"]].tolist() == [0, 0]
    assert result.loc[("train and test", "texts"), "shared"] == 9  # one text is spared for validation
    random = audit(split(index, "random")).set_index(["roles", "what"])
    assert random.loc[("train and test", "speakers"), ["shared", "of", "clips"]].tolist() == [2, 2, 12]


def test_audit_of_two_corpora_tells_their_speakers_apart():
    index = pd.concat([table_of(2, 10), table_of(2, 10, corpus="ravdess")], ignore_index=True)
    result = audit(split(index, "corpus", test="ravdess")).set_index(["roles", "what"])
    assert result.loc[("train and test", "speakers"), "shared"] == 0
    one_tested = split(index, "text").query("role != 'test' or corpus == 'tess'")
    result = audit(one_tested).set_index(["roles", "what"])
    assert result.loc[("train and test", "speakers"), "shared"] == 2


def test_audit_finds_copies_by_bytes():
    table = split(table_of(2, 10), "speaker")
    table.loc[table.speaker == "s0", "digest"] = table.digest[table.speaker == "s1"].to_numpy()  # one copies the other
    result = audit(table).query("what == 'identical clips'").set_index("roles").clips
    assert result["train and test"] + result["validation and test"] == 30


def test_audit_of_a_table_without_digests():
    result = audit(split(table_of(2, 10).drop(columns="digest"), "speaker"))
    assert set(result.what) == {"speakers", "texts"}


def test_audit_finds_a_quieter_copy_by_its_sound(tmp_path, rng, home):
    """Another level, another length, another container: still the same recording; another take is not."""
    t = np.arange(16000) / 16000
    takes = [
        np.sin(2 * np.pi * (200 + 40 * i) * t**1.1) * rng.uniform(0.2, 0.3) + 0.02 * rng.normal(size=t.size)
        for i in range(6)
    ]
    table = []
    for i, y in enumerate(takes):
        sf.write(tmp_path / f"{i}.wav", y, 16000)
        table.append((f"{i}.wav", "train"))
    sf.write(tmp_path / "copy.flac", 0.5 * np.concatenate([np.zeros(800), takes[0]]), 16000)
    again = np.sin(2 * np.pi * 240 * t**1.1) * 0.25 + 0.02 * rng.normal(size=t.size) * np.sin(9 * t)
    sf.write(tmp_path / "other.wav", np.roll(again[::-1], 3000), 16000)
    table += [("copy.flac", "test"), ("other.wav", "test")]
    index = pd.DataFrame(table, columns=["speech", "role"]).assign(
        speech=lambda t: [str(tmp_path / name) for name in t.speech],
        label="sad",
        speaker="s",
        text="w",
        corpus="folder",
        duration_s=1.05,
        rate_hz=16000,
        digest=lambda t: [audio.path_digest(path) for path in t.speech],
    )
    result = audit(index, near=True).set_index("what")
    assert result.loc["identical clips", "clips"] == 0
    assert result.loc["near-identical clips", "clips"] == 1
    result = audit(index.drop(columns="digest"), near=True).set_index("what")
    assert result.loc["near-identical clips", "clips"] == 1


@pytest.mark.real
def test_ravdess_holds_one_recording_twice(real_index):
    """Two takes of actor 07 are the same bytes: wherever they part, a clip of the test was in training."""
    index = real_index("ravdess")
    twins = index[index.digest.duplicated(keep=False)]
    assert len(twins) == 2 and set(twins.speaker) == {"07"}
    parted = index.assign(role="train")
    parted.loc[twins.index[1], "role"] = "test"
    result = audit(parted, near=True).set_index("what").clips
    assert result["identical clips"] == result["near-identical clips"] == 1


def test_a_clip_without_a_digest_is_known_by_its_file(tmp_path):
    files = [tmp_path / f"{name}.wav" for name in "ab"]
    for number, file in enumerate(files):
        sf.write(file, np.full(800, 0.1 * number), 8000)
    digests = [audio.path_digest(file) for file in files]
    table = pd.DataFrame({"speech": files, "digest": digests, "role": ["train", "test"]})
    half_known = table.assign(digest=[None, digests[1]])
    assert seen(table, "held-out", half_known).tolist() == [True, False]
    names = {"speaker": "x", "text": "y", "corpus": "own"}
    counts = audit(table.assign(**names, digest=[np.nan, np.nan])).set_index("what")
    assert counts.loc["identical clips", ["shared", "clips"]].tolist() == [0, 0]


def test_a_table_without_roles_is_refused_in_a_sentence():
    with pytest.raises(SerlibError, match=r"expected role; give roles with serlib\.split"):
        audit(table_of())


def test_clips_that_only_sound_alike_are_no_copies(tmp_path, rng, home):
    table = table_of(1, 2).iloc[:2].assign(role=["train", "test"])
    table["speech"] = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for file in table.speech:
        sf.write(file, 0.1 * rng.standard_normal(16000), 16000)
    table["digest"] = [audio.path_digest(file) for file in table.speech]
    result = audit(table, near=True, show=False).set_index("what")
    assert result.loc["near-identical clips", "shared"] == 0


def test_who_is_held_out_by_speaker_and_by_text():
    table = split(table_of(3, 10), "speaker", test=["s2"])
    assert held_out(table) == [
        "tested on 30 clips of the speaker s2; trained on 54 clips of the speakers s0, s1; "
        "validation: 6 clips, texts of their own"
    ]
    first, second = held_out(split(table_of(2, 10), "text", test=["word3"]))
    assert first.startswith("tested on 6 clips of the text word3; trained on")
    assert second == "2 of the 2 test speakers are in the training, too"


def test_a_long_list_of_names_is_cut_and_counted():
    assert "word11, word13, word14 ... (26); validation" in held_out(split(table_of(2, 30), "text", test=["word0"]))[0]


def test_another_corpus_says_whether_its_voices_were_heard():
    table = split(table_of(3, 10), "speaker", test=["s2"])
    trained = "trained on 60 clips of tess of the speakers s0, s1"
    one_heard = "1 of the 1 test speakers are in the training, too"
    stranger = table_of(1, 2, corpus="ravdess")
    assert against(table, stranger) == ["tested on 6 clips of ravdess of the speaker s0", trained]
    assert against(table, table_of(1, 2))[2] == one_heard
    assert against(table, table_of(1, 2).assign(speaker="s2"))[2] == "no test speaker is in the training"
    assert against(table, table_of(1, 2).assign(speaker="S01"))[2] == one_heard  # s1 in another spelling
    some = against(table, table_of(2, 2).assign(speaker=["s2"] * 6 + ["unknown"] * 6))
    assert some[2] == "no test speaker is in the training, as far as they are known"


def test_one_corpus_for_the_test_and_two_for_the_training():
    """The test set alone would call its speakers s0; in the table of two corpora they are tess/s0 and ravdess/s0."""
    index = pd.concat([table_of(2, 20), table_of(2, 20, corpus="ravdess")], ignore_index=True)
    table = split(index, "corpus", test="ravdess")
    assert held_out(table)[1] == "no test speaker is in the training"
    table = split(index, "text").query("role == 'train' or corpus == 'tess'")
    assert held_out(table)[1] == "2 of the 2 test speakers are in the training, too"
