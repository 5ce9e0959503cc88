"""Changed copies of recordings: decode, change, extract; cached and resumable like all features."""

import dataclasses
import functools
import json
import os

import numpy as np

from serlib import audio, extraction, features
from serlib.augment.common import Augmentation
from serlib.augment.waveform import WaveformAugmentation
from serlib.base import SerlibError, data_dir, shown

#: Goes up whenever a waveform augmentation gives other samples, so that no cache of older code is used.
AUGMENT_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Copies(Augmentation):
    """Learn from changed copies of each recording as well.

    Parameters
    ----------
    n : int
        Copies of each recording, besides the recording itself.
    waveform : tuple of waveform augmentations
        Each copy goes through all of them in this order, with its own draws; noise comes best last.

    Taught in notebooks/07_generalize.
    """

    n: int
    waveform: tuple

    def __post_init__(self):
        self._check_number("n", 1, 100, int)
        expected = "one or more of Noise, Shift, PitchShift, Stretch, Gain"
        if not isinstance(self.waveform, tuple | list) or not self.waveform:
            self._refuse("waveform", expected)
        object.__setattr__(self, "waveform", tuple(self.waveform))
        if not all(isinstance(change, WaveformAugmentation) for change in self.waveform):
            self._refuse("waveform", expected)


def copies(table, spec, copies, *, seed, jobs=None, show=None):
    """Features of changed copies of every clip of a table.

    Cached and resumable as `serlib.extract` is. A copy's samples follow from the seed, the number of the copy and the
    content of the file, whatever the order of the table and the number of workers.

    Parameters
    ----------
    table : pd.DataFrame
        Columns `speech` and `digest` (without `spec.frames` also `duration_s` and `rate_hz`); the rows of the training
        role.
    spec : FeatureSpec
        Stretched copies are cut to its `frames`, or to those of the longest clip of the table.
    copies : Copies
    seed : int
    jobs : int, optional
        Workers; default: all cores.
    show : bool, optional
        Progress bar.

    Returns
    -------
    serlib.features.Features
        All clips of the table as the first copies, then all as the second copies, and so on. With a summary lengths
        are 1.

    Raises
    ------
    SerlibError
        A file has changed or is gone since it was indexed, or cannot be used. The others are finished first.

    Taught in notebooks/07_generalize.
    """
    if not len(table):
        raise SerlibError("The table holds no clips to copy; take the rows of its training role.")
    clips = [(os.fspath(file), digest) for file, digest in zip(table["speech"], table["digest"], strict=True)]
    header = {
        "version": [features.FEATURES_VERSION, AUGMENT_VERSION],
        "spec": spec.to_dict(),
        "content": audio.digest("\n".join(digest for _, digest in clips).encode()),
        "names": features.names(spec),
        "copies": copies.to_dict(),
        "seed": int(seed),
    }
    folder = data_dir() / "features" / audio.digest(json.dumps(header, sort_keys=True).encode())
    values, lengths = extraction.fill(
        functools.partial(_row, spec=spec, waveform=copies.waveform, seed=int(seed)),
        [(*clip, number) for number in range(1, copies.n + 1) for clip in clips],
        lambda: features.row_shape(table, spec),
        folder,
        header,
        jobs=jobs,
        show=show,
        desc="changed copies",
    )
    return features.Features(values, lengths, spec, features.names(spec), folder)


def _row(file, digest, number, spec, waveform, seed):
    """Features of one changed copy of a file."""
    y, rate_hz = audio.checked(file, digest, rate_hz=spec.rate_hz)
    if not len(y) or not np.isfinite(y).all():
        raise SerlibError(f"{shown(file)} {audio.fault(y, rate_hz)}; delete it or record it again")
    rng = np.random.default_rng([seed, number, int(digest, 16)])
    for change in waveform:
        y = change(y, rate_hz, rng)
    rows = features.extract_clip(y, rate_hz, spec)
    return rows, len(np.atleast_2d(rows))
