"""The three documents of the benchmark, in the form that each server is asked for them, and what they ask about.

Each asks for the same data in the same order. The answer of the bare server must equal the hub's byte for byte, apart
from spaces; PostGraphile names and nests some things differently, so there every value must occur equally often.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson

from permissions.viewer import Standing
from tests.bench.rows import Known


@dataclass(frozen=True)
class Asked:
    """One request for each server: a body or a path, and who sends it."""

    hub: bytes
    postgraphile: bytes
    bare: bytes


@dataclass(frozen=True)
class Case:
    """One document, sent about something else each time."""

    name: str
    about: str
    requests: list[Asked]


A = """query($id: ID!) { mediator(id: $id) { experience { minutes cases } logbook(first: 25) { totalCount
    nodes { id role medium startedOn endedOn minutes disputeKind outcome } } } }"""
A_POSTGRAPHILE = """query($id: UUID!) { mediatorByRowId(rowId: $id) { totals { minutes cases }
    logbookEntriesByMediatorId(first: 25, orderBy: [ENDED_ON_DESC, ROW_ID_DESC]) { totalCount
    nodes { rowId role medium startedOn endedOn minutes disputeKind outcome } } } }"""
B = """query($search: String) { mediators(search: $search, first: 20) {
    nodes { id name experience { byRole { role minutes cases } } } } }"""
B_POSTGRAPHILE = """query($words: String!) { benchMediatorsNamed(words: $words, first: 20) {
    nodes { rowId accountByRowId { name } hours { nodes { role minutes cases } } } } }"""
C = """query($id: ID!) { mediator(id: $id) { name feedback(first: 50) { nodes { id capacity actedAs shared receivedOn
    byInvitation answers { question rating text } } } } }"""
C_POSTGRAPHILE = """query($id: UUID!) { mediatorByRowId(rowId: $id) { accountByRowId { name }
    feedbacksByMediatorId(first: 50, orderBy: [RECEIVED_ON_DESC, ROW_ID_DESC]) { nodes { rowId capacity actedAs shared
    receivedOn byInvitation feedbackAnswersByFeedbackIdAndAdmission { nodes { question rating text } } } } } }"""


# The changes that the benches of changes and of scale send.
ENTRY = {
    "role": "LEAD_MEDIATOR", "medium": "ONLINE", "startedOn": "2024-05-06", "endedOn": "2024-05-06", "minutes": 90,
    "notes": "They agreed in the end.",
}  # fmt: skip
ADD = """mutation($input: AddLogbookEntryInput!) { addLogbookEntry(input: $input) {
    logbookEntry { id } userErrors { code } } }"""
ANSWERS = [{"question": "listening", "rating": 4}, {"question": "impressed", "text": "Patience"}]
GIVE = "mutation($input: GiveFeedbackInput!) { giveFeedback(input: $input) { userErrors { code } } }"


def cases(known: Known) -> list[Case]:
    """Write every request."""
    own = Standing.SELF | Standing.PUBLIC
    reviewing, looking = Standing.REVIEWER | Standing.PUBLIC, Standing.DIRECTORY | Standing.PUBLIC
    return [
        Case("A", "a mediator's own 25 cases x 8 fields, with totals", [
            Asked(
                _hub(A, {"id": str(one)}, secret),
                _graphile(A_POSTGRAPHILE, {"id": str(one)}, one, own),
                _bare("a", one),
            )
            for one, secret in known.mediators
        ]),
        Case("B", "a directory's 20 mediators, with hours in each role", [
            Asked(
                _hub(B, {"search": word}, known.directory),
                _graphile(B_POSTGRAPHILE, {"words": f"'{word.lower()}':*"}, known.directory_id, looking),
                _bare("b", f"'{word.lower()}':*"),
            )
            for word in known.groups
        ]),
        Case("C", "a reviewer's 50 pieces of feedback x 12 values", [
            Asked(
                _hub(C, {"id": str(one)}, known.reviewer),
                _graphile(C_POSTGRAPHILE, {"id": str(one)}, known.reviewer_id, reviewing),
                _bare("c", one),
            )
            for one in known.fed
        ]),
    ]  # fmt: skip


def _hub(text: str, variables: dict[str, Any], secret: str) -> bytes:
    return post({"query": text, "variables": variables}, f"Cookie: session={secret}")


def _graphile(text: str, variables: dict[str, Any], viewer: object, standings: Standing) -> bytes:
    return post({"query": text, "variables": variables}, f"X-Viewer: {viewer}", f"X-Standings: {int(standings)}")


def _bare(case: str, about: object) -> bytes:
    return post({"case": case, "about": str(about)})


def post(body: dict[str, Any], *headers: str, path: str = "/graphql") -> bytes:
    """Write an HTTP request."""
    content = orjson.dumps(body)
    lines = [
        f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Accept: application/json",
        f"Content-Length: {len(content)}", *headers,
    ]  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + content


def values(body: Any) -> Counter[str]:
    """Return every value in an answer, however it's named and nested; sums may be sent as text."""
    if isinstance(body, dict):
        body = list(body.values())
    if isinstance(body, list):
        return sum((values(one) for one in body), Counter())
    return Counter([str(body)])
