"""serlib.experiments.people: the figures about people that ship with the package."""

import pandas as pd
import pytest

from serlib.experiments.people import RESULTS, on_people
from serlib.utils import SerlibError


def test_figures_are_those_of_results_md():
    page = (RESULTS.parents[2] / "RESULTS.md").read_text(encoding="utf-8").replace("\\*", "")
    for row in pd.read_csv(RESULTS, dtype=str).itertuples():
        assert f"{row.uar} [{row.uar_low}, {row.uar_high}]" in page, row


def test_a_row_a_recipe_and_a_column_a_question():
    table = on_people(["lstm-256", "committee"])
    assert list(table.recipe) == ["lstm-256", "committee"]
    assert {"tess, random", "tess, speaker", "ravdess, speaker"} <= set(table.columns)
    assert float(table["tess, random"][0]) > float(table["tess, speaker"][0]) + 20  # what this project is about
    with pytest.raises(SerlibError, match="no-such-recipe was not measured"):
        on_people(["no-such-recipe"])


def test_the_page_is_what_its_command_writes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(RESULTS.parents[2] / "bench"))
    import results

    figures = pd.read_csv(RESULTS)
    page = (RESULTS.parents[2] / "RESULTS.md").read_text(encoding="utf-8")
    assert page == results.page(figures)


def test_a_measured_row_takes_the_place_of_the_old_one(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(RESULTS.parents[2] / "bench"))
    import accuracy

    path = tmp_path / "table.csv"
    rows = pd.DataFrame({"recipe": ["a", "b"], "uar": ["1.0", "2.0"], "epochs": [3, float("nan")]})
    accuracy.renew(path, rows, ["recipe"])
    accuracy.renew(path, pd.DataFrame({"recipe": ["b", "c"], "epochs": [5, 6], "uar": ["9.0", "4.5"]}), ["recipe"])
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert table.recipe.tolist() == ["a", "b", "c"] and table.uar.tolist() == ["1.0", "9.0", "4.5"]
    assert table.epochs.tolist() == ["3.0", "5", "6"]
    accuracy.renew(tmp_path / "pairs.csv", pd.DataFrame({"better": ["a"], "worse": ["b"]}), ["better", "worse"])
    accuracy.renew(tmp_path / "pairs.csv", pd.DataFrame({"better": ["b"], "worse": ["a"]}), ["better", "worse"])
    assert (tmp_path / "pairs.csv").read_text() == "better,worse\nb,a\n"


def test_no_two_recipes_are_better_than_each_other(monkeypatch):
    monkeypatch.syspath_prepend(str(RESULTS.parents[2] / "bench"))
    import results

    pairs = pd.read_csv(results.NEIGHBOURS)[["corpus", "split", "better", "worse"]]
    assert len(set(map(frozenset, pairs.itertuples(index=False)))) == len(pairs)
