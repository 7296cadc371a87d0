"""How far fetching is, in a notebook or a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rapidfire_lab.storage.transfer import Progress


@contextlib.contextmanager
def shown(address: str) -> Iterator[Callable[[Progress], None]]:
    """Show files and bytes of what is fetched from an address; where nobody looks on, how it ended alone."""
    from rich import progress

    columns = (
        progress.TextColumn("Fetching {task.description}", markup=False),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[files]} files"),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns) as display:
        task = display.add_task(address, files="0")

        def tell(now: Progress) -> None:
            files = f"{now.files_done:,}/{now.files:,}"
            display.update(task, completed=now.bytes_done, total=now.bytes, files=files)

        yield tell
