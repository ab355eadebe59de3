"""Tables: a list of the API as a page shows it. The address holds filters, order, page size and place.

A listing says once what a table has; a `View` is one request's look at it. Anything in an address that can't be read is
ignored, so an old bookmark still shows something.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from i18n import LazyText
from permissions.secrets import seal, unseal
from resolvers.paging import MAX_PAGE_SIZE, PAGE_SIZE
from web.labels import TEXT, YES_NO, Format, Labels

Choices = list[tuple[str, str]]  # a value and its label
SIZE = PAGE_SIZE
SIZES = (10, SIZE, 50, MAX_PAGE_SIZE)
_CURSOR = "cursor"
_MAX_TEXT = 200


@dataclass(frozen=True)
class ListColumn:
    """A column: the API's field, its heading, how values are written, and the API's word to sort by it, if any.

    `mark`: another field, and a word that's added on the page where that is true.
    """

    field: str
    title: LazyText | str
    kind: Format = TEXT
    sort: str | None = None
    mark: tuple[str, LazyText] | None = None


@dataclass(frozen=True)
class Filter:
    """A filter: the API's field and its label.

    Choices are either fixed `labels`, or `found`: what occurs in the list's facets; with both, those labels that occur.
    With neither, it's free text.
    Labels for `true` and `false` make it a yes or no. `write` says how `found` choices are written.
    """

    field: str
    title: LazyText | str
    labels: Labels | None = None
    found: str | None = None
    write: Callable[[str], str] = str


@dataclass(frozen=True)
class Listing:
    """A table and what it can do.

    Its name prefixes its parameters in the address if it's a page's second table. `columns` are on the page, `more`
    only in exports. By default, it's ordered by the first column, newest first, with `size` rows on a page.
    """

    name: str
    columns: tuple[ListColumn, ...]
    filters: tuple[Filter, ...] = ()
    more: tuple[ListColumn, ...] = ()
    prefix: str = ""
    size: int = SIZE

    @property
    def exported(self) -> tuple[ListColumn, ...]:
        """The columns of an export."""
        return (*self.columns, *self.more)


class View:
    """One request's look at a table. `facets` are the words that occur, by name, for its choices."""

    def __init__(self, request: Request, listing: Listing, path: str) -> None:
        self.listing = listing
        self.path = path
        self._settings = request.app.state.settings
        self._viewer = request.state.viewer.account_id
        self._others = {
            name: value
            for name, value in request.query_params.items()
            if not self._is_own(name) and name not in {"done", "receipt"}
        }
        self._given = {
            name.removeprefix(listing.prefix): value
            for name, value in request.query_params.items()
            if self._is_own(name)
        }
        self.filters = {one.field: value for one in listing.filters if (value := self._filter(one)) is not None}
        sorts = [column.sort for column in listing.columns if column.sort]
        wanted = self._given.get("sort", "").upper()
        self.sort = wanted if wanted in sorts else ""
        self.descending = self._given.get("dir") == "desc"
        size = self._given.get("size", "")
        self.sizes = SIZES
        self.size = int(size) if size in {str(one) for one in SIZES} else listing.size
        self.after, self.before = self._cursor("after"), self._cursor("before")

    def _is_own(self, name: str) -> bool:
        own = {"sort", "dir", "size", "after", "before", *(one.field for one in self.listing.filters)}
        return name.startswith(self.listing.prefix) and name.removeprefix(self.listing.prefix) in own

    def _filter(self, one: Filter) -> Any:
        value = self._given.get(one.field, "").strip()[:_MAX_TEXT]
        if not value or "\0" in value or (one.labels is not None and value not in one.labels):
            return None
        if one.found == "years":
            return int(value) if value.isascii() and value.isdigit() and 0 < int(value) < 10_000 else None
        return value == "true" if one.labels and one.labels.keys() == YES_NO.keys() else value

    def _cursor(self, name: str) -> str | None:
        sealed = self._given.get(name)
        return unseal(self._settings, _CURSOR, sealed, self._viewer) if sealed else None

    def variables(self, called: str = "") -> dict[str, Any]:
        """Give the variables of the list's operation.

        In a document with several lists, `called` prefixes their names.
        """
        page = {"last": self.size, "before": self.before} if self.before else {"first": self.size, "after": self.after}
        return _called(page | self.choice(), called)

    def choice(self) -> dict[str, Any]:
        """Give the variables that say which rows and in what order."""
        order = {"field": self.sort, "direction": "DESC" if self.descending else "ASC"} if self.sort else None
        return {"filter": self.filters or None, "orderBy": order}

    def url(self, path: str = "", /, **changes: Any) -> str:
        """Write the address of this view with changes; None removes a parameter."""
        kept: dict[str, Any] = dict(self.filters)
        if self.sort:
            kept |= {"sort": self.sort.lower(), "dir": "desc" if self.descending else "asc"}
        if self.size != self.listing.size:
            kept["size"] = self.size
        kept |= changes
        own = {f"{self.listing.prefix}{name}": _written(value) for name, value in kept.items() if value is not None}
        parameters = urlencode(self._others | own)
        return f"{path or self.path}{'?' if parameters else ''}{parameters}"

    def here(self) -> str:
        """Write the address of this view, including the place in the list."""
        return self.url(**{name: self._given[name] for name in ("after", "before") if self._given.get(name)})

    def cleared(self) -> str:
        """Write the address of this view without its filters."""
        return self.url(**dict.fromkeys(self.filters))

    def sort_url(self, column: ListColumn) -> str:
        """Write the address that sorts by a column, or, if it's already sorted by that column, the other way round."""
        descending = not self.descending if column.sort == self.sort else False
        prefix, direction = self.listing.prefix, "desc" if descending else "asc"
        return f"{self._unsorted}{prefix}sort={(column.sort or '').lower()}&{prefix}dir={direction}"

    @cached_property
    def _unsorted(self) -> str:
        """The beginning of this view's addresses in other orders."""
        address = self.url(sort=None, dir=None)
        return f"{address}{'&' if '?' in address else '?'}"

    def sorted(self, column: ListColumn) -> str | None:
        """Say how the table is sorted by a column, as ARIA does; None if it isn't."""
        if not self.sort or column.sort != self.sort:
            return None
        return "descending" if self.descending else "ascending"

    def place(self, **cursor: str) -> str:
        """Write the address of the page after or before a cursor.

        It's sealed, because it may contain a word from the row.
        """
        return self.url(**{name: seal(self._settings, _CURSOR, value, self._viewer) for name, value in cursor.items()})

    def parameter(self, name: str) -> str:
        """Give the name of a parameter in the address."""
        return f"{self.listing.prefix}{name}"

    def others(self) -> Mapping[str, str]:
        """Give the address's other parameters, which the table's form keeps."""
        return self._others

    def fields(self, facets: Mapping[str, list[Any]]) -> list[tuple[str, str, str, Choices | None]]:
        """Give the filters for a form: name, label, what's chosen, and what can be chosen (None: any text)."""
        return [
            (self.parameter(one.field), str(one.title), self._chosen(one), self._choices(one, facets))
            for one in self.listing.filters
        ]

    def _choices(self, one: Filter, facets: Mapping[str, list[Any]]) -> Choices | None:
        if one.found is None:
            return None if one.labels is None else [(word, str(label)) for word, label in one.labels.items()]
        found = [str(word) for word in facets.get(one.found) or []]
        chosen = self._chosen(one)
        if chosen and chosen not in found:
            found.append(chosen)
        return [(word, _label(one, word)) for word in found]

    def _chosen(self, one: Filter) -> str:
        return _written(self.filters.get(one.field, ""))

    def told(self) -> list[tuple[str, str]]:
        """Say what's chosen in the filters, for a printout, which has no form: pairs of label and value."""
        chosen = [(one, self._chosen(one)) for one in self.listing.filters if one.field in self.filters]
        return [(str(one.title), _label(one, value)) for one, value in chosen]


def _label(one: Filter, value: str) -> str:
    return str(one.labels[value]) if one.labels and value in one.labels else one.write(value)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _called(variables: dict[str, Any], called: str) -> dict[str, Any]:
    return {f"{called}{name[0].upper()}{name[1:]}" if called else name: value for name, value in variables.items()}
