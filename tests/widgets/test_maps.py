"""serlib.widgets.maps: every clip is where its point is, says who it is, and is the one that a click plays."""

import json

import numpy as np
import pytest

from serlib import plots
from serlib.utils import SerlibError
from serlib.widgets import clip_map
from serlib.widgets.maps import SYMBOLS, drawing_of, symbols_of


@pytest.fixture
def points(tone_index, rng):
    return rng.normal(size=(len(tone_index), 2))


def test_every_clip_is_at_its_point_in_its_colour(tone_index, points):
    traces = drawing_of(tone_index, points, ("one", "two"), "title")["data"][:7]
    assert [trace["name"] for trace in traces] == ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]
    assert sorted(row for trace in traces for row in trace["customdata"]) == list(range(len(tone_index)))
    for trace in traces:
        rows = trace["customdata"]
        assert trace["marker"]["color"] == plots.COLOURS[trace["name"]]
        assert (tone_index.label.iloc[rows] == trace["name"]).all()
        assert np.array_equal(np.column_stack([trace["x"], trace["y"]]), points[rows])
        for row, symbol, text in zip(rows, trace["marker"]["symbol"], trace["text"], strict=True):
            clip = tone_index.iloc[row]
            assert symbol == {"OAF": "circle", "YAF": "triangle-up"}[clip.speaker]
            assert text == f"{clip.speaker}: {clip.text}, {clip.label}<br>{clip.speech.split('/')[-1]}"


def test_many_speakers_have_no_symbols_of_their_own(tone_index, points):
    assert symbols_of(tone_index) == {"OAF": "circle", "YAF": "triangle-up"}
    crowd = tone_index.assign(speaker=[f"s{i % 7}" for i in range(len(tone_index))])
    assert len(SYMBOLS) < 7 and symbols_of(crowd) == {}
    traces = drawing_of(crowd, points, ("one", "two"), "title")["data"][:7]
    assert {symbol for trace in traces for symbol in trace["marker"]["symbol"]} == {"circle"}
    assert symbols_of(tone_index[tone_index.speaker == "OAF"]) == {}


def test_the_drawing_is_json_with_a_ring_and_a_legend(tone_index, points):
    figure = json.loads(json.dumps(drawing_of(tone_index, points, ("one", "two"), "<b> & co")))
    data, layout = figure["data"], figure["layout"]
    assert {trace["type"] for trace in data} == {"scattergl"}
    assert [trace["name"] for trace in data[7:-1]] == [*(trace["name"] for trace in data[:7]), "OAF", "YAF"]
    assert not any(trace["showlegend"] for trace in data[:7])
    assert {trace["marker"]["symbol"] for trace in data[7:14]} == {"circle"}
    assert data[-1]["marker"]["symbol"] == "circle-open" and not data[-1]["showlegend"]
    assert layout["xaxis"]["title"]["text"] == "one" and layout["yaxis"]["title"]["text"] == "two"
    assert "&lt;b&gt; &amp; co" in layout["title"]["text"]


def test_a_click_shows_and_plays_the_clip(tone_index, points):
    shown = clip_map(tone_index, points, title="Tones")
    assert shown.scope.clip["title"] == "OAF: back, angry" or shown.points.chosen == 0
    row = 40
    clip = tone_index.iloc[row]
    shown.points.set_trait("chosen", row)
    assert shown.scope.clip["title"] == f"{clip.speaker}: {clip.text}, {clip.label}"
    assert shown.scope.clip["colour"] == plots.style.line_colour(clip.label)
    assert not shown.scope.playing
    shown.points.set_trait("clicks", 1)
    assert shown.scope.playing and shown.scope.position_s == 0


def test_plotly_travels_with_the_widget_beside_a_small_script(tone_index, points):
    shown = clip_map(tone_index, points).points
    assert shown.library.lstrip("/*! \n").startswith("plotly.js v")
    assert len(str(shown._esm)) < 5000  # anywidget gives it two seconds


def test_the_sample_says_so(tone_index, points):
    figure = clip_map(tone_index.assign(corpus="sample"), points, title="Tones").points.figure
    assert "synthetic sample speech" in figure["layout"]["title"]["text"]


def test_points_of_other_clips_are_refused(tone_index, points):
    with pytest.raises(SerlibError, match="one point a clip"):
        clip_map(tone_index, points[:-1])
