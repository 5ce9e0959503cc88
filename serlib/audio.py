"""Sound in: decode any container to mono float32, resample, trim, find the voice, cut windows."""

import contextlib
import hashlib
import os
import re
import shlex
import stat
import tempfile

import numpy as np

from serlib.utils import SerlibError, shown

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


def samples_of(file, name, *, offset_s=0.0, duration_s=None):
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


#: A clip whose loudest swing stays below this is silent: -80 dB of full scale, three steps of a 16-bit recorder.
SILENT_DB = -80.0
#: Shorter than a syllable: nothing can be heard in it, and a frame of 2048 samples would be mostly padding.
SHORTEST_S = 0.1
#: Samples beyond this are no sound: 32-bit integers that nobody scaled. The power of much larger ones is infinite.
LOUDEST = 2.0**31


def load(path, *, rate_hz=None, offset_s=0.0, duration_s=None):
    """Read a sound file.

    The content decides what it is, not the name: WAV (8, 16, 24, 32 bit, float), AIFF, FLAC, OGG, MP3 and whatever
    else libsndfile knows. Channels are averaged.

    Parameters
    ----------
    path : str or Path
    rate_hz : int, optional
        Resample to this rate. Default: the file's own.
    offset_s, duration_s : float, optional
        Read only this part, as `librosa.load` does; the rest of a long recording is not decoded. A part that lies
        behind the end is empty.

    Returns
    -------
    y : np.ndarray [shape=(n,)]
        Mono waveform, float32, full scale 1.0.
    rate_hz : int
        Samples per second of `y`.

    Raises
    ------
    SerlibError
        The file is missing, is no sound, or is cut short; the message names it and the mend.

    Taught in notebooks/02_eda.
    """
    with opened(path) as file:
        return _decode(file, path, rate_hz, offset_s, duration_s)


def decode(data, *, name="the recording", rate_hz=None, offset_s=0.0, duration_s=None):
    """The same as `load`, from bytes that were read already (a download, an upload, a microphone).

    Parameters
    ----------
    data : bytes
        The whole file.
    name : str or Path
        What messages call it.
    rate_hz, offset_s, duration_s
        As in `load`, and so is what comes back.
    """
    with tempfile.TemporaryFile(buffering=0) as file:  # libsndfile seeks where Python's own buffers would complain
        file.write(data)
        file.seek(0)
        return _decode(file, name, rate_hz, offset_s, duration_s)


def checked(path, content, *, rate_hz=None, offset_s=0.0, duration_s=None):
    """The same as `load`, for a file of an index that must still be the one that was indexed.

    Parameters
    ----------
    path : str or Path
    content : str
        What `digest` gave for the file then; another content now is a SerlibError.
    rate_hz, offset_s, duration_s
        As in `load`, and so is what comes back.
    """
    with opened(path) as file:
        written_ns = os.fstat(file.fileno()).st_mtime_ns
        if file_digest(file) == content:
            decoded = _decode(file, path, rate_hz, offset_s, duration_s)
            if os.fstat(file.fileno()).st_mtime_ns == written_ns:  # nobody wrote between the two readings
                return decoded
    raise SerlibError(f"{shown(path)} has changed since it was indexed; index the corpus again")


def _decode(file, name, rate_hz, offset_s, duration_s):
    """Decode an open file, and bring it to the rate that is asked for."""
    y, native_hz = samples_of(file, name, offset_s=offset_s, duration_s=duration_s)
    if rate_hz is None or rate_hz == native_hz:
        return y, native_hz
    return resample(y, from_hz=native_hz, to_hz=rate_hz), int(rate_hz)


def digest(data):
    """Name of a file's content: blake2b of its bytes, 32 hex digits. Finds duplicates; is the features' cache key."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def mono(y):
    """Samples of any type, with full scale 1.0 and one channel, as `load` gives them for the same samples in a file.

    Parameters
    ----------
    y : np.ndarray [shape=(n,) or (n, channels)]
        Floats with full scale 1.0, or integers: with a sign around 0, without one (8-bit WAV) around half their range.

    Returns
    -------
    np.ndarray [shape=(n,)], float32

    Examples
    --------
    >>> mono(np.array([[16384, 0], [-32768, -32768]], dtype=np.int16)).tolist()
    [0.25, -1.0]
    >>> mono(np.array([128, 192], dtype=np.uint8)).tolist()
    [0.0, 0.5]
    """
    y = np.asarray(y)
    if np.issubdtype(y.dtype, np.integer):
        half = 2.0 ** (8 * y.dtype.itemsize - 1)
        y = y / half - np.issubdtype(y.dtype, np.unsignedinteger)
    return np.asarray(y.mean(axis=1) if y.ndim == 2 else y, np.float32)


def fault(y, rate_hz):
    """Why a clip cannot be used.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int

    Returns
    -------
    str or None
        The end of a sentence that begins with the file's name, e.g. "is silent"; None for a clip that is fine.
    """
    if len(y) == 0:
        return "holds no samples"
    if not np.isfinite(y).all():
        return "holds NaN or infinite samples"
    if abs(y).max() > LOUDEST:
        return f"holds samples of {abs(y).max():.0e} times full scale"
    if len(y) < SHORTEST_S * rate_hz:
        return f"is shorter than {SHORTEST_S} s"
    # Peak to peak, so that a constant offset counts as silence too.
    if np.ptp(y) <= 2 * 10 ** (SILENT_DB / 20):
        return "is silent"
    return None


def resample(y, *, from_hz, to_hz):
    """Change the sampling rate with soxr's high quality filter, as `librosa.resample` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    from_hz, to_hz : int

    Returns
    -------
    np.ndarray [shape=(ceil(n * to_hz / from_hz),)], float32
    """
    import soxr

    y = np.asarray(y, dtype=np.float32)
    if from_hz == to_hz or len(y) == 0:
        return y
    length = int(np.ceil(len(y) * (float(to_hz) / from_hz)))
    out = soxr.resample(y, from_hz, to_hz, quality="HQ")[:length]
    return out if len(out) == length else np.concatenate([out, np.zeros(length - len(out), dtype=np.float32)])


def trim(y, *, rate_hz, top_db=30.0, frame_s=2048 / 22050, hop_s=512 / 22050):
    """Cut leading and trailing silence, as `librosa.effects.trim` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
        Mono waveform, float32, full scale 1.0.
    rate_hz : int
        Samples per second.
    top_db : float
        What lies this far below the loudest frame counts as silence, in dB.
    frame_s, hop_s : float
        Length of the frames whose loudness is measured and the step between them, in seconds; the defaults are
        librosa's 2048 and 512 samples at 22050 Hz.

    Returns
    -------
    np.ndarray [shape=(m,)], m <= n. A clip that is all silence comes back whole.

    Taught in notebooks/02_eda.
    """
    heard, hop = _heard(y, rate_hz, top_db, frame_s, hop_s)
    frames = np.flatnonzero(heard)
    return y[frames[0] * hop : (frames[-1] + 1) * hop] if len(frames) else y


def voice_activity(y, *, rate_hz, top_db=30.0, bridge_s=0.2, frame_s=2048 / 22050, hop_s=512 / 22050):
    """Find where somebody speaks, by loudness, as `librosa.effects.split` does.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    top_db : float
        What lies this far below the loudest frame counts as a pause, in dB.
    bridge_s : float
        Pauses up to this length belong to the speech around them (the closure of a plosive takes 0.1 s); 0 keeps
        every pause, as librosa does.
    frame_s, hop_s : float
        As in `trim`.

    Returns
    -------
    np.ndarray [shape=(intervals, 2)], int64. First sample of each interval and the one after its last.

    Taught in notebooks/02_eda.
    """
    heard, hop = _heard(y, rate_hz, top_db, frame_s, hop_s)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard, [0]])))
    intervals = np.minimum(edges.reshape(-1, 2) * hop, len(y)).astype(np.int64)
    intervals = intervals[intervals[:, 0] < intervals[:, 1]]  # the last frame may be centred on the very end
    if not len(intervals):
        return intervals
    apart = intervals[1:, 0] - intervals[:-1, 1] > bridge_s * rate_hz
    return np.column_stack([intervals[np.r_[True, apart], 0], intervals[np.r_[apart, True], 1]])


def _heard(y, rate_hz, top_db, frame_s, hop_s):
    """Which frames are louder than the loudest one less top_db, and the hop in samples."""
    frame, hop = max(2, round(frame_s * rate_hz)), max(1, round(hop_s * rate_hz))
    power = mean_power(y, frame=frame, hop=hop)
    loudest = max(power.max(initial=0.0), 1e-10)  # librosa's floor: amplitude 1e-5
    return np.maximum(power, 1e-10) > loudest * 10 ** (-top_db / 10), hop


def mean_power(y, *, frame, hop):
    """Mean square of each frame, centred on multiples of the hop, zeros outside the clip.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    frame, hop : int
        In samples.

    Returns
    -------
    np.ndarray [shape=(frames,)], float64. Running sums: the cost does not depend on the frame's length.
    """
    half = frame // 2
    sums = np.zeros(len(y) + 2 * half + 1)
    np.cumsum(np.square(y, dtype=np.float64), out=sums[half + 1 : half + 1 + len(y)])
    sums[half + 1 + len(y) :] = sums[half + len(y)]
    starts = np.arange(0, len(y) + 2 * half - frame + 1, hop)
    return (sums[starts + frame] - sums[starts]) / frame


def windows(y, *, rate_hz, window_s, hop_s):
    """Cut a long recording into overlapping windows of one length.

    Parameters
    ----------
    y : np.ndarray [shape=(n,)]
    rate_hz : int
    window_s, hop_s : float
        Length of a window and the step between windows, in seconds.

    Returns
    -------
    starts_s : np.ndarray [shape=(windows,)], float64
        Where each window starts, in seconds.
    pieces : list of np.ndarray
        Views into `y`. No sample is left out: where the steps do not come out even, one more window ends at the
        end. A recording shorter than one window is one piece, as short as it is.

    Taught in notebooks/09_live.
    """
    window, hop = round(window_s * rate_hz), round(hop_s * rate_hz)
    if window < 1 or hop < 1:
        raise SerlibError(f"windows of {window_s} s every {hop_s} s cannot be cut; both must be longer than a sample")
    if hop > window:
        raise SerlibError(f"windows of {window_s} s every {hop_s} s leave gaps; the step must not exceed the window")
    last = max(0, len(y) - window)
    starts = np.union1d(np.arange(0, last + 1, hop), last)
    return starts / rate_hz, [y[start : start + window] for start in starts]
