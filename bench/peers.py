#!/usr/bin/env python3
"""Feature extraction against other tools, on the same files in one run: milliseconds a clip, and memory.

    python bench/peers.py data/tess                         300 clips
    python bench/peers.py data/tess --clips 0 --rounds 3
    python bench/peers.py data/tess --python other/bin/python    runs there what is not installed here

Each tool works as its manual says, with as many workers as there are cores where it takes them, in a process of its own
that has imported everything and worked on three clips before the clock starts. Rounds go round all tools, and the best
of each counts, so that a busy machine disturbs all alike. `memory` is the most that the process ever had resident.
`rate` is how many times as quick serlib is with the features beside: these are the same for librosa and torchaudio (up
to what the test of each feature allows), and of the same kind for openSMILE and nkululeko (which calls openSMILE).
What is not installed is left out, and said (`pip install 'serlib[peers]'`).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CORES = os.cpu_count() or 1
ROOT = Path(__file__).resolve().parents[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="sound files; default: the corpus that serlib finds")
    parser.add_argument("--clips", type=int, default=300, help="evenly spread over the folder; 0 for all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", help="another Python, for the tools that are not installed beside serlib")
    parser.add_argument("--child", choices=TOOLS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(TOOLS[args.child][0], json.load(sys.stdin))
    files = sounds(args.folder, args.clips)
    best = {}
    missing = {}
    for _ in range(args.rounds):
        for tool in TOOLS:
            if tool in missing:
                continue
            answer = in_a_process(tool, files, args.python)
            if isinstance(answer, str):
                missing[tool] = answer
                continue
            best[tool] = [min(pair) for pair in zip(answer, best.get(tool, answer), strict=True)]
    print(f"{len(files)} clips, {CORES} cores, best of {args.rounds} rounds\n")
    print("| tool and features | columns | ms a clip | memory | rate |\n| --- | ---: | ---: | ---: | ---: |")
    for tool, (seconds, memory_mb, columns) in best.items():
        ours = TOOLS[tool][1]
        rate = f"{seconds / best[ours][0]:.1f}" if ours and ours in best else ""
        print(f"| {tool} | {columns:.0f} | {1000 * seconds / len(files):.2f} | {memory_mb:.0f} MB | {rate} |")
    for tool, why in missing.items():
        print(f"left out: {tool} ({why})")


def sounds(folder, count):
    """Paths of the WAV files of a folder."""
    if folder is None:
        sys.path.insert(0, str(ROOT))
        from serlib import corpora

        folder = corpora.find(corpora.default())
    files = sorted(str(path) for path in folder.resolve().rglob("*.wav"))
    if not files:
        sys.exit(f"{folder} holds no WAV files; name the folder of an unpacked corpus")
    return [files[n] for n in np.linspace(0, len(files) - 1, min(count, len(files))).astype(int)] if count else files


def in_a_process(tool, files, other):
    """[seconds, MB, columns] of a tool, or why it cannot run."""
    why = ""
    for python in filter(None, (sys.executable, other)):
        command = [python, __file__, "--child", tool]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SERLIB_PROGRESS": "0"}
        done = subprocess.run(
            command, input=json.dumps(files), text=True, capture_output=True, env=environment, cwd=tempfile.gettempdir()
        )
        if done.returncode == 0:
            return json.loads(done.stdout.splitlines()[-1])
        why = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}"
    return why


def child(tool, files):
    """Run one tool and print its seconds, MB and columns."""
    tool(files[:3])
    began = time.perf_counter()
    values = tool(files)
    seconds = time.perf_counter() - began
    if len(values) != len(files) or not np.isfinite(np.asarray(values, float)).all():
        sys.exit("its features are not one finite row a clip")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    whole = sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit
    print(json.dumps([seconds, whole, np.shape(values)[1]]))


def serlib_features(spec):
    """serlib's own, into an empty folder, digests of the files included."""

    def run(files):
        import pandas as pd

        from serlib import features

        with tempfile.TemporaryDirectory() as folder:
            return np.array(features.extract(pd.DataFrame({"speech": files}), spec(), out_dir=folder).values)

    return run


def mean_mfcc():
    from serlib.features import SPECS

    return SPECS["mfcc40-mean"]


def all_means():
    import dataclasses

    from serlib.features import LIBROSA_KINDS

    return dataclasses.replace(mean_mfcc(), kinds=tuple(kind for kind in LIBROSA_KINDS if kind != "f0"))


def functionals():
    from serlib.features import SPECS

    return SPECS["functionals"]


def librosa_mfcc(files):
    import librosa

    rows = []
    for file in files:
        y, rate_hz = librosa.load(file, duration=3, offset=0.5)
        rows.append(librosa.feature.mfcc(y=y, sr=rate_hz, n_mfcc=40).mean(axis=1))
    return rows


def librosa_kinds(files):
    from features import once_per_kind

    return once_per_kind(files)


def torchaudio_mfcc(files):
    import soundfile
    import torch
    import torchaudio

    settings = {"n_fft": 2048, "hop_length": 512, "n_mels": 128, "norm": "slaney", "mel_scale": "slaney"}
    mfcc = torchaudio.transforms.MFCC(22050, n_mfcc=40, melkwargs=settings)
    resample = {}
    rows = []
    with torch.inference_mode():
        for file in files:
            rate_hz = soundfile.info(file).samplerate
            y, _ = soundfile.read(file, start=rate_hz // 2, frames=3 * rate_hz, dtype="float32")
            if rate_hz not in resample:
                resample[rate_hz] = torchaudio.transforms.Resample(rate_hz, 22050)
            rows.append(mfcc(resample[rate_hz](torch.from_numpy(y))).mean(dim=-1).numpy())
    return rows


def opensmile_functionals(feature_set):
    def run(files):
        import opensmile

        smile = opensmile.Smile(
            opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals, num_workers=CORES
        )
        return np.nan_to_num(smile.process_files(files).to_numpy())

    return run


def nkululeko_functionals(files):
    import configparser
    import contextlib
    import io

    import pandas as pd
    from nkululeko import glob_conf
    from nkululeko.feat_extract.feats_opensmile import Opensmileset

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        config = configparser.ConfigParser()
        config.read_dict({
            "EXP": {"root": f"{folder}/", "name": "peers"},
            "DATA": {"databases": "['peers']"},
            "FEATS": {"type": "['os']", "set": "ComParE_2016", "needs_feature_extraction": "True"},
            "MODEL": {"type": "svm", "n_jobs": str(CORES)},
        })  # fmt: skip
        glob_conf.init_config(config)
        table = pd.DataFrame({"emotion": "none"}, index=pd.Index(files, name="file"))
        extractor = Opensmileset("peers", table, "os")
        extractor.extract()
        return np.nan_to_num(extractor.df.to_numpy())


#: Tool and features -> what runs it, and the row of serlib that it is compared with.
TOOLS = {
    "serlib, mean of 40 MFCC": (serlib_features(mean_mfcc), None),
    "librosa, mean of 40 MFCC": (librosa_mfcc, "serlib, mean of 40 MFCC"),
    "torchaudio, mean of 40 MFCC": (torchaudio_mfcc, "serlib, mean of 40 MFCC"),
    "serlib, means of nine kinds": (serlib_features(all_means), None),
    "librosa, call by call, means of nine kinds": (librosa_kinds, "serlib, means of nine kinds"),
    "serlib, functionals": (serlib_features(functionals), None),
    "openSMILE eGeMAPSv02": (opensmile_functionals("eGeMAPSv02"), "serlib, functionals"),
    "openSMILE ComParE_2016": (opensmile_functionals("ComParE_2016"), "serlib, functionals"),
    "nkululeko, ComParE_2016": (nkululeko_functionals, "serlib, functionals"),
}

if __name__ == "__main__":
    main()
