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
# # 10 Limits: what a recogniser cannot know
#
# What an emotion recogniser cannot know, whom it recognises badly, what the law forbids, and how a [model
# card](../teaching/glossary.md#model-card) says all that on one page.
#
# **Running time**: a quarter of a minute on the sample corpus, a minute or two on RAVDESS. **Data**: TESS where it is
# present, otherwise the sample corpus; for the section on gender, RAVDESS is best (`SERLIB_CORPUS=ravdess`).
#
# After this notebook you can
#
# 1. say what the labels of a corpus mean, and why most alarms are false if an emotion is rare;
# 2. measure whether one group of speakers is recognised worse than another, with an interval;
# 3. say which uses of emotion recognition the EU AI Act forbids, and which it classifies as high-risk;
# 4. record a class with its consent;
# 5. read and write a [model card](../teaching/glossary.md#model-card).

# %% [markdown]
# scikit-learn trains a simple model, which takes seconds; `serlib` has the clips and judges the answers.

# %%
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import serlib
from serlib import plots

# %% [markdown]
# All settings:

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
FEATURES = "mfcc40-mean"  # any of serlib.SPECS that gives one row a clip
FOLDS = 6  # groups of speakers that are left out in turn; fewer if there are fewer speakers
RECALL = 0.8  # the share of angry callers that the imagined model of the first section finds
FALSE_ALARMS = 0.1  # the share of the other callers for which it raises an alarm

# %% [markdown]
# Which corpus we use:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
print(len(index), "clips,", index.speaker.nunique(), "speakers,", index.label.nunique(), "emotions")

# %% [markdown] tags=["slide"]
# ## Acted and lived emotion
#
# In TESS and RAVDESS, actors say a given sentence in a given emotion. So a label says what the actor *was asked to
# express*. Nobody measured what anybody felt, and faces and voices show feelings less reliably than most people think
# (Barrett et al. 2019). Acted emotions are also clearer than spontaneous ones, and all of them occur about equally
# often:

# %%
index.label.value_counts(normalize=True, sort=False).round(2).to_frame("share of the clips")

# %% [markdown]
# In daily life most speech is neutral. Imagine a model that finds most angry callers and raises an alarm for few of the
# others. One caller in fifty is angry. Before you read the output, guess which share of the alarms is right:


# %%
def right_alarms(prevalence):
    right = RECALL * prevalence
    wrong = FALSE_ALARMS * (1 - prevalence)
    return right / (right + wrong)


for share in (0.5, 0.1, 0.02):
    print(f"{share:4.0%} of the callers are angry: {right_alarms(share):.0%} of the alarms are right")

# %% [markdown]
# The model is the same in all three lines. Before you believe an alarm, ask for the
# *[prevalence](../teaching/glossary.md#prevalence)*: how frequent the emotion is where the model is used. A figure that
# was measured on a balanced corpus does not say.

# %% [markdown] tags=["slide"]
# ## Groups of speakers: who is recognised worse?
#
# A mean over all speakers can hide a group that is recognised badly. We train a simple model, leave speakers out in
# turn so that every answer is about a new voice, and judge each group by itself.

# %%
x = serlib.extract(index, FEATURES).values
labels = sorted(index.label.unique())
voices = index.speaker.nunique()
folds = GroupKFold(min(FOLDS, voices)) if voices > 1 else KFold(FOLDS, shuffle=True, random_state=0)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
answers = cross_val_predict(model, x, index.label, groups=index.speaker, cv=folds, method="predict_proba")
print(
    f"{folds.get_n_splits()} folds,",
    "no voice in training and test" if voices > 1 else "by clip: no speakers are known",
)

# %% [markdown]
# In RAVDESS actors with an odd number are men, those with an even number women. In other corpora we compare single
# voices.


# %%
def group_of(speaker):
    if CORPUS == "ravdess":
        return "men" if int(speaker[-2:]) % 2 else "women"
    return f"voice {speaker}"


group = index.speaker.map(group_of).to_numpy()
reports = {}
for name in sorted(set(group))[:4]:
    rows = group == name
    clips = index[rows]
    if CORPUS != "ravdess":
        clips = clips.drop(columns="speaker")  # a group of one voice: the interval is drawn over words
    reports[name] = serlib.score(clips, answers[rows], labels)
for name, report in reports.items():
    low, high = report.ci95["uar"]
    print(f"{name}: UAR {report.uar:.0%} [{low:.0%}, {high:.0%}], resampled by {report.resampled_by}")

# %% [markdown] tags=["slide"]
# The same as a picture. Be careful with conclusions: groups whose intervals overlap may still differ, and a difference
# may come from the few people who were recorded rather than from the group.

# %%
plots.show(plots.splits_compared(reports, metric="uar", title="Each group by itself", by="Group"))

# %% [markdown]
# The emotion that differs most between the first two groups:

# %%
if len(reports) > 1:
    first, second = list(reports)[:2]
    difference = (reports[first].per_class.recall - reports[second].per_class.recall).dropna()
    worst = difference.abs().idxmax()
    print(
        f"{worst}: recall {reports[first].per_class.recall[worst]:.0%} in {first}, "
        f"{reports[second].per_class.recall[worst]:.0%} in {second}"
    )
else:
    print("needs two speakers")
if CORPUS == "sample":
    print("Both voices are synthetic: this shows how to measure, and nothing about women and men.")

# %% [markdown] tags=["slide"]
# ## What the law says
#
# In the European Union the AI Act ([Regulation 2024/1689](https://eur-lex.europa.eu/eli/reg/2024/1689/oj)) applies to
# systems that infer emotions from voices or faces (Article 3, number 39). This is a reading aid and no legal advice:
#
# | use | what the act says | where |
# | --- | --- | --- |
# | at work (applicants included) and in education | forbidden, except for medical or safety reasons | Article 5 (1) f |
# | elsewhere, for instance on customers | high-risk: documentation, oversight, registration | Annex III, 1 c |
# | wherever it is allowed | the people exposed to it must be informed | Article 50 (3) |
# | developed solely for scientific research | outside the regulation | Article 2 (6) |
#
# So it is forbidden to infer the emotions of pupils or employees, for instance to see how attentive or how friendly
# they are, however accurate the model may be. Consent does not change that. Other countries have other laws; ask before
# you record.

# %% [markdown] tags=["slide"]
# ## Recording a class
#
# A recorded voice is personal data (in Europe, under the General Data Protection Regulation). Before the first take
#
# - say what the recordings are for, who will hear them, where they are kept and on which day they will be deleted;
# - get the written consent of each person, and of the parents of minors;
# - treat those who say no exactly like the others, in marks and otherwise: they work with the sample corpus.
#
# And afterwards
#
# - use pseudonyms in file names, and keep the list of names in another place;
# - keep the recordings on machines of the school, out of git and out of cloud notebooks;
# - delete them on the day that you named, and confirm that you did.
#
# The index lists all recordings, so that pseudonyms can be assigned in one line:

# %%
recordings = index.assign(pseudonym=pd.factorize(index.speaker)[0] + 1)
recordings = recordings.groupby("pseudonym").agg(clips=("speech", "size"), seconds=("duration_s", "sum"))
recordings.head(3).round().astype(int)

# %% [markdown] tags=["slide"]
# ## A model card
#
# A model card (Mitchell et al. 2019) says on one page what a model was trained on, how it was tested, and what it must
# not be used for. When you read one, look for four things: whose voices, which split, the interval, and what is
# forbidden. When you write one, let code copy every figure from the report, so that none is mistyped. A full one is the
# [card of the model that comes with serlib](../serlib/pretrained/README.md).

# %%
everybody = serlib.score(index, answers, labels)
low, high = everybody.ci95["uar"]
limits = {"sample": "no human voice at all", "folder": "only the people in these recordings"}
card = {
    "model": f"logistic regression on {FEATURES}",
    "data": f"{serlib.CORPORA[CORPUS].title}, {len(index)} clips",
    "tested on": f"{voices} speakers, each left out of training" if voices > 1 else "clips of unknown speakers",
    "UAR": f"{everybody.uar:.0%} [{low:.0%}, {high:.0%}], resampled by {everybody.resampled_by}",
    "weakest emotion": f"{everybody.per_class.recall.idxmin()}, {everybody.per_class.recall.min():.0%} recognised",
    "not for": "judging people; at work and in education it is forbidden",
    "limits": limits.get(CORPUS, "acted emotions, recorded in a quiet room"),
}
assert np.isfinite(everybody.uar)
pd.options.display.max_colwidth = 100
pd.Series(card, name="model card").to_frame()

# %% [markdown]
# Discuss for what you would use a model with this card, and for what you would not.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. A label says what an actor was asked to express. If an emotion is rare, most alarms are false, even of a good
#    model.
# 2. Each group is judged by itself, with an interval over its speakers; a mean over all hides who is recognised worse.
# 3. The AI Act forbids emotion recognition at work and in education, except for medical and safety reasons; elsewhere
#    it is high-risk, and people must be informed.
# 4. Consent comes first: what the recordings are for, who listens, until when, and no disadvantage for those who say
#    no.
# 5. A model card names voices, split, interval and what the model must not be used for, with figures copied from the
#    report.
