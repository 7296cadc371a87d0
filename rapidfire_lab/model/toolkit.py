"""The objects that model files work with: ``from rapidfire_lab.model import utils, logger, dataset``."""

from __future__ import annotations

from rapidfire_lab.model.datasets import DatasetUtils
from rapidfire_lab.model.logs import LoggerUtils


class ModelUtils:
    """Holds ``dataset`` and ``logger``."""

    def __init__(self) -> None:
        self.dataset = DatasetUtils()
        self.logger = LoggerUtils()


utils = ModelUtils()
logger = utils.logger
dataset = utils.dataset
