"""Everything on one machine: real services from installed packages, invented people, and a mailbox for all mail.

`make demo` runs it, and tests and benchmarks use its services. The image for production has none of it.
"""
