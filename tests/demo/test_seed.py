from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.embedded import Services
from demo.seed import ACCOUNTS, DEMO_PASSWORD, DEMO_PEOPLE, fill, links
from models.account import Role
from permissions.secrets import spent_marks
from resolvers.evidence_content import read_content
from resolvers.validation import MAX_MINUTES
from tests.conftest import fresh_database
from tests.hub import Hub, opened
from tests.web.reading import get

TABLES = [
    "account",
    "appointment",
    "cpd_entry",
    "cpd_private",
    "directory",
    "feedback",
    "feedback_answer",
    "feedback_origin",
    "feedback_request",
    "feedback_request_details",
    "logbook_entry",
    "logbook_private",
    "mediator",
    "opening_balance",
    "outbox",
    "reviewer_invitation",
]


@pytest.fixture(scope="module")
async def demo(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    """The demo's data, for tests that change nothing."""
    async with fresh_database(services, tmp_path_factory.mktemp("mailbox")) as own, opened(own) as hub:
        await fill(hub.settings)
        yield hub


@pytest.fixture
async def own_demo(hub: Hub) -> Hub:
    """The demo's data, for just one test."""
    await fill(hub.settings)
    return hub


async def counts(hub: Hub) -> dict[str, int]:
    return {table: (await hub.rows(f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES}


async def me(hub: Hub, handle: str, fields: str) -> Any:
    answer = await hub.ask(f"{{ me {{ {fields} }} }}", by=await hub.sign_in(f"{handle}@demo.example", DEMO_PASSWORD))
    return answer.data["me"]


def last_part(address: str) -> str:
    return urlsplit(address).path.split("/")[-1]


async def test_filling_the_demo_again_changes_nothing(demo: Hub) -> None:
    first = await counts(demo)
    assert all(first.values()), first
    await fill(demo.settings)
    assert await counts(demo) == first


async def test_existing_data_of_somebody_else_are_left_alone(hub: Hub) -> None:
    await hub.mediator()
    before = await counts(hub)
    await fill(hub.settings)
    assert await counts(hub) == before


async def test_each_printed_account_can_sign_in_and_has_its_role(demo: Hub) -> None:
    assert len(DEMO_PASSWORD) >= 8
    roles = {email: (await me(demo, email.removesuffix("@demo.example"), "roles"))["roles"] for email, _ in ACCOUNTS}
    assert roles == {
        "mediator@demo.example": ["MEDIATOR"],
        "mediator11@demo.example": ["MEDIATOR"],
        "mediator12@demo.example": ["MEDIATOR"],
        "reviewer@demo.example": ["REVIEWER"],
        "reviewer2@demo.example": ["REVIEWER"],
        "directory@demo.example": ["DIRECTORY"],
        "admin@demo.example": ["ADMIN"],
        "peer@demo.example": ["MEDIATOR", "REVIEWER"],
    }


async def test_everybody_obviously_belongs_to_the_demo(demo: Hub) -> None:
    people = [tuple(row) for row in await demo.rows("SELECT name, email FROM account")]
    people += [(one.name, one.email) for one in ((await demo.origins()) | (await demo.parties())).values()]
    assert all((name or "Demo").startswith("Demo") for name, _ in people)
    assert all((email or "@demo.example").endswith("@demo.example") for _, email in people)


async def test_the_demo_has_a_dozen_mediators_and_some_are_private(demo: Hub) -> None:
    [found] = await demo.rows("SELECT count(*), count(*) FILTER (WHERE visibility = 'PRIVATE') FROM mediator")
    assert tuple(found) == (12, 4)
    assert len([person for person in DEMO_PEOPLE if Role.DIRECTORY in person.roles]) == 2


async def test_entries_stay_within_the_limits_of_the_product(demo: Hub) -> None:
    entries = await demo.rows(
        "SELECT started_on, ended_on, minutes FROM logbook_entry"
        " UNION ALL SELECT started_on, ended_on, minutes FROM cpd_entry"
    )
    today = demo.database.now().date()
    for started_on, ended_on, minutes in entries:
        assert started_on <= ended_on <= today
        assert 1 <= minutes <= MAX_MINUTES
    assert min(ended_on for _, ended_on, _ in entries) < today - timedelta(days=8 * 365)


async def test_the_mediator_finds_years_of_entries_and_learnings(demo: Hub) -> None:
    found = (
        await me(
            demo,
            "mediator",
            """mediator { visibility about profileUrl reviewer { name }
            experience(roles: [OBSERVER, LEAD_MEDIATOR, CO_MEDIATOR, ASSISTANT_MEDIATOR]) {
            byYear { year } byRole { role } }
            logbook { totalCount } cpd { totalCount } learnings { totalCount } feedbackRequests(first: 100) {
            nodes { madeOn partyName partyEmail reference } }
            feedback { totalCount nodes { answers { question } } } }""",
        )
    )["mediator"]
    assert found["visibility"] == "DIRECTORIES"
    assert found["about"]
    assert found["profileUrl"]
    assert found["reviewer"] == {"name": "Demo Reviewer"}
    assert len(found["experience"]["byYear"]) >= 9
    assert len(found["experience"]["byRole"]) >= 4
    assert found["logbook"]["totalCount"] > 50
    assert found["cpd"]["totalCount"] > 10
    assert found["learnings"]["totalCount"] > 50
    requests = found["feedbackRequests"]["nodes"]
    assert [request["partyName"] is not None for request in requests] == [True] * 4 + [False] * (len(requests) - 4)
    assert len(requests) > 4
    assert found["feedback"]["totalCount"] > 5
    assert not any(
        answer["question"] == "for_reviewer" for one in found["feedback"]["nodes"] for answer in one["answers"]
    )


async def test_the_reviewer_finds_five_mediators_and_feedback_of_every_kind(demo: Hub) -> None:
    answer = await demo.ask(
        """{ mediators(standing: REVIEWER) { nodes { name feedbackSummary { years { year count } }
        feedback(first: 100) { nodes { shared byInvitation capacity actedAs
        answers { question rating text } } } } } }""",
        by=await demo.sign_in("reviewer@demo.example", DEMO_PASSWORD),
    )
    mediators = answer.data["mediators"]["nodes"]
    assert {"Demo Mediator", "Demo Peer"} < {mediator["name"] for mediator in mediators}
    assert len(mediators) == 5
    pieces = [piece for mediator in mediators for piece in mediator["feedback"]["nodes"]]
    for field, values in {
        "shared": {True, False},
        "byInvitation": {True, False},
        "capacity": {"PARTY", "PARTY_ADVISER", "PROFESSIONAL", "OTHER"},
        "actedAs": {"MEDIATOR", "ADVOCATE"},
    }.items():
        assert {piece[field] for piece in pieces} == values
    answers = [answer for piece in pieces for answer in piece["answers"]]
    assert {answer["rating"] for answer in answers} >= {None, 2, 3, 4, 5}
    assert {answer["question"] for answer in answers if answer["text"]} == {
        "impressed",
        "could_be_better",
        "for_reviewer",
    }


async def test_the_peer_reviews_others_and_is_reviewed(demo: Hub) -> None:
    peer = await demo.sign_in("peer@demo.example", DEMO_PASSWORD)
    answer = await demo.ask(
        "{ me { mediator { reviewer { name } } } mediators(standing: REVIEWER) { nodes { name } } }", by=peer
    )
    assert answer.data["me"]["mediator"]["reviewer"] == {"name": "Demo Reviewer"}
    assert len(answer.data["mediators"]["nodes"]) == 2
    assert not await demo.rows(
        "SELECT FROM appointment a JOIN appointment b"
        " ON a.mediator_id = b.reviewer_id AND a.reviewer_id = b.mediator_id"
    )


async def test_the_administrator_finds_a_held_piece_of_feedback(demo: Hub) -> None:
    admin = await demo.sign_in("admin@demo.example", DEMO_PASSWORD)
    found = await demo.ask("{ heldFeedback { nodes { mediatorName answers { rating } } } }", by=admin)
    (piece,) = found.data["heldFeedback"]["nodes"]
    assert piece["mediatorName"] == "Demo Mediator"
    assert piece["answers"]


async def test_reviewers_are_confirmed_and_say_how_they_know_the_mediators(demo: Hub) -> None:
    assert not await demo.rows(
        "SELECT FROM appointment JOIN account ON account.id = reviewer_id"
        " WHERE in_force AND (reviewer_confirmed_at IS NULL OR accepted_at IS NULL OR relation IS NULL)"
    )
    relations = await demo.rows("SELECT DISTINCT relation FROM appointment WHERE in_force")
    assert {row["relation"] for row in relations} == {"NO_RELATION", "COLLEAGUE", "SAME_PROVIDER", "OTHER"}
    admin = await demo.sign_in("admin@demo.example", DEMO_PASSWORD)
    found = (await demo.ask("{ unconfirmedReviewers { nodes { name } } }", by=admin)).data["unconfirmedReviewers"]
    assert found["nodes"] == [{"name": "Demo Reviewer 3"}]


async def test_a_reviewer_is_asked_by_one_mediator_and_another_mediator_has_invited_somebody(demo: Hub) -> None:
    asked = "{ waitingAppointments { nodes { mediatorName missing } } }"
    answer = await demo.ask(asked, by=await demo.sign_in("reviewer2@demo.example", DEMO_PASSWORD))
    waiting = {"mediatorName": "Demo Mediator 11", "missing": ["ACCEPTANCE"]}
    assert answer.data["waitingAppointments"]["nodes"] == [waiting]
    fields = "mediator { reviewerInvitations { nodes { email } } }"
    found = (await me(demo, "mediator12", fields))["mediator"]["reviewerInvitations"]["nodes"]
    assert found == [{"email": "invited@demo.example"}]


async def test_some_givers_have_a_name_and_some_do_not(demo: Hub) -> None:
    origins = await demo.origins()
    named = [one for one in origins.values() if one.name]
    reachable = [one for one in origins.values() if one.email]
    assert 0 < len(reachable) < len(named) < len(origins)
    days = {row["id"]: row["received_on"] for row in await demo.rows("SELECT id, received_on FROM feedback")}
    assert days == {piece: origin.received_at.date() for piece, origin in origins.items()}
    assert max(origin.received_at for origin in origins.values()) < demo.database.now()


async def test_no_details_of_a_request_outlive_their_five_days(own_demo: Hub) -> None:
    assert not await own_demo.rows("SELECT FROM feedback_request_details WHERE made_at <= now() - interval '120 hours'")
    async with own_demo.later(hours=120) as later:
        await later.work()
        assert not await later.rows("SELECT FROM feedback_request_details")


async def test_the_printed_links_work(demo: Hub) -> None:
    (_, personal), (_, survey) = await links(demo.settings)
    answer = await demo.ask(
        """query($link: String!, $token: String!) { feedbackSubject(link: $link) { name reviewerName }
        feedbackInvitation(token: $token) { state subject { name } } }""",
        {"link": last_part(personal), "token": last_part(survey)},
    )
    assert answer.data == {
        "feedbackSubject": {"name": "Demo Mediator", "reviewerName": "Demo Reviewer"},
        "feedbackInvitation": {"state": "OPEN", "subject": {"name": "Demo Mediator"}},
    }


async def test_a_survey_that_was_answered_is_no_longer_printed(own_demo: Hub) -> None:
    _, (_, survey) = await links(own_demo.settings)
    await spend(own_demo, "made_at > now() - interval '1 hour'")
    assert survey not in [address for _, address in await links(own_demo.settings)]
    await spend(own_demo, "true")
    assert len(await links(own_demo.settings)) == 1


async def spend(demo: Hub, which: str) -> None:
    """Mark links as used."""
    for row in await demo.rows(f"SELECT secret_hash FROM feedback_request WHERE {which}"):
        mark = spent_marks(demo.settings, row["secret_hash"])[0]
        await demo.rows("INSERT INTO spent_link (mark) VALUES ($1) ON CONFLICT DO NOTHING", mark)


async def test_the_mail_for_the_newest_requests_is_sent(own_demo: Hub) -> None:
    assert await own_demo.work() == 4  # and the one for the invitation
    assert {row["state"] for row in await own_demo.rows("SELECT state FROM outbox")} == {"DONE"}


async def test_the_demo_mediator_has_certificates_that_say_they_are_none(demo: Hub) -> None:
    mediator = await demo.sign_in("mediator@demo.example", DEMO_PASSWORD)
    document = "{ me { mediator { cpd(first: 100) { nodes { hasCertificate files { id name mediaType bytes } } } } } }"
    nodes = (await demo.ask(document, by=mediator)).data["me"]["mediator"]["cpd"]["nodes"]
    files = [file for node in nodes for file in node["files"]]
    assert [node["hasCertificate"] for node in nodes if node["files"]] == [True, True]
    for file in files:
        content = (await get(demo, mediator, f"/cpd/files/{file['id']}")).content
        assert len(content) == file["bytes"]
        assert b"(DEMO CERTIFICATE)" in content
        assert (await read_content(content)).media_type == file["mediaType"]
