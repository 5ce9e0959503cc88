"""serlib.corpora: names, the index and all that can be wrong with a folder of sound files."""

import io
import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from natsort import natsorted

from serlib import audio, corpora
from serlib.corpora import CORPORA, index_cache, published, registry, words
from serlib.corpora import corpus as common
from serlib.utils import LABELS, SerlibError, one_line

SAVEE = published.TABLES["savee"]

COLUMNS = ["speech", "label", "speaker", "text", "corpus", "duration_s", "rate_hz", "digest"]
PUBLISHED = [name for name in CORPORA if name not in ("sample", "folder")]


def wav(seed, *, seconds=0.15, rate_hz=8000, **options):
    """Bytes of a short noise, another for each seed."""
    y = 0.1 * np.random.default_rng(zlib.crc32(str(seed).encode())).standard_normal(int(seconds * rate_hz))
    file = io.BytesIO()
    soundfile.write(file, y, rate_hz, **{"format": "WAV", **options})
    return file.getvalue()


def tree(root, names, **options):
    """Write a clip under each name; the bytes depend on the last part of the name alone."""
    for name in names:
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(path.name, **options))
    return Path(root)


def reasons(table):
    return {Path(entry["file"]).name: entry["reason"] for entry in table.attrs["rejected"]}


def stems(table):
    return [Path(path).stem for path in table.speech]


# ---------------------------------------------------------------------------------------------------------- registry


def test_the_registry_says_what_each_corpus_should_hold():
    clips = {
        **{"tess": 2800, "ravdess": 1440, "emodb": 535, "cremad": 7442, "savee": 480, "nemo": 4481, "jl": 2400},
        **{"emovo": 588, "esd": 35000, "asvpesd": None, "cafe": 936, "mesd": 864, "subesco": 7000, "aesdd": None},
        **{"shemo": 3000, "urdu": 400, "turev": None, "javased": 1680, "casia": 1200, "iemocap": 7529},
        **{"meld": 13708, "msppodcast": None},
    }
    assert list(CORPORA) == ["sample", *clips, "folder"]
    assert {name: CORPORA[name].clips for name in PUBLISHED} == clips
    assert set(published.CODE) <= set(clips)
    assert len(CORPORA["ravdess"].speakers) == 24 and len(CORPORA["cremad"].speakers) == 91
    assert CORPORA["ravdess"].labels["neutral"] == 96 and CORPORA["savee"].labels["neutral"] == 120
    for name, corpus in CORPORA.items():
        assert corpus.name == name and corpus.title and corpus.licence
        codes = published.TABLES.get(name, {}).get("emotions", {})
        emotions = {*corpus.labels, *(codes.values() if isinstance(codes, dict) else codes)}
        assert emotions - set(LABELS) == set(corpus.own_labels), "one vocabulary, and what the registry says beside it"
        assert hash(corpus) is not None


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_published_corpus_has_a_home_and_a_citation(name):
    corpus = CORPORA[name]
    assert corpus.homepage.startswith("http") and "(20" in corpus.citation
    assert corpus.kaggle is None or "/" in corpus.kaggle
    assert corpus.parse(Path(corpus.example)) is not None


@pytest.mark.parametrize("name", ["tess", "ravdess", "savee"])
def test_all_names_are_read_back_as_the_counts_say(name):
    corpus = CORPORA[name]
    clips = [corpus.parse(Path(f"{stem}.wav")) for stem in corpus.names()]
    assert len(clips) == corpus.clips == len({clip.name for clip in clips})
    assert [clip.name for clip in clips] == corpus.names()
    counts = pd.Series([clip.label for clip in clips]).value_counts().to_dict()
    assert counts == corpus.labels
    assert {clip.speaker for clip in clips} == set(corpus.speakers)
    assert len({clip.text for clip in clips}) == corpus.texts


# ------------------------------------------------------------------------------------------------------ name parsers


@pytest.mark.parametrize(
    ("corpus", "path", "label", "speaker", "text"),
    [
        ("tess", "OAF_angry/OAF_back_angry.wav", "angry", "OAF", "back"),
        ("tess", "YAF_pleasant_surprised/YAF_youth_ps.wav", "ps", "YAF", "youth"),
        ("tess", "x/oaf_neutral_fear.WAV", "fear", "OAF", "neutral"),
        ("tess", "OAF_neutral/OA_bite_neutral.wav", "neutral", "OAF", "bite"),
        ("ravdess", "Actor_12/03-01-06-01-02-01-12.wav", "fear", "12", "dogs"),
        ("ravdess", "03-01-08-02-01-02-24.wav", "ps", "24", "kids"),
        ("ravdess", "03-01-02-01-01-01-01.wav", "calm", "01", "kids"),
        ("emodb", "wav/03a01Fa.wav", "happy", "03", "a01"),
        ("emodb", "16b10Lb.wav", "boredom", "16", "b10"),
        ("emodb", "08a02Tb.wav", "sad", "08", "a02"),
        ("cremad", "AudioWAV/1001_DFA_ANG_XX.wav", "angry", "1001", "DFA"),
        ("cremad", "1091_WSI_NEU_XX.wav", "neutral", "1091", "WSI"),
        ("savee", "ALL/DC_su01.wav", "ps", "DC", "su01"),
        ("nemo", "samples/WR0_surprised_64.wav", "ps", "WR0", "64"),
        ("jl", "JL(wav+txt)/male2_apologetic_3b_2.wav", "apologetic", "male2", "3"),
        ("emovo", "EMOVO/m3/rab-m3-n5.wav", "angry", "m3", "n5"),
        ("emovo", "sor-f1-l2.wav", "ps", "f1", "l2"),
        ("esd", "0011/Angry/train/0011_000371.wav", "angry", "0011", "en021"),
        ("esd", "ESD/0001/Surprise/0001_001401.wav", "ps", "0001", "zh001"),
        ("asvpesd", "Audio/actor_36/03-01-09-01-06-36-02-02-01-39.wav", "excited", "36", "unknown"),
        ("asvpesd", "actor_101/03-01-04-01-00-101-02-01-00-14-02.wav", "sad", "101", "unknown"),
        ("cafe", "Colère/Faible/01-C-1-1.wav", "angry", "01", "1"),
        ("cafe", "Neutre/12-N-0-6.aiff", "neutral", "12", "6"),
        ("mesd", "Happiness_M_B_acoso escolar.wav", "happy", "M", "acoso escolar"),
        ("subesco", "F_02_MONIKA_S_1_ANGRY_3.wav", "angry", "F_02", "1"),
        ("subesco", "M_10_x_S_10_SURPRISE_5.wav", "ps", "M_10", "10"),
        ("aesdd", "fear/f05 (3).wav", "fear", "3", "05"),
        ("aesdd", "anger/a03 (4)b.wav", "angry", "4", "03"),
        ("shemo", "female/F01W12.wav", "ps", "F01", "unknown"),
        ("shemo", "male/M45S03.wav", "sad", "M45", "unknown"),
        ("urdu", "Happy/SF10_F7_H07.wav", "happy", "SF10", "unknown"),
        ("turev", "Sound Source/Calm/1984_sk_eger.wav", "calm", "1984", "eger"),
        ("javased", "dataset/04-01-06_02.wav", "angry", "04", "01"),
        ("javased", "dataset-person-10/10-04-04-07.wav", "ps", "10", "04"),
        ("casia", "CASIA/ZhaoZuoxiang/surprise/250.wav", "ps", "ZhaoZuoxiang", "250"),
        ("iemocap", "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M003.wav", "", "Ses01M", "unknown"),
        ("iemocap", "Ses05M_script01_1b_F007.wav", "", "Ses05F", "unknown"),
        ("meld", "MELD.Raw/output_repeated_splits_test/dia3_utt12.mp4", "", "unknown", "unknown"),
        ("msppodcast", "Audios/MSP-PODCAST_0001_0008.wav", "", "unknown", "unknown"),
        ("nemo", "MP0_happiness_1.opus", "happy", "MP0", "1"),
        ("nemo", "eb0_sadness_90.flac", "sad", "EB0", "90"),
        ("savee", "ALL/KL_sa15.wav", "sad", "KL", "sa15"),
        ("savee", "AudioData/JE/a01.wav", "angry", "JE", "a01"),
        ("savee", "AudioData/JK/n30.wav", "neutral", "JK", "n30"),
    ],
)
def test_true_file_names(corpus, path, label, speaker, text):
    clip = CORPORA[corpus].parse(Path(path))
    assert (clip.label, clip.speaker, clip.text) == (label, speaker, text)


@pytest.mark.parametrize(
    ("corpus", "path"),
    [
        ("tess", "OAF_back_angryish.wav"),
        ("tess", "OAF_back_calm.wav"),
        ("tess", "OAF_back.wav"),
        ("tess", "OAF_back_angry (1).wav"),
        ("tess", "OAF_back_angry\n.wav"),
        ("tess", "S1_back_angry.wav"),
        ("ravdess", "03-01-09-01-01-01-01.wav"),
        ("ravdess", "03-01-06-01-02-01-25.wav"),
        ("ravdess", "03-01-06-01-02-01-00.wav"),
        ("ravdess", "03-02-06-01-02-01-12.wav"),
        ("ravdess", "01-01-06-01-02-01-12.mp4"),
        ("ravdess", "03-01-01-02-01-01-01.wav"),
        ("ravdess", "０3-01-06-01-02-01-12.wav"),
        ("emodb", "04a01Fa.wav"),
        ("emodb", "03a03Fa.wav"),
        ("emodb", "03a01Xa.wav"),
        ("cremad", "1000_DFA_ANG_XX.wav"),
        ("cremad", "1092_DFA_ANG_XX.wav"),
        ("cremad", "1001_DFA_SUR_XX.wav"),
        ("nemo", "EB1_anger_1.wav"),
        ("jl", "female3_angry_10a_1.wav"),
        ("jl", "female1_bored_10a_1.wav"),
        ("emovo", "gio-f4-b1.wav"),
        ("esd", "0021/Angry/0021_000351.wav"),
        ("esd", "0011_000351.wav"),
        ("asvpesd", "03-02-04-01-00-101-02-01-00-14-02.wav"),
        ("asvpesd", "03-01-06-01-02-01-12.wav"),
        ("asvpesd", "03-01-13-01-06-36-02-02-01-39.wav"),
        ("cafe", "13-C-1-1.wav"),
        ("cafe", "01-C-1-7.wav"),
        ("mesd", "Boredom_M_B_x.wav"),
        ("subesco", "F_11_MONIKA_S_1_ANGRY_3.wav"),
        ("aesdd", "a01.wav"),
        ("shemo", "F01X12.wav"),
        ("urdu", "SX1_F1_A01.wav"),
        ("turev", "1984_sk_eger.wav"),
        ("javased", "11-01-01_01.wav"),
        ("javased", "01-05-01_01.wav"),
        ("javased", "01-01-07_01.wav"),
        ("javased", "01-01-01_08.wav"),
        ("javased", "24-03-05_12.wav"),
        ("casia", "anna/angry/201.wav"),
        ("iemocap", "Ses06F_impro01_F000.wav"),
        ("iemocap", "Ses01F_impro01.wav"),
        ("meld", "dia3_utt12.mp4"),
        ("msppodcast", "MSP-PODCAST_0001.wav"),
        ("nemo", "EB0_angry_1.wav"),
        ("nemo", "EB0_anger_91.wav"),
        ("nemo", "EB0_anger_01.wav"),
        ("nemo", "EB0_anger.wav"),
        ("savee", "a01.wav"),
        ("savee", "XX/a01.wav"),
        ("savee", "DC_a16.wav"),
        ("savee", "DC_s01.wav"),
        ("savee", "DC_n31.wav"),
        ("savee", "DC_a00.wav"),
    ],
)
def test_names_that_only_resemble(corpus, path):
    assert CORPORA[corpus].parse(Path(path)) is None


@given(st.text(max_size=40), st.text(max_size=12))
def test_no_text_makes_a_parser_raise(stem, parent):
    path = Path("data", parent.replace("\0", "") or "x", stem.replace("\0", "") + ".wav")
    for name in PUBLISHED:
        clip = CORPORA[name].parse(path)
        assert CORPORA[name].refuse(path) is None or clip is None
        if clip is not None:
            known = CORPORA[name]
            assert clip.label in known.labels or not clip.label or not known.labels
            assert clip.speaker in known.speakers or not known.speakers


@given(st.from_regex(r"[0-9A-Za-z_-]{5,22}", fullmatch=True))
def test_no_name_fits_two_corpora(stem):
    assert sum(CORPORA[name].parse(Path(f"{stem}.wav")) is not None for name in CORPORA if name != "folder") <= 1


@given(
    st.sampled_from(CORPORA["tess"].speakers),
    st.sampled_from(published.TABLES["tess"]["texts"]),
    st.sampled_from(
        [
            ("fear", "fear"),
            ("fear", "Fear"),
            ("ps", "ps"),
            ("ps", "Pleasant_surprise"),
            ("sad", "sad"),
            ("happy", "HAPPY"),
        ]
    ),
)
def test_tess_round_trip(speaker, word, label):
    clip = published.tess(Path(f"{speaker}_{word}_{label[1]}.wav"))
    assert clip == common.Clip(label[0], speaker, word, f"{speaker}_{word}_{label[0]}", f"{speaker}_{label[0]}")


CREMAD = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
EMODB = dict(zip("WLEAFTN", ["angry", "boredom", "disgust", "fear", "happy", "sad", "neutral"], strict=True))


@given(
    st.sampled_from(["IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"]),
    st.sampled_from(sorted(CREMAD)),
    st.integers(1001, 1091),
)
def test_cremad_round_trip(sentence, emotion, actor):
    clip = CORPORA["cremad"].parse(Path(f"{actor}_{sentence}_{emotion}_HI.wav"))
    assert (clip.label, clip.speaker, clip.text) == (CREMAD[emotion], str(actor), sentence)


@given(
    st.sampled_from(["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]),
    st.sampled_from(["a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10"]),
    st.sampled_from(sorted(EMODB)),
)
def test_emodb_round_trip(speaker, text, letter):
    for take in ("", "a", "f"):
        clip = CORPORA["emodb"].parse(Path(f"{speaker}{text}{letter}{take}.wav"))
        assert (clip.label, clip.speaker, clip.text) == (EMODB[letter], speaker, text)
        assert CORPORA["emodb"].parse(Path(f"{speaker}{text.upper()}{letter.lower()}{take}.wav")) == clip


@given(
    st.sampled_from(SAVEE["speakers"]),
    st.sampled_from(sorted(SAVEE["emotions"])),
    st.integers(1, 15),
)
def test_savee_is_the_same_in_both_layouts(speaker, letters, number):
    flat = published.savee(Path(f"ALL/{speaker}_{letters}{number:02d}.wav"))
    assert flat == published.savee(Path(f"AudioData/{speaker}/{letters}{number:02d}.wav"))
    assert (flat.label, flat.speaker) == (SAVEE["emotions"][letters], speaker)


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("Anger", "angry"),
        (" happiness ", "happy"),
        ("SURPRISED", "ps"),
        ("pleasant_surprise", "ps"),
        ("Pleasantly  Surprised", "ps"),
        ("sadness", "sad"),
        ("fearful", "fear"),
        ("Neutral", "neutral"),
        ("Excited", "excited"),
        ("mu\u0308de", "m\u00fcde"),
        ("=1+1", "=1+1"),
        ("  ", ""),
    ],
)
def test_labels_in_other_words(word, label):
    assert words.normal_label(word) == label


# ------------------------------------------------------------------------------------------------------------- index


def test_the_index_of_a_small_tess(tmp_path):
    names = ["OAF_angry/OAF_back_angry.wav", "OAF_neutral/OA_bite_neutral.wav", "YAF_Fear/YAF_beg_fear.wav"]
    data = tree(tmp_path, names)
    table = corpora.index("tess", data)
    assert list(table.columns) == COLUMNS
    assert isinstance(table.index, pd.RangeIndex)
    assert table.label.tolist() == ["angry", "neutral", "fear"]
    assert table.speaker.tolist() == ["OAF", "OAF", "YAF"]
    assert table.text.tolist() == ["back", "bite", "beg"]
    assert set(table.corpus) == {"tess"}
    assert table.speech.tolist() == [str(data / name) for name in names]
    assert table.duration_s.dtype == float and table.rate_hz.dtype == int
    assert table.duration_s.tolist() == [0.15] * 3 and table.rate_hz.tolist() == [8000] * 3
    assert all(len(digest) == 32 and int(digest, 16) >= 0 for digest in table.digest)
    assert table.digest.is_unique
    assert table.attrs["rejected"] == [] and table.attrs["duplicates"] == 0
    (repaired,) = table.attrs["repaired"]
    assert repaired["file"].endswith("OA_bite_neutral.wav") and "OAF" in repaired["what"]
    assert table.attrs["missing"] == ["2797 of 2800 clips of tess"]
    assert corpora.index("tess", str(data)).equals(table)


def test_the_digest_is_blake2b_of_the_bytes(tmp_path):
    import hashlib

    data = tree(tmp_path, ["OAF_back_angry.wav"])
    expected = hashlib.blake2b((data / "OAF_back_angry.wav").read_bytes(), digest_size=16).hexdigest()
    assert corpora.index("tess", data).digest[0] == expected


def test_attrs_survive_json_and_pandas(tmp_path):
    data = tree(tmp_path, ["OAF_back_angry.wav", "holiday.wav"])
    table = corpora.index("tess", data)
    assert json.loads(json.dumps(table.attrs)) == table.attrs
    assert set(table.attrs) == {"rejected", "repaired", "duplicates", "missing", "notes", "dropped"}
    assert pd.concat([table, table]).attrs == table.assign(role="train").attrs == table.attrs


FIVE = ["03a01Fa.wav", "03a01Wa.wav", "03a02Nc.wav", "10b10La.wav", "16b02Ta.wav"]


def test_the_order_depends_neither_on_creation_nor_on_the_file_system(tmp_path, monkeypatch):
    one = corpora.index("emodb", tree(tmp_path / "one", FIVE))
    two = corpora.index("emodb", tree(tmp_path / "two", FIVE[::-1]))
    assert stems(one) == [name[:-4] for name in FIVE] == stems(two)
    listed = os.scandir

    class Backwards:
        def __init__(self, path):
            self.entries = iter(list(listed(path))[::-1])

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.entries)

    monkeypatch.setattr(common.os, "scandir", Backwards)
    assert corpora.index("emodb", tmp_path / "one").equals(one)
    assert stems(one) == natsorted(stems(one))


def test_clips_are_sorted_as_their_paths_are(tmp_path):
    names = ["Actor_02/03-01-01-01-01-01-02.wav", "Actor_10/03-01-05-01-01-01-10.wav"]
    names += ["Actor_02/03-01-05-02-02-01-02.wav", "Actor_02/03-01-04-02-02-01-02.wav"]
    table = corpora.index("ravdess", tree(tmp_path, names))
    assert table.speech.tolist() == natsorted(table.speech)
    own = tree(tmp_path / "own", ["happy/2.wav", "happy/10.wav", "angry/clip 1.wav"])
    table = corpora.index("folder", own)
    assert stems(table) == ["clip 1", "2", "10"]


def test_the_kaggle_layout_gives_the_same_table(tmp_path):
    folders = ["OAF_angry", "OAF_fear", "OAF_pleasant_surprise", "YAF_pleasant_surprise"]
    kaggle = {"OAF_fear": "OAF_Fear", "OAF_pleasant_surprise": "OAF_Pleasant_surprise"}
    kaggle["YAF_pleasant_surprise"] = "YAF_pleasant_surprised"
    names = [(f, f"{f[:3]}_{word}_{words.normal_label(f[4:])}.wav") for f in folders for word in ("back", "youth")]
    plain = tree(tmp_path / "plain", [f"{f}/{name}" for f, name in names])
    top = "TESS Toronto emotional speech set data"
    for above in (top, f"{top.lower()}/{top}"):
        twice = tree(tmp_path / "kaggle", [f"{above}/{kaggle.get(f, f)}/{name}" for f, name in names])
    one, two = corpora.index("tess", plain), corpora.index("tess", twice)
    pd.testing.assert_frame_equal(one.drop(columns="speech"), two.drop(columns="speech"))
    assert one.attrs["duplicates"] == 0 and two.attrs["duplicates"] == 8
    assert all(f"kaggle/{top}/" in path for path in two.speech)
    assert two.attrs["repaired"] == [] and two.attrs["rejected"] == []
    both = corpora.index("tess", twice, duplicates="keep")
    assert len(both) == 16 and both.attrs["duplicates"] == 8


def test_few_missing_clips_are_named_and_many_are_counted(tmp_path):
    names = published.savee_names()
    gone = {"DC_a01", "KL_su15"}
    data = tree(tmp_path, [f"{name}.wav" for name in names if name not in gone])
    table = corpora.index("savee", data)
    assert table.attrs["missing"] == ["DC_a01", "KL_su15"]
    found = corpora.expected(table).set_index("what")
    assert found.loc["clips", ["found", "expected"]].tolist() == [478, 480]
    assert found.loc["angry", ["found", "expected"]].tolist() == [59, 60]
    assert found.loc["speakers", "found"] == found.loc["speakers", "expected"] == 4
    shutil.rmtree(tmp_path)
    assert corpora.index("savee", tree(tmp_path, ["DC_a01.wav"])).attrs["missing"] == ["479 of 480 clips of savee"]


def test_what_is_dropped_is_not_missing(tmp_path):
    table = corpora.index("savee", tree(tmp_path, [f"{name}.wav" for name in published.savee_names()]), drop=["sad"])
    assert table.attrs["missing"] == [] and table.attrs["dropped"] == {"sad": 60}


def test_a_clip_that_is_there_but_broken_is_rejected_and_not_missing(tmp_path):
    data = tree(tmp_path, [f"{name}.wav" for name in published.savee_names()])
    (data / "DC_a01.wav").write_bytes(b"")
    table = corpora.index("savee", data)
    assert table.attrs["missing"] == [] and list(reasons(table)) == ["DC_a01.wav"]


def test_corpora_without_a_list_of_names_count_what_is_missing(tmp_path):
    table = corpora.index("emodb", tree(tmp_path, FIVE))
    assert table.attrs["missing"] == ["530 of 535 clips of emodb"]
    expected = corpora.expected(table).set_index("what")
    assert expected.loc["boredom"].tolist() == ["emodb", 1, 81]


def test_savee_names_that_clash_across_folders(tmp_path):
    data = tree(tmp_path, [f"AudioData/{s}/{name}.wav" for s in SAVEE["speakers"] for name in ("a01", "sa01", "su01")])
    for i, path in enumerate(natsorted(data.rglob("*.wav"))):
        path.write_bytes(wav(i))
    table = corpora.index("savee", data)
    assert len(table) == 12 and table.attrs["rejected"] == []
    assert table.groupby("speaker").label.apply(list).tolist() == [["angry", "sad", "ps"]] * 4


def test_javanese_as_the_repository_holds_it(tmp_path):
    """All in one folder, and the parts of each actor once more, unpacked beside it."""
    names = [
        f"{s}-{text}-{e}_{take}.wav"
        for s in ("01", "10")
        for text in ("01", "04")
        for e in ("01", "06")
        for take in ("01", "07")
    ]
    data = tree(tmp_path, ["dataset/How-To-Read-The-Dataset.txt", *(f"dataset/{name}" for name in names)])
    tree(tmp_path, [f"dataset/dataset-person-10/{name}" for name in names if name.startswith("10")])
    table = corpora.index("javased", data)
    assert table.label.value_counts().to_dict() == {"neutral": 8, "angry": 8} and set(table.text) == {"01", "04"}
    assert table.attrs["duplicates"] == 8 and not table.attrs["rejected"] and set(table.speaker) == {"01", "10"}
    assert table.attrs["missing"] == ["1664 of 1680 clips of javased"]


def test_cremad_names(tmp_path):
    names = ["1001_DFA_ANG_XX.wav", "1001_IEO_FEA_LO.wav", "1040_ITH_SAD_X.wav", "1091_WSI_HAP_XX.wav"]
    table = corpora.index("cremad", tree(tmp_path, [f"AudioWAV/{name}" for name in names]))
    assert table.label.tolist() == ["angry", "fear", "sad", "happy"]
    assert table.speaker.tolist() == ["1001", "1001", "1040", "1091"]
    assert [Path(entry["file"]).name for entry in table.attrs["repaired"]] == ["1040_ITH_SAD_X.wav"]


def test_the_voice_of_a_turn_of_iemocap_is_its_last_letter_and_its_label_stands_in_the_evaluation(tmp_path):
    turns = ["Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01F_impro01_M001"]
    tree(tmp_path, [f"Session1/sentences/wav/Ses01F_impro01/{turn}.wav" for turn in turns])
    dialog = tmp_path / "Session1/dialog"
    for folder in ("EmoEvaluation", "transcriptions"):
        (dialog / folder).mkdir(parents=True)
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    lines += [
        f"[6.2901 - 8.2357]\t{turn}\t{code}\t[2.5, 2.5, 2.5]"
        for turn, code in zip(turns, ("neu", "exc", "xxx"), strict=True)
    ]
    (dialog / "EmoEvaluation/Ses01F_impro01.txt").write_text("\n".join(lines))
    (dialog / "transcriptions/Ses01F_impro01.txt").write_text("Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n")
    table = corpora.index("iemocap", tmp_path)
    assert table.speaker.tolist() == ["Ses01F", "Ses01M"] and table.label.tolist() == ["neutral", "excited"]
    assert table.text.tolist() == ["Excuse me.", "unknown"]
    assert reasons(table) == {"Ses01F_impro01_M001.wav": "has no label in the tables of iemocap"}
    (dialog / "EmoEvaluation/Ses01F_impro02.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SerlibError, match=r"impro02\.txt cannot be read \(No such file or directory\); download"):
        corpora.index("iemocap", tmp_path)


def test_meld_and_msp_podcast_are_read_with_their_tables(tmp_path):
    meld = tree(tmp_path / "meld", ["train_splits/dia0_utt0.mp4", "output_repeated_splits_test/dia0_utt0.mp4"])
    (meld / "train_splits/dia0_utt0.mp4").write_bytes(wav("one"))
    head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
    (meld / "train_sent_emo.csv").write_text(head + '1,"Oh, my God!",Ross,surprise,positive,0,0\n')
    (meld / "test_sent_emo.csv").write_text(head + "1,Hm.,Joey,joy,positive,0,0\n")
    table = corpora.index("meld", meld).sort_values("part")
    assert table.label.tolist() == ["happy", "ps"] and table.speaker.tolist() == ["Joey", "Ross"]
    assert table.part.tolist() == ["test", "train"] and table.text.tolist() == ["Hm.", "Oh, my God!"]

    names = ["MSP-PODCAST_0001_0008.wav", "MSP-PODCAST_0001_0019.wav", "MSP-PODCAST_0002_0001.wav"]
    podcast = tree(tmp_path / "msp", [f"Audios/{name}" for name in names])
    (podcast / "Labels").mkdir()
    rows = [f"{names[0]},N,4,4,4,127,Female,Train", f"{names[1]},X,4,4,4,127,Female,Train"]
    rows.append(f"{names[2]},H,4,4,4,Unknown,Male,Test1")
    text = "\n".join(["FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set", *rows])
    (podcast / "Labels/labels_consensus.csv").write_text(text)
    table = corpora.index("msppodcast", podcast)
    assert table.label.tolist() == ["neutral", "happy"] and table.speaker.tolist() == ["127", "unknown"]
    assert table.part.tolist() == ["train", "test"] and list(reasons(table)) == [names[1]]


def test_esd_says_where_number_and_folder_disagree(tmp_path):
    table = corpora.index("esd", tree(tmp_path, ["0011/Angry/0011_000001.wav", "0011/Angry/test/0011_000351.wav"]))
    assert table.label.tolist() == ["angry", "angry"] and table.part.tolist() == ["", "test"]
    (odd,) = table.attrs["repaired"]
    assert "its number belongs to neutral" in odd["what"]


def test_songs_of_ravdess_on_request(tmp_path):
    data = tree(tmp_path, ["03-01-01-01-01-01-01.wav", "03-02-03-01-01-01-01.wav"])
    table = corpora.index("ravdess", data, songs=True)
    assert table.label.tolist() == ["neutral", "happy"] and table.channel.tolist() == ["", "song"]
    with pytest.raises(SerlibError, match="emodb has no songs"):
        corpora.index("emodb", tree(tmp_path / "e", ["03a01Fa.wav"]), songs=True)


def test_copies_that_a_file_manager_named_are_seen_as_copies(tmp_path):
    data = tree(tmp_path, ["03a01Fa.wav", "03a02Nc.wav"])
    for copy in ("03a01Fa (1).wav", "03a01Fa - Copy.wav", "03a01Fa - Kopie (2).wav"):
        shutil.copy(data / "03a01Fa.wav", data / copy)
    (data / "03a02Nc (1).wav").write_bytes(wav("another take"))
    table = corpora.index("emodb", data)
    assert len(table) == 2 and table.attrs["duplicates"] == 3
    assert "another recording" in reasons(table)["03a02Nc (1).wav"]


def test_git_lfs_pointers_are_named(tmp_path):
    data = tree(tmp_path, ["1001_DFA_ANG_XX.wav"])
    (data / "1002_DFA_ANG_XX.wav").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 72862\n")
    assert "git lfs pull" in reasons(corpora.index("cremad", data))["1002_DFA_ANG_XX.wav"]


def test_ravdess_leaves_songs_and_videos_aside(tmp_path):
    names = [
        "03-01-01-01-01-01-01.wav",
        "03-02-03-01-01-01-01.wav",
        "01-01-03-01-01-01-01.mp4",
        "03-01-01-02-01-01-01.wav",
    ]
    table = corpora.index("ravdess", tree(tmp_path, names))
    assert table.label.tolist() == ["neutral"]
    said = reasons(table)
    assert said["03-02-03-01-01-01-01.wav"].startswith("is song")
    assert said["01-01-03-01-01-01-01.mp4"].startswith("is video")
    assert "strong" in said["03-01-01-02-01-01-01.wav"]
    assert len(said) == 3


NEMO = """file_id	emotion	raw_text	normalized_text	speaker_id	gender	age
EB0_anger_2.wav	anger	Dzień dobry.	dzień dobry	        EB0	female	27
WR0_surprised_2.wav	surprised	Dzień dobry.	dzień dobry	        WR0	male	23
WR0_fear_10.wav	fear	Idę, "tak".	idę tak	        WR0	male	23
"""


@pytest.mark.parametrize("place", ["", "samples", ".."])
def test_the_sentences_of_nemo_stand_in_its_table(tmp_path, place):
    names = ["EB0_anger_2", "WR0_fear_10", "WR0_surprised_2", "WR0_neutral_3"]
    data = tree(tmp_path / "nEMO", [f"samples/{name}.wav" for name in names])
    (data / "data.tsv").write_text(NEMO, encoding="utf-8")
    table = corpora.index("nemo", data / place)
    assert stems(table) == ["EB0_anger_2", "WR0_fear_10", "WR0_neutral_3", "WR0_surprised_2"]
    assert table.label.tolist() == ["angry", "fear", "neutral", "ps"]
    assert table.speaker.tolist() == ["EB0", "WR0", "WR0", "WR0"]
    assert table.text.tolist() == ["Dzień dobry.", 'Idę, "tak".', "3", "Dzień dobry."]


def test_a_table_of_nemo_that_cannot_be_read_is_named(tmp_path):
    data = tree(tmp_path, ["EB0_anger_2.wav"])
    (data / "data.tsv").write_text('file_id\traw_text\nEB0_anger_2\t"' + 140_000 * "a", encoding="utf-8")
    with pytest.raises(SerlibError, match=r"data\.tsv cannot be read \(field larger .*\); download the corpus again"):
        corpora.index("nemo", data)


def test_nemo_without_its_table_has_the_numbers_of_its_sentences(tmp_path):
    table = corpora.index("nemo", tree(tmp_path, ["EB0_anger_2.wav", "WR0_surprised_10.wav"]))
    assert table.text.tolist() == ["2", "10"]
    assert table.attrs["missing"] == ["4479 of 4481 clips of nemo"]


def test_a_file_in_the_wrong_folder_is_read_by_its_name_and_reported(tmp_path):
    table = corpora.index("tess", tree(tmp_path, ["OAF_sad/OAF_back_angry.wav", "DC/OAF_beg_sad.wav"]))
    assert table.label.tolist() == ["angry", "sad"]
    (entry,) = table.attrs["repaired"]
    assert "OAF_sad" in entry["what"] and "angry" in entry["what"]


# ---------------------------------------------------------------------------------------------------------- duplicates


def test_the_same_bytes_under_another_label_are_rejected(tmp_path):
    data = tree(tmp_path, ["OAF_back_angry.wav", "OAF_beg_sad.wav"])
    shutil.copy(data / "OAF_back_angry.wav", data / "OAF_back_fear.wav")
    table = corpora.index("tess", data)
    assert stems(table) == ["OAF_back_angry", "OAF_beg_sad"] and table.attrs["duplicates"] == 0
    assert "the same recording as" in reasons(table)["OAF_back_fear.wav"]
    assert "OAF_back_angry.wav" in reasons(table)["OAF_back_fear.wav"]
    kept = corpora.index("tess", data, duplicates="keep")
    assert len(kept) == 3 and "the same recording" in kept.attrs["repaired"][0]["what"]


def test_a_second_recording_under_the_name_of_a_clip_is_rejected(tmp_path):
    data = tree(tmp_path, ["a/OAF_back_angry.wav"])
    (data / "b").mkdir()
    (data / "b/OAF_back_angry.wav").write_bytes(wav("another"))
    table = corpora.index("tess", data)
    assert table.speech.tolist() == [str(data / "a/OAF_back_angry.wav")]
    assert "another recording of" in reasons(table)["OAF_back_angry.wav"]
    assert len(corpora.index("tess", data, duplicates="keep")) == 2


def test_a_clip_is_no_copy_of_a_recording_that_was_rejected(tmp_path):
    data = tree(tmp_path, ["x/03a01Fa.wav"])
    for name in ("y/03a01Fa.wav", "z/03a01Fb.wav"):
        (data / name).parent.mkdir()
        (data / name).write_bytes(wav("another"))
    table = corpora.index("emodb", data)
    assert stems(table) == ["03a01Fa", "03a01Fb"] and table.attrs["duplicates"] == 0
    assert "another recording of" in reasons(table)["03a01Fa.wav"]


def test_two_clips_that_the_corpus_lists_stay_though_their_bytes_agree(tmp_path):
    # Actor 7 of RAVDESS: both repetitions of one sentence are the same file.
    data = tree(tmp_path, ["x/03-01-03-01-02-01-07.wav"])
    for above in ("x", "y"):
        (data / above).mkdir(exist_ok=True)
        for repetition in ("01", "02"):
            (data / above / f"03-01-03-01-02-{repetition}-07.wav").write_bytes(wav("twin"))
    table = corpora.index("ravdess", data)
    assert len(table) == 2 and table.attrs["duplicates"] == 2
    assert [Path(path).parent.name for path in table.speech] == ["x", "x"]
    assert "same bytes" in table.attrs["repaired"][0]["what"]


def test_copies_of_own_recordings_are_dropped_whatever_their_name(tmp_path):
    data = tree(tmp_path, ["happy/one.wav", "sad/two.wav"])
    shutil.copy(data / "happy/one.wav", data / "happy/one copy.wav")
    table = corpora.index("folder", data)
    assert len(table) == 2 and table.attrs["duplicates"] == 1


# ------------------------------------------------------------------------------------------------------------ bad files


def write(path, y, rate_hz=8000, **options):
    soundfile.write(path, np.asarray(y), rate_hz, **options)


def test_bad_files_are_listed_once_with_the_reason_and_the_rest_goes_on(tmp_path):
    data = tree(tmp_path, ["OAF_back_angry.wav"])
    whole = wav("x", seconds=1)
    (data / "OAF_bar_angry.wav").write_bytes(b"")
    (data / "OAF_base_angry.wav").write_bytes(b"not audio at all " * 100)
    (data / "OAF_bath_angry.wav").write_bytes(whole[: len(whole) // 2])
    (data / "OAF_bean_angry.wav").write_bytes(whole[:30])
    write(data / "OAF_beg_angry.wav", np.zeros(8000))
    write(data / "OAF_bite_angry.wav", np.full(8000, np.nan), subtype="FLOAT")
    write(data / "OAF_boat_angry.wav", 0.1 * np.ones(40))
    write(data / "OAF_bone_angry.wav", np.zeros(0))
    (data / "OAF_book_angry.wav").symlink_to(data / "nowhere.wav")
    (data / "OAF_burn_angry.wav").symlink_to(data / "OAF_burn_angry.wav")
    (data / "holiday.wav").write_bytes(whole)
    os.mkfifo(data / "OAF_cab_angry.wav")
    (data / "loop").symlink_to(data, target_is_directory=True)
    table = corpora.index("tess", data)
    assert stems(table) == ["OAF_back_angry"]
    said = reasons(table)
    assert len(table.attrs["rejected"]) == len(said) == 13
    for word, reason in {
        "bar": "is empty",
        "base": "is text",
        "bath": "is cut short",
        "bean": "is a damaged recording in WAV",
        "beg": "is silent",
        "bite": "holds NaN",
        "boat": "is shorter than",
        "bone": "holds no samples",
        "book": "is a link that leads nowhere",
        "burn": "cannot be read (Too many levels of symbolic links)",
        "cab": "is no ordinary file",
    }.items():
        assert said[f"OAF_{word}_angry.wav"].startswith(reason), word
    assert said["holiday.wav"].startswith("is not named like a clip of tess")
    assert said["loop"].startswith("is a link back")
    assert json.loads(json.dumps(table.attrs)) == table.attrs
    assert all(str(tmp_path) not in reason for reason in said.values())


def test_the_reason_for_a_bad_file_does_not_repeat_its_name(tmp_path, home):
    data = tree(home / "data/tess", ["OAF_back_angry.wav"])
    (data / "OAF_bar_angry.wav").write_bytes(b"")
    (entry,) = corpora.index("tess").attrs["rejected"]
    assert entry["file"] == "data/tess/OAF_bar_angry.wav" and entry["reason"].startswith("is empty")


def test_files_of_which_none_can_be_used_give_an_empty_table(tmp_path):
    (tmp_path / "OAF_back_angry.wav").write_bytes(b"")
    table = corpora.index("tess", tmp_path)
    assert len(table) == 0 and list(table.columns) == COLUMNS and len(table.attrs["rejected"]) == 1
    assert table.duration_s.dtype == float and table.rate_hz.dtype == int
    assert len(corpora.expected(table)) == 0


def test_files_beside_the_clips_are_passed_over(tmp_path):
    data = tree(tmp_path, ["OAF_angry/OAF_back_angry.wav"])
    for name in (
        *("README.txt", "labels.csv", ".DS_Store", "tess.zip", "x.json", "Thumbs.db", "._OAF_back_angry.wav", "noext"),
        *(".hidden/OAF_beg_sad.wav", "__MACOSX/._OAF_beg_sad.wav", "__MACOSX/OAF_bar_sad.wav", "x.wav.part"),
    ):
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_bytes(b"\x00\x05\x16\x07")
    (data / "empty").mkdir()
    table = corpora.index("tess", data)
    assert len(table) == 1 and table.attrs["rejected"] == []


@pytest.mark.parametrize(
    "name", ['it\'s "quoted"', "two\nlines", "emoji 🙂", "semi;colon, comma", "ünï", "-rf *", "%s {x}"]
)
def test_odd_paths_work(tmp_path, name):
    data = tree(tmp_path / name, ["OAF_back_angry.wav", f"{name}.wav"])
    table = corpora.index("tess", data)
    assert Path(table.speech[0]).read_bytes() and len(table) == 1
    assert list(reasons(table)) == [one_line(f"{name}.wav")]
    own = corpora.index("folder", tree(tmp_path / "own", [f"{name}/x.wav", "rude/y.wav"]))
    assert set(own.label) == {words.normal_label(name), "rude"}


def test_a_name_that_is_not_utf8_is_rejected(tmp_path):
    data = tree(tmp_path, ["happy/good.wav"])
    try:
        (Path(os.fsdecode(os.fsencode(data) + b"/happy/b\xffd.wav"))).write_bytes(wav("bad"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    table = corpora.index("folder", data)
    assert len(table) == 1
    (entry,) = table.attrs["rejected"]
    assert "not UTF-8" in entry["reason"]
    json.dumps(entry, ensure_ascii=False).encode("utf-8")


def test_files_and_folders_without_permission(tmp_path, monkeypatch):
    data = tree(tmp_path, ["OAF_back_angry.wav", "OAF_bar_angry.wav", "shut/OAF_beg_sad.wav"])
    listed = os.scandir

    def refuse_file(path, *mode, **options):
        if path.name == "OAF_bar_angry.wav":
            raise PermissionError(13, "Permission denied")
        return open(path, *mode, **options)

    def refuse_folder(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(index_cache, "open", refuse_file, raising=False)
    monkeypatch.setattr(common.os, "scandir", refuse_folder)
    table = corpora.index("tess", data)
    assert stems(table) == ["OAF_back_angry"]
    assert reasons(table)["OAF_bar_angry.wav"].startswith("cannot be read (Permission denied)")
    assert reasons(table)["shut"].startswith("cannot be opened (Permission denied)")


def test_linked_folders_are_entered_once(tmp_path):
    elsewhere = tree(tmp_path / "z elsewhere", ["OAF_back_angry.wav"])
    data = tree(tmp_path / "data", ["z real/OAF_beg_sad.wav"])
    (data / "a link").symlink_to(elsewhere, target_is_directory=True)
    (data / "b link").symlink_to(data / "z real", target_is_directory=True)
    table = corpora.index("tess", data)
    assert [Path(path).parent.name for path in table.speech] == ["a link", "z real"]
    assert table.attrs["duplicates"] == 0 and table.attrs["rejected"] == []
    (tmp_path / "linked").symlink_to(data, target_is_directory=True)
    assert len(corpora.index("tess", tmp_path / "linked")) == 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("03a01Fa.wav", {"format": "AIFF"}),
        ("03a01Fa.flac", {"format": "FLAC"}),
        ("03a01Fa.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("03a01Fa.mp3", {"format": "WAV"}),
        ("03a01Fa.WAV", {"subtype": "FLOAT"}),
    ],
)
def test_any_container_under_any_name(tmp_path, name, options):
    table = corpora.index("emodb", tree(tmp_path, [name], rate_hz=16000, **options))
    assert table.rate_hz.tolist() == [16000] and table.label.tolist() == ["happy"]


def test_a_recording_that_cannot_be_read_names_the_mend(tmp_path):
    data = tree(tmp_path, ["happy/good.wav"])
    (data / "happy/voice.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    assert reasons(corpora.index("folder", data))["voice.m4a"].endswith("or a part of it is missing; copy it again")


def test_long_files_are_judged_in_blocks(tmp_path, monkeypatch):
    data = tree(tmp_path, ["happy/long.wav"], seconds=3.0)
    (tmp_path / "sad").mkdir()
    y = np.zeros(24000)
    write(data / "sad/silent.wav", y)
    y[-1] = np.nan
    write(data / "sad/nan.wav", y, subtype="FLOAT")
    write(data / "sad/late.wav", np.append(np.zeros(23000), 0.1 * np.ones(1000)))
    plain = corpora.index("folder", data)
    assert plain.duration_s.tolist() == [3.0, 3.0]
    monkeypatch.setattr(audio.containers, "_BLOCK", 1000)
    table = corpora.index("folder", data)
    pd.testing.assert_frame_equal(table, plain)
    assert table.attrs == plain.attrs
    assert reasons(table) == {"silent.wav": "is silent", "nan.wav": "holds NaN or infinite samples"}


def test_an_hour_of_sound_takes_no_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "happy/hour.flac"
    path.parent.mkdir()
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as sound:
        for _ in range(60):
            sound.write(np.zeros(8000 * 60, np.int16))
        sound.write(np.full(8000, 1000, np.int16))
    index_cache._read(path, {})
    tracemalloc.start()
    digest, duration_s, rate_hz, fault, _ = index_cache._read(path, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (duration_s, rate_hz, fault) == (3601.0, 8000, None) and len(digest) == 32
    assert peak < 30e6  # the whole would be 115 MB


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=60).map(lambda noise: wav("x")[:44] + noise)))
def test_no_bytes_stop_the_index(tmp_path, data):
    root = tree(tmp_path, ["happy/good.wav"])
    (root / "happy/odd.wav").write_bytes(data)
    table = corpora.index("folder", root)
    assert len(table) + len(table.attrs["rejected"]) + table.attrs["duplicates"] == 2


# ------------------------------------------------------------------------------------------------------ wrong folders


def test_another_corpus_is_named_in_one_sentence(tmp_path):
    data = tree(tmp_path / "tess", ["03-01-01-01-01-01-01.wav", "03-01-02-01-01-01-01.wav"])
    with pytest.raises(SerlibError, match=r"holds .*RAVDESS.*\(2 of 2 file names fit ravdess\).*index ravdess"):
        corpora.index("tess", data)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: root / "nowhere", "does not exist; run: python -m serlib download tess"),
        (lambda root: root, "holds no sound file; run: python -m serlib download tess"),
        (lambda root: tree(root, ["a/b/holiday.wav"]), "None of the 1 sound files"),
        (lambda root: tree(root, ["x.wav"]) / "x.wav", "is a file; expected the folder"),
    ],
)
def test_a_folder_without_the_corpus_is_refused_with_the_mend(tmp_path, make, says):
    with pytest.raises(SerlibError, match=says) as error:
        corpora.index("tess", make(tmp_path))
    assert "\n" not in str(error.value)


def test_an_archive_that_was_not_unpacked(tmp_path):
    (tmp_path / "archive.zip").write_bytes(b"PK")
    with pytest.raises(SerlibError, match=r"but the archive archive\.zip; unpack it there"):
        corpora.index("tess", tmp_path)


def test_only_songs(tmp_path):
    with pytest.raises(SerlibError, match="holds no speech"):
        corpora.index("ravdess", tree(tmp_path, ["03-02-03-01-01-01-01.wav"]))


def test_a_corpus_nested_deep_is_found(tmp_path):
    assert len(corpora.index("tess", tree(tmp_path, ["a/b/c/d/e/OAF_angry/OAF_back_angry.wav"]))) == 1


def test_requests_that_cannot_be_met(tmp_path):
    with pytest.raises(SerlibError, match="no corpus 'tes'; choose one of sample, tess"):
        corpora.index("tes", tmp_path)
    with pytest.raises(SerlibError, match="choose drop or keep"):
        corpora.index("tess", tmp_path, duplicates="maybe")
    with pytest.raises(SerlibError, match="give a folder for each"):
        corpora.index(["tess", "ravdess"], [tmp_path])
    with pytest.raises(SerlibError):
        corpora.index([], [])


# ---------------------------------------------------------------------------------------------------- several corpora


def test_several_corpora_in_the_given_order_with_merged_attrs(tmp_path):
    ravdess_folder = tree(tmp_path / "r", ["Actor_01/03-01-05-01-01-01-01.wav", "Actor_01/holiday.wav"])
    tess_folder = tree(tmp_path / "t", ["OAF_back_angry.wav", "OA_bite_neutral.wav", "copy/OAF_back_angry.wav"])
    table = corpora.index(["ravdess", "tess"], [ravdess_folder, tess_folder])
    assert table.corpus.tolist() == ["ravdess", "tess", "tess"]
    assert isinstance(table.index, pd.RangeIndex)
    assert list(reasons(table)) == ["holiday.wav"] and table.attrs["duplicates"] == 1
    assert len(table.attrs["repaired"]) == 1 and len(table.attrs["missing"]) == 2
    expected = corpora.expected(table)
    assert list(dict.fromkeys(expected.corpus)) == ["ravdess", "tess"]
    again = corpora.index(["tess", "tess"], [tess_folder, tess_folder])
    assert len(again) == 2 and again.attrs["duplicates"] == 4


def test_own_recordings_in_two_folders_may_have_the_same_names(tmp_path):
    for name in "ab":
        (tmp_path / name / "happy").mkdir(parents=True)
        (tmp_path / name / "happy/1.wav").write_bytes(wav(name))
    assert len(corpora.index(["folder", "folder"], [tmp_path / "a", tmp_path / "b"])) == 2


# ----------------------------------------------------------------------------------------------------- own recordings


@pytest.mark.parametrize(
    ("names", "labels", "speakers"),
    [
        (["angry/1.wav", "happy/2.wav"], ["angry", "happy"], ["unknown"] * 2),
        (["Anger/ann/1.wav", "Surprise/bob/2.wav"], ["angry", "ps"], ["ann", "bob"]),
        (
            ["ann/angry/1.wav", "bob/angry/2.wav", "bob/excited/3.wav"],
            ["angry", "angry", "excited"],
            ["ann", "bob", "bob"],
        ),
        (["excited/ann/1.wav", "tired/ann/2.wav"], ["excited", "tired"], ["ann", "ann"]),
        (["train/happy/1.wav", "test/sad/2.wav"], ["sad", "happy"], ["unknown"] * 2),
        (["mine/happy/ann/1.wav", "mine/sad/ann/2.wav"], ["happy", "sad"], ["ann", "ann"]),
    ],
)
def test_layouts_of_own_recordings(tmp_path, names, labels, speakers):
    table = corpora.index("folder", tree(tmp_path, names))
    assert (table.label.tolist(), table.speaker.tolist()) == (labels, speakers)
    assert set(table.text) == {"unknown"} and set(table.corpus) == {"folder"}
    assert table.attrs["missing"] == []


def test_recordings_in_no_label_folder_are_rejected(tmp_path):
    table = corpora.index("folder", tree(tmp_path, ["happy/1.wav", "2.wav"]))
    assert len(table) == 1 and reasons(table)["2.wav"].startswith("lies in no folder")
    shutil.rmtree(tmp_path / "happy")
    with pytest.raises(SerlibError, match=r"No folder of .* names a label; put each label into a folder of its own"):
        corpora.index("folder", tmp_path)


def test_a_table_of_own_recordings(tmp_path):
    tree(tmp_path, ["a b/1.wav", "2.wav", "NA.wav"])
    text = "Speech, Emotion ,speaker,text\na b/1.wav,Happiness,=HYPERLINK(1),007\n2.wav,tired,,\nNA.wav,sad,NA,null\n"
    for name in ("index.csv", "metadata.csv", "other.csv"):
        (tmp_path / name).write_text(text)
        table = corpora.index("folder", tmp_path / name if name == "other.csv" else tmp_path)
        (tmp_path / name).unlink()
        assert sorted(zip(table.label, table.speaker, table.text, strict=True)) == [
            ("happy", "=HYPERLINK(1)", "007"),
            ("sad", "unknown", "unknown"),
            ("tired", "unknown", "unknown"),
        ]
        assert table.speech.tolist() == natsorted(table.speech)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tables_of_many_makers(tmp_path, encoding, separator, newline):
    tree(tmp_path, ["sub/é.wav"])
    lines = [separator.join(["speech", "label", "speaker"]), separator.join(["sub/é.wav", "wütend", "Zoë"])]
    (tmp_path / "index.csv").write_bytes(newline.join(lines).encode(encoding))
    table = corpora.index("folder", tmp_path)
    assert (table.label[0], table.speaker[0]) == ("angry", "Zoë")


def test_paths_in_a_table(tmp_path):
    elsewhere = tree(tmp_path / "elsewhere", ["far.wav", "out.wav"])
    data = tree(tmp_path / "data", ["near.wav", "sub/win.wav", "unlabelled.wav"])
    rows = ["near.wav,happy", "sub/../near.wav,happy", "sub\\win.wav,sad", "../elsewhere/out.wav,sad"]
    rows += [
        f"{elsewhere / 'far.wav'},angry",
        "gone.wav,sad",
        ",sad",
        "unlabelled.wav,",
        "",
        ",,,",
        "x" * 300 + ".wav,sad",
    ]
    (data / "index.csv").write_text("\n".join(["speech,label", *rows]))
    table = corpora.index("folder", data)
    assert sorted(stems(table)) == ["far", "near", "win"] and table.attrs["duplicates"] == 1
    said = reasons(table)
    assert "outside the folder of index.csv" in said["out.wav"]
    assert said["gone.wav"].startswith("does not exist")
    assert "line 8" in said["index.csv"]
    assert "no label in line 9" in said["unlabelled.wav"]
    assert "File name too long" in said["x" * 300 + ".wav"]


def test_one_recording_with_two_labels_in_a_table(tmp_path):
    tree(tmp_path, ["1.wav"])
    (tmp_path / "index.csv").write_text("speech,label\n1.wav,happy\n1.wav,sad\n")
    table = corpora.index("folder", tmp_path)
    assert table.label.tolist() == ["happy"] and "same recording" in reasons(table)["1.wav"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has the columns none"),
        (b"a,b\n1,2\n", "has the columns a, b; expected speech,label"),
        (b"speech,label\n", "lists no recording"),
        (b'speech,label\n"' + b"x" * 200_000 + b'",sad\n', "is no CSV in line"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, says):
    (tmp_path / "index.csv").write_bytes(content)
    with pytest.raises(SerlibError, match=says):
        corpora.index("folder", tmp_path)


@given(st.binary(max_size=200), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_no_table_stops_with_a_traceback(tmp_path, content, heading):
    (tmp_path / "index.csv").write_bytes((b"speech,label,speaker\n" if heading else b"") + content)
    try:
        table = corpora.index("folder", tmp_path)
        assert len(table) == 0 and table.attrs["rejected"]
    except SerlibError:
        pass


def test_own_recordings_that_are_not_there(tmp_path):
    for place in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(SerlibError, match="one folder a label"):
            corpora.index("folder", place)


# ------------------------------------------------------------------------------------------- find, present, default


@pytest.fixture
def bare(home, monkeypatch):
    """An empty home and no Kaggle."""
    monkeypatch.setattr(registry, "KAGGLE_INPUT", home / "kaggle/input")
    return home


def test_where_a_corpus_is_looked_for(bare, monkeypatch):
    assert not corpora.present("tess") and corpora.default() == "sample"
    with pytest.raises(SerlibError, match="not found in data/tess; run: python -m serlib download tess"):
        corpora.find("tess")
    kaggle = tree(bare / "kaggle/input/toronto-emotional-speech-set-tess", ["x/OAF_back_angry.wav"])
    assert corpora.find("tess") == kaggle and corpora.present("tess") and corpora.default() == "tess"
    nested = tree(bare / "data/tess-kaggle", ["TESS data/OAF_back_angry.wav"])
    assert corpora.find("tess") == nested
    plain = tree(bare / "data/tess", ["OAF_back_angry.wav"])
    assert corpora.find("tess") == plain
    monkeypatch.setenv(
        "SERLIB_DATA", str(tree(bare / "itself", ["OAF_angry/OAF_beg_angry.wav", "OAF_sad/OAF_beg_sad.wav"]))
    )
    assert corpora.find("tess") == bare / "itself"
    monkeypatch.setenv("SERLIB_DATA", str(tree(bare / "own", ["tess/OAF_beg_angry.wav"])))
    assert corpora.find("tess") == bare / "own/tess"
    assert corpora.index("tess").text.tolist() == ["beg"]
    assert corpora.index(["tess", "tess"], [None, plain]).text.tolist() == ["beg", "back"]


def test_kaggle_kernels_mount_data_sets_in_two_ways(bare):
    root = bare / "kaggle/input"
    deep = tree(root / "datasets/uwrfkaggler/ravdess-emotional-speech-audio", ["Actor_01/03-01-01-01-01-01-01.wav"])
    assert corpora.find("ravdess") == deep
    tree(
        root / "all-of-them",
        ["Crema/1001_DFA_ANG_XX.wav", "Tess/OAF_angry/OAF_back_angry.wav", "Tess/OAF_sad/OAF_beg_sad.wav"],
    )
    assert corpora.find("tess") == root / "all-of-them/Tess"
    assert corpora.find("cremad") == root / "all-of-them/Crema"
    assert not corpora.present("emodb")


def test_a_folder_that_holds_another_corpus_is_named(bare):
    tree(bare / "data/tess", ["03-01-01-01-01-01-01.wav"])
    assert not corpora.present("tess")
    with pytest.raises(SerlibError, match=r"data/tess holds .*RAVDESS.*run: python -m serlib index ravdess data/tess"):
        corpora.find("tess")


def test_the_default_corpus(bare, monkeypatch):
    tree(bare / "data/tess", ["OAF_back_angry.wav"])
    assert corpora.default() == "tess"
    monkeypatch.setenv("SERLIB_CORPUS", "ravdess")
    assert corpora.default() == "ravdess"
    monkeypatch.setenv("SERLIB_CORPUS", "nonsense")
    with pytest.raises(SerlibError, match="no corpus 'nonsense'"):
        corpora.default()


def test_the_sample_corpus_is_made_once_and_never_by_looking(bare, monkeypatch):
    made = []

    def make(to, **options):
        made.append(options)
        tree(to, ["S1_angry/S1_back_angry.wav"])
        return to

    monkeypatch.setattr(registry.sample, "make", make)
    assert not corpora.present("sample") and made == []
    assert corpora.find("sample") == bare / "data/sample" and made == [{}]
    assert corpora.find("sample") == bare / "data/sample" and made == [{}] and corpora.present("sample")
    (bare / "data/sample/sample.json").write_text('{"words": 7, "seed": 3, "recipe": 0}')
    corpora.find("sample")  # make() knows whether it is still right
    assert made == [{}, {"words": 7, "seed": 3}]
    assert corpora.index("sample").speaker.tolist() == ["S1"]


def test_own_recordings_are_looked_for_in_their_folder_only(bare):
    tree(bare / "data/tess", ["OAF_angry/OAF_back_angry.wav"])
    assert not corpora.present("folder")
    tree(bare / "data/folder", ["happy/1.wav"])
    assert corpora.find("folder") == bare / "data/folder" and corpora.index("folder").label.tolist() == ["happy"]


def test_notices():
    assert "say nothing about people" in corpora.notice("sample") and "synthetic" in corpora.notice("sample")
    assert "CC BY-NC-ND 4.0" in corpora.notice("tess") and "people" not in corpora.notice("tess")
    assert "shares some sentences" in corpora.notice("savee")
    for name in CORPORA:
        assert corpora.notice(name).endswith(".") and "\n" not in corpora.notice(name)
    with pytest.raises(SerlibError):
        corpora.notice("nonsense")


def test_importing_the_corpora_loads_nothing_slow():
    import subprocess
    import sys

    slow = ("librosa", "tensorflow", "matplotlib", "sklearn")
    code = f"import sys, serlib.corpora; print([name for name in {slow} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# -------------------------------------------------------------------------------------------------------- real corpora


@pytest.fixture
def real_tess(real_index):
    return real_index("tess")


@pytest.mark.real
def test_real_tess(real_tess):
    table = real_tess
    assert len(table) == 2798
    assert sorted(set(table.speaker)) == ["OAF", "YAF"] and table.text.nunique() == 200
    assert set(table.text) == set(published.TABLES["tess"]["texts"])
    counts = {label: 399 if label in ("angry", "sad") else 400 for label in CORPORA["tess"].labels}
    assert table.label.value_counts().to_dict() == counts
    assert table.attrs["missing"] == ["OAF_back_angry", "YAF_beg_sad"]
    assert [Path(entry["file"]).name for entry in table.attrs["repaired"]] == ["OA_bite_neutral.wav"]
    assert table.attrs["rejected"] == [] and table.attrs["duplicates"] == 0
    assert table.rate_hz.value_counts().to_dict() == {24414: 2797, 96000: 1}
    assert {"YAF_germ_angry", "YAF_neat_fear"} <= set(stems(table))  # AIFF behind a .wav name
    assert table.duration_s.between(1.2, 3.1).all()


@pytest.mark.real
def test_real_tess_as_on_kaggle_is_the_same_table(real, real_tess):
    table = corpora.index("tess", real / "tess-kaggle")
    pd.testing.assert_frame_equal(table.drop(columns="speech"), real_tess.drop(columns="speech"))
    assert table.attrs["duplicates"] == 2798 and table.attrs["rejected"] == []
    assert table.attrs["missing"] == real_tess.attrs["missing"] and len(table.attrs["repaired"]) == 1


@pytest.mark.real
def test_real_ravdess(real_index):
    table = real_index("ravdess")
    assert len(table) == 1440 and table.speaker.nunique() == 24 and table.text.nunique() == 2
    counts = {label: 96 if label == "neutral" else 192 for label in CORPORA["ravdess"].labels}
    assert table.label.value_counts().to_dict() == counts
    assert table.attrs["missing"] == [] and table.attrs["rejected"] == [] and table.attrs["duplicates"] == 0
    assert table.speech.tolist() == natsorted(table.speech)
    assert len(table) - table.digest.nunique() == 1  # the twins of actor 7


@pytest.mark.real
def test_real_nemo(real_index):
    table = real_index("nemo")
    assert len(table) == 4481 and table.attrs["missing"] == [] and table.attrs["rejected"] == []
    assert table.attrs["duplicates"] == 0
    assert table.label.value_counts().to_dict() == CORPORA["nemo"].labels
    assert sorted(set(table.speaker)) == list(CORPORA["nemo"].speakers)
    assert table.text.nunique() == 90 and table.text.str.contains(" ").all()
    clip = table[table.speech.str.endswith("WR0_surprised_64.wav")].iloc[0]
    assert (clip.label, clip.speaker, clip.text) == ("ps", "WR0", "Ucho wykrywa dźwięki o różnej częstotliwości.")


@pytest.mark.real
def test_real_corpora_together(real, real_index, real_tess):
    table = real_index("tess", "ravdess")
    assert len(table) == 4238 and table.corpus.tolist()[:2798] == ["tess"] * 2798
    pd.testing.assert_frame_equal(table.iloc[:2798], real_tess)
    with pytest.raises(SerlibError, match=r"1440 of 1440 file names fit ravdess"):
        corpora.index("tess", real / "ravdess")
