"""Server of the UI tests: in a folder and an engine home of its own. It has no password: never use it elsewhere."""

import os
import tempfile
from pathlib import Path

from jupyterlab.galata import configure_jupyter_server

c = get_config()  # noqa: F821 - given by traitlets
configure_jupyter_server(c)
c.ServerApp.port_retries = 0

# A journey that restarts its server gives both servers one home.
home = os.environ.get("RAPIDFIRE_LAB_UI_HOME") or tempfile.mkdtemp(prefix="rapidfire_lab-ui-tests-")
os.environ["RAPIDFIRE_LAB_HOME"] = home
os.environ["RAPIDFIRE_LAB_TRACKING"] = "False"
os.environ["RAPIDFIRE_LAB_SLOTS"] = "2"
# The engine outlives the server on purpose; this one goes soon after the last journey.
os.environ["RAPIDFIRE_LAB_IDLE_MINUTES"] = "0.5"
root = Path(__file__).resolve().parent.parent
os.environ["RAPIDFIRE_LAB_DIGITS"] = str(root / "examples" / "digits")
os.environ["RAPIDFIRE_LAB_SPECS"] = str(root / "tests" / "specs")
os.environ["RAPIDFIRE_LAB_JOURNEYS"] = str(root / "ui-tests")
