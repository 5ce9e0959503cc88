"""Each dependency has its line in docs/dependencies.md, and says there why it is needed."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def rows():
    """(section, name, what it is for, what would replace it) of each row of the tables."""
    section = ""
    for line in (ROOT / "docs" / "dependencies.md").read_text().splitlines():
        section = line[3:] if line.startswith("## ") else section
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in ("package", "---"):
            yield section, *cells


def required():
    """(section, name) of each line of requirements.txt."""
    section = "At run time"
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line.startswith("# What building"):
            section = "To build and test the notebooks"
        if found := re.match(r"\w[\w.-]*", line):
            yield section, found[0]


def test_the_table_is_that_of_requirements_txt():
    assert [(section, name) for section, name, *_ in rows()] == list(required())


def test_every_row_is_whole():
    assert not [row for row in rows() if len(row) != 4 or not all(row)]


def test_readme_leads_there():
    assert "(docs/dependencies.md)" in (ROOT / "README.md").read_text()
