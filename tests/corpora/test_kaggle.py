"""Kaggle's two real clients against a stand-in server, signed in and not; credentials that must not get out."""

import base64
import functools
import importlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import time
import traceback
import types
import warnings
import zipfile
from pathlib import Path

import filelock
import kagglehub.clients
import pytest
from kaggle_server import KaggleServer
from kagglesdk import kaggle_env

from serlib import corpora
from serlib.corpora import archives, kaggle, registry
from serlib.utils import SerlibError

USER, KEY, TOKEN = "c0ffee-user", "c0ffee-key-5157", "KGAT_c0ffee-token-5157"
BASIC = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
#: What may stand nowhere but in the header that the server receives.
SECRETS = (KEY, TOKEN, BASIC)
HANDLE = "ejlok1/toronto-emotional-speech-set-tess"
CLIPS = 14


@pytest.fixture(scope="module")
def clips(tmp_path_factory, tone_corpus):
    """Fourteen clips in the shape of TESS: {path in the archive: bytes}."""
    folder = tone_corpus(tmp_path_factory.mktemp("clips"), words=1)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.wav"))}


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """Bytes of a ZIP archive; `files` maps a name or a ZipInfo to bytes."""
    with io.BytesIO() as memory:
        with zipfile.ZipFile(memory, "w", compression) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return memory.getvalue()


@pytest.fixture(scope="module")
def archive(clips):
    """The clips as Kaggle has them: in a folder, and in the same folder again inside of it."""
    top = "TESS Toronto emotional speech set data/"
    return zipped({prefix + name: data for prefix in (top, top * 2) for name, data in clips.items()})


@pytest.fixture(autouse=True)
def _isolated(home, monkeypatch, tmp_path_factory):
    """A user of the test's own, no way to the real Kaggle, no pauses."""
    user = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USERPROFILE", str(user))
    for name in os.environ:
        if name == "XDG_CONFIG_HOME" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://localhost:9")
    monkeypatch.setattr(registry, "KAGGLE_INPUT", home / "no" / "input")
    monkeypatch.setattr(kaggle, "PAUSE_S", 0)
    client = importlib.import_module("kaggle.api.kaggle_api_extended")
    clock = types.SimpleNamespace(sleep=lambda s: None, mktime=time.mktime, time=time.time)
    monkeypatch.setattr(client, "time", clock)
    # Small pieces, so that half of a small archive arrives.
    monkeypatch.setattr(kagglehub.clients, "CHUNK_SIZE", 4096)
    in_pieces = functools.partialmethod(client.KaggleApi.download_file, chunk_size=4096)
    monkeypatch.setattr(client.KaggleApi, "download_file", in_pieces)


@pytest.fixture(autouse=True)
def _nothing_leaks(_isolated, home, capfd, caplog):
    """After each test: no secret in what it printed, logged or wrote."""
    caplog.set_level(logging.DEBUG)
    yield
    texts = [*capfd.readouterr(), caplog.text]
    texts += [path.read_bytes().decode("latin-1") for path in home.rglob("*") if path.is_file() and path.stat().st_size]
    assert not [secret for secret in SECRETS for text in texts if secret in text]


@pytest.fixture
def user():
    """The home folder of the test's user."""
    return Path.home()


@pytest.fixture
def server(archive, monkeypatch):
    """The stand-in, in the place of kaggle.com in the clients' table of addresses."""
    with KaggleServer(archive, [None, f"Basic {BASIC}", f"Bearer {TOKEN}"]) as running:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, running.url)
        yield running


def write_key(file, content=None, *, mode=0o600):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if content is not None else json.dumps({"username": USER, "key": KEY}).encode())
    file.chmod(mode)
    return file


@pytest.fixture
def key(user):
    """A good kaggle.json."""
    return write_key(user / ".kaggle" / "kaggle.json")


@pytest.fixture(params=["anonymous", "token", "key"])
def login(request, user, monkeypatch):
    """Each way to Kaggle: kagglehub without credentials, kagglehub with a token, kaggle with a kaggle.json."""
    if request.param == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    if request.param == "key":
        write_key(user / ".kaggle" / "kaggle.json")
    return {"anonymous": None, "token": f"Bearer {TOKEN}", "key": f"Basic {BASIC}"}[request.param]


def refused(call, *args, **options):
    """The one sentence of the SerlibError that a call ends in; nothing hangs on it that could hold a credential."""
    with pytest.raises(SerlibError) as caught:
        call(*args, **options)
    error, message = caught.value, str(caught.value)
    assert "\n" not in message and len(message) < 600
    text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    while error:
        text += repr(error) + repr(vars(error))
        error = error.__context__
    assert not [secret for secret in SECRETS if secret in text]
    return message


def left(home):
    """What lies in the data folder."""
    return sorted(path.name for path in (home / "data").iterdir()) if (home / "data").exists() else []


def kept(home):
    """The part of an archive that an interrupted download left."""
    (part,) = (home / "data" / ".tess.part").glob("*.zip")
    return part


# the way that should be taken


def test_download_unpacks_verifies_and_skips(server, login, home):
    folder = corpora.download("tess")
    assert folder == home / "data" / "tess"
    assert left(home) == ["tess"]
    table = corpora.index("tess")
    assert len(table) == CLIPS and table.attrs["duplicates"] == CLIPS
    assert [one["handle"] for one in server.asked if "handle" in one] == [HANDLE]
    assert server.asked[0]["authorization"] == login
    assert [one["authorization"] for one in server.downloads] == [None], "the storage must not see the credentials"
    asked = len(server.asked)
    assert corpora.download("tess") == folder
    assert len(server.asked) == asked, "what is there is not downloaded again"


@pytest.mark.parametrize("signed_in", [False, True])
def test_the_command_against_the_test_address_of_the_clients(archive, user, home, signed_in):
    """The clients' own switch: KAGGLE_API_ENVIRONMENT=TEST makes them talk to localhost:7777, their table untouched."""
    command = [sys.executable, "-m", "serlib", "download", "tess", "--from", "kaggle", "--json"]
    environment = {**os.environ, "KAGGLE_API_ENVIRONMENT": "TEST"}
    if signed_in:
        write_key(user / ".kaggle" / "kaggle.json")
    with KaggleServer(archive, [f"Basic {BASIC}" if signed_in else None], port=7777) as server:
        first, again = (
            subprocess.run(command, capture_output=True, text=True, check=False, env=environment) for _ in range(2)
        )
        assert len(server.downloads) == 1
    for done in (first, again):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"corpus": "tess", "folder": "data/tess"}
        assert KEY not in done.stdout + done.stderr
    assert len(list((home / "data" / "tess").rglob("*.wav"))) == 28


def test_download_to_a_folder(server, login, home):
    folder = corpora.download("tess", to=home / "my" / "speech.v1", show=False)
    assert len(list(folder.rglob("*.wav"))) == 2 * CLIPS
    assert [path.name for path in (home / "my").iterdir()] == ["speech.v1"]
    asked = len(server.asked)
    assert corpora.download("tess", to=folder) == folder
    assert len(server.asked) == asked


def test_force_and_files_that_were_taken_away(server, login, home):
    folder = corpora.download("tess")
    first = next(folder.rglob("*.wav"))
    first.write_bytes(b"")
    assert corpora.download("tess", force=True) == folder
    assert first.stat().st_size
    first.unlink()
    assert corpora.download("tess") == folder
    assert first.exists()
    assert len(server.downloads) == 3 and left(home) == ["tess"]


@pytest.mark.parametrize("show", [True, False])
def test_only_the_bar_is_seen(server, login, capfd, show):
    corpora.download("tess", show=show)
    out, err = capfd.readouterr()
    assert out == "" and ("100%" in err) == show
    assert "Dataset URL" not in err and "Downloading to" not in err


def test_the_index_takes_what_a_kaggle_kernel_mounts(server, tmp_path, clips, monkeypatch):
    mounted = tmp_path / "input"
    monkeypatch.setattr(registry, "KAGGLE_INPUT", mounted)
    mounted.mkdir()
    message = refused(corpora.download, "tess")
    assert "Add Input" in message and HANDLE in message
    place = mounted / HANDLE.split("/")[1]
    for name, data in clips.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    assert corpora.download("tess") == place
    assert not server.asked


# credentials


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o604])
def test_kaggle_json_and_its_mode(server, user, mode):
    write_key(user / ".kaggle" / "kaggle.json", mode=mode)
    found = kaggle.credentials()
    assert (found.kind, found.where) == ("key", "~/.kaggle/kaggle.json")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        corpora.download("tess")
    said = [str(one.message) for one in caught if "kaggle" in str(one.message)]
    if mode == 0o600:
        assert not said and not found.warning
    else:
        assert len(said) == 1 and "chmod 600 ~/.kaggle/kaggle.json" in said[0] and found.warning in said[0]


def test_places_in_the_order_of_the_clients(server, user, home, monkeypatch):
    """Each place is found when those before it are gone, and signs the request."""
    folder = user / ".kaggle"
    write_key(folder / "access_token", f"{TOKEN}\n".encode())
    write_key(folder / "access_token.txt", TOKEN.encode())
    write_key(folder / "kaggle.json")
    write_key(user / "chosen" / "kaggle.json")
    write_key(user / ".config" / "kaggle" / "kaggle.json")
    write_key(home / "kaggle.json")
    write_key(user / "token file", TOKEN.encode())
    key = ("key", f"Basic {BASIC}")
    token = ("access token", f"Bearer {TOKEN}")

    def signs(where, kind):
        found = kaggle.credentials()
        assert (found.where, found.kind) == (where, kind[0])
        assert not [secret for secret in (USER, *SECRETS) if secret in f"{found}{found!r}"]
        corpora.download("tess", force=True)
        assert server.asked[-2]["authorization"] == kind[1]

    for value in (TOKEN, str(user / "token file")):
        with monkeypatch.context() as patch:
            patch.setenv("KAGGLE_API_TOKEN", value)
            signs("KAGGLE_API_TOKEN", token)
    for name in ("access_token", "access_token.txt"):
        signs("~/.kaggle/access_token", token)
        (folder / name).unlink()
    with monkeypatch.context() as patch:
        patch.setenv("KAGGLE_USERNAME", USER)
        patch.setenv("KAGGLE_KEY", KEY)
        signs("KAGGLE_USERNAME and KAGGLE_KEY", key)
    with monkeypatch.context() as patch:
        patch.setenv("KAGGLE_CONFIG_DIR", str(user / "chosen"))
        signs("~/chosen/kaggle.json", key)
    signs("~/.kaggle/kaggle.json", key)
    (folder / "kaggle.json").unlink()
    signs("~/.config/kaggle/kaggle.json", key)
    (user / ".config" / "kaggle" / "kaggle.json").unlink()
    signs("kaggle.json", key)
    (home / "kaggle.json").unlink()
    signs("", ("", None))


@pytest.mark.parametrize(
    "content, says",
    [
        (b"{", "holds no username and key"),
        (f'"{KEY}'.encode(), "holds no username and key"),
        (b"", "holds no username and key"),
        (b"\xff\xfe\x00", "holds no username and key"),
        (b"[1]", "holds no username and key"),
        (b'{"username": "me"}', "holds no username and key"),
        (b'{"username": "me", "key": 5157}', "holds no username and key"),
        (f'{{"username": " ", "key": "{KEY}"}}'.encode(), "holds no username and key"),
        (f'{{"username": "me", "key": "{KEY}\\nX-Injected: 1"}}'.encode(), "letters that none has"),
        (f'{{"username": "me", "key": "{KEY}\u2019"}}'.encode(), "letters that none has"),
        (json.dumps({"username": USER, "key": TOKEN}).encode(), "is an access token (KGAT_...)"),
    ],
)
def test_a_kaggle_json_that_is_none(server, user, content, says):
    write_key(user / ".kaggle" / "kaggle.json", content)
    message = refused(corpora.download, "tess")
    assert says in message and "~/.kaggle/kaggle.json" in message
    found = kaggle.credentials()
    assert not found.kind and says in found.warning and str(found) == found.warning
    assert not server.asked


def test_a_token_in_a_kaggle_json_is_explained(server, user):
    write_key(user / ".kaggle" / "kaggle.json", json.dumps({"username": USER, "key": TOKEN}).encode())
    message = refused(corpora.download, "tess")
    assert "~/.kaggle/access_token" in message and "KAGGLE_API_TOKEN" in message


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_kaggle_json_as_windows_saves_it(server, user, encoding):
    content = json.dumps({"username": USER, "key": f"{KEY}\n"}).encode(encoding)
    write_key(user / ".kaggle" / "kaggle.json", content)
    corpora.download("tess")
    assert server.asked[0]["authorization"] == f"Basic {BASIC}"


def test_the_example_is_what_the_client_expects_and_is_no_credential(user):
    example = Path(__file__).parents[2] / "kaggle.json.example"
    assert sorted(json.loads(example.read_text())) == ["key", "username"]
    write_key(user / ".kaggle" / "kaggle.json", example.read_bytes())
    assert "still the example" in refused(corpora.download, "tess")


def test_half_of_the_variables(user, monkeypatch, server):
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert "Only one of KAGGLE_USERNAME and KAGGLE_KEY" in refused(corpora.download, "tess")
    write_key(user / ".kaggle" / "kaggle.json", json.dumps({"username": USER, "key": "old"}).encode())
    corpora.download("tess")
    assert server.asked[0]["authorization"] == f"Basic {BASIC}", "a variable goes before its entry in the file"


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Injected: 1", f"{TOKEN}\u2019", f"{TOKEN} {TOKEN}", TOKEN * 500])
def test_a_token_that_no_header_can_hold(server, monkeypatch, token):
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    message = refused(corpora.download, "tess")
    assert "KAGGLE_API_TOKEN holds is no Kaggle credential" in message or "cannot be read" in message
    assert not server.asked


def test_a_token_file_that_is_no_text(server, user):
    write_key(user / ".kaggle" / "access_token", TOKEN.encode("utf-16"))
    assert "cannot be read as text" in refused(corpora.download, "tess")


# refusals

SIGN_IN = ["Generate New Token", "~/.kaggle/access_token", "KAGGLE_API_TOKEN", "kaggle.json", "chmod 600"]


@pytest.mark.parametrize("status", [401, 403])
def test_only_where_kaggle_asks_it_is_said_how_to_sign_in(server, home, status):
    server.always = [status]
    message = refused(corpora.download, "tess")
    assert all(word in message for word in [f"({status})", HANDLE, *SIGN_IN])
    assert len(server.asked) == 1 and not left(home)


@pytest.mark.parametrize(
    "status, says",
    [
        (401, ["(401)", "~/.kaggle/kaggle.json", "https://www.kaggle.com/settings", "need none"]),
        (403, ["(403)", f"https://www.kaggle.com/datasets/{HANDLE}", "rules"]),
    ],
)
def test_refusals_of_those_who_sign_in(server, key, home, status, says):
    server.always = [status]
    message = refused(corpora.download, "tess")
    assert all(word in message for word in says), message
    assert len(server.asked) == 1 and not left(home)


@pytest.mark.parametrize(
    "status, says",
    [
        (404, ["(404)", HANDLE, "https://doi.org"]),
        (429, ["(429)", "wait a few minutes"]),
        (500, ["(500)", "wait a few minutes"]),
        (503, ["(503)", "wait a few minutes"]),
        (418, ["418", "browser"]),
    ],
)
def test_other_refusals_name_the_mend(server, login, home, status, says):
    server.always = [status]
    message = refused(corpora.download, "tess")
    assert all(word in message for word in says), message
    assert len(server.asked) == 1 and not left(home)


def test_wrong_key_and_wrong_token(server, user, monkeypatch):
    write_key(user / ".kaggle" / "kaggle.json", json.dumps({"username": USER, "key": f"{KEY}x"}).encode())
    assert "(401)" in refused(corpora.download, "tess")
    monkeypatch.setenv("KAGGLE_API_TOKEN", f"{TOKEN}x")
    message = refused(corpora.download, "tess")
    assert "(401)" in message and "KAGGLE_API_TOKEN" in message


def test_no_network(login, home):
    message = refused(corpora.download, "tess")
    assert "The connection to Kaggle failed" in message and "check the network" in message
    assert not left(home)


def test_a_web_page_in_the_place_of_kaggle(server, login, home):
    server.always = ["page"]
    message = refused(corpora.download, "tess")
    assert "is damaged" in message and "wants a sign-in" in message
    assert not left(home)


# interruptions


def test_a_cut_connection_is_taken_up(server, login, archive):
    whole_first = [""] if kaggle.credentials().kind != "key" else []  # kagglehub asks for the whole before the rest
    server.faults = ["cut", *whole_first, "cut"]
    assert len(corpora.index("tess", corpora.download("tess"))) == CLIPS
    ranges = [int(one["range"][6:-1]) for one in server.downloads if one["range"]]
    assert len(ranges) == 2
    assert len(archive) // 3 <= ranges[0] <= len(archive) // 2 < ranges[1]
    assert not [one for one in server.downloads if one["authorization"]]


def test_an_interrupted_download_goes_on_in_the_next_call(server, login, home, archive):
    server.faults, server.always = ["cut"], ["cut at once"]
    message = refused(corpora.download, "tess")
    assert "goes on where it stopped" in message
    assert left(home) == [".tess.part"], "no half folder, nothing taken for whole"
    assert not corpora.present("tess")
    have = kept(home).stat().st_size
    assert have > len(archive) // 3
    server.always = []
    corpora.download("tess")
    assert server.downloads[-1]["range"] == f"bytes={have}-"
    assert left(home) == ["tess"]


def test_the_interrupt_key_while_unpacking(server, login, home, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(zipfile.ZipFile, "extract", interrupt)
        corpora.download("tess")
    assert left(home) == [".tess.part"]
    asked = len(server.asked)
    corpora.download("tess")
    assert len(server.asked) == asked, "the archive was there already"
    assert left(home) == ["tess"]


@pytest.mark.parametrize(
    "faults", [["cut", "", "no range"], ["cut", "", "416"], ["cut", "", "piece"], ["cut and change"]], ids="-".join
)
def test_an_answer_that_does_not_go_on_is_not_mixed(server, login, home, clips, faults):
    """Half of the archive is there, and the storage sends another piece than asked for, the whole, or a new archive."""
    server.update = zipped({name: data[:44] + data[:43:-1] for name, data in clips.items()})
    if kaggle.credentials().kind == "key":
        faults = [fault for fault in faults if fault]  # kaggle asks for the rest at once
    server.faults = faults
    for _ in range(2):
        try:
            folder = corpora.download("tess")
            break
        except SerlibError as error:
            assert "damaged" in str(error)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")}
    with zipfile.ZipFile(io.BytesIO(server.archive)) as opened:
        assert files == {name: opened.read(name) for name in opened.namelist()}


def test_an_archive_that_changed_meanwhile_is_not_mixed(server, login, home, clips):
    server.faults, server.always = ["cut"], ["cut at once"]
    refused(corpora.download, "tess")
    server.always, server.tag, server.archive = [], "v2", zipped(clips)
    for _ in range(2):
        try:
            folder = corpora.download("tess")
            break
        except SerlibError as error:
            assert "damaged" in str(error)
    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")} == clips


def test_a_part_of_something_else_is_not_trusted(server, login, home, archive):
    for name in ("kagglehub.zip", f"{HANDLE.split('/')[1]}.zip"):
        part = home / "data" / ".tess.part" / name
        part.parent.mkdir(parents=True)
        part.write_bytes(b"of something else")
        for _ in range(2):
            try:
                folder = corpora.download("tess", force=True)
                break
            except SerlibError as error:
                assert "damaged" in str(error)
        assert len(list(folder.rglob("*.wav"))) == 2 * CLIPS


def test_a_server_that_falls_silent(server, login, monkeypatch):
    monkeypatch.setattr(kaggle, "TIMEOUT_S", (5, 0.2))
    server.faults = ["stall"]
    start_s = time.monotonic()
    assert len(corpora.index("tess", corpora.download("tess"))) == CLIPS
    assert server.downloads[-1]["range"] and time.monotonic() - start_s < 10


def test_a_length_that_is_never_reached(server, login, home):
    server.always = ["long"]
    refused(corpora.download, "tess")
    assert "tess" not in left(home)


@pytest.mark.parametrize("fault", ["short", "damaged"])
def test_a_damaged_archive_is_thrown_away(server, login, home, fault):
    server.faults = [fault]
    message = refused(corpora.download, "tess")
    assert "is damaged" in message and "download it again" in message
    assert left(home) == [], "a damaged archive is not kept, or it would be damaged for ever"
    assert len(corpora.index("tess", corpora.download("tess"))) == CLIPS


@pytest.mark.parametrize("login", ["anonymous", "token"], indirect=True)
def test_a_wrong_md5(server, login, home):
    server.faults = ["wrong md5"]
    assert "arrived damaged" in refused(corpora.download, "tess")
    assert left(home) == []


def test_two_at_once(server, login, home):
    (home / "data" / ".tess.part").mkdir(parents=True)
    with filelock.FileLock(home / "data" / ".tess.part" / "lock"):
        assert "Another download of tess is running" in refused(corpora.download, "tess")
    corpora.download("tess")
    assert left(home) == ["tess"]


def test_a_kill_after_unpacking_leaves_an_archive_that_the_next_call_deletes(server, login, home, monkeypatch):
    def killed(path):
        if path.name == ".tess.part":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives, "remove", killed)
        corpora.download("tess")
    assert left(home) == [".tess.part", "tess"]
    asked = len(server.asked)
    assert corpora.download("tess") == home / "data" / "tess"
    assert left(home) == ["tess"] and len(server.asked) == asked


def test_half_of_a_new_download_stays_beside_the_old_folder(server, login, home):
    corpora.download("tess")
    server.faults, server.always = ["cut"], ["cut at once"]
    refused(corpora.download, "tess", force=True)
    have = kept(home).stat().st_size
    corpora.download("tess")
    assert kept(home).stat().st_size == have
    server.always = []
    corpora.download("tess", force=True)
    assert server.downloads[-1]["range"] == f"bytes={have}-"


def test_a_kill_while_a_folder_is_replaced_leaves_no_half_folder(server, login, home, monkeypatch):
    """Removed file by file, its mark first, half a folder would pass for one's own."""
    folder = corpora.download("tess")
    real = os.replace

    def killed(old, new):
        if Path(new) == folder:
            raise KeyboardInterrupt
        real(old, new)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives.os, "replace", killed)
        corpora.download("tess", force=True)
    assert not folder.exists()
    corpora.download("tess")
    assert left(home) == ["tess"] and len(list(folder.rglob("*.wav"))) == 2 * CLIPS


# the disk


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try")
def test_a_full_disk_while_downloading(server, login, home, monkeypatch):
    names = {"kagglehub.zip", f"{HANDLE.split('/')[1]}.zip"}

    def opened(path, mode="r", *args, **options):
        if Path(path).name in names and mode in ("wb", "ab"):
            return open("/dev/full", "wb", buffering=0)
        return open(path, mode, *args, **options)

    with monkeypatch.context() as patch:
        for client in ("kagglehub.clients", "kaggle.api.kaggle_api_extended"):
            patch.setattr(importlib.import_module(client), "open", opened, raising=False)
        message = refused(corpora.download, "tess")
    assert "disk" in message and "full" in message and "make room" in message
    corpora.download("tess")


def test_too_little_room_to_unpack_keeps_what_was_downloaded(server, login, home, monkeypatch):
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(home)
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        message = refused(corpora.download, "tess")
    assert "make room" in message and "0.001 MB left" in message
    assert left(home) == [".tess.part"]
    corpora.download("tess")
    assert len(server.downloads) == 1
    assert left(home) == ["tess"]


def test_the_archive_of_another_corpus(server, login, home, clips):
    server.archive = zipped({"Actor_01/03-01-05-01-01-01-01.wav": next(iter(clips.values()))})
    message = refused(corpora.download, "tess")
    assert "holds ravdess" in message and left(home) == []


def test_the_command_answers_with_one_sentence(server, monkeypatch, capfd):
    from serlib import __main__ as cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["serlib", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code or 0, *capfd.readouterr()

    server.faults = [403]
    code, out, err = run("download", "tess", "--json")
    assert code == 1 and "(403)" in json.loads(out)["error"] and err.count("\n") == 1 and "Traceback" not in err
    code, out, err = run("download", "tess", "--json")
    assert code == 0 and json.loads(out) == {"corpus": "tess", "folder": "data/tess"}


def test_credentials_print_as_a_sentence():
    token = kaggle.Credentials("KAGGLE_API_TOKEN", secret=TOKEN)
    assert str(token) == "an access token was found in KAGGLE_API_TOKEN" and TOKEN not in repr(token)
    assert str(kaggle.Credentials()) == "no credentials: public data sets are downloaded without an account"
