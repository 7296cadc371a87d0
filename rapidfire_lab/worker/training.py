"""One run in this process: the training contract.

The order of operations in ``TrainingRun`` is the contract of docs/architecture.md, section 5; every line that draws
random numbers or changes a floating-point result is part of it.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import nn

from rapidfire_lab.configs import Config
from rapidfire_lab.data.order import epoch_order
from rapidfire_lab.errors import SpecError
from rapidfire_lab.journal.records import MetricPoint
from rapidfire_lab.metrics import MOST_LATE, EpochMetrics, NonFiniteLossError, losses_of
from rapidfire_lab.worker.ahead import MinibatchesAhead
from rapidfire_lab.worker.forward import autocast, count_minibatch, custom_metrics, loss_and_outputs
from rapidfire_lab.worker.hooks import Hooks
from rapidfire_lab.worker.input import MinibatchInput, to_device
from rapidfire_lab.worker.names import as_named_in, parameters_of, state_of
from rapidfire_lab.worker.optimizer_state import load_optimizer_state
from rapidfire_lab.worker.process_state import ProcessState
from rapidfire_lab.worker.rng import RngState, own_rng, seed_everything
from rapidfire_lab.worker.storages import storages_on
from rapidfire_lab.worker.structure import NotFusibleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rapidfire_lab.data import Partition
    from rapidfire_lab.engine.protocol import Outcome
    from rapidfire_lab.spec import Mode
    from rapidfire_lab.worker.ahead import Place
    from rapidfire_lab.worker.prepared import PreparedData


class StoppedInValidationError(Exception):
    """Raised inside a validation pass that is not to go on; the pass is made again later."""


@dataclass
class RunPlan:
    """What is to be trained, from the lease."""

    config: dict[str, Any]
    seed: int
    epochs: int
    misc_path: str | None
    partitions: dict[str, Partition]
    prepared: PreparedData | None = None
    """Where prepared rows are shared, if they are."""
    input_processes: int = 0
    """How many processes may prepare minibatches ahead."""


@dataclass
class Report:
    """What a lease has to say so far; drained by whoever sends it on."""

    points: list[MetricPoint] = field(default_factory=list)
    loss: float | None = None

    def drain(self) -> list[MetricPoint]:
        points, self.points = self.points, []
        return points


class TrainingRun:
    """Model, optimizer, position and everything else that a run is."""

    def __init__(self, plan: RunPlan, spec_class: type[Any], device: torch.device) -> None:
        self.plan = plan
        self.device = device
        self.report = Report()
        self.step = 0
        """Minibatches trained so far, over all epochs."""
        self.cfg = Config(plan.config)
        self._train: dict[str, Any] = plan.config["train"]
        with own_rng(plan.seed, cuda=self._cuda):
            self.hooks = Hooks(spec_class, self.cfg)
            self.hooks.initialize_run(plan.misc_path, "train")
        self._named: list[str] = plan.config["named_metrics"]
        self.is_at_epoch_end = False
        """Whether the last minibatch of an epoch is trained, and the epoch is yet to be finished."""
        self._history: list[dict[str, float]] = []
        self._metrics = EpochMetrics(self._named)
        self._pending_losses: list[tuple[torch.Tensor, int, int]] = []
        self._order: tuple[int, torch.Tensor] | None = None
        self._build()

    def _build(self) -> None:
        seed = self.plan.seed
        self._inputs = {
            mode: self._input(mode, partition)  # type: ignore[arg-type]
            for mode, partition in self.plan.partitions.items()
            if mode in ("train", "validation")
        }
        seed_everything(seed)
        self.model = self._create_model()
        self.optimizer = self._create_optimizer()
        self._scheduler = self._create_scheduler()
        self._scaler = torch.amp.GradScaler(self.device.type) if self._train["precision"] == "fp16" else None
        self._rng = RngState.capture(cuda=self._cuda)
        self._process = ProcessState.capture()

    def _input(self, mode: Mode, partition: Partition) -> MinibatchesAhead:
        seed, prepared, processes = self.plan.seed, self.plan.prepared, self.plan.input_processes
        shared = prepared.rows(self.hooks, partition, mode, seed) if prepared else None
        source = MinibatchInput(
            self.hooks, partition, mode, seed, cuda=self._cuda, shared=shared, one_thread=processes > 0
        )
        return MinibatchesAhead(source, processes)

    def _create_model(self) -> nn.Module:
        model = self.hooks.create_model()
        if not isinstance(model, nn.Module):
            message = f"create_model must return a torch.nn.Module, not {type(model).__name__}."
            raise SpecError(message)
        return model.to(self.device)

    def _create_optimizer(self) -> torch.optim.Optimizer:
        chosen = self._train["optimizer"]
        trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not trainable:
            message = "create_model returned a model without parameters that require gradients."
            raise SpecError(message)
        optimizer: torch.optim.Optimizer = getattr(torch.optim, chosen["name"])(
            self.model.parameters(), **chosen["args"]
        )
        return optimizer

    def _create_scheduler(self) -> Any:
        chosen = self._train.get("lr_scheduler")
        if not chosen:
            return None
        return getattr(torch.optim.lr_scheduler, chosen["name"])(self.optimizer, **chosen["args"])

    # Position

    @property
    def _cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self._inputs["train"]) // int(self._train["batch_size"]))

    @property
    def completed_epochs(self) -> int:
        return len(self._history)

    @property
    def is_complete(self) -> bool:
        return self.completed_epochs >= self.plan.epochs

    # Training

    def train(self, to_step: int, keep_going: Callable[[], bool]) -> Outcome:
        """Train until ``to_step`` minibatches are done, or until ``keep_going()`` says no between two of them."""
        with self.own_state(), self.pass_to(to_step):
            try:
                return self._train_steps(to_step, keep_going)
            except StoppedInValidationError:
                return "preempted"

    @contextlib.contextmanager
    def own_state(self) -> Iterator[None]:
        """Run a block under the run's own generators and switches, which are taken back afterwards as it left them."""
        self._process.apply()
        self._rng.restore()
        try:
            yield
        finally:
            self._rng = RngState.capture(cuda=self._cuda)
            self._process = ProcessState.capture()

    def apply_switches(self) -> None:
        """Give the process the switches that the run has left it with."""
        self._process.apply()

    @contextlib.contextmanager
    def tried(self) -> Iterator[None]:
        """Run a block under the run's own state, of which nothing remains: generators and buffers are put back.

        Raises
        ------
        NotFusibleError
            When the block has drawn random numbers.
        """
        rng, buffers = self._rng, [buffer.clone() for buffer in self.model.buffers()]
        self.model.train()
        try:
            with self.own_state():
                yield
                has_drawn = not rng.unchanged()
        finally:
            self._rng = rng
            for buffer, earlier in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(earlier)
        if has_drawn:
            message = "compute_forward draws random numbers"
            raise NotFusibleError(message)

    def pass_to(self, to_step: int) -> contextlib.AbstractContextManager[None]:
        """Have minibatches prepared in their order, from where the run stands to a step."""
        first = self.step
        return self._inputs["train"].pass_over(lambda given: self._places(first + given, to_step))

    def _train_steps(self, to_step: int, keep_going: Callable[[], bool]) -> Outcome:
        while True:
            if self.is_at_epoch_end and self.finish_epoch(keep_going):
                return "converged"
            if self.is_complete:
                return "finished"
            if self.step >= to_step:
                return "reached"
            if not keep_going():
                return "preempted"
            self.train_minibatch(self.next_minibatch())

    def next_minibatch(self) -> Any:
        """The minibatch that comes next, on the run's device."""
        epoch, batch = divmod(self.step, self.steps_per_epoch)
        return self._minibatch("train", epoch, self._train_positions(epoch, batch))

    def train_minibatch(self, minibatch: Any) -> torch.Tensor:
        """Train one minibatch, inside `own_state`; returns its loss."""
        self.model.train()
        if self._cuda:
            # cuDNN keeps the dropout state of recurrent layers until the generator is set: set it every time, so that
            # a hop, which sets it too, makes no difference.
            torch.cuda.set_rng_state(torch.cuda.get_rng_state())
        with self._autocast():
            loss, outputs = loss_and_outputs(self._forward(minibatch, "train"))
        self.count(loss, outputs, minibatch)
        batch, first, group = self.accumulation
        if batch == first:
            self._clear_gradients()
        scaled = loss / group if group > 1 else loss
        torch.autograd.backward(self._scaler.scale(scaled) if self._scaler else scaled)
        self.learn()
        return loss

    @property
    def accumulation(self) -> tuple[int, int, int]:
        """Number in its epoch of the minibatch that was counted last, and first one and size of its group."""
        batch = (self.step - 1) % self.steps_per_epoch
        size = int(self._train["gradient_accumulation_steps"])
        first = batch // size * size
        return batch, first, min(size, self.steps_per_epoch - first)

    @property
    def is_inside_group(self) -> bool:
        """Whether there are gradients that the optimizer has not used yet."""
        inside = self.step % self.steps_per_epoch % self._train["gradient_accumulation_steps"]
        return bool(inside)

    def learn(self) -> None:
        """Use the gradients of the minibatch that was counted last, if it is the last of its group."""
        batch, first, group = self.accumulation
        if batch == first + group - 1:
            self._optimizer_step()
        if batch + 1 == self.steps_per_epoch:
            self.is_at_epoch_end = True

    def _places(self, step: int, to_step: int) -> list[Place]:
        """Epoch and positions of the minibatches from one step to another."""
        until = min(to_step, self.plan.epochs * self.steps_per_epoch)
        at = (divmod(number, self.steps_per_epoch) for number in range(step, until))
        return [(epoch, self._train_positions(epoch, batch)) for epoch, batch in at]

    def _train_positions(self, epoch: int, batch: int) -> list[int]:
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, epoch_order(len(self._inputs["train"]), self.plan.seed, epoch))
        size = self._train["batch_size"]
        positions: list[int] = self._order[1][batch * size : (batch + 1) * size].tolist()
        return positions

    def _examples(self, batch: int) -> int:
        size = int(self._train["batch_size"])
        return min(size, len(self._inputs["train"]) - batch * size)

    def _clear_gradients(self) -> None:
        """What ``zero_grad`` does, without its note for profilers: that takes longer than all else in it."""
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def _optimizer_step(self) -> None:
        clip = self._train["gradient_clip_norm"]
        if self._scaler and clip is not None:
            self._scaler.unscale_(self.optimizer)
        if clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        if self._scaler:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        else:
            self.optimizer.step()
        if self._scheduler is not None and self._train["lr_scheduler"]["interval"] == "step":
            self._scheduler.step()

    def _minibatch(self, mode: Mode, epoch: int, positions: list[int]) -> Any:
        return to_device(self._inputs[mode].minibatch(epoch, positions), self.device)

    def _forward(self, minibatch: Any, mode: Mode) -> Any:
        return self.hooks.compute_forward(self.model, minibatch, mode)

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        return autocast(self.device, self._train["precision"])

    # Metrics

    def count(self, loss: torch.Tensor, outputs: dict[str, Any], minibatch: Any) -> None:
        """Take a minibatch's loss and outputs into the metrics: it counts as trained, and is yet to be learnt from."""
        examples = self._examples(self.step % self.steps_per_epoch)
        self.step += 1
        if not loss.requires_grad:
            message = "The loss that compute_forward returned does not depend on the model's parameters."
            raise SpecError(message)
        # A copy on a GPU, where it waits: a graph of the user's may put the next loss into the same place.
        kept = loss.detach().clone() if self._cuda else loss.detach()
        self._pending_losses.append((kept, examples, self.step))
        if not self._cuda or len(self._pending_losses) >= MOST_LATE:
            self.settle_losses()
        self._metrics.add_outputs(outputs)
        if self.hooks.has("compute_metrics"):
            custom = self.hooks.compute_metrics(loss.detach(), outputs, minibatch, "train")
            for name, value in self._metrics.add_custom(custom_metrics(custom)).items():
                self._point(name, "step", value)

    def settle_losses(self) -> None:
        """Read the losses of the last minibatches back from the device, in order.

        Raises
        ------
        NonFiniteLossError
            At the first that is NaN or infinite.
        """
        pending, self._pending_losses = self._pending_losses, []
        if not pending:
            return
        values = losses_of([loss for loss, _, _ in pending])
        for value, (_, examples, step) in zip(values, pending, strict=True):
            if not math.isfinite(value):
                epoch, batch = divmod(step - 1, self.steps_per_epoch)
                message = (
                    f"The training loss became {value} in epoch {epoch + 1}, minibatch {batch + 1} (step {step}). "
                    "Try a lower learning rate, gradient_clip_norm, or look for invalid input."
                )
                raise NonFiniteLossError(message)
            self._metrics.add_loss(value, examples)
            self._point("minibatch_loss", "step", value, step=step)
            self.report.loss = value

    def _point(self, name: str, per: str, value: float, step: int | None = None) -> None:
        step = self.step if step is None else step
        epoch = (step - 1) // self.steps_per_epoch + 1
        self.report.points.append(
            MetricPoint(name=name, per=per, step=step, epoch=epoch, value=value, time=time.time())
        )

    # End of an epoch

    def finish_epoch(self, keep_going: Callable[[], bool]) -> bool:
        """Validate, advance the epoch's scheduler, record the epoch; returns whether the run has converged."""
        validation = self._validate(keep_going) if "validation" in self._inputs else {}
        self.settle_losses()
        row = {f"train_{name}": value for name, value in self._metrics.results(self.hooks, "train").items()}
        if "loss" in validation:
            row["val_loss"] = validation.pop("loss")
        row |= validation
        row["learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        self._advance_scheduler(row)
        self._history.append(row)
        self._metrics = EpochMetrics(self._named)
        self.is_at_epoch_end = False
        for name, value in row.items():
            self._point(name, "epoch", value)
        if not self.hooks.has("has_converged"):
            return False
        return self.hooks.has_converged(pd.DataFrame(self._history), self.completed_epochs)

    def _advance_scheduler(self, row: dict[str, float]) -> None:
        if self._scheduler is None or self._train["lr_scheduler"]["interval"] == "step":
            return
        if isinstance(self._scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(row.get("val_loss", row["train_loss"]))
        else:
            self._scheduler.step()

    def _validate(self, keep_going: Callable[[], bool]) -> dict[str, float]:
        before = RngState.capture(cuda=self._cuda)
        buffers = [buffer.clone() for buffer in self.model.buffers()]
        epoch = self.step // self.steps_per_epoch - 1
        metrics = EpochMetrics(self._named)
        self.model.eval()
        try:
            in_order = list(self._file_order("validation"))
            rest = [(epoch, positions) for positions in in_order]
            with torch.no_grad(), self._inputs["validation"].pass_over(lambda given: rest[given:]):
                for positions in in_order:
                    _go_on_or_stop(keep_going)
                    self._validate_minibatch(metrics, epoch, positions)
            return metrics.results(self.hooks, "validation")
        except StoppedInValidationError:
            # The whole pass is made again: it must find the buffers as this one did.
            for buffer, earlier in zip(self.model.buffers(), buffers, strict=True):
                buffer.copy_(earlier)
            raise
        finally:
            before.restore()

    def _validate_minibatch(self, metrics: EpochMetrics, epoch: int, positions: list[int]) -> None:
        minibatch = self._minibatch("validation", epoch, positions)
        with self._autocast():
            result = self._forward(minibatch, "validation")
        count_minibatch(metrics, self.hooks, result, minibatch, "validation", len(positions))

    def _file_order(self, mode: Mode) -> Iterator[list[int]]:
        size, rows = self._train["batch_size"], len(self._inputs[mode])
        return (list(range(start, min(start + size, rows))) for start in range(0, rows, size))

    # Run state

    def weights(self) -> dict[str, torch.Tensor]:
        state = state_of(self.model)
        return {name: value.detach() for name, value in state.items() if isinstance(value, torch.Tensor)}

    def state(self) -> dict[str, Any]:
        """Everything but the weights that the run needs to go on exactly as if it had never stopped."""
        self.settle_losses()
        model = state_of(self.model)
        return {
            "step": self.step,
            "epoch_end_pending": self.is_at_epoch_end,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict() if self._scheduler is not None else None,
            "scaler": self._scaler.state_dict() if self._scaler else None,
            "rng": self._rng.to_plain(),
            "metrics": self._metrics.to_plain(),
            "history": self._history,
            "extra": {name: value for name, value in model.items() if not isinstance(value, torch.Tensor)},
            "gradients": self._gradients(),
            "requires_grad": {name: one.requires_grad for name, one in parameters_of(self.model).items()},
        }

    def _gradients(self) -> dict[str, torch.Tensor]:
        """Gradients, when the run stands inside a group of accumulated minibatches."""
        if not self.is_inside_group:
            return {}
        named = parameters_of(self.model).items()
        return {name: parameter.grad for name, parameter in named if parameter.grad is not None}

    def restore(self, weights: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        """Take over a saved run state."""
        self.model.load_state_dict(as_named_in(self.model, {**weights, **state["extra"]}))
        load_optimizer_state(self.optimizer, state["optimizer"])
        if self._scheduler is not None:
            self._scheduler.load_state_dict(state["scheduler"])
        if self._scaler:
            self._scaler.load_state_dict(state["scaler"])
        parameters = parameters_of(self.model)
        for name, required in state["requires_grad"].items():
            parameters[name].requires_grad_(required)
        for name, gradient in state["gradients"].items():
            parameters[name].grad = gradient.to(self.device)
        self._take_position(state)

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Take the place of another run that stands at this state; weights and optimizer are seen to elsewhere.

        The scheduler is the run's own, as if it had been there from the first step on.
        """
        if self._scaler and state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        parameters = parameters_of(self.model)
        for name, gradient in state["gradients"].items():
            if name in parameters and parameters[name].shape == gradient.shape:
                parameters[name].grad = gradient.to(parameters[name])
        self._take_position(state)
        self._replay_scheduler()

    def _take_position(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.is_at_epoch_end = state["epoch_end_pending"]
        self._history = state["history"]
        self._metrics = EpochMetrics.from_plain(self._named, state["metrics"])
        self._rng = RngState.from_plain(state["rng"])

    def _replay_scheduler(self) -> None:
        with warnings.catch_warnings():
            # The optimizer has made its steps, in another run.
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            for row in self._history:
                self._advance_scheduler(row)
            if self._scheduler is not None and self._train["lr_scheduler"]["interval"] == "step":
                for _ in range(self._optimizer_steps()):
                    self._scheduler.step()

    def _optimizer_steps(self) -> int:
        """How often the optimizer has stepped up to here: once for each complete group of minibatches."""
        size = self._train["gradient_accumulation_steps"]
        epochs, within = divmod(self.step, self.steps_per_epoch)
        return int(epochs * -(-self.steps_per_epoch // size) + within // size)

    def storages(self) -> list[torch.UntypedStorage]:
        """Memory on the device that the run holds between leases."""
        parameters = list(self.model.parameters())
        gradients = [parameter.grad for parameter in parameters]
        return storages_on(self.device, parameters, list(self.model.buffers()), gradients, self.optimizer.state)

    def drop_spent_gradients(self) -> None:
        """Let go of gradients that the optimizer has used: the next minibatch clears them anyway."""
        if not self.is_inside_group:
            self._clear_gradients()


def _go_on_or_stop(keep_going: Callable[[], bool]) -> None:
    if not keep_going():
        raise StoppedInValidationError
