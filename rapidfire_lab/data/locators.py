"""Locators: the names that data may have and the places that they may point to."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from rapidfire_lab.errors import DataError, StorageError
from rapidfire_lab.storage.urls import bucket_and_key

PARTITIONS = ("train", "validation", "test", "predict")
MISC = "misc"
ESF_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")

# One slash, because pathlib has folded the two of Path("s3://bucket").
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/", re.IGNORECASE)


@dataclass(frozen=True)
class Remote:
    """A place on S3: an object, or all objects below a folder."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


Place = Path | Remote


def objects_key(partition: str) -> str:
    """Name of the locator of the folder that the partition's object columns start from."""
    return f"{partition}_objects"


LOCATOR_NAMES = (*PARTITIONS, *map(objects_key, PARTITIONS), MISC)


def resolve_locators(locators: Mapping[str, str | Path]) -> dict[str, Place]:
    """Turn every locator into an absolute local path that exists, or a place on S3, in the order of `LOCATOR_NAMES`.

    Nobody is asked whether the latter exists: that takes a network and credentials, which only fetching needs.

    Raises
    ------
    DataError
        For the first locator that is unknown, points nowhere, or to something of the wrong kind.
    """
    if not isinstance(locators, Mapping):
        raise DataError(f"locators must be a dictionary like {{'train': 'train.csv'}}, not {locators!r}")
    for name in locators:
        _check_name(name)
    places = {name: _place(name, locators[name]) for name in LOCATOR_NAMES if name in locators}
    _check_partitions(places)
    for name, place in places.items():
        _check_place(name, place)
    return places


def _check_name(name: object) -> None:
    if name in LOCATOR_NAMES:
        return
    # A low cutoff, so that "val" still leads to "validation".
    near = difflib.get_close_matches(str(name).lower(), LOCATOR_NAMES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(f"unknown locator {name!r}: {hint}Known locators: {', '.join(LOCATOR_NAMES)}")


def _check_partitions(places: Mapping[str, Place]) -> None:
    if not any(partition in places for partition in PARTITIONS):
        raise DataError(f"the locators name no partition: give at least one of {', '.join(PARTITIONS)}")
    for partition in PARTITIONS:
        if objects_key(partition) in places and partition not in places:
            raise DataError(
                f"locator {objects_key(partition)!r} stands without its partition: "
                f"add {partition!r}, the Example Structure File whose paths start from that folder"
            )


def _place(name: str, value: object) -> Place:
    if not isinstance(value, (str, Path)) or not str(value):
        raise DataError(f"locator {name!r} must be a path, a file:// or an s3:// URL, not {value!r}")
    text = str(value)
    url = _URL.match(text)
    if url is None:
        return _local_path(name, text)
    scheme = url["scheme"].lower()
    return _remote(name, text) if scheme == "s3" else _local_path(name, _path_of_url(name, text, scheme))


def _remote(name: str, url: str) -> Remote:
    try:
        return Remote(*bucket_and_key(url))
    except StorageError as error:
        raise DataError(f"locator {name!r}: {error}") from error


def _local_path(name: str, text: str) -> Path:
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"locator {name!r}: {text!r} names no user of this machine") from error
    # Not resolve(): on a cluster the path behind a symbolic link is often good on one machine only.
    return Path(os.path.normpath(path))


def _path_of_url(name: str, url: str, scheme: str) -> str:
    if scheme != "file":
        # Without the rest, which may hold a password.
        raise DataError(
            f"locator {name!r} has the unknown scheme {scheme}://; give a local path, a file:// or an s3:// URL"
        )
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise DataError(f"locator {name!r}: {url} names a host; write file:/// and an absolute path")
    return url2pathname(parts.path)


def _check_place(name: str, place: Place) -> None:
    if isinstance(place, Path) and not place.exists():
        raise DataError(
            f"locator {name!r}: {place} does not exist; check the path, relative ones start from {Path.cwd()}"
        )
    if name in PARTITIONS:
        _check_esf(name, place)
    elif isinstance(place, Path) and not place.is_dir():
        raise DataError(f"locator {name!r}: {place} is a file; give the folder that it is in")


def _check_esf(name: str, place: Place) -> None:
    if isinstance(place, Path) and not place.is_file():
        raise DataError(f"locator {name!r}: {place} is a folder; give one Example Structure File")
    if not str(place).lower().endswith(ESF_SUFFIXES):
        raise DataError(
            f"locator {name!r}: {place} has none of the suffixes {', '.join(ESF_SUFFIXES)}; "
            "an Example Structure File is CSV or Parquet"
        )
