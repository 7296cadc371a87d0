"""Local copies of what is on S3: fetched once, and never changed under whoever reads them.

::

    <data>/s3/
      pool/<2>/<hash>          an object as it was, by server, bucket, key, size and ETag; read-only once on the disk
      sets/<hash>/files/...    hard links to objects of the pool, under the names that they have below a folder on S3
      sets/<hash>/complete     the mark that all of them are there and on the disk

An object that changes on S3 gets another place in the pool, and another set: runs that train go on with what was.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.data.locators import Remote
from rapidfire_lab.data.objects import LocalFolder, ObjectsFolder
from rapidfire_lab.data.store import make_private
from rapidfire_lab.errors import DataError, ObjectNotFoundError, StorageError
from rapidfire_lab.files import link_or_copy, write_private
from rapidfire_lab.storage.content import check_key, digest_of, fingerprint
from rapidfire_lab.storage.display import shown
from rapidfire_lab.storage.transfer import Job, Options, run_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rapidfire_lab.data.locators import Place
    from rapidfire_lab.storage.content import StoredObject
    from rapidfire_lab.storage.retry import Retry
    from rapidfire_lab.storage.s3 import S3Store
    from rapidfire_lab.storage.watch import Watch

_WORKERS = 16
_SEALED = stat.S_IRUSR


class Copies:
    """Places as local ones: a local place is itself, one on S3 is fetched.

    Each object is looked at once: what changes on S3 is seen by the next instance.

    Parameters
    ----------
    folder
        Where copies are kept; made where it is missing.
    client
        A boto3 client to use instead of one of our own.
    """

    def __init__(
        self, folder: Path, *, endpoint_url: str | None = None, client: Any = None, retry: Retry | None = None
    ) -> None:
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._given_client = client
        self._retry = retry
        self._listed: dict[Remote, RemoteFolder] = {}

    def file(self, place: Place) -> Path:
        """One file.

        Raises
        ------
        StorageError
            When S3 does not give it, naming bucket, key and cause.
        """
        if isinstance(place, Path):
            return place
        folder, _, name = place.key.rpartition("/")
        store = self._store(place.bucket, folder)
        found = store.stat(name)
        if found is None:
            store.list(name)  # which says so if there is no such bucket
            raise ObjectNotFoundError(f"{place} does not exist; check the key")
        return self._set(store, [found]) / name

    def tree(self, place: Place) -> Path:
        """A folder with everything below it."""
        if isinstance(place, Path):
            return place
        folder = self._remote(place)
        return folder.local(folder.objects)

    def objects(self, place: Place) -> ObjectsFolder:
        """A folder of which some files are wanted."""
        return LocalFolder(place) if isinstance(place, Path) else self._remote(place)

    def _remote(self, place: Remote) -> RemoteFolder:
        return self._listed.setdefault(place, RemoteFolder(place, self))

    def list(self, place: Remote) -> dict[str, StoredObject]:
        """All objects below a place, by their keys from there on."""
        found = self._store(place.bucket, place.key).list()
        if not found:
            raise ObjectNotFoundError(f"{place} has no objects below it; check the key")
        return {item.key: item for item in found}

    def fetch(self, place: Remote, objects: Sequence[StoredObject]) -> Path:
        """A folder that has these objects of a place."""
        return self._set(self._store(place.bucket, place.key), objects)

    @cached_property
    def _client(self) -> Any:
        from rapidfire_lab.storage.s3 import make_client

        return self._given_client or make_client(self._endpoint_url)

    def _store(self, bucket: str, prefix: str) -> S3Store:
        from rapidfire_lab.storage.s3 import S3Store

        return S3Store(bucket, prefix, client=self._client, retry=self._retry)

    def _set(self, store: S3Store, objects: Sequence[StoredObject]) -> Path:
        server = str(self._client.meta.endpoint_url)
        folder = self._folder / "sets" / _hash(server, store.address(), fingerprint(objects))
        mark = folder / "complete"
        if not mark.exists():
            make_private(self._folder)
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(folder / "lock"):
                _FetchedSet(store, folder / "files", self._folder / "pool", server).bring(objects)
                write_private(mark, b"")
        return folder / "files"


class RemoteFolder(ObjectsFolder):
    """One on S3. It is listed once; what is wanted of it is fetched."""

    def __init__(self, place: Remote, copies: Copies) -> None:
        self._place = place
        self._copies = copies

    @cached_property
    def objects(self) -> dict[str, StoredObject]:
        return self._copies.list(self._place)

    def existing(self, paths: Iterable[str]) -> set[str]:
        return self.objects.keys() & set(paths)

    def local(self, paths: Iterable[str]) -> Path:
        return self._copies.fetch(self._place, [self.objects[check_key(path)] for path in sorted(paths)])

    def address(self, path: str = "") -> str:
        return str(Remote(self._place.bucket, f"{self._place.key}/{path}".strip("/")))


class _FetchedSet:
    """A set on its way. Whatever was there of it, or of its objects, is kept."""

    def __init__(self, store: S3Store, files: Path, pool: Path, server: str) -> None:
        self._store = store
        self._files = files
        self._pool = pool
        self._server = server

    def bring(self, objects: Sequence[StoredObject]) -> None:
        try:
            self._files.mkdir(exist_ok=True)
            self._check_names(objects)
            self._fetch(objects)
        except OSError as error:
            raise StorageError(
                f"{self._store.address()} cannot be kept in {self._pool.parent}: {error}; what has come in is there"
            ) from error

    def _check_names(self, objects: Sequence[StoredObject]) -> None:
        """Refuse names that are one where the disk does not tell upper from lower case, as on many a Mac."""
        names = {found.key.casefold(): found.key for found in objects}
        if len(names) < len(objects) and self._files.with_name("FILES").exists():
            twice = next(found.key for found in objects if names[found.key.casefold()] != found.key)
            raise DataError(f"{self._store.address(twice)} and another object differ in case alone; rename one")

    def _fetch(self, objects: Sequence[StoredObject]) -> None:
        jobs = [Job(found.key, found.size, partial(self._bring, found)) for found in objects]
        with shown(f"Fetching {self._store.address()}") as on_progress:
            run_jobs(jobs, Options(workers=_WORKERS, on_progress=on_progress))
        # All at once: to wait for the disk after each of many small files takes longer than to fetch them.
        os.sync()
        for found in objects:
            # The link, not the file of the pool, which another process may have replaced since.
            (self._files / found.key).chmod(_SEALED)

    def _bring(self, found: StoredObject, watch: Watch) -> None:
        name = _hash(self._server, self._store.address(found.key), found.version, str(found.size))
        held = self._pool / name[:2] / name
        if not self._is_whole(held, found):
            self._store.get_listed(found, held, watch=watch)
        try:
            _link(held, self._files / found.key)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise DataError(
                f"{self._store.address(found.key)} cannot be laid out as a file: one object has the name of a folder "
                "that others are in; rename it"
            ) from None

    def _is_whole(self, held: Path, found: StoredObject) -> bool:
        """Whether what an earlier attempt has left is all of the object, also after a power cut."""
        from rapidfire_lab.storage.s3 import WHOLE_BYTES

        try:
            known = held.stat()
        except FileNotFoundError:
            return False
        if known.st_size != found.size:
            return False
        # Large ones get their names once they are on the disk.
        is_safe = stat.S_IMODE(known.st_mode) == _SEALED or found.size > WHOLE_BYTES
        return is_safe or digest_of(held).md5 == found.version


def _link(held: Path, target: Path) -> None:
    try:
        os.link(held, target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(held, target)
    except OSError:  # there is one of an earlier attempt, or a file system without hard links
        if target.is_dir() or not target.exists() or not held.samefile(target):
            link_or_copy(held, target)


def _hash(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let another process that fetches the same finish first."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
