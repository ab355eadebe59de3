"""What an import understands as the fields of a case: other people's headings and words, as well as our own."""

from models.fields import EntryField, FieldKind
from models.logbook import LOGBOOK_FIELDS

FIELDS = LOGBOOK_FIELDS
TITLES = {field.graphql_name: field.title for field in FIELDS}
# What a row must have, by the field's name. If there's no column for it, it's chosen once for every row.
CHOICES = {field.graphql_name: field for field in FIELDS if field.kind is FieldKind.CHOICE and field.required}
YES_WORDS = {"yes", "y", "true", "1", "x", "simulated", "simulation"}
NO = {"no", "n", "false", "0", "real"}


def accepted_headings(field: EntryField) -> list[str]:
    """Give every heading that means a field: the API's name, ours, and other common ones."""
    return [field.graphql_name, str(field.title), *_listed(field.headings)]


def meanings(field: EntryField) -> dict[str, list[str]]:
    """Give all words for each of the API's words of a field that is a choice."""
    return {word.value: [word.value, str(word.label), *_listed(word.also)] for word in field.words or ()}


def _listed(text: str) -> list[str]:
    return text.split(",") if text else []
