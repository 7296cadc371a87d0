"""Programmable policies: rules of the user that steer runs at every committed chunk, without the notebook.

A policy is a function ``policy(runs, control)``. It looks at what the runs have reached and tells ``control`` what to
do; the engine carries that out as operations like a user's own.
"""

from rapidfire_lab.policies.control import PolicyControl
from rapidfire_lab.policies.view import PolicyRun

__all__ = ["PolicyControl", "PolicyRun"]
