"""``rapidfire-lab``: the engine and its runs from a terminal."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

import rapidfire_lab
from rapidfire_lab.configs import json_knobs
from rapidfire_lab.configs.changes import expand_changes
from rapidfire_lab.display import RunTable, TerminalView
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.settings import EngineSettings, available_cores
from rapidfire_lab.errors import ConfigError, EngineError, NotFoundError, OperationError, RapidfireLabError
from rapidfire_lab.mlflow_store import make_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rapidfire_lab.journal import ExperimentRecord, JournalReader

_LOWEST_DISK_GB = 5
_FOLLOW_SECONDS = 0.5
_TOLD_PACKAGES = ("torch", "mlflow", "jupyterlab", "jupyter_server", "ipykernel", "pandas", "pyzmq")


_STEERING = {
    "stop": "stop runs after their present minibatch; they can be resumed",
    "resume": "go on with stopped runs where they stopped",
    "delete": "delete runs and free their disk",
    "cancel": "stop all runs of an experiment that are queued or running",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    chosen = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = chosen.command
    try:
        return command(chosen)
    except RapidfireLabError as error:
        print(f"rapidfire-lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rapidfire-lab", description=__doc__)
    parser.add_argument("--version", action="version", version=rapidfire_lab.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=summary)
        added.set_defaults(command=command)
        return added

    status = add("status", _status, "say whether the engine is running and what it does")
    status.add_argument("--json", action="store_true", help="print JSON")
    add("doctor", _doctor, "check this installation and machine")
    runs = add("runs", _runs, "list the runs of an experiment, or all experiments")
    runs.add_argument("experiment", nargs="?", help="experiment name; by default the live one")
    runs.add_argument("--all", action="store_true", help="list the experiments instead")
    logs = add("logs", _logs, "print the log of an experiment, of one of its runs, or of the engine")
    logs.add_argument("experiment", nargs="?", help="experiment name; by default the live one")
    logs.add_argument("--run", type=int, metavar="RUN_ID", help="what this run's code printed")
    logs.add_argument("--engine", action="store_true", help="the engine's own log")
    logs.add_argument("--follow", "-f", action="store_true", help="go on as the log grows")
    for operation, summary in _STEERING.items():
        steer = add(operation, _steer, summary)
        steer.set_defaults(operation=operation)
        if operation != "cancel":
            steer.add_argument("runs", nargs="+", type=int, metavar="RUN", help="run id")
        steer.add_argument("--experiment", help="experiment name; by default the live one")
    clone = add("clone", _clone, "train new runs with a run's config and some knobs changed")
    clone.add_argument("run", type=int, metavar="RUN", help="run id")
    clone.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KNOB=VALUE",
        help="a changed knob, by name or dotted path (optimizer.args.lr=0.1); the value in JSON, else as text; "
        '{"$list": [...]} and {"$range": {"start": ..., "end": ...}} stand for List and Range',
    )
    clone.add_argument("--warm-start", action="store_true", help="begin with the run's last commit")
    clone.add_argument(
        "--continue-position", action="store_true", help="with --warm-start: go on where the run stood, not at epoch 1"
    )
    clone.add_argument("--num-runs", type=int, metavar="N", help="clones to draw where there is a range")
    clone.add_argument("--seed", type=int, default=42, help="seed of the draws (default: 42)")
    clone.add_argument("--experiment", help="experiment name; by default the live one")
    save = add("save", _save, "save the artifacts of an experiment in a bucket, as end() does; ended ones too")
    save.add_argument("bucket", help="s3://bucket/prefix")
    save.add_argument("--experiment", help="experiment name; by default the live one")
    save.add_argument("--epoch-checkpoints", action="store_true", help="with the weights of every epoch")
    save.add_argument("--endpoint-url", metavar="URL", help="address of an S3 server other than Amazon's")
    add("start-engine", _start_engine, "start the engine; unfinished runs go on")
    stop = add("stop-engine", _stop_engine, "commit what is training and stop the engine; runs go on when it starts")
    stop.add_argument("--timeout", type=float, default=60.0, help="seconds to wait (default: 60)")
    mlflow = add("mlflow", _mlflow, "serve MLflow's page on this engine home's store")
    mlflow.add_argument("--port", type=int, default=5000)
    mlflow.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    return parser


# status


def _status(chosen: argparse.Namespace) -> int:
    status = EngineClient().status()
    if chosen.json:
        print(json.dumps(status, indent=2))
        return 0
    print(f"engine  {status['state']}")
    print(f"home    {status['home']}")
    if status["state"] == "not running":
        return 0
    print(f"runs    {status['active_runs']} queued or running")
    for slot in status["slots"]:
        print(f"slot {slot['slot']}  {slot['phase']} (pid {slot['pid']})")
    if status["unsent"]:
        print(f"{status['unsent']} entries wait to be sent to MLflow")
    return 0


# doctor


def _doctor(_: argparse.Namespace) -> int:
    home = EngineHome.default()
    checks = [
        ("Python", _check_python),
        ("packages", _check_packages),
        ("engine home", lambda: _check_home(home)),
        ("settings", lambda: _check_settings(home)),
        ("disk", lambda: _check_disk(home)),
        ("devices", _check_devices),
        ("JupyterLab extension", _check_extension),
        ("engine", lambda: str(EngineClient(home).status()["state"])),
    ]
    return max(_report(name, check) for name, check in checks)


def _report(name: str, check: Callable[[], str]) -> int:
    try:
        print(f"ok    {name}: {check()}")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the machine is what doctor is to tell
        print(f"FAIL  {name}: {error}")
        return 1
    return 0


def _check_python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


def _check_packages() -> str:
    missing = [name for name in _TOLD_PACKAGES if not _version(name) and name != "jupyterlab"]
    if missing:
        raise OperationError(f"{', '.join(missing)} not installed; install rapidfire-lab again")
    return ", ".join(f"{name} {_version(name) or 'not installed'}" for name in _TOLD_PACKAGES)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _check_home(home: EngineHome) -> str:
    home.create()
    if home.journal.exists():
        with EngineClient(home).reader() as journal:
            return f"{home.root}, {len(journal.experiments())} experiments"
    return f"{home.root}, new"


def _check_settings(home: EngineHome) -> str:
    settings = EngineSettings.load(home.settings)
    return ", ".join(f"{name} {value}" for name, value in sorted(settings.trait_values().items()))


def _check_disk(home: EngineHome) -> str:
    free = shutil.disk_usage(home.root).free / 1e9
    if free < _LOWEST_DISK_GB:
        raise OperationError(f"only {free:.1f} GB free at {home.root}; checkpoints need room")
    return f"{free:.0f} GB free"


def _check_devices() -> str:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return ", ".join([f"{available_cores()} CPU cores", *(names or ["no GPU"])])


def _check_extension() -> str:
    import pathlib

    from jupyter_core.paths import jupyter_path

    folders = [pathlib.Path(folder) / "rapidfire-lab" for folder in jupyter_path("labextensions")]
    found = next((folder for folder in folders if (folder / "package.json").exists()), None)
    if found is None:
        raise OperationError("not installed; install rapidfire-lab again, or run `jupyter-builder develop .`")
    return str(found)


# runs and logs


def _journal() -> JournalReader:
    return EngineClient().reader()


def _experiment(journal: JournalReader, name: str | None) -> ExperimentRecord:
    experiments = journal.experiments()
    found = next((record for record in experiments if record.name == name), None)
    if name is None:
        found = journal.live_experiment() or (experiments[-1] if experiments else None)
    if found is None:
        known = ", ".join(record.name for record in experiments) or "none"
        raise NotFoundError(f"there is no experiment {name or 'yet'}; known: {known}")
    return found


def _runs(chosen: argparse.Namespace) -> int:
    with _journal() as journal:
        if chosen.all:
            for record in journal.experiments():
                print(f"{record.name}  {record.status}  {len(journal.runs(record.id))} runs  {record.path}")
            return 0
        experiment = _experiment(journal, chosen.experiment)
        print(f"Experiment {experiment.name} ({experiment.status}), {experiment.path}")
        TerminalView(RunTable(journal, experiment.name)).follow()
    return 0


def _logs(chosen: argparse.Namespace) -> int:
    if chosen.engine:
        return _print_file(EngineHome.default().logs / "engine.log", follow=chosen.follow)
    with _journal() as journal:
        experiment = _experiment(journal, chosen.experiment)
        if chosen.run is not None:
            from pathlib import Path

            if journal.run(experiment.id, chosen.run) is None:
                raise NotFoundError(f"experiment {experiment.name!r} has no run {chosen.run}")
            return _print_file(ExperimentLayout(Path(experiment.path)).log(chosen.run), follow=chosen.follow)
        return _print_events(journal, experiment, follow=chosen.follow)


def _print_file(path: Path, *, follow: bool) -> int:
    if not path.exists():
        print(f"nothing was printed yet ({path})", file=sys.stderr)
        return 0
    with path.open(errors="replace") as file:
        while True:
            shutil.copyfileobj(file, sys.stdout)
            if not follow:
                return 0
            sys.stdout.flush()
            time.sleep(_FOLLOW_SECONDS)


def _print_events(journal: JournalReader, experiment: ExperimentRecord, *, follow: bool) -> int:
    seen = 0
    while True:
        for event in journal.events(experiment.id, after=seen):
            at = datetime.fromtimestamp(event.time, timezone.utc).astimezone().isoformat(" ", "seconds")
            print(f"{at}  {event.level:7}  {event.message}")
            seen = event.id
        if not follow:
            return 0
        sys.stdout.flush()
        time.sleep(_FOLLOW_SECONDS)


# stop, resume, delete, cancel and clone


def _steer(chosen: argparse.Namespace) -> int:
    client = EngineClient()
    made = client.operate(_experiment_name(client, chosen), chosen.operation, getattr(chosen, "runs", []))
    runs = ", ".join(map(str, made["run_ids"]))
    print(f"{chosen.operation}: runs {runs}" if runs else "No run is queued or running.")
    return 0


def _clone(chosen: argparse.Namespace) -> int:
    changes = expand_changes(_changes(chosen.set), chosen.num_runs, chosen.seed)
    client = EngineClient()
    name = _experiment_name(client, chosen)
    made = client.operate(
        name,
        "clone",
        [chosen.run],
        changes=changes,
        warm_start=chosen.warm_start,
        continue_position=chosen.continue_position,
    )
    print(f"Cloned run {chosen.run} as {', '.join(f'run {run_id}' for run_id in made['run_ids'])}")
    return 0


def _experiment_name(client: EngineClient, chosen: argparse.Namespace) -> str:
    with client.reader() as journal:
        return _experiment(journal, chosen.experiment).name


def _changes(settings: Sequence[str]) -> dict[str, Any]:
    """Partial config of what was given as ``optimizer.args.lr=0.1``, with List and Range in it."""
    changes: dict[str, Any] = {}
    for setting in settings:
        path, assigned, text = setting.partition("=")
        *sections, knob = path.split(".")
        part: Any = changes
        for section in sections:
            part = part.setdefault(section, {}) if isinstance(part, dict) else None
        if not assigned or not isinstance(part, dict) or knob in part:
            raise ConfigError(f"--set takes each knob once, as KNOB=VALUE, not {setting!r}")
        part[knob] = _value(text)
    decoded: dict[str, Any] = json_knobs.decode(changes)
    return decoded


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _save(chosen: argparse.Namespace) -> int:
    from rapidfire_lab.artifacts import Artifacts, open_artifact_store

    store = open_artifact_store(chosen.bucket, chosen.endpoint_url)
    with _journal() as journal:
        experiment = _experiment(journal, chosen.experiment)
        if active := journal.active_run_ids(experiment.id):
            raise OperationError(f"runs {', '.join(map(str, active))} of {experiment.name} are still training")
        if any(job.is_open for job in journal.jobs(experiment.id)):
            raise OperationError(f"tests or predictions of {experiment.name} are still under way")
        saving = Artifacts(journal, experiment, store, epoch_checkpoints=chosen.epoch_checkpoints)
        saving.check()
        count = saving.save()
        print(*saving.left_out, f"{count} files are saved in {saving.address}", sep="\n")
    return 0


# engine and MLflow


def _start_engine(_: argparse.Namespace) -> int:
    client = EngineClient()
    running = client.is_alive()
    client.start()
    print("The engine is running already." if running else "The engine is running.")
    return 0


def _stop_engine(chosen: argparse.Namespace) -> int:
    stopped = EngineClient().stop(chosen.timeout)
    print("The engine has stopped; unfinished runs go on when it starts again." if stopped else "No engine is running.")
    return 0


def _mlflow(chosen: argparse.Namespace) -> int:
    home = EngineHome.default()
    home.create()
    try:
        make_store(home)
    except sqlite3.Error as error:
        message = (
            f"MLflow's store {home.mlflow_store} cannot be used ({error}). Restore it from a backup, or move it away "
            "to begin with an empty one."
        )
        raise EngineError(message) from error
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--backend-store-uri",
        home.mlflow_uri,
        "--artifacts-destination",
        home.mlflow_artifacts.as_uri(),
        "--host",
        chosen.host,
        "--port",
        str(chosen.port),
    ]
    print(f"MLflow on http://{chosen.host}:{chosen.port} (Ctrl-C ends it)")
    print("MLflow asks for no password: whoever can reach this address can read and change the runs.", flush=True)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
