"""What the answers to the exercises of notebook 02 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


def tone(hz, rate_hz, *, gains, duration_s=0.2):
    """A periodic sound with the given strengths of its harmonics, in random phase to its start."""
    t = np.arange(int(duration_s * rate_hz)) / rate_hz
    harmonics = (gain * np.sin(2 * np.pi * number * hz * t + number) for number, gain in enumerate(gains, 1))
    y = sum(harmonics)
    return 0.4 * y / np.abs(y).max()


@exercise(
    "2.1",
    "Pitch by autocorrelation",
    goal=2,
    hints=[
        "Slide the sound along itself: at the shift of one period it fits best. `np.correlate(y, y, 'full')` does it.",
        "At shift 0 it always fits best, so look only between the shortest period (1/500 s) and the longest (1/60 s).",
        "The shift is a number of samples; rate_hz / shift is the pitch.",
    ],
)
def pitch(answer, rng):
    for _ in range(10):
        rate_hz, hz = int(rng.choice([16000, 22050])), float(rng.uniform(90, 380))
        gains = [1, *rng.uniform(0.6, 1.4, 4)]
        y = tone(hz, rate_hz, gains=gains)
        f0 = float(numbers(answer(y, rate_hz), (), "return one number, in Hz"))
        ratio = f0 / hz
        expect(
            f0 < rate_hz / 4, "the best fit is at shift 0, where every sound equals itself: leave the small shifts out"
        )
        lag = abs(f0 * hz / rate_hz - 1) < 0.03 and abs(ratio - 1) > 0.1
        expect(not lag, "you return the period in samples; the pitch is the number of periods in a second")
        expect(
            abs(ratio - 0.5) > 0.03, "an octave too low: two periods fit as well as one; take the shortest that fits"
        )
        expect(
            min(abs(ratio - n) for n in (2, 3, 4, 5)) > 0.03,
            "a harmonic is louder than the pitch itself: look for the "
            "period of the whole sound, not for the strongest frequency",
        )
        expect(abs(ratio - 1) < 0.02, f"a tone of {hz:.0f} Hz came out as {f0:.0f} Hz: more than 2 % off")


@exercise(
    "2.2",
    "Semitones",
    goal=4,
    hints=[
        "An octave is a ratio of two, and has twelve semitones.",
        "12 times the logarithm to the base 2 of a ratio.",
    ],
)
def semitones(answer, rng):
    reference = float(rng.uniform(80, 300))
    steps = rng.uniform(1, 20, 6)
    hz = reference * 2 ** (steps / 12)
    given = numbers(answer(hz, reference), (6,), "return one number for each frequency")
    expect(not np.allclose(given, -steps), "the sign is turned: a higher pitch is a positive number of semitones")
    expect(not np.allclose(given, steps / 12), "these are octaves; an octave has twelve semitones")
    expect(not np.allclose(given, 12 * np.log(hz / reference)), "an octave is a doubling: the logarithm has the base 2")
    expect(np.allclose(given, steps), "a ratio of two must be 12 semitones, whatever the reference is")


@exercise(
    "2.3",
    "Loudness in decibels",
    goal=4,
    hints=[
        "Level is about power: the mean of the squares.",
        "10 times log10 of the mean square; the same as 20 times log10 of its root.",
    ],
)
def level_db(answer, rng):
    y = rng.normal(0, float(rng.uniform(0.01, 0.2)), 4000)
    rms = np.linalg.norm(y) / np.sqrt(len(y))
    given = float(numbers(answer(y), (), "return one number, in dB"))
    expect(
        abs(given - 20 * np.log10(np.abs(y).max())) > 0.1, "this is the level of the largest sample, not of the clip"
    )
    expect(
        abs(given - 10 * np.log10(rms)) > 0.1, "amplitudes count 20, powers count 10: half the amplitude is 6 dB less"
    )
    expect(
        abs(given - 20 * np.log10(np.abs(y).mean())) > 0.1, "this is the mean size; the level is the root mean square"
    )
    expect(
        abs(given - 20 * np.log10(rms)) < 0.05, f"a clip with the root mean square {rms:.3f} came out as {given:.1f} dB"
    )
    quieter = float(answer(y / 10))
    expect(abs(given - quieter - 20) < 0.05, "a tenth of the amplitude is 20 dB less")


@exercise(
    "2.4",
    "Score a listening test",
    goal=3,
    hints=[
        "Count the right guesses; their share is the first number. The interval says which true share would fit "
        "with it.",
        "Share plus and minus two standard errors fails for few clips, and where all guesses are right. Look up "
        "Wilson's "
        "score interval.",
        "Its middle is (k + z²/2) / (n + z²), with k right guesses of n and z = 1.96.",
    ],
)
def score(answer, rng):
    from scipy.stats import binomtest

    def given(k, n):
        meant = rng.choice(["angry", "sad", "happy"], n)
        guessed = meant.copy()
        wrong = rng.choice(n, n - k, replace=False)
        guessed[wrong] = "fear"
        return numbers(answer(list(meant), list(guessed)), (3,), "return three numbers: share, lower end, upper end")

    share, low, high = given(12, 20)
    expect(abs(share - 0.6) < 1e-9, "12 of 20 right guesses are a share of 0.6")
    expect(low < share < high, "the interval goes from a lower to an upper end, around the share")
    _, low_large, high_large = given(1200, 2000)
    expect(
        high_large - low_large < 0.3 * (high - low),
        "a hundred times as many clips: the interval must be ten times smaller",
    )
    expect(high - low > 0.3, "too narrow: one standard error holds the true share only two times in three; take 1.96")
    for k, n in ((10, 10), (0, 12), (1, 9)):
        _, low, high = given(k, n)
        expect(low >= 0 and high <= 1, f"{k} of {n}: an interval of a share lies between 0 and 1")
        expect(
            high - low > 0.1, f"{k} of {n}: no width at all would mean that {n} clips prove it. Use Wilson's interval"
        )
    for _ in range(5):
        n = int(rng.integers(8, 60))
        k = int(rng.integers(0, n + 1))
        wanted = binomtest(k, n).proportion_ci(method="wilson")
        _, low, high = given(k, n)
        expect(
            abs(low - wanted.low) < 0.03 and abs(high - wanted.high) < 0.03,
            f"{k} of {n}: not a 95 % interval of Wilson",
        )
