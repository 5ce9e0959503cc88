"""The sentences beside a figure: whom it was measured on, and whether the training heard those voices."""

import pandas as pd
from test_roles import table_of

from serlib.splits import against, held_out, split


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
