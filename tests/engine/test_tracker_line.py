"""When the tracker is started, and told that there is something to send."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from rapidfire_lab.engine.protocol import Exit, OutboxGrew
from rapidfire_lab.engine.tracker_line import TrackerLine

if TYPE_CHECKING:
    from rapidfire_lab.engine.protocol import Message


class Wanted:
    """In the place of the node, which starts processes: when it was to start the tracker."""

    def __init__(self) -> None:
        self.due: list[float] = []

    def want_tracker(self, due: float) -> None:
        self.due.append(due)


@pytest.fixture
def sent() -> list[Message]:
    return []


@pytest.fixture
def node() -> Wanted:
    return Wanted()


@pytest.fixture
def line(node, sent) -> TrackerLine:
    return TrackerLine(node, lambda identity, message: sent.append(message) if identity == b"tracker" else None)


def test_the_tracker_is_started_soon_while_something_trains_and_at_once_otherwise(line, node):
    before = time.monotonic()
    line.grew(training=True)
    line.grew(training=True)
    assert before + 4 < node.due[0] < time.monotonic() + 6
    assert node.due[1] == node.due[0], "what comes later does not put it off"
    line.grew(training=False)
    assert node.due[2] <= time.monotonic()


def test_one_that_comes_up_is_told_at_once(line, sent):
    line.grew(training=True)
    line.tell_due(time.monotonic() + 60)
    assert not sent
    line.ready(b"tracker")
    assert sent == [OutboxGrew()]
    line.tell_due(time.monotonic() + 60)
    assert sent == [OutboxGrew()], "it was told already"


def test_it_is_told_later_while_something_trains(line, node, sent):
    line.ready(b"tracker")
    sent.clear()
    line.grew(training=True)
    line.tell_due(time.monotonic())
    assert not sent
    line.tell_due(time.monotonic() + 6)
    assert sent == [OutboxGrew()]
    line.grew(training=True)
    line.grew(training=False)
    line.tell_due(time.monotonic())
    assert sent == [OutboxGrew(), OutboxGrew()]
    assert not node.due, "it is there"


def test_one_that_died_is_told_when_it_is_there_again(line, node, sent):
    line.ready(b"tracker")
    sent.clear()
    line.died()
    line.grew(training=False)
    line.tell_due(time.monotonic())
    line.close()
    assert not sent
    assert len(node.due) == 1
    line.ready(b"tracker")
    line.close()
    assert sent == [OutboxGrew(), Exit()]
