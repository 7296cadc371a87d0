"""The nursery: a process with one thread and nothing open, from which slots are forked.

The controller itself has threads and sockets, which a fork must not copy. The nursery is forked from it before there
are any, and does nothing but fork and reap.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import select
import signal
import socket
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import msgspec

from rapidfire_lab.engine.lifeline import die_with_parent, name_process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkProcess

_LONGEST_MESSAGE = 1 << 20
_STANDARD_ERROR = 2


class _Order(msgspec.Struct, tag=True):
    """Have ``main(arguments)`` of a module run in a process of its own."""

    name: str
    module: str
    arguments: list[str]
    environment: dict[str, str]


class _Born(msgspec.Struct, tag=True):
    pid: int


class _Died(msgspec.Struct, tag=True):
    pid: int
    code: int


_News: TypeAlias = _Born | _Died
_orders = msgspec.json.Decoder(_Order)
_news: msgspec.json.Decoder[_News] = msgspec.json.Decoder(_News)


class Nursling:
    """A process that the nursery has forked: of `subprocess.Popen`, what its keeper needs."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        """Exit code, negative for the number of a signal; None while it lives."""
        return self._nursery.exit_code(self.pid)


class Nursery:
    """The controller's end: has processes forked, and hears of their deaths.

    To be made before this process has threads, locks or sockets of its own. Should the nursery die, all that came from
    it dies with it, and every method raises ConnectionError.
    """

    def __init__(self) -> None:
        self._codes: dict[int, int] = {}
        self._wire, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _serve_and_exit(theirs, parent)
        theirs.close()

    def start(self, name: str, module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Nursling:
        """Fork a process that calls ``main(arguments)`` of a module, in a session of its own."""
        self._wire.send(msgspec.json.encode(_Order(name, module, list(arguments), dict(environment))))
        while not isinstance(news := self._receive(), _Born):
            self._codes[news.pid] = news.code
        self._codes.pop(news.pid, None)  # of one that had the same pid long ago
        return Nursling(self, news.pid)

    def exit_code(self, pid: int) -> int | None:
        """How a process ended; None while it lives."""
        while select.select([self._wire], [], [], 0)[0]:
            news = self._receive()
            if isinstance(news, _Died):
                self._codes[news.pid] = news.code
        return self._codes.get(pid)

    def close(self) -> None:
        """Have the nursery end, and with it all that it has forked."""
        self._wire.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _receive(self) -> _News:
        message = self._wire.recv(_LONGEST_MESSAGE)
        if not message:
            what = "The process from which slots are forked has died."
            raise ConnectionError(what)
        return _news.decode(message)


def _serve_and_exit(wire: socket.socket, parent: int) -> NoReturn:
    """Be the nursery. What called us is the controller's, and nothing of that may run here."""
    try:
        die_with_parent(parent)
        name_process("rf-nursery")
        _close_files_but(wire.fileno())
        # Pages with what is there now are not to be copied because a collection looks at it.
        gc.collect()
        gc.freeze()
        _serve(wire)
    except BaseException:  # noqa: BLE001 - there is nobody to raise it to
        traceback.print_exc()
    finally:
        os._exit(1)


def _close_files_but(kept: int) -> None:
    """Close what the agent and the controller have open: whoever waits for its other end must see it closed."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - no paths
        number = int(name)
        if number > _STANDARD_ERROR and number != kept:
            with contextlib.suppress(OSError):  # the one that the listing itself had open
                os.close(number)


def _serve(wire: socket.socket) -> None:
    """Fork when told to, and reap, until the controller has gone."""
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.settimeout(0)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    living: dict[int, ForkProcess] = {}
    while True:
        ready, _, _ = select.select([wire, woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                woken.recv(_LONGEST_MESSAGE)
        for pid, process in list(living.items()):
            if process.exitcode is not None:
                wire.send(msgspec.json.encode(_Died(pid, process.exitcode)))
                living.pop(pid).close()
        if wire in ready:
            message = wire.recv(_LONGEST_MESSAGE)
            if not message:
                return
            process = _fork(_orders.decode(message), (wire, woken, waker))
            pid = process.pid or 0
            living[pid] = process
            wire.send(msgspec.json.encode(_Born(pid)))


def _fork(order: _Order, ours: Sequence[socket.socket]) -> ForkProcess:
    arguments = (order, ours, os.getpid())
    process = multiprocessing.get_context("fork").Process(target=_become, args=arguments, name=order.name)
    process.start()
    return process


def _become(order: _Order, ours: Sequence[socket.socket], parent: int) -> None:
    """Be the process that was ordered."""
    die_with_parent(parent)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for end in ours:
        end.close()
    os.setsid()
    name_process(order.name)
    os.environ.update(order.environment)
    sys.argv = [order.module, *order.arguments]
    import_module(order.module).main(order.arguments)
