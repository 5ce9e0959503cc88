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
# # 07 Generalise: recognise a new voice
#
# In notebook 05 much of the accuracy was lost when the voice was new. We win it back step by step, and say what each
# step requires.
#
# **Running time**: two minutes on the sample corpus, half an hour on TESS; half a minute if all models have been
# trained already. **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses. With TESS
# and RAVDESS both present the last step trains on both.
#
# After this notebook you can
#
# 1. describe a clip by [functionals](../teaching/glossary.md#functionals), and say what they keep that mean MFCC do
#    not;
# 2. imitate other voices by [augmentation](../teaching/glossary.md#augmentation), and combine models that make
#    different errors;
# 3. say what per-speaker normalisation gains, and what it requires;
# 4. say what a test on two speakers can and cannot show.

# %% [markdown]
# This notebook needs `serlib` for training, comparing, playing and drawing.

# %%
from dataclasses import replace

import pandas as pd
from IPython.display import display

import serlib
from serlib import audio, augment, corpora, features, plots, splits, widgets
from serlib.evaluation.similarity import emotion_similarity
from serlib.experiments.comparison import compare
from serlib.experiments.people import on_people
from serlib.features.normalisation import PER_SPEAKER, who_speaks
from serlib.utils import home

# %% [markdown]
# All settings:

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
SEEDS = (0,)  # more seeds show how much is luck
EPOCHS = 10 if CORPUS == "sample" else None  # None: each recipe's own
JOBS = 1 if CORPUS == "sample" else None  # trainings at the same time; None: one a core

# %% [markdown]
# Which corpus we use:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
print(len(index), "clips,", index.speaker.nunique(), "speakers,", index.label.nunique(), "emotions")

# %% [markdown] tags=["slide"]
# ## Functionals: more than the mean
#
# The mean of the MFCC says how a voice sounds on average. How it changes is lost: rising or falling, varied or
# monotonous, fast or slow. *Functionals* are statistics that keep it: mean, spread, percentiles, slope and others. Each
# column of the frames (log-mel, MFCC, loudness, noise, pitch) becomes some thirty numbers. In their names, `p5` is the
# fifth percentile, `delta` the change from frame to frame, `crossings` how often the mean is crossed; `repeat_8` says
# how alike frames are that lie eight frames apart (rhythm), and `voiced` means the frames in which the vocal folds
# vibrate.

# %%
spec = serlib.SPECS["functionals"]
print(f"{len(features.names(features.frames_of(spec)))} columns a frame, {len(features.names(spec))} numbers a clip:")
print(", ".join(spec.summary))

# %% [markdown] tags=["slide"]
# ## Augmentation: imitate other voices
#
# With one voice to learn from, a model cannot tell what belongs to the voice and what to the emotion.
# [Augmentation](../teaching/glossary.md#augmentation) adds changed copies of the training clips: with longer and
# shorter [vocal tracts](../teaching/glossary.md#vocal-tract), higher and lower voices, other levels and tempi. The
# label stays the same; only *[mixup](../teaching/glossary.md#mixup)* mixes two clips and their labels in the same
# proportion (Zhang et al. 2017). The frames of one clip under each change (a change of pitch is in a column of its own,
# which is not shown):

# %%
clip = index.iloc[0]
mel = serlib.FeatureSpec(rate_hz=16000, frame=512, hop=256, n_mels=64, kinds=("logmel",), duration_s=4, frames=250)
pair = serlib.extract(index[:2], mel).values
title = plots.honest("What feature augmentation makes of a clip", CORPUS)
plots.show(plots.augmented(augment.feature_examples(pair, mel, seed=0), hop_s=mel.hop / mel.rate_hz, title=title))

# %% [markdown]
# Changes of the waveform can be heard. Listen whether the emotion stays the same:

# %%
display(widgets.players(augment.examples(*audio.load(clip.speech), seed=0)))

# %% [markdown] tags=["slide"]
# Our own recipe is a committee of two models. The first gets functionals, of each clip and of eight changed copies of
# it, and has one wide layer. The second reads the frames of clips and copies with
# *[convolutions](../teaching/glossary.md#convolution)* (small filters that slide over them), a
# *[GRU](../teaching/glossary.md#gru)* (a smaller relative of the LSTM) and
# *[attention](../teaching/glossary.md#attention)* (a mean over the frames whose weights the network computes). Their
# probabilities are multiplied: where one is unsure, the other decides. The layers of both, and the changes that each
# copy goes through:

# %%
ours = serlib.RECIPES["committee"]
for member in ours.members:
    print(member.name, *member.build.to_list(), sep="\n  ")
print("changes of a copy", *ours.members[0].augment[0].frames, sep="\n  ")

# %% [markdown] tags=["slide"]
# ## Step by step
#
# Each speaker (or each sixth of them) is left out in turn
# ([leave-one-speaker-out](../teaching/glossary.md#leave-one-speaker-out)), and all answers are judged together, as in
# any [cross-validation](../teaching/glossary.md#cross-validation). We start with system A of notebook 05. Then we add
# functionals, the changed copies, and the second model. The last step trains nothing: it adjusts the answers of the
# committee until, over all clips of a speaker, each emotion occurs as often as in training
# ([matching](../teaching/glossary.md#matching)).

# %%
first = ours.members[0]
plain = replace(first, name="functionals-plain", augment=first.augment[1:])  # without the copies
chosen = [serlib.RECIPES["lstm-256"], plain, first, ours]
kind = next(iter(splits.possible(index, ["speaker", "text", "random"])))  # by speaker, where speakers are known
root = home() / "checkpoints" / f"07-{CORPUS}-{EPOCHS or 'all'}epochs"  # other settings are kept apart
comparison = compare(index, chosen, splits=(kind,), seeds=SEEDS, epochs=EPOCHS, match=True, root=root, jobs=JOBS)

# %% [markdown]
# What each step gains, over all speakers and for the first two of them:

# %% tags=["trained"]
steps = {
    "A: mean MFCC": "lstm-256",
    "functionals": "functionals-plain",
    "warped copies": "functionals",
    "two together": "committee",
    "matched by speaker": "committee+matched",
}
reports = comparison.reports
reports = {name: reports[kind, recipe] for name, recipe in steps.items() if (kind, recipe) in reports}
rows = {}
for name, report in reports.items():
    low, high = report.ci95["uar"]
    speakers = report.per_speaker.uar.head(2).map("{:.0%}".format)
    rows[name] = {"UAR": f"{report.uar:.0%}", "interval": f"{low:.0%} to {high:.0%}", **speakers}
display(pd.DataFrame.from_dict(rows, orient="index"))
last = [*reports][-1]
if last == "matched by speaker":
    print(f"The last step is {PER_SPEAKER}")

# %% [markdown] tags=["slide"]
# The same as a picture:

# %% tags=["trained"]
tested = "A new voice" if kind == "speaker" else f"New clips ({kind} split)"
plots.show(plots.splits_compared(reports, metric="uar", title=f"{tested}: step by step", by="Step"))
gain = reports[last].uar - reports["A: mean MFCC"].uar
assert CORPUS != "tess" or gain > 0, "the steps do not bring the new voice back"
if CORPUS == "sample":
    assert gain > 0.4, "the steps do not bring the new voice back"
    assert reports["warped copies"].uar > reports["functionals"].uar + 0.05, "the copies do not help"

# %% [markdown]
# On the sample corpus the steps gain too much: its two synthetic voices differ in just what the copies change. People
# differ in more ways; the table at the end has what the steps gain on TESS and RAVDESS. Not every step has to gain
# something: where the second model is weaker than the first, the two together can be worse than the first alone.
#
# The last step is of another kind. For a voice that it has never heard, a model answers some emotions too often; so for
# this speaker each emotion gets an offset, until all occur as often as they should. That requires clips of the test
# speaker in all moods, without labels. A call centre has them; for a single recording there are none. And the clips of
# a speaker who is always sad would be spread over all emotions. Therefore a figure of this kind always says so: by a
# star in pictures and in RESULTS.md, by `+matched` in the name.
#
# The confusion matrix shows which emotions of the new voice are still missed:

# %% tags=["trained"]
plots.show(plots.confusion(reports[last], title=f"{tested}: {last}"))
weakest = reports[last].per_class.recall
print(f"weakest emotion: {weakest.idxmin()}, {weakest.min():.0%} recognised")

# %% [markdown] tags=["slide"]
# ## Do two speakers express an emotion in the same way?
#
# An emotion can be missed because the model is weak, or because the speakers differ. To find out, remove the voice
# from each clip: [z-score](../teaching/glossary.md#z-score) every number over all clips of its speaker. (This is the
# other kind of per-speaker normalisation, of features instead of answers; the recipe `functionals-speaker` uses it.)
# An emotion is then a direction: how the speaker departs from their usual way of speaking. If two voices express it
# in the same way, the cosine between the directions is near 1, on the diagonal. A frame marks the largest value of
# each row: if it is off the diagonal, this emotion of one voice is closer to *another* emotion of the other voice,
# and a model will confuse the two. (Neutral is close to the usual way of speaking, so its direction is not reliable.)

# %%
speakers = sorted(set(who_speaks(index)))
if len(speakers) > 1:
    one, other = speakers[:2]
    cosines = emotion_similarity(serlib.extract(index, spec).values, index, one, other)
    plots.show(plots.similarity(cosines, one=one, other=other, corpora=[CORPUS]))
else:
    print("needs two speakers")

# %% [markdown]
# [RESULTS.md](../RESULTS.md) has this table for TESS: *happy* of the second speaker is like *angry* of the first one,
# and *happy* of the first one is like *ps* of the second. With both speakers in training, each is recognised without an
# error. The two actors express the same emotion in different ways, and a model that is trained on one of them cannot
# know that.

# %% [markdown]
# ## More voices
#
# One remedy is to train on more voices. If TESS and RAVDESS are both on this machine, each speaker of TESS is left
# out in turn, and the other one trains together with the 24 actors of RAVDESS.

# %% tags=["trained"]
if CORPUS == "tess" and corpora.present("ravdess"):
    both = serlib.index(["tess", "ravdess"], [corpora.find("tess"), corpora.find("ravdess")])
    split = "speaker:tess/OAF,tess/YAF"
    more = compare(both, [ours], splits=(split,), seeds=SEEDS, epochs=EPOCHS, match=True, root=root, jobs=JOBS)
    for row in more.table.itertuples():
        print(f"{row.recipe:20} UAR {row.uar:.0%}, weakest emotion {row.weakest} {row.min_recall:.0%}")
else:
    print("needs TESS and RAVDESS; the last table of this notebook shows what was measured with both")

# %% [markdown] tags=["slide"]
# ## What a test on two speakers cannot show
#
# The intervals above were drawn over words, or over few voices: they say how the figure would change with other words
# of these voices, not with a third voice. Compare the lowest with the highest UAR of a speaker: a third voice may lie
# as far from both. To claim more, record more people.

# %% tags=["trained"]
rows = {}
for name, report in reports.items():
    spread = report.per_speaker.uar
    rows[name] = {
        "speakers": len(spread),
        "lowest": f"{spread.min():.0%}",
        "highest": f"{spread.max():.0%}",
        "interval drawn over": f"{report.resampled_by}s",
    }
    assert kind != "speaker" or len(spread) == index.speaker.nunique(), "a speaker was not left out"
display(pd.DataFrame.from_dict(rows, orient="index"))

# %% [markdown] tags=["slide"]
# ## Measured on people
#
# The steps on new voices of TESS and RAVDESS, UAR in per cent, from `bench/accuracy.py`. Recipes with `+matched` and
# `-speaker` use other clips of the test speaker, without labels. In the last column the actors of RAVDESS train
# together with the other speaker of TESS: this helps where the answers are matched by speaker, and not otherwise. A
# likely reason: another corpus differs in more than its voices, for instance in room, level and sentences.

# %%
recipes = ["lstm-256", "functionals", "functionals-speaker", "functionals+matched", "committee", "committee+matched"]
together = "speaker:tess/OAF,tess/YAF"
table = on_people(recipes, splits=("speaker", together)).set_index("recipe")
table.rename(columns={f"tess+ravdess, {together}": "tess, speaker, with ravdess"})

# %% [markdown]
# There is another way to learn from many voices: an [encoder](../teaching/glossary.md#encoder) that somebody else has
# trained on a great many of them. It is used as it is, [frozen](../teaching/glossary.md#frozen), with a [linear
# probe](../teaching/glossary.md#linear-probe) on top, or trained further by
# [fine-tuning](../teaching/glossary.md#fine-tuning). Notebook 08 opens one.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Functionals keep how a clip changes: trends, spreads, rhythm, and the course of the voice.
# 2. Changed copies imitate other voices; they change what belongs to the speaker and keep what belongs to the
#    emotion. A second model that makes other errors can help (on RAVDESS the committee is better than its first
#    member), but need not (on TESS it is not).
# 3. Per-speaker normalisation, of features or of answers, requires clips of the test speaker; a figure with it says so.
# 4. An interval over words says nothing about voices: two speakers cannot stand for all others. More voices in training
#    can help, but voices of another corpus differ in more than the speaker.
