"""The whole story over HTTP, from everybody's point of view."""

from dataclasses import dataclass
from typing import Any

from demo.mailcatcher import CaughtMail
from models.account import Role
from tests.hub import PASSWORD, Hub, Person, payload, secret_in, text_of

FEEDBACK = "feedback { totalCount nodes { id answers { question rating text } } }"


@dataclass
class Cast:
    """Everybody in the story, as they come in."""

    hub: Hub
    admin: Person

    async def does(self, who: Person | None, mutation: str, fields: str = "", /, **values: Any) -> Any:
        """Make a change that is accepted."""
        return payload(await self.hub.change(mutation, values, fields, by=who))

    async def reads(self, who: Person | None, document: str, **variables: Any) -> Any:
        """Ask, without errors."""
        return (await self.hub.ask(document, variables, by=who)).data

    async def mail(self, to: str, words: str = "") -> CaughtMail:
        """The only new mail to an address with these words, once the worker has worked."""
        await self.hub.work()
        return self.hub.mail(to, words)

    async def link(self, to: str, page: str) -> str:
        """The secret of such a link in the only new mail that has one."""
        await self.hub.work()
        return self.hub.secret(to, page)


async def signed_up(cast: Cast) -> Person:
    await cast.does(None, "signUp", name="Martha Mediator", email="Martha@demo.example", password=PASSWORD)
    martha = await cast.hub.sign_in("martha@demo.example")
    early = await cast.hub.change("addCpdEntry", CPD, by=martha)
    assert early.codes == ["FORBIDDEN"]
    token = await cast.link("Martha@demo.example", "verify")
    assert (await cast.does(martha, "verifyEmail", "verified", token=token))["verified"]
    return martha


CPD = {
    "kind": "TRAINING_RECEIVED",
    "title": "Listening",
    "startedOn": "2024-02-01",
    "endedOn": "2024-02-02",
    "minutes": 480,
    "takeaways": "Silence is an answer",
}
CASE = {
    "role": "LEAD_MEDIATOR",
    "medium": "IN_PERSON",
    "startedOn": "2024-03-01",
    "endedOn": "2024-03-02",
    "minutes": 450,
    "outcome": "SETTLED",
    "disputeKind": "NEIGHBOURS",
    "reference": "Fence",
    "didWell": "Took time",
}


async def keeps_a_logbook(cast: Cast, martha: Person) -> None:
    profile = {"about": "Mediates.", "profileUrl": "https://demo.example/martha", "visibility": "DIRECTORIES"}
    changed = await cast.does(martha, "updateProfile", "mediator { about visibility }", **profile)
    assert changed["mediator"] == {"about": "Mediates.", "visibility": "DIRECTORIES"}
    await cast.does(martha, "addLogbookEntry", **CASE)
    await cast.does(martha, "addCpdEntry", **CPD)
    own = "{ me { mediator { experience { minutes } learnings { nodes { text } } } } }"
    mine = (await cast.reads(martha, own))["me"]["mediator"]
    assert mine["experience"]["minutes"] == 450
    assert {one["text"] for one in mine["learnings"]["nodes"]} == {"Took time", "Silence is an answer"}


async def invites_a_reviewer(cast: Cast, martha: Person) -> Person:
    await cast.does(martha, "inviteReviewer", email="rosa@demo.example")
    invitation = await cast.mail("rosa@demo.example")
    assert "Martha Mediator invites you" in text_of(invitation)
    token = secret_in(invitation, "invitation")
    new = {"name": "Rosa Reviewer", "password": PASSWORD, "relation": "COLLEAGUE"}
    await cast.does(None, "acceptInvitation", token=token, **new)
    assert "Rosa Reviewer will be your reviewer once" in text_of(await cast.mail(martha.email))
    rosa = await cast.hub.sign_in("rosa@demo.example")
    await cast.does(cast.admin, "confirmReviewer", accountId=str(rosa.id))
    assert "Rosa Reviewer is now your reviewer" in text_of(await cast.mail(martha.email, "is now your reviewer"))
    return rosa


async def asks_a_party(cast: Cast, martha: Person) -> tuple[str, str]:
    """Request feedback; return the secrets of the two links that the party received."""
    await cast.does(
        martha,
        "requestFeedback",
        partyName="Paul Party",
        partyEmail="paul@demo.example",
        reference="Fence",
        mediationEndedOn="2024-03-02",
        partyAgreed=True,
    )
    mail = await cast.mail("paul@demo.example")
    assert "Martha Mediator would like your feedback" in text_of(mail)
    assert "Fence" in mail["text"]
    return secret_in(mail, "feedback"), secret_in(mail, "stop")


async def answers(cast: Cast, token: str, **facts: Any) -> None:
    subject = "subject { name reviewerName reviewerRelation }"
    invitation = f"query($token: String!) {{ feedbackInvitation(token: $token) {{ state {subject} }} }}"
    found = (await cast.reads(None, invitation, token=token))["feedbackInvitation"]
    told = {"name": "Martha Mediator", "reviewerName": "Rosa Reviewer", "reviewerRelation": "COLLEAGUE"}
    assert found == {"state": "OPEN", "subject": told}
    given = [{"question": "listening", "rating": 5}, {"question": "for_reviewer", "text": "She was late"}]
    await cast.does(None, "giveFeedback", token=token, capacity="PARTY", actedAs="MEDIATOR", answers=given, **facts)


async def test_feedback_reaches_each_reader_as_far_as_they_may_read_it(hub: Hub) -> None:
    cast = Cast(hub, await hub.person(Role.ADMIN))
    martha = await signed_up(cast)
    await keeps_a_logbook(cast, martha)
    rosa = await invites_a_reviewer(cast, martha)

    kept, _ = await asks_a_party(cast, martha)
    await answers(cast, kept, name="Paul P.", email="paul.home@demo.example")
    notice = text_of(await cast.mail(martha.email))
    assert "Paul P. left feedback about you" in notice
    assert "late" not in notice
    shared, _ = await asks_a_party(cast, martha)
    await answers(cast, shared, share=True)

    as_martha = (await cast.reads(martha, f"{{ me {{ mediator {{ {FEEDBACK} }} }} }}"))["me"]["mediator"]["feedback"]
    assert as_martha["totalCount"] == 1
    assert as_martha["nodes"][0]["answers"] == [{"question": "listening", "rating": 5, "text": None}]

    summary = "feedbackSummary { years { count questions { question average } } }"
    (as_rosa,) = (await cast.reads(rosa, f"{{ mediators {{ nodes {{ name profileUrl {FEEDBACK} {summary} }} }} }}"))[
        "mediators"
    ]["nodes"]
    assert as_rosa["profileUrl"] == "https://demo.example/martha"
    assert as_rosa["feedback"]["totalCount"] == 2
    assert [len(one["answers"]) for one in as_rosa["feedback"]["nodes"]] == [2, 2]
    assert as_rosa["feedbackSummary"]["years"][0]["count"] == 2

    given = 'feedback(first: 2) { nodes { shared origin(reason: "Ticket 1234") { name email } } }'
    origin = f"{{ mediators(first: 1) {{ nodes {{ {given} }} }} }}"
    (as_admin,) = (await cast.reads(cast.admin, origin))["mediators"]["nodes"]
    origins = {one["shared"]: one["origin"] for one in as_admin["feedback"]["nodes"]}
    assert origins == {
        False: {"name": "Paul P.", "email": "paul.home@demo.example"},
        True: {"name": None, "email": None},
    }
    log = (await cast.reads(cast.admin, "{ auditLog { nodes { action actorId } } }"))["auditLog"]["nodes"]
    assert [entry["action"] for entry in log] == ["ORIGIN_READ", "ORIGIN_READ", "REVIEWER_CONFIRMED"]
    assert {entry["actorId"] for entry in log} == {str(cast.admin.id)}
    for who in (martha, rosa):
        assert set((await hub.ask(origin, by=who)).codes) == {"GRAPHQL_VALIDATION_FAILED"}


async def test_a_directory_verifies_experience_with_a_program(hub: Hub) -> None:
    cast = Cast(hub, await hub.person(Role.ADMIN))
    martha = await signed_up(cast)
    await keeps_a_logbook(cast, martha)
    await cast.does(cast.admin, "createDirectory", name="The Guide", email="guide@demo.example")
    token = await cast.link("guide@demo.example", "password")
    await cast.does(None, "resetPassword", token=token, password="a first password")
    guide = await hub.sign_in("guide@demo.example", "a first password")
    program = (await cast.does(guide, "createApiToken", "token", name="Nightly"))["token"]

    listed = (await cast.reads(martha, "{ directories { nodes { name } } }"))["directories"]["nodes"]
    assert listed == [{"name": "The Guide"}]
    search = """query($name: String) { mediators(search: $name, standing: DIRECTORY) { nodes {
        id name experience { minutes byYear { year minutes } } logbook { nodes { role endedMonth minutes } }
        cpd { nodes { title minutes } } } } }"""
    (found,) = (await hub.ask(search, {"name": "marth"}, token=program)).data["mediators"]["nodes"]
    assert found["name"] == "Martha Mediator"
    assert found["experience"] == {"minutes": 450, "byYear": [{"year": 2024, "minutes": 450}]}
    assert found["logbook"]["nodes"] == [{"role": "LEAD_MEDIATOR", "endedMonth": "2024-03", "minutes": 450}]
    assert found["cpd"]["nodes"] == [{"title": "Listening", "minutes": 480}]
    for private in ("logbook { nodes { reference } }", "cpd { nodes { takeaways } }", FEEDBACK, "email", "visibility"):
        answer = await hub.ask(f"{{ mediators {{ nodes {{ {private} }} }} }}", token=program)
        assert set(answer.codes) == {"GRAPHQL_VALIDATION_FAILED"}, private

    await cast.does(martha, "updateProfile", visibility="PRIVATE")
    assert (await hub.ask(search, {"name": "marth"}, token=program)).data["mediators"]["nodes"] == []
    gone = await hub.ask("query($id: ID!) { mediator(id: $id) { id } }", {"id": str(martha.id)}, token=program)
    assert gone.codes == ["NOT_FOUND"]


async def test_a_mediator_takes_their_data_along_and_leaves_nothing_behind(hub: Hub) -> None:
    cast = Cast(hub, await hub.person(Role.ADMIN))
    martha = await signed_up(cast)
    await keeps_a_logbook(cast, martha)
    rosa = await invites_a_reviewer(cast, martha)
    token, stop = await asks_a_party(cast, martha)
    await answers(cast, token, share=True)

    await cast.does(martha, "exportMyData")
    secret = await cast.link(martha.email, "export")
    own = {"origin": hub.settings.base_url, "cookie": f"session={martha.cookie}"}
    archive = await hub.client.post(f"/export/{secret}", headers=own)
    assert archive.status_code == 200
    assert archive.content.startswith(b"PK")

    assert (await cast.does(martha, "deleteMyAccount", "deleted", password=PASSWORD))["deleted"]
    assert await cast.mail("Martha@demo.example", "Everything in it is gone")
    assert await cast.mail(rosa.email, "You're no longer the reviewer for Martha Mediator")
    assert (await cast.reads(rosa, "{ mediators { totalCount } }"))["mediators"]["totalCount"] == 0
    for table in ("mediator", "logbook_entry", "cpd_entry", "feedback", "feedback_request", "data_export"):
        assert not await hub.rows(f"SELECT 1 FROM {table}"), table
    spent = await hub.ask("query($it: String!) { feedbackInvitation(token: $it) { state } }", {"it": token})
    assert spent.codes == ["NOT_FOUND"]
    assert (await hub.client.post(f"/export/{secret}", headers=own)).status_code == 401

    await cast.does(None, "stopRequests", token=stop)
    again = await hub.mediator()
    sent = len(hub.mails())
    await cast.does(
        again,
        "requestFeedback",
        partyName="Paul Party",
        partyEmail="PAUL@demo.example",
        mediationEndedOn="2024-03-02",
        partyAgreed=True,
    )
    await hub.work()
    assert len(hub.mails()) == sent


async def test_somebody_with_every_role_reads_no_more_about_themselves_than_a_mediator(hub: Hub) -> None:
    cast = Cast(hub, await hub.person(Role.ADMIN))
    martha = await signed_up(cast)
    await keeps_a_logbook(cast, martha)
    await invites_a_reviewer(cast, martha)
    token, _ = await asks_a_party(cast, martha)
    await answers(cast, token, name="Paul P.")
    await hub.give_roles(martha, *Role, by=cast.admin)
    document = f"query($id: ID!) {{ mediator(id: $id) {{ {FEEDBACK} feedbackSummary {{ years {{ count }} }} }} }}"
    found = (await cast.reads(martha, document, id=str(martha.id)))["mediator"]
    assert found == {"feedback": {"totalCount": 0, "nodes": []}, "feedbackSummary": None}
