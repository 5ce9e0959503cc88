"""One look at each sound file: what it holds and whether it can be used."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

from serlib import audio
from serlib.utils import SerlibError, progress, shown


def read_all(paths, *, desc="", show=None):
    """Look at many files at once, behind a progress bar with the title `desc`.

    Yields
    ------
    (digest, duration_s, rate_hz, fault, notes) for each file, in order; fault is None, or why it cannot be used, and
    notes say what is odd and was mended; each is the end of a sentence that begins with the file's name.
    """
    facts_of = {}
    # Threads share the work, since hashing and decoding leave Python's lock.
    pool = ThreadPoolExecutor(max_workers=max(2, min(8, os.cpu_count() or 2)))
    try:
        facts = pool.map(lambda path: _read(path, facts_of), paths)
        yield from progress(facts, total=len(paths), desc=desc, unit="file", show=show)
    finally:
        pool.shutdown(cancel_futures=True)


def _read(path, facts_of):
    try:
        str(path).encode()
        if path.is_dir():
            return "", 0.0, 0, "is a folder; name the recordings in it", []
        if not stat.S_ISREG(path.stat().st_mode):
            return "", 0.0, 0, "is no ordinary file; move it away", []
        with open(path, "rb", buffering=0) as file:
            digest = audio.file_digest(file)
            if digest not in facts_of:  # a copy of a file needs no second look
                facts_of[digest] = _judge(file, path)
            return digest, *facts_of[digest]
    except FileNotFoundError:
        what = "does not exist; check its path"
        if path.is_symlink():
            what = "is a link that leads nowhere; bring back what it points to"
            if ".git/annex" in os.readlink(path):
                what = "is a git-annex link whose content is elsewhere; run `git annex get`"
        return "", 0.0, 0, what, []
    except UnicodeEncodeError:
        return "", 0.0, 0, "has a name that is not UTF-8; rename it", []
    except (OSError, ValueError) as error:  # ValueError: a table names a path with a zero byte
        what = getattr(error, "strerror", None) or error
        return "", 0.0, 0, f"cannot be read ({what}); mend that", []
    except Exception as error:  # whatever a decoder may come up with: one file does not stop the index
        return "", 0.0, 0, f"cannot be decoded ({error}); download or copy it again", []


def _judge(file, path):
    """(duration_s, rate_hz, fault, notes) of an open file."""
    try:
        return audio.survey(file, path)
    except SerlibError as error:
        return 0.0, 0, str(error).removeprefix(shown(path)).lstrip(", "), []
