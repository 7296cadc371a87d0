"""Knobs whose values are nobody's business: passwords, keys and access tokens that stand in a config."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

_SECRET_WORDS = frozenset(
    {"apikey", "credential", "credentials", "passphrase", "passwd", "password", "passwords", "pwd", "secret", "secrets"}
)
_KEY_KINDS = frozenset({"access", "account", "api", "auth", "encryption", "license", "private", "signing"})
_MODEL_TOKENS = frozenset(
    {"begin", "bos", "class", "cls", "end", "eos", "eot", "image", "mask", "next", "pad", "padding", "per", "prefix"}
    | {"prompt", "sep", "separator", "sos", "special", "start", "stop", "suffix", "unk", "unknown"}
)
"""What comes before ``token`` when the token is one of a vocabulary."""


def is_secret(name: str) -> bool:
    """Whether a knob of this name, without its path, looks like it holds a secret."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    if _SECRET_WORDS.intersection(words):
        return True
    if any(second in {"key", "keys"} and first in _KEY_KINDS for first, second in itertools.pairwise(words)):
        return True
    # "hf_token" is one; "max_tokens", "token_dim", "tokenizer" and "pad_token" are not.
    return words[-1:] == ["token"] and not _MODEL_TOKENS.intersection(words)


def hide_secrets(value: Any, name: str = "") -> Any:
    """Give a copy of a config, or of the value of the knob ``name``, with ``***`` for secrets."""
    if is_secret(name.rpartition(".")[2]) and not (value is None or isinstance(value, bool)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: hide_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_secrets(item) for item in value]
    return value


def hide_secret_at(path: str, value: Any) -> Any:
    """The same for a value that stands at a dotted path, any part of which may say that it is secret."""
    if any(hide_secrets("", part) == HIDDEN for part in path.split(".")):
        return value if value is None or isinstance(value, bool) else HIDDEN
    return hide_secrets(value)
