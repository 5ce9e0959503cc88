"""The sample corpus: same bytes for the same seed, the shape of TESS, emotions as the literature has them."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest
import soundfile

from serlib.corpora import sample
from serlib.corpora.sample import making, synthesis
from serlib.corpora.sample.making import WORDS
from serlib.utils import SerlibError


def digests(folder):
    return {p.relative_to(folder).as_posix(): hashlib.md5(p.read_bytes()).hexdigest() for p in folder.rglob("*.wav")}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return sample.make(tmp_path_factory.mktemp("sample") / "sample", words=6, show=False)


@pytest.fixture(scope="module")
def waves(corpus):
    """(speaker, emotion) -> list of float waves."""
    found = {}
    for path in sorted(corpus.rglob("*.wav")):
        clip = sample.parse(path)
        found.setdefault((clip.speaker, clip.label), []).append(soundfile.read(path)[0])
    return found


@pytest.fixture
def engine(tmp_path):
    synthesis.english(tmp_path / "en")
    return synthesis.Engine(tmp_path / "en")


PLAIN = dict(pitch_hz=(154, 188), formants=[1.0] * 5, pitch_st=[0] * 4, range_=1, rate_wpm=105, breath=4, ending=".")


def test_shape_and_names_are_those_of_tess(corpus):
    files = digests(corpus)
    assert len(files) == 6 * 2 * 7
    assert len(set(files.values())) == len(files)
    assert {name.split("/")[0] for name in files} == {f"{s}_{e}" for s in ("S1", "S2") for e in sample.EMOTIONS}
    for name in files:
        folder, file = name.split("/")
        clip = sample.parse(corpus / name)
        assert (folder, file) == (f"{clip.speaker}_{clip.label}", f"{clip.speaker}_{clip.text}_{clip.label}.wav")
        assert clip.text in WORDS
    info = soundfile.info(corpus / "S1_sad" / f"S1_{WORDS[0]}_sad.wav")
    assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")
    assert "synthetic" in (corpus / "README.txt").read_text()


@pytest.mark.parametrize(
    "name", ["OAF_back_angry.wav", "S3_back_angry.wav", "S1_back_anger.wav", "S1_back_angry_2.wav"]
)
def test_other_names_are_not_of_the_corpus(tmp_path, name):
    assert sample.parse(tmp_path / f"{name}.wav") is None


def test_bytes_depend_on_the_seed_and_the_name_alone(corpus, tmp_path):
    # 3 of the 6 words, one process instead of several, so other batches in another order.
    fewer = digests(sample.make(tmp_path / "fewer", words=3, jobs=1, show=False))
    same = digests(corpus)
    assert len(fewer) == 42
    assert fewer == {name: same[name] for name in fewer}
    other = digests(sample.make(tmp_path / "other", words=1, seed=1, jobs=1, show=False))
    assert all(digest != same[name] for name, digest in other.items())


def test_words_are_spread_and_differ():
    for words in (1, 7, 40, 200):
        places = sorted({WORDS.index(word) for _, word, _ in sample.plan(words)})
        assert len(places) == words
        assert max(np.diff([*places, 200])) <= np.ceil(200 / words)


def test_a_complete_corpus_is_kept_and_a_damaged_or_other_one_is_rebuilt(tmp_path):
    to = sample.make(tmp_path / "sample", words=1, jobs=1, show=False)
    clip = to / "S2_ps" / f"S2_{WORDS[0]}_ps.wav"
    before = clip.stat().st_mtime_ns
    assert sample.make(to, words=1, jobs=1, show=False) == to
    assert clip.stat().st_mtime_ns == before
    expected = digests(to)
    clip.unlink()
    assert digests(sample.make(to, words=1, jobs=1, show=False)) == expected
    (to / "sample.json").write_text("{")
    assert digests(sample.make(to, words=1, jobs=1, show=False)) == expected
    sample.make(to, words=1, seed=5, jobs=1, show=False)
    assert json.loads((to / "sample.json").read_text())["seed"] == 5
    assert digests(to) != expected
    assert [p.name for p in tmp_path.iterdir()] == ["sample"]


def test_an_interrupted_making_leaves_nothing_or_the_old_corpus(tmp_path, monkeypatch):
    to = sample.make(tmp_path / "sample", words=1, jobs=1, show=False)
    old = digests(to)

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(soundfile, "write", stop)
    for place in (to, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            sample.make(place, words=2, jobs=1, show=False)
    assert [p.name for p in tmp_path.iterdir()] == ["sample"]
    assert digests(to) == old


@pytest.mark.parametrize("name", ["S1_angry/mine.wav", ".git/config"])
def test_what_lies_deeper_or_hidden_is_not_replaced(tmp_path, name):
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text("years of work")
    with pytest.raises(SerlibError, match=f"holds {name}, which is not of the sample corpus"):
        sample.make(tmp_path, words=1, jobs=1, show=False)
    assert (tmp_path / name).is_file()


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SerlibError, match=r"holds thesis\.txt, .* new or empty folder"):
        sample.make(tmp_path, words=1, jobs=1, show=False)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(SerlibError, match="is a file"):
        sample.make(tmp_path / "thesis.txt", words=1, jobs=1, show=False)


@pytest.mark.parametrize("words", [0, -3, 201])
def test_impossible_number_of_words(tmp_path, words):
    with pytest.raises(SerlibError, match=f"1 to 200 words, not {words}"):
        sample.make(tmp_path / "sample", words=words)


def test_without_espeak_the_mend_is_told_and_a_finished_corpus_still_serves(tmp_path, monkeypatch):
    to = sample.make(tmp_path / "sample", words=1, jobs=1, show=False)
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: str(tmp_path / "libespeak-ng.so"))
    assert sample.make(to, words=1, show=False) == to
    with pytest.raises(SerlibError, match=r"eSpeak NG.* cannot be loaded .*pip install .*download tess"):
        sample.make(tmp_path / "new", words=1, show=False)
    assert not (tmp_path / "new").exists()


def test_no_clip_is_silent_clipped_or_clicks(waves):
    for (_, emotion), clips in waves.items():
        for y in clips:
            assert 1.3 < len(y) / 22050 < 3.2
            assert 0.05 < np.abs(y).max() < 0.98
            # Speech goes on after the 0.5 s that the usual feature extraction skips.
            assert np.sqrt(np.mean(y[11025:] ** 2)) > 0.003, emotion
            # The ends are the noise of the room, nothing more.
            assert max(np.abs(y[:1000]).max(), np.abs(y[-200:]).max()) < 0.02
            assert abs(y.mean()) < 1e-3


@pytest.mark.slow
def test_emotions_are_ordered_as_in_the_literature(waves):
    def pitch(y):
        f0, voiced, _ = librosa.pyin(y, fmin=80, fmax=600, sr=22050, frame_length=1024, hop_length=512)
        return 12 * np.log2(np.median(f0[voiced]) / 100)

    for speaker in ("S1", "S2"):
        clips = {emotion: waves[speaker, emotion] for emotion in sample.EMOTIONS}
        st = {e: np.mean([pitch(y) for y in ys[::2]]) for e, ys in clips.items()}
        level_db = {e: np.mean([10 * np.log10(np.mean(y**2)) for y in ys]) for e, ys in clips.items()}
        duration_s = {e: np.mean([len(y) for y in ys]) / 22050 for e, ys in clips.items()}
        centroid = {e: np.mean([librosa.feature.spectral_centroid(y=y).mean() for y in ys]) for e, ys in clips.items()}
        high, low = ("ps", "happy", "fear", "angry"), ("neutral", "sad", "disgust")
        assert min(st[e] for e in high) > max(st[e] for e in low) + 2
        assert max(level_db, key=level_db.get) == "angry"
        assert min(level_db, key=level_db.get) == "sad"
        assert level_db["angry"] > level_db["sad"] + 8
        assert min(duration_s, key=duration_s.get) == "fear"
        assert min(duration_s["sad"], duration_s["disgust"]) > 1.1 * duration_s["neutral"] > 1.1 * duration_s["angry"]
        assert min(centroid, key=centroid.get) == "sad"


def test_the_younger_voice_is_higher(waves):
    def f0(y):
        return np.median(librosa.yin(y[8000:20000], fmin=80, fmax=400, sr=22050))

    older, younger = (np.mean([f0(y) for y in waves[speaker, "neutral"]]) for speaker in ("S1", "S2"))
    assert older + 8 < younger


def test_only_homophones_sound_alike(engine):
    said = {}
    for word in WORDS:
        said.setdefault(engine.say(("Say", "the", "word", word), **PLAIN).tobytes(), []).append(word)
    assert [words for words in said.values() if len(words) > 1] == [["which", "witch"]]


def test_the_engine_forgets(engine):
    first = engine.say(("Say", "the", "word", "back"), **PLAIN)
    engine.say(("Good", "bye"), **{**PLAIN, "pitch_st": [9, -9], "breath": 20, "ending": "?"})
    np.testing.assert_array_equal(engine.say(("Say", "the", "word", "back"), **PLAIN), first)


@pytest.mark.parametrize("emotion", sample.EMOTIONS)
def test_processing_keeps_the_words(engine, emotion):
    """Envelopes in five bands before and after tremor, timbre and room: what carries the words stays."""
    rng = np.random.default_rng(0)
    dry = engine.say(("Say", "the", "word", "back"), **PLAIN)
    p = sample.PROSODY[emotion]
    wet = synthesis.tremble(dry, rng, tremor=p.tremor, jitter=0.004)
    wet = synthesis.colour(wet, rng, timbre_db=p.timbre_db, reverberation_db=-22, decay_s=0.2)[: len(dry)]

    def bands(y):
        return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=22050, n_mels=5, fmax=8000), top_db=50)

    for before, after in zip(bands(dry), bands(wet), strict=True):
        assert np.corrcoef(before, after)[0, 1] > 0.85


def test_tremble_keeps_length_and_moves_pitch_by_its_depth():
    rng = np.random.default_rng(0)
    y = np.sin(2 * np.pi * 200 * np.arange(44100) / 22050)
    np.testing.assert_array_equal(synthesis.tremble(y, rng, tremor=0, jitter=0), y)
    trembling = synthesis.tremble(y, rng, tremor=0.02, jitter=0)
    assert trembling.shape == y.shape
    f0 = librosa.yin(trembling, fmin=100, fmax=400, sr=22050, frame_length=1024)[4:-4]
    assert 0.005 < np.std(f0) / 200 < 0.03


def test_colour_has_the_gains_it_is_asked_for():
    impulse = np.zeros(2048)
    impulse[1024] = 1
    y = synthesis.colour(impulse, np.random.default_rng(0), timbre_db=(-4, 6, 7), reverberation_db=-120, decay_s=0.1)
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(y)))
    hz = np.fft.rfftfreq(len(y), 1 / 22050)
    for at, expected in ((200, -4), (700, 0), (2500, 6), (9000, 7)):
        assert gain_db[np.argmin(np.abs(hz - at))] == pytest.approx(expected, abs=0.3)


def test_level_is_the_rms_of_the_spoken_part():
    y = np.r_[np.zeros(22016), 0.01 * np.sin(2 * np.pi * 220.5 * np.arange(22016) / 22050)]
    spoken = synthesis.level(y, level_db=-20)[22016:]
    assert 10 * np.log10(np.mean(spoken**2)) == pytest.approx(-20, abs=0.05)
    assert np.abs(synthesis.level(y, level_db=10)).max() == pytest.approx(0.97)


def test_of_two_that_make_it_at_once_the_second_waits_and_takes_it(tmp_path, monkeypatch):
    calls = []
    make = making._make
    monkeypatch.setattr(making, "_make", lambda *args, **options: calls.append(args) or make(*args, **options))
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(sample.make, tmp_path / "sample", words=1, jobs=1, show=False) for _ in range(2)]
    assert [future.result() for future in futures] == [tmp_path / "sample"] * 2
    assert len(calls) == 1 and [path.name for path in tmp_path.iterdir()] == ["sample"]
