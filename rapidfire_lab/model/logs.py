"""What models log: messages, metrics and plots, each one line of JSON on a standard logger."""

from __future__ import annotations

import json
import logging
import numbers
import warnings
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rapidfire_lab.model.console import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MODEL_LOG_DATETIME_FORMAT = "%Y-%m-%dT%H:%M:%S"


class LogType:
    """The types of lines."""

    PLOT = "PLOT"
    METRICS = "METRICS"
    MESSAGE = "MESSAGE"


class LoggerUtils:
    """Logs messages and metrics of a model in training: ``from rapidfire_lab.model import logger``.

    Lines are ``{"message": ..., "type": "MESSAGE", "time": ...}``, ``{<metric>: <value>, ..., "type": "METRICS",
    "time": ...}`` and ``{"title": ..., "metrics": [...], "x_axis": ..., "type": "PLOT", "time": ...}``; the time is
    local, to the second. They are printed until `set_logger` leads them elsewhere.
    """

    def __init__(self) -> None:
        self._logger = _printing_logger()

    def define_loss_plot(self) -> None:
        """Define a plot of ``loss`` by ``epoch``, for `log_loss`."""
        self.define_plot("Loss Over Epochs", ["loss"], x_axis="epoch")

    def log_loss(self, loss: float, epoch: float) -> None:
        """Log the loss of an epoch."""
        self.log(loss=loss, epoch=epoch)

    def define_plot(self, title: str, metrics: Sequence[str], x_axis: str | None = None) -> None:
        """Define a plot of metrics; the x axis is another metric, or the time.

        The dashboard draws it with a line per trial and metric. Values of the other metric count where they are logged
        in the same call.
        """
        names = [metrics] if isinstance(metrics, str) else list(metrics)
        self._write(LogType.PLOT, {"title": title, "metrics": names, "x_axis": x_axis})

    def log(self, msg: str = "", **metrics: Any) -> None:
        """Log a message, or numbers by the name of their metric, or both.

        Raises
        ------
        TypeError
            When a metric is no number.
        """
        if msg:
            self._write(LogType.MESSAGE, {"message": str(msg)})
        if metrics:
            self._write(LogType.METRICS, {name: _number(name, value) for name, value in metrics.items()})

    def set_logger(self, logger: logging.Logger) -> logging.Logger:
        """Have lines go to another logger, at level INFO, and give back the one before."""
        self._logger, before = logger, self._logger
        return before

    def _write(self, kind: str, content: dict[str, Any]) -> None:
        for name in ("type", "time"):
            if name in content:
                warnings.warn(f"the metric {name!r} is lost: log it under another name", stacklevel=3)
        time = datetime.now().astimezone().strftime(MODEL_LOG_DATETIME_FORMAT)
        self._logger.info("%s", json.dumps({**content, "type": kind, "time": time}))

    @staticmethod
    def parse_log_line(log_line: str) -> dict[str, Any]:
        """Read a line; one that is no object in JSON is a message."""
        try:
            parsed = json.loads(log_line)
        except ValueError:
            parsed = None
        return parsed if isinstance(parsed, dict) else {"type": LogType.MESSAGE, "message": log_line}

    @staticmethod
    def parse_logs(log_lines: Iterable[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Read lines into messages, metrics and plots, each with its ``time`` (None where a line has none)."""
        found: dict[str, list[dict[str, Any]]] = {LogType.MESSAGE: [], LogType.METRICS: [], LogType.PLOT: []}
        for line in map(LoggerUtils.parse_log_line, log_lines):
            kind = line.pop("type", None)
            if kind in found:
                found[kind].append({"time": line.pop("time", None), **line})
        return found[LogType.MESSAGE], found[LogType.METRICS], found[LogType.PLOT]


def _number(name: str, value: object) -> float:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, numbers.Integral):  # numpy's
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"the metric {name!r} must be a number, not {value!r} ({type(value).__name__})")


def _printing_logger() -> logging.Logger:
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a program's own logging would repeat every line
    if not logger.handlers:
        logger.addHandler(_Printer())
    return logger


class _Printer(logging.Handler):
    """Prints lines as people read them, to where output goes at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        line = LoggerUtils.parse_log_line(record.getMessage())
        time = line.pop("time", "")
        say(f"[{time}] {_readable(line)}")


def _readable(line: dict[str, Any]) -> str:
    kind = line.pop("type", None)
    if kind == LogType.PLOT:
        return f"Plot {line['title']!r}: {', '.join(line['metrics'])} by {line['x_axis'] or 'time'}"
    if kind == LogType.METRICS:
        return ", ".join(f"{name}={value}" for name, value in line.items())
    return str(line.get("message", line))
