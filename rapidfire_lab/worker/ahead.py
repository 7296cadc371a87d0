"""Minibatches that are prepared ahead of training, by processes of the slot's own."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import statistics
import sys
import time
import warnings
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset

from rapidfire_lab.engine.lifeline import die_with_parent, name_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rapidfire_lab.worker.input import MinibatchInput

_LOOKED_AT = 3
"""Minibatches that are prepared here before it is known what that takes."""
_WORTH_SECONDS = 2e-3
_WORTH_SHARE = 0.2
"""What preparing a minibatch must take: so long, and such a share of the time from one to the next."""
_WORTH_IN_ALL = 0.5
"""Seconds of preparing that must be left: starting processes takes a tenth of that."""

Place = tuple[int, list[int]]
"""Epoch and positions of a minibatch."""


class MinibatchesAhead:
    """Gives the minibatches of a pass in their order: prepared when asked for or, once that pays off, before.

    Which process prepares a minibatch makes no difference to it: rows have random numbers of their own. Processes are
    forked in the midst of a pass and end with it. What goes wrong in one of them is done again here, where it has its
    proper traceback; from then on all is prepared here.

    Parameters
    ----------
    source
        Prepares minibatches, here or there. It must use one thread, as forked processes can only do.
    processes
        How many there may be; 0 for none.
    """

    def __init__(self, source: MinibatchInput, processes: int) -> None:
        self._source = source
        self._processes = processes
        self._rest: Callable[[int], Sequence[Place]] | None = None
        self._given = 0
        self._here: list[float] = []
        """Seconds that preparing took here, in this pass."""
        self._began = 0.0
        self._attributes: dict[str, int] = {}
        self._coming: Any = None
        """Iterator over what processes prepare."""

    def __len__(self) -> int:
        return len(self._source)

    @contextlib.contextmanager
    def pass_over(self, rest: Callable[[int], Sequence[Place]]) -> Iterator[None]:
        """Give minibatches one after the other inside this block.

        ``rest`` says which are to come when so many have been given; asked for one that is not the next of these,
        nothing more is prepared ahead.
        """
        if not self._processes:
            yield
            return
        self._rest, self._given, self._here = rest, 0, []
        self._began = time.perf_counter()
        self._attributes = self._source.attributes
        try:
            yield
        finally:
            self._end()

    def minibatch(self, epoch: int, positions: list[int]) -> Any:
        """The minibatch of these rows; tensors are on the CPU."""
        self._given += 1
        if self._coming is not None:
            try:
                place, minibatch = pickle.loads(next(self._coming))  # noqa: S301 - of a process forked from this one
            except Exception as error:  # noqa: BLE001 - of user code, or of a process that died: here it is told properly
                self._give_up(error)
            else:
                if place == (epoch, positions):
                    return minibatch
                self._end()
        if self._rest is None:
            return self._source.minibatch(epoch, positions)
        return self._prepare_here(epoch, positions)

    def _prepare_here(self, epoch: int, positions: list[int]) -> Any:
        started = time.perf_counter()
        minibatch = self._source.minibatch(epoch, positions)
        self._here.append(time.perf_counter() - started)
        if len(self._here) >= _LOOKED_AT:
            self._start_if_worth_it()
        return minibatch

    def _start_if_worth_it(self) -> None:
        seconds = statistics.median(self._here[-_LOOKED_AT:])
        share = sum(self._here) / (time.perf_counter() - self._began)
        if self._rest is None or seconds < _WORTH_SECONDS or share < _WORTH_SHARE:
            return
        if self._source.attributes != self._attributes:
            # Hooks tell each other something through the spec, which would not get from one process to another.
            self._processes = 0
            self._end()
            return
        places = self._rest(self._given)
        if seconds * len(places) >= _WORTH_IN_ALL:
            self._start(places)

    def _start(self, places: Sequence[Place]) -> None:
        try:
            with warnings.catch_warnings(), _child_signals_kept():
                # How many processes are wise is for the engine's settings to say.
                warnings.filterwarnings("ignore", ".*worker processes in total", UserWarning)
                self._coming = iter(_loader(self._source, places, min(self._processes, len(places))))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._processes = 0
        self._end()
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        sys.stderr.write(f"rapidfire-lab: minibatches are not prepared ahead any more: {reason}\n")

    def _end(self) -> None:
        """Prepare nothing more ahead in this pass."""
        coming, self._coming, self._rest = self._coming, None, None
        if coming is not None:
            # There is no other way: it waits for what is being prepared, and lives on in the tracebacks of its errors.
            for process in coming._workers:  # noqa: SLF001
                process.kill()
            coming._shutdown_workers()  # noqa: SLF001


@contextlib.contextmanager
def _child_signals_kept() -> Iterator[None]:
    """Let a loader have no handler for children that die: it would raise in the midst of user code.

    That one has died is then noticed when the next minibatch is asked for, within 5 s.
    """
    before = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGCHLD) is not before:
            signal.signal(signal.SIGCHLD, before)


def _loader(source: MinibatchInput, places: Sequence[Place], processes: int) -> DataLoader[bytes]:
    return DataLoader(
        _Places(source, places),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=processes,
        worker_init_fn=_Begin(source),
        multiprocessing_context="fork",
        # Its own: a loader draws from the process's generator otherwise, which is the run's.
        generator=torch.Generator(),
    )


class _Places(Dataset[bytes]):
    """What is prepared in another process, as what goes from one to the other: who cannot be sent is noticed there."""

    def __init__(self, source: MinibatchInput, places: Sequence[Place]) -> None:
        self._source = source
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> bytes:
        epoch, positions = self._places[number]
        return bytes(ForkingPickler.dumps(((epoch, positions), self._source.minibatch(epoch, positions))))


class _Begin:
    """What a process does first."""

    def __init__(self, source: MinibatchInput) -> None:
        self._source = source
        self._slot = os.getpid()

    def __call__(self, number: int) -> None:
        die_with_parent(self._slot)
        self._source.forget_gpu()
        name_process(f"rf-input-{number}")
        os.nice(5)


def _as_it_is(value: Any) -> Any:
    return value
