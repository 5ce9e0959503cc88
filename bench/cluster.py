"""Features on one Dask worker against two, on the same files in one run.

    python bench/cluster.py data/tess                   600 clips, functionals
    python bench/cluster.py data/tess --clips 0 --features mfcc40-mean

Each round extracts into an empty folder on a cluster of one worker, then of two; the best round of each counts.
Efficiency is the speed-up divided by two. Workers have one thread and are started before anything is timed.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from serlib import corpora
from serlib.features import extract
from serlib.utils import cluster


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
    seconds = {workers: best(table, args, workers) for workers in (1, 2)}
    speed_up = seconds[1] / seconds[2]
    print(f"{name}: {len(table)} clips, {args.features}, {args.rounds} rounds\n")
    print(f"one worker   {1000 * seconds[1] / len(table):8.3f} ms a clip")
    print(f"two workers  {1000 * seconds[2] / len(table):8.3f} ms a clip")
    print(f"speed-up {speed_up:.2f}, efficiency {speed_up / 2:.0%}")


def best(table, args, workers):
    """Seconds of the best round."""
    from distributed import LocalCluster

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
