"""Serve the live page (`make app`): check the model, then start voila."""

import os
import subprocess
import sys
from pathlib import Path

from serlib import widgets
from serlib.utils import SerlibError, home, shown

HERE = Path(__file__).resolve().parent


def main(options):
    """Serve until it is stopped; `options` go to voila. Returns what went wrong, as one sentence."""
    try:
        run = widgets.ready().run
    except SerlibError as error:
        return f"make app: {error}"
    print(f"The page speaks with {shown(run.folder)}; Ctrl+C ends it.", flush=True)
    paths = [str(HERE), os.environ.get("JUPYTER_PATH", "")]  # where voila finds its template
    os.environ |= {
        "SERLIB_RUN": str(run.folder.resolve()),
        "SERLIB_HOME": str(home().resolve()),
        "JUPYTER_PATH": os.pathsep.join(filter(None, paths)),
    }
    os.chdir(HERE)  # and its settings, voila.json
    command = [sys.executable, "-m", "voila", "page.ipynb", *options]
    if os.name == "nt":  # there, exec would give the terminal back while the server runs on
        return subprocess.call(command)
    os.execv(sys.executable, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
