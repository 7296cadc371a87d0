"""Search: letting the engine look for good configs. Pure state machines, without engine, clock or files."""

from rapidfire_lab.search.definition import make_conductor, settled
from rapidfire_lab.search.groups import (
    ASHA,
    PBT,
    BayesianSearch,
    Hyperband,
    PairedRacing,
    Search,
    SuccessiveHalving,
    searches_in,
)

__all__ = [
    "ASHA",
    "PBT",
    "BayesianSearch",
    "Hyperband",
    "PairedRacing",
    "Search",
    "SuccessiveHalving",
    "make_conductor",
    "searches_in",
    "settled",
]
