"""What all figures share: colours, fonts, the description in words, the way to the page."""

import base64
import colorsys
import functools
import hashlib
import html
import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

#: Emotion -> colour, the same everywhere. Found by a search that starts from the usual associations (anger red, joy
#: yellow, sadness blue) and moves them apart: as seen by protanopes and deuteranopes (Machado, Oliveira & Fernandes
#: 2009, IEEE TVCG 15(6)) any two lie more than 23 apart in CIELAB, by tritanopes 20. A test holds them to it.
COLOURS = {
    "angry": "#b52915",
    "disgust": "#46a75b",
    "fear": "#793b96",
    "happy": "#efa208",
    "neutral": "#5d6062",
    "ps": "#d294b1",
    "sad": "#267aeb",
    "calm": "#53c8f9",
    "boredom": "#4a3020",
}

#: Role -> colour: pale for what the model learns from, strong for what it is judged by. Any two differ in contrast.
ROLE_COLOURS = {"train": "#d3e2f0", "validation": "#b8680a", "test": "#4f0b26"}

#: Shapes of the speakers' points, in the order of their names, where there are few (serlib.widgets.maps has the same).
MARKERS = "o^sDvP"

#: Lines and bars that stand for no emotion.
MAIN = "#1f5f99"
SECOND = "#c8553d"
INK = "#222222"
FAINT = "#8a8a8a"

#: Least contrast with the page of what is drawn (WCAG 2.2, success criterion 1.4.11). Some emotions' colours have less
#: on white: their bars and points have an outline in `INK`, their lines are darker (`line_colour`).
CONTRAST = 3.0

#: Dots per inch, and colours of a picture.
DPI = 100
PALETTE = 48

#: The look of every figure.
STYLE = matplotlib.rc_params_from_file(Path(__file__).with_name("serlib.mplstyle"), use_default_template=False)


class Picture(Figure):
    """A figure that knows its description and takes it along to the page.

    It belongs to no pyplot state, so it is shown once, where it is asked for, and freed when it is let go.
    """

    alt = ""

    def _ipython_display_(self):
        show(self)


def with_style(function):
    """Let a plotting function work under `STYLE`, whatever the caller's own settings are."""

    @functools.wraps(function)
    def drawing(*args, **options):
        with matplotlib.rc_context(STYLE):
            return function(*args, **options)

    return drawing


def _page(size):
    figure = Picture(figsize=size)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1)
    return figure


def canvas(ax=None, *, size=(9, 4.5)):
    """The axes to draw on and what to return: the caller's own, or new ones and their figure."""
    if ax is not None:
        return ax, ax
    figure = _page(size)
    return figure.subplots(), figure


def panels(rows=1, columns=1, *, size, **options):
    """A figure of several axes [shape=(rows, columns)]."""
    figure = _page(size)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def heading(figure, title):
    """A title above several axes."""
    figure.suptitle(title, fontweight="bold", fontsize=16, x=0.012, ha="left")


def described(out, text):
    """Attach the description to a figure or axes and hand it on."""
    out.alt = " ".join(text.encode(errors="replace").decode().split())
    return out


def alt(figure):
    """What a figure (or Axes) shows, in one sentence, for those who cannot see it.

    Of a figure put together from several axes, their descriptions one after the other; of a foreign figure its titles.
    """
    if getattr(figure, "alt", ""):
        return figure.alt
    parts = figure.axes if isinstance(figure, Figure) else [figure]
    return " ".join(getattr(ax, "alt", "") or ax.get_title(loc="left") or ax.get_title() for ax in parts).strip()


def png(*figures, dpi=DPI):
    """Figures, one below the other, as the bytes of a PNG file, with their description inside.

    The `PALETTE` colours that fit best make the file a quarter as large, so that notebooks with outputs stay small.
    """
    pictures = [_pixels(figure, dpi) for figure in figures]
    sheet = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    info = PngInfo()
    info.add_itxt("Description", _alts(figures))
    buffer = io.BytesIO()
    sheet.quantize(PALETTE, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True, pnginfo=info, dpi=(dpi, dpi))
    return buffer.getvalue()


def _pixels(figure, dpi):
    """A figure as PIL's image, whatever the caller's own settings are."""
    drawing = io.BytesIO()
    look = {"savefig.facecolor": "auto", "savefig.transparent": False, "savefig.bbox": None}
    with matplotlib.rc_context({**look, "text.parse_math": False}):  # the names of ticks are made only now
        figure.savefig(drawing, format="png", dpi=dpi)
    return Image.open(drawing).convert("RGB")


def _alts(figures):
    return " ".join(filter(None, map(alt, figures)))


def shown_as(*figures, dpi=DPI):
    """What a notebook shows of figures, one below the other: the data and the metadata of a MIME bundle.

    The picture comes twice: as HTML with its description, since JupyterLab (4.6) and nbconvert's page drop the
    description of a plain PNG; and as PNG, since GitHub drops the pictures in HTML.
    """
    data = png(*figures, dpi=dpi)
    description = _alts(figures)
    image = f'<img alt="{html.escape(description)}" src="{data_url(data, "image/png")}">'
    return {"text/html": image, "image/png": base64.b64encode(data).decode()}, {"image/png": {"alt": description}}


def data_url(data, mime):
    """Bytes of some type of file as an address that holds them, for a page that needs no other file."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


@functools.cache
def template(path):
    """The Jinja template in a file; names and texts from outside are escaped.

    Beside Jinja's own it knows the filters `data_url`, `percent` (of shares, "-" for NaN) and `span` (of two bounds).
    """
    import jinja2  # nothing else of a figure needs it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"data_url": data_url, "percent": _percent, "span": _span}
    return environment.get_template(path.name)


def _percent(value, digits=1):
    return "-" if np.isnan(value) else f"{100 * value:.{digits}f} %"


def _span(bounds):
    low, high = bounds
    return "-" if np.isnan(low) else f"{100 * low:.1f} to {100 * high:.1f} %"


def show(*figures, dpi=DPI):
    """Show figures (or the figures of Axes) in a notebook, with their descriptions; `dpi` is dots per inch."""
    from IPython.display import display  # the commands draw without a notebook

    for figure in figures:
        figure = getattr(figure, "figure", figure)
        titles = [ax.get_title(loc="left") for ax in figure.axes]
        name = " ".join((figure.get_suptitle() or next(filter(None, titles), "untitled")).split())
        data, metadata = shown_as(figure, dpi=dpi)
        display({**data, "text/plain": f"[Figure: {name}]"}, metadata=metadata, raw=True)


def colour(label):
    """The colour of an emotion; for a label of one's own always the same one, drawn from its name."""
    if label in COLOURS:
        return COLOURS[label]
    seed = hashlib.blake2b(str(label).encode(), digest_size=2).digest()
    red, green, blue = colorsys.hls_to_rgb(seed[0] / 256, 0.35 + 0.25 * seed[1] / 255, 0.55)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def luminance(value):
    """Relative luminance of a colour (WCAG 2.2): 0 is black, 1 is white."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(value)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other="white"):
    """Contrast ratio of two colours (WCAG 2.2), from 1 to 21."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def line_colour(label):
    """The colour of an emotion for lines on white, which have no outline: darkened where its contrast is too small."""
    value = colour(label)
    while contrast(value) < CONTRAST:
        value = to_hex([0.98 * part for part in to_rgb(value)])
    return value


def ramp(n):
    """n colours for things in an order, from dark to light, each with enough contrast on white [shape=(n, 4)]."""
    return matplotlib.colormaps["plasma"](np.linspace(0, 0.6, n))


def tint(value, share):
    """A colour mixed with white: share 1 is the colour itself."""
    return tuple(1 - share * (1 - part) for part in to_rgb(value))


def ink(background):
    """Black or white, whichever reads better on a colour."""
    return INK if luminance(background) > 0.25 else "white"


def name_cells(ax, image, rows, columns, *, label, rotation=0):
    """Name the rows and columns of a heat map, and what its colours say."""
    ax.set_xticks(range(len(columns)), columns, rotation=rotation)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.figure.colorbar(image, ax=ax, label=label, pad=0.02)


def honest(title, corpora):
    """A title that says so where the figure is made on the sample corpus: one of `corpora`, or of an index's."""
    if hasattr(corpora, "columns"):
        corpora = corpora["corpus"].unique() if "corpus" in corpora else ()
    names = [corpora] if isinstance(corpora, str) else list(corpora)
    if "sample" not in names:
        return title
    room = len(title) <= 30  # on the title's line
    return f"{title}{' ' if room else chr(10)}(synthetic sample speech)"


def listed(pairs):
    """Names and values for a description: "angry 80, sad 79"."""
    return ", ".join(f"{name} {value}" for name, value in pairs)
