"""Names, signatures and constants as users of Rafiki and SINGA-Auto know them."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import rapidfire_lab.model
from rapidfire_lab.model import advisor, constants, datasets, dev, knobs, parameters
from rapidfire_lab.model.constants import ModelDependency

MODEL = rapidfire_lab.model

# (where, name): its parameters as the reference page writes them, without annotations.
SIGNATURES = {
    (MODEL.BaseModel, "__init__"): "(self, **knobs)",
    (MODEL.BaseModel, "get_knob_config"): "()",
    (MODEL.BaseModel, "train"): "(self, dataset_path, shared_params=None, **train_args)",
    (MODEL.BaseModel, "evaluate"): "(self, dataset_path)",
    (MODEL.BaseModel, "predict"): "(self, queries)",
    (MODEL.BaseModel, "dump_parameters"): "(self)",
    (MODEL.BaseModel, "load_parameters"): "(self, params)",
    (MODEL.BaseModel, "destroy"): "(self)",
    (MODEL.BaseModel, "teardown"): "()",
    (MODEL, "CategoricalKnob"): "(values)",
    (MODEL, "KnobValue"): "(value)",
    (MODEL, "IntegerKnob"): "(value_min, value_max, is_exp=False)",
    (MODEL, "FloatKnob"): "(value_min, value_max, is_exp=False)",
    (MODEL, "FixedKnob"): "(value)",
    (MODEL, "PolicyKnob"): "(policy)",
    (MODEL, "ArchKnob"): "(items)",
    (dev, "test_model_class"): "(model_file_path, model_class, task, dependencies, train_dataset_path, "
    "val_dataset_path, test_dataset_path=None, budget=None, train_args=None, queries=None)",
    (dev, "tune_model"): "(py_model_class, train_dataset_path, val_dataset_path, test_dataset_path=None, budget=None, "
    "train_args=None)",
    (dev, "make_predictions"): "(queries, task, py_model_class, proposal, params)",
    (dev, "inform_user"): "(msg)",
    (dev, "warn_user"): "(msg)",
    (MODEL.LoggerUtils, "define_loss_plot"): "(self)",
    (MODEL.LoggerUtils, "log_loss"): "(self, loss, epoch)",
    (MODEL.LoggerUtils, "define_plot"): "(self, title, metrics, x_axis=None)",
    (MODEL.LoggerUtils, "log"): "(self, msg='', **metrics)",
    (MODEL.LoggerUtils, "set_logger"): "(self, logger)",
    (MODEL.LoggerUtils, "parse_log_line"): "(log_line)",
    (MODEL.LoggerUtils, "parse_logs"): "(log_lines)",
    (MODEL.DatasetUtils, "load_dataset_of_corpus"): r"(self, dataset_path, tags=None, split_by='\\n')",
    (MODEL.DatasetUtils, "load_dataset_of_image_files"): "(self, dataset_path, min_image_size=None, "
    "max_image_size=None, mode='RGB', if_shuffle=False)",
    (MODEL.DatasetUtils, "load_dataset_of_audio_files"): "(self, dataset_path, dataset_dir)",
    (MODEL.DatasetUtils, "normalize_images"): "(self, images, mean=None, std=None)",
    (MODEL.DatasetUtils, "transform_images"): "(self, images, image_size=None, mode=None)",
    (MODEL.DatasetUtils, "load_images"): "(self, image_paths, mode='RGB')",
    (MODEL, "ImageFilesDataset"): "(dataset_path, min_image_size=None, max_image_size=None, mode='RGB', "
    "if_shuffle=False)",
    (MODEL, "CorpusDataset"): "(dataset_path, tags, split_by)",
    (datasets, "AudioFilesDataset"): "(dataset_path, dataset_dir)",
    (MODEL, "load_model_class"): "(model_file_bytes, model_class, temp_mod_name=None)",
    (MODEL, "parse_model_install_command"): "(dependencies, enable_gpu=False)",
    (MODEL, "serialize_knob_config"): "(knob_config)",
    (MODEL, "deserialize_knob_config"): "(knob_config_bytes)",
    (advisor.BaseAdvisor, "propose"): "(self, worker_id, trial_no)",
    (advisor.BaseAdvisor, "feedback"): "(self, worker_id, result)",
    (advisor.BaseAdvisor, "is_compatible"): "(knob_config, budget)",
    (advisor, "TrialResult"): "(proposal, score=None)",
    (parameters.FileParamStore, "save"): "(self, params)",
    (parameters.FileParamStore, "load"): "(self, params_id)",
}


@pytest.mark.parametrize(("where", "name"), SIGNATURES, ids=lambda part: getattr(part, "__name__", part))
def test_signatures_are_those_of_the_reference(where, name):
    signature = inspect.signature(getattr(where, name))
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    written = str(inspect.Signature(bare))
    assert written == SIGNATURES[where, name]


def test_proposals_take_what_rafikis_do():
    names = ["trial_no", "knobs", "params_type", "to_eval", "to_cache_params", "to_save_params", "meta", "trial_id"]
    assert list(inspect.signature(advisor.Proposal).parameters) == names


EXPORTED = [
    "BaseModel", "BaseKnob", "CategoricalKnob", "IntegerKnob", "FloatKnob", "FixedKnob", "PolicyKnob",
    "ArchKnob", "KnobValue", "CategoricalValue", "Knobs", "KnobConfig", "Params", "LoggerUtils", "DatasetUtils",
    "ImageFilesDataset", "CorpusDataset", "utils", "logger", "dataset", "load_model_class",
    "parse_model_install_command", "serialize_knob_config", "deserialize_knob_config", "ImageClfBase",
    "PosTagModel", "TabularClfModel", "ObjtDetModel",
]  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED)
def test_what_model_files_import_is_there(name):
    assert hasattr(MODEL, name)
    assert name in MODEL.__all__


def test_utils_holds_the_other_two():
    assert MODEL.utils.logger is MODEL.logger
    assert MODEL.utils.dataset is MODEL.dataset


CONSTANTS = {
    "BudgetOption": ["TIME_HOURS", "GPU_COUNT", "MODEL_TRIAL_COUNT", "DIST_WORKERS"],
    "InferenceBudgetOption": ["GPU_COUNT"],
    "TrialStatus": ["PENDING", "RUNNING", "ERRORED", "COMPLETED"],
    "TrainJobStatus": ["STARTED", "RUNNING", "STOPPED", "ERRORED"],
    "InferenceJobStatus": ["STARTED", "RUNNING", "ERRORED", "STOPPED"],
    "ModelAccessRight": ["PUBLIC", "PRIVATE"],
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_their_own_names(name):
    assert [getattr(getattr(constants, name), value) for value in CONSTANTS[name]] == CONSTANTS[name]


def test_dependencies_are_names_of_packages():
    values = {name: value for name, value in vars(ModelDependency).items() if name.isupper()}
    assert values == {
        "TENSORFLOW": "tensorflow",
        "KERAS": "Keras",
        "SCIKIT_LEARN": "scikit-learn",
        "TORCH": "torch",
        "TORCHVISION": "torchvision",
        "SINGA": "singa",
        "XGBOOST": "xgboost",
        "DS_CTCDECODER": "ds-ctcdecoder",
    }
    assert knobs.POLICIES == ["SHARE_PARAMS", "EARLY_STOP", "SKIP_TRAIN", "QUICK_EVAL", "DOWNSCALE"]


def test_the_base_takes_no_name_that_a_knob_may_have():
    public = {name for name in vars(MODEL.BaseModel) if not name.startswith("_")}
    assert public == {
        "get_knob_config", "train", "evaluate", "predict", "dump_parameters", "load_parameters", "destroy", "teardown",
    }  # fmt: skip


def test_importing_loads_no_library():
    program = "import sys, rapidfire_lab.model.dev\nprint(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"mlflow", "numpy", "pandas", "PIL", "safetensors", "sklearn", "torch"}
    assert not heavy & set(finished.stdout.split())
