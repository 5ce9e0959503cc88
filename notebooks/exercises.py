"""Build the exercises: one source with solutions makes a notebook to fill in and a solved one.

    python -m notebooks.exercises [NN ...]

`notebooks/src/exercises/NN_name_ex.py` holds the solutions between the lines `### BEGIN SOLUTION` and
`### END SOLUTION`. They stay in `solutions/NN.ipynb`, which is executed, and are cut out of `exercises/NN.ipynb`, where
`...` stands in their place, or the text of the lines `# STUB ` inside of the solution.
"""

import re
import sys
import tempfile
from pathlib import Path

from notebooks import build

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = CHECKOUT / "notebooks" / "src" / "exercises"
EXERCISES = CHECKOUT / "exercises"
SOLUTIONS = CHECKOUT / "solutions"

REGION = re.compile(r"^( *)### BEGIN SOLUTION\n(.*?)^ *### END SOLUTION\n?", re.MULTILINE | re.DOTALL)
STUB = "# STUB "


def solutions(text):
    """The solutions in a source, without the lines for the stub; list of str."""
    return ["".join(kept_lines(match[2])) for match in REGION.finditer(text)]


def kept_lines(body):
    return [line for line in body.splitlines(keepends=True) if not line.lstrip().startswith(STUB)]


def solved(text):
    """The source with its solutions, without the marks."""
    return REGION.sub(lambda match: "".join(kept_lines(match[2])), text)


def stub(text):
    """The source without its solutions: `...` or the stub's own lines stand in their place."""

    def replacement(match):
        lines = [line for line in match[2].splitlines() if line.lstrip().startswith(STUB)]
        if not lines:
            return f"{match[1]}...  # your lines\n"
        return "".join(f"{match[1]}{line.lstrip().removeprefix(STUB)}\n" for line in lines)

    return REGION.sub(replacement, text)


def notebook(text, number):
    """A notebook without outputs of the text of a source.

    Parameters
    ----------
    text : str
        jupytext py:percent.
    number : str
        "03": names the temporary file that is converted.

    Returns
    -------
    nbformat.NotebookNode
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{number}.py"
        path.write_text(text, encoding="utf-8")
        return build.convert(path)


def write(names):
    """Write `exercises/NN.ipynb` and, executed, `solutions/NN.ipynb`. Returns the exit code."""
    import nbformat

    for source in build.sources(names, SOURCES):
        number = source.stem[:2]
        text = source.read_text(encoding="utf-8")
        answers = notebook(solved(text), number)
        with tempfile.TemporaryDirectory(prefix="serlib-") as home:
            with build.environment(build.clean_environment(home)):
                if not build.attempt(source, answers):
                    return 1
            faults = build.machine_paths(build.normalise(answers), [home, CHECKOUT, Path.home()])
        if faults:
            print(f"{source.stem} is not written: " + "\n".join(faults), file=sys.stderr)
            return 1
        answers.metadata["serlib"] = {"corpus": "sample", "outputs": build.fingerprint(answers)}
        nbformat.write(answers, SOLUTIONS / f"{number}.ipynb")
        nbformat.write(notebook(stub(text), number), EXERCISES / f"{number}.ipynb")
    return 0


if __name__ == "__main__":
    sys.exit(write(sys.argv[1:]))
