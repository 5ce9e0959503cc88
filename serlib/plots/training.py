"""The figure of a training."""

import numpy as np
import pandas as pd

from serlib.plots.style import FAINT, MAIN, SECOND, described, drawn, listed, panels


@drawn
def curves(history, *, best="val_loss", validation="validation", title="Training curves"):
    """Loss and accuracy by epoch, on the training and the validation role, the best epoch marked.

    Parameters
    ----------
    history : pd.DataFrame or dict of lists
        A row an epoch: loss, accuracy and, where there is a validation role, val_loss, val_accuracy; `epoch` (from 1)
        where it does not start at 1.
    best : str
        The column that chose the epoch: lowest for a loss, highest for an accuracy.
    validation : str
        What the validation curve is called; under the published protocol it is the test role and should say so.

    Returns
    -------
    Figure

    Taught in notebooks/04_lstm_train.
    """
    table = pd.DataFrame(dict(history)).reset_index(drop=True)
    epoch = table["epoch"].to_numpy() if "epoch" in table else np.arange(1, len(table) + 1)
    figure, ((left, right),) = panels(1, 2, size=(12, 4.6))
    best_row = None
    if best in table and table[best].notna().any():
        best_row = int(table[best].idxmin() if "loss" in best else table[best].idxmax())
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
    at = f"; best {best} in epoch {epoch[best_row]}" if best_row is not None else ""
    return described(figure, f"Training curves over {len(table)} epochs; in the last: {ends}{at}.")
