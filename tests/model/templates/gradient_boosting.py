"""A column of a table by gradient boosting; the score is a negative error, as of regressions."""

import base64
import json
import pickle

import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor

from rapidfire_lab.model import FloatKnob, IntegerKnob, TabularClfModel, logger


class Boosting(TabularClfModel):
    @staticmethod
    def get_knob_config():
        return {
            "n_estimators": IntegerKnob(20, 60),
            "max_depth": IntegerKnob(2, 4),
            "learning_rate": FloatKnob(0.05, 0.3, is_exp=True),
        }

    def __init__(self, **knobs):
        self.__dict__.update(knobs)
        self._knobs = knobs

    def train(self, dataset_path, features=None, target=None, **kwargs):
        self._features, self._target = features, target
        table, wanted = self._load(dataset_path)
        self._codes = {name: sorted(table[name].unique()) for name in table if not is_number(table[name])}
        self._trees = GradientBoostingRegressor(**self._knobs, random_state=0)
        self._trees.fit(self._coded(table), wanted)
        logger.log(train_r2=self._trees.score(self._coded(table), wanted))

    def evaluate(self, dataset_path):
        table, wanted = self._load(dataset_path)
        return -float(((self._trees.predict(self._coded(table)) - wanted) ** 2).mean())

    def predict(self, queries):
        return self._trees.predict(self._coded(pd.DataFrame(queries))).tolist()

    def dump_parameters(self):
        return {
            "trees": base64.b64encode(pickle.dumps(self._trees)).decode(),
            "codes": json.dumps(self._codes),
            "features": json.dumps(self._features),
            "target": self._target,
        }

    def load_parameters(self, params):
        self._trees = pickle.loads(base64.b64decode(params["trees"]))
        self._codes, self._features = json.loads(params["codes"]), json.loads(params["features"])
        self._target = params["target"]

    def _load(self, dataset_path):
        table = pd.read_csv(dataset_path)
        wanted = table.iloc[:, -1] if self._target is None else table[self._target]
        return (table.iloc[:, :-1] if self._features is None else table[self._features]), wanted

    def _coded(self, table):
        coded = {name: table[name].map(values.index) for name, values in self._codes.items()}
        return table.assign(**coded).to_numpy(dtype=float)


def is_number(column):
    return pd.api.types.is_numeric_dtype(column)
