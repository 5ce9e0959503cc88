#!/usr/bin/env python3
"""Measure how far rounding alone moves a result: the same training under several arithmetics.

    python bench/arithmetic.py [RECIPE] [CORPUS FOLDER] [--split KIND] [--seeds N]

Processors add up in different orders, and a training carries the last digit of a sum into other weights. oneDNN can be
held to the instructions of older processors, so that one machine shows what several would; the variables are read when
TensorFlow is imported, so each training is a process of its own. The table of a real corpus is kept in
bench/arithmetic.md, which RESULTS.md shows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from serlib.training.run import machine, named

#: Where the table of a real corpus is kept, for RESULTS.md.
TABLE = Path(__file__).with_suffix(".md")
#: What TensorFlow is told; the instruction sets are those of processors of 2008, 2011 and 2013.
ARITHMETICS = {
    "the processor's own": {},
    "AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX": {"ONEDNN_MAX_CPU_ISA": "AVX"},
    "SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}


def accuracy(recipe, corpus, *, split, seed, variables):
    """Train in a process of its own.

    Parameters
    ----------
    recipe : str
    corpus : list of str
        Name and folder, or nothing for the sample corpus.
    split : str
    seed : int
    variables : dict of str to str
        Of the environment, beside what is set already.

    Returns
    -------
    float
        Accuracy on the test set, from 0 to 1.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "serlib", "train", recipe, *(corpus or ["sample"])]
        command += ["--out", f"{folder}/run", "--split", split, "--seed", str(seed), "--json"]
        done = subprocess.run(command, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["accuracy"]


def paragraph(table, *, recipe, corpus, split):
    """What was measured, as Markdown.

    Parameters
    ----------
    table : pd.DataFrame
        A row for each of ARITHMETICS, a column for each seed, accuracies from 0 to 1.
    recipe, corpus, split : str

    Returns
    -------
    str
    """
    percent = 100 * table
    lines = [
        f"How far rounding alone moves a result: `{recipe}` on {corpus}, split {split}, accuracy in %, on one "
        f"processor ({named(machine())}) held to the instructions of others.",
        "",
        "| arithmetic | " + " | ".join(f"seed {seed}" for seed in table.columns) + " |",
        "| --- |" + " --- |" * len(table.columns),
    ]
    lines += [f"| {name} | " + " | ".join(f"{value:.1f}" for value in row) + " |" for name, row in percent.iterrows()]
    ranges = ", ".join(f"{value:.1f}" for value in percent.max() - percent.min())
    lines += ["", f"From the lowest to the highest: {ranges} points."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="?", default="lstm-256")
    parser.add_argument("corpus", nargs="*", help="CORPUS FOLDER; default: the sample corpus")
    parser.add_argument("--split", default="random")
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    table = pd.DataFrame(index=list(ARITHMETICS), columns=range(args.seeds), dtype=float)
    for seed in table.columns:
        for name, variables in ARITHMETICS.items():
            table.loc[name, seed] = accuracy(args.recipe, args.corpus, split=args.split, seed=seed, variables=variables)
            print(f"{name:20} seed {seed}  accuracy {table.loc[name, seed]:.1%}", flush=True)
    corpus = args.corpus[0].upper() if args.corpus else "the sample corpus"
    text = paragraph(table, recipe=args.recipe, corpus=corpus, split=args.split)
    if args.corpus:
        TABLE.write_text(text, encoding="utf-8")
    print(f"\n{text}")


if __name__ == "__main__":
    main()
