"""Tracebacks that start at the user's own code."""

from __future__ import annotations

import traceback
from pathlib import Path

_PACKAGE = str(Path(__file__).parent.parent) + "/"


def describe(error: BaseException) -> str:
    """One line: what went wrong."""
    text = str(error).strip()
    name = type(error).__name__
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
    text = "".join(report.format())
    return text.replace(str(snapshot), str(original)) if original else text
