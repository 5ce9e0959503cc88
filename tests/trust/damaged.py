"""Sound files that are broken, odd or hostile, made of good clips, each with what must become of it.

    made = damaged.fill(folder, clips, count=400, seed=0)   # {path: Made}, a folder corpus to index

Everything is drawn from the seed. `python -m tests.trust.damaged FOLDER [COUNT [SEED]]` makes some to look at.
"""

import io
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

#: What must become of a file: it is used, it is named with its reason, or one of the two (damage that nothing tells).
GOOD, BAD, EITHER = "good", "bad", "either"

#: Format, subtype and suffix of what is cut, flipped and overwritten.
CONTAINERS = (
    ("WAV", "PCM_16", ".wav"),
    ("WAV", "FLOAT", ".wav"),
    ("WAVEX", "PCM_24", ".wav"),
    ("RF64", "PCM_16", ".rf64"),
    ("W64", "PCM_16", ".w64"),
    ("AIFF", "PCM_16", ".aiff"),
    ("AU", "PCM_16", ".au"),
    ("CAF", "PCM_16", ".caf"),
    ("FLAC", "PCM_16", ".flac"),
    ("OGG", "VORBIS", ".ogg"),
    ("OGG", "OPUS", ".opus"),
    ("MP3", None, ".mp3"),
)
#: Subtype -> largest error of a sample, full scale 1.0 (None: it is not the same wave).
DEPTHS = {
    "PCM_U8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-22,
    "PCM_32": 2**-22,
    "FLOAT": 1e-6,
    "DOUBLE": 1e-6,
    "ALAW": 0.03,
    "ULAW": 0.03,
    "IMA_ADPCM": None,
    "MS_ADPCM": None,
}
RATES_HZ = (4000, 6000, 8000, 11025, 16000, 22050, 24414, 32000, 44100, 48000, 88200, 96000, 176400, 192000)
#: What people give a .wav name.
NO_SOUND = {
    "text": b"The recording is on the other disk.\n" * 9,
    "page": b"<!doctype html><html><body>404 Not Found</body></html>",
    "table": b"speech,label\r\n" + b"a.wav,happy\r\n" * 40,
    "PNG": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "JPEG": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 4,
    "GIF": b"GIF89a" + bytes(range(256)) * 4,
    "PDF": b"%PDF-1.7\n" + bytes(range(256)) * 4,
    "ZIP": b"PK\x03\x04" + bytes(range(256)) * 4,
    "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)) * 4,
    "M4A": b"\x00\x00\x00\x20ftypM4A " + bytes(range(256)) * 4,
    "WebM": b"\x1aE\xdf\xa3" + bytes(range(256)) * 4,
}
#: Names that shells, pages, terminals and programs stumble over; {} is a number that keeps them apart.
NAMES = (
    "{} with  spaces",
    '{} it\'s "quoted"',
    "{}\ttab",
    "two\nlines {}",
    "{}\r\n\x1b[31mred\x1b[0m",
    "{} 🙂 👩‍👩‍👧 emoji",
    "{} שלום \u202egnp.wav",
    "-rf {}",
    "--json{}",
    "$(touch canary) {} `touch canary`;touch canary|",
    "{} %s %d {{x}} {{0}} \\n",
    "{}*?[a]~#&<b>",
    "<img src=x onerror=alert({})>",
    "=cmd|' {}'!A1",
    "{} x" + "x" * 240,
    "{} ä" + "ä" * 110,
    "{} .",
    "{}.mp3.txt",
)


@dataclass(frozen=True)
class Made:
    """A file that `fill` wrote.

    Attributes
    ----------
    kind : str
        What was done to it.
    must : str
        GOOD, BAD or EITHER.
    y : np.ndarray [shape=(n,)], optional
        The samples that a good one holds.
    within : float
        How far they may be off.
    """

    kind: str
    must: str
    y: np.ndarray | None = None
    within: float = 0.0


def encoded(y, rate_hz, format="WAV", subtype="PCM_16"):
    """The bytes of a sound file; `y` [shape=(n,) or (n, channels)]."""
    file = io.BytesIO()
    soundfile.write(file, y, rate_hz, format=format, subtype=subtype)
    return file.getvalue()


def _container(rng, y, rate_hz):
    """A whole file of one of CONTAINERS: bytes, suffix, the entry."""
    entry = CONTAINERS[rng.integers(len(CONTAINERS))]
    format, subtype, suffix = entry
    if subtype == "OPUS" or format == "MP3":
        rate_hz = 48000  # both know few rates
    return encoded(y, rate_hz, format, subtype), suffix, entry


# Each of these gives suffix, bytes, and the Made without its kind.


def plain(rng, y, rate_hz):
    return ".wav", encoded(y, rate_hz), (GOOD, y, 2**-15)


def every_format(rng, y, rate_hz):
    """Any rate, depth and number of channels, whose mean is the clip."""
    format, suffix = (
        ("WAV", ".wav"),
        ("AIFF", ".aif"),
        ("W64", ".w64"),
        ("RF64", ".wav"),
        ("FLAC", ".flac"),
        ("AU", ".au"),
        ("CAF", ".caf"),
        ("WAVEX", ".wav"),
    )[rng.integers(8)]
    known = [name for name in DEPTHS if soundfile.check_format(format, name)]
    subtype = known[rng.integers(len(known))]
    rate_hz, channels = int(rng.choice(RATES_HZ)), int(rng.integers(1, 9))
    if "ADPCM" in subtype:
        channels = min(channels, 2)
    y = 0.8 * y[: max(rate_hz // 4, 300_000 // channels)]
    apart = 0.1 * rng.uniform(-1, 1, (1, channels)) * np.ones((len(y), 1))
    both = y[:, np.newaxis] + apart - apart.mean(axis=1, keepdims=True)
    within = DEPTHS[subtype]
    return suffix, encoded(both, rate_hz, format, subtype), (GOOD, None if within is None else y, within or 0.0)


def packed(rng, y, rate_hz):
    """OGG and MP3 at the rates that they know."""
    format, subtype, suffix, rates = (
        ("OGG", "VORBIS", ".ogg", RATES_HZ[2:]),
        ("OGG", "OPUS", ".opus", (8000, 12000, 16000, 24000, 48000)),
        ("MP3", None, ".mp3", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)),
    )[rng.integers(3)]
    channels = int(rng.integers(1, 3 if format == "MP3" else 9))
    rate_hz = int(rng.choice(rates))
    return suffix, encoded(np.column_stack([y] * channels), rate_hz, format, subtype), (GOOD,)


def wrong_suffix(rng, y, rate_hz):
    data, suffix, _ = _container(rng, y, rate_hz)
    others = [other for *_, other in CONTAINERS if other != suffix]
    return others[rng.integers(len(others))], data, (GOOD,)


def cut(rng, y, rate_hz):
    """Ends at any byte. Ogg and MP3 do not say how long they are meant to be; a tenth of a second may be missing."""
    data, suffix, (format, *_) = _container(rng, y, rate_hz)
    keep = int(rng.integers(0, len(data)))
    missing = 1 - keep / len(data)
    told = format not in ("OGG", "MP3") and missing > 0.02 and missing * len(y) / rate_hz > 0.11
    return suffix, data[:keep], (BAD if told or keep < 64 else EITHER,)


def header_flipped(rng, y, rate_hz):
    data, suffix, _ = _container(rng, y, rate_hz)
    data = bytearray(data)
    for at in rng.integers(0, 100, rng.integers(1, 9)):
        data[at] ^= 1 << rng.integers(8)
    return suffix, bytes(data), (EITHER,)


def header_field(rng, y, rate_hz):
    """A field of a WAV header with a number that makes trouble."""
    data = bytearray(encoded(y, rate_hz))
    at, size = ((4, 4), (16, 4), (20, 2), (22, 2), (24, 4), (28, 4), (32, 2), (34, 2), (40, 4))[rng.integers(9)]
    value = int(rng.choice([0, 1, 2, 3, 255, 256, 1024, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]))
    data[at : at + size] = (value % 256**size).to_bytes(size, "little")
    return ".wav", bytes(data), (EITHER,)


def bytes_overwritten(rng, y, rate_hz):
    data, suffix, _ = _container(rng, y, rate_hz)
    at, junk = int(rng.integers(0, len(data))), rng.bytes(int(rng.integers(1, 2000)))
    return suffix, data[:at] + junk + data[at + len(junk) :], (EITHER,)


def bytes_missing(rng, y, rate_hz):
    data, suffix, _ = _container(rng, y, rate_hz)
    at = int(rng.integers(0, len(data)))
    return suffix, data[:at] + data[at + int(rng.integers(1, 5000)) :], (EITHER,)


def zeroed(rng, y, rate_hz):
    """What a disk without room, or a torrent that is not done, leaves."""
    data, suffix, (format, *_) = _container(rng, y, rate_hz)
    if rng.random() < 0.5:
        return suffix, bytes(int(rng.integers(0, len(data)))), (BAD,)
    first = int(rng.integers(512, len(data)))
    return suffix, bytes(first) + data[first:], (EITHER if format == "MP3" else BAD,)


def noise_bytes(rng, y, rate_hz):
    return ".wav", rng.bytes(int(rng.integers(1, 4000))), (EITHER,)


def no_sound(rng, y, rate_hz):
    what = list(NO_SOUND)[rng.integers(len(NO_SOUND))]
    return ".wav", NO_SOUND[what] + str(rng.integers(1e9)).encode(), (BAD,)


def no_numbers(rng, y, rate_hz):
    y = y.astype(np.float64)
    y[rng.integers(0, len(y), rng.integers(1, 5))] = rng.choice([np.nan, np.inf, -np.inf])
    return ".wav", encoded(y, rate_hz, subtype=rng.choice(["FLOAT", "DOUBLE"])), (BAD,)


def beyond_measure(rng, y, rate_hz):
    """Finite samples whose power is not."""
    return ".wav", encoded(y * 10.0 ** rng.uniform(20, 37), rate_hz, subtype="FLOAT"), (BAD,)


def full_scale_of_integers(rng, y, rate_hz):
    """A float file whose samples were never divided by 32768: certain where they are whole numbers, else refused."""
    whole = np.round(y * 32768)
    if rng.random() < 0.5:
        return ".wav", encoded(whole, rate_hz, subtype="FLOAT"), (GOOD, whole / 32768, 0.01)
    return ".wav", encoded(whole * 0.99, rate_hz, subtype="FLOAT"), (BAD,)


def silent(rng, y, rate_hz):
    kind, n = rng.integers(4), int(rng.integers(len(y) // 2, len(y)))
    y = (
        np.zeros(n),
        np.full(n, rng.uniform(-0.9, 0.9)),
        5e-5 * rng.uniform(-1, 1, n),
        np.full(n, 0.5) + 5e-5 * rng.uniform(-1, 1, n),
    )[kind]
    return ".wav", encoded(y, rate_hz, subtype="FLOAT" if kind else "PCM_16"), (BAD,)


def clipped(rng, y, rate_hz):
    y = np.clip(y * 10.0 ** rng.uniform(0.5, 2), -1, 1 - 2**-15)  # more, and two of a clip are the same
    return ".wav", encoded(y, rate_hz), (GOOD, y, 2**-14)


def offset(rng, y, rate_hz):
    """A microphone with a constant offset."""
    y = 0.4 * y + np.float32(rng.uniform(-0.5, 0.5))
    return ".wav", encoded(y, rate_hz), (GOOD, y, 2**-15)


def too_short(rng, y, rate_hz):
    n = int(rng.choice([0, 1, 2, 15, 16, int(rng.integers(17, int(0.099 * rate_hz)))]))
    return ".wav", encoded(y[:n], rate_hz), (BAD,)


def just_long_enough(rng, y, rate_hz):
    n = int(np.ceil(0.1 * rate_hz)) + int(rng.integers(0, 100))
    return ".wav", encoded(y[-n:], rate_hz), (GOOD, y[-n:], 2**-15)


def streamed(rng, y, rate_hz):
    """What a program writes to a pipe: the length in the header is unknown."""
    kind = rng.integers(5)
    if kind < 2:
        data = bytearray(encoded(y, rate_hz))
        data[40:44] = (0x7FFFFFFF, 0xFFFFFFFF)[kind].to_bytes(4, "little")
        return ".wav", bytes(data), (GOOD, y, 2**-15)
    if kind == 2:
        data = bytearray(encoded(y, rate_hz, "AU"))
        data[8:12] = b"\xff" * 4
        return ".au", bytes(data), (GOOD, y, 2**-15)
    data = bytearray(encoded(y, rate_hz, "FLAC"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # STREAMINFO: 36 bits for the number of samples
    return ".flac", bytes(data), (GOOD, y, 2**-15)


def promises(rng, y, rate_hz):
    """A header that promises far more sound than there is."""
    kind = rng.integers(3)
    if kind == 0:
        data = bytearray(encoded(y, rate_hz))
        data[40:44] = int(rng.integers(2**24, 2**31 - 2)).to_bytes(4, "little")
        return ".wav", bytes(data), (BAD,)
    if kind == 1:
        data = bytearray(encoded(y, rate_hz, "W64"))
        data[16:24] = int(rng.integers(2**32, 2**62)).to_bytes(8, "little")
        return ".w64", bytes(data), (BAD,)
    data = bytearray(encoded(y, rate_hz, "FLAC"))
    data[21] |= int(rng.integers(1, 16))
    return ".flac", bytes(data), (BAD,)


def tagged(rng, y, rate_hz):
    """Whole files with more around the sound: ID3, LIST, junk behind the end."""
    kind, junk = rng.integers(3), rng.bytes(300)
    if kind == 0:
        tag = b"ID3\x03\x00\x00" + bytes([0, 0, 2, 44]) + bytes(300)
        return ".mp3", tag + encoded(y, 44100, "MP3", None), (GOOD,)
    data = encoded(y, rate_hz)
    if kind == 1:
        data += b"LIST" + struct.pack("<I", 300) + junk
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    else:
        data += junk
    return ".wav", data, (GOOD, y, 2**-15)


#: What is done to a clip; those that stand twice are drawn twice as often.
KINDS = (
    *(plain, plain, every_format, every_format, packed, wrong_suffix, cut, cut, header_flipped, header_flipped),
    *(header_field, bytes_overwritten, bytes_missing, zeroed, noise_bytes, no_sound, no_numbers, beyond_measure),
    *(full_scale_of_integers, silent, clipped, offset, too_short, just_long_enough, streamed, promises, tagged),
)


def fill(folder, clips, *, count, seed):
    """Write a folder corpus of odd files, and of what is no file at all.

    Parameters
    ----------
    folder : Path
        Made; gets a folder for each of three labels.
    clips : list of (np.ndarray [shape=(n,)], int)
        Good clips, mono, full scale 1.0, at least 0.4 s, and their rates in Hz.
    count : int
        How many files of KINDS.
    seed : int

    Returns
    -------
    dict of Path -> Made
    """
    rng, made = np.random.default_rng(seed), {}
    for label in ("happy", "sad", "angry"):
        (folder / label).mkdir(parents=True)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        y, rate_hz = clips[rng.integers(len(clips))]
        y = (y * (rng.uniform(0.5, 0.95) / abs(y).max())).astype(np.float32)  # another one each time
        suffix, data, result = kind(rng, y, rate_hz)
        name = NAMES[number % len(NAMES)] if number % 3 == 0 else "{}"
        path = folder / ("happy", "sad", "angry")[number % 3] / (name.format(number) + suffix)
        path.write_bytes(data)
        made[path] = Made(kind.__name__, *result)
    here = folder / "sad"
    for name, target in (
        ("dangling.wav", "nowhere.wav"),
        ("circle.wav", "circle.wav"),
        ("one.wav", "two.wav"),
        ("two.wav", "one.wav"),
    ):
        (here / name).symlink_to(target)
        made[here / name] = Made("link", BAD)
    os.mkfifo(here / "pipe.wav")
    made[here / "pipe.wav"] = Made("pipe", BAD)
    (here / "device.wav").symlink_to("/dev/zero")
    made[here / "device.wav"] = Made("device", BAD)
    (here / "circle").symlink_to(folder, target_is_directory=True)
    made[here / "circle"] = Made("link", BAD)
    (here / "folder.wav").mkdir()
    raw = Path(os.fsdecode(os.fsencode(here) + b"/latin \xe9.wav"))
    raw.write_bytes(encoded(clips[0][0] * 0.3, clips[0][1]))
    made[raw] = Made("name that is no UTF-8", BAD)
    return made


def hours(folder, clip):
    """Two recordings of an hour, small on disk.

    Parameters
    ----------
    folder : Path
    clip : (np.ndarray [shape=(n,)], int)

    Returns
    -------
    dict of Path -> Made
    """
    y, made = np.resize(clip[0], 60 * 8000), {}
    y = (32000 * (y * (0.5 / abs(y).max()))).astype(np.int16)
    for name, format, subtype, rate_hz in (
        ("hour.flac", "FLAC", "PCM_16", 8000),
        ("another hour.wav", "WAV", "PCM_U8", 4000),
    ):
        with soundfile.SoundFile(folder / name, "w", rate_hz, 1, subtype, format=format) as sound:
            for _ in range(3600 * rate_hz // len(y)):
                sound.write(y)
        made[folder / name] = Made("an hour", GOOD)
    return made


def speech(folder, *, limit=12):
    """Clips to damage: the middle second of some files below a folder, as (samples, rate in Hz)."""
    found = sorted(Path(folder).rglob("*.wav"))
    clips = []
    for path in found[:: max(1, len(found) // limit)]:
        y, rate_hz = soundfile.read(path, dtype="float32")
        middle = len(y) // 2
        clips.append((y[max(0, middle - rate_hz // 2) : middle + rate_hz // 2], rate_hz))
    return clips


if __name__ == "__main__":
    from serlib.corpora import index

    to, count, seed = Path(sys.argv[1]), *map(int, [*sys.argv[2:], 100, 0][:2])
    for path, what in fill(to, speech(Path(index("sample").speech[0]).parent.parent), count=count, seed=seed).items():
        print(f"{what.must:6} {what.kind:24} {str(path)!r}")
