"""What an experiment has come to: its best runs, which knobs mattered, and what was saved by dropping runs."""

from rapidfire_lab.report.report import Report

__all__ = ["Report"]
