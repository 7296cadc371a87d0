"""What has to go with a model file that belongs to a package, to where its trials run."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from rapidfire_lab.model.package_import import relative_levels
from rapidfire_lab.spec_source import SpecSource, parse, python_files, read_text

if TYPE_CHECKING:
    from pathlib import Path

_INIT = "__init__.py"


def package_source(path: Path, package: str) -> SpecSource | None:
    """Read all of the top package of a model file, and nothing else; None where the file imports nothing of it.

    Parameters
    ----------
    path
        The file.
    package
        The package that it was imported from, such as ``prices.models``; empty for a file that stands for itself.

    Raises
    ------
    SpecError
        When a file of the package cannot be read, or the model file is no Python.
    """
    if not package:
        return None
    top = path.parents[package.count(".")]
    if not _imports_from(parse(read_text(path), path), top.name):
        return None
    files = {path, *python_files(top)}
    sources = {file.relative_to(top.parent).as_posix(): read_text(file) for file in sorted(files)}
    for name in list(sources):
        for folder in list(PurePosixPath(name).parents)[:-1]:
            # Without it, a package of the same name that is installed would come first.
            sources.setdefault(f"{folder}/{_INIT}", "")
    return SpecSource(path, path.relative_to(top.parent).as_posix(), sources)


def _imports_from(tree: ast.Module, top: str) -> bool:
    names = [
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    ]
    return bool(relative_levels(tree)) or any(name.partition(".")[0] == top for name in names)
