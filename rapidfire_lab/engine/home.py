"""Where an engine lives on disk, and how its processes find each other.

One engine serves one home. The home keeps what must last (journal, experiments, data, MLflow store, logs);
the runtime folder keeps what dies with the engine (socket, rendezvous file).
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rapidfire_lab.errors import EngineError
from rapidfire_lab.files import HOME_VARIABLE, home_folder, write_private
from rapidfire_lab.last_words import last_words

_SOCKET_PATH_LIMIT = 100
"""Unix socket paths end at 104 to 108 bytes, depending on the system."""

_LONGEST_SOCKET_NAME = "/mlflow-4194304.sock"
"""Of those in the runtime folder, with the largest pid there is."""


class EngineIdentity(msgspec.Struct, kw_only=True):
    """What a live controller says of itself in ``engine.json``."""

    pid: int
    epoch: str
    version: str
    api_level: int
    address: str
    started: float


@dataclass(frozen=True)
class EngineHome:
    """The folder of one engine and the paths in it."""

    root: Path

    @classmethod
    def default(cls) -> EngineHome:
        """Home from ``$RAPIDFIRE_LAB_HOME``, else ``rapidfire_lab`` in Jupyter's data folder."""
        return cls(home_folder())

    @property
    def key(self) -> str:
        """Stands for the home in notebooks, which are shared, without giving its path away."""
        return hashlib.blake2b(os.fsencode(self.root.resolve()), digest_size=8).hexdigest()

    @property
    def journal(self) -> Path:
        return self.root / "journal.sqlite"

    @property
    def engine_lock(self) -> Path:
        """Held by the torchrun agent for as long as it lives."""
        return self.root / "engine.lock"

    @property
    def writer_lock(self) -> Path:
        """Held by the controller: the journal has one writer, whoever launched it."""
        return self.root / "writer.lock"

    @property
    def identity(self) -> Path:
        return self.root / "engine.json"

    @property
    def failure(self) -> Path:
        """Why the last engine refused to come up."""
        return self.root / "failure.txt"

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def prepared(self) -> Path:
        """Rows that slots have prepared, for all runs."""
        return self.root / "prepared"

    @property
    def experiments(self) -> Path:
        return self.root / "experiments"

    @property
    def mlflow_store(self) -> Path:
        return self.root / "mlflow.db"

    @property
    def mlflow_uri(self) -> str:
        return f"sqlite:///{self.mlflow_store}"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.root / "mlflow-artifacts"

    @property
    def runtime(self) -> Path:
        """Folder of sockets: in the home, or under the system's temporary folder where paths are too long."""
        inside = self.root / "run"
        if len(os.fsencode(inside)) + len(_LONGEST_SOCKET_NAME) <= _SOCKET_PATH_LIMIT:
            return inside
        digest = hashlib.blake2b(os.fsencode(self.root), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"rapidfire_lab-{os.getuid()}-{digest}"

    def mlflow_socket(self, server: int) -> Path:
        """Where the Jupyter server with this pid has MLflow's page served."""
        return self.runtime / f"mlflow-{server}.sock"

    def create(self) -> None:
        """Make the folders, readable by their owner alone.

        Raises
        ------
        EngineError
            When a folder cannot be made, belongs to somebody else or is open to others.
        """
        for folder in (self.root, self.logs, self.data, self.experiments, self.runtime):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                message = (
                    f"The engine home {self.root} cannot be used ({error.strerror}: {error.filename}). "
                    f"Set {HOME_VARIABLE} to a folder that you can write to."
                )
                raise EngineError(message) from error
        for folder in (self.root.resolve(), self.runtime):
            remedy = f"Do `chmod 700 {folder}`, or set {HOME_VARIABLE} to a folder of yours that is yet to be made."
            require_private(folder, remedy)

    def read_identity(self) -> EngineIdentity | None:
        """Identity of the last controller that came up here, alive or not."""
        try:
            return msgspec.json.decode(self.identity.read_bytes(), type=EngineIdentity)
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            return None

    @property
    def stopped(self) -> Path:
        """Exists while the engine is down because somebody asked it to stop."""
        return self.root / "stopped"

    def mark_stopped(self) -> None:
        write_private(self.stopped, b"")

    def write_failure(self, reason: str) -> None:
        write_private(self.failure, reason.encode())

    def why_down(self) -> str:
        """What is known of why the engine is not up."""
        log = self.logs / "engine.log"
        try:
            return self.failure.read_text()
        except OSError:
            pass
        try:
            last = last_words(log)
        except OSError:
            last = "no log was written"
        return f"Its log {log} ends: {last}"

    def write_identity(self, identity: EngineIdentity) -> None:
        write_private(self.identity, msgspec.json.encode(identity))


def require_private(folder: Path, remedy: str) -> None:
    """Refuse a folder of somebody else, one that others may enter, and a link that could lead to either.

    Raises
    ------
    EngineError
        With the remedy.
    """
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        message = f"{folder} is no folder of yours. {remedy}"
        raise EngineError(message)
    if stat.S_IMODE(status.st_mode) & 0o077:
        message = f"{folder} is open to other users, and must not be: the engine runs the code that is in it. {remedy}"
        raise EngineError(message)
