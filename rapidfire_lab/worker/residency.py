"""Runs that stay in memory between leases: on the device or, what finds no room there, in the host's."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfire_lab.worker.host_copy import HostCopy, host_bytes_for
from rapidfire_lab.worker.storages import bytes_in

if TYPE_CHECKING:
    from rapidfire_lab.worker.training import TrainingRun


@dataclass
class _Resident:
    training: TrainingRun
    lease: int
    """The lease whose commit this state is; another slot may have gone on since."""
    size: int
    """Bytes on the device."""
    copy: HostCopy | None = None
    """Where its memory is, if that is not on the device."""


class Residency:
    """Run states under budgets in bytes: those used longest ago move from the device to the host, and from there out.

    What is out is on disk: every lease ends with a checkpoint. The last run stays on the device also when it is larger
    than the budget, unless the budget is 0.
    """

    def __init__(self, budget: int, host_budget: int = 0) -> None:
        self._budget = budget
        self._host_budget = host_budget
        self._on_device: OrderedDict[int, _Resident] = OrderedDict()
        self._on_host: OrderedDict[int, _Resident] = OrderedDict()

    def take(self, run: int, base_lease: int) -> TrainingRun | None:
        """Take a run out, onto the device, if what is here is the state that ``base_lease`` committed.

        Raises
        ------
        torch.OutOfMemoryError
            When the device has no room for it; it is still here then.
        """
        resident = self._on_device.get(run) or self._on_host.get(run)
        if resident and resident.copy and resident.lease == base_lease:
            resident.copy.bring_back()
        self._forget(run)
        return resident.training if resident and resident.lease == base_lease else None

    def put(self, run: int, lease: int, training: TrainingRun) -> None:
        self._forget(run)
        self._on_device[run] = _Resident(training, lease, bytes_in(training.storages()))
        least = 1 if self._budget else 0
        while len(self._on_device) > least and self._device_bytes() > self._budget:
            self._move_oldest()

    def vacate(self) -> None:
        """Leave the device."""
        while self._on_device:
            self._move_oldest()

    def clear(self) -> None:
        self._on_device.clear()
        self._on_host.clear()

    def _device_bytes(self) -> int:
        return sum(resident.size for resident in self._on_device.values())

    def _host_bytes(self) -> int:
        return sum(host_bytes_for(resident.size) for resident in self._on_host.values())

    def _forget(self, run: int) -> None:
        self._on_device.pop(run, None)
        self._on_host.pop(run, None)

    def _move_oldest(self) -> None:
        """Move a run from the device to the host, where others make room for it, or out."""
        run, resident = self._on_device.popitem(last=False)
        size = host_bytes_for(resident.size)
        if not 0 < size <= self._host_budget:
            return
        while size + self._host_bytes() > self._host_budget:
            self._on_host.popitem(last=False)
        resident.copy = HostCopy.of(resident.training.storages())
        if resident.copy is not None:
            self._on_host[run] = resident

    @property
    def is_on_device(self) -> bool:
        """Whether any run has memory there."""
        return bool(self._on_device)

    def __len__(self) -> int:
        return len(self._on_device) + len(self._on_host)
