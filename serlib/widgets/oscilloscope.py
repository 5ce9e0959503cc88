"""A clip to look at while it plays: waveform and mel spectrogram with a playhead (`scope`).

`serlib.widgets.drawing.view` computes what is drawn; scope.js and scope.css draw it and move the playhead.
"""

import os
from pathlib import Path

import anywidget
import traitlets

from serlib import audio, plots
from serlib.features import pitch
from serlib.plots.style import ink, with_style
from serlib.widgets.drawing import coloured, overlay_image, overlay_pixels, stretches, track_words, view
from serlib.widgets.pictures import Pictured, Static
from serlib.widgets.playing import common_gain, player


class Scope(Pictured, anywidget.AnyWidget):
    """The widget that `scope` makes.

    Attributes
    ----------
    clip : dict
        As `view` gives it, with `number`, which tells it from the clips before it.
    overlay : bytes
        A picture to lay over the spectrogram, as `overlay_image` gives it; empty for none.
    position_s : float
        Where the playhead stands; set it to seek.
    playing : bool
        Set it to play or pause (a browser may refuse before the first click on the page).
    region : list
        [start, end] of the marked stretch in seconds, or [].
    loop : bool
        Repeat the region, or the clip where there is none.
    pair, letter : str
        Two scopes with the same `pair` are heard against each other: the key of a scope's `letter` ("A" or "B") goes
        on with its sound at the place where the other one is.
    """

    _esm = Path(__file__).with_name("scope.js")
    _css = Path(__file__).with_name("scope.css")

    clip = traitlets.Dict().tag(sync=True)
    overlay = traitlets.Bytes().tag(sync=True)
    position_s = traitlets.Float(0.0)
    at = traitlets.List([0, 0.0]).tag(sync=True)  # clip's number, position_s: the page may speak of the clip before
    playing = traitlets.Bool(False).tag(sync=True)
    region = traitlets.List(traitlets.Float()).tag(sync=True)
    loop = traitlets.Bool(False).tag(sync=True)
    pair = traitlets.Unicode("").tag(sync=True)
    letter = traitlets.Unicode("").tag(sync=True)

    def load(self, sound, rate_hz=None, *, overlay=None, **options):
        """Show another clip.

        Parameters
        ----------
        sound, rate_hz, overlay, options
            As in `scope`.
        """
        y, rate_hz, options = opened(sound, rate_hz, options)
        self._shown = y, rate_hz, overlay, options
        with self.hold_sync():
            self.clip = {**view(y, rate_hz, **options), "number": self.clip.get("number", 0) + 1}
            self.overlay = b"" if overlay is None else overlay_image(overlay)
            self.at = [self.clip["number"], 0.0]
            self.playing = False
            self.region = []
            self.loop = False
        self.send_state(["playing", "region", "loop"])  # also where the page has not yet told of a change

    @traitlets.observe("at")
    def _moved(self, change):
        number, position_s = change.new
        if number == self.clip.get("number"):
            self.position_s = position_s

    @traitlets.observe("position_s")
    def _seek(self, change):
        self.at = [self.clip.get("number", 0), change.new]

    def static(self):
        """What it leaves on a page without a kernel: see `Pictured.static`."""
        y, rate_hz, overlay, options = self._shown
        sound = player(y, rate_hz, gain=options.get("gain", 1.0), name=self.clip["title"])._repr_html_()
        return Static(f"Scope: {self.clip['title']}", [still(y, rate_hz, overlay=overlay, **options)], [sound])


def opened(sound, rate_hz, options):
    """Samples, rate and options of a sound that may be a file; the title of a file is its name."""
    if not isinstance(sound, str | os.PathLike):
        return sound, rate_hz, options
    return *audio.load(sound), {"title": Path(sound).name, **options}


def scope(sound, rate_hz=None, *, overlay=None, **options):
    """Waveform and mel spectrogram of a clip with a playhead that moves while it plays.

    A click seeks, dragging marks a region and loops it. Keys, once it has the focus: space plays and pauses, the
    arrows move, with Shift they mark, Home goes to the start, L loops, Esc forgets the region.

    Parameters
    ----------
    sound : np.ndarray [shape=(n,)], str or Path
        Mono waveform, or a sound file.
    rate_hz : int
        Of a waveform.
    overlay : np.ndarray [shape=(columns, rows)], optional
        What drove an answer, see `overlay_image`.
    options
        Of `view`: label, title, gain, peak, span_s, contours, timeline, meant, fmax_hz.

    Returns
    -------
    Scope
        A widget. Where there is no kernel its page shows a picture (`still`) and a plain player.

    Taught in notebooks/02_eda.
    """
    shown = Scope()
    shown.load(sound, rate_hz, overlay=overlay, **options)
    return shown


def common(clips):
    """What clips need in common to be compared with each other, by eye and by ear.

    Parameters
    ----------
    clips : list of (np.ndarray [shape=(n,)], int)
        Waveform and rate in Hz of each.

    Returns
    -------
    dict, options of `scope`
        `gain`, with which the loudest of them is as loud as it can be; `peak`, the top of the amplitude axis;
        `span_s`, the length of the time axis.
    """
    gain = common_gain(y for y, _ in clips)
    return {"gain": gain, "peak": 1 / gain, "span_s": max(len(y) / rate_hz for y, rate_hz in clips)}


def scopes(clips, *, title, **options):
    """Clips one above the other, on common axes and equally amplified.

    Parameters
    ----------
    clips : dict of str -> (np.ndarray [shape=(n,)], int)
        Emotion -> waveform and rate in Hz.
    title : str
        What stands behind the emotion in each title.
    options
        Of `scope`, for all of them.

    Returns
    -------
    list of Scope

    Taught in notebooks/02_eda.
    """
    shared = {**common(list(clips.values())), **options}
    return [scope(*clip, label=label, title=f"{label}, {title}", **shared) for label, clip in clips.items()]


@with_style
def still(y, rate_hz, *, overlay=None, timeline=None, meant=None, **options):
    """What a scope shows, as a figure.

    Parameters
    ----------
    y, rate_hz, overlay, timeline, meant, options
        As in `scope`.

    Returns
    -------
    Figure
    """
    options = {"label": None, "title": "Clip", **options}
    look = {name: options[name] for name in ("label", "title")}
    contours = options.get("contours")
    if contours:
        frames = pitch.contour(y, rate_hz)
        curves = {"f0_hz": frames.f0_hz, "loudness_db": frames.loudness_db, "hop_s": pitch.HOP_S}
        figure = plots.contours(y, rate_hz, **curves, **look)
    else:
        axes = {name: options[name] for name in ("peak", "fmax_hz") if name in options}
        figure = plots.portrait(y, rate_hz, **axes, **look)
    figure.axes[0].set_xlim(0, max(options.get("span_s") or 0, len(y) / rate_hz))
    tracks = {}
    if meant is not None:
        tracks["meant"] = coloured(meant)
    if timeline is not None:
        tracks["heard"] = stretches(timeline, len(y) / rate_hz)
    if tracks:
        _draw_tracks(figure.axes[0], tracks, duration_s=len(y) / rate_hz)
        figure.alt += "".join(track_words(name, pieces) for name, pieces in tracks.items())
    if overlay is not None:
        (image,) = figure.axes[0 if contours else 1].images
        image.set_cmap("gray")
        _lay_over(image.axes, overlay, len(y) / rate_hz, min(options.get("fmax_hz", 8000), rate_hz / 2))
        figure.alt += " Over it, what drove the answer: orange spoke for it, blue against it."
    return figure


def _lay_over(ax, overlay, duration_s, fmax_hz):
    """Lay what drove an answer over a spectrogram, which may end at a lower frequency than the overlay (`contours`)."""
    import librosa

    limits = ax.get_ylim()
    extent = (0, duration_s, 0, librosa.hz_to_mel(fmax_hz))
    ax.imshow(overlay_pixels(overlay), extent=extent, origin="upper", interpolation="nearest")
    ax.set_ylim(limits)


def _draw_tracks(ax, tracks, *, duration_s):
    """Draw strips of labelled stretches below what is there, the first on top; a name where there is room for it."""
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])  # none beside the strips
    height = 0.22 / (1 + 0.22 * len(tracks))  # as a share of the axes
    ax.set_ylim(low - 0.22 * len(tracks) * (high - low), high)
    for number, (name, pieces) in enumerate(reversed(tracks.items())):
        bottom = number * height
        middle = bottom + 0.4 * height
        text = {"va": "center_baseline", "fontsize": 10}
        if len(tracks) > 1:
            ax.text(-0.008, middle, name, transform=ax.transAxes, ha="right", **text)
        for part in pieces:
            place = {"ymin": bottom, "ymax": bottom + 0.8 * height}
            ax.axvspan(part["start_s"], part["end_s"], **place, color=part["colour"], linewidth=0)
            share = (part["end_s"] - part["start_s"]) / duration_s
            if share > 0.015 * len(part["label"]):
                middle_s = (part["start_s"] + part["end_s"]) / 2
                place = {"transform": ax.get_xaxis_transform(), "ha": "center", "color": ink(part["colour"])}
                ax.text(middle_s, middle, part["label"], **place, **text)
