"""MLflow's store of an engine home: made whole or not at all.

MLflow takes seconds to make its tables, one by one. Killed meanwhile, it would leave a file that it can neither use
nor mend, and nothing would be tracked any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rapidfire_lab.engine.home import EngineHome


def make_store(home: EngineHome) -> None:
    """Make the store, unless there is one; of several processes one makes it, and the others wait.

    Raises
    ------
    sqlite3.Error
        When the file is damaged, or cannot be read now. It is left as it is.
    """
    path = home.mlflow_store
    if _is_whole(path):
        return
    with _alone(home.root / "mlflow.lock"):
        if not _is_whole(path):
            _make(path, home.mlflow_artifacts)


def _is_whole(path: Path) -> bool:
    """Whether MLflow has come to the end of making it: the last thing it does is to add a first experiment."""
    if not path.exists():
        return False
    with contextlib.closing(sqlite3.connect(path)) as store:
        begun = store.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'experiments'").fetchone()
        return bool(begun and store.execute("SELECT 1 FROM experiments LIMIT 1").fetchone())


def _make(path: Path, artifacts: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    unfinished = path.with_name(f".{path.name}.new")
    for left in path.parent.glob(f"{unfinished.name}*"):
        left.unlink()
    store = SqlAlchemyStore(f"sqlite:///{unfinished}", artifacts.as_uri())  # type: ignore[no-untyped-call]
    store.engine.dispose()
    # SQLite would roll the new file back with what a killed maker had begun to change in the old one.
    path.unlink(missing_ok=True)
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    unfinished.replace(path)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
