"""Declarations of an entry's fields. Each is declared once, on its model, and everything else is derived from that.

That is: the column and its CHECK, the field in the API's type, inputs, filter and order, the validation, the form, the
table, the CSV, and the headings that an import recognises. Who may read a field is only in `permissions/policy.py`.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from types import NoneType
from typing import Any, Self, get_args

from sqlalchemy import Boolean, CheckConstraint, Date, Integer, Text, Uuid
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from i18n import LazyText
from models.columns import one_of, some_of

NO_TEXT = LazyText("")


class Choice(StrEnum):
    """An enumeration that people choose from. Each word has a label, and synonyms that an import recognises."""

    label: LazyText
    also: str

    def __new__(cls, value: str, label: LazyText = NO_TEXT, also: str = "") -> Self:
        """Make a word: its name in the API, its label, and its synonyms separated by commas."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label = label
        member.also = also
        return member


class FieldKind(Enum):
    """What a field holds. Each layer that treats kinds differently has one table by kind."""

    CHOICE = auto()  # a word of an enumeration
    LINE = auto()  # text on one line
    TEXT = auto()
    LINK = auto()  # a web address
    DAY = auto()
    COUNT = auto()
    DURATION = auto()  # in minutes
    FLAG = auto()  # yes or no
    LANGUAGES = auto()  # a list of ISO 639 codes
    WORDS = auto()  # a list of words of an enumeration
    CREDITS = auto()  # a list of what bodies count the entry as
    CASE = auto()  # the id of one of the mediator's own cases


_COLUMN_TYPES: dict[FieldKind, Any] = {
    FieldKind.DAY: Date,
    FieldKind.COUNT: Integer,
    FieldKind.DURATION: Integer,
    FieldKind.FLAG: Boolean,
    FieldKind.LANGUAGES: ARRAY(Text),
    FieldKind.WORDS: ARRAY(Text),
    FieldKind.CREDITS: JSONB,
    FieldKind.CASE: Uuid,
}
# A case that's deleted leaves what refers to it.
_COLUMN_FACTS: dict[FieldKind, dict[str, Any]] = {
    FieldKind.CASE: {"foreign_key": "logbook_entry.id", "ondelete": "SET NULL", "index": True},
}
Default = bool | str | list[Any] | None  # a field's value in a new entry that doesn't have it
_NOTHING: dict[FieldKind, Default] = {
    FieldKind.FLAG: False,
    FieldKind.LANGUAGES: [],
    FieldKind.WORDS: [],
    FieldKind.CREDITS: [],
}  # the empty value of a field that can't be null
LISTS = frozenset({FieldKind.LANGUAGES, FieldKind.WORDS, FieldKind.CREDITS})
_SORTABLE = frozenset(FieldKind) - LISTS - {FieldKind.TEXT, FieldKind.LINK, FieldKind.CASE}
_SEARCHABLE = {FieldKind.LINE, FieldKind.TEXT}
_PRESET = {  # what the database gives a row that is written without the field
    FieldKind.FLAG: "false",
    FieldKind.LANGUAGES: "'{}'",
    FieldKind.WORDS: "'{}'",
    FieldKind.CREDITS: "'[]'",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class EntryField:
    """One field of an entry. `name` is its Python name; `required`: it can't be null.

    `label` is beside the form's field and `hint` below it; `title` heads columns and exports; `headings`, separated by
    commas, are others that an import recognises. `description` is for readers of the API.

    `words`: the enumeration of a CHOICE or of WORDS. `default`: its value in a new entry if none is given. `bounds`:
    the least and most of a COUNT. `unit`: what a COUNT counts. `rows`: the height of a TEXT's box. `private`: only its
    mediator reads it. `listed`: it has a column in the mediator's own table. `filtered`, `sorted`, `searched`: what a
    list can do with it. `facet`: the name of the list of its values, to filter by. `proposed`: a new entry's form
    begins with the last one's value. `spill`: the private text that gets what an import can't find among the words; the
    word is then OTHER.
    """

    kind: FieldKind
    label: LazyText
    title: LazyText
    name: str = ""
    required: bool = True
    private: bool = False
    hint: LazyText | None = None
    headings: str = ""
    description: str | None = None
    words: type[Choice] | None = None
    default: Default = None
    bounds: tuple[int, int] = (0, 2**31 - 1)
    unit: LazyText = NO_TEXT
    rows: int = 5
    listed: bool = False
    filtered: bool = False
    sorted: bool = False
    searched: bool = False
    facet: str | None = None
    proposed: bool = False
    spill: str | None = None

    @property
    def graphql_name(self) -> str:
        """Its name in the API, and so in forms."""
        return camel(self.name)

    @property
    def is_optional(self) -> bool:
        """Whether an input may leave it empty. A list that can't be null is then empty."""
        return not self.required or self.kind in LISTS


def camel(name: str) -> str:
    """Write a Python name as GraphQL does."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def entry_field(
    kind: FieldKind,
    label: LazyText,
    *,
    title: LazyText | None = None,
    sorted: bool | None = None,
    searched: bool | None = None,
    default: str | bool | None = None,
    **facts: Any,
) -> Any:
    """Declare a field; `facts` are EntryField's. Its annotation says whether it's required, and gives the words.

    Raises:
        TypeError: a fact isn't one of EntryField's.
    """
    declared = EntryField(
        kind=kind,
        label=label,
        title=title or label,
        default=_NOTHING.get(kind) if default is None else default,
        sorted=kind in _SORTABLE if sorted is None else sorted,
        searched=kind in _SEARCHABLE if searched is None else searched,
        **facts,
    )
    presets = _PRESET | {FieldKind.FLAG: str(bool(default)).lower()}
    preset = presets.get(kind) or (f"'{default}'" if default else None)
    return Field(
        sa_type=_COLUMN_TYPES.get(kind, Text),
        sa_column_kwargs={"server_default": sql(preset)} if preset else {},
        schema_extra={"json_schema_extra": {"declared": declared}},
        **_COLUMN_FACTS.get(kind, {}),
    )


def entry_fields(shared: type[SQLModel], private: type[SQLModel] | None = None) -> tuple[EntryField, ...]:
    """Give the fields that models declare, in order; `private` has those that only the mediator reads."""
    models = [model for model in (shared, private) if model]
    return tuple(_named(model, name, model is private) for model in models for name in model.model_fields)


def known_words(shared: type[SQLModel]) -> list[CheckConstraint]:
    """Restrict each CHOICE and each list of WORDS of a model to its words, in the database too."""
    declared = (_named(shared, name, private=False) for name in shared.model_fields)
    return [
        (some_of if field.kind is FieldKind.WORDS else one_of)(field.name, field.words)
        for field in declared
        if field.words
    ]


def _named(model: type[SQLModel], name: str, private: bool) -> EntryField:
    info = model.model_fields[name]
    extra = info.json_schema_extra
    declared = extra["declared"] if isinstance(extra, dict) else None
    if not isinstance(declared, EntryField):
        raise TypeError(name)
    parts = get_args(info.annotation)  # of a list, what's in it
    (type_,) = set(parts or (info.annotation,)) - {NoneType}
    words = type_ if isinstance(type_, type) and issubclass(type_, Choice) else None
    return replace(declared, name=name, required=NoneType not in parts, private=private, words=words)
