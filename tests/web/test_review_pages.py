"""A reviewer's pages: who appointed them, all feedback about these mediators and nobody else, and ending a review."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import delete, insert, update

from models.account import Role
from models.feedback import feedback_answers
from models.mediator import Visibility, mediators
from models.reviewer import appointments
from resolvers.survey import survey
from tests.hub import BASE_URL, Hub, Person
from tests.web.reading import (
    FOREIGN,
    HOSTILE,
    cookie,
    everything,
    followed,
    is_a_page,
    led_to,
    listed,
    opened,
    plain,
    problems,
    sheet,
)
from tests.world import put_feedback, statements

ADDRESS = "https://demo.example/profiles/ann?a=1&b=2"
PIECE: dict[str, Any] = {"capacity": "PARTY_ADVISER", "acted_as": "ADVOCATE", "by_invitation": False, "shared": False}


def days(response: httpx.Response) -> list[str]:
    """The days of the pieces of feedback on a page, in its order."""
    return re.findall(r'<li class="piece">\s*<h3>(.*?)</h3>', response.text)


def year_of(number: int) -> datetime:
    return datetime(number, 6, 7, 8, 9, tzinfo=UTC)


async def reviewed(hub: Hub, **facts: Any) -> tuple[Person, Person]:
    """A mediator and the reviewer they appointed."""
    ann, rev = await hub.mediator(**facts), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rev)
    return ann, rev


async def test_a_reviewer_finds_the_mediators_who_appointed_them_and_nobody_else(hub: Hub) -> None:
    me = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, Role.ADMIN, name="Aa Me")
    ann, hidden = await hub.mediator(name=HOSTILE), await hub.mediator(name="Ann Bo", visibility=Visibility.PRIVATE)
    waiting, other = await hub.mediator(name="Ann Waiting"), await hub.mediator(name="Ann Other")
    await hub.appointed(ann, me)
    await hub.appointed(hidden, me)
    await hub.appointed(other, await hub.person(Role.REVIEWER))
    async with hub.database.transaction() as transaction:
        await transaction.run(insert(appointments).values(mediator_id=waiting.id, reviewer_id=me.id))
        await transaction.run(update(mediators).where(mediators.c.id == ann.id).values(profile_url=ADDRESS))
    everybody = await opened(hub, me, "/review")
    assert listed(everybody) == [HOSTILE, "Ann Bo"]
    assert f'href="/review/{ann.id}"' in everybody.text
    assert 'href="https://demo.example/profiles/ann?a=1&amp;b=2"' in everybody.text
    found = await opened(hub, me, "/review?search=ann")
    assert listed(found) == ["Ann Bo"]
    assert 'value="ann"' in found.text
    nobody = await opened(hub, me, "/review?search=other")
    assert listed(nobody) == []
    assert "No mediator by that name has appointed you" in nobody.text


async def test_a_search_is_paged_by_cursors_that_contain_no_name(hub: Hub) -> None:
    rev = await hub.person(Role.REVIEWER)
    names = [f"Ann Mediator {number:02}" for number in range(23)]
    for name in names:
        await hub.appointed(await hub.mediator(name=name), rev)
    page = await opened(hub, rev, "/review?search=ann&size=10")
    found = listed(page)
    while following := re.search(r'rel="next" href="(.*?)"', page.text):
        address = unescape(following.group(1))
        assert "search=ann" in address
        assert "Mediator" not in address
        page = await opened(hub, rev, address)
        found += listed(page)
    assert found == names
    back = re.search(r'rel="prev" href="(.*?)"', page.text)
    assert back
    assert listed(await opened(hub, rev, unescape(back.group(1)))) == names[10:20]


async def test_without_an_appointment_the_page_explains_itself(hub: Hub) -> None:
    rev = await hub.person(Role.REVIEWER)
    assert "You review no mediator" in (await opened(hub, rev, "/review")).text
    ann = await hub.mediator(name="Ann")
    await hub.appointed(ann, rev)
    overview = await opened(hub, rev, f"/review/{ann.id}")
    assert "Nobody has left feedback about Ann yet" in plain(overview.text)
    assert "Ann hasn't told us yet where their profile" in plain(overview.text)
    assert await sheet(hub, rev, f"/review/{ann.id}/feedback.csv") == []


async def test_a_reviewer_reads_every_piece_in_full_but_not_who_gave_it(hub: Hub) -> None:
    ann, rev = await reviewed(hub, name="Ann")
    answers = {"preparation": 4, "neutrality": None, "impressed": HOSTILE, "for_reviewer": "Only for you"}
    await put_feedback(hub, ann, answers, name="Pat Giver", email="pat@demo.example", **PIECE)
    page = await opened(hub, rev, f"/review/{ann.id}")
    said = plain(page.text)
    for part in (
        "4 Mar 2024 From: Lawyer or adviser of a party · Acted as: Advocate · Not shared · Without a request",
        "They came well prepared. 4 of 5: Agree",
        "They were impartial. Not applicable",
        "What impressed you about the way they worked? <script>alert",
        "Only for you",
    ):
        assert part in said, part
    for part in ("Giver", "pat@", "5:06", "05:06"):
        assert part not in page.text, part


async def test_years_are_shown_side_by_side_and_one_of_them_question_by_question(hub: Hub) -> None:
    ann, rev = await reviewed(hub)
    await put_feedback(hub, ann, {"preparation": 2, "listening": 5}, received_at=year_of(2023))
    await put_feedback(hub, ann, {"preparation": 4}, received_at=year_of(2024))
    await put_feedback(hub, ann, {"preparation": 1, "listening": 4}, received_at=year_of(2024), **PIECE)
    await put_feedback(hub, ann, {"impressed": "Patience"}, received_at=year_of(2022))
    latest = await opened(hub, rev, f"/review/{ann.id}")
    said = plain(latest.text)
    assert "2024 2 3.0 2023 1 3.5 2022 1 No ratings" in said
    assert "How each question was rated in 2024, from 2 pieces of feedback" in said
    assert "They came well prepared. 2.5 1.5 2" in said
    assert len(days(latest)) == 4
    assert "year=2023" in re.findall(r'<th scope="row"><a href="(.*?)"', latest.text)[1]
    earlier = await opened(hub, rev, f"/review/{ann.id}?year=2023")
    assert "They came well prepared. 2.0 0.0 1" in plain(earlier.text)
    assert days(earlier) == ["7 Jun 2023"]
    assert "Nobody rated a question in 2022" in (await opened(hub, rev, f"/review/{ann.id}?year=2022")).text
    assert "There was no feedback in 1999" in (await opened(hub, rev, f"/review/{ann.id}?year=1999")).text
    assert len(days(await opened(hub, rev, f"/review/{ann.id}?year=abc&capacity=NOBODY&dir=up"))) == 4


async def test_feedback_is_filtered_ordered_and_paged_by_the_address(hub: Hub) -> None:
    ann, rev = await reviewed(hub)
    for year in range(2010, 2022):
        await put_feedback(hub, ann, received_at=year_of(year))
    await put_feedback(hub, ann, received_at=year_of(2022), **PIECE)
    path = f"/review/{ann.id}"
    for one in ("capacity=PARTY_ADVISER", "actedAs=ADVOCATE", "shared=false", "byInvitation=false", "year=2022"):
        page = await opened(hub, rev, f"{path}?{one}")
        assert days(page) == ["7 Jun 2022"], one
        assert "1 piece of feedback with this filter" in plain(page.text)
    for one in ("capacity=PARTY", "actedAs=MEDIATOR", "shared=true", "byInvitation=true"):
        assert "7 Jun 2022" not in days(await opened(hub, rev, f"{path}?{one}")), one
    oldest = await opened(hub, rev, f"{path}?sort=received_on&dir=asc&size=10")
    assert days(oldest) == [f"7 Jun {year}" for year in range(2010, 2020)]
    following = re.search(r'rel="next" href="(.*?)"', oldest.text)
    assert following
    assert days(await opened(hub, rev, unescape(following.group(1)))) == ["7 Jun 2020", "7 Jun 2021", "7 Jun 2022"]
    # Pieces are long, so a page has fewer than other tables; more can be chosen.
    assert days(await opened(hub, rev, path)) == [f"7 Jun {year}" for year in range(2022, 2012, -1)]
    assert len(days(await opened(hub, rev, f"{path}?size=25"))) == 13
    # On paper there's no form, so the page says in words what it was filtered by.
    assert ": Shared Not shared; How it came Without a request" in plain(
        (await opened(hub, rev, f"{path}?shared=false&byInvitation=false")).text
    )


async def test_an_export_has_a_row_for_each_piece_and_a_column_for_each_question(hub: Hub) -> None:
    ann, rev = await reviewed(hub)
    given = {"preparation": 4, "neutrality": None, "impressed": "=1+1", "for_reviewer": "Only for you"}
    piece = await put_feedback(hub, ann, given, name="Pat Giver", email="pat@demo.example", **PIECE)
    await put_feedback(hub, ann, {"listening": 5}, received_at=year_of(2025))
    async with hub.database.transaction() as transaction:
        await transaction.run(
            insert(feedback_answers).values(
                feedback_id=piece, mediator_id=ann.id, question="retired", reviewer_only=False, text="Long ago"
            )
        )
    texts = {question.key: question.text for question in survey().questions}
    path = f"/review/{ann.id}/feedback.csv"
    newest, other = await sheet(hub, rev, path)
    assert list(newest) == [
        "Date received",
        "Capacity",
        "Acted as",
        "Shared",
        "How it came",
        *texts.values(),
        "Questions no longer asked",
    ]
    assert {title: cell for title, cell in newest.items() if cell} == {
        "Date received": "2025-06-07",
        "Capacity": "Party to the dispute",
        "Acted as": "Mediator",
        "Shared": "Shared with the mediator",
        "How it came": "On request",
        texts["listening"]: "5",
    }
    assert {title: cell for title, cell in other.items() if cell} == {
        "Date received": "2024-03-04",
        "Capacity": "Lawyer or adviser of a party",
        "Acted as": "Advocate",
        "Shared": "Not shared",
        "How it came": "Without a request",
        texts["preparation"]: "4",
        texts["neutrality"]: "Not applicable",
        texts["impressed"]: "'=1+1",
        texts["for_reviewer"]: "Only for you",
        "Questions no longer asked": "retired: Long ago",
    }
    assert await sheet(hub, rev, f"{path}?shared=false") == [other]
    assert await sheet(hub, rev, f"{path}?sort=received_on&dir=asc&size=10") == [other, newest]


async def test_an_export_is_not_limited_to_one_page(hub: Hub) -> None:
    ann, rev = await reviewed(hub)
    for _ in range(101):
        await put_feedback(hub, ann, {})
    assert len(await sheet(hub, rev, f"/review/{ann.id}/feedback.csv")) == 101


async def hidden_from(hub: Hub, by: Person, whose: object) -> None:
    """A mediator's pages aren't there: every answer is the same as for an id that never existed."""
    before = await everything(hub)
    for page in ("", "?year=2024", "/feedback.csv", "/end"):
        hidden = await hub.client.get(f"/review/{whose}{page}", headers=cookie(by))
        unknown = await hub.client.get(f"/review/{uuid4()}{page}", headers=cookie(by))
        assert is_a_page(hidden, 404), page
        assert hidden.text == unknown.text
    ended = await hub.client.post(f"/review/{whose}/end", headers=cookie(by) | {"origin": BASE_URL})
    assert is_a_page(ended, 404)
    assert await everything(hub) == before


@pytest.mark.parametrize(
    "roles",
    [
        (Role.REVIEWER,),
        (Role.REVIEWER, Role.ADMIN),
        (Role.REVIEWER, Role.DIRECTORY),
        (Role.REVIEWER, Role.MEDIATOR),
        (Role.MEDIATOR,),
        (Role.DIRECTORY,),
        (Role.ADMIN,),
    ],
)
async def test_nobody_finds_a_mediator_whom_they_do_not_review_whatever_other_roles_they_have(
    hub: Hub, roles: tuple[Role, ...]
) -> None:
    ann, _ = await reviewed(hub, name="Ann Hidden")
    await put_feedback(hub, ann, {"impressed": "Patience"})
    me = await hub.person(*roles)
    await hidden_from(hub, me, ann.id)
    await hidden_from(hub, me, "no-id")


async def test_nobody_reads_or_ends_their_own_review_from_here(hub: Hub) -> None:
    for roles in ((Role.MEDIATOR, Role.REVIEWER), (Role.MEDIATOR, Role.REVIEWER, Role.ADMIN)):
        me = await hub.person(*roles)
        await hub.appointed(me, await hub.person(Role.REVIEWER))
        await put_feedback(hub, me, {"for_reviewer": "Never for them"}, shared=False)
        await hidden_from(hub, me, me.id)
        assert listed(await opened(hub, me, "/review")) == []


async def test_a_former_reviewer_and_one_who_waits_find_nothing(hub: Hub) -> None:
    ann, rev = await reviewed(hub)
    await put_feedback(hub, ann)
    async with hub.database.transaction() as transaction:
        await transaction.run(delete(appointments))
    await hidden_from(hub, rev, ann.id)
    async with hub.database.transaction() as transaction:
        await transaction.run(insert(appointments).values(mediator_id=ann.id, reviewer_id=rev.id))
    await hidden_from(hub, rev, ann.id)


async def test_anyone_signed_out_is_asked_to_sign_in(hub: Hub) -> None:
    ann, _ = await reviewed(hub)
    for path in ("/review", f"/review/{ann.id}", f"/review/{ann.id}/feedback.csv", f"/review/{ann.id}/end"):
        response = await hub.client.get(path)
        assert (response.status_code, response.headers["location"]) == (303, f"/signin?next={path}")
    assert is_a_page(await hub.client.post(f"/review/{ann.id}/end"), 401)


@pytest.mark.parametrize("more", [(), (Role.MEDIATOR,), (Role.DIRECTORY,), (Role.ADMIN,)])
async def test_a_reviewer_reads_as_a_reviewer_whatever_other_roles_they_have(hub: Hub, more: tuple[Role, ...]) -> None:
    ann, me = await hub.mediator(visibility=Visibility.PRIVATE), await hub.person(Role.REVIEWER, *more)
    await hub.appointed(ann, me)
    await put_feedback(hub, ann, {"for_reviewer": "Only for you"}, shared=False)
    assert "Only for you" in (await opened(hub, me, f"/review/{ann.id}")).text
    assert len(await sheet(hub, me, f"/review/{ann.id}/feedback.csv")) == 1


async def test_a_review_ends_as_soon_as_the_button_is_pressed(hub: Hub) -> None:
    ann, rev = await reviewed(hub, name=HOSTILE)
    path = f"/review/{ann.id}/end"
    before = await everything(hub)
    asked = await opened(hub, rev, path)
    assert "From then on, you won't see any feedback about &lt;script&gt;" in asked.text
    for headers in FOREIGN:
        assert is_a_page(await hub.client.post(path, headers=cookie(rev) | headers), 403)
    assert await everything(hub) == before
    ended = await hub.client.post(path, headers=cookie(rev) | {"origin": BASE_URL})
    assert led_to(ended) == "/review?done=ended"
    assert "The review has ended." in (await followed(hub, ended, rev)).text
    assert await hub.rows("SELECT 1 FROM appointment") == []
    await hidden_from(hub, rev, ann.id)
    await hub.work()
    assert len(hub.mails(ann.email)) == 1


async def test_the_pages_run_the_same_number_of_statements_however_much_there_is(hub: Hub) -> None:
    ann, rev = await reviewed(hub)
    counts: set[tuple[int, ...]] = set()
    for more in (1, 4, 20):
        for number in range(more):
            await put_feedback(
                hub, ann, {"preparation": 4, "impressed": "Patience"}, received_at=year_of(2000 + number)
            )
            await hub.appointed(await hub.mediator(), rev)
        counted = []
        for path in ("/review", f"/review/{ann.id}?size=100", f"/review/{ann.id}/feedback.csv"):
            async with statements(hub) as run:
                assert (await hub.client.get(path, headers=cookie(rev))).status_code == 200
            counted.append(len(run))
        counts.add(tuple(counted))
    assert len(counts) == 1, counts
    # Who asks; the mediator, their feedback, how much of it there is, and what it adds up to.
    assert max(counts.pop()) <= 5


async def answer(hub: Hub, who: Person, path: str, **form: str) -> httpx.Response:
    return await hub.client.post(path, data=form, headers=cookie(who) | {"origin": BASE_URL})


async def test_a_reviewer_accepts_on_the_home_page_and_says_how_they_know_the_mediator(hub: Hub) -> None:
    ann, other, rev = await hub.mediator(name=HOSTILE), await hub.mediator(), await hub.person(Role.REVIEWER)
    assert "ask you to be their reviewer" not in (await opened(hub, rev, "/")).text
    for mediator in (ann, other):
        await hub.waiting(mediator, rev)
    home = await opened(hub, rev, "/")
    assert f"{HOSTILE} asked you on " in plain(home.text)
    assert home.text.count(f'action="/review/{ann.id}/accept"') == 1
    assert len(set(re.findall(r'id="(.*?)"', home.text))) == len(re.findall(r'id="(.*?)"', home.text))
    before = await everything(hub)
    path = f"/review/{ann.id}/accept"
    for relation, field in (("", "relation"), ("FAMILY", "relation"), ("OTHER", "relationDetails")):
        refused = await answer(hub, rev, path, relation=relation)
        assert is_a_page(refused, 422)
        assert [name for name, _ in problems(refused)] == [field]
        assert f'action="{path}"' in refused.text
    for headers in FOREIGN:
        foreign = await hub.client.post(path, data={"relation": "COLLEAGUE"}, headers=cookie(rev) | headers)
        assert is_a_page(foreign, 403)
    assert await everything(hub) == before
    done = await answer(hub, rev, path, relation="OTHER", relationDetails="We met once")
    assert led_to(done) == "/?done=accepted"
    said = plain((await followed(hub, done, rev)).text)
    assert "Thank you for accepting." in said
    assert f"An administrator still has to agree before you can read any feedback about {HOSTILE}." in said
    assert is_a_page(await answer(hub, rev, f"/review/{uuid4()}/accept", relation="COLLEAGUE"), 404)


async def test_a_reviewer_declines_on_the_home_page(hub: Hub) -> None:
    ann, rev, stranger = await hub.mediator(), await hub.person(Role.REVIEWER), await hub.person(Role.REVIEWER)
    appointment = await hub.waiting(ann, rev)
    path = f"/review/{appointment}/decline"
    assert f'action="{path}"' in (await opened(hub, rev, "/")).text
    assert f'action="{path}"' not in (await opened(hub, stranger, "/")).text
    assert is_a_page(await answer(hub, stranger, path), 404)
    assert len(await hub.rows("SELECT FROM appointment")) == 1
    assert led_to(await answer(hub, rev, path)) == "/?done=declined"
    assert not await hub.rows("SELECT FROM appointment")
    assert is_a_page(await answer(hub, rev, path), 404)


async def test_a_reviewer_who_administers_is_shown_only_the_mediators_who_ask_them(hub: Hub) -> None:
    ann, both = await hub.mediator(name="Ann"), await hub.person(Role.REVIEWER, Role.ADMIN)
    await hub.waiting(ann, await hub.person(Role.REVIEWER))
    assert "Ann" not in (await opened(hub, both, "/")).text


async def test_a_reviewer_corrects_how_they_know_the_mediator_on_that_mediators_page(hub: Hub) -> None:
    ann, rev = await reviewed(hub, name="Ann")
    path = f"/review/{ann.id}"
    assert "You haven't said yet how you know Ann." in plain((await opened(hub, rev, path)).text)
    refused = await answer(hub, rev, path, relation="EMPLOYER", relationDetails="A firm")
    assert is_a_page(refused, 422)
    assert [name for name, _ in problems(refused)] == ["relation"]
    assert 'value="A firm"' in refused.text
    done = await answer(hub, rev, path, relation="SAME_PROVIDER", relationDetails="Both at one court")
    assert led_to(done) == f"{path}?done=saved"
    page = (await opened(hub, rev, path)).text
    assert '<option value="SAME_PROVIDER" selected>' in page
    assert 'value="Both at one court"' in page
    stranger = await hub.person(Role.REVIEWER)
    assert is_a_page(await answer(hub, stranger, path, relation="COLLEAGUE"), 404)
