"""Packages of results: labels in, metrics out, ready to be saved."""

from __future__ import annotations

import copy
import shutil
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from rapidfire_lab.saving.training_history import TrainingHistory

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = ("bash_script_path", "experiment_file_path")


class AbstractResultPackage(ABC):
    """Computes results from labels. A package of one's own has a ``prepare_results_dict``.

    Parameters
    ----------
    pkg_name
        Key of the package among several.
    strict_content_check
        Whether a problem with the contents raises ValueError, or is printed.
    np_array
        Whether labels are made numpy arrays; ``"auto"`` does where all have the same length.
    **kwargs
        Kept as ``package_metadata``.
    """

    def __init__(
        self,
        pkg_name: str | None = None,
        strict_content_check: bool = False,
        np_array: bool | str = True,
        **kwargs: Any,
    ) -> None:
        self.pkg_name = pkg_name
        self.strict_content_check = strict_content_check
        self.np_array = np_array
        self.y_true: Any = None
        self.y_predicted: Any = None
        self.additional_results: Any = None
        self.additional_results_dump_paths: list[list[str]] | None = None
        self.results_dict: dict[str, Any] | None = None
        self.requires_loss = False
        self.hyperparameters: Mapping[str, Any] | None = None
        self.package_metadata = kwargs

    @abstractmethod
    def prepare_results_dict(self) -> Any:
        """Return the results, a dictionary of metrics, from ``self.y_true`` and ``self.y_predicted``."""

    def prepare_result_package(
        self, y_true: Any, y_predicted: Any, hyperparameters: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Take labels and compute the results."""
        self.y_true, self.y_predicted = self._converted(y_true), self._converted(y_predicted)
        self.results_dict = None
        self.hyperparameters = hyperparameters
        self.additional_results = kwargs
        self.results_dict = self.prepare_results_dict()

    def _converted(self, labels: Any) -> Any:
        if self.np_array == "auto":
            return self.auto_y_input_array_convert(labels)
        return np.array(labels) if self.np_array is True else labels

    @staticmethod
    def auto_y_input_array_convert(y_array: Any) -> Any:
        """An array of what has the same length everywhere; anything else as it is."""
        lengths = {len(item) if hasattr(item, "__len__") else None for item in y_array}
        return np.array(y_array) if len(lengths) <= 1 else y_array

    def get_results(self) -> Any:
        if self.results_dict is None:
            self.warn_about_result_data_problem("the package has no results; call prepare_result_package first")
        return self.results_dict

    def get_hyperparameters(self) -> Mapping[str, Any]:
        """Hyper-parameters; none are an empty dictionary."""
        self.qa_check_hyperparameters_dict()
        return self.hyperparameters if self.hyperparameters is not None else {}

    def get_additional_results_dump_paths(self) -> list[list[str]] | None:
        """Files of the package's own to be saved too: pairs of the name in the results folder and the local path."""
        self.additional_results_dump_paths = self.list_additional_results_dump_paths()
        self.qa_check_additional_results_dump_paths()
        return self.additional_results_dump_paths

    def list_additional_results_dump_paths(self) -> list[list[str]] | None:
        """Override this to have files of your own saved."""
        return None

    def set_experiment_dir_path_for_additional_results(  # noqa: B027 - a hook, which most packages leave
        self,
        project_name: str,
        experiment_name: str,
        experiment_timestamp: str,
        local_model_result_folder_path: str,
    ) -> None:
        """Override this to hear where the experiment is saved."""

    def qa_check_hyperparameters_dict(self) -> None:
        """Say what the hyper-parameters lack."""
        if self.hyperparameters is None:
            self.warn_about_result_data_problem("the package has no hyperparameters")
            return
        for name in _NAMED:
            if self.hyperparameters.get(name) is None:
                self.warn_about_result_data_problem(f"{name} is not among the hyperparameters")

    def qa_check_additional_results_dump_paths(self) -> None:
        """Raise ValueError where the extra files are no list of pairs of text."""
        paths: Any = self.additional_results_dump_paths
        if paths is None:
            return
        if not isinstance(paths, list):
            raise ValueError(f"additional results must be a list, not {paths!r}")  # noqa: TRY004 - as users know it
        for pair in paths:
            if not isinstance(pair, list) or [type(item) for item in pair] != [str, str]:
                raise ValueError(f"each of the additional results must be [name, path], not {pair!r}")

    def warn_about_result_data_problem(self, msg: str) -> None:
        if self.strict_content_check:
            raise ValueError(msg)
        print(msg)

    @staticmethod
    def zip_additional_results_dump(source_dir_path: str, zip_path: str) -> str:
        """Make a zip file of a folder, and return its path; ``.zip`` is added to ``zip_path``."""
        return shutil.make_archive(zip_path, "zip", source_dir_path)

    def warn_if_results_dict_not_defined(self) -> None:
        if self.results_dict is None:
            raise ValueError("the package has no results; call prepare_result_package first")

    def _prepared(self) -> dict[str, Any]:
        self.warn_if_results_dict_not_defined()
        assert self.results_dict is not None  # noqa: S101 - it is what was asked
        return self.results_dict

    def add_merge_multi_pkg_wrap(self, other_object: AbstractResultPackage | dict[str, Any]) -> Any:
        """A package of copies of this one and another."""
        self.warn_if_results_dict_not_defined()
        both = [copy.deepcopy(self), self._create_other_object_pkg(other_object)]
        wrapper = MultipleResultPackageWrapper()
        wrapper.prepare_result_package(both, self.hyperparameters)
        return wrapper

    @staticmethod
    def _create_other_object_pkg(other_object: AbstractResultPackage | dict[str, Any]) -> AbstractResultPackage:
        if isinstance(other_object, AbstractResultPackage):
            other_object.warn_if_results_dict_not_defined()
            return copy.deepcopy(other_object)
        if type(other_object) is dict:
            return PreCalculatedResultPackage(copy.deepcopy(other_object))
        raise ValueError(f"a package is added to a package or a dict of results, not to {type(other_object).__name__}")

    def add_merge_dicts(self, other: AbstractResultPackage | dict[str, Any]) -> AbstractResultPackage:
        """Take another's results into this package. Raises ValueError where both have a metric."""
        mine, others = self._prepared(), self._create_other_object_pkg(other).get_results()
        twice = [name for name in others if name in mine]
        if twice:
            raise ValueError(f"both packages have {', '.join(twice)}; add them with + to keep both")
        self.results_dict = {**mine, **others}
        return self

    def __add__(self, other: AbstractResultPackage | dict[str, Any]) -> Any:
        return self.add_merge_multi_pkg_wrap(other)

    __radd__ = __add__

    def __iadd__(self, other: AbstractResultPackage | dict[str, Any]) -> Any:
        return self.add_merge_dicts(other)

    def __str__(self) -> str:
        return "\n".join(f"{name}: {result}" for name, result in self._prepared().items())

    def __len__(self) -> int:
        return len(self._prepared())

    def __contains__(self, item: object) -> bool:
        return item in self._prepared()

    def __getitem__(self, item: str) -> Any:
        if item not in self._prepared():
            raise KeyError(f"{item} is not among the results: {', '.join(self._prepared())}")
        return self._prepared()[item]


class PreCalculatedResultPackage(AbstractResultPackage):
    """Results that were computed elsewhere."""

    def __init__(self, results_dict: dict[str, Any], strict_content_check: bool = False, **kwargs: Any) -> None:
        super().__init__("PreCalculatedResult", strict_content_check, **kwargs)
        self.results_dict = results_dict
        self.training_history = TrainingHistory()
        self.hyperparameters = {}

    def prepare_results_dict(self) -> Any:
        return self.results_dict


class MultipleResultPackageWrapper(AbstractResultPackage):
    """Several packages in one; results and labels are keyed by the packages' names."""

    def __init__(self, strict_content_check: bool = False, **kwargs: Any) -> None:
        super().__init__("MultipleResultWrapper", strict_content_check, **kwargs)
        self.result_packages: list[AbstractResultPackage] = []

    def prepare_result_package(  # type: ignore[override]
        self,
        result_packages: list[AbstractResultPackage],
        hyperparameters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.result_packages = result_packages
        self.hyperparameters = hyperparameters
        self.additional_results = kwargs
        self.results_dict = self.prepare_results_dict()

    def prepare_results_dict(self) -> dict[str, Any]:
        named = self._named()
        self.y_true = {name: package.y_true for name, package in named.items()}
        self.y_predicted = {name: package.y_predicted for name, package in named.items()}
        own = {self.pkg_name: self.additional_results} if self.additional_results else {}
        self.additional_results = {**own, **{name: package.additional_results for name, package in named.items()}}
        return {name: package.get_results() for name, package in named.items()}

    def _named(self) -> dict[str, AbstractResultPackage]:
        named: dict[str, AbstractResultPackage] = {}
        for index, package in enumerate(self.result_packages):
            name = f"ResultPackage{index}" if package.pkg_name is None else package.pkg_name
            named[f"{name}{index}" if name in named else name] = package
        return named

    def get_additional_results_dump_paths(self) -> list[list[str]] | None:
        own = self.list_additional_results_dump_paths() or []
        parts = [package.get_additional_results_dump_paths() or [] for package in self.result_packages]
        self.additional_results_dump_paths = [*own, *(pair for part in parts for pair in part)] or None
        self.qa_check_additional_results_dump_paths()
        return self.additional_results_dump_paths

    def add_merge_multi_pkg_wrap(self, other_object: AbstractResultPackage | dict[str, Any]) -> Any:
        added = copy.deepcopy(self)
        added += other_object
        return added

    def __iadd__(self, other: AbstractResultPackage | dict[str, Any]) -> Any:
        self.warn_if_results_dict_not_defined()
        added = self._create_other_object_pkg(other)
        more = added.result_packages if isinstance(added, MultipleResultPackageWrapper) else [added]
        self.prepare_result_package([*self.result_packages, *more], self.hyperparameters, **self.package_metadata)
        return self

    def __str__(self) -> str:
        return "\n".join(f"--> {package.pkg_name}:\n{package}" for package in self.result_packages)

    def __len__(self) -> int:
        return len(self.result_packages)
