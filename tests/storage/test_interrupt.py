"""Ctrl-C while files are looked at: nobody waits for the checksums of all of them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process does not tell what it reads")

_SCRIPT = """
import sys, threading
from pathlib import Path
from rapidfire_lab.storage import Options, open_store, publish
folder = Path(sys.argv[1])
files = {path.name: path for path in folder.glob("*.bin")}
try:
    threading.Timer(0, print, ["begun"], {"flush": True}).start()
    publish(open_store(folder / "store"), files, options=Options(workers=2))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("count", [1, 3])
def test_an_interrupt_ends_the_reading_of_files(tmp_path, count):
    for number in range(count):
        with (tmp_path / f"{number}.bin").open("wb") as file:
            file.truncate(1 << 40)  # an hour of work, which takes no room
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as script:
        try:
            assert script.stdout.readline() == "begun\n"
            reading = Path(f"/proc/{script.pid}/fd")
            wait_until(lambda: any(".bin" in link for link in links(reading)), "a file to be read")
            script.send_signal(signal.SIGINT)
            wait_until(lambda: script.poll() is not None, "the script to end")
            assert script.stdout.read() == "interrupted\n"
            assert script.returncode == 0
        finally:
            script.kill()
    assert not (tmp_path / "store").exists()


def links(folder):
    found = []
    for name in folder.iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(str(name.readlink()))
    return found
