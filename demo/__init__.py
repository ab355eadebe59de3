"""Everything on one machine: real services out of installed packages, invented people, and a box for all mail.

`make demo` runs it, tests and benchmarks use its services; the image for production has none of it.
"""
