"""What a corpus is: the registry entry, the clip that its parser reads out of a file name, the search for files."""

import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsort_keygen

from serlib.audio import AUDIO_SUFFIXES
from serlib.utils import home, one_line

#: Other words for the labels of `serlib.utils.LABELS`, in lower case.
SYNONYMS = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "scared": "fear",
    "anxiety": "fear",
    "happiness": "happy",
    "joy": "happy",
    "surprise": "ps",
    "surprised": "ps",
    "pleasant surprise": "ps",
    "pleasant surprised": "ps",
    "pleasantly surprised": "ps",
    "sadness": "sad",
    "calmness": "calm",
    "bored": "boredom",
}


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
    """

    label: str
    speaker: str
    text: str
    name: str
    folder: str = ""
    repaired: str = ""


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
    sentences : callable, Path -> dict, or None
        Reads the corpus's own table of what is said: name of a clip -> sentence. It replaces the code of the sentence
        that stands in the file name.
    scan : callable, (Path, list) -> list of (Path, Clip)
        Replaces the walk over the folder where file names do not say everything (`folder`); appends to the list what
        it rejects, as {"file", "reason"}.
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
    names : callable, () -> list of str, or None
        The names of all its clips, where the scheme gives them.
    synthetic : bool
        True for speech that nobody spoke.
    caveat : str
        A sentence that whoever reports results on the corpus should know.

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
    sentences: Callable | None = None
    scan: Callable | None = None
    kaggle: str | None = None
    zenodo: Deposit | None = None
    speakers: tuple = ()
    texts: int | None = None
    labels: dict = field(default_factory=dict, hash=False)
    names: Callable | None = None
    synthetic: bool = False
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


def normal_label(word):
    """A label as a person writes it, in the one vocabulary: lower case, synonyms of `LABELS` replaced.

    Examples
    --------
    >>> normal_label(" Pleasant_Surprise"), normal_label("Anger"), normal_label("Excited")
    ('ps', 'angry', 'excited')
    """
    word = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFC", word)).strip().lower()
    return SYNONYMS.get(word, word)


def printable(path):
    """A path for messages and JSON: relative to `home()` where it lies inside, links left alone, on one line."""
    path, top = os.path.abspath(path), os.path.abspath(home())
    inside = path.startswith(top + os.sep)
    return one_line(Path(os.path.relpath(path, top) if inside else path).as_posix())


def rejection(path, reason):
    """One entry of `index.attrs["rejected"]`."""
    return {"file": printable(path), "reason": reason}


def is_audio(name):
    """Whether a file name has the suffix of a sound file and is not hidden (`._x.wav` is what macOS leaves in ZIPs)."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES


def _is_dir(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle; opening it says so
        return False


def walk(root, rejected, *, limit=None):
    """Find the sound files below a folder, whatever the order in which the file system lists them.

    Links to folders are followed once; hidden folders and `__MACOSX` are passed over.

    Parameters
    ----------
    root : Path
    rejected : list
        Gets {"file", "reason"} for each folder that cannot be entered.
    limit : int, optional
        Give up after so many entries (a quick look into a large folder).

    Yields
    ------
    Path, absolute.
    """
    root = Path(os.path.abspath(root))
    folders, links, seen, entries = [root], [], set(), 0
    while folders or links:
        # Real folders first, so that the path of a clip is its own wherever there is one.
        folder = folders.pop() if folders else links.pop()
        real = os.path.realpath(folder)
        if real in seen:
            holder = Path(os.path.realpath(folder.parent))
            if Path(real) in (holder, *holder.parents):
                rejected.append(rejection(folder, "is a link back to a folder that holds it; delete it"))
            continue
        seen.add(real)
        try:
            with os.scandir(folder) as listing:
                found = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            rejected.append(rejection(folder, f"cannot be opened ({error.strerror}); mend that or move it away"))
            continue
        below = []
        for entry in found:
            entries += 1
            if limit and entries > limit:
                return
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if _is_dir(entry):
                below.append(entry)
            elif is_audio(entry.name):
                yield Path(entry.path)
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
