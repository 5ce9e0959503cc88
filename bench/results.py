#!/usr/bin/env python3
"""Write RESULTS.md and its picture from the figures that bench/accuracy.py has measured: one table a question.

    python bench/results.py [--out RESULTS.md]

The figures stand in serlib/experiments/results.csv, bench/neighbours.csv and bench/similarity.csv; nothing is trained.
"""

import argparse
from pathlib import Path

import arithmetic
import numpy as np
import pandas as pd

from serlib import plots
from serlib.experiments.comparison import MARK, MARKED, MATCHED
from serlib.experiments.people import RESULTS
from serlib.features.normalisation import OF_THE_SPEAKER
from serlib.utils import home

#: Beside this file: who differs from the next one in the ranking, and how alike the emotions of the voices are.
NEIGHBOURS = Path(__file__).with_name("neighbours.csv")
SIMILARITY = Path(__file__).with_name("similarity.csv")

#: Both speakers of TESS, left out in turn.
LEFT_OUT = "speaker:tess/OAF,tess/YAF"

#: Heading, what is asked, and the columns: what each is called, its corpora, its split.
QUESTIONS = (
    (
        "What papers print",
        "Random 80/20, validation = test (the protocol `published`): the voices and the words of the test are known, "
        "and the best epoch was chosen on it.",
        {"TESS": ("tess", "published"), "RAVDESS": ("ravdess", "published")},
    ),
    (
        "New clips of known voices",
        "Random 72/8/20 (`random`): nothing is chosen on the test role, but its voices and words are known.",
        {"TESS": ("tess", "random"), "RAVDESS": ("ravdess", "random")},
    ),
    (
        "New words of known voices",
        "No word is in two roles (`text`). RAVDESS has two sentences, too few for this question.",
        {"TESS": ("tess", "text")},
    ),
    (
        "A new voice",
        "TESS: each of its two speakers left out in turn, one remains to learn from. RAVDESS: six folds of four "
        "actors, twenty remain.",
        {"TESS": ("tess", "speaker"), "RAVDESS": ("ravdess", "speaker")},
    ),
    (
        "A new voice of TESS, with more corpora to learn from",
        "Each speaker of TESS left out in turn; the other one trains together with RAVDESS's 24 actors, and with "
        "nEMO's nine (Polish; there calm counts as neutral). The matched rows of `committee`, `functionals` and "
        "`compare-svm` are older: there the shares were those of all training clips together.",
        {"and RAVDESS": ("tess+ravdess", LEFT_OUT), "and RAVDESS and nEMO": ("tess+ravdess+nemo", LEFT_OUT)},
    ),
    (
        "A corpus that was never heard",
        "Trained on RAVDESS and nEMO (calm counts as neutral), tested on all of TESS.",
        {"TESS": ("tess+ravdess+nemo", "corpus:tess")},
    ),
)

MEANING = f"""\
UAR is the mean recall of the emotions in per cent, so that a rare one counts as much as a common one; guessing gives 14
with TESS's seven, 12.5 with RAVDESS's eight. In brackets stands a 95 % bootstrap interval over all answers of all folds
and seeds, resampled by speaker where there are five or more, by text otherwise; the latter say nothing about other
voices. Behind it stands the emotion that is recognised worst, with its recall.

\\{MARKED}.
`NAME{MATCHED}` are the answers of the recipe NAME with an offset for each label and test speaker, such that the
emotions have the shares that they have in the training clips of the same corpus, or equal ones in a corpus that did not
train; nothing is trained for it. It takes for granted that a speaker's clips hold the emotions in such shares, as they
do here.

The settings of this project's own recipes (`functionals`, `conv-gru`, `committee`, `whisper-*`) were chosen on
RAVDESS's actors 05 to 24, in folds of their own: no model is tested on an actor that it was trained on, but RAVDESS's
figures may be somewhat too high, since the settings suit these actors. Actors 01 to 04 had no say, and nor had TESS,
but for one thing: a first pair of shares of the committee's members was given up after TESS had been seen to lose by
it. The recipes `whisper-*` stand on encoders that OpenAI trained on 680,000 hours of speech from the internet, of which
no list exists. The peer's one setting (openSMILE and an SVM) is the usual one for so many columns, and is not tuned.
Recipes that a table does not list have not been measured there. The model that comes with serlib has a
[card of its own](serlib/pretrained/README.md)."""

APPENDIX = """\
A seed governs split, first weights, order and dropout (of the probes, `whisper-*linear` and `whisper-*functionals`,
the split alone); the warped copies of the training role are the same for all, so that figures by seed lie a little too
close. Training seconds are the mean of the runs, milliseconds a clip those of the model alone on features at hand; both
were measured beside other work. `reported` is what the authors printed,
on clips of theirs: of B's it is not known whether they were TESS's or RAVDESS's."""


def markdown(table):
    """A table of strings as Markdown."""
    head = "| " + " | ".join(table.columns) + " |\n|" + " --- |" * len(table.columns)
    rows = ("| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False))
    return head + "\n" + "\n".join(rows).replace("*", "\\*")


def starred(row):
    """The name of a recipe, with a star where it uses the test speaker's other clips."""
    return row.recipe + MARK * (row.normalise in OF_THE_SPEAKER)


def question(figures, columns):
    """The table of a question: a row a recipe, the best of the first column on top.

    Parameters
    ----------
    figures : pd.DataFrame
        Of results.csv.
    columns : dict of str -> (corpora, split)

    Returns
    -------
    pd.DataFrame of str, empty where nothing was measured
    """
    parts = {}
    for title, (corpus, split) in columns.items():
        part = figures[(figures.corpus == corpus) & (figures.split == split)]
        parts[title] = part.set_index("recipe", drop=False)
    order = pd.concat(parts.values()).drop_duplicates("recipe")  # the row in the first column that has one
    order = order.assign(first=order.index.isin(next(iter(parts.values())).index))
    order = order.sort_values(["first", "uar"], ascending=False, kind="stable")
    rows = []
    for recipe in order.recipe:
        row = {"recipe": starred(order.loc[recipe])}
        for title, part in parts.items():
            row[f"{title}: UAR %"] = row[f"{title}: worst"] = ""
            if recipe in part.index:
                one = part.loc[recipe]
                row[f"{title}: UAR %"] = f"{one.uar:.1f} [{one.uar_low:.1f}, {one.uar_high:.1f}]"
                row[f"{title}: worst"] = f"{one.weakest} {one.weakest_recall}"
        rows.append(row)
    return pd.DataFrame(rows)


def runs(figures, corpus, split):
    """What lies behind the figures of some corpora and a split."""
    rows = []
    figures = figures[(figures.corpus == corpus) & (figures.split == split)]
    for one in figures.sort_values("uar", ascending=False, kind="stable").itertuples():
        rows.append(
            {
                "recipe": starred(one),
                "accuracy %": f"{one.accuracy:.1f} [{one.accuracy_low:.1f}, {one.accuracy_high:.1f}]",
                "reported %": plain(one.reported, ".4g"),
                "UAR %, speakers": one.speakers,
                "by seed": one.by_seed,
                "clips": one.test_clips,
                "runs": one.runs,
                "epochs": plain(one.epochs, ".0f"),
                "parameters": plain(one.parameters, ",.0f"),
                "training s": plain(one.train_s, ".0f"),
                "ms a clip": plain(one.ms_a_clip, ".1f"),
            }
        )
    return pd.DataFrame(rows)


def plain(value, form):
    """A number in words, nothing where there is none."""
    return "" if np.isnan(value) else format(value, form)


def appendix(figures):
    """Runs, neighbours and similarity of every question, in the order of the questions."""
    neighbours = pd.read_csv(NEIGHBOURS)
    similarity = pd.read_csv(SIMILARITY)
    lines = ["## Appendix: the runs", APPENDIX]
    for title, _, columns in QUESTIONS:
        for name, (corpus, split) in columns.items():
            table = runs(figures, corpus, split)
            if len(table):
                lines += [f"### {title}: {name}", markdown(table)]
    lines += [
        "## Appendix: neighbours in the ranking",
        "Clips that only one of two neighbours gets right (McNemar, mid-p, first seed; it takes clips for independent: "
        "with few speakers a small p is about these speakers only). Neighbours in the ranking of the recipes that were "
        "measured together; those measured later may stand between them.",
    ]
    shown = neighbours.rename(columns={"only_better": "the better alone", "only_worse": "the worse alone"})
    lines.append(markdown(shown.assign(p=shown.p.map("{:.2g}".format))))
    lines += [
        "## Appendix: how alike the emotions of the voices are",
        "Emotions after the voice is taken away, cosines (`evaluation.similarity`; 1 is alike).",
    ]
    for voices, part in similarity.groupby("voices", sort=False):
        table = part.pivot(index="emotion", columns="other", values="cosine")
        table = table.loc[part.emotion.unique(), part.other.unique()]
        lines.append(markdown(table.reset_index(names=voices)))
    return lines


def page(figures):
    """RESULTS.md: no figure in it is typed by hand."""
    rounding = arithmetic.TABLE.read_text(encoding="utf-8")
    lines = ["# Results", MEANING, "![accuracy of all recipes by split, TESS](RESULTS.png)"]
    for title, asked, columns in QUESTIONS:
        table = question(figures, columns)
        if len(table):
            lines += [f"## {title}", asked, markdown(table)]
    machines = "; ".join(dict.fromkeys("; ".join(figures.machine).split("; ")))
    lines += [
        "## How it was measured",
        "By `python bench/accuracy.py`; this page is written by `python bench/results.py`. Trained on "
        f"{machines}. Another machine trains to other weights, see *Another arithmetic*.",
        f"### Another arithmetic\n\n{rounding.strip()}",
        *appendix(figures),
    ]
    return "\n\n".join(lines) + "\n"


def picture(figures):
    """Every recipe of TESS under every split, as PNG."""
    table = figures[(figures.corpus == "tess") & ~figures.recipe.str.endswith(MATCHED)]
    shares = {f"accuracy{end}": table[f"accuracy{end}"] / 100 for end in ("", "_low", "_high")}
    table = table.assign(**shares, reported=table.reported / 100, classes=7, corpora=table.corpus)
    return plots.png(plots.recipes_compared(table, title="TESS: who is in the test?"))


def write(out):
    """Write the page and its picture.

    Parameters
    ----------
    out : Path
        RESULTS.md; the picture stands beside it.
    """
    figures = pd.read_csv(RESULTS)
    out.write_text(page(figures), encoding="utf-8")
    out.with_suffix(".png").write_bytes(picture(figures))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=home() / "RESULTS.md")
    args = parser.parse_args()
    write(args.out)
    print(args.out)


if __name__ == "__main__":
    main()
