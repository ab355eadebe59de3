"""Importing a logbook: good rows are imported once, known ones skipped, and for the rest it says what to fix."""

import asyncio
from typing import Any

import pytest

from models.account import Role
from permissions.viewer import Viewer
from resolvers.context import Context
from resolvers.entry_import import _TURN, MAX_ENTRIES
from resolvers.limits import IMPORTS
from schema import execution
from tests.hub import Answer, Hub, Person, opened, payload, problems
from tests.permissions.expected import ROLES
from tests.world import put_token, statements

LEAST = {"role": "OBSERVER", "medium": "ONLINE", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90}
WHOLE = LEAST | {
    "disputeKind": "NEIGHBOURS",
    "country": "Utopia",
    "partyCount": 3,
    "outcome": "SETTLED",
    "simulated": True,
    "reference": "case seven",
    "parties": "one and other",
    "didWell": "waited",
    "foundChallenging": "the 'noise', \"too\"\n\\ \N{GRINNING FACE}",
    "notes": "a note",
}
ENTRY = " ".join(WHOLE)
FIELDS = "imported skipped failed outcomes { status problems { field message code } }"
STORED = "SELECT * FROM logbook_entry JOIN logbook_private USING (id) ORDER BY id"


def rows(number: int, **facts: Any) -> list[dict[str, Any]]:
    """So many different entries."""
    return [LEAST | {"minutes": minutes} | facts for minutes in range(1, number + 1)]


async def import_entries(hub: Hub, who: Person | None, entries: list[Any], **options: Any) -> Answer:
    return await hub.change("importLogbookEntries", {"entries": entries} | options, FIELDS, by=who)


async def imported(hub: Hub, who: Person, entries: list[Any], **options: Any) -> Any:
    return payload(await import_entries(hub, who, entries, **options))


def statuses(answer: Any) -> str:
    """The outcomes' first letters: I(mported), S(kipped), F(ailed), L(eft out)."""
    letters = "".join(one["status"][0] for one in answer["outcomes"])
    counts = [letters.count(letter) for letter in "ISF"]
    assert [answer["imported"], answer["skipped"], answer["failed"]] == counts
    assert all(bool(one["problems"]) == (one["status"] == "FAILED") for one in answer["outcomes"])
    return letters


async def count(hub: Hub) -> int:
    return len(await hub.rows(STORED))


async def logbook(hub: Hub, who: Person) -> list[dict[str, Any]]:
    document = f"{{ me {{ mediator {{ logbook(first: 100) {{ nodes {{ {ENTRY} version }} }} }} }} }}"
    nodes: list[dict[str, Any]] = (await hub.ask(document, by=who)).data["me"]["mediator"]["logbook"]["nodes"]
    return nodes


async def test_an_imported_entry_is_the_same_as_an_added_one(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    for entry in (
        WHOLE,
        LEAST,
        LEAST | {"notes": "  e\u0301 ", "country": "", "reference": None, "outcome": "ONGOING"},
    ):
        payload(await hub.change("addLogbookEntry", entry, by=ann))
        assert statuses(await imported(hub, bea, [entry])) == "I"
    by_text = [sorted(await logbook(hub, who), key=str) for who in (ann, bea)]
    assert by_text[0] == by_text[1]
    assert len(by_text[0]) == 3
    assert {"é"} <= {one["notes"] for one in by_text[0]}


async def test_importing_a_file_again_skips_all_of_it(hub: Hub) -> None:
    ann = await hub.mediator()
    file = [WHOLE, *rows(7, notes="x"), WHOLE | {"parties": None}]
    assert statuses(await imported(hub, ann, file)) == "I" * 9
    before = await hub.rows(STORED)
    assert statuses(await imported(hub, ann, file)) == "S" * 9
    assert await hub.rows(STORED) == before
    assert statuses(await imported(hub, ann, [*file, LEAST])) == "S" * 9 + "I"


async def test_equal_rows_are_counted_against_what_is_in_the_logbook(hub: Hub) -> None:
    ann = await hub.mediator()
    assert statuses(await imported(hub, ann, [LEAST, WHOLE, LEAST])) == "III"
    assert statuses(await imported(hub, ann, [LEAST, LEAST, LEAST, LEAST])).count("I") == 2
    assert await count(hub) == 5
    assert statuses(await imported(hub, ann, [LEAST] * 4 + [WHOLE] * 2)).count("S") == 5


async def test_an_entry_that_was_typed_in_is_skipped_even_if_written_differently(hub: Hub) -> None:
    ann = await hub.mediator()
    payload(await hub.change("addLogbookEntry", WHOLE | {"country": "Espa\u00f1a"}, by=ann))
    again = WHOLE | {"country": " Espan\u0303a\n", "notes": "\ta note  "}
    assert statuses(await imported(hub, ann, [again])) == "S"


@pytest.mark.parametrize("name", sorted(WHOLE))
async def test_entries_that_differ_in_any_field_are_both_imported(hub: Hub, name: str) -> None:
    ann = await hub.mediator()
    other: dict[str, Any] = {
        "role": "OTHER",
        "medium": "HYBRID",
        "startedOn": "2024-01-01",
        "endedOn": "2024-01-04",
        "minutes": 91,
        "partyCount": None,
        "outcome": "ONGOING",
        "simulated": False,
    }
    changed = WHOLE | {name: other.get(name, str(WHOLE[name]).upper())}
    assert statuses(await imported(hub, ann, [WHOLE, changed])) == "II"
    assert statuses(await imported(hub, ann, [changed, WHOLE, changed | {"notes": ""}])) == ("SSI")


async def test_the_text_of_one_field_is_not_mistaken_for_that_of_the_next(hub: Hub) -> None:
    ann = await hub.mediator()
    pairs: list[dict[str, Any]] = [
        {"reference": "a", "parties": "b"},
        {"reference": "ab", "parties": None},
        {"reference": None, "parties": "ab"},
        {"reference": 'a", "b'},
        {"reference": "null"},
        {},
    ]
    assert statuses(await imported(hub, ann, [LEAST | pair for pair in pairs])) == "IIIIII"


async def test_other_mediators_entries_do_not_count_as_duplicates(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    assert statuses(await imported(hub, ann, [WHOLE])) == "I"
    assert statuses(await imported(hub, bea, [WHOLE])) == "I"
    assert len(await logbook(hub, ann)) == len(await logbook(hub, bea)) == 1


async def test_a_failed_row_says_why_just_like_adding_it_and_the_others_are_imported(hub: Hub) -> None:
    ann = await hub.mediator()
    wrong: list[dict[str, Any]] = [
        {"minutes": 0},
        {"startedOn": "2024-01-04"},
        {"startedOn": "1949-12-31", "notes": "x" * 10_001, "partyCount": 0},
        {"country": "two\nlines"},
        {"endedOn": "9999-12-31"},
    ]
    found = await imported(hub, ann, [LEAST, *(LEAST | facts for facts in wrong), WHOLE])
    assert statuses(found) == "IFFFFFI"
    assert await count(hub) == 2
    for facts, outcome in zip(wrong, found["outcomes"][1:6], strict=True):
        added = await hub.change("addLogbookEntry", LEAST | facts, by=ann)
        assert outcome["problems"] == added.data["addLogbookEntry"]["userErrors"]
    assert await count(hub) == 2


async def test_all_or_nothing_writes_nothing_if_one_fails(hub: Hub) -> None:
    ann = await hub.mediator()
    await imported(hub, ann, [WHOLE])
    before = await hub.rows(STORED)
    file = [LEAST, LEAST | {"minutes": 0}, WHOLE, LEAST]
    assert statuses(await imported(hub, ann, file, allOrNothing=True)) == "LFSL"
    assert await hub.rows(STORED) == before
    mended = [LEAST, LEAST | {"minutes": 1}, WHOLE, LEAST]
    assert statuses(await imported(hub, ann, mended, allOrNothing=True)) == "IISI"
    assert await count(hub) == 4


@pytest.mark.parametrize("all_or_nothing", [False, True])
async def test_a_dry_run_says_what_the_import_will_do_and_writes_nothing(hub: Hub, all_or_nothing: bool) -> None:
    ann = await hub.mediator()
    await imported(hub, ann, [WHOLE])
    before = await hub.rows(STORED)
    for file in ([WHOLE, WHOLE, LEAST, LEAST | {"minutes": -1}], [WHOLE, LEAST], [WHOLE]):
        options = {"allOrNothing": all_or_nothing, "requestKey": str(len(file))}
        told = await imported(hub, ann, file, dryRun=True, **options)
        assert await hub.rows(STORED) == before
        assert await hub.rows("SELECT 1 FROM request_key") == []
        assert await imported(hub, ann, file, **options) == told
        await hub.rows("DELETE FROM logbook_entry WHERE NOT id = $1", before[0]["id"])
        await hub.rows("DELETE FROM request_key")


async def test_a_repeat_gets_the_first_answer_and_another_import_with_its_key_is_refused(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    file = [WHOLE, LEAST, LEAST | {"minutes": 0, "notes": "x" * 10_001}]
    first = await imported(hub, ann, file, requestKey="k")
    assert statuses(first) == "IIF"
    before = await hub.rows(STORED)
    assert await imported(hub, ann, file, requestKey="k") == first
    for other in (rows(3), [LEAST | {"minutes": -1}], file[::-1]):
        assert problems(await import_entries(hub, ann, other, requestKey="k")) == [("requestKey", "REPEATED_KEY")]
    assert await hub.rows(STORED) == before
    assert statuses(await imported(hub, ann, file, requestKey="other")) == "SSF"
    assert statuses(await imported(hub, bea, file, requestKey="k")) == "IIF"
    (kept,) = await hub.rows("SELECT answer::text FROM request_key WHERE account_id = $1 LIMIT 1", bea.id)
    assert not any(str(value) in kept["answer"] for value in WHOLE.values() if isinstance(value, str))
    async with hub.later(hours=25) as then:
        assert statuses(await imported(then, ann, file, requestKey="k")) == "SSF"
        assert problems(await import_entries(then, ann, rows(2), requestKey="k")) == [("requestKey", "REPEATED_KEY")]


async def test_an_import_that_wrote_nothing_does_not_use_up_its_key(hub: Hub) -> None:
    ann = await hub.mediator()
    bad = LEAST | {"minutes": 0}
    assert statuses(await imported(hub, ann, [LEAST, bad], requestKey="k", allOrNothing=True)) == "LF"
    assert statuses(await imported(hub, ann, [LEAST], requestKey="k", dryRun=True)) == "I"
    assert statuses(await imported(hub, ann, [LEAST], requestKey="k", allOrNothing=True)) == "I"


@pytest.mark.parametrize("key", [None, "k"])
async def test_several_imports_at_once_import_each_row_once(hub: Hub, key: str | None) -> None:
    ann = await hub.mediator()
    answers = await asyncio.gather(*(imported(hub, ann, rows(300), requestKey=key) for _ in range(4)))
    found = sorted(statuses(answer) for answer in answers)
    assert found == ["I" * 300] * 4 if key else found == ["I" * 300, *["S" * 300] * 3]
    assert await count(hub) == 300


async def test_other_changes_need_not_wait_for_an_import(hub: Hub) -> None:
    """Imports take turns, but a change that only refers to the mediator needn't wait for one."""
    ann = await hub.mediator()
    async with hub.database.transaction() as transaction:
        await transaction.run(_TURN, me=ann.id)
        payload(await asyncio.wait_for(hub.change("addLogbookEntry", LEAST, by=ann), 5))


async def test_an_import_has_1_to_5000_entries(hub: Hub) -> None:
    ann = await hub.mediator()
    assert problems(await import_entries(hub, ann, [])) == [("entries", "OUT_OF_RANGE")]
    found = (await in_process(hub, ann, rows(MAX_ENTRIES + 1)))["importLogbookEntries"]
    assert [error["code"] for error in found["userErrors"]] == ["OUT_OF_RANGE"]
    assert found["outcomes"] == []
    assert await count(hub) == 0


async def in_process(hub: Hub, who: Person, entries: list[dict[str, Any]], **options: Any) -> Any:
    """Send an import as a page does, without the limit on a request's size."""
    viewer = Viewer(who.id, frozenset({Role.MEDIATOR}), verified=True)
    context = Context(viewer, hub.database, hub.settings, hub.app.state.limiter, wake=lambda: None)
    document = f"""mutation($input: ImportLogbookEntriesInput!) {{
        importLogbookEntries(input: $input) {{ {FIELDS} userErrors {{ field code }} }} }}"""
    answer = await execution.run(context, document, {"input": {"entries": entries} | options}, None)
    assert "errors" not in answer.body
    return answer.body["data"]


async def test_importing_5000_entries_runs_as_many_statements_as_importing_one(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    async with statements(hub) as few:
        await in_process(hub, bea, rows(1))
    file = [
        LEAST | {"minutes": 1 + n % 600, "notes": f"note {n}", "subject": f"Subject {n % 9}"}
        for n in range(MAX_ENTRIES)
    ]
    async with statements(hub) as many:
        found = await in_process(hub, ann, file)
    assert len(many) == len(few)
    assert statuses(found["importLogbookEntries"]) == "I" * MAX_ENTRIES
    again = await in_process(hub, ann, file)
    assert statuses(again["importLogbookEntries"]) == "S" * MAX_ENTRIES
    assert await count(hub) == MAX_ENTRIES + 1


# Who may import.


async def test_a_mediators_api_token_imports_too(hub: Hub) -> None:
    ann = await hub.mediator()
    token = await put_token(hub, ann)
    answer = await hub.change("importLogbookEntries", {"entries": [LEAST]}, FIELDS, token=token)
    assert statuses(payload(answer)) == "I"
    assert len(await logbook(hub, ann)) == 1


@pytest.mark.parametrize("who", ["", "R", "D", "A"])
async def test_import_exists_only_for_mediators(hub: Hub, who: str) -> None:
    by = await hub.person(ROLES[who]) if who else None
    for options in ({}, {"dryRun": True}):
        answer = await import_entries(hub, by, [LEAST], **options)
        assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}
        assert "data" not in answer.body
    assert await count(hub) == 0


async def test_an_unverified_mediator_cannot_import(hub: Hub) -> None:
    answer = await import_entries(hub, await hub.mediator(verified=False), [LEAST])
    assert answer.codes == ["FORBIDDEN"]
    assert await count(hub) == 0


async def test_without_paid_access_there_is_neither_an_import_nor_a_dry_run(hub: Hub) -> None:
    async with opened(hub.services, settings=hub.settings, paid_access=True) as paid:
        ann = await paid.mediator()
        for options in ({}, {"dryRun": True}):
            assert (await import_entries(paid, ann, [LEAST], **options)).codes == ["FORBIDDEN"]
        assert await count(paid) == 0
        await paid.rows("UPDATE account SET paid_until = clock() + interval '1 hour' WHERE id = $1", ann.id)
        assert statuses(await imported(paid, ann, [LEAST])) == "I"


async def test_imports_are_limited_per_account(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    for _ in range(60):
        await hub.app.state.limiter.count(IMPORTS, ann.id)
    answer = await import_entries(hub, ann, [LEAST])
    assert answer.codes == ["RATE_LIMITED"]
    assert await count(hub) == 0
    assert statuses(await imported(hub, bea, [LEAST])) == "I"
