"""The demo's people, all invented, and who is what to whom.

What they did is added along with them. Randomness is seeded, so every machine gets the same people with the same past,
with dates counted back from today.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import ClauseElement, bindparam, insert, select, update
from sqlalchemy.types import Uuid

from demo.seed_evidence import add_evidence
from demo.seed_feedback import add_feedback, add_held, add_requests
from demo.seed_practice import add_practice, seeded_id
from jobs.mail.recipients import mailed_link
from models.account import Role, accounts
from models.database import Transaction, connect
from models.directory import directories
from models.feedback import RequestState, feedback_requests, spent_links
from models.mediator import Visibility, mediators
from models.reviewer import Relation, appointments
from models.statement import Row, statement
from permissions.passwords import hash_password
from permissions.scopes import link_works
from permissions.secrets import Opens, link_secret, spent_marks
from resolvers.account import add_profile
from resolvers.account_row import new_account
from resolvers.mediator import personal_link
from resolvers.reviewer_invitation import put_invitation
from settings import Approval, Settings

DEMO_PASSWORD = "demo-password"  # noqa: S105 - printed for everybody


@dataclass(frozen=True)
class Person:
    """Somebody with an account: `handle`@demo.example.

    A mediator has practised for so many years, has a reviewer (a handle) who says how they know them, and made so many
    requests in the last few days. `asks` is a reviewer who has yet to accept, `invites` an address with no account.
    """

    handle: str
    name: str
    roles: tuple[Role, ...] = (Role.MEDIATOR,)
    years: int = 0
    reviewer: str | None = None
    relation: tuple[Relation, str | None] | None = None
    asks: str | None = None
    invites: str | None = None
    requests: int = 0
    private: bool = False
    website: str | None = None
    description: str | None = None

    @property
    def email(self) -> str:
        """Their address."""
        return f"{self.handle}@demo.example"

    @property
    def id(self) -> UUID:
        """Their account's id, the same in each demo."""
        return seeded_id(Random(self.handle))  # noqa: S311 - no secret


DEMO_PEOPLE = (
    Person("admin", "Demo Administrator", (Role.ADMIN,), description="administrator, at home in GraphiQL"),
    Person("reviewer", "Demo Reviewer", (Role.REVIEWER,), description="reviewer, appointed by five mediators"),
    Person("reviewer2", "Demo Reviewer 2", (Role.REVIEWER,), description="reviewer, asked by one more mediator"),
    Person("reviewer3", "Demo Reviewer 3", (Role.REVIEWER,)),
    Person(
        "directory",
        "Demo Directory of Mediators",
        (Role.DIRECTORY,),
        website="https://demo.example/directory",
        description="directory, which verifies mediators' experience",
    ),
    Person("directory2", "Demo Case Manager", (Role.DIRECTORY,), website="https://demo.example/case-manager"),
    Person(
        "mediator",
        "Demo Mediator",
        years=9,
        reviewer="reviewer",
        relation=(Relation.COLLEAGUE, None),
        requests=4,
        description="mediator, visible to directories",
    ),
    Person(
        "peer",
        "Demo Peer",
        (Role.MEDIATOR, Role.REVIEWER),
        years=6,
        reviewer="reviewer",
        relation=(Relation.OTHER, "We trained together in 2015"),
        requests=2,
        description="mediator who also reviews two colleagues",
    ),
    Person(
        "mediator3",
        "Demo Mediator 3",
        years=12,
        reviewer="reviewer",
        relation=(Relation.SAME_PROVIDER, None),
        requests=1,
    ),
    Person("mediator4", "Demo Mediator 4", years=4, reviewer="reviewer", private=True),
    Person("mediator5", "Demo Mediator 5", years=7, reviewer="peer"),
    Person("mediator6", "Demo Mediator 6", years=2, reviewer="reviewer"),
    Person("mediator7", "Demo Mediator 7", years=10, reviewer="reviewer2"),
    Person("mediator8", "Demo Mediator 8", years=3, reviewer="peer", private=True),
    Person("mediator9", "Demo Mediator 9", years=5, reviewer="reviewer2"),
    Person("mediator10", "Demo Mediator 10", years=8, reviewer="reviewer2", private=True),
    Person(
        "mediator11",
        "Demo Mediator 11",
        years=1,
        asks="reviewer2",
        description="mediator whose reviewer has yet to accept",
    ),
    Person(
        "mediator12",
        "Demo Mediator 12",
        private=True,
        invites="invited@demo.example",
        description="mediator with an empty logbook, who has invited a reviewer",
    ),
)
ACCOUNTS = [(person.email, person.description) for person in DEMO_PEOPLE if person.description]


async def fill(settings: Settings) -> None:
    """Add the demo's data as its owner, all or nothing, unless somebody already has an account."""
    async with connect(settings, settings.database_owner_url) as database, database.transaction() as transaction:
        if await transaction.value(select(accounts.c.id).limit(1), UUID):
            return
        await _add_accounts(transaction, database.now(), await hash_password(DEMO_PASSWORD))
        for person in DEMO_PEOPLE:
            if Role.MEDIATOR in person.roles:
                await _add_mediator(transaction, settings, person, database.now())
        await _add_reviews(transaction, settings, database.now())


def _named(handle: str) -> Person:
    return next(person for person in DEMO_PEOPLE if person.handle == handle)


async def _add_accounts(transaction: Transaction, now: datetime, password_hash: str) -> None:
    for person in DEMO_PEOPLE:
        paid_until = now + timedelta(days=365) if Role.MEDIATOR in person.roles else None
        new = new_account(person.name, person.email, *person.roles, password_hash=password_hash, id=person.id)
        await transaction.run(new.values(email_verified_at=now, paid_until=paid_until))
    listed = [{"id": person.id, "website": person.website} for person in DEMO_PEOPLE if Role.DIRECTORY in person.roles]
    await transaction.run(insert(directories).values(listed))


async def _add_mediator(transaction: Transaction, settings: Settings, person: Person, now: datetime) -> None:
    await add_profile(
        settings, transaction, person.id, Visibility.PRIVATE if person.private else Visibility.DIRECTORIES
    )
    if not person.years:
        return
    practice = "a year" if person.years == 1 else f"{person.years} years"
    about = f"An invented mediator with {practice} of practice, here to show how the logbook works."
    profile_url = f"https://demo.example/profiles/{person.handle}"
    await transaction.run(
        update(mediators).where(mediators.c.id == person.id).values(about=about, profile_url=profile_url)
    )
    chance = Random(f"{person.handle}'s past")  # noqa: S311 - no secret
    await add_practice(transaction, chance, person.id, now.date(), person.years)
    await add_feedback(transaction, settings, chance, person.id, now, person.years)
    await add_requests(transaction, settings, chance, person.id, now, fresh=person.requests)
    if person.handle == "mediator":
        await add_held(transaction, settings, chance, person.id, now)
        await add_evidence(transaction, settings, person.id, person.name)


async def _add_reviews(transaction: Transaction, settings: Settings, now: datetime) -> None:
    """Add who reviews whom, and is confirmed; who is asked; and who is invited, by a mail that goes out now."""
    for person in DEMO_PEOPLE:
        relation, details = person.relation or (Relation.NO_RELATION, None)
        in_force = {"in_force": True, "accepted_at": now, "relation": relation, "relation_details": details}
        for handle, yes in ((person.reviewer, in_force), (person.asks, {})):
            if handle:
                sides = {"mediator_id": person.id, "reviewer_id": _named(handle).id}
                await transaction.run(insert(appointments).values(approval=Approval.NEW, **sides, **yes))
        if person.invites:
            await put_invitation(transaction, settings, seeded_id(Random(person.invites)), person.id, person.invites)  # noqa: S311 - no secret
        if person.reviewer:
            confirmed = update(accounts).where(accounts.c.id == _named(person.reviewer).id)
            await transaction.run(confirmed.values(reviewer_confirmed_at=now))


class _LinkRow(Row):
    id: UUID
    secret_hash: bytes


class _UsedRow(Row):
    mark: bytes


@statement(_UsedRow)
def _used() -> ClauseElement:
    return select(spent_links.c.mark)


@statement(_LinkRow)
def _requests() -> ClauseElement:
    requests = feedback_requests.c
    mine = (requests.mediator_id == bindparam("mediator", type_=Uuid()), requests.state == RequestState.OPEN)
    return select(requests.id, requests.secret_hash).where(*mine, link_works()).order_by(requests.made_at.desc())


async def links(settings: Settings) -> list[tuple[str, str]]:
    """Give the mediator's pages that open without signing in: a name and an address each."""
    mediator = _named("mediator")
    personal = personal_link(settings, link_secret(settings, Opens.PERSONAL_LINK, mediator.id))
    found = [(f"Give feedback to {mediator.name}", personal)]
    async with connect(settings, settings.database_owner_url) as database, database.reading() as reading:
        requests = await reading.all(_requests(), mediator=mediator.id)
        used = {row.mark for row in await reading.all(_used())}
    open_ones = [one.id for one in requests if used.isdisjoint(spent_marks(settings, one.secret_hash))]
    if open_ones:
        survey = mailed_link(settings, "feedback", link_secret(settings, Opens.FEEDBACK_REQUEST, open_ones[0]))
        found.append((f"Answer a request of {mediator.name}", survey))
    return found
