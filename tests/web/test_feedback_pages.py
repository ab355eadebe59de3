"""A mediator's pages of feedback: asking for it, and reading what was shared, without learning who or when."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import uuid4

import pytest

from models.account import Role
from settings import Notice
from tests.hub import Hub, Person, payload
from tests.hub import opened as hub_with
from tests.web.reading import FOREIGN, HOSTILE, cookie, everything, is_a_page, led_to, opened, problems
from tests.world import put_feedback

ASKED = {
    "partyName": "Pat Party",
    "partyEmail": "pat@demo.example",
    "reference": "Fence",
    "mediationEndedOn": "7 May 2024",
    "partyAgreed": "yes",
}


async def text(hub: Hub, who: Person, path: str) -> str:
    return (await opened(hub, who, path)).text


def hidden_fields(page: str, action: str) -> dict[str, str]:
    """What the first form with that action sends without showing it."""
    form = re.search(rf'<form method="post" action="{action}">(.*?)</form>', page, re.DOTALL)
    assert form
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[1]))


async def test_a_request_is_sent_shown_for_five_days_and_withdrawn(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    response = await hub.client.post("/request", data=ASKED, headers=cookie(ann))
    assert led_to(response) == "/request?done=requested"
    await hub.work()
    assert "Fence" in hub.mail("pat@demo.example")["text"]
    page = await text(hub, ann, "/request")
    for part in ("Pat Party", "pat@demo.example", "Fence", "7 May 2024"):
        assert part in page
    async with hub.later(hours=121) as later:
        gone = await text(later, ann, "/request")
        for part in ("Pat Party", "pat@demo.example", "Fence"):
            assert part not in gone
        assert "1 request so far" in gone
    (path,) = re.findall(r'action="(/request/[0-9a-f-]{36}/withdraw)"', page)
    withdrawn = await hub.client.post(path, headers=cookie(ann))
    assert led_to(withdrawn) == "/request?done=withdrawn"
    assert "Pat Party" not in await text(hub, ann, "/request")
    assert is_a_page(await hub.client.post(path, headers=cookie(ann)), 404)


async def test_a_request_submitted_twice_is_sent_once(hub: Hub) -> None:
    ann = await hub.mediator()
    for _ in range(2):
        await hub.client.post("/request", data=ASKED | {"requestKey": "k"}, headers=cookie(ann))
    await hub.work()
    assert len(hub.mails("pat@demo.example")) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"partyAgreed": ""}, "partyAgreed"),
        ({"partyEmail": "nowhere"}, "partyEmail"),
        ({"partyName": ""}, "partyName"),
        ({"mediationEndedOn": "2999-01-01"}, "mediationEndedOn"),
        ({"mediationEndedOn": "soon"}, "mediationEndedOn"),
    ],
)
async def test_an_invalid_request_is_not_sent_and_comes_back_as_typed(
    hub: Hub, wrong: dict[str, str], field: str
) -> None:
    ann = await hub.mediator()
    before = await everything(hub)
    response = await hub.client.post("/request", data=ASKED | {"reference": HOSTILE} | wrong, headers=cookie(ann))
    assert is_a_page(response, 422)
    assert [name for name, _ in problems(response)] == [field]
    assert "O&#39;Neil" in response.text
    assert await everything(hub) == before


async def test_the_request_page_has_the_personal_link_and_never_reveals_an_answer(hub: Hub) -> None:
    ann = await hub.mediator()
    own = await hub.ask("{ me { mediator { feedbackLink } } }", by=ann)
    before = await text(hub, ann, "/request")
    assert own.data["me"]["mediator"]["feedbackLink"] in before
    await put_feedback(hub, ann, shared=False)
    assert _without_key(await text(hub, ann, "/request")) == _without_key(before)


TOLD = {
    Notice.NAMED: "we email you the name that its sender gave, if any, and whether they shared it.",
    Notice.DISCREET: "within two days, at a random time: at most one email a day, which doesn't say who gave it",
    Notice.OFF: "We don't tell you when feedback about you arrives, so that nobody has to answer to please you.",
}


@pytest.mark.parametrize("least", [0, 3])
@pytest.mark.parametrize("notice", Notice)
async def test_a_mediators_pages_promise_what_the_setting_keeps(hub: Hub, notice: Notice, least: int) -> None:
    async with hub_with(hub.services, settings=hub.settings, feedback_notice=notice, release_least=least) as now:
        ann = await now.mediator()
        await now.client.post("/request", data=ASKED, headers=cookie(ann))
        pages = [unescape(" ".join((await text(now, ann, path)).split())) for path in ("/request", "/my-feedback")]
        assert "This list doesn't show whether a request was answered." in pages[0]
        for page in pages:
            assert {one for one in Notice if TOLD[one] in page} == {notice}
            assert not re.search("We never show|you'll never learn|nobody can tell", page)
        assert ("so that it's hard to tell who wrote it" in pages[1]) == (least == 3)


def _without_key(page: str) -> str:
    return re.sub(r'name="requestKey" value="[^"]*"', "", page)


async def test_shared_feedback_is_read_without_learning_who_gave_it_when_or_how(hub: Hub) -> None:
    ann = await hub.mediator()
    when = datetime(2019, 3, 4, tzinfo=UTC)
    answers: dict[str, Any] = {"listening": 4, "impressed": HOSTILE, "for_reviewer": "secret words"}
    shared = await put_feedback(hub, ann, answers, name="Gil Giver", email="gil@demo.example", received_at=when)
    hidden = await put_feedback(hub, ann, {"impressed": "unshared words"}, shared=False)
    waiting = await put_feedback(hub, ann, {"impressed": "waiting words"}, released=False)
    pages = [await text(hub, ann, path) for path in ("/my-feedback", f"/my-feedback/{shared}")]
    assert "4.0 of 5 on average, 1 rating" in pages[0]
    assert "They listened carefully, and I felt heard." in pages[1]
    assert "<strong>4</strong> of 5: Agree" in pages[1]
    for page in pages:
        assert "O&#39;Neil" in page
        for private in ("Gil", "gil@", "2019", "secret words", "unshared", "waiting words", "Party to the dispute"):
            assert private not in page, private
    gone = [await hub.client.get(f"/my-feedback/{one}", headers=cookie(ann)) for one in (hidden, waiting, uuid4(), "x")]
    assert len({response.text.replace(str(response.url), "") for response in gone}) == 1
    assert all(is_a_page(response, 404) for response in gone)


async def test_nobody_finds_feedback_about_somebody_else(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    rob, admin = await hub.person(Role.REVIEWER), await hub.person(Role.ADMIN)
    await hub.appointed(ann, rob)
    shared = await put_feedback(hub, ann, {"impressed": "shared words"})
    for who in (bob, rob, admin):
        response = await hub.client.get(f"/my-feedback/{shared}", headers=cookie(who))
        assert is_a_page(response, 404)
        assert "shared words" not in response.text
    assert (await hub.client.get("/my-feedback")).headers["location"] == "/signin?next=/my-feedback"


async def test_details_and_visibility_are_changed(hub: Hub) -> None:
    ann = await hub.mediator()
    form = {"about": HOSTILE, "profileUrl": "https://demo.example/ann", "visibility": "PRIVATE"}
    response = await hub.client.post("/details", data=form, headers=cookie(ann))
    assert led_to(response) == "/details?done=saved"
    page = await text(hub, ann, "/details")
    assert "O&#39;Neil" in page
    assert re.search(r'value="PRIVATE"[^>]* checked', page)
    wrong = await hub.client.post("/details", data=form | {"profileUrl": "ftp://x"}, headers=cookie(ann))
    assert is_a_page(wrong, 422)
    assert [name for name, _ in problems(wrong)] == ["profileUrl"]
    assert 'value="ftp://x"' in wrong.text


async def agree(hub: Hub, mediator: Person, reviewer: Person) -> None:
    """Let a reviewer be appointed, accept and be confirmed."""
    await hub.confirmed(reviewer)
    payload(await hub.change("appointReviewer", {"reviewerId": str(reviewer.id)}, by=mediator))
    said = {"relation": "OTHER", "relationDetails": "We sang <b>together</b>"}
    payload(await hub.change("acceptAppointment", {"mediatorId": str(mediator.id)} | said, by=reviewer))


async def test_a_reviewer_is_appointed_invited_and_the_review_ended(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    rob = await hub.person(Role.REVIEWER, name="Rob Reviewer")
    offered = f'name="reviewerId" value="{rob.id}"'
    assert offered in await text(hub, ann, "/details?search=rob")
    assert offered not in await text(hub, ann, "/details?search=nobody")
    chosen = await hub.client.post("/details/appoint", data={"reviewerId": str(rob.id)}, headers=cookie(ann))
    assert led_to(chosen) == "/details?done=appointed"
    waits = "You chose <strong>Rob Reviewer</strong>. They have to accept, and an administrator may have to agree."
    page = await text(hub, ann, "/details")
    assert waits in page
    assert offered not in page.partition("Choose from the list")[2]
    await agree(hub, ann, rob)
    mine = await text(hub, ann, "/details")
    assert "Your reviewer is <strong>Rob Reviewer</strong>" in mine
    assert "They say how they know each other: “We sang &lt;b&gt;together&lt;/b&gt;”" in mine
    shown = hidden_fields(await text(hub, ann, "/details"), "/details/end-review")
    assert shown == {"mediatorId": str(ann.id), "reviewerId": str(rob.id)}
    ended = await hub.client.post("/details/end-review", data=shown, headers=cookie(ann))
    assert led_to(ended) == "/details?done=ended"
    assert not await hub.rows("SELECT 1 FROM appointment")
    again = await hub.client.post("/details/end-review", data=shown, headers=cookie(ann))
    assert is_a_page(again, 422)
    assert problems(again) == [(None, "There's no such review to end.")]
    for _ in range(2):
        invited = {"email": "new@demo.example", "requestKey": "k"}
        response = await hub.client.post("/details/invite", data=invited, headers=cookie(ann))
        assert led_to(response) == "/details?done=invited"
    await hub.work()
    assert len(hub.mails("new@demo.example")) == 1


async def test_a_page_that_is_out_of_date_ends_no_other_review(hub: Hub) -> None:
    ann, old, new = await hub.mediator(), await hub.person(Role.REVIEWER), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, old)
    stale = hidden_fields(await text(hub, ann, "/details"), "/details/end-review")
    await agree(hub, ann, new)
    before = await hub.rows("SELECT * FROM appointment")
    for form in (stale, {}):
        assert is_a_page(await hub.client.post("/details/end-review", data=form, headers=cookie(ann)), 422)
    assert await hub.rows("SELECT * FROM appointment") == before


async def test_a_choice_that_waits_is_taken_back_alone(hub: Hub) -> None:
    ann, rob, wu = await hub.mediator(), *[await hub.person(Role.REVIEWER) for _ in range(2)]
    await hub.appointed(ann, rob)
    payload(await hub.change("appointReviewer", {"reviewerId": str(wu.id)}, by=ann))
    page = await text(hub, ann, "/details")
    assert page.count('action="/details/end-review"') == 2
    waiting = hidden_fields(page.partition("Take this choice back")[2], "/details/end-review")
    assert waiting == {"mediatorId": str(ann.id), "reviewerId": str(wu.id)}
    taken = await hub.client.post("/details/end-review", data=waiting, headers=cookie(ann))
    assert led_to(taken) == "/details?done=ended"
    ((left,),) = await hub.rows("SELECT reviewer_id FROM appointment")
    assert left == rob.id


async def test_open_invitations_are_listed_sent_again_and_revoked(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    assert "Open invitations" not in await text(hub, ann, "/details")
    payload(await hub.change("inviteReviewer", {"email": "new@demo.example"}, by=ann))
    page = await text(hub, ann, "/details")
    assert "Open invitations" in page
    assert "new@demo.example, until " in page
    assert "new@demo.example" not in await text(hub, bob, "/details")
    shown = hidden_fields(page, "/details/resend")
    assert hidden_fields(page, "/details/revoke") == shown
    for path in ("/details/resend", "/details/revoke"):
        foreign = await hub.client.post(path, data=shown, headers=cookie(bob))
        assert is_a_page(foreign, 422)
        assert problems(foreign) == [(None, "There's no such invitation.")]
    again = await hub.client.post("/details/resend", data=shown, headers=cookie(ann))
    assert led_to(again) == "/details?done=invited"
    fresh = hidden_fields(await text(hub, ann, "/details"), "/details/revoke")
    assert fresh != shown
    gone = await hub.client.post("/details/revoke", data=fresh, headers=cookie(ann))
    assert led_to(gone) == "/details?done=uninvited"
    assert not await hub.rows("SELECT FROM reviewer_invitation")


async def test_nobody_appoints_or_invites_themselves(hub: Hub) -> None:
    ann = await hub.person(Role.MEDIATOR, Role.REVIEWER)
    before = await everything(hub)
    for path, form in {
        "/details/appoint": {"reviewerId": str(ann.id)},
        "/details/invite": {"email": ann.email},
    }.items():
        response = await hub.client.post(path, data=form, headers=cookie(ann))
        assert is_a_page(response, 422)
        assert len(problems(response)) == 1
    nothing = await hub.client.post("/details/appoint", data={}, headers=cookie(ann))
    assert is_a_page(nothing, 422)
    assert await everything(hub) == before


async def test_forms_from_other_sites_or_other_roles_change_nothing(hub: Hub) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    rob = await hub.person(Role.REVIEWER)
    before = await everything(hub)
    forms: dict[str, dict[str, str]] = {
        "/request": ASKED,
        "/details": {"visibility": "PRIVATE"},
        "/details/appoint": {"reviewerId": str(rob.id)},
        "/details/invite": {"email": "new@demo.example"},
        "/details/end-review": {},
        "/details/resend": {},
        "/details/revoke": {},
    }
    for path, form in forms.items():
        for headers in FOREIGN:
            assert is_a_page(await hub.client.post(path, data=form, headers=headers | cookie(ann)), 403)
        for who in (admin, rob):
            assert is_a_page(await hub.client.post(path, data=form, headers=cookie(who)), 404)
        assert is_a_page(await hub.client.post(path, data=form), 401)
    assert await everything(hub) == before
