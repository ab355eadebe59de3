"""Checks on what people type. A `Check` collects all problems of an input, so that a form can show them together."""

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from babel import Locale

from i18n import LazyText, format_day, lazy_gettext, number
from i18n import gettext as _
from models.cpd import Credit
from models.fields import EntryField, FieldKind
from permissions.addresses import MAX_ADDRESS, MAX_LOCAL, wire_address
from permissions.guessable import is_guessable
from permissions.passwords import prepare
from permissions.writing import is_blank, is_one_line
from resolvers.credits import CpdCreditInput
from resolvers.errors import Code, Problem, Refused
from resolvers.inputs import read_id

MAX_TEXT = 10_000
MAX_NAME = 200
MAX_URL = 2_000
MAX_MINUTES = 600_000  # 10,000 hours
LONGEST_DAY = 24 * 60  # minutes
LONG_DAY = 14 * 60  # minutes; more than that is asked about
FIRST_DAY = date(1950, 1, 1)
MAX_LANGUAGES = MAX_WORDS = MAX_CREDITS = 10
LEAST_POINTS, MOST_POINTS = Decimal("0.01"), Decimal("9999.99")
# ISO 639 codes and their English names.
LANGUAGES = {code: name for code, name in Locale("en").languages.items() if re.fullmatch("[a-z]{2,3}", code)}

_NO_ADDRESS = lazy_gettext("We can't send email to this. An email address looks like name@host.example.")
_FOREIGN_NAME = lazy_gettext(
    "Before the @, please use plain letters (a to z), digits and signs, because not every mail server accepts others. "
    "Please enter another of this person's addresses."
)


def cleaned(text: str | None) -> str | None:
    """Give the text in Unicode form NFC without surrounding white space; None if nothing is left."""
    return (unicodedata.normalize("NFC", text).strip() or None) if text is not None else None


class Check:
    """Collects problems. Each method gives the value as it's to be stored. `done()` refuses if there were any."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def add(self, field: str | None, code: Code, message: str) -> None:
        """Note a problem with a field, or with the input as a whole."""
        self._problems.append(Problem(field, message, code))

    def done(self) -> None:
        """Finish checking.

        Raises:
            Refused: there were problems; it has them all.
        """
        if self._problems:
            raise Refused(*self._problems)

    def text(self, field: str, value: str | None, *, most: int = MAX_TEXT) -> str | None:
        """Check an optional text with at most `most` characters."""
        value = cleaned(value)
        if value is not None and len(value) > most:
            self.add(
                field,
                Code.TOO_LONG,
                _(
                    "Please shorten this to %(most)s characters. It has %(length)s.",
                    most=number(most),
                    length=number(len(value)),
                ),
            )
        return value

    def name(self, field: str, value: str | None) -> str:
        """Check a required name on one line."""
        value = self.text(field, value, most=MAX_NAME)
        if value is None or is_blank(value):
            self.add(field, Code.REQUIRED, _("Please fill this in."))
        elif not is_one_line(value):
            self.add(field, Code.INVALID, _("Please write this on one line."))
        return value or ""

    def line(self, field: str, value: str | None) -> str | None:
        """Check an optional name on one line; None if it's blank."""
        return None if is_blank(value or "") else self.name(field, value)

    def email(self, field: str, value: str | None, *, required: bool = True) -> str | None:
        """Check that email can reach this address. It's stored as typed."""
        value = cleaned(value)
        if value is None:
            if required:
                self.add(field, Code.REQUIRED, _("Please enter an email address."))
            return None
        local = value.partition("@")[0]
        if len(value) > MAX_ADDRESS or len(local) > MAX_LOCAL:
            self.add(
                field,
                Code.TOO_LONG,
                _(
                    "An email address can have at most %(most)s characters, and at most %(local)s before the @.",
                    most=MAX_ADDRESS,
                    local=MAX_LOCAL,
                ),
            )
            return value
        try:
            wire_address(value)
        except ValueError:
            self.add(field, Code.INVALID, str(_NO_ADDRESS if local.isascii() else _FOREIGN_NAME))
        return value

    def url(self, field: str, value: str | None) -> str | None:
        """Check an optional link to a web page."""
        value = self.text(field, value, most=MAX_URL)
        if value is not None:
            try:
                parts = urlsplit(value)
                sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and value.isprintable()
            except ValueError:
                sound = False
            if not sound or " " in value:
                self.add(field, Code.INVALID, _("Please enter a web address that starts with https://."))
        return value

    def password(self, field: str, value: str, *known: str) -> str:
        """Check a new password. Any characters will do, but it can't be easy to guess.

        `known`: names and addresses that it can't be made of.
        """
        length = len(prepare(value))
        if length < 8:
            self.add(field, Code.TOO_SHORT, _("Please choose a password of at least 8 characters."))
        elif length > 256:
            self.add(field, Code.TOO_LONG, _("Please choose a password of at most 256 characters."))
        elif is_guessable(value, *known):
            self.add(
                field, Code.NOT_ALLOWED, _("This password is easy to guess. Three or four words together work well.")
            )
        return value

    def moment(self, field: str, value: datetime | None) -> datetime | None:
        """Check an optional time. It must have a time zone, and be on the calendar in UTC too."""
        if value is None:
            return None
        try:
            moment = value.astimezone(UTC) if value.tzinfo else None
        except OverflowError:
            moment = None
        if moment is None:
            self.add(field, Code.INVALID, _("Please give a time with its time zone, such as 2030-01-31T00:00:00Z."))
        return moment

    def number(self, field: str, value: int, least: int, most: int, unit: LazyText) -> int:
        """Check a number against its bounds, which are both included."""
        if not least <= value <= most:
            places = {"least": number(least), "most": number(most), "unit": str(unit)}
            self.add(field, Code.OUT_OF_RANGE, _("Please give %(least)s to %(most)s %(unit)s.", **places))
        return value

    def minutes(self, field: str, value: int) -> int:
        """Check a duration in minutes, from 1 to 600,000 (10,000 hours)."""
        if not 1 <= value <= MAX_MINUTES:
            self.add(field, Code.OUT_OF_RANGE, _("Please give a duration from 1 minute to 10,000 hours."))
        return value

    def plausible(self, minutes: int, days: int, *, confirmed: bool) -> None:
        """Check that so many minutes fit into so many days. Very long days have to be confirmed."""
        if minutes > days * LONGEST_DAY:
            self.add(
                "minutes", Code.OUT_OF_RANGE, _("That's more than 24 hours a day. Please check the hours and the days.")
            )
        elif minutes > days * LONG_DAY and not confirmed:
            self.add(
                "minutes",
                Code.IMPLAUSIBLE,
                _("That's more than %(hours)s hours a day. If it's right, please confirm it.", hours=LONG_DAY // 60),
            )

    def day(self, field: str, value: date, latest: date) -> date:
        """Check a day, from 1950-01-01 to `latest`."""
        if not FIRST_DAY <= value <= latest:
            self.add(
                field, Code.OUT_OF_RANGE, _("Please give a day from %(first)s to today.", first=format_day(FIRST_DAY))
            )
        return value

    def languages(self, field: str, value: Collection[str] | None) -> list[str]:
        """Check ISO 639 codes of languages: at most ten. Gives each once, in the order given."""
        given = list(dict.fromkeys(code.strip().lower() for code in value or ()))
        unknown = [code for code in given if code not in LANGUAGES]
        if len(given) > MAX_LANGUAGES:
            self.add(field, Code.OUT_OF_RANGE, _("Please name at most %(most)s languages.", most=MAX_LANGUAGES))
        elif unknown:
            self.add(field, Code.INVALID, _("Please give ISO 639 codes, such as en or fr."))
        return given

    def words(self, field: str, value: Collection[str] | None) -> list[str]:
        """Check words of an enumeration: at most ten. Gives each once, in the order given."""
        given = list(dict.fromkeys(str(word) for word in value or ()))
        if len(given) > MAX_WORDS:
            self.add(field, Code.OUT_OF_RANGE, _("Please choose at most %(most)s.", most=MAX_WORDS))
        return given

    def credits(
        self, field: str, value: Sequence[CpdCreditInput | dict[str, str | None]] | None
    ) -> list[dict[str, str | None]]:
        """Check what bodies count an entry as: at most ten, given or already stored. Gives them as they're stored.

        A problem names the place, counted from 0: `credits.0.points`.
        """
        given = list(value or ())
        if len(given) > MAX_CREDITS:
            self.add(field, Code.OUT_OF_RANGE, _("Please name at most %(most)s bodies.", most=MAX_CREDITS))
            return []
        return [
            one if isinstance(one, dict) else self._credit(f"{field}.{place}", one).stored()
            for place, one in enumerate(given)
        ]

    def _credit(self, field: str, given: CpdCreditInput) -> Credit:
        body, activity = self.name(f"{field}.body", given.body), self.line(f"{field}.activity", given.activity)
        points = given.points
        if points is not None and (
            not LEAST_POINTS <= points <= MOST_POINTS or points != points.quantize(LEAST_POINTS)
        ):
            self.add(
                f"{field}.points",
                Code.OUT_OF_RANGE,
                _("Please give 0.01 to 9,999.99 points, with at most two decimals."),
            )
            points = None
        return Credit(body, activity, points)


_Checking = Callable[[Check, EntryField, Any, date], Any]


def _unless_none(check: _Checking) -> _Checking:
    return lambda to, field, value, latest: None if value is None else check(to, field, value, latest)


# The check of an entry's field, by its kind. The last argument is the latest day that is "today" somewhere.
CHECKS: dict[FieldKind, _Checking] = {
    FieldKind.CHOICE: lambda _check, _field, value, _latest: value,
    FieldKind.FLAG: lambda _check, _field, value, _latest: value,
    FieldKind.LINE: lambda check, field, value, _: (check.name if field.required else check.line)(
        field.graphql_name, value
    ),
    FieldKind.TEXT: lambda check, field, value, _: check.text(field.graphql_name, value),
    FieldKind.LINK: lambda check, field, value, _: check.url(field.graphql_name, value),
    FieldKind.DAY: _unless_none(lambda check, field, value, latest: check.day(field.graphql_name, value, latest)),
    FieldKind.COUNT: _unless_none(
        lambda check, field, value, _: check.number(field.graphql_name, value, *field.bounds, field.unit)
    ),
    FieldKind.DURATION: _unless_none(lambda check, field, value, _: check.minutes(field.graphql_name, value)),
    FieldKind.LANGUAGES: lambda check, field, value, _: check.languages(field.graphql_name, value),
    FieldKind.WORDS: lambda check, field, value, _: check.words(field.graphql_name, value),
    FieldKind.CREDITS: lambda check, field, value, _: check.credits(field.graphql_name, value),
    # Whether it's the mediator's own case is checked where the entry is written, in the same transaction.
    FieldKind.CASE: lambda _check, _field, value, _latest: read_id(value) if isinstance(value, str) else value,
}
