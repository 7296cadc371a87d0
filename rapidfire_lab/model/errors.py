"""The errors that authors and users of model templates meet."""

from __future__ import annotations

from rapidfire_lab.errors import DataError, RapidfireLabError


class InvalidModelClassError(RapidfireLabError, ValueError):
    """A model file or class does not keep to what a model template must be."""


class InvalidParamsFormatError(RapidfireLabError, ValueError):
    """What ``dump_parameters()`` gave cannot be stored, or what is stored is not what was written."""


class InvalidDatasetFormatError(DataError):
    """A data set is not in the format of its task."""


class MissingDependencyError(RapidfireLabError, ImportError):
    """A library that a model or data set needs is not installed."""


InvalidDatasetFormatException = InvalidDatasetFormatError
