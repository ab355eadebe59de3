"""Serves the demo's data, and knows where there's something to see: an address for each kind of secret and id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from demo.embedded import Services
from demo.seed import DEMO_PASSWORD, DEMO_PEOPLE, fill
from tests.browser.serving import served
from tests.hub import Hub, Person, payload, secret_in

UNKNOWN = "x" * 43


@dataclass
class Demo:
    """A served hub with the people of the demo, who are named by handle."""

    hub: Hub
    places: dict[str, str]
    _people: dict[str, Person] = field(default_factory=dict)

    async def person(self, handle: str) -> Person:
        """Return somebody, signed in."""
        if handle not in self._people:
            self._people[handle] = await self.hub.sign_in(f"{handle}@demo.example", DEMO_PASSWORD)
        return self._people[handle]


@asynccontextmanager
async def demo_hub(services: Services) -> AsyncIterator[Demo]:
    """Fill an empty database with the demo, and serve a hub on it."""
    async with served(services) as hub:
        await fill(hub.settings)
        demo = Demo(hub, {"unknown": UNKNOWN})
        demo.places |= await _ids(demo) | await _secrets(demo)
        yield demo


async def _ids(demo: Demo) -> dict[str, str]:
    """Return the id of one of each thing that the demo's mediator has."""
    document = """{ me { mediator { feedbackLink
        logbook { nodes { id sessions { id } } } cpd(first: 100) { nodes { id hasCertificate } }
        feedback(first: 1) { nodes { id } } openingBalances { id } } } }"""
    own = (await demo.hub.ask(document, by=await demo.person("mediator"))).data["me"]["mediator"]
    case = next(one for one in own["logbook"]["nodes"] if one["sessions"])
    return {
        "mediator": str(next(person.id for person in DEMO_PEOPLE if person.handle == "mediator")),
        "personal": own["feedbackLink"].rpartition("/")[2],
        "entry": case["id"],
        "session": case["sessions"][0]["id"],
        "cpd": own["cpd"]["nodes"][0]["id"],
        "balance": own["openingBalances"][0]["id"],
        "certified": next(node["id"] for node in own["cpd"]["nodes"] if node["hasCertificate"]),
        "feedback": own["feedback"]["nodes"][0]["id"],
    }


async def _secrets(demo: Demo) -> dict[str, str]:
    """Have each kind of mail with a link sent; return the secrets of the links by the name of their page."""
    hub = demo.hub
    mediator = await demo.person("mediator")
    request = {"partyName": "Demo Party", "mediationEndedOn": "2024-05-06", "partyAgreed": True}
    new = {"name": "Demo Newcomer", "email": "newcomer@demo.example", "password": DEMO_PASSWORD}
    payload(await hub.change("requestFeedback", request | {"partyEmail": "pat@demo.example"}, by=mediator))
    payload(await hub.change("requestFeedback", request | {"partyEmail": "sam@demo.example"}, by=mediator))
    payload(await hub.change("exportMyData", {}, by=mediator))
    payload(await hub.change("signUp", new))
    payload(await hub.change("requestPasswordReset", {"email": "mediator12@demo.example"}))
    await hub.work()
    spent = hub.secret("sam@demo.example", "feedback")
    answer = {
        "token": spent,
        "capacity": "PARTY",
        "actedAs": "MEDIATOR",
        "answers": [{"question": "listening", "rating": 5}],
    }
    receipt = payload(await hub.change("giveFeedback", answer, "receipt"))["receipt"]
    asked = hub.mail("pat@demo.example")
    return {
        "request": secret_in(asked, "feedback"),
        "spent": spent,
        "receipt": receipt,
        "stop": secret_in(asked, "stop"),
        "export": hub.secret(mediator.email, "export"),
        "verify": hub.secret(new["email"], "verify"),
        "password": hub.secret("mediator12@demo.example", "password"),
        "invitation": hub.secret("invited@demo.example", "invitation"),
    }
