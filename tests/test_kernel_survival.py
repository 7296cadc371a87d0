"""A real Jupyter kernel that is interrupted, restarted and killed while its runs train."""

from __future__ import annotations

import json
import os
import signal

import pytest
from jupyter_client.manager import KernelManager

from rapidfire_lab import Experiment
from tests.conftest import SPECS, engine_home, paced_config, wait_until
from tests.contract import fingerprint

SPEC = SPECS / "paced.py"
WIDTHS = (5, 6, 7)
EXECUTE_SECONDS = 120

CONSTRUCT = f"""
import json, time
started = time.monotonic()
from rapidfire_lab import DataHandle, Experiment
imported = time.monotonic()
experiment = Experiment({str(SPEC)!r}, "survival")
constructed = time.monotonic()
"""


class Kernel:
    """A kernel with one client at a time."""

    def __init__(self) -> None:
        self.manager = KernelManager()
        self.manager.start_kernel()
        self.connect()

    def connect(self):
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=EXECUTE_SECONDS)

    def run(self, code: str) -> str:
        """Execute code and return what it printed; an error in it fails the test."""
        printed = []

        def collect(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, timeout=EXECUTE_SECONDS, output_hook=collect, store_history=False)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", []))
        return "".join(printed)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel():
    made = Kernel()
    yield made
    made.close()


def interrupt(kernel):
    kernel.manager.interrupt_kernel()


def interrupt_busy(kernel):
    request = kernel.client.execute("experiment.wait()")
    while True:
        message = kernel.client.get_iopub_msg(timeout=EXECUTE_SECONDS)
        if message["parent_header"].get("msg_id") == request and message["msg_type"] == "execute_input":
            break
    kernel.manager.interrupt_kernel()
    kernel.client.wait_for_ready(timeout=EXECUTE_SECONDS)


def restart(kernel):
    kernel.client.stop_channels()
    kernel.manager.restart_kernel(now=False)
    kernel.connect()


def kill(kernel):
    os.kill(kernel.manager.provisioner.pid, signal.SIGKILL)
    kernel.client.stop_channels()
    wait_until(lambda: not kernel.manager.is_alive(), "the kernel to die")
    kernel.manager.restart_kernel(now=True)
    kernel.connect()


def test_training_goes_on_whatever_happens_to_the_kernel(kernel, points, tmp_path):
    with engine_home(tmp_path / "home", slots=2, tracking=False, device="cpu") as home:
        environment = {name: value for name, value in os.environ.items() if name.startswith("RAPIDFIRE_LAB_")}
        set_environment = f"import os; os.environ.update({environment!r})"
        configs = [paced_config(width=width, pause=0.1, epochs=4) for width in WIDTHS]
        kernel.run(set_environment + CONSTRUCT)
        kernel.run(
            f"handle = DataHandle({points.locators!r})\n"
            f"experiment.run_fit(handle, {configs!r}, num_chunks=2, wait=False)"
        )
        watcher = Experiment(SPEC, "survival")
        assert [run.run_id for run in watcher.runs()] == [1, 2, 3]

        def steps():
            return sum(run.live_step for run in watcher.runs())

        for happening in (interrupt, interrupt_busy, restart, kill):
            before = steps()
            happening(kernel)
            wait_until(lambda before=before: steps() > before, f"training to go on after {happening.__name__}")
            told = kernel.run(
                set_environment + CONSTRUCT + "print(json.dumps(constructed - imported))\n"
                "print(json.dumps([run.status for run in experiment.runs()]))"
            )
            lines = told.strip().splitlines()
            assert lines[0] == "Experiment survival is live: reattached"
            assert set(json.loads(lines[2])) <= {"running", "queued", "completed"}
            print(happening.__name__, "reattached in", lines[1], "s")
        watcher.wait(timeout=EXECUTE_SECONDS)
        assert {run.status for run in watcher.runs()} == {"completed"}
        survived = fingerprint(watcher)
        watcher.end()
        undisturbed = Experiment(SPEC, "undisturbed")
        undisturbed.run_fit(points, [paced_config(width=width, epochs=4) for width in WIDTHS])
        assert survived == fingerprint(undisturbed)
        undisturbed.end()
        assert home.journal.stat().st_mode & 0o077 == 0
