"""The processes that predict: a few, each with the model of one trial, lent to one request after the other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from rapidfire_lab.server.handler import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from rapidfire_lab.serving import Predictor, ServedTrial


class _Waiting(NamedTuple):
    trial: ServedTrial
    turn: asyncio.Future[Predictor]


@dataclass
class _Place:
    predictor: Predictor
    is_lent: bool = False
    asked: float = field(default_factory=time.monotonic)


class Predictors:
    """Lends out processes that predict. None is ended while it answers: who needs another waits for a place.

    Parameters
    ----------
    idle_seconds
        A process ends when nobody has asked it for so long.
    most
        Models that are kept in memory; the one that was asked longest ago makes room for another.
    """

    def __init__(self, idle_seconds: float, most: int) -> None:
        self._idle_seconds = idle_seconds
        self._most = most
        self._places: dict[tuple[str, int], _Place] = {}
        self._queue: list[_Waiting] = []

    @contextlib.asynccontextmanager
    async def lent(self, trial: ServedTrial, timeout: float) -> AsyncIterator[Predictor]:
        """Have the process of a trial to oneself; it is started where there is none that lives.

        Whoever needs a place gets the next one that is free, in the order of asking.

        Raises
        ------
        Refusal
            When there is none within ``timeout`` seconds.
        JobError
            When the trial's folder cannot be used (`rapidfire_lab.serving.Predictor`).
        """
        predictor = await self._wait(trial, timeout)
        try:
            yield predictor
        finally:
            self._take_back(trial)

    def end_idle(self) -> None:
        """End those that nobody has asked for long."""
        for key, place in list(self._places.items()):
            if not place.is_lent and time.monotonic() - place.asked > self._idle_seconds:
                self._end(key)

    async def stop(self) -> None:
        """End all."""
        for waiting in self._queue:
            waiting.turn.set_exception(Refusal(503, "The Jupyter server is shutting down."))
        self._queue.clear()
        for key in list(self._places):
            await asyncio.to_thread(self._end, key)

    async def _wait(self, trial: ServedTrial, timeout: float) -> Predictor:
        waiting = _Waiting(trial, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._serve()
        try:
            await asyncio.wait({waiting.turn}, timeout=timeout)
        except asyncio.CancelledError:
            if waiting.turn.done() and waiting.turn.exception() is None:
                self._take_back(trial)
            raise
        finally:
            if not waiting.turn.done():
                self._queue.remove(waiting)
        if waiting.turn.done():
            return waiting.turn.result()
        message = (
            f"Run {trial.run_id} cannot predict yet: the {self._most} processes that predict had others to answer for "
            f"{timeout:g} s. Ask again, or raise RapidfireLabApp.prediction_processes or prediction_timeout."
        )
        raise Refusal(503, message)

    def _serve(self) -> None:
        """Give places to those who can have one now."""
        for waiting in list(self._queue):
            if self._has_room(waiting.trial):
                self._queue.remove(waiting)
                try:
                    waiting.turn.set_result(self._lend(waiting.trial))
                except Exception as error:  # noqa: BLE001 - it is for who has asked, and nobody else
                    waiting.turn.set_exception(error)

    def _has_room(self, trial: ServedTrial) -> bool:
        own = self._places.get(_key(trial))
        if own is not None:
            return not own.is_lent
        return len(self._places) < self._most or any(not place.is_lent for place in self._places.values())

    def _lend(self, trial: ServedTrial) -> Predictor:
        # Imported here because model templates are not needed to start a Jupyter server.
        from rapidfire_lab.serving import Predictor

        key = _key(trial)
        place = self._places.get(key)
        if place is not None and (not place.predictor.alive or place.predictor.trial != trial):
            self._end(key)
            place = None
        if place is None:
            self._make_room()
            # The process dies with the thread that makes it: this is the server's own, which lasts.
            place = self._places[key] = _Place(Predictor(trial))
        place.is_lent, place.asked = True, time.monotonic()
        return place.predictor

    def _make_room(self) -> None:
        if len(self._places) >= self._most:
            idle = [key for key, place in self._places.items() if not place.is_lent]
            self._end(min(idle, key=lambda key: self._places[key].asked))

    def _take_back(self, trial: ServedTrial) -> None:
        place = self._places.get(_key(trial))
        if place is not None:  # else it was ended with all others
            place.is_lent = False
            if not place.predictor.alive:
                self._end(_key(trial))
        self._serve()

    def _end(self, key: tuple[str, int]) -> None:
        self._places.pop(key).predictor.close()


def _key(trial: ServedTrial) -> tuple[str, int]:
    return trial.folder, trial.run_id
