"""The tutorial notebook, run from top to bottom in a kernel of its own: once, and again in the same home."""

from __future__ import annotations

import shutil

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import DEADLINE, ROOT, engine_home

DIGITS = ROOT / "examples" / "digits"
REPETITIONS = 2


def execute(folder):
    """Run the tutorial in a folder; an error in a cell fails the test."""
    notebook = nbformat.read(folder / "tutorial.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=DEADLINE, resources={"metadata": {"path": str(folder)}})
    return client.execute()


def texts(notebook):
    """What each code cell printed and returned, by cell id; white space is made single blanks."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.id: " ".join(" ".join(map(text_of, cell.outputs)).split()) for cell in cells}


def text_of(output):
    return output["text"] if output["output_type"] == "stream" else output["data"]["text/plain"]


def tables(notebook):
    """Text of the live tables, in the order of their making."""
    widgets = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return [widget["state"]["value"] for widget in widgets.values() if widget["model_name"] == "HTMLModel"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial") / "digits"
    shutil.copytree(DIGITS, folder, ignore=shutil.ignore_patterns("data", "__pycache__", ".ipynb_checkpoints"))
    home = tmp_path_factory.mktemp("home")
    with engine_home(home, slots=2, tracking=False, device="cpu"):
        return [execute(folder) for _ in range(REPETITIONS)]


@pytest.fixture(params=range(REPETITIONS))
def notebook(request, executed):
    return executed[request.param]


def test_the_saved_notebook_is_valid_and_without_outputs():
    notebook = nbformat.read(DIGITS / "tutorial.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_two_runs_are_trained_and_shown(notebook):
    assert ": 2 completed" in tables(notebook)[0]
    results = texts(notebook)["show-results"]
    assert "val_loss" in results
    assert "top1_accuracy" in results


def test_a_run_is_stopped_resumed_and_another_cloned(notebook):
    told = texts(notebook)
    assert "stopped user" in told["stop"]
    assert "clone" in told["reattach"]
    assert "train_loss" in told["clone"]


def test_the_constructor_cell_reattaches(notebook):
    assert "is live: reattached" in texts(notebook)["reattach"]


def test_everything_is_stopped_and_one_run_deleted_in_the_end(notebook):
    told = texts(notebook)
    assert "stopped 4" in told["cancel"]
    assert "[2, 3, 4, 5, 6, 7]" in told["delete"]
    assert "runs/7/checkpoints/final.safetensors" in told["files"]
    assert "ended; its files are in" in told["end"]


def test_the_second_time_the_experiment_gets_another_name(executed):
    first, second = (texts(notebook)["construct"] for notebook in executed)
    assert "Experiment digits-tutorial created" in first
    assert "'digits-tutorial' is taken by an earlier experiment" in second
    assert "Experiment digits-tutorial_1 created" in second
