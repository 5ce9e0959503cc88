"""The MFCC explorer: turn the settings, see what becomes of a clip, hear what is left of it (`mfcc_explorer`)."""

import dataclasses
import uuid
import warnings
from html import escape

import ipywidgets
import matplotlib
import numpy as np

from serlib import audio, plots
from serlib.features import inverse, spectral
from serlib.features.spec import FeatureSpec, extract_clip
from serlib.plots.style import template
from serlib.utils import SerlibError
from serlib.widgets.debounce import SliderNames, debounced
from serlib.widgets.drawing import palette_image
from serlib.widgets.oscilloscope import Scope, common
from serlib.widgets.pictures import TEMPLATES, Pictured, Static
from serlib.widgets.playing import players

#: What the sliders offer: samples a frame, parts of a frame from one to the next, most mel bands.
FRAMES = (256, 512, 1024, 2048, 4096)
PARTS = (8, 4, 2)
MOST_BANDS = 128


def workings(y, spec):
    """What a specification makes of a clip, and the sound that can be made of its MFCC again.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        At the rate of `spec`.
    spec : serlib.features.FeatureSpec
        Its rate, frame, hop, `n_mels` and `n_mfcc` are used.

    Returns
    -------
    dict
        `levels_db` [shape=(frames, 1 + frame / 2)], the power spectrogram; `bands_db` [shape=(frames, n_mels)]; `mfcc`
        [shape=(frames, n_mfcc)]; `copy` [shape=(n,)], the sound; `distance_db`, how far its mel spectrum is from the
        clip's; `pitch_kept`, the share of loud frames with the right pitch; `empty`, how many bands are so narrow that
        no frequency of the transform falls into them.

    Taught in notebooks/03_mfcc.
    """
    spec = dataclasses.replace(spec, kinds=("logmel", "mfcc"), summary=(), frames=None)
    with warnings.catch_warnings():  # librosa's, of empty bands: they are counted below
        warnings.simplefilter("ignore", UserWarning)
        rows = extract_clip(y, spec.rate_hz, spec)
        filters = spectral.mel_filters(spec.rate_hz, spec.frame, spec.n_mels, spec.fmin_hz, spec.fmax_hz)
        power = np.concatenate(list(spectral.power_blocks(np.float32(y), frame=spec.frame, hop=spec.hop)))
        copy = inverse.from_mfcc(rows[:, spec.n_mels :], spec, samples=len(y))
        return {
            "levels_db": spectral.decibels(power),
            "bands_db": rows[:, : spec.n_mels],
            "mfcc": rows[:, spec.n_mels :],
            "copy": copy,
            "distance_db": inverse.distance_db(y, copy, spec),
            "pitch_kept": inverse.pitch_kept(y, copy, spec),
            "empty": int((filters.sum(axis=1) == 0).sum()),
        }


def in_words(steps, spec):
    """What is kept and what is lost, from `workings` of a specification, in a sentence or three."""
    numbers = spec.n_mfcc * len(steps["mfcc"])
    text = (
        f"{len(steps['mfcc'])} frames of {1000 * spec.frame / spec.rate_hz:.0f} ms, one every "
        f"{1000 * spec.hop / spec.rate_hz:.0f} ms: {numbers} numbers for {len(steps['copy'])} samples. "
        f"The copy's mel spectrum is {steps['distance_db']:.1f} dB from the clip's"
    )
    if np.isfinite(steps["pitch_kept"]):
        text += f"; its pitch is right in {10 * steps['pitch_kept']:.0f} of 10 loud frames"
    if steps["empty"]:
        text += f". {steps['empty']} of the {spec.n_mels} bands are so narrow that no frequency falls into them"
    return f"{text}."


class MfccExplorer(Pictured, ipywidgets.VBox):
    """The widget that `mfcc_explorer` makes.

    Attributes
    ----------
    sliders : dict of str -> ipywidgets slider
        `frame`, `part`, `n_mels`, `n_mfcc`.
    picture, says : ipywidgets.HTML
    original, scope : Scope
        Of the clip (A) and of the copy (B), side by side; the keys A and B change from one to the other.
    """

    def __init__(self, y, rate_hz, spec, title, label):
        self._y = y
        self._rate_hz = rate_hz
        self._title = title
        self._label = label
        wide = {"style": {"description_width": "110px"}, "layout": ipywidgets.Layout(width="440px")}
        frames = [(f"{n} ({1000 * n / rate_hz:.0f} ms)", n) for n in FRAMES]
        parts = [(f"1/{n} frame", n) for n in PARTS]
        part = min(PARTS, key=lambda n: abs(n - spec.frame / spec.hop))
        frame = min(FRAMES, key=lambda n: abs(n - spec.frame))
        self.sliders = {
            "frame": ipywidgets.SelectionSlider(options=frames, value=frame, description="Frame", **wide),
            "part": ipywidgets.SelectionSlider(options=parts, value=part, description="Hop", **wide),
            "n_mels": ipywidgets.IntSlider(spec.n_mels, 8, MOST_BANDS, description="Mel bands", **wide),
            "n_mfcc": ipywidgets.IntSlider(spec.n_mfcc, 1, spec.n_mels, description="Coefficients", **wide),
        }
        self.picture = ipywidgets.HTML()
        self.says = ipywidgets.HTML()
        pair = uuid.uuid4().hex
        self.original = Scope(letter="A", pair=pair)
        self.scope = Scope(letter="B", pair=pair)
        self.draw()
        self.sliders["n_mels"].observe(self._no_more_than_bands, "value")
        for slider in self.sliders.values():
            slider.observe(debounced(self.draw), "value")
        controls = ipywidgets.VBox(list(self.sliders.values()))
        for scope in (self.original, self.scope):
            scope.add_class("serlib-low")
            scope.layout = ipywidgets.Layout(flex="1 1 420px", min_width="0")
        both = ipywidgets.HBox([self.original, self.scope], layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([controls, self.picture, self.says, both, SliderNames()])

    def static(self):
        """What it leaves on a page without a kernel: see `Pictured.static`."""
        figure = plots.mfcc_steps(
            self._steps["levels_db"], self._steps["bands_db"], self._steps["mfcc"], self.spec, title=self._title
        )
        sounds = {"A: the clip": (self._y, self._rate_hz), "B: its copy": (self._steps["copy"], self._rate_hz)}
        return Static("MFCC explorer", [figure], [players(sounds).data])

    @property
    def spec(self):
        """The specification that the sliders stand for."""
        at = {name: slider.value for name, slider in self.sliders.items()}
        return FeatureSpec(
            rate_hz=self._rate_hz,
            frame=at["frame"],
            hop=at["frame"] // at["part"],
            n_mels=at["n_mels"],
            n_mfcc=at["n_mfcc"],
        )

    def _no_more_than_bands(self, change):
        self.sliders["n_mfcc"].max = change["new"]

    def draw(self):
        """Compute and show everything anew."""
        spec = self.spec
        steps = workings(self._y, spec)
        self._steps = steps
        self.picture.value = page(steps, spec)
        self.says.value = escape(in_words(steps, spec))
        options = {"label": self._label, **common([(self._y, self._rate_hz), (steps["copy"], self._rate_hz)])}
        self.original.load(self._y, self._rate_hz, title=f"A: {self._title}", **options)
        self.scope.load(steps["copy"], self._rate_hz, title=f"B: from {spec.n_mfcc} MFCC", **options)


def mfcc_explorer(y, rate_hz, *, spec=None, title="The clip", label=None):
    """Sliders for frame, hop, mel bands and coefficients; what they make of a clip, and how it sounds from its MFCC.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform.
    rate_hz : int
    spec : serlib.features.FeatureSpec, optional
        Where the sliders begin; default: the usual 2048 samples, 512 from frame to frame, 128 bands, 40 coefficients.
    title : str
    label : str, optional
        Emotion, for the colour of the waveform.

    Returns
    -------
    MfccExplorer
        A widget. `workings` and `serlib.plots.mfcc_steps` do the same without one.

    Notes
    -----
    The sound is `serlib.features.inverse.from_mfcc`: the phases are guessed, and so is everything that the coefficients
    do not say. What is heard is what *one* way back makes of them; a vocoder that has learned from other speech would
    sound better, with a voice and a melody that it brings along itself.

    Taught in notebooks/03_mfcc.
    """
    if fault := audio.fault(y, rate_hz):
        raise SerlibError(f"The clip {fault}; choose another one")
    return MfccExplorer(np.asarray(y, dtype=np.float32), rate_hz, spec or FeatureSpec(), title, label)


# --- the picture: matplotlib takes a second for it, and a slider cannot wait ---------------------------------------


def page(steps, spec):
    """Spectrogram, mel bands and MFCC of a clip, from `workings`, as HTML that needs no other file."""
    mfcc = steps["mfcc"][:, 1:] if spec.n_mfcc > 1 else steps["mfcc"]  # number 0 is the level and outshines the others
    bound = max(float(np.percentile(abs(mfcc), 98)), 1e-6)
    first = spec.n_mfcc - mfcc.shape[1]
    top_khz = spec.rate_hz / 2000
    level = _scale("dB", "magma", [(1 + db / 80, f"{db}".replace("-", "−")) for db in range(-80, 1, 40)])
    value = _scale("value", "PuOr_r", [(0, f"−{bound:.0f}"), (0.5, "0"), (1, f"{bound:.0f}")])
    khz = [(k / top_khz, f"{k}") for k in range(0, int(top_khz) + 1, 2)]
    bands = _counted(0, spec.n_mels)
    numbers = _counted(first, spec.n_mfcc)
    power_image = _level_image(steps["levels_db"])
    bands_image = _level_image(steps["bands_db"])
    mfcc_image = palette_image((mfcc / bound + 1) / 2, "PuOr_r")
    frames = f"of {len(mfcc)} frames of {1000 * spec.frame / spec.rate_hz:.0f} ms"
    panels = [
        ("power", "kHz", khz, power_image, level, f"Spectrogram {frames}"),
        ("mels", "mel band", bands, bands_image, level, f"{spec.n_mels} mel bands {frames}"),
        ("cepstrum", "MFCC", numbers, mfcc_image, value, f"MFCC {first} to {spec.n_mfcc - 1} {frames}"),
    ]
    seconds = len(steps["copy"]) / spec.rate_hz
    times = [(t / seconds, f"{t:g}") for t in np.arange(0, seconds, 0.5 if seconds > 1 else 0.1).round(1)]
    return template(TEMPLATES / "mfcc.html.jinja").render(panels=panels, times=times)


def _scale(unit, palette, marks):
    """What stands beside a picture: its colours from low to high, and marks at their heights."""
    colours = matplotlib.colormaps[palette](np.linspace(0, 1, 9))
    return {"unit": unit, "marks": marks, "colours": [matplotlib.colors.to_hex(colour) for colour in colours]}


def _counted(first, end):
    """Ticks in the middle of the rows that bear round numbers."""
    rows = end - first
    step = next(n for n in (1, 5, 10, 20, 50) if rows <= 6 * n or n == 50)
    return [((k - first + 0.5) / rows, str(k)) for k in range(first, end) if k % step == 0]


def _level_image(db):
    return palette_image((db - db.max()) / 80 + 1)
