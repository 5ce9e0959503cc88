"""SIGKILL at random moments, full disks, folders that may not be written, two at once: nothing lost, nothing halved.

Each work is killed, and what comes next goes on in the same folders, until it has been killed often enough in all; then
and in between everything is compared with one unbroken run. `make trust` kills fifty times each,
`make test-all` twice.
"""

import csv
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
from kaggle_server import KaggleServer

from tests.trust.forks import Forks

KILLS = 50 if os.environ.get("SERLIB_TRUST") else 2

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor SIGKILL")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for all works, with a home folder in it."""
    folder = tmp_path_factory.mktemp("kills")
    (folder / "user").mkdir()
    return folder


@pytest.fixture(scope="module")
def do(place):
    """do(("extract", {...}), kill_s=None): see `Forks`."""
    forks = Forks(place / "user")
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def tones(place, tone_corpus):
    """168 clips in the shape of TESS."""
    return tone_corpus(place / "tones", words=12)


@pytest.fixture(scope="module")
def few(place, tone_corpus):
    """84 clips in the shape of TESS."""
    return tone_corpus(place / "few", words=6)


def well(ended):
    """All pieces of work ended as they should; the seconds of the longest."""
    assert not [each for each in ended if each["killed"] or each["error"]]
    return max(each["seconds"] for each in ended)


def kill_again_and_again(start, moments, whole_s):
    """Kill work until it has been killed `KILLS` times.

    Parameters
    ----------
    start : callable
        start(n) prepares the n-th work, and returns run(kill_s), which does it in one process and checks what it left,
        and check(kills), which is called when the work has come to its end.
    moments : random.Random
    whole_s : float
        What an unbroken work takes.
    """
    kills = most = n = 0
    while kills < KILLS:
        run, check = start(n)
        here, n = 0, n + 1
        while True:
            # At times in the first moment, mostly anywhere. Nobody is killed for ever: what is left gets shorter.
            ended = run(moments.uniform(0, whole_s) if kills < KILLS else None)
            assert ended["error"] is None, ended["error"]
            if not ended["killed"]:
                break
            kills, here = kills + 1, here + 1
        check()
        most = max(most, here)
    print(f"\n{kills} kills in {n} works, at most {most} in one; unbroken {whole_s:.1f} s")


def files(folder):
    """Name -> bytes of all files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def visible(found):
    """Those that do not begin with a dot: what somebody could take for whole."""
    return {name: data for name, data in found.items() if not name.rpartition("/")[2].startswith(".")}


# --- extraction ----------------------------------------------------------------------------------------------------


def lines(log):
    return log.read_text().splitlines() if log.exists() else []


def caches(home):
    """Finished stores of features."""
    return sorted(path.parent for path in (home / "data" / "features").glob("*/[!.]*/keys.txt"))


def journalled(home, order):
    """Digests of the clips that an extraction on its way says are done."""
    from serlib.features import cache

    records = [np.fromfile(path, cache.RECORD) for path in (home / "data" / "features").glob("*/.*.partial/journal")]
    return {order[row] for part in records for row in part["row"]}


@pytest.mark.parametrize("copies", [0, 2], ids=["features", "changed copies"])
def test_extraction(do, place, tones, copies):
    from serlib import corpora

    order = list(corpora.index("tess", tones).digest)
    work = {"folder": str(tones), "copies": copies}
    whole = place / f"whole{copies}"
    whole_s = well(do(("extract", {**work, "home": str(whole), "log": str(place / f"log{copies}")})))
    (expected,) = caches(whole)
    assert sorted(lines(place / f"log{copies}")) == sorted(order)

    def start(n):
        home = place / f"extract{copies}-{n}"
        home.mkdir()
        log = home / "log"

        def run(kill_s):
            done = journalled(home, order)
            finished, before = bool(caches(home)), len(lines(log))
            (ended,) = do(("extract", {**work, "home": str(home), "log": str(log)}), kill_s=kill_s)
            again = set(lines(log)[before:])
            assert not again & done, "a chunk that was done is computed again"
            assert not (again and finished), "what was finished is computed again"
            for cache in caches(home):  # not half of it
                assert cache.name == expected.name
                assert files(cache).items() >= files(expected).items()
            return ended

        def check():
            assert files(home / "data") == files(whole / "data"), "other bits, or something left behind"
            shutil.rmtree(home)

        return run, check

    kill_again_and_again(start, random.Random(copies), whole_s)


@pytest.mark.parametrize("copies", [0, 2], ids=["features", "changed copies"])
def test_two_that_extract_at_once_share_the_work(do, place, tones, copies):
    homes = [place / f"{name}{copies}" for name in ("alone", "both")]
    works = [
        ("extract", {"folder": str(tones), "copies": copies, "home": str(home), "log": str(home / "log")})
        for home in homes
    ]
    for home in homes:
        home.mkdir()
    well(do(works[0]))
    well(do(works[1], works[1]))
    assert files(homes[0] / "data") == files(homes[1] / "data")
    assert sorted(lines(homes[1] / "log")) == sorted(lines(homes[0] / "log")), "some clips were computed twice"


# --- training and evaluation ---------------------------------------------------------------------------------------

EPOCHS = 12


def history(folder):
    """The rows of a history without the time they took."""
    if not (folder / "history.csv").exists():
        return []
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


def told(run):
    """What a run says of itself, without the time it took."""
    return {**json.loads((run / "run.json").read_text()), "seconds": 0}


def weights(run):
    """The weights of a run, to the bit."""
    import h5py

    with zipfile.ZipFile(run / "model.keras") as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as h5:
        found = {}
        h5.visititems(lambda name, each: found.update({name: each[()]}) if hasattr(each, "dtype") else None)
    return found


def test_training(do, place, few):
    home, whole = place / "train", place / "train" / "whole"
    work = {"home": str(home), "folder": str(few), "epochs": EPOCHS}
    home.mkdir()
    do(("train", {**work, "out": str(home / "first"), "log": str(home / "log")}))  # features are cached from here on
    whole_s = well(do(("train", {**work, "out": str(whole), "log": str(home / "log whole")})))
    expected = history(whole)
    assert len(expected) == EPOCHS and weights(whole)

    def start(n):
        out, log = home / f"run{n}", home / f"log{n}"
        partial = out.with_name(out.name + ".partial")

        def run(kill_s):
            before = history(partial) or history(out)
            (ended,) = do(("train", {**work, "out": str(out), "log": str(log)}), kill_s=kill_s)
            assert out.exists() or ended["killed"]
            now = history(out) if out.exists() else history(partial)
            assert now == expected[: len(now)] and len(now) >= len(before), "the history is another one"
            assert not out.exists() or len(now) == EPOCHS, "half a training passes for a whole one"
            return ended

        def check():
            assert sorted(files(out)) == ["history.csv", "model.keras", "run.json", "split.csv"]
            assert not partial.exists()
            assert history(out) == expected and told(out) == told(whole)
            assert (out / "split.csv").read_bytes() == (whole / "split.csv").read_bytes()
            found, unbroken = weights(out), weights(whole)
            assert found.keys() == unbroken.keys() and all(np.array_equal(found[k], unbroken[k]) for k in found)
            epochs = lines(log)
            assert sorted(set(epochs), key=int) == epochs, "an epoch that was saved is trained again"

        return run, check

    kill_again_and_again(start, random.Random(2), whole_s)


def judged(root):
    """Name -> when it was made, of each run that is finished, and of each judgement."""
    made = [*root.glob("*[!.partial]/run.json"), *root.glob("*/judged.json")]
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in made}


def test_evaluation_and_its_pages(do, place, few):
    whole = place / "judge"
    whole_s = well(do(judging(whole, few)))
    expected = {**files(whole / "reports"), **files(whole / "runs")}

    def start(n):
        home = place / f"judge{n}"

        def run(kill_s):
            before = judged(home / "runs")
            (ended,) = do(judging(home, few), kill_s=kill_s)
            assert judged(home / "runs").items() >= before.items(), "a run that was finished is made again"
            for top in ("reports", "runs"):
                for name, data in visible(files(home / top) if (home / top).exists() else {}).items():
                    if ".partial/" not in name:
                        assert len(data) and (timed(name) or data == expected[name]), f"half of {name}"
            return ended

        def check():
            left = {**files(home / "reports"), **files(home / "runs")}
            assert visible(left).keys() == expected.keys()
            assert not [name for name in left if name not in expected and "reports" in name]
            page = left["comparison/comparison.html"].decode()
            assert page.rstrip().endswith("</html>")
            shutil.rmtree(home)

        return run, check

    kill_again_and_again(start, random.Random(3), whole_s)


def judging(home, folder):
    work = {"folder": str(folder), "root": str(home / "runs"), "reports": str(home / "reports")}
    return "judge", {**work, "home": str(home)}


def timed(name):
    """Whether a file holds times, and so differs from run to run."""
    return name.rpartition("/")[2] in ("judged.json", "run.json", "history.csv", "model.keras") or "comparison" in name


# --- download ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kaggle(tones, place):
    """The stand-in for Kaggle, as slow as a network; asked without an account."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, data in files(tones).items():
            archive.writestr(name, data)
    with KaggleServer(memory.getvalue(), [None]) as server:
        server.pace_s = 0.005
        yield server


def test_download(do, place, tones, kaggle):
    expected, size = files(tones), len(kaggle.archive)
    work = {"url": kaggle.url}
    whole_s = well(do(("download", {**work, "home": str(place / "download")})))

    def start(n):
        home = place / f"download{n}"
        data = home / "data"
        part = data / ".tess.part"

        def run(kill_s):
            have = sum(path.stat().st_size for path in part.glob("*.zip"))
            there, asked = (data / "tess").exists(), len(kaggle.downloads)
            (ended,) = do(("download", {**work, "home": str(home)}), kill_s=kill_s)
            ranges = [one["range"] for one in kaggle.downloads[asked:] if one["range"]]
            assert not (there and kaggle.downloads[asked:]), "what is there is downloaded again"
            assert ranges == [f"bytes={have}-"][: len(ranges)], "bytes that are there are downloaded again"
            assert ended["killed"] or there or ranges or not have or have == size
            if (data / "tess").exists():
                assert visible(files(data / "tess")) == expected, "half a corpus"
            return ended

        def check():
            assert sorted(path.name for path in data.iterdir()) == ["tess"]
            shutil.rmtree(home)

        return run, check

    kill_again_and_again(start, random.Random(4), whole_s)


# --- no room, and no rights ----------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(place):
    """A disk of 12 kB."""
    folder = place / "small"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here (that takes root); the limit on files is tested")
    yield folder
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@pytest.fixture(scope="module")
def run(do, place, few):
    """A finished run."""
    out = place / "run"
    well(do(("train", {"home": str(place), "folder": str(few), "epochs": 2, "out": str(out), "log": os.devnull})))
    return out


@pytest.fixture
def works(do, place, few, run, kaggle):
    """works(top) -> the pieces of work that write below a folder."""
    names = {"folder": str(few), "log": os.devnull}

    def make(top):
        home = {"home": str(place)}
        return {
            "extract": {"home": str(top), **names},
            "train": {**home, **names, "epochs": 2, "out": str(top / "run")},
            "write_report": {**home, "run": str(run), "folder": str(top / "report")},
            "download": {**home, "url": kaggle.url, "to": str(top / "speech")},
        }

    return make


def one_sentence(ended):
    """What a piece of work said that could not be done."""
    (ended,) = ended
    assert ended["error"], "it was done all the same"
    assert "Traceback" not in ended["error"] and "\n" not in ended["error"], ended["error"]
    return ended["error"]


WORKS = ("extract", "train", "write_report", "download")


def half_written(top):
    """What lies there and could pass for whole; what goes on from where it stopped has another name."""
    on_its_way = (".partial", ".part")
    found = [path for path in top.rglob("*") if path.is_file()]
    return [
        path
        for path in found
        if not any(part.endswith(on_its_way) for part in path.relative_to(top).parts)
        and path.name not in ("predictions.csv", "report.json", "key", "lock")
        and path.suffix != ".png"
        and path.parent.name != "index"  # what was read of the sound files: whole, since it is written as one file
    ]


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("limit", [0, 5_000, 12_000])
def test_files_that_may_not_grow(do, place, works, work, limit):
    top = place / f"limit-{work}-{limit}"
    top.mkdir()
    asked = works(top)[work]
    said = one_sentence(do((work, {**asked, "limit": limit})))
    assert "is full; make room" in said
    assert half_written(top) == []
    well(do((work, asked)))
    assert half_written(top) != [], "it goes on when there is room"


@pytest.mark.parametrize("work", WORKS)
def test_full_disk(do, works, work, small_disk):
    assert "make room" in one_sentence(do((work, works(small_disk)[work])))
    assert half_written(small_disk) == []


@pytest.mark.parametrize("work", WORKS)
def test_folder_that_may_not_be_written(do, place, works, work):
    top = place / f"closed-{work}"
    top.mkdir(mode=0o555)
    said = one_sentence(do((work, {**works(top)[work], "plain": True})))
    where = "data/features/" if work == "extract" else f"closed-{work}"  # beside SERLIB_HOME its own path is not told
    assert where in said and "cannot be written (Permission denied)" in said
    assert not list(top.iterdir())


def test_bits_of_reports_do_not_depend_on_the_process(do, place, run):
    """What the comparison of bytes above rests on."""
    folders = [place / "twice" / name for name in "ab"]
    for folder in folders:
        well(do(("write_report", {"home": str(place), "run": str(run), "folder": str(folder)})))
    digests = [{name: hashlib.md5(data).hexdigest() for name, data in files(folder).items()} for folder in folders]
    assert digests[0] == digests[1]
