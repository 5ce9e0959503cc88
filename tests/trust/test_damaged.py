"""Ten thousand damaged files: nothing crashes, hangs or swells; the bad are named once, the good are used as ever.

`SERLIB_TRUST=1` (make trust) takes all of them; otherwise a few hundred. Real clips of TESS where they are.
"""

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import serlib
from serlib import audio
from serlib.audio import containers
from serlib.corpora import sample
from serlib.utils import SerlibError
from tests.trust import damaged

FULL = os.environ.get("SERLIB_TRUST") == "1"
FILES, LIMIT_S = (10_125, 3600) if FULL else (162, 240)
#: What the files may add to what the process takes anyway: twice the longest of them, an hour at 8 kHz, and some.
MEMORY_MB = 400
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def clips(session_home):
    """Folder of the clips that are damaged."""
    real = os.environ.get("SERLIB_REAL_DATA")
    return Path(real) / "tess" if real else sample.make(session_home / "sample", words=2, show=False)


def test_every_kind_is_drawn_from_the_seed(clips, tmp_path):
    some = damaged.speech(clips)
    drawn = ("first", 0), ("again", 0), ("another", 1)
    made = [damaged.fill(tmp_path / name, some, count=len(damaged.KINDS), seed=seed) for name, seed in drawn]
    kinds = [what.kind for what in made[0].values()]
    assert set(kinds) >= {kind.__name__ for kind in damaged.KINDS}
    assert {what.must for what in made[0].values()} == {damaged.GOOD, damaged.BAD, damaged.EITHER}
    # libsndfile numbers the streams of Ogg at random
    content = [[path.read_bytes() for path in each if path.is_file() and path.suffix != ".ogg"] for each in made]
    content = [[data for data in each if b"OggS" not in data] for each in content]
    assert content[0] == content[1] != content[2] and len(content[0]) > len(made[0]) / 2
    assert len(set(content[0])) > 0.9 * len(content[0])


def test_damaged_files_through_index_features_and_predict(tiny_run, clips, tmp_path):
    """In a process of its own, whose memory is measured and which may be killed when it hangs."""
    out, log = tmp_path / "told.json", tmp_path / "log"
    words = [sys.executable, "-m", "tests.trust.through", tiny_run.folder, clips, tmp_path / "work", FILES, 1, out]
    with log.open("w") as file:
        done = subprocess.run(
            list(map(str, words)), cwd=ROOT, timeout=LIMIT_S, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    said = log.read_text(errors="replace")
    assert done.returncode == 0, said[-4000:]
    told = json.loads(out.read_text())
    print({key: value for key, value in told.items() if key != "faults"})
    assert told["faults"] == []
    assert told["files"] >= FILES and min(told["good"], told["bad"], told["either"]) > FILES / 6
    assert told["peak_mb"] - told["before_mb"] < MEMORY_MB
    assert told["slowest_s"] < 30  # an hour of sound, beside heavy work
    assert "Traceback" not in said


@contextlib.contextmanager
def nobody():
    """Root may read everything, and is somebody else meanwhile."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_files_and_folders_that_may_not_be_read(clips):
    """As a user who is not root: the rights are asked of the system, not of a stand-in."""
    (y, rate_hz), *_ = damaged.speech(clips)
    root = Path(tempfile.mkdtemp(prefix="serlib-rights-"))  # pytest's own folders are root's
    try:
        for name in ("happy/good.wav", "happy/shut.wav", "sad/good.wav", "shut/hidden.wav"):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(damaged.encoded(y * len(name) / 30, rate_hz))
        (root / "happy/shut.wav").chmod(0)
        (root / "shut").chmod(0)
        root.chmod(0o755)
        with nobody():
            table = serlib.index("folder", root, show=False)
            with pytest.raises(SerlibError, match=r"shut\.wav cannot be read \(Permission denied\); check its perm"):
                audio.load(root / "happy/shut.wav")
            with pytest.raises(SerlibError, match="shut"):
                serlib.index("folder", root / "shut", show=False)
        assert [Path(path).name for path in table["speech"]] == ["good.wav", "good.wav"]
        said = {Path(entry["file"]).name: entry["reason"] for entry in table.attrs["rejected"]}
        assert said == {
            "shut.wav": "cannot be read (Permission denied); mend that",
            "shut": "cannot be opened (Permission denied); mend that or move it away",
        }
    finally:
        (root / "shut").chmod(0o755)
        shutil.rmtree(root)


def test_paths_longer_than_the_system_takes(clips, tmp_path, monkeypatch):
    """A tree so deep that its path has no name: what lies above is used, the rest is named once."""
    (y, rate_hz), *_ = damaged.speech(clips)
    top = tmp_path / "corpus"
    (top / "happy").mkdir(parents=True)
    (top / "happy" / "good.wav").write_bytes(damaged.encoded(y, rate_hz))
    monkeypatch.chdir(top / "happy")
    for level in range(22):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
        Path("deep.wav").write_bytes(damaged.encoded(y * (0.9 - 0.02 * level), rate_hz))
    monkeypatch.chdir(tmp_path)
    table = serlib.index("folder", top, show=False)
    assert len(table) >= 18 and 1 <= len(table.attrs["rejected"]) <= 2  # the last file may be as far down as the folder
    assert all("(File name too long); mend that" in entry["reason"] for entry in table.attrs["rejected"])
    assert np.isfinite(serlib.extract(table, "mfcc40-mean", out_dir=tmp_path / "features", show=False).values).all()
    shutil.rmtree(top)


def test_a_small_file_that_swells_is_refused_before_memory_is_full(tmp_path, monkeypatch):
    """FLAC packs silence to next to nothing."""
    import soundfile

    monkeypatch.setattr(containers, "MOST_SAMPLES", 2**21)
    (tmp_path / "happy").mkdir()
    path = tmp_path / "happy" / "swells.flac"
    with soundfile.SoundFile(path, "w", 48000, 8, "PCM_16") as sound:
        sound.write(np.full((1000, 8), 9000, np.int16))
        for _ in range(3):
            sound.write(np.zeros((2**20, 8), np.int16))
    assert path.stat().st_size < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (entry,) = serlib.index("folder", tmp_path, show=False).attrs["rejected"]
    assert "lasts longer than 0.0 h" in entry["reason"]
    with pytest.raises(SerlibError, match="lasts longer"):
        audio.load(path)
    assert len(audio.load(path, duration_s=1.0)[0]) == 48000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
