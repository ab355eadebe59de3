"""A world where each private text has a list of its readers, and a way to take away the application's own fences."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Select, bindparam, literal, or_, true
from sqlalchemy.types import Integer, Uuid

from models.account import Role
from models.evidence import evidence_files
from models.mediator import Visibility
from permissions import scopes
from permissions.viewer import EVERYBODY, SIGNED_IN, Standing
from resolvers import entry_reading, evidence, feedback, feedback_request, mediator
from resolvers.paging import page_statement
from schema import execution
from schema.build import projection
from tests.hub import Hub, Person, payload
from tests.world import put_cases, put_cpd, put_feedback, put_file, put_token

# Everything that the database's own rules guard, by every route to it.
ALL = """{
  me { mediator { ...Private } exports { id } }
  mediators(first: 30) { nodes { ...Private } }
}
fragment Private on Mediator {
  logbook(first: 30) { nodes { reference parties didWell foundChallenging notes } }
  cpd(first: 30) { nodes { takeaways files { name } } }
  learnings(first: 30) { nodes { text } }
  feedbackRequests(first: 30) { nodes { partyName partyEmail reference mediationEndedOn } }
  feedback(first: 30) { nodes { id answers { text } origin(reason: "Ticket 1234") { name email } } }
  feedbackSummary { years { year } }
}"""

LONG_AGO = {"ann": 1951, "eve": 1952}  # years in which all of somebody's feedback is unshared


@dataclass
class World:
    """People by name, their programs' tokens, and the names of each private text's `readers`."""

    hub: Hub
    people: dict[str, Person]
    tokens: dict[str, str]
    readers: dict[str, set[str]]

    async def read(self, name: str, document: str = ALL) -> set[str]:
        """Return the private texts that somebody finds when they ask for everything."""
        who: dict[str, Any] = {"token": self.tokens[name]} if name in self.tokens else {"by": self.people.get(name)}
        answer = await self.hub.ask(document, **who)
        assert "INTERNAL_SERVER_ERROR" not in answer.codes, answer.body
        return {text for text in self.readers if text in str(answer.body.get("data"))}

    def readable(self, name: str) -> set[str]:
        """Return the private texts that somebody may read."""
        return {text for text, readers in self.readers.items() if name in readers}

    @property
    def names(self) -> list[str]:
        """Everybody and every program."""
        return [*self.people, *self.tokens, "nobody"]


async def make_world(hub: Hub) -> World:
    """Ann is reviewed by Rob, and Ron waits to be. Eve is an administrator and a mediator whom Rob reviews too."""
    people = {
        "ann": await hub.mediator(),
        "bea": await hub.mediator(),
        "eve": await hub.person(Role.MEDIATOR, Role.ADMIN),
        "rob": await hub.person(Role.REVIEWER),
        "ron": await hub.person(Role.REVIEWER),
        "dora": await hub.person(Role.DIRECTORY),
        "admin": await hub.person(Role.ADMIN),
        "gone": await hub.person(Role.MEDIATOR, visibility=Visibility.PRIVATE),
    }
    tokens = {f"{name}'s program": await put_token(hub, people[name]) for name in ("ann", "rob", "admin")}
    await hub.appointed(people["ann"], people["rob"])
    await hub.appointed(people["eve"], people["rob"])
    await hub.waiting(people["ann"], people["ron"])
    readers: dict[str, set[str]] = {}
    for name, others in (("ann", {"admin", "eve"}), ("eve", {"admin"})):
        readers |= await _fill(hub, name, people[name], others)
    for text, names in readers.items():
        if "origin" not in text:
            readers[text] = names | ({f"{name}'s program" for name in names} & set(tokens))
    return World(hub, people, tokens, readers)


async def _fill(hub: Hub, name: str, person: Person, admins: set[str]) -> dict[str, set[str]]:
    """Add somebody's private texts, and return who may read each."""
    private = ("reference", "parties", "did_well", "found_challenging", "notes")
    await put_cases(hub, person, {column: f"{name}-case-{column}" for column in private})
    (entry,) = await put_cpd(hub, person, {"takeaways": f"{name}-takeaways"})
    await put_file(hub, person, entry, f"{name}-file")
    readers = {f"{name}-case-{column}": {name} for column in private}
    readers |= {f"{name}-takeaways": {name}, f"{name}-file": {name}}
    asked = {
        "partyName": f"{name}-party",
        "partyEmail": f"{name}-party@demo.example",
        "reference": f"{name}-request",
        "partyAgreed": True,
    }
    for hours, day in ((0, f"{LONG_AGO[name]}-02-03"), (-121, f"{LONG_AGO[name]}-04-05")):
        late = {key: f"old-{value}" if isinstance(value, str) else value for key, value in asked.items()}
        async with hub.later(hours=hours) as then:
            sent = asked if hours == 0 else late
            payload(await then.change("requestFeedback", sent | {"mediationEndedOn": day}, by=person))
        readers[day] = {name}
    readers |= {f"'{name}-party'": {name}, f"'{name}-party@demo.example'": {name}, f"'{name}-request'": {name}}
    readers |= {f"old-{name}-party": set(), f"old-{name}-request": set()}
    reviewing = {"rob", *admins}
    for kind in ("shared", "waiting", "unshared"):
        texts = {"impressed": f"{name}-{kind}-answer", "for_reviewer": f"{name}-{kind}-for-the-reviewer"}
        origin = f"{name}-{kind}-origin"
        shared, released = kind != "unshared", kind == "shared"
        await put_feedback(hub, person, dict(texts), shared=shared, released=released, name=origin, email=f"@{origin}")
        readers |= dict.fromkeys(texts.values(), reviewing) | dict.fromkeys((f"'{origin}'", f"@{origin}"), admins)
        readers[texts["impressed"]] = reviewing | ({name} if kind == "shared" else set())
    year = f"'year': {LONG_AGO[name]}"
    await put_feedback(hub, person, {}, shared=False, received_on=date(LONG_AGO[name], 1, 1))
    return {text: set(names) for text, names in (readers | {year: reviewing}).items()}


def _everything(_standing: Standing) -> ColumnElement[bool]:
    return true()


def _every_standing(_standings: Standing) -> ColumnElement[int]:
    return literal(int(SIGNED_IN), Integer).label("standing")


class _Anybody:
    """Takes the place of a list's owner, and matches anybody."""

    def __eq__(self, _other: object) -> ColumnElement[bool]:  # type: ignore[override]
        return true()

    __hash__ = None  # type: ignore[assignment]


def _of_everybody(rows: Select[Any], *arguments: Any, parent: Any = None, **options: Any) -> Select[Any]:
    whose: Any = None if parent is None else _Anybody()
    return page_statement(rows, *arguments, parent=whose, **options)


def _anybodys_file() -> ColumnElement[bool]:
    owner, me = evidence_files.c.mediator_id, bindparam("me", type_=Uuid())
    return or_(owner == me, owner != me)


def _whole_schema(_standings: Standing, _by_token: bool) -> execution.Documents:
    return execution.Documents(projection(EVERYBODY))


FENCES = ("visible mediators", "readable feedback", "readable answers", "kept details", "whose list", "projection")


@contextmanager
def without(*fences: str) -> Iterator[None]:
    """Take away some of the application's own fences, which its statements are built with."""
    rows = feedback.FEEDBACK.rows
    with pytest.MonkeyPatch.context() as patch:
        if "visible mediators" in fences:
            patch.setattr(mediator, "visible_mediators", _everything)
            patch.setattr(mediator, "standing_column", _every_standing)
        if "readable feedback" in fences:
            object.__setattr__(feedback.FEEDBACK, "rows", _everything)
        if "readable answers" in fences:
            patch.setattr(feedback, "readable_answers", _everything)
        if "kept details" in fences:
            patch.setattr(scopes, "details_kept", true)
        if "whose list" in fences:
            patch.setattr(entry_reading, "page_statement", _of_everybody)
            patch.setattr(feedback_request, "page_statement", _of_everybody)
            patch.setattr(evidence, "_own", _anybodys_file)
        if "projection" in fences:
            patch.setattr(execution, "documents", _whole_schema)
        _forget_statements()
        yield
    object.__setattr__(feedback.FEEDBACK, "rows", rows)
    _forget_statements()


def _forget_statements() -> None:
    reading = (entry_reading._page, entry_reading._count, entry_reading._some, entry_reading._facets)
    for kept in (
        mediator._one,
        mediator._page,
        mediator._count,
        *reading,
        feedback_request._page,
        feedback_request._one,
        evidence._of_entries,
    ):
        kept.cache_clear()
