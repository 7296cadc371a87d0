"""The source of a spec: what belongs to it, its hash, and whether its hooks look right, all without running it."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.errors import SpecError
from rapidfire_lab.spec import HOOK_PARAMETERS, REQUIRED_HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC_CLASS = "MLSpec"
_RENAMED_HOOKS = {"initialize_worker": "initialize_run"}


@dataclass(frozen=True)
class SpecSource:
    """A spec file and the sibling modules it imports, as text.

    ``sources`` maps paths relative to the spec's folder to their content; ``main`` is the spec file's own key.
    """

    path: Path
    main: str
    sources: dict[str, str]

    @classmethod
    def read(cls, ml_spec: str | Path) -> SpecSource:
        """Read and check a spec file.

        Raises
        ------
        SpecError
            When the file is missing, not Python, or its hooks cannot be called as the engine calls them.
        """
        if not isinstance(ml_spec, (str, Path)):
            message = f"ml_spec is the path of a Python file with your MLSpec class, not a {type(ml_spec).__name__}."
            raise SpecError(message)
        path = Path(ml_spec).expanduser().absolute()
        if not path.is_file():
            message = f"There is no spec file {path}. Give the path of the .py file that holds your MLSpec class."
            raise SpecError(message)
        sources: dict[str, str] = {}
        _collect(path, path.parent, sources)
        source = cls(path, path.name, sources)
        _check_hooks(source)
        return source

    @property
    def hash(self) -> str:
        """Hash of every file that belongs to the spec."""
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(self.sources):
            for part in (name, self.sources[name]):
                encoded = part.encode()
                digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.hexdigest()

    def spec_class(self) -> str:
        """Name of the spec class in the main file."""
        tree = ast.parse(self.sources[self.main])
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        if any(node.name == SPEC_CLASS for node in classes):
            return SPEC_CLASS
        derived = [node.name for node in classes if SPEC_CLASS in map(_base_name, node.bases)]
        if len(derived) == 1:
            return derived[0]
        found = ", ".join(node.name for node in classes) or "none"
        message = (
            f"{self.path} has no class named MLSpec (classes found: {found}). "
            "Name your spec class MLSpec, or derive exactly one class from rapidfire_lab.MLSpec."
        )
        raise SpecError(message)


def _collect(path: Path, root: Path, sources: dict[str, str]) -> None:
    """Add a file and, recursively, the sibling modules and packages that it imports."""
    name = path.relative_to(root).as_posix()
    if name in sources:
        return
    text = _read_text(path)
    sources[name] = text
    for module in _imported_modules(_parse(text, path)):
        for sibling in _sibling_files(module, root):
            _collect(sibling, root, sources)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The spec file {path} cannot be read as UTF-8 text ({error})."
        raise SpecError(message) from error


def _parse(text: str, path: Path) -> ast.Module:
    try:
        return ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError) as error:
        message = f"{path} is not valid Python: {error}"
        raise SpecError(message) from error


def _imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ([node.module] if node.module else [alias.name for alias in node.names])


def _sibling_files(module: str, root: Path) -> list[Path]:
    """Files of a module beside the spec: ``name.py``, or all of the package ``name/``."""
    top = module.partition(".")[0]
    if (root / f"{top}.py").is_file():
        return [root / f"{top}.py"]
    package = root / top
    return sorted(package.rglob("*.py")) if package.is_dir() and module != "__future__" else []


def _check_hooks(source: SpecSource) -> None:
    name = source.spec_class()
    methods, complete = _methods(source, name)
    for old, new in _RENAMED_HOOKS.items():
        if old in methods:
            message = f"{source.path}: {name}.{old} is called {new}(self, misc_path, cfg, mode) now; rename it."
            raise SpecError(message)
    missing = [hook for hook in REQUIRED_HOOKS if hook not in methods]
    if missing and complete:
        message = f"{source.path}: {name} lacks the required {', '.join(map(_signature, missing))}."
        raise SpecError(message)
    for hook in HOOK_PARAMETERS.keys() & methods.keys():
        _check_parameters(source, name, methods[hook])


def _methods(source: SpecSource, name: str) -> tuple[dict[str, ast.FunctionDef], bool]:
    """Methods of a class by name, own before inherited, and whether every base could be followed."""
    for text in source.sources.values():
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return _class_methods(source, node)
    return {}, False


def _class_methods(source: SpecSource, node: ast.ClassDef) -> tuple[dict[str, ast.FunctionDef], bool]:
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    assigned = any(isinstance(item, (ast.Assign, ast.AnnAssign)) for item in node.body)
    complete = not assigned
    for base in map(_base_name, node.bases):
        if base in ("object", SPEC_CLASS) or base == node.name:
            continue
        inherited, followed = _methods(source, base) if base else ({}, False)
        methods = {**inherited, **methods}
        complete = complete and followed
    return methods, complete


def _base_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _check_parameters(source: SpecSource, name: str, method: ast.FunctionDef) -> None:
    passed = HOOK_PARAMETERS[method.name]
    arguments = method.args
    if arguments.vararg:
        return
    static = any(_base_name(decorator) == "staticmethod" for decorator in method.decorator_list)
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)][0 if static else 1 :]
    where = f"{source.path}, line {method.lineno}: {name}.{method.name}"
    if "is_predict" in names:
        message = f"{where} has the old parameter is_predict; write {_signature(method.name)}."
        raise SpecError(message)
    required = len(names) - len(arguments.defaults)
    keyword_only = [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    if required > len(passed) or keyword_only:
        message = f"{where} asks for ({', '.join((*names, *keyword_only))}); write {_signature(method.name)}."
        raise SpecError(message)


def _signature(hook: str) -> str:
    return f"{hook}(self, {', '.join(HOOK_PARAMETERS[hook])})"
