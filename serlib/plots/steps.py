"""The steps from wave to MFCC, a figure each: frames, window, spectrum, mel filters, log, cosines, coefficients."""

import numpy as np

from serlib.plots.style import FAINT, INK, MAIN, SECOND, canvas, described, drawn, heading, panels


#: Colours that tell a handful of curves apart, light to dark (viridis without its palest end).
def _ramp(n):
    import matplotlib

    return matplotlib.colormaps["viridis"](np.linspace(0, 0.85, n))


@drawn
def framing(y, rate_hz, *, frame, hop, first=0, n=4, window=None, title="Overlapping frames", ax=None):
    """A stretch of the wave with the frames that cover it.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    rate_hz : int
    frame, hop : int
        Samples a frame, samples from frame to frame.
    first : int
        The first frame to draw.
    n : int
        How many.
    window : np.ndarray [shape=(frame,)], optional
        Drawn over each frame where given.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/03_mfcc.
    """
    ax, out = canvas(ax, size=(10, 4.2))
    start = first * hop
    stop = first * hop + (n - 1) * hop + frame
    part = np.asarray(y)[start:stop]
    ms = 1000 / rate_hz
    top = max(float(abs(part).max(initial=0)), 1e-3)
    ax.plot((start + np.arange(len(part))) * ms, part, color=INK, linewidth=0.8)
    for i, shade in enumerate(_ramp(n)):
        left = (start + i * hop) * ms
        base = -top * (1.25 + 0.18 * i)
        ax.plot([left, left + frame * ms], [base, base], color=shade, linewidth=6, solid_capstyle="butt")
        ax.annotate(f"frame {first + i}", (left + frame * ms, base), (6, 0), textcoords="offset points", va="center")
        if window is not None:
            ax.plot((start + i * hop + np.arange(frame)) * ms, top * np.asarray(window), color=shade)
        else:
            ax.axvline(left, color=shade, linestyle=":", linewidth=1.5)
    ax.set(title=title, xlabel="Time (ms)", ylabel="Amplitude", ylim=(-top * (1.35 + 0.18 * n), top * 1.1))
    ax.set_yticks([-top, 0, top], [f"{-top:.2f}", "0", f"{top:.2f}"])
    ax.margins(x=0.08)
    return described(
        out,
        f"{n} frames of {frame * ms:.1f} ms on a waveform, a new one every {hop * ms:.1f} ms, so that neighbours share "
        f"{100 * max(0, 1 - hop / frame):.0f} % of their samples.",
    )


@drawn
def windowing(samples, window, rate_hz, *, title="A window fades each frame in and out"):
    """One frame, the window, and their product.

    Parameters
    ----------
    samples, window : np.ndarray [shape=(frame,)]
    rate_hz : int

    Returns
    -------
    Figure

    Taught in notebooks/03_mfcc.
    """
    samples = np.asarray(samples)
    window = np.asarray(window)
    time_ms = np.arange(len(samples)) * 1000 / rate_hz
    figure, ((left, middle, right),) = panels(1, 3, size=(12, 3.6), sharex=True)
    top = max(float(abs(samples).max(initial=0)), 1e-3) * 1.1
    for ax, values, name, shade in (
        (left, samples, "frame", INK),
        (middle, window, "× window", SECOND),
        (right, samples * window, "= windowed", MAIN),
    ):
        ax.plot(time_ms, values, color=shade, linewidth=1 if ax is not middle else 2.5)
        ax.set(title=name, xlabel="Time (ms)", ylim=(-top, top) if ax is not middle else (-0.05, 1.1))
    left.set_ylabel("Amplitude")
    middle.set_ylabel("Weight")
    right.set_ylabel("Amplitude")
    heading(figure, title)
    return described(
        figure,
        f"A frame of {len(samples)} samples, the window with weights from {window.min():.2f} to {window.max():.2f}, "
        "and their product, which fades to nothing at both ends.",
    )


@drawn
def spectrum(level_db, rate_hz, *, title="The spectrum of one frame", fmax_hz=None, ax=None):
    """Power over frequency for one frame.

    Parameters
    ----------
    level_db : np.ndarray [shape=(1 + n_fft / 2,)]
        In dB, from 0 Hz to half the rate.
    rate_hz : int
    fmax_hz : float, optional
        Right end of the figure.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/03_mfcc.
    """
    ax, out = canvas(ax, size=(10, 4))
    level_db = np.asarray(level_db)
    hz = np.linspace(0, rate_hz / 2, len(level_db))
    ax.plot(hz, level_db, color=MAIN, linewidth=1.2)
    ax.set(title=title, xlabel="Frequency (Hz)", ylabel="Power (dB)", xlim=(0, fmax_hz or rate_hz / 2))
    ax.grid()
    return described(
        out,
        f"Spectrum of one frame: {len(level_db)} frequencies from 0 to {rate_hz / 2:.0f} Hz, strongest at "
        f"{hz[level_db.argmax()]:.0f} Hz.",
    )


@drawn
def filters(weights, rate_hz, *, fmax_hz=None, every=1, title="The mel filter bank", ax=None):
    """Triangular filters: narrow where the ear is fine, wide where it is coarse.

    Parameters
    ----------
    weights : np.ndarray [shape=(n_mels, 1 + n_fft / 2)]
        As `librosa.filters.mel` gives them.
    rate_hz : int
    every : int
        Draw every so many-th filter.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/03_mfcc.
    """
    ax, out = canvas(ax, size=(10, 4))
    weights = np.asarray(weights)
    hz = np.linspace(0, rate_hz / 2, weights.shape[1])
    numbers = range(0, len(weights), every)
    for i, shade in zip(numbers, _ramp(len(numbers)), strict=True):
        ax.plot(hz, weights[i], color=shade, linewidth=1.5)
    ax.set(
        title=title,
        xlabel="Frequency (Hz)",
        ylabel="Weight",
        xlim=(0, fmax_hz or rate_hz / 2),
        ylim=(0, weights.max() * 1.05),
    )
    centres = hz[weights.argmax(axis=1)]
    return described(
        out,
        f"{len(numbers)} of {len(weights)} triangular mel filters; the first peaks at {centres[0]:.0f} Hz, the "
        f"last at {centres[-1]:.0f} Hz; they grow wider with frequency.",
    )


@drawn
def bands(mel_db, *, also=None, title="The mel spectrum of one frame", ax=None):
    """Level in each mel band, with smoother versions of it where given.

    Parameters
    ----------
    mel_db : np.ndarray [shape=(n_mels,)]
    also : dict of str -> np.ndarray [shape=(n_mels,)], optional
        Name -> what is left of the spectrum, for instance rebuilt from the first 13 MFCC.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/03_mfcc.
    """
    ax, out = canvas(ax, size=(10, 4.2))
    mel_db = np.asarray(mel_db)
    also = also or {}
    x = np.arange(len(mel_db))
    low = float(min(mel_db.min(), *(np.min(v) for v in also.values()))) if also else float(mel_db.min())
    floor = low - 0.05 * (np.ptp(mel_db) or 1)
    ax.bar(x, mel_db - floor, 1, floor, color="#bcd2e8", edgecolor="white", linewidth=0.4, label="all bands")
    for (name, values), shade in zip(also.items(), (SECOND, INK, "#46a75b", "#793b96"), strict=False):
        ax.plot(x, values, color=shade, label=name, linewidth=2.5)
    ax.set(title=title, xlabel="Mel band (low to high frequency)", ylabel="Level (dB)", ylim=(floor, None))
    ax.margins(x=0.01)
    if also:
        ax.legend(loc="upper right")
    errors_db = {name: np.sqrt(np.mean((mel_db - values) ** 2)) for name, values in also.items()}
    errors = "; ".join(f"{name} misses it by {error:.1f} dB" for name, error in errors_db.items())
    return described(
        out,
        f"Level in {len(mel_db)} mel bands, from {mel_db.min():.0f} to {mel_db.max():.0f} dB, strongest in band "
        f"{mel_db.argmax()}{f'; {errors} on average' if errors else ''}.",
    )


@drawn
def cosines(basis, *, n=6, title="The cosines that a mel spectrum is compared with"):
    """The first rows of the discrete cosine transform.

    Parameters
    ----------
    basis : np.ndarray [shape=(n_mfcc, n_mels)]
        A row is the cosine of one coefficient.
    n : int
        How many to draw.

    Returns
    -------
    Figure

    Taught in notebooks/03_mfcc.
    """
    basis = np.asarray(basis)[:n]
    columns = min(3, len(basis))
    rows = -(-len(basis) // columns)
    figure, grid = panels(rows, columns, size=(11, 2.1 * rows + 1), sharex=True, sharey=True)
    for ax in grid.flat[len(basis) :]:
        ax.set_visible(False)
    for i, (ax, row) in enumerate(zip(grid.flat, basis, strict=False)):
        ax.axhline(0, color=FAINT, linewidth=1)
        ax.plot(row, color=MAIN)
        ax.set_title(f"coefficient {i}", fontsize=13)
    for ax in grid[-1]:
        ax.set_xlabel("Mel band")
    for ax in grid[:, 0]:
        ax.set_ylabel("Weight")
    heading(figure, title)
    return described(
        figure,
        f"The first {len(basis)} cosines of the DCT over {basis.shape[1]} mel bands; number k swings through k "
        "half periods.",
    )


@drawn
def coefficients(values, *, spread=None, first=0, title="The MFCC of one frame", ax=None):
    """A row of coefficients as stems.

    Parameters
    ----------
    values : np.ndarray [shape=(n,)]
    spread : np.ndarray [shape=(n,)], optional
        Drawn as a band around them, for instance the deviation over the clip.
    first : int
        Number of the first coefficient that is drawn; 1 leaves out the overall level.

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/03_mfcc.
    """
    ax, out = canvas(ax, size=(10, 4))
    x = np.arange(first, len(values))
    values = np.asarray(values)[first:]
    ax.axhline(0, color=FAINT, linewidth=1)
    ax.vlines(x, 0, values, color=MAIN, linewidth=3)
    ax.plot(x, values, "o", color=MAIN, markersize=7)
    if spread is not None:
        ax.errorbar(x, values, yerr=np.asarray(spread)[first:], fmt="none", ecolor=SECOND, capsize=3, linewidth=1.5)
    ax.set(title=title, xlabel="Coefficient", ylabel="Value")
    ax.margins(x=0.02)
    return described(
        out,
        f"Stem plot of coefficients {x[0]} to {x[-1]}, from {values.min():.0f} to {values.max():.0f}; the largest "
        f"in size is number {x[abs(values).argmax()]}.",
    )
