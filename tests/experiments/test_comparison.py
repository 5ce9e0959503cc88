"""serlib.experiments: every run judged once and kept, the table against the reports, McNemar."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest
from answering import LABELS, answers, clips
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from serlib import experiments
from serlib.evaluation import report as evaluation
from serlib.evaluation.report import mcnemar
from serlib.experiments import Peer, comparison, trials
from serlib.experiments.comparison import compare
from serlib.features import spec as features
from serlib.training.run import Run
from serlib.utils import SerlibError


@pytest.fixture
def truth(rng):
    return rng.choice(LABELS, 200)


# --- McNemar -------------------------------------------------------------------------------------------------------


def two_reports(only_a, only_b, *, both=10, neither=5):
    a = [1] * (both + only_a) + [0] * (only_b + neither)
    b = [1] * both + [0] * only_a + [1] * only_b + [0] * neither
    files = [f"{i}.wav" for i in range(len(a))]
    truth, p = ["x"] * len(a), [np.eye(2)[1 - np.array(right)] for right in (a, b)]
    return [evaluation.score(clips(truth, speech=files), each, ["x", "y"], resamples=5) for each in p]


def test_mcnemar_counts_and_exact_p_value():
    result = mcnemar(*two_reports(only_a=12, only_b=4))
    assert (result["n"], result["both"], result["only_a"], result["only_b"], result["neither"]) == (31, 10, 12, 4, 5)
    assert result["p_exact"] == pytest.approx(stats.binomtest(4, 16).pvalue)
    assert result["p_exact"] == pytest.approx(0.076813, abs=1e-6)
    assert result["p_mid"] == pytest.approx(0.076813 - stats.binom.pmf(4, 16, 0.5), abs=1e-6)


@given(st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_mcnemar_exact_equals_scipy(only_a, only_b):
    result = mcnemar(*two_reports(only_a, only_b))
    reference = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert result["p_exact"] == pytest.approx(reference)
    assert 0 < result["p_mid"] <= result["p_exact"] <= 1
    swapped = mcnemar(*two_reports(only_b, only_a))
    assert swapped["p_mid"] == pytest.approx(result["p_mid"])


def test_mcnemar_matches_clips_in_any_order_by_digest_first(truth):
    order = np.random.default_rng(1).permutation(200)
    a, b = answers(truth, sure=1.0), answers(truth, sure=1.0, seed=5)
    one = evaluation.score(clips(truth, speech=[f"/here/{i}" for i in range(200)], digest=range(200)), a, LABELS)
    two = evaluation.score(clips(truth[order], speech=[f"/there/{i}" for i in order], digest=order), b[order], LABELS)
    right = (a.argmax(1) == np.searchsorted(LABELS, truth)), (b.argmax(1) == np.searchsorted(LABELS, truth))
    result = mcnemar(one, two)
    assert result["only_a"] == (right[0] & ~right[1]).sum() > 0
    assert result["only_b"] == (right[1] & ~right[0]).sum() > 0


def test_mcnemar_refuses_other_clips(truth):
    p = answers(truth)
    one = evaluation.score(clips(truth, speech=range(200)), p, LABELS)
    with pytest.raises(SerlibError, match="differ in 2 clips"):
        mcnemar(one, evaluation.score(clips(truth, speech=range(1, 201)), p, LABELS))
    with pytest.raises(SerlibError, match="cannot be matched"):
        mcnemar(evaluation.score(truth, p, LABELS), evaluation.score(truth, p, LABELS))
    with pytest.raises(SerlibError, match="different true labels"):
        mcnemar(one, evaluation.score(clips(np.roll(truth, 1), speech=range(200)), p, LABELS))


# --- a comparison --------------------------------------------------------------------------------------------------


def tables(sizes):
    """An index without sounds: corpus -> (speakers, words, labels), two takes of everything."""
    rows = [
        (f"{corpus}/{s}/{w}/{label}/{take}.wav", label, s, w, corpus)
        for corpus, (speakers, words, labels) in sizes.items()
        for s in map(str, range(speakers))
        for w in map(str, range(words))
        for label in labels
        for take in range(2)
    ]
    table = pd.DataFrame(rows, columns=["speech", "label", "speaker", "text", "corpus"])
    return table.assign(digest=table.speech.map(lambda path: path.replace("/", "")))


def peer(name, *, sure=2.0, seen=None, **options):
    """A peer that draws its answers; `seen` collects the tables that it was given."""

    def answer(table):
        if seen is not None:
            seen.append(table)
        test = table[table.role == "test"].reset_index(drop=True)
        labels = sorted(set(table.label))
        return pd.concat([test, pd.DataFrame(answers(test.label, labels, sure=sure), columns=labels)], axis=1)

    return Peer(name=name, title=name, answer=answer, **options)


def logistic(table):
    """A peer that learns: scikit-learn on mean MFCC."""
    x, role = features.extract(table, "mfcc40-mean", show=False).values, table.role
    model = LogisticRegression(max_iter=2000).fit(x[role == "train"], table.label[role == "train"])
    test = table[role == "test"].reset_index(drop=True)
    return pd.concat([test, pd.DataFrame(model.predict_proba(x[role == "test"]), columns=model.classes_)], axis=1)


@pytest.fixture(scope="module")
def systems(tiny_recipe):
    """Two recipes, the second with a reported accuracy, and a peer."""
    starred = dataclasses.replace(tiny_recipe, name="tiny-2", epochs=3, reported=0.9, split="random")
    return [tiny_recipe, starred, Peer(name="logistic", title="logistic regression", answer=logistic)]


@pytest.fixture(scope="module")
def found(tone_index, systems, tmp_path_factory):
    """The systems under two splits, two of them with two seeds."""
    root = tmp_path_factory.mktemp("compare")
    seeds = {"tiny": (0, 1), "tiny-2": (0,), "logistic": (0, 1)}
    options = {"splits": ["random", "speaker"], "seeds": seeds, "root": root, "jobs": 1, "show": False}
    return compare(tone_index, systems, **options), (tone_index, systems, options), root


def test_one_row_a_recipe_and_split_the_best_first(found):
    table = found[0].table
    assert list(dict.fromkeys(table["split"])) == ["random", "speaker"]
    assert not table.duplicated(["split", "recipe"]).any() and len(table) == 6
    for _, part in table.groupby("split"):
        assert part["uar"].is_monotonic_decreasing
    assert set(table["protocol"]) == {"held-out"}
    reported = table.dropna(subset=["reported"])
    assert reported[["recipe", "split", "reported"]].values.tolist() == [["tiny-2", "random", 0.9]]
    counts = table.set_index(["split", "recipe"])[["seeds", "runs"]].T
    assert counts["speaker"].to_dict("list") == {"tiny": [2, 4], "tiny-2": [1, 2], "logistic": [2, 4]}
    assert counts["random"].to_dict("list") == {"tiny": [2, 2], "tiny-2": [1, 1], "logistic": [2, 2]}
    assert table.groupby("recipe")["epochs"].unique().explode().dropna().to_dict() == {"tiny": 8, "tiny-2": 3}
    assert table["accuracy"].max() > 0.5, "hardly better than guessing"


def test_a_row_says_what_its_runs_say(found, tone_index):
    result, _, root = found
    row = result.table.set_index(["split", "recipe"]).loc[("speaker", "tiny")]
    by_seed = {}
    for seed in (0, 1):
        parts = [Run.load(root / f"tess-tiny-speaker-{part}of2-seed{seed}") for part in (1, 2)]
        tested = pd.concat([run.split[run.split.role == "test"] for run in parts])
        assert sorted(tested.digest) == sorted(tone_index.digest)  # each clip once
        by_seed[seed] = pd.concat([evaluation.evaluate(run, resamples=1).predictions for run in parts])
    everything = pd.concat(by_seed.values())
    assert row["accuracy"] == pytest.approx(metrics.accuracy_score(everything.label, everything.predicted))
    assert row["uar"] == pytest.approx(metrics.balanced_accuracy_score(everything.label, everything.predicted))
    each = [metrics.balanced_accuracy_score(part.label, part.predicted) for part in by_seed.values()]
    assert (row["uar_min"], row["uar_max"]) == pytest.approx((min(each), max(each)))
    assert row["uar_low"] <= row["uar"] <= row["uar_high"] and row["clips"] == 84
    recall = metrics.recall_score(everything.label, everything.predicted, average=None)
    assert row["min_recall"] == pytest.approx(recall.min())
    info = [run.info for run in parts]
    assert row["parameters"] == info[0]["parameters"] == parts[0].model.count_params()
    assert 0 < row["ms_a_clip"] < 1000 and row["train_s"] > 0


def test_neighbours_are_tested_on_the_same_clips(found):
    result, _, root = found
    assert len(result.neighbours) == 4
    for _, pair in result.neighbours.iterrows():
        ranking = list(result.table[result.table["split"] == pair["split"]]["recipe"])
        assert ranking.index(pair["worse"]) == ranking.index(pair["better"]) + 1
    pair = result.neighbours.query("split == 'random'").iloc[0]
    folders = [root / f"tess-{pair[side]}-random-seed0" for side in ("better", "worse")]
    one, two = (pd.read_csv(folder / experiments.ANSWERS) for folder in folders)
    labels = result.reports["random", "tiny"].labels
    right = [(each[labels].idxmax(axis=1) == each.label).to_numpy() for each in (one, two)]
    assert pair["n"] == len(one) and pair["only_a"] == (right[0] & ~right[1]).sum()


def test_a_second_call_trains_and_loads_nothing(found, monkeypatch):
    result, (index, systems, options), _ = found

    def forbidden(*_, **__):
        raise AssertionError("trained or loaded again")

    for module, name in ((trials, "fit"), (Run, "load"), (trials, "evaluate"), (trials, "extract")):
        monkeypatch.setattr(module, name, forbidden)
    again = compare(index, systems, **options)
    pd.testing.assert_frame_equal(again.table, result.table)
    pd.testing.assert_frame_equal(again.neighbours, result.neighbours)


def test_answers_matched_by_speaker_are_rows_of_their_own(found):
    result, (index, systems, options), root = found
    both = compare(index, systems, match=True, **options)
    assert (both.table.normalise == "matched").sum() == 3  # each system, where the voice is new
    plain = both.table[both.table.normalise != "matched"].reset_index(drop=True)
    timeless = [c for c in result.table if c != "ms_a_clip"]
    pd.testing.assert_frame_equal(plain[timeless], result.table[timeless])
    row = both.table.set_index(["split", "recipe"]).loc[("speaker", "tiny+matched")]
    judged = []
    for seed, part in ((0, 1), (0, 2), (1, 1), (1, 2)):  # in each fold one speaker is tested
        run = Run.load(root / f"tess-tiny-speaker-{part}of2-seed{seed}")
        judged.append(evaluation.evaluate(run, match=True, resamples=1).predictions)
    judged = pd.concat(judged)
    assert row["accuracy"] == pytest.approx((judged.label == judged.predicted).mean())
    assert "unlabelled" in both.reports["speaker", "tiny+matched"].note
    assert "tiny+matched *" in set(comparison.readable(both.table)["recipe"])
    assert comparison.starred(both.table).tolist() == (both.table.normalise == "matched").tolist()


def test_what_is_missing_is_made_again_and_the_rest_is_kept(found):
    result, (index, systems, options), root = found
    kept, lost = root / "tess-tiny-random-seed0", root / "tess-tiny-random-seed1"
    before = (kept / "model.keras").stat().st_mtime_ns, (lost / "model.keras").stat().st_mtime_ns
    (lost / experiments.JUDGED).unlink()  # killed between training and judging
    again = compare(index, systems, **options)
    assert ((kept / "model.keras").stat().st_mtime_ns, (lost / "model.keras").stat().st_mtime_ns) == before
    timeless = [c for c in result.table if c != "ms_a_clip"]
    pd.testing.assert_frame_equal(again.table[timeless], result.table[timeless])


def test_runs_with_other_settings_are_refused_before_anything_is_trained(found):
    _, (index, systems, options), root = found
    other = dataclasses.replace(systems[0], epochs=2)
    before = set(root.iterdir())
    with pytest.raises(SerlibError, match=re.escape("has other epochs (8, not 2)") + "|has other recipe"):
        compare(index, [other], **options | {"splits": ["text", "random"]})
    assert set(root.iterdir()) == before


@pytest.mark.slow
def test_several_processes_find_the_same(tone_index, systems, tmp_path):
    both, one = (
        compare(tone_index, systems[::2], splits=["random"], root=tmp_path / f"{jobs}", jobs=jobs, show=False)
        for jobs in (2, 1)
    )
    assert both.table["uar"].tolist() == pytest.approx(one.table["uar"].tolist(), abs=0.06)
    assert both.table["epochs"].tolist() == pytest.approx(one.table["epochs"].tolist(), nan_ok=True)


def test_for_people_and_for_programs(found):
    result = found[0]
    told = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert len(told["rows"]) == 6 and len(told["neighbours"]) == 4
    assert {row["recipe"] for row in told["rows"] if row["parameters"] is None} == {"logistic"}
    shown = comparison.readable(result.table)
    first = result.table.iloc[0]
    assert shown["UAR %"][0] == f"{100 * first.uar:.1f} [{100 * first.uar_low:.1f}, {100 * first.uar_high:.1f}]"
    assert list(shown["reported %"][shown["reported %"] != ""]) == ["90"]
    assert not shown.stack().str.contains("nan").any()


# --- who is trained on what ----------------------------------------------------------------------------------------


def given_tables(index, split, root, **options):
    seen = []
    compare(index, [peer("a", seen=seen)], splits=[split], root=root, jobs=1, show=False, **options)
    return seen


def test_parts_of_each_kind(tmp_path):
    index = tables({"tess": (3, 10, LABELS)})
    kinds = ("published", "text", "speaker")
    assert [len(given_tables(index, kind, tmp_path / "1")) for kind in kinds] == [1, 1, 3]
    # leave-one-speaker-out: no more folds than speakers
    assert [len(given_tables(index, kind, tmp_path / "2", folds=5)) for kind in kinds] == [5, 5, 3]
    seen = given_tables(index, "speaker", tmp_path / "3", folds=99)
    assert [set(t.speaker[t.role == "test"]) for t in seen] == [{"0"}, {"1"}, {"2"}]
    assert len(given_tables(index, "random", tmp_path / "4", folds=4, seeds=(0, 1))) == 8
    both = given_tables(index, "speaker+text", tmp_path / "5")
    assert len(both) == 3 and all(set(t.text[t.role == "test"]).isdisjoint(t.text[t.role == "train"]) for t in both)


def test_the_published_protocol_is_said(tmp_path):
    index = tables({"tess": (3, 10, LABELS)})
    table = compare(index, peer("a"), splits=["published", "random"], root=tmp_path, jobs=1, show=False).table
    assert dict(zip(table["split"], table["protocol"], strict=True)) == {"published": "published", "random": "held-out"}


def test_what_is_no_list_is_taken_for_one_or_said(tmp_path):
    """They were a TypeError, "There is no recipe 'a'", "'r' is no kind of split" and an IndexError."""
    index = tables({"tess": (3, 10, LABELS)})
    result = compare(index, peer("a"), splits="random", root=tmp_path, jobs=1, show=False)
    assert list(result.table.recipe) == ["a"] and list(result.table.split) == ["random"]
    for seeds in (2, {"lstm-256": 2}):
        with pytest.raises(SerlibError, match=r"seeds is 2; name each seed, as in seeds=\[0, 1\]"):
            compare(index, "lstm-256", seeds=seeds, root=tmp_path)
    for folds in (-1, 0, 1):
        with pytest.raises(SerlibError, match=f"There are no {folds} folds; choose two or more"):
            compare(index, [peer("a")], folds=folds, root=tmp_path)


def test_who_is_named_twice_is_left_out_once(tmp_path):
    """Also in two splits: two processes must not train in one folder."""
    index = tables({"tess": (3, 10, LABELS)})
    seen = []
    splits = ["speaker:0,0", "speaker:0,1"]
    result = compare(index, [peer("a", seen=seen), peer("b")], splits=splits, root=tmp_path, jobs=1, show=False)
    assert len(seen) == 2 and list(result.table.runs) == [1, 1, 2, 2]


def test_names_that_would_share_a_folder_are_refused(tmp_path):
    index = tables({"tess": (3, 10, LABELS)})
    index["speaker"] = index.speaker.map({"0": "a/b", "1": "a_b", "2": "c"})
    with pytest.raises(SerlibError, match=r"would keep other runs in the same folder, tess-a-speaker-a_b-seed0"):
        compare(index, [peer("a")], splits=["speaker:a/b,a_b"], root=tmp_path, jobs=1)
    assert not list(tmp_path.iterdir())


def test_a_table_of_ones_own_can_be_compared(tone_index, tmp_path):
    table = tone_index[["speech", "label"]].rename(columns={"speech": "path", "label": "emotion"})
    result = compare(table, [peer("a")], splits=["random"], root=tmp_path, jobs=1, show=False)
    assert list(result.table.corpora) == ["own"]


def test_across_corpora(tmp_path):
    index = tables({"tess": (2, 10, LABELS), "ravdess": (6, 2, [*LABELS, "calm"]), "emodb": (5, 10, LABELS)})
    seen = given_tables(index, "corpus", tmp_path / "each")
    assert [set(t.corpus[t.role == "test"]) for t in seen] == [{"tess"}, {"ravdess"}, {"emodb"}]
    seen = given_tables(index, "corpus:ravdess", tmp_path / "one")
    assert len(seen) == 1 and set(seen[0].label) == set(LABELS)
    assert set(seen[0].corpus[seen[0].role == "train"]) == {"tess", "emodb"}


def test_the_other_speaker_and_another_corpus_train_together(tmp_path):
    index = tables({"tess": (2, 10, LABELS), "ravdess": (6, 4, [*LABELS, "calm"])})
    systems = [peer("a"), peer("b", normalise="speaker")]
    result = compare(index, systems, splits=["speaker:tess/0,tess/1"], root=tmp_path, jobs=1)
    assert sorted(path.name for path in tmp_path.glob("*-a-*")) == [
        f"tess+ravdess-a-speaker-tess_{n}-seed0" for n in (0, 1)
    ]
    report = result.reports["speaker:tess/0,tess/1", "a"]
    assert report.labels == LABELS and report.corpora == ["tess"] and report.n_test == 160
    assert list(report.per_speaker.index) == ["0", "1"]
    assert list(comparison.readable(result.table)["recipe"]) in (["a", "b *"], ["b *", "a"])
    assert set(result.table["corpora"]) == {"tess+ravdess"}


def test_folds_that_know_other_labels_are_scored_together():
    one = pd.DataFrame({**dict.fromkeys(experiments.CLIP, "x"), "happy": [0.2], "sad": [0.8]}).assign(label="sad")
    two = one.assign(label="calm", calm=1.0, sad=0.0, happy=0.0, digest="y", speech="y")
    report = comparison.pooled([one, two], "speaker")
    assert report.labels == ["happy", "sad", "calm"] and report.accuracy == 1


def test_recipes_may_have_seeds_of_their_own(tmp_path):
    index = tables({"tess": (2, 10, LABELS)})
    result = compare(index, [peer("a"), peer("b")], splits=["random"], seeds={"a": (0, 1, 2)}, root=tmp_path, jobs=1)
    assert result.table.set_index("recipe")["seeds"].to_dict() == {"a": 3, "b": 1}
    assert len(list(tmp_path.iterdir())) == 4 and len(result.neighbours) == 1
    assert set(comparison.readable(result.table)["UAR % by seed"]) > {"one seed"}


def test_neighbours_without_a_seed_in_common_are_not_tested(tmp_path):
    index, seeds = tables({"tess": (2, 10, LABELS)}), {"a": (0, 2), "b": (1, 2), "c": (3,)}
    result = compare(index, [peer(n) for n in "abc"], splits=["random"], seeds=seeds, root=tmp_path, jobs=1)
    pairs = [{pair.better, pair.worse} for pair in result.neighbours.itertuples()]
    assert len(result.table) == 3 and all(pair == {"a", "b"} for pair in pairs)


def test_a_peer_whose_speakers_have_changed_answers_again(tmp_path):
    index, seen = tables({"tess": (2, 10, LABELS)}), []
    for table in (index, index.assign(speaker="unknown")):
        compare(table, [peer("a", seen=seen)], splits=["random"], root=tmp_path, jobs=1)
    assert len(seen) == 2


def test_a_peer_whose_clips_have_changed_answers_again(tmp_path):
    index, seen = tables({"tess": (2, 10, LABELS)}), []
    system = peer("a", seen=seen)
    for table in (index, index, index.iloc[:-8]):
        compare(table, [system], splits=["random"], root=tmp_path, jobs=1)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("recipes", "options", "said"),
    [
        (["nonsense"], {}, "There is no recipe 'nonsense'"),
        ([peer("a")], {"splits": ["nonsense"]}, "'nonsense' is no kind of split"),
        ([peer("a")], {"splits": ["speaker:nobody"]}, "no speaker 'nobody'"),
        ([peer("a")], {"splits": ["corpus"]}, "needs two corpora"),
        ([peer("a")], {"splits": ["random:0"]}, "nobody can be named"),
        ([peer("a"), peer("a")], {}, "no two recipes of the same name"),
        ([], {}, "recipes: none"),
        ([peer("a")], {"seeds": ()}, "seeds: {'a': []}"),
        ([peer("a"), "committee"], {"epochs": 1}, "1 epochs are too few for the 2 members of committee"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(tmp_path, recipes, options, said):
    with pytest.raises(SerlibError, match=re.escape(said)):
        compare(tables({"tess": (2, 10, LABELS)}), recipes, root=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_one_speaker_cannot_be_left_out(tmp_path):
    with pytest.raises(SerlibError, match="no speaker can be held out"):
        compare(tables({"tess": (1, 10, LABELS)}), [peer("a")], splits=["speaker"], root=tmp_path)
