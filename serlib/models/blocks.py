"""Models as data: the Keras layers of each recipe, written down without loading Keras.

`stack(layer("LSTM", 64), layer("Dropout", 0.3))` is a builder of a classifier, and prints as what it is. A new model is
such a list; whatever does not fit into a list is any function `build(x, n_labels)`.

Taught in notebooks/06_compare.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """A Keras layer that is yet to be made: its class in `serlib.models.layers` or `keras.layers`, and what that is
    called with; layers among the arguments are made first."""

    kind: str
    args: tuple
    options: dict

    def make(self):
        """The Keras layer."""
        import keras

        from serlib.models import layers

        kind = getattr(layers, self.kind, None) or getattr(keras.layers, self.kind)
        args = [arg.make() if isinstance(arg, Layer) else arg for arg in self.args]
        return kind(*args, **self.options)

    def __str__(self):
        arguments = [str(arg) for arg in self.args] + [f"{key}={value}" for key, value in self.options.items()]
        return f"{self.kind}({', '.join(arguments)})"


@dataclass(frozen=True)
class Stack:
    """Builder of a classifier: layers one after the other, then a softmax over the labels."""

    layers: tuple

    def __call__(self, x, n_labels):
        """From the symbolic features [shape=(clips, ...)] to the symbolic probabilities [shape=(clips, n_labels)]."""
        softmax = layer("Dense", n_labels, activation="softmax", dtype="float32", name="probabilities")
        for part in (*self.layers, softmax):
            x = part.make()(x)
        return x

    def to_list(self):
        """The layers in words, as JSON can hold them."""
        return [str(part) for part in self.layers]


def layer(kind, /, *args, **options):
    """Write a Keras layer down: its class in `serlib.models.layers` or `keras.layers`, and what that is called with.

    Examples
    --------
    >>> print(layer("Bidirectional", layer("LSTM", 64, return_sequences=True)))
    Bidirectional(LSTM(64, return_sequences=True))
    """
    return Layer(kind, args, options)


def stack(*parts):
    """Builder of a classifier, a `Stack`: layers, or sequences of them, in order, without the softmax at the end.

    Examples
    --------
    >>> stack(layer("LSTM", 64), dense(32, dropout=0.3)).to_list()
    ['LSTM(64)', 'Dense(32, activation=relu)', 'Dropout(0.3)']
    """
    layers = []
    for part in parts:
        layers += [part] if isinstance(part, Layer) else part
    return Stack(tuple(layers))


def convolutions(*filters, kernel=5, pool=2, dropout=0.0, batch_norm=False, masked=True):
    """Convolutions over time with ReLU, each followed by max pooling: a tuple of Layer.

    Parameters
    ----------
    filters : int
        Of each convolution.
    kernel, pool : int
        Frames that a filter sees; frames that become one.
    dropout : float
        Rate after each pooling.
    batch_norm : bool
        BatchNormalization after each convolution.
    masked : bool
        Padding stays padding, so that layers for sequences may follow. Otherwise Keras's own layers, which take padding
        for silence: for features that have a number of frames.
    """
    mark = "Masked" if masked else ""
    parts = []
    for size in filters:
        parts.append(layer(f"{mark}Conv1D", size, kernel, padding="same", activation="relu"))
        parts += [layer("BatchNormalization")] if batch_norm else []
        parts += [layer(f"{mark}MaxPooling1D", pool), *_dropout(dropout)]
    return tuple(parts)


def recurrent(*units, kind="LSTM", bidirectional=False, sequences=False, dropout=0.0):
    """Recurrent layers one after the other: a tuple of Layer.

    Parameters
    ----------
    units : int
        Of each layer (and of each direction).
    kind : str
        LSTM or GRU.
    bidirectional : bool
        Read forwards and backwards.
    sequences : bool
        The last layer, too, hands on what it knows after each frame, not only after the last one.
    dropout : float
        Rate after each layer.
    """
    parts = []
    for i, size in enumerate(units, start=1):
        steps = {"return_sequences": True} if sequences or i < len(units) else {}
        cell = layer(kind, size, **steps)
        parts += [layer("Bidirectional", cell) if bidirectional else cell, *_dropout(dropout)]
    return tuple(parts)


def dense(*units, dropout=0.0, batch_norm=False):
    """Dense layers with ReLU, of so many units each, with batch normalisation and dropout behind: a tuple of Layer."""
    parts = []
    for size in units:
        parts.append(layer("Dense", size, activation="relu"))
        parts += [layer("BatchNormalization")] if batch_norm else []
        parts += _dropout(dropout)
    return tuple(parts)


def _dropout(rate):
    return (layer("Dropout", rate),) if rate else ()
