#!/usr/bin/env python3
"""How time and memory grow with the number of clips: index, split, features, training, evaluation.

    python bench/scale.py                       2000 and 20,000 clips
    python bench/scale.py 2000 20000 200000     needs 6 GB in the temporary folder, and half an hour
    python bench/scale.py 2000 --profile index  where one step spends its time
    python bench/scale.py --real tess data/tess the first index of a real corpus and the best of three more

The clips are made: 0.3 s of noise each, 8 kHz, so that reading counts more than computing; 100 speakers, five
emotions. Each step runs in a process of its own, which has imported everything before the clock starts. The features
are log-mel frames (19 kB a clip, 3.8 GB for 200,000 clips, more than a training may hold); the model pools their mean
and deviation.

`memory` is the most that the step held itself, with Python and TensorFlow; pages of mapped files, which the system
takes back when it needs them, are left out. `growth` compares the time of a clip with that of the smallest size: 1.0
is linear.
"""

import argparse
import cProfile
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

SPEAKERS = 100
LABELS = ("angry", "fear", "happy", "neutral", "sad")
RATE_HZ = 8000
SAMPLES = 2400


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=int, default=[2000, 20_000])
    parser.add_argument("--profile", choices=STEPS, help="profile this step instead of timing it")
    parser.add_argument("--real", nargs=2, metavar=("CORPUS", "FOLDER"), help="index this twice, and nothing else")
    parser.add_argument("--child", nargs=2, metavar=("STEP", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child[0], Path(args.child[1]), profile=args.profile)
    if args.real:
        return twice(*args.real)
    print(f"{'clips':>8}  {'step':16}{'seconds':>9}{'ms a clip':>11}{'growth':>8}{'memory':>10}", flush=True)
    first = {}
    for clips in args.clips:
        folder = Path(tempfile.mkdtemp(prefix="serlib-scale-"))
        try:
            make(folder / "corpus", clips)
            for step in STEPS:
                seconds, memory_mb = in_a_process(step, folder, profile=args.profile)
                ms = 1000 * seconds / clips
                growth = ms / first.setdefault(step, ms)
                print(f"{clips:8}  {step:16}{seconds:9.2f}{ms:11.3f}{growth:8.2f}{memory_mb:7.0f} MB", flush=True)
        finally:
            shutil.rmtree(folder)


def twice(corpus, folder):
    """Index a corpus whose index is not kept yet, and again."""
    imports(None)
    from serlib import corpora

    seconds = []
    with tempfile.TemporaryDirectory() as data:
        os.environ["SERLIB_DATA"] = data
        for _ in range(4):
            began = time.perf_counter()
            table = corpora.index(corpus, folder, show=False)
            seconds.append(time.perf_counter() - began)
    first, *others = seconds
    again = min(others)
    print(f"{len(table)} clips of {corpus}: {first:.2f} s, again {again:.2f} s, {first / again:.0f} times as quick")


def make(folder, clips):
    """Write the clips, one folder a speaker and an emotion; no two have the same bytes."""
    import soundfile

    rng = np.random.default_rng(0)
    for n in range(clips):
        place = folder / f"speaker{n % SPEAKERS:03d}" / LABELS[n // SPEAKERS % len(LABELS)]
        place.mkdir(parents=True, exist_ok=True)
        y = rng.integers(-3000, 3000, SAMPLES, dtype=np.int16)
        soundfile.write(place / f"{n:07d}.wav", y, RATE_HZ, subtype="PCM_16")
    time.sleep(2.5)  # what was written this very moment is not kept (serlib.corpora.index_cache)


def in_a_process(step, folder, *, profile):
    """Seconds and MB of a step."""
    command = [sys.executable, __file__, "--child", step, str(folder), *(["--profile", profile] if profile else [])]
    environment = {**os.environ, "SERLIB_DATA": str(folder / "data"), "SERLIB_PROGRESS": "0"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    print("\n".join(lines), end="\n" if lines else "")
    seconds, memory_mb = map(float, last.split())
    return seconds, memory_mb


def child(step, folder, *, profile):
    """Run one step and print its seconds and MB."""
    prepare, work = STEPS[step]
    given = prepare(folder)
    watch = Watch()
    profiler = cProfile.Profile()
    began = time.perf_counter()
    if profile == step:
        profiler.runcall(work, folder, given)
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(25)
    else:
        work(folder, given)
    print(time.perf_counter() - began, watch.stop())


class Watch(threading.Thread):
    """Looks every 20 ms at how much memory the process holds itself; `stop` gives the most in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most = 0
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, own_bytes())

    def stop(self):
        self.over.set()
        self.join()
        return max(self.most, own_bytes()) / 2**20


def own_bytes():
    """Anonymous memory of this process, where Linux tells it; elsewhere the most that was ever resident."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def spec():
    from serlib.features import FeatureSpec

    return FeatureSpec(rate_hz=RATE_HZ, frame=256, hop=32, kinds=("logmel",), n_mels=64, n_mfcc=13)


def recipe():
    from serlib.models import stack
    from serlib.models.blocks import dense, layer
    from serlib.models.recipes import Recipe

    return Recipe(
        name="scale",
        title="mean and deviation, one dense layer",
        source="bench/scale.py",
        features=spec(),
        build=stack(layer("StatisticsPooling"), dense(32)),
        normalise="training",
        epochs=1,
        batch_size=256,
    )


def imports(folder):
    """What every step needs."""
    import joblib  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from serlib import audio, corpora, features, splits  # noqa: F401


def indexed(folder):
    """The index, which is kept; then its clock may start."""
    from serlib import corpora

    imports(folder)
    return corpora.index("folder", folder / "corpus")


def with_roles(folder):
    """The table of a split, with TensorFlow imported and used once."""
    from serlib import splits
    from serlib.training import fitting  # noqa: F401
    from serlib.utils import import_tensorflow

    import_tensorflow()
    import keras

    keras.Sequential([keras.layers.Dense(1)])(np.zeros((1, 1), np.float32))
    return splits.split(indexed(folder), "speaker")


def trained(folder):
    from serlib.training.run import Run

    with_roles(folder)
    return Run.load(folder / "run")


def index(folder, _):
    from serlib import corpora

    corpora.index("folder", folder / "corpus")


def split(folder, table):
    from serlib import splits

    for kind in ("speaker", "random"):
        splits.split(table, kind)
    splits.audit(splits.split(table.assign(text=table.speech), "text"))  # as many texts as clips


def features(folder, table):
    from serlib.features import extract

    extract(table, spec())


def train(folder, table):
    from serlib.training.fitting import fit

    fit(recipe(), table, out=folder / "run")


def evaluate(folder, run):
    from serlib.evaluation.report import evaluate as judge

    judge(run)


#: What is done before the clock starts, and what is timed.
STEPS = {
    "index": (imports, index),
    "index again": (imports, index),
    "split": (indexed, split),
    "features cold": (indexed, features),
    "features warm": (indexed, features),
    "train": (with_roles, train),
    "evaluate": (trained, evaluate),
}

if __name__ == "__main__":
    main()
