"""What a corpus is: the registry entry, the clip that its parser reads out of a file name, the search for files."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsort_keygen

from serlib import audio
from serlib.audio import AUDIO_SUFFIXES
from serlib.utils import home, one_line

# What a file manager adds to the name of a copy: "x (1)", "x - Copy", "x - Kopie (2)", "x copy 2".
_COPY = re.compile(r"( \(\d+\)|( -)? (copy|kopie|copie|copia|kopia)( \d+| \(\d+\))?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Clip:
    """What a file name says about its clip.

    Attributes
    ----------
    label, speaker, text : str
        The columns of the index.
    name : str
        The name that the clip should have in its corpus, without suffix: the same wherever a copy of it lies.
    folder : str
        The folder that the clip should lie in. Tables are sorted by folder and name, so that the order is the same
        however the folders of a copy are spelled.
    repaired : str
        What was odd and how it was read, "" where nothing was.
    origin : str
        The line of the table that names it, "" where none does.
    extra : dict
        More columns of the index; `part` is the role of a given split.
    """

    label: str
    speaker: str
    text: str
    name: str
    folder: str = ""
    repaired: str = ""
    origin: str = ""
    extra: dict = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Reading:
    """How a corpus shall be read, where its own names do not say it or where something else is wanted.

    Attributes
    ----------
    pattern : str, optional
        Own recordings: where label and speaker stand in the path below the folder, such as `{speaker}/{label}/*` or
        `{speaker}_{label}_*.wav`; any other name in braces becomes a column.
    label_level : int, optional
        Own recordings: the level of folders that names the labels, 1 at the top.
    columns : dict of str -> str
        Own recordings: column of the index -> heading of the table, such as {"label": "emotion"}.
    labels : dict of str -> list of str
        New label -> labels that become it, such as {"happy": ["joy", "excited"]}.
    drop : sequence of str
        Labels whose clips are left out.
    songs : bool
        RAVDESS: the songs, too.
    """

    pattern: str | None = None
    label_level: int | None = None
    columns: dict = field(default_factory=dict)
    labels: dict = field(default_factory=dict)
    drop: tuple = ()
    songs: bool = False


@dataclass(frozen=True)
class Deposit:
    """A file on Zenodo.

    Attributes
    ----------
    doi, file, md5 : str
    """

    doi: str
    file: str
    md5: str


@dataclass(frozen=True)
class Corpus:
    """One corpus of the registry `serlib.corpora.CORPORA`.

    Attributes
    ----------
    name : str
        What commands and the column `corpus` call it.
    title, homepage, licence, citation : str
    example : str
        A true file name, for messages.
    parse : callable, Path -> Clip or None
        Reads the file name (and its folder's); None where that is no name of this corpus. Never raises, opens nothing.
    refuse : callable, Path -> str or None
        Why a file that belongs to the corpus is no clip of speech ("is song, not speech"); None where it does not.
    details : callable, Path -> dict, or None
        Reads the corpus's own tables: name of a clip -> {"label", "speaker", "text", "extra"}, as far as they are known
        there. It has the last word over the file name.
    song : callable, Path -> Clip or None
        As `parse`, for songs.
    scan : callable, (Path, list, list, Reading) -> list of (Path, Clip)
        Replaces the walk over the folder where file names do not say everything (`folder`); appends to the first list
        what it rejects, as {"file", "reason"}, and to the second how it understood the folder.
    distinct : bool
        Nobody else names files like this: recognised wherever they lie.
    kaggle : str or None
        Owner and name of the data set on Kaggle.
    zenodo : Deposit or None
        The archive on Zenodo.
    speakers : tuple of str
        All that the corpus should hold; () where any may come.
    texts : int or None
        How many words or sentences it should hold.
    labels : dict of str -> int
        How many clips each label should have; {} where that is open.
    own_labels : tuple of str
        Its emotions that the vocabulary `serlib.utils.LABELS` has no word for. It has no others.
    names : callable, () -> list of str, or None
        The names of all its clips, where the scheme gives them.
    synthetic : bool
        True for speech that nobody spoke.
    caveat : str
        A sentence that belongs beside every result on the corpus.

    Examples
    --------
    >>> from serlib.corpora import CORPORA
    >>> CORPORA["tess"].clips, CORPORA["tess"].speakers
    (2800, ('OAF', 'YAF'))

    Taught in notebooks/01_download.
    """

    name: str
    title: str
    homepage: str
    licence: str
    citation: str
    example: str
    parse: Callable
    refuse: Callable = lambda path: None
    details: Callable | None = None
    song: Callable | None = None
    scan: Callable | None = None
    kaggle: str | None = None
    zenodo: Deposit | None = None
    speakers: tuple = ()
    texts: int | None = None
    labels: dict = field(default_factory=dict, hash=False)
    own_labels: tuple = ()
    names: Callable | None = None
    synthetic: bool = False
    distinct: bool = True
    caveat: str = ""

    @property
    def sources(self):
        """Where the corpus can be downloaded, the best first: "zenodo", "kaggle"."""
        return tuple(name for name in ("zenodo", "kaggle") if getattr(self, name))

    @property
    def clips(self):
        """How many clips the corpus should hold; None where that is open."""
        return sum(self.labels.values()) or None


#: Sort key under which "a2" comes before "a10", for strings and tuples of strings.
natural = natsort_keygen()


def without_copy_mark(path):
    """The name that a copy had before a file manager marked it.

    Examples
    --------
    >>> without_copy_mark(Path("03a01Fa (1).wav")).name, without_copy_mark(Path("x - Copy.wav")).name
    ('03a01Fa.wav', 'x.wav')
    """
    stem = _COPY.sub("", path.stem) or path.stem
    return path if stem == path.stem else path.with_name(stem + path.suffix)


def printable(path):
    """A path for messages and JSON: relative to `home()` where it lies inside, links left alone, on one line."""
    path = os.path.abspath(path)
    top = os.path.abspath(home())
    inside = path.startswith(top + os.sep)
    return one_line(Path(os.path.relpath(path, top) if inside else path).as_posix())


#: Suffixes of what may hold recordings and is not looked into.
ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz")


def rejection(path, reason):
    """One entry of `index.attrs["rejected"]`."""
    return {"file": printable(path), "reason": reason}


def is_audio(name):
    """Whether a file name has the suffix of a sound file and is not hidden (`._x.wav` is what macOS leaves in ZIPs)."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


def is_dir(entry):
    """Whether an entry of `os.scandir` is a folder, or a link to one; a link in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:  # opening it says so
        return False


def _is_nameless_sound(entry):
    """Whether a file without a suffix begins as a recording does."""
    try:
        if not entry.is_file():
            return False
        with open(entry.path, "rb") as file:
            return audio.looks_like_sound(file.read(12))
    except OSError:
        return False


def walk(root, rejected, *, limit=None, archives=None):
    """Find the sound files below a folder, whatever the order in which the file system lists them.

    They are told by their suffix; those without one by their first bytes.

    Links to folders are followed once; hidden folders and `__MACOSX` are passed over.

    Parameters
    ----------
    root : Path
    rejected : list
        Gets {"file", "reason"} for each folder that cannot be entered.
    limit : int, optional
        Give up after so many entries (a quick look into a large folder).
    archives : list, optional
        Gets the path of each file with a suffix of ARCHIVES.

    Yields
    ------
    Path, absolute.
    """
    root = Path(os.path.abspath(root))
    folders = [root]
    links = []
    visited = set()
    entries = 0
    while folders or links:
        # Real folders first, so that the path of a clip is its own wherever there is one.
        folder = folders.pop() if folders else links.pop()
        real = os.path.realpath(folder)
        if real in visited:
            holder = Path(os.path.realpath(folder.parent))
            if Path(real) in (holder, *holder.parents):
                rejected.append(rejection(folder, "is a link back to a folder that holds it; delete it"))
            continue
        visited.add(real)
        try:
            with os.scandir(folder) as scan:
                listing = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            rejected.append(rejection(folder, f"cannot be opened ({error.strerror}); mend that or move it away"))
            continue
        below = []
        for entry in listing:
            entries += 1
            if limit and entries > limit:
                return
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if is_dir(entry):
                below.append(entry)
            elif is_audio(entry.name) or ("." not in entry.name and _is_nameless_sound(entry)):
                yield Path(entry.path)
            elif archives is not None and entry.name.lower().endswith(ARCHIVES):
                archives.append(Path(entry.path))
        folders += [Path(entry.path) for entry in reversed(below) if not entry.is_symlink()]
        links += [Path(entry.path) for entry in reversed(below) if entry.is_symlink()]


def tables(root, name):
    """The tables of a corpus: files of one name in its folder, below it (three levels), or beside it.

    Parameters
    ----------
    root : Path
    name : str
        File name, such as `data.tsv`; `*` stands for any letters.

    Returns
    -------
    list of Path, in natural order. Hidden files and folders are left out.
    """
    root = Path(root)
    places = [root.glob(depth + name) for depth in ("", "*/", "*/*/", "*/*/*/")]
    files = [path for place in places for path in place] or list(root.parent.glob(name))
    return sorted((path for path in files if path.is_file() and not path.name.startswith(".")), key=natural)
