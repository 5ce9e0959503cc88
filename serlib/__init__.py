"""Learn and do speech emotion recognition, honestly.

    import serlib

    table = serlib.index("tess", "data/tess")                      # one row a clip
    table = serlib.split(table, "speaker")                         # who is train, validation, test
    run = serlib.fit(serlib.RECIPES["lstm-256"], table, out="checkpoints/lstm-256")
    print(serlib.evaluate(run).uar)
    print(serlib.Recognizer(run.folder).predict("recording.wav"))

Modules and names load on first use. `serlib.search` is a module; its function is `serlib.search.search`.
"""

import lazy_loader

_getattr, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "attribution",
        "audio",
        "augment",
        "base",
        "calibration",
        "comparison",
        "corpora",
        "domain",
        "embedding",
        "epochs",
        "evaluation",
        "experiments",
        "explore",
        "features",
        "layers",
        "leakage",
        "likeness",
        "models",
        "normalisation",
        "plots",
        "prosody",
        "recipes",
        "recognizer",
        "report",
        "resynthesis",
        "runs",
        "search",
        "splits",
        "training",
    ],
    submod_attrs={
        "base": ["LABELS", "SerlibError"],
        "audio": ["load"],
        "corpora": ["CORPORA", "default", "download", "find", "index", "notice"],
        "features": ["SPECS", "FeatureSpec", "extract", "extract_clip"],
        "splits": ["folds", "split"],
        "leakage": ["audit"],
        "recipes": ["RECIPES", "Recipe"],
        "runs": ["Run"],
        "training": ["fit"],
        "evaluation": ["Report", "evaluate", "score"],
        "comparison": ["compare"],
        "recognizer": ["Recognizer"],
    },
)


def __getattr__(name):
    if name == "__version__":  # read on demand: importlib.metadata takes a tenth of the whole import
        from importlib.metadata import version

        return version("serlib")
    return _getattr(name)
