"""Plots and tables of the training history; Keras models."""

from __future__ import annotations

import builtins
from pathlib import Path

import numpy as np
import pytest

from rapidfire_lab.saving import (
    FullKerasExperimentLocalSaver,
    GradientPlotter,
    LocalResultsSaver,
    TrainingHistoryPlotter,
    TrainingHistoryWriter,
)
from rapidfire_lab.saving.training_history import TrainingHistory

PNG = b"\x89PNG"


def test_plots(tmp_path, history):
    history["train/f1"] = 1
    history["train/f1"] = 2
    results = tmp_path / "exp" / "results"
    plotter = TrainingHistoryPlotter(str(results))
    pairs = plotter.generate_report(history, plots_folder_name="plots_epoch_3")
    names = ["plots_epoch_3/loss.png", "plots_epoch_3/accuracy.png", "plots_epoch_3/train_f1.png"]
    assert pairs == [[name, str(results / name)] for name in names]
    assert all(Path(path).read_bytes().startswith(PNG) for _, path in pairs)
    before = [Path(path).read_bytes() for _, path in pairs]
    plotter.generate_report(history, plots_folder_name="plots_epoch_3")
    assert [Path(path).read_bytes() for _, path in pairs] == before
    assert plotter.generate_report(history, file_format="pdf") == [["plots.pdf", str(results / "plots.pdf")]]
    assert (results / "plots.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="png or pdf, not svg"):
        plotter.generate_report(history, file_format="svg")


def test_plots_of_gradients(tmp_path, capsys):
    folder = tmp_path / "exp" / "results"
    pairs = GradientPlotter(str(folder)).generate_report([np.arange(9.0), None, np.ones((2, 2))])
    assert [name for name, _ in pairs] == ["grad_plots/layer_0.png", "grad_plots/layer_2.png"]
    assert all(Path(path).read_bytes().startswith(PNG) for _, path in pairs)
    assert "layer 1 has no gradients" in capsys.readouterr().out


def test_results_are_saved_without_matplotlib(tmp_path, package, history, monkeypatch, capsys):
    load = builtins.__import__

    def without(name, *rest):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    pairs = LocalResultsSaver(str(tmp_path)).save_experiment_results(package, history, "project", "exp")
    assert len(pairs) == 1
    assert "install it: pip install 'rapidfire-lab[plots]'" in capsys.readouterr().out


def test_tables(tmp_path):
    history, writers = TrainingHistory(has_validation=False), {}
    for kind in ("txt", "tsv", "csv"):
        writers[kind] = TrainingHistoryWriter(str(tmp_path))
    for epoch in range(3):
        history += {"loss": 3 - epoch}
        if epoch == 2:
            history["f1"] = {"a": 1}
        for kind, writer in writers.items():
            report = writer.generate_report(history, epoch, f"results.{kind}", "reports", kind)
            assert report == (f"reports/results.{kind}", str(tmp_path / "reports" / f"results.{kind}"))
    rows = ["Epoch,loss", "0,3", "1,2", "NEW_METRICS_DETECTED", "Epoch,loss,f1_a", "2,1,1"]
    assert (tmp_path / "reports/results.csv").read_text().splitlines() == rows
    assert (tmp_path / "reports/results.tsv").read_text().splitlines() == [row.replace(",", "\t") for row in rows]
    rule = "=" * 28
    assert (
        (tmp_path / "reports/results.txt")
        .read_text()
        .startswith(f"{rule}\nEpoch: 0\n{rule}\nloss:\t3\n\n\n{rule}\nEpoch: 1\n")
    )
    with pytest.raises(ValueError, match="txt, tsv or csv, not xml"):
        writers["txt"].generate_report(history, 0, "x", file_format="xml")


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")  # Keras and numpy
def test_keras(tmp_path, package, history, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    import keras

    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    saver = FullKerasExperimentLocalSaver("project", "exp", str(tmp_path / "root"))
    path = saver.save_experiment(model, package, history, "now")[0]
    assert path == str(tmp_path / "root/project/exp_now/model/model_exp_now.h5")
    loaded = keras.models.load_model(path)
    rows = np.ones((4, 3), dtype="float32")
    assert np.array_equal(loaded.predict(rows, verbose=0), model.predict(rows, verbose=0))
