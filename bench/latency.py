#!/usr/bin/env python3
"""How long one answer takes, on one core: wave in, label out, for a clip of two seconds; and how long a start takes.

    python bench/latency.py [--recipes lstm-256 ... released] [--repeats 30] [--starts 5]

Warm, four ways in turn on the same samples: the usual code (of mean MFCC: librosa, then `model.predict`), the
Recognizer (features, model, the check of what it hears) by TensorFlow and by ONNX Runtime, and ONNX Runtime alone on
the file that `serlib export` writes. Weights do not change the time, so the recipes are not trained; `released` is the
model that comes with serlib. Milliseconds of the processor, which other work on the machine hardly moves; the ratio is
what travels.

Cold: commands as processes of their own, from their start to their end; the files of the packages have been read
before.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ[library] = "1"

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import pandas as pd

from serlib import audio, corpora, features
from serlib.models.recipes import RECIPES
from serlib.recognizer import Recognizer, Traced
from serlib.training import exporting, novelty
from serlib.training.run import RELEASED, Run, example
from serlib.utils import import_tensorflow, ordered_labels

NAMES = ("lstm-256", "functionals", "conv-gru", "committee", "whisper-linear", "released")
#: Clips of the sample that the z-scores of untrained models are adapted to.
CLIPS = 28


def untrained(name, table, folder):
    """A run of a recipe that has learned nothing but its z-scores; its model lies in a folder."""
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
    model.save(folder / "model.keras")
    return Run(folder, info, table, pd.DataFrame(), model)


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


def by_tensorflow(run):
    """A recognizer whose model is traced by TensorFlow."""
    recognizer = Recognizer(run)
    recognizer._model = Traced(run)
    return recognizer


def starts(sound, repeats):
    """A row for every command: seconds from start to end, of the processor, modules, and which of the slow ones."""
    ours = [sys.executable, "-m", "serlib"]
    commands = {
        "python -c 'import tensorflow'": [sys.executable, "-c", "import tensorflow"],
        "serlib --help": [*ours, "--help"],
        "serlib predict FILE": [*ours, "predict", str(sound)],
    }
    rows = []
    for name, command in commands.items():
        modules = subprocess.run(
            [command[0], "-X", "importtime", *command[1:]], capture_output=True, text=True, check=True
        ).stderr.splitlines()
        names = {line.rpartition("|")[2].strip() for line in modules if line.startswith("import time:")}
        walls = []
        processor = []
        for _ in range(repeats):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            walls.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        slow = ", ".join(sorted(names & {"tensorflow", "keras", "librosa", "numba", "onnxruntime", "pandas"}))
        rows.append({"command": name, "median s": np.median(walls), "least s": min(walls)})
        rows[-1] |= {"processor s": np.median(processor), "modules": len(names), "of them": slow}
    return rows


def milliseconds(function, *arguments, **options):
    began = time.process_time()
    function(*arguments, **options)
    return 1000 * (time.process_time() - began)


def warm(name, table, y, rate_hz, folder, repeats):
    """A row for each way to answer: milliseconds, and how many times as fast as the Recognizer by TensorFlow."""
    run = Run.load(RELEASED) if name == "released" else untrained(name, table, folder)
    at_rate = audio.resample(np.resize(y, 2 * rate_hz), from_hz=rate_hz, to_hz=run.spec.rate_hz)
    onnx, takes = by_onnx(run, folder)
    ways = {"Recognizer, TensorFlow": by_tensorflow(run).predict, "Recognizer": Recognizer(run).predict}
    ways[f"ONNX, {takes}"] = onnx
    if name == "lstm-256":
        ways = {"usual code": lambda y, rate_hz: usual(run.model, y, rate_hz), **ways}
    taken = {way: [] for way in ways}
    for repeat in range(repeats + 2):
        for way, answer in ways.items():
            ms = milliseconds(answer, at_rate, rate_hz=run.spec.rate_hz)
            if repeat > 1:
                taken[way].append(ms)
    medians = {way: float(np.median(ms)) for way, ms in taken.items()}
    first = medians["Recognizer, TensorFlow"]
    return [
        {"recipe": name, "way": way, "median ms": median, "least ms": min(taken[way]), "times as fast": first / median}
        for way, median in medians.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=list(NAMES), choices=[*RECIPES, "released"])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--starts", type=int, default=5)
    args = parser.parse_args()
    import_tensorflow()
    table = corpora.index("sample").groupby("label").head(CLIPS // 7).reset_index(drop=True).assign(role="train")
    y, rate_hz = audio.load(table.speech[0])
    for name in args.recipes:
        with tempfile.TemporaryDirectory() as folder:
            rows = warm(name, table, y, rate_hz, Path(folder), args.repeats)
        print(pd.DataFrame(rows).round(2).to_string(index=False), "\n", flush=True)
    print(pd.DataFrame(starts(table.speech[0], args.starts)).round(2).to_string(index=False))


if __name__ == "__main__":
    main()
