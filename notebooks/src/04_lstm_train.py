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
# # 04 Train an LSTM
#
# We build a published network layer by layer, decide which clips it learns from and which will test it, and train it.
#
# **Running time**: under a minute on the sample corpus, three minutes on TESS. **Data**: TESS where it is
# present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. read the layers of the network and count its parameters by hand;
# 2. say what each kind of split lets a model know about its test clips before the test;
# 3. train in plain Keras and with `serlib`, read the curves, and see a model overfit;
# 4. stop a training and go on with it, without losing an [epoch](../teaching/glossary.md#epoch);
# 5. open the folder that a training leaves, and check that the model in it still answers as it did.

# %% [markdown]
# Keras builds and trains the network; `serlib` has what more than one notebook needs.

# %%
import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import pandas as pd
from keras import layers

import serlib
from serlib import plots, splits
from serlib.utils import home, shown

# %% [markdown]
# All settings:

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
RECIPE = "lstm-256"  # published system A; lstm-256-long and lstm-123 are B and C
KEEP = "best"  # which epoch's weights: last, as tutorials do, or best on the validation role
SPLIT = "random"  # who is tested: random, text, speaker, speaker+text, or published
SEED = 0  # another seed: other first weights, another order, other clips in the test
SAMPLE = dict(batch_size=32, epochs=60, learning_rate=0.002, schedule="cosine", label_smoothing=0.1)  # few clips
SETTINGS = SAMPLE if CORPUS == "sample" else {}  # instead of the recipe's; explained below
PLAIN_EPOCHS = 10  # at most, in the plain Keras way
FEW_CLIPS = 40  # how many clips the network overfits
NAME = "-".join(map(str, ["04", CORPUS, RECIPE, KEEP, *SETTINGS.values(), f"seed{SEED}"]))  # each choice trains apart

# %% [markdown]
# Which corpus we use, and how many clips it has:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
print(len(index), "clips,", index.speaker.nunique(), "speakers,", index.label.nunique(), "emotions")

# %% [markdown] tags=["slide"]
# ## The network, layer by layer
#
# This project re-creates five published systems. Three of them feed the forty mean MFCC of notebook 03 to an
# [LSTM](../teaching/glossary.md#lstm), a network made for sequences, one number after the other, as if they were forty
# moments in time. They are not: the mean over time has thrown time away, and the "sequence" runs from the coarse shape
# of the spectrum to its finest details. It works on TESS all the same, which says more about TESS than about LSTMs.
#
# What the layers do:
#
# - *LSTM* reads the forty numbers one by one and carries a state along, its memory of what came before;
# - *[Dropout](../teaching/glossary.md#dropout)* sets a random part of the numbers to zero at each step of the training,
#   so that the network does not rely on a single one;
# - *Dense* computes a weighted sum for each of its units; *[ReLU](../teaching/glossary.md#relu)* then turns negative
#   sums into zero;
# - *[Softmax](../teaching/glossary.md#softmax)* turns the last seven numbers into probabilities: none is negative, and
#   they add up to one.
#
# The parameters are the weights of these sums. Training changes them; everything else is fixed. The first weights are
# random, and the seed makes them the same at each run.

# %%
keras.utils.set_random_seed(SEED)
model = keras.Sequential(
    [
        keras.Input((40,), name="mean_mfcc"),
        layers.Reshape((40, 1)),
        layers.LSTM(256),
        layers.Dropout(0.3),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(index.label.nunique(), activation="softmax"),
    ]
)
rows = [(type(layer).__name__, str(layer.output.shape), layer.count_params()) for layer in model.layers]
pd.DataFrame(rows, columns=["layer", "output", "parameters"]).set_index("layer")

# %% [markdown] tags=["slide"]
# Inside the LSTM there are three gates, numbers between zero and one. The forget gate decides how much of the old state
# is kept, the input gate how much of a newly computed state, the *candidate*, is added, and the output gate how much of
# the result is given out (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000).

# %%
plots.show(plots.gates())

# %% [markdown]
# <details><summary>The formulas</summary>
#
# With the sigmoid $\sigma(a) = 1 / (1 + e^{-a})$ and products taken element by element:
#
# $$f = \sigma(W_f x + U_f h + b_f) \quad i = \sigma(W_i x + U_i h + b_i) \quad o = \sigma(W_o x + U_o h + b_o)$$
#
# $$g = \tanh(W_g x + U_g h + b_g) \quad c' = f c + i g \quad h' = o \tanh(c')$$
#
# Softmax of the [logits](../teaching/glossary.md#logit) $z$, and the
# [cross-entropy](../teaching/glossary.md#cross-entropy) of the right label $y$:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} \quad L = -\ln p_y$$
#
# </details>
#
# Each of the three gates, and the candidate as the fourth, is computed for each unit from one input, from all outputs
# of the step before, and from a constant, the *bias*. So we can count the parameters by hand, and Keras must agree.

# %%
units, inputs = 256, 1
by_hand = 4 * ((inputs + units) * units + units)
print(f"{by_hand:,} by hand, {model.layers[1].count_params():,} counted by Keras")
assert by_hand == model.layers[1].count_params()

# %% [markdown]
# `serlib` keeps the same network as a *recipe*: features, layers and settings under one name, so that the commands and
# the other notebooks train the same model. The authors of system C published its number of parameters; ours must agree.
#
# The sample corpus has settings of its own, because its clips are few: smaller batches, more epochs, [label
# smoothing](../teaching/glossary.md#label-smoothing) (the network is to give the right answer a probability a little
# below one), and a [learning rate](../teaching/glossary.md#learning-rate) that falls to zero, so that the training
# comes to rest.

# %%
recipe = replace(serlib.RECIPES[RECIPE], keep=KEEP, **SETTINGS)
published_c = serlib.RECIPES["lstm-123"].model(7, shape=(40,))
print(f"{recipe.title}: {recipe.epochs} epochs, batches of {recipe.batch_size}, {recipe.optimizer}")
print(f"system C has {published_c.count_params():,} parameters")
assert published_c.count_params() == 71_747

# %% [markdown] tags=["slide"]
# ## Training, validation and test set
#
# Each clip gets one role. From the *[training set](../teaching/glossary.md#training-set)* (role train) the network
# learns its weights. The *[validation set](../teaching/glossary.md#validation-set)* serves every choice that we make,
# for instance when to stop. The *[test set](../teaching/glossary.md#test-set)* is used once, at the end. Each cell of
# the picture is a clip, its colour the role; here the roles are drawn at random.

# %%
table = serlib.split(index, SPLIT, seed=SEED)
plots.show(plots.roles(table))

# %% [markdown] tags=["slide"]
# A [speaker-independent](../teaching/glossary.md#speaker-independent) split looks different: all clips of a speaker get
# the same role, so that the test voice is not known from training. (Where a corpus has only one speaker or text, the
# split by it is left out, and a line says so.)

# %%
kinds = ["published", "random", "text", "speaker", "speaker+text"]
tables = splits.possible(index, kinds, seed=SEED)
plots.show(plots.roles(tables.get("speaker", table)))

# %% [markdown]
# What does a model know about its test clips before the test? This is called
# [leakage](../teaching/glossary.md#leakage), and the audit counts it: how many of the clips, speakers and texts of the
# test set also occur in training. In a [random split](../teaching/glossary.md#random-split) the model knows every voice
# and every text; only in `speaker+text` are both new. (`published` is the random split of the published systems, which
# also use the test set as validation set.)

# %%
tables[SPLIT] = table  # the one that is trained on
audits = {kind: serlib.audit(roles) for kind, roles in tables.items()}
shared = pd.concat(audits, names=["split"]).query("roles == 'train and test'").reset_index("split")
shared["met in training"] = shared["shared"].astype(str) + " of " + shared["of"].astype(str)
assert (shared.query("what == 'identical clips'")["shared"] == 0).all(), "clips of the test role are in training"
shared.pivot(index="split", columns="what", values="met in training").loc[[*audits]]

# %% [markdown] tags=["slide"]
# ## The plain Keras way
#
# First we train in plain Keras, as the published systems do. Keras takes arrays: the features, scaled by mean and
# standard deviation of the training set, and the labels as numbers.

# %%
order = sorted(table.label.unique())
x, y = {}, {}
for role in ("train", "validation"):
    clips = table[table.role == role]
    x[role] = serlib.extract(clips, recipe.features).values
    y[role] = clips.label.map(order.index).to_numpy()
mean, spread = x["train"].mean(axis=0), x["train"].std(axis=0)
x = {role: (values - mean) / spread for role, values in x.items()}
print({role: values.shape for role, values in x.items()})

# %% [markdown]
# `compile` names the [loss](../teaching/glossary.md#loss), the number that training makes small, and the optimiser,
# which changes the weights. Our loss is *cross-entropy*: minus the logarithm of the probability that the right label
# gets. The optimiser *[Adam](../teaching/glossary.md#adam)* changes the weights after each
# *[batch](../teaching/glossary.md#batch)* of clips; once through all batches is an *epoch*. Two callbacks, functions
# that Keras calls after each epoch, watch the loss on the validation set: `EarlyStopping` ends the training when this
# loss has not fallen for some epochs, and restores the best weights; `ModelCheckpoint` writes them to a file. This is
# [early stopping](../teaching/glossary.md#early-stopping).

# %% tags=["trained"]
keras.utils.set_random_seed(SEED)
checkpoint = home() / "checkpoints" / f"{NAME}-plain.keras"
checkpoint.parent.mkdir(parents=True, exist_ok=True)
callbacks = [
    keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
    keras.callbacks.ModelCheckpoint(checkpoint, monitor="val_loss", save_best_only=True),
]
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
validation = (x["validation"], y["validation"])
options = {"validation_data": validation, "epochs": PLAIN_EPOCHS, "batch_size": 64, "callbacks": callbacks}
plain = model.fit(x["train"], y["train"], verbose=0, **options).history
best = plain["val_loss"].index(min(plain["val_loss"]))
print(f"{len(plain['loss'])} epochs; kept: epoch {best + 1}, the lowest validation loss, in {checkpoint.name}")
print(f"validation accuracy at that epoch: {plain['val_accuracy'][best]:.0%}")
assert CORPUS != "sample" or plain["val_accuracy"][best] > 1 / len(order), "no better than guessing"

# %% [markdown] tags=["slide"]
# ## Overfitting
#
# A network *[overfits](../teaching/glossary.md#overfitting)* when it learns its training clips by heart: the loss on
# the training set goes on falling while the loss on the validation set rises. Few clips, many parameters and no dropout
# are enough to see it.

# %% tags=["trained"]
keras.utils.set_random_seed(SEED)
wide = keras.Sequential(
    [
        keras.Input((40,)),
        layers.Dense(256, activation="relu"),
        layers.Dense(256, activation="relu"),
        layers.Dense(len(order), activation="softmax"),
    ]
)
wide.compile(keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
few = x["train"][:FEW_CLIPS], y["train"][:FEW_CLIPS]
history = pd.DataFrame(wide.fit(*few, validation_data=validation, epochs=40, batch_size=16, verbose=0).history)
lowest = history.val_loss.idxmin()
last = history.iloc[-1]
print(f"{wide.count_params():,} parameters for {FEW_CLIPS} clips; training accuracy at the end {last.accuracy:.0%}")
print(f"validation loss {history.val_loss[lowest]:.1f} in epoch {lowest + 1}, {last.val_loss:.1f} at the end")
assert CORPUS != "sample" or (last.accuracy > 0.95 and last.val_loss > 1.2 * history.val_loss[lowest])

# %% [markdown] tags=["slide"]
# Which epoch would you keep? The dotted line marks the one with the lowest validation loss.

# %% tags=["trained"]
plots.show(plots.curves(history, title=plots.honest("Learning by heart", CORPUS)))

# %% [markdown] tags=["slide"]
# ## Train with `serlib.fit`
#
# `serlib.fit` does the same and more: the model scales its features itself, each epoch is saved, and a training can be
# repeated and resumed. One call extracts the features (or finds them in the cache), trains, and leaves a *run folder*.
# A run that is finished already is loaded.

# %% tags=["trained"]
out = home() / "checkpoints" / f"{NAME}-{SPLIT}"
run = serlib.fit(recipe, table, out=out, seed=SEED, resume=True)
print(f"{len(run.history)} epochs, kept: {run.info['kept_epoch']}")
metrics = run.info["metrics"]
print(f"at that epoch: train {metrics['accuracy']:.0%}, validation {metrics['val_accuracy']:.0%}")
assert CORPUS != "sample" or metrics["val_accuracy"] > 0.5, "hardly better than guessing: something is broken"

# %% [markdown]
# **Another computer, other figures.** If you train on your computer, your figures differ from those of this page by
# some points, though data, seed and versions are the same. Processors add up in different orders, which changes the
# last digit of a sum. Each step of the training starts from the weights of the step before, so that after hundreds of
# steps the weights are quite different. No setting removes this between two processors. To see how large the effect is,
# let your processor compute as an older one would, in a folder of its own (in a Linux terminal, in the folder of the
# project),
#
#     SERLIB_HOME=elsewhere ONEDNN_MAX_CPU_ISA=SSE41 make run NOTEBOOKS="04 05"
#
# and compare. If two systems differ by no more than these two trainings do, one training of each cannot tell which is
# better. Therefore each claim about a trained model is asserted with a margin, in the cell that shows it.

# %% [markdown] tags=["slide"]
# While both losses fall, the model learns; where only the training loss goes on falling, it overfits. The dotted line
# marks the epoch whose weights are kept, the one of the lowest validation loss. The validation set chose it, not the
# test set; tutorials often keep the last epoch, or let the test set choose. At first the training figures can be worse
# than those of validation: they are taken during the epoch and with dropout, those of validation after the epoch and
# without dropout.

# %%
plots.show(plots.curves(run.history, title=plots.honest("Training curves", CORPUS)))

# %% [markdown] tags=["slide"]
# ## Stop and resume a training
#
# We begin the same training again in another folder and stop it after three epochs, as an empty battery would. What is
# there then:


# %%
def stop_after(epochs):
    def stop(history):
        if len(history) == epochs:
            raise KeyboardInterrupt

    return stop


folder = home() / "checkpoints" / f"{NAME}-{SPLIT}-stopped"
partial = folder.with_name(folder.name + ".partial")
try:
    serlib.fit(recipe, table, out=folder, seed=SEED, overwrite=True, after_epoch=stop_after(3))
except KeyboardInterrupt:
    print(sorted(path.name for path in partial.iterdir()))

# %% [markdown]
# The checkpoint holds the weights and the state of the optimiser and of the random numbers for dropout, so that the
# training continues as if it had never stopped. We let it continue to the fifth epoch. Its five epochs are the first
# five of the training above, to the last digit.

# %% tags=["trained"]
try:
    serlib.fit(recipe, table, out=folder, seed=SEED, resume=True, after_epoch=stop_after(5))
except KeyboardInterrupt:
    history = pd.read_csv(partial / "history.csv")
columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
same = history[columns].equals(run.history[columns].head(5))
print("epochs:", len(history), "- the same as without the stop:", same)
assert same

# %% [markdown] tags=["slide"]
# ## The run folder
#
# A training leaves four files. None of them is a pickle, since a pickle can run code when it is opened.

# %%
for path in sorted(run.folder.iterdir()):
    print(f"{shown(path)}")
print("labels, in the order of the outputs:", ", ".join(run.labels))

# %% [markdown]
# The folder also holds the answers that the model gave to three synthetic sounds after its training. Loading asks the
# model again, and refuses it if its answers differ: the order of the labels or the version of a library may have
# changed.

# %% tags=["trained"]
again = serlib.Run.load(run.folder)
for name, probabilities in again.info["probes"].items():
    print(f"the sound '{name}' was and is heard as {max(probabilities, key=probabilities.get)}")

# %% [markdown]
# Does it really notice? In a copy of the folder we reverse the order of the labels. Loading must refuse it:

# %% tags=["trained"]
copy = Path(shutil.copytree(run.folder, f"{run.folder}-reversed", dirs_exist_ok=True))
(copy / "run.json").write_text(json.dumps({**run.info, "labels": run.labels[::-1]}), encoding="utf-8")
try:
    serlib.Run.load(copy)
    refused = False
except serlib.SerlibError as error:
    refused = True
    print(error)
shutil.rmtree(copy)
assert refused, "a model with the wrong order of labels was loaded"

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. The network reads forty numbers one by one. Its parameters can be counted by hand, in agreement with Keras and with
#    the published count.
# 2. A random split tests on voices and words that are known from training. In a split by text the words are new, in a
#    split by speaker the voices. The audit counts what is known.
# 3. While the validation loss falls, the model learns; when only the training loss falls, it overfits. The validation
#    set chooses the epoch. The test set has not been used yet.
# 4. Each epoch is saved completely; `resume=True` continues from the last one and ends where a training without a stop
#    ends.
# 5. A run folder holds model, labels, split and history without a pickle, and each loading checks that the model
#    answers as it did. Notebook 05 opens it and judges the model.
