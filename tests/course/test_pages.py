"""The committed pages without a kernel: what they let a reader see and hear."""

import html
import re

import nbformat
import pytest

from notebooks import build
from serlib.utils import LABELS

PAGES = sorted((build.CHECKOUT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
#: A player with the words before it in its row.
ERROR = re.compile(r"<th[^>]*>(meant \w+, heard as \w+ [^<]+)</th><td[^>]*>\s*<audio aria-label=\"([^\"]+)\"")


def output(number, source):
    """(HTML without pictures and sounds, alt text) of the cell of a committed notebook whose code holds `source`."""
    (path,) = (page for page in PAGES if page.name.startswith(number))
    (cell,) = (
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code" and source in cell.source and cell.outputs
    )
    data = next(out.data for out in cell.outputs if "text/html" in out.get("data", {}))
    alts = [out.metadata.get("image/png", {}).get("alt", "") for out in cell.outputs if "metadata" in out]
    return re.sub(r'"data:[^"]+"', '""', data["text/html"]), " ".join(alts)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_player_has_a_name(path):
    cells = nbformat.read(path, as_version=4).cells
    outputs = [out for cell in cells if cell.cell_type == "code" for out in cell.outputs]
    players = [tag for out in outputs for tag in re.findall(r"<audio[^>]*>", out.get("data", {}).get("text/html", ""))]
    assert all(re.search(r'aria-label="[^"]*\w', tag) for tag in players)
    assert players or path.name[:2] not in ("02", "03", "05", "07", "09")


def test_each_error_of_05_stands_before_its_own_player():
    page, _ = output("05", "errors(report")
    rows = ERROR.findall(page)
    assert len(rows) == page.count("<audio") >= 1
    assert all(words == name for words, name in rows)
    assert len({name for _, name in rows}) == len(rows)


def test_the_listening_test_of_02_does_not_say_the_emotion():
    page, alt = output("02", 'hide="label"')
    assert "<audio" in page and "Which emotion is it?" in page
    words = re.findall(r"\w+", html.unescape(page))
    counts = {label: words.count(label) for label in LABELS if label in words}
    assert len(counts) == 7 and set(counts.values()) == {1}, counts  # in the list of all, and nowhere else
    assert not set(re.findall(r"\w+", alt)) & set(LABELS)


def test_the_timeline_of_09_says_what_was_meant_and_what_was_heard():
    page, alt = output("09", "meant=meant")
    assert "<audio" in page
    assert re.search(r"what was meant: \w+ from 0\.0 s.*what was heard: \w+ from 0\.0 s", alt)
