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
# A model listens to a microphone: it answers while you speak, it may say "unsure", and your recordings can become a
# corpus of your own.
#
# **Running time**: a minute on the sample corpus, two on TESS, if notebook 04 has run; otherwise a few minutes more.
# **Data**: TESS where it is present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. have a model answer while somebody speaks, and say what its delay is made of;
# 2. follow the emotions of a long recording, and see where the model abstains;
# 3. speak to it yourself, and judge what its answers about your voice are worth;
# 4. keep what you said as a corpus, and train on it.

# %% [markdown]
# `serlib` loads the model and splits the sound; its microphone widget records in the browser.

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
MODEL = "own"  # own (the run of notebook 04), or released (the model of serlib, trained on 33 people)
THRESHOLD = 0.6  # below this confidence the model says "unsure"
PIECE_S = 0.1  # seconds of sound that a microphone delivers at a time
WINDOW_S = 2.0  # seconds of sound for each answer along a long recording

# %% [markdown]
# We load the run of notebook 04, or train it if it is missing. A `Recognizer` is a run that is ready to answer.

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
# A microphone delivers a tenth of a second at a time. The `Listener` collects the pieces and asks the model a few times
# a second about the last seconds, without the silence around the speech. Before there is speech it gives no answer. We
# play a clip of the test set to it, as if somebody spoke. (Of one clip for each emotion we take the one with the
# highest confidence, so that there is an answer to see.)

# %% tags=["trained"]
test_clips = table[table.role == "test"].drop_duplicates("label")
clip = max(test_clips.itertuples(), key=lambda clip: recognizer.predict(clip.speech).confidence)
y, rate_hz = audio.load(clip.speech)
silence = np.zeros(rate_hz // 2, np.float32)
listener = widgets.Listener(recognizer)
step = round(PIECE_S * rate_hz)
sound = np.concatenate([silence, y, silence])
for start in range(0, len(sound), step):
    if answer := listener.hear(sound[start : start + step], rate_hz):
        print(f"{(start + step) / rate_hz:.1f} s: {answer.label}")

# %% [markdown]
# The first answers are based on the beginning of the sentence only. At the end of the take the model is asked about all
# of it:

# %% tags=["trained"]
take, answer = listener.finish()
print(f"meant: {clip.label}, heard: {answer.label}")
assert len(take) <= len(sound)
assert answer.label != "unsure" or MODEL != "own" or CORPUS != "sample"

# %% [markdown] tags=["slide"]
# ## The delay of an answer
#
# The delay between a word and the answer has four parts: the piece that is still being collected, the way to the kernel
# and back, the features, and the model. The last two can be measured here, and depend on the machine; the widget below
# measures the whole delay.

# %% tags=["nbval-ignore-output"]
seconds = []
for _ in range(20):
    start = time.perf_counter()
    recognizer.predict(take, rate_hz=rate_hz)
    seconds.append(time.perf_counter() - start)
print(f"a piece: {1000 * PIECE_S:.0f} ms of sound; features and model: {1000 * np.median(seconds):.0f} ms")
assert np.median(seconds) < 0.5, "too slow for two answers a second"

# %% [markdown] tags=["slide"]
# ## Speak to the model
#
# Press *Record*, speak, press *Stop*. The browser asks you once whether this page may listen; the sound goes to the
# kernel of this notebook and nowhere else. You may also drop a sound file onto the widget. Try one sentence in several
# emotions, then whisper, then speak with a pencil between your teeth. `make app` serves the same without code. (On a
# page without a kernel you see a picture of the widget, in which a clip of the sample corpus was played to it.)
#
# **Before you believe it**: this model has been trained on a few voices, and yours was not among them. Notebook 05 has
# measured what that costs. A model of the sample corpus has never heard a human being at all.

# %% tags=["nbval-ignore-output"] picture="microphone.png"
widgets.live(recognizer)

# %% [markdown] tags=["slide"]
# ## Long recordings
#
# Most recordings are longer than a clip. Here several clips follow one another with pauses, as in a conversation. Each
# answer is about a window of the recording; the windows overlap.

# %% tags=["trained"]
clips = test_clips.sort_values("speech").head(5)
parts = [audio.load(path, rate_hz=rate_hz)[0] for path in clips.speech]
recording = np.concatenate([piece for part in parts for piece in (part, silence)])
timeline = recognizer.timeline(recording, rate_hz=rate_hz, window_s=WINDOW_S, hop_s=WINDOW_S / 4)
print("meant:", *clips.label)
rows = []
start_s = 0.0
for part, label in zip(parts, clips.label, strict=True):
    rows.append((start_s, start_s + len(part) / rate_hz, label))
    start_s += (len(part) + len(silence)) / rate_hz
meant = pd.DataFrame(rows, columns=["start_s", "end_s", "label"])
print(f"{len(recording) / rate_hz:.1f} s, {len(timeline)} answers, {(timeline.label == 'unsure').sum()} of them unsure")
assert timeline.start_s.iloc[0] == 0 and abs(timeline.end_s.iloc[-1] - len(recording) / rate_hz) < 0.1

# %% [markdown] tags=["slide"]
# Below the waveform you see what was meant and what the model heard; grey is "unsure". Play it, and look for two
# places: where the model changes its answer within a clip, and where one window contains two emotions.

# %%
title = plots.honest("A long recording", CORPUS)
gain = widgets.common_gain([recording])
widgets.scope(recording, rate_hz, timeline=timeline, meant=meant, gain=gain, title=title)

# %% [markdown]
# With a higher threshold the model answers less, and its answers are right more often (notebook 05 has the curve). This
# is the share of the windows that still get an answer. (Windows that do not sound like speech get none at any
# threshold.)

# %% tags=["trained"]
best = timeline[recognizer.labels].max(axis=1)
speech = (timeline.reason == "") | timeline.reason.str.contains("confidence")  # the others do not sound like speech
shares = {threshold: (speech & (best >= threshold)).mean() for threshold in (0.0, 0.5, 0.7, 0.9)}
for threshold, share in shares.items():
    print(f"threshold {threshold:.1f}: answers for {share:.0%} of the windows")
assert shares[0.9] <= shares[0.0], "a higher threshold gives more answers"

# %% [markdown] tags=["slide"]
# ## A corpus of your own
#
# The button *Save this take* writes the take into `data/my_recordings`, in a folder for each label, and adds it to a
# table of all takes. The button calls `widgets.save_take`. Here we call it for two clips, with a folder that is
# deleted afterwards:

# %%
with tempfile.TemporaryDirectory() as folder:
    for part, label in zip(parts[:2], ("happy", "sad"), strict=True):
        widgets.save_take(part, rate_hz, label=label, speaker="me", text="a test", folder=folder)
    mine = serlib.index("folder", folder)
mine[["label", "speaker", "text"]]

# %% [markdown]
# Ten takes of each emotion are a beginning. Train on them together with a corpus, and keep other takes of yours for a
# test. In a terminal, in the folder of the project:
#
#     .venv/bin/python -m serlib train lstm-256 tess data/tess folder data/my_recordings \
#         --split random --out checkpoints/mine
#     .venv/bin/python -m serlib predict checkpoints/mine new_recording.wav
#
# Takes of the same afternoon are an easy test: the voice, the room and the microphone are known from training. How well
# another person is recognised, only a test on another person says.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. The listener collects pieces of sound and asks the model about the last seconds again and again. The delay consists
#    of the piece, the way to the kernel and back, the features and the model.
# 2. Overlapping windows give a timeline. With a threshold the model says "unsure" where its confidence is low, at the
#    price of [coverage](../teaching/glossary.md#coverage).
# 3. The model knows the voices that it was trained on. Its answers about yours are a guess until you have tested it on
#    labelled takes of yours.
# 4. Saved takes are a corpus: index, split, training and evaluation work as for any other one.
