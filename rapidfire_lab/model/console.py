"""What the author of a model reads while it is tested."""

from __future__ import annotations

import sys

_BLUE, _YELLOW, _PLAIN = "\033[94m", "\033[93m", "\033[0m"


def say(text: str) -> None:
    """Print a line as it is."""
    print(text, flush=True)


def header(text: str) -> None:
    """Print what comes next."""
    line = "-" * (len(text) + 4)
    say(f"{line}\n| {text} |\n{line}")


def inform_user(msg: str) -> None:
    """Print what is good to know."""
    say(_coloured(msg, _BLUE))


def warn_user(msg: str) -> None:
    """Print what should not stay as it is."""
    say(_coloured(f"WARNING: {msg}", _YELLOW))


def _coloured(text: str, colour: str) -> str:
    return f"{colour}{text}{_PLAIN}" if sys.stdout.isatty() else text
