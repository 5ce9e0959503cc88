# %% [markdown]
# # Exercises 08: what a pretrained encoder knows
#
# For [notebook 08](../notebooks/08_transfer.ipynb). **Running time**: half a minute, most of it to load Keras.
# **Data**: none, each check draws its own states.

# %%
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 8.1 From states to a clip
#
# `states` are those of one layer [shape=(clips, frames, d)], padded with zeros; `lengths` says how many frames of each
# clip are real. Return the mean of each column over the real frames, and beside it the standard deviation:
# [shape=(clips, 2 d)].


# %%
def pool(states, lengths):
    ### BEGIN SOLUTION
    rows = []
    for frames, length in zip(states, lengths, strict=True):
        real = frames[:length]
        rows.append(np.concatenate([real.mean(axis=0), real.std(axis=0)]))
    return np.array(rows)
    ### END SOLUTION


check("8.1", pool)

# %% [markdown]
# ## 8.2 Which layer?
#
# `layers` is a dictionary from the name of a layer to the pooled states of the *training* clips. A linear classifier
# is to recognise emotions of voices that it has never heard. Return the name of the layer that it should use. The
# test set is not given, and is not needed.


# %%
def best_layer(layers, labels, speakers):
    ### BEGIN SOLUTION
    classifier = LogisticRegression(max_iter=300)
    folds = GroupKFold(3)
    scores = {
        name: cross_val_score(classifier, x, labels, groups=speakers, cv=folds).mean() for name, x in layers.items()
    }
    return max(scores, key=scores.get)
    ### END SOLUTION


check("8.2", best_layer)

# %% [markdown]
# ## 8.3 Freeze the encoder
#
# `model` is a Keras model with a pretrained layer `encoder` and a new layer `head`. Return it so that training changes
# the head only.


# %%
def freeze(model):
    ### BEGIN SOLUTION
    model.get_layer("encoder").trainable = False
    return model
    ### END SOLUTION


check("8.3", freeze)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
