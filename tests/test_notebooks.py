"""What holds for every notebook: built from its source, executed, readable without a kernel, and in the same shape."""

import ast
import base64
import html
import itertools
import re
from pathlib import Path

import nbformat
import pytest

from notebooks import build

FOLDER = Path(build.__file__).resolve().parent
#: What there is, and what there must be.
LEAST = ("01_download", "02_eda", "03_mfcc", "04_lstm_train", "05_evaluate", "06_compare", "07_generalize")
LEAST += ("09_live", "10_limits")
SOURCES = sorted({*build.sources(), *(FOLDER / "src" / f"{name}.py" for name in LEAST)})
MEND = "run `make notebooks`"

by_notebook = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


@pytest.fixture
def notebook(source):
    """The committed notebook of a source."""
    path = FOLDER / f"{source.stem}.ipynb"
    if not path.is_file():
        pytest.fail(f"{path.name} is missing: {MEND}", pytrace=False)
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return found


@pytest.fixture
def cells(source):
    """The cells as the source has them, which test_built_from_its_source compares with the notebook's."""
    if not source.is_file():
        pytest.fail(f"{source.name} is missing in notebooks/src", pytrace=False)
    return build.convert(source).cells


def code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def items(text):
    """The entries of the lists in a piece of Markdown."""
    return re.findall(r"^(?:[-*]|\d+\.) +\S", text, re.MULTILINE)


def outputs(notebook):
    """(number of the code cell, output) of every output."""
    return [(n, out) for n, cell in enumerate(code(notebook.cells), 1) for out in cell.outputs]


# --- built and executed --------------------------------------------------------------------------------------------


@by_notebook
def test_built_from_its_source(source, notebook):
    def shown(cells):
        return [(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in cells]

    built = build.convert(source)
    assert shown(notebook.cells) == shown(built.cells), f"{source.stem}.ipynb is not what its source says: {MEND}"
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in built.cells]


@by_notebook
def test_executed_from_top_to_bottom(source, notebook):
    counts = [cell.execution_count for cell in code(notebook.cells)]
    assert counts == list(range(1, len(counts) + 1)), MEND
    assert not [n for n, out in outputs(notebook) if out.output_type == "error"]
    assert sum(bool(cell.outputs) for cell in code(notebook.cells)) >= len(counts) / 3, "most outputs were stripped"


@by_notebook
def test_outputs_are_those_of_the_sample_corpus(source, notebook):
    # players and pictures of other corpora may not be passed on; a notebook saved by hand has another fingerprint
    made = notebook.metadata.get("serlib", {})
    assert made.get("corpus") == "sample", MEND
    assert made.get("outputs") == build.fingerprint(notebook), f"saved by hand, not by the build: {MEND}"


@by_notebook
def test_normalised(source, notebook):
    assert "widgets" not in notebook.metadata
    assert "version" not in notebook.metadata.language_info
    assert not [n for n, out in outputs(notebook) if out.get("name") == "stderr"]
    assert not [n for n, out in outputs(notebook) if "\r" in out.get("text", "")], "a progress bar was left"
    assert not [n for n, cell in enumerate(notebook.cells) if set(cell.metadata) - set(build.KEPT)]
    assert not [n for n, out in outputs(notebook) if re.search(r"/(?:home|Users|tmp|root)/\w", visible(out))]
    assert (FOLDER / f"{source.stem}.ipynb").stat().st_size < 2_000_000


def visible(out):
    """An output without its pictures and sounds."""
    data = {kind: text for kind, text in out.get("data", {}).items() if not kind.startswith("image/")}
    return re.sub(r"base64,[A-Za-z0-9+/=\s]+", "", f"{data} {out.get('text', '')}")


@by_notebook
def test_pictures_describe_themselves(source, notebook):
    for number, out in outputs(notebook):
        data = out.get("data", {})
        for kind in [kind for kind in data if kind.startswith("image/")]:
            assert out.metadata.get(kind, {}).get("alt"), f"code cell {number}: use serlib.plots.show(figure)"
        for tag in re.findall(r"<img\b[^>]*>", data.get("text/html", "")):
            alt = html.unescape((re.search(r'\balt="([^"]*)"', tag) or [0, ""])[1])
            assert len(alt.split()) >= 4, f"code cell {number}: a picture says only {alt!r}"


@by_notebook
def test_every_picture_is_there_as_png(source, notebook):
    # GitHub shows neither the pictures in HTML nor widgets
    for cell in code(notebook.cells):
        for out in cell.outputs:
            data = out.get("data", {})
            if re.search(r"<(img|svg)\b", data.get("text/html", "")) or "image/svg+xml" in data:
                assert "image/png" in data, f"a picture of this cell is HTML only:\n{cell.source}"
            if data.get("text/plain") == build.WIDGET_TEXT:
                assert "image/png" in data, f"no picture stands in the place of this cell's widget:\n{cell.source}"
            if "picture" in cell.metadata:
                taken = base64.b64encode((build.PHOTOGRAPHS / cell.metadata["picture"]).read_bytes()).decode()
                assert data["image/png"] == taken, f"another picture has been taken since: {MEND}"


@by_notebook
def test_widgets_are_not_compared(source, notebook):
    # what a widget draws goes to the cell under nbval and to the widget in a notebook
    for cell in code(notebook.cells):
        if any(out.get("data", {}).get("text/plain") == build.WIDGET_TEXT for out in cell.outputs):
            assert "nbval-ignore-output" in cell.metadata.get("tags", []), cell.source


# --- the shape -----------------------------------------------------------------------------------------------------


@by_notebook
def test_header(source, cells):
    first = cells[0]
    assert first.cell_type == "markdown"
    assert re.match(rf"# +{source.stem[:2]}\b.*\w", first.source), "the first line is `# 0N Title`"
    assert re.search(r"running time", first.source, re.IGNORECASE)
    assert re.search(r"\bdata\b", first.source, re.IGNORECASE)


@by_notebook
def test_goals_are_answered(source, cells):
    opening = next(cell for cell in cells if cell.cell_type == "markdown" and items(cell.source))
    assert cells.index(opening) <= 1, "the goals stand in the first cell or the one after it"
    goals, answers = items(opening.source), items(cells[-1].source)
    assert 3 <= len(goals) <= 5
    assert cells[-1].cell_type == "markdown"
    assert len(answers) == len(goals), "the last cell answers the goals one by one"


@by_notebook
def test_knobs(source, cells):
    def is_knobs(cell):
        body = ast.parse(plain(cell.source)).body
        lines = cell.source.splitlines()
        return (
            bool(body)
            and all(isinstance(node, ast.Assign) for node in body)
            and all("#" in line for node in body for line in lines[node.lineno - 1 : node.lineno])
        )

    def imports(cell):
        return any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(plain(cell.source)).body)

    start = code(cells)[:4]
    first = next((n for n, cell in enumerate(start) if imports(cell)), None)
    assert first is not None, "the imports come first"
    assert any(is_knobs(cell) for cell in start[first + 1 :]), (
        "after the imports comes one cell of assignments, each with a comment on its line"
    )


def plain(text):
    """The cell without IPython's own commands, for ast."""
    return "\n".join("" if re.match(r"\s*[%!]", line) else line for line in text.splitlines())


@by_notebook
def test_cells_are_small_and_introduced(source, cells):
    assert not [cell.source for cell in cells if not cell.source.strip()], "an empty cell"
    for before, cell in itertools.pairwise(cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", f"no sentence before:\n{cell.source}"
            lines = [line for line in cell.source.splitlines() if line.strip() and not line.strip().startswith("#")]
            assert len(lines) <= 20, f"{len(lines)} lines want to be a function of serlib:\n{cell.source}"


@by_notebook
def test_tables_keep_their_lines(source, cells):
    # a table whose lines were joined, by hand or by an editor, is shown as a paragraph full of strokes
    for cell in cells:
        if cell.cell_type == "markdown":
            lines = [line for line in cell.source.splitlines() if "| --- |" in line or re.search(r"\|\s+\|", line)]
            assert all(re.fullmatch(r"\|( --- \|)+", line) for line in lines), lines


@by_notebook
def test_no_result_is_typed_in_prose(source, cells):
    for cell in cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"\d[\d.,]*\s*(?:%|\\%|per ?cent)", cell.source)
            assert not found, f"{found} stands in prose; print it in a cell, or say it in words"


# --- what was trained ----------------------------------------------------------------------------------------------

#: Calls whose value follows from trained weights; what hangs on such a value and does not; and calls that only write.
TRAINING = re.compile(r"(serlib|training|\w*model)\.fit|(\w+\.)?(evaluate|compare|Recognizer)|(\w+\.)?Run\.load|search")
SETTLED = {"labels", "folder", "split", "spec", "resampled_by", "n_test"}
WRITING = {"write", "write_comparison"}


class Trained:
    """Follows what comes out of trainings through the names of a notebook, cell after cell.

    `self.names` are those that hold something trained; `see` tells of a cell whether it uses and whether it prints it.
    """

    def __init__(self):
        self.names = set()
        self.uses = self.prints = False

    def see(self, source):
        self.uses = self.prints = False
        for statement in ast.parse(plain(source)).body:
            self._visit(statement, depends=False)
        return self.uses, self.prints

    def _follows(self, node):
        if isinstance(node, ast.Attribute) and node.attr in SETTLED:
            return False
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Load) and node.id in self.names
        if isinstance(node, ast.Call):
            if TRAINING.fullmatch(ast.unparse(node.func)):
                return True
            if getattr(node.func, "attr", "") == "fit" and {"epochs", "verbose"} & {word.arg for word in node.keywords}:
                return True  # Keras
            if getattr(node.func, "attr", "") in WRITING:
                return False
        return any(self._follows(child) for child in ast.iter_child_nodes(node))

    def _visit(self, node, *, depends):
        """`depends`: whether the statement is reached at all, or how often, follows from what was trained."""
        blocks = [part for name in ("body", "orelse", "finalbody") for part in getattr(node, name, [])]
        handlers = getattr(node, "handlers", [])
        if isinstance(node, ast.FunctionDef):
            if any(self._follows(part) for part in blocks):
                self.names.add(node.name)
            return
        inside = {id(part) for part in (*blocks, *handlers)}
        own = [child for child in ast.iter_child_nodes(node) if id(child) not in inside]
        if any(self._follows(child) for child in own):
            depends = True
        names = [part for child in own for part in ast.walk(child) if isinstance(part, ast.Name)]
        stored = {part.id for part in names if isinstance(part.ctx, ast.Store)}
        if not isinstance(node, ast.AugAssign):
            self.names -= stored
        if depends:
            self.uses = True
            self.names |= stored
            self.prints |= not isinstance(node, ast.Assert) and any(map(prints, own if blocks else [node]))
        for part in blocks:
            self._visit(part, depends=depends)
        for handler in handlers:
            if handler.name and any(self._follows(part) for part in blocks):
                self.names.add(handler.name)
            for part in handler.body:
                self._visit(part, depends=depends)


def prints(node):
    """Whether it prints or is an expression by itself, which a notebook shows; pictures are never compared."""
    called = {
        getattr(part.func, "attr", getattr(part.func, "id", ""))
        for part in ast.walk(node)
        if isinstance(part, ast.Call)
    }
    alone = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call)
    return alone or bool(called & {"print", "display"})


@pytest.mark.parametrize(
    "source, uses, prints",
    [
        ("print(1)", False, False),
        ("rule = make_pipeline(NearestCentroid()).fit(x, y)\nprint(rule.score(x, y))", False, False),
        ("plain = model.fit(x, y, epochs=2).history\nprint(plain['loss'])", True, True),
        ("run = serlib.fit(r, t)\nrun = 1\nprint(run)", True, False),
        ("run = serlib.fit(r, t)\nprint(run.labels)", True, False),
        ("run = serlib.fit(r, t)\nprint(run.history)", True, True),
        ("def trained(kind):\n    return serlib.fit(r, kind)\nx = trained(1).model(y)\nx", True, True),
        ("for row in serlib.compare(t).rows():\n    print('row')", True, True),
        ("try:\n    serlib.fit(r, t)\nexcept KeyboardInterrupt:\n    print('stopped')", True, False),
        ("try:\n    serlib.fit(r, t)\nexcept SerlibError as error:\n    print(error)", True, True),
        ("found = serlib.evaluate(run)\nplots.show(plots.confusion(found))\nassert found.uar > 0.5", True, False),
        ("if serlib.evaluate(run).uar > 0.5:\n    print('well')", True, True),
    ],
)
def test_what_was_trained_is_followed(source, uses, prints):
    assert Trained().see(source) == (uses, prints)


@by_notebook
def test_what_was_trained_is_tagged(source, cells):
    trained = Trained()
    for cell in code(cells):
        tags = cell.metadata.get("tags", [])
        uses, printed = trained.see(cell.source)
        if printed and "print" not in cell.source and "nbval-ignore-output" in tags:
            continue  # a widget
        assert not printed or build.TRAINED in tags, (
            f"tag this cell {build.TRAINED}, see notebooks/build.py:\n{cell.source}"
        )
        assert uses or build.TRAINED not in tags, f"nothing here is trained, so it is compared:\n{cell.source}"


@by_notebook
def test_what_a_trained_cell_claims_is_asserted(source, cells):
    cells = code(cells)
    for number, cell in enumerate(cells):
        if build.TRAINED in cell.metadata.get("tags", []):
            near = cells[max(0, number - 1) : number + 2]
            asserted = [node for one in near for node in ast.walk(ast.parse(plain(one.source)))]
            assert any(isinstance(node, ast.Assert) for node in asserted), f"assert what it claims:\n{cell.source}"


@by_notebook
def test_the_tags_are_known(source, cells):
    known = {build.TRAINED, "nbval-ignore-output", "nbval-skip", "raises-exception", "slide"}
    for cell in cells:
        assert set(cell.metadata.get("tags", [])) <= known, cell.metadata
