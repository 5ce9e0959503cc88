"""From an archive to a folder: archives made to do harm, damaged ones, folders that hold something else."""

import contextlib
import io
import os
import shutil
import stat
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serlib import corpora
from serlib.corpora import archives, registry
from serlib.utils import SerlibError

CLIPS = 14


@pytest.fixture(autouse=True)
def _not_on_kaggle(home, monkeypatch):
    monkeypatch.setattr(registry, "KAGGLE_INPUT", home / "no" / "input")


@pytest.fixture(scope="module")
def clips(tmp_path_factory, tone_corpus):
    """Fourteen clips in the shape of TESS: {path in the archive: bytes}."""
    folder = tone_corpus(tmp_path_factory.mktemp("clips"), words=1)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.wav"))}


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """Bytes of a ZIP archive; `files` maps a name or a ZipInfo to bytes."""
    with io.BytesIO() as memory:
        with zipfile.ZipFile(memory, "w", compression) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return memory.getvalue()


def refused(call, *args, **options):
    """The one sentence of the SerlibError that a call ends in."""
    with pytest.raises(SerlibError) as caught:
        call(*args, **options)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600
    return message


def by_browser(home, data):
    """An archive that somebody has saved as data/tess.zip."""
    (home / "data").mkdir(exist_ok=True)
    (home / "data" / "tess.zip").write_bytes(data)


def left(home):
    """What lies in the data folder."""
    return sorted(path.name for path in (home / "data").iterdir()) if (home / "data").exists() else []


# from a name to a folder


def test_an_archive_from_the_browser_needs_no_network(home, clips):
    by_browser(home, zipped(clips))
    assert len(corpora.index("tess", corpora.download("tess"))) == CLIPS
    assert left(home) == ["tess", "tess.zip"], "the user's own archive stays"


def test_an_archive_of_something_else_from_the_browser_stays(home, clips):
    by_browser(home, zipped({"Actor_01/03-01-05-01-01-01-01.wav": next(iter(clips.values()))}))
    assert "holds ravdess" in refused(corpora.download, "tess")
    assert left(home) == ["tess.zip"]


def test_a_folder_that_holds_another_corpus(home, clips):
    by_browser(home, zipped(clips))
    folder = corpora.download("tess")
    assert "tess" in refused(corpora.download, "ravdess", to=folder).lower()
    assert len(list(folder.rglob("*.wav"))) == CLIPS


def test_a_folder_that_cannot_be_made(home):
    (home / "file").write_text("a file")
    assert "file" in refused(corpora.download, "tess", to=home / "file" / "tess")
    assert "is a file" in refused(corpora.download, "tess", to=home / "file")
    assert (home / "file").read_text() == "a file"


def test_files_of_the_user_stay(home):
    folder = home / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for force in (False, True):
        assert "holds other files" in refused(corpora.download, "tess", to=folder, force=force)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_files_of_the_user_in_a_folder_that_was_unpacked_stay(home, clips):
    by_browser(home, zipped(clips))
    place = archives.download("tess", show=False)
    for path in place.rglob("*.wav"):
        path.unlink()
    (place / "labels.csv").write_text("mine")
    (place / ".DS_Store").write_text("")
    with pytest.raises(SerlibError, match=r"labels\.csv is not of the archive and would be lost; move it elsewhere"):
        archives.download("tess", show=False)
    assert (place / "labels.csv").read_text() == "mine"
    (place / "labels.csv").unlink()
    assert any(archives.download("tess", show=False).rglob("*.wav"))


def test_what_cannot_be_downloaded(home):
    for name, entry in corpora.CORPORA.items():
        if entry.sources or entry.synthetic:
            continue
        message = refused(corpora.download, name)
        assert entry.homepage in message and f"data/{name}" in message
    assert "python -m serlib sample" in refused(corpora.download, "sample", to=home / "elsewhere")
    assert "choose one of" in refused(corpora.download, "tes")
    assert "choose source kaggle" in refused(corpora.download, "tess", source="zenodo")
    assert "choose source zenodo or kaggle" in refused(corpora.download, "ravdess", source="github")


def test_a_kill_while_unpacking_leaves_no_half_folder(home, clips):
    half = home / "data" / ".tess.part" / "unpacked" / "OAF_angry"
    half.mkdir(parents=True)
    (half / "OAF_back_angry.wav").write_bytes(b"half")
    assert not corpora.present("tess")
    by_browser(home, zipped(clips))
    folder = corpora.download("tess")
    assert left(home) == ["tess", "tess.zip"]
    assert len(list(folder.rglob("*.wav"))) == CLIPS


# unpacking


def link(name, mode=stat.S_IFLNK):
    info = zipfile.ZipInfo(name)
    info.external_attr = (mode | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "name, says",
    [
        ("../outside.wav", "points outside"),
        ("a/../../outside.wav", "points outside"),
        ("..\\outside.wav", "points outside"),
        ("/outside.wav", "absolute"),
        ("//server/outside.wav", "absolute"),
        ("\\outside.wav", "absolute"),
        ("C:\\outside.wav", "absolute"),
        ("c:outside.wav", "absolute"),
        ("a\nb.wav", "no file may have"),
        (archives.MARKER, "no file may have"),
        (link("link.wav"), "link or a device"),
        (link("pipe.wav", stat.S_IFIFO), "link or a device"),
        (link("disk.wav", stat.S_IFBLK), "link or a device"),
        (link("socket.wav", stat.S_IFSOCK), "link or a device"),
        ("a\x1b[2Jb.wav", "no file may have"),
    ],
)
def test_dangerous_entries(home, clips, name, says):
    by_browser(home, zipped({**clips, name: b"/etc/passwd", "link.wav/outside.wav": b"x"}))
    message = refused(corpora.download, "tess")
    assert says in message and "nothing was unpacked" in message
    assert left(home) == ["tess.zip"]
    assert not [path for path in home.parent.rglob("*outside.wav")] and not Path("/outside.wav").exists()


def test_names_that_clash(home, clips):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the double name that we want
        twice = io.BytesIO()
        with zipfile.ZipFile(twice, "w") as opened:
            opened.writestr("a.wav", b"1")
            opened.writestr("a.wav", b"2")
    (home / "twice.zip").write_bytes(twice.getvalue())
    assert "twice" in refused(archives.unpack, home / "twice.zip", home / "to")
    (home / "letters.zip").write_bytes(zipped({"Fear/a.wav": b"1", "fear/A.wav": b"2"}))
    assert "twice" in refused(archives.unpack, home / "letters.zip", home / "to")
    for names in (("a", "a/b"), ("a/b", "a"), ("a", "a/b/c")):
        (home / "clash.zip").write_bytes(zipped(dict.fromkeys(names, b"1")))
        assert "twice" in refused(archives.unpack, home / "clash.zip", home / "to")
    assert not (home / "to").exists()


def test_folders_and_backslashes(home):
    (home / "a.zip").write_bytes(zipped({"top/": b"", "top\\sub\\": b"", "top\\sub\\a.wav": b"1", "./b.wav": b"2"}))
    to = archives.unpack(home / "a.zip", home / "to")
    assert (to / "top" / "sub" / "a.wav").read_bytes() == b"1" and (to / "b.wav").read_bytes() == b"2"
    assert archives.is_whole(to)
    (to / "b.wav").unlink()
    assert not archives.is_whole(to) and not archives.is_whole(home)


def test_unpack_replaces_nothing_but_its_own(home, clips):
    (home / "x.zip").write_bytes(zipped(clips))
    (home / "mine").mkdir()
    (home / "mine" / "thesis.txt").write_text("years of work")
    assert "holds other files" in refused(archives.unpack, home / "x.zip", home / "mine")
    assert (home / "mine" / "thesis.txt").exists()


def test_bombs(home, monkeypatch):
    (home / "zeros.zip").write_bytes(zipped({"zeros.wav": bytes(30_000_000)}))
    assert "swell" in refused(archives.unpack, home / "zeros.zip", home / "to")
    (home / "deep.zip").write_bytes(zipped({f"{n}/" * 40 + "zeros": bytes(2_000_000) for n in range(5)}))
    assert "swell" in refused(archives.unpack, home / "deep.zip", home / "to")
    (home / "many.zip").write_bytes(zipped({f"{i}.wav": b"1" for i in range(20)}))
    monkeypatch.setattr(archives, "MAX_ENTRIES", 19)
    assert "20 entries" in refused(archives.unpack, home / "many.zip", home / "to")
    monkeypatch.undo()
    monkeypatch.setattr(archives, "MAX_BYTES", 19)
    assert "swell" in refused(archives.unpack, home / "many.zip", home / "to")
    assert not (home / "to").exists()


def test_what_is_no_archive(home):
    for data in (b"", b"PK", b"<html></html>", zipped({}), zipped({"folder/": b""})):
        (home / "x.zip").write_bytes(data)
        assert "x.zip" in refused(archives.unpack, home / "x.zip", home / "to")
    for compression in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(home / "x.zip", "w", compression) as opened:
            opened.writestr("a.wav", bytes(range(256)) * 9)
        damaged = bytearray((home / "x.zip").read_bytes())
        damaged[40:60] = bytes(20)
        (home / "x.zip").write_bytes(damaged)
        assert "is damaged" in refused(archives.unpack, home / "x.zip", home / "to")
    secret = bytearray(zipped({"a.wav": b"1"}))
    for at in (secret.index(b"PK\x03\x04") + 6, secret.index(b"PK\x01\x02") + 8):
        secret[at] |= 1
    (home / "secret.zip").write_bytes(secret)
    assert "is encrypted" in refused(archives.unpack, home / "secret.zip", home / "to")


NAMES = st.text(st.sampled_from("ab./\\:~\x00\n\u202eé "), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAMES, min_size=1, max_size=4, unique=True), compression=st.sampled_from([0, 8, 12, 14]))
def test_no_name_leads_outside(home, names, compression):
    """Whatever the names are: all in the folder, or a sentence and nothing."""
    top = home / "property"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    with zipfile.ZipFile(top / "x.zip", "w", compression) as opened:
        for name in names:
            with contextlib.suppress(ValueError):
                info = zipfile.ZipInfo("x")
                info.filename, info.compress_type = name, compression
                opened.writestr(info, b"data")
    with contextlib.suppress(SerlibError):
        to = archives.unpack(top / "x.zip", top / "to")
        assert archives.is_whole(to)
    assert {path.name for path in top.iterdir()} <= {"x.zip", "to"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_never_passes_and_never_tracebacks(home, data):
    """Flip, cut or insert bytes anywhere: a SerlibError and no folder, or every file as it was."""
    top = home / "property"
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    compression = data.draw(
        st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    )
    with zipfile.ZipFile(top / "x.zip", "w", compression) as opened:
        opened.writestr("a.wav", b"RIFF" * 20)
        opened.writestr("b/c.wav", bytes(range(100)))
    good = bytearray((top / "x.zip").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    (top / "x.zip").write_bytes(good)
    try:
        to = archives.unpack(top / "x.zip", top / "to")
    except SerlibError:
        assert {path.name for path in top.iterdir()} == {"x.zip"}
        return
    for path in to.rglob("*.wav"):
        assert path.read_bytes() in (b"RIFF" * 20, bytes(range(100)), b"")


def test_rights_in_an_archive_are_not_taken_over(home):
    entry = link("a")
    entry.external_attr = (stat.S_IFREG | 0o6777) << 16
    (home / "x.zip").write_bytes(zipped({entry: b"x"}))
    to = archives.unpack(home / "x.zip", home / "to")
    assert not stat.S_IMODE((to / "a").stat().st_mode) & 0o7111


def many(path, count):
    """An archive whose list names as many files; only the first of them is there."""
    name = b"%08d.wav"
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, 0, 0, 0, 12, 0) + name % 0
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(local)
        for first in range(0, count, 10_000):
            file.write(b"".join(entry + name % n for n in range(first, min(first + 10_000, count))))
        size = file.tell() - len(local)
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, len(local)))
        file.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, len(local) + size, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    return path


def test_a_million_entries_are_not_even_listed(home):
    resource = pytest.importorskip("resource", reason="this system does not say how much memory was taken")
    few = many(home / "few.zip", 1)
    assert archives.unpack(few, home / "few").is_dir()
    path = many(home / "many.zip", 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "many.zip" in refused(archives.unpack, path, home / "to")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert not (home / "to").exists()


def test_an_archive_that_lies_about_sizes(home):
    """The list says one byte, the stream swells: it stops at what the list says, and the checksum tells."""
    data = bytearray(zipped({"a.wav": bytes(50_000), "b": os.urandom(9000)}))
    at = data.index(b"PK\x01\x02") + 24
    for size in (1, 100, 2**31, 2**32 - 1):
        data[at : at + 4] = struct.pack("<L", size)
        (home / "x.zip").write_bytes(data)
        assert "x.zip" in refused(archives.unpack, home / "x.zip", home / "to")
        assert not (home / "to").exists()
