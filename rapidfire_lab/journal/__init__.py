"""The journal: one SQLite file that is the engine's only state. The controller writes, everybody reads."""

from rapidfire_lab.journal.log_queries import Page
from rapidfire_lab.journal.reader import JournalReader
from rapidfire_lab.journal.records import (
    ACTIVE_STATUSES,
    STATUSES,
    EventRecord,
    ExperimentRecord,
    FitRecord,
    Fusion,
    JobRecord,
    MetricPoint,
    OperationRecord,
    OutboxRecord,
    PartRecord,
    PolicyRecord,
    Position,
    RunRecord,
)
from rapidfire_lab.journal.writer import JournalWriter

__all__ = [
    "ACTIVE_STATUSES",
    "STATUSES",
    "EventRecord",
    "ExperimentRecord",
    "FitRecord",
    "Fusion",
    "JobRecord",
    "JournalReader",
    "JournalWriter",
    "MetricPoint",
    "OperationRecord",
    "OutboxRecord",
    "Page",
    "PartRecord",
    "PolicyRecord",
    "Position",
    "RunRecord",
]
