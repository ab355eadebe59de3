"""Drills: what machines do to the service, done to its real processes. `python -m tests.faults` runs them all."""
