#!/usr/bin/env python3
"""How long one answer takes, warm, on one core: wave in, label out, for a clip of two seconds.

    python bench/latency.py [--recipes lstm-256 ... released] [--repeats 30]

Three ways in turn on the same samples: the usual code (of mean MFCC: librosa, then `model.predict`), the Recognizer
(features, TensorFlow's traced function, the check of what it hears), and ONNX Runtime on the file that `serlib export`
writes. Weights do not change the time, so the recipes are not trained; `released` is the model that comes with serlib.
Milliseconds of the processor, which other work on the machine hardly moves; the ratio is what travels.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[library] = "1"

import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import pandas as pd

from serlib import audio, corpora, features
from serlib.models.recipes import RECIPES
from serlib.recognizer import Recognizer
from serlib.training import exporting, novelty
from serlib.training.run import RELEASED, Run, example
from serlib.utils import import_tensorflow, ordered_labels

NAMES = ("lstm-256", "functionals", "conv-gru", "committee", "whisper-linear", "released")
#: Clips of the sample that the z-scores of untrained models are adapted to.
CLIPS = 28


def untrained(name, table):
    """A run of a recipe that has learned nothing but its z-scores."""
    recipe = RECIPES[name]
    labels = ordered_labels(table.label)
    values = np.asarray(features.extract(table, recipe.features, show=False).values)
    is_variable = values.ndim == 3 and recipe.features.frames is None
    shape = (None, values.shape[2]) if is_variable else values.shape[1:]
    info = {
        "labels": labels,
        "features": recipe.features.to_dict(),
        "recipe": {"name": name, "normalise": recipe.normalise},
        "domain": novelty.learn(table, show=False),
    }
    model = recipe.model(len(labels), shape=shape, examples=values)
    return Run(Path(name), model, info, table, pd.DataFrame())


def usual(model, y, rate_hz):
    """What tutorials print, from samples to probabilities."""
    mfcc = np.mean(librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).T, axis=0)
    return model.predict(mfcc[np.newaxis], verbose=0)[0]


def by_onnx(run, folder):
    """A function from samples at the rate of the features to probabilities, and what the file takes in."""
    written = exporting.export(run, folder / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(written.path), options)
    name = session.get_inputs()[0].name
    if written.takes == "waveform":
        return lambda y, rate_hz: session.run(None, {name: y[np.newaxis]})[0], written.takes
    return lambda y, rate_hz: session.run(None, {name: example(y, rate_hz, run.spec)})[0], written.takes


def milliseconds(function, *arguments, **options):
    began = time.process_time()
    function(*arguments, **options)
    return 1000 * (time.process_time() - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=list(NAMES), choices=[*RECIPES, "released"])
    parser.add_argument("--repeats", type=int, default=30)
    args = parser.parse_args()
    import_tensorflow()
    table = corpora.index("sample").groupby("label").head(CLIPS // 7).reset_index(drop=True).assign(role="train")
    y, rate_hz = audio.load(table.speech[0])
    rows = []
    for name in args.recipes:
        run = Run.load(RELEASED) if name == "released" else untrained(name, table)
        at_rate = audio.resample(np.resize(y, 2 * rate_hz), from_hz=rate_hz, to_hz=run.spec.rate_hz)
        sound = (at_rate, run.spec.rate_hz)
        recognizer = Recognizer(run)
        with tempfile.TemporaryDirectory() as folder:
            onnx, takes = by_onnx(run, Path(folder))
            ways = {
                "Recognizer": lambda y, rate_hz, r=recognizer: r.predict(y, rate_hz=rate_hz),
                f"ONNX, {takes}": onnx,
            }
            if name == "lstm-256":
                ways = {"usual code": lambda y, rate_hz, m=run.model: usual(m, y, rate_hz), **ways}
            taken = {way: [] for way in ways}
            for repeat in range(args.repeats + 2):
                for way, answer in ways.items():
                    ms = milliseconds(answer, *sound)
                    if repeat > 1:
                        taken[way].append(ms)
        medians = {way: float(np.median(ms)) for way, ms in taken.items()}
        for way, ms in taken.items():
            ratio = medians["Recognizer"] / medians[way]
            rows.append(
                {"recipe": name, "way": way, "median ms": medians[way], "least ms": min(ms), "times as fast": ratio}
            )
        print(pd.DataFrame(rows).round(2).to_string(index=False), "\n", flush=True)


if __name__ == "__main__":
    main()
