"""Calling a policy once."""

from __future__ import annotations

import contextlib
import io
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import PolicyError
from rapidfire_lab.policies.control import PolicyControl
from rapidfire_lab.policies.view import PolicyRun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from rapidfire_lab.engine.protocol import PolicyAction

Policy = Callable[[list[PolicyRun], PolicyControl], object]

_MOST_PRINTED = 2_000


@dataclass(frozen=True)
class Decision:
    """What a policy wants done, what it keeps, and what it printed; or why it failed."""

    actions: list[PolicyAction]
    state: dict[str, Any]
    printed: str
    done: bool = False
    error: str | None = None
    traceback: str | None = None


def decide(
    policy: Policy, runs: Sequence[PolicyRun], state: Mapping[str, Any], timeout: float | None = None
) -> Decision:
    """Call a policy; whatever it raises is told, and nothing that it asked for is kept then.

    ``timeout`` seconds of its own need the main thread.
    """
    control, output = PolicyControl(state), io.StringIO()
    try:
        with contextlib.redirect_stdout(output), _limited(timeout):
            policy(list(runs), control)
        kept = control.checked_state()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises
        return failed(error, state, _tail(output))
    return Decision(control.actions, kept, _tail(output), done=control.done)


def failed(error: BaseException, state: Mapping[str, Any], printed: str = "") -> Decision:
    """Make the decision of a policy that raised: it wants nothing."""
    lines = "".join(traceback.format_exception(error))
    return Decision([], dict(state), printed, error=f"{type(error).__name__}: {error}", traceback=lines)


def _tail(output: io.StringIO) -> str:
    return output.getvalue().strip()[-_MOST_PRINTED:]


@contextlib.contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        message = f"it did not return within {seconds:.0f} s"
        raise PolicyError(message)

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
