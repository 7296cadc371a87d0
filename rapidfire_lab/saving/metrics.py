"""Metrics of predictions, each computed when it is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Real
from typing import Any

import numpy as np


class AbstractBaseMetric(ABC):
    """A metric: give it labels, and it has a result (a number, or a dictionary of numbers).

    Parameters
    ----------
    y_true, y_predicted
        True and predicted labels; made numpy arrays unless ``np_array`` is off.
    metric_name
        Its key in dictionaries of results.
    """

    def __init__(self, y_true: Any, y_predicted: Any, metric_name: str, np_array: bool = True) -> None:
        self.y_true = np.array(y_true) if np_array else y_true
        self.y_predicted = np.array(y_predicted) if np_array else y_predicted
        self.metric_name = metric_name
        self.metric_result: Any = None
        self.metric_result = self.calculate_metric()

    @abstractmethod
    def calculate_metric(self) -> Any:
        """Return the result, from ``self.y_true`` and ``self.y_predicted``."""

    def get_metric(self) -> Any:
        return self.metric_result

    def get_metric_dict(self) -> dict[str, Any]:
        return {self.metric_name: self.metric_result}

    def concat_metric(self, other: AbstractBaseMetric | dict[str, Any]) -> dict[str, Any]:
        """Results of this metric and of another, or of a dictionary of them."""
        if isinstance(other, AbstractBaseMetric):
            return {**self.get_metric_dict(), **other.get_metric_dict()}
        if type(other) is not dict:
            raise TypeError(f"a metric is added to a metric or a dict of results, not to {type(other).__name__}")
        return {**self.get_metric_dict(), **other}

    def __add__(self, other: AbstractBaseMetric | dict[str, Any]) -> dict[str, Any]:
        return self.concat_metric(other)

    __radd__ = __add__

    def __str__(self) -> str:
        return f"{self.metric_name}: {self.metric_result}"

    def __len__(self) -> int:
        if self.metric_result is None:
            return 0
        return 1 if isinstance(self.metric_result, Real) else len(self.metric_result)

    def __contains__(self, item: object) -> bool:
        return item == self.metric_name or (isinstance(self.metric_result, dict) and item in self.metric_result)

    def __getitem__(self, item: str) -> Any:
        if item == self.metric_name:
            return self.metric_result
        if item in self:
            return self.metric_result[item]
        raise KeyError(f"{item} is neither {self.metric_name} nor one of its results")

    def __lt__(self, other: Any) -> bool:
        return bool(self._number(self) < self._number(other))

    def __le__(self, other: Any) -> bool:
        return bool(self._number(self) <= self._number(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self._number(self) > self._number(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self._number(self) >= self._number(other))

    @staticmethod
    def _number(value: Any) -> Any:
        result = value.metric_result if isinstance(value, AbstractBaseMetric) else value
        if not isinstance(result, Real):
            raise ValueError(f"only metrics with one number are compared, not {result!r}")  # noqa: TRY004 - as users know it
        return result


class AccuracyMetric(AbstractBaseMetric):
    """Share of predictions that are right.

    Scores per class (two columns or more) stand for the class with the highest. Else ``positive_class_thresh`` divides
    probabilities into two classes; None takes the predictions as they are.
    """

    def __init__(self, y_true: Any, y_predicted: Any, positive_class_thresh: float | None = 0.5) -> None:
        self.positive_class_thresh = positive_class_thresh
        super().__init__(y_true, y_predicted, metric_name="Accuracy")

    def calculate_metric(self) -> float:
        self.y_true, has_scores = _classes(self.y_true), _has_scores(self.y_predicted)
        self.y_predicted = _classes(self.y_predicted)
        if not has_scores and self.positive_class_thresh is not None:
            if np.min(self.y_predicted) >= 0 and np.max(self.y_predicted) <= 1:
                self.y_predicted = self.y_predicted >= self.positive_class_thresh
            else:
                print("predictions are no probabilities between 0 and 1, so the threshold is not applied")
        return float(np.mean(np.ravel(self.y_true) == np.ravel(self.y_predicted)))


def _has_scores(values: np.ndarray) -> bool:
    return values.ndim > 1 and values.shape[1] > 1


def _classes(values: np.ndarray) -> np.ndarray:
    return values.argmax(axis=1) if _has_scores(values) else values


class _SklearnMetric(AbstractBaseMetric):
    """A metric of scikit-learn, which is loaded when the metric is made."""

    name: str
    function: str

    def __init__(self, y_true: Any, y_predicted: Any) -> None:
        super().__init__(y_true, y_predicted, metric_name=self.name)

    def calculate_metric(self) -> float:
        return float(_sklearn(self.function)(self.y_true, self.y_predicted))


class _ThresholdMetric(AbstractBaseMetric):
    """The same on classes that a threshold makes of probabilities."""

    name: str
    function: str

    def __init__(self, y_true: Any, y_predicted: Any, positive_class_thresh: float = 0.5) -> None:
        self.positive_class_thresh = positive_class_thresh
        super().__init__(y_true, y_predicted, metric_name=self.name)

    def calculate_metric(self) -> float:
        return float(_sklearn(self.function)(self.y_true, self.y_predicted > self.positive_class_thresh))


def _sklearn(function: str) -> Any:
    try:
        from sklearn import metrics
    except ImportError:
        raise ImportError("this metric needs scikit-learn; install it: pip install scikit-learn") from None
    return getattr(metrics, function)


class ROCAUCMetric(_SklearnMetric):
    """Area under the receiver operating characteristic."""

    name, function = "ROC_AUC", "roc_auc_score"


class PrecisionRecallCurveAUCMetric(_SklearnMetric):
    """Area under the curve of precision over recall, by trapezoids."""

    name, function = "PrecisionRecall_AUC", "precision_recall_curve"

    def calculate_metric(self) -> float:
        precision, recall, _ = _sklearn(self.function)(self.y_true, self.y_predicted)
        return float(_sklearn("auc")(recall, precision))


class F1ScoreMetric(_ThresholdMetric):
    name, function = "F1_score", "f1_score"


class PrecisionMetric(_ThresholdMetric):
    name, function = "Precision", "precision_score"


class RecallMetric(_ThresholdMetric):
    name, function = "Recall", "recall_score"


class MeanSquaredErrorMetric(_SklearnMetric):
    name, function = "Mean_squared_error", "mean_squared_error"


class MeanAbsoluteErrorMetric(_SklearnMetric):
    name, function = "Mean_absolute_error", "mean_absolute_error"
