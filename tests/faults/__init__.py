"""Drills: what can happen to machines, done to the real processes. `python -m tests.faults` runs them all."""
