"""Sound in: any file, upload or array to mono float32; resample, trim, find the voice, cut windows."""

import pkgutil

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[module.name for module in pkgutil.iter_modules(__path__)],
    submod_attrs={
        "containers": [
            *("AUDIO_SUFFIXES", "HIGHEST_HZ", "LOWEST_HZ"),
            *("channels", "file_digest", "looks_like_sound", "opened", "path_digest"),
        ],
        "reading": ["any_sound", "checked", "decode", "fault", "full_scale", "load", "mono", "survey"],
        "waveform": ["mean_power", "resample", "trim", "voice_activity", "windows"],
    },
)
