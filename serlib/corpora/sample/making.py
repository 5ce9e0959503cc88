"""The sample corpus: synthetic speech in the shape of TESS, so that everything runs without an account or a download.

Two voices say "Say the word back" with N of TESS's 200 words in seven emotions. The words are intelligible and the
emotions follow the literature, but nobody speaks here: accuracies on this corpus say nothing about people.

References
----------
.. [1] R. Banse, K. R. Scherer (1996). Acoustic profiles in vocal emotion expression. J. Pers. Soc. Psychol. 70(3).
.. [2] I. R. Murray, J. L. Arnott (1993). Toward the simulation of emotion in synthetic speech. JASA 93(2), Table I.
.. [3] P. N. Juslin, P. Laukka (2003). Communication of emotions in vocal expression and music performance. Psychol.
       Bull. 129(5).
.. [4] F. Burkhardt, W. F. Sendlmeier (2000). Verification of acoustical correlates of emotional speech using
       formant-synthesis. ISCA Workshop on Speech and Emotion.
.. [5] M. Schroeder (2001). Emotional speech synthesis: a review. Eurospeech.
.. [6] J. E. Cahn (1990). The generation of affect in synthesized speech. J. American Voice I/O Society 8.
.. [7] V. C. Tartter (1980). Happy talk: perceptual and acoustic effects of smiling on speech. Percept. Psychophys. 27.
.. [8] P. N. Juslin, P. Laukka (2001). Impact of intended emotion intensity on cue utilization. Emotion 1(4).
.. [9] H. Traunmueller, A. Eriksson (2000). Acoustic effects of variation in vocal effort. JASA 107(6).
"""

import hashlib
import json
import re
import tempfile
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import soundfile
from joblib import Parallel, delayed

from serlib.corpora.corpus import Clip, Corpus
from serlib.corpora.published import TABLES
from serlib.corpora.sample import synthesis
from serlib.utils import SerlibError, alone, atomic_path, data_dir, progress, remove, shown

#: Of TESS.
EMOTIONS = tuple(TABLES["tess"]["labels"])
WORDS = TABLES["tess"]["texts"]

#: Goes up whenever the same seed gives other bytes, so that a corpus of an older recipe is made again.
RECIPE = 2

# Clips a worker makes before it reports: starting the engine costs less than one clip.
_BATCH = 20

_FILE = re.compile(rf"(S[12])_([a-z]+)_({'|'.join(EMOTIONS)})", re.ASCII)

_README = Path(__file__).with_name("README.txt").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Voice:
    """A speaker."""

    pitch_hz: tuple  # lowest and highest pitch of a plain statement
    formants: tuple  # factors on F1 to F5, against eSpeak's own man
    rate_wpm: float
    level_db: float  # RMS of neutral speech, below full scale
    breath: float  # aspiration, eSpeak's percent
    jitter: float  # from one period to the next, share of the pitch


#: An older woman and a younger one, as in TESS: the younger is higher, brighter, quicker, louder. Shorter vocal tracts
#: raise all formants. Not called OAF and YAF, so that nobody takes a clip for one of TESS.
VOICES = {
    "S1": Voice((154, 188), (1.00, 1.00, 1.00, 1.00, 1.00), 105, -30.0, 4.5, 0.004),
    "S2": Voice((172, 212), (1.04, 1.07, 1.08, 1.06, 1.05), 112, -29.0, 3.5, 0.002),
}


@dataclass(frozen=True)
class Prosody:
    """How an emotion is said, against the same voice being neutral."""

    pitch_st: float  # mean pitch, semitones
    contour_st: tuple  # pitch of "Say", "the", "word" and the word itself, semitones
    range_log2: float  # pitch movements, 1 = twice as wide
    rate_log2: float  # speech rate, 1 = twice as fast
    level_db: float
    timbre_db: tuple  # gain below 350 Hz, at 2 to 3 kHz, above 6 kHz; a tense voice gains above, a lax one below
    breath_log2: float  # aspiration, 1 = twice as much
    tremor: float  # share of the pitch
    formants_log2: float  # spread lips shorten the vocal tract, rounded ones lengthen it
    jaw_log2: float  # F1 besides: an open mouth raises it
    ending: str  # final fall (. and stronger !) or rise (, and stronger ?)


#: Directions after Table I of [2]_ and the reviews [1]_, [3]_, [5]_. Anger: high, wide, loud, tense (more energy above
#: 1 kHz), abrupt on the stressed words, open mouth. Disgust: very low, slow, soft, wide final fall, constricted. Fear:
#: very high, fast, thin, breathy, trembling; its range is disputed ([2]_ wide, [3]_ narrow), so it stays. Happiness:
#: high, wide, loud, upward inflections, the formants of a smile [7]_. Pleasant surprise: high, very wide, open mouth,
#: jumps up on the word and rises at the end ([4]_, [6]_). Sadness: low, narrow, slow, soft, lax, breathy, falling.
#: Sizes lie in the range of acted speech (TESS: 4 to 9 semitones, 4 to 15 dB from neutral) and were set so that
#: system A finds the corpus neither trivial nor hopeless: bench/sample.py prints the figures.
PROSODY = {
    "angry": Prosody(3.5, (1.5, 0, 0, 1.5), 0.8, 0.15, 7.0, (-4, 7, 8), -0.5, 0.003, 0.00, 0.22, "!"),
    "disgust": Prosody(-3.0, (0.5, 0, 0, -1.5), 0.4, -0.35, -3.0, (-6, -6, 3), 0.3, 0.004, -0.12, -0.05, "."),
    "fear": Prosody(8.0, (0, 0.5, 0.5, 0.5), 0.2, 0.35, -2.0, (-6, 2, -3), 1.0, 0.015, 0.02, -0.18, ","),
    "happy": Prosody(5.0, (0, 0.5, 1.5, 1), 0.9, 0.05, 4.0, (1, 4, 1), 0.2, 0.002, 0.14, 0.00, "!"),
    "neutral": Prosody(0.0, (0, 0, 0, 0), 0.0, 0.0, 0.0, (0, 0, 0), 0.0, 0.002, 0.00, 0.00, "."),
    "ps": Prosody(6.0, (0, 0, 0.5, 4), 1.0, 0.0, 3.0, (5, -1, 0), 0.5, 0.002, 0.00, 0.20, "?"),
    "sad": Prosody(-1.0, (0, 0, -0.5, -1), -0.5, -0.3, -5.0, (6, -7, -8), 0.8, 0.006, -0.04, -0.10, "."),
}

#: Natural variation, standard deviations from clip to clip. An emotion is played now stronger, now weaker, all its cues
#: together [8]_; effort moves pitch, level and timbre together whatever the emotion [9]_; the rest varies by itself.
INTENSITY_SD = 0.1
EFFORT = Prosody(0.3, (0, 0, 0, 0), 0.05, 0.02, 0.7, (-0.3, 0.4, 0.5), -0.1, 0.0, 0.0, 0.02, "")
OWN_SD = Prosody(0.35, (0.35,) * 4, 0.1, 0.05, 0.5, (0.5, 0.5, 0.5), 0.2, 0.001, 0.01, 0.015, "")


def vary(prosody, rng):
    """One clip's own way of saying an emotion: a Prosody drawn around the given one."""
    intensity = rng.normal(1, INTENSITY_SD)
    effort = rng.standard_normal()
    values = {}
    for name in (field.name for field in fields(Prosody) if field.name != "ending"):
        mean, shift, sd = (np.asarray(getattr(p, name), float) for p in (prosody, EFFORT, OWN_SD))
        values[name] = mean * intensity + shift * effort + sd * rng.standard_normal(mean.shape)
    return replace(prosody, **values)


def clip(engine, speaker, word, emotion, *, seed=0):
    """Speak and record one clip [shape=(n,)], full scale 1.0, at `synthesis.RATE_HZ`, whatever was said before it."""
    digest = hashlib.blake2b(f"{seed} {speaker} {word} {emotion}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest, "big"))
    voice = VOICES[speaker]
    p = vary(PROSODY[emotion], rng)
    y = engine.say(
        ("Say", "the", "word", word),
        pitch_hz=voice.pitch_hz,
        formants=np.array(voice.formants) * 2 ** (p.formants_log2 + np.array([p.jaw_log2, 0, 0, 0, 0])),
        pitch_st=p.pitch_st + np.array(p.contour_st),
        range_=2**p.range_log2,
        rate_wpm=max(80, voice.rate_wpm * 2**p.rate_log2),
        breath=voice.breath * 2**p.breath_log2,
        ending=p.ending,
    )
    y = synthesis.tremble(y, rng, tremor=abs(p.tremor), jitter=voice.jitter)
    room = {"reverberation_db": rng.normal(-22, 1), "decay_s": rng.uniform(0.15, 0.25)}
    y = synthesis.colour(y, rng, timbre_db=p.timbre_db, **room)
    y = synthesis.level(y, level_db=voice.level_db + p.level_db)
    before_s, after_s = rng.uniform(0.1, 0.18, size=2)
    return synthesis.record(y, rng, before_s=before_s, after_s=after_s, floor_db=rng.normal(-66, 1.5))


def plan(words):
    """What the clips say: (speaker, word, emotion) of each, N words evenly spread over TESS's 200."""
    spread = [WORDS[i * len(WORDS) // words] for i in range(words)]
    return [(speaker, word, emotion) for speaker in VOICES for emotion in EMOTIONS for word in spread]


def parse(path):
    """The Clip of a file name such as `S1_back_angry.wav`; None for another one."""
    match = _FILE.fullmatch(path.stem)
    return Clip(match[3], match[1], match[2], path.stem) if match else None


def make(to=None, *, words=40, seed=0, jobs=None, show=None):
    """Make the sample corpus; a complete one of the same words and seed is kept as it is.

    Parameters
    ----------
    to : str or Path, optional
        Its folder; default: `data/sample`. An older or half-deleted sample corpus there is replaced.
    words : int
        How many of TESS's 200 words, each in two voices and seven emotions: 40 words are 560 clips.
    seed : int
        Other seeds give other clips. The bytes of a clip depend on the seed, its name, the version of eSpeak NG and
        this recipe.
    jobs : int, optional
        Processes; default: one a core. 1 works in this process.
    show : bool, optional
        Progress bar.

    Returns
    -------
    Path of the folder: `S1_angry/S1_back_angry.wav` and so on, 16 bits at 22050 Hz, with a README.txt and sample.json.

    Taught in notebooks/01_download.
    """
    if not 1 <= words <= len(WORDS):
        raise SerlibError(f"The sample corpus has 1 to {len(WORDS)} words, not {words}; choose a number between")
    to = Path(to) if to is not None else data_dir() / "sample"
    clips = plan(words)
    if _complete(to, clips, words=words, seed=seed):
        return to
    _refuse_foreign(to)
    lock = to.with_name(f".{to.name}.lock")
    with alone(lock):
        try:
            if not _complete(to, clips, words=words, seed=seed):  # as it is where another process made it meanwhile
                _make(to, clips, words=words, seed=seed, jobs=jobs, show=show)
        finally:
            remove(lock)
    return to


def _make(to, clips, *, words, seed, jobs, show):
    batches = [clips[i : i + _BATCH] for i in range(0, len(clips), _BATCH)]
    with atomic_path(to) as partial, tempfile.TemporaryDirectory(prefix="serlib-") as english:
        synthesis.english(Path(english) / "en")
        for speaker, _, emotion in clips:
            (partial / f"{speaker}_{emotion}").mkdir(parents=True, exist_ok=True)
        # Processes, not threads: eSpeak NG keeps its state in global variables.
        work = Parallel(n_jobs=jobs or -1, backend="loky", return_as="generator_unordered")(
            delayed(_write)(partial, Path(english) / "en", f"voice{i}", batch, seed) for i, batch in enumerate(batches)
        )
        with progress(total=len(clips), desc="sample corpus", show=show) as bar:
            for count in work:
                bar.update(count)
        (partial / "README.txt").write_text(_README.format(words=words, clips=len(clips), seed=seed), encoding="utf-8")
        stamp = {"words": words, "seed": seed, "recipe": RECIPE, "espeak": synthesis.version()}
        (partial / "sample.json").write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")


def _write(folder, english, name, clips, seed):
    """Write a batch of clips; returns how many."""
    engine = synthesis.Engine(english, name=name)
    for speaker, word, emotion in clips:
        y = clip(engine, speaker, word, emotion, seed=seed)
        path = folder / f"{speaker}_{emotion}" / f"{speaker}_{word}_{emotion}.wav"
        soundfile.write(path, np.round(y * 32767).astype(np.int16), synthesis.RATE_HZ, subtype="PCM_16")
    return len(clips)


def _complete(to, clips, *, words, seed):
    """Whether the folder holds exactly this corpus already, made by this recipe."""
    try:
        stamp = json.loads((to / "sample.json").read_text(encoding="utf-8"))
        version = synthesis.version()
    except (OSError, ValueError):
        return False
    except SerlibError:
        version = stamp.get("espeak")  # made elsewhere; it cannot be made here, but it can be used
    return stamp == {"words": words, "seed": seed, "recipe": RECIPE, "espeak": version} and all(
        (to / f"{speaker}_{emotion}" / f"{speaker}_{word}_{emotion}.wav").is_file() for speaker, word, emotion in clips
    )


def _refuse_foreign(to):
    """A folder is replaced only where it holds nothing but a sample corpus."""
    if to.exists() and not to.is_dir():
        raise SerlibError(f"{shown(to)} is a file; name a folder for the sample corpus")
    names = ("README.txt", "sample.json", ".DS_Store", "Thumbs.db", "desktop.ini")
    files = sorted(path for path in to.rglob("*") if path.is_file() and path.name not in names)
    foreign = [path.relative_to(to).as_posix() for path in files if not parse(path)]
    if foreign:
        raise SerlibError(
            f"{shown(to)} holds {foreign[0]}, which is not of the sample corpus; name a new or empty folder, "
            f"for example {shown(to / 'sample')}"
        )


CORPUS = Corpus(
    name="sample",
    title="Sample corpus (synthetic)",
    homepage="https://github.com/espeak-ng/espeak-ng",
    licence="generated on your machine, free to use",
    citation="Synthetic speech by eSpeak NG in the shape of TESS, made by serlib",
    example="S1_back_angry.wav",
    parse=parse,
    speakers=tuple(VOICES),
    synthetic=True,
    caveat="Nobody speaks here: accuracies on it say nothing about people.",
)
