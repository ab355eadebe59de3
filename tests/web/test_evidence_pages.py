"""The pages of files: attaching, downloading and removing them as people do."""

import asyncio
import re
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import httpx
import pytest

from models.account import Role
from resolvers import limits
from resolvers.evidence_content import MAX_BYTES
from tests.hub import Hub, Person
from tests.resolvers.test_evidence import attach, folder, kept
from tests.samples import pdf, picture
from tests.web.reading import (
    FOREIGN,
    cells,
    cookie,
    exhausted,
    followed,
    get,
    is_a_page,
    led_to,
    opened,
    plain,
    post,
    problems,
    sheet,
)
from tests.web.test_export_link import export_link
from tests.world import put_cpd, put_token
from web.client import SENT_BEFORE
from web.downloads import disposition
from web.pages import evidence


async def upload(
    hub: Hub, by: Person | None, entry: UUID | str, data: bytes, name: str = "my diploma.pdf", **more: Any
) -> httpx.Response:
    hub.client.cookies.clear()
    headers = (cookie(by) if by else {}) | more.pop("headers", {})
    typed = {"kind": "CERTIFICATE", "requestKey": str(uuid4())} | more
    files = {"file": (name, data, "text/html")}
    return await hub.client.post(f"/cpd/{entry}/files", data=typed, files=files, headers=headers)


async def test_a_file_is_attached_downloaded_and_removed_on_the_page_of_its_entry(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    assert "Attach" in (await opened(hub, ann, f"/cpd/{entry}")).text
    sent = await upload(hub, ann, entry, pdf())
    assert led_to(sent) == f"/cpd/{entry}?back=/logbook&done=attached"
    page = await followed(hub, sent, ann)
    assert "The file has been attached." in page.text
    assert cells(page, "Name") == ["my diploma.pdf"]
    assert cells(page, "Size") == ["1 KB"]
    ((file_id,),) = await hub.rows("SELECT id FROM evidence_file")
    got = await get(hub, ann, f"/cpd/files/{file_id}")
    assert (got.status_code, got.content) == (200, pdf())
    headers = {
        "content-type": "application/pdf",
        "content-disposition": "attachment; filename=\"my diploma.pdf\"; filename*=UTF-8''my%20diploma.pdf",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
    }
    assert {name: got.headers[name] for name in headers} == headers
    table = await opened(hub, ann, "/logbook")
    assert cells(table, "Title") == ["Listening Certificate"]
    assert [row["Certificate"] for row in await sheet(hub, ann, "/cpd.csv")] == ["Yes"]
    gone = await post(hub, ann, f"/cpd/files/{file_id}/remove", entry=str(entry), back="/logbook")
    assert led_to(gone) == f"/cpd/{entry}?back=/logbook&done=detached"
    assert "my diploma" not in (await followed(hub, gone, ann)).text
    assert (await get(hub, ann, f"/cpd/files/{file_id}")).status_code == 404


async def test_a_file_of_ten_megabytes_is_taken_and_one_byte_more_is_not(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    largest = pdf(last=b"%" * (MAX_BYTES - len(pdf()) - 5))
    largest += b"\n" * (MAX_BYTES - len(largest))
    assert len(largest) == MAX_BYTES
    assert (await upload(hub, ann, entry, largest)).status_code == 303
    before = await kept(hub)
    refused = await upload(hub, ann, entry, largest + b"\n")
    assert is_a_page(refused, 422)
    ((field, text),) = problems(refused)
    assert (field, text.endswith("A file can be at most 10 MB. This one is larger.")) == ("file", True)
    assert await kept(hub) == before
    ((file_id,),) = await hub.rows("SELECT id FROM evidence_file")
    assert (await get(hub, ann, f"/cpd/files/{file_id}")).content == largest


async def test_what_is_wrong_with_a_form_is_said_beside_its_field_and_what_was_chosen_is_kept(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {"title": "A course"})
    cases = [
        (await upload(hub, ann, entry, b"<html>", kind="OTHER"), "file", "Please choose a PDF, a JPEG or a PNG."),
        (await upload(hub, ann, entry, b"", kind="OTHER"), "file", "This file is empty."),
        (await upload(hub, ann, entry, pdf(), kind="MEDAL"), "kind", "Please choose one."),
        (await upload(hub, ann, entry, b"", name="", kind="OTHER"), "file", "Please choose a file."),
    ]
    for page, field, message in cases:
        assert is_a_page(page, 422)
        ((where, text),) = problems(page)
        assert (where, message in text) == (field, True), text
        assert ('value="OTHER" selected' in page.text) is (field == "file")
        assert "Files: A course" in plain(page.text)
    assert await kept(hub) == ([], [])
    assert is_a_page(await opened(hub, ann, f"/cpd/{entry}/files"))


async def test_a_form_sent_again_attaches_its_file_once_and_with_another_file_asks(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    for _ in range(2):
        assert (await upload(hub, ann, entry, pdf(), requestKey="one")).status_code == 303
    before = await kept(hub)
    assert len(before[0]) == len(before[1]) == 1
    refused = await upload(hub, ann, entry, picture("PNG"), requestKey="one", kind="OTHER")
    assert is_a_page(refused, 422)
    assert problems(refused) == [(None, str(SENT_BEFORE))]
    assert 'value="OTHER" selected' in refused.text
    assert await kept(hub) == before
    (key,) = re.findall(r'name="requestKey" value="([^"]+)"', refused.text)
    assert key != "one"
    assert (await upload(hub, ann, entry, picture("PNG"), requestKey=key, kind="OTHER")).status_code == 303
    assert len((await kept(hub))[0]) == 2


async def test_a_file_is_nowhere_for_anybody_else(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = await attach(hub, ann, entry)
    before = await kept(hub)
    others = [await hub.mediator(), await hub.person(Role.ADMIN, Role.MEDIATOR), await hub.person(*Role)]
    for one in others:
        for path in (f"/cpd/files/{made['id']}", f"/cpd/files/{uuid4()}", f"/cpd/{entry}/files"):
            assert (await get(hub, one, path)).status_code == 404
        known, unknown = [await get(hub, one, f"/cpd/files/{file_id}") for file_id in (made["id"], uuid4())]
        assert plain(known.text) == plain(unknown.text)
        assert (await upload(hub, one, entry, pdf())).status_code == 404
        assert (await post(hub, one, f"/cpd/files/{made['id']}/remove", entry=str(entry))).status_code == 404
    for one in (await hub.person(Role.ADMIN), await hub.person(Role.DIRECTORY), await hub.person(Role.REVIEWER)):
        assert (await get(hub, one, f"/cpd/files/{made['id']}")).status_code == 404
        assert (await upload(hub, one, entry, pdf())).status_code == 404
    hub.client.cookies.clear()
    assert (await hub.client.get(f"/cpd/files/{made['id']}")).status_code == 303
    assert (await upload(hub, None, entry, pdf())).status_code == 401
    token = {"authorization": f"Bearer {await put_token(hub, ann)}"}
    assert (await hub.client.get(f"/cpd/files/{made['id']}", headers=token)).status_code == 404
    for headers in FOREIGN:
        assert (await upload(hub, ann, entry, pdf(), headers=headers)).status_code == 403
    assert await kept(hub) == before


async def test_a_directory_sees_that_there_is_a_certificate(hub: Hub) -> None:
    ann, dora = await hub.mediator(), await hub.person(Role.DIRECTORY)
    certified, _ = await put_cpd(hub, ann, {"title": "With"}, {"title": "Without"})
    made = await attach(hub, ann, certified, picture("PNG"), name="a name that tells.png")
    page = await opened(hub, dora, f"/mediators/{ann.id}")
    found = dict(zip(cells(page, "Title"), cells(page, "Certificate"), strict=True))
    assert found == {"With": "Yes", "Without": ""}
    rows = await sheet(hub, dora, f"/mediators/{ann.id}/cpd.csv")
    assert {row["Title"]: row["Certificate"] for row in rows} == {"With": "Yes", "Without": "No"}
    for text in (page.text, str(rows)):
        assert "a name that tells" not in text
        assert made["id"] not in text


async def test_without_keys_there_is_no_form_and_nothing_about_files(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    vars(hub.app.state.settings)["file_keys"] = ()
    assert 'type="file"' not in (await opened(hub, ann, f"/cpd/{entry}")).text
    refused = await upload(hub, ann, entry, pdf())
    assert problems(refused) == [(None, "Files can't be attached here.")]
    assert await kept(hub) == ([], [])


async def test_while_the_store_is_away_the_pages_say_so(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    made = await attach(hub, ann, entry)
    folder(hub).rename(folder(hub).with_name("elsewhere"))
    folder(hub).write_text("no folder")
    got = await get(hub, ann, f"/cpd/files/{made['id']}")
    assert is_a_page(got, 503)
    refused = await upload(hub, ann, entry, pdf())
    assert (refused.status_code, len(problems(refused))) == (503, 1)
    folder(hub).unlink()
    folder(hub).with_name("elsewhere").rename(folder(hub))
    assert (await get(hub, ann, f"/cpd/files/{made['id']}")).content == pdf()


async def test_too_many_uploads_are_stopped_for_an_hour(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    await exhausted(hub, limits.UPLOADS, 60, ann.id)
    assert (await upload(hub, ann, entry, pdf())).status_code == 429
    assert await kept(hub) == ([], [])


async def test_one_person_sends_one_file_at_a_time_and_all_together_a_few(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    (entry,), (other,) = await put_cpd(hub, ann, {}), await put_cpd(hub, bea, {})
    monkeypatch.setattr(evidence, "_WAITS", 0.01)
    evidence._uploading[ann.id] = asyncio.Event()
    assert (await upload(hub, ann, entry, pdf())).status_code == 429
    evidence._uploading.clear()
    monkeypatch.setattr(evidence, "_slots", asyncio.Semaphore(0))
    assert (await upload(hub, bea, other, pdf())).status_code == 503
    assert await kept(hub) == ([], [])
    assert evidence._uploading == {}


def test_a_name_never_breaks_out_of_its_header() -> None:
    assert disposition('a"b\\c%.pdf') == "attachment; filename=\"a_b_c_.pdf\"; filename*=UTF-8''a%22b%5Cc%25.pdf"
    written = disposition("Zertifikat für Ærø\r\nSet-Cookie: x.pdf")
    assert written.isascii()
    assert "\r" not in written
    assert "\n" not in written


async def test_a_form_sent_twice_at_once_attaches_one_file_and_leads_to_the_entry_both_times(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    both = await asyncio.gather(*(upload(hub, ann, entry, pdf(), requestKey="same") for _ in range(2)))
    assert [one.status_code for one in both] == [303, 303]
    assert len(await hub.rows("SELECT FROM evidence_file")) == 1


async def test_a_file_that_is_too_large_does_not_lose_what_it_is(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    page = await upload(hub, ann, entry, b"%PDF-" + b"x" * MAX_BYTES)
    assert is_a_page(page, 422)
    assert '<option value="CERTIFICATE" selected>' in page.text


async def test_a_damaged_file_is_a_page_and_does_not_stop_the_copy_of_ones_data(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    damaged, sound = await attach(hub, ann, entry), await attach(hub, ann, entry)
    path = await export_link(hub, ann)
    stored = folder(hub) / damaged["id"].replace("-", "")
    stored.write_bytes(stored.read_bytes()[:100])
    assert is_a_page(await get(hub, ann, f"/cpd/files/{damaged['id']}"), 410)
    with ZipFile(BytesIO((await post(hub, ann, path)).content)) as archive:
        files = {name.split("/")[1]: name for name in archive.namelist() if name.startswith("files/")}
        assert set(files) == {damaged["id"], sound["id"]}
        assert b"can't be read any more" in archive.read(files[damaged["id"]])
        assert archive.read(files[sound["id"]]).startswith(b"%PDF")
