"""A population of any size for `make bench-scale`, written by COPY: a million mediators in a few minutes.

A few mediators, the same number at every size, are asked about. Each of them has as much as in every other population,
and their rows are scattered among everybody else's, as they would be after years. Ids have no order either. The more
others there are, the less each of them has. Names share words: twenty mediators have the same family name, and a
twentieth of everybody the same given name.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from uuid import UUID

import asyncpg

from models.folding import fold
from permissions.secrets import hash_secret

ASKED = 12  # mediators that are asked about
HAS = {"entries": 60, "cpd": 20, "feedback": 40, "requests": 5}  # per mediator asked about
PEER = 1  # a mediator who reviews ten others
MEDIATORS_PER_REVIEWER = 50
DIRECTORIES, WAITING, DEAD = 20, 30, 30
_CHUNK = 20_000  # rows
_ODD = 0x9E3779B97F4A7C15F39CC0605CEDC835

INDEXES = """
SELECT pg_get_indexdef(i.indexrelid) AS made, i.indexrelid::regclass::text AS name
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
   AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
"""


def nth(kind: str, number: int) -> str:
    """Return the id of a row of some kind by its number, as 32 hexadecimal digits."""
    return f"{(number + 1 + ord(kind) * 10**9) * _ODD % 2**128:032x}"


@dataclass(frozen=True)
class Asked:
    """A mediator that is asked about: id, secret of a session, family name."""

    id: UUID
    secret: str
    family: str


@dataclass(frozen=True)
class Population:
    """Mediators; `each`: how many cases the rest of them have, besides one CPD entry and one piece of feedback.

    `secret` returns the session of the reviewer of those asked about, of a mediator who reviews, and of others.
    """

    mediators: int
    each: int

    @property
    def asked(self) -> list[Asked]:
        """Return the mediators that are asked about, as far apart as possible."""
        return [Asked(UUID(nth("m", n)), f"{n:043d}", _family(n)) for n in self._asked()]

    def _asked(self) -> list[int]:
        return [place * (self.mediators // ASKED) for place in range(ASKED)]

    @staticmethod
    def secret(who: str) -> str:
        """Return the secret of the session of the reviewer, the peer, the directory or the admin."""
        return who.ljust(43, "_")

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[str]]]:
        """Return each table, its columns, and its rows as lines in COPY's text format, without line ends."""
        asked, rest = self._asked(), range(self.mediators)

        def scattered(kind: str, each: int) -> Iterator[tuple[int, int]]:
            """Return mediator and number of each row; for those asked about, they're the same at every size."""
            few = ((m, n) for n in range(HAS[kind]) for m in asked)
            others = ((m, n + 1000) for n in range(each) for m in rest)
            gap = each * self.mediators // (HAS[kind] * ASKED) + 1
            while rows := list(islice(others, gap)):
                yield from rows
                yield from islice(few, 1)
            yield from few

        yield "account", _ACCOUNT, chain(self._mediators(), self._others())
        yield "directory", ["id"], (nth("d", n) for n in range(DIRECTORIES))
        yield "mediator", ["id", "about", "visibility", "feedback_link_hash"], (
            f"{(m := nth('m', n))}\tListens, and asks.\tDIRECTORIES\t\\\\x{m}{m}" for n in rest
        )  # fmt: skip
        reviewed = dict.fromkeys(asked, nth("r", 0)) | dict.fromkeys(range(101, 111), nth("m", PEER))
        yield "appointment", ["mediator_id", "reviewer_id", "in_force"], chain(
            (f"{nth('m', n)}\t{reviewed.get(n) or nth('r', 1 + n // MEDIATORS_PER_REVIEWER)}\tt" for n in rest),
            (f"{nth('m', n + 1)}\t{nth('r', 1)}\tf" for n in range(WAITING)),
        )  # fmt: skip
        yield "logbook_entry", _ENTRY, (_entry(m, n) for m, n in scattered("entries", self.each))
        yield "logbook_private", ["id", "mediator_id", "reference", "reference_folded", "notes", "notes_folded"], (
            f"{nth('e', m * 2000 + n)}\t{nth('m', m)}\tcase {n}\tcase {n}\t{_NOTE}\t{fold(_NOTE)}"
            for m, n in scattered("entries", self.each)
        )  # fmt: skip
        yield "cpd_entry", _CPD, (
            f"{nth('c', m * 2000 + n)}\t{nth('m', m)}\tTRAINING_RECEIVED\tListening\tlistening\t"
            f"{_day(n * 37)}\t{_day(n * 37)}\t90"
            for m, n in scattered("cpd", 1)
        )  # fmt: skip
        yield "cpd_private", ["id", "mediator_id", "takeaways", "takeaways_folded"], (
            f"{nth('c', m * 2000 + n)}\t{nth('m', m)}\tAsk again.\task again." for m, n in scattered("cpd", 1)
        )  # fmt: skip
        yield "feedback", _FEEDBACK, (
            f"{nth('f', m * 2000 + n)}\t{nth('m', m)}\tPARTY\tMEDIATOR\t{'tf'[n % 2]}\t{'tf'[n % 2]}\t"
            f"{'tf'[n % 3 > 0]}\t{_day(n * 29)}"
            for m, n in scattered("feedback", 1)
        )  # fmt: skip
        yield "feedback_answer", _ANSWER, (
            f"{nth('f', m * 2000 + n)}\t{question}\t{nth('m', m)}\tf\t{rating}\t{text}"
            for m, n in scattered("feedback", 1)
            for question, rating, text in (("listening", str(1 + n % 5), r"\N"), ("impressed", r"\N", "Patience"))
        )  # fmt: skip
        # As long as a sealed one, but nobody opens it.
        yield "feedback_origin", ["id", "sealed", "mailbox_hash"], (
            f"{(f := nth('f', m * 2000 + n))}\t\\\\x{f * 4}\t\\\\x{nth('p', m) * 2}"
            for m, n in scattered("feedback", 1)
        )  # fmt: skip
        yield "feedback_request", ["id", "mediator_id", "mediation_ended_on", "secret_hash"], (
            f"{(r := nth('q', m * 2000 + n))}\t{nth('m', m)}\t{_day(n)}\t\\\\x{r}{r}"
            for m, n in scattered("requests", 1)
        )  # fmt: skip
        yield "outbox", ["kind", "subject_id", "dedupe_key", "state", "finished_at"], (
            f"verify_email\t{nth('m', n)}\tmail{n}\t{'DEAD' if n < DEAD else 'DONE'}\t2026-01-01" for n in rest
        )  # fmt: skip
        yield "audit_entry", ["actor_id", "action", "subject_id", "at"], (
            f"{nth('a', 0)}\tPAID_ACCESS_CHANGED\t{nth('m', n)}\t{_day(n)}" for n in range(0, self.mediators, 20)
        )  # fmt: skip

    def _mediators(self) -> Iterator[str]:
        for n in range(self.mediators):
            name = f"Given{n % 20:02d} {_family(n)}"
            roles = "MEDIATOR,REVIEWER" if n == PEER else "MEDIATOR"
            yield _account(nth("m", n), name, f"mediator{n}@demo.example", roles)

    def _others(self) -> Iterator[str]:
        numbers = {"r": 2 + self.mediators // MEDIATORS_PER_REVIEWER, "d": DIRECTORIES, "a": 1}
        roles = {"r": "REVIEWER", "d": "DIRECTORY", "a": "ADMIN"}
        for kind, number in numbers.items():
            for n in range(number):
                # Named like mediators, so that they're sorted among them.
                name = f"Given{n % 20:02d} {_family(n * 7 + 3)} {roles[kind]}"
                yield _account(nth(kind, n), name, f"{roles[kind].lower()}{n}@demo.example", roles[kind])

    def sessions(self) -> list[tuple[UUID, bytes]]:
        """Return the account of each session, and the hash of its secret."""
        known = [(one.id, one.secret) for one in self.asked]
        others = {"reviewer": nth("r", 0), "directory": nth("d", 0), "admin": nth("a", 0), "peer": nth("m", PEER)}
        known += [(UUID(account), self.secret(who)) for who, account in others.items()]
        return [(account, hash_secret(secret)) for account, secret in known]


_NOTE = "They agreed in the end, after a long silence."
_ACCOUNT = ["id", "name", "name_key", "name_words", "email", "email_key", "password_hash", "roles", "email_verified_at"]
_ENTRY = [
    "id", "mediator_id", "role", "medium", "started_on", "ended_on", "minutes", "dispute_kind",
    "party_count", "outcome", "simulated",
]  # fmt: skip
_CPD = ["id", "mediator_id", "kind", "title", "title_folded", "started_on", "ended_on", "minutes"]
_FEEDBACK = ["id", "mediator_id", "capacity", "acted_as", "shared", "released", "by_invitation", "received_on"]
_ANSWER = ["feedback_id", "question", "mediator_id", "reviewer_only", "rating", "text"]
_ROLES = ("LEAD_MEDIATOR", "CO_MEDIATOR", "ASSISTANT_MEDIATOR", "OBSERVER")


def _family(number: int) -> str:
    return f"Family{number // 20:06d}"


def _account(account: str, name: str, email: str, role: str) -> str:
    return f"{account}\t{name}\t{name.lower()}\t{name.lower()}\t{email}\t{email}\tnone\t{{{role}}}\t2024-01-01"


def _day(number: int) -> str:
    return f"{2015 + number // 336 % 10}-{1 + number // 28 % 12:02d}-{1 + number % 28:02d}"


def _entry(m: int, n: int) -> str:
    day = _day(n * 31)
    return (
        f"{nth('e', m * 2000 + n)}\t{nth('m', m)}\t{_ROLES[n % 4]}\tONLINE\t{day}\t{day}\t{45 + (m + n * 13) % 400}\t"
        f"FAMILY\t{2 + n % 3}\tSETTLED\t{'tf'[n % 10 > 0]}"
    )


async def fill(admin: "asyncpg.Connection[asyncpg.Record]", population: Population) -> int:
    """Fill an empty, migrated database as its superuser; return the number of rows.

    Indexes are created once the rows are there, and references aren't checked row by row.
    """
    await admin.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
    indexes = await admin.fetch(INDEXES)
    await admin.execute("; ".join(f"DROP INDEX {index['name']}" for index in indexes))
    rows = 0
    for table, columns, lines in population.tables():
        status = await admin.copy_to_table(table, source=_chunks(lines), columns=columns)
        rows += int(status.split()[-1])
    await admin.executemany(
        "INSERT INTO session (account_id, secret_hash, used_at) VALUES ($1, $2, clock())", population.sessions()
    )
    for index in indexes:
        await admin.execute(index["made"], timeout=600)
    await admin.execute("SET session_replication_role = origin")
    await admin.execute("VACUUM ANALYZE", timeout=600)
    return rows


async def _chunks(lines: Iterator[str]) -> AsyncIterator[bytes]:
    while chunk := list(islice(lines, _CHUNK)):
        yield ("\n".join(chunk) + "\n").encode()
