"""Build slides from the committed notebooks: `make slides` writes build/slides/index.html and a page a notebook.

A Markdown cell with the tag `slide` (`# %% [markdown] tags=["slide"]`) becomes a slide: its text, without what is
folded, and the outputs of the code cell behind it, without the code. reveal.js, from the npm package that `make slides`
installs, is copied beside the pages: nothing is fetched when they are shown.

    python site/slides.py [--reveal FOLDER]
"""

import argparse
import html
import re
import shutil
import sys
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt

CHECKOUT = Path(__file__).resolve().parent.parent
SLIDES = CHECKOUT / "build" / "slides"
REVEAL = CHECKOUT / ".venv" / "slides" / "node_modules" / "reveal.js"
#: Of the npm package, what a page needs.
PARTS = ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "dist/theme/white.css", "LICENSE")
TAG = "slide"

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="reveal.js/reset.css">
<link rel="stylesheet" href="reveal.js/reveal.css">
<link rel="stylesheet" href="reveal.js/white.css">
<style>
.reveal {{ font-family: system-ui, sans-serif; font-size: 26px; }}
.reveal :is(h1, h2, h3) {{ font-family: inherit; text-transform: none; }}
.reveal h1 {{ font-size: 1.8em; }} .reveal h2 {{ font-size: 1.5em; }} .reveal h3 {{ font-size: 1.3em; }}
.reveal .slides section {{ text-align: left; }}
.reveal section img {{ display: block; max-height: 430px; margin: 8px auto; }}
.reveal pre {{ width: auto; font-size: 18px; line-height: 1.3; box-shadow: none; white-space: pre-wrap; }}
.reveal table {{ font-size: 20px; }}
.reveal th {{ text-align: left; }}
</style>
</head>
<body>
<div class="reveal"><div class="slides">
{slides}
</div></div>
<script src="reveal.js/reveal.js"></script>
<script>
const HEIGHT_PX = 800;
// a slide that is too tall is drawn smaller
function fit() {{
  const slide = Reveal.getCurrentSlide();
  if (slide.scrollHeight > HEIGHT_PX) slide.style.zoom = HEIGHT_PX / slide.scrollHeight;
}}
Reveal.on("ready", fit);
Reveal.on("slidechanged", fit);
const size = {{ width: 1280, height: HEIGHT_PX, margin: 0.04 }};
Reveal.initialize({{ ...size, hash: true, slideNumber: true, transition: "none" }});
</script>
</body>
</html>
"""


def text(source):
    """A Markdown cell as HTML, without what is folded, with formulas as MathML, links as plain words."""
    from build import mathml  # of the site

    source = re.sub(r"<details>.*?</details>", "", source, flags=re.DOTALL)
    source = re.sub(r"(?<!!)\[([^\]]+)\]\([^)]+\)", r"\1", source)  # a slide leads nowhere
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(mathml(source))


def shown(output):
    """An output as HTML: what it says on the notebook's page."""
    data = output.get("data", {})
    if "text/html" in data:
        return data["text/html"]
    if "image/png" in data:
        alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
        return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data["image/png"].strip()}">'
    words = output.get("text", "") or data.get("text/plain", "")
    return f"<pre>{html.escape(words)}</pre>" if words.strip() else ""


def sections(notebook):
    """The slides of a notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Executed.

    Returns
    -------
    list of str
        HTML of each.
    """
    slides = []
    is_open = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            is_open = TAG in cell.metadata.get("tags", [])
            if is_open:
                slides.append(text(cell.source))
        elif is_open:
            slides[-1] += "".join(shown(output) for output in cell.outputs)
    return [f"<section>{slide}</section>" for slide in slides]


def write(reveal):
    """Write all pages into `SLIDES`.

    Parameters
    ----------
    reveal : Path
        The npm package of reveal.js.
    """
    shutil.rmtree(SLIDES, ignore_errors=True)
    (SLIDES / "reveal.js").mkdir(parents=True)
    for part in PARTS:
        shutil.copy(reveal / part, SLIDES / "reveal.js")
    entries = []
    for path in sorted((CHECKOUT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        slides = sections(notebook)
        if not slides:
            continue
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        page = PAGE.format(title=html.escape(title), slides="\n".join(slides))
        (SLIDES / f"{path.stem}.html").write_text(page, encoding="utf-8")
        entries.append(f'<li><a href="{path.stem}.html">{html.escape(title)}</a></li>')
    index = PAGE.format(title="Slides", slides=f"<section><h2>Slides</h2><ul>{''.join(entries)}</ul></section>")
    (SLIDES / "index.html").write_text(index, encoding="utf-8")


def main(arguments=None):
    """Read the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reveal", type=Path, default=REVEAL, help="folder of the npm package reveal.js")
    options = parser.parse_args(arguments)
    if not (options.reveal / "package.json").is_file():
        print(f"{options.reveal} holds no reveal.js: run `make slides`, which installs it with npm", file=sys.stderr)
        return 1
    write(options.reveal)
    print(f"slides: {SLIDES / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
