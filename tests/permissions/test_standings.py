"""The second fence: what somebody with several roles reads in a row depends on their standing towards its mediator."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from models.account import Role
from models.mediator import Visibility
from tests.hub import Hub, Person
from tests.permissions.expected import ROLES
from tests.world import put_cases, put_cpd, put_feedback

# Fields of a mediator and who reads them, by letter; every mediator of the world below has a value in each.
FIELDS: list[tuple[str, str]] = [
    ("name", "SRDA"),
    ("visibility", "SA"),
    ("email", "SA"),
    ("reviewer { id }", "SA"),
    ("feedbackLink", "S"),
    ("experience { minutes }", "SDA"),
    ("logbook { nodes { endedMonth } }", "SDA"),
    ("logbook { nodes { endedOn } }", "SA"),
    ("logbook { nodes { startedOn } }", "SA"),
    ("logbook { nodes { country } }", "SA"),
    ("logbook { nodes { partyCount } }", "SA"),
    ("logbook { nodes { outcome } }", "SA"),
    ("logbook { nodes { reference } }", "S"),
    ("logbook { nodes { parties } }", "S"),
    ("logbook { nodes { didWell } }", "S"),
    ("logbook { nodes { foundChallenging } }", "S"),
    ("logbook { nodes { notes } }", "S"),
    ("logbook { nodes { version } }", "S"),
    ("cpd { nodes { title } }", "SDA"),
    ("cpd { nodes { takeaways } }", "S"),
    ("cpd { nodes { version } }", "S"),
    ("learnings { nodes { text } }", "S"),
    ("feedbackRequests { nodes { madeOn } }", "S"),
    ("feedback { nodes { id } }", "SRA"),
    ("feedback { nodes { answers { text } } }", "SRA"),
    ("feedback { nodes { year } }", "RA"),
    ("feedback { nodes { receivedOn } }", "RA"),
    ("feedback { nodes { capacity } }", "RA"),
    ("feedback { nodes { actedAs } }", "RA"),
    ("feedback { nodes { shared } }", "RA"),
    ("feedback { nodes { byInvitation } }", "RA"),
    ('feedback(first: 1) { nodes { origin(reason: "Ticket 1234") { email } } }', "A"),
    ("feedbackSummary { years { count } }", "RA"),
]
MORE_THAN_ONE = ["SR", "SD", "SA", "RD", "RA", "DA", "SRD", "SRA", "SDA", "SRDA"]

PRIVATE = {
    "country": "Utopia",
    "party_count": 3,
    "reference": "case seven",
    "parties": "one and other",
    "did_well": "waited",
    "found_challenging": "waiting",
    "notes": "a note",
}
AT = datetime(2023, 6, 7, 8, 9, tzinfo=UTC)


async def put_into_every_list(hub: Hub, mediator: Person) -> None:
    """Put something into every list of a mediator, with one shared piece of feedback and one that isn't shared."""
    await put_cases(hub, mediator, PRIVATE)
    await put_cpd(hub, mediator, {"takeaways": "listen more"})
    await put_feedback(hub, mediator, {"impressed": "so calm"}, email="gil@demo.example", received_at=AT)
    await put_feedback(hub, mediator, {"impressed": "unshared"}, shared=False, email="hal@demo.example", received_at=AT)
    await hub.rows(
        "INSERT INTO feedback_request (mediator_id, mediation_ended_on, secret_hash) VALUES ($1, '2024-01-01', $2)",
        mediator.id,
        mediator.id.bytes * 2,
    )


@dataclass
class World:
    """Somebody with several roles, and mediators towards whom they have different standings, as letters."""

    hub: Hub
    viewer: Person
    mediators: dict[str, tuple[Person, str]]


async def world_of(hub: Hub, who: str) -> World:
    viewer = await hub.person(*(ROLES[letter] for letter in who), name="Viv Viewer")
    other_reviewer = await hub.person(Role.REVIEWER)
    private = Visibility.PRIVATE
    mediators: dict[str, tuple[Person, str]] = {
        "visible, appointed me": (await hub.mediator(), "RDA"),
        "visible": (await hub.mediator(), "DA"),
        "private, appointed me": (await hub.mediator(visibility=private), "RA"),
        "private": (await hub.mediator(visibility=private), "A"),
    }
    if "S" in who:
        mediators["me"] = (viewer, "S")
    for kind, (mediator, _) in mediators.items():
        await put_into_every_list(hub, mediator)
        await hub.appointed(mediator, viewer if "appointed me" in kind else other_reviewer)
    return World(hub, viewer, mediators)


def first_leaf(value: Any) -> object:
    while isinstance(value, dict | list):
        value = next(iter(value.values() if isinstance(value, dict) else value), None)
    return value


@pytest.mark.parametrize("who", MORE_THAN_ONE)
async def test_standings_add_up_towards_others_but_only_self_counts_towards_oneself(hub: Hub, who: str) -> None:
    world = await world_of(hub, who)
    in_schema = [(field, readers) for field, readers in FIELDS if set(readers) & set(who)]
    selection = " ".join(f"f{place}: {field}" for place, (field, _) in enumerate(in_schema))
    for kind, (mediator, towards) in world.mediators.items():
        standing = set(towards) & set(who)
        answer = await hub.ask_about(mediator, selection, by=world.viewer)
        if not standing:
            assert answer.codes == ["NOT_FOUND"], kind
            continue
        values = list(answer.data["mediator"].values())  # no errors either: what may not be read is null
        for (field, readers), value in zip(in_schema, values, strict=True):
            may_read = bool(standing & set(readers))
            assert (first_leaf(value) is not None) == may_read, (kind, field, value)


@pytest.mark.parametrize("who", ["SR", "SA", "SRDA"])
async def test_nobody_reads_more_about_themselves_than_a_mediator_may(hub: Hub, who: str) -> None:
    world = await world_of(hub, who)
    me = world.viewer
    fields = "totalCount edges { cursor } nodes { id answers { text } shared receivedOn year }"
    for origin in ("", *(['origin(reason: "Ticket 1234") { email }'] if "A" in who else [])):
        document = f"""{{ me {{ mediator {{
            feedback(first: 10) {{ {fields} nodes {{ id {origin} }} }}
            feedbackSummary {{ years {{ year }} }} }} }} }}"""
        mine = (await hub.ask(document, by=me)).data["me"]["mediator"]
        assert mine["feedbackSummary"] is None
        assert mine["feedback"]["totalCount"] == 1
        (piece,) = mine["feedback"]["nodes"]
        assert piece["answers"] == [{"text": "so calm"}]
        assert [piece[name] for name in ("shared", "receivedOn", "year")] == [None] * 3
        assert piece.get("origin") is None
    assert await hub.rows("SELECT 1 FROM audit_entry") == []
    listed = await hub.ask("{ mediators(first: 100) { nodes { id feedback { totalCount } } } }", by=me)
    assert {"id": str(me.id), "feedback": {"totalCount": 1}} in listed.data["mediators"]["nodes"]
    for standing in who.replace("S", ""):
        by_role = await hub.ask(
            f"{{ mediators(standing: {_standing(standing)}) {{ totalCount nodes {{ id }} }} }}", by=me
        )
        assert str(me.id) not in str(by_role.data)


def _standing(letter: str) -> str:
    return {"S": "SELF", "R": "REVIEWER", "D": "DIRECTORY", "A": "ADMIN"}[letter]


async def test_filtering_and_sorting_feedback_about_oneself_gives_nothing_away(hub: Hub) -> None:
    me = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.ADMIN)
    await put_feedback(hub, me, received_at=datetime(2022, 2, 2, tzinfo=UTC))
    await put_feedback(hub, me, received_at=AT, by_invitation=False, capacity="OTHER", acted_as="ADVOCATE")
    for condition in (
        "shared: true",
        "shared: false",
        "year: 2022",
        "year: 2023",
        "year: 1999",
        "capacity: PARTY",
        "actedAs: ADVOCATE",
        "byInvitation: true",
    ):
        document = f"{{ me {{ mediator {{ feedback(filter: {{ {condition} }}) {{ totalCount nodes {{ id }} }} }} }} }}"
        found = (await hub.ask(document, by=me)).data["me"]["mediator"]["feedback"]
        assert found == {"totalCount": 0, "nodes": []}, condition
    for direction in ("ASC", "DESC"):
        document = f"""{{ me {{ mediator {{ feedback(orderBy: {{ field: RECEIVED_ON, direction: {direction} }}) {{
            nodes {{ id }} edges {{ cursor }} }} }} }} }}"""
        found = (await hub.ask(document, by=me)).data["me"]["mediator"]["feedback"]
        ids = [UUID(node["id"]) for node in found["nodes"]]
        assert ids == sorted(ids, reverse=direction == "DESC")


CASES: list[dict[str, Any]] = [
    {
        "started_on": date(2024, 5, 1 + number),
        "ended_on": date(2024, 5, 20 - number),
        "country": country,
        "party_count": number,
        "outcome": outcome,
        "reference": f"ref {number}",
        "parties": f"parties {9 - number}",
        "notes": f"whispered {number}",
        "dispute_kind": "NEIGHBOURS",
    }
    for number, (country, outcome) in enumerate(
        zip(
            ("Utopia", "Atlantis", "Utopia", None, "Eldorado"),
            ("SETTLED", "ONGOING", "NOT_KNOWN", "SETTLED", "SETTLED"),
            strict=True,
        )
    )
]
UNREADABLE = ["STARTED_ON", "ENDED_ON", "COUNTRY", "PARTY_COUNT", "OUTCOME", "REFERENCE", "PARTIES"]
LOGBOOK = """query($id: ID!) {{ mediator(id: $id) {{
    logbook{arguments} {{ totalCount nodes {{ id }} edges {{ cursor }} }} }} }}"""


async def listed(hub: Hub, viewer: Person, mediator: Person, arguments: str) -> Any:
    answer = await hub.ask(LOGBOOK.format(arguments=arguments), {"id": str(mediator.id)}, by=viewer)
    return answer.data["mediator"]["logbook"]


async def test_sorting_by_an_unreadable_column_sorts_only_by_id(hub: Hub) -> None:
    viewer = await hub.person(Role.MEDIATOR, Role.DIRECTORY)
    ann = await hub.mediator()
    ids = await put_cases(hub, ann, *CASES)
    for field in UNREADABLE:
        for direction, backwards in (("ASC", False), ("DESC", True)):
            order = f"(orderBy: {{ field: {field}, direction: {direction} }})"
            found = await listed(hub, viewer, ann, order)
            assert [UUID(node["id"]) for node in found["nodes"]] == sorted(ids, reverse=backwards), field
            own_cursor = await listed(hub, viewer, viewer, order)
            assert own_cursor["nodes"] == []
            for edge, node in zip(found["edges"], found["nodes"], strict=True):
                assert orjson.loads(urlsafe_b64decode(edge["cursor"])) == ["id", None, node["id"]]


async def test_a_made_up_cursor_over_an_unreadable_column_is_refused(hub: Hub) -> None:
    viewer = await hub.person(Role.MEDIATOR, Role.DIRECTORY)
    ann = await hub.mediator()
    (only, *_) = await put_cases(hub, ann, *CASES)
    for field, value in (("country", "N"), ("outcome", "O"), ("started_on", "2024-05-03"), ("reference", "ref 2")):
        cursor = urlsafe_b64encode(orjson.dumps([field, value, str(only)])).decode()
        for arguments in (f'(after: "{cursor}")', f'(after: "{cursor}", orderBy: {{ field: {field.upper()} }})'):
            answer = await hub.ask(LOGBOOK.format(arguments=arguments), {"id": str(ann.id)}, by=viewer)
            assert answer.codes == ["BAD_USER_INPUT"]


FOUND = [
    ('country: "Utopia"', 0),
    ('country: "Nowhere"', 0),
    ("outcome: SETTLED", 0),
    ("outcome: PARTLY_SETTLED", 0),
    ('text: "whispered"', 0),
    ('text: "Utopia"', 0),
    ('text: "ref"', 0),
    ('text: "parties"', 0),
    ('text: "neighbours"', 5),
    ('text: "neighbours", country: "Utopia"', 0),
    ("disputeKind: NEIGHBOURS", 5),
    ("year: 2024", 5),
    ("role: OBSERVER", 0),
]


async def test_filters_and_searches_look_only_at_what_the_viewer_may_read(hub: Hub) -> None:
    viewer = await hub.person(Role.MEDIATOR, Role.DIRECTORY)
    ann = await hub.mediator()
    await put_cases(hub, ann, *CASES)
    for condition, found in FOUND:
        page = await listed(hub, viewer, ann, f"(filter: {{ {condition} }})")
        assert (page["totalCount"], len(page["nodes"])) == (found, found), condition


async def test_the_same_filters_find_everything_in_ones_own_logbook(hub: Hub) -> None:
    viewer = await hub.person(Role.MEDIATOR, Role.DIRECTORY)
    await put_cases(hub, viewer, *CASES)
    for condition, found in (('country: "Utopia"', 2), ("outcome: SETTLED", 3), ('text: "WHISPERED"', 5)):
        page = await listed(hub, viewer, viewer, f"(filter: {{ {condition} }})")
        assert (page["totalCount"], len(page["nodes"])) == (found, found)


async def test_a_search_looks_only_at_columns_that_the_viewer_may_read(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, *CASES)
    for viewer, found in (
        (await hub.person(Role.ADMIN), [0, 0, 2, 5]),
        (await hub.person(Role.DIRECTORY), [0, 0, 0, 5]),
    ):
        words = ("whispered", "ref", "utopia", "neighbours")
        pages = [await listed(hub, viewer, ann, f'(filter: {{ text: "{word}" }})') for word in words]
        assert [page["totalCount"] for page in pages] == found


async def test_only_their_owner_can_search_takeaways(hub: Hub) -> None:
    viewer = await hub.person(Role.MEDIATOR, Role.DIRECTORY, Role.ADMIN)
    ann = await hub.mediator()
    await put_cpd(hub, ann, {"title": "Listening", "takeaways": "breathe"})
    document = """query($id: ID!) { mediator(id: $id) {
        hidden: cpd(filter: { text: "breathe" }) { totalCount }
        shown: cpd(filter: { text: "listen" }) { totalCount } } }"""
    theirs = (await hub.ask(document, {"id": str(ann.id)}, by=viewer)).data["mediator"]
    assert theirs == {"hidden": {"totalCount": 0}, "shown": {"totalCount": 1}}
    own = (await hub.ask(document, {"id": str(ann.id)}, by=ann)).data["mediator"]
    assert own == {"hidden": {"totalCount": 1}, "shown": {"totalCount": 1}}


async def test_sorting_by_month_tells_a_directory_nothing_about_days(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    ann = await hub.mediator()
    days = [date(2024, 5, day) for day in (3, 28, 14, 9, 22)] + [date(2024, 4, 30), date(2024, 6, 1)]
    ids = await put_cases(hub, ann, *({"started_on": day, "ended_on": day} for day in days))
    may = sorted(ids[:5])
    june, april = ids[6], ids[5]
    for arguments, order in (
        ("", [june, *reversed(may), april]),
        ("(orderBy: { field: ENDED_MONTH, direction: DESC })", [june, *reversed(may), april]),
        ("(orderBy: { field: ENDED_MONTH })", [april, *may, june]),
    ):
        page = await listed(hub, directory, ann, arguments)
        assert [UUID(node["id"]) for node in page["nodes"]] == order
        values = {orjson.loads(urlsafe_b64decode(edge["cursor"]))[1] for edge in page["edges"]}
        assert values == {"2024-04-01", "2024-05-01", "2024-06-01"}
    for day in ("2024-05-09", "2024-05-15"):  # a made-up cursor within the month doesn't split it
        cursor = urlsafe_b64encode(orjson.dumps(["ended_month", day, str(UUID(int=0))])).decode()
        page = await listed(hub, directory, ann, f'(after: "{cursor}", orderBy: {{ field: ENDED_MONTH }})')
        assert [UUID(node["id"]) for node in page["nodes"]] == [june]
