"""Row-level security: tells the database's own rules who's asking, at the start of each transaction.

The rules are in `rules.sql`. They show a private row only to those they name, so a statement without its scope finds
nothing. PostgreSQL's function `ask` tells them who's asking. Its settings end with the transaction, so that nothing is
left on a connection, whether a pooler's or ours.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

# The names and types of `ask`'s arguments, in order.
ASKED = {"viewer": "uuid", "standings": "int", "by_token": "boolean", "link": "bytea", "at_work": "boolean"}


@dataclass(frozen=True)
class Principal:
    """Who's asking: a viewer with the bits of their standings, the hash of a link they hold, or the worker."""

    viewer: UUID | None = None
    standings: int = 0
    by_token: bool = False
    link: bytes | None = None
    at_work: bool = False

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """Give the arguments of `ask`."""
        return self.viewer, self.standings, self.by_token, self.link, self.at_work

    @cached_property
    def begin(self) -> str:
        """Write the start of a transaction as one message, so that the settings take no extra round trip."""
        # A message with several statements can't have parameters. None of these values can contain a quote.
        viewer = f"'{UUID(int=self.viewer.int)}'" if self.viewer else "NULL"
        link = f"'\\x{self.link.hex()}'" if self.link else "NULL"
        return f"BEGIN; SELECT ask({viewer}, {int(self.standings)}, {self.by_token}, {link}, {self.at_work})"


WORKER = Principal(at_work=True)


def as_principal(sql: str, parameters: int) -> str:
    """Write a reading statement so that it says by itself who's asking, with parameters after its own.

    `ask` takes no column, so the planner makes it the condition of a node above all others, and PostgreSQL tests it
    before fetching the first row. If it were ever tested later, the rules would know no asker, and show nothing.
    """
    asked = ", ".join(f"${parameters + place}::{kind}" for place, kind in enumerate(ASKED.values(), 1))
    return f"SELECT * FROM ({sql}) AS found WHERE ask({asked})"  # noqa: S608 - our own statement
