"""Figures of merit on plain arrays: bootstrap intervals, tables by class and by speaker.

Accuracy, recall, precision, F1 and the confusion matrix are scikit-learn's; here stands what it does not have.
"""

import numpy as np
import pandas as pd
from natsort import natsorted
from sklearn import metrics

from serlib.features.normalisation import clips_of
from serlib.utils import SerlibError, is_unknown

#: Fewer groups than this make an interval that is far too narrow (Cameron, Gelbach & Miller 2008, Rev. Econ. Stat.
#: 90(3), find even a dozen clusters few), so the bootstrap then goes on to the next finer unit and says so.
MIN_GROUPS = 5
#: Numbers of clips that the bootstrap holds at once; with many groups it draws a few resamples after the other.
MOST_COUNTS = 10**7


def checked(truth, probabilities, labels, *, reserved=()):
    """Probabilities [shape=(n, labels)] as float64, or a SerlibError that says why they cannot be scored."""
    probabilities = np.asarray(probabilities, dtype=float)
    if len(set(labels)) < len(labels) or set(labels) & set(reserved):
        raise SerlibError(
            f"labels {in_words(labels)}: each may occur once, and none may be called {in_words(reserved)}"
        )
    if len(truth) == 0:
        raise SerlibError("no clip to score; choose a split or a corpus that holds some")
    if probabilities.shape != (len(truth), len(labels)):
        raise SerlibError(
            f"probabilities have the shape {probabilities.shape}, expected {(len(truth), len(labels))}: "
            "one row a clip, one column a label"
        )
    strange = sorted(set(truth) - set(labels))
    if strange:
        raise SerlibError(f"the truth holds {in_words(strange)}, the model knows {in_words(labels)}; leave them out")
    is_broken = ~(abs(probabilities.sum(axis=1) - 1) <= 1e-3) | (probabilities < 0).any(axis=1)
    if is_broken.any():
        raise SerlibError(
            f"{is_broken.sum()} of {len(is_broken)} rows of probabilities hold NaN or infinity, are negative or do not "
            "sum to 1; pass the output of a softmax"
        )
    return probabilities


def unit(speakers, texts):
    """What the bootstrap draws: `speaker`, `text` or `clip`, the coarsest of which at least `MIN_GROUPS` are known.

    It comes with the group of each clip [shape=(n,)], int, what is unknown in one; None where each clip is its own.
    """
    for name, names in (("speaker", speakers), ("text", texts)):
        codes, names_of_groups = pd.factorize(names)
        if sum(not is_unknown(group) for group in names_of_groups) >= MIN_GROUPS:
            return name, codes
    return "clip", None


def intervals(true, guess, groups, k, *, resamples, seed):
    """95 % percentile bootstrap intervals; `serlib.evaluation.score` cites the method.

    Parameters
    ----------
    true, guess : np.ndarray [shape=(n,)], int
        Classes, from 0 to k - 1.
    groups : np.ndarray [shape=(n,)], int, or None
        What is drawn together.

    Returns
    -------
    np.ndarray [shape=(2, 2 + k)]. Rows low and high; columns accuracy, UAR and the recall of each class, NaN where a
    class does not occur. A class that a resample lacks does not count in that resample's UAR.
    """
    rng = np.random.default_rng(seed)
    cell = true * k + guess
    if groups is None:  # drawing n clips with replacement is drawing from a multinomial over the confusion cells
        counts = rng.multinomial(len(cell), np.bincount(cell, minlength=k * k) / len(cell), size=resamples)
    else:
        g = groups.max() + 1
        # counts in float64, exact up to 2**53: the product of integers is twenty times slower
        table = np.bincount(groups * k * k + cell, minlength=g * k * k).reshape(g, k * k).astype(float)
        step = max(1, MOST_COUNTS // g)
        sizes = [min(step, resamples - first) for first in range(0, resamples, step)]
        # a resample is a weighted sum of the groups' confusion counts, so many of them are one matrix product
        counts = np.concatenate([rng.multinomial(g, np.full(g, 1 / g), size=size) @ table for size in sizes])
    counts = counts.reshape(resamples, k, k)
    hits = np.diagonal(counts, axis1=1, axis2=2)
    support = counts.sum(axis=2)
    recall = np.divide(hits, support, out=np.full(hits.shape, np.nan), where=support > 0)
    accuracy = hits.sum(axis=1) / support.sum(axis=1)
    uar = np.nanmean(recall, axis=1)
    figures = np.column_stack([accuracy, uar, recall])
    defined = ~np.isnan(figures).all(axis=0)
    out = np.full((2, k + 2), np.nan)
    out[:, defined] = np.nanpercentile(figures[:, defined], [2.5, 97.5], axis=0)
    return out


def by_class(true, guess, labels, intervals):
    """Precision, recall, F1, support and the interval of the recall; NaN where there is nothing to divide by."""
    values = metrics.precision_recall_fscore_support(true, guess, labels=range(len(labels)), zero_division=np.nan)
    table = pd.DataFrame(dict(zip(("precision", "recall", "f1", "support"), values, strict=True)), index=labels)
    table["recall_low"], table["recall_high"] = intervals
    return table.rename_axis("label")


def by_speaker(true, guess, names, labels):
    """Accuracy, UAR and n of each speaker; recall of each speaker and class. Empty where nobody is named."""
    rows = []
    recalls = []
    clips = clips_of(names)
    speakers = natsorted(clips) if not all(map(is_unknown, clips)) else []
    for name in speakers:
        of = clips[name]
        support = np.bincount(true[of], minlength=len(labels))
        hits = np.bincount(true[of][true[of] == guess[of]], minlength=len(labels))
        recall = np.divide(hits, support, out=np.full(len(labels), np.nan), where=support > 0)
        rows.append({"accuracy": hits.sum() / len(of), "uar": np.nanmean(recall), "n": len(of)})
        recalls.append(recall)
    speakers = pd.Index(speakers, name="speaker", dtype=object)
    return (
        pd.DataFrame(rows, index=speakers, columns=["accuracy", "uar", "n"]),
        pd.DataFrame(np.array(recalls).reshape(-1, len(labels)), index=speakers, columns=labels),
    )


def in_words(names):
    """Names in a sentence."""
    return ", ".join(map(str, names)) or "nothing"
