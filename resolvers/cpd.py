"""Continuing professional development: what the list of it can do."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from models.cpd import CpdKind, cpd_entries, cpd_private
from resolvers.checks import Check
from resolvers.entries import OwnedList, equals, in_year, year_of

_entry, _private = cpd_entries.c, cpd_private.c


def _checked(values: dict[str, Any], latest: date) -> dict[str, Any]:
    check = Check()
    values = dict(values)
    values["title"] = check.name("title", values["title"])
    values["provider"] = check.line("provider", values["provider"])
    values["evidence_url"] = check.url("evidenceUrl", values["evidence_url"])
    values["takeaways"] = check.text("takeaways", values["takeaways"])
    check.days(values["started_on"], values["ended_on"], latest)
    check.minutes(values["minutes"])
    check.done()
    return values


_COLUMNS: dict[str, Any] = {
    "id": _entry.id,
    "kind": _entry.kind,
    "title": _entry.title,
    "provider": _entry.provider,
    "started_on": _entry.started_on,
    "ended_on": _entry.ended_on,
    "minutes": _entry.minutes,
    "evidence_url": _entry.evidence_url,
    "version": _entry.version,
    "takeaways": _private.takeaways,
}

CPD = OwnedList(
    type_name="CpdEntry",
    table=cpd_entries,
    private=cpd_private,
    columns=_COLUMNS,
    filters={"kind": equals(_entry.kind), "year": in_year(_entry.ended_on)},
    sorts={name: _COLUMNS[name] for name in ("kind", "title", "provider", "started_on", "ended_on", "minutes")},
    nullable=frozenset({"provider"}),
    searched=("title", "provider", "takeaways"),
    default=("ended_on",),
    dear=frozenset({"takeaways"}),
    facets={"years": year_of(_entry.ended_on)},
    check=_checked,
)


@dataclass(frozen=True)
class CpdFilter:
    """What to show; every field that is set must fit."""

    kind: CpdKind | None = None
    year: int | None = None
    text: str | None = None
