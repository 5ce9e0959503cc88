"""From a run to a report: `evaluate` answers the test set once, `score` turns answers into a `Report`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["attribution", "matching", "metrics", "similarity"],
    submod_attrs={
        "report": ["Conditions", "Report", "abstaining", "errors", "evaluate", "mcnemar", "score"],
    },
)
