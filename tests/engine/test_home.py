from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rapidfire_lab.engine import home as home_module
from rapidfire_lab.engine.home import EngineHome, EngineIdentity
from rapidfire_lab.errors import EngineError
from rapidfire_lab.files import write_private

IDENTITY = EngineIdentity(
    pid=123, epoch="abc", version="0.1", api_level=1, address="ipc:///somewhere/wire.sock", started=1_700_000_000.5
)


@pytest.fixture
def home(tmp_path):
    return EngineHome(tmp_path / "home")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


# Which home


def test_the_home_is_the_one_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", str(tmp_path / "chosen"))
    assert EngineHome.default().root == tmp_path / "chosen"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", "~/mine")
    assert EngineHome.default().root == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAPIDFIRE_LAB_HOME", "relative")
    assert EngineHome.default().root == tmp_path / "relative"


@pytest.mark.parametrize("chosen", [None, ""])
def test_without_a_choice_the_home_is_in_jupyters_data_folder(monkeypatch, tmp_path, chosen):
    monkeypatch.delenv("RAPIDFIRE_LAB_HOME", raising=False)
    if chosen is not None:
        monkeypatch.setenv("RAPIDFIRE_LAB_HOME", chosen)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    assert EngineHome.default().root == tmp_path / "jupyter" / "rapidfire_lab"


def test_everything_that_lasts_lies_in_the_home(home):
    paths = [
        home.journal, home.engine_lock, home.writer_lock, home.identity, home.failure, home.settings,
        home.logs, home.data, home.experiments, home.mlflow_artifacts,
    ]  # fmt: skip
    assert all(path.parent == home.root for path in paths)
    assert len({path.name for path in paths}) == len(paths)
    assert home.mlflow_uri == f"sqlite:///{home.root}/mlflow.db"


# Folders


def test_folders_are_for_their_owner_alone(home):
    home.create()
    folders = [home.root, home.logs, home.data, home.experiments, home.runtime]
    assert [mode(folder) for folder in folders] == [0o700] * 5
    home.create()


@pytest.mark.parametrize("name", [".", "run"])
def test_a_folder_that_others_could_enter_is_refused_and_left_as_it_is(home, name):
    home.create()
    folder = home.root / name
    folder.chmod(0o755)
    with pytest.raises(EngineError, match=r"is open to other users.*chmod 700"):
        home.create()
    assert mode(folder) == 0o755


def test_a_link_in_place_of_the_runtime_folder_is_refused(home, tmp_path):
    home.create()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    home.runtime.rmdir()
    home.runtime.symlink_to(elsewhere)
    with pytest.raises(EngineError, match="no folder of yours"):
        home.create()


def test_a_folder_of_another_user_is_refused(home, monkeypatch):
    home.create()
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    with pytest.raises(EngineError, match=r"no folder of yours.*RAPIDFIRE_LAB_HOME"):
        home.create()


@pytest.mark.parametrize("blocked", ["home", "home/logs", "home/run"])
def test_a_file_in_the_way_is_named(home, tmp_path, blocked):
    path = tmp_path / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    with pytest.raises(EngineError, match=f"{home.root} cannot be used .*exists.*RAPIDFIRE_LAB_HOME") as caught:
        home.create()
    assert str(path) in str(caught.value)


def test_a_home_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="Not a directory"):
        EngineHome(tmp_path / "file" / "home").create()


# The runtime folder


def test_sockets_lie_in_the_home_where_its_path_is_short(monkeypatch):
    assert EngineHome(Path("/home/me/rapidfire_lab")).runtime == Path("/home/me/rapidfire_lab/run")


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_sockets_of_a_home_with_a_long_path_lie_elsewhere(monkeypatch, tmp_path, letter):
    monkeypatch.setattr(home_module.tempfile, "gettempdir", lambda: "/tmp")
    homes = [EngineHome(Path("/", *[letter * 40] * 3, name)) for name in ("one", "two")]
    runtimes = [home.runtime for home in homes]
    assert len(set(runtimes)) == 2
    for home, runtime in zip(homes, runtimes, strict=True):
        assert runtime == home.runtime
        assert runtime.parent == Path("/tmp")
        assert str(os.getuid()) in runtime.name
        assert len(os.fsencode(runtime / "wire.sock")) <= 100


@pytest.mark.parametrize("length", range(85, 105))
def test_no_socket_path_is_longer_than_a_system_allows(monkeypatch, length):
    monkeypatch.setattr(home_module.tempfile, "gettempdir", lambda: "/tmp")
    runtime = EngineHome(Path("/" + "x" * (length - 1))).runtime
    assert len(os.fsencode(runtime / "wire.sock")) <= 100


def test_a_runtime_folder_elsewhere_is_made_and_private_too(monkeypatch, tmp_path):
    monkeypatch.setattr(home_module.tempfile, "gettempdir", lambda: str(tmp_path))
    home = EngineHome(tmp_path / ("x" * 100) / "home")
    home.create()
    assert home.runtime.parent == tmp_path
    assert mode(home.runtime) == 0o700


# What the engine says of itself


def test_an_identity_is_read_as_it_was_written(home):
    home.create()
    assert home.read_identity() is None
    home.write_identity(IDENTITY)
    assert home.read_identity() == IDENTITY
    assert mode(home.identity) == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"pid": "x"}', b'{"pid": "\xff"}'])
def test_a_damaged_identity_is_none(home, content):
    home.create()
    home.identity.write_bytes(content)
    assert home.read_identity() is None


def test_why_the_engine_is_down_comes_from_its_refusal_or_its_log(home):
    assert home.why_down() == f"Its log {home.root}/logs/engine.log ends: no log was written"
    home.create()
    (home.logs / "engine.log").write_bytes(b"first\nlast \xff line\n\n")
    assert home.why_down().endswith("ends: last \ufffd line")
    (home.logs / "engine.log").write_bytes(b"x" * 1_000_000 + b"\nAPI_KEY=abc postgresql://ada:pass@db/x?token=abc\n")
    assert home.why_down().endswith("ends:  postgresql://db/x?")
    home.write_failure("The journal is gone.")
    assert home.why_down() == "The journal is gone."


# Private files


def test_a_private_file_replaces_an_open_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
