"""How good a run is, and how sure we are: metrics with intervals, calibration, errors."""

import dataclasses

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from serlib.evaluation import metrics
from serlib.splits import group_keys
from serlib.training import calibration
from serlib.utils import SerlibError

#: What every table of predictions holds before the labels' own columns.
COLUMNS = ("speech", "label", "speaker", "text", "predicted", "confidence")


@dataclasses.dataclass(frozen=True)
class Report:
    """What a run was found to be worth on one set of clips.

    Attributes
    ----------
    accuracy, uar : float
        Share of clips that are right; unweighted average recall, the mean of the recalls of the classes that occur.
    n_test : int
        Clips that were scored.
    split, protocol : str or None
        How the clips were kept apart from the training (`corpus`: another corpus), and what was chosen on what.
    labels : list of str
        What the model can answer, in its order.
    confusion : list of lists of int
        Counts; a row is a true label, a column a predicted one.
    ci95 : dict
        `accuracy` and `uar`, each [low, high]: a 95 % percentile bootstrap interval.
    resampled_by : str
        `speaker`, `text` or `clip`: what the bootstrap drew.
    resamples : int
    per_class : pd.DataFrame
        Index label; precision, recall, f1, support, recall_low, recall_high. NaN where undefined.
    per_speaker : pd.DataFrame
        Index speaker; accuracy, uar, n.
    speaker_recall : pd.DataFrame
        Index speaker, a column a label; NaN where the speaker has no clip of it.
    ece : float
        Expected calibration error, from 0 to 1, of the confidences that are reported here.
    reliability : pd.DataFrame
        A row a bin: low, high, confidence, accuracy, n.
    predictions : pd.DataFrame
        A row a clip: speech, label, speaker, text, predicted, confidence, a probability a label (digest, if known).
    left_out : dict
        Clips that were not scored, by label, since the model does not know their label.
    corpora : list of str
        Where the clips come from.
    normalise : str
        How the model's features were normalised, of `serlib.models.recipe.NORMALISATIONS`; `matched`: its answers
        were, by speaker (`serlib.features.normalisation.match`).
    ece_before : float or None
        Of the model's own confidences, before calibration; None where nothing was calibrated (the published protocol
        has no role for it).
    """

    accuracy: float
    uar: float
    n_test: int
    split: str | None
    protocol: str | None
    labels: list
    confusion: list
    ci95: dict
    resampled_by: str
    resamples: int
    per_class: pd.DataFrame
    per_speaker: pd.DataFrame
    speaker_recall: pd.DataFrame
    ece: float
    reliability: pd.DataFrame
    predictions: pd.DataFrame
    left_out: dict
    corpora: list
    normalise: str = "none"
    ece_before: float | None = None

    @property
    def note(self):
        """What must be said beside every figure of this report; empty where there is nothing to say."""
        from serlib.features import normalisation  # librosa is slow to load, and score() does not need it

        return normalisation.PER_SPEAKER if self.normalise in normalisation.OF_THE_SPEAKER else ""

    def to_json(self):
        """All but the predictions, as plain Python values; what is undefined is None.

        Returns
        -------
        dict, the same keys as the attributes; `per_class`, `per_speaker` and `speaker_recall` are dicts by their
        index, `reliability` is a list of bins.
        """
        tables = {name: getattr(self, name).to_dict("index") for name in ("per_class", "per_speaker", "speaker_recall")}
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "predictions"}
        return _plain({**fields, **tables, "reliability": self.reliability.to_dict("records")})


def score(
    truth, probabilities, labels, *, speakers=None, texts=None, speech=None, digests=None, corpora=(),
    resamples=1000, seed=0, split=None, protocol=None, left_out=None, normalise="none", uncalibrated=None,
):  # fmt: skip
    """Judge probabilities by the truth.

    Parameters
    ----------
    truth : sequence of str [shape=(n,)]
    probabilities : np.ndarray [shape=(n, len(labels))]
        Each row sums to 1.
    labels : sequence of str
        In the order of the columns.
    speakers, texts, speech, digests : sequence of str [shape=(n,)], optional
        Who speaks, what is said, the file and its digest. Without speakers or texts the bootstrap draws clips.
    corpora : sequence of str
        Where the clips come from, for the record.
    resamples, seed : int
        Of the bootstrap.
    split, protocol, left_out, normalise
        For the record, see `Report`.
    uncalibrated : np.ndarray [shape=(n, len(labels))], optional
        The probabilities before calibration, for their ECE.

    Returns
    -------
    Report

    Raises
    ------
    SerlibError
        No clips; lengths that differ; labels outside the vocabulary; probabilities that are none.

    Notes
    -----
    The interval is a percentile bootstrap (Efron & Tibshirani 1993, chapter 13) that draws whole speakers, since the
    clips of one speaker stand or fall together (cluster bootstrap: Davison & Hinkley 1997, section 3.8; Field & Welsh
    2007, J. R. Stat. Soc. B 69(3)). With fewer than five speakers it draws texts, with fewer than five texts clips;
    it then says nothing about other speakers. With few groups such an interval is somewhat too narrow.

    Examples
    --------
    >>> report = score(["sad", "happy", "sad"], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], ["sad", "happy"])
    >>> round(report.accuracy, 3), report.uar, report.resampled_by
    (0.667, 0.75, 'clip')

    Taught in notebooks/05_evaluate.
    """
    labels, truth = [str(label) for label in labels], np.asarray(truth).astype(str)
    probabilities = metrics.checked(truth, probabilities, labels, reserved=(*COLUMNS, "digest", "p_label"))
    if resamples < 1:
        raise SerlibError(f"resamples is {resamples}, expected at least 1; 1000 is usual")
    true = pd.Index(labels).get_indexer(truth)
    guess, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    present = np.unique(true)
    names, texts = _column(speakers, len(truth), "speakers"), _column(texts, len(truth), "texts")
    unit, groups = metrics.unit(names, texts)
    if unit == "clip" and digests is not None:  # what several seeds answered to one clip is drawn together
        groups = pd.factorize(_column(digests, len(truth), "digests"))[0]
    intervals = metrics.intervals(true, guess, groups, len(labels), resamples=resamples, seed=seed)
    predictions = pd.DataFrame(
        {"speech": _column(speech, len(truth), "speech"), "label": truth, "speaker": names, "text": texts}
    )
    if digests is not None:
        predictions["digest"] = _column(digests, len(truth), "digests")
    predictions["predicted"], predictions["confidence"] = np.array(labels)[guess], confidence
    predictions = pd.concat([predictions, pd.DataFrame(probabilities, columns=labels)], axis=1)
    per_speaker, speaker_recall = metrics.by_speaker(true, guess, names, labels)
    ece, reliability = calibration.reliability(confidence, guess == true)
    before = None if uncalibrated is None else calibration.reliability(np.max(uncalibrated, axis=1), guess == true)[0]
    return Report(
        accuracy=float(accuracy_score(true, guess)),
        uar=float(recall_score(true, guess, labels=present, average="macro", zero_division=0)),
        n_test=len(truth),
        split=split,
        protocol=protocol,
        labels=labels,
        confusion=confusion_matrix(true, guess, labels=range(len(labels))).tolist(),
        ci95={"accuracy": intervals[:, 0].tolist(), "uar": intervals[:, 1].tolist()},
        resampled_by=unit,
        resamples=int(resamples),
        per_class=metrics.by_class(true, guess, labels, intervals[:, 2:]),
        per_speaker=per_speaker,
        speaker_recall=speaker_recall,
        ece=ece,
        reliability=reliability,
        predictions=predictions,
        left_out={str(label): int(n) for label, n in (left_out or {}).items()},
        corpora=sorted({str(corpus) for corpus in corpora}),
        normalise=normalise,
        ece_before=before,
    )


def evaluate(run, index=None, *, allow_seen=False, match=False, resamples=1000, seed=0, jobs=None, show=None):
    """Judge a run on its own test role, or on another corpus.

    Parameters
    ----------
    run : serlib.training.run.Run
    index : pd.DataFrame, optional
        Clips of another corpus. Those whose label the model does not know are left out and counted in `left_out`;
        the model may still answer every label that it knows. Where they are of a corpus that the run was trained on,
        who is new is not known, and the report says neither split nor protocol.
    allow_seen : bool
        Score clips that the run was trained or validated on, too. What comes out is no measure of new recordings.
    match : bool
        Match the answers to all clips of each speaker, whatever their label, to the shares of training
        (`serlib.features.normalisation.match`); the report says so. With another corpus this takes for granted that it
        holds the labels of the training, in about these shares.
    resamples, seed : int
        Of the bootstrap, see `score`.
    jobs, show
        Of `serlib.features.extract`.

    Returns
    -------
    Report

    Raises
    ------
    SerlibError
        No test role; no label in common; clips that the run has already seen.

    Taught in notebooks/05_evaluate.
    """
    from serlib import splits
    from serlib.features import normalisation  # librosa is slow to load, and score() does not need it

    own = index is None
    table = run.split if own else index
    asked = (table["role"] == "test" if own else table["label"].isin(list(run.labels))).to_numpy()
    left_out = {} if own else table.loc[~asked, "label"].value_counts().to_dict()
    if not asked.any():
        raise SerlibError(
            "no clip to score: the test role of the run holds nothing; choose a split that tests some"
            if own
            else f"no clip to score: the index holds {metrics.listed(left_out)}, the model knows "
            f"{metrics.listed(run.labels)}; choose a corpus that shares a label"
        )
    if not allow_seen and not (own and run.protocol == "published"):
        splits.refuse_seen(run.split, run.protocol, table[asked])
    foreign = not own and not allow_seen and not set(table["corpus"]) & set(run.split["corpus"])
    # All clips are asked for, not only those that are scored: their features are in the cache, and per-speaker
    # normalisation may not choose clips by their labels.
    values, _ = normalisation.inputs(table, run.spec, run.normalise, jobs=jobs, show=show)
    heard = asked if own or not match else np.full(len(table), True)
    table, asked = table[heard].reset_index(drop=True), asked[heard]
    answers, speakers = run.probabilities(values[heard], calibrated=False), group_keys(table, "speaker")
    told, learned = calibration.tempered(answers, run.temperature), run.split.label[run.split.role == "train"]
    if match:
        told = normalisation.match(told, speakers, normalisation.shares(learned, run.labels))
    told, answers, speakers, table = told[asked], answers[asked], speakers[asked], table[asked]
    return score(
        table["label"],
        told,
        run.labels,
        speakers=speakers,
        texts=table["text"],
        speech=table["speech"],
        digests=table.get("digest"),
        corpora=table["corpus"].unique(),
        resamples=resamples,
        seed=seed,
        split=run.kind if own else "corpus" if foreign else None,
        protocol=run.protocol if own else "held-out" if foreign else None,  # who speaks in other clips is not known
        left_out=left_out,
        normalise="matched" if match else run.normalise,
        uncalibrated=answers if run.is_calibrated and not match else None,
    )


def errors(report, n=20):
    """The wrong answers that the model was surest of: what to listen to first.

    Returns
    -------
    pd.DataFrame, at most n rows, surest first: speech, label, predicted, confidence, p_label (the probability that
    the true label got), speaker, text.

    Taught in notebooks/05_evaluate.
    """
    wrong = report.predictions[report.predictions["label"] != report.predictions["predicted"]]
    wrong = wrong.sort_values("confidence", ascending=False, kind="stable").head(n).reset_index(drop=True)
    column = wrong.columns.get_indexer(wrong["label"])
    wrong["p_label"] = wrong.to_numpy()[np.arange(len(wrong)), column].astype(float)
    return wrong[["speech", "label", "predicted", "confidence", "p_label", "speaker", "text"]]


def abstaining(report, *, thresholds=None):
    """What is gained when the model may say "I do not know".

    Parameters
    ----------
    thresholds : sequence of float, optional
        The model answers where its confidence is at least this. Default: 0, 0.01, ... 1.

    Returns
    -------
    pd.DataFrame: threshold, coverage (share of clips answered), accuracy (of those; NaN where none is), n.

    Notes
    -----
    The risk-coverage curve of El-Yaniv & Wiener 2010, JMLR 11, with accuracy for risk.

    Taught in notebooks/05_evaluate.
    """
    thresholds = np.linspace(0, 1, 101) if thresholds is None else np.asarray(thresholds, dtype=float)
    table = report.predictions.sort_values("confidence")
    right = (table["label"] == table["predicted"]).to_numpy()
    first = np.searchsorted(table["confidence"].to_numpy(), thresholds, side="left")
    n = len(table) - first
    correct = np.append(right[::-1].cumsum()[::-1], 0)[first]
    with np.errstate(invalid="ignore"):
        accuracy = correct / n
    return pd.DataFrame({"threshold": thresholds, "coverage": n / len(table), "accuracy": accuracy, "n": n})


def _column(values, n, name):
    """A column of n strings; empty ones where nothing is known."""
    if values is None:
        return np.full(n, "", dtype=object)
    values = pd.Series(np.asarray(values), dtype=object)
    if len(values) != n:
        raise SerlibError(f"{name} holds {len(values)} entries for {n} clips; give one a clip")
    return values.where(values.notna(), "").astype(str).to_numpy(dtype=object)


def _plain(value):
    """Plain Python values that JSON can hold; NaN becomes None."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and np.isnan(value) else value
