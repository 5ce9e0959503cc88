"""Per-speaker matching: a speaker's answers get the emotions in the shares in which the speaker's corpus has them.

It takes away how often a model hears which emotion in this voice, whatever is said. It needs recordings of the very
speaker who is tested, though no labels, and how the corpus was planned: every table that shows such a figure says so.
"""

import numpy as np

from serlib.features.normalisation import clips_of
from serlib.utils import SerlibError, is_unknown

#: No answer is more certain than this that a label is wrong.
LEAST = 1e-6
#: Offsets are found in some dozens of steps, the last of them smaller than this; a few clips that contradict each other
#: may never settle.
SMALLEST_STEP = 1e-4
MOST_STEPS = 1000


def match(probabilities, speakers, shares):
    """Give each speaker's answers [shape=(clips, labels)] the emotions in known shares [shape=(labels,)] [1]_.

    A model that has never heard a voice leans towards some emotions in all that the voice says. Here each label gets an
    offset for each speaker, such that the mean probability of the label over the speaker's clips is its share (from
    `label_shares`). The clips of one speaker should hold the emotions in about these shares: one who is always sad
    would come out as everything. Answers to a speaker of fewer clips than labels stay as they are; an unknown speaker
    is a SerlibError.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
       probabilities", Neural Computation 14(1), 2002, with the shares known and the offsets sought by scaling rows and
       columns in turn: R. Sinkhorn, P. Knopp, Pacific Journal of Mathematics 21(2), 1967.

    Examples
    --------
    >>> answers = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]  # always the first label
    >>> match(answers, ["anna"] * 4, [0.5, 0.5]).argmax(axis=1).tolist()
    [0, 0, 1, 1]

    Taught in notebooks/07_generalize.
    """
    probabilities = np.asarray(probabilities)
    speakers = np.asarray(speakers).astype(str)
    matched = np.array(probabilities, dtype=np.float64)
    for name, clips in clips_of(speakers).items():
        if is_unknown(name):
            raise SerlibError("It is not known who speaks, so no answers can be matched by speaker; name the speakers.")
        answers = probabilities[clips]
        if len(answers) >= len(shares):
            matched[clips] = add_offsets(answers, offsets(answers, shares))
    return matched


def match_corpora(probabilities, clips, labels, train):
    """Match the answers to each speaker, with `match`, to the shares of the labels in the speaker's corpus.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
    clips : pd.DataFrame
        Those that were answered, with `label`, `speaker` and `corpus`. What is the label of which clip is not looked
        at, only which labels a corpus has. The answers to a corpus that has none of the labels stay as they are.
    labels : sequence of str
        In the order of the columns.
    train : pd.DataFrame
        The training set, with `label` and `corpus`.
    """
    matched = np.array(probabilities, dtype=np.float64)
    for corpus, rows in clips_of(clips["corpus"]).items():
        prior = label_shares(train["label"][train["corpus"] == corpus], labels)
        if prior is None:
            prior = label_shares(clips["label"].iloc[rows].drop_duplicates(), labels)
        if prior is not None:
            matched[rows] = match(matched[rows], clips["speaker"].iloc[rows], prior)
    return matched


def label_shares(truth, labels):
    """How often each label occurs, adding up to 1; one that does not occur has a tiny share. None if none does.

    The truth is, for a corpus that a model has learned from, the labels of its training clips; for another one its
    labels, each once: corpora of acted emotions are mostly planned with as many clips of each.
    """
    truth = np.asarray(truth)
    counts = np.array([np.count_nonzero(truth == label) for label in labels])
    if not counts.any():
        return None
    counts = np.maximum(counts, LEAST)
    return counts / counts.sum()


def offsets(probabilities, shares):
    """What one speaker's log-probabilities [shape=(clips, labels)] lack, label by label, to have these shares on
    average.
    """
    total = np.zeros(len(shares))
    for _ in range(MOST_STEPS):
        step = np.log(shares) - np.log(add_offsets(probabilities, total).mean(axis=0))
        total += step
        if np.abs(step).max() < SMALLEST_STEP:
            break
    return total - total.mean()


def add_offsets(probabilities, offsets):
    """Probabilities [shape=(clips, labels)] with offsets [shape=(labels,)] on their logarithms; rows add up to 1."""
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST)) + offsets
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
