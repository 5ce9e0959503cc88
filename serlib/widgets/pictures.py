"""What a widget leaves on a page without a kernel: a picture of itself, and players."""

from dataclasses import dataclass
from pathlib import Path

from serlib.plots.style import shown_as

#: What the widgets write in HTML and SVG.
TEMPLATES = Path(__file__).with_name("templates")

#: Dots per inch of these pictures: small, since a notebook may hold many.
DPI = 58


@dataclass(frozen=True)
class Static:
    """What a widget leaves on the page.

    Attributes
    ----------
    name : str
        What it is, for a page that shows text only.
    figures : list of Figure
        What it shows, from top to bottom.
    players : list of str
        HTML of its sounds.
    page : str, optional
        HTML that holds pictures and players already, in the place of both.
    """

    name: str
    figures: list
    players: list
    page: str | None = None


class Pictured:
    """A widget that leaves a picture of itself on a page without a kernel; mixed into a class of widgets."""

    def static(self):
        """What it leaves on such a page, as it stands now.

        Returns
        -------
        Static
        """
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs):
        """The widget, its picture as PNG, and as HTML together with its players."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        static = self.static()
        picture, described = shown_as(*static.figures, dpi=DPI)
        page = static.page or "<br>".join([picture["text/html"], *static.players])
        data = {**data, **picture, "text/html": page, "text/plain": f"[{static.name}]"}
        return data, {**metadata, **described}
