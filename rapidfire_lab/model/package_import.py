"""Model files with relative imports, run from where they lie with their package around them, without a cache beside."""

from __future__ import annotations

import ast
import importlib
import sys
import traceback
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.model.errors import InvalidModelClassError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType, ModuleType

_PREFIX = "rapidfire_lab_model_"
_INIT = "__init__.py"


def relative_levels(tree: ast.Module) -> int:
    """How many folders up the relative imports of a file lead: 1 for its own; 0 where there are none."""
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def module_name(main: str) -> str:
    """Name of the module of a model file, by its path from the folder of its top package, or its own.

    It is the same in each process: pickles of a model's own classes refer to it. It is that of no other module.
    """
    top, *rest = main.removesuffix(f"/{_INIT}").removesuffix(".py").split("/")
    return ".".join([_PREFIX + top.replace(".", "_"), *rest])


def packages_above(path: Path, levels: int) -> int:
    """How many folders around a file are packages: those that say so, and those that its imports lead up to."""
    marked = 0
    while (path.parents[marked] / _INIT).is_file():
        marked += 1
    return max(marked, levels)


def import_in_package(path: Path, depth: int) -> ModuleType:
    """Import a file as a module of the package that is so many folders above it.

    Raises
    ------
    InvalidModelClassError
        When a relative import leads out of the package.
    """
    top = path.parents[depth - 1]
    name = module_name(path.relative_to(top.parent).as_posix())
    package = name.partition(".")[0]
    _forget(package)
    sys.meta_path.insert(sys.meta_path.index(PathFinder), _Finder(package, top))
    try:
        with relative_imports_told(package):
            return importlib.import_module(name)
    except BaseException:
        _forget(package)
        raise


@contextmanager
def relative_imports_told(package: str = "") -> Iterator[None]:
    """Say where a relative import is that leads nowhere, and what to do.

    Raises
    ------
    InvalidModelClassError
        In place of the error of an import that leads out of the package, or finds nothing in it.
    """
    try:
        yield
    except ImportError as error:
        is_missed = bool(package) and (error.name or "").partition(".")[0] == package
        if "relative import" not in str(error) and not is_missed:
            raise
        frames = traceback.extract_tb(error.__traceback__)
        frame = [one for one in frames if not one.filename.startswith("<frozen")][-1]
        raise InvalidModelClassError(
            f"{frame.filename}, line {frame.lineno}: {str(error).replace(_PREFIX, '')}. Relative imports lead to "
            "modules of the file's own package, which is the folder with it and those above that have an __init__.py: "
            "load the model from its file there, and have what it imports in the package"
        ) from error


class _Finder:
    """Finds a package in its folder under a name of its own, and its modules: the protocol of `sys.meta_path`."""

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self._folder = folder

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        package, *parts = name.split(".")
        if package != self.package:
            return None
        base = self._folder.joinpath(*parts)
        for file in (base / _INIT, Path(f"{base}.py")):
            if file.is_file():
                return spec_from_file_location(name, file, loader=_Loader(name, str(file)))
        if not base.is_dir():
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(base)]
        return spec


class _Loader(SourceFileLoader):
    """Compiles what is in the file now; an ordinary import would leave its cache beside it."""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self.get_data(self.path), self.path)
        del fullname
        return code


def _forget(package: str) -> None:
    sys.meta_path[:] = [one for one in sys.meta_path if not (isinstance(one, _Finder) and one.package == package)]
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
