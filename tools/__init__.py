"""Programs for those who work on the source: each is a step of `make`, and no part of what is installed."""
