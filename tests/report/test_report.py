"""Reports over journals that are made up, and over a search that really trained."""

from __future__ import annotations

import itertools
import math
import random
import re
import stat
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from rapidfire_lab import ASHA, ConfigError, Experiment, NotFoundError, OperationError, Range
from rapidfire_lab.journal import JournalWriter, MetricPoint
from rapidfire_lab.report import Report
from rapidfire_lab.report.axes import axis_of
from rapidfire_lab.report.findings import WITHOUT_SEARCH, find
from rapidfire_lab.report.page import body, page
from tests.conftest import SPECS, paced_config
from tests.server.conftest import BEGIN, STEPS_PER_EPOCH, add_experiment, add_run, config

EPOCHS = 4


@pytest.fixture
def journal(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "first") as writer:
        yield writer


def add(journal, experiment, losses, *, status="completed", ended_by="epochs", seconds=None, leaf=None, **columns):
    """A run with these losses, one for each epoch that it has trained; it took a second for each."""
    step = len(losses) * STEPS_PER_EPOCH
    seconds = float(len(losses)) if seconds is None else seconds
    options = {"status": status, "step": step, "ended_by": ended_by, "seconds": seconds, **columns}
    key = add_run(journal, experiment, leaf=leaf, **options)
    for epoch, loss in enumerate(losses, start=1):
        values = {"val_loss": loss, "top1_accuracy": 1 - loss, "learning_rate": 0.1}
        journal.add_points(
            key,
            [
                MetricPoint(name=name, per="epoch", step=epoch * STEPS_PER_EPOCH, epoch=epoch, value=value, time=BEGIN)
                for name, value in values.items()
            ],
        )
    return key


def leaf_of(rate, **knobs):
    leaf = config(**knobs)
    leaf["train"]["optimizer"]["args"]["lr"] = rate
    return leaf


def record(journal, tmp_path, name="digits"):
    made = add_experiment(journal, tmp_path, name)
    return journal.experiment_by_id(made)


def searched(journal, tmp_path, runs=24):
    """A search over three knobs, of which the loss depends on the learning rate alone; two thirds are dropped."""
    experiment = record(journal, tmp_path)
    rng = random.Random(1)
    definition = {"metrics": [["val_loss", "min"]], "algorithm": {"kind": "halving"}}
    journal.add_search(experiment.id, "asha", definition, 1)
    for number in range(runs):
        rate = 10 ** rng.uniform(-4, -1)
        leaf = leaf_of(rate, width=rng.choice([8, 16, 32]), shape=rng.choice(["<b>round</b>", "square"]))
        loss = 0.1 + abs(math.log10(rate) + 2) / 10
        is_kept = loss < 0.16
        key = add(
            journal,
            experiment.id,
            [loss] * (EPOCHS if is_kept else 1),
            leaf=leaf,
            **({} if is_kept else {"status": "stopped", "ended_by": "search"}),
        )
        journal._db.execute("UPDATE runs SET search = 'asha', trial = ? WHERE id = ?", (number, key))
    return experiment


def test_runs_are_ranked_by_what_the_search_compared(journal, tmp_path):
    with journal.transaction():
        experiment = searched(journal, tmp_path)
    found = find(journal, experiment)
    assert (found.metric, found.mode, found.others) == ("val_loss", "min", 0)
    losses = [row.metrics["val_loss"] for row in found.ranked]
    assert losses == sorted(losses)
    assert len(losses) == 24
    other = find(journal, experiment, "top1-accuracy")
    assert other.mode == "max"
    assert other.ranked[0].run_id == found.ranked[0].run_id
    assert find(journal, experiment, mode="max").ranked[0].run_id == found.ranked[-1].run_id


def test_the_knob_that_matters_comes_first_whoever_was_dropped(journal, tmp_path):
    with journal.transaction():
        experiment = searched(journal, tmp_path)
    importance = find(journal, experiment).importance
    assert (importance.epoch, importance.runs, importance.reason) == (1, 24, "")
    assert next(iter(importance.shares)) == "train.optimizer.args.lr"
    assert importance.shares["train.optimizer.args.lr"] > 0.5
    assert sum(importance.shares.values()) == pytest.approx(1.0)
    assert find(journal, experiment).knobs[0] == "train.optimizer.args.lr"


def test_what_was_saved_is_what_searches_and_policies_dropped(journal, tmp_path):
    with journal.transaction():
        experiment = record(journal, tmp_path)
        add(journal, experiment.id, [0.5] * EPOCHS, seconds=8.0)
        add(journal, experiment.id, [0.6], status="stopped", ended_by="policy", seconds=3.0)
        add(journal, experiment.id, [0.7], status="stopped", ended_by="user")
        add(journal, experiment.id, [0.8], status="completed", ended_by="converged")
        key = add(journal, experiment.id, [0.4, 0.4, 0.3, 0.2], parent=1, seconds=4.0)
        journal._db.execute("UPDATE runs SET parent_step = 200, continue_position = 1 WHERE id = ?", (key,))
    [cost] = find(journal, experiment).costs
    assert cost.name == WITHOUT_SEARCH
    assert (cost.runs, cost.trained, cost.whole, cost.saved) == (5, 4 + 1 + 1 + 1 + 2, 4 * EPOCHS + 2, 3.0)
    assert cost.seconds_saved == pytest.approx(3 * 3.0)
    assert cost.share == pytest.approx(3 / 18)


def test_searches_and_other_runs_are_told_apart_and_added_up(journal, tmp_path):
    with journal.transaction():
        experiment = searched(journal, tmp_path)
        add(journal, experiment.id, [0.9] * EPOCHS)
    costs = {cost.name: cost for cost in find(journal, experiment).costs}
    assert list(costs) == ["asha", WITHOUT_SEARCH, "all runs"]
    assert costs["all runs"].saved == costs["asha"].saved > 0
    assert costs["all runs"].whole == 25 * EPOCHS


def test_without_runs_epochs_or_the_metric_it_says_so(journal, tmp_path):
    with journal.transaction():
        empty = record(journal, tmp_path, "empty")
        young = record(journal, tmp_path, "young")
        add(journal, young.id, [], status="running", ended_by=None)
        grown = record(journal, tmp_path, "grown")
        add(journal, grown.id, [0.5])
    with pytest.raises(NotFoundError, match=r"'empty' has no runs to report on: train some with run_fit"):
        find(journal, empty)
    with pytest.raises(NotFoundError, match="No run of experiment 'young' has completed an epoch"):
        find(journal, young)
    with pytest.raises(ConfigError, match=r"no metric 'val_los' of epochs; did you mean 'val_loss'\? Known: val_l"):
        find(journal, grown, "val_los")
    with pytest.raises(ConfigError, match='mode must be "min" or "max", not \'least\''):
        find(journal, grown, mode="least")
    assert "and there are 1" in find_reason(journal, tmp_path)


def find_reason(journal, tmp_path):
    with journal.transaction():
        experiment = record(journal, tmp_path, "few")
        for width in (8, 16):
            add(journal, experiment.id, [math.nan if width == 8 else 0.5], leaf=config(width))
    found = find(journal, experiment)
    assert (len(found.ranked), found.others) == (1, 1)
    return found.importance.reason


class Outline(HTMLParser):
    """Tags as they stand, and whether each that was opened is closed in order."""

    VOID = ("meta", "br")

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def outline(text):
    parsed = Outline()
    parsed.feed(text)
    assert parsed.open == []
    return parsed


def test_the_page_is_whole_escaped_accessible_and_needs_nothing_else(journal, tmp_path):
    with journal.transaction():
        experiment = searched(journal, tmp_path)
    text = page(find(journal, experiment), 5, "now")
    parsed = outline(text)
    assert "<b>" not in text
    assert "&lt;b&gt;round" in text
    assert not {"script", "img", "link", "iframe"} & set(parsed.tags)
    assert not [value for name, value in parsed.attributes if name in ("src", "href")]
    assert "default-src 'none'" in text
    assert text.count('tabindex="0"') == 3, "wide tables can be scrolled with keys"
    assert parsed.tags.count("caption") == parsed.tags.count("table") == 3
    assert '<th scope="col">Rank</th>' in text
    assert '<th scope="row">1</th>' in text
    drawings = [ET.fromstring(f"<svg{part.partition('</svg>')[0]}</svg>") for part in text.split("<svg")[1:]]
    assert len(drawings) == 2
    for drawing in drawings:
        assert drawing.get("role") == "img"
        title = drawing[0]
        assert title.tag.endswith("title")
        assert title.text == drawing.get("aria-label")
    lines = [path for path in drawings[1].iter() if path.tag.endswith("path") and len(path)]
    assert len(lines) == 24
    assert lines[-1][0].text.startswith(f"Run {find(journal, experiment).ranked[0].run_id}: val_loss ")


def test_many_runs_and_knobs_are_cut_short_and_it_says_so(journal, tmp_path):
    with journal.transaction():
        experiment = record(journal, tmp_path)
        for number in range(205):
            knobs = {f"knob{index}": number % (index + 2) for index in range(9)}
            add(journal, experiment.id, [number / 100], leaf=config(number, **knobs))
    text = body(find(journal, experiment), 3, "now")
    assert "the best 200 of 205 runs and 8 of 10 knobs" in text
    assert len(text) < 250_000


def test_knobs_that_only_some_runs_have_interrupt_their_lines(journal, tmp_path):
    with journal.transaction():
        experiment = record(journal, tmp_path)
        for number in range(10):
            knobs = {"momentum": number / 10} if number % 2 else {}
            add(journal, experiment.id, [number / 10], leaf=config(8 + number, **knobs))
    found = find(journal, experiment)
    assert found.importance.reason == ""
    assert "user_knobs.momentum" in found.knobs
    outline(body(found, 10, "now"))


def test_of_several_metrics_the_runs_that_none_beats_are_told(journal, tmp_path):
    with journal.transaction():
        experiment = record(journal, tmp_path)
        definition = {"metrics": [["val_loss", "min"], ["size", "min"]], "algorithm": {"kind": "whole"}}
        journal.add_search(experiment.id, "bayes", definition, 1)
        for number, (loss, size) in enumerate([(0.5, 1.0), (0.2, 4.0), (0.3, 4.0), (0.3, 2.0), (0.1, math.nan)]):
            key = add(journal, experiment.id, [loss], leaf=config(8 + number))
            point = MetricPoint(name="size", per="epoch", step=STEPS_PER_EPOCH, epoch=1, value=size, time=BEGIN)
            journal.add_points(key, [point])
            journal._db.execute("UPDATE runs SET search = 'bayes', trial = ? WHERE id = ?", (number, key))
    found = find(journal, experiment)
    [trade_off] = found.trade_offs
    assert [row.run_id for row in trade_off.unbeaten] == [2, 4, 1]
    assert trade_off.objectives == [("val_loss", "min"), ("size", "min")]
    text = body(found, 2, "now")
    outline(text)
    assert "Trade-offs of bayes" in text
    assert "val_loss (smaller is better) and size (smaller is better)" in text
    assert "Best trade-offs of val_loss and size: runs 2, 4, 1" in str(Report(found))


def test_names_and_values_of_axes_are_within_the_drawing_and_apart(journal, tmp_path):
    """Values at the ends of an axis stand beyond it, where no lines are."""
    with journal.transaction():
        experiment = record(journal, tmp_path)
        for number in range(12):
            knobs = {f"a_knob_with_quite_a_long_name_{index}": number + index / 10 for index in range(8)}
            add(journal, experiment.id, [number / 10], leaf=config(8, **knobs))
    text = body(find(journal, experiment), 3, "now")
    drawing = ET.fromstring(f"<svg{text.split('<svg')[-1].partition('</svg>')[0]}</svg>")
    width = float(drawing.get("viewBox").split()[2])
    rows = {}
    for found in drawing.iter():
        if found.tag.endswith("text"):
            letters = 0.55 * float(found.get("font-size")) * len(found.text)
            start = float(found.get("x")) - letters * (found.get("text-anchor") == "middle") / 2
            assert start >= 0
            assert start + letters <= width
            rows.setdefault(found.get("y"), []).append((start, start + letters))
    assert [len(row) for row in rows.values()] == [9] * 4, "names, and the least, middle and largest values"
    for row in rows.values():
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(sorted(row)))
    lines = [path.get("d") for path in drawing.iter() if path.tag.endswith("path") and len(path)]
    heights = [float(height) for line in lines for height in re.findall(r" ([\d.]+)", line)]
    names, least, middle, largest = sorted(map(float, rows))
    assert names < least < min(heights) < middle < max(heights) < largest - 8


def test_secrets_stay_secret(journal, tmp_path):
    with journal.transaction():
        experiment = record(journal, tmp_path)
        for number in range(9):
            add(journal, experiment.id, [number / 10], leaf=config(number, hf_token=f"hf_secret{number}"))
    found = find(journal, experiment)
    assert "hf_secret" not in page(found, 10, "now") + str(Report(found))


def test_axes_suit_their_values():
    rates = axis_of("lr", [1e-4, 1e-2, None, 1e-3])
    assert rates.places == pytest.approx([0.0, 1.0, None, 0.5])
    assert [label for _, label in rates.ticks] == ["0.0001", "0.001", "0.01"]
    words = axis_of("shape", ["b", "a", "b", True])
    assert words.places == [1.0, 0.5, 1.0, 0.0]
    assert axis_of("one", [3, 3]).places == [0.5, 0.5]
    assert len(axis_of("many", list(range(100))).ticks) == 3


def test_a_search_that_really_trained_is_reported(home, points, tmp_path):
    experiment = Experiment(SPECS / "paced.py", "reported")
    with pytest.raises(NotFoundError, match="has no runs to report on"):
        experiment.report()
    space = paced_config(epochs=3)
    space["train"]["optimizer"]["args"]["lr"] = Range(1e-5, 1e-1, log=True)
    experiment.run_fit(points, ASHA(space, num_runs=9, seed=5))
    path = tmp_path / "report.html"
    report = experiment.report(path, top=2)
    results = experiment.get_results()
    last = results.sort_values("epoch").groupby("run_id")["val_loss"].last()
    assert report.best[0] == last.idxmin()
    [cost] = report.findings.costs
    assert (cost.name, cost.runs) == ("asha", 9)
    assert cost.saved == sum(run.epochs - run.completed_epochs for run in experiment.runs()) > 0
    bundle = report._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == str(report)
    assert str(report).count("  run ") + str(report).count(". run ") == 2
    assert "Dropping runs saved" in str(report)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert [child.name for child in tmp_path.iterdir()] == ["report.html"]
    for wrong in (tmp_path, tmp_path / "nowhere" / "report.html"):
        with pytest.raises(OperationError, match=f"cannot be written to {wrong}: "):
            experiment.report(wrong)
    with pytest.raises(ConfigError, match=r"report\(\) top must be a whole number of 1 or more, not 0"):
        experiment.report(top=0)
    experiment.end()
    assert experiment.report().best == report.best
