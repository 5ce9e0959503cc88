#!/usr/bin/env python3
"""Seconds an epoch: one thread against two, float32 against mixed precision, in turn in one run.

    python bench/training.py                                   functionals, conv-gru, lstm-256 on the sample corpus
    python bench/training.py --recipes lstm-256 --corpus tess data/tess

Each setting trains in a process of its own; the first epoch, which traces the model, does not count, the best of the
others counts. Rounds go round all settings, so that a busy machine disturbs all alike. `rate` is how many times as
quick a setting is as one thread with float32 of the same recipe. With a GPU, TensorFlow computes there in every
setting.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SETTINGS = ((1, "float32"), (2, "float32"), (2, "mixed_bfloat16"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="*", default=["functionals", "conv-gru", "lstm-256"])
    parser.add_argument("--corpus", nargs="*", default=["sample"], help="name and folder")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(*args.child, corpus=args.corpus, epochs=args.epochs)
    print("| recipe | threads | precision | s an epoch | rate |\n| --- | ---: | --- | ---: | ---: |")
    for recipe in args.recipes:
        best = {}
        for _ in range(args.rounds):
            for setting in SETTINGS:
                command = [sys.executable, __file__, "--child", recipe, *map(str, setting), "--corpus", *args.corpus]
                command += ["--epochs", str(args.epochs)]
                environment = {**os.environ, "SERLIB_PROGRESS": "0"}
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
                seconds = float(done.stdout.split()[-1])
                best[setting] = min(seconds, best.get(setting, seconds))
        for (threads, precision), seconds in best.items():
            rate = best[SETTINGS[0]] / seconds
            print(f"| {recipe} | {threads} | {precision} | {seconds:.2f} | {rate:.2f} |", flush=True)


def child(recipe, threads, precision, *, corpus, epochs):
    """Train, and print the seconds of the quickest epoch but the first."""
    from serlib import corpora, splits
    from serlib.models.recipes import get
    from serlib.training.fitting import fit
    from serlib.utils import import_tensorflow

    tf = import_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    name, *folder = corpus
    table = splits.split(corpora.index(name, *folder), "random")
    with tempfile.TemporaryDirectory() as place:
        run = fit(get(recipe, precision=precision), table, out=Path(place) / "run", epochs=epochs)
    print(run.history.seconds[1:].min())


if __name__ == "__main__":
    main()
