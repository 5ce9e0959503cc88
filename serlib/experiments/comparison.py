"""Several recipes under several splits, side by side: one table, and whether neighbours differ by more than chance."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import evaluation
from serlib.evaluation import matching
from serlib.evaluation.report import mcnemar
from serlib.experiments import trials
from serlib.features import normalisation
from serlib.models.recipe import BaseRecipe
from serlib.models.recipes import get
from serlib.splits import group_keys
from serlib.training.state import with_files
from serlib.utils import UNKNOWN, SerlibError, clip_table, home, ordered_labels

#: What `compare` asks for: from what papers print to what a new voice gets.
KINDS = ("published", "random", "text", "speaker")

#: Behind the name of a recipe with per-speaker normalisation, and what it means.
MARK = " *"
MARKED = f"{MARK.strip()} {normalisation.PER_SPEAKER}"

#: Splits whose test voices are new; behind the name of a recipe whose answers are normalised by speaker.
NEW_VOICES = ("speaker", "speaker+text", "corpus")
MATCHED = "+matched"


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    table : pd.DataFrame
        A row a split and recipe, the splits in the order asked for, the recipe with the best UAR first. Shares from 0
        to 1; columns: corpora, split, recipe, title, normalise (`speaker` and `matched` use the test speaker's clips),
        protocol, reported (where the split is the one that its authors used), accuracy, uar (each with `_low` and
        `_high`, a 95 % bootstrap interval, and `_min` and `_max` over the seeds), resampled_by, min_recall and
        weakest (the class with the lowest recall), classes, clips, seeds, runs, epochs (median), parameters, train_s
        (mean of the runs), ms_a_clip (the model alone on one clip's features; of the quickest run).
    neighbours : pd.DataFrame
        Each recipe against the next one in the table, on the answers of the first seed: split, better, worse, and
        what `mcnemar(better, worse)` says.
    reports : dict of (split, recipe) -> Report
        Of all answers of all folds and seeds together.
    left_out : dict of str -> str
        Usual splits that this index cannot be given, and why.
    """

    table: pd.DataFrame
    neighbours: pd.DataFrame
    reports: dict
    left_out: dict

    def to_json(self):
        """The two tables as plain Python values; what is undefined is None."""
        frames = {"rows": self.table, "neighbours": self.neighbours}
        tables = {name: json.loads(table.to_json(orient="records")) for name, table in frames.items()}
        return {**tables, "left_out": self.left_out}


def compare(
    index, recipes, *, splits=None, folds=None, seeds=(0,), epochs=None, match=False, root=None, jobs=None, show=None
):
    """Train every recipe under every split, judge each run once on its test set, and put the figures side by side.

    Parameters
    ----------
    index : pd.DataFrame
        From `serlib.index`, of one corpus or several; any table of clips will do.
    recipes : sequence of str, Recipe or Peer, or one of them
        Recipes, by name or themselves, and what else shall answer the same test roles.
    splits : str or sequence of str, optional
        Kinds of split; default: those of `KINDS` that can be made. Who is held out may be named after a colon, to be
        left out in turn: `speaker:tess/OAF,tess/YAF` trains on the other speaker of TESS and on all other corpora,
        `corpus:ravdess` on all corpora but RAVDESS. `corpus` alone leaves out each corpus in turn.
    folds : int, optional
        Parts of the cross-validation, by speaker at most one a speaker. Default: by speaker as `serlib.folds` does, the
        others are split once.
    seeds : sequence of int, or dict of str -> sequence of int
        Each is a seed of the splits and of the trainings; a dict gives each recipe its own, by name (default: 0).
    epochs : int, optional
        Instead of each recipe's.
    match : bool
        Where voices are new and have names, a second row for each recipe (`NAME+matched`): the same answers, matched
        by `serlib.evaluation.matching.match_corpora` over all clips of each test speaker.
    root : str or Path, optional
        Folder of the runs; default: `checkpoints/compare` in `home()`. A finished run is kept and used again, an
        interrupted one goes on from its last epoch.
    jobs : int, optional
        Processes that train at the same time, each with its share of the cores; default: one a core, up to four.
    show : bool, optional
        A bar over all runs.

    Returns
    -------
    Comparison

    Raises
    ------
    SerlibError
        A split cannot be made, or a folder holds a run with other settings; told before anything is trained.

    Notes
    -----
    All answers of a recipe under a split are scored together: its accuracy is the mean over the seeds, and the
    bootstrap draws a speaker (or text) with all answers about it, whatever the seed.

    Examples
    --------
    >>> result = compare(clips, ["functionals", "lstm-256"], splits=["random", "speaker"])  # doctest: +SKIP
    >>> result.table[["recipe", "split", "uar", "uar_low", "uar_high"]]  # doctest: +SKIP

    Taught in notebooks/06_compare.
    """
    index = clip_table(index)
    index = index if "digest" in index and index.digest.notna().all() else with_files(index)
    recipes = [recipes] if isinstance(recipes, str | BaseRecipe | trials.Peer) else recipes
    systems = [recipe if isinstance(recipe, trials.Peer) else get(recipe) for recipe in recipes]
    usual = splits is None
    splits = [splits] if isinstance(splits, str) else list(dict.fromkeys(splits or KINDS))
    seeds = _seeds_of(systems, seeds)
    if folds is not None and folds < 2:
        raise SerlibError(f"There are no {folds} folds; choose two or more.")
    names = [system.name for system in systems]
    if len(set(names)) < len(names) or not (names and splits and all(seeds.values())):
        raise SerlibError(
            f"recipes: {', '.join(names) or 'none'}; splits: {', '.join(splits) or 'none'}; seeds: {seeds}. "
            "Give one of each at least, and no two recipes of the same name."
        )
    root = Path(root or home() / "checkpoints" / "compare")
    options = {"folds": folds, "seeds": seeds, "epochs": epochs, "root": root}
    left_out = _impossible(index, systems, splits, options) if usual else {}
    splits = [split for split in splits if split not in left_out]
    experiments = trials.plan(index, systems, splits, **options)
    trials.carry_out(experiments, jobs=jobs, show=show)

    corpora = "+".join(dict.fromkeys(index.corpus))
    speakers_are_known = UNKNOWN not in set(index.speaker)
    rows = []
    neighbours = []
    reports = {}
    for split in splits:
        new_voices = split.partition(":")[0] in NEW_VOICES
        entries = []
        for system in systems:
            runs = [run for run in experiments if run.split == split and run.system.name == system.name]
            entries.append(_entry(system, runs, seeds[system.name], matched=False))
            if match and new_voices and speakers_are_known and system.normalise != "speaker":
                entries.append(_entry(system, runs, seeds[system.name], matched=True))
        entries.sort(key=lambda entry: -entry.report.uar)
        rows += [{"corpora": corpora, **_row(entry)} for entry in entries]
        reports |= {(split, entry.name): entry.report for entry in entries}
        neighbours += [_neighbours(better, worse) for better, worse in pairwise(entries)]
    return Comparison(pd.DataFrame(rows), pd.DataFrame([row for row in neighbours if row]), reports, left_out)


def _seeds_of(systems, seeds):
    """The seeds of each system by its name, each seed once."""
    if not isinstance(seeds, dict):
        seeds = {system.name: seeds for system in systems}
    for values in seeds.values():
        if not isinstance(values, Iterable):
            raise SerlibError(f"seeds is {values}; name each seed, as in seeds=[0, 1].")
    return {system.name: list(dict.fromkeys(seeds.get(system.name, (0,)))) for system in systems}


@dataclass(frozen=True)
class _Entry:
    """What a system was worth under one split: of all seeds together, of each seed, and what its runs cost."""

    system: object
    name: str
    split: str
    report: evaluation.Report
    by_seed: dict
    costs: list


def _entry(system, experiments, seeds, *, matched):
    """Score the answers of one system under one split."""
    split = experiments[0].split
    answers = {}
    for run in experiments:
        answers.setdefault(run.seed, []).append(_matched(run) if matched else run.answers())
    normalise = "matched" if matched else system.normalise
    by_seed = {seed: pooled(answers[seed], split, normalise=normalise) for seed in seeds}
    report = next(iter(by_seed.values()))
    if len(by_seed) > 1:
        report = pooled([run for parts in answers.values() for run in parts], split, normalise=normalise)
    name = system.name + (MATCHED if matched else "")
    return _Entry(system, name, split, report, by_seed, [run.cost() for run in experiments])


def _neighbours(better, worse):
    """McNemar between two entries on the first seed that both have: another seed may have another test set."""
    for seed, report in better.by_seed.items():
        if seed in worse.by_seed:
            test = mcnemar(report, worse.by_seed[seed])
            return {"split": better.split, "better": better.name, "worse": worse.name, **test}
    return None


def _matched(experiment):
    """The answers of a run, matched over all clips of each speaker to the shares of the speaker's corpus."""
    answers = experiment.answers()
    table = experiment.table
    labels = [column for column in answers.columns if column not in trials.CLIP]
    matched = matching.match_corpora(answers[labels].to_numpy(), answers, labels, table[table.role == "train"])
    return answers.assign(**dict(zip(labels, matched.T, strict=True)))


def _impossible(index, systems, splits, options):
    """The splits that an index cannot be given, and why; raises the last reason where none can be made."""
    left_out = {}
    for split in splits:
        try:
            trials.plan(index, systems, [split], **options)
        except SerlibError as error:
            left_out[split] = str(error)
    if len(left_out) == len(splits):
        raise SerlibError(left_out[splits[-1]])
    return left_out


def pooled(answers, split, *, normalise="none"):
    """Score the answers of several runs (`Experiment.answers`) under one kind of split together, as a Report.

    A label that only some of the runs know has probability 0 in the others. `normalise` says how features or answers
    were normalised, of `serlib.models.recipe.NORMALISATIONS`, or `matched`.
    """
    table = pd.concat(answers, ignore_index=True)
    labels = ordered_labels(set(table.columns) - set(trials.CLIP))
    protocol = "published" if split == "published" else "held-out"
    clips = table.assign(speaker=group_keys(table, "speaker"))
    conditions = evaluation.Conditions(split, protocol, normalise)
    return evaluation.score(clips, table[labels].fillna(0).to_numpy(), labels, conditions=conditions)


def starred(table):
    """Which rows of a Comparison's table use the test speaker's unlabelled clips [pd.Series of bool]."""
    return table["normalise"].isin(normalisation.OF_THE_SPEAKER)


def readable(table):
    """The table of a Comparison as people read it, all of it text: per cent with intervals, and stars."""
    return pd.DataFrame([_in_words(row) for row in table.to_dict("records")])


def _in_words(row):
    """One row of the table as people read it."""
    percent = {name: f"{100 * value:.1f}" for name, value in row.items() if isinstance(value, float)}
    mark = MARK if row["normalise"] in normalisation.OF_THE_SPEAKER else ""
    return {
        "corpus": row["corpora"],
        "split": row["split"],
        "recipe": row["recipe"] + mark,
        "reported %": _plain(100 * row["reported"], ".4g"),
        "accuracy %": f"{percent['accuracy']} [{percent['accuracy_low']}, {percent['accuracy_high']}]",
        "UAR %": f"{percent['uar']} [{percent['uar_low']}, {percent['uar_high']}]",
        "UAR % by seed": f"{percent['uar_min']} to {percent['uar_max']}" if row["seeds"] > 1 else "one seed",
        "weakest recall %": f"{row['weakest']} {100 * row['min_recall']:.0f}",
        "test clips": str(row["clips"]),
        "runs": str(row["runs"]),
        "epochs": _plain(row["epochs"], ".0f"),
        "parameters": _plain(row["parameters"], ",.0f"),
        "training s": _plain(row["train_s"], ".0f"),
        "ms a clip": _plain(row["ms_a_clip"], ".1f"),
    }


def _plain(value, form):
    return "" if np.isnan(value) else format(value, form)


def _row(entry):
    """One row of the table."""
    system = entry.system
    report = entry.report
    recall = report.per_class["recall"].dropna()
    costs = pd.DataFrame(entry.costs).reindex(columns=["epochs", "parameters", "train_s", "ms_a_clip"]).astype(float)
    is_authors_split = system.reported is not None and system.split == entry.split
    row = {
        "split": entry.split,
        "recipe": entry.name,
        "title": system.title,
        "normalise": report.normalise,
        "protocol": report.protocol,
        "reported": system.reported if is_authors_split else np.nan,
    }
    for name in ("accuracy", "uar"):
        low, high = report.ci95[name]
        by_seed = [getattr(seed_report, name) for seed_report in entry.by_seed.values()]
        row |= {name: getattr(report, name), f"{name}_low": low, f"{name}_high": high}
        row |= {f"{name}_min": min(by_seed), f"{name}_max": max(by_seed)}
    return row | {
        "resampled_by": report.resampled_by,
        "min_recall": recall.min(),
        "weakest": recall.idxmin(),
        "classes": len(recall),
        "clips": next(iter(entry.by_seed.values())).n_test,
        "seeds": len(entry.by_seed),
        "runs": len(entry.costs),
        "epochs": costs["epochs"].median(),
        "parameters": costs["parameters"].max(),
        "train_s": costs["train_s"].mean(),
        "ms_a_clip": costs["ms_a_clip"].min(),
    }
