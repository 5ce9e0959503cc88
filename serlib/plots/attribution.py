"""What in a clip drove an answer."""

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch

from serlib.plots.sound import MEL_TICKS_HZ
from serlib.plots.style import INK, described, drawn, heading, panels

#: What spoke for the answer and what against it, over a spectrogram in grey that shows through.
FOR = "#ff961e"
AGAINST = "#5aa0ff"
OPACITY = 0.75


@drawn
def occlusion(y, rate_hz, result, *, answer="the answer", title="What drove the answer"):
    """What an answer loses when a piece of the clip is occluded, over the clip's spectrogram.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        The clip.
    rate_hz : int
    result : serlib.evaluation.attribution.Occlusion
        Of that clip.
    answer : str
        Label of the answer that was asked about.

    Returns
    -------
    Figure
        Above: one window at all frequencies; on the right: one band all along. The colours of the map reach full
        strength at its largest value, which stands in the title of the map.

    Taught in notebooks/05_evaluate.
    """
    import librosa

    options = {"height_ratios": (1, 2.4), "width_ratios": (4, 1), "sharex": "col", "sharey": "row"}
    figure, ((over_time, corner), (map_, over_hz)) = panels(2, 2, size=(11, 5.8), **options)
    corner.set_visible(False)
    top = librosa.hz_to_mel(result.edges_hz[-1])
    place = {"extent": (0, len(y) / rate_hz, 0, top), "interpolation": "nearest"}
    mels = librosa.feature.melspectrogram(
        y=np.asarray(y, dtype=np.float32), sr=rate_hz, n_fft=1024, hop_length=256, fmax=result.edges_hz[-1]
    )
    map_.imshow(librosa.power_to_db(mels, ref=np.max), cmap="gray", vmin=-80, vmax=20, **place)
    largest = max(float(abs(result.pieces).max()), np.finfo(float).tiny)
    share = (result.pieces / largest).T
    colours = np.where(share[..., np.newaxis] > 0, to_rgba(FOR), to_rgba(AGAINST))
    colours[..., 3] = OPACITY * abs(share)
    map_.imshow(colours, **place)
    map_.set_title(f"one piece, at most {_points(largest)}", fontsize=12, fontweight="normal")
    ticks = [hz for hz in MEL_TICKS_HZ if hz < result.edges_hz[-1] + 1 and hz != 250]
    map_.set_yticks([librosa.hz_to_mel(hz) for hz in ticks], [str(hz) for hz in ticks])
    map_.set(xlabel="Time (s)", ylabel="Frequency (Hz, mel scale)", xlim=(0, len(y) / rate_hz))

    widths = np.diff(result.edges_s)
    heights = np.diff(librosa.hz_to_mel(result.edges_hz))
    look = {"align": "edge", "edgecolor": "white", "linewidth": 0.8}
    shades = [FOR if value > 0 else AGAINST for value in result.windows]
    over_time.bar(result.edges_s[:-1], 100 * result.windows, widths, color=shades, **look)
    shades = [FOR if value > 0 else AGAINST for value in result.bands]
    over_hz.barh(librosa.hz_to_mel(result.edges_hz[:-1]), 100 * result.bands, heights, color=shades, **look)
    over_time.axhline(0, color=INK, linewidth=1)
    over_hz.axvline(0, color=INK, linewidth=1)
    over_time.set_ylabel("Loss\n(points)")
    over_time.set_title("one window, all frequencies", fontsize=12, fontweight="normal")
    over_hz.set_xlabel("Loss (points)")
    over_hz.set_title("one band, all along", fontsize=12, fontweight="normal")
    handles = [Patch(color=FOR, label="spoke for it"), Patch(color=AGAINST, label="spoke against it")]
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.99, 0.93))
    heading(figure, title)
    when, where = (int(values.argmax()) for values in (result.windows, result.bands))
    return described(
        figure,
        f"{title}: {answer} has {result.probability:.0%}. It loses most without the window from "
        f"{result.edges_s[when]:.2f} to {result.edges_s[when + 1]:.2f} s ({_points(result.windows[when])}) and without "
        f"the band from {result.edges_hz[where]:.0f} to {result.edges_hz[where + 1]:.0f} Hz "
        f"({_points(result.bands[where])}); one piece changes it by {_points(largest)} at most.",
    )


def _points(value):
    """A difference of probabilities in words."""
    return f"{100 * value:.{0 if abs(value) >= 0.01 else 2}f} points"
