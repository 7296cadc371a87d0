"""``events``, ``operations`` and what a run printed: the logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.configs.secrets import hide_secrets
from rapidfire_lab.server.files import open_inside, run_log
from rapidfire_lab.server.handler import RestHandler, experiment_named
from rapidfire_lab.server.questions import LARGEST, BadQuestionError, Count
from rapidfire_lab.server.runs import run_named

if TYPE_CHECKING:
    from rapidfire_lab.journal import EventRecord, JournalReader, OperationRecord, Page

_MOST_LINES = 1_000
_LOG_PAGE_BYTES = 64 * 1024
_LONGEST_CHARACTER = 4
_INSIDE = 0b1000_0000
_LENGTHS = ((0b1111_0000, 4), (0b1110_0000, 3), (0b1100_0000, 2))
"""How long a character of UTF-8 is, by the least byte that it may begin with."""


class PageQuestion(msgspec.Struct):
    """Query of a log: the lines after one, or before one, or the newest."""

    after: Count | None = None
    before: Count | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=_MOST_LINES)] = 100

    def __post_init__(self) -> None:
        if self.after is not None and self.before is not None:
            message = "The request's query cannot be used: give 'after' or 'before', not both."
            raise BadQuestionError(message)


class LogQuestion(msgspec.Struct):
    """Query of a run's log; a negative offset counts from the end."""

    offset: Annotated[int, msgspec.Meta(ge=-LARGEST, le=LARGEST)] = 0


class EventsHandler(RestHandler):
    """The experiment log."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        question = self.question(PageQuestion)
        self.answer(await self.read(lambda journal: _read_events(journal, experiment, question)))


class OperationsHandler(RestHandler):
    """The control ops log."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        question = self.question(PageQuestion)
        self.answer(await self.read(lambda journal: _read_operations(journal, experiment, question)))


class RunLogHandler(RestHandler):
    """What a run's code printed."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str, run_id: str) -> None:
        offset = self.question(LogQuestion).offset
        root, path = await self.read(lambda journal: _log_path(journal, experiment, run_id))
        self.answer(await self.look_at_files(lambda: read_log(root, path, offset)))


def _read_events(journal: JournalReader, name: str, question: PageQuestion) -> dict[str, Any]:
    experiment = experiment_named(journal, name)
    return _page(journal.event_page(experiment.id, **msgspec.structs.asdict(question)), _event)


def _event(record: EventRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "time": record.time,
        "run_id": record.run_id,
        "level": record.level,
        "message": record.message,
    }


def _read_operations(journal: JournalReader, name: str, question: PageQuestion) -> dict[str, Any]:
    experiment = experiment_named(journal, name)
    return _page(journal.operation_page(experiment.id, **msgspec.structs.asdict(question)), _operation)


def _operation(record: OperationRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "time": record.time,
        "run_id": record.run_id,
        "step": record.step,
        "operation": record.operation,
        "origin": record.origin,
        "arguments": hide_secrets(json.loads(record.arguments)),
        "result": record.result,
    }


def _page(page: Page[Any], shown: Any) -> dict[str, Any]:
    items = [shown(record) for record in page.items]
    return {"items": items, "more_before": page.more_before, "more_after": page.more_after}


def _log_path(journal: JournalReader, name: str, run_id: str) -> tuple[Path, Path]:
    experiment = experiment_named(journal, name)
    root = Path(experiment.path)
    return root, run_log(root, run_named(journal, experiment, run_id).run_id)


def read_log(root: Path, path: Path, offset: int) -> dict[str, Any]:
    """A stretch of a text file, cut where characters end; a run that has printed nothing has an empty one."""
    try:
        with open_inside(root, path) as file:
            size = file.seek(0, 2)
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            file.seek(start)
            content = file.read(_LOG_PAGE_BYTES)
    except OSError:
        return {"text": "", "offset": 0, "next_offset": 0, "size": 0}
    lead = _broken_start(content) if start else 0
    end = _whole_end(content)
    text = content[lead:end].decode(errors="replace")
    return {"text": text, "offset": start + lead, "next_offset": start + end, "size": size}


def _broken_start(content: bytes) -> int:
    """How many bytes belong to a character that began before."""
    lead = 0
    while lead < min(len(content), _LONGEST_CHARACTER - 1) and _is_inside(content[lead]):
        lead += 1
    return lead


def _whole_end(content: bytes) -> int:
    """Where the last whole character ends; a character that is not all there yet is left for the next page."""
    for back in range(1, min(len(content), _LONGEST_CHARACTER - 1) + 1):
        lead = content[-back]
        if not _is_inside(lead):
            length = next((length for mark, length in _LENGTHS if lead >= mark), 1)
            return (len(content) - back if length > back else 0) or len(content)
    return len(content)


def _is_inside(byte: int) -> bool:
    """Whether a byte goes on with a character of UTF-8."""
    return byte & 0b1100_0000 == _INSIDE
