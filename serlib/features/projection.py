"""Many numbers a clip become two: a map on which like lies beside like."""

import numpy as np

from serlib.utils import SerlibError

#: Method -> names of the two axes.
AXES = {
    "pca": ("First principal component", "Second principal component"),
    "tsne": ("t-SNE 1 (no unit)", "t-SNE 2 (no unit)"),
}
#: t-SNE starts from so many principal components: what comes after is mostly noise, and costs time.
COMPONENTS = 50
#: Clips that t-SNE takes for neighbours (its authors: 5 to 50 change little).
PERPLEXITY = 30


def map_points(values, *, method="pca", seed=0):
    """A point of the plane for each clip [shape=(clips, 2)]; its axes are called `AXES[method]`.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, d)]
        Features, or what a layer makes of them (`last_layer`). Each column is divided by its deviation over the clips.
    method : str
        `pca`: the two directions in which the clips differ most; distances are true as far as two axes can show them.
        `tsne`: neighbours stay neighbours (van der Maaten & Hinton 2008, JMLR 9); how far apart two groups lie, and how
        large they are, means nothing.
    seed : int
        Of t-SNE. The same values and seed give the same map.

    Taught in notebooks/03_mfcc and 05_evaluate.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    if method not in AXES:
        raise SerlibError(f"There is no map '{method}'; choose one of {', '.join(AXES)}")
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or len(values) < 3:
        raise SerlibError(f"values have the shape {values.shape}; a map needs three clips, a row of numbers each")
    if not np.isfinite(values).all():
        raise SerlibError("The features hold NaN or infinity; extract them again")
    scaled = StandardScaler().fit_transform(values)
    if not scaled.any():  # all clips are alike: scikit-learn's t-SNE would end the process
        return np.zeros((len(values), 2))
    components = 2 if method == "pca" else COMPONENTS
    points = PCA(min(components, *scaled.shape), svd_solver="full").fit_transform(scaled)
    points = np.pad(points, ((0, 0), (0, max(0, 2 - points.shape[1]))))  # one column has one direction
    if method == "tsne":
        perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
        with threadpool_limits(1):  # on two busy cores scikit-learn's spinning threads took twenty times as long
            return TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(points)
    return points


def last_layer(model, values, *, batch_size=256):
    """What a model makes of its input [shape=(clips, ...)] just before it answers [shape=(clips, units)], float32.

    The input of its last layer, the softmax; of a committee that of all its members. Taught in notebooks/05_evaluate.
    """
    import keras

    inside = keras.Model(model.input, _before_the_answer(model))
    starts = range(0, len(values), batch_size)
    parts = [inside(np.asarray(values[i : i + batch_size]), training=False) for i in starts]
    return np.concatenate(parts).astype(np.float32)


def _before_the_answer(model):
    """The symbolic input of the softmax; of a committee those of its members, one after the other."""
    import keras

    last = model.layers[-1]
    if not isinstance(last.input, list):
        return last.input
    parts = []
    for answer in last.input:
        node = answer._keras_history
        member = node.operation
        x = node.operation._inbound_nodes[node.node_index].input_tensors
        parts.append(keras.Model(member.input, member.layers[-1].input)(*x))
    return keras.layers.concatenate(parts)
