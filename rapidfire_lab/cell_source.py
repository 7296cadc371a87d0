"""A class of a notebook's cells as the text of a file, with all of the notebook that it uses."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dis
import json
import linecache
import sys
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.errors import InvalidModelClassError
from rapidfire_lab.policies.source import importable_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")


def cell_source(found: type) -> str | None:
    """Text that defines a class; None when it is in no cell.

    Modules and what is imported from them become imports, plain values are written out, and classes, functions and
    assignments of the same cells are taken along as they stand there.

    Raises
    ------
    InvalidModelClassError
        When it uses what cannot be taken along; the message names it.
    """
    namespace = vars(sys.modules[found.__module__]) if found.__module__ in sys.modules else {}
    if _cell_of(found) is None or namespace.get(found.__name__) is not found:
        return None
    taken = _Taken(namespace)
    taken.take(found.__name__, "the notebook")
    return "\n\n".join(taken.parts) + "\n"


class _Taken:
    """What is taken along, in an order in which it can be run."""

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.parts: list[str] = []
        self._namespace = namespace
        self._seen: set[str] = set()
        self._definitions: dict[str, str] = {}

    def take(self, name: str, user: str) -> None:
        if name in self._seen or name not in self._namespace:
            return  # a builtin, or a name that is missed only when it is used
        self._seen.add(name)
        value = self._namespace[name]
        self.parts.append(self._import_of(name, value) or self._written(name, value) or self._defined(name, user))

    @staticmethod
    def _import_of(name: str, value: Any) -> str | None:
        if isinstance(value, ModuleType):
            return f"import {value.__name__} as {name}"
        module = importable_from(value) or _ours(value)
        return f"from {module} import {value.__qualname__} as {name}" if module is not None else None

    @staticmethod
    def _written(name: str, value: Any) -> str | None:
        try:
            is_plain = json.loads(json.dumps(value)) == value
        except (TypeError, ValueError, RecursionError):
            return None
        return f"{name} = {value!r}" if is_plain else None

    def _defined(self, name: str, user: str) -> str:
        """Text of the definition, after all that it uses."""
        self._definitions |= _definitions(_cell_of(self._namespace[name]) or "")
        if name not in self._definitions:
            self._definitions = {**_imports(), **self._definitions}
        if name not in self._definitions:
            raise InvalidModelClassError(
                f"{user} uses {name}, a {type(self._namespace[name]).__name__} that cannot be taken along: make it in "
                "the cell of the class, or write the class into a file (%%writefile model.py) and import it from there"
            )
        text = self._definitions[name]
        for used in _globals_of(compile(text, "<cell>", "exec", dont_inherit=True)):
            if used != name and not hasattr(builtins, used) and not used.startswith("__"):
                self.take(used, name)
        return text


def _ours(value: Any) -> str | None:
    """Module of ours that has a class or function, wherever it is installed."""
    module = getattr(value, "__module__", None) or ""
    is_ours = module.partition(".")[0] == __name__.partition(".")[0]
    return module if is_ours and hasattr(value, "__qualname__") else None


def _cell_of(value: Any) -> str | None:
    """Text of the cell that a class or function is defined in."""
    members = vars(value).values() if isinstance(value, type) else [value]
    for member in members:
        function = getattr(member, "__func__", member)
        if isinstance(function, FunctionType):
            lines = linecache.getlines(function.__code__.co_filename)
            return "".join(lines) or None
    return None


def _definitions(cell: str) -> dict[str, str]:
    """Text of what a cell defines at its top level, by name; the last one counts."""
    found: dict[str, str] = {}
    for node in ast.parse(cell).body:
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
        text = "\n".join(cell.splitlines()[first - 1 : node.end_lineno])
        found |= dict.fromkeys(_bound(node), text)
    return found


def _imports() -> dict[str, str]:
    """What cells import, by name: so objects come along that are no classes, and do not know where they are from."""
    found: dict[str, str] = {}
    for _, is_file, lines, *_ in (entry for entry in linecache.cache.values() if len(entry) > 1):
        if is_file is None:  # what stands in no file
            with contextlib.suppress(SyntaxError):
                found |= dict(_imported(ast.parse("".join(lines))))
    return found


def _imported(cell: ast.Module) -> Iterator[tuple[str, str]]:
    for node in cell.body:
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, ast.unparse(ast.ImportFrom(node.module, [alias], 0))


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))


def _globals_of(code: CodeType) -> Iterator[str]:
    """Names that code looks up outside of itself."""
    steps = list(dis.get_instructions(code))
    own = {step.argval for step in steps if step.opname == "STORE_NAME"}
    yield from (step.argval for step in steps if step.opname in _GLOBALS and step.argval not in own)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)
