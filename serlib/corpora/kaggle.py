"""Download a corpus from Kaggle, unless it is there; one sentence where that fails."""

import contextlib
import os
import shutil
import warnings
from pathlib import Path

from serlib import corpora
from serlib.corpora import registry
from serlib.corpora.archives import MARKER, BadArchive, room_for, unpack, whole
from serlib.corpora.corpus import walk
from serlib.corpora.credentials import HOW, Credentials, look
from serlib.corpora.credentials import status as credentials
from serlib.utils import SerlibError, alone, data_dir, disk_fault, shown

__all__ = ["Credentials", "credentials", "download", "unpack"]


def download(corpus, *, to=None, show=None, force=False, keep_archive=False):
    """Get a corpus from Kaggle, unless it is there.

    An interrupted download goes on where it stopped, in this call or the next. The size (and the MD5, where Kaggle
    gives it) and the CRC-32 of every file are checked, and that clips of the corpus are in it; then the archive is
    deleted. An archive that you have downloaded with the browser is used where it lies beside the folder
    (`data/tess.zip`), without any account.

    Parameters
    ----------
    corpus : str
        Name in `serlib.corpora.CORPORA`.
    to : str or Path, optional
        Folder to make; default: `data/<corpus>`.
    show : bool, optional
        Progress bar.
    force : bool
        Download again what is there, and replace it.
    keep_archive : bool
        Keep the archive beside the folder, as <folder>.zip.

    Returns
    -------
    Path of the folder that holds the corpus.

    Raises
    ------
    SerlibError
        Credentials are missing or refused, there is no network or no room, Kaggle refuses, the archive is damaged or
        dangerous, or the corpus is not on Kaggle. The message says what to do, and never holds a credential.

    Taught in notebooks/01_download.
    """
    known = registry.entry(corpus)
    target = data_dir() / corpus if to is None else Path(to)
    target = target.expanduser().absolute()
    archive, part = (target.with_name(target.name + suffix) for suffix in (".zip", ".zip.part"))
    if not force and (there := _there(known, target, to)):
        if part.is_file() and there == target:
            _tidy(part, corpus)
        return there
    room_for(target)
    if archive.is_file() and not force:
        return _unpacked(known, archive, target, show)
    if not known.kaggle:
        raise SerlibError(_by_hand(known, archive))
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") or registry.KAGGLE_INPUT.is_dir():
        raise SerlibError(
            f"On Kaggle nothing is downloaded: choose Add Input beside the notebook, add the data set {known.kaggle}, "
            "then run this again"
        )
    found, secret = look()
    if not found:
        raise SerlibError(f"{known.title} is on Kaggle, and no Kaggle credentials were found: {HOW}; {_else(archive)}")
    if found.warning:
        warnings.warn(str(found), stacklevel=2)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_fault(error, part) from None
    from serlib.corpora import transfer  # the client takes a fifth of a second to import

    with _alone(part, corpus):
        if not force and (there := _there(known, target, to)):
            return there
        transfer.fetch(known, part, found, secret, show=show)
        try:
            _unpacked(known, part, target, show)
        except BadArchive:
            transfer.forget(part)
            raise
        if keep_archive:
            os.replace(part, archive)
        transfer.forget(part)
    return target


def _there(known, target, to):
    """Where the corpus is already; None where it is not, or where files of what was unpacked are gone."""
    if (target / MARKER).is_file():
        if not whole(target):
            return None
        if not _holds(known, target):
            raise SerlibError(registry.misfit(known, target))
        return target
    if to is None:
        return corpora.find(known.name) if corpora.present(known.name) or known.synthetic else None
    return target if target.is_dir() and _holds(known, target) else None


def _holds(known, folder):
    return any(known.parse(path) for path in walk(folder, []))


def _tidy(part, corpus):
    """Delete the archive of a download that was killed after it had been unpacked."""
    from serlib.corpora import transfer

    with contextlib.suppress(SerlibError, OSError), _alone(part, corpus):  # another process is at it, or only reads
        if transfer.complete(part):
            transfer.forget(part)


def _unpacked(known, archive, target, show):
    """Unpack, and refuse the archive of something else."""
    unpack(archive, target, show=show)
    if not known.scan and not _holds(known, target):
        fault = registry.misfit(known, target)
        shutil.rmtree(target)
        raise BadArchive(f"{shown(archive)} was unpacked and removed again: {fault}")
    return target


def _by_hand(known, archive):
    if known.synthetic:
        return f"{known.title} is made on this machine, not downloaded; run: python -m serlib {known.name}"
    if not known.homepage:
        return f"{known.title} cannot be downloaded; put them into {shown(archive.with_suffix(''))}, one folder a label"
    folder = shown(archive.with_suffix(""))
    return f"{known.title} is not on Kaggle; get it from {known.homepage} and unpack it into {folder}"


def _else(archive):
    return (
        f"or download it with the browser and save it as {shown(archive)}; or go on without an account: "
        "SERLIB_CORPUS=sample"
    )


@contextlib.contextmanager
def _alone(part, corpus):
    """Nobody else on this machine writes `part` meanwhile; nothing empty is left behind."""
    with alone(part, f"Another download of {corpus} is running ({shown(part)}); wait for it"):
        try:
            yield
        finally:
            if part.is_file() and not part.stat().st_size:
                part.unlink()
