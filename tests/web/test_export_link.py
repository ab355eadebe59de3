"""The link to the copy of one's data: it opens only for its owner, and only once they're fully signed in."""

import json
from io import BytesIO
from zipfile import ZipFile

import pytest

from models.account import Role
from tests.hub import BASE_URL, PASSWORD, Hub, Person, opened, payload, secret_in
from tests.resolvers.test_evidence import attach, folder
from tests.samples import opened as opened_picture
from tests.samples import picture
from tests.security.test_second_factor import protected
from tests.web.reading import FOREIGN, cookie, everything, get, is_a_page, post
from tests.world import put_cpd, put_token

UNKNOWN = "/export/" + "x" * 43


async def export_link(hub: Hub, owner: Person) -> str:
    """Have a copy made, and return the path of its link."""
    payload(await hub.change("exportMyData", {}, by=owner))
    await hub.work()
    (mail,) = [mail for mail in hub.mails(owner.email) if mail["subject"] == "Your data is ready to download"]
    return f"/export/{secret_in(mail, 'export')}"


async def test_its_owner_downloads_it_with_the_button_as_often_as_they_like(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    (row,) = await hub.rows("SELECT archive FROM data_export")
    before = await everything(hub)
    page = await get(hub, ann, path)
    assert is_a_page(page)
    assert "noindex" in page.text
    elsewhere = await hub.sign_in(ann.email)
    for who in (ann, ann, elsewhere):
        response = await post(hub, who, path)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/zip"
        assert response.headers["content-disposition"] == 'attachment; filename="my-data.zip"'
        assert response.headers["cache-control"] == "no-store"
        assert response.content == row["archive"]
    assert (await everything(hub))["data_export"] == before["data_export"]


async def test_an_owner_who_is_signed_out_signs_in_first_and_comes_back(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    for address in (path, UNKNOWN):
        response = await hub.client.get(address)
        assert (response.status_code, response.headers["location"]) == (303, f"/signin?next={address}")
        refused = await hub.client.post(address)
        assert is_a_page(refused, 401)
        assert refused.headers["www-authenticate"].startswith("Bearer ")
        assert b"PK" not in refused.content
    signed_in = await hub.client.post("/signin", data={"email": ann.email, "password": PASSWORD, "next": path})
    assert signed_in.headers["location"] == path
    assert is_a_page(await hub.client.get(path))
    hub.client.cookies.clear()


@pytest.mark.parametrize("role", Role)
async def test_to_everybody_else_it_looks_like_a_link_that_never_existed(hub: Hub, role: Role) -> None:
    ann, other = await hub.mediator(), await hub.person(role)
    path = await export_link(hub, ann)
    before = await everything(hub)
    for ask in (get, post):
        refused, unknown = await ask(hub, other, path), await ask(hub, other, UNKNOWN)
        assert is_a_page(refused, 404)
        assert refused.text == unknown.text
    assert await everything(hub) == before


async def test_no_token_opens_it_not_even_one_of_its_owner(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    token = await put_token(hub, ann)
    for secret, status in ((token, 404), ("x", 401)):
        for more in ({}, cookie(ann)):
            response = await hub.client.post(path, headers={"authorization": f"Bearer {secret}"} | more)
            assert is_a_page(response, status)
            assert "set-cookie" not in response.headers
    assert is_a_page(await get(hub, ann, path))


async def test_another_site_cannot_download_anything(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    for headers in FOREIGN:
        assert is_a_page(await hub.client.post(path, headers=headers | cookie(ann)), 403)
    assert (await hub.client.post(path, headers={"origin": BASE_URL} | cookie(ann))).status_code == 200


async def test_the_link_does_not_work_once_the_address_is_no_longer_confirmed(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    await hub.rows("UPDATE account SET email_verified_at = NULL")
    assert is_a_page(await get(hub, ann, path), 403)
    assert is_a_page(await post(hub, ann, path), 403)


async def test_with_a_second_factor_no_session_without_it_opens_it(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    before = ann
    ann, _, codes = await protected(hub, ann)
    for session in (before, await hub.mediator()):
        assert (await post(hub, session, path)).status_code in {401, 404}
    assert "set-cookie" not in (await hub.try_to_sign_in(ann.email)).headers
    assert (await post(hub, ann, path)).content.startswith(b"PK")
    payload(await hub.change("signIn", {"email": ann.email, "password": PASSWORD, "code": codes[0]}))
    assert (await hub.client.post(path)).content.startswith(b"PK")
    hub.client.cookies.clear()


async def test_an_administrator_without_the_required_second_factor_cannot_open_it(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    path = await export_link(hub, admin)
    async with opened(hub.services, settings=hub.settings, admin_second_factor=True) as strict:
        for ask in (get, post):
            refused = await ask(strict, admin, path)
            assert is_a_page(refused, 403)
            assert "Please set up a second factor first" in refused.text
        admin, _, _ = await protected(strict, admin)
        assert (await post(strict, admin, path)).content.startswith(b"PK")


async def test_it_is_gone_after_a_week(hub: Hub) -> None:
    ann = await hub.mediator()
    path = await export_link(hub, ann)
    async with hub.later(days=8) as then:
        assert is_a_page(await get(then, ann, path), 404)
        assert is_a_page(await post(then, ann, path), 404)


async def test_the_files_of_its_owner_are_in_it_as_they_are_at_that_moment(hub: Hub) -> None:
    ann, bea = await hub.mediator(), await hub.mediator()
    (entry,), (other,) = await put_cpd(hub, ann, {}), await put_cpd(hub, bea, {})
    gone, stays = await attach(hub, ann, entry, name="a.pdf"), await attach(hub, ann, entry, picture("PNG"), name="b")
    await attach(hub, bea, other, name="not hers.pdf")
    path = await export_link(hub, ann)
    payload(await hub.change("detachFile", {"id": gone["id"]}, by=ann))
    response = await post(hub, ann, path)
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == 'attachment; filename="my-data.zip"'
    (row,) = await hub.rows("SELECT archive FROM data_export")
    with ZipFile(BytesIO(response.content)) as whole, ZipFile(BytesIO(row["archive"])) as made:
        assert whole.testzip() is None
        added = [name for name in whole.namelist() if name not in made.namelist()]
        assert added == [f"files/{stays['id']}/b.png"]
        assert opened_picture(whole.read(added[0])).size == opened_picture(picture("PNG")).size
        assert all(whole.read(name) == made.read(name) for name in made.namelist())
        listed = json.loads(whole.read("evidence.json"))
        assert [one["id"] for one in listed] == [gone["id"], stays["id"]]
        assert listed[1] == {"entryId": str(entry)} | stays
        heading = whole.read("evidence.csv").decode("utf-8-sig").splitlines()[0]
        assert heading == "entryId,id,name,kind,mediaType,bytes,addedAt"
        assert "folder files" in " ".join(whole.read("README.txt").decode().split())


async def test_while_the_store_is_away_it_is_not_handed_out_without_its_files(hub: Hub) -> None:
    ann = await hub.mediator()
    (entry,) = await put_cpd(hub, ann, {})
    await attach(hub, ann, entry)
    path = await export_link(hub, ann)
    folder(hub).rename(folder(hub).with_name("elsewhere"))
    folder(hub).write_text("no folder")
    refused = await post(hub, ann, path)
    assert is_a_page(refused, 503)
    assert b"PK" not in refused.content
