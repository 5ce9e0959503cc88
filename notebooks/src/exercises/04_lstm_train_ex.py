# %% [markdown]
# # Exercises 04: parameters, roles, loss and overfitting
#
# For [notebook 04](../notebooks/04_lstm_train.ipynb). **Running time**: half a minute, most of it to load Keras.
# **Data**: none, each check draws its own.

# %%
import keras
import numpy as np

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 4.1 The parameters of an LSTM
#
# How many numbers does an LSTM with `units` units learn, when each step has `inputs` inputs?


# %%
def lstm_parameters(inputs, units):
    ### BEGIN SOLUTION
    of_one_gate = (inputs + units) * units + units
    return 4 * of_one_gate
    ### END SOLUTION


check("4.1", lstm_parameters)

# %% [markdown]
# ## 4.2 A split by speaker
#
# `clips` is a table with the columns `speaker` and `label`. Return one role for each clip, in the order of the table:
# train, validation or test. No speaker may be in two roles, and train gets most of the clips.


# %%
def split_by_speaker(clips):
    ### BEGIN SOLUTION
    speakers = sorted(clips.speaker.unique())
    roles = dict.fromkeys(speakers, "train")
    roles[speakers[0]] = "test"
    roles[speakers[1]] = "validation"
    return clips.speaker.map(roles)
    ### END SOLUTION


check("4.2", split_by_speaker)

# %% [markdown]
# ## 4.3 Softmax and cross-entropy
#
# The last layer gives a row of *logits* for each clip. Make probabilities of them (softmax) and return the mean
# cross-entropy of the right labels, which are given as numbers of columns. It must also work where the logits are
# large.


# %%
def cross_entropy(logits, labels):
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=1, keepdims=True)
    probabilities = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    of_right_label = probabilities[np.arange(len(labels)), labels]
    return -np.log(of_right_label).mean()
    ### END SOLUTION


check("4.3", cross_entropy)

# %% [markdown]
# ## 4.4 Choose an epoch
#
# `history` is the table of a training: one row an epoch, with `loss`, `accuracy`, `val_loss` and `val_accuracy`. Which
# epoch would you keep? The first one is number 1.


# %%
def best_epoch(history):
    ### BEGIN SOLUTION
    return int(history.val_loss.argmin()) + 1
    ### END SOLUTION


check("4.4", best_epoch)

# %% [markdown]
# ## 4.5 Make a model overfit
#
# To avoid a fault one must be able to make it. Build a Keras model, train it on `x` and the labels `y` (numbers from
# 0), and return what `fit` returns. At the end it should know its few training clips by heart while the loss on
# `x_val`, `y_val` has risen again.


# %%
def overfit(x, y, x_val, y_val):
    ### BEGIN SOLUTION
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.layers.Dense(128, activation="relu"), keras.layers.Dense(len(set(y)), activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model.fit(x, y, validation_data=(x_val, y_val), epochs=60, batch_size=40, verbose=0)
    ### END SOLUTION


check("4.5", overfit)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
