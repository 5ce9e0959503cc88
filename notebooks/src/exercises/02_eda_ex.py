# %% [markdown]
# # Exercises 02: pitch, loudness and a listening test
#
# For [notebook 02](../notebooks/02_eda.ipynb). **Running time**: seconds. **Data**: none for the checks; the listening
# test plays clips of the corpus.

# %%
import numpy as np

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 2.1 Pitch by autocorrelation
#
# Return the pitch in Hz of a voiced sound `y`, within two in a hundred. The first ten tones that the check draws lie
# between 90 and 380 Hz, and some of their harmonics are stronger than the pitch itself.


# %%
def pitch(y, rate_hz):
    ### BEGIN SOLUTION
    fit = np.correlate(y, y, "full")[len(y) - 1 :]
    fit = fit / np.arange(len(y), 0, -1)  # a mean: fewer samples overlap at a longer shift
    shortest, longest = int(rate_hz / 500), int(rate_hz / 60)
    good = fit[shortest:longest] > 0.9 * fit[shortest:longest].max()
    start = shortest + int(np.argmax(good))  # the shortest period that fits well
    return rate_hz / (start + int(np.argmax(fit[start : start + int(0.3 * start)])))
    ### END SOLUTION


check("2.1", pitch)

# %% [markdown]
# ## 2.2 Semitones
#
# By how many semitones do the frequencies `hz` (an array) lie above `reference_hz`?


# %%
def semitones(hz, reference_hz):
    ### BEGIN SOLUTION
    return 12 * np.log2(np.asarray(hz) / reference_hz)
    ### END SOLUTION


check("2.2", semitones)

# %% [markdown]
# ## 2.3 Loudness in decibels
#
# The level of a clip in decibels below full scale: root mean square, where 1.0 is 0 dB.


# %%
def level_db(y):
    ### BEGIN SOLUTION
    return 10 * np.log10(np.mean(np.square(y)))
    ### END SOLUTION


check("2.3", level_db)

# %% [markdown]
# ## 2.4 Score a listening test
#
# Somebody listened to clips without seeing their labels. `meant` and `guessed` are lists of emotions, one entry a clip.
# Return the share of right guesses and the lower and upper end of its interval (95 in 100, Wilson's score interval,
# which holds for few clips, too).


# %%
def score(meant, guessed):
    ### BEGIN SOLUTION
    n, z = len(meant), 1.96
    right = sum(a == b for a, b in zip(meant, guessed, strict=True))
    middle = (right + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(right * (n - right) / n + z**2 / 4)
    return right / n, max(0.0, middle - half), min(1.0, middle + half)
    ### END SOLUTION


check("2.4", score)

# %% [markdown]
# Now be the listener. The explorer of notebook 02 hides the emotion: listen to ten clips, write down what you guess
# and, after *Reveal*, what was meant. Is your interval above chance, one in seven?

# %%
meant = ["angry", "sad", "sad", "happy"]  # put yours here
guessed = ["angry", "sad", "neutral", "happy"]
if result := score(meant, guessed):
    print("share {:.2f}, interval from {:.2f} to {:.2f}".format(*result))
print(f"chance, with seven emotions: {1 / 7:.2f}")

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
