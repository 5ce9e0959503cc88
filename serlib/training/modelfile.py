"""What a `.keras` file may hold, looked at before Keras is: layers of Keras and of this package, and no code.

Keras's safe mode refuses the same; holes in it were found and closed several times [1]_, and which Keras is installed
is not ours to say.

References
----------
.. [1] CVE-2025-1550, CVE-2025-8747, CVE-2025-9905, CVE-2025-9906, CVE-2025-12058.
"""

import json
import zipfile

#: A `.keras` file is a ZIP archive of these.
PARTS = {"metadata.json", "config.json", "model.weights.h5"}
#: Where Keras keeps what models are made of; other parts of it read files, download, or switch safe mode off.
MODULES = {
    *("keras", "keras.models", "keras.layers", "keras.activations", "keras.initializers", "keras.constraints"),
    *("keras.regularizers", "keras.optimizers", "keras.optimizers.schedules", "keras.losses", "keras.metrics"),
    *("keras.dtype_policies", "keras.src.models.functional", "keras.src.models.sequential", "keras.src.models.model"),
}
#: Of these modules: what carries code, or takes a file in.
NEVER = {
    *("Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"),
    *("StringLookup", "IntegerLookup", "TextVectorization"),
}
#: The only values that are no objects of a module.
PLAIN = {"__keras_tensor__", "__tensor__", "__numpy__", "__ellipsis__", "__slice__"}
#: A description of a model is a few hundred kilobytes at most, its weights a few hundred megabytes.
MOST_BYTES = {"metadata.json": 2**20, "config.json": 2**24, "model.weights.h5": 2**32}


def check(path):
    """Refuse a model file that holds anything but a model.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ValueError
        Says what it holds. (What is no ZIP archive, or no JSON, raises the errors of those modules.)
    """
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if entry.filename not in PARTS:
                raise ValueError(f"it holds {entry.filename[:80]!r}, which is no part of a model")
            if entry.file_size > MOST_BYTES[entry.filename]:
                raise ValueError(f"its {entry.filename} is {entry.file_size / 2**20:.0f} MB large")
        config = json.loads(archive.read("config.json"))
    for found in _objects(config):
        if reason := _fault(found):
            raise ValueError(f"it names {reason}, and a model may only hold layers of Keras and of serlib")


def _objects(value):
    """Each dict of a configuration that names a class, a function or a module."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value or "module" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _fault(found):
    """What an entry of the configuration names that it may not; None where it may."""
    import keras

    module, name, registered = (found.get(key) for key in ("module", "class_name", "registered_name"))
    if name == "function":
        name = found.get("config")
    told = f"{module or ''}.{name}".strip(".")[:80]
    if not all(isinstance(text, str | None) for text in (module, name, registered)):
        return "what is no name"
    if name in NEVER:
        return told
    if module in MODULES or (module or "").startswith("keras.src.ops.") or (module is None and name in PLAIN):
        return None
    # Layers of this package, and what users have registered themselves before they load a model.
    return None if registered and keras.saving.get_registered_object(registered) is not None else told
