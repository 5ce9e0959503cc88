"""Figures of steps: from wave to MFCC, everything that a clip gives, what augmentation changes; in an LSTM's cell.

Taught in notebooks/03_mfcc, but for what names another.
"""

import numpy as np

from serlib.features import spectral
from serlib.features.spec import names
from serlib.plots.style import FAINT, INK, MAIN, SECOND, canvas, described, heading, panels, ramp, with_style


@with_style
def framing(y, rate_hz, *, frame, hop, first=0, n=4, title="Overlapping frames", ax=None):
    """A stretch of the wave with the frames that cover it.

    Parameters
    ----------
    y : np.ndarray [shape=(samples,)]
    rate_hz : int
    frame, hop : int
        Samples a frame, samples from frame to frame.
    first, n : int
        The first frame to draw, and how many.
    """
    ax, out = canvas(ax, size=(10, 4.2))
    start = first * hop
    stop = first * hop + (n - 1) * hop + frame
    part = np.asarray(y)[start:stop]
    ms = 1000 / rate_hz
    top = max(float(abs(part).max(initial=0)), 1e-3)
    ax.plot((start + np.arange(len(part))) * ms, part, color=INK, linewidth=0.8)
    for i, shade in enumerate(ramp(n)):
        left = (start + i * hop) * ms
        base = -top * (1.25 + 0.18 * i)
        ax.plot([left, left + frame * ms], [base, base], color=shade, linewidth=6, solid_capstyle="butt")
        ax.annotate(f"frame {first + i}", (left + frame * ms, base), (6, 0), textcoords="offset points", va="center")
        ax.axvline(left, color=shade, linestyle=":", linewidth=1.5)
    ax.set(title=title, xlabel="Time (ms)", ylabel="Amplitude", ylim=(-top * (1.35 + 0.18 * n), top * 1.1))
    ax.set_yticks([-top, 0, top], [f"{-top:.2f}", "0", f"{top:.2f}"])
    ax.margins(x=0.08)
    return described(
        out,
        f"{n} frames of {frame * ms:.1f} ms on a waveform, a new one every {hop * ms:.1f} ms, so that neighbours share "
        f"{100 * max(0, 1 - hop / frame):.0f} % of their samples.",
    )


@with_style
def windowing(samples, window, rate_hz, *, title="A window fades each frame in and out"):
    """One frame, the window [shape=(frame,)], and their product."""
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


@with_style
def spectrum(level_db, rate_hz, *, title="The spectrum of one frame", fmax_hz=None, ax=None):
    """Power over frequency for one frame.

    Parameters
    ----------
    level_db : np.ndarray [shape=(1 + n_fft / 2,)]
        In dB, from 0 Hz to half the rate.
    rate_hz : int
    fmax_hz : float, optional
        Right end of the figure.
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


@with_style
def filters(weights, rate_hz, *, fmax_hz=None, every=1, title="The mel filter bank", ax=None):
    """Triangular filters: narrow where the ear is fine, wide where it is coarse; every so many-th is drawn.

    `weights` [shape=(n_mels, 1 + n_fft / 2)] are as `librosa.filters.mel` gives them.
    """
    ax, out = canvas(ax, size=(10, 4))
    weights = np.asarray(weights)
    hz = np.linspace(0, rate_hz / 2, weights.shape[1])
    numbers = range(0, len(weights), every)
    for i, shade in zip(numbers, ramp(len(numbers)), strict=True):
        ax.plot(hz, weights[i], color=shade, linewidth=1.5)
    ax.set(title=title, xlabel="Frequency (Hz)", ylabel="Weight")
    ax.set(xlim=(0, fmax_hz or rate_hz / 2), ylim=(0, weights.max() * 1.05))
    centres = hz[weights.argmax(axis=1)]
    return described(
        out,
        f"{len(numbers)} of {len(weights)} triangular mel filters; the first peaks at {centres[0]:.0f} Hz, the "
        f"last at {centres[-1]:.0f} Hz; they grow wider with frequency.",
    )


@with_style
def bands(mel_db, *, also=None, title="The mel spectrum of one frame", ax=None):
    """Level in each mel band, with smoother versions of it where given.

    Parameters
    ----------
    mel_db : np.ndarray [shape=(n_mels,)]
    also : dict of str -> np.ndarray [shape=(n_mels,)], optional
        Name -> what is left of the spectrum, for instance rebuilt from the first 13 MFCC.
    """
    ax, out = canvas(ax, size=(10, 4.2))
    mel_db = np.asarray(mel_db)
    also = also or {}
    x = np.arange(len(mel_db))
    low = float(min(mel_db.min(), *(np.min(v) for v in also.values()))) if also else float(mel_db.min())
    floor = low - 0.05 * (np.ptp(mel_db) or 1)
    ax.bar(x, mel_db - floor, 1, floor, color="#d3e2f0", edgecolor=FAINT, linewidth=0.5, label="all bands")
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


@with_style
def cosines(basis, *, n=6, title="The cosines that a mel spectrum is compared with"):
    """The first n rows of the discrete cosine transform [shape=(n_mfcc, n_mels)], a coefficient each."""
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


@with_style
def coefficients(values, *, spread=None, first=0, title="The MFCC of one frame", ax=None):
    """A row of coefficients as stems.

    Parameters
    ----------
    values : np.ndarray [shape=(n,)]
    spread : np.ndarray [shape=(n,)], optional
        Drawn as a band around them, for instance the deviation over the clip.
    first : int
        Number of the first coefficient that is drawn; 1 leaves out the overall level.
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


@with_style
def mfcc_steps(levels_db, bands_db, mfcc, spec, *, title="One clip, three times"):
    """Spectrogram, mel bands and MFCC of a clip, one below the other on one time axis.

    Parameters
    ----------
    levels_db : np.ndarray [shape=(frames, 1 + frame / 2)]
        Power spectrogram in dB.
    bands_db : np.ndarray [shape=(frames, n_mels)]
        Mel levels in dB.
    mfcc : np.ndarray [shape=(frames, n_mfcc)]
        Drawn from number 1 on: number 0 is the level and outshines the others.
    spec : serlib.features.FeatureSpec
        That they were made with.
    """
    figure, grid = panels(3, size=(10, 7), sharex=True)
    seconds = len(mfcc) * spec.hop / spec.rate_hz
    first = min(1, mfcc.shape[1] - 1)
    bound = max(float(np.percentile(abs(mfcc[:, first:]), 98)), 1e-6)
    level = ("magma", -80, 0)
    value = ("PuOr_r", -bound, bound)
    for ax, values, span, (cmap, low, high), name in (
        (grid[0, 0], levels_db - levels_db.max(), (0, spec.rate_hz / 2000), level, "Spectrogram\n(kHz)"),
        (grid[1, 0], bands_db - bands_db.max(), (-0.5, spec.n_mels - 0.5), level, "Mel bands\n(number)"),
        (grid[2, 0], mfcc[:, first:], (first - 0.5, mfcc.shape[1] - 0.5), value, "MFCC\n(number)"),
    ):
        image = ax.imshow(values.T, extent=(0, seconds, *span), cmap=cmap, vmin=low, vmax=high, interpolation="nearest")
        bar = figure.colorbar(image, ax=ax, pad=0.02, label="Value" if ax is grid[2, 0] else "dB below peak")
        bar.ax.locator_params(nbins=4)
        ax.set_ylabel(name)
        ax.locator_params(axis="y", nbins=4, integer=True)
    grid[2, 0].set_xlabel("Time (s)")
    heading(figure, title)
    return described(
        figure,
        f"{title}: spectrogram, {spec.n_mels} mel bands and {mfcc.shape[1]} MFCC of {len(mfcc)} frames of "
        f"{1000 * spec.frame / spec.rate_hz:.0f} ms, one every {1000 * spec.hop / spec.rate_hz:.0f} ms.",
    )


#: Kind -> (what its axis says, colour map); kinds of one number a frame are lines.
LOOKS = {
    "mfcc": ("MFCC", "PuOr_r"),
    "delta": ("Delta", "PuOr_r"),
    "delta2": ("Delta of\ndelta", "PuOr_r"),
    "chroma": ("Chroma", "viridis"),
    "logmel": ("Log-mel\n(band)", "magma"),
    "contrast": ("Spectral\ncontrast\n(band)", "viridis"),
    "tonnetz": ("Tonnetz", "PuOr_r"),
    "rms": ("RMS\n(amplitude)", None),
    "zcr": ("Zero\ncrossings\n(share)", None),
    "f0": ("Pitch f0\n(Hz)", None),
    "pitch": ("Pitch\n(octaves)", None),
    "voiced": ("Voiced\n(share)", None),
    "whisper": ("Log-mel of\nWhisper\n(band)", "magma"),
    "states": ("Whisper's\nstates\n(column)", "PuOr_r"),
}


@with_style
def features(rows, spec, *, title="Features over time"):
    """Every kind of feature of one clip, a row each, on one time axis.

    Colours of a heat map go from the lowest to the highest of its values (2 % at each end left out); where both signs
    mean something white is zero. Pitch is dots, since frames without a voice hold a guess.

    Parameters
    ----------
    rows : np.ndarray [shape=(frames, d)]
        As `serlib.extract_clip` gives them, without a summary.
    spec : serlib.FeatureSpec
        What they were computed with.
    """
    rows = np.asarray(rows)
    hop_s = spec.hop / spec.rate_hz
    kinds = np.array([name.split("_")[0] for name in names(spec)])
    flat = [LOOKS[kind][1] is None for kind in spec.kinds]
    heights = [1.1 if line else 1.5 for line in flat]
    figure, grid = panels(len(flat), 1, size=(10, sum(heights) + 1), sharex=True, height_ratios=heights)
    figure.get_layout_engine().set(h_pad=0.04)
    time_s = np.arange(len(rows)) * hop_s
    for ax, kind, line in zip(grid[:, 0], spec.kinds, flat, strict=True):
        values = rows[:, kinds == kind]
        name, colours = LOOKS[kind]
        if line:
            ax.plot(time_s, values, "." if kind == "f0" else "-", color=MAIN)
            ax.set_ylim(0 if kind not in ("f0", "pitch") else None, None)
            ax.grid(axis="y")
        else:
            _heat(ax, values, hop_s, kind, colours)
        ax.set_ylabel(name, rotation=0, ha="right", va="center")
        ax.tick_params(labelsize=10)
    grid[-1, 0].set(xlabel="Time (s)", xlim=(-hop_s / 2, (len(rows) - 0.5) * hop_s))
    heading(figure, title)
    sizes = ", ".join(f"{kind} {np.sum(kinds == kind)}" for kind in spec.kinds)
    return described(
        figure, f"{len(spec.kinds)} kinds of features over {len(rows)} frames, one below the other; numbers: {sizes}."
    )


def _heat(ax, values, hop_s, kind, colours):
    """A heat map; the level of the 0th MFCC would outshine the others."""
    shape = values[:, 1:] if kind == "mfcc" and values.shape[1] > 1 else values
    low, high = np.percentile(shape, [2, 98])
    if colours == "PuOr_r":
        high = max(abs(low), abs(high), 1e-6)
        low = -high
    extent = (-hop_s / 2, (len(values) - 0.5) * hop_s, -0.5, values.shape[1] - 0.5)
    ax.imshow(values.T, cmap=colours, vmin=low, vmax=high, interpolation="nearest", extent=extent)
    if kind == "chroma":
        ax.set_yticks(range(0, 12, 3), spectral.CHROMA[::3])
    elif kind == "tonnetz":
        ax.set_yticks([0.5, 2.5, 4.5], ["fifth", "minor", "major"])


@with_style
def augmented(rows, *, hop_s, title="What feature augmentation makes of a clip"):
    """A log-mel spectrogram as it is and as each feature augmentation leaves it, all to one scale.

    The colours go from the lowest to the highest value of the first (1 % at each end left out).

    Parameters
    ----------
    rows : dict of str -> np.ndarray [shape=(frames, n_mels)]
        What was done -> log-mel in dB, as `serlib.augment.feature_examples` gives them.
    hop_s : float
        Seconds from frame to frame.

    Taught in notebooks/07_generalize.
    """
    low, high = np.percentile(next(iter(rows.values())), [1, 99])
    lines = -(-len(rows) // 2)
    figure, grid = panels(lines, 2, size=(11, 2.6 * lines + 1), sharex=True, sharey=True)
    for ax in grid.flat[len(rows) :]:
        ax.set_visible(False)
    for ax, (name, values) in zip(grid.flat, rows.items(), strict=False):
        extent = (0, len(values) * hop_s, -0.5, values.shape[1] - 0.5)
        image = ax.imshow(values.T, cmap="magma", vmin=low, vmax=high, interpolation="nearest", extent=extent)
        ax.set_title(name, fontsize=13)
    longest_s = max(len(values) for values in rows.values()) * hop_s
    grid[0, 0].set_xlim(0, longest_s)
    for ax in list(grid.flat[: len(rows)])[-2:]:
        ax.set_xlabel("Time (s)")
        ax.tick_params(labelbottom=True)
    for ax in grid[:, 0]:
        ax.set_ylabel("Mel band")
    figure.colorbar(image, ax=grid, label="Level (dB)", aspect=40, pad=0.02)
    heading(figure, title)
    ways = "; ".join(f"{name}, {len(values) * hop_s:.1f} s" for name, values in rows.items())
    return described(figure, f"{len(rows)} log-mel spectrograms of one clip, to one scale: {ways}.")


#: Position, name and colour of what a step of an LSTM computes.
_GATES = (
    (2.0, "forget\nsigmoid", MAIN),
    (3.6, "input\nsigmoid", MAIN),
    (5.2, "candidate\ntanh", SECOND),
    (6.8, "output\nsigmoid", MAIN),
)


@with_style
def gates(*, title="One step of an LSTM", ax=None):
    """One step of an LSTM: three gates and a candidate for the new state.

    Taught in notebooks/04_lstm_train.
    """
    ax, out = canvas(ax, size=(10, 4.8))
    arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.6}

    def line(start, end):
        ax.annotate("", end, start, arrowprops=arrow)

    def node(x, y, text):
        look = {"boxstyle": "circle", "fc": "white", "ec": INK}
        ax.text(x, y, text, ha="center", va="center", fontsize=13, bbox=look)

    top, middle, bottom = 4.2, 2.2, 0.6
    line((0.2, top), (9.7, top))
    ax.annotate("state c before", (0.2, top), (0, 9), textcoords="offset points")
    ax.annotate("state c now", (9.7, top), (0, 9), textcoords="offset points", ha="right")
    ax.plot([0.2, 6.8], [bottom, bottom], color=INK, linewidth=1.6)
    ax.annotate("output h before, and the input x of this step", (0.2, bottom), (0, -17), textcoords="offset points")
    for x, name, shade in _GATES:
        line((x, bottom), (x, middle - 0.42))
        ax.text(x, middle, name, ha="center", va="center", color="white", bbox={"boxstyle": "round", "fc": shade})
    line((2.0, middle + 0.42), (2.0, top - 0.25))
    node(2.0, top, "×")
    line((3.6, middle + 0.42), (4.3, 3.0))
    line((5.2, middle + 0.42), (4.5, 3.0))
    node(4.4, 3.15, "×")
    line((4.4, 3.4), (4.4, top - 0.25))
    node(4.4, top, "+")
    line((8.4, top), (8.4, middle + 0.3))
    ax.annotate("tanh", (8.4, 3.2), (8, 0), textcoords="offset points", color=INK)
    line((6.8 + 0.5, middle), (8.4 - 0.22, middle))
    node(8.4, middle, "×")
    line((8.4 + 0.22, middle), (9.7, middle))
    ax.annotate("output h now", (9.7, middle), (0, -24), textcoords="offset points", ha="right")
    ax.set(title=title, xlim=(0, 10.1), ylim=(-0.1, 5))
    ax.set_axis_off()
    ax.axhline(-0.05, color=FAINT, linewidth=0)
    return described(
        out,
        "Diagram of an LSTM: the state runs through, is multiplied by the forget gate, and gets the candidate times "
        "the input gate added; the output is the output gate times the tanh of the state. All four see the input and "
        "the output before.",
    )
