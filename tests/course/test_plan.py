"""The plan for a class, the glossary and the cheat sheet agree with the notebooks."""

import ast
import re

import nbformat
import pandas as pd
import pytest
import yaml

import serlib
from notebooks import build, exercises, terms
from serlib import teach
from serlib.experiments.people import RESULTS

TEACHING = build.CHECKOUT / "teaching"
PLAN = (TEACHING / "plan.md").read_text(encoding="utf-8")
LESSONS = re.split(r"^## Lesson ", PLAN, flags=re.MULTILINE)[1:]


def rows(lesson):
    """(minutes, what, where) of each line of a lesson's table."""
    found = re.findall(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", lesson, re.MULTILINE)
    return [(int(minutes), what.strip(), where.strip()) for minutes, what, where in found]


def sections(number):
    """Heading -> numbers of its code cells, as JupyterLab counts them."""
    (path,) = (build.CHECKOUT / "notebooks").glob(f"{number}_*.ipynb")
    count, heading, found = 0, None, {}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            count += 1
            found.setdefault(heading, []).append(count)
        else:
            heading = ([heading, *re.findall(r"^#{2,3} (.+)$", cell.source, re.MULTILINE)])[-1]
    return found


def test_five_lessons_of_ninety_minutes():
    assert len(LESSONS) == 5
    for lesson in LESSONS:
        assert sum(minutes for minutes, _, _ in rows(lesson)) == 90, lesson[:40]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda text: text[0])
def test_what_it_names_exists(lesson):
    for _, what, where in rows(lesson):
        cells = re.fullmatch(r"(\d\d) \[(\d+)-(\d+)\] (.+)", where)
        place = re.fullmatch(r"(quiz|exercises) (\d\d)", where)
        if cells:
            number, first, last, heading = cells.groups()
            assert sections(number)[heading] == list(range(int(first), int(last) + 1)), where
        elif place:
            folder, suffix = ("teaching/quiz", "yml") if place[1] == "quiz" else ("exercises", "ipynb")
            assert (build.CHECKOUT / folder / f"{place[2]}.{suffix}").is_file(), where
        else:
            assert (build.CHECKOUT / where).is_file(), where
        for number in re.findall(r"\b\d+\.\d\b", what):
            teach.find(number)  # raises where there is no such exercise


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda text: text[0])
def test_every_lesson_has_goals_questions_and_practice(lesson):
    assert re.search(r"^Goals: \w", lesson, re.MULTILINE)
    asked = re.findall(r"^\| \d+ \|[^|]+\|[^|]+\|([^|]+)\|([^|]+)\|$", lesson, re.MULTILINE)
    assert sum(bool(question.strip()) and bool(wrong.strip()) for question, wrong in asked) >= 4
    assert any(where.startswith("quiz") for _, _, where in rows(lesson))


def goals(source):
    """The goals at the top of a notebook."""
    cell = next(c for c in build.convert(source).cells if re.search(r"^1\. ", c.source, re.MULTILINE))
    return re.findall(r"^\d\. (.+)$", cell.source, re.MULTILINE)


@pytest.mark.parametrize("source", build.sources(), ids=lambda path: path.stem)
def test_every_goal_is_practised(source):
    number = source.stem[:2]
    quiz = yaml.safe_load((TEACHING / "quiz" / f"{number}.yml").read_text(encoding="utf-8"))
    asked = [question["goal"] for question in quiz["questions"]]
    practised = [exercise.goal for exercise in teach.load(int(number)).values()]
    numbered = dict(enumerate(goals(source), 1))
    assert not {*asked, *practised} - set(numbered), "a question or an exercise names a goal that there is not"
    left_out = [goal for count, goal in numbered.items() if count not in {*asked, *practised}]
    assert not left_out, "give these goals an exercise or a question of the quiz"


def test_the_fall_that_teachers_name_was_measured():
    figures = pd.read_csv(RESULTS).query("corpus == 'tess' and recipe == 'lstm-256'").set_index("split").accuracy
    known, new = f"{figures['random']:.0f}", f"{figures['speaker']:.0f}"
    notes = (TEACHING / "instructors.md").read_text(encoding="utf-8")
    assert re.findall(r"why (\d+) became (\d+) on a new voice", PLAN) == [(known, new)]
    assert re.findall(r"(\d+) of 100 clips of TESS falls to (\d+)", notes) == [(known, new)]


# --- bibliography --------------------------------------------------------------------------------------------------

#: (Hochreiter and Schmidhuber 1997), (Guo et al. 2017), (McNemar 1947)
CITED = re.compile(r"([A-Z][\w-]+)(?: et al\.|(?:, [A-Z][\w-]+)* and [A-Z][\w-]+)? ((?:19|20)\d\d)\b(?!/)")


def test_what_the_notebooks_cite_is_in_the_bibliography_with_its_doi():
    text = (TEACHING / "references.bib").read_text(encoding="utf-8")
    works = re.split(r"^@", text, flags=re.MULTILINE)[1:]
    assert not [work for work in works if "doi = {10." not in work and "has no DOI" not in work]
    cited = set()
    for path in build.sources():
        prose = " ".join(line.removeprefix("# ").strip() for line in path.read_text(encoding="utf-8").splitlines())
        cited |= {(path.name, *pair) for pair in CITED.findall(prose) if pair[0] != "Regulation"}
    assert len(cited) > 10
    lost = [
        (name, author, year)
        for name, author, year in sorted(cited)
        if not any(author in work and f"year = {{{year}}}" in work for work in works)
    ]
    assert not lost


# --- cheat sheet ---------------------------------------------------------------------------------------------------


def test_the_code_of_the_cheat_sheet_names_what_there_is():
    text = (TEACHING / "cheatsheet.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    names = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "serlib"
    }
    assert {"index", "split", "audit", "fit", "evaluate", "Recognizer"} == names
    assert names <= set(serlib.__all__)


# --- glossary ------------------------------------------------------------------------------------------------------


def test_each_term_is_defined_once():
    text = (TEACHING / "glossary.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    known = terms.terms()
    assert 70 <= len(headings) == len(set(map(str.lower, headings))) == len(known)
    names = [name.lower() for names in known.values() for name in names]
    assert len(names) == len(set(names))
    assert len({terms.anchor(term) for term in known}) == len(known)


def test_the_first_use_of_each_term_is_linked():
    faults = [f"{path.name if path else 'used nowhere'}: {term}" for path, term in terms.missing()]
    assert not faults, "run `python -m notebooks.terms --write`, read what it did, and build these notebooks"


def test_links_to_the_glossary_lead_to_a_term():
    anchors = {terms.anchor(term) for term in terms.terms()}
    for path in build.sources():
        found = re.findall(r"glossary\.md#([\w-]+)", path.read_text(encoding="utf-8"))
        assert set(found) <= anchors, path.name


def test_first_uses_are_found_in_running_text_only():
    names = ["UAR", "unweighted average recall"]
    assert terms.first_use("`UAR` and ## UAR, $UAR$", names).start() == 13
    assert terms.first_use("## UAR\n| UAR |\n[UAR](x)", names) is None
    assert terms.first_use("the unweighted\naverage recalls", names)[0] == "unweighted\naverage recalls"
    assert terms.first_use("a uart, CUAR, UAR-like", names) is None
    assert terms.anchor("McNemar's test") == "mcnemars-test"


def test_exercises_say_for_which_notebook_they_are():
    for source in build.sources(folder=exercises.SOURCES):
        assert f"# Exercises {source.stem[:2]}" in source.read_text(encoding="utf-8")
