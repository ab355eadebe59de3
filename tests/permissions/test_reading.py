"""Every role asks the API for every private field: its readers get it, and for anybody else it doesn't exist."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from models.account import Role
from tests.hub import Answer, Hub, Person, payload
from tests.permissions.expected import NAME, ROLES, lacking, named
from tests.world import put_cases, put_cpd, put_feedback, put_token

# Who reads a field of a mediator, and what they read in the world below.
FIELDS: list[tuple[str, str, object]] = [
    ("name", "SRDA", "Ann Subject"),
    ("about", "SRDA", "I listen"),
    ("profileUrl", "SRDA", "https://demo.example/ann"),
    ("visibility", "SA", "DIRECTORIES"),
    ("email", "SA", "ann@demo.example"),
    ("reviewer { name }", "SA", "Rob Reader"),
    ("experience { minutes }", "SDA", 90),
    ("experience { byYear { year } }", "SDA", 2024),
    ("experience { byRole { minutes } }", "SDA", 90),
    ("logbook { nodes { role } }", "SDA", "LEAD_MEDIATOR"),
    ("logbook { nodes { medium } }", "SDA", "ONLINE"),
    ("logbook { nodes { endedMonth } }", "SDA", "2024-05"),
    ("logbook { nodes { minutes } }", "SDA", 90),
    ("logbook { nodes { disputeKind } }", "SDA", "NEIGHBOURS"),
    ("logbook { nodes { simulated } }", "SDA", False),
    ("logbook { nodes { startedOn } }", "SA", "2024-05-06"),
    ("logbook { nodes { endedOn } }", "SA", "2024-05-07"),
    ("logbook { nodes { country } }", "SA", "Utopia"),
    ("logbook { nodes { partyCount } }", "SA", 3),
    ("logbook { nodes { outcome } }", "SA", "SETTLED"),
    ("logbook { nodes { reference } }", "S", "case seven"),
    ("logbook { nodes { parties } }", "S", "one and other"),
    ("logbook { nodes { didWell } }", "S", "waited"),
    ("logbook { nodes { foundChallenging } }", "S", "waiting"),
    ("logbook { nodes { notes } }", "S", "a note"),
    ("logbook { nodes { version } }", "S", 1),
    ("cpd { nodes { title } }", "SDA", "Listening"),
    ("cpd { nodes { endedOn } }", "SDA", "2024-05-07"),
    ("cpd { nodes { evidenceUrl } }", "SDA", "https://demo.example/paper"),
    ("cpd { nodes { takeaways } }", "S", "listen more"),
    ("learnings(orderBy: { field: KIND }) { nodes { text } }", "S", "waited"),
    ("feedbackRequests { nodes { partyName } }", "S", "Pat Party"),
    ("feedbackRequests { nodes { partyEmail } }", "S", "pat@demo.example"),
    ("feedbackRequests { nodes { reference } }", "S", "my reference"),
    ("feedback { nodes { answers { text } } }", "SRA", "so calm"),
    ("feedback { nodes { year } }", "RA", 2023),
    ("feedback { nodes { receivedOn } }", "RA", "2023-06-07"),
    ("feedback { nodes { capacity } }", "RA", "PARTY"),
    ("feedback { nodes { actedAs } }", "RA", "MEDIATOR"),
    ("feedback { nodes { shared } }", "RA", True),
    ("feedback { nodes { byInvitation } }", "RA", True),
    ("feedbackSummary { years { count } }", "RA", 1),
    ('feedback(first: 10) { nodes { origin(reason: "Ticket 1234") { name } } }', "A", "Gil Giver"),
    ('feedback(first: 10) { nodes { origin(reason: "Ticket 1234") { email } } }', "A", "gil@demo.example"),
    (
        'feedback(first: 10) { nodes { origin(reason: "Ticket 1234") { receivedAt } } }',
        "A",
        "2023-06-07T08:09:00+00:00",
    ),
]
LINK = "feedbackLink"


@dataclass
class World:
    """One mediator with something in every field, and somebody with each standing towards her."""

    hub: Hub
    ann: Person
    people: dict[str, Person]


@pytest.fixture
async def world(hub: Hub) -> World:
    ann = await hub.mediator(name="Ann Subject", email="ann@demo.example")
    rob = await hub.person(Role.REVIEWER, name="Rob Reader")
    await hub.appointed(ann, rob)
    people = {"S": ann, "R": rob, "D": await hub.person(Role.DIRECTORY), "A": await hub.person(Role.ADMIN)}
    payload(await hub.change("updateProfile", {"about": "I listen", "profileUrl": "https://demo.example/ann"}, by=ann))
    await put_cases(
        hub,
        ann,
        {
            "dispute_kind": "NEIGHBOURS",
            "country": "Utopia",
            "party_count": 3,
            "reference": "case seven",
            "parties": "one and other",
            "did_well": "waited",
            "found_challenging": "waiting",
            "notes": "a note",
        },
    )
    await put_cpd(hub, ann, {"takeaways": "listen more", "evidence_url": "https://demo.example/paper"})
    asked = {"partyName": "Pat Party", "partyEmail": "pat@demo.example", "reference": "my reference"}
    payload(
        await hub.change("requestFeedback", asked | {"mediationEndedOn": "2024-01-02", "partyAgreed": True}, by=ann)
    )
    at = datetime(2023, 6, 7, 8, 9, tzinfo=UTC)
    await put_feedback(hub, ann, {"impressed": "so calm"}, name="Gil Giver", email="gil@demo.example", received_at=at)
    return World(hub, ann, people)


def first_leaf(value: Any) -> object:
    """The first value inside, or None if something on the way is null or empty."""
    while isinstance(value, dict | list):
        value = next(iter(value.values() if isinstance(value, dict) else value), None)
    return value


def assert_unknown(answer: Answer, asked: str, who: str, *, by_token: bool = False) -> None:
    """Nothing came back, and the error names only what was asked for and what the asker has."""
    assert answer.codes
    assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}, (who, asked, answer.body)
    assert "data" not in answer.body
    told = {name for error in answer.body["errors"] for name in named(error["message"])}
    assert told & lacking(who, by_token=by_token) <= set(NAME.findall(asked)), (who, asked, answer.body)
    assert "Did you mean" not in str(answer.body)


@pytest.mark.parametrize("who", ["S", "R", "D", "A"])
async def test_each_private_field_is_read_by_its_readers_and_unknown_to_others(world: World, who: str) -> None:
    for field, readers, value in FIELDS:
        answer = await world.hub.ask_about(world.ann, field, by=world.people[who])
        if who in readers:
            assert first_leaf(answer.data) == value, field
        else:
            assert_unknown(answer, "mediator " + field, who)


@pytest.mark.parametrize("who", ["S", "R", "D", "A"])
async def test_an_api_token_reads_what_its_owner_reads_but_no_origins(world: World, who: str) -> None:
    token = await put_token(world.hub, world.people[who])
    for field, readers, value in FIELDS:
        answer = await world.hub.ask_about(world.ann, field, token=token)
        if who in readers and "origin" not in field:
            assert first_leaf(answer.data) == value, field
        else:
            assert_unknown(answer, "mediator " + field, who, by_token=True)


async def test_somebody_signed_out_reads_nothing_about_a_mediator(world: World) -> None:
    for field, _, _ in FIELDS:
        assert_unknown(await world.hub.ask_about(world.ann, field), f"mediator {field}", "")
    assert_unknown(await world.hub.ask("{ me { id } }"), "me", "")


async def test_only_the_mediator_reads_her_personal_link(world: World) -> None:
    assert "/give/" in str(first_leaf((await world.hub.ask_about(world.ann, LINK, by=world.ann)).data))
    for who in "RDA":
        assert_unknown(await world.hub.ask_about(world.ann, LINK, by=world.people[who]), LINK, who)


MISSPELT = [
    "{ survey }",
    "{ mee { id } }",
    "{ mediater(id: 1) { id } }",
    "{ __typename(fist: 1) }",
    "{ feedbackSubjects(serch: 1) { id } }",
    "{ mediators(standing: REVIEWR) { totalCount } }",
    "{ mediators(standing: SELV) { totalCount } }",
    "{ mediators { nodes { feedbak { totalCount } logbok { totalCount } feedbackSumary { years { year } } } } }",
    "{ mediators { nodes { logbook(filter: { contry: 1, outcom: 1 }) { totalCount } } } }",
    "{ mediators { nodes { logbook(orderBy: { field: OUTCOM }) { totalCount } } } }",
    "{ mediators { nodes { logbook(orderBy: { field: REFERENC }) { nodes { referenc outcom } } } } }",
    "{ mediators { nodes { feedback(filtr: {}) { nodes { orign { emal } } } } } }",
    "{ mediators { nodes { feedback(filter: { shard: true }) { totalCount } } } }",
    "{ mediators { nodes { cpd { nodes { takeaway } } } } }",
    "mutation { setRole(input: {}) { account { id } } }",
    "mutation { deleteAcount(input: {}) { deletedId } }",
    """mutation { signIn(input: { email: "a", password: "b", emal: 1 }) { signedIn } }""",
    "fragment F on FeedbackOrign { emal } { ...F }",
    "fragment F on LogbookEntr { id } { ...F }",
    "query($x: SetRoleInput) { __typename }",
    "query($x: LogbookFiltr) { __typename }",
    '{ __type(name: "FeedbackOrigin") { fields { name } } }',
]


@pytest.mark.parametrize("who", ["", "S", "R", "D", "A"])
async def test_a_misspelt_name_gets_no_hint_of_what_it_nearly_was(hub: Hub, who: str) -> None:
    by = await hub.person(ROLES[who]) if who else None
    for document in MISSPELT:
        answer = await hub.ask(document, by=by)
        if who and "__type(" in document:
            assert (answer.data["__type"] is None) == (who != "A")
        else:
            assert_unknown(answer, document, who)


MISSPELT_VALUES: list[tuple[str, str, object]] = [
    ("LogbookFilter", "SDA", {"contry": "x"}),
    ("LogbookFilter", "SDA", {"outcom": "SETTLED"}),
    ("LogbookFilter", "D", {"outcome": "SETTLED"}),
    ("LogbookFilter", "SDA", {"role": "LEAD"}),
    ("LogbookOrder", "SDA", {"field": "OUTCOM"}),
    ("LogbookOrder", "DA", {"field": "REFERENCE"}),
    ("Standing", "SRDA", "REVIEWR"),
    ("Standing", "SDA", "REVIEWER"),
    ("FeedbackFilter", "RA", {"shard": True}),
]


@pytest.mark.parametrize("who", ["S", "R", "D", "A"])
async def test_a_misspelt_name_in_a_variable_gets_no_hint_either(hub: Hub, who: str) -> None:
    person = await hub.person(ROLES[who])
    places = {
        "LogbookFilter": "{ nodes { logbook(filter: $x) { totalCount } } }",
        "LogbookOrder": "{ nodes { logbook(orderBy: $x) { totalCount } } }",
        "FeedbackFilter": "{ nodes { feedback(filter: $x) { totalCount } } }",
    }
    for type_name, whose, value in MISSPELT_VALUES:
        if who not in whose:
            continue
        if type_name == "Standing":
            document = "query($x: Standing) { mediators(standing: $x) { totalCount } }"
        else:
            document = f"query($x: {type_name}) {{ mediators {places[type_name]} }}"
        answer = await hub.ask(document, {"x": value}, by=person)
        assert answer.codes == ["BAD_USER_INPUT"], (type_name, value, answer.body)
        (message,) = (error["message"] for error in answer.body["errors"])
        assert "Did you mean" not in message
        assert named(message) & lacking(who) <= set(NAME.findall(str(value))), message
