"""What this Python and its packages make of a few clips, for test_versions.py to compare.

    python -m tests.trust.agree TONES OUT      OUT gets arrays.npz and run, a finished run

Prints the versions that it was made with, as JSON.
"""

import json
import platform
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

import serlib
from serlib import audio, augment
from serlib.corpora import sample
from serlib.features import SPECS
from serlib.models import recipes

#: What the arrays are computed with.
PACKAGES = ("tensorflow", "keras", "librosa", "numpy", "scipy", "soundfile", "soxr", "pandas", "scikit-learn")


def arrays(tones, out):
    """Name -> array of what is read, drawn, computed and learned."""
    index = serlib.index("tess", tones, show=False)
    table = serlib.split(index, "random", seed=0)
    found = {"index": index[["label", "speaker", "text", "digest"]].to_numpy(str), "roles": table.role.to_numpy(str)}
    y, rate_hz = audio.load(index.speech[0])
    found |= {"decoded": y, "resampled": audio.resample(y, from_hz=rate_hz, to_hz=22050)}
    for change in (augment.Noise(), augment.PitchShift(), augment.Stretch()):
        found[f"changed {type(change).__name__}"] = change(y, rate_hz, np.random.default_rng(0))
    for path in sorted(sample.make(out / "sample", words=1, jobs=1, show=False).rglob("*.wav"))[:3]:
        found[f"sample {path.stem}"] = audio.load(path)[0]
    found |= {f"features {name}": serlib.extract(index[::7], name, show=False).values for name in SPECS}
    run = serlib.fit(replace(recipes.get("lstm-123"), epochs=3), table, out=out / "run", seed=0, show=False)
    report = serlib.evaluate(run, resamples=50, show=False)
    found["history"] = run.history[["loss", "accuracy", "val_loss", "val_accuracy"]].to_numpy()
    found["probabilities"] = report.predictions[run.labels].to_numpy()
    return found


if __name__ == "__main__":
    tones, out = map(Path, sys.argv[1:])
    np.savez(out / "arrays.npz", **arrays(tones, out))
    versions = {name: metadata.version(name) for name in PACKAGES}
    print(json.dumps({"python": platform.python_version(), **versions}))
