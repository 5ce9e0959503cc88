# %% [markdown]
# # Exercises 05: figures that can be trusted
#
# For [notebook 05](../notebooks/05_evaluate.ipynb). **Running time**: seconds. **Data**: none, each check draws its
# own.

# %%
import numpy as np

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 5.1 Unweighted average recall
#
# `meant` and `heard` are lists of labels, one entry a clip. Return the UAR over the emotions that were meant.


# %%
def uar(meant, heard):
    ### BEGIN SOLUTION
    meant, heard = np.array(meant), np.array(heard)
    recalls = [(heard[meant == label] == label).mean() for label in np.unique(meant)]
    return np.mean(recalls)
    ### END SOLUTION


check("5.1", uar)

# %% [markdown]
# ## 5.2 A bootstrap over speakers
#
# `correct` says of each clip whether the answer was right, `speaker` who spoke. Return the lower and the upper end of a
# 95-in-100 interval of the accuracy on *new speakers*. Draw with `rng`, a numpy Generator; 200 draws are enough.


# %%
def interval(correct, speaker, rng):
    ### BEGIN SOLUTION
    names = np.unique(speaker)
    clips_of = {name: correct[speaker == name] for name in names}
    accuracies = []
    for _ in range(200):
        drawn = rng.choice(names, len(names))
        accuracies.append(np.concatenate([clips_of[name] for name in drawn]).mean())
    return np.percentile(accuracies, [2.5, 97.5])
    ### END SOLUTION


check("5.2", interval)

# %% [markdown]
# ## 5.3 Expected calibration error
#
# Ten bins of equal width from 0 to 1. Is the model as sure as it should be?


# %%
def ece(confidence, correct):
    ### BEGIN SOLUTION
    bins = np.minimum((confidence * 10).astype(int), 9)
    error = 0.0
    for number in np.unique(bins):
        inside = bins == number
        gap = confidence[inside].mean() - correct[inside].mean()
        error += inside.mean() * abs(gap)
    return error
    ### END SOLUTION


check("5.3", ece)

# %% [markdown]
# ## 5.4 A threshold for ninety in a hundred
#
# The model may keep silent. Return the lowest threshold with which at least nine of ten answers are right (an answer is
# given where the confidence is at or above the threshold).


# %%
def threshold(confidence, correct):
    ### BEGIN SOLUTION
    order = np.argsort(-confidence)
    precision = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    last = np.flatnonzero(precision >= 0.9).max()
    return confidence[order][last]
    ### END SOLUTION


check("5.4", threshold)

# %% [markdown]
# ## 5.5 Name the leak
#
# `table` has a row for each clip, with `role`, `speaker`, `text` and `digest`; `chosen_on` is the role on which the
# best epoch was chosen. Return the set of what the test gives away: `"copies"` (a recording that is in train, too),
# `"speaker"`, `"text"`, `"selection"`; an empty set where nothing is wrong.


# %%
def leaks(table, chosen_on):
    ### BEGIN SOLUTION
    train, test = table[table.role == "train"], table[table.role == "test"]
    names = {"copies": "digest", "speaker": "speaker", "text": "text"}
    found = {name for name, column in names.items() if set(train[column]) & set(test[column])}
    if chosen_on == "test":
        found.add("selection")
    return found
    ### END SOLUTION


check("5.5", leaks)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
