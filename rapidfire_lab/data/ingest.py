"""Preparing data: from the files that locators name to one checked Parquet file for each partition."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.data.copies import Copies
from rapidfire_lab.data.ingested import IngestedData
from rapidfire_lab.data.locators import MISC
from rapidfire_lab.data.source import Source, named_in_errors
from rapidfire_lab.data.store import make_private
from rapidfire_lab.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rapidfire_lab.data.handle import DataHandle

_FORMAT = 1
"""Version of the prepared files; a new one makes `ingest` prepare everything anew."""


def ingest(handle: DataHandle, store: Path, copies: Copies | None = None) -> IngestedData:
    """Read, check and sample all partitions of a handle, and write each as Parquet under `store`.

    Object columns come to hold absolute paths; an empty value in one stays empty. What was prepared from the
    same content before is used again, but its object files must still be there. What is on S3 is fetched below
    `store` first (``copies``), where it is not there yet.

    Raises
    ------
    DataError
        When a file cannot be used, naming the locator, the file and the line or row.
    StorageError
        When something cannot be fetched; what has come in is used by the next call.
    """
    store = Path(store).absolute()
    copies = copies or Copies(store / "s3", endpoint_url=handle.endpoint_url)
    sources = [Source(handle, partition, copies) for partition in handle.partitions]
    _check_columns_known(handle.download_columns or (), sources)
    fingerprint = _fingerprint(handle, sources)
    misc = _misc(handle, copies)
    folder = store / fingerprint
    make_private(folder)
    return IngestedData(
        handle_id=handle.id,
        fingerprint=fingerprint,
        partitions={source.partition: source.prepare(folder) for source in sources},
        misc=misc,
    )


def _misc(handle: DataHandle, copies: Copies) -> str | None:
    with named_in_errors(MISC):
        return None if handle.misc is None else str(copies.tree(handle.misc))


def _check_columns_known(wanted: Sequence[str], sources: Sequence[Source]) -> None:
    if not wanted:
        return
    known = dict.fromkeys(name for source in sources for name in source.candidates)
    for name in wanted:
        if name not in known:
            raise DataError(
                f"download_columns names {name!r}, which is no column of a partition with an objects folder; "
                f"known columns: {', '.join(known) or 'none'}"
            )


def _fingerprint(handle: DataHandle, sources: Sequence[Source]) -> str:
    columns = None if handle.download_columns is None else sorted(handle.download_columns)
    identities = [source.identity() for source in sources]
    text = json.dumps([_FORMAT, handle.fraction, handle.seed, columns, identities])
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
