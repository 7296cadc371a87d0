"""Locators: the names that data may have and the places that they may point to."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from rapidfire_lab.errors import DataError

PARTITIONS = ("train", "validation", "test", "predict")
MISC = "misc"
ESF_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")

# One slash, because pathlib has folded the two of Path("s3://bucket").
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):/", re.IGNORECASE)


def objects_key(partition: str) -> str:
    """Name of the locator of the folder that the partition's object columns start from."""
    return f"{partition}_objects"


LOCATOR_NAMES = (*PARTITIONS, *map(objects_key, PARTITIONS), MISC)


def resolve_locators(locators: Mapping[str, str | Path]) -> dict[str, Path]:
    """Turn every locator into an absolute local path that exists, in the order of `LOCATOR_NAMES`.

    Raises
    ------
    DataError
        For the first locator that is unknown, points nowhere, or to something of the wrong kind.
    """
    if not isinstance(locators, Mapping):
        raise DataError(f"locators must be a dictionary like {{'train': 'train.csv'}}, not {locators!r}")
    for name in locators:
        _check_name(name)
    paths = {name: _local_path(name, locators[name]) for name in LOCATOR_NAMES if name in locators}
    _check_partitions(paths)
    for name, path in paths.items():
        _check_place(name, path)
    return paths


def _check_name(name: object) -> None:
    if name in LOCATOR_NAMES:
        return
    # A low cutoff, so that "val" still leads to "validation".
    near = difflib.get_close_matches(str(name).lower(), LOCATOR_NAMES, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise DataError(f"unknown locator {name!r}: {hint}Known locators: {', '.join(LOCATOR_NAMES)}")


def _check_partitions(paths: Mapping[str, Path]) -> None:
    if not any(partition in paths for partition in PARTITIONS):
        raise DataError(f"the locators name no partition: give at least one of {', '.join(PARTITIONS)}")
    for partition in PARTITIONS:
        if objects_key(partition) in paths and partition not in paths:
            raise DataError(
                f"locator {objects_key(partition)!r} stands without its partition: "
                f"add {partition!r}, the Example Structure File whose paths start from that folder"
            )


def _local_path(name: str, value: object) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise DataError(f"locator {name!r} must be a path or a file:// URL, not {value!r}")
    text = str(value)
    if url := _URL.match(text):
        text = _path_of_url(name, text, url["scheme"].lower())
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise DataError(f"locator {name!r}: {text!r} names no user of this machine") from error
    # Not resolve(): on a cluster the path behind a symbolic link is often good on one machine only.
    return Path(os.path.normpath(path))


def _path_of_url(name: str, url: str, scheme: str) -> str:
    """Path that a URL names. Every scheme that is ever supported gets its branch here."""
    if scheme == "s3":
        raise DataError(
            f"locator {name!r}: {url} is on S3, and S3 locators are not available in this version yet; "
            "copy the data to a local path and give that"
        )
    if scheme != "file":
        raise DataError(f"locator {name!r}: {url} has the unknown scheme {scheme}://; give a local path or file:// URL")
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise DataError(f"locator {name!r}: {url} names a host; write file:/// and an absolute path")
    return url2pathname(parts.path)


def _check_place(name: str, path: Path) -> None:
    if not path.exists():
        raise DataError(
            f"locator {name!r}: {path} does not exist; check the path, relative ones start from {Path.cwd()}"
        )
    if name not in PARTITIONS:
        if not path.is_dir():
            raise DataError(f"locator {name!r}: {path} is a file; give the folder that it is in")
    elif not path.is_file():
        raise DataError(f"locator {name!r}: {path} is a folder; give one Example Structure File")
    elif not path.name.lower().endswith(ESF_SUFFIXES):
        raise DataError(
            f"locator {name!r}: {path} has none of the suffixes {', '.join(ESF_SUFFIXES)}; "
            "an Example Structure File is CSV or Parquet"
        )
