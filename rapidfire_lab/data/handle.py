"""What users name their data with."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rapidfire_lab.data.ingest import ingest
from rapidfire_lab.data.locators import MISC, PARTITIONS, objects_key, resolve_locators
from rapidfire_lab.data.store import default_store
from rapidfire_lab.errors import DataError, StorageError
from rapidfire_lab.storage.urls import check_endpoint

if TYPE_CHECKING:
    from pathlib import Path

    from rapidfire_lab.data.ingested import IngestedData
    from rapidfire_lab.data.locators import Place


class DataHandle:
    """A data set: where its files are and how much of them to use.

    Constructing a handle reads no data: it only checks that every local locator leads somewhere. Handles with the
    same arguments have the same `id`, and one handle serves any number of experiments.

    Parameters
    ----------
    locators
        Where the data are. Keys: ``train``, ``validation``, ``test``, ``predict`` (Example Structure Files:
        CSV or Parquet with a column ``id`` of unique integers), ``<partition>_objects`` (the folder that the
        paths in that partition's object columns start from) and ``misc`` (a folder that the MLSpec gets as
        `misc_path`). Values: local paths (relative to the working folder, ``~`` works), ``file://`` URLs, or
        ``s3://bucket/key``, without credentials: boto3 finds those by itself. What is on S3 is fetched by
        `download`, and of object folders only the files that chosen rows name.
    download_columns
        Object columns to use; the others keep the text that the file has. By default every text column whose
        values are files under the objects folder is an object column.
    fraction
        Share of the rows of every partition to use, above 0 and up to 1. A larger one includes the smaller.
    seed
        Seed of that choice of rows.
    endpoint_url
        Address of an S3 server other than Amazon's; by default what boto3 finds (``AWS_ENDPOINT_URL_S3``, or
        ``endpoint_url`` in ``~/.aws/config``).

    Raises
    ------
    DataError
        When an argument cannot be used, naming it.
    """

    def __init__(
        self,
        locators: Mapping[str, str | Path],
        download_columns: Sequence[str] | None = None,
        fraction: float = 1.0,
        seed: int = 42,
        *,
        endpoint_url: str | None = None,
    ) -> None:
        self._places = resolve_locators(locators)
        self.endpoint_url = _checked_endpoint(endpoint_url)
        self.download_columns = _checked_columns(download_columns)
        self.fraction = _checked_fraction(fraction)
        self.seed = _checked_seed(seed)
        if self.download_columns and not any(map(self.objects_of, self.partitions)):
            raise DataError(
                f"download_columns {list(self.download_columns)} need the folder their paths start from: "
                f"add a locator like {objects_key(self.partitions[0])!r}"
            )

    def __repr__(self) -> str:
        return (
            f"DataHandle(id={self.id!r}, partitions={self.partitions!r}, "
            f"fraction={self.fraction!r}, seed={self.seed!r})"
        )

    @property
    def id(self) -> str:
        """Name of this data set in run tables, the same for the same arguments."""
        text = json.dumps(self._arguments(), sort_keys=True)
        return f"dh-{hashlib.blake2b(text.encode(), digest_size=5).hexdigest()}"

    @property
    def locators(self) -> dict[str, str]:
        """Every locator as an absolute path, or a URL of S3."""
        return {name: str(place) for name, place in self._places.items()}

    @property
    def partitions(self) -> tuple[str, ...]:
        return tuple(partition for partition in PARTITIONS if partition in self._places)

    @property
    def misc(self) -> Place | None:
        return self._places.get(MISC)

    def only(self, partition: str) -> DataHandle:
        """Make a handle that has but one of the partitions, and ``misc``."""
        names = (partition, objects_key(partition), MISC)
        return DataHandle(
            {name: place for name, place in self.locators.items() if name in names},
            self.download_columns if self.objects_of(partition) else None,
            self.fraction,
            self.seed,
            endpoint_url=self.endpoint_url,
        )

    def esf_of(self, partition: str) -> Place:
        """Locate the Example Structure File of a partition that the handle has."""
        return self._places[partition]

    def objects_of(self, partition: str) -> Place | None:
        """Locate the folder that the partition's object columns start from, if it has one."""
        return self._places.get(objects_key(partition))

    def download(self, to: Path | None = None) -> IngestedData:
        """Fetch, read, check and prepare all partitions; what is there already is reused.

        What is on S3 is fetched in parallel. After an interrupt or an error the next call goes on where this one was,
        and nothing is fetched again as long as key, size and ETag are the same.

        Parameters
        ----------
        to
            Folder of prepared data, by default the one in the engine home.

        Raises
        ------
        DataError
            When a file cannot be used, naming the locator, the file and the line.
        StorageError
            When S3 does not give something, naming the locator, bucket, key and cause.
        """
        return ingest(self, default_store() if to is None else to)

    def _arguments(self) -> dict[str, Any]:
        columns = self.download_columns
        arguments = {
            "locators": self.locators,
            "download_columns": None if columns is None else sorted(columns),
            "fraction": self.fraction,
            "seed": self.seed,
        }
        return arguments if self.endpoint_url is None else {**arguments, "endpoint_url": self.endpoint_url}


def _checked_columns(columns: Iterable[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    if isinstance(columns, (str, bytes)) or not isinstance(columns, Iterable):
        raise DataError(f"download_columns must be a list of column names: write [{columns!r}]")
    unique = tuple(dict.fromkeys(columns))
    for column in unique:
        if not isinstance(column, str):
            raise DataError(f"download_columns must hold names of columns, not {column!r}")
    return unique


def _checked_endpoint(url: str | None) -> str | None:
    try:
        check_endpoint(url)
    except StorageError as error:
        raise DataError(str(error)) from error
    return url


def _checked_fraction(fraction: float) -> float:
    try:
        number = float(fraction)
    except (TypeError, ValueError):
        number = -1.0
    # Written so that NaN fails too.
    if not 0 < number <= 1:
        raise DataError(f"fraction must be above 0 and at most 1, not {fraction!r}: write 0.1 for a tenth of the rows")
    return number


def _checked_seed(seed: int) -> int:
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise DataError(f"seed must be an integer from 0 to 2**63 - 1, not {seed!r}")
    return number
