"""The assertions of notebooks 04 and 05 can fail: each is seen red where the training or the judging is spoiled."""

import keras
import pytest
from IPython.core.interactiveshell import InteractiveShell

import serlib
from notebooks import build
from serlib import plots

#: What is spoiled -> a first cell that spoils it, and what 04 and 05 must then stop with.
SPOILED = {
    "the labels are shuffled": (  # twenty epochs of sixty: there is nothing to learn
        """
from dataclasses import replace
import numpy as np
import serlib

index, true_fit = serlib.index, serlib.fit

def shuffled(*arguments, **options):
    table = index(*arguments, **options)
    table["label"] = np.random.default_rng(0).permutation(table["label"])
    return table

serlib.index = shuffled
serlib.fit = lambda recipe, table, **options: true_fit(replace(recipe, epochs=20), table, **options)
""",
        "(no|hardly) better than guessing",  # whether the plain training or the other is caught, is chance
        "hardly better than guessing",
    ),
    "nothing is learned": (  # with a learning rate of 0 one epoch leaves the weights that sixty leave
        """
from dataclasses import replace
import serlib

true_fit = serlib.fit  # the notebooks have a `fit` of their own
serlib.fit = lambda recipe, table, **options: true_fit(replace(recipe, learning_rate=0.0, epochs=1), table, **options)
""",
        "hardly better than guessing",
        "hardly better than guessing",
    ),
    "the training set is the test set": (  # found before anything is judged, so that one epoch will do
        """
from dataclasses import replace
import pandas as pd
import serlib

true_split, true_fit, true_evaluate = serlib.split, serlib.fit, serlib.evaluate

def leaking(*arguments, **options):
    table = true_split(*arguments, **options)
    train = table[table.role == "train"]
    leaked = pd.concat([table[table.role != "test"], train.assign(role="test")], ignore_index=True)
    leaked.attrs = table.attrs
    return leaked

def flattering(run):
    return true_evaluate(run, run.split[run.split.role == "train"], allow_seen=True)

serlib.split, serlib.evaluate = leaking, flattering
serlib.fit = lambda recipe, table, **options: true_fit(replace(recipe, epochs=1), table, **options)
""",
        "clips of the test role are in training",
        "a clip of training is judged",
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data folder for all: the sample corpus and its features are made once."""
    return tmp_path_factory.mktemp("data")


@pytest.mark.slow
@pytest.mark.parametrize("spoiled", SPOILED)
def test_assertions_can_fail(spoiled, data, tmp_path, monkeypatch):
    """Cell by cell in one process, which loads TensorFlow once; nothing is drawn."""
    first, *stops = SPOILED[spoiled]
    monkeypatch.chdir(build.HERE)
    monkeypatch.setattr(plots, "show", lambda *figures, **options: None)
    environment = {**build.clean_environment(tmp_path), "SERLIB_DATA": str(data), "MPLBACKEND": "agg"}
    for source, stop in zip(build.sources(["04", "05"]), stops, strict=True):
        with build.environment(environment), pytest.MonkeyPatch.context() as patch:
            for name in ("index", "split", "fit", "evaluate"):
                patch.setattr(serlib, name, getattr(serlib, name))  # what the first cell replaces comes back
            keras.backend.clear_session()
            shell = InteractiveShell(user_ns={})
            with pytest.raises(AssertionError, match=stop):
                for code in [first, *build.code(source)]:
                    shell.run_cell(code).raise_error()
