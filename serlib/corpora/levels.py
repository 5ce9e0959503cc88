"""What the folders of own recordings mean: which level names the labels, which the speakers, which neither.

Every file is looked at with its whole path. A level is read only where its values leave no doubt: emotion words name
labels, `train` and `test` parts of a data set, `Actor_01` speakers. Everything else is asked for in one sentence.
"""

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from natsort import natsorted

from serlib.corpora.words import is_emotion, normal_label, spelling
from serlib.utils import ROLES, SerlibError, one_line

_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

#: Folders that part a collection by something else than who speaks or what is felt, with or without a number behind.
PARTS = frozenset(_WORDS["parts"].split())

#: Folders in each of which more than one person may be: of one gender, age, strength, time, room, manner, language ...
CONDITIONS = frozenset(_WORDS["conditions"].split())

#: Folders that may be labels of one's own, but nobody's name.
MANNERS = frozenset(_WORDS["manners"].split())

#: Words for the roles of a given split.
ROLE_WORDS = {
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tests", "testset"), "test"),
    **dict.fromkeys(("eval", "evaluation"), "evaluation"),
}

#: What people are called by a number: Actor_01, speaker 3.
PEOPLE = frozenset(_WORDS["people"].split())

#: Words that are nobody's name.
NO_PERSON = PARTS | CONDITIONS | MANNERS

#: Emotion words that are given names as well: alone they make no level of labels.
GIVEN_NAMES = frozenset(_WORDS["given_names"].split())

_PERSON = re.compile(rf"({'|'.join(PEOPLE)}) ?\w*\d\w*")
_NUMBER = re.compile(r"\d+|[^\W\d_]{1,3} ?\d{1,5}[a-z]?")
# scene1, scene2, question 3: one word that says of nobody that it is a person, and a number.
_SERIES = re.compile(r"([^\W\d_]{4,}) ?\d+")
# 5dB, 16 kHz, 18-25, 60+: noise, rates, ages.
_MEASURE = re.compile(r"\d+([.,]\d+)? ?(db|k?hz|kbps|bits?|m?s|min|cm|m|years?|yo)|\d\d (to )?\d\d|\d\d ?\+")
# 2024, 2024-05-03, and what recorders call a meeting: "2024-05-03 10.00.05 Anna's Zoom Meeting", whoever speaks there.
_DATE = re.compile(r"(19|20)\d\d( ?\d\d){0,2}|(19|20)\d\d([ .]?)\d\d\4\d\d\b.*")

#: Names of the columns that a pattern fills by itself; any other name in braces becomes a column of its own.
FIELDS = ("label", "speaker", "text")


@dataclass(frozen=True)
class Level:
    """One level of folders, 1 being the folder below the root, with its different values in natural order.

    Its kind is `label` (emotion words), `part`, `condition`, `date`, `series` (scene1, scene2), none of which is a
    person; `person` (Actor_01), `number` (0011, s01: no label, maybe a person), `clip` (one folder a file), `manner`
    (positive, negative: maybe a label), `open` (any other words: a label or a person).
    """

    number: int
    values: tuple
    kind: str

    def __str__(self):
        return f"{ordinal(self.number)} folder: {shortened(self.values)}"


@dataclass(frozen=True)
class Plan:
    """Which level holds what; 0 where none does."""

    label: int
    speaker: int = 0
    part: int = 0  # the level of a given split
    doubt: str = field(default="", repr=False)  # what to say if a level that was taken for scenes names people


def ordinal(number):
    """1st, 2nd, 3rd, 4th ..."""
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number, 'th')}"


def shortened(values, most=4):
    """The first few of many values, for a sentence: `a, b ... (3)`."""
    values = list(values)
    text = ", ".join(one_line(str(value)) for value in values[:most])
    return text if len(values) <= most else f"{text} ... ({len(values)})"


def is_part(name):
    """Whether a folder is called like a part of a collection that is no given split: `archive`, not `train`."""
    word = _stem(spelling(name))
    return word in PARTS and word not in ROLE_WORDS


def without_copies(paths):
    """Paths, as `plan` takes them, without a first folder such as `old` that holds the folders that lie beside it.

    Examples
    --------
    >>> without_copies([("rude", "1.wav"), ("kind", "2.wav"), ("old", "rude", "3.wav")])
    [('rude', '1.wav'), ('kind', '2.wav'), ('rude', '3.wav')]
    """
    beside = {path[0] for path in paths if len(path) > 1 and not is_part(path[0])}
    return [path[1:] if len(path) > 2 and is_part(path[0]) and path[1] in beside else path for path in paths]


def tree_of(folders):
    """The levels of a tree, from the folders of each file."""
    depth = max(map(len, folders), default=0)
    tree = []
    for i in range(depth):
        values = [parts[i] for parts in folders if len(parts) > i]
        distinct = tuple(natsorted(set(values)))
        tree.append(Level(i + 1, distinct, _kind(distinct, len(values))))
    return tree


def _kind(values, n_files):
    words = [spelling(value) for value in values]
    emotions = [word for word in words if is_emotion(word)]
    if len(emotions) == len(words) or len(set(emotions) - GIVEN_NAMES) >= 2:
        return "label"
    if emotions and len(emotions) >= len(words) / 2 and not set(emotions) <= GIVEN_NAMES:
        return "label"
    parts = [word for word in words if _stem(word) in PARTS]
    if len(parts) == len(words) or any(_stem(word) in ROLE_WORDS for word in parts):
        return "part"
    if all(_without_number(word) in PARTS | CONDITIONS or _MEASURE.fullmatch(word) for word in words):
        return "condition"
    if all(_PERSON.fullmatch(word) for word in words):
        return "person"
    if all(_DATE.fullmatch(word) for word in words):
        return "date"
    if n_files >= 6 and len(words) == n_files:
        return "clip"
    series = [_SERIES.fullmatch(word) for word in words]
    if len(words) > 1 and all(series) and len({match[1] for match in series}) == 1:
        return "series"
    if all(_is_nobody(word) for word in words):
        return "manner"
    if all(_NUMBER.fullmatch(word) for word in words):
        return "number"
    return "open"


def _stem(word):
    """A folder's name without a number behind it; of "train set" and "audio train" the word that names a role."""
    roles = [piece for piece in word.split() if piece in ROLE_WORDS]
    if len(roles) == 1 and all(piece in PARTS or piece.isdigit() for piece in word.split()):
        return roles[0]
    return word if word in PARTS else re.sub(r" ?\d*$", "", word) or word


def _without_number(word):
    """As `_stem`, but for a letter with a number: f is women, F_01 one of them."""
    stem = _stem(word)
    return stem if len(stem) > 1 else word


def _is_nobody(word):
    """Whether a folder's name is made of words that are no names, such as "male voices", "part a", "customer"."""
    first, *others = word.split() or [""]
    if not others:
        return word in PEOPLE or _without_number(word) in NO_PERSON
    are_no_names = all(_stem(piece) in NO_PERSON or len(piece) == 1 or piece.isdigit() for piece in others)
    return len(first) > 1 and _stem(first) in NO_PERSON and are_no_names  # f_01 and 0011_take1 are people


def plan(paths, *, root, label_level=None):
    """Decide which level names labels, which speakers and which a given split.

    The paths are for each file the folders below the root, then its name; messages show the root as it is given.
    SerlibError shows the levels and the option that settles it where more than one can be meant, or none.

    Examples
    --------
    >>> plan([("0011", "Angry", "train", "1.wav"), ("0012", "Sad", "test", "2.wav")], root="esd")
    Plan(label=2, speaker=1, part=3)
    """
    tree = tree_of([path[:-1] for path in paths])
    label = _label_level(tree, paths, root) if label_level is None else label_level
    if not 1 <= label <= len(tree):
        raise SerlibError(f"{root} has {len(tree)} levels of folders, so --label-level cannot be {label}")
    speaker = _speaker_level(tree, label, root)
    part = next((level.number for level in tree if level.number != label and _roles(level)), 0)
    series = [level for level in tree if level.kind == "series" and level.number != label]
    doubt = ""
    if series and not speaker:
        people = shortened(series[0].values)
        doubt = f'if {people} are people, say --pattern "{_pattern(tree, label, series[0].number)}"'
    return Plan(label, speaker, part, doubt)


def _roles(level):
    return level.kind == "part" and any(_stem(spelling(value)) in ROLE_WORDS for value in level.values)


def _label_level(tree, paths, root):
    candidates = [level for level in tree if level.kind == "label"]
    if len(candidates) > 1:  # Angry/angry_takes is one label, happy/sad is not
        full = [level for level in candidates if all(map(is_emotion, level.values))]
        candidates = full if len(full) == 1 else candidates
    if len(candidates) > 1 and all(_same_label(path, candidates) for path in paths):
        candidates = candidates[-1:]
    if len(candidates) == 1:
        return candidates[0].number
    open_levels = [level for level in tree if level.kind in ("open", "manner") and len(level.values) > 1]
    open_levels = [level for level in open_levels if not any(_divides(other, level, paths) for other in tree)]
    hint = _name_hint(paths)
    if hint:
        pattern, example = hint
        raise SerlibError(
            f"No folder of {root} names a label, but names such as {one_line(example)} do; if so, say "
            f'--pattern "{pattern}", with {{speaker}} instead of a * that names who speaks{_shown(tree)}'
        )
    if not candidates and len(open_levels) == 1:
        return open_levels[0].number
    possible = candidates or open_levels
    if not possible:
        several = [level.number for level in tree if len(level.values) > 1]
        level = f"say which level does (--label-level {several[0]}), " if several else ""
        raise SerlibError(
            f"No folder of {root} names a label{_shown(tree)}; {level}put each label into a folder of its own, or say "
            'where label and speaker stand, such as --pattern "{speaker}_{label}_*.wav"'
        )
    numbers = " or ".join(str(level.number) for level in possible)
    raise SerlibError(
        f"More than one level of folders in {root} may name the labels{_shown(tree)}; say --label-level {numbers}, or "
        f'name all that they hold: --pattern "{_pattern(tree, possible[-1].number, possible[0].number)}"'
    )


def _same_label(path, candidates):
    labels = {normal_label(path[level.number - 1]) for level in candidates if level.number < len(path)}
    return len(labels) <= 1


def _divides(people, level, paths):
    """Whether the folders of a level are those of one person each, who has several: videos, meetings, no labels."""
    if people.kind not in ("person", "number") or people.number >= level.number:
        return False
    folders = {}
    for path in paths:
        if len(path) > level.number:
            folders.setdefault(path[people.number - 1], set()).add(path[level.number - 1])
    sizes = [len(names) for names in folders.values()]
    return len(sizes) > 1 and min(sizes) > 1 and sum(sizes) == len(level.values)


def _speaker_level(tree, label, root):
    others = [level for level in tree if level.number != label and level.kind in ("person", "number", "open", "label")]
    others = [level for level in others if level.kind != "label" or {*map(spelling, level.values)} <= GIVEN_NAMES]
    persons = [level for level in others if level.kind == "person"]
    several = [level for level in others if len(level.values) > 1]
    for levels in (persons, several):
        if len(levels) == 1:
            _check_one_folder_a_person(levels[0], tree, label, root)
            return levels[0].number
    if several:
        raise SerlibError(
            f"More than one level of folders in {root} may name the speakers{_shown(tree)}; say which, such as "
            f'--pattern "{_pattern(tree, label, several[0].number)}", or that none does: --pattern '
            f'"{_pattern(tree, label, 0)}"'
        )
    below = [level.number for level in others if level.number == label + 1]
    return below[0] if below else 0


def _check_one_folder_a_person(level, tree, label, root):
    """Raise a SerlibError where a person may have several folders, such as anna_session1 and anna_session2."""
    folders = of_one_person(level.values)
    if not folders:
        return
    name, other, common = folders
    pattern = _pattern(tree, label, level.number)
    mend = "put what is of one speaker into one folder"
    before, after = re.fullmatch(rf"(.*?){re.escape(common)}([\s_.-]*).*", name, re.DOTALL).groups()
    if after:
        speaker = ("*" + after) * before.count(after) + "{speaker}" + after + "*"
        mend = f'say --pattern "{pattern.replace("{speaker}", speaker)}"'
    raise SerlibError(
        f"Folders of {root} such as {one_line(name)} and {one_line(other)} may be of one speaker; if so, {mend}, "
        f'if not, say --pattern "{pattern}"'
    )


def of_one_person(values):
    """Two names that may be one person's, and the last word that they share; None where there are none.

    They begin alike and differ in what others differ in, too, or in a session, a take, a date.

    Examples
    --------
    >>> of_one_person(["S01_take1", "S01_take2", "S02_take1"])
    ('S01_take1', 'S01_take2', 'S01')
    >>> of_one_person(["John Smith", "John Doe", "Mary Miller"])
    """
    names = {tuple(re.findall(r"[^\W\d_]{3,}(?=\d)|[^\W_]+", value)): value for value in values}
    nobody = NO_PERSON | PEOPLE
    for length in range(1, max(map(len, names), default=0)):
        tails = {}
        for words in names:
            if len(words) >= length and not all(spelling(word) in nobody for word in words[:length]):
                tails.setdefault(words[:length], []).append(words[length:])
        head = max(tails, key=lambda words: len(tails[words]), default=())
        if not head or len(tails[head]) == 1:
            continue
        counts = Counter(tail for several in tails.values() for tail in several)
        in_both = sum(count for count in counts.values() if count > 1)
        if in_both > len(names) / 2 or all(map(_is_no_name, map(" ".join, counts))):
            first, second = tails[head][:2]
            return names[head + first], names[head + second], head[-1]
    return None


def _is_no_name(text):
    return not text or _stem(spelling(text)) in PARTS or _DATE.match(text)


def _shown(tree):
    return f" ({'; '.join(map(str, tree))})" if tree else ""


def _pattern(tree, label, speaker):
    names = {label: "{label}", speaker: "{speaker}"}
    return "/".join([*(names.get(level.number, "*") for level in tree), "*"])


def _name_hint(paths):
    """(pattern, example) where most names of files or of their folders hold an emotion word beside another word."""
    paths = paths[:2000]
    for place in (-1, -2):
        patterns = Counter()
        examples = {}
        labels = set()
        for path in paths:
            label, pattern = _label_and_pattern(path, place) if len(path) >= -place else ("", "")
            if label:
                labels.add(label)
                patterns[pattern] += 1
                examples.setdefault(pattern, path[place])
        best, count = patterns.most_common(1)[0] if patterns else ("", 0)
        if len(labels) > 1 and count >= len(paths) / 2:
            return best, examples[best]
    return None


def _label_and_pattern(path, place):
    """The label in the name of a file (place -1) or of its folder (-2), and where it stands; empty without one."""
    name = path[place].rsplit(".", 1)[0] if place == -1 else path[place]
    tokens = re.split(r"([_\-\s.]+)", name)
    felt = [i for i, token in enumerate(tokens) if is_emotion(token) and not token.isdigit()]
    if len(felt) != 1 or (len(tokens) == 1 and place == -2):
        return "", ""
    at = felt[0]
    if at > 1 and spelling(tokens[at - 2]) in ("not", "no", "non", "nicht", "pas"):
        return "", ""
    pieces = ["*" if token and i % 2 == 0 else token for i, token in enumerate(tokens)]
    pieces[at] = "{label}"
    folders = "*/" * (len(path) + place)
    return normal_label(tokens[at]), folders + "".join(pieces) + ("/*" if place == -2 else "")


def role(value, values):
    """The role that a folder or cell of a given split names: train, validation, test; "" where it names none.

    `evaluation` is the test set, or validation where a `test` stands beside it (ESD).

    Examples
    --------
    >>> role("evaluation", ["train", "evaluation", "test"]), role("Eval", ["train", "Eval"]), role("x", ["x"])
    ('validation', 'test', '')
    """
    named = ROLE_WORDS.get(_stem(spelling(str(value))), "")
    if named == "evaluation":
        beside = {ROLE_WORDS.get(_stem(spelling(str(other)))) for other in values}
        return "validation" if "test" in beside else "test"
    return named if named in ROLES else ""


def compiled(pattern):
    """A pattern such as `{speaker}/{label}/*` as a regular expression over the path below the root.

    `{NAME}`, which becomes a group, is one folder name or a part of it, `*` anything but a slash, `**` anything. A
    pattern without a slash is for the file name alone, in any folder. The suffix of the file may be left out.

    Examples
    --------
    >>> compiled("{speaker}_{label}_*.wav").fullmatch("day1/anna_happy_01.wav")["label"]
    'happy'
    """
    joined = re.search(r"(\{[^{}]*\}|\*)(\{[^{}]*\})|(\{[^{}]*\})(\*)", pattern)
    if joined:
        first, second = filter(None, joined.groups())
        raise SerlibError(
            f'The pattern "{pattern}" does not say where {first} ends and {second} begins; write the sign that stands '
            "between them, such as _"
        )
    pieces = re.split(r"(\{[^{}]*\}|\*\*/?|\*)", pattern.strip().strip("/"))
    names = []
    regex = ""
    for piece in pieces:
        if piece.startswith("{") and piece.endswith("}"):
            name = piece[1:-1].strip()
            if not re.fullmatch(r"[^\W\d]\w*", name) or name in names:
                raise SerlibError(
                    f'The pattern "{pattern}" names {piece} twice or oddly; write each name once, in letters'
                )
            names.append(name)
            regex += f"(?P<{name}>[^/]+?)"
        elif piece == "**/":
            regex += "(?:.*/)?"
        else:
            regex += {"**": ".*", "*": "[^/]*"}.get(piece, re.escape(piece))
    if "label" not in names:
        raise SerlibError(f'The pattern "{pattern}" has no {{label}}; an example is "{{speaker}}/{{label}}/*"')
    return re.compile(("" if "/" in pattern.strip("/") else "(?:.*/)?") + regex + r"(?:\.[^./]+)?", re.DOTALL)
