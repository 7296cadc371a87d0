"""The tracker process: sends runs to MLflow from the journal's outbox.

It is the only process that talks to MLflow. An outbox entry leaves the journal only after MLflow has taken it, so a
slow, broken or absent MLflow delays tracking and never training. Sending an entry twice changes nothing, not even when
later ones were sent in between: what a run has come to is read from the journal and not from the entry.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from rapidfire_lab.configs.secrets import hide_secrets
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.engine.layout import ExperimentLayout
from rapidfire_lab.engine.lifeline import die_with_parent
from rapidfire_lab.engine.protocol import Exit, Tracked, TrackerReady, decode_from_controller, encode
from rapidfire_lab.journal import JournalReader
from rapidfire_lab.mlflow_store import make_store
from rapidfire_lab.model.template import Template

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    from rapidfire_lab.journal import ExperimentRecord, JobRecord, MetricPoint, OutboxRecord, RunRecord

_log = logging.getLogger("rapidfire_lab.tracker")

_BATCH_SECONDS = 1.0
_LONGEST_BACKOFF = 60.0
_METRICS_PER_CALL = 1_000
_PARAMS_PER_CALL = 100
_LONGEST_PARAM = 6_000
_LONGEST_NAME = 250
_FOREIGN_CHARACTERS = re.compile(r"[^A-Za-z0-9_\-. /]")
_HOPELESS = ("INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST")
"""MLflow's codes for what it would refuse for ever."""

_TAG = "rapidfire_lab."

_MLFLOW_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # A server that is down is tried again by our own loop, which can be told to exit between two tries.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}

_MLFLOW_STATUS = {"completed": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
"""Of a run that has ended; one that has not is RUNNING."""


class MlflowSink:
    """Writes runs to MLflow. Every method may be repeated with the same arguments."""

    def __init__(self, home: EngineHome, journal: JournalReader) -> None:
        self._home = home
        self._journal = journal
        self._clients: dict[str, MlflowClient] = {}
        self._experiments: dict[int, str] = {}
        self._runs: dict[int, str] = {}

    def send(self, entry: OutboxRecord) -> str | None:
        """Send one outbox entry; returns the MLflow run id."""
        payload = json.loads(entry.payload)
        if entry.kind == "tag_test":
            return self._send_tag_test(self._journal.job(payload["job"]))
        run = self._journal.run_by_key(entry.run)
        experiment = self._journal.experiment_by_id(run.experiment_id)
        client = self._client(experiment)
        mlflow_run = self._mlflow_run(client, experiment, run)
        if run.status == "deleted":
            self._delete(client, mlflow_run, run)
        elif entry.kind == "points":
            self._log_points(client, mlflow_run, run, payload)
        elif entry.kind == "test":
            self._log_test(client, mlflow_run, payload["metrics"], payload["time"], payload["epoch"])
        elif entry.kind == "status":
            self._set_status(client, mlflow_run, run)
        return mlflow_run

    def _client(self, experiment: ExperimentRecord) -> MlflowClient:
        from mlflow import MlflowClient

        uri = experiment.tracking_uri or self._home.mlflow_uri
        if uri not in self._clients:
            if not experiment.tracking_uri:
                make_store(self._home)
            self._clients[uri] = MlflowClient(tracking_uri=uri)
        return self._clients[uri]

    def _mlflow_experiment(self, client: MlflowClient, experiment: ExperimentRecord) -> str:
        if experiment.id not in self._experiments:
            known = client.get_experiment_by_name(experiment.name)
            location = None if experiment.tracking_uri else self._home.mlflow_artifacts.as_uri()
            self._experiments[experiment.id] = (
                known.experiment_id if known else client.create_experiment(experiment.name, artifact_location=location)
            )
        return self._experiments[experiment.id]

    def _mlflow_run(self, client: MlflowClient, experiment: ExperimentRecord, run: RunRecord) -> str:
        if run.id not in self._runs:
            known = run.mlflow_run_id or self._find(client, experiment, created=run.created, run_id=run.run_id)
            known = known or self._create(client, experiment, run)
            if not run.mlflow_run_id:
                self._describe(client, known, experiment, run)
            self._runs[run.id] = known
        return self._runs[run.id]

    def _find(self, client: MlflowClient, experiment: ExperimentRecord, **tags: float) -> str | None:
        """The MLflow run with these tags, when an earlier tracker made it and died before it could say so."""
        from mlflow.entities import ViewType

        found = client.search_runs(
            [self._mlflow_experiment(client, experiment)],
            filter_string=" and ".join(f"tags.`{_TAG}{name}` = '{value}'" for name, value in tags.items()),
            run_view_type=ViewType.ALL,
            max_results=1,
        )
        return str(found[0].info.run_id) if found else None

    def _create(self, client: MlflowClient, experiment: ExperimentRecord, run: RunRecord) -> str:
        tags = {
            f"{_TAG}run_id": str(run.run_id),
            f"{_TAG}created": str(run.created),
            f"{_TAG}source": run.source,
            f"{_TAG}status": run.status,
        }
        if run.parent is not None:
            tags[f"{_TAG}parent"] = str(run.parent)
        if run.warm_start:
            tags[f"{_TAG}warm_start"] = "true"
            tags[f"{_TAG}parent_step"] = str(run.parent_step)
        created = client.create_run(
            self._mlflow_experiment(client, experiment),
            start_time=int(run.created * 1_000),
            run_name=f"run {run.run_id}",
            tags=tags,
        )
        return str(created.info.run_id)

    def _describe(self, client: MlflowClient, mlflow_run: str, experiment: ExperimentRecord, run: RunRecord) -> None:
        """Log knobs and spec, unless an earlier tracker got to the end of it: the tag is set last."""
        if f"{_TAG}described" in client.get_run(mlflow_run).data.tags:
            return
        self._log_params(client, mlflow_run, run.leaf)
        sources = self._sources(experiment, run)
        if sources.is_dir():
            client.log_artifacts(mlflow_run, str(sources), "spec")
        client.set_tag(mlflow_run, f"{_TAG}described", "yes")

    def _sources(self, experiment: ExperimentRecord, run: RunRecord) -> Path:
        """Snapshot of what the run trains: the spec, or a model template."""
        layout = ExperimentLayout(Path(experiment.path))
        template = Template.of_fit(self._journal.fit(run.fit_id).data)
        return layout.spec if template is None else layout.template(template.hash)

    @staticmethod
    def _log_params(client: MlflowClient, mlflow_run: str, leaf: dict[str, Any]) -> None:
        """Log knobs. Secrets among them are masked: MLflow's store may be elsewhere, and others may read it."""
        from mlflow.entities import Param

        knobs = flat_params(hide_secrets(leaf))
        params = [Param(_name(name), value[:_LONGEST_PARAM]) for name, value in knobs.items()]
        for start in range(0, len(params), _PARAMS_PER_CALL):
            client.log_batch(mlflow_run, params=params[start : start + _PARAMS_PER_CALL])

    def _log_points(self, client: MlflowClient, mlflow_run: str, run: RunRecord, payload: dict[str, Any]) -> None:
        after, to = payload["after"], payload["to"]
        points = self._journal.points(run.id, per="step", after_step=after, to_step=to)
        # An epoch may end at the step at which the commit before did, which came in the middle of its validation.
        epochs = self._journal.points(run.id, per="epoch", after_step=after - 1, to_step=to)
        points += [point for point in epochs if point.epoch > payload.get("after_epoch", 0)]
        metrics = [_metric(point) for point in points]
        for start in range(0, len(metrics), _METRICS_PER_CALL):
            client.log_batch(mlflow_run, metrics=metrics[start : start + _METRICS_PER_CALL])

    def _send_tag_test(self, job: JobRecord) -> str:
        """Give the test of a model tag an MLflow run of its own."""
        experiment = self._journal.experiment_by_id(job.experiment_id)
        client = self._client(experiment)
        mlflow_run = self._find(client, experiment, created=job.created, test_id=job.job_id)
        mlflow_run = mlflow_run or self._create_tag_test(client, experiment, job)
        self._log_params(client, mlflow_run, json.loads(job.config))
        self._log_test(client, mlflow_run, json.loads(job.metrics or "{}"), job.ended or job.created, 0)
        client.set_terminated(mlflow_run, "FINISHED")
        return mlflow_run

    def _create_tag_test(self, client: MlflowClient, experiment: ExperimentRecord, job: JobRecord) -> str:
        tags = {"created": str(job.created), "test_id": str(job.job_id), "model_tag": str(job.model_tag)}
        created = client.create_run(
            self._mlflow_experiment(client, experiment),
            start_time=int(job.created * 1_000),
            run_name=f"test {job.job_id}",
            tags={f"{_TAG}{name}": value for name, value in tags.items()},
        )
        return str(created.info.run_id)

    @staticmethod
    def _log_test(client: MlflowClient, mlflow_run: str, values: dict[str, float], time: float, epoch: int) -> None:
        """Log the metrics of a test, at the epoch whose weights were tested."""
        from mlflow.entities import Metric

        metrics = [Metric(_name(f"test_{name}"), value, int(time * 1_000), epoch) for name, value in values.items()]
        for start in range(0, len(metrics), _METRICS_PER_CALL):
            client.log_batch(mlflow_run, metrics=metrics[start : start + _METRICS_PER_CALL])

    @staticmethod
    def _set_status(client: MlflowClient, mlflow_run: str, run: RunRecord) -> None:
        ended = _MLFLOW_STATUS.get(run.status)
        client.set_tag(mlflow_run, f"{_TAG}status", run.status if ended else "running")
        if run.ended_by:
            client.set_tag(mlflow_run, f"{_TAG}ended_by", run.ended_by)
        if ended:
            client.set_terminated(mlflow_run, ended, end_time=int((run.ended or time.time()) * 1_000))
        else:
            client.update_run(mlflow_run, status="RUNNING")

    @staticmethod
    def _delete(client: MlflowClient, mlflow_run: str, run: RunRecord) -> None:
        """Delete a run, which from then on takes nothing more."""
        if client.get_run(mlflow_run).info.lifecycle_stage == "deleted":
            return
        client.set_tag(mlflow_run, f"{_TAG}status", run.status)
        client.set_tag(mlflow_run, f"{_TAG}ended_by", str(run.ended_by))
        client.delete_run(mlflow_run)


def _metric(point: MetricPoint) -> Metric:
    """A point as MLflow knows it: metrics per step by step, metrics per epoch by epoch."""
    from mlflow.entities import Metric

    at = point.step if point.per == "step" else point.epoch
    return Metric(_name(point.name), point.value, int(point.time * 1_000), at)


def _name(name: str) -> str:
    """A name in MLflow's alphabet."""
    return _FOREIGN_CHARACTERS.sub("_", name)[:_LONGEST_NAME]


def flat_params(leaf: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Knobs of a config by dotted path, as text."""
    params: dict[str, str] = {}
    for name, value in leaf.items():
        if isinstance(value, dict):
            params |= flat_params(value, f"{prefix}{name}.")
        else:
            params[f"{prefix}{name}"] = json.dumps(value) if isinstance(value, list) else str(value)
    return params


class Tracker:
    """Loop of the tracker process."""

    def __init__(self, home: EngineHome, address: str) -> None:
        self._journal = JournalReader(home.journal)
        self._sink = MlflowSink(home, self._journal)
        self._backoff = 0.0
        self._sent_to = 0
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, f"tracker-{os.getpid()}".encode())
        self._socket.setsockopt(zmq.LINGER, 1_000)
        self._socket.connect(address)

    def serve(self) -> None:
        self._socket.send(encode(TrackerReady(pid=os.getpid())))
        while not self._told_to_exit(self._backoff or None):
            self._send_all()
        self._socket.close()

    def _told_to_exit(self, timeout: float | None) -> bool:
        """Wait for a message, or for the time to try again; swallow what has queued up."""
        self._socket.poll(None if timeout is None else int(timeout * 1_000))
        exiting = False
        while self._socket.poll(0):
            exiting |= isinstance(decode_from_controller(self._socket.recv()), Exit)
        return exiting

    def _send_all(self) -> None:
        started = time.monotonic()
        sent: list[int] = []
        mlflow_runs: dict[int, str] = {}
        try:
            # What was sent stays in the journal until the controller has come to hear of it.
            for entry in self._journal.outbox(after=self._sent_to):
                mlflow_run = self._send(entry)
                self._sent_to = entry.id
                sent.append(entry.id)
                if mlflow_run and entry.kind == "start":
                    mlflow_runs[entry.run] = mlflow_run
            self._backoff = 0.0
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the entries wait for the next try
            self._backoff = min(max(1.0, 2 * self._backoff), _LONGEST_BACKOFF)
            _log.warning("MLflow did not take an entry (%s); next try in %.0f s", type(error).__name__, self._backoff)
        if sent:
            self._socket.send(encode(Tracked(outbox_ids=sent, mlflow_run_ids=mlflow_runs)))
        time.sleep(max(0.0, _BATCH_SECONDS - (time.monotonic() - started)))

    def _send(self, entry: OutboxRecord) -> str | None:
        """Send an entry; one that MLflow would refuse for ever is given up, so that the others get through."""
        from mlflow.exceptions import MlflowException

        try:
            return self._sink.send(entry)
        except MlflowException as error:
            if error.error_code not in _HOPELESS:
                raise
            _log.warning("MLflow refuses entry %d (%s of run %d) for good: %s", entry.id, entry.kind, entry.run, error)
            return None


def main() -> None:
    """Entry point of the tracker process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    os.nice(10)
    for name, value in _MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    Tracker(EngineHome(arguments.home), arguments.address).serve()


if __name__ == "__main__":
    main()
