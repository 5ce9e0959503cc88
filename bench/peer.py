#!/usr/bin/env python3
"""The peer: openSMILE's ComParE_2016 functionals and a linear SVM, on the same folds as the recipes.

    python bench/peer.py [tess data/tess ravdess data/ravdess]

6373 functionals a clip (Schuller et al. 2016, the baseline of the ComParE challenges), z-scored over the training and
validation roles, then `SVC(kernel="linear", C=1e-3)`. Nothing is chosen, so that both roles train. `per speaker`: the
functionals of each speaker are first z-scored over all clips of that speaker, which takes the test speaker's
unlabelled clips for granted. `bench/accuracy.py` puts these rows beside the recipes.

Needs `opensmile` (see requirements.txt), which is free for research and teaching only.
"""

import argparse
import functools

import numpy as np
import opensmile
import pandas as pd
from scipy.special import softmax
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from serlib import audio, corpora
from serlib.experiments import Peer
from serlib.experiments.comparison import compare, readable
from serlib.features import cache
from serlib.splits import group_keys
from serlib.utils import data_dir, home, ordered_labels

#: What the cache of the functionals is named by, beside the clips.
FUNCTIONALS = "ComParE_2016"

#: Of the SVM; usual with thousands of functionals, and not tuned here.
C = 1e-3


@functools.cache
def _smile():
    return opensmile.Smile(opensmile.FeatureSet[FUNCTIONALS], opensmile.FeatureLevel.Functionals)


def _row(file, digest, wanted):
    """Functionals of one file; the digest only names the task."""
    y, rate_hz = audio.load(file)
    row = _smile().process_signal(y, rate_hz).to_numpy(np.float32)[0]
    return [(np.nan_to_num(row), 1)]


def functionals(index, *, show=None):
    """ComParE_2016 functionals of every clip, cached by the clips' content.

    Returns
    -------
    np.memmap [shape=(clips, 6373)], float32
    """
    kind = {"functionals": FUNCTIONALS, "opensmile": opensmile.__version__}
    tasks = list(zip(index.speech, index.digest, strict=True))
    store = cache.Store(data_dir() / "features", kind, index.digest, lambda: (_smile().num_features,))
    # threads do not help (openSMILE keeps Python's lock), and a process each would import everything anew
    return cache.fill(_row, tasks, [store], jobs=1, show=show, desc=FUNCTIONALS)[0][0]


def per_speaker(values, index):
    """Each column z-scored over all clips of a speaker; a column that never changes becomes zero."""
    out, speakers = np.zeros(values.shape, np.float32), group_keys(index, "speaker")
    for speaker in set(speakers):
        of = speakers == speaker
        part = np.asarray(values[of], np.float64)
        spread = part.std(axis=0)
        out[of] = (part - part.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return out


def answer(table, *, values, files):
    """Train on all but the test set of a table and answer the test set.

    Parameters
    ----------
    table : pd.DataFrame
        From `serlib.split`.
    values : np.ndarray [shape=(clips, columns)]
        Functionals of these files.
    files : sequence of str [shape=(clips,)]

    Returns
    -------
    pd.DataFrame: the clips of the test set with a column for each label: the softmax of the SVM's votes with their
    margins, since it has no probabilities.
    """
    x = values[pd.Index(files).get_indexer(table.speech)]
    is_test, labels = (table.role == "test").to_numpy(), ordered_labels(table.label)
    svm = make_pipeline(StandardScaler(), SVC(kernel="linear", C=C)).fit(x[~is_test], table.label[~is_test])
    votes = pd.DataFrame(softmax(svm.decision_function(x[is_test]), axis=1), columns=svm.classes_)
    return pd.concat([table[is_test].reset_index(drop=True), votes[labels]], axis=1)


def peers(index):
    """The two peers for the clips of an index: as they are, and z-scored per speaker."""
    parts = [part for _, part in index.groupby("corpus", sort=False)]
    values = np.concatenate([functionals(part) for part in parts])  # each corpus is cached alone
    index = pd.concat(parts, ignore_index=True)
    files = list(index.speech)
    return [
        Peer(
            name="compare-svm",
            title="openSMILE ComParE_2016 + linear SVM",
            answer=functools.partial(answer, values=values, files=files),
        ),
        Peer(
            name="compare-svm-per-speaker",
            title="openSMILE ComParE_2016, z-scored per speaker + linear SVM",
            answer=functools.partial(answer, values=per_speaker(values, index), files=files),
            normalise="speaker",
        ),
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="tess FOLDER ravdess FOLDER; default: what is present, or the sample")
    args = parser.parse_args()
    names, folders = args.corpus[::2], args.corpus[1::2]
    names = names or [name for name in ("tess", "ravdess") if corpora.present(name)] or ["sample"]
    indices = [corpora.index(name, folder) for name, folder in zip(names, folders or [None] * len(names), strict=True)]
    for index in indices:
        found = compare(index, peers(index), splits=["text", "speaker"], root=home() / "checkpoints" / "accuracy")
        print(readable(found.table).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
