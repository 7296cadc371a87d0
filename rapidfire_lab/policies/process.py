"""The process that calls policies: the only place where they run.

It reads the journal and tells the controller what each policy decided. A decision counts once the controller has
written it down, together with all that follows from it; a process that dies before is started again and decides anew.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.lifeline import die_with_parent
from rapidfire_lab.engine.protocol import (
    Decided,
    Deciding,
    DecisionTaken,
    Exit,
    PoliciesReady,
    decode_from_controller,
    encode,
)
from rapidfire_lab.journal import JournalReader
from rapidfire_lab.policies.run_policy import Decision, decide, failed
from rapidfire_lab.policies.search_policy import deadline_of, load_search
from rapidfire_lab.policies.source import load_policy
from rapidfire_lab.policies.view import RunViews

if TYPE_CHECKING:
    from rapidfire_lab.engine.protocol import Message
    from rapidfire_lab.journal import PolicyRecord
    from rapidfire_lab.policies.run_policy import Policy
    from rapidfire_lab.policies.view import PolicyRun

TIMEOUT = 30.0
"""Seconds that a call may take."""


class Policies:
    """Calls the policies of the live experiment whenever there are commits that they have not seen."""

    def __init__(self, home: EngineHome, address: str) -> None:
        self._journal = JournalReader(home.journal)
        self._views = RunViews(self._journal)
        self._loaded: dict[int, tuple[str | None, Policy]] = {}
        self._exiting = False
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.SNDHWM, 0)
        self._socket.setsockopt(zmq.LINGER, 1_000)
        self._socket.connect(address)

    def serve(self) -> None:
        """Decide whenever the controller says that there is something new, until told to exit."""
        self._send(PoliciesReady(pid=os.getpid()))
        while not self._exiting:
            if self._socket.poll(self._patience()):
                self._receive()
            while self._socket.poll(0):
                self._receive()
            # What happens while they decide is seen in another round.
            while self._decide_all() and not self._exiting:
                pass
        self._socket.close()

    def _patience(self) -> int | None:
        """Milliseconds until a search has to be called even if nothing happens; None for never."""
        deadlines = [deadline_of(policy) for policy in self._journal.active_policies()]
        first = min(deadlines, default=math.inf)
        return None if math.isinf(first) else max(0, math.ceil(1_000 * (first - time.time())))

    def _receive(self) -> bool:
        """Take a message in; says whether it is the answer to a decision."""
        message = decode_from_controller(self._socket.recv())
        self._exiting = self._exiting or isinstance(message, Exit)
        return isinstance(message, DecisionTaken)

    def _send(self, message: Message) -> None:
        self._socket.send(encode(message))

    def _decide_all(self) -> bool:
        """Call all policies that have not seen the last commit; says whether there were any."""
        decided = False
        for policy in self._journal.active_policies():
            is_due = policy.commits < self._commits(policy) or time.time() >= deadline_of(policy)
            if is_due and not self._exiting:
                decided = True
                self._send(Deciding(policy=policy.id))
                self._send(self._decided(policy))
                # The next one sees what this one did.
                while not (self._receive() or self._exiting):
                    pass
        return decided

    def _commits(self, policy: PolicyRecord) -> int:
        return self._journal.experiment_by_id(policy.experiment_id).commits

    def _decided(self, policy: PolicyRecord) -> Decided:
        with self._journal.moment():
            commits = self._commits(policy)
            runs = self._views.of(policy.experiment_id)
        # What does not come back to Python at all is ended from outside; this process is then started again.
        faulthandler.dump_traceback_later(2 * TIMEOUT, exit=True)
        try:
            decision = self._decision(policy, runs)
        finally:
            faulthandler.cancel_dump_traceback_later()
        return Decided(
            policy=policy.id,
            commits=commits,
            actions=decision.actions,
            state=decision.state,
            printed=decision.printed,
            done=decision.done,
            error=decision.error,
            traceback=decision.traceback,
        )

    def _decision(self, policy: PolicyRecord, runs: list[PolicyRun]) -> Decision:
        state = json.loads(policy.state)
        try:
            function = self._function(policy)
        except Exception as error:  # noqa: BLE001 - the user's file may raise anything
            return failed(error, state)
        return decide(function, runs, state, TIMEOUT)

    def _function(self, policy: PolicyRecord) -> Policy:
        if policy.definition is not None:
            # Made anew from its state each time: it could be that nobody has written down what it decided last.
            return load_search(policy)
        source, function = self._loaded.get(policy.id, (None, None))
        if function is None or source != policy.source:
            function = load_policy(policy.source, policy.function) if policy.source else self._hook(policy)
            self._loaded[policy.id] = (policy.source, function)
        return function

    def _hook(self, policy: PolicyRecord) -> Policy:
        """The spec's own policy, from its snapshot."""
        from rapidfire_lab.worker.hooks import load_spec_class

        experiment = self._journal.experiment_by_id(policy.experiment_id)
        layout = ExperimentLayout(Path(experiment.path))
        spec_class = load_spec_class(layout.spec, layout.spec_info().main, experiment.spec_hash or "")
        hook: Policy = getattr(spec_class(), policy.function)
        return hook


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    Policies(EngineHome(Path(arguments.home)), arguments.address).serve()


if __name__ == "__main__":
    main()
