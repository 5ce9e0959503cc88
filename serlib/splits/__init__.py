"""Who trains, who validates, who is tested: the split decides what an accuracy means.

A model that is tested on the voices, words or clips that it was trained on is asked to remember, not to recognise.
`split` gives the roles, `audit` counts what they have in common, `held_out` says it in words.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "overlap": ["against", "audit", "held_out", "seen"],
        "roles": [
            *("SPLIT_KINDS", "clips_of_role", "default_folds", "folds", "group_keys", "possible", "speakers", "split"),
        ],
    },
)
