"""The real client against a stand-in server, archives made to do harm, and credentials that must not get out."""

import base64
import contextlib
import io
import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import time
import traceback
import warnings
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kaggle_server import KaggleServer
from kagglesdk import kaggle_env

from serlib import corpora
from serlib.corpora import archives, credentials, kaggle, registry, transfer
from serlib.utils import SerlibError

USER, KEY, TOKEN = "c0ffee-user", "c0ffee-key-5157", "KGAT_c0ffee-token-5157"
BASIC = base64.b64encode(f"{USER}:{KEY}".encode()).decode()
#: What may stand nowhere but in the header that the server receives.
SECRETS = (KEY, TOKEN, BASIC)
HANDLE = "ejlok1/toronto-emotional-speech-set-tess"
CLIPS = 14
#: `kaggle auth login` came after the last client for Python 3.10 (kaggle 1.7.4.5), where it is refused in one sentence.
KNOWS_LOGIN = hasattr(kaggle_env, "get_access_token_from_env")


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
    """A user of the test's own, no way to the real Kaggle, no pauses, small blocks."""
    user = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.setenv("USERPROFILE", str(user))
    for name in os.environ:
        if name == "XDG_CONFIG_HOME" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://localhost:9")
    monkeypatch.setattr(registry, "KAGGLE_INPUT", home / "no" / "input")
    monkeypatch.setattr(transfer, "PAUSE_S", 0)
    monkeypatch.setattr(transfer, "_BLOCK", 4096)


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
    """The stand-in, in the place of kaggle.com in the client's table of addresses."""
    with KaggleServer(archive, [f"Basic {BASIC}", f"Bearer {TOKEN}"]) as running:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, running.url)
        yield running


@pytest.fixture
def key(user):
    """A good kaggle.json."""
    return write_key(user / ".kaggle" / "kaggle.json")


def write_key(file, content=None, *, mode=0o600):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if content is not None else json.dumps({"username": USER, "key": KEY}).encode())
    file.chmod(mode)
    return file


def refused(call, *args, **options):
    """The one sentence of the SerlibError that a call ends in; nothing hangs on it that could hold a credential."""
    with pytest.raises(SerlibError) as caught:
        call(*args, **options)
    error, message = caught.value, str(caught.value)
    assert "\n" not in message and len(message) < 600
    text = "".join(traceback.format_exception(error))
    while error:
        text += repr(error) + repr(vars(error))
        error = error.__context__
    assert not [secret for secret in SECRETS if secret in text]
    return message


def left(home):
    """What lies in the data folder."""
    return sorted(path.name for path in (home / "data").iterdir()) if (home / "data").exists() else []


# the way that should be taken


def test_download_unpacks_verifies_and_skips(server, key, home):
    folder = kaggle.download("tess")
    assert folder == home / "data" / "tess"
    assert left(home) == ["tess"]
    table = corpora.index("tess")
    assert len(table) == CLIPS
    assert table.attrs["duplicates"] == CLIPS
    assert [one["handle"] for one in server.asked if "handle" in one] == [HANDLE]
    assert server.asked[0]["authorization"] == f"Basic {BASIC}"
    assert [one["authorization"] for one in server.downloads] == [None], "the storage must not see the credentials"
    asked = len(server.asked)
    assert kaggle.download("tess") == folder
    assert len(server.asked) == asked, "what is there is not downloaded again"


@pytest.mark.skipif(
    not hasattr(kaggle_env.KaggleEnv, "TEST"), reason="the clients for Python 3.10 have no test address"
)
def test_the_command_against_the_test_address_of_the_client(archive, key, home):
    """The client's own switch: KAGGLE_API_ENVIRONMENT=TEST makes it talk to localhost:7777, its table untouched."""
    command = [sys.executable, "-m", "serlib", "download", "tess", "--json"]
    environment = {**os.environ, "KAGGLE_API_ENVIRONMENT": "TEST"}
    with KaggleServer(archive, [f"Basic {BASIC}"], port=7777) as server:
        first, again = (
            subprocess.run(command, capture_output=True, text=True, check=False, env=environment) for _ in range(2)
        )
        assert len(server.downloads) == 1
    for done in (first, again):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["folder"] == "data/tess"
        assert KEY not in done.stdout + done.stderr
    assert len(list((home / "data" / "tess").rglob("*.wav"))) == 28


def test_download_to_a_folder_keeping_the_archive(server, key, home, archive):
    folder = kaggle.download("tess", to=home / "my" / "speech.v1", keep_archive=True, show=False)
    assert len(list(folder.rglob("*.wav"))) == 2 * CLIPS
    assert (home / "my" / "speech.v1.zip").read_bytes() == archive
    assert sorted(path.name for path in (home / "my").iterdir()) == ["speech.v1", "speech.v1.zip"]
    asked = len(server.asked)
    assert kaggle.download("tess", to=folder) == folder
    assert len(server.asked) == asked


def test_force_and_files_that_were_taken_away(server, key, home):
    folder = kaggle.download("tess")
    first = next(folder.rglob("*.wav"))
    first.write_bytes(b"")
    assert kaggle.download("tess", force=True) == folder
    assert first.stat().st_size
    first.unlink()
    assert kaggle.download("tess") == folder
    assert first.exists()
    assert len(server.downloads) == 3


def test_an_archive_from_the_browser_needs_no_account(home, archive):
    (home / "data").mkdir()
    (home / "data" / "tess.zip").write_bytes(archive)
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS
    assert left(home) == ["tess", "tess.zip"], "the user's own archive stays"


def test_progress_counts_bytes(server, key, monkeypatch, archive):
    bars = []

    def bar(*args, **options):
        bars.append(real(*args, **options))
        return bars[-1]

    real = transfer.progress
    monkeypatch.setattr(transfer, "progress", bar)
    server.faults = ["cut"]
    kaggle.download("tess", show=True)
    assert [bar.total for bar in bars] == [len(archive)] * 2
    assert bars[1].n == len(archive)
    assert 0 < bars[1].initial <= len(archive) // 2, "the second bar starts where the first one stopped"


def test_the_index_takes_what_a_kaggle_kernel_mounts(server, tmp_path, clips, monkeypatch):
    mounted = tmp_path / "input"
    monkeypatch.setattr(registry, "KAGGLE_INPUT", mounted)
    mounted.mkdir()
    message = refused(kaggle.download, "tess")
    assert "Add Input" in message and HANDLE in message
    place = mounted / HANDLE.split("/")[1]
    for name, data in clips.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    assert kaggle.download("tess") == place
    assert not server.asked


# credentials


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o604])
def test_kaggle_json_and_its_mode(server, user, mode):
    write_key(user / ".kaggle" / "kaggle.json", mode=mode)
    found = kaggle.credentials()
    assert (found.kind, found.where) == ("key", "~/.kaggle/kaggle.json")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kaggle.download("tess")
    said = [str(one.message) for one in caught if "kaggle" in str(one.message)]
    if mode == 0o600:
        assert not said and not found.warning
    else:
        assert len(said) == 1 and "chmod 600 ~/.kaggle/kaggle.json" in said[0] and found.warning in said[0]


def test_places_in_the_order_of_the_client(server, user, home, monkeypatch):
    """Each place is found when those before it are gone, and signs the request."""
    folder = user / ".kaggle"
    write_key(folder / "access_token", f"{TOKEN}\n".encode())
    write_key(folder / "access_token.txt", TOKEN.encode())
    write_key(folder / "kaggle.json")
    write_key(user / "chosen" / "kaggle.json")
    write_key(home / "kaggle.json")
    write_key(user / "token file", TOKEN.encode())
    write_login(folder / "credentials.json")
    key = ("key", f"Basic {BASIC}")
    token = ("access token", f"Bearer {TOKEN}")

    def signs(where, kind):
        found = kaggle.credentials()
        assert (found.where, found.kind) == (where, kind[0])
        assert not [secret for secret in (USER, *SECRETS) if secret in f"{found}{found!r}{vars(found)}"]
        kaggle.download("tess", force=True)
        assert server.asked[-2]["authorization"] == kind[1]

    with monkeypatch.context() as patch:
        patch.setenv("KAGGLE_API_TOKEN", TOKEN)
        signs("KAGGLE_API_TOKEN", token)
        patch.setenv("KAGGLE_API_TOKEN", str(user / "token file"))
        signs("~/token file", token)
    for name in ("access_token", "access_token.txt"):
        signs(f"~/.kaggle/{name}", token)
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
    signs("kaggle.json", key)
    (home / "kaggle.json").unlink()
    if KNOWS_LOGIN:
        signs("~/.kaggle/credentials.json", ("login", f"Bearer {TOKEN}"))
    else:
        assert "kaggle auth login" in refused(kaggle.download, "tess", force=True)
    shutil.rmtree(folder)
    if sys.platform.startswith("linux"):
        write_key(user / ".config" / "kaggle" / "kaggle.json")
        signs("~/.config/kaggle/kaggle.json", key)
        shutil.rmtree(user / ".config")
    assert not kaggle.credentials()
    assert "https://www.kaggle.com/settings" in str(kaggle.credentials())


def write_login(file, *, token=TOKEN, hours=5):
    until = datetime.now(UTC) + timedelta(hours=hours)
    told = {"refresh_token": "refresh", "access_token": token, "access_token_expiration": until.isoformat()}
    return write_key(file, json.dumps({**told, "username": USER}).encode())


def test_a_login_is_renewed_or_refused(server, user):
    file = write_login(user / ".kaggle" / "credentials.json", token="old", hours=-13)
    server.trades = {"refresh": TOKEN}
    if KNOWS_LOGIN:
        kaggle.download("tess")
        assert server.asked[-2]["authorization"] == f"Bearer {TOKEN}"
    write_login(file, token="old", hours=-13)
    server.trades = {}
    message = refused(kaggle.download, "tess", force=True)
    assert "kaggle auth login" in message and "~/.kaggle/credentials.json" in message
    for content in (b"[]", b"{", b'{"refresh_token": "x", "access_token_expiration": "soon"}'):
        write_key(file, content)
        assert "kaggle auth login" in refused(kaggle.download, "tess", force=True)


def test_missing_credentials_say_every_way(server, home):
    message = refused(kaggle.download, "tess")
    for word in ("kaggle.json", "chmod 600", "KAGGLE_USERNAME", "KAGGLE_API_TOKEN", "https://www.kaggle.com/settings"):
        assert word in message
    assert "data/tess.zip" in message and "SERLIB_CORPUS=sample" in message
    assert not server.asked and not left(home)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"{", "no JSON"),
        (f'"{KEY}'.encode(), "no JSON"),
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[1]", "lacks username or key"),
        (b'{"username": "me"}', "lacks username or key"),
        (b'{"username": "me", "key": 5157}', "lacks username or key"),
        (f'{{"username": " ", "key": "{KEY}"}}'.encode(), "lacks username or key"),
        (f'{{"username": "me", "key": "{KEY}\\nX-Injected: 1"}}'.encode(), "letters that none has"),
        (f'{{"username": "me", "key": "{KEY}\u2019"}}'.encode(), "letters that none has"),
    ],
)
def test_a_kaggle_json_that_is_none(server, user, content, says):
    write_key(user / ".kaggle" / "kaggle.json", content)
    message = refused(kaggle.download, "tess")
    assert says in message and "~/.kaggle/kaggle.json" in message
    assert not kaggle.credentials() and says in kaggle.credentials().warning
    assert not server.asked


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_kaggle_json_as_windows_saves_it(server, user, encoding):
    content = json.dumps({"username": USER, "key": f"{KEY}\n"}).encode(encoding)
    write_key(user / ".kaggle" / "kaggle.json", content)
    kaggle.download("tess")
    assert server.asked[0]["authorization"] == f"Basic {BASIC}"


def test_the_example_is_what_the_client_expects_and_is_no_credential(user):
    example = Path(__file__).parents[2] / "kaggle.json.example"
    assert sorted(json.loads(example.read_text())) == ["key", "username"]
    write_key(user / ".kaggle" / "kaggle.json", example.read_bytes())
    assert "still the example" in refused(kaggle.download, "tess")


def test_half_of_the_variables(user, monkeypatch, server):
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    assert "KAGGLE_KEY is set and KAGGLE_USERNAME is not" in refused(kaggle.download, "tess")
    write_key(user / ".kaggle" / "kaggle.json", json.dumps({"username": USER, "key": "old"}).encode())
    kaggle.download("tess")
    assert server.asked[0]["authorization"] == f"Basic {BASIC}", "a variable goes before its entry in the file"


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Injected: 1", f"{TOKEN}\u2019", f"{TOKEN} {TOKEN}", TOKEN * 500])
def test_a_token_that_no_header_can_hold(server, monkeypatch, token):
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    assert "KAGGLE_API_TOKEN holds is no Kaggle credential" in refused(kaggle.download, "tess")
    assert not server.asked


# refusals


@pytest.mark.parametrize(
    "status, says",
    [
        (401, ["(401)", "~/.kaggle/kaggle.json", "https://www.kaggle.com/settings"]),
        (403, ["(403)", f"https://www.kaggle.com/datasets/{HANDLE}", "rules"]),
        (404, ["(404)", HANDLE, "https://doi.org", "data/tess"]),
        (429, ["(429", "wait 7 s"]),
        (500, ["(500)", "wait a few minutes"]),
        (503, ["(503)", "wait a few minutes"]),
        (418, ["418", "browser", "data/tess.zip"]),
    ],
)
def test_refusals_name_the_mend(server, key, home, status, says):
    server.always = [status]
    message = refused(kaggle.download, "tess")
    assert all(word in message for word in says), message
    assert len(server.asked) == 1 and not left(home)


def test_wrong_key(server, user):
    write_key(user / ".kaggle" / "kaggle.json", json.dumps({"username": USER, "key": f"{KEY}x"}).encode())
    assert "(401)" in refused(kaggle.download, "tess")


def test_wrong_token(server, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", f"{TOKEN}x")
    message = refused(kaggle.download, "tess")
    assert "(401)" in message and "KAGGLE_API_TOKEN" in message


def test_no_network(key, home):
    message = refused(kaggle.download, "tess")
    assert "Kaggle cannot be reached" in message and "check the network" in message
    assert not left(home)


def test_a_web_page_in_the_place_of_kaggle(server, key, home):
    server.always = ["page"]
    assert "web page" in refused(kaggle.download, "tess")
    assert not left(home)


# interruptions


def test_a_cut_connection_is_taken_up(server, key, archive):
    server.faults = ["cut", "", "cut"]
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS
    ranges = [int(one["range"][6:-1]) for one in server.downloads if one["range"]]
    assert len(ranges) == 2
    assert len(archive) // 2 - 4096 <= ranges[0] <= len(archive) // 2 < ranges[1]
    assert not [one for one in server.downloads if one["authorization"]]
    assert {one["encoding"] for one in server.downloads} == {"identity"}, "or a place in the file is none in the line"


def test_without_a_redirect_the_request_is_repeated_with_its_credentials(server, key):
    server.redirects, server.faults = False, ["cut"]
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS
    assert [bool(one["range"]) for one in server.asked] == [False, False, True]
    assert {one["authorization"] for one in server.asked} == {f"Basic {BASIC}"}


def test_an_interrupted_download_goes_on_in_the_next_call(server, key, home, archive):
    server.faults, server.always = ["cut"], ["cut at once"]
    message = refused(kaggle.download, "tess")
    assert "was cut" in message and "are kept in data/tess.zip.part" in message
    assert left(home) == ["tess.zip.part", "tess.zip.part.json"], "no half folder, nothing taken for whole"
    assert not corpora.present("tess")
    have = (home / "data" / "tess.zip.part").stat().st_size
    assert have > len(archive) // 3
    server.always = []
    kaggle.download("tess")
    assert server.downloads[-1]["range"] == f"bytes={have}-"
    assert left(home) == ["tess"]


def test_the_interrupt_key(server, key, home, monkeypatch):
    class Interrupted(io.FileIO):
        def write(self, block):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives, "open", lambda *_: Interrupted(home / "written", "w"), raising=False)
        kaggle.download("tess")
    assert left(home) == ["tess.zip.part", "tess.zip.part.json"]
    asked = len(server.downloads)
    kaggle.download("tess")
    assert len(server.downloads) == asked + 1 and not server.downloads[-1]["range"], "the archive was there already"
    assert left(home) == ["tess"]


def test_a_kill_while_unpacking_leaves_no_whole_folder(server, key, home):
    half = home / "data" / ".unpacking-tess" / "OAF_angry"
    half.mkdir(parents=True)
    (half / "OAF_back_angry.wav").write_bytes(b"half")
    assert not corpora.present("tess")
    folder = kaggle.download("tess")
    assert left(home) == ["tess"]
    assert len(list(folder.rglob("*.wav"))) == 2 * CLIPS


@pytest.mark.parametrize("fault", ["no range", "416"])
def test_a_server_that_cannot_go_on_starts_anew(server, key, fault):
    server.faults = ["cut", "", fault]
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS


def test_another_piece_than_asked_for_is_not_taken(server, key):
    server.faults = ["cut", "", "piece"]
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS


def test_an_archive_that_changed_meanwhile_is_not_mixed(server, key, home, clips):
    server.faults, server.always = ["cut"], ["cut at once"]
    refused(kaggle.download, "tess")
    server.always, server.tag, server.archive = [], "v2", zipped(clips)
    folder = kaggle.download("tess")
    assert not [one for one in server.downloads if one["range"] and one is server.downloads[-1]]
    assert len(list(folder.rglob("*.wav"))) == CLIPS


@pytest.mark.parametrize("answer", ["", "no range"])
def test_an_archive_that_changes_between_two_requests_is_not_mixed(server, key, clips, answer):
    """The new one has the same size, so that only its tag tells."""
    new = {name: data[:44] + data[:43:-1] for name, data in clips.items()}
    server.archive, server.update = (zipped(files, zipfile.ZIP_STORED) for files in (clips, new))
    assert len(server.archive) == len(server.update)
    server.faults = ["cut", "change", answer]
    folder = kaggle.download("tess")
    assert all((folder / name).read_bytes() == data for name, data in new.items())
    assert [bool(one["range"]) for one in server.downloads] == [False, False, True, False]


def test_old_bytes_are_gone_before_new_papers_are_written(server, key, home, monkeypatch):
    (home / "data").mkdir()
    (home / "data" / "tess.zip.part").write_bytes(b"of something else")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(transfer, "_write", interrupt)
        kaggle.download("tess")
    kaggle.download("tess")
    assert not [one for one in server.downloads if one["range"]]


def test_a_part_without_its_papers_is_not_trusted(server, key, home):
    (home / "data").mkdir()
    (home / "data" / "tess.zip.part").write_bytes(b"of something else")
    for papers in (None, "{", "[]", '{"archive": "x"}'):
        if papers:
            (home / "data" / "tess.zip.part.json").write_text(papers)
        kaggle.download("tess", force=True)
        assert not [one for one in server.downloads if one["range"]]
        (home / "data" / "tess.zip.part").write_bytes(b"of something else")


def test_a_server_that_falls_silent(server, key, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT_S", (5, 0.2))
    server.faults = ["stall"]
    start_s = time.monotonic()
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS
    assert server.downloads[-1]["range"] and time.monotonic() - start_s < 10


def test_a_length_that_is_never_reached(server, key, home):
    server.always = ["long"]
    assert "was cut" in refused(kaggle.download, "tess")
    assert "tess" not in left(home)


@pytest.mark.parametrize("fault", ["short", "damaged"])
def test_a_damaged_archive_is_thrown_away(server, key, home, fault):
    server.faults = [fault]
    message = refused(kaggle.download, "tess")
    assert "is damaged" in message and "download it again" in message
    assert left(home) == [], "a damaged archive is not kept, or it would be damaged for ever"
    assert len(corpora.index("tess", kaggle.download("tess"))) == CLIPS


def test_a_wrong_md5(server, key, home):
    server.faults = ["wrong md5"]
    assert "MD5" in refused(kaggle.download, "tess")
    assert left(home) == []


def test_two_at_once(server, key, home):
    fcntl = pytest.importorskip("fcntl")
    (home / "data").mkdir()
    with open(home / "data" / "tess.zip.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert "Another download of tess is running" in refused(kaggle.download, "tess")
    kaggle.download("tess")


# the disk


def test_a_full_disk_while_downloading(server, key, home, monkeypatch):
    real, full = open, []

    def opened(path, mode):
        file = real(path, mode)
        if full and mode != "rb":
            file.close()
            return real("/dev/full", "wb", buffering=0) if Path("/dev/full").exists() else Full()
        return file

    class Full(io.RawIOBase):
        def write(self, block):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(transfer, "open", opened, raising=False)
    full.append(True)
    message = refused(kaggle.download, "tess")
    assert "disk" in message and "full" in message and "make room" in message
    full.clear()
    kaggle.download("tess")


def test_too_little_room_to_unpack_keeps_what_was_downloaded(server, key, home, monkeypatch):
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(home)
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        message = refused(kaggle.download, "tess")
    assert "make room" in message and "0.001 MB left" in message
    assert left(home) == ["tess.zip.part", "tess.zip.part.json"]
    kaggle.download("tess")
    assert [one["range"] for one in server.downloads] == [None, None], "the second one only asked whether it changed"
    assert left(home) == ["tess"]


def test_a_folder_that_cannot_be_made(server, key, home):
    (home / "file").write_text("a file")
    assert "file" in refused(kaggle.download, "tess", to=home / "file" / "tess")
    assert "is a file" in refused(kaggle.download, "tess", to=home / "file")
    assert (home / "file").read_text() == "a file"


def test_files_of_the_user_stay(server, key, home):
    folder = home / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for force in (False, True):
        assert "holds other files" in refused(kaggle.download, "tess", to=folder, force=force)
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert not server.asked


# other corpora


def test_what_is_not_on_kaggle(home, monkeypatch, server, key):
    for name in corpora.CORPORA:
        known = corpora.CORPORA[name]
        if known.kaggle or known.synthetic:
            continue
        message = refused(kaggle.download, name)
        assert known.homepage in message and f"data/{name}" in message
    assert "python -m serlib sample" in refused(kaggle.download, "sample", to=home / "elsewhere")
    assert "choose one of" in refused(kaggle.download, "tes")
    assert not server.asked


def test_the_archive_of_another_corpus(server, key, home, clips):
    server.archive = zipped({"Actor_01/03-01-05-01-01-01-01.wav": next(iter(clips.values()))})
    message = refused(kaggle.download, "tess")
    assert "ravdess" in message.lower() and left(home) == []


def test_a_folder_that_holds_another_corpus(server, key, home):
    folder = kaggle.download("tess", to=home / "speech")
    assert "tess" in refused(kaggle.download, "ravdess", to=folder).lower()
    assert len(list(folder.rglob("*.wav"))) == 2 * CLIPS


def test_the_command(server, user, monkeypatch, capfd):
    from serlib import __main__

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["serlib", *arguments])
        with pytest.raises(SystemExit) as end:
            __main__.main()
        out, err = capfd.readouterr()
        assert not [secret for secret in SECRETS if secret in out + err]
        return end.value.code or 0, out, err

    code, out, err = run("download", "tess")
    assert code == 1 and out == "" and err.count("\n") == 1 and "Traceback" not in err
    server.faults = [403]
    write_key(user / ".kaggle" / "kaggle.json")
    code, out, err = run("download", "tess", "--json")
    assert code == 1 and "(403)" in json.loads(out)["error"] and err.count("\n") == 1
    code, out, err = run("download", "tess", "--json")
    assert code == 0 and json.loads(out) == {"corpus": "tess", "folder": "data/tess"}


def test_a_kill_after_unpacking_leaves_an_archive_that_the_next_call_deletes(server, key, home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(transfer, "forget", lambda part: None)
        kaggle.download("tess")
    assert left(home) == ["tess", "tess.zip.part", "tess.zip.part.json"]
    asked = len(server.asked)
    assert kaggle.download("tess") == home / "data" / "tess"
    assert left(home) == ["tess"] and len(server.asked) == asked


def test_half_of_a_new_download_stays_beside_the_old_folder(server, key, home):
    kaggle.download("tess")
    server.faults, server.always = ["cut"], ["cut at once"]
    refused(kaggle.download, "tess", force=True)
    there = left(home)
    assert "tess.zip.part" in there
    kaggle.download("tess")
    assert left(home) == there


def test_a_kill_while_a_folder_is_replaced_leaves_no_half_folder(server, key, home, monkeypatch):
    """Removed file by file, its mark first, half a folder would pass for one's own."""
    folder = kaggle.download("tess")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archives.os, "replace", killed)
        kaggle.download("tess", force=True)
    assert archives.whole(folder) and len(list(folder.rglob("*.wav"))) == 2 * CLIPS
    kaggle.download("tess", force=True)
    assert left(home) == ["tess"]


# unpacking


def link(name, mode=stat.S_IFLNK):
    info = zipfile.ZipInfo(name)
    info.external_attr = (mode | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "name, says",
    [
        ("../outside.wav", "points outside"),
        ("a/../../outside.wav", "points outside"),
        ("..\\outside.wav", "points outside"),
        ("/outside.wav", "absolute"),
        ("//server/outside.wav", "absolute"),
        ("\\outside.wav", "absolute"),
        ("C:\\outside.wav", "absolute"),
        ("c:outside.wav", "absolute"),
        ("a\nb.wav", "no file may have"),
        (archives.MARKER, "no file may have"),
        (link("link.wav"), "link or a device"),
        (link("pipe.wav", stat.S_IFIFO), "link or a device"),
        (link("disk.wav", stat.S_IFBLK), "link or a device"),
    ],
)
def test_dangerous_entries(server, key, home, clips, name, says):
    server.archive = zipped({**clips, name: b"/etc/passwd"})
    message = refused(kaggle.download, "tess")
    assert says in message and "nothing was unpacked" in message
    assert left(home) == []
    assert not [path for path in home.parent.rglob("*outside.wav")] and not Path("/outside.wav").exists()


def test_names_that_clash(home, clips):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the double name that we want
        twice = io.BytesIO()
        with zipfile.ZipFile(twice, "w") as opened:
            opened.writestr("a.wav", b"1")
            opened.writestr("a.wav", b"2")
    (home / "twice.zip").write_bytes(twice.getvalue())
    assert "twice" in refused(archives.unpack, home / "twice.zip", home / "to")
    for names in (("a", "a/b"), ("a/b", "a"), ("a", "a/b/c")):
        (home / "clash.zip").write_bytes(zipped(dict.fromkeys(names, b"1")))
        assert "twice" in refused(archives.unpack, home / "clash.zip", home / "to")
    assert not (home / "to").exists()


def test_folders_and_backslashes(home):
    (home / "a.zip").write_bytes(zipped({"top/": b"", "top\\sub\\": b"", "top\\sub\\a.wav": b"1", "./b.wav": b"2"}))
    to = archives.unpack(home / "a.zip", home / "to")
    assert (to / "top" / "sub" / "a.wav").read_bytes() == b"1" and (to / "b.wav").read_bytes() == b"2"
    assert archives.whole(to)
    (to / "b.wav").unlink()
    assert not archives.whole(to) and not archives.whole(home)


def test_unpack_replaces_nothing_but_its_own(home, clips):
    (home / "x.zip").write_bytes(zipped(clips))
    (home / "mine").mkdir()
    (home / "mine" / "thesis.txt").write_text("years of work")
    assert "holds other files" in refused(archives.unpack, home / "x.zip", home / "mine")
    assert (home / "mine" / "thesis.txt").exists()


def test_bombs(home, monkeypatch):
    (home / "zeros.zip").write_bytes(zipped({"zeros.wav": bytes(30_000_000)}))
    assert "swell" in refused(archives.unpack, home / "zeros.zip", home / "to")
    (home / "many.zip").write_bytes(zipped({f"{i}.wav": b"1" for i in range(20)}))
    monkeypatch.setattr(archives, "MAX_ENTRIES", 19)
    assert "20 entries" in refused(archives.unpack, home / "many.zip", home / "to")
    monkeypatch.undo()
    monkeypatch.setattr(archives, "MAX_BYTES", 19)
    assert "swell" in refused(archives.unpack, home / "many.zip", home / "to")
    assert not (home / "to").exists()


def test_what_is_no_archive(home):
    for data in (b"", b"PK", b"<html></html>", zipped({}), zipped({"folder/": b""})):
        (home / "x.zip").write_bytes(data)
        assert "x.zip" in refused(archives.unpack, home / "x.zip", home / "to")
    assert "does not exist" in refused(archives.unpack, home / "y.zip", home / "to")
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(home / "x.zip", "w", compression) as opened:
            opened.writestr("a.wav", bytes(range(256)) * 9)
        damaged = bytearray((home / "x.zip").read_bytes())
        damaged[40:60] = bytes(20)
        (home / "x.zip").write_bytes(damaged)
        assert "is damaged" in refused(archives.unpack, home / "x.zip", home / "to")
    secret = bytearray(zipped({"a.wav": b"1"}))
    for at in (secret.index(b"PK\x03\x04") + 6, secret.index(b"PK\x01\x02") + 8):
        secret[at] |= 1
    (home / "secret.zip").write_bytes(secret)
    assert "is encrypted" in refused(archives.unpack, home / "secret.zip", home / "to")


NAMES = st.text(st.sampled_from("ab./\\:~\x00\n\u202eé "), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=4, unique=True), compression=st.sampled_from([0, 8, 12, 14]))
def test_no_name_leads_outside(home, names, compression):
    """Whatever the names are: all in the folder, or a sentence and nothing."""
    top = home / "property"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    with zipfile.ZipFile(top / "x.zip", "w", compression) as opened:
        for name in names:
            with contextlib.suppress(ValueError):
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, compression
                opened.writestr(info, b"data")
    with contextlib.suppress(SerlibError):
        to = archives.unpack(top / "x.zip", top / "to")
        assert archives.whole(to)
    assert {path.name for path in top.iterdir()} <= {"x.zip", "to"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_never_passes_and_never_tracebacks(home, data):
    """Flip, cut or insert bytes anywhere: a SerlibError and no folder, or every file as it was."""
    top = home / "property"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    compression = data.draw(
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    )
    with zipfile.ZipFile(top / "x.zip", "w", compression) as opened:
        opened.writestr("a.wav", b"RIFF" * 20)
        opened.writestr("b/c.wav", bytes(range(100)))
    good = bytearray((top / "x.zip").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    (top / "x.zip").write_bytes(good)
    try:
        to = archives.unpack(top / "x.zip", top / "to")
    except SerlibError:
        assert {path.name for path in top.iterdir()} == {"x.zip"}
        return
    for path in to.rglob("*.wav"):
        assert path.read_bytes() in (b"RIFF" * 20, bytes(range(100)), b"")


def test_credentials_print_as_a_sentence():
    assert (
        str(credentials.Credentials("access token", "KAGGLE_API_TOKEN"))
        == "an access token was found in KAGGLE_API_TOKEN"
    )
    assert bool(credentials.Credentials()) is False
