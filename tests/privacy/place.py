"""An inhabited hub: one world with accounts of all kinds. It's asked as each of them, and put back as it was."""

import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from demo.embedded import Services
from demo.mailcatcher import catching, machine_time
from models.fields import camel
from models.file_store import open_store
from schema.build import projection
from settings import Settings
from tests.conftest import fresh_database
from tests.hub import BASE_URL, PASSWORD, Hub, opened, payload
from tests.privacy.marked_world import COMBINATIONS, A, D, M, R, World
from tests.privacy.markers import Marker, Mint
from tests.privacy.oracle import Shown, Watcher
from tests.privacy.rows import insert
from tests.privacy.walk import documents

SIGNED_OUT = Watcher("signed out")


def inhabited(settings: Settings, seed: int) -> World:
    """Everybody: each role and each pair of roles, with sessions and tokens, and people whose standing has ended."""
    world = World(settings, Mint(seed), machine_time())
    members = [world.account(*roles, listed=number % 2 == 0) for number, roles in enumerate(COMBINATIONS)]
    digest = world.account(R)
    for member in members:
        if R in member.roles:
            for listed in (True, False):
                world.appointed(_id(world.account(M, listed=listed)), _id(member))
        if M in member.roles:
            world.appointed(_id(member), _id(digest))
    former, waiting = (
        replace(world.account(R), name="former reviewer"),
        replace(world.account(R), name="not yet in force"),
    )
    world.appointed(_id(world.account(M, listed=True)), _id(waiting), in_force=False)
    turned_private = replace(world.account(M), name="turned private")
    unverified = replace(world.account(M, verified=False, listed=True), name="unverified")
    no_more = replace(world.account(D), name="a mediator no more")
    world.mediator(_id(no_more), listed=True, open_to_feedback=False)
    world.appointed(_id(turned_private), _id(digest))
    people = [*members, digest, former, waiting, turned_private, unverified, no_more]
    tokens = [world.token(person) for person in [*members, former, turned_private, unverified]]
    ended = [
        replace(world.token(members[-1], revoked_at=world.mint.moment(world.now)), name="revoked token", over=True),
        replace(world.token(members[-1], expires_at=world.mint.moment(world.now)), name="expired token", over=True),
    ]
    world.watchers = [SIGNED_OUT, *people, *tokens, *ended]
    administrators = [member for member in members if A in member.roles]
    world.kept_by_the_service(_id(administrators[0]), _id(next(one for one in administrators if M in one.roles)))
    return world


def _next_page(response: httpx.Response) -> str | None:
    """Where the next page of the list in an answer begins, if there is one."""
    page = ((response.json().get("data") or {}).get("f0") or {}).get("pageInfo") or {}
    return page["endCursor"] if page.get("hasNextPage") else None


def _id(watcher: Watcher) -> Any:
    assert watcher.account_id is not None
    return watcher.account_id


@dataclass(repr=False)  # asyncio writes a test's arguments into a text that nobody reads, and this is large
class Place:
    """The hub, its world, and the one client that asks, each time from another network address."""

    hub: Hub
    world: World
    client: httpx.AsyncClient
    transport: httpx.ASGITransport
    dice: random.Random
    gone: Watcher  # their account was deleted
    of_the_gone: set[Marker]

    async def request_as(self, watcher: Watcher, method: str, path: str, **more: Any) -> httpx.Response:
        """One request as somebody; no cookie of it is kept."""
        headers = dict(more.pop("headers", {}))
        if watcher.token:
            headers["authorization"] = f"Bearer {watcher.token}"
        elif watcher.cookie:
            headers["cookie"] = f"session={watcher.cookie}"
        # Limits count by address, and nobody's browser would try in a minute what is tried here.
        self.transport.client = (
            f"10.{self.dice.randrange(256)}.{self.dice.randrange(256)}.{self.dice.randrange(256)}",
            1,
        )
        self.client.cookies.clear()
        return await self.client.request(method, path, headers=headers, **more)

    async def ask_as(
        self, watcher: Watcher, document: str, variables: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """One GraphQL request as somebody."""
        body = {"query": document, "variables": variables}
        return await self.request_as(watcher, "POST", "/graphql", json=body)

    def burn_mails(self) -> None:
        """Delete the mail that was caught."""
        assert self.hub.settings.mailbox
        for file in self.hub.settings.mailbox.glob("*.json"):
            file.unlink()

    async def put_back(self) -> None:
        """Make every table what it was when the world was new."""
        async with admin_connection(self.hub) as connection:
            await connection.execute("CALL saved.put_back()")

    def some_ids(self) -> list[str]:
        """The ids of all accounts, and one from each other table."""
        ids = {str(account.account_id): None for account in self.world.accounts.values()}
        first = {table.name: row["id"] for table, row in reversed(self.world.rows) if "id" in row}
        return [*ids, *(str(one) for one in first.values())]

    def pools(self) -> dict[str, list[str]]:
        """Values that exist in this world, by the names of the arguments and input fields that may take them."""
        rows = [row for _, row in self.world.rows]
        words = sorted({one for row in rows for one in row.values() if isinstance(one, str) and one.startswith("zq")})
        names, emails = sorted(self.world.names.values()), sorted(self.world.accounts)
        links = self.world.links
        texts = [*self.dice.sample(words, 200), *(word[:4] for word in words[:20]), "zq", "demo"]
        pools = {
            "id": self.some_ids(),
            "token": sorted(links["feedback"]),
            "link": sorted(links["give"]),
            "code": sorted(links["receipt"]),
            "search": self.dice.sample(names, 12),
            "year": [str(year) for year in range(1955, 2018)],
            "minutes": ["90"],
            "partyCount": ["2"],
            "rating": ["1", "5"],
            "version": sorted({str(row["version"]) for row in rows if "version" in row}),
            "password": [PASSWORD],
            "currentPassword": [PASSWORD],
            "newPassword": ["a wholly new password"],
            "question": ["listening", "impressed", "for_reviewer"],
            "requestKey": ["one", "another"],
        }
        for name in ("text", "name", "title", "country", "reference", "partyName"):
            pools[name] = texts
        for name in ("email", "partyEmail"):
            pools[name] = emails
        for name in ("startedOn", "endedOn", "mediationEndedOn"):
            pools[name] = ["2019-05-06"]
        return pools

    async def read(self, watcher: Watcher, pools: Mapping[str, Sequence[str]]) -> AsyncIterator[httpx.Response]:
        """Ask as somebody for everything in their schema, and read every list at the root to its end."""
        for document in documents(projection(watcher.could, by_token=bool(watcher.token)), pools):
            after: str | None = ""
            while after is not None:
                more = {"after": after or None} if document.paged else {}
                response = await self.ask_as(watcher, document.text, {**document.variables, **more})
                yield response
                after = _next_page(response) if document.paged else None

    async def cursors(self) -> list[str]:
        """Cursors of every list, as somebody with each standing gets them."""
        pools, cursors = self.pools() | {"id": [], "token": [], "link": [], "search": ["zq"]}, set[str]()
        for watcher in self.world.watchers:
            if watcher.cookie and len(watcher.roles) in {1, 4} and not watcher.over:
                async for response in self.read(watcher, pools):
                    cursors |= set(re.findall(r'ursor":"([^"]+)"', response.text))
        return sorted(cursors)

    def personal_in(self, text: str) -> set[Marker]:
        """Its markers except ids and moments, which logs and the outbox have to say what a line is about."""
        found = self.world.known.found_in(text) & self.world.facts.shown.keys()
        return {marker for marker in found if not re.fullmatch(r"[0-9a-f-]{36}|[\d:.]{15}", marker)}

    def found(self, response: httpx.Response) -> set[Marker]:
        """The markers in an answer: in its body and in its headers."""
        heads = " ".join(f"{name}: {value}" for name, value in response.headers.items())
        return self.world.known.found_in(f"{response.text}\n{heads}")


@asynccontextmanager
async def admin_connection(hub: Hub) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(hub.services.admin_url)
    try:
        yield connection
    finally:
        await connection.close()


SAVE = """
CREATE SCHEMA saved;
DO $$ DECLARE each text; body text := 'SET LOCAL session_replication_role = replica;'; BEGIN
    FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' LOOP
        EXECUTE format('CREATE TABLE saved.%I AS TABLE public.%I', each, each);
        body := body || format('DELETE FROM public.%1$I; INSERT INTO public.%1$I SELECT * FROM saved.%1$I;', each);
    END LOOP;
    EXECUTE format('CREATE PROCEDURE saved.put_back() LANGUAGE plpgsql AS %L', 'BEGIN ' || body || ' END');
END $$;
"""


@asynccontextmanager
async def living(services: Services, mailbox: Path, seed: int = 1, **overrides: Any) -> AsyncIterator[Place]:
    """Run a hub on its own database with a world in it, where one account has just been deleted."""
    with catching(mailbox) as smtp_url:
        caught_here = replace(services, smtp_url=smtp_url)
        settings: dict[str, Any] = {"release_least": 3} | overrides
        async with fresh_database(caught_here, mailbox) as own, opened(own, **settings) as hub:
            world = inhabited(hub.settings, seed)
            others = set(world.facts.shown)
            gone = world.account(M, R, listed=True)
            token = world.token(gone)
            async with admin_connection(hub) as connection:
                await insert(connection, world)
            store = open_store(hub.settings)
            assert store
            for file_id, stored in world.stored.items():
                await store.put(file_id, stored)
            its = set(world.facts.shown) - others
            await _delete(hub, world, gone, its)
            world.watchers += [replace(one, name=f"deleted {one.name}", over=True) for one in (gone, token)]
            async with admin_connection(hub) as connection:
                await connection.execute(SAVE)
            transport = httpx.ASGITransport(hub.app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
                yield Place(hub, world, client, transport, random.Random(seed), gone, its)


async def _delete(hub: Hub, world: World, gone: Watcher, its: set[Marker]) -> None:
    """Delete an account by the API: from then on nobody may see its markers; administrators see only its opaque id."""
    admin = next(one for one in world.watchers if one.roles == {A})
    headers = {"cookie": f"session={admin.cookie}"}
    named = {"id": str(gone.account_id), "email": world.emails[_id(gone)]}
    payload(await hub.change("deleteAccount", named, headers=headers))
    world.forget(_id(gone), its)
    (entry,) = await hub.rows("SELECT id, at, actor_id, subject_id FROM audit_entry WHERE action = 'ACCOUNT_DELETED'")
    for name, value in entry.items():
        world.note(value, Shown("AuditEntry", camel(name)))
