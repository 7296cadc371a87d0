"""Training history, metrics and result packages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from rapidfire_lab.saving.basic_packages import (
    BinaryClassificationResultPackage,
    ClassificationResultPackage,
    GeneralResultPackage,
    HFEvaluateResultPackage,
    RegressionResultPackage,
    TorchMetricsPackage,
)
from rapidfire_lab.saving.metrics import (
    AbstractBaseMetric,
    AccuracyMetric,
    MeanSquaredErrorMetric,
    PrecisionMetric,
    RecallMetric,
)
from rapidfire_lab.saving.result_packages import AbstractResultPackage, PreCalculatedResultPackage
from rapidfire_lab.saving.training_history import TrainingHistory


def test_a_history_appends():
    history = TrainingHistory(has_validation=False)
    assert history.get_train_history() == {"loss": [], "accumulated_loss": []}
    history["loss"] = 2.0
    history += {"loss": 1.0, "accuracy": 0.5}
    longer = history + {"accuracy": 0.6}
    assert history["loss"] == [2.0, 1.0]
    assert (history["accuracy"], longer["accuracy"]) == ([0.5], [0.5, 0.6])
    assert "accuracy" in history
    assert (len(history), list(history), list(history.keys())) == (3, *[["loss", "accumulated_loss", "accuracy"]] * 2)
    assert str(history) == str(dict(history.items()))
    with pytest.raises(TypeError, match="with a dict of values, not with list"):
        history += [1]
    assert TrainingHistory().wrap_pre_prepared_history({"a": [1]})["a"] == [1]


def test_10_nested_metrics_are_flattened():
    history = TrainingHistory(has_validation=False)
    for value in (1, 2):
        history += {"loss": value, "rouge": {"one": value, "two": {"f": value}}}
    flat = history.get_train_history_dict(flatten_dict=True)
    assert flat == {"loss": [1, 2], "accumulated_loss": [], "rouge_one": [1, 2], "rouge_two_f": [1, 2]}
    assert history.get_train_history_dict()["rouge"][0] == {"one": 1, "two": {"f": 1}}


def test_10_only_lengths_that_differ_are_told():
    history = TrainingHistory(strict_content_check=True).wrap_pre_prepared_history({"a": [1, 2], "b": [1, 2]})
    history.qa_check_history_records()
    history["b"] = 3
    with pytest.raises(ValueError, match="b has 3 values, where the first metric has 2"):
        history.qa_check_history_records()
    with pytest.raises(ValueError, match="empty"):
        TrainingHistory(strict_content_check=True).get_train_history_dict()


TRUE, SCORES = [0, 1, 1, 0], [0.2, 0.7, 0.4, 0.6]


def test_binary_classification():
    package = BinaryClassificationResultPackage()
    package.prepare_result_package(TRUE, SCORES, hyperparameters={})
    precision, recall, _ = sklearn_metrics.precision_recall_curve(TRUE, SCORES)
    assert package.get_results() == {
        "Accuracy": 0.5,
        "ROC_AUC": sklearn_metrics.roc_auc_score(TRUE, SCORES),
        "PrecisionRecall_AUC": sklearn_metrics.auc(recall, precision),
        "F1_score": 0.5,
    }
    assert (PrecisionMetric(TRUE, SCORES).get_metric(), RecallMetric(TRUE, SCORES).get_metric()) == (0.5, 0.5)


def test_regression_and_metrics_of_ones_choice():
    package = RegressionResultPackage()
    package.prepare_result_package([1.0, 2.0], [1.0, 4.0])
    assert package.get_results() == {"Mean_squared_error": 2.0, "Mean_absolute_error": 1.0}
    package = GeneralResultPackage([MeanSquaredErrorMetric, AccuracyMetric])
    package.prepare_result_package([1.0, 2.0], [1.0, 4.0])
    assert package.get_results() == {"Mean_squared_error": 2.0, "Accuracy": 0.5}


@pytest.mark.parametrize(
    ("true", "predicted", "threshold", "accuracy"),
    [
        ([0, 2], [[3, 2, 1], [1, 2, 3]], 0.5, 1.0),
        ([[1, 0], [0, 1]], [[3, 1], [3, 1]], 0.5, 0.5),
        ([0, 1], [0.2, 0.4], 0.3, 1.0),
        ([0, 2, 1], [0, 2, 2], None, 2 / 3),
        ([0, 2, 1], [0, 2, 2], 0.5, 2 / 3),
    ],
)
def test_accuracy(true, predicted, threshold, accuracy):
    assert AccuracyMetric(true, predicted, positive_class_thresh=threshold).get_metric() == pytest.approx(accuracy)


def test_metrics_are_added_and_compared():
    good, bad = AccuracyMetric([0, 1], [0, 1]), AccuracyMetric([0, 1], [1, 1])
    assert good > bad
    assert bad <= 0.5 < good
    assert bad >= 0.5
    assert MeanSquaredErrorMetric([1], [2]) + good == {"Mean_squared_error": 1.0, "Accuracy": 1.0}
    assert good + {"other": 3} == {"Accuracy": 1.0, "other": 3}
    assert (str(good), len(good), good["Accuracy"], "Accuracy" in good, "x" in good) == (
        "Accuracy: 1.0",
        1,
        1.0,
        True,
        False,
    )
    with pytest.raises(KeyError):
        good["x"]
    with pytest.raises(ValueError, match="one number"):
        _ = good < "high"
    with pytest.raises(TypeError):
        good + 3


class Spread(AbstractBaseMetric):
    def calculate_metric(self):
        return {"low": self.y_true.min(), "high": self.y_true.max()}


def test_a_metric_of_several_numbers():
    spread = Spread([1, 5], [0, 0], "spread")
    assert (len(spread), spread["high"], "low" in spread, spread["spread"]) == (2, 5, True, {"low": 1, "high": 5})
    with pytest.raises(ValueError, match="one number"):
        _ = spread < 3


def prepared(**more):
    package = ClassificationResultPackage(**more)
    package.prepare_result_package([0, 1], [0, 0], hyperparameters={"lr": 1}, extra="kept")
    return package


def test_packages_are_added():
    both = prepared() + prepared() + {"BLEU": 3}
    assert list(both.get_results()) == ["ClassificationResult", "ClassificationResult1", "PreCalculatedResult"]
    assert both["ClassificationResult1"] == {"Accuracy": 0.5}
    assert both.get_hyperparameters() == {"lr": 1}
    assert both.y_true["ClassificationResult"].tolist() == [0, 1]
    assert both.additional_results["ClassificationResult"] == {"extra": "kept"}
    assert len(both) == 3
    both += prepared()
    assert len(both) == 4


def test_packages_are_merged():
    package = prepared()
    package += {"BLEU": 3}
    assert (package["BLEU"], package["Accuracy"], len(package), "BLEU" in package) == (3, 0.5, 2, True)
    assert str(package) == "Accuracy: 0.5\nBLEU: 3"
    with pytest.raises(ValueError, match="both packages have BLEU"):
        package += PreCalculatedResultPackage({"BLEU": 4})
    with pytest.raises(KeyError, match="Accuracy, BLEU"):
        package["x"]
    with pytest.raises(ValueError, match="to a package or a dict"):
        package + 3


def test_a_package_that_is_not_prepared():
    for action in (len, str, lambda package: package + {}, lambda package: "x" in package):
        with pytest.raises(ValueError, match="call prepare_result_package first"):
            action(ClassificationResultPackage())
    with pytest.raises(ValueError, match="no hyperparameters"):
        ClassificationResultPackage(strict_content_check=True).get_hyperparameters()


class WithFiles(AbstractResultPackage):
    files = None

    def prepare_results_dict(self):
        return {}

    def list_additional_results_dump_paths(self):
        return self.files


@pytest.mark.parametrize("files", ["a", ["a"], [["a"]], [["a", 3]], [("a", "b")]])
def test_extra_files_must_be_pairs_of_text(files):
    package = WithFiles()
    package.files = files
    with pytest.raises(ValueError, match="additional results must be"):
        package.get_additional_results_dump_paths()


def test_extra_files_of_all_packages(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    package = WithFiles()
    package.prepare_result_package([], [])
    package.files = [["a.zip", package.zip_additional_results_dump(str(tmp_path / "in"), str(tmp_path / "a"))]]
    assert (package + package).get_additional_results_dump_paths() == [["a.zip", str(tmp_path / "a.zip")]] * 2


@pytest.mark.parametrize(("np_array", "kind"), [(True, np.ndarray), (False, list), ("auto", np.ndarray)])
def test_labels_become_arrays_if_wanted(np_array, kind):
    package = WithFiles(np_array=np_array)
    package.prepare_result_package([[1, 2], [3, 4]], [[1, 2], [3, 4]])
    assert isinstance(package.y_true, kind)
    assert WithFiles.auto_y_input_array_convert([[1], [1, 2]]) == [[1], [1, 2]]


class Mean(torch.nn.Module):
    """Called as metrics of torchmetrics are."""

    def forward(self, predicted, true):
        return (predicted == true).float().mean()


class Evaluation:
    """Called as metrics of evaluate are."""

    def compute(self, references, predictions, **more):
        return {"same": references == predictions, **more}


def test_metrics_of_other_libraries():
    package = TorchMetricsPackage(Mean())
    package.prepare_result_package(torch.tensor([1, 0]), torch.tensor([1, 1]))
    assert package.get_results() == {"Mean_PTLMetrics": 0.5}
    package = HFEvaluateResultPackage(Evaluation(), np_array=False, scale=2)
    package.prepare_result_package([1], [1], additional_results={"more": 3})
    assert package.get_results() == {"same_HFEvaluate": True, "scale_HFEvaluate": 2, "more_HFEvaluate": 3}
