"""To listen and to look: players, the scope that shows a clip while it plays, and the widgets made of them.

Every widget is one call over a plain function that does the computing; the plain functions are what the tests and the
pages without a kernel use. The JavaScript is in the files beside the modules; nothing is loaded from a network.
"""

from serlib.explore.app import App, app, learned, ready
from serlib.explore.bench import Bench, mfcc_bench, workings
from serlib.explore.drawing import overlay_image, view
from serlib.explore.explorer import Explorer, explorer
from serlib.explore.gallery import Gallery, confused, gallery
from serlib.explore.grid import Grid, grid, grid_view
from serlib.explore.live import Listener, Live, live, save_take, speech
from serlib.explore.map import ClipMap, clip_map
from serlib.explore.players import PLAYER_HZ, common_gain, encoded, find_clip, player, players
from serlib.explore.scope import Scope, common, scope, scopes

__all__ = [
    "PLAYER_HZ",
    "App",
    "Bench",
    "ClipMap",
    "Explorer",
    "Gallery",
    "Grid",
    "Listener",
    "Live",
    "Scope",
    "app",
    "clip_map",
    "common",
    "common_gain",
    "confused",
    "encoded",
    "explorer",
    "find_clip",
    "gallery",
    "grid",
    "grid_view",
    "learned",
    "live",
    "mfcc_bench",
    "overlay_image",
    "player",
    "players",
    "ready",
    "save_take",
    "scope",
    "scopes",
    "speech",
    "view",
    "workings",
]
