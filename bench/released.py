#!/usr/bin/env python3
"""Train the model that serlib ships (serlib/pretrained) from RAVDESS and nEMO: on two cores, without a GPU.

    python bench/released.py choose ravdess data/ravdess nemo data/nemo      # what the settings were chosen by
    python bench/released.py train ravdess data/ravdess nemo data/nemo --to serlib/pretrained
    python bench/released.py card tess data/tess --to serlib/pretrained      # its figures into the model card

It is the recipe `whisper-tuned`; RAVDESS's calm counts as neutral. `choose` asks what a corpus that is not heard needs:
from RAVDESS to nEMO and back, and actors held out within each, with clips as they were recorded and at one level, by
the probe of the frozen states. `train` tunes the encoder on all but six speakers, who choose the temperature and show
what it recognises of new ones; then the probe is solved once more on all speakers.
"""

import argparse
import json
import os
import platform
import re
import zipfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from sklearn.metrics import recall_score

from serlib import corpora
from serlib.evaluation import matching
from serlib.evaluation.report import evaluate
from serlib.features import extract, weights
from serlib.features.encoder import load
from serlib.models.probe import clip_weights
from serlib.models.recipes import RECIPES
from serlib.training import calibration, fit, graph, novelty
from serlib.training import run as runs
from serlib.utils import ordered_labels

RECIPE = RECIPES["whisper-tuned"]
PROBE = RECIPE.probe
#: Speakers who choose the temperature: four actors of RAVDESS, a woman and a man of nEMO.
HELD_OUT = ("ravdess/01", "ravdess/02", "ravdess/03", "ravdess/04", "nemo/KD0", "nemo/WR0")
WOMEN = ("ravdess/02", "ravdess/04", "nemo/KD0")
#: Values of C that are compared.
STRENGTHS = (1e-2, 2e-2, 5e-2)
#: Actors are held out within a corpus in as many parts.
PARTS = 4
#: Around the figures in the card.
MARKS = ("<!-- figures -->", "<!-- end of the figures -->")


def index(corpus):
    """The clips of `NAME FOLDER NAME FOLDER`; calm counts as neutral."""
    names, folders = corpus[::2], corpus[1::2]
    table = corpora.index(list(names), [Path(folder) for folder in folders], labels={"neutral": ("calm",)})
    return table.assign(voice=table.corpus + "/" + table.speaker)


def answers(recipe, x, table, train, test):
    """Probabilities of test clips by a probe that learns from training clips.

    Parameters
    ----------
    recipe : LinearProbe
    x : np.ndarray [shape=(clips, d)]
    table : pd.DataFrame
    train, test : np.ndarray of bool [shape=(clips,)]

    Returns
    -------
    probabilities : np.ndarray [shape=(test clips, labels)]
    labels : list of str
        All that the training clips have.
    """
    labels = ordered_labels(table.label[train])
    one_hot = (table.label[train].to_numpy()[:, None] == np.array(labels)).astype(np.float32)
    model = recipe.solve(x[train], one_hot, clip_weights(table[train]))
    return np.asarray(model(x[test])), labels


def recalls(probabilities, labels, truth):
    """UAR in per cent over the labels that occur; an answer outside of them is no answer."""
    occurring = [n for n, label in enumerate(labels) if label in set(truth)]
    guess = np.array(labels)[occurring][probabilities[:, occurring].argmax(axis=1)]
    return 100 * recall_score(truth, guess, labels=np.unique(truth), average="macro", zero_division=0)


def choose(args):
    """The table by which level and C were chosen; TESS has no say."""
    table = index(args.corpus)
    names = list(dict.fromkeys(table.corpus))
    rng = np.random.default_rng(0)
    part = {voice: n % PARTS for n, voice in enumerate(rng.permutation(sorted(set(table.voice) - set(HELD_OUT))))}
    part = table.voice.map(part)
    rows = []
    for peak in (None, PROBE.features.peak):
        x = np.asarray(extract(table, replace(PROBE.features, peak=peak)).values)
        for c in STRENGTHS:
            recipe = replace(PROBE, c=c)
            row = {"level": "as recorded" if peak is None else "one", "C": f"{c:g}"}
            for name, other in (names, names[::-1]):
                train = (table.corpus == name).to_numpy()
                test = (table.corpus == other).to_numpy() & table.label.isin(table.label[train]).to_numpy()
                found, labels = answers(recipe, x, table, train, test)
                heard = table[test]
                row[f"{name} -> {other}"] = recalls(found, labels, heard.label)
                matched = matching.match_corpora(found, heard, labels, table[train])
                row[f"{name} -> {other} matched *"] = recalls(matched, labels, heard.label)
                is_neutral = (heard.label == "neutral").to_numpy()
                row[f"{name} -> {other} neutral"] = 100 * np.mean(
                    found[is_neutral].argmax(axis=1) == labels.index("neutral")
                )
            for name in names:
                inside = (table.corpus == name).to_numpy()
                pairs = [
                    answers(recipe, x, table, inside & (part != n) & part.notna(), inside & (part == n))
                    for n in range(PARTS)
                ]
                found = np.concatenate([probabilities for probabilities, _ in pairs])
                truth = pd.concat([table.label[inside & (part == n)] for n in range(PARTS)])
                row[f"{name}, new actors"] = recalls(found, pairs[0][1], truth)
            rows.append(row)
            print(pd.DataFrame(rows).round(1).T.to_string(header=False), "\n", flush=True)


def train(args):
    """The run folder that serlib ships: model, run.json, split.csv, history.csv; TO-tuned is the run behind it."""
    table = index(args.corpus)
    held_out = table.voice.isin(HELD_OUT).to_numpy()
    table["role"] = np.where(held_out, "validation", "train")
    table.attrs["split"] = {"kind": "speaker", "protocol": "held-out"}
    tuned = fit(RECIPE, table, out=args.to.with_name(f"{args.to.name}-tuned"), resume=True)
    labels = tuned.labels
    x = extract(table, RECIPE.features).values
    found = tuned.probabilities(x[held_out], calibrated=False)
    truth = pd.Index(labels).get_indexer(table.label[held_out])
    one_hot = (table.label.to_numpy()[:, None] == np.array(labels)).astype(np.float32)
    name = PROBE.features.encoder
    frozen, _, _ = weights.find(name, PROBE.features.layers)
    encoder = load(name, PROBE.features.layers, name="encoder", source=name)
    # What a byte a weight keeps of the tuned encoder, so that the probe is solved on what will answer.
    encoder.set(weights.unpack(weights.pack(tuned.model.get_layer("encoder").values(), frozen), frozen))
    model = RECIPE.read(encoder, x, one_hot, clip_weights(table))

    args.to.mkdir(parents=True, exist_ok=True)
    model.save(args.to / "model.keras")
    deflate(args.to / "model.keras")
    loaded = runs.load_model(args.to / "model.keras")
    tuned.history.to_csv(args.to / "history.csv", index=False)
    split = table.assign(role="train", speech=[Path(file).name for file in table.speech])
    split[["speech", "label", "speaker", "text", "corpus", "digest", "role"]].to_csv(args.to / "split.csv", index=False)
    info = {
        "format": runs.FORMAT,
        "recipe": RECIPE.to_dict(),
        "epochs": RECIPE.epochs,
        "seed": tuned.info["seed"],
        "labels": labels,
        "features": RECIPE.features.to_dict(),
        "corpora": list(dict.fromkeys(table.corpus)),
        "split": {"kind": "speaker", "protocol": "held-out"},
        "counts": {"train": len(table), "validation": 0, "test": 0},
        "parameters": loaded.count_params(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("serlib", "tensorflow", "keras", "librosa", "numpy")},
        },
        "machine": runs.machine(),
        "calibration": calibration.fit(truth, found),
        "probes": runs.probe_answers(loaded, RECIPE.features, labels),
        "domain": novelty.learn(table.assign(role="train")),
        "new_speakers": new_speakers(found, labels, table[held_out]),
    }
    (args.to / "run.json").write_text(json.dumps(info, indent=1), encoding="utf-8")
    graph.write(runs.Run.load(args.to))
    frozen_found, _ = answers(PROBE, np.asarray(extract(table, PROBE.features).values), table, ~held_out, held_out)
    print("the probe of the frozen states, for comparison:")
    print(json.dumps(new_speakers(frozen_found, labels, table[held_out]), indent=1))
    print("the tuned encoder:")
    print(json.dumps(info["new_speakers"], indent=1))


def deflate(path):
    """Compress the parts of a model file, which Keras only puts side by side: most steps away from Whisper are few."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, compresslevel=9)


def new_speakers(found, labels, table):
    """What the run without the held-out speakers recognises of them: clips and UAR, by corpus, sex and voice."""
    groups = {"RAVDESS 01 to 04": table.corpus == "ravdess", "nEMO KD0 and WR0": table.corpus == "nemo"}
    for name, mask in list(groups.items()):
        groups[f"{name}, women"] = mask & table.voice.isin(WOMEN)
        groups[f"{name}, men"] = mask & ~table.voice.isin(WOMEN)
    happy = (table.label == "happy").to_numpy()
    told = {
        name: {"clips": int(mask.sum()), "uar": round(recalls(found[mask], labels, table.label[mask]), 1)}
        for name, mask in groups.items()
    }
    share = (found[happy].argmax(axis=1) == labels.index("happy")).mean()
    return {**told, "happy": {"clips": int(happy.sum()), "uar": round(100 * share, 1)}}


def card(args):
    """Judge the model on a corpus that it never heard, and write all figures into its card."""
    run = runs.Run.load(args.to)
    table = corpora.index(args.corpus[0], Path(args.corpus[1]))
    report = evaluate(run, table)
    matched = evaluate(run, table, match=True)
    rows = [(name, told["clips"], f"{told['uar']:.1f}") for name, told in run.info["new_speakers"].items()]
    rows = [(f"{name}: recall, of all six" if name == "happy" else name, *rest) for name, *rest in rows]
    low, high = report.ci95["uar"]
    name = corpora.CORPORA[table.corpus.iloc[0]].title
    rows.append((f"all of {name}", report.n_test, f"{100 * report.uar:.1f} [{100 * low:.1f}, {100 * high:.1f}]"))
    rows.append(
        ("the same, answers matched by speaker to equal shares \\*", matched.n_test, f"{100 * matched.uar:.1f}")
    )
    for voice, one in report.per_speaker.iterrows():
        rows.append((f"of them {voice}", int(one.n), f"{100 * one.uar:.1f}"))
    recall = report.per_class.recall.dropna()
    worst = ", ".join(f"{label} {100 * value:.0f}" for label, value in recall.sort_values().items())
    lines = ["| who | clips | UAR % |", "| --- | --- | --- |"]
    lines += [f"| {who} | {clips} | {figure} |" for who, clips, figure in rows]
    body = "\n".join([*lines, "", f"Recall by emotion on {name}, in per cent: {worst}."])
    path = args.to / "README.md"
    text = path.read_text(encoding="utf-8")
    between = re.compile(f"({re.escape(MARKS[0])}\n).*({re.escape(MARKS[1])})", re.DOTALL)
    path.write_text(between.sub(lambda found: f"{found[1]}{body}\n{found[2]}", text), encoding="utf-8")
    print(body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    for step in (choose, train, card):
        sub = steps.add_parser(step.__name__, help=step.__doc__)
        sub.add_argument("corpus", nargs="+", help="NAME FOLDER, once or more")
        if step is not choose:
            sub.add_argument("--to", type=Path, required=True, help="folder of the model")
        sub.set_defaults(run=step)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
