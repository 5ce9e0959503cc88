"""What the answers to the exercises of notebook 03 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "3.1",
    "The Hann window",
    goal=1,
    hints=[
        "One swing of a cosine, turned upside down and lifted, so that it goes from 0 to 1 and back.",
        "0.5 - 0.5 cos(2 pi t / n), for t from 0 to n - 1: the window starts at 0 and would be 0 again at t = n.",
    ],
)
def hann(answer, rng):
    from scipy.signal import get_window

    n = 2 * int(rng.integers(20, 400))
    window = numbers(answer(n), (n,), "one number for each of the n samples")
    expect(
        not np.allclose(window, get_window("hann", n, fftbins=False)),
        "this one ends at 0. The next frame begins there: "
        "divide by n, not by n - 1, so that windows that overlap by half add up to 1",
    )
    expect(
        not np.allclose(window, np.hamming(n), atol=0.03), "a Hamming window does not go down to 0: weights 0.5 and 0.5"
    )
    expect(
        not np.allclose(window**2, get_window("hann", n)), "this is half a sine wave; its square would be a Hann window"
    )
    expect(abs(window[n // 2] - 1) < 1e-6, "in the middle, at sample n / 2, the window is 1")
    expect(np.allclose(window[: n // 2] + window[n // 2 :], 1), "two windows half a frame apart must add up to 1")
    expect(np.allclose(window, get_window("hann", n), atol=1e-6), "not a Hann window yet")


@exercise(
    "3.2",
    "One number of the Fourier transform",
    goal=1,
    hints=[
        "Multiply the frame by a wave that swings k times in the frame, and add up.",
        "The wave is exp(-2j pi k t / n), with t from 0 to n - 1.",
    ],
)
def dft_bin(answer, rng):
    n = int(rng.integers(30, 300))
    k = int(rng.integers(1, n // 2))
    frame = rng.normal(size=n)
    wanted = np.fft.fft(frame)[k]
    value = answer(frame, k)
    expect(np.ndim(value) == 0, "one number for one k, not a whole spectrum: add the products up")
    expect(
        np.iscomplexobj(value), "a frame can swing like a sine and like a cosine: you need both, so a complex number"
    )
    expect(not np.isclose(value, np.conj(wanted)), "the wave turns the other way round: the exponent is negative")
    expect(not np.isclose(value * n, wanted), "the transform adds up; it does not divide by the length of the frame")
    expect(np.isclose(value, wanted), f"for n = {n} and k = {k} it is not what numpy.fft gives")


@exercise(
    "3.3",
    "A mel triangle",
    goal=1,
    hints=[
        "Two straight lines: one rises from `left` to `centre`, one falls from `centre` to `right`; the smaller one"
        " counts.",
        "Below 0 there is nothing: np.maximum(0, ...). At the end make the area 1: a triangle of height 1 has "
        "(right - left) / 2.",
    ],
)
def triangle(answer, rng):
    left, centre, right = np.cumsum(rng.uniform([100, 30, 80], [900, 70, 300]))
    hz = np.linspace(0, 2000, 20001)
    weights = numbers(answer(hz, left, centre, right), hz.shape, "one weight for each frequency")
    expect(weights.min() >= 0, "outside of the triangle a weight is 0; yours goes below")
    outside = (hz < left - 1) | (hz > right + 1)
    expect(np.allclose(weights[outside], 0), "only what lies between left and right counts")
    top = hz[np.argmax(weights)]
    expect(abs(top - centre) < 1, f"the peak stands at `centre` ({centre:.0f} Hz), not at {top:.0f} Hz")
    expect(
        abs(weights.max() - 1) > 1e-3,
        "all triangles must have the area 1, so that a wide one does not count more: divide by half the width",
    )
    area = weights.sum() * (hz[1] - hz[0])
    expect(abs(area - 1) < 0.01, f"the area under the triangle is {area:.2f}, not 1")
    expect(
        np.allclose(np.diff(weights[(hz > left + 1) & (hz < centre - 1)], 2), 0, atol=1e-9),
        "the sides are straight in Hz",
    )


def turns(number, bands):
    """The cosine of unit length that coefficient `number` belongs to."""
    cosine = np.cos(np.pi * number * (np.arange(bands) + 0.5) / bands)
    return cosine / np.linalg.norm(cosine)


@exercise(
    "3.4",
    "There and back with few coefficients",
    goal=2,
    hints=[
        "scipy.fft.dct and scipy.fft.idct, both with norm='ortho'.",
        "Set all coefficients but the first n to zero before you go back.",
    ],
)
def smooth(answer, rng):
    bands = int(rng.integers(30, 128))
    row = rng.normal(size=bands).cumsum()
    full = numbers(answer(row, bands), (bands,), "the way back gives a level for each band")
    expect(
        np.allclose(full, row), "with all coefficients the row must come back as it was: take norm='ortho' both ways"
    )
    one = numbers(answer(row, 1), (bands,), "a level for each band")
    tilt = row @ turns(1, bands) * turns(1, bands)
    expect(not np.allclose(one, row.mean() + tilt), "one coefficient too many: the first n are numbers 0 to n - 1")
    expect(np.allclose(one, one[0]), "coefficient 0 alone gives a flat row: keep the first coefficients, not the last")
    expect(abs(one[0] - row.mean()) < 1e-6, "coefficient 0 alone gives the mean of the row at every band")
    n = int(rng.integers(5, 20))
    few = numbers(answer(row, n), (bands,), "a level for each band")
    distance = [
        np.linalg.norm(row - numbers(answer(row, m), (bands,), "a level for each band")) for m in (2, n, bands - 1)
    ]
    expect(distance[0] >= distance[1] >= distance[2], "more coefficients come closer to the row")
    expect(
        abs(np.dot(row - few, few)) < 1e-6 * np.dot(row, row),
        "what is left out stands at right angles to what is kept: keep exactly the first n coefficients",
    )


@exercise(
    "3.5",
    "Two clips with the same mean",
    goal=3,
    hints=[
        "What does a mean not see? The order of the frames.",
        "Turn the clip round: frames[::-1]. Or shuffle its frames.",
    ],
)
def twin(answer, rng):
    frames = rng.normal(size=(int(rng.integers(20, 60)), 40)).cumsum(axis=0)
    other = numbers(answer(frames.copy()), frames.shape, "another clip with as many frames and coefficients")
    expect(not np.allclose(other, frames), "this is the same clip; look for another one with the same mean")
    expect(
        np.allclose(other.mean(axis=0), frames.mean(axis=0)),
        "the mean over time has changed: of each of the forty coefficients it must stay",
    )
    expect(other.std(axis=0).min() > 1e-6, "a clip that stands still is no clip; it must move")
