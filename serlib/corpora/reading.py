"""One look at each sound file: what it holds and whether it can be used."""

import hashlib
import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from serlib import audio
from serlib.base import SerlibError, progress, shown

# Files and clips beyond these are read in blocks, so that an hour of sound takes no more memory than a minute.
_LARGE_BYTES = 16 * 2**20
_LONG_S = 60.0
_BLOCK = 2**20


def read_all(paths, *, desc="", show=None):
    """Look at many files at once.

    Hashing and decoding leave Python's lock, so that threads share the work. Memory does not grow with the number of
    files or with their length.

    Parameters
    ----------
    paths : list of Path
    desc : str
        Title of the progress bar.
    show : bool, optional

    Yields
    ------
    (digest, duration_s, rate_hz, fault) for each file, in order; fault is None, or why it cannot be used, as the end
    of a sentence that begins with the file's name.
    """
    known = {}
    pool = ThreadPoolExecutor(max_workers=max(2, min(8, os.cpu_count() or 2)))
    try:
        facts = pool.map(lambda path: _read(path, known), paths)
        yield from progress(facts, total=len(paths), desc=desc, unit="file", show=show)
    finally:
        pool.shutdown(cancel_futures=True)


def _read(path, known):
    try:
        str(path).encode()
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "", 0.0, 0, "is no ordinary file; delete it"
        if status.st_size > _LARGE_BYTES:
            audio.load(path, duration_s=1.0)  # says what is wrong with the file, if anything is
            with open(path, "rb") as file:
                return _digest(file), *_judge_long(file)
        data = path.read_bytes()
        digest = _digest(io.BytesIO(data))
        if digest not in known:  # a copy of a file needs no second look
            known[digest] = _judge(data, path)
        return digest, *known[digest]
    except FileNotFoundError:
        what = "is a link that leads nowhere; delete it" if path.is_symlink() else "does not exist; check its path"
        return "", 0.0, 0, what
    except OSError as error:
        return "", 0.0, 0, f"cannot be read ({error.strerror or error}); mend its permissions or delete it"
    except UnicodeEncodeError:
        return "", 0.0, 0, "has a name that is not UTF-8; rename it"
    except Exception as error:
        return "", 0.0, 0, _plain(error, path)


def _plain(error, path):
    if isinstance(error, SerlibError):
        return str(error).removeprefix(shown(path)).strip()
    return f"cannot be decoded ({error}); delete it or download it again"


def _digest(file):
    digest = hashlib.blake2b(digest_size=16)
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _judge(data, path):
    """(duration_s, rate_hz, fault) of a file that was read."""
    try:
        y, rate_hz = audio.decode(data, name=path, duration_s=_LONG_S)
    except SerlibError as error:
        return 0.0, 0, _plain(error, path)
    if len(y) >= int(_LONG_S * rate_hz):
        return _judge_long(io.BytesIO(data))
    return len(y) / rate_hz, rate_hz, audio.fault(y, rate_hz)


def _judge_long(file):
    """The same, block by block: the extremes of each block tell whether it is silent or not a number."""
    import soundfile

    with soundfile.SoundFile(file) as sound:
        extremes, frames, rate_hz = [], 0, sound.samplerate
        for block in sound.blocks(max(1, _BLOCK // sound.channels), dtype="float32", always_2d=True):
            mono = block.mean(axis=1)
            extremes += [mono.min(), mono.max()]
            frames += len(mono)
    return frames / rate_hz, rate_hz, audio.fault(np.array(extremes, np.float32), 1)
