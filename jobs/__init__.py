"""What happens after commit: the outbox, mail, expiry, and what wakes the worker (`web/worker.py`) that runs them."""
