"""The client against engines that are slow, restart, shut down, or are another by now."""

from __future__ import annotations

import fcntl
import threading
import time

import pytest
import zmq

from rapidfire_lab.engine import client as client_module
from rapidfire_lab.engine import launcher
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.engine.protocol import API_LEVEL, CheckClone, Reply, decode_to_controller, encode
from rapidfire_lab.errors import EngineError


class FakeEngine:
    """What an engine is for a client: a lock, an identity and a socket."""

    def __init__(self, home):
        home.create()
        self.home = home
        self.asked = []
        self._lock = None
        self._socket = zmq.Context.instance().socket(zmq.ROUTER)
        self._address = f"ipc://{home.runtime}/wire.sock"
        self._socket.bind(self._address)
        self.hold_lock()
        self.appear("first")

    def hold_lock(self):
        self._lock = self.home.engine_lock.open("ab")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def release_lock(self):
        self._lock.close()

    def appear(self, epoch):
        identity = EngineIdentity(
            pid=1, epoch=epoch, version="0", api_level=API_LEVEL, address=self._address, started=0
        )
        self.home.write_identity(identity)

    def receive(self):
        assert self._socket.poll(5_000)
        identity, frame = self._socket.recv_multipart()
        self.asked.append(decode_to_controller(frame).request_id)
        return identity

    def receives_nothing_more(self):
        return not self._socket.poll(0)

    def reply(self, identity, **fields):
        self._socket.send_multipart([identity, encode(Reply(request_id=self.asked[-1], **fields))])

    def close(self):
        self._socket.close(linger=0)
        self.release_lock()


@pytest.fixture
def engine(tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "_LOOK_AGAIN_SECONDS", 0.02)
    made = FakeEngine(EngineHome(tmp_path / "home"))
    yield made
    made.close()


@pytest.fixture
def in_thread():
    """Run a function beside the test; joined in the end, and its error is raised."""
    threads, errors = [], []

    def start(function):
        def run():
            try:
                function()
            except Exception as error:  # noqa: BLE001 - raised in the test's own thread below
                errors.append(error)

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert not errors


def check(home):
    return EngineClient(home).check_clone("e", [1], changes=[{"width": 5}])


def test_a_slow_engine_is_asked_once(engine, in_thread):
    def answer_late():
        identity = engine.receive()
        time.sleep(0.3)
        engine.reply(identity, result={"clones": []})

    in_thread(answer_late)
    assert check(engine.home) == {"clones": []}
    assert len(engine.asked) == 1
    assert engine.receives_nothing_more()


def test_a_controller_that_restarted_is_asked_again_under_the_same_id(engine, in_thread):
    def restart():
        engine.receive()
        engine.appear("second")
        engine.reply(engine.receive(), result={"clones": []})

    in_thread(restart)
    assert check(engine.home) == {"clones": []}
    assert engine.asked[0] == engine.asked[1]


def test_an_answer_to_another_question_is_none(engine, in_thread):
    def mix_up():
        identity = engine.receive()
        asked = engine.asked[-1]
        engine.asked.append("other")
        engine.reply(identity, result={"clones": [1]})
        engine.asked.append(asked)
        engine.reply(identity, result={"clones": []})

    in_thread(mix_up)
    assert check(engine.home) == {"clones": []}


def test_a_question_that_the_engine_cannot_read_is_no_wait(engine, in_thread):
    def refuse():
        identity = engine.receive()
        engine.asked.append("")
        engine.reply(identity, error="unreadable message")

    in_thread(refuse)
    with pytest.raises(EngineError, match="unreadable"):
        check(engine.home)


def test_patience_ends_and_runs_count_once(engine, monkeypatch):
    waited = []
    monkeypatch.setattr(EngineClient, "request", lambda _, request, timeout, **__: waited.append((request, timeout)))
    changes = [{"width": width} for width in range(5)]
    client = EngineClient(engine.home)
    client.check_clone("e", [7] * 10_000, changes=changes)
    client.operate("e", "clone", range(10_000), changes=changes)
    (once, short), (_, long) = waited
    assert isinstance(once, CheckClone)
    assert once.run_ids == [7]
    assert short == pytest.approx(30.5)
    assert long == pytest.approx(120)


def test_an_engine_inherits_nothing_of_jupyter(engine, monkeypatch):
    theirs = ("JUPYTERHUB_API_TOKEN", "JUPYTER_TOKEN", "CONFIGPROXY_AUTH_TOKEN", "JPY_API_TOKEN", "MPLBACKEND")
    for name in (*theirs, "MINE"):
        monkeypatch.setenv(name, "x")
    environment = launcher._environment(engine.home)
    assert not environment.keys() & set(theirs)
    assert environment["MINE"] == "x"
    assert environment["RAPIDFIRE_LAB_HOME"] == str(engine.home.root)


# Starting and stopping beside somebody else


def test_a_start_waits_for_an_engine_that_shuts_down(engine, in_thread, monkeypatch):
    launched = []

    def launch(home):
        launched.append(EngineClient(home).is_alive())
        home.stopped.unlink()
        engine.hold_lock()
        engine.appear("second")

    monkeypatch.setattr(client_module.launcher, "launch", launch)
    engine.home.mark_stopped()
    with pytest.raises(EngineError, match="is shutting down"):
        EngineClient(engine.home).start(timeout=0.1)

    def exit_soon():
        time.sleep(0.2)
        engine.release_lock()

    in_thread(exit_soon)
    assert EngineClient(engine.home).start(timeout=5).epoch == "second"
    assert launched == [False]


@pytest.mark.parametrize("comes_up", [True, False])
def test_a_stop_is_over_when_the_next_engine_has_come(engine, in_thread, comes_up):
    def be_succeeded():
        engine.home.mark_stopped()
        engine.reply(engine.receive())
        time.sleep(0.1)
        engine.home.identity.unlink()
        engine.home.stopped.unlink()
        if comes_up:
            engine.appear("second")

    in_thread(be_succeeded)
    assert EngineClient(engine.home).stop(timeout=5)


def test_a_controller_that_restarts_in_its_shutdown_is_still_the_engine_to_stop(engine, in_thread):
    def restart():
        engine.home.mark_stopped()
        engine.reply(engine.receive())
        engine.appear("second")

    in_thread(restart)
    with pytest.raises(EngineError, match="did not exit"):
        EngineClient(engine.home).stop(timeout=0.5)
