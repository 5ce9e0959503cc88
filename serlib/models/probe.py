"""A linear probe: one logistic regression a layer of a frozen encoder, and the layers answer together.

It is what one measures first with an encoder (G. Alain & Y. Bengio 2016, "Understanding intermediate layers using
linear classifier probes", arXiv:1610.01644). It has one answer, which scikit-learn finds without epochs or seeds.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from serlib.features import normalisation
from serlib.features.spec import names as column_names
from serlib.models.recipe import BaseRecipe

#: Steps of the solver; some dozens suffice where C is small.
MOST_STEPS = 2000


@dataclass(frozen=True, kw_only=True)
class LinearProbe(BaseRecipe):
    """A logistic regression on the z-scores of each layer's states, and one on features that stand beside them; the
    answer is the mean of their log-probabilities.

    Every corpus counts the same in the training, and within it every label.

    Attributes
    ----------
    c : float
        Strength, in scikit-learn's terms: the smaller, the smaller the weights stay.
    """

    normalise: ClassVar[str] = "training"
    epochs: ClassVar[int] = 1

    c: float

    def __post_init__(self):
        super().__post_init__()
        self._check("c", self.c > 0, "one above 0")

    def layers(self):
        """Columns of the features for each logistic regression: those of each layer of the encoder, or all together
        where there is no encoder, and those that stand beside them.

        Returns
        -------
        dict of str -> np.ndarray of int
        """
        names = column_names(self.features)
        beside = column_names(self.features.beside) if self.features.beside else []
        own = names[: len(names) - len(beside)]
        columns = {"all": np.arange(len(own))}
        if self.features.layers:
            starts = {str(layer): f"states_{layer}_" for layer in sorted(self.features.layers)}
            columns = {
                layer: np.array([n for n, name in enumerate(own) if name.startswith(start)])
                for layer, start in starts.items()
            }
        if beside:
            columns["beside"] = np.arange(len(own), len(names))
        return columns

    def model(self, n_labels, *, shape, examples=None):
        """The Keras model, untrained: it finds every label as likely; parameters as for `Recipe.model`."""
        import keras

        from serlib.models import layers

        inputs = keras.Input(shape=shape, name="features")
        z_score = layers.ZScore(name="z_score")
        if examples is not None:
            z_score.adapt(examples)
        x = z_score(inputs)
        answers = []
        for layer, columns in self.layers().items():
            dense = keras.layers.Dense(
                n_labels, activation="softmax", kernel_initializer="zeros", name=f"layer_{layer}"
            )
            answers.append(dense(keras.ops.take(x, columns.tolist(), axis=-1)))
        shares = [1 / len(answers)] * len(answers)
        answer = layers.Committee(shares, name="probabilities")(answers)
        model = keras.Model(inputs, answer, name=self.name.replace("-", "_"))
        model.compile(loss="categorical_crossentropy", metrics=["accuracy"])  # to be judged; `solve` trains it
        return model

    def solve(self, x, y, weights):
        """Train on all clips at once.

        Parameters
        ----------
        x : np.ndarray [shape=(clips, d)]
            Features of the training set.
        y : np.ndarray [shape=(clips, labels)]
            Its labels, one-hot; each occurs.
        weights : np.ndarray [shape=(clips,)]
            What each clip counts, from `clip_weights`.

        Returns
        -------
        keras.Model: features in, probabilities out.
        """
        model = self.model(y.shape[1], shape=x.shape[1:], examples=x)
        z = normalisation.z_score(x, *normalisation.statistics(x))
        for layer, columns in self.layers().items():
            model.get_layer(f"layer_{layer}").set_weights(regression(z[:, columns], y, weights, c=self.c))
        return model


def regression(x, y, weights, *, c):
    """Weights of a softmax layer that is a logistic regression.

    Parameters
    ----------
    x : np.ndarray [shape=(clips, d)]
        Z-scores.
    y : np.ndarray [shape=(clips, labels)]
        One-hot; each label occurs.
    weights : np.ndarray [shape=(clips,)]
    c : float
        As in scikit-learn's `LogisticRegression`.

    Returns
    -------
    kernel : np.ndarray [shape=(d, labels)], float32
    bias : np.ndarray [shape=(labels,)], float32
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # the products are small: more threads mostly wait for each other
        fitted = LogisticRegression(C=c, max_iter=MOST_STEPS).fit(x, y.argmax(axis=1), sample_weight=weights)
    kernel = fitted.coef_.T
    bias = fitted.intercept_
    if y.shape[1] == 2:  # scikit-learn keeps the second label's odds only
        kernel = np.hstack([np.zeros_like(kernel), kernel])
        bias = np.append(0, bias)
    return [kernel.astype(np.float32), bias.astype(np.float32)]


def clip_weights(table):
    """What each clip counts: every corpus the same, and within it every label, 1 on average.

    Parameters
    ----------
    table : pd.DataFrame
        With `corpus` and `label`.

    Returns
    -------
    np.ndarray [shape=(clips,)]

    Examples
    --------
    >>> import pandas as pd
    >>> clip_weights(pd.DataFrame({"corpus": ["a", "a", "a", "b"], "label": ["sad", "sad", "happy", "sad"]})).tolist()
    [0.5, 0.5, 1.0, 2.0]
    """
    size = table.groupby(["corpus", "label"])["label"].transform("size")
    labels = table.groupby("corpus")["label"].transform("nunique")
    share = 1 / (size * labels).to_numpy(dtype=float)
    return share * (len(share) / share.sum())
