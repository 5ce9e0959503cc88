"""Three wrong answers to each exercise, as students give them. Each must be refused with a hint of its own."""

from pathlib import Path

import numpy as np
import pandas as pd
import scipy.fft
from scipy import stats
from sklearn import metrics


def by_name(files):
    return list({Path(name).name: name for name in files}.values())


def last_copy(files):
    return list({content: name for name, content in files.items()}.values())


def without_any_copy(files):
    contents = list(files.values())
    return [name for name, content in files.items() if contents.count(content) == 1]


def loudest_frequency(y, rate_hz):
    spectrum = np.abs(np.fft.rfft(y * np.hanning(len(y)), 65536))
    return spectrum.argmax() * rate_hz / 65536


def lag_zero(y, rate_hz):
    fit = np.correlate(y, y, "full")[len(y) - 1 :]
    return rate_hz / max(1, fit.argmax())


def period(y, rate_hz):
    fit = np.correlate(y, y, "full")[len(y) - 1 :]
    low = int(rate_hz / 400)
    return low + fit[low:].argmax()


def wald(meant, guessed):
    p, n = np.mean(np.array(meant) == np.array(guessed)), len(meant)
    half = 1.96 * np.sqrt(p * (1 - p) / n)
    return p, p - half, p + half


def wald_clipped(meant, guessed):
    p, low, high = wald(meant, guessed)
    return p, max(0, low), min(1, high)


def one_standard_error(meant, guessed):
    p, low, high = wald(meant, guessed)
    return p, p - (p - low) / 1.96, p + (high - p) / 1.96


def same_width(meant, guessed):
    p = np.mean(np.array(meant) == np.array(guessed))
    return p, max(0, p - 0.2), min(1, p + 0.2)


def triangle(hz, left, centre, right, *, height=1.0, clip=True):
    weights = np.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)) * height
    return np.maximum(0, weights) if clip else weights


def rolled(clips):
    return np.resize(["train", "train", "train", "validation", "test"], len(clips))


def without_validation(clips):
    return np.where(clips.speaker == clips.speaker.iloc[0], "test", "train")


def some_lost(clips):
    speakers = sorted(clips.speaker.unique())
    return (
        clips.speaker[clips.speaker != speakers[-1]]
        .map({speakers[0]: "test", speakers[1]: "validation"})
        .fillna("train")
    )


def log_softmax(logits, axis=1):
    e = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return np.log(e / e.sum(axis=axis, keepdims=True))


def picked(table, labels):
    return table[np.arange(len(labels)), labels]


def unstable(logits, labels):
    e = np.exp(logits)
    return -np.log(picked(e / e.sum(axis=1, keepdims=True), labels)).mean()


def trained(x, y, x_val, y_val, *, epochs, units=64, validation=True):
    import keras

    model = keras.Sequential(
        [keras.layers.Dense(units, activation="relu"), keras.layers.Dense(4, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = (x_val, y_val) if validation else None
    return model.fit(x, y, validation_data=data, epochs=epochs, verbose=0)


def bootstrap(correct, groups, rng, *, levels=(2.5, 97.5), n=200):
    names = np.unique(groups)
    rows = [np.flatnonzero(groups == name) for name in names]
    drawn = [np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]) for _ in range(n)]
    return np.percentile([correct[rows].mean() for rows in drawn], levels)


def ece(confidence, correct, *, weighted=True, signed=False):
    number = np.minimum((confidence * 10).astype(int), 9)
    bins = [number == b for b in np.unique(number)]
    gaps = np.array([confidence[b].mean() - correct[b].mean() for b in bins])
    weights = np.array([b.mean() for b in bins]) if weighted else np.full(len(bins), 1 / len(bins))
    return abs(weights @ gaps) if signed else weights @ np.abs(gaps)


def shared(table, chosen_on, *, names=("copies", "speaker", "text"), roles=("train",), selection=True):
    columns = {"copies": "digest", "speaker": "speaker", "text": "text"}
    known, test = table[table.role.isin(roles)], table[table.role == "test"]
    result = {name for name in names if set(known[columns[name]]) & set(test[columns[name]])}
    return result | {"selection"} if selection and chosen_on == "test" else result


def holm_sorted(p):
    ordered = np.sort(p)
    counts = ordered * np.arange(len(p), 0, -1) <= 0.05
    return np.logical_and.accumulate(counts)


def noisy(y, snr_db, rng, *, divisor=20.0):
    noise = rng.normal(size=len(y))
    return y + noise / noise.std() * np.sqrt(np.mean(np.square(y, dtype=float))) * 10 ** (-snr_db / divisor)


def in_place(y, snr_db, rng):
    y += rng.normal(size=len(y)).astype("float32") * 0.01
    return y


def z(x, axis=0):
    return (x - x.mean(axis=axis, keepdims=True)) / x.std(axis=axis, keepdims=True)


def z_with_nan(x, speaker):
    return np.concatenate([z(x[speaker == name]) for name in np.unique(speaker)])


def one_step(p, shares):
    answers = p * shares / p.mean(axis=0)
    return answers / answers.sum(axis=1, keepdims=True)


def pooled(states, lengths=None):
    real = states if lengths is None else [frames[:n] for frames, n in zip(states, lengths, strict=True)]
    return [np.array([statistic(part, axis=0) for part in real]) for statistic in (np.mean, np.std)]


def layer_by(score):
    return lambda layers, labels, speakers: max(layers, key=lambda name: score(layers[name], labels))


def on_training(x, labels):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=500).fit(x, labels).score(x, labels) + x.shape[1] / 1000


def random_folds(x, labels):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    return cross_val_score(LogisticRegression(max_iter=500), x, labels, cv=StratifiedKFold(5, shuffle=True)).mean()


def all_frozen(model):
    model.trainable = False
    return model


def renewed(model):
    encoder = model.get_layer("encoder")
    encoder.set_weights([0.1 * weight for weight in encoder.get_weights()])
    encoder.trainable = False
    return model


def crossed(meant, heard, labels, **options):
    table = pd.crosstab(np.array(meant), np.array(heard), **options)
    return table.reindex(index=labels, columns=[*labels, "unsure"], fill_value=0)


def card(report, **changes):
    return {
        "data": report["corpus"],
        "split": report["split"],
        "uar": report["uar"],
        "interval": report["uar_interval"],
        "speakers": report["test_speakers"],
        "not_for": "people at work",
        "limits": "acted speech",
        **changes,
    }


def grouped(meant, heard, group, score):
    meant, heard, group = map(np.array, (meant, heard, group))
    return {name: score(meant[group == name], heard[group == name]) for name in np.unique(group)}


WRONG = {
    "1.1": [
        lambda name: tuple(name.split("_")),
        lambda name: tuple(Path(name).stem.split("_")),
        lambda name: tuple(Path(name).stem.replace("OA_", "OAF_").split("_")),
    ],
    "1.2": [by_name, last_copy, without_any_copy],
    "1.3": [
        lambda training, test: test.digest.isin(training.digest).sum(),
        lambda training, test: training.digest.isin(test.digest).mean(),
        lambda training, test: test.index.isin(training.index).mean(),
    ],
    "1.4": [
        lambda path: not path.startswith(".."),
        lambda path: ".." not in path and not path.startswith("/"),
        lambda path: not path.startswith(("..", "/")),
    ],
    "2.1": [loudest_frequency, lag_zero, period],
    "2.2": [
        lambda hz, reference: 12 * np.log2(reference / hz),
        lambda hz, reference: np.log2(hz / reference),
        lambda hz, reference: 12 * np.log(hz / reference),
    ],
    "2.3": [
        lambda y: 20 * np.log10(np.abs(y).max()),
        lambda y: 10 * np.log10(np.sqrt(np.mean(y**2))),
        lambda y: 20 * np.log10(np.mean(np.abs(y))),
    ],
    "2.4": [wald_clipped, one_standard_error, same_width],
    "3.1": [np.hanning, np.hamming, lambda n: np.sin(np.pi * np.arange(n) / n)],
    "3.2": [
        lambda frame, k: np.sum(frame * np.cos(2 * np.pi * k * np.arange(len(frame)) / len(frame))),
        lambda frame, k: np.sum(frame * np.exp(2j * np.pi * k * np.arange(len(frame)) / len(frame))),
        lambda frame, k: np.fft.fft(frame)[k] / len(frame),
    ],
    "3.3": [
        lambda hz, left, centre, right: triangle(hz, left, centre, right, clip=False),
        triangle,
        lambda hz, left, centre, right: triangle(hz, left, (left + right) / 2, right, height=2 / (right - left)),
    ],
    "3.4": [
        lambda row, n: scipy.fft.idct(scipy.fft.dct(row)[:n], n=len(row), norm="ortho"),
        lambda row, n: scipy.fft.idct(
            np.where(np.arange(len(row)) < len(row) - n, 0, scipy.fft.dct(row, norm="ortho")), norm="ortho"
        ),
        lambda row, n: scipy.fft.idct(scipy.fft.dct(row, norm="ortho")[: n + 1], n=len(row), norm="ortho"),
    ],
    "3.5": [lambda frames: frames, lambda frames: 2 * frames, lambda frames: frames * 0 + frames.mean(axis=0)],
    "4.1": [
        lambda inputs, units: 3 * ((inputs + units) * units + units),
        lambda inputs, units: 4 * (inputs + units) * units,
        lambda inputs, units: 4 * (inputs * units + units),
    ],
    "4.2": [rolled, without_validation, some_lost],
    "4.3": [
        lambda logits, labels: -picked(log_softmax(logits), labels).sum(),
        lambda logits, labels: -picked(log_softmax(logits, axis=0), labels).mean(),
        unstable,
    ],
    "4.4": [
        lambda history: history.val_loss.argmin(),
        lambda history: len(history),
        lambda history: history.val_accuracy.argmax() + 1,
    ],
    "4.5": [
        lambda *data: trained(*data, epochs=2),
        lambda *data: trained(*data, epochs=8, units=2),
        lambda *data: trained(*data, epochs=6, validation=False),
    ],
    "5.1": [
        lambda meant, heard: np.mean(np.array(meant) == np.array(heard)),
        lambda meant, heard: metrics.precision_score(
            meant, heard, labels=sorted(set(meant)), average="macro", zero_division=0
        ),
        lambda meant, heard: metrics.recall_score(
            meant, heard, labels=["angry", "fear", "neutral", "sad"], average="macro", zero_division=0
        ),
    ],
    "5.2": [
        lambda correct, speaker, rng: bootstrap(correct, np.arange(len(correct)), rng, n=100),
        lambda correct, speaker, rng: bootstrap(correct, np.arange(len(correct)), rng, levels=(40, 60), n=100),
        lambda correct, speaker, rng: (0.0, 1.0),
    ],
    "5.3": [
        lambda confidence, correct: ece(confidence, correct, weighted=False),
        lambda confidence, correct: ece(confidence, correct, signed=True),
        lambda confidence, correct: np.mean((confidence - correct) ** 2),
    ],
    "5.4": [
        lambda confidence, correct: 0.9,
        lambda confidence, correct: confidence.min(),
        lambda confidence, correct: confidence[correct].max(),
    ],
    "5.5": [
        lambda table, chosen_on: shared(table, chosen_on, selection=False),
        lambda table, chosen_on: shared(table, chosen_on, roles=("train", "validation")),
        lambda table, chosen_on: shared(table, chosen_on, names=("copies", "speaker")),
    ],
    "6.1": [
        lambda a, b: stats.binomtest(int((a & ~b).sum()), int((a ^ b).sum()), alternative="greater").pvalue,
        lambda a, b: stats.chi2_contingency([[a.sum(), (~a).sum()], [b.sum(), (~b).sum()]]).pvalue,
        lambda a, b: int((a & ~b).sum()) - int((b & ~a).sum()),
    ],
    "6.2": [
        lambda models, clips, p, rng: p,
        lambda models, clips, p, rng: rng.binomial(clips, p, (2000, models)).max(axis=1).mean(),
        lambda models, clips, p, rng: rng.binomial(clips, p, (5000, models)).max() / clips,
    ],
    "6.3": [lambda p: p < 0.05, lambda p: p * len(p) <= 0.05, holm_sorted],
    "7.1": [
        lambda y, snr_db, rng: noisy(y, snr_db, rng, divisor=40.0),
        in_place,
        lambda y, snr_db, rng: noisy(y, snr_db, np.random.default_rng(0)),
    ],
    "7.2": [lambda x, speaker: z(x), lambda x, speaker: z(x, axis=1), z_with_nan],
    "7.3": [
        lambda p, shares: p * shares / p.mean(axis=0),
        one_step,
        lambda p, shares: np.eye(len(shares))[p.argmax(axis=1)],
    ],
    "8.1": [
        lambda states, lengths: pooled(states, lengths)[0],
        lambda states, lengths: np.concatenate(pooled(states), axis=1),
        lambda states, lengths: np.concatenate(pooled(states, lengths)[::-1], axis=1),
    ],
    "8.2": [layer_by(on_training), layer_by(random_folds), lambda layers, labels, speakers: 0],
    "8.3": [lambda model: model, all_frozen, renewed],
    "9.1": [
        lambda piece, every, transport, compute: every / 2 + transport + compute,
        lambda piece, every, transport, compute: piece + every + transport + compute,
        lambda piece, every, transport, compute: transport + compute,
    ],
    "9.2": [
        lambda length, window, hop: list(np.arange(0, length - window + 1e-9, hop)),
        lambda length, window, hop: list(np.arange(0, length, hop)),
        lambda length, window, hop: [*np.arange(0, length - window, 2 * hop), length - window],
    ],
    "9.3": [
        lambda labels, hop: [(i * hop, (i + 1) * hop, label) for i, label in enumerate(labels)],
        lambda labels, hop: [(0, hop, labels[0])],
        lambda labels, hop: labels,
    ],
    "9.4": [
        lambda meant, heard, labels: crossed(meant, heard, labels),
        lambda meant, heard, labels: crossed(meant, heard, labels, normalize="columns"),
        lambda meant, heard, labels: crossed(meant, heard, labels, normalize="index")[labels],
    ],
    "10.1": [
        lambda meant, heard, group: grouped(meant, heard, group, metrics.accuracy_score),
        lambda meant, heard, group: dict.fromkeys(
            set(group), metrics.recall_score(meant, heard, average="macro", zero_division=0)
        ),
        lambda meant, heard, group: {"women": 0.5, "men": 0.6},
    ],
    "10.2": [
        lambda recall, false_alarms, prevalence: recall,
        lambda recall, false_alarms, prevalence: recall / (recall + false_alarms),
        lambda recall, false_alarms, prevalence: recall * prevalence,
    ],
    "10.3": [
        lambda person, reason, stage: "forbidden",
        lambda person, reason, stage: "outside" if stage == "research only" else "high risk",
        lambda person, reason, stage: "outside",
    ],
    "10.4": [
        lambda report: card(report, uar=report["accuracy"]),
        lambda report: card(report, uar=report["validation_uar"]),
        lambda report: card(report, limits=""),
    ],
}
