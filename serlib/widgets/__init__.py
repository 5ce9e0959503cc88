"""To listen and to look: players, the scope that shows a clip while it plays, and the widgets and the app made of them.

Every widget is one call over a plain function that does the computing; the plain functions are what the tests and the
pages without a kernel use. The JavaScript is in the files beside the modules; nothing is loaded from a network.
"""

from serlib.widgets.apps import App, app, learned, ready
from serlib.widgets.drawing import overlay_image, view
from serlib.widgets.explorers import Explorer, explorer
from serlib.widgets.galleries import Gallery, confused, gallery
from serlib.widgets.grids import Grid, grid, grid_view
from serlib.widgets.listening import Listener, Live, live, save_take, speech
from serlib.widgets.maps import ClipMap, clip_map
from serlib.widgets.mfcc import Bench, mfcc_bench, workings
from serlib.widgets.oscilloscope import Scope, common, scope, scopes
from serlib.widgets.playing import PLAYER_HZ, common_gain, encoded, find_clip, player, players

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
