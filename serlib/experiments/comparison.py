"""Several recipes under several splits, side by side: one table, and whether neighbours differ by more than chance."""

import functools
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from serlib import evaluation
from serlib.experiments import trials
from serlib.features import normalisation
from serlib.models.recipes import get
from serlib.splits import group_keys
from serlib.utils import UNKNOWN, SerlibError, home, ordered_labels

#: What `compare` asks for: from what papers print to what a new voice gets.
KINDS = ("published", "random", "text", "speaker")

#: Behind the name of a recipe with per-speaker normalisation, and what it means.
MARK = " *"
MARKED = f"{MARK.strip()} {normalisation.PER_SPEAKER}"

#: Splits whose test voices are new; behind the name of a recipe whose answers are normalised by speaker.
NEW_VOICES, MATCHED = ("speaker", "speaker+text", "corpus"), "+matched"


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
        (mean of the runs), ms_a_clip (the model alone on one clip's features, the median of the quickest run).
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
        named = {"rows": self.table, "neighbours": self.neighbours}
        tables = {name: json.loads(table.to_json(orient="records")) for name, table in named.items()}
        return {**tables, "left_out": self.left_out}


def compare(
    index, recipes, *, splits=None, folds=None, seeds=(0,), epochs=None, match=False, root=None, jobs=None, show=None
):
    """Train every recipe under every split, judge each run once on its test role, and put the figures side by side.

    Parameters
    ----------
    index : pd.DataFrame
        From `serlib.index`, of one corpus or several.
    recipes : sequence of str, Recipe or Peer
        Recipes, by name or themselves, and what else shall answer the same test roles.
    splits : sequence of str, optional
        Kinds of split; default: those of `KINDS` that can be made. Who is held out may be named after a colon; each
        name is then left out in turn: `speaker:tess/OAF,tess/YAF` trains on the other speaker of TESS and on all other
        corpora of the index, `corpus:ravdess` on all corpora but RAVDESS. `corpus` alone leaves out each corpus in
        turn.
    folds : int or dict of str -> int, optional
        Parts of the cross-validation, of all splits or of each; by speaker at most one a speaker, so that a large
        number is leave-one-speaker-out. Default: by speaker as `serlib.folds` does, the others are split once.
    seeds : sequence of int, or dict of str -> sequence of int
        Each is a seed of the splits and of the trainings; a dict gives each recipe its own, by name (default: 0).
    epochs : int, optional
        Instead of each recipe's.
    match : bool
        Where voices are new and have names, a second row for each recipe (`NAME+matched`): the same answers, matched
        to the shares of training over all clips of each test speaker (`serlib.features.normalisation.match`).
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
    Every recipe is trained on the same clips: those of the split, with the shares that `serlib.split` has by default.
    All answers of a recipe under a split are scored together: its accuracy is the mean over the seeds, and the
    bootstrap draws a speaker (or text) with all that was answered about it, whatever the seed.

    Taught in notebooks/06_compare.
    """
    systems = [each if isinstance(each, trials.Peer) else get(each) for each in recipes]
    names, usual, splits = [each.name for each in systems], splits is None, list(dict.fromkeys(splits or KINDS))
    seeds = {name: list(dict.fromkeys(seeds.get(name, (0,)) if isinstance(seeds, dict) else seeds)) for name in names}
    if len(set(names)) < len(names) or not (names and splits and all(seeds.values())):
        raise SerlibError(
            f"recipes: {', '.join(names) or 'none'}; splits: {', '.join(splits) or 'none'}; seeds: {seeds}. "
            "Give one of each at least, and no two recipes of the same name."
        )
    root = Path(root or home() / "checkpoints" / "compare")
    options = {"folds": folds, "seeds": seeds, "epochs": epochs, "root": root}
    left_out = _impossible(index, systems, splits, options) if usual else {}
    splits = [split for split in splits if split not in left_out]
    plan = trials.plan(index, systems, splits, **options)
    trials.carry_out(plan, jobs=jobs, show=show)
    rows, neighbours, reports, named = [], [], {}, UNKNOWN not in set(index.speaker)
    for split in splits:
        found, each_seed = [], {}
        for system, of_speaker in _told(systems, match and named and split.partition(":")[0] in NEW_VOICES):
            theirs = [each for each in plan if (each.split, each.system.name) == (split, system.name)]
            answers = [_matched(each) if of_speaker else each.answers() for each in theirs]
            name, normalise = (system.name + MATCHED, "matched") if of_speaker else (system.name, system.normalise)
            score = functools.partial(pooled, split=split, normalise=normalise)
            by_seed = [
                score([a for a, each in zip(answers, theirs, strict=True) if each.seed == seed])
                for seed in seeds[system.name]
            ]
            report = by_seed[0] if len(by_seed) == 1 else score(answers)
            reports[split, name], each_seed[name] = report, dict(zip(seeds[system.name], by_seed, strict=True))
            row = _row(system, name, split, report, by_seed, [each.judged() for each in theirs])
            found.append({"corpora": "+".join(dict.fromkeys(index.corpus)), **row})
        found.sort(key=lambda row: -row["uar"])
        rows += found
        for better, worse in pairwise(row["recipe"] for row in found):
            one, other = each_seed[better], each_seed[worse]
            for seed in [seed for seed in one if seed in other][:1]:  # another seed may have another test role
                test = mcnemar(one[seed], other[seed])
                neighbours.append({"split": split, "better": better, "worse": worse, **test})
    return Comparison(pd.DataFrame(rows), pd.DataFrame(neighbours), reports, left_out)


def _told(systems, match):
    """Each system, and once more with its answers matched by speaker where its features are not normalised so."""
    for system in systems:
        yield system, False
        if match and system.normalise != "speaker":
            yield system, True


def _matched(experiment):
    """The answers of a run, matched over all clips of each speaker to the shares of training."""
    answers, table = experiment.answers(), experiment.table
    labels = [column for column in answers.columns if column not in trials.CLIP]
    shares = normalisation.shares(table.label[table.role == "train"], labels)
    found = normalisation.match(answers[labels].to_numpy(), group_keys(answers, "speaker"), shares)
    return answers.assign(**dict(zip(labels, found.T, strict=True)))


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
    """Score the answers of several runs together.

    Parameters
    ----------
    answers : sequence of pd.DataFrame
        Of `Experiment.answers`. A label that only some of the runs know has probability 0 in the others.
    split, normalise : str
        For the record.

    Returns
    -------
    Report
    """
    table = pd.concat(answers, ignore_index=True)
    labels = ordered_labels(set(table.columns) - set(trials.CLIP))
    return evaluation.score(
        table.label, table[labels].fillna(0).to_numpy(), labels, speakers=group_keys(table, "speaker"),
        texts=table.text, speech=table.speech, digests=table.digest, corpora=table.corpus.unique(), split=split,
        protocol="published" if split == "published" else "held-out", normalise=normalise,
    )  # fmt: skip


def starred(table):
    """Which rows of a table of a Comparison use the test speaker's unlabelled clips.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    pd.Series of bool
    """
    return table["normalise"].isin(normalisation.OF_THE_SPEAKER)


def readable(table):
    """The table of a Comparison as people read it: per cent with intervals, one row a split and recipe.

    Parameters
    ----------
    table : pd.DataFrame

    Returns
    -------
    pd.DataFrame of str. A star marks the recipes that use the test speaker's unlabelled clips.
    """
    rows = []
    for row in table.to_dict("records"):
        shares = {name: f"{100 * value:.1f}" for name, value in row.items() if isinstance(value, float)}
        intervals = {n: f"{shares[n]} [{shares[n + '_low']}, {shares[n + '_high']}]" for n in ("accuracy", "uar")}
        told = {
            "corpus": row["corpora"],
            "split": row["split"],
            "recipe": row["recipe"] + (MARK if row["normalise"] in normalisation.OF_THE_SPEAKER else ""),
            "reported %": _plain(100 * row["reported"], ".4g"),
            "accuracy %": intervals["accuracy"],
            "UAR %": intervals["uar"],
            "UAR % by seed": f"{shares['uar_min']} to {shares['uar_max']}" if row["seeds"] > 1 else "one seed",
            "weakest recall %": f"{row['weakest']} {100 * row['min_recall']:.0f}",
            "test clips": str(row["clips"]),
            "runs": str(row["runs"]),
            "epochs": _plain(row["epochs"], ".0f"),
            "parameters": _plain(row["parameters"], ",.0f"),
            "training s": _plain(row["train_s"], ".0f"),
            "ms a clip": _plain(row["ms_a_clip"], ".1f"),
        }
        rows.append(told)
    return pd.DataFrame(rows)


def _plain(value, form):
    return "" if np.isnan(value) else format(value, form)


def _row(system, name, split, report, by_seed, told):
    """One row of the table."""
    recall = report.per_class["recall"].dropna()
    cost = pd.DataFrame(told).reindex(columns=["epochs", "parameters", "train_s", "ms_a_clip"]).astype(float)
    row = {
        "split": split,
        "recipe": name,
        "title": system.title,
        "normalise": report.normalise,
        "protocol": report.protocol,
        "reported": np.nan if system.reported is None or system.split != split else system.reported,
    }
    for name in ("accuracy", "uar"):
        seeds = [getattr(each, name) for each in by_seed]
        row |= {name: getattr(report, name), f"{name}_low": report.ci95[name][0], f"{name}_high": report.ci95[name][1]}
        row |= {f"{name}_min": min(seeds), f"{name}_max": max(seeds)}
    return row | {
        "resampled_by": report.resampled_by,
        "min_recall": recall.min(),
        "weakest": recall.idxmin(),
        "classes": len(recall),
        "clips": by_seed[0].n_test,
        "seeds": len(by_seed),
        "runs": len(told),
        "epochs": cost["epochs"].median(),
        "parameters": cost["parameters"].max(),
        "train_s": cost["train_s"].mean(),
        "ms_a_clip": cost["ms_a_clip"].min(),
    }


def mcnemar(a, b):
    """Do two runs differ on the same clips by more than chance?

    Parameters
    ----------
    a, b : Report
        Of the same clips, in any order. Clips are matched by digest where both know it, else by file.

    Returns
    -------
    dict: n, both (clips that both get right), only_a, only_b, neither, p_exact, p_mid.

    Raises
    ------
    SerlibError
        The clips differ.

    Notes
    -----
    Only the clips on which one is right and the other wrong tell them apart. p_exact is the two-sided binomial test
    (McNemar 1947), p_mid its less cautious mid-p version (Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol.
    13:91). Both take clips for independent, which those of one speaker are not: a small p with few speakers speaks
    about these speakers only.

    Taught in notebooks/05_evaluate.
    """
    one, two = a.predictions, b.predictions
    by = next((k for k in ("digest", "speech") if all(k in t and t[k].is_unique for t in (one, two))), None)
    if by is None:
        raise SerlibError("the clips of the two reports cannot be matched: their files are not named, or named twice")
    strangers = len(set(one[by]) ^ set(two[by]))
    if strangers:
        raise SerlibError(f"the two reports differ in {strangers} clips; compare runs scored on the same")
    one, two = one.set_index(by), two.set_index(by).loc[one[by]]
    if (one["label"] != two["label"]).any():
        raise SerlibError("the two reports give the same clips different true labels; index the corpus again")
    right, other = (one["label"] == one["predicted"]).to_numpy(), (two["label"] == two["predicted"]).to_numpy()
    only_a, only_b = int((right & ~other).sum()), int((~right & other).sum())
    less, discordant = min(only_a, only_b), only_a + only_b
    tail, point = stats.binom.cdf(less, discordant, 0.5), stats.binom.pmf(less, discordant, 0.5)
    return {
        "n": len(one),
        "both": int((right & other).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "neither": int((~right & ~other).sum()),
        "p_exact": float(min(1.0, 2 * tail)),
        "p_mid": float(min(1.0, 2 * tail - point)),
    }
