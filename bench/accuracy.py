#!/usr/bin/env python3
"""Measure every accuracy that README states, and write RESULTS.md and its picture.

    python bench/accuracy.py [tess data/tess ravdess data/ravdess] [--recipes NAME ...] [--seed N] [--out RESULTS.md]

Each training is a run folder under checkpoints/accuracy and is kept: an interrupted measurement goes on where it
stopped. The test role of each split is judged once. Where a split has folds, each clip of the corpus is tested in one
of them, and the figures are those of all these answers together.
"""

import argparse
import os
import platform
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pandas as pd

from serlib import corpora, evaluation, plots, splits, training
from serlib.base import home
from serlib.recipes import RECIPES

#: corpus -> kind of split -> parts of its cross-validation (None: one split).
PLAN = {
    "tess": {"published": None, "random": None, "text": None, "speaker": 2},
    "ravdess": {"published": None, "random": None, "speaker": 6},
}

#: System C was published on TESS only.
RAVDESS_RECIPES = ("lstm-256", "lstm-256-long")

#: Corpus and recipe of the picture.
PICTURED = ("tess", "lstm-256")

MEANING = """\
- published: random 80/20 and validation = test, as papers and tutorials do it
- random: random 72/8/20; the voices and words of the test role are known
- text: no word is in two roles; the voices are known
- speaker: the voice is new. TESS: each of the two speakers left out in turn; RAVDESS: six folds of four actors each

Intervals are 95 % bootstrap intervals, resampled by speaker where there are five or more, by text otherwise; the
latter say nothing about other voices. The columns of the folds show how far two speakers, or four actors, differ."""


def measure(recipe, index, kind, *, folds, seed, root):
    """Train (or load) the runs of one row of the table and judge them.

    Returns
    -------
    row : dict
    pooled : Report
        Of all answers of the row together.
    """
    corpus, reports, runs = index.corpus[0], [], []
    for fold in [None] if folds is None else range(folds):
        table = splits.split(index, kind, seed=seed, fold=fold, folds=folds)
        part = "" if fold is None else f"-{fold + 1}of{folds}"
        out = root / f"{corpus}-{recipe}-{kind}{part}-seed{seed}"
        runs.append(training.fit(recipe, table, out=out, seed=seed, resume=True))
        reports.append(evaluation.evaluate(runs[-1]))
        print(f"{out.name:42} accuracy {reports[-1].accuracy:6.1%}  UAR {reports[-1].uar:6.1%}", flush=True)
    all_tests = pd.concat([report.predictions for report in reports], ignore_index=True)
    labels = runs[0].labels
    pooled = evaluation.score(
        all_tests.label, all_tests[labels].to_numpy(), labels, speakers=all_tests.speaker, texts=all_tests.text
    )
    reported = RECIPES[recipe].reported
    row = {
        "corpus": corpus,
        "recipe": recipe,
        "split": kind,
        "accuracy %": percent(pooled.accuracy, pooled.ci95["accuracy"]),
        "UAR %": percent(pooled.uar, pooled.ci95["uar"]),
        "interval by": pooled.resampled_by,
        "reported %": f"{100 * reported:.4g}" if reported and kind == "published" else "",
        "folds, UAR %": ", ".join(
            f"{run.info['split']['test'][0]} {100 * report.uar:.1f}" if folds == 2 else f"{100 * report.uar:.1f}"
            for run, report in zip(runs, reports, strict=True)
        )
        if folds
        else "",
        "test clips": pooled.n_test,
    }
    return row, pooled


def percent(value, interval):
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def page(rows, seed):
    """RESULTS.md: nothing in it is typed by hand."""
    table = pd.DataFrame(rows)
    head = "| " + " | ".join(table.columns) + " |\n|" + " --- |" * len(table.columns)
    body = "\n".join("| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False))
    used = ", ".join(f"{name} {version(name)}" for name in ("serlib", "keras", "tensorflow", "librosa", "numpy"))
    return (
        "# Results\n\n"
        f"Written by `python bench/accuracy.py`, seed {seed}, one training a row or fold "
        f"(Python {platform.python_version()}, {used}). Another machine differs in the last digits.\n\n"
        f"{MEANING}\n\n![accuracy by split](RESULTS.png)\n\n{head}\n{body}\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="tess FOLDER ravdess FOLDER; default: what is present")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=home() / "RESULTS.md")
    args = parser.parse_args()
    rows, pictured = [], {}
    given = list(zip(args.corpus[::2], args.corpus[1::2], strict=True))
    given = given or [(name, corpora.find(name)) for name in PLAN if corpora.present(name)]
    if not given:
        parser.exit(message="neither TESS nor RAVDESS is here; see python -m serlib download\n")
    for corpus, folder in given:
        index = corpora.index(corpus, folder)
        for recipe in args.recipes:
            if corpus == "ravdess" and recipe not in RAVDESS_RECIPES:
                continue
            for kind, folds in PLAN[corpus].items():
                root = home() / "checkpoints" / "accuracy"
                row, pooled = measure(recipe, index, kind, folds=folds, seed=args.seed, root=root)
                rows.append(row)
                if (corpus, recipe) == PICTURED:
                    pictured[kind] = pooled
                args.out.write_text(page(rows, args.seed), encoding="utf-8")
    if pictured:
        figure = plots.splits_compared(pictured, title="One LSTM on TESS: who is in the test?")
        args.out.with_suffix(".png").write_bytes(plots.png(figure))
    print(f"\n{args.out}")


if __name__ == "__main__":
    main()
