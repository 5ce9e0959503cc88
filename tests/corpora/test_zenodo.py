"""pooch against a stand-in for doi.org and zenodo.org on localhost: nothing but what was published is unpacked."""

import dataclasses
import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

from serlib import corpora
from serlib.corpora import registry
from serlib.utils import SerlibError

RECORD = "1188976"


class Zenodo(ThreadingHTTPServer):
    """Answers as doi.org (a redirect to the record), as Zenodo's API and as its storage.

    Attributes
    ----------
    archive : bytes
    statuses : dict
        Path -> status of a refusal.
    cut : bool
        The line is closed after half of the archive.
    asked : list of str
        Host and path of the requests, in order.
    """

    daemon_threads = True

    def __init__(self, archive):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.archive, self.statuses, self.cut, self.asked = archive, {}, False, []


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, path = self.server, urlsplit(self.path).path
        server.asked.append(path)
        name = corpora.CORPORA["ravdess"].zenodo.file
        listing = {"id": RECORD, "files": [{"key": name, "links": {"self": f"https://zenodo.org/files/{name}"}}]}
        if path in server.statuses:
            return self._send(server.statuses[path], b"{}")
        if path.startswith("/doi.org/10.5281"):
            self.send_response(302)
            self.send_header("Location", f"https://zenodo.org/records/{RECORD}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if path == f"/zenodo.org/api/records/{RECORD}":
            return self._send(200, json.dumps(listing).encode())
        if path == f"/zenodo.org/files/{name}":
            data = server.archive[: len(server.archive) // 2] if server.cut else server.archive
            return self._send(200, data, len(server.archive))
        return self._send(200, b"<html></html>")

    def _send(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)
        if length and length != len(body):
            self.connection.close()


@pytest.fixture
def server(home, monkeypatch):
    """The stand-in, where every https address leads, holding the MD5 that the registry expects."""
    monkeypatch.setattr(registry, "KAGGLE_INPUT", home / "no" / "input")
    with io.BytesIO() as memory:
        with zipfile.ZipFile(memory, "w") as opened:
            for emotion in range(1, 9):
                opened.writestr(f"Actor_01/03-01-0{emotion}-01-01-01-01.wav", b"RIFF" * emotion)
        archive = memory.getvalue()
    entry = corpora.CORPORA["ravdess"]
    deposit = dataclasses.replace(entry.zenodo, md5=hashlib.md5(archive).hexdigest())
    monkeypatch.setitem(corpora.CORPORA, "ravdess", dataclasses.replace(entry, zenodo=deposit))
    with Zenodo(archive) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        send = HTTPAdapter.send

        def to_the_stand_in(self, request, **options):
            address, before = urlsplit(request.url), request.url
            assert address.scheme == "https", "asked without encryption"
            request.url = f"http://127.0.0.1:{running.server_port}/{address.netloc}{address.path}"
            response = send(self, request, **options)
            request.url = response.url = before
            return response

        monkeypatch.setattr(HTTPAdapter, "send", to_the_stand_in)
        yield running
        running.shutdown()


def refused(**options):
    """The one sentence of the SerlibError that the download ends in."""
    with pytest.raises(SerlibError) as caught:
        corpora.download("ravdess", **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    return message


def left(home):
    """What lies in the data folder."""
    return sorted(path.name for path in (home / "data").iterdir()) if (home / "data").exists() else []


def test_ravdess_comes_from_zenodo_without_an_account(server, home, capfd):
    folder = corpora.download("ravdess", show=False)
    assert folder == home / "data" / "ravdess" and left(home) == ["ravdess"]
    assert len(list(folder.rglob("*.wav"))) == 8
    assert server.asked[0] == "/doi.org/10.5281/zenodo.1188976"
    assert capfd.readouterr() == ("", "")
    asked = len(server.asked)
    assert corpora.download("ravdess", source="zenodo") == folder and len(server.asked) == asked


def test_the_registry_says_what_is_published():
    """As Zenodo's page of the record shows it."""
    entry = corpora.CORPORA["ravdess"]
    assert entry.sources == ("zenodo", "kaggle") and corpora.CORPORA["tess"].sources == ("kaggle",)
    assert entry.zenodo.doi in entry.homepage and entry.zenodo.file == "Audio_Speech_Actors_01-24.zip"
    assert entry.zenodo.md5 == "bc696df654c87fed845eb13823edef8a"


def test_another_archive_than_the_published_one_is_refused(server, home):
    server.archive = server.archive[:-1] + b"x"
    assert "arrived damaged" in refused()
    assert left(home) == []


def test_a_cut_connection(server, home):
    server.cut = True
    assert "check the network" in refused()
    assert left(home) == []
    server.cut = False
    corpora.download("ravdess")


@pytest.mark.parametrize("status", [403, 404, 500, 503])
@pytest.mark.parametrize("path", ["/doi.org/10.5281/zenodo.1188976", "/zenodo.org/files/Audio_Speech_Actors_01-24.zip"])
def test_refusals_name_the_mend(server, home, path, status):
    server.statuses[path] = status
    message = refused()
    assert f"answers {status}" in message and "https://doi.org/10.5281/zenodo.1188976" in message
    assert left(home) == []


def test_an_api_that_has_changed(server, home):
    server.statuses[f"/zenodo.org/api/records/{RECORD}"] = 500
    assert "https://doi.org/10.5281/zenodo.1188976" in refused()
    assert left(home) == []


def test_no_network(server, home, monkeypatch):
    def gone(*_, **__):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(HTTPAdapter, "send", gone)
    assert "Zenodo cannot be reached" in refused()
    assert left(home) == []


@pytest.mark.parametrize("on_kaggle", [True, False])
def test_kaggle_can_be_chosen(server, home, monkeypatch, on_kaggle):
    """On Kaggle the data set is added to the notebook."""
    monkeypatch.setattr(HTTPAdapter, "send", lambda *_, **__: (_ for _ in ()).throw(requests.ConnectionError("no")))
    monkeypatch.setattr("serlib.corpora.kaggle.PAUSE_S", 0)
    if on_kaggle:
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert ("Add Input" if on_kaggle else "connection to Kaggle failed") in refused(source="kaggle")


def test_a_full_disk(server, home, monkeypatch):
    def full(self, *_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pooch.downloaders.HTTPDownloader.__call__", full)
    assert "is full; make room" in refused()
