"""What keeps the project usable on Windows and macOS, as far as Linux can tell."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import serlib

ROOT = Path(__file__).resolve().parent.parent
FILES = [path for folder in ("serlib", "notebooks", "app") for path in sorted((ROOT / folder).rglob("*.py"))]
#: Modules and functions that Windows has not.
POSIX_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "termios"}
POSIX_CALLS = {"chown", "fork", "getgid", "getpgid", "getuid", "geteuid", "killpg", "mkfifo", "setsid"}


def plain(command):
    """A command of docs/windows.md: the Python of .venv; how much is said, and how many run at once, left out."""
    command = re.sub(r"\.venv[\\/](?:Scripts|bin)[\\/]python", "VENV", command.strip())
    command = re.sub(r"^(?:py|\"[^\"]+\") -m venv", "PYTHON -m venv", command)
    command = re.sub(r" -q+\b| --disable-pip-version-check| --durations\S*| -n 2 --dist loadfile --no-\S+", "", command)
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


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_only_posix_has(path):
    used = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names} & POSIX_MODULES
        elif isinstance(node, ast.ImportFrom):
            used |= {node.module} & POSIX_MODULES
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            used |= {node.attr} & POSIX_CALLS
    assert not used


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="only Linux tells what is open and mapped")
def test_nothing_is_open_or_mapped_that_is_renamed(tone_corpus, tmp_path, monkeypatch):
    """Windows renames and replaces nothing that this process has open."""
    renamed = []

    def watched(rename):
        def check(source, target, **options):
            mapped = Path("/proc/self/maps").read_text(encoding="utf-8")
            opened = [os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()]
            for path in map(os.path.realpath, (source, target)):
                inside = os.path.join(path, "")
                held = [name for name in opened if name == path or name.startswith(inside)]
                assert not held and f"{path}\n" not in mapped and inside not in mapped, path
            renamed.append(source)
            return rename(source, target, **options)

        return check

    monkeypatch.setattr(os, "rename", watched(os.rename))
    monkeypatch.setattr(os, "replace", watched(os.replace))
    table = serlib.index("tess", tone_corpus(tmp_path / "tones", words=2), show=False)
    options = {"spec": "mfcc40-mean", "out_dir": tmp_path / "features", "show": False}
    serlib.extract(table[:10], **options)
    serlib.extract(table, **options)  # copies what the first one computed
    for file in (tmp_path / "features").rglob("lengths.npy"):
        file.write_bytes(b"damaged")
    serlib.extract(table, **options)
    assert len(renamed) >= 3


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


@pytest.mark.slow
def test_workers_that_are_spawned(tmp_path):
    """Windows and macOS start workers afresh, where Linux may copy the process that is there."""
    script = tmp_path / "spawned.py"
    script.write_text(SPAWN, encoding="utf-8")
    command = [sys.executable, script, tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["14", "14", "40"]
