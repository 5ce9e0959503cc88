"""What the answers to the exercises of notebook 09 must do."""

import itertools

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "9.1",
    "A budget for the delay",
    goal=1,
    hints=[
        "A sound that comes just after the model was asked waits until it is asked again.",
        "The wait of at most `every_s`, then the way to the model, then its computing. The piece is a part of the "
        "wait.",
    ],
)
def worst_delay(answer, rng):
    for _ in range(5):
        piece_s = float(rng.choice([0.05, 0.1, 0.2]))
        every_s = piece_s * int(rng.integers(2, 8))
        transport_s, compute_s = rng.uniform(0.01, 0.1), rng.uniform(0.02, 0.3)
        given = float(numbers(answer(piece_s, every_s, transport_s, compute_s), (), "return one number, in seconds"))
        sounds = rng.uniform(0, 20, 4000)
        asked = np.ceil(sounds / every_s) * every_s  # the pieces end where the model is asked
        delays = asked + transport_s + compute_s - sounds
        expect(
            abs(given - delays.mean()) > 0.01 * every_s,
            "this is what a sound waits on average; the budget is for the worst",
        )
        expect(abs(given - (transport_s + compute_s)) > 1e-9, "the sound also waits until the model is asked")
        expect(
            abs(given - (piece_s + every_s + transport_s + compute_s)) > 1e-9,
            "the piece is collected *while* the sound waits to be asked about: it does not come on top",
        )
        expect(
            abs(given - (every_s + transport_s)) > 1e-9 and abs(given - (every_s + compute_s)) > 1e-9,
            "a part is missing: wait, way, and computing",
        )
        expect(
            given >= delays.max() - 1e-9,
            f"of 4000 sounds one waited {delays.max():.3f} s, longer than your {given:.3f} s",
        )
        expect(
            given < delays.max() + 0.05 * every_s,
            f"no sound waited longer than {delays.max():.3f} s, you say {given:.3f} s",
        )


@exercise(
    "9.2",
    "Windows along a recording",
    goal=2,
    hints=[
        "Start at 0 and go on by hop_s while a whole window still fits.",
        "If something is left at the end, add one more window that ends where the recording ends.",
    ],
)
def windows(answer, rng):
    for trial in range(12):
        window_s, hop_s = float(rng.uniform(1, 3)), float(rng.uniform(0.2, 0.9))
        length_s = window_s + (int(rng.integers(1, 9)) * hop_s if trial % 3 == 0 else float(rng.uniform(0.3, 9)))
        starts = answer(length_s, window_s, hop_s)
        starts = numbers(starts, (len(starts),), "return the start of each window, in seconds")
        expect(len(starts) > 0 and starts[0] == 0, "the first window starts at 0")
        expect(
            starts[-1] + window_s <= length_s + 1e-6,
            "the last window goes beyond the end of the recording, into nothing",
        )
        expect(
            starts[-1] + window_s >= length_s - 1e-6,
            "the end of the recording is in no window: let the last one end there",
        )
        steps = np.diff(starts)
        expect(
            len(steps) == 0 or steps.max() < hop_s + 1e-6, "two windows start further apart than hop_s: windows overlap"
        )
        expect(
            len(steps) == 0 or steps.min() > 1e-6, "one window is there twice: where it fits exactly, nothing is added"
        )
        expect(len(steps) < 2 or np.allclose(steps[:-1], hop_s), "only the last step may be shorter than hop_s")


@exercise(
    "9.3",
    "From windows to stretches",
    goal=2,
    hints=[
        "Go through the labels; where one differs from the one before, a stretch ends and the next begins.",
        "Window number i stands for the time from i * hop_s to (i + 1) * hop_s; the last stretch ends at "
        "len(labels) * hop_s.",
    ],
)
def stretches(answer, rng):
    for _ in range(8):
        hop_s = float(rng.uniform(0.2, 1))
        labels = [str(label) for label in rng.choice(["angry", "sad", "unsure"], int(rng.integers(5, 20)))]
        labels += [labels[-1]] * 2
        given = answer(list(labels), hop_s)
        try:
            given = [(float(start), float(end), str(label)) for start, end, label in given]
        except (TypeError, ValueError):
            expect(False, "return a list of (start_s, end_s, label)")
        expect(bool(given) and given[0][0] == 0, "the first stretch starts at 0")
        expect(
            abs(given[-1][1] - len(labels) * hop_s) < 1e-6,
            "the last stretch is missing or ends too early: it ends with the last window",
        )
        expect(
            all(abs(a[1] - b[0]) < 1e-6 for a, b in itertools.pairwise(given)),
            "each stretch starts where the one before ends, without a gap",
        )
        expect(
            all(a[2] != b[2] for a, b in itertools.pairwise(given)),
            "two neighbours with one label are one stretch",
        )
        middle = [(i + 0.5) * hop_s for i in range(len(labels))]
        heard = [next(label for start, end, label in given if start <= t < end) for t in middle]
        expect(heard == labels, "at some time your stretches say something else than the windows")


@exercise(
    "9.4",
    "Your own confusion",
    goal=3,
    hints=[
        "Count the pairs of meant and heard: pd.crosstab does it. Then divide each row by its sum.",
        "pd.crosstab(meant, heard, normalize='index'), then .reindex(index=labels, columns=[*labels, 'unsure'], "
        "fill_value=0).",
    ],
)
def confusion(answer, rng):
    import pandas as pd

    for _ in range(4):
        labels = ["angry", "happy", "sad", "fear"]
        meant = [*labels, *rng.choice(labels, 30)]
        heard = list(np.where(rng.random(34) < 0.5, meant, rng.choice(["angry", "happy", "sad", "unsure"], 34)))
        given = answer(list(meant), list(heard), list(labels))
        expect(isinstance(given, pd.DataFrame), "return a DataFrame: rows what was meant, columns what was heard")
        expect(
            "unsure" in given.columns,
            "the takes for which the model was unsure are missing: they need a column of their own",
        )
        expect(list(given.index) == labels, "one row for each label, in the order of `labels`")
        expect(
            list(given.columns) == [*labels, "unsure"],
            "one column for each label in their order, then unsure: also for what was never heard",
        )
        sums = given.to_numpy(float).sum(axis=1)
        expect(np.isfinite(sums).all(), "what was never heard is 0, not NaN")
        columns = given.to_numpy(float).sum(axis=0)
        expect(not (np.isclose(columns, 1) | (columns == 0)).all(), "you divided by what was heard; a row adds up to 1")
        expect(not (sums > 1.5).any(), "these are counts; divide each row by the number of takes that were meant so")
        expect(np.allclose(sums, 1), "each row must add up to 1, unsure included")
        for label in labels:
            takes = [b for a, b in zip(meant, heard, strict=True) if a == label]
            for column in given.columns:
                expect(
                    abs(given.loc[label, column] - takes.count(column) / len(takes)) < 1e-9,
                    f"meant {label}, heard {column}: {takes.count(column)} of {len(takes)} takes",
                )
