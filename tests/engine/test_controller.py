"""The controller's loop with clients that ask for too much."""

from __future__ import annotations

import time
from types import SimpleNamespace

import msgspec
import pytest
import zmq

from rapidfire_lab.engine import controller as controller_module
from rapidfire_lab.engine.controller import Controller
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.protocol import CheckClone, Progress, decode_from_controller, encode
from rapidfire_lab.engine.settings import EngineSettings

QUESTION = CheckClone(request_id="q", experiment="e", run_ids=[1], changes=[{"width": "DEEP"}], warm_start=False)


@pytest.fixture
def controller(tmp_path):
    ledger = SimpleNamespace(journal=None, scheduler=None, outgoing=[])
    made = Controller(EngineHome(tmp_path), EngineSettings(), ledger, None)
    made.bind(f"ipc://{tmp_path}/wire.sock")
    yield made
    made._socket.close(linger=0)


@pytest.fixture
def client(controller, tmp_path):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.connect(f"ipc://{tmp_path}/wire.sock")
    yield socket
    socket.close(linger=0)


def answer(client):
    assert client.poll(5_000)
    return decode_from_controller(client.recv())


def test_an_error_of_a_look_up_is_told_and_the_engine_goes_on(controller, client, monkeypatch, capsys):
    outcomes = iter([RuntimeError("odd"), RecursionError("deep"), None])

    def look(*_):
        outcome = next(outcomes)
        if outcome:
            raise outcome
        return {"clones": []}

    monkeypatch.setattr(controller_module.operations, "check_clone", look)
    for words in ("RuntimeError: odd", "RecursionError: deep"):
        client.send(encode(QUESTION))
        controller._serve_messages()
        assert words in answer(client).error
        assert words in capsys.readouterr().err
    client.send(encode(QUESTION))
    controller._serve_messages()
    assert answer(client).result == {"clones": []}


def test_a_message_that_is_nested_too_deep_is_unreadable(controller, client):
    client.send(encode(QUESTION).replace(msgspec.msgpack.encode("DEEP"), b"\x91" * 50_000 + b"\x01"))
    controller._serve_messages()
    assert "unreadable message" in answer(client).error


def test_requests_wait_their_turn_and_slots_do_not(controller, client, monkeypatch):
    monkeypatch.setattr(controller_module.operations, "check_clone", lambda *_: time.sleep(0.06) or {})
    for _ in range(20):
        client.send(encode(QUESTION))
    client.send(encode(Progress(lease=3, step=1, loss=None, points=[])))
    while controller._socket.poll(100) and 3 not in controller._progress:
        started = time.monotonic()
        controller._serve_messages()
        assert time.monotonic() - started < 0.5
    assert 3 in controller._progress
    assert len(controller._requests) > 10
    while controller._requests:
        controller._serve_messages()
    for _ in range(20):
        assert answer(client).error is None
