"""serlib.widgets.apps: the model that the live page takes, and what the page says of it."""

import os
import shutil
from dataclasses import replace

import pytest

from serlib import widgets
from serlib.models import recipes
from serlib.utils import SerlibError
from serlib.widgets.apps import RECIPE, THRESHOLD


@pytest.fixture
def checkout(home, live_run, voices_run, monkeypatch):
    """A home with two runs, the newer of which must know the speaker first."""
    monkeypatch.delenv("SERLIB_RUN", raising=False)
    for age, run in ((100, live_run), (0, voices_run)):
        folder = home / "checkpoints" / run.folder.name
        shutil.copytree(run.folder, folder)
        os.utime(folder, (folder.stat().st_mtime - age,) * 2)
    (home / "checkpoints" / "killed.partial").mkdir()
    return home


def test_the_newest_run_that_answers_for_anybody(checkout, live_run, monkeypatch):
    assert widgets.ready().run.folder == checkout / "checkpoints" / live_run.folder.name
    assert widgets.ready(live_run.folder).run.folder == live_run.folder
    monkeypatch.setenv("SERLIB_RUN", str(live_run.folder))
    assert widgets.ready().run.folder == live_run.folder


def test_the_run_that_was_asked_for_is_missing(checkout, monkeypatch):
    monkeypatch.setenv("SERLIB_RUN", str(checkout / "nothing"))
    with pytest.raises(SerlibError, match="nothing is not a finished run"):
        widgets.ready()


def test_without_a_run_one_is_trained_and_then_kept(home, tiny_recipe, tone_corpus, monkeypatch, capsys):
    monkeypatch.delenv("SERLIB_RUN", raising=False)
    monkeypatch.setenv("SERLIB_CORPUS", "tess")
    tone_corpus(home / "data" / "tess", words=6)
    monkeypatch.setitem(recipes.RECIPES, RECIPE, replace(tiny_recipe, epochs=2))
    trained = widgets.ready()
    assert trained.run.folder == home / "checkpoints" / "app"
    assert "No model has been trained here yet" in capsys.readouterr().out
    assert widgets.ready().run.folder == trained.run.folder
    assert not capsys.readouterr().out


def test_what_it_has_learned_from(live_run):
    said = widgets.learned(live_run)
    known = (live_run.split.role == "train").sum()
    assert f"{known} recordings of 2 voices: Toronto Emotional Speech Set" in said
    assert "synthetic" not in said and "human" not in said
    sample = replace(live_run, info={**live_run.info, "corpora": ["sample"]})
    assert "2 synthetic voices" in widgets.learned(sample) and "never heard a human being" in widgets.learned(sample)


def test_who_the_voices_are(live_run):
    two = live_run.split.assign(speaker="01", corpus=["tess", "ravdess"] * (len(live_run.split) // 2))
    assert "of 2 voices" in widgets.learned(replace(live_run, split=two))
    other = widgets.learned(replace(live_run, info={**live_run.info, "corpora": ["another"]}))
    assert ": another. " in other and "human being" not in other
    nobody = replace(live_run, split=live_run.split.assign(speaker="unknown"))
    assert "of voices that are not named" in widgets.learned(nobody)


def test_the_page(live_run):
    shown = widgets.app(live_run.folder)
    recognizer = shown.live.microphone._listener.recognizer
    assert recognizer.threshold == shown.threshold.value == THRESHOLD
    shown.threshold.value = 0.9
    assert recognizer.threshold == 0.9
    assert "pleasant surprise" in shown.children[-1].value and "tiny-whole" in shown.children[-1].value
