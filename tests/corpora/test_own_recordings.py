"""Own recordings from folder to index and back: tables of many makers, spellings, labels, formats."""

import json
import shutil
import unicodedata
from pathlib import Path

import audformat
import pandas as pd
import pytest
import soundfile

from serlib import corpora
from serlib.corpora import export
from serlib.utils import SerlibError
from tests.corpora.test_corpora import reasons, tree, wav


def own(folder, names, table=None, *, name="t.csv", **options):
    """Index of clips with these names, and of a table beside them."""
    tree(folder, names)
    if table is not None:
        (folder / name).write_text(table, encoding="utf-8")
        folder = folder / name
    return corpora.index("folder", folder, **options)


NAMES = ["0.wav", "1.wav", "2.wav", "3.wav"]


@pytest.mark.parametrize(
    "head",
    [
        "Path,Emotions",
        "file_name,label",
        "file_path,emotion",
        "filepath,emotion",
        "audio,label",
        "speech , label",
        "WAV,Class",
    ],
)
@pytest.mark.parametrize("row", ["{},{}", " {} , {} ", '"{}","{}"', "./{},{}", "{}\t,{}"])
def test_headings_and_cells_that_people_write(tmp_path, head, row):
    rows = [row.format(name, "happy" if i % 2 else "sad") for i, name in enumerate(NAMES)]
    table = own(tmp_path, NAMES, "\n".join([head, *rows]))
    assert table.label.tolist() == ["sad", "happy", "sad", "happy"]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nspeech;label;actor\n0.wav;sad;x\n1.wav;joy;y\n",
        "# made by hand\nspeech|label|speaker_id\n0.wav|sad|x\n# a comment\n1.wav|joy|y\n",
        "speech\tlabel\tspk\n0.wav\tsad\tx\n\n1.wav\tjoy\ty\n",
        "\ufefffile,speaker,gender,emotion\n0.wav,x,male,sad\n1.wav,y,female,joy\n",
    ],
)
def test_dialects(tmp_path, text):
    table = own(tmp_path, NAMES[:2], text)
    assert table.label.tolist() == ["sad", "happy"] and table.speaker.tolist() == ["x", "y"]


def test_more_columns_stay(tmp_path):
    table = own(tmp_path, NAMES[:2], "file,emotion,Site,split\n0.wav,sad,lab,Train\n1.wav,joy,home,eval\n")
    assert table.site.tolist() == ["lab", "home"] and table.part.tolist() == ["train", "test"]


def test_paths_of_another_computer_are_found_by_their_end(tmp_path):
    rows = f"speech,label\nD:\\set\\a\\0.wav,sad\n/elsewhere/a/1.wav,joy\nfile://{tmp_path}/a/2.wav,sad\n3,joy\n"
    tree(tmp_path, [f"a/{name}" for name in NAMES[:3]])
    table = own(tmp_path, ["3.wav"], rows + "https://x.org/4.wav,sad\n../5.wav,sad\nfile://[6.wav,sad\n")
    assert [Path(path).name for path in table.speech] == ["3.wav", *NAMES[:3]] and len(table) == 4
    assert any("lead nowhere" in note for note in table.attrs["notes"])
    assert "is an address" in reasons(table)["4.wav"] and "outside" in reasons(table)["5.wav"]


def test_a_file_that_two_paths_of_another_computer_may_mean_is_not_used(tmp_path):
    tree(tmp_path, ["b/2.wav"])
    table = own(tmp_path, ["1.wav"], "file,label\n/x/a/1.wav,sad\n/x/b/1.wav,joy\n/x/b/2.wav,joy\n/x/b/2.wav,joy\n")
    assert [Path(path).name for path in table.speech] == ["2.wav"] and table.attrs["duplicates"] == 1
    assert reasons(table) == {"1.wav": "may be any of /x/a/1.wav and /x/b/1.wav of t.csv; write its path there"}


def test_two_formats_under_two_labels_are_two_recordings(tmp_path):
    (tmp_path / "0.flac").write_bytes(wav("0.flac", format="FLAC"))
    table = own(tmp_path, NAMES[:1], "file,label\n0.wav,sad\n0.flac,joy\n")
    assert sorted(table.label) == ["happy", "sad"] and table.attrs["rejected"] == []


def test_two_columns_for_one_thing_are_asked_for(tmp_path):
    text = "file,emotion,label\n0.wav,sad,1\n1.wav,sad,2\n"
    with pytest.raises(SerlibError, match=r"columns label and emotion.*--columns label=label"):
        own(tmp_path, NAMES[:2], text)
    assert own(tmp_path, NAMES[:2], text, columns={"label": "emotion"}).label.tolist() == ["sad", "sad"]
    same = own(tmp_path, NAMES[:2], "file,label,emotion\n0.wav,1,sad\n1.wav,2,joy\n")
    assert same.label.tolist() == ["sad", "happy"]  # numbers for the same words
    with pytest.raises(SerlibError, match="no column 'mood'; choose from file"):
        own(tmp_path, NAMES[:2], text, columns={"label": "mood"})
    with pytest.raises(SerlibError, match=r"lable=\.\.\.: an index has no such column; choose from speech, label"):
        own(tmp_path, NAMES[:2], text, columns={"lable": "emotion"})


def test_columns_without_a_table_are_pointed_out(tmp_path):
    notes = own(tmp_path, ["happy/1.wav", "sad/2.wav"], columns={"label": "emotion"}).attrs["notes"]
    assert notes[0].endswith("is read, so --columns says nothing there")


def test_json_without_an_end_is_said(tmp_path):
    with pytest.raises(SerlibError, match="holds no JSON object in line 1"):
        own(tmp_path, NAMES[:1], "[" * 100_000, name="t.json")


def test_cut_recordings_and_doubled_rows_are_rejected(tmp_path):
    table = own(
        tmp_path, NAMES[:3], "file,start,end,emotion\n0.wav,0 days,,sad\n1.wav,0 days 00:00:02,,joy\n2.wav,0.0,,sad\n"
    )
    assert len(table) == 2 and "cut it into files" in reasons(table)["1.wav"]
    table = own(tmp_path, NAMES[:1], "speech,label\n0.wav,sad\n0.wav,joy\n")
    assert "line 2 of t.csv says unknown sad unknown, line 3 of t.csv unknown happy" in reasons(table)["0.wav"]


def test_a_foreign_table_beside_label_folders(tmp_path):
    tree(tmp_path, ["happy/1.wav", "sad/2.wav"])
    (tmp_path / "metadata.csv").write_text("file_name,transcription\nhappy/1.wav,hello\n")
    table = corpora.index("folder", tmp_path)
    assert table.label.tolist() == ["happy", "sad"] and "metadata.csv names no labels" in table.attrs["notes"][-1]


def test_recordings_that_the_table_of_a_folder_does_not_name_are_named(tmp_path):
    tree(tmp_path / "real", [*NAMES, "later/4.wav"])
    (tmp_path / "real/metadata.csv").write_text("file_name,label\n0.wav,sad\n1.wav,joy\n2.wav,\n")
    table = corpora.index("folder", tmp_path / "real")
    assert len(table) == 2 and list(reasons(table)) == ["2.wav"]
    assert table.attrs["notes"][-1] == "not in metadata.csv, so not used: 3.wav, later/4.wav"
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    rows = "".join(f"{tmp_path}/link/{name},sad\n" for name in [*NAMES, "later/4.wav"])
    (tmp_path / "real/metadata.csv").write_text("file_name,label\n" + rows)
    table = corpora.index("folder", tmp_path / "real")
    assert len(table) == 5 and not any("not used" in note for note in table.attrs["notes"])


def test_a_table_of_another_name_is_offered(tmp_path):
    tree(tmp_path, NAMES)
    (tmp_path / "labels.csv").write_text("speech,label\n0.wav,sad\n")
    with pytest.raises(SerlibError, match=r"names a label.*; or name its table: .*labels\.csv"):
        corpora.index("folder", tmp_path)


def test_what_was_understood_is_noted(tmp_path):
    names = [
        f"{s}/{e}/{p}/{i}.wav"
        for s in ("0011", "0012")
        for e in ("Angry", "Sad")
        for p in ("train", "test")
        for i in "ab"
    ]
    for i, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(wav(i))
    table = corpora.index("folder", tmp_path)
    assert table.attrs["notes"] == [
        "labels from the 2nd folder: angry, sad",
        "speakers from the 1st folder: 0011, 0012",
        "a given split from the 3rd folder: test, train (--split given)",
    ]
    assert set(table.part) == {"train", "test"}
    plain = corpora.index("folder", tree(tmp_path / "x", ["rude/1.wav", "polite/2.wav"])).attrs["notes"]
    assert "no emotion word" in plain[0] and plain[1] == "speakers unknown: no folder names them"


@pytest.mark.parametrize(
    ("layout", "names", "command"),
    [
        ("RAVDESS", ["Actor_01/03-01-05-01-01-01-01.wav", "Actor_02/03-01-04-01-01-01-02.wav"], "index ravdess"),
        ("TESS", ["OAF_angry/OAF_back_angry.wav", "YAF_sad/YAF_bar_sad.wav"], "index tess"),
        ("EMOVO", ["f1/gio-f1-b1.wav", "m1/tri-m1-b1.wav"], "index emovo"),
        ("nEMO", ["samples/WR0_surprised_64.wav", "samples/EB0_anger_1.wav"], "index nemo"),
        ("IEMOCAP", ["Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"], "index iemocap"),
        ("ESD", ["0011/Angry/0011_000351.wav", "0012/Sad/0012_001051.wav"], "index esd"),
    ],
)
def test_a_known_corpus_given_as_own_recordings_is_named(tmp_path, layout, names, command):
    with pytest.raises(SerlibError, match=f"{layout}.*{command} .*--pattern"):
        corpora.index("folder", tree(tmp_path, names))


def test_folders_in_the_shape_of_a_known_corpus_are_read_where_the_names_are_others(tmp_path):
    """In ESD these numbers are those of neutral sentences."""
    table = corpora.index("folder", tree(tmp_path, ["0011/Angry/0011_000001.wav", "0012/Sad/0012_000002.wav"]))
    assert table.label.tolist() == ["angry", "sad"] and table.speaker.tolist() == ["0011", "0012"]


def test_the_combined_kaggle_set_is_named_with_a_folder_each(tmp_path):
    tree(tmp_path, ["Crema/1001_DFA_ANG_XX.wav", "Ravdess/Actor_01/03-01-05-01-01-01-01.wav", "Savee/DC_a01.wav"])
    with pytest.raises(SerlibError, match=r"ravdess \S*Ravdess\S* cremad \S*Crema savee \S*Savee"):
        corpora.index("folder", tmp_path)
    assert corpora.index("folder", tmp_path, pattern="{label}/**").label.nunique() == 3


def test_one_person_in_two_spellings(tmp_path):
    names = ["Anna", "anna", "1", "01", "1.0", "Zoë", unicodedata.normalize("NFD", "Zoë"), "NA", "?", "nan", ""]
    files = [f"{i}.wav" for i in range(len(names))]
    rows = [
        f"{file},{'sad' if i % 2 else 'happy'},{name}" for i, (file, name) in enumerate(zip(files, names, strict=True))
    ]
    table = own(tmp_path, files, "\n".join(["speech,label,speaker", *rows]))
    assert table.speaker.nunique() == 4 and (table.speaker == "unknown").sum() == 4
    notes = [note for note in table.attrs["notes"] if "are one speaker" in note]
    assert len(notes) == 3 and "Anna and anna are one speaker, called Anna" in notes


def test_labels_are_merged_and_dropped(tmp_path):
    names = ["joy/1.wav", "excited/2.wav", "other/3.wav", "sad/4.wav"]
    table = own(tmp_path, names, labels={"happy": "joy,excited"}, drop=("other",))
    assert sorted(table.label) == ["happy", "happy", "sad"] and table.attrs["dropped"] == {"other": 1}
    assert table.attrs["notes"][-1] == "dropped: 1 clips labelled other"
    assert sorted(own(tmp_path, names, labels={"joy": ["happy"]}).label) == ["excited", "joy", "other", "sad"]
    assert sorted(own(tmp_path, names, labels={"Happy": ["happy"]}).label) == ["Happy", "excited", "other", "sad"]
    with pytest.raises(SerlibError, match="'Happy' and 'happy' would be two labels; write happy"):
        own(tmp_path, names, labels={"Happy": ["excited"]})
    with pytest.raises(SerlibError, match="'sadness' and 'sad' would be two labels; write sad"):
        own(tmp_path, names, labels={"sadness": ["other"]})
    for options in ({"labels": {"happy": ["zeal"]}}, {"drop": ["zeal"]}):
        with pytest.raises(
            SerlibError, match="No clip has the label 'zeal'; the labels are happy, sad, excited, other"
        ):
            own(tmp_path, names, **options)
    with pytest.raises(SerlibError, match="choose from pattern, label_level"):
        own(tmp_path, names, nonsense=1)


def test_patterns_are_for_own_recordings(tmp_path):
    table = own(tmp_path, ["lab/anna_hap_1.wav", "home/bob_sad_2.wav"], pattern="{site}/{speaker}_{label}_*")
    assert table.label.tolist() == ["sad", "happy"] and table.site.tolist() == ["home", "lab"]
    assert table.speaker.tolist() == ["bob", "anna"]
    with pytest.raises(SerlibError, match=r"No file of .* fits the pattern"):
        own(tmp_path, [], pattern="{speaker}/{label}/x/*")
    with pytest.raises(SerlibError, match="--pattern is for own recordings"):
        corpora.index("emodb", tree(tmp_path / "e", ["03a01Fa.wav"]), pattern="{label}/*")


# ------------------------------------------------------------------------------------------------------- other formats


@pytest.fixture
def table(tmp_path):
    names = ["anna/happy/1.wav", "anna/sad/2.wav", "bob/happy/3.wav", "bob/sad/4, x.wav"]
    return corpora.index("folder", tree(tmp_path / "own", names))


def same(one, other):
    columns = ["label", "speaker", "text", "digest"]
    return one[columns].sort_values("digest").values.tolist() == other[columns].sort_values("digest").values.tolist()


def test_an_index_as_csv_is_read_back(tmp_path, table):
    assert same(table, corpora.index("folder", export.write(table, tmp_path / "t.csv")))
    export.write(table[:2], tmp_path / "t.csv")
    assert len(corpora.index("folder", tmp_path / "t.csv")) == 2


def test_an_index_replaces_nothing_of_the_user_s(tmp_path, table):
    (tmp_path / "labels.csv").write_text("file_name,label,valence\n1.wav,sad,3\n")
    for name in ("labels.csv", "own/anna/happy/1.wav", "own"):
        with pytest.raises(SerlibError, match=r"is no index; name a new file|is a folder, which stays"):
            export.write(table, tmp_path / name)
    assert "valence" in (tmp_path / "labels.csv").read_text() and same(table, corpora.index("folder", tmp_path / "own"))


def test_an_index_as_audformat_is_read_by_audformat_and_by_us(tmp_path, table):
    folder = export.write(table, tmp_path / "db", to="audformat")
    database = audformat.Database.load(str(folder))
    sheet = database["files"].get()
    assert sorted(sheet.emotion) == sorted(table.label) and sorted(sheet.speaker) == sorted(table.speaker)
    assert all((folder / file).is_file() for file in sheet.index)
    assert same(table, corpora.index("folder", folder))


@pytest.mark.parametrize(("to", "sheet"), [("audformat", "db.files.csv"), ("hf", "metadata.csv")])
def test_a_column_that_is_called_as_the_database_calls_its_own_is_written_once(tmp_path, table, to, sheet):
    folder = export.write(table.assign(emotion="3", file="x.wav", file_name="y.wav"), tmp_path / "db", to=to)
    heading = (folder / sheet).read_text().partition("\n")[0].split(",")
    assert len(set(heading)) == len(heading)
    assert same(table, corpora.index("folder", folder))


def test_an_audformat_database_of_others(tmp_path):
    tree(tmp_path, ["wav/a.wav", "wav/b.wav", "wav/c.wav"])
    database = audformat.Database("other")
    database.schemes["emotion"] = audformat.Scheme(labels=["anger", "sadness"])
    database.schemes["speaker"] = audformat.Scheme("str")
    for name, files, values in (
        ("emotion.train", ["a", "b"], ["anger", "sadness"]),
        ("emotion.test", ["c"], ["anger"]),
    ):
        database[name] = audformat.Table(audformat.filewise_index([f"wav/{file}.wav" for file in files]))
        database[name]["emotion"] = audformat.Column(scheme_id="emotion")
        database[name]["emotion"].set(values)
    database["files"] = audformat.Table(audformat.filewise_index([f"wav/{file}.wav" for file in "abc"]))
    database["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    database["files"]["speaker"].set(["s1", "s2", "s1"])
    for form in ("csv", "parquet"):
        database.save(str(tmp_path), storage_format=form)
        table = corpora.index("folder", tmp_path)
        assert table.label.tolist() == ["angry", "sad", "angry"] and table.speaker.tolist() == ["s1", "s2", "s1"]
        assert table.part.tolist() == ["train", "train", "test"]
        for path in tmp_path.glob("db.*"):
            path.unlink()


def test_an_index_for_hugging_face_is_an_audio_folder(tmp_path, table):
    folder = export.write(table, tmp_path / "hf", to="hf")
    sheet = pd.read_csv(folder / "metadata.csv")
    assert list(sheet.columns[:2]) == ["file_name", "label"] and all(
        (folder / name).is_file() for name in sheet.file_name
    )
    assert same(table, corpora.index("folder", folder))
    with pytest.raises(SerlibError, match="exists already"):
        export.write(table, folder, to="hf")
    with pytest.raises(SerlibError, match="choose one of csv, audformat, hf"):
        export.write(table, tmp_path / "x", to="xml")


def test_an_audio_folder_with_a_table_in_each_part(tmp_path):
    for part, label in (("train", "happy"), ("test", "sad")):
        tree(tmp_path / part, [f"{part}.wav"])
        line = json.dumps({"file_name": f"{part}.wav", "label": label, "speaker_id": 7 if part == "train" else None})
        (tmp_path / part / "metadata.jsonl").write_text(line + "\n")
    table = corpora.index("folder", tmp_path).sort_values("label")
    assert table.part.tolist() == ["train", "test"] and table.speaker.tolist() == ["7", "unknown"]


@pytest.mark.parametrize("end", ["", '"', '\nd.wav,sad,"yes"'])
def test_a_quotation_mark_that_is_not_closed_loses_no_rows(tmp_path, end):
    good = 'file,emotion,text\na.wav,happy,"two\nlines, or so"\n'
    assert own(tmp_path / "good", ["a.wav"], good).text.tolist() == ["two\nlines, or so"]
    with pytest.raises(SerlibError, match=r"t\.csv has a quotation mark that is not closed from line 4 on; close it"):
        own(tmp_path / "bad", ["a.wav", "b.wav", "c.wav"], f'{good}b.wav,sad,"no\nc.wav,sad,yes{end}\n')


def test_parquet_that_was_written_again_holds_its_new_sounds(tmp_path, home):
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "set").mkdir()
    sounds = [wav("one"), wav("two")]
    assert len(sounds[0]) == len(sounds[1])
    for order in (sounds, sounds[::-1]):
        sheet = pa.table({"audio": [{"bytes": sound, "path": None} for sound in order], "label": ["happy", "sad"]})
        parquet.write_table(sheet, tmp_path / "set/TRAIN.PARQUET")
        table = corpora.index("folder", tmp_path / "set/TRAIN.PARQUET").set_index("label")
        assert [Path(path).read_bytes() for path in table.speech[["happy", "sad"]]] == order


def test_parquet_with_sounds_inside(tmp_path, home):
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "set/data").mkdir(parents=True)
    features = {"label": {"names": ["anger", "joy"], "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}
    for part, codes in (("train", [0, 1, -1]), ("test", [1, 0])):  # -1 is no label
        sounds = [{"bytes": wav(f"{part}{code}"), "path": f"{code}.wav"} for code in codes]
        sheet = pa.table({"audio": sounds, "label": codes, "speaker_id": ["x", "y", "z"][: len(codes)]})
        sheet = sheet.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        parquet.write_table(sheet, tmp_path / f"set/data/{part}-00000-of-00001.parquet")
    table = corpora.index("folder", tmp_path / "set")
    assert sorted(zip(table.part, table.label, table.speaker, strict=True)) == [
        ("test", "angry", "y"),
        ("test", "happy", "x"),
        ("train", "angry", "x"),
        ("train", "happy", "y"),
    ]
    assert reasons(table) == {"000003--1.wav": "has no label in line 3 of train-00000-of-00001.parquet; fill it in"}
    assert all(Path(path).is_relative_to(home / "data/parquet") for path in table.speech)
    shutil.rmtree(home / "data/parquet")
    assert len(corpora.index("folder", tmp_path / "set/data/train-00000-of-00001.parquet")) == 2
    (tmp_path / "set/data/train-00000-of-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(SerlibError, match="is no parquet file"):
        corpora.index("folder", tmp_path / "set")


# ---------------------------------------------------------------- folders beside the labels


def test_a_copy_in_a_folder_of_its_own_is_read_like_the_folders_beside_it(tmp_path):
    """`old` is no label, also where no label is an emotion word."""
    names = ["rude/1.wav", "rude/2.wav", "kind/3.wav", "tired/4.wav", "old/rude/5.wav", "old/kind/6.wav"]
    table = own(tmp_path, names)
    assert table.label.tolist() == ["kind", "kind", "rude", "rude", "rude", "tired"]
    assert any(note.startswith("old: read like the folders beside it") for note in table.attrs["notes"])


def test_what_lies_in_old_beside_emotions_is_rejected(tmp_path):
    table = own(tmp_path, ["happy/1.wav", "sad/2.wav", "angry/3.wav", "old/4.wav"])
    assert sorted(set(table.label)) == ["angry", "happy", "sad"]
    assert reasons(table)["4.wav"] == "lies in old, which names no label as the others do"


def test_numbered_folders_are_the_emotions_they_name(tmp_path):
    table = own(tmp_path, ["01_angry/1.wav", "2 - happy/2.wav", "sad1/3.wav", "sad2/4.wav"])
    assert table.label.tolist() == ["angry", "happy", "sad", "sad"]


def test_a_recording_beside_itself_in_another_format_is_used_once(tmp_path):
    """Two formats of one take would stand in training and in test."""
    folder = tree(tmp_path, ["happy/0.wav", "happy/1.wav", "happy/2.wav", "sad/3.wav", "sad/4.wav"], seconds=1.5)
    y, rate_hz = soundfile.read(folder / "happy/0.wav")
    soundfile.write(folder / "happy/0.mp3", y, rate_hz)
    soundfile.write(folder / "happy/0.FLAC", y, rate_hz, format="FLAC")
    soundfile.write(folder / "happy/1.ogg", y[: len(y) // 2], rate_hz)  # the same number, but another take
    table = corpora.index("folder", folder)
    assert sorted(Path(path).name for path in table.speech) == ["0.FLAC", "1.ogg", "1.wav", "2.wav", "3.wav", "4.wav"]
    assert reasons(table) == dict.fromkeys(("0.mp3", "0.wav"), "is 0.FLAC in another format, which is used")
    assert len(corpora.index("folder", folder, duplicates="keep")) == 8


def test_what_git_annex_keeps_elsewhere_is_not_to_be_deleted(tmp_path):
    folder = tree(tmp_path, ["happy/0.wav", "sad/1.wav"])
    (folder / "sad/pointer.wav").write_text("/annex/objects/SHA256E-s123--abc.wav\n", encoding="utf-8")
    (folder / "sad/link.wav").symlink_to("../.git/annex/objects/xx/yy/SHA256E-s123--abc.wav")
    found = reasons(corpora.index("folder", folder))
    assert found["pointer.wav"] == "is a git-annex pointer, not the recording itself; run `git annex get`"
    assert found["link.wav"] == "is a git-annex link whose content is elsewhere; run `git annex get`"


def test_foreign_headings_are_asked_for(tmp_path):
    text = "Datei;Gefühl\n0.wav;wut\n1.wav;freude\n"
    with pytest.raises(
        SerlibError, match=r"columns Datei, Gefühl; .* say which they are, such as --columns speech=Datei"
    ):
        own(tmp_path, NAMES[:2], text)
    table = own(tmp_path, NAMES[:2], text, columns={"speech": "Datei", "label": "Gefühl"})
    assert table.label.tolist() == ["angry", "happy"]


def test_numbers_as_labels_are_asked_for(tmp_path):
    names = [f"{digit}/{digit}{take}.wav" for digit in range(3) for take in range(2)]
    with pytest.raises(SerlibError, match=r"say which level does \(--label-level 1\)"):
        own(tmp_path, names)
    assert own(tmp_path, names, label_level=1).label.tolist() == ["0", "0", "1", "1", "2", "2"]


def test_an_archive_is_to_be_unpacked(tmp_path):
    tree(tmp_path / "mine", ["happy/0.wav", "sad/1.wav"])
    for form in ("zip", "gztar"):
        archive = shutil.make_archive(str(tmp_path / "packed"), form, tmp_path / "mine")
        with pytest.raises(SerlibError, match="is an archive; unpack it first"):
            corpora.index("folder", archive)


def test_lines_of_json_with_sounds_as_objects(tmp_path):
    lines = [json.dumps({"audio": {"path": name, "bytes": None}, "emotion": "joy"}) for name in NAMES[:2]]
    assert own(tmp_path, NAMES[:2], "\n".join(lines), name="clips.jsonl").label.tolist() == ["happy", "happy"]


# ---------------------------------------------------------------------------------------- what tools of others write


@pytest.mark.parametrize(
    "path",
    [
        "/data/upload/1/0a2b3c4d-{}",
        "/data/local-files/?d=rec/{}",
        "/data/local-files/?d=project%2Frec%2F{}",
        "file:///D:/My%20data/rec/{}",
        "D:\\My data\\rec\\{}",
        "'rec/{}'",
    ],
)
def test_paths_that_label_studio_and_browsers_write(tmp_path, path):
    labels = ("sad", "happy", "sad", "angry")
    rows = [f"{path.format(name)},{label}" for name, label in zip(NAMES, labels, strict=True)]
    folder = "" if "upload" in path else "rec/"
    table = own(tmp_path, [folder + name for name in NAMES], "\n".join(["audio,emotion", *rows]))
    assert tuple(table.label) == labels and not table.attrs["rejected"]


def test_a_list_of_json_objects(tmp_path):
    """As Label Studio exports it (JSON-MIN)."""
    rows = [{"audio": name, "emotion": label} for name, label in (("0.wav", "sad"), ("1.wav", "joy"))]
    assert own(tmp_path, NAMES[:2], json.dumps(rows, indent=2), name="export.json").label.tolist() == ["sad", "happy"]
    for text in ('{"a": 1', "[1, 2]"):
        with pytest.raises(SerlibError, match=r"export.json holds no JSON object in line 1"):
            own(tmp_path, NAMES[:2], text, name="export.json")


@pytest.mark.parametrize(
    "table",
    [
        "file,start,end,emotion\n0.wav,0.0,0.1,angry\n0.wav,0.1,0.2,sad\n1.wav,0,,sad\n",
        "file,Start Time,End Time,emotion\n0.wav,0,0.1,angry\n0.wav,0.1,0.2,angry\n1.wav,,,sad\n",
        "audio_filepath,offset,duration,label\n0.wav,0,0.1,angry\n0.wav,0.1,0.1,sad\n1.wav,0,9,sad\n",
        "file,onset,offset,label\n0.wav,0,0.1,angry\n0.wav,0.1,0.1,sad\n1.wav,0,9,sad\n",
        "file,xmin,xmax,label\n0.wav,0,0.1,angry\n0.wav,0.1,0.1,sad\n1.wav,0,9,sad\n",
    ],
)
def test_the_first_part_of_a_cut_recording_is_not_the_whole(tmp_path, table):
    """ELAN, Praat, NeMo: a row a part, the first of which begins at 0."""
    index = own(tmp_path, NAMES[:2], table)
    assert index.label.tolist() == ["sad"] and len(index.attrs["rejected"]) == 2
    assert "cut it into files of its own" in reasons(index)["0.wav"]


def test_two_emotions_in_one_cell_are_no_label(tmp_path):
    index = own(tmp_path, NAMES, 'file,label\n0.wav,"angry,sad"\n1.wav,happy|sad\n2.wav,sad\n3.wav,happy/free\n')
    assert index.label.tolist() == ["sad", "happy/free"]
    assert reasons(index)["0.wav"] == "has 2 labels in line 2 of t.csv (angry,sad); choose one"


def test_label_tracks_and_spreadsheets_are_no_tables(tmp_path):
    tree(tmp_path, NAMES)
    (tmp_path / "0.txt").write_text("0.000000\t0.150000\tangry\n0.150000\t0.300000\tsad\n")
    with pytest.raises(SerlibError, match=r"0\.txt is a label track of a long recording; cut that into a file"):
        corpora.index("folder", tmp_path / "0.txt")
    with pytest.raises(SerlibError, match=r"names a label.*; 0\.txt is a label track of a long recording"):
        corpora.index("folder", tmp_path)
    (tmp_path / "0.txt").rename(tmp_path / "0.TextGrid")
    with pytest.raises(SerlibError, match=r"0\.TextGrid is a label track"):
        corpora.index("folder", tmp_path / "0.TextGrid")
    (tmp_path / "0.TextGrid").unlink()
    (tmp_path / "labels.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(SerlibError, match=r"labels\.xlsx is a spreadsheet; save it as CSV"):
        corpora.index("folder", tmp_path / "labels.xlsx")
    with pytest.raises(SerlibError, match=r"; labels\.xlsx is a spreadsheet; save it as CSV, and name that"):
        corpora.index("folder", tmp_path)


def test_of_several_tables_all_are_named(tmp_path):
    tree(tmp_path, NAMES)
    for name in ("test.csv", "train.csv"):
        (tmp_path / name).write_text("file,label\n0.wav,sad\n")
    with pytest.raises(SerlibError, match=r"or name its table: .*test\.csv \(or train\.csv\)"):
        corpora.index("folder", tmp_path)


def test_only_the_column_that_is_lacking_is_asked_for(tmp_path):
    """Excel in Germany: semicolons, decimal commas, Windows's own encoding and paths."""
    tree(tmp_path, NAMES[:2])
    rows = ["Datei;Emotion;Dauer", "C:\\Jörg\\0.wav;Wut;0,3", "C:\\Jörg\\1.wav;Freude;0,4"]
    (tmp_path / "t.csv").write_bytes("\r\n".join(rows).encode("cp1252"))
    with pytest.raises(SerlibError, match=r"such as --columns speech=Datei$"):
        corpora.index("folder", tmp_path / "t.csv")
    table = corpora.index("folder", tmp_path / "t.csv", columns={"speech": "Datei"})
    assert table.label.tolist() == ["angry", "happy"] and table.dauer.tolist() == ["0,3", "0,4"]


# ------------------------------------------------------------------------------------------ folders as people have them


@pytest.mark.parametrize(
    "meeting", ["2024-05-03 10.00.05 Anna's Zoom Meeting", "20240503_interview_anna", "2024.05.03 take"]
)
def test_meetings_are_no_speakers(tmp_path, meeting):
    """A figure on held-out meetings would be called one on held-out people."""
    other = meeting.replace("05", "06")
    names = [f"{label}/{name}/{label[0]}{name[5]}.wav" for label in ("angry", "sad") for name in (meeting, other)]
    table = own(tmp_path, names)
    assert set(table.speaker) == {"unknown"} and set(table.label) == {"angry", "sad"}


def test_one_folder_that_names_no_emotion_is_no_label(tmp_path):
    with pytest.raises(SerlibError, match=r"names a label \(1st folder: rec\)"):
        own(tmp_path, [f"rec/{name}" for name in NAMES])


def test_degrees_are_no_speakers(tmp_path):
    names = [f"{label}_{degree}/{label}{degree}.wav" for label in ("happy", "sad") for degree in ("low", "high")]
    with pytest.raises(SerlibError, match=r'say --pattern "\{label\}_\*/\*"'):
        own(tmp_path, names)
    table = corpora.index("folder", tmp_path, pattern="{label}_*/*")
    assert set(table.label) == {"happy", "sad"} and set(table.speaker) == {"unknown"}


def test_signs_around_an_emotion(tmp_path):
    table = own(tmp_path, ["ANGRY /1.wav", "Happy \N{GRINNING FACE}/2.wav", "(sad)/3.wav", "fear!/4.wav"])
    assert set(table.label) == {"angry", "happy", "sad", "fear"}


def test_archives_beside_recordings_are_not_passed_over_in_silence(tmp_path):
    tree(tmp_path, ["happy/1.wav", "sad/2.wav"])
    (tmp_path / "happy" / "more.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "fear.7z").write_bytes(b"7z")
    table = corpora.index("folder", tmp_path)
    assert "not unpacked, so not used: fear.7z, happy/more.zip" in table.attrs["notes"]


def test_one_person_in_two_folders(tmp_path):
    one = tree(tmp_path / "one", ["anna/angry/1.wav", "anna/sad/2.wav", "bob/sad/3.wav", "bob/angry/4.wav"])
    two = tree(tmp_path / "two", ["Anna/angry/5.wav", "Cy/sad/6.wav"])
    table = corpora.index(["folder", "folder"], [one, two])
    assert table.speaker.value_counts().to_dict() == {"anna": 3, "bob": 2, "Cy": 1}
    assert "anna and Anna are one speaker, called anna" in table.attrs["notes"]


# -------------------------------------------------------------------------------------------- engineers and their data


def test_common_voice_keeps_its_clips_in_a_folder(tmp_path):
    tree(tmp_path, [f"clips/{name}" for name in NAMES[:2]])
    rows = "client_id\tpath\tsentence\temotion\nab\t0.wav\thello\thappy\ncd\t1\tyou\tsad\n"
    table = own(tmp_path, [], rows, name="validated.tsv")
    assert table.speaker.tolist() == ["ab", "cd"] and table.text.tolist() == ["hello", "you"]


def test_a_name_that_lies_in_two_folders_is_asked_for(tmp_path):
    tree(tmp_path, ["a/0.wav", "b/0.wav", "b/1.wav"])
    table = own(tmp_path, [], "file,label\n0.wav,happy\n1.wav,sad\n")
    assert table.label.tolist() == ["sad"]
    assert reasons(table)["0.wav"] == "lies in a and in b; write its folder into t.csv"


def test_a_path_that_lies_in_two_folders_is_told_by_them(tmp_path):
    tree(tmp_path, ["a/wav/0.wav", "b/wav/0.wav", "b/wav/1.wav"])
    table = own(tmp_path, [], "file,label\nwav/0.wav,happy\nwav/1.wav,sad\n")
    assert reasons(table)["0.wav"] == "lies in a/wav and in b/wav; write its folder into t.csv"


@pytest.mark.parametrize(
    "content",
    [
        {"0.wav": {"emotion": "happy", "speaker": "x"}, "1.wav": {"emotion": "sad", "speaker": "y"}},
        {"0.wav": "happy", "1.wav": "sad"},
        {"version": 1, "clips": [{"path": "0.wav", "label": "happy"}, {"path": "1.wav", "label": "sad"}]},
        {"utt1": {"path": "0.wav", "label": "happy"}, "utt2": {"path": "1.wav", "label": "sad"}},
    ],
)
def test_forms_of_json(tmp_path, content):
    columns = {"speech": "path"} if "utt1" in content else {}
    table = own(tmp_path, NAMES[:2], json.dumps(content, indent=1), name="labels.json", columns=columns)
    assert table.label.tolist() == ["happy", "sad"]


def test_a_manifest_of_nemo_is_offered_and_read(tmp_path):
    lines = [
        json.dumps({"audio_filepath": f"wavs/{name}", "duration": 0.15, "offset": 0.0, "label": label})
        for name, label in zip(NAMES, ("happy", "sad", "happy", "sad"), strict=True)
    ]
    tree(tmp_path, [f"wavs/{name}" for name in NAMES])
    (tmp_path / "manifest.json").write_text("\n".join(lines))
    with pytest.raises(SerlibError, match=r"or name its table: .*manifest\.json"):
        corpora.index("folder", tmp_path)
    assert len(corpora.index("folder", tmp_path / "manifest.json")) == 4


def test_lists_of_kaldi_are_to_be_written_as_csv(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/wav.scp").write_text("u1 wavs/0.wav\n")
    (tmp_path / "data/utt2spk").write_text("u1 anna\n")
    for place in ("data", "data/wav.scp", "data/utt2spk"):
        with pytest.raises(SerlibError, match=r"is a list of Kaldi; write its lists as one CSV"):
            corpora.index("folder", tmp_path / place)


@pytest.mark.parametrize(("encoding", "labels"), [("gbk", ("高兴", "悲伤")), ("cp1251", ("радость", "грусть"))])
def test_labels_in_an_unknown_encoding_are_refused(tmp_path, encoding, labels):
    tree(tmp_path, NAMES[:2])
    rows = "path,label\n0.wav,{}\n1.wav,{}\n".format(*labels)
    (tmp_path / "t.csv").write_bytes(rows.encode(encoding))
    with pytest.raises(SerlibError, match=r"t\.csv is not in UTF-8, so that its labels cannot be read"):
        corpora.index("folder", tmp_path / "t.csv")
    for readable in ("utf-8", "utf-16", "utf-16-le"):
        (tmp_path / "t.csv").write_bytes(rows.encode(readable))
        assert corpora.index("folder", tmp_path / "t.csv").label.tolist() == ["happy", "sad"]


def test_ratings_are_no_labels(tmp_path):
    with pytest.raises(SerlibError, match=r"ratings such as 3\.2 in the column label, .* such as low and high"):
        own(tmp_path, NAMES[:2], "path,label\n0.wav,3.2\n1.wav,4.0\n")
    assert own(tmp_path, NAMES[:2], "path,label\n0.wav,3.0\n1.wav,4.0\n").label.tolist() == ["3.0", "4.0"]


def test_recordings_without_a_suffix_or_without_a_header(tmp_path):
    """Neither is passed over without a word."""
    tree(tmp_path, ["happy/0", "sad/1.wav", "happy/2.wav"])
    (tmp_path / "happy/LICENSE").write_text("mine")
    (tmp_path / "sad/3.pcm").write_bytes(b"\1\0" * 9000)
    table = corpora.index("folder", tmp_path)
    assert sorted(Path(path).name for path in table.speech) == ["0", "1.wav", "2.wav"]
    assert list(reasons(table)) == ["3.pcm"]
    assert reasons(table)["3.pcm"].startswith("holds samples without a header that tells their rate; save it as WAV")


def test_a_table_of_speakers_beside_label_folders_is_named(tmp_path):
    tree(tmp_path, ["happy/1.wav", "sad/2.wav"])
    (tmp_path / "speakers.csv").write_text("file,speaker\nhappy/1.wav,anna\n")
    notes = corpora.index("folder", tmp_path).attrs["notes"]
    assert notes[-1] == "not read: speakers.csv (a table is read where it is named)"


def test_a_data_set_that_was_saved_to_disk(tmp_path, home):
    """Arrow, as `datasets.save_to_disk` writes it."""
    import pyarrow as pa

    features = {"label": {"names": ["anger", "joy"], "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}
    for part, codes in (("train", [0, 1]), ("test", [1])):
        sounds = [{"bytes": wav(f"{part}{code}"), "path": f"{code}{'x' * 240}.wav"} for code in codes]
        sheet = pa.table({"audio": sounds, "label": codes})
        sheet = sheet.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
        (tmp_path / "set" / part).mkdir(parents=True)
        with pa.ipc.new_stream(str(tmp_path / f"set/{part}/data-00000-of-00001.arrow"), sheet.schema) as file:
            file.write_table(sheet)
    table = corpora.index("folder", tmp_path / "set")
    rows = sorted(zip(table.part, table.label, strict=True))
    assert rows == [("test", "happy"), ("train", "angry"), ("train", "happy")]


def test_half_a_file_of_arrow_is_named(tmp_path, home):
    import pyarrow as pa

    sheet = pa.table({"path": [f"{n}.wav" for n in range(500)], "label": ["happy", "sad"] * 250})
    path = tmp_path / "set" / "data-00000-of-00001.arrow"
    path.parent.mkdir()
    with pa.ipc.new_stream(str(path), sheet.schema) as file:
        file.write_table(sheet)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SerlibError, match=r"\.arrow is no arrow file .*; download it again"):
        corpora.index("folder", path)


def test_a_circle_of_links_beside_a_table_is_no_folder(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    table = own(tmp_path, ["0.wav", "1.wav"], "file,label\n0.wav,happy\n1.wav,sad\n")
    assert table.label.tolist() == ["happy", "sad"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_as_the_disk_spells_them(tmp_path, form):
    names = [unicodedata.normalize(form, "Zoë/1.wav"), "2.WAV", "#3.wav"]
    other = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "Zoë/1.wav")
    table = own(tmp_path, names, f"path,label\n{other},happy\n2.wav,sad\n#3.wav,happy\n# the end\n")
    assert sorted(Path(path).name for path in table.speech) == ["#3.wav", "1.wav", "2.WAV"]


def test_cells_that_do_not_fit_the_heading_are_no_labels(tmp_path):
    """A comma in a text without quotes would make its end a label."""
    table = own(tmp_path, NAMES[:2], "file,text,label\n0.wav,hello, world,happy\n1.wav,you,sad,,\n")
    assert table.label.tolist() == ["sad"]
    assert reasons(table)["t.csv"] == (
        "has 4 cells where the first line has 3 in line 2; put texts with commas into quotes"
    )
    with pytest.raises(SerlibError, match="has two columns 'label'; give one another name"):
        own(tmp_path, [], "file,label,label\n0.wav,happy,sad\n")
    with pytest.raises(SerlibError, match="its first line must name the columns"):
        own(tmp_path, [], "My recordings 2024,,\nfile,label,x\n0.wav,happy,\n")


def test_a_row_that_names_a_folder(tmp_path):
    table = own(tmp_path, ["d/0.wav", "1.wav"], "file,label\nd,happy\n1.wav,sad\n")
    assert reasons(table)["d"] == "is a folder; name the recordings in it"


def test_nobody_in_other_words(tmp_path):
    rows = "file,label,speaker\n0.wav,sad,N.A.\n1.wav,happy,anonymous\n2.wav,xxx,anna\n"
    table = own(tmp_path, NAMES[:3], rows)
    assert set(table.speaker) == {"unknown"} and "has no label in line 4" in reasons(table)["2.wav"]


def test_sessions_in_a_column_of_speakers_are_pointed_out(tmp_path):
    rows = "file,label,speaker\n0.wav,sad,anna_session1\n1.wav,happy,anna_session2\n2.wav,sad,bob\n"
    notes = own(tmp_path, NAMES[:3], rows).attrs["notes"]
    assert "anna_session1 and anna_session2 may be one speaker; if so, give them one name in t.csv" in notes
