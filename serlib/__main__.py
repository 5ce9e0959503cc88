"""`python -m serlib`: the commands; each is a thin call over the functions that the notebooks use.

Exit codes: 0 done; 1 the data or the request is at fault, with one plain sentence; 2 usage.
"""

import errno
import functools
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

import serlib
from serlib.utils import UNKNOWN, SerlibError, cluster, home, one_line, ordered_labels, shown

app = typer.Typer(
    name="serlib",
    help="Speech emotion recognition, judged honestly: from a corpus to a model that you can trust.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # rich takes longer to import than everything else that --help needs
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Corpora = Annotated[
    list[str],
    Argument(metavar="CORPUS [DIR] ...", help="A corpus and its folder, once or more; no DIR: it is looked for."),
]
Json = Annotated[bool, Option("--json", help="One JSON object on standard output, all else on standard error.")]
Split = "published, random, text, speaker, speaker+text, corpus, given (folders or a column say it) or column:NAME."
Jobs = Annotated[int | None, Option(min=1, help="Workers; default: one a core.")]
Scheduler = Annotated[str | None, Option(help="Address of a Dask scheduler whose workers do the work.")]


def reading_options(
    *,
    pattern: Annotated[
        str | None,
        Option(help='Own recordings: where label and speaker stand, such as "{speaker}/{label}/*".'),
    ] = None,
    label_level: Annotated[
        int | None, Option(help="Own recordings: the level of folders that names the labels, from 1.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        Option(help="Own recordings: which heading of a table is meant, such as label=emotion."),
    ] = None,
    labels: Annotated[
        list[str] | None, Option(help="Labels that become one, such as happy=joy,excited; may be repeated.")
    ] = None,
    drop: Annotated[list[str] | None, Option(help="Labels to leave out; may be repeated.")] = None,
    songs: Annotated[bool, Option("--songs", help="RAVDESS: its songs, too.")] = False,
):
    """How a corpus is read, in the form that `serlib.index` takes: the options of every command over clips."""
    if label_level == 0:
        raise SerlibError("--label-level is 0; the first level of folders is 1")
    reading = {
        "pattern": pattern,
        "label_level": label_level,
        "columns": _pairs("--columns", columns, example="label=emotion"),
        "labels": _pairs("--labels", labels, example="happy=joy,excited"),
        "drop": tuple(word for text in drop or () for word in text.split(",")),
        "songs": songs,
    }
    return {name: value for name, value in reading.items() if value}


def _pairs(option, texts, *, example):
    """`NAME=VALUE` several times, as a dict; of a name that comes again the values are joined by commas."""
    pairs = {}
    for text in texts or ():
        name, _, value = text.partition("=")
        if not (name and value):
            raise SerlibError(f"{option} is {' '.join(texts)}; write it like {option} {example}")
        name = name.strip()
        pairs[name] = f"{pairs[name]},{value.strip()}" if name in pairs else value.strip()
    return pairs


def own_recordings(command):
    """Give a command the `reading_options`; what they say comes as its argument `reading`.

    typer takes the options of a command from its signature, and has no other way to give several commands the same.
    """
    options = inspect.signature(reading_options).parameters
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != "reading"]

    @functools.wraps(command)
    def run(**values):
        reading = reading_options(**{name: values.pop(name) for name in options})
        return command(**values, reading=reading)

    run.__signature__ = signature.replace(parameters=[*own, *options.values()])
    return run


def main():
    """Run the command line; what a user can mend becomes one sentence and exit code 1."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a page or a pipe that knows few letters loses no answer
    try:
        app(standalone_mode=True)
    except SerlibError as error:
        _refuse(error)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        _refuse(SerlibError(f"{shown(error.filename)} is a longer name than this system allows; choose a shorter one"))


def _refuse(error):
    if "--json" in sys.argv:
        print(json.dumps({"error": str(error)}))
    print(f"serlib: {error}", file=sys.stderr)
    sys.exit(1)


@app.command()
def corpora(as_json: Json = False):
    """What corpora are known, which are here, and their licences."""
    fields = ("title", "licence", "homepage", "sources")
    facts = {
        name: {"present": serlib.corpora.present(name), **{field: getattr(corpus, field) for field in fields}}
        for name, corpus in serlib.CORPORA.items()
    }
    lines = [
        f"{name:10} {'here' if c['present'] else '-':5} {c['title']}\n{'':17}{c['licence']}  {c['homepage']}".rstrip()
        for name, c in facts.items()
    ]
    _tell({"corpora": facts}, as_json, *lines)


@app.command()
def sample(
    words: Annotated[int, Option(min=1, max=200, help="How many of TESS's words; 14 clips each.")] = 40,
    to: Annotated[Path | None, Option(help="Folder to make it in; default: data/sample.")] = None,
    seed: Annotated[int, Option(help="Another seed gives another natural variation.")] = 0,
    jobs: Jobs = None,
    as_json: Json = False,
):
    """Make the sample corpus: synthetic speech in the shape of TESS, offline."""
    folder = serlib.corpora.sample.make(to, words=words, seed=seed, jobs=jobs)
    result = {"folder": shown(folder), "words": words, "seed": seed}
    _tell(result, as_json, f"{result['folder']} holds {words} words in 2 voices and 7 emotions (synthetic speech).")


@app.command()
def download(
    corpus: str,
    source: Annotated[str | None, Option("--from", help="zenodo or kaggle, where a corpus is on both.")] = None,
    to: Annotated[Path | None, Option(help="Folder for the corpus; default: data/CORPUS.")] = None,
    force: Annotated[bool, Option("--force", help="Download again what is there.")] = False,
    as_json: Json = False,
):
    """Download a corpus from Zenodo or Kaggle, without an account; with progress, verified."""
    folder = serlib.download(corpus, source=source, to=to, force=force)
    _tell({"corpus": corpus, "folder": shown(folder)}, as_json, f"{corpus} is in {shown(folder)}.")


@app.command()
@own_recordings
def index(
    corpus: Corpora,
    out: Annotated[Path | None, Option(help="Write the table to this CSV file, or the folder of --to.")] = None,
    to: Annotated[str | None, Option(help="audformat, csv or hf (Hugging Face): the form of --out.")] = None,
    as_json: Json = False,
    reading=None,
):
    """List the clips of a corpus; what was understood, rejected, repaired, double, missing."""
    table = _index(corpus, reading)
    if to and not out:
        raise SerlibError("--to needs --out: the folder (or CSV file) to write")
    if out:
        serlib.corpora.export.write(table, out, to=to or "csv")
    labels = ordered_labels(table.label)
    speakers = table.speaker
    if table.corpus.nunique() > 1:  # the same number in two corpora is two people
        speakers = (table.corpus + "/" + table.speaker).rename("speaker")
    result = {
        "clips": len(table),
        "speakers": speakers.value_counts(sort=False).to_dict(),
        "texts": table.text.nunique(),
        "labels": table.label.value_counts()[labels].to_dict(),
        **table.attrs,
    }
    counts = table.groupby(["label", speakers], sort=False).size().unstack(fill_value=0).loc[labels]
    counts = counts.rename_axis(index=None, columns=None)
    if counts.shape[1] > 8:
        counts = counts.sum(axis=1).to_frame("clips")
    distinct = {"speaker": speakers[table.speaker != UNKNOWN].nunique(), "text": len(set(table.text) - {UNKNOWN})}
    sizes = [f"{count} {name}s" if count else f"{name}s unknown" for name, count in distinct.items()]
    nobody = (table.speaker == UNKNOWN).sum()
    lines = [", ".join([f"{len(table)} clips", *sizes]), *table.attrs["notes"]]
    lines += [f"the speaker of {nobody} clips is unknown"] if 0 < nobody < len(table) else []
    lines += ["", counts.to_string(), "", *_grouped("rejected", result["rejected"], "reason")]
    lines += _grouped("repaired", result["repaired"], "what")
    lines += [f"{result['duplicates']} duplicates left out"] if result["duplicates"] else []
    lines += [f"missing: {name}" for name in result["missing"]]
    _tell(result, as_json, *lines)


def _index_notes(table):
    """What must be known of an index before its figure is read: how it was understood, and what was not used."""
    notes = list(table.attrs["notes"])
    rejected = table.attrs["rejected"]
    if rejected:
        first = f"{rejected[0]['file']} {rejected[0]['reason']}"
        notes.append(f"{len(rejected)} files are not used, first {first} (serlib index shows all)")
    return notes


def _grouped(word, rows, reason, most=3):
    """A line for each row, or one for all that have the same reason where they are many."""
    files = {}
    for row in rows:
        files.setdefault(row[reason], []).append(row["file"])
    lines = []
    for text, names in files.items():
        if len(names) > most:
            lines.append(f"{word}: {len(names)} files, {names[0]} first: each {text}")
        else:
            lines += [f"{word}: {name} {text}" for name in names]
    return lines


@app.command()
@own_recordings
def features(
    corpus: Corpora,
    features: Annotated[str, Option(help="Name of a feature specification.")] = "mfcc40-mean",
    out_dir: Annotated[Path | None, Option(help="Folder for the features; default: data/features.")] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    reading=None,
):
    """Extract features of every clip into a memory-mapped array; resumes."""
    if features not in serlib.SPECS:
        raise SerlibError(f"There are no features '{features}'; choose one of {', '.join(serlib.SPECS)}.")
    table = _index(corpus, reading)
    with cluster(scheduler):
        extracted = serlib.extract(table, features, out_dir=out_dir, jobs=jobs)
    result = {
        "features": features,
        "clips": len(table),
        "shape": list(extracted.values.shape),
        "file": shown(extracted.values.filename),
        "spec": extracted.spec.to_dict(),
    }
    _tell(result, as_json, f"{features}: array {tuple(result['shape'])} in {result['file']}")


@app.command()
@own_recordings
def train(
    recipe: str,
    corpus: Corpora,
    out: Annotated[Path, Option(help="Folder of the run.")],
    split: Annotated[str, Option(help=Split)] = "speaker",
    test: Annotated[list[str] | None, Option(help="Speaker, text, corpus ... to test on; may be repeated.")] = None,
    fold: Annotated[int | None, Option(help="Part of a cross-validation, from 0.")] = None,
    folds: Annotated[int | None, Option(help="Parts of the cross-validation.")] = None,
    seed: int = 0,
    epochs: Annotated[int | None, Option(min=1, help="Instead of the recipe's.")] = None,
    features: Annotated[str | None, Option(help="Features instead of the recipe's, by name.")] = None,
    precision: Annotated[
        str | None, Option(help="float32, or mixed_bfloat16: quicker where the processor or GPU knows it.")
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Go on with an interrupted training.")] = False,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace the run that stands there.")] = False,
    jobs: Jobs = None,
    as_json: Json = False,
    reading=None,
):
    """Train a recipe and report it on its test set, once."""
    # A wrong name should not wait for the index.
    recipe = serlib.models.get(recipe, features=features, precision=precision)
    as_authors = split == recipe.split  # split as its authors did, the shares are theirs
    shares = {"test_share": recipe.test_share, "validation_share": recipe.validation_share} if as_authors else {}
    table = serlib.split(_index(corpus, reading), split, seed=seed, fold=fold, folds=folds, test=test, **shares)
    run = serlib.fit(recipe, table, out=out, seed=seed, epochs=epochs, resume=resume, overwrite=overwrite, jobs=jobs)
    _report(run, serlib.evaluate(run), home() / "reports" / out.resolve().name, as_json, notes=_index_notes(table))


@app.command()
@own_recordings
def evaluate(
    run: Path,
    corpus: Annotated[list[str] | None, Argument(metavar="[CORPUS [DIR]] ...")] = None,
    report: Annotated[Path | None, Option(help="Folder of the report; default: reports/RUN.")] = None,
    allow_seen: Annotated[bool, Option("--allow-seen", help="Score clips of the training, too.")] = False,
    as_json: Json = False,
    reading=None,
):
    """Judge a run on its own test set, or on another corpus."""
    loaded = serlib.Run.load(run)
    table = _index(corpus, reading) if corpus else None
    name = run.resolve().name + ("-on-" + "-".join(dict.fromkeys(table.corpus)) if corpus else "")
    folder = report or home() / "reports" / name
    result = serlib.evaluate(loaded, table, allow_seen=allow_seen)
    _report(loaded, result, folder, as_json, index=table, notes=_index_notes(table) if corpus else ())


@app.command()
def predict(
    file: Annotated[list[Path], Argument(metavar="[RUN] FILE|FOLDER ...")],
    timeline: Annotated[bool, Option("--timeline", help="Answers along a long recording.")] = False,
    window_s: Annotated[float | None, Option(help="Seconds that each answer of the timeline hears.")] = None,
    hop_s: Annotated[float | None, Option(help="Seconds from answer to answer; default: 1, or less.")] = None,
    threshold: Annotated[float | None, Option(min=0, max=1, help="Below it: unsure; default: the run's.")] = None,
    speaker: Annotated[
        list[Path] | None,
        Option(help="Recordings (or a folder) of who speaks, in all moods: normalises by speaker; repeatable."),
    ] = None,
    out: Annotated[Path | None, Option(help="Write the answers to this CSV file, row by row; resumes.")] = None,
    channels: Annotated[str, Option(help="average, or split: a row for each channel (with --out).")] = "average",
    scheduler: Scheduler = None,
    as_json: Json = False,
):
    """Say what emotion a model hears in files, one row a file; without a run, the model that comes with serlib."""
    if (timeline and out) or ((scheduler or channels != "average") and not out):
        raise typer.BadParameter("--out takes no --timeline; --channels split and --scheduler need --out")
    if not timeline and (window_s, hop_s) != (None, None):
        raise typer.BadParameter("--window-s and --hop-s need --timeline")
    run, files = _run_and_files(file)
    recognizer = serlib.Recognizer(run, threshold=threshold, speaker=speaker)
    if out:
        with cluster(scheduler):
            counts = serlib.recognizer.write_answers(recognizer, files, out, channels=channels)
        line = "{answered} answers, {failed} files with an error, {kept} rows were there".format(**counts)
        _tell({**counts, "out": shown(out)}, as_json, f"{line}: {shown(out)}")
        failed = counts["failed"]
    else:
        windows = {"window_s": window_s, "hop_s": hop_s} if timeline else None
        failed = _answer(recognizer, files, windows, as_json)
    if failed:
        raise typer.Exit(1)


def _run_and_files(words):
    """`[RUN] FILE ...`: the run, which is the released one where none is named, and the files."""
    from serlib.audio import AUDIO_SUFFIXES
    from serlib.training.run import RELEASED

    run = RELEASED
    first, *rest = words
    # A folder of recordings may well hold a split.csv or a history.csv of its own.
    is_run = any(os.path.isfile(first / name) for name in ("run.json", "model.keras"))
    is_meant_as_run = rest and not os.path.exists(first) and first.suffix.lower() not in AUDIO_SUFFIXES
    if is_run or is_meant_as_run:
        run, words = first, rest
    if not words:
        raise typer.BadParameter("name the files to listen to after the run")
    return run, words


def _answer(recognizer, files, windows, as_json):
    """Print an answer a file, with one a window behind it where `windows` says how; returns what failed."""
    files = serlib.recognizer.sound_files(files)
    answers, failed = recognizer.predict_many(files)
    rows = [answer.to_dict() for answer in answers]
    lines = []
    for row in rows:
        remarks = "; ".join(filter(None, [row["reason"], row["note"]]))
        lines.append(f"{row['label']:9} {row['confidence']:.2f}  {one_line(row['file'])}  {remarks}".rstrip())
        if windows is None:
            continue
        row["timeline"] = recognizer.timeline(row["file"], **windows).to_dict("records")
        for window in row["timeline"]:
            lines.append("  {start_s:7.1f} - {end_s:6.1f} s  {label:9} {confidence:.2f}".format(**window))
    for fault in failed:
        print(f"serlib: {one_line(fault['reason'])}", file=sys.stderr)
    result = {**(rows[0] if len(files) == 1 and rows else {}), "predictions": rows, "failed": failed}
    _tell(result, as_json, *lines)
    return failed


@app.command()
def export(
    run: Annotated[Path | None, Argument(help="Default: the model that comes with serlib.")] = None,
    to: Annotated[str, Option(help="onnx or litert.")] = "onnx",
    takes: Annotated[
        str | None, Option(help="waveform or features; default: the waveform, where the features allow it.")
    ] = None,
    out: Annotated[
        Path | None, Option(help="The file; default: model.onnx or model.tflite, in the run where one is named.")
    ] = None,
    check: Annotated[
        list[Path] | None, Option(help="Recordings, or a folder, to compare on; default: clips of the run.")
    ] = None,
    as_json: Json = False,
):
    """Write a run as one file that answers without serlib; it is compared with the run on real clips."""
    from serlib.training.run import RELEASED

    clips = serlib.recognizer.sound_files(check) if check else None
    exported = serlib.training.export(run or RELEASED, out, to=to, takes=takes, clips=clips)
    on = f"{exported.clips} clips" if exported.clips else "its probes, for its clips are not here (--check FOLDER)"
    result = {
        "file": shown(exported.path),
        "to": to,
        "takes": exported.takes,
        "input_shape": list(exported.input_shape),
        "clips": exported.clips,
        "difference": exported.difference,
    }
    difference = f"differs from the run by {exported.difference:.1e} at most, on {on}"
    line = f"{result['file']} takes the {exported.takes}: {difference}"
    _tell(result, as_json, line)


class _Lists(typer.core.TyperCommand):
    """Lets an option take several known words: `--split random speaker` is `--split random --split speaker`."""

    def parse_args(self, ctx, args):
        choices = {"--recipes": serlib.RECIPES, "--split": serlib.splits.SPLIT_KINDS}
        words = []
        option = None
        for word in args:
            if word in choices:
                option = word
            elif option and words[-1] != option:
                option = option if word.partition(":")[0] in choices[option] else None
                words += [option] if option else []
            words.append(word)
        return super().parse_args(ctx, words)


@app.command(cls=_Lists)
@own_recordings
def compare(
    corpus: Corpora,
    recipes: Annotated[list[str] | None, Option(help="Names of recipes; default: all that train in minutes.")] = None,
    split: Annotated[
        list[str] | None,
        Option(
            help="Kinds of split; default: published, random, text, speaker, as far as they can be made. Names after "
            "a colon are left out in turn: speaker:tess/OAF,tess/YAF or corpus:ravdess."
        ),
    ] = None,
    folds: Annotated[int | None, Option(min=2, help="Parts of each cross-validation.")] = None,
    seeds: Annotated[int, Option(min=1, help="Trainings with another seed, from 0.")] = 1,
    epochs: Annotated[int | None, Option(min=1, help="Instead of each recipe's.")] = None,
    out: Annotated[Path | None, Option(help="Folder of the runs; default: checkpoints/compare.")] = None,
    jobs: Annotated[int | None, Option(min=1, help="Trainings at a time; default: one a core, up to 4.")] = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    reading=None,
):
    """Train recipes under several splits, judge each run once, and put them side by side; resumes."""
    from serlib.experiments import comparison
    from serlib.models.recipes import ON_REQUEST

    names = recipes or [name for name in serlib.RECIPES if name not in ON_REQUEST]
    systems = [serlib.models.get(name) for name in names]  # a wrong name should not wait for the index
    table = _index(corpus, reading)
    options = {"folds": folds, "seeds": range(seeds), "epochs": epochs, "root": out, "jobs": jobs}
    with cluster(scheduler):
        result = comparison.compare(table, systems, splits=split, match=True, **options)
    folder = home() / "reports" / ("compare-" + "+".join(dict.fromkeys(table.corpus)))
    page = serlib.plots.page.write_comparison(result, folder)
    neighbours = result.neighbours.reindex(columns=["split", "better", "worse", "only_a", "only_b", "p_mid"])
    lines = [f"left out: {name}, {why}" for name, why in result.left_out.items()]
    lines += [comparison.readable(result.table).to_string(index=False)]
    lines += [comparison.MARKED] if comparison.starred(result.table).any() else []
    if len(neighbours):
        lines += ["", "McNemar between neighbours: clips that only one of them gets right"]
        lines += [neighbours.to_string(index=False, float_format="{:.2g}".format)]
    _tell({**result.to_json(), "report": shown(page)}, as_json, *lines, "", f"report {shown(page)}")


@app.command()
@own_recordings
def search(
    recipe: str,
    corpus: Corpora,
    trials: Annotated[int, Option(min=1, help="Settings to try, in all.")] = 20,
    split: Annotated[str, Option(help="random, text, speaker, speaker+text, given or column:NAME.")] = "speaker",
    seed: int = 0,
    epochs: Annotated[int | None, Option(min=1, help="Of each trial, instead of the recipe's.")] = None,
    out: Annotated[Path | None, Option(help="Folder; default: checkpoints/search/...")] = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    as_json: Json = False,
    reading=None,
):
    """Search for a learning rate and a batch size on the validation set alone; resumes."""
    space = serlib.experiments.searching.usual_space(recipe)  # a wrong name should not wait for the index
    table = serlib.split(_index(corpus, reading), split, seed=seed)
    kind = split.replace(":", "-")  # Windows takes no colon
    name = f"{'+'.join(dict.fromkeys(table.corpus))}-{recipe}-{kind}-seed{seed}"
    out = out or home() / "checkpoints" / "search" / name
    with cluster(scheduler):
        result = serlib.search(space, table, out=out, trials=trials, seed=seed, epochs=epochs, jobs=jobs)
    best = ", ".join(f"{key} {value:.3g}" for key, value in result.params.items())
    lines = [result.trials.to_string(index=False), "", f"best on the validation set: {best} ({result.value:.1%})"]
    _tell({**result.to_json(), "out": shown(out)}, as_json, *lines, f"runs in {shown(out)}")


def _index(tokens, reading=None):
    """The index of `CORPUS [DIR] CORPUS [DIR] ...`; a SerlibError where it holds no clip."""
    names = []
    folders = []
    for token in tokens:
        if token in serlib.CORPORA:  # a folder of that name is written ./tess
            names.append(token)
            folders.append(None)
        elif names and folders[-1] is None:
            folders[-1] = Path(token)
        else:
            known = ", ".join(serlib.CORPORA)
            own = f"; for own recordings say: folder {one_line(token)}" if not names and os.path.exists(token) else ""
            raise SerlibError(f"There is no corpus '{token}'; choose one of {known}{own}")
    table = serlib.index(names, folders, **(reading or {}))
    if table.empty:
        rejected = table.attrs["rejected"]
        why = f"{rejected[0]['file']} {rejected[0]['reason']}" if rejected else "every label is dropped"
        raise SerlibError(f"No clip of {' and '.join(names)} can be used ({len(rejected)} files are rejected): {why}")
    return table


def _report(run, report, folder, as_json, *, index=None, notes=()):
    """Write a report and print it; beside the figure stands whom and what was held out."""
    page = serlib.plots.page.write(report, folder, history=run.history)
    if index is None:
        title = f"{report.split} split ({report.protocol})"
        sentences = serlib.splits.held_out(run.split)
    else:
        title = f"on {' and '.join(report.corpora)}"
        sentences = serlib.splits.against(run.split, index[index.label.isin(run.labels)])
        sentences += [
            f"left out: {n} clips labelled {label}, which it does not know" for label, n in report.left_out.items()
        ]
    result = {**report.to_json(), "held_out": sentences, "notes": list(notes)}
    result |= {"run": shown(run.folder), "report": shown(page)}
    interval = "accuracy {:.1%} [{:.1%}, {:.1%}]  UAR {:.1%} [{:.1%}, {:.1%}]".format(
        report.accuracy, *report.ci95["accuracy"], report.uar, *report.ci95["uar"]
    )
    _tell(
        result,
        as_json,
        *notes,
        f"{run.info['recipe']['name']}, {title}, {report.n_test} test clips",
        f"{interval}  (95 %, resampled by {report.resampled_by})",
        *sentences,
        *filter(None, [report.note, report.warning]),
        f"run {result['run']}, report {result['report']}",
    )


def _tell(result, as_json, *lines):
    # Names and texts come from outside: nothing in them may command a terminal.
    print(json.dumps(result) if as_json else "\n".join(map(one_line, "\n".join(lines).split("\n"))))


if __name__ == "__main__":
    sys.exit(main())
