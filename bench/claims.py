#!/usr/bin/env python3
"""See whether what the notebooks claim of trained models holds on other processors and with another seed.

    python bench/claims.py [NN ...] [--only NAME ...]

Executes notebooks 04, 05, 07 and 09 (or those that are named), one after the other in one home, on the sample corpus:
once under each arithmetic of bench/arithmetic.py, and once more with the second seed. A notebook asserts what it
claims; a claim that does not hold stops it. Prints a table as Markdown: which notebooks ran to their end, and what 04
and 05 reached.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from arithmetic import ARITHMETICS
from nbclient.exceptions import CellExecutionError

from notebooks import build

#: The setting of a notebook that another seed replaces.
SEED = re.compile(r"^(SEED = |SEEDS = \()0\b", re.MULTILINE)
#: What 04 and 05 print of the run that both are about.
FIGURES = {"04": r"there: train \d+%, validation (\d+)%", "05": r"^accuracy (\d+)%, UAR \d+%"}


def text_of(notebook):
    """All that the cells of a notebook printed, as one text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text", "") for output in outputs)


def execute(names, *, seed, variables):
    """Execute notebooks in an empty home.

    Parameters
    ----------
    names : list of str
        Beginnings of the notebooks' names.
    seed : int
        Takes the place of the seed 0 in their settings.
    variables : dict of str to str
        Of the environment, beside what is set already.

    Returns
    -------
    dict of str to str. For each notebook `held`, or the assertion that stopped it; for 04 and 05 the accuracy on the
    validation and on the test set as well.
    """
    outcomes = {}
    with (
        tempfile.TemporaryDirectory(prefix="serlib-") as home,
        build.environment({**build.clean_environment(home), **variables}),
    ):
        for source in build.sources(names):
            number = source.stem[:2]
            notebook = build.convert(source)
            for cell in notebook.cells:
                cell.source = SEED.sub(rf"\g<1>{seed}", cell.source)
            try:
                build.execute(notebook)
            except CellExecutionError as error:
                outcomes[number] = f"{error.ename}: {error.evalue}"
                continue
            figures = re.findall(FIGURES.get(number, r"(?!)"), text_of(notebook), re.MULTILINE)
            outcomes[number] = ", ".join(["held", *(f"{figure} %" for figure in figures[:1])])
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=["04", "05", "07", "09"], help="beginnings of names (04)")
    conditions = {name: {"seed": 0, "variables": variables} for name, variables in ARITHMETICS.items()}
    conditions["the second seed"] = {"seed": 1, "variables": {}}
    parser.add_argument("--only", nargs="*", choices=list(conditions), default=list(conditions), metavar="NAME")
    args = parser.parse_args()
    numbers = [source.stem[:2] for source in build.sources(args.names)]
    print("| computed with | " + " | ".join(numbers) + " |")
    print("| --- |" + " --- |" * len(numbers), flush=True)
    for name in args.only:
        outcomes = execute(args.names, **conditions[name])
        print(f"| {name} | " + " | ".join(outcomes[number] for number in numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
