"""Build the notebooks from `notebooks/src` and execute them.

    python notebooks/build.py write [NN ...]     rebuild notebooks/NN_name.ipynb on the sample corpus: what is committed
    python notebooks/build.py run   [NN ...]     execute them on SERLIB_CORPUS into executed/, committed files untouched

`write` executes each notebook alone, in an empty home that is thrown away; nbval (see conftest.py) replays them one
after the other in one home. Outputs must be the same, so what a notebook shows may not depend on what is cached.

A cell that prints what follows from trained weights carries the tag `trained` (`# %% tags=["trained"]`). Another
processor trains to other weights, so nbval compares of such a cell the words alone (`words` below: without figures,
emotions, quotations and bars, each line once), and the cell, or the one beside it, asserts what it claims. A cell whose
very words depend on the weights is also tagged `nbval-ignore-output`. Everything else is compared to the last digit.
"""

import argparse
import base64
import contextlib
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
EXECUTED = CHECKOUT / "executed"

#: For committed outputs and tests: no GPU, and sets in one order. Which instructions and how many threads compute is
#: up to the machine and its user (ONEDNN_MAX_CPU_ISA, OMP_NUM_THREADS, ...): a training ends elsewhere on another
#: processor whatever is set here, so what it yields is never compared digit by digit (see TRAINED).
SAME = {"CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0"}
#: Nothing on standard error but what went wrong, and the kernels of this environment before those of the user.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "SERLIB_PROGRESS": "0", "JUPYTER_PREFER_ENV_PATH": "1"}
#: What a machine or its user may have set that must not reach a committed output or a test. MPLBACKEND: a kernel
#: chooses its own.
PRIVATE = re.compile(r"KAGGLE_|SERLIB_(HOME|DATA|CORPUS)$|XDG_CONFIG_HOME$|MPLBACKEND$|COLAB_")

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
    },
}
#: The tag of cells whose output follows from trained weights.
TRAINED = "trained"
#: What trained weights decide in a line of text.
UNSTEADY = re.compile(
    r"""
    \b(?:angry|disgust|fear|happy|neutral|ps|sad|calm|boredom|unsure)\b  # an answer
    | '[^'\n]*'                                                           # a quotation: the words of a clip
    | [-+]?\d+(?:[.,:]\d+)*\ ?%?                                          # a figure
    | \#+                                                                # a bar
    """,
    re.VERBOSE,
)
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
#: What a picture is kept as.
PICTURE = ("text/html", "image/png")
#: Photographs of widgets that draw none of themselves (site/pictures.py takes them); a cell names its own with
#: `# %% picture="microphone.png"`.
PHOTOGRAPHS = CHECKOUT / "docs" / "pictures"
#: What of a cell's metadata is kept.
KEPT = ("tags", "picture")
WIDGET_TEXT = "(a widget: run the notebook to use it)"


def clean_environment(home):
    """The environment variables that committed outputs are made and checked in.

    Parameters
    ----------
    home : Path
        Existing empty folder that stands for SERLIB_HOME; HOME is a folder in it, so that no credentials are found.

    Returns
    -------
    dict of str to str, a copy of os.environ with what is private left out.
    """
    user = Path(home) / "user"
    user.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not PRIVATE.match(k)}
    kept.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # matplotlib's list of fonts takes seconds to make
    return {**kept, **QUIET, **SAME, "HOME": str(user), "SERLIB_HOME": str(home), "SERLIB_CORPUS": "sample"}


def shared_home():
    """The folder that SERLIB_NOTEBOOKS_HOME names, None where it is not set.

    A notebook under test finds the corpus, the features and the runs of those before it there, as a reader's does.
    """
    path = os.environ.get("SERLIB_NOTEBOOKS_HOME")
    if not path:
        return None
    home = Path(path).resolve()
    home.mkdir(parents=True, exist_ok=True)
    return home


@contextlib.contextmanager
def environment(variables):
    """Put `variables` in the place of os.environ for a while."""
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def sources(names=(), folder=HERE / "src"):
    """The sources NN_name.py in order.

    Parameters
    ----------
    names : list of str
        Beginnings of the names that are wanted ("03"); all where empty.
    folder : Path

    Returns
    -------
    list of Path. A name that fits no source ends the program with one sentence.
    """
    found = sorted(Path(folder).glob("[0-9][0-9]_*.py"))
    for name in names:
        if not any(path.name.startswith(name) for path in found):
            sys.exit(f"no notebook source begins with {name}: {', '.join(p.stem for p in found) or 'there are none'}")
    return [path for path in found if not names or path.name.startswith(tuple(names))]


def convert(source):
    """Turn a source into a notebook without outputs.

    Parameters
    ----------
    source : Path
        jupytext py:percent.

    Returns
    -------
    nbformat.NotebookNode. A cell's id comes from its text, so that a rebuild changes only what has changed.
    """
    import jupytext
    import nbformat

    notebook = jupytext.reads(Path(source).read_text(encoding="utf-8"), fmt="py:percent")
    seen = {}
    for cell in notebook.cells:
        key = hashlib.blake2b(f"{cell.cell_type} {cell.source}".encode(), digest_size=4).hexdigest()
        seen[key] = seen.get(key, 0) + 1
        cell.id = key if seen[key] == 1 else f"{key}-{seen[key]}"
        cell.metadata = nbformat.from_dict({name: cell.metadata[name] for name in KEPT if cell.metadata.get(name)})
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def code(source):
    """The code cells of a source, as texts, for a shell in this process."""
    return [cell.source for cell in convert(source).cells if cell.cell_type == "code"]


def execute(notebook, *, timeout_s=1800):
    """Run all cells in a fresh kernel of this environment, in the notebooks' folder; raises CellExecutionError."""
    from nbclient import NotebookClient
    from nbclient.output_widget import OutputWidget

    class Collector(OutputWidget):
        """What `interact` shows goes here, as on a page. nbclient's own also tells the kernel of it, past the socket's
        event loop, which then may sleep through the reply that ends the cell."""

        def sync_state(self):
            pass

    client = NotebookClient(
        notebook, timeout=timeout_s, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    )
    client.widget_registry["@jupyter-widgets/output"]["OutputModel"] = Collector
    client.execute(stderr=subprocess.DEVNULL)  # not the cells' own: what ipykernel has to say about itself
    return notebook


def normalise(notebook):
    """Keep of the outputs what a reader needs and what is the same on every machine; changes `notebook`.

    Standard error, widget state, time stamps and versions go, the pieces of one stream are joined, progress bars
    leave their last line, a widget leaves its picture (that of `interact` is what it shows; otherwise the photograph
    that the cell names) or says that it is one, and pandas' random table ids are numbered.
    """
    from nbval.plugin import coalesce_streams

    state = notebook.metadata.pop("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
        cell.outputs = coalesce_streams(cell.outputs)
        for output in cell.outputs:
            data = output.get("data", {})
            widget = data.pop(WIDGET, None)
            if widget and "text/html" not in data:  # else it brought its picture
                data["text/plain"] = WIDGET_TEXT
                for inside in outputs_of(widget["model_id"], state):
                    data |= {kind: inside.data[kind] for kind in PICTURE if kind in inside.get("data", {})}
                    output.metadata |= inside.get("metadata", {})
                if "picture" in cell.metadata:
                    picture, described = photograph(PHOTOGRAPHS / cell.metadata["picture"])
                    data |= picture
                    output.metadata |= described
            if "text/html" in data:
                for number, table in enumerate(dict.fromkeys(re.findall(r"\bT_[0-9a-f]{5}\b", data["text/html"]))):
                    data["text/html"] = data["text/html"].replace(table, f"T_{number:05d}")
    return notebook


def photograph(path):
    """A picture from a file, as an output shows it.

    Parameters
    ----------
    path : Path
        PNG, with a text `Description`.

    Returns
    -------
    data, metadata : dict
        The picture as PNG and as HTML, and its description.
    """
    from PIL import Image

    with Image.open(path) as picture:
        alt = picture.text["Description"]
    encoded = base64.b64encode(path.read_bytes()).decode()
    image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{encoded}">'
    return {"text/html": image, "image/png": encoded}, {"image/png": {"alt": alt}}


def outputs_of(model_id, state):
    """What the output widgets in a widget show, from top to bottom.

    Parameters
    ----------
    model_id : str
    state : dict of str to dict
        Of all widgets, as nbclient keeps it.

    Returns
    -------
    list of nbformat outputs
    """
    own = state.get(model_id, {}).get("state", {})
    outputs = list(own.get("outputs", []))
    for child in own.get("children", []):
        outputs += outputs_of(child.removeprefix("IPY_MODEL_"), state)
    return outputs


def fingerprint(notebook):
    """Digest of all outputs. `write` keeps it in the metadata: a notebook saved by hand, perhaps with a player of a
    corpus that may not be passed on, is found by tests/test_notebooks.py."""
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.blake2b(json.dumps(outputs, sort_keys=True).encode(), digest_size=16).hexdigest()


def words(text):
    """What trained weights leave alone in a text.

    Parameters
    ----------
    text : str
        Output of a cell with the tag TRAINED.

    Returns
    -------
    str
        The lines without figures, emotions, quotations, bars and repeated spaces; each different line once, in
        alphabetical order, since weights also decide how often and in which order lines are printed.
    """
    lines = {" ".join(UNSTEADY.sub(" ", line).split()) for line in text.splitlines()}
    return "\n".join(sorted(lines - {""}))


def machine_paths(notebook, places):
    """Which cells show a path of this machine.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    places : list of Path
        Folders whose absolute path must not be seen.

    Returns
    -------
    list of str, one sentence a cell.
    """
    faults = []
    for number, cell in enumerate(notebook.cells):
        outputs = json.dumps(cell.get("outputs", []))
        faults += [
            f"cell {number} shows a path of this machine; print serlib.utils.shown(path):\n    {cell.source[:200]}"
            for place in places
            if f"{place}/" in outputs
        ][:1]
    return faults


def attempt(source, notebook):
    """Execute with a line of progress; on an error show the cell's and return False."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    print(f"  {source.stem:<22}", end="", flush=True)
    start = time.monotonic()
    try:
        execute(notebook)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        failed = next((c for c in notebook.cells if any(o.output_type == "error" for o in c.get("outputs", []))), None)
        what = f"{error.ename}: {error.evalue}" if failed else str(error).strip().splitlines()[0]
        print(f"stopped after {time.monotonic() - start:.1f} s\n")
        if failed:
            lines = [line for o in failed.outputs if o.output_type == "error" for line in o.traceback]
            print(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines)), end="\n\n", flush=True)
        print(f"{source.stem} stopped: {what}", file=sys.stderr)
        return False
    print(f"{time.monotonic() - start:6.1f} s", flush=True)
    return True


def write(names, *, to=HERE):
    """Rebuild the committed notebooks; each alone, on the sample corpus. Returns the exit code."""
    import nbformat

    chosen = sources(names)
    print("notebooks, each alone in an empty home, on the sample corpus:")
    for source in chosen:
        notebook = convert(source)
        with tempfile.TemporaryDirectory(prefix="serlib-") as home:
            with environment(clean_environment(home)):
                if not attempt(source, notebook):
                    return 1
            faults = machine_paths(normalise(notebook), [home, CHECKOUT, Path.home()])
        if faults:
            print(f"{source.stem} is not written: " + "\n".join(faults), file=sys.stderr)
            return 1
        notebook.metadata["serlib"] = {"corpus": "sample", "outputs": fingerprint(notebook)}
        nbformat.write(notebook, Path(to) / f"{source.stem}.ipynb")
    return 0


def run(names):
    """Execute the notebooks one after the other in the user's own home into `executed/`. Returns the exit code."""
    import nbformat

    from serlib.utils import home, shown

    chosen, started = sources(names), time.time()
    EXECUTED.mkdir(exist_ok=True)
    print(f"notebooks on the corpus {os.environ.get('SERLIB_CORPUS') or 'that serlib finds'}:")
    with environment({**QUIET, **os.environ}):
        for source in chosen:
            notebook = convert(source)
            done = attempt(source, notebook)
            nbformat.write(normalise(notebook), EXECUTED / f"{source.stem}.ipynb")
            if not done:
                print(f"what it did so far: {shown(EXECUTED / source.stem)}.ipynb", file=sys.stderr)
                return 1
    print(f"\nexecuted notebooks  {EXECUTED}")
    reports = [p for p in sorted((home() / "reports").rglob("*.html")) if p.stat().st_mtime >= started - 1]
    for page in reports:
        print(f"HTML report         {page}")
    return 0


def main(arguments=None):
    """Read the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "run"])
    parser.add_argument("names", nargs="*", help="beginnings of names (03); all where none is given")
    options = parser.parse_args(arguments)
    return {"write": write, "run": run}[options.what](options.names)


if __name__ == "__main__":
    sys.exit(main())
