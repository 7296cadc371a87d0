"""Runs at the start of every Python that has this folder on PYTHONPATH; does nothing unless it is told of faults."""

import os
import sys
from _frozen_importlib_external import PathFinder  # what importlib.machinery has, without loading that


def run_the_one_that_this_one_hides() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if os.path.abspath(path) != here])
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


run_the_one_that_this_one_hides()

if os.environ.get("FAULTS_FOLDER"):
    import fault_places

    fault_places.install()
