"""A split in words: who was tested, who trained, and whether the voices of the test were among them."""

from natsort import natsorted

from serlib.features.normalisation import who_speaks
from serlib.splits.roles import group_keys
from serlib.utils import ROLES, UNKNOWN, is_unknown, speaker_key


def held_out(table):
    """Whom and what a split holds out, by name: the sentences that belong beside its figure.

    Parameters
    ----------
    table : pd.DataFrame
        From `split`.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import pandas as pd
    >>> from serlib.splits import split
    >>> clips = {"label": ["happy", "sad"] * 9, "speaker": ["ann"] * 6 + ["bob"] * 6 + ["cy"] * 6, "text": "unknown"}
    >>> clips = pd.DataFrame({**clips, "speech": "a.wav", "corpus": "folder"})
    >>> table = split(clips, "speaker", test=["ann"])
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
    """Whom a run is judged on that was trained on other clips.

    Parameters
    ----------
    split : pd.DataFrame
        The clips of the run, with their roles.
    index : pd.DataFrame
        The clips that it is judged on.

    Returns
    -------
    list of str
    """
    names = ", ".join(dict.fromkeys(index.corpus))
    sentences = [f"tested on {len(index)} clips of {names}{_of(index, 'speaker')}"]
    trained = split[split.role != "test"]
    common = sorted(set(index.corpus) & set(trained.corpus))
    sentences.append(
        f"trained on {len(trained)} clips of {', '.join(dict.fromkeys(trained.corpus))}{_of(trained, 'speaker')}"
    )
    if common:
        test_clips = index[index.corpus.isin(common)]
        training_clips = trained[trained.corpus.isin(common)]
        sentences += _voices_in_training(test_clips, training_clips, "")
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
