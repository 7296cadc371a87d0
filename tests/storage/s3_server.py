"""An S3 server (moto's) in a process of its own, on a port of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys

from tests.conftest import wait_until

PART_BYTES = 64 * 1024
"""Smallest part that this server takes, so that small files are sent in parts too."""

_PROGRAM = """
import sys
from rapidfire_lab.engine.lifeline import die_with_parent
die_with_parent(int(sys.argv.pop()))
from moto.server import main
main()
"""


@contextlib.contextmanager
def s3_server():
    """Yield the port of a server that ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, "-H", "127.0.0.1", "-p", str(port)]
    command.append(str(os.getpid()))
    environment = {**os.environ, "S3_UPLOAD_PART_MIN_SIZE": str(PART_BYTES), "MOTO_S3_DEFAULT_MAX_KEYS": "5"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(port) or server.poll() is not None, "the S3 server to answer")
        assert server.poll() is None, f"{' '.join(command)} has ended"
        yield port
    finally:
        server.kill()
        server.wait()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
