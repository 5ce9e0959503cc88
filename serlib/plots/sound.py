"""Figures of one sound: its wave, its spectrogram, its pitch, its MFCC; one word in all emotions.

Taught in notebooks/02_eda, but for what names another.
"""

import numpy as np

from serlib.features.spectral import RANGE_DB
from serlib.plots.style import MAIN, canvas, described, heading, line_colour, panels, with_style
from serlib.utils import ordered_labels

#: Frequencies that are named on a mel axis, in Hz.
MEL_TICKS_HZ = (0, 250, 500, 1000, 2000, 4000, 8000, 16000)
#: The same in a low figure.
FEWER_TICKS_HZ = (0, 500, 1000, 2000, 4000, 8000, 16000)


@with_style
def waveplot(y, rate_hz, *, label=None, title="Waveform", ax=None):
    """Amplitude over time.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, full scale 1.0.
    rate_hz : int
    label : str, optional
        Emotion, for the colour.
    """
    ax, out = canvas(ax, size=(10, 3.2))
    y = np.asarray(y)
    ax.plot(np.arange(len(y)) / rate_hz, y, color=line_colour(label) if label else MAIN, linewidth=0.7)
    top = max(float(abs(y).max(initial=0)), 1e-3)
    ax.set(title=title, xlabel="Time (s)", ylabel="Amplitude", xlim=(0, len(y) / rate_hz), ylim=(-1.1 * top, 1.1 * top))
    return described(
        out,
        f"Waveform{f' of {label} speech' if label else ''}: {len(y) / rate_hz:.2f} s at {rate_hz} Hz, largest "
        f"amplitude {abs(y).max(initial=0):.2f} at {abs(y).argmax() / rate_hz if len(y) else 0:.2f} s.",
    )


def draw_spectrogram(ax, y, rate_hz, *, mel=True, frame=1024, hop=256, fmax_hz=None, ticks_hz=MEL_TICKS_HZ):
    """Draw a spectrogram in dB below its peak; returns the image and the height in Hz."""
    import librosa  # slow to load

    y = np.asarray(y, dtype=np.float32)
    fmax_hz = min(fmax_hz or 8000, rate_hz / 2)
    power = abs(librosa.stft(y, n_fft=frame, hop_length=hop)) ** 2
    if mel:
        power = librosa.filters.mel(sr=rate_hz, n_fft=frame, n_mels=128, fmax=fmax_hz) @ power
        top = librosa.hz_to_mel(fmax_hz)
        ticks = [hz for hz in ticks_hz if hz <= fmax_hz]
        ax.set_yticks([librosa.hz_to_mel(hz) for hz in ticks], [str(hz) for hz in ticks])
    else:
        power = power[: int(fmax_hz / rate_hz * frame) + 1]
        top = fmax_hz
    db = librosa.power_to_db(power, ref=max(power.max(), 1e-10), top_db=RANGE_DB)
    image = ax.imshow(
        db, extent=(0, len(y) / rate_hz, 0, top), cmap="magma", vmin=-RANGE_DB, vmax=0, interpolation="nearest"
    )
    return image, fmax_hz


@with_style
def spectrogram(y, rate_hz, *, mel=True, frame=1024, hop=256, fmax_hz=None, title=None, ax=None):
    """Energy over time and frequency, in dB below the loudest point; what lies 80 dB below it is black.

    Parameters
    ----------
    y, rate_hz
        As for `waveplot`.
    mel : bool
        Frequencies as far apart as they sound (mel, Slaney's formula, as librosa's), else as they are.
    frame, hop : int
        Samples a frame, samples from frame to frame.
    fmax_hz : float
        Top of the figure; default 8000 Hz or half the rate.
    """
    ax, out = canvas(ax, size=(10, 4))
    image, top_hz = draw_spectrogram(ax, y, rate_hz, mel=mel, frame=frame, hop=hop, fmax_hz=fmax_hz)
    ax.figure.colorbar(image, ax=ax, label="Level (dB below peak)", pad=0.02)
    title = title or ("Mel spectrogram" if mel else "Spectrogram")
    ax.set(title=title, xlabel="Time (s)", ylabel="Frequency (Hz, mel scale)" if mel else "Frequency (Hz)")
    return described(
        out,
        f"{title}: {len(y) / rate_hz:.2f} s, 0 to {top_hz:.0f} Hz on a {'mel' if mel else 'linear'} scale, "
        f"{RANGE_DB:.0f} dB from black to bright.",
    )


@with_style
def portrait(y, rate_hz, *, label=None, peak=None, fmax_hz=8000, title="Waveform and mel spectrogram"):
    """One clip: the waveform above its mel spectrogram, on one time axis.

    Parameters
    ----------
    y, rate_hz, label
        As for `waveplot`.
    peak : float, optional
        Top of the amplitude axis, the same for clips that are to be compared; default: the clip's own peak.
    fmax_hz : float
        Top of the spectrogram; half the rate where that is less.
    """
    figure, ((top,), (bottom,)) = panels(2, size=(10, 4.6), sharex=True, height_ratios=(1, 1.6))
    waveplot(y, rate_hz, label=label, title=title, ax=top)
    top.set_xlabel("")
    if peak:
        top.set_ylim(-1.05 * peak, 1.05 * peak)
    image, top_hz = draw_spectrogram(bottom, y, rate_hz, fmax_hz=fmax_hz, ticks_hz=FEWER_TICKS_HZ)
    figure.colorbar(image, ax=bottom, label="dB below peak", pad=0.02)
    bottom.set(xlabel="Time (s)", ylabel="Hz (mel scale)", xlim=(0, len(y) / rate_hz))
    return described(figure, f"{title}: {top.alt} Below it the mel spectrogram, 0 to {top_hz:.0f} Hz.")


@with_style
def contours(y, rate_hz, *, f0_hz, loudness_db, hop_s, label=None, title="Pitch and loudness"):
    """The pitch contour on the spectrogram, the loudness contour below.

    Parameters
    ----------
    y, rate_hz, label
        As for `waveplot`.
    f0_hz : np.ndarray [shape=(frames,)]
        NaN or 0 where there is no voice.
    loudness_db : np.ndarray [shape=(frames,)]
    hop_s : float
        Seconds from frame to frame.
    """
    import librosa
    from matplotlib.patheffects import Normal, Stroke

    figure, ((top,), (bottom,)) = panels(2, size=(10, 6.4), sharex=True, height_ratios=(3, 1.3))
    image, _ = draw_spectrogram(top, y, rate_hz, fmax_hz=4000)
    figure.colorbar(image, ax=top, label="Level (dB below peak)", pad=0.02)
    f0_hz = np.asarray(f0_hz, dtype=float)
    loudness_db = np.asarray(loudness_db, dtype=float)
    voiced = np.where(f0_hz > 0, f0_hz, np.nan)
    (line,) = top.plot(np.arange(len(voiced)) * hop_s, librosa.hz_to_mel(voiced), color="#35f0e0", linewidth=3)
    line.set_path_effects([Stroke(linewidth=5.5, foreground="black"), Normal()])
    line.set_label("pitch f0")
    top.legend(loc="upper right", labelcolor="white", facecolor="black", frameon=True, framealpha=0.6)
    top.set(title=title, ylabel="Frequency (Hz, mel scale)")
    shade = line_colour(label) if label else MAIN
    bottom.plot(np.arange(len(loudness_db)) * hop_s, loudness_db, color=shade)
    bottom.set(xlabel="Time (s)", ylabel="Loudness (dB)", xlim=(0, len(y) / rate_hz))
    bottom.grid(axis="y")
    voiced_hz = voiced[np.isfinite(voiced)]
    pitch = "no voice"
    if len(voiced_hz):
        pitch = f"pitch {voiced_hz.min():.0f} to {voiced_hz.max():.0f} Hz, median {np.median(voiced_hz):.0f} Hz"
    return described(
        figure,
        f"Mel spectrogram{f' of {label} speech' if label else ''} with the pitch contour on it and loudness below: "
        f"{pitch}; loudest {np.nanmax(loudness_db):.0f} dB.",
    )


@with_style
def one_word(clips, *, title="One word, every emotion"):
    """The same word in each emotion, one row each: waveform and mel spectrogram on common axes.

    Parameters
    ----------
    clips : dict of str -> (np.ndarray [shape=(n,)], int)
        Emotion -> waveform and rate in Hz.
    """
    labels = ordered_labels(clips)
    seconds = {label: len(clips[label][0]) / clips[label][1] for label in labels}
    peak = max(float(abs(np.asarray(y)).max(initial=1e-3)) for y, _ in clips.values())
    figure, grid = panels(len(labels), 2, size=(11, 1.25 * len(labels) + 1), sharex=True)
    figure.get_layout_engine().set(h_pad=0.04)
    for label, (left, right) in zip(labels, grid, strict=True):
        y, rate_hz = clips[label]
        left.plot(np.arange(len(y)) / rate_hz, y, color=line_colour(label), linewidth=0.6)
        left.set(ylim=(-1.05 * peak, 1.05 * peak), xlim=(0, max(seconds.values())))
        left.set_ylabel(label, rotation=0, ha="right", va="center", fontweight="bold")
        image, _ = draw_spectrogram(right, y, rate_hz, ticks_hz=(500, 2000, 8000))
        right.set_facecolor("black")
        for ax in (left, right):
            ax.tick_params(labelsize=10)
    grid[0, 0].set_title("Amplitude, same scale")
    grid[0, 1].set_title("Frequency (Hz, mel scale)")
    for ax in grid[-1]:
        ax.set_xlabel("Time (s)")
    figure.colorbar(image, ax=grid[:, 1], label="Level (dB below each peak)", pad=0.02, aspect=40)
    heading(figure, title)
    shortest = min(labels, key=seconds.get)
    longest = max(labels, key=seconds.get)
    loud = max(labels, key=lambda label: float(np.sqrt(np.mean(np.square(clips[label][0])))))
    return described(
        figure,
        f"Waveforms and mel spectrograms of the same word in {len(labels)} emotions; shortest {shortest} "
        f"({seconds[shortest]:.2f} s), longest {longest} ({seconds[longest]:.2f} s), loudest {loud}.",
    )


@with_style
def mfcc(values, *, hop_s=None, first=0, title="MFCC over time", ax=None):
    """MFCC, or any other coefficients, as a heat map over time.

    Parameters
    ----------
    values : np.ndarray [shape=(frames, n)]
    hop_s : float, optional
        Seconds from frame to frame; without it the axis counts frames.
    first : int
        Number of the first coefficient that is drawn. The 0th is the overall level and outshines the others, so the
        colours are scaled by the others (98 % of them lie inside).

    Taught in notebooks/03_mfcc.
    """
    values = np.asarray(values)
    shape = values[:, max(first, 1) :] if values.shape[1] > 1 else values
    bound = max(float(np.percentile(abs(shape), 98)), 1e-6)
    ax, out = canvas(ax, size=(10, 4.5))
    step = hop_s or 1
    look = {"cmap": "PuOr_r", "vmin": -bound, "vmax": bound, "interpolation": "nearest"}
    extent = (0, len(values) * step, first - 0.5, values.shape[1] - 0.5)
    image = ax.imshow(values[:, first:].T, extent=extent, **look)
    ax.figure.colorbar(image, ax=ax, label="Value", pad=0.02, extend="both")
    ax.set(title=title, xlabel="Time (s)" if hop_s else "Frame", ylabel="Coefficient")
    return described(
        out,
        f"Heat map: coefficients {first} to {values.shape[1] - 1} over {len(values)} frames, colours from "
        f"{-bound:.0f} to {bound:.0f}.",
    )
