"""Images by a linear support vector machine; its state is arrays, and text for the classes."""

import numpy as np
from sklearn.svm import LinearSVC

from rapidfire_lab.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, dataset


class Svm(BaseModel):
    @staticmethod
    def get_knob_config():
        return {
            "C": FloatKnob(1e-2, 1e1, is_exp=True),
            "max_iter": IntegerKnob(200, 1000),
            "max_image_size": FixedKnob(8),
        }

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, shared_params=None):
        images, classes = self._load(dataset_path)
        images, self._mean, self._std = dataset.normalize_images(images)
        machine = LinearSVC(C=self._knobs["C"], max_iter=self._knobs["max_iter"], tol=1e-2, random_state=0)
        machine.fit(images.reshape(len(images), -1), [f"class {label}" for label in classes])
        self._weights, self._bias, self._names = machine.coef_, machine.intercept_, machine.classes_.astype("U")

    def evaluate(self, dataset_path):
        images, classes = self._load(dataset_path)
        return np.mean(self._names[self._margins(images).argmax(axis=1)] == [f"class {label}" for label in classes])

    def predict(self, queries):
        images = dataset.transform_images(queries, image_size=self._knobs["max_image_size"], mode="L")
        return self._margins(images).tolist()

    def dump_parameters(self):
        return {
            "weights": self._weights,
            "bias": self._bias,
            "names": self._names,
            "mean": self._mean,
            "std": self._std,
            "target": None,
        }

    def load_parameters(self, params):
        for name in ("weights", "bias", "names", "mean", "std"):
            setattr(self, f"_{name}", params[name])

    def _margins(self, images):
        images, _, _ = dataset.normalize_images(images, self._mean, self._std)
        return images.reshape(len(images), -1) @ self._weights.T + self._bias

    def _load(self, dataset_path):
        loaded = dataset.load_dataset_of_image_files(
            dataset_path, max_image_size=self._knobs["max_image_size"], mode="L"
        )
        return loaded[:]
