"""Scripts that import other packages, run on ours where those are not installed, and only when asked for.

``bridge()`` in a script or notebook, or ``python -m rapidfire_lab.compat script.py``.
"""

from rapidfire_lab.compat.finder import bridge

__all__ = ["bridge"]
