import asyncio
from collections.abc import Collection
from uuid import UUID, uuid4

import pytest

from jobs import restore
from jobs.restore import LedgerIncomplete, Settled, is_at_home, settle
from models.account import Role
from models.database import connect
from tests.hub import PASSWORD, Hub, payload
from tests.resolvers.test_account_deletion import lived_in, traces
from tests.world import put_feedback

MOVED = "UPDATE chore SET name = 'home 1 2 3' WHERE name LIKE 'home %'"


async def settled(hub: Hub, ledger: Collection[UUID] | None) -> Settled:
    owner = hub.settings.database_owner_url
    async with connect(hub.settings, owner) as database, database.transaction() as transaction:
        return await settle(transaction, hub.settings, ledger)


async def at_home(hub: Hub) -> bool:
    async with hub.database.transaction() as transaction:
        return await is_at_home(transaction)


async def test_a_new_database_is_at_home_and_a_restored_one_is_not_until_it_is_settled(hub: Hub) -> None:
    assert await at_home(hub)
    assert await at_home(hub)
    await hub.rows(MOVED)
    assert not await at_home(hub)
    assert not await at_home(hub)
    await settled(hub, [])
    assert await at_home(hub)
    assert len(await hub.rows("SELECT FROM chore WHERE name LIKE 'home %'")) == 1


async def test_the_first_processes_of_a_new_database_start_together(hub: Hub) -> None:
    async def starts() -> bool:
        async with hub.database.transaction() as transaction:
            return await is_at_home(transaction)

    assert await asyncio.gather(*(starts() for _ in range(8)), return_exceptions=True) == [True] * 8
    assert len(await hub.rows("SELECT FROM chore WHERE name LIKE 'home %'")) == 1


async def test_a_table_restored_in_place_is_noticed(hub: Hub) -> None:
    assert await at_home(hub)
    ((here,),) = await hub.rows("SELECT name FROM chore")
    system, database, table = here.split(" ")[1:]
    assert system.isdigit()
    assert database.isdigit()
    await hub.rows("UPDATE chore SET name = $1", f"home {system} {database} {int(table) - 1}")
    assert not await at_home(hub)


async def test_accounts_in_the_ledger_are_deleted_again_and_nobody_is_told_again(hub: Hub) -> None:
    person, reviewer, other = await lived_in(hub)
    await hub.work()
    mails, queued = len(hub.mails()), len(await hub.rows("SELECT FROM outbox WHERE state = 'QUEUED'"))
    done = await settled(hub, [person.id, uuid4()])
    assert done.accounts == 1
    everything = (person.id, person.name, person.email, "secret of the", "the reference", "the token", "next@demo")
    assert await traces(hub, *everything, "party@demo.example", "friend@demo.example") == {}
    assert await hub.rows("SELECT FROM account WHERE id = ANY($1)", [reviewer.id, other.id])
    assert len(await hub.rows("SELECT FROM feedback WHERE mediator_id = $1", other.id)) == 1
    await hub.work()
    assert (len(hub.mails()), queued) == (mails, 0)


async def test_an_unverified_account_in_the_ledger_takes_nothing_of_its_addresss_owner_along(hub: Hub) -> None:
    ann = await hub.mediator()
    giver = "giver@demo.example"
    await put_feedback(hub, ann, name="Giver", email=giver, received_at=hub.database.now())
    payload(await hub.change("inviteReviewer", {"email": giver}, by=ann))
    stranger = await hub.person(Role.MEDIATOR, email=giver, verified=False)
    assert (await settled(hub, [stranger.id])).accounts == 1
    assert giver in [origin.email for origin in (await hub.origins()).values()]
    assert await hub.rows("SELECT FROM reviewer_invitation WHERE email_key = $1", giver)


async def test_a_restored_database_forgets_who_gave_feedback_long_ago(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_feedback(hub, ann, name="Gil Giver")
    await put_feedback(hub, ann, name="Gil Giver", received_at=hub.database.now())
    assert (await settled(hub, [])).origins == 1
    assert len(await hub.rows("SELECT FROM feedback_origin")) == 1


async def test_what_has_expired_is_erased_and_everybody_has_to_sign_in_again(hub: Hub) -> None:
    person, _, _ = await lived_in(hub)
    async with hub.later(days=6) as later:
        done = await settled(later, [])
    assert (done.accounts, done.details) == (0, 1)
    assert done.sessions >= 2
    assert await traces(hub, "party@demo.example") == {}
    assert await hub.rows("SELECT FROM session") == []
    assert await hub.rows("SELECT FROM account_link") == []
    assert (await hub.ask("{ me { id } }", by=person)).status == 401
    assert (await hub.sign_in(person.email)).id == person.id


async def test_a_ledger_without_a_deletion_that_the_backup_knows_is_refused_and_changes_nothing(hub: Hub) -> None:
    person = await hub.mediator()
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=person))
    left = await hub.mediator()
    await hub.rows("INSERT INTO chore (name, ran_at) VALUES ('clean_up', clock() + interval '1 hour')")
    with pytest.raises(LedgerIncomplete) as incomplete:
        await settled(hub, [left.id])
    assert incomplete.value.missing == 1
    assert await hub.rows("SELECT FROM account WHERE id = $1", left.id)
    assert await hub.rows("SELECT FROM session")
    assert (await settled(hub, [person.id, left.id])).accounts == 1


async def test_a_deletion_during_the_backup_need_not_be_in_the_ledger(hub: Hub) -> None:
    await hub.work()
    person = await hub.mediator()
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=person))
    assert (await settled(hub, [])).accounts == 0


async def test_without_a_ledger_deleted_accounts_stay_but_everything_else_is_done(hub: Hub) -> None:
    person = await hub.mediator()
    await hub.rows(
        "INSERT INTO audit_entry (at, actor_id, action, subject_id) "
        "VALUES (clock() - interval '1 day', $1, 'ACCOUNT_DELETED', $1)",
        uuid4(),
    )
    await hub.work()
    assert (await settled(hub, None)).sessions == 1
    assert await hub.rows("SELECT FROM account WHERE id = $1", person.id)


def test_a_deletion_counts_as_just_before_the_backup_for_at_most_an_hour() -> None:
    assert restore.JUST_BEFORE.total_seconds() <= 3600
