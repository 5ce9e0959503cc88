"""serlib.experiments.searching: only validation is seen, what is interrupted goes on, the best is the best."""

import dataclasses
import json
import os
import re

import numpy as np
import pandas as pd
import pytest

from serlib import splits
from serlib.experiments import searching
from serlib.experiments.searching import search, usual_space
from serlib.training import fitting
from serlib.training.run import Run
from serlib.utils import SerlibError


def rates(recipe):
    def space(trial):
        return dataclasses.replace(recipe, learning_rate=trial.suggest_float("learning_rate", 1e-5, 1e-1, log=True))

    return space


def record(table, seed=0, **found):
    """A `fit` that trains nothing: validation accuracy is best near a learning rate of 0.01."""

    def fit(recipe, known, *, out, **options):
        assert options["seed"] == seed and options["resume"] is True
        found.setdefault("tables", []).append(known)
        score = -abs(np.log10(recipe.learning_rate) + 2)
        if found.get("breaks") and recipe.learning_rate > found["breaks"]:
            raise fitting.NotFinite("The loss is not finite")
        if len(found["tables"]) == found.get("dies"):
            raise KeyboardInterrupt
        out.mkdir(parents=True, exist_ok=True)
        info = {"metrics": {"val_accuracy": score, "val_loss": -score}}
        return Run(out, info, known, pd.DataFrame(), None)

    return fit, found


@pytest.fixture
def fake(monkeypatch, tone_table):
    """fake(**how) puts a training that costs nothing in the place of `fit`; returns what it has seen."""

    def put(**how):
        fit, result = record(tone_table, **how)
        monkeypatch.setattr(searching, "fit", fit)
        result.setdefault("tables", [])
        return result

    return put


def test_a_recipe_stands_for_its_usual_space(fake, tone_table, tmp_path):
    """fit takes a name, search ended in "'str' object is not callable"."""
    fake()
    by_name = search("lstm-256", tone_table, out=tmp_path / "name", trials=2, show=False)
    by_space = search(usual_space("lstm-256"), tone_table, out=tmp_path / "space", trials=2, show=False)
    assert by_name.trials.equals(by_space.trials)
    with pytest.raises(SerlibError, match="at least one trial, not 0"):
        search("lstm-256", tone_table, out=tmp_path / "none", trials=0)
    assert not (tmp_path / "none").exists()


def test_no_trial_sees_the_test_role(fake, tone_table, tiny_recipe, tmp_path):
    seen = fake()
    search(rates(tiny_recipe), tone_table, out=tmp_path, trials=3, show=False)
    assert len(seen["tables"]) == 3
    tested = set(tone_table.digest[tone_table.role == "test"])
    for table in seen["tables"]:
        assert set(table.role) == {"train", "validation"} and not tested & set(table.digest)
        assert len(table) == (tone_table.role != "test").sum()


def test_the_best_trial_is_the_best(fake, tone_table, tiny_recipe, tmp_path):
    fake()
    result = search(rates(tiny_recipe), tone_table, out=tmp_path, trials=25, show=False)
    assert list(result.trials.columns) == ["trial", "value", "learning_rate"] and len(result.trials) == 25
    best = result.trials.loc[result.trials["value"].idxmax()]
    assert result.best.learning_rate == best["learning_rate"] == result.params["learning_rate"]
    assert result.best == dataclasses.replace(tiny_recipe, learning_rate=best["learning_rate"])
    assert 0.004 < result.best.learning_rate < 0.025, "no better than chance"
    assert json.loads(json.dumps(result.to_json(), allow_nan=False))["value"] == result.value


def test_an_interrupted_search_ends_where_an_unbroken_one_does(fake, tone_table, tiny_recipe, tmp_path):
    fake()
    options = {"trials": 14, "seed": 0, "show": False}
    whole = search(rates(tiny_recipe), tone_table, out=tmp_path / "whole", **options)
    fake(dies=5)
    with pytest.raises(KeyboardInterrupt):
        search(rates(tiny_recipe), tone_table, out=tmp_path / "broken", **options)
    seen = fake()
    again = search(rates(tiny_recipe), tone_table, out=tmp_path / "broken", **options)
    pd.testing.assert_frame_equal(again.trials, whole.trials)
    assert len(seen["tables"]) == 10  # the fifth once more, four are kept
    more = search(rates(tiny_recipe), tone_table, out=tmp_path / "broken", **options | {"trials": 16})
    pd.testing.assert_frame_equal(more.trials.head(14), whole.trials)
    fewer = search(rates(tiny_recipe), tone_table, out=tmp_path / "broken", **options | {"trials": 6})
    assert len(seen["tables"]) == 12 and len(fewer.trials) == 6


def test_a_training_that_breaks_off_counts_as_the_worst(fake, tone_table, tiny_recipe, tmp_path):
    fake(breaks=0.02)
    result = search(rates(tiny_recipe), tone_table, out=tmp_path / "some", trials=12, show=False)
    broken = result.trials["learning_rate"] > 0.02
    assert 0 < broken.sum() < 12 and (result.trials["value"].isna() == broken).all()
    fake(breaks=1e-6)
    with pytest.raises(SerlibError, match=r"No training in .* came to an end"):
        search(rates(tiny_recipe), tone_table, out=tmp_path / "none", trials=2, show=False)


def test_what_cannot_be_searched_is_refused(fake, tone_index, tone_table, tiny_recipe, tmp_path):
    seen = fake()
    space = rates(tiny_recipe)
    with pytest.raises(SerlibError, match="validation is the test set"):
        search(space, splits.split(tone_index, "published"), out=tmp_path / "a")
    (tmp_path / "file").touch()
    with pytest.raises(SerlibError, match="file/a cannot be written"):
        search(space, tone_table, out=tmp_path / "file" / "a")
    assert not seen["tables"] and not (tmp_path / "a").exists()
    search(space, tone_table, out=tmp_path / "b", trials=1, show=False)
    with pytest.raises(SerlibError, match=re.escape("holds a search by other means or of other clips")):
        search(space, tone_table, out=tmp_path / "b", trials=2, epochs=3)
    for other in (rates(dataclasses.replace(tiny_recipe, batch_size=5)), usual_space(tiny_recipe)):
        with pytest.raises(SerlibError, match=re.escape("holds a search by other means or of other clips")):
            search(other, tone_table, out=tmp_path / "b", trials=2)


def test_two_searches_do_not_share_a_folder(fake, tone_table, tiny_recipe, tmp_path, monkeypatch):
    """The second is told so; the first, whose trial it would have taken for interrupted, goes on to its end."""
    fake()
    fit = searching.fit
    told = []

    def second(*arguments, **options):
        with pytest.raises(SerlibError, match="Another process is training in") as error:
            search(rates(tiny_recipe), tone_table, out=tmp_path, trials=2, show=False)
        told.append(error)
        return fit(*arguments, **options)

    monkeypatch.setattr(searching, "fit", second)
    result = search(rates(tiny_recipe), tone_table, out=tmp_path, trials=2, show=False)
    assert len(result.trials) == len(told) == 2


def test_the_journal_needs_no_symbolic_links(fake, tone_table, tiny_recipe, tmp_path, monkeypatch):
    """Windows lets few users make them."""

    def refuse(*_, **__):
        raise OSError("a required privilege is not held by the client")

    fake()
    monkeypatch.setattr(os, "symlink", refuse)
    assert len(search(rates(tiny_recipe), tone_table, out=tmp_path, trials=1, show=False).trials) == 1


def test_a_table_of_ones_own_can_be_searched_on(fake, tone_index, tiny_recipe, tmp_path):
    seen = fake()
    table = splits.split(tone_index[["speech", "label"]].rename(columns={"label": "emotion"}), "random")
    search(rates(tiny_recipe), table, out=tmp_path, trials=1, show=False)
    assert len(seen["tables"]) == 1
    with pytest.raises(SerlibError, match=r"expected speech, label, role; give roles with serlib\.split"):
        search(rates(tiny_recipe), tone_index, out=tmp_path, trials=1, show=False)


def test_real_trainings_with_the_usual_space(tone_table, tiny_recipe, session_home, tmp_path):
    result = search(usual_space(tiny_recipe), tone_table, out=tmp_path, trials=2, epochs=2, show=False)
    assert set(result.params) == {"learning_rate", "batch_size"}
    for trial in result.trials.itertuples():
        run = Run.load(tmp_path / f"trial-{trial.trial:03d}")
        assert run.info["metrics"]["val_accuracy"] == trial.value and len(run.history) == 2
        assert run.info["recipe"]["learning_rate"] == trial.learning_rate
        assert run.info["counts"]["test"] == 0
        assert 0.001 <= trial.learning_rate <= 0.1 and trial.batch_size in (16, 32, 64, 128)
