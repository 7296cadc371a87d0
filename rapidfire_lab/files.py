"""Files that appear whole or not at all, even after a power cut, and that only their owner can read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME_VARIABLE = "RAPIDFIRE_LAB_HOME"


def home_folder() -> Path:
    """Folder of the engine's home: ``$RAPIDFIRE_LAB_HOME``, else ``rapidfire_lab`` in Jupyter's data folder."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "rapidfire_lab"


def write_atomically(path: Path, write: Callable[[Path], object], *, sync_folder: bool = True) -> None:
    """Have ``write`` fill a temporary file beside ``path``, and give it its name once it is on the disk.

    Without ``sync_folder`` the name is for the caller to sync, as one who writes several files does once.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        write(temporary)
        sync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync_folder:
        sync(path.parent)


def is_being_written(temporary: Path) -> bool:
    """Whether the process that fills a temporary file of ours lives."""
    process = temporary.name.removesuffix(".tmp").rpartition(".")[2]
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def write_private(path: Path, content: bytes) -> None:
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, under which it stays whatever becomes of the first; on some disks it takes a copy.

    The name is for the caller to sync.
    """
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # a file system without hard links
        write_atomically(target, lambda copy: shutil.copyfile(source, copy), sync_folder=False)
        return
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # renaming one link of a file to another link of it does nothing


@contextlib.contextmanager
def alone_at(path: Path) -> Iterator[None]:
    """Let threads and processes of this machine that come to the same file or folder take turns.

    A file is made where it is missing. On a disk without locks nobody waits.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, survive a power cut from now on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
