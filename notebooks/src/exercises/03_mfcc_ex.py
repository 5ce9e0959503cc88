# %% [markdown]
# # Exercises 03: the steps to the MFCC
#
# For [notebook 03](../notebooks/03_mfcc.ipynb). **Running time**: seconds. **Data**: none, each check draws its own.

# %%
import numpy as np
import scipy.fft

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 3.1 The Hann window
#
# A window of `n` samples that fades a frame in and out. Two of them, half a frame apart, must add up to one.


# %%
def hann(n):
    ### BEGIN SOLUTION
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    ### END SOLUTION


check("3.1", hann)

# %% [markdown]
# ## 3.2 One number of the Fourier transform
#
# How much of the wave that swings `k` times in the frame is in the frame? Without `np.fft`.


# %%
def dft_bin(frame, k):
    ### BEGIN SOLUTION
    n = len(frame)
    wave = np.exp(-2j * np.pi * k * np.arange(n) / n)
    return np.sum(frame * wave)
    ### END SOLUTION


check("3.2", dft_bin)

# %% [markdown]
# ## 3.3 A mel triangle
#
# The weights of one mel band at the frequencies `hz`: they rise from `left`, are largest at `centre`, and are zero
# again at `right`. The area under the triangle is one.


# %%
def triangle(hz, left, centre, right):
    ### BEGIN SOLUTION
    rising = (hz - left) / (centre - left)
    falling = (right - hz) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)
    ### END SOLUTION


check("3.3", triangle)

# %% [markdown]
# ## 3.4 There and back with few coefficients
#
# `row` holds the level of each mel band. Go to its cosine coefficients, keep the first `n`, and come back.


# %%
def smooth(row, n):
    ### BEGIN SOLUTION
    coefficients = scipy.fft.dct(row, norm="ortho")
    coefficients[n:] = 0
    return scipy.fft.idct(coefficients, norm="ortho")
    ### END SOLUTION


check("3.4", smooth)

# %% [markdown]
# ## 3.5 Two clips with the same mean
#
# `frames` are the MFCC of a clip, one row a frame. Make another clip of them that the published systems cannot tell
# from the first, because its mean over time is the same.


# %%
def twin(frames):
    ### BEGIN SOLUTION
    return frames[::-1]
    ### END SOLUTION


check("3.5", twin)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
