"""What every other module stands on: the vocabulary, the error a user can mend, folders, safe writing, progress."""

import contextlib
import errno
import glob
import numbers
import os
import re
import shutil
import sys
import tempfile
import time
import unicodedata
import uuid
import warnings
from collections import Counter
from pathlib import Path

#: One vocabulary of emotions for all corpora, in the order of every table, figure and model output.
#: `ps` is pleasant surprise; every corpus's surprise maps to it.
LABELS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad", "calm", "boredom")

#: A spreadsheet runs a text that begins with one of these.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

# C0 and C1 controls, breaks of lines and paragraphs, marks of direction, surrogates.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: Who a clip works for. Nothing is ever chosen on the test set.
ROLES = ("train", "validation", "test")


#: Column of the index -> headings that people write for it, in order of preference.
HEADINGS = {
    "speech": "speech path file file_name filename file_path filepath filepaths audio audio_path audio_file "
    "audio_filepath wav wav_path wav_file wave recording uri",
    "label": "label labels emotion emotions emo emotion_label class category target",
    "speaker": "speaker speaker_id speakerid spk spk_id actor actor_id subject subject_id participant participant_id "
    "client_id user_id talker person",
    "text": "text sentence transcript transcription utterance word",
    "part": "role split subset set partition part",
}

#: What the speaker and the text are where nothing tells. All clips then share one, so that a split by speaker or by
#: text is refused, rather than made up.
UNKNOWN = "unknown"

#: What stands in a cell where nobody knows, in lower case.
MISSING = (
    *("", "-", "?", "na", "n/a", "n.a.", "#n/a", "nan", "none", "null", "unknown", "unk", "undefined", "xxx"),
    *("anonymous", "anon", "unbekannt", "inconnu", "desconocido"),
)

#: What a clip's columns hold where a table does not say.
UNTOLD = {"speaker": UNKNOWN, "text": UNKNOWN, "corpus": "own"}

#: What a table of clips says of each in words.
COLUMNS = ("speech", "label", *UNTOLD)

#: What no label may be called: it has a column of its own in tables that hold these, and `unsure` is no emotion.
RESERVED = (
    *(*COLUMNS, "digest", "role", "predicted", "confidence", "p_label", "unsure"),
    *("file", "channel", "seconds", "reason", "note", "error", "model", "start_s", "end_s"),
)

#: What messages call a sound that has no file.
NAMELESS = ("The clip", "The recording")

#: What the system says when a disk, a quota or the size that a file may have is used up.
NO_SPACE = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))

#: What it says of a place where nothing can be written.
NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG)

#: Seconds to wait for the scheduler of a cluster, and then for its first worker.
CLUSTER_S = 10

#: Seconds after which an unfinished file is nobody's: its process was killed.
ABANDONED_S = 3600


class SerlibError(Exception):
    """Something that the user can mend: the message is one plain sentence that names the file and the mend."""

    def __str__(self):
        """The sentence; what it quotes from outside cannot break it, nor steer a terminal."""
        return one_line(super().__str__())

    def _render_traceback_(self):
        """What IPython shows in a notebook: the sentence, without the way through our code."""
        return [f"SerlibError: {self}"]


def check_seed(seed):
    """Raise a SerlibError unless numpy, scikit-learn and Keras alike take a number for a seed."""
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise SerlibError(f"The seed is {seed}; choose a whole number from 0 to {2**32 - 1}.")


def clip_table(table, *, needs=("speech", "label")):
    """A table of clips as `serlib.index` gives it, made of what people have: `speech,label` or `path,emotion` will do.

    It has text labels, one name a speaker, and `speaker`, `text` and `corpus` unknown where they are missing. The table
    itself comes back where nothing is to be done.

    Parameters
    ----------
    table : pd.DataFrame
    needs : sequence of str
        Columns that must be there, under these names or others of HEADINGS; a SerlibError where one or a value is not.
    """
    if not hasattr(table, "columns") or not hasattr(table, "assign"):
        raise SerlibError(
            f"Expected a table of clips (a DataFrame, as serlib.index gives it), not {type(table).__name__}"
        )
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise SerlibError(f"The table has two columns '{twice}'; give one another name")
    heading = {str(column).strip().lower(): column for column in table.columns}
    renamed = {}
    for column in ("speech", "label", "speaker", "text"):
        same = [heading[name] for name in HEADINGS[column].split() if name in heading]
        if column not in table.columns and same:
            renamed[same[0]] = column
    if renamed:
        table = table.rename(columns=renamed)
    if not table.index.is_unique:  # two tables one under the other
        table = table.reset_index(drop=True)
    for column in needs:
        if column not in table.columns:
            has = ", ".join(map(str, table.columns)) or "none"
            mend = "; give roles with serlib.split" if column == "role" else ""
            raise SerlibError(f"The table has the columns {has}; expected {', '.join(needs)}{mend}")
        if table[column].isna().any():
            row = int(table[column].isna().to_numpy().argmax())
            raise SerlibError(f"Row {row} of the table has no {column}; fill it in, or leave the row out")
    categories = [name for name in COLUMNS if name in table.columns and table[name].dtype == "category"]
    table = table.astype(dict.fromkeys(categories, object)) if categories else table  # they remember what is filtered
    for column, value in UNTOLD.items():
        if column not in table.columns:
            table = table.assign(**{column: value})
        elif table[column].isna().any():  # of two tables, one had no such column
            if column == "corpus" and set(table[column].dropna()) == {"folder"}:
                value = "folder"  # own recordings both: anna is one person
            table = table.assign(**{column: table[column].astype(object).fillna(value)})
    if "digest" in table.columns and (table["digest"] == "").any():
        table = table.assign(digest=table["digest"].mask(table["digest"] == ""))
    for column, plain in {"label": _word, "corpus": _word, "speaker": _cell, "text": _cell}.items():
        cells = {cell: plain(cell) for cell in table[column].unique()} if column in table.columns else {}
        if any(cell != text for cell, text in cells.items()):
            table = table.assign(**{column: table[column].astype(object).map(cells)})
    return _one_name_a_person(table)


def missing(cell):
    """Whether a cell says that something is not known."""
    return cell.strip().lower() in MISSING


def is_unknown(name):
    """Whether a name of a speaker or a text, with its corpus before it or without, stands for what nobody knows.

    Examples
    --------
    >>> is_unknown("unknown"), is_unknown("tess/unknown"), is_unknown("tess/OAF")
    (True, True, False)
    """
    return name.rpartition("/")[2] in ("", UNKNOWN)


def speaker_key(name):
    """What two spellings of one person's name have in common.

    Examples
    --------
    >>> speaker_key("Anna_M") == speaker_key("anna m"), speaker_key("s01") == speaker_key("S1"), speaker_key("1.0")
    (True, True, '1')
    """
    name = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()
    name = re.sub(r"^(\d+)\.0+$", r"\1", name)
    return re.sub(r"\d+", lambda digits: digits[0].lstrip("0") or "0", name)


def one_name(names):
    """Spellings of one person's name that are not the one to use -> the commonest, of the speaker of each clip.

    Examples
    --------
    >>> one_name(["Anna", "bob", "anna", "Anna"])
    {'anna': 'Anna'}
    """
    persons = {}
    for name, count in Counter(names).items():
        persons.setdefault(speaker_key(name), Counter())[name] += count
    other = {}
    for spellings in persons.values():
        (commonest, _), *rest = spellings.most_common()
        other |= {name: commonest for name, _ in rest}
    return other


def same_person(spellings):
    """A sentence for each person who had more than one name, of what `one_name` gave."""
    persons = {}
    for other, name in spellings.items():
        persons.setdefault(name, [name]).append(other)
    return [
        f"{' and '.join(map(one_line, names))} are one speaker, called {one_line(name)}"
        for name, names in persons.items()
    ]


def _one_name_a_person(table):
    """The table with one spelling of each speaker's name in a corpus; itself where there are no others."""
    for corpus in dict.fromkeys(table["corpus"]):
        here = table["corpus"] == corpus
        new = one_name(table["speaker"][here])
        for sentence in same_person(new):
            warnings.warn(sentence, stacklevel=4)
        if new:
            table = table.assign(speaker=table["speaker"].mask(here, table["speaker"].replace(new)))
    return table


def _cell(value):
    text = _word(value)
    return UNKNOWN if missing(text) else text


def _word(label):
    """A label as text: 3.0 is what pandas makes of 3 beside a missing value."""
    number = isinstance(label, float) and label.is_integer()
    return str(int(label)) if number else str(label)


def ordered_labels(labels):
    """The distinct labels in the order of `LABELS`; labels of one's own follow in alphabetical order.

    Examples
    --------
    >>> ordered_labels(["sad", "zeal", "angry", "awe", "sad"])
    ['angry', 'sad', 'awe', 'zeal']
    """
    names = {str(label) for label in labels}
    return [name for name in LABELS if name in names] + sorted(names - set(LABELS))


def home():
    """Folder that holds `data/`, `checkpoints/` and `reports/`.

    `SERLIB_HOME` where it is set, else the checkout that the package is run from, else the working folder.
    """
    if os.environ.get("SERLIB_HOME"):
        return Path(os.environ["SERLIB_HOME"]).expanduser()
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def data_dir():
    """Folder that holds the corpora: `SERLIB_DATA` where it is set, else `data` in `home()`."""
    return Path(os.environ.get("SERLIB_DATA") or home() / "data").expanduser()


def shown(path):
    """A path as a page that others will read may show it: relative to `home()` where it lies inside, POSIX slashes."""
    if path in NAMELESS:
        return path
    path = Path(path)
    with contextlib.suppress(ValueError, OSError, RuntimeError):  # elsewhere; a zero byte or a circle of links in it
        path = path.resolve().relative_to(home().resolve())
    return one_line(path.as_posix())


def one_line(text):
    r"""A text from outside, such as a file name, safe to print: what is no character to see becomes its escape.

    Examples
    --------
    >>> one_line("two\nlines")
    'two\\nlines'
    """
    return _UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text)


def disk_fault(error, to):
    """The SerlibError for the OSError that the system raised while the file or folder `to` was written."""
    if error.errno in NO_SPACE:
        return SerlibError(f"The disk of {shown(Path(to).parent)} is full; make room, then run this again: it goes on")
    reason = error.strerror or type(error).__name__
    return SerlibError(f"{shown(error.filename or to)} cannot be written ({reason}); mend that or name another folder")


def for_spreadsheets(table):
    """A table whose texts no spreadsheet takes for formulas: a ' stands before those that begin like one.

    For the tables that people open. `serlib.corpora` takes the ' off again; what only serlib reads needs none.

    Examples
    --------
    >>> import pandas as pd
    >>> for_spreadsheets(pd.DataFrame({"text": ["=1+1", "yes"], "share": [-0.5, 0.5]})).values.tolist()
    [["'=1+1", -0.5], ['yes', 0.5]]
    """

    def plain(value):
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

    return table.map(plain).rename(columns=plain)


@contextlib.contextmanager
def atomic_path(target):
    """Write a file or a folder so that nobody ever sees half of it.

    Yields a path beside `target` with the same suffix, not existing yet; write the file there (or make the folder). On
    leaving without an error it takes the place of `target`, whatever stood there, but no file replaces a folder; after
    an error it is removed and `target` is as it was. What a killed process left is removed by a later call.

    Raises
    ------
    SerlibError
        The disk is full, or nothing can be written there; a folder stands where a file shall.
    """
    target = Path(target)
    if not target.name:
        raise SerlibError(f"'{target}' is a folder, which stays as it is; name a file")
    end = target.name[-50:]  # a name may have 255 bytes
    partial, before = (target.with_name(f".partial-{uuid.uuid4().hex[:8]}-{end}") for _ in range(2))
    try:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # a drive that is not there
            raise disk_fault(OSError(error.errno, os.strerror(error.errno)), target) from error
        for abandoned in target.parent.glob(f".partial-????????-{glob.escape(end)}"):
            with contextlib.suppress(OSError):  # another process was quicker
                if time.time() - abandoned.lstat().st_mtime > ABANDONED_S:
                    remove(abandoned)
        yield partial
        if target.is_dir() and not partial.is_dir():
            raise SerlibError(f"{shown(target)} is a folder, which stays as it is; name a file")
        if target.is_dir() and not target.is_symlink():
            os.rename(target, before)  # a folder that is removed piece by piece would be half a folder after a kill
        os.replace(partial, target)
    except OSError as error:
        if error.errno in (*NO_SPACE, *NO_PLACE) or isinstance(error, FileExistsError):  # a file in a folder's place
            raise disk_fault(OSError(error.errno, os.strerror(error.errno)), target) from error
        raise
    finally:
        if os.path.exists(before) and not os.path.exists(target):  # pathlib's raise where a name is too long
            os.rename(before, target)
        remove(partial)
        remove(before)


@contextlib.contextmanager
def alone(path, refusal=None):
    """Keep other processes and threads of this machine out meanwhile; the lock goes with its process.

    Parameters
    ----------
    path : Path
        The file that is locked, made with its folder where it is missing. Nothing else may be kept in it.
    refusal : str, optional
        The SerlibError where another one holds the lock. Default: say so and wait. Disks that know no locks stop
        nobody.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0 if refusal else 1)
    except Timeout:
        if refusal:
            raise SerlibError(refusal) from None
        print(f"waiting for another process that writes {shown(path.parent)}", file=sys.stderr)
        lock.acquire()
    except (OSError, NotImplementedError):  # a disk that knows no locks, or lets nothing be written: the work will tell
        pass
    try:
        yield
    finally:
        lock.release()


def remove(path):
    """Remove a file or a folder, if it is there and lets itself be removed."""
    if os.path.isdir(path) and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def cluster(address):
    """Inside, the workers of a Dask cluster do what serlib does in parallel: features, runs, answers for many files.

    Parameters
    ----------
    address : str or None
        Of the scheduler, such as `tcp://10.0.0.1:8786`, or the path of its scheduler file; None: this machine alone.

    The workers read the sound files by the paths of the index, so they must see the same folders, and they need the
    same version of serlib. What they compute is written by this process.
    """
    if address is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise SerlibError('A cluster needs Dask: python -m pip install "dask[distributed]"') from error
    import joblib

    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=CLUSTER_S)
    except (OSError, ValueError) as error:
        raise SerlibError(f"No Dask scheduler answers at {address}; start one, or correct --scheduler") from error
    with client, joblib.parallel_config(backend="dask", wait_for_workers_timeout=CLUSTER_S):
        yield


def on_cluster():
    """Whether `joblib.parallel_config` (or `cluster`) has chosen other machines, or processes that were there."""
    from joblib import parallel

    backend, _ = parallel.get_active_backend()
    own = (parallel.SequentialBackend, parallel.ThreadingBackend, parallel.LokyBackend)
    return not isinstance(backend, own)


def progress(iterable=None, *, total=None, desc="", unit="clip", show=None):
    """A tqdm bar on standard error, in terminals, notebooks and logs alike; what takes half a second shows nothing.

    `show` is by default whether `SERLIB_PROGRESS` is not 0.
    """
    from tqdm import tqdm

    if show is None:
        show = os.environ.get("SERLIB_PROGRESS", "1") != "0"
    return tqdm(iterable, total=total, desc=desc, unit=unit, disable=not show, delay=0.5, leave=False, file=sys.stderr)


#: How TensorFlow's C++ side begins what it says to standard error; F, what it dies of, is not among them.
_GREETING = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog|To enable the following instructions:"
    rb"|[IWE]\d{4} [\d:.]+ +\d+ [\w./]+:\d+\]|\d{4}-\d\d-\d\d [\d:.]+ [IWE] (?:tensorflow|external)/"
)


@contextlib.contextmanager
def quiet_tensorflow():
    """Inside, TensorFlow does not say what it thinks of the processor, the missing GPU and its sessions.

    It says that to file descriptor 2 and does not always heed a setting, so the descriptor leads into a file meanwhile;
    what is not TensorFlow's own is shown afterwards. Who sets `TF_CPP_MIN_LOG_LEVEL` to less than 3 hears it all.
    """
    with contextlib.ExitStack() as stack:
        if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
            with contextlib.suppress(OSError):  # a process without standard error, or a full disk: then as it comes
                messages = stack.enter_context(tempfile.TemporaryFile())
                screen = os.dup(2)
                stack.callback(_show_the_rest, messages, screen)
                os.dup2(messages.fileno(), 2)
        yield


def import_tensorflow():
    """The module tensorflow, imported for the first time inside `quiet_tensorflow`."""
    if "tensorflow" not in sys.modules:
        with quiet_tensorflow():
            import tensorflow

            tensorflow.config.list_physical_devices()  # here it looks for a GPU
    import tensorflow

    return tensorflow


def _show_the_rest(messages, screen):
    """Give file descriptor 2 back to the screen, and show what others than TensorFlow wrote meanwhile."""
    if sys.stderr:
        sys.stderr.flush()
    os.dup2(screen, 2)
    os.close(screen)
    messages.seek(0)
    for line in messages:
        if not _GREETING.match(line):
            os.write(2, line)
