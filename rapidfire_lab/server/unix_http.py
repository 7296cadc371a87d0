"""One HTTP exchange over a Unix socket, its answer handed on chunk by chunk.

tornado's HTTP client would need a resolver, header lines parsed by hand, and a limit on the body; and below tornado
6.6 it reads an answer as fast as it comes, however slowly the browser takes it. Its connection class has none of it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

_NO_LIMIT = 1 << 62


class UnreachableError(Exception):
    """Nobody listens on the socket, so nothing was asked."""


class Exchange:
    """A request that has been sent; ``close`` breaks it off."""

    def __init__(self, stream: IOStream, connection: HTTP1Connection) -> None:
        self._stream = stream
        self._connection = connection

    @classmethod
    async def begin(cls, path: Path, method: str, target: str, headers: HTTPHeaders, body: bytes) -> Exchange:
        """Send a request.

        Raises
        ------
        UnreachableError
            When nobody listens on ``path``.
        """
        stream = IOStream(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            await stream.connect(str(path))
        except (OSError, StreamClosedError) as error:
            stream.close()
            raise UnreachableError(str(path)) from error
        parameters = HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=_NO_LIMIT)
        connection = HTTP1Connection(stream, is_client=True, params=parameters)
        connection.write_headers(RequestStartLine(method, target, "HTTP/1.1"), headers, body)
        connection.finish()
        return cls(stream, connection)

    async def relay(
        self, begin: Callable[[int, str, HTTPHeaders], None], write: Callable[[bytes], Awaitable[None]]
    ) -> bool:
        """Hand the answer on; the next chunk is read when ``write`` has done with the last. Tells if all came."""
        delegate = _Relay(begin, write)
        try:
            await self._connection.read_response(delegate)
        except StreamClosedError:
            return False
        finally:
            self.close()
        return delegate.complete

    def close(self) -> None:
        self._stream.close()


class _Relay(HTTPMessageDelegate):
    complete = False

    def __init__(
        self, begin: Callable[[int, str, HTTPHeaders], None], write: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._begin = begin
        self._write = write

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        if isinstance(start_line, ResponseStartLine) and start_line.code >= 200:  # noqa: PLR2004 - the final answer
            self._begin(start_line.code, start_line.reason, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None]:
        return self._write(chunk)

    def finish(self) -> None:
        self.complete = True
