"""From samples to numbers: what to compute (`FeatureSpec`), of one clip (`extract_clip`), of an index (`extract`)."""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "spec": [
            *("FEATURES_VERSION", "KINDS", "LIBROSA_KINDS", "SPECS", "FeatureSpec", "cache_key", "contents", "extract"),
            *("extract_clip", "extract_together", "frames_of", "names", "pad", "parts", "row_shape", "summarise"),
        ],
    },
)
