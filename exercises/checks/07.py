"""What the answers to the exercises of notebook 07 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "7.1",
    "Noise at a given level",
    goal=2,
    hints=[
        "Draw noise with rng, measure its power and that of the clip, and scale it.",
        "The power of the noise is to be that of the clip divided by 10 ** (snr_db / 10); amplitudes scale by the "
        "root of powers.",
    ],
)
def add_noise(answer, rng):
    for _ in range(4):
        y = (rng.uniform(0.05, 0.5) * np.sin(np.arange(8000) / rng.uniform(5, 20))).astype(np.float32)
        snr_db = float(rng.uniform(6, 24))
        before = y.copy()
        out = answer(y, snr_db, np.random.default_rng(int(rng.integers(10**9))))
        expect(np.array_equal(y, before), "the clip itself was changed: make a new array (y = y + ..., not y += ...)")
        out = numbers(out, y.shape, "as many samples as the clip")
        noise = out - y
        expect(noise.std() > 0, "no noise was added")
        snr = 10 * np.log10(np.mean(y.astype(float) ** 2) / np.mean(noise**2))
        expect(abs(snr - snr_db / 2) > 0.5, "decibels of power count 10: amplitudes scale by 10 ** (-snr_db / 20)")
        expect(
            abs(snr + snr_db) > 0.5, "the noise is louder than the clip: a positive ratio means that the clip is louder"
        )
        expect(
            abs(snr - snr_db) < 0.5,
            f"asked for {snr_db:.1f} dB, the noise lies {snr:.1f} dB below the clip: measure the power of the clip",
        )
        again = numbers(answer(y, snr_db, np.random.default_rng(int(rng.integers(10**9)))), y.shape, "as many samples")
        expect(not np.allclose(out, again), "it is the same noise every time: draw it from the rng that you are given")


@exercise(
    "7.2",
    "z-scores without labels",
    goal=3,
    hints=[
        "For each speaker: subtract the mean of the speaker's clips from each column, and divide by their standard "
        "deviation.",
        "A column that does not vary has the standard deviation 0; divide by 1 there.",
    ],
)
def z_by_speaker(answer, rng):
    names = np.repeat(["anna", "ben", "cem"], [15, 20, 25])
    order = rng.permutation(len(names))
    speaker = names[order]
    offset = {"anna": -5.0, "ben": 3.0, "cem": 40.0}
    x = rng.normal(size=(60, 5)) * rng.uniform(1, 9, 5) + np.array([offset[who] for who in speaker])[:, np.newaxis]
    x[speaker == "ben", 2] = 7.0
    given = np.asarray(answer(x.copy(), speaker), dtype=float)
    expect(given.shape == x.shape, "a row for each clip and a column for each feature, as before")
    expect(np.isfinite(given).all(), "a column that does not vary gives 0 / 0: leave it at 0")
    over_all = (x - x.mean(axis=0)) / x.std(axis=0)
    expect(not np.allclose(given, over_all), "these are z-scores over all clips together: the voices are still apart")
    rows = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    expect(
        not np.allclose(given, rows), "this goes along each clip; go along each column, over the clips of one speaker"
    )
    for who in np.unique(speaker):
        own = given[speaker == who]
        expect(np.allclose(own.mean(axis=0), 0, atol=1e-6), f"the mean of a column over the clips of {who} must be 0")
        varies = x[speaker == who].std(axis=0) > 0
        expect(
            np.allclose(own.std(axis=0)[varies], 1, atol=0.05),
            f"the standard deviation over the clips of {who} must be 1",
        )
        expect(
            np.allclose(
                own[:, 0], (x[speaker == who, 0] - x[speaker == who, 0].mean()) / x[speaker == who, 0].std(), atol=0.1
            ),
            "the clips are in another order than before",
        )


@exercise(
    "7.3",
    "Match the answers to their shares",
    goal=3,
    hints=[
        "Multiply each column by a factor, and make each row add up to 1 again.",
        "After that the means of the columns are nearer to the shares, not yet equal: factor by factor, again and "
        "again.",
        "The next factor of a label is its share divided by the mean that its column has now; a hundred rounds are "
        "enough.",
    ],
)
def match(answer, rng):
    for _ in range(3):
        n, k = int(rng.integers(60, 120)), int(rng.integers(3, 6))
        p = rng.dirichlet(np.linspace(0.6, 2.5, k), n) * 0.98 + 0.02 / k
        shares = rng.dirichlet(np.full(k, 20.0))
        given = np.asarray(answer(p.copy(), shares.copy()), dtype=float)
        expect(given.shape == p.shape, "probabilities again: one row a clip, one column a label")
        expect(given.min() >= 0 and np.isfinite(given).all(), "a probability is never negative")
        expect(np.allclose(given.sum(axis=1), 1, atol=1e-6), "after multiplying, each row must add up to 1 again")
        expect(len(np.unique(given)) > 2, "these are decisions (0 or 1); keep the probabilities")
        ratio = given / p
        shape = ratio / ratio[:, :1]
        expect(
            np.allclose(shape, shape[0], rtol=1e-3),
            "within a label all clips must get the same factor, so that their order stays",
        )
        gap = np.abs(given.mean(axis=0) - shares).max()
        once = p * shares / p.mean(axis=0)
        once /= once.sum(axis=1, keepdims=True)
        expect(
            not np.allclose(given, once),
            "one step comes nearer but does not arrive: repeat until the means are the shares",
        )
        expect(gap < 0.005, f"the mean of a column is still {gap:.3f} away from its share")
