"""What the recipes reach on people, as measured: the figures beside those of the sample corpus.

`results.csv` is written by bench/accuracy.py together with RESULTS.md and ships with the package.
"""

from pathlib import Path

import pandas as pd

from serlib.utils import SerlibError

#: Written by bench/accuracy.py.
RESULTS = Path(__file__).with_name("results.csv")


def on_people(recipes=None, *, splits=("random", "speaker")):
    """UAR of recipes on the real corpora.

    Parameters
    ----------
    recipes : sequence of str, optional
        Default: all that were measured; one that was not is a SerlibError.
    splits : sequence of str
        Of `serlib.splits.SPLIT_KINDS`.

    Returns
    -------
    pd.DataFrame
        Columns `recipe`, and one for each corpus and split: the UAR in per cent, `-` where it was not measured.

    Examples
    --------
    >>> on_people(["lstm-256"]).columns[0]
    'recipe'

    Taught in notebooks/08_transfer.
    """
    table = pd.read_csv(RESULTS)
    recipes = list(dict.fromkeys(table.recipe)) if recipes is None else list(recipes)
    measured = ", ".join(dict.fromkeys(table.recipe))
    unmeasured = [name for name in recipes if name not in set(table.recipe)]
    if unmeasured:
        raise SerlibError(f"{', '.join(unmeasured)} was not measured on people; choose of {measured}.")
    table = table[table.recipe.isin(recipes) & table.split.isin(splits)]
    table = table.assign(place=table.corpus + ", " + table.split)
    uar = table.pivot(index="recipe", columns="place", values="uar").reindex(recipes, columns=table.place.unique())
    words = uar.map("{:.1f}".format, na_action="ignore").fillna("-")
    return words.rename_axis(columns=None).reset_index()
