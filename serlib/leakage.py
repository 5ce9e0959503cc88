"""The leakage audit: what the roles of a split have in common, down to copies of one recording."""

import numpy as np
import pandas as pd
from scipy.signal import correlate
from sklearn.neighbors import NearestNeighbors

from serlib import audio, containers
from serlib.base import ROLES, SerlibError, shown
from serlib.features import FeatureSpec, extract
from serlib.splits import group_keys

#: Clips whose mean spectra differ by more than this (root mean square over the bands) are not compared any further:
#: on TESS, copies at half the level with silence added stay below 0.9 dB, other clips are 1.8 dB apart or more.
NEAR_DB = 1.5

#: Peak of the cross-correlation from which two clips are one recording: copies reach 1, the most alike of
#: 719 pairs of takes in RAVDESS (same actor, emotion and words) 0.57.
SAME_SOUND = 0.95

#: What is compared: coarse spectra at a rate that every corpus reaches, without the silence at the ends.
SOUND = FeatureSpec(
    rate_hz=8000, frame=512, hop=256, kinds=("logmel",), n_mels=32, n_mfcc=13, summary=("mean",), trim_db=30
)


def audit(table, *, near=False, show=None):
    """Count what the roles have in common: speakers, texts, the same bytes, the same sound.

    Parameters
    ----------
    table : pd.DataFrame
        From `split`; a table made elsewhere needs the columns `role`, `speaker`, `text`, `corpus`, and `digest` to
        count identical clips.
    near : bool
        Also compare the sound, to find copies with another level, length or file format (reads every clip; the
        features are cached).

    Returns
    -------
    pd.DataFrame. One row a pair of roles and a kind of overlap: `roles`, `what`, `shared` (how many are in both
    roles), `of` (how many the second role holds), `clips` (how many clips of the second role that concerns).

    Taught in notebooks/04_lstm_train.
    """
    found = []
    same_sound = _near_identical(table, show=show) if near else None
    present = [role for role in ROLES if (table.role == role).any()]
    for first, second in [(a, b) for i, a in enumerate(present) for b in present[i + 1 :]]:
        one, two = table[table.role == first], table[table.role == second]
        kinds = {
            "speakers": (group_keys(one, "speaker"), group_keys(two, "speaker")),
            "texts": (one.text, two.text),
            **({"identical clips": (one.digest, two.digest)} if "digest" in table else {}),
        }
        for what, (a, b) in kinds.items():
            shared = set(a) & set(b)
            found.append((f"{first} and {second}", what, len(shared), len(set(b)), int(np.isin(b, list(shared)).sum())))
        if near:
            pairs = same_sound[(same_sound.role_a == first) & (same_sound.role_b == second)]
            count = pairs.b.nunique()
            found.append((f"{first} and {second}", "near-identical clips", count, len(two), count))
    return pd.DataFrame(found, columns=["roles", "what", "shared", "of", "clips"])


def refuse_seen(split, protocol, table):
    """Testing on what was trained on is the commonest fault in published figures, so it needs to be asked for.

    Parameters
    ----------
    split : pd.DataFrame
        The clips of a run with their roles.
    protocol : str
        Of the run: under `published` its test role has chosen the model, too.
    table : pd.DataFrame
        The clips to score; without the column `digest` their files are read.

    Raises
    ------
    SerlibError
        The run has seen some of them; a file cannot be read.
    """
    roles = ROLES if protocol == "published" else ("train", "validation")
    known = set(split.digest[split.role.isin(roles)])
    seen = (table.digest if "digest" in table else table.speech.map(_digest)).isin(known)
    if seen.any():
        first = shown(table.speech[seen].iloc[0])
        raise SerlibError(
            f"{seen.sum()} of the {len(table)} clips to score, {first} first, are the very "
            "clips that the run was trained or validated on; give others, or no index for its own test role, "
            "or ask for it with --allow-seen (in Python allow_seen=True)"
        )


def _digest(path):
    with containers.opened(path) as file:
        return containers.file_digest(file)


def _near_identical(table, *, show):
    """Pairs of clips in different roles that are one recording: alike in their mean spectrum, and confirmed by the peak
    of the normalised cross-correlation of the waveforms (1 for copies, whatever their level)."""
    values = np.array(extract(table, SOUND, show=show).values)
    values -= values.mean(axis=1, keepdims=True)  # whatever its level
    near = NearestNeighbors(radius=NEAR_DB * np.sqrt(32)).fit(values).radius_neighbors(values, return_distance=False)
    role, speech, digest = (table[name].to_numpy() for name in ("role", "speech", "digest"))
    order = {name: i for i, name in enumerate(ROLES)}
    pairs = [
        (role[i], role[j], i, j)
        for i in range(len(table))
        for j in near[i]
        if order[role[i]] < order[role[j]] and (digest[i] == digest[j] or _same_sound(speech[i], speech[j]))
    ]
    return pd.DataFrame(pairs, columns=["role_a", "role_b", "a", "b"])


def _same_sound(path_a, path_b):
    a, b = (audio.load(path, rate_hz=8000)[0] for path in (path_a, path_b))
    norm = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return bool(norm) and float(np.abs(correlate(a, b, method="fft")).max() / norm) >= SAME_SOUND
