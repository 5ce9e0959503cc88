"""Corpora from Zenodo, by their DOI: no account, the very bytes that were published (`pooch` checks the MD5)."""

import logging
from pathlib import Path

from serlib.utils import SerlibError, disk_fault


def fetch(corpus, folder, *, show):
    """Download the archive of a `Corpus` into a folder, with a progress bar or without; the path of the archive."""
    import pooch
    import requests

    deposit = corpus.zenodo
    where = f"https://doi.org/{deposit.doi}"
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        archive = pooch.retrieve(
            f"doi:{deposit.doi}/{deposit.file}",
            known_hash=f"md5:{deposit.md5}",
            fname=deposit.file,
            path=folder,
            downloader=pooch.DOIDownloader(progressbar=show, chunk_size=2**16),
        )
    except requests.HTTPError as error:
        status = error.response.status_code
        raise SerlibError(f"Zenodo answers {status}: wait a few minutes, or get {deposit.file} from {where}") from error
    except requests.RequestException as error:
        kind = type(error).__name__
        raise SerlibError(f"Zenodo cannot be reached ({kind}): check the network, then run this again") from error
    except (ValueError, KeyError) as error:  # the MD5; or the DOI leads to something else
        raise SerlibError(
            f"{deposit.file} arrived damaged, or {where} no longer leads to it; run this again, or download it with "
            "the browser"
        ) from error
    except OSError as error:
        raise disk_fault(error, folder) from error
    return Path(archive)
