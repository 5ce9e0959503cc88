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
# # 06 Compare: is one recipe better than another?
#
# The published systems, two hybrids of them and a recipe of our own, trained and tested on the same clips.
#
# **Running time**: two minutes on the sample corpus; hours on TESS or RAVDESS, where every recipe is trained in
# full under every split. It resumes: what is trained is kept.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. say how the five published systems differ: in their features, their layers, and the length of their training;
# 2. compare recipes under several splits with one call, which can be interrupted and resumed;
# 3. tell a real difference between two recipes from chance, and say what that test assumes;
# 4. compare what recipes cost: parameters, training time, the time for an answer;
# 5. search for better settings without using the test set.

# %% [markdown]
# Everything here is a plain function of `serlib`; the command `python -m serlib compare` calls the same ones.

# %%
from dataclasses import replace

import pandas as pd
from IPython.display import display

import serlib
from serlib import plots
from serlib.experiments.comparison import compare
from serlib.experiments.people import on_people
from serlib.experiments.searching import search, usual_space
from serlib.plots import page
from serlib.utils import home, shown

# %% [markdown]
# All settings. On the sample corpus we use few words and short trainings; on other corpora nothing is shortened. System
# B is A's network trained for longer, so it is left out on the sample corpus.

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
SMALL = CORPUS == "sample"  # shorten everything
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

# %% [markdown] tags=["slide"]
# ## The systems
#
# Three published systems (A, B, C) get the mean MFCC of a clip, and read them as if they were a sequence. D reads the
# clip frame by frame with an LSTM. E slides filters over its log-mel spectrogram: one-dimensional
# [convolutions](../teaching/glossary.md#convolution). The hybrids put convolutions before an LSTM; in one of them,
# [attention](../teaching/glossary.md#attention) lets the network weight the moments of the clip. The last one is ours:
# notebook 07 explains it.

# %%
published = ("lstm-256", "lstm-256-long", "lstm-123", "stacked-lstm", "conv1d", "cnn-lstm", "attention")
chosen = [serlib.RECIPES[name] for name in (*published, "functionals") if name not in LEFT_OUT]
pd.options.display.max_colwidth = 100
rows = [(recipe.name, recipe.title, ", ".join(recipe.features.kinds), recipe.epochs) for recipe in chosen]
pd.DataFrame(rows, columns=["recipe", "title", "features", "epochs"]).set_index("recipe")

# %% [markdown]
# A recipe only holds values: to change one, make a copy. Here every recipe gets a share of its epochs.

# %%
recipes = [replace(recipe, epochs=max(1, round(SHARE * recipe.epochs))) for recipe in chosen]

# %% [markdown] tags=["slide"]
# ## Every recipe under every split
#
# `compare` trains every recipe under every split and tests it once. The split *published* is random and uses the test
# set as validation set too, as the papers do; *speaker* leaves a voice out. You can stop it at any time and call it
# again: it continues with the epoch that it was in.

# %% tags=["trained"]
root = home() / "checkpoints" / f"06-{CORPUS}-{len(words)}words-{SHARE:.2f}"  # what cuts short is kept apart
comparison = compare(index, recipes, splits=SPLITS, seeds=SEEDS, root=root, jobs=JOBS)
table = comparison.table
kinds = [*dict.fromkeys(table["split"])]
print(len(table), "rows,", table.runs.sum(), "trainings")
for kind, why in comparison.left_out.items():
    print(f"left out: {kind} ({why})")
assert len(table) == len(recipes) * len(kinds), "a recipe or a split is missing"

# %% [markdown]
# The table shows what the authors reported on recordings of people, where they gave a figure, beside what we measure on
# the corpus named above. The interval is a bootstrap as in notebook 05: it is wide, since the test set is small, and
# where every answer is right it has no width, since no resampling can draw an error. The weakest emotion shows what a
# mean hides. On a new voice a model can be worse than guessing: a feature that belongs to one emotion in the first
# voice may belong to another emotion in the second.

# %% tags=["trained"]
overview = pd.DataFrame(
    {
        "split": table["split"],
        "reported": table["reported"].map(lambda x: "" if pd.isna(x) else f"{x:.0%}"),
        "accuracy": table["accuracy"].map("{:.0%}".format),
        "interval": table["accuracy_low"].map("{:.0%} to ".format) + table["accuracy_high"].map("{:.0%}".format),
        "weakest": table["weakest"] + table["min_recall"].map(" {:.0%}".format),
    }
)
display(overview.set_index(table["recipe"]))

# %% [markdown] tags=["slide"]
# The same as a picture. A black vertical stroke is what the authors reported, the dotted line is guessing. For each
# recipe compare its points: known voices on top, a new voice at the bottom.

# %% tags=["trained"]
plots.show(plots.recipes_compared(table))
known, new = (table[table["split"] == kind].set_index("recipe")["uar"] for kind in (kinds[0], kinds[-1]))
new = new[known.index]
print(f"{(new < known).sum()} of {len(known)} recipes are worse under {kinds[-1]} than under {kinds[0]}")
if CORPUS in ("sample", "tess"):
    assert known.max() > 2 / index.label.nunique(), "hardly better than guessing: something is broken"
    assert new.mean() < known.mean()

# %% [markdown] tags=["slide"]
# ## Measured on people
#
# The same comparison on recordings of people (UAR in per cent, from `bench/accuracy.py`). A column is a corpus and a
# split: *random* tests new clips of known voices, *speaker* new voices. `committee` is explained in notebook 07. With
# known voices every system is good at TESS, which has two of them; with new voices none is. RAVDESS has twenty-four
# voices and more emotions, and is hard for small networks even when the voices are known.

# %%
on_people([*published, "functionals", "committee"]).set_index("recipe")

# %% [markdown] tags=["slide"]
# ## Is a difference more than chance? McNemar's test
#
# Two recipes answered the same clips. Clips that both get right or both get wrong do not tell them apart; [McNemar's
# test](../teaching/glossary.md#mcnemars-test) looks at the clips that only one of them gets right (McNemar 1947). Its
# *[p-value](../teaching/glossary.md#p-value)* says how likely a difference at least as large would be if neither were
# better. The test assumes that clips are independent, which clips of one voice are not: a small p-value holds for this
# voice only. Here each recipe is compared with the next best one; *only first* counts the clips that the better one
# alone gets right, *only second* those that the other one alone gets right, and `p` is rounded (0.0 is below 0.0005).
#
# <details><summary>The formula</summary>
#
# Let $b$ clips speak for one recipe and $c$ for the other, $b + c = n$. If neither were better, each of the $n$ clips
# would fall to either side like a fair coin:
#
# $$p = 2 \sum_{k=0}^{\min(b, c)} \binom{n}{k} 2^{-n}$$
#
# The table uses the *mid-p* variant, which counts the probability of the observed outcome only half.
#
# </details>

# %% tags=["trained", "nbval-ignore-output"]
pairs = comparison.neighbours.rename(columns={"better": "first", "worse": "second"})
pairs = pairs.rename(columns={"only_a": "only first", "only_b": "only second", "p_mid": "p"})
pairs["verdict"] = ["more than chance" if p < 0.05 else "may be chance" for p in pairs["p"]]
columns = ["split", "first", "second", "only first", "only second", "p", "verdict"]
pairs[columns].round(3).set_index("split")

# %% [markdown] tags=["slide"]
# ## What it costs
#
# The times are those of the machine that ran this notebook; yours differ. `train_s` is the training in seconds,
# `ms_a_clip` the time for an answer in milliseconds: of the model alone, for one clip whose features are already
# computed.

# %% tags=["trained", "nbval-ignore-output"]
cost = table[table["split"] == kinds[-1]].set_index("recipe")[["parameters", "epochs", "train_s", "ms_a_clip"]]
display(cost.astype({"parameters": int, "epochs": int}).round(1))
assert cost.parameters.idxmax() == "functionals"

# %% [markdown] tags=["slide"]
# ## Search for better settings
#
# A search trains again and again with other settings. The test set is removed before it begins, so that the settings
# are chosen on the validation set alone. The best validation accuracy is the best of many, so expect less on the test
# set.

# %% tags=["trained"]
ours = replace(serlib.RECIPES["lstm-123"], epochs=4 if SMALL else 50)
roles = serlib.split(index, "random", seed=0)
best = search(usual_space(ours), roles, out=home() / "checkpoints" / f"06-{CORPUS}-search", trials=TRIALS)
print(f"{len(best.trials)} trials; the best: learning rate {best.best.learning_rate:.2g}, batch {best.best.batch_size}")

# %% [markdown]
# All trials. Learning rates are drawn on a logarithmic scale; after the first ten trials, draws prefer values near
# those that went well. (On the sample corpus there are too few trials to learn from.) You can search other settings
# with a function that makes a recipe from an Optuna trial.

# %% tags=["trained"]
accuracy = best.trials["value"].round(2)
trials = best.trials.drop(columns="value").round(5).assign(**{"validation accuracy": accuracy})
display(trials.set_index("trial"))
assert best.value == best.trials["value"].max() and len(best.trials) == TRIALS

# %% [markdown]
# ## Keep the comparison
#
# The page holds the table, the figure and the tests; the tables are beside it as CSV and JSON.

# %%
print(shown(page.write_comparison(comparison, home() / "reports" / f"06-{CORPUS}-compare")))

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. A, B and C read mean MFCC, D reads frames, E slides filters over a log-mel spectrogram; the hybrids combine them.
# 2. `compare` trains every recipe under every split on the same clips, keeps what is finished and continues where it
#    stopped. Which recipe is best depends on the split.
# 3. McNemar's test looks at the clips that only one of two recipes gets right; with one new voice it holds for that
#    voice only.
# 4. The number of parameters tells neither how good a network is nor how fast: the largest here is one wide layer and
#    among the quickest, the slowest go through a clip frame by frame.
# 5. Settings are searched on the validation set; the test set is used once, at the end.
