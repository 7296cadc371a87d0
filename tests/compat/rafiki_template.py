"""A model file as users of Rafiki have it: a table's column predicted by the mean of its neighbours."""

import sys

import numpy as np
import pandas as pd
from rafiki.constants import BudgetOption, ModelDependency
from rafiki.model import BaseModel, FixedKnob, FloatKnob, IntegerKnob, logger, utils
from rafiki.model.dev import test_model_class


class Neighbours(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"neighbours": IntegerKnob(1, 9), "power": FloatKnob(0.5, 2.0), "target": FixedKnob("price")}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self._knobs = knobs

    def train(self, dataset_path, **kwargs):
        table = pd.read_csv(dataset_path)
        self._sizes, self._prices = table["size"].to_numpy(), table[self._knobs["target"]].to_numpy()
        logger.log(rows=len(table))
        utils.logger.log("trained")

    def evaluate(self, dataset_path):
        table = pd.read_csv(dataset_path)
        return -float(np.abs(self.predict(list(table["size"])) - table["price"]).mean())

    def predict(self, queries):
        nearest = [np.argsort(np.abs(self._sizes - query))[: self._knobs["neighbours"]] for query in queries]
        return [float(self._prices[chosen].mean()) for chosen in nearest]

    def dump_parameters(self):
        return {"sizes": self._sizes, "prices": self._prices}

    def load_parameters(self, params):
        self._sizes, self._prices = params["sizes"], params["prices"]


if __name__ == "__main__":
    folder = sys.argv.pop(1)
    test_model_class(
        model_file_path=__file__,
        model_class="Neighbours",
        task="TABULAR_REGRESSION",
        dependencies={ModelDependency.SCIKIT_LEARN: "0.20.0"},
        train_dataset_path=f"{folder}/train.csv",
        val_dataset_path=f"{folder}/validation.csv",
        budget={BudgetOption.MODEL_TRIAL_COUNT: 3},
        queries=[80],
    )
