"""What keeps the project usable on Windows and macOS, as far as Linux can tell."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def plain(command):
    """A command of docs/windows.md: the Python of .venv; how much is said, and how many run at once, left out."""
    command = re.sub(r"\.venv[\\/](?:Scripts|bin)[\\/]python", "VENV", command.strip())
    command = re.sub(r"^(?:py|\"[^\"]+\") -m venv", "PYTHON -m venv", command)
    command = re.sub(r" -q+\b| --disable-pip-version-check| --durations\S*| -n 2 --dist loadfile", "", command)
    return " ".join(command.split())


def test_the_commands_without_make_are_those_that_make_runs():
    text = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```bat\n(.*?)```", text, re.DOTALL)
    lines = block.strip().splitlines()
    made = ""
    for target in ("run", "test"):
        command = ["make", "-n", "-B", target]
        made += subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pieces = {plain(piece) for line in made.splitlines() for piece in re.split(r"\|\||&&|;|^\{ ", line)}
    pieces |= {re.sub(r"^SERLIB_CORPUS=\S+ ", "", piece) for piece in pieces}
    assert len(lines) == 4
    for line in lines:
        assert plain(line) in pieces, f"make does not run: {line}"


SPAWN = """
import multiprocessing
import sys
from pathlib import Path

from joblib.externals.loky.backend.context import get_context, set_start_method

import serlib
from serlib.corpora import sample

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    set_start_method("spawn")
    assert get_context().get_start_method() == "spawn"
    folder = sample.make(Path(sys.argv[1]) / "sample", words=1, jobs=2, show=False)
    table = serlib.index("sample", folder, show=False)
    features = serlib.extract(table, "mfcc40-mean", out_dir=Path(sys.argv[1]) / "features", jobs=2, show=False)
    print(len(table), *features.values.shape)
"""


def test_workers_that_are_spawned(tmp_path):
    """Windows and macOS start workers afresh, where Linux may copy the process that is there."""
    script = tmp_path / "spawned.py"
    script.write_text(SPAWN, encoding="utf-8")
    command = [sys.executable, script, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["14", "14", "40"]
