"""The audit log's chain: nobody changes, removes, moves or adds an entry past it, and it doesn't fork."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from jobs import audit
from jobs.audit_anchor import Anchor, AnchorFile, read_anchors
from jobs.audit_check import Checked, check
from jobs.restore import settle
from models.account import Role
from models.database import connect
from models.outbox import audit_entries
from permissions.secrets import key_id
from settings import Settings
from tests.hub import Hub, payload
from tests.privacy.overheard import logged
from tests.world import put_entries
from web.worker import Work, anchor_audit_log

SOMEBODY, SOMETHING = UUID(int=1), UUID(int=2)


async def checked(hub: Hub, *anchors: Anchor) -> Checked:
    """What the check finds, as the web server's role."""
    async with connect(hub.settings) as database, database.reading() as reading:
        return await check(reading, hub.settings, anchors)


async def end(hub: Hub) -> Anchor:
    """The log's end at this moment."""
    found = await checked(hub)
    assert found.wrong == []
    ((now,),) = await hub.rows("SELECT clock()")
    return Anchor(now, found.length, found.mac)


async def put_log(hub: Hub) -> None:
    """Six entries that between them have something and nothing in every column."""
    facts = {"action": "ORIGIN_READ", "actor_id": SOMEBODY, "subject_id": SOMETHING, "account_id": SOMEBODY}
    await put_entries(hub, facts | {"reason": "Ticket 1234"}, {"action": "SECOND_FACTOR_REMOVED"})
    await put_entries(hub, {"action": "WRONG_CODE", "subject_id": SOMEBODY, "account_id": SOMEBODY, "count": 3})
    await put_entries(
        hub, *({"action": "SIGNED_OUT", "actor_id": SOMEBODY, "subject_id": one} for one in (SOMETHING,) * 3)
    )


async def test_an_empty_log_is_whole(hub: Hub) -> None:
    assert await checked(hub) == Checked()


async def test_entries_of_real_changes_are_a_whole_chain_without_gaps(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.mediator()
    for role in ("REVIEWER", "DIRECTORY"):
        payload(await hub.change("addRole", {"accountId": str(person.id), "role": role}, by=admin))
    payload(await hub.change("deleteAccount", {"id": str(person.id), "email": person.email}, by=admin))
    rows = await hub.rows("SELECT sequence FROM audit_entry ORDER BY sequence")
    assert [row["sequence"] for row in rows] == [1, 2, 3]
    assert (await checked(hub)).wrong == []


async def test_a_change_that_is_refused_leaves_no_entry_and_no_gap(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.mediator()
    await hub.change("deleteAccount", {"id": str(person.id), "email": "wrong@demo.example"}, by=admin)
    assert await checked(hub) == Checked()


async def test_twenty_changes_at_once_make_one_chain(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    people = [await hub.mediator() for _ in range(20)]
    changes = (hub.change("signOutAccount", {"accountId": str(one.id)}, by=admin) for one in people)
    for answer in await asyncio.gather(*changes):
        payload(answer)
    found = await checked(hub)
    assert (found.length, found.wrong) == (20, [])


class _Undo(Exception):
    """Ends an attack, so that the next begins with the log as it was."""


async def attack(hub: Hub, *statements: str, anchors: tuple[Anchor, ...] = ()) -> list[str] | None:
    """What the check finds after the owner of the tables has run these; None if the last changes nothing."""
    found: list[str] | None = None
    with suppress(_Undo):
        async with hub.database.transaction() as transaction:
            changed = [await transaction.run(text(statement)) for statement in statements]
            if changed[-1]:
                found = (await check(transaction, hub.settings, anchors)).wrong
            raise _Undo
    return found


OTHER = {
    "at": "at + interval '1 microsecond'",
    "action": "'PAID_ACCESS_ENDED'",
    "reason": "'Ticket 1235'",
    "count": "coalesce(count, 0) + 1",
    "sequence": "sequence + 100",
    "key_id": "'\\x01020304'",
    "mac": "sha256(mac)",
}


@pytest.mark.parametrize("column", [column.name for column in audit_entries.c])
async def test_a_change_to_any_column_of_any_entry_is_found(hub: Hub, column: str) -> None:
    await put_log(hub)
    values = [OTHER.get(column, "gen_random_uuid()"), *(["NULL"] if audit_entries.c[column].nullable else [])]
    for value in values:
        where = f"AND {column} IS DISTINCT FROM {value}"
        attacks = [f"UPDATE audit_entry SET {column} = {value} WHERE sequence = {place} {where}" for place in PLACES]
        found = [await attack(hub, one) for one in attacks]
        assert all(one is None or one for one in found), (value, found)
        assert any(found), value
    assert (await checked(hub)).wrong == []


PLACES = range(1, 7)
NEXT = "(SELECT max(sequence) + 1 FROM audit_entry)"
COPIED = "id, at, actor_id, action, subject_id, account_id, reason, count, key_id, mac"
FORGED = f"""INSERT INTO audit_entry ({COPIED}, sequence)
    SELECT gen_random_uuid(), at, actor_id, 'PAID_ACCESS_ENDED', subject_id, account_id, reason, count, key_id, mac"""


def removing(place: int) -> list[str]:
    return [f"DELETE FROM audit_entry WHERE sequence = {place}"]


def closing(place: int) -> list[str]:
    """Remove an entry, and number those after it anew."""
    after = [f"UPDATE audit_entry SET sequence = {one - 1} WHERE sequence = {one}" for one in PLACES if one > place]
    return [*removing(place), *after]


def swapping(place: int) -> list[str]:
    """Let two neighbours change places."""
    moves = ((place, 0), (place + 1, place), (0, place + 1))
    return [f"UPDATE audit_entry SET sequence = {to} WHERE sequence = {at}" for at, to in moves]


def inserting(place: int) -> list[str]:
    """Put a copy with another action into a place, and make room for it."""
    room = [
        f"UPDATE audit_entry SET sequence = {one + 1} WHERE sequence = {one}"
        for one in reversed(PLACES)
        if one >= place
    ]
    return [*room, f"{FORGED}, {place} FROM audit_entry WHERE sequence = {place + 1}"]


@pytest.mark.parametrize("doing", [removing, closing, swapping, inserting])
@pytest.mark.parametrize("place", PLACES[:-1])
async def test_removing_moving_and_adding_entries_are_found(
    hub: Hub, doing: Callable[[int], list[str]], place: int
) -> None:
    await put_log(hub)
    assert await attack(hub, *doing(place))


@pytest.mark.parametrize(
    "statement",
    [
        f"{FORGED}, {NEXT} FROM audit_entry WHERE sequence = 6",  # after the last
        f"{FORGED}, 0 FROM audit_entry WHERE sequence = 1",  # before the first
        f"{FORGED}, -1 FROM audit_entry WHERE sequence = 1",
        f"{FORGED}, NULL FROM audit_entry WHERE sequence = 1",  # outside the chain
        "UPDATE audit_entry SET sequence = NULL, key_id = NULL, mac = NULL",
        "UPDATE audit_entry SET sequence = sequence + 1000",
    ],
)
async def test_other_forgeries_are_found(hub: Hub, statement: str) -> None:
    await put_log(hub)
    assert await attack(hub, statement)


async def test_whoever_has_another_key_cannot_write_an_entry(hub: Hub) -> None:
    await put_log(hub)
    stranger = Settings(**dict(hub.settings) | {"secret_key": SecretStr("x" * 32)})
    async with hub.database.transaction() as transaction:
        await audit.write(transaction, stranger, [{"action": "SIGNED_OUT"}])
    (wrong,) = (await checked(hub)).wrong
    assert wrong.startswith("Entry 7 can't be checked: it was written with a key (")
    pretending = f"UPDATE audit_entry SET key_id = '\\x{key_id(hub.settings.secret_keys[0]).hex()}' WHERE sequence = 7"
    found = await attack(hub, pretending)
    assert found
    assert found[0].startswith("Entry 7 was changed or forged")


@pytest.mark.parametrize("kept", range(6))
async def test_an_end_that_was_cut_off_is_found_by_what_was_recorded_elsewhere(hub: Hub, kept: int) -> None:
    await put_log(hub)
    recorded, cut = await end(hub), f"DELETE FROM audit_entry WHERE sequence > {kept}"
    assert await attack(hub, cut) == []
    found = await attack(hub, cut, anchors=(recorded,))
    assert found is not None
    assert found[0].startswith(
        f"The end was cut off: {'1 entry is' if kept == 5 else f'{6 - kept} entries are'} missing"
    )


async def test_an_end_that_was_cut_off_is_found_when_the_log_has_grown_again(hub: Hub) -> None:
    await put_log(hub)
    recorded = await end(hub)
    await hub.rows("DELETE FROM audit_entry WHERE sequence > 3")
    await put_log(hub)
    (wrong,) = (await checked(hub, recorded)).wrong
    assert wrong.startswith("Entry 6 isn't the one that was recorded on ")


# A backup that was restored.


async def restored(hub: Hub) -> None:
    """Lose what came after the third entry, as a backup does, and check it as an operator has to."""
    await hub.rows("DELETE FROM audit_entry WHERE sequence > 3")
    async with hub.database.transaction() as transaction:
        await settle(transaction, hub.settings, None)


async def test_a_restored_backup_is_shorter_and_says_so_itself_once_it_is_checked(hub: Hub) -> None:
    await put_log(hub)
    recorded = await end(hub)
    await restored(hub)
    found = await checked(hub, recorded)
    assert found.wrong == []
    (remark,) = found.remarks
    assert "lost at least 3 of the entries after entry 3" in remark
    await put_log(hub)
    assert (await checked(hub, recorded)).remarks == [remark]


async def test_an_end_recorded_after_the_restore_is_still_expected(hub: Hub) -> None:
    await put_log(hub)
    await restored(hub)
    recorded = await end(hub)
    found = await attack(hub, "DELETE FROM audit_entry WHERE sequence = 4", anchors=(recorded,))
    assert found
    assert found[0].startswith("The end was cut off: 1 entry is missing after entry 3")


# What's recorded elsewhere.


async def test_the_end_is_recorded_once_a_day_in_a_file_that_only_its_owner_reads(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "ledger.audit"
    file = AnchorFile(path)
    assert not await file.keep(hub.worker)  # an empty log has no end
    await put_log(hub)
    assert await file.keep(hub.worker)
    assert not await file.keep(hub.worker)
    assert not await AnchorFile(path).keep(hub.worker)  # nor does a worker that has just started
    assert path.stat().st_mode & 0o777 == 0o600
    async with hub.later(days=1) as then:
        await put_log(then)
        assert await file.keep(then.worker)
        assert (await checked(then, *read_anchors(path))).wrong == []
    assert [anchor.length for anchor in read_anchors(path)] == [6, 12]


async def test_a_line_that_was_cut_short_damages_no_other(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "ledger.audit"
    path.write_text("2026-01-01T00:00:00+00:00 12 ab\n2026-01-02T00:00:00+00:00 1")
    assert [anchor.length for anchor in read_anchors(path)] == [12]
    await put_log(hub)
    assert await AnchorFile(path).keep(hub.worker)
    assert [anchor.length for anchor in read_anchors(path)] == [12, 6]


async def test_a_worker_records_it_beside_its_ledger_and_in_its_log(hub: Hub, tmp_path: Path) -> None:
    settings = Settings(**dict(hub.settings) | {"deletions_ledger": tmp_path / "ledger"})
    await put_log(hub)
    recorded = await end(hub)
    with logged() as lines:
        assert await anchor_audit_log({"work": Work(hub.worker, settings)})
        assert await anchor_audit_log({"work": Work(hub.worker, hub.settings)})  # one without a ledger has its log
    (anchor,) = read_anchors(tmp_path / "ledger.audit")
    assert anchor._replace(at=recorded.at) == recorded
    assert lines.getvalue().count(recorded.mac.hex()) == 2
