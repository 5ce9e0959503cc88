"""Texts that reach a page, a widget or a notebook's output are texts there: nothing in them runs."""

import base64
import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import serlib
from serlib import plots
from serlib.evaluation.report import dataclasses, score
from serlib.plots.page import write
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.trust.damaged import encoded

ROOT = Path(__file__).resolve().parents[2]

#: What somebody may write into a file name, a label or a word.
HOSTILE = (
    "<script>window.hacked=1</script>",
    '<img src=x onerror="window.hacked=1">',
    '"><svg onload=window.hacked=1>',
    "' onfocus='window.hacked=1' autofocus='",
    '<a href="javascript:window.hacked=1">x</a>',
    "</style></title><iframe srcdoc='<script>parent.hacked=1</script>'>",
    "{{ 7 * 7 }}{% raw %} $\\frac$ &lt;b&gt;",
)


class Seen(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def harmless(page):
    """A page's texts, once it is known to hold no script and nothing that runs one."""
    seen = Seen(page)
    assert not seen.tags & {"script", "iframe", "object", "embed", "link", "base", "form", "a"}
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("srcdoc", "autofocus")]
    assert not [value for _, value in seen.attributes if (value or "").lstrip().lower().startswith("javascript:")]
    assert not [value for name, value in seen.attributes if name == "src" and not value.startswith("data:")]
    return " ".join(seen.texts)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, session_home):
    """An index whose labels, speakers, texts and file names are HOSTILE."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = []
    for n, text in enumerate(HOSTILE):
        other = HOSTILE[(n + 1) % len(HOSTILE)]
        name = f"{n} {text.replace('/', '_')}.wav"
        (folder / name).write_bytes(encoded(np.sin(np.arange(12000) * (0.05 + n / 60)) * 0.5, 16000))
        rows.append([name, text, text, other])
        rows.append([name[:-4] + "2.wav", other, text, other])
        (folder / rows[-1][0]).write_bytes(encoded(np.sin(np.arange(12000) * (0.4 + n / 60)) * 0.5, 16000))
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["speech", "label", "speaker", "text"], *rows])
    table = serlib.index("folder", folder, show=False)
    assert len(table) == 2 * len(HOSTILE) and not table.attrs["rejected"]
    return table


def judged(table):
    """A report on an index, with made up probabilities."""
    labels = sorted(set(table["label"]))
    p = np.random.default_rng(0).dirichlet(np.ones(len(labels)), len(table))
    found = score(table.assign(corpus=HOSTILE[0]), p, labels, resamples=20)
    return dataclasses.replace(found, split=HOSTILE[1], protocol=HOSTILE[2], left_out={HOSTILE[3]: 1})


@pytest.fixture(scope="module")
def pages(hostile, tmp_path_factory):
    """Name -> HTML of all that shows an index without a kernel."""
    from serlib import widgets
    from serlib.widgets.galleries import bars

    found, text = judged(hostile), hostile["text"].iloc[0]
    clips = [(np.float32(np.sin(np.arange(12000) * 0.1)), 16000)] * len(HOSTILE)
    scope = widgets.scope(hostile["speech"].iloc[0])
    figures = {"recall": plots.recall_bars(found), "confusion": plots.confusion(found)}
    return {
        "report": write(found, tmp_path_factory.mktemp("report"), title=HOSTILE[0]).read_text(encoding="utf-8"),
        "grid": widgets.grid(hostile, text)._repr_mimebundle_()[0]["text/html"],
        "scope as output": scope._repr_mimebundle_()[0]["text/html"],
        "players": widgets.players(dict(zip(HOSTILE, clips, strict=True)))._repr_html_(),
        "bars": "".join(bars(clip, found.labels) for _, clip in found.predictions.iterrows()),
        "index as output": hostile._repr_html_(),
        **{f"figure {name}": plots.style.shown_as(figure.figure)[0]["text/html"] for name, figure in figures.items()},
    }


def test_texts_are_texts_on_every_page(pages):
    for name, page in pages.items():
        texts = harmless(page)
        if name in ("report", "grid", "players", "bars", "index as output"):
            assert "<script>window.hacked=1</script>" in texts, name
    assert "{{ 7 * 7 }}{% raw %}" in harmless(pages["report"])


def test_texts_are_texts_in_every_widget(hostile):
    """What reaches an ipywidgets.HTML, and what plotly takes for HTML."""
    import ipywidgets

    from serlib import widgets
    from serlib.widgets.maps import drawing_of

    drawing = drawing_of(hostile, np.zeros((len(hostile), 2)), HOSTILE[:2], HOSTILE[0])
    shown = [text for trace in drawing["data"] for text in (trace.get("name", ""), *trace.get("text", []))]
    shown += [part["title"]["text"] for part in (drawing["layout"], *map(drawing["layout"].get, ("xaxis", "yaxis")))]
    for text in shown:
        assert Seen(text).tags <= {"b", "br"} and not Seen(text).attributes
    widget = widgets.explorer(hostile)
    for menu in widget.menus[0].values():
        for k in range(len(menu.options)):
            menu.index = k

    def below(one):
        yield one
        for child in getattr(one, "children", ()):
            yield from below(child)

    html = [one.value for one in below(widget) if isinstance(one, ipywidgets.HTML)]
    assert html and not any(Seen(text).tags for text in html)


LOADER = """<!doctype html><meta charset="utf-8"><body><script type="module">
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const revive = (key, value) => value && value.bytes64 !== undefined ? bytes(value.bytes64) : value;
const widgets = JSON.parse(await (await fetch("/widgets.json")).text(), revive);
for (const { script, state } of widgets) {
  const el = document.body.appendChild(document.createElement("div"));
  const model = { get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {}, send() {} };
  await (await import(script)).default.render({ model, el });
}
const map = document.querySelector(".serlib-map");
const Plotly = await globalThis.serlibPlotly;
map._fullData.forEach((trace, k) => trace.text && Plotly.Fx.hover(map, [{ curveNumber: k, pointNumber: 0 }]));
document.body.dataset.ready = "yes";
</script>"""


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_no_script_runs_in_a_browser(hostile, pages):
    """The pages without a kernel, and the widgets' own JavaScript with hostile values."""
    from playwright.sync_api import sync_playwright

    from serlib import widgets
    from serlib.widgets.galleries import Confusion, answered

    def plain(value):
        return {"bytes64": base64.b64encode(value).decode()}

    found = judged(hostile)
    clip = hostile.iloc[0]
    pages = {
        "scope": widgets.scope(clip.speech, title=HOSTILE[1], label=HOSTILE[0], contours=True),
        "grid": widgets.grid(hostile, clip.text),
        "gallery": Confusion(title=HOSTILE[2], labels=found.labels, counts=answered(found), chosen=[0, 0]),
        "map": widgets.clip_map(hostile, np.arange(2.0 * len(hostile)).reshape(-1, 2), title=HOSTILE[0]).points,
    }
    states = [
        {
            "script": f"/{name}.js",
            "state": {
                key: getattr(widget, key)
                for key in widget.keys
                if not key.startswith("_") and key not in ("layout", "tabbable", "tooltip", "comm")
            },
        }
        for name, widget in pages.items()
    ]
    served = {
        "/widgets": ("text/html", LOADER),
        "/widgets.json": ("application/json", json.dumps(states, default=plain)),
        **{f"/{name}.js": ("text/javascript", (ROOT / f"serlib/widgets/{name}.js").read_text()) for name in pages},
        **{f"/{name}": ("text/html", f'<meta charset="utf-8">{page}') for name, page in pages.items()},
    }
    hacked = "document.querySelector('[onerror],[onload],[onfocus],[srcdoc],[href^=javascript]') || window.hacked"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(180_000)
        asked, errors = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))

        def answer(route):
            asked.append(route.request.url)
            kind, body = served.get(asked[-1].removeprefix("http://serlib.test").replace("%20", " "), (None, None))
            route.fulfill(content_type=kind, body=body) if kind else route.fulfill(status=404)

        page.route(re.compile("^http"), answer)
        for name in pages:
            page.goto(f"http://serlib.test/{name}")
            assert page.evaluate(hacked) is None, name
        page.goto("http://serlib.test/widgets")
        page.wait_for_selector("body[data-ready]")
        assert page.evaluate(hacked) is None
        text = page.inner_text("body")
        browser.close()
    assert not errors
    assert "<script>window.hacked=1</script>" in text and '"><svg onload=window.hacked=1>' in text
    expected = {"/favicon.ico", *served}
    assert {url.removeprefix("http://serlib.test").replace("%20", " ") for url in asked} <= expected
