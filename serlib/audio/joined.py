"""Recordings that were joined into one file with `cat`, of which a decoder may stop after the first without a word."""

import re
import struct

#: Containers of which FFmpeg reads all recordings, where libsndfile reads the first. Of FLAC it loses the last
#: quarter of a second of each recording but one.
READ_ON = ("MP3", "Ogg")

# WavPack marks so the first of the blocks that belong together, one for two channels.
_WITH_BIT_3 = re.escape(bytes(byte for byte in range(256) if byte & 8))
# Container -> the first bytes of a file, how any file of the kind begins, and what there is of a recording in between
# (a container may begin with several beginnings, one a track).
_BEGINNINGS = {
    "FLAC": (b"fLaC", rb"fLaC[\x00\x80]\x00\x00\x22", None),
    "Ogg": (b"OggS", rb"OggS\x00\x02\x00{8}", rb"OggS\x00[\x00\x01\x04\x05]"),
    "MP4 (M4A)": (b"ftyp", rb"ftyp(M4|mp4|iso|qt  |3g|f4|dash|mmp4|MSNV|avc1)", None),
    "CAF": (b"caff", rb"caff\x00\x01\x00\x00desc", None),
    "WMA": (b"0&\xb2u", rb"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel", None),
    "FLV": (b"FLV\x01", rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09", None),
    "AMR": (b"#!AMR", rb"#!AMR(-WB)?\n", None),
    "AU": (b".snd", rb"\.snd\x00\x00\x00", None),
    "VOC": (b"Creative", rb"Creative Voice File\x1a", None),
    "TTA": (b"TTA1", rb"TTA1[\x01\x02]\x00", None),
    "WavPack": (b"wvpk", rb"wvpk.{6}\x00.{5}\x00{4}.{5}[%b]" % _WITH_BIT_3, None),
}
# Two frames of MP3; whether the one that holds the length is counted in it depends on the encoder.
_FRAMES_BYTES = 2 * 1441


def second(data):
    """The container, such as "MP3", of a file in which another recording follows the first one; None elsewhere.

    Its bytes, in memory or mapped, are searched, nothing is decoded; of WAV, AIFF and MP3 only their headers.
    """
    end = _end_of_chunks(data)
    if end:  # the byte that makes a length even may be missing
        match = re.search(rb"RIFF.{4}WAVE|FORM.{4}AIF[FC]", data[end - 1 : end + 13], re.DOTALL)
        return {b"RIFF": "WAV", b"FORM": "AIFF"}[match[0][:4]] if match else None
    start = _after_tags(data)
    head = data[start : start + 12]
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2:  # the first frame of MPEG layer III
        return "MP3" if _mp3_follows(data, start) else None
    for name, (magic, beginning, between) in _BEGINNINGS.items():
        if head.startswith(magic) or head[4:].startswith(magic):
            at = start + 8 if between is None else _search(data, between, start)
            return name if at is not None and _search(data, beginning, at) is not None else None
    return None


def behind(data):
    """How many bytes lie behind the last chunk of a WAV or AIFF: a recorder that crashed did not write their number.

    0 for other containers, and where these bytes are zeros, as a disk fills up with.
    """
    end = _end_of_chunks(data)
    return len(data) - end if end and any(data[end : end + 2**20]) else 0


def _search(data, pattern, start):
    """Where a pattern first occurs from a byte on; None where it does not."""
    match = re.compile(pattern, re.DOTALL).search(data, start)
    return match.start() if match else None


def _after_tags(data):
    """Where the sound begins behind tags of ID3 version 2."""
    at = 0
    while (head := data[at : at + 10]).startswith(b"ID3") and len(head) == 10:
        a, b, c, d = head[6:]  # seven bits each
        at += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 0x10 else 0)
    return at


def _end_of_chunks(data):
    """Where the chunks of a WAV or AIFF end; None for other containers."""
    if not re.match(rb"RIFF.{4}WAVE|FORM.{4}AIF[FC]", data[:12], re.DOTALL):
        return None
    order = "<" if data[:4] == b"RIFF" else ">"
    at = 12
    while len(chunk := data[at : at + 8]) == 8:
        name, length = struct.unpack(f"{order}4sI", chunk)
        if name in (b"RIFF", b"FORM") or not all(32 <= byte < 127 for byte in name):
            break
        if (name, length) == (b"data", 0):  # written to a pipe: to the end of the file
            return len(data)
        at += 8 + length + length % 2
    return at


def _mp3_follows(data, start):
    """Whether frames follow where the length in the first frame of an MP3 (Xing, Info or VBRI) says that it ends."""
    head = data[start : start + 250]
    match = re.search(rb"(?:Xing|Info)...[\x02\x03\x06\x07\x0a\x0b\x0e\x0f]|VBRI", head, re.DOTALL)
    if not match:  # libsndfile counts the frames
        return False
    at = match.end()
    if match[0] == b"VBRI":
        at += 6
    elif match[0][-1] & 1:  # the number of frames comes first
        at += 4
    length = int.from_bytes(head[at : at + 4], "big")
    end = start + length
    if data[end : end + 3] == b"TAG":  # ID3 version 1
        end += 128
    if not length or len(data) - end < _FRAMES_BYTES:
        return False
    same = b"\xff[%b%b]" % (re.escape(head[1:2]), re.escape(bytes([head[1] ^ 1])))
    return re.search(rb"ID3[\x02-\x04]\x00|" + same, data[end : end + 4096], re.DOTALL) is not None
