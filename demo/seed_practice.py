"""The practice of the demo's mediators: logbook and CPD entries, from first observations to cases of their own."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Table, Uuid, bindparam, func, update
from sqlalchemy.dialects.postgresql import ARRAY

from models.case_session import SessionKind, case_sessions
from models.cpd import CpdFormat, CpdKind, CpdTag, Credit, cpd_entries, cpd_private
from models.database import Transaction
from models.folds import folds
from models.logbook import CaseRole, Medium, Outcome, logbook_entries, logbook_private
from models.opening_balance import opening_balances

T = TypeVar("T")
# What many people may read of an entry, and what only its mediator reads.
Entry = tuple[dict[str, Any], dict[str, Any]]

# How often each occurs on the first day of somebody's practice, and today.
_ROLES = {
    CaseRole.LEAD_MEDIATOR: (1.0, 9.0),
    CaseRole.CO_MEDIATOR: (2.0, 3.0),
    CaseRole.ASSISTANT_MEDIATOR: (4.0, 0.3),
    CaseRole.MEDIATION_ADVOCATE: (0.5, 1.5),
    CaseRole.OBSERVER: (5.0, 0.2),
    CaseRole.OTHER: (0.2, 0.2),
}
_MEDIA = {Medium.IN_PERSON: 5.0, Medium.ONLINE: 4.0, Medium.HYBRID: 1.0, Medium.TELEPHONE: 0.3}
_OUTCOMES = {
    Outcome.SETTLED: 6.0,
    Outcome.PARTLY_SETTLED: 2.0,
    Outcome.NOT_SETTLED: 2.0,
    Outcome.SETTLED_LATER: 0.5,
    Outcome.NOT_KNOWN: 0.5,
}
# What each kind was about, and between whom.
_DISPUTES = {
    "COMMERCIAL": ("Late deliveries", "A supplier and a buyer"),
    "EMPLOYMENT": ("A warning that felt unfair", "An employee and an employer"),
    "FAMILY": ("Where the children live", "A couple with two children"),
    "NEIGHBOURS": ("A hedge and a shed", "Two households"),
    "CONSTRUCTION": ("A leaking roof", "An owner, a builder and an architect"),
    "INHERITANCE": ("Their parents' house", "Three siblings"),
    "COMPANY": ("Who goes on with the firm", "Two business partners"),
    "PROPERTY": ("Repairs and a deposit", "A tenant and a landlord"),
    "CONSUMER": ("A kitchen that came too late", "A customer and a trader"),
    "EDUCATION": ("Support in class", "Parents and a school"),
}
_COUNTRIES = {"Netherlands": 5.0, "Belgium": 2.0, "Germany": 1.0, "France": 1.0, "Ireland": 1.0}
_DID_WELL = (
    "I let the silence last until one of them went on by themselves.",
    "Agreeing on an agenda first gave everybody something that they had agreed on.",
    "The separate meeting came at the right moment: both came back calmer.",
    "I named what I saw happening, and they could talk about it.",
    "My summary in neutral words was taken over by both sides.",
    "I asked what a good day in two years' time would look like. That opened it up.",
    "I kept the advisers at the table without letting them take over.",
    "I checked each term of the agreement aloud before anything was signed.",
)
_FOUND_CHALLENGING = (
    "One side said little. I noticed late that they had given up.",
    "I liked one of them better and had to watch my questions.",
    "Too many people in the room, and no time set apart for each.",
    "The figures changed twice on the day itself.",
    "I offered an idea of my own too early; it was then in everybody's way.",
    "Keeping an eye on five faces on a screen and still listening.",
    "We ran over time, and the last hour brought nothing.",
    "An old quarrel stood behind this one, and I did not ask about it soon enough.",
)
_NOTES = (
    "Ask in three months how the arrangement holds.",
    "Bring the short form of the agreement to mediate next time.",
    "The room was too small for separate meetings.",
    "Two short sessions would have been better than one long one.",
)
_COURSES = {
    CpdKind.TRAINING_RECEIVED: (
        5.0,
        40,
        ("Advanced mediation skills", "Mediating online", "Working with interpreters", "Talks with many parties"),
    ),
    CpdKind.TRAINING_GIVEN: (1.0, 16, ("Coaching at a basic mediation course", "Role plays for new mediators")),
    CpdKind.PRESENTATION: (1.0, 3, ("What mediators hear between the lines", "Mediation in small companies")),
    CpdKind.CONFERENCE: (2.0, 14, ("Demo Mediation Days", "Demo Conference on Restorative Practice")),
    CpdKind.PUBLICATION: (0.5, 20, ("Article: The first ten minutes", "Article: When to adjourn")),
    CpdKind.SUPERVISION: (2.0, 3, ("Supervision of a difficult case", "Supervision: on staying impartial")),
    CpdKind.PEER_REFLECTION: (2.0, 3, ("Peer reflection group",)),
    CpdKind.DEBRIEF: (0.7, 2, ("Debrief after a co-mediation",)),
    CpdKind.MENTORING: (0.5, 2, ("Mentoring a new mediator",)),
    CpdKind.ROLE_PLAY: (0.7, 4, ("Role plays: the first joint meeting",)),
    CpdKind.SELF_STUDY: (2.0, 6, ("Reading: questions that open up", "Reading: negotiation research")),
    CpdKind.OTHER: (0.3, 4, ("Sat in on a court's mediation day",)),
}
_FORMATS = {CpdFormat.LIVE: 5.0, CpdFormat.ONLINE: 3.0, CpdFormat.ON_DEMAND: 1.0}
# What the demo's bodies count a kind of activity as, and for how many points an hour.
_CREDITS = {
    CpdKind.TRAINING_RECEIVED: ("Training", 1),
    CpdKind.TRAINING_GIVEN: ("Teaching", 2),
    CpdKind.PRESENTATION: ("Teaching", 2),
    CpdKind.CONFERENCE: ("Conference", 1),
    CpdKind.PUBLICATION: ("Writing", 1),
}
_PROVIDERS = ("Demo Academy of Mediation", "Demo Mediators' Circle", "Demo University", "Demo Bar Association")
_TAKEAWAYS = (
    "Ask one question at a time, then wait.",
    "Name the process before the content.",
    "My own hurry is the first thing that parties notice.",
    "Write the options down where everybody can see them, without names.",
    "Prepare the separate meetings as carefully as the joint ones.",
    "Say early what confidential means, with an example.",
)


async def add_practice(transaction: Transaction, chance: Random, mediator_id: UUID, today: date, years: int) -> None:
    """Add so many years of a mediator's cases and CPD, up to `today`."""
    cases = [_case(chance, today, years) for _ in range(years * chance.randint(7, 12))]
    case_ids = await _insert(transaction, chance, mediator_id, logbook_entries, logbook_private, cases)
    await _hold_sessions(transaction, chance, mediator_id, dict(zip(case_ids, cases, strict=True)))
    await transaction.insert(opening_balances, [_balance(chance, mediator_id, today, years)])
    courses = [_course(chance, today, years) for _ in range(years * chance.randint(2, 4))]
    for facts, kept in courses:
        supervised = facts["kind"] is CpdKind.SUPERVISION
        kept["supervised_case_id"] = chance.choice(case_ids) if supervised else None
    await _insert(transaction, chance, mediator_id, cpd_entries, cpd_private, courses)


def pick(chance: Random, weights: Mapping[T, float]) -> T:
    """Choose one; the weights say how often each occurs."""
    return chance.choices(list(weights), list(weights.values()))[0]


def sometimes(chance: Random, likelihood: float, choices: tuple[str, ...]) -> str | None:
    """Choose one of the texts, or no text."""
    return chance.choice(choices) if chance.random() < likelihood else None


def seeded_id(chance: Random) -> UUID:
    """Make a version 4 UUID."""
    return UUID(int=chance.getrandbits(128), version=4)


async def _insert(
    transaction: Transaction, chance: Random, mediator_id: UUID, table: Table, private: Table, made: list[Entry]
) -> list[UUID]:
    keys = [{"id": seeded_id(chance), "mediator_id": mediator_id} for _ in made]
    for into, part in ((table, 0), (private, 1)):
        rows = [key | entry[part] | folds(into, entry[part]) for key, entry in zip(keys, made, strict=True)]
        await transaction.insert(into, rows)
    return [key["id"] for key in keys]


async def _hold_sessions(
    transaction: Transaction, chance: Random, mediator_id: UUID, cases: Mapping[UUID, Entry]
) -> None:
    """Divide some cases of several days into sessions: preparation on the first day, a session on the last."""
    rows: list[dict[str, Any]] = []
    for case_id, (facts, _) in cases.items():
        if facts["started_on"] == facts["ended_on"] or chance.random() < 0.4:
            continue
        before = 15 * chance.randint(2, 6)
        middle = facts["started_on"] + (facts["ended_on"] - facts["started_on"]) / 2
        parts = (
            (facts["started_on"], before, SessionKind.PREPARATION),
            (middle, facts["minutes"] // 2, SessionKind.MEDIATION),
            (facts["ended_on"], facts["minutes"] - facts["minutes"] // 2 - before, SessionKind.MEDIATION),
        )
        key = {"entry_id": case_id, "mediator_id": mediator_id, "medium": facts["medium"]}
        rows += [
            {"id": seeded_id(chance), **key, "held_on": day, "minutes": minutes, "kind": kind}
            for day, minutes, kind in parts
        ]
    if rows:
        await transaction.insert(case_sessions, rows)
        its = logbook_entries.c
        divided = its.id == func.any(bindparam("divided", list({row["entry_id"] for row in rows}), ARRAY(Uuid())))
        await transaction.run(update(logbook_entries).where(divided).values(version=its.version))


def _case(chance: Random, today: date, years: int) -> Entry:
    days_ago = chance.randrange(365 * years)
    experience = 1 - days_ago / (365 * years)
    ended_on = today - timedelta(days=days_ago)
    quarters = round(chance.triangular(6, 90, 20))
    dispute = chance.choice(list(_DISPUTES))
    subject, parties = _DISPUTES[dispute]
    role = pick(chance, {role: first + (now - first) * experience for role, (first, now) in _ROLES.items()})
    outcome = Outcome.ONGOING if days_ago < 20 else pick(chance, _OUTCOMES)
    facts = {
        "role": role,
        "medium": pick(chance, _MEDIA),
        "started_on": ended_on - timedelta(days=0 if quarters < 24 else chance.randint(1, 40)),
        "ended_on": ended_on,
        "minutes": 15 * quarters,
        "dispute_kind": dispute,
        "country": pick(chance, _COUNTRIES),
        "party_count": pick(chance, {2: 8.0, 3: 2.0, 4: 1.0, 7: 0.3}),
        "outcome": outcome,
        "completed": outcome is not Outcome.ONGOING,
        "written_agreement": outcome is Outcome.SETTLED and chance.random() < 0.8,
        "simulated": chance.random() < 0.15 * (1 - experience),
    }
    kept = {
        "reference": f"Demo case {ended_on:%Y}-{chance.randint(1, 99):02}",
        "subject": subject,
        "co_mediator": "Demo colleague" if role is CaseRole.CO_MEDIATOR else None,
        "parties": parties,
        "did_well": sometimes(chance, 0.6, _DID_WELL),
        "found_challenging": sometimes(chance, 0.5, _FOUND_CHALLENGING),
        "notes": sometimes(chance, 0.2, _NOTES),
    }
    return facts, kept


def _balance(chance: Random, mediator_id: UUID, today: date, years: int) -> dict[str, Any]:
    """What the mediator did before their logbook begins, in round numbers."""
    cases = 5 * chance.randint(1, 8)
    return {
        "id": seeded_id(chance),
        "mediator_id": mediator_id,
        "role": CaseRole.LEAD_MEDIATOR,
        "minutes": 60 * 6 * cases,
        "cases": cases,
        "before": date(today.year - years, 1, 1),
    }


def _credits(kind: CpdKind, hours: int) -> list[dict[str, str | None]]:
    if kind not in _CREDITS:
        return []
    called, points = _CREDITS[kind]
    demo = Credit("Demo Institute of Mediators", called, Decimal(points * hours))
    return [demo.stored(), Credit("Demo Bar Association", None, None).stored()]


def _course(chance: Random, today: date, years: int) -> Entry:
    ended_on = today - timedelta(days=chance.randrange(365 * years))
    kind = pick(chance, {kind: often for kind, (often, _, _) in _COURSES.items()})
    _, most_hours, titles = _COURSES[kind]
    hours = chance.randint(1, most_hours)
    facts = {
        "kind": kind,
        "title": chance.choice(titles),
        "provider": None if kind is CpdKind.SELF_STUDY else chance.choice(_PROVIDERS),
        "started_on": ended_on - timedelta(days=(hours - 1) // 8),
        "ended_on": ended_on,
        "minutes": 60 * hours,
        "format": CpdFormat.SELF_STUDY if kind is CpdKind.SELF_STUDY else pick(chance, _FORMATS),
        "tags": chance.sample(list(CpdTag), pick(chance, {0: 2.0, 1: 5.0, 2: 3.0})),
        "credits": _credits(kind, hours),
        "evidence_url": sometimes(chance, 0.4, (f"https://demo.example/certificates/{chance.randint(1000, 9999)}",)),
    }
    return facts, {"takeaways": sometimes(chance, 0.7, _TAKEAWAYS)}
