"""People find exactly the markers that the policy table grants them, whatever they ask for."""

import io
import math
import os
import time
import zipfile
from collections import Counter
from collections.abc import Iterable

import httpx
import pytest
from graphql import GraphQLObjectType, GraphQLScalarType, get_named_type, is_introspection_type
from sqlmodel import SQLModel

from demo.mailcatcher import CaughtMail
from schema.build import projection
from settings import Notice
from tests.hub import drain, payload
from tests.privacy.markers import Marker
from tests.privacy.operations import operations
from tests.privacy.oracle import ASKED_FOR, OWNERS_ALONE, Shown, Watcher, whole
from tests.privacy.overheard import empty_redis, kept_in_redis, logged, queued
from tests.privacy.pages import paths
from tests.privacy.place import Place
from tests.privacy.walk import selection
from tests.volume import tries

OPERATIONS = int(os.environ.get("PRIVACY_OPERATIONS", tries(120, 2000)))
THOROUGH = 2000  # from this number on, nothing is left out
SECONDS = float(os.environ.get("PRIVACY_SECONDS", "0"))
SEED = int(os.environ.get("PRIVACY_SEED", "1"))

# Fields that repeat what was sent, the service's own texts, and counts and averages of many rows. The test with two
# worlds checks that these don't depend on what somebody may not read.
NO_MARKERS = {
    *("Survey", "SurveyQuestion", "SurveyScaleStep", "UserError", "PageInfo"),
    *("FeedbackSummary", "FeedbackYear", "QuestionSummary"),
    *("Experience.cases", "RoleHours.cases", "YearHours.cases", "YearHours.year", "LogbookEntry.endedMonth"),
    *("RoleYearHours.year", "RoleYearHours.cases", "CaseSession.heldMonth", "LogbookFacets.disputeKinds"),
    *("LogbookFacets.years", "CpdFacets.years", "LearningFacets.years", "DataExport.percent"),
    # What only its receipt shows: `told_by` has it.
    *("FeedbackReceipt", "FeedbackReceiptAnswer"),
    *("EvidenceFile.mediaType", "Feedback.year", "FeedbackAnswer.question", "FeedbackAnswer.rating", "DeadMail.kind"),
}

# Mail to an address that no account has any more. The outbox keeps the address until the mail has been handed over.
KEEPS_ADDRESS = {"account_deleted", "email_changed", "review_ended", "appointment_ended"}


def told(place: Place, leaked: Iterable[Marker]) -> dict[str, str]:
    """Where the table shows each of these markers, for the message of a failure."""
    shown = place.world.facts.shown
    return {one: ", ".join(sorted(f"{at.type_name}.{at.name}" for at in shown[one])) or "nowhere" for one in leaked}


async def test_every_column_of_every_table_is_filled_in_the_marked_world(place: Place) -> None:
    columns = {(table.name, column.name) for table in SQLModel.metadata.sorted_tables for column in table.c}
    assert columns - place.world.filled == set()
    tables = await place.hub.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in tables} - {"alembic_version"} == {table for table, _ in columns}


async def test_every_field_of_the_api_shows_a_marker_to_somebody(place: Place) -> None:
    granted = {f"{at.type_name}.{at.name}" for shown in place.world.facts.shown.values() for at in shown}
    for type_ in whole().type_map.values():
        if not isinstance(type_, GraphQLObjectType) or is_introspection_type(type_):
            continue
        if type_.name.endswith(("Connection", "Edge", "Payload")) or type_.name in NO_MARKERS:
            continue
        for name, field in type_.fields.items():
            kind = get_named_type(field.type)
            if isinstance(kind, GraphQLScalarType) and kind.name != "Boolean":
                assert f"{type_.name}.{name}" in granted | NO_MARKERS, "give it a marker in marked_world.py"


@pytest.mark.long
async def test_everybody_reads_exactly_what_the_table_grants_them(place: Place) -> None:
    facts, pools = place.world.facts, place.pools()
    everybody: set[Shown] = set()
    for watcher in place.world.watchers:
        if watcher.token and len(watcher.roles) == 2 and OPERATIONS < THOROUGH:
            continue
        seen: set[Marker] = set()
        async for response in place.read(watcher, pools):
            seen |= place.found(response)
        granted = set() if watcher.over else facts.visible(watcher, facts.told_by)
        assert not told(place, seen - granted), f"{watcher.name} reads what the table does not grant"
        assert not told(place, granted - seen), f"{watcher.name} does not read what the table grants"
        everybody |= {at for marker in granted for at in facts.shown[marker] if facts.sees(watcher, at)}
    everybody |= await _own(place)
    places = {at for shown in facts.shown.values() for at in shown}
    in_reach = {
        at for at in places if at.of in facts.mediators or at.of is None or at.type_name in OWNERS_ALONE | ASKED_FOR
    }
    assert in_reach <= everybody, "nobody was seen reading this place"


async def _own(place: Place) -> set[Shown]:
    """What everybody else reads about themselves: they must find all of it."""
    facts, read = place.world.facts, set[Shown]()
    for account in set(place.world.accounts.values()) - set(place.world.watchers):
        type_ = projection(account.could).type_map["OwnAccount"]
        assert isinstance(type_, GraphQLObjectType)
        seen = place.found(await place.ask_as(account, f"{{ me {selection(type_)} }}"))
        for marker in facts.visible(account):
            places = {at for at in facts.shown[marker] if at.type_name not in ASKED_FOR}
            own = {at for at in places if at.of == account.account_id and facts.sees(account, at)}
            assert not own or marker in seen, own
            read |= own
    return read


@pytest.mark.parametrize("half", [0, 1])  # so that two processes can share the work
@pytest.mark.long
async def test_random_operations_show_nobody_what_they_may_not_read(place: Place, half: int) -> None:
    began, run, seed = time.monotonic(), Counter[str](), SEED
    watchers = [one for one in place.world.watchers if not one.over]
    with logged() as lines:
        while not run or time.monotonic() - began < SECONDS:
            await _random_operations(place, watchers[half::2], math.ceil(OPERATIONS / len(watchers)), seed, run)
            seed += 1
            await _none_in_redis(place)
        assert not told(place, place.personal_in(lines.getvalue()))
    assert sum(run.values()) >= OPERATIONS // 2
    took = f"{time.monotonic() - began:.0f} s, {time.process_time():.0f} s of a core"
    print(f"{sum(run.values())} operations in {took}: {dict(run)}")  # noqa: T201 - with -s
    # If nearly all were refused or nearly all let through, hardly anything would have been tried.
    assert min(run["query"], run["change"], run["refused"]) > sum(run.values()) / 50


async def _none_in_redis(place: Place) -> None:
    """Redis holds no marker at all. Then it's emptied, so that no limit gets in the way of what comes next."""
    assert place.world.known.found_in(await kept_in_redis(place.hub)) == set()
    await empty_redis(place.hub)


async def _random_operations(place: Place, watchers: list[Watcher], share: int, seed: int, run: Counter[str]) -> None:
    facts, pools = place.world.facts, place.pools() | {"cursor": await place.cursors()}
    for watcher in watchers:
        schema = projection(watcher.could, by_token=bool(watcher.token))
        granted = facts.visible(watcher)
        for operation in operations(schema, share, seed, pools):
            sent = place.world.known.found_in(operation.text)
            links = {marker for link in sent & facts.told_by.keys() for marker in facts.told_by[link]}
            response = await place.ask_as(watcher, operation.text)
            leaked = place.found(response) - granted - sent - links
            assert not told(place, leaked), f"{watcher.name} asks {operation.text}\n{response.text[:2000]}"
            assert "$argon2" not in response.text
            run[_kind(response, changes=operation.changes)] += 1
            if operation.changes:
                await _mailed(place, watcher, sent | links)
                await place.put_back()


def _kind(response: httpx.Response, *, changes: bool) -> str:
    body = response.json()
    if body.get("data") is None:
        return "refused"
    return "change" if changes else "query"


async def _mailed(place: Place, actor: Watcher, sent: set[Marker]) -> None:
    """Send the mail that a change caused: it says what its recipient may read, what its sender wrote, or their name."""
    await drain(place.hub.database, place.hub.settings)
    named = sent | ({place.world.names[actor.account_id]} if actor.account_id else set())
    for kind, row in await queued(place.hub):
        held = place.personal_in(row)
        assert kind in KEEPS_ADDRESS or not held, f"the outbox holds {told(place, held)} for {kind}"
    for mail in place.hub.mails():
        check_mail(place, mail, named)
    place.burn_mails()


def check_mail(place: Place, mail: CaughtMail, named: set[Marker]) -> None:
    """A mail says only what its recipient may read, and what this kind of mail is for."""
    found = place.world.known.found_in(f"{mail['subject']}\n{mail['text']}\n{mail['html']}")
    account = place.world.accounts.get(mail["to"])
    others = found - place.world.recipients.get(mail["to"], set()) - named
    leaked = {marker for marker in others if not (account and place.world.facts.may_see(account, marker))}
    assert not told(place, leaked), f"mail to {mail['to']}: {mail['text']}"


NOTICES = {
    Notice.NAMED: {"You've received feedback", "There may be new feedback about you"},
    Notice.DISCREET: {"There may be new feedback about you"},
    Notice.OFF: set[str](),
}


@pytest.mark.parametrize("notice", Notice)
async def test_queued_mail_tells_its_recipient_what_it_is_for_and_nothing_else(place: Place, notice: Notice) -> None:
    async with place.hub.later(hours=1) as later:
        with logged() as lines:
            await drain(later.database, later.settings)
        assert not told(place, place.personal_in(lines.getvalue()))
    mails = place.hub.mails()
    for mail in mails:
        check_mail(place, mail, set())
    assert NOTICES[notice] == {mail["subject"] for mail in mails} & NOTICES[Notice.NAMED]
    for to, facts in place.world.recipients.items():
        texts = " ".join(mail["subject"] + mail["text"] for mail in mails if mail["to"] == to)
        assert facts <= place.world.known.found_in(texts), to
    for kind, row in await queued(place.hub):
        assert kind in KEEPS_ADDRESS or not place.personal_in(row), kind


async def test_an_export_holds_what_its_owner_may_read_except_request_details(place: Place) -> None:
    people = [one for one in place.world.watchers if one.cookie and not one.over and one.verified]
    for person in people:
        headers = {"cookie": f"session={person.cookie}"}
        payload(await place.hub.change("exportMyData", {}, headers=headers))
    await drain(place.hub.database, place.hub.settings)
    for person in people:
        (row,) = await place.hub.rows(
            "SELECT archive FROM data_export WHERE account_id = $1 AND ready_at > clock() - interval '1 minute'"
            " AND length(archive) > 100",
            person.account_id,
        )
        with zipfile.ZipFile(io.BytesIO(row["archive"])) as archive:
            text = "\n".join(archive.read(name).decode() for name in archive.namelist())
        found, granted = place.world.known.found_in(text), place.world.facts.visible(person)
        assert not told(place, found - granted), person.name
        own = {
            marker
            for marker in granted
            for at in place.world.facts.shown[marker]
            if at.of == person.account_id
            and at.type_name in {"OwnAccount", "LogbookEntry", "CpdEntry", "CpdCredit", "OpeningBalance", "Feedback"}
            and at.name != "version"
        }
        assert own <= found, told(place, own - found)
        details = {
            marker
            for marker, shown in place.world.facts.shown.items()
            for at in shown
            if (at.type_name, at.name)
            in {("FeedbackRequest", name) for name in ("partyName", "partyEmail", "reference")}
        }
        assert not found & details


# Pages.


@pytest.mark.long
async def test_pages_show_nobody_what_they_may_not_read(place: Place) -> None:
    addresses = list(paths(place))
    with logged() as lines:
        # A token opens pages too, so a few tokens try.
        for watcher in [one for one in place.world.watchers if not one.token or len(one.roles) != 2 or one.over]:
            seen: set[Marker] = set()
            granted = place.world.facts.visible(watcher)
            some = addresses if OPERATIONS >= THOROUGH else place.dice.sample(addresses, len(addresses) // 6)
            for path, values in [("/", list[str]()), *some]:
                sent = place.world.known.found_in(path)
                links = {marker for value in values for marker in place.world.facts.told_by.get(value, ())}
                response = await place.request_as(watcher, "GET", path)
                found = place.found(response)
                assert not told(place, found - sent - links - granted), (watcher.name, path)
                assert response.status_code < 500, path
                seen |= found - sent
            if watcher.cookie and watcher.account_id and not watcher.over:
                assert place.world.names[watcher.account_id] in seen, "the start page names the person who is signed in"
        assert place.world.known.found_in(lines.getvalue()) == set()
