"""Drills of changes at the same time (edits of one entry, one change sent many times), and of rows in the outbox."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

from permissions.secrets import Opens, link_secret, stop_token
from tests.faults.installation import Installation, installed
from tests.faults.line import Line
from tests.faults.machine import Machine
from tests.faults.people import CASE, MINUTES, Doings, new_request
from tests.hub import PASSWORD, Person, payload
from tests.waiting import until

_ENTRY = "query($id: ID!) { me { mediator { logbookEntry(id: $id) { minutes version } } } }"


async def edits(machine: Machine, *, people: int = 200) -> Line:
    """Let many browsers of one mediator read an entry and add a minute to it, all at once."""
    line = Line(f"{people} edits of one entry at once", "edits", people)
    async with installed(machine) as site:
        await site.web()
        mediator = await site.hub.mediator()
        added = await site.hub.change("addLogbookEntry", CASE, "logbookEntry { id }", by=mediator)
        entry_id = payload(added)["logbookEntry"]["id"]
        ended: Counter[str] = Counter()

        async def read() -> Any:
            return (await site.hub.ask(_ENTRY, {"id": entry_id}, by=mediator)).data["me"]["mediator"]["logbookEntry"]

        async def edit() -> None:
            entry = await read()
            changed = {"id": entry_id, "version": entry["version"], "minutes": entry["minutes"] + 1}
            answer = await site.hub.change("updateLogbookEntry", changed, by=mediator)
            problems = answer.data["updateLogbookEntry"]["userErrors"]
            ended[problems[0]["code"] if problems else "landed"] += 1

        await asyncio.gather(*(edit() for _ in range(people)), return_exceptions=True)
        entry = await read()
        line.lost = people - ended.total()
        line.notes.append(f"{ended['landed']} landed, {ended['CONFLICT']} told of a conflict")
        line.promise(ended["landed"] >= 1 and set(ended) <= {"landed", "CONFLICT"}, f"edits ended as {dict(ended)}")
        sums = (entry["minutes"], entry["version"])
        right = (MINUTES + ended["landed"], 1 + ended["landed"])
        line.promise(sums == right, f"minutes and version are {sums}, not {right}")
    return line


async def _at_once(site: Installation, name: str, input: dict[str, Any], by: Person | None, times: int) -> Counter[str]:
    """Send one change many times at once; return how it was answered."""
    doings = Doings(site)
    await asyncio.gather(*(doings.change(name, input, by) for _ in range(times)))
    return doings.failed + doings.unclean + Counter({"accepted": doings.made[name]})


async def repeats(machine: Machine, *, times: int = 50) -> Line:
    """Send one requestFeedback and one giveFeedback many times at once with a key, and an answer by link without."""
    line = Line(f"one requestFeedback and one giveFeedback, each sent {times} times at once", "rows")
    async with installed(machine) as site:
        await site.web()
        mediator = await site.hub.mediator()
        asked = new_request() | {"requestKey": "one request"}
        answers = [await _at_once(site, "requestFeedback", asked, mediator, times)]
        requests = [row["id"] for row in await site.hub.rows("SELECT id FROM feedback_request")]
        site.worker()
        await site.drained()
        given = {
            "capacity": "PARTY",
            "actedAs": "MEDIATOR",
            "share": True,
            "answers": [{"question": "preparation", "rating": 4}],
        }
        keyed = given | {"token": _token(site, requests[0]), "requestKey": "one answer"}
        answers.append(await _at_once(site, "giveFeedback", keyed, None, times))
        payload(await site.hub.change("requestFeedback", new_request(), by=mediator))
        await site.drained()
        (other,) = [
            row["id"] for row in await site.hub.rows("SELECT id FROM feedback_request") if row["id"] not in requests
        ]
        spent = await _at_once(site, "giveFeedback", given | {"token": _token(site, other)}, None, times)
        await site.drained()
        await site.tally(line, {})
        (rows,) = await site.hub.rows(
            "SELECT (SELECT count(*) FROM feedback_request) + (SELECT count(*) FROM feedback)"
        )
        line.of, line.count = "rows", rows[0]
        line.notes.append(f"{len(site.mail.taken)} mails")
        line.doubled += max(0, line.count - 4)
        line.lost += max(0, 4 - line.count)
        line.promise(line.doubled == 0, "a row or mail was doubled")
        line.promise(len(site.mail.taken) == 4, "there is not one mail for each row")
        line.promise(answers == [Counter(accepted=times)] * 2, f"repeats were answered with {answers}")
        line.promise(spent == Counter(accepted=1, SPENT=times - 1), f"answers by one link ended as {dict(spent)}")
    return line


def _token(site: Installation, request_id: UUID) -> str:
    return link_secret(site.hub.settings, Opens.FEEDBACK_REQUEST, request_id)


async def poison(machine: Machine, *, mails: int = 50) -> Line:
    """Queue rows first that nobody can do: of an unknown kind, with nobody to greet, one that killed its workers."""
    line = Line(f"3 rows that nobody can do before {mails} mails", "mails")
    async with installed(machine) as site:
        await site.hub.rows(
            "INSERT INTO outbox (kind, subject_id, recipient, dedupe_key, attempts) VALUES "
            "('unknown', gen_random_uuid(), 'poison1@demo.example', 'poison1', 0), "
            "('email_changed', gen_random_uuid(), 'poison2@demo.example', 'poison2', 0), "
            "('email_changed', gen_random_uuid(), 'poison3@demo.example', 'poison3', 24)"
        )
        await site.queue(mails)
        site.worker()

        poisoned = "dedupe_key LIKE 'poison%'"

        async def others() -> bool:
            rows = await site.outbox(f"{poisoned} AND attempts IN (1, 25) AND lease IS NULL")
            return len(rows) == 3 and not await site.outbox(f"state = 'QUEUED' AND NOT {poisoned}")

        await until(others)
        await site.tally(line, {}, but=poisoned)
        line.promise(line.doubled == 0, "a mail was doubled")
        ended = Counter(row["state"] for row in await site.outbox(poisoned))
        line.notes.append(f"{ended['QUEUED']} of the 3 put off, {ended['DEAD']} given up")
        line.promise(ended == Counter(QUEUED=2, DEAD=1), "a row that nobody can do was not put off")
    return line


async def erased(machine: Machine, *, each: int = 3) -> Line:
    """Remove what queued mails are about: withdrawn, stopped, past the five days, or with the mediator's account."""
    line = Line(f"{each * 4} requests erased while their mail is queued, {each} not", "mails")
    async with installed(machine) as site:
        await site.web()
        gone = await site.hub.mediator()
        mediator = await site.hub.mediator()
        for _ in range(each):
            payload(await site.hub.change("requestFeedback", new_request(), by=gone))
        for _ in range(each * 4):
            payload(await site.hub.change("requestFeedback", new_request(), by=mediator))
        parties = await site.hub.parties()
        own = await site.hub.rows("SELECT id FROM feedback_request WHERE mediator_id = $1", mediator.id)
        asked = sorted(row["id"] for row in own)
        withdrawn, stopped, old = asked[:each], asked[each : 2 * each], asked[2 * each : 3 * each]
        for request in withdrawn:
            payload(await site.hub.change("withdrawFeedbackRequest", {"id": str(request)}, by=mediator))
        for request in stopped:
            token = stop_token(site.hub.settings, parties[request].email)
            payload(await site.hub.change("stopRequests", {"token": token}))
        aged = "UPDATE feedback_request_details SET made_at = made_at - interval '120 hours' WHERE id = ANY($1)"
        await site.hub.rows(aged, old)
        payload(await site.hub.change("deleteMyAccount", {"password": PASSWORD}, by=gone))
        due = [
            row["id"]
            for row in await site.outbox("kind = 'feedback_request'")
            if row["subject_id"] in asked[3 * each :]
        ]
        site.worker()
        await site.drained()
        kept = ", ".join(f"'{one}'" for one in due)
        await site.tally(line, {}, but=f"kind = 'feedback_request' AND id NOT IN ({kept})")
        states = Counter(row["state"] for row in await site.outbox("kind = 'feedback_request'"))
        line.notes.append(f"{states['DROPPED']} dropped, {each} deleted with the mediator's account")
        line.promise(states == Counter(DROPPED=3 * each, DONE=each), f"the rows are {dict(states)}")
        line.promise(line.doubled == 0, "a mail was doubled")
    return line
