"""One entry by its id, and what there is to filter by: neither shows more than the list of the same entries."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.account import Role
from tests.hub import Hub, Person
from tests.world import put_cases, put_cpd, put_feedback, put_token, statements

LIST = {"logbookEntry": "logbook", "cpdEntry": "cpd", "feedbackPiece": "feedback"}
FIELDS = {
    "logbookEntry": "id role medium startedOn endedOn endedMonth minutes disputeKind country partyCount outcome "
    "simulated reference parties didWell foundChallenging notes version",
    "cpdEntry": "id kind format title provider startedOn endedOn minutes tags evidenceUrl supervisedCaseId takeaways "
    "version",
    "feedbackPiece": "id answers { question rating text } year receivedOn capacity actedAs shared byInvitation",
}
READERS = {"logbookEntry": "SDA", "cpdEntry": "SDA", "feedbackPiece": "SRA"}
PRIVATE = {
    "logbookEntry": "reference parties didWell foundChallenging notes version",
    "cpdEntry": "supervisedCaseId takeaways version",
    "feedbackPiece": "year receivedOn capacity actedAs shared byInvitation",
}
DAYS = " startedOn endedOn country partyCount outcome"
ABOUT = {"format": "LIVE", "tags": ["LAW"]}
CASE = {
    "dispute_kind": "NEIGHBOURS",
    "country": "Utopia",
    "party_count": 3,
    "reference": "case seven",
    "parties": "one and other",
    "did_well": "waited",
    "found_challenging": "waiting",
    "notes": "a note",
}


@dataclass
class World:
    """Two mediators with an entry of each kind, and somebody with each standing towards the first."""

    hub: Hub
    ann: Person
    people: dict[str, Person]
    ids: dict[str, UUID]
    others: dict[str, UUID]
    unshared: UUID


async def put_one_of_each(hub: Hub, mediator: Person) -> dict[str, UUID]:
    (case,) = await put_cases(hub, mediator, CASE)
    (course,) = await put_cpd(
        hub, mediator, {"takeaways": "listen more", "provider": "School"} | ABOUT | {"supervised_case_id": case}
    )
    piece = await put_feedback(hub, mediator, {"impressed": "so calm", "for_reviewer": "an aside"})
    return {"logbookEntry": case, "cpdEntry": course, "feedbackPiece": piece}


@pytest.fixture
async def world(hub: Hub) -> World:
    ann, bea, rob = await hub.mediator(), await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    people = {"S": ann, "R": rob, "D": await hub.person(Role.DIRECTORY), "A": await hub.person(Role.ADMIN)}
    ids, others = await put_one_of_each(hub, ann), await put_one_of_each(hub, bea)
    return World(hub, ann, people, ids, others, await put_feedback(hub, ann, {"impressed": "hidden"}, shared=False))


async def one(hub: Hub, field: str, mediator: Person, id: object, fields: str = "id", **who: Any) -> Any:
    document = f"query($of: ID!, $id: ID!) {{ mediator(id: $of) {{ id {field}(id: $id) {{ {fields} }} }} }}"
    return await hub.ask(document, {"of": str(mediator.id), "id": str(id)}, **who)


def readable(field: str, who: str) -> str:
    """The fields of an entry that somebody may ask for."""
    hidden = ""
    if (who == "S") == (field == "feedbackPiece"):
        hidden = PRIVATE[field] + (DAYS if (field, who) == ("logbookEntry", "D") else "")
    return " ".join(word for word in FIELDS[field].split() if word not in hidden.split())


@pytest.mark.parametrize("field", sorted(LIST))
@pytest.mark.parametrize("by_token", [False, True])
async def test_an_entry_by_its_id_is_the_one_in_the_list(world: World, field: str, by_token: bool) -> None:
    for who in READERS[field]:
        person = world.people[who]
        sender: dict[str, Any] = {"token": await put_token(world.hub, person)} if by_token else {"by": person}
        fields = readable(field, who)
        listed = await world.hub.ask(
            f"query($of: ID!) {{ mediator(id: $of) {{ list: {LIST[field]} {{ nodes {{ {fields} }} }} }} }}",
            {"of": str(world.ann.id)},
            **sender,
        )
        nodes = {node["id"]: node for node in listed.data["mediator"]["list"]["nodes"]}
        found = (await one(world.hub, field, world.ann, world.ids[field], fields, **sender)).data["mediator"][field]
        assert found == nodes[str(world.ids[field])], who
        assert len(found) == len(fields.replace("{ question rating text }", "").split())


@pytest.mark.parametrize("field", sorted(LIST))
async def test_an_entry_is_unknown_to_those_who_do_not_have_the_list(world: World, field: str) -> None:
    for who in ["", *set("SRDA") - set(READERS[field])]:
        answer = await one(world.hub, field, world.ann, world.ids[field], by=world.people.get(who))
        assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
        assert "data" not in answer.body


@pytest.mark.parametrize("field", sorted(LIST))
async def test_an_entry_that_the_list_does_not_show_looks_like_an_unknown_one(world: World, field: str) -> None:
    foreign = [world.others[field], *(world.ids[other] for other in LIST if other != field), "nothing", ""]
    for who in READERS[field]:
        never = await one(world.hub, field, world.ann, uuid4(), by=world.people[who])
        assert never.codes == ["NOT_FOUND"]
        assert never.body["data"] == {"mediator": {"id": str(world.ann.id), field: None}}
        unreadable = [*foreign, world.unshared] if (field, who) == ("feedbackPiece", "S") else foreign
        for other in unreadable:
            answer = await one(world.hub, field, world.ann, other, by=world.people[who])
            assert (answer.status, answer.body) == (never.status, never.body), (who, other)


async def test_the_reviewer_reads_an_unshared_or_unreleased_piece_and_the_mediator_does_not(world: World) -> None:
    unreleased = await put_feedback(world.hub, world.ann, released=False)
    for piece in (world.unshared, unreleased):
        for who in "RA":
            found = (await one(world.hub, "feedbackPiece", world.ann, piece, by=world.people[who])).data
            assert found["mediator"]["feedbackPiece"] == {"id": str(piece)}
        assert (await one(world.hub, "feedbackPiece", world.ann, piece, by=world.ann)).codes == ["NOT_FOUND"]


async def test_the_mediator_does_not_read_answers_that_are_only_for_the_reviewer(world: World) -> None:
    for who, keys in (("S", ["impressed"]), ("R", ["impressed", "for_reviewer"])):
        answer = await one(
            world.hub,
            "feedbackPiece",
            world.ann,
            world.ids["feedbackPiece"],
            "answers { question }",
            by=world.people[who],
        )
        told = answer.data["mediator"]["feedbackPiece"]["answers"]
        assert [answered["question"] for answered in told] == keys


async def test_somebody_with_several_roles_reads_what_their_standing_towards_an_entry_allows(world: World) -> None:
    hub = world.hub
    cyd = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY)
    own = await put_one_of_each(hub, cyd)
    dan = await hub.mediator()
    await hub.appointed(dan, cyd)
    await hub.rows("UPDATE mediator SET visibility = 'PRIVATE' WHERE id = $1", dan.id)
    reviewed = await put_one_of_each(hub, dan)
    for field, fields in FIELDS.items():
        mine = (await one(hub, field, cyd, own[field], fields, by=cyd)).data["mediator"][field]
        hidden = PRIVATE[field].split() if field == "feedbackPiece" else []
        assert {name for name, value in mine.items() if value is None} - {"evidenceUrl"} == set(hidden), field
    theirs = (await one(hub, "logbookEntry", world.ann, world.ids["logbookEntry"], FIELDS["logbookEntry"], by=cyd)).data
    nulls = {name for name, value in theirs["mediator"]["logbookEntry"].items() if value is None}
    assert nulls == {*PRIVATE["logbookEntry"].split(), *DAYS.split()}
    for field in ("logbookEntry", "cpdEntry"):  # only a reviewer towards dan: null, whether or not it exists
        for entry in (reviewed[field], uuid4()):
            assert (await one(hub, field, dan, entry, by=cyd)).data["mediator"] == {"id": str(dan.id), field: None}
    assert (await one(hub, "feedbackPiece", world.ann, world.ids["feedbackPiece"], by=cyd)).data["mediator"][
        "feedbackPiece"
    ] is None
    piece = (await one(hub, "feedbackPiece", dan, reviewed["feedbackPiece"], "shared", by=cyd)).data
    assert piece["mediator"]["feedbackPiece"] == {"shared": True}


async def test_many_single_entries_are_loaded_by_one_statement(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    mediators = [await hub.mediator() for _ in range(3)]
    ids = [(await put_cases(hub, mediator, {}))[0] for mediator in mediators]
    asked = " ".join(f'e{n}: logbookEntry(id: "{one}") {{ id }}' for n, one in enumerate(ids))
    async with statements(hub) as run:
        answer = await hub.ask(f"{{ mediators {{ nodes {{ id {asked} }} }} }}", by=admin)
    assert answer.codes == ["NOT_FOUND"] * 6  # each mediator has one of the three
    for node in answer.body["data"]["mediators"]["nodes"]:
        place = [str(mediator.id) for mediator in mediators].index(node["id"])
        assert [node[f"e{n}"] for n in range(3)] == [{"id": str(ids[n])} if n == place else None for n in range(3)]
    assert len([sql for sql in run if "FROM logbook_entry" in sql]) == 1


# What there is to filter by.

FACETS = """logbookFacets { years disputeKinds countries } cpdFacets { years } learningFacets { years }"""


def day(year: int) -> dict[str, Any]:
    return {"started_on": date(year - 1, 12, 31), "ended_on": date(year, 1, 1)}


async def facets_of(hub: Hub, mediator: Person, selection: str, by: Person) -> Any:
    document = f"query($id: ID!) {{ mediator(id: $id) {{ {selection} }} }}"
    return (await hub.ask(document, {"id": str(mediator.id)}, by=by)).data["mediator"]


async def test_facets_list_every_value_once_and_in_order(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    await put_cases(
        hub,
        ann,
        day(2021) | {"dispute_kind": "NEIGHBOURS", "country": "Utopia", "did_well": "waited"},
        day(2023) | {"dispute_kind": "FAMILY", "country": "atlantis"},
        day(2023) | {"dispute_kind": "FAMILY", "country": "Utopia"},
        day(1999) | {"simulated": True, "dispute_kind": "SPORT"},
        day(2022),
    )
    await put_cpd(hub, ann, day(2020) | {"takeaways": "wait"}, day(2024))
    await put_cases(hub, bea, day(1960) | {"dispute_kind": "ENERGY", "country": "Bea's", "notes": "x"})
    assert await facets_of(hub, ann, FACETS, ann) == {
        "logbookFacets": {
            "years": [2023, 2022, 2021, 1999],
            "disputeKinds": ["FAMILY", "NEIGHBOURS", "SPORT"],
            "countries": ["atlantis", "Utopia"],
        },
        "cpdFacets": {"years": [2024, 2020]},
        "learningFacets": {"years": [2021, 2020]},
    }


async def test_filtering_by_a_facet_finds_its_entries(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(
        hub, ann, *(day(2000 + n % 4) | {"dispute_kind": ("ENERGY", "SPORT", "OTHER")[n % 3]} for n in range(12))
    )
    found = (await facets_of(hub, ann, FACETS, ann))["logbookFacets"]
    for name, values, each in (("year", found["years"], 3), ("disputeKind", found["disputeKinds"], 4)):
        for value in values:
            page = await facets_of(hub, ann, f"logbook(filter: {{ {name}: {value} }}) {{ totalCount }}", ann)
            assert page["logbook"]["totalCount"] == each


async def test_empty_lists_have_no_facets(hub: Hub) -> None:
    ann = await hub.mediator()
    assert await facets_of(hub, ann, FACETS, ann) == {
        "logbookFacets": {"years": [], "disputeKinds": [], "countries": []},
        "cpdFacets": {"years": []},
        "learningFacets": {"years": []},
    }


async def test_facets_list_at_most_200_words(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, *({"country": f"C{n:03}"} for n in range(203)))
    found = (await facets_of(hub, ann, FACETS, ann))["logbookFacets"]
    assert found["countries"] == [f"C{n:03}" for n in range(200)]


@pytest.mark.parametrize("who", ["", "S", "R", "D", "A"])
async def test_facets_are_read_only_by_those_who_read_the_entries(world: World, who: str) -> None:
    readers = [
        ("logbookFacets { years }", "SDA"),
        ("logbookFacets { disputeKinds }", "SDA"),
        ("logbookFacets { countries }", "SA"),
        ("cpdFacets { years }", "SDA"),
        ("learningFacets { years }", "S"),
    ]
    document = "query($id: ID!) {{ mediator(id: $id) {{ {} }} }}"
    for selection, letters in readers:
        answer = await world.hub.ask(document.format(selection), {"id": str(world.ann.id)}, by=world.people.get(who))
        if who and who in letters:
            ((found,),) = (facet.values() for facet in answer.data["mediator"].values())
            assert len(found) == 1, selection
        else:
            assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}, selection


async def test_somebody_with_several_roles_sees_countries_only_where_they_may_read_them(hub: Hub) -> None:
    cyd = await hub.person(Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY)
    ann, dan = await hub.mediator(), await hub.mediator()
    await hub.appointed(dan, cyd)
    await hub.rows("UPDATE mediator SET visibility = 'PRIVATE' WHERE id = $1", dan.id)
    for mediator in (cyd, ann, dan):
        await put_cases(hub, mediator, CASE | {"did_well": "waited"})
    selection = "logbookFacets { disputeKinds countries } learningFacets { years }"
    own = await facets_of(hub, cyd, selection, cyd)
    assert own == {
        "logbookFacets": {"disputeKinds": ["NEIGHBOURS"], "countries": ["Utopia"]},
        "learningFacets": {"years": [2024]},
    }
    theirs = await facets_of(hub, ann, selection, cyd)
    assert theirs == {"logbookFacets": {"disputeKinds": ["NEIGHBOURS"], "countries": None}, "learningFacets": None}
    assert await facets_of(hub, dan, selection, cyd) == {"logbookFacets": None, "learningFacets": None}
