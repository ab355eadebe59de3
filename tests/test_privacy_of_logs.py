"""No name, address, reference, word or secret of anyone is in a log line, a Redis key or a job's payload."""

import asyncio
import email
import email.policy
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import unquote

import httpx
from redis.asyncio import Redis

from settings import load
from tests.hub import Hub
from tests.jobs.post import PostOffice, post_office
from tests.servers import environment, free_port, valkey
from tests.waiting import until

NAMES = {
    "mediator": "Zanzibarina Mediatrix",
    "party": "Quillonius Partyman",
    "giver": "Xanthippe Giverson",
    "reviewer": "Wolfhardt Reviewson",
}
ADDRESSES = {who: f"{who}-kestrel@demo.example" for who in ("mediator", "party", "giver", "reviewer", "nobody")}
WORDS = {
    "relation": "kestrelchoir",
    "reference": "Obsidian-4711",
    "answer": "flabbergasting",
    "password": "marmalade sandwich",
    "search": "Mediatri",
}
SIGN_UP = {"name": NAMES["mediator"], "email": ADDRESSES["mediator"], "password": WORDS["password"]}


def personal() -> set[str]:
    """What must not appear anywhere: each word of a name, the local parts of addresses, the words typed."""
    names = {word for name in NAMES.values() for word in name.split()}
    return {word.lower() for word in names | {"kestrel"} | set(WORDS.values())}


class Heard:
    """What a process wrote and what Redis was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.secrets: set[str] = set()

    def check(self, least: int) -> None:
        assert len(self.lines) >= least
        for line in self.lines:
            for written in (line, unquote(line)):
                found = [word for word in personal() | self.secrets if word.lower() in written.lower()]
                assert not found, f"{found} in {line}"


@asynccontextmanager
async def process(heard: Heard, env: dict[str, str], *arguments: str) -> AsyncIterator[None]:
    """Run `logbook ...`; everything that it writes is heard."""
    command = (sys.executable, "-m", "cli", *arguments)
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, env=env, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    assert running.stdout is not None
    reading = asyncio.create_task(running.stdout.read())
    try:
        yield
        running.send_signal(signal.SIGTERM)
    except BaseException:
        running.kill()
        raise
    finally:
        written = (await reading).decode()
        await running.wait()
        heard.lines += written.splitlines()


@asynccontextmanager
async def monitored(heard: Heard, url: str) -> AsyncIterator[None]:
    """Hear every command that Redis gets and, at the end, what it holds."""
    async with Redis.from_url(url) as redis, redis.monitor() as monitor:

        async def listen() -> None:
            async for command in monitor.listen():
                heard.lines.append(str(command["command"]))

        listening = asyncio.create_task(listen())
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def texts_to(office: PostOffice, to: str) -> str:
    """All mails to somebody, in any order."""
    contents = [mail.content for mail in office.accepted if mail.recipients == [to]]
    bodies = [email.message_from_bytes(one, policy=email.policy.default).get_body(("plain",)) for one in contents]
    return "\n".join(str(body.get_content()) for body in bodies if body)


class Visitor:
    """A browser and a program that use the service as everybody would, and now and then as nobody should."""

    def __init__(self, client: httpx.AsyncClient, office: PostOffice, heard: Heard) -> None:
        self.client = client
        self.office = office
        self.heard = heard

    async def change(self, mutation: str, **facts: Any) -> dict[str, Any]:
        name = mutation[0].upper() + mutation[1:]
        document = f"mutation($i: {name}Input!) {{ {mutation}(input: $i) {{ userErrors {{ field code }} }} }}"
        response = await self.client.post("/graphql", json={"query": document, "variables": {"i": facts}})
        answer: dict[str, Any] = response.json()
        return answer

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        response = await self.client.post("/graphql", json={"query": document, "variables": variables})
        answer: dict[str, Any] = response.json()
        return answer

    async def link(self, to: str, page: str) -> str:
        """Wait for the mail with a link; return its secret."""

        async def came() -> bool:
            return f"/{page}/" in texts_to(self.office, to)

        await until(came)
        (secret,) = set(re.findall(rf"/{page}/(\S+)", texts_to(self.office, to)))
        self.heard.secrets.add(secret)
        return str(secret)


def accepted(answer: dict[str, Any]) -> None:
    assert "errors" not in answer, answer
    assert all(not found["userErrors"] for found in answer["data"].values()), answer


async def live(visitor: Visitor) -> None:
    """From signing up to feedback to the end."""
    accepted(await visitor.change("signUp", **SIGN_UP))
    verify = await visitor.link(ADDRESSES["mediator"], "verify")
    await visitor.client.get(f"/verify/{verify}")
    accepted(await visitor.change("verifyEmail", token=verify))
    await visitor.change("signIn", email=ADDRESSES["nobody"], password=WORDS["password"])
    accepted(await visitor.change("signIn", email=ADDRESSES["mediator"], password=WORDS["password"]))
    visitor.heard.secrets.add(visitor.client.cookies["session"])
    accepted(await visitor.change("inviteReviewer", email=ADDRESSES["reviewer"]))
    invitation = await visitor.link(ADDRESSES["reviewer"], "invitation")
    await visitor.client.get(f"/invitation/{invitation}")
    asked = {"partyName": NAMES["party"], "partyEmail": ADDRESSES["party"], "reference": WORDS["reference"]}
    accepted(await visitor.change("requestFeedback", **asked, mediationEndedOn="2025-05-03", partyAgreed=True))
    token = await visitor.link(ADDRESSES["party"], "feedback")
    await visitor.client.get(f"/feedback/{token}", params={"name": NAMES["party"]})
    await visitor.client.post(f"/feedback/{token}", data={"name": NAMES["giver"], "impressed": WORDS["answer"]})
    await visitor.ask("query($t: String!) { feedbackInvitation(token: $t) { state } }", t=token)
    await visitor.ask("query($s: String!) { feedbackSubjects(search: $s) { name } }", s=WORDS["search"])
    visitor.client.cookies.clear()
    given = {"name": NAMES["giver"], "email": ADDRESSES["giver"], "capacity": "PARTY", "actedAs": "MEDIATOR"}
    answers = [{"question": "impressed", "text": WORDS["answer"]}]
    accepted(await visitor.change("giveFeedback", token=token, share=True, answers=answers, **given))
    await until(partial(told, visitor.office))
    refused = f"<{ADDRESSES['reviewer']}> is unknown here"
    visitor.office.to_content = [f"451 {refused}", f"550 {refused}"]
    accepts = {"token": invitation, "name": NAMES["reviewer"], "password": WORDS["password"]}
    accepts |= {"relation": "OTHER", "relationDetails": WORDS["relation"]}
    accepted(await visitor.change("acceptInvitation", **accepts))
    await misuse(visitor, token)
    await until(partial(refused_both, visitor.office))


async def told(office: PostOffice) -> bool:
    return "left feedback about you" in texts_to(office, ADDRESSES["mediator"])


async def refused_both(office: PostOffice) -> bool:
    return not office.to_content


async def misuse(visitor: Visitor, token: str) -> None:
    """Requests that are refused, lost or broken, with something that must not be logged in every place."""
    typed = f"{NAMES['giver']} {ADDRESSES['giver']}"
    await visitor.change("giveFeedback", token=token, share=typed, answers=typed)
    await visitor.change("requestPasswordReset", email=f"{ADDRESSES['nobody']}\x00")
    await visitor.ask(f'{{ feedbackSubjects(search: "{typed}") {{ name }} ')
    await visitor.ask(f"{{ {NAMES['giver'].split()[0]}: survey {{ {NAMES['party'].split()[0]} }} }}")
    await visitor.client.get(f"/{ADDRESSES['giver']}", params={"name": typed}, headers={"user-agent": typed})
    await visitor.client.get(f"/stop/{token}/{ADDRESSES['giver']}", headers={"referer": f"http://x/{typed}"})
    await visitor.client.post("/graphql", content=typed.encode(), headers={"content-type": "application/json"})
    await visitor.client.get("/graphql", headers={"authorization": f"Bearer {ADDRESSES['giver']}"})


async def test_nothing_personal_is_logged_or_given_to_redis_from_sign_up_to_feedback(hub: Hub) -> None:
    port = free_port()
    redis_commands, web, worker = Heard(), Heard(), Heard()
    with valkey() as redis:
        await asyncio.to_thread(redis.start)
        async with post_office() as office, monitored(redis_commands, redis.url):
            base_url = f"http://127.0.0.1:{port}"
            facts = {"redis_url": redis.url, "smtp_url": office.url, "base_url": base_url}
            env = environment(load(**dict(hub.settings) | facts))
            # A row that can't be written, so that the exception quotes it.
            await hub.rows(
                "INSERT INTO outbox (kind, subject_id, dedupe_key, recipient) "
                "VALUES ('email_changed', gen_random_uuid(), 'poison', $1), ('unknown', gen_random_uuid(), 'x', $1)",
                ADDRESSES["giver"],
            )
            async with (
                process(worker, env, "worker"),
                process(web, env, "serve", "--port", str(port)),
                httpx.AsyncClient(base_url=base_url, timeout=60) as client,
            ):

                async def serving() -> bool:
                    try:
                        return (await client.get("/healthz")).status_code == 200
                    except httpx.TransportError:
                        return False

                await until(serving)
                heard = Heard()
                await live(Visitor(client, office, heard))
                await broken(hub, client)
            for each, least in ((redis_commands, 20), (web, 25), (worker, 7)):
                each.secrets = heard.secrets
                each.check(least)
    events = [json.loads(line) for line in web.lines + worker.lines]
    assert {"request", "work", "work_failed"} <= {event["event"] for event in events}
    assert "CheckViolationError" in {event.get("error") for event in events}
    assert {event["state"] for event in events if event["event"] == "work"} >= {"DONE", "QUEUED", "DEAD"}


async def broken(hub: Hub, client: httpx.AsyncClient) -> None:
    """A request that fails inside the database, with an error that quotes the row."""
    await hub.rows("ALTER TABLE request_key ADD CONSTRAINT broken CHECK (made_at IS NULL) NOT VALID")
    try:
        document = "mutation($i: SignUpInput!) { signUp(input: $i) { mailSent } }"
        facts = SIGN_UP | {"email": ADDRESSES["nobody"], "requestKey": NAMES["giver"]}
        answer = (await client.post("/graphql", json={"query": document, "variables": {"i": facts}})).json()
        assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        assert not [word for word in personal() if word in json.dumps(answer).lower()]
    finally:
        await hub.rows("ALTER TABLE request_key DROP CONSTRAINT broken")
