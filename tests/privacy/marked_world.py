"""A world where every column of every row holds its own marker, and its people: accounts of all kinds.

Rows are written from the tables' own columns: a column that a function here doesn't name gets a marker by its type. So
a column added later is filled too, and shown to nobody until the policy table says who may see it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID

import orjson
from sqlmodel import SQLModel

from models.account import Role
from models.cpd import CPD_FIELDS
from models.feedback import Admission
from models.fields import EntryField, FieldKind, camel
from models.logbook import LOGBOOK_FIELDS
from permissions.file_sealing import seal_file
from permissions.sealing import (
    Origin,
    PartyDetails,
    mailbox_hashes,
    new_day_key,
    seal_details,
    seal_origin,
    seal_personal_link,
)
from permissions.secrets import Opens, hash_receipt, hash_secret, link_secret, receipt_code, spent_marks, stop_token
from permissions.viewer import Standing
from settings import Notice
from tests.hub import password_hash
from tests.privacy.markers import Marker, written
from tests.privacy.oracle import NONE, Shown, Watcher
from tests.privacy.rows import Rows, word_in

M, R, D, A = Role.MEDIATOR, Role.REVIEWER, Role.DIRECTORY, Role.ADMIN
S = Standing.SELF
COMBINATIONS = [*combinations((M, R, D, A), 1), *combinations((M, R, D, A), 2), (M, R, D, A)]


def _chosen(fields: tuple[EntryField, ...], number: int) -> dict[str, Any]:
    """A word for each field that takes one of a few; such a word can't be a marker."""
    words = {field: list(field.words)[number % len(field.words)].value for field in fields if field.words}
    return {field.name: [word] if field.kind is FieldKind.WORDS else word for field, word in words.items()}


@dataclass
class World(Rows):
    """Everything that an account, a mediator or the service has, written as rows."""

    # People.

    def account(self, *roles: Role, verified: bool = True, listed: bool = False) -> Watcher:
        """An account with everything that belongs to it, and its session; `listed`: it chose to be found."""
        findable = listed and verified
        account_id, word = self.mint.id(), self.mint.word()
        email = f"{self.mint.word()}@demo.example"
        everybodys: list[tuple[str, UUID | None, Standing]] = [
            ("OwnAccount", account_id, NONE),
            ("Account", None, NONE),
        ]
        if D in roles:
            everybodys.append(("Directory", None, NONE))
        if R in roles:
            everybodys.append(("Reviewer", None, NONE))
        if M in roles:
            everybodys.append(("Mediator", account_id, NONE))
            self.facts.mediators.add(account_id)
            if findable:
                self.facts.findable.add(account_id)
                everybodys += [("FeedbackSubject", None, NONE), ("FeedbackSubjectName", None, NONE)]
        self.put(
            "account",
            *everybodys,
            id=account_id,
            name=word,
            email=email,
            email_key=email,
            roles=[role.value for role in roles],
            password_hash=password_hash(),
            email_verified_at=self.mint.moment(self.now) if verified else None,
            paid_until=self.mint.moment(self.now + timedelta(days=400)),
            reviewer_confirmed_at=self.mint.moment(self.now) if R in roles else None,
        )
        self.names[account_id], self.emails[account_id] = word, email
        if D in roles:
            self.put("directory", ("Directory", None, NONE), id=account_id)
        if M in roles:
            self.mediator(account_id, listed=listed, open_to_feedback=verified)
        cookie = self._session(account_id)
        watcher = Watcher("+".join(roles), account_id, frozenset(roles), cookie=cookie, verified=verified)
        self.accounts[email] = watcher
        self._belongings(account_id)
        return watcher

    def _session(self, account_id: UUID) -> str:
        cookie = f"session-{self.mint.word()}-of-a-browser-that-signed-in"
        self.note(cookie)
        later = self.mint.moment(self.now + timedelta(hours=1))  # so that reading doesn't write a newer one
        hashed = hash_secret(cookie)
        self.put("session", ("Session", account_id, NONE), account_id=account_id, secret_hash=hashed, used_at=later)
        return cookie

    def token(self, owner: Watcher, **facts: Any) -> Watcher:
        """An API token that somebody created."""
        secret = f"token-{self.mint.word()}-of-a-program-that-reads-a-lot"
        self.note(secret)
        later, end = self.now + timedelta(hours=1), self.now + timedelta(days=90)
        row = {"used_at": self.mint.moment(later), "expires_at": self.mint.moment(end), "revoked_at": None}
        row |= {"roles": [role.value for role in owner.roles]} | facts
        self.put(
            "api_token",
            ("ApiToken", owner.account_id, NONE),
            account_id=owner.account_id,
            secret_hash=hash_secret(secret),
            **row,
        )
        return Watcher(f"{owner.name} by token", owner.account_id, owner.roles, token=secret, verified=owner.verified)

    def _belongings(self, account_id: UUID) -> None:
        """What every account may have: links in mails, an export, keys of repeated requests, ways to sign in."""
        for purpose, page in (("CHANGE_EMAIL", "verify"), ("RESET_PASSWORD", "password")):
            link_id = self.mint.id()
            hashed = self.secret(page, Opens.ACCOUNT_LINK, link_id)
            later = self.mint.moment(self.now + timedelta(hours=1))
            facts = {"purpose": purpose, "secret_hash": hashed, "expires_at": later}
            self.put("account_link", id=link_id, account_id=account_id, **facts)
        export_id = self.mint.id()
        self.put(
            "data_export",
            ("DataExport", account_id, NONE),
            id=export_id,
            account_id=account_id,
            secret_hash=self.secret("export", Opens.EXPORT, export_id),
            expires_at=self.mint.moment(self.now + timedelta(days=7)),
            percent=100,
        )
        self.put("request_key", account_id=account_id)
        self.put("second_factor", account_id=account_id)
        self.put("recovery_code", account_id=account_id)
        self.put("pending_sign_in", account_id=account_id)

    # What mediators have.

    def mediator(self, mediator: UUID, *, listed: bool, open_to_feedback: bool = True) -> None:
        """A profile with something in each of its lists; `open_to_feedback`: its links say whose they are."""
        about = {str(mediator), self.names[mediator]} if open_to_feedback else set()
        own = ("Mediator", mediator, NONE)
        link = link_secret(self.settings, Opens.PERSONAL_LINK, mediator)
        self.note(link, Shown("Mediator", "feedbackLink", mediator))
        self.links.setdefault("give", set()).add(link)
        self.facts.told_by[link] = set(about)
        visibility = "DIRECTORIES" if listed else "PRIVATE"
        facts = {"visibility": visibility, "feedback_link_hash": hash_secret(link)}
        sealed = seal_personal_link(self.settings, mediator, link)
        self.put("mediator", own, id=mediator, feedback_link_sealed=sealed, **facts)
        cases = self._logbook(mediator, entries=2)
        self._cpd(mediator, cases)
        of = ("OpeningBalance", mediator, NONE)
        balance = self.put("opening_balance", of, mediator_id=mediator, role="LEAD_MEDIATOR")
        self.note(balance["minutes"], Shown("Experience", "openingMinutes", mediator))
        for shared, released in ((True, True), (True, False), (False, False)):
            self.feedback(mediator, shared, released)
        for admission in (Admission.HELD, Admission.DISCARDED):
            self.feedback(mediator, True, True, admission)
        self._queued(mediator, "discreet_notice", mediator, self.emails[mediator], ())
        for state, hours in (("OPEN", 1.0), ("SPENT", 2.0), ("WITHDRAWN", 3.0), ("OPEN", 121.0)):
            self.request(mediator, state, hours, about)
        invitation = self.mint.id()
        email = f"{self.mint.word()}@demo.example"
        self.put(
            "reviewer_invitation",
            ("ReviewerInvitation", mediator, NONE),
            id=invitation,
            mediator_id=mediator,
            email=email,
            email_key=email,
            secret_hash=self.secret("invitation", Opens.INVITATION, invitation),
            expires_at=self.mint.moment(self.now + timedelta(days=7)),
        )

    def _logbook(self, mediator: UUID, entries: int) -> list[UUID]:
        """Cases as mediator: the first has sessions, the second is simulated."""
        minutes, cases = 0, []
        for number in range(entries):
            entry, days = self.mint.id(), sorted(self.mint.day() for _ in range(4))
            of = ("LogbookEntry", mediator, NONE)
            held = self._sittings(mediator, entry, days[1:3]) if number == 0 else None
            lasts = sum(held) if held else self.mint.number()
            flags = {field.name: False for field in LOGBOOK_FIELDS if field.kind is FieldKind.FLAG}
            row = self.put(
                "logbook_entry",
                of,
                ("Learning", mediator, NONE),
                id=entry,
                mediator_id=mediator,
                **_chosen(LOGBOOK_FIELDS, number)
                | {"started_on": days[0], "ended_on": days[3]}
                | (flags | {"simulated": number == 1})
                | {"minutes": lasts, "contact_minutes": held[0] if held else None},
            )
            cases.append(entry)
            self.note(entry, Shown("Learning", "entryId", mediator))
            self.note(days[3], Shown("Learning", "date", mediator))
            for field in LOGBOOK_FIELDS:
                if field.facet and not field.words and isinstance(word := word_in(row[field.name]), str):
                    self.note(word, Shown("LogbookFacets", camel(field.facet), mediator))
            contact = held[0] if held else lasts
            self.note(lasts, Shown("LogbookEntry", "minutes", mediator))
            self.note(contact, Shown("LogbookEntry", "contactMinutes", mediator))
            if row["simulated"]:
                self.note(lasts, Shown("Experience", "simulatedMinutes", mediator))
            else:
                minutes += lasts
                for type_name in ("Experience", "RoleHours", "YearHours", "RoleYearHours"):
                    self.note(lasts, Shown(type_name, "minutes", mediator))
                    self.note(contact, Shown(type_name, "contactMinutes", mediator))
            private = self.put("logbook_private", of, id=entry, mediator_id=mediator)
            for name in ("did_well", "found_challenging"):
                self.note(private[name], Shown("Learning", "text", mediator))
        self.note(minutes, Shown("Experience", "minutes", mediator))
        return cases

    def _sittings(self, mediator: UUID, entry: UUID, days: list[date]) -> list[int]:
        """Two sessions of a case, of which the second is no mediation session. Gives how long they are."""
        lengths = [self.mint.number(), self.mint.number()]
        for day, minutes, kind in zip(days, lengths, ("MEDIATION", "TRAVEL"), strict=True):
            of = ("CaseSession", mediator, NONE)
            facts = {"held_on": day, "minutes": minutes, "kind": kind, "medium": "HYBRID"}
            self.put("case_session", of, id=self.mint.id(), mediator_id=mediator, entry_id=entry, **facts)
            self.note(minutes, Shown("CaseSession", "minutes", mediator))
            for type_name in ("YearHours", "RoleYearHours"):
                self.note(minutes, Shown(type_name, "minutes", mediator))
        return lengths

    def _cpd(self, mediator: UUID, cases: list[UUID]) -> None:
        """An entry about each case, with a credit."""
        for number, case in enumerate(cases):
            entry, days = self.mint.id(), sorted((self.mint.day(), self.mint.day()))
            of = ("CpdEntry", mediator, NONE)
            facts = _chosen(CPD_FIELDS, number) | {"started_on": days[0], "ended_on": days[1]}
            credit = {"body": self.mint.word(), "activity": self.mint.word(), "points": str(self.mint.number())}
            facts["credits"] = orjson.dumps([credit]).decode()  # the form that asyncpg takes
            for name, value in credit.items():
                self.note(value, Shown("CpdCredit", name, mediator))
            facts["has_certificate"] = number == 0
            self.put("cpd_entry", of, id=entry, mediator_id=mediator, **facts)
            private = self.put("cpd_private", of, id=entry, mediator_id=mediator, supervised_case_id=case)
            self.note(case, Shown("CpdEntry", "supervisedCaseId", mediator))
            self._file(mediator, entry, certificate=number == 0)
            self.note(entry, Shown("Learning", "entryId", mediator))
            self.note(days[1], Shown("Learning", "date", mediator))
            self.note(private["takeaways"], Shown("Learning", "text", mediator))

    def _file(self, mediator: UUID, entry: UUID, *, certificate: bool) -> None:
        """A file of a CPD entry. Its content says its name, which only its mediator may read."""
        file_id, name = self.mint.id(), self.mint.word()
        sealed, self.stored[file_id] = seal_file(self.settings, file_id, name.encode())
        self.put(
            "evidence_file",
            ("EvidenceFile", mediator, NONE),
            id=file_id,
            mediator_id=mediator,
            entry_id=entry,
            kind="CERTIFICATE" if certificate else "OTHER",
            name=name,
            media_type="application/pdf",
            sealed=sealed,
        )

    def feedback(self, mediator: UUID, shared: bool, released: bool, admission: Admission = Admission.ADMITTED) -> None:
        """A finished survey, with an answer that's only for the reviewer, and a receipt for its giver."""
        piece, day, code = self.mint.id(), self.mint.day(), receipt_code(self.settings, self.mint.id().bytes)
        admitted, held = admission is Admission.ADMITTED, admission is Admission.HELD
        but = S | Standing.REVIEWER if held else NONE if shared and released else S
        of = ("Feedback", mediator, but)
        self.put(
            "feedback",
            *([of] if admitted else []),
            id=piece,
            mediator_id=mediator,
            capacity="PARTY",
            acted_as="MEDIATOR" if shared else "ADVOCATE",
            shared=shared,
            released=released,
            by_invitation=shared,
            received_on=day,
            admission=admission,
            receipt_hash=hash_receipt(code),
        )
        if held and mediator in self.facts.mediators:
            for name, value in (("id", piece), ("mediatorId", mediator), ("receivedOn", day)):
                self.note(value, Shown("GivenFeedback", name, not_to=mediator))
            self.note(self.names[mediator], Shown("GivenFeedback", "mediatorName", not_to=mediator))
        says: set[Marker] = {written(day), self.names[mediator]}
        for question, not_to in (("impressed", but), ("for_reviewer", but | S)):
            answer = self.put(
                "feedback_answer",
                *([("FeedbackAnswer", mediator, not_to)] if admitted or held else []),
                feedback_id=piece,
                mediator_id=mediator,
                question=question,
                reviewer_only=question == "for_reviewer",
                rating=None,
                admission=admission,
            )
            says.add(answer["text"])
        self.note(code)
        if admission is Admission.DISCARDED or (
            shared and not released
        ):  # a few of them, because everybody tries them all
            self.links.setdefault("receipt", set()).add(code)
            self.facts.told_by[code], self.facts.kept_from[code] = says, mediator
        self.put(
            "feedback_answer",
            feedback_id=piece,
            mediator_id=mediator,
            question="listening",
            reviewer_only=False,
            rating=2 if shared else 5,
            text=None,
            admission=admission,
        )
        moment = self.mint.moment(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
        email = f"{self.mint.word()}@demo.example"
        name = self.mint.word()
        self.put(
            "feedback_origin",
            id=piece,
            sealed=seal_origin(self.settings, piece, Origin(name, email, moment)),
            mailbox_hash=mailbox_hashes(self.settings, email)[0],
        )
        for place, said in (("name", name), ("email", word_in(email)), ("receivedAt", moment)):
            self.note(said, *([Shown("FeedbackOrigin", place, mediator)] if admitted else []))
        if shared and not released:
            told = {name} if self.settings.feedback_notice is Notice.NAMED else set[object]()
            self._queued(mediator, "feedback_received", piece, self.emails[mediator], told)

    def request(self, mediator: UUID, state: str, hours: float, about: set[Marker]) -> None:
        """A request made so many hours ago; a withdrawn one has no details and is no longer listed."""
        request, made = self.mint.id(), self.mint.moment(self.now - timedelta(hours=hours))
        of = ("FeedbackRequest", mediator, NONE)
        asked = self.put(
            "feedback_request",
            *([of] if state != "WITHDRAWN" else []),
            id=request,
            mediator_id=mediator,
            state="WITHDRAWN" if state == "WITHDRAWN" else "OPEN",
            made_at=made,
            secret_hash=self.secret("feedback", Opens.FEEDBACK_REQUEST, request),
        )
        secret = link_secret(self.settings, Opens.FEEDBACK_REQUEST, request)
        self.facts.told_by[secret] = set(about)
        if state == "WITHDRAWN":
            return
        if state == "SPENT":
            self.put("spent_link", mark=spent_marks(self.settings, hash_secret(secret))[0])
        party = PartyDetails(self.mint.word(), f"{self.mint.word()}@demo.example", self.mint.word())
        key = self._day_key(made.date())
        sealed = seal_details(self.settings, made.date(), key, request, party)
        self.put("feedback_request_details", id=request, mediator_id=mediator, made_at=made, sealed=sealed)
        for field, value in (("partyName", party.name), ("partyEmail", party.email), ("reference", party.reference)):
            self.note(word_in(value), *([Shown("FeedbackRequest", field, mediator)] if hours < 120 else []))
        stop = stop_token(self.settings, party.email)
        self.note(stop)
        self.links.setdefault("stop", set()).add(stop)
        if state == "OPEN":
            told = {party.name, party.reference, asked["mediation_ended_on"], secret, stop, self.names[mediator]}
            self._queued(mediator, "feedback_request", request, party.email, told if hours < 120 else set())

    def _day_key(self, day: date) -> bytes:
        if day not in self.day_keys:
            self.day_keys[day] = new_day_key(self.settings, day)
            self.rows.append((SQLModel.metadata.tables["details_key"], {"day": day, "sealed": self.day_keys[day]}))
            self.filled |= {("details_key", "day"), ("details_key", "sealed")}  # neither is a marker
        return self.day_keys[day]

    def _queued(self, mediator: UUID, kind: str, subject: UUID, to: str, told: Iterable[object]) -> None:
        """Mail that waits; it isn't due until a worker is told that an hour has passed."""
        if told and mediator in self.facts.mediators:
            self.recipients.setdefault(to, set()).update(written(word_in(one)) for one in told)
        self.put(
            "outbox",
            kind=kind,
            subject_id=subject,
            other_id=None,
            dedupe_key=f"{kind}:{subject}",
            recipient=None,
            recipient_name=None,
            state="QUEUED",
            attempts=0,
            next_at=self.mint.moment(self.now + timedelta(minutes=30)),
            lease=None,
            leased_until=None,
            smtp_code=None,
            finished_at=None,
        )

    def appointed(self, mediator: UUID, reviewer: UUID, *, in_force: bool = True) -> None:
        """A reviewer's appointment, in force or waiting; anyone who may see the mediator's reviewer sees who it is."""
        shown = () if in_force else (("WaitingAppointment", reviewer, NONE),)
        facts = {"in_force": in_force, "approval": "each", "relation": "OTHER"}
        row = self.put("appointment", *shown, mediator_id=mediator, reviewer_id=reviewer, **facts)
        name = "reviewer" if in_force else "waitingReviewer"
        for marker in (str(reviewer), self.names[reviewer]):
            self.note(marker, Shown("Mediator", name, mediator))
        if not in_force:  # what the reviewer said already is nobody's business yet
            for side, who in (("mediator", mediator), ("reviewer", reviewer)):
                self.note(who, Shown("WaitingAppointment", f"{side}Id", reviewer))
                self.note(self.names[who], Shown("WaitingAppointment", f"{side}Name", reviewer))
            return
        self.facts.reviewers[mediator] = reviewer
        told_to_parties = {self.names[reviewer]: "reviewerName", row["relation_details"]: "reviewerRelationDetails"}
        self.note(row["relation_details"], Shown("Mediator", "reviewerRelationDetails", mediator))
        if mediator in self.facts.findable:
            for marker, field in told_to_parties.items():
                self.note(marker, Shown("FeedbackSubject", field))
        for told in self.facts.told_by.values():
            if str(mediator) in told:  # a link says who will read the answers
                told.update(told_to_parties)

    def forget(self, account: UUID, its: set[Marker]) -> None:
        """Note that an account was deleted with all its markers: they stay known, but nobody may see them."""
        for marker in its:
            self.facts.shown[marker] = set()
            self.facts.told_by.pop(marker, None)
        self.facts.mediators.discard(account)
        self.facts.findable.discard(account)
        for page in self.links:
            self.links[page] -= its
        self.recipients = {to: told for to, told in self.recipients.items() if not told & its}
        self.recipients[self.emails[account]] = {self.names[account]}

    def _feedback_about(self, mediator: UUID) -> list[UUID]:
        return [row["id"] for table, row in self.rows if table.name == "feedback" and row["mediator_id"] == mediator]

    def kept_by_the_service(self, actor: UUID, account: UUID) -> None:
        """What belongs to no account: dead mail, mail to somebody who's gone, chores, stopped addresses."""
        dead = {"lease": None, "leased_until": None, "other_id": None, "dedupe_key": "one"}
        self.put("outbox", ("DeadMail", None, NONE), kind="account_deleted", state="DEAD", **dead)
        to = f"{self.mint.word()}@demo.example"
        name = self.mint.word()
        self.recipients[to] = {name}
        queued = {"recipient": to, "recipient_name": name, "attempts": 0, "finished_at": None, "smtp_code": None}
        later = self.mint.moment(self.now + timedelta(minutes=30))
        self.put(
            "outbox", kind="email_changed", state="QUEUED", next_at=later, **(dead | queued | {"dedupe_key": "another"})
        )
        self.put("outbox", kind="reset_password", state="DONE", recipient=None, recipient_name=None, dedupe_key="done")
        self.put("chore", name="none_of_ours")
        self.put("deleted_file")
        self.put("stopped_address")
        self.put("sign_in_trouble", action="WRONG_PASSWORD")
        for about in (account, *self._feedback_about(account)):
            # Not to the mediator whom the feedback is about: even its id would tell them that there is some.
            not_to = account if about != account else None
            action = "ORIGIN_READ" if about != account else "SIGNED_OUT"
            row = self.put("audit_entry", actor_id=actor, subject_id=about, account_id=account, action=action)
            for name in ("id", "at", "actor_id", "subject_id", "reason", "count"):
                self.note(row[name], Shown("AuditEntry", camel(name), not_to=not_to))
