"""``python -m rapidfire_lab.compat script.py [arguments]`` runs a script with the bridge in place."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from rapidfire_lab.compat.finder import bridge


def main(arguments: list[str]) -> int:
    """Run a script as Python would, and let its exceptions and exits be its own."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m rapidfire_lab.compat script.py [arguments]", file=sys.stderr)
        return 0 if arguments else 2
    script = Path(arguments[0])
    if not script.is_file():
        print(f"there is no script {script}", file=sys.stderr)
        return 2
    bridge()
    sys.argv = arguments
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
