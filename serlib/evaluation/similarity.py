"""Do two voices show an emotion in the same way? What makes it hard for a model that has heard only one of them."""

import numpy as np
import pandas as pd
from sklearn.metrics.pairwise import cosine_similarity

from serlib.features.normalisation import by_speaker, voices, who_speaks
from serlib.utils import SerlibError, ordered_labels


def emotion_similarity(values, table, one, other):
    """How alike the emotions of one voice are to those of another.

    Features are z-scored by speaker, so that 0 is the speaker's usual way of speaking. Each emotion is then a direction
    in which the voice leaves it: the mean over its clips. Two directions are compared by their cosine.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, d)]
        Features with a summary, of `table`.
    table : pd.DataFrame
        With `speaker`, `corpus` and `label`. All roles: nothing is trained.
    one, other : str or sequence of str
        "corpus/speaker". Of several speakers the mean direction is taken.

    Returns
    -------
    pd.DataFrame
        Cosines, -1 to 1: a row for each label of `one`, a column for each label of `other`. An emotion of `one` whose
        largest cosine is with another emotion is easily taken for that by a model that has learned from `other`. One
        near the usual way of speaking, such as neutral, has no firm direction.

    Examples
    --------
    >>> table = pd.DataFrame({"corpus": "tess", "speaker": ["OAF", "OAF", "YAF", "YAF"], "label": ["sad", "angry"] * 2})
    >>> emotion_similarity(np.array([[1.0], [5.0], [30.0], [20.0]]), table, "tess/OAF", "tess/YAF").loc["sad"].to_dict()
    {'angry': 1.0, 'sad': -1.0}

    Taught in notebooks/07_generalize.
    """
    values = np.asarray(values)
    if values.ndim != 2:
        raise SerlibError(f"values have the shape {values.shape}; emotion_similarity needs one row of numbers a clip")
    z_scores = by_speaker(values, table, voices(values, table))
    speakers = who_speaks(table)
    rows, columns = (_directions(z_scores, table, speakers, names) for names in (one, other))
    return pd.DataFrame(cosine_similarity(rows, columns), index=rows.index, columns=columns.index)


def _directions(z_scores, table, speakers, names):
    """The mean over speakers of the mean over each one's clips of a label [shape=(labels, d)]."""
    names = [names] if isinstance(names, str) else list(names)
    if not names or set(names) - set(speakers):
        raise SerlibError(f"There are no clips of {names}; of {', '.join(sorted(set(speakers)))} there are")
    means = []
    for name in names:
        is_speaker = speakers == name
        means.append(pd.DataFrame(z_scores[is_speaker]).groupby(table.label[is_speaker].to_numpy()).mean())
    mean = pd.concat(means).groupby(level=0).mean()
    return mean.loc[ordered_labels(mean.index)]
