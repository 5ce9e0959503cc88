"""Inside a layer: an LSTM with its gates."""

from serlib.plots.style import FAINT, INK, MAIN, SECOND, canvas, described, drawn

#: Position, name and colour of what a step of an LSTM computes.
_GATES = (
    (2.0, "forget\nsigmoid", MAIN),
    (3.6, "take in\nsigmoid", MAIN),
    (5.2, "candidate\ntanh", SECOND),
    (6.8, "give out\nsigmoid", MAIN),
)


@drawn
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

    def node(x, y, text, shade="white"):
        ax.text(x, y, text, ha="center", va="center", fontsize=13, bbox={"boxstyle": "circle", "fc": shade, "ec": INK})

    top, middle, bottom = 4.2, 2.2, 0.6
    line((0.2, top), (8.8, top))
    ax.annotate("state c before", (0.2, top), (0, 9), textcoords="offset points")
    ax.annotate("state c now", (8.8, top), (0, 9), textcoords="offset points", ha="right")
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
    line((7.8, top), (7.8, middle + 0.3))
    ax.annotate("tanh", (7.8, 3.2), (8, 0), textcoords="offset points", color=INK)
    line((6.8 + 0.65, middle), (7.8 - 0.28, middle))
    node(7.8, middle, "×")
    line((7.8 + 0.28, middle), (8.8, middle))
    ax.annotate("output h now", (8.8, middle), (0, -20), textcoords="offset points", ha="right")
    ax.set(title=title, xlim=(0, 9.2), ylim=(-0.1, 5))
    ax.set_axis_off()
    ax.axhline(-0.05, color=FAINT, linewidth=0)
    return described(
        out,
        "Diagram of an LSTM: the state runs through, is multiplied by the forget gate, and gets the candidate times "
        "the take-in gate added; the output is the give-out gate times the tanh of the state. All four see the input "
        "and the output before.",
    )
