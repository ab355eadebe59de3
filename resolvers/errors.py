"""Errors: those a person can fix (`Refused`), and all others (`Failure` and its subclasses)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from i18n import gettext, lazy_gettext, ngettext


class Code(StrEnum):
    """The kind of problem that a field of an input has."""

    REQUIRED = "REQUIRED"
    TOO_SHORT = "TOO_SHORT"
    TOO_LONG = "TOO_LONG"
    INVALID = "INVALID"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    IMPLAUSIBLE = "IMPLAUSIBLE"
    TAKEN = "TAKEN"
    CONFLICT = "CONFLICT"
    REPEATED_KEY = "REPEATED_KEY"
    NOT_FOUND = "NOT_FOUND"
    NOT_ALLOWED = "NOT_ALLOWED"
    SPENT = "SPENT"
    EXPIRED = "EXPIRED"
    WRONG_CREDENTIALS = "WRONG_CREDENTIALS"
    SIGN_IN_REQUIRED = "SIGN_IN_REQUIRED"


@dataclass(frozen=True)
class Problem:
    """One thing to fix: the input's field (null for the whole input), a sentence for people, a code for programs."""

    field: str | None
    message: str
    code: Code


class Refused(Exception):
    """The change wasn't made: its transaction is rolled back, and the problems go into the payload.

    `facts` are other fields of the payload: the `current` row after a conflict, or the `pending_sign_in` that needs a
    code.
    """

    def __init__(self, *problems: Problem, **facts: Any) -> None:
        super().__init__()
        self.problems = problems
        self.facts = facts


def refuse(field: str | None, code: Code, message: str, **facts: Any) -> NoReturn:
    """Refuse a change for one reason.

    Raises:
        Refused: always, with these facts.
    """
    raise Refused(Problem(field, message, code), **facts)


class Failure(Exception):
    """A top-level error whose text clients may see."""

    code = "INTERNAL_SERVER_ERROR"
    text = lazy_gettext("Something went wrong.")

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or str(self.text))


def fault(reference: str) -> str:
    """Say that something went wrong on our side; the log has the same reference."""
    return gettext("Something went wrong. Reference: %(reference)s", reference=reference)


class Damaged(Exception):
    """A file's bytes aren't what was stored, or its key is missing: nobody can read it any more."""


class NotFound(Failure):
    """There's no such thing, or the viewer may not know that there is."""

    code = "NOT_FOUND"
    text = lazy_gettext("Not found.")


class Unauthenticated(Failure):
    """The session or token isn't valid, or has ended."""

    code = "UNAUTHENTICATED"
    text = lazy_gettext("Your session or token isn't valid or has ended. Please sign in again.")


class Forbidden(Failure):
    """The viewer has to do something first, such as verify an address or get paid access."""

    code = "FORBIDDEN"


class BadInput(Failure):
    """A value that no person would type: the program that sent it needs fixing."""

    code = "BAD_USER_INPUT"


class Away(Failure):
    """The database can't be reached or has no free connection. The client may try again in `retry_after` seconds."""

    code = "UNAVAILABLE"
    text = lazy_gettext("We can't do this right now. Please try again in a few seconds.")
    retry_after = 5


class RateLimited(Failure):
    """Too many attempts; `retry_after` is in seconds."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        text = ngettext(
            "Too many attempts. Please try again in %(num)s second.",
            "Too many attempts. Please try again in %(num)s seconds.",
            retry_after,
        )
        super().__init__(text)
        self.retry_after = retry_after
