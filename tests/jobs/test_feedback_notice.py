"""The notice: what each setting mails a mediator when feedback comes, when, and what nobody can tell from it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from jobs import mail, outbox
from jobs.feedback_notice import queue_notice
from models.account import Role
from resolvers import limits
from settings import Notice
from tests.hub import PASSWORD, Hub, Person, opened, payload, text_of
from tests.web.reading import exhausted

GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "impressed", "text": "praise"}]}
EACH = pytest.mark.parametrize("notice", Notice)
DISCREET = (
    "Hello Mo Mediator, There may be new feedback about you, for your reviewer to read. If you don't have a reviewer, "
    "you can choose one under My Details. To protect those who give feedback, this email comes at a random time, at "
    "most once a day, and never says more than this. There's nothing you need to do. --"
)
NAMED = (
    "Hello Mo Mediator, Gil Giver left feedback about you. You don't have a reviewer yet. The reviewer you appoint "
    "will be able to read it. They chose not to share it with you, so it won't appear in My Feedback. There's nothing "
    "you need to do. --"
)


@pytest.fixture
async def hub(hub: Hub) -> AsyncIterator[Hub]:
    """A hub whose clock starts at noon, so that no day ends during a test."""
    now = datetime.now(UTC)
    async with hub.later(hours=12 - now.hour, minutes=-now.minute) as noon:
        yield noon


@asynccontextmanager
async def set_to(hub: Hub, notice: Notice, **passed: float) -> AsyncIterator[Hub]:
    """The same hub with another setting, after a while."""
    moved = hub.moved + timedelta(**passed)
    async with opened(hub.services, settings=hub.settings, moved=moved, feedback_notice=notice) as other:
        yield other


async def give(hub: Hub, mediator: Person, **facts: Any) -> None:
    payload(await hub.change("giveFeedback", {"mediatorId": str(mediator.id), "name": "Gil Giver", **GIVEN, **facts}))


async def kinds(hub: Hub) -> list[str]:
    return [row["kind"] for row in await hub.rows("SELECT kind FROM outbox")]


def next_day(hub: Hub) -> datetime:
    return hub.database.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


@pytest.mark.parametrize(
    ("notice", "queued", "said"),
    [
        (Notice.NAMED, ["feedback_received"], ("You've received feedback", NAMED)),
        (Notice.DISCREET, ["discreet_notice"], ("There may be new feedback about you", DISCREET)),
        (Notice.OFF, [], None),
    ],
)
async def test_each_setting_mails_its_own_words_and_no_others(
    hub: Hub, notice: Notice, queued: list[str], said: tuple[str, str] | None
) -> None:
    async with set_to(hub, notice) as now:
        mediator = await now.mediator(name="Mo Mediator")
        await give(now, mediator, email="gil@demo.example")
        assert await kinds(now) == queued
        async with now.later(days=3) as later:
            await later.work()
    mails = [(one["subject"], text_of(one)) for one in hub.mails()]
    assert len(mails) == len(queued)
    if said:
        ((subject, text),) = mails
        assert subject == said[0]
        assert text.startswith(said[1])
        assert "praise" not in text
        assert "gil@" not in text
        (caught,) = hub.mails(mediator.email)
        if notice is Notice.DISCREET:
            assert "Gil" not in caught["html"]
            assert "shar" not in caught["html"]


async def test_named_is_what_happens_unless_a_setting_says_otherwise(hub: Hub) -> None:
    assert hub.settings.feedback_notice is Notice.NAMED


async def test_the_row_of_a_discreet_notice_is_the_same_for_one_piece_of_feedback_and_for_many(hub: Hub) -> None:
    async with set_to(hub, Notice.DISCREET) as now:
        mediator, reviewer = await now.mediator(), await now.person(Role.REVIEWER)
        await now.appointed(mediator, reviewer)
        await give(now, mediator)
        (first,) = await now.rows("SELECT * FROM outbox")
        for number in range(3):
            await give(now, mediator, share=number == 1, name=None)
        async with now.later(hours=11) as evening:
            await give(evening, mediator)
        (row,) = await now.rows("SELECT * FROM outbox")
        assert dict(row) == dict(first)
        assert row["subject_id"] == mediator.id
        assert (row["other_id"], row["recipient"], row["recipient_name"]) == (None, None, None)
        whole = str(dict(row))
        for piece, origin in (await now.origins()).items():
            assert str(piece) not in whole
            assert origin.received_at not in row.values()
        assert row["created_at"] == row["next_at"]
        assert next_day(now) <= row["next_at"] < next_day(now) + timedelta(days=1)


async def test_a_discreet_notice_is_sent_at_most_once_a_day_and_only_after_a_day_when_something_came(hub: Hub) -> None:
    came = [0, 0, 1, 4]  # days
    async with set_to(hub, Notice.DISCREET) as now:
        mediator, other = await now.mediator(), await now.mediator()
        for day in came:
            async with now.later(days=day) as then:
                await give(then, mediator)
        due = [row["next_at"] for row in await now.rows("SELECT next_at FROM outbox ORDER BY next_at")]
        assert [(moment - next_day(now)).days for moment in due] == [0, 1, 4]
        for day in range(8):
            async with now.later(days=day) as then:
                await then.work()
        assert len(now.mails(mediator.email)) == 3
        assert now.mails(other.email) == []


async def test_discreet_notices_are_due_at_any_time_of_the_next_day(hub: Hub) -> None:
    random.seed(7)
    async with set_to(hub, Notice.DISCREET) as now:
        async with now.worker.transaction() as transaction:
            for _ in range(200):
                await queue_notice(transaction, now.settings, uuid4(), uuid4(), over=False)
            assert not transaction.wakes_worker
        rows = await now.rows("SELECT next_at FROM outbox")
        hours = [(row["next_at"] - next_day(now)) / timedelta(hours=1) for row in rows]
        assert len(hours) == 200
        assert {int(hour) for hour in hours} == set(range(24))


async def test_a_discreet_notice_is_not_mistaken_for_one_that_a_wrong_clock_holds_up(hub: Hub) -> None:
    async with set_to(hub, Notice.DISCREET) as now:
        await give(now, await now.mediator())
        async with now.worker.transaction() as transaction:
            assert await outbox.release_from_clock(transaction) == 0
        await now.work()
        assert now.mails() == []


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [
        (Notice.NAMED, Notice.NAMED, "You've received feedback"),
        (Notice.NAMED, Notice.DISCREET, None),
        (Notice.NAMED, Notice.OFF, None),
        (Notice.DISCREET, Notice.NAMED, "There may be new feedback about you"),
        (Notice.DISCREET, Notice.DISCREET, "There may be new feedback about you"),
        (Notice.DISCREET, Notice.OFF, None),
        (Notice.OFF, Notice.NAMED, None),
        (Notice.OFF, Notice.DISCREET, None),
    ],
)
async def test_a_notice_that_waits_is_sent_only_if_it_says_no_more_than_the_setting_has_come_to_allow(
    hub: Hub, before: Notice, after: Notice, sent: str | None
) -> None:
    async with set_to(hub, before) as then:
        mediator = await then.mediator()
        await give(then, mediator)
    async with set_to(hub, after, days=2) as now:
        await now.work()
    assert [one["subject"] for one in hub.mails(mediator.email)] == ([sent] if sent else [])
    assert {row["state"] for row in await hub.rows("SELECT state FROM outbox")} <= {"DONE" if sent else "DROPPED"}


async def test_a_named_notice_that_is_held_is_not_sent_once_they_are_discreet_either(hub: Hub) -> None:
    mediator = await hub.mediator()
    await exhausted(hub, limits.NOTICES_TO, 60, mediator.id)
    await give(hub, mediator)
    await hub.work()
    assert hub.mails() == []
    async with set_to(hub, Notice.DISCREET, hours=1) as later:
        await later.work()
    assert hub.mails() == []
    assert [row["state"] for row in await hub.rows("SELECT state FROM outbox")] == ["DROPPED"]


async def test_a_named_notice_that_was_given_up_is_not_sent_when_it_is_tried_again_after_a_change(hub: Hub) -> None:
    mediator, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    await give(hub, mediator)
    (row,) = await hub.rows("UPDATE outbox SET state = 'DEAD', finished_at = clock() RETURNING id")
    async with set_to(hub, Notice.OFF) as now:
        payload(await now.change("retryMail", {"id": str(row["id"])}, by=admin))
        await now.work()
    assert hub.mails() == []
    assert [row["state"] for row in await hub.rows("SELECT state FROM outbox")] == ["DROPPED"]


@EACH
async def test_feedback_from_the_mediators_own_mailbox_queues_nothing(hub: Hub, notice: Notice) -> None:
    async with set_to(hub, notice) as now:
        mediator = await now.mediator(email="ann@demo.example")
        await give(now, mediator, email="Ann+book@demo.example")
        assert await kinds(now) == []
        # Nor does it take the place of the notice of what others give.
        await give(now, mediator)
        assert len(await kinds(now)) == (notice is not Notice.OFF)


@pytest.mark.parametrize("event", ["account gone", "no mediator any more"])
async def test_a_discreet_notice_is_not_sent_to_somebody_who_is_no_longer_a_mediator(hub: Hub, event: str) -> None:
    async with set_to(hub, Notice.DISCREET) as now:
        mediator = await now.mediator()
        await give(now, mediator)
        if event == "account gone":
            payload(await now.change("deleteMyAccount", {"password": PASSWORD}, by=mediator))
            assert mail.DISCREET_NOTICE.name not in await kinds(now)
        else:
            await now.rows("UPDATE account SET roles = '{REVIEWER}'")
        async with now.later(days=2) as later:
            await later.work()
        assert "There may be new feedback about you" not in [one["subject"] for one in now.mails()]
