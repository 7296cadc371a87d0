"""How far a transfer is, in a notebook or a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rapidfire_lab.storage.transfer import Progress


@contextlib.contextmanager
def shown(title: str) -> Iterator[Callable[[Progress], None]]:
    """Show files and bytes that have moved; where nobody looks on, how it ended alone."""
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[files]} files"),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns) as display:
        task = display.add_task(title, files="0")

        def tell(now: Progress) -> None:
            files = f"{now.files_done:,}/{now.files:,}"
            display.update(task, completed=now.bytes_done, total=now.bytes, files=files)

        yield tell
