"""Loading the user's spec from its snapshot, and calling its hooks."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from importlib.machinery import PathFinder, SourceFileLoader, all_suffixes
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import SpecError
from rapidfire_lab.spec import HOOK_PARAMETERS, REQUIRED_HOOKS, MLSpec
from rapidfire_lab.spec_source import SPEC_CLASS, SpecSource
from rapidfire_lab.worker.prepared.questions import EVERYTHING, RecordedConfig, Recorder
from rapidfire_lab.worker.rng import RngState, cuda_is_used, own_rng

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from pathlib import Path
    from types import CodeType, ModuleType

    from rapidfire_lab.configs import Config
    from rapidfire_lab.spec import Mode

_MODULE_NAME = "rapidfire_lab_spec"
_IMPORT_SEED = 0
_IMPORTABLE = tuple(all_suffixes())
_BYTECODE_FOLDER = "__pycache__"
_snapshot_on_path: Snapshot | None = None


class Snapshot:
    """The files of a spec, which are imported as they were read and checked: no bytecode of whoever's is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        paths = [path for path in folder.rglob("*") if path.name.endswith(_IMPORTABLE)]
        # Nothing is imported from a folder of bytecode but for a source beside it, and those are imported by us.
        own = [path for path in paths if path.parent.name != _BYTECODE_FOLDER]
        self.is_source_alone = all(path.suffix == ".py" for path in own)
        self.texts = {str(path): path.read_text("utf-8") for path in own if path.suffix == ".py"}

    def hash(self, main: str) -> str:
        prefix = len(str(self.folder)) + 1
        return SpecSource(self.folder / main, main, {path[prefix:]: text for path, text in self.texts.items()}).hash

    def find_spec(self, name: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """Find a module: the protocol of `sys.meta_path`."""
        for folder in [str(self.folder)] if path is None else path:
            base = f"{folder}/{name.rpartition('.')[2]}"
            for file in (f"{base}/__init__.py", f"{base}.py"):
                if file in self.texts:
                    return self.module_spec(name, file)
        return None

    def module_spec(self, name: str, file: str) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, file, loader=_TextLoader(name, file, self.texts[file]))


class _TextLoader(SourceFileLoader):
    def __init__(self, name: str, file: str, text: str) -> None:
        super().__init__(name, file)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self._text.encode(), self.get_filename(fullname))
        return code


def load_spec_class(folder: Path, main: str, expected_hash: str) -> type[MLSpec]:
    """Import the spec file of a snapshot folder and return its spec class, completed by ``MLSpec``'s defaults.

    Modules of an earlier snapshot are forgotten: two experiments may both have a ``model.py``. What the modules draw
    at import comes from generators of their own, the same in every slot.

    Raises
    ------
    SpecError
        When the files are not those that the experiment was created with.
    """
    return _complete(_find_class(load_snapshot(folder, main, expected_hash), main))


def load_snapshot(folder: Path, main: str, expected_hash: str, name: str = _MODULE_NAME) -> ModuleType:
    """Import the main file of a snapshot folder under a name; what `load_spec_class` says of it holds here, too.

    Where it lies in a package, so does the module of this name: the package has the name's first part.

    Raises
    ------
    SpecError
        When the files are not those that the snapshot was made of.
    """
    snapshot = Snapshot(folder)
    if not snapshot.is_source_alone or snapshot.hash(main) != expected_hash:
        message = f"The spec snapshot {folder} was changed after the experiment was created; it is not run."
        raise SpecError(message)
    with own_rng(_IMPORT_SEED, cuda=False):
        return _import(snapshot, main, name)


def _import(snapshot: Snapshot, main: str, name: str) -> ModuleType:
    _put_on_path(snapshot)
    top, *inside = main.split("/")
    if not inside:
        return _execute(snapshot, main, name)
    package = _execute(snapshot, f"{top}/__init__.py", name.partition(".")[0])
    return package if package.__name__ == name else importlib.import_module(name)


def _execute(snapshot: Snapshot, main: str, name: str) -> ModuleType:
    location = snapshot.module_spec(name, str(snapshot.folder / main))
    if location is None or location.loader is None:
        message = f"The spec snapshot {snapshot.folder / main} is missing."
        raise SpecError(message)
    module = importlib.util.module_from_spec(location)
    sys.modules[name] = module
    location.loader.exec_module(module)
    return module


def _put_on_path(snapshot: Snapshot) -> None:
    global _snapshot_on_path  # noqa: PLW0603 - sys.path is process-wide, and so is what we put there
    if _snapshot_on_path is not None:
        sys.meta_path.remove(_snapshot_on_path)
        sys.path.remove(str(_snapshot_on_path.folder))
        _forget_modules(_snapshot_on_path.folder)
    # The folder is for what user code starts; in this process the snapshot comes before it.
    sys.path.insert(0, str(snapshot.folder))
    sys.meta_path.insert(sys.meta_path.index(PathFinder), snapshot)
    importlib.invalidate_caches()
    _snapshot_on_path = snapshot


def _forget_modules(snapshot: Path) -> None:
    prefix = str(snapshot) + "/"
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(prefix):
            del sys.modules[name]


def _find_class(module: ModuleType, main: str) -> type:
    own = [item for item in vars(module).values() if inspect.isclass(item) and item.__module__ == module.__name__]
    for item in own:
        if item.__name__ == SPEC_CLASS:
            return item
    derived = [item for item in own if issubclass(item, MLSpec)]
    if len(derived) == 1:
        return derived[0]
    message = f"{main} defines no class named MLSpec."
    raise SpecError(message)


def _complete(found: type) -> type[MLSpec]:
    missing = [hook for hook in REQUIRED_HOOKS if getattr(found, hook, None) in (None, getattr(MLSpec, hook))]
    if missing:
        message = f"{found.__name__} lacks the required {', '.join(missing)}."
        raise SpecError(message)
    return found if issubclass(found, MLSpec) else type(found.__name__, (found, MLSpec), {})


class Hooks:
    """A spec instance of one run, called the way the engine calls it: with as many arguments as a hook takes.

    ``recorder`` has what rows depend on: the questions that were asked of the config while rows were prepared, and
    before in `initialize_run`; ``collate_recorder`` what `collate_fn` has asked beside.
    """

    def __init__(self, spec_class: type[MLSpec], cfg: Config) -> None:
        self._before = RngState.capture(cuda=cuda_is_used())
        self.spec = spec_class()
        self.cfg = cfg
        self.recorder = Recorder()
        self.collate_recorder = Recorder()
        self.forward_recorder = Recorder()
        """What `compute_forward` has asked, where somebody wants to know."""
        self.collate_keeps_state = False
        """Whether `collate_fn` has set attributes of the spec, for other hooks to use."""
        self.drew_at_start = False
        """Whether the spec's constructor or `initialize_run` has drawn random numbers."""
        self._recorded = RecordedConfig(cfg, self.recorder)
        self._collate_recorded = RecordedConfig(cfg, self.collate_recorder)
        self._forward_recorded = RecordedConfig(cfg, self.forward_recorder)
        self._arity = {hook: _positional(self.spec, hook) for hook in HOOK_PARAMETERS if self.has(hook)}

    @property
    def folder(self) -> Path | None:
        """The spec's snapshot, if it was loaded from one."""
        return _snapshot_on_path.folder if _snapshot_on_path else None

    def has(self, hook: str) -> bool:
        return callable(getattr(self.spec, hook, None))

    def initialize_run(self, misc_path: str | None, mode: Mode) -> None:
        with self.recorder.listening():
            self._call("initialize_run", misc_path, self._recorded, mode)
        self.drew_at_start = not self._before.unchanged()

    def row_prep(self, row: Any, mode: Mode) -> Any:
        with self.recorder.listening():
            return self._call("row_prep", row, self._recorded, mode)

    def collate_fn(self, batch: list[Any], mode: Mode) -> Any:
        before = attributes(self.spec)
        with self.collate_recorder.listening():
            minibatch = self._call("collate_fn", batch, self._collate_recorded, mode)
        self.collate_keeps_state = self.collate_keeps_state or attributes(self.spec) != before
        return minibatch

    def create_model(self) -> Any:
        before = attributes(self.spec)
        model = self._call("create_model", self.cfg)
        if attributes(self.spec) != before:
            # row_prep may use what was set there, and from which knobs nobody has seen.
            self.recorder.asked.add(EVERYTHING)
        return model

    def compute_forward(self, model: Any, minibatch: Any, mode: Mode) -> Any:
        return self._call("compute_forward", model, minibatch, self.cfg, mode)

    def watched_forward(self, model: Any, minibatch: Any, mode: Mode) -> Any:
        """Call `compute_forward`, and note what it asks of the config."""
        with self.forward_recorder.listening():
            return self._call("compute_forward", model, minibatch, self._forward_recorded, mode)

    def compute_metrics(self, loss: Any, outputs: Any, minibatch: Any, mode: Mode) -> Any:
        return self._call("compute_metrics", loss, outputs, minibatch, self.cfg, mode)

    def aggregate_metrics(self, metrics: Any, mode: Mode) -> Any:
        return self._call("aggregate_metrics", metrics, self.cfg, mode)

    def has_converged(self, val_metrics: Any, epoch: int) -> bool:
        return bool(self._call("has_converged", val_metrics, epoch, self.cfg))

    def _call(self, hook: str, *arguments: Any) -> Any:
        return getattr(self.spec, hook)(*arguments[: self._arity[hook]])


def attributes(spec: MLSpec) -> dict[str, int]:
    """Which objects a spec has as attributes now: those that it sets anew are others."""
    return {name: id(value) for name, value in getattr(spec, "__dict__", {}).items()}


def _positional(spec: MLSpec, hook: str) -> int:
    method: Callable[..., Any] = getattr(spec, hook)
    parameters = inspect.signature(method).parameters.values()
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return len(HOOK_PARAMETERS[hook])
    return sum(
        parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD) for parameter in parameters
    )
