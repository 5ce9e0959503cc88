"""Fine-tuning: the encoder itself learns on, from the probe of its frozen states; half of what it changed is kept.

Three known steps, each of which keeps more of what the encoder knew of voices outside of the training: the heads are
solved before anything is tuned (A. Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform
out-of-distribution", arXiv:2202.10054); the weights end between the frozen and the tuned ones (M. Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models", arXiv:2109.01903); and the heads are solved once more, on the states of these.
"""

from dataclasses import dataclass

import numpy as np

from serlib.augment.frames import lengths
from serlib.features.spec import WHISPER
from serlib.models.probe import LinearProbe
from serlib.models.recipe import GradientRecipe


@dataclass(frozen=True, kw_only=True)
class Tuned(GradientRecipe):
    """An encoder and a probe on its states, trained together; Whisper's log-mel goes in.

    Attributes
    ----------
    probe : LinearProbe
        Its features name the encoder and the layers, with mean and deviation over time.
    kept : float
        Share of the change of the encoder's weights that is kept: 0 is the frozen encoder, 1 the tuned one.
    """

    probe: LinearProbe
    kept: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        self._check("kept", 0 <= self.kept <= 1, "one from 0 to 1")

    def to_dict(self):
        """Everything as JSON can hold it."""
        return {**super().to_dict(), "probe": self.probe.to_dict()}

    def model(self, n_labels, *, shape, examples=None):
        """The Keras model before training: encoder and a probe that finds every label as likely.

        Parameters
        ----------
        n_labels : int
        shape : tuple
            (frames, 80); the frames may be None.
        examples : optional
            Of no use here: the states have no statistics before there are clips (`start`).

        Returns
        -------
        keras.Model: frames in, probabilities out, compiled.
        """
        encoder = self._frozen()
        columns = 2 * len(self.probe.features.layers) * encoder.width
        return self.compiled(self._joined(encoder, self.probe.model(n_labels, shape=(columns,))))

    def start(self, x, y, weights):
        """The model that is tuned: the frozen encoder, and the probe that was solved on its states.

        Parameters
        ----------
        x : np.ndarray or LazyFeatures [shape=(clips, frames, 80)]
            The training set.
        y : np.ndarray [shape=(clips, labels)]
            Its labels, one-hot.
        weights : np.ndarray [shape=(clips,)]
            What each clip counts, from `serlib.models.probe.clip_weights`.

        Returns
        -------
        keras.Model: frames in, probabilities out, compiled.
        """
        return self.compiled(self.read(self._frozen(), x, y, weights))

    def settle(self, model, x, y, weights):
        """The model that is kept: part of the way to the tuned weights, and a probe that was solved there.

        Parameters
        ----------
        model : keras.Model
            Tuned, from `start`.
        x, y, weights
            As for `start`.

        Returns
        -------
        keras.Model: frames in, probabilities out, compiled.
        """
        tuned = model.get_layer("encoder").values()
        encoder = self._frozen()
        encoder.set({name: value + self.kept * (tuned[name] - value) for name, value in encoder.values().items()})
        return self.compiled(self.read(encoder, x, y, weights))

    def read(self, encoder, x, y, weights):
        """An encoder as it is, and the probe that is solved on its states of the training set; parameters as for
        `start`. The model is not compiled."""
        import keras

        from serlib.models import layers

        inputs = keras.Input((None, WHISPER["n_mels"]), name="features")
        pooled = keras.Model(inputs, layers.StatisticsPooling()(encoder(inputs)))
        states = []
        for first in range(0, len(x), self.batch_size):
            clips = x[first : first + self.batch_size]
            states.append(pooled.predict_on_batch(clips[:, : lengths(clips).max()]))
        return self._joined(encoder, self.probe.solve(np.concatenate(states), y, weights))

    def _frozen(self):
        from serlib.features import encoder

        return encoder.load(self.probe.features.encoder, self.probe.features.layers, name="encoder")

    def _joined(self, encoder, head):
        """One model of an encoder and a probe."""
        import keras

        from serlib.models import layers

        inputs = keras.Input((None, WHISPER["n_mels"]), name="features")
        head = keras.Model(head.input, head.output, name="probe")  # not compiled: it has no optimiser of its own
        answer = head(layers.StatisticsPooling(name="pooling")(encoder(inputs)))
        return keras.Model(inputs, answer, name=self.name.replace("-", "_"))
