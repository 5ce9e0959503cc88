"""The published corpora: `published.toml` has a table of each, and here is what a file name alone does not say."""

import csv
import itertools
import re
import tomllib
from dataclasses import replace
from pathlib import Path

from serlib.corpora.corpus import Clip, Corpus, Deposit, or_unknown, printable, tables
from serlib.corpora.words import normal_label
from serlib.utils import UNKNOWN, SerlibError


def by_name(pattern, emotions, *, speakers=(), texts=()):
    """A parser of file names, Path -> Clip or None.

    The pattern is of the end of the path, folders included, without the suffix, with the groups `emotion`, `speaker`,
    `text`, as far as names tell them; all groups together name the clip. Upper and lower case are the same. Another
    speaker or text than those that are listed is no clip of the corpus; () takes any.

    Examples
    --------
    >>> parse = by_name(r"(?P<speaker>f\\d)-(?P<emotion>[a-z]+)", {"gio": "happy"})
    >>> parse(Path("EMOVO/F1-gio.wav")).label, parse(Path("f1-gio-2.wav"))
    ('happy', None)
    """
    regex = re.compile(rf"(?:.*/)?{pattern}", re.ASCII | re.IGNORECASE)
    lists = {"emotion": emotions, "speaker": speakers, "text": texts}
    spellings = {group: {name.lower(): name for name in names} for group, names in lists.items() if names}

    def parse(path):
        match = regex.fullmatch(path.as_posix().removesuffix(path.suffix))
        if not match:
            return None
        groups = match.groupdict()
        for group, names in spellings.items():
            if group in groups:
                groups[group] = names.get(groups[group].lower())
                if groups[group] is None:
                    return None
        parts = list(match.groups())
        for group, number in regex.groupindex.items():
            parts[number - 1] = groups[group]
        name = "_".join(part for part in parts if part)
        label = emotions.get(groups.get("emotion"), "")
        return Clip(label, groups.get("speaker") or UNKNOWN, groups.get("text") or UNKNOWN, name)

    return parse


TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _parser(table):
    texts = table.get("texts", ())
    names = texts if isinstance(texts, list) else ()
    return by_name(table["pattern"], table["emotions"], speakers=table.get("speakers", ()), texts=names)


NAMES = {name: _parser(table) for name, table in TABLES.items() if "pattern" in table}


def _rows(root, file, *, delimiter=","):
    """The rows of a corpus's own tables, with the path of each: column -> cell, UNKNOWN where nobody knows."""
    for path in tables(root, file):
        try:
            with open(path, encoding="utf-8-sig", errors="replace", newline="") as text:
                lines = list(csv.DictReader(text, delimiter=delimiter))
        except (OSError, csv.Error) as error:
            raise SerlibError(f"{printable(path)} cannot be read ({error}); download the corpus again") from None
        for row in lines:
            cells = {column: cell.strip() for column, cell in row.items() if column and isinstance(cell, str)}
            yield path, {column: or_unknown(cell) for column, cell in cells.items()}


# ----------------------------------------------------------------------------------------------------------------- TESS
_TESS = TABLES["tess"]
# Copies of the corpus spell some emotions in their own way.
_SAID = "angry|anger|disgust(?:ed)?|fear(?:ful)?|happy|happiness|neutral|ps|(?:pleasant_)?surprised?|sad(?:ness)?"
# OA_bite_neutral lacks the F of its speaker in every copy of the corpus.
_TESS_NAME = re.compile(rf"(OA|YA)(F?)_([a-z]+)_({_SAID})", re.ASCII | re.IGNORECASE)
# OAF_Fear, YAF_pleasant_surprised: the Kaggle archive spells its folders in its own way.
_TESS_FOLDER = re.compile(rf"(OAF|YAF)_({_SAID})", re.ASCII | re.IGNORECASE)


def tess(path):
    """`OAF_back_angry.wav`; where the folder says something else, that is reported as repaired."""
    match = _TESS_NAME.fullmatch(path.stem)
    if not match:
        return None
    speaker = f"{match[1]}F".upper()
    text = match[3].lower()
    label = normal_label(match[4])
    odd = [] if match[2] else [f"its speaker is written {match[1]}, read as {speaker}"]
    folder = _TESS_FOLDER.fullmatch(path.parent.name)
    if folder and (folder[1].upper(), normal_label(folder[2])) != (speaker, label):
        odd.append(f"lies in the folder {path.parent.name}, read as {speaker} {label} by its own name")
    return Clip(label, speaker, text, f"{speaker}_{text}_{label}", f"{speaker}_{label}", "; ".join(odd))


def tess_names():
    """The names of all 2800 clips."""
    parts = itertools.product(_TESS["speakers"], _TESS["labels"], _TESS["texts"])
    return [f"{speaker}_{word}_{label}" for speaker, label, word in parts]


# -------------------------------------------------------------------------------------------------------------- RAVDESS
_RAVDESS = TABLES["ravdess"]
# modality-channel-emotion-intensity-statement-repetition-actor
_RAVDESS_NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)", re.ASCII)
#: "Kids are talking by the door", "Dogs are sitting by the door".
_STATEMENTS = {"01": "kids", "02": "dogs"}


def _ravdess_fields(path):
    match = _RAVDESS_NAME.fullmatch(path.stem)
    return match.groups() if match and match[7] in _RAVDESS["speakers"] else None


def _ravdess_clip(path, fields):
    _, channel, emotion, _, statement, _, actor = fields
    extra = {"channel": "song"} if channel == "02" else {}
    label = _RAVDESS["emotions"][emotion]
    return Clip(label, actor, _STATEMENTS[statement], path.stem, f"Actor_{actor}", extra=extra)


def ravdess(path):
    """`03-01-06-01-02-01-12.wav`; even actors are women. None also for songs and videos."""
    fields = _ravdess_fields(path)
    return None if not fields or ravdess_refuse(path) else _ravdess_clip(path, fields)


def ravdess_refuse(path):
    """Why a file of RAVDESS is no clip of speech; None for speech and for files of other corpora."""
    fields = _ravdess_fields(path)
    if not fields:
        return None
    modality, channel, emotion, intensity, *_ = fields
    if modality != "03":
        return "is video; expected audio only (03-...)"
    if channel != "01":
        return "is song; expected speech (03-01-...), or say --songs"
    if (emotion, intensity) == ("01", "02"):
        return "is named neutral with strong intensity, which RAVDESS does not have; check its name"
    return None


def ravdess_song(path):
    """`03-02-06-01-02-01-12.wav`; None for what is no song."""
    fields = _ravdess_fields(path)
    return _ravdess_clip(path, fields) if fields and fields[:2] == ("03", "02") else None


def ravdess_names():
    """The names of all 1440 clips: neutral has no strong intensity."""
    codes = ("01", "02")
    parts = itertools.product(_RAVDESS["emotions"], codes, codes, codes, _RAVDESS["speakers"])
    return ["-".join(("03", "01", *part)) for part in parts if part[:2] != ("01", "02")]


# -------------------------------------------------------------------------------------------------------------- CREMA-D
def cremad(path):
    """`1001_DFA_ANG_XX.wav`; 1040_ITH_SAD_X lacks an X in every copy of the corpus."""
    clip = NAMES["cremad"](path)
    if clip and clip.name.upper().endswith("_X"):
        return replace(clip, name=f"{clip.name}X", repaired="its intensity is written X, read as XX")
    return clip


# ---------------------------------------------------------------------------------------------------------------- SAVEE
_SAVEE = TABLES["savee"]
# DC_a01.wav (Kaggle, one folder) or DC/a01.wav (the original, where all four folders have an a01.wav).
_SAVEE_NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?(sa|su|a|d|f|h|n)(\d\d)", re.ASCII | re.IGNORECASE)


def savee(path):
    """`DC_sa01.wav`, or `sa01.wav` in the folder `DC`. It numbers its sentences within each emotion."""
    match = _SAVEE_NAME.fullmatch(path.stem)
    if not match:
        return None
    folder = path.parent.name.upper()
    speaker = (match[1] or folder).upper()
    text = match[2].lower() + match[3]
    name = f"{speaker}_{text}"
    if name not in _SAVEE_NAMES:
        return None
    odd = ""
    if folder in _SAVEE["speakers"] and folder != speaker:
        odd = f"lies in the folder {path.parent.name}, read as {speaker} by its own name"
    return Clip(_SAVEE["emotions"][match[2].lower()], speaker, text, name, repaired=odd)


def savee_names():
    """The names of all 480 clips: 15 sentences in each emotion, 30 in a neutral voice."""
    texts = [f"{code}{n:02d}" for code in _SAVEE["emotions"] for n in range(1, 31 if code == "n" else 16)]
    return [f"{speaker}_{text}" for speaker in _SAVEE["speakers"] for text in texts]


_SAVEE_NAMES = frozenset(savee_names())


# ----------------------------------------------------------------------------------------------------------------- nEMO
def nemo_details(root):
    """What each clip says, from `data.tsv` beside the folder `samples`."""
    rows = [row for _, row in _rows(root, "data.tsv", delimiter="\t")]
    texts = {row.get("file_id", UNKNOWN).removesuffix(".wav"): row.get("raw_text", UNKNOWN) for row in rows}
    return {name: {"text": text} for name, text in texts.items() if text != UNKNOWN}


# ------------------------------------------------------------------------------------------------------------------ ESD
_ESD = ("neutral", "angry", "happy", "sad", "ps")  # in the order of the numbers: 350 sentences each
_PARTS = {"train": "train", "evaluation": "validation", "dev": "validation", "test": "test"}


def esd(path):
    """`0011/Angry/train/0011_000351.wav`: the folder names the emotion, the number tells the same and the sentence."""
    clip = NAMES["esd"](path)
    if clip is None:
        return None
    number = int(path.stem[5:])
    language = "zh" if clip.speaker <= "0010" else "en"
    text = f"{language}{(number - 1) % 350 + 1:03d}"
    label = _ESD[(number - 1) // 350 % 5]
    odd = "" if label == clip.label else f"its number belongs to {label}, its folder says {clip.label}"
    part = _PARTS.get(path.parent.name.lower())
    extra = {"part": part} if part else {}
    return replace(clip, text=text, name=f"{clip.speaker}_{number:06d}", repaired=odd, extra=extra)


# ------------------------------------------------------------------------------------------------------------- ASVP-ESD
_SOUND = _parser(TABLES["asvpesd"] | {"pattern": TABLES["asvpesd"]["pattern"].replace("03-01", "03-02", 1)})


def asvpesd_refuse(path):
    """Laughs, sobs and screams: files of the channel 02; what is labelled as none of its emotions."""
    if re.match(r"03-0[12]-13-", path.name):
        return "is labelled other (13), which names no emotion"
    return "is a sound without speech; expected speech (03-01-...)" if _SOUND(path) else None


# -------------------------------------------------------------------------------------------------------------- IEMOCAP
_IEMOCAP_NAME = re.compile(r"(Ses0[1-5])[FM]_((?:impro|script)\w+)_([FM])(\w{3})", re.ASCII)
_IEMOCAP_LINE = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(Ses\w+)\s+([a-z]{3})\s")
_IEMOCAP_TEXT = re.compile(r"(Ses\w+) \[[-\d.]+\]: *(.+)")


def iemocap(path):
    """`Ses01F_script01_1_M003.wav`: the last letter speaks (the first one wears the markers of the motion capture)."""
    match = _IEMOCAP_NAME.fullmatch(path.stem)
    return Clip("", match[1] + match[3], UNKNOWN, path.stem) if match else None


def iemocap_details(root):
    """Labels from `dialog/EmoEvaluation`, sentences from `dialog/transcriptions`; `xxx` (no majority) is no label."""
    labels = TABLES["iemocap"]["emotions"]
    details = {}
    for table in root.rglob("*.txt"):
        if table.name.startswith(".") or table.parent.name not in ("EmoEvaluation", "transcriptions"):
            continue
        try:
            lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            why = f"cannot be read ({error.strerror}); download the corpus again"
            raise SerlibError(f"{printable(table)} {why}") from None
        for line in lines:
            if (match := _IEMOCAP_LINE.match(line)) and match[2] in labels:
                details.setdefault(match[1], {})["label"] = labels[match[2]]
            elif match := _IEMOCAP_TEXT.fullmatch(line.strip()):
                details.setdefault(match[1], {})["text"] = match[2]
    return details


# ----------------------------------------------------------------------------------------------------------------- MELD
_MELD_NAME = re.compile(r"dia(\d+)_utt(\d+)", re.ASCII)
_MELD_PART = re.compile(r"(?:^|/)[^/]*(train|dev|test)[^/]*/[^/]*$", re.IGNORECASE)


def meld(path):
    """`train_splits/dia0_utt3.mp4`: each part, which the folder names, numbers its dialogues from 0."""
    match = _MELD_NAME.fullmatch(path.stem)
    part = _MELD_PART.search(path.as_posix())
    if not (match and part):
        return None
    part = part[1].lower()
    name = f"{part}_dia{match[1]}_utt{match[2]}"
    return Clip("", UNKNOWN, UNKNOWN, name, extra={"part": _PARTS[part]})


def meld_details(root):
    """What `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv` say."""
    labels = TABLES["meld"]["emotions"]
    details = {}
    for table, row in _rows(root, "*_sent_emo.csv"):
        name = f"{table.name.split('_')[0]}_dia{row.get('Dialogue_ID')}_utt{row.get('Utterance_ID')}"
        details[name] = {
            "label": labels.get(row.get("Emotion", UNKNOWN).lower(), ""),
            "speaker": row.get("Speaker", UNKNOWN),
            "text": row.get("Utterance", UNKNOWN),
        }
    return details


# ---------------------------------------------------------------------------------------------------------- MSP-Podcast
_MSP_PARTS = {"train": "train", "validation": "validation", "development": "validation", "test1": "test"}


def msppodcast_details(root):
    """What `labels_consensus.csv` says (older releases write concensus)."""
    labels = TABLES["msppodcast"]["emotions"]
    details = {}
    for _, row in _rows(root, "labels_con[sc]ensus.csv"):
        part = _MSP_PARTS.get(row.get("Split_Set", UNKNOWN).lower())
        details[row.get("FileName", UNKNOWN).rpartition(".")[0]] = {
            "label": labels.get(row.get("EmoClass", UNKNOWN).upper(), ""),
            "speaker": row.get("SpkrID", UNKNOWN),
            "extra": {"part": part} if part else {},
        }
    return details


#: Corpus -> what code says about it, as `Corpus` takes it.
CODE = {
    "tess": {"parse": tess, "names": tess_names},
    "ravdess": {"parse": ravdess, "names": ravdess_names, "refuse": ravdess_refuse, "song": ravdess_song},
    "cremad": {"parse": cremad},
    "savee": {"parse": savee, "names": savee_names},
    "nemo": {"details": nemo_details},
    "esd": {"parse": esd},
    "asvpesd": {"refuse": asvpesd_refuse},
    "iemocap": {"parse": iemocap, "details": iemocap_details},
    "meld": {"parse": meld, "details": meld_details},
    "msppodcast": {"details": msppodcast_details},
}


def _corpus(name, table):
    facts = {key: value for key, value in table.items() if key not in ("pattern", "emotions")}
    facts["speakers"] = tuple(table.get("speakers", ()))
    facts["own_labels"] = tuple(table.get("own_labels", ()))
    if isinstance(table.get("texts"), list):
        facts["texts"] = len(table["texts"])
    if "zenodo" in table:
        facts["zenodo"] = Deposit(**table["zenodo"])
    return Corpus(name=name, **{"parse": NAMES.get(name), **facts, **CODE.get(name, {})})


#: All of them, in the order of the tables.
ROWS = tuple(_corpus(name, table) for name, table in TABLES.items())
