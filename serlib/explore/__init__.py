"""To listen and to look: players, the scope that shows a clip while it plays, and the widgets made of them.

Every widget is one call over a plain function that does the computing; the plain functions are what the tests and the
pages without a kernel use. The JavaScript is in the files beside the modules; nothing is loaded from a network.
"""

from serlib.explore.drawing import overlay_image, view
from serlib.explore.explorer import Explorer, explorer
from serlib.explore.grid import Grid, grid, grid_view
from serlib.explore.players import PLAYER_HZ, common_gain, encoded, find_clip, player, players
from serlib.explore.scope import Scope, common, scope, scopes

__all__ = [
    "PLAYER_HZ",
    "Explorer",
    "Grid",
    "Scope",
    "common",
    "common_gain",
    "encoded",
    "explorer",
    "find_clip",
    "grid",
    "grid_view",
    "overlay_image",
    "player",
    "players",
    "scope",
    "scopes",
    "view",
]
