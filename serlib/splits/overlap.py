"""What two roles have in common: speakers, texts, the same bytes, the same sound."""

from itertools import combinations

import numpy as np
import pandas as pd
from scipy.signal import correlate
from sklearn.neighbors import NearestNeighbors

from serlib import audio
from serlib.features.normalisation import who_speaks
from serlib.features.spec import FeatureSpec, contents, extract
from serlib.splits.roles import among, text_key
from serlib.utils import ROLES, SerlibError, clip_table, shown

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
        From `split`; a table made elsewhere needs the column `role`, and `speaker`, `text` and `digest` for what is to
        be counted. Clips of unknown speakers count as one speaker, those of unknown texts as one text: they may be in
        both roles.
    near : bool
        Also compare the sound, to find copies with another level, length or file format (reads every clip; the
        features are cached).

    Returns
    -------
    pd.DataFrame. One row a pair of roles and a kind of overlap: `roles`, `what`, `shared` (how many are in both
    roles), `of` (how many the second role holds), `clips` (how many clips of the second role that concerns).

    Examples
    --------
    >>> from serlib.splits import split
    >>> rows = [(label, who, str(word)) for who in "ab" for label in ("happy", "sad") for word in range(10)]
    >>> index = pd.DataFrame(rows, columns=["label", "speaker", "text"]).assign(speech="1.wav", corpus="mine")
    >>> overlap = audit(split(index, "speaker", test=["b"])).set_index(["roles", "what"])
    >>> overlap.loc["train and test", "shared"].to_dict()
    {'speakers': 0, 'texts': 9}

    Taught in notebooks/04_lstm_train.
    """
    table = clip_table(table, needs=("role",))
    same_sound = _near_identical(table, show=show) if near else None
    roles = [role for role in ROLES if (table.role == role).any()]
    rows = []
    for first, second in combinations(roles, 2):
        pair = f"{first} and {second}"
        first_rows = table[table.role == first]
        second_rows = table[table.role == second]
        keys = {
            "speakers": (who_speaks(first_rows), who_speaks(second_rows)),
            "texts": (first_rows.text.map(text_key), second_rows.text.map(text_key)),
        }
        if "digest" in table:
            keys["identical clips"] = (first_rows.digest.dropna(), second_rows.digest.dropna())
        for kind, (a, b) in keys.items():
            shared = set(a) & set(b)
            rows.append((pair, kind, len(shared), len(set(b)), int(among(b, shared).sum())))
        if near:
            copies = same_sound[(same_sound.role_a == first) & (same_sound.role_b == second)]
            count = copies.b.nunique()
            rows.append((pair, "near-identical clips", count, len(second_rows), count))
    return pd.DataFrame(rows, columns=["roles", "what", "shared", "of", "clips"])


def seen(split, protocol, table):
    """Which clips a run was trained or validated on.

    Parameters
    ----------
    split : pd.DataFrame
        The clips of a run with their roles.
    protocol : str
        Of the run: under `published` its test set has chosen the model, too.
    table : pd.DataFrame
        The clips to score; without the column `digest` their files are read.

    Returns
    -------
    pd.Series of bool
    """
    roles = ROLES if protocol == "published" else ("train", "validation")
    digests = set(split.digest[split.role.isin(roles)])
    return pd.Series(contents(table), index=table.index).isin(digests)


def refuse_seen(split, protocol, table):
    """Testing on what was trained on is the commonest fault in published figures, so it needs to be asked for.

    Parameters
    ----------
    split, protocol, table
        As for `seen`.

    Raises
    ------
    SerlibError
        The run has seen some of them; a file cannot be read.
    """
    is_seen = seen(split, protocol, table)
    if is_seen.any():
        first = shown(table.speech[is_seen].iloc[0])
        raise SerlibError(
            f"{is_seen.sum()} of the {len(table)} clips to score, {first} first, are the very "
            "clips that the run was trained or validated on; give others, or no index for its own test set, "
            "or ask for it with --allow-seen (in Python allow_seen=True)"
        )


def _near_identical(table, *, show):
    """Pairs of clips in different roles that are one recording: alike in their mean spectrum, and confirmed by the peak
    of the normalised cross-correlation of the waveforms (1 for copies, whatever their level)."""
    values = np.array(extract(table, SOUND, show=show).values)
    values -= values.mean(axis=1, keepdims=True)  # whatever its level
    near = NearestNeighbors(radius=NEAR_DB * np.sqrt(32)).fit(values).radius_neighbors(values, return_distance=False)
    role = table.role.to_numpy()
    speech = table.speech.to_numpy()
    digest = table.digest.to_numpy() if "digest" in table else None

    def _same_recording(i, j):
        same_bytes = digest is not None and digest[i] == digest[j]
        return same_bytes or _same_sound(speech[i], speech[j])

    order = {name: i for i, name in enumerate(ROLES)}
    pairs = [
        (role[i], role[j], i, j)
        for i in range(len(table))
        for j in near[i]
        if order[role[i]] < order[role[j]] and _same_recording(i, j)
    ]
    return pd.DataFrame(pairs, columns=["role_a", "role_b", "a", "b"])


def _same_sound(path_a, path_b):
    a, b = (audio.load(path, rate_hz=8000)[0] for path in (path_a, path_b))
    norm = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return bool(norm) and float(np.abs(correlate(a, b, method="fft")).max() / norm) >= SAME_SOUND
