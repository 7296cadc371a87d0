"""The read-only mapping that the hooks of an MLSpec get as `cfg`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from rapidfire_lab.configs.spelling import did_you_mean


def _refuse(_self: object, *_args: object, **_kwargs: object) -> NoReturn:
    raise TypeError("configs are read-only: clone the run with changes instead")


class ReadOnlyList(list[Any]):
    """A list inside a config."""

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def copy(self) -> list[Any]:
        """Give a plain list to change at will, down to its last element."""
        return [_thaw(item) for item in self]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.copy(),)


class ReadOnlyDict(dict[str, Any]):
    """A dict inside a config."""

    __setitem__ = __delitem__ = __ior__ = _refuse
    pop = popitem = setdefault = update = clear = _refuse

    def __missing__(self, key: object) -> NoReturn:
        raise KeyError(f"this config has no {key!r}; {did_you_mean(str(key), self)}")

    def copy(self) -> dict[str, Any]:
        """Give a plain dict to change at will, down to its last value."""
        return {key: _thaw(value) for key, value in self.items()}

    # By default pickle and deepcopy would fill an empty instance, which is read-only.
    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.copy(),)


class Config(ReadOnlyDict):
    """A leaf config as the hooks see it: every knob in its section AND at top level.

    Parameters
    ----------
    canonical
        What `normalise` gave.

    Notes
    -----
    `copy()` gives plain dicts all the way down, `dict(cfg)` only at the top.
    """

    def __init__(self, canonical: Mapping[str, Any]) -> None:
        if isinstance(canonical, Config):
            canonical = canonical.canonical()
        frozen: dict[str, Any] = {key: _freeze(value) for key, value in canonical.items()}
        super().__init__({**frozen["train"], **frozen["user_knobs"], **frozen})
        self._sections = tuple(frozen)

    def canonical(self) -> dict[str, Any]:
        """Give the canonical dict back, plain and mutable."""
        return {section: _thaw(self[section]) for section in self._sections}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.canonical(),)


def _freeze(value: object) -> object:
    if isinstance(value, Mapping):
        return ReadOnlyDict((key, _freeze(item)) for key, item in value.items())
    return ReadOnlyList(map(_freeze, value)) if isinstance(value, list) else value


def _thaw(value: object) -> object:
    return value.copy() if isinstance(value, ReadOnlyDict | ReadOnlyList) else value
