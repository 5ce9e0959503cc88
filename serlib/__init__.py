"""Learn and do speech emotion recognition, honestly.

    import serlib

    table = serlib.index("tess", "data/tess")                      # one row a clip
    table = serlib.split(table, "speaker")                         # who is train, validation, test
    run = serlib.fit(serlib.RECIPES["lstm-256"], table, out="checkpoints/lstm-256")
    print(serlib.evaluate(run).uar)
    print(serlib.Recognizer(run.folder).predict("recording.wav"))

Packages and names load on first use. The road is utils, audio, corpora, features, splits, augment, models, training,
evaluation, recognizer; beside it stand experiments (many runs), plots (every figure) and widgets (to listen and touch).
"""

import lazy_loader

_getattr, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        *("utils", "audio", "corpora", "features", "splits", "augment", "models", "training", "evaluation"),
        *("recognizer", "experiments", "plots", "widgets", "teach"),
    ],
    submod_attrs={
        "utils": ["LABELS", "SerlibError"],
        "corpora": ["CORPORA", "default", "download", "find", "index", "notice"],
        "audio": ["load"],
        "features": ["SPECS", "FeatureSpec", "extract", "extract_clip"],
        "splits": ["audit", "folds", "split"],
        "models": ["RECIPES", "Recipe"],
        "training": ["Run", "fit"],
        "evaluation": ["Report", "evaluate", "score"],
        "recognizer": ["Recognizer"],
        "experiments": ["compare", "search"],
    },
)


def __getattr__(name):
    if name == "__version__":  # read on demand: importlib.metadata takes a tenth of the whole import
        from importlib.metadata import version

        return version("serlib")
    return _getattr(name)
