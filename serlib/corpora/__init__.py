"""The corpora: what is known of each, where it is, and the table of its clips.

`index("tess")` is the first step of everything; `CORPORA` says what each corpus should hold. To add a corpus, write
a module with `parse(path)` and `CORPUS` (see `emodb.py`) and name it in `registry.py`.
"""

from serlib.corpora.common import Clip, Corpus, Reading
from serlib.corpora.indexing import expected, index
from serlib.corpora.registry import CORPORA, default, find, notice, present

__all__ = ["CORPORA", "Clip", "Corpus", "Reading", "default", "expected", "find", "index", "notice", "present"]
