"""Recipes: features, a network and its training settings under one name; and the blocks that networks are made of."""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "blocks": ["convolutions", "dense", "layer", "recurrent", "stack"],
        "committee": ["Committee"],
        "recipe": ["Recipe"],
        "recipes": ["RECIPES", "get"],
    },
)
