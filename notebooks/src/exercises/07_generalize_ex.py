# %% [markdown]
# # Exercises 07: towards a new voice
#
# For [notebook 07](../notebooks/07_generalize.ipynb). **Running time**: seconds. **Data**: none, each check draws its
# own.

# %%
import numpy as np

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 7.1 Noise at a given level
#
# Return a copy of the clip `y` with white noise whose power lies `snr_db` decibels below that of the clip. Draw the
# noise with `rng`. The clip itself must stay as it is: an augmentation makes a copy.


# %%
def add_noise(y, snr_db, rng):
    ### BEGIN SOLUTION
    noise = rng.normal(size=len(y))
    wanted = np.sqrt(np.mean(np.square(y, dtype=float))) * 10 ** (-snr_db / 20)
    return y + noise * wanted / np.sqrt(np.mean(noise**2))
    ### END SOLUTION


check("7.1", add_noise)

# %% [markdown]
# ## 7.2 z-scores without labels
#
# `x` has one row a clip. Give each column, over the clips of one speaker, the mean 0 and the standard deviation 1. No
# label is needed, but several clips of the speaker are. A column in which a speaker does not vary becomes 0.


# %%
def z_by_speaker(x, speaker):
    ### BEGIN SOLUTION
    z = np.zeros_like(x)
    for name in np.unique(speaker):
        rows = speaker == name
        spread = x[rows].std(axis=0)
        z[rows] = (x[rows] - x[rows].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return z
    ### END SOLUTION


check("7.2", z_by_speaker)

# %% [markdown]
# ## 7.3 Match the answers to their shares
#
# `probabilities` are a model's answers to the clips of one new speaker, one row a clip; `shares` says how often each
# emotion occurs. Find one factor for each label, the same for all clips, so that the mean probability of each label is
# its share. Return the new probabilities; each row adds up to one.


# %%
def match(probabilities, shares):
    ### BEGIN SOLUTION
    weights = np.ones(len(shares))
    for _ in range(500):
        answers = probabilities * weights
        answers /= answers.sum(axis=1, keepdims=True)
        weights *= shares / answers.mean(axis=0)
    return answers
    ### END SOLUTION


check("7.3", match)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
