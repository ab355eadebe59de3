"""The logbook's pages: both tables with the hours they add up to, their exports, and a case's own pages."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from web import words
from web.asking import ask
from web.charts import hours_by_role
from web.forms import day, minutes, one_of, text, whole, yes
from web.listing import Column, Filter, Listing, View
from web.pages import entries
from web.pages.cpd import CPD
from web.rendering import MEDIATORS, page, render
from web.sheets import export
from web.words import DAY, HOURS, MEDIUM, OUTCOME, ROLE, YES, YES_NO

FILTERS = (
    Filter("role", "Role", words.ROLES),
    Filter("medium", "Medium", words.MEDIA),
    Filter("year", "Year", found="years"),
    Filter("disputeKind", "Kind of dispute", found="disputeKinds"),
    Filter("simulated", "Simulated", YES_NO),
    Filter("text", "Words"),
)
LOGBOOK = Listing(
    "logbook",
    (
        Column("endedOn", "Last day", DAY, "ENDED_ON"),
        Column("role", "Role", ROLE, "ROLE"),
        Column("medium", "Medium", MEDIUM, "MEDIUM"),
        Column("disputeKind", "Kind of dispute", sort="DISPUTE_KIND"),
        Column("minutes", "Hours", HOURS, "MINUTES"),
        Column("outcome", "Outcome", OUTCOME, "OUTCOME"),
        Column("reference", "Reference", sort="REFERENCE"),
        Column("simulated", "Simulated", YES, "SIMULATED"),
    ),
    (FILTERS[0], FILTERS[1], FILTERS[2], FILTERS[3], Filter("outcome", "Outcome", words.OUTCOMES), *FILTERS[4:]),
    more=(
        Column("startedOn", "First day"),
        Column("country", "Country"),
        Column("partyCount", "Number of parties"),
        Column("parties", "Parties"),
        Column("didWell", "What I did well"),
        Column("foundChallenging", "What I found challenging"),
        Column("notes", "Notes"),
    ),
)

CASE = entries.EntryForm(
    name="logbook",
    noun="LogbookEntry",
    field="logbookEntry",
    readers={
        "role": one_of(words.ROLES),
        "medium": one_of(words.MEDIA),
        "startedOn": day,
        "endedOn": day,
        "minutes": minutes,
        "disputeKind": text,
        "country": text,
        "partyCount": whole,
        "outcome": one_of(words.OUTCOMES),
        "simulated": yes,
        "reference": text,
        "parties": text,
        "didWell": text,
        "foundChallenging": text,
        "notes": text,
    },
    required=frozenset({"role", "medium", "startedOn", "endedOn", "minutes", "outcome"}),
    labels={
        "role": "Your role",
        "medium": "Medium",
        "startedOn": "First day",
        "endedOn": "Last day",
        "minutes": "Duration in hours",
        "disputeKind": "Kind of dispute",
        "country": "Country",
        "partyCount": "Number of parties",
        "outcome": "Outcome",
        "simulated": "A simulation, not a real case",
        "reference": "Your reference",
        "parties": "The parties",
        "didWell": "What I did well",
        "foundChallenging": "What I found challenging",
        "notes": "Notes",
    },
    defaults={"outcome": "NOT_KNOWN"},
)


async def show(request: Request) -> Response:
    """Show cases and CPD, and what the cases add up to."""
    cases, courses = View(request, LOGBOOK, "/logbook"), View(request, CPD, "/logbook")
    found = await ask(request, "logbook", "Logbook", **cases.variables(), **courses.variables("cpd"))
    mediator = found["me"]["mediator"]
    return render(
        request,
        "logbook/list.html",
        cases=cases,
        courses=courses,
        mediator=mediator,
        chart=hours_by_role(mediator["experience"]),
    )


async def sheet(request: Request) -> Response:
    """Export the cases of a view."""
    view = View(request, LOGBOOK, "/logbook")
    return await export(request, view, "logbook", "Export", ("me", "mediator", "logbook"))


routes: list[BaseRoute] = [
    Route("/logbook", page(show, MEDIATORS)),
    Route("/logbook.csv", page(sheet, MEDIATORS)),
    *entries.routes(CASE),
]
