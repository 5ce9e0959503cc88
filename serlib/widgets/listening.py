"""Speak to a model: the microphone of the browser, answers while one speaks, takes that are kept (`live`)."""

import csv
import dataclasses
import io
import time
from html import escape
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import soundfile
import traitlets

from serlib import audio, plots
from serlib.audio import AUDIO_SUFFIXES
from serlib.corpora import Reading, tables
from serlib.corpora import folder as own
from serlib.corpora.words import normal_label
from serlib.utils import UNKNOWN, SerlibError, data_dir, disk_fault, shown
from serlib.widgets.oscilloscope import Scope
from serlib.widgets.playing import common_gain

#: From one answer to the next while somebody speaks, in seconds.
EVERY_S = 0.25
#: What has no peak above this level, in dB of full scale, is a quiet room; the model is not asked about it.
ROOM_DB = -40.0
#: What is kept before and after the speech in a take.
MARGIN_S = 0.1

#: Of the table of the takes.
COLUMNS = ["speech", "label", "speaker", "text"]


class Listener:
    """Collects sound as it comes in, and has a `serlib.Recognizer` answer in between; knows no widgets."""

    def __init__(self, recognizer):
        self.recognizer = recognizer
        self.window_s = recognizer.window_s
        self.start()

    def start(self):
        """Begin a take: forget the one before."""
        self._chunks = []
        self._asked = 0
        self.rate_hz = None

    def hear(self, chunk, rate_hz, *, answer=True):
        """Take in the next piece of sound [shape=(n,)], full scale 1.0.

        Returns the Answer for the speech in the last seconds (as many as `timeline` looks at); None between answers, in
        silence, and with `answer=False`, where the answers cannot keep up.
        """
        self._chunks.append(np.asarray(chunk, dtype=np.float32))
        self.rate_hz = rate_hz
        self._asked += len(chunk)
        if not answer or self._asked < EVERY_S * rate_hz:
            return None
        self._asked = 0
        return self._ask(speech(self.samples(self.window_s), rate_hz))

    def samples(self, last_s=None):
        """The take so far, or its last seconds [shape=(n,)]."""
        y = np.concatenate([np.zeros(0, np.float32), *self._chunks])
        return y if last_s is None else y[-round(last_s * self.rate_hz) :]

    def finish(self):
        """End the take: what was heard of it (see `speech`), and what the model answers (or None)."""
        y = speech(self.samples(), self.rate_hz) if self._chunks else self.samples()
        return y, self._ask(y)

    def _ask(self, y):
        fit = len(y) and not audio.fault(y, self.rate_hz)
        return self.recognizer.predict(y, rate_hz=self.rate_hz) if fit else None


def speech(y, rate_hz):
    """The part of a recording from its first to its last sound, with a margin; empty where the room was silent."""
    if not len(y) or abs(y).max() < 10 ** (ROOM_DB / 20):
        return y[:0]
    intervals = audio.voice_activity(y, rate_hz=rate_hz)
    margin = round(MARGIN_S * rate_hz)
    return y[max(0, intervals[0, 0] - margin) : intervals[-1, 1] + margin]


def save_take(y, rate_hz, *, label, speaker, text="", folder=None):
    """Keep a take as a clip of a corpus of one's own: `serlib.index("folder", folder)`.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    label, speaker, text : str
        Emotion, who speaks, and what is said (may be empty).
    folder : str or Path, optional
        Made where it is missing; default: `my_recordings` in the data folder. The clips lie in a folder for each
        label and are listed in `index.csv`.

    Returns
    -------
    Path of the new WAV file

    Raises
    ------
    SerlibError
        The label or the speaker is empty, or no name for a folder; the clip cannot be used, or not be written;
        `index.csv` is there with other columns.
    """
    label = normal_label(label)
    speaker = speaker.strip()
    for name, value in (("label", label), ("speaker", speaker)):
        if not value or set(value) & set('/\\:*?"<>|') or value.startswith("."):
            raise SerlibError(f"The {name} is {value!r}; write a plain word")
    if fault := audio.fault(y, rate_hz):
        raise SerlibError(f"The take {fault}; record it again")
    folder = Path(folder) if folder else data_dir() / "my_recordings"
    here = folder / label
    table = folder / "index.csv"
    sound = io.BytesIO()
    soundfile.write(sound, np.clip(y, -1, 1), rate_hz, format="WAV", subtype="PCM_16")
    try:
        here.mkdir(parents=True, exist_ok=True)
        # Where a table begins it names what lies there already, for it is all that is read from then on.
        existing = table.read_bytes() if table.exists() else b""
        if not existing:
            table.unlink(missing_ok=True)  # an empty one names nothing
        rows = [] if existing else [COLUMNS, *_listed(folder)]
        if existing and tables.heading(existing) != COLUMNS:
            raise SerlibError(f"{shown(table)} has other columns than {','.join(COLUMNS)}; save takes elsewhere")
        number = 1
        while (path := here / f"{speaker}_{label}_{number:03d}.wav").exists():
            number += 1
        path.write_bytes(sound.getvalue())
        rows.append([path.relative_to(folder).as_posix(), label, speaker, text.strip()])
        with table.open("a", newline="", encoding="utf-8") as file:
            file.write("\n" * (existing[-1:] not in (b"", b"\n")))  # an editor may have left the last line open
            csv.writer(file).writerows(rows)
    except OSError as error:
        raise disk_fault(error, folder) from error
    return path


def _listed(folder):
    top = folder.absolute()
    for path, clip in own.scan(folder, [], [], Reading()):
        name = path.relative_to(top).as_posix() if path.is_relative_to(top) else path
        speaker = "" if clip.speaker == UNKNOWN else clip.speaker
        text = "" if clip.text == UNKNOWN else clip.text
        yield [name, clip.label, speaker, text]


class Microphone(anywidget.AnyWidget):
    """The recording half of `live`: button, level, running probabilities, a place to drop a file.

    An `answer` holds `label`, `confidence`, `bars` (label, share and colour of each), `final` (of the whole take), and
    `stamp`, the page's own time of the last sound that was heard. From it the page computes its `latency_s`, from the
    end of that sound to the answer on the page.
    """

    _esm = Path(__file__).with_name("live.js")
    _css = Path(__file__).with_name("live.css")

    recording = traitlets.Bool(False).tag(sync=True)  # set by the page
    answer = traitlets.Dict().tag(sync=True)
    latency_s = traitlets.Float(0.0).tag(sync=True)
    accept = traitlets.Unicode(",".join(["audio/*", "video/*", *AUDIO_SUFFIXES])).tag(sync=True)  # of the file dialog

    def __init__(self, listener, on_take):
        super().__init__()
        self._listener = listener
        self._on_take = on_take
        self._file = b""
        self.on_msg(self._receive)

    def _receive(self, _, message, buffers):
        if message["kind"] == "start":
            self._listener.start()
            self._quickest = np.inf
            self.answer = {}
        elif message["kind"] == "sound":
            chunk = np.frombuffer(buffers[0], np.int16) / np.float32(32768)
            way_s = time.monotonic() - message["stamp"] / 1000  # two clocks: only its growth means something
            self._quickest = min(self._quickest, way_s)
            behind = way_s - self._quickest > 2 * EVERY_S  # the model is slower than the speech: leave answers out
            if answer := self._listener.hear(chunk, message["rate_hz"], answer=not behind):
                self._tell(answer, message["stamp"])
        elif message["kind"] == "stop":
            y, answer = self._listener.finish()
            if answer:
                self._tell(answer, message["stamp"], final=True)
            self._on_take("Take", y, self._listener.rate_hz, answer)
        elif message["kind"] == "file":
            self._file += bytes(buffers[0])
            if message["last"]:
                data = self._file
                self._file = b""
                self._opened(message["name"], data)

    def _opened(self, name, data):
        recognizer = self._listener.recognizer
        notes = []
        try:
            y, rate_hz = audio.decode(data, name=name, notes=notes)
            answer = recognizer.predict(y, rate_hz=rate_hz)
        except SerlibError as error:
            return self._on_take(name, np.zeros(0, np.float32), None, str(error).replace("The array", name))
        self._tell(answer, None, final=True)
        self._on_take(name, y, rate_hz, dataclasses.replace(answer, note="; ".join(notes)))

    def _tell(self, answer, stamp, *, final=False):
        bars = [(label, share, plots.colour(label)) for label, share in answer.probabilities.items()]
        summary = {"label": answer.label, "confidence": answer.confidence, "bars": bars}
        self.answer = {**summary, "final": final, "stamp": stamp}


class Live(ipywidgets.VBox):
    """The widget that `live` makes: a `microphone`, a `scope` of the take that is chosen, fields to keep it."""

    def __init__(self, recognizer, folder):
        self._recognizer = recognizer
        self._folder = folder
        self._recordings = []
        self.microphone = Microphone(Listener(recognizer), self._take)
        self.scope = Scope()
        self.takes = ipywidgets.Dropdown(description="Take:")
        self.label = ipywidgets.Combobox(description="Label:", options=recognizer.labels, ensure_option=False)
        self.speaker = ipywidgets.Text(description="Speaker:", value="me")
        self.text = ipywidgets.Text(description="Text:", placeholder="what was said")
        self.save = ipywidgets.Button(description="Save this take", icon="save")
        self.says = ipywidgets.HTML()
        self.takes.observe(self._show, "value")
        self.save.on_click(self._save)
        keep = [ipywidgets.HBox([self.takes, self.label]), ipywidgets.HBox([self.speaker, self.text, self.save])]
        self._replay = ipywidgets.VBox([self.scope, *keep])
        self._replay.layout.display = "none"
        super().__init__([self.microphone, self.says, self._replay])

    def _take(self, name, y, rate_hz, answer):
        """A take or a file has come in; `answer` is its Answer, None, or a sentence that says what is wrong."""
        self.says.value = ""
        if not len(y):
            self.says.value = escape(answer or "Nothing was heard: is the right microphone chosen, and is it on?")
            return
        if answer and answer.reason:
            self.says.value = escape(f"{answer.label}: {answer.reason}. ")
        if answer and answer.note:
            self.says.value += escape(f"{name} {answer.note}.")
        name = f"{len(self._recordings) + 1} {name}"
        words = f"{answer.label}, {answer.confidence:.0%}" if answer else "no answer"
        self._recordings.append((y, rate_hz, f"{name}: {words}"))
        self.takes.unobserve(self._show, "value")  # new options choose the first take, which is not asked for
        self.takes.options = [title for *_, title in self._recordings]
        self.takes.index = len(self._recordings) - 1
        self.takes.observe(self._show, "value")
        self._show()

    def _show(self, _=None):
        y, rate_hz, title = self._recordings[self.takes.index]
        window_s = self.microphone._listener.window_s
        long = len(y) / rate_hz > 1.5 * window_s
        timeline = self._recognizer.timeline(y, rate_hz=rate_hz) if long else None
        self.scope.load(y, rate_hz, title=title, gain=common_gain([y]), timeline=timeline)
        self.label.value = ""
        self._replay.layout.display = None

    def _save(self, _):
        y, rate_hz, _ = self._recordings[self.takes.index]
        options = {"label": self.label.value, "speaker": self.speaker.value, "text": self.text.value}
        try:
            path = save_take(y, rate_hz, **options, folder=self._folder)
        except SerlibError as error:
            self.says.value = escape(str(error))
        else:
            self.says.value = f"Saved as {escape(shown(path))}"


def live(recognizer, *, folder=None):
    """Speak into the browser's microphone, or drop in a file, and see what a model hears.

    The sound travels from the page to the kernel, which may be on another machine. Without a widget `Listener` answers
    for sound that comes in pieces.

    Parameters
    ----------
    recognizer : serlib.Recognizer
        Its threshold decides where it is `unsure`.
    folder : str or Path, optional
        Where takes are saved, see `save_take`.

    Taught in notebooks/09_live.
    """
    return Live(recognizer, folder)
