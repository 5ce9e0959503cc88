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
# # 02 Look, then listen, then compute
#
# Before any model is trained we get to know the clips: how many there are, how they look, how they sound, and what in
# them changes when the emotion does.
#
# **Running time**: half a minute on the sample corpus, a minute on TESS. **Data**: TESS where it is present, otherwise
# the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. say what a corpus holds, and whether it is balanced;
# 2. read a [waveform](../teaching/glossary.md#waveform) and a [spectrogram](../teaching/glossary.md#spectrogram): find
#    the vowels, the hissing, the pauses and the [pitch](../teaching/glossary.md#pitch);
# 3. hear and see one word in every emotion;
# 4. measure pitch, loudness and tempo, and hold them against what the literature expects;
# 5. say how alike two speakers are, and guess why a new voice will be hard.

# %% [markdown]
# `serlib` finds, measures and draws, seaborn and pandas explore, scikit-learn makes one simple guess at the end.

# %%
import numpy as np
import pandas as pd
import seaborn
from IPython.display import display
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import serlib
from serlib import audio, plots, widgets
from serlib.features import pitch
from serlib.utils import ordered_labels

# %% [markdown]
# All settings:

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
WORD = None  # what is said in the figures; None: the first text that everybody says in every emotion
PLAIN = "neutral"  # what the others are compared with; a corpus without it: its first emotion
MOVING = "ps"  # the emotion whose pitch and loudness are followed through a clip; a corpus without it: its last one
ZOOM_S = 0.03  # a stretch so short that single periods of the voice are seen

# %% [markdown] tags=["slide"]
# ## What is there
#
# The index is a table with a row a clip. Which corpus we use, and what is known of its clips:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
print(len(index), "clips,", round(index.duration_s.sum() / 60), "minutes, sampling rates", *index.rate_hz.unique())
print(index[["label", "speaker", "text", "duration_s"]].head(3).round(2).to_string(index=False))

# %% [markdown] tags=["slide"]
# A model that always gives the commonest answer looks clever on an unbalanced corpus. Is this one balanced? (TESS calls
# [pleasant surprise](../teaching/glossary.md#pleasant-surprise) `ps`, and so do we.)

# %%
plots.show(plots.counts(index))

# %% [markdown] tags=["slide"]
# Which emotion do you expect to take longest? Durations count the whole file, with the silence around the speech. A box
# holds the middle half of the clips, the line in it is the median; the whiskers leave out a twentieth at either end.

# %%
plots.show(plots.durations(index))

# %% [markdown] tags=["slide"]
# ## A sound is a wave
#
# Two voices and one text will lead us through this notebook; not every voice needs to have said every text in every
# emotion, so we look for one that is complete.

# %%
emotions = ordered_labels(index.label)
kinds = index[["text", "speaker", "label"]].drop_duplicates()
texts = kinds.text.value_counts(sort=False)
word = WORD or texts[texts == texts.max()].index[0]
said = kinds[kinds.text == word].groupby("speaker", sort=False).label.nunique()
first, second = said.index[said == said.max()][[0, -1]]
print(f"voices {first} and {second}, text: {word}")

# %% [markdown] tags=["slide"]
# A clip is a row of numbers: the pressure of the air at the microphone, measured thousands of times a second. How many
# times a second is its [sampling rate](../teaching/glossary.md#sampling-rate).

# %%
spoken = ordered_labels(kinds.label[(kinds.text == word) & (kinds.speaker == first)])
plain = PLAIN if PLAIN in spoken else spoken[0]
clip = widgets.find_clip(index, speaker=first, label=plain, text=word)
y, rate_hz = audio.load(clip.speech)
peak = abs(y).argmax()
print(y.dtype, y.shape, "at", rate_hz, "samples per second, some of them:", *np.round(y[peak : peak + 5], 4))
plots.show(plots.waveplot(y, rate_hz, label=clip.label, title=plots.honest(plain.capitalize(), CORPUS)))

# %% [markdown] tags=["slide"]
# Listen, and follow the curve with a finger. Where are the words, where is the silence?

# %%
widgets.player(y, rate_hz, gain=widgets.common_gain([y]))

# %% [markdown] tags=["slide"]
# Zoom in on the loudest place: a vowel repeats itself. Each repetition is one opening of the vocal
# folds. Count the repetitions in the picture; how many would that be in a
# second?

# %%
stretch = y[peak : peak + int(ZOOM_S * rate_hz)]
plots.show(plots.waveplot(stretch, rate_hz, label=clip.label, title=plots.honest("A few periods", CORPUS)))

# %% [markdown]
# That number is the *pitch*, or [fundamental frequency](../teaching/glossary.md#f0) f0. What did you count?

# %%
frames = pitch.contour(y, rate_hz)
at_peak = frames.iloc[(frames.time_s - peak / rate_hz).abs().argmin()]
print(f"measured there: {at_peak.f0_hz:.0f} repetitions a second (Hz)")

# %% [markdown] tags=["slide"]
# ## A spectrogram shows what the ear hears
#
# Each column is the [spectrum](../teaching/glossary.md#spectrum) of a short [frame](../teaching/glossary.md#frame):
# time runs to the right, frequency upwards, bright is strong. Look for
#
# - stripes, one above the other, at all multiples of the pitch: a voice. The closer they stand, the lower the voice;
# - bright bands across the stripes, the *[formants](../teaching/glossary.md#formant)*: they make an "a" an "a", and
#   move with the tongue;
# - bright clouds high up without stripes: hissing, as in "s";
# - dark columns: silence, also the short one before a "t", "k" or "b" bursts.

# %%
plots.show(plots.spectrogram(y, rate_hz, mel=False, title=plots.honest("Linear: every hertz as tall", CORPUS)), dpi=70)

# %% [markdown] tags=["slide"]
# The ear tells low frequencies apart better than high ones. The *mel* scale gives frequencies the room that they have
# in hearing, and the lower half of the picture now holds what speech is mostly made of. Notebook 03 takes it from here.

# %%
plots.show(plots.spectrogram(y, rate_hz, title=plots.honest("Mel: as tall as it sounds", CORPUS)), dpi=70)

# %% [markdown] tags=["slide"]
# Now both at once, and the sound with them. Press the button: the line shows what you hear. A click starts somewhere
# else, and a stretch that is marked by dragging is repeated. Which part of the picture is the "s"?

# %%
title = plots.honest(plain.capitalize(), CORPUS)
widgets.scope(y, rate_hz, label=clip.label, gain=widgets.common_gain([y]), title=title)

# %% [markdown] tags=["slide"]
# ## Every emotion
#
# One voice says the same in every emotion, on common axes. Which emotion is loudest, which is longest? In which do the
# stripes stand far apart, in which do they rise at the end? Would you know the emotion with the labels covered?


# %%
def said_by(speaker):
    clips = index[(index.speaker == speaker) & (index.text == word)].drop_duplicates("label").set_index("label")
    return {label: audio.load(clips.speech[label]) for label in emotions if label in clips.index}


plots.show(plots.one_word(said_by(first), title=plots.honest(f"{first}: {word}", CORPUS)), dpi=70)

# %% [markdown] tags=["slide"]
# The same word again, with the other voice beside it. Guess how a picture sounds, then click on it. All clips are
# played at one volume, so that soft stays soft; IPython's own player would make all of them equally loud.

# %%
widgets.grid(index, word, speakers=[*dict.fromkeys([first, second])])

# %% [markdown] tags=["slide"]
# Two of them, one above the other, with the same axes for both: what exactly differs?

# %%
clips = said_by(second)
moving = MOVING if MOVING in clips else [*clips][-1]
pair = {label: clips[label] for label in (plain, moving) if label in clips}
display(*widgets.scopes(pair, title=plots.honest(f"{second}: {word}", CORPUS)))

# %% [markdown] tags=["slide"]
# ## Compute: pitch and loudness through a clip
#
# What we have seen can be measured. How something is said, its pitch, loudness and tempo, is its
# [prosody](../teaching/glossary.md#prosody). The pitch of a frame is found by sliding the frame along itself: where it
# fits best, one period has passed (Boersma 1993, the method of the program Praat). Where it fits nowhere there is no
# voice, and the line stops. Loudness is the level of the frame in [decibels](../teaching/glossary.md#decibel) below
# full scale.

# %%
y, rate_hz = clips[moving]
frames = pitch.contour(y, rate_hz)
print(frames[frames.f0_hz.notna()].head(3).round(2).to_string(index=False))

# %% [markdown] tags=["slide"]
# The line should lie on the lowest stripe. Does it? Methods err by an octave now and then; always look, and listen.

# %%
gain = widgets.common_gain([y])
title = plots.honest(f"{second}: {moving}", CORPUS)
widgets.scope(y, rate_hz, contours=True, label=moving, gain=gain, title=title)

# %% [markdown] tags=["slide"]
# ## Any clip
#
# Let the class guess. Clips come in random order, without their emotion in title or colour; choose one, press *Reveal*,
# and watch how the share of right guesses moves away from [chance](../teaching/glossary.md#chance), with its
# [interval](../teaching/glossary.md#confidence-interval).

# %% tags=["nbval-ignore-output"]
widgets.explorer(index, hide="label")

# %% [markdown]
# Or choose a clip yourself.

# %% tags=["nbval-ignore-output"]
widgets.explorer(index)

# %% [markdown]
# And any clip against any other.

# %% tags=["nbval-ignore-output"]
widgets.explorer(index, clips=2)

# %% [markdown] tags=["slide"]
# ## Pitch and loudness by emotion
#
# **Before you go on**: compared with neutral speech, which emotions do you expect higher, which lower? Which louder,
# which softer? Which faster? Write it down. This is what reviews of the literature found most often (Juslin and Laukka
# 2003, Table 7; for disgust Murray and Arnott 1993, Table I). Studies disagree on how loud fear is, and surprise was
# hardly studied: what is your own guess?

# %%
expected = pd.DataFrame(
    {
        "pitch": {"angry": "higher", "disgust": "lower", "fear": "higher", "happy": "higher", "sad": "lower"},
        "loudness": {"angry": "louder", "disgust": "softer", "happy": "louder", "sad": "softer"},
        "speech": {"angry": "shorter", "disgust": "longer", "fear": "shorter", "happy": "shorter", "sad": "longer"},
    }
).fillna("?")
print(expected.to_string())

# %% [markdown]
# Every clip is measured, once; the next time the table comes from the cache. One row a clip: the median pitch, its
# range in [semitones](../teaching/glossary.md#semitone), the level of the speech, the share that has a voice, and how
# long the speech takes.

# %%
voices = pitch.prosody(index)
print(voices[list(pitch.MEASURES)].describe().loc[["min", "50%", "max"]].round(1).to_string())

# %% [markdown] tags=["slide"]
# Look: a box holds the middle half of the clips, the line in it is the median.

# %%
plots.show(plots.pitch_and_loudness(voices))

# %% [markdown]
# And compute. A high voice is high in every emotion, so the median of each emotion is compared with that of the same
# speaker's neutral speech (in a corpus without it: with its first emotion); pitch in semitones, because equal ratios
# sound like equal steps.

# %%
voices["f0_st"] = 12 * np.log2(voices.f0_hz)
medians = voices.groupby(["label", "speaker"])[["f0_st", "loudness_db", "speech_s"]].median()
differences = medians.sub(medians.loc[plain], level="speaker").groupby("label").median().loc[emotions]
differences = differences.round(1) + 0.0  # no minus zero
differences.columns = ["pitch (semitones)", "loudness (dB)", "speech (s)"]
print(differences.rename_axis(None).to_string(float_format="{:+.1f}".format))

# %% [markdown]
# Was the literature right about this corpus? It compares with neutral speech, so the corpus must have some. A
# difference of 0.0 in the table counts as "same".

# %%
words = {"pitch": ("lower", "higher"), "loudness": ("softer", "louder"), "speech": ("shorter", "longer")}
for column, (name, (less, more)) in zip(differences, words.items(), strict=True):
    direction = differences[column].map(lambda d, less=less, more=more: less if d < 0 else more if d > 0 else "same")
    tested = expected[name][(expected[name] != "?") & expected.index.isin(differences.index) & (plain == "neutral")]
    wrong = [f"{label} is {direction[label]}" for label in tested.index if direction[label] != tested[label]]
    print(f"{name}: {len(tested) - len(wrong)} of {len(tested)} as expected", *wrong, sep="; ")
if CORPUS == "sample":
    print("The sample corpus was made after this literature: that it agrees proves nothing.")

# %% [markdown] tags=["slide"]
# ## How alike are two voices?
#
# A point is a clip, its colour the emotion, its shape the voice. Cover one voice with your eyes: could you draw borders
# between the emotions? Would the same borders do for the other voice? seaborn draws; `serlib` lends its style and asks
# for a description.


# %%
@plots.style.with_style
def two_voices(table):
    ax, figure = plots.style.canvas(size=(10, 5.6))
    colours = {label: plots.colour(label) for label in emotions}
    shapes = [*dict.fromkeys([first, second])]
    look = {"palette": colours, "hue_order": emotions, "style_order": shapes, "s": 30, "alpha": 0.7}
    seaborn.scatterplot(table, x="f0_hz", y="loudness_db", hue="label", style="speaker", ax=ax, **look)
    seaborn.move_legend(ax, "upper left", bbox_to_anchor=(1, 1))
    ax.set(title=plots.honest("Two voices", table), xlabel="Pitch f0 (Hz)", ylabel="Loudness (dB)")
    middle = table.groupby(["label", "speaker"]).f0_hz.median().round().astype(int).unstack().loc[emotions]
    listed = "; ".join(f"{label} {pair[first]} and {pair[second]}" for label, pair in middle.iterrows())
    alt = f"Scatter plot of pitch and loudness; median pitch of {first} and {second} in Hz: {listed}."
    return plots.style.described(figure, alt)


plots.show(two_voices(voices[voices.speaker.isin([first, second])]))

# %% [markdown]
# The same map to click at, where this page has a kernel: find a clip that lies among the wrong colour, and hear why.

# %% tags=["nbval-ignore-output"]
measured = index.join(voices[["f0_hz", "loudness_db"]]).dropna(subset=["f0_hz"])
heard = measured[measured.speaker.isin([first, second])]
points = heard[["f0_hz", "loudness_db"]]
widgets.clip_map(heard, points, axes=("Pitch f0 (Hz)", "Loudness (dB)"), title="Two voices")

# %% [markdown]
# The simplest rule that one can learn: remember the average clip of each emotion (pitch, range, loudness, tempo, share
# of voice), and answer with the nearest. It learns from one voice and half of the texts. How well does it do on the
# other half, said by the same voice, and said by the other one?

# %%
measures = ["f0_st", "f0_range_st", "loudness_db", "speech_s", "voiced_share"]
usable = voices.dropna(subset=measures)
in_training = usable.text.isin(index.text.unique()[::2])
if index.text.nunique() == 1:  # no texts are known: every other clip
    in_training = pd.Series(np.arange(len(usable)) % 2 == 0, index=usable.index)
lesson = usable[in_training & (usable.speaker == first)]
rule = make_pipeline(StandardScaler(), NearestCentroid()).fit(lesson[measures], lesson.label)
for speaker in (first, second):
    tested = usable[~in_training & (usable.speaker == speaker)]
    share = rule.score(tested[measures], tested.label)
    print(f"taught by {first}, tested on {speaker}: {share:.0%} of {len(tested)} right")
print(f"guessing: {1 / len(emotions):.0%}")

if CORPUS == "sample":
    print("The sample's two voices are made by the same rules, so little is lost. On TESS most of it is: try it there.")

# %% [markdown]
# Five numbers go a long way for a known voice, but people differ in more than five numbers. Go back to the picture:
# does an emotion of one voice lie where another emotion of the other voice lies? Models with a million parameters have
# the same problem; notebook 05 measures it, notebook 07 asks what helps.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Counts by emotion and speaker show whether a corpus is balanced, and which combinations are missing.
# 2. Stripes are the voice and their distance is its pitch, bright bands are formants, clouds are hissing, dark columns
#    are pauses; mel gives frequencies the room that they have in hearing.
# 3. The same word changes its length, loudness, pitch and melody with the emotion; players must keep the volume.
# 4. Pitch, loudness and tempo are measured frame by frame; against a speaker's own neutral speech they mostly go where
#    the literature says; where they do not, listen again and ask what the actor meant.
# 5. Two speakers can differ as much as two emotions do. What is learned from one voice need not hold for the next.
