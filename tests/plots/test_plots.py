"""serlib.plots: what is drawn is what was given, every figure describes itself, colours can be told apart."""

import dataclasses
import io
import itertools
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from serlib import evaluation, plots
from serlib.evaluation.attribution import Occlusion
from serlib.features import FeatureSpec
from serlib.plots import results, style
from serlib.utils import LABELS, ROLES, SerlibError


def clips(truth, **columns):
    """Clips by their true labels, and what else is known of them."""
    return pd.DataFrame({"label": truth, **columns})


RATE_HZ = 16000


@pytest.fixture
def tone(sine):
    return sine(440.0, duration_s=0.5, rate_hz=RATE_HZ)


@pytest.fixture
def index(rng):
    """140 clips in the shape of TESS."""
    rows = [(label, speaker, f"word{i}") for label in LABELS[:7] for speaker in ("OAF", "YAF") for i in range(10)]
    table = pd.DataFrame(rows, columns=["label", "speaker", "text"]).assign(corpus="tess")
    table["duration_s"], table["f0_hz"] = rng.normal(2, 0.2, len(table)), rng.normal(200, 30, len(table))
    table["loudness_db"], table["role"] = rng.normal(-25, 3, len(table)), rng.choice(ROLES, len(table))
    return table[table.index != 3]  # one angry clip is missing


@pytest.fixture
def report(rng):
    truth = np.repeat(LABELS[:7], 12)
    z = rng.normal(size=(84, 7))
    z[np.arange(84), np.repeat(np.arange(7), 12)] += 2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    speakers = np.tile(["OAF", "YAF"], 42)
    return evaluation.score(
        clips(truth, speaker=speakers, corpus="tess"),
        p,
        LABELS[:7],
        conditions=evaluation.Conditions(split="random"),
        resamples=100,
    )


HISTORY = {
    "loss": [2.0, 1.0, 0.5],
    "accuracy": [0.2, 0.5, 0.9],
    "val_loss": [1.9, 0.8, 1.1],
    "val_accuracy": [0.3, 0.7, 0.6],
}


def comparison_table(corpora="tess"):
    """Two recipes under two splits, one of them normalised per speaker and one reported."""
    rows = [
        {"recipe": recipe, "split": split, "accuracy": x, "accuracy_low": x - 0.1, "accuracy_high": x + 0.05}
        for recipe, split, x in (
            ("lstm", "random", 0.9),
            ("conv", "random", 0.8),
            ("conv", "speaker", 0.5),
            ("lstm", "speaker", 0.4),
        )
    ]
    table = pd.DataFrame(rows).assign(corpora=corpora, classes=7, reported=[0.95, np.nan, np.nan, np.nan])
    table = table.assign(normalise=["speaker" if name == "conv" else "none" for name in table["recipe"]])
    return table.assign(uar=table.accuracy - 0.1, uar_low=table.accuracy - 0.2, uar_high=table.accuracy)


OCCLUDED = Occlusion(
    answer=6,
    probability=0.8,
    edges_s=np.linspace(0, 0.5, 5),
    edges_hz=np.array([0, 700, 2500, 8000]),
    pieces=np.array([[0.0, 0.1, 0.0], [0.4, -0.2, 0.0], [0.0, 0.0, 0.0], [0.0, 0.05, 0.0]]),
    windows=np.array([0.1, 0.3, 0.0, -0.05]),
    bands=np.array([0.5, -0.1, 0.0]),
)

NO_FIGURES = {"COLOURS", "ROLE_COLOURS", "Picture", "alt", "colour", "honest", "png", "show"}
NO_FIGURES |= {"corpus", "page", "results", "sound", "steps", "style"}  # the modules


@pytest.fixture
def gallery(tone, index, report, rng):
    """Every figure: name -> a call that draws it, with `ax` where it takes one."""
    weights = np.eye(8, 33)
    single = {
        "counts": lambda **o: plots.counts(index, **o),
        "durations": lambda **o: plots.durations(index, **o),
        "roles": lambda **o: plots.roles(index, **o),
        "embedding": lambda **o: plots.embedding(rng.normal(size=(139, 2)), index.label, speakers=index.speaker, **o),
        "waveplot": lambda **o: plots.waveplot(tone, RATE_HZ, label="sad", **o),
        "spectrogram": lambda **o: plots.spectrogram(tone, RATE_HZ, **o),
        "linear": lambda **o: plots.spectrogram(tone, RATE_HZ, mel=False, **o),
        "mfcc": lambda **o: plots.mfcc(rng.normal(size=(30, 13)), hop_s=0.01, **o),
        "gates": plots.gates,
        "framing": lambda **o: plots.framing(tone, RATE_HZ, frame=400, hop=160, **o),
        "spectrum": lambda **o: plots.spectrum(rng.normal(size=33), RATE_HZ, **o),
        "filters": lambda **o: plots.filters(weights, RATE_HZ, **o),
        "bands": lambda **o: plots.bands(rng.normal(size=20), also={"smooth": np.zeros(20)}, **o),
        "coefficients": lambda **o: plots.coefficients(rng.normal(size=13), spread=np.ones(13), **o),
        "confusion": lambda **o: plots.confusion(report, **o),
        "recall_bars": lambda **o: plots.recall_bars(report, **o),
        "per_speaker": lambda **o: plots.per_speaker(report, **o),
        "speaker_recall": lambda **o: plots.speaker_recall(report, **o),
        "abstaining": lambda **o: plots.abstaining(report, **o),
        "splits_compared": lambda **o: plots.splits_compared({"random": report, "again": report}, **o),
        "similarity": lambda **o: plots.similarity(
            pd.DataFrame(np.eye(3), list("abc"), list("abc")), one="OAF", other="YAF", **o
        ),
        "recipes_compared": lambda **o: plots.recipes_compared(comparison_table(), **o),
    }
    several = {
        "augmented": lambda: plots.augmented({f"way {i}": rng.normal(size=(20 + i, 16)) for i in range(5)}, hop_s=0.01),
        "pitch_and_loudness": lambda: plots.pitch_and_loudness(index),
        "contours": lambda: plots.contours(
            tone, RATE_HZ, f0_hz=np.full(50, 440.0), loudness_db=np.full(50, -9.0), hop_s=0.01
        ),
        "portrait": lambda: plots.portrait(tone, RATE_HZ, label="fear"),
        "one_word": lambda: plots.one_word({"sad": (tone, RATE_HZ), "happy": (tone[:4000], RATE_HZ)}),
        "windowing": lambda: plots.windowing(tone[:400], np.hanning(400), RATE_HZ),
        "cosines": lambda: plots.cosines(np.eye(6, 20)),
        "curves": lambda: plots.curves(HISTORY),
        "features": lambda: plots.features(rng.normal(size=(30, 41)), FeatureSpec(kinds=("mfcc", "rms"))),
        "features of a voice": lambda: plots.features(rng.normal(size=(30, 2)), FeatureSpec(kinds=("pitch", "voiced"))),
        "reliability": lambda: plots.reliability(report),
        "occlusion": lambda: plots.occlusion(tone, RATE_HZ, OCCLUDED, answer="sad"),
        "mfcc_steps": lambda: plots.mfcc_steps(
            rng.normal(size=(30, 513)), rng.normal(size=(30, 64)), rng.normal(size=(30, 13)), FeatureSpec(n_mels=64)
        ),
    }
    return single, several


def test_every_figure_is_whole_names_its_axes_and_describes_itself(gallery):
    single, several = gallery
    for name, draw in (single | several).items():
        figure = draw()
        assert isinstance(figure, Figure), name
        figure.draw_without_rendering()
        page, needed = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
        assert page.x0 - 1 <= needed.x0 and needed.x1 <= page.x1 + 1, f"{name}: cut off at a side"
        assert page.y0 - 1 <= needed.y0 and needed.y1 <= page.y1 + 1, f"{name}: cut off above or below"
        assert figure.get_suptitle() or any(ax.get_title(loc="left") for ax in figure.axes), name
        measured = [ax for ax in figure.axes if ax.axison]  # a diagram has no axes to name
        assert measured or name == "gates", name
        for ax in measured:
            shared = ax.get_shared_x_axes().get_siblings(ax)
            assert any(other.get_xlabel() for other in shared) or ax.get_label() == "<colorbar>", name
        assert any(ax.get_ylabel() for ax in measured) or not measured, name
        said = plots.alt(figure)
        assert len(said.split()) >= 8, name
        assert said.endswith("."), name
        assert not measured or re.search(r"\d", said), f"{name}: the description holds no data"
    assert set(single) | set(several) == set(plots.__all__) - NO_FIGURES | {"linear", "features of a voice"}


def test_every_single_figure_draws_on_given_axes(gallery):
    for name, draw in gallery[0].items():
        ax = Figure().subplots()
        assert draw(ax=ax, title="my title") is ax, name
        assert ax.get_title(loc="left").startswith("my title"), name
        assert plots.alt(ax) == plots.alt(ax.figure), name


# --- what is drawn is what was given -------------------------------------------------------------------------------


def heights(ax):
    return [patch.get_height() for patch in ax.patches]


def test_counts(index):
    ax = plots.counts(index).axes[0]
    assert heights(ax) == [9, 10, 10, 10, 10, 10, 10] + [10] * 7  # OAF, then YAF on top
    assert [patch.get_y() for patch in ax.patches[7:]] == heights(ax)[:7]
    assert [t.get_text() for t in ax.get_xticklabels()] == list(LABELS[:7])
    assert "139 clips of 2 speakers" in plots.alt(plots.counts(index))
    assert "angry 19, disgust 20" in plots.alt(plots.counts(index))
    faces = [matplotlib.colors.to_hex(patch.get_facecolor()) for patch in ax.patches[:7]]
    assert faces == [plots.COLOURS[label] for label in LABELS[:7]]


def test_counts_of_many_speakers(index):
    many = index.assign(speaker=[f"{i % 24:02d}" for i in range(len(index))])
    ax = plots.counts(many).axes[0]
    assert sum(heights(ax)) == 139
    assert ax.get_legend() is None


def test_durations_are_boxes_of_each_emotion_and_speaker(index):
    ax = plots.durations(index).axes[0]
    boxes = [patch for patch in ax.patches]
    assert len(boxes) == 14
    angry = index[(index.label == "angry") & (index.speaker == "OAF")].duration_s
    low, high = boxes[0].get_path().vertices[:, 1].min(), boxes[0].get_path().vertices[:, 1].max()
    assert (low, high) == pytest.approx((angry.quantile(0.25), angry.quantile(0.75)))
    assert f"angry {index[index.label == 'angry'].duration_s.median():.2f} s" in plots.alt(plots.durations(index))


def test_pitch_without_a_voice_is_left_out(index):
    table = index.assign(f0_hz=index.f0_hz.where(index.label != "sad"))
    figure = plots.pitch_and_loudness(table)
    assert [len(ax.patches) for ax in figure.axes] == [12, 14]


def test_waveplot_draws_the_samples_in_the_colour_of_the_emotion(tone):
    line = plots.waveplot(tone, RATE_HZ, label="sad").axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), tone)
    np.testing.assert_allclose(line.get_xdata(), np.arange(len(tone)) / RATE_HZ)
    assert line.get_color() == plots.COLOURS["sad"]
    assert "0.50 s at 16000 Hz" in plots.alt(plots.waveplot(tone, RATE_HZ))


@pytest.mark.parametrize("mel", [True, False])
def test_spectrogram_is_brightest_at_the_tone(tone, mel):
    import librosa

    ax = plots.spectrogram(tone, RATE_HZ, mel=mel, frame=2048, hop=256).axes[0]
    image = ax.images[0]
    db, (x0, x1, y0, y1) = image.get_array(), image.get_extent()
    assert (x0, x1) == (0, 0.5)
    at = y0 + (y1 - y0) * (db[:, db.shape[1] // 2].argmax() + 0.5) / len(db)
    assert (librosa.mel_to_hz(at) if mel else at) == pytest.approx(440, abs=40)
    assert db.max() == pytest.approx(0)
    assert db.min() >= -80
    assert "Hz" in ax.get_ylabel()


def test_spectrogram_of_silence():
    assert plots.png(plots.spectrogram(np.zeros(4000, np.float32), RATE_HZ))


def test_contour_lies_on_the_tone(tone):
    import librosa

    figure = plots.contours(tone, RATE_HZ, f0_hz=[0, 440, np.nan], loudness_db=[-60, -9, -9], hop_s=0.1)
    pitch, loudness = figure.axes[0].lines[0], figure.axes[1].lines[0]
    np.testing.assert_allclose(pitch.get_ydata(), [np.nan, librosa.hz_to_mel(440), np.nan])
    np.testing.assert_allclose(loudness.get_ydata(), [-60, -9, -9])
    assert "440 to 440 Hz" in plots.alt(figure)


def test_one_word_comes_in_the_order_of_the_vocabulary(tone):
    figure = plots.one_word({"sad": (tone, RATE_HZ), "angry": (2 * tone[:4000], RATE_HZ)})
    assert [ax.get_ylabel() for ax in figure.axes[:3:2]] == ["angry", "sad"]
    assert "shortest angry (0.25 s), longest sad (0.50 s), loudest angry" in plots.alt(figure)


def test_mfcc_scales_colours_without_the_0th(rng):
    values = rng.normal(size=(30, 13))
    values[:, 0] = -500
    image = plots.mfcc(values).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), values.T)
    assert image.get_clim()[1] < 5
    np.testing.assert_array_equal(plots.mfcc(values, first=1).axes[0].images[0].get_array(), values[:, 1:].T)


def test_steps_draw_their_arrays(tone, rng):
    window = np.hanning(400)
    windowed = plots.windowing(tone[:400], window, RATE_HZ).axes[2].lines[0].get_ydata()
    np.testing.assert_allclose(windowed, tone[:400] * window)
    level = rng.normal(size=33)
    line = plots.spectrum(level, RATE_HZ).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), level)
    assert line.get_xdata()[-1] == RATE_HZ / 2
    assert len(plots.filters(np.eye(8, 33), RATE_HZ, every=2).axes[0].lines) == 4
    bars = plots.bands(level).axes[0].patches
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in bars], level)
    basis = rng.normal(size=(40, 20))
    np.testing.assert_array_equal(plots.cosines(basis, n=4).axes[3].lines[1].get_ydata(), basis[3])
    stems = plots.coefficients(level, first=1).axes[0].lines[1]
    np.testing.assert_array_equal(stems.get_ydata(), level[1:])
    assert stems.get_xdata()[0] == 1
    wave = plots.framing(tone, RATE_HZ, frame=400, hop=160, first=2, n=3).axes[0].lines[0]
    np.testing.assert_array_equal(wave.get_ydata(), tone[320 : 320 + 720])


def test_features_draw_each_kind_in_its_row_on_one_time_axis(rng):
    spec = FeatureSpec(kinds=("rms", "chroma", "f0"), rate_hz=16000, hop=160)
    rows = rng.normal(size=(30, 14))
    loudness, chroma, pitch = plots.features(rows, spec).axes
    np.testing.assert_array_equal(loudness.lines[0].get_ydata(), rows[:, 0])
    np.testing.assert_array_equal(chroma.images[0].get_array(), rows[:, 1:13].T)
    np.testing.assert_array_equal(pitch.lines[0].get_ydata(), rows[:, 13])
    np.testing.assert_allclose(pitch.lines[0].get_xdata(), 0.01 * np.arange(30))
    left, right = chroma.images[0].get_extent()[:2]
    assert (left, right) == pytest.approx((-0.005, 0.295))  # a frame is centred on its time


@pytest.mark.parametrize(("kind", "columns"), [("whisper", 80), ("states", 384)])
def test_what_whisper_hears_and_thinks_has_a_look(rng, kind, columns):
    more = {"encoder": "whisper-tiny", "layers": (2,)} if kind == "states" else {"frame": 400, "hop": 160, "n_mels": 80}
    spec = FeatureSpec(kinds=(kind,), rate_hz=16000, **more)
    (ax,) = plots.features(rng.normal(size=(30, columns)), spec).axes
    assert ax.images[0].get_array().shape == (columns, 30)


def test_curves_mark_the_best_epoch():
    figure = plots.curves(HISTORY)
    left, right = figure.axes
    assert left.lines[1].get_ydata().tolist() == HISTORY["val_loss"]
    assert right.lines[0].get_ydata().tolist() == pytest.approx([20, 50, 90])
    assert left.lines[2].get_xdata() == [2, 2]
    assert "best val_loss in epoch 2" in plots.alt(figure)
    bare = plots.curves(pd.DataFrame({"epoch": [5, 6], "loss": [2.0, 1.0], "accuracy": [0.1, 0.2]}))
    assert bare.axes[0].lines[0].get_xdata().tolist() == [5, 6]
    assert len(bare.axes[0].lines) == 1


def test_confusion_is_in_per_cent_of_the_row_with_counts():
    p = np.eye(3)[[0, 0, 0, 1, 1]]
    figure = plots.confusion(evaluation.score(["a", "a", "a", "a", "b"], p, ["a", "b", "c"]))
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.images[0].get_array(), [[75, 25, 0], [0, 100, 0], [0, 0, 0]])
    assert [text.get_text() for text in ax.texts[:6]] == ["75 %\n3", "25 %\n1", "·", "·", "100 %\n1", "·"]
    assert "most often mistaken: a for b, 25 %" in plots.alt(figure)
    assert ax.texts[0].get_color() == "white"  # on dark blue
    assert ax.texts[1].get_color() != "white"


def test_recall_bars(report):
    ax = plots.recall_bars(report).axes[0]
    np.testing.assert_allclose(heights(ax), 100 * report.per_class["recall"])
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([s[0, 1] for s in segments], 100 * report.per_class["recall_low"])
    np.testing.assert_allclose([s[1, 1] for s in segments], 100 * report.per_class["recall_high"])


def test_recall_bars_leave_out_what_does_not_occur():
    one = evaluation.score(["a", "a"], [[1, 0], [1, 0]], ["a", "b"])
    assert heights(plots.recall_bars(one).axes[0]) == [100]


def test_speakers(report):
    ax = plots.per_speaker(report).axes[0]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx(sorted(100 * report.per_speaker["accuracy"]))
    grid = plots.speaker_recall(report).axes[0].images[0].get_array()
    np.testing.assert_allclose(grid, 100 * report.speaker_recall)
    nobody = evaluation.score(["a"], [[1, 0]], ["a", "b"])
    for draw in (plots.per_speaker, plots.speaker_recall):
        with pytest.raises(SerlibError, match="names no speaker"):
            draw(nobody)


def test_reliability(report):
    figure = plots.reliability(report)
    table = report.reliability[report.reliability["n"] > 0]
    assert heights(figure.axes[0])[: len(table)] == pytest.approx((100 * table["accuracy"]).tolist())
    assert heights(figure.axes[1]) == table["n"].tolist()
    assert f"{100 * report.ece:.1f} %" in plots.alt(figure)


def test_abstaining(report):
    line = plots.abstaining(report).axes[0].lines[0]
    assert line.get_xdata()[0] == 100
    assert line.get_ydata()[0] == pytest.approx(100 * report.accuracy)


def test_splits_compared(report):
    figure = plots.splits_compared({"random": report, "speaker": report}, metric="uar")
    assert heights(figure.axes[0]) == pytest.approx([100 * report.uar] * 2)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["random", "speaker"]
    assert "UAR" in figure.axes[0].get_ylabel()
    assert figure.axes[0].get_xlabel() == "Split"
    by_speaker = dataclasses.replace(report, normalise="speaker")
    marked = plots.splits_compared({"plain": report, "by speaker": by_speaker}).axes[0]
    assert [t.get_text() for t in marked.get_xticklabels()] == ["plain", "by speaker *"]
    assert marked.get_xlabel() == "Split\n* per-speaker normalisation:\nuses the test speaker's unlabelled clips"
    assert heights(marked) == pytest.approx([100 * report.accuracy] * 2)


def strokes(ax):
    """Where something reported is marked."""
    size = results.REPORTED["markersize"]
    return [float(x) for line in ax.lines if line.get_markersize() == size for x in line.get_xdata()]


def test_recipes_compared():
    (ax,) = plots.recipes_compared(comparison_table()).axes
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["lstm", "conv *"]  # the best new voice on top
    drawn = {c.get_label(): (c.lines[0].get_xdata(), c.lines[0].get_ydata()) for c in ax.containers}
    for split, values in (("random", [90, 80]), ("speaker", [40, 50])):
        x, y = drawn[split]
        np.testing.assert_allclose(x, values)
        assert (np.round(y) == [0, 1]).all()
    spans = [bars.get_segments() for bars in ax.collections]
    np.testing.assert_allclose(spans[0][0][:, 0], [80, 95])
    assert strokes(ax) == [95]
    shapes = {c.lines[0].get_marker() for c in ax.containers}
    assert len(shapes) == 2, "the splits differ in colour only"
    assert "unlabelled clips" in ax.get_xlabel()
    assert "random: conv 80 %, lstm 90 %; speaker: conv 50 %, lstm 40 %" in plots.alt(ax.figure)
    sample = plots.recipes_compared(comparison_table("tess+sample")).axes[0]
    assert "synthetic" in sample.get_title(loc="left")
    with pytest.raises(SerlibError, match="each recipe and split once"):
        plots.recipes_compared(pd.concat([comparison_table(), comparison_table()]))


def test_roles_is_a_map_of_every_clip(index):
    ax = plots.roles(index).axes[0]
    grid = ax.images[0].get_array()
    assert grid.shape == (2 * 7, 10)
    for role in ROLES:
        assert (grid == ROLES.index(role)).sum() == (index.role == role).sum()
    assert np.ma.filled(grid, np.nan).size - np.isfinite(np.ma.filled(grid, np.nan)).sum() == 1  # the missing clip
    index.attrs["split"] = {"kind": "speaker"}
    blocks = plots.roles(index.assign(role=np.where(index.speaker == "OAF", "test", "train")))
    assert "share 0 of 2 speakers and 10 of 10 texts" in plots.alt(blocks)
    assert blocks.axes[0].get_title(loc="left") == "Split: speaker"


def test_roles_of_several_takes(index):
    twice = pd.concat([index, index])
    assert plots.roles(twice).axes[0].images[0].get_array().shape == (14, 20)


def test_embedding_draws_each_clip_once(index, rng):
    points = rng.normal(size=(139, 2))
    ax = plots.embedding(points, index.label, speakers=index.speaker).axes[0]
    drawn = np.concatenate([dots.get_offsets() for dots in ax.collections])
    np.testing.assert_allclose(drawn[np.lexsort(drawn.T)], points[np.lexsort(points.T)])
    assert len(ax.collections) == 14


# --- on the page ---------------------------------------------------------------------------------------------------


def test_sample_corpus_is_named_in_the_title(index, report):
    assert plots.honest("Counts", "sample") == "Counts (synthetic sample speech)"
    assert plots.honest("A title that fills its line to the end", "sample").endswith("end\n(synthetic sample speech)")
    assert plots.honest("Counts", ["tess"]) == "Counts"
    title = plots.counts(index.assign(corpus="sample")).axes[0].get_title(loc="left")
    assert "synthetic" in title
    made = evaluation.score(clips(["a"], corpus="sample"), [[1, 0]], ["a", "b"])
    assert "synthetic" in plots.confusion(made).axes[0].get_title(loc="left")


def test_png_is_opaque_sharp_and_the_same_each_time(tone):
    data = plots.png(plots.waveplot(tone, RATE_HZ))
    assert data == plots.png(plots.waveplot(tone, RATE_HZ))
    picture = Image.open(io.BytesIO(data))
    assert picture.convert("RGBA").getextrema()[3] == (255, 255)
    assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert picture.width >= 1000
    assert "0.50 s at 16000 Hz" in picture.text["Description"]


def test_shown_figures_carry_their_description(tone, monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, metadata, raw: shown.append({**data, "metadata": metadata})
    )
    figure = plots.waveplot(tone, RATE_HZ, title='a <b>"word"</b>')
    figure.alt = 'say "<word>" & more'
    plots.show(figure)
    figure._ipython_display_()  # what a notebook calls when a cell ends with the figure
    ax = Figure().subplots()
    plots.show(plots.waveplot(tone, RATE_HZ, ax=ax))
    assert 'alt="say &quot;&lt;word&gt;&quot; &amp; more" src="data:image/png;base64,' in shown[0]["text/html"]
    assert shown[0] == shown[1]
    assert 'alt="Waveform' in shown[2]["text/html"]
    assert shown[2]["text/plain"] == "[Figure: Waveform]"
    for data in shown:  # GitHub shows no picture in HTML
        assert f'base64,{data["image/png"]}"' in data["text/html"]
    assert shown[0]["metadata"] == {"image/png": {"alt": 'say "<word>" & more'}}


def test_figures_stand_one_below_the_other(tone):
    wave, words = plots.waveplot(tone, RATE_HZ), plots.spectrogram(tone, RATE_HZ)
    both, *apart = (
        Image.open(io.BytesIO(data)) for data in (plots.png(wave, words), plots.png(wave), plots.png(words))
    )
    assert both.height == sum(picture.height for picture in apart)
    assert both.width == max(picture.width for picture in apart)
    assert both.text["Description"] == f"{plots.alt(wave)} {plots.alt(words)}"


def test_callers_settings_are_left_alone(tone):
    mine = {"font.size": 3, "figure.facecolor": "black", "savefig.facecolor": "black", "savefig.bbox": "tight"}
    with matplotlib.rc_context(mine):
        before = dict(matplotlib.rcParams)
        data = plots.png(plots.waveplot(tone, RATE_HZ))
        assert dict(matplotlib.rcParams) == before
    assert data == plots.png(plots.waveplot(tone, RATE_HZ))


def test_names_from_outside_are_text_and_no_formula(tone):
    label = "$\\frac{a$ <b> {x}"
    made = evaluation.score(clips([label, "a_b^c"], speaker=["$\\bad$", "b"]), [[1, 0], [0, 1]], [label, "a_b^c"])
    for draw in (plots.confusion, plots.recall_bars, plots.per_speaker, plots.speaker_recall):
        assert plots.png(draw(made))
    assert label in plots.alt(plots.confusion(made))
    assert plots.png(plots.waveplot(tone, RATE_HZ, title="$\\frac{"))


# --- colours -------------------------------------------------------------------------------------------------------

#: Machado, Oliveira & Fernandes 2009, full loss of one kind of cone, on linear RGB.
CONES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
#: sRGB primaries to XYZ, D65.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def linear(colours):
    rgb = np.array([to_rgb(c) for c in colours])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def closest(colours, cones):
    """Smallest CIELAB distance (CIE 1976) between two of the colours."""
    seen = np.clip(linear(colours) @ np.array(CONES[cones]).T, 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    f = np.where(seen > 216 / 24389, np.cbrt(seen), (24389 / 27 * seen + 16) / 116)
    lab = np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return distance[np.triu_indices(len(lab), 1)].min()


@pytest.mark.parametrize(
    ("cones", "bound"), [("normal", 25), ("protanopia", 23), ("deuteranopia", 23), ("tritanopia", 19)]
)
def test_colours_of_emotions_are_told_apart(cones, bound):
    assert closest(plots.COLOURS.values(), cones) > bound
    assert closest(plots.ROLE_COLOURS.values(), cones) > bound


def test_distance_measure_fails_what_it_should():
    assert closest(["#ff0000", "#00ff00"], "normal") > 100
    assert closest(["#a52a2a", "#556b2f"], "deuteranopia") < 23  # brown and olive, a well-known confusion


def test_contrast_is_that_of_wcag():
    assert style.contrast("white", "black") == pytest.approx(21)
    assert style.contrast("#767676") == pytest.approx(4.54, abs=0.005)  # the usual example of a grey that just passes
    ratios = 1.05 / (linear(plots.COLOURS.values()) @ XYZ[1] + 0.05)
    assert [style.contrast(value) for value in plots.COLOURS.values()] == pytest.approx(ratios, rel=1e-3)


def test_lines_and_roles_stand_out():
    for label in [*plots.COLOURS, *(f"label {n}" for n in range(200))]:
        assert style.contrast(style.line_colour(label)) >= style.CONTRAST, label
        assert style.contrast(plots.colour(label)) < style.CONTRAST or style.line_colour(label) == plots.colour(label)
    for n in range(1, 9):
        assert min(style.contrast(shade[:3]) for shade in style.ramp(n)) >= style.CONTRAST
    for one, other in itertools.combinations(plots.ROLE_COLOURS.values(), 2):
        assert style.contrast(one, other) >= style.CONTRAST


def visible(*shades):
    """Whether one of these colours, a face or its outline, stands out from a white page."""
    shades = [np.atleast_2d(to_rgba_array(shade)) for shade in shades]
    on_white = [1 - rgba[:, 3:] * (1 - rgba[:, :3]) for rgba in shades if len(rgba)]
    parts = range(max(map(len, on_white)))
    best = [max(style.contrast(rows[min(n, len(rows) - 1)]) for rows in on_white) for n in parts]
    return min(best) >= style.CONTRAST


def pale(figure):
    """What of a figure has too little contrast with its page. What lies on a picture is left out, and the grid."""
    faults = []
    for ax in figure.axes:
        legend = ax.get_legend()
        handles = legend.legend_handles if legend and not legend.get_frame_on() else []
        own = [] if ax.images or ax.get_label() == "<colorbar>" else [*ax.lines, *ax.patches, *ax.collections]
        for artist in [*own, *handles]:
            if isinstance(artist, Line2D):
                line = [artist.get_color()] * (artist.get_linestyle() != "None")
                marker = [artist.get_markerfacecolor(), artist.get_markeredgecolor()]
                looks = [line] if line else []
                looks += [marker] if artist.get_marker() not in ("None", "", None) else []
            elif isinstance(artist, Patch):
                edge = [artist.get_edgecolor()] * (artist.get_linewidth() > 0)
                looks = [[artist.get_facecolor(), *edge]]
            else:
                looks = [[artist.get_facecolor(), artist.get_edgecolor()]]
            grid = matplotlib.colors.to_rgba(style.STYLE["grid.color"])
            looks = [look for look in looks if to_rgba_array(look[0])[:1].tolist() != [list(grid)]]
            faults += [(ax.get_title(loc="left"), artist) for look in looks if not visible(*look)]
    return faults


def test_what_is_drawn_stands_out_from_the_page(gallery):
    single, several = gallery
    for name, draw in (single | several).items():
        assert not pale(draw()), name


def test_what_is_pale_is_noticed():
    for options in ({"color": "#efa208"}, {"color": "#efa208", "edgecolor": "white"}, {"color": (0, 0, 0, 0.2)}):
        ax = Figure().subplots()
        ax.bar(["a"], [1], **options)
        assert pale(ax.figure), options
    ax = Figure().subplots()
    ax.bar(["a"], [1], color="#efa208", edgecolor="black")
    assert not pale(ax.figure)


def test_every_label_has_its_colour_and_strangers_keep_theirs():
    assert tuple(plots.COLOURS) == LABELS
    assert plots.colour("sad") == plots.COLOURS["sad"]
    assert plots.colour("sarcastic") == plots.colour("sarcastic") != plots.colour("tired")
    assert re.fullmatch("#[0-9a-f]{6}", plots.colour("ärgerlich"))


def test_text_is_light_on_dark_and_dark_on_light():
    assert style.ink("#08306b") == "white"
    assert style.ink("#f7fbff") != "white"


def test_occlusion(tone):
    figure = plots.occlusion(tone, RATE_HZ, OCCLUDED, answer="sad")
    over_time, _, map_, over_hz = figure.axes
    assert np.allclose(heights(over_time), 100 * OCCLUDED.windows)
    assert np.allclose([patch.get_width() for patch in over_hz.patches], 100 * OCCLUDED.bands)
    colours = np.asarray(map_.images[1].get_array())  # [shape=(bands, windows, 4)]
    strength = colours[..., 3] / colours[..., 3].max()
    assert np.allclose(strength, abs(OCCLUDED.pieces.T) / 0.4)
    assert to_rgb(plots.results.FOR) == tuple(colours[0, 1, :3])
    assert to_rgb(plots.results.AGAINST) == tuple(colours[1, 1, :3])
    assert "sad has 80%" in plots.alt(figure) and "0.12 to 0.25 s (30 points)" in plots.alt(figure)
    assert "0 to 700 Hz (50 points)" in plots.alt(figure)


def test_the_colours_of_occlusion_are_those_of_the_scope():
    from serlib.widgets.oscilloscope import DROVE

    values = plots.results.FOR, plots.results.AGAINST
    assert [tuple(round(255 * c) for c in to_rgb(colour)) for colour in values] == list(DROVE.values())


def test_mfcc_steps(rng):
    levels, bands, mfcc = rng.normal(size=(30, 513)), rng.normal(size=(30, 64)), rng.normal(size=(30, 13))
    figure = plots.mfcc_steps(levels, bands, mfcc, FeatureSpec(n_mels=64, n_mfcc=13))
    shown = [ax.images[0] for ax in figure.axes[:3]]
    for image, values in zip(shown, (levels - levels.max(), bands - bands.max(), mfcc[:, 1:]), strict=True):
        assert np.allclose(image.get_array(), values.T)
        assert image.get_extent()[1] == pytest.approx(30 * 512 / 22050)
    assert "64 mel bands and 13 MFCC of 30 frames" in plots.alt(figure)
