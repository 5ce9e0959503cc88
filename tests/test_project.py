"""What holds for the project as a whole: quick import, layers, dependencies, and what may not be in git."""

import ast
import graphlib
import importlib
import inspect
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import serlib
from notebooks import build

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "serlib").rglob("*.py"))

#: The plan of the house: what each entry of serlib may import. The core road, from utils to recognizer, stands above
#: what looks at it from beside: experiments, plots, widgets, teach and the commands.
PLAN = {
    "utils": "",
    "audio": "utils",
    "corpora": "utils audio",
    "features": "utils audio",
    "splits": "utils audio features",
    "augment": "utils audio features",
    "models": "utils features augment",
    "training": "utils audio features splits augment models",
    "evaluation": "utils audio features splits augment models training",
    "recognizer": "utils audio corpora features splits augment models training evaluation",
    "experiments": "utils audio corpora features splits augment models training evaluation recognizer",
    "plots": "utils audio corpora features splits augment models training evaluation recognizer experiments",
    "widgets": "utils audio corpora features splits augment models training evaluation recognizer experiments plots",
}
PLAN["teach"] = f"{PLAN['widgets']} widgets"
PLAN["__main__"] = f"{PLAN['teach']} teach"
#: In the folder beside them: the released model.
BESIDE = {"__init__", "pretrained"}
#: Import name -> name on PyPI where they differ, or of the required package that cannot be there without it.
PYPI = {"sklearn": "scikit-learn", "IPython": "ipywidgets", "kagglesdk": "kaggle", "PIL": "matplotlib"}
PYPI |= {"distributed": "dask"}
PYPI |= {"traitlets": "ipywidgets", "threadpoolctl": "scikit-learn"}
#: Used without being imported: the notebooks are opened in the one, the live page is served by the other.
APPLICATIONS = {"jupyterlab", "voila"}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(path):
    """serlib/plots/__init__.py -> serlib.plots"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def entry(name):
    """serlib.plots.style -> plots"""
    return name.split(".")[1]


def imported(path, *, at_import=False):
    """Dotted names that a file imports; `at_import`: only what runs when it is itself imported."""
    nodes = list(ast.walk(tree(path)))
    if at_import:
        inside = {
            id(inner)
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for inner in ast.walk(node)
        }
        nodes = [node for node in nodes if id(node) not in inside]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name}:{node.lineno}: write `from serlib...`, not a relative import"
            own = node.module.split(".")[0] == "serlib"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (n if own and is_module(n) else node.module for n in names)
            if node.module == "serlib":
                wrong = [n for n in names if not is_module(n)]
                assert not wrong, f"{path.name}:{node.lineno}: inside the package, import {wrong} from its own module"


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def requirements(lines):
    return {Requirement(line).name: Requirement(line) for line in lines}


def declared():
    """The sections of requirements.txt: run time, development."""
    text = (ROOT / "requirements.txt").read_text()
    runtime, development = text.split("# What building and testing", 1)
    wanted = [
        [line.strip() for line in part.splitlines() if re.match(r"[A-Za-z]", line)] for part in (runtime, development)
    ]
    assert "-e ." in text, "requirements.txt does not install serlib itself"
    return requirements(wanted[0]), requirements(line for line in wanted[1] if not line.startswith("and "))


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# --- the import ----------------------------------------------------------------------------------------------------


def test_import_loads_nothing_heavy():
    code = "import sys, serlib; print(*sorted(m.split('.')[0] for m in sys.modules))"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "serlib" in loaded
    assert not loaded & {
        "tensorflow",
        "keras",
        "librosa",
        "matplotlib",
        "seaborn",
        "pandas",
        "numpy",
        "sklearn",
        "tqdm",
    }


def test_import_is_quick():
    def seconds(code):
        """Of the processor, which other work on the machine hardly moves."""
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # what Python itself needs is subtracted; the least of several tries is the one that the machine did not disturb
    taken = min(seconds("import serlib") for _ in range(5)) - min(seconds("pass") for _ in range(5))
    assert taken < 0.3, f"import serlib takes {taken:.2f} s"


@pytest.mark.parametrize("name", serlib.__all__)
def test_public_name(name):
    assert getattr(serlib, name) is not None
    assert name in dir(serlib)


def test_public_names_are_what_they_seem():
    assert serlib.__version__ == metadata.version("serlib")
    # importing a module may not put it in the place of a function of the same name
    for name in serlib.__all__:
        if is_module(f"serlib.{name}"):
            assert getattr(serlib, name) is importlib.import_module(f"serlib.{name}")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = serlib.nonsense


def test_python_m_serlib():
    done = subprocess.run([sys.executable, "-m", "serlib", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "evaluate" in done.stdout


# --- the layers ----------------------------------------------------------------------------------------------------


def test_the_house_has_no_other_entries():
    entries = {path.relative_to(ROOT / "serlib").parts[0].removesuffix(".py") for path in MODULES}
    assert entries <= {*PLAN, *BESIDE}, "give it a place in PLAN, and a line in the design"


@pytest.mark.parametrize("path", [p for p in MODULES if entry(f"{dotted(p)}.") in PLAN], ids=dotted)
def test_imports_follow_the_plan(path):
    here = entry(dotted(path))
    allowed = {here, *PLAN[here].split()}
    wrong = [name for name in imported(path) if name.startswith("serlib.") and entry(name) not in allowed]
    assert not wrong, f"{dotted(path)} imports {wrong}"


def test_the_plan_has_no_cycles():
    order = list(PLAN)
    for name, allowed in PLAN.items():
        assert all(order.index(other) < order.index(name) for other in allowed.split())


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "__init__.py"], ids=dotted)
def test_no_module_is_called_as_one_of_its_functions(path):
    assert path.stem not in {node.name for node in public(tree(path).body)}


def test_no_cycles():
    graph = {dotted(p): {n for n in imported(p, at_import=True) if n.startswith("serlib.")} for p in MODULES}
    for name, needs in graph.items():  # a module of a package does not depend on the package's list of public names
        graph[name] = {n for n in needs if not name.startswith(f"{n}.")}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def public(body):
    return [node for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]


def methods(node):
    return public(node.body) if isinstance(node, ast.ClassDef) else []


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_everything_public_has_a_docstring(path):
    module = tree(path)
    nodes = [node for outer in public(module.body) for node in (outer, *methods(outer))]
    assert ast.get_docstring(module), f"{path.name} says nothing"
    assert not [node.name for node in nodes if not ast.get_docstring(node)]


@pytest.mark.parametrize("name", [n for n in serlib.__all__ if not is_module(f"serlib.{n}")])
def test_what_a_notebook_calls_says_what_it_takes_and_gives(name):
    thing = getattr(serlib, name)
    if inspect.isfunction(thing):
        text = inspect.getdoc(thing)
        given = list(inspect.signature(thing).parameters)
        assert not given or "Parameters\n---" in text
        assert "Returns\n---" in text or "Return" in text.splitlines()[0]
        missing = [a for a in given if a != "show" and not re.search(rf"\b{a}\b", text)]
        assert not missing, f"{name}: {missing}"


# --- the dependencies ----------------------------------------------------------------------------------------------


def test_requirements_and_pyproject_agree():
    text = (ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = (\[.*?^\])", text, re.MULTILINE | re.DOTALL).group(1)
    runtime, _ = declared()
    assert {str(r) for r in requirements(ast.literal_eval(block)).values()} == {str(r) for r in runtime.values()}


def extras():
    """Names of what serlib[...] installs besides."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project.get("optional-dependencies", {}).values()
    return {normal(Requirement(line).name) for group in groups for line in group}


def test_every_requirement_has_an_upper_bound():
    for part in declared():
        for name, wanted in part.items():
            assert any(s.operator in ("~=", "<", "<=", "==") for s in wanted.specifier), f"{name} has no upper bound"


def test_what_is_imported_is_required_and_what_is_required_is_imported():
    benches = list((ROOT / "bench").rglob("*.py"))

    def needed(files):
        names = {name.split(".")[0] for path in files for name in imported(path)}
        names -= {*sys.stdlib_module_names, "serlib", "notebooks", *(path.stem for path in files)}
        return {normal(PYPI.get(name, name)) for name in names}

    used = needed(MODULES)
    # a notebook may use what serlib does not
    lessons = "\n".join(path.read_text(encoding="utf-8") for path in build.sources())
    taught = {normal(PYPI.get(n, n)) for n in re.findall(r"^(?:import|from) (\w+)", lessons, re.MULTILINE)}
    required, development = ({normal(name) for name in part} for part in declared())
    missing = used - required - extras()
    assert not missing, f"imported but not in requirements.txt: {sorted(missing)}"
    measured = needed(benches)
    lacking = measured - required - development - extras()
    assert not lacking, f"not in requirements.txt: {sorted(lacking)}"
    unused = required - used - measured - taught - APPLICATIONS
    assert not unused, f"in requirements.txt but used nowhere: {sorted(unused)}"


# --- what is in git ------------------------------------------------------------------------------------------------


#: The model that ships: the one folder of large files that are no text.
RELEASED = ROOT / "serlib" / "pretrained"


def committed():
    """What git has or would take; without git, what the checkout holds outside the folders made at run time."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        made = (
            r"(\.git|\.venv|data|checkpoints|reports|executed|build)/|.*(__pycache__|\.egg-info|_cache|\.hypothesis)/"
        )
        paths = [p for p in ROOT.rglob("*") if not re.match(made, p.relative_to(ROOT).as_posix())]
    return [path for path in paths if path.is_file()]


@pytest.fixture(scope="module")
def files():
    found = committed()
    assert ROOT / "pyproject.toml" in found
    return found


def test_no_audio_in_git(files):
    kinds = (".wav", ".flac", ".mp3", ".ogg", ".aif", ".aiff", ".m4a", ".opus", ".zip", ".npy", ".npz", ".keras")
    others = [path for path in files if path.parent != RELEASED and path.name != "reference_whisper.npz"]
    assert not [path.name for path in others if path.name.lower().endswith(kinds)]
    sounds = (b"RIFF", b"fLaC", b"OggS", b"FORM", b"ID3")
    assert not [path.name for path in files if path.read_bytes()[:4].startswith(sounds)]


def test_nothing_big_in_git(files):
    others = [path for path in files if path.parent != RELEASED]
    assert not [f"{path.name}: {path.stat().st_size}" for path in others if path.stat().st_size > 2_000_000]
    assert sum(path.stat().st_size for path in files if path.parent == RELEASED) <= 10_000_000


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?<![\w.*/])/(?:work|root|Users|tmp/real)/|/home/[a-z]\w*/|[A-Z]:\\Users\\", id="path"),
        pytest.param(r"KGAT_[0-9a-f]{32}|\"key\"\s*:\s*\"[0-9a-f]{32}\"", id="a Kaggle key"),
    ],
)
def test_nothing_private_in_git(files, pattern):
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in files
        if (match := re.search(pattern, path.read_bytes().decode("utf-8", "replace")))
    ]
    assert not found


def test_the_page_on_the_code_names_files_that_are_there():
    text = (ROOT / "docs" / "code.md").read_text()
    named = set(re.findall(r"`((?:serlib|tests|docs|bench|notebooks)/[\w./]+)`", text))
    assert len(named) > 8
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


def test_gitignore_keeps_credentials_data_and_runs_out():
    wanted = "kaggle.json sub/kaggle.json .kaggle/access_token .env data/tess/a.wav checkpoints/a/model.keras "
    wanted += "reports/a/report.html executed/01.ipynb .venv/bin/python x.wav notebooks/.ipynb_checkpoints/a.ipynb"
    done = subprocess.run(["git", "check-ignore", *wanted.split()], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 128:  # no git here, or no repository: the lines themselves
        lines = (ROOT / ".gitignore").read_text().split()
        assert {"kaggle.json", ".env", "/data/", "/checkpoints/", "/reports/", "/executed/", ".venv/"} <= set(lines)
    else:
        assert done.stdout.split() == wanted.split()


def test_the_files_that_are_tested_first_are_there():
    (longest,) = re.findall(r"^LONGEST = \((.*?)^\)", (ROOT / "conftest.py").read_text(), re.MULTILINE | re.DOTALL)
    paths = re.findall(r'"(.+)"', longest)
    assert len(paths) > 5 and not [path for path in paths if not (ROOT / path).is_file()]


def test_ci_is_executable():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
