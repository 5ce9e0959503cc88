"""Work in processes that can be killed: one process imports everything, and forks a child for each piece of work.

Run as a program it reads a line of JSON on standard input for each round: pieces of work that begin together, each the
name of a function in `WORK` with its arguments, and when they are killed. It answers each with a line of JSON.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests import tiny


class Forks:
    """The process, seen from a test.

    Parameters
    ----------
    user : Path
        Its home folder.
    """

    def __init__(self, user):
        root = Path(__file__).resolve().parents[2]
        environment = {**os.environ, "HOME": str(user), "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.trust.forks"],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL},
            **{"env": environment, "text": True, "cwd": user},
        )

    def __call__(self, *works, kill_s=None):
        """Do pieces of work at once.

        Parameters
        ----------
        works : tuple of (str, dict)
            Name in `WORK`, arguments. `home` is SERLIB_HOME; `limit` the size that files may have, in bytes; `plain`
            gives up what root may do beyond others.
        kill_s : float, optional
            SIGKILL to all that still run after so many seconds.

        Returns
        -------
        list of dict: killed; error, what a SerlibError said, or the traceback of anything else; seconds.
        """
        self._process.stdin.write(json.dumps([works, kill_s]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def note(log, what):
    """Add a line to a file at once: what has been done is known however the process ends."""
    with open(log, "ab", 0) as file:
        file.write(f"{what}\n".encode())


def extract(folder, log, copies=0):
    """Features of a corpus, or of changed copies; `log` gets the digest of each clip that is computed."""
    from serlib import augment, corpora
    from serlib.augment import copying
    from serlib.features import spec as features

    table = corpora.index("tess", folder)
    module, name = (copying, "_row") if copies else (features, "_rows")
    compute = getattr(module, name)

    def noted(file, digest, *args, **options):
        note(log, digest)
        return compute(file, digest, *args, **options)

    setattr(module, name, noted)
    if copies:
        changes = augment.Copies(copies, waveform=(augment.Shift(), augment.Noise()))
        augment.copies(table, features.SPECS["mfcc40-mean"], changes, jobs=2)
    else:
        features.extract(table, "mfcc40-mean", jobs=2)


def train(folder, out, log, epochs):
    """A training; `log` gets the number of each epoch that is saved."""
    from serlib import corpora, splits, training

    table = splits.split(corpora.index("tess", folder), "random", seed=0)
    saved = {"after_epoch": lambda history: note(log, len(history))}
    training.fit(tiny.recipe(keep="best"), table, out=out, epochs=epochs, resume=True, jobs=2, **saved)


def judge(folder, root, reports):
    """A comparison of two seeds and its page; a report of its first run."""
    from serlib import corpora, evaluation
    from serlib.experiments import comparison
    from serlib.plots import page
    from serlib.training.run import Run

    options = {"splits": ("random",), "seeds": (0, 1), "epochs": 2, "jobs": 1}
    found = comparison.compare(corpora.index("tess", folder), [tiny.recipe(keep="best")], root=root, **options)
    page.write_comparison(found, Path(reports) / "comparison")
    run = Run.load(min(Path(root).iterdir()))
    page.write(evaluation.evaluate(run, resamples=20, jobs=2), Path(reports) / "run", history=run.history)


def write_report(run, folder):
    """A report of a run."""
    from serlib import evaluation
    from serlib.plots import page
    from serlib.training.run import Run

    page.write(evaluation.evaluate(Run.load(run), resamples=20, jobs=2), folder)


def download(url, to=None):
    """TESS from the stand-in server."""
    from kagglesdk import kaggle_env

    from serlib import corpora
    from serlib.corpora import kaggle, registry

    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = url
    kaggle.PAUSE_S, registry.KAGGLE_INPUT = 0, Path("no input")
    corpora.download("tess", to=to)


WORK = {work.__name__: work for work in (extract, train, judge, write_report, download)}


def give_up_rights():
    """Root may write anywhere because of its capabilities; without them it is a user like any other (Linux)."""
    import ctypes

    version, none = 0x20080522, ctypes.c_uint32 * 6  # _LINUX_CAPABILITY_VERSION_3: three sets of two words
    if ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(version, 0), none()):
        raise OSError("root could not give up its rights")


def child(work, arguments, told):
    """Do a piece of work and write how it ended; never returns."""
    import traceback

    from serlib.utils import SerlibError

    error = None
    try:
        os.environ["SERLIB_HOME"] = arguments.pop("home")
        limit, plain = arguments.pop("limit", None), arguments.pop("plain", False)
        if limit is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if plain and not os.getuid():
            give_up_rights()
        WORK[work](**arguments)
    except SerlibError as fault:
        error = str(fault)
    except BaseException:
        error = traceback.format_exc()
    os.write(told, json.dumps(error).encode())
    os._exit(0)


def together(works, kill_s):
    """Fork a child for each piece of work, kill what is late, and tell how they ended."""
    began, children = time.monotonic(), {}
    for work, arguments in works:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            child(work, arguments, writing)
        os.close(writing)
        children[pid] = {"pipe": reading}
    running = set(children)
    while running:
        if kill_s is not None and time.monotonic() - began >= kill_s:
            for pid in running:
                os.kill(pid, signal.SIGKILL)
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                running.remove(pid)
                killed = os.WIFSIGNALED(status)
                with open(children[pid].pop("pipe"), "rb") as told:
                    said = told.read()
                error = None if killed else json.loads(said) if said else f"ended with status {status}"
                children[pid] |= {"killed": killed, "error": error, "seconds": time.monotonic() - began}
        time.sleep(0.001)
    return list(children.values())


def main():
    """Import what any piece of work needs, then do what standard input says."""
    import importlib

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the work prints is no answer
    others = "filelock kagglehub.clients keras tensorflow matplotlib.backends.backend_agg jinja2 sklearn.metrics"
    ours = "augment.copying corpora.archives experiments.comparison features.spec plots.page recognizer "
    ours += "training.fitting training.novelty"
    for name in [*others.split(), *(f"serlib.{name}" for name in ours.split())]:
        importlib.import_module(name)
    for line in sys.stdin:
        works, kill_s = json.loads(line)
        with contextlib.suppress(BrokenPipeError):
            answers.write(json.dumps(together(works, kill_s)) + "\n")


if __name__ == "__main__":
    main()
