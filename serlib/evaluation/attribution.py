"""What in a clip drove an answer: occlude a piece of it and see how the answer changes."""

import dataclasses
import itertools

import numpy as np

from serlib import audio
from serlib.features import normalisation
from serlib.training.run import example
from serlib.utils import SerlibError

#: Frame and hop of the spectrogram that is occluded, in seconds: shorter than a window, longer than a pitch period.
FRAME_S = 0.032
HOP_S = 0.008
#: Top of the last band, in Hz.
TOP_HZ = 8000
#: Share of a frequency's frames that are at least as quiet as what an occluded piece is brought down to.
QUIET = 0.1
#: Fewest windows; a clip shorter than a few of them has shorter ones.
FEWEST = 4
#: Occluded clips that are asked about at once: a minute has thousands, which would take 16 GB together.
AT_ONCE = 64


@dataclasses.dataclass(frozen=True)
class Occlusion:
    """How the probability of an answer changes when pieces of the clip are occluded.

    Positive: the piece spoke for the answer, without it the probability is lower by this much. Negative: against it.

    Attributes
    ----------
    answer, probability : int, float
        Number of the answer, and its probability for the whole clip.
    edges_s, edges_hz : np.ndarray [shape=(windows + 1,)], [shape=(bands + 1,)]
        Borders of the windows in seconds, equally far apart, and of the bands, equally far apart in mel.
    pieces, windows, bands : np.ndarray [shape=(windows, bands)], [shape=(windows,)], [shape=(bands,)]
        One window in one band occluded, the lowest band first; a window at all frequencies; a band all along the clip.
    """

    answer: int
    probability: float
    edges_s: np.ndarray
    edges_hz: np.ndarray
    pieces: np.ndarray
    windows: np.ndarray
    bands: np.ndarray


def answers(run, *, voice=None):
    """How a run answers waveforms: what `occlusion` asks.

    Features are extracted again, so that it works for every recipe, whatever it makes of a clip. A run that normalises
    by speaker needs the `voice`: mean and scale of the speaker's features (`serlib.features.normalisation.voices`).

    Returns
    -------
    callable: list of np.ndarray [shape=(n,)], rate in Hz -> np.ndarray [shape=(clips, labels)]
    """
    if run.normalise == "speaker" and voice is None:
        raise SerlibError("This run normalises by speaker: give the mean and scale of the speaker's features as voice")

    def ask(clips, rate_hz):
        values = [example(y, rate_hz, run.spec) for y in clips]
        if run.normalise == "speaker":
            values = [normalisation.z_score(value, *voice) for value in values]
        probabilities = np.empty((len(clips), len(run.labels)))
        for shape in {value.shape for value in values}:  # trimming leaves some with fewer frames
            alike = [i for i, value in enumerate(values) if value.shape == shape]
            probabilities[alike] = run.probabilities(np.concatenate([values[i] for i in alike]))
        return probabilities

    return ask


def occlusion(ask, y, rate_hz, *, answer=None, window_s=0.15, bands=6):
    """Occlude a clip piece by piece and see what that does to the answer.

    Parameters
    ----------
    ask : callable
        List of waveforms [shape=(n,)] and their rate -> probabilities [shape=(clips, labels)], as `answers(run)`.
    y : np.ndarray [shape=(n,)]
        Mono waveform; silence or NaN is a SerlibError.
    rate_hz : int
    answer : int, optional
        Number of the answer that is asked about; default: the most probable.
    window_s : float
        Length of a window, about: the windows divide the clip evenly.
    bands : int
        Number of bands, equally wide in mel up to `TOP_HZ`; what lies above goes with the last one.

    Returns
    -------
    Occlusion

    Notes
    -----
    Zeiler & Fergus 2014, ECCV, with sound for pictures. A piece is not set to zero, which no recording ever is and
    no model has met: each frequency is brought down to the level of its own quiet moments in this clip (where it is
    louder), its phase is kept, and the features are computed from the new sound. The answer to a sound that is partly
    missing is not the whole truth about the model: what it would do without two pieces at once is not asked.

    Taught in notebooks/05_evaluate.
    """
    import librosa

    y = np.asarray(y, dtype=np.float32)
    if fault := audio.fault(y, rate_hz):
        raise SerlibError(f"The clip {fault}; choose another one")
    frame = 2 * round(FRAME_S * rate_hz / 2)
    hop = round(HOP_S * rate_hz)
    waves = librosa.stft(y, n_fft=frame, hop_length=hop)
    size = abs(waves)
    quiet = np.quantile(size, QUIET, axis=1, keepdims=True)
    without = waves * np.minimum(1, quiet / np.maximum(size, 1e-10))
    edges_s = np.linspace(0, len(y) / rate_hz, max(FEWEST, round(len(y) / rate_hz / window_s)) + 1)
    edges_hz = librosa.mel_frequencies(bands + 1, fmin=0, fmax=min(TOP_HZ, rate_hz / 2))
    at = _place(np.arange(size.shape[1]) * hop / rate_hz, edges_s)
    band = _place(np.arange(size.shape[0]) * rate_hz / frame, edges_hz)[:, np.newaxis]

    n = len(edges_s) - 1
    back = {"n_fft": frame, "hop_length": hop, "length": len(y)}
    clips = (librosa.istft(np.where(mask, without, waves), **back) for mask in _masks(at, band, n, bands))
    probabilities = np.asarray(ask([y], rate_hz))
    while some := list(itertools.islice(clips, AT_ONCE)):
        probabilities = np.concatenate([probabilities, ask(some, rate_hz)])
    answer = int(probabilities[0].argmax()) if answer is None else answer
    drop = probabilities[0, answer] - probabilities[1:, answer]
    return Occlusion(
        answer=answer,
        probability=float(probabilities[0, answer]),
        edges_s=edges_s,
        edges_hz=edges_hz,
        pieces=drop[: n * bands].reshape(n, bands),
        windows=drop[n * bands : n * bands + n],
        bands=drop[n * bands + n :],
    )


def _masks(at, band, windows, bands):
    """What is occluded: each window in each band, each window, each band [shape=(frequencies, frames), bool]."""
    in_windows = [at == i for i in range(windows)]
    in_bands = [band == j for j in range(bands)]
    yield from (window & part for window, part in itertools.product(in_windows, in_bands))
    yield from (window | (band < 0) for window in in_windows)
    yield from (part | (at < 0) for part in in_bands)


def _place(values, edges):
    """Between which two edges each value lies; what lies outside goes with the first or the last."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
