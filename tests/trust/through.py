"""Damaged files through index, features and predict, in a process of its own that may be killed and measured.

    python -m tests.trust.through RUN CLIPS FOLDER FILES SEED OUT   # OUT, JSON: how many, how long, what went wrong

Files are made, used and removed in batches, so that ten thousand take no more room than one batch.
"""

import contextlib
import dataclasses
import faulthandler
import io
import json
import resource
import shutil
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

import serlib
from serlib import __main__, audio
from serlib.corpora.corpus import printable
from serlib.features import SPECS, extract_clip
from serlib.recognizer import Recognizer
from tests.trust import damaged

BATCH = 405
#: A batch takes a few seconds; after this long something hangs, and the process ends with the stack.
HANGS_S = 240
#: All specifications take their turn, two a batch; the one that hears most is the first.
TURNS = ("functionals", *(name for name in SPECS if name != "functionals"))


def batch(folder, clips, count, seed, recognizer, specs, *, first=False):
    """Make files and use them; with the first also two hours of sound, and the commands.

    Returns
    -------
    counts : Counter of what must become of a file, and what did
    faults : list of str, a sentence for each thing that went wrong
    slowest_s : float, of one answer
    """
    made = damaged.fill(folder, clips, count=count, seed=seed)
    if first:
        made |= damaged.hours(folder / "happy", clips[0])
    faults, counts = [], Counter()

    def wrong(path, what):
        kind = made[path].kind if path in made else "?"
        faults.append(f"seed {seed}, {kind}, {path.name!r}: {what}")

    table = serlib.index("folder", folder, show=False)
    used = dict(zip(map(Path, table["speech"]), range(len(table)), strict=True))
    named = Counter(entry["file"] for entry in table.attrs["rejected"])
    reasons = {entry["file"]: entry["reason"] for entry in table.attrs["rejected"]}
    if sum(named.values()) + len(table) != len(made):
        faults.append(f"seed {seed}: {len(made)} files, {len(table)} used and {sum(named.values())} named")
    for path, what in made.items():
        times, good = named[printable(path)], path in used
        counts[what.must] += 1
        counts["used" if good else "named"] += 1
        if times + good != 1:
            wrong(path, f"is named {times} times and {'used' if good else 'not used'}")
        elif (what.must, good) in ((damaged.GOOD, False), (damaged.BAD, True)):
            wrong(path, "is used" if good else f"is refused: it {reasons[printable(path)]}")
        elif not good:
            _sentence(reasons[printable(path)], path, wrong)
        elif what.y is not None:
            _same_samples(what, path, wrong)

    out = folder.with_name(f"{folder.name}-features")
    for name in specs:
        found, spec = serlib.extract(table, name, out_dir=out, show=False), SPECS[name]
        part = {"offset_s": spec.offset_s, "duration_s": spec.duration_s}
        here = dataclasses.replace(spec, offset_s=0.0, duration_s=None)
        for path, row in used.items():
            y, rate_hz = audio.load(path, **part)
            y = y if len(y) else audio.load(path, duration_s=spec.duration_s)[0]
            alone = extract_clip(y, rate_hz, here)
            if not np.isfinite(alone).all():
                wrong(path, f"has features {name} that are no numbers")
            elif not np.array_equal(found.values[row][: len(alone)], alone):
                wrong(path, f"has other features {name} than when it is alone")

    slowest_s = 0.0
    for path in made:
        if path.is_dir():  # a link to a folder stands for all that is in it
            continue
        started = time.monotonic()
        answers, failed = _predicted(recognizer, path, wrong)
        slowest_s = max(slowest_s, time.monotonic() - started)
        if bool(answers) != (path in used) and made[path].kind != "name that is no UTF-8":
            wrong(path, f"index and predict disagree: {failed or 'answered'}")
        for answer in answers:
            shares = list(answer.probabilities.values())
            if not (np.isfinite(shares).all() and abs(sum(shares) - 1) < 1e-3 and answer.seconds > 0):
                wrong(path, f"has the answer {answer}")
        for bad in failed:
            _sentence(bad["reason"], path, wrong)
    if first:
        faults += _commands(folder, made, table, recognizer.run.folder)
    shutil.rmtree(folder)
    shutil.rmtree(out)
    return counts, faults, slowest_s


def _predicted(recognizer, path, wrong):
    try:
        return recognizer.predict_many([path])
    except Exception as error:
        wrong(path, f"predict raises {type(error).__name__}: {error}")
        return [], []


def _sentence(reason, path, wrong):
    """One line that says what is the matter, in words of ours."""
    own = not any(word in reason for word in ("Traceback", "Error", "cannot be decoded", "<_io", "object at"))
    if not reason or not reason.isprintable() or not own or len(reason) > 1000:
        wrong(path, f"has the reason {reason!r}")


def _same_samples(what, path, wrong):
    y, _ = audio.load(path)
    if len(y) < len(what.y) or abs(y[: len(what.y)] - what.y).max(initial=0) > what.within:
        wrong(path, f"holds other samples than were written ({len(y)} of {len(what.y)})")


def _commands(folder, made, table, run):
    """The same through the commands; what they print is lines of text, whatever the files are called."""
    faults = []
    for words, accepted in (
        (["index", "folder", folder], (0,)),
        (["features", "folder", folder, "--out-dir", folder.with_name("by-command")], (0,)),
        (["predict", run, *[path for path in made if path.is_file()]], (1,)),
    ):
        for json_too in ([], ["--json"]):
            code, out, err = _call([*words, *json_too])
            text = out + err
            if code not in accepted or "Traceback" in text:
                faults.append(f"{words[0]} ended with {code}: {text[-1500:]}")
            elif any(not (c.isprintable() or c in "\n\u200d\u202e") for c in text):
                faults.append(f"{words[0]} prints control characters")
            elif json_too:
                told = json.loads(out)
                found = told["predictions"] if "predictions" in told else range(told["clips"])
                used = sum(path.is_file() for path in map(Path, table["speech"]))
                if not used <= len(found) <= used + 1:  # predict takes the name that is no UTF-8
                    faults.append(f"{words[0]} used {len(found)} files, not {used}")
    shutil.rmtree(folder.with_name("by-command"))
    return faults


def _call(words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["serlib", *map(str, words)]
        try:
            __main__.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except Exception as error:
            code = f"{type(error).__name__}: {error}"
    return code, out.getvalue(), err.getvalue()


def peak_mb():
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main(run, clips, folder, files, seed, out):
    """Damage that many files and tell."""
    faulthandler.enable()
    folder, files, seed = Path(folder), int(files), int(seed)
    clips, recognizer = damaged.speech(clips), Recognizer(run)
    # What a process needs that has done all of this once, with one good clip.
    one = folder / "one" / "happy" / "one.wav"
    one.parent.mkdir(parents=True)
    one.write_bytes(damaged.encoded(*clips[0]))
    for name in SPECS:
        serlib.extract(serlib.index("folder", folder / "one", show=False), name, out_dir=folder / "warm", show=False)
    recognizer.predict(one)
    before_mb, started = peak_mb(), time.monotonic()
    counts, faults, slowest_s = Counter(), [], 0.0
    for turn, first in enumerate(range(0, files, BATCH)):
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        specs, count = dict.fromkeys((TURNS[turn % len(TURNS)], "mfcc40-mean")), min(BATCH, files - first)
        found = batch(folder / f"batch {first}", clips, count, seed + first, recognizer, specs, first=not first)
        counts += found[0]
        faults += found[1]
        slowest_s = max(slowest_s, found[2])
        seconds = time.monotonic() - started
        print(f"{first + count} files, {seconds:.0f} s, {peak_mb():.0f} MB, {len(faults)} faults", flush=True)
    faulthandler.cancel_dump_traceback_later()
    told = {"files": sum(counts[must] for must in (damaged.GOOD, damaged.BAD, damaged.EITHER)), **counts}
    told |= {"seconds": round(time.monotonic() - started, 1), "slowest_s": round(slowest_s, 3)}
    told |= {"before_mb": round(before_mb), "peak_mb": round(peak_mb()), "faults": faults}
    Path(out).write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
