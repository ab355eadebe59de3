"""Programs for people who work on the source: each is a step of `make`, and isn't installed."""
