"""Many files at once: in parallel, watched, and cancelled together."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rapidfire_lab.errors import ObjectNotFoundError, StorageError, TransferCancelledError
from rapidfire_lab.storage.content import Digest, StoredObject, digest_of
from rapidfire_lab.storage.threads import in_parallel
from rapidfire_lab.storage.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from rapidfire_lab.storage.store import Store


_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a transfer is, in files and bytes; neither ever goes back. ``key`` is what moved last."""

    key: str
    files_done: int
    files: int
    bytes_done: int
    bytes: int


@dataclass(frozen=True)
class Options:
    """How a set of files is moved.

    Parameters
    ----------
    workers
        Files that move at the same time.
    on_progress
        Called in the threads that move files, one call at a time.
    cancel
        Set it to end the transfer; what is whole by then stays.
    """

    workers: int = 8
    on_progress: Callable[[Progress], object] | None = None
    cancel: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Job:
    """Work on one file, of which ``size`` bytes are expected to move."""

    key: str
    size: int
    work: Callable[[Watch], object]


def files_below(folder: Path) -> dict[str, Path]:
    """All files below a folder, by key; links are followed."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def put_files(store: Store, files: Mapping[str, Path], options: Options | None = None) -> dict[str, Digest]:
    """Store files under their keys, except those that the store holds already.

    Returns
    -------
    The digest of each file, as it was stored.

    Raises
    ------
    StorageError
        The first failure; it ends what else is under way. What was stored by then stays and is not sent again.
    OSError
        When a file cannot be read.
    """
    chosen = options or Options()
    digests = digests_of(files, chosen)
    send_files(store, files, digests, chosen)
    return digests


def digests_of(files: Mapping[str, Path], options: Options) -> dict[str, Digest]:
    """Digests by key. They are looked at, and given up, like transfers, but nobody is told how far they are."""
    digests: dict[str, Digest] = {}

    def look(key: str, watch: Watch) -> None:
        digests[key] = digest_of(files[key], watch)

    run_jobs([Job(key, 0, partial(look, key)) for key in files], Options(options.workers, cancel=options.cancel))
    return digests


def send_files(store: Store, files: Mapping[str, Path], digests: Mapping[str, Digest], options: Options) -> None:
    """Store files whose digests are known, except those that the store holds."""

    def put(key: str, watch: Watch) -> None:
        if not store.holds(files[key], key, digests[key]):
            store.put(files[key], key, digest=digests[key], watch=watch)

    run_jobs([Job(key, digests[key].size, partial(put, key)) for key in files], options)


def check_files(store: Store, files: Mapping[str, Path], digests: Mapping[str, Digest], options: Options) -> None:
    """Ask the store whether it has these files, as far as it can tell.

    Raises
    ------
    StorageError
        For the first that it does not have, or not with this content.
    """

    def check(key: str, _: Watch) -> None:
        if store.is_same(files[key], key, digests[key]) is False:
            raise StorageError(f"{store.address(key)} is not what was stored a moment ago; store it again")

    run_jobs([Job(key, 0, partial(check, key)) for key in files], Options(options.workers, cancel=options.cancel))


def get_files(store: Store, wanted: Mapping[str, Path], options: Options | None = None) -> None:
    """Fetch objects into files, except those that are there already as the store describes them.

    Raises
    ------
    ObjectNotFoundError
        When there is no such object, before anything is fetched.
    StorageError, OSError
        The first failure; files that are whole by then stay and are not fetched again.
    """
    chosen = options or Options()
    futures = in_parallel([partial(store.stat, key) for key in wanted], chosen.workers)
    objects = {key: future.result() for key, future in zip(wanted, futures, strict=True)}
    missing = [store.address(key) for key, found in objects.items() if found is None]
    if missing:
        raise ObjectNotFoundError(f"{missing[0]} does not exist")

    def get(key: str, found: StoredObject, watch: Watch) -> None:
        if not _is(wanted[key], found):
            store.get(key, wanted[key], watch=watch)

    run_jobs([Job(key, found.size, partial(get, key, found)) for key, found in objects.items() if found], chosen)


def _is(path: Path, found: StoredObject) -> bool:
    return path.is_file() and path.stat().st_size == found.size and bool(found.has(digest_of(path)))


def run_jobs(jobs: Sequence[Job], options: Options) -> None:
    """Do all jobs in parallel. The first failure ends the others, and is raised."""
    tally = _Tally(jobs, options)
    try:
        futures = in_parallel([partial(tally.run, job) for job in jobs], options.workers)
        failures = [error for error in (future.exception() for future in futures) if error is not None]
    except BaseException:  # an interrupt while starting or waiting
        tally.stop.set()
        raise
    if failures:
        raise _reason(failures)
    if options.cancel.is_set() and tally.finished < len(jobs):
        raise TransferCancelledError("the transfer was cancelled")


def _reason(failures: Iterable[BaseException]) -> BaseException:
    """The failure that the others follow from."""
    return min(failures, key=lambda error: isinstance(error, TransferCancelledError))


class _Tally:
    """What is done so far of all jobs."""

    def __init__(self, jobs: Sequence[Job], options: Options) -> None:
        self.stop = threading.Event()
        self.finished = 0
        self._options = options
        self._bytes = dict.fromkeys((job.key for job in jobs), 0)
        self._moved = 0  # kept, since adding up anew for each of many files takes longer than moving them
        self._total = sum(job.size for job in jobs)
        self._lock = threading.Lock()

    def run(self, job: Job) -> None:
        try:
            self.check()
            job.work(_JobWatch(self, job.key))
            self.tell(job.key, job.size, finished=1)
        except BaseException:
            self.stop.set()
            raise

    def check(self) -> None:
        if self.stop.is_set() or self._options.cancel.is_set():
            raise TransferCancelledError("the transfer was cancelled")

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.stop.wait(min(rest, _LOOK_SECONDS))
            self.check()

    def tell(self, key: str, done: int, finished: int = 0) -> None:
        with self._lock:
            self._moved += max(0, done - self._bytes[key])
            self._bytes[key] = max(self._bytes[key], done)
            self.finished += finished
            if self._options.on_progress is not None:
                self._options.on_progress(Progress(key, self.finished, len(self._bytes), self._moved, self._total))


class _JobWatch(Watch):
    def __init__(self, tally: _Tally, key: str) -> None:
        self._tally = tally
        self._key = key

    def at(self, done: int) -> None:
        self._tally.check()
        self._tally.tell(self._key, done)

    def pause(self, seconds: float) -> None:
        self._tally.pause(seconds)
