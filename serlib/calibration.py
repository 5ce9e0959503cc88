"""How sure a model may be: one temperature for its probabilities, and the confidence below which it had better abstain.

Both are chosen on the validation role at the end of a training and kept with the run. Under the published protocol the
validation role is the test role, so nothing is chosen there.

References
----------
.. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017). On calibration of modern neural networks. ICML.
.. [2] J. Platt (1999). Probabilistic outputs for support vector machines and comparisons to regularized likelihood
       methods. In: Advances in Large Margin Classifiers, MIT Press.
"""

import numpy as np

from serlib import metrics

#: The threshold leaves this share of the right answers on the validation role standing.
KEPT = 0.95

#: Temperatures that are looked at: beyond them all answers are alike, or all are certain.
COLDEST, HOTTEST = 0.05, 20.0

#: What is kept where nothing may be chosen: the model's own probabilities, and an answer to every clip.
UNCHANGED = {"temperature": 1.0, "threshold": 0.0}


def tempered(probabilities, temperature):
    """Probabilities at another temperature: softmax(logits / temperature).

    Parameters
    ----------
    probabilities : np.ndarray [shape=(clips, labels)]
        Of a softmax; their logarithms are its logits, but for a constant that the softmax does not see.
    temperature : float
        Above 1 less sure, below 1 surer; 1 changes nothing. The order of the labels stays as it is.

    Returns
    -------
    np.ndarray [shape=(clips, labels)], float64: in single precision two labels could become equal.

    Examples
    --------
    >>> tempered([[0.8, 0.2]], 2.0).round(3).tolist()
    [[0.667, 0.333]]

    Taught in notebooks/05_evaluate.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if temperature == 1 or not len(probabilities):
        return probabilities
    logits = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(true, probabilities):
    """The temperature at which answers are least surprised by the truth [1]_.

    Parameters
    ----------
    true : np.ndarray [shape=(clips,)], int
        Column of the true label.
    probabilities : np.ndarray [shape=(clips, labels)]

    Returns
    -------
    float

    Notes
    -----
    The negative log-likelihood is least at temperature 0 where all answers are right, and a model would become certain
    because it has seen thirty clips. As Platt [2]_ does, n clips therefore do not count as certain: the true label has
    the probability (n + 1) / (n + 2), the others share the rest.

    Taught in notebooks/05_evaluate.
    """
    from scipy.optimize import minimize_scalar

    n, labels = probabilities.shape
    target = np.full((n, labels), 1 / (n + 2) / max(1, labels - 1))
    target[np.arange(n), true] = (n + 1) / (n + 2)

    def surprise(log_temperature):
        found = tempered(probabilities, np.exp(log_temperature))
        return -(target * np.log(np.maximum(found, np.finfo(float).tiny))).sum(axis=1).mean()

    return float(np.exp(minimize_scalar(surprise, bounds=np.log([COLDEST, HOTTEST]), method="bounded").x))


def fit_threshold(confidence, correct):
    """The confidence that `KEPT` of the right answers reach; 1 where no answer is right.

    Parameters
    ----------
    confidence : np.ndarray [shape=(clips,)]
        Probability of the label that was answered.
    correct : np.ndarray [shape=(clips,)], bool

    Returns
    -------
    float

    Examples
    --------
    >>> fit_threshold(np.array([0.9, 0.6, 0.8, 0.3]), np.array([True, True, True, False]))
    0.6

    Taught in notebooks/05_evaluate.
    """
    if not np.any(correct):
        return 1.0
    return float(np.quantile(np.asarray(confidence)[correct], 1 - KEPT, method="lower"))


def fit(true, probabilities):
    """Temperature and threshold of a model from its answers on the validation role.

    Parameters
    ----------
    true : np.ndarray [shape=(clips,)], int
        Column of the true label.
    probabilities : np.ndarray [shape=(clips, labels)]
        The model's own.

    Returns
    -------
    dict: temperature, threshold (of the tempered confidence), ece_before, ece_after and clips, as run.json keeps it
    """
    # Rounded before they are used, so that what is kept is what was measured.
    temperature = round(fit_temperature(true, probabilities), 4)
    correct = probabilities.argmax(axis=1) == true
    confidence = tempered(probabilities, temperature).max(axis=1)
    return {
        "temperature": temperature,
        "threshold": float(np.floor(1e4 * fit_threshold(confidence, correct)) / 1e4),
        "ece_before": round(metrics.calibration(probabilities.max(axis=1), correct)[0], 4),
        "ece_after": round(metrics.calibration(confidence, correct)[0], 4),
        "clips": len(true),
    }
