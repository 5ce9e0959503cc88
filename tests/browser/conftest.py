"""A real JupyterLab and a real browser for the tests of what people click.

    def test_something(lab):
        notebook = lab.open(cells=["from serlib import widgets", "..."])   # or lab.open("02_eda")
        notebook.run()
        notebook.page.get_by_role("slider").click()

One server and one browser serve all tests of this folder, and go with the last of them (Playwright's event loop would
confuse the tests after it); each test gets a page of its own, and fails in the end if the page
said anything on its console, or asked for anything that does not come from the server. Screenshots are kept in the
folder SERLIB_SCREENSHOTS, or else in pytest's own. Debian's Chromium is used; nothing is downloaded.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe

from notebooks import build
from serlib import audio
from serlib.recognizer import UNSURE, Recognizer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Beside heavy work a page takes its time; nothing waits this long when all is well.
PATIENCE_S = 300
SIZE = {"width": 1280, "height": 1000}
FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage"]

#: JupyterLab as a test wants it: every cell on the page even when it is far away, no news from the network.
SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}


#: A first cell with which a notebook draws nothing: its figures are looked at in 02, and compared in all by nbval.
NO_FIGURES = """from serlib import plots
from serlib.plots import page
plots.show = lambda *figures, **options: None
page.write = lambda report, folder, **options: folder"""


def pytest_terminal_summary(terminalreporter):
    """One line where there is no browser."""
    if not CHROMIUM:
        terminalreporter.write_line("no chromium here: the tests in tests/browser did not run (apt install chromium)")


class Server:
    """JupyterLab in a process of its own."""

    def __init__(self, folder):
        self.folder, self.home = folder / "notebooks", folder / "home"
        settings = folder / "lab"
        for made in (self.folder, self.home, settings):
            made.mkdir()
        self.home = build.shared_home() or self.home  # where 05 and 09 find what the notebooks before them trained
        (settings / "overrides.json").write_text(json.dumps(SETTINGS))
        self.port = free_port()
        self.token = os.urandom(12).hex()
        self.address = f"http://127.0.0.1:{self.port}"
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self.port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": folder,  # as `make lab` has it: beside notebooks lies what they link to
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "IdentityProvider.token": self.token,
            "LabApp.app_settings_dir": settings,
            "LabApp.expose_app_in_browser": True,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        }
        self.log = folder / "jupyter.log"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])  # the kernel's `python`
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())],
                env={**build.clean_environment(self.home), "PATH": path, "JUPYTER_CONFIG_DIR": str(folder / "config")},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    def wait(self):
        """Until it answers."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.address}/api?token={self.token}", timeout=5)
                return
            time.sleep(0.1)
        pytest.fail(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}", pytrace=False)

    def stop(self):
        """It takes its kernels along."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


def complaints(page, address):
    """A list that fills with what a page says on its console as an error, and asks of others than its server."""
    errors = []

    def local(request):
        if not request.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            errors.append(f"asked the network for {request.url}")

    page.on("console", lambda said: said.type == "error" and errors.append(f"{said.text} ({said.location})"))
    page.on("pageerror", lambda error: jupyterlab_tidies(error) or errors.append(f"{error}\n{error.stack}"))
    page.on("request", local)
    return errors


def jupyterlab_tidies(error):
    """Whether JupyterLab removed something of its page a second time, as it does when it is slow.

    The code of our widgets comes from a `blob:`, JupyterLab's and its extensions' from below `/lab/`.
    """
    places = re.findall(r"\b(?:https?|blob):[^\s)]+", error.stack or "")
    is_jupyterlab = bool(places) and all("/lab/" in place and not place.startswith("blob:") for place in places)
    return is_jupyterlab and "Failed to execute 'removeChild'" in str(error)


def free_port():
    """The number of a port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Notebook:
    """A notebook that is open in the browser.

    `page` is Playwright's; `errors` what the page complained about; `name` the file's.
    """

    def __init__(self, page, server, name, pictures):
        self.page, self.name, self.errors = page, name, complaints(page, server.address)
        self._pictures = pictures
        page.goto(f"{server.address}/doc/tree/notebooks/{name}?reset&token={server.token}")
        page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel")

    def command(self, name, **arguments):
        """Have JupyterLab do one of its commands; returns when it is done."""
        call = "([name, arguments]) => window.jupyterapp.commands.execute(name, arguments).then(() => null)"
        self.page.evaluate(call, [name, arguments])

    def run(self):
        """Run all cells, and let the page come to rest, which moves the focus; a cell that fails fails the test."""
        self.command("notebook:run-all-cells")
        self.page.evaluate("() => new Promise(rest => requestIdleCallback(() => rest()))")
        failed = self.page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']")
        failed = self.page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").or_(failed)
        assert not failed.count(), failed.first.inner_text()

    def cell(self, number):
        """The code cell of this number, from 0, as a locator; negative from the end."""
        return self.page.locator(".jp-CodeCell").nth(number)

    def evaluate(self, expression):
        """The repr of an expression in the kernel."""
        call = """async (code) => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const done = await kernel.requestExecute({code: "", user_expressions: {x: code}, silent: true}).done;
            const x = done.content.user_expressions.x;
            return x.status === "ok" ? x.data["text/plain"] : x.evalue;
        }"""
        return self.page.evaluate(call, expression)

    def until(self, expression, wanted="True"):
        """Wait until an expression in the kernel has this repr."""
        end = time.monotonic() + PATIENCE_S
        while (found := self.evaluate(expression)) != wanted:
            assert time.monotonic() < end, f"{expression} is {found}, not {wanted}"
            self.page.wait_for_timeout(50)

    def theme(self, name):
        """Change to JupyterLab's "light" or "dark" theme."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.title()}")
        light = str(name == "light").lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")

    def picture(self, name, locator=None):
        """Keep a screenshot of the page, or of a part of it."""
        path = self._pictures / f"{name}.png"
        if locator:
            locator.scroll_into_view_if_needed()
        (locator or self.page).screenshot(path=path)
        return path


def serious(page, context=None):
    """What axe-core finds serious or critical on a page.

    Parameters
    ----------
    page : playwright Page
    context : str, optional
        Selector of the parts that are looked at; default: the whole page.

    Returns
    -------
    list of (rule, where, HTML)
    """
    violations = Axe().run(page, context=context).response["violations"]
    return [
        (rule["id"], node["target"], node["html"][:160])
        for rule in violations
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


#: Where in the page the loneliest point of an emotion is, and whose it is: [x, y, row].
LONELIEST = """label => {
    const box = document.querySelector(".serlib-map"), { xaxis, yaxis } = box._fullLayout;
    const all = box.data.filter(t => t.customdata).flatMap(
        t => t.customdata.map((row, k) => [xaxis.d2p(t.x[k]), yaxis.d2p(t.y[k]), row, t.name]));
    const gap = ([x, y, row]) => Math.min(...all.map(([u, v, r]) => r === row ? Infinity : Math.hypot(x - u, y - v)));
    const [x, y, row] = all.filter(p => p[3] === label).sort((p, q) => gap(q) - gap(p))[0];
    const { left, top } = box.getBoundingClientRect();
    return [left + xaxis._offset + x, top + yaxis._offset + y, row];
}"""


def click_point(notebook, label):
    """Click on the loneliest point of an emotion on the map of a notebook; returns its row."""
    x, y, row = notebook.page.evaluate(LONELIEST, label)
    notebook.page.mouse.move(x, y)
    notebook.page.locator(".serlib-map .hoverlayer text").first.wait_for()
    notebook.page.mouse.click(x, y)
    return row


@pytest.fixture(scope="package")
def server(tmp_path_factory):
    """A JupyterLab of these tests' own: port, token, SERLIB_HOME, folder of notebooks."""
    if not CHROMIUM:
        pytest.skip("no chromium")
    started = Server(tmp_path_factory.mktemp("lab"))
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="package")
def chromium():
    """Launch a browser: chromium(*more_flags) -> playwright Browser; one for each set of flags."""
    if not CHROMIUM:
        pytest.skip("no chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = {}

        def launch(*flags):
            if flags not in started:
                started[flags] = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
            return started[flags]

        yield launch
        for browser in started.values():
            browser.close()


@pytest.fixture(scope="package")
def pictures(tmp_path_factory):
    """Where screenshots are kept."""
    folder = os.environ.get("SERLIB_SCREENSHOTS")
    folder = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Lab:
    """Opens notebooks in the browser, each on a page of its own."""

    def __init__(self, server, chromium, pictures):
        self.server, self._chromium, self._pictures, self._opened = server, chromium, pictures, []

    def open(self, stem=None, *, cells=(), flags=(), figures=True):
        """Open a copy of a notebook of the project, or one of these cells.

        Parameters
        ----------
        stem : str
            "02_eda": converted from its source, without outputs.
        cells : sequence of str
            The code of the cells, where there is no `stem`.
        flags : sequence of str
            More flags for Chromium.
        figures : bool
            Whether `stem` draws its figures, which takes longer than all else in it.
        """
        if stem:
            notebook = build.convert(build.HERE / "src" / f"{stem}.py")
            if not figures:
                notebook.cells.insert(0, nbformat.v4.new_code_cell(NO_FIGURES))
        else:
            notebook = nbformat.v4.new_notebook(metadata=build.METADATA)
            notebook.cells = [nbformat.v4.new_code_cell(text) for text in cells]
        name = f"{stem or 'cells'}-{len(list(self.server.folder.iterdir()))}.ipynb"
        nbformat.write(notebook, self.server.folder / name)
        context = self._chromium(*flags).new_context(viewport=SIZE)
        context.set_default_timeout(1000 * PATIENCE_S)
        self._opened.append((context, None))
        opened = Notebook(context.new_page(), self.server, name, self._pictures)
        self._opened[-1] = (context, opened)
        return opened

    def close(self):
        """Shut the kernels down and close the pages; returns what the pages complained about."""
        errors = []
        for context, opened in self._opened:
            if opened:
                errors += opened.errors
                opened.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
            context.close()
        return errors


@pytest.fixture
def lab(server, chromium, pictures):
    """Opens notebooks, see `Lab.open`; afterwards no page may have complained."""
    opened = Lab(server, chromium, pictures)
    yield opened
    assert not opened.close()


@pytest.fixture(scope="module")
def module_lab(server, chromium, pictures):
    """`lab` for a notebook that a whole file of tests shares."""
    opened = Lab(server, chromium, pictures)
    yield opened
    assert not opened.close()


@pytest.fixture(scope="package")
def spoken(live_run, tone_index, tmp_path_factory):
    """The clip that the model is surest of, and the same between moments of a quiet room, for the microphone."""
    recognizer = Recognizer(live_run)
    path = max(tone_index.speech, key=lambda speech: recognizer.predict(speech).confidence)
    assert recognizer.predict(path).label != UNSURE
    y, rate_hz = audio.load(path)
    room = 1e-3 * np.random.default_rng(0).standard_normal(4 * rate_hz)
    fed = tmp_path_factory.mktemp("microphone") / "fed.wav"
    soundfile.write(fed, np.concatenate([room[:rate_hz], y, room]), rate_hz, subtype="PCM_16")
    return path, fed
