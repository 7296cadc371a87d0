"""Config groups: generators that turn templates with knobs into leaf configs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rapidfire_lab.configs.config import Config
from rapidfire_lab.configs.draws import DistinctDraws
from rapidfire_lab.configs.knobs import List
from rapidfire_lab.configs.leaf import key_path, normalise
from rapidfire_lab.configs.scalars import checked_int, describe
from rapidfire_lab.configs.space import check_depth, combinations, ranges_in, size
from rapidfire_lab.errors import ConfigError

MAX_GRID = 100_000

Finish = Callable[[Any], dict[str, Any]]
"""Makes a config of one combination of the knobs."""


class ConfigGroup(ABC):
    """What may stand wherever a config may, for several at once.

    Parameters
    ----------
    configs
        A dict, or a list of dicts and groups, lists nesting at will. `List` and `Range` may stand
        at any depth of a dict, also inside the values of a `List`.
    """

    is_search = False
    """Whether its configs become known only while runs train."""

    def __init__(self, configs: object) -> None:
        self.configs = configs
        check_depth(configs, "configs")
        self._nodes = list(walk(configs, "configs"))

    def leaves(self) -> list[dict[str, Any]]:
        """Give the canonical leaf configs: the same ones in the same order at each call."""
        return self.make(normalise)

    @abstractmethod
    def make(self, finish: Finish) -> list[dict[str, Any]]:
        """Give what ``finish`` makes of each combination of the knobs, in the order of the leaves."""

    def _templates(self, finish: Finish) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for label, node in self._nodes:
            if isinstance(node, ConfigGroup):
                yield from ((label, config) for config in node.make(finish))
            else:
                yield label, node


class GridSearch(ConfigGroup):
    """All combinations of the `List` knobs.

    Leaves come in the order of `configs`; within one config the knob written last varies fastest.
    """

    def __repr__(self) -> str:
        return f"GridSearch({self.configs!r})"

    def make(self, finish: Finish) -> list[dict[str, Any]]:
        """Give one config per combination."""
        configs: list[dict[str, Any]] = []
        for label, template in self._templates(finish):
            with located(label):
                _check_grid(template)
                configs += map(finish, combinations(template))
        return configs


class RandomSearch(ConfigGroup):
    """Distinct combinations of the knobs, drawn at random.

    Parameters
    ----------
    configs
        As for any group. Of several, each draw takes one, all equally likely.
    num_runs
        How many leaves to draw.
    seed
        The same seed gives the same leaves; no other random state is read or changed.
    """

    def __init__(self, configs: object, num_runs: int, seed: int = 42) -> None:
        super().__init__(configs)
        self.num_runs = checked_int("RandomSearch num_runs", num_runs, 1)
        self.seed = checked_int("RandomSearch seed", seed)

    def __repr__(self) -> str:
        return f"RandomSearch({self.configs!r}, num_runs={self.num_runs}, seed={self.seed})"

    def make(self, finish: Finish) -> list[dict[str, Any]]:
        """Give `num_runs` configs, no two alike, in the order of drawing."""
        space = List([template for _, template in self._templates(finish)])
        return DistinctDraws(space, self.num_runs, self.seed, finish).configs()


RFGridSearch = GridSearch
RFRandomSearch = RandomSearch


def walk(configs: object, label: str) -> Iterator[tuple[str, Mapping[str, Any] | ConfigGroup]]:
    """Go through nested configs and groups, each with the label that messages give it."""
    if isinstance(configs, Config):
        yield label, configs.canonical()
    elif isinstance(configs, Mapping | ConfigGroup):
        yield label, configs
    elif isinstance(configs, list | tuple | List):
        items = configs.values if isinstance(configs, List) else configs
        if not items:
            raise ConfigError(f"{label!r} is an empty list: write at least one config")
        for index, item in enumerate(items):
            yield from walk(item, f"{label}[{index}]")
    else:
        raise ConfigError(
            f"{label!r} must be a config dict, a GridSearch or RandomSearch, or a list of these, "
            f"not {describe(configs)}",
        )


@contextmanager
def located(label: str) -> Iterator[None]:
    """Say which of several configs an error is about."""
    try:
        yield
    except ConfigError as error:
        if "[" not in label:
            raise
        raise ConfigError(f"{label}: {error}") from None


def _check_grid(template: Mapping[str, Any]) -> None:
    for key, value in template.items():
        for path in ranges_in(value, key_path(template, key)):
            raise ConfigError(
                f"{path!r} holds a Range, which a grid cannot go through: "
                "write List([...]) there, or use RandomSearch(config, num_runs=8)",
            )
    if size(template) > MAX_GRID:
        raise ConfigError(f"the grid has {size(template)} configs, over {MAX_GRID}: use RandomSearch")
