"""Is the sample corpus quick to make, and neither trivial nor hopeless? One command: `python bench/sample.py`.

It makes the corpus twice (560 and 2800 clips) and trains system A (mean of 40 MFCC, LSTM 256, 30 epochs) on the 560
clips under three splits. Wanted: random between 75 and 97 %, text near it, speaker clearly lower. Everything is spelt
out here with librosa and Keras, so that the corpus is judged by the usual code and not by serlib's own.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import librosa
import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import GroupShuffleSplit, LeaveOneGroupOut, StratifiedShuffleSplit

from serlib.corpora import sample


def features(path):
    """System A's 40 numbers of a clip."""
    y, rate_hz = librosa.load(path, duration=3, offset=0.5)
    return librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).mean(axis=1)


def system_a(x, y, train, test, *, seed, epochs=30):
    """Accuracy of system A."""
    keras.utils.set_random_seed(seed)
    layers = [keras.Input((40, 1)), keras.layers.LSTM(256), keras.layers.Dropout(0.3)]
    for units in (128, 64):
        layers += [keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(0.3)]
    model = keras.Sequential([*layers, keras.layers.Dense(7, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[train], y[train], epochs=epochs, batch_size=64, verbose=0)
    return model.evaluate(x[test], y[test], verbose=0)[1]


def splits(y, speakers, texts, *, seed):
    """Train and test rows of each split: (name, train, test)."""
    one = {"n_splits": 1, "test_size": 0.2, "random_state": seed}
    for name, splitter, groups in (
        ("random", StratifiedShuffleSplit(**one), None),
        ("text", GroupShuffleSplit(**one), texts),
    ):
        yield (name, *next(splitter.split(y, y, groups)))
    if seed == 0:
        for train, test in LeaveOneGroupOut().split(y, y, speakers):
            yield f"speaker {speakers[test[0]]} left out", train, test


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many random and text splits (default 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for words in (40, 200):
            started = time.perf_counter()
            made = sample.make(Path(folder) / str(words), words=words, show=False)
            print(f"{len(list(made.rglob('*.wav'))):5d} clips made in {time.perf_counter() - started:5.1f} s")
        clips = [(path, sample.parse(path)) for path in sorted((Path(folder) / "40").rglob("*.wav"))]
        x = np.array(Parallel(n_jobs=-1)(delayed(features)(path) for path, _ in clips))[..., None]
    y = np.array([sample.EMOTIONS.index(clip.label) for _, clip in clips])
    speakers, texts = (np.array([getattr(clip, name) for _, clip in clips]) for name in ("speaker", "text"))
    found = {}
    for seed in range(options.seeds):
        for name, train, test in splits(y, speakers, texts, seed=seed):
            found.setdefault(name, []).append(system_a(x, y, train, test, seed=seed))
    print("\nsystem A on 560 clips, accuracy in %")
    for name, accuracies in found.items():
        print(f"{name:20s} mean {100 * np.mean(accuracies):5.1f}  each", *(f"{100 * a:5.1f}" for a in accuracies))


if __name__ == "__main__":
    main()
