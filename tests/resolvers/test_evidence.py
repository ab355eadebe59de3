"""Files as evidence: attaching, reading and deleting them, for the mediator alone; what others are told."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.account import Role
from models.database import Transaction
from models.mediator import Visibility
from models.pool import Unavailable
from resolvers import evidence_changes
from resolvers.context import Context
from tests.hub import Answer, Hub, Person, payload
from tests.samples import pdf, picture
from tests.world import put_cpd, put_file, put_token, statements

FILE = "file { id name kind mediaType bytes addedAt }"
FILES = "{ me { mediator { cpd { nodes { hasCertificate files { id name kind mediaType bytes addedAt } } } } } }"
TOLD = "query($id: ID!) { mediator(id: $id) { cpd { nodes { hasCertificate } } } }"


def given(entry_id: UUID, content: bytes | None = None, **facts: Any) -> dict[str, Any]:
    content = pdf() if content is None else content
    made = {"entryId": str(entry_id), "kind": "CERTIFICATE", "name": "my certificate.pdf"}
    return made | {"content": b64encode(content).decode()} | facts


async def attach(hub: Hub, by: Person, entry_id: UUID, content: bytes | None = None, **facts: Any) -> dict[str, Any]:
    made: dict[str, Any] = payload(await hub.change("attachFile", given(entry_id, content, **facts), FILE, by=by))
    return made["file"]  # type: ignore[no-any-return]


def folder(hub: Hub) -> Path:
    return Path(hub.settings.files_store or "")


def stored(hub: Hub) -> list[str]:
    return sorted(one.name for one in folder(hub).iterdir()) if folder(hub).exists() else []


async def kept(hub: Hub) -> tuple[list[Any], list[str]]:
    """Everything that's kept of files."""
    rows = await hub.rows(
        "SELECT evidence_file.*, has_certificate FROM evidence_file JOIN cpd_entry ON entry_id = cpd_entry.id"
    )
    return rows, stored(hub)


def problem(answer: Answer, mutation: str = "attachFile") -> dict[str, Any]:
    (found,) = answer.data[mutation]["userErrors"]
    return found  # type: ignore[no-any-return]


async def test_a_mediator_attaches_a_file_and_finds_it_at_its_entry(hub: Hub) -> None:
    ann = await hub.mediator()
    entry, other = await put_cpd(hub, ann, {}, {"title": "Another"})
    made = await attach(hub, ann, entry)
    assert made["name"] == "my certificate.pdf"
    assert (made["kind"], made["mediaType"], made["bytes"]) == ("CERTIFICATE", "application/pdf", len(pdf()))
    nodes = (await hub.ask(FILES, by=ann)).data["me"]["mediator"]["cpd"]["nodes"]
    assert sorted((node["hasCertificate"], len(node["files"])) for node in nodes) == [(False, 0), (True, 1)]
    assert [node["files"][0] for node in nodes if node["files"]] == [made]
    assert stored(hub) == [UUID(made["id"]).hex]
    assert (await hub.ask(FILES, token=await put_token(hub, ann))).data["me"]["mediator"]["cpd"]["nodes"] == nodes
    assert other


async def test_the_files_of_a_whole_page_take_one_statement_and_certificates_none(hub: Hub) -> None:
    ann = await hub.mediator()
    for entry in await put_cpd(hub, ann, *({} for _ in range(12))):
        await put_file(hub, ann, entry)
    async with statements(hub) as run:
        nodes = (await hub.ask(FILES, by=ann)).data["me"]["mediator"]["cpd"]["nodes"]
    assert [len(node["files"]) for node in nodes] == [1] * 12
    assert len([one for one in run if "evidence_file" in one]) == 1
    async with statements(hub) as run:
        await hub.ask(FILES.replace("files { id name kind mediaType bytes addedAt }", ""), by=ann)
    assert not [one for one in run if "evidence_file" in one]


async def test_others_learn_only_that_there_is_a_certificate(hub: Hub) -> None:
    ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
    await hub.appointed(ann, rob)
    (entry,) = await put_cpd(hub, ann, {})
    others = [await hub.person(Role.DIRECTORY), await hub.person(Role.ADMIN)]
    await attach(hub, ann, entry, kind="OTHER")
    for one in others:
        (node,) = (await hub.ask(TOLD, {"id": str(ann.id)}, by=one)).data["mediator"]["cpd"]["nodes"]
        assert node == {"hasCertificate": False}
    await attach(hub, ann, entry)
    for one in others:
        (node,) = (await hub.ask(TOLD, {"id": str(ann.id)}, by=one)).data["mediator"]["cpd"]["nodes"]
        assert node == {"hasCertificate": True}
        more = TOLD.replace("hasCertificate", "hasCertificate files { id }")
        assert (await hub.ask(more, {"id": str(ann.id)}, by=one)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert (await hub.ask(TOLD, {"id": str(ann.id)}, by=rob)).codes == ["GRAPHQL_VALIDATION_FAILED"]
    assert (await hub.ask(TOLD, {"id": str(ann.id)})).codes != []


async def test_an_administrator_who_is_a_mediator_reads_only_their_own_files(hub: Hub) -> None:
    ann, eve = await hub.mediator(), await hub.person(Role.MEDIATOR, Role.ADMIN)
    (entry,), (own,) = await put_cpd(hub, ann, {}), await put_cpd(hub, eve, {})
    await attach(hub, ann, entry)
    made = await attach(hub, eve, own, kind="OTHER")
    document = "{ mediators { nodes { id cpd { nodes { hasCertificate files { id } } } } } }"
    nodes = (await hub.ask(document, by=eve)).data["mediators"]["nodes"]
    found = {node["id"]: node["cpd"]["nodes"] for node in nodes}
    assert found[str(ann.id)] == [{"hasCertificate": True, "files": None}]
    assert found[str(eve.id)] == [{"hasCertificate": False, "files": [{"id": made["id"]}]}]


async def test_nobody_attaches_to_or_deletes_from_anothers_entry(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator(visibility=Visibility.PRIVATE)
    (entry,) = await put_cpd(hub, ann, {})
    made = await attach(hub, ann, entry)
    before = await kept(hub)
    for who in (bea, await hub.person(Role.MEDIATOR, Role.ADMIN)):
        refused = [problem(await hub.change("attachFile", given(one), by=who)) for one in (entry, uuid4())]
        assert refused[0] == refused[1]
        assert refused[0]["code"] == "NOT_FOUND"
        refused = [
            problem(await hub.change("detachFile", {"id": one}, by=who), "detachFile")
            for one in (made["id"], str(uuid4()), "nonsense")
        ]
        assert refused[0] == refused[1] == refused[2]
    for other in (
        await hub.person(Role.ADMIN),
        await hub.person(Role.DIRECTORY),
        await hub.person(Role.REVIEWER),
        None,
    ):
        for mutation, sent in (("attachFile", given(entry)), ("detachFile", {"id": made["id"]})):
            assert (await hub.change(mutation, sent, by=other)).codes[0] == "GRAPHQL_VALIDATION_FAILED"
    assert await kept(hub) == before


async def test_a_deleted_file_is_gone_and_so_is_what_it_told_others(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    first, second = await attach(hub, ann, entry), await attach(hub, ann, entry)
    certified = "SELECT has_certificate FROM cpd_entry"
    for made, left in ((first, True), (second, False)):
        assert (
            payload(await hub.change("detachFile", {"id": made["id"]}, "deletedId", by=ann))["deletedId"] == made["id"]
        )
        assert [row[0] for row in await hub.rows(certified)] == [left]
    assert await hub.rows("SELECT FROM evidence_file") == []
    assert len(await hub.rows("SELECT FROM deleted_file WHERE NOT swept")) == 2


async def test_without_keys_nothing_can_be_attached(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    vars(hub.app.state.settings)["file_keys"] = ()
    answer = problem(await hub.change("attachFile", given(entry), by=ann))
    assert (answer["code"], answer["message"]) == ("NOT_ALLOWED", "Files can't be attached here.")
    assert await kept(hub) == ([], [])


async def test_a_repeated_request_attaches_a_file_once(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    first = await attach(hub, ann, entry, requestKey="one")
    assert await attach(hub, ann, entry, requestKey="one") == first
    assert stored(hub) == [UUID(first["id"]).hex]
    other = await hub.change("attachFile", given(entry, picture("PNG"), requestKey="one"), by=ann)
    assert problem(other)["code"] == "REPEATED_KEY"
    assert stored(hub) == [UUID(first["id"]).hex]


@pytest.mark.parametrize("name", ["MAX_ACCOUNT_BYTES", "MAX_FILES"])
async def test_what_comes_at_the_same_moment_does_not_get_past_the_limits(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    monkeypatch.setattr(evidence_changes, name, 3 * len(pdf()) if name == "MAX_ACCOUNT_BYTES" else 3)
    answers = await asyncio.gather(*(hub.change("attachFile", given(entry), FILE, by=ann) for _ in range(8)))
    assert sum(answer.data["attachFile"]["file"] is not None for answer in answers) == 3
    refused = [problem(one)["code"] for one in answers if one.data["attachFile"]["file"] is None]
    assert refused == ["NOT_ALLOWED"] * 5
    rows, names = await kept(hub)
    assert (len(rows), len(names)) == (3, 3)


async def test_while_the_store_is_away_nothing_is_half_saved_and_the_answer_says_so(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    folder(hub).write_text("a file where the folder should be")
    answer = await hub.change("attachFile", given(entry), FILE, by=ann)
    assert answer.codes == ["UNAVAILABLE"]
    assert await hub.rows("SELECT FROM evidence_file") == []
    folder(hub).unlink()
    await attach(hub, ann, entry)


async def test_if_nobody_knows_whether_a_row_was_written_its_bytes_stay(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection may be lost in the middle of a commit that PostgreSQL then makes."""
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    transaction = Context.transaction

    @asynccontextmanager
    async def lost(context: Context, **how: Any) -> AsyncIterator[Transaction]:
        async with transaction(context, **how) as opened:
            yield opened
        raise Unavailable

    monkeypatch.setattr(Context, "transaction", lost)
    assert (await hub.change("attachFile", given(entry), FILE, by=ann)).status == 503
    monkeypatch.setattr(Context, "transaction", transaction)
    ((file_id,),) = await hub.rows("SELECT id FROM evidence_file")
    assert stored(hub) == [file_id.hex]


async def test_what_cannot_be_read_as_base64_is_bad_input(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    for content in ("%%%", "YQ", "Y Q==", "é", 7):
        answer = await hub.change("attachFile", given(entry) | {"content": content}, by=ann)
        assert answer.codes == ["BAD_USER_INPUT"], content
    assert await kept(hub) == ([], [])


async def test_a_file_with_its_entry_or_its_account_cannot_be_read_any_more(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = await attach(hub, ann, entry)
    payload(await hub.change("deleteCpdEntry", {"id": str(entry)}, by=ann))
    assert await hub.rows("SELECT FROM evidence_file") == []
    assert [str(row[0]) for row in await hub.rows("SELECT id FROM deleted_file")] == [made["id"]]
