"""What every pytest run here starts from: nobody's credentials, no GPU, and how nbval compares notebooks."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from notebooks import build

#: Kept away from nbval: warnings differ by version and machine; tables also come as text/plain, which is compared;
#: players, SVG, HTML and widgets hold random ids (a widget that has no page of its own is tagged, see test_notebooks).
NOT_COMPARED = ("stderr", "text/html", "image/svg+xml", build.WIDGET)

#: Folders of tests that are markers as well, so that the Makefile can leave them out.
MARKED = {"browser", "trust"}

#: The files that take longest, which come first: two workers then end at about the same time.
LONGEST = (
    "tests/test_any_corpus.py",
    "tests/test_claims.py",
    "tests/test_main.py",
    "tests/training/test_fitting.py",
    "tests/training/test_exporting.py",
    "tests/trust/test_kills.py",
    "tests/trust/test_secrets.py",
    "tests/experiments/test_comparison.py",
    "tests/course/test_exercises.py",
    "tests/training/test_graph.py",
    "tests/models/test_recipes.py",
    "tests/models/test_committee.py",
    "tests/models/test_tuning.py",
    "tests/trust/test_damaged.py",
    "tests/test_colab.py",
)

#: The variables that hold TensorFlow to one thread, as the Makefile does where notebooks are tested beside others.
ONE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")

HOME = pytest.StashKey[Path]()


def pytest_configure(config):
    """Before anything is imported: an empty home (so caches are cold), no credentials, no GPU."""
    nbval = getattr(config.option, "nbval", False)
    home = build.shared_home() if nbval else None
    if home is None:
        config.stash[HOME] = home = Path(tempfile.mkdtemp(prefix="serlib-home-"))
    real_data = os.environ.get("SERLIB_REAL_DATA")
    variables = build.clean_environment(home)
    if not nbval:  # a kernel chooses its own backend, and the notebooks read SERLIB_CORPUS
        del variables["SERLIB_CORPUS"]
        variables["MPLBACKEND"] = "Agg"
    if hasattr(config, "workerinput"):  # workers share the cores; threads of TensorFlow would wait for one another
        variables.update(dict.fromkeys(ONE_THREAD, "1"))
    if real_data:
        variables["SERLIB_REAL_DATA"] = str(Path(real_data).resolve())
    os.environ.clear()
    os.environ.update(variables)


def pytest_unconfigure(config):
    """Remove the home."""
    if HOME in config.stash:
        shutil.rmtree(config.stash[HOME], ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Mark the tests of tests/browser and tests/trust, put long files first, tell nbval what it does not compare."""
    places = {path: place for place, path in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
    for item in items:
        for folder in MARKED & set(item.nodeid.split("/")):
            item.add_marker(folder)
        if build.TRAINED in getattr(item, "cell", {}).get("metadata", {}).get("tags", []):
            item.sanitize = words_only(item.sanitize)
    for notebook in {item.parent for item in items if hasattr(item.parent, "skip_compare")}:
        notebook.skip_compare += NOT_COMPARED


def words_only(sanitize):
    """nbval's cleaning of an output, of which the words are left."""

    def clean(output):
        text = sanitize(output)
        return build.words(text) if isinstance(text, str) else text

    return clean
