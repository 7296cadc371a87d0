"""Imports of other packages led to ours."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rapidfire_lab.compat.packages import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Table = Mapping[str, Sequence[str]]


def bridge(packages: Iterable[str] = tuple(PACKAGES)) -> list[str]:
    """Have imports of packages that are not installed find ours, in this process, from now on.

    Parameters
    ----------
    packages
        Names out of ``rapidfire_lab.compat.packages.PACKAGES``; by default all.

    Returns
    -------
    The packages that ours stand in for. One that is installed is left alone.
    """
    wanted = list(packages)
    unknown = [name for name in wanted if name not in PACKAGES]
    if unknown:
        raise ValueError(f"there is no bridge for {', '.join(unknown)}; there is one for {', '.join(PACKAGES)}")
    absent = [name for name in wanted if name in _bridged() or not _is_installed(name)]
    for name in absent:
        if name not in _bridged():
            sys.meta_path.append(BridgeFinder(name, PACKAGES[name]))
    return absent


def _bridged() -> set[str]:
    return {finder.package for finder in sys.meta_path if isinstance(finder, BridgeFinder)}


def _is_installed(name: str) -> bool:
    return name in sys.modules or PathFinder.find_spec(name) is not None


class BridgeFinder(MetaPathFinder, Loader):
    """Finds and makes the modules of one table. It is asked last, so whatever is installed goes before it."""

    def __init__(self, package: str, table: Table) -> None:
        self.package = package
        self._table = table
        parents = {".".join(name.split(".")[:depth]) for name in table for depth in range(1, name.count(".") + 1)}
        self._packages = parents | {package}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname in self._packages or fullname in self._table:
            return ModuleSpec(fullname, self, is_package=fullname in self._packages, origin="rapidfire_lab.compat")
        if fullname.startswith(f"{self.package}."):
            raise ModuleNotFoundError(
                f"{fullname} is not bridged: rapidfire_lab.compat has {', '.join(sorted(self._table))}. "
                f"Install {self.package} to have the rest",
                name=fullname,
            )
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give a module its names, which are looked up when they are asked for."""
        homes = self._table.get(module.__name__, ())

        def look_up(name: str) -> Any:
            if name == "__all__":
                return sorted({public for home in map(import_module, homes) for public in _public(home)})
            if not name.startswith("_"):
                for home in map(import_module, homes):
                    if hasattr(home, name):
                        return getattr(home, name)
            raise AttributeError(
                f"module {module.__name__!r} has no attribute {name!r} (bridged by rapidfire_lab.compat)"
            )

        module.__dict__["__getattr__"] = look_up


def _public(home: ModuleType) -> list[str]:
    """What a star takes out of a module of ours: its own, and not what it has imported itself."""
    if hasattr(home, "__all__"):
        return list(home.__all__)
    public = ((name, value) for name, value in vars(home).items() if not name.startswith("_"))
    return [name for name, value in public if _is_own(home, value)]


def _is_own(home: ModuleType, value: Any) -> bool:
    if isinstance(value, ModuleType | bool):  # an import; TYPE_CHECKING
        return False
    return getattr(value, "__module__", home.__name__) == home.__name__
