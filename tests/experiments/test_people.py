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
