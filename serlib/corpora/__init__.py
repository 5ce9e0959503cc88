"""The corpora: what is known of each, where it is, how it is downloaded, and the index of its clips.

`index("tess")` is the first step of everything; `CORPORA` says what each corpus should hold. To add a corpus, write
a table in `published.toml`.
"""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "corpus": ["Clip", "Corpus", "Reading"],
        "indexing": ["expected", "index"],
        "archives": ["download"],
        "registry": ["CORPORA", "default", "find", "notice", "present"],
    },
)
