"""Per-speaker normalisation: what one speaker's clips have in common is taken away.

Of the features, before the model sees them: how deep a voice is, how loud, which microphone. Or of the model's answers:
how often it hears which emotion in this voice. Either way what the speaker does with the voice is left. It needs
recordings of the very speaker who is tested, though no labels: every table that shows such a figure says so. The other
kinds of normalisation are layers of the model (`serlib.layers`).
"""

import numpy as np

from serlib import features

#: What is said wherever a figure is shown that per-speaker normalisation has a part in.
PER_SPEAKER = "per-speaker normalisation: uses the test speaker's unlabelled clips"

#: The kinds of normalisation that it is said of: of features, of answers.
OF_THE_SPEAKER = ("speaker", "scores")

#: A column that varies less than this is constant, but for rounding: it is not blown up.
SMALLEST = 1e-4

#: No answer is more certain than this that a label is wrong.
LEAST = 1e-6


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
    who = _who(table)
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
    who, out = _who(table), np.empty(values.shape, np.float32)
    for name in dict.fromkeys(who):
        out[who == name] = z_score(np.asarray(values[who == name]), *found[name])
    return out


def scores(probabilities, who):
    """Z-score the answers over all clips of each speaker, label by label [1]_.

    A model that has never heard a voice leans towards some emotions in all that the voice says. Here each label must
    stand out against how likely it is for this speaker anyway.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
    who : sequence of str [shape=(clips,)]
        The speaker of each clip. The clips of one should hold all emotions, about equally often: a speaker who is
        always sad would come out as everything.

    Returns
    -------
    np.ndarray [shape=(clips, labels)], float64, rows add up to 1.

    References
    ----------
    .. [1] After the score normalisation of speaker verification: R. Auckenthaler, M. Carey, H. Lloyd-Thomas, "Score
       normalization for text-independent speaker verification systems", Digital Signal Processing 10, 2000.

    Taught in notebooks/07_generalize.
    """
    probabilities, who = np.asarray(probabilities), np.asarray(who)
    found = np.empty(probabilities.shape)
    for name in np.unique(who):
        part = probabilities[who == name]
        found[who == name] = scored(part, *habits(part))
    return found


def habits(probabilities):
    """Which answers a model gives to a speaker anyway.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
        The answers to the clips of one speaker.

    Returns
    -------
    mean, std : np.ndarray [shape=(labels,)]
        Of the log-probabilities.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST))
    return logs.mean(axis=0), np.maximum(logs.std(axis=0), SMALLEST)


def scored(probabilities, mean, std):
    """Answers measured by what the speaker gets anyway.

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
    mean, std : np.ndarray [shape=(labels,)]
        From `habits`.

    Returns
    -------
    np.ndarray [shape=(clips, labels)], float64: the softmax of the z-scored log-probabilities, on one scale for all
    labels, so that the answers are about as sure as they were.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST))
    logs = (logs - mean) / std * std.mean()
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
        Of `serlib.recipe.NORMALISATIONS`; all but `speaker` are layers of the model and change nothing here.
    jobs, show
        Of `serlib.features.extract`.

    Returns
    -------
    values : np.ndarray [shape=(clips, ...)], float32
        Rows in the order of `table`. Sequences of variable length are as long as the longest clip really is.
    found : dict or None
        From `voices`, where it was used.
    """
    extracted = features.extract(table, spec, jobs=jobs, show=show)
    values = extracted.values
    if values.ndim == 3 and spec.frames is None:
        values = values[:, : extracted.lengths.max()]  # trimming leaves less than the files promise
    if normalise != "speaker":
        return values, None
    found = voices(values, table)
    return by_speaker(values, table, found), found


def _who(table):
    """Who speaks; the same speaker number in two corpora is two people."""
    return (table.corpus.astype(str) + "/" + table.speaker.astype(str)).to_numpy()
