"""``ops``: what is passed on to the engine, and how its refusals come back."""

from __future__ import annotations

import pytest

from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.errors import (
    ConfigError,
    DataError,
    EngineError,
    NotFoundError,
    OperationError,
    RapidfireLabError,
    SpecError,
    StaleError,
)
from tests.server.conftest import config, fetch_route

pytest_plugins = ("pytest_jupyter.jupyter_server",)

OPS = "experiments/digits/ops"
CHECK = "experiments/digits/ops/check"


class FakeEngine:
    """Stands where the engine would be asked; answers a repeated request as the engine does."""

    def __init__(self):
        self.asked = []
        self.error = None
        self.clones = []

    def operate(self, experiment, operation, run_ids, **rest):
        if self.error:
            raise self.error
        known = {request["request_id"]: number for number, (_, _, _, request) in enumerate(self.asked, 1)}
        number = known.get(rest["request_id"])
        if number is None:
            self.asked.append((experiment, operation, run_ids, rest))
            number = len(self.asked)
        return {"run_ids": run_ids, "operation_ids": [number], "more": "of the engine's own"}

    def check_clone(self, experiment, run_ids, **rest):
        if self.error:
            raise self.error
        self.asked.append((experiment, "check", run_ids, rest))
        return {"clones": self.clones}


@pytest.fixture
def fake(engine, monkeypatch):
    fake = FakeEngine()
    monkeypatch.setattr(EngineClient, "operate", lambda _, *args, **rest: fake.operate(*args, **rest))
    monkeypatch.setattr(EngineClient, "check_clone", lambda _, *args, **rest: fake.check_clone(*args, **rest))
    return fake


def order(operation="stop", run_ids=(2,), **rest):
    return {"operation": operation, "run_ids": list(run_ids), "request_id": "r-1", **rest}


async def test_an_operation_is_passed_on(jp_fetch, ask, fake):
    response = await fetch_route(jp_fetch, OPS, order(run_ids=[2, 5], seen={"2": "running", "5": "queued"}))
    assert response.code == 202
    assert await ask(OPS, order(run_ids=[2, 5])) == {"run_ids": [2, 5], "operation_ids": [1]}
    assert fake.asked == [
        (
            "digits",
            "stop",
            [2, 5],
            {
                "changes": [],
                "warm_start": False,
                "continue_position": False,
                "seen": {"2": "running", "5": "queued"},
                "request_id": "r-1",
                "start": False,
                "origin": "user",
            },
        )
    ]


async def test_a_repeat_has_the_id_of_the_first(ask, fake):
    assert (await ask(OPS, order(request_id="a")))["operation_ids"] == [1]
    assert (await ask(OPS, order(request_id="b")))["operation_ids"] == [2]
    assert (await ask(OPS, order(request_id="a")))["operation_ids"] == [1]
    assert len(fake.asked) == 2


async def test_a_clone_with_changes(ask, fake):
    await ask(OPS, order("clone", [1], changes={"user_knobs": {"width": 9}}, warm_start=True, continue_position=True))
    assert fake.asked[0][3]["changes"] == [{"user_knobs": {"width": 9}}]
    assert fake.asked[0][3]["warm_start"]
    assert fake.asked[0][3]["continue_position"]


async def test_cancel_names_no_runs(ask, fake):
    await ask(OPS, {"operation": "cancel", "request_id": "r"})
    assert fake.asked[0][:3] == ("digits", "cancel", [])


async def test_a_check_shows_the_clones_without_secrets(ask, fake):
    fake.clones = [
        {
            "parent": 1,
            "config": config(9, api_key="sk-1"),
            "changed": [
                {"knob": "user_knobs.width", "from": 8, "to": 9},
                {"knob": "user_knobs.api_key", "from": None, "to": "sk-1"},
            ],
        }
    ]
    answer = await ask(CHECK, {"operation": "clone", "run_ids": [1], "changes": {"width": 9}})
    assert answer == {
        "clones": [
            {
                "parent": 1,
                "config": config(9, api_key="***"),
                "changed": [
                    {"knob": "user_knobs.width", "from": 8, "to": 9},
                    {"knob": "user_knobs.api_key", "from": None, "to": "***"},
                ],
            }
        ],
        "problem": None,
    }
    options = {"warm_start": False, "continue_position": False}
    assert fake.asked == [("digits", "check", [1], {"changes": [{"width": 9}], **options})]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError, 400),
        (DataError, 400),
        (SpecError, 400),
        (NotFoundError, 404),
        (OperationError, 409),
        (StaleError, 412),
        (EngineError, 503),
        (RapidfireLabError, 503),
    ],
)
async def test_refusals_of_the_engine_keep_their_words(refused, fake, error, status):
    fake.error = error("Run 3 is 50% done: ask for stop.")
    body = order("clone", [1], changes={"width": 9})
    assert await refused(OPS, body) == (status, "Run 3 is 50% done: ask for stop.")


@pytest.mark.parametrize("error", [ConfigError, OperationError])
async def test_what_stands_against_a_clone_is_what_a_check_answers(ask, fake, error):
    fake.error = error("There is no optimizer AdamWat.")
    answer = await ask(CHECK, {"operation": "clone", "run_ids": [1], "changes": {"optimizer": "AdamWat"}})
    assert answer == {"clones": [], "problem": "There is no optimizer AdamWat."}


async def test_a_check_of_unknown_runs_is_an_error(refused, fake):
    fake.error = NotFoundError("There is no run 7.")
    assert await refused(CHECK, {"operation": "clone", "run_ids": [7]}) == (404, "There is no run 7.")


@pytest.mark.parametrize(("route", "body"), [(OPS, order()), (CHECK, {"operation": "clone", "run_ids": [1]})])
async def test_an_engine_that_is_down_is_not_started(refused, filled, route, body):
    code, message = await refused(route, body)
    assert code == 503
    assert "The engine is not running. Start it" in message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "missing required field `operation`"),
        ({"operation": "stop", "run_ids": [1]}, "missing required field `request_id`"),
        (order(request_id=""), "at 'request_id'"),
        (order(request_id="x" * 101), "at 'request_id'"),
        (order(request_id=7), "at 'request_id'"),
        (order("explode"), "at 'operation': invalid enum value 'explode'"),
        (order(run_ids=[]), "at 'run_ids': name the runs to stop"),
        (order(run_ids=["1"]), "at 'run_ids[0]': expected `int`, got `str`"),
        (order(run_ids=[0]), "at 'run_ids[0]': expected `int` >= 1"),
        (order(run_ids=[1.5]), "at 'run_ids[0]'"),
        (order(run_ids=[1] * 10_001), "at 'run_ids'"),
        (order("cancel"), "at 'run_ids': cancel stops all runs"),
        (order(changes={"width": 9}), "at 'changes': only clones have it"),
        (order(num_runs=3), "at 'num_runs': only clones have it"),
        (order(warm_start=True), "at 'warm_start': only clones have it"),
        (order("clone", changes=[1]), "at 'changes': expected `object`, got `array`"),
        (order("clone", num_runs=0), "at 'num_runs'"),
        (order(seen={"2": "happy"}), "invalid enum value 'happy'"),
        (order(seen={"two": "running"}), "at 'seen': 'two' is no run id"),
        (order(force=True), "unknown field `force`"),
    ],
)
async def test_bodies_that_do_not_fit(refused, fake, body, words):
    code, message = await refused(OPS, body)
    assert code == 400
    assert words in message
    assert fake.asked == []


async def test_knobs_that_do_not_fit(refused, fake):
    code, message = await refused(OPS, order("clone", [1], changes={"width": {"$list": 3}}))
    assert code == 400
    assert "$list" in message
    assert fake.asked == []


async def test_a_secret_that_was_shown_hidden_cannot_come_back(ask, refused, fake):
    changes = {"user_knobs": {"store": {"api_key": "***", "host": "h"}}}
    code, message = await refused(OPS, order("clone", [1], changes=changes))
    assert code == 400
    assert message.startswith("'changes.user_knobs.store.api_key' is ***")
    answer = await ask(CHECK, {"operation": "clone", "run_ids": [1], "changes": changes})
    assert (answer["clones"], answer["problem"]) == ([], message)
    assert fake.asked == []


@pytest.mark.parametrize("route", [OPS, CHECK])
@pytest.mark.parametrize("depth", [600, 100_000])
async def test_changes_nested_too_deeply(refused, fake, route, depth):
    nested = '{"a": ' * depth + "1" + "}" * depth
    rest = '"request_id": "r", ' if route == OPS else ""
    raw = f'{{"operation": "clone", "run_ids": [1], {rest}"changes": {nested}}}'
    code, message = await refused(route, raw=raw)
    assert code == 400
    assert "nested too deeply" in message
    assert fake.asked == []


async def test_only_clones_can_be_checked(refused, fake):
    code, message = await refused(CHECK, {"operation": "stop", "run_ids": [1]})
    assert code == 400
    assert "only a clone can be checked" in message
