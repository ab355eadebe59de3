"""The rows of a world, where each column that isn't named gets a marker by its type; and who is shown which."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Boolean, Date, DateTime, Integer, LargeBinary, String, Table, Uuid
from sqlalchemy.dialects import postgresql
from sqlmodel import AutoString, SQLModel

from models.fields import camel
from models.folds import fold_columns
from permissions.secrets import Opens, hash_secret, link_secret
from permissions.viewer import Standing
from settings import Settings
from tests.privacy.markers import Known, Marker, Mint, written
from tests.privacy.oracle import Facts, Shown, Watcher, has_field

# Columns that have another name in the API; every other one is `camel(column)`.
RENAMED = {
    ("appointment", "since"): "askedAt",
    ("reviewer_invitation", "expires_at"): "expiresOn",  # as below
    # The field shows only the day; the moment is in the list's cursors. It's when their reader pressed a button.
    ("feedback_request", "made_at"): "madeOn",
}


@dataclass
class Rows:
    """The rows to insert, and what's known about them."""

    settings: Settings
    mint: Mint
    now: datetime
    rows: list[tuple[Table, dict[str, Any]]] = field(default_factory=list)
    facts: Facts = field(default_factory=Facts)
    watchers: list[Watcher] = field(default_factory=list)
    accounts: dict[str, Watcher] = field(default_factory=dict)  # everybody who has one, by address
    names: dict[UUID, str] = field(default_factory=dict)
    emails: dict[UUID, str] = field(default_factory=dict)
    links: dict[str, set[str]] = field(default_factory=dict)  # secrets, by the page that takes them
    filled: set[tuple[str, str]] = field(default_factory=set)
    recipients: dict[str, set[Marker]] = field(default_factory=dict)  # who gets mail, and what only mail tells them
    stored: dict[UUID, bytes] = field(default_factory=dict)  # what the store has of each file
    day_keys: dict[date, bytes] = field(default_factory=dict)  # what request details are sealed with
    _known: Known | None = None

    @property
    def known(self) -> Known:
        """What can be looked for, once the world is complete."""
        if self._known is None:
            self._known = Known(set(self.facts.shown))
        return self._known

    def note(self, value: object, *places: Shown) -> Marker:
        """Make a value a marker that is shown in these places."""
        marker = written(value)
        self.facts.shown.setdefault(marker, set()).update(places)
        return marker

    def put(self, table_name: str, *shown: tuple[str, UUID | None, Standing], **facts: Any) -> dict[str, Any]:
        """Write a row; `shown` names the types that show it, whose it is, and standings that don't see it."""
        table = SQLModel.metadata.tables[table_name]
        row: dict[str, Any] = {}
        folds = fold_columns(table)
        for column in table.c:
            name = column.name
            if name in folds:
                row[name] = row[folds[name]]  # markers are folded already
                self.filled.add((table_name, name))
                continue
            if name in facts:
                row[name] = value = facts[name]
                given = True
            else:
                row[name] = value = self._value(table, name)
                given = False
            if value is not None:
                self.filled.add((table_name, name))
            if given and not isinstance(value, UUID | datetime | date) and not _is_word(value):
                continue  # one of a few words, a switch, or a hash of something that's noted itself
            if given and isinstance(column.type, postgresql.JSONB):
                continue  # its parts are noted themselves
            if given and isinstance(value, UUID) and name != "id":
                continue  # the id of another row
            api = RENAMED.get((table_name, name), camel(name))
            places = [Shown(type_name, api, of, but) for type_name, of, but in shown if has_field(type_name, api)]
            if value is not None:
                self.note(word_in(value), *places)
        self.rows.append((table, row))
        return row

    def _value(self, table: Table, name: str) -> Any:
        kind = table.c[name].type
        if isinstance(kind, Uuid):
            return self.mint.id()
        if isinstance(kind, DateTime):
            return self.mint.moment(self.now)
        if isinstance(kind, Date):
            return self.mint.day()
        if isinstance(kind, Boolean):
            return False
        if isinstance(kind, Integer):
            return self.mint.number()
        if isinstance(kind, LargeBinary):
            return self.mint.id().bytes * 2
        if isinstance(kind, postgresql.ARRAY):
            return [self.mint.word()]
        if isinstance(kind, postgresql.JSONB):
            return "[]"  # the form that asyncpg takes
        assert isinstance(kind, String | AutoString), f"{table.name}.{name}: this kind of column has no marker yet"
        word = self.mint.word()
        if name.endswith("url") or name == "website":
            return f"https://demo.example/{word}"
        return f"{word}@demo.example" if name.endswith("email") else word

    def secret(self, page: str, opens: Opens, subject: UUID) -> bytes:
        """The hash of a link that leads to a page; the link itself is a marker that nobody may see."""
        secret = link_secret(self.settings, opens, subject)
        self.note(secret)
        self.links.setdefault(page, set()).add(secret)
        return hash_secret(secret)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and "zq" in value


def word_in(value: Any) -> Any:
    """The marker in a longer text, such as an address, or in a list of one. Anything else stays as it is."""
    if isinstance(value, list) and len(value) == 1:
        return word_in(value[0])
    word = re.fullmatch(r"(?:https://demo\.example/)?(zq[a-z]{12})(?:@demo\.example)?", str(value))
    return word.group(1) if word else value


async def insert(connection: "asyncpg.Connection[asyncpg.Record]", world: Rows) -> None:
    """Insert the rows, past every fence and in an order that the tables' references allow."""
    order = {table.name: place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
    for table, row in sorted(world.rows, key=lambda one: order[one[0].name]):
        await insert_row(connection, table, row)


async def insert_row(connection: "asyncpg.Connection[asyncpg.Record]", table: Table, row: dict[str, Any]) -> None:
    """Insert one row."""
    names, places = ", ".join(f'"{name}"' for name in row), ", ".join(f"${place}" for place, _ in enumerate(row, 1))
    await connection.execute(f'INSERT INTO "{table.name}" ({names}) VALUES ({places})', *row.values())
