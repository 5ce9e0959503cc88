"""From roles to a run: `fit` trains a recipe on the training set, chooses on the validation set, keeps a `Run`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["calibration", "exporting", "graph", "novelty", "run", "schedule", "state"],
    submod_attrs={
        "exporting": ["Exported", "export"],
        "fitting": ["NotFinite", "fit"],
        "run": ["Run"],
    },
)
