"""A clip to look at while it plays: waveform and mel spectrogram with a playhead (`scope`).

`view` computes what is drawn as numbers, pictures and bytes; scope.js and scope.css draw it and move the playhead.

Taught in notebooks/02_eda.
"""

import io
import os
from pathlib import Path

import anywidget
import matplotlib
import numpy as np
import pandas as pd
import traitlets
from matplotlib.ticker import MaxNLocator
from PIL import Image

from serlib import audio, plots
from serlib.features import pitch, spectral
from serlib.plots.sound import FEWER_TICKS_HZ
from serlib.plots.style import FAINT, MAIN, ink, line_colour, listed, with_style
from serlib.recognizer import UNSURE
from serlib.utils import SerlibError
from serlib.widgets.playing import common_gain, encoded, player
from serlib.widgets.shared import Pictured, Static

#: The spectrogram is the figures' own: frame, hop (at 22050 Hz), mel bands.
FRAME = 1024
HOP = 256
BANDS = 128
#: Widest picture and finest waveform that are sent to the page, in columns; a long recording is not finer on a screen.
COLUMNS = 2000
POINTS = 800
#: Colours over the spectrogram, none of them in its palette: pitch, as in `plots.contours`, and energy.
PITCH = "#35f0e0"
ENERGY = "#ffffff"
#: Over the spectrogram in grey: what spoke for an answer, and what against it.
DROVE = {"for the answer": (255, 150, 30), "against it": (90, 160, 255)}


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
        """Show another clip; the arguments are those of `scope`."""
        if isinstance(sound, str | os.PathLike):
            options = {"title": Path(sound).name, **options}
            sound, rate_hz = audio.load(sound)
        self._shown = sound, rate_hz, overlay, options
        with self.hold_sync():
            self.clip = {**view(sound, rate_hz, **options), "number": self.clip.get("number", 0) + 1}
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
        """What it leaves on a page without a kernel."""
        y, rate_hz, overlay, options = self._shown
        sound = player(y, rate_hz, gain=options.get("gain", 1.0), name=self.clip["title"])._repr_html_()
        return Static(f"Scope: {self.clip['title']}", [still(y, rate_hz, overlay=overlay, **options)], [sound])


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
    """
    shown = Scope()
    shown.load(sound, rate_hz, overlay=overlay, **options)
    return shown


def common(clips):
    """Options of `scope` with which clips (waveform and rate in Hz) can be compared by eye and by ear.

    `gain`, with which the loudest of them is as loud as it can be, and `peak` and `span_s`, the ends of the axes.
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
    """
    shared = {**common(list(clips.values())), **options}
    return [scope(*clip, label=label, title=f"{label}, {title}", **shared) for label, clip in clips.items()]


# --- what the page draws and plays ---------------------------------------------------------------------------------


def view(
    y,
    rate_hz,
    *,
    label=None,
    title="Clip",
    gain=1.0,
    peak=None,
    span_s=None,
    contours=False,
    timeline=None,
    meant=None,
    fmax_hz=8000,
):
    """What a scope draws and plays: plain numbers, bytes and texts.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, full scale 1.0.
    rate_hz : int
    label : str, optional
        Emotion, for the colour of the waveform.
    title : str
    gain : float
        Factor of the sound, as in `player`; the waveform is drawn without it.
    peak, span_s : float, optional
        Top of the amplitude axis and length of the time axis, the same for clips that are to be compared; default: the
        clip's own.
    contours : bool
        Draw pitch and energy (`serlib.features.pitch.contour`) over the spectrogram.
    timeline : pd.DataFrame, optional
        Of `serlib.Recognizer.timeline`, to be drawn under the waveform.
    meant : pd.DataFrame, optional
        Columns `start_s`, `end_s` and `label`: what was meant, to be drawn above the timeline.
    fmax_hz : float
        Top of the spectrogram; half the rate where that is less.

    Returns
    -------
    dict
        What scope.js reads. `wave` is a list of (lowest, highest) amplitude over equal stretches of time; `image` a
        PNG with a row a mel band, bright is loud; ticks are lists of (share of the axis, text); `lines` have `pieces`
        of points (share of the clip's length, height from 0 to 1); `alt` is what is seen, in words.

    Raises
    ------
    SerlibError
        The clip holds no samples, or NaN.
    """
    y = np.asarray(y, dtype=np.float32)
    if not len(y) or not np.isfinite(y).all():
        raise SerlibError(f"The clip {audio.fault(y, rate_hz)}; delete it or record it again")
    fmax_hz = min(fmax_hz, rate_hz / 2)
    duration_s = len(y) / rate_hz
    span_s = max(span_s or 0, duration_s)
    own = max(float(abs(y).max()), 1e-3)
    sound, mime = encoded(y, rate_hz, gain=gain)
    lines, words = _contours(y, rate_hz, fmax_hz) if contours else ([], "")
    answers = [] if timeline is None else stretches(timeline, duration_s)
    intended = [] if meant is None else _coloured(meant)
    words += _track_words("meant", intended) + _track_words("heard", answers)
    return {
        "title": title,
        "colour": line_colour(label) if label else MAIN,
        "duration_s": duration_s,
        "span_s": span_s,
        "time_ticks": _time_ticks(span_s),
        "wave": _envelope(y),
        "peak": peak or own,
        "image": _level_image(mel_levels(y, rate_hz, fmax_hz=fmax_hz)),
        "hz_ticks": [(_height_of(hz, fmax_hz), f"{hz}") for hz in FEWER_TICKS_HZ if hz <= fmax_hz],
        "db_ticks": [(1 + db / spectral.RANGE_DB, f"{db}".replace("-", "−")) for db in range(-80, 1, 20)],
        "palette": [_hex(colour) for colour in _palette()[::32]] + [_hex(_palette()[-1])],
        "lines": lines,
        "stretches": answers,
        "meant": intended,
        "overlay_colours": [{"name": name, "colour": _hex(colour)} for name, colour in DROVE.items()],
        "sound": sound,
        "mime": mime,
        "alt": f"{title}: waveform and mel spectrogram, {duration_s:.2f} s, 0 to {fmax_hz:.0f} Hz, loudest at "
        f"{abs(y).argmax() / rate_hz:.2f} s.{words}",
    }


def mel_levels(y, rate_hz, *, fmax_hz=8000):
    """The mel spectrogram of a picture [shape=(columns, 128)], in dB below the loudest, not below -80 dB.

    Of a long recording neighbouring frames are averaged, so that there are at most `COLUMNS`.
    """
    filters = spectral.mel_filters(rate_hz, FRAME, BANDS, 0.0, float(fmax_hz))
    power = np.concatenate([(filters @ block.T).T for block in spectral.power_blocks(y, frame=FRAME, hop=HOP)])
    if len(power) > COLUMNS:
        starts = np.arange(0, len(power), -(-len(power) // COLUMNS))
        counts = np.diff(np.append(starts, len(power)))  # the last column may have fewer frames
        power = np.add.reduceat(power, starts) / counts[:, np.newaxis]
    db = spectral.decibels(power)
    return db - db.max()


def stretches(timeline, duration_s):
    """A timeline whose windows overlap as stretches that do not: a moment belongs to the nearest middle of a window.

    They are dicts of `start_s`, `end_s`, `label` and `colour`; neighbours of one label are one stretch.
    """
    middles = ((timeline.start_s + timeline.end_s) / 2).to_numpy()
    edges = [0.0, *(middles[1:] + middles[:-1]) / 2, duration_s]
    pieces = []
    for start_s, end_s, label in zip(edges[:-1], edges[1:], timeline.label, strict=True):
        if pieces and pieces[-1]["label"] == label:
            pieces[-1]["end_s"] = end_s
        else:
            pieces.append({"start_s": start_s, "end_s": end_s, "label": label})
    return _coloured(pd.DataFrame(pieces))


def _coloured(table):
    """The rows of a table with `start_s`, `end_s` and `label` as dicts, with the `colour` of each label."""
    return [
        {
            "start_s": float(row.start_s),
            "end_s": float(row.end_s),
            "label": row.label,
            "colour": FAINT if row.label == UNSURE else line_colour(row.label),
        }
        for row in table.itertuples()
    ]


def _track_words(name, pieces):
    """What a track under the waveform says in words; "" where it has no pieces."""
    if not pieces:
        return ""
    words = listed((part["label"], f"from {part['start_s']:.1f} s") for part in pieces)
    return f" Under the waveform, what was {name}: {words}."


def _envelope(y):
    """Lowest and highest sample of each of at most `POINTS` equal stretches [shape=(points, 2)], as a list."""
    starts = np.unique(np.linspace(0, len(y), min(POINTS, len(y)), endpoint=False, dtype=int))
    low, high = (extreme.reduceat(y, starts) for extreme in (np.minimum, np.maximum))
    return np.column_stack([low, high]).round(4).tolist()


def _height_of(hz, fmax_hz):
    """Where a frequency lies on a mel axis from 0 to `fmax_hz`: 0 at the bottom, 1 at the top."""
    import librosa

    return librosa.hz_to_mel(hz) / librosa.hz_to_mel(fmax_hz)


def _contours(y, rate_hz, fmax_hz):
    """Pitch on the frequency axis, energy below its own peak on the scale of the colour bar; and both in words."""
    frames = pitch.contour(y, rate_hz)
    x = frames.time_s / (len(y) / rate_hz)
    f0_hz = frames.f0_hz.where(frames.f0_hz <= fmax_hz)
    energy = 1 + (frames.loudness_db - frames.loudness_db.max()).clip(-spectral.RANGE_DB) / spectral.RANGE_DB
    height = _height_of(f0_hz.to_numpy(), fmax_hz)
    lines = [
        {"name": "energy (dB)", "colour": ENERGY, "pieces": _pieces(x, energy)},
        {"name": "pitch f0 (Hz)", "colour": PITCH, "pieces": _pieces(x, height)},
    ]
    voiced_hz = f0_hz.dropna()
    words = f"pitch {voiced_hz.min():.0f} to {voiced_hz.max():.0f} Hz" if len(voiced_hz) else "no voice"
    return lines, f" Over it pitch and energy: {words}."


def _pieces(x, height):
    """A line as its unbroken pieces: it ends where `height` is NaN."""
    points = np.column_stack([x, height]).round(4)
    there = np.isfinite(np.asarray(height, dtype=float))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there, [0]])))
    return [points[start:end].tolist() for start, end in edges.reshape(-1, 2)]


def _time_ticks(span_s):
    ticks = MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(0, span_s)
    return [(float(t / span_s), f"{t:g}") for t in ticks.round(6) if 0 <= t <= span_s]


def _palette():
    return (matplotlib.colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _hex(colour):
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _level_image(levels_db):
    """Levels below the loudest [shape=(columns, rows)] as a PNG, the lowest frequency at the bottom."""
    pixels = (255 * np.clip(levels_db / spectral.RANGE_DB + 1, 0, 1)).round().astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(pixels.T[::-1]))
    data = io.BytesIO()
    picture.putpalette(_palette().tobytes())
    picture.save(data, "PNG")
    return data.getvalue()


def thumbnail(y, rate_hz, *, fmax_hz=8000):
    """The mel spectrogram of a clip as a small PNG: half as fine as that of `view` in time and frequency."""
    db = mel_levels(np.asarray(y, dtype=np.float32), rate_hz, fmax_hz=min(fmax_hz, rate_hz / 2))
    even = db[: len(db) // 2 * 2] if len(db) > 1 else np.repeat(db, 2, axis=0)
    return _level_image(even.reshape(-1, 2, BANDS // 2, 2).mean(axis=(1, 3)))


def overlay_image(values):
    """What drove an answer, as a PNG to lay over the spectrogram: orange spoke for it, blue against it.

    The values [shape=(columns, rows)] lie over the whole clip and the whole height of the spectrogram, the lowest
    frequency first; positive for, negative against. The largest magnitude is opaque, 0 is clear.
    """
    data = io.BytesIO()
    Image.fromarray(_overlay_pixels(values), "RGBA").save(data, "PNG")
    return data.getvalue()


def _overlay_pixels(values):
    """The picture of `overlay_image` as numbers [shape=(rows, columns, 4)], uint8, the highest frequency first."""
    values = np.asarray(values, dtype=float).T[::-1]
    share = abs(values) / max(abs(values).max(initial=0), np.finfo(float).tiny)
    colours = np.where(values[..., np.newaxis] > 0, *DROVE.values())
    return np.concatenate([colours, 255 * share[..., np.newaxis]], axis=-1).round().astype(np.uint8)


# --- the same as a figure ------------------------------------------------------------------------------------------


@with_style
def still(y, rate_hz, *, overlay=None, timeline=None, meant=None, **options):
    """What a scope shows, as a figure; the arguments are those of `scope`."""
    duration_s = len(y) / rate_hz
    look = {"label": options.get("label"), "title": options.get("title", "Clip")}
    contours = options.get("contours")
    if contours:
        frames = pitch.contour(y, rate_hz)
        curves = {"f0_hz": frames.f0_hz, "loudness_db": frames.loudness_db, "hop_s": pitch.HOP_S}
        figure = plots.contours(y, rate_hz, **curves, **look)
    else:
        axes = {name: options[name] for name in ("peak", "fmax_hz") if name in options}
        figure = plots.portrait(y, rate_hz, **axes, **look)
    figure.axes[0].set_xlim(0, max(options.get("span_s") or 0, duration_s))
    tracks = {}
    if meant is not None:
        tracks["meant"] = _coloured(meant)
    if timeline is not None:
        tracks["heard"] = stretches(timeline, duration_s)
    if tracks:
        _draw_tracks(figure.axes[0], tracks, duration_s=duration_s)
        figure.alt += "".join(_track_words(name, pieces) for name, pieces in tracks.items())
    if overlay is not None:
        (image,) = figure.axes[0 if contours else 1].images
        image.set_cmap("gray")
        _lay_over(image.axes, overlay, duration_s, min(options.get("fmax_hz", 8000), rate_hz / 2))
        figure.alt += " Over it, what drove the answer: orange spoke for it, blue against it."
    return figure


def _lay_over(ax, overlay, duration_s, fmax_hz):
    """Lay what drove an answer over a spectrogram, which may end at a lower frequency than the overlay (`contours`)."""
    import librosa

    limits = ax.get_ylim()
    extent = (0, duration_s, 0, librosa.hz_to_mel(fmax_hz))
    ax.imshow(_overlay_pixels(overlay), extent=extent, origin="upper", interpolation="nearest")
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
