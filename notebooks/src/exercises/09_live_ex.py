# %% [markdown]
# # Exercises 09: answers while somebody speaks
#
# For [notebook 09](../notebooks/09_live.ipynb). **Running time**: seconds.
# **Data**: none for the checks; your own takes where there is a microphone.

# %%
import numpy as np
import pandas as pd
from IPython.display import display

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 9.1 A budget for the delay
#
# A microphone delivers pieces of `piece_s` seconds. Every `every_s` seconds (a whole number of pieces) the model is
# asked about the sound so far. The way to it takes `transport_s`, its answer `compute_s`. Return how many seconds
# pass, in the worst case, between a sound and the first answer that takes it into account.


# %%
def worst_delay(piece_s, every_s, transport_s, compute_s):
    ### BEGIN SOLUTION
    return every_s + transport_s + compute_s
    ### END SOLUTION


check("9.1", worst_delay)

# %% [markdown]
# ## 9.2 Windows along a recording
#
# A recording lasts `length_s` seconds, at least one window. Return the starts of windows of `window_s` seconds, one
# every `hop_s` seconds. The windows must cover the whole recording and nothing beyond it, so the last one may start a
# little earlier.


# %%
def windows(length_s, window_s, hop_s):
    ### BEGIN SOLUTION
    last = length_s - window_s
    starts = list(np.arange(0, last + 1e-9, hop_s))
    if last - starts[-1] > 1e-6:
        starts.append(last)
    return starts
    ### END SOLUTION


check("9.2", windows)

# %% [markdown]
# ## 9.3 From windows to stretches
#
# `labels` are the answers along a recording, one every `hop_s` seconds. Join equal neighbours: return a list of
# `(start_s, end_s, label)`.


# %%
def stretches(labels, hop_s):
    ### BEGIN SOLUTION
    joined = []
    for number, label in enumerate(labels):
        if joined and joined[-1][2] == label:
            joined[-1] = (joined[-1][0], (number + 1) * hop_s, label)
        else:
            joined.append((number * hop_s, (number + 1) * hop_s, label))
    return joined
    ### END SOLUTION


check("9.3", stretches)

# %% [markdown]
# ## 9.4 Your own confusion
#
# Ten takes of yours: `meant` is what you meant, `heard` what the model said, which may also be `"unsure"`. Return a
# DataFrame with a row for each label of `labels`, a column for each and one for `unsure`, each row in shares.


# %%
def confusion(meant, heard, labels):
    ### BEGIN SOLUTION
    names = {"rownames": ["meant"], "colnames": ["heard"]}
    table = pd.crosstab(np.array(meant), np.array(heard), normalize="index", **names)
    return table.reindex(index=labels, columns=[*labels, "unsure"], fill_value=0)
    ### END SOLUTION


check("9.4", confusion)

# %% [markdown]
# Record ten takes in notebook 09 (*Save this take*), and fill in the two lists. Where there is no microphone, take
# clips of a corpus: `serlib.Recognizer(run).predict(path).label` says what was heard, as in notebook 05.

# %%
meant = ["angry", "angry", "sad", "sad", "happy", "happy"]  # put yours here
heard = ["angry", "unsure", "sad", "neutral", "angry", "happy"]
table = confusion(meant, heard, sorted(set(meant)))
if table is not None:
    display(table.round(2))

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
