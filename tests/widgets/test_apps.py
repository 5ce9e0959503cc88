"""serlib.widgets.apps: the model that the live page takes, and what the page says of it."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from serlib import widgets
from serlib.training.run import RELEASED
from serlib.utils import SerlibError
from serlib.widgets.apps import THRESHOLD


def test_the_released_model_unless_another_is_asked_for(home, live_run, monkeypatch):
    monkeypatch.delenv("SERLIB_RUN", raising=False)
    shutil.copytree(live_run.folder, home / "checkpoints" / "newest")  # knows fewer people, so it is not taken
    released = widgets.ready()
    assert released.run.folder == RELEASED
    assert "5921 recordings of 33 voices" in widgets.learned(released.run)
    assert "never heard a human being" not in widgets.learned(released.run)
    assert widgets.ready(live_run.folder).run.folder == live_run.folder
    monkeypatch.setenv("SERLIB_RUN", str(live_run.folder))
    assert widgets.ready().run.folder == live_run.folder


def test_the_run_that_was_asked_for_is_missing(home, monkeypatch):
    monkeypatch.setenv("SERLIB_RUN", str(home / "nothing"))
    with pytest.raises(SerlibError, match="nothing is not a finished run"):
        widgets.ready()


def test_what_it_has_learned_from(live_run):
    said = widgets.learned(live_run)
    known = (live_run.split.role == "train").sum()
    assert f"{known} recordings of 2 voices: Toronto Emotional Speech Set" in said
    assert "synthetic" not in said and "human" not in said
    sample = replace(live_run, split=live_run.split.assign(corpus="sample"))
    assert "2 synthetic voices" in widgets.learned(sample) and "never heard a human being" in widgets.learned(sample)


def test_a_corpus_that_was_held_out_was_not_learned_from(live_run):
    is_test = live_run.split.role == "test"
    split = live_run.split.assign(corpus=["tess" if test else "sample" for test in is_test])
    said = widgets.learned(replace(live_run, info={**live_run.info, "corpora": ["sample", "tess"]}, split=split))
    assert "Toronto" not in said and "never heard a human being" in said


def test_who_the_voices_are(live_run):
    two = live_run.split.assign(speaker="01", corpus=["tess", "ravdess"] * (len(live_run.split) // 2))
    assert "of 2 voices" in widgets.learned(replace(live_run, split=two))
    other = widgets.learned(replace(live_run, split=live_run.split.assign(corpus="another")))
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


def test_the_released_model_needs_no_tensorflow(home):
    code = "import sys; from serlib import widgets; widgets.app(); print(sys.modules.keys() & {'tensorflow', 'keras'})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
