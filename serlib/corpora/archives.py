"""From a corpus's name to its folder: download the archive unless it is there, unpack it with limits."""

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

from serlib.corpora import kaggle, registry, zenodo
from serlib.utils import SerlibError, alone, data_dir, disk_fault, progress, remove, shown

#: Marks a folder that was unpacked whole; holds how many files it had. Its dot hides it from the index.
MARKER = ".serlib-unpacked.json"

#: What file managers leave in folders.
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")

#: The archive, once it is whole.
PACKED = "archive.zip"

#: Who brings an archive; a corpus is taken from the first of these that has it.
SOURCES = {"zenodo": zenodo.fetch, "kaggle": kaggle.fetch}

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


class BadArchive(SerlibError):
    """The archive itself is at fault: damaged, or made to do harm. To unpack it again is of no use."""

    def __init__(self, archive, what):
        super().__init__(f"{shown(archive)} {what}; nothing was unpacked, download it again")


def download(corpus, *, source=None, to=None, show=None, force=False):
    """Get a corpus, unless it is there.

    An interrupted download from Kaggle goes on where it stopped. The archive is checked (MD5, CRC-32, that clips of
    the corpus are in it) and deleted once it is unpacked. One that you have downloaded with the browser is used where
    it lies beside the folder (`data/tess.zip`).

    Parameters
    ----------
    corpus : str
        Name in `serlib.corpora.CORPORA`.
    source : str, optional
        "zenodo" or "kaggle"; default: the first of `CORPORA[corpus].sources`. Neither needs an account.
    to : str or Path, optional
        Folder to make; default: `data/<corpus>`.
    show : bool, optional
        Progress bar; default: shown unless `SERLIB_PROGRESS=0`.
    force : bool
        Download again what is there, and replace it. Files of your own in that folder are not: they must be moved.

    Returns
    -------
    Path of the folder that holds the corpus.

    Raises
    ------
    SerlibError
        The message says what to do, and never holds a credential.

    Examples
    --------
    >>> download("savee", source="zenodo")
    Traceback (most recent call last):
    serlib.utils.SerlibError: savee is not on zenodo; choose source kaggle

    Taught in notebooks/01_download.
    """
    if show is None:
        show = os.environ.get("SERLIB_PROGRESS", "1") != "0"
    entry = registry.entry(corpus)
    target = (data_dir() / corpus if to is None else Path(to)).expanduser().absolute()
    part = target.with_name(f".{target.name}.part")
    place = None if force else _is_present(entry, target, to)
    if place and not (part / PACKED).exists():
        return place
    if place is None:
        room_for(target)
        by_browser = target.with_name(f"{target.name}.zip")
        if force or not by_browser.is_file():
            by_browser = None
            source = _source(entry, source, target)
    try:
        part.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, part) from None
    with alone(part / "lock", f"Another download of {corpus} is running ({shown(part)}); wait for it"):
        place = None if force else _is_present(entry, target, to)
        if place is None:  # else another process was quicker, or one was killed before it had tidied up
            archive = by_browser or _fetch(entry, source, part, force=force, show=show)
            _install(entry, archive, part, target, show=show)
        remove(part)
    return place or target


def _is_present(entry, target, to):
    """Where the corpus is already; None where it is not, or where files of what was unpacked are gone."""
    if (target / MARKER).is_file():
        if not is_whole(target):
            return None
        if not registry.holds(entry, target):
            raise SerlibError(registry.misfit(entry, target))
        return target
    if to is None:
        return registry.find(entry.name) if registry.present(entry.name) or entry.synthetic else None
    return target if registry.holds(entry, target) else None


def _source(entry, source, target):
    """Who brings the archive, or a SerlibError that says how else to get the corpus."""
    if entry.synthetic:
        raise SerlibError(f"{entry.title} is made on this machine, not downloaded; run: python -m serlib {entry.name}")
    if entry.scan:
        raise SerlibError(f"{entry.title} cannot be downloaded; put them into {shown(target)}, one folder a label")
    if not entry.sources:
        raise SerlibError(f"{entry.title} is to be got from {entry.homepage}; unpack it into {shown(target)}")
    if source is None:
        source = entry.sources[0]
    if source not in entry.sources:
        raise SerlibError(f"{entry.name} is not on {source}; choose source {' or '.join(entry.sources)}")
    if entry.kaggle and (os.environ.get("KAGGLE_KERNEL_RUN_TYPE") or registry.KAGGLE_INPUT.is_dir()):
        raise SerlibError(
            f"On Kaggle nothing is downloaded: choose Add Input beside the notebook, add the data set {entry.kaggle}, "
            "then run this again"
        )
    return source


def _fetch(entry, source, part, *, force, show):
    """The whole archive, which an interrupted call may have left there."""
    packed = part / PACKED
    if force:
        packed.unlink(missing_ok=True)
    if packed.is_file():
        return packed
    try:
        os.replace(SOURCES[source](entry, part, show=show), packed)
    except SerlibError:
        if not any(part.glob("*.zip")):
            remove(part)
        raise
    return packed


def _install(entry, archive, part, target, *, show):
    """Unpack beside the target, look whether it is the corpus, and only then give it its name."""
    work = part / "unpacked"
    remove(work)
    try:
        unpack(archive, work, show=show)
        if not registry.holds(entry, work):
            names = [
                name for name, corpus in registry.CORPORA.items() if not corpus.scan and registry.holds(corpus, work)
            ]
            holds = f"holds {names[0]}" if names else "holds no file of it"
            raise BadArchive(archive, f"is not {entry.title}: it {holds}")
    except BadArchive:
        remove(part)
        raise
    if target.is_dir():
        _refuse_loss(target, work)
        remove(part / "replaced")
        os.rename(target, part / "replaced")  # removed file by file it might be taken for whole after a kill
    os.replace(work, target)


def _refuse_loss(target, work):
    """Raise a SerlibError where a folder that is to be replaced holds files that are not of the archive."""
    for folder, _, names in os.walk(target):
        below = os.path.relpath(folder, target)
        for name in names:
            if name not in (MARKER, *LITTER) and not (work / below / name).exists():
                what = "is not of the archive and would be lost"
                raise SerlibError(f"{shown(Path(folder) / name)} {what}; move it elsewhere, then run this again")


def unpack(archive, to, *, show=None):
    """Unpack a ZIP archive that came from outside: checked before a byte is written.

    Entries that lead outside the folder, absolute names, links, devices, encrypted or double entries and archives
    that swell beyond all measure are a BadArchive. The CRC-32 of each file is checked. After an error there is no
    folder `to`, which must not exist before.
    """
    archive = Path(archive)
    to = Path(to)
    if to.exists():
        raise SerlibError(f"{shown(to)} holds other files, which stay as they are; name another folder")
    try:
        _check_list(archive)
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened, archive)
            size = sum(entry.file_size for entry in entries)
            to.mkdir(parents=True)
            if size > (free := shutil.disk_usage(to).free):
                raise SerlibError(
                    f"{shown(archive)} unpacks to {_mb(size)} and the disk of {shown(to.parent)} has {_mb(free)} left; "
                    "make room, then run this again"
                )
            for entry in progress(entries, desc="unpack", unit="file", show=show):
                opened.extract(entry, to)  # compares the CRC-32
        files = sum(not entry.is_dir() for entry in entries)
        (to / MARKER).write_text(json.dumps({"files": files}) + "\n")
        return to
    except SerlibError as error:
        fault = error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        fault = BadArchive(archive, f"holds {Path(error.filename).name[:80]!a} twice, as a file and as a folder")
    except OSError as error:
        # bz2 says "invalid data" and a seek to nowhere "invalid argument": the archive's fault, not the disk's
        fault = _damaged(archive, error) if error.errno in (None, errno.EINVAL) else disk_fault(error, to)
    except _DAMAGED as error:
        fault = _damaged(archive, error)
    remove(to)
    raise fault


def is_whole(folder):
    """Whether a folder was unpacked by `unpack` and nothing has been taken away from it since."""
    try:
        files = json.loads((Path(folder) / MARKER).read_text())["files"]
        return sum(len(names) for _, _, names in os.walk(folder)) - 1 >= files
    except (OSError, ValueError, KeyError, TypeError):
        return False


def room_for(to):
    """Refuse a folder that holds what `unpack` did not put there."""
    if to.exists() and not to.is_dir():
        raise SerlibError(f"{shown(to)} is a file; name a folder that does not exist yet")
    if to.is_dir() and any(to.iterdir()) and not (to / MARKER).is_file():
        raise SerlibError(f"{shown(to)} holds other files, which stay as they are; name another folder, or move them")


def _check_list(archive):
    """Refuse an archive whose list would fill the memory before anything in it can be looked at."""
    with open(archive, "rb") as file:
        end = zipfile._EndRecData(file)  # what ZipFile itself goes by
    if end and end[zipfile._ECD_SIZE] > MAX_LIST_BYTES:
        raise BadArchive(archive, f"lists more files ({_mb(end[zipfile._ECD_SIZE])} of names) than speech has")


def _checked(opened, archive):
    """The entries, their names cleaned; BadArchive where one of them may not be unpacked."""
    entries = opened.infolist()
    size = sum(entry.file_size for entry in entries)
    packed = max(archive.stat().st_size, 1)
    if len(entries) > MAX_ENTRIES or size > MAX_BYTES or size > MAX_RATIO * packed:
        reason = f"holds {len(entries)} entries that swell from {_mb(packed)} to {_mb(size)}: no archive of speech does"
        raise BadArchive(archive, reason)
    names = set()
    for entry in entries:
        entry.filename = entry.orig_filename.replace("\\", "/")  # Windows takes both for a separator
        # A disk that takes capital and small letters for the same would hold only one of two such files.
        name = str(PurePosixPath(entry.filename)).casefold()
        fault = "is there twice" if name in names and not entry.is_dir() else _fault(entry)
        if fault:
            raise BadArchive(archive, f"holds the entry {entry.orig_filename[:80]!a}, which {fault}")
        names.add(name)
    if all(entry.is_dir() for entry in entries):
        raise BadArchive(archive, "holds no files")
    return entries


def _fault(entry):
    """Why an entry of an archive may not be unpacked; None where it may."""
    name = entry.filename
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in name.split("/"):
        return "points outside the folder"
    if not name.strip("/. ") or any(ord(letter) < 32 for letter in name) or name.split("/")[0] == MARKER:
        return "has a name that no file may have"
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if entry.flag_bits & 1:
        return "is encrypted"
    return None


def _damaged(archive, error):
    text = " ".join(str(error).split())[:100] or type(error).__name__
    return BadArchive(archive, f"is damaged ({text}), or a network that wants a sign-in sent its own page")


def _mb(size):
    return f"{size / 1e6:.3g} MB"
