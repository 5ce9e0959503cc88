"""Training set, validation set and test set: each kind of split takes away one thing that a model could remember.

The roles are the column `role` of the table; what two roles still have in common, `serlib.splits.overlap` counts.
"""

import functools
import math
import numbers
import unicodedata
from dataclasses import dataclass

import numpy as np
import pandas as pd
from natsort import natsorted
from sklearn.model_selection import StratifiedKFold, train_test_split

from serlib.utils import RESERVED, ROLES, UNKNOWN, SerlibError, check_seed, clip_table, is_unknown

#: Kinds of split, from the kindest to the most honest one.
SPLIT_KINDS = ("published", "random", "text", "speaker", "speaker+text", "corpus", "given", "column")
#: The column of the index that holds a given split.
GIVEN = "part"
#: With at least this many speakers, or texts, in training, some can be spared as a whole for validation.
SPEAKERS_TO_SPARE_ONE = 4
TEXTS_TO_SPARE_ONE = 5
#: Cross-validation by speaker leaves out one speaker at a time up to this many, and blocks of speakers beyond; that of
#: the other kinds has always as many folds.
SPEAKER_FOLDS = 6
FOLDS = 5


def split(index, kind="speaker", *, seed=0, fold=None, folds=None, test=None, test_share=0.2, validation_share=0.1):
    """Give each clip of an index its role: train, validation or test.

    Parameters
    ----------
    index : pd.DataFrame
        What `serlib.index` returns: columns `label`, `speaker`, `text`, `corpus`; copies are found by `digest`, where
        that is there.
    kind : str
        - `speaker`, unless another is asked for: no speaker of the test set in another role. (Here and by text, where
          one recording goes by two names, its copies outside of the test set are left out.)
        - `random`: clips at random, in proportion to the labels; voices and words are in both roles, copies of one
          recording are not.
        - `published`: what tutorials and papers do: at random, copies or not, and the test set serves as validation.
        - `text`: no word or sentence of the test set in another role, however it is spelled (`text_key`).
        - `speaker+text`: neither; clips with a new voice but an old word, or the reverse, are left out.
        - `corpus`: trained on some corpora, tested on `test`; only the labels they share stay.
        - `given`: the roles of the column `part`, where a table or folders such as train and test name them.
        - `column:NAME`: no value of that column (a site, a microphone) of the test set in another role.

        Clips whose speaker, text or column is not known can be on both sides of such a split unseen: they are left out
        and counted.
    seed : int
        What is drawn at random is drawn from this seed.
    fold, folds : int, optional
        Take part `fold` (from 0; default: 0) of a cross-validation in `folds` parts as the test set. The parts of
        `speaker` are blocks of neighbours in natural order (of RAVDESS, six folds of four actors, two of them women);
        by default one speaker a part up to six speakers, six parts beyond, and the test set is part 0.
    test : sequence of str, optional
        Name the speakers (`speaker`, `speaker+text`), texts (`text`) or corpora (`corpus`) of the test set. In an index
        of several corpora a speaker is called `tess/OAF`; the speakers of all corpora but the named ones then train
        together, on the labels that the corpora of the named speakers have.
    test_share, validation_share : float
        Part of the corpus (of its clips, texts or speakers) that becomes the test set; part of the rest that becomes
        the validation set.

    Returns
    -------
    pd.DataFrame. The index (without clips that have no role) with a column `role`; how it was made is in
    `.attrs["split"]`: kind, protocol, seed, fold, folds, test, validation, left_out. The published protocol has no clip
    with the role validation; `clips_of_role(table, "validation")` gives its test set.

    Raises
    ------
    SerlibError
        The split cannot be made: one speaker, one label, a label too rare, an unknown name in `test`.

    Notes
    -----
    The validation set is drawn as the test set is, by text or by speaker, since it stands in for it while training. A
    corpus with too few speakers to spare one (TESS: one remains for training) takes texts instead, and with too few
    texts (RAVDESS by text: one remains for training) clips at random; `.attrs["split"]["validation"]` says which. The
    accuracy on such a validation set is too high for new voices or texts; that on the test set is not. Where speakers
    of several corpora train together, each corpus gives its share.

    Examples
    --------
    >>> rows = [(label, who, str(word)) for who in "ab" for label in ("happy", "sad") for word in range(8)]
    >>> index = pd.DataFrame(rows, columns=["label", "speaker", "text"]).assign(speech="1.wav", corpus="mine")
    >>> table = split(index, "speaker", test=["b"])
    >>> sorted(set(zip(table.role, table.speaker)))
    [('test', 'b'), ('train', 'a'), ('validation', 'a')]
    >>> table.attrs["split"]["validation"]
    'texts of their own'

    Taught in notebooks/04_lstm_train.
    """
    if folds is not None and fold is None and test is None:
        fold = 0
    _check_request(kind, seed, fold, test)
    for share in (test_share, validation_share):
        if not 0 < share < 1:
            raise SerlibError(f"A share of {share} was asked for; choose one between 0 and 1.")
    if test is not None:
        test = [str(name) for name in ([test] if isinstance(test, str | numbers.Number) else test)]
    index = clip_table(index)
    if kind == "corpus":
        index = _shared_labels(index, test)
    elif kind in ("speaker", "speaker+text") and test is not None:
        index = _labels_of(index, test)
    index, left_out = _with_known_groups(index, kind)
    _check_labels(index)
    group = _group(kind)
    if group == "speaker" and test is None and fold is None:
        fold = 0
    if fold is not None:
        folds = default_folds(index, kind) if folds is None else folds
        if folds < 1:
            raise SerlibError(f"There are no {folds} folds; choose two or more.")
        if not 0 <= fold < folds:
            raise SerlibError(f"There is no fold {fold} among {folds}; choose one from 0 to {folds - 1}.")
    rng = np.random.default_rng(seed)
    part = _Part(fold, folds, test, test_share)
    is_test, has_role = _test_clips(index, kind, group, part, rng=rng, seed=seed)
    role = np.where(is_test, "test", "train").astype(object)
    if kind == "published":
        validation = "the test set"
    elif kind == "given" and _tested_part(index) == "test" and "validation" in set(index[GIVEN]):
        role[(index[GIVEN] == "validation").to_numpy()] = "validation"
        validation = "given"
    else:
        candidates = np.flatnonzero(~is_test & has_role)
        positions, validation = _validation(index.iloc[candidates], group, rng=rng, share=validation_share, seed=seed)
        role[candidates[positions]] = "validation"
    table = index.assign(role=role)[has_role].reset_index(drop=True)
    if kind != "published" and "digest" in table:
        table = _one_role_a_recording(table, group)
    _check_roles(table, kind)
    table.attrs = {
        **index.attrs,
        "split": {
            "kind": kind,
            "protocol": "published" if kind == "published" else "held-out",
            "seed": int(seed),  # NumPy's numbers are none for JSON
            "fold": None if fold is None else int(fold),
            "folds": None if folds is None else int(folds),
            "test": _held_out(table, group),
            "validation": validation,
            "left_out": left_out,
        },
    }
    return table


@dataclass(frozen=True)
class _Part:
    """What becomes the test set: a fold of a cross-validation, the names given, or a share."""

    fold: int | None
    folds: int | None
    test: list | None
    share: float


def _group(kind):
    """The column whose values are in one role as a whole; None where clips are drawn at random."""
    groups = {"published": None, "random": None, "speaker+text": "speaker"}
    return groups.get(kind, kind.removeprefix("column:"))


def _check_request(kind, seed, fold, test):
    """Raise a SerlibError where a split is asked for that does not exist."""
    first, _, column = kind.partition(":")
    if first not in SPLIT_KINDS or (first == "column") != bool(column):
        raise SerlibError(f"'{kind}' is no kind of split; choose one of {', '.join(SPLIT_KINDS)}:NAME.")
    if kind == "given" and (test is not None or fold is not None):
        raise SerlibError("A given split says itself what is tested on; leave out test and fold.")
    check_seed(seed)
    if test is not None and (fold is not None or _group(kind) is None):
        rival = "clips are drawn at random" if fold is None else f"fold {fold} is"
        raise SerlibError(f"Nobody can be named for the test set where {rival}; leave out one of them.")


def _held_out(table, group):
    """Who is in the test set alone; many are counted."""
    if group in (None, "given"):
        return []
    groups = sorted(set(group_keys(table, group)[table.role == "test"]))
    return [str(name) for name in groups] if len(groups) <= 50 else [f"{len(groups)} {group}s"]


def folds(index, kind="speaker", *, seed=0, n=None, **options):
    """Every part of a cross-validation, as a list of tables from `split`.

    Parameters
    ----------
    index, kind, seed, options
        What `split` takes.
    n : int, optional
        Number of folds; default: one a speaker (`speaker`, at most six), five otherwise.

    Returns
    -------
    list of pd.DataFrame
        In every kind but `speaker+text` each clip that is not left out is in the test set once.

    Examples
    --------
    >>> rows = [(label, who, str(word)) for who in "abc" for label in ("happy", "sad") for word in range(8)]
    >>> index = pd.DataFrame(rows, columns=["label", "speaker", "text"]).assign(speech="1.wav", corpus="mine")
    >>> [table.speaker[table.role == "test"].unique().tolist() for table in folds(index, "speaker")]
    [['a'], ['b'], ['c']]

    Taught in notebooks/05_evaluate.
    """
    index = clip_table(index)
    n = default_folds(index, kind) if n is None else n
    if n < 1:
        raise SerlibError(f"There are no {n} folds; choose two or more.")
    return [split(index, kind, seed=seed, fold=fold, folds=n, **options) for fold in range(n)]


def default_folds(index, kind):
    """Number of parts of a cross-validation: one a speaker up to six where speakers are held out, otherwise five."""
    if kind in ("speaker", "speaker+text"):
        return max(2, min(SPEAKER_FOLDS, len(speakers(index))))
    return FOLDS


def speakers(index):
    """The names of the known speakers, in natural order; `unknown` alone where nobody is known."""
    names = set(group_keys(index, "speaker"))
    return natsorted({name for name in names if not is_unknown(name)} or names)


def possible(index, kinds=SPLIT_KINDS, *, seed=0):
    """The splits of an index, by kind, that can be made with `split`; of any other, one line says why not.

    Taught in notebooks/04_lstm_train.
    """
    tables = {}
    for kind in kinds:
        try:
            tables[kind] = split(index, kind, seed=seed)
        except SerlibError as error:
            print(f"left out: {kind} ({error})")
    return tables


def clips_of_role(table, role):
    """The clips of one role, with the index labels of a table of `split`, so that they select rows of the features.

    Under the published protocol the validation set is the test set.
    """
    if role not in ROLES:
        raise SerlibError(f"'{role}' is no role; choose one of {', '.join(ROLES)}.")
    if role == "validation" and table.attrs.get("split", {}).get("protocol") == "published":
        role = "test"
    return table[table.role == role]


def group_keys(index, by):
    """What must not be in two roles; the same speaker number in two corpora is two people.

    The keys are those of this table: parts of a table are compared by `serlib.features.normalisation.who_speaks`.
    """
    if by == "speaker" and len(set(index.corpus)) > 1:
        return (index.corpus + "/" + index.speaker).to_numpy()
    if by == "text":  # of two spellings the first
        first = {}
        return index.text.map(lambda text: first.setdefault(text_key(text), text)).to_numpy()
    return index[by].to_numpy()


@functools.lru_cache(2**17)
def text_key(text):
    """What two spellings of one sentence have in common: neither case nor spaces nor punctuation.

    Examples
    --------
    >>> text_key("Yes, please!") == text_key("yes please"), text_key("No.") == text_key("no one")
    (True, False)
    """
    letters = unicodedata.normalize("NFKC", str(text)).casefold()
    words = "".join(" " if unicodedata.category(letter)[0] in "PSZ" else letter for letter in letters).split()
    return " ".join(words) or str(text)


def among(keys, names):
    """Which keys are among some names [shape=(len(keys),)]; `np.isin` would compare each with each."""
    return pd.Index(keys).isin(list(names))


def _with_known_groups(index, kind):
    """The clips whose group is known, and how many are left out for want of what."""
    columns = []
    if kind in ("speaker", "text", "speaker+text"):
        columns = kind.split("+")
    elif kind == "given":
        columns = [GIVEN]
    elif kind.startswith("column:"):
        columns = [_group(kind)]
    for column in columns:
        if column not in index:
            raise SerlibError(_no_column(index, column))
    left_out = {}
    for column in columns:
        has_no_group = ~index[column].isin(ROLES) if column == GIVEN else index[column].isin(("", UNKNOWN))
        has_no_group |= index[column].isna()
        if len(index) and has_no_group.all() and column != GIVEN:
            raise _one_group(index, column, UNKNOWN)
        if has_no_group.any() and not has_no_group.all():
            left_out[column] = int(has_no_group.sum())
            index = index[~has_no_group]
    return index, left_out


def _no_column(index, column):
    if column == GIVEN:
        return (
            "There is no given split: expected folders such as train and test, or a column 'split' in the table (of a "
            "DataFrame 'part', with train, validation and test); choose another --split."
        )
    extra = [name for name in index.columns if name not in ("speech", "label", "duration_s", "rate_hz", "digest")]
    return f"The index has no column '{column}'; choose one of {', '.join(extra)}."


def _tested_part(index):
    """The given part that is tested on: test, or validation where there is no test."""
    parts = set(index[GIVEN])
    if "train" not in parts or not parts & {"test", "validation"}:
        listing = ", ".join(sorted(map(str, parts)))
        raise SerlibError(f"The given split has the parts {listing}; expected train and test (and validation).")
    return "test" if "test" in parts else "validation"


def _one_role_a_recording(table, group):
    """No recording in two roles: of its copies those in the strictest role stay, test before validation.

    Where clips are drawn at random all stay and take the role of the first.
    """
    rows = table.index.to_series().astype(str)
    recording = table.digest.astype(object).fillna(rows)  # a clip without digest has no copies that are known
    if group is None:
        return table.assign(role=table.groupby(recording, sort=False).role.transform("first"))
    rank = table.role.map(ROLES.index)
    return table[rank == rank.groupby(recording).transform("max")].reset_index(drop=True)


def _draw(index, share, seed):
    """Positions of a share of the clips, drawn in proportion to the labels, and one of each label at least."""
    count = max(index.label.nunique(), math.ceil(share * len(index)))
    try:
        _, positions = train_test_split(np.arange(len(index)), test_size=count, stratify=index.label, random_state=seed)
    except ValueError as error:
        raise _too_few(index) from error
    return positions


def _test_clips(index, kind, group, part, *, rng, seed):
    """Which clips are in the test set, and which have a role at all: a new voice with an old word has none."""
    has_role = np.full(len(index), True)
    if kind == "given":
        return (index[GIVEN] == _tested_part(index)).to_numpy(), has_role
    if group is None:
        return _random_test(index, part, seed=seed), has_role
    has_test_group = _group_test(index, group, part, rng=rng)
    if kind != "speaker+text":
        return has_test_group, has_role
    has_test_text = _group_test(index, "text", _Part(None, None, None, part.share), rng=rng)
    return has_test_group & has_test_text, has_test_group == has_test_text


def _random_test(index, part, *, seed):
    """Which clips are in the test set where they are drawn at random, in proportion to the labels."""
    if part.fold is None:
        positions = _draw(index, part.share, seed)
    else:
        most = index.label.value_counts().max()
        if not 2 <= part.folds <= most:
            raise SerlibError(f"{len(index)} clips cannot be parted into {part.folds} folds; choose from 2 to {most}.")
        stratified = StratifiedKFold(part.folds, shuffle=True, random_state=seed)
        positions = list(stratified.split(index, index.label))[part.fold][1]
    return np.isin(np.arange(len(index)), positions)


def _group_test(index, by, part, *, rng):
    """Which clips are in the test set where whole speakers, texts or corpora are."""
    keys = group_keys(index, by)
    names = list(dict.fromkeys(keys))  # in the natural order of the index
    if by == "speaker":
        names = natsorted(names)
    if len(names) < 2:
        raise _one_group(index, by, names[0])
    if part.test is not None:
        spelling = text_key if by == "text" else str  # a column may hold numbers
        by_name = {spelling(name): name for name in names}
        strangers = [name for name in part.test if spelling(name) not in by_name]
        if strangers:
            raise SerlibError(f"There is no {by} '{strangers[0]}'; choose from {', '.join(map(str, names[:30]))}.")
        test = [by_name[spelling(name)] for name in part.test]
    elif part.fold is not None:
        test = _fold_names(names, by, part, rng)
    else:
        count = min(len(names) - 1, max(1, round(part.share * len(names))))
        test = [names[i] for i in rng.permutation(len(names))[:count]]
    if set(test) >= set(names):
        raise SerlibError(f"Every {by} is in the test set, so none is left for training; name fewer in test.")
    return among(keys, test)


def _fold_names(names, by, part, rng):
    """The names in a fold: neighbours by speaker, drawn at random otherwise."""
    if part.folds > len(names):
        raise SerlibError(f"{len(names)} {by}s cannot be parted into {part.folds} folds; choose at most {len(names)}.")
    order = names if by == "speaker" else [names[i] for i in rng.permutation(len(names))]
    positions = np.array_split(np.arange(len(order)), part.folds)[part.fold]
    return [order[i] for i in positions]


def _one_group(index, by, name):
    """The error for an index of one speaker, text or corpus."""
    mend = f"add clips with another {by}"
    if is_unknown(str(name)):
        mend = f"fill the column {by}"
        if by == "speaker":
            mend += ", put the clips of each in a folder of their own"
    return SerlibError(
        f"All {len(index)} clips have the {by} '{name}', so no {by} can be held out; {mend}, or use --split random."
    )


def _validation(candidates, group, *, rng, share, seed):
    """Positions among the candidates that become validation, and how they were drawn.

    Where speakers or corpora are held out each corpus gives its share, so that none vanishes from training.
    """
    corpora = candidates.corpus.to_numpy()
    names = list(dict.fromkeys(corpora))
    if group not in ("speaker", "corpus") or len(names) == 1:
        return _validation_of_one(candidates, group, rng=rng, share=share, seed=seed)
    positions = []
    ways = []
    for name in names:
        rows = np.flatnonzero(corpora == name)
        positions_of_one, way = _validation_of_one(candidates.iloc[rows], group, rng=rng, share=share, seed=seed)
        positions.append(rows[positions_of_one])
        ways.append(f"{name}: {way}")
    return np.concatenate(positions), ", ".join(ways)


def _validation_of_one(candidates, group, *, rng, share, seed):
    """Positions among candidates of one corpus: speakers where some can be spared, else texts, else clips."""
    by = "speaker" if group in ("speaker", "corpus", "given") else group
    names = [] if by in (None, "text") else natsorted(_known(group_keys(candidates, by)))
    if len(names) < SPEAKERS_TO_SPARE_ONE:
        by = "text"
        names = _known(group_keys(candidates, "text"))
        if group is None or len(names) < TEXTS_TO_SPARE_ONE:
            return _draw(candidates, share, seed), "random clips"
    count = max(1, round(share * len(names)))
    groups = [names[i] for i in rng.permutation(len(names))[:count]]
    return np.flatnonzero(among(group_keys(candidates, by), groups)), f"{by}s of their own"


def _known(keys):
    """The different keys but for what stands for those that nobody knows: together they are no one speaker or text."""
    return [key for key in dict.fromkeys(keys) if not is_unknown(str(key))]


def _shared_labels(index, test):
    """Clips with a label that both the corpora to test on and the others have."""
    corpora = list(dict.fromkeys(index.corpus))
    if not test or len(corpora) < 2:
        raise SerlibError("A split by corpus needs two corpora or more and the name of the one to test on.")
    if not set(test) & set(corpora):
        raise SerlibError(f"There is no corpus '{test[0]}'; choose from {', '.join(corpora)}.")
    inside = index.corpus.isin(test)
    shared = set(index[inside].label) & set(index[~inside].label)
    return index[index.label.isin(shared)]


def _labels_of(index, speakers):
    """Clips with a label that the corpora of the named speakers have."""
    is_named = among(group_keys(index, "speaker"), speakers)
    if not is_named.any():  # the names are wrong, which is told later
        return index
    of_corpora = index[index.corpus.isin(set(index.corpus[is_named]))]
    return index[index.label.isin(set(of_corpora.label))]


def _check_labels(index):
    counts = index.label.value_counts()
    if len(counts) < 2:
        contents = f"only the label '{counts.index[0]}'" if len(counts) else "no clips"
        raise SerlibError(f"The index holds {contents}; two labels or more are needed to train and to test.")
    spellings = {}
    for label in counts.index:
        other = spellings.setdefault(label.strip().casefold(), label)
        if other != label:
            raise SerlibError(f"'{other}' and '{label}' would be two labels; write them alike.")
    for label in counts.index.intersection(RESERVED):
        raise SerlibError(
            f"No label may be called '{label}', as a column of the tables is; give it another name "
            f"(--labels my_{label}={label})."
        )
    if counts.min() < 3:
        raise _too_few(index)


def _check_roles(table, kind):
    labels = set(table.label)
    for role in ("train", "test") if kind == "published" else ROLES:
        labels_of_role = set(table[table.role == role].label)
        if not labels_of_role:
            raise SerlibError(f"The {kind} split leaves no clip for the role {role}; add clips or split otherwise.")
        if role == "train" and labels_of_role != labels:
            missing = ", ".join(sorted(labels - labels_of_role))
            raise SerlibError(
                f"The {kind} split leaves no clip labelled {missing} for training; "
                "add clips, hold out somebody else, or choose another split."
            )


def _too_few(index):
    counts = index.label.value_counts()
    return SerlibError(
        f"The label '{counts.idxmin()}' has {counts.min()} of {len(index)} clips, too few for train, validation and "
        f"test; add clips with that label or leave it out (--drop {counts.idxmin()})."
    )
