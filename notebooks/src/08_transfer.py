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
# # 08 Transfer: what a speech recogniser knows of emotions
#
# Nobody has enough emotional speech to learn from. But some networks have heard hundreds of thousands of hours of other
# speech. This notebook opens one of them, Whisper's encoder, and asks it about emotions.
#
# **Running time**: a minute and a half on the sample corpus, ten minutes on RAVDESS.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses. The encoder's first three
# blocks come with serlib, so no network is needed.
#
# After this notebook you can
#
# 1. read Whisper's encoder in Keras, and say what each part does;
# 2. find the layer that knows most of emotions without looking at the test role;
# 3. compare a linear probe on frozen states with features made by hand, on a new voice;
# 4. say what fine-tuning is, and what it changes;
# 5. say what all this costs.

# %% [markdown]
# `serlib` extracts the states; scikit-learn is the linear probe.

# %%
import inspect
import time

import numpy as np
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
from serlib.training.run import RELEASED

# %% [markdown]
# Everything that can be turned is here.

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
ENCODER = "whisper-tiny"  # whisper-base, ... are downloaded
LAYERS = (0, 1, 2, 3)  # what enters the first block, and what leaves each of three
WORDS = 6 if CORPUS == "sample" else None  # so many texts of the corpus; None: all
MIDDLE = 2  # the layer that is taken where several are equally good
STRENGTH = 0.01  # of the linear probe (scikit-learn's C): less keeps its weights smaller
SEED = 0  # of the split

# %% [markdown]
# Which corpus speaks here:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
if WORDS:
    index = index[index.text.isin(sorted(set(index.text))[:WORDS])].reset_index(drop=True)
print(f"{len(index)} clips, {index.speaker.nunique()} speakers, {index.label.nunique()} emotions")

# %% [markdown]
# ## What Whisper hears
#
# A log-mel spectrogram: eighty bands, a hundred frames a second. Powers of ten, no more than eight below the loudest,
# so that neither the level nor the silence matters. Whisper pads every clip to half a minute; we do not, and gain time.

# %%
y, rate_hz = audio.load(index.speech[0], rate_hz=encoder.RATE_HZ)
mel = encoder.log_mel(y)
print(f"{len(y) / rate_hz:.1f} s of sound, {mel.shape[0]} frames of {mel.shape[1]} bands")

# %% [markdown]
# ## The encoder, in the open
#
# Two convolutions look at neighbouring frames, and the second halves their number. Sines and cosines say where in time
# a state is. Then come the blocks: in each, every state looks at all the others (attention), and is then changed on its
# own (a small network). Both only add to what was there.

# %%
print(inspect.getsource(encoder.WhisperEncoder.call))

# %% [markdown]
# Attention is a weighted mean. Each state asks a question `q`; the keys `k` say whom it concerns; what is taken over is
# the values `v`. Six heads ask at the same time.

# %%
print(inspect.getsource(encoder.WhisperEncoder.attention))

# %% [markdown]
# Where the parameters are:

# %%
shapes = weights.shapes(LAYERS, width=weights.width(ENCODER), blocks=4)
for part in ("conv1", "conv2", *(f"layers.{n}" for n in range(max(LAYERS)))):
    count = sum(int(np.prod(shape)) for name, shape in shapes.items() if name.startswith(f"{part}."))
    print(f"{part:10} {count:9,}")

# %% [markdown]
# A clip goes in, a state of 384 numbers comes out for every fiftieth of a second, and that for each layer.

# %%
print(encoder.states(y, ENCODER, LAYERS).shape)

# %% [markdown]
# ## Frozen states as features
#
# To have one row a clip we keep the mean and the deviation over time of each column. An encoder is a kind of features
# like MFCC: cached by clip, so that every recipe, split and map works on it.

# %%
states = serlib.extract(index, serlib.FeatureSpec(encoder=ENCODER, layers=LAYERS, summary=("mean", "std")))
values = {}
for layer in LAYERS:
    values[layer] = states.values[:, [name.startswith(f"states_{layer}_") for name in states.names]]
    print(f"layer {layer}: {values[layer].shape[0]} clips, {values[layer].shape[1]} columns")

# %% [markdown]
# ## Which layer?
#
# The last layers of a recogniser know words, the first ones sound. Which one knows emotions must not be decided on the
# test role. So the new voice is set aside, and each layer is judged within the training role, on words that the probe
# has not heard.

# %%
possible = splits.possible(index, ["speaker", "random"], seed=SEED)  # not every corpus names its speakers
table = next(iter(possible.values()))
train, test = (table.role != "test").to_numpy(), (table.role == "test").to_numpy()
probe = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=300))
print("training:", ", ".join(sorted(set(who_speaks(table[train])))), "| test:", ", ".join(set(who_speaks(table[test]))))

# %% [markdown]
# The folds leave out words; what is printed is the recall of the emotions, averaged. Where layers are equally good, as
# on the synthesiser's tidy voices, the middle one is taken; on RAVDESS's actors it knew most.

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

# %% [markdown]
# ## A new voice
#
# Now the test role is looked at, once: the chosen layer against the functionals of notebook 07, by the same probe.

# %% tags=["nbval-ignore-output"]
by_hand = serlib.extract(index, "functionals").values
for name, value in {f"layer {best} of {ENCODER}": values[best], "functionals": by_hand}.items():
    answers = probe.fit(value[train], table.label[train]).predict(value[test])
    uar = balanced_accuracy_score(table.label[test], answers)
    print(f"{name:24} {uar:.0%} of the emotions of {'a new voice' if 'speaker' in possible else 'new clips'}")
    assert CORPUS != "sample" or uar > 1 / index.label.nunique()

# %% [markdown]
# ## The map
#
# What lies near to what? The same states, once coloured by emotion with a marker for each voice. Where the voices form
# islands, the layer knows who speaks better than how; a probe has to look past that.

# %%
points = features.projection.map_points(values[best], method="pca")
title = plots.honest(f"States of layer {best}", CORPUS)
axes = features.projection.AXES["pca"]
plots.show(plots.embedding(points, table.label, speakers=who_speaks(table), title=title, axes=axes))

# %% [markdown]
# ## Fine-tuning
#
# A probe takes the states as they are. Fine-tuning lets the blocks themselves learn, slowly: a tenth of the probe's
# learning rate, few hundred steps, every clip changed each time (other vocal tracts, other microphones, noise). That is
# work for a GPU, and it moves the blocks towards the training's kind of speech: voices like those gain, other corpora
# may lose.
#
# The model that comes with serlib is not tuned. It is this notebook's probe on three layers, trained on the people of
# RAVDESS and nEMO, and it hears every clip at one level, since how loud a recording is says more of the microphone than
# of the speaker; `bench/released.py` makes it again in minutes. On the corpus here, which it has never heard:

# %% tags=["trained"]
recognizer = serlib.Recognizer(RELEASED, threshold=0)
some = table.groupby(["speaker", "label"]).head(2)
answers = [recognizer.predict(file).label for file in some.speech]
right = np.mean(np.array(answers) == some.label.to_numpy())
print(f"{right:.0%} of {len(some)} clips; chance is {1 / some.label.nunique():.0%}")
assert recognizer.run.info["corpora"] == ["ravdess", "nemo"]

# %% [markdown]
# ## The same on people
#
# The sample is a synthesiser. This is what the recipes reach on new voices of real corpora, from `bench/accuracy.py`:

# %%
print(on_people(["lstm-256", "functionals", "committee", "whisper-linear"], splits=("speaker",)).to_string(index=False))

# %% [markdown]
# ## What it costs
#
# Time for a clip of two seconds, features and all, and what must be kept on disk:

# %% tags=["nbval-ignore-output"]
sound = 0.1 * np.random.default_rng(SEED).standard_normal(2 * encoder.RATE_HZ).astype(np.float32)
for name in ("whisper-states", "whisper-frames", "functionals"):
    spec = serlib.SPECS[name]
    features.extract_clip(sound, encoder.RATE_HZ, spec)
    began = time.perf_counter()
    features.extract_clip(sound, encoder.RATE_HZ, spec)
    print(f"{name:14} {1000 * (time.perf_counter() - began):4.0f} ms")
print(f"{sum(path.stat().st_size for path in RELEASED.iterdir()) / 1e6:.1f} MB come with serlib")

# %% [markdown]
# ## What you have learned
#
# 1. Convolutions shorten, positions tell the time, attention exchanges, a small network changes; each block adds.
# 2. The layer is chosen within the training role; the middle ones know most, so the blocks above need not be computed.
# 3. The same linear probe on other features shows what the features are worth, and only a new voice shows it.
# 4. Fine-tuning moves the blocks a little; it helps where the test resembles the training, and the frozen states are
#    kept for where it does not.
# 5. Some megabytes and some tens of milliseconds a clip; nothing has to be sent anywhere.
