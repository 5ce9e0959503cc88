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
# Two recipes answered the same clips; `a` and `b` say of each clip whether the answer was right. Return the exact
# p-value, of both sides.


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
# A number of `models` answer `clips` test clips. All are equally good, each answer is right with the probability `p`.
# Which accuracy does the *best* of them show, on average? This is what one reports who tries twenty settings and keeps
# the one that does best on the test. Simulate it with `rng`, or compute it.


# %%
def best_of(models, clips, p, rng):
    ### BEGIN SOLUTION
    right = rng.binomial(clips, p, (2000, models))
    return right.max(axis=1).mean() / clips
    ### END SOLUTION


check("6.2", best_of)

# %%
if luck := best_of(20, 100, 0.5, np.random.default_rng(0)):
    print(f"twenty models that are right half of the time: the best shows {luck:.0%} on a hundred clips")

# %% [markdown]
# ## 6.3 Many comparisons
#
# Eight recipes make 28 pairs, and each pair a p-value. Which of them count, if the chance that even one of them is
# wrong may be five in a hundred? Return true or false for each p-value, by Holm's rule.


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
