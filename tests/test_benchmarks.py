"""The parts of the benchmarks, on a little of each workload: what they say about speed is not tested."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import search
from benchmarks.compare.__main__ import medians, parse
from benchmarks.compare.inputs import prepared
from benchmarks.compare.job import Job
from benchmarks.compare.loop import Loop, summary
from benchmarks.compare.report import gain, ratio, read, report
from benchmarks.compare.sides import SideError, run_side
from benchmarks.compare.workloads import WORKLOADS
from benchmarks.filled_journal import add_experiment, fill
from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu.carry import LEAN, PRESENT, needed, write_sources
from benchmarks.gpu.loop import train_all
from benchmarks.gpu.work import SMALL, write_tables
from rapidfire_lab.configs import expand
from rapidfire_lab.journal import JournalWriter


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def little(name):
    workload = WORKLOADS[name].resized(0.01, 2, 1)
    return replace(workload, knobs={**workload.knobs, "width": 4})


def job_of(workload, folder):
    return Job(
        spec=str(workload.spec),
        data=str(workload.data()),
        configs=workload.group(),
        cores=1,
        output=str(folder),
        images=workload.images,
        misc=workload.misc,
    )


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_trained_by_the_loop(name, tmp_path):
    job = job_of(little(name), tmp_path)
    reports = []
    marks = Loop(job).train(1, reports.append)
    assert marks["first_step"] <= marks["first_chunk"] <= marks["first_validation"]
    assert len(reports) == 1
    assert (tmp_path / "1.pt").exists()
    assert summary([marks])["mean_val_loss"] == marks["val_loss"]
    assert len(expand(job.configs)) == 2


@pytest.mark.parametrize("name", ["text", "images", "tiny"])
def test_data_are_the_same_each_time(name, tmp_path):
    workload = little(name)
    first = workload.data()
    again = prepared("again", workload.write, workload.train_rows, workload.validation_rows)
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files
    assert all((first / name).read_bytes() == (again / name).read_bytes() for name in files)


def test_a_side_is_measured(tmp_path):
    figures = run_side("benchmarks.compare.side_plain", job_of(little("tiny"), tmp_path), Path(sys.executable))
    assert 0 < figures["first_step_s"] <= figures["first_chunk_s"] <= figures["first_validation_s"]
    assert figures["first_validation_s"] <= figures["total_s"] < figures["whole_s"]
    assert figures["cpu_s"] > 0
    assert figures["peak_rss_mb"] >= figures["peak_pss_mb"] > 0


def test_a_side_that_fails_says_why(tmp_path):
    with pytest.raises(SideError, match="side_nobody"):
        run_side("benchmarks.compare.side_nobody", job_of(little("tiny"), tmp_path), Path(sys.executable))


def line(*, others=0.0, small=False, **sides):
    environment = {"cores": 2, "cpu": "a", "memory_gb": 1, "python": "3", "torch": "2", "rapidfire_lab": "0"}
    names = ("total_s", "whole_s", "first_step_s", "first_chunk_s", "first_validation_s", "cpu_s")
    ones = dict.fromkeys((*names, "peak_pss_mb", "written_mb"), 1.0)
    shape = {"workload": "digits", "bound": "compute", "configs": 8, "epochs": 3, "train_rows": 10, "repeats": 3}
    rest = {
        "validation_rows": 2,
        "rows": "series",
        "tracking": True,
        "small": small,
        "failures": {"ray": "no Ray for this Python"},
    }
    figures = {
        side: None if values is None else {**ones, "others_cores": others, **values} for side, values in sides.items()
    }
    return {"benchmark": "compare", "environment": environment, **shape, **rest, "sides": figures}


def test_the_report_holds_sides_targets_and_what_is_missing():
    measured = line(
        plain={"total_s": 10.0, "first_chunk_s": 9.0},
        processes={"total_s": 4.0},
        ray=None,
        warm={"total_s": 5.0, "first_chunk_s": 1.0},
    )
    text = report(read([json.dumps(measured), "", "not a line of figures"]))
    assert "| digits: rapidfire-lab, warm / plain loop | <= 0.6 | 0.5 | yes |" in text
    assert "| digits: rapidfire-lab, warm / one process per core | <= 1 | 1.25 | **no** |" in text
    assert "| digits: rapidfire-lab, warm / Ray Tune | <= 0.9 |  | not measured |" in text
    assert "Ray Tune failed in a round: no Ray for this Python" in text


@pytest.mark.parametrize(("flaw", "word"), [({"small": True}, "too small"), ({"others": 1.5}, "disturbed")])
def test_the_report_decides_nothing_by_a_line_that_is_worth_little(flaw, word):
    measured = line(plain={"total_s": 10.0}, warm={"total_s": 5.0}, **flaw)
    text = report(read([json.dumps(measured)]))
    assert f"| digits: rapidfire-lab, warm / plain loop | <= 0.6 | 0.5 | undecided: {word} |" in text
    assert ("others used up to 1.5 cores" in text) == (word == "disturbed")


def test_a_cold_call_is_compared_with_imports_and_a_warm_one_without_starting_ray():
    measured = line(plain={"whole_s": 4.0}, ray={"total_s": 30.0, "init_s": 5.0}, cold={"whole_s": 8.0}, warm={})
    assert ratio(measured, "cold", "plain") == 2.0
    assert ratio(measured, "warm", "ray") == 1 / 25
    assert gain(measured, "first_chunk_s", 1) == 1.0


def test_medians_are_taken_of_numbers():
    assert medians([{"a": 1.0, "v": "x"}, {"a": 9.0, "v": "x"}, {"a": 2.0, "v": "x"}]) == {"a": 2.0, "v": "x"}
    assert medians([]) is None


def test_sides_are_chosen_by_name(capsys):
    assert parse(["tiny", "--sides", "plain,rapidfire"]).sides == ["plain", "cold", "warm"]
    with pytest.raises(SystemExit):
        parse(["tiny", "--sides", "spark"])
    assert "unknown side 'spark'" in capsys.readouterr().err


def test_a_journal_is_filled(tmp_path):
    with JournalWriter(tmp_path / "journal.sqlite", "test") as journal:
        fill(journal, add_experiment(journal, "charts"), 2, 2_000)
        assert len(journal.points(2, per="step")) == 2_000
        assert {point.epoch for point in journal.points(1, per="epoch")} == {1, 2}


@pytest.mark.parametrize("side", ["ours: ASHA", "Optuna: halving"])
def test_a_search_is_played_on_either_side(side):
    assert 0 <= search.sides(8)[side]("branin", 1, 60) <= 1


def test_the_parts_for_gpus_run_dry(capsys):
    gpu.main(["--device", "cpu", "--small", "--repeats", "1", "--parts", "hops,swap,fused"])
    hops, swap, fused = map(json.loads, capsys.readouterr().out.splitlines())
    assert (hops["benchmark"], swap["benchmark"]) == ("gpu_hops", "gpu_swap")
    assert hops["identical"] == {"device": True, "disk": True}
    assert hops["leases"] == 4
    assert swap["bytes"] > 1_000
    assert min(swap["seconds"].values()) > 0
    assert sum(fused["paths"].values()) == fused["size"]["configs"]


def test_the_loop_beside_the_gpu_parts_trains_all_configs(tmp_path):
    write_tables(tmp_path, SMALL.rows)
    assert train_all(SMALL, tmp_path, "cpu") > 0
    assert (tmp_path / "plain.pt").exists()


def test_what_a_gpu_machine_has_is_not_carried_there(tmp_path):
    versions = needed("rapidfire-lab", PRESENT)
    assert {"rapidfire-lab", "safetensors", "mlflow", "flask", "markdown-it-py"} <= versions.keys()
    assert not {"torch", "numpy", "pandas", "pytest", "sympy"} & versions.keys()
    lean = needed("rapidfire-lab", PRESENT | LEAN)
    assert lean.keys() < versions.keys()
    assert "flask" not in lean
    write_sources(tmp_path)
    assert (tmp_path / "benchmarks" / "gpu" / "__main__.py").exists()


def test_parts_for_gpus_are_chosen_by_name(capsys):
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu", "--parts", "warp"])
    assert "unknown part 'warp'; there are hops, swap, sharing, total, fused" in capsys.readouterr().err
