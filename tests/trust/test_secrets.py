"""A key and a token are planted, everything is done that can be done, and everything that was written is searched.

What the real clients send is looked at in tests/corpora/test_kaggle.py, what a page asks for in tests/browser.
"""

import base64
import io
import itertools
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from kaggle_server import KaggleServer

from notebooks import build

FULL = bool(os.environ.get("SERLIB_TRUST"))
ROOT = Path(build.__file__).resolve().parents[1]

USER, KEY, TOKEN = "planted-user", "planted-key-0451", "KGAT_planted-token-0451"
PAIR = f"{USER}:{KEY}".encode()
#: The client's own switch for tests: it then talks to this port of localhost.
PORT = 7777


def forms(secret):
    """What a secret looks like wherever it is written: plain, and in Base64 wherever it begins."""
    yield secret
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + secret)[4 if shift else 0 : -4]


FORMS = [form for secret in (KEY.encode(), TOKEN.encode(), PAIR) for form in forms(secret)]
FORMS += [secret.encode().hex().encode() for secret in (KEY, TOKEN)]

#: How credentials are given: what stands in the home folder, what in the environment.
PLACES = {
    "file": ({"kaggle.json": json.dumps({"username": USER, "key": KEY})}, {}),
    "token file": ({"access_token": TOKEN}, {}),
    "variables": ({}, {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY}),
    "token": ({}, {"KAGGLE_API_TOKEN": TOKEN}),
}


def found_in(data, name="it"):
    """Where a secret stands in some bytes; archives, such as .keras and .npz, are looked into."""
    hits = [f"{name}: {form[:40]}" for form in FORMS if form in data]
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for each in archive.namelist():
                hits += found_in(archive.read(each), f"{name}/{each}")
    return hits


def found_below(home):
    """Where a secret stands in the files below a folder, their names, and the variables that children saw."""
    files = [path for path in home.rglob("*") if path.is_file() and "planted" not in path.parts]
    return [hit for path in files for hit in found_in(path.read_bytes() + str(path).encode(), path.name)]


@pytest.fixture
def planted(tmp_path, home):
    """planted(place, **variables) -> an environment in which credentials are found there."""

    def plant(place, **variables):
        files, given = PLACES[place]
        user = tmp_path / "planted"  # the one folder that is not searched
        for name, content in files.items():
            file = user / ".kaggle" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
            file.chmod(0o600)
        kept = build.clean_environment(home)
        return {**kept, **given, "HOME": str(user), "KAGGLE_API_ENVIRONMENT": "TEST", **variables}

    return plant


def zipped(folder):
    """Bytes of a ZIP archive of a folder."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for path in sorted(folder.rglob("*.wav")):
            archive.write(path, path.relative_to(folder))
    return memory.getvalue()


@pytest.fixture
def server(tone_corpus, tmp_path_factory):
    """The stand-in for Kaggle, which repeats the credentials in its refusals."""
    accepts = [f"Basic {base64.b64encode(PAIR).decode()}", f"Bearer {TOKEN}"]
    archive = zipped(tone_corpus(tmp_path_factory.mktemp("tones"), words=6))
    end = time.monotonic() + 60
    while True:
        try:
            opened = KaggleServer(archive, accepts, port=PORT)
            break
        except OSError:  # another test run on this machine has the port
            assert time.monotonic() < end, f"port {PORT} is taken"
            time.sleep(0.1)
    with opened as running:
        yield running


def test_the_search_finds_what_is_there(tmp_path):
    for n in range(9):
        assert found_in(base64.b64encode(bytes(range(n)) + PAIR + b"more")), n
    for data in (KEY, TOKEN, KEY.encode().hex()):
        assert found_in(f".{data}.".encode())
    with zipfile.ZipFile(tmp_path / "a.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"token": TOKEN}))
    assert found_below(tmp_path)
    assert not found_in(b"a key was found in ~/.kaggle/kaggle.json")


# --- exceptions ----------------------------------------------------------------------------------------------------

#: Downloads, and writes all that can be known of how it ended: log, exception, what it hangs on, variables of each call
#: of ours on the way.
TELL = """
import logging, sys, traceback, warnings
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
warnings.simplefilter("always")
from serlib import corpora
from serlib.corpora import kaggle
import time
time.sleep = lambda seconds: None  # between two tries
print(kaggle.credentials(), repr(kaggle.credentials()))
if sys.argv[1] == "fault":
    kaggle._with_kaggle = kaggle._with_kagglehub = None
try:
    print(corpora.download("tess", force=True))
except Exception as error:
    if sys.argv[1] != "fault":
        print(*traceback.TracebackException.from_exception(error, capture_locals=True).format())
    while error:
        print(*traceback.format_exception(error), repr(error), str(error), error.args, vars(error))
        error = error.__cause__ or error.__context__
    print("REFUSED")
"""

FAULTS = {
    "none": [],
    "401": [401],
    "403": [403],
    "404": [404],
    "429": [429],
    "500": [500],
    "cut": ["cut at once"],
    "web page": ["page"],
    "damaged": ["damaged"],
    "wrong MD5": ["wrong md5"],
    "fault": [],  # of our own
}


@pytest.mark.parametrize(
    "place, fault",
    # A sample; tests/corpora/test_kaggle.py looks at the message, log and variables of each refusal as well.
    itertools.product(PLACES, FAULTS) if FULL else [("file", "fault"), ("file", "cut"), ("token", "401")],
)
def test_how_a_download_ends(server, planted, home, place, fault):
    server.always = FAULTS[fault]
    done = subprocess.run(
        [sys.executable, "-c", TELL, fault], env=planted(place), capture_output=True, check=False, cwd=home
    )
    # Kaggle's client for keys looks at no MD5; the CRC-32 of each file in the archive is looked at either way.
    is_fine = fault == "none" or (fault == "wrong MD5" and place in ("file", "variables"))
    assert (b"REFUSED" in done.stdout) != is_fine, done.stdout + done.stderr
    assert found_in(done.stdout + done.stderr) == []
    assert found_below(home) == []


@pytest.mark.parametrize("status", [401, 0])
def test_the_command(server, planted, home, status):
    server.always = [status] if status else []
    command = [sys.executable, "-m", "serlib", "download", "tess", "--json"]
    done = subprocess.run(command, env=planted("file"), capture_output=True, check=False, cwd=home)
    assert done.returncode == bool(status), done.stderr
    assert found_in(done.stdout + done.stderr) == []
    assert found_below(home) == []


# --- everything else -----------------------------------------------------------------------------------------------

#: One process for all commands: TensorFlow is imported once.
COMMANDS = """
import sys
from serlib import __main__ as commands
for line in sys.argv[1:]:
    sys.argv[1:] = line.split()
    try:
        commands.main()
    except SystemExit as ended:
        print("EXIT", line, ended.code)
"""


def test_commands_run_folders_and_reports(tone_corpus, planted, home):
    tones = tone_corpus(home / "tones", words=6)
    clip = next(tones.rglob("*.wav"))
    lines = [
        "corpora --json",
        f"index tess {tones} --out {home}/index.csv",
        f"features tess {tones} --features mfcc40-mean --out-dir {home}/features --json",
        f"train lstm-123 tess {tones} --out {home}/run --split random --epochs 1 --json",
        f"train lstm-123 tess {tones} --out {home}/run --split random --epochs 1",  # refused
        f"evaluate {home}/run --json",
        f"predict {home}/run {clip} {home}/index.csv --json",
    ]
    environment = planted("file", **PLACES["token"][1], **PLACES["variables"][1])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, *lines], env=environment, capture_output=True, check=False, cwd=home
    )
    said = done.stdout.decode()
    codes = [int(code) for code in re.findall(r"^EXIT .* (\d)$", said, re.MULTILINE)]
    assert codes == [0, 0, 0, 0, 1, 0, 1], said + done.stderr.decode()
    assert {"run.json", "model.keras"} <= {path.name for path in home.rglob("*")}
    assert found_in(done.stdout + done.stderr) == []
    assert found_below(home) == []


NOTEBOOK = {"file": ["none", "401"]}
if FULL:
    NOTEBOOK = {place: ["none", "401", "403", "cut", "fault"] for place in PLACES}


@pytest.mark.parametrize("place, fault", [(place, fault) for place, faults in NOTEBOOK.items() for fault in faults])
def test_notebook_01(server, planted, home, place, fault):
    """Executed on TESS, which it downloads; where that fails, its error is in it."""
    from nbclient.exceptions import CellExecutionError

    server.always = FAULTS[fault]
    source = next(iter(build.sources(["01"])))
    notebook = build.convert(source)
    if fault == "fault":
        cell = next(cell for cell in notebook.cells if "serlib.download(" in cell.source)
        cell.source = (
            f"from serlib.corpora import kaggle\nkaggle._with_kaggle = kaggle._with_kagglehub = None\n{cell.source}"
        )
    failed = ""
    with build.environment(planted(place, SERLIB_CORPUS="tess", SERLIB_PROGRESS="1")):
        try:
            build.execute(notebook)
        except CellExecutionError as error:
            failed = f"{error} {error!r}"
    assert bool(failed) == (fault != "none"), failed
    assert bool(server.asked) == (fault != "fault")
    text = json.dumps(notebook) + failed
    assert found_in(text.encode()) == []
    assert found_below(home) == []


# --- the microphone ------------------------------------------------------------------------------------------------

#: All that a page has to send or to load something with.
WAYS_OUT = (
    r"fetch\s*\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|RTCPeerConnection|WebTransport|serviceWorker|"
    r"importScripts|new\s+Worker|window\.open|postMessage\((?!this\.piece)|<form|\.submit\(|@import|url\(|"
    r"\blocation\b|\b(?:https?|wss?):(?!//www\.w3\.org/2000/svg\")|innerHTML|insertAdjacentHTML|eval\(|new\s+Function|"
    r"localStorage|sessionStorage|indexedDB|document\.cookie"
)
PAGES = sorted((ROOT / "serlib" / "widgets").glob("*.js")) + sorted((ROOT / "serlib" / "widgets").glob("*.css"))


def bare(text):
    """Without comments."""
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_our_pages_hold_has_no_way_out(path):
    assert re.findall(WAYS_OUT, bare(path.read_text())) == []


def test_sound_from_the_microphone_goes_to_the_kernel_and_nowhere_else():
    text = bare((ROOT / "serlib" / "widgets" / "live.js").read_text())
    assert set(re.findall(r"(\w+)\.send\(", text)) == {"model"}
    assert re.findall(r"(\w+)\.addModule\((\w+)\)", text) == [("audioWorklet", "module")]
    assert re.findall(r"\.src\b|\bimport\(", text) == []
    assert "createObjectURL(new Blob([WORKLET]" in text, "the module is our own text"


@pytest.mark.parametrize(
    "text",
    ['fetch("/x")', "new WebSocket(u)", "navigator.sendBeacon(u, d)", 'x.src = "https://a.b/c.png"', "a { b: url(x) }"],
)
def test_the_ways_out_are_recognised(text):
    assert re.findall(WAYS_OUT, bare(text))


def test_the_kernel_keeps_it_too():
    """What hears in the kernel talks to no network."""
    for name in ("widgets/listening.py", "recognizer.py", "widgets/playing.py"):
        text = (ROOT / "serlib" / name).read_text()
        assert not re.findall(r"\b(?:import|from)\s+(?:requests|urllib|socket|http|aiohttp|httpx|kagglesdk)\b", text)
