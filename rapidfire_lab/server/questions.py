"""Queries and bodies of requests as structs; what does not fit is refused with the name of the field."""

from __future__ import annotations

import re
from typing import Annotated, TypeVar, get_origin, get_type_hints

import msgspec

Question = TypeVar("Question", bound=msgspec.Struct)

LARGEST = (1 << 53) - 1
"""The largest whole number that every JSON reader holds exactly."""

Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
Name = Annotated[str, msgspec.Meta(max_length=500)]

_PLACE = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


class BadQuestionError(ValueError):
    """A query or a body that cannot be used as given."""


def from_query(arguments: dict[str, list[bytes]], kind: type[Question]) -> Question:
    """Read the query; a parameter that is given twice counts with its last value, unless it is a list."""
    many = {name for name, hint in get_type_hints(kind).items() if get_origin(hint) is list}
    try:
        given = {name: [value.decode() for value in values] for name, values in arguments.items()}
    except UnicodeDecodeError as error:
        message = "The query is no UTF-8 text."
        raise BadQuestionError(message) from error
    plain = {name: values if name in many else values[-1] for name, values in given.items()}
    try:
        return msgspec.convert(plain, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadQuestionError(_words("query", error)) from error


def from_body(body: bytes, kind: type[Question]) -> Question:
    """Read the body."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise BadQuestionError(_words("body", error)) from error
    except RecursionError as error:
        message = "The request's body cannot be used: it is nested too deeply."
        raise BadQuestionError(message) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        message = f"The request's body is no JSON: {error}."
        raise BadQuestionError(message) from error


def _words(where: str, error: msgspec.ValidationError) -> str:
    text = str(error)
    place = _PLACE.search(text)
    what = text[: place.start()] if place else text
    field = f" at {place[1]!r}" if place and place[1] else ""
    return f"The request's {where} cannot be used{field}: {what[:1].lower()}{what[1:]}."
