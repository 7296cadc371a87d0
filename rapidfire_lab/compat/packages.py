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
    "aitoolbox.cloud.AWS.simple_email_service": ("rapidfire_lab.compat.mail",),
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

_MODEL = "rapidfire_lab.model"


def _model_templates(package: str) -> dict[str, tuple[str, ...]]:
    """Modules of Rafiki, or of SINGA-Auto, which is Rafiki under another name."""
    return {
        f"{package}.advisor": (f"{_MODEL}.advisor",),
        f"{package}.advisor.advisor": (f"{_MODEL}.advisor",),
        f"{package}.advisor.constants": (f"{_MODEL}.advisor",),
        f"{package}.constants": (f"{_MODEL}.constants",),
        f"{package}.model": (_MODEL,),
        f"{package}.model.dataset": (f"{_MODEL}.datasets",),
        f"{package}.model.dev": (f"{_MODEL}.dev",),
        f"{package}.model.knob": (f"{_MODEL}.knobs",),
        f"{package}.model.log": (f"{_MODEL}.logs",),
        f"{package}.model.model": (f"{_MODEL}.base",),
        f"{package}.model.utils": (f"{_MODEL}.toolkit", _MODEL),
        f"{package}.param_store": (f"{_MODEL}.parameters",),
    }


PACKAGES = {
    "aitoolbox": AITOOLBOX,
    "rafiki": _model_templates("rafiki"),
    "singa_auto": _model_templates("singa_auto"),
}
"""Tables by the name of the package that they stand in for."""
