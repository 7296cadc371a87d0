"""``artifacts``: the files of an experiment, and their download."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from rapidfire_lab.server.files import list_artifacts, open_artifact
from rapidfire_lab.server.handler import RestHandler, experiment_named

if TYPE_CHECKING:
    from rapidfire_lab.journal import JournalReader

_PIECE_BYTES = 1 << 20


class ArtifactsHandler(RestHandler):
    """What can be downloaded."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        root = await self.read(lambda journal: _folder(journal, experiment))
        self.answer({"artifacts": await self.look_at_files(lambda: list_artifacts(root))})


class ArtifactHandler(RestHandler):
    """A file, to be saved by the browser and never shown or run by it."""

    @property
    def content_security_policy(self) -> str:
        """The page that a file might be taken for may do nothing."""
        return f"{super().content_security_policy}; sandbox"

    @web.authenticated
    @authorized
    async def get(self, experiment: str, path: str) -> None:
        root = await self.read(lambda journal: _folder(journal, experiment))
        with await self.look_at_files(lambda: open_artifact(root, path)) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            name = quote(_download_name(experiment, path), safe="")
            self.set_header("Content-Type", "application/octet-stream")
            self.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
            self.set_header("Content-Length", str(size))
            self.set_header("X-Content-Type-Options", "nosniff")
            await self._send(file, size)

    async def _send(self, file: BinaryIO, size: int) -> None:
        """Send so many bytes: a log that grows meanwhile ends where it was when it was asked for."""
        while size:
            piece = await self.look_at_files(partial(file.read, min(size, _PIECE_BYTES)))
            if not piece:
                break  # the file has become shorter; the connection breaks off, which the browser tells
            size -= len(piece)
            self.write(piece)
            try:
                await self.flush()
            except StreamClosedError:
                return
        self.finish(set_content_type="application/octet-stream")


def _download_name(experiment: str, path: str) -> str:
    """Name that tells a file from those of other runs and experiments: digits-run3-final.json."""
    folders, _, name = path.rpartition("/")
    run = [f"run{part}" for part in folders.split("/")[1:2] if folders.startswith("runs/")]
    return "-".join([experiment, *run, name])


def _folder(journal: JournalReader, name: str) -> Path:
    return Path(experiment_named(journal, name).path)
