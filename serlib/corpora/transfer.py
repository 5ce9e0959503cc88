"""Bring the archive of a Kaggle data set to the disk: signed in, timed, resumed, its size and MD5 checked.

Who you are and what is asked for goes through Kaggle's own client (`kagglesdk`, the part of the package `kaggle` that
talks to Kaggle; `kaggle` itself signs in while it is imported). The archive that the client is then sent to is received
here: the client, depending on its version, holds it whole in memory, cannot resume, or tries a full disk for a minute.
"""

import base64
import contextlib
import hashlib
import json
import re
import time

import requests
from kagglesdk import KaggleClient
from kagglesdk.datasets.services.dataset_api_service import DatasetApiClient
from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest
from kagglesdk.kaggle_http_client import KaggleHttpClient
from requests.adapters import HTTPAdapter

from serlib.corpora.credentials import HOW, SETTINGS
from serlib.utils import SerlibError, disk_fault, progress, shown

#: Seconds to wait for a connection, and for the next bytes; the client itself would wait for ever.
TIMEOUT_S = (15, 60)

#: A cut connection is taken up again so often in all, and so often in a row without a byte gained.
TRIES, IDLE_TRIES = 100, 3

#: Seconds before the next try; twice as long after each try in a row that gained nothing.
PAUSE_S = 1.0

_BLOCK = 2**16


def fetch(known, part, found, secret, *, show=None):
    """Bring the archive of a corpus to `part`, from where an earlier try of the same archive stopped.

    Beside it lies `part`.json, which says what archive the bytes belong to. Both stay after an interruption.

    Parameters
    ----------
    known : serlib.corpora.Corpus
    part : Path
    found, secret
        From `serlib.corpora.credentials.look`.
    show : bool, optional
        Progress bar.

    Raises
    ------
    SerlibError
        No network, a refusal of Kaggle's, no room, a wrong MD5; the message says what to do.
    """
    most, idle, gained = _size(part), 0, False
    for _ in range(TRIES):
        fault = cut = None
        try:
            with _Http(_auth(found, secret)) as http:
                return _receive(http, known, part, show)
        except requests.HTTPError as error:
            fault = SerlibError(_refused(error.response, known, part, found))
        except requests.RequestException as error:
            cut = type(error).__name__
        except OSError as error:
            fault = disk_fault(error, part)
        # Raised here, outside of `except`: the client's exceptions carry the request, and with it the credentials.
        if fault:
            raise fault
        idle = 0 if _size(part) > most else idle + 1
        gained, most = gained or not idle, max(most, _size(part))
        if idle > (IDLE_TRIES if gained else 0):
            break
        time.sleep(PAUSE_S * 2**idle)
    kept = f"; {most / 1e6:.3g} MB are kept in {shown(part)}" if most else ""
    what = "The connection to Kaggle was cut" if gained else "Kaggle cannot be reached"
    raise SerlibError(f"{what} ({cut}): check the network (or the proxy), then run this again{kept}")


def _receive(http, known, part, show):
    """Ask for the archive and write it, from where an earlier try of the same archive stopped."""
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = known.kaggle.split("/")
    response = DatasetApiClient(http).download_dataset(request)
    if re.match(r"text/html|application/json", response.headers.get("Content-Type", "")):
        raise SerlibError(
            "Kaggle's place is taken by a web page (a network that wants a sign-in, or a proxy): open "
            f"https://www.kaggle.com in the browser, then run this again (asked for {known.kaggle})"
        )
    told = response.headers.get("x-goog-hash", "")
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() else None
    # Strong proof that the bytes at hand belong to the archive that is offered now, or else they are not used.
    state = {"archive": known.kaggle, "is": response.headers.get("ETag") or response.headers.get("Last-Modified")}
    state["size"] = size
    have = _size(part) if state["is"] and _state(part) == state else 0
    if size is None or have != size:
        if have and (size is None or have < size):
            response.close()
            response, have = http.go_on(response, have, state["is"])
        else:
            have = 0
        if not have:
            open(part, "wb").close()  # first, lest bytes of another archive pass for this one's
        _state_file(part).write_text(json.dumps(state))
        _write(response, part, have, size, known.name, show)
    if size is not None and _size(part) != size:
        raise requests.ConnectionError  # cut where the transport did not notice
    _check_md5(told, part)


class _Http(KaggleHttpClient):
    """Kaggle's HTTP client with the credentials that we found, a time limit, and the body left in the line."""

    def __init__(self, auth):
        super().__init__()  # talks to kaggle.com, or to what KAGGLE_API_ENVIRONMENT says
        self._auth = auth

    def _init_session(self):
        if self._session is None:
            super()._init_session()
            self._session.stream = True
            self._session.headers["Accept-Encoding"] = "identity"  # a place in the file is a place in the line
            for scheme in ("https://", "http://"):
                self._session.mount(scheme, _Patient())
        return self._session

    def _try_fill_auth(self):
        self._session.auth = self._auth

    def go_on(self, response, have, validator):
        """Ask again for what is missing, of the same archive; (response, how many bytes before it stay)."""
        request = response.request.copy()
        request.headers["Range"] = f"bytes={have}-"
        settings = self._session.merge_environment_settings(request.url, {}, True, None, None)
        again = self._session.send(request, **settings)
        if again.status_code == 416:  # nothing lies there: start anew
            again = self._session.send(response.request, **settings)
        again.raise_for_status()
        part = again.status_code == 206
        place = again.headers.get("Content-Range", "").startswith(f"bytes {have}-") or not part
        if not place or validator not in (again.headers.get("ETag"), again.headers.get("Last-Modified")):
            raise requests.ConnectionError  # another piece than we asked for, or of another archive
        return again, have if part else 0


class _Patient(HTTPAdapter):
    """Waits, but not for ever."""

    def send(self, request, **options):
        options["timeout"] = options.get("timeout") or TIMEOUT_S
        return super().send(request, **options)


def _write(response, part, have, size, name, show):
    with progress(total=size, desc=f"download {name}", unit="B", show=show) as bar:
        bar.unit_scale, bar.n, bar.initial = True, have, have
        with open(part, "ab" if have else "wb") as file:
            for block in response.iter_content(_BLOCK):
                file.write(block)
                bar.update(len(block))


def _check_md5(told, part):
    """Compare with the MD5 that Kaggle's storage gives (`x-goog-hash: crc32c=...,md5=...`), where it does."""
    told = re.search(r"\bmd5=([\w+/=]+)", told, re.ASCII)
    if not told:
        return
    digest = hashlib.md5(usedforsecurity=False)
    with open(part, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    if base64.b64encode(digest.digest()).decode() != told[1]:
        forget(part)
        raise SerlibError(f"{shown(part)} is damaged (its MD5 is not Kaggle's) and was deleted; run this again")


def _auth(found, secret):
    """What the session signs its requests with."""
    if isinstance(secret, tuple):
        return secret
    return KaggleHttpClient.BearerAuth(secret or _traded(found))


def _traded(found):
    """The token of `kaggle auth login`, which the client renews every twelve hours."""
    token = None
    with contextlib.suppress(ImportError, ValueError, KeyError, TypeError, AttributeError):
        from kagglesdk import KaggleCredentials  # not in the clients for Python 3.10

        token = KaggleCredentials.load(client=KaggleClient()).get_access_token()
    if not token:
        raise SerlibError(f"The login in {found.where} cannot be used; run `kaggle auth login` again, or {HOW}")
    return token


def _refused(response, known, part, found):
    """What to do about an answer of Kaggle's that is no archive."""
    page = f"https://www.kaggle.com/datasets/{known.kaggle}"
    archive = part.with_suffix("")
    status = response.status_code
    if status < 400:  # the client found the refusal in the body
        status = response.json().get("code")
    if status == 401:
        new = "run `kaggle auth login` again" if found.kind == "login" else f"make a new one on {SETTINGS}"
        return f"Kaggle does not accept the {found.kind} in {found.where} (401): {new} and put it there, or correct it"
    if status == 403:
        return f"Kaggle denies access to {known.kaggle} (403): sign in on {page}, accept its rules, then run this again"
    if status == 404:
        folder = shown(archive.with_suffix(""))
        mend = f"get {known.title} from {known.homepage} and unpack it into {folder}"
        return f"Kaggle has no data set {known.kaggle} any more (404): {mend}"
    if status == 429:
        told = response.headers.get("Retry-After", "")
        wait = f"{told} s" if told.isascii() and told.isdecimal() else "a few minutes"
        return f"Kaggle asks for a pause (429, too many requests): wait {wait}, then run this again; it goes on"
    if status >= 500:
        return f"Kaggle has a fault of its own ({status}): wait a few minutes, then run this again; it goes on"
    return (
        f"Kaggle answers {status}: download {known.kaggle} with the browser from {page} and save it as {shown(archive)}"
    )


def _size(part):
    return part.stat().st_size if part.is_file() else 0


def _state_file(part):
    return part.with_name(part.name + ".json")


def _state(part):
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_state_file(part).read_text())


def complete(part):
    """Whether all of an archive was brought."""
    return (_state(part) or {}).get("size") == _size(part)


def forget(part):
    """Delete what was brought."""
    for file in (part, _state_file(part)):
        file.unlink(missing_ok=True)
