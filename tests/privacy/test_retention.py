"""What should be gone is gone from everywhere: tables, Redis, caught mail and logs, read as text."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from demo.mailcatcher import erase_expired, machine_time
from models.account import Role
from tests.hub import Hub, drain, payload
from tests.privacy.markers import Known, Mint, written
from tests.privacy.overheard import kept_in_redis, logged
from tests.privacy.place import Place
from tests.web.reading import everything

GIVEN = {"capacity": "PARTY", "actedAs": "MEDIATOR", "share": True}


async def everywhere(hub: Hub) -> dict[str, str]:
    """All tables, Redis and all caught mail, each as one text."""
    assert hub.settings.mailbox
    mails = "\n".join(path.read_text() for path in hub.settings.mailbox.glob("*.json"))
    tables = {name: text or "" for name, text in (await everything(hub)).items()}
    return tables | {"redis": await kept_in_redis(hub), "mailbox": mails}


def where(known: Known, texts: dict[str, str]) -> dict[str, set[str]]:
    found = {name: known.found_in(text) for name, text in texts.items()}
    return {name: markers for name, markers in found.items() if markers}


async def test_after_five_days_nothing_says_whom_a_mediator_asked(hub: Hub) -> None:
    mint, names = Mint(5), set[str]()

    def asked(**facts: Any) -> dict[str, Any]:
        name, mailbox, reference = mint.word(), mint.word(), mint.word()
        names.update((name, mailbox, reference))
        party = {"partyName": name, "partyEmail": f"{mailbox}@demo.example", "reference": reference}
        return party | {"mediationEndedOn": "2024-05-06", "partyAgreed": True} | facts

    typed = {"name": mint.word(), "email": f"{mint.word()}@demo.example"}
    with logged() as lines:
        ann, rob = await hub.mediator(), await hub.person(Role.REVIEWER)
        await hub.appointed(ann, rob)
        answered, withdrawn = asked(requestKey="one"), asked()
        payload(await hub.change("requestFeedback", answered, by=ann))
        payload(await hub.change("requestFeedback", answered, by=ann))
        made = payload(await hub.change("requestFeedback", withdrawn, "feedbackRequest { id }", by=ann))
        await hub.work()
        payload(await hub.change("withdrawFeedbackRequest", {"id": made["feedbackRequest"]["id"]}, by=ann))
        token = hub.secret(answered["partyEmail"], "feedback")
        answers = [{"question": "impressed", "text": mint.word()}]
        payload(await hub.change("giveFeedback", GIVEN | typed | {"token": token, "answers": answers}))
        payload(await hub.change("exportMyData", {}, by=ann))
        await hub.work()
        await hub.rows("UPDATE outbox SET next_at = 'infinity' WHERE state = 'QUEUED'")
        payload(await hub.change("requestFeedback", asked(), by=ann))
        await hub.rows(
            "UPDATE outbox SET state = 'DEAD', attempts = 24 WHERE state = 'QUEUED' AND kind = 'feedback_request'"
        )
        payload(await hub.change("requestFeedback", asked(), by=ann))
        known = Known(names)
        before = where(known, await everywhere(hub))
        assert {"mailbox"} == set(before)  # where they're stored, they're sealed
        assert len(await hub.parties()) >= 3
        async with hub.later(hours=121) as later:
            shown = "{ me { mediator { feedbackRequests { nodes { partyName partyEmail reference } } } } }"
            answer = await later.ask(shown, by=ann)
            assert not known.found_in(str(answer.body)), "even before a worker has run"
            await later.work()
            erase_expired(hub.settings.mailbox or Path(), machine_time() + timedelta(hours=121))
            assert where(known, await everywhere(later)) == {}
            archives = await later.rows("SELECT archive FROM data_export")
            assert not [one for one in archives if known.found_in(str(one["archive"]))]
            kept = Known({typed["name"], written(answers[0]["text"])})
            assert {"feedback_answer"} == set(where(kept, await everywhere(later)))
            assert typed["name"] in [origin.name for origin in (await later.origins()).values()]
    assert known.found_in(lines.getvalue()) == set()


async def test_nothing_is_left_of_a_deleted_account_but_its_id_in_the_audit_log(place: Place) -> None:
    known, its_id = Known(place.of_the_gone), str(place.gone.account_id)
    left = where(known, await everywhere(place.hub))
    name, email = place.world.names[place.gone.account_id], place.world.emails[place.gone.account_id]  # type: ignore[index]
    # Until the last mail has gone out. The ids of the files stay, so that no backup brings these back.
    ids = {str(row["id"]) for row in await place.hub.rows("SELECT id FROM deleted_file")} & place.of_the_gone
    assert len(ids) == 2
    assert left == {"audit_entry": {its_id}, "outbox": {name, email.partition("@")[0]}, "deleted_file": ids}
    with logged() as lines:
        await drain(place.hub.database, place.hub.settings)
    assert where(known, await everywhere(place.hub)).keys() == {"audit_entry", "deleted_file", "mailbox"}
    (farewell,) = place.hub.mails(email)
    assert known.found_in(str(farewell)) == {name, email.partition("@")[0]}
    place.burn_mails()
    assert where(known, await everywhere(place.hub)) == {"audit_entry": {its_id}, "deleted_file": ids}
    assert known.found_in(lines.getvalue()) == set()
