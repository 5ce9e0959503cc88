"""serlib.plots.page: complete, escaped, self-contained, and safe beside other files."""

import dataclasses
import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from serlib.evaluation.report import Conditions, errors, score
from serlib.experiments import Peer
from serlib.experiments.comparison import compare
from serlib.plots import page as report


def clips(truth, **columns):
    """Clips by their true labels, and what else is known of them."""
    return pd.DataFrame({"label": truth, **columns})


EVIL = '<script>alert("1")</script>'
HISTORY = {"loss": [2.0, 1.0], "accuracy": [0.2, 0.5], "val_loss": [1.9, 0.8], "val_accuracy": [0.3, 0.7]}


def made(*, labels=("angry", "happy", "sad"), speakers=("OAF", "YAF"), n=60, folder="/data/tess", **options):
    rng = np.random.default_rng(0)
    truth = rng.choice(labels, n)
    p = rng.dirichlet(np.ones(len(labels)), n)
    speech = [f"{folder}/{speakers[i % len(speakers)]}_x/{i}.wav" for i in range(n)]
    text = rng.choice(list("abcdef"), n)
    speaker = [speakers[i % len(speakers)] for i in range(n)]
    columns = {"label": truth, "speech": speech, "speaker": speaker, "text": text, "corpus": "tess"}
    columns = (
        {"label": truth, "speech": speech} | columns | {name: options.pop(name) for name in {*options} & {*columns}}
    )
    return score(
        pd.DataFrame({name: value for name, value in columns.items() if value is not None}),
        p,
        labels,
        conditions=Conditions(**{"split": "random", "protocol": "held-out"} | options),
        resamples=50,
    )


class Page(HTMLParser):
    """Tags, texts and the values of attributes of a page."""

    def __init__(self, path):
        super().__init__()
        self.source, self.tags, self.texts, self.attributes = path.read_text(encoding="utf-8"), [], [], []
        self.feed(self.source)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    result = made()
    return result, report.write(result, tmp_path_factory.mktemp("report"), history=HISTORY)


def test_folder_is_complete(written):
    result, page = written
    assert page.name == "report.html"
    assert json.loads((page.parent / "report.json").read_text(encoding="utf-8")) == result.to_json()
    figures = sorted(path.stem for path in (page.parent / "figures").iterdir())
    assert figures == ["abstaining", "confusion", "curves", "recall", "reliability", "speaker_recall", "speakers"]
    for path in (page.parent / "figures").iterdir():
        assert Image.open(path).width > 400
    table = pd.read_csv(page.parent / "predictions.csv")
    assert len(table) == result.n_test
    assert table["speech"][0] == "OAF_x/0.wav"
    np.testing.assert_allclose(table["angry"], result.predictions["angry"], rtol=1e-5)
    assert not list(page.parent.rglob("*.partial"))


def test_page_says_the_figures(written):
    result, path = written
    page = Page(path)
    low, high = result.ci95["uar"]
    assert f"{100 * result.accuracy:.1f} %" in page.text
    assert f"{100 * low:.1f} % to {100 * high:.1f} %" in page.text
    assert "drawn by text" in page.text
    assert "60 clips of 2 speakers from tess; split: random; protocol: held-out" in page.text
    assert "it has heard the same voices" in page.text
    assert page.tags.count("table") == 3
    assert page.tags.count("tr") == 3 + 3 + 2 + 20  # heads, emotions, speakers, mistakes
    worst = errors(result, 1).iloc[0]
    assert f"{worst.speech.removeprefix('/data/tess/')} {worst.label} {worst.predicted}" in page.text


def test_calibration_is_said_where_there_was_one(tmp_path):
    calibrated = dataclasses.replace(made(), ece_before=0.321)
    page = Page(report.write(calibrated, tmp_path / "calibrated"))
    before = f"{100 * calibrated.ece_before:.1f} %"
    assert f"(one temperature for all of them; no answer changes) it was {before}." in page.text
    page = Page(report.write(made(protocol="published"), tmp_path / "published"))
    assert "this protocol leaves no clips to calibrate them on" in page.text
    assert "calibrate" not in Page(report.write(made(), tmp_path / "unknown")).text


def test_page_needs_nothing_else_and_its_pictures_are_described(written):
    page = Page(written[1])
    pictures = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert len(pictures) == 7
    assert all(src.startswith("data:image/png;base64,") for src in pictures)
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len([alt for alt in alts if len(alt.split()) > 7]) == 7
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "prefers-color-scheme: dark" in page.source
    assert not re.search(r"(?:href|url)\s*[=(]\s*.?https?:", page.source)


def test_no_folder_of_this_machine_is_named(written):
    for path in written[1].parent.rglob("*.*"):
        assert b"/data/tess" not in path.read_bytes()


def test_what_comes_from_outside_is_escaped(tmp_path):
    labels = (EVIL, "b&amp;b", "{{ 7 * 7 }}")
    result = made(labels=labels, speakers=(EVIL, '" onload="x'), folder=f"/data/{EVIL}", text=[EVIL] * 60)
    result = dataclasses.replace(result, left_out={EVIL: 3}, corpora=[EVIL], split=EVIL, protocol=EVIL)
    page = Page(report.write(result, tmp_path, title=EVIL))
    assert "script" not in page.tags
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert page.text.count(EVIL) > 10
    assert "{{ 7 * 7 }}" in page.text
    assert "b&amp;b" in page.text  # shown as it is named, not unescaped
    assert f"3 {EVIL}" in page.text
    assert "is not known, so the figure may be far too high" in page.text


@pytest.mark.parametrize(
    ("split", "protocol", "says"),
    [
        ("published", "published", "upper bound"),
        ("random", "published", "upper bound"),
        ("random", "held-out", "more clips of these very speakers"),
        ("text", "held-out", "new words of these very speakers"),
        ("speaker", "held-out", "never heard the voices of the test"),
        ("speaker+text", "held-out", "neither the voices nor the words"),
        ("corpus", "held-out", "trained on other corpora"),
        (None, None, "is not known"),
    ],
)
def test_reading_belongs_to_the_split(split, protocol, says, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_figures", lambda *_: {})  # drawing takes its time, and is not in question
    assert says in Page(report.write(made(split=split, protocol=protocol), tmp_path)).text


def test_what_was_done_with_the_speaker_s_clips_is_said(tmp_path, monkeypatch):
    """A page of matched answers said that the features had been brought to one scale."""
    monkeypatch.setattr(report, "_figures", lambda *_: {})
    for normalise, says in (("matched", "answers to all clips of each speaker were matched"), ("speaker", "one scale")):
        text = Page(report.write(dataclasses.replace(made(), normalise=normalise), tmp_path)).text
        assert says in text and ("brought to one scale" in text) == (normalise == "speaker")
        assert "not for the first words of a stranger" in text


def test_edges(tmp_path):
    one = score(
        clips(["sad"], corpus="sample"), [[0.0, 1.0]], ["happy", "sad"], conditions=Conditions(left_out={"calm": 2})
    )
    page = Page(report.write(one, tmp_path / "new" / "folder", history=pd.DataFrame()))
    assert "synthetic speech: these figures say nothing about people" in page.text
    assert "2 calm" in page.text
    assert "The speakers are not known" in page.text
    assert "There are none." in page.text
    assert "does not mean certainty" in page.text
    assert "happy - -" in page.text  # nothing to divide by


def test_other_files_in_the_folder_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_figures", lambda *_: {})
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    report.write(made(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert "<!doctype html>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_report_leaves_the_old_page(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "_figures", lambda *_: {})
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(report, "template", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report.write(made(), tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"
    assert not list(tmp_path.rglob("*.partial"))


def test_relative_names():
    assert report.relative(["/a/b/c/1.wav", "/a/b/d/2.wav"]) == ["c/1.wav", "d/2.wav"]
    assert report.relative(["/a/b/1.wav"]) == ["1.wav"]
    assert report.relative(["x/1.wav", "x/2.wav"]) == ["1.wav", "2.wav"]
    assert report.relative(["/a/1.wav", "b/2.wav"]) == ["1.wav", "2.wav"]
    assert report.relative(["", ""]) == ["", ""]
    assert report.relative([]) == []


def test_per_speaker_normalisation_is_said_on_the_page(tmp_path):
    page = Page(report.write(made(normalise="speaker"), tmp_path / "marked"))
    assert "protocol: held-out; per-speaker normalisation: uses the test speaker's unlabelled clips." in page.text
    assert "without a look at their labels" in page.text
    assert json.loads((tmp_path / "marked" / "report.json").read_text())["normalise"] == "speaker"
    assert "unlabelled" not in Page(report.write(made(), tmp_path / "plain")).text


# --- a comparison --------------------------------------------------------------------------------------------------


def peer(name, sure, **options):
    """A peer whose answers are drawn, and right the more often the surer it is."""

    def answer(table):
        test, labels = table[table.role == "test"].reset_index(drop=True), sorted(set(table.label))
        p = np.random.default_rng(0).dirichlet(np.ones(len(labels)), len(test))
        p[np.arange(len(test)), [labels.index(label) for label in test.label]] += sure
        return pd.concat([test, pd.DataFrame(p / p.sum(axis=1, keepdims=True), columns=labels)], axis=1)

    return Peer(name=name, title=name, answer=answer, **options)


@pytest.mark.parametrize("several", [True, False])
def test_a_comparison_is_a_page_with_tables(tmp_path, several):
    rows = itertools.product("AB", "abcdef", ("happy", "sad"), "12")
    index = pd.DataFrame(rows, columns=["speaker", "text", "label", "take"]).assign(corpus="sample")
    index["speech"] = index["digest"] = index.speaker + index.text + index.label + index["take"]
    systems = [peer(EVIL.replace("/", ""), 2), peer("plain", 0.2, normalise="speaker")][: 1 + several]
    result = compare(index, systems, splits=["random", "speaker"], root=tmp_path / "runs", jobs=1)
    page = Page(report.write_comparison(result, tmp_path / "report"))
    assert {path.name for path in (tmp_path / "report").rglob("*.*")} == {
        "comparison.html",
        "comparison.json",
        "table.csv",
        "neighbours.csv",
        "accuracy.png",
    }
    assert "script" not in page.tags and EVIL.replace("/", "") in page.text
    assert page.tags.count("img") == 1 and page.tags.count("tr") == 1 + 2 * len(systems) + several * 3
    assert report.READINGS["speaker"] in page.text and report.READINGS["random"] in page.text
    assert "synthetic speech" in page.text
    assert ("test speaker's unlabelled clips" in page.text) == several
    assert ("There is one recipe only." in page.text) != several
    table = pd.read_csv(tmp_path / "report" / "table.csv")
    np.testing.assert_allclose(table["uar"], result.table["uar"], atol=1e-5)
    for value in result.table["uar"]:
        assert f"{100 * value:.1f} [" in page.text
    told = json.loads((tmp_path / "report" / "comparison.json").read_text())
    assert len(told["rows"]) == 2 * len(systems)
