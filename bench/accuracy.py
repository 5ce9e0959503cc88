#!/usr/bin/env python3
"""Measure every accuracy that README states, and write RESULTS.md and its picture.

    python bench/accuracy.py [tess data/tess ravdess data/ravdess] [--recipes NAME ...] [--splits NAME ...] [--seeds N]

All recipes and the peer (bench/peer.py) under the same splits, on the same folds; with --recipes only these. Each
training is a run folder under checkpoints/accuracy and is kept, with what it answered: an interrupted measurement goes
on where it stopped, and one that is complete is written again in seconds. What is measured takes the place of the same
rows of serlib/experiments/results.csv, bench/neighbours.csv and bench/similarity.csv, from which bench/results.py
writes the page.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
import peer
import results

from serlib import corpora
from serlib.evaluation.similarity import emotion_similarity
from serlib.experiments.comparison import compare, readable
from serlib.experiments.people import RESULTS
from serlib.features import SPECS, extract
from serlib.features.normalisation import who_speaks
from serlib.models.recipes import ON_REQUEST, RECIPES
from serlib.training.run import named
from serlib.utils import home

#: Corpora that are one index -> splits. By speaker: TESS's two in turn, RAVDESS's 24 actors in six folds of four.
PLAN = {
    ("tess",): ("published", "random", "text", "speaker"),
    ("ravdess",): ("published", "random", "speaker"),
    ("tess", "ravdess"): (results.LEFT_OUT,),
    ("tess", "ravdess", "nemo"): (results.LEFT_OUT, "corpus:tess"),
}

#: With three corpora RAVDESS's calm counts as neutral, which the others have.
MERGED = {("tess", "ravdess", "nemo"): {"neutral": ("calm",)}}

#: TESS's speakers, and those of RAVDESS's on whom nothing was chosen.
TESS, UNSEEN = ("tess/OAF", "tess/YAF"), ("01", "02", "03", "04")

#: Of these, made after others, one seed is trained, and the peers have none; of every other recipe as many as are asked
#: for.
SEED_0 = (
    *("lstm-256", "lstm-256-long", "lstm-123", "stacked-lstm", "conv1d", "cnn-lstm", "attention"),
    *("compare-svm", "compare-svm-per-speaker"),
)


def speakers(report):
    """UAR of each test speaker with the weakest class, or from the worst to the best of many, and of those UNSEEN."""
    uar, recall = 100 * report.per_speaker["uar"], 100 * report.speaker_recall
    if report.split == "speaker" and set(UNSEEN) <= set(uar.index):
        return f"{uar.min():.1f} to {uar.max():.1f}; {UNSEEN[0]} to {UNSEEN[-1]}: {uar[[*UNSEEN]].mean():.1f}"
    if len(uar) < 5:
        weakest = recall.idxmin(axis=1)
        return ", ".join(f"{name} {uar[name]:.1f} ({weakest[name]} {recall.loc[name].min():.0f})" for name in uar.index)
    return f"{uar.min():.1f} to {uar.max():.1f}"


def figures(comparison, machine):
    """The rows of results.csv.

    Parameters
    ----------
    comparison : serlib.experiments.comparison.Comparison
        Of one split.
    machine : str
        Where it was trained.

    Returns
    -------
    pd.DataFrame
    """
    table = comparison.table
    columns = {"corpus": table.corpora.str.replace(r"[ ,]+", "+", regex=True), "split": table.split}
    columns["recipe"] = table.recipe
    for name in ("accuracy", "uar"):
        for end in ("", "_low", "_high"):
            columns[name + end] = (100 * table[name + end]).map("{:.1f}".format)
    columns["weakest"] = table.weakest
    columns["weakest_recall"] = (100 * table.min_recall).round().astype(int)
    columns |= {"test_clips": table.clips, "runs": table.runs, "reported": 100 * table.reported}
    columns["normalise"] = table.normalise
    reports = [comparison.reports[key] for key in zip(table.split, table.recipe, strict=True)]
    columns["speakers"] = [speakers(report) for report in reports]
    columns["by_seed"] = readable(table)["UAR % by seed"]
    columns |= {name: table[name] for name in ("epochs", "parameters", "train_s", "ms_a_clip")}
    return pd.DataFrame({**columns, "machine": machine})


def neighbours(comparison, rows):
    """The rows of neighbours.csv: who differs from the next one in the ranking."""
    pairs = comparison.neighbours.assign(corpus=rows.corpus.iloc[0])
    pairs = pairs.rename(columns={"only_a": "only_better", "only_b": "only_worse", "p_mid": "p"})
    return pairs.reindex(columns=["corpus", "split", "better", "worse", "only_better", "only_worse", "p"])


def alike(names, index):
    """The rows of similarity.csv: how alike the emotions of a TESS speaker are to those of the other one, or to
    RAVDESS's."""
    values = extract(index, SPECS["functionals"]).values
    others = sorted(set(who_speaks(index)) - set(TESS))
    pairs = [(one, others, "the mean of RAVDESS's actors") for one in TESS] if others else [(*TESS, TESS[1])]
    parts = []
    for one, other, name in pairs:
        cosines = (emotion_similarity(values, index, one, other).round(2) + 0).rename_axis(
            index="emotion", columns="other"
        )
        rows = cosines.stack().rename("cosine").reset_index()
        parts.append(rows.assign(corpus="+".join(names), voices=f"{one}, against {name}"))
    return pd.concat(parts)[["corpus", "voices", "emotion", "other", "cosine"]]


def renew(path, rows, keys):
    """Put measured rows in the place of those of the same keys in a table, or at its end.

    Parameters
    ----------
    path : Path
        A CSV table.
    rows : pd.DataFrame
    keys : list of str
        Columns that name what was measured, in any order: who was the better one of two may be the worse one now.
    """
    rows = rows.astype(str).replace("nan", "")
    kept = pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else rows.iloc[:0]
    measured = set(map(frozenset, rows[keys].itertuples(index=False, name=None)))
    old = [frozenset(key) in measured for key in kept[keys].itertuples(index=False, name=None)]
    kept = kept[~np.array(old, dtype=bool)]
    pd.concat([kept, rows[kept.columns]]).to_csv(path, index=False)


def made_on(root):
    """The machines on which the runs under a folder were trained, in words."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("run.json"))]
    return "; ".join(sorted({named(run["machine"]) for run in runs if "machine" in run}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="tess FOLDER ravdess FOLDER ...; default: what is present")
    parser.add_argument("--recipes", nargs="+", choices=list(RECIPES), help="only these, and no peers")
    parser.add_argument("--splits", nargs="+", help="only these, such as speaker")
    parser.add_argument("--seeds", type=int, default=3, help="of the project's own recipes")
    parser.add_argument("--jobs", type=int, help="trainings at the same time; default: one a core, up to four")
    parser.add_argument("--out", type=Path, default=home() / "RESULTS.md")
    args = parser.parse_args()
    folders = dict(zip(args.corpus[::2], args.corpus[1::2], strict=True))
    folders = folders or {name: corpora.find(name) for name in ("tess", "ravdess", "nemo") if corpora.present(name)}
    if not folders:
        parser.exit(message="neither TESS nor RAVDESS is here; see python -m serlib download\n")
    root = home() / "checkpoints" / "accuracy"
    for names, splits in PLAN.items():
        if not set(names) <= set(folders):
            continue
        merged = {"labels": MERGED[names]} if names in MERGED else {}
        index = corpora.index(list(names), [folders[name] for name in names], **merged)
        systems = [RECIPES[name] for name in args.recipes or RECIPES if args.recipes or name not in ON_REQUEST]
        systems += [] if args.recipes else peer.peers(index)
        seeds = {system.name: range(1 if system.name in SEED_0 else args.seeds) for system in systems}
        for split in splits:  # one after the other, so that the page grows while the rest is trained
            if args.splits and split not in args.splits:
                continue
            comparison = compare(index, systems, splits=[split], seeds=seeds, match=True, root=root, jobs=args.jobs)
            print(readable(comparison.table).to_string(index=False), flush=True)
            rows = figures(comparison, made_on(root))
            renew(RESULTS, rows, ["corpus", "split", "recipe"])
            if len(comparison.neighbours):
                renew(results.NEIGHBOURS, neighbours(comparison, rows), ["corpus", "split", "better", "worse"])
            results.write(args.out)
        if names in (("tess",), ("tess", "ravdess")) and not (args.recipes or args.splits):
            renew(results.SIMILARITY, alike(names, index), ["corpus", "voices", "emotion", "other"])
            results.write(args.out)
    print(f"\n{args.out}")


if __name__ == "__main__":
    main()
