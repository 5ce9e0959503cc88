"""The widgets' colours in JupyterLab's themes: what is drawn stands out from the page (WCAG 2.2, 1.4.3 and 1.4.11).

Computed from the style sheets of the widgets and of JupyterLab as it is installed, for both of its usual themes.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from serlib import plots, widgets
from serlib.plots import style
from serlib.widgets import galleries, maps

HERE = Path(widgets.__file__).parent
THEMES = Path(sys.prefix) / "share" / "jupyter" / "lab" / "themes" / "@jupyterlab"
#: Least contrast of text.
TEXT = 4.5
LABELS = [*plots.COLOURS, "sarcastic", "tired", "bored out", "x"]  # colours of one's own labels are drawn from the name


def sheet(name):
    return (HERE / f"{name}.css").read_text(encoding="utf-8")


class Theme:
    """The colours of a theme of JupyterLab, as the page shows them: `page`, `ink`, `faint` and `focus`."""

    def __init__(self, name):
        self.css = (THEMES / f"theme-{name}-extension" / "index.css").read_text(encoding="utf-8")
        self.page = self.colour("--jp-layout-color0")
        self.ink = self.colour("--jp-ui-font-color1")
        self.faint = self.colour("--jp-ui-font-color2")
        self.focus = self.colour("--jp-brand-color1")

    def colour(self, variable):
        value = re.search(rf"{variable}: *([^;}}]+)", self.css)[1]
        value = re.sub(r"var\([^,]+,(.+)\)", r"\1", value)  # what stands where the palette is not loaded
        mixed = re.fullmatch(r"rgba\((\d+), *(\d+), *(\d+), *([\d.]+)\)", value)
        if not mixed:
            return to_rgb(value.strip())
        opacity = float(mixed[4])
        return tuple(opacity * int(mixed[n + 1]) / 255 + (1 - opacity) * self.page[n] for n in range(3))


@pytest.fixture(params=["light", "dark"])
def theme(request):
    return Theme(request.param)


def oklab(colour):
    """A colour in Oklab (Ottosson 2020, as CSS Color 4 has it) [shape=(3,)]."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return TO_LAB @ np.cbrt(TO_LMS @ linear)


def mixed(colour, share, other):
    """color-mix(in oklab, colour share, other) as sRGB."""
    lab = share * oklab(colour) + (1 - share) * oklab(other)
    linear = np.clip(np.linalg.inv(TO_LMS) @ (np.linalg.inv(TO_LAB) @ lab) ** 3, 0, 1)
    return tuple(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def test_mixing_is_that_of_the_browsers():
    assert mixed("#1f5f99", 1, "white") == pytest.approx(to_rgb("#1f5f99"), abs=1e-3)
    assert mixed("white", 0.5, "black") == pytest.approx((0.3885,) * 3, abs=1e-3)  # color-mix(in oklab, white, black)


def test_text_borders_and_focus(theme):
    assert style.contrast(theme.ink, theme.page) >= TEXT
    assert style.contrast(theme.faint, theme.page) >= style.CONTRAST
    assert style.contrast(theme.focus, theme.page) >= style.CONTRAST
    for name in ("scope", "grid", "gallery", "live"):
        assert "--ink: var(--jp-ui-font-color1," in sheet(name)
        assert "--faint: var(--jp-ui-font-color2," in sheet(name)
        assert "--focus: var(--jp-brand-color1," in sheet(name)


@pytest.mark.parametrize("name", ["scope", "grid"])
def test_lines_in_the_colours_of_emotions(theme, name):
    at_first, dark = map(int, re.findall(r"--lighter: (\d+)%;", sheet(name)))
    assert "color-mix(in oklab, var(--colour) var(--lighter), white)" in sheet(name)
    share = (dark if theme.page == to_rgb("#111") else at_first) / 100
    for label in LABELS:
        assert style.contrast(mixed(style.line_colour(label), share, "white"), theme.page) >= style.CONTRAST, label


def test_bars_have_an_outline():
    # ... in the colour of the text, whose contrast is that above
    assert re.search(r"\.serlib-live \.track span \{[^}]*box-shadow: inset 0 0 0 1px var\(--ink\)", sheet("live"))
    clip = pd.Series({"label": "sad", "predicted": "sad", "sad": 1.0})
    assert "inset 0 0 0 1px var(--jp-ui-font-color1" in galleries.bars(clip, ["sad"])
    assert re.search(r"\.serlib-live \.meter \{[^}]*border: 1px solid var\(--faint\)", sheet("live"))


def test_points_of_the_map_have_an_outline(tone_index):
    drawing = maps.drawing_of(tone_index, np.eye(len(tone_index), 2), ("one", "two"), "A map")
    paper = re.search(r'plot_bgcolor: "(\w+)"', (HERE / "map.js").read_text(encoding="utf-8"))[1]
    points = [trace for trace in drawing["data"] if "customdata" in trace]
    assert points
    for trace in points:
        marker = trace["marker"]
        assert "opacity" not in marker and marker["line"]["width"] >= 1
        assert style.contrast(marker["line"]["color"], paper) >= style.CONTRAST


def test_figures_in_the_cells_of_the_matrix(theme):
    shades = dict(re.findall(r"\.serlib-confusion \.(right|wrong) \{ --shade: (#\w+); \}", sheet("gallery")))
    deepest = int(re.search(r"DEEPEST = (\d+);", (HERE / "gallery.js").read_text(encoding="utf-8"))[1])
    assert set(shades) == {"right", "wrong"} and deepest >= 50
    assert "background: color-mix(in oklab, var(--shade) var(--share), var(--paper));" in sheet("gallery")
    for kind in shades:
        for share in np.linspace(0, deepest / 100, 50):
            assert style.contrast(theme.ink, mixed(shades[kind], share, theme.page)) >= TEXT, (kind, share)
