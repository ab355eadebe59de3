"""Directories: created by administrators, listed for everybody who is signed in."""

import asyncio
from typing import Any

import pytest

from models.account import Role
from tests.hub import Answer, Hub, Person, payload, problems, secret_in, text_of

LIST = "{ directories { nodes { id name website } totalCount } }"


async def create(hub: Hub, by: Person, **facts: Any) -> Answer:
    asked = {"name": "Guide to Mediators", "email": "guide@demo.example", "website": "https://demo.example/guide"}
    return await hub.change("createDirectory", asked | facts, "directory { id name website }", by=by)


async def test_a_directory_sets_its_password_with_the_link_it_was_sent(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    made = payload(await create(hub, admin))["directory"]
    assert (made["name"], made["website"]) == ("Guide to Mediators", "https://demo.example/guide")
    await hub.work()
    (mail,) = hub.mails("guide@demo.example")
    assert "You now have directory access" in text_of(mail)
    token = secret_in(mail, "password")
    async with hub.later(days=13) as then:
        payload(await then.change("resetPassword", {"token": token, "password": "a first password"}))
    directory = await hub.sign_in("Guide@demo.example", "a first password")
    assert str(directory.id) == made["id"]
    (audit,) = await hub.rows("SELECT * FROM audit_entry")
    assert (audit["action"], audit["actor_id"], audit["subject_id"]) == ("DIRECTORY_CREATED", admin.id, directory.id)


async def test_a_directorys_link_ends_after_two_weeks(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    payload(await create(hub, admin))
    await hub.work()
    token = hub.secret("guide@demo.example", "password")
    async with hub.later(days=15) as then:
        late = await then.change("resetPassword", {"token": token, "password": "a first password"})
        assert problems(late) == [("token", "NOT_FOUND")]


async def test_no_directory_is_created_for_an_address_with_an_account(hub: Hub) -> None:
    admin, person = await hub.person(Role.ADMIN), await hub.mediator()
    answer = await create(hub, admin, email=person.email.upper())
    assert problems(answer) == [("email", "TAKEN")]
    assert not await hub.rows("SELECT 1 FROM directory")
    assert not await hub.rows("SELECT 1 FROM outbox")
    assert len(await hub.rows("SELECT 1 FROM account")) == 2


async def test_a_directory_created_several_times_at_once_is_created_once(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    answers = await asyncio.gather(*(create(hub, admin) for _ in range(4)))
    assert sorted(map(str, map(problems, answers))) == ["[('email', 'TAKEN')]"] * 3 + ["[]"]
    assert len(await hub.rows("SELECT 1 FROM directory")) == 1


async def test_a_directory_created_again_with_the_same_key_is_the_same_one(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    answers = await asyncio.gather(*(create(hub, admin, requestKey="once") for _ in range(4)))
    assert len({payload(answer)["directory"]["id"] for answer in answers}) == 1
    await hub.work()
    assert len(hub.mails()) == 1


async def test_only_people_who_are_signed_in_see_the_directories(hub: Hub) -> None:
    admin = await hub.person(Role.ADMIN)
    payload(await create(hub, admin))
    for role in Role:
        listed = (await hub.ask(LIST, by=await hub.person(role))).data["directories"]
        assert "Guide to Mediators" in [one["name"] for one in listed["nodes"]]
    assert set((await hub.ask(LIST)).codes) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_a_directory_without_the_role_is_not_listed(hub: Hub) -> None:
    admin, directory = await hub.person(Role.ADMIN), await hub.person(Role.DIRECTORY)
    await hub.give_roles(directory, Role.REVIEWER, by=admin)
    assert (await hub.ask(LIST, by=admin)).data["directories"] == {"nodes": [], "totalCount": 0}
    gone = await hub.change("updateDirectory", {"id": str(directory.id), "name": "N"}, by=admin)
    assert problems(gone) == [("id", "NOT_FOUND")]


async def test_an_administrator_changes_a_directorys_name_and_website(hub: Hub) -> None:
    admin, directory, other = await hub.person(Role.ADMIN), *[await hub.person(Role.DIRECTORY) for _ in range(2)]
    changed = await hub.change(
        "updateDirectory", {"id": str(directory.id), "name": "New"}, "directory { name website }", by=admin
    )
    assert payload(changed)["directory"] == {"name": "New", "website": None}
    website = {"id": str(directory.id), "website": "https://demo.example"}
    changed = await hub.change("updateDirectory", website, "directory { name website }", by=admin)
    assert payload(changed)["directory"] == {"name": "New", "website": "https://demo.example"}
    rows = await hub.rows("SELECT name FROM account WHERE id = $1", other.id)
    assert [row["name"] for row in rows] == [other.name]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"name": None}, "REQUIRED"),
        ({"name": "  "}, "REQUIRED"),
        ({"name": "x" * 201}, "TOO_LONG"),
        ({"website": "javascript:alert(1)"}, "INVALID"),
        ({"website": "demo.example"}, "INVALID"),
    ],
)
async def test_a_wrong_change_to_a_directory_changes_nothing(hub: Hub, wrong: dict[str, Any], code: str) -> None:
    admin, directory = await hub.person(Role.ADMIN), await hub.person(Role.DIRECTORY)
    answer = await hub.change("updateDirectory", {"id": str(directory.id), **wrong}, by=admin)
    assert problems(answer) == [(next(iter(wrong)), code)]
    rows = await hub.rows("SELECT name FROM account WHERE id = $1", directory.id)
    assert [row["name"] for row in rows] == [directory.name]


async def test_only_administrators_create_and_change_directories(hub: Hub) -> None:
    directory = await hub.person(Role.DIRECTORY)
    for role in (Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY):
        person = await hub.person(role)
        assert set((await create(hub, person)).codes) == {"GRAPHQL_VALIDATION_FAILED"}
        change = await hub.change("updateDirectory", {"id": str(directory.id), "name": "Mine"}, by=person)
        assert set(change.codes) == {"GRAPHQL_VALIDATION_FAILED"}
    assert not await hub.rows("SELECT 1 FROM account WHERE name IN ('Mine', 'Guide to Mediators')")
