"""What models log, line by line."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pytest

from rapidfire_lab.model import LoggerUtils

TIME = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"'


@pytest.fixture
def logged():
    """A logger of models, and the lines that it has written."""
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    sink = logging.getLogger("tests.model.sink")
    sink.setLevel(logging.INFO)
    handler = Kept()
    sink.addHandler(handler)
    utils = LoggerUtils()
    utils.set_logger(sink)
    yield utils, lines
    sink.removeHandler(handler)


def test_lines_are_those_that_readers_know(logged):
    utils, lines = logged
    utils.log("hello", loss=0.5, epoch=1)
    utils.define_loss_plot()
    utils.define_plot("P & R", ["precision", "recall"])
    utils.log_loss(0.25, 2)
    patterns = [
        r'{"message": "hello", "type": "MESSAGE", "time": TIME}',
        r'{"loss": 0.5, "epoch": 1, "type": "METRICS", "time": TIME}',
        r'{"title": "Loss Over Epochs", "metrics": \["loss"\], "x_axis": "epoch", "type": "PLOT", "time": TIME}',
        r'{"title": "P & R", "metrics": \["precision", "recall"\], "x_axis": null, "type": "PLOT", "time": TIME}',
        r'{"loss": 0.25, "epoch": 2, "type": "METRICS", "time": TIME}',
    ]
    assert len(lines) == len(patterns)
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern.replace("TIME", TIME), line)


def test_lines_are_parsed_back(logged):
    utils, lines = logged
    utils.log("50 % done", loss=0.5)
    utils.define_loss_plot()
    messages, metrics, plots = LoggerUtils.parse_logs([*lines, "plain text", "17", '{"no": "type"}', '{"type": "NEW"}'])
    time = metrics[0]["time"]
    assert [(message["time"], message["message"]) for message in messages] == [
        (time, "50 % done"),
        (None, "plain text"),
        (None, "17"),
    ]
    assert metrics == [{"time": time, "loss": 0.5}]
    assert plots == [{"time": time, "title": "Loss Over Epochs", "metrics": ["loss"], "x_axis": "epoch"}]


@pytest.mark.parametrize(
    "value", [1, 1.5, True, np.int8(1), np.int64(1), np.float16(0.5), np.float32(0.5), np.float64(2)]
)
def test_numbers_are_metrics(logged, value):
    utils, lines = logged
    utils.log(metric=value)
    assert json.loads(lines[0])["metric"] == value


@pytest.mark.parametrize("value", [None, "0.5", [1], np.zeros(2)])
def test_anything_else_is_not(logged, value):
    utils, lines = logged
    with pytest.raises(TypeError, match="the metric 'loss' must be a number"):
        utils.log(loss=value)
    assert lines == []


def test_a_metric_that_is_lost_is_told(logged):
    utils, lines = logged
    with pytest.warns(UserWarning, match="the metric 'time' is lost"):
        utils.log(time=3, loss=1)
    assert re.fullmatch(f'{{"time": {TIME}, "loss": 1, "type": "METRICS"}}', lines[0])


def test_an_empty_message_is_no_line(logged):
    utils, lines = logged
    utils.log("")
    utils.log()
    assert lines == []


def test_lines_are_printed_for_people_unless_they_are_led_elsewhere(capsys):
    utils = LoggerUtils()
    utils.log("50 % done", loss=0.5, epoch=1)
    utils.define_plot("Loss", "loss")
    before = utils.set_logger(logging.getLogger("tests.model.nowhere"))
    utils.log("unheard")
    utils.set_logger(before)
    utils.log("heard")
    out = capsys.readouterr().out.splitlines()
    assert [line.split("] ")[1] for line in out] == [
        "50 % done",
        "loss=0.5, epoch=1",
        "Plot 'Loss': loss by time",
        "heard",
    ]
