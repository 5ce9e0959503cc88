"""Changed copies of recordings: decode, change, extract; cached and resumable like all features."""

import dataclasses
import functools
import os

import numpy as np

from serlib import audio, features
from serlib.augment.common import Augmentation
from serlib.augment.frames import FeatureAugmentation, Mixup, lengths
from serlib.augment.waveform import WaveformAugmentation
from serlib.features import cache
from serlib.utils import SerlibError, data_dir, shown

#: Goes up whenever copies get other values, so that no cache of older code is used.
AUGMENT_VERSION = 3


@dataclasses.dataclass(frozen=True)
class Copies(Augmentation):
    """Learn from changed copies of each recording as well.

    Parameters
    ----------
    n : int
        Copies of each recording, besides the recording itself.
    waveform : tuple of waveform augmentations
        Each copy goes through all of them in this order, with its own draws; noise comes best last.
    frames : tuple of feature augmentations
        What changes the frames after that, and before they are summarised. `Mixup` is none of them: it needs two clips.
    """

    n: int
    waveform: tuple = ()
    frames: tuple = ()

    def __post_init__(self):
        self._check("n", int, 1, 100)
        for field, kind in (("waveform", WaveformAugmentation), ("frames", FeatureAugmentation)):
            changes = getattr(self, field)
            if not isinstance(changes, tuple | list) or not all(isinstance(change, kind) for change in changes):
                self._refuse(field, f"a tuple of {field} augmentations")
            object.__setattr__(self, field, tuple(changes))
        if any(isinstance(change, Mixup) for change in self.frames):
            self._refuse("frames", "without Mixup, which takes two clips")
        if not self.waveform and not self.frames:
            self._refuse("waveform", "one augmentation or more, or frames must be")


def copies(table, spec, copies, *, seed=0, jobs=None, show=None):
    """Features of changed copies of every clip of a table [shape=(n, clips, ...)], float32, read-only.

    They are cached, and an interrupted call goes on, as with `serlib.extract`, whose errors it raises. A copy follows
    from the seed, the number of the copy and the content of the file, whatever the order of the table and the number of
    workers.

    Parameters
    ----------
    table, jobs, show
        As for `serlib.extract`.
    spec : FeatureSpec
        Copies that became longer are cut to its `frames`, or to those of the longest clip of the table.
    copies : Copies
    seed : int
    """
    if not len(table):
        raise SerlibError("The table holds no clips to copy; take one that holds some.")
    if spec.beside:
        raise SerlibError("Features that stand side by side cannot be made of changed copies; take one of them.")
    clips = [(os.fspath(file), digest) for file, digest in zip(table["speech"], features.contents(table), strict=True)]
    kind = {
        **features.cache_key(spec),
        "version": [features.FEATURES_VERSION, AUGMENT_VERSION],
        "copies": copies.to_dict(),
        "seed": int(seed),
    }
    shape = (copies.n, *features.row_shape(table, spec))
    store = cache.Store(data_dir() / "features", kind, [digest for _, digest in clips], lambda: shape)
    work = functools.partial(_row, spec=spec, copies=copies, shape=shape[1:], seed=int(seed))
    values, _ = cache.fill(work, clips, [store], jobs=jobs, show=show, desc="changed copies")[0]
    return values.swapaxes(0, 1)


def _row(file, digest, _stores, *, spec, copies, shape, seed):
    """Features of all changed copies of a file [shape=(n, *shape)]."""
    y, rate_hz = audio.checked(file, digest, rate_hz=spec.rate_hz)
    if not len(y) or not np.isfinite(y).all():
        raise SerlibError(f"{shown(file)} {audio.fault(y, rate_hz)}; delete it or record it again")
    frames_spec = features.frames_of(spec)
    out = np.zeros((copies.n, *shape), dtype=np.float32)
    names = features.names(frames_spec)
    same = None if copies.waveform else features.extract_clip(y, rate_hz, frames_spec)
    for number, row in enumerate(out, 1):
        rng = np.random.default_rng([seed, number, int(digest, 16)])
        changed = y
        for change in copies.waveform:
            changed = change(changed, rate_hz, rng)
        rows = features.extract_clip(changed, rate_hz, frames_spec) if same is None else same
        for change in copies.frames:
            longest = np.pad(rows, ((0, 3 * len(rows)), (0, 0)))[np.newaxis]  # room to become four times slower
            rows = change(longest, None, rng, names)[0][0]
            rows = rows[: lengths(rows[np.newaxis])[0]]
        if spec.summary:
            row[:] = features.summarise(rows, spec)
        else:
            row[: len(rows)] = rows[: len(row)]
    return [(out, copies.n)]
