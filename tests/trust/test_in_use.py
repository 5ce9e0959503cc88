"""A trained model in use: what must not change its answers does not, and where it had better say nothing, it does.

`make trust` asks about more words, more sounds and one more recipe; the tolerances are the same.
"""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from bench.trust import LENGTHS_S, RATE_HZ, in_noise, unspoken
from serlib import audio, corpora, features, splits, training
from serlib.corpora import sample
from serlib.features import normalisation
from serlib.models.recipes import RECIPES
from serlib.recognizer import UNSURE, Recognizer
from serlib.training import novelty

FULL = bool(os.environ.get("SERLIB_TRUST"))
WORDS, SOUNDS, EPOCHS = (40, 20, 10) if FULL else (8, 2, 1)

#: Frames as long as the clip, frames of one length, functionals, for which copies change nothing here, and the mean.
ASKED = ("stacked-lstm", "conv1d", "functionals", *(("lstm-256",) if FULL else ()))

#: What the same samples may change in a probability, however they come.
SAME = 1e-6


@pytest.fixture(scope="module")
def spoken(session_home):
    """Synthetic speech with one of its two voices in the test set."""
    index = corpora.index("sample", sample.make(session_home / "spoken", words=WORDS))
    return splits.split(index, "speaker", fold=0)


@pytest.fixture(scope="module", params=ASKED)
def run(request, spoken, session_home):
    recipe = replace(RECIPES[request.param], augment=(), epochs=EPOCHS)
    out = session_home / "checkpoints" / f"in-use-{recipe.name}"
    return training.fit(recipe, spoken, out=out, show=False, resume=True)


@pytest.fixture(scope="module")
def recognizer(run):
    """It always answers."""
    return Recognizer(run, threshold=0)


@pytest.fixture(scope="module")
def careful(run):
    """As it comes."""
    return Recognizer(run)


def shares(recognizer, paths):
    return np.array([list(recognizer.predict(path).probabilities.values()) for path in paths])


def test_the_batch_and_its_order_do_not_matter(run):
    table = splits.clips_of_role(run.split, "test").head(5 * SOUNDS)
    values = np.asarray(normalisation.inputs(run.split, run.spec, run.normalise, show=False)[0][table.index])
    together = run.probabilities(values)
    for size in (1, 4):
        np.testing.assert_allclose(run.probabilities(values, batch_size=size), together, atol=SAME)
    order = np.random.default_rng(0).permutation(len(values))
    np.testing.assert_allclose(run.probabilities(values[order]), together[order], atol=SAME)


def test_the_format_does_not_matter(recognizer, spoken, tmp_path):
    """The same 16-bit samples in five containers, and as an array."""
    paths = splits.clips_of_role(spoken, "test").speech.head(4 * SOUNDS)
    for path in paths:
        y, rate_hz = soundfile.read(path, dtype="int16")
        written = [tmp_path / f"clip{suffix}" for suffix in (".wav", ".flac", ".aiff", ".w64")]
        for copy in written:
            soundfile.write(copy, y, rate_hz, subtype="PCM_16")
        soundfile.write(tmp_path / "float.wav", y / 32768, rate_hz, subtype="FLOAT")
        as_array = recognizer.predict(np.float32(y / 32768), rate_hz=rate_hz).probabilities
        found = [*shares(recognizer, [*written, tmp_path / "float.wav"]), list(as_array.values())]
        np.testing.assert_allclose(found, np.repeat(shares(recognizer, [path]), len(found), axis=0), atol=SAME)


def test_one_at_a_time_is_as_all_at_once(run, recognizer):
    """What a Recognizer says of a file is what the evaluation was made from."""
    table = splits.clips_of_role(run.split, "test").head(10 * SOUNDS)
    values = np.asarray(normalisation.inputs(run.split, run.spec, run.normalise, show=False)[0][table.index])
    found = shares(recognizer, table.speech)
    np.testing.assert_allclose(found, run.probabilities(values), atol=1e-5)


def test_no_speech_gets_no_emotion(careful, spoken):
    """At the run's own threshold, for each kind of sound that is none, and the reason is said. Babble is speech, if
    too much of it: of that a part gets through (`serlib.training.novelty.MARGIN`)."""
    rng = np.random.default_rng(0)
    clips = [audio.load(path, rate_hz=RATE_HZ)[0] for path in splits.clips_of_role(spoken, "train").speech[:40]]
    wrong = []
    for length_s in np.resize(LENGTHS_S, SOUNDS):
        for name, y in unspoken(rng, clips, length_s).items():
            answer = careful.predict(y, rate_hz=RATE_HZ)
            assert bool(answer.reason) == (answer.label == UNSURE)
            wrong += [name] if answer.label != UNSURE else []
    print(f"\n{careful.run.info['recipe']['name']}: {14 * SOUNDS} sounds, answered: {wrong}")
    assert set(wrong) <= {"babble"} and len(wrong) <= (SOUNDS / 2 if FULL else 0)


def test_too_short_and_too_long_get_a_reason(careful, spoken):
    y, rate_hz = audio.load(splits.clips_of_role(spoken, "test").speech.iloc[0])
    middle = len(y) // 2
    short = careful.predict(y[middle - rate_hz // 16 : middle + rate_hz // 16], rate_hz=rate_hz)
    assert short.label == UNSURE and "of sound, less than 0.5 times the shortest clips" in short.reason
    long = careful.predict(np.tile(y, 60), rate_hz=rate_hz)
    assert long.label == UNSURE and "times the longest clip" in long.reason and "timeline" in long.reason


def test_an_unseen_voice_is_no_stranger(spoken):
    """The check is about speech, not about who speaks: softer, louder and in a quiet room it is the same speech."""
    learned, rng = novelty.learn(spoken, show=False), np.random.default_rng(0)
    strange, paths = [], splits.clips_of_role(spoken, "test").speech.iloc[::4]
    for path in paths:
        y = audio.load(path, rate_hz=RATE_HZ)[0]
        for heard in (y, y / 2, np.clip(2 * y, -1, 1), in_noise(rng, y, 40)):
            strange.append(bool(novelty.stranger(heard, RATE_HZ, learned)))
    assert np.mean(strange) <= 0.1


@pytest.mark.parametrize("name", ["mfcc40-mean", "mfcc-frames", "logmel-128x87", "functionals"])
@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_gain_moves_what_carries_the_level_and_nothing_else(voice, name, gain):
    """6 dB are 6 dB more in each mel band, and so in the first MFCC and the loudness; all else stays. What a model
    makes of that depends on the model: bench/trust.py measures it, README says it."""
    spec = features.SPECS[name]
    y = voice(180, duration_s=1.5)
    before, after = (features.extract_clip(sound, RATE_HZ, spec) for sound in (y, np.float32(gain) * y))
    moved = abs(after - before).reshape(-1, len(features.names(spec))).max(axis=0)
    size = abs(before).reshape(-1, len(moved)).max(axis=0)
    carriers = {column for column in features.names(spec) if re.match(r"logmel_|mfcc_0(_|$)|rms", column)}
    others = [column not in carriers for column in features.names(spec)]
    assert (moved[others] <= 0.02 * size[others] + 0.02).all()
    level_db = 20 * np.log10(gain)
    for column, move in zip(features.names(spec), moved, strict=True):
        if re.fullmatch(r"logmel_\d+(_mean|_median|_p5)?", column):
            assert move == pytest.approx(abs(level_db), abs=0.05)
        if re.fullmatch("mfcc_0(_mean|_median|_p5)?", column):
            assert move == pytest.approx(abs(level_db) * np.sqrt(spec.n_mels), rel=0.01)
