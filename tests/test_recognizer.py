"""The recognizer answers as the model does, whatever the format; bad files do not stop good ones."""

import csv
import io
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile as sf

from serlib import audio
from serlib.evaluation import evaluate
from serlib.features import extract
from serlib.recognizer import (
    UNSURE,
    Recognizer,
    _file_rows,
    _fingerprint,
    write_answers,
)
from serlib.splits import clips_of_role
from serlib.utils import SerlibError


@pytest.fixture(scope="module")
def recognizer(tiny_run):
    return Recognizer(tiny_run, threshold=0)


def test_answers_are_those_of_the_model_on_the_extracted_features(recognizer, tiny_run):
    test = clips_of_role(tiny_run.split, "test")
    values = extract(tiny_run.split, tiny_run.spec).values[test.index]
    expected = tiny_run.probabilities(values)
    for path, probabilities in zip(test.speech, expected, strict=True):
        answer = recognizer.predict(path)
        assert answer.label == tiny_run.labels[int(probabilities.argmax())]
        np.testing.assert_allclose(list(answer.probabilities.values()), probabilities, atol=1e-4)
        assert list(answer.probabilities) == tiny_run.labels
        assert answer.confidence == pytest.approx(probabilities.max(), abs=1e-4)


def test_format_and_channels_do_not_matter(recognizer, tiny_run, tmp_path):
    path = tiny_run.split.speech[0]
    y, rate_hz = sf.read(path)
    expected = recognizer.predict(path)
    assert expected.seconds == pytest.approx(len(y) / rate_hz, abs=1e-3)
    sf.write(tmp_path / "clip.flac", y, rate_hz, subtype="PCM_24")
    sf.write(tmp_path / "stereo.wav", np.stack([y, y], axis=1), rate_hz, subtype="FLOAT")
    answers, failed = recognizer.predict_many([tmp_path / "clip.flac", tmp_path / "stereo.wav"])
    assert not failed
    answers += [
        recognizer.predict(y, rate_hz=rate_hz),
        recognizer.predict((y * 32767).round().astype(np.int16), rate_hz=rate_hz),
    ]
    for answer in answers:
        np.testing.assert_allclose(
            list(answer.probabilities.values()), list(expected.probabilities.values()), atol=2e-3
        )


@pytest.mark.parametrize(("subtype", "dtype"), [("PCM_U8", np.uint8), ("PCM_16", np.int16), ("PCM_32", np.int32)])
def test_integers_are_what_the_file_of_them_is(recognizer, tiny_run, tmp_path, subtype, dtype):
    y, rate_hz = sf.read(tiny_run.split.speech[0])
    sf.write(tmp_path / "clip.wav", np.stack([y, y / 2], axis=1), rate_hz, subtype=subtype)
    _, samples = scipy.io.wavfile.read(tmp_path / "clip.wav")
    assert samples.dtype == dtype
    np.testing.assert_array_equal(audio.mono(samples), audio.load(tmp_path / "clip.wav")[0])
    found = recognizer.predict(samples, rate_hz=rate_hz).probabilities
    assert found == recognizer.predict(tmp_path / "clip.wav").probabilities


def test_bad_files_are_named_and_the_rest_goes_on(recognizer, tiny_run, tmp_path):
    good = tiny_run.split.speech[0]
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty.wav").touch()
    sf.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    bad = [tmp_path / name for name in ("text.wav", "empty.wav", "silent.wav", "nowhere.wav")]
    answers, failed = recognizer.predict_many([bad[0], good, *bad[1:], good])
    assert [answer.file for answer in answers] == [good, good]
    assert [item["file"] for item in failed] == [str(path) for path in bad]
    for item in failed:
        assert item["file"].rsplit("/", 1)[-1] in item["reason"]


def test_an_array_needs_its_rate(recognizer):
    with pytest.raises(SerlibError, match="needs its sampling rate"):
        recognizer.predict(np.ones(16000))
    with pytest.raises(SerlibError, match="NaN"):
        recognizer.predict(np.full(16000, np.nan), rate_hz=16000)


def test_below_the_threshold_it_is_unsure(tiny_run):
    path = tiny_run.split.speech[0]
    sure = Recognizer(tiny_run, threshold=0).predict(path)
    below = Recognizer(tiny_run, threshold=sure.confidence + 1e-4).predict(path)
    assert below.label == UNSURE and below.probabilities == sure.probabilities
    assert below.reason.startswith(f"the likeliest answer, {sure.label}, has a confidence of {sure.confidence:.2f}")
    assert Recognizer(tiny_run, threshold=sure.confidence - 1e-4).predict(path) == sure and sure.reason == ""


def test_the_default_threshold_is_the_runs_own(tiny_run):
    assert Recognizer(tiny_run).threshold == tiny_run.threshold > 0
    unchosen = replace(tiny_run, info={k: v for k, v in tiny_run.info.items() if k not in ("calibration", "domain")})
    assert Recognizer(unchosen).threshold == 0


def test_what_is_not_like_the_training_gets_a_reason_and_zero_always_answers(tiny_run, rng):
    y, rate_hz = sf.read(tiny_run.split.speech[0])
    noise, short, long = rng.normal(0, 0.1, len(y)), y[len(y) // 2 - 1000 : len(y) // 2 + 1000], np.tile(y, 9)
    careful, talker = Recognizer(tiny_run, threshold=0.01), Recognizer(tiny_run, threshold=0)
    for sound, reason in ((noise, "does not sound like"), (short, "it holds 0.1"), (long, "it lasts 4.5 s")):
        answer, said = careful.predict(sound, rate_hz=rate_hz), talker.predict(sound, rate_hz=rate_hz)
        assert answer.label == UNSURE and reason in answer.reason
        assert said.label in tiny_run.labels and said.reason == "" and said.probabilities == answer.probabilities
    assert careful.predict(y, rate_hz=rate_hz).label != UNSURE


def test_timeline_of_a_long_recording(recognizer, tiny_run, tmp_path):
    clips = [sf.read(path)[0] for path in tiny_run.split.speech[:3]]
    rate_hz = int(tiny_run.split.rate_hz[0])
    silence = np.zeros(6 * rate_hz)
    sf.write(tmp_path / "long.wav", np.concatenate([*clips, silence]), rate_hz)
    length_s = (sum(map(len, clips)) + len(silence)) / rate_hz
    table = recognizer.timeline(tmp_path / "long.wav", window_s=1.5, hop_s=0.5)
    assert list(table.columns[:4]) == ["start_s", "end_s", "label", "confidence"]
    assert list(table.columns[4:]) == [*tiny_run.labels, "reason"]
    np.testing.assert_allclose(np.diff(table.start_s), 0.5, atol=1e-3)
    assert table.end_s.max() == pytest.approx(length_s, abs=0.51)
    assert table.label.iloc[-1] == UNSURE and table.confidence.iloc[-1] == 0 and table.reason.iloc[-1] == "it is silent"
    assert table.label.iloc[0] in tiny_run.labels
    short_words = {**tiny_run.info, "domain": {**tiny_run.info["domain"], "longest_s": 1.2}}
    careful = Recognizer(replace(tiny_run, info=short_words))
    heard = careful.timeline(np.tile(np.concatenate(clips), 3), rate_hz=24414)
    assert np.diff(heard.start_s)[0] == pytest.approx(careful.window_s / 2, abs=1e-3)
    assert 1.1 < careful.window_s < 1.2 and not heard.reason.str.startswith("it lasts").any()
    short = recognizer.timeline(clips[0][: rate_hz // 2], rate_hz=rate_hz)
    assert len(short) == 1


def test_per_speaker_normalisation_needs_the_speaker(voices_run, tiny_run):
    with pytest.raises(SerlibError, match=r"per-speaker normalisation: give recordings of whoever .*--speaker"):
        Recognizer(voices_run)
    for run in (tiny_run, voices_run):
        with pytest.raises(SerlibError, match=r"by 7 recordings or more, in all moods, not by \d; give more"):
            Recognizer(run, speaker=[tiny_run.split.speech[0]])


def test_recordings_of_the_speaker_normalise_the_answers_of_any_run(tiny_run):
    """With all that is tested of the speaker given, it answers as `evaluate` does."""
    judged = evaluate(tiny_run, match=True, show=False)
    plain = evaluate(tiny_run, show=False)
    assert judged.note and not plain.note and judged.ece_before is None
    part = judged.predictions[judged.predictions.speaker == "YAF"]
    recognizer = Recognizer(tiny_run, speaker=part.speech.tolist(), threshold=0)
    for clip in part.to_dict("records"):
        answer = recognizer.predict(clip["speech"])
        assert answer.label == clip["predicted"]
        assert answer.probabilities == pytest.approx({label: clip[label] for label in tiny_run.labels}, abs=1e-4)
    assert not np.allclose(judged.predictions[tiny_run.labels], plain.predictions[tiny_run.labels], atol=0.01)


def test_per_speaker_answers_are_those_of_the_evaluation(voices_run, tmp_path):
    """With all that the speaker says given, files or the folder they are in, it answers as `evaluate` does."""
    import shutil

    from serlib.evaluation import evaluate

    judged = evaluate(voices_run, show=False).predictions
    voice = voices_run.split[voices_run.split.speaker == "YAF"]
    for path in voice.speech:
        shutil.copy(path, tmp_path)
    for speaker in (voice.speech.tolist(), [tmp_path], str(tmp_path)):
        recognizer = Recognizer(voices_run, speaker=speaker)
        for clip in judged[judged.speaker == "YAF"].to_dict("records"):
            answer = recognizer.predict(clip["speech"])
            expected = [clip[label] for label in voices_run.labels]
            np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-3)
    other = Recognizer(voices_run, speaker=voices_run.split[voices_run.split.speaker == "OAF"].speech)
    clip = voice.speech.iloc[0]
    assert other.predict(clip).probabilities != recognizer.predict(clip).probabilities


def test_recordings_of_the_speaker_that_cannot_be_used_are_named(voices_run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SerlibError, match="empty holds no sound files; name a folder of recordings"):
        Recognizer(voices_run, speaker=[tmp_path / "empty"])
    sf.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    with pytest.raises(SerlibError, match=r"silent\.wav"):
        Recognizer(voices_run, speaker=[tmp_path / "silent.wav"])
    with pytest.raises(SerlibError, match=r"nowhere\.wav"):
        Recognizer(voices_run, speaker=[tmp_path / "nowhere.wav"])


# ---------------------------------------------------------------- whatever people hand over, and folders


def test_uploads_pairs_and_tensors_get_the_answer_of_the_file(recognizer, tiny_run):
    path = tiny_run.split.speech[0]
    y, rate_hz = sf.read(path, dtype="int16")
    with open(path, "rb") as file:
        data = file.read()
    expected = recognizer.predict(path).probabilities
    for sound in (data, io.BytesIO(data), (rate_hz, y), np.stack([y, y])):
        answer = recognizer.predict(sound, rate_hz=rate_hz)
        assert answer.probabilities == pytest.approx(expected, abs=1e-5)
    with open(path, "rb") as file:
        assert recognizer.predict(file).file == path


def test_samples_that_were_never_scaled_are_scaled_with_a_note_or_refused(recognizer, tiny_run):
    y, rate_hz = sf.read(tiny_run.split.speech[0], dtype="int16")
    answer = recognizer.predict(y.astype(np.float32), rate_hz=rate_hz)
    assert answer.note == "holds integers that were never scaled; divided by 32768"
    assert answer.probabilities == pytest.approx(recognizer.predict(y, rate_hz=rate_hz).probabilities, abs=1e-5)
    with pytest.raises(SerlibError, match="times full scale, which were never scaled"):
        recognizer.predict(y * 0.77, rate_hz=rate_hz)


def test_one_path_is_one_file_and_a_folder_is_all_below_it(recognizer, tiny_run):
    path = Path(tiny_run.split.speech[0])
    answers, failed = recognizer.predict_many(str(path))
    assert [answer.file for answer in answers] == [str(path)] and not failed
    answers, _ = recognizer.predict_many(path.parent)
    assert str(path) in [answer.file for answer in answers] and len(answers) > 1


@pytest.fixture
def calls(tiny_run, tmp_path):
    """A folder of two clips, one of them with two channels, and a file that is no sound."""
    first, second = (sf.read(path) for path in tiny_run.split.speech[:2])
    n = min(len(first[0]), len(second[0]))
    folder = tmp_path / "calls"
    folder.mkdir()
    sf.write(folder / "=a.wav", *first)
    sf.write(folder / "b.wav", np.column_stack([first[0][:n], second[0][:n]]), first[1])
    (folder / "c.wav").write_bytes(b"no sound at all")
    return folder


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_table_of_answers_has_a_row_a_file_and_goes_on_where_it_stopped(recognizer, calls, tmp_path, monkeypatch):
    out = tmp_path / "answers.csv"
    assert write_answers(recognizer, calls, out) == {"answered": 2, "failed": 1, "kept": 0}
    rows = table(out)
    assert [Path(row["file"]).name for row in rows] == ["=a.wav", "b.wav", "c.wav"]
    answer = recognizer.predict(rows[0]["file"])
    assert rows[0]["label"] == answer.label and float(rows[0]["confidence"]) == answer.confidence
    assert {label: float(rows[0][label]) for label in recognizer.labels} == answer.probabilities
    assert "is text, no sound" in rows[2]["error"] and rows[2]["label"] == ""

    # killed while it wrote the second row; the bad file was replaced meanwhile
    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:2]) + lines[2][:20])
    (calls / "c.wav").write_bytes((calls / "=a.wav").read_bytes())
    asked = []
    predict = Recognizer.predict
    monkeypatch.setattr(
        Recognizer, "predict", lambda *args, **options: asked.append(args[1]) or predict(*args, **options)
    )
    assert write_answers(recognizer, calls, out) == {"answered": 2, "failed": 0, "kept": 1}
    assert [Path(path).name for path in asked] == ["b.wav", "c.wav"]
    assert [row["error"] for row in table(out)] == ["", "", ""]
    assert write_answers(recognizer, calls, out)["kept"] == 3
    whole = out.read_bytes()
    out.write_bytes(whole[:-4])  # within the last cell
    assert write_answers(recognizer, calls, out) == {"answered": 1, "failed": 0, "kept": 2}
    assert out.read_bytes() == whole


def test_channels_of_a_call_are_rows_of_their_own(recognizer, calls, tmp_path):
    write_answers(recognizer, [calls / "b.wav"], tmp_path / "split.csv", channels="split")
    rows = table(tmp_path / "split.csv")
    assert [row["channel"] for row in rows] == ["0", "1"]
    for channel, row in enumerate(rows):
        assert row["label"] == recognizer.predict(calls / "b.wav", channel=channel).label


def test_a_silent_side_of_a_call_costs_the_other_one_nothing(recognizer, calls, tmp_path):
    """The whole file had an error: what the other side said was lost."""
    y, rate_hz = sf.read(calls / "=a.wav")
    sf.write(tmp_path / "call.wav", np.column_stack([y, 0 * y]), rate_hz)
    out = tmp_path / "answers.csv"
    assert write_answers(recognizer, tmp_path / "call.wav", out, channels="split")["failed"] == 1
    first, second = table(out)
    assert first["label"] == recognizer.predict(tmp_path / "call.wav", channel=0).label
    assert second["channel"] == "1" and "is silent" in second["error"] and second["label"] == ""
    assert write_answers(recognizer, tmp_path / "call.wav", out, channels="split")["kept"] == 0
    assert table(out) == [first, second]


def test_a_worker_refuses_the_sounds_that_its_recognizer_refuses(tiny_run, rng, tmp_path):
    """Under the published protocol the threshold is 0, which workers of a cluster took for: answer always."""
    folder = shutil.copytree(tiny_run.folder, tmp_path / "run")
    info = {**tiny_run.info, "calibration": {"temperature": 1.0, "threshold": 0.0}}
    (folder / "run.json").write_text(json.dumps(info))
    sf.write(tmp_path / "noise.wav", 0.1 * rng.standard_normal(16000), 16000)
    fingerprints = set()
    for threshold in (None, 0):
        recognizer = Recognizer(folder, threshold=threshold)
        (row,) = _file_rows(recognizer, str(tmp_path / "noise.wav"), "average")
        assert (row["label"] == UNSURE) == (threshold is None)
        sent = pickle.loads(pickle.dumps(recognizer))
        assert _file_rows(sent, "noise.wav", "average", str(tmp_path)) == [{**row, "file": "noise.wav"}]
        fingerprints.add(_fingerprint(recognizer))
    assert len(fingerprints) == 2  # neither goes on with the table of the other


def test_a_threshold_in_per_cent_is_refused(tiny_run):
    with pytest.raises(SerlibError, match="The threshold is 70; choose a probability, from 0 to 1"):
        Recognizer(tiny_run, threshold=70)


def test_a_table_of_another_model_is_left_alone(recognizer, tiny_run, calls, tmp_path):
    out = tmp_path / "answers.csv"
    write_answers(recognizer, calls, out)
    before = out.read_bytes()
    with pytest.raises(SerlibError, match="holds answers of another model or of other settings"):
        write_answers(Recognizer(tiny_run, threshold=0.9), calls, out)
    out.with_name("mine.csv").write_text("my,own\n1,2\n")
    with pytest.raises(SerlibError, match="name another file"):
        write_answers(recognizer, calls, out.with_name("mine.csv"))
    recording = out.with_name("clip.wav")
    recording.write_bytes((calls / "b.wav").read_bytes() + b"\xff\n")
    with pytest.raises(SerlibError, match="name another file"):
        write_answers(recognizer, calls, recording)
    assert out.read_bytes() == before and out.with_name("mine.csv").read_text() == "my,own\n1,2\n"


def test_one_process_at_a_time_writes_a_table(recognizer, calls, tmp_path):
    """The rows of the first one were lost, which nevertheless counted them."""
    out = tmp_path / "answers.csv"

    class Meddling:
        def __getattr__(self, name):
            return getattr(recognizer, name)

        def predict(self, *args, **options):
            with pytest.raises(SerlibError, match=r"Another process writes .*answers\.csv; wait for it"):
                write_answers(recognizer, calls / "b.wav", out)
            return recognizer.predict(*args, **options)

    assert write_answers(Meddling(), calls, out)["answered"] == 2
    assert len(table(out)) == 3
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["answers.csv"]
    with pytest.raises(SerlibError, match="is a folder; name a CSV file"):
        write_answers(recognizer, calls, tmp_path)


def test_another_voice_of_many_columns_is_another_model(tiny_run):
    """NumPy prints the first and the last three numbers of an array of more than 1000."""
    recognizer = Recognizer(tiny_run)
    recognizer._voice = (np.zeros(2000, np.float32), np.ones(2000, np.float32))
    before = _fingerprint(recognizer)
    recognizer._voice[0][1000] = 1
    assert _fingerprint(recognizer) != before
