"""The MFCC explorer: turn the settings, see what becomes of a clip, hear what is left of it (`mfcc_explorer`).

Taught in notebooks/03_mfcc.
"""

import dataclasses
import uuid
import warnings
from html import escape

import ipywidgets
import numpy as np

from serlib import audio, plots
from serlib.features import inverse, spectral
from serlib.features.spec import FeatureSpec, extract_clip
from serlib.utils import SerlibError
from serlib.widgets.oscilloscope import Scope, common
from serlib.widgets.playing import players
from serlib.widgets.shared import Pictured, SliderNames, Static, debounced, drawn

#: What the sliders offer: samples a frame, parts of a frame from one to the next, most mel bands.
FRAMES = (256, 512, 1024, 2048, 4096)
PARTS = (8, 4, 2)
MOST_BANDS = 128
#: Dots per inch of the picture.
DPI = 75


def workings(y, spec):
    """What a specification makes of a clip at its rate, and the sound that can be made of its MFCC again.

    Returns
    -------
    dict
        `levels_db` [shape=(frames, 1 + frame / 2)], the power spectrogram; `bands_db` [shape=(frames, n_mels)]; `mfcc`
        [shape=(frames, n_mfcc)]; `copy` [shape=(n,)], the sound; `distance_db`, how far its mel spectrum is from the
        clip's; `pitch_kept`, the share of loud frames with the right pitch; `empty`, how many bands are so narrow that
        no frequency of the transform falls into them.
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
    """What is kept and what is lost, from `workings`, in a sentence or three."""
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
    """The widget that `mfcc_explorer` makes; the keys A and B change from the clip to its copy and back."""

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
        self.picture.add_class("serlib-mfcc")
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
        """What it leaves on a page without a kernel."""
        sounds = {"A: the clip": (self._y, self._rate_hz), "B: its copy": (self._steps["copy"], self._rate_hz)}
        return Static("MFCC explorer", [self._figure()], [players(sounds).data])

    def _figure(self):
        steps = self._steps
        return plots.mfcc_steps(steps["levels_db"], steps["bands_db"], steps["mfcc"], self.spec, title=self._title)

    @property
    def spec(self):
        """The specification that the sliders stand for."""
        frame, part, n_mels, n_mfcc = (slider.value for slider in self.sliders.values())
        return FeatureSpec(rate_hz=self._rate_hz, frame=frame, hop=frame // part, n_mels=n_mels, n_mfcc=n_mfcc)

    def _no_more_than_bands(self, change):
        self.sliders["n_mfcc"].max = change["new"]

    def draw(self):
        """Compute and show everything anew."""
        spec = self.spec
        steps = workings(self._y, spec)
        self._steps = steps
        self.picture.value = drawn(self._figure(), dpi=DPI)
        self.says.value = escape(in_words(steps, spec))
        options = {"label": self._label, **common([(self._y, self._rate_hz), (steps["copy"], self._rate_hz)])}
        self.original.load(self._y, self._rate_hz, title=f"A: {self._title}", **options)
        self.scope.load(steps["copy"], self._rate_hz, title=f"B: from {spec.n_mfcc} MFCC", **options)


def mfcc_explorer(y, rate_hz, *, spec=None, title="The clip", label=None):
    """Sliders for frame, hop, mel bands and coefficients; what they make of a clip, and how it sounds from its MFCC.

    The sound is `serlib.features.inverse.from_mfcc`, *one* way back: the phases are guessed, and so is everything that
    the coefficients do not say. `workings` and `serlib.plots.mfcc_steps` do the same without a widget.

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
    """
    if fault := audio.fault(y, rate_hz):
        raise SerlibError(f"The clip {fault}; choose another one")
    return MfccExplorer(np.asarray(y, dtype=np.float32), rate_hz, spec or FeatureSpec(), title, label)
