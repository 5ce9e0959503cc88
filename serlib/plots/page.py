"""A Report or a Comparison as a folder that can be sent to somebody: an HTML page, JSON, tables and the figures."""

import base64
import json
import math
import os
from pathlib import Path

from serlib import plots
from serlib.evaluation.report import errors
from serlib.experiments.comparison import MARKED, MATCHED, readable, starred
from serlib.utils import atomic_path, for_spreadsheets

#: What a split lets one conclude, in plain words.
READINGS = {
    "published": (
        "The clips were split at random, and the test clips also served for validation, as papers and tutorials often "
        "do. The model has heard the same voices say the same words, and what was chosen was chosen on the very clips "
        "that it is judged by. Read the figure as an upper bound: it compares with published ones, and does not say "
        "how well new recordings are recognised."
    ),
    "random": (
        "The clips were split at random. The model was not trained on these, but it has heard the same voices say "
        "the same words in the same emotions. The figure holds for more clips of these very speakers; expect far less "
        "for a new voice."
    ),
    "text": (
        "No word or sentence of the test was in the training, but the voices were. The figure holds for new words of "
        "these very speakers; expect less for a new voice."
    ),
    "speaker": (
        "The model has never heard the voices of the test. This is the figure to expect for a new speaker who is "
        "recorded in the same way; with one or two test speakers it says little about any other."
    ),
    "speaker+text": (
        "The model has heard neither the voices nor the words of the test: the strictest figure that one corpus gives."
    ),
    "corpus": (
        "The model was trained on other corpora: new voices, new words, other rooms and microphones, other tasks for "
        "the actors. This is closest to use in the field, and usually much lower than any figure within a corpus."
    ),
    "given": (
        "The roles were given with the data. Whether the voices of the test are in the training is said where the "
        "split was made; where they are, expect less for a new voice."
    ),
    "column": (
        "No value of one column of the index (such as a site or a microphone) was in training and test. Voices and "
        "words may be in both, so expect less for a new voice."
    ),
}
UNKNOWN = "How these clips were kept apart from the training is not known, so the figure may be far too high."

#: What the interval is about, by what the bootstrap drew.
DRAWN = {
    "speaker": "Whole speakers are drawn, so the interval is about other speakers of the same kind.",
    "text": "There are fewer than five speakers, so texts are drawn: the interval says nothing about other speakers.",
    "clip": (
        "There are fewer than five speakers and texts, so clips are drawn: the interval says nothing about other "
        "speakers or texts."
    ),
}

#: Columns of the page's tables that hold words; the others hold numbers, which are aligned at the right.
TEXTS = {"File", "Emotion", "Speaker", "Text", "True", "Answered", "Split", "Better", "Worse"}
TEXTS |= {"split", "recipe", "corpus"}


def write(report, folder, *, history=None, title=None):
    """Write a report for people and for programs.

    Parameters
    ----------
    report : serlib.evaluation.Report
    folder : str or Path
        Gets report.html (one file that needs nothing else), report.json, predictions.csv and figures/*.png. Files of
        these names are replaced, others are left alone.
    history : pd.DataFrame, optional
        Training history, for its curves.
    title : str, optional
        Heading of the page.

    Returns
    -------
    Path of report.html, which is written last: where it stands, the rest is complete.

    Taught in notebooks/05_evaluate.
    """
    folder = Path(folder)
    figures = _figures(report, history)
    pictures = {name: plots.png(figure) for name, figure in figures.items()}
    for name, data in pictures.items():
        _put(folder / "figures" / f"{name}.png", data)
    table = report.predictions.assign(speech=relative(report.predictions["speech"]))
    _put(folder / "predictions.csv", for_spreadsheets(table).to_csv(index=False, float_format="%.6g"))
    _put(folder / "report.json", json.dumps(report.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
    images = {name: _picture(figure, pictures[name]) for name, figure in figures.items()}
    page = _template("report").render(
        title=title or "How well emotions are recognised",
        report=report,
        speakers=len(report.per_speaker),
        scores=[
            ("Accuracy", report.accuracy, report.ci95["accuracy"]),
            ("UAR", report.uar, report.ci95["uar"]),
            ("ECE", report.ece, None),
        ],
        certain=report.ci95["accuracy"][0] == report.ci95["accuracy"][1],
        drawn=DRAWN[report.resampled_by],
        reading=READINGS.get("published" if report.protocol == "published" else _kind(report.split), UNKNOWN),
        present=int((report.per_class["support"] > 0).sum()),
        sections=_sections(report, images),
    )
    _put(folder / "report.html", page)
    return folder / "report.html"


def _kind(split):
    return (split or "").partition(":")[0]


def write_comparison(comparison, folder, *, title="Recipes side by side"):
    """Write a comparison for people and for programs.

    Parameters
    ----------
    comparison : serlib.experiments.comparison.Comparison
    folder : str or Path
        Gets comparison.html (one file that needs nothing else), comparison.json, table.csv, neighbours.csv and
        figures/accuracy.png. Files of these names are replaced, others are left alone.
    title : str
        Heading of the page.

    Returns
    -------
    Path of comparison.html, which is written last.

    Taught in notebooks/06_compare.
    """
    folder = Path(folder)
    table = comparison.table
    figure = plots.recipes_compared(table)
    picture = plots.png(figure)
    _put(folder / "figures" / "accuracy.png", picture)
    for name, sheet in (("table", table), ("neighbours", comparison.neighbours)):
        _put(folder / f"{name}.csv", for_spreadsheets(sheet).to_csv(index=False, float_format="%.6g"))
    _put(folder / "comparison.json", json.dumps(comparison.to_json(), indent=1, ensure_ascii=False, allow_nan=False))
    kinds = {name: name.partition(":")[0] for name in dict.fromkeys(table["split"])}
    rows = readable(table)
    pairs = [
        (p.split, p.better, p.worse, p.n, p.only_a, p.only_b, f"{p.p_mid:.2g}")
        for p in comparison.neighbours.itertuples()
    ]
    sections = [
        _section("All of them", [_picture(figure, picture)]),
        _section(
            "The table",
            columns=list(rows),
            rows=rows.itertuples(index=False),
        ),
        _section(
            "Neighbours in the ranking",
            rows=pairs,
            empty="There is one recipe only.",
            columns=("Split", "Better", "Worse", "Clips", "Only the better is right", "Only the worse is right", "p"),
            caption="McNemar's test (mid-p) on the answers of the first seed. It takes clips for independent: with few "
            "speakers a small p is about these speakers only.",
        ),
    ]
    page = _template("comparison").render(
        title=title,
        recipes=table["recipe"].str.removesuffix(MATCHED).nunique(),
        splits={name: READINGS[_kind(kind)] for name, kind in kinds.items()},
        corpora=sorted({name for names in table["corpora"] for name in names.split("+")}),
        seeds=table["seeds"].max(),
        drawn=sorted(set(table["resampled_by"])),
        starred=MARKED if starred(table).any() else "",
        sections=sections,
    )
    _put(folder / "comparison.html", page)
    return folder / "comparison.html"


def relative(paths):
    """File names from the deepest folder that holds all of them: a page that is sent around names no home folder."""
    paths = [str(path) for path in paths]
    folders = [os.path.dirname(path) for path in paths if path]
    try:
        top = os.path.commonpath(folders) if folders else ""
    except ValueError:  # two drives, or relative beside absolute paths
        return [Path(path).name for path in paths]
    return [Path(os.path.relpath(path, top or ".")).as_posix() if path else "" for path in paths]


def _put(path, data):
    if isinstance(data, str):
        data = data.encode(errors="backslashreplace")  # a file name may hold what is no Unicode
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def _picture(figure, data):
    return {"alt": plots.alt(figure), "data": base64.b64encode(data).decode()}


def _template(name):
    import jinja2  # no other part of the package needs it

    folder = Path(__file__).with_name("templates")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["percent"] = lambda value, digits: f"{100 * value:.{digits}f} %"
    return environment.get_template(f"{name}.html.jinja")


def _figures(report, history):
    """Name -> figure of all that the report can show."""
    figures = {"confusion": plots.confusion(report), "recall": plots.recall_bars(report)}
    if len(report.per_speaker) > 1:
        figures["speakers"] = plots.per_speaker(report)
        figures["speaker_recall"] = plots.speaker_recall(report)
    figures["reliability"] = plots.reliability(report)
    figures["abstaining"] = plots.abstaining(report)
    if history is not None and len(history):
        name = "validation = test" if report.protocol == "published" else "validation"
        parts = history.groupby("member", sort=False) if "member" in history else [("", history)]
        for member, part in parts:
            title = f"Training of {member}" if member else "Training curves"
            figures[f"curves-{member}".strip("-")] = plots.curves(part, validation=name, title=title)
    return figures


def _sections(report, pictures):
    """What stands on the page, top to bottom: title, figures, table."""
    surest = errors(report)
    surest["speech"] = _file_names(surest["speech"], report)
    wrong = int((report.predictions["label"] != report.predictions["predicted"]).sum())

    def section(title, *names, **table):
        return _section(title, [pictures[name] for name in names if name in pictures], **table)

    classes = [
        (
            label,
            *map(_percent, (c.precision, c.recall)),
            _range(c.recall_low, c.recall_high),
            _percent(c.f1),
            int(c.support),
        )
        for label, c in report.per_class.iterrows()
    ]
    speakers = [(name, _percent(s.accuracy), _percent(s.uar), int(s.n)) for name, s in report.per_speaker.iterrows()]
    mistakes = [
        (e.speech, e.label, e.predicted, _percent(e.confidence), _percent(e.p_label), e.speaker, e.text)
        for e in surest.itertuples()
    ]
    parts = [
        section("What is taken for what", "confusion"),
        section(
            "Each emotion",
            "recall",
            rows=classes,
            columns=("Emotion", "Precision", "Recall", "95 % interval", "F1", "Clips"),
            caption=f"Intervals of the recall, resampled by {report.resampled_by}. A dash: nothing to divide by.",
        ),
        section(
            "Each speaker",
            "speakers",
            "speaker_recall",
            rows=speakers,
            columns=("Speaker", "Accuracy", "UAR", "Clips"),
            empty="The speakers are not known.",
        ),
        section("How sure, and how right", "reliability", "abstaining"),
        section(
            "The surest mistakes",
            rows=mistakes,
            empty="There are none.",
            columns=("File", "True", "Answered", "Confidence", "Given to the truth", "Speaker", "Text"),
            caption=f"{len(mistakes)} of {wrong} mistakes. Listen to them: some are the label's.",
        ),
    ]
    if curves := [name for name in pictures if name.startswith("curves")]:
        parts.append(section("The training", *curves))
    return parts


def _section(title, figures=(), *, columns=(), rows=(), caption="", empty=""):
    return {
        "title": title,
        "figures": list(figures),
        "columns": [(name, "text" if name in TEXTS else "number") for name in columns],
        "rows": list(rows),
        "caption": caption,
        "empty": empty,
    }


def _file_names(speech, report):
    """File names of some clips as `relative` gives them among all clips of the report."""
    names = dict(zip(report.predictions["speech"], relative(report.predictions["speech"]), strict=True))
    return [names[path] for path in speech]


def _percent(value):
    return "-" if math.isnan(value) else f"{100 * value:.1f} %"


def _range(low, high):
    return "-" if math.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f} %"
