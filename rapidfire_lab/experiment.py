"""``Experiment``: what a notebook talks to."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from rapidfire_lab.artifacts import Artifacts, open_artifact_store
from rapidfire_lab.configs import expand
from rapidfire_lab.configs.changes import expand_changes
from rapidfire_lab.configs.scalars import checked_int
from rapidfire_lab.configs.space import has_knobs
from rapidfire_lab.data import DataHandle
from rapidfire_lab.engine.client import EngineClient, new_request_id
from rapidfire_lab.engine.protocol import (
    AddPolicy,
    CreateExperiment,
    EndExperiment,
    RemovePolicy,
    SubmitFit,
    SubmitTuning,
)
from rapidfire_lab.errors import ConfigError, DataError, NotFoundError, OperationError, SpecError
from rapidfire_lab.inference import JobRequest, empty_columns, progress_of, refuse_failed, test_results
from rapidfire_lab.policies.control import PolicyControl
from rapidfire_lab.policies.source import source_of
from rapidfire_lab.policies.view import RunViews
from rapidfire_lab.search import searches_in
from rapidfire_lab.spec import POLICY_HOOK
from rapidfire_lab.spec_source import SpecSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from rapidfire_lab.configs import ConfigGroup
    from rapidfire_lab.display import RunView
    from rapidfire_lab.engine.protocol import OperationName
    from rapidfire_lab.journal import ExperimentRecord, JobRecord, JournalReader, RunRecord
    from rapidfire_lab.model import BaseModel
    from rapidfire_lab.policies.run_policy import Policy
    from rapidfire_lab.report import Report
    from rapidfire_lab.search import Search
    from rapidfire_lab.serving import Predictor

_LOOK_SECONDS = 0.1
_LOOK_SHARE = 20
"""What a look takes of a core, so many times over, passes before the next one: the cores are there for training."""

_NOTICED_SHARE = 0.01
"""How late the end may be noticed, as a share of the time that it was waited for."""

_SHORTEST_PAUSE = 0.01
_TRACKING_SECONDS = 30.0
_MOST_RUNS = 1 << 62


class Experiment:
    """A named set of training runs and their results.

    Parameters
    ----------
    ml_spec
        Path, from the notebook's folder, of the Python file with the ``MLSpec`` class. None when only model
        templates are tuned.
    experiment_name
        Name, unique in the engine home: letters, digits, ``.``, ``_``, ``-`` and spaces. The name of an ended
        experiment gets a suffix; the name of the live one reattaches to it, which is what rerunning the cell does.
    epoch_checkpoints
        Keep the weights of every epoch, not only the final ones.
    experiments_path
        Folder for the experiment's own folder; by default ``experiments`` in the engine home.
    tracking_uri
        MLflow tracking address; by default a SQLite store in the engine home.

    Raises
    ------
    SpecError
        When the spec cannot be used, or was changed under the live experiment of this name.
    EngineError
        When the engine cannot be started.
    """

    def __init__(
        self,
        ml_spec: str | Path | None,
        experiment_name: str,
        epoch_checkpoints: bool = False,  # noqa: FBT001, FBT002 - positional in the API that users come from
        *,
        experiments_path: str | Path | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        self._source = SpecSource.read(ml_spec) if ml_spec is not None else None
        self._client = EngineClient()
        if not self._client.is_alive():
            print("Starting the rapidfire-lab engine ...", flush=True)
        answer = self._client.request(
            CreateExperiment(
                request_id=new_request_id(),
                name=experiment_name,
                experiments_path=str(Path(experiments_path).expanduser().absolute()) if experiments_path else None,
                spec_path=str(self._source.path) if self._source else None,
                spec_hash=self._source.hash if self._source else None,
                spec_sources=self._source.sources if self._source else {},
                epoch_checkpoints=bool(epoch_checkpoints),
                tracking_uri=tracking_uri,
                policy_hook=POLICY_HOOK if self._source and self._source.has_hook(POLICY_HOOK) else None,
            ),
            timeout=90.0,
        )
        self.name: str = answer["name"]
        self.path = Path(answer["path"])
        self._journal: JournalReader | None = None
        self._predictor: Predictor | None = None
        for warning in answer["warnings"]:
            warnings.warn(warning, stacklevel=2)
        print(f"Experiment {self.name} {'created' if answer['created'] else 'is live: reattached'}")

    def __repr__(self) -> str:
        return f"<Experiment {self.name} at {self.path}>"

    # Training

    def run_fit(
        self,
        data_handle: DataHandle,
        ml_config: Any,
        seed: int = 42,
        *,
        num_chunks: int | None = None,
        fuse: Literal["auto", "off"] = "off",
        wait: bool = True,
    ) -> None:
        """Train and validate all configs at once.

        Parameters
        ----------
        data_handle
            Handle with a ``train`` partition and optionally a ``validation`` one.
        ml_config
            A config dictionary, a ``GridSearch`` or ``RandomSearch``, a search (``ASHA``, ``SuccessiveHalving``,
            ``Hyperband``, ``PBT``, ``BayesianSearch``, ``PairedRacing``), or a list of any of these, nested at will.
            A search adds runs while others train, and decides without the notebook which of them train on.
        seed
            Seed of all randomness; every run gets the same, so that configs differ by their knobs alone.
        num_chunks
            Chunks per epoch between which runs take turns; by default adapted to what hopping costs.
        fuse
            ``"auto"`` trains runs whose models have the same structure as one batched model, several on a slot at
            once, where that is at least 1.2 times as fast; `get_runs_info` says which were. It gives up that results
            are the same to the last bit whatever the schedule: in fp32 they are within 1e-6 of those of ``"off"``.
        wait
            Show progress until all these runs have ended. Interrupting detaches: training goes on. With False the
            call returns once the runs are in the engine's journal.

        Raises
        ------
        ConfigError, DataError, SpecError
            Before anything is trained, when a config, the data or a metric's name cannot be used.
        OperationError
            When the experiment has ended, or a search fails while it is waited for: its metric is none of the runs'.
        """
        _check_fit_arguments(data_handle, seed, num_chunks, fuse)
        self._refuse_changed_spec()
        if self._source:
            self._source.refuse_reserved_metrics()
        leaves = expand(ml_config)
        searches = [self._definition(search, data_handle) for search in searches_in(ml_config)]
        data = data_handle.download(self._client.home.data)
        answer = self._client.request(
            SubmitFit(
                request_id=new_request_id(),
                experiment=self.name,
                data=data.to_json(),
                leaves=leaves,
                seed=seed,
                num_chunks=num_chunks,
                fuse=fuse,
                searches=searches,
            ),
            timeout=60.0 + 0.1 * len(leaves),
        )
        self._watch(None if searches else answer["run_ids"], wait=wait)
        self._raise_failed(answer["searches"])

    def _raise_failed(self, searches: list[str]) -> None:
        """Raise when one of these searches has failed by now."""
        for policy in self._reader().policies(self._record().id):
            if policy.name in searches and policy.status == "failed":
                message = f"Search {policy.name} failed: {policy.error}"
                raise OperationError(message)

    def _definition(self, search: Search, data_handle: DataHandle) -> dict[str, Any]:
        """A search as the engine takes it, once its metrics are known to be there."""
        source = None
        if search.constraint is not None and search.sampler != "random":
            text = source_of(search.constraint, ("config",), "constraint")
            source = {"source": text, "function": getattr(search.constraint, "__name__", "")}
        definition = search.definition(source)
        has_own = self._source is None or self._source.has_hook("compute_metrics")
        if not has_own:
            search.check_metrics(definition, validates="validation" in data_handle.partitions)
        return definition

    def _refuse_changed_spec(self) -> None:
        if self._source and SpecSource.read(self._source.path).hash != self._source.hash:
            message = (
                f"{self._source.path} has changed since experiment {self.name!r} was created. Undo the change, or "
                "end() the experiment and create a new one to train with the new code."
            )
            raise SpecError(message)

    def _watch(self, run_ids: list[int] | None, *, wait: bool) -> None:
        from rapidfire_lab.display import show_runs

        view = show_runs(self._client.home, self._reader(), self.name, run_ids)
        if not wait:
            view.follow()
            return
        self._wait_for(run_ids, view)

    def wait(self, run_ids: Iterable[int] | None = None, *, timeout: float | None = None) -> None:
        """Wait until runs have ended: the given ones, or all, with searches, tests and predictions.

        Raises
        ------
        TimeoutError
            When ``timeout`` seconds have passed; training goes on.
        """
        self._wait_for(list(run_ids) if run_ids is not None else None, None, timeout)

    def _wait_for(self, run_ids: list[int] | None, view: RunView | None, timeout: float | None = None) -> None:
        began = time.monotonic()
        update_due = began
        try:
            if self._goes_on(run_ids):
                self._client.start()
            while self._goes_on(run_ids) and self._engine_goes_on():
                waited = time.monotonic() - began
                if view is not None:
                    update_due = _updated(view, update_due)
                if timeout is not None and waited > timeout:
                    active = self._active(run_ids)
                    what = f"Runs {active} are still training" if active else "A test or prediction is under way"
                    message = f"{what} after {timeout} s."
                    raise TimeoutError(message)
                time.sleep(min(_LOOK_SECONDS, max(_SHORTEST_PAUSE, _NOTICED_SHARE * waited)))
        except KeyboardInterrupt:
            print(
                f"\nDetached: the runs of {self.name} train on. wait() or show() watches them again, "
                "cancel_current() stops them."
            )
        finally:
            if view is not None:
                view.close()

    def _engine_goes_on(self) -> bool:
        """Start the engine anew where it died while runs are active; False where somebody stopped it."""
        if self._client.is_alive():
            return True
        if self._client.home.stopped.exists():
            print("Detached: the engine was stopped. The runs go on when it starts again, e.g. by wait().")
            return False
        self._client.start()
        return True

    def _goes_on(self, run_ids: list[int] | None) -> bool:
        """Whether any of these runs goes on or, for None, anything at all: a search may add runs."""
        if run_ids is not None:
            return bool(self._active(run_ids))
        is_searching = bool(self._reader().active_searches(self._record().id))
        return is_searching or bool(self._active(None)) or self._has_open_jobs()

    def _has_open_jobs(self) -> bool:
        experiment = self._record().id
        return any(job.experiment_id == experiment for job in self._reader().open_jobs())

    def _active(self, run_ids: list[int] | None) -> list[int]:
        active = self._reader().active_run_ids(self._record().id)
        return active if run_ids is None else sorted(set(run_ids).intersection(active))

    def show(self) -> None:
        """Show the experiment's runs, live as long as any is training."""
        from rapidfire_lab.display import show_runs

        show_runs(self._client.home, self._reader(), self.name, None).follow()

    # Model templates

    def tune(  # noqa: PLR0913 - as users know it
        self,
        model_class: type[BaseModel],
        task: str,
        train_dataset_path: str | Path,
        val_dataset_path: str | Path,
        *,
        test_dataset_path: str | Path | None = None,
        budget: Mapping[str, Any] | None = None,
        train_args: Mapping[str, Any] | None = None,
        stop_at_time_limit: bool = False,
        seed: int = 42,
        wait: bool = True,
    ) -> None:
        """Look for good knobs of a model template: trials, as many at once as there are slots.

        Each trial is a run: in the same table, with its knobs as config, what it logs as metrics and log, its score as
        the metric ``score`` (the higher the better), and ``stop``, ``resume`` (which trains it anew), ``clone`` (with
        ``warm_start`` through ``shared_params``) and ``delete`` as for all runs. One that fails is recorded, and the
        others go on. An advisor chooses the knobs, as their types and policies have it.

        Parameters
        ----------
        model_class
            A class that extends `rapidfire_lab.model.BaseModel`, at the top level of a file or of a notebook's cell.
            The file and the modules beside it that it imports are copied to the experiment, from where slots import
            them; of a package from which it imports (``from . import helper``), the package and nothing beside it; of
            a notebook, the class with all that it uses of it.
        task
            Name of the task, such as ``IMAGE_CLASSIFICATION``.
        train_dataset_path, val_dataset_path, test_dataset_path
            Local files in the format of the task. On the last one each trial is evaluated, too, unless a policy cuts it
            short: ``test_score``, which decides nothing.
        budget
            ``TIME_HOURS`` (0.1 by default) and ``MODEL_TRIAL_COUNT`` (no limit by default), of which whichever is
            spent first ends the search. How many trials train at once, and whether on GPUs, is up to the engine's
            settings ``slots`` and ``device``: a warning tells of a ``GPU_COUNT`` or ``DIST_WORKERS`` that they do not
            meet.
        train_args
            Given to ``train()`` as keywords; text, numbers, lists and dictionaries.
        stop_at_time_limit
            Stop what trains at the end of ``TIME_HOURS``. By default no trial is begun after it, and those that have
            begun are finished.
        seed
            Of the knobs that are drawn, and of every trial's random numbers.
        wait
            Show progress until it is over. Interrupting detaches: trials go on.

        Raises
        ------
        InvalidModelClassError, InvalidDatasetFormatError, ConfigError
            Before anything is trained, when the class, the data or an argument cannot be used.
        OperationError
            When the experiment has ended.
        """
        from rapidfire_lab.model.budget import checked
        from rapidfire_lab.tuning import template_for

        _check_seed(seed)
        limits = checked(budget or {})
        template, source = template_for(
            model_class, task, train_dataset_path, val_dataset_path, test_dataset_path, train_args
        )
        answer = self._client.request(
            SubmitTuning(
                request_id=new_request_id(),
                experiment=self.name,
                template=msgspec.to_builtins(template),
                sources=source.sources,
                budget=limits,
                hard=stop_at_time_limit,
                seed=seed,
            )
        )
        for warning in answer["warnings"]:
            warnings.warn(warning, stacklevel=2)
        self._watch(None, wait=wait)
        self._raise_failed([answer["search"]])

    def predict(self, queries: Sequence[Any], run_id: int | None = None) -> list[Any]:
        """Have a trial of a model template predict.

        The model is restored in a process of its own from what the experiment keeps, and stays there for further
        queries until another trial is asked, the experiment is ended or the kernel is gone.

        Parameters
        ----------
        queries
            In the format of the task; numpy arrays become lists.
        run_id
            A completed trial. By default the one with the highest score, of those that no policy has cut short where
            there are such.

        Returns
        -------
        One prediction per query, in the same order.

        Raises
        ------
        NotFoundError, OperationError
            When there is no such run, or it is no completed trial.
        JobError
            When the model cannot be restored, or raises; its run's log has the traceback.
        """
        from rapidfire_lab.serving import Predictor, trial_to_serve

        trial = trial_to_serve(self._reader(), self._record(), None if run_id is None else _run_id(run_id))
        if self._predictor is None or not self._predictor.alive or self._predictor.trial != trial:
            self._end_predictor()
            self._predictor = Predictor(trial)
        return self._predictor.predict(queries)

    def _end_predictor(self) -> None:
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None

    # Inference

    def run_test(
        self,
        data_handle: DataHandle,
        run_id: int | None = None,
        model_tag: str | Path | None = None,
        config: Mapping[str, Any] | None = None,
        epoch_checkpoint: int | None = None,
        batch_size: int = 64,
        *,
        wait: bool = True,
    ) -> pd.DataFrame | None:
        """Test a model on the ``test`` partition, on all slots that are free, while runs train on.

        Give ``run_id``, or ``model_tag`` with ``config``.

        Parameters
        ----------
        data_handle
            Handle with a ``test`` partition.
        run_id
            A run of this experiment: its final weights or, while it trains, those of its last commit.
        model_tag
            Checkpoint to test instead: path, ``file://``, ``s3://`` or ``gs://`` address, as `rapidfire_lab.load_model`
            takes them; a ``state_dict`` or a dictionary that has one. It is loaded into what ``create_model`` makes.
        config
            Knobs for the spec, with a ``model_tag``; training keys may be missing. ``named_metrics`` are counted.
        epoch_checkpoint
            Use the weights of this epoch of the run, from 1. Needs ``Experiment(..., epoch_checkpoints=True)``.
        batch_size
            Examples in a minibatch. It changes memory, speed and, in the last digits, results.
        wait
            Show progress until the test is over. Interrupting detaches: it goes on, ``get_tests`` has its result, and
            ``cancel_current`` ends it. With False the call returns once it is in the engine's journal.

        Returns
        -------
        One row with ``test_id``, ``run_id``, ``epoch``, ``model_tag``, ``rows``, ``test_loss`` (where
        ``compute_forward`` gives a loss), named and custom metrics. None when nobody waited for the end.

        Raises
        ------
        ConfigError, DataError, StorageError
            When an argument is missing or belongs to the other pathway; when data or checkpoint cannot be used.
        OperationError
            When there is no such run or epoch, or the experiment has ended.
        JobError
            When the test failed, with the traceback of the spec's code, or was cancelled.
        """
        asked = JobRequest("test", data_handle, run_id, model_tag, config, epoch_checkpoint, batch_size)
        job = self._run_job(asked, wait=wait)
        if job is None:
            return None
        table = test_results([job])
        print(table.drop(columns=empty_columns(table)).to_string(index=False))
        return table

    def run_predict(
        self,
        data_handle: DataHandle,
        run_id: int | None = None,
        model_tag: str | Path | None = None,
        config: Mapping[str, Any] | None = None,
        epoch_checkpoint: int | None = None,
        batch_size: int = 64,
        *,
        file_format: str = "csv",
        wait: bool = True,
    ) -> Path | None:
        """Predict for the ``predict`` partition, on all slots that are free, while runs train on.

        They go to ``predictions_run<id>[_epoch<n>].csv``, or ``predictions_<checkpoint's name>_<hash of its
        address>.csv``, in the working folder: ``id`` and every output of ``compute_forward``, a row per example in the
        order of the partition; what is no single value is a JSON list, in which NaN is ``null`` and infinity ``1e999``
        (``numpy.array(json.loads(cell), dtype=float)`` gives them back). A file of that name is replaced once the new
        one is whole. Where it cannot be written, what is computed is kept, and the same call goes on from there.

        Parameters
        ----------
        data_handle
            Handle with a ``predict`` partition.
        run_id, model_tag, config, epoch_checkpoint, batch_size, wait
            As for `run_test`.
        file_format
            ``"csv"`` or ``"parquet"``, which keeps the outputs' types.

        Returns
        -------
        Path of the file; None when nobody waited for the end, whereupon the file still appears.

        Raises
        ------
        As `run_test`.
        """
        asked = JobRequest("predict", data_handle, run_id, model_tag, config, epoch_checkpoint, batch_size, file_format)
        job = self._run_job(asked, wait=wait)
        if job is None or job.target is None:
            return None
        print(f"Predictions are in {job.target}")
        return Path(job.target)

    def get_tests(self) -> pd.DataFrame:
        """Metrics of all completed tests, one row per test, as `run_test` returns them."""
        return test_results(self._reader().jobs(self._record().id))

    def _run_job(self, asked: JobRequest, *, wait: bool) -> JobRecord | None:
        """Have the engine do a job; gives it once it is completed, or None if nobody waited for that."""
        self._refuse_changed_spec()
        request = asked.prepare(self.name, self._client.home.data)
        key = self._client.request(request, timeout=60.0)["job"]
        if not wait or not self._follow_job(key):
            return None
        job = self._reader().job(key)
        refuse_failed(job)
        return job

    def _follow_job(self, key: int) -> bool:
        """Show a job's progress until it is over; False where it goes on without us."""
        try:
            with progress_of(self._reader().job(key)) as show:
                while self._reader().job(key).is_open:
                    if not self._engine_goes_on():
                        return False
                    show(self._reader().minibatches_done(key))
                    time.sleep(_LOOK_SECONDS)
                show(self._reader().minibatches_done(key))
        except KeyboardInterrupt:
            print("\nDetached: this goes on. wait() waits for its end, cancel_current() cancels it.")
            return False
        return True

    # Control

    def stop(self, run_id: int | Iterable[int]) -> None:
        """Stop runs after their present minibatch. They can be resumed.

        Raises
        ------
        OperationError
            When a run is not training; it says what is possible.
        """
        self._operate("stop", run_id)

    def resume(self, run_id: int | Iterable[int]) -> None:
        """Go on with stopped runs where they stopped, as if they never had.

        Raises
        ------
        OperationError
            When a run is not stopped.
        """
        self._operate("resume", run_id)

    def delete(self, run_id: int | Iterable[int]) -> None:
        """Delete runs: they leave the tables and free their disk; the log keeps that they were.

        Raises
        ------
        NotFoundError
            When there is no such run.
        """
        self._operate("delete", run_id)

    def clone(
        self,
        run_id: int,
        changes: Mapping[str, Any] | ConfigGroup | Sequence[Any],
        *,
        warm_start: bool = False,
        continue_position: bool = False,
        num_runs: int | None = None,
        seed: int = 42,
    ) -> int | list[int]:
        """Train a new run with a run's config and some knobs changed; returns its run id.

        Parameters
        ----------
        run_id
            The run to clone, in any status but deleted.
        changes
            Partial config, in sections (``{"train": {"batch_size": 64}}``) or flat (``{"batch_size": 64}``). With
            ``List`` or ``Range`` in it there are several clones, and their run ids are returned as a list: one per
            combination of the lists or, where there is a range, ``num_runs`` draws. So there are for a ``GridSearch``,
            a ``RandomSearch`` or a list of any of these; whatever a config in them does not name stays as it is.
        warm_start
            Start from the weights, and where it is of the same class the optimizer's state, of the run's last commit,
            instead of from scratch. Learning rate, weight decay and the like are those of the clone's config.
        continue_position
            With ``warm_start``: go on at the epoch and minibatch of that commit, with the run's random numbers and a
            learning rate schedule that has come as far, instead of at a first epoch of its own. With no knob changed
            the clone then trains exactly what the run itself would have. ``{"epochs": 8}`` makes a run longer.
        num_runs
            How many clones to draw where there is a ``Range``.
        seed
            Of the draws; clones train with their parent's seed.

        Raises
        ------
        ConfigError
            When a changed knob is not one of the run's, or its value cannot be used.
        OperationError
            With ``warm_start``: when the run has committed nothing yet. With ``continue_position``: when there is
            nothing left to train, or a changed knob says what a step is or what an epoch counts.
        """
        wanted = expand_changes(changes, num_runs, seed)
        clones = self._operate("clone", run_id, wanted, warm_start=warm_start, continue_position=continue_position)
        return clones[0] if isinstance(changes, Mapping) and not has_knobs(changes) else clones

    # Policies

    def add_policy(self, policy: Policy, name: str | None = None) -> None:
        """Have a rule of your own steer the runs: it is called at every committed chunk, also without the notebook.

        Parameters
        ----------
        policy
            Function ``policy(runs, control)``, defined in the notebook or a file. ``runs`` are the
            `rapidfire_lab.policies.PolicyRun` as of their last commits, ``control`` a
            `rapidfire_lab.policies.PolicyControl` with ``stop``, ``resume``, ``delete``, ``clone`` and a ``state`` of
            its own. It runs in a process of the engine, to which its source is copied with the imports, plain values
            and functions of the notebook that it uses. Commits that come while it runs are shown to it together.
        name
            Name in the logs, by default the function's. A policy of the same name is replaced; the same one again,
            as when a cell is run again, goes on with its state.

        Raises
        ------
        PolicyError
            When it is no such function, or uses something that cannot be copied.
        OperationError
            When the experiment has ended.
        """
        source = source_of(policy)
        function = policy.__name__
        request = AddPolicy(
            request_id=new_request_id(), experiment=self.name, name=name or function, function=function, source=source
        )
        self._client.request(request)

    def remove_policy(self, name: str) -> None:
        """Have a policy called no more.

        Raises
        ------
        NotFoundError
            When there is none of this name.
        """
        self._client.request(RemovePolicy(request_id=new_request_id(), experiment=self.name, name=name))

    def try_policy(self, policy: Policy, state: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Call a policy here and now, and show what it would do; nothing is done.

        Returns
        -------
        One row per action: ``operation``, ``run_ids``, ``changes``, ``warm_start`` and ``continue_position``.

        Raises
        ------
        Whatever the policy raises.
        """
        from rapidfire_lab.results import policy_actions

        control = PolicyControl(state or {})
        policy(RunViews(self._reader()).of(self._record().id), control)
        control.checked_state()
        return policy_actions(control.actions)

    def get_policies(self) -> pd.DataFrame:
        """Policies of the experiment: ``name``, ``status``, ``state`` and ``error``.

        The status is active, failed or removed. Searches are in here as well; one that is over is done.
        """
        from rapidfire_lab.results import policies

        return policies(self._reader(), self._record().id)

    def _operate(
        self,
        operation: OperationName,
        run_ids: int | Iterable[int],
        changes: list[dict[str, Any]] | None = None,
        *,
        warm_start: bool = False,
        continue_position: bool = False,
    ) -> list[int]:
        chosen = run_ids if isinstance(run_ids, Iterable) else [run_ids]
        known = [_run_id(run_id) for run_id in chosen]
        answer = self._client.operate(
            self.name, operation, known, changes=changes, warm_start=warm_start, continue_position=continue_position
        )
        result: list[int] = answer["run_ids"]
        return result

    def cancel_current(self) -> None:
        """Stop all runs that are training or waiting to; they can be resumed. Waits until they have stopped.

        Searches are given up, and tests and predictions that are under way are cancelled.
        """
        if self._goes_on(None):
            self._operate("cancel", [])
        self._wait_for(None, None, None)

    # Results

    def get_results(self, run_id: int | None = None) -> pd.DataFrame:
        """Metrics of all completed epochs of all runs.

        Parameters
        ----------
        run_id
            Only this run's.

        Returns
        -------
        One row per run and epoch: ``run_id``, ``epoch`` (from 1), ``step`` (minibatches, from 1), ``train_loss``,
        ``val_loss``, named and custom metrics of the validation partition, and the same of the train partition with
        the prefix ``train_``.

        Raises
        ------
        NotFoundError
            When there is no such run.
        """
        from rapidfire_lab.results import epoch_results

        return epoch_results(self._reader(), self._chosen_runs(run_id))

    def _chosen_runs(self, run_id: int | None) -> list[RunRecord]:
        runs = self.runs()
        chosen = [run for run in runs if run_id in (None, run.run_id)]
        if not chosen and run_id is not None:
            known = ", ".join(str(run.run_id) for run in runs) or "none"
            message = f"Experiment {self.name!r} has no run {run_id}; its runs are {known}."
            raise NotFoundError(message)
        return chosen

    def get_runs_info(self) -> pd.DataFrame:
        """Metadata of all runs, one row per run.

        The columns are ``rapidfire_lab.results.RUNS_INFO_COLUMNS``: those of the reference first, then the run
        that a clone comes from and whether it began with its weights, its position, seconds on a slot, device and
        error.
        """
        from rapidfire_lab.results import runs_info

        return runs_info(self._reader(), self._record().id, self.runs())

    def get_operations(self) -> pd.DataFrame:
        """Every operation on the runs that was carried out, in order: what, on which run and by whom.

        The columns are ``rapidfire_lab.results.OPERATIONS_COLUMNS``. ``step`` is the minibatch that the run had
        committed then, ``origin`` who asked (``"user"`` or ``"policy <name>"``), ``arguments`` the changes and options
        of a clone, ``result`` the run that was steered or made. Deleted runs stay in here.
        """
        from rapidfire_lab.results import operations

        return operations(self._reader(), self._record().id)

    def report(
        self, path: str | Path | None = None, *, metric: str | None = None, mode: str | None = None, top: int = 10
    ) -> Report:
        """Tell what the experiment has come to: best runs, importance of knobs, and what dropping runs has saved.

        As the last thing in a cell it is shown, with drawings; ``print`` gives it as text. Runs that still train take
        part with what they have reached.

        Parameters
        ----------
        path
            Also write it here, as one HTML file that needs nothing else.
        metric
            Metric of epochs that runs are compared by, after the last epoch of each: by default that of a search,
            else ``val_loss`` or what comes nearest.
        mode
            ``"min"`` or ``"max"``; by default that of the search, else by the metric's name.
        top
            How many of the best runs are listed.

        Raises
        ------
        NotFoundError
            When there are no runs, or none has completed an epoch.
        ConfigError
            When the runs have no such metric, with the names that there are.
        OperationError
            When the file cannot be written.
        """
        from rapidfire_lab.report import Report
        from rapidfire_lab.report.findings import find

        listed = checked_int("report() top", top, 1)
        with self._reader().moment():
            findings = find(self._reader(), self._record(), metric, mode)
        report = Report(findings, listed)
        if path is not None:
            report.save(path)
        return report

    def runs(self) -> list[RunRecord]:
        """The runs as the journal has them, without deleted ones."""
        return [run for run in self._reader().runs(self._record().id) if run.status != "deleted"]

    def _record(self) -> ExperimentRecord:
        record = self._reader().experiment(self.name)
        if record is None:
            message = f"The engine home {self._client.home.root} has no experiment {self.name!r} any more."
            raise NotFoundError(message)
        return record

    def reader(self) -> JournalReader:
        """Open the engine's journal for reading; close it after use."""
        return self._client.reader()

    def _reader(self) -> JournalReader:
        if self._journal is None:
            self._journal = self.reader()
        return self._journal

    # End

    def end(
        self,
        artifacts_bucket: str | Path | None = None,
        save_epoch_checkpoints: bool = False,  # noqa: FBT001, FBT002 - positional in the API that users come from
        *,
        endpoint_url: str | None = None,
    ) -> None:
        """End the experiment. Its runs, results and files stay; no more runs can be added.

        Parameters
        ----------
        artifacts_bucket
            Where to save what the experiment made, below its name: ``s3://bucket/prefix``. Final checkpoints, metrics
            and tables of runs (CSV), logs, predictions, the spec's source, and last ``manifest.json``, which has the
            SHA-256 of each file: without it, something is missing. After a failure, and for an experiment that has
            ended, the same call sends what is missing. boto3 finds the credentials.
        save_epoch_checkpoints
            Save the weights of every epoch, too. Without a bucket it means nothing.
        endpoint_url
            Address of an S3 server other than Amazon's; by default what boto3 finds (``AWS_ENDPOINT_URL_S3``).

        Raises
        ------
        OperationError
            When runs, tests or predictions are still under way: call ``wait()`` or ``cancel_current()`` first. When
            epoch checkpoints are to be saved that were not kept; when another experiment of this name is saved there
            already.
        StorageError
            When something could not be saved, naming bucket, key and cause. What is on this machine stays.
        """
        saving = None
        if artifacts_bucket is not None:
            store = open_artifact_store(artifacts_bucket, endpoint_url)
            saving = Artifacts(self._reader(), self._record(), store, epoch_checkpoints=save_epoch_checkpoints)
            saving.check()
        self._client.request(EndExperiment(request_id=new_request_id(), name=self.name))
        self._end_predictor()
        try:
            self._wait_for_tracking()
            print(f"Experiment {self.name} ended; its files are in {self.path}")
            if saving is not None:
                self._save(saving)
        except BaseException:
            if saving is not None:
                print("Not all artifacts are saved: the same call of end() sends what is missing.")
            raise

    @staticmethod
    def _save(saving: Artifacts) -> None:
        count = saving.save()
        print(*saving.left_out, f"{count} files are saved in {saving.address}", sep="\n")

    def _wait_for_tracking(self) -> None:
        deadline = time.monotonic() + _TRACKING_SECONDS
        while self._reader().outbox_size() and self._client.is_alive() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)


def _updated(view: RunView, due: float) -> float:
    """Update a view once that is due; returns when it is due again."""
    now = time.monotonic()
    if now < due:
        return due
    before = time.thread_time()
    view.update()
    return now + max(_LOOK_SECONDS, _LOOK_SHARE * (time.thread_time() - before))


def _check_fit_arguments(data_handle: object, seed: object, num_chunks: object, fuse: object) -> None:
    if not isinstance(data_handle, DataHandle):
        message = f"data_handle must be a DataHandle, not {type(data_handle).__name__}."
        raise DataError(message)
    if "train" not in data_handle.partitions:
        message = "run_fit needs a train partition; give DataHandle a 'train' locator."
        raise DataError(message)
    _check_seed(seed)
    if num_chunks is not None and (not isinstance(num_chunks, int) or num_chunks < 1):
        message = f"num_chunks must be a whole number from 1, or None, not {num_chunks!r}."
        raise ConfigError(message)
    if fuse not in ("auto", "off"):
        message = f"fuse must be 'auto' or 'off', not {fuse!r}."
        raise ConfigError(message)


def _check_seed(seed: object) -> None:
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < sys.maxsize:
        message = f"seed must be a whole number from 0, not {seed!r}."
        raise ConfigError(message)


def _run_id(value: object) -> int:
    """A run id as users have it at hand: an int, or a number out of a DataFrame."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if 0 < number < _MOST_RUNS:
            return number
    message = f"A run id is a whole number, not {value!r}."
    raise OperationError(message)
