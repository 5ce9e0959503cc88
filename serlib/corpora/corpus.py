"""What a corpus is: the registry entry, the clip that its parser reads out of a file name, the search for files."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsort_keygen

from serlib import audio
from serlib.audio import AUDIO_SUFFIXES
from serlib.utils import UNKNOWN, SerlibError, home, missing, one_line

# What a file manager adds to the name of a copy: "x (1)", "x - Copy", "x - Kopie (2)", "x copy 2".
_COPY = re.compile(r"( \(\d+\)|( -)? (copy|kopie|copie|copia|kopia)( \d+| \(\d+\))?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Clip:
    """What a file name says about its clip."""

    label: str
    speaker: str
    text: str
    name: str  # that it should have in its corpus, without suffix: the same wherever a copy of it lies
    folder: str = ""  # that it should lie in; tables are sorted by folder and name
    repaired: str = ""  # what was odd and how it was read
    origin: str = ""  # the line of the table that names it
    extra: dict = field(default_factory=dict, hash=False)  # more columns; `part` is the role of a given split


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
    """A file on Zenodo."""

    doi: str
    file: str
    md5: str


@dataclass(frozen=True)
class Corpus:
    """One corpus of the registry `serlib.corpora.CORPORA`.

    Taught in notebooks/01_download.
    """

    name: str  # what commands and the column `corpus` call it
    title: str
    homepage: str
    licence: str
    citation: str
    example: str  # a true file name, for messages
    #: Path -> Clip or None where the names of file and folder are none of this corpus. Never raises, opens nothing.
    parse: Callable
    #: Path -> why a file that belongs to the corpus is no clip of speech, or None.
    refuse: Callable = lambda path: None
    #: Folder -> {name of a clip: {"label", "speaker", "text", "extra"}} from tables of the corpus, which have the last
    #: word over the file name.
    details: Callable | None = None
    song: Callable | None = None  # as `parse`, for songs
    #: (Path, rejected, notes, Reading) -> list of (Path, Clip), where file names do not say everything (`folder`).
    scan: Callable | None = None
    kaggle: str | None = None  # owner and name of the data set
    zenodo: Deposit | None = None
    speakers: tuple = ()  # all that it should hold; () where any may come
    texts: int | None = None  # how many words or sentences it should hold
    labels: dict = field(default_factory=dict, hash=False)  # how many clips of each; {} where that is open
    own_labels: tuple = ()  # its emotions for which `serlib.utils.LABELS` has no word
    names: Callable | None = None  # () -> the names of all its clips
    synthetic: bool = False  # nobody speaks
    distinct: bool = True  # nobody else names files like this: recognised wherever they lie
    caveat: str = ""  # belongs beside every result on the corpus

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
    """The name that a copy had before a file manager marked it: `x.wav` of `x (1).wav`."""
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


def or_unknown(cell):
    """What a cell says, `UNKNOWN` where it says that nobody knows."""
    return UNKNOWN if missing(cell) else cell


def _is_nameless_sound(path):
    """Whether a file without a suffix begins as a recording does."""
    try:
        with audio.opened(path) as file:
            return audio.looks_like_sound(file.read(12))
    except SerlibError:
        return False


def walk(root, rejected, *, limit=None, archives=None):
    """The sound files below a folder (by their suffix, without one by their first bytes), in the same order anywhere.

    Links to folders are followed once; hidden folders and `__MACOSX` are passed over. `rejected` gets each folder that
    cannot be entered, `archives` the path of each archive; after `limit` entries it gives up.
    """
    roots = [os.path.abspath(root)]
    visited = set()
    entries = 0

    def refuse(error):
        rejected.append(
            rejection(error.filename or root, f"cannot be opened ({error.strerror}); mend that or move it away")
        )

    for start in roots:  # links to folders come last, so that the path of a clip is its own wherever there is one
        for folder, folders, names in os.walk(start, onerror=refuse):
            real = os.path.realpath(folder)
            if real in visited:
                holder = Path(os.path.realpath(os.path.dirname(folder)))
                if Path(real) in (holder, *holder.parents):
                    rejected.append(rejection(folder, "is a link back to a folder that holds it; delete it"))
                folders.clear()
                continue
            visited.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__MACOSX")
            below = [os.path.join(folder, name) for name in folders]
            roots += [path for path in below if os.path.islink(path)]
            entries += len(folders)
            for name in sorted(name for name in names if not name.startswith(".")):
                entries += 1
                if limit and entries > limit:
                    return
                path = Path(folder, name)
                suffix = path.suffix.lower()
                if suffix in AUDIO_SUFFIXES or (not suffix and _is_nameless_sound(path)):
                    yield path
                elif archives is not None and suffix in ARCHIVES:
                    archives.append(path)


def tables(root, name):
    """Files of one name, such as `*.tsv`, in a corpus's folder, below it (three levels), or beside it; none hidden."""
    root = Path(root)
    places = [root.glob(depth + name) for depth in ("", "*/", "*/*/", "*/*/*/")]
    files = [path for place in places for path in place] or list(root.parent.glob(name))
    return sorted((path for path in files if path.is_file() and not path.name.startswith(".")), key=natural)
