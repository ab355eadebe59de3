"""The words of other people's spreadsheets: which headings mean which field of a case, and which cells which choice.

Compared are letters and digits alone, whatever their case.
"""

from dataclasses import dataclass

from web import words


@dataclass(frozen=True)
class Field:
    """A field of a case: the API's name, its heading in our exports, and other headings that mean it, after commas."""

    name: str
    title: str
    also: str = ""

    @property
    def headings(self) -> list[str]:
        """Give all headings that mean it."""
        return [self.name, self.title, *_listed(self.also)]


FIELDS = (
    Field("startedOn", "First day", "start date, start, started, date started, first date, from, begin, began"),
    Field(
        "endedOn",
        "Last day",
        "end date, end, ended, date ended, last date, to, until, finished, completed, date completed, date, day, "
        "date of mediation, mediation date, date of session, session date",
    ),
    Field("role", "Role", "your role, my role, role in mediation, capacity, acted as, position"),
    Field("medium", "Medium", "format, mode, setting, online or in person, in person or online, method"),
    Field(
        "minutes",
        "Hours",
        "duration, hrs, time, time spent, hours spent, total hours, number of hours, no of hours, mediation hours, "
        "duration in hours, duration in minutes, mins, total minutes, number of minutes, length",
    ),
    Field("outcome", "Outcome", "result, status, resolution, settled, settlement"),
    Field(
        "disputeKind",
        "Kind of dispute",
        "type of dispute, dispute type, dispute, kind, type, subject, subject matter, area, sector, category, "
        "practice area, case type, type of case, nature of dispute, topic",
    ),
    Field("country", "Country", "jurisdiction, nation, country of mediation"),
    Field("partyCount", "Number of parties", "no of parties, parties count, how many parties"),
    Field("simulated", "Simulated", "simulation, role play, roleplay, mock, practice case"),
    Field(
        "reference",
        "Reference",
        "your reference, my reference, ref, case reference, case, case number, case no, case id, case name, "
        "file number, matter",
    ),
    Field("parties", "Parties", "the parties, party names, names of parties, names of the parties, clients"),
    Field("didWell", "What I did well", "what went well, went well, strengths"),
    Field("foundChallenging", "What I found challenging", "challenges, challenging, difficulties"),
    Field("notes", "Notes", "note, comments, comment, remarks, remark, observations"),
)
TITLES = {field.name: field.title for field in FIELDS}

# The API's words and ours for the fields that are a choice, and for each of the API's words other usual ones.
CHOICES = {"role": words.ROLES, "medium": words.MEDIA, "outcome": words.OUTCOMES}
_ALSO = {
    "LEAD_MEDIATOR": "lead, mediator, sole mediator",
    "CO_MEDIATOR": "co, comediator",
    "ASSISTANT_MEDIATOR": "assistant",
    "MEDIATION_ADVOCATE": "advocate, party representative",
    "IN_PERSON": "face to face, onsite, offline",
    "ONLINE": "remote, virtual, video, video conference, zoom, teams",
    "HYBRID": "mixed",
    "SETTLED": "settlement, full settlement, fully settled, agreement, resolved, yes",
    "PARTLY_SETTLED": "partly, partial, partial settlement, partially settled",
    "NOT_SETTLED": "no settlement, no agreement, not resolved, unresolved, impasse, no",
    "ONGOING": "pending, open, in progress, adjourned",
    "NOT_KNOWN": "unknown, n/a",
}
YES = {"yes", "y", "true", "1", "x", "simulated", "simulation"}
NO = {"no", "n", "false", "0", "real"}


def meanings(field: str) -> dict[str, list[str]]:
    """Give all words for each of the API's words of a field that is a choice."""
    return {word: [word, title, *_listed(_ALSO.get(word, ""))] for word, title in CHOICES[field].items()}


def _listed(text: str) -> list[str]:
    return text.split(",") if text else []
