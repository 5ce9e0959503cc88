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
# heard. Part 2 uses the model on files of your own.
#
# **Running time**: about a minute on the sample corpus after notebook 04, several minutes on TESS; half a minute if all
# models have been trained already.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. read a [confusion matrix](../teaching/glossary.md#confusion-matrix), and say why unweighted average
#    [recall](../teaching/glossary.md#recall) ([UAR](../teaching/glossary.md#uar)) stands beside accuracy;
# 2. compute an interval for an accuracy, and say what it covers and what it does not;
# 3. check whether the confidence of a model can be believed;
# 4. listen to the errors, and say what the same model is worth on new clips, new words, and a new voice;
# 5. let the model answer for a file of your own, and say when it should not answer.

# %% [markdown]
# This notebook needs `serlib` for judging, drawing, playing and answering.

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
LISTEN = 3  # how many errors get a player
MODEL = "own"  # for your file: own (the run above), or released (the model of serlib, trained on 33 people)

# %% [markdown]
# We load the run of notebook 04, or train it if it is missing. Then `serlib.evaluate` lets the model answer for every
# clip of the test set.

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)


def fit(kind, fold=None):
    table = serlib.split(index, kind, seed=SEED, fold=fold)
    part = "" if fold is None else f"-{fold}"
    out = home() / "checkpoints" / f"{NAME}-{kind}{part}"
    recipe = replace(serlib.RECIPES[RECIPE], keep=KEEP, **SETTINGS)
    return serlib.fit(recipe, table, out=out, seed=SEED, resume=True)


run = fit("random")
report = serlib.evaluate(run)
train_clips = run.split.speech[run.split.role == "train"]
assert not set(report.predictions.speech) & set(train_clips), "a clip of training is judged"

# %% [markdown] tags=["slide"]
# ## Part 1: judge the model
#
# ### Confusion matrix, accuracy and UAR
#
# Each row is an emotion that the actor meant, each column an answer of the model. Right answers are on the diagonal.
# Look for the darkest cell off the diagonal, and listen to that pair of emotions in notebook 02.

# %%
plots.show(plots.confusion(report))

# %% [markdown]
# Accuracy is the share of all clips that are right. The recall of an emotion is the share of its own clips that are
# right, and UAR is the mean of these recalls, so that a rare emotion weighs as much as a common one. If most clips of a
# corpus are neutral, a model that always answers "neutral" has a high accuracy, but a UAR no better than guessing: with
# nine neutral clips to each angry one the accuracy is nine tenths, and the UAR, the mean of one and nought, a half.

# %% tags=["trained"]
print(f"accuracy {report.accuracy:.0%}, UAR {report.uar:.0%}, on {report.n_test} clips")
print(f"guessing: {1 / len(run.labels):.0%}")
assert CORPUS not in ("sample", "tess") or report.accuracy > 0.5, "hardly better than guessing: something is broken"

# %% [markdown] tags=["slide"]
# The recall of each emotion: of the clips that were meant as sad, how many did the model hear as sad?
# ([Precision](../teaching/glossary.md#precision) goes the other way: of the clips that the model heard as sad, how many
# were meant as sad?)

# %%
plots.show(plots.recall_bars(report))

# %% [markdown] tags=["slide"]
# ### An interval for the accuracy: the bootstrap
#
# Other test clips would give another accuracy. How different could it be? The
# *[bootstrap](../teaching/glossary.md#bootstrap)* draws a thousand new test sets from this one, with replacement (Efron
# 1979); the middle 95 in 100 of their accuracies are the interval. Clips of one voice are not independent
# of each other, so it draws whole speakers where there are at least five. With fewer speakers it draws whole texts
# (words), and then the interval says nothing about other voices.

# %% tags=["trained"]
low, high = report.ci95["accuracy"]
print(f"95 % interval of the accuracy: {low:.0%} to {high:.0%}, resampled by {report.resampled_by}")
assert low <= report.accuracy <= high

# %% [markdown] tags=["slide"]
# ### Calibration: can the confidence be believed?
#
# Of the answers that the model gives with a confidence of nine in ten, nine in ten should be right. The bars show how
# many are right; the diagonal shows how many should be. The expected [calibration](../teaching/glossary.md#calibration)
# error ([ECE](../teaching/glossary.md#ece)) is the mean distance between the two, weighted by the number of clips.

# %%
plots.show(plots.reliability(report))

# %% [markdown]
# These confidences are calibrated already. At the end of the training one number, the
# *[temperature](../teaching/glossary.md#temperature)*, was fitted to the validation set, and all logits are divided by
# it. (A *logit* is an output of the last layer before softmax.) The temperature changes no answer, only the confidence
# (Guo et al. 2017). The validation set is small, so the temperature is not exact, and the best one for the test set may
# differ.
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
before = run.probabilities(values, calibrated=False).argmax(axis=1)
after = run.probabilities(values, calibrated=True).argmax(axis=1)
assert (before == after).all(), "the temperature has changed an answer"

# %% [markdown] tags=["slide"]
# A model may also *abstain*: give no answer where its confidence is low. The share of clips that it answers is its
# [coverage](../teaching/glossary.md#coverage). The fewer clips it answers, the more of its answers should be right:

# %%
plots.show(plots.abstaining(report))

# %% [markdown]
# Below which confidence should a model abstain? If its confidences can be believed, an answer below one half is more
# likely wrong than right. One half is therefore the default [threshold](../teaching/glossary.md#threshold) of a
# `Recognizer`.

# %% tags=["trained"]
point = abstaining(report, thresholds=[run.threshold]).iloc[0]
print(f"at the default threshold: answers {point.coverage:.0%} of the clips, {point.accuracy:.0%} of these right")

# %% [markdown] tags=["slide"]
# ### Listen to the errors
#
# The most instructive errors are those with the highest confidence. Play each clip, and decide who is right: the label
# or the model.

# %% tags=["trained"]
worst = errors(report, LISTEN)
sounds = {}
for clip in worst.itertuples():
    line = f"meant {clip.label}, heard as {clip.predicted} ({clip.confidence:.0%}): {clip.speaker}, '{clip.text}'"
    sounds[line] = audio.load(clip.speech)
display(widgets.players(sounds))
assert (worst.label != worst.predicted).all() and worst.confidence.is_monotonic_decreasing

# %% [markdown] tags=["slide"]
# Which part of the first clip led to the answer? We ask the model again and again, each time with one piece of the
# sound lowered to the level of the clip's own pauses ([occlusion](../teaching/glossary.md#occlusion)): a stretch of
# time, a band of frequencies, or a band within a stretch. If the probability of the answer falls without a piece, this
# piece spoke for the answer; if it rises, against it. This explains the model, not the emotion.

# %% tags=["trained"]
clip = (worst if len(worst) else report.predictions).iloc[0]
y, rate_hz = audio.load(clip.speech)
effect = attribution.occlusion(attribution.answers(run), y, rate_hz)
title = plots.honest(f"'{clip.text}': meant {clip.label}, heard as {clip.predicted}", CORPUS)
plots.show(plots.occlusion(y, rate_hz, effect, answer=clip.predicted, title=title))

# %% [markdown]
# Does that make sense to you? The first half second cannot count, since the recipe skips it. Of the rest the model only
# gets the mean, so a piece counts by how far it moves the mean.
#
# The next widget has all answers (in a running notebook). Click a cell of the matrix, go through its clips with the
# arrow keys, listen, and move the slider to let the model abstain.

# %% tags=["nbval-ignore-output"]
gallery = widgets.gallery(report, run)
gallery

# %% [markdown] tags=["slide"]
# ### New words and a new voice
#
# So far the model knew the voices and the words of its test clips from training. We train the same recipe twice more:
# once on a split by text, where the words of the test are new, and once on a split by speaker, where the voice is new.
# `VOICES` says how many speakers (or groups of speakers) are left out, one after the other.

# %% tags=["trained"]
runs = {"random": run}
possible = splits.possible(index, ["text", "speaker"], seed=SEED)  # not every corpus has texts and speakers
if "text" in possible:
    runs["text"] = fit("text")
if "speaker" in possible:
    runs |= {f"speaker, {nth}": fit("speaker", fold) for fold, nth in enumerate(("1st", "2nd")[:VOICES])}
hardest = "speaker, 1st" if "speaker" in possible else "text" if "text" in possible else "random"
reports = {name: serlib.evaluate(run) for name, run in runs.items()}
for name, report_of_split in reports.items():
    low, high = report_of_split.ci95["accuracy"]
    print(f"{name:13} accuracy {report_of_split.accuracy:.0%} [{low:.0%}, {high:.0%}], UAR {report_of_split.uar:.0%}")

# %% [markdown] tags=["slide"]
# The last figure, for a new voice, is the one that most projects leave out. The interval for new words is too narrow,
# since it is drawn over the few words of that test set.
#
# Is it really the voice? Without one of the voices, the last model also had fewer clips to learn from. Its validation
# set answers the question: it was not trained on these clips either, but it knows their voice.

# %% tags=["trained"]
plots.show(plots.splits_compared(reports))
hardest_run = runs[hardest]
known_voice = hardest_run.info["metrics"]["val_accuracy"]
print(f"the last model on its validation set, a voice that it knows: {known_voice:.0%}")
if CORPUS in ("sample", "tess"):
    new_voice = reports["speaker, 1st"].accuracy
    assert new_voice < reports["random"].accuracy - 0.2, "a new voice costs little"
    assert new_voice < reports["text"].accuracy - 0.1, "a new voice costs no more than new words do"
    assert new_voice < known_voice - 0.1, "it is not the voice"

# %% [markdown] tags=["slide"]
# Which emotions are still recognised in the new voice? Compare this matrix with the one above.

# %%
title = "The voice is new" if "speaker" in possible else f"The {hardest} split: no new voice in this corpus"
plots.show(plots.confusion(reports[hardest], title=title))

# %% [markdown] tags=["slide"]
# Why does the accuracy fall? The last layer before the answer turns each clip into a row of numbers, its
# [embedding](../teaching/glossary.md#embedding). [t-SNE](../teaching/glossary.md#t-sne) draws a map of them: each point
# is a clip, and neighbours on the map are neighbours in that layer. The clips of the voices that the model was trained
# on form islands, one for each emotion that it has learned to tell apart. Where are the clips of the new voice?

# %%
clips = hardest_run.split
embedding = projection.last_layer(hardest_run.model, serlib.extract(clips, hardest_run.spec).values)
points = projection.map_points(embedding, method="tsne", seed=SEED)
new_voices = ", ".join(clips.speaker[clips.role == "test"].unique())
view = {"axes": projection.AXES["tsne"], "title": plots.honest(f"The last layer; new: {new_voices}", CORPUS)}
plots.show(plots.embedding(points, clips.label, speakers=clips.speaker, **view))

# %% [markdown]
# On such a map only neighbours mean something; the distances between islands do not. In a running notebook a click
# plays a clip: listen to one that lies on an island of another emotion, and to the clips around it.

# %% tags=["nbval-ignore-output"]
clip_map = widgets.clip_map(clips, points, axes=view["axes"], title=f"The last layer; new: {new_voices}")
clip_map

# %% [markdown]
# How would the *next* new voice do? The intervals of the bars do not say: they were drawn over words, or over a handful
# of speakers.
#
# `page.write` keeps a report as a page for the browser, with its figures as files beside it.

# %%
for name in dict.fromkeys(["random", hardest]):
    folder = home() / "reports" / f"{CORPUS}-{RECIPE}-{name.split(',')[0]}"
    print(shown(page.write(reports[name], folder, history=runs[name].history)))

# %% [markdown] tags=["slide"]
# ### Measured on people
#
# The figures above hold for the corpus that is named at the top; the sample corpus is synthetic. This is what the same
# recipe, `lstm-256`, reaches on recordings of people, beside the recipe `committee` of notebook 07: UAR in per cent, on
# new clips (`random`), new words (`text`) and new voices (`speaker`). (RAVDESS has only two sentences, too few for a
# split by text.) `bench/accuracy.py` measured it.

# %%
people = on_people(["lstm-256", "committee"], splits=("random", "text", "speaker")).set_index("recipe")
known, new = people.loc["lstm-256", ["tess, random", "tess, speaker"]]
print(f"lstm-256 on TESS: {known} while it knows the voices of its test, {new} on a new voice")
people

# %% [markdown]
# It is the same network, trained in the same way; only the question differs. With a random split, every voice of the
# test is known from training, and the network answers by what is typical of this voice in this emotion. With a split by
# speaker it has to know what is typical of the emotion in any voice. The first question is the easy one, and most
# published figures answer it. On RAVDESS, with many actors and few clips of each, `lstm-256` recognises little even
# when it knows the voices, so the split hardly matters for it; for `committee` it matters on both corpora.

# %% [markdown] tags=["slide"]
# ## Part 2: use the model
#
# ### A file of your own
#
# A `Recognizer` answers for any sound file or array. To show that the format does not matter, we turn a test clip into
# a quiet stereo FLAC at another sampling rate.

# %%
recognizer = serlib.Recognizer(run if MODEL == "own" else RELEASED)
clip = run.split[run.split.role == "test"].iloc[0]
y, rate_hz = audio.load(clip.speech)
recording = run.folder.parent / "quiet_stereo.flac"
at_48_khz = audio.resample(y, from_hz=rate_hz, to_hz=48000)
soundfile.write(recording, 0.5 * at_48_khz.repeat(2).reshape(-1, 2), 48000)
print(f"{clip.label} was meant by the speaker of {recording.name}")

# %% [markdown]
# Put the path of your own recording here, for instance `mine = "../my_recordings/hello.wav"`; it starts from the folder
# of this notebook. Remember what an answer about a new voice is worth.

# %% tags=["trained"]
mine = recording
answer = recognizer.predict(mine)
print(f"heard as {answer.label}, in {answer.seconds:.1f} s of sound")

# %% [markdown]
# The probabilities of all emotions as bars. If the answer is wrong, look at the second best:

# %% tags=["trained"]
for label, p in answer.probabilities.items():
    print(f"{label:9}{'#' * round(30 * p)}")
assert abs(sum(answer.probabilities.values()) - 1) < 1e-4

# %% [markdown]
# What if the file is no speech at all? The probabilities of softmax always add up to one, so even noise gets an
# emotion, often with high confidence. Therefore a run also keeps how the spectrum of its training clips changes over
# time, and how long they are. The `Recognizer` says "unsure" if a sound differs much from that. With a threshold of 0
# it always answers.

# %% tags=["trained"]
hiss = np.random.default_rng(SEED).normal(0, 0.1, 2 * 16000)
forced = serlib.Recognizer(run, threshold=0).predict(hiss, rate_hz=16000)
free = recognizer.predict(hiss, rate_hz=16000)
print(f"white noise: {forced.label} where it must answer")
print(f"white noise: {free.label}, since {free.reason.split(' (')[0]}")
assert forced.label != "unsure" and (free.label == "unsure" or not run.domain)  # few clips say little of their kind

# %% [markdown]
# For a long recording the `Recognizer` gives a timeline: an answer for each of many overlapping windows. Here clips of
# four emotions follow one another. Where a window holds the end of one clip and the start of the next, no answer is
# right.

# %% tags=["trained"]
four = run.split[run.split.role == "test"].drop_duplicates("label").head(4)
joined = np.concatenate([audio.load(path, rate_hz=16000)[0] for path in four.speech])
timeline = recognizer.timeline(joined, rate_hz=16000, hop_s=2.0)
print("meant, one after the other:", ", ".join(four.label))
display(timeline[["start_s", "end_s", "label"]].round(1))
end_s = len(joined) / 16000
assert timeline.start_s.iloc[0] == 0 and abs(timeline.end_s.iloc[-1] - end_s) < 0.01, "a part was left out"

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. The confusion matrix shows which emotions are taken for which. UAR is the mean of the recalls, so that a rare
#    emotion counts as much as a common one.
# 2. Every accuracy needs an interval. The interval covers only what was drawn: one over words says nothing about
#    voices.
# 3. The reliability diagram shows whether a confidence can be believed. A temperature can correct it for clips like
#    those of the validation set. With a higher threshold the model answers fewer clips and gets more of its answers
#    right.
# 4. Listen to the errors with the highest confidence. New clips of known voices are an easy test; a new voice costs
#    more than new words do. In real use you will meet new voices.
# 5. The `Recognizer` answers for any file, whatever its format. Confidence alone does not tell speech from noise, so it
#    also compares a sound with the clips of its training.
