"""From what a user hands to `run_fit` to the list of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidfire_lab.configs.diff import differing_knobs, get_path, identity
from rapidfire_lab.configs.groups import ConfigGroup, located, walk
from rapidfire_lab.configs.leaf import normalise
from rapidfire_lab.configs.space import check_depth
from rapidfire_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SHOWN_KNOBS = 6


def expand(ml_config: object) -> list[dict[str, Any]]:
    """Give the canonical leaf configs, one per run, in the order written; searches have none yet.

    Parameters
    ----------
    ml_config
        A config dict, a group, or a list of these, lists nesting at will.

    Raises
    ------
    ConfigError
        Also when two leaves are the same config.
    """
    check_depth(ml_config, "ml_config")
    labelled = [pair for label, node in walk(ml_config, "ml_config") for pair in _leaves(label, node)]
    leaves = [leaf for _, leaf in labelled]
    _refuse_duplicates([label for label, _ in labelled], leaves)
    return leaves


def _leaves(label: str, node: Mapping[str, Any] | ConfigGroup) -> Iterator[tuple[str, dict[str, Any]]]:
    with located(label):
        if not isinstance(node, ConfigGroup):
            yield label, normalise(node)
            return
        if node.is_search:
            return
        leaves = node.leaves()
    yield from ((f"{label}.leaves()[{index}]", leaf) for index, leaf in enumerate(leaves))


def _refuse_duplicates(labels: Sequence[str], leaves: Sequence[dict[str, Any]]) -> None:
    places: dict[str, list[int]] = {}
    for index, leaf in enumerate(leaves):
        places.setdefault(identity(leaf), []).append(index)
    repeated = [indices for indices in places.values() if len(indices) > 1]
    if not repeated:
        return
    first = repeated[0]
    more = f"; {len(repeated) - 1} more such cases" if len(repeated) > 1 else ""
    raise ConfigError(
        f"{' and '.join(labels[index] for index in first)} are the same config "
        f"({_equal_knobs(leaves[first[0]], leaves)}): keep one of them{more}",
    )


def _equal_knobs(leaf: dict[str, Any], leaves: Sequence[dict[str, Any]]) -> str:
    knobs = [f"{path}={get_path(leaf, path)!r}" for path in differing_knobs(leaves)]
    if not knobs:
        return "all knobs equal"
    return "equal " + ", ".join(knobs[:_SHOWN_KNOBS]) + (", ..." if len(knobs) > _SHOWN_KNOBS else "")
