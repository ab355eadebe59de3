"""Giving feedback: who can be found, with which link, and what is kept of a finished survey."""

import asyncio
from typing import Any

import pytest

from models.account import Role
from models.mediator import Visibility
from resolvers.survey import QuestionKind, survey
from settings import Notice
from tests.hub import PASSWORD, Answer, Hub, Person, opened, payload, problems, text_of
from tests.world import statements

ANSWERS = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "listening", "rating": 4}]}
SUBJECT = "query($id: ID, $link: String) { feedbackSubject(id: $id, link: $link) { id name reviewerName } }"
INVITATION = "query($token: String!) { feedbackInvitation(token: $token) { state subject { name reviewerName } } }"


async def give(hub: Hub, giver: Person | None = None, /, **facts: Any) -> Answer:
    return await hub.change("giveFeedback", ANSWERS | facts, "received", by=giver)


async def requested(hub: Hub, mediator: Person) -> str:
    """Ask a party for feedback, and return the secret of the link they got."""
    request = {
        "partyName": "Philippa Party",
        "partyEmail": "party@demo.example",
        "mediationEndedOn": "2024-03-02",
        "partyAgreed": True,
    }
    payload(await hub.change("requestFeedback", request, by=mediator))
    await hub.work()
    return hub.secret("party@demo.example", "feedback")


async def personal_link(hub: Hub, mediator: Person) -> str:
    link = (await hub.ask("{ me { mediator { feedbackLink } } }", by=mediator)).data["me"]["mediator"]["feedbackLink"]
    return str(link).rsplit("/", 1)[1]


async def kept(hub: Hub) -> list[Any]:
    """What counts: of the rest, only a receipt shows anything."""
    return await hub.rows("SELECT * FROM feedback WHERE admission <> 'DISCARDED'")


async def search(hub: Hub, text: str) -> list[dict[str, str]]:
    query = "query($search: String!) { feedbackSubjects(search: $search) { id name } }"
    found: list[dict[str, str]] = (await hub.ask(query, {"search": text})).data["feedbackSubjects"]
    return found


async def test_one_survey_spends_the_link_of_a_request(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    assert payload(await give(hub, token=token))["received"]
    assert problems(await give(hub, token=token)) == [("token", "SPENT")]
    found = (await hub.ask(INVITATION, {"token": token})).data["feedbackInvitation"]
    assert found["state"] == "SPENT"
    (row,) = await kept(hub)
    assert (row["mediator_id"], row["by_invitation"]) == (mediator.id, True)


async def test_surveys_sent_at_once_with_one_link_are_kept_once(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    answers = await asyncio.gather(*(give(hub, token=token) for _ in range(5)))
    assert sorted(map(str, map(problems, answers))) == ["[('token', 'SPENT')]"] * 4 + ["[]"]
    assert len(await kept(hub)) == 1


async def test_a_survey_sent_fifty_times_at_once_with_one_key_is_kept_once_and_mailed_once(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    answers = await asyncio.gather(*(give(hub, token=token, requestKey="once") for _ in range(50)))
    assert all(payload(answer)["received"] for answer in answers)
    assert len(await kept(hub)) == 1
    await hub.work()
    assert len(hub.mails(mediator.email)) == 1


async def test_the_mediator_hears_that_feedback_came_but_not_what_it_says(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(mediator, reviewer)
    words = [{"question": "impressed", "text": "The patience"}, {"question": "for_reviewer", "text": "Beware"}]
    payload(await give(hub, mediatorId=str(mediator.id), answers=words, name="Gisela Giver", email="g@demo.example"))
    payload(await give(hub, mediatorId=str(mediator.id), share=True))
    await hub.work()
    unnamed, named = sorted((text_of(mail) for mail in hub.mails(mediator.email)), key=lambda t: "Gisela" in t)
    assert "Gisela Giver left feedback about you" in named
    assert f"Your reviewer, {reviewer.name}, can read it now" in named
    assert "chose not to share it" in named
    assert "A party left feedback about you" in unnamed
    assert "chose to share it with you" in unnamed
    for told in ("g@demo.example", "patience", "Beware"):
        assert told not in named


async def test_nothing_is_shared_unless_the_giver_says_so(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await give(hub, mediatorId=str(mediator.id)))
    (row,) = await kept(hub)
    assert (row["shared"], row["released"]) == (False, False)


async def test_a_giver_without_a_name_stays_unnamed_and_the_requests_name_is_not_used(hub: Hub) -> None:
    mediator = await hub.mediator()
    payload(await give(hub, token=await requested(hub, mediator), name="  ", email=""))
    (origin,) = (await hub.origins()).values()
    assert (origin.name, origin.email) == (None, None)
    assert await hub.rows("SELECT FROM feedback_origin WHERE mailbox_hash IS NULL")


async def test_no_column_leads_from_feedback_to_the_request_it_came_from(hub: Hub) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    (request,) = await hub.rows("SELECT id FROM feedback_request")
    payload(await give(hub, token=token, requestKey="k"))
    for table in ("feedback", "feedback_answer", "feedback_origin", "request_key"):
        assert str(request["id"]) not in str(await hub.rows(f"SELECT t::text FROM {table} t"))


async def test_a_private_mediator_is_found_only_by_their_own_link_and_by_a_request(hub: Hub) -> None:
    mediator = await hub.mediator(name="Petra Private", visibility=Visibility.PRIVATE)
    link, token = await personal_link(hub, mediator), await requested(hub, mediator)
    assert await search(hub, "petra") == []
    hidden = await hub.ask(SUBJECT, {"id": str(mediator.id)})
    assert (hidden.body["data"], hidden.codes) == ({"feedbackSubject": None}, ["NOT_FOUND"])
    refused = await give(hub, mediatorId=str(mediator.id))
    never = await give(hub, mediatorId="6f1c6d9e-0000-4000-8000-000000000000")
    assert problems(refused) == [("mediatorId", "NOT_FOUND")]
    assert refused.body == never.body
    assert (await hub.ask(SUBJECT, {"link": link})).data["feedbackSubject"]["name"] == "Petra Private"
    payload(await give(hub, link=link))
    payload(await give(hub, token=token))
    assert sorted(row["by_invitation"] for row in await kept(hub)) == [False, True]


async def test_a_mediator_whose_address_is_not_verified_cannot_be_found(hub: Hub) -> None:
    mediator = await hub.person(Role.MEDIATOR, name="Ulla Unproven", verified=False)
    link = await personal_link(hub, mediator)
    assert await search(hub, "ulla") == []
    assert (await hub.ask(SUBJECT, {"link": link})).codes == ["NOT_FOUND"]
    assert problems(await give(hub, link=link)) == [("link", "NOT_FOUND")]
    assert problems(await give(hub, mediatorId=str(mediator.id))) == [("mediatorId", "NOT_FOUND")]
    assert await kept(hub) == []


async def test_the_survey_names_the_reviewer_or_says_that_there_is_none(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(), await hub.person(Role.REVIEWER)
    ask = {"id": str(mediator.id)}
    assert (await hub.ask(SUBJECT, ask)).data["feedbackSubject"]["reviewerName"] is None
    await hub.appointed(mediator, reviewer)
    assert (await hub.ask(SUBJECT, ask)).data["feedbackSubject"]["reviewerName"] == reviewer.name
    token = await requested(hub, mediator)
    found = (await hub.ask(INVITATION, {"token": token})).data["feedbackInvitation"]
    assert found["subject"]["reviewerName"] == reviewer.name


async def test_somebody_who_is_no_longer_a_mediator_gets_no_feedback(hub: Hub) -> None:
    mediator = await hub.mediator(name="Rita Retired")
    link, token = await personal_link(hub, mediator), await requested(hub, mediator)
    await hub.rows("UPDATE account SET roles = '{REVIEWER}'")
    for by in ({"link": link}, {"token": token}, {"mediatorId": str(mediator.id)}):
        assert [code for _, code in problems(await give(hub, **by))] == ["NOT_FOUND"]
    assert await search(hub, "rita") == []
    assert await kept(hub) == []
    (request,) = await hub.rows("SELECT state FROM feedback_request")
    assert request["state"] == "OPEN"


async def test_nobody_gives_feedback_about_themselves(hub: Hub) -> None:
    mediator = await hub.mediator()
    for by in ({"link": await personal_link(hub, mediator)}, {"token": await requested(hub, mediator)}):
        assert problems(await give(hub, mediator, **by)) == [(None, "NOT_ALLOWED")]
    assert await kept(hub) == []
    payload(await give(hub, token=await requested(hub, mediator)))


async def test_a_stranger_cannot_find_out_a_mediators_address_by_entering_it(hub: Hub) -> None:
    mediator = await hub.mediator()
    right, wrong = [
        await give(hub, mediatorId=str(mediator.id), email=email) for email in (mediator.email, "x@demo.example")
    ]
    assert right.body == wrong.body


async def test_feedback_from_the_mediators_own_address_is_silently_discarded(hub: Hub) -> None:
    mediator = await hub.mediator(email="Ann+book@demo.example")
    payload(await hub.change("changeEmail", {"email": "New@demo.example", "password": PASSWORD}, by=mediator))
    honest = (await give(hub, mediatorId=str(mediator.id), email="ann@other.example")).body
    assert len(await kept(hub)) == 1
    for own in ("Ann+book@demo.example", "ann@demo.example", "ANN+other@demo.example", "new@demo.example"):
        for by in ({"link": await personal_link(hub, mediator)}, {"mediatorId": str(mediator.id)}):
            assert (await give(hub, email=own, **by)).body == honest
    token = await requested(hub, mediator)
    assert (await give(hub, token=token, email="ann@demo.example")).body == honest
    assert problems(await give(hub, token=token)) == [("token", "SPENT")]
    assert len(await kept(hub)) == 1
    await hub.work()
    assert len([mail for mail in hub.mails(mediator.email) if "feedback" in mail["subject"].lower()]) == 1
    other = await hub.mediator()
    payload(await give(hub, mediatorId=str(other.id), email="ann@demo.example"))
    assert len(await kept(hub)) == 2


async def test_feedback_from_the_mediators_second_account_is_silently_discarded(hub: Hub) -> None:
    mediator, second = await hub.mediator(email="ann@demo.example"), await hub.person(email="Ann+2@demo.example")
    other = await hub.mediator()
    answers = [await give(hub, by, mediatorId=str(mediator.id)) for by in (second, other)]
    assert answers[0].body == answers[1].body
    assert len(await kept(hub)) == 1
    await hub.work()
    assert len(hub.mails(mediator.email)) == 1


@pytest.mark.parametrize("notice", Notice)
async def test_feedback_from_the_mediators_own_address_runs_the_same_statements(hub: Hub, notice: Notice) -> None:
    run = []
    async with opened(hub.services, settings=hub.settings, feedback_notice=notice) as now:
        mediator = await now.mediator()
        for email in ("x@demo.example", mediator.email, "y@demo.example"):
            async with statements(now) as run_for_one:
                payload(await give(now, mediatorId=str(mediator.id), email=email))
            run.append(sorted(run_for_one))
    undone, kept = ("ROLLBACK TO SAVEPOINT part", "RELEASE SAVEPOINT part")
    assert (undone in run[1], kept in run[2]) == (True, True)
    assert sorted({*run[1]} - {undone}) == sorted({*run[2]} - {kept})
    assert len(run[1]) == len(run[2])


@pytest.mark.parametrize("short", ["", "a", "ab", "  a b ", "--", "a-b", "!!!", "李", "李a", "\u0301\u0301\u0301"])
async def test_the_open_search_needs_three_letters_or_two_of_cjk(hub: Hub, short: str) -> None:
    query = "query($search: String!) { feedbackSubjects(search: $search) { id } }"
    assert (await hub.ask(query, {"search": short})).codes == ["BAD_USER_INPUT"]


async def test_the_open_search_finds_at_most_ten_by_how_their_names_begin(hub: Hub) -> None:
    for number in range(12):
        await hub.mediator(name=f"Märta Möller {number:02}")
    await hub.mediator(name="Somebody Else")
    found = await search(hub, "moll mar")
    assert [one["name"] for one in found] == [f"Märta Möller {number:02}" for number in range(10)]
    assert await search(hub, "öller") == []
    assert await search(hub, "%%%abc") == []
    assert [one["name"] for one in await search(hub, "ELSE")] == ["Somebody Else"]


async def test_a_search_for_very_many_words_is_cheap(hub: Hub) -> None:
    mediator = await hub.mediator(name="A Abba")
    assert await search(hub, "a " * 100_000) == [{"id": str(mediator.id), "name": "A Abba"}]
    assert await search(hub, "x" * 200_000) == []


async def test_a_survey_is_about_exactly_one_mediator(hub: Hub) -> None:
    mediator = await hub.mediator()
    link = await personal_link(hub, mediator)
    assert (await give(hub)).codes == ["BAD_USER_INPUT"]
    assert (await give(hub, link=link, mediatorId=str(mediator.id))).codes == ["BAD_USER_INPUT"]
    for asked in ({}, {"id": str(mediator.id), "link": link}):
        assert (await hub.ask(SUBJECT, asked)).codes == ["BAD_USER_INPUT"]
    assert await kept(hub) == []


async def test_a_link_that_belongs_to_nobody_is_not_found(hub: Hub) -> None:
    for by in ({"token": "nothing"}, {"link": "nothing"}, {"token": ""}, {"link": ""}, {"mediatorId": "nothing"}):
        (name,) = by
        assert problems(await give(hub, **by)) == [(name, "NOT_FOUND")]
    assert (await hub.ask(INVITATION, {"token": "nothing"})).codes == ["NOT_FOUND"]
    assert (await hub.ask(SUBJECT, {"link": "nothing"})).codes == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([], [("answers", "REQUIRED")]),
        ([{"question": "listening"}], [("answers", "REQUIRED")]),
        ([{"question": "impressed", "text": " \n "}], [("answers", "REQUIRED")]),
        ([{"question": "unheard_of", "rating": 3}], [("answers.0.question", "INVALID"), ("answers", "REQUIRED")]),
        ([{"question": "listening", "rating": 0}], [("answers.0.rating", "OUT_OF_RANGE"), ("answers", "REQUIRED")]),
        ([{"question": "listening", "rating": 6}], [("answers.0.rating", "OUT_OF_RANGE"), ("answers", "REQUIRED")]),
        ([{"question": "listening", "text": "Well"}], [("answers.0.text", "INVALID"), ("answers", "REQUIRED")]),
        ([{"question": "impressed", "rating": 3}], [("answers.0.rating", "INVALID"), ("answers", "REQUIRED")]),
        (
            [{"question": "listening", "rating": 3, "notApplicable": True}],
            [("answers.0", "INVALID"), ("answers", "REQUIRED")],
        ),
        (
            [{"question": "listening", "rating": 3}, {"question": "listening", "rating": 4}],
            [("answers.1.question", "INVALID")],
        ),
        ([{"question": "impressed", "text": "x" * 10_001}], [("answers.0.text", "TOO_LONG")]),
    ],
)
async def test_wrong_answers_are_pointed_out_and_none_are_kept(
    hub: Hub, answers: list[dict[str, Any]], found: list[tuple[str, str]]
) -> None:
    mediator = await hub.mediator()
    token = await requested(hub, mediator)
    assert problems(await give(hub, token=token, answers=answers)) == found
    assert await kept(hub) == []
    payload(await give(hub, token=token))


async def test_a_givers_wrong_name_or_address_is_pointed_out(hub: Hub) -> None:
    mediator = await hub.mediator()
    wrong = await give(hub, mediatorId=str(mediator.id), name="x" * 201, email="no address")
    assert problems(wrong) == [("name", "TOO_LONG"), ("email", "INVALID")]
    assert await kept(hub) == []


async def test_every_question_can_be_answered_and_is_read_by_those_it_says(hub: Hub) -> None:
    mediator, reviewer = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(mediator, reviewer)
    answers: list[dict[str, Any]] = [
        {"question": one.key} | ({"rating": 5} if one.kind is QuestionKind.RATING else {"text": f"On {one.key}"})
        for one in survey().questions
    ]
    answers[0] = {"question": survey().questions[0].key, "notApplicable": True}
    payload(await give(hub, mediatorId=str(mediator.id), answers=answers, share=True))
    read = "feedback { nodes { answers { question rating text } } }"
    own = (await hub.ask(f"{{ me {{ mediator {{ {read} }} }} }}", by=mediator)).data["me"]["mediator"]
    (theirs,) = (await hub.ask(f"{{ mediators {{ nodes {{ {read} }} }} }}", by=reviewer)).data["mediators"]["nodes"]
    by_mediator, by_reviewer = own["feedback"]["nodes"][0]["answers"], theirs["feedback"]["nodes"][0]["answers"]
    keys = [one.key for one in survey().questions]
    assert [one["question"] for one in by_reviewer] == keys
    assert [one["question"] for one in by_mediator] == [one.key for one in survey().questions if not one.reviewer_only]
    assert by_reviewer[0] == {"question": keys[0], "rating": None, "text": None}


async def test_feedback_is_accepted_while_mail_and_valkey_are_down(hub: Hub) -> None:
    valkey, smtp = "unix:///nowhere/valkey.sock", "smtp://127.0.0.1:9?tls=none"
    async with opened(hub.services, settings=hub.settings, redis_url=valkey, smtp_url=smtp) as alone:
        mediator = await alone.mediator()
        payload(await give(alone, mediatorId=str(mediator.id)))
        await alone.work()
        (row,) = await alone.rows("SELECT state, attempts FROM outbox")
        assert tuple(row) == ("QUEUED", 1)
    async with hub.later(hours=1) as then:
        await then.work()
    assert len(hub.mails(mediator.email)) == 1


async def test_the_personal_link_works_as_the_mediator_copies_it(hub: Hub) -> None:
    mediator = await hub.mediator()
    shown = await hub.ask("{ me { mediator { feedbackLink } } }", by=mediator)
    whole = shown.data["me"]["mediator"]["feedbackLink"]
    asked = "query($link: String!) { feedbackSubject(link: $link) { name } }"
    for link in (whole, whole.rpartition("/")[2]):
        assert (await hub.ask(asked, {"link": link})).data["feedbackSubject"]["name"] == mediator.name
