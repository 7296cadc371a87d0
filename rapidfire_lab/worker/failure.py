"""Tracebacks that start at the user's own code."""

from __future__ import annotations

import traceback
from pathlib import Path

_PACKAGE = str(Path(__file__).parent.parent) + "/"
_FRAME = '  File "'


def describe(error: BaseException, snapshot: Path) -> str:
    """One line: what went wrong, and what to do where that is known."""
    name = type(error).__name__
    try:
        text = _plain(str(error)).strip()
    except Exception:  # noqa: BLE001 - __str__ of a user's exception may raise anything
        text = "(its text cannot be shown)"
    if isinstance(error, FileNotFoundError) and str(snapshot) in text:
        text += " (only the spec's .py files are kept with the experiment: put other files under the misc locator)"
    return f"{name}: {text}" if text else name


def user_traceback(error: BaseException, snapshot: Path, original: Path | None) -> str:
    """Traceback without our frames above the user's, with snapshot paths shown as the files the user wrote."""
    report = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = report
    while link is not None:
        user_frames = [frame for frame in link.stack if not frame.filename.startswith(_PACKAGE)]
        if user_frames:
            link.stack = traceback.StackSummary.from_list(user_frames)
        link = link.__cause__ or link.__context__
    lines = _plain("".join(report.format())).splitlines(keepends=True)
    return "".join(_named_as_written(line, snapshot, original) for line in lines)


def _named_as_written(line: str, snapshot: Path, original: Path | None) -> str:
    if original is None or not line.startswith(_FRAME):
        return line
    return line.replace(str(snapshot), str(original), 1)


def _plain(text: str) -> str:
    """Text that can be written anywhere: lone surrogates are spelt out."""
    return text.encode(errors="backslashreplace").decode()
