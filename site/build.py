"""Build the site from the committed notebooks: `make site` writes build/site/_build/html.

Nothing is executed and nothing is fetched: the pages show the outputs that are in git, formulas become MathML, the
quizzes are made of `teaching/quiz`. Jupyter Book (version 1, Sphinx) does the rest.

    python site/build.py [--repository https://github.com/OWNER/NAME]

With a repository the pages have Colab and GitHub buttons; without one they have none, since there is nowhere to go.
"""

import argparse
import hashlib
import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml
from latex2mathml.converter import convert

CHECKOUT = Path(__file__).resolve().parent.parent
SITE = CHECKOUT / "site"
BUILD = CHECKOUT / "build" / "site"

FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$([^$\n]+?)\$(?![\w$])", re.DOTALL)
#: A piece of Markdown in which a dollar is a dollar.
CODE = re.compile(r"(```.*?```|`[^`\n]+`)", re.DOTALL)
HIDDEN = {"hide-input"}
#: The card of the released model, a page that others link to.
CARD = Path("serlib") / "pretrained" / "README.md"


def mathml(text):
    """Markdown with its formulas as MathML, which browsers draw without a script.

    Parameters
    ----------
    text : str
        `$...$` is a formula in a line, `$$...$$` one of its own.

    Returns
    -------
    str
    """

    def formula(match):
        display = match[1] is not None
        return convert(match[1] or match[2], display="block" if display else "inline").replace("\n", "")

    parts = CODE.split(text)
    return "".join(part if number % 2 else FORMULA.sub(formula, part) for number, part in enumerate(parts))


def links(text):
    """Links that work in the repository, made to work on the site."""
    text = text.replace("](../RESULTS.md", "](../results.md").replace("](RESULTS.md", "](results.md")
    text = text.replace("](../../RESULTS.md", "](results.md")  # of the card, which comes to the top
    text = text.replace("](../serlib/pretrained/README.md", "](../card.md").replace(
        "](serlib/pretrained/README.md", "](card.md"
    )
    return re.sub(r"\]\(\.\./exercises/(\d\d)\.ipynb\)", r"](../solutions/\1.ipynb)", text)


def page(text):
    """A Markdown page of the repository as the site shows it."""
    return links(mathml(text))


def notebook(path, *, solutions=()):
    """A committed notebook as the site shows it.

    Parameters
    ----------
    path : Path
    solutions : list of str
        Source of solutions; a cell that holds one is folded.

    Returns
    -------
    nbformat.NotebookNode
    """
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = page(cell.source)
            continue
        if any(solution in cell.source for solution in solutions):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), *HIDDEN]
        for output in cell.outputs:
            described(output)
    return book


def described(output):
    """A picture with its description in the place of one without; changes `output`."""
    data = output.get("data", {})
    alt = output.get("metadata", {}).get("image/png", {}).get("alt")
    if alt and "text/html" not in data:
        source = f"data:image/png;base64,{data['image/png'].strip()}"
        data["text/html"] = f'<img alt="{html.escape(alt)}" src="{source}" style="max-width: 100%">'
    if "text/html" in data and "<table" in data["text/html"]:
        data["text/html"] = f'<div class="wide" tabindex="0" role="region" aria-label="Table">{data["text/html"]}</div>'


def quiz(path):
    """A quiz as a page: each answer opens its explanation.

    Parameters
    ----------
    path : Path
        `teaching/quiz/NN.yml`.

    Returns
    -------
    str, Markdown.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    lines = [
        f"# Quiz {path.stem}: {content['title']}",
        "",
        "Choose an answer to see what is right or wrong with it.",
        "",
    ]
    for number, question in enumerate(content["questions"], 1):
        lines += [f"## Question {number}", "", page(question["question"]), ""]
        for option in sorted(question["options"], key=shuffled):
            verdict = "Right." if option.get("right") else "Not quite."
            summary, why = html.escape(str(option["text"])), html.escape(option["why"])
            kind = "right" if option.get("right") else "wrong"
            answer = f"<summary>{summary}</summary><p><strong>{verdict}</strong> {why}</p>"
            lines.append(f'<details class="answer {kind}">{answer}</details>')
        lines.append("")
    return "\n".join(lines) + "\n"


def shuffled(option):
    """Where an option stands among others: by a digest of its text, the same on every machine."""
    return hashlib.blake2b(str(option["text"]).encode(), digest_size=8).digest()


def overview(numbers, folder, title, line):
    """A page with a link to each of some pages."""
    entries = [
        f"- [{line} {number}]({folder}/{number}.{'ipynb' if folder == 'solutions' else 'md'})" for number in numbers
    ]
    return "\n".join([f"# {title}", "", *entries, ""])


def api():
    """The reference: what `serlib` offers at its top level, and the exercises' own functions."""
    import serlib

    lines = ["# Reference", "", "What `import serlib` offers. Modules have their own names: `serlib.plots`, ...", ""]
    names = [name for name in serlib.__all__ if callable(getattr(serlib, name))]
    for name in [*sorted(names, key=str.lower), "teach.check", "teach.hint", "teach.progress"]:
        target = getattr(serlib, name) if "." not in name else None
        directive = "autoclass" if isinstance(target, type) else "autofunction"
        lines += [f"## serlib.{name}", "", "```{eval-rst}", f".. {directive}:: {defined(name, target)}"]
        lines += ["   :members:"] if directive == "autoclass" else []
        lines += ["```", ""]
    return "\n".join(lines)


def defined(name, target):
    """Where a public name is defined: serlib.fit -> serlib.training.fit"""
    return f"{target.__module__}.{target.__qualname__}" if target is not None else f"serlib.{name}"


def write_sources(repository):
    """Write the sources of the site into `BUILD`."""
    shutil.rmtree(BUILD, ignore_errors=True)
    for folder in ("notebooks", "solutions", "quiz", "teaching", "_static", "exercises"):
        (BUILD / folder).mkdir(parents=True)
    for path in sorted((CHECKOUT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        nbformat.write(notebook(path), BUILD / "notebooks" / path.name)
    sys.path.insert(0, str(CHECKOUT))
    from notebooks import build, exercises

    numbers = []
    for source in build.sources(folder=exercises.SOURCES):
        number = source.stem[:2]
        numbers.append(number)
        hidden = [text.rstrip() for text in exercises.solutions(source.read_text(encoding="utf-8"))]
        nbformat.write(
            notebook(exercises.SOLUTIONS / f"{number}.ipynb", solutions=hidden), BUILD / "solutions" / f"{number}.ipynb"
        )
        shutil.copy(exercises.EXERCISES / f"{number}.ipynb", BUILD / "exercises")
    for path in sorted((CHECKOUT / "teaching" / "quiz").glob("*.yml")):
        (BUILD / "quiz" / f"{path.stem}.md").write_text(quiz(path), encoding="utf-8")
    for path in sorted((CHECKOUT / "teaching").glob("*.md")):
        (BUILD / "teaching" / path.name).write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copy(CHECKOUT / "teaching" / "references.bib", BUILD)
    shutil.copy(CHECKOUT / "RESULTS.png", BUILD)
    shutil.copy(SITE / "course.css", BUILD / "_static")
    pages = {
        "index": page((SITE / "index.md").read_text(encoding="utf-8")),
        "results": page((CHECKOUT / "RESULTS.md").read_text(encoding="utf-8")),
        "card": page((CHECKOUT / CARD).read_text(encoding="utf-8")),
        "exercises": exercise_page(numbers),
        "quizzes": overview(numbers, "quiz", "Quizzes", "Quiz"),
        "api": api(),
        "bibliography": "# Bibliography\n\n```{bibliography}\n:all:\n:style: plain\n```\n",
    }
    for name, text in pages.items():
        (BUILD / f"{name}.md").write_text(text, encoding="utf-8")
    configuration = yaml.safe_load((SITE / "_config.yml").read_text(encoding="utf-8"))
    if repository:
        configuration["repository"] = {"url": repository, "branch": "main"}
        configuration["html"]["use_repository_button"] = True
        configuration["launch_buttons"]["colab_url"] = "https://colab.research.google.com"
    (BUILD / "_config.yml").write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    shutil.copy(SITE / "_toc.yml", BUILD)


def exercise_page(numbers):
    """The page that links each notebook of exercises and its solutions."""
    lines = [
        "# Exercises",
        "",
        "Each notebook has three to five exercises that check themselves: `check` tries your function on new input at",
        'every call and says what is wrong, `hint("3.1")` helps, `progress()` shows what is solved. Download one, or',
        "open the folder `exercises` of your clone in JupyterLab. The solutions fold out.",
        "",
        "| notebook | to fill in | solutions |",
        "| --- | --- | --- |",
    ]
    for number in numbers:
        stub = f"{{download}}`exercises {number} <exercises/{number}.ipynb>`"
        lines.append(f"| {number} | {stub} | [solutions {number}](solutions/{number}.ipynb) |")
    return "\n".join(lines) + "\n"


def named(text):
    """A page that a screen reader can use: the theme's arrows get a name, Sphinx's list of sources is none."""
    text = text.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    return text.replace(
        '<summary><span class="toctree-toggle"', '<summary aria-label="Pages of this part"><span class="toctree-toggle"'
    )


def copy_originals(pages):
    """Put the committed notebooks in the place of those made for the site: the download button hands them out.

    Parameters
    ----------
    pages : Path
        Folder of the built site.
    """
    for path in (pages / "_sources").rglob("*.ipynb"):
        shutil.copy(CHECKOUT / path.relative_to(pages / "_sources"), path)


def main(arguments=None):
    """Read the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", default="", help="address on GitHub, for the Colab and repository buttons")
    options = parser.parse_args(arguments)
    write_sources(options.repository)
    program = Path(sys.executable).with_name("jupyter-book")
    command = [program, "build", "--warningiserror", "--keep-going", BUILD]
    code = subprocess.run(command, cwd=CHECKOUT).returncode
    pages = BUILD / "_build" / "html"
    for path in pages.rglob("*.html"):
        path.write_text(named(path.read_text(encoding="utf-8")), encoding="utf-8")
    copy_originals(pages)
    return code


if __name__ == "__main__":
    sys.exit(main())
