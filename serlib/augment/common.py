"""What all augmentations share: plain fields that are checked, and `to_dict`."""

import dataclasses
import numbers

from serlib.utils import SerlibError


class Augmentation:
    """A frozen dataclass of plain values that says how clips are changed.

    Attributes
    ----------
    LIMITS : dict of str -> (low, high)
        What a field may be; one whose default is a pair of numbers is a range to draw from.
    """

    LIMITS = {}

    def __post_init__(self):
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        for name, (low, high) in self.LIMITS.items():
            if isinstance(defaults[name], tuple):
                self._check_range(name, low, high)
            else:
                self._check_number(name, low, high, type(defaults[name]))

    def to_dict(self):
        """Plain values, for JSON: the name of the class, and its fields."""
        fields = {field.name: _plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"name": type(self).__name__, **fields}

    def _refuse(self, field, expected):
        raise SerlibError(f"{type(self).__name__}: {field} must be {expected}, not {getattr(self, field)!r}.")

    def _check_range(self, field, low, high):
        """A range to draw from, the smaller number first; kept as a tuple of two floats."""
        expected = f"two numbers from {low:g} to {high:g}, the smaller one first"
        try:
            first, last = (float(value) for value in getattr(self, field))
        except (TypeError, ValueError):
            self._refuse(field, expected)
        if not low <= first <= last <= high:
            self._refuse(field, expected)
        object.__setattr__(self, field, (first, last))

    def _check_number(self, field, low, high, kind=float):
        """One number; with `kind` int a whole one."""
        value = getattr(self, field)
        is_whole = kind is int
        if not isinstance(value, numbers.Integral if is_whole else numbers.Real) or not low <= value <= high:
            self._refuse(field, f"a {'whole ' if is_whole else ''}number from {low:g} to {high:g}")
        object.__setattr__(self, field, kind(value))


def _plain(value):
    if isinstance(value, Augmentation):
        return value.to_dict()
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
