"""Model files in the style of Rafiki, each tried by `test_model_class`."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from rapidfire_lab.model import dev
from rapidfire_lab.model.advisor import Proposal, make_advisor
from rapidfire_lab.model.constants import BudgetOption, ModelDependency
from rapidfire_lab.model.parameters import FileParamStore
from rapidfire_lab.model.source import load_model_file
from tests.model.conftest import TEMPLATES

BUDGET = {BudgetOption.MODEL_TRIAL_COUNT: 3, BudgetOption.TIME_HOURS: 1}
IMAGE = np.linspace(0, 255, 12 * 12 * 3).reshape(12, 12, 3).astype(int).tolist()
SENTENCES = [["word1", "a//b", '"'], ["unheard", "word2"]]
ROWS = [{"size": 5.0, "kind": "new", "noise": 0.0}, {"size": 1.0, "kind": "old", "noise": 0.5}]

MODELS = {
    "decision_tree": ("DecisionTree", "IMAGE_CLASSIFICATION", "digit_zips", [IMAGE, IMAGE], 0.4),
    "svm": ("Svm", "IMAGE_CLASSIFICATION", "digit_zips", [IMAGE], 0.7),
    "arch_cnn": ("ArchCnn", "IMAGE_CLASSIFICATION", "digit_zips", [IMAGE], 0.3),
    "hmm_tagger": ("HmmTagger", "POS_TAGGING", "corpus_zips", SENTENCES, 0.9),
    "bilstm_tagger": ("BiLstmTagger", "POS_TAGGING", "corpus_zips", SENTENCES, 0.5),
    "gradient_boosting": ("Boosting", "TABULAR_REGRESSION", "tables", ROWS, -30.0),
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other take most of the time of such small nets on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=MODELS)
def given(request):
    """A model file, and what `test_model_class` is called with."""
    model_class, task, data, queries, least = MODELS[request.param]
    paths = request.getfixturevalue(data)
    arguments = {
        "model_file_path": str(TEMPLATES / f"{request.param}.py"),
        "model_class": model_class,
        "task": task,
        "dependencies": {ModelDependency.SCIKIT_LEARN: "1.4"},
        "train_dataset_path": paths["train"],
        "val_dataset_path": paths["validation"],
        "test_dataset_path": paths.get("test"),
        "queries": queries,
    }
    return arguments, least


def test_a_model_is_tuned_restored_and_asked(given, capsys):
    arguments, least = given
    predictions, model = dev.test_model_class(**arguments, budget=BUDGET)
    out = capsys.readouterr().out
    assert len(predictions) == len(arguments["queries"])
    assert model.predict(arguments["queries"]) == predictions
    assert model.evaluate(arguments["val_dataset_path"]) > least
    assert "The model was tested without an error." in out
    assert "predicts otherwise" not in out
    assert out.count("| Trial ") == (1 if arguments["model_class"] == "HmmTagger" else 3)


def test_stored_parameters_give_identical_predictions(given, tmp_path):
    arguments, _ = given
    model_class = load_model_file(arguments["model_file_path"], arguments["model_class"])
    knobs = make_advisor(model_class.get_knob_config(), {}).propose("worker", 1).knobs
    trained = model_class(**knobs)
    trained.train(arguments["train_dataset_path"], shared_params=None)
    store = FileParamStore(tmp_path)
    restored = model_class(**knobs)
    restored.load_parameters(store.load(store.save(trained.dump_parameters())))
    assert restored.predict(arguments["queries"]) == trained.predict(arguments["queries"])
    assert restored.evaluate(arguments["val_dataset_path"]) == trained.evaluate(arguments["val_dataset_path"])


def test_trials_share_parameters_where_the_model_takes_them(digit_zips):
    model_class = load_model_file(TEMPLATES / "arch_cnn.py", "ArchCnn")
    paths = digit_zips["train"], digit_zips["validation"]
    proposal, score, params = dev.tune_model(
        model_class, *paths, digit_zips["test"], {**BUDGET, BudgetOption.MODEL_TRIAL_COUNT: 5}
    )
    assert 0 < model_class.shared_trials < 5
    predictions, restored = dev.make_predictions([IMAGE], "IMAGE_CLASSIFICATION", model_class, proposal, params)
    assert np.isclose(sum(predictions[0]), 1)
    assert restored.evaluate(digit_zips["test"]) == score


def test_a_model_file_is_a_program_that_takes_knobs_and_budget_and_writes_nothing_beside_it(digit_zips, tmp_path):
    program = tmp_path / "DecisionTree.py"
    program.write_text((TEMPLATES / "decision_tree.py").read_text())
    flags = ["--max_depth=5", "--criterion", "gini", "--max_image_size=8", "--MODEL_TRIAL_COUNT", "4", "--other=x"]
    finished = subprocess.run(
        [sys.executable, program.name, digit_zips["train"], digit_zips["validation"], *flags],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "{'max_depth': 5, 'criterion': 'gini', 'max_image_size': 8}" in finished.stdout
    assert finished.stdout.count("| Trial ") == 1  # all knobs are given
    assert "'MODEL_TRIAL_COUNT': 4" in finished.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["DecisionTree.py"]


def test_proposals_travel_as_plain_data():
    proposal = Proposal(1, {"depth": 3}, params_type="GLOBAL_BEST", meta={"kind": "search"})
    assert Proposal.from_jsonable(proposal.to_jsonable()) == proposal
