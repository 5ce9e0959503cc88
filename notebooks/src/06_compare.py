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

# %% [markdown]
# # 06 Compare
#
# The published systems and two hybrids of them, trained on the same clips and asked the same questions.
#
# **Running time**: two minutes on the sample corpus; hours on TESS or RAVDESS, where every recipe is trained in
# full under every split. It resumes: what is trained is kept.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. say in what the five published systems differ: what they look at, how they are built, how long they learn;
# 2. compare recipes under several splits with one call that survives an interruption;
# 3. tell a difference between two recipes from chance, and know what that test takes for granted;
# 4. weigh what an accuracy costs: parameters, training time, the wait for an answer;
# 5. search for better settings without looking at the test.

# %% [markdown]
# Everything here is a plain function of `serlib`; the command `python -m serlib compare` calls the same ones.

# %%
from dataclasses import replace

import pandas as pd

import serlib
from serlib import plots
from serlib.experiments.comparison import compare
from serlib.experiments.people import on_people
from serlib.experiments.searching import search, usual_space
from serlib.plots import page
from serlib.utils import home, shown

# %% [markdown]
# All settings. On the sample corpus few words and short trainings do; elsewhere nothing is cut
# short. System B is A's network trained for longer, so the sample does without it.

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
SMALL = CORPUS == "sample"  # cut everything short
WORDS = 12 if SMALL else None  # how many of the words; None: all
SHARE = 1 / 5 if SMALL else 1  # of each recipe's epochs
SPLITS = ("published", "speaker:S1") if SMALL else None  # a name after a colon is left out; None: what can be made
LEFT_OUT = ("lstm-256-long",) if SMALL else ()  # recipes that are not trained here
SEEDS = (0,)  # more seeds show how much is luck
JOBS = 1 if SMALL else None  # trainings at the same time; None: one a core
TRIALS = 2 if SMALL else 20  # settings to try at the end

# %% [markdown]
# Which corpus we use, and how many clips of it we use:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
words = list(dict.fromkeys(index.text))[:WORDS]
index = index[index.text.isin(words)].reset_index(drop=True)
print(len(index), "clips,", index.speaker.nunique(), "speakers,", index.label.nunique(), "emotions")

# %% [markdown]
# ## What they look at
#
# Three published systems (A, B, C) see one mean spectrum a clip and read it as if it were a melody. D reads the clip
# frame by frame, E slides filters over a picture of it. The hybrids put E's filters before D's memory, and one of them
# lets the network choose the moments that it listens to. The last one is ours: notebook 07 takes it apart.

# %%
published = ("lstm-256", "lstm-256-long", "lstm-123", "stacked-lstm", "conv1d", "cnn-lstm", "attention")
chosen = [serlib.RECIPES[name] for name in (*published, "functionals") if name not in LEFT_OUT]
for recipe in chosen:
    print(f"{recipe.name:13} {recipe.title:33} {'+'.join(recipe.features.kinds):22} {recipe.epochs:4} epochs")

# %% [markdown]
# A recipe is data: to change it is to copy it with another value. Here every training is cut to a share of its epochs.

# %%
recipes = [replace(recipe, epochs=max(1, round(SHARE * recipe.epochs))) for recipe in chosen]

# %% [markdown]
# ## One call
#
# Every recipe, every split: trained, judged once on its test role, kept. *Published* splits at random and lets the test
# role serve as validation, as papers do. *Speaker* holds out a voice. Stop it whenever you like and call it again: it
# goes on with the epoch that it was in.

# %% tags=["trained"]
root = home() / "checkpoints" / f"06-{CORPUS}-{len(words)}words-{SHARE:.2f}"  # what cuts short is kept apart
found = compare(index, recipes, splits=SPLITS, seeds=SEEDS, root=root, jobs=JOBS)
table = found.table
kinds = [*dict.fromkeys(table["split"])]
print(len(table), "rows,", table.runs.sum(), "trainings")
for kind, why in found.left_out.items():
    print(f"left out: {kind} ({why})")
assert len(table) == len(recipes) * len(kinds), "a recipe or a split is missing"

# %% [markdown]
# Reported against measured: what the authors found on recordings of people stands beside what the corpus named above
# gives here. The interval is a bootstrap as in notebook 05; the weakest emotion shows what a mean hides. Can a model be
# worse than guessing? On a new voice it can: what told one voice's emotions apart may point to others in the next.

# %% tags=["trained"]
told = pd.DataFrame(
    {
        "split": table["split"],
        "recipe": table["recipe"],
        "reported": table["reported"].map(lambda x: "" if pd.isna(x) else f"{x:.0%}"),
        "accuracy": table["accuracy"].map("{:.0%}".format),
        "interval": [f"{a:.0%} to {b:.0%}" for a, b in zip(table["accuracy_low"], table["accuracy_high"], strict=True)],
        "weakest": [f"{a} {b:.0%}" for a, b in zip(table["weakest"], table["min_recall"], strict=True)],
    }
)
print(told.to_string(index=False))

# %% [markdown]
# The same as a picture. A stroke is what the authors reported, the dotted line is guessing. Look at the order of the
# recipes under the one question and under the other.

# %% tags=["trained"]
plots.show(plots.recipes_compared(table))
known, new = (table[table["split"] == kind].set_index("recipe")["uar"] for kind in (kinds[0], kinds[-1]))
new = new[known.index]
print(f"{(new < known).sum()} of {len(known)} recipes are worse under {kinds[-1]} than under {kinds[0]}")
if CORPUS in ("sample", "tess"):
    assert known.max() > 2 / index.label.nunique(), "hardly better than guessing: something is broken"
    assert new.mean() < known.mean()

# %% [markdown]
# ## The same on people
#
# The whole comparison on recordings of people, as far as it was measured (`bench/accuracy.py`, UAR in per cent): on new
# clips of known voices everybody is good at TESS, on new voices nobody is.

# %%
systems = ["lstm-256", "lstm-256-long", "lstm-123", "stacked-lstm", "conv1d", "cnn-lstm", "attention"]
print(on_people([*systems, "functionals", "committee"]).to_string(index=False))

# %% [markdown]
# ## More than chance?
#
# Two recipes answered the same clips. Where both are right or both are wrong, nothing tells them apart; [McNemar's
# test](../teaching/glossary.md#mcnemars-test) looks at the clips that only one of them gets right (McNemar 1947). Its
# *[p-value](../teaching/glossary.md#p-value)* says how likely a difference at least as large would be if neither were
# better. It takes clips for independent, which those of one voice are not: a small p is about this voice.
#
# <details><summary>The formula</summary>
#
# If $b$ clips speak for one and $c$ for the other, $b + c = n$, and coins are fair:
#
# $$p = 2 \sum_{k=0}^{\min(b, c)} \binom{n}{k} 2^{-n}$$
#
# The table uses the *mid-p* variant, which counts half of the outcome that was seen.
#
# </details>

# %% tags=["trained", "nbval-ignore-output"]
for pair in found.neighbours.itertuples():
    verdict = "more than chance" if pair.p_mid < 0.05 else "may be chance"
    print(f"{pair.split:10} {pair.better:13} {pair.only_a:3} : {pair.only_b:<3} {pair.worse:13} {verdict}")

# %% [markdown]
# ## What it costs
#
# Seconds belong to the machine that ran this: yours differ. The last column is what a user waits for: the model alone,
# for one clip whose features are there.

# %% tags=["trained", "nbval-ignore-output"]
cost = table[table["split"] == kinds[-1]].set_index("recipe")[["parameters", "epochs", "train_s", "ms_a_clip"]]
print(cost.astype({"parameters": int, "epochs": int}).round(1).rename_axis(index=None).to_string())
assert cost.parameters.idxmax() == "functionals"

# %% [markdown]
# ## Better settings, without looking
#
# A search trains with other settings again and again. The test role is cut off before it begins, so that what it finds
# is chosen on the validation role alone; the figure that wins is the best of many and too good to be expected again.

# %% tags=["trained"]
ours = replace(serlib.RECIPES["lstm-123"], epochs=4 if SMALL else 50)
roles = serlib.split(index, "random", seed=0)
best = search(usual_space(ours), roles, out=home() / "checkpoints" / f"06-{CORPUS}-search", trials=TRIALS)
print(f"{len(best.trials)} trials; the best: learning rate {best.best.learning_rate:.2g}, batch {best.best.batch_size}")

# %% [markdown]
# Learning rates are drawn on a logarithmic scale; later draws lean towards what went well. Give it your own space: a
# function that makes a recipe out of an Optuna trial.

# %% tags=["trained"]
print(best.trials.assign(value=best.trials["value"].round(2)).round(5).to_string(index=False))
assert best.value == best.trials["value"].max() and len(best.trials) == TRIALS

# %% [markdown]
# ## To keep
#
# The page holds the table, the figure and the tests; the tables are beside it as CSV and JSON.

# %%
print(shown(page.write_comparison(found, home() / "reports" / f"06-{CORPUS}-compare")))

# %% [markdown]
# ## What you have learned
#
# 1. A, B and C read a mean spectrum, D reads frames, E slides filters over a picture; the hybrids combine them.
# 2. `compare` trains every recipe under every split on the same clips, keeps what is finished and goes on where it
#    stopped; the ranking depends on the question that is asked.
# 3. McNemar's test looks at the clips on which two recipes part; with one new voice it speaks about that voice only.
# 4. The number of parameters tells neither how good a network is nor how fast: the largest here is one wide layer and
#    answers soonest, the slowest goes through a clip frame by frame.
# 5. Settings are searched on the validation role; the test role is asked once, at the end.
