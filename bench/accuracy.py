#!/usr/bin/env python3
"""Measure every accuracy that README states, and write RESULTS.md and its picture.

    python bench/accuracy.py [tess data/tess ravdess data/ravdess] [--recipes NAME ...] [--seeds N] [--jobs N]
    python bench/accuracy.py --finished

All recipes and the peer (bench/peer.py) under the same splits, on the same folds. Each training is a run folder under
checkpoints/accuracy and is kept, with what it answered: an interrupted measurement goes on where it stopped, and one
that is complete is written again in seconds.
"""

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import arithmetic
import pandas as pd
import peer

from serlib import corpora, experiments, plots
from serlib.evaluation.similarity import emotion_similarity
from serlib.experiments.comparison import MARKED, MATCHED, compare, readable
from serlib.experiments.people import RESULTS
from serlib.features import SPECS, extract
from serlib.features.normalisation import who_speaks
from serlib.models.recipes import RECIPES
from serlib.training.run import named
from serlib.utils import home

#: Corpora that are one index -> splits. By speaker: TESS's two in turn, RAVDESS's 24 actors in six folds of four.
PLAN = {
    ("tess",): ("published", "random", "text", "speaker"),
    ("ravdess",): ("published", "random", "speaker"),
    ("tess", "ravdess"): ("speaker:tess/OAF,tess/YAF",),
}

#: TESS's speakers, and those of RAVDESS's on whom nothing was chosen.
TESS, UNSEEN = ("tess/OAF", "tess/YAF"), ("01", "02", "03", "04")

#: Of these, made after others, one seed is trained, and the peers have none; of every other recipe as many as are asked
#: for.
SEED_0 = (
    *("lstm-256", "lstm-256-long", "lstm-123", "stacked-lstm", "conv1d", "cnn-lstm", "attention"),
    *("compare-svm", "compare-svm-per-speaker"),
)

#: What is known of the machine of runs that were trained before run.json named it.
UNRECORDED = "an x86-64 processor with two cores, which run.json did not name yet"

MEANING = f"""\
- published: random 80/20 and validation = test, as papers and tutorials do it
- random: random 72/8/20; the voices and words of the test set are known
- text: no word is in two roles; the voices are known (TESS only: RAVDESS has two sentences)
- speaker: the voice is new. TESS: each of the two speakers left out in turn; RAVDESS: six folds of four actors each
- speaker:tess/OAF,tess/YAF: each speaker of TESS left out in turn; the other one and all of RAVDESS train together, on
  the seven labels of TESS

`NAME{MATCHED}` are the answers of the recipe NAME with an offset for each label and test speaker, such that the
emotions have the shares that they have in training; nothing is trained for it. It takes for granted that a speaker's
clips hold the emotions in such shares, as they do here.

The settings of this project's own recipes (`functionals`, `conv-gru`, `committee`) were chosen on RAVDESS's actors 05
to 24, in folds of their own: no model is tested on an actor that it was trained on, but RAVDESS's figures may be
somewhat too high, since the settings suit these actors. Actors 01 to 04 had no say, and nor had TESS, but for one
thing: a first pair of shares of the committee's members was given up after TESS had been seen to lose by it. The
peer's one setting is the usual one for so many columns, and is not tuned. `reported` is what the authors printed, on
clips of theirs: of B's it is not known whether they were TESS's or RAVDESS's.

Recipes are ranked by UAR, the mean recall of the classes. Intervals are 95 % bootstrap intervals over all answers of
all folds and seeds, resampled by speaker where there are five or more, by text otherwise; the latter say nothing about
other voices. A seed governs split, first weights, order and dropout; the warped copies of the training set are the
same for all, so that figures by seed lie a little too close. The weakest recall is that of the class that is recognised
worst. Training seconds are the mean of the runs, milliseconds a clip those of the model alone on features at hand; both
were measured beside other work.

\\{MARKED}.

Recipes that a table does not list have not been measured there; `--finished` leaves out what is not finished."""


def finished(index, systems, split, seeds, root):
    """Of some systems those whose runs are all finished, and the seeds of each for which they are."""
    found = {}
    for system in systems:
        for seed in seeds[system.name]:
            each = {system.name: [seed]}
            runs = experiments.plan(index, [system], [split], folds=None, seeds=each, epochs=None, root=root)
            if all(run.is_done() for run in runs):
                found.setdefault(system.name, []).append(seed)
    return [system for system in systems if system.name in found], found


def speakers(report):
    """UAR of each test speaker with the weakest class, or from the worst to the best of many, and of those UNSEEN."""
    uar, recall = 100 * report.per_speaker["uar"], 100 * report.speaker_recall
    if report.split == "speaker" and set(UNSEEN) <= set(uar.index):
        return f"{uar.min():.1f} to {uar.max():.1f}; {UNSEEN[0]} to {UNSEEN[-1]}: {uar[[*UNSEEN]].mean():.1f}"
    if len(uar) < 5:
        weakest = recall.idxmin(axis=1)
        return ", ".join(f"{name} {uar[name]:.1f} ({weakest[name]} {recall.loc[name].min():.0f})" for name in uar.index)
    return f"{uar.min():.1f} to {uar.max():.1f}"


def markdown(table):
    head = "| " + " | ".join(table.columns) + " |\n|" + " --- |" * len(table.columns)
    rows = ("| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False))
    return head + "\n" + "\n".join(rows).replace("*", "\\*")


def alike(names, index):
    """How alike the emotions of a TESS speaker are to those of the other one, or to RAVDESS's, where they train."""
    if "tess" not in names:
        return ""
    values, others = extract(index, SPECS["functionals"]).values, sorted(set(who_speaks(index)) - set(TESS))
    pairs = [(one, others, "the mean of RAVDESS's actors") for one in TESS] if others else [(*TESS, TESS[1])]
    told = [
        "What makes it hard: emotions after the voice is taken away, cosines (`evaluation.similarity`; 1 is alike)."
    ]
    for one, other, name in pairs:
        cosines = emotion_similarity(values, index, one, other).round(2) + 0
        told.append(markdown(cosines.reset_index(names=f"{one}, against {name}")))
    return "\n" + "\n\n".join(told) + "\n"


def section(names, found):
    """A heading, the table of some corpora, and how its neighbours differ."""
    table = pd.concat([readable(each.table) for each in found], ignore_index=True).drop(columns="corpus")
    reports = {key: report for each in found for key, report in each.reports.items()}
    rows = pd.concat([each.table for each in found])
    table.insert(5, "speakers, UAR %", [speakers(reports[key]) for key in zip(rows.split, rows.recipe, strict=True)])
    pairs = pd.concat([each.neighbours for each in found])
    told = [
        f"- {p.split}: {p.better} alone is right on {p.only_a} clips, {p.worse} alone on {p.only_b} (p {p.p_mid:.2g})"
        for p in pairs.itertuples()
    ]
    return (
        f"## {' and '.join(name.upper() for name in names)}\n\n{markdown(table)}\n\n"
        "Neighbours in the ranking (McNemar, mid-p, first seed; it takes clips for independent: with few speakers a\n"
        "small p is about these speakers only):\n\n" + "\n".join(told) + "\n"
    )


def made_on(root):
    """The machines on which the runs under a folder were trained, in words."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(root.rglob("run.json"))]
    return "; ".join(sorted({named(run["machine"]) if "machine" in run else UNRECORDED for run in runs}))


def page(sections, root):
    """RESULTS.md: no figure in it is typed by hand."""
    rounding = arithmetic.table_path()
    rounding = (
        rounding.read_text(encoding="utf-8") if rounding.is_file() else "`bench/arithmetic.py` has not run yet.\n"
    )
    packages = ("serlib", "keras", "tensorflow", "librosa", "numpy", "scikit-learn", "opensmile")
    used = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        "# Results\n\n"
        f"Written by `python bench/accuracy.py` (Python {platform.python_version()}, {used}).\n\n"
        f"Trained on {made_on(root)}. Another machine trains to other weights, see *Another arithmetic* below.\n\n"
        f"{MEANING}\n\n![accuracy of all recipes by split, TESS](RESULTS.png)\n\n"
        + "\n".join([*sections, f"## Another arithmetic\n\n{rounding}"])
    )


def shipped(table):
    """What `serlib.experiments.people` reads: the figures of the page, as they stand there."""
    joined = table.corpora.str.replace(r"[ ,]+", "+", regex=True)
    columns = {"corpus": joined, "split": table.split, "recipe": table.recipe}
    for name, value in (
        ("accuracy", table.accuracy),
        ("uar", table.uar),
        ("uar_low", table.uar_low),
        ("uar_high", table.uar_high),
    ):
        columns[name] = (100 * value).map("{:.1f}".format)
    columns["weakest"] = table.weakest
    columns["weakest_recall"] = (100 * table.min_recall).round().astype(int)
    return pd.DataFrame({**columns, "test_clips": table.clips, "runs": table.runs})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="tess FOLDER ravdess FOLDER; default: what is present")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3, help="of the project's own recipes")
    parser.add_argument("--jobs", type=int, help="trainings at the same time; default: one a core, up to four")
    parser.add_argument("--finished", action="store_true", help="write the page of what is finished, train nothing")
    parser.add_argument("--out", type=Path, default=home() / "RESULTS.md")
    args = parser.parse_args()
    folders = dict(zip(args.corpus[::2], args.corpus[1::2], strict=True))
    folders = folders or {name: corpora.find(name) for name in ("tess", "ravdess") if corpora.present(name)}
    if not folders:
        parser.exit(message="neither TESS nor RAVDESS is here; see python -m serlib download\n")
    sections, tables, root = [], [], home() / "checkpoints" / "accuracy"
    for names, splits in PLAN.items():
        if not set(names) <= set(folders):
            continue
        index = corpora.index(list(names), [folders[name] for name in names])
        systems, found = [*(RECIPES[name] for name in args.recipes), *peer.peers(index)], []
        seeds = {each.name: range(1 if each.name in SEED_0 else args.seeds) for each in systems}
        for split in splits:  # one after the other, so that the page grows while the rest is trained
            some, theirs = finished(index, systems, split, seeds, root) if args.finished else (systems, seeds)
            if not some:
                continue
            found.append(compare(index, some, splits=[split], seeds=theirs, match=True, root=root, jobs=args.jobs))
            print(readable(found[-1].table).to_string(index=False), flush=True)
            args.out.write_text(page([*sections, section(names, found)], root), encoding="utf-8")
        sections += [section(names, found) + alike(names, index)] if found else []
        tables += [each.table for each in found]
        args.out.write_text(page(sections, root), encoding="utf-8")
        if names == ("tess",) and found:
            table = pd.concat([each.table for each in found])
            trained = table[~table.recipe.str.endswith(MATCHED)]
            figure = plots.recipes_compared(trained, title="TESS: who is in the test?")
            args.out.with_suffix(".png").write_bytes(plots.png(figure))
    if tables:
        shipped(pd.concat(tables, ignore_index=True)).to_csv(RESULTS, index=False)
    print(f"\n{args.out}")


if __name__ == "__main__":
    main()
