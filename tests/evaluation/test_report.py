"""serlib.evaluation: every figure against scikit-learn, comparisons against hand values, refusals."""

import json
import types

import numpy as np
import pandas as pd
import pytest
from answering import LABELS, answers, clips
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from serlib.evaluation import matching
from serlib.evaluation import report as evaluation
from serlib.features import normalisation
from serlib.training import calibration
from serlib.utils import SerlibError


@pytest.fixture
def truth(rng):
    return rng.choice(LABELS, 200)


def test_every_figure_equals_scikit_learn(truth):
    p = answers(truth, sure=1.5)
    report = evaluation.score(truth, p, LABELS)
    guess = np.array(LABELS)[p.argmax(axis=1)]
    assert report.accuracy == metrics.accuracy_score(truth, guess)
    assert report.uar == pytest.approx(metrics.balanced_accuracy_score(truth, guess))
    np.testing.assert_array_equal(report.confusion, metrics.confusion_matrix(truth, guess, labels=LABELS))
    reference = metrics.precision_recall_fscore_support(truth, guess, labels=LABELS)
    np.testing.assert_allclose(report.per_class[["precision", "recall", "f1", "support"]].T, reference)
    assert 0.3 < report.accuracy < 0.95


@pytest.mark.filterwarnings("ignore:A single label was found")  # scikit-learn, where the model knows one label
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_figures_equal_scikit_learn_at_the_edges(data):
    k = data.draw(st.integers(1, 5))
    labels = [f"label {i}" for i in range(k)]
    n = data.draw(st.integers(1, 30))
    pick = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    true, guess = np.array(data.draw(pick)), np.array(data.draw(pick))
    speakers = [f"s{i}" for i in data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))]
    truth, answered = np.array(labels)[true], np.array(labels)[guess]
    report = evaluation.score(clips(truth, speaker=speakers), np.eye(k)[guess], labels, resamples=20)
    assert report.accuracy == metrics.accuracy_score(truth, answered)
    present = sorted(set(truth))
    assert report.uar == pytest.approx(
        metrics.recall_score(truth, answered, labels=present, average="macro", zero_division=0)
    )
    reference = metrics.precision_recall_fscore_support(truth, answered, labels=labels, zero_division=np.nan)
    np.testing.assert_allclose(report.per_class[["precision", "recall", "f1", "support"]].T, reference)
    assert np.sum(report.confusion) == n == report.per_speaker["n"].sum()
    weighted = (report.per_speaker["accuracy"] * report.per_speaker["n"]).sum() / n
    assert weighted == pytest.approx(report.accuracy)
    for name in ("accuracy", "uar"):
        low, high = report.ci95[name]
        assert 0 <= low <= high <= 1
    json.dumps(report.to_json(), allow_nan=False)


def test_class_absent_and_class_never_answered():
    report = evaluation.score(["sad", "sad", "happy"], np.eye(4)[[3, 3, 3]], LABELS)
    assert report.uar == 0.5  # over the two that occur
    assert np.isnan(report.per_class.loc["angry", "recall"])
    assert np.isnan(report.per_class.loc["happy", "precision"])
    assert report.per_class.loc["happy", "f1"] == 0
    assert report.to_json()["per_class"]["angry"]["recall"] is None


def test_one_clip():
    report = evaluation.score(clips(["sad"], speaker=["me"], text=["hello"]), [[0.1, 0.2, 0.3, 0.4]], LABELS)
    assert (report.accuracy, report.uar, report.n_test, report.ci95["accuracy"]) == (1, 1, 1, [1, 1])
    assert report.resampled_by == "clip"


def test_what_is_resampled(truth):
    p = answers(truth)
    two, many = np.arange(200) % 2, np.arange(200) % 24
    assert evaluation.score(clips(truth, speaker=many, text=two), p, LABELS).resampled_by == "speaker"
    assert evaluation.score(clips(truth, speaker=two, text=many), p, LABELS).resampled_by == "text"
    assert evaluation.score(clips(truth, speaker=two, text=two), p, LABELS).resampled_by == "clip"
    assert evaluation.score(truth, p, LABELS).resampled_by == "clip"


def test_interval_holds_the_estimate_and_the_seed_decides_it(truth):
    p = answers(truth, sure=1.5)
    a, b = (evaluation.score(truth, p, LABELS, seed=7).ci95 for _ in range(2))
    assert a == b != evaluation.score(truth, p, LABELS, seed=8).ci95
    report = evaluation.score(truth, p, LABELS)
    assert report.ci95["uar"][0] < report.uar < report.ci95["uar"][1]
    classes = report.per_class
    assert (classes["recall_low"] <= classes["recall"]).all()
    assert (classes["recall"] <= classes["recall_high"]).all()


def test_per_speaker(truth, rng):
    p, speakers = answers(truth, sure=1.0), rng.choice(["b", "a", "c"], 200)
    report = evaluation.score(clips(truth, speaker=speakers), p, LABELS)
    guess = np.array(LABELS)[p.argmax(axis=1)]
    assert report.per_speaker.index.tolist() == ["a", "b", "c"]
    for name, row in report.per_speaker.iterrows():
        of = speakers == name
        assert row["accuracy"] == pytest.approx(metrics.accuracy_score(truth[of], guess[of]))
        assert row["uar"] == pytest.approx(metrics.balanced_accuracy_score(truth[of], guess[of]))
        reference = metrics.recall_score(truth[of], guess[of], labels=LABELS, average=None)
        np.testing.assert_allclose(report.speaker_recall.loc[name], reference)


def test_speakers_that_are_not_known(truth):
    assert evaluation.score(truth, answers(truth), LABELS).per_speaker.empty
    some = evaluation.score(clips(truth, speaker=[None, "a"] * 100), answers(truth), LABELS)
    assert some.per_speaker.index.tolist() == ["", "a"]


def test_predictions(truth):
    p = answers(truth).astype(np.float32)
    table = evaluation.score(
        clips(truth, speech=[f"{i}.wav" for i in range(200)], digest=range(200)), p, LABELS
    ).predictions
    assert table.columns.tolist() == [
        "speech",
        "label",
        "speaker",
        "text",
        "digest",
        "predicted",
        "confidence",
        *LABELS,
    ]
    np.testing.assert_allclose(table[LABELS], p)
    np.testing.assert_allclose(table["confidence"], p.max(axis=1))
    assert table["speech"][3] == "3.wav"


@pytest.mark.parametrize(
    ("truth", "probabilities", "labels", "says"),
    [
        ([], np.zeros((0, 2)), ["a", "b"], "no clip"),
        (["a"], [[0.5, 0.5], [0.5, 0.5]], ["a", "b"], "shape"),
        (["a"], [[0.5, 0.25, 0.25]], ["a", "b"], "shape"),
        (["c"], [[0.5, 0.5]], ["a", "b"], "the truth holds c, the model knows a, b"),
        (["a"], [[np.nan, 0.5]], ["a", "b"], "1 of 1 rows of probabilities hold NaN"),
        (["a"], [[np.inf, 0.5]], ["a", "b"], "infinity"),
        (["a"], [[0.4, 0.4]], ["a", "b"], "sum to 1"),
        (["a"], [[-0.5, 1.5]], ["a", "b"], "negative"),
        (["a"], [[0.5, 0.5]], ["a", "a"], "each may occur once"),
        (["a"], [[0.5, 0.5]], ["a", "speaker"], "none may be called"),
    ],
)
def test_what_cannot_be_scored_is_refused(truth, probabilities, labels, says):
    with pytest.raises(SerlibError, match=says):
        evaluation.score(truth, probabilities, labels)


def test_lengths_and_resamples_are_checked(truth):
    with pytest.raises(SerlibError, match="one row a clip"):
        evaluation.score(clips(truth[:3], speaker=["a"] * 3), answers(truth), LABELS)
    with pytest.raises(SerlibError, match="resamples is 0"):
        evaluation.score(truth, answers(truth), LABELS, resamples=0)


def test_to_json_is_plain(truth):
    report = evaluation.score(
        clips(truth, speaker=["a", "b"] * 100, corpus="tess"),
        answers(truth),
        LABELS,
        conditions=evaluation.Conditions("random", "held-out", left_out={"calm": np.int64(3)}),
    )
    told = report.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert {
        "accuracy",
        "uar",
        "n_test",
        "split",
        "protocol",
        "labels",
        "confusion",
        "ci95",
        "resampled_by",
        "per_class",
        "per_speaker",
        "ece",
    } <= told.keys()
    assert told["left_out"] == {"calm": 3}
    assert told["corpora"] == ["tess"]
    assert told["per_speaker"]["a"]["n"] == 100
    assert len(told["reliability"]) == calibration.BINS
    assert "predictions" not in told


def test_errors_are_the_surest_mistakes():
    p = [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4], [0.05, 0.95]]
    report = evaluation.score(clips(["a", "a", "a", "b", "b"], speech=list("vwxyz")), p, ["a", "b"])
    table = evaluation.errors(report)
    assert table["speech"].tolist() == ["x", "w", "y"]
    assert table["p_label"].tolist() == pytest.approx([0.2, 0.3, 0.4])
    assert evaluation.errors(report, 1)["speech"].tolist() == ["x"]
    none = evaluation.errors(evaluation.score(["a"], [[1, 0]], ["a", "b"]))
    assert none.empty
    assert none.columns.tolist() == table.columns.tolist()


def test_abstaining_by_hand():
    p = [[0.9, 0.1], [0.3, 0.7], [0.4, 0.6], [0.55, 0.45]]
    report = evaluation.score(["a", "b", "a", "a"], p, ["a", "b"])
    table = evaluation.abstaining(report, thresholds=[0, 0.6, 0.7, 0.95])
    assert table["n"].tolist() == [4, 3, 2, 0]
    assert table["coverage"].tolist() == [1, 0.75, 0.5, 0]
    assert table["accuracy"].tolist()[:3] == pytest.approx([3 / 4, 2 / 3, 1])
    assert np.isnan(table["accuracy"][3])
    assert len(evaluation.abstaining(report)) == 101


# --- a run ---------------------------------------------------------------------------------------------------------


def table_of(labels, *, role="test", speakers=("01", "02"), corpus="tess", start=0):
    n = len(labels)
    return pd.DataFrame(
        {
            "speech": [f"{corpus}/{start + i}.wav" for i in range(n)],
            "label": labels,
            "speaker": [speakers[i % len(speakers)] for i in range(n)],
            "text": [f"word {i % 7}" for i in range(n)],
            "corpus": corpus,
            "digest": [f"{corpus}{start + i:030x}" for i in range(n)],
            "role": role,
        }
    )


@pytest.fixture
def run(monkeypatch):
    """Stands in for a run: its features are the numbers of the labels, its answers always right."""

    def extract(table, spec, *, jobs=None, show=None):
        values = np.array([LABELS.index(label) if label in LABELS else -1 for label in table["label"]])
        return types.SimpleNamespace(values=values, lengths=np.ones(len(values), np.int32))

    monkeypatch.setattr(normalisation, "extract", extract)
    split = pd.concat(
        [
            table_of(LABELS * 5, role="train"),
            table_of(LABELS * 2, role="test", start=20),
            table_of(LABELS, role="validation", start=28),
        ]
    )
    return types.SimpleNamespace(
        labels=LABELS,
        spec=None,
        split=split,
        kind="random",
        protocol="held-out",
        normalise="training",
        probabilities=lambda values, **_: np.eye(len(LABELS))[values],
        temperature=1.0,
        is_calibrated=False,
    )


def test_evaluate_takes_the_test_role(run):
    report = evaluation.evaluate(run)
    assert (report.n_test, report.accuracy, report.split, report.protocol) == (8, 1.0, "random", "held-out")
    assert report.predictions["speech"].tolist() == [f"tess/{i}.wav" for i in range(20, 28)]
    assert report.resampled_by == "text"
    assert report.corpora == ["tess"]


def test_evaluate_another_corpus_leaves_out_what_the_model_does_not_know(run):
    other = table_of(["sad", "calm", "happy", "calm", "boredom"], corpus="ravdess").drop(columns="role")
    run.protocol = "published"
    report = evaluation.evaluate(run, other)
    assert report.n_test == 2
    assert report.left_out == {"calm": 2, "boredom": 1}
    assert (report.split, report.protocol, report.corpora) == ("corpus", "held-out", ["ravdess"])
    assert report.labels == LABELS  # it may still answer every one
    allowed = evaluation.evaluate(run, other, allow_seen=True)  # but nothing of it was seen
    assert (allowed.split, allowed.protocol) == ("corpus", "held-out")
    copy = other.assign(digest=run.split.digest.iloc[0])
    seen = evaluation.evaluate(run, copy, allow_seen=True)
    assert (seen.split, seen.seen, allowed.seen) == (None, 2, 0)
    assert len(report.confusion) == 4


def test_evaluate_claims_nothing_about_other_clips_of_its_own_corpus(run):
    other = table_of(["sad", "happy"], start=90).drop(columns="role")
    report = evaluation.evaluate(run, other)
    assert (report.split, report.protocol, report.n_test) == (None, None, 2)
    of_nowhere = evaluation.evaluate(run, other.drop(columns="corpus"))
    assert (of_nowhere.split, of_nowhere.protocol) == (None, None)
    run.split = run.split.assign(corpus="own")  # of a DataFrame; the folder may hold the same people
    assert evaluation.evaluate(run, other.assign(corpus="folder")).split is None
    assert evaluation.evaluate(run, other.assign(corpus="ravdess")).split == "corpus"
    seen = evaluation.evaluate(run, run.split[run.split.role == "train"], allow_seen=True)
    assert (seen.split, seen.protocol) == (None, None)


def test_evaluate_refuses_the_test_role_that_has_chosen_the_model(run):
    tested = run.split[run.split.role == "test"].drop(columns="role")
    assert evaluation.evaluate(run, tested).n_test == 8
    run.protocol = "published"
    with pytest.raises(SerlibError, match="the very clips"):
        evaluation.evaluate(run, tested)


def test_evaluate_takes_the_folder_of_a_run(tiny_run):
    report = evaluation.evaluate(str(tiny_run.folder), resamples=2, show=False)
    assert report.accuracy == evaluation.evaluate(tiny_run, resamples=2, show=False).accuracy
    with pytest.raises(SerlibError, match="The seed is -1"):
        evaluation.evaluate(tiny_run, seed=-1, show=False)


def test_evaluate_knows_a_seen_clip_without_its_digest(tiny_run):
    with pytest.raises(SerlibError, match="the very clips"):
        evaluation.evaluate(tiny_run, tiny_run.split.drop(columns=["role", "digest"]), show=False)


def test_evaluate_keeps_speakers_of_two_corpora_apart(run):
    both = pd.concat([table_of(["sad"] * 4, corpus="a"), table_of(["sad"] * 4, corpus="b")])
    assert evaluation.evaluate(run, both).per_speaker.index.tolist() == ["a/01", "a/02", "b/01", "b/02"]


@pytest.mark.parametrize("role", ["train", "validation"])
def test_evaluate_refuses_what_the_run_has_seen(run, role):
    seen = run.split[run.split["role"] == role].drop(columns="role")
    with pytest.raises(SerlibError, match=f"{len(seen)} of the {len(seen)} clips to score, .*tess/.*wav first"):
        evaluation.evaluate(run, seen)
    report = evaluation.evaluate(run, seen, allow_seen=True)
    assert report.n_test == report.to_json()["seen"] == len(seen)
    assert f"trained or validated on {len(seen)} of these {len(seen)} clips" in report.warning
    assert evaluation.evaluate(run).warning == ""


def test_evaluate_refuses_its_own_test_role_where_a_clip_is_in_it_twice(run):
    twin = run.split[run.split["role"] == "train"].head(1).assign(role="test", speech="tess/copy.wav")
    run.split = pd.concat([run.split, twin])
    with pytest.raises(SerlibError, match=r"1 of the 9 clips to score, .*tess/copy\.wav first"):
        evaluation.evaluate(run)
    assert evaluation.evaluate(run, allow_seen=True).seen == 1


def test_per_speaker_normalisation_is_marked_and_blind_to_labels(voices_run, tiny_run, monkeypatch):
    from serlib.features import normalisation

    seen = []
    by_speaker = normalisation.voices
    monkeypatch.setattr(normalisation, "voices", lambda values, table: seen.append(table) or by_speaker(values, table))
    report = evaluation.evaluate(voices_run, show=False)
    assert report.normalise == report.to_json()["normalise"] == "speaker"
    assert report.note == "per-speaker normalisation: uses the test speaker's unlabelled clips"
    assert len(seen[0]) == len(voices_run.split)  # of all roles
    assert report.accuracy > 0.5
    other = voices_run.split.drop(columns=["role", "digest"]).assign(corpus="other")
    other.loc[other.label == "sad", "label"] = "calm"  # unknown to the model, but part of the voice
    report = evaluation.evaluate(voices_run, other, allow_seen=True, show=False)
    assert report.left_out == {"calm": 12} and report.note
    assert len(seen[1]) == len(other)
    plain = evaluation.evaluate(tiny_run, show=False)
    assert (plain.normalise, plain.note, len(seen)) == ("training", "", 2)


def test_evaluate_says_why_there_is_nothing_to_score(run):
    with pytest.raises(SerlibError, match="the index holds calm, the model knows angry"):
        evaluation.evaluate(run, table_of(["calm"], corpus="ravdess"))
    run.split = run.split[run.split["role"] != "test"]
    with pytest.raises(SerlibError, match="the test set of the run holds nothing"):
        evaluation.evaluate(run)


def test_evaluate_a_run_that_was_trained(tiny_run):
    report = evaluation.evaluate(tiny_run, show=False)
    assert report.n_test == (tiny_run.split["role"] == "test").sum()
    assert report.accuracy > 0.5
    assert report.labels == tiny_run.labels


def test_answers_are_matched_over_all_that_a_speaker_says(tiny_run):
    from serlib.features import normalisation

    other = tiny_run.split.drop(columns=["role", "digest"]).assign(corpus="other")
    other.loc[other.label == "sad", "label"] = "calm"  # unknown to the model, but the speaker's all the same
    result = evaluation.evaluate(tiny_run, other, allow_seen=True, match=True, show=False)
    assert result.left_out == {"calm": 12} and result.note
    values, _ = normalisation.inputs(other, tiny_run.spec, tiny_run.normalise, show=False)
    shares = matching.label_shares(sorted(set(other.label)), tiny_run.labels)  # of another corpus: its labels, equally
    expected = matching.match(tiny_run.probabilities(values), other.speaker, shares)[other.label != "calm"]
    np.testing.assert_allclose(result.predictions[tiny_run.labels], expected, atol=1e-6)


def test_what_several_seeds_answer_to_a_clip_is_drawn_together():
    """Five times the same answers are no more than one: their interval is as wide."""
    rng = np.random.default_rng(0)
    truth, p = rng.choice(["happy", "sad"], 100), rng.dirichlet([1, 1], 100)
    digests = np.array([f"clip{i}" for i in range(100)])
    once = evaluation.score(clips(truth, digest=digests), p, ["happy", "sad"]).ci95["accuracy"]
    often = evaluation.score(clips(np.tile(truth, 5), digest=np.tile(digests, 5)), np.tile(p, (5, 1)), ["happy", "sad"])
    np.testing.assert_allclose(np.diff(often.ci95["accuracy"]), np.diff(once), atol=0.02)


def test_clips_whose_digest_is_unknown_are_drawn_one_by_one():
    truth = np.array(["happy", "sad"] * 20)
    p = np.tile([0.6, 0.4], (40, 1))
    low, high = evaluation.score(clips(truth, digest=[None] * 40), p, ["happy", "sad"]).ci95["accuracy"]
    assert low < 0.45 and high > 0.55
