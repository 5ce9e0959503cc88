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
# # 09 Live: speak to the model
#
# A model that has only seen files meets a microphone: it answers while you speak, it may say "unsure", and what you say
# can become a corpus of your own.
#
# **Running time**: a minute on the sample corpus, two on TESS, where notebook 04 has run; a few minutes more where it
# has not. **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. have a model answer while somebody speaks, and say what its delay is made of;
# 2. follow the emotions of a long recording, and see where the model abstains;
# 3. speak into it yourself, and judge what its answers about your voice are worth;
# 4. keep what you said as a corpus, and train on it.

# %% [markdown]
# `serlib` loads the model and cuts the sound; the widget in the middle brings the microphone of the browser.

# %%
import tempfile
import time
from dataclasses import replace

import numpy as np
import pandas as pd

import serlib
from serlib import audio, plots, widgets
from serlib.training.run import RELEASED
from serlib.utils import home

# %% [markdown]
# All settings; the first six must be those of notebook 04 to find its run.

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
RECIPE = "lstm-256"  # published system A
KEEP = "best"  # which epoch's weights: last, as tutorials do, or best on the validation role
SEED = 0  # of the split and of the training
SAMPLE = dict(batch_size=32, epochs=60, learning_rate=0.002, schedule="cosine", label_smoothing=0.1)  # few clips
SETTINGS = SAMPLE if CORPUS == "sample" else {}  # instead of the recipe's
NAME = "-".join(map(str, ["04", CORPUS, RECIPE, KEEP, *SETTINGS.values(), f"seed{SEED}"]))  # each choice trains apart
MODEL = "own"  # or released: the model that comes with serlib, which has heard 33 people
THRESHOLD = 0.6  # below this confidence the model says "unsure"
PIECE_S = 0.1  # what a microphone hands over at a time
WINDOW_S = 2.0  # what each answer along a long recording hears

# %% [markdown]
# The run of notebook 04 is loaded, or trained where it is missing. A `Recognizer` is a run that is ready to answer.

# %%
print(serlib.notice(CORPUS))
table = serlib.split(serlib.index(CORPUS), "random", seed=SEED)
recipe = replace(serlib.RECIPES[RECIPE], keep=KEEP, **SETTINGS)
out = home() / "checkpoints" / f"{NAME}-random"
run = serlib.fit(recipe, table, out=out, seed=SEED, resume=True)
recognizer = serlib.Recognizer(run if MODEL == "own" else RELEASED, threshold=THRESHOLD)
print("can say:", *recognizer.labels, "and unsure")

# %% [markdown] tags=["slide"]
# ## Sound comes in pieces
#
# A microphone hands over a tenth of a second at a time. The `Listener` collects the pieces and asks the model a few
# times a second about the last seconds, without the silence around the speech. Before there is speech it says nothing.
# We play a clip of the test role to it, as if somebody spoke; of one clip for each emotion the one whose answer it is
# surest of, so that there is an answer to see:

# %% tags=["trained"]
asked = table[table.role == "test"].drop_duplicates("label")
clip = max(asked.itertuples(), key=lambda clip: recognizer.predict(clip.speech).confidence)
y, rate_hz = audio.load(clip.speech)
room = np.zeros(rate_hz // 2, np.float32)
listener = widgets.Listener(recognizer)
step = round(PIECE_S * rate_hz)
sound = np.concatenate([room, y, room])
for start in range(0, len(sound), step):
    if answer := listener.hear(sound[start : start + step], rate_hz):
        print(f"{(start + step) / rate_hz:.1f} s: {answer.label}")

# %% [markdown]
# The first answers hear only the beginning of the sentence. When the take is over, the whole of it is asked about:

# %% tags=["trained"]
heard, answer = listener.finish()
print(f"meant: {clip.label}, heard: {answer.label}")
assert len(heard) <= len(sound)
assert answer.label != "unsure" or MODEL != "own" or CORPUS != "sample"

# %% [markdown] tags=["slide"]
# ## What the delay is made of
#
# An answer comes after the word by: the piece that is still being collected, the way to the kernel and back, the
# features and the model. The last two we can measure here; the widget below measures the whole.

# %%
spent = []
for _ in range(20):
    start = time.perf_counter()
    recognizer.predict(heard, rate_hz=rate_hz)
    spent.append(time.perf_counter() - start)
print("features and model in time for two answers a second:", np.median(spent) < 0.5)

# %% [markdown] tags=["slide"]
# ## Your turn
#
# Press *Record*, speak, press *Stop*. The browser asks you once whether this page may listen; the sound goes to the
# kernel of this notebook and nowhere else. You may also drop a sound file onto the widget. Try one sentence in several
# emotions, then whisper, then speak with a pencil between your teeth. `make app` serves the same without
# code.
#
# ![The microphone widget after a take: a Record button and a level meter, the answer "angry" with a bar for each
# emotion, and the waveform and spectrogram of what was said. Here a clip of the sample corpus
# spoke.](../docs/pictures/microphone.png)
#
# **Before you believe it**: this model has learned from a few voices, and yours was not among them. Notebook 05 has
# measured what that costs. A model of the sample corpus has never heard a human being at all.

# %% tags=["nbval-ignore-output"]
widgets.live(recognizer)

# %% [markdown] tags=["slide"]
# ## Long recordings
#
# People do not speak in clips. Here several clips follow each other with pauses, as a recording of a conversation
# would. Each answer hears a window; the windows overlap.

# %% tags=["trained"]
said = asked.sort_values("speech").head(5)
parts = [audio.load(path, rate_hz=rate_hz)[0] for path in said.speech]
recording = np.concatenate([part for y in parts for part in (y, room)])
timeline = recognizer.timeline(recording, rate_hz=rate_hz, window_s=WINDOW_S, hop_s=WINDOW_S / 4)
print("meant:", *said.label)
rows = []
start_s = 0.0
for part, label in zip(parts, said.label, strict=True):
    rows.append((start_s, start_s + len(part) / rate_hz, label))
    start_s += (len(part) + len(room)) / rate_hz
meant = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
print(f"{len(recording) / rate_hz:.1f} s, {len(timeline)} answers, {(timeline.label == 'unsure').sum()} of them unsure")
assert timeline.start_s.iloc[0] == 0 and abs(timeline.end_s.iloc[-1] - len(recording) / rate_hz) < 0.1

# %% [markdown] tags=["slide"]
# Under the waveform: what was meant, and what was heard, grey where the model abstains. Play it. Where does the model
# change its answer, and where does one window hear two emotions at once?

# %%
title = plots.honest("A long recording", CORPUS)
gain = widgets.common_gain([recording])
widgets.scope(recording, rate_hz, timeline=timeline, meant=meant, gain=gain, title=title)

# %% [markdown]
# A higher threshold makes it more careful: it says less, and what it says is right more often (notebook 05 has the
# curve). How much of the recording is left?

# %% tags=["trained"]
best = timeline[recognizer.labels].max(axis=1)
speech = (timeline.reason == "") | timeline.reason.str.contains("confidence")  # the others are no speech at all
shares = {threshold: (speech & (best >= threshold)).mean() for threshold in (0.0, 0.5, 0.7, 0.9)}
for threshold, share in shares.items():
    print(f"threshold {threshold:.1f}: answers for {share:.0%} of the windows")
assert shares[0.9] <= shares[0.0], "a higher threshold says more"

# %% [markdown] tags=["slide"]
# ## A corpus of your own
#
# *Save this take* writes the take and its label into `data/my_recordings`, one folder a label and a table of all. The
# button calls `widgets.save_take`; here with two clips, into a folder that is thrown away afterwards:

# %%
with tempfile.TemporaryDirectory() as folder:
    for part, label in zip(parts[:2], ("happy", "sad"), strict=True):
        widgets.save_take(part, rate_hz, label=label, speaker="me", text="a test", folder=folder)
    mine = serlib.index("folder", folder)
print(mine[["label", "speaker", "text"]].to_string(index=False))

# %% [markdown]
# Ten takes of each emotion are a beginning. Train on them together with a corpus, and keep other takes of yours for the
# test:
#
#     .venv/bin/python -m serlib train lstm-256 tess data/tess folder data/my_recordings \
#         --split random --out checkpoints/mine
#     .venv/bin/python -m serlib predict checkpoints/mine new_recording.wav
#
# This test, with takes of the same afternoon, flatters: the voice, the room and the microphone are known. What a split
# by speaker says is what the next person will meet; but it would take you, as a speaker of your own, out of the
# training.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Pieces of sound are collected and the last seconds asked about again and again; the delay is the piece, the way to
#    the kernel, the features and the model.
# 2. Overlapping windows give a timeline; a threshold turns doubtful stretches into "unsure", at the price of
#    [coverage](../teaching/glossary.md#coverage).
# 3. The model knows the voices that it was trained on; its answers about yours are a guess until you have measured
#    them on labelled takes of yours.
# 4. Saved takes are a folder corpus: the same index, split, training and evaluation hold for them.
