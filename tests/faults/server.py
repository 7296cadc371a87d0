"""A Jupyter server with the extension and no other: ``python -m tests.faults.server PORT TOKEN``."""

from __future__ import annotations

import sys

from jupyter_server.serverapp import ServerApp

OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook", "notebook_shim")
"""Extensions that only make a start longer."""


def main(port: str, token: str) -> None:
    app = ServerApp(
        port=int(port),
        token=token,
        ip="127.0.0.1",
        open_browser=False,
        allow_root=True,
        allow_unauthenticated_access=False,
        jpserver_extensions={**dict.fromkeys(OTHERS, False), "rapidfire_lab": True},
    )
    app.initialize([])
    app.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
