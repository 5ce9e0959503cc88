# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown] tags=["slide"]
# # 05 Evaluate, honestly
#
# Part 1 judges the model of notebook 04: as papers do, then with an interval, and then on a voice that it has never
# heard. Part 2 uses it on files of your own.
#
# **Running time**: about a minute on the sample corpus after notebook 04, several minutes on TESS; half a minute
# where all runs are there already.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. read a [confusion matrix](../teaching/glossary.md#confusion-matrix), and say why unweighted average
#    [recall](../teaching/glossary.md#recall) ([UAR](../teaching/glossary.md#uar)) stands beside accuracy;
# 2. put an interval around an accuracy, and say what it covers and what it does not;
# 3. check whether a model is as sure as it should be;
# 4. listen to the errors, and say what the same model is worth on new clips, new words, and a new voice;
# 5. let the model answer for a file of your own, and say when it should not answer.

# %% [markdown]
# `serlib` judges, draws, plays and answers.

# %%
from dataclasses import replace

import numpy as np
import soundfile
from IPython.display import display

import serlib
from serlib import audio, plots, splits, widgets
from serlib.evaluation import abstaining, attribution, errors
from serlib.experiments.people import on_people
from serlib.features import projection
from serlib.plots import page
from serlib.training.run import RELEASED
from serlib.utils import home, shown

# %% [markdown]
# All settings; the first six must be those of notebook 04 to find its run.

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
RECIPE = "lstm-256"  # published system A
KEEP = "best"  # which epoch's weights: last, as tutorials do, or best on the validation role
SEED = 0  # of the split and of the training
SAMPLE = dict(batch_size=32, epochs=60, learning_rate=0.002, schedule="cosine", label_smoothing=0.1)  # few clips
SETTINGS = SAMPLE if CORPUS == "sample" else {}  # instead of the recipe's
NAME = "-".join(map(str, ["04", CORPUS, RECIPE, KEEP, *SETTINGS.values(), f"seed{SEED}"]))  # each choice trains apart
VOICES = 1 if CORPUS == "sample" else 2  # speakers, or groups of speakers, that are left out one after the other
LISTEN = 3  # players of the most confident errors
MODEL = "own"  # who hears your file: own, the run above, or released, the model of serlib that has heard 33 people

# %% [markdown]
# The run of notebook 04 is loaded, or trained where it is missing.

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)


def trained(kind, fold=None):
    table = serlib.split(index, kind, seed=SEED, fold=fold)
    part = "" if fold is None else f"-{fold}"
    out = home() / "checkpoints" / f"{NAME}-{kind}{part}"
    recipe = replace(serlib.RECIPES[RECIPE], keep=KEEP, **SETTINGS)
    return serlib.fit(recipe, table, out=out, seed=SEED, resume=True)


run = trained("random")
report = serlib.evaluate(run)
assert not set(report.predictions.speech) & set(run.split.speech[run.split.role == "train"]), (
    "a clip of training is judged"
)

# %% [markdown] tags=["slide"]
# ## Part 1: judge the model
#
# ### What was said, what was meant
#
# Rows are what the actor meant, columns what the model said. The diagonal is right; look for the brightest cell beside
# it, and listen to that pair of emotions in notebook 02.

# %%
plots.show(plots.confusion(report))

# %% [markdown]
# Accuracy counts clips. UAR is the mean of the recalls of the emotions, so that a rare emotion weighs as much as a
# common one; a model that always answers "neutral" cannot hide behind a corpus that is mostly neutral.

# %% tags=["trained"]
print(f"accuracy {report.accuracy:.0%}, UAR {report.uar:.0%}, on {report.n_test} clips")
print(f"guessing: {1 / len(run.labels):.0%}")
assert CORPUS not in ("sample", "tess") or report.accuracy > 0.5, "hardly better than guessing: something is broken"

# %% [markdown] tags=["slide"]
# Recall of each emotion: of the clips that were meant so, how many were heard so.
# ([Precision](../teaching/glossary.md#precision) goes the other way: of the clips that were heard so, how many were
# meant so.)

# %%
plots.show(plots.recall_bars(report))

# %% [markdown] tags=["slide"]
# ### How sure are we?
#
# The test set is a sample; another one would give another figure. The *[bootstrap](../teaching/glossary.md#bootstrap)*
# draws new test sets from this one, with replacement, again and again (Efron 1979), and the middle 95 in 100 of their
# accuracies are the interval. It draws whole speakers where there are at least five, since the clips of one voice stand
# or fall together; with fewer speakers it draws words, and then the interval says nothing about other voices.

# %% tags=["trained"]
low, high = report.ci95["accuracy"]
print(f"95 % interval of the accuracy: {low:.0%} to {high:.0%}, resampled by {report.resampled_by}")
assert low <= report.accuracy <= high

# %% [markdown] tags=["slide"]
# ### Is it as sure as it should be?
#
# Of the answers that the model gives with a confidence of nine in ten, nine in ten should be right. The bars show what
# is; the diagonal is what should be. The expected [calibration](../teaching/glossary.md#calibration) error
# ([ECE](../teaching/glossary.md#ece)) is the mean distance between the two.

# %%
plots.show(plots.reliability(report))

# %% [markdown]
# These confidences are calibrated: at the end of the training one *[temperature](../teaching/glossary.md#temperature)*,
# by which all logits are divided, was fitted to the validation set. (A *logit* is a number of the last layer before
# softmax.) It changes no answer, only how sure the model is of it (Guo et al. 2017). Validation clips are few, so the
# temperature is a rough one, and the test role may want another.
#
# <details><summary>The formulas</summary>
#
# With the logits $z$, the temperature $T$, and bins $B$ of $n$ clips in all:
#
# $$p_k = \frac{e^{z_k / T}}{\sum_j e^{z_j / T}} \quad ECE = \sum_B \frac{n_B}{n} |acc_B - conf_B|$$
#
# </details>

# %% tags=["trained"]
if run.is_calibrated:
    print(f"temperature {run.temperature:.1f}, fitted to {(run.split.role == 'validation').sum()} clips")
    print(f"ECE {report.ece_before:.0%} before, {report.ece:.0%} after")
else:
    print("an older run, which was not calibrated: train it again")
values = serlib.extract(run.split[run.split.role == "test"], run.spec).values
before, after = (run.probabilities(values, calibrated=calibrated).argmax(axis=1) for calibrated in (False, True))
assert (before == after).all(), "the temperature has changed an answer"

# %% [markdown] tags=["slide"]
# A model may also give no answer where it is unsure (it *abstains*). The fewer clips it answers, the more of its
# answers should be right:

# %%
plots.show(plots.abstaining(report))

# %% [markdown]
# Where on this curve should a model stand? If its confidences can be believed, an answer below one half is more likely
# wrong than right. One half is therefore the [threshold](../teaching/glossary.md#threshold) of a `Recognizer`, unless
# you set another one.

# %% tags=["trained"]
point = abstaining(report, thresholds=[run.threshold]).iloc[0]
print(f"at the default threshold: answers {point.coverage:.0%} of the clips, {point.accuracy:.0%} of these right")

# %% [markdown] tags=["slide"]
# ### Listen to the errors
#
# The errors that the model was surest of teach most. Play each clip, and decide who is right: the label or the model.

# %% tags=["trained"]
worst = errors(report, LISTEN)
sounds = {}
for clip in worst.itertuples():
    line = f"meant {clip.label}, heard as {clip.predicted} ({clip.confidence:.0%}): {clip.speaker}, '{clip.text}'"
    sounds[line] = audio.load(clip.speech)
display(widgets.players(sounds))
assert (worst.label != worst.predicted).all() and worst.confidence.is_monotonic_decreasing

# %% [markdown] tags=["slide"]
# What in the clip drove its answer? We ask the model again, each time with one piece of the sound brought down
# ([occlusion](../teaching/glossary.md#occlusion)) to the level of the clip's own pauses: a stretch of time, a band of
# frequencies, or one in the other. Where the probability of the answer falls, that piece spoke for it; where it rises,
# against it. This explains the model, not the emotion.

# %% tags=["trained"]
clip = (worst if len(worst) else report.predictions).iloc[0]
y, rate_hz = audio.load(clip.speech)
effect = attribution.occlusion(attribution.answers(run), y, rate_hz)
title = plots.honest(f"'{clip.text}': meant {clip.label}, heard as {clip.predicted}", CORPUS)
plots.show(plots.occlusion(y, rate_hz, effect, answer=clip.predicted, title=title))

# %% [markdown]
# Does that make sense to you? The first half second cannot count, since the recipe skips it. Of the rest the model
# knows only the mean, so a piece counts by how far it moves the mean.
#
# The next widget holds all answers; it needs a kernel. Click a cell of the matrix, go through its clips with the arrow
# keys, listen, and let the model abstain.

# %% tags=["nbval-ignore-output"]
gallery = widgets.gallery(report, run)
gallery

# %% [markdown] tags=["slide"]
# ### And a new voice?
#
# So far the model has been asked about voices and words that it knew from training. We train the same recipe again:
# once no word of the test is known, and then no voice is. `VOICES` says how many speakers (or groups of speakers) have
# their turn.

# %% tags=["trained"]
runs = {"random": run}
possible = splits.possible(index, ["text", "speaker"], seed=SEED)  # not every corpus has texts and speakers
if "text" in possible:
    runs["text"] = trained("text")
if "speaker" in possible:
    runs |= {f"speaker, {nth}": trained("speaker", fold) for fold, nth in enumerate(("1st", "2nd")[:VOICES])}
hardest = "speaker, 1st" if "speaker" in possible else "text" if "text" in possible else "random"
reports = {name: serlib.evaluate(run) for name, run in runs.items()}
for name, report_of_split in reports.items():
    low, high = report_of_split.ci95["accuracy"]
    print(f"{name:13} accuracy {report_of_split.accuracy:.0%} [{low:.0%}, {high:.0%}], UAR {report_of_split.uar:.0%}")

# %% [markdown] tags=["slide"]
# This is the figure that most projects leave out. Mind the intervals: that of new words is drawn over the few words of
# that test role, which makes it too narrow.
#
# And is it the voice? With one voice gone from its training, the last model also had less to learn from. Its validation
# role tells the two apart: other words again, but by a voice that it was trained on.

# %% tags=["trained"]
plots.show(plots.splits_compared(reports))
unheard = runs[hardest]
print(f"the last one on its validation role, a voice that it knows: {unheard.info['metrics']['val_accuracy']:.0%}")
if CORPUS in ("sample", "tess"):
    new_voice = reports["speaker, 1st"].accuracy
    assert new_voice < reports["random"].accuracy - 0.2, "a new voice costs little"
    assert new_voice < reports["text"].accuracy - 0.1, "a new voice costs no more than new words do"
    assert new_voice < unheard.info["metrics"]["val_accuracy"] - 0.1, "it is not the voice"

# %% [markdown] tags=["slide"]
# Which emotions survive the change of voice? Compare the two matrices.

# %%
title = "The voice is new" if "speaker" in possible else f"The {hardest} split: no new voice in this corpus"
plots.show(plots.confusion(reports[hardest], title=title))

# %% [markdown] tags=["slide"]
# Why does it fall? Look at what the network makes of the clips just before it answers, their
# [embedding](../teaching/glossary.md#embedding), on a map made by [t-SNE](../teaching/glossary.md#t-sne). A point is a
# clip; neighbours on the map are neighbours in the network's last layer. The voices that it was trained on form
# islands, as far as it has learned to tell their emotions apart. Where does the new voice land?

# %%
inside = projection.last_layer(unheard.model, serlib.extract(unheard.split, unheard.spec).values)
points = projection.map_points(inside, method="tsne", seed=SEED)
new = ", ".join(unheard.split.speaker[unheard.split.role == "test"].unique())
view = {"axes": projection.AXES["tsne"], "title": plots.honest(f"The last layer; new: {new}", CORPUS)}
plots.show(plots.embedding(points, unheard.split.label, speakers=unheard.split.speaker, **view))

# %% [markdown]
# Distances between islands mean nothing on such a map, only who is whose neighbour. With a kernel, a click plays:
# listen to a clip that has landed on the wrong island, and to those around it.

# %% tags=["nbval-ignore-output"]
clips = widgets.clip_map(unheard.split, points, axes=view["axes"], title=f"The last layer; new: {new}")
clips

# %% [markdown]
# The intervals of the last bars were drawn over words, or over a handful of speakers: they do not say how far the
# next voice would fall. A few speakers are a few speakers.
#
# A report keeps all of this as a page for the browser, with the figures as files beside it.

# %%
for name in dict.fromkeys(["random", hardest]):
    folder = home() / "reports" / f"{CORPUS}-{RECIPE}-{name.split(',')[0]}"
    print(shown(page.write(reports[name], folder, history=runs[name].history)))

# %% [markdown] tags=["slide"]
# ### The same on people
#
# What stands above is about the corpus that is named at the top, and the sample is a synthesiser. This is what the same
# recipe reaches on recordings of people, beside the best recipe of the next notebooks: UAR in per cent, from
# `bench/accuracy.py`, on new clips (`random`), new words (`text`) and new voices (`speaker`).

# %%
print(on_people(["lstm-256", "committee"], splits=("random", "text", "speaker")).to_string(index=False))

# %% [markdown] tags=["slide"]
# ## Part 2: use the model
#
# ### A file of your own
#
# You know by now what an answer is worth. A `Recognizer` gives one for any file or array. Here a clip becomes a quiet
# stereo FLAC at another rate.

# %%
recognizer = serlib.Recognizer(run if MODEL == "own" else RELEASED)
clip = run.split[run.split.role == "test"].iloc[0]
y, rate_hz = audio.load(clip.speech)
recording = run.folder.parent / "quiet_stereo.flac"
at_48_khz = audio.resample(y, from_hz=rate_hz, to_hz=48000)
soundfile.write(recording, 0.5 * at_48_khz.repeat(2).reshape(-1, 2), 48000)
print(f"{clip.label} was meant by the speaker of {recording.name}")

# %% [markdown]
# Put the path of your own recording here, for instance `mine = "my_recordings/hello.wav"`:

# %% tags=["trained"]
mine = recording
answer = recognizer.predict(mine)
print(f"heard as {answer.label}, in {answer.seconds:.1f} s of sound")

# %% [markdown]
# All probabilities, since the second best answer often tells why the best one is wrong:

# %% tags=["trained"]
for label, p in answer.probabilities.items():
    print(f"{label:9}{'#' * round(30 * p)}")
assert abs(sum(answer.probabilities.values()) - 1) < 1e-4

# %% [markdown]
# And what is no speech? A softmax has to share out its probabilities, and a confident share of a hiss goes to some
# emotion. So the training also keeps what its clips were like, how their spectrum moves, and the `Recognizer` says
# "unsure" where a sound moves otherwise, is much shorter or much longer. A threshold of 0 makes it answer always.

# %% tags=["trained"]
hiss = np.random.default_rng(SEED).normal(0, 0.1, 2 * 16000)
forced = serlib.Recognizer(run, threshold=0).predict(hiss, rate_hz=16000)
free = recognizer.predict(hiss, rate_hz=16000)
print(f"white noise: {forced.label} where it must answer")
print(f"white noise: {free.label}, since {free.reason.split(' (')[0]}")
assert forced.label != "unsure" and (free.label == "unsure" or not run.domain)  # few clips say little of their kind

# %% [markdown]
# A long recording becomes a timeline; here clips of four emotions stand one after the other. Where a window hears the
# end of one and the start of the next, no answer is right.

# %% tags=["trained"]
four = run.split[run.split.role == "test"].drop_duplicates("label").head(4)
joined = np.concatenate([audio.load(path, rate_hz=16000)[0] for path in four.speech])
timeline = recognizer.timeline(joined, rate_hz=16000, hop_s=2.0)
print("meant, one after the other:", ", ".join(four.label))
print(timeline[["start_s", "end_s", "label"]].to_string(index=False))
assert timeline.start_s.iloc[0] == 0 and abs(timeline.end_s.iloc[-1] - len(joined) / 16000) < 0.01, (
    "a part was left out"
)

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. The matrix shows which emotions are taken for which; UAR keeps a rare emotion from being forgotten.
# 2. An interval belongs to every accuracy, and it covers only what was drawn: words are not voices.
# 3. The reliability diagram shows whether a confidence can be believed. One temperature can correct it for clips like
#    those of the validation set. A threshold trades answers for accuracy.
# 4. The surest errors are worth listening to. New clips of known voices are an easy test, and a new voice costs more
#    than new words do. In life you will have new voices.
# 5. Any file gets an answer, whatever its format. No confidence tells speech from noise, so the `Recognizer` also
#    compares the sound with those of its training.
