"""Figures of a training, and of the cell that is trained."""

import numpy as np
import pandas as pd

from serlib.plots.style import FAINT, INK, MAIN, SECOND, canvas, described, listed, panels, with_style


@with_style
def curves(history, *, validation="validation", title="Training curves"):
    """Loss and accuracy by epoch, on the training and the validation set; the lowest validation loss is marked.

    Parameters
    ----------
    history : pd.DataFrame or dict of lists
        A row an epoch: loss, accuracy and, where there is a validation set, val_loss, val_accuracy; `epoch` (from 1)
        where it does not start at 1.
    validation : str
        What the validation curve is called; under the published protocol it is the test set and should say so.

    Returns
    -------
    Figure

    Taught in notebooks/04_lstm_train.
    """
    table = pd.DataFrame(dict(history)).reset_index(drop=True)
    epoch = table["epoch"].to_numpy() if "epoch" in table else np.arange(1, len(table) + 1)
    figure, ((left, right),) = panels(1, 2, size=(12, 4.6))
    best_row = int(table["val_loss"].idxmin()) if "val_loss" in table and table["val_loss"].notna().any() else None
    for ax, name, scale in ((left, "loss", 1), (right, "accuracy", 100)):
        for column, label, shade, style in ((name, "train", MAIN, "-"), (f"val_{name}", validation, SECOND, "--")):
            if column in table:
                ax.plot(epoch, scale * table[column], style, color=shade, label=label, marker="o", markersize=4)
        if best_row is not None:
            ax.axvline(epoch[best_row], color=FAINT, linestyle=":", label=f"best epoch ({epoch[best_row]})")
        ax.set(xlabel="Epoch", ylabel="Loss (cross-entropy)" if name == "loss" else "Accuracy (%)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid()
    left.set_title(title)
    right.legend(loc="lower right")
    last = table.iloc[-1]
    ends = listed((c, f"{last[c]:.3f}") for c in ("loss", "accuracy", "val_loss", "val_accuracy") if c in table)
    at = f"; best val_loss in epoch {epoch[best_row]}" if best_row is not None else ""
    return described(figure, f"Training curves over {len(table)} epochs; in the last: {ends}{at}.")


#: Position, name and colour of what a step of an LSTM computes.
_GATES = (
    (2.0, "forget\nsigmoid", MAIN),
    (3.6, "input\nsigmoid", MAIN),
    (5.2, "candidate\ntanh", SECOND),
    (6.8, "output\nsigmoid", MAIN),
)


@with_style
def gates(*, title="One step of an LSTM", ax=None):
    """One step of an LSTM: three gates and a candidate for the new state.

    Parameters
    ----------
    title : str
    ax : Axes, optional

    Returns
    -------
    Figure, or Axes where `ax` is given.

    Taught in notebooks/04_lstm_train.
    """
    ax, out = canvas(ax, size=(10, 4.8))
    arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.6}

    def line(start, end):
        ax.annotate("", end, start, arrowprops=arrow)

    def node(x, y, text):
        look = {"boxstyle": "circle", "fc": "white", "ec": INK}
        ax.text(x, y, text, ha="center", va="center", fontsize=13, bbox=look)

    top, middle, bottom = 4.2, 2.2, 0.6
    line((0.2, top), (9.7, top))
    ax.annotate("state c before", (0.2, top), (0, 9), textcoords="offset points")
    ax.annotate("state c now", (9.7, top), (0, 9), textcoords="offset points", ha="right")
    ax.plot([0.2, 6.8], [bottom, bottom], color=INK, linewidth=1.6)
    ax.annotate("output h before, and the input x of this step", (0.2, bottom), (0, -17), textcoords="offset points")
    for x, name, shade in _GATES:
        line((x, bottom), (x, middle - 0.42))
        ax.text(x, middle, name, ha="center", va="center", color="white", bbox={"boxstyle": "round", "fc": shade})
    line((2.0, middle + 0.42), (2.0, top - 0.25))
    node(2.0, top, "×")
    line((3.6, middle + 0.42), (4.3, 3.0))
    line((5.2, middle + 0.42), (4.5, 3.0))
    node(4.4, 3.15, "×")
    line((4.4, 3.4), (4.4, top - 0.25))
    node(4.4, top, "+")
    line((8.4, top), (8.4, middle + 0.3))
    ax.annotate("tanh", (8.4, 3.2), (8, 0), textcoords="offset points", color=INK)
    line((6.8 + 0.5, middle), (8.4 - 0.22, middle))
    node(8.4, middle, "×")
    line((8.4 + 0.22, middle), (9.7, middle))
    ax.annotate("output h now", (9.7, middle), (0, -24), textcoords="offset points", ha="right")
    ax.set(title=title, xlim=(0, 10.1), ylim=(-0.1, 5))
    ax.set_axis_off()
    ax.axhline(-0.05, color=FAINT, linewidth=0)
    return described(
        out,
        "Diagram of an LSTM: the state runs through, is multiplied by the forget gate, and gets the candidate times "
        "the input gate added; the output is the output gate times the tanh of the state. All four see the input and "
        "the output before.",
    )
