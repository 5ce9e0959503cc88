"""What the widgets draw and play, computed in Python: a clip as numbers, pictures and bytes (`view`)."""

import io

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from PIL import Image

from serlib import audio, plots
from serlib.features import spectral
from serlib.features.pitch import contour
from serlib.plots.sound import MEL_TICKS_HZ
from serlib.plots.style import FAINT, MAIN
from serlib.recognizer import UNSURE
from serlib.utils import SerlibError
from serlib.widgets.playing import encoded

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
    peak : float, optional
        Top of the amplitude axis, the same for clips that are to be compared; default: the clip's own peak.
    span_s : float, optional
        Length of the time axis, the same for clips that are to be compared; default: the clip's own.
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
        `title`, `colour`; `duration_s`, `span_s`, `time_ticks`; `wave`, a list of (lowest, highest) amplitude over
        equal stretches of time, and `peak`, the top of their axis; `image`, PNG, a row a mel band, bright is loud;
        `hz_ticks` and `db_ticks`, lists of (height from 0 to 1, text); `palette`, the image's colours from low to
        high; `lines`, a list of name, colour and `pieces`, each a list of points (share of the clip's length, height
        from 0 to 1); `stretches`, those of the timeline; `meant`, those of what was meant; `overlay_colours`, names and
        colours of what `overlay_image` draws; `sound`, bytes, and `mime`, their type; `alt`, what is seen, in words.

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
    levels_db = mel_levels(y, rate_hz, fmax_hz=fmax_hz)
    sound, mime = encoded(y, rate_hz, gain=gain)
    lines, words = _contours(y, rate_hz, fmax_hz) if contours else ([], "")
    answers = [] if timeline is None else stretches(timeline, duration_s)
    intended = [] if meant is None else coloured(meant)
    words += track_words("meant", intended) + track_words("heard", answers)
    return {
        "title": title,
        "colour": plots.style.line_colour(label) if label else MAIN,
        "duration_s": duration_s,
        "span_s": span_s,
        "time_ticks": _time_ticks(span_s),
        "wave": envelope(y),
        "peak": peak or own,
        "image": palette_image(levels_db / spectral.RANGE_DB + 1),
        "hz_ticks": [(height_of(hz, fmax_hz), f"{hz}") for hz in MEL_TICKS_HZ if hz <= fmax_hz and hz != 250],
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
    """The mel spectrogram of a picture, from mono samples [shape=(n,)], float32.

    Returns
    -------
    np.ndarray [shape=(columns, 128)], in dB below the loudest, not below -80 dB. Of a long recording neighbouring
    frames are averaged, so that there are at most `COLUMNS`.
    """
    filters = spectral.mel_filters(rate_hz, FRAME, BANDS, 0.0, float(fmax_hz))
    power = np.concatenate([(filters @ block.T).T for block in spectral.power_blocks(y, frame=FRAME, hop=HOP)])
    if len(power) > COLUMNS:
        starts = np.arange(0, len(power), -(-len(power) // COLUMNS))
        counts = np.diff(np.append(starts, len(power)))  # the last column may have fewer frames
        power = np.add.reduceat(power, starts) / counts[:, np.newaxis]
    db = spectral.decibels(power)
    return db - db.max()


def envelope(y):
    """Lowest and highest sample of each of at most `POINTS` equal stretches [shape=(points, 2)], as a list."""
    starts = np.unique(np.linspace(0, len(y), min(POINTS, len(y)), endpoint=False, dtype=int))
    low, high = (extreme.reduceat(y, starts) for extreme in (np.minimum, np.maximum))
    return np.column_stack([low, high]).round(4).tolist()


def height_of(hz, fmax_hz):
    """Where a frequency lies on a mel axis from 0 to `fmax_hz`: 0 at the bottom, 1 at the top."""
    import librosa

    return librosa.hz_to_mel(hz) / librosa.hz_to_mel(fmax_hz)


def stretches(timeline, duration_s):
    """A timeline whose windows overlap as stretches that do not: a moment belongs to the nearest middle of a window.

    Parameters
    ----------
    timeline : pd.DataFrame
        Of `serlib.Recognizer.timeline`.
    duration_s : float
        Length of the recording.

    Returns
    -------
    list of dict
        `start_s`, `end_s`, `label` and `colour`; neighbours of one label are one stretch; the model's "unsure" is grey.
    """
    middles = ((timeline.start_s + timeline.end_s) / 2).to_numpy()
    edges = [0.0, *(middles[1:] + middles[:-1]) / 2, duration_s]
    pieces = []
    for start_s, end_s, label in zip(edges[:-1], edges[1:], timeline.label, strict=True):
        if pieces and pieces[-1]["label"] == label:
            pieces[-1]["end_s"] = end_s
        else:
            pieces.append({"start_s": start_s, "end_s": end_s, "label": label})
    return coloured(pd.DataFrame(pieces))


def track_words(name, pieces):
    """What a track under the waveform, called `meant` or `heard`, says in words; "" where it has no pieces."""
    if not pieces:
        return ""
    listed = plots.style.listed((part["label"], f"from {part['start_s']:.1f} s") for part in pieces)
    return f" Under the waveform, what was {name}: {listed}."


def coloured(table):
    """Labelled stretches of a recording with the colours of their emotions.

    Parameters
    ----------
    table : pd.DataFrame
        Columns `start_s`, `end_s` and `label`.

    Returns
    -------
    list of dict
        `start_s`, `end_s`, `label` and `colour`; the model's "unsure" is grey.
    """
    return [
        {
            "start_s": float(row.start_s),
            "end_s": float(row.end_s),
            "label": row.label,
            "colour": FAINT if row.label == UNSURE else plots.style.line_colour(row.label),
        }
        for row in table.itertuples()
    ]


def _contours(y, rate_hz, fmax_hz):
    """Pitch on the frequency axis, energy below its own peak on the scale of the colour bar; and both in words."""
    frames = contour(y, rate_hz)
    seconds = len(y) / rate_hz
    f0_hz = frames.f0_hz.where(frames.f0_hz <= fmax_hz)
    energy = 1 + (frames.loudness_db - frames.loudness_db.max()).clip(-spectral.RANGE_DB) / spectral.RANGE_DB
    lines = [
        {"name": name, "colour": colour, "pieces": _pieces(frames.time_s / seconds, height)}
        for name, colour, height in (
            ("energy (dB)", ENERGY, energy),
            ("pitch f0 (Hz)", PITCH, height_of(f0_hz.to_numpy(), fmax_hz)),
        )
    ]
    voiced_hz = f0_hz.dropna()
    pitch = f"pitch {voiced_hz.min():.0f} to {voiced_hz.max():.0f} Hz" if len(voiced_hz) else "no voice"
    return lines, f" Over it pitch and energy: {pitch}."


def _pieces(x, height):
    """A line as its unbroken pieces: it ends where `height` is NaN."""
    points = np.column_stack([x, height]).round(4)
    there = np.isfinite(np.asarray(height, dtype=float))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], there, [0]])))
    return [points[start:end].tolist() for start, end in edges.reshape(-1, 2)]


def _time_ticks(span_s):
    ticks = MaxNLocator(8, steps=[1, 2, 5, 10]).tick_values(0, span_s)
    return [(float(t / span_s), f"{t:g}") for t in ticks.round(6) if 0 <= t <= span_s]


def _palette(name="magma"):
    return (matplotlib.colormaps[name](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _hex(colour):
    return "#{:02x}{:02x}{:02x}".format(*colour)


def palette_image(shares, palette="magma"):
    """Shares from 0 to 1 [shape=(columns, rows)] as a PNG in a palette of matplotlib's, row 0 at the bottom."""
    pixels = (255 * np.clip(shares, 0, 1)).round().astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(pixels.T[::-1]))
    data = io.BytesIO()
    picture.putpalette(_palette(palette).tobytes())
    picture.save(data, "PNG")
    return data.getvalue()


def thumbnail(y, rate_hz, *, fmax_hz=8000):
    """The mel spectrogram of a clip as a small PNG: half as fine as that of `view` in time and frequency."""
    db = mel_levels(np.asarray(y, dtype=np.float32), rate_hz, fmax_hz=min(fmax_hz, rate_hz / 2))
    even = db[: len(db) // 2 * 2] if len(db) > 1 else np.repeat(db, 2, axis=0)
    small = even.reshape(-1, 2, BANDS // 2, 2).mean(axis=(1, 3))
    return palette_image(small / spectral.RANGE_DB + 1)


def overlay_image(values):
    """What drove an answer, as a picture to lay over the spectrogram: orange spoke for it, blue against it.

    Parameters
    ----------
    values : np.ndarray [shape=(columns, rows)]
        Over the whole clip and the whole height of the spectrogram, the lowest frequency first; positive for,
        negative against. The largest magnitude is opaque, 0 is clear.

    Returns
    -------
    bytes, PNG
    """
    data = io.BytesIO()
    Image.fromarray(overlay_pixels(values), "RGBA").save(data, "PNG")
    return data.getvalue()


def overlay_pixels(values):
    """The picture of `overlay_image` as numbers [shape=(rows, columns, 4)], uint8, the highest frequency first."""
    values = np.asarray(values, dtype=float).T[::-1]
    share = abs(values) / max(abs(values).max(initial=0), np.finfo(float).tiny)
    colours = np.where(values[..., np.newaxis] > 0, *DROVE.values())
    return np.concatenate([colours, 255 * share[..., np.newaxis]], axis=-1).round().astype(np.uint8)
