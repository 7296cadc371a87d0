"""Images by a small convolutional net in torch, whose layers an `ArchKnob` chooses; trials may share weights."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from rapidfire_lab.model import ArchKnob, FixedKnob, FloatKnob, ImageClfBase, KnobValue, PolicyKnob, utils

OPS = [KnobValue("conv3"), KnobValue("conv5"), KnobValue("pool")]
INPUTS = [KnobValue(0), KnobValue(1)]


class ArchCnn(ImageClfBase):
    shared_trials = 0

    @staticmethod
    def get_knob_config():
        return {
            "layers": ArchKnob([OPS, [INPUTS[0]], OPS, INPUTS]),
            "learning_rate": FloatKnob(3e-3, 1e-2, is_exp=True),
            "channels": FixedKnob(8),
            "share": PolicyKnob("SHARE_PARAMS"),
            "quick": PolicyKnob("EARLY_STOP"),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs
        self._net = Net(knobs["layers"], knobs["channels"])

    def train(self, dataset_path, shared_params=None, **train_args):
        torch.manual_seed(0)
        assert self._knobs["share"] == (shared_params is not None)
        if shared_params is not None:
            type(self).shared_trials += 1
            self._take(shared_params)
        images, classes = self._load(dataset_path)
        optimizer = torch.optim.Adam(self._net.parameters(), lr=self._knobs["learning_rate"])
        utils.logger.define_plot("Loss", ["loss"], x_axis="step")
        batches = [places for _ in range(3) for places in torch.randperm(len(images)).split(32)]
        for step, places in enumerate(batches):
            loss = functional.cross_entropy(self._net(images[places]), classes[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            utils.logger.log(loss=loss.item(), step=step)
            if self._knobs["quick"] and step >= 10:
                break

    @torch.no_grad()
    def evaluate(self, dataset_path):
        images, classes = self._load(dataset_path)
        return (self._net(images).argmax(dim=1) == classes).float().mean().item()

    @torch.no_grad()
    def predict(self, queries):
        images = utils.dataset.transform_images(queries, image_size=8, mode="L")
        return self._net(self._scaled(images)).softmax(dim=1).tolist()

    def dump_parameters(self):
        return {name: tensor.numpy() for name, tensor in self._net.state_dict().items()}

    def load_parameters(self, params):
        self._net.load_state_dict({name: torch.from_numpy(value) for name, value in params.items()})

    def _take(self, shared_params):
        own = self._net.state_dict()
        fitting = {name: torch.from_numpy(value) for name, value in shared_params.items() if name in own}
        self._net.load_state_dict({**own, **fitting})

    def _load(self, dataset_path):
        dataset = utils.dataset.load_dataset_of_image_files(dataset_path, max_image_size=8, mode="L")
        images, classes = zip(*dataset, strict=True)
        return self._scaled(np.stack(images)), torch.tensor(classes)

    def _scaled(self, images):
        return torch.from_numpy(images).float().unsqueeze(1) / 255


class Net(nn.Module):
    def __init__(self, layers, channels):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.choices = [(layers[place], layers[place + 1]) for place in range(0, len(layers), 2)]
        self.layers = nn.ModuleDict()
        for place, (op, _) in enumerate(self.choices):
            if op != "pool":
                size = int(op.removeprefix("conv"))
                self.layers[f"{place}-{op}"] = nn.Conv2d(channels, channels, size, padding=size // 2)
        self.head = nn.Linear(channels * 16, 10)

    def forward(self, images):
        outputs = [functional.relu(self.stem(images))]
        for place, (op, source) in enumerate(self.choices):
            before = outputs[source]
            pooled = functional.max_pool2d(before, 3, 1, 1)
            outputs.append(pooled if op == "pool" else functional.relu(self.layers[f"{place}-{op}"](before)))
        return self.head(functional.max_pool2d(outputs[-1], 2).flatten(1))
