"""Result packages for common tasks, and around metrics of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.metrics import (
    AbstractBaseMetric,
    AccuracyMetric,
    F1ScoreMetric,
    MeanAbsoluteErrorMetric,
    MeanSquaredErrorMetric,
    PrecisionRecallCurveAUCMetric,
    ROCAUCMetric,
)
from rapidfire_lab.saving.result_packages import AbstractResultPackage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class GeneralResultPackage(AbstractResultPackage):
    """Metrics of one's choice: classes that are made with true and predicted labels."""

    def __init__(
        self,
        metrics_list: Sequence[Callable[[Any, Any], AbstractBaseMetric]],
        strict_content_check: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__("GeneralResultPackage", strict_content_check, **kwargs)
        self.metrics_list = metrics_list

    def prepare_results_dict(self) -> dict[str, Any]:
        self.qa_check_metrics_list()
        results: dict[str, Any] = {}
        for metric in self.metrics_list:
            results.update(metric(self.y_true, self.y_predicted).get_metric_dict())
        return results

    def qa_check_metrics_list(self) -> None:
        if not self.metrics_list:
            self.warn_about_result_data_problem("the list of metrics is empty")
        for metric in self.metrics_list:
            if isinstance(metric, type) and not issubclass(metric, AbstractBaseMetric):
                self.warn_about_result_data_problem(f"{metric.__name__} is no AbstractBaseMetric")


class BinaryClassificationResultPackage(AbstractResultPackage):
    """Accuracy, ROC AUC, precision-recall AUC and F1 of probabilities of the positive class."""

    def __init__(self, positive_class_thresh: float = 0.5, strict_content_check: bool = False, **kwargs: Any) -> None:
        super().__init__("BinaryClassificationResult", strict_content_check, **kwargs)
        self.positive_class_thresh = positive_class_thresh

    def prepare_results_dict(self) -> dict[str, Any]:
        labels, threshold = (self.y_true, self.y_predicted), self.positive_class_thresh
        areas = ROCAUCMetric(*labels) + PrecisionRecallCurveAUCMetric(*labels)
        return {
            **AccuracyMetric(*labels, positive_class_thresh=threshold).get_metric_dict(),
            **areas,
            **F1ScoreMetric(*labels, positive_class_thresh=threshold).get_metric_dict(),
        }


class ClassificationResultPackage(AbstractResultPackage):
    """Accuracy of classes, or of scores per class."""

    def __init__(self, strict_content_check: bool = False, **kwargs: Any) -> None:
        super().__init__("ClassificationResult", strict_content_check, **kwargs)

    def prepare_results_dict(self) -> dict[str, Any]:
        return AccuracyMetric(self.y_true, self.y_predicted, positive_class_thresh=None).get_metric_dict()


class RegressionResultPackage(AbstractResultPackage):
    """Mean squared and mean absolute error."""

    def __init__(self, strict_content_check: bool = False, **kwargs: Any) -> None:
        super().__init__("RegressionResult", strict_content_check, **kwargs)

    def prepare_results_dict(self) -> dict[str, Any]:
        return MeanSquaredErrorMetric(self.y_true, self.y_predicted) + MeanAbsoluteErrorMetric(
            self.y_true, self.y_predicted
        )


class HFEvaluateResultPackage(AbstractResultPackage):
    """A metric of Hugging Face's evaluate; its results end in ``_HFEvaluate``.

    Parameters
    ----------
    hf_evaluate_metric
        An ``EvaluationModule``.
    use_models_additional_results
        Whether what was given to ``prepare_result_package`` as ``additional_results`` goes to the metric too.
    **kwargs
        What else the metric is given.
    """

    def __init__(self, hf_evaluate_metric: Any, use_models_additional_results: bool = True, **kwargs: Any) -> None:
        super().__init__("HuggingFace Evaluate metrics", **kwargs)
        self.metric = hf_evaluate_metric
        self.use_models_additional_results = use_models_additional_results

    def prepare_results_dict(self) -> Any:
        given = self.additional_results.get("additional_results", {}) if self.use_models_additional_results else {}
        inputs = {**self.package_metadata, **given}
        found = self.metric.compute(references=self.y_true, predictions=self.y_predicted, **inputs)
        return {f"{name}_HFEvaluate": value for name, value in found.items()} if isinstance(found, dict) else found


class TorchMetricsPackage(AbstractResultPackage):
    """A metric, or a collection, of torchmetrics; its results end in ``_PTLMetrics``."""

    def __init__(self, torch_metrics: Any) -> None:
        super().__init__("Torch Metrics", np_array=False)
        self.metric = torch_metrics

    def prepare_results_dict(self) -> dict[str, Any]:
        found = self.metric(self.y_predicted, self.y_true)
        named = found if isinstance(found, dict) else {type(self.metric).__name__: found}
        return {f"{name}_PTLMetrics": value for name, value in named.items()}

    def metric_compute(self) -> Any:
        return self.metric.compute()

    def metric_reset(self) -> None:
        self.metric.reset()
