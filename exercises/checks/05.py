"""What the answers to the exercises of notebook 05 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "5.1",
    "Unweighted average recall",
    goal=1,
    hints=[
        "The recall of one emotion: of the clips that were meant so, how many were heard so.",
        "The mean of the recalls of all emotions that were meant, each counting the same.",
    ],
)
def uar(answer, rng):
    from sklearn import metrics

    for _ in range(4):
        meant = rng.choice(["angry", "sad", "neutral"], 60, p=[0.15, 0.15, 0.7])
        heard = np.where(rng.random(60) < 0.4, "neutral", meant)
        meant[:3], heard[:3] = ["angry", "sad", "neutral"], ["sad", "angry", "fear"]  # fear was never meant
        given = float(numbers(answer(list(meant), list(heard)), (), "return one number"))
        recalls = metrics.recall_score(meant, heard, average=None, labels=["angry", "sad", "neutral"])
        expect(
            abs(given - (meant == heard).mean()) > 1e-9, "this is the accuracy, in which a frequent emotion counts more"
        )
        precisions = metrics.precision_score(
            meant, heard, average=None, labels=["angry", "sad", "neutral"], zero_division=0
        )
        expect(
            abs(given - precisions.mean()) > 1e-9,
            "of the clips that were *heard* so is precision; recall starts from what was *meant*",
        )
        expect(
            abs(given - recalls.sum() / 4) > 1e-9, "an emotion that was never meant has no recall; do not count it as 0"
        )
        expect(
            abs(given - recalls.mean()) < 1e-9,
            f"the recalls are {np.round(recalls, 2)}, their mean {recalls.mean():.3f}",
        )


@exercise(
    "5.2",
    "A bootstrap over speakers",
    goal=2,
    hints=[
        "Draw speakers with replacement, as many as there are, and take all clips of each that was drawn.",
        "Do it some hundred times; each time note the accuracy. The interval leaves out 2.5 in 100 at either end.",
        "`rng.choice(speakers, len(speakers))`, then np.percentile(accuracies, [2.5, 97.5]).",
    ],
)
def interval(answer, rng):
    n_speakers, clips = 14, 12
    speaker = np.repeat(np.arange(n_speakers), clips)
    inside, widths, by_clip = [], [], []
    for _ in range(60):
        skill = np.clip(rng.normal(0.6, 0.18, n_speakers), 0, 1)
        correct = rng.random(len(speaker)) < skill[speaker]
        low, high = numbers(answer(correct, speaker, rng), (2,), "return two numbers, the lower and the upper end")
        expect(low <= high, "the lower end comes first")
        inside.append(low <= 0.6 <= high)
        widths.append(high - low)
        by_clip.append(2 * 1.96 * np.sqrt(correct.mean() * (1 - correct.mean()) / len(correct)))
    width = np.mean(widths)
    expect(width > 1e-3, "an interval of no width claims that the next speakers will be exactly like these")
    expect(width < 0.5, f"far too wide ({width:.2f} on average): it covers everything and says nothing")
    narrow = width < 1.2 * np.mean(by_clip)
    expect(
        not (narrow and width < 0.7 * np.mean(by_clip)),
        "too narrow even for clips: percentiles 2.5 and 97.5 belong to a 95 % interval, 25 and 75 hold only half",
    )
    expect(not narrow, "you draw clips. The clips of one speaker stand or fall together: draw whole speakers")
    expect(np.mean(inside) >= 0.78, f"only {np.mean(inside):.0%} of 60 intervals held the true accuracy")


@exercise(
    "5.3",
    "Expected calibration error",
    goal=3,
    hints=[
        "Put the clips into bins by confidence: from 0 to 0.1, from 0.1 to 0.2, ...",
        "In each bin: the distance between the mean confidence and the share that is right. A bin counts by its clips.",
    ],
)
def ece(answer, rng):
    for _ in range(3):
        n = int(rng.integers(100, 300))
        confidence = np.concatenate([rng.uniform(0.2, 0.5, n // 5), rng.uniform(0.6, 0.995, n - n // 5)])
        true_share = np.where(confidence > 0.75, confidence - 0.25, np.minimum(1, confidence + 0.2))
        correct = rng.random(len(confidence)) < true_share
        number = np.minimum((confidence * 10).astype(int), 9)
        bins = [number == b for b in range(10) if (number == b).any()]
        gap = np.array([confidence[b].mean() - correct[b].mean() for b in bins])
        weight = np.array([b.mean() for b in bins])
        wanted = float(weight @ np.abs(gap))
        given = float(numbers(answer(confidence, correct), (), "return one number"))
        expect(
            abs(given - abs(weight @ gap)) > 1e-6,
            "too sure here and too unsure there must not cancel: take the size of the distance in each bin",
        )
        expect(
            abs(given - np.abs(gap).mean()) > 1e-6,
            "a bin of two clips counts as much as one of fifty: weight each bin by the share of its clips",
        )
        expect(
            abs(given - np.mean((confidence - correct) ** 2)) > 1e-6,
            "this is the Brier score, clip by clip; a calibration error compares means in bins",
        )
        expect(abs(given - wanted) < 1e-6, f"with ten bins it is {wanted:.4f}, you say {given:.4f}")


@exercise(
    "5.4",
    "A threshold for 90 % precision",
    goal=5,
    hints=[
        "Try each confidence that occurs as a threshold: the answers at or above it remain.",
        "Of those thresholds where at least 90 % of what remains is right, take the lowest: it answers most.",
    ],
)
def threshold(answer, rng):
    for _ in range(5):
        confidence = rng.permutation(np.linspace(0.2, 0.999, 150))
        correct = rng.random(150) < confidence**0.6
        correct[np.argsort(confidence)[-2:]] = [False, True]
        fits = [t for t in confidence if correct[confidence >= t].mean() >= 0.9]
        t = float(numbers(answer(confidence, correct), (), "return one number"))
        kept = confidence >= t
        expect(kept.any(), "above your threshold no answer is left")
        lowest = min(fits)
        best = (confidence >= lowest).sum()
        expect(t != 0.9, "a confidence of 0.9 need not be right 9 times in 10: look at what was right")
        expect(
            correct[kept].mean() >= 0.9,
            f"of what remains only {correct[kept].mean():.0%} is right: look at the answers at "
            "and above the threshold together",
        )
        expect(
            kept.sum() >= best,
            f"right often enough, but it answers {kept.sum()} clips where {best} would be possible: "
            "take the lowest threshold that fits",
        )


@exercise(
    "5.5",
    "Name the leak",
    goal=4,
    hints=[
        "Compare the rows whose role is train with those whose role is test: what occurs in both?",
        "Copies share a digest; a known voice shares the speaker; a known sentence shares the text.",
        "A choice that was made on the test is a leak, too: look at `chosen_on`.",
    ],
)
def leaks(answer, rng):
    import pandas as pd

    kinds = ["copies", "speaker", "text", "selection"]
    for number in range(16):
        wanted = {kind for bit, kind in enumerate(kinds) if number >> bit & 1}
        if "copies" in wanted:
            wanted |= {"speaker", "text"}
        rows = [
            (
                role,
                f"{'A' if 'speaker' in wanted else role}{rng.integers(3)}",
                f"{'w' if 'text' in wanted else role}{i % 6}",
                int(rng.integers(10**9)),
            )
            for role in ("train", "test")
            for i in range(18)
        ]
        table = pd.DataFrame(rows, columns=["role", "speaker", "text", "digest"])
        if "speaker" in wanted:
            table.loc[[0, 18], "speaker"] = "A0"
        table.loc[len(table)] = ["validation", table.speaker.iloc[-1], table.text.iloc[-1], table.digest.iloc[-1]]
        if "copies" in wanted:
            table.loc[20, ["speaker", "text", "digest"]] = table.loc[3, ["speaker", "text", "digest"]].tolist()
        chosen_on = "test" if "selection" in wanted else "validation"
        table = table.sample(frac=1, random_state=int(rng.integers(10**6)))
        given = set(answer(table, chosen_on))
        expect(given <= set(kinds), f"the names are {', '.join(kinds)}")
        for kind, hint in (
            ("selection", "the epoch was chosen on the test role, and you do not say so (or say so where it was not)"),
            ("copies", "look at the digests: the same recording in train and test, or not"),
            (
                "speaker",
                "look at the speakers: a voice in train and in test, or not (what validation shares does not count)",
            ),
            ("text", "look at the texts: a sentence in train and in test, or not"),
        ):
            expect((kind in given) == (kind in wanted), hint)
