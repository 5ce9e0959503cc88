"""Published corpora whose file names say everything, a row each: the naming rule, what it should hold, its licence.

To add one, write a row: `by_name` takes a regular expression over the end of a path without its suffix, with the groups
`speaker`, `emotion` and `text` (what is said, as far as the name tells). Corpora with tables of their own are below.
"""

import csv
import re
from dataclasses import replace

from serlib.corpora.corpus import Clip, Corpus, missing, tables
from serlib.utils import UNKNOWN

_SEVEN = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")


def by_name(pattern, emotions, *, speakers=()):
    """A parser of file names.

    Parameters
    ----------
    pattern : str
        Of the end of the path, folders included, without the suffix; groups `emotion`, `speaker`, `text`. All groups
        together name the clip. Upper and lower case are the same.
    emotions : dict of str -> str
        Code, in lower case -> label.
    speakers : sequence of str
        All there are; another one is no clip of the corpus. () takes any.

    Returns
    -------
    callable, Path -> Clip or None

    Examples
    --------
    >>> from pathlib import Path
    >>> parse = by_name(r"(?P<speaker>f\\d)-(?P<emotion>[a-z]+)", {"gio": "happy"})
    >>> parse(Path("EMOVO/f1-gio.wav")).label, parse(Path("f1-gio-2.wav"))
    ('happy', None)
    """
    regex = re.compile(rf"(?:.*/)?{pattern}", re.ASCII | re.IGNORECASE)
    spelled = {name.lower(): name for name in speakers}

    def parse(path):
        match = regex.fullmatch((path.parent / path.stem).as_posix())
        if not match:
            return None
        groups = match.groupdict()
        label = emotions.get(groups["emotion"].lower())
        speaker = spelled.get(groups["speaker"].lower()) if speakers else groups["speaker"]
        if label is None or speaker is None:
            return None
        name = "_".join(group for group in match.groups() if group)
        return Clip(label, speaker, groups.get("text") or UNKNOWN, name)

    return parse


# ------------------------------------------------------------------------------------------------- JL corpus, English
_JL = ("angry", "anxious", "apologetic", "assertive", "concerned", "encouraging", "excited", "happy", "neutral", "sad")
_JL_SPEAKERS = ("female1", "female2", "male1", "male2")
JL = Corpus(
    name="jl",
    title="JL corpus, English of New Zealand",
    homepage="https://www.kaggle.com/datasets/tli725/jl-corpus",
    licence="CC0 1.0",
    citation="J. James, L. Tian, C. Watson (2018). An open source emotional speech corpus for human robot interaction "
    "applications. Interspeech, 2768-2772.",
    example="female1_angry_10a_1.wav",
    parse=by_name(
        r"(?P<speaker>(?:fe)?male[12])_(?P<emotion>[a-z]+)_(?P<text>\d+)([ab])_([12])",
        {label: label for label in _JL},
        speakers=_JL_SPEAKERS,
    ),
    kaggle="tli725/jl-corpus",
    speakers=_JL_SPEAKERS,
    labels=dict.fromkeys(_JL, 240),
)

# ----------------------------------------------------------------------------------------------------- EMOVO, Italian
_EMOVO_SPEAKERS = ("f1", "f2", "f3", "m1", "m2", "m3")
EMOVO = Corpus(
    name="emovo",
    title="EMOVO, Italian",
    homepage="http://voice.fub.it/activities/corpora/emovo/index.html",
    licence="free for research, no licence named",
    citation="G. Costantini, I. Iadarola, A. Paoloni, M. Todisco (2014). EMOVO corpus: an Italian emotional speech "
    "database. LREC, 3501-3504.",
    example="gio-f1-b1.wav",
    parse=by_name(
        r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][123])-(?P<text>[a-z]\d)",
        {"dis": "disgust", "gio": "happy", "neu": "neutral", "pau": "fear", "rab": "angry", "sor": "ps", "tri": "sad"},
        speakers=_EMOVO_SPEAKERS,
    ),
    speakers=_EMOVO_SPEAKERS,
    texts=14,
    labels=dict.fromkeys(_SEVEN, 84),
)

# ------------------------------------------------------------------------------------------- ESD, Mandarin and English
_ESD = ("neutral", "angry", "happy", "sad", "ps")  # in the order of the numbers: 350 sentences each
_ESD_SPEAKERS = tuple(f"{number:04d}" for number in range(1, 21))
_ESD_NAME = by_name(
    r"(?:(?P<emotion>angry|happy|neutral|sad|surprise)/)(?:(?P<part>train|evaluation|test)/)?"
    r"(?P<speaker>\d{4})_(\d{6})",
    {"angry": "angry", "happy": "happy", "neutral": "neutral", "sad": "sad", "surprise": "ps"},
    speakers=_ESD_SPEAKERS,
)
_ESD_PARTS = {"train": "train", "evaluation": "validation", "test": "test"}


def esd(path):
    """`0011/Angry/train/0011_000351.wav`: the folder names the emotion, the number tells the same and the sentence."""
    clip = _ESD_NAME(path)
    if clip is None:
        return None
    number = int(path.stem[5:])
    text, told = (
        f"{'zh' if clip.speaker <= '0010' else 'en'}{(number - 1) % 350 + 1:03d}",
        _ESD[(number - 1) // 350 % 5],
    )
    odd = "" if told == clip.label else f"its number belongs to {told}, its folder says {clip.label}"
    part = _ESD_PARTS.get(path.parent.name.lower())
    extra = {"part": part} if part else {}
    return replace(clip, text=text, name=f"{clip.speaker}_{number:06d}", repaired=odd, extra=extra)


ESD = Corpus(
    name="esd",
    title="Emotional Speech Database (ESD), Mandarin and English",
    homepage="https://hltsingapore.github.io/ESD/",
    licence="research use only, on a signed form",
    citation="K. Zhou, B. Sisman, R. Liu, H. Li (2022). Emotional voice conversion: theory, databases and ESD. Speech "
    "Communication 137, 1-18.",
    example="0011/Angry/0011_000351.wav",
    parse=esd,
    speakers=_ESD_SPEAKERS,
    texts=700,
    labels=dict.fromkeys(_ESD, 7000),
    caveat="Speakers 0001 to 0010 speak Mandarin, 0011 to 0020 English.",
)

# --------------------------------------------------------------------------------------------- ASVP-ESD, many languages
_ASVP = {
    **{"01": "boredom", "02": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust"},
    **{"08": "ps", "09": "excited", "10": "pleasure", "11": "pain", "12": "disappointed", "13": "other"},
}
_ASVP_NAME = r"03-{channel}-(?P<emotion>\d\d)-(0[12])-(\d+)-(?P<speaker>\d\d\d?)-(0[1-4])-(\d\d)-(\d\d)(-\d\d)?(-\d\d)?"
_ASVP_SOUND = by_name(_ASVP_NAME.format(channel="02"), _ASVP)
ASVP = Corpus(
    name="asvpesd",
    title="Audio, Speech and Vision Processing Lab Emotional Sound database (ASVP-ESD), speech",
    homepage="https://zenodo.org/records/7132783",
    licence="CC BY 4.0",
    citation="D. T. T. Landry, Q. He, H. Yan, Y. Li (2020). ASVP-ESD: a dataset and its benchmark for emotion "
    "recognition "
    "using both speech and non-speech utterances. Global Scientific Journals 8(6), 1793-1798.",
    example="03-01-09-01-06-36-02-02-01-39.wav",
    parse=by_name(_ASVP_NAME.format(channel="01"), _ASVP),
    refuse=lambda path: "is a sound without speech; expected speech (03-01-...)" if _ASVP_SOUND(path) else None,
    kaggle="dejolilandry/asvpesdspeech-nonspeech-emotional-utterances",
    caveat="From films and the web: who speaks is told by scene, so that one person may have several numbers.",
)

# ---------------------------------------------------------------------------------------------- CaFE, French of Canada
_CAFE_SPEAKERS = tuple(f"{number:02d}" for number in range(1, 13))
CAFE = Corpus(
    name="cafe",
    title="Canadian French Emotional speech database (CaFE)",
    homepage="https://doi.org/10.5281/zenodo.1478765",
    licence="CC BY-NC-SA 4.0",
    citation="P. Gournay, O. Lahaie, R. Lefebvre (2018). A Canadian French emotional speech dataset. ACM MMSys, "
    "399-402.",
    example="01-C-1-1.wav",
    parse=by_name(
        r"(?P<speaker>\d\d)-(?P<emotion>[CDJNPST])-([012])-(?P<text>[1-6])",
        {"c": "angry", "d": "disgust", "j": "happy", "n": "neutral", "p": "fear", "s": "ps", "t": "sad"},
        speakers=_CAFE_SPEAKERS,
    ),
    speakers=_CAFE_SPEAKERS,
    texts=6,
    labels={label: 72 if label == "neutral" else 144 for label in _SEVEN},
)

# --------------------------------------------------------------------------------------------- MESD, Spanish of Mexico
MESD = Corpus(
    name="mesd",
    title="Mexican Emotional Speech Database (MESD)",
    homepage="https://doi.org/10.17632/cy34mh68j9.5",
    licence="CC BY 4.0",
    citation="M. M. Duville, L. M. Alonso-Valerdi, D. I. Ibarra-Zarate (2021). The Mexican emotional speech database "
    "(MESD): elaboration and assessment based on machine learning. IEEE EMBC, 1644-1647.",
    example="Anger_C_A_abajo.wav",
    parse=by_name(
        r"(?P<emotion>Anger|Disgust|Fear|Happiness|Neutral|Sadness)_(?P<speaker>[FMC])_([AB])_(?P<text>[^/]+)",
        {"anger": "angry", "disgust": "disgust", "fear": "fear", "happiness": "happy"}
        | {"neutral": "neutral", "sadness": "sad"},
        speakers=("C", "F", "M"),
    ),
    kaggle="saurabhshahane/mexican-emotional-speech-database-mesd",
    speakers=("C", "F", "M"),
    labels=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "sad"), 144),
    caveat="File names tell children, women and men apart, not the 16 people: a speaker here is one of these groups.",
)

# ----------------------------------------------------------------------------------------------------- SUBESCO, Bangla
_SUBESCO_SPEAKERS = tuple(f"{gender}_{number:02d}" for gender in "FM" for number in range(1, 11))
SUBESCO = Corpus(
    name="subesco",
    title="SUST Bangla Emotional Speech Corpus (SUBESCO)",
    homepage="https://doi.org/10.5281/zenodo.4526477",
    licence="CC BY 4.0",
    citation="S. Sultana, M. S. Rahman, M. R. Selim, M. Z. Iqbal (2021). SUST Bangla emotional speech corpus "
    "(SUBESCO): an "
    "audio-only emotional speech corpus for Bangla. PLoS ONE 16(4): e0250173.",
    example="F_02_MONIKA_S_1_ANGRY_3.wav",
    parse=by_name(
        r"(?P<speaker>[FM]_\d\d)_[A-Z]+_S_(?P<text>\d+)_(?P<emotion>[A-Z]+)_(\d)",
        {"angry": "angry", "disgust": "disgust", "fear": "fear", "happy": "happy"}
        | {"neutral": "neutral", "sad": "sad", "surprise": "ps"},
        speakers=_SUBESCO_SPEAKERS,
    ),
    kaggle="sushmit0109/subescobangla-speech-emotion-dataset",
    speakers=_SUBESCO_SPEAKERS,
    texts=10,
    labels=dict.fromkeys(_SEVEN, 1000),
)

# -------------------------------------------------------------------------------------------------------- AESDD, Greek
AESDD = Corpus(
    name="aesdd",
    title="Acted Emotional Speech Dynamic Database (AESDD), Greek",
    homepage="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    licence="free for research, no licence named",
    citation="N. Vryzas, R. Kotsakis, A. Liatsou, C. Dimoulas, G. Kalliris (2018). Speech emotion recognition for "
    "performance interaction. J. Audio Engineering Society 66(6), 457-467.",
    example="a01 (1).wav",
    parse=by_name(
        r"(?P<emotion>[adfhs])(?P<text>\d\d) ?\((?P<speaker>\d)\)([a-z]?)",
        {"a": "angry", "d": "disgust", "f": "fear", "h": "happy", "s": "sad"},
    ),
    distinct=False,
    caveat="The database grows: how many clips there are depends on when it was copied (604 in the usual one).",
)

# ------------------------------------------------------------------------------------------------------ ShEMO, Persian
SHEMO = Corpus(
    name="shemo",
    title="Sharif Emotional Speech Database (ShEMO), Persian",
    homepage="https://github.com/mansourehk/ShEMO",
    licence="free for research, no licence named",
    citation="O. Mohamad Nezami, P. Jamshid Lou, M. Karami (2019). ShEMO: a large-scale validated database for Persian "
    "speech emotion detection. Language Resources and Evaluation 53, 1-16.",
    example="F01A01.wav",
    parse=by_name(
        r"(?P<speaker>[FM]\d\d)(?P<emotion>[AFHNSW])(\d\d)",
        {"a": "angry", "f": "fear", "h": "happy", "n": "neutral", "s": "sad", "w": "ps"},
    ),
    labels={"angry": 1059, "fear": 38, "happy": 201, "neutral": 1028, "ps": 225, "sad": 449},
    distinct=False,
)

# --------------------------------------------------------------------------------------------------------- URDU, Urdu
URDU = Corpus(
    name="urdu",
    title="URDU, from talk shows",
    homepage="https://github.com/siddiquelatif/urdu-dataset",
    licence="free for research, no licence named",
    citation="S. Latif, A. Qayyum, M. Usman, J. Qadir (2018). Cross lingual speech emotion recognition: Urdu "
    "vs. western "
    "languages. FIT, 88-93.",
    example="SM1_F1_A01.wav",
    parse=by_name(
        r"(?P<speaker>S[FM]\d+)_(F\d+)_(?P<emotion>[AHNS])(\d+)",
        {"a": "angry", "h": "happy", "n": "neutral", "s": "sad"},
    ),
    labels=dict.fromkeys(("angry", "happy", "neutral", "sad"), 100),
)

# --------------------------------------------------------------------------------------------------- TurEV-DB, Turkish
_TUREV = {"angry": "angry", "calm": "calm", "happy": "happy", "sad": "sad"}
TUREV = Corpus(
    name="turev",
    title="Turkish Emotional Voice Database (TurEV-DB)",
    homepage="https://github.com/Xeonen/TurEV-DB",
    licence="no licence named",
    citation="S. F. Canpolat, Z. Ormanoglu, D. Zeyrek (2020). Turkish emotion voice database (TurEV-DB). SLTU "
    "and CCURL, "
    "368-375.",
    example="Calm/1984_sk_eger.wav",
    parse=by_name(r"(?P<emotion>angry|calm|happy|sad)/(?P<speaker>\d{4})_([a-z]{2})_(?P<text>\w+)", _TUREV),
)

# ----------------------------------------------------------------------------------------------------- CASIA, Mandarin
_CASIA_SPEAKERS = ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang")
CASIA = Corpus(
    name="casia",
    title="CASIA Chinese emotional corpus, the 1200 clips that are passed around",
    homepage="http://www.chineseldc.org/resource_info.php?rid=76",
    licence="research use only, on request",
    citation="J. Tao, F. Liu, M. Zhang, H. Jia (2008). Design of speech corpus for Mandarin text to speech. Blizzard "
    "Challenge workshop.",
    example="wangzhe/angry/201.wav",
    parse=by_name(
        r"(?P<speaker>[a-z]+)/(?P<emotion>angry|fear|happy|neutral|sad|surprise)/(?P<text>\d{3})",
        {"angry": "angry", "fear": "fear", "happy": "happy", "neutral": "neutral", "sad": "sad", "surprise": "ps"},
        speakers=_CASIA_SPEAKERS,
    ),
    speakers=_CASIA_SPEAKERS,
    texts=50,
    labels=dict.fromkeys(("angry", "fear", "happy", "neutral", "ps", "sad"), 200),
)

# ---------------------------------------------------------------------------------------------------- IEMOCAP, English
_IEMOCAP = {
    **{"ang": "angry", "dis": "disgust", "exc": "excited", "fea": "fear", "fru": "frustrated", "hap": "happy"},
    **{"neu": "neutral", "oth": "other", "sad": "sad", "sur": "ps"},
}
_IEMOCAP_NAME = re.compile(r"(Ses0[1-5])[FM]_((?:impro|script)\w+)_([FM])(\w{3})", re.ASCII)
_IEMOCAP_LINE = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(Ses\w+)\s+([a-z]{3})\s")
_IEMOCAP_TEXT = re.compile(r"(Ses\w+) \[[-\d.]+\]: *(.+)")


def iemocap(path):
    """`Ses01F_script01_1_M003.wav`: the last letter speaks (the first one wears the markers of the motion capture)."""
    match = _IEMOCAP_NAME.fullmatch(path.stem)
    return Clip("", match[1] + match[3], UNKNOWN, path.stem) if match else None


def iemocap_details(root):
    """Labels out of `dialog/EmoEvaluation`, sentences out of `dialog/transcriptions`; `xxx` (no majority) is "
    "no label."""
    details = {}
    for table in root.rglob("*.txt"):
        if table.name.startswith(".") or table.parent.name not in ("EmoEvaluation", "transcriptions"):
            continue
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if (match := _IEMOCAP_LINE.match(line)) and match[2] in _IEMOCAP:
                details.setdefault(match[1], {})["label"] = _IEMOCAP[match[2]]
            elif match := _IEMOCAP_TEXT.fullmatch(line.strip()):
                details.setdefault(match[1], {})["text"] = match[2]
    return details


_IEMOCAP_COUNTS = (1103, 2, 1041, 40, 1849, 595, 1708, 3, 1084, 107)
IEMOCAP = Corpus(
    name="iemocap",
    title="Interactive Emotional Dyadic Motion Capture database (IEMOCAP)",
    homepage="https://sail.usc.edu/iemocap/",
    licence="research use only, on a signed form",
    citation="C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. S. "
    "Narayanan (2008). "
    "IEMOCAP: interactive emotional dyadic motion capture database. Language Resources and Evaluation 42, 335-359.",
    example="Ses01F_impro01_F000.wav",
    parse=iemocap,
    details=iemocap_details,
    speakers=tuple(f"Ses0{session}{gender}" for session in range(1, 6) for gender in "FM"),
    labels=dict(zip(_IEMOCAP.values(), _IEMOCAP_COUNTS, strict=True)),
    caveat="Papers on four classes take excited for happy: --labels happy=excited --drop other,frustrated,...; "
    "2507 turns "
    "have no majority and are left out.",
)

# ------------------------------------------------------------------------------------------------------- MELD, English
_MELD = {
    **{"anger": "angry", "disgust": "disgust", "fear": "fear", "joy": "happy", "neutral": "neutral"},
    **{"sadness": "sad", "surprise": "ps"},
}
_MELD_NAME = re.compile(r"dia(\d+)_utt(\d+)", re.ASCII)
_MELD_PART = re.compile(r"(?:^|/)[^/]*(train|dev|test)[^/]*/[^/]*$", re.IGNORECASE)


def meld(path):
    """`train_splits/dia0_utt3.mp4`: dialogues are numbered anew in each part, which the folder names."""
    match = _MELD_NAME.fullmatch(path.stem)
    part = _MELD_PART.search(path.as_posix())
    if not (match and part):
        return None
    name = f"{part[1].lower()}_dia{match[1]}_utt{match[2]}"
    role = {"train": "train", "dev": "validation", "test": "test"}[part[1].lower()]
    return Clip("", UNKNOWN, UNKNOWN, name, extra={"part": role})


def meld_details(root):
    """What `train_sent_emo.csv`, `dev_sent_emo.csv` and `test_sent_emo.csv` say."""
    details = {}
    for table in tables(root, "*_sent_emo.csv"):
        with open(table, encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                name = f"{table.name.split('_')[0]}_dia{row.get('Dialogue_ID')}_utt{row.get('Utterance_ID')}"
                details[name] = {
                    "label": _MELD.get((row.get("Emotion") or "").strip().lower(), ""),
                    "speaker": _known(row.get("Speaker")),
                    "text": _known(row.get("Utterance")),
                }
    return details


def _known(cell):
    return UNKNOWN if missing(cell or "") else cell.strip()


MELD = Corpus(
    name="meld",
    title="Multimodal EmotionLines Dataset (MELD), from the series Friends",
    homepage="https://affective-meld.github.io/",
    licence="GPL 3.0 (the labels; the recordings belong to the series)",
    citation="S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea (2019). MELD: a multimodal "
    "multi-party "
    "dataset for emotion recognition in conversations. ACL, 527-536.",
    example="train_splits/dia0_utt3.mp4",
    parse=meld,
    details=meld_details,
    labels={"angry": 1607, "disgust": 361, "fear": 358, "happy": 2308, "neutral": 6436, "ps": 1636, "sad": 1002},
    caveat="Six actors play most of it, in training and test alike; speakers such as Man or Waiter are many people.",
)

# ------------------------------------------------------------------------------------------------ MSP-Podcast, English
_MSP = {
    **{"A": "angry", "C": "contempt", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "O": "other"},
    **{"S": "sad", "U": "ps"},
}
_MSP_NAME = re.compile(r"MSP-PODCAST_\d+_\d+(_\d+)?", re.ASCII | re.IGNORECASE)
_MSP_PARTS = {"train": "train", "validation": "validation", "development": "validation", "test1": "test"}


def msp_podcast_details(root):
    """What `labels_consensus.csv` says (older releases write concensus)."""
    details = {}
    for table in [*tables(root, "labels_consensus.csv"), *tables(root, "labels_concensus.csv")]:
        with open(table, encoding="utf-8-sig", errors="replace", newline="") as file:
            for row in csv.DictReader(file):
                part = _MSP_PARTS.get((row.get("Split_Set") or "").strip().lower())
                details[(row.get("FileName") or "").rpartition(".")[0]] = {
                    "label": _MSP.get((row.get("EmoClass") or "").strip().upper(), ""),
                    "speaker": _known(row.get("SpkrID")),
                    "extra": {"part": part} if part else {},
                }
    return details


MSP_PODCAST = Corpus(
    name="msppodcast",
    title="MSP-Podcast corpus",
    homepage="https://www.lab-msp.com/MSP/MSP-Podcast.html",
    licence="research use only, on a signed form",
    citation="R. Lotfian, C. Busso (2019). Building naturalistic emotionally balanced speech corpus by "
    "retrieving emotional "
    "speech from existing podcast recordings. IEEE Trans. Affective Computing 10(4), 471-483.",
    example="MSP-PODCAST_0001_0008.wav",
    parse=lambda path: Clip("", UNKNOWN, UNKNOWN, path.stem) if _MSP_NAME.fullmatch(path.stem) else None,
    details=msp_podcast_details,
    caveat="Clips without agreement (X) are left out; --split given holds out Test1.",
)

#: All of them.
ROWS = (JL, EMOVO, ESD, ASVP, CAFE, MESD, SUBESCO, AESDD, SHEMO, URDU, TUREV, CASIA, IEMOCAP, MELD, MSP_PODCAST)
