"""The controller's line to the tracker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rapidfire_lab.engine.protocol import Exit, OutboxGrew

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.engine.node import Node
    from rapidfire_lab.engine.protocol import Message

_DELAY = 5.0
"""Seconds. MLflow takes a good part of a core, which slots fill: to load it, and for each batch that it is sent."""


class TrackerLine:
    """Tells the tracker that there is something to send, and has it started for that.

    Parameters
    ----------
    send
        Sends a message to an identity on the wire.
    """

    def __init__(self, node: Node, send: Callable[[bytes, Message], None]) -> None:
        self._node = node
        self._send = send
        self._identity: bytes | None = None
        self._due: float | None = None
        """When it is to be told."""

    @property
    def is_up(self) -> bool:
        return self._identity is not None

    def grew(self, *, training: bool) -> None:
        """Have the tracker send what there is: at once, or soon while something trains."""
        due = time.monotonic() + (_DELAY if training else 0.0)
        self._due = due if self._due is None else min(due, self._due)
        if self._identity is None:
            self._node.want_tracker(self._due)

    def tell_due(self, now: float) -> None:
        """Tell it, when it is time to."""
        if self._due is not None and now >= self._due:
            self.tell()

    def tell(self) -> None:
        """Have the tracker, if it is there, send what there is."""
        if self._identity is not None:
            self._due = None
            self._send(self._identity, OutboxGrew())

    def ready(self, identity: bytes) -> None:
        self._identity = identity
        self.tell()

    def died(self) -> None:
        self._identity = None

    def close(self) -> None:
        if self._identity is not None:
            self._send(self._identity, Exit())
