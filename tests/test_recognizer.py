"""The recognizer answers as the model does, whatever the format; bad files do not stop good ones."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile as sf

from serlib import audio
from serlib.evaluation import evaluate
from serlib.features import extract
from serlib.recognizer import UNSURE, Recognizer
from serlib.splits import rows
from serlib.utils import SerlibError


@pytest.fixture(scope="module")
def recognizer(tiny_run):
    return Recognizer(tiny_run, threshold=0)


def test_answers_are_those_of_the_model_on_the_extracted_features(recognizer, tiny_run):
    test = rows(tiny_run.split, "test")
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
