"""What all augmentations share: plain fields that are checked, and `to_dict`."""

import dataclasses

from serlib.utils import SerlibError


class Augmentation:
    """A frozen dataclass of plain values that says how clips are changed.

    `LIMITS` says from where to where a field may go; one whose default is a pair of numbers is a range to draw from.
    """

    LIMITS = {}

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.name in self.LIMITS:
                self._check(field.name, type(field.default), *self.LIMITS[field.name])

    def to_dict(self):
        """Plain values, for JSON: the name of the class, and its fields."""
        fields = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"name": type(self).__name__, **fields}

    def _check(self, field, kind, low, high):
        """Keep a field as a number of its kind, or as the two ends of a range; refuse what is neither."""
        value = getattr(self, field)
        count = 2 if kind is tuple else 1
        try:
            ends = tuple(float(end) for end in (value if kind is tuple else [value]))
        except (TypeError, ValueError):
            ends = ()
        is_broken = kind is int and ends and not ends[0].is_integer()
        if is_broken or len(ends) != count or not low <= ends[0] <= ends[-1] <= high:
            what = {tuple: "two numbers, the smaller one first,", int: "a whole number", float: "a number"}[kind]
            self._refuse(field, f"{what} from {low:g} to {high:g}")
        object.__setattr__(self, field, ends if kind is tuple else kind(ends[0]))

    def _refuse(self, field, expected):
        raise SerlibError(f"{type(self).__name__}: {field} must be {expected}, not {getattr(self, field)!r}.")


def _plain(value):
    if isinstance(value, Augmentation):
        return value.to_dict()
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
