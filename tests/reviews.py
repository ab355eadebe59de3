"""What tests of reviewers do over and over: appoint, accept, confirm, invite, and look at what came of it."""

from typing import Any

from models.account import Role
from tests.hub import Answer, Hub, Person, payload

FEEDBACK = "{ mediators(standing: REVIEWER) { nodes { id feedback { nodes { id } } } } }"


async def reviewer(hub: Hub, *roles: Role, **facts: Any) -> Person:
    """A confirmed reviewer."""
    person = await hub.person(Role.REVIEWER, *roles, **facts)
    await hub.confirmed(person)
    return person


async def appoint(hub: Hub, mediator: Person, chosen: Person) -> Answer:
    return await hub.change(
        "appointReviewer", {"reviewerId": str(chosen.id)}, "waitingReviewer { id name }", by=mediator
    )


async def accept(hub: Hub, mediator: Person, by: Person | None, relation: str = "COLLEAGUE", **facts: Any) -> Answer:
    asked = {"mediatorId": str(mediator.id), "relation": relation}
    return await hub.change("acceptAppointment", asked | facts, "accepted", by=by)


async def confirm(hub: Hub, chosen: Person, by: Person | None) -> Answer:
    return await hub.change("confirmReviewer", {"accountId": str(chosen.id)}, "account { id name }", by=by)


async def waiting_id(hub: Hub, mediator: Person) -> str:
    """The id of a mediator's appointment that waits."""
    ((found,),) = await hub.rows("SELECT id FROM appointment WHERE mediator_id = $1 AND NOT in_force", mediator.id)
    return str(found)


async def approve(hub: Hub, mediator: Person, by: Person | None) -> Answer:
    return await hub.change("approveAppointment", {"id": await waiting_id(hub, mediator)}, "approved", by=by)


async def decline(hub: Hub, mediator: Person, **who: Any) -> Answer:
    return await hub.change("declineAppointment", {"id": await waiting_id(hub, mediator)}, "declined", **who)


async def agreed(hub: Hub, mediator: Person, chosen: Person) -> None:
    """Appoint a reviewer, who accepts."""
    payload(await appoint(hub, mediator, chosen))
    payload(await accept(hub, mediator, chosen))


async def end(hub: Hub, mediator: Person, chosen: Person, by: Person) -> Answer:
    return await hub.change("endReview", {"mediatorId": str(mediator.id), "reviewerId": str(chosen.id)}, "ended", by=by)


async def invite(hub: Hub, mediator: Person, email: str, **facts: Any) -> Answer:
    return await hub.change("inviteReviewer", {"email": email, **facts}, "invited", by=mediator)


async def invited(hub: Hub, mediator: Person, email: str) -> str:
    """Invite somebody, and return the secret of the link they got."""
    payload(await invite(hub, mediator, email))
    await hub.work()
    return hub.secret(email, "invitation")


async def take_up(hub: Hub, token: str, by: Person | None = None, **facts: str) -> Answer:
    """Accept an invitation."""
    return await hub.change("acceptInvitation", {"token": token, "relation": "COLLEAGUE", **facts}, "accepted", by=by)


async def reviews(hub: Hub) -> list[tuple[Any, Any, bool]]:
    """Every appointment: the mediator, the reviewer, and whether it's in force."""
    rows = await hub.rows("SELECT mediator_id, reviewer_id, in_force FROM appointment ORDER BY in_force, since")
    return [tuple(row) for row in rows]


async def missing(hub: Hub, by: Person) -> list[list[str]]:
    """What each appointment waits for, as somebody sees it."""
    found = (await hub.ask("{ waitingAppointments { nodes { missing } } }", by=by)).data["waitingAppointments"]
    return [node["missing"] for node in found["nodes"]]


async def read(hub: Hub, by: Person) -> list[str]:
    """The mediators whose feedback somebody reads as a reviewer."""
    nodes = (await hub.ask(FEEDBACK, by=by)).data["mediators"]["nodes"]
    return [node["id"] for node in nodes if node["feedback"]["nodes"]]
