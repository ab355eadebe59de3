"""Receipts: what somebody with the code of one sees, changes and erases, and what nobody learns from it."""

import asyncio
import re
from typing import Any

import pytest

from models.account import Role
from permissions.secrets import hash_receipt
from tests.hub import Answer, Hub, Person, opened, payload, problems
from tests.resolvers.test_feedback_giving import ANSWERS, requested
from tests.world import put_token, statements

SHOWN = """mediatorName receivedOn capacity actedAs shared shareAlone released answers { question rating text }"""
RECEIPT = f"query($code: String!) {{ feedbackReceipt(code: $code) {{ {SHOWN} }} }}"
WORDS = {"answers": [{"question": "impressed", "text": "patience"}, {"question": "for_reviewer", "text": "beware"}]}
WRONG = "0000-0000-0000-0000-0000-0000"


async def given(hub: Hub, mediator: Person, giver: Person | None = None, /, **facts: Any) -> str:
    """Give feedback, by choosing the mediator if nothing else is said, and return the code of its receipt."""
    by = {} if "token" in facts else {"mediatorId": str(mediator.id)}
    code = payload(await hub.change("giveFeedback", ANSWERS | by | facts, "receipt", by=giver))["receipt"]
    return str(code)


async def shown(hub: Hub, code: str, **who: Any) -> Any:
    return (await hub.ask(RECEIPT, {"code": code}, **who)).data["feedbackReceipt"]


async def share(hub: Hub, code: str, **facts: Any) -> Answer:
    by = facts.pop("by", None)
    return await hub.change(
        "changeFeedbackSharing", {"code": code, "share": True} | facts, f"receipt {{ {SHOWN} }}", by=by
    )


async def erase(hub: Hub, code: str, **who: Any) -> Answer:
    return await hub.change("eraseFeedback", {"code": code}, "erased", **who)


async def pieces(hub: Hub) -> list[Any]:
    return await hub.rows("SELECT * FROM feedback ORDER BY id")


async def test_a_receipt_shows_its_giver_what_they_said_and_nothing_finer_than_a_day(hub: Hub) -> None:
    mediator = await hub.mediator(name="Mia Mediator")
    code = await given(hub, mediator, **WORDS, share=True, shareAlone=True, name="Gil Giver")
    assert re.fullmatch("([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}", code)
    assert await shown(hub, code) == {
        "mediatorName": "Mia Mediator",
        "receivedOn": hub.database.now().date().isoformat(),
        "capacity": "PARTY",
        "actedAs": "MEDIATOR",
        "shared": True,
        "shareAlone": True,
        "released": True,  # here, all is released at once
        "answers": [
            {"question": "impressed", "rating": None, "text": "patience"},
            {"question": "for_reviewer", "rating": None, "text": "beware"},
        ],
    }


async def test_a_receipt_can_be_typed_in_any_case_and_with_any_separators(hub: Hub) -> None:
    code = await given(hub, await hub.mediator())
    for typed in (code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} ", code.replace("0", "o")):
        assert (await shown(hub, typed))["mediatorName"]


async def test_only_a_hash_of_a_receipt_is_stored(hub: Hub) -> None:
    code = await given(hub, await hub.mediator(), requestKey="k")
    tables = await hub.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for (table,) in map(tuple, tables):
        text = str(await hub.rows(f'SELECT t::text FROM "{table}" t'))
        assert code not in text
        assert code.replace("-", "") not in text
    (row,) = await pieces(hub)
    assert row["receipt_hash"] == hash_receipt(code)


async def test_a_repeated_request_shows_the_same_receipt_and_another_gets_its_own(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    same = await asyncio.gather(*(given(hub, mediator, token=token, requestKey="once") for _ in range(20)))
    assert len(set(same)) == 1
    others = [await given(hub, mediator, **facts) for facts in ({"requestKey": "other"}, {}, {})]
    assert len({*same, *others}) == 4
    assert len(await pieces(hub)) == 4
    async with hub.later(hours=25) as later:
        tomorrow = await given(later, mediator, requestKey="other")
        assert tomorrow not in others
        assert len(await pieces(later)) == 5


async def test_a_key_leads_to_no_piece_of_feedback_and_to_no_account(hub: Hub) -> None:
    mediator, giver = await hub.mediator(), await hub.person(Role.DIRECTORY)
    await given(hub, mediator, giver, requestKey="once")
    (key,) = await hub.rows("SELECT * FROM request_key")
    assert (key["result_id"], key["account_id"], key["answer"]) == (None, None, None)
    (row,) = await pieces(hub)
    assert not {str(value) for value in key.values() if value} & {str(value) for value in row.values()}


async def test_a_receipt_never_touches_the_row_of_the_request(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    code = await given(hub, mediator, token=token)
    before = await hub.rows("SELECT xmin::text, xmax::text, ctid::text, * FROM feedback_request")
    payload(await share(hub, code))
    payload(await erase(hub, code))
    assert await hub.rows("SELECT xmin::text, xmax::text, ctid::text, * FROM feedback_request") == before


async def test_a_code_that_belongs_to_no_piece_is_not_found_and_changes_nothing(hub: Hub) -> None:
    await given(hub, await hub.mediator())
    before = await pieces(hub)
    for code in (WRONG, "", "nothing", "x" * 10_000, "\N{KELVIN SIGN}"):
        assert (await hub.ask(RECEIPT, {"code": code})).codes == ["NOT_FOUND"]
        assert problems(await share(hub, code)) == [("code", "NOT_FOUND")]
        assert problems(await erase(hub, code)) == [("code", "NOT_FOUND")]
    assert await pieces(hub) == before


async def test_a_receipt_tells_the_mediator_it_is_about_no_more_than_a_wrong_code_does(hub: Hub) -> None:
    mediator, other = await hub.mediator(), await hub.mediator()
    code = await given(hub, mediator)
    before = await pieces(hub)
    for who in ({"by": mediator}, {"token": await put_token(hub, mediator)}):
        asked = [await hub.ask(RECEIPT, {"code": one}, **who) for one in (code, WRONG)]
        assert asked[0].body == asked[1].body
        for mutation, facts in (("changeFeedbackSharing", {"share": True}), ("eraseFeedback", {})):
            tried = [await hub.change(mutation, {"code": one} | facts, **who) for one in (code, WRONG)]
            assert tried[0].body == tried[1].body
            assert problems(tried[0]) == [("code", "NOT_FOUND")]
    assert await pieces(hub) == before
    assert await shown(hub, code, by=other) == await shown(hub, code)


async def test_sharing_can_be_changed_both_ways_until_it_is_released(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, release_least=3) as grouped:
        mediator = await grouped.mediator()
        code = await given(grouped, mediator)
        for facts in ({"share": True}, {"share": True, "shareAlone": True}, {"share": False, "shareAlone": True}):
            changed = payload(await share(grouped, code, **facts))["receipt"]
            alone = facts["share"] and facts.get("shareAlone", False)
            assert (changed["shared"], changed["shareAlone"], changed["released"]) == (facts["share"], alone, False)
            assert await shown(grouped, code) == changed
            (row,) = await pieces(grouped)
            assert (row["network_hash"] is not None) == facts["share"]
        await grouped.rows("UPDATE feedback SET shared = true, released = true")
        before = await pieces(grouped)
        assert problems(await share(grouped, code, share=False)) == [("share", "CONFLICT")]
        assert await pieces(grouped) == before
        assert (await shown(grouped, code))["released"]


async def test_an_answer_to_a_request_needs_no_network_to_be_shared_later(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, release_least=3) as grouped:
        mediator = await grouped.mediator()
        code = await given(grouped, mediator, token=await requested(grouped, mediator))
        payload(await share(grouped, code))
        (row,) = await pieces(grouped)
        assert (row["shared"], row["network_hash"]) == (True, None)


@pytest.mark.parametrize("shared", [False, True])
async def test_erasing_takes_the_answers_and_the_origin_along_released_or_not(hub: Hub, shared: bool) -> None:
    mediator = await hub.mediator()
    kept, code = await given(hub, mediator, name="Other"), await given(hub, mediator, share=shared, name="Gil")
    assert payload(await erase(hub, code))["erased"]
    for table in ("feedback", "feedback_answer", "feedback_origin"):
        assert len(await hub.rows(f"SELECT FROM {table}")) == 1
    assert (await hub.ask(RECEIPT, {"code": code})).codes == ["NOT_FOUND"]
    assert problems(await erase(hub, code)) == [("code", "NOT_FOUND")]
    assert await shown(hub, kept)


async def test_changing_and_erasing_leave_no_moment_behind_and_mail_nobody(hub: Hub) -> None:
    mediator = await hub.mediator()
    code = await given(hub, mediator)
    await hub.work()
    mails = len(hub.mails())

    async def moments() -> list[Any]:
        found = await hub.rows(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type LIKE 'timestamp%' AND table_name NOT IN ('feedback_origin', 'session')"
        )
        return [
            (table, column, await hub.rows(f'SELECT "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL'))
            for table, column in map(tuple, found)
        ]

    before = await moments()
    payload(await share(hub, code))
    assert await moments() == before
    payload(await erase(hub, code))
    assert await moments() == before
    await hub.work()
    assert len(hub.mails()) == mails
    assert await hub.rows("SELECT FROM audit_entry") == []


async def test_a_notice_that_waits_for_an_erased_piece_is_never_sent(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await erase(hub, await given(hub, mediator, name="Gil Giver")))
    await hub.work()
    assert hub.mails(mediator.email) == []


async def test_the_receipt_of_a_discarded_piece_behaves_like_any_other(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, release_least=3) as grouped:
        mediator = await grouped.mediator()
        codes = [await given(grouped, mediator, email=email) for email in (mediator.email, "gil@demo.example")]
        assert {row["admission"] for row in await pieces(grouped)} == {"ADMITTED", "DISCARDED"}
        worlds = []
        for code in codes:
            told: list[object] = []
            async with statements(grouped) as run:
                told.append(await shown(grouped, code))
                told.append((await share(grouped, code, shareAlone=True)).body)
                told.append((await share(grouped, code, share=False)).body)
                told.append((await erase(grouped, code)).body)
            worlds.append([*told, len(run)])
        assert worlds[0] == worlds[1]
