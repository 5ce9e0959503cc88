"""Per-speaker normalisation: what one speaker's clips have in common is taken away.

Of the features, before the model sees them: how deep a voice is, how loud, which microphone. Or of the model's answers:
how often it hears which emotion in this voice. Either way what the speaker does with the voice is left. It needs
recordings of the very speaker who is tested, though no labels: every table that shows such a figure says so. The other
kinds of normalisation are layers of the model (`serlib.models.layers`).
"""

import numpy as np

from serlib.features.spec import extract
from serlib.utils import UNKNOWN, SerlibError

#: What is said wherever a figure is shown that per-speaker normalisation has a part in.
PER_SPEAKER = "per-speaker normalisation: uses the test speaker's unlabelled clips"

#: The kinds of normalisation that it is said of: of features, of answers.
OF_THE_SPEAKER = ("speaker", "matched")

#: A column that varies less than this is constant, but for rounding: it is not blown up.
SMALLEST = 1e-4

#: No answer is more certain than this that a label is wrong.
LEAST = 1e-6

#: Offsets are found in some dozens of steps; a few clips that contradict each other may never settle.
MOST_STEPS = 1000


def statistics(values):
    """Mean and scale of each column over the real frames of some clips.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d) or (clips, d)]
        Features; frames that are zero in every column are padding and do not count.

    Returns
    -------
    mean, scale : np.ndarray [shape=(d,)], float32
        Scale is the standard deviation, and 1 where a column is constant.
    """
    rows = values.reshape(-1, values.shape[-1])
    if values.ndim == 3:
        rows = rows[rows.any(axis=1)]
    if not len(rows):
        return np.zeros(values.shape[-1], np.float32), np.ones(values.shape[-1], np.float32)
    mean, std = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    return mean.astype(np.float32), np.where(std < SMALLEST, 1, std).astype(np.float32)


def z_score(values, mean, scale):
    """Features with mean and scale taken away; padding stays zero.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d) or (clips, d)]
    mean, scale : np.ndarray [shape=(d,)]
        From `statistics`.

    Returns
    -------
    np.ndarray, float32, of the same shape
    """
    scored = ((values - mean) / scale).astype(np.float32)
    if scored.ndim == 3:
        scored[~values.any(axis=-1)] = 0
    return scored


def voices(values, table):
    """Mean and scale of each speaker's clips, whatever their role. The labels are not looked at.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d) or (clips, d)]
        Features of `table`. Without frames the statistics are over clips.
    table : pd.DataFrame
        With `speaker` and `corpus`.

    Returns
    -------
    dict of "corpus/speaker" -> (mean, scale)
    """
    who = who_speaks(table)
    return {name: statistics(np.asarray(values[who == name])) for name in dict.fromkeys(who)}


def by_speaker(values, table, found):
    """Z-score each clip with the statistics of its speaker.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d) or (clips, d)]
        Features of `table`.
    table : pd.DataFrame
        With `speaker` and `corpus`.
    found : dict
        From `voices`, of these clips or of others of the same speakers.

    Returns
    -------
    np.ndarray, float32, of the shape of `values`
    """
    who, out = who_speaks(table), np.empty(values.shape, np.float32)
    for name in dict.fromkeys(who):
        out[who == name] = z_score(np.asarray(values[who == name]), *found[name])
    return out


def match(probabilities, who, shares):
    """Give each speaker's answers the emotions in the shares that they had in training, label by label [1]_.

    A model that has never heard a voice leans towards some emotions in all that the voice says. Here each label gets an
    offset for each speaker, such that the mean probability of the label over the speaker's clips is its share.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
    who : sequence of str [shape=(clips,)]
        The speaker of each clip. The clips of one should hold the emotions in about these shares: a speaker who is
        always sad would come out as everything. Answers to a speaker of fewer clips than labels stay as they are.
    shares : np.ndarray [shape=(labels,)]
        From `shares`.

    Returns
    -------
    np.ndarray [shape=(clips, labels)], float64, rows add up to 1.

    Raises
    ------
    SerlibError
        It is not known who speaks.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
       probabilities", Neural Computation 14(1), 2002, with the shares known and the offsets sought by scaling rows and
       columns in turn: R. Sinkhorn, P. Knopp, Pacific Journal of Mathematics 21(2), 1967.

    Taught in notebooks/07_generalize.
    """
    probabilities, who = np.asarray(probabilities), np.asarray(who).astype(str)
    found = np.empty(probabilities.shape)
    for name in np.unique(who):
        if name.rpartition("/")[2] == UNKNOWN:
            raise SerlibError("It is not known who speaks, so no answers can be matched by speaker; name the speakers.")
        part = probabilities[who == name]
        found[who == name] = matched(part, offsets(part, shares)) if len(part) >= len(shares) else part
    return found


def shares(truth, labels):
    """How often each label occurs.

    Parameters
    ----------
    truth : sequence of str
        The labels of the training role.
    labels : sequence of str

    Returns
    -------
    np.ndarray [shape=(len(labels),)], adding up to 1; a label that does not occur has a tiny share.
    """
    truth = np.asarray(truth)
    counts = np.maximum([np.count_nonzero(truth == label) for label in labels], LEAST)
    return counts / counts.sum()


def offsets(probabilities, shares):
    """What the log-probabilities of one speaker's clips lack, label by label, to have these shares on average.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
    shares : np.ndarray [shape=(labels,)]

    Returns
    -------
    np.ndarray [shape=(labels,)]
    """
    found = np.zeros(len(shares))
    for _ in range(MOST_STEPS):
        step = np.log(shares) - np.log(matched(probabilities, found).mean(axis=0))
        found += step
        if np.abs(step).max() < SMALLEST:
            break
    return found - found.mean()


def matched(probabilities, offsets):
    """Probabilities with offsets on their logarithms.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
    offsets : np.ndarray [shape=(labels,)]
        From `offsets`.

    Returns
    -------
    np.ndarray [shape=(clips, labels)], float64, rows add up to 1.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST)) + offsets
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def inputs(table, spec, normalise, *, jobs=None, show=None):
    """What a model takes in for the clips of a table: their features, normalised by speaker where that is asked for.

    Parameters
    ----------
    table : pd.DataFrame
        An index. For per-speaker normalisation it should hold all that there is of each speaker.
    spec : FeatureSpec
    normalise : str
        Of `serlib.models.recipe.NORMALISATIONS`; all but `speaker` are layers of the model and change nothing here.
    jobs, show
        Of `serlib.features.extract`.

    Returns
    -------
    values : np.ndarray [shape=(clips, ...)], float32
        Rows in the order of `table`. Sequences of variable length are as long as the longest clip really is.
    found : dict or None
        From `voices`, where it was used.
    """
    extracted = extract(table, spec, jobs=jobs, show=show)
    values = extracted.values
    if values.ndim == 3 and spec.frames is None:
        values = values[:, : extracted.lengths.max()]  # trimming leaves less than the files promise
    if normalise != "speaker":
        return values, None
    found = voices(values, table)
    return by_speaker(values, table, found), found


def who_speaks(table):
    """The speaker of each clip as "corpus/speaker"; the same number in two corpora is two people.

    Parameters
    ----------
    table : pd.DataFrame
        With `speaker` and `corpus`.

    Returns
    -------
    np.ndarray [shape=(clips,)] of str
    """
    return (table.corpus.astype(str) + "/" + table.speaker.astype(str)).to_numpy()
