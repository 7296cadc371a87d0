"""A Jupyter server of its own process, and a connection to it as a browser keeps one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks.common import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_API = "/rapidfire-lab/api/"
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.1


class JupyterServer:
    """One connection, which is kept open."""

    def __init__(self, pid: int, port: int, token: str) -> None:
        self.pid = pid
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}

    def ask(self, route: str, body: object = None) -> Any:
        """GET a route of ours, or POST a body to it."""
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
        self._connection.request(method, _API + route, content, self._headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= 300:
            raise RuntimeError(answer["message"])
        return answer

    def is_up(self) -> bool:
        try:
            self.ask("engine")
        except ConnectionError:
            self._connection.close()
            return False
        return True


@contextlib.contextmanager
def jupyter_server(folder: Path) -> Iterator[JupyterServer]:
    """A server of the engine's home that the environment names, which ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    token = secrets.token_hex()
    options = {"port": port, "port_retries": 0, "ip": "127.0.0.1", "root_dir": folder, "allow_root": True}
    command = [sys.executable, "-m", "jupyter_server", "--no-browser"]
    command += [f"--ServerApp.{name}={value}" for name, value in options.items()]
    command += ["--ServerApp.jpserver_extensions={'rapidfire_lab': True}", "--Application.log_level=ERROR"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "JUPYTER_TOKEN": token}, stdout=sys.stderr)
    try:
        server = JupyterServer(process.pid, port, token)
        deadline = time.monotonic() + _START_SECONDS
        while not server.is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                message = "the Jupyter server did not come up"
                raise RuntimeError(message)
            time.sleep(_LOOK_SECONDS)
        yield server
    finally:
        process.terminate()
        process.wait()
