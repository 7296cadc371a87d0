"""The model of paced.py in a process that may write no large files while a flag lies beside the data."""

import resource
from pathlib import Path

from paced import MLSpec as Paced

LIMIT = 2_000


class MLSpec(Paced):
    def compute_forward(self, model, minibatch, cfg, mode):
        flag = cfg.get("full_while")
        full = flag is not None and Path(flag).exists()
        most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT if full else most, most))
        return super().compute_forward(model, minibatch, cfg, mode)
