"""Per-speaker normalisation: what one speaker's clips have in common is taken away from the features.

How deep a voice is, how loud, which microphone: what the speaker does with the voice is left. It needs recordings of
the very speaker who is tested, though no labels: every table that shows such a figure says so. The other kinds of
normalisation are layers of the model (`serlib.models.layers`); `serlib.evaluation.matching` does the same to answers.
"""

import numpy as np
import pandas as pd

from serlib.features.spec import extract

#: What is said wherever a figure is shown that per-speaker normalisation has a part in.
PER_SPEAKER = "per-speaker normalisation: uses the test speaker's unlabelled clips"
#: The kinds of normalisation that it is said of: of features, of answers.
OF_THE_SPEAKER = ("speaker", "matched")
#: A column that varies less than this is constant, but for rounding: it is not blown up.
SMALLEST = 1e-4
#: Features of which more than this, in bytes, are wanted at once are read from their file piece by piece; for their
#: statistics, whose sums need twice as much again, the pieces are smaller.
BLOCK_BYTES = 2**29
STATISTICS_BYTES = 2**26


class LazyFeatures:
    """Features of some clips, read from their file when they are asked for: memory does not grow with their number.

    `rows[which]` are the features of these clips, an array; a slice, positions or a mask select them.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d) or (clips, d)]
        Features of all clips, as `serlib.extract` maps them.
    positions : np.ndarray of int, optional
        The clips that are meant; default: all, in their order.
    frames : int, optional
        Sequences are padded with zeros, or cut, to this many frames; default: as they are.
    who : np.ndarray of str [shape=(len(values),)], optional
        Who speaks in each of all clips.
    voices : dict of str -> (mean, scale), optional
        From `voices`: each clip is z-scored by its speaker.
    """

    def __init__(self, values, positions=None, *, frames=None, who=None, voices=None):
        self.values = np.asarray(values)  # still mapped, where it was
        self.positions = np.arange(len(values)) if positions is None else np.asarray(positions)
        self.frames = frames
        self.who = who
        self.voices = voices

    def __len__(self):
        return len(self.positions)

    def __getitem__(self, which):
        positions = self.positions[which]
        x = np.asarray(self.values[positions])  # a copy
        if self.frames is not None:
            x = x[:, : self.frames]
        if self.voices is not None:
            for name, clips in clips_of(self.who[positions]).items():
                x[clips] = z_score(x[clips], *self.voices[name])
        if x.ndim == 3 and x.shape[1] < self.shape[1]:
            x = np.pad(x, ((0, 0), (0, self.shape[1] - x.shape[1]), (0, 0)))
        return x

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype=dtype)

    @property
    def shape(self):
        """Of all rows together."""
        row = self.values.shape[1:]
        return (len(self), *(row if self.frames is None else (self.frames, *row[1:])))

    @property
    def ndim(self):
        """3 for sequences, 2 for summaries."""
        return self.values.ndim

    def select(self, positions, *, frames=None):
        """Some of these rows, at another length where one is given."""
        frames = self.frames if frames is None else frames
        return LazyFeatures(self.values, self.positions[positions], frames=frames, who=self.who, voices=self.voices)

    def in_memory(self):
        """In memory where they are not what the file holds and fit into a block; otherwise as they are.

        What is mapped is as quick to read as memory of one's own, and processes that train at the same time share it.
        """
        as_in_file = self.voices is None and self.frames is None
        return self if as_in_file or 4 * np.prod(self.shape, dtype=float) > BLOCK_BYTES else self[:]


def parts(values, *, size_bytes=None, multiple=1):
    """Slices that take features [shape=(clips, ...)] one piece after the other, each of which fits into memory.

    A piece has at most `size_bytes` (default: BLOCK_BYTES); each but the last holds a multiple of so many clips.
    """
    clip_bytes = 4 * int(np.prod(values.shape[1:]))
    size = max(1, (size_bytes or BLOCK_BYTES) // max(1, clip_bytes) // multiple) * multiple
    return [slice(first, first + size) for first in range(0, len(values), size)]


def clips_of(names):
    """The positions of each name's clips, by name, in the order in which the names first occur."""
    return pd.DataFrame({"name": np.asarray(names)}).groupby("name", sort=False).indices


def statistics(values):
    """Mean and scale of each column over the real frames of some clips, both [shape=(d,)], float32.

    Scale is the standard deviation, and 1 where a column is constant. Frames that are zero in every column are padding
    and do not count. `values` may be a tuple of features. Piece by piece, in double precision: T. Chan, G. Golub and R.
    LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37(3).
    """
    tables = values if isinstance(values, tuple) else (values,)
    n = 0
    mean = np.zeros(tables[0].shape[-1])
    squares = np.zeros(tables[0].shape[-1])
    for table in tables:
        for part in parts(table, size_bytes=STATISTICS_BYTES):
            rows = np.asarray(table[part]).reshape(-1, table.shape[-1])
            if table.ndim == 3:
                rows = rows[rows.any(axis=1)]
            if not len(rows):
                continue
            step = rows.mean(axis=0, dtype=np.float64) - mean
            squares += rows.var(axis=0, dtype=np.float64) * len(rows) + step**2 * n * len(rows) / (n + len(rows))
            n += len(rows)
            mean += step * len(rows) / n
    std = np.sqrt(squares / max(n, 1))
    return mean.astype(np.float32), np.where(std < SMALLEST, 1, std).astype(np.float32)


def z_score(values, mean, scale):
    """Features without their mean, over their scale (both of `statistics`), float32; padding stays zero."""
    z_scores = ((values - mean) / scale).astype(np.float32)
    if z_scores.ndim == 3:
        z_scores[~values.any(axis=-1)] = 0
    return z_scores


def who_speaks(table):
    """The speaker of each clip as "corpus/speaker"; the same number in two corpora is two people."""
    return (table.corpus.astype(str) + "/" + table.speaker.astype(str)).to_numpy()


def voices(values, table):
    """Mean and scale of the clips of each speaker (`who_speaks`), whatever their role. The labels are not looked at.

    Of features without frames the statistics are over clips.
    """
    return {name: statistics(LazyFeatures(values, clips)) for name, clips in clips_of(who_speaks(table)).items()}


def by_speaker(values, table, statistics_of):
    """Features of a table, each clip z-scored with what `voices` gave for its speaker, of these clips or of others."""
    return LazyFeatures(values, who=who_speaks(table), voices=statistics_of)[:]


def inputs(table, spec, normalise, *, jobs=None, show=None):
    """What a model takes in for the clips of a table: their features, normalised by speaker where that is asked for.

    Parameters
    ----------
    table : pd.DataFrame
        An index. For per-speaker normalisation it should hold all that there is of each speaker.
    spec : FeatureSpec
    normalise : str
        Of `serlib.models.recipe.NORMALISATIONS`; all but `speaker` are layers of the model and change nothing here.
    jobs, show : optional
        As for `serlib.extract`.

    Returns
    -------
    values : LazyFeatures [shape=(clips, ...)], float32
        In the order of `table`. Sequences of variable length are as long as the longest clip really is.
    statistics_of : dict or None
        From `voices`, where it was used.
    """
    extracted = extract(table, spec, jobs=jobs, show=show)
    values = extracted.values
    if values.ndim == 3 and spec.frames is None:
        values = values[:, : extracted.lengths.max()]  # trimming leaves less than the files promise
    if normalise != "speaker":
        return LazyFeatures(values), None
    statistics_of = voices(values, table)
    return LazyFeatures(values, who=who_speaks(table), voices=statistics_of), statistics_of
