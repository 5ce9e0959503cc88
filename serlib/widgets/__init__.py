"""To listen and to look: players, the scope that shows a clip while it plays, and the widgets and the app made of them.

Every widget is one call over a plain function that does the computing; the plain functions are what the tests and the
pages without a kernel use. The JavaScript is in the files beside the modules; nothing is loaded from a network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "apps": ["App", "app", "learned", "ready"],
        "explorers": ["Explorer", "explorer"],
        "galleries": ["Gallery", "confused", "gallery"],
        "grids": ["Grid", "grid", "grid_view"],
        "listening": ["Listener", "Live", "live", "save_take", "speech"],
        "maps": ["ClipMap", "clip_map"],
        "mfcc": ["MfccExplorer", "mfcc_explorer", "workings"],
        "oscilloscope": ["Scope", "common", "overlay_image", "scope", "scopes", "view"],
        "playing": ["PLAYER_HZ", "common_gain", "encoded", "find_clip", "player", "players"],
    },
)
