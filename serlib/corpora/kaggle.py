"""Corpora from Kaggle, through Kaggle's own two clients.

Without an account, or with an access token: `kagglehub`, which resumes and checks the MD5. With a `kaggle.json`: the
client `kaggle`, as most tutorials show it. Public data sets need neither; Kaggle says where it wants an account.
"""

import contextlib
import json
import os
import stat
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from serlib.utils import SerlibError, disk_fault, home, shown

#: How to sign in today, for messages.
HOW = (
    "on https://www.kaggle.com/settings, section API Tokens, Generate New Token gives a text KGAT_... for the file "
    "~/.kaggle/access_token or the variable KAGGLE_API_TOKEN; the section Legacy API Credentials gives a kaggle.json "
    "for the folder ~/.kaggle (chmod 600)"
)

#: Seconds to wait for a connection, and for the next bytes; the clients would wait for ever.
TIMEOUT_S = (15, 60)

#: How often in a row kagglehub may be cut without a byte gained, and the seconds in between.
TRIES = 3
PAUSE_S = 1.0


@dataclass(frozen=True)
class Credentials:
    """Credentials for Kaggle. They print as a sentence that does not give them away.

    Examples
    --------
    >>> print(Credentials("~/.kaggle/kaggle.json", user="me", secret="1234"))
    a key was found in ~/.kaggle/kaggle.json

    Taught in notebooks/01_download.
    """

    where: str = ""  # the file (from `~` on) or the environment variables that hold them
    user: str = field(default="", repr=False)  # "" for an access token, too
    secret: str = field(default="", repr=False)  # the key or the token
    warning: str = ""  # what is wrong with them, with the mend

    @property
    def kind(self):
        """ "key", "access token", or "" for none."""
        return "key" if self.user else "access token" if self.secret else ""

    def __str__(self):
        if not self.kind:
            return self.warning or "no credentials: public data sets are downloaded without an account"
        sentence = f"{'a' if self.user else 'an'} {self.kind} was found in {self.where}"
        return f"{sentence}; {self.warning}" if self.warning else sentence


class Hidden(str):
    """A secret that a traceback with the variables of each call does not show."""

    __slots__ = ()

    def __repr__(self):
        return "(hidden)"

    def strip(self):
        """Without white space around it, and hidden as before."""
        return Hidden(super().strip())


def credentials(*, strict=False):
    """Credentials where Kaggle's clients look for them, in their order; then in the `kaggle.json` of the checkout.

    Parameters
    ----------
    strict : bool
        Raise a SerlibError where they are damaged, incomplete, or still the example. Otherwise `warning` says so.

    Returns
    -------
    Credentials. Nobody is asked whether they are valid.

    Taught in notebooks/01_download.
    """
    try:
        return _token() or _key() or Credentials()
    except SerlibError as error:
        if strict:
            raise
        return Credentials(warning=str(error))


def fetch(corpus, folder, *, show):
    """Download the archive of a `Corpus` into a folder, from where an earlier try stopped; the path of the archive.

    SerlibError says what to do where the network, Kaggle or the disk refuses, and holds no secret.
    """
    import requests
    from kagglehub.exceptions import DataCorruptionError

    login = credentials(strict=True)
    if login.warning:
        warnings.warn(str(login), stacklevel=3)
    download = _with_kaggle if login.user else _with_kagglehub
    try:
        with _only_the_bar(show):
            return download(corpus.kaggle, folder, login)
    except requests.HTTPError as error:
        fault = SerlibError(_refusal(error.response, corpus, login))
    except requests.RequestException as error:
        more = "; it goes on where it stopped" if any(folder.glob("*.zip")) else ""
        reason = f"The connection to Kaggle failed ({type(error).__name__})"
        fault = SerlibError(f"{reason}: check the network, then run this again{more}")
    except (DataCorruptionError, ValueError):  # a wrong MD5, a wrong size
        for file in folder.glob("*.zip*"):
            file.unlink()
        fault = SerlibError(f"The archive of {corpus.title} arrived damaged and was deleted; run this again")
    except OSError as error:
        fault = disk_fault(error, folder / "archive")
    # Raised here, outside of `except`: the clients' exceptions carry the request, and with it the credentials.
    raise fault


def _with_kagglehub(handle, folder, login):
    """The archive stays packed, since kagglehub would unpack it without limits."""
    import logging

    import requests
    from kagglehub.clients import download_file
    from kagglehub.handle import parse_dataset_handle
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    logging.getLogger("kagglehub").setLevel(logging.WARNING)
    archive = folder / "kagglehub.zip"
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = handle.split("/")
    tries = 0
    while True:
        size = _size(archive)
        try:
            with _client(login) as client:
                response = client.datasets.dataset_api_client.download_dataset(request)
                download_file(response, str(archive), parse_dataset_handle(handle))
            return archive
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
            tries = 1 if _size(archive) > size else tries + 1
            if tries >= TRIES:
                raise
        time.sleep(PAUSE_S)


def _with_kaggle(handle, folder, login):
    from kaggle.api.kaggle_api_extended import KaggleApi

    api = KaggleApi()
    api.build_kaggle_client = lambda: _client(login)  # else it would sign in with what it finds itself
    api.dataset_download_files(handle, path=str(folder), quiet=False)
    return folder / f"{handle.split('/')[1]}.zip"


def _client(login):
    """What both clients stand on, with a limit to its patience; KAGGLE_API_ENVIRONMENT says what it talks to."""
    from kagglesdk import KaggleClient
    from requests.adapters import HTTPAdapter

    class Patient(HTTPAdapter):
        def send(self, request, **options):
            options["timeout"] = options.get("timeout") or TIMEOUT_S
            return super().send(request, **options)

    if login.user:
        client = KaggleClient(username=login.user, password=login.secret)
    else:
        client = KaggleClient(api_token=login.secret or None)
    http = client.http_client()
    http._init_session()
    for scheme in ("https://", "http://"):
        http._session.mount(scheme, Patient())
    return client


@contextlib.contextmanager
def _only_the_bar(show):
    """Of what the clients print only the progress bar stays, on standard error; nothing where no bar is wanted."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(sys.stderr if show else nowhere),
    ):
        yield


def _refusal(response, corpus, login):
    """What to do about an answer of Kaggle's that is no archive."""
    page = f"https://www.kaggle.com/datasets/{corpus.kaggle}"
    status = response.status_code
    if status < 400:  # the client found the refusal in the body
        status = response.json().get("code")
    if status == 401 and login.kind:
        mend = f"remove it, since public data sets need none, or make a new one: {HOW}"
        return f"Kaggle does not accept the {login.kind} in {login.where} (401): {mend}"
    if status in (401, 403) and not login.kind:
        return f"Kaggle gives {corpus.kaggle} only to those who sign in ({status}): {HOW}"
    if status == 403:
        return f"Kaggle denies access to {corpus.kaggle} (403): accept its rules on {page}, then run this again"
    if status == 404:
        return f"Kaggle has no data set {corpus.kaggle} any more (404): get {corpus.title} from {corpus.homepage}"
    if status == 429 or status >= 500:
        return f"Kaggle is too busy ({status}): wait a few minutes, then run this again"
    return f"Kaggle answers {status}: download {corpus.kaggle} with the browser from {page}"


def _token():
    """An access token, where the clients look for one."""
    from kagglesdk.kaggle_env import get_access_token_from_env

    token = None
    with contextlib.suppress(OSError, ValueError):  # the error of a file that is no text holds all of it
        token, source = get_access_token_from_env()
        token = Hidden(token or "").strip()
    if token is None:
        raise SerlibError("The file with your Kaggle access token cannot be read as text; save the token there again")
    where = source if source == "KAGGLE_API_TOKEN" else "~/.kaggle/access_token"
    return Credentials(where, secret=_checked(token, where)) if token else None


def _key():
    """A name and a key: each variable that is set goes before its entry in the file, as the client has it."""
    names = ("username", "key")
    pair = {name: Hidden(os.environ.get(f"KAGGLE_{name.upper()}", "")).strip() for name in names}
    where = "KAGGLE_USERNAME and KAGGLE_KEY"
    warning = ""
    settings = os.environ.get("XDG_CONFIG_HOME", "~/.config")
    folders = [os.environ.get("KAGGLE_CONFIG_DIR") or "~/.kaggle", f"{settings}/kaggle", home()]
    files = [Path(os.path.expanduser(folder)) / "kaggle.json" for folder in folders]
    file = next((file for file in files if file.is_file()), None)
    if file and not all(pair.values()):
        where = _from_home(file)
        texts = _read(file)
        if not texts or texts["key"].startswith("YOUR_"):
            fault = "is still the example" if texts else "holds no username and key"
            raise SerlibError(f"{where} {fault}; remove it, since public data sets need none, or get your own: {HOW}")
        pair = {name: pair[name] or texts[name] for name in names}
        if os.name != "nt" and file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            warning = f"others on this machine can read it: chmod 600 {where}"
    if not any(pair.values()):
        return None
    if not all(pair.values()):
        raise SerlibError("Only one of KAGGLE_USERNAME and KAGGLE_KEY is set; set both, or none")
    if pair["key"].startswith("KGAT_"):
        raise SerlibError(
            f"The key in {where} is an access token (KGAT_...), which belongs alone into ~/.kaggle/access_token or "
            "KAGGLE_API_TOKEN; public data sets need neither"
        )
    return Credentials(where, _checked(pair["username"], where), _checked(pair["key"], where), warning)


def _read(file):
    """User name and key in a kaggle.json; None where it holds none. An exception of json would hold the whole text."""
    try:
        pair = json.loads(file.read_bytes())
        pair = {name: Hidden(pair[name]).strip() for name in ("username", "key") if isinstance(pair[name], str)}
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return pair if len(pair) == 2 and all(pair.values()) else None


def _checked(text, where):
    """Refuse what cannot stand in a header: the libraries below would quote it in their messages."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 8000:
        raise SerlibError(f"What {where} holds is no Kaggle credential (letters that none has); copy it again")
    return text


def _from_home(file):
    user = Path(os.path.expanduser("~"))
    return f"~/{file.relative_to(user).as_posix()}" if file.is_relative_to(user) else shown(file)


def _size(file):
    return file.stat().st_size if file.is_file() else 0
