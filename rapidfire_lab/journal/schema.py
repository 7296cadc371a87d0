"""The journal's tables, how a connection is opened, and how an older file is brought up to date."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NoReturn

import psutil

from rapidfire_lab.errors import EngineError
from rapidfire_lab.journal.witness import Seen, read_witness, witness_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APPLICATION_ID = 0x52464C42
"""Marks the file as ours ("RFLB"), so that a foreign database is refused instead of written to."""

_VERSION_1 = """
CREATE TABLE clock (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    rev INTEGER NOT NULL,
    epoch TEXT NOT NULL
);
INSERT INTO clock VALUES (1, 0, '');

CREATE TABLE experiments (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    asked_name TEXT NOT NULL,
    path TEXT NOT NULL,
    spec_path TEXT,
    spec_hash TEXT,
    epoch_checkpoints INTEGER NOT NULL,
    tracking_uri TEXT,
    status TEXT NOT NULL,
    created REAL NOT NULL,
    ended REAL,
    rev INTEGER NOT NULL
);

CREATE TABLE fits (
    id INTEGER PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments,
    data TEXT NOT NULL,
    seed INTEGER NOT NULL,
    num_chunks INTEGER,
    created REAL NOT NULL
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments,
    run_id INTEGER NOT NULL,
    fit_id INTEGER NOT NULL REFERENCES fits,
    config TEXT NOT NULL,
    source TEXT NOT NULL,
    parent INTEGER,
    status TEXT NOT NULL,
    wanted TEXT,
    ended_by TEXT,
    epochs INTEGER NOT NULL,
    steps_per_epoch INTEGER NOT NULL,
    step INTEGER NOT NULL DEFAULT 0,
    completed_epochs INTEGER NOT NULL DEFAULT 0,
    live_step INTEGER NOT NULL DEFAULT 0,
    live_loss REAL,
    base_lease INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    handicap REAL NOT NULL DEFAULT 0,
    slot INTEGER,
    device TEXT,
    seconds REAL NOT NULL DEFAULT 0,
    error TEXT,
    traceback TEXT,
    mlflow_run_id TEXT,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    rev INTEGER NOT NULL,
    UNIQUE (experiment_id, run_id)
);
CREATE INDEX runs_by_rev ON runs (rev);

CREATE TABLE leases (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    slot INTEGER NOT NULL,
    from_step INTEGER NOT NULL,
    to_step INTEGER NOT NULL,
    state TEXT NOT NULL,
    granted REAL NOT NULL,
    closed REAL
);
CREATE INDEX open_leases ON leases (state) WHERE state = 'granted';

CREATE TABLE metric_names (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    per TEXT NOT NULL,
    UNIQUE (name, per)
);

CREATE TABLE metrics (
    run INTEGER NOT NULL,
    name INTEGER NOT NULL,
    step INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    value REAL,
    time REAL NOT NULL,
    PRIMARY KEY (run, name, step)
) WITHOUT ROWID;

CREATE TABLE operations (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    experiment_id INTEGER NOT NULL,
    run_id INTEGER,
    operation TEXT NOT NULL,
    origin TEXT NOT NULL,
    arguments TEXT NOT NULL,
    result TEXT NOT NULL
);

CREATE TABLE events (
    rev INTEGER NOT NULL,
    time REAL NOT NULL,
    experiment_id INTEGER,
    run_id INTEGER,
    level TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX events_by_experiment ON events (experiment_id, rev);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL
);

CREATE TABLE requests (
    request_id TEXT PRIMARY KEY,
    reply BLOB NOT NULL,
    time REAL NOT NULL
);
"""

_VERSION_2 = """
ALTER TABLE runs ADD COLUMN warm_start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN parent_step INTEGER;
ALTER TABLE runs ADD COLUMN carried TEXT;

CREATE TABLE metric_buckets (
    run INTEGER NOT NULL,
    name INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    low REAL NOT NULL,
    low_step INTEGER NOT NULL,
    low_time REAL NOT NULL,
    high REAL NOT NULL,
    high_step INTEGER NOT NULL,
    high_time REAL NOT NULL,
    PRIMARY KEY (run, name, bucket)
) WITHOUT ROWID;
INSERT INTO metric_buckets
WITH finite AS (
    SELECT m.run, m.name, (m.step - 1) / 256 AS bucket, m.value, m.step, m.time
    FROM metrics m JOIN metric_names n ON n.id = m.name AND n.per = 'step'
    WHERE m.value > -9e999 AND m.value < 9e999
),
lows AS (SELECT run, name, bucket, min(value) AS low, step, time FROM finite GROUP BY run, name, bucket),
highs AS (SELECT run, name, bucket, max(value) AS high, step, time FROM finite GROUP BY run, name, bucket)
SELECT run, name, bucket, low, lows.step, lows.time, high, highs.step, highs.time
FROM lows JOIN highs USING (run, name, bucket);

DROP INDEX runs_by_rev;
CREATE INDEX runs_by_rev ON runs (experiment_id, rev);
CREATE INDEX active_runs ON runs (status) WHERE status IN ('queued', 'running');

DROP INDEX events_by_experiment;
CREATE INDEX events_by_experiment ON events (experiment_id);
CREATE INDEX operations_by_experiment ON operations (experiment_id);
"""

_VERSION_3 = """
ALTER TABLE runs ADD COLUMN continue_position INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN wanted_by TEXT;
ALTER TABLE experiments ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN step INTEGER;

CREATE TABLE policies (
    id INTEGER PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments,
    name TEXT NOT NULL,
    function TEXT NOT NULL,
    source TEXT,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    commits INTEGER NOT NULL,
    error TEXT,
    created REAL NOT NULL,
    UNIQUE (experiment_id, name)
);

CREATE TABLE experiment_metrics (
    experiment_id INTEGER NOT NULL,
    name INTEGER NOT NULL,
    PRIMARY KEY (experiment_id, name)
) WITHOUT ROWID;
INSERT INTO experiment_metrics
SELECT e.id, n.id FROM experiments e CROSS JOIN metric_names n WHERE EXISTS (
    SELECT 1 FROM runs r CROSS JOIN metrics m ON m.run = r.id AND m.name = n.id WHERE r.experiment_id = e.id
);
"""

_VERSION_4 = """
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    experiment_id INTEGER NOT NULL REFERENCES experiments,
    job_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    run_id INTEGER,
    epoch INTEGER,
    model_tag TEXT,
    weights TEXT NOT NULL,
    weights_sha256 TEXT,
    config TEXT NOT NULL,
    data TEXT NOT NULL,
    seed INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    target TEXT,
    status TEXT NOT NULL,
    metrics TEXT,
    error TEXT,
    traceback TEXT,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    rev INTEGER NOT NULL,
    UNIQUE (experiment_id, job_id)
);
CREATE INDEX open_jobs ON jobs (status) WHERE status IN ('queued', 'running');

CREATE TABLE job_parts (
    job INTEGER NOT NULL REFERENCES jobs,
    part INTEGER NOT NULL,
    state TEXT NOT NULL,
    lease INTEGER,
    slot INTEGER,
    minibatches INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (job, part)
) WITHOUT ROWID;
CREATE INDEX parts_by_lease ON job_parts (lease);

ALTER TABLE runs ADD COLUMN search TEXT;
ALTER TABLE runs ADD COLUMN trial INTEGER;
ALTER TABLE runs ADD COLUMN until INTEGER;
ALTER TABLE policies ADD COLUMN definition TEXT;
ALTER TABLE policies ADD COLUMN fit_id INTEGER REFERENCES fits;
"""

_VERSION_5 = """
ALTER TABLE jobs ADD COLUMN target_sha256 TEXT;
"""

_VERSION_6 = """
ALTER TABLE fits ADD COLUMN fuse TEXT NOT NULL DEFAULT 'off';
ALTER TABLE runs ADD COLUMN fusion TEXT;
"""

MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5, _VERSION_6)
"""Script ``i`` takes the file from version ``i`` to ``i + 1``; a published script never changes."""

_NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "lustre", "beegfs", "gpfs", "ceph", "glusterfs", "sshfs"}
)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the journal for its one writer, making or migrating it.

    Raises
    ------
    EngineError
        When the file is damaged, foreign, newer than this version or on a network file system.
    """
    _refuse_network(path)
    _refuse_loss(path)
    path.touch(mode=0o600)
    try:
        with _closed_on_error(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            _check_identity(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            _migrate(connection)
    except sqlite3.DatabaseError as error:
        message = f"The journal {path} cannot be read ({error}). It is left as it is: restore it or move it away."
        raise EngineError(message) from error
    return connection


_CHECKED_ANYWAY = 64_000_000
"""Bytes of a journal that is read through at every start, in about a third of a second."""


def _refuse_loss(path: Path) -> None:
    """Look, without changing anything, whether the journal is whole and has all that was ever written durably.

    Raises
    ------
    EngineError
        When it is not. Opening it for writing could make that final: SQLite drops a WAL that it cannot follow.
    """
    seen = read_witness(path)
    size = path.stat().st_size if path.exists() else 0
    if not size:
        if seen is not None:
            _refuse(path, seen, "is empty" if path.exists() else "is gone")
        return
    wal = path.with_name(f"{path.name}-wal")
    in_wal = wal.exists() and wal.stat().st_size > 0
    if not in_wal:
        # Who was killed while it brought a WAL into the file may have written the header first: the WAL has the rest.
        _refuse_truncated(path, seen, size)
    # A connection that may write would bring a WAL into the file when it is closed. Without one, it changes nothing,
    # while one that may only read would leave an empty WAL behind.
    mode = "ro" if in_wal else "rw"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=10)) as db:
            application = db.execute("PRAGMA application_id").fetchone()[0]
            if application not in (0, APPLICATION_ID) or (not application and seen is None):
                return  # it is another program's, which is told elsewhere, or was never filled
            # All of a young journal is in its WAL.
            rev = db.execute("SELECT rev FROM clock").fetchone()[0] if application else 0
            # Who shut it down in good order left it whole; a disk that has since gone bad is met with where it is read.
            if seen is None or not seen.shut or size <= _CHECKED_ANYWAY:
                found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    _refuse(path, seen, f"is damaged ({' '.join(found.split())})")
    except sqlite3.DatabaseError as error:
        _refuse(path, seen, f"cannot be read ({error})")
    if seen is not None and rev < seen.rev:
        _refuse(path, seen, f"goes no further than change {rev}: its end was in {wal.name}, which was lost or damaged")


def _refuse_truncated(path: Path, seen: Seen | None, size: int) -> None:
    """Refuse a file that is shorter than its own header says."""
    with path.open("rb") as file:
        header = file.read(32)
    if not header.startswith(b"SQLite format 3\0") or len(header) < 32:  # noqa: PLR2004 - up to the number of pages
        return
    page = int.from_bytes(header[16:18], "big")
    whole = (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if size < whole:
        _refuse(path, seen, f"was cut off: it has {size:,} of {whole:,} bytes")


def _refuse(path: Path, seen: Seen | None, what: str) -> NoReturn:
    witness = witness_of(path)
    known = f"; it had come to {seen.told()}" if seen else ""
    message = (
        f"The journal {path} {what}{known}. It is left as it is, with all experiments' files. Restore it from a backup "
        f"(with its -wal, where there is one), and remove {witness.name} to accept a state that is older; or move "
        f"{path.name}* and the folder experiments away to begin with an empty home."
    )
    raise EngineError(message)


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the journal read-only; any number of readers may.

    Raises
    ------
    EngineError
        When there is no journal yet, or it cannot be read or only after the engine has brought it up to date.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        with _closed_on_error(
            sqlite3.connect(address, uri=True, isolation_level=None, timeout=10, check_same_thread=False)
        ) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("SELECT rev FROM clock")
            _check_identity(connection, path)
            if connection.execute("PRAGMA user_version").fetchone()[0] < len(MIGRATIONS):
                message = f"The journal {path} is of an older rapidfire-lab. Start the engine: it brings it up to date."
                raise EngineError(message)
    except sqlite3.DatabaseError as error:
        message = f"There is no readable journal at {path} ({error}). Start the engine once with an Experiment."
        raise EngineError(message) from error
    return connection


@contextlib.contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if tables and application != APPLICATION_ID:
        message = f"{path} is a database of another program. Choose another engine home."
        raise EngineError(message)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        message = f"The journal {path} was written by a newer rapidfire-lab. Update this installation to use it."
        raise EngineError(message)


def _migrate(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE;{script}PRAGMA user_version = {number};PRAGMA application_id = {APPLICATION_ID};COMMIT;"
        )


def _refuse_network(path: Path) -> None:
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    for folder in path.resolve().parents:
        kind = mounts.get(str(folder))
        if kind is not None and kind.removeprefix("fuse.") in _NETWORK_FILE_SYSTEMS:
            message = (
                f"{path.parent} is on a network file system ({kind}), where SQLite's locks cannot be trusted. "
                "Set RAPIDFIRE_LAB_HOME to a folder on a local disk."
            )
            raise EngineError(message)
        if kind is not None:
            return
