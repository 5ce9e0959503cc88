"""A Report or a Comparison as a folder that can be sent to somebody: an HTML page, JSON, tables and the figures."""

import json
import os
import tomllib
from pathlib import Path

from serlib import plots
from serlib.evaluation.report import errors
from serlib.experiments.comparison import MARKED, MATCHED, readable, starred
from serlib.plots.style import data_url, template
from serlib.utils import atomic_path, for_spreadsheets

TEMPLATES = Path(__file__).with_name("templates")
_WORDS = tomllib.loads((TEMPLATES / "words.toml").read_text(encoding="utf-8"))

#: What a split lets one conclude, in plain words.
READINGS = _WORDS["readings"]
UNKNOWN = "How these clips were kept apart from the training is not known, so the figure may be far too high."

#: What the interval is about, by what the bootstrap drew.
DRAWN = _WORDS["drawn"]


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
    mistakes = errors(report)
    names = dict(zip(report.predictions["speech"], table["speech"], strict=True))
    kind = "published" if report.protocol == "published" else _kind(report.split)
    page = template(TEMPLATES / "report.html.jinja").render(
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
        reading=report.warning or READINGS.get(kind, UNKNOWN),
        present=int((report.per_class["support"] > 0).sum()),
        pictures={name: _picture(figure, pictures[name]) for name, figure in figures.items()},
        curves=[name for name in pictures if name.startswith("curves")],
        mistakes=mistakes.assign(speech=mistakes["speech"].map(names)),
        wrong=int((report.predictions["label"] != report.predictions["predicted"]).sum()),
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
    page = template(TEMPLATES / "comparison.html.jinja").render(
        title=title,
        recipes=table["recipe"].str.removesuffix(MATCHED).nunique(),
        splits={name: READINGS[_kind(name)] for name in dict.fromkeys(table["split"])},
        corpora=sorted({name for names in table["corpora"] for name in names.split("+")}),
        seeds=table["seeds"].max(),
        drawn=sorted(set(table["resampled_by"])),
        starred=MARKED if starred(table).any() else "",
        pictures={"accuracy": _picture(figure, picture)},
        rows=readable(table),
        neighbours=comparison.neighbours,
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
    return {"alt": plots.alt(figure), "url": data_url(data, "image/png")}


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
