"""Where Kaggle's client finds who you are. What it finds is used, and shown to nobody.

The places and their order are those of Kaggle's own client, with one more: `kaggle.json` in the checkout.
"""

import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from serlib.utils import SerlibError, home

#: Where credentials are made.
SETTINGS = "https://www.kaggle.com/settings"

#: How to get them, for messages.
HOW = (
    f"create a token on {SETTINGS} (section API) and save it as ~/.kaggle/access_token or in KAGGLE_API_TOKEN, "
    "or create a legacy key there and save its kaggle.json in ~/.kaggle (chmod 600), "
    "or set KAGGLE_USERNAME and KAGGLE_KEY"
)


@dataclass(frozen=True)
class Credentials:
    """What can be told about credentials without giving them away.

    Attributes
    ----------
    kind : str
        "access token", "key" or "login"; "" where none were found.
    where : str
        The file (from `~` on) or the environment variables that hold them.
    warning : str
        What is wrong with them, with the mend; "" where nothing is.

    Examples
    --------
    >>> print(Credentials("key", "~/.kaggle/kaggle.json"))
    a key was found in ~/.kaggle/kaggle.json

    Taught in notebooks/01_download.
    """

    kind: str = ""
    where: str = ""
    warning: str = ""

    def __bool__(self):
        return bool(self.kind)

    def __str__(self):
        if not self:
            return f"no usable Kaggle credentials: {self.warning or HOW}"
        found = f"{'an' if self.kind[0] == 'a' else 'a'} {self.kind} was found in {self.where}"
        return f"{found}; {self.warning}" if self.warning else found


def look():
    """Find credentials.

    Returns
    -------
    (Credentials, secret) : the secret is a token (str), a user name and key (tuple of str), or None (none were found,
        or a login whose token the client has to fetch).

    Raises
    ------
    SerlibError
        The place that the client would take them from is damaged, incomplete, or still holds the example.
    """
    for place in (_token, _key, _login):
        found, secret = place()
        if found:
            return found, secret
    return Credentials(), None


def status():
    """Where credentials were found, or how to get some; never what they are. Asks nobody, prints nothing.

    Returns
    -------
    Credentials. False where none were found, or where they cannot be used: then `warning` says why.

    Taught in notebooks/01_download.
    """
    try:
        return look()[0]
    except SerlibError as error:
        return Credentials(warning=str(error))


def _token():
    value = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if value and not _is_file(value):
        return Credentials("access token", "KAGGLE_API_TOKEN"), _clean(value, "KAGGLE_API_TOKEN")
    # The variable may name a file; .txt is what Windows makes of it.
    files = [Path(value)] if value else [_user() / ".kaggle" / name for name in ("access_token", "access_token.txt")]
    for file in files:
        if file.is_file() and (text := _read(file).strip()):
            return Credentials("access token", _tilde(file), _open_to_others(file)), _clean(text, _tilde(file))
    return Credentials(), None


def _key():
    user, key = (os.environ.get(f"KAGGLE_{name}", "").strip() for name in ("USERNAME", "KEY"))
    where, warning = "KAGGLE_USERNAME and KAGGLE_KEY", ""
    file = next((file for file in _key_files() if file.is_file()), None)
    if not (user and key) and file:
        told, where, warning = _told(file), _tilde(file), _open_to_others(file)
        # As the client does it, each variable that is set goes before its entry in the file.
        user, key = user or told["username"], key or told["key"]
    if not (user or key):
        return Credentials(), None
    if not (user and key):
        has, lacks = ("KAGGLE_USERNAME", "KAGGLE_KEY")[:: 1 if user else -1]
        raise SerlibError(f"{has} is set and {lacks} is not; set both")
    return Credentials("key", where, warning), (_clean(user, where), _clean(key, where))


def _key_files():
    """kaggle.json where the client looks for it, then in the checkout."""
    chosen = os.environ.get("KAGGLE_CONFIG_DIR")
    folder = Path(chosen) if chosen else _user() / ".kaggle"
    if not chosen and sys.platform.startswith("linux") and not folder.exists():
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or _user() / ".config") / "kaggle"
    return folder / "kaggle.json", home() / "kaggle.json"


def _login():
    """What `kaggle auth login` leaves: the client trades it for a token when it is needed."""
    file = _user() / ".kaggle" / "credentials.json"
    if not file.is_file():
        return Credentials(), None
    return Credentials("login", _tilde(file), _open_to_others(file)), None


def _told(file):
    """User name and key in a kaggle.json, or a SerlibError that says what is wrong with it."""
    expected = 'expected {"username": "...", "key": "..."} as in kaggle.json.example; '
    mend = f"download it again from {SETTINGS} (section API)"
    try:
        told = json.loads(_read(file))
    except ValueError:
        told = None
    if told is None:  # outside of `except`: the exception of json holds the whole text
        raise SerlibError(f"{_tilde(file)} is no JSON, {expected}{mend}")
    if not isinstance(told, dict) or not all(
        isinstance(told.get(k), str) and told[k].strip() for k in ("username", "key")
    ):
        raise SerlibError(f"{_tilde(file)} lacks username or key, {expected}{mend}")
    if told["key"].startswith("YOUR_"):
        raise SerlibError(f"{_tilde(file)} is still the example; {mend}")
    return {k: told[k].strip() for k in ("username", "key")}


def _read(file):
    """A small text file as people save it: with a byte order mark, in UTF-16 from PowerShell."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SerlibError(f"{_tilde(file)} cannot be read ({error.strerror}); mend its permissions") from None
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")


def _clean(text, where):
    """Refuse what cannot stand in a header: the libraries below would quote it in their messages."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > 8000:
        raise SerlibError(f"What {where} holds is no Kaggle credential (letters that none has); copy it again")
    return _Hidden(text)


class _Hidden(str):
    """Text for a header. A traceback that shows the variables of each call shows this one to nobody."""

    __slots__ = ()

    def __repr__(self):
        return "(hidden)"


def _open_to_others(file):
    """The warning for a file that others on the machine can read, as `kaggle` gives it; Windows has no such modes."""
    if os.name == "nt" or not file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return ""
    return f"others on this machine can read it: chmod 600 {_tilde(file)}"


def _is_file(text):
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a token may be too long for a file name
        return False


def _user():
    """The home folder as Kaggle's client sees it; Path.home() raises where there is none."""
    return Path(os.path.expanduser("~"))


def _tilde(file):
    """A path as a page that others will read may show it."""
    for top, name in ((_user(), "~"), (home(), "")):
        if file.is_relative_to(top):
            return (Path(name) / file.relative_to(top)).as_posix()
    return file.as_posix()
