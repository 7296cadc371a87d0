"""A Jupyter server of its own process over a filled journal: ``python -m tests.server.served PORT_FILE TOKEN``.

The engine is a stand-in: it takes what it is asked, so that the routes that steer it can be called with anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import sys
from pathlib import Path

from jupyter_server.serverapp import ServerApp

from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.errors import NotFoundError
from rapidfire_lab.server import predictions, predictors
from tests.server.conftest import config, fill


def operate(_, experiment, operation, run_ids, **rest):
    check_known(experiment)
    return {"run_ids": run_ids, "operation_ids": [1 for _ in run_ids]}


def check_clone(_, experiment, run_ids, **rest):
    check_known(experiment)
    changed = [{"knob": "user_knobs.width", "from": 8, "to": None}]
    return {"clones": [{"parent": run_id, "config": config(), "changed": changed} for run_id in run_ids]}


class Echo:
    """Stands where a model would predict."""

    run_id = 1

    def predict(self, queries, timeout):
        return queries


def find_trial(journal, experiment, run_id):
    check_known(experiment)
    return Echo()


def check_known(experiment):
    if experiment != "digits":
        message = f"There is no experiment {experiment!r}."
        raise NotFoundError(message)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def main(port_file, token):
    home = EngineHome.default()
    fill(home)
    EngineClient.start = EngineClient.stop = lambda *_: None
    EngineClient.operate = operate
    EngineClient.check_clone = check_clone
    predictions.find_trial = find_trial
    predictors.Predictors.lent = lambda _, trial, timeout: contextlib.nullcontext(trial)
    app = ServerApp(
        port=free_port(),
        token=token,
        ip="127.0.0.1",
        open_browser=False,
        allow_root=True,
        allow_unauthenticated_access=False,
        root_dir=str(home.root.parent),
        jpserver_extensions={"rapidfire_lab": True},
    )
    with home.engine_lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        app.initialize([])
        Path(port_file).write_text(str(app.port))
        app.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
