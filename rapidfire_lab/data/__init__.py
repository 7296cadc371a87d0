"""Data: naming them (handles), preparing them (Example Structure Files), and the rows workers train on."""

from rapidfire_lab.data.esf import read_esf
from rapidfire_lab.data.handle import DataHandle
from rapidfire_lab.data.ingest import ingest
from rapidfire_lab.data.ingested import IngestedData, PartitionInfo
from rapidfire_lab.data.locators import PARTITIONS
from rapidfire_lab.data.order import epoch_order, minibatch_count, minibatches, row_seed
from rapidfire_lab.data.partition import Partition
from rapidfire_lab.data.store import default_store

__all__ = [
    "PARTITIONS",
    "DataHandle",
    "IngestedData",
    "Partition",
    "PartitionInfo",
    "default_store",
    "epoch_order",
    "ingest",
    "minibatch_count",
    "minibatches",
    "read_esf",
    "row_seed",
]
