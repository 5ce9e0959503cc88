"""A stand-in for Kaggle on localhost, for the real clients to talk to; its faults are switched on by name.

As Kaggle does, it answers the client's request with a redirect to a signed address on another host (127.0.0.1 instead
of localhost), so that a client which takes its credentials there is found out.
"""

import base64
import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIGNED = "/storage/archive.zip?X-Goog-Signature=5157"

#: How the clients ask: on kaggle.com, and elsewhere.
ASK = re.compile(r"(/api)?/v1/datasets\.DatasetApiService/DownloadDataset")


class KaggleServer(ThreadingHTTPServer):
    """Serves one archive to who shows the right credentials.

    Parameters
    ----------
    archive : bytes
    accepts : list of str or None
        Values of the header Authorization that are let in; None: whoever shows none.
    port : int
        0 takes a free one.

    Attributes
    ----------
    faults : list
        What goes wrong, taken off from the left by each request for the archive that it hits: a status (int) in answer
        to the client, or a word in answer at the storage: "cut" (half of what was asked for, then the line is closed),
        "cut at once", "no range", "long" and "short" (a wrong length), "damaged", "wrong md5", "stall", "page" (a
        web page instead), "piece" (another range than asked for), "416", "cut and change" (`update`
        takes the archive's place after this answer); "" is no fault. A client that goes on
        asks the storage twice: for the whole, which it does not read, and for the rest.
    always : list
        The same, for every request.
    pace_s : float
        Seconds between two pieces of 64 kB: a line of 13 MB/s has 0.005.
    asked : list of dict
        Requests in order: path, authorization, range, handle.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, archive, accepts=(), *, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.archive, self.accepts = archive, list(accepts)
        self.faults, self.always, self.asked = [], [], []
        self.redirects, self.tag, self.update, self.pace_s = True, "v1", b"", 0
        self.over = threading.Event()

    @property
    def url(self):
        return f"http://localhost:{self.server_port}"

    @property
    def downloads(self):
        """The requests at the storage."""
        return [one for one in self.asked if one["path"].startswith("/storage")]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hangs up is no fault of the server."""


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body):
        server, told = self.server, self.headers.get("Authorization")
        one = {"path": self.path, "authorization": told, "range": self.headers.get("Range")}
        one["encoding"] = self.headers.get("Accept-Encoding")
        server.asked.append(one)
        if self.path.startswith("/storage"):
            return self._archive(one["range"])
        if not ASK.fullmatch(self.path):
            return self._say(404)
        fields = json.loads(body)
        one["handle"] = f"{fields['ownerSlug']}/{fields['datasetSlug']}"
        fault = self._fault(int)
        if told not in server.accepts or fault:
            return self._say(fault or 401)
        if not server.redirects:
            return self._archive(one["range"])
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{server.server_port}{SIGNED}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _fault(self, kind):
        server = self.server
        if server.faults and isinstance(server.faults[0], kind):
            return server.faults.pop(0)
        return next((fault for fault in server.always if isinstance(fault, kind)), None)

    def _say(self, status):
        # The unkindest message: what a client repeats of it gives the credentials away.
        self._json(status, {"code": status, "message": f"no {self.headers.get('Authorization')}"})

    def _json(self, status, told):
        self._send(status, json.dumps(told).encode(), {"Content-Type": "application/json", "Retry-After": "7"})

    def _send(self, status, body, headers, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        for first in range(0, len(body), 2**16):
            self.wfile.write(body[first : first + 2**16])
            time.sleep(self.server.pace_s)
        self.wfile.flush()

    def _archive(self, asked):
        server, data = self.server, self.server.archive
        fault = self._fault(str)
        md5 = base64.b64encode(hashlib.md5(b"x" if fault == "wrong md5" else data).digest()).decode()
        headers = {
            "Content-Type": "application/zip",
            "Accept-Ranges": "bytes",
            "ETag": f'"{server.tag}"',
            "Last-Modified": "Tue, 05 Nov 2019 12:00:00 GMT",
            "x-goog-hash": f"crc32c=AAAAAA==,md5={md5}",
        }
        if fault == "cut and change":
            server.archive, server.tag, fault = server.update, "v2", "cut"
        if fault == "page":
            return self._send(200, b"<html>Sign in</html>", {"Content-Type": "text/html; charset=utf-8"})
        if fault == "damaged":
            at = len(data) // 3
            data = data[:at] + bytes(255 - byte for byte in data[at : at + 50]) + data[at + 50 :]
            del headers["x-goog-hash"]
        if fault == "416":
            return self._send(416, b"", headers)
        start, status = 0, 200
        match = re.fullmatch(r"bytes=(\d+)-", asked or "")
        same = self.headers.get("If-Range") in (None, headers["ETag"])
        if match and same and fault != "no range":
            start, status = int(match[1]), 206
            if start >= len(data):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            start += fault == "piece"
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        rest = data[start:]
        if fault in ("cut", "cut at once", "stall"):
            self._send(status, rest[: 0 if fault == "cut at once" else len(rest) // 2], headers, len(rest))
            if fault == "stall":
                server.over.wait(20)
            return self.connection.close()
        if fault == "long":
            self._send(status, rest, headers, len(rest) + 1000)
            return self.connection.close()
        if fault == "short":
            rest = rest[:-1000]
            del headers["x-goog-hash"]
        return self._send(status, rest, headers)
