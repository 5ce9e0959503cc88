"""Features: what is to be computed (`FeatureSpec`), for one clip (`extract_clip`), for a whole index (`extract`)."""

import dataclasses
import functools
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from serlib import audio
from serlib.features import cache, functionals, pitch, spectral, weights, whisper
from serlib.features.functionals import FUNCTIONALS, OF_THE_VOICE
from serlib.utils import SerlibError, clip_table, data_dir, import_tensorflow, shown

#: Goes up whenever a value changes, so that no cache of older code is taken for one of this.
FEATURES_VERSION = 1

#: What librosa computes from each frame, in the order of its documentation.
LIBROSA_KINDS = ("mfcc", "delta", "delta2", "chroma", "logmel", "contrast", "tonnetz", "rms", "zcr", "f0")

#: What can be computed from each frame; pitch and voiced by `serlib.features.pitch.frames`, whisper (what Whisper
#: hears) by `serlib.features.whisper` and states (what its encoder makes of it) by `serlib.features.encoder`.
KINDS = (*LIBROSA_KINDS, "pitch", "voiced", "whisper", "states")

#: Whisper's own frames, for the kind `whisper`; a state stands for two of them.
WHISPER = {"rate_hz": 16000, "frame": 400, "hop": 160, "n_mels": 80}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """What is computed from a clip. Two equal specifications have the same hash, on every machine.

    Parameters
    ----------
    rate_hz : int
        Clips are resampled to this rate.
    frame, hop : int
        Length of a frame (even) and the step between frames, in samples.
    kinds : tuple of str
        Of `KINDS`; columns come in this order.
    n_mfcc, n_mels : int
        Coefficients, and the mel bands that they and logmel are made from.
    fmin_hz, fmax_hz : float
        Range of the mel bands; `fmax_hz` None is half the rate.
    summary : tuple of str
        Of `serlib.features.functionals.FUNCTIONALS`, taken over the frames of a clip; empty for the frames themselves.
        Those of the voice need the kind `voiced`.
    offset_s, duration_s : float
        Part of the file that is used, as in `librosa.load`; None is up to the end. A clip that ends before the
        offset is used from its start, rather than not at all.
    frames : int, optional
        Sequences are padded with zeros, or cut, to this many frames; None is the longest clip's, before trimming.
        Says nothing where there is a summary: statistics are over the frames that a clip has.
    trim_db : float, optional
        Cut what lies this far below the loudest at both ends (`audio.trim`), after offset and duration.
    encoder : str, optional
        Name or file of an encoder (`serlib.features.weights`), whose states are the features; `kinds` is then
        `("states",)`, and rate, frame and hop are the encoder's.
    layers : tuple of int
        The layers of the encoder whose states are taken, side by side.
    peak : float, optional
        Whisper and its encoder hear every clip at one level: its loudest mel band has this value (`whisper.log_mel`).
        None: as it was recorded.
    beside : FeatureSpec, optional
        Other features of the same clip, whose columns follow; both are summaries.

    Examples
    --------
    >>> FeatureSpec(encoder="whisper-tiny", layers=(2,), summary=("mean", "std")).kinds
    ('states',)

    Taught in notebooks/03_mfcc.
    """

    rate_hz: int = 22050
    frame: int = 2048
    hop: int = 512
    kinds: tuple = ("mfcc",)
    n_mfcc: int = 40
    n_mels: int = 128
    fmin_hz: float = 0.0
    fmax_hz: float | None = None
    summary: tuple = ()
    offset_s: float = 0.0
    duration_s: float | None = None
    frames: int | None = None
    trim_db: float | None = None
    encoder: str | None = None
    layers: tuple = ()
    peak: float | None = None
    beside: "FeatureSpec | None" = None

    def __post_init__(self):
        if self.encoder is not None:
            object.__setattr__(self, "encoder", os.fspath(self.encoder))
            for field, value in {**WHISPER, "hop": 2 * WHISPER["hop"], "kinds": ("states",)}.items():
                object.__setattr__(self, field, value)
        for field in ("rate_hz", "frame", "hop", "n_mfcc", "n_mels", "frames"):
            value = getattr(self, field)
            if value is None or isinstance(value, int):
                continue
            if not float(value).is_integer():
                raise SerlibError(f"The feature specification cannot be used: {field} is {value}, no whole number.")
            object.__setattr__(self, field, int(value))  # NumPy's numbers are none for JSON
        casts = (("kinds", tuple), ("summary", tuple), ("fmin_hz", float), ("offset_s", float))
        for field, cast in casts:
            object.__setattr__(self, field, cast(getattr(self, field)))
        object.__setattr__(self, "layers", tuple(int(layer) for layer in self.layers))
        for field in ("fmax_hz", "duration_s", "trim_db", "peak"):
            if getattr(self, field) is not None:
                object.__setattr__(self, field, float(getattr(self, field)))
        top_hz = self.rate_hz / 2 if self.fmax_hz is None else self.fmax_hz
        statistics = ", ".join(FUNCTIONALS)
        settings = {field: getattr(self, field) for field in WHISPER}
        for is_wrong, expected in (
            (not self.kinds or set(self.kinds) - set(KINDS), f"kinds must be some of {', '.join(KINDS)}"),
            (len(set(self.kinds)) < len(self.kinds), "kinds must not repeat"),
            (set(self.summary) - set(FUNCTIONALS), f"summary must be some of {statistics}"),
            (set(self.summary) & set(OF_THE_VOICE) and "voiced" not in self.kinds, "its summary needs the kind voiced"),
            ("states" in self.kinds and not self.encoder, "its states need an encoder"),
            (bool(self.encoder) != bool(self.layers), "encoder and layers go together"),
            (any(layer < 0 for layer in self.layers), "layers count from 0"),
            (self.peak is not None and not {"whisper", "states"} & set(self.kinds), "peak is for whisper and states"),
            (self.beside and not (self.summary and self.beside.summary), "what stands side by side are summaries"),
            (self.beside and self.beside.beside, "two specifications stand side by side, not more"),
            ("whisper" in self.kinds and settings != WHISPER, f"the kind whisper needs {WHISPER}"),
            ("whisper" in self.kinds and len(self.kinds) > 1, "the kind whisper stands alone"),
            (self.rate_hz < audio.LOWEST_HZ, f"rate_hz must be at least {audio.LOWEST_HZ}"),
            (self.frame < 16 or self.frame % 2, "frame must be even and at least 16 samples"),
            (not 1 <= self.hop <= self.frame, "hop must be between 1 and frame"),
            (not 1 <= self.n_mfcc <= self.n_mels, "n_mfcc must be between 1 and n_mels"),
            (not 0 <= self.fmin_hz < top_hz <= self.rate_hz / 2, "fmin_hz < fmax_hz <= rate_hz / 2 must hold"),
            (self.offset_s < 0, "offset_s must not be negative"),
            (self.duration_s is not None and self.duration_s <= 0, "duration_s must be positive"),
            (self.frames is not None and self.frames < 1, "frames must be positive"),
            (self.trim_db is not None and self.trim_db <= 0, "trim_db must be positive"),
        ):
            if is_wrong:
                raise SerlibError(f"The feature specification {self.to_dict()} cannot be used: {expected}.")

    @property
    def hash(self):
        """16 hex digits that stand for this specification."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def to_dict(self):
        """Plain values, for JSON."""
        plain = dataclasses.asdict(self)
        if self.encoder is None:  # what was trained before there were encoders keeps its name
            del plain["encoder"], plain["layers"]
        if self.peak is None:
            del plain["peak"]
        if self.beside is None:
            del plain["beside"]
        else:
            plain["beside"] = self.beside.to_dict()
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_dict(cls, plain):
        """The specification that `to_dict` gave; a field that this version does not know is an error."""
        unknown = set(plain) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise SerlibError(
                f"The feature specification has fields that this version does not know ({', '.join(sorted(unknown))}); "
                "update serlib, or train again"
            )
        if isinstance(plain.get("beside"), dict):
            plain = {**plain, "beside": cls.from_dict(plain["beside"])}
        return cls(**plain)


#: Specifications by name. Offset and duration of the usual code skip the silence before "Say the word ...".
SPECS = {
    # librosa.load(file, duration=3, offset=0.5); librosa.feature.mfcc(n_mfcc=40).mean(axis=1): systems A, B, C.
    "mfcc40-mean": FeatureSpec(offset_s=0.5, duration_s=3, summary=("mean",)),
    # Sequences of MFCC with slope and curvature, silence trimmed: system D.
    "mfcc-frames": FeatureSpec(kinds=("mfcc", "delta", "delta2"), duration_s=4, trim_db=30),
    # 87 frames, 2.02 s: system E.
    "logmel-128x87": FeatureSpec(kinds=("logmel",), duration_s=2.02, frames=87),
    # Whisper's log-mel, and what its first three blocks make of it. At one level: how loud a recording is says more of
    # the microphone than of the speaker. A probe that learns from RAVDESS, where the loud are the aroused, takes nearly
    # all of the louder nEMO's neutral clips for aroused ones otherwise (bench/released.py choose measures it).
    "whisper-frames": FeatureSpec(kinds=("whisper",), duration_s=15, **WHISPER),
    "whisper-states": FeatureSpec(
        encoder="whisper-tiny", layers=(1, 2, 3), summary=("mean", "std"), duration_s=15, peak=1
    ),
    # What this project's own recipe hears: spectrum, loudness, noise and pitch, by all functionals but the extremes.
    "functionals": FeatureSpec(
        rate_hz=16000,
        frame=512,
        hop=256,
        kinds=("logmel", "mfcc", "zcr", "rms", "contrast", "pitch", "voiced"),
        n_mfcc=30,
        n_mels=64,
        summary=tuple(name for name in FUNCTIONALS if name not in ("min", "max")),
        duration_s=6,
        trim_db=30,
    ),
    "all-frames": FeatureSpec(kinds=LIBROSA_KINDS, duration_s=4, trim_db=30),
    "all-statistics": FeatureSpec(kinds=LIBROSA_KINDS, offset_s=0.5, duration_s=3, summary=("mean", "std")),
}


def names(spec):
    """Column names of the features, e.g. `mfcc_0`, `chroma_C#`, `rms`; with a summary `mfcc_0_mean`.

    Returns
    -------
    list of str, as long as the last axis of what `extract` gives.
    """
    bands = spectral.contrast_bands(spec.rate_hz, spec.frame) if "contrast" in spec.kinds else ()
    labels = {
        **{kind: range(spec.n_mfcc) for kind in ("mfcc", "delta", "delta2")},
        "chroma": spectral.CHROMA,
        "logmel": range(spec.n_mels),
        "contrast": range(len(bands)),
        "tonnetz": ("fifth_x", "fifth_y", "minor_x", "minor_y", "major_x", "major_y"),
        "whisper": range(spec.n_mels),
        "states": _state_names(spec),
    }
    columns = [f"{kind}_{label}" if label != "" else kind for kind in spec.kinds for label in labels.get(kind, ("",))]
    columns = [f"{column}_{statistic}" for statistic in spec.summary for column in columns] or columns
    return columns + names(spec.beside) if spec.beside else columns


def parts(spec):
    """The specifications whose features stand side by side: most often there is one.

    Returns
    -------
    list of FeatureSpec
    """
    return [dataclasses.replace(spec, beside=None), spec.beside] if spec.beside else [spec]


def _state_names(spec):
    """Layer and column of every state; nothing without an encoder."""
    if not spec.encoder:
        return ()
    width = weights.width(spec.encoder)
    return [f"{layer}_{column}" for layer in sorted(spec.layers) for column in range(width)]


def extract_clip(y, rate_hz, spec):
    """Compute the features of one clip.

    Each kind agrees with librosa's own function called alone: `mfcc`, `delta`, `chroma_stft(tuning=0.0)`,
    `power_to_db(melspectrogram(...))`, `spectral_contrast`, `tonnetz(chroma=...)`, `rms`, `zero_crossing_rate`,
    `yin`. One spectrum serves them all.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        The whole clip, mono, full scale 1.0; offset, duration and trimming of `spec` are applied here.
    rate_hz : int
        Samples per second of `y`.
    spec : FeatureSpec

    Returns
    -------
    np.ndarray, float32
        [shape=(frames, d)], no padding, at most `spec.frames` frames (`pad` lengthens it as `extract` does); with a
        summary [shape=(d * statistics,)].

    Raises
    ------
    SerlibError
        The clip holds no samples, or NaN, or is not mono.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(22050).astype(np.float32)
    >>> extract_clip(noise, 22050, FeatureSpec(n_mfcc=13)).shape  # a second: 44 frames
    (44, 13)

    Taught in notebooks/03_mfcc.
    """
    if np.ndim(y) != 1:
        raise SerlibError(f"A clip of shape {np.shape(y)} is not mono; make it so with serlib.audio.mono")
    return np.concatenate([_compute(_part(y, rate_hz, part), rate_hz, part)[0] for part in parts(spec)])


def pad(clip, frames):
    """Lengthen the frames of one clip with zeros, or cut them [shape=(frames, d)]."""
    return np.pad(clip[:frames], ((0, max(0, frames - len(clip))), (0, 0)))


@dataclasses.dataclass(frozen=True)
class Features:
    """Features of a whole index.

    Parameters
    ----------
    values : np.ndarray [shape=(clips, frames, d)], with a summary [shape=(clips, d * statistics)]
        float32, mapped from the file where they are cached, read-only; sequences are padded with zeros.
    lengths : np.ndarray [shape=(clips,)], int32
        Frames that each clip has; what comes after is padding.
    spec : FeatureSpec
    names : list of str
        One for each column of `values`.
    folder : Path
        Where `values.npy` and `lengths.npy` are; of features side by side those of the first.
    """

    values: np.ndarray
    lengths: np.ndarray
    spec: FeatureSpec
    names: list
    folder: Path


def extract(index, spec, *, out_dir=None, jobs=None, show=None):
    """Compute the features of every clip of an index, or load what was computed before.

    The cache goes by the content of each audio file (column `digest`), the specification and `FEATURES_VERSION`: a clip
    is found again in any index and any order. What is cached as a whole is mapped in milliseconds and no audio is
    read. An extraction that was interrupted goes on where it stopped. Values do not depend on the number of workers.

    Parameters
    ----------
    index : pd.DataFrame
        Of `serlib.corpora.index`; only `speech`, `digest`, `duration_s` and `rate_hz` are used, and all but `speech`
        are read from the files where they are missing.
    spec : FeatureSpec or str
        Or its name in `SPECS`.
    out_dir : str or Path, optional
        Folder of the caches; default: `features` in `data_dir()`.
    jobs : int, optional
        Workers; default: all cores. With `joblib.parallel_config(backend="dask")` all workers of the cluster, which
        must see the same sound files.
    show : bool, optional
        Progress bar, as in `serlib.utils.progress`.

    Returns
    -------
    Features, rows in the order of `index`

    Raises
    ------
    SerlibError
        A file has changed or is gone since it was indexed, or cannot be used. The others are finished first.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import soundfile
    >>> file = Path(tempfile.mkdtemp()) / "noise.wav"
    >>> soundfile.write(file, 0.1 * np.random.default_rng(0).standard_normal(16000), 16000)
    >>> extract(pd.DataFrame({"speech": [file]}), "mfcc40-mean", out_dir=file.parent).values.shape
    (1, 40)

    Taught in notebooks/03_mfcc.
    """
    return extract_together(index, (spec,), out_dir=out_dir, jobs=jobs, show=show)[0]


def extract_together(index, specs, *, out_dir=None, jobs=None, show=None):
    """Features of several specifications in one pass over the sound: each clip is read and decoded once.

    Parameters
    ----------
    index : pd.DataFrame
        From `serlib.index`; any table with the column `speech` will do.
    specs : sequence of FeatureSpec or str
        Or names in `SPECS`.
    out_dir : str or Path, optional
        Folder of the caches; default: `features` in `data_dir()`.
    jobs : int, optional
        Workers; default: all cores, or all workers of a cluster.
    show : bool, optional
        Progress bar.

    Returns
    -------
    list of Features, in the order of `specs`
    """
    index = clip_table(index, needs=("speech",))
    if not len(index):
        raise SerlibError("The index holds no clips, so there are no features; index a folder that holds sound files")
    specs = [_by_name(spec) for spec in specs]
    files = [os.fspath(file) for file in index["speech"]]
    digests = contents(index)
    root = Path(out_dir or data_dir() / "features")
    stores = {}
    for part in [part for spec in specs for part in parts(spec)]:
        stores[part] = cache.Store(root, cache_key(part), digests, functools.partial(row_shape, index, part))
    tables = cache.fill(
        functools.partial(_rows, specs=tuple(stores)),
        list(zip(files, digests, strict=True)),
        list(stores.values()),
        jobs=jobs,
        show=show,
        desc="features",
    )
    rows = dict(zip(stores, tables, strict=True))
    result = []
    for spec in specs:
        first = parts(spec)[0]
        values, frames = rows[first]
        if spec.beside:
            values = np.concatenate([values, rows[spec.beside][0]], axis=1)
        result.append(Features(values, frames, spec, names(spec), stores[first].folder))
    return result


def contents(table):
    """The content of each file of a table, by which caches go.

    Parameters
    ----------
    table : pd.DataFrame
        With the column `speech`.

    Returns
    -------
    list of str. The column `digest`; the files of clips that have none there are read.

    Raises
    ------
    SerlibError
        A file cannot be read.
    """
    known = table["digest"] if "digest" in table else [None] * len(table)
    clips = zip(table["speech"], known, strict=True)
    return [digest if isinstance(digest, str) and digest else audio.path_digest(file) for file, digest in clips]


def cache_key(spec):
    """What says which features a cache holds.

    Parameters
    ----------
    spec : FeatureSpec

    Returns
    -------
    dict of plain values, the same for the same features on every machine: an encoder counts by its weights, not by
    where their file lies (`weights.content`).
    """
    plain = spec.to_dict()
    if spec.encoder:
        plain["encoder"] = weights.content(spec.encoder)
    return {"version": FEATURES_VERSION, "spec": plain, "names": names(spec)}


def _by_name(spec):
    """A specification, or the one of this name."""
    if not isinstance(spec, str):
        return spec
    if spec not in SPECS:
        raise SerlibError(f"There are no features '{spec}'; choose one of {', '.join(SPECS)}")
    return SPECS[spec]


def _rows(file, digest, numbers, *, specs):
    """Features of a file, for each number of a specification that is wanted: one reading serves them all."""
    specs = [specs[k] for k in numbers]
    offset_s = specs[0].offset_s
    duration_s = specs[0].duration_s
    if any((spec.offset_s, spec.duration_s) != (offset_s, duration_s) for spec in specs):
        y, rate_hz = audio.checked(file, digest)
        return [_compute(_part(y, rate_hz, spec), rate_hz, spec, name=file) for spec in specs]
    y, rate_hz = audio.checked(file, digest, offset_s=offset_s, duration_s=duration_s)
    if not len(y):
        y, rate_hz = audio.checked(file, digest, duration_s=duration_s)
    return [_compute(y, rate_hz, spec, name=file) for spec in specs]


def _part(y, rate_hz, spec):
    """What lies between offset and end; a clip that ends before the offset is used from its start."""
    start = int(spec.offset_s * rate_hz)
    start = start if start < len(y) else 0
    end = None if spec.duration_s is None else start + int(spec.duration_s * rate_hz)
    return np.asarray(y[start:end], dtype=np.float32)


def row_shape(index, spec):
    """Shape of the features of a clip, padded: how long sequences can get follows from the lengths of the files."""
    if spec.summary or spec.frames:
        return ((spec.frames,) if not spec.summary else ()) + (len(names(spec)),)
    if {"duration_s", "rate_hz"} <= set(index) and index[["duration_s", "rate_hz"]].notna().all(axis=None):
        rate_hz = index["rate_hz"].to_numpy(dtype=float)
        samples = np.round(index["duration_s"].to_numpy(dtype=float) * rate_hz)
    else:
        clips = (audio.load(file) for file in index["speech"])
        samples, rate_hz = np.array([(len(y), clip_hz) for y, clip_hz in clips], dtype=float).T
    start = np.floor(spec.offset_s * rate_hz)
    samples -= np.where(start < samples, start, 0)
    if spec.duration_s is not None:
        samples = np.minimum(samples, np.floor(spec.duration_s * rate_hz))
    longest = np.ceil(samples * (spec.rate_hz / rate_hz)).max()
    return 1 + int(longest) // spec.hop, len(names(spec))


def _compute(y, rate_hz, spec, *, name="The clip"):
    """Features of what lies between offset and end, and the number of frames they are made from."""
    if len(y) == 0 or not np.isfinite(y).all():
        raise SerlibError(f"{shown(name)} {audio.fault(y, rate_hz)}; delete it or record it again")
    y = audio.resample(y, from_hz=rate_hz, to_hz=spec.rate_hz)
    if spec.trim_db is not None:
        y = audio.trim(y, rate_hz=spec.rate_hz, top_db=spec.trim_db)
    columns = {}
    if set(LIBROSA_KINDS) & set(spec.kinds):
        columns |= spectral.kinds(y, spec)
    if {"pitch", "voiced"} & set(spec.kinds):
        columns |= pitch.frames(y, spec.rate_hz, hop=spec.hop)
    if {"whisper", "states"} & set(spec.kinds):
        columns |= _whisper_columns(y, spec)
    rows = np.concatenate([columns[kind] for kind in spec.kinds], axis=1, dtype=np.float32)
    if spec.summary:
        return summarise(rows, spec), len(rows)
    return rows[: spec.frames], min(len(rows), spec.frames or len(rows))


def _whisper_columns(y, spec):
    if not spec.encoder:
        return {"whisper": whisper.log_mel(y, peak=spec.peak)}
    import_tensorflow()  # in silence, before Keras does
    from serlib.features import encoder

    return {"states": encoder.states(y, spec.encoder, spec.layers, peak=spec.peak)}


def frames_of(spec):
    """The specification of the frames that a summary is made from."""
    return dataclasses.replace(spec, summary=(), frames=None if spec.summary else spec.frames, beside=None)


def summarise(rows, spec):
    """The summary of a clip's frames.

    Parameters
    ----------
    rows : np.ndarray [shape=(frames, d)]
        Of `frames_of(spec)`.
    spec : FeatureSpec
        With a summary.

    Returns
    -------
    np.ndarray [shape=(d * statistics,)], float32
    """
    voiced = rows[:, names(frames_of(spec)).index("voiced")] > 0.5 if "voiced" in spec.kinds else None
    return functionals.summarise(rows, spec.summary, voiced=voiced)
