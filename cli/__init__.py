"""The `logbook` command."""

import typer

from cli.accounts import account_commands
from cli.developers import developers
from cli.operators import operators

main = typer.Typer(no_args_is_help=True, add_completion=False, help="The mediation logbook and feedback hub.")
main.add_typer(operators)
main.add_typer(account_commands)
main.add_typer(developers)
