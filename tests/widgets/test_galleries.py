"""serlib.widgets.galleries: the clips of a cell, what a threshold costs, what drove an answer; the widget."""

import re

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from serlib import evaluation
from serlib.evaluation.attribution import Occlusion
from serlib.widgets import confused, gallery
from serlib.widgets.galleries import abstained, answered, bars, drove


@pytest.fixture(scope="module")
def report(tiny_run, tone_table):
    """Of every tone, seen or not: the tiny recipe makes some errors and many right answers."""
    return evaluation.evaluate(tiny_run, tone_table, allow_seen=True, resamples=20)


@pytest.fixture
def shown(report, tiny_run, tone_table):
    return gallery(report, tiny_run, index=tone_table)


@pytest.mark.parametrize("threshold", [0, 0.3, 0.6, 1.01])
def test_the_cells_are_scikit_learns_confusion_matrix(report, threshold):
    table = report.predictions[report.predictions.confidence >= threshold]
    theirs = np.zeros((7, 7), int)
    if len(table):
        theirs = confusion_matrix(table.label, table.predicted, labels=report.labels)
    assert answered(report, threshold) == theirs.tolist()


def test_a_cell_holds_its_clips_by_confidence(report):
    counts = np.array(report.confusion)
    i, j = np.unravel_index(counts.argmax(), counts.shape)
    found = confused(report, report.labels[i], report.labels[j])
    assert len(found) == counts[i, j] > 1
    assert (found.label == report.labels[i]).all() and (found.predicted == report.labels[j]).all()
    assert found.confidence.is_monotonic_decreasing
    assert (report.predictions.loc[found.index] == found).all(axis=None)
    other = confused(report, report.labels[i], report.labels[j], surest_first=False)
    assert other.confidence.is_monotonic_increasing and set(other.index) == set(found.index)
    middle = found.confidence.median()
    assert (confused(report, *found.iloc[0][["label", "predicted"]], threshold=middle).confidence >= middle).all()


def test_what_a_threshold_costs(report):
    table = report.predictions[report.predictions.confidence >= 0.4]
    right = accuracy_score(table.label, table.predicted)
    said = abstained(report, 0.4)
    assert f"{len(table) / len(report.predictions):.0%} of {len(report.predictions)} clips" in said
    assert f"{right:.0%} of these answers" in said
    assert "No answer" in abstained(report, 1.01)
    assert abstained(report, 0).startswith(f"It always answers: {report.accuracy:.0%} of {len(report.predictions)}")


def test_the_bars_are_the_probabilities(report):
    clip = report.predictions.iloc[0]
    page = bars(clip, report.labels)
    widths = [int(w) for w in re.findall(r"<div style=\"width: (\d+)px", page)]
    assert widths == [round(200 * clip[label]) for label in report.labels]
    assert page.count("meant") == page.count("heard") == 1


def occluded(windows, bands):
    edges = np.linspace(0, 1, len(windows) + 1), np.linspace(0, 8000, len(bands) + 1)
    return Occlusion(0, 0.9, *edges, np.outer(windows, bands), np.array(windows), np.array(bands))


def test_what_drove_it_in_words():
    said = drove(occluded([0.0, 0.3, -0.5, 0.1], [0.002, 0.005]))
    assert "90 points" in said and "30 points without 0.25 to 0.50 s" in said and "Hz" not in said
    assert "12 points without 4000 to 8000 Hz" in drove(occluded([0.0, 0.3], [0.1, 0.12]))
    assert "No single stretch" in drove(occluded([0.0, -0.3], [0.002, 0.005]))


# --- the widget ----------------------------------------------------------------------------------------------------


def test_it_begins_with_the_commonest_error(shown, report):
    counts = np.array(report.confusion)
    wrong = np.where(np.eye(7, dtype=bool), 0, counts)
    i, j = shown.matrix.chosen
    assert wrong[i, j] == wrong.max() or not wrong.any()
    assert shown.matrix.counts == report.confusion
    assert len(shown.clips.options) == counts[i, j]


def test_a_click_on_a_cell_lists_its_clips_and_shows_the_surest(shown, report):
    i, j = next((i, j) for i, j in np.argwhere(report.confusion) if [i, j] != shown.matrix.chosen)
    shown.matrix.chosen = [int(i), int(j)]
    found = confused(report, report.labels[i], report.labels[j])
    assert [row for _, row in shown.clips.options] == list(found.index)
    assert shown.clips.value == found.index[0]
    clip = found.iloc[0]
    assert shown.scope.clip["title"].startswith(f"{clip.speaker}: {clip.text}, meant {clip.label}, heard as ")
    assert f"{clip[clip.predicted]:.0%}" in shown.answer.value
    # without an event loop the occlusion has been done at once
    assert "points" in shown.says.value or "No single stretch" in shown.says.value
    assert bool(shown.scope.overlay) == (abs(shown._found[shown.clips.value].pieces).max() >= 0.01)


def test_the_order_can_be_turned_round(shown, report):
    shown.matrix.chosen = [int(k) for k in np.unravel_index(np.argmax(report.confusion), (7, 7))]
    rows = [row for _, row in shown.clips.options]
    shown.order.value = False
    assert [row for _, row in shown.clips.options] == rows[::-1]


def test_the_threshold_thins_matrix_and_list(shown, report):
    shown.matrix.chosen = [int(k) for k in np.unravel_index(np.argmax(report.confusion), (7, 7))]
    before = len(shown.clips.options)
    confidence = report.predictions.loc[[row for _, row in shown.clips.options], "confidence"]
    shown.threshold.value = round(float(confidence.median()), 2)
    assert shown.matrix.counts == answered(report, shown.threshold.value)
    assert 0 < len(shown.clips.options) < before
    assert abstained(report, shown.threshold.value) == re.sub("<[^>]+>", "", shown.abstains.value)
    row = evaluation.abstaining(report, thresholds=[shown.threshold.value]).iloc[0]
    assert f"confidence {row.coverage:.0%} answered and {row.accuracy:.0%} right" in shown.curve.value
    shown.threshold.value = 1.0
    assert not len(shown.clips.options) or report.predictions.confidence.max() == 1


def test_a_run_that_normalises_by_speaker(report, tiny_run, tone_table):
    import dataclasses

    from serlib import audio
    from serlib.evaluation import attribution
    from serlib.features import normalisation
    from serlib.utils import SerlibError

    recipe = {**tiny_run.info["recipe"], "normalise": "speaker"}
    run = dataclasses.replace(tiny_run, info={**tiny_run.info, "recipe": recipe})
    with pytest.raises(SerlibError, match="voice"):
        attribution.answers(run)
    values, voices = normalisation.inputs(tone_table, run.spec, "speaker")
    clip = tone_table.iloc[5]
    ask = attribution.answers(run, voice=voices[f"{clip.corpus}/{clip.speaker}"])
    assert np.allclose(ask([audio.load(clip.speech)[0]], 16000), run.probabilities(values[5:6]), atol=1e-4)
    assert gallery(report, run, index=tone_table).says.value
