"""The process that serves MLflow's page of an engine home, on a Unix socket, to one Jupyter server.

``mlflow server`` itself is not used: it always has a port or a socket that everybody may open, several workers, and
jobs beside them. It stands outside ``server`` because that package loads neither mlflow nor more of the engine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.lifeline import die_with_parent
from rapidfire_lab.mlflow_store import make_store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

_TELEMETRY = "MLFLOW_DISABLE_TELEMETRY"
_LAST_ANSWERS_SECONDS = 3
_BACKLOG = 128


class IdleWatch:
    """The application, with a memory of when it was last asked for something."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self._open = 0
        self._last = time.monotonic()

    async def __call__(self, scope: MutableMapping[str, Any], receive: object, send: object) -> None:
        if scope["type"] != "http":  # the lifespan protocol stays open all the time
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = time.monotonic()

    def seconds(self) -> float:
        """Since the last request was answered; 0 while one is being answered."""
        return 0.0 if self._open else time.monotonic() - self._last


def mlflow_environment(home: EngineHome, inherited: MutableMapping[str, str]) -> dict[str, str]:
    """Environment of MLflow's server for this home's store.

    What the user set for MLflow is meant for clients and for other servers: a store, a prefix, an authentication or
    an assistant that runs commands must not get in here. Only the choice about telemetry is kept.
    """
    kept = {name: value for name, value in inherited.items() if not name.lstrip("_").startswith("MLFLOW_")}
    return kept | {
        "_MLFLOW_SERVER_FILE_STORE": home.mlflow_uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": home.mlflow_uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": home.mlflow_artifacts.as_uri(),
        "_MLFLOW_SGI_NAME": "uvicorn",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_REMOTE_ASSISTANT": "false",
        _TELEMETRY: inherited.get(_TELEMETRY, "true"),
    }


def load_app(home: EngineHome) -> Callable[..., Awaitable[None]]:
    """MLflow's application, its store made or brought up to date."""
    # Of a damaged file this says so at once. MLflow would try it again for a minute and a half.
    make_store(home)
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(home.mlflow_uri, home.mlflow_uri, home.mlflow_artifacts.as_uri())
    from mlflow.server.fastapi_app import app

    return app  # type: ignore[no-any-return]


def listen(path: Path) -> socket.socket:
    """A listening socket that nobody else may open; it has its name only once it listens."""
    _sweep(path.parent)
    unnamed = path.with_suffix(".new")
    unnamed.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(unnamed))
    unnamed.chmod(0o600)
    listening.listen(_BACKLOG)
    unnamed.replace(path)
    return listening


def _sweep(folder: Path) -> None:
    """Remove the sockets of servers that were killed."""
    for path in folder.glob("mlflow-*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            try:
                asking.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue


def serve(app: Callable[..., Awaitable[None]], path: Path, idle_seconds: float) -> None:
    """Serve until told to end, or until nobody has asked for so long."""
    import uvicorn

    watch = IdleWatch(app)

    async def leave_when_idle() -> None:
        server.should_exit |= watch.seconds() > idle_seconds

    config = uvicorn.Config(
        watch,
        log_level="warning",
        access_log=False,
        # Nobody in front of us is believed about who asks: for MLflow every request is one from outside.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        callback_notify=leave_when_idle,
        timeout_notify=1,
    )
    server = uvicorn.Server(config)
    try:
        server.run(sockets=[listen(path)])
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def main() -> None:
    """Entry point of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--idle-seconds", type=float, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    os.umask(0o077)
    home = EngineHome(arguments.home)
    environment = mlflow_environment(home, os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        app = load_app(home)
    except Exception as error:  # noqa: BLE001 - whatever MLflow raises is the reason why it does not come up
        traceback.print_exc()
        # The last line of the log is what the user is told; of an error of several lines the first says the most.
        sys.exit(f"{type(error).__name__}: {str(error).partition(os.linesep)[0]}")
    serve(app, home.mlflow_socket(arguments.parent), arguments.idle_seconds)


if __name__ == "__main__":
    main()
