"""Connections: in every order and from either end, the pages of a list make up the whole list."""

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import Column, Date, DateTime, Integer, Text

from models.account import Role
from resolvers.errors import BadInput
from resolvers.paging import Sort, SortValue, decode_cursor, encode_cursor, page_arguments
from tests.hub import Hub, Person
from tests.world import put_cases, put_cpd, put_feedback, statements

Fetch = Callable[[dict[str, Any]], Awaitable[Any]]

VARIABLES = "$first: Int, $after: String, $last: Int, $before: String"
PAGING = "first: $first, after: $after, last: $last, before: $before"
PAGE = "{ nodes { id } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"


def at_root(field: str, arguments: str = "") -> str:
    """The document for a page of a list at the root."""
    return f"query({VARIABLES}) {{ page: {field}({PAGING} {arguments}) {PAGE} }}"


def own(field: str, arguments: str = "") -> str:
    """The document for a page of one's own list."""
    return f"query({VARIABLES}) {{ me {{ mediator {{ page: {field}({PAGING} {arguments}) {PAGE} }} }} }}"


def of_mediator(field: str, arguments: str = "") -> str:
    """The document for a page of a mediator's list."""
    return f"query($id: ID!, {VARIABLES}) {{ mediator(id: $id) {{ page: {field}({PAGING} {arguments}) {PAGE} }} }}"


def find_page(data: Any) -> Any:
    """The connection somewhere inside an answer."""
    while "page" not in data:
        data = next(iter(data.values()))
    return data["page"]


def fetcher(hub: Hub, document: str, by: Person, **variables: Any) -> Fetch:
    async def fetch(asked: dict[str, Any]) -> Any:
        return find_page((await hub.ask(document, variables | asked, by=by)).data)

    return fetch


async def walk(fetch: Fetch, size: int) -> list[str]:
    """Read a list forward, page by page."""
    found: list[str] = []
    after = None
    while True:
        got = await fetch({"first": size, "after": after})
        found += [node["id"] for node in got["nodes"]]
        info = got["pageInfo"]
        assert info["hasPreviousPage"] == (after is not None)
        assert [edge["node"] for edge in got["edges"]] == got["nodes"]
        assert [info["startCursor"], info["endCursor"]] == [got["edges"][0]["cursor"], got["edges"][-1]["cursor"]]
        assert len(got["nodes"]) == size or not info["hasNextPage"]
        if not info["hasNextPage"]:
            return found
        after = info["endCursor"]


async def walk_back(fetch: Fetch, size: int) -> list[str]:
    """Read a list backwards, page by page."""
    found: list[str] = []
    before = None
    while True:
        got = await fetch({"last": size, "before": before})
        found = [node["id"] for node in got["nodes"]] + found
        info = got["pageInfo"]
        assert info["hasNextPage"] == (before is not None)
        assert len(got["nodes"]) == size or not info["hasPreviousPage"]
        if not info["hasPreviousPage"]:
            return found
        before = info["startCursor"]


async def assert_pages_make_the_list(fetch: Fetch, expected: list[str], size: int = 3) -> None:
    whole = [node["id"] for node in (await fetch({"first": 100}))["nodes"]]
    assert whole == expected
    assert await walk(fetch, size) == expected
    assert await walk_back(fetch, size) == expected


def in_order(rows: list[tuple[str, Any]], *, descending: bool) -> list[str]:
    """Ids sorted by (value, id), those without a value last."""
    with_value = sorted(((value, UUID(one)) for one, value in rows if value is not None), reverse=descending)
    without = sorted((UUID(one) for one, value in rows if value is None), reverse=descending)
    return [str(one) for _, one in with_value] + [str(one) for one in without]


CASES: list[dict[str, Any]] = [
    {
        "role": ("OBSERVER", "LEAD_MEDIATOR", "OTHER")[n % 3],
        "medium": ("ONLINE", "HYBRID")[n % 2],
        "started_on": date(2024, 1, 1 + n % 4),
        "ended_on": date(2024 + n % 2, 2 + n % 3, 10 + n % 5),
        "minutes": 30 * (1 + n % 3),
        "dispute_kind": (None, "FAMILY", "SPORT")[n % 3],
        "country": ("Utopia", None, "Atlantis", None)[n % 4],
        "party_count": (2, None, 3, 2, None)[n % 5],
        "outcome": ("SETTLED", "ONGOING")[n % 2],
        "simulated": n % 4 == 0,
        "reference": (None, "R1", "R2")[n % 3],
        "parties": None,
    }
    for n in range(11)
]


async def test_every_order_of_a_logbook_pages_from_both_ends(hub: Hub) -> None:
    ann = await hub.mediator()
    ids = [str(one) for one in await put_cases(hub, ann, *CASES)]
    for name in CASES[0].keys() | {"ended_month"}:
        values = [case["ended_on"].replace(day=1) if name == "ended_month" else case[name] for case in CASES]
        for direction in ("ASC", "DESC"):
            document = own("logbook", f"orderBy: {{ field: {name.upper()}, direction: {direction} }}")
            expected = in_order(list(zip(ids, values, strict=True)), descending=direction == "DESC")
            await assert_pages_make_the_list(fetcher(hub, document, ann), expected, size=4)


async def test_a_logbook_is_newest_first_unless_asked_otherwise(hub: Hub) -> None:
    ann = await hub.mediator()
    ids = [str(one) for one in await put_cases(hub, ann, *CASES)]
    expected = in_order([(one, case["ended_on"]) for one, case in zip(ids, CASES, strict=True)], descending=True)
    await assert_pages_make_the_list(fetcher(hub, own("logbook"), ann), expected, size=1)


async def test_long_texts_are_sorted_by_their_beginning_so_that_cursors_stay_short(hub: Hub) -> None:
    ann = await hub.mediator()
    start = "\N{GRINNING FACE}" * 100  # four bytes each
    texts = [None, *("a", "z", start[:99], start, *(start + f"{9 - n}" * 9_900 for n in range(7)))]
    ids = [str(one) for one in await put_cases(hub, ann, *({"reference": text, "parties": text} for text in texts))]
    rows = [(one, text and text[:100]) for one, text in zip(ids, texts, strict=True)]
    for name in ("REFERENCE", "PARTIES"):
        for direction in ("ASC", "DESC"):
            document = own("logbook", f"orderBy: {{ field: {name}, direction: {direction} }}")
            fetch = fetcher(hub, document, ann)
            await assert_pages_make_the_list(fetch, in_order(rows, descending=direction == "DESC"), size=2)
            cursors = [edge["cursor"] for edge in (await fetch({"first": 100}))["edges"]]
            assert max(map(len, cursors)) < 700


async def test_every_order_of_cpd_pages_from_both_ends(hub: Hub) -> None:
    ann = await hub.mediator()
    entries: list[dict[str, Any]] = [
        {
            "kind": ("CONFERENCE", "OTHER")[n % 2],
            "title": ("Alpha", "Beta", "Alpha")[n % 3],
            "provider": (None, "School", None, "Academy")[n % 4],
            "started_on": date(2024, 1, 1 + n % 3),
            "ended_on": date(2024, 3, 1 + n % 2),
            "minutes": 60 + n % 3,
        }
        for n in range(8)
    ]
    ids = [str(one) for one in await put_cpd(hub, ann, *entries)]
    for name in entries[0]:
        for direction in ("ASC", "DESC"):
            document = own("cpd", f"orderBy: {{ field: {name.upper()}, direction: {direction} }}")
            rows = [(one, entry[name]) for one, entry in zip(ids, entries, strict=True)]
            expected = in_order(rows, descending=direction == "DESC")
            await assert_pages_make_the_list(fetcher(hub, document, ann), expected, size=4)


async def test_every_order_of_learnings_pages_from_both_ends(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(
        hub, ann, *({"ended_on": date(2024, 1, 1 + n % 2), "did_well": f"a{n}", "notes": "x"} for n in range(3))
    )
    await put_cases(hub, ann, *({"ended_on": date(2024, 1, 2), "found_challenging": f"b{n}"} for n in range(2)))
    await put_cpd(hub, ann, *({"ended_on": date(2024, 1, 1 + n), "takeaways": f"c{n}"} for n in range(3)))
    everything = (
        await hub.ask("{ me { mediator { learnings { nodes { id date source kind text } } } } }", by=ann)
    ).data["me"]["mediator"]["learnings"]["nodes"]
    assert sorted(one["text"] for one in everything) == ["a0", "a1", "a2", "b0", "b1", "c0", "c1", "c2"]
    for name in ("date", "source", "kind"):
        for direction in ("ASC", "DESC"):
            document = own("learnings", f"orderBy: {{ field: {name.upper()}, direction: {direction} }}")
            expected = in_order([(one["id"], one[name]) for one in everything], descending=direction == "DESC")
            await assert_pages_make_the_list(fetcher(hub, document, ann), expected, size=4)


async def test_feedback_pages_from_both_ends_for_reviewer_and_mediator(hub: Hub) -> None:
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    days = [datetime(2024, 1, 1 + n % 3, tzinfo=UTC) for n in range(7)]
    rows = [(str(await put_feedback(hub, ann, received_at=day)), day) for day in days]
    for direction in ("ASC", "DESC"):
        document = of_mediator("feedback", f"orderBy: {{ field: RECEIVED_ON, direction: {direction} }}")
        expected = in_order(rows, descending=direction == "DESC")
        await assert_pages_make_the_list(fetcher(hub, document, rob, id=str(ann.id)), expected)
    by_id = in_order([(one, None) for one, _ in rows], descending=True)
    await assert_pages_make_the_list(fetcher(hub, own("feedback"), ann), by_id)


async def test_requests_page_from_both_ends_newest_first(hub: Hub) -> None:
    ann = await hub.mediator()
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = []
    for n in range(7):
        (made,) = await hub.rows(
            """INSERT INTO feedback_request (mediator_id, made_at, mediation_ended_on, secret_hash)
            VALUES ($1, $2, '2023-01-01', $3) RETURNING id""",
            ann.id,
            start + timedelta(microseconds=n // 2),
            uuid4().bytes * 2,
        )
        rows.append((str(made["id"]), n // 2))
    expected = in_order(rows, descending=True)
    await assert_pages_make_the_list(fetcher(hub, own("feedbackRequests"), ann), expected)


async def test_people_page_from_both_ends_by_name(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN, name="zoe")
    names = ["anna", "Änna", "ANNA", "bert", "anna"]
    held = {
        Role.MEDIATOR: [await hub.mediator(name=name) for name in names],
        Role.DIRECTORY: [await hub.person(Role.DIRECTORY, name=name) for name in names],
        Role.REVIEWER: [await hub.person(Role.REVIEWER, name=name) for name in names],
    }

    def by_name(people: list[Person]) -> list[str]:
        return in_order([(str(one.id), one.name.lower().replace("ä", "a")) for one in people], descending=False)

    everybody = [admin, *held[Role.MEDIATOR], *held[Role.DIRECTORY], *held[Role.REVIEWER]]
    for field, people in (
        ("mediators", held[Role.MEDIATOR]),
        ("directories", held[Role.DIRECTORY]),
        ("reviewers", held[Role.REVIEWER]),
        ("accounts", everybody),
    ):
        await assert_pages_make_the_list(fetcher(hub, at_root(field), admin), by_name(people), size=2)
    found = fetcher(hub, at_root("mediators", 'search: "ann"'), admin)
    await assert_pages_make_the_list(found, by_name([one for one in held[Role.MEDIATOR] if one.name != "bert"]), size=2)


async def test_administrators_lists_page_from_both_ends(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    audit, dead, waiting = [], [], []
    for n in range(5):
        (entry,) = await hub.rows(
            """INSERT INTO audit_entry (at, actor_id, action, subject_id)
            VALUES ($1, $2, 'ORIGIN_READ', $2) RETURNING id""",
            start + timedelta(hours=n // 2),
            admin.id,
        )
        audit.append((str(entry["id"]), n // 2))
        (mail,) = await hub.rows(
            """INSERT INTO outbox (kind, subject_id, dedupe_key, state, recipient)
            VALUES ('verify_email', $1, $2, 'DEAD', 'gil@demo.example') RETURNING id""",
            admin.id,
            f"key {n}",
        )
        dead.append((str(mail["id"]), None))
        waiting.append((str(await hub.waiting(await hub.mediator(), admin)), None))
    for field, rows, descending in (
        ("auditLog", audit, True),
        ("deadMail", dead, False),
        ("waitingAppointments", waiting, False),
    ):
        expected = in_order(rows, descending=descending)
        await assert_pages_make_the_list(fetcher(hub, at_root(field), admin), expected, size=2)


async def test_paging_goes_on_from_a_cursor_whose_row_is_gone(hub: Hub) -> None:
    ann = await hub.mediator()
    ids = [str(one) for one in await put_cases(hub, ann, *({"minutes": 10 * n} for n in range(1, 5)))]
    fetch = fetcher(hub, own("logbook", "orderBy: { field: MINUTES }"), ann)
    start = await fetch({"first": 2})
    await hub.rows("DELETE FROM logbook_entry WHERE id = $1", UUID(ids[1]))
    rest = await fetch({"first": 5, "after": start["pageInfo"]["endCursor"]})
    assert [node["id"] for node in rest["nodes"]] == ids[2:]


# What may be asked.


async def test_a_page_has_25_rows_by_default_and_at_most_100(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, *({"minutes": n} for n in range(1, 102)))
    fetch = fetcher(hub, own("logbook"), ann)
    for asked, rows, more in (
        ({}, 25, True),
        ({"first": 100}, 100, True),
        ({"last": 100}, 100, False),
        ({"first": 0}, 0, True),
    ):
        got = await fetch(asked)
        assert (len(got["nodes"]), got["pageInfo"]["hasNextPage"]) == (rows, more)
    assert (await fetch({"first": 0}))["pageInfo"]["startCursor"] is None
    assert (await fetch({"last": 0}))["pageInfo"]["hasPreviousPage"] is True
    cursor = (await fetch({"first": 1}))["edges"][0]["cursor"]
    for asked in (
        {"first": 101},
        {"first": -1},
        {"last": 101},
        {"last": -1},
        {"first": 1, "last": 1},
        {"first": 1, "before": cursor},
        {"last": 1, "after": cursor},
        {"after": cursor, "before": cursor},
    ):
        answer = await hub.ask(own("logbook"), asked, by=ann)
        assert answer.codes == ["BAD_USER_INPUT"], asked


def cursor_of(*parts: object) -> str:
    return urlsafe_b64encode(orjson.dumps(parts)).decode()


SOME_ID = "00000000-0000-4000-8000-000000000000"


async def test_a_cursor_that_does_not_belong_to_the_list_is_refused(hub: Hub) -> None:
    ann = await hub.mediator()
    await put_cases(hub, ann, {})
    document = """query($after: String, $order: LogbookOrder) {
        me { mediator { logbook(after: $after, orderBy: $order) { totalCount } } } }"""
    for order, cursor in (
        ("MINUTES", ""),
        ("MINUTES", "x"),
        ("MINUTES", "\N{SNOWMAN}"),
        ("MINUTES", "bm90IGpzb24="),
        ("MINUTES", cursor_of()),
        ("MINUTES", cursor_of("minutes", 5)),
        ("MINUTES", cursor_of("minutes", 5, "no id")),
        ("MINUTES", cursor_of("minutes", 5, 5)),
        ("MINUTES", cursor_of("minutes", "5", SOME_ID)),
        ("MINUTES", cursor_of("minutes", True, SOME_ID)),
        ("MINUTES", cursor_of("minutes", 2**31, SOME_ID)),
        ("MINUTES", cursor_of("minutes", 5.5, SOME_ID)),
        ("MINUTES", cursor_of("party_count", 5, SOME_ID)),
        ("MINUTES", cursor_of("id", None, SOME_ID)),
        ("COUNTRY", cursor_of("country", "\0", SOME_ID)),
        ("COUNTRY", cursor_of("country", ["x"], SOME_ID)),
        ("ENDED_ON", cursor_of("ended_on", "2024-02-30", SOME_ID)),
        ("ENDED_ON", cursor_of("ended_on", 5, SOME_ID)),
        ("SIMULATED", cursor_of("simulated", 1, SOME_ID)),
    ):
        answer = await hub.ask(document, {"after": cursor, "order": {"field": order}}, by=ann)
        assert answer.codes == ["BAD_USER_INPUT"], (order, cursor)
        assert answer.body["errors"][0]["message"] == "That cursor doesn't belong to this list."


async def test_a_cursor_at_the_ends_of_time_breaks_nothing(hub: Hub) -> None:
    ann = await hub.mediator()
    for moment in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01", "0001-01-01T00:00:00Z"):
        answer = await hub.ask(own("feedbackRequests"), {"after": cursor_of("made_at", moment, SOME_ID)}, by=ann)
        assert set(answer.codes) <= {"BAD_USER_INPUT"}, moment


async def test_the_total_is_counted_only_when_asked_for(hub: Hub) -> None:
    admin, ann = await hub.person(Role.ADMIN), await hub.mediator()
    for by, document in (
        (ann, "{ me { mediator { logbook %s cpd %s learnings %s feedback %s feedbackRequests %s } } }"),
        (admin, "{ mediators %s directories %s reviewers %s accounts %s auditLog %s deadMail %s }"),
    ):
        for selection, counts in (("{ nodes { id } }", False), ("{ totalCount }", True)):
            async with statements(hub) as run:
                assert not (await hub.ask(document.replace("%s", selection), by=by)).codes
            assert any("count(" in sql.lower() for sql in run) == counts


# Cursors by themselves.

SORTS: list[tuple[Sort, some.SearchStrategy[SortValue]]] = [
    (Sort("day", Column("day", Date())), some.dates()),
    (Sort("moment", Column("moment", DateTime(timezone=True))), some.datetimes(timezones=some.just(UTC))),
    (Sort("number", Column("number", Integer())), some.integers(-(2**31), 2**31 - 1)),
    (Sort("text", Column("text", Text())), some.text(some.characters(codec="utf-8", exclude_characters="\0"))),
]


@given(some.data())
def test_a_cursor_reads_back_as_it_was_written(data: some.DataObject) -> None:
    sort, values = data.draw(some.sampled_from(SORTS))
    value, row_id = data.draw(some.none() | values), data.draw(some.uuids())
    assert decode_cursor(sort, encode_cursor(sort.name, value, row_id)) == (value, row_id)


ANYTHING = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-(2**63), 2**64 - 1)
    | some.floats(allow_nan=False)
    | some.text("0-:TZ+a\0"),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text("ab"), inner, max_size=3),
    max_leaves=5,
)


@given(
    some.sampled_from(SORTS), some.text() | ANYTHING.map(lambda value: urlsafe_b64encode(orjson.dumps(value)).decode())
)
def test_anything_else_sent_as_a_cursor_is_refused(sort_and_values: tuple[Sort, object], cursor: str) -> None:
    with pytest.raises(BadInput):
        decode_cursor(sort_and_values[0], cursor)


@given(some.sampled_from(SORTS), ANYTHING)
def test_any_value_in_a_cursor_is_fit_for_the_database_or_refused(
    sort_and_values: tuple[Sort, object], value: object
) -> None:
    sort = sort_and_values[0]
    try:
        read, _ = decode_cursor(sort, cursor_of(sort.name, value, SOME_ID))
    except BadInput:
        return
    assert sort.column is not None
    assert read is None or type(read) is sort.column.type.python_type
    assert "\0" not in str(read)


def test_a_page_goes_forward_unless_last_or_before_is_given() -> None:
    assert not page_arguments(None, None, None, None).backwards
    assert not page_arguments(3, "c", None, None).backwards
    assert page_arguments(None, None, 3, None).backwards
    assert page_arguments(None, None, None, "c").backwards
