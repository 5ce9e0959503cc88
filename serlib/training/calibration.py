"""How sure a model may be: one temperature for its probabilities, and the confidence below which it had better abstain.

The temperature is fitted to the validation set at the end of a training and kept with the run. From then on a
confidence is the chance to be right, as far as clips are like those of validation, and a threshold means something.
Under the published protocol the validation set is the test set, so nothing is chosen there.

References
----------
.. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of modern neural networks. ICML.
.. [2] J. Platt (1999). Probabilistic outputs for support vector machines and comparisons to regularized likelihood
       methods. In: Advances in Large Margin Classifiers, MIT Press.
.. [3] C. K. Chow (1970). On optimum recognition error and reject tradeoff. IEEE Trans. Information Theory 16(1).
"""

import numpy as np
import pandas as pd
from scipy.special import softmax

#: Below this calibrated confidence an answer is more likely wrong than right, and none is given: Chow's rule [3]_ where
#: a wrong answer costs twice what no answer does. (A quantile of the validation set's confidences would not do: where
#: validation knows the voices, nearly all of them are near 1, and every new voice would be turned away.)
THRESHOLD = 0.5

#: Temperatures that are looked at: beyond them all answers are alike, or all are certain.
COLDEST = 0.05
HOTTEST = 20.0

#: Bins of the reliability diagram and of the ECE, as in Guo et al. 2017.
BINS = 15

#: What is kept where nothing may be chosen: the model's own probabilities, and an answer to every clip.
UNCHANGED = {"temperature": 1.0, "threshold": 0.0}


def tempered(probabilities, temperature):
    """Probabilities at another temperature: softmax(logits / temperature), float64 [shape=(clips, labels)].

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
        Of a softmax; their logarithms are its logits, but for a constant that the softmax does not see.
    temperature : float
        Above 1 less sure, below 1 surer; 1 changes nothing. The order of the labels stays as it is.

    Examples
    --------
    >>> tempered([[0.8, 0.2]], 2.0).round(3).tolist()
    [[0.667, 0.333]]

    Taught in notebooks/05_evaluate.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if temperature == 1 or not len(probabilities):
        return probabilities
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return softmax(logits / temperature, axis=1)


def fit_temperature(true, probabilities):
    """The temperature at which answers are least surprised by the truth [1]_; parameters as for `fit`.

    The negative log-likelihood is least at temperature 0 where all answers are right, and a model would become certain
    because it has seen thirty clips. As Platt [2]_ does, n clips therefore do not count as certain: the true label has
    the probability (n + 1) / (n + 2), the others share the rest.
    """
    from scipy.optimize import minimize_scalar

    n, labels = probabilities.shape
    target = np.full((n, labels), 1 / (n + 2) / max(1, labels - 1))
    target[np.arange(n), true] = (n + 1) / (n + 2)

    def surprise(log_temperature):
        probabilities_at = tempered(probabilities, np.exp(log_temperature))
        return -(target * np.log(np.maximum(probabilities_at, np.finfo(float).tiny))).sum(axis=1).mean()

    return float(np.exp(minimize_scalar(surprise, bounds=np.log([COLDEST, HOTTEST]), method="bounded").x))


def reliability(confidence, correct, *, bins=BINS):
    """Expected calibration error and the table of the reliability diagram [1]_.

    Parameters
    ----------
    confidence : np.ndarray [shape=(n,)]
        Probability of the label that was answered.
    correct : np.ndarray [shape=(n,)], bool
    bins : int
        Bins of equal width over (0, 1], closed on the right.

    Returns
    -------
    ece : float
        Mean distance between confidence and accuracy over the bins, weighted by their clips.
    table : pd.DataFrame
        A row a bin: low, high, confidence, accuracy (means, NaN where empty), n.

    Examples
    --------
    >>> ece, table = reliability([0.9, 0.9, 0.9, 0.9], [True, True, True, False])
    >>> round(ece, 2)
    0.15

    Taught in notebooks/05_evaluate.
    """
    confidence = np.asarray(confidence, dtype=float)
    correct = np.asarray(correct, dtype=float)
    edges = np.linspace(0, 1, bins + 1)
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    n = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(which, confidence, bins) / n
        accuracy = np.bincount(which, correct, bins) / n
    ece = float(np.nansum(n * np.abs(accuracy - mean)) / n.sum())
    return ece, pd.DataFrame({"low": edges[:-1], "high": edges[1:], "confidence": mean, "accuracy": accuracy, "n": n})


def fit(true, probabilities):
    """Temperature and threshold of a model, and what they mean for the validation set.

    Parameters
    ----------
    true : np.ndarray [shape=(clips,)], int
        Column of the true label.
    probabilities : np.ndarray [shape=(clips, labels)]
        The model's own.

    Returns
    -------
    dict, as run.json keeps it: temperature; threshold; of the validation set ece_before, ece_after, answered (share of
    its clips above the threshold), right (share of these; None where there are none) and clips
    """
    # Rounded before they are used, so that what is kept is what was measured.
    temperature = round(fit_temperature(true, probabilities), 4)
    correct = probabilities.argmax(axis=1) == true
    confidence = tempered(probabilities, temperature).max(axis=1)
    is_answered = confidence >= THRESHOLD
    return {
        "temperature": temperature,
        "threshold": THRESHOLD,
        "ece_before": round(reliability(probabilities.max(axis=1), correct)[0], 4),
        "ece_after": round(reliability(confidence, correct)[0], 4),
        "answered": round(float(is_answered.mean()), 4),
        "right": round(float(correct[is_answered].mean()), 4) if is_answered.any() else None,
        "clips": len(true),
    }
