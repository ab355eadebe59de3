"""Drills of sealed storage: the key is changed under what's open and queued, and a worker dies while it rewrites."""

import signal
from collections import Counter

import asyncpg

from models.account import Role
from permissions.secrets import Opens, link_secret, stop_token
from settings import Settings, load
from tests.faults.backup import logbook
from tests.faults.installation import Installation, Process, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import new_request
from tests.hub import payload
from tests.waiting import until

NEW = "the-key-that-replaced-the-first-one"
ANSWER = {"capacity": "PARTY", "actedAs": "MEDIATOR", "answers": [{"question": "preparation", "rating": 4}]}
MARKS = "SELECT name FROM chore WHERE name LIKE 'rewrite %'"


async def _stopped(process: Process) -> None:
    process.send(signal.SIGTERM)
    await process.ended()


async def _answered(site: Installation, tokens: list[str]) -> Counter[str]:
    """Answer by each link, and count how that ended."""
    ends: Counter[str] = Counter()
    for token in tokens:
        answer = await site.hub.change("giveFeedback", ANSWER | {"token": token})
        ends[next((one["code"] for one in answer.data["giveFeedback"]["userErrors"]), "accepted")] += 1
    return ends


async def rekeyed(machine: Machine, *, each: int = 5) -> Line:
    """Change the key while links are open, mails are queued and addresses have stopped requests; then seal again."""
    line = Line(f"SECRET_KEY changed with {each} links open, {each} mails queued, {each} addresses stopped", "links")
    async with installed(machine) as site:
        old = site.hub.settings
        server, worker = await site.web(), site.worker()
        mediator = await site.hub.mediator()
        asked = [new_request() for _ in range(2 * each)]
        for request in asked:
            payload(await site.hub.change("requestFeedback", request, by=mediator))
        await site.drained()
        await _stopped(worker)
        stopped = [request["partyEmail"] for request in asked[each:]]
        for address in stopped:
            payload(await site.hub.change("stopRequests", {"token": stop_token(old, address)}))
        queued = [new_request() for _ in range(each)] + [new_request() | {"partyEmail": one} for one in stopped]
        for request in queued:
            payload(await site.hub.change("requestFeedback", request, by=mediator))
        parties = await site.hub.parties()
        await _stopped(server)

        both = {"secret_key": NEW, "secret_keys_before": old.secret_key.get_secret_value()}
        await site.web(**both)
        site.worker(**both)
        await site.drained()
        sent = Counter(to for _, to in site.mail.taken)
        line.promise(all(sent[request["partyEmail"]] == 1 for request in asked), "a stopped address was written to")
        line.promise(all(sent[request["partyEmail"]] == 1 for request in queued[:each]), "a queued mail was not sent")
        line.lost = sum(not sent[request["partyEmail"]] for request in queued[:each])

        wanted = {request["partyEmail"] for request in (*asked[:each], *queued[:each])}
        open_ones = [request for request, party in parties.items() if party.email in wanted]
        tokens = [link_secret(old, Opens.FEEDBACK_REQUEST, request) for request in open_ones]
        line.count = len(tokens)
        line.promise(await _answered(site, tokens[:each]) == Counter(accepted=each), "an open link did not work")
        status, said = await logbook(_with(site, both), "rekey")
        line.promise(status == 0 and f"{each} addresses stopped" in said, f"rekey ended with {status}: {said}")
        line.promise(await _answered(site, tokens[:each]) == Counter(SPENT=each), "a used link worked again")
        line.promise(await _answered(site, tokens[each:]) == Counter(accepted=each), "a queued link did not work")
        line.notes.append(said.splitlines()[0])
    return line


def _with(site: Installation, more: dict[str, str]) -> Settings:
    return load(**dict(site.hub.settings) | more)


async def killed_while_mixing(machine: Machine, *, pieces: int = 30) -> Line:
    """Kill the worker after it has rewritten answers, and before it has rewritten their tables."""
    line = Line(f"worker killed -9 between the two steps that rewrite {pieces} answers", "answers")
    async with installed(machine) as site:
        await site.web()
        about = await site.hub.person(Role.MEDIATOR)
        for number in range(pieces):
            text = {"question": "impressed", "text": f"{number} " * 2000}
            given = ANSWER | {"mediatorId": str(about.id), "answers": [text]}
            payload(await site.hub.change("giveFeedback", given))
        reader = await asyncpg.connect(site.hub.services.admin_url)
        try:
            async with reader.transaction():
                await reader.execute("LOCK TABLE feedback_answer IN ACCESS SHARE MODE")
                worker = site.worker()
                await until(lambda: _marked(site))
                worker.send(signal.SIGKILL)
                await worker.ended()
        finally:
            await reader.close()
        left = await site.hub.rows(MARKS)
        line.promise(len(left) > 0, "the worker was killed too late")
        site.worker()

        async def written() -> bool:
            return not await site.hub.rows(MARKS)

        await until(written)
        rows = await site.hub.rows("SELECT id, xmin::text AS writer FROM feedback ORDER BY ctid")
        line.count = len(rows)
        line.lost = pieces - len(rows)
        line.promise(len({row["writer"] for row in rows}) == 1, "an answer still has a mark of its own")
        line.promise([row["id"] for row in rows] == sorted(row["id"] for row in rows), "answers lie in some order")
        line.notes.append(f"{len(left)} tables left to the next worker")
    return line


async def _marked(site: Installation) -> bool:
    return bool(await site.hub.rows(MARKS))
