"""What an engine knows of prepared data: a record that crosses processes as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PartitionInfo:
    """One prepared partition: a Parquet file that `Partition.open` reads."""

    path: str
    rows: int
    object_columns: list[str]


@dataclass(frozen=True)
class IngestedData:
    """All prepared partitions of one handle.

    `fingerprint` stands for the content: data with the same fingerprint give the same rows.
    """

    handle_id: str
    fingerprint: str
    partitions: dict[str, PartitionInfo]
    misc: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> IngestedData:
        partitions = {name: PartitionInfo(**info) for name, info in record["partitions"].items()}
        return cls(record["handle_id"], record["fingerprint"], partitions, record["misc"])
