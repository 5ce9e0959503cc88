"""The README and the pages of docs: links that lead somewhere, figures that RESULTS.md holds, lines that fit."""

import re

import pandas as pd
import pytest

from notebooks import build
from serlib.experiments.people import RESULTS

ROOT = build.CHECKOUT
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "teaching").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    lost = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert not lost


def test_every_notebook_is_listed():
    for source in build.sources():
        assert f"(notebooks/{source.stem}.ipynb)" in README


def test_its_pictures_are_small_and_described():
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", README)
    assert any("docs/pictures" in path for _, path in pictures)
    for description, path in pictures:
        assert len(description.split()) >= 8
        assert (ROOT / path).stat().st_size < 300_000


def test_code_fits_a_phone():
    for block in re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL):
        assert not [line for line in block.splitlines() if len(line) > 80]


def test_figures_on_ravdess_are_those_of_the_results():
    shown = re.search(r"the three recognise ([\d.]+), ([\d.]+) and\s+([\d.]+) %.*?SVM\s+([\d.]+) %", README, re.DOTALL)
    figures = pd.read_csv(RESULTS)
    figures = figures[(figures.corpus == "ravdess") & (figures.split == "speaker")].set_index("recipe").uar
    for recipe, figure in zip(("lstm-256", "committee", "whisper-linear", "compare-svm"), shown.groups(), strict=True):
        assert float(figure) == round(figures[recipe], len(figure.partition(".")[2])), recipe


def test_the_first_screen_says_what_it_is_and_how_to_start():
    first = README.split("\n## ", 2)
    assert len(first[0]) < 2500, "a newcomer sees this much without scrolling"
    assert first[0].count("[![") == 2 and "| a new voice |" in first[0]
    assert first[1].startswith("Two commands") and "make run" in first[1] and "make test" in first[1]


@pytest.mark.parametrize(("row", "split"), [(0, "random"), (1, "text"), (2, "speaker")])
def test_figures_are_those_of_the_results(row, split):
    table = re.search(r"\| the test \|.*?\n\n", README, re.DOTALL)[0]
    shown = table.splitlines()[2 + row].strip("| ").split(" | ")[1:]
    figures = pd.read_csv(RESULTS, dtype=str)
    figures = figures[(figures.corpus == "tess") & (figures.split == split)].set_index("recipe")
    for recipe, figure in zip(("lstm-256", "committee", "whisper-linear"), shown, strict=True):
        measured = figures.loc[recipe]
        interval = f"[{measured.accuracy_low}, {measured.accuracy_high}]"
        assert figure == f"{measured.accuracy} {interval if measured.accuracy != '100.0' else '(no error)'}"
