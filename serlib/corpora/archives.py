"""Unpack an archive that came from outside: checked before a byte is written, all or nothing."""

import errno
import json
import lzma
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from serlib.utils import SerlibError, disk_fault, progress, remove, shown

#: Marks a folder that was unpacked whole; holds how many files and bytes it had. Its dot hides it from the index.
MARKER = ".serlib-unpacked.json"

#: What no archive of speech reaches. Recorded speech packs to a half, a file of zeros to a thousandth: a "bomb".
MAX_ENTRIES = 500_000
MAX_BYTES = 64 * 2**30
MAX_RATIO = 100
#: The list of names at the end of an archive: 300,000 of usual length. Read in, it takes twenty times the room.
MAX_LIST_BYTES = 32 * 2**20

# Everything that Python's zipfile says about bytes that are no ZIP archive, or a damaged one.
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, OverflowError, LookupError, NotImplementedError),
)
_BLOCK = 2**20


class BadArchive(SerlibError):
    """The archive itself is at fault: damaged, or made to do harm. To unpack it again is of no use."""


def unpack(archive, to, *, show=None):
    """Unpack a ZIP archive into a folder of its own.

    Entries that lead outside the folder, absolute names, links, devices, encrypted or double entries and archives
    that swell beyond all measure are refused before anything is written. Each file's CRC-32 is checked. The files are
    written beside `to`, which appears when all of them are there: after an interruption there is no half folder, and
    what the interruption left is removed by the next call.

    Parameters
    ----------
    archive : str or Path
        A ZIP file, called whatever it likes.
    to : str or Path
        The folder to make. One that was unpacked before is replaced; one that holds anything else is refused.
    show : bool, optional
        Progress bar.

    Returns
    -------
    Path, `to`.

    Raises
    ------
    BadArchive
        The archive is damaged or dangerous.
    SerlibError
        There is no such archive, no room on the disk, or `to` holds something else.

    Taught in notebooks/01_download.
    """
    archive, to = Path(archive), Path(to).resolve()
    if not archive.is_file():
        raise SerlibError(f"{shown(archive)} does not exist; download it first")
    room_for(to)
    work, before = to.with_name(f".unpacking-{to.name}"), to.with_name(f".replaced-{to.name}")
    fault = None
    try:
        _check_list(archive)
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened, archive)
            size = sum(entry.file_size for entry, _ in entries)
            to.parent.mkdir(parents=True, exist_ok=True)
            if size > (free := shutil.disk_usage(to.parent).free):
                raise SerlibError(
                    f"{shown(archive)} unpacks to {_mb(size)} and the disk of {shown(to.parent)} has {_mb(free)} left; "
                    "make room, then run this again"
                )
            remove(work)
            remove(before)
            work.mkdir()
            with progress(total=size, desc=f"unpack {to.name}", unit="B", show=show) as bar:
                bar.unit_scale = True
                for entry, target in entries:
                    _write(opened, entry, work / target, bar)
        files = sum(not _is_folder(entry) for entry, _ in entries)
        (work / MARKER).write_text(json.dumps({"archive": archive.name, "files": files, "bytes": size}) + "\n")
        if to.is_dir():
            os.rename(to, before)  # removed piece by piece it might be taken for whole after a kill
        os.replace(work, to)
    except (FileExistsError, NotADirectoryError) as error:
        fault = BadArchive(
            f"{shown(archive)} holds {_quoted(Path(error.filename).name)} twice (or in capital and small letters, "
            "which this disk takes for the same); unpack it by hand and keep one"
        )
    except OSError as error:
        # bz2 says "invalid data" and a seek to nowhere "invalid argument": the archive's fault, not the disk's
        fault = _damaged(archive, error) if error.errno in (None, errno.EINVAL) else disk_fault(error, to)
    except _DAMAGED as error:
        fault = _damaged(archive, error)
    finally:
        if before.exists() and not to.exists():
            os.rename(before, to)
        remove(work)
        remove(before)
    if fault:
        raise fault
    return to


def whole(folder):
    """Whether a folder was unpacked by `unpack` and nothing has been taken away from it since."""
    try:
        told = json.loads((Path(folder) / MARKER).read_text())
        return sum(len(files) for _, _, files in os.walk(folder)) - 1 >= told["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def room_for(to):
    """Refuse a folder that holds what `unpack` did not put there."""
    to = Path(to)
    if to.exists() and not to.is_dir():
        raise SerlibError(f"{shown(to)} is a file; name a folder that does not exist yet")
    if to.is_dir() and any(to.iterdir()) and not (to / MARKER).is_file():
        raise SerlibError(f"{shown(to)} holds other files, which stay as they are; name another folder, or move them")


def _check_list(archive):
    """Refuse an archive whose list would fill the memory before anything in it can be looked at."""
    with open(archive, "rb") as file:
        end = zipfile._EndRecData(file)  # what ZipFile itself goes by
    if end and end[zipfile._ECD_SIZE] > MAX_LIST_BYTES:
        raise BadArchive(
            f"{shown(archive)} lists more files than any archive of speech holds (the list has "
            f"{_mb(end[zipfile._ECD_SIZE])}); nothing was unpacked, get it from the corpus's own page"
        )


def _checked(opened, archive):
    """(entry, its path inside the folder) for each entry; BadArchive where one of them may not be unpacked."""
    entries = opened.infolist()
    size = sum(entry.file_size for entry in entries)
    packed = max(archive.stat().st_size, 1)
    if len(entries) > MAX_ENTRIES or size > MAX_BYTES or size > MAX_RATIO * packed:
        raise BadArchive(
            f"{shown(archive)} holds {len(entries)} entries that swell from {_mb(packed)} to {_mb(size)}: no archive "
            "of speech does; nothing was unpacked, get it from the corpus's own page"
        )
    checked, seen = [], set()
    for entry in entries:
        fault = _fault(entry)
        target = PurePosixPath(_slashes(entry))
        if not fault and target in seen and not _is_folder(entry):
            fault = "is there twice"
        if fault:
            raise BadArchive(
                f"The entry {_quoted(entry.orig_filename)} of {shown(archive)} {fault}; nothing was unpacked, "
                "get it from the corpus's own page"
            )
        seen.add(target)
        checked.append((entry, target))
    if all(_is_folder(entry) for entry, _ in checked):
        raise BadArchive(f"{shown(archive)} holds no files; download it again")
    return checked


def _fault(entry):
    """Why an entry of an archive may not be unpacked; None where it may."""
    name = _slashes(entry)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in name.split("/"):
        return "points outside the folder"
    if not name.strip("/. ") or any(ord(letter) < 32 for letter in name) or name.split("/")[0] == MARKER:
        return "has a name that no file may have"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if entry.flag_bits & 1:
        return "is encrypted"
    return None


def _slashes(entry):
    """The name as it stands in the archive; Windows takes both slashes for a separator."""
    return entry.orig_filename.replace("\\", "/")


def _is_folder(entry):
    return _slashes(entry).endswith("/")


def _damaged(archive, error):
    what = " ".join(str(error).split())[:100] or type(error).__name__
    return BadArchive(f"{shown(archive)} is damaged ({what}); download it again")


def _write(opened, entry, target, bar):
    if _is_folder(entry):
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # "x": a second entry of the same name fails, also on a disk that takes capital and small letters for the same.
    with opened.open(entry) as source, open(target, "xb") as file:
        while block := source.read(_BLOCK):
            file.write(block)
            bar.update(len(block))


def _quoted(name):
    """A name from outside, safe to print: short, no control characters."""
    return ascii(name[:80])


def _mb(size):
    return f"{size / 1e6:.3g} MB" if size < 1e9 else f"{size / 1e9:.3g} GB"
