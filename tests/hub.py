"""A running hub for a test: the real application, its people, the work of its worker, and the mail it sent."""

import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from sqlalchemy import func, insert
from starlette.applications import Starlette

from demo import mailbox
from demo.embedded import Services
from demo.mailcatcher import CaughtMail, caught, machine_time
from models.account import Role, sessions
from models.database import Database
from models.directory import directories
from models.mediator import Visibility
from models.reviewer import appointments
from models.row_security import WORKER
from permissions import passwords
from permissions.sealing import Origin, PartyDetails, open_details, open_origin
from permissions.secrets import hash_secret, new_secret
from resolvers.account import add_profile
from resolvers.account_row import new_account
from settings import Settings, load
from tests.warm import admin, connected
from web.app import make_app
from web.worker import CHORES, DRAINS, Work

BASE_URL = "http://127.0.0.1:8000"
PASSWORD = "correct horse battery"
FILES_KEY = "a key of files that only tests have"

_numbers = count(1)
_seen: set[str] = set()  # ids of mails; each belongs to one test


def settings_for(services: Services, **overrides: Any) -> Settings:
    """Settings for tests; the key is new each time, so that no two tests share a rate limit."""
    values = {
        "database_url": services.database_url,
        "database_owner_url": services.database_owner_url,
        "database_worker_url": services.database_worker_url,
        "database_pool_size": 5,
        "redis_url": services.redis_url,
        "smtp_url": services.smtp_url,
        "mail_from": "Logbook <logbook@demo.example>",
        "base_url": BASE_URL,
        "secret_key": secrets.token_urlsafe(32),
        "digest_url": "https://demo.example/digest",
        "support_email": "support@demo.example",
        "privacy_policy_url": "https://demo.example/privacy",
        "mailbox": services.mailbox,
        "files_store": str(services.mailbox / "files"),
        "files_keys": FILES_KEY,
    } | overrides
    return load(**{"release_least": 0 if values["mailbox"] else 3} | values)


@cache
def password_hash() -> str:
    return passwords.HASHER.hash(PASSWORD)


@dataclass(frozen=True)
class Person:
    """Somebody with an account; `cookie` signs them in."""

    id: UUID
    name: str
    email: str
    cookie: str


@dataclass
class Answer:
    """The answer to a GraphQL request."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers

    @property
    def data(self) -> Any:
        assert "errors" not in self.body, self.body["errors"]
        return self.body["data"]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.body.get("errors", [])]


def payload(answer: Answer) -> Any:
    """The only field of a mutation's answer, which must have been accepted."""
    (found,) = answer.data.values()
    assert not found["userErrors"], found["userErrors"]
    return found


def problems(answer: Answer) -> list[tuple[str | None, str]]:
    """Field and code of each userError of a mutation's only field."""
    (found,) = answer.data.values()
    return [(error["field"], error["code"]) for error in found["userErrors"]]


def secret_in(mail: CaughtMail, page: str) -> str:
    """The secret of the only link to that page in a mail."""
    (secret,) = set(re.findall(rf"/{page}/([\w=-]+)", mail["text"]))
    return str(secret)


def text_of(mail: CaughtMail) -> str:
    """The words of a mail, wherever its lines break."""
    return " ".join(mail["text"].split())


async def drain(database: Database, settings: Settings) -> int:
    """Do what is due in the outbox; return how many rows that was."""
    work = Work(database, settings)
    return sum([await job({"work": work}) for job in DRAINS])


@dataclass(repr=False)  # asyncio turns the arguments of a test into text that nobody reads
class Hub:
    """The application on one database: `database` as its owner, for adding rows; `worker` with the worker's role."""

    app: Starlette
    client: httpx.AsyncClient
    settings: Settings
    database: Database
    worker: Database
    services: Services
    moved: timedelta = field(default=timedelta())

    async def ask(
        self,
        document: str,
        variables: dict[str, Any] | None = None,
        *,
        by: Person | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request: as somebody, with an API token, or signed out."""
        json_only = {"content-type": "application/json", "accept": "application/graphql-response+json"}
        sent = {**json_only, **(headers or {})}
        if by is not None:
            sent["cookie"] = f"session={by.cookie}"
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        body = json.dumps({"query": document, "variables": variables})  # also writes a lone surrogate
        response = await self.client.post("/graphql", content=body, headers=sent)
        return Answer(response.status_code, response.json(), response.headers)

    async def ask_about(self, mediator: Person, selection: str, **who: Any) -> Answer:
        """Ask for fields of a mediator."""
        document = f"query($id: ID!) {{ mediator(id: $id) {{ {selection} }} }}"
        return await self.ask(document, {"id": str(mediator.id)}, **who)

    async def change(self, mutation: str, input: dict[str, Any], fields: str = "", **who: Any) -> Answer:
        """Run one mutation by name with its input."""
        name = mutation[0].upper() + mutation[1:]
        selection = f"{fields} userErrors {{ field message code }}"
        document = f"mutation($input: {name}Input!) {{ {mutation}(input: $input) {{ {selection} }} }}"
        return await self.ask(document, {"input": input}, **who)

    async def person(
        self,
        *roles: Role,
        name: str | None = None,
        email: str | None = None,
        visibility: Visibility = Visibility.DIRECTORIES,
        verified: bool = True,
    ) -> Person:
        """Add an account with a session."""
        number = next(_numbers)
        name = name or f"Person {number}"
        email = email or f"person{number}@demo.example"
        async with self.database.transaction() as transaction:
            account_id, verified_at = uuid4(), self.database.now() if verified else None
            hashed = password_hash()
            await transaction.run(
                new_account(name, email, *roles, password_hash=hashed, id=account_id, email_verified_at=verified_at)
            )
            if Role.MEDIATOR in roles:
                await add_profile(self.settings, transaction, account_id, visibility)
            if Role.DIRECTORY in roles:
                await transaction.run(insert(directories).values(id=account_id))
            secret = new_secret()
            await transaction.run(insert(sessions).values(account_id=account_id, secret_hash=hash_secret(secret)))
        return Person(account_id, name, email, secret)

    async def try_to_sign_in(self, email: str, password: str = PASSWORD, **facts: Any) -> Answer:
        """Sign in over the API, with a `code` too if there is one; the client keeps no cookie."""
        facts |= {"email": email, "password": password}
        answer = await self.change("signIn", facts, "signedIn secondFactorRequired")
        self.client.cookies.clear()
        return answer

    async def sign_in(self, email: str, password: str = PASSWORD) -> Person:
        """Sign in as somebody who may; the cookie comes from the answer."""
        answer = await self.try_to_sign_in(email, password)
        assert payload(answer)["signedIn"]
        (cookie,) = re.findall("session=([^;]+)", answer.headers["set-cookie"])
        me = (await self.ask("{ me { id name email } }", headers={"cookie": f"session={cookie}"})).data["me"]
        return Person(UUID(me["id"]), me["name"], me["email"], cookie)

    async def mediator(self, **facts: Any) -> Person:
        """Add a mediator, visible to directories unless told otherwise."""
        return await self.person(Role.MEDIATOR, **facts)

    async def appointed(self, mediator: Person, reviewer: Person, **facts: Any) -> None:
        """Let a confirmed reviewer's appointment be in force."""
        await self.confirmed(reviewer)
        facts = {"in_force": True, "accepted_at": func.clock(), **facts}
        async with self.database.transaction() as transaction:
            await transaction.run(
                insert(appointments).values(mediator_id=mediator.id, reviewer_id=reviewer.id, **facts)
            )

    async def waiting(self, mediator: Person, reviewer: Person, **facts: Any) -> UUID:
        """Let an appointment wait for its reviewer and, unless told otherwise, for an administrator's approval."""
        made = insert(appointments).values(mediator_id=mediator.id, reviewer_id=reviewer.id, **facts)
        async with self.database.transaction() as transaction:
            new_id = await transaction.value(made.returning(appointments.c.id), UUID)
        assert new_id
        return new_id

    async def confirmed(self, reviewer: Person) -> None:
        """Let somebody be a confirmed reviewer, if they're a reviewer at all."""
        await self.rows(
            "UPDATE account SET reviewer_confirmed_at = clock() WHERE id = $1 AND roles @> ARRAY['REVIEWER']",
            reviewer.id,
        )

    async def give_roles(self, person: Person, *roles: Role, by: Person) -> None:
        """Let an administrator add and remove roles until somebody has exactly these."""
        ((had,),) = await self.rows("SELECT roles FROM account WHERE id = $1", person.id)
        changes = [("addRole", role) for role in roles if role not in had]
        changes += [("removeRole", role) for role in had if role not in roles]
        for mutation, role in changes:
            payload(await self.change(mutation, {"accountId": str(person.id), "role": role}, by=by))

    async def work(self) -> int:
        """Do what the worker has to do now; return how much that was."""
        done = await drain(self.worker, self.settings)
        for chore in CHORES:
            await chore({"work": Work(self.worker, self.settings)})
        return done

    def mails(self, to: str | None = None) -> list[CaughtMail]:
        """The mail caught in this test, newest first."""
        assert self.settings.mailbox is not None
        return [mail for mail in caught(self.settings.mailbox, machine_time()) if to in {None, mail["to"]}]

    def mail(self, to: str | None = None, words: str = "") -> CaughtMail:
        """The only mail to somebody with these words that no test has looked at yet.

        It fails if there are several: mails sent at the same moment arrive in any order, so none of them is the newest.
        """
        new = [one for one in self.mails(to) if one["id"] not in _seen]
        found = [one for one in new if words in one["subject"] or words in text_of(one)]
        assert len(found) == 1, f"{len(found)} new mails to {to} with {words!r}: {[one['subject'] for one in new]}"
        _seen.add(found[0]["id"])
        return found[0]

    def secret(self, to: str | None, page: str) -> str:
        """The secret of the link to that page, in the only new mail to somebody that has such a link."""
        return secret_in(self.mail(to, f"/{page}/"), page)

    async def rows(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Query the tables, bypassing row-level security."""
        async with admin(self.services.admin_url) as connection:
            found: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
        return found

    async def origins(self) -> dict[UUID, Origin]:
        """Who gave each piece of feedback."""
        rows = await self.rows("SELECT id, sealed FROM feedback_origin")
        return {row["id"]: open_origin(self.settings, row["id"], row["sealed"]) for row in rows}

    async def parties(self) -> dict[UUID, PartyDetails]:
        """Who was asked by each request whose details are stored."""
        rows = await self.rows(
            "SELECT id, day, details.sealed, key.sealed AS key FROM feedback_request_details details"
            " JOIN details_key key ON day = (made_at AT TIME ZONE 'UTC')::date"
        )
        opened = (open_details(self.settings, row["day"], row["key"], row["id"], row["sealed"]) for row in rows)
        return {row["id"]: details for row, details in zip(rows, opened, strict=True)}

    @asynccontextmanager
    async def later(self, **passed: float) -> AsyncIterator["Hub"]:
        """The same hub after that much time: the clock of its connections is moved, and nothing sleeps."""
        moved = self.moved + timedelta(**passed)
        async with opened(self.services, settings=self.settings, moved=moved) as hub:
            yield hub


@asynccontextmanager
async def opened(
    services: Services, *, settings: Settings | None = None, moved: timedelta = timedelta(), **overrides: Any
) -> AsyncIterator[Hub]:
    """Run the application on a database."""
    values = {**overrides, "demo_clock_offset_hours": int(moved.total_seconds() // 3600)}
    # Loaded again, because a copy would keep what was computed from the old values.
    settings = load(**dict(settings) | values) if settings else settings_for(services, **values)
    vars(settings)["clock_offset"] = moved  # to the minute, although the setting counts hours
    app = make_app(settings, connected, more_routes=mailbox.routes)
    async with (
        app.router.lifespan_context(app),
        connected(settings, settings.database_owner_url) as database,
        connected(settings, settings.database_worker_url) as worker_database,
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as client,
    ):
        # Python's clock begins a half minute, so that no code of a second factor expires before a test has used it.
        ahead = timedelta(seconds=30 - database.now().timestamp() % 30)
        for clock in (app.state.database, database):
            clock._clock_offset += ahead
        # On a busy machine even a healthy Valkey may take a while, and counts would begin again in memory.
        app.state.limiter.patience = 30.0
        yield Hub(app, client, settings, database, worker_database.asked_by(WORKER), services, moved)
