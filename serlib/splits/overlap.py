"""What two roles have in common, counted and in words: speakers, texts, the same bytes, the same sound."""

from itertools import combinations

import numpy as np
import pandas as pd
from natsort import natsorted
from scipy.signal import correlate
from sklearn.neighbors import NearestNeighbors

from serlib import audio
from serlib.features.normalisation import who_speaks
from serlib.features.spec import FeatureSpec, contents, extract
from serlib.splits.roles import among, group_keys, text_key
from serlib.utils import ROLES, UNKNOWN, clip_table, is_unknown, speaker_key

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
        Also compare the sound, to find copies with another level, length or file format (reads every clip; the features
        are cached).
    show : bool, optional
        Progress bar.

    Returns
    -------
    pd.DataFrame. One row a pair of roles and a kind of overlap: `roles`, `what`, `shared` (how many are in both roles),
    `of` (how many the second role holds), `clips` (how many clips of the second role that concerns).

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


def held_out(table):
    """Whom and what a split (a table of `split`) holds out, by name: the sentences that belong beside its figure.

    Examples
    --------
    >>> from serlib.splits import split
    >>> clips = {"label": ["happy", "sad"] * 9, "speaker": ["ann"] * 6 + ["bob"] * 6 + ["cy"] * 6, "text": "unknown"}
    >>> table = split(pd.DataFrame({**clips, "speech": "a.wav", "corpus": "folder"}), "speaker", test=["ann"])
    >>> held_out(table)[0]
    'tested on 6 clips of the speaker ann; trained on 10 clips of the speakers bob, cy; validation: 2 random clips'
    """
    kind = table.attrs["split"]["kind"]
    parts = {role: table[table.role == role] for role in ROLES}
    by = _held_by(kind)
    words = [f"tested on {len(parts['test'])} clips{_of(parts['test'], by)}"]
    words.append(f"trained on {len(parts['train'])} clips{_of(parts['train'], by)}")
    if len(parts["validation"]):
        how = table.attrs["split"].get("validation", "")
        words.append(f"validation: {len(parts['validation'])} {how if how == 'random clips' else f'clips, {how}'}")
    sentences = ["; ".join(words), *_voices_in_training(parts["test"], table[table.role != "test"], kind)]
    left_out = table.attrs["split"].get("left_out") or {}
    sentences += [f"left out: {count} clips whose {what} is unknown" for what, count in left_out.items()]
    return sentences


def against(split, index):
    """Whom a run with this split is judged on in clips of another index, in sentences as those of `held_out`."""
    training = split[split.role != "test"]
    sentences = [
        f"{verb} on {len(clips)} clips of {', '.join(dict.fromkeys(clips.corpus))}{_of(clips, 'speaker')}"
        for verb, clips in (("tested", index), ("trained", training))
    ]
    common = set(index.corpus) & set(training.corpus)
    if common:
        test_clips = index[index.corpus.isin(common)]
        sentences += _voices_in_training(test_clips, training[training.corpus.isin(common)], "")
    return sentences


def _held_by(kind):
    """The column whose values are held out; the speakers where none is."""
    return {"text": "text", "corpus": "corpus"}.get(kind, kind.partition(":")[2] or "speaker")


def _of(part, by):
    names = natsorted(set(map(str, group_keys(part, by))) - {UNKNOWN, ""})
    if not names:
        return f" of unknown {by}s"
    text = ", ".join(names[:12]) + (f" ... ({len(names)})" if len(names) > 12 else "")
    return f" of the {by}{'s' * (len(names) > 1)} {text}"


def _voices_in_training(test, training, kind):
    """Whether the voices of the test are in the training, where the split does not exclude it."""
    if kind in ("speaker", "speaker+text"):
        return []
    names = set(who_speaks(test))
    persons = {speaker_key(name) for name in names if not is_unknown(name)}  # two tables may spell them in two ways
    if not persons:
        return ["who speaks is unknown: the test's voices may all be in the training"]
    shared = persons & {speaker_key(name) for name in set(who_speaks(training))}
    if shared:
        return [f"{len(shared)} of the {len(persons)} test speakers are in the training, too"]
    doubt = ", as far as they are known" if any(map(is_unknown, names)) else ""
    return ["no test speaker is in the training" + doubt]


def seen(split, protocol, table):
    """Which clips of a table a run with this split and protocol was trained or validated on [pd.Series of bool].

    Under `published` its test set has chosen the model, too. Without the column `digest` the files of the table are
    read.
    """
    roles = ROLES if protocol == "published" else ("train", "validation")
    digests = set(split.digest[split.role.isin(roles)])
    return pd.Series(contents(table), index=table.index).isin(digests)


def _near_identical(table, *, show):
    """Pairs of clips in different roles that are one recording: alike in mean spectrum and in waveform."""
    values = np.array(extract(table, SOUND, show=show).values)
    values -= values.mean(axis=1, keepdims=True)  # whatever its level
    near = NearestNeighbors(radius=NEAR_DB * np.sqrt(32)).fit(values).radius_neighbors(values, return_distance=False)
    rank = table.role.map(ROLES.index).to_numpy()
    speech = table.speech.to_numpy()
    pairs = [
        (ROLES[rank[i]], ROLES[rank[j]], i, j)
        for i in range(len(table))
        for j in near[i]
        if rank[i] < rank[j] and _same_sound(speech[i], speech[j])
    ]
    return pd.DataFrame(pairs, columns=["role_a", "role_b", "a", "b"])


def _same_sound(path_a, path_b):
    """Whether the peak of the normalised cross-correlation (1 for copies, whatever their level) says so."""
    a, b = (audio.load(path, rate_hz=8000)[0] for path in (path_a, path_b))
    norm = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return bool(norm) and float(np.abs(correlate(a, b, method="fft")).max() / norm) >= SAME_SOUND
