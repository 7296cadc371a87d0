"""The controller's line to the process in which policies are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rapidfire_lab.engine import policies
from rapidfire_lab.engine.protocol import Decide, Decided, Deciding, DecisionTaken, Exit, PoliciesReady

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapidfire_lab.engine.ledger import Ledger
    from rapidfire_lab.engine.node import Node
    from rapidfire_lab.engine.protocol import Message

FromPolicies: TypeAlias = PoliciesReady | Deciding | Decided


class PolicyLine:
    """Tells the process what is new, and has what it decides carried out.

    Parameters
    ----------
    send
        Sends a message to an identity on the wire.
    max_deaths
        A policy that takes its process with it so many times in a row is called no more.
    """

    def __init__(self, ledger: Ledger, node: Node, send: Callable[[bytes, Message], None], *, max_deaths: int) -> None:
        self._ledger = ledger
        self._node = node
        self._send = send
        self._max_deaths = max_deaths
        self._identity: bytes | None = None
        self._deciding: int | None = None
        self._deaths = 0

    def call(self) -> None:
        """Have policies called that have not seen the last commit; their process is there where there are any."""
        if self._ledger.journal.active_policies():
            self._node.want_policies()
            self._tell(Decide())

    def receive(self, identity: bytes, message: FromPolicies) -> None:
        if isinstance(message, PoliciesReady):
            self._identity = identity
            self.call()
        elif isinstance(message, Deciding):
            self._deciding = message.policy
        else:
            self._deciding, self._deaths = None, 0
            with self._ledger.journal.transaction(durable=bool(message.actions)):
                policies.carry_out(message, self._ledger)
            self._tell(DecisionTaken())

    def died(self, reason: str) -> None:
        """Give a policy up that takes its process with it again and again."""
        self._identity = None
        if self._deciding is None:
            return
        self._deaths += 1
        if self._deaths >= self._max_deaths:
            journal = self._ledger.journal
            with journal.transaction():
                told = f"Its process {reason} while it was called."
                policies.fail(journal.policy(self._deciding), told, self._ledger)
            self._deciding, self._deaths = None, 0

    def close(self) -> None:
        self._tell(Exit())

    def _tell(self, message: Message) -> None:
        if self._identity is not None:
            self._send(self._identity, message)
