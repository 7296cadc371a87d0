"""An environment with Ray Tune beside ours: it brings Ray and what Ray needs, and sees our packages for the rest."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from typing import TYPE_CHECKING

from benchmarks.compare.inputs import cache_folder
from benchmarks.compare.job import READY

if TYPE_CHECKING:
    from pathlib import Path

RAY = "ray[tune]==2.60.0"


class NoRayError(Exception):
    """Ray cannot be installed or imported here; the text says why."""


def ray_python() -> Path:
    """The interpreter of an environment with Ray; made at the first call, which takes a minute.

    Raises
    ------
    NoRayError
        When it cannot be made.
    """
    folder = cache_folder() / f"ray-{RAY.split('==')[1]}-{platform.python_version()}"
    python = folder / "bin" / "python"
    done = folder / READY
    if not done.exists():
        try:
            _make(folder, python)
        except NoRayError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        done.touch()
    return python


def _make(folder: Path, python: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    packages = _run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    # Ours come after its own: torch is the same, and pip finds most of what Ray needs installed. It changes nothing
    # there, since that is another environment.
    with open(f"{packages}/ours.pth", "w") as file:  # noqa: PTH123 - a path from another interpreter
        file.write(sysconfig.get_path("purelib") + "\n")
    _run(python, "-m", "pip", "install", "--quiet", RAY)
    _run(python, "-c", "import torch; from ray import tune")


def _run(python: Path, *arguments: str) -> str:
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"{arguments[0]} failed"]
        raise NoRayError(f"{RAY} on Python {sys.version.split()[0]}: {lines[-1]}")
    return done.stdout
