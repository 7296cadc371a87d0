"""The runs as a terminal and a notebook show them."""

from __future__ import annotations

import io
import itertools
import threading
import time

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from rich.console import Console
from traitlets.config import Config

from rapidfire_lab import Experiment
from rapidfire_lab.display import RunTable, TerminalView
from rapidfire_lab.display.bundle import RUNS_MIME_TYPE, WIDGET_MIME_TYPE, html_table
from rapidfire_lab.display.notebook import NotebookView
from rapidfire_lab.display.table import format_seconds, short_knob
from rapidfire_lab.engine.client import EngineClient
from rapidfire_lab.engine.home import EngineHome
from rapidfire_lab.journal import ACTIVE_STATUSES
from tests.conftest import SPECS, engine_home, paced_config, wait_until


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


@pytest.fixture
def shell():
    """An IPython without a kernel that keeps what is displayed."""
    made = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    made.display_pub = CapturingDisplayPublisher()
    yield made
    InteractiveShell.clear_instance()


def view_of(home, experiment, run_ids=None):
    return NotebookView(home, experiment.name, run_ids)


def test_a_notebook_shows_an_accessible_table_that_escapes(home, experiment, points):
    configs = [paced_config(pause=0.02, note="<script>alert(1)</script>"), paced_config(width=9, note="plain")]
    experiment.run_fit(points, configs, wait=False)
    view = view_of(home, experiment)
    view.follow()
    wait_until(lambda: "2 completed" in view.controls.table.value, "the notebook view to follow to the end")
    text = view.controls.table.value
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert '<table aria-label="Runs"' in text
    assert '<th scope="row">1</th>' in text
    assert 'aria-label="Progress of run 1"' in text


def test_one_display_serves_every_viewer_and_ends_with_the_last_state(home, experiment, points, shell):
    experiment.run_fit(points, [paced_config(pause=0.02, epochs=1)], wait=False)
    view = view_of(home, experiment, [1])
    view.follow()
    wait_until(lambda: len(shell.display_pub.outputs) > 1, "the last state to be published")
    first, *_, last = shell.display_pub.outputs
    assert not first["update"]
    assert last["update"]
    assert first["transient"]["display_id"] == last["transient"]["display_id"]
    assert set(first["data"]) == set(last["data"])
    assert set(last["data"]) == {RUNS_MIME_TYPE, WIDGET_MIME_TYPE, "text/html", "text/plain"}
    reference = {"experiment": experiment.name, "run_ids": [1], "home_key": home.key, "api_level": 2}
    assert first["data"][RUNS_MIME_TYPE] == last["data"][RUNS_MIME_TYPE] == reference
    assert last["data"][WIDGET_MIME_TYPE]["model_id"] == view.controls.box.model_id
    assert "1 completed (as of 20" in last["data"]["text/html"]
    head, line = last["data"]["text/plain"].splitlines()
    assert "1 completed (as of 20" in head
    assert line.startswith("run 1  completed  epoch 1/1  100%")
    assert str(home.root) not in str(last)


def test_what_does_not_change_is_not_published_again(home, experiment, points, shell):
    experiment.run_fit(points, [paced_config(epochs=1)], wait=False)
    experiment.wait()
    view = view_of(home, experiment)
    view.update()
    view.close()
    assert len(shell.display_pub.outputs) == 1


def test_the_table_moves_often_and_the_display_seldom(home, experiment, points, shell, monkeypatch):
    experiment.run_fit(points, [paced_config(pause=0.05)], wait=False)
    view = view_of(home, experiment)
    changes = []
    view.controls.table.observe(lambda change: changes.append(time.monotonic()), names="value")
    while experiment.runs()[0].status != "completed":
        view.update()
    view.close()
    assert all(later - earlier > 0.4 for earlier, later in itertools.pairwise(changes[:-1]))
    assert len(shell.display_pub.outputs) <= 1 + len(changes)
    assert "1 completed" in shell.display_pub.outputs[-1]["data"]["text/plain"]


def test_buttons_operate_from_any_thread_and_wake_the_view(home, experiment, points, shell):
    experiment.run_fit(points, [paced_config(pause=0.05, epochs=50), paced_config(width=9, epochs=1)], wait=False)
    view = view_of(home, experiment)
    view.close()
    controls = view.controls
    assert controls.selector.value == 1
    clicking = threading.Thread(target=controls.stop_button.click)
    clicking.start()
    clicking.join()
    assert "Run 1 stops after its present minibatch." in controls.message.value
    wait_until(lambda: "1 stopped" in controls.table.value, "the table to show what the button did")
    experiment.wait()
    controls.stop_button.click()
    assert "Run 1 is stopped: it cannot stop. Possible now: " in controls.message.value
    controls.selector.value = 2
    controls.delete_button.click()
    assert [run.run_id for run in experiment.runs()] == [1, 2]
    assert controls.delete_button.description == "Delete run 2 for good"
    controls.selector.value = 1
    assert controls.delete_button.description == "Delete"
    controls.selector.value = 2
    controls.delete_button.click()
    controls.delete_button.click()
    assert [run.run_id for run in experiment.runs()] == [1]
    wait_until(lambda: controls.selector.options == (1,), "the deleted run to leave the selector")


def test_a_button_starts_no_engine(tmp_path, points):
    with engine_home(tmp_path / "home", slots=1, tracking=False, device="cpu") as home:
        experiment = Experiment(SPECS / "paced.py", "still")
        experiment.run_fit(points, [paced_config(pause=0.1, epochs=50)], wait=False)
        EngineClient(home).stop()
        view = view_of(home, experiment)
        view.controls.stop_button.click()
        assert "The engine is not running." in view.controls.message.value
        assert not EngineClient(home).is_alive()
        view.close()


def test_clones_are_shown_with_the_runs_they_come_from(home, experiment, points):
    experiment.run_fit(points, [paced_config(epochs=1)])
    experiment.run_fit(points, [paced_config(width=9, epochs=1)])
    clone = experiment.clone(1, {"batch_size": 16})
    grandchild = experiment.clone(clone, {"batch_size": 8})
    experiment.delete(clone)
    rows = RunTable(experiment.reader(), experiment.name, [1]).snapshot().rows
    assert [row.run_id for row in rows] == [1, grandchild]
    experiment.wait()


def test_executing_a_cell_again_discards_its_earlier_views(home, experiment, shell, monkeypatch):
    def execute(cell, message):
        parent = {"header": {"msg_id": message}, "metadata": {"cellId": cell}}
        monkeypatch.setattr(shell, "get_parent", lambda: parent, raising=False)
        return view_of(home, experiment)

    first, beside = execute("a", "1"), execute("a", "1")
    other = execute("b", "2")
    again = execute("a", "3")
    closed = [view.controls.box.comm is None for view in (first, beside, other, again)]
    assert closed == [True, True, False, False]
    for view in (first, beside, other, again):
        view.close()


def test_the_table_of_an_experiment_without_runs(experiment):
    assert "no runs" in html_table(RunTable(experiment.reader(), experiment.name).snapshot())


def test_a_home_has_one_key_whatever_path_leads_to_it(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "home")
    key = EngineHome(tmp_path / "home").key
    assert EngineHome(tmp_path / "link").key == key
    assert EngineHome(tmp_path / "other").key != key
    assert len(key) == 16


def test_short_names():
    assert short_knob("train.optimizer.args.lr") == "lr"
    assert short_knob("train.optimizer.name") == "optimizer"
    assert short_knob("user_knobs.width") == "width"
    assert short_knob("user_knobs") == "user_knobs"
    assert [format_seconds(value) for value in (None, 5.4, 61, 3661)] == ["", "0:05", "1:01", "1:01:01"]
