"""The runs as a terminal and a notebook show them."""

from __future__ import annotations

import io

from rich.console import Console

from rapidfire_lab import Experiment
from rapidfire_lab.display import RunTable, TerminalView
from rapidfire_lab.display.notebook import NotebookView, render
from rapidfire_lab.display.table import format_seconds, short_knob
from rapidfire_lab.journal import ACTIVE_STATUSES
from tests.conftest import SPECS, paced_config, wait_until


def test_a_terminal_shows_a_live_table_with_bars(experiment, points):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160, color_system=None)
    experiment.run_fit(points, [paced_config(pause=0.02), paced_config(width=9, fault="raise")], wait=False)
    view = TerminalView(RunTable(experiment.reader(), experiment.name), console)
    while any(run.status in ACTIVE_STATUSES for run in experiment.runs()):
        view.update()
    view.close()
    text = screen.getvalue()
    assert "▶ running" in text
    assert "━" in text
    final = text[text.rindex("1 completed, 1 failed") :]
    assert "✓ completed" in final
    assert "✗ failed" in final
    assert "width=9" in final
    assert "Run 2 failed: ValueError: the user's own mistake" in final


def test_output_that_is_no_terminal_gets_lines_and_one_table(experiment, points, capsys):
    experiment.run_fit(points, [paced_config(epochs=1), paced_config(width=9, epochs=1)])
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "run 1  completed  epoch 1/1  100%  train_loss" in text
    assert text.count("2 completed") == 1


def test_a_notebook_shows_an_accessible_table_that_escapes(home, points):
    experiment = Experiment(SPECS / "paced.py", "notebook")
    configs = [paced_config(pause=0.02, note="<script>alert(1)</script>"), paced_config(width=9, note="plain")]
    experiment.run_fit(points, configs, wait=False)
    view = NotebookView(RunTable(experiment.reader(), experiment.name))
    view.follow()
    wait_until(lambda: "2 completed" in view._widget.value, "the notebook view to follow to the end")
    text = view._widget.value
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert '<table aria-label="Runs"' in text
    assert '<th scope="row">1</th>' in text
    assert 'aria-label="Progress of run 1"' in text
    experiment.end()


def test_the_table_of_an_experiment_without_runs(experiment):
    assert "no runs" in render(RunTable(experiment.reader(), experiment.name).snapshot())


def test_short_names():
    assert short_knob("train.optimizer.args.lr") == "lr"
    assert short_knob("train.optimizer.name") == "optimizer"
    assert short_knob("user_knobs.width") == "width"
    assert [format_seconds(value) for value in (None, 5.4, 61, 3661)] == ["", "0:05", "1:01", "1:01:01"]
