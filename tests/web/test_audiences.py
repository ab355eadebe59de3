"""Who has which page: a second table, written by hand, with the status for each role; and each page's documents."""

import re
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from graphql import parse, validate

from models.account import Role
from permissions.viewer import Standing
from schema.build import projection
from tests.hub import Hub, Person
from tests.web.reading import cookie, everything
from tests.world import put_cases, put_cpd, put_feedback
from web.documents import document
from web.page import documents_of
from web.pages import pages

S, R, D, A, P = Standing.SELF, Standing.REVIEWER, Standing.DIRECTORY, Standing.ADMIN, Standing.PUBLIC
SIGNED_IN = (S, R, D, A)

STANDINGS = {Role.MEDIATOR: S, Role.REVIEWER: R, Role.DIRECTORY: D, Role.ADMIN: A}
DOCUMENTS = {
    name: (P,) if audience is None else tuple(STANDINGS[role] for role in Role if role in audience)
    for name, audience in documents_of(pages).items()
}
"""Who sees the pages that run a document's operations, according to their declarations."""

VIEWERS = ("signed out", "mediator", "reviewer", "directory", "admin", "unverified")


@dataclass(frozen=True)
class Statuses:
    """What a GET gets: signed out, as mediator, reviewer, directory, administrator, unverified mediator."""

    of: tuple[int, ...]


EVERYBODY = Statuses((200, 200, 200, 200, 200, 200))
LINK = Statuses((200, 200, 200, 200, 200, 200))
ONE_OF_MINE = Statuses((303, 200, 404, 404, 404, 403))
MEMBER = Statuses((303, 200, 200, 200, 200, 200))
VERIFIED = Statuses((303, 200, 200, 200, 200, 403))
MEDIATOR = ONE_OF_MINE
REVIEWER = Statuses((303, 404, 200, 404, 404, 404))
DIRECTORY = Statuses((303, 404, 404, 200, 200, 404))
ADMINISTRATOR = Statuses((303, 404, 404, 404, 200, 404))
BY_POST = Statuses((405, 405, 405, 405, 405, 405))

BALANCE = """
INSERT INTO opening_balance (mediator_id, role, minutes, before) VALUES ($1, 'OTHER', 60, '2020-01-01') RETURNING id
"""
TABLE: dict[str, Statuses] = {
    "/": EVERYBODY,
    "/audit.csv": ADMINISTRATOR,
    "/signin": EVERYBODY,
    "/signout": BY_POST,
    "/signup": EVERYBODY,
    "/forgotten": EVERYBODY,
    "/verify/{secret}": LINK,
    "/password/{secret}": LINK,
    "/invitation/{secret}": LINK,
    "/stop/{secret}": LINK,
    "/export/{secret}": Statuses((303, 404, 404, 404, 404, 403)),  # here of an export that never existed
    "/done/{what}": Statuses((404,) * 6),  # here in a browser that hasn't sent a form
    "/feedback/{secret}": Statuses((404,) * 6),  # here of a request that never existed
    "/receipt": EVERYBODY,
    "/receipt/{secret}": Statuses((404,) * 6),  # here of a receipt that never existed
    "/receipt/{secret}/erase": Statuses((404,) * 6),
    "/give": EVERYBODY,
    "/give/{secret}": Statuses((404,) * 6),  # here of a link that never existed
    "/give/to/{id}": EVERYBODY,
    "/logbook": MEDIATOR,
    "/logbook.csv": MEDIATOR,
    "/sessions.csv": MEDIATOR,
    "/logbook/import": MEDIATOR,
    "/logbook/import/failed.csv": BY_POST,
    "/logbook/new": MEDIATOR,
    "/logbook/{id}": ONE_OF_MINE,
    "/logbook/{id}/edit": ONE_OF_MINE,
    "/logbook/{id}/delete": BY_POST,
    "/logbook/{id}/sessions/new": ONE_OF_MINE,
    "/logbook/{id}/sessions/{session}/edit": Statuses((303, 404, 404, 404, 404, 403)),  # here of an unknown session
    "/logbook/{id}/sessions/{session}/delete": BY_POST,
    "/cpd.csv": MEDIATOR,
    "/cpd/new": MEDIATOR,
    "/cpd/{id}": ONE_OF_MINE,
    "/cpd/{id}/edit": ONE_OF_MINE,
    "/cpd/{id}/delete": BY_POST,
    "/opening-balances/new": MEDIATOR,
    "/opening-balances/{id}/edit": ONE_OF_MINE,
    "/opening-balances/{id}/delete": BY_POST,
    "/cpd/{id}/files": ONE_OF_MINE,
    "/cpd/files/{id}": Statuses((303, 404, 404, 404, 404, 403)),  # here of a file that never existed
    "/cpd/files/{id}/remove": BY_POST,
    "/learnings": MEDIATOR,
    "/learnings.csv": MEDIATOR,
    "/request": MEDIATOR,
    "/request/{id}/withdraw": BY_POST,
    "/my-feedback": MEDIATOR,
    "/my-feedback/{id}": ONE_OF_MINE,
    "/details": MEDIATOR,
    "/details/appoint": BY_POST,
    "/details/invite": BY_POST,
    "/details/resend": BY_POST,
    "/details/revoke": BY_POST,
    "/details/end-review": BY_POST,
    "/review": REVIEWER,
    "/review/{id}": REVIEWER,
    "/review/{id}/feedback.csv": REVIEWER,
    "/review/{id}/end": REVIEWER,
    "/review/{id}/accept": BY_POST,
    "/review/{id}/decline": BY_POST,
    "/mediators": DIRECTORY,
    "/mediators/{id}": DIRECTORY,
    "/mediators/{id}/logbook.csv": DIRECTORY,
    "/mediators/{id}/sessions.csv": DIRECTORY,
    "/mediators/{id}/cpd.csv": DIRECTORY,
    "/account": MEMBER,
    "/account/name": MEMBER,
    "/account/email": MEMBER,
    "/account/password": MEMBER,
    "/account/delete": MEMBER,
    "/account/sessions/{id}/end": BY_POST,
    "/account/tokens/new": VERIFIED,
    "/account/tokens/{id}/revoke": BY_POST,
    "/account/export": VERIFIED,
    "/account/second-factor": VERIFIED,
    "/account/second-factor/confirm": BY_POST,
    "/account/second-factor/codes": VERIFIED,
    "/account/second-factor/remove": VERIFIED,
}


def test_each_document_is_valid_for_everyone_who_sees_its_page() -> None:
    for name, audience in DOCUMENTS.items():
        for standing in SIGNED_IN if P in audience else audience:
            assert not validate(projection(standing | P), parse(document(name))), (name, standing)
        if P in audience:
            assert not validate(projection(P), parse(document(name))), name


def test_a_document_for_some_people_asks_for_something_that_others_do_not_have() -> None:
    for name, audience in DOCUMENTS.items():
        if set(audience) != set(SIGNED_IN) and audience != (P,):
            assert validate(projection(P), parse(document(name))), name


def test_every_page_is_in_the_table() -> None:
    assert {page.path for page in pages} == set(TABLE)


async def people(hub: Hub) -> dict[str, Person | None]:
    return {
        "signed out": None,
        "mediator": await hub.mediator(),
        "reviewer": await hub.person(Role.REVIEWER),
        "directory": await hub.person(Role.DIRECTORY),
        "admin": await hub.person(Role.ADMIN),
        "unverified": await hub.person(Role.MEDIATOR, verified=False),
    }


@pytest.mark.parametrize("path", TABLE)
async def test_each_role_gets_its_own_pages_and_no_others(hub: Hub, path: str) -> None:
    who = await people(hub)
    ann, rob = who["mediator"], who["reviewer"]
    assert ann
    assert rob
    await hub.appointed(ann, rob)
    ids: dict[str, UUID | str] = {
        "logbook": (await put_cases(hub, ann, {}))[0],
        "cpd": (await put_cpd(hub, ann, {}))[0],
        "my-feedback": await put_feedback(hub, ann),
        "opening-balances": (await hub.rows(BALANCE, ann.id))[0]["id"],
    }
    filled = path.replace("{secret}", "x" * 43).replace("{what}", "verify")
    filled = filled.replace("{id}", str(ids.get(path.split("/")[1], ann.id))).replace("{session}", str(uuid4()))
    before = await everything(hub)
    found = {}
    for name, person in who.items():
        response = await hub.client.get(filled, headers=cookie(person) if person else {})
        found[name] = response.status_code
        if response.status_code == 303:
            assert response.headers["location"] == f"/signin?next={filled}"
        assert re.match(r"text/(html|csv|plain)", response.headers.get("content-type", "text/plain"))
    assert found == dict(zip(VIEWERS, TABLE[path].of, strict=True))
    assert await everything(hub) == before
