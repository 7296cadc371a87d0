"""Advisors: they propose the knobs of the next trial, and hear what came of it."""

from rapidfire_lab.model.advisor.base import BaseAdvisor
from rapidfire_lab.model.advisor.bayes import BayesAdvisor
from rapidfire_lab.model.advisor.choice import make_advisor
from rapidfire_lab.model.advisor.evolution import EvolutionAdvisor
from rapidfire_lab.model.advisor.fixed import FixedAdvisor
from rapidfire_lab.model.advisor.proposal import ParamsType, Proposal, TrialResult
from rapidfire_lab.model.advisor.random_draws import RandomAdvisor

__all__ = [
    "BaseAdvisor",
    "BayesAdvisor",
    "EvolutionAdvisor",
    "FixedAdvisor",
    "ParamsType",
    "Proposal",
    "RandomAdvisor",
    "TrialResult",
    "make_advisor",
]
