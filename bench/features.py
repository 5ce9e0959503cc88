"""Speed and memory of feature extraction, against the usual code, on the same files in one run.

    python bench/features.py data/tess                    600 clips spread over the corpus
    python bench/features.py data/tess --clips 0          all of them
    python bench/features.py data/tess data/ravdess --clips 300 --jobs 2

Rounds alternate between the contestants and the best round of each counts, so that a busy machine disturbs all alike.
Cold is an empty cache in a temporary folder; warm is the same call again, values read to the last; `no cache` computes
the same in as many threads and writes nothing. librosa is
imported and compiled, and every function was called once, before anything is timed.
"""

import argparse
import dataclasses
import functools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd

from serlib import audio, corpora
from serlib.features import LIBROSA_KINDS, SPECS, extract
from serlib.features.spec import _rows as rows_of_file

MEANS = SPECS["mfcc40-mean"]
# f0 is left out: librosa.yin computes it for both.
EVERY = dataclasses.replace(MEANS, kinds=tuple(kind for kind in LIBROSA_KINDS if kind != "f0"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="unpacked corpora; default: TESS, else the sample")
    parser.add_argument("--clips", type=int, default=600, help="clips of each corpus, evenly spread; 0 for all")
    parser.add_argument("--jobs", type=int, help="workers; default: all cores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(json.load(sys.stdin), args.child, args.jobs)
    for folder in args.folders or [corpora.find(corpora.default())]:
        table = clips(folder, args.clips)
        print(f"{folder.name}: {len(table)} clips, {args.jobs or os.cpu_count()} workers, {args.rounds} rounds\n")
        print(f"{'':34}{'ms a clip':>10}{'ratio':>8}{'largest difference':>20}")
        race("MFCC means", table, MEANS, usual_loop, args)
        race("all kinds", table, EVERY, once_per_kind, args)
        memory(table, args.jobs)


def clips(folder, count):
    """Table of the sound files in a folder, as `serlib.index` gives it."""
    files = sorted(folder.rglob("*.wav"))
    if not files:
        sys.exit(f"{folder} holds no WAV files; give the folder of an unpacked corpus")
    if count:
        files = [files[n] for n in np.linspace(0, len(files) - 1, min(count, len(files))).astype(int)]
    rows = []
    for file in files:
        y, rate_hz = audio.load(file)
        digest = audio.path_digest(file)
        rows.append({"speech": str(file), "digest": digest, "duration_s": len(y) / rate_hz, "rate_hz": rate_hz})
    return pd.DataFrame(rows)


def usual_loop(files):
    """What every tutorial writes."""
    import librosa

    rows = []
    for file in files:
        y, rate_hz = librosa.load(file, duration=3, offset=0.5)
        rows.append(np.mean(librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).T, axis=0))
    return np.array(rows)


def once_per_kind(files):
    """librosa called once for each kind, with the settings of `EVERY`."""
    import librosa

    rows = []
    for file in files:
        y, rate_hz = librosa.load(file, duration=3, offset=0.5)
        mfcc = librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40)
        chroma = librosa.feature.chroma_stft(y=y, sr=rate_hz, tuning=0.0)
        kinds = (
            mfcc,
            librosa.feature.delta(mfcc),
            librosa.feature.delta(mfcc, order=2),
            chroma,
            librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=rate_hz)),
            librosa.feature.spectral_contrast(y=y, sr=rate_hz),
            librosa.feature.tonnetz(chroma=chroma, sr=rate_hz),
            librosa.feature.rms(y=y),
            librosa.feature.zero_crossing_rate(y),
        )
        rows.append(np.concatenate([kind.mean(axis=1) for kind in kinds]))
    return np.array(rows)


def race(title, table, spec, usual, args):
    """Time the usual code against ours, cold and warm, and print the table."""
    files = list(table["speech"])
    usual(files[:3])
    with tempfile.TemporaryDirectory() as warm_up:
        extract(table[:3], spec, out_dir=warm_up, jobs=args.jobs, show=False)
    best_s = dict.fromkeys(("usual", "bare", "cold", "warm"), np.inf)
    for _ in range(args.rounds):
        best_s["usual"], expected = timed(best_s["usual"], lambda: usual(files))
        best_s["bare"], _ = timed(best_s["bare"], lambda: without_cache(table, spec, args.jobs))
        with tempfile.TemporaryDirectory() as cache:

            def ours(cache=cache):
                return np.array(extract(table, spec, out_dir=cache, jobs=args.jobs, show=False).values)

            best_s["cold"], cold = timed(best_s["cold"], ours)
            best_s["warm"], warm = timed(best_s["warm"], ours)
        if not np.array_equal(cold, warm):
            sys.exit(f"{title}: cold and warm values differ")
    names = {"usual": "usual code", "bare": "serlib, no cache", "cold": "serlib cold", "warm": "serlib warm"}
    for who, name in names.items():
        difference = "" if who == "usual" else f"{np.abs(cold - expected).max():.1e}"
        ms = 1000 * best_s[who] / len(files)
        print(f"{f'{title}, {name}':34}{ms:10.3f}{best_s['usual'] / best_s[who]:8.1f}{difference:>20}")


def without_cache(table, spec, jobs):
    """What `extract` computes, in as many threads, kept nowhere."""
    work = functools.partial(rows_of_file, specs=(spec,))
    with ThreadPool(jobs or os.cpu_count()) as pool:
        return pool.starmap(work, [(*clip, (0,)) for clip in zip(table.speech, table.digest, strict=True)])


def timed(best_s, function):
    start = time.perf_counter()
    result = function()
    return min(best_s, time.perf_counter() - start), result


def memory(table, jobs):
    """Peak memory of a process that extracts sequences of the corpus, and of the corpus ten times over."""
    command = [sys.executable, __file__, "-", *(["--jobs", str(jobs)] if jobs else [])]
    peaks = []
    for times in (1, 10):
        done = subprocess.run(
            [*command, "--child", str(times)], input=table.to_json(), text=True, capture_output=True, check=True
        )
        peaks.append(int(done.stdout))
        print(f"{f'peak memory, {times * len(table)} clips':34}{peaks[-1] / 2**20:7.0f} MB")
    print(f"{'growth':34}{peaks[1] / peaks[0] - 1:10.1%}\n")


def child(rows, times, jobs):
    """Extract in this process and print its peak memory and that of its largest child, in bytes."""
    table = pd.concat([pd.DataFrame(rows)] * times, ignore_index=True)
    with tempfile.TemporaryDirectory() as cache:
        extract(table, "mfcc-frames", out_dir=cache, jobs=jobs, show=False)
    unit = 1 if sys.platform == "darwin" else 1024
    print(sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * unit)


if __name__ == "__main__":
    main()
