"""The first use of each term of the glossary in the notebooks, and whether it is linked.

python -m notebooks.terms            which first uses are not linked yet
python -m notebooks.terms --write    link them in notebooks/src
"""

import re
import sys
import textwrap

from notebooks import build

GLOSSARY = build.CHECKOUT / "teaching" / "glossary.md"
TARGET = "../teaching/glossary.md"
#: In Markdown: what is no running text.
NO_TEXT = re.compile(
    r"`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]+\$|!?\[[^\]]*\]\([^)]*\)|<[^>]+>|^#+ [^\n]*|^\|[^\n]*", re.DOTALL | re.MULTILINE
)


def terms(text=None):
    """Term -> all the names that it goes by, from the glossary."""
    text = GLOSSARY.read_text(encoding="utf-8") if text is None else text
    found = re.findall(r"^### (.+)\n(?:\[([^\]]+)\] )?\S", text, re.MULTILINE)
    return {term: [term, *filter(None, map(str.strip, others.split(",")))] for term, others in found}


def anchor(term):
    """Where a term stands on the page, as GitHub and Sphinx count it."""
    return re.sub(r"[^\w\- ]", "", term.lower()).replace(" ", "-")


def pattern(names):
    """A regular expression for the names of a term, in the singular or plural."""
    parts = []
    for name in names:
        flags = "" if name.isupper() or name.startswith("role ") else "i"
        words = re.escape(name).replace(r"\ ", r"\s+")
        parts.append(f"(?{flags}:{words}s?)" if flags else f"{words}s?")
    return re.compile(rf"(?<![\w-])(?:{'|'.join(parts)})(?![\w-])")


def first_use(text, names):
    """Where a term is first used in a piece of Markdown.

    Parameters
    ----------
    text : str
    names : list of str

    Returns
    -------
    re.Match or None. Code, formulas, headings, tables and links are no running text.
    """
    hidden = NO_TEXT.sub(lambda match: "\0" * len(match[0]), text)
    return pattern(names).search(hidden)


def linked(text, term):
    """Where the link to a term stands in a piece of Markdown, or None."""
    match = re.search(rf"\]\({re.escape(TARGET)}#{re.escape(anchor(term))}\)", text)
    return match and match.start()


def missing():
    """(source, term) of each first use that is not linked, and (None, term) of each term that is used nowhere."""
    sources = build.sources()
    cells = [
        (path, cell.source) for path in sources for cell in build.convert(path).cells if cell.cell_type == "markdown"
    ]
    faults = []
    for term, names in terms().items():
        for path, text in cells:
            link, use = linked(text, term), first_use(text, names)
            if link is not None and (use is None or link < use.start()):
                break
            if use is not None:
                faults.append((path, term))
                break
        else:
            faults.append((None, term))
    return faults


def write():
    """Link the first use of each term in the sources."""
    for path, term in missing():
        if path is None:
            continue
        blocks = re.split(r"(^# %%.*\n)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for number in range(2, len(blocks), 2):
            if "[markdown]" not in blocks[number - 1]:
                continue
            lines = [re.sub(r"^# ?", "", line) for line in blocks[number].rstrip("\n").split("\n")]
            text = "\n".join(lines)
            use = first_use(text, terms()[term])
            if use is None:
                continue
            text = f"{text[: use.start()]}[{text[use.start() : use.end()]}]({TARGET}#{anchor(term)}){text[use.end() :]}"
            blank = len(blocks[number]) - len(blocks[number].rstrip("\n"))
            body = "\n".join(f"# {line}".rstrip() for line in wrapped(text).split("\n"))
            blocks[number] = body + "\n" * blank
            break
        path.write_text("".join(blocks), encoding="utf-8")


def wrapped(text):
    """Paragraphs and entries of lists that became too long, in lines of 118 characters."""
    out = []
    for part in re.split(r"(\n\n+)", text):
        items = re.split(r"\n(?=(?:[-*]|\d+\.) )", part)
        out.append("\n".join(map(wrapped_item, items)))
    return "".join(out)


def wrapped_item(text):
    if all(len(line) <= 118 for line in text.split("\n")) or re.search(r"^(\||<| {4}|#)", text, re.MULTILINE):
        return text
    mark = re.match(r"(?:[-*]|\d+\.) +", text)
    indent = " " * len(mark[0]) if mark else ""
    joined = " ".join(line.strip() for line in text.split("\n"))
    return textwrap.fill(joined, 118, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    for place, name in missing():
        print(f"{place.name if place else 'used nowhere':20} {name}")
