"""``python -m benchmarks.gpu.carry FOLDER``: all that ``benchmarks.gpu`` needs on a machine without a network.

Into the folder come wheels of rapidfire-lab and of what it depends on, in the versions that are installed here, this
package, and ``measure.sh``, which unpacks the wheels beside itself and passes its arguments on. torch, numpy and pandas
must be there already, for the Python that ``PYTHON`` names (``python3``). For another Python or system than here say
``--python 3.12`` or ``--platform manylinux_2_28_x86_64``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.common import ROOT, tell

PRESENT = frozenset({"torch", "numpy", "pandas"})
"""What the other machine has."""
LEAN = frozenset({"boto3", "ipywidgets", "jupyter-server", "mlflow", "optuna"})
"""What nothing that is measured loads."""

MEASURE = """#!/bin/sh
set -e
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
test -d packages || "$python" -m pip install --quiet --no-index --no-deps --target packages wheels/*.whl
PYTHONPATH="$PWD:$PWD/packages" exec "$python" -m benchmarks.gpu "$@"
"""


def needed(root: str, without: frozenset[str]) -> dict[str, str]:
    """Versions of what a package needs, directly or not, and of itself; of those without, nor what they alone need."""
    found: dict[str, str] = {}
    waiting = [canonicalize_name(root)]
    while waiting:
        name = waiting.pop()
        if name in found or name in without:
            continue
        package = distribution(name)
        found[name] = package.version
        wanted = map(Requirement, package.requires or ())
        waiting += [canonicalize_name(one.name) for one in wanted if _holds(one)]
    return found


def _holds(requirement: Requirement) -> bool:
    """Whether a requirement counts here, without any extra."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


def fetch(folder: Path, versions: dict[str, str], target: list[str]) -> None:
    """Wheels of these versions, and of rapidfire-lab as it is here."""
    folder.mkdir()
    pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    others = [f"{name}=={version}" for name, version in sorted(versions.items()) if name != "rapidfire-lab"]
    pip("download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), *target, *others)


def write_sources(folder: Path) -> None:
    """Copy the benchmarks, and write what unpacks the wheels and starts them."""
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    script = folder / "measure.sh"
    script.write_text(MEASURE)
    script.chmod(0o755)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="is made, and must not be there")
    parser.add_argument("--lean", action="store_true", help="without mlflow and others that nothing measured loads")
    parser.add_argument("--python", help="version of the other machine's Python")
    parser.add_argument("--platform", help="its platform tag")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    target = [f"--python-version={options.python}"] if options.python else []
    target += [f"--platform={options.platform}"] if options.platform else []
    fetch(options.folder / "wheels", needed("rapidfire-lab", PRESENT | (LEAN if options.lean else frozenset())), target)
    write_sources(options.folder)
    size = sum(path.stat().st_size for path in options.folder.rglob("*") if path.is_file())
    tell(f"{options.folder} has {size / 1e6:.0f} MB; there, call sh measure.sh")


if __name__ == "__main__":
    main()
