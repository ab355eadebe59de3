"""How a worker gets through a lot of mail: several at once, over connections that it keeps, and none twice."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from jobs import drain as jobs_drain
from jobs import mailer
from jobs.drain import AT_ONCE
from jobs.mail.declaration import Letter
from jobs.mail.render import Message
from models.database import connect_worker
from tests import hub as tests_hub
from tests.hub import Hub
from tests.jobs.post import PostOffice, message_ids, post_office
from tests.jobs.test_worker import all_offered, drain, queue, states, with_settings
from tests.waiting import until
from web.worker import Work


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as office:
        yield office


async def test_a_worker_sends_several_mails_at_once_over_few_connections(hub: Hub, office: PostOffice) -> None:
    for number in range(60):
        await queue(hub, number)
    office.open.clear()
    draining = asyncio.create_task(drain(hub, office.url))
    async with asyncio.timeout(60):
        await until(lambda: all_offered(office))
        office.open.set()
        assert await draining == 60
    assert len(set(message_ids(office.offered))) == len(office.offered) == 60
    assert office.greeted <= AT_ONCE
    assert set(await states(hub)) == {("DONE", 1, None)}


async def test_two_workers_share_one_queue_and_send_nothing_twice(hub: Hub, office: PostOffice) -> None:
    for number in range(60):
        await queue(hub, number)
    async with connect_worker(hub.settings) as other:
        settings = with_settings(hub, smtp_url=office.url)
        shares = await asyncio.gather(*(tests_hub.drain(one, settings) for one in (hub.worker, other)))
    assert sum(shares) == 60
    assert all(shares)
    assert len(set(message_ids(office.offered))) == len(office.offered) == 60


async def test_one_mail_that_hangs_holds_up_no_other(hub: Hub, office: PostOffice) -> None:
    office.open.clear()
    await queue(hub)
    first = asyncio.create_task(drain(hub, office.url))
    async with asyncio.timeout(60):
        await office.waiting.wait()
        async with post_office() as other:
            for number in range(30):
                await queue(hub, number)
            assert await drain(hub, other.url) == 30
        office.open.set()
        assert await first == 1


async def test_a_mail_that_hangs_holds_up_no_other_of_its_own_worker(hub: Hub, office: PostOffice) -> None:
    work = Work(hub.worker, with_settings(hub, smtp_url=office.url))
    office.open.clear()
    await queue(hub)
    first = asyncio.create_task(work.mail.run())
    async with asyncio.timeout(60):
        await office.waiting.wait()
        await queue(hub, 2)
        assert await work.mail.run() == 0  # the first run looks again

        async def both() -> bool:
            return len(office.offered) == 2

        await until(both)
        office.open.set()
        assert await first == 2


async def test_a_worker_looks_for_more_by_itself_while_a_mail_hangs(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_drain, "LOOK_EVERY", 0.05)
    office.open.clear()
    await queue(hub)
    draining = asyncio.create_task(drain(hub, office.url))
    async with asyncio.timeout(60):
        await office.waiting.wait()
        await queue(hub, 2)

        async def both() -> bool:
            return len(office.offered) == 2

        await until(both)
        office.open.set()
        assert await draining == 2


async def test_a_caller_that_gives_up_or_is_cancelled_interrupts_no_mail(hub: Hub, office: PostOffice) -> None:
    work = Work(hub.worker, with_settings(hub, smtp_url=office.url))
    office.open.clear()
    await queue(hub)
    assert await work.mail.run(at_most=0) == 0
    await office.waiting.wait()
    await queue(hub, 2)
    closing = asyncio.create_task(work.close())
    await asyncio.sleep(0)
    office.open.set()
    await closing
    assert sorted(await states(hub)) == [("DONE", 1, None), ("QUEUED", 0, None)]
    assert await work.mail.run() == 0  # it's closed
    work = Work(hub.worker, with_settings(hub, smtp_url=office.url))
    office.open.clear()
    office.waiting.clear()
    caller = asyncio.create_task(work.mail.run())
    await office.waiting.wait()
    caller.cancel()
    office.open.set()
    await work.close()
    assert await states(hub) == [("DONE", 1, None)] * 2


async def test_a_connection_is_used_for_a_limited_number_of_mails(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "MAX_MAILS", 3)
    for number in range(10):
        await queue(hub, number)
    monkeypatch.setattr(jobs_drain, "AT_ONCE", 1)
    assert await drain(hub, office.url) == 10
    assert len(set(message_ids(office.offered))) == len(office.offered) == 10
    assert office.greeted == 4


async def test_a_connection_that_died_while_idle_costs_no_attempt(
    hub: Hub, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailer, "SURELY_OPEN", 0.0)
    settings = with_settings(hub, smtp_url=office.url)
    letter = Letter("old@demo.example", Message("A subject", "A text", "<p>A text</p>"))
    async with mailer.Post(settings) as post:
        await post.hand_in(mailer.compose(settings, letter, uuid4()))
        office.hang_up()
        await post.hand_in(mailer.compose(settings, letter, uuid4()))
    assert len(office.accepted) == office.greeted == 2
