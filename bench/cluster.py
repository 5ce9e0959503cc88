"""Features on one Dask worker against two, on the same files in one run.

    python bench/cluster.py data/tess                   600 clips, functionals
    python bench/cluster.py data/tess --clips 0 --features mfcc40-mean

Each round extracts into an empty folder on a cluster of one worker, then of two; the best round of each counts.
Efficiency is the speed-up divided by two. Workers have one thread and are started before anything is timed; once as
Dask starts them, once such that they keep the memory that they have freed (docs/cluster.md). What the machine itself
allows stands beside it: one bare process against two that compute the same and keep nothing.
"""

import argparse
import functools
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # as Dask's workers have it
    os.environ[library] = "1"

import numpy as np

from serlib import corpora
from serlib.features import SPECS, extract
from serlib.features.cache import CHUNK
from serlib.features.spec import _rows as rows_of_file
from serlib.utils import cluster

#: For glibc, against Dask's own setting: freed memory is kept instead of being asked for again for every array.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": str(2**28), "MALLOC_MMAP_THRESHOLD_": str(2**25)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="an unpacked TESS; default: the corpus that serlib finds")
    parser.add_argument("--clips", type=int, default=600, help="evenly spread over the corpus; 0 for all")
    parser.add_argument("--features", default="functionals")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    name = "tess" if args.folder else corpora.default()
    table = corpora.index(name, args.folder)
    if args.clips:
        table = table.iloc[np.linspace(0, len(table) - 1, min(args.clips, len(table))).astype(int)]
    print(f"{name}: {len(table)} clips, {args.features}, {args.rounds} rounds\n")
    print(f"{'':16}{'one, ms a clip':>16}{'two':>8}{'speed-up':>10}{'efficiency':>12}")
    ways = {
        "bare processes": bare,
        "Dask's workers": best,
        "that keep memory": functools.partial(best, environment=KEEP_MEMORY),
    }
    for way, timed in ways.items():
        one, two = (1000 * timed(table, args, workers) / len(table) for workers in (1, 2))
        print(f"{way:16}{one:16.3f}{two:8.3f}{one / two:10.2f}{one / two / 2:12.0%}", flush=True)


def bare(table, args, workers):
    """Seconds of the best round of processes that compute and keep nothing."""
    clips = [(*clip, (0,)) for clip in zip(table.speech, table.digest, strict=True)]
    chunks = [clips[first : first + CHUNK] for first in range(0, len(clips), CHUNK)]
    work = functools.partial(compute, spec=SPECS[args.features])
    taken = []
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for _ in range(args.rounds + 1):  # the first imports everything
            began = time.perf_counter()
            pool.map(work, chunks, chunksize=1)
            taken.append(time.perf_counter() - began)
    return min(taken[1:])


def compute(chunk, *, spec):
    """The features of some clips; nothing is handed back."""
    for clip in chunk:
        rows_of_file(*clip, specs=(spec,))


def best(table, args, workers, *, environment=None):
    """Seconds of the best round of a cluster whose workers have these variables."""
    from distributed import LocalCluster

    os.environ.update(environment or {})

    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    taken = []
    with LocalCluster(**options) as local, cluster(local.scheduler_address):
        for _ in range(args.rounds + 1):  # the first imports everything
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                extract(table, args.features, out_dir=folder, show=False)
                taken.append(time.perf_counter() - began)
    return min(taken[1:])


if __name__ == "__main__":
    main()
