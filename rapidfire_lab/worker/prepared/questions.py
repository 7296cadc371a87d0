"""What user code looks up in a config: the questions, and how any config answers them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rapidfire_lab.configs import Config
from rapidfire_lab.configs.config import ReadOnlyDict
from rapidfire_lab.worker.prepared.modules import state_of_file

if TYPE_CHECKING:
    from collections.abc import ItemsView, KeysView, ValuesView

Kind = Literal["value", "all", "file"]
Question = tuple[Kind, tuple[str, ...]]
"""What is the value at this path (of a mapping: is it one), or what is all that is below it; or what is this file."""

ABSENT = ""
A_MAPPING = "{"
"""Answers that are no JSON, and so none that a value could give."""

EVERYTHING: Question = ("all", ())


def answer(cfg: Mapping[str, Any], question: Question) -> str:
    """How a config answers: JSON, with the keys of a mapping in their order; or ``ABSENT``, or ``A_MAPPING``.

    Files answer for themselves.
    """
    kind, path = question
    if kind == "file":
        return state_of_file(path[0])
    value: Any = cfg
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return ABSENT
        value = value[key]
    if kind == "value" and isinstance(value, Mapping):
        return A_MAPPING
    return json.dumps(value)


def digest(plain: object) -> str:
    """Name for something plain."""
    return hashlib.blake2b(msgspec.json.encode(plain), digest_size=16).hexdigest()


class Recorder:
    """The questions that were asked while it was listening."""

    def __init__(self) -> None:
        self.asked: set[Question] = set()
        self.listens = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        self.listens = True
        try:
            yield
        finally:
            self.listens = False

    def ask(self, kind: Kind, path: tuple[str, ...]) -> None:
        if self.listens:
            self.asked.add((kind, path))


class RecordedDict(ReadOnlyDict):
    """A mapping inside a recorded config, or the config itself: reads like any other, and tells what was read.

    Whatever reads more than one value (iteration, ``len``, ``==``, ``repr``, a copy, pickling) counts as having read
    everything. A list counts as one value. What C code takes from the dict's storage without asking (encoders such as
    msgspec's and orjson's, given the mapping as a whole) is not seen.
    """

    __slots__ = ("_path", "_recorder")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Mapping[str, Any], recorder: Recorder, path: tuple[str, ...] = ()) -> None:
        self._recorder = recorder
        self._path = path
        dict.__init__(self, {key: _recorded(value, recorder, (*path, key)) for key, value in values.items()})

    def _one(self, key: object) -> None:
        if isinstance(key, str):
            self._recorder.ask("value", (*self._path, key))

    def _all(self) -> None:
        self._recorder.ask("all", self._path)

    def __getitem__(self, key: str) -> Any:
        self._one(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None, /) -> Any:
        self._one(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._one(key)
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self._all()
        return super().__iter__()

    def __reversed__(self) -> Iterator[str]:
        self._all()
        return super().__reversed__()

    def __len__(self) -> int:
        self._all()
        return super().__len__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        self._all()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        self._all()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        self._all()
        return super().items()

    def __eq__(self, other: object) -> bool:
        self._all()
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        self._all()
        return super().__ne__(other)

    def __or__(self, other: Any) -> Any:
        self._all()
        return super().__or__(other)

    def __ror__(self, other: Any) -> Any:
        self._all()
        return super().__ror__(other)

    def __repr__(self) -> str:
        self._all()
        return super().__repr__()

    def __reduce__(self) -> tuple[Any, ...]:
        return ReadOnlyDict, (self.copy(),)


class RecordedConfig(RecordedDict, Config):
    """A config that tells what was read of it; what is pickled or deep-copied of it is a plain `Config`."""

    def __init__(self, cfg: Config, recorder: Recorder) -> None:
        RecordedDict.__init__(self, cfg, recorder)
        self._sections = tuple(cfg.canonical())

    def __reduce__(self) -> tuple[Any, ...]:
        return Config, (self.canonical(),)

    def canonical(self) -> dict[str, Any]:
        self._all()
        return super().canonical()


def _recorded(value: Any, recorder: Recorder, path: tuple[str, ...]) -> Any:
    return RecordedDict(value, recorder, path) if isinstance(value, ReadOnlyDict) else value


class Facts:
    """Questions with their answers: what rows of a shelf were prepared under."""

    def __init__(self, answers: Mapping[Question, str]) -> None:
        self.answers = dict(answers)

    @classmethod
    def of(cls, cfg: Mapping[str, Any], questions: Iterable[Question]) -> Facts:
        return cls({question: answer(cfg, question) for question in questions})

    def hold_for(self, cfg: Mapping[str, Any]) -> bool:
        """Whether code that asked nothing else would do the same under this config."""
        return all(answer(cfg, question) == told for question, told in self.answers.items())

    @cached_property
    def name(self) -> str:
        """What they are called in folders, and by whoever keeps something under them."""
        return digest(self.to_plain())

    def to_plain(self) -> list[Any]:
        return [[kind, list(path), told] for (kind, path), told in sorted(self.answers.items())]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Facts:
        return cls({(kind, tuple(path)): told for kind, path, told in plain})
