"""Who reads what of feedback: mediators not who gave it or when, reviewers every piece, administrators origins too."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta
from statistics import fmean, pstdev
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql

from models.account import Role
from models.feedback import feedback
from permissions.scopes import readable_feedback
from permissions.viewer import Standing
from schema.build import projection
from tests.hub import Hub, Person, payload
from tests.schema.samples import everything
from tests.world import put_feedback

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has no types for it
WHOLE_OWN_VIEW = "{ me %s }" % everything(projection(Standing.SELF | Standing.PUBLIC).type_map["OwnAccount"])  # type: ignore[arg-type]  # noqa: UP031 - braces
GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "preparation", "rating": 2}]}


async def own_feedback(hub: Hub, mediator: Person, fields: str = "nodes { id }", arguments: str = "") -> Any:
    answer = await hub.ask(f"{{ me {{ mediator {{ feedback{arguments} {{ {fields} }} }} }} }}", by=mediator)
    return answer.data["me"]["mediator"]["feedback"]


async def seen_by(hub: Hub, viewer: Person, about: Person, fields: str) -> Any:
    document = f"query($id: ID!) {{ mediator(id: $id) {{ {fields} }} }}"
    return (await hub.ask(document, {"id": str(about.id)}, by=viewer)).data["mediator"]


async def test_a_mediator_reads_feedback_sorted_by_random_ids(hub: Hub) -> None:
    ann = await hub.mediator()
    first_day = datetime(2020, 1, 1, tzinfo=UTC)
    ids = [await put_feedback(hub, ann, received_at=first_day + timedelta(days=90 * n)) for n in range(12)]
    assert {one.version for one in ids} == {4}
    listed = [UUID(node["id"]) for node in (await own_feedback(hub, ann))["nodes"]]
    assert listed == sorted(ids, reverse=True)
    backwards = await own_feedback(hub, ann, arguments="(last: 5)")
    assert [UUID(node["id"]) for node in backwards["nodes"]] == sorted(ids)[:5][::-1]


async def test_a_mediators_cursors_hold_an_id_and_nothing_else(hub: Hub) -> None:
    ann = await hub.mediator()
    for _ in range(3):
        await put_feedback(hub, ann)
    page = await own_feedback(hub, ann, "edges { cursor node { id } } pageInfo { startCursor endCursor }")
    for edge in page["edges"]:
        assert orjson.loads(urlsafe_b64decode(edge["cursor"])) == ["id", None, edge["node"]["id"]]
    assert page["pageInfo"] == {
        "startCursor": page["edges"][0]["cursor"],
        "endCursor": page["edges"][-1]["cursor"],
    }


async def test_unshared_or_unreleased_feedback_changes_nothing_that_a_mediator_sees(hub: Hub) -> None:
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    asked = {"partyName": "Pat Party", "partyEmail": "pat@demo.example", "partyAgreed": True}
    payload(await hub.change("requestFeedback", asked | {"mediationEndedOn": "2024-01-02"}, by=ann))
    await hub.work()
    token = hub.secret("pat@demo.example", "feedback")
    link = (await hub.ask("{ me { mediator { feedbackLink } } }", by=ann)).data["me"]["mediator"]["feedbackLink"]
    before = (await hub.ask(WHOLE_OWN_VIEW, by=ann)).data
    for chosen in ({"token": token}, {"link": link.rsplit("/", 1)[-1]}, {"mediatorId": str(ann.id)}):
        payload(await hub.change("giveFeedback", GIVEN | chosen | {"share": False, "name": "Gil"}))
    await hub.work()
    await put_feedback(hub, ann, shared=True, released=False)
    assert (await hub.ask(WHOLE_OWN_VIEW, by=ann)).data == before
    count = await seen_by(hub, rob, ann, "feedback { totalCount }")
    assert count == {"feedback": {"totalCount": 4}}


async def test_shared_feedback_reaches_the_mediator_only_once_it_is_released(hub: Hub) -> None:
    ann = await hub.mediator()
    waiting = await put_feedback(hub, ann, shared=True, released=False)
    await put_feedback(hub, ann, shared=False)
    fields = "totalCount nodes { id } pageInfo { hasNextPage }"
    assert await own_feedback(hub, ann, fields, "(first: 0)") == {
        "totalCount": 0,
        "nodes": [],
        "pageInfo": {"hasNextPage": False},
    }
    await hub.rows("UPDATE feedback SET released = true WHERE shared")
    assert (await own_feedback(hub, ann, fields))["nodes"] == [{"id": str(waiting)}]


async def test_unshared_feedback_never_reaches_the_mediator_even_if_marked_as_released(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_feedback(hub, ann, shared=False)
    await hub.rows("UPDATE feedback SET released = true")
    assert await own_feedback(hub, ann, "totalCount nodes { id }") == {"totalCount": 0, "nodes": []}


async def test_a_standing_that_may_not_read_feedback_finds_none(hub: Hub) -> None:
    ann = await hub.mediator()
    shared = await put_feedback(hub, ann)
    for standing, found in ((Standing.DIRECTORY, []), (Standing.PUBLIC, []), (Standing.REVIEWER, [shared])):
        select_ids = select(feedback.c.id).where(readable_feedback(standing)).compile(dialect=DIALECT)
        assert [row["id"] for row in await hub.rows(str(select_ids))] == found


async def test_answers_meant_only_for_the_reviewer_never_reach_the_mediator(hub: Hub) -> None:
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    all_kinds: dict[str, int | str | None] = {"impressed": "so calm", "preparation": 5, "safety": None}
    await put_feedback(hub, ann, all_kinds | {"for_reviewer": "please be gentle"})
    await put_feedback(hub, ann, {"for_reviewer": "nothing else"})
    fields = "nodes { answers { question rating text } }"
    shown = [piece["answers"] for piece in (await own_feedback(hub, ann, fields))["nodes"]]
    calm = [
        {"question": "preparation", "rating": 5, "text": None},
        {"question": "safety", "rating": None, "text": None},
        {"question": "impressed", "rating": None, "text": "so calm"},
    ]
    assert sorted(shown, key=len) == [[], calm]
    read = await seen_by(hub, rob, ann, f"feedback {{ {fields} }}")
    texts = {answer["text"] for piece in read["feedback"]["nodes"] for answer in piece["answers"]}
    assert texts == {None, "so calm", "please be gentle", "nothing else"}


async def test_a_reviewer_reads_every_piece_and_its_date_newest_first(hub: Hub) -> None:
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    days = [datetime(2022, 3, 4, tzinfo=UTC), datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)]
    for number, day in enumerate(days):
        await put_feedback(hub, ann, shared=number == 0, by_invitation=number == 1, received_at=day)
    read = await seen_by(hub, rob, ann, "feedback { totalCount nodes { receivedOn year shared byInvitation } }")
    assert read["feedback"]["totalCount"] == 3
    assert [tuple(node.values()) for node in read["feedback"]["nodes"]] == [
        ("2024-12-31", 2024, False, True),
        ("2023-01-01", 2023, False, False),
        ("2022-03-04", 2022, True, False),
    ]


async def test_the_summary_counts_every_piece_and_rating_in_a_year(hub: Hub) -> None:
    ann, bea, rob = await hub.mediator(), await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    given: dict[int, list[dict[str, int | str | None]]] = {
        2024: [
            {"listening": 5, "preparation": 1, "impressed": "x"},
            {"preparation": 4, "safety": None},
            {"preparation": 4},
        ],
        2022: [{"preparation": 3}, {"impressed": "only words"}],
        2019: [{"for_reviewer": "only words"}],
    }
    for year, pieces in given.items():
        for number, answers in enumerate(pieces):
            at = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
            await put_feedback(hub, ann, answers, shared=number == 0, received_at=at)
    await put_feedback(hub, bea, {"preparation": 1})
    read = await seen_by(
        hub, rob, ann, "feedbackSummary { years { year count questions { question count average spread } } }"
    )
    years = read["feedbackSummary"]["years"]
    assert [(year["year"], year["count"]) for year in years] == [(2024, 3), (2022, 2), (2019, 1)]
    expected = {2024: {"preparation": [1, 4, 4], "listening": [5]}, 2022: {"preparation": [3]}, 2019: {}}
    for year in years:
        asked = expected[year["year"]]
        assert [one["question"] for one in year["questions"]] == list(asked)  # in the survey's order
        for one in year["questions"]:
            ratings = asked[one["question"]]
            assert one["count"] == len(ratings)
            assert one["average"] == pytest.approx(fmean(ratings))
            assert one["spread"] == pytest.approx(pstdev(ratings))


async def test_a_mediator_without_feedback_has_an_empty_summary(hub: Hub) -> None:
    ann, admin = await hub.mediator(), await hub.person(Role.ADMIN)
    assert await seen_by(hub, admin, ann, "feedbackSummary { years { year } }") == {"feedbackSummary": {"years": []}}


# Origins.


WHY = 'reason: "Ticket 1234"'


async def noted(hub: Hub) -> list[tuple[UUID, str, UUID]]:
    rows = await hub.rows("SELECT actor_id, action, subject_id FROM audit_entry ORDER BY subject_id, reason")
    return [tuple(row) for row in rows]


async def test_reading_origins_is_noted_once_per_piece_and_request(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    ids = sorted([await put_feedback(hub, ann, name=name) for name in ("Gil", "Hal", None)])
    assert await noted(hub) == []
    await seen_by(hub, admin, ann, "feedback { totalCount nodes { id shared } }")
    assert await noted(hub) == []
    twice = f"""a: feedback(first: 3) {{ nodes {{ origin({WHY}) {{ name }} again: origin({WHY}) {{ email }} }} }}
        b: feedback(first: 3, orderBy: {{ field: RECEIVED_ON }}) {{ nodes {{ origin({WHY}) {{ receivedAt }} }} }}"""
    read = await seen_by(hub, admin, ann, twice)
    assert {node["origin"]["name"] for node in read["a"]["nodes"]} == {"Gil", "Hal", None}
    assert await noted(hub) == [(admin.id, "ORIGIN_READ", one) for one in ids]
    await seen_by(hub, admin, ann, f"feedback(first: 1) {{ nodes {{ origin({WHY}) {{ name }} }} }}")
    assert len(await noted(hub)) == 4


async def test_an_origin_that_somebody_may_not_read_is_neither_shown_nor_noted(hub: Hub) -> None:
    ann = await hub.person(Role.MEDIATOR, Role.ADMIN)
    rob = await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    await put_feedback(hub, ann, name="Gil Giver")
    document = (
        f"query($id: ID!) {{ mediator(id: $id) {{ feedback(first: 9) {{ nodes {{ origin({WHY}) {{ name }} }} }} }} }}"
    )
    for by in (rob, ann):
        answer = await hub.ask(document, {"id": str(ann.id)}, by=by)
        assert "Gil" not in str(answer.body)
    assert await noted(hub) == []


async def test_the_audit_log_tells_administrators_who_read_which_origin_by_ids_only(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    piece = await put_feedback(hub, ann, name="Gil Giver", email="gil@demo.example")
    await seen_by(hub, admin, ann, f"feedback(first: 9) {{ nodes {{ origin({WHY}) {{ name }} }} }}")
    answer = await hub.ask("{ auditLog { nodes { actorId action subjectId } } }", by=admin)
    entry = {"actorId": str(admin.id), "action": "ORIGIN_READ", "subjectId": str(piece)}
    assert answer.data["auditLog"]["nodes"] == [entry]
    (row,) = await hub.rows("SELECT audit_entry::text AS row FROM audit_entry")
    assert "gil" not in row["row"].lower()
