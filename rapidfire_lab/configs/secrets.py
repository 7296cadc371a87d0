"""Knobs whose values are nobody's business: passwords, keys and access tokens that stand in a config."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

_SECRET_WORDS = frozenset(
    {"accesskey", "accesstoken", "apikey", "apikeys", "authkey", "authorization", "authtoken", "bearer", "credential"}
    | {"credentials", "dsn", "hftoken", "jwt", "passphrase", "passwd", "password", "passwords", "privatekey", "pwd"}
    | {"secret", "secretkey", "secrets"}
)
_VENDORS = frozenset(
    {"anthropic", "aws", "azure", "cohere", "comet", "databricks", "gcp", "gcs", "gemini", "github", "gitlab", "google"}
    | {"groq", "hf", "hub", "hugging", "huggingface", "mistral", "neptune", "openai", "s3", "slack", "wandb"}
)
_ACCESS_KINDS = frozenset({"access", "account", "api", "auth", "bearer", "login", "refresh", "session"}) | _VENDORS
_KEY_KINDS = frozenset({"encryption", "license", "private", "signing", "ssh", "storage"}) | _ACCESS_KINDS
_DATABASES = frozenset(
    {"broker", "connection", "database", "db", "mongo", "mongodb", "mysql", "postgres", "postgresql", "redis"}
    | {"sqlalchemy", "webhook"}
)
_SECRET_PAIRS = (
    (_KEY_KINDS, frozenset({"key", "keys"})),
    (_ACCESS_KINDS, frozenset({"tokens"})),
    (_VENDORS, frozenset({"pat"})),
    (_DATABASES, frozenset({"string", "uri", "url"})),
)
_MODEL_TOKENS = frozenset(
    {"begin", "bos", "class", "cls", "end", "eos", "eot", "image", "mask", "next", "pad", "padding", "per", "prefix"}
    | {"prompt", "sep", "separator", "sos", "special", "start", "stop", "suffix", "unk", "unknown"}
)
"""What comes before ``token`` when the token is one of a vocabulary."""


def is_secret(name: str) -> bool:
    """Whether a knob of this name, without its path, looks like it holds a secret."""
    words = [word.lower() for word in re.findall(r"s3|S3|[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    if _SECRET_WORDS.intersection(words):
        return True
    pairs = list(itertools.pairwise(words))
    if any(first in kinds and second in things for kinds, things in _SECRET_PAIRS for first, second in pairs):
        return True
    # "hf_token" is one, and so is "token_value"; "max_tokens", "token_dim", "tokenizer" and "pad_token" are not.
    is_token = "token" in (words[-2:-1] if words[-1:] == ["value"] else words[-1:])
    return is_token and not _MODEL_TOKENS.intersection(words)


def hide_secrets(value: Any, name: str = "") -> Any:
    """Give a copy of a config, or of the value of the knob ``name``, with ``***`` for secrets."""
    if is_secret(name.rpartition(".")[2]) and not (value is None or isinstance(value, bool)):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: hide_secrets(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_secrets(item) for item in value]
    return value


def find_hidden(value: Any, path: str = "") -> str | None:
    """Path of a secret of which only ``***`` is given, as in a config that was shown and comes back."""
    if isinstance(value, Mapping):
        places = ((str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple):
        places = ((f"{number}", item) for number, item in enumerate(value))
    else:
        is_hidden = value == HIDDEN and hide_secret_at(path, "") == HIDDEN
        return path if is_hidden else None
    found = (find_hidden(item, f"{path}.{key}" if path else key) for key, item in places)
    return next((place for place in found if place), None)


def hide_secret_at(path: str, value: Any) -> Any:
    """The same for a value that stands at a dotted path, any part of which may say that it is secret."""
    if any(hide_secrets("", part) == HIDDEN for part in path.split(".")):
        return value if value is None or isinstance(value, bool) else HIDDEN
    return hide_secrets(value)
