"""The S3 and Google servers of the storage tests, and things to save."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rapidfire_lab.saving.basic_packages import ClassificationResultPackage
from rapidfire_lab.saving.training_history import TrainingHistory
from tests.storage.conftest import (  # noqa: F401 - fixtures
    aws,
    bucket,
    clients,
    google_bucket,
    google_client,
    proxy,
    running_proxy,
    s3_port,
)


def make_model(seed=0, **more):
    torch.manual_seed(seed)
    net = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    return {
        "model_state_dict": net.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "epoch": 1,
        "hyperparams": {"lr": 0.1},
        **more,
    }


@pytest.fixture
def model():
    return make_model()


@pytest.fixture
def package():
    made = ClassificationResultPackage()
    made.prepare_result_package([0, 1, 2, 1], [0, 1, 2, 2], hyperparameters={"lr": 0.1})
    return made


@pytest.fixture
def history():
    made = TrainingHistory()
    for epoch in range(3):
        made["loss"] = 3.0 - epoch
        made["accuracy"] = np.float32(epoch / 3)
    return made


@pytest.fixture
def root(tmp_path):
    """A root that nobody has made."""
    return str(tmp_path / "not" / "yet" / "made")
