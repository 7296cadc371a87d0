"""The errors that users meet. Each message names the thing at fault and the remedy."""

from __future__ import annotations


class RapidfireLabError(Exception):
    """Base of every error that rapidfire-lab raises on purpose."""


class ConfigError(RapidfireLabError, ValueError):
    """A config, config group or knob cannot be used as given."""


class DataError(RapidfireLabError, ValueError):
    """An Example Structure File, locator or data handle cannot be used as given."""


class SpecError(RapidfireLabError, ValueError):
    """The MLSpec file cannot be used, or changed under a live experiment."""


class EngineError(RapidfireLabError, RuntimeError):
    """The engine cannot be reached, started or used."""


class PolicyError(RapidfireLabError, ValueError):
    """A function cannot be used as a policy."""


class OperationError(RapidfireLabError, RuntimeError):
    """An operation on a run or an experiment is not legal in its present state."""


class NotFoundError(OperationError):
    """There is no such experiment or run."""


class StaleError(OperationError):
    """A run is no longer in the status that its user saw; nothing was done."""


class StorageError(RapidfireLabError, RuntimeError):
    """A file could not be put into a store or fetched from it. Nothing local is lost."""


class ObjectNotFoundError(StorageError):
    """A store has no object of this name."""


class TransferCancelledError(StorageError):
    """A transfer was cancelled; the next one goes on from what is there."""


class JobError(RapidfireLabError, RuntimeError):
    """A test or a prediction failed, or was cancelled."""


ERRORS: dict[str, type[RapidfireLabError]] = {
    cls.__name__: cls
    for cls in (
        RapidfireLabError,
        ConfigError,
        DataError,
        SpecError,
        EngineError,
        PolicyError,
        OperationError,
        NotFoundError,
        StaleError,
        JobError,
        StorageError,
        ObjectNotFoundError,
        TransferCancelledError,
    )
}
"""By name, so that an error can cross the wire and be raised as itself on the other side."""
