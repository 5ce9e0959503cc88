"""One text in every emotion, said by everybody: small spectrograms that play when they are clicked (`grid`)."""

import io
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from serlib import audio, plots
from serlib.plots.style import described, heading, panels, template, with_style
from serlib.utils import SerlibError, ordered_labels
from serlib.widgets.oscilloscope import common, thumbnail
from serlib.widgets.playing import encoded
from serlib.widgets.shared import TEMPLATES, Pictured, Static


def grid_view(index, text, *, speakers=None):
    """What a `grid` of these arguments shows and plays.

    Returns
    -------
    dict
        Among others `speakers`, the columns, `labels`, the rows, and `cells`: for each row a list of None, where there
        is no such clip, or a dict with its picture (PNG) and its sound, all equally amplified.

    Raises
    ------
    SerlibError
        Nobody says this text.
    """
    speakers = list(speakers if speakers is not None else index.speaker.unique())
    of_text = index[(index.text == text) & index.speaker.isin(speakers)]
    if of_text.empty:
        raise SerlibError(
            f"None of {', '.join(speakers)} says '{text}'; choose one of {', '.join(index.text.unique())}"
        )
    labels = ordered_labels(of_text.label.unique())
    clips = of_text.drop_duplicates(["speaker", "label"]).set_index(["speaker", "label"]).speech
    sounds = {key: audio.load(speech) for key, speech in clips.items()}
    shared = common(list(sounds.values()))

    def cell(speaker, label):
        if (speaker, label) not in sounds:
            return None
        y, rate_hz = sounds[speaker, label]
        sound, mime = encoded(y, rate_hz, gain=shared["gain"])
        return {
            "speech": Path(clips[speaker, label]).name,
            "duration_s": len(y) / rate_hz,
            "image": thumbnail(y, rate_hz),
            "sound": sound,
            "mime": mime,
            "alt": f"{speaker}, {label}: mel spectrogram of {len(y) / rate_hz:.2f} s",
        }

    return {
        "title": plots.honest(text, index).replace("\n", " "),
        "reading": f"Time to the right, up to {shared['span_s']:.1f} s; frequency upwards (mel)",
        "speakers": speakers,
        "labels": labels,
        "colours": [plots.style.line_colour(label) for label in labels],
        "span_s": shared["span_s"],
        "cells": [[cell(speaker, label) for speaker in speakers] for label in labels],
    }


class Grid(Pictured, anywidget.AnyWidget):
    """The widget that `grid` makes."""

    _esm = Path(__file__).with_name("grid.js")
    _css = Path(__file__).with_name("grid.css")

    shown = traitlets.Dict().tag(sync=True)  # as `grid_view` gives it
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  # [row, column] of the clip that was played last, or []
    playing = traitlets.Bool(False).tag(sync=True)

    def static(self):
        """What it leaves on a page without a kernel: pictures as wide as they are long, and players."""
        page = template(TEMPLATES / "grid.html.jinja").render(shown=self.shown)
        return Static(f"Grid: {self.shown['title']}", [_still(self.shown)], [], page=page)


@with_style
def _still(shown):
    rows, columns = len(shown["labels"]), len(shown["speakers"])
    figure, places = panels(rows, columns, size=(1 + 3 * columns, 0.8 + 0.8 * rows))
    for row, label in enumerate(shown["labels"]):
        for column, speaker in enumerate(shown["speakers"]):
            ax = places[row, column]
            cell = shown["cells"][row][column]
            if cell:
                picture = np.flipud(np.asarray(Image.open(io.BytesIO(cell["image"])).convert("RGB")))
                ax.imshow(picture, extent=(0, cell["duration_s"], 0, 1))
            ax.set(xlim=(0, shown["span_s"]), xticks=[], yticks=[])
            if row == 0:
                ax.set_title(speaker)
        places[row, 0].set_ylabel(label, rotation=0, ha="right", va="center")
    heading(figure, shown["title"])
    who = " and ".join(shown["speakers"])
    alt = f"Small mel spectrograms of '{shown['title']}', said by {who} as {', '.join(shown['labels'])}"
    return described(figure, f"{alt}; time to the right, up to {shown['span_s']:.1f} s.")


def grid(index, text, *, speakers=None):
    """One text in every emotion, a column for each speaker; a click plays.

    Parameters
    ----------
    index : pd.DataFrame
        Of `serlib.corpora.index`.
    text : str
        What is said.
    speakers : list of str
        Who is shown; default: all.

    Taught in notebooks/02_eda.
    """
    return Grid(shown=grid_view(index, text, speakers=speakers))
