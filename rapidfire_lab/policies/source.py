"""From a function of the notebook to text that another process can run, and back.

Functions travel as source, never pickled: what the engine runs can be read in its journal.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import json
import linecache
import sys
import textwrap
from importlib.metadata import packages_distributions
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rapidfire_lab.policies.run_policy import Policy

_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")
_HEADER = "from __future__ import annotations"


def source_of(policy: object, parameters: Sequence[str] = ("runs", "control"), what: str = "policy") -> str:
    """Text that defines a function and all of the notebook that it uses.

    Modules and what is imported from them become imports, plain values are written out, and other functions of the
    notebook are taken along.

    Raises
    ------
    PolicyError
        When it is no function of two arguments, or uses what cannot be taken along; the message names it.
    """
    signature = ", ".join(parameters)
    if not isinstance(policy, FunctionType) or policy.__name__ == "<lambda>":
        message = f"A {what} is a function, def {what}({signature}): ..., and no lambda, method or other object."
        raise PolicyError(message)
    taken = list(inspect.signature(policy).parameters.values())
    required = [one for one in taken if one.default is one.empty and one.kind is not one.VAR_POSITIONAL]
    number = len(parameters)
    if len(required) > number or len(taken) < number or any(one.kind is one.KEYWORD_ONLY for one in required):
        many = "two arguments" if number > 1 else "one argument"
        message = f"The {what} {policy.__name__} must take {many}, def {policy.__name__}({signature}): ..."
        raise PolicyError(message)
    parts: dict[str, str] = {}
    _collect(policy, policy.__name__, parts)
    source = "\n\n".join((_HEADER, *parts.values())) + "\n"
    try:
        load_policy(source, policy.__name__)
    except Exception as error:
        message = f"The {what} {policy.__name__} cannot be taken along ({type(error).__name__}: {error})."
        raise PolicyError(message) from error
    return source


def _collect(function: FunctionType, name: str, parts: dict[str, str]) -> None:
    """Add the source of a function, after all that it uses."""
    if hasattr(function, "__wrapped__"):
        message = f"{name} has a decorator, which cannot be taken along. Define it without."
        raise PolicyError(message)
    if function.__closure__:
        used = ", ".join(function.__code__.co_freevars)
        message = f"{name} uses {used} of the function around it. Define it at the top level of the notebook."
        raise PolicyError(message)
    text, definition = _definition(function)
    parts[name] = ""  # so that functions may call each other
    for used in dict.fromkeys((*_names_in_defaults(definition), *_globals_of(function.__code__))):
        if used not in parts and used in function.__globals__:
            _collect_value(function.__globals__[used], used, name, parts)
        elif used not in parts and not hasattr(builtins, used):
            message = f"{name} uses {used}, which is not defined. Define it before the policy is added."
            raise PolicyError(message)
    del parts[name]
    parts[name] = text


def _definition(function: FunctionType) -> tuple[str, ast.FunctionDef]:
    try:
        text = textwrap.dedent(inspect.getsource(function))
        definition = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError) as error:
        message = (
            f"The source of {function.__name__} cannot be found. Define it in a cell of the notebook or in a file."
        )
        raise PolicyError(message) from error
    if not isinstance(definition, ast.FunctionDef) or definition.decorator_list:
        message = f"{function.__name__} has a decorator or is async, which cannot be taken along. Define it without."
        raise PolicyError(message)
    return text.rstrip(), definition


def _names_in_defaults(definition: ast.FunctionDef) -> Iterator[str]:
    for default in (*definition.args.defaults, *filter(None, definition.args.kw_defaults)):
        yield from (node.id for node in ast.walk(default) if isinstance(node, ast.Name))


def _globals_of(code: CodeType) -> Iterator[str]:
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in _GLOBALS)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _globals_of(constant)


def _collect_value(value: Any, name: str, user: str, parts: dict[str, str]) -> None:
    if isinstance(value, ModuleType):
        if _is_users_own(value):
            message = (
                f"{user} uses {name} from {value.__file__}, from where the engine does not import. Take what you need "
                f"of it by name, as in from {name} import ..., or define it in the notebook."
            )
            raise PolicyError(message)
        parts[name] = f"import {value.__name__} as {name}" if value.__name__ != name else f"import {name}"
    elif (module := importable_from(value)) is not None:
        parts[name] = f"from {module} import {value.__qualname__} as {name}"
    elif isinstance(value, FunctionType):
        if value.__name__ != name:
            message = f"{user} calls the function {value.__name__} by the name {name}: call it by its own."
            raise PolicyError(message)
        _collect(value, name, parts)
    else:
        parts[name] = f"{name} = {_written(value, name, user)}"


def importable_from(value: Any) -> str | None:
    """Module that the engine can import a function or class from, which is not so for the notebook's own."""
    name = getattr(value, "__qualname__", None)
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or _is_users_own(module) or not name or "." in name:
        return None
    return module.__name__ if getattr(module, name, None) is value else None


def _is_users_own(module: ModuleType) -> bool:
    """Whether a module is found because of the folder that the notebook or script is in."""
    if module.__name__ == "__main__":
        return True
    file = getattr(module, "__file__", None)
    if file is None or Path(file).is_relative_to(sys.prefix) or Path(file).is_relative_to(sys.base_prefix):
        return False
    own = {Path.cwd(), Path(sys.path[0] or ".").absolute()}
    return any(Path(file).is_relative_to(folder) for folder in own) and not _is_installed(module)


def _is_installed(module: ModuleType) -> bool:
    """Whether a distribution has the module's package, as an editable install of it has."""
    return module.__name__.partition(".")[0] in packages_distributions()


def _written(value: Any, name: str, user: str) -> str:
    try:
        if json.loads(json.dumps(value)) == value:
            return repr(value)
    except (TypeError, ValueError, RecursionError):
        pass
    message = (
        f"{user} uses {name}, a {type(value).__name__}, which cannot be taken along: numbers, strings, lists and "
        f"dictionaries can. Make it inside of {user}."
    )
    raise PolicyError(message)


def load_policy(source: str, function: str) -> Policy:
    """Make the function of this name from its source; lines of it are shown in tracebacks."""
    file = f"<policy {function}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "policy"}
    exec(compile(source, file, "exec"), namespace)  # noqa: S102 - the user's own rule, in a process for it alone
    policy: Policy = namespace[function]
    return policy
