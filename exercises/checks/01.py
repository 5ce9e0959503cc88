"""What the answers to the exercises of notebook 01 must do."""

import hashlib

from serlib.teach import exercise, expect

WORDS = ("back", "bean", "chain", "door", "goose", "hush", "jail", "knock", "lot", "match", "ripe", "youth")
EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")


@exercise(
    "1.1",
    "What a file name says",
    goal=4,
    hints=[
        "Drop the suffix first; then the parts stand between underscores.",
        "`Path(name).stem.split('_')` gives three parts.",
        "In TESS one speaker lost a letter: a prefix OA means OAF. Write that case on a line of its own.",
    ],
)
def read_name(answer, rng):
    for _ in range(8):
        speaker, word, label = rng.choice(["OAF", "YAF"]), rng.choice(WORDS), rng.choice(EMOTIONS)
        parts = answer(f"{speaker}_{word}_{label}.wav")
        expect(isinstance(parts, tuple | list) and len(parts) == 3, "return three texts: speaker, word, label")
        expect(not str(parts[2]).endswith(".wav"), "the suffix .wav is no part of the label")
        expect(tuple(parts) == (speaker, word, label), f"{speaker}_{word}_{label}.wav was read as {tuple(parts)}")
    word, label = rng.choice(WORDS), rng.choice(EMOTIONS)
    expect(answer(f"OA_{word}_{label}.wav")[0] == "OAF", "one name of TESS begins with OA_: it is a clip of OAF")
    upper = tuple(answer(f"YAF_{word}_{label}.WAV".replace(label, label.title())))
    expect(upper == ("YAF", word, label), "a label may be written with a capital letter, a suffix too: Angry is angry")


@exercise(
    "1.2",
    "Each recording once",
    goal=5,
    hints=[
        "Two files are copies where their bytes are the same, whatever they are called.",
        "`hashlib.sha256(content).digest()` stands for the bytes; keep a set of those that you have seen.",
    ],
)
def unique_files(answer, rng):
    sounds = [rng.bytes(24) for _ in range(6)]
    files = {f"a/{number}.wav": sound for number, sound in enumerate(sounds)}
    files |= {f"b/{number}.wav": sounds[(number + 1) % 6] for number in range(6)}
    files["b/new.wav"] = rng.bytes(24)
    kept = list(answer(dict(files)))
    expect(set(kept) <= set(files), "return names of the dictionary")
    digests = [hashlib.sha256(files[name]).hexdigest() for name in kept]
    expect(len(kept) >= 6, f"only {len(kept)} of 7 recordings are left: equal names or equal sizes are not equal bytes")
    expect(len(set(digests)) == len(digests), "one recording is still there twice under two names")
    expect(len(kept) == 7, "a recording is lost: of each set of copies, one must stay")
    expect(kept == [name for name in files if name in set(kept)], "keep the order of the files")
    expect(kept[:6] == list(files)[:6], "keep the first of the copies, not the last")


@exercise(
    "1.3",
    "How much of a test is known",
    goal=5,
    hints=[
        "Look at each test clip: is its digest among those of the training?",
        "`test.digest.isin(training.digest)` is true or false for each test clip; a mean makes a share of it.",
    ],
)
def known_share(answer, rng):
    import pandas as pd

    for _ in range(5):
        digests = rng.choice(10**6, size=90, replace=False)
        n_test, n_known = int(rng.integers(20, 40)), int(rng.integers(3, 18))
        training = pd.DataFrame({"digest": digests[:50]})
        test = pd.DataFrame({"digest": [*digests[:n_known], *digests[50 : 50 + n_test - n_known]]})
        test = test.sample(frac=1, random_state=int(rng.integers(10**6))).reset_index(drop=True)
        test.index += 1000  # the row numbers of two tables say nothing about their clips
        share = float(answer(training, test))
        expect(0 <= share <= 1, "a share lies between 0 and 1: a count has to be divided")
        expect(abs(share - n_known / 50) > 1e-9 or n_test == 50, "divide by the clips of the test, not of the training")
        expect(abs(share - n_known / n_test) < 1e-9, f"{n_known} of {n_test} test clips are known; you say {share:.3f}")


@exercise(
    "1.4",
    "An archive that wants out",
    goal=2,
    hints=[
        "Follow the path, part by part: `..` goes up, `.` stays, any other part goes down.",
        "Count how deep you are; a path that is above the folder at any moment leaves it.",
        "A path that begins with / or with a drive (C:) starts elsewhere. Windows writes backslashes.",
    ],
)
def stays_inside(answer, rng):
    word = str(rng.choice(WORDS))
    expect(not answer(f"/etc/{word}"), "a path that begins with / starts at the root of the disk, not in the folder")
    expect(not answer(f"../../{word}"), "an entry that begins with .. leaves the folder")
    expect(answer(f"{word}/x/../y.wav"), "down two folders and up one is still inside: not every .. is an escape")
    expect(answer(f"{word}..wav"), "two points in a name are no step upwards: split the path into its parts")
    expect(not answer(f"{word}/../../x.wav"), "down one and up two is outside: follow the path part by part")
    expect(not answer(f"{word}\\..\\..\\x.wav"), "on Windows a backslash divides the parts as well")
    expect(not answer(f"C:\\{word}.wav"), "a path that begins with a drive starts on that drive")
    for _ in range(30):
        parts = [str(part) for part in rng.choice(["..", ".", word], size=5)]
        depth, lowest = 0, 0
        for part in parts:
            depth += {"..": -1, ".": 0}.get(part, 1)
            lowest = min(lowest, depth)
        path = "/".join(parts)
        expect(bool(answer(path)) == (lowest >= 0), f"{path} was judged wrongly: follow it part by part")
