"""The source of a spec: what belongs to it, its hash, and whether its hooks look right, all without running it."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.configs.named_metrics import COLUMNS_OF_TESTS, RESERVED_METRICS
from rapidfire_lab.errors import SpecError
from rapidfire_lab.spec import HOOK_PARAMETERS, REQUIRED_HOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEC_CLASS = "MLSpec"
_METRIC_HOOKS = ("compute_metrics", "aggregate_metrics")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
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

    @classmethod
    def of_model(cls, path: Path) -> SpecSource:
        """Read the file of a model template.

        Raises
        ------
        SpecError
            When it is no Python file.
        """
        sources: dict[str, str] = {}
        _collect(path, path.parent, sources)
        return cls(path, path.name, sources)

    @property
    def hash(self) -> str:
        """Hash of every file that belongs to the spec."""
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(self.sources):
            for part in (name, self.sources[name]):
                encoded = part.encode()
                digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return digest.hexdigest()

    def has_hook(self, name: str) -> bool:
        """Whether the spec class defines a hook itself, or inherits it from a class in its files."""
        return name in _methods(self.spec_class(), _classes(*self.sources.values()))[0]

    def refuse_reserved_metrics(self) -> None:
        """Look for names that no custom metric can have, as far as they stand in what the hooks for metrics return.

        Raises
        ------
        SpecError
            For the first, naming the line: better now than once something is trained, or tested.
        """
        methods, _ = _methods(self.spec_class(), _classes(*self.sources.values()))
        for hook in (name for name in _METRIC_HOOKS if name in methods):
            # What goes on to aggregate_metrics is in no table.
            is_last = hook == _METRIC_HOOKS[-1] or _METRIC_HOOKS[-1] not in methods
            reserved = (*RESERVED_METRICS, *(COLUMNS_OF_TESTS if is_last else ()))
            for name, line in _returned_keys(methods[hook]):
                if name in reserved:
                    message = (
                        f"{self.path}, line {line}: {hook} gives a metric the name {name!r}, which the engine uses "
                        "itself; choose another."
                    )
                    raise SpecError(message)

    def spec_class(self) -> str:
        """Name of the spec class in the main file."""
        everywhere = _classes(*self.sources.values())
        classes = [node.name for node in _classes(self.sources[self.main])]
        if SPEC_CLASS in classes:
            return SPEC_CLASS
        derived = [name for name in classes if _derives(name, everywhere)]
        if len(derived) == 1:
            return derived[0]
        found = ", ".join(classes) or "none"
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
    text = read_text(path)
    sources[name] = text
    for module in _imported_modules(parse(text, path)):
        for sibling in _sibling_files(module, root):
            _collect(sibling, root, sources)


def read_text(path: Path) -> str:
    """Read a source file.

    Raises
    ------
    SpecError
        When it is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"The spec file {path} cannot be read as UTF-8 text ({error})."
        raise SpecError(message) from error


def parse(text: str, path: Path) -> ast.Module:
    """Read Python.

    Raises
    ------
    SpecError
        When it is none.
    """
    try:
        return ast.parse(text, filename=str(path))
    except (SyntaxError, ValueError) as error:
        message = f"{path} is not valid Python: {error}"
        raise SpecError(message) from error


def _imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # A relative import stays in its package, which belongs to the spec as a whole.
            yield node.module


def _sibling_files(module: str, root: Path) -> list[Path]:
    """Files of a module beside the spec: ``name.py``, or all of the package ``name/``."""
    top = module.partition(".")[0]
    package = root / top
    if (root / f"{top}.py").is_file() and not (package / "__init__.py").is_file():
        return [root / f"{top}.py"]
    if not package.is_dir():
        return []
    return python_files(package)


def python_files(package: Path) -> list[Path]:
    """All modules of a package; not those of hidden folders, as Jupyter's copies in .ipynb_checkpoints."""
    files = package.rglob("*.py")
    return sorted(path for path in files if not any(part[0] == "." for part in path.relative_to(package).parts))


def _check_hooks(source: SpecSource) -> None:
    name = source.spec_class()
    methods, complete = _methods(name, _classes(*source.sources.values()))
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


def _classes(*texts: str) -> list[ast.ClassDef]:
    """Classes at the top level of modules, in order."""
    return [node for text in texts for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]


def _find(name: str, classes: list[ast.ClassDef]) -> tuple[ast.ClassDef | None, list[ast.ClassDef]]:
    """The first class of a name, and the others: its bases are among them, also one of the same name."""
    found = next((node for node in classes if node.name == name), None)
    return found, [node for node in classes if node is not found]


def _derives(name: str, classes: list[ast.ClassDef]) -> bool:
    """Whether a class derives from MLSpec, as far as bases can be followed."""
    if name == SPEC_CLASS:
        return True
    node, others = _find(name, classes)
    return node is not None and any(_derives(_base_name(base), others) for base in node.bases)


def _methods(name: str, classes: list[ast.ClassDef]) -> tuple[dict[str, ast.FunctionDef], bool]:
    """Methods of a class by name, own before inherited, and whether these are surely all."""
    node, others = _find(name, classes)
    if node is None:
        return {}, name in ("object", SPEC_CLASS)
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    complete = _is_plain(node)
    for base in map(_base_name, node.bases):
        inherited, followed = _methods(base, others)
        methods = {**inherited, **methods}
        complete = complete and followed
    return methods, complete


def _is_plain(node: ast.ClassDef) -> bool:
    """Whether a class has just the methods that are written in it: no decorator, metaclass, assignment or branch."""
    plain = (ast.FunctionDef, ast.Pass, ast.Expr)
    return not (node.decorator_list or node.keywords) and all(isinstance(item, plain) for item in node.body)


def _returned_keys(method: ast.FunctionDef) -> Iterator[tuple[str, int]]:
    """Keys, with their lines, of the dictionaries that stand in a method's return statements."""
    nodes: list[ast.AST] = list(method.body)
    for node in nodes:
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
            constants = [key for key in node.value.keys if isinstance(key, ast.Constant)]
            yield from ((str(key.value), key.lineno) for key in constants)
        elif not isinstance(node, _SCOPES):
            nodes += ast.iter_child_nodes(node)


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
