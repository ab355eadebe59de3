"""`python -m cli`, where the `logbook` script isn't on the path."""

from cli import main

main()
