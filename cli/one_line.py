"""How a command ends that can't be done because of a setting: with one line, and status 1."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import typer

from settings import SettingsError

P = ParamSpec("P")
T = TypeVar("T")


def one_line(run: Callable[P, T]) -> Callable[P, T]:
    """End with one line and status 1 if a setting is missing or wrong."""

    @wraps(run)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return run(*args, **kwargs)
        except SettingsError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None

    return guarded
