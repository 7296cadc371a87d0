"""Which modules of other packages ours stand in for. A further package is a further table.

A table has the modules of a package by their full names, each with ours that have its public names, in the order in
which they are asked. Packages in between exist by themselves.
"""

from __future__ import annotations

_SAVING = "rapidfire_lab.saving"

AITOOLBOX = {
    "aitoolbox.cloud": (f"{_SAVING}.cloud_options",),
    "aitoolbox.cloud.AWS.data_access": (f"{_SAVING}.cloud",),
    "aitoolbox.cloud.AWS.model_load": (f"{_SAVING}.cloud_loading",),
    "aitoolbox.cloud.AWS.model_save": (f"{_SAVING}.cloud_models",),
    "aitoolbox.cloud.AWS.results_save": (f"{_SAVING}.cloud_results",),
    "aitoolbox.cloud.GoogleCloud.data_access": (f"{_SAVING}.cloud",),
    "aitoolbox.cloud.GoogleCloud.model_load": (f"{_SAVING}.cloud_loading",),
    "aitoolbox.cloud.GoogleCloud.model_save": (f"{_SAVING}.cloud_models",),
    "aitoolbox.cloud.GoogleCloud.results_save": (f"{_SAVING}.cloud_results",),
    "aitoolbox.experiment.core_metrics.abstract_metric": (f"{_SAVING}.metrics",),
    "aitoolbox.experiment.core_metrics.classification": (f"{_SAVING}.metrics",),
    "aitoolbox.experiment.core_metrics.regression": (f"{_SAVING}.metrics",),
    "aitoolbox.experiment.experiment_saver": (f"{_SAVING}.experiment_saver", f"{_SAVING}.interface"),
    "aitoolbox.experiment.local_experiment_saver": (f"{_SAVING}.local_experiment_saver", f"{_SAVING}.interface"),
    "aitoolbox.experiment.local_load.local_model_load": (f"{_SAVING}.model_loading",),
    "aitoolbox.experiment.local_save.folder_create": (f"{_SAVING}.folder",),
    "aitoolbox.experiment.local_save.local_model_save": (f"{_SAVING}.local_models", f"{_SAVING}.model_remover"),
    "aitoolbox.experiment.local_save.local_results_save": (f"{_SAVING}.local_results",),
    "aitoolbox.experiment.result_package.abstract_result_packages": (f"{_SAVING}.result_packages",),
    "aitoolbox.experiment.result_package.basic_packages": (f"{_SAVING}.basic_packages",),
    "aitoolbox.experiment.result_package.hf_evaluate_packages": (f"{_SAVING}.basic_packages",),
    "aitoolbox.experiment.result_package.torch_metrics_packages": (f"{_SAVING}.basic_packages",),
    "aitoolbox.experiment.result_reporting.hyperparam_reporter": (f"{_SAVING}.hyperparameters",),
    "aitoolbox.experiment.result_reporting.report_generator": (f"{_SAVING}.reports",),
    "aitoolbox.experiment.training_history": (f"{_SAVING}.training_history",),
}

PACKAGES = {"aitoolbox": AITOOLBOX}
"""Tables by the name of the package that they stand in for."""
