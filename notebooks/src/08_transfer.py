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
# # 08 Transfer: what a speech recogniser knows about emotions
#
# Corpora of emotional speech are small. But some networks have been trained on hundreds of thousands of hours of other
# speech. This notebook opens one of them, the encoder of Whisper, and finds out what it knows about emotions.
#
# **Running time**: a minute and a half on the sample corpus, ten minutes on RAVDESS.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses. The encoder's first three
# blocks come with serlib, so no network is needed.
#
# After this notebook you can
#
# 1. read Whisper's encoder in Keras, and say what each part does;
# 2. find the layer that knows most about emotions without using the test set;
# 3. compare a linear probe on frozen states with features made by hand, on a new voice;
# 4. say what fine-tuning is, and what it changes;
# 5. say what this costs in time and memory.

# %% [markdown]
# `serlib` computes the states of the encoder; scikit-learn trains the linear probe.

# %%
import inspect
import time

import numpy as np
import pandas as pd
from IPython.display import display
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import serlib
from serlib import audio, features, plots, splits
from serlib.experiments.people import on_people
from serlib.features import encoder, weights
from serlib.features.normalisation import who_speaks
from serlib.training.run import RELEASED, Run

# %% [markdown]
# All settings:

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
ENCODER = "whisper-tiny"  # whisper-base, ... are downloaded
LAYERS = (0, 1, 2, 3)  # what enters the first block, and what leaves each of three
WORDS = 6 if CORPUS == "sample" else None  # how many of the corpus's texts; None: all
MIDDLE = 2  # the layer that is chosen if several are equally good
STRENGTH = 0.01  # C of scikit-learn's logistic regression: a smaller one keeps the weights smaller
SEED = 0  # of the split

# %% [markdown]
# Which corpus we use:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
if WORDS:
    index = index[index.text.isin(sorted(set(index.text))[:WORDS])].reset_index(drop=True)
print(f"{len(index)} clips, {index.speaker.nunique()} speakers, {index.label.nunique()} emotions")

# %% [markdown] tags=["slide"]
# ## The input: a log-mel spectrogram
#
# Whisper gets a log-mel spectrogram of eighty bands and a hundred frames a second. Levels more than eighty decibels
# below the loudest are raised to that limit, and all are shifted and scaled by fixed amounts. Whisper pads every clip
# to half a minute; we do not, which saves time.

# %%
y, rate_hz = audio.load(index.speech[0], rate_hz=encoder.RATE_HZ)
mel = encoder.log_mel(y)
print(f"{len(y) / rate_hz:.1f} s of sound, {mel.shape[0]} frames of {mel.shape[1]} bands")

# %% [markdown] tags=["slide"]
# ## The encoder in Keras
#
# Two convolutions combine neighbouring frames, and the second halves their number. The result is a *state* for each
# moment: a row of numbers. Sines and cosines are added, which encode the position in time. Then come the blocks. In
# each block every state first takes information from all others (attention), and then passes through a small network of
# its own; the results of both are added to the state. (`gelu` is a smooth ReLU; `norm` gives the numbers of each state
# the mean 0 and the standard deviation 1, then scales them by learned weights.)

# %%
print(inspect.getsource(encoder.WhisperEncoder.call))

# %% [markdown]
# Attention is a weighted mean. From each state the network computes a query `q`, a key `k` and a value `v`. The better
# the query of one state matches the key of another one, the larger is the weight of that one's value. Six such *heads*
# work in parallel.

# %%
print(inspect.getsource(encoder.WhisperEncoder.attention))

# %% [markdown]
# How many parameters each part has:

# %%
shapes = weights.shapes(LAYERS, width=weights.width(ENCODER), blocks=4)
for part in ("conv1", "conv2", *(f"layers.{n}" for n in range(max(LAYERS)))):
    count = sum(int(np.prod(shape)) for name, shape in shapes.items() if name.startswith(f"{part}."))
    print(f"{part:10} {count:9,}")

# %% [markdown]
# For a clip the encoder gives a state of 384 numbers for every fiftieth of a second and for each layer. Here the states
# of four layers stand side by side:

# %%
print(encoder.states(y, ENCODER, LAYERS).shape)

# %% [markdown] tags=["slide"]
# ## Frozen states as features
#
# The encoder stays as it is (frozen). To get one row for each clip we keep the mean and the standard deviation over
# time of each column. States are features like MFCC: they are kept in the cache, and every recipe and split can use
# them.

# %%
states = serlib.extract(index, serlib.FeatureSpec(encoder=ENCODER, layers=LAYERS, summary=("mean", "std")))
values = {}
for layer in LAYERS:
    values[layer] = states.values[:, [name.startswith(f"states_{layer}_") for name in states.names]]
    print(f"layer {layer}: {values[layer].shape[0]} clips, {values[layer].shape[1]} columns")

# %% [markdown] tags=["slide"]
# ## Which layer knows most about emotions?
#
# The first layers of a speech recogniser are closest to sound, the last ones to words; emotions may be found
# anywhere. Which layer is best for them must not be chosen on the test set. So the new voice is set aside, and each
# layer is judged within the training set, by cross-validation, on words that the probe was not trained on.

# %%
possible = splits.possible(index, ["speaker", "random"], seed=SEED)  # not every corpus names its speakers
table = next(iter(possible.values()))
train = (table.role != "test").to_numpy()
test = ~train
probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=300))
print("training:", ", ".join(sorted(set(who_speaks(table[train])))), "| test:", ", ".join(set(who_speaks(table[test]))))

# %% [markdown]
# Each fold leaves out some of the words. The figure is the mean recall of the emotions (UAR). If several layers are
# equally good, as on the synthetic voices of the sample corpus, we take the one nearest to the middle. To see
# what people's voices give, run this notebook with `SERLIB_CORPUS=ravdess`.

# %% tags=["nbval-ignore-output"]
inner = {}
words = table.text[train]
if words.nunique() < 3:  # no texts are known: every clip stands for itself
    words = np.arange(len(words))
for layer, value in values.items():
    folds = GroupKFold(3).split(value[train], groups=words)
    scores = cross_val_score(probe, value[train], table.label[train], cv=folds, scoring="balanced_accuracy")
    inner[layer] = scores.mean()
    print(f"layer {layer}: {inner[layer]:.0%} on new words of known voices")
best = max(LAYERS, key=lambda layer: (round(inner[layer], 2), -abs(layer - MIDDLE)))
assert CORPUS != "sample" or inner[best] > 2 / index.label.nunique(), "a layer should know more than chance"

# %% [markdown] tags=["slide"]
# ## Test on a new voice
#
# Now the test set is used, once: the chosen layer is compared with the functionals of notebook 07, with the same kind
# of probe.

# %% tags=["nbval-ignore-output"]
functionals = serlib.extract(index, "functionals").values
for name, value in {f"layer {best} of {ENCODER}": values[best], "functionals": functionals}.items():
    answers = probe.fit(value[train], table.label[train]).predict(value[test])
    uar = balanced_accuracy_score(table.label[test], answers)
    print(f"{name:24} {uar:.0%} of the emotions of {'a new voice' if 'speaker' in possible else 'new clips'}")
    assert CORPUS != "sample" or uar > 1 / index.label.nunique()

# %% [markdown] tags=["slide"]
# ## A map of the states
#
# The states of the chosen layer, projected on their two principal components, show which clips are close to each
# other; the colour is the emotion, the shape the voice. On the sample corpus there are two islands, and neither is a
# voice or an emotion:

# %%
points = features.projection.map_points(values[best], method="pca")
title = plots.honest(f"States of layer {best}", CORPUS)
axes = features.projection.AXES["pca"]
plots.show(plots.embedding(points, table.label, speakers=who_speaks(table), title=title, axes=axes))

# %% [markdown]
# The place of a clip may follow from its emotion, its voice or its words. The table shows which share of the variance
# of each component they explain. On the sample corpus the emotion explains the first component and the words the
# second: the smaller island holds "bought" and "cause", which share their vowel. An encoder that was trained to
# recognise words has states in which words are easy to tell apart; the probe has to find the directions in which the
# emotions differ.

# %% tags=["nbval-ignore-output"]
places = pd.DataFrame(points, columns=["first component", "second component"])
shares = {}
for name, groups in {"emotion": table.label, "voice": who_speaks(table), "word": table.text}.items():
    means = places.groupby(np.asarray(groups)).transform("mean")
    shares[name] = means.var() / places.var()
display(pd.DataFrame(shares).T.map("{:.0%}".format))
assert CORPUS != "sample" or shares["word"].iloc[1] > shares["voice"].iloc[1]

# %% [markdown] tags=["slide"]
# ## Fine-tuning, and the released model
#
# A probe uses the states as they are. In fine-tuning the blocks themselves are trained, with small steps, a few hundred
# of them, and each clip changed each time (other vocal tracts, other tempi, hidden bands). It adapts the blocks to the
# kind of speech in the training set: voices like those are recognised better, while other corpora may be recognised
# worse. The recipe `whisper-tuned` therefore takes three precautions: it starts from the probe, keeps only half of what
# the weights changed, and fits the probe once more on the states of these. For the model below it took half an hour on
# two cores.
#
# The model that comes with serlib was made so, from the people of RAVDESS and nEMO (`bench/released.py`). It brings
# every clip to the same level, since the loudness of a recording says more about the microphone than about the speaker.
# What tuning gained on voices that neither version had heard is in its [card](../serlib/pretrained/README.md): a little
# on the actors of RAVDESS, somewhat more on those of nEMO. How far the weights have moved from Whisper's:

# %% tags=["trained"]
whisper, _, _ = weights.find("whisper-tiny", LAYERS)
tuned = Run.load(RELEASED).model.get_layer("encoder").values()
for part in ("conv1", "conv2", *(f"layers.{n}" for n in range(max(LAYERS)))):
    names = [name for name in whisper if name.startswith(f"{part}.") and whisper[name].ndim > 1]
    moved = [np.linalg.norm(tuned[name] - whisper[name]) / np.linalg.norm(whisper[name]) for name in names]
    print(f"{part:10} {np.mean(moved):.1%} of the size of its weights")

# %% [markdown]
# The weights have hardly moved. The released model on the corpus of this notebook, which it was not trained on:

# %% tags=["trained"]
recognizer = serlib.Recognizer(RELEASED, threshold=0)
some = table.groupby(["speaker", "label"]).head(2)
answers = [recognizer.predict(file).label for file in some.speech]
right = np.mean(np.array(answers) == some.label.to_numpy())
print(f"{right:.0%} of {len(some)} clips; chance is {1 / some.label.nunique():.0%}")
assert recognizer.run.info["corpora"] == ["ravdess", "nemo"]

# %% [markdown] tags=["slide"]
# ## Measured on people
#
# The sample corpus is synthetic. This is what the recipes reach on new voices of real corpora (UAR in per cent, from
# `bench/accuracy.py`). In the recipes named `-functionals` our functionals stand beside the states, as one more layer
# with a probe of its own. They help where the test is far from the training: one voice of TESS to learn from, or none
# of the corpus (`corpus:tess` in RESULTS.md). With the twenty actors of RAVDESS they add nothing:

# %%
recipes = ["lstm-256", "functionals", "committee", "whisper-linear", "whisper-functionals", "whisper-tuned"]
recipes += ["whisper-base-linear", "whisper-base-functionals"]
on_people(recipes, splits=("speaker",)).set_index("recipe")

# %% [markdown] tags=["slide"]
# ## What it costs
#
# The time to compute the features of a clip of two seconds, and the size of the released model on disk.
# `whisper-states` are the pooled states of the frozen encoder; `whisper-frames` are the log-mel spectrogram alone,
# since in the tuned model the blocks belong to the network:

# %% tags=["nbval-ignore-output"]
y = 0.1 * np.random.default_rng(SEED).standard_normal(2 * encoder.RATE_HZ).astype(np.float32)
for name in ("whisper-states", "whisper-frames", "functionals"):
    spec = serlib.SPECS[name]
    features.extract_clip(y, encoder.RATE_HZ, spec)  # the first call also loads the weights
    start = time.perf_counter()
    features.extract_clip(y, encoder.RATE_HZ, spec)
    print(f"{name:14} {1000 * (time.perf_counter() - start):4.0f} ms")
print(f"{sum(path.stat().st_size for path in RELEASED.iterdir()) / 1e6:.1f} MB come with serlib")

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Convolutions combine and shorten the frames, positions encode time, attention exchanges information between states,
#    a small network changes each state; each block adds to the states.
# 2. The layer is chosen within the training set, by cross-validation. The blocks above it need not be computed.
# 3. The same linear probe on different features compares these features, and the test on a new voice is the one that
#    counts.
# 4. Fine-tuning changes the blocks themselves, by a little. It helps if the test resembles the training; otherwise
#    frozen states may be better.
# 5. The model needs a few megabytes and some tens of milliseconds for a clip; nothing has to be sent anywhere.
