import csv
import json
import re
from datetime import date, timedelta
from io import BytesIO, StringIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from graphql import DocumentNode, validate
from sqlalchemy import update

from models.account import Role, accounts
from models.logbook import LOGBOOK_FIELDS
from permissions.viewer import Viewer
from schema.build import projection
from tests.entry_values import filled_in
from tests.hub import PASSWORD, Hub, Person, payload, secret_in
from tests.web.reading import everything, post
from tests.world import put_cases, put_feedback, put_sessions
from web.export import ARCHIVE_OPERATIONS, PARTS, PARTS_OF_ROLE, columns, parts_of

EVERYBODYS = ["README.txt", "account.json", "api_tokens.csv", "api_tokens.json", "sessions.csv", "sessions.json"]
CASE = {"role": "LEAD_MEDIATOR", "medium": "ONLINE", "startedOn": "2024-01-02", "endedOn": "2024-01-03", "minutes": 90}
SUMS = {"minutes": 90, "contactMinutes": 90, "cases": 1}
PRIVATE = {
    "disputeKind": "COMMERCIAL",
    "country": "Norway",
    "partyCount": 2,
    "outcome": "SETTLED",
    "reference": "M-1",
    "parties": "Ada and Bo",
    "didWell": "Listened, and\nwaited",
    "foundChallenging": 'Silence; "long" silence',
    "notes": "Æsop",
}
COURSE = {
    "kind": "TRAINING_RECEIVED",
    "title": "A course",
    "provider": "A school",
    "startedOn": "2024-02-01",
    "endedOn": "2024-02-02",
    "minutes": 600,
    "format": "ONLINE",
    "tags": ["ETHICS", "LAW"],
    "credits": [
        {"body": "SIMI", "activity": "Training", "points": "5.5"},
        {"body": "Ordre", "activity": None, "points": None},
    ],
    "evidenceUrl": "https://demo.example/course",
    "takeaways": "Ask again",
}


class Export:
    """An archive, opened."""

    def __init__(self, made: bytes) -> None:
        self._zip = ZipFile(BytesIO(made))
        assert self._zip.testzip() is None
        self.names = sorted(self._zip.namelist())
        self.whole = "\n".join(self._zip.read(name).decode() for name in self.names)

    def text(self, name: str) -> str:
        return self._zip.read(name).decode()

    def json(self, name: str) -> Any:
        return json.loads(self.text(f"{name}.json"))

    def csv(self, name: str) -> list[list[str]]:
        text = self.text(f"{name}.csv")
        assert text[0] == "\ufeff"
        return list(csv.reader(StringIO(text[1:], newline="")))


async def ask_for_export(hub: Hub, person: Person) -> None:
    payload(await hub.change("exportMyData", {}, "dataExport { id }", by=person))


async def opened(hub: Hub, person: Person) -> Export:
    [row] = await hub.rows("SELECT archive FROM data_export WHERE account_id = $1", person.id)
    return Export(row["archive"])


async def exported(hub: Hub, person: Person) -> Export:
    await ask_for_export(hub, person)
    await hub.work()
    return await opened(hub, person)


def in_csv(value: object) -> str:
    """A value as the archive's CSV has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, list) else str(value)


async def add_case(hub: Hub, mediator: Person, **facts: Any) -> str:
    made = payload(await hub.change("addLogbookEntry", CASE | facts, "logbookEntry { id }", by=mediator))
    return str(made["logbookEntry"]["id"])


async def test_a_mediators_archive_has_their_account_and_profile(hub: Hub) -> None:
    ann = await hub.mediator(name="Ann")
    rae = await hub.person(Role.REVIEWER, name="Rae")
    await hub.appointed(ann, rae)
    payload(
        await hub.change(
            "updateProfile",
            {"about": "Twelve years", "profileUrl": "https://demo.example/ann"},
            "mediator { id }",
            by=ann,
        )
    )
    payload(await hub.change("createApiToken", {"name": "Sheets"}, "token", by=ann))
    await add_case(hub, ann)
    export = await exported(hub, ann)
    account = export.json("account")
    [asked] = account.pop("exports")
    assert asked["requestedAt"]
    assert asked["readyAt"] is None
    assert account.pop("emailVerifiedAt")
    assert account == {"id": str(ann.id), "name": "Ann", "email": ann.email, "roles": ["MEDIATOR"], "paidUntil": None}
    profile = export.json("profile")
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/give/\S{43}", profile.pop("feedbackLink"))
    assert profile == {
        "id": str(ann.id),
        "name": "Ann",
        "about": "Twelve years",
        "profileUrl": "https://demo.example/ann",
        "visibility": "DIRECTORIES",
        "email": ann.email,
        "reviewer": {"name": "Rae"},
        "waitingReviewer": None,
        "reviewerRelation": None,
        "reviewerRelationDetails": None,
        "experience": {
            **SUMS,
            "simulatedMinutes": 0,
            "byRole": [{"role": "LEAD_MEDIATOR", **SUMS}],
            "byYear": [{"year": 2024, **SUMS}],
            "byRoleAndYear": [{"role": "LEAD_MEDIATOR", "year": 2024, **SUMS}],
        },
    }
    [token] = export.json("api_tokens")
    assert token["name"] == "Sheets"
    assert export.csv("api_tokens")[0] == ["id", "name", "createdAt", "usedAt", "expiresAt", "revokedAt"]
    [session] = export.json("sessions")
    assert export.csv("sessions") == [["id", "createdAt", "usedAt"], list(session.values())]
    assert ann.cookie not in export.whole


async def test_a_mediators_archive_has_every_entry_in_full(hub: Hub) -> None:
    ann = await hub.mediator()
    facts = filled_in(LOGBOOK_FIELDS) | CASE | PRIVATE
    case_id = await add_case(hub, ann, **facts)
    await put_sessions(hub, UUID(case_id), {"minutes": 60, "held_on": date(2024, 1, 2)}, {"minutes": 30})
    course = COURSE | {"supervisedCaseId": case_id}
    made = payload(await hub.change("addCpdEntry", course, "cpdEntry { id }", by=ann))
    export = await exported(hub, ann)
    case = facts | {"id": case_id, "contactMinutes": facts["minutes"]}
    assert export.json("logbook") == [case]
    header, row = export.csv("logbook")
    assert set(header) == set(case)
    assert dict(zip(header, row, strict=True)) == {name: in_csv(value) for name, value in case.items()}
    of_sessions = export.json("case_sessions")
    assert [one["caseId"] for one in of_sessions] == [case_id, case_id]
    assert export.csv("case_sessions")[1:] == [list(map(str, one.values())) for one in of_sessions]
    course |= {"id": made["cpdEntry"]["id"], "hasCertificate": False}
    assert export.json("cpd") == [course]
    header, row = export.csv("cpd")
    in_cells = {"tags": "ETHICS, LAW", "credits": "SIMI: Training, 5.5 points; Ordre"}
    written = {name: in_csv(value) for name, value in course.items() if name not in in_cells}
    assert dict(zip(header, row, strict=True)) == written | in_cells
    learned = {(one["kind"], one["text"], one["entryId"]) for one in export.json("learnings")}
    assert learned == {
        ("DID_WELL", PRIVATE["didWell"], case_id),
        ("FOUND_CHALLENGING", PRIVATE["foundChallenging"], case_id),
        ("TAKEAWAY", COURSE["takeaways"], course["id"]),
    }
    assert export.csv("learnings")[0] == ["date", "source", "kind", "text", "entryId"]


async def test_a_mediators_archive_has_the_hours_from_before_their_logbook(hub: Hub) -> None:
    ann = await hub.mediator()
    balance = {"role": "LEAD_MEDIATOR", "minutes": 7_200, "cases": None, "before": "2020-01-01"}
    made = payload(await hub.change("addOpeningBalance", balance, "openingBalance { id }", by=ann))["openingBalance"]
    export = await exported(hub, ann)
    assert export.json("opening_balances") == [balance | made]
    assert export.csv("opening_balances") == [
        ["id", *balance],
        [made["id"], "LEAD_MEDIATOR", "7200", "", "2020-01-01"],
    ]


async def test_an_archive_has_lists_of_many_pages_in_full(hub: Hub) -> None:
    ann = await hub.mediator()
    days = [{"ended_on": date(2025, 1, 1) - timedelta(days=number // 2), "did_well": "Waited"} for number in range(205)]
    ids = [str(new_id) for new_id in await put_cases(hub, ann, *days)]
    export = await exported(hub, ann)
    cases, learnings = export.json("logbook"), export.json("learnings")
    assert sorted(case["id"] for case in cases) == sorted(ids)
    assert [case["endedOn"] for case in cases] == sorted((case["endedOn"] for case in cases), reverse=True)
    assert [row[0] for row in export.csv("logbook")] == ["id", *(case["id"] for case in cases)]
    assert sorted(learning["entryId"] for learning in learnings) == sorted(ids)


async def test_somebody_without_entries_gets_empty_lists(hub: Hub) -> None:
    export = await exported(hub, await hub.mediator())
    for name in ("logbook", "cpd", "learnings", "feedback", "feedback_requests"):
        assert export.json(name) == []
        assert len(export.csv(name)) == 1


async def test_a_mediators_archive_has_shared_feedback_without_what_they_may_not_read(hub: Hub) -> None:
    ann = await hub.mediator()
    answers: dict[str, int | str | None] = {"listening": 5, "impressed": "Patience", "for_reviewer": "Aside"}
    await put_feedback(hub, ann, answers, name="Giver")
    await put_feedback(hub, ann, {"impressed": "Unshared"}, shared=False)
    await put_feedback(hub, ann, {"impressed": "Unreleased"}, released=False)
    export = await exported(hub, ann)
    [feedback] = export.json("feedback")
    assert feedback.keys() == {"id", "answers"}
    assert feedback["answers"] == [
        {"question": "listening", "rating": 5, "text": None},
        {"question": "impressed", "rating": None, "text": "Patience"},
    ]
    assert export.csv("feedback") == [
        ["id", "question", "rating", "text"],
        [feedback["id"], "listening", "5", ""],
        [feedback["id"], "impressed", "", "Patience"],
    ]
    for unreadable in ("Aside", "Unshared", "Unreleased", "Giver", "2024"):
        assert unreadable not in export.whole
    assert {"key": "listening", "text": "They listened carefully, and I felt heard."} in export.json(
        "feedback_questions"
    )


@pytest.mark.parametrize("hours", [0, 121])
async def test_requests_are_exported_without_name_email_and_reference(hub: Hub, hours: int) -> None:
    ann = await hub.mediator()
    asked = {
        "partyName": "Petra Party",
        "partyEmail": "petra@demo.example",
        "reference": "Harbour case",
        "mediationEndedOn": "2024-05-06",
        "partyAgreed": True,
    }
    made = payload(await hub.change("requestFeedback", asked, "feedbackRequest { id madeOn }", by=ann))[
        "feedbackRequest"
    ]
    async with hub.later(hours=hours) as later:
        export = await exported(later, ann)
    request = {"id": made["id"], "madeOn": made["madeOn"], "agreedOn": made["madeOn"], "mediationEndedOn": "2024-05-06"}
    assert export.json("feedback_requests") == [request]
    assert export.csv("feedback_requests") == [list(request), list(request.values())]
    for detail in ("Petra", "petra", "Harbour"):
        assert detail not in export.whole


UNDECLARED = {"reviewerRelation": None, "reviewerRelationDetails": None}


async def test_a_reviewers_archive_names_their_mediators_and_says_nothing_else_about_them(hub: Hub) -> None:
    rae = await hub.person(Role.REVIEWER)
    ann, bob = await hub.mediator(name="Ann"), await hub.mediator(name="Bob")
    await hub.mediator(name="Cyd")
    await hub.appointed(ann, rae, relation="COLLEAGUE")
    await hub.appointed(bob, rae)
    await put_feedback(hub, ann, {"impressed": "Patience"})
    export = await exported(hub, rae)
    assert export.names == sorted([*EVERYBODYS, "reviewed_mediators.csv", "reviewed_mediators.json"])
    said = {"reviewerRelation": "COLLEAGUE", "reviewerRelationDetails": None}
    assert export.json("reviewed_mediators") == [{"name": "Ann"} | said, {"name": "Bob"} | UNDECLARED]
    names = ["name", "reviewerRelation", "reviewerRelationDetails"]
    assert export.csv("reviewed_mediators") == [names, ["Ann", "COLLEAGUE", ""], ["Bob", "", ""]]
    for others in ("Patience", "Cyd", str(ann.id), ann.email):
        assert others not in export.whole


async def test_a_directorys_archive_is_only_about_itself(hub: Hub) -> None:
    finder = await hub.person(Role.DIRECTORY, name="Finder")
    await hub.person(Role.DIRECTORY, name="Other directory")
    await hub.mediator(name="Ann")
    await hub.rows("UPDATE directory SET website = 'https://finder.example' WHERE id = $1", finder.id)
    export = await exported(hub, finder)
    facts = {"id": str(finder.id), "name": "Finder", "website": "https://finder.example"}
    assert export.names == sorted([*EVERYBODYS, "directory.csv", "directory.json"])
    assert export.json("directory") == [facts]
    assert export.csv("directory") == [list(facts), list(facts.values())]
    assert "Other directory" not in export.whole
    assert "Ann" not in export.whole


async def test_an_administrators_archive_has_only_their_account(hub: Hub) -> None:
    ada = await hub.person(Role.ADMIN)
    ann = await hub.mediator(name="Ann")
    export = await exported(hub, ada)
    assert export.names == EVERYBODYS
    assert export.json("account")["roles"] == ["ADMIN"]
    assert ann.email not in export.whole


async def test_somebody_with_every_role_gets_only_what_is_their_own(hub: Hub) -> None:
    eve = await hub.person(*Role)
    ann = await hub.mediator(name="Ann")
    await hub.appointed(ann, eve)
    await add_case(hub, ann, notes="Of Ann")
    await add_case(hub, eve, notes="Of Eve")
    await put_feedback(hub, eve, {"listening": 4}, name="Giver")
    await put_feedback(hub, eve, {"impressed": "Unshared"}, shared=False)
    export = await exported(hub, eve)
    assert [case["notes"] for case in export.json("logbook")] == ["Of Eve"]
    assert len(export.json("feedback")) == 1
    assert export.json("reviewed_mediators") == [{"name": "Ann"} | UNDECLARED]
    assert [one["id"] for one in export.json("directory")] == [str(eve.id)]
    for others in ("Of Ann", "Unshared", "Giver"):
        assert others not in export.whole


async def test_an_archive_has_what_its_owner_may_read_when_it_is_made(hub: Hub) -> None:
    eve = await hub.person(Role.MEDIATOR, Role.REVIEWER)
    await hub.appointed(await hub.mediator(name="Ann"), eve)
    await ask_for_export(hub, eve)
    async with hub.database.transaction() as transaction:
        await transaction.run(
            update(accounts)
            .where(accounts.c.id == eve.id)
            .values(roles=[Role.MEDIATOR.value], reviewer_confirmed_at=None)
        )
    await hub.work()
    export = await opened(hub, eve)
    assert "logbook.json" in export.names
    assert "reviewed_mediators.json" not in export.names


async def test_the_csv_has_no_formulas_and_the_json_has_exactly_what_was_typed(hub: Hub) -> None:
    ann = await hub.mediator()
    typed = ['=HYPERLINK("https://demo.example")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "calm;=1", "a=1"]
    safe = [
        '\'=HYPERLINK("https://demo.example")',
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "'\t'=1",
        "'\r'=1",
        "''=1",
        "calm;'=1",
        "a=1",
    ]
    await put_cases(hub, ann, *({"notes": text, "reference": "+", "minutes": 90} for text in typed))
    export = await exported(hub, ann)
    header, *rows = export.csv("logbook")
    notes, reference, minutes = header.index("notes"), header.index("reference"), header.index("minutes")
    assert sorted(case["notes"] for case in export.json("logbook")) == sorted(typed)
    assert {row[notes] for row in rows} == set(safe)
    assert {(row[reference], row[minutes]) for row in rows} == {("'+", "90")}


async def test_the_readme_says_what_each_file_is(hub: Hub) -> None:
    export = await exported(hub, await hub.mediator())
    readme = export.text("README.txt")
    assert hub.settings.organisation_name in readme
    assert hub.settings.support_email in readme
    for name in export.names:
        assert name == "README.txt" or name in readme


async def test_the_link_comes_by_mail_and_works_for_seven_days(hub: Hub) -> None:
    ann = await hub.mediator()
    await ask_for_export(hub, ann)
    assert hub.mails(ann.email) == []
    await hub.work()
    [mail] = hub.mails(ann.email)
    secret = secret_in(mail, "export")
    [row] = await hub.rows("SELECT archive FROM data_export")
    path = f"/export/{secret}"
    assert (await post(hub, ann, path)).content == row["archive"]
    assert (await post(hub, ann, f"/export/{secret.swapcase()}")).status_code == 404
    async with hub.later(days=6, hours=23) as later:
        await later.work()
        assert (await post(later, ann, path)).content == row["archive"]
    async with hub.later(days=7, hours=1) as later:
        assert (await post(later, ann, path)).status_code == 404
        await later.work()
    assert await hub.rows("SELECT id FROM data_export") == []


async def test_an_export_made_twice_is_mailed_once(hub: Hub) -> None:
    ann = await hub.mediator()
    await ask_for_export(hub, ann)
    await hub.work()
    [first] = await hub.rows("SELECT ready_at, expires_at, archive FROM data_export")
    await hub.rows(
        "UPDATE outbox SET state = 'QUEUED', finished_at = NULL, next_at = clock() WHERE kind = 'make_export'"
    )
    assert await hub.work() == 1
    assert await hub.rows("SELECT ready_at, expires_at, archive FROM data_export") == [first]
    assert len(hub.mails(ann.email)) == 1


async def test_nothing_is_exported_for_an_account_deleted_in_the_meantime(hub: Hub) -> None:
    ann = await hub.mediator()
    await ask_for_export(hub, ann)
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, "deleted", by=ann))
    await hub.work()
    assert await hub.rows("SELECT id FROM data_export") == []
    assert await hub.rows("SELECT state FROM outbox WHERE kind = 'make_export'") == []
    assert [mail["subject"] for mail in hub.mails(ann.email)] == ["Your account was deleted"]


async def test_an_export_that_fails_is_tried_again(hub: Hub) -> None:
    ann = await hub.mediator()
    await ask_for_export(hub, ann)
    await hub.rows("ALTER TABLE cpd_entry RENAME TO cpd_entry_away")
    await hub.work()
    [work] = await hub.rows("SELECT state, attempts FROM outbox WHERE kind = 'make_export'")
    assert (work["state"], work["attempts"]) == ("QUEUED", 1)
    assert [row["archive"] for row in await hub.rows("SELECT archive FROM data_export")] == [None]
    await hub.rows("ALTER TABLE cpd_entry_away RENAME TO cpd_entry")
    async with hub.later(hours=1) as later:
        await later.work()
        assert (await opened(later, ann)).json("cpd") == []


async def percent(hub: Hub, person: Person) -> list[int]:
    answer = await hub.ask("{ me { exports { percent } } }", by=person)
    return [export["percent"] for export in answer.data["me"]["exports"]]


async def test_an_export_shows_its_progress_to_its_owner(hub: Hub) -> None:
    ann, bob = await hub.mediator(), await hub.mediator()
    await ask_for_export(hub, ann)
    assert await percent(hub, ann) == [0]
    names = [part.name for part in parts_of(frozenset({Role.MEDIATOR}))]
    await hub.rows("ALTER TABLE cpd_entry RENAME TO cpd_entry_away")
    await hub.work()
    await hub.rows("ALTER TABLE cpd_entry_away RENAME TO cpd_entry")
    assert await percent(hub, ann) == [100 * names.index("cpd") // len(names)]
    assert await percent(hub, bob) == []
    async with hub.later(hours=1) as later:
        await later.work()
        assert await percent(later, ann) == [100]


@pytest.mark.parametrize("roles", [*(frozenset({role}) for role in Role), frozenset(Role)])
def test_each_role_may_ask_for_everything_in_its_export(roles: frozenset[Role]) -> None:
    schema = projection(Viewer(roles=roles).standings)
    for part in parts_of(roles):
        assert validate(schema, DocumentNode(definitions=(ARCHIVE_OPERATIONS[part.name],))) == []


def test_each_operation_belongs_to_a_part() -> None:
    parts = [*PARTS, *(part for parts in PARTS_OF_ROLE.values() for part in parts)]
    assert sorted(part.name for part in parts) == sorted(ARCHIVE_OPERATIONS)
    for part in parts:
        assert columns(part)


async def test_folds_are_neither_exported_nor_left_behind(hub: Hub) -> None:
    ann = await hub.mediator(name="Ægir Straße")
    texts = ("subject", "country", "reference", "parties", "didWell", "foundChallenging", "notes")
    await add_case(hub, ann, **dict.fromkeys(texts, "Ægir"))
    payload(await hub.change("addCpdEntry", COURSE | {"title": "Ægir", "takeaways": "Ægir"}, by=ann))
    tables = ("account", "cpd_entry", "cpd_private", "logbook_entry", "logbook_private")
    assert {name for name, text in (await everything(hub)).items() if "aegir" in (text or "")} == set(tables)
    export = await exported(hub, ann)
    assert "Ægir" in export.whole
    assert "aegir" not in export.whole
    payload(await hub.change("deleteMyAccount", {"password": PASSWORD}, by=ann))
    await hub.work()
    assert {name for name, text in (await everything(hub)).items() if "aegir" in (text or "")} == set()
