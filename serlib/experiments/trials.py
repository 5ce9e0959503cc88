"""Many runs: each is trained once, judged once on its test set, and kept with what it answered.

What an interruption leaves is used again: finished runs as they are, an interrupted one from its last epoch.
"""

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from serlib.evaluation.report import evaluate
from serlib.features.spec import extract
from serlib.recognizer import Traced
from serlib.splits import SPLIT_KINDS, default_folds, speakers
from serlib.splits import split as give_roles
from serlib.training.fitting import finished, fit
from serlib.training.state import content
from serlib.utils import SerlibError, atomic_path, import_tensorflow, on_cluster, ordered_labels, progress

#: In the folder of a run: what it answered on its test set, and what it cost.
ANSWERS = "answers.csv"
JUDGED = "judged.json"

#: What a table of answers says of each clip, beside a column of probabilities for each label.
CLIP = ("speech", "digest", "label", "speaker", "text", "corpus")

#: Small models do not fill two cores: one training on two threads takes up to 1.4 times the processor time that it
#: takes on one, so processes of one thread each come first. Each needs a good gigabyte, so there are not too many.
MOST_JOBS = 4

#: Answers that are timed, after the first, which traces the model.
TIMED = 30


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A system that is no recipe, to be judged on the same test roles; described as `serlib.Recipe`, but for `answer`.

    `answer(table)` trains on what is not test in a table from `serlib.split`, and returns the test set's clips with a
    column of probabilities for each label.
    """

    name: str
    title: str
    answer: Callable
    normalise: str = "none"
    reported: float | None = None
    split: str = ""


@dataclass(frozen=True)
class Experiment:
    """One run of a comparison: a recipe or Peer, the split as it was asked for, and its table of clips with roles."""

    system: object
    split: str
    seed: int
    table: pd.DataFrame
    out: Path
    epochs: int | None = None

    def is_done(self):
        """Whether it is trained and judged. Raises SerlibError where another training stands in its place."""
        if not isinstance(self.system, Peer):
            is_trained = finished(self.system, self.table, out=self.out, seed=self.seed, epochs=self.epochs)
            return is_trained and self.cost() is not None
        cost = self.cost()
        return cost is not None and cost["clips"] == content(self.table)

    def answers(self):
        """The clips of the test set with a column of probabilities for each label."""
        return pd.read_csv(self.out / ANSWERS, dtype=dict.fromkeys(CLIP, str), keep_default_na=False)

    def cost(self):
        """What the run cost: epochs, parameters, train_s and ms_a_clip, as far as is known; None before it is done."""
        try:
            return json.loads((self.out / JUDGED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None


def plan(index, systems, splits, *, folds, seeds, epochs, root):
    """All runs of a comparison, seed by seed, and recipe by recipe within a split: after the first seed there is a
    whole table, and the time left can be told from the time gone. Parameters as for `compare`, with the seeds of each
    system by its name.
    """
    corpora = "+".join(dict.fromkeys(index.corpus))
    experiments = []
    for seed, split in product(dict.fromkeys(chain(*seeds.values())), splits):
        kind = split if split.startswith("column:") else split.partition(":")[0]
        for part, options in _parts(index, split, folds):
            table = give_roles(index, kind, seed=seed, **options)
            for system in (system for system in systems if seed in seeds[system.name]):
                out = Path(root) / f"{corpora}-{system.name}-{kind.replace(':', '-')}{part}-seed{seed}"
                experiments.append(Experiment(system, split, seed, table, out, epochs))
    return experiments


def _parts(index, split, folds):
    """The parts of a split: how the folder's name ends, and what makes its roles."""
    kind, _, tail = split.partition(":")
    if kind not in SPLIT_KINDS:
        raise SerlibError(f"'{kind}' is no kind of split; choose one of {', '.join(SPLIT_KINDS)}.")
    names = [name for name in dict.fromkeys(tail.split(",")) if name] if kind != "column" else []
    if names and kind in ("published", "random"):
        raise SerlibError(f"'{split}': nobody can be named where the clips are split at random; say {kind}.")
    if kind == "corpus" and not names:
        names = list(dict.fromkeys(index.corpus))
    if names:
        return [("-" + name.replace("/", "_"), {"test": [name]}) for name in names]
    if kind in ("speaker", "speaker+text"):
        count = len(speakers(index))
        folds = min(folds or default_folds(index, kind), count) if count > 1 else None  # of one, splits tells why not
    if not folds:
        return [("", {})]
    return [(f"-{fold + 1}of{folds}", {"fold": fold, "folds": folds}) for fold in range(folds)]


def carry_out(experiments, *, jobs=None, show=None):
    """Train and judge what is not there yet, in `jobs` processes (default: one a core, up to four).

    Raises
    ------
    SerlibError
        Other trainings stand in the place of these; nothing is then trained.
    """
    todo = _to_do(experiments)
    with progress(total=len(experiments), desc="runs", unit="run", show=show) as bar:
        bar.n = bar.initial = len(experiments) - len(todo)  # the time left is told from what is trained now
        if on_cluster():  # its workers see the folders of the runs
            joblib.Parallel(n_jobs=jobs or -1)(joblib.delayed(_in_its_share)(run, 1) for run in todo)
            bar.update(len(todo))
            return
        jobs = min(jobs or min(joblib.cpu_count(), MOST_JOBS), len(todo))
        if jobs > 1:
            threads = max(1, joblib.cpu_count() // jobs)
            with joblib.parallel_config(backend="loky", inner_max_num_threads=threads):
                work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
                for _ in work(joblib.delayed(_in_its_share)(run, threads) for run in todo):
                    bar.update()
        else:
            for run in todo:
                bar.set_postfix_str(run.out.name)
                _carry_out(run, None, show)
                bar.update()


def _to_do(experiments):
    """The runs that are not there yet, each once: a speaker may be named in two splits."""
    runs = {}
    for run in experiments:
        if run.is_done():
            continue
        same = runs.setdefault(run.out, run)
        if same is not run and content(same.table) != content(run.table):
            raise SerlibError(
                f"The splits {same.split} and {run.split} would keep other runs in the same folder, {run.out.name}; "
                "compare them one after the other, each in a folder of its own."
            )
    return list(runs.values())


def _in_its_share(experiment, threads):
    """One run in a process of its own, which leaves the other cores to the others."""
    if not isinstance(experiment.system, Peer):
        tf = import_tensorflow()
        with contextlib.suppress(RuntimeError):  # TensorFlow was set up by the run before
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    _carry_out(experiment, threads, False)


def _carry_out(experiment, jobs, show):
    """Train and judge one run, and keep what it answered and cost."""
    answer = _peer if isinstance(experiment.system, Peer) else _recipe
    answers, cost = answer(experiment, jobs, show)
    labels = ordered_labels(experiment.table.label)
    with atomic_path(experiment.out / ANSWERS) as path:
        answers[[*CLIP, *labels]].to_csv(path, index=False, float_format="%.9g")
    with atomic_path(experiment.out / JUDGED) as path:  # last: it says that the answers are whole
        path.write_text(json.dumps(cost), encoding="utf-8")


def _recipe(experiment, jobs, show):
    run = fit(
        experiment.system,
        experiment.table,
        out=experiment.out,
        seed=experiment.seed,
        epochs=experiment.epochs,
        resume=True,
        jobs=jobs,
        show=show,
    )
    predictions = evaluate(run, resamples=1, jobs=jobs, show=show).predictions
    clips = run.split[run.split.role == "test"].reset_index(drop=True)
    return pd.concat([clips, predictions[run.labels]], axis=1), {
        "epochs": len(run.history),
        "parameters": run.info["parameters"],
        "train_s": run.info["seconds"],
        "ms_a_clip": _ms_a_clip(run, jobs),
    }


def _peer(experiment, jobs, show):
    start_s = time.perf_counter()
    answers = experiment.system.answer(experiment.table)
    train_s = round(time.perf_counter() - start_s, 1)
    return answers, {"clips": content(experiment.table), "train_s": train_s}


def _ms_a_clip(run, jobs):
    """Milliseconds that the traced model takes for the features of one clip, the median of some."""
    answer = Traced(run)
    x = extract(run.split, run.spec, jobs=jobs, show=False).values[:1]
    answer(x)
    times_ms = []
    for _ in range(TIMED):
        start_s = time.perf_counter()
        answer(x)
        times_ms.append(1000 * (time.perf_counter() - start_s))
    return round(float(np.median(times_ms)), 3)
