"""What the answers to the exercises of notebook 06 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "6.1",
    "McNemar's test",
    goal=3,
    hints=[
        "Only the clips count on which the two recipes part: one is right, the other wrong.",
        "If neither is better, each of these clips falls to either side like a coin. How likely is a split at least"
        " this uneven?",
        "scipy.stats.binomtest(only_a, only_a + only_b) gives this p-value.",
    ],
)
def mcnemar(answer, rng):
    from scipy.stats import binomtest, chi2_contingency

    for _ in range(6):
        both, neither = int(rng.integers(40, 80)), int(rng.integers(5, 20))
        only_a, only_b = int(rng.integers(8, 20)), int(rng.integers(1, 7))
        a = np.repeat([True, False, True, False], [both, neither, only_a, only_b])
        b = np.repeat([True, False, False, True], [both, neither, only_a, only_b])
        order = rng.permutation(len(a))
        a, b = a[order], b[order]
        p = float(numbers(answer(a, b), (), "return one number, the p-value"))
        wanted = binomtest(only_a, only_a + only_b).pvalue
        expect(0 <= p <= 1, "a p-value is a probability, between 0 and 1")
        one_sided = binomtest(only_a, only_a + only_b, alternative="greater").pvalue
        expect(abs(p - one_sided) > 1e-9, "we did not know beforehand which of the two would win: count both sides")
        apart = chi2_contingency([[a.sum(), (~a).sum()], [b.sum(), (~b).sum()]])
        apart_p = [
            apart.pvalue,
            chi2_contingency([[a.sum(), (~a).sum()], [b.sum(), (~b).sum()]], correction=False).pvalue,
        ]
        expect(
            min(abs(p - q) for q in apart_p) > 1e-9,
            "this test takes the two for answers to different clips; they answered "
            "the same ones, so look at the clips on which they part",
        )
        expect(
            abs(p - wanted) < 1e-6,
            f"{only_a} clips for one and {only_b} for the other: p is {wanted:.4f}, you say {p:.4f}",
        )
    same = rng.random(30) < 0.5
    expect(
        float(answer(same, same.copy())) == 1, "two recipes that answer alike: nothing speaks for a difference, p is 1"
    )


@exercise(
    "6.2",
    "The luck of the best of twenty",
    goal=5,
    hints=[
        "Let `models` guessers answer `clips` clips, each right with the probability `p`, and note the best of them.",
        "Do that a thousand times and take the mean: rng.binomial(clips, p, (1000, models)).max(axis=1).mean() / "
        "clips.",
    ],
)
def best_of(answer, rng):
    from scipy.stats import binom

    for _ in range(4):
        models, clips, p = int(rng.integers(10, 40)), int(rng.integers(40, 200)), float(rng.uniform(0.2, 0.7))
        given = float(numbers(answer(models, clips, p, rng), (), "return one number, an accuracy"))
        below = binom.cdf(np.arange(clips + 1), clips, p) ** models
        wanted = (1 - below).sum() / clips
        spread = np.sqrt(p * (1 - p) / clips)
        expect(given <= 1, "an accuracy is a share: divide by the number of clips")
        expect(
            abs(given - p) > 0.4 * spread, "this is what one of them reaches on average; the best of many is luckier"
        )
        expect(
            given < wanted + 0.5 * spread,
            "so lucky is the best of very many; take the mean over your draws, not the best draw of all",
        )
        expect(
            abs(given - wanted) < 0.25 * spread,
            f"the best of {models} on {clips} clips reaches {wanted:.3f} on average, you say {given:.3f}",
        )


@exercise(
    "6.3",
    "Many comparisons",
    goal=3,
    hints=[
        "Sort the p-values. The smallest must be below 0.05 / n, the next below 0.05 / (n - 1), and so on.",
        "Stop at the first that fails: it and all larger ones do not count. Mind to return them in the old order.",
    ],
)
def holm(answer, rng):
    for trial in range(30):
        n = int(rng.integers(5, 15))
        p = np.concatenate([rng.uniform(0, 0.02, n // 2), rng.uniform(0, 1, n - n // 2)])
        if trial == 0:
            p = np.concatenate(
                [[0.009, 0.012, 0.0166], np.full(2, 0.8)]
            )  # the second and third need Holm's larger limits
        p = rng.permutation(p)
        given = np.asarray(answer(p.copy()))
        expect(given.shape == p.shape and given.dtype == bool, "return true or false for each p-value")
        wanted = np.zeros(len(p), bool)
        for rank, place in enumerate(np.argsort(p)):
            if p[place] * (len(p) - rank) > 0.05:
                break
            wanted[place] = True
        expect(
            not (given.sum() == wanted.sum() and not (given == wanted).all()),
            "the order is lost: say it of each p-value where it stands in the list",
        )
        expect(
            not (given == (p < 0.05)).all() or (given == wanted).all(),
            "20 comparisons of nothing give one p below 0.05 by chance: be stricter the more there are",
        )
        strict = p * len(p) <= 0.05
        expect(
            not ((given == strict).all() and (given != wanted).any()),
            "dividing 0.05 by the number of all comparisons is "
            "correct, but stricter than needed: once the smallest counts, one comparison fewer is left",
        )
        expect((given == wanted).all(), "not Holm's rule: stop at the first that fails, the larger ones fall with it")
