"""What all routes share: who may ask, how the journal is read, and what an error looks like."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado import web

from rapidfire_lab.errors import (
    EngineError,
    JobError,
    NotFoundError,
    OperationError,
    RapidfireLabError,
    StaleError,
)
from rapidfire_lab.journal import JournalReader
from rapidfire_lab.server.questions import BadQuestionError, from_body, from_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome
    from rapidfire_lab.journal import ExperimentRecord


AUTH_RESOURCE = "rapidfire_lab"
MOST_BODY_BYTES = 1 << 20

_READERS = 4
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (BadQuestionError, 400),
    (NotFoundError, 404),
    (StaleError, 412),
    (OperationError, 409),
    (EngineError, 503),
    (JobError, 422),
    (ValueError, 400),  # ConfigError, DataError and SpecError are
)
Answer = TypeVar("Answer")
Question = TypeVar("Question", bound=msgspec.Struct)

# Readers have threads of their own: whoever waits for an engine to start must not keep them from the journal. So have
# readers of files, since a time limit ends the wait alone: a disk that hangs keeps its thread.
_journal_threads = ThreadPoolExecutor(_READERS, thread_name_prefix="rapidfire-lab-journal")
_file_threads = ThreadPoolExecutor(_READERS, thread_name_prefix="rapidfire-lab-files")


class Refusal(web.HTTPError):
    """An error with words that a user can act on."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(status)
        self.words = words


class RestHandler(ExtensionHandlerMixin, APIHandler):
    """Base of the routes.

    Each class defines its verbs itself, under ``web.authenticated`` and ``authorized``: the latter remembers the
    resource that it was first called for, so a verb must not be shared by classes.
    """

    auth_resource = AUTH_RESOURCE
    # The page polls: that must not count as use of the server, or idle servers are never culled.
    _track_activity = False

    def question(self, kind: type[Question]) -> Question:
        """The query as a struct of this kind."""
        with told():
            return from_query(self.request.query_arguments, kind)

    def body(self, kind: type[Question]) -> Question:
        """The body as a struct of this kind."""
        if len(self.request.body) > MOST_BODY_BYTES:
            raise Refusal(413, f"The request's body is larger than {MOST_BODY_BYTES:,} bytes.")
        with told():
            return from_body(self.request.body, kind)

    async def read(self, question: Callable[[JournalReader], Answer]) -> Answer:
        """Put questions to the journal, as it is at one moment."""
        return await self.look(lambda: _ask_journal(default_home().journal, question))

    async def look(self, question: Callable[[], Answer]) -> Answer:
        """Look something up in the engine's home, in a thread, for as long as the traits allow."""
        return await self._in_time(_journal_threads, question)

    async def look_at_files(self, question: Callable[[], Answer]) -> Answer:
        """The same for the files of experiments, which may be slow or hang without keeping anybody from the journal."""
        return await self._in_time(_file_threads, question)

    async def _in_time(self, threads: ThreadPoolExecutor, question: Callable[[], Answer]) -> Answer:
        timeout: float = self.extensionapp.journal_timeout  # type: ignore[attr-defined]
        asked = asyncio.get_running_loop().run_in_executor(threads, question)
        with told():
            try:
                return await asyncio.wait_for(asked, timeout)
            except asyncio.TimeoutError as error:  # on Python 3.10 not yet the builtin
                message = f"{default_home().root} could not be read within {timeout:g} seconds. Try again."
                raise EngineError(message) from error

    async def ask(self, question: Callable[..., Answer], *arguments: Any) -> Answer:
        """Have the engine asked, in a thread; the question itself ends in time."""
        with told():
            return await asyncio.to_thread(question, *arguments)

    def answer(self, value: Any, status: int = 200) -> None:
        """Answer with strict JSON: NaN and infinity become null."""
        self.set_status(status)
        self.finish(msgspec.json.encode(value))

    def write_error(self, status_code: int, **details: Any) -> None:
        """JSON with ``message`` and ``reason``."""
        error = details.get("exc_info", (None, None))[1]
        if not isinstance(error, Refusal):
            super().write_error(status_code, **details)
            return
        self.log.debug("%s %s: %s", self.request.method, self.request.path, error.words)
        self.finish(json.dumps({"message": error.words, "reason": self._reason}))


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Turn errors that are meant for users into answers."""
    try:
        yield
    except (RapidfireLabError, BadQuestionError) as error:
        status = next((code for kind, code in _CODES if isinstance(error, kind)), 503)
        raise Refusal(status, str(error)) from error


def default_home() -> EngineHome:
    # Imported here because the wire's libraries are not needed to start a Jupyter server.
    from rapidfire_lab.engine.home import EngineHome

    return EngineHome.default()


def experiment_named(journal: JournalReader, name: str) -> ExperimentRecord:
    found = journal.experiment(name)
    if found is None:
        known = ", ".join(record.name for record in journal.experiments()) or "none"
        message = f"There is no experiment {name!r}; known: {known}."
        raise NotFoundError(message)
    return found


def _ask_journal(path: Path, question: Callable[[JournalReader], Answer]) -> Answer:
    if not path.exists():
        message = "There are no experiments yet: no engine has run here."
        raise NotFoundError(message)
    with open_journal(path) as journal:
        return question(journal)


@contextlib.contextmanager
def open_journal(path: Path) -> Iterator[JournalReader]:
    """Open the journal, as it is at one moment.

    Raises
    ------
    EngineError
        When it cannot be read, be it only once it is asked.
    """
    try:
        with JournalReader(path) as journal, journal.moment():
            yield journal
    except sqlite3.Error as error:
        message = (
            f"The journal {path} cannot be read ({error}). Try again; where that does not help, "
            "stop the engine and restore the file, or move it away."
        )
        raise EngineError(message) from error
