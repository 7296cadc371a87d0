"""Benchmarks: one command each, one line of JSON each. See README.md."""
