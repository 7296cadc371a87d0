"""``docs/openapi.yaml`` is true: a real server is asked all that it allows, and things that it does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rapidfire_lab.rows import API_LEVEL
from rapidfire_lab.server.handler import RestHandler
from rapidfire_lab.server.routes import HANDLERS
from tests.conftest import ROOT, wait_until

TOKEN = "of-the-test"
PLACES = {
    "experiment": ("digits", "old"),
    "run_id": (1, 2, 3, 4, 5, 6),
    "path": ("spec.json", "runs/1/run.log", "runs/1/checkpoints/final.safetensors"),
    "metric": ("val_loss", "minibatch_loss", "top1_accuracy"),
    "by": ("minibatch_loss", "val_loss"),
}
"""What there is in the journal: hardly anything that is made up would be found."""

FRAMING = ("connection", "content-length", "transfer-encoding", "upgrade")
"""Headers that belong to HTTP itself: with made-up ones a request is none, and never comes to a route."""

KNOWN_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
answered = set()
schema = schemathesis.openapi.from_path(ROOT / "docs" / "openapi.yaml")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a Jupyter server over a filled journal."""
    folder = tmp_path_factory.mktemp("served")
    port = folder / "port"
    settings_of_jupyter = {
        name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    environment = {**os.environ, **settings_of_jupyter, "RAPIDFIRE_LAB_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "tests.server.served", str(port), TOKEN]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or (port.exists() and port.read_text()), "the server", 60)
            assert process.poll() is None, (folder / "log").read_text()
            yield f"http://127.0.0.1:{port.read_text()}"
        finally:
            process.terminate()


def test_every_route_is_described():
    described = {
        (path, verb) for path, item in schema.raw_schema["paths"].items() for verb in item if verb in ("get", "post")
    }
    routes = set()
    for pattern, handler in HANDLERS:
        path = pattern.replace("/runs/([^/]+)", "/runs/{run_id}").replace("([^/]+)", "{experiment}")
        path = path.replace("(.+)", "{path}")
        routes |= {(path, verb) for verb in ("get", "post") if getattr(handler, verb) is not getattr(RestHandler, verb)}
    assert described == routes
    assert schema.raw_schema["info"]["version"] == str(API_LEVEL)


def with_known(values):
    """Put what there is in the place of two in three of the values that were made up."""
    return {
        name: PLACES[name][len(str(value)) % len(PLACES[name])] if name in PLACES and len(str(value)) % 3 else value
        for name, value in values.items()
    }


@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_the_description_is_true(case, server):
    case.path_parameters = with_known(case.path_parameters or {})
    case.query = with_known(case.query or {})
    case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in FRAMING}
    response = case.call_and_validate(base_url=server, headers={"Authorization": f"token {TOKEN}"}, checks=KNOWN_CHECKS)
    answered.add((case.operation.label, response.status_code))


def test_every_route_was_answered(server):
    """Lest the description be true of refusals alone."""
    for operation in schema.get_all_operations():
        label = operation.ok().label
        assert answered & {(label, 200), (label, 202)}, label


@pytest.mark.parametrize(
    "operation", [found.ok() for found in schema.get_all_operations()], ids=lambda found: found.label
)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "token wrong"}])
def test_without_token_nothing_is_told(operation, headers, server):
    places = {"experiment": "digits", "run_id": 1, "path": "spec.json"}
    case = operation.Case(path_parameters=places, query={"metric": "val_loss"})
    response = case.call(base_url=server, headers=headers)
    assert response.status_code == 403
    case.validate_response(response, checks=KNOWN_CHECKS)
