#!/usr/bin/env python3
"""What a trained model says where it had better say nothing, at its default threshold.

    python bench/trust.py [tess data/tess ravdess data/ravdess] [--recipes NAME ...] [--clips N]

Each recipe is trained on one speaker of TESS, and on twenty actors of RAVDESS (one fold), and then asked about clips
of unseen speakers and of the other corpus, at other levels and in noise, and about sounds that are no speech: noises,
hums, tones, music, babble (twenty voices at once), clips that are much too short and much too long. Runs are kept under
checkpoints/trust.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd

from serlib import audio, corpora, splits, training
from serlib.recognizer import UNSURE, Recognizer
from serlib.training import calibration
from serlib.utils import home

#: Of the made sounds: samples per second, and how long they last.
RATE_HZ, LENGTHS_S = 16000, (1.5, 2.0, 3.0)

#: Where the made sounds peak, of full scale.
PEAK = 0.3


def coloured(rng, n, slope):
    """Noise whose power falls with frequency to the power of `slope`: 0 white, 1 pink, 2 brown."""
    bins = np.fft.rfftfreq(n, 1 / RATE_HZ)
    spectrum = rng.standard_normal(len(bins)) + 1j * rng.standard_normal(len(bins))
    spectrum[1:] /= bins[1:] ** (slope / 2)
    spectrum[0] = 0
    return np.fft.irfft(spectrum, n)


def _notes(rng, n, *, every_s, voices):
    """Plucked notes of a scale, some at a time."""
    y, step = np.zeros(n), int(every_s * RATE_HZ)
    for start in range(0, n, step):
        t = np.arange(min(step, n - start)) / RATE_HZ
        for hz in 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12, 14, 16], voices) / 12):
            y[start : start + step] += sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 7)) * np.exp(-3 * t)
    return y


def _drums(rng, n):
    y = np.zeros(n)
    for start in range(0, n, RATE_HZ // 4):
        t = np.arange(n - start) / RATE_HZ
        kick = rng.choice([0, 1]) * np.sin(2 * np.pi * 80 * np.exp(-6 * t) * t) * np.exp(-12 * t)
        y[start:] += kick + 0.4 * rng.standard_normal(len(t)) * np.exp(-t * rng.choice([15, 60]))
    return y


def unspoken(rng, clips, length_s):
    """Sounds that are no speech, or too much of it at once.

    Parameters
    ----------
    rng : np.random.Generator
    clips : sequence of np.ndarray [shape=(n,)]
        Speech at `RATE_HZ`, for the babble.
    length_s : float

    Returns
    -------
    dict of name -> np.ndarray [shape=(length_s * RATE_HZ,)], float32
    """
    n = int(length_s * RATE_HZ)
    t = np.arange(n) / RATE_HZ
    mains_hz, buzz_hz, tone_hz = rng.choice([50, 60]), rng.uniform(100, 300), rng.uniform(150, 1000)
    crowd = [clips[i] / np.sqrt(np.mean(np.square(clips[i]))) for i in rng.integers(0, len(clips), 20)]
    clicks = np.zeros(n)
    clicks[rng.integers(0, n, max(3, n // 4000))] = 1
    made = {
        "white noise": coloured(rng, n, 0),
        "pink noise": coloured(rng, n, 1),
        "brown noise": coloured(rng, n, 2),
        "wind": coloured(rng, n, 1.5) * abs(coloured(rng, n, 2)),
        "pulsing noise": (1 + np.sin(2 * np.pi * 4 * t)) * coloured(rng, n, 1),
        "hum": sum(np.sin(2 * np.pi * mains_hz * k * t) / k for k in range(1, 9)) + 0.05 * rng.standard_normal(n),
        "tone": np.sin(2 * np.pi * tone_hz * t),
        "buzz": sum(np.sin(2 * np.pi * buzz_hz * k * t) / k for k in range(1, 20)),
        "sweep": np.sin(2 * np.pi * np.cumsum(np.geomspace(100, 4000, n)) / RATE_HZ),
        "clicks": clicks,
        "drums": _drums(rng, n),
        "melody": _notes(rng, n, every_s=0.25, voices=1),
        "chords": _notes(rng, n, every_s=0.5, voices=4),
        "babble": sum(np.roll(np.resize(y, n), rng.integers(n)) for y in crowd),
    }
    return {name: (PEAK * y / abs(y).max()).astype(np.float32) for name, y in made.items()}


def in_noise(rng, y, snr_db):
    """Speech in pink noise, whose power lies `snr_db` below that of the louder half of the samples."""
    noise = coloured(rng, len(y), 1)
    power = np.mean(np.sort(np.square(y))[len(y) // 2 :]) / 10 ** (snr_db / 10)
    return (y + noise * np.sqrt(power / np.mean(np.square(noise)))).astype(np.float32)


def asked(recognizer, sounds, truth=None):
    """How a recognizer answers some sounds.

    Parameters
    ----------
    recognizer : Recognizer
    sounds : sequence of (y, rate_hz)
    truth : sequence of str, optional

    Returns
    -------
    dict: clips; shares of all of them: unsure, and of these not like the training (`strange`), an emotion with a
    confidence above 0.5 and 0.8; and with a truth: accuracy if it had to answer always, accuracy of what it answers,
    ECE of all before and after calibration
    """
    answers = [recognizer.predict(y, rate_hz=rate_hz) for y, rate_hz in sounds]
    said = np.array([answer.label != UNSURE for answer in answers])
    confidence = np.array([answer.confidence for answer in answers])
    row = {
        "clips": len(answers),
        "unsure": np.mean(~said),
        "strange": np.mean(["confidence" not in answer.reason and answer.reason != "" for answer in answers]),
        ">0.5": np.mean(said & (confidence > 0.5)),
        ">0.8": np.mean(said & (confidence > 0.8)),
    }
    if truth is not None:
        shares = np.array([list(answer.probabilities.values()) for answer in answers])
        right = np.array(recognizer.labels)[shares.argmax(axis=1)] == np.asarray(truth)
        own = calibration.tempered(shares, 1 / recognizer.run.temperature)
        row["accuracy"] = right.mean()
        row["answered"] = right[said].mean() if said.any() else np.nan
        row["ECE before"] = calibration.reliability(own.max(axis=1), right)[0]
        row["ECE"] = calibration.reliability(shares.max(axis=1), right)[0]
    return row


def measure(run, others, clips, seed=0):
    """All that one run is asked: a row a kind of sound."""
    rng, recognizer, rows = np.random.default_rng(seed), Recognizer(run), {}
    test = run.split[run.split.role == "test"]
    parts = {"unseen speakers": test, **others}
    parts = {name: part[part.label.isin(run.labels)] for name, part in parts.items()}
    parts = {name: part.sample(min(clips, len(part)), random_state=seed) for name, part in parts.items()}
    for name, part in parts.items():
        rows[name] = asked(recognizer, [audio.load(path) for path in part.speech], part.label)
    few = parts["unseen speakers"].head(clips // 3)
    speech = [audio.load(path) for path in few.speech]
    for gain_db in (-6, 6):
        louder = [(np.clip(y * 10 ** (gain_db / 20), -1, 1), rate_hz) for y, rate_hz in speech]
        rows[f"  {gain_db:+d} dB"] = asked(recognizer, louder, few.label)
    for snr_db in (30, 20, 10):
        noisy = [(in_noise(rng, y, snr_db), rate_hz) for y, rate_hz in speech]
        rows[f"  noise {snr_db} dB below"] = asked(recognizer, noisy, few.label)
    middle = [y[len(y) // 2 - round(0.1 * rate_hz) : len(y) // 2 + round(0.1 * rate_hz)] for y, rate_hz in speech]
    rows["0.2 s of speech"] = asked(recognizer, [(y, speech[0][1]) for y in middle if not audio.fault(y, speech[0][1])])
    same = [audio.resample(y, from_hz=rate_hz, to_hz=RATE_HZ) for y, rate_hz in speech]
    rows["20 s of speech"] = asked(recognizer, [(np.resize(np.concatenate(same), 20 * RATE_HZ), RATE_HZ)])
    made = [unspoken(rng, same, length_s) for length_s in LENGTHS_S for _ in range(max(1, clips // 40))]
    for name in made[0]:
        rows[name] = asked(recognizer, [(sounds[name], RATE_HZ) for sounds in made])
    noises = [asked(recognizer, [(y, RATE_HZ) for y in sounds.values()]) for sounds in made]
    rows["no speech, all"] = {"clips": sum(row["clips"] for row in noises)} | {
        key: np.mean([row[key] for row in noises]) for key in ("unsure", "strange", ">0.5", ">0.8")
    }
    return pd.DataFrame(rows).T


def gains(run, clips, seed=0):
    """How far answers move when the level does: of clips of unseen speakers, without abstaining."""
    recognizer, rows = Recognizer(run, threshold=0), {}
    test = run.split[run.split.role == "test"]
    speech = [audio.load(path) for path in test.speech.sample(min(clips // 2, len(test)), random_state=seed)]

    def shares(gain_db):
        found = [recognizer.predict(y * 10 ** (gain_db / 20), rate_hz=rate_hz) for y, rate_hz in speech]
        return np.array([list(answer.probabilities.values()) for answer in found])

    as_they_are = shares(0)
    for gain_db in (-6, -1, 1, 6):
        moved = shares(gain_db)
        gap = abs(moved - as_they_are).max(axis=1)
        rows[f"{gain_db:+d} dB"] = {
            "another answer": np.mean(moved.argmax(axis=1) != as_they_are.argmax(axis=1)),
            "gap, median": np.median(gap),
            "gap, 95 %": np.quantile(gap, 0.95),
        }
    return pd.DataFrame(rows).T


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="tess FOLDER ravdess FOLDER; default: what is present, or the sample")
    parser.add_argument("--recipes", nargs="+", default=["lstm-256", "functionals"])
    parser.add_argument("--clips", type=int, default=300, help="at most so many of each kind of speech")
    args = parser.parse_args()
    folders = dict(zip(args.corpus[::2], args.corpus[1::2], strict=True))
    folders = folders or {name: None for name in ("tess", "ravdess") if corpora.present(name)} or {"sample": None}
    indices = {name: corpora.index(name, folder) for name, folder in folders.items()}
    for name, index in indices.items():
        table = splits.split(index, "speaker", fold=0)
        others = {other: theirs for other, theirs in indices.items() if other != name}
        for recipe in args.recipes:
            out = home() / "checkpoints" / "trust" / f"{name}-{recipe}"
            run = training.fit(recipe, table, out=out, resume=True)
            chosen = run.info["calibration"]
            print(f"\n{recipe}, trained on {name}; tested on {', '.join(run.info['split']['test'])}; chosen: {chosen}")
            print(measure(run, others, args.clips).to_string(float_format="{:.3f}".format, na_rep=""), flush=True)
            print(gains(run, args.clips).to_string(float_format="{:.3f}".format), flush=True)


if __name__ == "__main__":
    main()
