"""Per-speaker normalisation: what one speaker's clips have in common is taken away from the features.

How deep a voice is, how loud, which microphone: what the speaker does with the voice is left. It needs recordings of
the very speaker who is tested, though no labels: every table that shows such a figure says so. The other kinds of
normalisation are layers of the model (`serlib.models.layers`); `serlib.evaluation.matching` does the same to answers.
"""

import numpy as np

from serlib.features.spec import extract

#: What is said wherever a figure is shown that per-speaker normalisation has a part in.
PER_SPEAKER = "per-speaker normalisation: uses the test speaker's unlabelled clips"

#: The kinds of normalisation that it is said of: of features, of answers.
OF_THE_SPEAKER = ("speaker", "matched")

#: A column that varies less than this is constant, but for rounding: it is not blown up.
SMALLEST = 1e-4


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
    mean = rows.mean(axis=0, dtype=np.float64)
    std = rows.std(axis=0, dtype=np.float64)
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
    z_scores = ((values - mean) / scale).astype(np.float32)
    if z_scores.ndim == 3:
        z_scores[~values.any(axis=-1)] = 0
    return z_scores


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
    speakers = who_speaks(table)
    return {name: statistics(np.asarray(values[speakers == name])) for name in dict.fromkeys(speakers)}


def by_speaker(values, table, statistics_of):
    """Z-score each clip with the statistics of its speaker.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d) or (clips, d)]
        Features of `table`.
    table : pd.DataFrame
        With `speaker` and `corpus`.
    statistics_of : dict
        From `voices`, of these clips or of others of the same speakers.

    Returns
    -------
    np.ndarray, float32, of the shape of `values`
    """
    speakers = who_speaks(table)
    out = np.empty(values.shape, np.float32)
    for name in dict.fromkeys(speakers):
        out[speakers == name] = z_score(np.asarray(values[speakers == name]), *statistics_of[name])
    return out


def inputs(table, spec, normalise, *, jobs=None, show=None):
    """What a model takes in for the clips of a table: their features, normalised by speaker where that is asked for.

    Parameters
    ----------
    table : pd.DataFrame
        An index. For per-speaker normalisation it should hold all that there is of each speaker.
    spec : FeatureSpec
    normalise : str
        Of `serlib.models.recipe.NORMALISATIONS`; all but `speaker` are layers of the model and change nothing here.
    jobs : int, optional
        Workers that extract features; default: one a core.
    show : bool, optional
        A progress bar over the clips.

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
    statistics_of = voices(values, table)
    return by_speaker(values, table, statistics_of), statistics_of


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
