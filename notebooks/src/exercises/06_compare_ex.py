# %% [markdown]
# # Exercises 06: is one better than the other?
#
# For [notebook 06](../notebooks/06_compare.ipynb). **Running time**: seconds. **Data**: none, each check draws its own.

# %%
import numpy as np
from scipy import stats

from serlib.teach import check, hint, progress

# %% [markdown]
# ## 6.1 McNemar's test
#
# Two recipes answered the same clips; `a` and `b` are arrays that say of each clip whether the answer was right. Return
# the exact two-sided p-value.


# %%
def mcnemar(a, b):
    ### BEGIN SOLUTION
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    if only_a + only_b == 0:
        return 1.0
    return stats.binomtest(only_a, only_a + only_b).pvalue
    ### END SOLUTION


check("6.1", mcnemar)

# %% [markdown]
# ## 6.2 The luck of the best of twenty
#
# A number of `models` answer `clips` test clips. All are equally good: each answer is right with the probability `p`.
# Return the accuracy that the *best* of them shows, on average. This is what you would report if you tried twenty
# settings and kept the one that is best on the test set. Simulate it with `rng`, or compute it.


# %%
def best_of(models, clips, p, rng):
    ### BEGIN SOLUTION
    right = rng.binomial(clips, p, (2000, models))
    return right.max(axis=1).mean() / clips
    ### END SOLUTION


check("6.2", best_of)

# %%
if luck := best_of(20, 100, 0.5, np.random.default_rng(0)):
    print(f"twenty models that are right half of the time: the best of them reaches {luck:.0%} on a hundred clips")

# %% [markdown]
# ## 6.3 Many comparisons
#
# Eight recipes make 28 pairs, and each pair has a p-value. If all pairs whose p-value is below 0.05 counted as
# different, some would count by luck alone. Holm's rule keeps the chance that even one of them is wrong below five in
# a hundred: of n p-values the smallest is compared with 0.05 / n, the next one with 0.05 / (n - 1), and so on; the
# first that is too large ends it. Return true or false for each p-value, in the given order.


# %%
def holm(p):
    ### BEGIN SOLUTION
    counts = np.zeros(len(p), dtype=bool)
    for rank, position in enumerate(np.argsort(p)):
        if p[position] > 0.05 / (len(p) - rank):
            break
        counts[position] = True
    return counts
    ### END SOLUTION


check("6.3", holm)

# %% [markdown]
# What you have solved so far:

# %% tags=["nbval-ignore-output"]
progress()
