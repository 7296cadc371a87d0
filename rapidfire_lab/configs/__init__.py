"""Config groups: knobs, leaf configs and the generators between them."""

from rapidfire_lab.configs.config import Config
from rapidfire_lab.configs.diff import differing_knobs, get_path
from rapidfire_lab.configs.expansion import expand
from rapidfire_lab.configs.groups import ConfigGroup, GridSearch, RandomSearch, RFGridSearch, RFRandomSearch
from rapidfire_lab.configs.knobs import List, Range
from rapidfire_lab.configs.leaf import normalise
from rapidfire_lab.configs.named_metrics import top_k
from rapidfire_lab.configs.torch_names import check_torch_names

__all__ = [
    "Config",
    "ConfigGroup",
    "GridSearch",
    "List",
    "RFGridSearch",
    "RFRandomSearch",
    "RandomSearch",
    "Range",
    "check_torch_names",
    "differing_knobs",
    "expand",
    "get_path",
    "normalise",
    "top_k",
]
