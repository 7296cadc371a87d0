"""Sets of files with a manifest: the list of what is there, written last, so that it never says too much.

``manifest.json`` is ``{"version": 1, "files": {key: {"sha256": ..., "size": ...}}}``, keys relative to its
folder. A key stands in it only while an object with that content is in the store. A set without it was never whole.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.files import write_private
from rapidfire_lab.storage.content import check_key, digest_of
from rapidfire_lab.storage.transfer import Job, Options, check_files, digests_of, run_jobs, send_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from rapidfire_lab.storage.store import Store
    from rapidfire_lab.storage.watch import Watch

MANIFEST = "manifest.json"
_VERSION = 1

Entries = dict[str, tuple[str, int]]
"""SHA-256 and size by key."""


def publish(
    store: Store,
    files: Mapping[str, Path],
    *,
    options: Options | None = None,
    folder: str = "",
    add: bool = False,
    verify: bool = False,
) -> Entries:
    """Store files below ``folder`` and then their manifest, which is the mark that all are there.

    Only what the store does not hold is sent, so a repetition after a failure sends the rest. With ``add`` the
    files join those of the manifest that is there, also what others add meanwhile on this machine; without, they are
    the whole set, and objects of an earlier set are left where they are but not listed. A whole set has one writer at a
    time, and so has a file. With ``verify`` the store is asked for each file once
    more, before it stands in the manifest.

    Returns
    -------
    What the manifest says.

    Raises
    ------
    StorageError, OSError
        The first failure. The manifest then lists an earlier set, as far as it still is there, or does not exist.
    """
    if MANIFEST in files:
        raise StorageError(f"{MANIFEST} is the name of the manifest, so no file of the set can have it")
    chosen = options or Options()
    below = {_below(folder, key): path for key, path in files.items()}
    digests = digests_of(below, chosen)
    now = {key: (digests[_below(folder, key)].sha256, digests[_below(folder, key)].size) for key in files}
    before = read_manifest(store, folder)
    _take_out(store, folder, before or {}, now, add=add)
    send_files(store, below, digests, chosen)
    if verify:
        check_files(store, below, digests, chosen)
    if add:
        return record(store, now, folder=folder)
    if now != before:
        _write(store, folder, now)
    return now


def _take_out(store: Store, folder: str, before: Entries, now: Entries, *, add: bool) -> None:
    """Have the manifest say nothing of what is about to change."""
    changing = [key for key, entry in before.items() if now.get(key, entry) != entry]
    if changing and add:
        retract(store, changing, folder=folder)
    elif changing:
        store.delete(_below(folder, MANIFEST))


def record(store: Store, entries: Entries, *, folder: str = "") -> Entries:
    """Add to a manifest what the caller knows to be in the store; gives all that it lists then."""
    with store.alone():
        before = read_manifest(store, folder)
        after = {**(before or {}), **entries}
        if after != before:
            _write(store, folder, after)
    return after


def retract(store: Store, keys: Iterable[str], *, folder: str = "") -> None:
    """Take keys out of a manifest; their objects may then be removed or replaced."""
    gone = set(keys)
    with store.alone():
        before = read_manifest(store, folder)
        after = {key: entry for key, entry in (before or {}).items() if key not in gone}
        if before is not None and after != before:
            _write(store, folder, after)


def read_manifest(store: Store, folder: str = "") -> Entries | None:
    """SHA-256 and size by key of the set below a folder; None where there is no manifest.

    Raises
    ------
    StorageError
        When it is no manifest of a version that is known.
    """
    key = _below(folder, MANIFEST)
    try:
        content = store.get_bytes(key)
    except ObjectNotFoundError:
        return None
    try:
        found = json.loads(content)
        if found["version"] != _VERSION:
            raise StorageError(f"{store.address(key)} is of a newer version ({found['version']}); update rapidfire-lab")
        return {check_key(name): (str(entry["sha256"]), int(entry["size"])) for name, entry in found["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{store.address(key)} is no manifest: {error}") from error


def _write(store: Store, folder: str, entries: Entries) -> None:
    store.put_bytes(manifest_text(entries), _below(folder, MANIFEST))


def manifest_text(entries: Entries) -> bytes:
    files = {key: {"sha256": sha256, "size": size} for key, (sha256, size) in sorted(entries.items())}
    return json.dumps({"version": _VERSION, "files": files}, indent=1).encode()


def fetch(store: Store, target: Path, *, options: Options | None = None, folder: str = "") -> Entries:
    """Fetch a set of files into a local folder, and its manifest last. What is there and right is not fetched again.

    Raises
    ------
    ObjectNotFoundError
        When the set has no manifest: it was never stored whole.
    StorageError, OSError
        The first failure; files that are whole by then stay.
    """
    entries = read_manifest(store, folder)
    if entries is None:
        raise ObjectNotFoundError(f"{store.address(_below(folder, MANIFEST))} does not exist: the set is not whole")

    def get(key: str, watch: Watch) -> None:
        path = target / key
        if not _is(path, entries[key]):
            store.get(_below(folder, key), path, sha256=entries[key][0], watch=watch)

    run_jobs([Job(key, size, partial(get, key)) for key, (_, size) in entries.items()], options or Options())
    target.mkdir(parents=True, exist_ok=True)
    write_private(target / MANIFEST, manifest_text(entries))
    return entries


def _is(path: Path, entry: tuple[str, int]) -> bool:
    sha256, size = entry
    return path.is_file() and path.stat().st_size == size and digest_of(path).sha256 == sha256


def _below(folder: str, key: str) -> str:
    return f"{folder}/{key}" if folder else key
