"""Minibatches that `collate_fn` made, kept in the memory of a slot for its next run that trains on the same rows."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any

from rapidfire_lab.worker.prepared.codec import NotStorableError, encode, layout_of
from rapidfire_lab.worker.prepared.questions import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.hooks import Hooks
    from rapidfire_lab.worker.prepared.codec import Encoded

_BUDGET = 64 << 20
_LARGEST_SHARE = 1 / 32
"""Of the budget, for one minibatch: of larger ones, too few are there when a run comes to the next."""
_SAMPLED = 64
"""One minibatch in so many is made although it is here, to see whether both are the same."""

Key = tuple[bytes, ...]


class MinibatchMemory:
    """Minibatches by what they were made of, and under which facts; those used longest ago are forgotten.

    Parameters
    ----------
    budget
        Bytes that all of them together may take.
    """

    def __init__(self, budget: int = _BUDGET) -> None:
        self._budget = budget
        self._used = 0
        self._kept: OrderedDict[tuple[str, str, Key], Encoded] = OrderedDict()
        self._facts: dict[str, dict[str, Facts]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def facts(self, base: str) -> Mapping[str, Facts]:
        """The facts, by a name, under which there are minibatches of a base."""
        return self._facts.get(base, {})

    def get(self, base: str, name: str, key: Key) -> Encoded | None:
        """The minibatch of this key under facts of this name."""
        found = self._kept.get((base, name, key))
        if found is not None:
            self._kept.move_to_end((base, name, key))
        return found

    def add(self, base: str, facts: Facts, key: Key, minibatch: Encoded) -> None:
        name = facts.name
        if len(minibatch.data) > self._budget * _LARGEST_SHARE or (base, name, key) in self._kept:
            return
        self._kept[base, name, key] = minibatch
        self._facts.setdefault(base, {})[name] = facts
        self._counts[base, name] += 1
        self._used += len(minibatch.data)
        while self._used > self._budget:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        (base, name, _), oldest = self._kept.popitem(last=False)
        self._used -= len(oldest.data)
        self._counts[base, name] -= 1
        if not self._counts[base, name]:
            del self._counts[base, name], self._facts[base][name]
        if not self._facts[base]:
            del self._facts[base]


class SharedMinibatches:
    """The minibatches of one partition as one run takes them from the slot's memory, and leaves them there.

    Like rows, they are kept under all questions that the spec has asked of its config up to then, here in
    `collate_fn` too. One that `collate_fn` drew random numbers for is not to be given here, and what cannot be brought
    back exactly is kept for nobody.
    """

    def __init__(self, memory: MinibatchMemory, hooks: Hooks, mode: Mode) -> None:
        self._memory = memory
        self._hooks = hooks
        self._mode = mode
        self._off = False
        self._compared = False
        self._taken = 0
        self._holds: dict[str, bool] = {}
        """By name, whether facts hold for this run."""
        self._own: tuple[int, Facts] = (-1, Facts({}))
        """How many questions had been asked, and these with their answers."""

    def get(self, base: str, key: Key) -> Any | None:
        """A minibatch, which is the caller's own; None when the caller has to make it."""
        if self._off or not self._compared:
            return None
        found = self._find(base, key)
        if found is None:
            return None
        self._taken += 1
        if self._taken % _SAMPLED == 0:
            return None
        return layout_of(found.layout).decode(bytearray(found.data), 0, len(found.data))

    def add(self, base: str, key: Key, minibatch: Any) -> None:
        """Keep a minibatch that this run has made, or compare it with what is kept."""
        if self._off or self._hooks.collate_keeps_state:
            return
        try:
            own = encode(minibatch, may_alias=False)
        except NotStorableError:
            self._off = True
            return
        found = self._find(base, key)
        if found is None:
            self._memory.add(base, self._own_facts(), key, own)
        elif found == own:
            self._compared = True
        else:
            self._off = True
            sys.stderr.write(
                f"rapidfire-lab: minibatches of {self._mode!r} are not shared: one differs from what was made of the "
                "same rows before. collate_fn must depend on its arguments alone.\n"
            )

    def _find(self, base: str, key: Key) -> Encoded | None:
        for name, facts in self._memory.facts(base).items():
            if name not in self._holds:
                self._holds[name] = facts.hold_for(self._hooks.cfg)
            if self._holds[name] and (found := self._memory.get(base, name, key)):
                return found
        return None

    def _own_facts(self) -> Facts:
        asked = self._hooks.recorder.asked | self._hooks.collate_recorder.asked
        if self._own[0] != len(asked):
            self._own = len(asked), Facts.of(self._hooks.cfg, asked)
        return self._own[1]
