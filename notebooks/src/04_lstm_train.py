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
# 5. open the folder that a training leaves and trust that the model in it answers as it did.

# %% [markdown]
# We need Keras for the network, and `serlib` for what more than one notebook does.

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
SETTINGS = SAMPLE if CORPUS == "sample" else {}  # instead of the recipe's
PLAIN_EPOCHS = 10  # at most, in the plain Keras way
FEW_CLIPS = 40  # how many clips are learned by heart
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
# Three of the five systems that this project re-creates feed the forty mean MFCC of notebook 03 to an
# [LSTM](../teaching/glossary.md#lstm), one after the other, as if they were forty moments in time. They are not: the
# mean over time has thrown time away, and the "sequence" runs from the coarse shape of the spectrum to its finest
# ripple. It works on TESS all the same, which says more about TESS than about LSTMs.
#
# What the layers do: an *LSTM* reads the forty numbers one by one and carries a state along.
# *[Dropout](../teaching/glossary.md#dropout)* sets a random part of the numbers to zero at each step of the training,
# so that nothing relies on a single one. *Dense* is a weighted sum for each of its units;
# *[ReLU](../teaching/glossary.md#relu)* then turns negative sums into zero.
# *[Softmax](../teaching/glossary.md#softmax)* makes probabilities of the last seven numbers: positive, and together
# one.

# %%
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
layer_table = [(type(x).__name__, str(x.output.shape), x.count_params()) for x in model.layers]
print(pd.DataFrame(layer_table, columns=["layer", "output", "parameters"]).to_string(index=False))

# %% [markdown] tags=["slide"]
# Inside the LSTM: three gates, numbers between zero and one, decide what of the state is forgotten, what of the new
# candidate is taken in, and what is given out (Hochreiter and Schmidhuber 1997).

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
# Each of the three gates, and the candidate as the fourth, looks at one input and at all outputs of the step before,
# and has a bias. Counted by hand, this must give what Keras counts.

# %%
units, inputs = 256, 1
by_hand = 4 * ((inputs + units) * units + units)
print(f"{by_hand:,} by hand, {model.layers[1].count_params():,} counted by Keras")
assert by_hand == model.layers[1].count_params()

# %% [markdown]
# `serlib` keeps the same network as a *recipe*: features, layers and settings under one name, so that the commands and
# the other notebooks train the same thing. System C printed its number of parameters; ours must agree.
#
# The sample corpus has settings of its own. Its clips are few, so it gets smaller batches, more epochs and a
# [learning rate](../teaching/glossary.md#learning-rate) that falls to zero: a training that is stopped half-way ends
# somewhere else on every computer.

# %%
recipe = replace(serlib.RECIPES[RECIPE], keep=KEEP, **SETTINGS)
published_c = serlib.RECIPES["lstm-123"].model(7, shape=(40,))
print(f"{recipe.title}: {recipe.epochs} epochs, batches of {recipe.batch_size}, {recipe.optimizer}")
print(f"system C has {published_c.count_params():,} parameters")
assert published_c.count_params() == 71_747

# %% [markdown] tags=["slide"]
# ## Who teaches, who tests
#
# Each clip gets one role. The *[training set](../teaching/glossary.md#training-set)* (the role train) teaches the
# weights, the *[validation set](../teaching/glossary.md#validation-set)* is for every choice that we make, and the
# *[test set](../teaching/glossary.md#test-set)* is looked at once, at the end. A point of the picture is a clip.

# %%
table = serlib.split(index, SPLIT, seed=SEED)
plots.show(plots.roles(table))

# %% [markdown] tags=["slide"]
# A [speaker-independent](../teaching/glossary.md#speaker-independent) split looks different: whole blocks are set
# aside, because one speaker's clips are alike. (A split by speaker or text is left out, with a line that says so, where
# the corpus has only one.)

# %%
kinds = ["published", "random", "text", "speaker", "speaker+text"]
tables = splits.possible(index, kinds, seed=SEED)
plots.show(plots.roles(tables.get("speaker", table)))

# %% [markdown]
# The audit counts what a split gives away, its [leakage](../teaching/glossary.md#leakage): how many of the speakers and
# texts of the test role the model has met in training. A [random split](../teaching/glossary.md#random-split) gives
# away everything; only `speaker+text` keeps both secret.

# %%
tables[SPLIT] = table  # the one that is trained on
audits = {kind: serlib.audit(roles) for kind, roles in tables.items()}
shared = pd.concat(audits, names=["split"]).query("roles == 'train and test'").reset_index("split")
shared["met in training"] = shared["shared"].astype(str) + " of " + shared["of"].astype(str)
met = shared.pivot(index="split", columns="what", values="met in training").loc[[*audits]]
print(met.rename_axis(index=None, columns=None).to_string())
assert (shared.query("what == 'identical clips'")["shared"] == 0).all(), "clips of the test role are in training"

# %% [markdown] tags=["slide"]
# ## The plain Keras way
#
# First in plain Keras, as the published systems print it. Keras takes arrays: the features, scaled by mean and standard
# deviation of the training set, and the labels as numbers.

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
# `compile` names the loss and the optimiser. *Cross-entropy* is minus the logarithm of the probability that the right
# label gets. *[Adam](../teaching/glossary.md#adam)* changes the weights after each
# *[batch](../teaching/glossary.md#batch)* of clips; once through all of them is an *epoch*. Two callbacks watch the
# validation loss, which is called [early stopping](../teaching/glossary.md#early-stopping): `EarlyStopping` ends the
# training when it has not fallen for some epochs and brings the best weights back, `ModelCheckpoint` writes them to a
# file.

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
print(f"{len(plain['loss'])} epochs, validation accuracy {max(plain['val_accuracy']):.0%}, kept in {checkpoint.name}")
assert CORPUS != "sample" or max(plain["val_accuracy"]) > 1 / len(order), "no better than guessing"

# %% [markdown] tags=["slide"]
# ## Overfitting
#
# *[Overfitting](../teaching/glossary.md#overfitting)* is learning by heart: the loss on the training set goes on
# falling while that on the validation set rises. It takes little to see it: a few clips, many parameters, no dropout.

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
print(
    f"validation loss {history.val_loss[lowest]:.1f} in epoch {lowest + 1}, {history.val_loss.iloc[-1]:.1f} at the end"
)
overfits = history.accuracy.iloc[-1] > 0.95 and history.val_loss.iloc[-1] > 1.2 * history.val_loss[lowest]
assert CORPUS != "sample" or overfits

# %% [markdown] tags=["slide"]
# This network has more than a thousand parameters for each clip. Which epoch would you keep? The dotted line marks the
# one that validation chooses.

# %% tags=["trained"]
plots.show(plots.curves(history, title=plots.honest("Learning by heart", CORPUS)))

# %% [markdown] tags=["slide"]
# ## Train
#
# `serlib.fit` does the same and more: the model scales its features itself, each epoch is saved, and a run can be
# repeated, resumed and trusted. One call extracts the features (or finds them in the cache), trains, and leaves a *run
# folder*. A bar on the screen shows how far it is. A run that is finished already is loaded.

# %% tags=["trained"]
out = home() / "checkpoints" / f"{NAME}-{SPLIT}"
run = serlib.fit(recipe, table, out=out, seed=SEED, resume=True)
print(f"{len(run.history)} epochs, kept: {run.info['kept_epoch']}")
metrics = run.info["metrics"]
print(f"at that epoch: train {metrics['accuracy']:.0%}, validation {metrics['val_accuracy']:.0%}")
assert CORPUS != "sample" or metrics["val_accuracy"] > 0.5, "hardly better than guessing: something is broken"

# %% [markdown]
# **Another computer, other digits.** Train on yours, and the figures differ from those of this page by some points,
# though data, seed and versions are the same. Processors add up in different orders, which changes the last digit of a
# sum; each step of the training starts from the digits of the step before, and after a thousand steps the weights are
# others. No setting removes this between two processors. See how far it goes: ask yours for older instructions, in a
# folder of its own,
#
#     SERLIB_HOME=elsewhere ONEDNN_MAX_CPU_ISA=SSE41 make run NOTEBOOKS="04 05"
#
# and compare. Two systems that lie no further apart than these two trainings are not told apart by one training of
# each. What this series claims of a trained model is therefore asserted with a margin, in the cell that shows it.

# %% [markdown] tags=["slide"]
# While both losses fall, the model learns; where only the training loss goes on falling, it overfits. The dotted line
# is the epoch whose weights are kept: validation chose it, not the test. Tutorials often keep the last epoch, whatever
# it is, or let the test choose. The training figures can be worse than those of validation: they are taken during the
# epoch, with dropout, those of validation after the epoch and without dropout.

# %%
plots.show(plots.curves(run.history, title=plots.honest("Training curves", CORPUS)))

# %% [markdown] tags=["slide"]
# ## Stop, and go on
#
# We begin the same training again in another folder and stop it after three epochs, as an empty battery would.


# %%
def until(epoch):
    def pull_the_plug(history):
        if len(history) == epoch:
            raise KeyboardInterrupt

    return pull_the_plug


stopped = home() / "checkpoints" / f"{NAME}-{SPLIT}-stopped"
partial = stopped.with_name(stopped.name + ".partial")
try:
    serlib.fit(recipe, table, out=stopped, seed=SEED, overwrite=True, after_epoch=until(3))
except KeyboardInterrupt:
    print(sorted(path.name for path in partial.iterdir()))

# %% [markdown]
# The checkpoint holds the weights, the state of the optimiser and of the dropout, so that the training goes on as if
# nothing had happened. We let it go on to the fifth epoch: its five epochs are the first five of the training above, to
# the last digit.

# %% tags=["trained"]
try:
    serlib.fit(recipe, table, out=stopped, seed=SEED, resume=True, after_epoch=until(5))
except KeyboardInterrupt:
    resumed = pd.read_csv(partial / "history.csv")
measured = ["loss", "accuracy", "val_loss", "val_accuracy"]
same = resumed[measured].equals(run.history[measured].head(5))
print("epochs:", len(resumed), "- the same as without the stop:", same)
assert same

# %% [markdown] tags=["slide"]
# ## What is left: the run folder
#
# Four files, none of them a pickle, which could run code when it is opened.

# %%
for path in sorted(run.folder.iterdir()):
    print(f"{shown(path)}")
print("labels, in the order of the outputs:", ", ".join(run.labels))

# %% [markdown]
# The folder remembers how the model answered three synthetic sounds on the day of its training. Loading asks again and
# refuses a model that answers otherwise: the order of the labels or the version of a library may have changed.

# %% tags=["trained"]
again = serlib.Run.load(run.folder)
for name, probabilities in again.info["probes"].items():
    print(f"{name:6} was and is heard as {max(probabilities, key=probabilities.get)}")

# %% [markdown]
# Does it really notice? In a copy of the folder we reverse the order of the labels.

# %% tags=["trained"]
copy = Path(shutil.copytree(run.folder, f"{run.folder}-turned", dirs_exist_ok=True))
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
# 1. The network reads forty numbers one by one; its parameters can be counted by hand, and they agree with Keras and
#    with the published count.
# 2. A random split tests on voices and words that were trained on; a split by text hides the words, a split by speaker
#    the voices. The audit counts it.
# 3. Falling validation loss is learning; training loss that falls alone is overfitting; validation chooses the epoch.
#    The test set has not been touched yet.
# 4. Each epoch is saved whole; `resume=True` goes on from the last one and ends where an unbroken training ends.
# 5. A run folder holds model, labels, split and history without a pickle, and proves at each loading that it answers
#    as it did. Notebook 05 opens it and judges it.
