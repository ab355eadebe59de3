"""Changes that meet wait for each other in one order, so none of them ends in a deadlock."""

import asyncio

from tests.hub import PASSWORD, Hub, Person
from tests.resolvers.test_case_session import add
from tests.resolvers.test_evidence import given
from tests.world import put_cases, put_cpd, put_file

FAULT = "INTERNAL_SERVER_ERROR"
TIMES = 20


async def test_an_account_is_deleted_while_its_owner_adds_sessions_and_imports(hub: Hub) -> None:
    seen: list[str] = []
    entry = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-01", "endedOn": "2024-01-01", "minutes": 1}

    async def adding(ann: Person, cases: list[object]) -> list[str]:
        codes: list[str] = []
        for number in range(40):
            codes += (await add(hub, ann, cases[number % 2], "2024-05-07", 1, requestKey=str(number))).codes  # type: ignore[arg-type]
            if "UNAUTHENTICATED" in codes:
                break
        return codes

    async def importing(ann: Person) -> list[str]:
        codes: list[str] = []
        for number in range(40):
            values = {"entries": [entry], "requestKey": f"import {number}"}
            codes += (await hub.change("importLogbookEntries", values, by=ann)).codes
            if "UNAUTHENTICATED" in codes:
                break
        return codes

    for _ in range(TIMES):
        ann = await hub.mediator()
        cases: list[object] = list(await put_cases(hub, ann, {}, {}))
        deleting = hub.change("deleteMyAccount", {"password": PASSWORD}, by=ann)
        one, two, three, gone = await asyncio.gather(adding(ann, cases), adding(ann, cases), importing(ann), deleting)
        seen += [code for code in one + two + three + gone.codes if code == FAULT]
    assert seen == []


async def test_an_entry_is_deleted_while_its_files_come_and_go(hub: Hub) -> None:
    seen: list[str] = []
    for _ in range(TIMES):
        ann = await hub.mediator()
        (entry,) = await put_cpd(hub, ann, {})
        file = await put_file(hub, ann, entry)
        answers = await asyncio.gather(
            hub.change("detachFile", {"id": str(file)}, by=ann),
            hub.change("attachFile", given(entry), by=ann),
            hub.change("deleteCpdEntry", {"id": str(entry)}, by=ann),
        )
        seen += [code for answer in answers for code in answer.codes]
    assert seen == []
    assert await hub.rows("SELECT FROM evidence_file") == []
