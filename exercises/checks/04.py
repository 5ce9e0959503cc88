"""What the answers to the exercises of notebook 04 must do."""

import numpy as np

from serlib.teach import exercise, expect, numbers


@exercise(
    "4.1",
    "The parameters of an LSTM",
    goal=1,
    hints=[
        "Three gates and one candidate: four times the same sum.",
        "Each of the four looks at the inputs, at the units of the step before, and has a bias for each unit.",
    ],
)
def lstm_parameters(answer, rng):
    import keras

    for _ in range(4):
        inputs, units = int(rng.integers(2, 60)), int(rng.integers(3, 90))
        layer = keras.layers.LSTM(units)
        layer.build((None, 5, inputs))
        count = float(numbers(answer(inputs, units), (), "return one number"))
        one = layer.count_params() / 4
        expect(count != 3 * one, "three gates and the candidate for the new state make four")
        expect(count != one, "this is one of the four: three gates and a candidate")
        expect(
            count != layer.count_params() - 4 * units, "the biases are missing, one for each unit and each of the four"
        )
        expect(
            count != layer.count_params() + 4 * units, "one bias a unit and gate, not two: Keras has no second one here"
        )
        expect(
            count != 4 * (inputs * units + units), "each gate also looks at the states of all units of the step before"
        )
        expect(
            count == layer.count_params(),
            f"LSTM({units}) on {inputs} inputs has {layer.count_params():,} parameters, you say {count:,.0f}",
        )


@exercise(
    "4.2",
    "A split by speaker",
    goal=2,
    hints=[
        "Give roles to speakers, then look up the role of each clip's speaker.",
        "A dictionary from speaker to role, and `index.speaker.map(roles)`.",
    ],
)
def split_by_speaker(answer, rng):
    import pandas as pd

    names = [f"P{number}" for number in rng.choice(100, size=int(rng.integers(6, 12)), replace=False)]
    clips = pd.DataFrame(
        {"speaker": np.repeat(names, 8), "label": ["angry", "sad", "happy", "fear"] * (2 * len(names))}
    )
    clips = clips.sample(frac=1, random_state=int(rng.integers(10**6)))
    roles = pd.Series(np.asarray(answer(clips.copy())), dtype=object)
    expect(len(roles) == len(clips), "one role for each clip, and no clip may be lost")
    expect(set(roles) <= {"train", "validation", "test"}, "the roles are called train, validation and test")
    expect(
        set(roles) == {"train", "validation", "test"}, "all three roles need clips: without validation the test chooses"
    )
    table = pd.DataFrame({"speaker": clips.speaker.to_numpy(), "role": roles})
    shared = table.groupby("speaker").role.nunique().max()
    expect(shared == 1, "a speaker has clips in two roles: give the roles to speakers, not to clips")
    expect((roles == "train").mean() >= 0.4, "most clips should teach: give train more speakers than the others")


@exercise(
    "4.3",
    "Softmax and cross-entropy",
    goal=3,
    hints=[
        "Softmax: exp of each logit, divided by their sum in the row. Take the largest logit off first: exp(1000) "
        "is too big.",
        "Cross-entropy: minus the natural logarithm of the probability of the right label; then the mean over the "
        "clips.",
    ],
)
def cross_entropy(answer, rng):
    from scipy.special import log_softmax

    n, k = int(rng.integers(5, 20)), int(rng.integers(3, 8))
    logits, labels = rng.normal(0, 2, (n, k)), rng.integers(0, k, n)
    each = -log_softmax(logits, axis=1)[np.arange(n), labels]
    loss = float(numbers(answer(logits, labels), (), "return one number, the mean over the clips"))
    expect(loss >= 0, "a logarithm of a probability is negative: the loss is minus that")
    expect(abs(loss - each.sum()) > 1e-6, "this is the sum over the clips; take the mean")
    expect(abs(loss - each.mean() / np.log(2)) > 1e-6, "the field counts in natural logarithms: np.log, not np.log2")
    columns = -log_softmax(logits, axis=0)[np.arange(n), labels]
    expect(
        abs(loss - columns.mean()) > 1e-6, "the probabilities of one clip add up to 1, so sum along the labels: axis=1"
    )
    expect(abs(loss - each.mean()) < 1e-6, f"Keras says {each.mean():.3f} here, you say {loss:.3f}")
    large = answer(logits + 1000, labels)
    expect(
        np.isfinite(large) and abs(large - loss) < 1e-6,
        "with logits near 1000 it breaks: take the row's largest off before exp; the probabilities stay the same",
    )


@exercise(
    "4.4",
    "Choose an epoch",
    goal=3,
    hints=[
        "The validation role chooses. Which of its two curves says more: loss, or accuracy?",
        "`history.val_loss.argmin()`, and epochs are counted from 1.",
    ],
)
def best_epoch(answer, rng):
    import pandas as pd

    for _ in range(5):
        n = int(rng.integers(12, 40))
        low = int(rng.integers(4, n - 4))
        epochs = np.arange(1, n + 1)
        history = pd.DataFrame(
            {
                "loss": 2 / epochs + rng.normal(0, 0.001, n),
                "accuracy": 1 - 1 / (epochs + 1),
                "val_loss": 1 + 0.02 * (epochs - low) ** 2 + rng.uniform(0, 0.005, n),
                "val_accuracy": 0.5 + 0.3 * (epochs == low + 2),
            }
        )
        epoch = int(numbers(answer(history), (), "return one number, the epoch"))
        expect(epoch != low - 1, "one too few: the first row is epoch 1")
        expect(epoch != n, "the last epoch is what training looks best at; ask the validation role")
        expect(epoch != low + 2, "a lucky clip moves the accuracy; the loss says how sure the model was of all of them")
        expect(epoch == low, f"you say {epoch}, but the validation loss is lowest at epoch {low}")


@exercise(
    "4.5",
    "Make a model overfit",
    goal=3,
    hints=[
        "Few clips, a network with many parameters, and no dropout; then train for long.",
        "`model.fit(x, y, validation_data=(x_val, y_val), epochs=200, verbose=0)` returns an object with `.history`.",
        "If the validation loss does not rise: a wider layer, a larger learning rate, more epochs.",
    ],
)
def overfit(answer, rng):
    n, d, k = 40, 40, 4
    centres = rng.normal(0, 0.45, (k, d))
    y, y_val = np.repeat(np.arange(k), n // k), np.repeat(np.arange(k), 25)
    x, x_val = centres[y] + rng.normal(size=(n, d)), centres[y_val] + rng.normal(size=(100, d))
    history = answer(x, y, x_val, y_val)
    history = getattr(history, "history", history)
    try:
        columns = [np.asarray(history[name], float) for name in ("loss", "val_loss", "accuracy")]
    except (KeyError, TypeError, ValueError):
        columns = []
    expect(
        len(columns) == 3,
        "return what model.fit returns, with loss, val_loss and accuracy: compile with "
        "metrics=['accuracy'] and pass validation_data",
    )
    loss, val_loss, accuracy = columns
    expect(len(loss) >= 5, "a few epochs are too few to see it: train for longer")
    expect(
        accuracy[-1] >= 0.95,
        f"the training clips are not yet learned by heart ({accuracy[-1]:.0%} right): more units, "
        "more epochs, no dropout",
    )
    expect(
        val_loss[-1] > 1.1 * val_loss.min(),
        "the validation loss has not risen from its lowest point: train on, or let the steps be larger",
    )
    expect(loss[-1] < 0.5 * val_loss[-1], "training and validation loss still go together")
