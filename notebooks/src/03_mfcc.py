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
# # 03 From a wave to MFCC
#
# Part 1 turns one clip into forty numbers, step by step, and checks each step against librosa. Part 2 listens to what
# these numbers keep, and looks at the other features and at the table of a whole corpus.
#
# **Running time**: about a quarter of a minute on the sample corpus, half a minute on TESS. **Data**: TESS where it is
# present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. compute [MFCC](../teaching/glossary.md#mfcc) from a wave by hand, and say what each of the six steps is for;
# 2. hear what thirteen or forty coefficients keep of a voice;
# 3. say why the published systems use forty numbers for a clip, and what the mean over time throws away;
# 4. name the other features that are used, and what each of them measures;
# 5. get the features of a whole corpus with one call, and see what they tell apart before any model is trained.

# %% [markdown]
# numpy computes, librosa is the reference that we compare with, and scikit-learn explores the table at the end.

# %%
import tempfile
import time
from dataclasses import replace

import librosa
import numpy as np
import pandas as pd
import scipy.fft
from IPython.display import display
from ipywidgets import IntSlider, interact
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler

import serlib
from serlib import audio, plots, widgets

# %% [markdown]
# All settings; the values are those of the published systems, which are librosa's own.

# %%
CORPUS = serlib.default()  # sample, tess, ravdess, ...
LABEL = "angry"  # the emotion of the clip that we take apart
CLIP = 0  # which of its clips
RATE_HZ = 22050  # samples per second; clips at another rate are resampled
FRAME = 2048  # samples a frame
HOP = 512  # samples from the start of one frame to the start of the next
N_MELS = 128  # mel bands
N_MFCC = 40  # coefficients that are kept
FEW = 13  # coefficients that speech recognisers used to keep

# %% [markdown]
# Which corpus we use, and which of its clips we take apart:

# %%
print(serlib.notice(CORPUS))
index = serlib.index(CORPUS)
label = LABEL if LABEL in set(index.label) else index.label.iloc[0]
clip = index[index.label == label].iloc[CLIP]
y, _ = audio.load(clip.speech, rate_hz=RATE_HZ)
print(f"speaker {clip.speaker}, {clip.text}, {clip.label}: {len(y)} samples, {len(y) / RATE_HZ:.2f} s")

# %% [markdown] tags=["slide"]
# Look at the clip first. Vowels are the loud, regular parts; s and sh are noise; the gaps are the silence before b, p
# or t.

# %%
title = plots.honest(f"{clip.speaker}, {clip.text}, {clip.label}", CORPUS)
plots.show(plots.waveplot(y, RATE_HZ, label=clip.label, title=title))

# %% [markdown] tags=["slide"]
# Then listen to it. Each player of this notebook is as loud as it can be without clipping.


# %%
def play(y):
    return widgets.player(y, RATE_HZ, gain=widgets.common_gain([y]))


display(play(y))

# %% [markdown]
# Each step below must give the same numbers as librosa. This function compares them, and stops the notebook where they
# differ.


# %%
def check(name, ours, reference, within):
    equal = ours.shape == reference.shape and np.max(np.abs(ours - reference)) < within
    print(f"{name}: {' x '.join(map(str, ours.shape))} numbers, largest difference below {within:g}: {equal}")
    assert equal


check("librosa.load", y, librosa.load(clip.speech, sr=RATE_HZ)[0], within=1e-5)

# %% [markdown] tags=["slide"]
# ## Part 1: from a wave to forty numbers
#
# ### Step 1: frames
#
# A word changes from one tenth of a second to the next; one spectrum of the whole clip would blur it. So we cut the
# clip into short frames, which overlap so that nothing is lost at their ends. Half a frame of zeros at either end of
# the clip puts the middle of frame `t` at sample `t * HOP`.

# %%
padded = np.pad(y, FRAME // 2)
starts = HOP * np.arange(1 + len(y) // HOP)
frames = padded[starts[:, np.newaxis] + np.arange(FRAME)]
check("librosa.util.frame", frames.T, librosa.util.frame(padded, frame_length=FRAME, hop_length=HOP), within=1e-9)

# %% [markdown] tags=["slide"]
# We follow the loudest frame, a vowel, and look at it between its neighbours. (The time in the picture counts from the
# start of the padding.)

# %%
loud = int(np.argmax((frames**2).sum(axis=1)))
print(f"{len(frames)} frames of {1000 * FRAME / RATE_HZ:.0f} ms, one every {1000 * HOP / RATE_HZ:.0f} ms")
print("the loudest is number", loud)
plots.show(plots.framing(padded, RATE_HZ, frame=FRAME, hop=HOP, first=max(0, loud - 1)))

# %% [markdown] tags=["slide"]
# ### Step 2: the Hann window
#
# A frame starts and ends abruptly, in the middle of a swing. To the [Fourier
# transform](../teaching/glossary.md#fourier-transform) of step 3 such a cut sounds like a click, which holds all
# frequencies. The [Hann window](../teaching/glossary.md#hann-window) fades the frame in and out; what is faded out at
# the ends of one frame lies in the middle of its neighbours.

# %%
window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
check("librosa.filters.get_window", window, librosa.filters.get_window("hann", FRAME), within=1e-9)
plots.show(plots.windowing(frames[loud], window, RATE_HZ))

# %% [markdown] tags=["slide"]
# ### Step 3: the Fourier transform, and the power
#
# How much of a frequency is in a frame? Multiply the frame by a wave of that frequency and take the sum: what swings in
# step with the wave adds up, everything else cancels. For all frequencies at once that is a product with a table of
# waves. The *fast* Fourier transform (FFT) gets the same numbers without the table.
#
# <details><summary>The formula</summary>
#
# With the window $w$, the frame $x$ of $N$ samples, and the number of swings $k$:
#
# $$X_k = \sum_{n=0}^{N-1} w_n x_n e^{-2 \pi i k n / N} \quad w_n = \frac{1}{2} - \frac{1}{2} \cos \frac{2 \pi n}{N}$$
#
# </details>

# %%
waves = np.exp(-2j * np.pi * np.outer(np.arange(1 + FRAME // 2), np.arange(FRAME)) / FRAME)
windowed = window * frames[loud]
check("np.fft.rfft", waves @ windowed, np.fft.rfft(windowed), within=1e-9)

# %% [markdown]
# Now for all frames at once. The result is a complex number for each frame and frequency: its size says how strong the
# frequency is, its angle (the phase) at which point of its swing. The ear hardly hears the phase, so we keep the square
# of the size: the power.

# %%
spectra = np.fft.rfft(window * frames)
check("librosa.stft", spectra.T, librosa.stft(y, n_fft=FRAME, hop_length=HOP), within=1e-4)
power = np.abs(spectra) ** 2

# %% [markdown] tags=["slide"]
# The spectrum of our vowel is a comb whose teeth form hills. The teeth are the
# [harmonics](../teaching/glossary.md#harmonic) of the voice, as far apart as its pitch; the hills are the formants, the
# resonances of mouth and throat. MFCC are made to keep the hills and drop the comb.

# %%
plots.show(plots.spectrum(librosa.power_to_db(power[loud], top_db=None), RATE_HZ, fmax_hz=5000))

# %% [markdown] tags=["slide"]
# The spectra of all frames side by side, with the level as brightness, are the spectrogram.

# %%
plots.show(plots.spectrogram(y, RATE_HZ, mel=False, frame=FRAME, hop=HOP))

# %% [markdown] tags=["slide"]
# ### Step 4: mel bands
#
# Equal steps in hertz do not sound equal. Listen to two ladders of tones between the same two frequencies. The first
# climbs by equal steps in hertz: its last tones seem to lie close together. The second climbs by equal steps in *mel*.


# %%
def hz_to_mel(hz):
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def mel_to_hz(mel):
    return np.where(mel < 15, 200 * mel / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def ladder(tones_hz, tone_s=0.2):
    t = np.arange(int(tone_s * RATE_HZ)) / RATE_HZ
    fade = np.sin(np.pi * t / tone_s) ** 0.5
    return np.concatenate([0.3 * fade * np.sin(2 * np.pi * hz * t) for hz in tones_hz])


low_hz, high_hz = 200, 6000
steps_hz = np.linspace(low_hz, high_hz, 9)
steps_mel = mel_to_hz(np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), 9))
display(play(ladder(steps_hz)), play(ladder(steps_mel)))

# %% [markdown]
# The functions above are Slaney's [mel scale](../teaching/glossary.md#mel-scale): proportional to hertz below one
# kilohertz, logarithmic above. Such scales rest on listening tests, the first of them in 1937. librosa has the same
# numbers.
#
# <details><summary>The formula</summary>
#
# $$m(f) = \frac{3 f}{200} \quad (f < 1000) \quad m(f) = 15 + 27 \frac{\ln (f / 1000)}{\ln 6.4} \quad (f \geq 1000)$$
#
# </details>

# %%
check("librosa.hz_to_mel", hz_to_mel(steps_hz), librosa.hz_to_mel(steps_hz), within=1e-9)
check("librosa.mel_to_hz", steps_mel, librosa.mel_frequencies(9, fmin=low_hz, fmax=high_hz), within=1e-9)

# %% [markdown]
# A mel band is a weighted sum of the power at its frequencies, and the weights form a triangle. The triangles are
# equally wide in mel, each begins where its left neighbour has its peak, and all have the same area, so that a wide one
# does not count more.

# %%
edges = mel_to_hz(np.linspace(0, hz_to_mel(RATE_HZ / 2), N_MELS + 2))[:, np.newaxis]
left, centre, right = edges[:-2], edges[1:-1], edges[2:]
hz = np.fft.rfftfreq(FRAME, 1 / RATE_HZ)
rising = (hz - left) / (centre - left)
falling = (right - hz) / (right - centre)
filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
check("librosa.filters.mel", filters, librosa.filters.mel(sr=RATE_HZ, n_fft=FRAME, n_mels=N_MELS), within=1e-6)

# %% [markdown] tags=["slide"]
# Every sixth of the triangles: narrow at the low frequencies, where the vowels are, wide at the high ones, where there
# is only hissing. The lowest look ragged because they are hardly wider than the step from one frequency of the
# transform to the next.

# %%
plots.show(plots.filters(filters, RATE_HZ, every=6))

# %% [markdown]
# One matrix product turns the power at frequencies into the power in bands. The comb begins to disappear: at high
# frequencies, a band holds several harmonics.

# %%
mel_power = power @ filters.T
reference = librosa.feature.melspectrogram(y=y, sr=RATE_HZ, n_fft=FRAME, hop_length=HOP, n_mels=N_MELS)
check("librosa.feature.melspectrogram", mel_power.T, reference, within=1e-3)

# %% [markdown] tags=["slide"]
# ### Step 5: the logarithm
#
# Ten times the power sounds about twice as loud, for a whisper as for a shout. Decibels are a logarithm, so each such
# factor of ten is one equal step. The logarithm also turns products into sums: the spectrum of a voice times the
# resonances of the mouth becomes voice plus mouth. Levels more than eighty decibels below the loudest are raised to
# that limit, since they are only the noise of the recording.

# %%
level_db = 10 * np.log10(np.maximum(mel_power, 1e-10))
level_db = np.maximum(level_db, level_db.max() - 80)
check("librosa.power_to_db", level_db.T, librosa.power_to_db(reference), within=1e-3)
plots.show(plots.bands(level_db[loud]))

# %% [markdown] tags=["slide"]
# ### Step 6: the cosine transform
#
# Neighbouring bands rise and fall together, so many of these numbers are redundant. The discrete [cosine
# transform](../teaching/glossary.md#cosine-transform) (DCT) compares the row of bands with cosines: number 0 is
# constant and measures the level, number 1 makes half a swing from the lowest band to the highest, number 2 a whole
# one, and so on, finer and finer.
#
# <details><summary>The formula</summary>
#
# With the level $b_m$ of band $m$ of $M$ (for $k = 0$ divided by $\sqrt{2}$):
#
# $$c_k = \sqrt{\frac{2}{M}} \sum_{m=0}^{M-1} b_m \cos \frac{\pi k (m + 1/2)}{M}$$
#
# </details>

# %%
k = np.arange(N_MELS)[:, np.newaxis]
band = np.arange(N_MELS)
cosines = np.sqrt(2 / N_MELS) * np.cos(np.pi * k * (band + 0.5) / N_MELS)
cosines[0] /= np.sqrt(2)
plots.show(plots.cosines(cosines))

# %% [markdown]
# How much of each cosine is in the row is called a coefficient: a mel-frequency cepstral coefficient (MFCC; Davis and
# Mermelstein 1980). `librosa.feature.mfcc` gives the first forty.

# %%
mfcc = level_db @ cosines[:N_MFCC].T
check("librosa.feature.mfcc", mfcc.T, librosa.feature.mfcc(y=y, sr=RATE_HZ, n_mfcc=N_MFCC), within=1e-3)

# %% [markdown] tags=["slide"]
# The coefficients of our vowel. Number 0 is the level of the frame and far larger than the rest, so the figure leaves
# it out. Number 1 is the tilt of the spectrum: positive where the low bands are louder than the high ones.

# %%
plots.show(plots.coefficients(mfcc[loud], first=1))

# %% [markdown] tags=["slide"]
# The coefficients of all frames, again without number 0. Compare with the spectrogram: where does the vowel begin?

# %%
plots.show(plots.mfcc(mfcc, hop_s=HOP / RATE_HZ, first=1, title=plots.honest("MFCC over time", CORPUS)))

# %% [markdown]
# Together the six steps are six lines. We check them on one clip of each emotion.


# %%
def mfcc_by_hand(y):
    starts = HOP * np.arange(1 + len(y) // HOP)
    frames = np.pad(y, FRAME // 2)[starts[:, np.newaxis] + np.arange(FRAME)]
    power = np.abs(np.fft.rfft(window * frames)) ** 2
    level_db = 10 * np.log10(np.maximum(power @ filters.T, 1e-10))
    level_db = np.maximum(level_db, level_db.max() - 80)
    return level_db @ cosines[:N_MFCC].T


for other in index.groupby("label").head(1).itertuples():
    x, _ = audio.load(other.speech, rate_hz=RATE_HZ)
    check(f"{other.label:8}", mfcc_by_hand(x).T, librosa.feature.mfcc(y=x, sr=RATE_HZ, n_mfcc=N_MFCC), within=1e-3)

# %% [markdown] tags=["slide"]
# ### The mean over time: forty numbers a clip
#
# Clips differ in length, but a simple classifier needs the same number of inputs for each. The published systems take
# the mean of each coefficient over time. The bars show the standard deviation of the frames around it.

# %%
mean = mfcc.mean(axis=0)
title = f"The mean of {len(mfcc)} frames, and their standard deviation"
plots.show(plots.coefficients(mean, spread=mfcc.std(axis=0), first=1, title=title))

# %% [markdown]
# What does the mean throw away? First of all, the order of the frames. Shuffle them, and the mean is the same:

# %%
shuffled = np.random.default_rng(0).permutation(mfcc)
check("the mean of shuffled frames", shuffled.mean(axis=0), mean, within=1e-9)

# %% [markdown]
# Hear what that means. This is our clip backwards: what rose in pitch now falls, and nobody understands the words.

# %%
backwards = y[::-1]
display(play(backwards))

# %% [markdown]
# And yet its forty numbers are nearly those of the clip. For comparison, a clip of another emotion:

# %%
different = index[(index.speaker == clip.speaker) & (index.label != clip.label)].iloc[0]
other, _ = audio.load(different.speech, rate_hz=RATE_HZ)
for name, x in {"backwards": backwards, f"{different.label}, the same speaker": other}.items():
    distance = np.abs(mfcc_by_hand(x).mean(axis=0) - mean).mean()
    print(f"{name}: differs from the clip by {distance:.1f}, averaged over the forty numbers")

# %% [markdown]
# So the forty numbers say how a voice sounds on average, and nothing of how it changes in time. The published systems
# A, B and C of notebook 04 get these numbers and no others. A lesson may end here.

# %% [markdown] tags=["slide"]
# ## Part 2: what the numbers keep, and other features
#
# ### From the coefficients back to the spectrum
#
# The cosines are orthogonal, so the same table leads back: coefficients times cosines gives the row of bands again. The
# fewer coefficients we keep, the smoother it is. A few follow the hills; more of them begin to follow the comb.

# %%
assert np.allclose(cosines @ cosines.T, np.eye(N_MELS))
kept = {f"from {n} MFCC": mfcc[loud, :n] @ cosines[:n] for n in (FEW, N_MFCC)}
plots.show(plots.bands(level_db[loud], also=kept))

# %% [markdown] tags=["slide"]
# The same for any number of bands and coefficients, as a function:


# %%
def rebuilt(n_mels, n_mfcc):
    mels = librosa.filters.mel(sr=RATE_HZ, n_fft=FRAME, n_mels=n_mels) @ power[loud]
    row = librosa.power_to_db(mels)
    smooth = scipy.fft.idct(scipy.fft.dct(row, norm="ortho")[:n_mfcc], n=n_mels, norm="ortho")
    title = f"One frame in {n_mels} mel bands"
    plots.show(plots.bands(row, also={f"from {n_mfcc} MFCC": smooth}, title=title))


rebuilt(n_mels=64, n_mfcc=20)

# %% [markdown]
# In a running notebook it has sliders. How many coefficients does it take until the comb is back?

# %% tags=["nbval-ignore-output"]
_ = interact(rebuilt, n_mels=IntSlider(64, 40, N_MELS), n_mfcc=IntSlider(20, 1, 40))

# %% [markdown]
# ### From the coefficients back to sound
#
# librosa can also take the steps backwards: from coefficients to bands, from bands to frequencies, from frequencies to
# a wave. For the last of these it must guess the phases that step 3 dropped (Griffin and Lim 1984). From thirteen
# coefficients we get a whisper: the words are there, the comb is gone.


# %%
def resynthesise(n_mfcc):
    bands = librosa.feature.inverse.mfcc_to_mel(mfcc[:, :n_mfcc].T, n_mels=N_MELS)
    size = librosa.feature.inverse.mel_to_stft(bands, sr=RATE_HZ, n_fft=FRAME)
    return librosa.griffinlim(size, n_iter=16, n_fft=FRAME, hop_length=HOP, random_state=0)


few = resynthesise(FEW)
display(play(few))

# %% [markdown]
# And from forty:

# %%
many = resynthesise(N_MFCC)
display(play(many))

# %% [markdown]
# Is the pitch still there? We measure it in the loud frames of the clip and of both copies, and count where it is the
# same to within a semitone.


# %%
def pitch(x):
    return librosa.yin(x, fmin=60, fmax=600, sr=RATE_HZ, frame_length=FRAME, hop_length=HOP)[: len(y) // HOP]


rms = librosa.feature.rms(y=y)[0, : len(y) // HOP]
voiced = rms > 0.3 * rms.max()
for n_mfcc, x in ((FEW, few), (N_MFCC, many)):
    same = np.abs(np.log2(pitch(x) / pitch(y)))[voiced] < 1 / 12
    print(f"{n_mfcc} MFCC: the pitch is right in {10 * same.mean():.0f} of 10 loud frames")

# %% [markdown]
# The higher a voice, the further apart the teeth of its comb, and the better forty cosines can follow them. Speech
# recognisers used to take thirteen coefficients, since they need the words and neither the speaker nor the emotion. We
# need the emotion.

# %% [markdown] tags=["slide"]
# ### Try all settings
#
# Frame, [hop](../teaching/glossary.md#hop), bands and coefficients are all a choice. `widgets.workings` takes all six
# steps with your settings, and back again to sound. (From bands to frequencies it multiplies by ratios where librosa
# solves equations: that is quicker, and closer in the quiet bands.) Here with frames of half the length and half as
# many bands:

# %%
choice = serlib.FeatureSpec(rate_hz=RATE_HZ, frame=FRAME // 2, hop=HOP // 2, n_mels=N_MELS // 2, n_mfcc=FEW)
stages = widgets.workings(y, choice)
title = plots.honest(f"{clip.label}, in {choice.n_mels} bands and {FEW} MFCC", CORPUS)
plots.show(plots.mfcc_steps(stages["levels_db"], stages["bands_db"], stages["mfcc"], choice, title=title))

# %% [markdown]
# How far is the mel spectrum of the copy from that of the clip? More coefficients come closer. The difference that is
# left with all of them is the price of the guessed phases.

# %%
for n_mfcc in (1, 5, FEW, 20, N_MFCC, choice.n_mels):
    stages = widgets.workings(y, replace(choice, n_mfcc=n_mfcc))
    print(f"{n_mfcc:3} MFCC: {stages['distance_db']:4.1f} dB")

# %% [markdown]
# In a running notebook all settings have sliders. Below the pictures are the clip (A) and its copy (B): play one of
# them, and switch to the other with the keys A and B. Which slider takes the melody away, which the words, and which
# blurs the consonants? This is one way from coefficients to sound among several. The coefficients do not say whether
# there was a voice, and this way fills in noise; methods that assume a voice sound better.

# %% tags=["nbval-ignore-output"]
widgets.mfcc_explorer(y, RATE_HZ, title=plots.honest(f"{clip.text}, {clip.label}", CORPUS), label=clip.label)

# %% [markdown] tags=["slide"]
# ### Deltas: how the coefficients change
#
# The MFCC of a frame say nothing of its neighbours. The *[delta](../teaching/glossary.md#delta)* is the slope of a
# straight line fitted to nine frames, for each coefficient; *delta2* is the curvature of a parabola fitted to them. At
# either end of the clip librosa extends the first and the last line.

# %%
steps = np.arange(-4, 5)
nine = np.lib.stride_tricks.sliding_window_view(mfcc, len(steps), axis=0)
slopes = nine @ (steps / np.sum(steps**2))
deltas = librosa.feature.delta(mfcc.T).T
check("librosa.feature.delta", slopes, deltas[4:-4], within=1e-6)
title = plots.honest("Deltas: what rises and what falls", CORPUS)
plots.show(plots.mfcc(deltas, hop_s=HOP / RATE_HZ, first=1, title=title))

# %% [markdown] tags=["slide"]
# ### Other features
#
# | feature | what it measures |
# | --- | --- |
# | MFCC | the hills of the spectrum: mouth and throat, and a little of the voice |
# | chroma | the power of each of the twelve notes of music, whatever the octave |
# | log-mel | the mel bands of step 5 in decibels: the usual input of convolutional networks |
# | spectral contrast | how far the peaks lie above the valleys in each octave: clear or breathy voice |
# | tonnetz | the notes as points on circles of fifths and thirds: harmony, of little use for speech |
# | RMS | loudness, as the root of the mean square of the samples |
# | zero crossings | how often the wave changes its sign: low for vowels, high for s and sh |
# | f0 | pitch, the rate of the vocal folds; meaningful only where there is a voice |
#
# A `FeatureSpec` says which features are computed, and `extract_clip` computes them. All of them over time:

# %%
spec = serlib.FeatureSpec(kinds=("mfcc", "chroma", "logmel", "contrast", "tonnetz", "rms", "zcr", "f0"))
everything = serlib.extract_clip(y, RATE_HZ, spec)
print(f"{everything.shape[1]} numbers for each of {len(everything)} frames")
plots.show(plots.features(everything, spec, title=plots.honest("Features over time", CORPUS)))

# %% [markdown]
# Look at the last row: this f0 (librosa's) has values even where there is no voice, as in the pauses, and now and then
# it is twice the pitch, so that its dots jump by an octave. `serlib.features.pitch`, which measured the pitch in
# notebook 02, gives no value where there is no voice.
#
# One Fourier transform serves all features, which saves most of the time, and each agrees with librosa's own function.
# The MFCC must agree with those that we computed by hand.

# %%
check("serlib.extract_clip", everything[:, : spec.n_mfcc], mfcc, within=1e-3)

# %% [markdown] tags=["slide"]
# ### Features by name
#
# The recipes of the next notebooks take their features from `serlib.SPECS`. The summary says what is kept of the frames
# of a clip: statistics over time, or the frames themselves. (`functionals` are the subject of notebook 07, `whisper`
# and `states` of notebook 08.)


# %%
pd.options.display.max_colwidth = 100
rows = {}
for name, spec in serlib.SPECS.items():
    statistics = ", ".join(spec.summary) if len(spec.summary) < 4 else f"{len(spec.summary)} statistics"
    rows[name] = (", ".join(spec.kinds), statistics or "frames", len(serlib.features.names(spec)))
pd.DataFrame.from_dict(rows, orient="index", columns=["kinds", "summary", "numbers"])

# %% [markdown]
# `mfcc40-mean` is what the published systems use: they skip half a second (in TESS the silence and most of the word
# "say"), read three seconds, and take the mean. Many projects do this with two lines of librosa. Ours gives the same:

# %%
y3, rate_hz = librosa.load(clip.speech, duration=3, offset=0.5)
usual = librosa.feature.mfcc(y=y3, sr=rate_hz, n_mfcc=40).mean(axis=1)
ours = serlib.extract_clip(*audio.load(clip.speech), serlib.SPECS["mfcc40-mean"])
check("the usual code", ours, usual, within=1e-3)

# %% [markdown] tags=["slide"]
# ### The features of a whole corpus
#
# `serlib.extract` computes the features of all clips, on all cores. The first call reads every file. The second call
# finds the table that the first one kept: its name is made from the content of the files and the specification. (Here
# `out_dir` is an empty folder, so that the first call really is the first. Without it the tables are kept in
# `data/features` for the next notebooks.)

# %%
empty = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
for call in ("first", "second"):
    start = time.perf_counter()
    features = serlib.extract(index, "mfcc40-mean", out_dir=empty.name)
    print(f"the {call} call took {time.perf_counter() - start:.3f} s")
print(features.values.shape, features.values.dtype)

# %% [markdown]
# Does the second call really read no sound? We give it names of files that do not exist. The table is still found, by
# the digests in the index; a file with other content would be computed again.

# %%
nowhere = index.assign(speech="no such file.wav")
again = serlib.extract(nowhere, "mfcc40-mean", out_dir=empty.name)
print("the same numbers, without a file:", np.array_equal(again.values, features.values))
assert np.array_equal(again.values, features.values)

# %% [markdown]
# Clips have different numbers of frames. `mfcc-frames` also cuts off the silence at both ends of each clip. All are
# padded with zeros to the length of the longest file before that cut, and `lengths` says where each clip ends, so that
# a model can ignore the padding.

# %%
sequences = serlib.extract(index.head(5), "mfcc-frames", out_dir=empty.name)
print(sequences.values.shape, "of which frames:", sequences.lengths.tolist())
assert not sequences.values[0, sequences.lengths[0] :].any()

# %% [markdown] tags=["slide"]
# ### What the forty numbers tell apart
#
# Before we train a model we look at its input. Forty dimensions cannot be drawn; [principal
# components](../teaching/glossary.md#principal-components) are the two directions in which the clips differ most. Each
# point is a clip; its colour is the emotion, its shape the speaker (where there are few).

# %%
scaled = StandardScaler().fit_transform(features.values.astype(float))
points = PCA(n_components=2, svd_solver="full").fit_transform(scaled)
title = plots.honest("Mean MFCC of every clip", CORPUS)
axes = ("First principal component", "Second principal component")
plots.show(plots.embedding(points, index.label, speakers=index.speaker, title=title, axes=axes))

# %% [markdown]
# Are clips alike because of the speaker, or because of the emotion? Two dimensions can deceive, so we count in all
# forty: which clip is nearest to each clip, and what do the two have in common?

# %%
speaker, label = index.speaker.to_numpy(), index.label.to_numpy()
distance = pairwise_distances(scaled)
np.fill_diagonal(distance, np.inf)
nearest = distance.argmin(axis=1)
print(f"the nearest clip has the same speaker: {np.mean(speaker[nearest] == speaker):.1%}")
print(f"                     the same emotion: {np.mean(label[nearest] == label):.1%}")

# %% [markdown]
# The nearest clip mostly comes from the same speaker. Now we look for it among the *other* speakers, as a model must
# that has never heard this voice:

# %%
distance[speaker[:, np.newaxis] == speaker] = np.inf
if index.speaker.nunique() > 1:
    of_others = distance.argmin(axis=1)
    print(f"among other speakers, the same emotion: {np.mean(label[of_others] == label):.1%}")
    assert CORPUS != "sample" or np.mean(label[of_others] == label) < np.mean(label[nearest] == label)
print(f"by chance: {1 / index.label.nunique():.1%}")

# %% [markdown]
# Remember these two figures: across voices far fewer nearest clips share the emotion. Nothing has been trained yet;
# notebook 05 finds the same gap in a trained model.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Frames, window, Fourier transform, mel bands, logarithm, cosine transform: six lines of numpy, and librosa agrees
#    with each of them.
# 2. Thirteen coefficients keep the words, as a whisper; forty also keep some of the pitch.
# 3. The mean over time gives every clip forty numbers, whatever its length. It cannot tell a clip from the same clip
#    backwards.
# 4. [Chroma](../teaching/glossary.md#chroma), [log-mel](../teaching/glossary.md#log-mel), contrast, tonnetz, RMS, zero
#    crossings and f0 measure other sides of the same sound; deltas measure how they move.
# 5. `serlib.extract` computes a table once and finds it again by content. Within one voice the nearest clip has mostly
#    the same emotion; from one voice to another far less often.
