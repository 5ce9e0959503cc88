"""What every other module stands on: the vocabulary, the error a user can mend, folders, safe writing, progress."""

import contextlib
import os
import shutil
import sys
import uuid
from pathlib import Path

#: One vocabulary of emotions for all corpora, in the order of every table, figure and model output.
#: `ps` is pleasant surprise; every corpus's surprise maps to it.
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad", "calm", "boredom")

#: Who a clip works for. Nothing is ever chosen on the test role.
ROLES = ("train", "validation", "test")


def ordered_labels(labels):
    """The distinct labels in the order of `LABELS`; labels of one's own follow in alphabetical order.

    Examples
    --------
    >>> ordered_labels(["sad", "zeal", "angry", "awe", "sad"])
    ['angry', 'sad', 'awe', 'zeal']
    """
    found = {str(label) for label in labels}
    return [name for name in LABELS if name in found] + sorted(found - set(LABELS))


class SerlibError(Exception):
    """Something that the user can mend: the message is one plain sentence that names the file and the mend."""

    def _render_traceback_(self):
        """What IPython shows in a notebook: the sentence, without the way through our code."""
        return [f"SerlibError: {self}"]


def home():
    """Folder that holds `data/`, `checkpoints/` and `reports/`.

    Returns
    -------
    Path. `SERLIB_HOME` where it is set, else the checkout that the package is run from, else the working folder.
    """
    if os.environ.get("SERLIB_HOME"):
        return Path(os.environ["SERLIB_HOME"]).expanduser()
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def data_dir():
    """Folder that holds the corpora: `SERLIB_DATA` where it is set, else `data` in `home()`."""
    return Path(os.environ.get("SERLIB_DATA") or home() / "data").expanduser()


def shown(path):
    """A path as a page that others will read may show it: relative to `home()` where it lies inside, POSIX slashes."""
    path = Path(path)
    with contextlib.suppress(ValueError):
        path = path.resolve().relative_to(home().resolve())
    return path.as_posix()


@contextlib.contextmanager
def atomic_path(target):
    """Write a file or a folder so that nobody ever sees half of it.

    Parameters
    ----------
    target : str or Path
        Where the finished file or folder shall stand. What stood there before is replaced.

    Yields
    ------
    Path beside `target` with the same suffix, not existing yet; write the file there (or make the folder). On leaving
    without an error it takes the place of `target`; after an error it is removed and `target` is as it was.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".partial-{uuid.uuid4().hex[:8]}-{target.name}")
    try:
        yield partial
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        os.replace(partial, target)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def progress(iterable=None, *, total=None, desc="", unit="clip", show=None):
    """A tqdm bar on standard error, in terminals, notebooks and logs alike.

    Parameters
    ----------
    show : bool, optional
        Default: shown unless `SERLIB_PROGRESS=0`; what takes less than half a second shows nothing.

    Returns
    -------
    tqdm.tqdm
    """
    from tqdm import tqdm

    if show is None:
        show = os.environ.get("SERLIB_PROGRESS", "1") != "0"
    return tqdm(iterable, total=total, desc=desc, unit=unit, disable=not show, delay=0.5, leave=False, file=sys.stderr)
