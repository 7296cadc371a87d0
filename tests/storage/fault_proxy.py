"""An HTTP proxy that breaks the requests it is told to, by their number."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from dataclasses import dataclass, field
from http import HTTPStatus

_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[^\r]*", re.IGNORECASE)
_ANSWERS = {
    "deny": (403, "AccessDenied", "Access Denied"),
    "throttle": (503, "SlowDown", "Please reduce your request rate."),
    "fail": (500, "InternalError", "We encountered an internal error."),
    "region": (301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint."),
    "key": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
}
FAULTS = ("cut", "cut_answer", "truncate", "damage", "delay", "hang", "throttle", "fail", "deny")
"""Closed before the server sees the request; closed after it did; an answer that ends in its middle, or whose body has
another byte; an answer that comes late, or never; and refusals."""

_LATE_SECONDS = 0.1


@dataclass
class FaultProxy:
    """Stands on a port of its own before a server. Faults: number of the request (from 0) to the name of a fault."""

    upstream: tuple[str, int]
    faults: dict[int, str] = field(default_factory=dict)
    every: str | None = None
    seen: list[str] = field(default_factory=list)
    port: int = 0
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    def begin(self, faults: dict[int, str] | None = None, every: str | None = None) -> None:
        """Count from 0 again, with other faults."""
        self.seen.clear()
        self.faults, self.every = faults or {}, every

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self):
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _serve(self, reader, writer):
        # The loop itself holds tasks weakly: one whose client is gone would be collected while it waits.
        task = asyncio.current_task()
        self._serving.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._exchange(reader, writer)
        writer.close()
        self._serving.discard(task)

    async def _exchange(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        fault = self.faults.get(len(self.seen), self.every)
        self.seen.append(head.split(b"\r\n", 1)[0].decode())
        if fault == "cut":
            return
        if _EXPECT.search(head):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if fault in _ANSWERS:
            writer.write(_answer(*_ANSWERS[fault], with_body=not head.startswith(b"HEAD")))
            await writer.drain()
            return
        answer = await self._ask(_EXPECT.sub(b"", head), body)
        if fault == "hang":
            await reader.read()  # until the client gives up
        elif fault != "cut_answer":
            await asyncio.sleep(_LATE_SECONDS if fault == "delay" else 0)
            writer.write(_broken(answer, fault))
            await writer.drain()

    async def _ask(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self.upstream)
        writer.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
        answer = await reader.read()
        writer.close()
        return re.sub(rb"(?i)\r\nconnection:[^\r]*", b"\r\nConnection: close", answer, count=1)


def _broken(answer: bytes, fault: str | None) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    if fault == "truncate":
        return answer[: len(head) + 4 + len(body) // 2] if body else answer[: len(head) // 2]
    if fault == "damage" and body and not body.startswith(b"<?xml"):
        body = bytes([body[0] ^ 1]) + body[1:]
    return head + b"\r\n\r\n" + body


def _answer(status: int, code: str, message: str, *, with_body: bool) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    head = f"HTTP/1.1 {status} Broken\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}"
    if status == HTTPStatus.MOVED_PERMANENTLY:
        head += "\r\nx-amz-bucket-region: eu-west-1"
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + (body if with_body else b"")


async def _end(server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
