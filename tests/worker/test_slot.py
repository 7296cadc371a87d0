"""What a slot process does for itself."""

from __future__ import annotations

import gc
import weakref

import pytest

from rapidfire_lab.worker.slot import _spare_modules


class Node:
    """Something that holds itself, as only the garbage collector can free it."""

    def __init__(self):
        self.itself = self


@pytest.fixture
def spared():
    left_behind = weakref.ref(Node())
    gc.disable()
    _spare_modules()
    yield left_behind
    gc.enable()
    gc.unfreeze()


def test_the_garbage_collector_passes_over_modules_and_not_over_runs(spared):
    assert spared() is None
    # torch alone has about 200,000 objects.
    assert gc.get_freeze_count() > 100_000
    assert len(gc.get_objects()) < 10_000
    run = weakref.ref(Node())
    assert run() is not None
    gc.collect()
    assert run() is None


def test_what_was_spared_is_looked_at_again_when_another_spec_is_loaded(spared):
    node = Node()
    modules = [[] for _ in range(100_000)]
    assert _spare_modules()
    freed = weakref.ref(node)
    del node, modules
    gc.collect()
    assert freed() is not None
    _spare_modules(again=True)
    assert freed() is None


def test_what_a_small_spec_has_is_not_spared_and_so_freed_with_it(spared):
    frozen = gc.get_freeze_count()
    node = Node()
    assert not _spare_modules()
    assert gc.get_freeze_count() == frozen
    freed = weakref.ref(node)
    del node
    assert not _spare_modules()
    assert freed() is None
