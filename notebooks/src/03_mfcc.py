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
# We take one clip apart, step by step, until forty numbers are left of it, check each step against librosa, and listen
# to what is kept and what is lost.
#
# **Running time**: about a quarter of a minute on the sample corpus, half a minute on TESS. **Data**: TESS where it is
# present, otherwise the sample corpus; `SERLIB_CORPUS` chooses.
#
# After this notebook you can
#
# 1. compute [MFCC](../teaching/glossary.md#mfcc) from a wave by hand, and say what each of the six steps is for;
# 2. hear what thirteen or forty coefficients keep of a voice;
# 3. say why the published systems end up with forty numbers a clip, and what the mean over time throws away;
# 4. name the other features that are used, and what each of them measures;
# 5. get the features of a whole corpus with one call, and see what they know before any model does.

# %% [markdown]
# numpy computes, librosa is what we compare with, IPython plays, scikit-learn looks at the table at the end.

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
# Look at it first. Vowels are the loud, regular parts; s and sh are noise; the gaps are the silence before b, p or t.

# %%
title = plots.honest(f"{clip.speaker}, {clip.text}, {clip.label}", CORPUS)
plots.show(plots.waveplot(y, RATE_HZ, label=clip.label, title=title))

# %% [markdown] tags=["slide"]
# Then listen to it, since we shall hear parts of it again. Each player is as loud as it can be without clipping.


# %%
def play(y):
    return widgets.player(y, RATE_HZ, gain=widgets.common_gain([y]))


display(play(y))

# %% [markdown]
# Each step below must give what librosa gives. This function says so, and stops the notebook where it does not.


# %%
def check(name, ours, theirs, within):
    equal = ours.shape == theirs.shape and np.max(np.abs(ours - theirs)) < within
    print(f"{name}: {' x '.join(map(str, ours.shape))} numbers, largest difference below {within:g}: {equal}")
    assert equal


check("librosa.load", y, librosa.load(clip.speech, sr=RATE_HZ)[0], within=1e-5)

# %% [markdown] tags=["slide"]
# ## Step 1: frames
#
# A word changes from one tenth of a second to the next; one spectrum of the whole clip would blur it. So we cut it into
# short frames. They overlap, so that nothing falls between two of them. Half a frame of zeros at either end puts the
# middle of frame `t` at sample `t * HOP`.

# %%
padded = np.pad(y, FRAME // 2)
starts = HOP * np.arange(1 + len(y) // HOP)
frames = padded[starts[:, np.newaxis] + np.arange(FRAME)]
check("librosa.util.frame", frames.T, librosa.util.frame(padded, frame_length=FRAME, hop_length=HOP), within=1e-9)

# %% [markdown] tags=["slide"]
# We follow the loudest frame, a vowel, and look at it between its neighbours.

# %%
loud = int(np.argmax((frames**2).sum(axis=1)))
print(f"{len(frames)} frames of {1000 * FRAME / RATE_HZ:.0f} ms, one every {1000 * HOP / RATE_HZ:.0f} ms")
print("the loudest is number", loud)
plots.show(plots.framing(padded, RATE_HZ, frame=FRAME, hop=HOP, first=max(0, loud - 1)))

# %% [markdown] tags=["slide"]
# ## Step 2: a window
#
# A frame starts and ends in the middle of a swing. The [Fourier transform](../teaching/glossary.md#fourier-transform)
# takes these cuts for sound, and smears a click over all frequencies. The [Hann
# window](../teaching/glossary.md#hann-window) fades the frame in and out; what a frame loses at its ends, its
# neighbours have in their middle.

# %%
window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
check("librosa.filters.get_window", window, librosa.filters.get_window("hann", FRAME), within=1e-9)
plots.show(plots.windowing(frames[loud], window, RATE_HZ))

# %% [markdown] tags=["slide"]
# ## Step 3: the Fourier transform, and the power
#
# How much of a frequency is in a frame? Multiply the frame by a wave of that frequency and add up: what swings in step
# adds up, all else cancels. That is a product with a table of waves. The *fast* Fourier transform gets the same numbers
# without the table.
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
one = window * frames[loud]
check("np.fft.rfft", waves @ one, np.fft.rfft(one), within=1e-9)

# %% [markdown]
# Now for all frames at once. The result is a complex number for each frame and frequency: how strong, and at which
# point of its swing. The ear hardly minds the second, so we keep the square of the size: the power.

# %%
spectra = np.fft.rfft(window * frames)
check("librosa.stft", spectra.T, librosa.stft(y, n_fft=FRAME, hop_length=HOP), within=1e-4)
power = np.abs(spectra) ** 2

# %% [markdown] tags=["slide"]
# The spectrum of our vowel is a comb within hills. The teeth are the [harmonics](../teaching/glossary.md#harmonic) of
# the voice, as far apart as its pitch; the hills are the formants, the resonances of mouth and throat. MFCC are made to
# keep the hills and drop the comb.

# %%
plots.show(plots.spectrum(librosa.power_to_db(power[loud], top_db=None), RATE_HZ, fmax_hz=5000))

# %% [markdown] tags=["slide"]
# All spectra side by side, the level as brightness, are the spectrogram.

# %%
plots.show(plots.spectrogram(y, RATE_HZ, mel=False, frame=FRAME, hop=HOP))

# %% [markdown] tags=["slide"]
# ## Step 4: mel bands
#
# The ear does not count hertz. Listen to two ladders of tones from the same bottom to the same top. The first climbs by
# equal steps in hertz: the last tones seem to be hardly apart. The second climbs by equal steps in *mel*.


# %%
def hz_to_mel(hz):
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def mel_to_hz(mel):
    return np.where(mel < 15, 200 * mel / 3, 1000 * 6.4 ** ((mel - 15) / 27))


def ladder(tones_hz, tone_s=0.2):
    t = np.arange(int(tone_s * RATE_HZ)) / RATE_HZ
    fade = np.sin(np.pi * t / tone_s) ** 0.5
    return np.concatenate([0.3 * fade * np.sin(2 * np.pi * hz * t) for hz in tones_hz])


low, high = 200, 6000
in_hz, in_mel = np.linspace(low, high, 9), mel_to_hz(np.linspace(hz_to_mel(low), hz_to_mel(high), 9))
display(play(ladder(in_hz)), play(ladder(in_mel)))

# %% [markdown]
# This is Slaney's [mel scale](../teaching/glossary.md#mel-scale): straight below one kilohertz, logarithmic above.
# Listening tests from 1937 on stand behind such scales, and librosa has the same numbers.
#
# <details><summary>The formula</summary>
#
# $$m(f) = \frac{3 f}{200} \quad (f < 1000) \quad m(f) = 15 + 27 \frac{\ln (f / 1000)}{\ln 6.4} \quad (f \geq 1000)$$
#
# </details>

# %%
check("librosa.hz_to_mel", hz_to_mel(in_hz), librosa.hz_to_mel(in_hz), within=1e-9)
check("librosa.mel_to_hz", in_mel, librosa.mel_frequencies(9, fmin=low, fmax=high), within=1e-9)

# %% [markdown]
# A mel band collects the power under a triangle. The triangles are equally wide in mel, each begins where its left
# neighbour peaks, and all have the same area, so that a wide one does not count more.

# %%
edges = mel_to_hz(np.linspace(0, hz_to_mel(RATE_HZ / 2), N_MELS + 2))[:, np.newaxis]
left, centre, right = edges[:-2], edges[1:-1], edges[2:]
hz = np.fft.rfftfreq(FRAME, 1 / RATE_HZ)
rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
check("librosa.filters.mel", filters, librosa.filters.mel(sr=RATE_HZ, n_fft=FRAME, n_mels=N_MELS), within=1e-6)

# %% [markdown] tags=["slide"]
# Every sixth of them: fine where the vowels are, coarse where only hissing is. The lowest look ragged because they are
# hardly wider than the step from one frequency of the transform to the next.

# %%
plots.show(plots.filters(filters, RATE_HZ, every=6))

# %% [markdown]
# One product takes the power from frequencies to bands. The comb begins to go: high up, a band holds several harmonics.

# %%
mel_power = power @ filters.T
theirs = librosa.feature.melspectrogram(y=y, sr=RATE_HZ, n_fft=FRAME, hop_length=HOP, n_mels=N_MELS)
check("librosa.feature.melspectrogram", mel_power.T, theirs, within=1e-3)

# %% [markdown] tags=["slide"]
# ## Step 5: the logarithm
#
# Ten times the power sounds about twice as loud, whether it starts from a whisper or from a shout. Decibels count in
# such steps, and turn a product into a sum: voice times mouth becomes voice plus mouth. What lies eighty decibels below
# the loudest is cut off there, since it is only the noise of the recording.

# %%
level_db = 10 * np.log10(np.maximum(mel_power, 1e-10))
level_db = np.maximum(level_db, level_db.max() - 80)
check("librosa.power_to_db", level_db.T, librosa.power_to_db(theirs), within=1e-3)
plots.show(plots.bands(level_db[loud]))

# %% [markdown] tags=["slide"]
# ## Step 6: the cosine transform
#
# Neighbouring bands go up and down together, so many of these numbers say the same twice. The discrete [cosine
# transform](../teaching/glossary.md#cosine-transform) compares the row of bands with cosines: number 0 is the level,
# number 1 half a swing from the lowest band to the highest, and so on, ever finer.
#
# <details><summary>The formula</summary>
#
# With the level $b_m$ of band $m$ of $M$ (for $k = 0$ divided by $\sqrt{2}$):
#
# $$c_k = \sqrt{\frac{2}{M}} \sum_{m=0}^{M-1} b_m \cos \frac{\pi k (m + 1/2)}{M}$$
#
# </details>

# %%
k, band = np.arange(N_MELS)[:, np.newaxis], np.arange(N_MELS)
cosines = np.sqrt(2 / N_MELS) * np.cos(np.pi * k * (band + 0.5) / N_MELS)
cosines[0] /= np.sqrt(2)
plots.show(plots.cosines(cosines))

# %% [markdown]
# How much of each cosine is in the row is a coefficient: a mel-frequency cepstral coefficient (Davis and Mermelstein
# 1980). The first forty are what
# `librosa.feature.mfcc` gives.

# %%
mfcc = level_db @ cosines[:N_MFCC].T
check("librosa.feature.mfcc", mfcc.T, librosa.feature.mfcc(y=y, sr=RATE_HZ, n_mfcc=N_MFCC), within=1e-3)

# %% [markdown] tags=["slide"]
# Those of our vowel. Number 0 is the loudness of the frame and far larger than the rest, so the figure leaves it out.
# Number 1 is the tilt: positive where the low bands are the louder ones.

# %%
plots.show(plots.coefficients(mfcc[loud], first=1))

# %% [markdown] tags=["slide"]
# And those of the whole clip, without number 0 again. Compare with the spectrogram: where does the vowel begin?

# %%
plots.show(plots.mfcc(mfcc, hop_s=HOP / RATE_HZ, first=1, title=plots.honest("MFCC over time", CORPUS)))

# %% [markdown]
# The six steps are six lines. One clip of each emotion shows that they were not right by accident.


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
# ## Why forty numbers
#
# Clips differ in length, and a simple classifier wants the same number of inputs for each. The published systems take
# the shortest way out: the mean of each coefficient over time. The bars show how far the frames lie around it.

# %%
mean = mfcc.mean(axis=0)
title = f"The mean of {len(mfcc)} frames, and their standard deviation"
plots.show(plots.coefficients(mean, spread=mfcc.std(axis=0), first=1, title=title))

# %% [markdown]
# What does the mean throw away? The order, to begin with. Shuffle the frames, and it is the same:

# %%
shuffled = np.random.default_rng(0).permutation(mfcc)
check("the mean of shuffled frames", shuffled.mean(axis=0), mean, within=1e-9)

# %% [markdown]
# Hear what that means. This is our clip backwards. A question is now a statement, a rise is a fall, and nobody
# understands the words.

# %%
backwards = y[::-1]
display(play(backwards))

# %% [markdown]
# Its forty numbers are nearly those of the clip. Beside it, what another emotion changes:

# %%
different = index[(index.speaker == clip.speaker) & (index.label != clip.label)].iloc[0]
for name, x in {
    "backwards": backwards,
    f"{different.label}, the same speaker": audio.load(different.speech, rate_hz=RATE_HZ)[0],
}.items():
    print(f"{name}: {np.abs(mfcc_by_hand(x).mean(axis=0) - mean).mean():.1f} from the clip, averaged over the numbers")

# %% [markdown]
# So the forty numbers know how a voice sounds on average, perhaps also its pitch, but nothing of how it changes in
# time. Systems A, B and C of notebook 04 have no more than that to work with.
#
# This is where the road of the published systems ends, and where a lesson may end. The second half looks back along the
# road: what the coefficients keep of the sound, which other features there are, and what the table of a whole corpus
# knows.

# %% [markdown] tags=["slide"]
# ## Second half: what a few coefficients keep
#
# The cosines stand at right angles to each other, so the same table leads back: coefficients times cosines is the row
# of bands again, smoother the fewer we keep. A few follow the hills; more begin to follow the comb.

# %%
assert np.allclose(cosines @ cosines.T, np.eye(N_MELS))
kept = {f"from {n} MFCC": mfcc[loud, :n] @ cosines[:n] for n in (FEW, N_MFCC)}
plots.show(plots.bands(level_db[loud], also=kept))

# %% [markdown] tags=["slide"]
# The same with any number of bands and coefficients, as a plain function with fixed arguments:


# %%
def rebuilt(n_mels, n_mfcc):
    mels = librosa.filters.mel(sr=RATE_HZ, n_fft=FRAME, n_mels=n_mels) @ power[loud]
    row = librosa.power_to_db(mels)
    smooth = scipy.fft.idct(scipy.fft.dct(row, norm="ortho")[:n_mfcc], n=n_mels, norm="ortho")
    title = f"One frame in {n_mels} mel bands"
    plots.show(plots.bands(row, also={f"from {n_mfcc} MFCC": smooth}, title=title))


rebuilt(n_mels=64, n_mfcc=20)

# %% [markdown]
# And with sliders, in a running notebook. How many coefficients does it take until the comb is back?

# %% tags=["nbval-ignore-output"]
_ = interact(rebuilt, n_mels=IntSlider(64, 40, N_MELS), n_mfcc=IntSlider(20, 1, 40))

# %% [markdown]
# Now hear it. librosa walks the steps backwards: coefficients to bands, bands to frequencies, frequencies to a wave.
# For the last it must guess the phases that step 3 dropped (Griffin and Lim, 1984). Thirteen coefficients whisper: the
# words are there, the comb is gone.


# %%
def heard(n_mfcc):
    bands = librosa.feature.inverse.mfcc_to_mel(mfcc[:, :n_mfcc].T, n_mels=N_MELS)
    size = librosa.feature.inverse.mel_to_stft(bands, sr=RATE_HZ, n_fft=FRAME)
    return librosa.griffinlim(size, n_iter=16, n_fft=FRAME, hop_length=HOP, random_state=0)


few = heard(FEW)
display(play(few))

# %% [markdown]
# And forty:

# %%
many = heard(N_MFCC)
display(play(many))

# %% [markdown]
# Can the melody still be found? We take the pitch of the clip and of both copies in the loud frames, and count where it
# is the same within a semitone.


# %%
def pitch(x):
    return librosa.yin(x, fmin=60, fmax=600, sr=RATE_HZ, frame_length=FRAME, hop_length=HOP)[: len(y) // HOP]


rms = librosa.feature.rms(y=y)[0, : len(y) // HOP]
voiced = rms > 0.3 * rms.max()
for n_mfcc, x in ((FEW, few), (N_MFCC, many)):
    same = np.abs(np.log2(pitch(x) / pitch(y)))[voiced] < 1 / 12
    print(f"{n_mfcc} MFCC: the pitch is right in {10 * same.mean():.0f} of 10 loud frames")

# %% [markdown]
# The higher a voice, the wider its comb, and the more of it forty cosines can follow: in the picture of the MFCC over
# time, the pitch of a high voice is a track in the upper half that climbs as the pitch falls. Speech recognisers took
# thirteen coefficients: they want the words, not who says them or with which feeling. We want the feeling.

# %% [markdown] tags=["slide"]
# ## Try all settings
#
# Frame, [hop](../teaching/glossary.md#hop), bands, coefficients: each is a choice. `widgets.workings` goes all six
# steps with your choices, and back again. Its way back differs from librosa's in one step, from bands to frequencies,
# where it works with ratios: that is quicker, and closer in the quiet bands. Here with frames of half the length and
# half as many bands:

# %%
choice = serlib.FeatureSpec(rate_hz=RATE_HZ, frame=FRAME // 2, hop=HOP // 2, n_mels=N_MELS // 2, n_mfcc=FEW)
stages = widgets.workings(y, choice)
title = plots.honest(f"{clip.label}, in {choice.n_mels} bands and {FEW} MFCC", CORPUS)
plots.show(plots.mfcc_steps(stages["levels_db"], stages["bands_db"], stages["mfcc"], choice, title=title))

# %% [markdown]
# How far is the copy's mel spectrum from the clip's? More coefficients come closer. What is left at the end is the
# price of the guessed phases.

# %%
for n_mfcc in (1, 5, FEW, 20, N_MFCC, choice.n_mels):
    stages = widgets.workings(y, replace(choice, n_mfcc=n_mfcc))
    print(f"{n_mfcc:3} MFCC: {stages['distance_db']:4.1f} dB")

# %% [markdown]
# And with sliders, in a running notebook. Below the pictures stand the clip (A) and its copy (B): play one of them, and
# change to the other in the middle with the keys A and B. Which slider takes the melody away, which the words, which
# blurs the consonants? The sound is only one way back among many. The coefficients do not say whether there was a voice
# at all, and this way back fills in noise; others would sound better, because they bring a voice along.

# %% tags=["nbval-ignore-output"]
widgets.mfcc_explorer(y, RATE_HZ, title=plots.honest(f"{clip.text}, {clip.label}", CORPUS), label=clip.label)

# %% [markdown] tags=["slide"]
# ## How they move: deltas
#
# A frame knows nothing of its neighbours. The *[delta](../teaching/glossary.md#delta)* is the slope of a straight line
# through nine frames, coefficient by coefficient; *delta2* is the curvature of a parabola through them. At either end
# librosa lets the first and the last line go on.

# %%
steps = np.arange(-4, 5)
nine = np.lib.stride_tricks.sliding_window_view(mfcc, len(steps), axis=0)
slopes = nine @ (steps / np.sum(steps**2))
deltas = librosa.feature.delta(mfcc.T).T
check("librosa.feature.delta", slopes, deltas[4:-4], within=1e-6)
title = plots.honest("Deltas: what rises and what falls", CORPUS)
plots.show(plots.mfcc(deltas, hop_s=HOP / RATE_HZ, first=1, title=title))

# %% [markdown] tags=["slide"]
# ## The other features
#
# | feature | what it measures |
# | --- | --- |
# | MFCC | the hills of the spectrum: mouth and throat, and a little of the voice |
# | chroma | the power of each of the twelve notes, whatever the octave: pitch for musicians |
# | log-mel | the bands of step 5 themselves: what convolutional networks like |
# | spectral contrast | how far the peaks stand above the valleys in each octave: clear voice or breath |
# | tonnetz | the notes as points on circles of fifths and thirds: harmony, of little use for speech |
# | RMS | loudness, as the root of the mean square of the samples |
# | zero crossings | how often the wave changes its sign: low for vowels, high for s and sh |
# | f0 | pitch, the rate of the vocal folds; only meant where there is a voice |
#
# A `FeatureSpec` says what is computed, `extract_clip` computes it. All on one time axis:

# %%
spec = serlib.FeatureSpec(kinds=("mfcc", "chroma", "logmel", "contrast", "tonnetz", "rms", "zcr", "f0"))
everything = serlib.extract_clip(y, RATE_HZ, spec)
print(f"{everything.shape[1]} numbers for each of {len(everything)} frames")
plots.show(plots.features(everything, spec, title=plots.honest("Features over time", CORPUS)))

# %% [markdown]
# Look at the last row: this f0 has values even where there is no voice, as in the pauses, and now and then it is twice
# the pitch, so that its dots jump by an octave. `serlib.features.pitch`, which drew the pitch in notebook 02, gives no
# value there.

# %% [markdown]
# One spectrum serves all of them, which saves most of the time, and each agrees with librosa's own function. For MFCC
# we can check it against the work of our own hands.

# %%
check("serlib.extract_clip", everything[:, : spec.n_mfcc], mfcc, within=1e-3)

# %% [markdown] tags=["slide"]
# ## Features by name
#
# The recipes of the next notebooks take their features from `serlib.SPECS`.


# %%
def summarised(spec):
    return ", ".join(spec.summary) if len(spec.summary) < 4 else f"{len(spec.summary)} statistics"


specs = {name: (", ".join(s.kinds), summarised(s) or "frames") for name, s in serlib.SPECS.items()}
named = pd.DataFrame(specs, index=["kinds", "summary"]).T
named["numbers"] = [len(serlib.features.names(s)) for s in serlib.SPECS.values()]
print(named.to_string())

# %% [markdown]
# `mfcc40-mean` is what the published systems use: they skip half a second (in TESS the silence and most of the word
# "say"), read three seconds, and take the mean. That is two lines of librosa, found in a thousand projects; ours gives
# the same:

# %%
y3, rate_hz = librosa.load(clip.speech, duration=3, offset=0.5)
usual = librosa.feature.mfcc(y=y3, sr=rate_hz, n_mfcc=40).mean(axis=1)
ours = serlib.extract_clip(*audio.load(clip.speech), serlib.SPECS["mfcc40-mean"])
check("the usual code", ours, usual, within=1e-3)

# %% [markdown] tags=["slide"]
# ## The table of a whole corpus
#
# The same for all clips, on all cores. The first call reads every file (in an empty folder here, so that it really is
# the first; without `out_dir` the tables are kept in `data/features` for the next notebook). The second call finds the
# table: its name is made from the content of the files and the specification.

# %%
empty = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
for call in ("first", "second"):
    start = time.perf_counter()
    features = serlib.extract(index, "mfcc40-mean", out_dir=empty.name)
    print(f"the {call} call took {time.perf_counter() - start:.3f} s")
print(features.values.shape, features.values.dtype)

# %% [markdown]
# Does it really read no sound? Give it the names of files that do not exist. The table is still found, by the digest of
# the content that stands in the index; a file with another content would be computed again.

# %%
nowhere = index.assign(speech="no such file.wav")
again = serlib.extract(nowhere, "mfcc40-mean", out_dir=empty.name)
print("the same numbers, without a file:", np.array_equal(again.values, features.values))
assert np.array_equal(again.values, features.values)

# %% [markdown]
# Sequences have different lengths. They are padded with zeros to the longest file, before trimming, and `lengths` says
# where each one ends, so that a model can look away from the rest.

# %%
sequences = serlib.extract(index.head(5), "mfcc-frames", out_dir=empty.name)
print(sequences.values.shape, "of which frames:", sequences.lengths.tolist())
assert not sequences.values[0, sequences.lengths[0] :].any()

# %% [markdown] tags=["slide"]
# ## What the forty numbers know
#
# Before a model learns anything we look at its input. Forty dimensions are too many for a page; [principal
# components](../teaching/glossary.md#principal-components) show the two in which the clips differ most. A point is a
# clip, the colour its emotion, the marker its speaker (where there are few).

# %%
scaled = StandardScaler().fit_transform(features.values.astype(float))
points = PCA(n_components=2, svd_solver="full").fit_transform(scaled)
title = plots.honest("Mean MFCC of every clip", CORPUS)
axes = ("First principal component", "Second principal component")
plots.show(plots.embedding(points, index.label, speakers=index.speaker, title=title, axes=axes))

# %% [markdown]
# Are clips alike because of who speaks, or because of what is felt? Two dimensions can deceive, so we count in all
# forty: which clip is nearest to each clip, and what do the two share?

# %%
speaker, label = index.speaker.to_numpy(), index.label.to_numpy()
distance = pairwise_distances(scaled)
np.fill_diagonal(distance, np.inf)
nearest = distance.argmin(axis=1)
print(f"the nearest clip has the same speaker: {np.mean(speaker[nearest] == speaker):.1%}")
print(f"                     the same emotion: {np.mean(label[nearest] == label):.1%}")

# %% [markdown]
# The nearest clip mostly comes from the same speaker. Now look for it among the *other* speakers, as a system must do
# that has never heard the voice before:

# %%
distance[speaker[:, np.newaxis] == speaker] = np.inf
if index.speaker.nunique() > 1:
    of_others = distance.argmin(axis=1)
    print(f"among other speakers, the same emotion: {np.mean(label[of_others] == label):.1%}")
    assert CORPUS != "sample" or np.mean(label[of_others] == label) < np.mean(label[nearest] == label)
print(f"by chance: {1 / index.label.nunique():.1%}")

# %% [markdown]
# Remember this pair of figures. Nothing has been trained yet; notebook 05 will meet them again.

# %% [markdown] tags=["slide"]
# ## What you have learned
#
# 1. Frames, window, Fourier transform, mel bands, logarithm, cosine transform: six lines of numpy, and librosa agrees
#    with each of them.
# 2. Thirteen coefficients keep the words and whisper them; forty let the pitch of a high voice through.
# 3. The mean over time makes every clip forty numbers long. It cannot tell a clip from itself backwards.
# 4. [Chroma](../teaching/glossary.md#chroma), [log-mel](../teaching/glossary.md#log-mel), contrast, tonnetz, RMS, zero
#    crossings and f0 measure other sides of the same sound; deltas measure how they move.
# 5. `serlib.extract` computes a table once and finds it again by content. Its rows are alike by emotion within a voice,
#    and far less so from one voice to another.
