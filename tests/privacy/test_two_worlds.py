"""Two worlds that differ only in what somebody may not read give that person the same answers, byte for byte.

The oracle makes the second world from the first: each value that the viewer may not read is replaced, each row they
may see nothing of is gone or has company, and all rows arrive in another order. So there's no list of what's private
to maintain, and a table or a column that's added later is included.
"""

import random
import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import Boolean, Date, DateTime, Integer, String, Table, Uuid
from sqlalchemy.dialects import postgresql
from sqlmodel import AutoString, SQLModel

from jobs import mail
from models.account import Role
from models.cpd import CPD_FIELDS
from models.fields import EntryField, FieldKind
from models.folds import fold_columns
from models.logbook import LOGBOOK_FIELDS
from permissions.policy import allows
from permissions.sealing import open_details, open_origin, seal_details, seal_origin
from permissions.secrets import Opens, link_secret
from permissions.viewer import Standing
from schema.build import projection
from settings import Notice
from tests.hub import drain, payload
from tests.privacy.markers import written
from tests.privacy.oracle import Watcher
from tests.privacy.overheard import empty_redis
from tests.privacy.pages import paths
from tests.privacy.place import Place, admin_connection
from tests.privacy.rows import insert_row, word_in
from tests.privacy.walk import Asked, documents, lists

# What decides who may see a row isn't changed: the viewer could then notice a difference rightly.
DECIDES = {
    *("id", "mediator_id", "account_id", "reviewer_id", "feedback_id", "actor_id", "secret_hash", "password_hash"),
    *("roles", "visibility", "in_force", "released", "reviewer_only", "revoked_at", "expires_at", "feedback_link_hash"),
    *("email_verified_at", "made_at", "state", "key_hash", "email_key", "question", "purpose", "kind"),
    *("subject_id", "answer", "day", "admission", "receipt_hash"),
}
# Words of an enumeration, to exchange for one another.
WORDS = {
    **{field.name: tuple(field.words)[:2] for field in LOGBOOK_FIELDS + CPD_FIELDS if field.words},
    "capacity": ("PARTY", "OTHER"),
    "acted_as": ("MEDIATOR", "ADVOCATE"),
    "approval": ("new", "each"),
    "relation": ("OTHER", "COLLEAGUE"),
}
# No marker of their own: neither words nor switches, what has several in one column, and ids of other rows.
UNMARKED = {FieldKind.CHOICE, FieldKind.FLAG, FieldKind.WORDS, FieldKind.CREDITS, FieldKind.CASE}


def read_alike(type_name: str, fields: tuple[EntryField, ...]) -> dict[str, str]:
    """For each field without a marker, a column beside it that has one and that the policy shows to the same people."""
    marked = [one for one in fields if one.kind not in UNMARKED]
    return {
        field.name: next(
            one.name
            for one in marked
            if one.private == field.private and readers(type_name, one) == readers(type_name, field)
        )
        for field in fields
        if field.kind in UNMARKED and field.name not in DECIDES
    }


def readers(type_name: str, field: EntryField) -> list[Standing]:
    return [one for one in Standing if allows(one, type_name, field.graphql_name)]


# Those who read this column of the same row read what holds no marker, too.
READ_WITH = {
    **read_alike("LogbookEntry", LOGBOOK_FIELDS),
    **read_alike("CpdEntry", CPD_FIELDS),
    "capacity": "received_on",
    "acted_as": "received_on",
    "by_invitation": "received_on",
    "shared": "received_on",
    "rating": "text",
    "approval": "since",
    "relation": "relation_details",
    "percent": "requested_at",
    "has_certificate": "title",
}
READ_WITH_IN = {("opening_balance", "role"): "minutes"}  # where a column has another one beside it


SEALED = {"feedback_origin", "feedback_request_details"}

# What's deleted along with a piece of feedback.
HANGING = (("feedback_answer", "feedback_id"), ("feedback_origin", "id"), ("audit_entry", "subject_id"))


class Other:
    """The other world of one viewer."""

    def __init__(self, place: Place, watcher: Watcher) -> None:
        self.place = place
        # Everybody has every link here, but no receipts: their holders see their own pieces in either world.
        links = place.world.facts.told_by.keys() - place.world.links["receipt"]
        self.visible = place.world.facts.visible(watcher, links)
        self.dice = random.Random(watcher.name)
        self.changed = self.gone = self.come = 0

    def may_read(self, table: str, row: dict[str, Any], column: str) -> bool:
        """Whether the viewer may read this; what holds no marker is read by those who read a column beside it."""
        if table == "feedback_answer" and column == "rating":
            return str(row["feedback_id"]) in self.visible and not row["reviewer_only"]
        value = row.get(READ_WITH_IN.get((table, column)) or READ_WITH.get(column, column))
        return value is not None and written(word_in(value)) in self.visible

    def another(self, table: Table, row: dict[str, Any]) -> dict[str, Any]:
        """The row with another value in each column that the viewer may not read."""
        other: dict[str, Any] = {}
        folds = fold_columns(table)
        for column in table.c:
            name, value = column.name, row[column.name]
            refers = column.foreign_keys and name not in READ_WITH
            if name in folds or value is None or name in DECIDES or refers:
                continue
            if self.may_read(table.name, row, name):
                continue
            if name != "shared" or not row["released"]:  # what has been released to the mediator was shared
                other[name] = self._value(column.type, name, value)
        if table.name == "logbook_entry" and "ended_on" in other:
            if self.may_read("logbook_entry", row, "minutes"):  # and so the month, which isn't a marker
                other["ended_on"] = row["ended_on"].replace(day=self.dice.randrange(1, 28))
            other["started_on"] = other["ended_on"] - timedelta(days=self.dice.randrange(400))
        if table.name == "case_session" and "held_on" in other and self.may_read("case_session", row, "minutes"):
            other["held_on"] = row["held_on"].replace(day=self.dice.randrange(1, 28))
        self.changed += len(other)
        if table.name in SEALED:
            other["sealed"] = self._resealed(row)
        # A text or an address changes together with the form that it's compared by; markers are folded already.
        if "email" in other and "email_key" in table.c:
            other["email_key"] = other["email"]
        return other | {name: other[text] for name, text in folds.items() if text in other}

    def _resealed(self, row: dict[str, Any]) -> bytes:
        """What's sealed in the row, with another text in each place that the viewer may not read."""
        settings, world = self.place.hub.settings, self.place.world
        if "made_at" not in row:
            origin = open_origin(settings, row["id"], row["sealed"])
            return seal_origin(settings, row["id"], replace(origin, **self._hidden(vars(origin))))
        day = row["made_at"].date()
        bound = settings, day, world.day_keys[day], row["id"]
        details = open_details(*bound, row["sealed"])
        return seal_details(*bound, replace(details, **self._hidden(vars(details))))

    def _hidden(self, facts: dict[str, Any]) -> dict[str, Any]:
        hidden = {name: value for name, value in facts.items() if written(word_in(value)) not in self.visible}
        self.changed += len(hidden)
        mint = self.place.world.mint
        return {
            name: mint.moment(value) if isinstance(value, datetime) else re.sub("zq[a-z]{12}", mint.word(), value)
            for name, value in hidden.items()
        }

    def _value(self, kind: Any, name: str, value: Any) -> Any:
        mint = self.place.world.mint
        if name in WORDS:
            word = self.dice.choice(WORDS[name])
            return [word] if isinstance(kind, postgresql.ARRAY) else word
        if name == "rating":
            return self.dice.randrange(1, 6)
        if name == "percent":
            return self.dice.randrange(101)
        if isinstance(kind, Boolean):
            return self.dice.random() < 0.5
        if isinstance(kind, Integer):
            return mint.number()
        if isinstance(kind, Date):
            return mint.day()
        if isinstance(kind, DateTime):
            return mint.moment(value)
        if isinstance(kind, postgresql.JSONB):
            value = re.sub(r'"\d{9}"', f'"{mint.number()}"', value)
        if isinstance(kind, String | AutoString | postgresql.JSONB):
            return re.sub("zq[a-z]{12}", mint.word(), value)
        if isinstance(kind, postgresql.ARRAY):
            return [mint.word()]
        if name == "supervised_case_id":  # which has to exist
            return None
        return mint.id() if isinstance(kind, Uuid) else value


async def _make(place: Place, watcher: Watcher) -> Other:
    """Turn the world into the viewer's other one."""
    other = Other(place, watcher)
    async with admin_connection(place.hub) as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for name, table in {table.name: table for table, _ in place.world.rows}.items():
            rows = [dict(row) for row in await connection.fetch(f'SELECT * FROM "{name}"')]
            await connection.execute(f'DELETE FROM "{name}"')
            other.dice.shuffle(rows)
            for row in rows:
                await insert_row(connection, table, row | other.another(table, row))
        await _come_and_go(connection, other, watcher)
    return other


async def _come_and_go(connection: "asyncpg.Connection[asyncpg.Record]", other: Other, watcher: Watcher) -> None:
    """Delete half of the rows that the viewer may see nothing of, and give the other half company."""
    mint = other.place.world.mint
    for name in (
        *("feedback", "logbook_entry", "case_session", "cpd_entry", "opening_balance", "evidence_file"),
        *("feedback_request", "session", "outbox"),
        "audit_entry",
    ):
        table = SQLModel.metadata.tables[name]
        for record in await connection.fetch(f'SELECT * FROM "{name}"'):
            row = dict(record)
            if str(row["id"]) in other.visible:
                continue
            # A request stays: somebody holds its link, and may notice whether it works.
            if name != "feedback_request" and other.dice.random() < 0.5:
                other.gone += 1
                await connection.execute(f'DELETE FROM "{name}" WHERE id = $1', row["id"])
                if name == "feedback":
                    hanging = (
                        ("feedback_answer", "feedback_id"),
                        ("feedback_origin", "id"),
                        ("audit_entry", "subject_id"),
                    )
                    for part, key in hanging:
                        await connection.execute(f"DELETE FROM {part} WHERE {key} = $1", row["id"])
                continue
            unique = {
                "id": mint.id(),
                "sequence": mint.number(),
                "secret_hash": mint.id().bytes * 2,
                "dedupe_key": str(mint.id()),
            }
            unique["receipt_hash"] = unique["secret_hash"]
            other.come += 1
            await insert_row(connection, table, row | {one: unique[one] for one in unique if one in table.c})


async def _answers(place: Place, watcher: Watcher, addresses: list[str]) -> list[str]:
    """Everything that somebody can read, in every order, through every filter and on pages, byte for byte."""
    schema = projection(watcher.could)
    # The audit log first, on pages and over the API: reading answers and origins is noted in it.
    everything = [*documents(schema, _pools(place)), *(Asked(text, {}) for text in lists(schema))]
    asked = sorted(everything, key=lambda one: "auditLog" not in one.text)
    answers = []
    for path in addresses:
        response = await place.request_as(watcher, "GET", path)
        # Each form has its own key, so that it counts once however often it's sent.
        text = re.sub(r'name="(?:requestKey|begun)" value="[^"]+"', "", response.text)
        answers.append(f"{path} {response.status_code} {sorted(response.headers.items())} {text}")
    for one in asked:
        response = await place.ask_as(watcher, one.text, one.variables)
        answers.append(f"{one} {response.status_code} {_in_order(response.text)}")
    return answers


async def _mail(place: Place, watcher: Watcher) -> list[tuple[str, str, str]]:
    """Every mail that somebody gets within the next three days, in whatever order."""
    if watcher.account_id is None:
        return []
    async with place.hub.later(days=3) as later:
        await drain(later.worker, later.settings)
    mails = place.hub.mails(place.world.emails[watcher.account_id])
    found = sorted((one["subject"], one["text"], one["html"]) for one in mails)
    place.burn_mails()
    return found


def _without_notices(mails: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    notices = {str(mail.FEEDBACK_RECEIVED.subject), str(mail.DISCREET_NOTICE.subject)}
    return [one for one in mails if one[0] not in notices]


def _in_order(text: str) -> str:
    """An answer with its errors sorted by field: fields that fail side by side fail in any order."""
    body = orjson.loads(text)
    if "errors" in body:
        body["errors"].sort(key=lambda error: [str(part) for part in error.get("path", [])])
    return orjson.dumps(body).decode()


def _where_they_part(one: str, other: str) -> str:
    at = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{one[:200]} ... {one[max(0, at - 200) : at + 200]!r}\nand {other[max(0, at - 200) : at + 200]!r}"


def _addresses(place: Place) -> list[str]:
    """The pages of everybody who has no receipt."""
    return [path for path, values in paths(place) if not place.world.links["receipt"] & {*values}]


def _pools(place: Place) -> dict[str, list[str]]:
    """Ids and links that are in both worlds."""
    links = place.world.links
    accounts = [str(account.account_id) for account in place.world.accounts.values()]
    tokens, given = sorted(links["feedback"])[:10], sorted(links["give"])[:10]
    return {"id": accounts, "token": tokens, "link": given, "search": ["zq", "zqa"]}


# What others read and the viewer doesn't.
NOTES = "{ me { mediator { logbook { nodes { notes } } } } }"
GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "impressed", "text": "praise"}]}
NAMES = "{ accounts(first: 100) { nodes { name } } }"

MOST_TELLING = [
    (Role.MEDIATOR,),
    (Role.REVIEWER,),
    (Role.DIRECTORY,),
    (Role.ADMIN,),
    (Role.MEDIATOR, Role.ADMIN),
    (Role.MEDIATOR, Role.REVIEWER),
    tuple(Role),
]


# Named notices concern mediators alone.
CASES = [(roles, Notice.OFF) for roles in MOST_TELLING]
CASES += [(roles, Notice.NAMED) for roles in MOST_TELLING if Role.MEDIATOR in roles]


@pytest.mark.parametrize(("roles", "notice"), CASES, ids=lambda one: one if isinstance(one, str) else "+".join(one))
async def test_what_somebody_may_not_read_changes_nothing_in_their_answers_or_their_mail(
    place: Place, roles: tuple[Role, ...], notice: Notice
) -> None:
    watcher = next(one for one in place.world.watchers if one.roles == set(roles) and one.cookie)
    addresses = _addresses(place)
    before = await _answers(place, watcher, addresses)
    mail_before = await _mail(place, watcher)
    await place.put_back()
    role, document = (Role.MEDIATOR, NOTES) if Role.ADMIN in roles else (Role.ADMIN, NAMES)
    reader = next(one for one in place.world.watchers if one.roles == {role})
    known = (await place.ask_as(reader, document)).text
    other = await _make(place, watcher)
    after = await _answers(place, watcher, addresses)
    mail_after = await _mail(place, watcher)
    assert other.changed > 100
    assert other.gone
    assert other.come
    assert known != (await place.ask_as(reader, document)).text, "somebody who may read it sees the other world"
    for was, is_now in zip(before, after, strict=True):
        assert was == is_now, _where_they_part(was, is_now)
    assert _without_notices(mail_before) == _without_notices(mail_after)
    if notice is Notice.OFF:
        assert mail_before == mail_after


@pytest.mark.parametrize("notice", Notice)
async def test_feedback_that_is_not_shared_changes_nothing_for_its_mediator_but_the_notice(
    place: Place, notice: Notice
) -> None:
    watcher = next(one for one in place.world.watchers if one.roles == {Role.MEDIATOR} and one.cookie)
    assert watcher.account_id
    link = link_secret(place.hub.settings, Opens.PERSONAL_LINK, watcher.account_id)
    addresses, readings, told = _addresses(place), [], []
    for names in ([], ["Gil Giver"], ["Gil Giver", "Pia Party", None]):
        for name in names:
            facts = GIVEN | {"link": link, "name": name}
            payload(await place.hub.change("giveFeedback", facts))
        readings.append(await _answers(place, watcher, addresses))
        told.append(await _mail(place, watcher))
        await place.put_back()
    nothing, one, three = readings
    for was, *are_now in zip(nothing, one, three, strict=True):
        for is_now in are_now:
            assert was == is_now, _where_they_part(was, is_now)
    assert _without_notices(told[0]) == _without_notices(told[1]) == _without_notices(told[2])
    new = [Counter(mails) - Counter(told[0]) for mails in told[1:]]
    if notice is Notice.NAMED:
        assert [each.total() for each in new] == [1, 3]
    elif notice is Notice.DISCREET:
        assert [each.total() for each in new] == [1, 1]
        assert new[0] == new[1]
    else:
        assert new == [Counter(), Counter()]


@pytest.mark.parametrize("notice", [Notice.NAMED])  # the one that tells most
async def test_feedback_that_does_not_count_changes_nothing_for_its_mediator(place: Place, notice: Notice) -> None:
    """Not even the notice: held pieces, discarded ones, and a receipt that's used for one."""
    watcher = next(one for one in place.world.watchers if one.roles == {Role.MEDIATOR} and one.cookie)
    assert watcher.account_id
    link = link_secret(place.hub.settings, Opens.PERSONAL_LINK, watcher.account_id)
    own = place.world.emails[watcher.account_id]
    addresses, kinds, readings, told = _addresses(place), [], [], []
    for emails in ([None] * 5, [None] * 9 + [own] * 2):
        await empty_redis(place.hub)
        for email in emails:
            facts = GIVEN | {"link": link, "email": email}
            given = payload(await place.hub.change("giveFeedback", facts, "receipt"))
        if own in emails:
            payload(await place.hub.change("changeFeedbackSharing", {"code": given["receipt"], "share": True}))
        new = await place.hub.rows("SELECT admission FROM feedback WHERE received_on > '2020-01-01'")
        kinds.append(Counter(row["admission"] for row in new))
        readings.append(await _answers(place, watcher, addresses))
        told.append(await _mail(place, watcher))
        await place.put_back()
    assert kinds == [{"ADMITTED": 5}, {"ADMITTED": 5, "HELD": 4, "DISCARDED": 2}]
    for was, is_now in zip(*readings, strict=True):
        assert was == is_now, _where_they_part(was, is_now)
    assert told[0] == told[1]
