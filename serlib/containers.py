"""From a file of any container that libsndfile reads to mono samples, or one sentence that says what the file is."""

import contextlib
import hashlib
import os
import re
import shlex
import stat

import numpy as np

from serlib.base import SerlibError, shown

#: Outside of these rates a header is wrong; telephones have 8000 Hz, studios up to 192000 Hz.
LOWEST_HZ, HIGHEST_HZ = 2_000, 768_000
#: What is decoded at once at most, 2 GiB of memory: three hours at 48 kHz. A small file can promise years of silence.
MOST_SAMPLES = 2**29

# What people give a .wav name. Keys are (offset in the file, first bytes).
_CONVERT = "convert it with `ffmpeg -i {name} {converted}`"
_AGAIN = "expected a sound file; delete it or download it again"
_LOOKALIKES = {
    (4, b"ftyp"): ("an MP4 or M4A recording, which libsndfile cannot read", _CONVERT),
    (0, b"\x1aE\xdf\xa3"): ("a WebM or Matroska recording, which libsndfile cannot read", _CONVERT),
    (0, b"0&\xb2u"): ("a WMA recording, which libsndfile cannot read", _CONVERT),
    (0, b"#!AMR"): ("an AMR recording, which libsndfile cannot read", _CONVERT),
    (0, (b"\xff\xf1", b"\xff\xf9")): ("an AAC recording, which libsndfile cannot read", _CONVERT),
    (0, b"\x89PNG"): ("a PNG picture", _AGAIN),
    (0, b"\xff\xd8\xff"): ("a JPEG picture", _AGAIN),
    (0, b"GIF8"): ("a GIF picture", _AGAIN),
    (0, b"%PDF"): ("a PDF document", _AGAIN),
    (0, b"PK\x03\x04"): ("a ZIP archive", "unpack it first"),
    (0, b"\x1f\x8b"): ("a gzip archive", "unpack it first"),
}

# libsndfile's log, where a chunk promises more bytes than the file has: "data : 60000 (should be 956)". Of W64 it
# compares the whole ("riff", in small letters), of RF64 the number of samples.
_CUT_SHORT = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(?P<promised>\d+) \(should be (?P<held>\d+)\)"
    r"|Calculated frame count (?P<frames>\d+) does not match value from 'ds64' chunk of (?P<all_frames>\d+)",
    re.MULTILINE,
)
# Recorders that stream to a pipe write 0 or the largest number for the length; such files are whole. Of FLAC without
# a length libsndfile says that it has 2^63 - 1 samples.
_STREAMED, _UNKNOWN = 0x7FFFFFFF, 2**62
_BLOCK = 2**20


@contextlib.contextmanager
def opened(path):
    """Open a file for reading its bytes, unbuffered; SerlibError names what is missing or locked, and the mend."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):  # a pipe would keep us waiting
            raise SerlibError(f"{shown(path)} is no ordinary file; expected a sound file")
        with open(path, "rb", buffering=0) as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        why = f"cannot be read ({getattr(error, 'strerror', None) or error}); check its permissions"
        if isinstance(error, FileNotFoundError):
            why = "does not exist; check the path, or index the corpus again"
        elif isinstance(error, IsADirectoryError):
            why = "is a folder; expected a sound file"
        raise SerlibError(f"{shown(path)} {why}") from None


def file_digest(file):
    """BLAKE2b of an open file's bytes, 32 hex digits; the file stands at its beginning again."""
    digest = hashlib.blake2b(digest_size=16)
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def blocks(file, name, *, offset_s=0.0, duration_s=None):
    """Decode an open file piece by piece: an hour of sound takes no more memory than a minute.

    Parameters
    ----------
    file : binary file
        On a disk: libsndfile reads it itself, without calling back into Python.
    name : str or Path
        What messages call it.
    offset_s, duration_s : float, optional
        Only this part; what lies behind the end is empty.

    Yields
    ------
    (np.ndarray [shape=(n,)], int)
        Mono samples, float32, full scale 1.0, and their rate in Hz; at least once.

    Raises
    ------
    SerlibError
        The file is no sound, or is cut short. The latter may show at the end only.
    """
    import soundfile

    try:
        with soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            native_hz, whole = sound.samplerate, sound.frames
            _check(sound, name)
            # soundfile looks up where it is after each read, which the end of a FLAC without a length does not bear.
            sound.seekable = lambda: False
            # Rounding as in librosa.load, so that the same samples are read.
            start = min(int(offset_s * native_hz), whole)
            wanted = whole - start if duration_s is None else min(int(duration_s * native_hz), whole - start)
            step, skipped, held = max(1, _BLOCK // sound.channels), 0, 0
            while skipped < start:  # a damaged file may be read through, but not from the middle
                passed = len(sound.read(min(step, start - skipped), dtype="float32"))
                skipped += passed or start
            while held < wanted or not held:
                block = sound.read(min(step, wanted - held), dtype="float32", always_2d=True)
                held += len(block)
                yield block[:, 0].copy() if block.shape[1] == 1 else block.mean(axis=1), native_hz
                if len(block) < step:
                    break
    except (soundfile.LibsndfileError, ValueError, RuntimeError, MemoryError):
        raise SerlibError(_not_sound(file, name)) from None
    # MP3 and OGG promise a length too, give or take their padding.
    if whole < _UNKNOWN and held < 0.99 * wanted - 2304:
        raise SerlibError(_cut_short(name, f"only {held / wanted:.0%} of the sound is there"))


def mono(file, name, *, offset_s=0.0, duration_s=None):
    """The samples of an open file in one array.

    Parameters
    ----------
    file, name, offset_s, duration_s
        As in `blocks`.

    Returns
    -------
    y : np.ndarray [shape=(n,)]
        float32, full scale 1.0.
    rate_hz : int
    """
    samples = bytearray()  # grows in place, where arrays that are put together would take twice the memory
    for block, rate_hz in blocks(file, name, offset_s=offset_s, duration_s=duration_s):
        samples += block.data
        if len(samples) > 4 * MOST_SAMPLES:
            raise SerlibError(too_long(name, rate_hz))
    return np.frombuffer(samples, np.float32) if samples else np.zeros(0, np.float32), rate_hz


def too_long(name, rate_hz):
    """The sentence for a recording of more than MOST_SAMPLES."""
    hours = MOST_SAMPLES / rate_hz / 3600
    return f"{shown(name)} lasts longer than {hours:.1f} h, which is more than memory should hold; cut it into pieces"


def _check(sound, name):
    """Refuse a header that cannot be true, and a file that is shorter than its header says."""
    if not LOWEST_HZ <= sound.samplerate <= HIGHEST_HZ:
        raise SerlibError(
            f"{shown(name)} says it has {sound.samplerate} samples per second; expected {LOWEST_HZ} to {HIGHEST_HZ}; "
            "its header is damaged: download it or record it again"
        )
    for found in _CUT_SHORT.finditer(sound.extra_info):
        held, promised = int(found["held"] or found["frames"]), int(found["promised"] or found["all_frames"])
        streamed = promised >= _STREAMED and sound.format not in ("W64", "RF64")
        if not streamed and held < 0.99 * promised:
            raise SerlibError(_cut_short(name, f"only {held / promised:.0%} of the sound is there"))
    if "Ogg: Junk after the last page" in sound.extra_info:
        raise SerlibError(_cut_short(name, "its last page is not whole"))


def _cut_short(name, why):
    return f"{shown(name)} is cut short: {why}; download or copy it again"


def _not_sound(file, name):
    """What a file that libsndfile refuses is instead, and the mend."""
    file.seek(0)
    head = file.read(512)
    if not head:
        return f"{shown(name)} is empty (0 bytes); delete it or download it again"
    for (at, magic), (what, mend) in _LOOKALIKES.items():
        if head[at:].startswith(magic):
            # to be pasted into a shell, whatever the file is called
            quoted = [shlex.quote(text) for text in (shown(name), f"{os.path.splitext(shown(name))[0]}_converted.wav")]
            return f"{shown(name)} is {what}; {mend.format(name=quoted[0], converted=quoted[1])}"
    if not any(byte < 9 or 13 < byte < 32 for byte in head):
        return f"{shown(name)} is text; {_AGAIN}"
    return f"{shown(name)} is no sound file, or a damaged one; {_AGAIN}"
