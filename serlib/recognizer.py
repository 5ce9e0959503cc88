"""Wave in, probabilities out: use a trained run on files, arrays and long recordings."""

import contextlib
import csv
import functools
import hashlib
import io
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from natsort import natsorted

from serlib import audio
from serlib.corpora.corpus import walk
from serlib.evaluation import matching
from serlib.features import normalisation
from serlib.training import calibration, graph, novelty
from serlib.training.run import RELEASED, Run, example
from serlib.utils import (
    FORMULA,
    SerlibError,
    alone,
    atomic_path,
    disk_fault,
    import_tensorflow,
    on_cluster,
    progress,
    remove,
    shown,
)

#: What is answered where the model abstains.
UNSURE = "unsure"

#: Longest piece of a recording that gets one answer.
WINDOW_S = 3.5


@dataclass(frozen=True)
class Answer:
    """What the model makes of one clip.

    Attributes
    ----------
    file : str
        Its path, or "" for an array.
    label : str
        The most probable label, or `unsure` where it had better not be believed.
    confidence : float
        Probability of the most probable label.
    probabilities : dict of label -> float
    seconds : float
        Duration of the clip.
    reason, note : str
        Why it is `unsure`; what was odd about the file and was mended. In words, otherwise empty.
    """

    file: str
    label: str
    confidence: float
    probabilities: dict
    seconds: float
    reason: str = ""
    note: str = ""

    def to_dict(self):
        """The answer as JSON can hold it."""
        return asdict(self)


class Recognizer:
    """A trained run, ready to answer.

    Parameters
    ----------
    run : str, Path or Run, optional
        The folder of a run; its probes are checked. Default: the model that comes with this package, which has heard 33
        people (`serlib/pretrained/README.md` says what it can do and what not).
    threshold : float, optional
        Below this confidence the answer is `unsure`, and so it is where the sound does not resemble what the model
        learned from (`serlib.training.novelty`). Default: the run's own; 0 answers always, whatever the sound.
    speaker : sequence of str or Path, optional
        Recordings, or folders of them, of the person to be recognised, in all moods about equally often. A run whose
        features are normalised by speaker needs them; of any other run they normalise the answers
        (`serlib.evaluation.matching.match`).

    Raises
    ------
    SerlibError
        If the folder is no sound run, or recordings of the speaker are needed, or cannot be used.

    Examples
    --------
    >>> recognizer = Recognizer()                              # doctest: +SKIP
    >>> recognizer.predict("me.wav").label                     # doctest: +SKIP
    'happy'

    Notes
    -----
    ONNX Runtime answers where it can, without TensorFlow (`serlib.training.graph`); the first recognizer of a run makes
    what it needs for that, some seconds once.

    Taught in notebooks/05_evaluate.
    """

    def __init__(self, run=RELEASED, *, threshold=None, speaker=None):
        if threshold is not None and not 0 <= threshold <= 1:
            raise SerlibError(f"The threshold is {threshold}; choose a probability, from 0 to 1.")
        self.run = run if isinstance(run, Run) else Run.read(run)
        self._model = graph.load(self.run)
        if self._model is None:
            self.run = Run.load(self.run.folder) if self.run.model is None else self.run
            self._model = graph.make(self.run) or Traced(self.run)
        self.threshold = self.run.threshold if threshold is None else threshold
        self._domain = self.run.domain if threshold is None or threshold > 0 else None
        self._voice = self._offsets = None
        self._know(speaker)
        self._probabilities(np.zeros(16000, np.float32), 16000)  # load and trace now, so that the first clip is quick

    def __reduce__(self):  # sent to a worker of a cluster, it travels as what it was made of
        speaker = tuple(map(os.path.abspath, self.speaker))
        folder = str(self.run.folder.resolve())
        return _recognizer_of_worker, (folder, self.threshold, self._domain is not None, speaker)

    @property
    def labels(self):
        """Labels in the order of the model's outputs."""
        return self.run.labels

    @property
    def window_s(self):
        """Seconds that one answer along a recording hears: as much as the features look at, at most `WINDOW_S`, and no
        more than a clip may last that resembles the training clips."""
        spec = self.run.spec
        longest_s = self._domain["longest_s"] - 0.01 if self._domain else WINDOW_S  # less, for pieces are rounded
        return min(WINDOW_S, longest_s, spec.offset_s + (spec.duration_s or 3.0))

    def predict(self, sound, *, rate_hz=None, channel=None):
        """Answer for one clip.

        Parameters
        ----------
        sound : str, Path, bytes, binary file, tuple or array
            Whatever `serlib.audio.any_sound` takes: a file in any format, its bytes, an open file or upload,
            `(rate_hz, y)`, samples of numpy or PyTorch (floats with full scale 1.0, or integers).
        rate_hz : int
            Sampling rate of an array that does not bring its own.
        channel : int, optional
            Only this channel, from 0; by default all are averaged.

        Returns
        -------
        Answer; what is no sound, silent, or holds values that are no numbers is a SerlibError.
        """
        notes = []
        name, y, rate_hz = self._sound(sound, rate_hz=rate_hz, channel=channel, notes=notes)
        return self._answer_for(y, rate_hz, name, "; ".join(notes))

    def predict_many(self, files):
        """Answer for several files (a folder stands for those below it); a bad file does not stop the others.

        Returns
        -------
        answers : list of Answer
        failed : list of dict with `file` and `reason`
        """
        answers = []
        failed = []
        for number, sound in enumerate(sound_files(files)):
            try:
                answers.append(self.predict(sound))
            except SerlibError as error:
                is_path = isinstance(sound, str | os.PathLike)
                failed.append({"file": str(sound) if is_path else f"number {number}", "reason": str(error)})
        return answers, failed

    def timeline(self, sound, *, rate_hz=None, window_s=None, hop_s=None):
        """Answers along a long recording.

        Parameters
        ----------
        sound, rate_hz
            As for `predict`.
        window_s : float, optional
            Length of the piece that each answer hears; by default that of the attribute.
        hop_s : float, optional
            From one answer to the next; by default 1 s, or half a window where that is less.

        Returns
        -------
        pd.DataFrame, one row a window: `start_s`, `end_s`, `label`, `confidence`, the probability of each label, and
        `reason`, why it is `unsure`. A window without sound is `unsure` with confidence 0.
        """
        name, y, rate_hz = audio.any_sound(sound, rate_hz=rate_hz)
        if len(y) == 0:
            subject = shown(name) if name else "The array"
            raise SerlibError(f"{subject} holds no samples; record or choose another file.")
        rows = []
        window_s = self.window_s if window_s is None else window_s
        hop_s = min(1.0, window_s / 2) if hop_s is None else hop_s
        starts_s, pieces = audio.windows(y, rate_hz=rate_hz, window_s=window_s, hop_s=hop_s)
        for start_s, piece in zip(starts_s, pieces, strict=True):
            if fault := audio.fault(piece, rate_hz):
                nothing = dict.fromkeys(self.labels, 0.0)
                answer = Answer(name, UNSURE, 0.0, nothing, len(piece) / rate_hz, f"it {fault}")
            else:
                answer = self._answer_for(piece, rate_hz, name)
            rows.append(
                {
                    "start_s": round(float(start_s), 3),
                    "end_s": round(float(start_s) + answer.seconds, 3),
                    "label": answer.label,
                    "confidence": answer.confidence,
                    **answer.probabilities,
                    "reason": answer.reason,
                }
            )
        return pd.DataFrame(rows)

    def _sound(self, sound, **options):
        """Name, samples and rate of what holds sound."""
        name, y, rate_hz = audio.any_sound(sound, **options)
        fault = audio.fault(y, rate_hz)
        if fault:
            raise SerlibError(f"{shown(name) if name else 'The array'} {fault}; record or choose another clip.")
        return name, y, rate_hz

    def _know(self, speaker):
        """Take from the speaker's recordings what features or answers are normalised by."""
        paths = [speaker] if isinstance(speaker, str | Path) else [*speaker] if speaker is not None else []
        self.speaker = paths
        by_features = self.run.normalise == "speaker"
        if by_features and not paths:
            raise SerlibError(
                f"{shown(self.run.folder)} was trained with per-speaker normalisation: give recordings of whoever is "
                "to be recognised (--speaker FILE_OR_FOLDER; Recognizer(run, speaker=[...]))."
            )
        clips = [self._sound(path)[1:] for path in sound_files(paths)]
        if clips and len(clips) < len(self.labels) and (not by_features or self.run.spec.summary):
            raise SerlibError(
                f"{shown(paths[0])}: a voice is known by {len(self.labels)} recordings or more, in all moods, not by "
                f"{len(clips)}; give more of the speaker."
            )
        if by_features:
            spec = self.run.spec
            rows = [example(*clip, spec)[0] for clip in clips]
            rows = np.stack(rows) if spec.summary else np.concatenate(rows)[np.newaxis]
            self._voice = normalisation.statistics(rows)
        elif clips:
            train = self.run.split[self.run.split.role == "train"]
            truth = train.label if train.corpus.nunique() == 1 else self.labels  # of several corpora: equal shares
            answers = [self._probabilities(*clip) for clip in clips]
            self._offsets = matching.offsets(answers, matching.label_shares(truth, self.labels))

    def _probabilities(self, y, rate_hz):
        x = example(y, rate_hz, self._model.spec)
        if self._voice:
            x = normalisation.z_score(x, *self._voice)
        probabilities = calibration.tempered(self._model(x), self.run.temperature)
        return (probabilities if self._offsets is None else matching.add_offsets(probabilities, self._offsets))[0]

    def _answer_for(self, y, rate_hz, name, note=""):
        probabilities = self._probabilities(y, rate_hz)
        best = int(probabilities.argmax())
        label = self.labels[best]
        confidence = float(probabilities[best])
        reason = novelty.stranger(y, rate_hz, self._domain) if self._domain else ""
        if not reason and confidence < self.threshold:
            reason = f"the likeliest answer, {label}, has a confidence of {confidence:.2f}, below {self.threshold:.2f}"
        by_label = dict(zip(self.labels, np.round(probabilities, 6).tolist(), strict=True))
        seconds = round(len(y) / rate_hz, 3)
        return Answer(name, UNSURE if reason else label, round(confidence, 6), by_label, seconds, reason, note)


class Traced:
    """The Keras model of a run, traced once for single clips; `spec` is what goes in.

    `model.predict` builds a data pipeline at each call, which takes longer than a small model itself.
    """

    def __init__(self, run):
        tf = import_tensorflow()
        self.spec = run.spec
        signature = tf.TensorSpec((1, *run.model.input_shape[1:]), tf.float32)
        self._answer = tf.function(lambda x: run.model(x, training=False), input_signature=[signature])

    def __call__(self, x):
        """[shape=(1, ...)] in, probabilities [shape=(1, labels)] out, without the run's temperature."""
        return self._answer(x).numpy()


def sound_files(sounds):
    """A list of sounds (or of one), with the sound files below folders in their place; a folder may not be empty."""
    single = isinstance(sounds, str | os.PathLike | bytes) or hasattr(sounds, "read")
    files = []
    for sound in [sounds] if single else sounds:
        if isinstance(sound, str | os.PathLike) and os.path.isdir(sound):
            inside = natsorted(str(path) for path in walk(sound, []))
            if not inside:
                raise SerlibError(f"{shown(sound)} holds no sound files; name a folder of recordings.")
            files += inside
        else:
            files.append(sound)
    return files


#: Columns of `write_answers`, around one for each label.
BEFORE_LABELS = ("file", "channel", "label", "confidence", "seconds")
AFTER_LABELS = ("reason", "note", "error", "model")

#: Files that the workers of a cluster answer before their rows are written.
BATCH = 1024


def write_answers(recognizer, sounds, out, *, channels="average", show=None):
    """Answer for many files into a CSV table that grows row by row; a second call goes on where it stopped.

    Inside `serlib.utils.cluster(address)` the workers of a cluster answer; they must see the sounds, the run and the
    recordings of the speaker under the same paths.

    Parameters
    ----------
    recognizer : Recognizer
    sounds : str, Path or list of them
        Files, and folders whose sound files are meant.
    out : str or Path
        The table. Rows that are there already stay, files with an error (of any channel) are tried again.
    channels : str
        `average`: one row a file. `split`: one row a channel, for calls with a speaker on each.
    show : bool, optional
        Progress bar, as in `serlib.utils.progress`.

    Returns
    -------
    dict
        `answered`, `failed` and `kept`: how many rows were written with an answer, with an error, and were there.

    Raises
    ------
    SerlibError
        The table was written by another model or with other settings, is no such table, or another process writes it.
    """
    if channels not in ("average", "split"):
        raise SerlibError(f"channels is '{channels}'; choose average or split")
    out = Path(out)
    if out.is_dir():
        raise SerlibError(f"{shown(out)} is a folder; name a CSV file")
    heading = [*BEFORE_LABELS, *recognizer.labels, *AFTER_LABELS]
    model = f"{recognizer.run.folder.name} {_fingerprint(recognizer)} {channels}"
    lock = out.with_name(f".{out.name[-200:]}.lock")
    refusal = f"Another process writes {shown(out)}; wait for it, or name another file"
    with alone(lock, refusal), contextlib.ExitStack() as stack:
        stack.callback(remove, lock)
        files = [str(path) for path in sound_files(sounds)]
        rows = _rows_there(out, heading, model)
        files_done = {row["file"] for row in rows}
        todo = [path for path in files if _cell(path) not in files_done]
        counts = {"answered": 0, "failed": 0, "kept": len(rows)}
        with atomic_path(out) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, heading)
            writer.writeheader()
            writer.writerows(rows)
        try:
            with open(out, "a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, heading)
                answers = _rows_of_files(recognizer, todo, channels)
                for rows in progress(answers, total=len(todo), desc="predict", unit="file", show=show):
                    writer.writerows({**row, "model": model} for row in rows)  # a file's come together, or not at all
                    file.flush()
                    failed = sum(bool(row.get("error")) for row in rows)
                    counts["failed"] += failed
                    counts["answered"] += len(rows) - failed
        except OSError as error:
            raise disk_fault(error, out) from error
    return counts


def _rows_of_files(recognizer, paths, channels):
    """The rows of each file, in order; by the workers of a cluster where there is one."""
    if not on_cluster():
        for path in paths:
            yield _file_rows(recognizer, path, channels)
        return
    here = os.getcwd()
    for first in range(0, len(paths), BATCH):
        batch = paths[first : first + BATCH]
        work = (joblib.delayed(_file_rows)(recognizer, path, channels, here) for path in batch)
        yield from joblib.Parallel(n_jobs=-1)(work)


@functools.lru_cache(1)
def _recognizer_of_worker(folder, threshold, knows_strangers, speaker):
    """What a recognizer is where it is sent to: it takes seconds to load, so that a worker keeps it."""
    recognizer = Recognizer(folder, threshold=None if knows_strangers else 0, speaker=list(speaker) or None)
    recognizer.threshold = threshold
    return recognizer


def _file_rows(recognizer, path, channels, here=""):
    """The rows of one file, whose path may begin `here`: an answer a channel, or the reason why there is none."""
    file_path = os.path.join(here, path)
    if channels == "average":
        return [_row(recognizer, path, file_path, None)]
    try:
        with audio.opened(file_path) as file:
            count = audio.channels(file, file_path)
    except SerlibError as error:
        return [{"file": _cell(path), "error": str(error)}]
    return [_row(recognizer, path, file_path, channel) for channel in range(count)]


def _row(recognizer, path, file_path, channel):
    """The row of a channel, or of a whole file."""
    row = {"file": _cell(path), "channel": "" if channel is None else channel}
    try:
        answer = recognizer.predict(file_path, channel=channel)
    except SerlibError as error:  # of a call one side may be silent
        return {**row, "error": str(error)}
    row |= {"label": answer.label, "confidence": answer.confidence, "seconds": answer.seconds}
    return {**row, **answer.probabilities, "reason": answer.reason, "note": answer.note}


def _rows_there(out, heading, model):
    """Rows of a table that an earlier call began: those of this model, of files without an error."""
    if not os.path.exists(out) or not out.stat().st_size:
        return []
    whole_lines, _, _ = out.read_bytes().rpartition(b"\n")  # a killed process leaves half a line
    try:
        lines = list(csv.reader(io.StringIO(whole_lines.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error):
        lines = []
    rows = [dict(zip(heading, line, strict=True)) for line in lines[1:] if len(line) == len(heading)]
    if lines[:1] != [heading] or any(row["model"] != model for row in rows):
        raise SerlibError(f"{shown(out)} holds answers of another model or of other settings; name another file")
    files_with_error = {row["file"] for row in rows if row["error"]}
    return [row for row in rows if row["file"] not in files_with_error]


def _fingerprint(recognizer):
    """What decides the answers, in eight digits: the model's bytes, the threshold, what is known of the speaker."""
    known = (recognizer.threshold, recognizer._domain is not None, recognizer._voice, recognizer._offsets)
    model = (recognizer.run.folder / "model.keras").read_bytes()
    return hashlib.blake2b(model + joblib.hash(known).encode(), digest_size=4).hexdigest()


def _cell(path):
    """A path that no spreadsheet takes for a formula; bytes that are no Unicode as their escapes."""
    path = path.encode(errors="backslashreplace").decode()
    return f"'{path}" if path.startswith(FORMULA) else path
