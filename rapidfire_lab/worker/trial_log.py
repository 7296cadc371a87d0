"""What a model template logs during a trial: messages to the run's log, metrics to the controller, plots to a file.

Each line that the model logs is also when the slot looks whether the trial is to go on, and tells that it does.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from rapidfire_lab.engine.protocol import Progress
from rapidfire_lab.files import write_private
from rapidfire_lab.journal.records import MetricPoint
from rapidfire_lab.model.console import say
from rapidfire_lab.model.logs import LoggerUtils, LogType
from rapidfire_lab.model.toolkit import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rapidfire_lab.engine.protocol import Message, Outcome
    from rapidfire_lab.engine.watchdog import Pulse

_REPORT_SECONDS = 0.25
_FORMAT = "%(levelname)s %(name)s: %(message)s"


class TrialBrokenOffError(BaseException):
    """The trial is not to go on. It is no ``Exception``, which a model may catch for reasons of its own."""


class TrialLog(logging.Handler):
    """Takes in what a model logs.

    Parameters
    ----------
    lease
        The trial's.
    asked
        Says as what the lease is to end now; None while the trial goes on.
    send
        Sends to the controller.
    plots
        File for the plots that the model defines.
    pulse
        Told with each sign of life.
    """

    def __init__(
        self,
        lease: int,
        asked: Callable[[], Outcome | None],
        send: Callable[[Message], None],
        plots: Path,
        pulse: Pulse,
    ) -> None:
        super().__init__()
        self.broken_off: Outcome | None = None
        self._lease = lease
        self._asked = asked
        self._send = send
        self._plots_path = plots
        self._pulse = pulse
        self._plots: list[dict[str, Any]] = []
        self._points: list[MetricPoint] = []
        self._lines = 0
        self._loss: float | None = None
        self._reported = time.monotonic()
        self._thread = threading.get_ident()

    @contextlib.contextmanager
    def attached(self) -> Iterator[None]:
        """Take in what is logged inside, also by Python's own logging, which goes to the run's log."""
        own = logging.Logger("rapidfire_lab.trial", logging.INFO)  # noqa: LOG001 - of this trial alone
        own.addHandler(self)
        before = logger.set_logger(own)
        root, printer = logging.getLogger(), logging.StreamHandler()
        printer.setFormatter(logging.Formatter(_FORMAT))
        printer.addFilter(self._is_alive)
        level = root.level
        root.addHandler(printer)
        root.setLevel(logging.INFO)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(printer)
            logger.set_logger(before)

    def emit(self, record: logging.LogRecord) -> None:
        line = LoggerUtils.parse_log_line(record.getMessage())
        kind, at = line.pop("type", None), line.pop("time", "")
        if kind == LogType.METRICS:
            self._add(line)
        elif kind == LogType.PLOT:
            self._define(line)
        else:
            say(f"[{at}] {line.get('message', line)}")
        if threading.get_ident() == self._thread:
            self._report()
            self.check()

    def check(self) -> None:
        """Break the trial off when it is not to go on; else what comes next may take as long as a minibatch.

        Raises
        ------
        TrialBrokenOffError
            Then, and at each further call.
        """
        self.broken_off = self.broken_off or self._asked()
        if self.broken_off is not None:
            raise TrialBrokenOffError(self.broken_off)
        self._pulse.beat(0)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """What is done inside may take any time."""
        self._pulse.rest()
        yield
        self._pulse.beat(0)

    def drain(self) -> list[MetricPoint]:
        """Give the points that were not sent yet."""
        points, self._points = self._points, []
        return points

    def _is_alive(self, _record: logging.LogRecord) -> bool:
        self._pulse.beat(0)
        return True

    def _add(self, metrics: dict[str, float]) -> None:
        """Take a line of metrics: all of its points have the number of the line as their step."""
        self._lines += 1
        epoch = metrics.get("epoch", 0)
        at = int(epoch) if math.isfinite(epoch) and epoch > 0 else 0
        now = time.time()
        self._points += [
            MetricPoint(name=name, per="step", step=self._lines, epoch=at, value=float(value), time=now)
            for name, value in metrics.items()
        ]
        self._loss = metrics.get("loss", self._loss)

    def _define(self, plot: dict[str, Any]) -> None:
        if plot in self._plots:
            return
        self._plots.append(plot)
        with contextlib.suppress(OSError):  # what a plot would show is in the journal
            write_private(self._plots_path, msgspec.json.encode(self._plots))

    def _report(self) -> None:
        if self._points and time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._reported = time.monotonic()
            self._send(Progress(lease=self._lease, step=0, loss=self._loss, points=self.drain()))
