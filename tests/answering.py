"""Answers of a model that is often right, for the tests of what judges them."""

import numpy as np
import pandas as pd

LABELS = ["angry", "happy", "neutral", "sad"]


def clips(truth, **columns):
    """Clips by their true labels, and what else is known of them."""
    return pd.DataFrame({"label": truth, **columns})


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def answers(truth, labels=LABELS, *, sure=3.0, seed=0):
    """Probabilities of a model that is often right."""
    z = np.random.default_rng(seed).normal(size=(len(truth), len(labels)))
    z[np.arange(len(truth)), [list(labels).index(label) for label in truth]] += sure
    return softmax(z)
