"""What the service keeps about people, and for how long: a row of `docs/privacy.md` for each table.

A test holds it to the models: a table that's added needs a row here, or has to be named as one without personal data.
"""

from dataclasses import dataclass

from permissions.scopes import DETAILS_DAYS, LINK_DAYS
from permissions.secrets import (
    EXPORT_LASTS,
    INVITATION_LASTS,
    PENDING_SIGN_IN_LASTS,
    RESET_LASTS,
    SET_PASSWORD_LASTS,
    VERIFY_LASTS,
)
from settings import Settings


def _default(setting: str) -> str:
    return f"`{setting.upper()}` ({Settings.model_fields[setting].default})"


_WITH_ACCOUNT = "as long as the account"
_HOURS = VERIFY_LASTS.total_seconds() / 3600, RESET_LASTS.total_seconds() / 3600


@dataclass(frozen=True)
class Kept:
    """One table: what's in it, about whom, who reads it, and how long it's kept."""

    table: str
    what: str
    whose: str
    readers: str
    how_long: str


_THEMSELVES = "themselves"
_NOBODY = "nobody"

KEPT = (
    Kept(
        "account",
        "name, email address, roles, hash of the password",
        "everybody with an account",
        "themselves, administrators; the name also those it works with",
        _WITH_ACCOUNT,
    ),
    Kept(
        "session",
        "when a browser signed in, and when it was last used",
        "everybody with an account",
        _THEMSELVES,
        f"{_default('session_idle_days')} days without use, {_default('session_days')} days in any case",
    ),
    Kept(
        "pending_sign_in",
        "that a password was right, and the code is still missing",
        "everybody with a second factor",
        _NOBODY,
        f"{PENDING_SIGN_IN_LASTS.total_seconds() / 60:.0f} minutes",
    ),
    Kept(
        "second_factor",
        "the secret of an authenticator app, encrypted",
        "everybody with a second factor",
        _NOBODY,
        "until it's removed",
    ),
    Kept(
        "recovery_code",
        "hashes of recovery codes",
        "everybody with a second factor",
        _NOBODY,
        "until they're used or renewed",
    ),
    Kept(
        "api_token",
        "the name of an API token, when it was used, its hash",
        "everybody with an account",
        _THEMSELVES,
        "until it expires, an hour after it's revoked at the latest",
    ),
    Kept(
        "account_link",
        "a new email address, or that a password may be set; the hash of the link",
        "everybody with an account",
        _NOBODY,
        f"{_HOURS[0]:.0f} hours to confirm an address, {_HOURS[1]:.0f} hours for a new password, "
        f"{SET_PASSWORD_LASTS.days} days for a directory's first",
    ),
    Kept(
        "request_key",
        "keyed hashes of repeated requests, and what was made; for feedback, nothing that leads to it",
        "everybody who sends a form",
        _NOBODY,
        "24 hours",
    ),
    Kept(
        "data_export",
        "a copy of somebody's data",
        "everybody with an account",
        _THEMSELVES,
        f"{EXPORT_LASTS.days} days",
    ),
    Kept(
        "mediator",
        "profile, visibility, hash of the personal link",
        "mediators",
        "themselves, their reviewer, administrators; directories unless it's private",
        _WITH_ACCOUNT,
    ),
    Kept("directory", "website", "directories", "everybody with an account", _WITH_ACCOUNT),
    Kept(
        "logbook_entry",
        "cases: role, days, duration, kind of dispute, outcome",
        "mediators",
        "themselves, administrators; in part, directories unless the mediator is private",
        "until it's deleted",
    ),
    Kept(
        "case_session",
        "sessions of cases: day, duration, kind, medium",
        "mediators",
        "themselves, administrators; with the month, directories unless the mediator is private",
        "until it or its case is deleted",
    ),
    Kept(
        "logbook_private",
        "a case's reference, subject, co-mediator, parties and reflections",
        "mediators, and the parties they name",
        _THEMSELVES,
        "until it's deleted",
    ),
    Kept(
        "cpd_entry",
        "training and other CPD, and what bodies count it as",
        "mediators",
        "themselves, administrators; directories unless the mediator is private",
        "until it's deleted",
    ),
    Kept("cpd_private", "takeaways, and which case was supervised", "mediators", _THEMSELVES, "until it's deleted"),
    Kept(
        "opening_balance",
        "hours from before the logbook, as the mediator declares them",
        "mediators",
        "themselves, administrators; directories unless the mediator is private",
        "until it's deleted",
    ),
    Kept(
        "evidence_file",
        "a file's name, type, size and sealed key; its bytes are outside the database, encrypted",
        "mediators, and whom the file names",
        "themselves; directories and administrators are told whether there's a certificate",
        "until it or its entry is deleted; the bytes are removed within minutes",
    ),
    Kept(
        "deleted_file",
        "the id of a file that was deleted, and the day",
        "mediators, but nothing leads to them",
        _NOBODY,
        "for good, so that no backup brings the file back",
    ),
    Kept(
        "appointment",
        "who reviews whom, and since when",
        "mediators and reviewers",
        "both, administrators; the reviewer's name also people who give feedback",
        "until the review ends",
    ),
    Kept(
        "reviewer_invitation",
        "the address of somebody who's invited",
        "people without an account",
        _NOBODY,
        f"{INVITATION_LASTS.days} days",
    ),
    Kept(
        "feedback_request",
        f"that a request was made, and when the mediator confirmed that the party agreed; the link works {LINK_DAYS} "
        "days",
        "mediators",
        _THEMSELVES,
        _WITH_ACCOUNT,
    ),
    Kept(
        "feedback_request_details",
        "a party's name and email address, and the reference; sealed",
        "parties",
        "the mediator who asked",
        f"{DETAILS_DAYS} days",
    ),
    Kept(
        "spent_link",
        "that some request's link was used, as a keyed hash: without the key, nobody can tell which",
        "parties",
        _NOBODY,
        f"{LINK_DAYS} days",
    ),
    Kept(
        "stopped_address",
        "the keyed hash of an address that gets no requests",
        "parties",
        _NOBODY,
        "for good, so that it stays stopped",
    ),
    Kept(
        "feedback",
        "capacity, day, whether it's shared; the hash of the receipt; until it's released, that of a network",
        "mediators, and who gave it",
        "the reviewer, administrators; once it's shared and released, the mediator",
        "until its giver erases it, an administrator removes it, or the mediator's account is deleted",
    ),
    Kept(
        "feedback_answer",
        "ratings and texts",
        "mediators, who gave it, and whom they write about",
        "as above; the last question not the mediator",
        "as long as the feedback",
    ),
    Kept(
        "feedback_origin",
        "the name and email address that somebody gave, if they did, and the moment; sealed",
        "parties",
        "administrators, each time noted in the audit log; a named notice tells the mediator the name",
        f"{_default('origin_kept')} months; gone at once with the feedback, or with the giver's account",
    ),
    Kept(
        "sign_in_trouble",
        "how often a password or a code was wrong in an hour",
        "everybody with an account",
        _NOBODY,
        "until the hour is over and it's in the audit log",
    ),
    Kept(
        "outbox",
        "mail to send, by kind and id; an address only if it's stored nowhere else",
        "everybody",
        "administrators see kinds of undelivered mail",
        "7 days after it's done, 30 after it was given up",
    ),
    Kept(
        "audit_entry",
        "what was done, by whom and to whom, as ids; why",
        "administrators, and whom they helped",
        "administrators, but nobody's own feedback",
        "for good",
    ),
)

# Tables that say nothing about anybody.
IMPERSONAL = frozenset({"chore", "details_key"})
