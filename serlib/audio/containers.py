"""From a file of any container to mono samples, or one sentence that says what the file is.

libsndfile decodes what it knows; anything else goes through PyAV, which carries FFmpeg.
"""

import contextlib
import errno
import hashlib
import math
import mmap
import os
import re
import stat

import numpy as np

from serlib.audio import joined
from serlib.utils import SerlibError, shown

#: Outside of these rates a header is wrong; telephones have 8000 Hz, studios up to 192000 Hz.
LOWEST_HZ = 2_000
HIGHEST_HZ = 768_000
#: What is decoded at once at most: three hours, and not more than 2 GiB of memory (three hours at 48 kHz). A small file
#: can promise years of silence.
LONGEST_S = 3 * 3600
MOST_SAMPLES = 2**29
#: How much of the sound that a header promises may be missing: 1 %, or this long; the rest is used with a note.
SLACK_S = 0.1

#: What may hold sound. A file with one of these suffixes is indexed or rejected with a reason; any other file
#: (README.txt, .csv, .zip, Thumbs.db) is passed over.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".w64", ".rf64", ".bwf", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".voc", ".sph"),
    *(".flac", ".wv", ".tta", ".ape", ".tak", ".shn", ".ogg", ".oga", ".ogv", ".opus", ".spx", ".mp3", ".mp2", ".mpga"),
    *(".m4a", ".m4b", ".m4p", ".m4r", ".m4v", ".mp4", ".mov", ".qt", ".3gp", ".3gpp", ".3g2", ".aac", ".adts", ".latm"),
    *(".webm", ".weba", ".mkv", ".mka", ".wma", ".wmv", ".asf", ".avi", ".flv", ".f4v", ".mpg", ".mpeg", ".vob"),
    *(".m2ts", ".mts", ".ac3", ".eac3", ".ec3", ".dts", ".amr", ".awb", ".gsm", ".g722", ".g726", ".dss", ".ds2"),
    *(".qcp", ".ra", ".rm", ".rmvb", ".sox", ".mxf", ".mpc", ".oma", ".dsf", ".dff", ".raw", ".pcm"),
)

# Formats that FFmpeg may take a file for. Not all that it knows: a playlist would make it fetch other files, a picture
# or a text holds no sound.
_DEMUXERS = (
    *("aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dsf", "dss", "dts", "dtshd"),
    *("eac3", "flac", "flv", "gsm", "iff", "ircam", "latm", "loas", "matroska", "mlp", "mov", "mp3", "mpc", "mpc8"),
    *("mpeg", "mpegts", "mxf", "nistsphere", "nut", "ogg", "oma", "qcp", "rm", "shn", "sox", "swf", "tak", "truehd"),
    *("tta", "voc", "w64", "wav", "wsd", "wv", "xwma"),
)
# Formats of a single codec without a header, which only the file's name can tell.
_HEADERLESS = {".g722": "g722", ".g726": "g726"}
# Samples alone: nothing tells their rate, their size and their channels.
_RAW = (".raw", ".pcm")
# Formats whose header says how long the sound is, rather than FFmpeg guessing it from the bit rate.
_DECLARE_LENGTH = ("mov", "matroska", "wav", "flac", "flv", "rm", "wv", "tta", "ape", "tak", "caf")

# PyAV looks for the last plane of a frame by a null pointer, which FFmpeg has room for behind at most seven of them; it
# would read whatever lies behind more, and the process may die.
_MOST_PLANES = 7
# Bytes a second that sound takes at least; the packets of a smaller file need not be counted.
_LEAST_BYTES = 500

# What is no sound though its name says so, and the mend. Keys are (offset in the file, first bytes).
_ELSEWHERE = "move it out of the recordings"
_LOOKALIKES = {
    (0, b"\x89PNG"): ("is a PNG picture", _ELSEWHERE),
    (0, b"\xff\xd8\xff"): ("is a JPEG picture", _ELSEWHERE),
    (0, b"GIF8"): ("is a GIF picture", _ELSEWHERE),
    (8, b"WEBP"): ("is a WebP picture", _ELSEWHERE),
    (0, b"%PDF"): ("is a PDF document", _ELSEWHERE),
    (0, b"PK\x03\x04"): ("is a ZIP archive", "unpack it first"),
    (0, b"\x1f\x8b"): ("is a gzip archive", "unpack it first"),
    (0, b"/annex/objects/"): ("is a git-annex pointer, not the recording itself", "run `git annex get`"),
    (0, b"version https://git-lfs"): ("is a Git LFS pointer, not the recording itself", "run `git lfs pull`"),
}
# What holds sound, so that a file which cannot be read must be damaged.
_CONTAINERS = {
    (0, (b"RIFF", b"RIFX", b"RF64")): "WAV",
    (0, b"FORM"): "AIFF",
    (0, b"fLaC"): "FLAC",
    (0, b"OggS"): "Ogg",
    (0, b"caff"): "CAF",
    (4, b"ftyp"): "MP4 (M4A)",
    (0, b"\x1aE\xdf\xa3"): "WebM (Matroska)",
    (0, b"0&\xb2u"): "WMA",
    (0, b"#!AMR"): "AMR",
    (0, (b"\xff\xf1", b"\xff\xf9")): "AAC",
    (0, (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")): "MP3",
}

# libsndfile's log, where a chunk promises more bytes than the file has: "data : 60000 (should be 956)". Of W64 it
# compares the whole ("riff", in small letters), of RF64 the number of samples.
_CUT_SHORT = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(?P<promised>\d+) \(should be (?P<present>\d+)\)"
    r"|Calculated frame count (?P<frames>\d+) does not match value from 'ds64' chunk of (?P<all_frames>\d+)",
    re.MULTILINE,
)
# Of FLAC without a length libsndfile says that it has 2^63 - 1 samples.
_UNKNOWN = 2**62
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
        elif getattr(error, "errno", 0) == errno.ENAMETOOLONG:
            why = "has a longer path than this system allows; shorten it"
        raise SerlibError(f"{shown(path)} {why}") from None


def file_digest(file):
    """BLAKE2b of an open file's bytes, 32 hex digits: what tells clips apart. The file stands at its beginning then."""
    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    file.seek(0)
    return digest


def path_digest(path):
    """`file_digest` of the file at a path."""
    with opened(path) as file:
        return file_digest(file)


def blocks(file, name, *, offset_s=0.0, duration_s=None, channel=None, notes=None):
    """Decode an open file piece by piece: an hour of sound takes no more memory than a minute.

    Parameters
    ----------
    file : binary file
        On a disk: libsndfile reads it itself, without calling back into Python.
    name : str or Path
        What messages call it.
    offset_s, duration_s, channel, notes
        As in `load`.

    Yields
    ------
    (np.ndarray [shape=(n,)], int)
        Mono samples, float32, and their rate in Hz; at least once. Full scale is 1.0, unless the file holds floats
        that were never scaled. SerlibError where the file is no sound, is cut short (which may show at the end only),
        or lasts longer than `longest_s`.
    """
    notes = [] if notes is None else notes
    if not (0 <= offset_s < math.inf and 0 <= (duration_s or 0) < math.inf):
        raise SerlibError(f"A part of {duration_s} s from {offset_s} s on was asked for; choose numbers from 0")
    with _mapped(file) as data:
        if _ends_within_a_page(data):
            raise SerlibError(_cut_short(name, "its last page is not whole"))
        container = joined.second(data)
        size = len(data)
        rest = joined.behind(data)
    with _decoder(file, name, container, notes, whole=duration_s is None) as sound:
        sound.check(notes)
        rate_hz = sound.rate_hz
        start = int(offset_s * rate_hz)
        length = None if duration_s is None else int(duration_s * rate_hz)
        if sound.frames is not None:  # rounding as in librosa.load, so that the same samples are read
            start = min(start, sound.frames)
            length = sound.frames - start if length is None else min(length, sound.frames - start)
        most = longest_s(rate_hz) * rate_hz
        if (length or 0) > most:
            raise SerlibError(too_long(name, rate_hz))
        count = 0
        for frames in sound.read(start, length):
            count += len(frames)
            if count > most:
                raise SerlibError(too_long(name, rate_hz))
            yield _one_channel(frames, name, channel), rate_hz
        sound.check_length(count, start, length)
        used_s = (start + count) / rate_hz
        rest_s = used_s * rest / (size - rest)
        if duration_s is None and rest_s > max(SLACK_S, 0.01 * used_s):
            notes.append(f"goes on behind the end that its header names; about {rest_s:.1f} s more are not used")


@contextlib.contextmanager
def _mapped(file):
    """The bytes of an open file without reading them into memory."""
    if not os.fstat(file.fileno()).st_size:
        yield b""
        return
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as data:  # some network disks share no memory
        yield data


def _decoder(file, name, container, notes, *, whole):
    """What decodes a file, all recordings of it where several of a container were joined."""
    if container is None:
        return _libsndfile(file, name) or _ffmpeg(file, name, whole=whole)
    if container not in joined.READ_ON:
        raise SerlibError(
            f"{shown(name)} is several recordings in {container}, joined as files, of which only the first could be "
            "read; keep them apart, or join them in a sound editor"
        )
    notes.append("is several recordings, joined as files; all are used")
    return _ffmpeg(file, name, whole=whole)


def samples_of(file, name, **part):
    """The samples of an open file in one array, and their rate in Hz; parameters as in `blocks`."""
    samples = bytearray()  # grows in place, where arrays that are put together would take twice the memory
    for block, rate_hz in blocks(file, name, **part):  # noqa: B007  the rate of them all
        samples += block.data
    return np.frombuffer(samples, np.float32) if samples else np.zeros(0, np.float32), rate_hz


def channels(file, name):
    """How many channels an open file has."""
    with _libsndfile(file, name) or _ffmpeg(file, name) as sound:
        return sound.channels


def longest_s(rate_hz):
    """How many seconds of sound are decoded at once at most."""
    return min(LONGEST_S, MOST_SAMPLES / max(rate_hz, 1))  # a damaged header may name a rate of 0


def looks_like_sound(head):
    """Whether a file that begins with these bytes (12 or more) may be a recording, whatever its name."""
    return any(head[at:].startswith(magic) for at, magic in _CONTAINERS)


def too_long(name, rate_hz):
    """The sentence for a recording that lasts longer than `longest_s`."""
    hours = longest_s(rate_hz) / 3600
    return f"{shown(name)} lasts longer than {hours:.1f} h, the most that is read at once; cut it into pieces"


class _Sound(contextlib.AbstractContextManager):
    """A file that is open for decoding: `rate_hz`, `channels`, `frames` (None where nothing tells how many)."""

    def __init__(self, name):
        self.name = name

    def __exit__(self, *_):
        self.close()

    def check(self, notes):
        """Refuse a header that cannot be true, and a file that is much shorter than its header says."""
        if not LOWEST_HZ <= self.rate_hz <= HIGHEST_HZ:
            raise SerlibError(
                f"{shown(self.name)} says it has {self.rate_hz} samples per second; expected {LOWEST_HZ} to "
                f"{HIGHEST_HZ}; its header is damaged: download it or record it again"
            )

    def _missing_s(self, present_s, promised_s):
        """Seconds of sound that are promised and not there; SerlibError where they are more than a little."""
        if promised_s - present_s > max(SLACK_S, 0.01 * promised_s):
            raise SerlibError(_cut_short(self.name, f"only {present_s / promised_s:.0%} of the sound is there"))
        return promised_s - present_s


class _Sndfile(_Sound):
    """What libsndfile reads."""

    def __init__(self, sound, name):
        super().__init__(name)
        self._sound = sound
        self.rate_hz = sound.samplerate
        self.channels = sound.channels
        self.frames = sound.frames if sound.frames < _UNKNOWN else None
        # soundfile looks up where it is after each read, which the end of a FLAC without a length does not bear.
        sound.seekable = lambda: False

    def close(self):
        self._sound.close()

    def check(self, notes):
        super().check(notes)
        for line in _CUT_SHORT.finditer(self._sound.extra_info):
            present = int(line["present"] or line["frames"])
            promised = int(line["promised"] or line["all_frames"])
            if self._sound.format in ("W64", "RF64") or not _placeholder(promised):
                present_s = self.frames / self.rate_hz
                missing_s = self._missing_s(present_s, present_s * promised / max(present, 1))
                if missing_s > 0:
                    notes.append(f"ends {1000 * missing_s:.3g} ms before its header says; used as it is")

    def read(self, start, length):
        import soundfile

        step = max(1, _BLOCK // self.channels)
        count = 0
        length = _UNKNOWN if length is None else length
        try:
            while start > 0:  # a damaged file may be read through, but not from the middle
                start -= len(self._sound.read(min(step, start), dtype="float32")) or start
            while count < length or not count:
                size = min(step, length - count)
                frames = self._sound.read(size, dtype="float32", always_2d=True)
                count += len(frames)
                yield frames
                if len(frames) < step:
                    break
        except (soundfile.LibsndfileError, RuntimeError):
            where = f"after {count / self.rate_hz:.1f} s" if count else "from its beginning"
            raise SerlibError(f"{shown(self.name)} is damaged {where}; download or copy it again") from None

    def check_length(self, count, start, length):
        # MP3 and Ogg promise a length too, give or take their padding.
        if self.frames is not None and count < 0.99 * length - 2304:
            raise SerlibError(_cut_short(self.name, f"only {count / length:.0%} of the sound is there"))


def _libsndfile(file, name):
    """The file as libsndfile reads it; None where it does not."""
    import soundfile

    if os.path.splitext(str(name))[1].lower() in _HEADERLESS:
        return None
    file.seek(0)
    try:
        sound = soundfile.SoundFile(file.fileno(), closefd=False)
    except (soundfile.LibsndfileError, ValueError, RuntimeError, MemoryError):
        return None
    if not sound.frames and os.fstat(file.fileno()).st_size > 200:
        # A recorder that streams to a pipe writes 0 for the length: libsndfile believes it, FFmpeg reads on.
        sound.close()
        return None
    return _Sndfile(sound, name)


def _ends_within_a_page(data):
    """Whether a file is Ogg and ends before its last page does. A page is at most 65,307 bytes long."""
    if data[:4] != b"OggS":
        return False
    end = data[-65307:]
    page = end[end.rfind(b"OggS") :]
    segments = page[26] if len(page) > 26 else 255
    return len(page) < 27 + segments + sum(page[27 : 27 + segments])


def _placeholder(promised):
    """Whether recorders that stream to a pipe write this length: 2^31 (sox, arecord) or 2^32 (FFmpeg) less a header."""
    return 0x7FFF0000 <= promised <= 0x80000000 or 0xFFFF0000 <= promised <= 0xFFFFFFFF


class _Ffmpeg(_Sound):
    """What FFmpeg reads, by way of PyAV."""

    def __init__(self, container, name):
        super().__init__(name)
        self._container = container
        self._stream = container.streams.best("audio")
        if self._stream is None:
            raise SerlibError(f"{shown(name)} has no track of sound; record it again with sound, or {_ELSEWHERE}")
        codec = self._stream.codec_context
        if codec is None:
            raise SerlibError(
                f"{shown(name)} holds sound in a codec for which there is no decoder, or is copy-protected; save it "
                "as WAV with the program that made it"
            )
        self.rate_hz = codec.sample_rate
        self.channels = codec.channels
        self.frames = None
        self._codec = codec.name

    def close(self):
        self._container.close()

    def read(self, start, length):
        import av

        packets = damaged = count = 0
        demuxed = self._container.demux(self._stream)
        while length is None or count < length:
            try:
                packet = next(demuxed)
            except StopIteration:
                break
            except av.error.FFmpegError:  # the file ends within a packet
                break
            except IndexError:  # PyAV's, for a stream that the header does not name
                raise SerlibError(
                    f"{shown(self.name)} is damaged {count / self.rate_hz:.1f} s from its beginning; copy it again, or "
                    "save it as WAV with the program that made it"
                ) from None
            packets += 1
            try:
                pieces = [(frame.sample_rate, _samples(frame)) for frame in packet.decode()]
            except (av.error.FFmpegError, ValueError, IndexError):  # the next packet may be whole
                damaged += 1
                continue
            for rate_hz, piece in pieces:
                if rate_hz != self.rate_hz:
                    raise SerlibError(f"{shown(self.name)} changes its sampling rate on the way; save it as WAV")
                frames = piece[start:]
                start = max(0, start - len(piece))
                frames = frames if length is None else frames[: length - count]
                count += len(frames)
                if len(frames):
                    yield frames
        if damaged > max(1, 0.01 * packets) or (damaged and not count and not start):
            raise SerlibError(
                f"{shown(self.name)} is damaged: {damaged} of {packets} packets of its codec ({self._codec}) are "
                "broken; copy it again, or save it as WAV with the program that made it"
            )
        if not count:
            yield np.zeros((0, self.channels), np.float32)

    def counted_s(self, most_s):
        """Seconds that the packets say they last, up to `most_s`; the container is read through then, not decoded."""
        import av

        lasts = 0
        most = most_s / self._stream.time_base
        try:
            for packet in self._container.demux(self._stream):
                lasts += packet.duration or 0
                if lasts > most:
                    break
        except (av.error.FFmpegError, IndexError):  # as in `read`
            pass
        return float(lasts * self._stream.time_base)

    def check_length(self, count, start, length):
        promised_s = self.declared_s()
        if promised_s is not None and length is None:
            self._missing_s((start + count) / self.rate_hz, promised_s)

    def declared_s(self):
        """Seconds of sound that the header promises; None where it promises none."""
        if self._container.format.name.split(",")[0] not in _DECLARE_LENGTH:
            return None
        if self._codec.startswith("pcm") and self._stream.frames:
            return self._stream.frames / self.rate_hz
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration and len(self._container.streams) == 1:  # pictures may last longer than the sound
            return self._container.duration / 1e6
        return None


class _Seekable:
    """A file for PyAV: where a damaged header sends it before the beginning it says so, rather than raising."""

    def __init__(self, file):
        self._file = file
        self.read = file.read
        self.tell = file.tell

    def seek(self, offset, whence=os.SEEK_SET):
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1


def _ffmpeg(file, name, *, whole=False):
    """The file as FFmpeg reads it; SerlibError says what the file is where it does not.

    Where the whole is wanted and the header tells no length, the packets of a large file are counted first, in a tenth
    of the time of decoding.
    """
    sound = _opened(file, name)
    most_s = longest_s(sound.rate_hz)
    lasts_s = sound.declared_s() if whole else 0
    if lasts_s is None and os.fstat(file.fileno()).st_size > most_s * _LEAST_BYTES:
        lasts_s = sound.counted_s(most_s)
        sound.close()
        sound = _opened(file, name)
    if (lasts_s or 0) > most_s:
        sound.close()
        raise SerlibError(too_long(name, sound.rate_hz))
    return sound


def _opened(file, name):
    if os.path.splitext(str(name))[1].lower() in _RAW:
        raise SerlibError(
            f"{shown(name)} holds samples without a header that tells their rate; save it as WAV, such as with "
            "`sox -r 16000 -e signed -b 16 -c 1 in.raw out.wav`"
        )
    import av

    file.seek(0)
    headerless = _HEADERLESS.get(os.path.splitext(str(name))[1].lower())
    options = {} if headerless else {"format_whitelist": ",".join(_DEMUXERS)}
    try:
        container = av.open(_Seekable(file), format=headerless, options=options, metadata_errors="replace")
        return _Ffmpeg(container, name)
    except (av.error.FFmpegError, ValueError, OSError, IndexError):  # what PyAV says of damaged headers
        raise SerlibError(_unread(file, name)) from None


def _samples(frame):
    """Samples of a frame of PyAV [shape=(n, channels)], float32, full scale 1.0 (of floats: as they are)."""
    if frame.format.is_planar and frame.layout.nb_channels > _MOST_PLANES:
        frame = _packed(frame)
    y = frame.to_ndarray()
    y = y.T if frame.format.is_planar else y.reshape(frame.samples, -1)
    if not np.issubdtype(y.dtype, np.integer):
        return y.astype(np.float32)
    half = 2.0 ** (8 * y.dtype.itemsize - 1)
    return (y / half - (y.dtype == np.uint8)).astype(np.float32)


def _packed(frame):
    """The same frame with all channels in one plane."""
    import av

    resampler = av.AudioResampler(format=frame.format.packed.name, layout=frame.layout)
    return resampler.resample(frame)[0]


def _one_channel(frames, name, channel):
    if channel is None:
        return frames.mean(axis=1) if frames.shape[1] > 1 else frames[:, 0].copy()
    if not 0 <= channel < frames.shape[1]:
        raise SerlibError(f"{shown(name)} has {frames.shape[1]} channels; there is no channel {channel} (from 0)")
    return frames[:, channel].copy()


def _cut_short(name, why):
    return f"{shown(name)} is cut short: {why}; download or copy it again"


def _unread(file, name):
    """What a file is that cannot be read as sound, and the mend."""
    file.seek(0)
    head = file.read(512)
    if not head:
        return f"{shown(name)} is empty (0 bytes); download or record it again"
    for (at, magic), (what, otherwise) in _LOOKALIKES.items():
        if head[at:].startswith(magic):
            return f"{shown(name)} {what}; {otherwise}"
    for (at, magic), what in _CONTAINERS.items():
        if head[at:].startswith(magic):
            return f"{shown(name)} is a damaged recording in {what}, or a part of it is missing; copy it again"
    if not any(byte < 9 or 13 < byte < 32 for byte in head):
        return f"{shown(name)} is text, no sound; {_ELSEWHERE}"
    unknown = "is no sound file that libsndfile or FFmpeg knows, or a damaged one"
    return f"{shown(name)} {unknown}; save it as WAV with the program that made it, or {_ELSEWHERE}"
