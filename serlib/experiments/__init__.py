"""Many runs: `compare` recipes under several splits, `search` for settings on the validation set."""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "comparison": ["Comparison", "compare"],
        "people": ["on_people"],
        "searching": ["search"],
        "trials": ["ANSWERS", "CLIP", "JUDGED", "Experiment", "Peer", "carry_out", "plan"],
    },
)
