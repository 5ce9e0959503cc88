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
# 4. measure pitch, loudness and tempo, and compare them with what the literature expects;
# 5. say how alike two speakers are, and why a new voice is hard for a model.

# %% [markdown]
# `serlib` reads, measures and draws; pandas and seaborn explore the table; scikit-learn trains one simple classifier at
# the end.

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
WORD = None  # the text of the clips in the figures; None: the first text that everybody says in every emotion
PLAIN = "neutral"  # what the others are compared with; in a corpus without it: its first emotion
MOVING = "ps"  # the emotion whose pitch and loudness are followed through a clip; in a corpus without it: its last one
ZOOM_S = 0.03  # seconds of sound, few enough to see single periods of the voice

# %% [markdown] tags=["slide"]
# ## The index of the corpus
#
# The index of notebook 01 has one row for each clip. Which corpus we use, and its first clips:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
print(len(index), "clips,", round(index.duration_s.sum() / 60), "minutes, sampling rates", *index.rate_hz.unique())
index[["label", "speaker", "text", "duration_s"]].head(3).round(2)

# %% [markdown] tags=["slide"]
# Is the corpus balanced, that is, are there equally many clips of each emotion and speaker? On an unbalanced corpus a
# model that always gives the most frequent answer looks clever. (TESS calls [pleasant
# surprise](../teaching/glossary.md#pleasant-surprise) `ps`, and so do we.)

# %%
plots.show(plots.counts(index))

# %% [markdown] tags=["slide"]
# Which emotion do you expect to take longest? The duration is that of the whole file, with the silence around the
# speech. A box holds the middle half of the clips, the line in it is the median, and the whiskers leave out one clip in
# twenty at either end.

# %%
plots.show(plots.durations(index))

# %% [markdown] tags=["slide"]
# ## A sound is a wave
#
# This notebook follows two voices and one text. We choose a text that both voices say in as many emotions as possible.

# %%
emotions = ordered_labels(index.label)
kinds = index[["text", "speaker", "label"]].drop_duplicates()
texts = kinds.text.value_counts(sort=False)
word = WORD or texts[texts == texts.max()].index[0]
emotions_of = kinds[kinds.text == word].groupby("speaker", sort=False).label.nunique()
complete = emotions_of.index[emotions_of == emotions_of.max()]
first = complete[0]
second = complete[-1]
print(f"voices {first} and {second}, text: {word}")

# %% [markdown] tags=["slide"]
# A clip is a row of numbers: the pressure of the air at the microphone, measured thousands of times a second. How many
# times a second is its [sampling rate](../teaching/glossary.md#sampling-rate).

# %%
labels = ordered_labels(kinds.label[(kinds.text == word) & (kinds.speaker == first)])
plain = PLAIN if PLAIN in labels else labels[0]
clip = widgets.find_clip(index, speaker=first, label=plain, text=word)
y, rate_hz = audio.load(clip.speech)
peak = abs(y).argmax()
print(y.dtype, y.shape, "at", rate_hz, "samples per second, some of them:", *np.round(y[peak : peak + 5], 4))
plots.show(plots.waveplot(y, rate_hz, label=clip.label, title=plots.honest(plain.capitalize(), CORPUS)))

# %% [markdown] tags=["slide"]
# Listen, and follow the curve with a finger. Where are the words, and where is silence?

# %%
widgets.player(y, rate_hz, gain=widgets.common_gain([y]))

# %% [markdown] tags=["slide"]
# Zoom in on the loudest place: a vowel repeats itself. Each repetition is one opening of the vocal folds. Count the
# repetitions in the picture: how many would that be in a second?

# %%
stretch = y[peak : peak + int(ZOOM_S * rate_hz)]
plots.show(plots.waveplot(stretch, rate_hz, label=clip.label, title=plots.honest("A few periods", CORPUS)))

# %% [markdown]
# That number is the *pitch* or [fundamental frequency](../teaching/glossary.md#f0), f0 for short. `pitch.contour`
# measures it; compare with what you have counted.

# %%
frames = pitch.contour(y, rate_hz)
at_peak = frames.iloc[(frames.time_s - peak / rate_hz).abs().argmin()]
print(f"measured there: {at_peak.f0_hz:.0f} repetitions a second (Hz)")

# %% [markdown] tags=["slide"]
# ## The spectrogram
#
# A spectrogram shows which frequencies a sound is made of, moment by moment. Each column is the
# [spectrum](../teaching/glossary.md#spectrum) of a short [frame](../teaching/glossary.md#frame): time runs to the
# right, frequency upwards, and bright is strong. Look for
#
# - horizontal stripes at all multiples of the pitch: a voice. The closer together they are, the lower the voice;
# - bright bands across the stripes, the *[formants](../teaching/glossary.md#formant)*: they move with the tongue and
#   tell one vowel from another;
# - bright clouds high up without stripes: hissing, as in "s";
# - dark columns: silence, also the short one before a "t", "k" or "b".

# %%
plots.show(plots.spectrogram(y, rate_hz, mel=False, title=plots.honest("Linear: every hertz as tall", CORPUS)), dpi=70)

# %% [markdown] tags=["slide"]
# The ear tells low frequencies apart better than high ones. The *[mel scale](../teaching/glossary.md#mel-scale)*
# stretches the frequency axis accordingly: the low frequencies, of which speech mostly consists, now take up more of
# the picture. Notebook 03 computes it step by step.

# %%
plots.show(plots.spectrogram(y, rate_hz, title=plots.honest("Mel: as tall as it sounds", CORPUS)), dpi=70)

# %% [markdown] tags=["slide"]
# Now waveform, spectrogram and sound together. Press the button: a line moves along with the sound. Click to play from
# another place; drag to mark a stretch, which is then repeated. Where in the picture is an "s", where a vowel?

# %%
title = plots.honest(plain.capitalize(), CORPUS)
widgets.scope(y, rate_hz, label=clip.label, gain=widgets.common_gain([y]), title=title)

# %% [markdown] tags=["slide"]
# ## One word in every emotion
#
# One voice says the same word in every emotion; all pictures have the same axes. Which emotion is loudest, which is
# longest? In which are the stripes far apart, in which do they rise at the end? Would you know the emotion with the
# labels covered?


# %%
def said_by(speaker):
    clips = index[(index.speaker == speaker) & (index.text == word)].drop_duplicates("label").set_index("label")
    return {label: audio.load(clips.speech[label]) for label in emotions if label in clips.index}


plots.show(plots.one_word(said_by(first), title=plots.honest(f"{first}: {word}", CORPUS)), dpi=70)

# %% [markdown] tags=["slide"]
# The same word again, with the other voice beside it. Look at a picture, guess how it sounds, then click on it. All
# clips are played at one volume, so that soft stays soft; IPython's own player would make all of them equally loud.

# %%
widgets.grid(index, word, speakers=[*dict.fromkeys([first, second])])

# %% [markdown] tags=["slide"]
# Two of these clips in large, with the same axes for both. What exactly differs?

# %%
clips = said_by(second)
moving = MOVING if MOVING in clips else [*clips][-1]
pair = {label: clips[label] for label in (plain, moving) if label in clips}
display(*widgets.scopes(pair, title=plots.honest(f"{second}: {word}", CORPUS)))

# %% [markdown] tags=["slide"]
# ## Compute: pitch and loudness through a clip
#
# What we have seen can be measured. How something is said, its pitch, loudness and tempo, is called
# [prosody](../teaching/glossary.md#prosody). To find the pitch of a frame, shift a copy of the frame along it: at the
# shift where the two agree best, one period has passed (autocorrelation; Boersma 1993, the method of the program
# Praat). Where they agree nowhere there is no voice, and no pitch is given. Loudness is the level of the frame in
# [decibels](../teaching/glossary.md#decibel) below full scale, the largest level that a file can hold.

# %%
y, rate_hz = clips[moving]
frames = pitch.contour(y, rate_hz)
frames[frames.f0_hz.notna()].head(3).round(2)

# %% [markdown] tags=["slide"]
# The pitch line should lie on the lowest stripe. Does it? Every method is wrong by an octave now and then, so always
# look and listen.

# %%
gain = widgets.common_gain([y])
title = plots.honest(f"{second}: {moving}", CORPUS)
widgets.scope(y, rate_hz, contours=True, label=moving, gain=gain, title=title)

# %% [markdown] tags=["slide"]
# ## A listening test, and every clip to explore
#
# Let the class guess. Clips come in random order, and neither title nor colour gives the emotion away. Listen, choose
# an emotion, and press *Reveal*. The score compares your share of right guesses with
# [chance](../teaching/glossary.md#chance), and its [interval](../teaching/glossary.md#confidence-interval) says how far
# so few guesses can be trusted.

# %% tags=["nbval-ignore-output"]
widgets.explorer(index, hide="label")

# %% [markdown]
# The explorer plays any clip of the corpus. Choose one by emotion, speaker and text.

# %% tags=["nbval-ignore-output"]
widgets.explorer(index)

# %% [markdown]
# And any clip beside any other one.

# %% tags=["nbval-ignore-output"]
widgets.explorer(index, clips=2)

# %% [markdown] tags=["slide"]
# ## Pitch and loudness by emotion
#
# **Before you go on**, write down what you expect: compared with neutral speech, which emotions are higher and which
# lower, which louder and which softer, which faster? The next table is what reviews of the literature found most often
# (Juslin and Laukka 2003, Table 7; for disgust Murray and Arnott 1993, Table I). On the loudness of fear the studies
# disagree (`?`), and surprise was hardly studied.

# %%
expected = pd.DataFrame(
    {
        "pitch": {"angry": "higher", "disgust": "lower", "fear": "higher", "happy": "higher", "sad": "lower"},
        "loudness": {"angry": "louder", "disgust": "softer", "happy": "louder", "sad": "softer"},
        "speech": {"angry": "shorter", "disgust": "longer", "fear": "shorter", "happy": "shorter", "sad": "longer"},
    }
).fillna("?")
expected

# %% [markdown]
# We measure every clip; the next time the table comes from the cache. It has one row for each clip: the median pitch,
# its range in [semitones](../teaching/glossary.md#semitone), the level of the speech, the share of the speech that has
# a voice, and how long the speech takes. The smallest, median and largest value of each:

# %%
voices = pitch.prosody(index)
voices[list(pitch.MEASURES)].describe().loc[["min", "50%", "max"]].round(1)

# %% [markdown] tags=["slide"]
# As before, a box holds the middle half of the clips, and the line in it is the median.

# %%
plots.show(plots.pitch_and_loudness(voices))

# %% [markdown]
# A high voice is high in every emotion. So we compare the median of each emotion with that of the same speaker's
# neutral speech (in a corpus without it: with its first emotion), and pitch in semitones, because equal ratios of
# frequency sound like equal steps.

# %%
voices["f0_st"] = 12 * np.log2(voices.f0_hz)
medians = voices.groupby(["label", "speaker"])[["f0_st", "loudness_db", "speech_s"]].median()
differences = medians.sub(medians.loc[plain], level="speaker").groupby("label").median().loc[emotions]
differences = differences.round(1) + 0.0  # no minus zero
differences.columns = ["pitch (semitones)", "loudness (dB)", "speech (s)"]
differences.map("{:+.1f}".format)

# %% [markdown]
# Was the literature right about this corpus? We count the emotions that differ from neutral speech in the expected
# direction. A difference of 0.0 in the table counts as "same".

# %%
words = {"pitch": ("lower", "higher"), "loudness": ("softer", "louder"), "speech": ("shorter", "longer")}
comparable = [label for label in expected.index if label in differences.index and plain == "neutral"]
for column, (name, (less, more)) in zip(differences, words.items(), strict=True):
    direction = np.select([differences[column] < 0, differences[column] > 0], [less, more], "same")
    measured = pd.Series(direction, differences.index)
    tested = [label for label in comparable if expected.loc[label, name] != "?"]
    wrong = [f"{label} is {measured[label]}" for label in tested if measured[label] != expected.loc[label, name]]
    print(f"{name}: {len(tested) - len(wrong)} of {len(tested)} as expected", *wrong, sep="; ")
if CORPUS == "sample":
    print("The sample corpus was made to follow this literature: that it agrees proves nothing.")

# %% [markdown] tags=["slide"]
# ## How alike are two voices?
#
# Each point is a clip; its colour is the emotion, its shape the voice. Look at one voice only: could you draw borders
# between the emotions? Would the same borders serve for the other voice? seaborn draws the points; `serlib` gives the
# style, and asks for a description in words for people who cannot see the picture.


# %%
@plots.style.with_style
def two_voices(table):
    ax, figure = plots.style.canvas(size=(10, 5.6))
    colours = {label: plots.colour(label) for label in emotions}
    shapes = dict(zip(sorted({first, second}), plots.style.MARKERS, strict=False))
    look = {"palette": colours, "hue_order": emotions, "markers": shapes, "s": 34, "edgecolor": plots.style.INK}
    seaborn.scatterplot(table, x="f0_hz", y="loudness_db", hue="label", style="speaker", ax=ax, **look)
    seaborn.move_legend(ax, "upper left", bbox_to_anchor=(1, 1))
    ax.set(title=plots.honest("Two voices", table), xlabel="Pitch f0 (Hz)", ylabel="Loudness (dB)")
    middle = table.groupby(["label", "speaker"]).f0_hz.median().round().astype(int).unstack().loc[emotions]
    listed = "; ".join(f"{label} {pair[first]} and {pair[second]}" for label, pair in middle.iterrows())
    alt = f"Scatter plot of pitch and loudness; median pitch of {first} and {second} in Hz: {listed}."
    return plots.style.described(figure, alt)


plots.show(two_voices(voices[voices.speaker.isin([first, second])]), dpi=70)

# %% [markdown]
# In a running notebook, a click on a point plays its clip. Find a clip that lies among points of another colour, and
# listen: why is it there?

# %% tags=["nbval-ignore-output"]
measured = index.join(voices[["f0_hz", "loudness_db"]]).dropna(subset=["f0_hz"])
clips = measured[measured.speaker.isin([first, second])]
points = clips[["f0_hz", "loudness_db"]]
widgets.clip_map(clips, points, axes=("Pitch f0 (Hz)", "Loudness (dB)"), title="Two voices")

# %% [markdown]
# How much is the voice worth to a classifier? We take one of the simplest: it stores the average clip of each emotion
# (pitch, range, loudness, tempo, share of voice), and answers with the emotion whose average is nearest. It learns from
# one voice and half of the texts. How many clips of the other half does it get right, said by the same voice and said
# by the other one?

# %%
measures = ["f0_st", "f0_range_st", "loudness_db", "speech_s", "voiced_share"]
usable = voices.dropna(subset=measures)
in_training = usable.text.isin(index.text.unique()[::2])
if index.text.nunique() == 1:  # no texts are known: every other clip
    in_training = pd.Series(np.arange(len(usable)) % 2 == 0, index=usable.index)
train = usable[in_training & (usable.speaker == first)]
classifier = make_pipeline(StandardScaler(), NearestCentroid()).fit(train[measures], train.label)
for speaker in (first, second):
    test = usable[~in_training & (usable.speaker == speaker)]
    accuracy = classifier.score(test[measures], test.label)
    print(f"trained on {first}, tested on {speaker}: {accuracy:.0%} of {len(test)} clips right")
print(f"guessing: {1 / len(emotions):.0%}")

if CORPUS == "sample":
    print("In these five numbers the sample's two voices are alike, so little is lost. On TESS most of it is: try it.")

# %% [markdown]
# For a known voice five numbers are enough to be right far more often than by guessing. For a new voice they need not
# be: go back to the picture, and look for an emotion of one voice that lies where another emotion of the other voice
# lies. Models with a million parameters have the same problem; notebook 05 measures it, and notebook 07 asks what
# helps.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Counts by emotion and speaker show whether a corpus is balanced, and which combinations are missing.
# 2. Stripes are the voice and their distance is its pitch, bright bands are formants, clouds are hissing, dark columns
#    are pauses. The mel scale stretches the frequency axis as the ear does.
# 3. The same word changes its length, loudness, pitch and melody with the emotion; players must keep the volume.
# 4. Pitch and loudness are measured frame by frame. Compared with the speaker's own neutral speech they mostly go where
#    the literature says; where they do not, listen again and ask what the actor meant.
# 5. Two speakers can differ as much as two emotions do. What a model learns from one voice need not hold for the next.
