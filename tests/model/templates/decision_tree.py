"""Images by a decision tree; the tree travels as its pickle in text, as Rafiki's models do it."""

import base64
import pickle

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from rapidfire_lab.model import BaseModel, CategoricalKnob, IntegerKnob, utils
from rapidfire_lab.model.constants import ModelDependency
from rapidfire_lab.model.dev import test_model_class


class DecisionTree(BaseModel):
    @staticmethod
    def get_knob_config():
        return {
            "max_depth": IntegerKnob(4, 12),
            "criterion": CategoricalKnob(["gini", "entropy"]),
            "max_image_size": CategoricalKnob([8, 16]),
        }

    def __init__(self, **knobs):
        self.__dict__.update(knobs)
        self._tree = DecisionTreeClassifier(max_depth=self.max_depth, criterion=self.criterion, random_state=0)

    def train(self, dataset_path, **kwargs):
        images, classes = self._load(dataset_path)
        self._tree.fit(images, classes)
        utils.logger.log(f"train accuracy {self._tree.score(images, classes)}")

    def evaluate(self, dataset_path):
        return self._tree.score(*self._load(dataset_path))

    def predict(self, queries):
        images = utils.dataset.transform_images(queries, image_size=self._image_size, mode="L")
        return self._tree.predict_proba(images.reshape(len(images), -1)).tolist()

    def dump_parameters(self):
        return {"tree": base64.b64encode(pickle.dumps(self._tree)).decode(), "image_size": self._image_size}

    def load_parameters(self, params):
        self._tree = pickle.loads(base64.b64decode(params["tree"]))
        self._image_size = params["image_size"]

    def _load(self, dataset_path):
        dataset = utils.dataset.load_dataset_of_image_files(dataset_path, max_image_size=self.max_image_size, mode="L")
        self._image_size = dataset.image_size
        images, classes = zip(*dataset, strict=True)
        return np.stack(images).reshape(len(images), -1), classes


if __name__ == "__main__":
    import sys

    test_model_class(
        model_file_path=__file__,
        model_class="DecisionTree",
        task="IMAGE_CLASSIFICATION",
        dependencies={ModelDependency.SCIKIT_LEARN: "1.4"},
        train_dataset_path=sys.argv[1],
        val_dataset_path=sys.argv[2],
    )
