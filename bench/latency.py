#!/usr/bin/env python3
"""How long one answer takes: the usual code against a warm Recognizer, in turn on the same two-second file.

    python bench/latency.py [--recipe lstm-256] [--run RUN] [--repeats 30]

The usual code is what tutorials print: librosa.load at 22050 Hz, the mean of 40 MFCC, model.predict. Both use the same
model, the Recognizer at its temperature and with its check of what it hears; without --run one is trained for an epoch
on the sample corpus, since weights do not change the time.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import librosa
import numpy as np
import soundfile as sf

import serlib
from serlib import audio, corpora, splits, training
from serlib.recognizer import Recognizer
from serlib.training import calibration
from serlib.training.run import Run


def usual(model, path):
    """From a file to probabilities, the usual way."""
    y, rate_hz = librosa.load(path, duration=3, offset=0.5)
    mfcc = np.mean(librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).T, axis=0)
    return model.predict(mfcc[np.newaxis], verbose=0)[0]


def timed(function, *arguments):
    began = time.perf_counter()
    function(*arguments)
    return 1000 * (time.perf_counter() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="lstm-256")
    parser.add_argument("--run", type=Path, help="a finished run on mean MFCC")
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = corpora.index("sample")
        run = Run.load(args.run) if args.run else None
        if run is None:
            run = training.fit(args.recipe, splits.split(index, "random"), out=Path(folder) / "run", epochs=1)
        path = Path(folder) / "two_seconds.wav"
        y, rate_hz = audio.load(index.speech[0])
        sf.write(path, np.resize(y, 2 * rate_hz), rate_hz)

        recognizer = Recognizer(run)
        theirs = calibration.tempered([usual(run.model, path)], run.temperature)[0]
        same = np.allclose(theirs, list(recognizer.predict(path).probabilities.values()), atol=1e-3)
        pairs = [(timed(usual, run.model, path), timed(recognizer.predict, path)) for _ in range(args.repeats)]
    theirs, ours = np.array(pairs).T
    print(f"{run.info['recipe']['name']}, {args.repeats} answers each, in turn, warm; same probabilities: {same}")
    print("                     median    min    max   ms an answer")
    for name, ms in (("the usual code", theirs), ("Recognizer", ours)):
        print(f"{name:18} {np.median(ms):8.1f} {ms.min():6.1f} {ms.max():6.1f}")
    print(f"ratio (median of pairs): {np.median(theirs / ours):.1f}   serlib {serlib.__version__}")


if __name__ == "__main__":
    main()
