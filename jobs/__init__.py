"""What happens after commit: the outbox, mail, expiry, and the worker that runs them."""
