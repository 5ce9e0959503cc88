"""How good a run is, and how sure we are: metrics with intervals, calibration, errors."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from serlib.evaluation import matching, metrics
from serlib.features import normalisation
from serlib.splits import clips_of_role, group_keys, seen
from serlib.training import calibration
from serlib.training.run import Run
from serlib.utils import UNTOLD, SerlibError, check_seed, clip_table, shown

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
    labels : list of str
        What the model can answer, in its order.
    confusion : list of lists of int
        Counts; a row is a true label, a column a predicted one.
    ci95 : dict
        `accuracy` and `uar`, each [low, high]: a 95 % percentile bootstrap interval.
    resampled_by : str
        `speaker`, `text` or `clip`: what the bootstrap drew, `resamples` times.
    per_class : pd.DataFrame
        Index label; precision, recall, f1, support, recall_low, recall_high. NaN where undefined.
    per_speaker, speaker_recall : pd.DataFrame
        Index speaker; accuracy, uar, n; the recall of each label, NaN where the speaker has no clip of it.
    ece, ece_before : float
        Expected calibration error, from 0 to 1, of the confidences that are reported here, and of the model's own
        before calibration; None where nothing was calibrated (the published protocol has no role for it).
    reliability : pd.DataFrame
        A row a bin: low, high, confidence, accuracy, n.
    predictions : pd.DataFrame
        A row a clip: speech, label, speaker, text, predicted, confidence, a probability a label (digest, if known).
    corpora : list of str
        Where the clips come from.
    split, protocol, normalise, left_out, seen
        What the figures mean, see `Conditions`.
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
    seen: int = 0

    @property
    def note(self):
        """What must be said beside every figure of this report; empty where there is nothing to say."""
        return normalisation.PER_SPEAKER if self.normalise in normalisation.OF_THE_SPEAKER else ""

    @property
    def warning(self):
        """What makes every figure of this report one of no new recordings; empty where nothing does."""
        if not self.seen:
            return ""
        return (
            f"The model was trained or validated on {self.seen} of these {self.n_test} clips: "
            "the figures are no measure of new recordings."
        )

    def to_json(self):
        """All but the predictions, as plain Python values by the names of the attributes; what is undefined is None.

        `per_class`, `per_speaker` and `speaker_recall` are dicts by their index, `reliability` is a list of bins.
        """
        tables = {name: getattr(self, name).to_dict("index") for name in ("per_class", "per_speaker", "speaker_recall")}
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "predictions"}
        return _plain({**fields, **tables, "reliability": self.reliability.to_dict("records")})


@dataclasses.dataclass(frozen=True)
class Conditions:
    """What a figure means.

    Attributes
    ----------
    split, protocol : str or None
        How the clips were kept apart from the training (`corpus`: another corpus), and what was chosen on what.
    normalise : str
        How the model's features were normalised, of `serlib.models.recipe.NORMALISATIONS`; `matched`: its answers were,
        by speaker (`serlib.evaluation.matching.match`).
    left_out : dict of str -> int
        Clips that were not scored, by label, since the model does not know their label.
    seen : int
        Clips that the model was trained or validated on, and which were scored all the same.
    """

    split: str | None = None
    protocol: str | None = None
    normalise: str = "none"
    left_out: dict = dataclasses.field(default_factory=dict)
    seen: int = 0


def score(clips, probabilities, labels, *, conditions=None, resamples=1000, seed=0):
    """Judge probabilities by the truth.

    Parameters
    ----------
    clips : pd.DataFrame or sequence of str [shape=(n,)]
        The clips with their true labels in the column `label`, and as far as they are known `speaker`, `text`, `speech`
        (the file), `digest` and `corpus`; or the true labels alone.
    probabilities : np.ndarray [shape=(n, len(labels))]
        Each row sums to 1.
    labels : sequence of str
        In the order of the columns.
    conditions : Conditions, optional
        For the record.
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    Report

    Raises
    ------
    SerlibError
        No clips; labels outside the vocabulary; probabilities that are none.

    Notes
    -----
    The interval is a percentile bootstrap (Efron & Tibshirani 1993, chapter 13) that draws whole speakers, since the
    clips of one speaker stand or fall together (cluster bootstrap: Davison & Hinkley 1997, section 3.8; Field & Welsh
    2007, J. R. Stat. Soc. B 69(3)). With fewer than five speakers it draws texts, with fewer than five texts clips; it
    then says nothing about other speakers. With few groups such an interval is somewhat too narrow.

    Examples
    --------
    >>> report = score(["sad", "happy", "sad"], [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]], ["sad", "happy"])
    >>> round(report.accuracy, 3), report.uar, report.resampled_by
    (0.667, 0.75, 'clip')

    Taught in notebooks/05_evaluate.
    """
    if not isinstance(clips, pd.DataFrame):
        clips = pd.DataFrame({"label": np.asarray(clips)})
    conditions = conditions or Conditions()
    labels = [str(label) for label in labels]
    truth = clips["label"].to_numpy().astype(str)
    probabilities = metrics.checked(truth, probabilities, labels, reserved=(*COLUMNS, "digest", "p_label"))
    check_seed(seed)
    if resamples < 1:
        raise SerlibError(f"resamples is {resamples}, expected at least 1; 1000 is usual")
    true = pd.Index(labels).get_indexer(truth)
    guess = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    speakers = _column(clips, "speaker")
    unit, groups = metrics.unit(speakers, _column(clips, "text"))
    digests = _column(clips, "digest")
    if unit == "clip" and digests.all():  # what several seeds answered to one clip is drawn together
        groups = pd.factorize(digests)[0]
    intervals = metrics.intervals(true, guess, groups, len(labels), resamples=resamples, seed=seed)
    predictions = pd.DataFrame({name: _column(clips, name) for name in ("speech", "label", "speaker", "text")})
    if "digest" in clips:
        predictions["digest"] = digests
    predictions["predicted"] = np.array(labels)[guess]
    predictions["confidence"] = confidence
    predictions = pd.concat([predictions, pd.DataFrame(probabilities, columns=labels)], axis=1)
    per_speaker, speaker_recall = metrics.by_speaker(true, guess, speakers, labels)
    ece, reliability = calibration.reliability(confidence, guess == true)
    return Report(
        accuracy=float(accuracy_score(true, guess)),
        uar=float(recall_score(true, guess, labels=np.unique(true), average="macro", zero_division=0)),
        n_test=len(truth),
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
        corpora=sorted({str(corpus) for corpus in clips["corpus"]}) if "corpus" in clips else [],
        **vars(conditions),
    )


def evaluate(run, index=None, *, allow_seen=False, match=False, resamples=1000, seed=0, jobs=None, show=None):
    """Judge a run on its own test set, or on another corpus.

    Parameters
    ----------
    run : serlib.training.run.Run, str or Path
        Or the folder of one.
    index : pd.DataFrame, optional
        Clips of another corpus. Those whose label the model does not know are left out and counted in `left_out`; the
        model may still answer every label that it knows. Where they are of a corpus that the run was trained on, or no
        column `corpus` tells, who is new is not known, and the report says neither split nor protocol.
    allow_seen : bool
        Score clips that the run was trained or validated on, too. What comes out is no measure of new recordings, and
        the report says so.
    match : bool
        Match the answers to all clips of each speaker, whatever their label, to the shares of the labels in the
        training clips of the same corpus, or to equal shares of the labels that another corpus has
        (`serlib.evaluation.matching.match_corpora`); the report says so.
    resamples, seed : int
        Of the bootstrap, see `score`.
    jobs, show : optional
        As for `serlib.extract`.

    Returns
    -------
    Report

    Raises
    ------
    SerlibError
        No test set; no label in common; clips that the run has already seen.

    Examples
    --------
    >>> from serlib.training.run import Run
    >>> report = evaluate(Run.load("checkpoints/mine"))  # doctest: +SKIP
    >>> print(report.uar, report.ci95["uar"], report.resampled_by)  # doctest: +SKIP

    Taught in notebooks/05_evaluate.
    """
    if isinstance(run, str | Path):
        run = Run.load(run)
    is_own = index is None
    table = run.split if is_own else clip_table(index)
    is_heard = (table["role"] == "test").to_numpy() if is_own else np.full(len(table), True)
    clips = table[is_heard]
    is_scored = clips["label"].isin(run.labels).to_numpy()
    _check_scored(run, clips, is_scored, is_own=is_own)
    count = _count_seen(run, clips[is_scored], is_own=is_own, allow_seen=allow_seen)

    # Features of the whole table: they are in the cache, and per-speaker normalisation takes all that there is of each
    # speaker, whatever its label.
    values, _ = normalisation.inputs(table, run.spec, run.normalise, jobs=jobs, show=show)
    answers = run.probabilities(values.select(is_heard), calibrated=False)
    calibrated = calibration.tempered(answers, run.temperature)
    if match:
        calibrated = matching.match_corpora(calibrated, clips, run.labels, clips_of_role(run.split, "train"))

    clips = clips.assign(speaker=group_keys(clips, "speaker"))
    normalise = "matched" if match else run.normalise
    if is_own:
        conditions = Conditions(run.kind, run.protocol, normalise, seen=count)
    else:
        conditions = _conditions_elsewhere(run, clips, is_scored, normalise, count)
    options = {"conditions": conditions, "resamples": resamples, "seed": seed}
    report = score(clips[is_scored], calibrated[is_scored], run.labels, **options)
    if match or not run.is_calibrated:
        return report
    right = (report.predictions["label"] == report.predictions["predicted"]).to_numpy()
    ece_before, _ = calibration.reliability(answers[is_scored].max(axis=1), right)
    return dataclasses.replace(report, ece_before=ece_before)


def _check_scored(run, clips, is_scored, *, is_own):
    """Raise a SerlibError where there is nothing to score."""
    if not is_scored.any() and is_own:
        raise SerlibError("no clip to score: the test set of the run holds nothing; choose a split that tests some")
    if not is_scored.any():
        raise SerlibError(
            f"no clip to score: the index holds {metrics.in_words(clips['label'].value_counts().index)}, the model "
            f"knows {metrics.in_words(run.labels)}; choose a corpus that shares a label"
        )


def _count_seen(run, clips, *, is_own, allow_seen):
    """How many clips the run was trained or validated on: the commonest fault in published figures, refused unasked."""
    if is_own and run.protocol == "published":  # its test set has chosen the model, and the report says so
        return 0
    is_seen = seen(run.split, run.protocol, clips)
    if is_seen.any() and not allow_seen:
        first = shown(clips.speech[is_seen].iloc[0])
        raise SerlibError(
            f"{is_seen.sum()} of the {len(clips)} clips to score, {first} first, are the very clips that the run was "
            "trained or validated on; give others, or no index for its own test set, or ask for it with --allow-seen "
            "(in Python allow_seen=True)"
        )
    return int(is_seen.sum())


def _conditions_elsewhere(run, clips, is_scored, normalise, count):
    """What the figures on other clips than the run's own mean."""
    left_out = clips["label"][~is_scored].value_counts().to_dict()
    trained = {*run.split["corpus"], UNTOLD["corpus"]}
    if UNTOLD["corpus"] in set(run.split["corpus"]):
        trained.add("folder")  # own recordings both, whose people may be the same
    is_other_corpus = not set(clips["corpus"]) & trained
    if is_other_corpus and not count:
        return Conditions("corpus", "held-out", normalise, left_out)
    return Conditions(None, None, normalise, left_out, count)  # who speaks in other clips is not known


def errors(report, n=20):
    """The n wrong answers that the model was surest of, surest first: what to listen to. Taught in
    notebooks/05_evaluate.

    A table of speech, label, predicted, confidence, p_label (the probability of the true label), speaker, text.
    """
    wrong = report.predictions[report.predictions["label"] != report.predictions["predicted"]]
    wrong = wrong.sort_values("confidence", ascending=False, kind="stable").head(n).reset_index(drop=True)
    wrong["p_label"] = [clip[clip["label"]] for _, clip in wrong.iterrows()]
    return wrong[["speech", "label", "predicted", "confidence", "p_label", "speaker", "text"]]


def abstaining(report, *, thresholds=None):
    """What is gained when the model may say "I do not know".

    Parameters
    ----------
    report : Report
    thresholds : sequence of float, optional
        The model answers where its confidence is at least this. Default: 0, 0.01, ... 1.

    Returns
    -------
    pd.DataFrame: threshold, coverage (share of clips answered), accuracy (of those; NaN where none is), n. The
    risk-coverage curve of El-Yaniv & Wiener 2010, JMLR 11, with accuracy for risk.

    Examples
    --------
    >>> report = score(["sad", "sad"], [[0.9, 0.1], [0.4, 0.6]], ["sad", "happy"])
    >>> abstaining(report, thresholds=[0, 0.7]).values.tolist()  # threshold, coverage, accuracy, n
    [[0.0, 1.0, 0.5, 2.0], [0.7, 0.5, 1.0, 1.0]]

    Taught in notebooks/05_evaluate.
    """
    thresholds = np.linspace(0, 1, 101) if thresholds is None else thresholds
    confidence = report.predictions["confidence"].to_numpy()
    right = (report.predictions["label"] == report.predictions["predicted"]).to_numpy()
    rows = []
    for threshold in thresholds:
        answered = right[confidence >= threshold]
        accuracy = answered.mean() if len(answered) else np.nan
        rows.append((float(threshold), len(answered) / len(right), accuracy, len(answered)))
    return pd.DataFrame(rows, columns=["threshold", "coverage", "accuracy", "n"])


def mcnemar(a, b):
    """Do two runs differ on the same clips by more than chance?

    Parameters
    ----------
    a, b : Report
        Of the same clips, in any order. Clips are matched by digest where both know it, else by file.

    Returns
    -------
    dict: n, both (clips that both get right), only_a, only_b, neither, p_exact (the two-sided binomial test, McNemar
    1947), p_mid (its less cautious mid-p version, Fagerland, Lydersen & Laake 2013, BMC Med. Res. Methodol. 13:91).
    Both take clips for independent, which those of one speaker are not: a small p with few speakers speaks about these
    only.

    Examples
    --------
    >>> clips = pd.DataFrame({"label": ["sad"] * 8, "speech": list("abcdefgh")})
    >>> always = score(clips, [[0.9, 0.1]] * 8, ["sad", "happy"])
    >>> never = score(clips, [[0.1, 0.9]] * 8, ["sad", "happy"])
    >>> mcnemar(always, never)["p_exact"]
    0.0078125

    Taught in notebooks/05_evaluate.
    """
    key = _clip_key(a.predictions, b.predictions)
    unmatched = len(set(a.predictions[key]) ^ set(b.predictions[key]))
    if unmatched:
        raise SerlibError(f"the two reports differ in {unmatched} clips; compare runs scored on the same")
    first = a.predictions.set_index(key)
    second = b.predictions.set_index(key).loc[first.index]
    if (first["label"] != second["label"]).any():
        raise SerlibError("the two reports give the same clips different true labels; index the corpus again")
    a_right = (first["label"] == first["predicted"]).to_numpy()
    b_right = (second["label"] == second["predicted"]).to_numpy()
    only_a = int((a_right & ~b_right).sum())
    only_b = int((~a_right & b_right).sum())
    discordant = only_a + only_b
    tail = stats.binom.cdf(min(only_a, only_b), discordant, 0.5)
    point = stats.binom.pmf(min(only_a, only_b), discordant, 0.5)
    return {
        "n": len(first),
        "both": int((a_right & b_right).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "neither": int((~a_right & ~b_right).sum()),
        "p_exact": float(min(1.0, 2 * tail)),
        "p_mid": float(min(1.0, 2 * tail - point)),
    }


def _clip_key(first, second):
    """The column that names each clip in both tables of predictions."""
    for key in ("digest", "speech"):
        if all(key in table and table[key].is_unique for table in (first, second)):
            return key
    raise SerlibError("the clips of the two reports cannot be matched: their files are not named, or named twice")


def _column(clips, name):
    """A column of strings; empty ones where nothing is known."""
    if name not in clips:
        return np.full(len(clips), "", dtype=object)
    values = clips[name].astype(object)
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
