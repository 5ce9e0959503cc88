"""Which corpora there are, and where they lie."""

import json
import os
import shlex
from pathlib import Path

from natsort import natsorted

from serlib.corpora import folder, published, sample, tables
from serlib.corpora.corpus import ARCHIVES, printable, walk
from serlib.utils import SerlibError, data_dir, home, one_line

#: Name -> Corpus; own recordings last.
CORPORA = {corpus.name: corpus for corpus in (sample.CORPUS, *published.ROWS, folder.CORPUS)}

#: Where a Kaggle kernel mounts the data sets that were added to it.
KAGGLE_INPUT = Path("/kaggle/input")

# A look whether a folder holds a corpus stops after so many entries: /kaggle/input may hold millions.
_LOOK = 50_000
# Whether most files of a folder are named like known corpora is told from about so many of them.
_FEW = 1000


def entry(name):
    """The registry entry of a corpus; a SerlibError that lists them where there is none."""
    if name not in CORPORA:
        raise SerlibError(f"There is no corpus '{name}'; choose one of {', '.join(CORPORA)}")
    return CORPORA[name]


def find(corpus):
    """Where a corpus is; SerlibError says what to do where it is nowhere.

    The first of: `SERLIB_DATA`/<corpus>; `SERLIB_DATA` itself where it holds the corpus; `data/<corpus>` and
    `data/<corpus>-kaggle` in `serlib.utils.home()`; a folder below `/kaggle/input`. The sample corpus is made in
    `data/sample` where it is absent.

    Parameters
    ----------
    corpus : str

    Returns
    -------
    Path

    Taught in notebooks/01_download.
    """
    row = entry(corpus)
    if row.synthetic:
        return _sample()
    if folder := _search(row):
        return folder
    for place in _places(row):
        if place.name.startswith(corpus) and os.path.isdir(place):
            raise SerlibError(misfit(row, place))
    raise SerlibError(f"{row.title} was not found in {printable(data_dir() / corpus)}; {_mend(row)}")


def present(corpus):
    """Whether a corpus is on this machine; makes and downloads nothing."""
    return _search(entry(corpus)) is not None


def default():
    """Return the corpus that the notebooks take: `SERLIB_CORPUS`, else `tess` where it is here, else `sample`."""
    name = os.environ.get("SERLIB_CORPUS")
    if name:
        return entry(name).name
    return "tess" if present("tess") else "sample"


def notice(name):
    """Return a sentence or two for the top of a notebook: which corpus this is and what its results are worth.

    Parameters
    ----------
    name : str

    Examples
    --------
    >>> notice("tess")
    'Corpus: Toronto Emotional Speech Set (TESS), CC BY-NC-ND 4.0.'
    """
    corpus = entry(name)
    if corpus.synthetic:
        return (
            "Corpus: the sample corpus, synthetic speech in the shape of TESS. "
            "Nobody speaks here: accuracies on it say nothing about people."
        )
    if corpus.scan:
        return "Corpus: your own recordings."
    return " ".join([f"Corpus: {corpus.title}, {corpus.licence}.", corpus.caveat]).strip()


def misfit(corpus, place, files=None):
    """What a folder (with these sound files) holds that is not the corpus it was given as, in one sentence."""
    where = printable(place)
    if not os.path.exists(place):
        return f"{where} does not exist; {_mend(corpus)}"
    if not os.path.isdir(place):
        return f"{where} is a file; expected the folder that holds {corpus.title}"
    if not os.access(place, os.R_OK | os.X_OK):
        return f"{where} cannot be opened; mend its permissions"
    files = list(walk(place, [])) if files is None else files
    if not files:
        archives = natsorted(p.name for p in place.iterdir() if p.suffix.lower() in ARCHIVES)
        holds = f"holds no sound file{f', but the archive {one_line(archives[0])}' if archives else ''}"
        return f"{where} {holds}; {'unpack it there' if archives else _mend(corpus)}"
    if reasons := [(file, reason) for file in files if (reason := corpus.refuse(file))]:
        file, reason = reasons[0]
        return f"{where} holds no speech of {corpus.title}: {one_line(file.name)} {reason}"
    fits = {name: sum(_fits(other, file) for file in files) for name, other in CORPORA.items() if not other.scan}
    other = max(fits, key=fits.get)
    if fits[other]:
        return (
            f"{where} holds {CORPORA[other].title} ({fits[other]} of {len(files)} file names fit {other}), "
            f"not {corpus.title}; run: python -m serlib index {other} {shlex.quote(where)}"
        )
    return (
        f"None of the {len(files)} sound files in {where} is named like {corpus.title} ({corpus.example}), for example "
        f"{one_line(files[0].name)}; if these are your own recordings, one folder a label, run: "
        f"python -m serlib index folder {shlex.quote(where)}"
    )


def refuse_known(place):
    """Raise a SerlibError where most files of a folder of own recordings are named like those of known corpora.

    Such names say more than their folders, which are those of actors in most.
    """
    if not os.path.isdir(place) or tables.find(Path(place)):
        return
    files = list(walk(place, [], limit=_LOOK))
    files = files[:: len(files) // _FEW + 1]
    files_of = {}
    for name, corpus in CORPORA.items():
        fits = [] if corpus.scan or corpus.synthetic else [file for file in files if _plainly(corpus, file)]
        if len(fits) >= (1 if corpus.distinct else (corpus.clips or 1000) / 5):
            files_of[name] = fits
    if sum(map(len, files_of.values())) < 0.8 * max(1, len(files)):
        return
    contents = []
    words = []
    for name, fits in files_of.items():
        folder = place if len(files_of) == 1 else os.path.commonpath([file.parent for file in fits])
        contents.append(f"{CORPORA[name].title} ({len(fits)} of {len(files)} files)")
        words.append(f"{name} {shlex.quote(printable(folder))}")
    raise SerlibError(
        f"{printable(place)} holds {' and '.join(contents)}, whose file names say more than their folders; run: "
        f"python -m serlib index {' '.join(words)} - or say how own recordings are laid out, such as "
        '--pattern "{label}/*"'
    )


def _mend(corpus):
    if corpus.scan:
        return "put your recordings there, one folder a label, or name their folder: python -m serlib index folder DIR"
    if corpus.synthetic:
        return "make it with: python -m serlib sample"
    fetch = f"run: python -m serlib download {corpus.name}" if corpus.sources else f"get it from {corpus.homepage}"
    return f"{fetch}; or set SERLIB_DATA to the folder that holds {corpus.name}/"


def _fits(corpus, path):
    return corpus.parse(path) is not None or corpus.refuse(path) is not None


def _plainly(corpus, path):
    """As `_fits`, but for names that are not quite those of the corpus."""
    clip = corpus.parse(path)
    return corpus.refuse(path) is not None if clip is None else not clip.repaired


def holds(corpus, place):
    """Whether a folder holds at least one clip of a corpus."""
    if not os.path.isdir(place):
        return False
    if corpus.scan:
        return bool(tables.find(place)) or any(walk(place, [], limit=_LOOK))
    return any(corpus.parse(path) for path in walk(place, [], limit=_LOOK))


def _places(corpus):
    """Candidates, best first, without those below /kaggle/input."""
    names = (corpus.name, f"{corpus.name}-kaggle")
    if corpus.synthetic:
        return [data_dir() / corpus.name]
    itself = [data_dir()] if os.environ.get("SERLIB_DATA") and not corpus.scan else []
    return [data_dir() / names[0], *itself, data_dir() / names[1], *(home() / "data" / name for name in names)]


def _search(corpus):
    for place in _places(corpus):
        if holds(corpus, place):
            return _narrow(corpus, place) if place == data_dir() else place
    if corpus.scan or corpus.synthetic or not KAGGLE_INPUT.is_dir():
        return None
    named = []
    if corpus.kaggle:  # /kaggle/input/<slug>, or /kaggle/input/datasets/<owner>/<slug>
        slug = corpus.kaggle.split("/")[1]
        named = [place for above in ("", "*/", "*/*/") for place in natsorted(KAGGLE_INPUT.glob(above + slug))]
    for place in [*named, *natsorted(KAGGLE_INPUT.iterdir())]:
        if holds(corpus, place):
            return place if place in named else _narrow(corpus, place)
    return None


def _sample():
    """The sample corpus, made where it is absent; made again, as large as it was, where an older serlib made it."""
    to = data_dir() / "sample"
    try:
        stamp = json.loads((to / "sample.json").read_text(encoding="utf-8"))
        options = {"words": int(stamp["words"]), "seed": int(stamp["seed"])}
    except (OSError, ValueError, KeyError, TypeError):
        if present("sample"):
            return to
        options = {}
    return sample.make(to, **options)


def _narrow(corpus, place):
    """Go down while only one folder holds the corpus, so that the corpora beside it stay out."""
    while True:
        inside = [below for below in natsorted(place.iterdir()) if below.is_dir() and holds(corpus, below)]
        if len(inside) != 1 or any(corpus.parse(path) for path in place.iterdir()):
            return place
        place = inside[0]
